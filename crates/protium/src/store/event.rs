//! The event log: what happened to a resource, in the order of its revisions.
//!
//! Owns: appending in the transaction that makes the change, the order in which events are brought to others,
//! forgetting. Does not own: where they are brought and how far that is (`delivery`).

use super::Store;
use super::db_error::DbResult;
use super::tx::{Reader, Tx};
use super::value::Row;
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::event;

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

/// A logged change, and its place in the order in which changes are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub position: i64,
    /// The order in which it was logged.
    pub seq: i64,
    pub change: event::Change,
}

/// The columns of [`Logged`], where `$` stands for the place's column.
const LOGGED: &str = "e.$, e.seq, e.account, e.region, e.resource_id, e.revision, e.kind, e.detail, e.at";

/// Appends an event. There is one of each kind for a revision; a second one is a unique violation.
pub async fn event_append(
    tx: &mut Tx,
    scope: &Scope,
    resource_id: &str,
    revision: i64,
    change: &Change<'_>,
) -> DbResult<()> {
    let position = tx.is_embedded().then_some(0);
    let sql = "INSERT INTO event (account, region, resource_id, revision, kind, detail, at, position)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let (account, region) = (&scope.account, &scope.region);
    let values = params![account, region, resource_id, revision, change.kind, change.detail, change.at, position];
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

/// Up to `limit` changes after a position, in their order.
pub async fn event_after(rd: &mut Reader, position: i64, limit: i64) -> DbResult<Vec<Logged>> {
    let place = place(rd);
    let sql = format!("SELECT {LOGGED} FROM event e WHERE e.$ > $1 AND e.$ > 0 ORDER BY e.$ LIMIT $2");
    rd.query(&at_place(&sql, place), params![position, limit]).await?.into_iter().map(read_logged).collect()
}

/// The column that has the positions.
pub(super) fn place(rd: &Reader) -> &'static str {
    if rd.is_embedded() { "seq" } else { "position" }
}

/// The columns of a [`Logged`] of the table `e`.
pub(super) fn logged(rd: &Reader) -> String {
    at_place(LOGGED, place(rd))
}

pub(super) fn at_place(sql: &str, place: &str) -> String {
    sql.replace("e.$", &format!("e.{place}"))
}

pub(super) fn read_logged(mut row: Row) -> DbResult<Logged> {
    Ok(Logged {
        position: row.int(0)?,
        seq: row.int(1)?,
        change: event::Change {
            scope: Scope::new(row.text(2)?, row.text(3)?),
            resource_id: row.text(4)?,
            revision: row.int(5)?,
            kind: row.text(6)?,
            detail: row.text(7)?,
            at: row.int(8)?,
        },
    })
}

/// Forgets up to `limit` events that were logged before a time. Returns how many there were. The newest one stays:
/// the next one is counted from it.
pub async fn event_expire(tx: &mut Tx, before: i64, limit: i64) -> DbResult<u64> {
    let place = place(tx);
    let sql = "DELETE FROM event WHERE seq IN (SELECT e.seq FROM event e ORDER BY e.seq LIMIT $2) AND at < $1
                   AND seq < (SELECT MAX(e.seq) FROM event e)
                   AND seq NOT IN (SELECT e.seq FROM event e WHERE e.$ > 0 ORDER BY e.$ DESC LIMIT 1)";
    tx.execute(&at_place(sql, place), params![before, limit]).await
}

impl Store {
    /// Gives what has become visible its places behind all others. Where one transaction writes at a time, it has them
    /// already. Whoever does this at the same time either waits or fails with a unique violation, and changes nothing.
    pub async fn event_place(&self) -> DbResult<()> {
        if self.db().is_embedded() {
            return Ok(());
        }
        let sql = "UPDATE event SET position = placed.position
                   FROM (SELECT e.seq, last.position + ROW_NUMBER() OVER (ORDER BY e.seq) AS position
                         FROM event e, (SELECT COALESCE(MAX(position), 0) AS position FROM event WHERE position > 0) last
                         WHERE e.position IS NULL ORDER BY e.seq LIMIT 1000) placed
                   WHERE event.seq = placed.seq AND event.position IS NULL";
        self.db().execute_alone(sql, params![]).await.map(drop)
    }
}
