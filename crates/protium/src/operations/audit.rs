//! The audit log: what each request leaves in it, and `ListAuditRecords`.
//!
//! Owns which requests are recorded (those that may change something, and those that are denied) and what of them.
//! Does not own how records are written (`store`, `crate::audit`).

use super::page::Page;
use super::wire::time;
use super::{Caller, Context, Origin, dispatch, resource_of};
use crate::app::App;
use crate::auth::Keys;
use crate::auth::sigv4::ClaimedCredential;
use crate::error::{Error, Result};
use crate::store::{self, AuditFilter, AuditRecord, Entry, audit_list};
use axum::http::request::Parts;
use protium_api::types::{self as api, ListAuditRecordsInput, ListAuditRecordsOutput};
use protium_api::{ErrorCode, Operation, Request, Response};
use protium_domain::arn::{Resource, Scope};
use protium_domain::iam::{Principal, PrincipalKind};
use std::sync::Arc;

/// So much of what a client says of itself is kept, in characters.
const USER_AGENT: usize = 512;
/// So much of an error's text is kept, in characters.
const MESSAGE: usize = 1024;
/// What an operation is called that could not be told.
pub(crate) const UNKNOWN: &str = "Unknown";

/// Answers a request, and leaves its record.
pub async fn answer(app: &Arc<App>, caller: Caller, request: Request) -> Result<Response> {
    let operation = request.operation();
    let cx = Context::new(Arc::clone(app), caller);
    if !operation.is_mutation() {
        let asked = request.clone();
        let answer = dispatch(&cx, request).await;
        if let Err(error) = &answer
            && is_denied(error.code)
        {
            let (record, is_whole) = record_of(&cx.caller, &asked);
            app.audit.refused(failed(record, error, is_whole)).await;
        }
        return answer;
    }
    let (record, is_whole) = record_of(&cx.caller, &request);
    let entry = Arc::new(Entry::new(record));
    let cx = cx.recording(&entry);
    match dispatch(&cx, request).await {
        Ok(answer) => {
            app.audit.succeeded(&entry).await?;
            Ok(answer)
        }
        Err(error) => {
            app.audit.refused(failed(entry.record(), &error, is_whole)).await;
            Err(error)
        }
    }
}

/// Records a request of a known caller that came to nothing before it was read.
pub(crate) async fn unread(app: &App, caller: &Caller, operation: Option<Operation>, error: &Error) {
    if operation.is_none_or(Operation::is_mutation) || is_denied(error.code) {
        let (source, name) = operation.map_or(("proton", UNKNOWN), named);
        app.audit.refused(failed(record(caller, source, name), error, true)).await;
    }
}

/// The record of a request that claims to be signed with a key that there is, but is not as its owner would have: it
/// names whose key it is, and not who asked, whom nobody knows. None of other keys.
pub(crate) fn claimed(
    keys: &Keys,
    parts: &Parts,
    (source, operation): (&str, &str),
    origin: Origin,
) -> Option<AuditRecord> {
    let key = keys.lookup(ClaimedCredential::find(&parts.headers, parts.uri.query())?.key())?;
    let identity = Arc::clone(&key.identity);
    let scope = Scope::new(identity.principal.account.clone(), String::new());
    let caller = Caller { identity, access_key_id: Some(key.access_key_id.clone()), scope, origin };
    Some(record(&caller, source, operation))
}

/// The record of a request that failed or was denied. Of an error that may repeat what the record must not show, the
/// text is left out.
pub(crate) fn failed(record: AuditRecord, error: &Error, is_whole: bool) -> AuditRecord {
    let outcome = if is_denied(error.code) { store::Outcome::Denied } else { store::Outcome::Failed };
    let may_repeat = !is_whole && error.code == ErrorCode::Validation;
    let message = if may_repeat { "[redacted]" } else { &error.message };
    refused(record, outcome, error.code.as_str(), message)
}

/// The record of a request with another end.
pub(crate) fn refused(record: AuditRecord, outcome: store::Outcome, code: &str, message: &str) -> AuditRecord {
    let error_message = Some(message.chars().take(MESSAGE).collect());
    AuditRecord { outcome, error_code: Some(code.to_owned()), error_message, ..record }
}

/// Whether the caller may not, or did not prove who it is.
fn is_denied(code: ErrorCode) -> bool {
    match code {
        ErrorCode::AccessDenied
        | ErrorCode::ExpiredToken
        | ErrorCode::IncompleteSignature
        | ErrorCode::InvalidSignature
        | ErrorCode::MissingAuthenticationToken
        | ErrorCode::UnrecognizedClient => true,
        ErrorCode::Conflict
        | ErrorCode::InternalServer
        | ErrorCode::ResourceNotFound
        | ErrorCode::ServiceQuotaExceeded
        | ErrorCode::Throttling
        | ErrorCode::Validation
        | ErrorCode::RequestEntityTooLarge
        | ErrorCode::Serialization
        | ErrorCode::ServiceUnavailable
        | ErrorCode::UnknownOperation => false,
    }
}

/// The record of a request that succeeds, and whether nothing had to be left out.
fn record_of(caller: &Caller, request: &Request) -> (AuditRecord, bool) {
    let (source, name) = named(request.operation());
    let told = request.disclosed();
    let record = record(caller, source, name);
    (AuditRecord { resource: about(request, caller), parameters: Some(told.json), ..record }, told.is_whole)
}

/// Of which service an operation is, and what it is called.
pub(crate) fn named(operation: Operation) -> (&'static str, &'static str) {
    let source = if operation.target().starts_with("AwsProton") { "proton" } else { "protium" };
    (source, operation.name())
}

