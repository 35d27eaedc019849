//! Events of the program: brought to a receiver over a `kill -9`, printed on standard output, listed and redelivered by
//! `protium admin`.

use serde_json::{Value, json};

use super::admin::{root, typed};
use super::program::{Program, Start, until};
use super::site::free;
use crate::on_both;
use crate::support::database::TestDb;
use crate::support::events::SECRET;
use crate::support::receiver::{Receiver, Reply};
use protium::transaction;

/// Settings with a webhook, whose secret is in the variable `HOOK_SECRET`.
fn settings(folder: &std::path::Path, receiver: &Receiver) -> String {
    let path = folder.join("events.toml");
    let text = format!(
        "[[events.destination]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"{}?token=in-the-url\"\n\
         secret-variable = \"HOOK_SECRET\"\n",
        receiver.url()
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn start(db: &TestDb, settings: &str) -> Program {
    Start::on(db).flag("--config", settings).variable("HOOK_SECRET", SECRET).ready().await
}

/// Ends the lease that a killed process had, as the passing of fifteen seconds would.
async fn expire_leases(db: &TestDb) {
    if db.is_shared() {
        transaction!(db.store(), async |tx| -> Result<(), protium::store::DbError> {
            tx.execute("UPDATE event_destination SET lease_until = 0", &[]).await.map(drop)
        })
        .unwrap();
    }
}

/// What `protium admin events` prints with these words.
async fn admin(program: &Program, words: &[&str]) -> Value {
    let words: Vec<&str> = ["events"].iter().chain(words).copied().collect();
    let ended = typed(&words, &root(program)).await;
    assert_eq!(ended.status.code(), Some(0), "{words:?}: {}", ended.err);
    serde_json::from_str(&ended.out).unwrap_or_else(|why| panic!("{why}: {}", ended.out))
}

on_both! {
    what_was_on_its_way_at_kill_9_is_sent_by_the_next_process, async |db| {
        let receiver = Receiver::start().await;
        receiver.answer(|_| Reply::Hangs);
        let settings = settings(db.folder(), &receiver);
        free(db);
        let first = start(db, &settings).await;
        for name in ["a", "b"] {
            first.ok("CreateEnvironmentTemplate", json!({ "name": name })).await;
            first.ok("DeleteEnvironmentTemplate", json!({ "name": name })).await;
        }
        until("both are sent", async || (receiver.got().len() >= 2).then_some(())).await;
        let log = first.kill().await.err;
        receiver.answer(|_| Reply::Status(200));
        expire_leases(db).await;
        let second = start(db, &settings).await;
        // What has a row by then is due after a minute, unless the database is embedded: nobody else can have sent it.
        if db.is_shared() {
            transaction!(db.store(), async |tx| -> Result<(), protium::store::DbError> {
                let sql = "UPDATE event_delivery SET next_at = 0 WHERE next_at IS NOT NULL AND attempts = 0";
                tx.execute(sql, &[]).await.map(drop)
            })
            .unwrap();
        }
        for resource in ["/a", "/b"] {
            let told = until("both are told", async || {
                let told = receiver.told(resource);
                (told.last().map(String::as_str) == Some("DELETED")).then_some(told)
            })
            .await;
            assert!(told[..told.len() - 1].iter().all(|status| status == "DRAFT"), "{told:?}");
        }
        second.kill().await;
        for said in [SECRET, "in-the-url"] {
            assert!(!log.contains(said), "{log}");
        }
    }

    what_was_given_up_is_listed_and_redelivered, async |db| {
        let receiver = Receiver::start().await;
        receiver.answer(|_| Reply::Status(410));
        let settings = settings(db.folder(), &receiver);
        free(db);
        let program = start(db, &settings).await;
        program.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        let dead = until("it is given up", async || {
            let listed = admin(&program, &["list", "--destination", "hook", "--state", "dead"]).await;
            listed["deliveries"].as_array().unwrap().first().cloned()
        })
        .await;
        assert_eq!(dead["lastError"], "answered 410 Gone");
        receiver.answer(|_| Reply::Status(200));
        let id = dead["eventId"].as_str().unwrap();
        let answer = admin(&program, &["redeliver", "--destination", "hook", "--event-id", id]).await;
        assert_eq!(answer["redelivered"], 1);
        until("it is taken", async || (receiver.told("/env").len() >= 2).then_some(())).await;
        until("nothing is left", async || {
            let arn = dead["resourceArn"].as_str().unwrap();
            let listed = admin(&program, &["list", "--resource-arn", arn]).await;
            listed["deliveries"].as_array().unwrap().is_empty().then_some(())
        })
        .await;
        let again = typed(&["events", "redeliver", "--destination", "none"], &root(&program)).await;
        again.refused(1, &["ResourceNotFoundException", "none"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_output_has_each_event_on_a_line_after_the_ready_line() {
    let data = tempfile::tempdir().unwrap();
    let settings = data.path().join("events.toml");
    std::fs::write(&settings, "[[events.destination]]\nname = \"out\"\ntype = \"file\"\npath = \"-\"\n").unwrap();
    let program = Start::in_folder(data.path()).flag("--config", settings.to_str().unwrap()).ready().await;
    program.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    until("it is printed", async || program.printed().contains("environment-template/env").then_some(())).await;
    let ended = program.stop("TERM").await;
    let mut lines = ended.out.lines();
    assert!(lines.next().unwrap().starts_with("protium listening on "));
    let event: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!((&event["detail"], lines.next()), (&json!({ "name": "env", "status": "DRAFT" }), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_missing_is_told_at_start() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start().await;
    let settings = settings(data.path(), &receiver);
    let start = Start::in_folder(data.path()).flag("--config", &settings);
    start.ended().await.refused(1, &["events.destination 'hook'", "HOOK_SECRET"]);
}
