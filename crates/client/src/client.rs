//! One call: body, signature, attempts, answer.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioExecutor;
use protium_api::{Call, Operation, aws_json};
use serde_json::Value;
use uuid::Uuid;

use crate::connect::{Connector, connector};
use crate::{Config, Error, ServiceError, sign};

/// Calls the API at one endpoint, in one region, as one identity. Cheap to clone; clones share
/// their connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: hyper_util::client::legacy::Client<Connector, Full<Bytes>>,
    uri: Uri,
    config: Arc<Config>,
}

impl Client {
    /// A client that has made no connection yet.
    ///
    /// # Errors
    /// [`Error::Config`] if the endpoint is not an `http://` or `https://` address, or if there is nobody to trust
    /// for one with `https://`.
    pub fn new(config: Config) -> Result<Self, Error> {
        let uri: Uri = config
            .endpoint
            .parse()
            .ok()
            .filter(|uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some())
            .ok_or_else(|| {
                Error::Config(format!("endpoint {:?} is not an http:// or https:// address", config.endpoint))
            })?;
        let connector = connector(uri.scheme_str().unwrap_or_default(), config.ca_bundle.as_deref())?;
        let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, uri, config: Arc::new(config) })
    }

    /// What the client was made with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Calls the operation that takes this input. A client token that the operation has and the input
    /// lacks is filled in, and stays the same when the call is tried again.
    ///
    /// # Errors
    /// The server's error, or why there is no answer, after the configured retries.
    pub async fn call<C: Call>(&self, input: &C) -> Result<C::Output, Error> {
        let body = body(input)?;
        let mut retries = 0;
        loop {
            let error = match self.attempt(C::OPERATION, body.clone()).await {
                Ok(answer) => return answer.output(C::OPERATION),
                Err(error) => error,
            };
            let Some(pause) = self.config.retry.pause(retries, C::OPERATION, &error) else {
                return Err(error);
            };
            tokio::time::sleep(pause).await;
            retries += 1;
        }
    }

    async fn attempt(&self, operation: Operation, body: Bytes) -> Result<Answer, Error> {
        let Config { region, credentials, .. } = &*self.config;
        let request = sign::request(&self.uri, region, credentials, operation, body, SystemTime::now())?;
        let (head, body) = self.exchange(request).await?;
        let request_id = text(&head.headers, aws_json::REQUEST_ID).map(str::to_owned);
        if head.status.is_success() {
            return Ok(Answer { request_id, body });
        }
        let code = text(&head.headers, aws_json::ERROR_TYPE);
        Err(Error::Service(ServiceError::read(head.status.as_u16(), request_id, code, &body)))
    }

    /// Sends a request once, and reads the whole answer.
    pub(crate) async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(Parts, Bytes), Error> {
        let timeout = self.config.timeout;
        let exchange = async {
            let answer = self.http.request(request).await.map_err(|error| self.no_answer(error))?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| self.lost(error))?.to_bytes();
            Ok((head, body))
        };
        let Ok(answer) = tokio::time::timeout(timeout, exchange).await else {
            return Err(Error::Timeout { endpoint: self.config.endpoint.clone(), after: timeout });
        };
        answer
    }

    fn no_answer(&self, error: hyper_util::client::legacy::Error) -> Error {
        if error.is_connect() {
            return Error::Connect { endpoint: self.config.endpoint.clone(), source: root_cause(error) };
        }
        self.lost(error)
    }

    fn lost(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Lost { endpoint: self.config.endpoint.clone(), source: root_cause(error) }
    }
}

/// The innermost error has the words that help ("Connection refused").
fn root_cause(error: impl std::error::Error + Send + Sync + 'static) -> Box<dyn std::error::Error + Send + Sync> {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().into()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The input as JSON, with a client token if the operation takes one.
fn body<C: Call>(input: &C) -> Result<Bytes, Error> {
    let unwritable = |error| Error::Config(format!("the input can't be written as JSON: {error}"));
    if !C::OPERATION.has_client_token() {
        return Ok(serde_json::to_vec(input).map_err(unwritable)?.into());
    }
    let mut value = serde_json::to_value(input).map_err(unwritable)?;
    if let Value::Object(members) = &mut value {
        members.entry("clientToken").or_insert_with(|| Uuid::new_v4().to_string().into());
    }
    Ok(value.to_string().into())
}

/// A successful answer, not read yet.
struct Answer {
    request_id: Option<String>,
    body: Bytes,
}

impl Answer {
    fn output<T: serde::de::DeserializeOwned>(self, operation: Operation) -> Result<T, Error> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| Error::Answer {
            operation: operation.name(),
            request_id: self.request_id,
            why: error.to_string(),
        })
    }
}
