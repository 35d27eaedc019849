//! Removes records of the audit log that are older than they are kept, some at a time: other writers wait for each.

use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, Settle, audit_expire, job_settle};
use crate::transaction;

/// How often, in milliseconds.
const EVERY_MS: i64 = 60 * 60 * 1000;
/// How many are removed in one transaction.
const AT_ONCE: i64 = 1000;

pub(super) async fn run(app: &App, job: &ClaimedJob) -> Result<()> {
    // Where none are written any more, those that there are go at once.
    let kept = app.config.audit.retention.unwrap_or_default();
    let before = app.clock.now_ms().saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
    let removed = transaction!(app.store, async |tx| -> Result<i64> {
        let removed = audit_expire(tx, before, AT_ONCE).await?;
        let pause = if removed < AT_ONCE { EVERY_MS } else { 0 };
        let due_at = tx.now_ms().await?.saturating_add(pause);
        job_settle(tx, job, Settle::Again(due_at)).await?;
        Ok(removed)
    })?;
    if removed > 0 {
        tracing::debug!(removed, "old records of the audit log are removed");
    }
    Ok(())
}
