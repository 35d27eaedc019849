//! Events over HTTP: one request each, signed, and the receiver's status is the answer.
//!
//! Follows no redirects: only the address that the operator gave is ever called.

use super::sender::Refusal;
use super::signature::signed;
use crate::clock::Clock;
use crate::config::Webhook;
use crate::sha256::{HmacKey, hmac_key};
use anyhow::Context as _;
use axum::http::{Method, Request, Response, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use protium_client::{Connector, connector};
use std::error::Error as _;
use std::time::Duration;

/// How much of an answer is read, so that its connection can be used again.
const ANSWER: usize = 64 * 1024;
/// The longest that a receiver may ask to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

pub(super) struct WebhookSender {
    client: Client<Connector, Full<Bytes>>,
    url: Uri,
    key: HmacKey,
    timeout_ms: i64,
    clock: Clock,
}

impl WebhookSender {
    pub(super) fn new(hook: &Webhook, clock: Clock) -> anyhow::Result<Self> {
        let url: Uri = hook.url.0.parse().context("url: is none of a receiver")?;
        let secret = hook.secret.read().map_err(anyhow::Error::msg)?;
        let connector = connector(url.scheme_str().unwrap_or_default(), hook.ca_bundle.as_deref())?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let timeout_ms = i64::try_from(hook.timeout.as_millis()).unwrap_or(i64::MAX);
        Ok(Self { client, url, key: hmac_key(secret.0.as_bytes()), timeout_ms, clock })
    }

    /// Brings one event.
    pub(super) async fn send(&self, id: &str, body: String) -> Result<(), Refusal> {
        let signed = signed(&self.key, self.clock.now_ms().div_euclid(1000), &body);
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("protium/", env!("CARGO_PKG_VERSION")))
            .header("protium-event-id", id)
            .header("protium-signature", signed)
            .body(Full::from(body))
            .map_err(|error| Refusal::new(format!("can't be asked: {error}")))?;
        let until = self.clock.elapsed_ms().saturating_add(self.timeout_ms);
        let response = tokio::select! {
            response = self.client.request(request) => response.map_err(|error| unreachable(&error))?,
            () = self.clock.sleep_until(until) => {
                return Err(Refusal::new(format!("no answer within {} s", self.timeout_ms / 1000)));
            }
        };
        let answer = verdict(&response);
        tokio::select! {
            // Whatever it says beside the status: that is the answer.
            _ = Limited::new(response.into_body(), ANSWER).collect() => {}
            () = self.clock.sleep_until(until) => {}
        }
        answer
    }
}

/// What a status means.
fn verdict(response: &Response<Incoming>) -> Result<(), Refusal> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Err(Refusal {
        message: format!("answered {status}"),
        retry_after: seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_PAUSE)),
        for_good: status == StatusCode::GONE,
    })
}

/// The causes of an error, none of which tells the address.
fn unreachable(error: &hyper_util::client::legacy::Error) -> Refusal {
    let mut message = String::from("can't be reached");
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    Refusal::new(message)
}
