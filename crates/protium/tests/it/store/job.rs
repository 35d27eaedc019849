use crate::on_both;
use crate::support::database::SOON;
use protium::store::{
    ClaimedJob, DbError, DbErrorKind, JobCount, NewJob, Settle, Store, content_put, job_counts, job_drop, job_enqueue,
    job_fence, job_hasten, job_hold, job_next_due, job_settle,
};
use protium::{params, transaction};
use std::collections::HashSet;

const LEASE_MS: i64 = 15_000;

fn job<'a>(key: &'a str, due_at: i64) -> NewJob<'a> {
    NewJob { kind: "Test", key, resource_id: "resource", payload: "{}", due_at, now: 7 }
}

async fn enqueue(store: &Store, job: NewJob<'_>) {
    transaction!(store, async |tx| { job_enqueue(tx, &job).await }).unwrap();
}

async fn claim(store: &Store) -> Option<ClaimedJob> {
    store.job_claim("worker", LEASE_MS).await.unwrap()
}

async fn settle(store: &Store, job: &ClaimedJob, settle: Settle) -> Result<(), DbError> {
    transaction!(store, async |tx| { job_settle(tx, job, settle).await })
}

async fn next_due(store: &Store) -> Option<i64> {
    job_next_due(&mut store.reader().await.unwrap()).await.unwrap()
}

async fn now(store: &Store) -> i64 {
    store.reader().await.unwrap().now_ms().await.unwrap()
}

async fn fence(store: &Store) -> Option<i64> {
    transaction!(store, async |tx| { job_fence(tx, "resource").await }).unwrap()
}

