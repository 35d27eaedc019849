//! `kill -9` in the middle of everything slow; the next process completes it, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use protium_engines::double::{Behaviour, Disturbance, Double, Takes};
use serde_json::json;
use tokio::sync::Notify;

use super::program::Program;
use super::site::{A_WHILE, called, double, expire_leases, free, stack_is, start};
use crate::on_both;
use crate::support::bundle;
use crate::support::database::TestDb;
use crate::support::double::{create, resize};

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The caller has the answer; the worker may or may not have begun.
    Answered,
    /// AWS has done what it was asked for, and its answer is still on its way.
    Unheard,
    /// What was asked for is in progress, and known to be.
    UnderWay,
}

const MOMENTS: [Moment; 3] = [Moment::Answered, Moment::Unheard, Moment::UnderWay];

/// A program that is killed at moments of calls to the double.
struct Victim<'a> {
    db: &'a TestDb,
    double: Double,
    program: Program,
}

impl<'a> Victim<'a> {
    /// With a published environment template.
    async fn on(db: &'a mut TestDb) -> Self {
        free(db);
        let double = double().await;
        let program = start(db, &double).ready().await;
        program.publish_env().await;
        Self { db, double, program }
    }

    /// Asks the program for something that leads to a call of `action`, kills it at `moment`, and starts it again.
    async fn killed(self, moment: Moment, action: &str, operation: &str, input: serde_json::Value) -> Self {
        let Self { db, double, program } = self;
        let before = double.count(action);
        if let Moment::Unheard = moment {
            double.disturb(action, Disturbance::Slow(Duration::from_secs(60)));
        }
        program.ok(operation, input).await;
        match moment {
            Moment::Answered => {}
            Moment::Unheard => called(&double, action, before + 1).await,
            Moment::UnderWay => {
                called(&double, action, before + 1).await;
                let looks = double.count("DescribeStacks");
                called(&double, "DescribeStacks", looks + 1).await;
            }
        }
        let ended = program.kill().await;
        assert_eq!(ended.status.code(), None, "it was killed: {}", ended.err);
        expire_leases(db).await;
        let program = start(db, &double).ready().await;
        Self { db, double, program }
    }
}

