//! Copies the logs of runs that have ended to where all servers read them, again and again.
//!
//! Owns which of the logs on this machine are whole: those of deployments that have ended. A deployment never waits for
//! its log, and never fails because of it. Does not own how a log is kept (`engines::command`).

use super::told::Told;
use crate::app::App;
use crate::store::deployment_by_id;
use protium_domain::id::Id;
use protium_engines::command::{FinishedLog, LogStore, finished_logs};
use std::sync::Arc;
use std::time::Duration;

/// How often they are looked for, from the start on.
const EVERY: Duration = Duration::from_secs(5);

/// Goes on until it is dropped. What goes wrong is told once.
pub(super) async fn keep_all(app: Arc<App>, logs: LogStore) {
    let mut times = tokio::time::interval(EVERY);
    times.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = Told::default();
    loop {
        times.tick().await;
        let wrong = keep(&app, &logs).await.err().map(|error| format!("{error:#}"));
        if let Some(message) = told.news(wrong) {
            tracing::warn!("logs of runs can't be copied to run-logs, which is tried again: {message}");
        }
    }
}

async fn keep(app: &App, logs: &LogStore) -> anyhow::Result<()> {
    let folder = app.config.runs_folder();
    for log in tokio::task::spawn_blocking(move || finished_logs(&folder)).await?? {
        if !has_ended(app, &log).await? {
            continue;
        }
        logs.keep(&log).await.map_err(|transient| anyhow::anyhow!(transient.message))?;
        // Its record may have been deleted meanwhile, and what removes its log have found none.
        if has_ended(app, &log).await? {
            tokio::task::spawn_blocking(move || log.is_kept()).await??;
        } else {
            logs.forget(&log.deployment).await.map_err(|transient| anyhow::anyhow!(transient.message))?;
        }
    }
    Ok(())
}

/// Whether it is the log of a deployment that is known and has ended.
async fn has_ended(app: &App, log: &FinishedLog) -> anyhow::Result<bool> {
    let Some(id) = Id::parse(&log.deployment) else { return Ok(false) };
    let record = deployment_by_id(&mut app.store.reader().await?, &id).await?;
    Ok(record.is_some_and(|record| !record.status.is_active()))
}
