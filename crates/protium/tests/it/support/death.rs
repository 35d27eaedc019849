//! Processes that die: the database goes away at any call, and the next process goes on.

use super::app::TestApp;
use super::service::Shop;
use protium::jobs;
use protium::store::{Call, DbError, DbErrorKind, event_list};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Longer than a lease.
const LEASE_MS: i64 = 15_001;
/// More calls of the database than one transaction makes, and those around it.
const CALLS: usize = 300;
/// More transactions than the life of a service has.
const LIVES: usize = 5_000;

/// Lets the database go away at its call of that number, counted from 0, for good. The answers say whether
/// it did, and whether a transaction was committed before.
fn die_at(app: &TestApp, number: usize) -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    let calls = AtomicUsize::new(0);
    let (died, committed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (dies, commits) = (Arc::clone(&died), Arc::clone(&committed));
    app.store().db().set_probe(Some(Arc::new(move |call: Call<'_>| {
        if call == Call::Committed {
            commits.store(true, Ordering::SeqCst);
        }
        if calls.fetch_add(1, Ordering::SeqCst) < number {
            return Ok(());
        }
        dies.store(true, Ordering::SeqCst);
        Err(DbError::new(DbErrorKind::Unavailable, "the process is dead, for the test"))
    })));
    (died, committed)
}

/// Runs all jobs to their end with workers that die: after each saved step, one dies at each call of the
/// database that follows, until the next step is saved. Answers how many died before it `stands` so.
pub async fn outlive(app: &TestApp, stands: impl AsyncFn() -> String, end: &str) -> usize {
    let mut number = 0;
    for deaths in 0..LIVES {
        if stands().await.starts_with(end) {
            return deaths;
        }
        let Some(job) = app.claim().await else {
            app.pass(500);
            continue;
        };
        let (_, committed) = die_at(app, number);
        let _dead = jobs::run(&app.app, &job).await;
        app.store().db().set_probe(None);
        app.pass(LEASE_MS);
        number = if committed.load(Ordering::SeqCst) { 0 } else { number + 1 };
        assert!(number < CALLS, "no step is saved any more");
    }
    panic!("it stays {} and does not become {end}", stands().await);
}

/// Repeats a request that dies one call of the database later each time, until it is answered. Where nothing
/// was committed, nothing has changed.
pub async fn insist(app: &TestApp, stands: impl AsyncFn() -> String, operation: &str, input: Value) {
    let before = stands().await;
    for number in 0..CALLS {
        let (died, committed) = die_at(app, number);
        let answer = app.call(operation, input.clone()).await;
        app.store().db().set_probe(None);
        if !died.load(Ordering::SeqCst) {
            answer.unwrap();
            assert!(number > 10, "it does more than {number} calls");
            return;
        }
        answer.unwrap_err();
        if committed.load(Ordering::SeqCst) {
            assert_ne!(stands().await, before, "only the answer was lost");
            return;
        }
        assert_eq!(stands().await, before, "call {number}");
    }
    panic!("{operation} does not come to an end");
}

/// How often each action was done to each stack.
pub fn counts(shop: &Shop) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for action in ["CreateStack", "UpdateStack", "DeleteStack"] {
        for stack in shop.done(action) {
            *counts.entry(format!("{action} {stack}")).or_default() += 1;
        }
    }
    counts
}

pub fn once(actions: &[&str]) -> BTreeMap<String, usize> {
    actions.iter().map(|action| ((*action).to_owned(), 1)).collect()
}

/// The statuses that the event log tells of.
pub async fn told(shop: &Shop, id: &str) -> Vec<String> {
    let events = event_list(&mut shop.app.store().reader().await.unwrap(), id).await.unwrap();
    let status = |detail: &str| serde_json::from_str::<Value>(detail).unwrap()["status"].as_str().unwrap().to_owned();
    events.iter().map(|event| status(&event.detail)).collect()
}
