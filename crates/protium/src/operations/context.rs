//! Who asks, for which account and region, and when: what every operation is given.

use super::authorize::Shows;
use crate::app::App;
use crate::auth::Identity;
use crate::store::Store;
use protium_domain::arn::Scope;
use std::net::IpAddr;
use std::sync::Arc;

/// The caller, as the signature proved it.
#[derive(Clone, Debug)]
pub struct Caller {
    pub identity: Arc<Identity>,
    /// The account of the key and the region that was signed.
    pub scope: Scope,
    pub origin: Origin,
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The one that the answer carries.
    pub request_id: uuid::Uuid,
    /// The client's address; none if it is not known, as within the process.
    pub source_ip: Option<IpAddr>,
    /// Whether it came over HTTPS.
    pub is_secure: bool,
    /// The header, as the client sent it; empty if it sent none.
    pub user_agent: String,
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
}

impl Context {
    pub fn new(app: Arc<App>, caller: Caller) -> Self {
        let now = app.clock.now_ms();
        Self { app, caller, now, shows: Shows::Everything }
    }

    pub(super) fn store(&self) -> &Store {
        &self.app.store
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
