//! Forgets events, and deliveries of them, that are older than they are kept, so that the tables do not grow.

use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, Settle, deliveries_expire, event_expire, job_settle};
use crate::transaction;

/// How often, in milliseconds.
const EVERY_MS: i64 = 60 * 60 * 1000;
/// How many rows of a table at a time: others write in between.
const BATCH: u32 = 1_000;

pub(super) async fn run(app: &App, job: &ClaimedJob) -> Result<()> {
    let kept = i64::try_from(app.config.event_keep.as_millis()).unwrap_or(i64::MAX);
    let before = app.clock.now_ms().saturating_sub(kept);
    let forgotten = transaction!(app.store, async |tx| -> Result<u64> {
        let deliveries = deliveries_expire(tx, before, BATCH.into()).await?;
        let events = event_expire(tx, before, BATCH.into()).await?;
        let more = deliveries == u64::from(BATCH) || events == u64::from(BATCH);
        let pause = if more { 0 } else { EVERY_MS };
        let due_at = tx.now_ms().await?.saturating_add(pause);
        job_settle(tx, job, Settle::Again(due_at)).await?;
        Ok(deliveries + events)
    })?;
    if forgotten > 0 {
        tracing::debug!(forgotten, "old events and deliveries are forgotten");
    }
    Ok(())
}
