//! When a key signed, last: noted as requests come, and given to whoever saves it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Within so many milliseconds a use is not noted again.
const NOTED_MS: i64 = 1_000;

/// A use of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    /// In milliseconds since 1970.
    pub at: i64,
    pub region: String,
    /// As in the signature's scope.
    pub service: &'static str,
}

/// The last use of one key that is not saved yet.
#[derive(Debug, Default)]
pub(super) struct Uses {
    noted: AtomicI64,
    unsaved: Mutex<Option<LastUse>>,
}

impl Uses {
    pub(super) fn note(&self, now_ms: i64, region: &str, service: &'static str) {
        if now_ms.saturating_sub(self.noted.load(Ordering::Relaxed)) < NOTED_MS {
            return;
        }
        self.noted.store(now_ms, Ordering::Relaxed);
        let last = LastUse { at: now_ms, region: region.to_owned(), service };
        *self.unsaved.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    pub(super) fn take(&self) -> Option<LastUse> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_given_once_and_noted_once_a_second() {
        let uses = Uses::default();
        assert_eq!(uses.take(), None);
        uses.note(5_000, "us-east-1", "proton");
        uses.note(5_999, "eu-west-1", "s3");
        assert_eq!(uses.take(), Some(LastUse { at: 5_000, region: "us-east-1".into(), service: "proton" }));
        uses.note(5_999, "eu-west-1", "s3");
        assert_eq!(uses.take(), None);
        uses.note(6_000, "eu-west-1", "s3");
        assert_eq!(uses.take(), Some(LastUse { at: 6_000, region: "eu-west-1".into(), service: "s3" }));
    }
}
