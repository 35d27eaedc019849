//! Idempotency tokens: which request made which resource.
//!
//! Owns: remembering and forgetting. Does not own: what a repeated request is answered (`operations`).

use super::db_error::DbResult;
use super::tx::{Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;

/// How long a token is remembered, in milliseconds: 8 hours.
pub const TOKEN_LIFE_MS: i64 = 8 * 60 * 60 * 1000;

/// What a token was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUse {
    /// A hash of the request without the token: another one with the same token is a mistake of the caller.
    pub request_hash: String,
    /// The incarnation that the request made.
    pub resource_id: String,
}

/// What the token was used for in the last [`TOKEN_LIFE_MS`] before `now`.
pub async fn token_find(
    rd: &mut Reader,
    scope: &Scope,
    operation: &str,
    token: &str,
    now: i64,
) -> DbResult<Option<TokenUse>> {
    let sql = "SELECT request_hash, resource_id FROM idempotency_token
               WHERE account = $1 AND region = $2 AND operation = $3 AND token = $4 AND created_at > $5";
    let born_after = now - TOKEN_LIFE_MS;
    let row = rd.query_opt(sql, params![&scope.account, &scope.region, operation, token, born_after]).await?;
    row.map(|mut row| Ok(TokenUse { request_hash: row.text(0)?, resource_id: row.text(1)? })).transpose()
}

/// Remembers a use, in the place of one that has expired. Look with [`token_find`] first, in the same transaction.
pub async fn token_remember(
    tx: &mut Tx,
    scope: &Scope,
    operation: &str,
    token: &str,
    used: &TokenUse,
    now: i64,
) -> DbResult<()> {
    let sql = "INSERT INTO idempotency_token
                   (account, region, operation, token, request_hash, resource_id, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (account, region, operation, token) DO UPDATE SET
                   request_hash = excluded.request_hash, resource_id = excluded.resource_id,
                   created_at = excluded.created_at";
    let params = params![&scope.account, &scope.region, operation, token, &used.request_hash, &used.resource_id, now];
    tx.execute(sql, params).await?;
    Ok(())
}

/// Forgets the tokens of a resource, when it is deleted: the same request may make it again.
pub async fn token_drop(tx: &mut Tx, resource_id: &str) -> DbResult<()> {
    tx.execute("DELETE FROM idempotency_token WHERE resource_id = $1", params![resource_id]).await?;
    Ok(())
}

/// Forgets up to `limit` of what has expired at `now`, the oldest first. Returns how many there were.
pub async fn token_expire(tx: &mut Tx, now: i64, limit: i64) -> DbResult<u64> {
    let sql = "DELETE FROM idempotency_token WHERE (account, region, operation, token) IN (
                   SELECT account, region, operation, token FROM idempotency_token
                   WHERE created_at <= $1 ORDER BY created_at LIMIT $2)";
    tx.execute(sql, params![now - TOKEN_LIFE_MS, limit]).await
}
