//! Forgets idempotency tokens that are older than they are remembered, and used tokens of identity providers that
//! have expired, so that their tables do not grow.

use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, Settle, job_settle, token_expire, web_identity_token_expire};
use crate::transaction;

/// How often, in milliseconds.
const EVERY_MS: i64 = 60 * 60 * 1000;

pub(super) async fn run(app: &App, job: &ClaimedJob) -> Result<()> {
    let now = app.clock.now_ms();
    let forgotten = transaction!(app.store, async |tx| -> Result<u64> {
        let forgotten = token_expire(tx, now).await? + web_identity_token_expire(tx, now).await?;
        let due_at = tx.now_ms().await?.saturating_add(EVERY_MS);
        job_settle(tx, job, Settle::Again(due_at)).await?;
        Ok(forgotten)
    })?;
    if forgotten > 0 {
        tracing::debug!(forgotten, "expired tokens are forgotten");
    }
    Ok(())
}
