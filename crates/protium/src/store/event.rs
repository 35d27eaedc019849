//! The event log: what happened to a resource, in the order of its revisions.
//!
//! Owns: appending in the transaction that makes the change, forgetting. Does not own: the order in which events are
//! brought to others (`event_order`), where they are brought and how far that is (`delivery`).

use super::db_error::DbResult;
use super::tx::{Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;

/// What is said about a change of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// What happened, such as `ENVIRONMENT_STATUS`.
    pub kind: &'a str,
    /// A JSON object with ids and states; nothing that a user wrote.
    pub detail: &'a str,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// A stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The incarnation that changed.
    pub resource_id: String,
    /// Its revision after the change.
    pub revision: i64,
    /// What happened.
    pub kind: String,
    /// A JSON object.
    pub detail: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// Appends an event. There is one of each kind for a revision; a second one is a unique violation.
pub async fn event_append(
    tx: &mut Tx,
    scope: &Scope,
    resource_id: &str,
    revision: i64,
    change: &Change<'_>,
) -> DbResult<()> {
    let sql = "INSERT INTO event (account, region, resource_id, revision, kind, detail, at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (account, region) = (&scope.account, &scope.region);
    let values = params![account, region, resource_id, revision, change.kind, change.detail, change.at];
    tx.defer(sql, values).await?;
    tx.tell();
    Ok(())
}

/// All events of a resource, oldest first.
pub async fn event_list(rd: &mut Reader, resource_id: &str) -> DbResult<Vec<Event>> {
    let sql = "SELECT resource_id, revision, kind, detail, at FROM event WHERE resource_id = $1
               ORDER BY revision, kind";
    let rows = rd.query(sql, params![resource_id]).await?;
    rows.into_iter()
        .map(|mut row| {
            Ok(Event {
                resource_id: row.text(0)?,
                revision: row.int(1)?,
                kind: row.text(2)?,
                detail: row.text(3)?,
                at: row.int(4)?,
            })
        })
        .collect()
}

/// Forgets up to `limit` events that were logged before a time, the oldest first. Returns how many there were. The newest
/// one stays: the next one is counted from it.
pub async fn event_expire(tx: &mut Tx, before: i64, limit: i64) -> DbResult<u64> {
    let sql = "DELETE FROM event WHERE seq IN (SELECT e.seq FROM event e ORDER BY e.seq LIMIT $2) AND at < $1
                   AND seq < (SELECT MAX(e.seq) FROM event e)";
    let forgotten = tx.execute(sql, params![before, limit]).await?;
    let sql = "DELETE FROM event_span WHERE last_seq < (SELECT MIN(seq) FROM event)
                   AND position < (SELECT MAX(s.position) FROM event_span s)";
    tx.execute(sql, params![]).await?;
    Ok(forgotten)
}
