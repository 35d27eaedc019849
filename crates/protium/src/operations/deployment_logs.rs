//! What the commands of a deployment print.
//!
//! Owns: reading the log of its run, page by page, also while it is written. Does not own: writing it (the engine of
//! commands), copying it to the store of logs (`server::kept_logs`), and removing it (`server::old_runs`). The files are
//! those in the data folder of this server; where it has none, the store of logs is asked.

use super::Context;
use super::page::Page;
use super::wire::time;
use crate::error::{Error, Result, internal, not_found};
use crate::store::{content_get, deployment_get};
use protium_api::ErrorCode;
use protium_api::types::{self as api, GetDeploymentLogsInput, GetDeploymentLogsOutput};
use protium_domain::deployment::Deployment;
use protium_domain::provisioning::Method;
use protium_engines::command::{LogLine, LogPage, read_log};
use serde::Deserialize;

/// How long after its end the log of a deployment is waited for that another server has, in milliseconds.
const ON_ITS_WAY_MS: i64 = 60 * 1000;

/// `GetDeploymentLogs`, the oldest line first. There is a token until the deployment and its run have ended and all
/// was read: who asks again and again with the newest one follows the run. A page may be empty meanwhile, and its
/// token the one that it was asked for with.
pub(super) async fn get(cx: &Context, input: GetDeploymentLogsInput) -> Result<GetDeploymentLogsOutput> {
    let page = Page::new(cx, "GetDeploymentLogs", ["id", &input.id], input.max_results, input.next_token.as_deref())?;
    let from = page.after_place()?;
    // Read before the log: what was written before the end of the deployment is not missed.
    let record = deployment_get(&mut cx.store().reader().await?, cx.scope(), &input.id).await?;
    let record = record.ok_or_else(|| not_found("deployment", cx.scope().deployment(&input.id)))?;
    let is_active = record.status.is_active();
    let nothing = LogPage { lines: Vec::new(), next: from, is_last: true };
    let log = match read(cx, &record, from, page.size()).await? {
        Some(log) => log,
        None if !is_active && is_awaited(cx, &record).await? => LogPage { is_last: false, ..nothing },
        None if !is_active && is_removed(cx, &record).await? => return Err(removed(cx, &record)),
        None => nothing,
    };
    let next_token = (is_active || !log.is_last).then(|| page.token_after(&log.next.to_string()));
    Ok(GetDeploymentLogsOutput { logs: log.lines.into_iter().map(shown).collect(), next_token })
}

async fn read(cx: &Context, record: &Deployment, from: u64, lines: usize) -> Result<Option<LogPage>> {
    let folder = cx.app.config.runs_folder();
    let (resource, deployment) = (record.target.id.to_string(), record.id.to_string());
    let read = tokio::task::spawn_blocking(move || read_log(&folder, &resource, &deployment, from, lines));
    let here = read.await.map_err(internal)?.map_err(internal)?;
    match &cx.app.logs {
        // What goes on is not there yet.
        Some(logs) if here.is_none() && !record.status.is_active() => {
            // On the heap: what speaks S3 is deep.
            let there = Box::pin(logs.read(record.id.as_str(), from, lines)).await;
            there.map_err(|transient| internal(anyhow::anyhow!("run-logs can't be read: {}", transient.message)))
        }
        _ => Ok(here),
    }
}

/// Whether the log of a deployment that has ended just now may still be on its way from the server that has it.
async fn is_awaited(cx: &Context, record: &Deployment) -> Result<bool> {
    let is_new = record.completed_at.is_some_and(|at| cx.now.saturating_sub(at) < ON_ITS_WAY_MS);
    Ok(cx.app.logs.is_some() && is_new && is_of_commands(cx, record).await?)
}

/// What this page needs of the order of a deployment.
#[derive(Deserialize)]
struct Order {
    engine: Option<String>,
}

/// Whether an ended deployment without a log may have had one: it was one of commands, and ended too long ago.
async fn is_removed(cx: &Context, record: &Deployment) -> Result<bool> {
    let kept = i64::try_from(cx.app.config.run_keep.as_millis()).unwrap_or(i64::MAX);
    let is_old = record.completed_at.is_some_and(|at| at.saturating_add(kept) < cx.now);
    Ok(is_old && is_of_commands(cx, record).await?)
}

/// Whether what it did was run as commands.
async fn is_of_commands(cx: &Context, record: &Deployment) -> Result<bool> {
    let Some(order) = &record.order else { return Ok(false) };
    let order = content_get(&mut cx.store().reader().await?, order).await?;
    let order: Order = serde_json::from_slice(&order).map_err(internal)?;
    let method = order.engine.as_deref().and_then(Method::parse);
    Ok(matches!(method, Some(Method::Commands | Method::Terraform)))
}

fn removed(cx: &Context, record: &Deployment) -> Error {
    let (arn, days) = (cx.scope().deployment(record.id.as_str()), cx.app.config.run_keep.as_secs() / (24 * 60 * 60));
    let message = format!(
        "The deployment {arn} has no log any more: the files of a run are removed {days} days after it has ended"
    );
    Error::new(ErrorCode::ResourceNotFound, message)
}

fn shown(line: LogLine) -> api::LogLine {
    api::LogLine { message: line.text, timestamp: time(line.at) }
}
