//! Identity providers, by account and issuer without its scheme; and the tokens of theirs that were used.

use super::db_error::DbResult;
use super::tx::{Reader, Tx};
use super::value::doc_text;
use crate::params;
use protium_domain::oidc_provider::{OidcProvider, TokenUse, identifier};

/// Adds a provider; `false` if the account has one with that issuer.
pub async fn oidc_provider_insert(tx: &mut Tx, account: &str, provider: &OidcProvider) -> DbResult<bool> {
    let sql = "INSERT INTO oidc_provider (account, identifier, doc) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, params![account, identifier(&provider.url), &doc_text(provider)?]).await? == 1)
}

/// Replaces what is known of a provider.
pub async fn oidc_provider_update(tx: &mut Tx, account: &str, provider: &OidcProvider) -> DbResult<()> {
    let sql = "UPDATE oidc_provider SET doc = $3 WHERE account = $1 AND identifier = $2";
    tx.execute(sql, params![account, identifier(&provider.url), &doc_text(provider)?]).await.map(drop)
}

/// The account's provider of that issuer; its scheme does not matter.
pub async fn oidc_provider_get(rd: &mut Reader, account: &str, url: &str) -> DbResult<Option<OidcProvider>> {
    let sql = "SELECT doc FROM oidc_provider WHERE account = $1 AND identifier = $2";
    let row = rd.query_opt(sql, params![account, identifier(url)]).await?;
    row.map(|mut row| row.doc(0)).transpose()
}

/// Removes a provider. Returns whether there was one.
pub async fn oidc_provider_delete(tx: &mut Tx, account: &str, url: &str) -> DbResult<bool> {
    let sql = "DELETE FROM oidc_provider WHERE account = $1 AND identifier = $2";
    Ok(tx.execute(sql, params![account, identifier(url)]).await? > 0)
}

/// At most `limit` providers in the order of their identifiers, from the first one after `after`.
pub async fn oidc_provider_list(
    rd: &mut Reader,
    account: &str,
    after: &str,
    limit: i64,
) -> DbResult<Vec<OidcProvider>> {
    let sql = "SELECT doc FROM oidc_provider WHERE account = $1 AND identifier > $2 ORDER BY identifier LIMIT $3";
    let rows = rd.query(sql, params![account, after, limit]).await?;
    rows.into_iter().map(|mut row| row.doc(0)).collect()
}

/// How many providers the account has.
pub async fn oidc_provider_count(rd: &mut Reader, account: &str) -> DbResult<i64> {
    rd.query_one("SELECT COUNT(*) FROM oidc_provider WHERE account = $1", params![account]).await?.int(0)
}

/// Notes that a token is used. Returns its first use, which is this one if nobody used it before.
pub async fn web_identity_token_use(
    tx: &mut Tx,
    account: &str,
    sha256: &str,
    now: TokenUse,
    expires_at: i64,
) -> DbResult<TokenUse> {
    let sql = "INSERT INTO web_identity_token (account, sha256, source, used_at, expires_at)
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    if tx.execute(sql, params![account, sha256, &now.source, now.at, expires_at]).await? == 1 {
        return Ok(now);
    }
    let sql = "SELECT used_at, source FROM web_identity_token WHERE account = $1 AND sha256 = $2";
    let mut row = tx.query_one(sql, params![account, sha256]).await?;
    Ok(TokenUse { at: row.int(0)?, source: row.text(1)? })
}

/// Forgets up to `limit` of the tokens that have expired at `now`, the oldest first. Returns how many there were.
pub async fn web_identity_token_expire(tx: &mut Tx, now: i64, limit: i64) -> DbResult<u64> {
    let sql = "DELETE FROM web_identity_token WHERE (account, sha256) IN (
                   SELECT account, sha256 FROM web_identity_token
                   WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    tx.execute(sql, params![now, limit]).await
}
