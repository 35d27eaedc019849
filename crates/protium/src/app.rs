//! The application: what every request and every job works with.

use crate::audit::Audit;
use crate::auth::Keys;
use crate::clock::Clock;
use crate::config::Config;
use crate::oidc::Issuers;
use crate::store::Store;
use crate::throttle::Throttle;
use protium_domain::id::Id;
use protium_engines::Engine;
use protium_engines::command::LogStore;
use std::sync::Arc;

/// Everything that lives as long as the server.
pub struct App {
    pub config: Config,
    pub store: Store,
    /// The access keys that signatures are checked against.
    pub keys: Arc<Keys>,
    pub clock: Clock,
    /// What requests leave behind.
    pub audit: Arc<Audit>,
    /// How much each caller may ask.
    pub throttle: Arc<Throttle>,
    /// The keys of identity providers.
    pub issuers: Issuers,
    pub engines: Engines,
    /// The URL of this server for what runs on its own machine.
    pub own_url: String,
    /// Where the bundles of template versions come from.
    pub bundles: crate::bundle_source::BundleSources,
    /// Where logs of runs are kept for all servers, if not in the data folder alone.
    pub logs: Option<LogStore>,
}

/// What makes infrastructure.
pub struct Engines {
    pub cloudformation: Arc<dyn Engine>,
    pub self_managed: Arc<dyn Engine>,
    /// Where this server runs commands; `None` if it is not to.
    pub commands: Option<Arc<dyn Engine>>,
}

/// The id of a new incarnation.
pub fn new_id() -> Id {
    Id::from_random(uuid::Uuid::new_v4().into_bytes())
}
