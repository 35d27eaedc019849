//! Customer tags of resources.
//!
//! Owns: setting, listing, removing. Does not own: how many and which tags are allowed (`domain`).

use super::db_error::DbResult;
use super::tx::{Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;

/// Sets a tag, replacing the value of one with that key.
pub async fn tag_set(tx: &mut Tx, scope: &Scope, resource_id: &str, arn: &str, key: &str, value: &str) -> DbResult<()> {
    let sql = "INSERT INTO tag (account, region, resource_id, arn, key, value) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (account, region, resource_id, key) DO UPDATE SET value = excluded.value";
    tx.execute(sql, params![&scope.account, &scope.region, resource_id, arn, key, value]).await?;
    Ok(())
}

/// Removes a tag. Returns whether there was one.
pub async fn tag_unset(tx: &mut Tx, scope: &Scope, resource_id: &str, key: &str) -> DbResult<bool> {
    let sql = "DELETE FROM tag WHERE account = $1 AND region = $2 AND resource_id = $3 AND key = $4";
    let removed = tx.execute(sql, params![&scope.account, &scope.region, resource_id, key]).await?;
    Ok(removed > 0)
}

/// Removes all tags of a resource, when it is deleted.
pub async fn tag_drop(tx: &mut Tx, scope: &Scope, resource_id: &str) -> DbResult<()> {
    let sql = "DELETE FROM tag WHERE account = $1 AND region = $2 AND resource_id = $3";
    tx.execute(sql, params![&scope.account, &scope.region, resource_id]).await?;
    Ok(())
}

/// At most `limit` tags of a resource as key and value, in the order of their keys, from the first one after `after`.
pub async fn tag_list(
    rd: &mut Reader,
    scope: &Scope,
    resource_id: &str,
    after: &str,
    limit: i64,
) -> DbResult<Vec<(String, String)>> {
    let sql = "SELECT key, value FROM tag
               WHERE account = $1 AND region = $2 AND resource_id = $3 AND key > $4 ORDER BY key LIMIT $5";
    let rows = rd.query(sql, params![&scope.account, &scope.region, resource_id, after, limit]).await?;
    rows.into_iter().map(|mut row| Ok((row.text(0)?, row.text(1)?))).collect()
}
