//! Whether a page of the service answers, and is the one that is meant: another program may have its port by now.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The largest answer that is read, in bytes.
const LARGEST: usize = 1 << 20;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// Whether the page of that instance answers at `url` within that time.
pub(super) async fn answers(url: &str, service: &str, instance: &str, within: Duration) -> bool {
    let until = Instant::now() + within;
    loop {
        let inputs = tokio::time::timeout(ATTEMPT, inputs(url)).await.ok().flatten();
        if inputs.is_some_and(|inputs| {
            inputs["service"]["name"] == service && inputs["service_instance"]["name"] == instance
        }) {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What the page says that it was given.
async fn inputs(url: &str) -> Option<Value> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let answer = client.get(format!("{url}inputs.json").parse().ok()?).await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    let body = Limited::new(answer.into_body(), LARGEST).collect().await.ok()?.to_bytes();
    serde_json::from_slice(&body).ok()
}
