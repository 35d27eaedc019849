//! Counts of rows that were made a moment ago, for those who needn't know it exactly.

use std::time::{Duration, Instant};

use protium_domain::arn::Scope;
use quick_cache::sync::Cache;

/// How long a count is taken for that of now.
const MOMENT: Duration = Duration::from_millis(10);
/// How many are kept.
const CAPACITY: usize = 1024;

/// The counts, by account, region and what was counted.
#[derive(Debug)]
pub(super) struct Counts(Cache<(Scope, &'static str), (Instant, i64)>);

impl Default for Counts {
    fn default() -> Self {
        Self(Cache::new(CAPACITY))
    }
}

impl Counts {
    /// The count of at most ten milliseconds before `now`.
    pub(super) fn get(&self, scope: &Scope, what: &'static str, now: Instant) -> Option<i64> {
        let (at, count) = self.0.get(&(scope.clone(), what))?;
        (now.saturating_duration_since(at) < MOMENT).then_some(count)
    }

    /// Keeps a count that was begun at `at`.
    pub(super) fn keep(&self, scope: &Scope, what: &'static str, at: Instant, count: i64) {
        self.0.insert((scope.clone(), what), (at, count));
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
}
