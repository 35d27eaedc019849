//! A deployment's job may run twice, stop anywhere, and go on in another process: the same comes of it, once.

use crate::on_both;
use crate::support::app::{Refused, TestApp};
use crate::support::database::TestDb;
use crate::support::double::{self, Site, create, cut_off_at, resize, work_until_cut_off};
use crate::support::notification::{notify, outputs};
use crate::support::self_managed as terraform;
use protium::jobs;
use protium::params;
use protium::worker::run_one;
use protium_engines::double::{Behaviour, Disturbance, Takes};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// More calls of the database than any deployment makes.
const CALLS: usize = 400;

/// All that the store holds, apart from leases.
async fn everything(app: &TestApp) -> Vec<String> {
    let mut reader = app.store().reader().await.unwrap();
    let mut rows = Vec::new();
    for (table, columns) in [
        ("environment", "revision, doc"),
        ("deployment", "revision, doc"),
        ("event", "revision, detail"),
        ("content", "0, sha256"),
        ("job", "failures, key"),
    ] {
        for mut row in reader.query(&format!("SELECT {columns} FROM {table} ORDER BY 1, 2"), params![]).await.unwrap() {
            rows.push(format!("{table} {} {}", row.int(0).unwrap(), row.text(1).unwrap()));
        }
    }
    rows
}

/// One operation that is cut off at each of its calls of the database in turn.
struct Operation<P, R, C> {
    /// Brings an environment of that name to where the operation begins.
    prepare: P,
    request: R,
    /// Looks at what came of it.
    check: C,
    /// What it does to stacks: created, updated, deleted.
    effects: [usize; 3],
}

impl<P, R, C> Operation<P, R, C>
where
    P: AsyncFn(&Site, &str),
    R: AsyncFn(&Site, &str) -> Result<Value, Refused>,
    C: AsyncFn(&Site, &str),
{
    /// The process dies at each call, of the request and of its job; the next one completes the work, once.
    async fn stops_at_every_step_and_completes(&self, db: &mut TestDb) {
        let mut site = Site::on(db).await;
        for number in 1..CALLS {
            let name = format!("e{number}");
            (self.prepare)(&site, &name).await;
            let before = site.effects();
            let calls = cut_off_at(&site.app, number);
            let answer = (self.request)(&site, &name).await;
            let ended = work_until_cut_off(&site.app).await;
            site.app.store().db().set_probe(None);
            if calls.load(Ordering::SeqCst) < number {
                assert!(ended && answer.is_ok() && number > 20, "{number} {answer:?}");
                self.assert_done(&site, &name, before).await;
                return;
            }
            site = site.restart(db).await;
            if let Err(lost) = answer {
                assert_eq!(lost.code, "InternalServerException", "{number}");
                // The caller can't know whether it was heard, and asks again.
                match (self.request)(&site, &name).await {
                    Ok(_) => {}
                    Err(refused) => assert_eq!(refused.code, "ConflictException", "{number}: {}", refused.message),
                }
            }
            site.finish().await;
            self.assert_done(&site, &name, before).await;
        }
        panic!("there is no end of calls");
    }

    async fn assert_done(&self, site: &Site, name: &str, before: [usize; 3]) {
        (self.check)(site, name).await;
        let after = site.effects();
        assert_eq!([0, 1, 2].map(|one| after[one] - before[one]), self.effects, "{name}");
        let mut reader = site.app.store().reader().await.unwrap();
        let sql = "SELECT (SELECT COUNT(*) FROM job) + (SELECT COUNT(*) FROM deployment WHERE active = 1)";
        assert_eq!(reader.query_one(sql, params![]).await.unwrap().int(0).unwrap(), 0, "nothing is left to do");
    }
}

async fn has(site: &Site, name: &str, status: &str, size: &str, records: usize) {
    assert_eq!(site.status(name).await.0, status, "{name}");
    assert_eq!(site.outputs(name).await.get("Size").and_then(Value::as_str).unwrap_or_default(), size, "{name}");
    assert_eq!(site.records(name).await.len(), records, "{name}");
}

/// What self-managed environments need, once.
async fn self_managed(site: &Site) {
    if site.app.call("GetEnvironmentTemplate", json!({ "name": "tf" })).await.is_err() {
        terraform::field(site).await;
    }
}

