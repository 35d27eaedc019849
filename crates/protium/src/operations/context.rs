//! Who asks, for which account and region, and when: what every operation is given.

use super::authorize::Shows;
use crate::app::App;
use crate::auth::Identity;
use crate::store::{Entry, Store, request_id};
use protium_domain::arn::Scope;
use std::net::IpAddr;
use std::sync::Arc;

/// The caller, as the signature proved it.
#[derive(Clone, Debug)]
pub struct Caller {
    pub identity: Arc<Identity>,
    /// The key that signed; none of a run, which has its token.
    pub access_key_id: Option<String>,
    /// The account of the key and the region that was signed.
    pub scope: Scope,
    pub origin: Origin,
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The one that the answer carries.
    pub request_id: uuid::Uuid,
    /// When it came in, which the id begins with: milliseconds since 1970.
    pub at: i64,
    /// The client's address; none if it is not known, as within the process.
    pub source_ip: Option<IpAddr>,
    /// Whether it came over HTTPS.
    pub is_secure: bool,
    /// The header, as the client sent it; empty if it sent none.
    pub user_agent: String,
}

impl Origin {
    /// A request that came in at `at` (milliseconds since 1970), under a new id.
    pub fn new(at: i64) -> Self {
        Self { request_id: request_id(at), at, source_ip: None, is_secure: false, user_agent: String::new() }
    }
}

/// What one request works with.
#[derive(Clone)]
pub struct Context {
    pub app: Arc<App>,
    pub caller: Caller,
    /// When the request came in: all that it writes has this time.
    pub now: i64,
    /// What lists show to the caller.
    pub(super) shows: Shows,
    record: Option<Recording>,
}

/// What a request that may change something writes with, and what it leaves in the audit log.
#[derive(Clone)]
struct Recording {
    store: Store,
    entry: Arc<Entry>,
}

impl Context {
    pub fn new(app: Arc<App>, caller: Caller) -> Self {
        let now = app.clock.now_ms();
        Self { app, caller, now, shows: Shows::Everything, record: None }
    }

    /// The same request, whose lists show this.
    pub(super) fn showing(self, shows: Shows) -> Self {
        Self { shows, ..self }
    }

    /// The same request, whose record its first change brings along.
    pub(super) fn recording(self, entry: &Arc<Entry>) -> Self {
        let (store, entry) = (self.app.audit.store_for(entry), Arc::clone(entry));
        Self { record: Some(Recording { store, entry }), ..self }
    }

    pub(super) fn store(&self) -> &Store {
        self.record.as_ref().map_or(&self.app.store, |record| &record.store)
    }

    /// Says in the request's record what it made, where the request does not name it. Before its transaction ends.
    pub(super) fn concerns(&self, arn: &str) {
        if let Some(record) = &self.record {
            record.entry.concerns(arn);
        }
    }

    /// The account and region that the request sees.
    pub(super) fn scope(&self) -> &Scope {
        &self.caller.scope
    }
}

impl Context {
    /// When a cancellation that starts now fails as timed out.
    pub(super) fn cancel_deadline(&self) -> i64 {
        let allowed = i64::try_from(self.app.config.cancel_deadline.as_millis()).unwrap_or(i64::MAX);
        self.now.saturating_add(allowed)
    }
}
