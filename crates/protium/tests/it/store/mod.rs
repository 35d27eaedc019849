//! The store's conformance suite: everything here runs on SQLite and on PostgreSQL.

mod account;
mod collation;
mod content;
mod event_order;
mod faults;
mod identity;
mod isolation;
mod job;
mod local_runner;
mod migration;
mod object;
mod sealed;
mod tag;
mod template;
mod token;
mod transaction;

use protium::store::{DbError, DbResult, Reader, Store, Tx};
use protium::{params, transaction};
use protium_domain::arn::Scope;

/// Where tests keep their rows.
fn scope() -> Scope {
    Scope { account: "123456789012".into(), region: "eu-central-1".into() }
}

/// Stores an account of that id; `false` if there is one. The simplest row that there is.
async fn add(tx: &mut Tx, id: &str) -> DbResult<bool> {
    let sql = "INSERT INTO account (id, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, params![id, 7]).await? == 1)
}

/// How many accounts there are.
async fn count(rd: &mut Reader) -> DbResult<i64> {
    rd.query_one("SELECT COUNT(*) FROM account", params![]).await?.int(0)
}

async fn stored(store: &Store) -> i64 {
    count(&mut store.reader().await.unwrap()).await.unwrap()
}

async fn store_one(store: &Store, id: &str) -> Result<bool, DbError> {
    transaction!(store, async |tx| { add(tx, id).await })
}
