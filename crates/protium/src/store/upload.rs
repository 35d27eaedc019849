//! Uploads in progress: multipart uploads to the embedded bundle store and their parts.
//!
//! Owns: the rows. Does not own: the parts' bodies, which are files named by `blob`; the objects that come of
//! them (`object`).

use super::db_error::DbResult;
use super::object::Objects;
use super::tx::{Reader, Tx};
use super::value::Row;
use crate::params;

/// An upload that is neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRow {
    /// What the uploader calls it by.
    pub id: String,
    /// The account that it belongs to.
    pub account: String,
    /// The bucket of the object.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// In milliseconds since 1970.
    pub created_at: i64,
    /// Content type and the uploader's metadata, a JSON object.
    pub doc: String,
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// Its number, from 1.
    pub number: i64,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// In bytes.
    pub size: i64,
    /// Where its body is.
    pub blob: String,
}

const UPLOAD: &str = "id, account, bucket, key, created_at, doc";

/// Begins an upload.
pub async fn upload_insert(tx: &mut Tx, upload: &UploadRow) -> DbResult<()> {
    let sql = format!("INSERT INTO upload ({UPLOAD}) VALUES ($1, $2, $3, $4, $5, $6)");
    let params = params![&upload.id, &upload.account, &upload.bucket, &upload.key, upload.created_at, &upload.doc];
    tx.execute(&sql, params).await?;
    Ok(())
}

/// The upload with that id, in that account.
pub async fn upload_get(rd: &mut Reader, account: &str, id: &str) -> DbResult<Option<UploadRow>> {
    let sql = format!("SELECT {UPLOAD} FROM upload WHERE id = $1 AND account = $2");
    let row = rd.query_opt(&sql, params![id, account]).await?;
    row.map(read_upload).transpose()
}

/// At most `limit` uploads of a bucket in the order of key and id, from the first one after `after` (key and id).
pub async fn upload_list(
    rd: &mut Reader,
    of: Objects<'_>,
    after: (&str, &str),
    limit: i64,
) -> DbResult<Vec<UploadRow>> {
    let sql = format!(
        "SELECT {UPLOAD} FROM upload WHERE account = $1 AND bucket = $2 AND (key, id) > ($3, $4)
         ORDER BY key, id LIMIT $5"
    );
    let rows = rd.query(&sql, params![of.account, of.bucket, after.0, after.1, limit]).await?;
    rows.into_iter().map(read_upload).collect()
}

/// Ends an upload, completed or aborted. Returns the blobs of its parts.
pub async fn upload_delete(tx: &mut Tx, id: &str) -> DbResult<Vec<String>> {
    tx.execute("DELETE FROM upload WHERE id = $1", params![id]).await?;
    let sql = "DELETE FROM upload_part WHERE upload_id = $1 RETURNING blob";
    let rows = tx.query(sql, params![id]).await?;
    rows.into_iter().map(|mut row| row.text(0)).collect()
}

/// Stores a part, in the place of one with that number. Returns the blob that it replaced.
pub async fn part_put(tx: &mut Tx, upload_id: &str, part: &PartRow) -> DbResult<Option<String>> {
    let sql = "DELETE FROM upload_part WHERE upload_id = $1 AND number = $2 RETURNING blob";
    let replaced = tx.query_opt(sql, params![upload_id, part.number]).await?;
    let sql = "INSERT INTO upload_part (upload_id, number, etag, size, blob) VALUES ($1, $2, $3, $4, $5)";
    let params = params![upload_id, part.number, &part.etag, part.size, &part.blob];
    tx.execute(sql, params).await?;
    replaced.map(|mut row| row.text(0)).transpose()
}

/// At most `limit` parts of an upload in the order of their numbers, from the first one after `after`.
pub async fn part_list(rd: &mut Reader, upload_id: &str, after: i64, limit: i64) -> DbResult<Vec<PartRow>> {
    let sql = "SELECT number, etag, size, blob FROM upload_part WHERE upload_id = $1 AND number > $2
               ORDER BY number LIMIT $3";
    let rows = rd.query(sql, params![upload_id, after, limit]).await?;
    rows.into_iter()
        .map(|mut row| Ok(PartRow { number: row.int(0)?, etag: row.text(1)?, size: row.int(2)?, blob: row.text(3)? }))
        .collect()
}

fn read_upload(mut row: Row) -> DbResult<UploadRow> {
    Ok(UploadRow {
        id: row.text(0)?,
        account: row.text(1)?,
        bucket: row.text(2)?,
        key: row.text(3)?,
        created_at: row.int(4)?,
        doc: row.text(5)?,
    })
}
