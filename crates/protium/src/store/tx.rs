//! Reading, and write transactions: what the noun files and their callers work with.
//!
//! Owns: dooming a transaction at its first failure, running it again after a lost race, the tests' probe.
//! Does not own: how a database does any of it (`db`).

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};

use super::audit::Journal;
use super::contents::Contents;
use super::db::{CHANNEL, Db, Isolation, Link, RowRef};
use super::db_error::{DbError, DbErrorKind, DbResult};
use super::probe::{Call, Testing};
use super::value::{Param, Row};

/// How often a write transaction is run before the caller is told that the database is too busy.
const ATTEMPTS: u32 = 100;

/// Reads from the database. Get one from [`Db::reader`] or [`Db::snapshot`]; a [`Tx`] is one too.
pub struct Reader {
    link: Link,
    testing: Arc<Testing>,
    contents: Arc<Contents>,
    /// In a [`Tx`]: why nothing more is run, and nothing stored.
    doom: Option<DbError>,
    /// Whether a failure dooms what comes after it.
    strict: bool,
}

impl Reader {
    pub(super) fn new(link: Link, testing: &Arc<Testing>, contents: &Arc<Contents>) -> Self {
        let (testing, contents) = (Arc::clone(testing), Arc::clone(contents));
        Self { link, testing, contents, doom: None, strict: false }
    }

