//! The loop itself: jobs run without being told to, and are left to others when it ends.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::database::{SOON, TestDb};
use crate::support::double::{STACK, Site, create, environment, resize};
use async_trait::async_trait;
use protium::store::{Call, DbError, DbErrorKind};
use protium::worker::Worker;
use protium_engines::double::{Disturbance, Double};
use protium_engines::{Cursor, Engine, Order, Step, Transient};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

fn start(site: &Site, name: &str) -> Worker {
    Worker::start(Arc::clone(&site.app.app), name.to_owned())
}

/// Is told of every transaction that was committed.
fn commits(site: &Site) -> Arc<Notify> {
    let committed = Arc::new(Notify::new());
    let told = Arc::clone(&committed);
    site.app.store().db().set_probe(Some(Arc::new(move |call| {
        if call == Call::Committed {
            told.notify_one();
        }
        Ok(())
    })));
    committed
}

/// Waits until the condition holds, looking after each commit.
async fn until(committed: &Notify, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let held = async {
        while !holds().await {
            committed.notified().await;
        }
    };
    tokio::time::timeout(SOON, held).await.unwrap_or_else(|_| panic!("not soon: {what}"));
}

async fn until_status(site: &Site, committed: &Notify, name: &str, status: &str) {
    until(committed, status, async || site.status(name).await.0 == status).await;
}

/// An engine that never answers.
#[derive(Default)]
struct Hangs {
    asked: Notify,
    /// Whether whoever asked has gone away.
    left: AtomicBool,
    leaves: Notify,
}

#[async_trait]
impl Engine for Hangs {
    async fn step(&self, _: &Order, _: Option<&Cursor>) -> Result<Step, Transient> {
        let _leaves = Leaves(self);
        self.asked.notify_one();
        std::future::pending().await
    }
}

struct Leaves<'a>(&'a Hangs);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.left.store(true, Ordering::SeqCst);
        self.0.leaves.notify_one();
    }
}

/// A worker in the middle of a step that does not end; it is told of each renewal of its lease, which succeed or not.
async fn in_a_step(db: &TestDb, engine: &Arc<Hangs>, succeed: bool) -> (Site, Worker, Arc<Notify>) {
    let engine = Arc::clone(engine);
    let app = TestApp::with_engine(db, Arc::clone(&engine) as Arc<dyn Engine>).await;
    let site = Site { app, double: Arc::new(Double::start().await.unwrap()) };
    site.published("env", &environment(STACK), None).await;
    site.app.ok("CreateEnvironment", create("prod")).await;
    let renewals = Arc::new(Notify::new());
    let told = Arc::clone(&renewals);
    site.app.store().db().set_probe(Some(Arc::new(move |call| match call {
        Call::Statement(sql) if sql.starts_with("UPDATE job SET lease_until = $3") => {
            told.notify_one();
            match succeed {
                true => Ok(()),
                false => Err(DbError::new(DbErrorKind::Unavailable, "away, for the test")),
            }
        }
        _ => Ok(()),
    })));
    let worker = start(&site, "one");
    soon(engine.asked.notified()).await;
    (site, worker, renewals)
}

async fn soon(happens: impl Future<Output = ()>) {
    tokio::time::timeout(SOON, happens).await.expect("it happens soon");
}

