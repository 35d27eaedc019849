//! Counts of rows that were made a moment ago, for those who needn't know it exactly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protium_domain::arn::Scope;
use quick_cache::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a count is taken for that of now.
const MOMENT: Duration = Duration::from_millis(10);
/// How many are kept.
const CAPACITY: usize = 1024;

/// How many may rely on such a count at once, in one process: twice the default number of connections. Those who wait
/// for a connection are no more than that either.
pub(super) const RELYING: usize = 32;

/// The counts, by account, region and what was counted.
#[derive(Debug)]
pub(super) struct Counts {
    known: Cache<(Scope, &'static str), (Instant, i64)>,
    relying: Arc<Semaphore>,
}

/// Lets one rely on a count until it is dropped.
pub type Relying = OwnedSemaphorePermit;

impl Default for Counts {
    fn default() -> Self {
        Self { known: Cache::new(CAPACITY), relying: Arc::new(Semaphore::new(RELYING)) }
    }
}

impl Counts {
    /// The count of at most ten milliseconds before `now`.
    pub(super) fn get(&self, scope: &Scope, what: &'static str, now: Instant) -> Option<i64> {
        let (at, count) = self.known.get(&(scope.clone(), what))?;
        (now.saturating_duration_since(at) < MOMENT).then_some(count)
    }

    /// Keeps a count that was begun at `at`.
    pub(super) fn keep(&self, scope: &Scope, what: &'static str, at: Instant, count: i64) {
        self.known.insert((scope.clone(), what), (at, count));
    }

    /// `None` while too many do.
    pub(super) fn rely(&self) -> Option<Relying> {
        Arc::clone(&self.relying).try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_forgotten_after_a_moment_and_is_nobody_elses() {
        let scope = |region: &str| Scope { account: "123456789012".to_owned(), region: region.to_owned() };
        let (counts, at) = (Counts::default(), Instant::now());
        counts.keep(&scope("a"), "templates", at, 7);
        assert_eq!(counts.get(&scope("a"), "templates", at + MOMENT / 2), Some(7));
        assert_eq!(counts.get(&scope("a"), "templates", at + MOMENT), None);
        assert_eq!(counts.get(&scope("b"), "templates", at), None);
        assert_eq!(counts.get(&scope("a"), "services", at), None);
    }

    #[test]
    fn not_all_rely_on_a_count_at_once() {
        let counts = Counts::default();
        let mut relying: Vec<_> = (0..RELYING).map(|_| counts.rely().expect("a place")).collect();
        assert!(counts.rely().is_none());
        relying.pop();
        assert!(counts.rely().is_some());
    }
}
