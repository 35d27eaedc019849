//! The double's HTTP: requests in, form parameters out, XML back.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;

use super::behaviour::Disturbance;
use super::{ACCOUNT, Call, Shared, lock, query, sts};

/// What is answered: a status and an XML body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) effective: bool,
}

impl Answer {
    /// A query operation's result.
    pub(super) fn result(action: &str, content: &str, effective: bool) -> Self {
        let body = format!(
            "<{action}Response xmlns=\"http://double/\"><{action}Result>{content}</{action}Result>\
             <ResponseMetadata><RequestId>double</RequestId></ResponseMetadata></{action}Response>"
        );
        Self { status: 200, body, effective }
    }

    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse xmlns=\"http://double/\"><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
             <RequestId>double</RequestId></ErrorResponse>",
            escape(code),
            escape(message)
        );
        Self { status, body, effective: false }
    }
}

pub(super) async fn serve(listener: TcpListener, world: Shared) {
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

/// An error closes the connection without an answer.
async fn answer(request: Request<Incoming>, world: Shared) -> Result<Response<Full<Bytes>>, String> {
    let call = read(request).await?;
    let disturbance = next_disturbance(&world, &call.action);
    let undone = match &disturbance {
        Disturbance::Lost => return Err(record(&world, call, "lost")),
        Disturbance::Throttled => Some(Answer::error(400, "Throttling", "Rate exceeded")),
        Disturbance::ServerError => Some(Answer::error(503, "ServiceUnavailable", "Service is unavailable")),
        Disturbance::Refused(code, message) => Some(Answer::error(400, code, message)),
        Disturbance::None | Disturbance::AnswerLost | Disturbance::Slow(_) => None,
    };
    let answer = match undone {
        Some(answer) => answer,
        None => act(&world, &call),
    };
    let Call { action, .. } = call.clone();
    lock(&world).calls.push(Call { effective: answer.effective, ..call });
    match disturbance {
        Disturbance::AnswerLost => return Err(format!("the answer of {action} is lost")),
        Disturbance::Slow(time) => tokio::time::sleep(time).await,
        _ => {}
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response =
        Response::builder().status(status).header("content-type", "text/xml").header("etag", "\"double\"");
    if answer.status == 503 {
        response = response.header("retry-after", "1");
    }
    response.body(Full::new(Bytes::from(answer.body))).map_err(|error| error.to_string())
}

fn act(world: &Shared, call: &Call) -> Answer {
    let mut world = lock(world);
    match call.action.as_str() {
        "AssumeRole" | "AssumeRoleWithWebIdentity" => sts::assume_role(&mut world, call),
        "GetCallerIdentity" => sts::caller_identity(call),
        "PutObject" => query::put_object(&mut world, call),
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

async fn read(request: Request<Incoming>) -> Result<Call, String> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    let signature = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (key, region) = credential(signature);
    let (action, parameters) = if parts.method == "PUT" {
        let path = parts.uri.path().trim_start_matches('/').to_owned();
        ("PutObject".to_owned(), BTreeMap::from([("path".to_owned(), path), ("body".to_owned(), body)]))
    } else {
        let parameters = form(&body);
        (parameters.get("Action").cloned().unwrap_or_default(), parameters)
    };
    Ok(Call {
        action,
        account: sts::account(&key).unwrap_or_else(|| ACCOUNT.to_owned()),
        region,
        parameters,
        effective: false,
    }
    .with_key(key))
}

impl Call {
    fn with_key(mut self, key: String) -> Self {
        self.parameters.insert("AWSAccessKeyId".to_owned(), key);
        self
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
