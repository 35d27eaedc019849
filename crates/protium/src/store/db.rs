//! The database: SQLite or PostgreSQL behind one small enum. Drivers are named in this file only.
//!
//! Owns: connections, isolation levels, parameters and rows on the wire of each driver. Does not own: what a
//! transaction is to its callers (`tx`), any table (one file a noun), the schema (`migrate`).
//!
//! There is one SQL text for both: `$1` parameters, TEXT, BIGINT and BYTEA, `COLLATE "C"` on text keys.
//!
//! Reads run inline on the calling thread with SQLite: a point read takes less time than handing it over
//! to another thread. Commits wait for the disk, so they step aside first.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use rusqlite::types::{ToSqlOutput, ValueRef};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{IsNull, Type, private::BytesMut};
use tokio_postgres::{AsyncMessage, Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::db_error::{DbError, DbErrorKind, DbResult};
use super::lock::DataLock;
use super::options::{DatabaseUrl, DbOptions};
use super::probe::{Call, Probe, Testing};
use super::tx::{Attempts, Reader, Tx};
use super::value::{Cell, Param, Row};

/// How long a call waits for a free PostgreSQL connection, and a SQLite call for a lock of another program.
const PATIENCE: Duration = Duration::from_secs(10);
/// Idle SQLite readers that are kept open.
const IDLE_READERS: usize = 4;
/// Statements that each connection keeps prepared.
const PREPARED: usize = 256;
/// The channel on which PostgreSQL tells that a job is due.
pub(super) const CHANNEL: &str = "protium_job";
/// A database, cheap to clone.
#[derive(Clone)]
pub struct Db {
    driver: Driver,
    testing: Arc<Testing>,
    wake: Arc<Notify>,
}

#[derive(Clone)]
enum Driver {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

struct Sqlite {
    path: PathBuf,
    writer: Arc<Mutex<rusqlite::Connection>>,
    idle: StdMutex<Vec<rusqlite::Connection>>,
    _lock: DataLock,
}

struct Postgres {
    pool: Pool,
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
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
        Ok(Self { driver, testing: Arc::default(), wake: Arc::default() })
    }

    /// For statements that each stand alone: each sees the newest committed state of its own moment.
    pub async fn reader(&self) -> DbResult<Reader> {
        Ok(Reader::new(self.driver.reader().await?, &self.testing))
    }

    /// For statements that belong together: all of them see the same committed state.
    pub async fn snapshot(&self) -> DbResult<Reader> {
        let mut link = self.driver.reader().await?;
        link.begin(Isolation::Snapshot).await?;
        Ok(Reader::new(link, &self.testing))
    }

    /// The runs of one write transaction, for `transaction!`.
    pub fn attempts(&self) -> Attempts {
        Attempts::new(self.clone())
    }

    /// Begins a write transaction.
    pub(super) async fn begin(&self, isolation: Isolation) -> DbResult<Tx> {
        self.testing.call(Call::Begin)?;
        let mut link = self.driver.writer().await?;
        link.begin(isolation).await?;
        Ok(Tx::new(Reader::new(link, &self.testing), &self.wake))
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
    SqliteWriter(OwnedMutexGuard<rusqlite::Connection>),
    Postgres(Option<Object>),
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
    /// All rows of a query.
    pub(super) async fn query(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<Vec<Row>> {
        match &mut self.connection {
            Connection::Postgres(Some(client)) => postgres_query(client, sql, params).await,
            connection => sqlite_query(connection.sqlite()?, sql, params),
        }
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<u64> {
        match &mut self.connection {
            Connection::Postgres(Some(client)) => postgres_execute(client, sql, params).await,
            connection => sqlite_execute(connection.sqlite()?, sql, params),
        }
    }

    /// Runs statements that have no parameters, separated by semicolons.
    pub(super) async fn batch(&mut self, sql: &str) -> DbResult<()> {
        match &mut self.connection {
            Connection::Postgres(Some(client)) => Ok(client.batch_execute(sql).await?),
            connection => Ok(connection.sqlite()?.execute_batch(sql)?),
        }
    }

    /// Opens a transaction.
    pub(super) async fn begin(&mut self, isolation: Isolation) -> DbResult<()> {
        let sql = match (self.is_embedded(), isolation) {
            (true, Isolation::Snapshot) => "BEGIN",
            (true, Isolation::Serializable | Isolation::Exclusive) => "BEGIN IMMEDIATE",
            (false, Isolation::Snapshot) => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            (false, Isolation::Serializable) => "BEGIN ISOLATION LEVEL SERIALIZABLE",
            // What the process that had the lock before us committed must be seen: no snapshot before the lock.
            (false, Isolation::Exclusive) => "BEGIN; SELECT pg_advisory_xact_lock(1886547828)",
        };
        self.batch(sql).await?;
        self.open = true;
        Ok(())
    }

    /// Commits what was done since [`Link::begin`]. After an error nothing of it is stored, unless the connection
    /// was lost.
    pub(super) async fn commit(&mut self) -> DbResult<()> {
        match &mut self.connection {
            Connection::Postgres(Some(client)) => {
                // PostgreSQL ends the transaction even when it refuses to commit it.
                self.open = false;
                Ok(client.batch_execute("COMMIT").await?)
            }
            connection => {
                let connection = connection.sqlite()?;
                let done = off_the_reactor(|| connection.execute_batch("COMMIT"));
                self.open = !connection.is_autocommit();
                Ok(done?)
            }
        }
    }

    /// Takes back what was done since [`Link::begin`].
    pub(super) async fn rollback(&mut self) {
        if self.batch("ROLLBACK").await.is_ok() {
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
            Self::SqliteWriter(connection) => Ok(connection),
            Self::SqliteReader(None, _) | Self::Postgres(_) => Err(DbError::other("the connection was given back")),
        }
    }
}

/// Gives the connection back. A transaction that is still open was abandoned, or was a snapshot: it is rolled back.
impl Drop for Link {
    fn drop(&mut self) {
        match &mut self.connection {
            Connection::SqliteReader(connection, home) => {
                let Some(connection) = connection.take() else { return };
                if !self.open || connection.execute_batch("ROLLBACK").is_ok() {
                    home.keep(connection);
                }
            }
            Connection::SqliteWriter(connection) if self.open => {
                if let Err(error) = connection.execute_batch("ROLLBACK") {
                    tracing::error!("an abandoned transaction can't be rolled back: {error}");
                }
            }
            Connection::Postgres(client) if self.open => {
                let Some(client) = client.take() else { return };
                match tokio::runtime::Handle::try_current() {
                    Ok(runtime) => drop(runtime.spawn(async move {
                        if client.batch_execute("ROLLBACK").await.is_err() {
                            drop(Object::take(client));
                        }
                    })),
                    Err(_) => drop(Object::take(client)),
                }
            }
            Connection::SqliteWriter(_) | Connection::Postgres(_) => {}
        }
    }
}

impl Driver {
    async fn reader(&self) -> DbResult<Link> {
        let connection = match self {
            Self::Sqlite(sqlite) => Connection::SqliteReader(Some(sqlite.reader()?), Arc::clone(sqlite)),
            Self::Postgres(postgres) => Connection::Postgres(Some(postgres.connection().await?)),
        };
        Ok(Link { connection, open: false })
    }

    async fn writer(&self) -> DbResult<Link> {
        let connection = match self {
            Self::Sqlite(sqlite) => Connection::SqliteWriter(Arc::clone(&sqlite.writer).lock_owned().await),
            Self::Postgres(postgres) => Connection::Postgres(Some(postgres.connection().await?)),
        };
        Ok(Link { connection, open: false })
    }

    async fn open(options: &DbOptions) -> DbResult<Self> {
        match &options.url {
            DatabaseUrl::Sqlite(path) => Ok(Self::Sqlite(Arc::new(Sqlite::open(path)?))),
            DatabaseUrl::Postgres(url) => {
                let postgres = Postgres::open(url, options.pool_size)?;
                drop(postgres.connection().await?);
                Ok(Self::Postgres(Arc::new(postgres)))
            }
        }
    }
}

// ---- SQLite

impl Sqlite {
    fn open(path: &Path) -> DbResult<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(|error| {
            let why = format!("the folder {} can't be made: {error}", folder.display());
            DbError::new(DbErrorKind::Refused, why)
        })?;
        let lock = DataLock::take(folder)?;
        let writer = sqlite_connect(path)?;
        // The writer flushes: an acknowledged write survives a power cut.
        writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        Ok(Self { path: path.to_owned(), writer: Arc::new(Mutex::new(writer)), idle: StdMutex::default(), _lock: lock })
    }

    fn reader(&self) -> DbResult<rusqlite::Connection> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| sqlite_connect(&self.path), Ok)
    }

    fn keep(&self, connection: rusqlite::Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
    }
}

fn sqlite_connect(path: &Path) -> DbResult<rusqlite::Connection> {
    use rusqlite::OpenFlags;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = rusqlite::Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    connection.create_collation("C", |a, b| a.cmp(b))?;
    connection.execute_batch("PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;")?;
    Ok(connection)
}

fn sqlite_query(connection: &rusqlite::Connection, sql: &str, params: &[Param<'_>]) -> DbResult<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql)?;
    sqlite_bind(&mut statement, params)?;
    let width = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let mut cells = Vec::with_capacity(width);
        for column in 0..width {
            cells.push(match row.get_ref(column)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(int) => Cell::Int(int),
                ValueRef::Text(text) => match std::str::from_utf8(text) {
                    Ok(text) => Cell::Text(text.to_owned()),
                    Err(_) => return Err(DbError::corrupt(format!("column {column} is not UTF-8"))),
                },
                ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
                ValueRef::Real(_) => return Err(DbError::other(format!("column {column} is a fraction"))),
            });
        }
        found.push(Row(cells));
    }
    Ok(found)
}

