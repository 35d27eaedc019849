//! What each job does: one match, one file a job.
//!
//! A job may run twice, stop anywhere, and start on another machine. It settles itself in the
//! transaction that saves its result; an `Err` leaves it to the worker, which tries again later.

mod deploy;
mod end_runs;
mod ending;
mod expire_audit;
mod expire_events;
mod expire_tokens;
mod forget_log;
mod order;
mod register_version;
mod render;
mod step;
mod terraform_run;
mod unprepared;

use crate::app::App;
use crate::error::{Result, internal};
use crate::store::{ClaimedJob, DbResult, Settle, Tx, job_settle};
use protium_domain::job::Job;

/// How often what has grown old is looked for, in milliseconds.
const EVERY_MS: i64 = 60 * 60 * 1000;
/// How many rows of a table are removed in one transaction: other writers wait for each.
const AT_ONCE: u32 = 1_000;

/// Runs a claimed job as far as it goes now.
pub async fn run(app: &App, claimed: &ClaimedJob) -> Result<()> {
    let job = Job::parse(&claimed.kind, &claimed.key)
        .ok_or_else(|| internal(anyhow::anyhow!("no job is called {} {}", claimed.kind, claimed.key)))?;
    match &job {
        Job::RegisterVersion { version } => register_version::run(app, claimed, version).await,
        Job::Deploy { deployment } => deploy::run(app, claimed, deployment).await,
        Job::ForgetLog { deployment } => forget_log::run(app, claimed, deployment).await,
        Job::EndRuns { deployment } => end_runs::run(app, claimed, deployment).await,
        Job::ExpireEvents => expire_events::run(app, claimed).await,
        Job::ExpireTokens => expire_tokens::run(app, claimed).await,
        Job::ExpireAudit => expire_audit::run(app, claimed).await,
    }
}

/// Ends a run of a job that removes what has grown old: it comes again, at once if there may be more of that now.
async fn again(tx: &mut Tx, job: &ClaimedJob, more: bool) -> DbResult<()> {
    let due_at = tx.now_ms().await?.saturating_add(if more { 0 } else { EVERY_MS });
    job_settle(tx, job, Settle::Again(due_at)).await
}
