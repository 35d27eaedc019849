//! The double's HTTP: requests in, parameters of a form or of JSON out, XML or JSON back.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::behaviour::Disturbance;
use super::{ACCOUNT, Call, Shared, builds, bus, lock, objects, query, secrets, sts};

/// The parameter that marks calls in JSON.
const JSON: &str = "(json)";

/// What is answered: a status and a body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) effective: bool,
    /// Which bytes of an object it is, as the header says it.
    pub(super) range: Option<String>,
}

impl Answer {
    /// These bytes of an object: `bytes=FIRST-LAST`.
    pub(super) fn part(object: &[u8], wanted: &str) -> Self {
        let (first, last) = wanted.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap_or_default();
        let first: usize = first.parse().unwrap_or_default();
        let end = last.parse().map_or(object.len(), |last: usize| last + 1).min(object.len());
        let Some(part) = object.get(first..end).filter(|part| !part.is_empty()) else {
            return Self::error(416, "InvalidRange", "The requested range is not satisfiable");
        };
        let range = Some(format!("bytes {first}-{}/{}", end - 1, object.len()));
        Self { status: 206, body: String::from_utf8_lossy(part).into_owned(), effective: false, range }
    }

    /// A query operation's result.
    pub(super) fn result(action: &str, content: &str, effective: bool) -> Self {
        let body = format!(
            "<{action}Response xmlns=\"http://double/\"><{action}Result>{content}</{action}Result>\
             <ResponseMetadata><RequestId>double</RequestId></ResponseMetadata></{action}Response>"
        );
        Self { status: 200, body, effective, range: None }
    }

    /// What an operation of JSON answers.
    pub(super) fn json(content: &Value, effective: bool) -> Self {
        Self { status: 200, body: content.to_string(), effective, range: None }
    }

    pub(super) fn json_error(code: &str, message: &str) -> Self {
        let body = json!({"__type": code, "message": message}).to_string();
        Self { status: 400, body, effective: false, range: None }
    }

    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse xmlns=\"http://double/\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>double</RequestId></ErrorResponse>",
            escape(code),
            escape(message)
        );
        Self { status, body, effective: false, range: None }
    }
}

