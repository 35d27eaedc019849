//! What runs on elsewhere of an environment that was removed with all that it has left as it was.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::bundle::{CODEBUILD_MANIFEST, ENVIRONMENT_SCHEMA};
use crate::support::database::TestDb;
use crate::support::double::{Site, create, cut_off_at};
use async_trait::async_trait;
use protium_domain::id::Id;
use protium_domain::job::Job;
use protium_engines::double::Double;
use protium_engines::{Cursor, Engine, Order, Step, Transient};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A runner elsewhere whose runs do not end by themselves.
#[derive(Default)]
struct Elsewhere {
    /// What it answers when it is asked to end them; that they have ended, when there is nothing more here.
    answers: Mutex<Vec<Result<bool, Transient>>>,
    /// Whose runs it was asked to end: resource, environment, role.
    asked: Mutex<Vec<[Option<String>; 3]>>,
}

#[async_trait]
impl Engine for Elsewhere {
    async fn step(&self, _: &Order, _: Option<&Cursor>) -> Result<Step, Transient> {
        Ok(Step::Wait { cursor: Cursor(json!("runs")), after: Duration::from_hours(1000), note: None })
    }

    async fn end_others(&self, order: &Order) -> Result<bool, Transient> {
        let role = order.role.as_ref().map(|role| role.arn.clone());
        self.asked.lock().unwrap().push([Some(order.resource_id.clone()), order.environment_id.clone(), role]);
        self.answers.lock().unwrap().pop().unwrap_or(Ok(false))
    }
}

/// The environment `e` whose run goes on, and its id.
async fn site(db: &TestDb, engine: &Arc<Elsewhere>) -> (Site, String) {
    let app = TestApp::with_commands(db, Arc::clone(engine) as Arc<dyn Engine>).await;
    let site = Site { app, double: Arc::new(Double::start().await.unwrap()) };
    site.app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", CODEBUILD_MANIFEST)];
    site.published("env", &files, None).await;
    begin(&site).await;
    let id = site.app.only_id("environment").await;
    (site, id)
}

async fn begin(site: &Site) {
    let mut input = create("e");
    input["codebuildRoleArn"] = ROLE.into();
    site.app.ok("CreateEnvironment", input).await;
    site.app.work().await;
}

/// Removes the environment and leaves all as it is.
async fn release(app: &TestApp) -> Value {
    let arn = format!("{}:environment/e", app.arn_prefix());
    app.ok("ForceDelete", json!({ "resourceArn": arn, "infrastructure": "RETAIN" })).await
}

const ROLE: &str = "arn:aws:iam::123456789012:role/builds";

on_both! {
    what_runs_on_is_ended_however_often_that_takes, async |db| {
        let engine = Arc::new(Elsewhere::default());
        let (site, id) = site(db, &engine).await;
        let refused = Transient { message: "it may not".to_owned(), retry_after: None };
        *engine.answers.lock().unwrap() = vec![Ok(false), Ok(true), Err(refused)];
        release(&site.app).await;
        site.app.work().await;
        for asked in 1..=3 {
            assert_eq!(engine.asked.lock().unwrap().len(), asked);
            site.app.pass(60_000);
            site.app.work().await;
        }
        let asked = engine.asked.lock().unwrap().clone();
        assert_eq!(asked, vec![[Some(id.clone()), Some(id), Some(ROLE.to_owned())]; 3], "once more when it had ended");
        assert!(site.app.claim().await.is_none(), "there is nothing more to do");
    }

    it_is_given_up_when_the_run_has_ended_by_itself_and_when_its_record_is_deleted, async |db| {
        let engine = Arc::new(Elsewhere::default());
        let (site, _) = site(db, &engine).await;
        release(&site.app).await;
        site.app.pass(site.app.app.config.deployment_deadline.as_millis().try_into().unwrap());
        site.app.work().await;
        begin(&site).await;
        let removal = release(&site.app).await["deploymentIds"][0].clone();
        site.app.ok("DeleteDeployment", json!({ "id": removal })).await;
        site.app.work().await;
        assert!(engine.asked.lock().unwrap().is_empty());
        assert!(site.app.claim().await.is_none(), "there is nothing more to do");
    }

    nothing_is_ended_where_nothing_ran, async |db| {
        let engine = Arc::new(Elsewhere::default());
        let (site, _) = site(db, &engine).await;
        release(&site.app).await;
        site.app.work().await;
        engine.asked.lock().unwrap().clear();
        let mut input = create("e");
        input["codebuildRoleArn"] = ROLE.into();
        site.app.ok("CreateEnvironment", input).await;
        // Its first step has not been taken.
        release(&site.app).await;
        site.app.work().await;
        assert!(engine.asked.lock().unwrap().is_empty());
    }

    ending_runs_stops_anywhere_and_completes_later, async |db| {
        let engine = Arc::new(Elsewhere::default());
        let (site, _) = site(db, &engine).await;
        let removal = release(&site.app).await["deploymentIds"][0].as_str().and_then(Id::parse).unwrap();
        site.app.work().await;
        for step in 1.. {
            site.app.enqueue(&Job::EndRuns { deployment: removal.clone() }).await;
            engine.asked.lock().unwrap().clear();
            let calls = cut_off_at(&site.app, step);
            // A worker that can't even claim tells; the job is there for the next.
            let _told = protium::worker::run_one(&site.app.app, "test").await;
            site.app.store().db().set_probe(None);
            // Its lease is over, and the run has not ended by itself.
            site.app.store().db().advance_clock(60_000);
            site.app.work().await;
            assert!(!engine.asked.lock().unwrap().is_empty() && site.app.claim().await.is_none(), "step {step}");
            if calls.load(Ordering::SeqCst) < step {
                assert!(step > 4, "claiming, reading, settling: {step}");
                return;
            }
        }
    }
}
