//! STS on the wire: `GetCallerIdentity`, which tells callers whom their key stands for.
//!
//! The query protocol: a form in, XML out. Does not hand out credentials.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use protium_domain::iam::Principal;

use super::TooSlow;
use super::origin::origin;
use crate::app::App;
use crate::auth::Identity;
use crate::auth::sigv4::{self, ClaimedCredential, Payload, Protocol, Refusal};
use crate::operations::{Origin, audit};
use crate::store::Outcome;
use crate::throttle::{Kind, Throttled};

/// The largest form, in bytes.
const LIMIT: usize = 64 * 1024;
const VERSION: &str = "2011-06-15";
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// What is told to a caller who did something wrong.
struct Fault {
    status: u16,
    code: &'static str,
    message: Cow<'static, str>,
}

impl Fault {
    fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into() }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let answer = refusal.answer(Protocol::Query);
        Self { status: answer.status, code: answer.code, message: answer.message }
    }
}

/// Answers any request to STS, whatever is wrong with it.
pub(super) async fn answer(app: &App, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let origin = origin(&app.config, app.clock.now_ms(), &parts.headers, &parts.extensions);
    let id = origin.request_id.to_string();
    let (status, body) = match call(app, &parts, body, origin).await {
        Ok(identity) => (StatusCode::OK, identity_xml(&identity.principal, &id)),
        Err(fault) => {
            let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, fault_xml(&fault, &id))
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

async fn call(app: &App, parts: &Parts, body: Body, origin: Origin) -> Result<Arc<Identity>, Fault> {
    let body = read(body).await?;
    let request = sigv4::Request::new(parts, Payload::Whole(&body));
    let signed = match sigv4::verify(&request, sigv4::STS, &app.keys, app.clock.now_ms()) {
        Ok(signed) => signed,
        Err(refusal) => return Err(unproved(app, parts, origin, refusal.into()).await),
    };
    let caller = &signed.credential.identity.principal.arn;
    let turn = app.throttle.admit(caller, Kind::Read, app.clock.elapsed_ms()).await;
    let _turn = turn.map_err(|_| Fault::new(400, "Throttling", Throttled::MESSAGE))?;
    let form = if parts.method == Method::GET {
        Cow::Borrowed(parts.uri.query().unwrap_or_default())
    } else {
        String::from_utf8_lossy(&body)
    };
    let Some(action) = parameter(&form, "Action") else {
        return Err(Fault::new(400, "MissingAction", "The request must contain the parameter Action."));
    };
    let version = parameter(&form, "Version").unwrap_or_default();
    if action == "GetCallerIdentity" && version == VERSION {
        return Ok(Arc::clone(&signed.credential.identity));
    }
    let message =
        format!("Could not find operation {action} for version {version}; there is GetCallerIdentity of {VERSION}.");
    Err(Fault::new(400, "InvalidAction", message))
}

/// Records a request that was signed with a known key, but not well.
async fn unproved(app: &App, parts: &Parts, origin: Origin, fault: Fault) -> Fault {
    let claimed = ClaimedCredential::find(&parts.headers, parts.uri.query());
    if let Some(key) = claimed.and_then(|claimed| app.keys.lookup(claimed.key())) {
        let record = audit::claimed(&key, "sts", audit::UNKNOWN, origin);
        app.audit.refused(audit::refused(record, Outcome::Denied, fault.code, &fault.message)).await;
    }
    fault
}

async fn read(body: Body) -> Result<Bytes, Fault> {
    match Limited::new(body, LIMIT).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("The body is larger than {LIMIT} bytes, the most that a request may have.");
            Err(Fault::new(413, "RequestEntityTooLarge", message))
        }
        Err(error) if TooSlow::is_cause_of(&*error) => Err(Fault::new(400, "RequestTimeout", TooSlow.to_string())),
        Err(_) => Err(Fault::new(400, "MalformedInput", "The body ended before it was complete.")),
    }
}

/// The first parameter of that name, decoded.
fn parameter(form: &str, name: &str) -> Option<String> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    form.split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(known, _)| decoded(known) == name)
        .map(|(_, value)| decoded(value))
}

fn identity_xml(principal: &Principal, request_id: &str) -> String {
    format!(
        "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult><Arn>{}</Arn>\
         <UserId>{}</UserId><Account>{}</Account></GetCallerIdentityResult><ResponseMetadata>\
         <RequestId>{request_id}</RequestId></ResponseMetadata></GetCallerIdentityResponse>\n",
        escaped(&principal.arn),
        escaped(&principal.id),
        escaped(&principal.account),
    )
}

fn fault_xml(fault: &Fault, request_id: &str) -> String {
    let kind = if fault.status < 500 { "Sender" } else { "Receiver" };
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message>\
         </Error><RequestId>{request_id}</RequestId></ErrorResponse>\n",
        fault.code,
        escaped(&fault.message),
    )
}

/// Text as XML can hold it: control characters, which it can't, are left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => {}
            character if character.is_control() && !matches!(character, '\n' | '\t') => {}
            character => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_by_its_decoded_name() {
        assert_eq!(parameter("A=1&Act%69on=Get+it%21&Action=2", "Action").as_deref(), Some("Get it!"));
        assert_eq!(parameter("Action", "Action").as_deref(), Some(""));
        assert_eq!(parameter("", "Action"), None);
    }

    #[test]
    fn what_a_caller_sent_can_not_break_the_xml() {
        let fault = Fault::new(400, "InvalidAction", "<&\"\u{0}\u{FFFF}>".to_owned());
        let xml = fault_xml(&fault, "id");
        assert!(xml.contains("<Message>&lt;&amp;&quot;&gt;</Message>"), "{xml}");
    }
}
