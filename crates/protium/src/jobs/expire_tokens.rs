//! Forgets idempotency tokens that are older than they are remembered, and used tokens of identity providers that
//! have expired, so that their tables do not grow.

use super::{EVERY_MS, again_in};
use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, token_expire, web_identity_token_expire};
use crate::transaction;

pub(super) async fn run(app: &App, job: &ClaimedJob) -> Result<()> {
    let now = app.clock.now_ms();
    let forgotten = transaction!(app.store, async |tx| -> Result<u64> {
        let forgotten = token_expire(tx, now).await? + web_identity_token_expire(tx, now).await?;
        again_in(tx, job, EVERY_MS).await?;
        Ok(forgotten)
    })?;
    if forgotten > 0 {
        tracing::debug!(forgotten, "expired tokens are forgotten");
    }
    Ok(())
}
