//! What is listed of deliveries, what is brought again, what the metrics say, and what is forgotten.

use crate::on_both;
use crate::support::app::{TestApp, code};
use crate::support::database::TestDb;
use crate::support::double::cut_off_at;
use crate::support::events::{deliver, dispatcher, listed, template, webhook, with};
use crate::support::receiver::{Receiver, Reply};
use protium::events::Dispatcher;
use protium::params;
use protium_domain::job::Job;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Five events that a receiver refused for good, and one that it refused for now.
async fn refused(db: &TestDb) -> (TestApp, Receiver, Dispatcher) {
    let receiver = Receiver::start().await;
    receiver.answer(|got| Reply::Status(if got.arn().ends_with("/later") { 500 } else { 410 }));
    let app = TestApp::with(db, with(vec![webhook(db, "hook", &receiver)])).await;
    let mut dispatcher = dispatcher(&app, "one").await;
    for name in ["t0", "t1", "t2", "t3", "t4", "later"] {
        template(&app, name).await;
    }
    deliver(&app, &mut dispatcher).await;
    (app, receiver, dispatcher)
}

on_both! {
    deliveries_are_listed_by_pages_and_filters, async |db| {
        let (app, _receiver, _) = refused(db).await;
        let (mut token, mut seen) = (Value::Null, Vec::new());
        loop {
            let page = app.ok("ListEventDeliveries", json!({ "maxResults": 2, "nextToken": token })).await;
            let entries = page["deliveries"].as_array().unwrap();
            assert!(entries.len() <= 2);
            seen.extend(entries.iter().map(|one| one["resourceArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(seen, ["t0", "t1", "t2", "t3", "t4", "later"]);
        let arn = format!("{}:environment-template/t3", app.arn_prefix());
        assert_eq!(listed(&app, json!({ "state": "DEAD" })).await.len(), 5);
        assert_eq!(listed(&app, json!({ "state": "PENDING" })).await.len(), 1);
        assert_eq!(listed(&app, json!({ "resourceArn": arn })).await.len(), 1);
        assert!(listed(&app, json!({ "destination": "other" })).await.is_empty());
        assert!(listed(&app.in_region("eu-west-1"), json!({})).await.is_empty(), "of another region");
        assert!(listed(&app.in_account("111111111111"), json!({})).await.is_empty(), "of another account");
        let first = app.ok("ListEventDeliveries", json!({ "maxResults": 2 })).await;
        let foreign = json!({ "state": "DEAD", "nextToken": first["nextToken"] });
        assert_eq!(code(app.call("ListEventDeliveries", foreign).await), "ValidationException");
    }

    one_event_or_all_of_a_destination_are_brought_again, async |db| {
        let (app, receiver, mut dispatcher) = refused(db).await;
        let dead = listed(&app, json!({ "state": "DEAD" })).await;
        receiver.answer(|_| Reply::Status(200));
        let one = json!({ "destination": "hook", "eventId": dead[3]["eventId"] });
        let other = app.in_account("111111111111");
        assert_eq!(code(other.call("RedeliverEvents", one.clone()).await), "ResourceNotFoundException");
        assert_eq!(app.ok("RedeliverEvents", one.clone()).await["redelivered"], 1);
        deliver(&app, &mut dispatcher).await;
        assert_eq!(receiver.told("/t3"), ["DRAFT", "DRAFT"]);
        assert_eq!(code(app.call("RedeliverEvents", one).await), "ResourceNotFoundException", "it is not dead any more");
        assert_eq!(app.ok("RedeliverEvents", json!({ "destination": "hook" })).await["redelivered"], 4);
        deliver(&app, &mut dispatcher).await;
        assert!(listed(&app, json!({ "state": "DEAD" })).await.is_empty());
        assert_eq!(app.ok("RedeliverEvents", json!({ "destination": "hook" })).await["redelivered"], 0);
        let unknown = app.call("RedeliverEvents", json!({ "destination": "none" })).await;
        assert_eq!(code(unknown), "ResourceNotFoundException");
    }

    the_metrics_tell_what_a_destination_has_not_got, async |db| {
        let (app, _receiver, _) = refused(db).await;
        // No worker has looked at it.
        template(&app, "unseen").await;
        app.pass(60_000);
        let request = http::Request::get("http://127.0.0.1/metrics").body(Vec::new()).unwrap();
        let text = String::from_utf8(app.exchange(request).await.1).unwrap();
        let value = |series: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {series}:\n{text}")).parse::<f64>().unwrap()
        };
        assert_eq!(value("protium_events{destination=\"hook\",state=\"dead\"}").to_string(), "5");
        assert_eq!(value("protium_events{destination=\"hook\",state=\"pending\"}").to_string(), "2");
        assert!(value("protium_events_oldest_seconds{destination=\"hook\"}") >= 60.0);
    }

    old_events_and_their_deliveries_are_forgotten_and_new_ones_still_told, async |db| {
        let (app, receiver, mut dispatcher) = refused(db).await;
        app.pass(31 * DAY_MS);
        receiver.answer(|_| Reply::Status(200));
        template(&app, "new").await;
        deliver(&app, &mut dispatcher).await;
        app.enqueue(&Job::ExpireEvents).await;
        app.work().await;
        assert!(listed(&app, json!({})).await.is_empty());
        let mut rd = app.store().reader().await.unwrap();
        let kept = rd.query_one("SELECT COUNT(*) FROM event", params![]).await.unwrap().int(0).unwrap();
        drop(rd);
        assert_eq!(kept, 1);
        assert!(app.claim().await.is_none(), "it waits");
        // The newest one stays, so that the order goes on behind it.
        app.pass(31 * DAY_MS);
        for _ in 0..2 {
            app.work().await;
            template(&app, &format!("next-{}", receiver.got().len())).await;
            let before = receiver.got().len();
            deliver(&app, &mut dispatcher).await;
            assert_eq!(receiver.got().len(), before + 1);
            app.pass(31 * DAY_MS);
        }
    }

    forgetting_events_stops_anywhere_and_completes_later, async |db| {
        let (app, _receiver, _) = refused(db).await;
        app.pass(31 * DAY_MS);
        for step in 1.. {
            app.enqueue(&Job::ExpireEvents).await;
            let calls = cut_off_at(&app, step);
            // A worker that can't even claim tells; the job is there for the next.
            let _told = protium::worker::run_one(&app.app, "test").await;
            app.store().db().set_probe(None);
            app.work_later().await;
            assert!(listed(&app, json!({})).await.is_empty(), "step {step}");
            app.pass(DAY_MS);
            if calls.load(Ordering::SeqCst) < step {
                assert!(step > 4, "claiming, forgetting, queueing: {step}");
                return;
            }
        }
    }
}
