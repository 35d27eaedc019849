//! PostgreSQL: a pool of connections, and as few round trips as the order of the statements allows.
//!
//! A transaction's BEGIN travels together with its first statement. Statements whose outcome nobody waits for
//! travel together with the next one, or with the COMMIT, as few statements (`inserts`); a transaction of nothing else
//! shares its commit with others (`shared`).

mod inserts;
mod shared;

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures::TryStreamExt as _;
use futures::future::{join, join_all};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{IsNull, Type, private::BytesMut};
use tokio_postgres::{AsyncMessage, Client, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{CHANNEL, Isolation, PATIENCE};
use crate::store::db_error::{DbError, DbErrorKind, DbResult};
use crate::store::value::{Cell, Param};
use inserts::Batch;
use shared::Shared;

/// Statements of one transaction that travel together.
const MOST_DEFERRED: usize = 16;

/// A statement that was not sent yet, with its parameters.
type Deferred = (String, Vec<Cell>);
/// A statement as it is sent, with its parameters.
type Outgoing<'a> = (Cow<'a, str>, Vec<Param<'a>>);

pub(super) struct Postgres {
    pool: Pool,
    shared: Arc<Shared>,
    config: tokio_postgres::Config,
    tls: Option<MakeRustlsConnect>,
}

impl Postgres {
    pub(super) fn open(url: &str, pool_size: usize) -> DbResult<Self> {
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
            .post_create(Hook::async_fn(|client, _| {
                // None of our statements lasts as long as compiling it. Whether that is done depends on what the server
                // expects them to cost, which of tables that grow fast is far off.
                Box::pin(async { client.batch_execute("SET jit = off").await.map_err(HookError::Backend) })
            }))
            .build()
            .map_err(|error| DbError::other(error.to_string()))?;
        let shared = Arc::new(Shared::new(pool.clone()));
        Ok(Self { pool, shared, config, tls })
    }

    /// Wakes at every notification, for ever: a lost connection is made anew.
    pub(super) async fn listen(&self, wake: &Notify) {
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

    pub(super) async fn session(&self) -> DbResult<Session> {
        Ok(Session::new(connection(&self.pool).await?, &self.shared))
    }
}

async fn connection(pool: &Pool) -> DbResult<Object> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error.into(),
        other => DbError::new(DbErrorKind::Unavailable, format!("no free connection: {other}")),
    })
}

/// A connection on loan, and what is still to be sent on it.
pub(super) struct Session {
    client: Object,
    shared: Arc<Shared>,
    /// The BEGIN that was not sent yet.
    begin: Option<&'static str>,
    deferred: Vec<Deferred>,
    /// Whether a transaction is open, as far as the server knows.
    open: bool,
}

impl Session {
    fn new(client: Object, shared: &Arc<Shared>) -> Self {
        Self { client, shared: Arc::clone(shared), begin: None, deferred: Vec::new(), open: false }
    }

    /// Whether the connection has ended.
    fn is_lost(&self) -> bool {
        self.client.is_closed()
    }

    /// Begins a transaction with the next statement.
    pub(super) async fn begin(&mut self, isolation: Isolation) -> DbResult<()> {
        match isolation {
            Isolation::Snapshot => self.begin = Some("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"),
            Isolation::Serializable => self.begin = Some("BEGIN ISOLATION LEVEL SERIALIZABLE"),
            // What the process that had the lock before us committed must be seen: no snapshot before the lock.
            Isolation::Exclusive => {
                self.open = true;
                self.client.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(1886547828)").await?;
            }
        }
        Ok(())
    }

