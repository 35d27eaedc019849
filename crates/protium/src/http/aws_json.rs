//! The Proton API on the wire: awsJson 1.0 in, one call of `operations`, awsJson 1.0 out.

use super::origin::origin;
use super::{Front, JSON_LIMIT, TooSlow};
use crate::auth::sigv4;
use crate::config::Role;
use crate::error::{Error, Result};
use crate::operations::{self, Caller, Origin, audit, run_token};
use crate::throttle::{Kind, Throttled};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use protium_api::aws_json::{CONTENT_TYPE, ERROR_TYPE, REQUEST_ID, TARGET, is_content_type, operation};
use protium_api::{ErrorCode, Operation, WireError};
use protium_domain::arn::Scope;
use std::sync::Arc;
use std::time::Instant;

/// How much of a body that is too large is read before the connection is given up, in bytes.
const DISCARDED: usize = 16 * 1024 * 1024;

/// Answers any request to the Proton API, whatever is wrong with it. A run of commands is known by its `token`, and
/// its signature is not looked at.
pub(super) async fn answer(front: &Front, request: Request, token: Option<String>) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let origin = origin(&front.app.config, front.app.clock.now_ms(), &parts.headers, &parts.extensions);
    let request_id = origin.request_id;
    let named = target(&parts).ok();
    let result = match &token {
        None => call(front, &parts, body, origin).await,
        // Its future is large: apart, so that all other requests needn't carry its size.
        Some(token) => Box::pin(call_of_run(front, &parts, body, token, origin)).await,
    };
    let name = named.map_or("unknown", Operation::name);
    let (status, code, body) = match result {
        Ok(body) => (StatusCode::OK, None, body),
        Err(error) => {
            log(&error, name, &request_id);
            let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Some(error.code), error.wire().to_json(named))
        }
    };
    front.metrics.request(name, code.map_or("OK", ErrorCode::as_str), started.elapsed());
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    let mut buffer = uuid::Uuid::encode_buffer();
    if let Ok(id) = HeaderValue::from_str(request_id.hyphenated().encode_lower(&mut buffer)) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(code) = code {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(code.as_str()));
    }
    response
}

/// Internal faults with their cause, once; what a caller did wrong only for who asks for detail.
fn log(error: &Error, operation: &str, request_id: &uuid::Uuid) {
    match &error.source {
        Some(source) => tracing::error!(operation, %request_id, code = %error.code, "{source:#}"),
        None => tracing::debug!(operation, %request_id, code = %error.code, "refused"),
    }
}

async fn call(front: &Front, parts: &Parts, body: Body, origin: Origin) -> Result<Vec<u8>> {
    let body = read(body).await?;
    let app = &front.app;
    if app.config.role == Role::Worker {
        let why = "this process only works (--role worker); send requests to one with --role api or --role all";
        return Err(Error::new(ErrorCode::ServiceUnavailable, why));
    }
    let request = sigv4::Request::new(parts, sigv4::Payload::Whole(&body));
    let signed = match sigv4::verify(&request, sigv4::PROTON, &app.keys, app.clock.now_ms()) {
        Ok(signed) => signed,
        Err(refusal) => return Err(Box::pin(unproved(front, parts, origin, refused(refusal))).await),
    };
    let identity = Arc::clone(&signed.credential.identity);
    let scope = Scope::new(identity.principal.account.clone(), signed.region);
    let access_key_id = Some(signed.credential.access_key_id.clone());
    let caller = Caller { identity, access_key_id, scope, origin };
    let operation = target(parts).ok();
    let kind = operation.map_or(Kind::Read, kind);
    let turn = app.throttle.admit(caller.identity.principal.limited_as(), kind, app.clock.elapsed_ms()).await;
    let _turn = turn.map_err(|_| Error::new(ErrorCode::Throttling, Throttled::MESSAGE))?;
    match parse(parts, &body) {
        // On the heap, like what follows: their futures are large, and moved from layer to layer.
        Ok(request) => Ok(Box::pin(operations::answer(app, caller, request)).await?.to_json()),
        Err(error) => {
            Box::pin(audit::unread(app, &caller, operation, &error)).await;
            Err(error)
        }
    }
}

