//! Forgets idempotency tokens that are older than they are remembered, and used tokens of identity providers that
//! have expired, so that their tables do not grow: some at a time, since other writers wait for each.

use super::{AT_ONCE, again};
use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, token_expire, web_identity_token_expire};
use crate::transaction;

pub(super) async fn run(app: &App, job: &ClaimedJob) -> Result<()> {
    let now = app.clock.now_ms();
    let forgotten = transaction!(app.store, async |tx| -> Result<u64> {
        let tokens = token_expire(tx, now, AT_ONCE.into()).await?;
        let of_providers = web_identity_token_expire(tx, now, AT_ONCE.into()).await?;
        again(tx, job, tokens.max(of_providers) >= AT_ONCE.into()).await?;
        Ok(tokens + of_providers)
    })?;
    if forgotten > 0 {
        tracing::debug!(forgotten, "expired tokens are forgotten");
    }
    Ok(())
}
