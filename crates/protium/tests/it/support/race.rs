//! Two things at the same time, as far as the database allows.

use super::app::{Refused, TestApp};
use super::database::SOON;
use protium::store::Call;
use serde_json::Value;
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A place where threads of the runtime wait for each other, or for a while.
#[derive(Default)]
struct Meeting {
    arrived: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    fn arrive(&self) -> usize {
        let mut arrived = self.arrived.lock().unwrap();
        *arrived += 1;
        self.changed.notify_all();
        *arrived
    }

    /// `false` if fewer came in that time.
    fn wait_for(&self, number: usize, patience: Duration) -> bool {
        tokio::task::block_in_place(|| {
            let arrived = self.arrived.lock().unwrap();
            let (arrived, _) = self.changed.wait_timeout_while(arrived, patience, |arrived| *arrived < number).unwrap();
            *arrived >= number
        })
    }
}

/// Does two things at the same time. On PostgreSQL neither of their first transactions commits before both are about
/// to, where both come so far; SQLite has one at a time.
pub async fn together<L, R>(app: &TestApp, left: L, right: R) -> (L::Output, R::Output)
where
    L: Future<Output: Send> + Send + 'static,
    R: Future<Output: Send> + Send + 'static,
{
    let meeting = Arc::new(Meeting::default());
    if !app.store().db().is_embedded() {
        app.store().db().set_probe(Some(Arc::new(move |call| {
            if call == Call::Commit && meeting.arrive() <= 2 {
                meeting.wait_for(2, Duration::from_millis(300));
            }
            Ok(())
        })));
    }
    let (left, right) = (tokio::spawn(left), tokio::spawn(right));
    let answers = (left.await.unwrap(), right.await.unwrap());
    app.store().db().set_probe(None);
    answers
}

/// Sends two requests at the same time; see [`together`].
pub async fn race(app: &TestApp, left: (&str, Value), right: (&str, Value)) -> [Result<Value, Refused>; 2] {
    let send = |(operation, input): (&str, Value)| {
        let (app, operation) = (app.clone(), operation.to_owned());
        async move { app.call(&operation, input).await }
    };
    let (left, right) = together(app, send(left), send(right)).await;
    [left, right]
}

/// Sends a request, and `other` when it has decided and is about to begin its transaction.
pub async fn overtaken(app: &TestApp, request: (&str, Value), other: (&str, Value)) -> [Result<Value, Refused>; 2] {
    let (came, go) = (Arc::new(Meeting::default()), Arc::new(Meeting::default()));
    let (coming, going) = (Arc::clone(&came), Arc::clone(&go));
    app.store().db().set_probe(Some(Arc::new(move |call| {
        if call == Call::Begin && coming.arrive() == 1 {
            assert!(going.wait_for(1, SOON));
        }
        Ok(())
    })));
    let (sender, operation, input) = (app.clone(), request.0.to_owned(), request.1);
    let first = tokio::spawn(async move { sender.call(&operation, input).await });
    assert!(came.wait_for(1, SOON));
    let second = app.call(other.0, other.1).await;
    go.arrive();
    let first = first.await.unwrap();
    app.store().db().set_probe(None);
    [first, second]
}

/// The codes of two answers, empty for a success.
pub fn codes(answers: &[Result<Value, Refused>; 2]) -> [&str; 2] {
    [0, 1].map(|one| match &answers[one] {
        Ok(_) => "",
        Err(refused) => refused.code.as_str(),
    })
}