/// The record of a request that succeeds, without what it is about.
pub(crate) fn record(caller: &Caller, source: &str, operation: &str) -> AuditRecord {
    let Caller { identity, access_key_id, scope, origin } = caller;
    let principal = &identity.principal;
    let agent: String = origin.user_agent.chars().take(USER_AGENT).collect();
    AuditRecord {
        request_id: origin.request_id.to_string(),
        at: origin.at,
        account: principal.account.clone(),
        region: Some(scope.region.clone()).filter(|region| !region.is_empty()),
        principal: principal.arn.clone(),
        principal_id: Some(principal.id.clone()),
        access_key_id: access_key_id.clone(),
        session_issuer: match &principal.kind {
            PrincipalKind::Session { role, .. } => Some(role.clone()),
            PrincipalKind::Root
            | PrincipalKind::User { .. }
            | PrincipalKind::Federated { .. }
            | PrincipalKind::Service { .. } => None,
        },
        source_ip: origin.source_ip.map(|ip| ip.to_string()),
        user_agent: Some(agent).filter(|agent| !agent.is_empty()),
        event_source: source.to_owned(),
        operation: operation.to_owned(),
        resource: None,
        parameters: None,
        outcome: store::Outcome::Succeeded,
        error_code: None,
        error_message: None,
        unrecorded: None,
    }
}

/// The ARN of what a request is about, also where no policy asks about it.
fn about(request: &Request, caller: &Caller) -> Option<String> {
    let scope = &caller.scope;
    let template = |name: &str, kind: api::TemplateType| {
        let name = name.to_owned();
        scope.arn(&match kind {
            api::TemplateType::Environment => Resource::EnvironmentTemplate(name),
            api::TemplateType::Service => Resource::ServiceTemplate(name),
        })
    };
    match request {
        Request::CreateAccount(input) => Some(Principal::root(input.id.as_str()).arn),
        Request::CreateServiceSyncConfig(input) => Some(scope.service(&input.service_name)),
        Request::UpdateServiceSyncConfig(input) => Some(scope.service(&input.service_name)),
        Request::DeleteServiceSyncConfig(input) => Some(scope.service(&input.service_name)),
        Request::CreateTemplateSyncConfig(input) => Some(template(&input.template_name, input.template_type)),
        Request::UpdateTemplateSyncConfig(input) => Some(template(&input.template_name, input.template_type)),
        Request::DeleteTemplateSyncConfig(input) => Some(template(&input.template_name, input.template_type)),
        request => Some(resource_of(request, caller)).filter(|arn| arn != "*"),
    }
}

/// `ListAuditRecords` of the caller's account, in all regions, the newest first.
pub(super) async fn list(cx: &Context, input: ListAuditRecordsInput) -> Result<ListAuditRecordsOutput> {
    let outcome = input.outcome.map(|outcome| match outcome {
        api::AuditOutcome::Denied => store::Outcome::Denied,
        api::AuditOutcome::Failed => store::Outcome::Failed,
        api::AuditOutcome::Succeeded => store::Outcome::Succeeded,
    });
    let filter = AuditFilter {
        from: input.start_time.map(|at| at.as_millis()),
        before: input.end_time.map(|at| at.as_millis()),
        principal: input.principal_arn.as_deref(),
        operation: input.operation.as_deref(),
        resource: input.resource_arn.as_deref(),
        outcome,
        request_id: input.request_id.as_deref(),
    };
    let of_time = |at: Option<i64>| at.map(|at| at.to_string()).unwrap_or_default();
    let (from, before) = (of_time(filter.from), of_time(filter.before));
    let filters = [
        from.as_str(),
        before.as_str(),
        filter.principal.unwrap_or_default(),
        filter.operation.unwrap_or_default(),
        filter.resource.unwrap_or_default(),
        outcome.map_or("", store::Outcome::as_str),
        filter.request_id.unwrap_or_default(),
    ];
    let page = Page::new(cx, "ListAuditRecords", filters, input.max_results, input.next_token.as_deref())?;
    let mut reader = cx.store().reader().await?;
    let found = audit_list(&mut reader, &cx.scope().account, &filter, page.after(), page.limit()).await?;
    let (found, next_token) = page.cut(found, |record| record.request_id.clone());
    Ok(ListAuditRecordsOutput { audit_records: found.into_iter().map(shown).collect(), next_token })
}

fn shown(record: AuditRecord) -> api::AuditRecord {
    api::AuditRecord {
        access_key_id: record.access_key_id,
        account_id: record.account,
        error_code: record.error_code,
        error_message: record.error_message,
        event_source: match record.event_source.as_str() {
            "protium" => api::AuditEventSource::Protium,
            "s3" => api::AuditEventSource::S3,
            "sts" => api::AuditEventSource::Sts,
            _ => api::AuditEventSource::Proton,
        },
        event_time: time(record.at),
        operation: record.operation,
        outcome: match record.outcome {
            store::Outcome::Succeeded => api::AuditOutcome::Succeeded,
            store::Outcome::Failed => api::AuditOutcome::Failed,
            store::Outcome::Denied => api::AuditOutcome::Denied,
        },
        principal_arn: record.principal,
        principal_id: record.principal_id,
        region: record.region,
        request_id: record.request_id,
        request_parameters: record.parameters,
        resource_arn: record.resource,
        session_issuer_arn: record.session_issuer,
        source_ip_address: record.source_ip,
        unrecorded: record.unrecorded.map(|count| i32::try_from(count).unwrap_or(i32::MAX)),
        user_agent: record.user_agent,
    }
}
