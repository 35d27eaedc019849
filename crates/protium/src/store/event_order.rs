//! The order in which events are brought to others: a position for each.
//!
//! Owns: giving positions to what has become visible, reading by position. Does not own: what is logged (`event`), how
//! far a destination has come (`delivery`).
//!
//! The numbers of the log (`seq`) are the order of the changes of one resource. On SQLite, where one transaction writes
//! at a time, they are the positions. On PostgreSQL several write at once: one that has taken a number may commit
//! after others with greater ones were read. There, what is visible and has no place yet gets the next positions, in
//! spans of successive numbers (`event_span`); the numbers between spans are of transactions that are under way or were
//! rolled back. Up to the horizon (`event_horizon.low`) none is under way, and nobody looks there any more.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protium_domain::arn::Scope;
use protium_domain::event;

use super::Store;
use super::db::RowRef;
use super::db_error::{DbErrorKind, DbResult};
use super::tx::Reader;
use super::value::Row;
use crate::params;

/// With so many new spans it is time to move the horizon: each of them is looked behind when places are given.
const MANY_SPANS: usize = 64;

/// A logged change, and its place in the order in which changes are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub position: i64,
    /// The order in which it was logged.
    pub seq: i64,
    pub change: event::Change,
}

/// The columns of [`Logged`] behind the position, of the table `e`.
const CHANGE: &str = "e.seq, e.account, e.region, e.resource_id, e.revision, e.kind, e.detail, e.at";

/// The last position that was given, or 0, on PostgreSQL.
const NEWEST: &str =
    "COALESCE((SELECT position + last_seq - first_seq FROM event_span ORDER BY position DESC LIMIT 1), 0)";

/// The events without a place, in the table `e`: those between the spans behind the horizon, and those behind the last
/// one.
const UNPLACED: &str = "(
        SELECT edge.last_seq AS past, LEAD(edge.first_seq, 1, 9223372036854775807) OVER (ORDER BY edge.last_seq) AS until
        FROM (SELECT (SELECT low FROM event_horizon) AS first_seq, (SELECT low FROM event_horizon) AS last_seq
              UNION ALL
              SELECT first_seq, last_seq FROM event_span WHERE last_seq > (SELECT low FROM event_horizon)) edge
    ) gap JOIN event e ON e.seq > gap.past AND e.seq < gap.until";

/// What the horizon is moved by.
#[derive(Debug, Default)]
pub(super) struct Horizon(Mutex<Moving>);

#[derive(Debug)]
struct Moving {
    /// How many spans there are behind it, as far as this process knows.
    spans: usize,
    mark: Option<Mark>,
}

/// All transactions that could still log an event up to `seq` are among the `open` ones.
#[derive(Debug)]
struct Mark {
    seq: i64,
    open: HashSet<String>,
}

impl Default for Moving {
    fn default() -> Self {
        // What the process before left is not known.
        Self { spans: MANY_SPANS, mark: None }
    }
}

impl Horizon {
    fn lock(&self) -> MutexGuard<'_, Moving> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Up to `limit` changes after a position, in their order.
pub async fn event_after(rd: &mut Reader, position: i64, limit: i64) -> DbResult<Vec<Logged>> {
    let (logged, behind) = (logged(rd), behind(rd));
    let order = if rd.is_embedded() { "e.seq" } else { "s.position, e.seq" };
    let sql = format!("SELECT {logged} FROM {behind} ORDER BY {order} LIMIT $2");
    rd.query_each(&sql, params![position, limit], read_logged).await
}

/// How many changes there are after a position, and when the oldest happened; and how many have no position yet and
/// were logged after `since`.
pub(super) async fn event_count_after(rd: &mut Reader, position: i64, since: i64) -> DbResult<[(i64, Option<i64>); 2]> {
    let read = |mut row: Row| -> DbResult<_> { Ok((row.int(0)?, row.opt_int(1)?)) };
    let sql = format!("SELECT COUNT(*), MIN(e.at) FROM {}", behind(rd));
    let placed = read(rd.query_one(&sql, params![position]).await?)?;
    if rd.is_embedded() {
        return Ok([placed, (0, None)]);
    }
    let sql = format!("SELECT COUNT(*), MIN(e.at) FROM {UNPLACED} WHERE e.seq > $1");
    let unplaced = read(rd.query_one(&sql, params![since]).await?)?;
    Ok([placed, unplaced])
}

/// The columns of a [`Logged`] of the tables that [`at`] joins.
pub(super) fn logged(rd: &Reader) -> String {
    format!("{}, {CHANGE}", position_of(rd))
}

/// Joins the event at a position that an expression gives.
pub(super) fn at(rd: &Reader, position: &str) -> String {
    if rd.is_embedded() {
        return format!("JOIN event e ON e.seq = {position}");
    }
    format!(
        "JOIN LATERAL (SELECT * FROM event_span WHERE position <= {position} ORDER BY position DESC LIMIT 1) s ON TRUE
         JOIN event e ON e.seq = s.first_seq + {position} - s.position AND e.seq <= s.last_seq"
    )
}

/// The last position that was given, or 0.
pub(super) fn newest(rd: &Reader) -> &'static str {
    if rd.is_embedded() { "COALESCE((SELECT MAX(seq) FROM event), 0)" } else { NEWEST }
}

