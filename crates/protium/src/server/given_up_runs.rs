//! Asks runs to end whose deployment is over, again and again: of what was force-deleted or deployed anew meanwhile.
//!
//! Owns which of the runs on this machine should not go on. How one is asked is `engines::command`'s. What it has made
//! stays; a process that a run has left behind is no run.

use super::told::Told;
use crate::app::App;
use crate::store::deployment_by_id;
use protium_domain::id::Id;
use protium_engines::command::{GoingRun, going_runs};
use std::sync::Arc;
use std::time::Duration;

/// How often they are looked for, from the start on.
const EVERY: Duration = Duration::from_secs(5);

/// Goes on until it is dropped. What goes wrong is told once.
pub(super) async fn stop_all(app: Arc<App>) {
    let mut times = tokio::time::interval(EVERY);
    let mut told = Told::default();
    loop {
        times.tick().await;
        let wrong = stop(&app).await.err().map(|error| format!("{error:#}"));
        if let Some(message) = told.news(wrong) {
            tracing::warn!("runs whose deployment is over can't be ended, which is tried again: {message}");
        }
    }
}

async fn stop(app: &App) -> anyhow::Result<()> {
    let folder = app.config.runs_folder();
    for run in tokio::task::spawn_blocking(move || going_runs(&folder)).await?? {
        if !is_over(app, &run).await? {
            continue;
        }
        tracing::info!(deployment = run.deployment, "a run is asked to end, since its deployment is over");
        tokio::task::spawn_blocking(move || run.stop()).await??;
    }
    Ok(())
}

/// Whether its deployment has ended without it; its record may have been deleted since. A run that is not called like a
/// deployment is somebody else's.
async fn is_over(app: &App, run: &GoingRun) -> anyhow::Result<bool> {
    let Some(id) = Id::parse(&run.deployment) else { return Ok(false) };
    let record = deployment_by_id(&mut app.store.reader().await?, &id).await?;
    Ok(record.is_none_or(|record| !record.status.is_active()))
}