fn sqlite_execute(connection: &rusqlite::Connection, sql: &str, params: &[Param<'_>]) -> DbResult<u64> {
    let mut statement = connection.prepare_cached(sql)?;
    sqlite_bind(&mut statement, params)?;
    Ok(u64::try_from(statement.raw_execute()?).unwrap_or(u64::MAX))
}

/// SQLite reads `$1` as a name, not as a number, so parameters are bound by the number in their name.
fn sqlite_bind(statement: &mut rusqlite::Statement<'_>, params: &[Param<'_>]) -> DbResult<()> {
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

// ---- PostgreSQL

impl Postgres {
    fn open(url: &str, pool_size: usize) -> DbResult<Self> {
        // What libpq calls verify-full is what we do whenever TLS is required.
        let url = url.replace("sslmode=verify-full", "sslmode=require");
        let mut config: tokio_postgres::Config = url.parse().map_err(|error| {
            let why = format!("database-url: {}", chain(&error));
            DbError::new(DbErrorKind::Refused, why)
        })?;
        if config.get_application_name().is_none() {
            config.application_name("protium");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        // The driver's default is to try TLS, without saying whom it trusts: here it is all or nothing.
        let tls = match config.get_ssl_mode() {
            SslMode::Require => Some(tls()?),
            _ => None,
        };
        let manager = match &tls {
            Some(tls) => Manager::from_config(config.clone(), tls.clone(), recycling),
            None => Manager::from_config(config.clone(), NoTls, recycling),
        };
        let pool = Pool::builder(manager)
            .max_size(pool_size.max(1))
            .wait_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| DbError::other(error.to_string()))?;
        Ok(Self { pool, config, tls })
    }

    /// Wakes at every notification, for ever: a lost connection is made anew.
    async fn listen(&self, wake: &Notify) {
        loop {
            let ended = match &self.tls {
                Some(tls) => match self.config.connect(tls.clone()).await {
                    Ok((client, connection)) => listen(client, connection, wake).await,
                    Err(error) => Err(error.into()),
                },
                None => match self.config.connect(NoTls).await {
                    Ok((client, connection)) => listen(client, connection, wake).await,
                    Err(error) => Err(error.into()),
                },
            };
            if let Err(error) = ended {
                tracing::debug!("notifications stopped: {error}");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn connection(&self) -> DbResult<Object> {
        self.pool.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error.into(),
            other => DbError::new(DbErrorKind::Unavailable, format!("no free connection: {other}")),
        })
    }
}

async fn postgres_query(client: &Object, sql: &str, params: &[Param<'_>]) -> DbResult<Vec<Row>> {
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, &postgres_params(params)).await?;
    rows.iter().map(postgres_row).collect()
}

async fn postgres_execute(client: &Object, sql: &str, params: &[Param<'_>]) -> DbResult<u64> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.execute(&statement, &postgres_params(params)).await?)
}

fn postgres_params<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn tokio_postgres::types::ToSql + Sync)> {
    params.iter().map(|param| param as _).collect()
}

fn postgres_row(row: &tokio_postgres::Row) -> DbResult<Row> {
    let mut cells = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let cell = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index)?.map(Cell::Int),
            Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(|int| Cell::Int(int.into())),
            Type::BOOL => row.try_get::<_, Option<bool>>(index)?.map(|flag| Cell::Int(flag.into())),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.map(Cell::Bytes),
            _ => row.try_get::<_, Option<String>>(index)?.map(Cell::Text),
        };
        cells.push(cell.unwrap_or(Cell::Null));
    }
    Ok(Row(cells))
}

