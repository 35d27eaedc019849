//! Ends what runs on elsewhere of a target that was removed with all that it has left as it was.
//!
//! On this machine, runs are ended that nobody waits for any more (`server::given_up_runs`).

use super::order::Prepared;
use crate::app::App;
use crate::error::Result;
use crate::store::{ClaimedJob, Settle, deployment_by_id, job_settle};
use crate::transaction;
use protium_domain::deployment::{Deployment, LeftRun};
use protium_domain::id::Id;
use protium_engines::Transient;
use std::time::Duration;

/// How long until it is looked whether they have ended, in milliseconds.
const PAUSE_MS: i64 = 5 * 1000;
/// How long until it is tried again when that is not known, in milliseconds.
const AGAIN_MS: i64 = 60 * 1000;

pub(super) async fn run(app: &App, job: &ClaimedJob, deployment: &Id) -> Result<()> {
    let record = deployment_by_id(&mut app.store.reader().await?, deployment).await?;
    let left = record.as_ref().and_then(|record| Some((record, record.left.as_ref()?)));
    let goes_on = match left.filter(|(_, left)| app.clock.now_ms() < left.until) {
        Some((record, left)) => end(app, record, left).await?,
        None => Ok(false),
    };
    if let Err(why) = &goes_on {
        tracing::warn!(%deployment, "a run of what was force-deleted can't be ended, which is tried again: {}", why.message);
    }
    transaction!(app.store, async |tx| -> Result<()> {
        let now = tx.now_ms().await?;
        let settle = match goes_on {
            Ok(false) => Settle::Done,
            Ok(true) => Settle::Again(now.saturating_add(PAUSE_MS)),
            Err(_) => Settle::Failed(now.saturating_add(AGAIN_MS)),
        };
        Ok(job_settle(tx, job, settle).await?)
    })
}

/// Asks it to end; whether it goes on.
async fn end(app: &App, record: &Deployment, left: &LeftRun) -> Result<Result<bool, Transient>> {
    let Some(engine) = &app.engines.commands else {
        let message = "this server runs no commands now".to_owned();
        return Ok(Err(Transient { message, retry_after: None }));
    };
    let prepared = Prepared::load(app, &left.order).await?;
    let mut order = prepared.order(record, &left.physical, Duration::ZERO);
    order.environment_id = left.environment.as_ref().map(ToString::to_string);
    Ok(engine.end_others(&order).await)
}
