//! SQLite: one writer, readers beside it, and commits that several transactions share.
//!
//! Reads run inline on the calling thread: a point read takes less time than handing it over to another one.
//! Commits wait for the disk, so they step aside first. Write transactions that arrive while another one runs
//! follow it within the same transaction of the database, each in a savepoint of its own, and one commit makes
//! all of them durable: nobody is answered before it.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::task::Poll;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use super::{PATIENCE, PREPARED, RowRef};
use crate::store::db_error::{DbError, DbErrorKind, DbResult};
use crate::store::lock::DataLock;
use crate::store::value::Param;

/// Idle readers that are kept open.
const IDLE_READERS: usize = 4;
/// Transactions that share one commit.
const SHARED: usize = 64;

pub(super) struct Sqlite {
    path: PathBuf,
    writer: Arc<Mutex<Writer>>,
    /// How many tasks wait for the writer.
    waiting: AtomicUsize,
    idle: StdMutex<Vec<rusqlite::Connection>>,
    _lock: DataLock,
}

/// The connection that writes.
struct Writer {
    connection: rusqlite::Connection,
    /// Who waits for the commit of what the open transaction holds already.
    members: Vec<oneshot::Sender<DbResult<()>>>,
    /// What is run before the commit.
    last: Vec<Statement>,
}

/// A writing statement with its parameters.
struct Statement {
    sql: String,
    params: Vec<Value>,
}

impl Statement {
    fn run(&self, connection: &rusqlite::Connection) -> DbResult<()> {
        let params: Vec<Param<'_>> = self.params.iter().map(param).collect();
        execute(connection, &self.sql, &params).map(drop).map_err(|error| {
            // Whatever it is, those that it is told are not to blame.
            DbError::new(DbErrorKind::Unavailable, format!("what belongs to a transaction can't be written: {error}"))
        })
    }
}

fn owned(param: &Param<'_>) -> Value {
    match *param {
        Param::Null => Value::Null,
        Param::Int(int) => Value::Integer(int),
        Param::Text(text) => Value::Text(text.to_owned()),
        Param::Bytes(bytes) => Value::Blob(bytes.to_owned()),
    }
}

fn param(value: &Value) -> Param<'_> {
    match value {
        // No parameter is a fraction.
        Value::Null | Value::Real(_) => Param::Null,
        Value::Integer(int) => Param::Int(*int),
        Value::Text(text) => Param::Text(text),
        Value::Blob(bytes) => Param::Bytes(bytes),
    }
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> DbResult<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(|error| {
            let why = format!("the folder {} can't be made: {error}", folder.display());
            DbError::new(DbErrorKind::Refused, why)
        })?;
        let lock = DataLock::take(folder)?;
        let connection = connect(path)?;
        // The writer flushes: an acknowledged write survives a power cut.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        let writer = Writer { connection, members: Vec::new(), last: Vec::new() };
        Ok(Self {
            path: path.to_owned(),
            writer: Arc::new(Mutex::new(writer)),
            waiting: AtomicUsize::new(0),
            idle: StdMutex::default(),
            _lock: lock,
        })
    }

    /// A connection that reads, to be given back with [`Sqlite::keep`].
    pub(super) fn reader(&self) -> DbResult<rusqlite::Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| connect(&self.path), Ok)
    }

    pub(super) fn keep(&self, connection: rusqlite::Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }

    /// The writer, once it is this caller's turn. `queued` is called when others come first, and this one has its
    /// place behind them.
    pub(super) async fn writer(self: &Arc<Self>, queued: impl FnOnce() -> DbResult<()>) -> DbResult<Turn> {
        let waits = Waits::new(&self.waiting);
        let mut turn = pin!(Arc::clone(&self.writer).lock_owned());
        let writer = match futures::poll!(turn.as_mut()) {
            Poll::Ready(writer) => writer,
            Poll::Pending => {
                queued()?;
                turn.await
            }
        };
        drop(waits);
        Ok(Turn { writer, last: Vec::new(), home: Arc::clone(self) })
    }
}

/// Counts a waiting task for as long as it waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The only right to write, until it is dropped.
pub(super) struct Turn {
    writer: OwnedMutexGuard<Writer>,
    last: Vec<Statement>,
    home: Arc<Sqlite>,
}

