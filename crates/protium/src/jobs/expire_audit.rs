//! Removes records of the audit log that are older than they are kept, some at a time: other writers wait for each.

use super::{AT_ONCE, again};
use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, audit_expire};
use crate::transaction;

pub(super) async fn run(app: &App, job: &ClaimedJob) -> Result<()> {
    // Where none are written any more, those that there are go at once.
    let kept = app.config.audit.retention.unwrap_or_default();
    let before = app.clock.now_ms().saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
    let removed = transaction!(app.store, async |tx| -> Result<i64> {
        let removed = audit_expire(tx, before, AT_ONCE.into()).await?;
        again(tx, job, removed >= AT_ONCE.into()).await?;
        Ok(removed)
    })?;
    if removed > 0 {
        tracing::debug!(removed, "old records of the audit log are removed");
    }
    Ok(())
}
