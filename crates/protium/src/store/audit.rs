//! The audit log: what requests did, or were refused.
//!
//! Owns: the rows, their order, and the handle that writes the record of a request in the transaction that makes its
//! change. Does not own: what is recorded of which request (`operations`, `http`), nor what is dropped in a flood
//! (`audit`).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::db_error::{DbError, DbResult};
use super::tx::{Reader, Tx};
use super::value::{Param, Row};
use crate::params;

const INSERT: &str = "INSERT INTO audit (account, request_id, principal, operation, resource, outcome, doc) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    Succeeded,
    /// It was wrong, or it could not be done.
    Failed,
    /// The caller may not do it, or is not who it says.
    Denied,
}

impl Outcome {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Denied => "DENIED",
        }
    }
}

/// What is kept of one request. Nothing in it is secret. What has a column is left out of the document that is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// A UUID that begins with the time of the request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// When the request came in, in milliseconds since 1970.
    pub at: i64,
    /// Twelve digits: that of the caller, whose record it is.
    #[serde(default, rename = "accountId", skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The region that was signed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Who asked, or whose key it was if the signature did not hold.
    #[serde(default, rename = "principalArn", skip_serializing_if = "String::is_empty")]
    pub principal: String,
    /// The stable id of that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// The key that signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// The ARN of the role, where a session of it asked.
    #[serde(rename = "sessionIssuerArn", skip_serializing_if = "Option::is_none")]
    pub session_issuer: Option<String>,
    /// The client's address.
    #[serde(rename = "sourceIpAddress", skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// `proton`, `protium`, `s3` or `sts`.
    pub event_source: String,
    /// As in `CreateEnvironment`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// The ARN of what it was about.
    #[serde(rename = "resourceArn", skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// The request as a JSON object, without what is sensitive.
    #[serde(rename = "requestParameters", skip_serializing_if = "Option::is_none")]
    pub parameters: Option<String>,
    pub outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// How many refusals of the caller before this one have no record, because there were too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrecorded: Option<i64>,
}

/// A new id for a request that comes in at `now` (milliseconds since 1970): version 7 of RFC 9562.
pub fn request_id(now: i64) -> uuid::Uuid {
    let mut random = [0; 10];
    random.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..10]);
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(now).unwrap_or(0), &random).into_uuid()
}

/// What the ids of requests that came in at `at` or later sort after, and those of earlier ones before.
fn id_from(at: i64) -> String {
    // A negative time was before all of them; what doesn't fit was after.
    let at = u64::try_from(at).unwrap_or(0).min((1 << 48) - 1);
    format!("{:08x}-{:04x}", at >> 16, at & 0xffff)
}

/// The record that a request leaves when it succeeds, until it is written.
#[derive(Debug)]
pub struct Entry {
    record: AuditRecord,
    /// What the request made under an id of its own, known only when that is drawn.
    resource: OnceLock<String>,
    written: AtomicBool,
}

impl Entry {
    pub fn new(record: AuditRecord) -> Self {
        Self { record, resource: OnceLock::new(), written: AtomicBool::new(false) }
    }

    /// Says what the request is about, where the request itself does not.
    pub fn concerns(&self, resource: impl Into<String>) {
        // A transaction that runs again makes the same.
        let _ = self.resource.set(resource.into());
    }

    /// The record as it is known now.
    pub fn record(&self) -> AuditRecord {
        let resource = self.resource.get().or(self.record.resource.as_ref()).cloned();
        AuditRecord { resource, ..self.record.clone() }
    }

    /// Whether a transaction that was committed wrote it.
    pub fn is_written(&self) -> bool {
        self.written.load(Ordering::SeqCst)
    }
}

/// The record of the request that transactions are made for.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal(Option<Arc<Entry>>);

impl Journal {
    pub(super) fn of(entry: &Arc<Entry>) -> Self {
        Self(Some(Arc::clone(entry)))
    }

    /// Puts the record into a transaction that is about to be committed, unless another one of this request did. A
    /// failure dooms the transaction.
    pub(super) async fn write(&self, tx: &mut Tx) -> DbResult<()> {
        match self.0.as_ref().filter(|entry| !entry.is_written()) {
            Some(entry) => append(tx, entry.record(), INSERT).await,
            None => Ok(()),
        }
    }

    /// Says that the transaction was committed.
    pub(super) fn written(&self) {
        if let Some(entry) = &self.0 {
            entry.written.store(true, Ordering::SeqCst);
        }
    }
}

/// Adds a record, unless there is one of the request: a transaction whose end nobody was told of may have written it.
pub async fn audit_append(tx: &mut Tx, record: &AuditRecord) -> DbResult<()> {
    append(tx, record.clone(), &format!("{INSERT} ON CONFLICT DO NOTHING")).await
}

async fn append(tx: &mut Tx, mut record: AuditRecord, sql: &str) -> DbResult<()> {
    let columns = [&mut record.account, &mut record.request_id, &mut record.principal, &mut record.operation];
    let [account, request_id, principal, operation] = columns.map(std::mem::take);
    let resource = record.resource.take();
    let doc = serde_json::to_string(&record).map_err(|error| DbError::other(error.to_string()))?;
    let outcome = record.outcome.as_str();
    let params = params![&account, &request_id, &principal, &operation, &resource, outcome, &doc];
    tx.run_last(sql, params).await
}