impl Turn {
    /// Has a statement run when all that shares the commit is done, outside of the savepoint: SQLite copies each page
    /// that changes in one, and what every transaction adds to would be copied for each. If it fails, all fail.
    pub(super) fn run_last(&mut self, sql: &str, params: &[Param<'_>]) {
        self.last.push(Statement { sql: sql.to_owned(), params: params.iter().map(owned).collect() });
    }

    pub(super) fn connection(&self) -> &rusqlite::Connection {
        &self.writer.connection
    }

    /// Begins a transaction, or goes on in the one that is open.
    pub(super) fn begin(&self) -> DbResult<()> {
        let sql = if self.writer.members.is_empty() { "BEGIN IMMEDIATE" } else { "SAVEPOINT member" };
        run(&self.writer.connection, sql)
    }

    /// Makes durable what was done, alone or together with those that wait.
    pub(super) async fn commit(mut self) -> DbResult<()> {
        let others = self.home.waiting.load(Ordering::SeqCst) > 0;
        let is_full = self.writer.members.len() >= SHARED;
        if !self.writer.members.is_empty() {
            run(&self.writer.connection, "RELEASE member")?;
        }
        let Self { writer, last, .. } = &mut self;
        writer.last.append(last);
        if !others || is_full {
            return self.writer.flush();
        }
        let (tell, committed) = oneshot::channel();
        self.writer.members.push(tell);
        if self.writer.members.len() == 1 {
            // Those that wait may give up: this one does not, and its turn comes after theirs.
            let writer = Arc::clone(&self.home.writer);
            tokio::spawn(async move { writer.lock_owned().await.flush_members() });
        }
        drop(self);
        committed.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Takes back what was done since [`Turn::begin`].
    pub(super) fn rollback(mut self) {
        self.writer.rollback();
    }
}

impl Writer {
    fn flush_members(&mut self) {
        if !self.members.is_empty() {
            // Each member is told how it ended.
            let _ = self.flush();
        }
    }

    /// Commits, and tells all members.
    fn flush(&mut self) -> DbResult<()> {
        let (connection, last) = (&self.connection, std::mem::take(&mut self.last));
        let done = off_the_reactor(|| {
            last.iter().try_for_each(|statement| statement.run(connection))?;
            run(connection, "COMMIT")
        });
        if done.is_err() && !connection.is_autocommit() {
            self.abandon();
        }
        self.tell(&done);
        done
    }

    fn rollback(&mut self) {
        if self.connection.is_autocommit() {
            // SQLite gave the whole transaction up, as it does when the disk is full.
            self.tell(&Err(lost()));
        } else if self.members.is_empty() {
            self.abandon();
        } else if run(&self.connection, "ROLLBACK TO member")
            .and_then(|()| run(&self.connection, "RELEASE member"))
            .is_err()
        {
            self.abandon();
            self.tell(&Err(lost()));
        }
    }

    fn abandon(&self) {
        if let Err(error) = run(&self.connection, "ROLLBACK") {
            tracing::error!("a transaction can't be rolled back: {error}");
        }
    }

    fn tell(&mut self, how: &DbResult<()>) {
        self.last.clear();
        for member in self.members.drain(..) {
            // One that is gone does not want to know.
            let _ = member.send(how.clone());
        }
    }
}

fn lost() -> DbError {
    DbError::new(DbErrorKind::Unavailable, "the transaction that this one was a part of was not committed")
}

/// Runs a statement without parameters, parsed once for each connection.
pub(super) fn run(connection: &rusqlite::Connection, sql: &str) -> DbResult<()> {
    connection.prepare_cached(sql)?.raw_execute()?;
    Ok(())
}

fn connect(path: &Path) -> DbResult<rusqlite::Connection> {
    use rusqlite::OpenFlags;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    // Without it some plans depend on what is bound, and such statements are compiled again each time they run.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    with_collation(&connection)?;
    connection.execute_batch("PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

/// Every text key is compared by its bytes, as SQLite does by itself. Databases of before the first release name
/// PostgreSQL's name for that order.
pub(super) fn with_collation(connection: &rusqlite::Connection) -> DbResult<()> {
    Ok(connection.create_collation("C", |a, b| a.cmp(b))?)
}

/// Reads all rows of a query.
pub(super) fn query<T>(
    connection: &rusqlite::Connection,
    sql: &str,
    params: &[Param<'_>],
    mut read: impl FnMut(RowRef<'_>) -> DbResult<T>,
) -> DbResult<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, params)?;
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        found.push(read(RowRef::Sqlite(row))?);
    }
    Ok(found)
}

/// How many rows a statement changed.
pub(super) fn execute(connection: &rusqlite::Connection, sql: &str, params: &[Param<'_>]) -> DbResult<u64> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, params)?;
    Ok(u64::try_from(statement.raw_execute()?).unwrap_or(u64::MAX))
}

/// SQLite reads `$1` as a name, not as a number, so parameters are bound by the number in their name.
fn bind(statement: &mut rusqlite::Statement<'_>, params: &[Param<'_>]) -> DbResult<()> {
    for index in 1..=statement.parameter_count() {
        let number = statement.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let param = number.and_then(|number| params.get(number.checked_sub(1)?));
        let Some(param) = param else {
            return Err(DbError::other(format!("no value for the parameter {number:?} of {}", params.len())));
        };
        statement.raw_bind_parameter(index, param)?;
    }
    Ok(())
}

impl rusqlite::ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Int(int) => ValueRef::Integer(int),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        let kind = match error.sqlite_error() {
            Some(cause) => match (cause.code, cause.extended_code) {
                (_, SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE) => DbErrorKind::Unique,
                (Code::DatabaseBusy | Code::DatabaseLocked, _) => DbErrorKind::Unavailable,
                (Code::DiskFull | Code::SystemIoFailure | Code::CannotOpen | Code::ReadOnly, _) => {
                    DbErrorKind::Unavailable
                }
                (Code::DatabaseCorrupt | Code::NotADatabase, _) => DbErrorKind::Corrupt,
                _ => DbErrorKind::Other,
            },
            None => DbErrorKind::Other,
        };
        Self::new(kind, error.to_string())
    }
}

/// Runs what waits for the disk without holding up the other tasks of this thread.
fn off_the_reactor<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
