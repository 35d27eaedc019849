//! Contents: specs, schemas, templates and renders, stored once each under their SHA-256.
//!
//! Owns: putting and getting. Rows refer to a content by its hash; lists never load it.

use super::db_error::{DbError, DbResult};
use super::tx::{Reader, Tx};
use crate::params;
use crate::sha256::sha256_hex;

/// Stores `body` unless it is stored already. Returns its SHA-256 in lower-case hexadecimal.
pub async fn content_put(tx: &mut Tx, body: &[u8]) -> DbResult<String> {
    let sha256 = sha256_hex(body);
    tx.defer("INSERT INTO content (sha256, body) VALUES ($1, $2) ON CONFLICT DO NOTHING", params![&sha256, body])
        .await?;
    Ok(sha256)
}

/// The content with that hash. Corrupt if there is none: whoever has a hash got it from a row that refers to it.
pub async fn content_get(rd: &mut Reader, sha256: &str) -> DbResult<Vec<u8>> {
    if let Some(body) = rd.kept(sha256) {
        return Ok(body.to_vec());
    }
    let row = rd.query_opt("SELECT body FROM content WHERE sha256 = $1", params![sha256]).await?;
    match row {
        Some(mut row) => {
            let body = row.bytes(0)?;
            rd.keep(sha256, &body);
            Ok(body)
        }
        None => Err(DbError::corrupt(format!("the content {sha256} is missing"))),
    }
}