    /// All rows of a query.
    pub async fn query(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<Vec<Row>> {
        self.query_each(sql, params, |row| row.owned()).await
    }

    /// What `read` makes of each row of a query.
    pub(super) async fn query_each<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        read: impl FnMut(RowRef<'_>) -> DbResult<T>,
    ) -> DbResult<Vec<T>> {
        self.admit(sql)?;
        let rows = self.link.query(sql, params, read).await;
        self.note(rows)
    }

    /// Whether the database is in this process, which is SQLite's then.
    pub(super) fn is_embedded(&self) -> bool {
        self.link.is_embedded()
    }

    /// A content that was read a moment ago.
    pub(super) fn kept(&self, sha256: &str) -> Option<Arc<[u8]>> {
        self.contents.get(sha256)
    }

    /// Keeps a content that was read. Within a write transaction it may not be committed yet, and is not kept.
    pub(super) fn keep(&self, sha256: &str, body: &[u8]) {
        if !self.strict {
            self.contents.keep(sha256, body);
        }
    }

    /// The only row of a query, if there is one.
    pub async fn query_opt(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<Option<Row>> {
        let mut rows = self.query(sql, params).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            n => Err(DbError::other(format!("{n} rows, at most 1 expected: {sql}"))),
        }
    }

    /// The only row of a query that always has one, such as a count.
    pub async fn query_one(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<Row> {
        self.query_opt(sql, params).await?.ok_or_else(|| DbError::other(format!("no row, 1 expected: {sql}")))
    }

    /// The database's clock: milliseconds since 1970. It is the same for all processes.
    pub async fn now_ms(&mut self) -> DbResult<i64> {
        let now = if self.link.is_embedded() {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
        } else {
            let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
            self.query_one(sql, &[]).await?.int(0)?
        };
        Ok(now.saturating_add(self.testing.clock_offset_ms()))
    }

    /// Lets a statement through, unless the transaction is doomed.
    fn admit(&mut self, sql: &str) -> DbResult<()> {
        if let Some(doom) = &self.doom {
            return Err(doom.clone());
        }
        let call = self.testing.call(Call::Statement(sql));
        self.note(call)
    }

    fn note<T>(&mut self, result: DbResult<T>) -> DbResult<T> {
        if self.strict
            && let Err(error) = &result
        {
            self.doom.get_or_insert_with(|| error.clone());
        }
        result
    }
}

/// A write transaction. See [`transaction!`](crate::transaction).
pub struct Tx {
    reader: Reader,
    wakes: bool,
    wake: Arc<Notify>,
    tells: bool,
    told: watch::Sender<()>,
}

impl Tx {
    pub(super) fn new(reader: Reader, wake: &Arc<Notify>, told: &watch::Sender<()>) -> Self {
        let reader = Reader { strict: true, ..reader };
        Self { reader, wakes: false, wake: Arc::clone(wake), tells: false, told: told.clone() }
    }

    /// Runs a statement; returns how many rows it changed.
    pub async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<u64> {
        self.admit(sql)?;
        let changed = self.link.execute(sql, params).await;
        self.note(changed)
    }

    /// Runs a statement whose outcome nobody waits for: a failure shows with a later statement or the commit.
    pub(super) async fn defer(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<()> {
        self.admit(sql)?;
        let done = self.link.defer(sql, params).await;
        self.note(done)
    }

    /// Runs a statement that nothing else of this transaction reads from. A failure shows with the commit, at the latest.
    pub(super) async fn run_last(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<()> {
        self.admit(sql)?;
        let done = self.link.run_last(sql, params).await;
        self.note(done)
    }

    /// Wakes the workers, in every process, when this transaction is committed.
    pub async fn wake(&mut self) -> DbResult<()> {
        if !std::mem::replace(&mut self.wakes, true) && !self.link.is_embedded() {
            self.batch(&format!("NOTIFY {CHANNEL}")).await?;
        }
        Ok(())
    }

    /// Tells those who bring events to others, in this process, when this transaction is committed.
    pub(super) fn tell(&mut self) {
        self.tells = true;
    }

    /// Runs statements that have no parameters, separated by semicolons.
    pub(super) async fn batch(&mut self, sql: &str) -> DbResult<()> {
        self.admit(sql)?;
        let done = self.link.batch(sql).await;
        self.note(done)
    }

    /// Dooms this transaction: whatever its body returns, nothing of it is stored. Returns `why`.
    pub(super) fn doom(&mut self, why: DbError) -> DbError {
        self.reader.doom.get_or_insert(why).clone()
    }

    /// Commits if `good` and nothing doomed the transaction, else rolls it back. The error is why nothing was stored,
    /// except after [`Call::Committed`] or when the connection was lost during the commit.
    pub(super) async fn end(mut self, good: bool) -> DbResult<()> {
        let verdict = match self.reader.doom.take() {
            Some(doom) => Err(doom),
            None if good => self.testing.call(Call::Commit),
            None => Ok(()),
        };
        if !good || verdict.is_err() {
            self.link.rollback().await;
            return verdict;
        }
        self.link.commit().await?;
        if self.wakes {
            self.wake.notify_one();
        }
        if self.tells {
            self.told.send_replace(());
        }
        self.testing.call(Call::Committed)
    }
}

impl Deref for Tx {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

/// The runs of one write transaction, each on a fresh [`Tx`]. [`transaction!`](crate::transaction) is the only caller.
pub struct Attempts {
    db: Db,
    journal: Journal,
    run: u32,
}

impl Attempts {
    pub(super) fn new(db: Db, journal: Journal) -> Self {
        Self { db, journal, run: 0 }
    }

    /// Begins the next run.
    pub async fn begin(&mut self) -> DbResult<Tx> {
        self.run += 1;
        self.db.begin(Isolation::Serializable).await
    }

    /// Ends a run: commits what was done if `outcome` is `Ok`, else rolls it back. `None` asks for another run.
    pub async fn settle<T, E: From<DbError>>(&mut self, mut tx: Tx, outcome: Result<T, E>) -> Option<Result<T, E>> {
        if outcome.is_ok() {
            // A failure dooms the transaction: its end tells.
            let _ = self.journal.write(&mut tx).await;
        }
        let lost = match tx.end(outcome.is_ok()).await {
            Ok(()) => {
                if outcome.is_ok() {
                    self.journal.written();
                }
                return Some(outcome);
            }
            Err(error) if error.kind() == DbErrorKind::Serialization => error,
            // The body's own error is the more telling one; often it was made of this one.
            Err(error) => return Some(Err(outcome.err().unwrap_or_else(|| error.into()))),
        };
        if self.run >= ATTEMPTS {
            let why = format!("a transaction gave way {ATTEMPTS} times: {lost}");
            return Some(Err(DbError::new(DbErrorKind::TooBusy, why).into()));
        }
        tokio::time::sleep(back_off(self.run)).await;
        None
    }
}

/// A random pause, longer with each attempt, so that transactions that met do not meet again.
fn back_off(attempt: u32) -> Duration {
    let longest_us = 1_000_u64 << attempt.min(6);
    let random = getrandom::u64().unwrap_or(0);
    Duration::from_micros(random % longest_us)
}
