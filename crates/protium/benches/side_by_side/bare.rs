//! What Protium is compared with: programs that do the one thing that is measured, and nothing around it.
//!
//! They are this program in another role, `bare ROLE ...`, so that each runs in a process of its own as Protium does,
//! with the same runtime, the same drivers and the same compiler settings.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use protium_api::Timestamp;
use serde::{Deserialize, Serialize};

/// One more than fit on a page, to know whether others follow: what Protium asks for too.
const LIMIT: i64 = 101;
const LIST: &str = "SELECT revision, doc FROM service WHERE account = $1 AND region = $2 AND name > $3 \
                    ORDER BY name LIMIT $4";
/// Of the size of a template's row.
const DOCUMENT: &str = "{\"id\":\"0123456789abcdefghijklmnop\",\"name\":\"template-0000000\",\"description\":\
                        \"A template that the benchmark creates\",\"createdAt\":1600000000000,\"modifiedAt\":1600000000000}";

/// `bytes FILE`, `list DATABASE ACCOUNT REGION`, `insert DATABASE CLIENTS SECONDS`.
pub(crate) fn main(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match words.as_slice() {
            ["bytes", file] => serve(bytes(std::fs::read(file)?)).await,
            ["list", database, account, region] => serve(list(database, account, region)?).await,
            ["insert", database, clients, seconds] => {
                let time = Duration::try_from_secs_f64(seconds.parse()?)?;
                println!("{}", insert(database, clients.parse()?, time).await?);
                Ok(())
            }
            _ => bail!("bare: unknown role {words:?}"),
        }
    })
}

async fn serve(router: Router) -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("bare listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}

fn answer(body: impl Into<axum::body::Body>) -> Response {
    ([("content-type", "application/x-amz-json-1.0")], body.into()).into_response()
}

/// Answers the same bytes to everything.
fn bytes(body: Vec<u8>) -> Router {
    let body = bytes::Bytes::from(body);
    Router::new().route("/", post(move |_: bytes::Bytes| std::future::ready(answer(body.clone()))))
}

/// The members of a service that a list shows, as the store has them.
#[derive(Deserialize)]
struct Stored {
    name: String,
    template: String,
    description: Option<String>,
    status: String,
    status_message: Option<String>,
    created_at: i64,
    modified_at: i64,
}

/// The same as an answer shows them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    arn: String,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    last_modified_at: Timestamp,
    name: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    template_name: String,
}

#[derive(Serialize)]
struct Page {
    services: Vec<Shown>,
}

/// What every request of `list` is about.
struct Scope {
    account: String,
    region: String,
}

impl Scope {
    fn show(&self, doc: &str) -> Result<Shown> {
        let from: Stored = serde_json::from_str(doc)?;
        Ok(Shown {
            arn: format!("arn:aws:proton:{}:{}:service/{}", self.region, self.account, from.name),
            created_at: Timestamp::from_millis(from.created_at),
            description: from.description,
            last_modified_at: Timestamp::from_millis(from.modified_at),
            name: from.name,
            status: from.status,
            status_message: from.status_message,
            template_name: from.template,
        })
    }
}

/// Runs the query of ListServices and serialises what it finds.
fn list(database: &str, account: &str, region: &str) -> Result<Router> {
    let scope = Arc::new(Scope { account: account.to_owned(), region: region.to_owned() });
    if is_postgres(database) {
        let pool = postgres_pool(database)?;
        return Ok(
            Router::new().route("/", post(move |_: bytes::Bytes| list_postgres(pool.clone(), Arc::clone(&scope))))
        );
    }
    let path = database.to_owned();
    let idle: Arc<Mutex<Vec<rusqlite::Connection>>> = Arc::default();
    let handler = move |_: bytes::Bytes| {
        let page = list_sqlite(&path, &idle, &scope);
        std::future::ready(or_error(page))
    };
    Ok(Router::new().route("/", post(handler)))
}

