//! What clients that nobody knows can make the database do.

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::{Request, StatusCode};
use protium::store::Call;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::wire::{Wire, call};
use crate::support::database::SOON;
use crate::support::sign::Signer;

const MANY: usize = 10;

/// A database that does not run statements with some text until `held` is dropped, and how many of them came.
struct Database {
    held: mpsc::Sender<()>,
    asked: watch::Receiver<usize>,
}

impl Database {
    fn of(wire: &Wire, text: &'static str) -> Self {
        let (held, gate) = mpsc::channel();
        let gate = Mutex::new(gate);
        let (count, asked) = watch::channel(0);
        wire.app.store().db().set_probe(Some(Arc::new(move |call: Call<'_>| {
            if matches!(call, Call::Statement(sql) if sql.contains(text)) {
                count.send_modify(|count| *count += 1);
                tokio::task::block_in_place(|| gate.lock().unwrap().recv().unwrap_or_default());
            }
            Ok(())
        })));
        Self { held, asked }
    }
}

/// Requests that come at the same time.
struct Crowd {
    answers: JoinSet<StatusCode>,
    /// How many of them have waited, for something else than the database.
    waited: watch::Receiver<usize>,
}

impl Crowd {
    fn send(wire: &Wire, request: impl Fn(usize) -> Request<Vec<u8>>) -> Self {
        let (count, waited) = watch::channel(0);
        let one = |number| {
            let (answer, count) = (wire.app.router().oneshot(request(number).map(Body::from)), count.clone());
            async move {
                let (mut answer, mut has_waited) = (pin!(answer), false);
                let answer = std::future::poll_fn(|cx| {
                    let polled = answer.as_mut().poll(cx);
                    if polled.is_pending() && !std::mem::replace(&mut has_waited, true) {
                        count.send_modify(|count| *count += 1);
                    }
                    polled
                });
                answer.await.expect("the router does not fail").status()
            }
        };
        Self { answers: (0..MANY).map(one).collect(), waited }
    }

    /// Waits until so many wait, and so many have asked the database.
    async fn wait(&mut self, waiting: usize, database: &mut Database) {
        let both = async {
            database.asked.wait_for(|asked| *asked >= MANY - waiting).await.unwrap();
            self.waited.wait_for(|waited| *waited >= waiting).await.unwrap();
        };
        timeout(SOON, both).await.expect("not all may ask the database");
        assert_eq!(*database.asked.borrow(), MANY - waiting);
    }
}

fn stranger(number: usize) -> Request<Vec<u8>> {
    Signer { region: "us-east-1".to_owned(), ..Signer::new(&format!("AKIASTRANGER{number:08}"), "secret", "proton") }
        .sign(call("ListServices", b"{}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn strangers_wait_for_each_other_and_nobody_else_for_them() {
    let wire = Wire::start().await;
    let mut database = Database::of(&wire, "access_key");
    let mut crowd = Crowd::send(&wire, stranger);
    crowd.wait(6, &mut database).await;
    wire.send("GetAccountSettings", b"{}").await.ok();
    drop(database.held);
    assert_eq!(crowd.answers.join_all().await, [StatusCode::BAD_REQUEST; MANY]);
    assert_eq!(*database.asked.borrow(), MANY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_asks_at_the_same_time_whether_all_is_well_sees_one_look() {
    let wire = Wire::start().await;
    let ask = |path| move |_| Request::get(format!("http://127.0.0.1{path}")).body(Vec::new()).unwrap();
    for path in ["/readyz", "/metrics"] {
        let mut database = Database::of(&wire, "");
        let mut crowd = Crowd::send(&wire, ask(path));
        crowd.wait(MANY - 1, &mut database).await;
        drop(database.held);
        assert_eq!(crowd.answers.join_all().await, [StatusCode::OK; MANY], "{path}");
        let of_all = *database.asked.borrow();
        assert_eq!(wire.exchange(ask(path)(0)).await.status, StatusCode::OK);
        assert_eq!(*database.asked.borrow(), 2 * of_all, "{path}: a later one is another look");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_whom_there_is_no_place_the_database_is_not_asked() {
    let wire = Wire::with(|config| config.connections.most_requests = 1).await;
    let (tell, mut waited_for) = watch::channel(());
    let body = stream::poll_fn(move |_| {
        tell.send_replace(());
        Poll::<Option<Result<Bytes, Infallible>>>::Pending
    });
    let _slow = tokio::spawn(wire.app.router().oneshot(call("ListServices", b"").map(|_| Body::from_stream(body))));
    waited_for.changed().await.unwrap();
    let database = Database::of(&wire, "");
    drop(database.held);
    assert_eq!(wire.exchange(stranger(0)).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(*database.asked.borrow(), 0);
}
