//! An application with destinations, and what brings events there when a test says so.

use super::app::TestApp;
use super::database::{SOON, TestDb};
use super::receiver::Receiver;
use protium::config::{Config, Destination, DestinationKind, Hidden, SecretSource, Webhook};
use protium::events::{Dispatcher, ensure, targets};
use protium::params;
use protium_domain::event::{SOURCE, Selection};
use protium_engines::aws::{Aws, Credentials, Settings};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const SECRET: &str = "a secret of many bytes";
/// Longer than any pause between attempts, in milliseconds, and a good deal less than an event is given up after.
pub const LATER_MS: i64 = 20 * 60 * 1000;
/// The time that a receiver has to answer.
pub const TIMEOUT_MS: i64 = 10_000;

/// A destination of that kind with the defaults.
pub fn destination(name: &str, kind: DestinationKind) -> Destination {
    Destination {
        name: name.to_owned(),
        selection: Selection::default(),
        source: SOURCE.to_owned(),
        max_age: Duration::from_secs(24 * 60 * 60),
        kind,
    }
}

/// A webhook, whose secret is in a file of the folder.
pub fn webhook(db: &TestDb, name: &str, receiver: &Receiver) -> Destination {
    webhook_in(db.folder(), name, receiver)
}

fn webhook_in(folder: &Path, name: &str, receiver: &Receiver) -> Destination {
    let secret: PathBuf = folder.join("webhook-secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let hook = Webhook {
        url: Hidden(receiver.url()),
        secret: SecretSource::File(secret),
        ca_bundle: None,
        timeout: Duration::from_millis(TIMEOUT_MS.unsigned_abs()),
    };
    destination(name, DestinationKind::Webhook(hook))
}

/// Settings with these destinations.
pub fn with(destinations: Vec<Destination>) -> impl FnOnce(&mut Config) {
    move |config| config.event_destinations = destinations
}

/// What brings events to the destinations of the application, as one process more would.
pub async fn dispatchers(app: &TestApp, holder: &str) -> Vec<Dispatcher> {
    let credentials = Some(Credentials::from_keys("AKIAOUTBOUNDOUTBOUND", "secret", None));
    let endpoint_url = app.app.config.aws_endpoint_url.clone();
    let aws = Aws::new(Settings { endpoint_url, profile: None, credentials }).await;
    let targets = targets(&app.app.config, &aws, &app.app.clock).unwrap();
    ensure(app.store(), &targets).await.unwrap();
    targets.into_iter().map(|target| Dispatcher::new(&app.app, target, holder.to_owned())).collect()
}

/// What brings events to a receiver of that name, whatever the settings of the application say. The secret is beside the
/// database.
pub async fn dispatcher_to(app: &TestApp, name: &str, receiver: &Receiver) -> Dispatcher {
    let mut config = app.app.config.clone();
    config.event_destinations = vec![webhook_in(&config.data_dir, name, receiver)];
    let targets = targets(&config, &Aws::new(Settings::default()).await, &app.app.clock).unwrap();
    ensure(app.store(), &targets).await.unwrap();
    Dispatcher::new(&app.app, targets.into_iter().next().unwrap(), "test".to_owned())
}

/// The only one of them.
pub async fn dispatcher(app: &TestApp, holder: &str) -> Dispatcher {
    let mut all = dispatchers(app, holder).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Takes steps until it is so.
pub async fn until(dispatcher: &mut Dispatcher, what: &str, is_so: impl AsyncFn() -> bool) {
    let stepping = async {
        loop {
            while dispatcher.step().await.unwrap() {}
            if is_so().await {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(SOON, stepping).await.is_ok(), "{what}: it does not happen");
}

/// Takes steps until nothing of what is due is left.
pub async fn deliver(app: &TestApp, dispatcher: &mut Dispatcher) {
    until(dispatcher, "nothing is left", async || due(app).await == 0 && behind(app).await == 0).await;
}

/// How many deliveries are due, or on their way.
async fn due(app: &TestApp) -> i64 {
    let mut rd = app.store().reader().await.unwrap();
    let now = rd.now_ms().await.unwrap();
    // What is on its way has a time of its own, a minute ahead.
    let sql = "SELECT COUNT(*) FROM event_delivery WHERE state = 'PENDING' AND (next_at <= $1 OR (attempts = 0 AND next_at IS NOT NULL))";
    rd.query_one(sql, params![now]).await.unwrap().int(0).unwrap()
}

/// How many events no destination has looked at.
async fn behind(app: &TestApp) -> i64 {
    let is_passed = if app.store().db().is_embedded() {
        "e.seq <= d.position"
    } else {
        "EXISTS (SELECT 1 FROM event_span s WHERE e.seq BETWEEN s.first_seq AND s.last_seq
                     AND s.position + e.seq - s.first_seq <= d.position)"
    };
    let sql = format!("SELECT COUNT(*) FROM event e, event_destination d WHERE NOT {is_passed}");
    app.store().reader().await.unwrap().query_one(&sql, params![]).await.unwrap().int(0).unwrap()
}

/// The deliveries that were not made at once, as the operation lists them.
pub async fn listed(app: &TestApp, filter: Value) -> Vec<Value> {
    app.ok("ListEventDeliveries", filter).await["deliveries"].as_array().unwrap().clone()
}

/// Makes an environment template: one event.
pub async fn template(app: &TestApp, name: &str) {
    app.ok("CreateEnvironmentTemplate", json!({ "name": name })).await;
}

/// Removes it: another one.
pub async fn remove(app: &TestApp, name: &str) {
    app.ok("DeleteEnvironmentTemplate", json!({ "name": name })).await;
}
