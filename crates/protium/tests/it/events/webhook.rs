//! Receivers that fail, hang, answer late and restart.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::database::TestDb;
use crate::support::events::{
    LATER_MS, SECRET, TIMEOUT_MS, deliver, dispatcher, listed, remove, template, until, webhook, with,
};
use crate::support::receiver::{Receiver, Reply};
use protium::events::{Dispatcher, signature};
use serde_json::json;
use tokio::sync::watch;

/// An application that tells a receiver everything.
async fn told(db: &TestDb) -> (TestApp, Receiver, Dispatcher) {
    let receiver = Receiver::start().await;
    let app = TestApp::with(db, with(vec![webhook(db, "hook", &receiver)])).await;
    let dispatcher = dispatcher(&app, "one").await;
    (app, receiver, dispatcher)
}

on_both! {
    an_event_is_sent_once_signed_in_the_shape_of_aws, async |db| {
        let (app, receiver, mut dispatcher) = told(db).await;
        template(&app, "env").await;
        deliver(&app, &mut dispatcher).await;
        let got = receiver.got();
        assert_eq!(got.len(), 1);
        let arn = format!("{}:environment-template/env", app.arn_prefix());
        let time = got[0].event["time"].as_str().unwrap().to_owned();
        assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
        assert_eq!(got[0].event, json!({
            "version": "0", "id": got[0].id, "detail-type": "AWS Proton Environment Template Status Change",
            "source": "protium.proton", "account": "000000000000", "time": time, "region": "us-east-1",
            "resources": [arn], "detail": { "name": "env", "status": "DRAFT" },
        }));
        let seconds = got[0].signature.split(',').next().unwrap().strip_prefix("t=").unwrap().parse().unwrap();
        assert_eq!(got[0].signature, signature(SECRET.as_bytes(), seconds, &got[0].body));
        assert!((app.app.clock.now_ms() / 1000 - seconds).abs() < 100, "{seconds}");
        assert!(listed(&app, json!({})).await.is_empty());
        assert!(!dispatcher.step().await.unwrap(), "nothing is left to do");
    }

    a_failure_is_tried_again_and_what_follows_waits_behind_it, async |db| {
        let (app, receiver, mut dispatcher) = told(db).await;
        receiver.answer(|got| Reply::Status(if got.arn().ends_with("/bad") { 500 } else { 200 }));
        template(&app, "bad").await;
        deliver(&app, &mut dispatcher).await;
        remove(&app, "bad").await;
        template(&app, "good").await;
        deliver(&app, &mut dispatcher).await;
        assert_eq!(receiver.told("/good"), ["DRAFT"], "others do not wait");
        // It may have been tried again already.
        assert!(receiver.told("/bad").iter().all(|status| status == "DRAFT"), "the second one waits behind the first");
        let waiting = listed(&app, json!({ "destination": "hook" })).await;
        assert_eq!(waiting.len(), 2, "{waiting:?}");
        assert_eq!(waiting[0]["state"], "PENDING");
        assert!(waiting[0]["attempts"].as_i64().unwrap() >= 1);
        assert_eq!(waiting[0]["lastError"], "answered 500 Internal Server Error");
        assert!(waiting[0]["nextAttemptAt"].is_number());
        assert_eq!((&waiting[1]["attempts"], waiting[1].get("nextAttemptAt")), (&json!(0), None));
        let first = receiver.got()[0].id.clone();
        receiver.answer(|_| Reply::Status(204));
        app.pass(LATER_MS);
        deliver(&app, &mut dispatcher).await;
        let told = receiver.told("/bad");
        assert_eq!(told[told.len() - 2..], ["DRAFT", "DELETED"]);
        let again = receiver.got().into_iter().filter(|got| got.id == first).count();
        assert_eq!(again, told.len() - 1, "the same event has the same id");
        assert!(listed(&app, json!({})).await.is_empty());
    }

    a_hanging_answer_holds_up_nobody_else_and_is_given_up_in_time, async |db| {
        let (app, receiver, mut dispatcher) = told(db).await;
        receiver.answer(|got| if got.arn().ends_with("/hangs") { Reply::Hangs } else { Reply::Status(200) });
        template(&app, "hangs").await;
        // The step waits for a moment only.
        tokio::join!(async { dispatcher.step().await.unwrap() }, async {
            while receiver.got().is_empty() {
                tokio::task::yield_now().await;
            }
            app.pass(1_000);
        });
        remove(&app, "hangs").await;
        for name in ["a", "b"] {
            template(&app, name).await;
        }
        until(&mut dispatcher, "the others", async || receiver.got().len() == 3).await;
        assert_eq!(receiver.told("/hangs"), ["DRAFT"]);
        app.pass(TIMEOUT_MS);
        let failed = async || listed(&app, json!({})).await.iter().any(|one| one["lastError"] == "no answer within 10 s");
        until(&mut dispatcher, "it is given up", failed).await;
        receiver.answer(|_| Reply::Status(200));
        app.pass(LATER_MS);
        deliver(&app, &mut dispatcher).await;
        let told = receiver.told("/hangs");
        assert_eq!(told[told.len() - 2..], ["DRAFT", "DELETED"]);
    }

    a_late_answer_counts, async |db| {
        let (app, receiver, mut dispatcher) = told(db).await;
        let (open, gate) = watch::channel(false);
        receiver.answer(move |_| Reply::Late(gate.clone()));
        template(&app, "late").await;
        tokio::join!(async { dispatcher.step().await.unwrap() }, async {
            while receiver.got().is_empty() {
                tokio::task::yield_now().await;
            }
            app.pass(1_000);
        });
        assert_eq!(listed(&app, json!({ "state": "PENDING" })).await.len(), 1, "it is on its way");
        open.send_replace(true);
        until(&mut dispatcher, "it is noted", async || listed(&app, json!({})).await.is_empty()).await;
        app.pass(LATER_MS);
        deliver(&app, &mut dispatcher).await;
        assert_eq!(receiver.told("/late"), ["DRAFT"], "it is not sent again");
    }

    a_receiver_that_is_away_gets_all_when_it_is_back, async |db| {
        let (app, mut receiver, mut dispatcher) = told(db).await;
        receiver.down();
        for name in ["a", "b", "c"] {
            template(&app, name).await;
            remove(&app, name).await;
        }
        deliver(&app, &mut dispatcher).await;
        let waiting = listed(&app, json!({})).await;
        assert_eq!(waiting.len(), 6);
        let said = waiting[0]["lastError"].as_str().unwrap().to_owned();
        assert!(said.starts_with("can't be reached: ") && !said.contains("hook"), "{said}");
        receiver.up().await;
        app.pass(LATER_MS);
        deliver(&app, &mut dispatcher).await;
        for name in ["/a", "/b", "/c"] {
            assert_eq!(receiver.told(name), ["DRAFT", "DELETED"]);
        }
    }

    what_can_not_be_delivered_in_time_is_dead_blocks_nothing_and_is_redelivered, async |db| {
        let (app, receiver, mut dispatcher) = told(db).await;
        receiver.answer(|_| Reply::Status(503));
        template(&app, "env").await;
        deliver(&app, &mut dispatcher).await;
        app.pass(24 * 60 * 60 * 1000);
        deliver(&app, &mut dispatcher).await;
        assert_eq!(listed(&app, json!({})).await[0]["state"], "PENDING", "old, but hardly tried");
        for _ in 0..4 {
            app.pass(LATER_MS);
            deliver(&app, &mut dispatcher).await;
        }
        receiver.answer(|_| Reply::Status(200));
        remove(&app, "env").await;
        deliver(&app, &mut dispatcher).await;
        assert_eq!(receiver.told("/env").last().unwrap(), "DELETED", "what follows does not wait for the dead one");
        let dead = listed(&app, json!({ "state": "DEAD" })).await;
        assert_eq!(dead.len(), 1);
        assert!(dead[0]["attempts"] == 5 && dead[0].get("nextAttemptAt").is_none());
        let sent = receiver.got().len();
        app.pass(LATER_MS);
        deliver(&app, &mut dispatcher).await;
        assert_eq!(receiver.got().len(), sent, "it is not tried any more");
        let answer = app.ok("RedeliverEvents", json!({ "destination": "hook" })).await;
        assert_eq!(answer["redelivered"], 1);
        receiver.answer(|_| Reply::Status(503));
        deliver(&app, &mut dispatcher).await;
        assert_eq!(listed(&app, json!({})).await[0]["state"], "PENDING", "one refusal does not end it again");
        receiver.answer(|_| Reply::Status(200));
        app.pass(LATER_MS);
        deliver(&app, &mut dispatcher).await;
        let last = receiver.got().pop().unwrap();
        assert_eq!((last.status(), json!(last.id)), ("DRAFT", dead[0]["eventId"].clone()));
        assert!(listed(&app, json!({})).await.is_empty());
    }

    a_receiver_that_is_gone_for_good_is_not_asked_again, async |db| {
        let (app, receiver, mut dispatcher) = told(db).await;
        receiver.answer(|_| Reply::Status(410));
        template(&app, "env").await;
        deliver(&app, &mut dispatcher).await;
        let dead = listed(&app, json!({})).await;
        assert_eq!((&dead[0]["state"], &dead[0]["lastError"]), (&json!("DEAD"), &json!("answered 410 Gone")));
    }

    a_redirect_is_a_refusal, async |db| {
        let (app, receiver, mut dispatcher) = told(db).await;
        let elsewhere = Receiver::start().await;
        let to = elsewhere.url();
        receiver.answer(move |_| Reply::Redirect(to.clone()));
        template(&app, "env").await;
        deliver(&app, &mut dispatcher).await;
        assert_eq!(listed(&app, json!({})).await[0]["lastError"], "answered 307 Temporary Redirect");
        assert!(elsewhere.got().is_empty());
    }
}
