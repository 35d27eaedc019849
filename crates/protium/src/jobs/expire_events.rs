//! Forgets events, and deliveries of them, that are older than they are kept, so that the tables do not grow.

use super::{AT_ONCE, again};
use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, deliveries_expire, event_expire};
use crate::transaction;

pub(super) async fn run(app: &App, job: &ClaimedJob) -> Result<()> {
    let kept = i64::try_from(app.config.event_keep.as_millis()).unwrap_or(i64::MAX);
    let before = app.clock.now_ms().saturating_sub(kept);
    let forgotten = transaction!(app.store, async |tx| -> Result<u64> {
        let deliveries = deliveries_expire(tx, before, AT_ONCE.into()).await?;
        let events = event_expire(tx, before, AT_ONCE.into()).await?;
        again(tx, job, deliveries.max(events) >= AT_ONCE.into()).await?;
        Ok(deliveries + events)
    })?;
    if forgotten > 0 {
        tracing::debug!(forgotten, "old events and deliveries are forgotten");
    }
    Ok(())
}
