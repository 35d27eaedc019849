//! Jobs: what is left to do, each leased by one worker at a time.
//!
//! Owns: enqueueing, claiming, renewing and settling. Does not own: what a job does (`jobs`), the loop (`worker`).
//!
//! A claim increments `attempts`; renewing and settling are conditional on that number, so a worker that lost its
//! lease writes nothing. Times are the database's clock, in milliseconds since 1970.

use super::Store;
use super::db_error::{DbError, DbErrorKind, DbResult};
use super::tx::{Reader, Tx};
use super::value::Row;
use crate::params;

/// A job to enqueue.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    /// Which job: the name of a variant of `domain::job::Job`.
    pub kind: &'a str,
    /// What it is about, an id. There is one job for each kind and key.
    pub key: &'a str,
    /// The incarnation whose deletion makes it pointless.
    pub resource_id: &'a str,
    /// The job as JSON: ids only.
    pub payload: &'a str,
    /// Not before this time.
    pub due_at: i64,
    /// The caller's clock.
    pub now: i64,
}

/// A job in the hands of one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The row.
    pub id: String,
    /// See [`NewJob::kind`].
    pub kind: String,
    /// See [`NewJob::key`].
    pub key: String,
    /// See [`NewJob::resource_id`].
    pub resource_id: String,
    /// See [`NewJob::payload`].
    pub payload: String,
    /// How often it was claimed; the number of this claim.
    pub attempts: i64,
    /// How often in a row it failed before.
    pub failures: i64,
    /// How often it had been enqueued when it was claimed.
    pub nudges: i64,
}

/// What becomes of a claimed job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Nothing is left to do, unless it was enqueued again meanwhile.
    Done,
    /// It made progress and goes on at that time.
    Again(i64),
    /// It failed and is tried again at that time.
    Failed(i64),
}

/// How many jobs of a kind there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCount {
    /// See [`NewJob::kind`].
    pub kind: String,
    /// All of them.
    pub total: i64,
    /// Those that a worker has or had.
    pub leased: i64,
    /// Those that were due before `now` and that nobody has.
    pub overdue: i64,
}

/// Enqueues a job. If there is one of the same kind and key already, that one becomes due at the earlier time;
/// while a worker has it, it will run once more after that.
pub async fn job_enqueue(tx: &mut Tx, job: &NewJob<'_>) -> DbResult<()> {
    let id = uuid::Uuid::new_v4().to_string();
    let sql = "INSERT INTO job
                   (id, kind, key, resource_id, payload, due_at, attempts, failures, nudges, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 1, $7)
               ON CONFLICT (kind, key) DO UPDATE SET
                   due_at = CASE WHEN excluded.due_at < job.due_at THEN excluded.due_at ELSE job.due_at END,
                   nudges = job.nudges + 1";
    let params = params![&id, job.kind, job.key, job.resource_id, job.payload, job.due_at, job.now];
    tx.execute(sql, params).await?;
    tx.wake().await
}

/// Makes a job due `now` that a worker has had before, if there is one; while a worker has it, it will run once more after
/// that. One that nobody has had may have to wait for what comes before it.
pub async fn job_hasten(tx: &mut Tx, kind: &str, key: &str, now: i64) -> DbResult<()> {
    let sql = "UPDATE job SET due_at = CASE WHEN due_at > $3 THEN $3 ELSE due_at END, nudges = nudges + 1
               WHERE kind = $1 AND key = $2 AND attempts > 0";
    match tx.execute(sql, params![kind, key, now]).await? {
        0 => Ok(()),
        _ => tx.wake().await,
    }
}

/// Settles a job in the transaction that saves its result. If the lease went to another worker, the transaction is
/// doomed, and the error is [`DbErrorKind::LeaseLost`].
pub async fn job_settle(tx: &mut Tx, job: &ClaimedJob, settle: Settle) -> DbResult<()> {
    let (due_at, failures) = match settle {
        Settle::Done => {
            let sql = "DELETE FROM job WHERE id = $1 AND attempts = $2 AND nudges = $3";
            if tx.execute(sql, params![&job.id, job.attempts, job.nudges]).await? == 1 {
                return Ok(());
            }
            (0, 0)
        }
        Settle::Again(due_at) => (due_at, 0),
        Settle::Failed(due_at) => (due_at, job.failures + 1),
    };
    // Enqueued again meanwhile: it stays due as early as that asked for.
    let sql = "UPDATE job SET lease_until = NULL, lease_by = NULL, failures = $4,
                   due_at = CASE WHEN nudges = $3 THEN $5 ELSE due_at END
               WHERE id = $1 AND attempts = $2";
    let params = params![&job.id, job.attempts, job.nudges, failures, due_at];
    if tx.execute(sql, params).await? == 1 {
        return tx.wake().await;
    }
    Err(tx.doom(lease_lost(job)))
}

/// Makes sure, in the transaction that saves a step, that the worker still has the job. Otherwise the transaction is
/// doomed, and the error is [`DbErrorKind::LeaseLost`].
pub async fn job_hold(tx: &mut Tx, job: &ClaimedJob) -> DbResult<()> {
    // Writes, although it changes nothing: another worker's claim must not slip in before the commit.
    let sql = "UPDATE job SET attempts = attempts WHERE id = $1 AND attempts = $2";
    if tx.execute(sql, params![&job.id, job.attempts]).await? == 1 {
        return Ok(());
    }
    Err(tx.doom(lease_lost(job)))
}

