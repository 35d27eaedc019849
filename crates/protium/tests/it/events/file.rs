//! Events as lines of a file.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::events::{LATER_MS, deliver, destination, dispatcher, listed, remove, template, until, with};
use protium::config::DestinationKind;
use protium::params;
use protium_domain::event::DetailType;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::Command;

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

    lines_that_are_written_late_count_and_wait_resource_by_resource_meanwhile, async |db| {
        let path = db.folder().join("events");
        let app = TestApp::with(db, with(vec![destination("file", DestinationKind::File(Some(path.clone())))])).await;
        let mut dispatcher = dispatcher(&app, "one").await;
        // A step takes twice as many as the one before.
        for name in ["x", "y", "z"] {
            template(&app, name).await;
        }
        deliver(&app, &mut dispatcher).await;
        // In the place of the file there is a pipe now, with as much as it holds: the next byte waits until somebody reads.
        std::fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let mut pipe = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let full = [b'\n'; 64 * 1024];
        pipe.write_all(&full).unwrap();
        template(&app, "a").await;
        remove(&app, "a").await;
        template(&app, "b").await;
        // The step waits for a moment only.
        tokio::join!(async { dispatcher.step().await.unwrap() }, async {
            while opened(&path) < 2 {
                tokio::task::yield_now().await;
            }
            app.pass(1_000);
        });
        let mut rd = app.store().reader().await.unwrap();
        let sql = "SELECT arn FROM event_delivery WHERE state = 'PENDING' AND next_at > $1 ORDER BY position";
        let now = rd.now_ms().await.unwrap();
        let firsts = rd.query(sql, params![now]).await.unwrap().into_iter().map(|mut row| row.text(0).unwrap());
        let firsts: Vec<String> = firsts.collect();
        drop(rd);
        let waiting = listed(&app, json!({ "state": "PENDING" })).await;
        // Before anything can fail: a test does not end while a write is under way.
        let mut read = full;
        pipe.read_exact(&mut read).unwrap();
        assert_eq!(waiting.len(), 3, "they are on their way: {waiting:?}");
        assert!(firsts.len() == 2 && firsts[0].ends_with("/a") && firsts[1].ends_with("/b"), "{firsts:?}");
        until(&mut dispatcher, "it is noted", async || listed(&app, json!({})).await.is_empty()).await;
        app.pass(LATER_MS);
        template(&app, "c").await;
        deliver(&app, &mut dispatcher).await;
        drop(dispatcher);
        pipe.write_all(b"end\n").unwrap();
        let lines = BufReader::new(pipe).lines().map(Result::unwrap).take_while(|line| line != "end");
        let told: Vec<Value> = lines.map(|line| serde_json::from_str::<Value>(&line).unwrap()["detail"].clone()).collect();
        let told: Vec<String> = told.iter().map(|detail| format!("{} {}", detail["name"], detail["status"])).collect();
        assert_eq!(told, [r#""a" "DRAFT""#, r#""a" "DELETED""#, r#""b" "DRAFT""#, r#""c" "DRAFT""#], "each once");
    }
}

/// How often this process has a file open.
fn opened(path: &Path) -> usize {
    let open =
        std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|one| std::fs::read_link(one.unwrap().path()).ok());
    open.filter(|to| to == path).count()
}

/// Steps until nothing is left to do. A file answers before a step ends, or is late by a moment.
async fn deliver_one(dispatcher: &mut protium::events::Dispatcher) {
    while dispatcher.step().await.unwrap() {}
}