impl tokio_postgres::types::ToSql for Param<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match *self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(int) if *ty == Type::INT4 => i32::try_from(int)?.to_sql(ty, out),
            Self::Int(int) if *ty == Type::INT8 => int.to_sql(ty, out),
            Self::Text(text) if <&str as tokio_postgres::types::ToSql>::accepts(ty) => text.to_sql(ty, out),
            Self::Bytes(bytes) if *ty == Type::BYTEA => bytes.to_sql(ty, out),
            Self::Int(_) => Err(format!("a BIGINT was given where {ty} is expected").into()),
            Self::Text(_) => Err(format!("a TEXT was given where {ty} is expected").into()),
            Self::Bytes(_) => Err(format!("a BYTEA was given where {ty} is expected").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        let kind = match error.code().map(tokio_postgres::error::SqlState::code) {
            Some("23505") => DbErrorKind::Unique,
            Some("40001" | "40P01") => DbErrorKind::Serialization,
            // Connection lost, no such database yet, out of resources, shutting down or starting up.
            Some(code) if code.starts_with("08") || code.starts_with("53") => DbErrorKind::Unavailable,
            Some("3D000" | "57P01" | "57P02" | "57P03" | "55P03") => DbErrorKind::Unavailable,
            Some(code) if code.starts_with("28") => DbErrorKind::Refused,
            Some("XX001" | "XX002") => DbErrorKind::Corrupt,
            Some(_) => DbErrorKind::Other,
            // Without a code it was not the server that refused: there is no connection, or no longer one.
            None if is_about_values(&error) => DbErrorKind::Other,
            None => DbErrorKind::Unavailable,
        };
        // Not the server's detail: it repeats stored values.
        let message = match error.as_db_error() {
            Some(cause) => cause.message().to_owned(),
            None => chain(&error),
        };
        Self::new(kind, message)
    }
}

