//! What clients may take of the server before it is known who they are: places for requests, look-ups of keys, looks
//! whether all is well.

use crate::config::Config;
use crate::crowd::Crowd;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// So many keys that are not known here are looked up at the same time: fewer than the database has connections.
const LOOK_UPS: usize = 4;

pub(super) struct Bounds {
    pub(super) places: Arc<Crowd>,
    /// For look-ups of keys that are not known: anybody may name one.
    pub(super) look_ups: Semaphore,
    pub(super) ready: Together<bool>,
    pub(super) metrics: Together<Bytes>,
}

impl Bounds {
    pub(super) fn new(config: &Config) -> Self {
        let limits = &config.connections;
        Self {
            places: Crowd::new(limits.most_requests, limits.requests_per_address(), &config.trusted_proxies),
            look_ups: Semaphore::new(LOOK_UPS),
            ready: Together::default(),
            metrics: Together::default(),
        }
    }
}

/// One look for all who want the same at the same time.
pub(super) struct Together<T>(Mutex<Option<WeakShared<BoxFuture<'static, T>>>>);

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Together<T> {
    /// What the look that is under way sees, or else a new one. It ends when nobody waits for it any more.
    pub(super) fn look<F>(&self, begin: impl FnOnce() -> F) -> Shared<BoxFuture<'static, T>>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let joined = under_way.as_ref().and_then(WeakShared::upgrade).filter(|look| look.peek().is_none());
        joined.unwrap_or_else(|| {
            let look = begin().boxed().shared();
            *under_way = look.downgrade();
            look
        })
    }
}