on_both! {
    a_create_stops_at_every_step_and_completes, async |db| {
        let operation = Operation {
            prepare: async |_: &Site, _: &str| {},
            request: async |site: &Site, name: &str| site.app.call("CreateEnvironment", create(name)).await,
            check: async |site: &Site, name: &str| has(site, name, "SUCCEEDED", "large", 1).await,
            effects: [1, 0, 0],
        };
        operation.stops_at_every_step_and_completes(db).await;
    }

    an_update_stops_at_every_step_and_completes, async |db| {
        let operation = Operation {
            prepare: async |site: &Site, name: &str| drop(site.deployed(name).await),
            request: async |site: &Site, name: &str| site.update(resize(name, "small")).await,
            check: async |site: &Site, name: &str| has(site, name, "SUCCEEDED", "small", 2).await,
            effects: [0, 1, 0],
        };
        operation.stops_at_every_step_and_completes(db).await;
    }

    a_cancelled_create_stops_at_every_step_and_completes, async |db| {
        let operation = Operation {
            prepare: async |site: &Site, name: &str| {
                site.double.behave(|operation| match operation.action {
                    "CreateStack" => Behaviour::done().taking(Takes::Looks(50)),
                    _ => Behaviour::done(),
                });
                site.app.ok("CreateEnvironment", create(name)).await;
                site.app.work().await;
            },
            request: async |site: &Site, name: &str| site.cancel(name).await,
            check: async |site: &Site, name: &str| has(site, name, "CANCELLED", "", 1).await,
            effects: [0, 0, 1],
        };
        operation.stops_at_every_step_and_completes(db).await;
    }

    a_cancelled_update_stops_at_every_step_and_completes, async |db| {
        let operation = Operation {
            prepare: async |site: &Site, name: &str| {
                site.double.behave(|operation| match operation.action {
                    "UpdateStack" => Behaviour::done().taking(Takes::Looks(50)),
                    _ => Behaviour::done(),
                });
                site.deployed(name).await;
                site.update(resize(name, "small")).await.unwrap();
                site.app.work().await;
            },
            request: async |site: &Site, name: &str| site.cancel(name).await,
            check: async |site: &Site, name: &str| {
                has(site, name, "CANCELLED", "large", 2).await;
                let number = name.trim_start_matches('e').parse::<usize>().unwrap();
                assert_eq!(site.double.effects("CancelUpdateStack"), number, "one for each environment so far");
            },
            effects: [0, 0, 0],
        };
        operation.stops_at_every_step_and_completes(db).await;
    }

    a_delete_stops_at_every_step_and_completes, async |db| {
        let operation = Operation {
            prepare: async |site: &Site, name: &str| drop(site.deployed(name).await),
            request: async |site: &Site, name: &str| site.delete(name).await,
            check: async |site: &Site, name: &str| {
                assert!(site.is_gone(name).await);
                let records = site.records(name).await;
                let complete = records.iter().filter(|record| record["deploymentStatus"] == "DELETE_COMPLETE").count();
                assert_eq!((records.len(), complete), (2, 1), "{name}");
            },
            effects: [0, 0, 1],
        };
        operation.stops_at_every_step_and_completes(db).await;
    }

    a_self_managed_create_stops_at_every_step_and_waits_for_its_deadline, async |db| {
        let operation = Operation {
            prepare: async |site: &Site, _: &str| self_managed(site).await,
            request: async |site: &Site, name: &str| site.app.call("CreateEnvironment", terraform::create(name)).await,
            check: async |site: &Site, name: &str| {
                let (status, message) = site.status(name).await;
                assert!(status == "FAILED" && message.starts_with("Timed out."), "{name}: {status} {message}");
                assert_eq!(site.records(name).await.len(), 1, "{name}");
            },
            effects: [0, 0, 0],
        };
        operation.stops_at_every_step_and_completes(db).await;
    }

    a_notification_stops_at_every_step_and_ends_its_deployment_once, async |db| {
        let operation = Operation {
            prepare: async |site: &Site, name: &str| {
                self_managed(site).await;
                terraform::waiting(site, name).await;
            },
            request: async |site: &Site, name: &str| {
                let input = json!({ "status": "SUCCEEDED", "outputs": outputs(&[("Size", "told")]) });
                notify(&site.app, &format!("environment/{name}"), input).await
            },
            check: async |site: &Site, name: &str| has(site, name, "SUCCEEDED", "told", 1).await,
            effects: [0, 0, 0],
        };
        operation.stops_at_every_step_and_completes(db).await;
    }

    a_worker_that_lost_its_lease_writes_nothing, async |db| {
        let site = Site::on(db).await;
        // Its first call is lost, so that each kind of save is met: of the order, of a step that goes on at once, of
        // one that waits, and of the end.
        site.double.disturb("CreateStack", Disturbance::Lost);
        site.double.behave(|_| Behaviour::done().taking(Takes::Looks(3)));
        site.app.ok("CreateEnvironment", create("prod")).await;
        for _ in 0..4 {
            let late = site.app.claim().await.unwrap();
            site.app.pass(16_000);
            let now = site.app.claim().await.unwrap();
            assert_eq!(late.key, now.key);
            let before = everything(&site.app).await;
            assert!(jobs::run(&site.app.app, &late).await.is_err());
            assert_eq!(everything(&site.app).await, before);
            jobs::run(&site.app.app, &now).await.unwrap();
            site.app.pass(1000);
        }
        assert!(site.app.claim().await.is_none());
        assert_eq!((site.status("prod").await.0.as_str(), site.effects()), ("SUCCEEDED", [1, 0, 0]));
    }

    two_workers_at_the_same_step_make_one_stack, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        let late = site.app.claim().await.unwrap();
        site.app.pass(16_000);
        let now = site.app.claim().await.unwrap();
        let (lost, kept) = tokio::join!(jobs::run(&site.app.app, &late), jobs::run(&site.app.app, &now));
        assert!(lost.is_err() && kept.is_ok());
        site.finish().await;
        assert_eq!((site.status("prod").await.0.as_str(), site.effects()), ("SUCCEEDED", [1, 0, 0]));
        assert_eq!(site.double.stack_count(), 1);
    }

    a_job_that_runs_again_after_its_end_does_nothing, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        site.delete("prod").await.unwrap();
        site.finish().await;
        let (before, calls) = (everything(&site.app).await, site.double.calls().len());
        for record in site.records("prod").await {
            double::enqueue_again(&site.app, record["id"].as_str().unwrap()).await;
        }
        site.finish().await;
        assert_eq!((everything(&site.app).await, site.double.calls().len()), (before, calls));
    }

    a_killed_worker_is_followed_by_another, async |db| {
        let mut site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        for round in 1..4 {
            site.app.claim().await.unwrap();
            site = site.restart(db).await;
            if !db.is_shared() {
                assert!(site.app.claim().await.is_some(), "the only process takes back all leases at once");
            }
            // Each process of the test begins at the same time; leases of the one before end later each round.
            site.app.pass(round * 16_000);
        }
        site.finish().await;
        assert_eq!((site.status("prod").await.0.as_str(), site.effects()), ("SUCCEEDED", [1, 0, 0]));
    }

    a_cancel_at_the_same_time_as_the_end_leaves_a_stack_or_none, async |db| {
        let site = Site::on(db).await;
        for round in 0..6 {
            let name = format!("prod{round}");
            let stacks = site.double.stack_count();
            site.app.ok("CreateEnvironment", create(&name)).await;
            // Cut in after another number of steps each round.
            for _ in 0..round / 2 {
                run_one(&site.app.app, "test").await.unwrap();
                site.app.pass(1000);
            }
            let app = site.app.clone();
            let working = tokio::spawn(async move { app.work().await });
            let cancelled = site.cancel(&name).await;
            working.await.unwrap();
            site.finish().await;
            let status = site.status(&name).await.0;
            let left = site.double.stack_count() - stacks;
            match (cancelled, status.as_str()) {
                (_, "SUCCEEDED") => assert_eq!(left, 1),
                (Ok(_), "CANCELLED") => assert_eq!(left, 0),
                (answer, status) => panic!("{status} {answer:?}"),
            }
        }
    }

    a_cancel_reaches_a_job_that_somebody_has, async |db| {
        let site = Site::on(db).await;
        site.double.behave(|_| Behaviour::done().taking(Takes::Looks(9)));
        site.app.ok("CreateEnvironment", create("prod")).await;
        let claimed = site.app.claim().await.unwrap();
        site.cancel("prod").await.unwrap();
        jobs::run(&site.app.app, &claimed).await.unwrap();
        site.app.work().await;
        assert_eq!(site.status("prod").await.0, "CANCELLED", "not only when its lease has ended");
        assert_eq!(site.double.calls(), []);
        site.finish().await;
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        let claimed = site.app.claim().await.unwrap();
        jobs::run(&site.app.app, &claimed).await.unwrap();
        site.cancel("prod").await.unwrap();
        site.finish().await;
        assert_eq!((site.status("prod").await.0.as_str(), site.double.stack_count()), ("CANCELLED", 0));
    }
}
