//! The database: SQLite or PostgreSQL behind one small enum. Drivers are named here and in `db/` only.
//!
//! Owns: connections, isolation levels, parameters and rows on the wire of each driver. Does not own: what a
//! transaction is to its callers (`tx`), any table (one file a noun), the schema (`migrate`).
//!
//! There is one SQL text for both: `$1` parameters, TEXT, BIGINT and BYTEA, `COLLATE "C"` on text keys.

mod copy;
mod postgres;
mod row;
mod sqlite;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::audit::Journal;
use super::contents::Contents;
use super::db_error::{DbError, DbErrorKind, DbResult};
use super::options::{DatabaseUrl, DbOptions};
use super::probe::{Call, Probe, Testing};
use super::tx::{Attempts, Reader, Tx};
use super::value::{Param, Row};
use postgres::{Postgres, Session};
use sqlite::{Sqlite, Turn};

pub(super) use row::RowRef;

pub use copy::{Inspection, sqlite_copy, sqlite_inspect};

/// How long a call waits for a free PostgreSQL connection, and a SQLite call for a lock of another program.
const PATIENCE: Duration = Duration::from_secs(10);
/// Statements that each connection keeps prepared.
const PREPARED: usize = 256;
/// The channel on which PostgreSQL tells that a job is due.
pub(super) const CHANNEL: &str = "protium_job";
/// A database, cheap to clone.
#[derive(Clone)]
pub struct Db {
    driver: Driver,
    testing: Arc<Testing>,
    contents: Arc<Contents>,
    wake: Arc<Notify>,
    told: watch::Sender<()>,
}

