//! Removes records of the audit log that are older than they are kept, some at a time: other writers wait for each.

use super::{EVERY_MS, again_in};
use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, audit_expire};
use crate::transaction;

/// How many are removed in one transaction.
const AT_ONCE: i64 = 1000;

pub(super) async fn run(app: &App, job: &ClaimedJob) -> Result<()> {
    // Where none are written any more, those that there are go at once.
    let kept = app.config.audit.retention.unwrap_or_default();
    let before = app.clock.now_ms().saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
    let removed = transaction!(app.store, async |tx| -> Result<i64> {
        let removed = audit_expire(tx, before, AT_ONCE).await?;
        let pause = if removed < AT_ONCE { EVERY_MS } else { 0 };
        again_in(tx, job, pause).await?;
        Ok(removed)
    })?;
    if removed > 0 {
        tracing::debug!(removed, "old records of the audit log are removed");
    }
    Ok(())
}
