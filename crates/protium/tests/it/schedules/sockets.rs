//! Two clients that meet on the listener, each on a connection of its own: nobody lets their calls through, and the
//! operating system chooses the order.

use super::*;
use crate::on_both;
use crate::support::app::{ACCOUNT, Refused, target};
use crate::support::double::resize;
use crate::support::service::plain_spec;
use crate::support::sign::Signer;
use futures::future::join_all;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client as Http, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use protium::auth::{Credential, Identity, Secret};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::Barrier;

/// How often each pair meets on each database.
const ROUNDS: usize = 24;
const KEY: (&str, &str) = ("AKIASOCKETTESTS00001", "a secret that only these clients know");

on_both! {
    two_clients_on_connections_of_their_own_leave_what_one_after_the_other_leaves, async |db| {
        let mut grounds = Grounds::on(db).await;
        let url = listen(&grounds.site.app).await;
        let clients = [Client::connected(&url).await, Client::connected(&url).await];
        for pair in pairs() {
            let expected = grounds.serial(&pair).await;
            for round in 0..ROUNDS {
                let ground = grounds.fresh();
                let prepared = (pair.prepare)(&ground).await;
                let asks = [pair.left, pair.right].map(|party| match party {
                    Party::Client(asks) => asks(&ground, &prepared),
                    Party::Worker => unreachable!("all are clients here"),
                });
                let outcome = ground.outcome(&meet(&clients, &ground.app, asks).await).await;
                let why = || differences(&expected, &outcome);
                assert!(expected.contains(&outcome), "'{}' in round {round}:\n{}", pair.name, why());
            }
        }
    }
}

fn pairs() -> Vec<Pair> {
    const DELETE: &str = "DeleteEnvironment";
    vec![
        pair(
            "two creates of one name",
            template,
            |_, _| ask("CreateEnvironment", create("prod")),
            |_, _| ask("CreateEnvironment", but(create("prod"), json!({ "description": "another" }))),
        ),
        pair(
            "an update and a delete",
            prod,
            |_, _| ask("UpdateEnvironment", resize("prod", "small")),
            |_, _| ask(DELETE, named("prod")),
        ),
        pair(
            "an environment that is deleted while an instance is created in it",
            spare,
            |_, _| ask(DELETE, named("spare")),
            |_, _| ask("CreateServiceInstance", instance_in_spare()),
        ),
    ]
}

/// The service `web`, and beside its environment another one, `spare`.
fn spare(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        web(ground).await;
        ground.deployed("spare").await
    })
}

fn instance_in_spare() -> Value {
    let more = "  - name: b\n    environment: spare\n    spec:\n      port: 2\n";
    json!({ "serviceName": "web", "name": "b", "spec": plain_spec(&[("a", 1)]) + more })
}

/// Listens for the application; answers where.
async fn listen(app: &TestApp) -> String {
    app.app.keys.insert(Credential::new(KEY.0, Secret::new(KEY.1), Identity::root(ACCOUNT)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app.router()).into_future());
    format!("http://{address}")
}

/// Sends both requests at the same moment.
async fn meet(clients: &[Client; 2], app: &TestApp, asks: [Ask; 2]) -> Vec<Answer> {
    let start = Arc::new(Barrier::new(2));
    let sending = clients.iter().zip(asks).map(|(client, ask)| {
        let (request, client, start) = (client.signed(app, &ask), client.clone(), Arc::clone(&start));
        tokio::spawn(async move {
            start.wait().await;
            client.answer(request).await
        })
    });
    join_all(sending).await.into_iter().map(Result::unwrap).collect()
}

/// One client, with one connection.
#[derive(Clone)]
struct Client {
    http: Http<HttpConnector, Full<bytes::Bytes>>,
    url: String,
}

impl Client {
    async fn connected(url: &str) -> Self {
        let client = Self { http: Http::builder(TokioExecutor::new()).build_http(), url: url.to_owned() };
        let (status, _) = client.send(Request::get(format!("{url}/healthz")).body(Vec::new()).unwrap()).await;
        assert_eq!(status, StatusCode::OK);
        client
    }

    /// Signed for the region and at the time of the application.
    fn signed(&self, app: &TestApp, ask: &Ask) -> Request<Vec<u8>> {
        let request = Request::post(format!("{}/", self.url))
            .header("host", self.url.trim_start_matches("http://"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target(ask.operation))
            .body(ask.input.to_string().into_bytes())
            .unwrap();
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(app.app.clock.now_ms()).unwrap());
        Signer { region: app.scope().region, at, ..Signer::new(KEY.0, KEY.1, "proton") }.sign(request)
    }

    async fn answer(&self, request: Request<Vec<u8>>) -> Answer {
        let (status, body) = self.send(request).await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        if status.is_success() {
            return Ok(body);
        }
        let code = body["__type"].as_str().unwrap().rsplit_once('#').unwrap().1.to_owned();
        Err(Refused { code, message: body["message"].as_str().unwrap().to_owned() })
    }

    async fn send(&self, request: Request<Vec<u8>>) -> (StatusCode, Vec<u8>) {
        let answer = self.http.request(request.map(|body| Full::new(body.into()))).await.unwrap();
        let status = answer.status();
        (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
    }
}
