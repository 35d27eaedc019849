//! The one durable loop: claim → run → settle; nothing else.
//!
//! A job is leased while it runs and the lease is renewed beside it. A worker that lost its lease, or could not renew
//! it before its end, stops the job at once: whoever has it now goes on from the last saved step.

use crate::app::App;
use crate::error::{Error, Result};
use crate::jobs;
use crate::store::{ClaimedJob, DbErrorKind, Settle, job_next_due, job_settle};
use crate::transaction;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How long a lease lasts.
const LEASE_MS: i64 = 15_000;
/// How often it is renewed.
const RENEW_MS: i64 = 5_000;
/// How many jobs run at the same time in one process.
const JOBS: usize = 16;
/// How long the loop sleeps at most when nothing wakes it.
const POLL: Duration = Duration::from_secs(5);
/// How long running steps may take to finish when the process stops.
const DRAIN: Duration = Duration::from_secs(10);

/// The running loop of a process. It ends without warning when it is dropped.
pub struct Worker {
    stop: watch::Sender<Stop>,
    task: JoinHandle<()>,
}

/// `None` until the loop is to end; then how long running steps may go on.
type Stop = Option<Duration>;

impl Worker {
    /// Starts the loop; `name` tells workers apart in leases.
    pub fn start(app: Arc<App>, name: String) -> Self {
        let (stop, stopped) = watch::channel(None);
        let listener = app.store.db().listen();
        let task = tokio::spawn(async move {
            work(app, &name, stopped).await;
            if let Some(listener) = listener {
                listener.abort();
            }
        });
        Self { stop, task }
    }

    /// Claims nothing more; running steps finish or give their lease back.
    pub async fn stop(self) {
        self.stop_within(DRAIN).await;
    }

    /// The same, where running steps have that long to finish.
    pub async fn stop_within(self, drain: Duration) {
        // The loop is gone only if it panicked; then there is nothing to wait for.
        let _ = self.stop.send(Some(drain));
        let _ = self.task.await;
    }
}

async fn work(app: Arc<App>, name: &str, mut stopped: watch::Receiver<Stop>) {
    let slots = Arc::new(Semaphore::new(JOBS));
    let woken = app.store.db().woken();
    let mut running = JoinSet::new();
    while stopped.borrow().is_none() {
        let wake = woken.notified();
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        // The lease begins later, when the database hears of it: here it is over no later than there.
        let asked_at = app.clock.elapsed_ms();
        match app.store.job_claim(name, LEASE_MS).await {
            Ok(Some(job)) => {
                let (app, stopped) = (Arc::clone(&app), stopped.clone());
                running.spawn(async move {
                    hold(&app, &job, asked_at, stopped).await;
                    drop(slot);
                });
                while running.try_join_next().is_some() {}
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!("no job can be claimed: {error}"),
        }
        drop(slot);
        let pause = until_due(&app).await;
        tokio::select! {
            () = wake => {}
            () = tokio::time::sleep(pause) => {}
            changed = stopped.changed() => if changed.is_err() { break },
        }
    }
    while running.join_next().await.is_some() {}
}

/// How long nothing can be due.
async fn until_due(app: &App) -> Duration {
    let next = async {
        let mut rd = app.store.reader().await?;
        let (now, next) = (rd.now_ms().await?, job_next_due(&mut rd).await?);
        Ok::<_, Error>(next.map(|next| next.saturating_sub(now)))
    };
    match next.await {
        Ok(Some(ms)) => Duration::from_millis(u64::try_from(ms).unwrap_or(0)).clamp(Duration::from_millis(1), POLL),
        Ok(None) | Err(_) => POLL,
    }
}

/// Runs a job while its lease is renewed, and stops it when the lease is lost or the process ends.
async fn hold(app: &App, job: &ClaimedJob, asked_at: i64, mut stopped: watch::Receiver<Stop>) {
    let drained = async {
        // Closed means that whoever started the loop is gone, and nobody waits.
        let drain = stopped.wait_for(Option::is_some).await.map_or(None, |stop| *stop);
        tokio::time::sleep(drain.unwrap_or_default()).await;
    };
    tokio::select! {
        () = run(app, job) => {}
        () = keep(app, job, asked_at) => tracing::warn!(job = %job.id, "the lease of the job {} is lost; it is stopped here", job.kind),
        () = drained => {
            if let Err(error) = app.store.job_give_back(job).await {
                tracing::warn!(job = %job.id, "the lease can't be given back and will expire: {error}");
            }
        }
    }
}

/// Renews the lease until it is lost: another worker has it, or its time is over. It was asked for at `asked_at`.
async fn keep(app: &App, job: &ClaimedJob, mut asked_at: i64) {
    loop {
        let renewed = async {
            let mut asked = asked_at;
            loop {
                app.clock.sleep_until(asked.saturating_add(RENEW_MS)).await;
                asked = app.clock.elapsed_ms();
                match app.store.job_renew(job, LEASE_MS).await {
                    Ok(renewed) => return renewed.then_some(asked),
                    Err(error) => tracing::warn!(job = %job.id, "the lease can't be renewed: {error}"),
                }
            }
        };
        tokio::select! {
            biased;
            // Then others may do what this job does: whatever it is in the middle of ends here.
            () = app.clock.sleep_until(asked_at.saturating_add(LEASE_MS)) => return,
            asked = renewed => match asked {
                Some(asked) => asked_at = asked,
                None => return,
            },
        }
    }
}

/// Runs a job once and, if it did not settle itself, gives it back for a while.
async fn run(app: &App, job: &ClaimedJob) {
    let Err(error) = jobs::run(app, job).await else { return };
    if is_lease_lost(&error) {
        return;
    }
    tracing::error!(job = %job.id, kind = %job.kind, failures = job.failures, "{}", chain(&error));
    if let Err(error) = give_back(app, job).await
        && !is_lease_lost(&error)
    {
        tracing::error!(job = %job.id, "the job can't be given back, its lease will expire: {}", chain(&error));
    }
}

async fn give_back(app: &App, job: &ClaimedJob) -> Result<()> {
    let pause = 500i64.saturating_mul(1 << job.failures.clamp(0, 7));
    transaction!(app.store, async |tx| -> Result<()> {
        let due_at = tx.now_ms().await?.saturating_add(pause);
        Ok(job_settle(tx, job, Settle::Failed(due_at)).await?)
    })
}

fn is_lease_lost(error: &Error) -> bool {
    let cause = error.source.as_ref().and_then(|source| source.downcast_ref::<crate::store::DbError>());
    cause.is_some_and(|cause| cause.kind() == DbErrorKind::LeaseLost)
}

fn chain(error: &Error) -> String {
    match &error.source {
        Some(source) => format!("{source:#}"),
        None => error.to_string(),
    }
}

/// Claims and runs one job that is due, as the loop does. `false` if none is. For tests and tools
/// that step by step see what happens.
pub async fn run_one(app: &App, name: &str) -> Result<bool> {
    match app.store.job_claim(name, LEASE_MS).await? {
        Some(job) => {
            run(app, &job).await;
            Ok(true)
        }
        None => Ok(false),
    }
}
