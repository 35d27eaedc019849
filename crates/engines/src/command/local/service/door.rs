//! Whether a process has become the one of its resource: in time or never.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Stands between the one that asks a process whether it answers and the one that ends it when it is late: what
/// happens first is what happened.
pub(super) struct Door {
    /// Until when it may be opened; `None` once it is open.
    until: Mutex<Option<Instant>>,
}

impl Door {
    pub(super) fn until(deadline: Instant) -> Self {
        Self { until: Mutex::new(Some(deadline)) }
    }

    /// Of a process that has been the one before.
    pub(super) fn opened() -> Self {
        Self { until: Mutex::new(None) }
    }

    /// Until when it may be opened, if it is not.
    pub(super) fn deadline(&self) -> Option<Instant> {
        *self.locked()
    }

    pub(super) fn is_open(&self) -> bool {
        self.deadline().is_none()
    }

    /// Whether it can be opened no more.
    pub(super) fn is_shut(&self) -> bool {
        self.deadline().is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Does `enter` and opens it, if it is not too late. `enter` is done once, and not if it fails.
    pub(super) fn open<E>(&self, enter: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let mut until = self.locked();
        if until.is_some_and(|deadline| Instant::now() < deadline) {
            enter()?;
            *until = None;
        }
        Ok(())
    }

    /// It can be opened no more, unless it is.
    pub(super) fn shut(&self) {
        let mut until = self.locked();
        if until.is_some() {
            *until = Some(Instant::now());
        }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_happens_first_is_what_happened() {
        let later = Instant::now() + Duration::from_secs(3600);
        let door = Door::until(later);
        assert!(!door.is_open() && !door.is_shut());
        assert_eq!(door.open(|| Err("full")), Err("full"));
        assert!(!door.is_open());
        assert_eq!(door.open(|| Ok::<_, &str>(())), Ok(()));
        door.shut();
        assert!(door.is_open() && !door.is_shut());
        let door = Door::until(later);
        door.shut();
        assert_eq!(door.open(|| Err("it is too late for this")), Ok(()));
        assert!(!door.is_open() && door.is_shut());
        assert!(Door::until(Instant::now()).is_shut() && Door::opened().is_open());
    }
}