on_both! {
    a_step_goes_on_while_its_lease_is_renewed, async |db| {
        let engine = Arc::new(Hangs::default());
        let (site, worker, renewals) = in_a_step(db, &engine, true).await;
        for _ in 0..4 {
            site.app.app.clock.advance(6_000);
            soon(renewals.notified()).await;
        }
        assert!(!engine.left.load(Ordering::SeqCst), "for longer than a lease");
        worker.stop_within(Duration::ZERO).await;
        assert!(engine.left.load(Ordering::SeqCst));
    }

    a_step_whose_lease_can_not_be_renewed_stops_when_the_lease_is_over, async |db| {
        let engine = Arc::new(Hangs::default());
        let (site, worker, renewals) = in_a_step(db, &engine, false).await;
        for _ in 0..2 {
            site.app.app.clock.advance(6_000);
            soon(renewals.notified()).await;
        }
        assert!(!engine.left.load(Ordering::SeqCst), "the lease is not over yet");
        site.app.app.clock.advance(6_000);
        soon(engine.leaves.notified()).await;
        worker.stop().await;
    }

    the_loop_runs_what_requests_leave, async |db| {
        let site = Site::on(db).await;
        let committed = commits(&site);
        let worker = start(&site, "one");
        site.app.ok("CreateEnvironment", create("prod")).await;
        until_status(&site, &committed, "prod", "SUCCEEDED").await;
        site.update(resize("prod", "small")).await.unwrap();
        until_status(&site, &committed, "prod", "SUCCEEDED").await;
        assert_eq!(site.outputs("prod").await["Size"], "small");
        site.delete("prod").await.unwrap();
        until(&committed, "gone", async || site.is_gone("prod").await).await;
        worker.stop().await;
        assert_eq!(site.effects(), [1, 1, 1]);
    }

    two_workers_share_the_work, async |db| {
        let site = Site::on(db).await;
        let committed = commits(&site);
        let workers = [start(&site, "one"), start(&site, "two")];
        for number in 0..6 {
            site.app.ok("CreateEnvironment", create(&format!("prod{number}"))).await;
        }
        for number in 0..6 {
            until_status(&site, &committed, &format!("prod{number}"), "SUCCEEDED").await;
        }
        for worker in workers {
            worker.stop().await;
        }
        assert_eq!((site.effects(), site.double.stack_count()), ([6, 0, 0], 6));
    }

    after_the_end_of_the_loop_jobs_wait_for_the_next, async |db| {
        let site = Site::on(db).await;
        start(&site, "one").stop().await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        assert_eq!(site.double.calls(), []);
        let committed = commits(&site);
        let worker = start(&site, "two");
        until_status(&site, &committed, "prod", "SUCCEEDED").await;
        worker.stop().await;
    }

    a_step_that_does_not_end_in_time_is_given_back, async |db| {
        let site = Site::on(db).await;
        site.double.disturb("CreateStack", Disturbance::Slow(Duration::from_secs(3600)));
        let committed = commits(&site);
        let worker = start(&site, "one");
        site.app.ok("CreateEnvironment", create("prod")).await;
        // The order is saved; the call that comes next hangs.
        until(&committed, "a deadline", async || has_an_order(&site).await).await;
        until(&committed, "a call", async || {
            committed.notify_one();
            tokio::task::yield_now().await;
            site.double.count("CreateStack") == 1
        })
        .await;
        worker.stop_within(Duration::ZERO).await;
        let worker = start(&site, "two");
        until_status(&site, &committed, "prod", "SUCCEEDED").await;
        worker.stop().await;
        assert_eq!(site.effects(), [1, 0, 0], "the same call again, and no lease to wait for");
    }

    a_loop_that_is_dropped_ends, async |db| {
        let site = Site::on(db).await;
        let committed = commits(&site);
        drop(start(&site, "one"));
        let worker = start(&site, "two");
        site.app.ok("CreateEnvironment", create("prod")).await;
        until_status(&site, &committed, "prod", "SUCCEEDED").await;
        worker.stop().await;
        let input = json!({ "name": "prod" });
        site.app.ok("DeleteEnvironment", input).await;
        assert_eq!(site.status("prod").await.0, "DELETE_IN_PROGRESS");
        assert!(site.app.claim().await.is_some(), "nobody has it");
    }
}

async fn has_an_order(site: &Site) -> bool {
    let mut reader = site.app.store().reader().await.unwrap();
    let sql = "SELECT COUNT(*) FROM deployment WHERE doc LIKE '%\"deadline\"%'";
    reader.query_one(sql, &[]).await.unwrap().int(0).unwrap() == 1
}