/// The tables of the events behind the position `$1`, which a condition ends.
fn behind(rd: &Reader) -> &'static str {
    if rd.is_embedded() {
        "event e WHERE e.seq > $1"
    } else {
        "event_span s JOIN event e ON e.seq BETWEEN s.first_seq AND s.last_seq
         WHERE s.position >= COALESCE((SELECT MAX(b.position) FROM event_span b WHERE b.position <= $1), 0)
             AND s.position + e.seq - s.first_seq > $1"
    }
}

fn position_of(rd: &Reader) -> &'static str {
    if rd.is_embedded() { "e.seq" } else { "s.position + e.seq - s.first_seq" }
}

pub(super) fn read_logged(row: RowRef<'_>) -> DbResult<Logged> {
    Ok(Logged {
        position: row.int(0)?,
        seq: row.int(1)?,
        change: event::Change {
            scope: Scope::new(row.text(2)?, row.text(3)?),
            resource_id: row.text(4)?.to_owned(),
            revision: row.int(5)?,
            kind: row.text(6)?.to_owned(),
            detail: row.text(7)?.to_owned(),
            at: row.int(8)?,
        },
    })
}

impl Store {
    /// Gives what has become visible its places behind all others. Where one transaction writes at a time, it has them
    /// already. Of those who do this at the same time, one does it.
    pub async fn event_place(&self) -> DbResult<()> {
        if self.db().is_embedded() {
            return Ok(());
        }
        match self.place().await {
            // Somebody else has placed the same.
            Err(error) if matches!(error.kind(), DbErrorKind::Unique | DbErrorKind::Serialization) => Ok(()),
            placed => placed,
        }
    }

    /// Whoever does this at the same time either waits or fails, and changes nothing.
    async fn place(&self) -> DbResult<()> {
        // What is over now was so before the next statement, which sees what it has added.
        let over = self.transactions_over().await?;
        let sql = format!(
            "INSERT INTO event_span (position, first_seq, last_seq)
             SELECT {NEWEST} + MIN(number), MIN(seq), MAX(seq)
             FROM (SELECT e.seq, ROW_NUMBER() OVER (ORDER BY e.seq) AS number FROM {UNPLACED}) unplaced
             GROUP BY seq - number ORDER BY MIN(number)
             RETURNING position"
        );
        // In this order, whoever does the same waits at the first place, and for nothing else.
        let spans = self.db().execute_alone(&sql, params![]).await?.len();
        self.horizon.lock().spans += spans;
        if let Some(low) = over {
            // A server that took over may have lost what the one before had, and gives its numbers again.
            let sql = "UPDATE event_horizon SET low = $1
                       WHERE low < $1 AND $1 <= (SELECT MAX(last_seq) FROM event_span)";
            self.db().execute_alone(sql, params![low]).await?;
            self.horizon.lock().spans = spans;
        }
        Ok(())
    }

    /// Up to which number all transactions are over that could have logged an event, if that is more than was known.
    async fn transactions_over(&self) -> DbResult<Option<i64>> {
        let mark = {
            let mut moving = self.horizon.lock();
            if moving.spans < MANY_SPANS {
                return Ok(None);
            }
            moving.mark.take()
        };
        // Whoever adds a row has this lock before it takes a number, and until it is over. What the query reads of a table
        // is from before it looks at locks.
        let sql = "SELECT placed.seq, l.virtualtransaction
                   FROM (SELECT MAX(last_seq) AS seq FROM event_span) placed LEFT JOIN pg_locks l
                       ON l.relation = CAST('event' AS regclass) AND l.mode = 'RowExclusiveLock'
                       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let (mut seq, mut open) = (None, HashSet::new());
        for mut row in self.reader().await?.query(sql, params![]).await? {
            seq = row.opt_int(0)?;
            open.extend(row.opt_text(1)?);
        }
        let Some(seq) = seq else {
            // There are no spans: nothing has been placed yet.
            self.horizon.lock().spans = 0;
            return Ok(None);
        };
        let (mark, over) = match mark {
            Some(mark) if mark.open.is_disjoint(&open) => (None, Some(mark.seq)),
            Some(mark) => (Some(mark), None),
            None => (Some(Mark { seq, open }), None),
        };
        self.horizon.lock().mark = mark;
        Ok(over)
    }
}
