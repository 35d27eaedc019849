//! How requests reach the audit log.
//!
//! Owns what is done when a request has ended: its record, if no transaction of its own has written it, and the line in
//! the operator's file. Bounded: refusals of one caller are recorded so many in a second, and so many of all callers
//! are written at the same time; what is beyond is counted. Does not own what is recorded of which request.

mod lines;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::config::AuditSettings;
use crate::store::{AuditRecord, DbResult, Entry, Store, audit_append};
use crate::throttle::{Allowance, Kind, Throttle};
use crate::transaction;
use lines::Lines;
pub use lines::line;

/// Refusals of one caller that are recorded in a second; in a burst, ten times as many.
const REFUSALS_PER_SECOND: u32 = 20;
/// Refusals that are written at the same time, of all callers.
const AT_ONCE: usize = 16;
/// So many callers are known of whom something was not recorded.
const KNOWN: usize = 4096;

/// The audit log of one process.
#[derive(Debug)]
pub struct Audit {
    store: Store,
    clock: Clock,
    /// Whether records are kept in the store.
    keeps: bool,
    lines: Option<Lines>,
    refusals: Throttle,
    places: Arc<Semaphore>,
    unrecorded: AtomicU64,
    /// How many of them by the principal, until a record of that one says so.
    unrecorded_of: Mutex<HashMap<String, i64>>,
}

impl Audit {
    /// # Errors
    /// The operator's file can't be opened.
    pub fn open(store: Store, clock: Clock, settings: &AuditSettings) -> std::io::Result<Self> {
        let per_second = [REFUSALS_PER_SECOND; 3];
        Ok(Self {
            store,
            clock,
            keeps: settings.retention.is_some(),
            lines: settings.log.as_ref().map(Lines::open).transpose()?,
            refusals: Throttle::new(Allowance { per_second, at_once: 0, waiting: 0 }),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            unrecorded: AtomicU64::new(0),
            unrecorded_of: Mutex::default(),
        })
    }

    /// The store of a request that is to leave this record if it succeeds.
    pub fn store_for(&self, entry: &Arc<Entry>) -> Store {
        if self.keeps { self.store.recording(entry) } else { self.store.clone() }
    }

    /// Ends a request that succeeded. As a rule its change has brought the record along; one that changed nothing, such
    /// as a repeated one, writes it here.
    ///
    /// # Errors
    /// The record could not be written: the request must not be answered as if it was.
    pub async fn succeeded(&self, entry: &Entry) -> DbResult<()> {
        if self.keeps && !entry.is_written() {
            self.append(&entry.record()).await?;
        }
        if let Some(lines) = &self.lines {
            lines.write(&entry.record());
        }
        Ok(())
    }

    /// Records a request that was refused or failed, unless there are too many of its caller. Goes on when the caller
    /// goes away.
    pub async fn refused(self: &Arc<Self>, record: AuditRecord) {
        let granted = self.refusals.admit(&record.principal, Kind::Write, self.clock.elapsed_ms()).await;
        let place = granted.ok().and_then(|_| Arc::clone(&self.places).try_acquire_owned().ok());
        let Some(place) = place else { return self.leave_out(&record.principal) };
        let audit = Arc::clone(self);
        let written = tokio::spawn(async move {
            audit.write(record).await;
            drop(place);
        });
        if written.await.is_err() {
            tracing::warn!("a refused request has no record in the audit log: the program ends");
        }
    }

    async fn write(&self, mut record: AuditRecord) {
        record.unrecorded = self.left_out(&record.principal);
        if self.keeps
            && let Err(error) = self.append(&record).await
        {
            // Nothing was changed: it is told, and not made into another error of the caller.
            tracing::warn!(request_id = record.request_id, "a refused request has no record in the audit log: {error}");
            self.leave_out(&record.principal);
        }
        if let Some(lines) = &self.lines {
            lines.write(&record);
        }
    }

    /// How many refusals have no record since the start.
    pub fn unrecorded(&self) -> u64 {
        self.unrecorded.load(Ordering::Relaxed)
    }

    async fn append(&self, record: &AuditRecord) -> DbResult<()> {
        transaction!(self.store, async |tx| -> DbResult<()> { audit_append(tx, record).await })
    }

    fn leave_out(&self, principal: &str) {
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
        let mut of = self.unrecorded_of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = of.get_mut(principal) {
            *count += 1;
        } else if of.len() < KNOWN {
            of.insert(principal.to_owned(), 1);
        }
    }

    fn left_out(&self, principal: &str) -> Option<i64> {
        self.unrecorded_of.lock().unwrap_or_else(PoisonError::into_inner).remove(principal)
    }
}