on_both! {
    a_creation_survives_a_kill, async |db| {
        let mut victim = Victim::on(db).await;
        for (done, moment) in MOMENTS.into_iter().enumerate() {
            let name = format!("e{done}");
            victim = victim.killed(moment, "CreateStack", "CreateEnvironment", create(&name)).await;
            victim.program.environment(&name, "SUCCEEDED").await;
            assert_eq!(victim.double.effects("CreateStack"), done + 1, "{moment:?}");
            let outputs = victim.program.ok("ListEnvironmentOutputs", json!({ "environmentName": name })).await;
            assert_eq!(outputs["outputs"].as_array().unwrap().len(), 2, "{moment:?}: {outputs}");
            let records = victim.program.ok("ListDeployments", json!({ "environmentName": name })).await;
            assert_eq!(records["deployments"].as_array().unwrap().len(), 1, "{moment:?}: {records}");
        }
        assert_eq!(victim.double.stack_count(), MOMENTS.len());
    }

    an_update_survives_a_kill, async |db| {
        let mut victim = Victim::on(db).await;
        victim.program.ok("CreateEnvironment", create("e")).await;
        victim.program.environment("e", "SUCCEEDED").await;
        for (done, moment) in MOMENTS.into_iter().enumerate() {
            let size = format!("size{done}");
            victim = victim.killed(moment, "UpdateStack", "UpdateEnvironment", resize("e", &size)).await;
            let environment = victim.program.environment("e", "SUCCEEDED").await;
            assert!(environment["spec"].as_str().unwrap().contains(&size), "{moment:?}: {environment}");
            assert_eq!(victim.double.effects("UpdateStack"), done + 1, "{moment:?}");
            let outputs = victim.program.ok("ListEnvironmentOutputs", json!({ "environmentName": "e" })).await;
            assert!(outputs.to_string().contains(&size), "{moment:?}: {outputs}");
        }
        assert_eq!(victim.double.stack_count(), 1);
    }

    a_deletion_survives_a_kill, async |db| {
        let mut victim = Victim::on(db).await;
        for (done, moment) in MOMENTS.into_iter().enumerate() {
            let name = format!("e{done}");
            victim.program.ok("CreateEnvironment", create(&name)).await;
            victim.program.environment(&name, "SUCCEEDED").await;
            victim = victim.killed(moment, "DeleteStack", "DeleteEnvironment", json!({ "name": name })).await;
            victim.program.gone(&name).await;
            assert_eq!(victim.double.effects("DeleteStack"), done + 1, "{moment:?}");
            assert_eq!(victim.double.stack_count(), 0, "{moment:?}");
        }
        let left = victim.program.ok("ListEnvironments", json!({})).await;
        assert_eq!(left["environments"], json!([]));
    }

    a_cancellation_survives_a_kill, async |db| {
        let mut victim = Victim::on(db).await;
        victim.double.behave(|operation| match operation.action {
            "UpdateStack" => Behaviour::done().taking(Takes::Time(Duration::from_secs(60))),
            _ => Behaviour::done().taking(Takes::Time(A_WHILE)),
        });
        victim.program.ok("CreateEnvironment", create("e")).await;
        victim.program.environment("e", "SUCCEEDED").await;
        for (done, moment) in MOMENTS.into_iter().enumerate() {
            victim.program.ok("UpdateEnvironment", resize("e", &format!("size{done}"))).await;
            stack_is(&victim.double, "UPDATE_IN_PROGRESS").await;
            let cancel = json!({ "environmentName": "e" });
            victim = victim.killed(moment, "CancelUpdateStack", "CancelEnvironmentDeployment", cancel).await;
            let environment = victim.program.environment("e", "CANCELLED").await;
            assert!(environment["spec"].as_str().unwrap().contains("large"), "{moment:?}: {environment}");
            assert_eq!(victim.double.effects("CancelUpdateStack"), done + 1, "{moment:?}");
            stack_is(&victim.double, "UPDATE_ROLLBACK_COMPLETE").await;
        }
        // Nothing is stuck: it can be updated and deleted.
        victim.double.behave(|_| Behaviour::done());
        victim.program.ok("UpdateEnvironment", resize("e", "last")).await;
        victim.program.environment("e", "SUCCEEDED").await;
        victim.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        victim.program.gone("e").await;
    }

    a_registration_survives_a_kill, async |db| {
        free(db);
        let store = SlowStore::start().await;
        let file = db.folder().join("protium.toml");
        let place = format!(
            "[[bundle-store]]\nurl = \"s3://slow\"\naccounts = [\"000000000000\"]\nendpoint = \"{}\"\n",
            store.url
        );
        std::fs::write(&file, place).unwrap();
        let double = double().await;
        let begin = || start(db, &double).flag("--config", file.to_str().unwrap()).ready();
        let program = begin().await;
        program.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        let source = json!({ "s3": { "bucket": "slow", "key": "env.tar.gz" } });
        program.ok("CreateEnvironmentTemplateVersion", json!({ "templateName": "env", "source": source })).await;
        store.asked.notified().await;
        program.kill().await;
        expire_leases(db).await;
        let program = begin().await;
        program.registered("env").await;
        assert_eq!(store.answers.load(Ordering::SeqCst), 2, "once before the kill, once after it");
        let versions = program.ok("ListEnvironmentTemplateVersions", json!({ "templateName": "env" })).await;
        assert_eq!(versions["templateVersions"].as_array().unwrap().len(), 1, "{versions}");
    }
}

/// A compatible of S3 that never ends its first answer.
struct SlowStore {
    url: String,
    asked: Arc<Notify>,
    answers: Arc<AtomicUsize>,
    _serving: tokio::task::JoinHandle<()>,
}

impl SlowStore {
    async fn start() -> Self {
        let (asked, answers) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
        let (told, counted) = (Arc::clone(&asked), Arc::clone(&answers));
        let answer = move || {
            let (told, first) = (Arc::clone(&told), counted.fetch_add(1, Ordering::SeqCst) == 0);
            async move {
                if first {
                    told.notify_one();
                    std::future::pending::<()>().await;
                }
                let bundle = bundle::pack(&bundle::environment());
                let headers = [("etag", "\"e\""), ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")];
                (StatusCode::OK, headers, bundle)
            }
        };
        let router = axum::Router::new().fallback(axum::routing::any(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, answers, _serving: serving }
    }
}
