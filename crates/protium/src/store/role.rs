//! Roles: rows by account and name, whatever its capitals.

use super::db_error::DbResult;
use super::tx::{Reader, Tx};
use super::value::doc_text;
use crate::params;
use protium_domain::iam::holder::folded;
use protium_domain::role::Role;

/// Adds a role; `false` if the account has one of that name.
pub async fn role_insert(tx: &mut Tx, account: &str, role: &Role) -> DbResult<bool> {
    let sql = "INSERT INTO role (account, folded, id, doc) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, params![account, &folded(&role.name), &role.id, &doc_text(role)?]).await? == 1)
}

/// Replaces what is known of a role.
pub async fn role_update(tx: &mut Tx, role: &Role) -> DbResult<()> {
    tx.execute("UPDATE role SET doc = $2 WHERE id = $1", params![&role.id, &doc_text(role)?]).await.map(drop)
}

/// The account's role of that name.
pub async fn role_get(rd: &mut Reader, account: &str, name: &str) -> DbResult<Option<Role>> {
    let sql = "SELECT doc FROM role WHERE account = $1 AND folded = $2";
    let row = rd.query_opt(sql, params![account, &folded(name)]).await?;
    row.map(|mut row| row.doc(0)).transpose()
}

/// The role with that id, if it is in that account.
pub async fn role_by_id(rd: &mut Reader, account: &str, id: &str) -> DbResult<Option<Role>> {
    let sql = "SELECT doc FROM role WHERE account = $1 AND id = $2";
    let row = rd.query_opt(sql, params![account, id]).await?;
    row.map(|mut row| row.doc(0)).transpose()
}

/// Removes a role.
pub async fn role_delete(tx: &mut Tx, id: &str) -> DbResult<()> {
    tx.execute("DELETE FROM role WHERE id = $1", params![id]).await.map(drop)
}

/// At most `limit` roles in the order of their names, from the first one after `after`.
pub async fn role_list(rd: &mut Reader, account: &str, after: &str, limit: i64) -> DbResult<Vec<Role>> {
    let sql = "SELECT doc FROM role WHERE account = $1 AND folded > $2 ORDER BY folded LIMIT $3";
    let rows = rd.query(sql, params![account, &folded(after), limit]).await?;
    rows.into_iter().map(|mut row| row.doc(0)).collect()
}

/// How many roles the account has.
pub async fn role_count(rd: &mut Reader, account: &str) -> DbResult<i64> {
    rd.query_one("SELECT COUNT(*) FROM role WHERE account = $1", params![account]).await?.int(0)
}
