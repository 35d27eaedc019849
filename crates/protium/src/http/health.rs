//! Whether the process lives, and whether it can serve.

use crate::app::App;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// The process answers.
pub(super) fn alive() -> Response {
    plain(StatusCode::OK, "ok\n")
}

/// What a process answers that does not serve the API.
pub(super) fn only_a_worker() -> Response {
    plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "this process only works (--role worker); send requests to one with --role api or --role all\n",
    )
}

/// What is answered when too many requests are under way.
pub(super) fn busy() -> Response {
    later("too many requests are under way; try again\n")
}

/// What is answered when the database can't say who asks. The cause is in the log only.
pub(super) fn unavailable() -> Response {
    later("the database can't be reached; try again\n")
}

/// Clients try again by themselves.
fn later(text: &'static str) -> Response {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Whether the process can answer from its database. The cause of a failure is in the log only.
pub(super) async fn is_ready(app: &App) -> bool {
    let answers = async { app.store.reader().await?.query_one("SELECT 1", &[]).await };
    answers.await.inspect_err(|error| tracing::warn!("not ready: {error}")).is_ok()
}

pub(super) fn readiness(is_ready: bool) -> Response {
    match is_ready {
        true => plain(StatusCode::OK, "ready\n"),
        false => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready: the database can't be reached\n"),
    }
}
