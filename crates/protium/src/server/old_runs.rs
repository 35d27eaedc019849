//! Removes the files of runs that ended long ago, again and again.
//!
//! Owns which of them are still needed: those of deployments that are under way, whatever their files say, and the
//! last run and the last success of each resource that is there. Does not own what stands in the files
//! (`engines::command`).

use crate::app::App;
use crate::error::Result;
use crate::store::{deployment_by_id, target_get};
use protium_domain::id::Id;
use protium_engines::command::{OldRun, old_runs, remove_old_run};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// How often they are looked for, from the start on.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Goes on until it is dropped.
pub(super) async fn remove_all(app: Arc<App>) {
    let mut times = tokio::time::interval(EVERY);
    loop {
        times.tick().await;
        match remove(&app).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "files of old runs are removed"),
            Err(error) => tracing::warn!("files of old runs can't be removed, which is tried again: {error:#}"),
        }
    }
}

/// Removes what is old and not needed; answers of how many runs. One that can't be removed holds up no other.
async fn remove(app: &App) -> anyhow::Result<usize> {
    let (folder, before) = (app.config.runs_folder(), SystemTime::now() - app.config.run_keep);
    let found = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || old_runs(&folder, before)).await??
    };
    let mut removed = 0;
    for run in found {
        if is_needed(app, &run).await? {
            continue;
        }
        let (folder, id) = (folder.clone(), run.deployment.clone());
        match tokio::task::spawn_blocking(move || remove_old_run(&folder, &run, before)).await? {
            Ok(done) => removed += usize::from(done),
            Err(error) => tracing::warn!("files of the old run {id} can't be removed: {error}"),
        }
    }
    Ok(removed)
}

/// Whether the deployment is under way, or the last one or the last success of what it deployed. What is called like
/// no deployment is not ours to remove.
async fn is_needed(app: &App, run: &OldRun) -> Result<bool> {
    let Some(id) = Id::parse(&run.deployment) else { return Ok(true) };
    let mut rd = app.store.snapshot().await?;
    let Some(record) = deployment_by_id(&mut rd, &id).await? else { return Ok(false) };
    if record.status.is_active() {
        return Ok(true);
    }
    let Some(target) = target_get(&mut rd, &record.target).await? else { return Ok(false) };
    let (track, id) = (target.track(), Some(id));
    Ok(track.attempted_deployment == id || track.succeeded_deployment == id)
}
