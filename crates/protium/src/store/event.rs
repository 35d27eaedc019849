//! The event log: what happened to a resource, in the order of its revisions.
//!
//! Owns: appending in the transaction that makes the change. Does not own: delivery.

use super::db_error::DbResult;
use super::tx::{Reader, Tx};
use crate::params;

/// What is said about a change of a resource.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// What happened, such as `environment.created`.
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
pub async fn event_append(tx: &mut Tx, resource_id: &str, revision: i64, change: &Change<'_>) -> DbResult<()> {
    tx.defer(
        "INSERT INTO event (resource_id, revision, kind, detail, at) VALUES ($1, $2, $3, $4, $5)",
        params![resource_id, revision, change.kind, change.detail, change.at],
    )
    .await
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
