//! The directory of the embedded bundle store: buckets and objects.
//!
//! Owns: the rows. Does not own: the objects' bodies, which are files named by `blob`; S3's protocol (`http::s3`);
//! uploads in progress (`upload`).

use std::ops::Bound;

use super::db_error::DbResult;
use super::tx::{Reader, Tx};
use super::value::Row;
use crate::params;

/// A bucket. Names are unique in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRow {
    /// The account that it belongs to.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Where it was made.
    pub region: String,
    /// In milliseconds since 1970.
    pub created_at: i64,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRow {
    /// The account that it belongs to.
    pub account: String,
    /// The bucket that it is in.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// In bytes.
    pub size: i64,
    /// As the uploader gave it.
    pub content_type: Option<String>,
    /// In milliseconds since 1970.
    pub modified_at: i64,
    /// Where the body is.
    pub blob: String,
    /// Checksums and the uploader's metadata, a JSON object.
    pub doc: String,
}

/// Which objects.
#[derive(Debug, Clone, Copy)]
pub struct Objects<'a> {
    /// The account.
    pub account: &'a str,
    /// The bucket.
    pub bucket: &'a str,
}

const OBJECT: &str = "account, bucket, key, etag, size, content_type, modified_at, blob, doc";

/// Makes a bucket. `false`: the account has one of that name.
pub async fn bucket_insert(tx: &mut Tx, bucket: &BucketRow) -> DbResult<bool> {
    let sql = "INSERT INTO bucket (account, name, region, created_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT DO NOTHING";
    let params = params![&bucket.account, &bucket.name, &bucket.region, bucket.created_at];
    Ok(tx.execute(sql, params).await? == 1)
}

/// The account's bucket of that name.
pub async fn bucket_get(rd: &mut Reader, account: &str, name: &str) -> DbResult<Option<BucketRow>> {
    let sql = "SELECT account, name, region, created_at FROM bucket WHERE account = $1 AND name = $2";
    let row = rd.query_opt(sql, params![account, name]).await?;
    row.map(read_bucket).transpose()
}

/// All buckets of an account in the order of their names.
pub async fn bucket_list(rd: &mut Reader, account: &str) -> DbResult<Vec<BucketRow>> {
    let sql = "SELECT account, name, region, created_at FROM bucket WHERE account = $1 ORDER BY name";
    let rows = rd.query(sql, params![account]).await?;
    rows.into_iter().map(read_bucket).collect()
}

/// Removes an empty bucket. `false`: it has objects or uploads in progress, or there is none of that name.
pub async fn bucket_delete(tx: &mut Tx, account: &str, name: &str) -> DbResult<bool> {
    let sql = "DELETE FROM bucket WHERE account = $1 AND name = $2
               AND NOT EXISTS (SELECT 1 FROM object WHERE account = $1 AND bucket = $2)
               AND NOT EXISTS (SELECT 1 FROM upload WHERE account = $1 AND bucket = $2)";
    Ok(tx.execute(sql, params![account, name]).await? == 1)
}

/// Stores an object, in the place of one with that key. Returns the blob that it replaced, which nothing refers
/// to any longer once the transaction is committed.
pub async fn object_put(tx: &mut Tx, object: &ObjectRow) -> DbResult<Option<String>> {
    let replaced = object_delete(tx, &object.account, &object.bucket, &object.key).await?;
    let sql = format!("INSERT INTO object ({OBJECT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");
    let params = params![
        &object.account,
        &object.bucket,
        &object.key,
        &object.etag,
        object.size,
        &object.content_type,
        object.modified_at,
        &object.blob,
        &object.doc
    ];
    tx.execute(&sql, params).await?;
    Ok(replaced)
}

/// The object with that key.
pub async fn object_get(rd: &mut Reader, account: &str, bucket: &str, key: &str) -> DbResult<Option<ObjectRow>> {
    let sql = format!("SELECT {OBJECT} FROM object WHERE account = $1 AND bucket = $2 AND key = $3");
    let row = rd.query_opt(&sql, params![account, bucket, key]).await?;
    row.map(read_object).transpose()
}

