//! Stopping: no new requests, running steps finish, the next process goes on.

use std::time::{Duration, Instant};

use protium_engines::double::{Behaviour, Disturbance, Takes};
use serde_json::json;

use super::program::Start;
use super::site::{called, double, expire_leases, free, stack_is, start};
use crate::on_both;
use crate::support::database::TestDb;
use crate::support::double::create;

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_with_success() {
    for signal in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let program = Start::in_folder(folder.path()).ready().await;
        // The client's connection stays open; it has nothing more to say.
        program.ok("ListServices", json!({})).await;
        let began = Instant::now();
        let ended = program.stop(signal).await;
        println!("{signal}: {:?}", began.elapsed());
        assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
        assert!(ended.err.contains("stopping"), "{}", ended.err);
        assert!(began.elapsed() < Duration::from_secs(5), "an open connection is no reason to wait");
    }
}

on_both! {
    a_deployment_goes_on_after_a_stop, async |db| {
        free(db);
        let double = double().await;
        let program = start(db, &double).ready().await;
        program.publish_env().await;
        double.behave(|_| Behaviour::done().taking(Takes::Time(Duration::from_secs(1))));
        program.ok("CreateEnvironment", create("e")).await;
        stack_is(&double, "CREATE_IN_PROGRESS").await;
        let ended = program.stop("TERM").await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
        // The lease was given back: nobody has to wait for its end.
        let program = start(db, &double).ready().await;
        program.environment("e", "SUCCEEDED").await;
        assert_eq!(double.effects("CreateStack"), 1);
    }

    a_step_that_is_running_finishes_before_the_end, async |db| {
        free(db);
        let double = double().await;
        let program = start(db, &double).ready().await;
        program.publish_env().await;
        double.disturb("CreateStack", Disturbance::Slow(Duration::from_millis(500)));
        program.ok("CreateEnvironment", create("e")).await;
        called(&double, "CreateStack", 1).await;
        let ended = program.stop("TERM").await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
        let program = start(db, &double).ready().await;
        program.environment("e", "SUCCEEDED").await;
        assert_eq!(double.count("CreateStack"), 1, "the answer was heard and saved");
    }

    a_second_signal_ends_it_at_once, async |db| {
        free(db);
        let double = double().await;
        let program = start(db, &double).ready().await;
        program.publish_env().await;
        double.disturb("CreateStack", Disturbance::Slow(Duration::from_secs(60)));
        program.ok("CreateEnvironment", create("e")).await;
        called(&double, "CreateStack", 1).await;
        let ended = program.stopping("INT").await.stop("INT").await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
        assert!(ended.err.contains("at once"), "{}", ended.err);
        expire_leases(db).await;
        let program = start(db, &double).ready().await;
        program.environment("e", "SUCCEEDED").await;
        assert_eq!(double.effects("CreateStack"), 1);
    }
}

/// Takes as long as a step may take to finish when the process stops.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_hangs_is_given_back() {
    let db = TestDb::postgres().await;
    let double = double().await;
    let program = start(&db, &double).ready().await;
    program.publish_env().await;
    double.disturb("CreateStack", Disturbance::Slow(Duration::from_secs(60)));
    program.ok("CreateEnvironment", create("e")).await;
    called(&double, "CreateStack", 1).await;
    let ended = program.stop("TERM").await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
    // No lease is left that would have to end first.
    let program = start(&db, &double).ready().await;
    let began = Instant::now();
    program.environment("e", "SUCCEEDED").await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(double.effects("CreateStack"), 1);
}