/// Answers what comes until it is dropped. An error closes the connection without an answer.
pub(super) async fn serve<S, A, B>(listener: TcpListener, world: S, answer: fn(Request<Incoming>, S) -> A)
where
    S: Clone + Send + Sync + 'static,
    A: Future<Output = Result<Response<B>, String>> + Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let world = world.clone();
        connections.spawn(async move {
            let service = service_fn(|request| answer(request, world.clone()));
            // An error here is a disturbance of our own or a client that went away.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

pub(super) async fn answer(request: Request<Incoming>, world: Shared) -> Result<Response<Full<Bytes>>, String> {
    let (call, body) = read(request).await?;
    let error = |status: u16, code: &str, message: &str| match call.is_json() {
        true => Answer { status, ..Answer::json_error(code, message) },
        false => Answer::error(status, code, message),
    };
    let disturbance = next_disturbance(&world, &call.action);
    let undone = match &disturbance {
        Disturbance::Lost => return Err(record(&world, call, "lost")),
        Disturbance::Throttled => Some(error(400, "Throttling", "Rate exceeded")),
        Disturbance::ServerError => Some(error(503, "ServiceUnavailable", "Service is unavailable")),
        // S3 says by its status who may not.
        Disturbance::Refused(code, message) if call.parameters.contains_key("path") => Some(error(403, code, message)),
        Disturbance::Refused(code, message) => Some(error(400, code, message)),
        Disturbance::None | Disturbance::AnswerLost | Disturbance::Slow(_) => None,
    };
    let answer = match undone {
        Some(answer) => answer,
        None => act(&world, &call, &body),
    };
    let kind = if call.is_json() { "application/x-amz-json-1.1" } else { "text/xml" };
    let Call { action, .. } = call.clone();
    lock(&world).calls.push(Call { effective: answer.effective, ..call });
    match disturbance {
        Disturbance::AnswerLost => return Err(format!("the answer of {action} is lost")),
        Disturbance::Slow(time) => tokio::time::sleep(time).await,
        _ => {}
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Response::builder().status(status).header("content-type", kind).header("etag", "\"double\"");
    if let Some(range) = &answer.range {
        response = response.header("content-range", range).header("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT");
    }
    if answer.status == 503 {
        response = response.header("retry-after", "1");
    }
    response.body(Full::new(Bytes::from(answer.body))).map_err(|error| error.to_string())
}

fn act(world: &Shared, call: &Call, body: &[u8]) -> Answer {
    let mut world = lock(world);
    match call.action.as_str() {
        "AssumeRole" | "AssumeRoleWithWebIdentity" => sts::assume_role(&mut world, call),
        "GetCallerIdentity" => sts::caller_identity(call),
        "PutObject" | "GetObject" | "DeleteObject" | "ListObjects" => objects::s3(&mut world, call, body),
        "PutEvents" => bus::put_events(&mut world, call),
        "GetSecretValue" => secrets::get_secret_value(&world, call),
        _ if call.is_json() => builds::codebuild(&mut world, call),
        _ => query::cloudformation(&mut world, call),
    }
}

fn record(world: &Shared, call: Call, what: &str) -> String {
    let message = format!("{} is {what}", call.action);
    lock(world).calls.push(call);
    message
}

fn next_disturbance(world: &Shared, action: &str) -> Disturbance {
    let mut world = lock(world);
    let own = world.disturbances.get_mut(action).and_then(std::collections::VecDeque::pop_front);
    let any = own.or_else(|| world.disturbances.get_mut("*").and_then(std::collections::VecDeque::pop_front));
    any.unwrap_or(Disturbance::None)
}

async fn read(request: Request<Incoming>) -> Result<(Call, Bytes), String> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let body = String::from_utf8_lossy(&bytes).into_owned();
    let signature = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (key, region) = credential(signature);
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()?.split('.').nth(1));
    let (action, parameters) = match (parts.method.as_str(), target) {
        (_, Some(operation)) => (operation.to_owned(), members(&body)),
        ("PUT", None) => ("PutObject".to_owned(), object(&parts.uri, body)),
        ("DELETE", None) => ("DeleteObject".to_owned(), object(&parts.uri, body)),
        ("GET", None) => {
            let mut parameters = object(&parts.uri, body);
            let range = parts.headers.get("range").and_then(|range| range.to_str().ok());
            parameters.insert("range".to_owned(), range.unwrap_or_default().to_owned());
            let lists = parameters.contains_key("list-type");
            (if lists { "ListObjects" } else { "GetObject" }.to_owned(), parameters)
        }
        _ => {
            let parameters = form(&body);
            (parameters.get("Action").cloned().unwrap_or_default(), parameters)
        }
    };
    let account = sts::account(&key).unwrap_or_else(|| ACCOUNT.to_owned());
    let call = Call { action, account, region, parameters, effective: false };
    Ok((call.with_key(key), bytes))
}

/// What is asked of S3, with its query.
fn object(uri: &Uri, body: String) -> BTreeMap<String, String> {
    let mut parameters = form(uri.query().unwrap_or_default());
    parameters.insert("path".to_owned(), uri.path().trim_start_matches('/').to_owned());
    parameters.insert("body".to_owned(), body);
    parameters
}

/// The members of a request in JSON; texts as they are, all else as JSON.
fn members(body: &str) -> BTreeMap<String, String> {
    let members: serde_json::Map<String, Value> = serde_json::from_str(body).unwrap_or_default();
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let json = (JSON.to_owned(), String::new());
    members.into_iter().map(|(name, value)| (name, text(value))).chain([json]).collect()
}

impl Call {
    fn with_key(mut self, key: String) -> Self {
        self.parameters.insert("AWSAccessKeyId".to_owned(), key);
        self
    }

    /// Whether it speaks JSON.
    fn is_json(&self) -> bool {
        self.parameters.contains_key(JSON)
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}

/// `Credential=KEY/DATE/REGION/...` of an authorization header.
fn credential(header: &str) -> (String, String) {
    let scope = header.split("Credential=").nth(1).unwrap_or_default();
    let mut parts = scope.split(['/', ',']);
    let key = parts.next().unwrap_or_default().to_owned();
    (key, parts.nth(1).unwrap_or_default().to_owned())
}

fn form(body: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (decode(k), decode(v))).collect()
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