    /// What `read` makes of each row of a query.
    pub(super) async fn query<T>(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        mut read: impl FnMut(&Row) -> DbResult<T>,
    ) -> DbResult<Vec<T>> {
        let statement = self.client.prepare_cached(sql).await?;
        let found = self.before(|client| async move {
            let mut rows = pin!(client.query_raw(&statement, params.iter()).await?);
            let mut found = Vec::new();
            // None is kept longer than it takes to read it.
            while let Some(row) = rows.try_next().await? {
                found.push(read(&row));
            }
            Ok(found)
        });
        found.await?.into_iter().collect()
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<u64> {
        let statement = self.client.prepare_cached(sql).await?;
        self.before(|client| async move { client.execute(&statement, &dynamic(params)).await }).await
    }

    /// Runs statements that have no parameters, separated by semicolons.
    pub(super) async fn batch(&mut self, sql: &str) -> DbResult<()> {
        self.before(|client| client.batch_execute(sql)).await
    }

    /// Runs a statement with the next one, or with the commit; its failure shows there.
    pub(super) async fn defer(&mut self, sql: &str, params: &[Param<'_>]) -> DbResult<()> {
        self.deferred.push((sql.to_owned(), params.iter().map(Cell::from).collect()));
        if self.deferred.len() < MOST_DEFERRED {
            return Ok(());
        }
        self.before(|_| async { Ok(()) }).await
    }

    /// Whether nothing but statements that were not sent yet belong to the transaction.
    pub(super) fn is_shareable(&self) -> bool {
        !self.open && !self.deferred.is_empty()
    }

    /// Commits a transaction that is shareable, perhaps together with others, and gives the connection back.
    pub(super) async fn share(mut self) -> DbResult<()> {
        let (shared, statements) = (Arc::clone(&self.shared), std::mem::take(&mut self.deferred));
        shared.commit(self, statements).await
    }

    /// Commits. PostgreSQL ends the transaction even when it refuses to.
    pub(super) async fn commit(&mut self) -> DbResult<()> {
        let deferred = std::mem::take(&mut self.deferred);
        self.commit_after(deferred.iter().map(Batch::alone).collect()).await
    }

    /// Commits when these are done, too.
    async fn commit_after(&mut self, batches: Vec<Batch<'_>>) -> DbResult<()> {
        if self.open || !batches.is_empty() {
            self.send(inserts::written(batches), |client| client.batch_execute("COMMIT")).await?;
        }
        self.begin = None;
        self.open = false;
        Ok(())
    }

    /// Takes back what was done since [`Session::begin`].
    pub(super) async fn rollback(&mut self) {
        self.begin = None;
        self.deferred.clear();
        if self.open && self.client.batch_execute("ROLLBACK").await.is_ok() {
            self.open = false;
        }
    }

    /// Sends what waits, then `last`.
    async fn before<'a, T, F>(&'a mut self, last: impl FnOnce(&'a Object) -> F) -> DbResult<T>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        let deferred = std::mem::take(&mut self.deferred);
        self.send(deferred.iter().map(|statement| Batch::alone(statement).written()).collect(), last).await
    }

    /// Sends the statements, then `last`, without waiting in between; their order on the wire is this one.
    async fn send<'a, T, F>(
        &'a mut self,
        outgoing: Vec<Outgoing<'_>>,
        last: impl FnOnce(&'a Object) -> F,
    ) -> DbResult<T>
    where
        F: Future<Output = Result<T, tokio_postgres::Error>>,
    {
        let mut statements: Vec<Statement> = Vec::with_capacity(outgoing.len());
        for (sql, _) in &outgoing {
            // Preparing may take a round trip, which must not come between: it is done before.
            statements.push(self.client.prepare_cached(sql).await?);
        }
        let begin = self.begin.take();
        self.open |= begin.is_some();
        let client = &self.client;
        let first = async {
            match begin {
                Some(begin) => client.batch_execute(begin).await,
                None => Ok(()),
            }
        };
        let between = statements
            .iter()
            .zip(&outgoing)
            .map(|(statement, (_, params))| async move { client.execute(statement, &dynamic(params)).await });
        // Each of them sends when it is polled first, which happens in this order.
        let (begun, (between, last)) = join(first, join(join_all(between), last(client))).await;
        begun?;
        for done in between {
            done?;
        }
        Ok(last?)
    }

    /// Gives the connection back to its pool, without a transaction.
    pub(super) fn close(self) {
        if !self.open {
            return;
        }
        let client = self.client;
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                if client.batch_execute("ROLLBACK").await.is_err() {
                    drop(Object::take(client));
                }
            })),
            Err(_) => drop(Object::take(client)),
        }
    }
}

fn dynamic<'a>(params: &'a [Param<'_>]) -> Vec<&'a (dyn tokio_postgres::types::ToSql + Sync)> {
    params.iter().map(|param| param as _).collect()
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
