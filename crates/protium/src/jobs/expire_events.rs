//! Forgets events, and deliveries of them, that are older than they are kept, so that the tables do not grow.

use super::{EVERY_MS, again_in};
use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, deliveries_expire, event_expire};
use crate::transaction;

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
        again_in(tx, job, pause).await?;
        Ok(deliveries + events)
    })?;
    if forgotten > 0 {
        tracing::debug!(forgotten, "old events and deliveries are forgotten");
    }
    Ok(())
}