/// Which records. What is `None` does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditFilter<'a> {
    /// Requests that came in then or later, in milliseconds since 1970.
    pub from: Option<i64>,
    /// Requests that came in before, in milliseconds since 1970.
    pub before: Option<i64>,
    pub principal: Option<&'a str>,
    pub operation: Option<&'a str>,
    pub resource: Option<&'a str>,
    pub outcome: Option<Outcome>,
    pub request_id: Option<&'a str>,
}

/// At most `limit` records of an account, the newest first, from the first one before the request `after`.
pub async fn audit_list(
    rd: &mut Reader,
    account: &str,
    filter: &AuditFilter<'_>,
    after: Option<&str>,
    limit: i64,
) -> DbResult<Vec<AuditRecord>> {
    let refused = filter.outcome.filter(|outcome| *outcome != Outcome::Succeeded);
    // Those that leave the fewest first: the first one is looked up in its index, and the others are checked on what
    // is found there. Left to itself, a database might look up the one that nearly all records share.
    let equal =
        [("request_id", filter.request_id), ("resource", filter.resource), ("outcome", refused.map(Outcome::as_str))];
    let [from, before] = [filter.from, filter.before].map(|at| at.map(id_from));
    let mut params: Vec<Param<'_>> = vec![account.into()];
    let mut tests = vec!["account = $1".to_owned()];
    for (column, value) in equal {
        let Some(value) = value else { continue };
        params.push(value.into());
        let no_index = if params.len() > 2 { " || ''" } else { "" };
        tests.push(format!("{column}{no_index} = ${}", params.len()));
    }
    for (column, value) in [("operation", filter.operation), ("principal", filter.principal)] {
        let Some(value) = value else { continue };
        params.push(value.into());
        tests.push(format!("{column} = ${}", params.len()));
    }
    for (test, value) in [(">=", from.as_deref()), ("<", before.as_deref()), ("<", after)] {
        let Some(value) = value else { continue };
        params.push(value.into());
        tests.push(format!("request_id {test} ${}", params.len()));
    }
    tests.extend(match filter.outcome {
        // What the index of the refused asks for.
        Some(Outcome::Failed | Outcome::Denied) => Some("outcome <> 'SUCCEEDED'".to_owned()),
        Some(Outcome::Succeeded) => Some("outcome = 'SUCCEEDED'".to_owned()),
        None => None,
    });
    params.push(limit.into());
    let sql = format!(
        "SELECT doc, account, request_id, principal, operation, resource FROM audit WHERE {} \
         ORDER BY request_id DESC LIMIT ${}",
        tests.join(" AND "),
        params.len()
    );
    rd.query(&sql, &params).await?.into_iter().map(read).collect()
}

/// Removes at most `limit` records of requests that came in before `before` (milliseconds since 1970). Returns how
/// many there were.
pub async fn audit_expire(tx: &mut Tx, before: i64, limit: i64) -> DbResult<i64> {
    let (before, mut left) = (id_from(before), limit);
    let mut account = String::new();
    // From account to account, each step an entry of the index.
    while left > 0 {
        let next = tx.query_one("SELECT MIN(account) FROM audit WHERE account > $1", params![&account]).await?;
        let Some(next) = { next }.opt_text(0)? else { break };
        account = next;
        let sql = "DELETE FROM audit WHERE account = $1 AND request_id IN
                       (SELECT request_id FROM audit WHERE account = $1 AND request_id < $2
                        ORDER BY request_id LIMIT $3)";
        let removed = tx.execute(sql, params![&account, &before, left]).await?;
        left -= i64::try_from(removed).unwrap_or(i64::MAX);
    }
    Ok(limit - left)
}

fn read(mut row: Row) -> DbResult<AuditRecord> {
    let doc = serde_json::from_str(&row.text(0)?);
    let rest: AuditRecord = doc.map_err(|error| DbError::corrupt(format!("a record of the audit log: {error}")))?;
    Ok(AuditRecord {
        account: row.text(1)?,
        request_id: row.text(2)?,
        principal: row.text(3)?,
        operation: row.text(4)?,
        resource: row.opt_text(5)?,
        ..rest
    })
}

#[cfg(test)]
mod tests {
    use super::{id_from, request_id};

    #[test]
    fn request_ids_sort_by_the_time_that_they_begin_with() {
        for at in [0, 1, 0xffff, 0x1_0000, 1_800_000_000_000] {
            let (id, next) = (request_id(at).to_string(), request_id(at + 1).to_string());
            assert!(id_from(at) < id && id < id_from(at + 1) && id_from(at + 1) < next, "{id} {next}");
            assert_eq!(request_id(at).get_version_num(), 7);
            assert_ne!(request_id(at).to_string(), id);
        }
        assert_eq!([id_from(-1), id_from(i64::MAX)], ["00000000-0000", "ffffffff-ffff"]);
    }
}
