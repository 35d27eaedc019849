//! Two requests whose transactions overlap.

use super::app::{Refused, TestApp};
use super::database::TestDb;
use protium::store::Call;
use serde_json::Value;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long one waits for the other, which never comes where the database lets it wait for the first one's commit.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lets the next two transactions that are about to commit wait for each other, where two can run at a time.
pub fn meet(db: &TestDb, app: &TestApp) {
    if !db.is_shared() {
        return;
    }
    let place = Arc::new((Mutex::new(0), Condvar::new()));
    app.store().db().set_probe(Some(Arc::new(move |call| {
        if call == Call::Commit {
            let (count, arrived) = &*place;
            let mut count = count.lock().unwrap();
            *count += 1;
            arrived.notify_all();
            drop(arrived.wait_timeout_while(count, PATIENCE, |count| *count < 2).unwrap());
        }
        Ok(())
    })));
}

/// Two calls whose transactions overlap as far as the database allows.
pub async fn race(db: &TestDb, app: &TestApp, calls: [(&'static str, Value); 2]) -> [Result<Value, Refused>; 2] {
    meet(db, app);
    let [left, right] = calls.map(|(operation, input)| {
        let app = app.clone();
        tokio::spawn(async move { app.call(operation, input).await })
    });
    let answers = [left.await.unwrap(), right.await.unwrap()];
    app.store().db().set_probe(None);
    answers
}

/// The code of the one of two calls that was refused.
pub fn refused(answers: &[Result<Value, Refused>; 2]) -> &str {
    match answers {
        [Ok(_), Err(refused)] | [Err(refused), Ok(_)] => &refused.code,
        both => panic!("one of two must be refused: {both:?}"),
    }
}
