//! Removes the log of a deployment whose record is deleted from the store of logs, however often that takes.

use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, Settle, job_settle};
use crate::transaction;
use protium_domain::id::Id;

/// How long until it is tried again, in milliseconds.
const PAUSE_MS: i64 = 60 * 1000;

pub(super) async fn run(app: &App, job: &ClaimedJob, deployment: &Id) -> Result<()> {
    // A server without such a store knows of no log there.
    let forgotten = match &app.logs {
        // On the heap: what speaks S3 is deep.
        Some(logs) => Box::pin(logs.forget(deployment.as_str())).await,
        None => Ok(()),
    };
    if let Err(why) = &forgotten {
        tracing::warn!(%deployment, "the log of a deleted deployment can't be removed, which is tried again: {}", why.message);
    }
    transaction!(app.store, async |tx| -> Result<()> {
        let settle = match forgotten {
            Ok(()) => Settle::Done,
            Err(_) => Settle::Failed(tx.now_ms().await?.saturating_add(PAUSE_MS)),
        };
        Ok(job_settle(tx, job, settle).await?)
    })
}