/// Removes an object. Returns its blob, which nothing refers to any longer once the transaction is committed.
pub async fn object_delete(tx: &mut Tx, account: &str, bucket: &str, key: &str) -> DbResult<Option<String>> {
    let sql = "DELETE FROM object WHERE account = $1 AND bucket = $2 AND key = $3 RETURNING blob";
    let row = tx.query_opt(sql, params![account, bucket, key]).await?;
    row.map(|mut row| row.text(0)).transpose()
}

/// At most `limit` objects whose keys begin with `prefix`, in the order of their keys' bytes, from the first one
/// within `from`. To skip a common prefix, go on from `Bound::Included` of [`past_prefix`].
pub async fn object_list(
    rd: &mut Reader,
    of: Objects<'_>,
    prefix: &str,
    from: Bound<&str>,
    limit: i64,
) -> DbResult<Vec<ObjectRow>> {
    let (first, comparison) = match from {
        Bound::Excluded(key) if key >= prefix => (key, ">"),
        Bound::Included(key) if key >= prefix => (key, ">="),
        Bound::Excluded(_) | Bound::Included(_) | Bound::Unbounded => (prefix, ">="),
    };
    let head = format!("SELECT {OBJECT} FROM object WHERE account = $1 AND bucket = $2 AND key {comparison} $3");
    let rows = match past_prefix(prefix) {
        Some(end) => {
            let sql = format!("{head} AND key < $4 ORDER BY key LIMIT $5");
            rd.query(&sql, params![of.account, of.bucket, first, &end, limit]).await?
        }
        None => {
            let sql = format!("{head} ORDER BY key LIMIT $4");
            rd.query(&sql, params![of.account, of.bucket, first, limit]).await?
        }
    };
    rows.into_iter().map(read_object).collect()
}

/// Whether an object or a part of an upload refers to the blob.
pub async fn blob_is_used(rd: &mut Reader, blob: &str) -> DbResult<bool> {
    let sql = "SELECT COUNT(*) FROM (
                   SELECT blob FROM object WHERE blob = $1 UNION ALL SELECT blob FROM upload_part WHERE blob = $1
               ) AS used";
    Ok(rd.query_one(sql, params![blob]).await?.int(0)? > 0)
}

/// The first text, in the order of bytes, that comes after every text with that prefix. `None`: there is none.
pub fn past_prefix(prefix: &str) -> Option<String> {
    let mut past = prefix.to_owned();
    while let Some(last) = past.pop() {
        // The next character; the gap of the surrogates is skipped. UTF-8 sorts like code points.
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            _ => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            past.push(next);
            return Some(past);
        }
    }
    None
}

fn read_bucket(mut row: Row) -> DbResult<BucketRow> {
    Ok(BucketRow { account: row.text(0)?, name: row.text(1)?, region: row.text(2)?, created_at: row.int(3)? })
}

fn read_object(mut row: Row) -> DbResult<ObjectRow> {
    Ok(ObjectRow {
        account: row.text(0)?,
        bucket: row.text(1)?,
        key: row.text(2)?,
        etag: row.text(3)?,
        size: row.int(4)?,
        content_type: row.opt_text(5)?,
        modified_at: row.int(6)?,
        blob: row.text(7)?,
        doc: row.text(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::past_prefix;

    #[test]
    fn past_a_prefix_comes_the_next_character_of_its_end() {
        assert_eq!(past_prefix("a/"), Some("a0".to_owned()));
        assert_eq!(past_prefix("a\u{D7FF}"), Some("a\u{E000}".to_owned()));
        assert_eq!(past_prefix("a\u{10FFFF}"), Some("b".to_owned()));
        assert_eq!(past_prefix("\u{10FFFF}"), None);
        assert_eq!(past_prefix(""), None);
    }
}