/// Removes the jobs of a resource, when it is deleted. A worker that has one loses its lease.
pub async fn job_drop(tx: &mut Tx, resource_id: &str) -> DbResult<()> {
    tx.execute("DELETE FROM job WHERE resource_id = $1", params![resource_id]).await?;
    Ok(())
}

/// Removes the jobs of a resource, whoever has one: it can't settle any more. Returns when the last of their leases
/// ends; from then on nothing of them runs. `None`: nobody had one. A job that nobody has had and that is to begin later
/// waits for the lease of one that was fenced before it.
pub async fn job_fence(tx: &mut Tx, resource_id: &str) -> DbResult<Option<i64>> {
    let sql = "SELECT MAX(CASE WHEN lease_until IS NULL AND attempts = 0 AND due_at > 0 THEN due_at
                               ELSE lease_until END)
               FROM job WHERE resource_id = $1";
    let until = tx.query_one(sql, params![resource_id]).await?.opt_int(0)?;
    job_drop(tx, resource_id).await?;
    Ok(until)
}

/// When the next job can be claimed, if there is one.
pub async fn job_next_due(rd: &mut Reader) -> DbResult<Option<i64>> {
    let sql = "SELECT MIN(at) FROM (
                   SELECT MIN(due_at) AS at FROM job WHERE lease_until IS NULL
                   UNION ALL
                   SELECT MIN(lease_until) AS at FROM job WHERE lease_until IS NOT NULL
               ) AS claimable";
    rd.query_one(sql, params![]).await?.opt_int(0)
}

/// Numbers for the metrics, by kind.
pub async fn job_counts(rd: &mut Reader) -> DbResult<Vec<JobCount>> {
    let now = rd.now_ms().await?;
    let sql = "SELECT kind, COUNT(*), COUNT(lease_until),
                   COUNT(CASE WHEN lease_until IS NULL AND due_at < $1 THEN 1 END)
               FROM job GROUP BY kind ORDER BY kind";
    let rows = rd.query(sql, params![now]).await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(JobCount { kind: row.text(0)?, total: row.int(1)?, leased: row.int(2)?, overdue: row.int(3)? })
        })
        .collect()
}

impl Store {
    /// Claims the job that has been due for longest, for `lease_ms` from now. `None`: nothing is due.
    pub async fn job_claim(&self, worker: &str, lease_ms: i64) -> DbResult<Option<ClaimedJob>> {
        let now = self.db().reader().await?.now_ms().await?;
        let skip_locked = if self.db().is_embedded() { "" } else { "FOR UPDATE SKIP LOCKED" };
        let sql = format!(
            "UPDATE job SET attempts = attempts + 1, lease_until = $2, lease_by = $3
             WHERE id = (
                 SELECT id FROM job
                 WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
                 ORDER BY due_at, id LIMIT 1 {skip_locked}
             )
             RETURNING id, kind, key, resource_id, payload, attempts, failures, nudges"
        );
        let claimed = self.db().execute_alone(&sql, params![now, now + lease_ms, worker]).await?;
        claimed.into_iter().next().map(read_claimed).transpose()
    }

    /// Prolongs a lease to `lease_ms` from now. `false`: it went to another worker, stop.
    pub async fn job_renew(&self, job: &ClaimedJob, lease_ms: i64) -> DbResult<bool> {
        let now = self.db().reader().await?.now_ms().await?;
        let sql = "UPDATE job SET lease_until = $3 WHERE id = $1 AND attempts = $2 RETURNING id";
        let params = params![&job.id, job.attempts, now + lease_ms];
        Ok(!self.db().execute_alone(sql, params).await?.is_empty())
    }

    /// Gives a job back unfinished, so that another worker can have it at once.
    pub async fn job_give_back(&self, job: &ClaimedJob) -> DbResult<()> {
        let sql = "UPDATE job SET lease_until = NULL, lease_by = NULL WHERE id = $1 AND attempts = $2 RETURNING id";
        self.db().execute_alone(sql, params![&job.id, job.attempts]).await?;
        Ok(())
    }

    /// Takes all leases back, when this process is the only one: the workers that had them are gone. On a shared
    /// database nothing happens, since leases of other processes must expire. Returns how many there were.
    pub async fn job_take_back_all(&self) -> DbResult<usize> {
        if !self.db().is_embedded() {
            return Ok(0);
        }
        let sql = "UPDATE job SET lease_until = NULL, lease_by = NULL WHERE lease_until IS NOT NULL RETURNING id";
        Ok(self.db().execute_alone(sql, params![]).await?.len())
    }
}

fn read_claimed(mut row: Row) -> DbResult<ClaimedJob> {
    Ok(ClaimedJob {
        id: row.text(0)?,
        kind: row.text(1)?,
        key: row.text(2)?,
        resource_id: row.text(3)?,
        payload: row.text(4)?,
        attempts: row.int(5)?,
        failures: row.int(6)?,
        nudges: row.int(7)?,
    })
}

fn lease_lost(job: &ClaimedJob) -> DbError {
    DbError::new(DbErrorKind::LeaseLost, format!("another worker has the job {} {}", job.kind, job.id))
}