on_both! {
    a_fence_stands_until_the_last_lease_that_was_given_ends, async |db| {
        let store = db.store();
        enqueue(&store, job("free", 0)).await;
        assert_eq!(fence(&store).await, None, "nobody has had it");
        enqueue(&store, job("first", 0)).await;
        let claimed = claim(&store).await.expect("a job");
        let until = fence(&store).await.expect("a lease");
        assert!(until > now(&store).await);
        assert_eq!(settle(&store, &claimed, Settle::Done).await.unwrap_err().kind(), DbErrorKind::LeaseLost);
        // What takes its place begins then, and so does what takes the place of that.
        enqueue(&store, job("second", until)).await;
        assert_eq!(fence(&store).await, Some(until));
        assert_eq!(claim(&store).await, None);
    }

    a_job_that_was_had_before_can_be_made_due_now_and_no_other, async |db| {
        let store = db.store();
        let now = now(&store).await;
        let hasten =
            async |key: &str| transaction!(store, async |tx| { job_hasten(tx, "Test", key, now).await }).unwrap();
        let later = now + 1_000_000;
        hasten("a").await;
        assert_eq!(next_due(&store).await, None, "there is none");
        enqueue(&store, job("a", later)).await;
        hasten("a").await;
        assert_eq!(claim(&store).await, None, "it may have to wait for another");
        enqueue(&store, job("a", 0)).await;
        let first = claim(&store).await.unwrap();
        settle(&store, &first, Settle::Again(later)).await.unwrap();
        hasten("b").await;
        assert_eq!(claim(&store).await, None, "it is another one");
        hasten("a").await;
        let second = claim(&store).await.unwrap();
        // Meanwhile there is more to see than this worker has seen.
        hasten("a").await;
        assert_eq!(claim(&store).await, None);
        settle(&store, &second, Settle::Again(later)).await.unwrap();
        let third = claim(&store).await.unwrap();
        settle(&store, &third, Settle::Again(later)).await.unwrap();
        assert_eq!((claim(&store).await, next_due(&store).await), (None, Some(later)));
    }

    eight_workers_claim_each_of_a_thousand_jobs_once, async |db| {
        let store = db.store();
        transaction!(store, async |tx| -> Result<(), DbError> {
            for number in 0..1_000 {
                job_enqueue(tx, &job(&format!("key-{number}"), number)).await?;
            }
            Ok(())
        }).unwrap();
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                let (store, name) = (store.clone(), format!("worker-{worker}"));
                tokio::spawn(async move {
                    let mut claimed = Vec::new();
                    while let Some(job) = store.job_claim(&name, LEASE_MS).await.unwrap() {
                        assert_eq!(job.attempts, 1);
                        settle(&store, &job, Settle::Done).await.unwrap();
                        claimed.push(job.key);
                    }
                    claimed
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        assert_eq!(all.len(), 1_000);
        assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 1_000);
        assert_eq!(next_due(&store).await, None);
    }

    a_claimed_job_is_invisible_until_its_lease_ends, async |db| {
        let store = db.store();
        enqueue(&store, job("a", 0)).await;
        let first = claim(&store).await.unwrap();
        assert_eq!(claim(&store).await, None);
        store.db().advance_clock(LEASE_MS - 5_000);
        assert_eq!(claim(&store).await, None);
        assert!(store.job_renew(&first, LEASE_MS).await.unwrap());
        store.db().advance_clock(LEASE_MS - 5_000);
        assert_eq!(claim(&store).await, None, "the lease was renewed");
        store.db().advance_clock(LEASE_MS);
        let second = claim(&store).await.unwrap();
        assert_eq!((second.id, second.attempts), (first.id, 2));
    }

    a_worker_that_lost_its_lease_writes_nothing, async |db| {
        let store = db.store();
        enqueue(&store, job("a", 0)).await;
        let first = claim(&store).await.unwrap();
        store.db().advance_clock(LEASE_MS + 1);
        let second = claim(&store).await.unwrap();
        assert!(!store.job_renew(&first, LEASE_MS).await.unwrap());
        for outcome in [Settle::Done, Settle::Again(0), Settle::Failed(0)] {
            let error = transaction!(store, async |tx| -> Result<(), DbError> {
                content_put(tx, b"the result").await?;
                // Even a body that overlooks the answer is not committed.
                let _overlooked = job_settle(tx, &first, outcome).await;
                Ok(())
            }).unwrap_err();
            assert_eq!(error.kind(), DbErrorKind::LeaseLost);
        }
        let mut reader = store.reader().await.unwrap();
        let results = reader.query_one("SELECT COUNT(*) FROM content", params![]).await.unwrap().int(0).unwrap();
        assert_eq!(results, 0);
        settle(&store, &second, Settle::Done).await.unwrap();
        assert_eq!(next_due(&store).await, None);
    }

    a_step_is_saved_only_while_the_worker_has_the_job, async |db| {
        let store = db.store();
        enqueue(&store, job("a", 0)).await;
        let first = claim(&store).await.unwrap();
        let step = async |job: &ClaimedJob| {
            transaction!(store, async |tx| -> Result<(), DbError> {
                content_put(tx, b"a step").await?;
                job_hold(tx, job).await
            })
        };
        step(&first).await.unwrap();
        store.db().advance_clock(LEASE_MS + 1);
        let second = claim(&store).await.unwrap();
        assert_eq!(step(&first).await.unwrap_err().kind(), DbErrorKind::LeaseLost);
        step(&second).await.unwrap();
    }

    a_lease_that_ended_but_that_nobody_took_may_still_settle, async |db| {
        let store = db.store();
        enqueue(&store, job("a", 0)).await;
        let first = claim(&store).await.unwrap();
        store.db().advance_clock(LEASE_MS * 10);
        settle(&store, &first, Settle::Done).await.unwrap();
        assert_eq!(claim(&store).await, None);
    }

    the_job_that_has_been_due_for_longest_comes_first_and_none_before_its_time, async |db| {
        let store = db.store();
        let now = now(&store).await;
        for (key, due_at) in [("b", 20), ("later", now + 60_000), ("a", 10), ("c", 30)] {
            enqueue(&store, job(key, due_at)).await;
        }
        let mut keys = Vec::new();
        while let Some(job) = claim(&store).await {
            settle(&store, &job, Settle::Done).await.unwrap();
            keys.push(job.key);
        }
        assert_eq!(keys, ["a", "b", "c"]);
        assert_eq!(next_due(&store).await, Some(now + 60_000));
        store.db().advance_clock(61_000);
        assert_eq!(claim(&store).await.unwrap().key, "later");
    }

    enqueueing_again_makes_one_job_due_earlier, async |db| {
        let store = db.store();
        for due_at in [5_000, 3_000, 9_000] {
            enqueue(&store, job("a", due_at)).await;
        }
        assert_eq!(next_due(&store).await, Some(3_000));
        let only = claim(&store).await.unwrap();
        assert_eq!(only.nudges, 3);
        settle(&store, &only, Settle::Done).await.unwrap();
        assert_eq!(claim(&store).await, None);
    }

    a_job_that_was_enqueued_again_while_a_worker_had_it_runs_once_more, async |db| {
        let store = db.store();
        let later = now(&store).await + 60_000;
        for outcome in [Settle::Done, Settle::Again(later), Settle::Failed(later)] {
            enqueue(&store, job("a", 0)).await;
            let first = claim(&store).await.unwrap();
            enqueue(&store, job("a", 0)).await;
            settle(&store, &first, outcome).await.unwrap();
            let second = claim(&store).await.expect("it is due at once");
            settle(&store, &second, Settle::Done).await.unwrap();
            assert_eq!(claim(&store).await, None);
        }
    }

    a_job_that_goes_on_or_failed_comes_back_at_its_time, async |db| {
        let store = db.store();
        let start = now(&store).await;
        enqueue(&store, job("a", 0)).await;
        for (failures, outcome) in [
            (0, Settle::Failed(start + 100_000)),
            (1, Settle::Failed(start + 200_000)),
            (2, Settle::Again(start + 300_000)),
            (0, Settle::Done),
        ] {
            let job = claim(&store).await.unwrap();
            assert_eq!(job.failures, failures);
            settle(&store, &job, outcome).await.unwrap();
            assert_eq!(claim(&store).await, None);
            store.db().advance_clock(100_000);
        }
    }

    a_job_that_was_given_back_can_be_claimed_at_once, async |db| {
        let store = db.store();
        enqueue(&store, job("a", 0)).await;
        let first = claim(&store).await.unwrap();
        store.job_give_back(&first).await.unwrap();
        let second = claim(&store).await.unwrap();
        store.job_give_back(&first).await.unwrap();
        assert_eq!(claim(&store).await, None, "the first worker can't give back what the second one has");
        settle(&store, &second, Settle::Done).await.unwrap();
    }

    a_restart_takes_leases_back_where_no_other_process_can_have_them, async |db| {
        let store = db.store();
        enqueue(&store, job("a", 0)).await;
        claim(&store).await.unwrap();
        drop(store);
        let store = db.restart().await;
        assert_eq!(claim(&store).await.is_some(), !db.is_shared());
        store.db().advance_clock(LEASE_MS + 1);
        assert!(claim(&store).await.is_some());
    }

    the_jobs_of_a_deleted_resource_are_gone_and_their_workers_lose_the_lease, async |db| {
        let store = db.store();
        enqueue(&store, job("a", 0)).await;
        let claimed = claim(&store).await.unwrap();
        transaction!(store, async |tx| { job_drop(tx, "resource").await }).unwrap();
        let error = settle(&store, &claimed, Settle::Again(0)).await.unwrap_err();
        assert_eq!(error.kind(), DbErrorKind::LeaseLost);
    }

    jobs_are_counted_by_kind, async |db| {
        let store = db.store();
        for key in ["a", "b", "c"] {
            enqueue(&store, job(key, 0)).await;
        }
        let later = now(&store).await + 60_000;
        enqueue(&store, NewJob { kind: "Other", ..job("a", later) }).await;
        claim(&store).await.unwrap();
        let counts = job_counts(&mut store.reader().await.unwrap()).await.unwrap();
        let count = |kind: &str, total, leased, overdue| JobCount { kind: kind.into(), total, leased, overdue };
        assert_eq!(counts, [count("Other", 1, 0, 0), count("Test", 3, 1, 2)]);
    }

    a_committed_job_wakes_the_worker_and_an_abandoned_one_does_not, async |db| {
        let store = db.store();
        let woken = store.db().woken();
        enqueue(&store, job("a", 0)).await;
        tokio::time::timeout(SOON, woken.notified()).await.unwrap();
        transaction!(store, async |tx| -> Result<(), DbError> {
            job_enqueue(tx, &job("b", 0)).await?;
            Err(DbError::new(DbErrorKind::Other, "refused, for the test"))
        }).unwrap_err();
        let again = tokio::time::timeout(std::time::Duration::ZERO, woken.notified()).await;
        assert!(again.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_wakes_the_workers_of_other_processes_on_postgres() {
    let db = crate::support::database::TestDb::postgres().await;
    let here = db.store();
    let there = Store::open(db.options()).await.unwrap();
    let listener = there.db().listen().expect("PostgreSQL can notify");
    let woken = there.db().woken();
    // The first wake tells that it listens: something may have happened before.
    tokio::time::timeout(SOON, woken.notified()).await.unwrap();
    enqueue(&here, job("a", 0)).await;
    tokio::time::timeout(SOON, woken.notified()).await.unwrap();
    listener.abort();
}