/// Records a request that was signed with a known key, but not well.
async fn unproved(front: &Front, parts: &Parts, origin: Origin, error: Error) -> Error {
    let asked = target(parts).map_or(("proton", audit::UNKNOWN), audit::named);
    if let Some(record) = audit::claimed(&front.app.keys, parts, asked, origin) {
        front.app.audit.refused(audit::failed(record, &error, true)).await;
    }
    error
}

/// Which of a caller's buckets an operation is taken from.
fn kind(operation: Operation) -> Kind {
    match operation {
        _ if operation.is_mutation() => Kind::Write,
        _ if operation.name().starts_with("List") => Kind::List,
        _ => Kind::Read,
    }
}

/// A run may notify its deployment, and nothing else.
async fn call_of_run(front: &Front, parts: &Parts, body: Body, token: &str, origin: Origin) -> Result<Vec<u8>> {
    let body = read(body).await?;
    if let protium_api::Request::NotifyResourceDeploymentStatusChange(input) = parse(parts, &body)? {
        return Ok(run_token::notify(&front.app, token, input, origin).await?.to_json());
    }
    let why = format!(
        "a run of commands may call NotifyResourceDeploymentStatusChange only, not {}; for other operations use an \
         access key and the endpoint without {}",
        target(parts)?.name(),
        run_token::PATH
    );
    Err(Error::new(ErrorCode::AccessDenied, why))
}

/// The request that the headers and the body make.
fn parse(parts: &Parts, body: &[u8]) -> Result<protium_api::Request> {
    let operation = target(parts)?;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !is_content_type(kind) {
        let why = format!("the Content-Type '{kind}' is not supported; send {CONTENT_TYPE}");
        return Err(Error::new(ErrorCode::Serialization, why));
    }
    protium_api::Request::parse(operation, body).map_err(wire)
}

async fn read(mut body: Body) -> Result<Bytes> {
    let declared = body.size_hint().lower();
    if declared > JSON_LIMIT as u64 {
        if declared <= DISCARDED as u64 {
            discard(body).await;
        }
        return Err(too_large());
    }
    let collected = Limited::new(&mut body, JSON_LIMIT).collect().await;
    match collected {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            discard(body).await;
            Err(too_large())
        }
        Err(error) if TooSlow::is_cause_of(&*error) => Err(Error::new(ErrorCode::Serialization, TooSlow.to_string())),
        Err(_) => Err(Error::new(ErrorCode::Serialization, "the body ended before it was complete")),
    }
}

fn too_large() -> Error {
    Error::new(
        ErrorCode::RequestEntityTooLarge,
        format!("the body is larger than {JSON_LIMIT} bytes, the most that a request may have"),
    )
}

/// Reads on for a while: a client that still sends when the connection closes never sees the answer.
async fn discard(mut body: Body) {
    let mut left = DISCARDED;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

fn target(parts: &Parts) -> Result<Operation> {
    let Some(target) = parts.headers.get(TARGET) else {
        let why = "the header X-Amz-Target is missing; it names the operation, as in AwsProton20200720.GetService";
        return Err(Error::new(ErrorCode::UnknownOperation, why));
    };
    operation(target.to_str().unwrap_or_default()).map_err(wire)
}

fn wire(error: WireError) -> Error {
    Error::new(error.code, error.message)
}

/// The signature check knows AWS's names; this is the code of that name.
fn refused(refusal: sigv4::Refusal) -> Error {
    let answer = refusal.answer(sigv4::Protocol::Json);
    let code = ErrorCode::from_wire_type(answer.code).unwrap_or(ErrorCode::InvalidSignature);
    Error::new(code, answer.message)
}