fn or_error(page: Result<Page>) -> Response {
    match page.and_then(|page| Ok(serde_json::to_vec(&page)?)) {
        Ok(body) => answer(body),
        Err(error) => (axum::http::StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}

fn list_sqlite(path: &str, idle: &Mutex<Vec<rusqlite::Connection>>, scope: &Scope) -> Result<Page> {
    let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let connection = kept.map_or_else(|| sqlite(Path::new(path)), Ok)?;
    let mut statement = connection.prepare_cached(LIST)?;
    let mut rows = statement.query((&scope.account, &scope.region, "", LIMIT))?;
    let mut services = Vec::new();
    while let Some(row) = rows.next()? {
        services.push(scope.show(row.get_ref(1)?.as_str()?)?);
    }
    drop(rows);
    drop(statement);
    idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    Ok(Page { services })
}

async fn list_postgres(pool: deadpool_postgres::Pool, scope: Arc<Scope>) -> Response {
    let page = async {
        let client = pool.get().await?;
        let statement = client.prepare_cached(LIST).await?;
        let rows = client.query(&statement, &[&scope.account, &scope.region, &"", &LIMIT]).await?;
        let services = rows.iter().map(|row| scope.show(row.try_get(1)?)).collect::<Result<_>>()?;
        Ok(Page { services })
    };
    or_error(page.await)
}

/// Rows per second that so many clients insert, each in a transaction of its own that waits for the disk.
async fn insert(database: &str, clients: usize, time: Duration) -> Result<f64> {
    if is_postgres(database) {
        return insert_postgres(database, clients, time).await;
    }
    let (path, seconds) = (database.to_owned(), time);
    tokio::task::spawn_blocking(move || insert_sqlite(Path::new(&path), clients, seconds)).await?
}

fn insert_sqlite(path: &Path, clients: usize, time: Duration) -> Result<f64> {
    let connection = sqlite(path)?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS bench (key TEXT NOT NULL PRIMARY KEY, doc TEXT NOT NULL)")?;
    let writer = Mutex::new(connection);
    let began = Instant::now();
    let client = |client: usize| -> Result<u32> {
        let mut done = 0;
        while began.elapsed() < time {
            let key = format!("{client:02}-{done:08}-{:?}", began);
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            transaction.prepare_cached("INSERT INTO bench (key, doc) VALUES ($1, $2)")?.execute((&key, DOCUMENT))?;
            transaction.commit()?;
            done += 1;
        }
        Ok(done)
    };
    let done = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
            .sum::<Result<u32>>()
    })?;
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

async fn insert_postgres(url: &str, clients: usize, time: Duration) -> Result<f64> {
    let pool = postgres_pool(url)?;
    let first = pool.get().await?;
    first.batch_execute("CREATE TABLE IF NOT EXISTS bench (key TEXT NOT NULL PRIMARY KEY, doc TEXT NOT NULL)").await?;
    drop(first);
    let mut tasks = tokio::task::JoinSet::new();
    let began = Instant::now();
    for number in 0..clients {
        let pool = pool.clone();
        tasks.spawn(async move {
            let client = pool.get().await?;
            let statement = client.prepare_cached("INSERT INTO bench (key, doc) VALUES ($1, $2)").await?;
            let mut done = 0_u32;
            while began.elapsed() < time {
                let key = format!("{number:02}-{done:08}-{began:?}");
                client.execute(&statement, &[&key, &DOCUMENT]).await?;
                done += 1;
            }
            Ok::<_, anyhow::Error>(done)
        });
    }
    let mut done = 0;
    while let Some(finished) = tasks.join_next().await {
        done += finished??;
    }
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

fn is_postgres(database: &str) -> bool {
    database.starts_with("postgres:")
}

/// A connection with the settings that Protium uses: a write-ahead log that is flushed at every commit.
fn sqlite(path: &Path) -> Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -2048; PRAGMA mmap_size = 67108864;",
    )?;
    Ok(connection)
}

fn postgres_pool(url: &str) -> Result<deadpool_postgres::Pool> {
    let config: tokio_postgres::Config = url.parse().with_context(|| format!("'{url}' is no URL of PostgreSQL"))?;
    let manager = deadpool_postgres::Manager::new(config, tokio_postgres::NoTls);
    Ok(deadpool_postgres::Pool::builder(manager).max_size(16).build()?)
}
