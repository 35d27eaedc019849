//! STS on the wire: who am I, and credentials for a while.
//!
//! The query protocol: a form in, XML out. Owns which operations there are; each has a file. Does not check how the
//! credentials are used that it hands out (`http/sessions.rs`).

mod assume_role;
mod fault;
mod form;
mod grant;
mod session;
mod wanted;
mod web_identity;
mod xml;

use super::TooSlow;
use super::origin::origin;
use crate::app::App;
use crate::auth::sigv4::{self, Payload, Signed};
use crate::operations::{Caller, Origin, audit};
use crate::store::{AuditRecord, Entry, Outcome};
use crate::throttle::{Kind, Throttled, Turn};
use axum::body::Body;
use bytes::Bytes;
use fault::Fault;
use form::Form;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use protium_domain::arn::{Scope, account_of};
use protium_domain::iam::Principal;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;
use xml::Xml;

pub(in crate::http) use session::{Restriction, Session};

/// The largest form, in bytes.
const LIMIT: usize = 64 * 1024;
const VERSION: &str = "2011-06-15";

/// What a call works with.
struct Call<'a> {
    app: &'a App,
    form: Form,
    origin: Origin,
    /// In milliseconds since 1970.
    now: i64,
}

/// Answers any request to STS, whatever is wrong with it.
pub(super) async fn answer(app: &App, request: Request<Body>) -> Response<Body> {
    let origin = origin(&app.config, app.clock.now_ms(), request.headers(), request.extensions());
    let id = origin.request_id.to_string();
    let (status, body) = match call(app, request, origin).await {
        Ok((operation, xml)) => (StatusCode::OK, xml.answer(operation, &id)),
        Err(fault) => {
            let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST);
            (status, xml::fault(&fault, &id))
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

async fn call(app: &App, request: Request<Body>, origin: Origin) -> Result<(&'static str, Xml), Fault> {
    let (parts, body) = request.into_parts();
    let body = read(body).await?;
    let text = if parts.method == Method::GET {
        Cow::Borrowed(parts.uri.query().unwrap_or_default())
    } else {
        String::from_utf8_lossy(&body)
    };
    let call = Call { app, form: Form::read(&text), origin, now: app.clock.now_ms() };
    if call.form.has_nul() {
        return Err(Fault::new(400, "MalformedInput", "A parameter has the character U+0000, which none may have."));
    }
    let action = call.form.get("Action").unwrap_or_default();
    let version = call.form.get("Version").unwrap_or_default();
    // The one that needs no signature: the token says who calls.
    if action == web_identity::OPERATION && version == VERSION {
        let source = call.origin.source_ip.map(|address| address.to_string()).unwrap_or_default();
        let _turn = call.turn(&source, Kind::Write).await?;
        return Ok((web_identity::OPERATION, web_identity::call(&call).await?));
    }
    let signed = match call.signed(&parts, &body) {
        Ok(signed) => signed,
        Err(fault) => return Err(call.unproved(&parts, fault).await),
    };
    let caller = call.caller(&signed);
    let principal = &caller.identity.principal;
    let kind = if action == assume_role::OPERATION { Kind::Write } else { Kind::Read };
    let _turn = call.turn(principal.limited_as(), kind).await?;
    match action {
        "GetCallerIdentity" if version == VERSION => Ok(("GetCallerIdentity", identity(principal))),
        assume_role::OPERATION if version == VERSION => {
            Ok((assume_role::OPERATION, assume_role::call(&call, &caller, &signed.credential.inherited_tags).await?))
        }
        "" => Err(Fault::new(400, "MissingAction", "The request must contain the parameter Action.")),
        _ => Err(Fault::new(
            400,
            "InvalidAction",
            format!(
                "Could not find operation {action} for version {version}; there are AssumeRole, \
                 AssumeRoleWithWebIdentity and GetCallerIdentity of {VERSION}."
            ),
        )),
    }
}

/// What is answered to whom is given credentials.
struct Answer {
    xml: Xml,
    /// The id of the key that was made.
    access_key_id: String,
}

impl Call<'_> {
    /// Waits until it is the turn of this call among those that are limited together.
    async fn turn(&self, limited_as: &str, kind: Kind) -> Result<Turn, Fault> {
        let turn = self.app.throttle.admit(limited_as, kind, self.app.clock.elapsed_ms()).await;
        turn.map_err(|_| Fault::new(400, "Throttling", Throttled::MESSAGE))
    }

    fn signed(&self, parts: &Parts, body: &[u8]) -> Result<Signed, Fault> {
        let request = sigv4::Request::new(parts, Payload::Whole(body));
        Ok(sigv4::verify(&request, sigv4::STS, &self.app.keys, self.now)?)
    }

    fn caller(&self, signed: &Signed) -> Caller {
        let identity = Arc::clone(&signed.credential.identity);
        let scope = Scope::new(&identity.principal.account, &signed.region);
        let access_key_id = Some(signed.credential.access_key_id.clone());
        Caller { identity, access_key_id, scope, origin: self.origin.clone() }
    }

    /// Leaves the record of a call that hands credentials out, or refuses to: in the caller's account, and in the
    /// role's. They are answered only with a record. `told` is what the call asks for, if it could be read.
    async fn recorded(
        &self,
        caller: &Caller,
        operation: &str,
        told: Option<Map<String, Value>>,
        answer: Result<Answer, Fault>,
    ) -> Result<Xml, Fault> {
        let resource = self.form.get("RoleArn").filter(|arn| arn.len() <= wanted::ARN).map(str::to_owned);
        let record = AuditRecord { resource, ..audit::record(caller, "sts", operation) };
        let text = |told: Map<String, Value>| Value::Object(told).to_string();
        match answer {
            Ok(Answer { xml, access_key_id }) => {
                let mut told = told.unwrap_or_default();
                told.insert("issuedAccessKeyId".to_owned(), access_key_id.into());
                let record = AuditRecord { parameters: Some(text(told)), ..record };
                let of_role = record.resource.as_deref().and_then(account_of).map(str::to_owned);
                if let Some(account) = of_role.filter(|account| *account != record.account) {
                    self.app.audit.succeeded(&Entry::new(AuditRecord { account, ..record.clone() })).await?;
                }
                self.app.audit.succeeded(&Entry::new(record)).await?;
                Ok(xml)
            }
            Err(fault) => {
                let outcome = if fault.status == 403 { Outcome::Denied } else { Outcome::Failed };
                let record = AuditRecord { parameters: told.map(text), ..record };
                self.app.audit.refused(audit::refused(record, outcome, fault.code, &fault.message)).await;
                Err(fault)
            }
        }
    }

    /// Records a request that was signed with a known key, but not well.
    async fn unproved(&self, parts: &Parts, fault: Fault) -> Fault {
        let asked = ("sts", audit::UNKNOWN);
        if let Some(record) = audit::claimed(&self.app.keys, parts, asked, self.origin.clone()) {
            self.app.audit.refused(audit::refused(record, Outcome::Denied, fault.code, &fault.message)).await;
        }
        fault
    }
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

fn identity(principal: &Principal) -> Xml {
    Xml::default().text("Arn", &principal.arn).text("UserId", &principal.id).text("Account", &principal.account)
}
