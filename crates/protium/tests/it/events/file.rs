//! Events as lines of a file.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::events::{LATER_MS, deliver, destination, dispatcher, listed, remove, template, with};
use protium::config::DestinationKind;
use protium_domain::event::DetailType;
use serde_json::{Value, json};

on_both! {
    each_event_is_a_line_in_order_and_what_is_not_asked_for_is_left_out, async |db| {
        let (all, some) = (db.folder().join("all.jsonl"), db.folder().join("some.jsonl"));
        let mut narrowed = destination("some", DestinationKind::File(Some(some.clone())));
        narrowed.selection.detail_types = vec![DetailType::ServiceTemplate];
        narrowed.source = "aws.proton".into();
        let whole = destination("all", DestinationKind::File(Some(all.clone())));
        let app = TestApp::with(db, with(vec![whole, narrowed])).await;
        let mut both = crate::support::events::dispatchers(&app, "one").await;
        template(&app, "env").await;
        remove(&app, "env").await;
        app.ok("CreateServiceTemplate", json!({ "name": "svc" })).await;
        for dispatcher in &mut both {
            deliver_one(dispatcher).await;
        }
        let lines = |path| -> Vec<Value> {
            let text = std::fs::read_to_string(path).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let told: Vec<Value> = lines(&all).into_iter().map(|event| event["detail"].clone()).collect();
        assert_eq!(told, [
            json!({ "name": "env", "status": "DRAFT" }),
            json!({ "name": "env", "status": "DELETED", "previousStatus": "DRAFT" }),
            json!({ "name": "svc", "status": "DRAFT" }),
        ]);
        let told = lines(&some);
        assert_eq!((told.len(), &told[0]["source"]), (1, &json!("aws.proton")));
        assert_eq!(told[0]["id"], lines(&all)[2]["id"], "an event has one id");
        assert!(listed(&app, json!({})).await.is_empty());
    }

    a_folder_that_is_not_there_yet_is_waited_for, async |db| {
        let path = db.folder().join("later").join("events.jsonl");
        let app = TestApp::with(db, with(vec![destination("file", DestinationKind::File(Some(path.clone())))])).await;
        let mut dispatcher = dispatcher(&app, "one").await;
        template(&app, "env").await;
        remove(&app, "env").await;
        deliver(&app, &mut dispatcher).await;
        let waiting = listed(&app, json!({})).await;
        assert_eq!(waiting.len(), 2);
        assert!(waiting[0]["lastError"].as_str().unwrap().starts_with("can't be written: "), "{waiting:?}");
        std::fs::create_dir(db.folder().join("later")).unwrap();
        app.pass(LATER_MS);
        deliver(&app, &mut dispatcher).await;
        let told: Vec<Value> = std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["detail"]["status"].clone())
            .collect();
        assert_eq!(told, ["DRAFT", "DELETED"]);
    }
}

/// Steps until nothing is left to do. A file answers before a step ends, or is late by a moment.
async fn deliver_one(dispatcher: &mut protium::events::Dispatcher) {
    while dispatcher.step().await.unwrap() {}
}
