//! A place for tests to stand between the store and its database: to wait, to count, to fail.
//!
//! Owns: the hook and the clock's offset. Costs one relaxed load for each call while unset.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::db_error::DbResult;

/// What the store is about to do, or has just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call<'a> {
    /// A write transaction is about to begin.
    Begin,
    /// A write transaction that is to begin waits for those before it, which all know: on SQLite only. An error here
    /// is that of its begin.
    Queued,
    /// The statement is about to run.
    Statement(&'a str),
    /// A write transaction is about to be committed; an error here rolls it back.
    Commit,
    /// A write transaction was committed; an error here is a lost answer.
    Committed,
}

/// Called at each [`Call`]; an error takes the place of the database's answer.
pub type Probe = Arc<dyn Fn(Call<'_>) -> DbResult<()> + Send + Sync>;

/// The probe of one database, if there is one, and the offset of its clock.
#[derive(Default)]
pub(super) struct Testing {
    armed: AtomicBool,
    probe: Mutex<Option<Probe>>,
    clock_offset_ms: AtomicI64,
}

impl Testing {
    pub(super) fn set_probe(&self, probe: Option<Probe>) {
        let mut place = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
        self.armed.store(probe.is_some(), Ordering::SeqCst);
        *place = probe;
    }

    pub(super) fn call(&self, call: Call<'_>) -> DbResult<()> {
        if !self.armed.load(Ordering::Relaxed) {
            return Ok(());
        }
        // The probe runs outside of the mutex: it may block until another call arrives.
        let probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner).clone();
        probe.map_or(Ok(()), |probe| probe(call))
    }

    pub(super) fn advance_clock(&self, ms: i64) {
        self.clock_offset_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(super) fn clock_offset_ms(&self) -> i64 {
        self.clock_offset_ms.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Testing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Testing")
            .field("armed", &self.armed)
            .field("clock_offset_ms", &self.clock_offset_ms)
            .finish_non_exhaustive()
    }
}