#[derive(Clone)]
enum Driver {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Db {
    /// Opens the database, creating a SQLite file and its folder if need be. An unavailable database is
    /// retried for [`DbOptions::retry_for`], with a line in the log each time.
    pub async fn open(options: &DbOptions) -> DbResult<Self> {
        let deadline = Instant::now() + options.retry_for;
        let mut pause = Duration::from_millis(250);
        let driver = loop {
            let error = match Driver::open(options).await {
                Ok(driver) => break driver,
                Err(error) => error,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if error.kind() != DbErrorKind::Unavailable || left.is_zero() {
                return Err(error);
            }
            tracing::warn!("waiting for the database, {} s left: {error}", left.as_secs());
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        };
        Ok(Self {
            driver,
            testing: Arc::default(),
            contents: Arc::default(),
            wake: Arc::default(),
            told: watch::Sender::default(),
        })
    }

    /// For statements that each stand alone: each sees the newest committed state of its own moment.
    pub async fn reader(&self) -> DbResult<Reader> {
        Ok(Reader::new(self.driver.reader().await?, &self.testing, &self.contents))
    }

    /// For statements that belong together: all of them see the same committed state.
    pub async fn snapshot(&self) -> DbResult<Reader> {
        let mut link = self.driver.reader().await?;
        link.begin(Isolation::Snapshot).await?;
        Ok(Reader::new(link, &self.testing, &self.contents))
    }

    /// The runs of one write transaction, for `transaction!`.
    pub fn attempts(&self) -> Attempts {
        Attempts::new(self.clone(), Journal::default())
    }

    /// Begins a write transaction.
    pub(super) async fn begin(&self, isolation: Isolation) -> DbResult<Tx> {
        self.testing.call(Call::Begin)?;
        let mut link = self.driver.writer(|| self.testing.call(Call::Queued)).await?;
        link.begin(isolation).await?;
        Ok(Tx::new(Reader::new(link, &self.testing, &self.contents), &self.wake, &self.told))
    }

    /// Runs one writing statement in a transaction of its own, without the isolation that rules across rows need:
    /// for claiming rows that others claim at the same time, which would make a serializable one give way often.
    pub(super) async fn execute_alone(&self, sql: &str, params: &[Param<'_>]) -> DbResult<Vec<Row>> {
        match &self.driver {
            Driver::Sqlite(_) => {
                let mut tx = self.begin(Isolation::Serializable).await?;
                let rows = tx.query(sql, params).await;
                tx.end(rows.is_ok()).await?;
                rows
            }
            Driver::Postgres(_) => self.reader().await?.query(sql, params).await,
        }
    }

    /// Whether this is the embedded database, which no other process shares.
    pub fn is_embedded(&self) -> bool {
        matches!(self.driver, Driver::Sqlite(_))
    }

    /// The signal of [`Tx::wake`], from this process and, once [`Db::listen`] was called, from others.
    pub fn woken(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Changes when events were logged, by this process.
    pub fn told(&self) -> watch::Receiver<()> {
        self.told.subscribe()
    }

    /// Passes on the wakes of other processes for as long as the returned task lives. With SQLite there are none.
    pub fn listen(&self) -> Option<tokio::task::JoinHandle<()>> {
        match &self.driver {
            Driver::Sqlite(_) => None,
            Driver::Postgres(postgres) => {
                let (postgres, wake) = (Arc::clone(postgres), Arc::clone(&self.wake));
                Some(tokio::spawn(async move { postgres.listen(&wake).await }))
            }
        }
    }

    /// Sets or removes the probe that is told of every call. For tests.
    pub fn set_probe(&self, probe: Option<Probe>) {
        self.testing.set_probe(probe);
    }

    /// Lets [`Reader::now_ms`] be `ms` later from now on. For tests.
    pub fn advance_clock(&self, ms: i64) {
        self.testing.advance_clock(ms);
    }
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.driver {
            Driver::Sqlite(_) => "Db(SQLite)",
            Driver::Postgres(_) => "Db(PostgreSQL)",
        })
    }
}

/// One connection, on loan, and whether a transaction is open on it.
pub(super) struct Link {
    connection: Connection,
    open: bool,
}

enum Connection {
    /// A reader, and where it is kept for the next one.
    SqliteReader(Option<rusqlite::Connection>, Arc<Sqlite>),
    SqliteWriter(Option<Turn>),
    Postgres(Option<Session>),
}

/// What a transaction may see of others.
#[derive(Clone, Copy)]
pub(super) enum Isolation {
    /// Reads one state of the database.
    Snapshot,
    /// Writes as if nothing else ran at the same time.
    Serializable,
    /// Writes while no other transaction of this kind runs, in any process.
    Exclusive,
}

impl Link {
    /// What `read` makes of each row of a query.
    pub(super) async fn query<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        mut read: impl FnMut(RowRef<'_>) -> DbResult<T>,
    ) -> DbResult<Vec<T>> {
        match &mut self.connection {
            Connection::Postgres(Some(session)) => session.query(sql, params, |row| read(RowRef::Postgres(row))).await,
            connection => sqlite::query(connection.sqlite()?, sql, params, read),
        }
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<u64> {
        match &mut self.connection {
            Connection::Postgres(Some(session)) => session.execute(sql, params).await,
            connection => sqlite::execute(connection.sqlite()?, sql, params),
        }
    }

    /// Runs a statement whose outcome shows with the next one at the earliest, with the commit at the latest.
    pub(super) async fn defer(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<()> {
        match &mut self.connection {
            Connection::Postgres(Some(session)) => session.defer(sql, params).await,
            connection => sqlite::execute(connection.sqlite()?, sql, params).map(drop),
        }
    }

    /// Runs a statement that nothing else of the transaction reads from, by the commit.
    pub(super) async fn run_last(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<()> {
        match &mut self.connection {
            Connection::SqliteWriter(Some(turn)) => {
                turn.run_last(sql, params);
                Ok(())
            }
            _ => self.defer(sql, params).await,
        }
    }

    /// Runs statements that have no parameters, separated by semicolons.
    pub(super) async fn batch(&mut self, sql: &str) -> DbResult<()> {
        match &mut self.connection {
            Connection::Postgres(Some(session)) => session.batch(sql).await,
            connection => Ok(connection.sqlite()?.execute_batch(sql)?),
        }
    }

    /// Opens a transaction.
    pub(super) async fn begin(&mut self, isolation: Isolation) -> DbResult<()> {
        match &mut self.connection {
            Connection::Postgres(Some(session)) => session.begin(isolation).await?,
            Connection::SqliteWriter(Some(turn)) => turn.begin()?,
            connection => sqlite::run(connection.sqlite()?, "BEGIN")?,
        }
        self.open = true;
        Ok(())
    }

    /// Commits what was done since [`Link::begin`] and gives the connection back. After an error nothing of it is
    /// stored, unless the connection was lost.
    pub(super) async fn commit(&mut self) -> DbResult<()> {
        self.open = false;
        match &mut self.connection {
            Connection::Postgres(session) => {
                if let Some(session) = session.take_if(|session| session.is_shareable()) {
                    return session.share().await;
                }
                session.as_mut().ok_or_else(given_back)?.commit().await
            }
            Connection::SqliteWriter(turn) => match turn.take() {
                Some(turn) => turn.commit().await,
                None => Err(given_back()),
            },
            connection => sqlite::run(connection.sqlite()?, "COMMIT"),
        }
    }

    /// Takes back what was done since [`Link::begin`].
    pub(super) async fn rollback(&mut self) {
        if let Connection::Postgres(Some(session)) = &mut self.connection {
            session.rollback().await;
            self.open = false;
        }
    }

    /// Whether the database is in this process.
    pub(super) fn is_embedded(&self) -> bool {
        !matches!(self.connection, Connection::Postgres(_))
    }
}

impl Connection {
    fn sqlite(&self) -> DbResult<&rusqlite::Connection> {
        match self {
            Self::SqliteReader(Some(connection), _) => Ok(connection),
            Self::SqliteWriter(Some(turn)) => Ok(turn.connection()),
            Self::SqliteReader(None, _) | Self::SqliteWriter(None) | Self::Postgres(_) => Err(given_back()),
        }
    }
}

fn given_back() -> DbError {
    DbError::other("the connection was given back")
}

/// Gives the connection back. A transaction that is still open was abandoned, or was a snapshot: it is rolled back.
impl Drop for Link {
    fn drop(&mut self) {
        match &mut self.connection {
            Connection::SqliteReader(connection, home) => {
                let Some(connection) = connection.take() else { return };
                if !self.open || sqlite::run(&connection, "ROLLBACK").is_ok() {
                    home.keep(connection);
                }
            }
            Connection::SqliteWriter(turn) => {
                if let Some(turn) = turn.take().filter(|_| self.open) {
                    turn.rollback();
                }
            }
            Connection::Postgres(session) => {
                if let Some(session) = session.take() {
                    session.close();
                }
            }
        }
    }
}

impl Driver {
    async fn reader(&self) -> DbResult<Link> {
        let connection = match self {
            Self::Sqlite(sqlite) => Connection::SqliteReader(Some(sqlite.reader()?), Arc::clone(sqlite)),
            Self::Postgres(postgres) => Connection::Postgres(Some(postgres.session().await?)),
        };
        Ok(Link { connection, open: false })
    }

    /// `queued` is called when this caller has its place behind others, which only the embedded database knows.
    async fn writer(&self, queued: impl FnOnce() -> DbResult<()>) -> DbResult<Link> {
        let connection = match self {
            Self::Sqlite(sqlite) => Connection::SqliteWriter(Some(sqlite.writer(queued).await?)),
            Self::Postgres(postgres) => Connection::Postgres(Some(postgres.session().await?)),
        };
        Ok(Link { connection, open: false })
    }

    async fn open(options: &DbOptions) -> DbResult<Self> {
        match &options.url {
            DatabaseUrl::Sqlite(path) => Ok(Self::Sqlite(Arc::new(Sqlite::open(path)?))),
            DatabaseUrl::Postgres(url) => {
                let postgres = Postgres::open(url, options.pool_size)?;
                postgres.session().await?.close();
                Ok(Self::Postgres(Arc::new(postgres)))
            }
        }
    }
}
