//! The embedded bundle store: the part of S3 that `aws s3` and the SDKs need to bring bundles.
//!
//! Owns: S3's operations and errors over the directory in the database and the blobs on disk; the parsing
//! of its wire format is the crate `s3s`. Answers share an origin with the console, so each of them tells
//! the browser to run nothing. Does not do: versions, ACLs, tags, encryption, public access; what asks for
//! them is refused, not ignored.

mod access;
mod answer;
mod blob;
mod bucket;
mod condition;
mod copy;
mod details;
mod digest;
mod failure;
mod gate;
mod host;
mod incoming;
mod listing;
mod object;
mod part;
mod recorded;
mod service;
mod sweep;
mod upload;
mod uploads;

use std::io;
use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, Response};
use s3s::host::S3Host;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Error, S3ErrorCode, S3Result};
use serde_json::json;

use crate::audit::Audit;
use crate::auth::Keys;
use crate::clock::Clock;
use crate::operations::{self, Origin};
use crate::store::{AuditRecord, Store};
use crate::throttle::{Kind, Throttle};
pub use blob::{Blobs, blob_path};
use failure::refusal;
use host::Domain;
pub use sweep::sweep;

/// Who calls, as the signature says.
#[derive(Clone, Debug)]
struct Caller(operations::Caller);

impl Caller {
    fn account(&self) -> &str {
        &self.0.scope.account
    }

    fn region(&self) -> &str {
        &self.0.scope.region
    }
}

/// The bundle store, shared by all requests.
pub struct S3 {
    service: S3Service,
    keys: Arc<Keys>,
    clock: Clock,
    domain: Option<Domain>,
    audit: Arc<Audit>,
    throttle: Arc<Throttle>,
}

/// Which of a caller's buckets a request is taken from.
fn kind(method: &Method) -> Kind {
    if method.is_safe() { Kind::Read } else { Kind::Write }
}

impl S3 {
    /// `domain`: buckets may be named by hosts below it.
    pub fn new(
        store: Store,
        blobs: Blobs,
        keys: Arc<Keys>,
        clock: Clock,
        (audit, throttle): (Arc<Audit>, Arc<Throttle>),
        domain: Option<&str>,
    ) -> Self {
        let shelves = service::Shelves { store, blobs, clock: clock.clone(), audit: Arc::clone(&audit) };
        let mut builder = S3ServiceBuilder::new(shelves);
        builder.set_auth(service::KnownKeys(Arc::clone(&keys)));
        builder.set_access(access::Access(Arc::clone(&audit)));
        let domain = domain.map(Domain::new);
        if let Some(domain) = &domain {
            builder.set_host(domain.clone());
        }
        Self { service: builder.build(), keys, clock, domain, audit, throttle }
    }

    /// Answers any request to S3, whatever is wrong with it.
    pub async fn answer(&self, request: Request<Body>, origin: Origin) -> Response<Body> {
        let id = origin.request_id;
        let response = match self.call(request, origin).await {
            Ok(response) => response,
            Err(error) => answer::error(error),
        };
        answer::sandboxed(response, id)
    }

    async fn call(&self, request: Request<Body>, origin: Origin) -> S3Result<s3s::HttpResponse> {
        let (parts, body) = request.into_parts();
        let caller = match gate::admit(&parts, &self.keys, self.clock.now_ms(), &origin) {
            Ok(caller) => caller,
            Err(error) => return Err(self.denied(&parts, origin, error).await),
        };
        let (who, kind) = (caller.0.identity.principal.limited_as(), kind(&parts.method));
        // Its turn ends here: a body may take long to arrive.
        let turn = self.throttle.admit(who, kind, self.clock.elapsed_ms()).await.map(drop);
        turn.map_err(|_| refusal(S3ErrorCode::SlowDown, "Please reduce your request rate."))?;
        let body = if gate::carries_object(&parts, self.names_bucket(&parts)) {
            s3s::Body::http_body_unsync(body)
        } else {
            s3s::Body::from(gate::read_command(&parts, body).await?)
        };
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().insert(caller);
        self.service.call(request).await.map_err(|error| {
            tracing::error!("an answer of the bundle store could not be written: {error:?}");
            S3Error::new(S3ErrorCode::InternalError)
        })
    }

    /// Records a request that is denied to the owner of a known key, or to who used it.
    async fn denied(&self, parts: &http::request::Parts, origin: Origin, error: S3Error) -> S3Error {
        let asked = ("s3", operations::audit::UNKNOWN);
        if recorded::is_denied(&error)
            && let Some(record) = operations::audit::claimed(&self.keys, parts, asked, origin)
        {
            let parameters = json!({ "method": parts.method.as_str(), "path": parts.uri.path() });
            let record = AuditRecord { parameters: Some(parameters.to_string()), ..record };
            self.audit.refused(recorded::refused(record, &error)).await;
        }
        error
    }

    fn names_bucket(&self, parts: &http::request::Parts) -> bool {
        let header = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host = header.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
        match (&self.domain, host) {
            (Some(domain), Some(host)) => domain.parse_host_header(host).is_ok_and(|host| host.bucket().is_some()),
            _ => false,
        }
    }
}

/// Opens an object for reading: its size in bytes and the file that is its body. `None`: the account has
/// no such bucket or object.
///
/// # Errors
/// The database or the file could not be read.
pub async fn open_object(
    store: &Store,
    blobs: &Blobs,
    account: &str,
    bucket: &str,
    key: &str,
) -> io::Result<Option<(u64, tokio::fs::File)>> {
    let opened = object::open(store, blobs, account, bucket, key).await;
    match opened {
        Ok(Some((row, file))) => Ok(Some((u64::try_from(row.size).unwrap_or_default(), file))),
        Ok(None) => Ok(None),
        Err(failure::Failure::File(error)) => Err(error),
        Err(failure::Failure::Db(error)) => Err(io::Error::other(error)),
        Err(failure::Failure::Refused(error)) => Err(io::Error::other(error)),
    }
}
