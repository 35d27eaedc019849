//! Several processes on one database.

use http::StatusCode;
use protium_engines::double::Disturbance;
use serde_json::json;
use std::time::Duration;

use super::site::{called, double, expire_leases, start};
use crate::support::bundle;
use crate::support::database::TestDb;
use crate::support::double::create;

#[tokio::test(flavor = "multi_thread")]
async fn one_process_answers_and_another_one_works() {
    let db = TestDb::postgres().await;
    let double = double().await;
    let api = start(&db, &double).flag("--role", "api").ready().await;
    api.ok("CreateEnvironmentTemplate", json!({ "name": "early" })).await;
    api.upload("bundles", "early.tar.gz", bundle::pack(&bundle::environment())).await;
    let source = json!({ "s3": { "bucket": "bundles", "key": "early.tar.gz" } });
    api.ok("CreateEnvironmentTemplateVersion", json!({ "templateName": "early", "source": source })).await;
    assert!(api.get("/metrics").await.1.contains("protium_jobs{kind=\"register_version\",state=\"queued\"} 1"));

    let worker = start(&db, &double).flag("--role", "worker").ready().await;
    api.registered("early").await;
    assert_eq!(worker.get("/readyz").await.0, StatusCode::OK);
    let refused = worker.call("ListServices", json!({})).await.expect_err("it only works");
    assert_eq!(refused.code, "ServiceUnavailableException");

    api.publish_env().await;
    api.ok("CreateEnvironment", create("e")).await;
    api.environment("e", "SUCCEEDED").await;
    assert_eq!(double.effects("CreateStack"), 1);
    for program in [api, worker] {
        assert_eq!(program.stop("TERM").await.status.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_over_what_a_killed_one_had() {
    let db = TestDb::postgres().await;
    let double = double().await;
    let api = start(&db, &double).flag("--role", "api").ready().await;
    let first = start(&db, &double).flag("--role", "worker").ready().await;
    api.publish_env().await;
    double.disturb("CreateStack", Disturbance::Slow(Duration::from_secs(60)));
    api.ok("CreateEnvironment", create("e")).await;
    called(&double, "CreateStack", 1).await;
    let second = start(&db, &double).flag("--role", "worker").ready().await;
    first.kill().await;
    let leased = "protium_jobs{kind=\"deploy\",state=\"running\"} 1";
    assert!(api.get("/metrics").await.1.contains(leased), "the lease outlives the worker");
    expire_leases(&db).await;
    api.environment("e", "SUCCEEDED").await;
    assert_eq!(double.effects("CreateStack"), 1);
    assert!(second.stop("TERM").await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_what_there_is_to_do() {
    let db = TestDb::postgres().await;
    let double = double().await;
    let one = start(&db, &double).ready().await;
    let other = start(&db, &double).ready().await;
    one.publish_env().await;
    for number in 0..8 {
        let program = if number % 2 == 0 { &one } else { &other };
        program.ok("CreateEnvironment", create(&format!("e{number}"))).await;
    }
    for number in 0..8 {
        other.environment(&format!("e{number}"), "SUCCEEDED").await;
    }
    assert_eq!(double.effects("CreateStack"), 8);
    for program in [&one, &other] {
        let log = program.log();
        assert!(!log.contains("ERROR") && !log.contains("lost"), "{log}");
    }
}