/// Whether the driver itself refused to convert a parameter or a column.
fn is_about_values(error: &tokio_postgres::Error) -> bool {
    let text = error.to_string();
    ["serializ", "parameter", "column"].iter().any(|word| text.contains(word))
}

/// Passes the notifications of one connection on until it ends.
async fn listen<S, T>(client: Client, mut connection: tokio_postgres::Connection<S, T>, wake: &Notify) -> DbResult<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    let subscribe = format!("LISTEN {CHANNEL}");
    let mut subscribed = std::pin::pin!(client.batch_execute(&subscribe));
    let mut done = false;
    loop {
        tokio::select! {
            outcome = &mut subscribed, if !done => {
                outcome?;
                done = true;
                // Something may have happened while nobody listened.
                wake.notify_one();
            }
            message = std::future::poll_fn(|cx| connection.poll_message(cx)) => match message {
                Some(Ok(AsyncMessage::Notification(_))) => wake.notify_one(),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            }
        }
    }
}

/// Trusts the certificates that the operating system trusts, or those in the file that `SSL_CERT_FILE` names.
fn tls() -> DbResult<MakeRustlsConnect> {
    // Fails only if the process has chosen one already, which is as good.
    let _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
    match MakeRustlsConnect::with_native_certs() {
        Ok((connector, _unreadable)) => Ok(connector),
        Err(errors) => {
            let why = errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
            let why = format!("database-url: sslmode=require needs trusted certificates (SSL_CERT_FILE): {why}");
            Err(DbError::new(DbErrorKind::Refused, why))
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
