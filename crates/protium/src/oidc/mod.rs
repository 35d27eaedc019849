//! OpenID Connect providers: their keys, fetched and kept, and their tokens, checked.
//!
//! Owns: asking registered issuers for their keys, and no one else for anything. Does not own: which issuers are
//! registered, and what a token is good for.

mod fetch;
pub mod keys;
pub mod token;

use crate::clock::Clock;
use keys::KeySet;
use quick_cache::sync::Cache;
use std::sync::{Arc, Mutex, PoisonError};

pub use token::{Presented, TokenError, Verified};

/// For how long keys are used without being fetched again, in milliseconds.
const FRESH_MS: i64 = 60 * 60 * 1000;
/// For how long they are used while they can't be.
const USABLE_MS: i64 = 24 * 60 * 60 * 1000;
/// How soon an issuer is asked again because a token names a key that it had not.
const UNKNOWN_KEY_MS: i64 = 30 * 1000;
/// How soon an issuer is asked again after it could not be.
const FAILED_MS: i64 = 5 * 1000;
/// Of how many issuers keys are kept.
const ISSUERS: usize = 256;

/// The issuer could not be asked for its keys. The log has the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable;

/// The keys of all issuers that were asked, shared by every request.
#[derive(Debug)]
pub struct Issuers {
    known: Cache<String, Arc<Issuer>>,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Issuer {
    state: Mutex<State>,
    /// Held by whoever asks: the others wait for what comes of it.
    asking: tokio::sync::Mutex<()>,
}

/// What is known of an issuer. Times are in milliseconds since 1970.
#[derive(Debug, Default)]
struct State {
    keys: Option<(Arc<KeySet>, i64)>,
    /// When it could last not be asked.
    failed_at: Option<i64>,
}

impl Issuers {
    pub fn new(clock: Clock) -> Self {
        Self { known: Cache::new(ISSUERS), clock }
    }

    /// The keys of an issuer, which must be a registered one: this is what makes the server send a request to it.
    /// If the key `id` is not among those that are kept, they are fetched anew, though not each time.
    ///
    /// # Errors
    /// There are none that could still be used, and the issuer could not be asked.
    pub async fn keys(&self, url: &str, id: Option<&str>) -> Result<Arc<KeySet>, Unreachable> {
        let made = self.known.get_or_insert_with::<_, Unreachable>(url, || Ok(Arc::default()));
        let issuer = made?;
        if let Some(settled) = issuer.settled(id, self.clock.now_ms()) {
            return settled;
        }
        let _asking = issuer.asking.lock().await;
        if let Some(settled) = issuer.settled(id, self.clock.now_ms()) {
            return settled;
        }
        let fetched = fetch::keys(url).await;
        let now = self.clock.now_ms();
        issuer.change(|state| match fetched {
            Ok(keys) => *state = State { keys: Some((Arc::new(keys), now)), failed_at: None },
            Err(error) => {
                tracing::warn!(issuer = url, "the keys of the identity provider can't be fetched: {error}");
                state.failed_at = Some(now);
            }
        });
        issuer.change(|state| state.usable(now))
    }
}

impl Issuer {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The answer, if the issuer need not or may not be asked for it.
    fn settled(&self, id: Option<&str>, now: i64) -> Option<Result<Arc<KeySet>, Unreachable>> {
        self.change(|state| {
            let is_fresh = state.keys.as_ref().is_some_and(|(keys, at)| {
                let age = now.saturating_sub(*at);
                age < FRESH_MS && (keys.has(id) || age < UNKNOWN_KEY_MS)
            });
            let failed = state.failed_at.is_some_and(|at| now.saturating_sub(at) < FAILED_MS);
            (is_fresh || failed).then(|| state.usable(now))
        })
    }
}

impl State {
    fn usable(&self, now: i64) -> Result<Arc<KeySet>, Unreachable> {
        let keys = self.keys.as_ref().filter(|(_, at)| now.saturating_sub(*at) < USABLE_MS);
        keys.map(|(keys, _)| Arc::clone(keys)).ok_or(Unreachable)
    }
}
