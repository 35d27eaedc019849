//! How far events are brought to their destinations: a position for each, and what was not delivered at once.
//!
//! Owns: positions, leases, waiting and dead deliveries, in order for each resource. Does not own: the log (`event`),
//! bringing anything anywhere (`events`). Times are the database's clock, in milliseconds since 1970.
//!
//! One process at a time has a destination. A lease that went to another one shows in its `fence`: what was done
//! under an older one is not saved.

use super::Store;
use super::db::RowRef;
use super::db_error::{DbError, DbErrorKind, DbResult};
use super::event_order::{self, Logged, event_count_after, read_logged};
use super::tx::{Reader, Tx};
use super::value::{Param, Row};
use crate::params;
use protium_domain::arn::Scope;

/// A destination in the hands of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub name: String,
    /// Up to where all is delivered, is not for it, or has a row of its own.
    pub position: i64,
    /// What was logged up to this was there before the destination.
    pub since: i64,
    fence: i64,
}

/// An event that waits for a destination, and is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub logged: Logged,
    /// How often it was tried.
    pub attempts: i64,
}

/// What becomes of an event that was not delivered at once, or was and is not to wait any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Delivered,
    /// It is tried at that time; `None`: after those of its resource that come before it.
    Waits(Option<i64>),
    /// It is not tried any more, and what follows it is.
    Dead,
}

/// An event and where it stands at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub position: i64,
    /// The id of the event.
    pub event: String,
    pub scope: Scope,
    pub arn: String,
    pub detail_type: &'static str,
    /// When it happened.
    pub at: i64,
    pub attempts: i64,
    pub last_error: Option<String>,
    pub fate: Fate,
}

/// Where a delivery stands that has a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    Pending,
    Dead,
}

impl DeliveryState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Dead => "DEAD",
        }
    }

    fn parse(text: &str) -> DbResult<Self> {
        match text {
            "PENDING" => Ok(Self::Pending),
            "DEAD" => Ok(Self::Dead),
            _ => Err(DbError::corrupt("the state of a delivery is unknown")),
        }
    }
}

/// A delivery that was not made at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub destination: String,
    pub position: i64,
    pub event: String,
    pub arn: String,
    pub detail_type: String,
    pub state: DeliveryState,
    pub attempts: i64,
    pub last_error: Option<String>,
    pub next_at: Option<i64>,
    pub at: i64,
}

/// Which deliveries are meant. Absent members do not narrow it.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    pub destination: Option<String>,
    pub state: Option<DeliveryState>,
    pub arn: Option<String>,
    pub event: Option<String>,
}

/// Numbers of a destination for the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCount {
    /// Those that wait, and those of the log that were not looked at.
    pub pending: i64,
    pub dead: i64,
    /// When the oldest of the pending happened.
    pub oldest_at: Option<i64>,
}

/// Makes a destination known, from now on; one that is known goes on where it was.
pub async fn destination_ensure(tx: &mut Tx, name: &str) -> DbResult<()> {
    let newest = event_order::newest(tx);
    let sql = format!(
        "INSERT INTO event_destination (name, position, since, fence)
         VALUES ($1, {newest}, COALESCE((SELECT MAX(seq) FROM event), 0), 0)
         ON CONFLICT (name) DO NOTHING"
    );
    tx.execute(&sql, params![name]).await?;
    if tx.is_embedded() {
        // Whoever had it was the process before this one, and what that had sent gets no answer any more.
        tx.execute("UPDATE event_destination SET lease_by = NULL WHERE name = $1", params![name]).await?;
        let now = tx.now_ms().await?;
        let sql = "UPDATE event_delivery SET next_at = $2 WHERE destination = $1 AND next_at > $2";
        tx.execute(sql, params![name, now]).await?;
    }
    Ok(())
}

/// Whether anything waits for the destination.
pub async fn destination_has_waiting(rd: &mut Reader, destination: &str) -> DbResult<bool> {
    let sql = "SELECT 1 FROM event_delivery WHERE destination = $1 AND state = 'PENDING' LIMIT 1";
    Ok(rd.query_opt(sql, params![destination]).await?.is_some())
}

/// Up to `limit` deliveries that are due and the first of their resource, those first that have waited longest.
pub async fn deliveries_due(rd: &mut Reader, destination: &str, now: i64, limit: i64) -> DbResult<Vec<Due>> {
    let (columns, event) = (event_order::logged(rd), event_order::at(rd, "d.position"));
    let sql = format!(
        "SELECT {columns}, d.attempts FROM event_delivery d {event}
         WHERE d.destination = $1 AND d.next_at <= $2 AND d.state = 'PENDING' AND NOT EXISTS (
             SELECT 1 FROM event_delivery b
             WHERE b.destination = d.destination AND b.arn = d.arn AND b.state = 'PENDING' AND b.position < d.position)
         ORDER BY d.next_at, d.position LIMIT $3"
    );
    let read = |row: RowRef<'_>| Ok(Due { logged: read_logged(row)?, attempts: row.int(9)? });
    rd.query_each(&sql, params![destination, now, limit], read).await
}

/// Those of the resources that have something waiting for the destination.
pub async fn resources_waiting(rd: &mut Reader, destination: &str, arns: &[&str]) -> DbResult<Vec<String>> {
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let mut values: Vec<Param<'_>> = params![destination].to_vec();
    // Some more than once: a statement for each number of them would drive others out of those that are kept prepared.
    values.extend(arns.iter().cycle().take(arns.len().next_power_of_two()).map(|arn| Param::from(*arn)));
    let places: Vec<String> = (2..=values.len()).map(|number| format!("${number}")).collect();
    let sql = format!(
        "SELECT DISTINCT arn FROM event_delivery WHERE destination = $1 AND state = 'PENDING' AND arn IN ({})",
        places.join(", ")
    );
    rd.query(&sql, &values).await?.into_iter().map(|mut row| row.text(0)).collect()
}

/// Saves how far a destination has come, and what became of events. If the lease went to another process, the
/// transaction is doomed, and the error is [`DbErrorKind::LeaseLost`].
pub async fn deliveries_save(tx: &mut Tx, held: &Held, position: i64, settled: &[Settled]) -> DbResult<()> {
    let sql = "UPDATE event_destination SET position = $3 WHERE name = $1 AND fence = $2";
    if tx.execute(sql, params![&held.name, held.fence, position]).await? == 0 {
        let lost = DbError::new(DbErrorKind::LeaseLost, format!("another process has the destination {}", held.name));
        return Err(tx.doom(lost));
    }
    for one in settled {
        save(tx, &held.name, one).await?;
    }
    let now = tx.now_ms().await?;
    let mut arns: Vec<&str> = settled.iter().map(|one| one.arn.as_str()).collect();
    arns.sort_unstable();
    arns.dedup();
    for arn in arns {
        advance(tx, &held.name, arn, now).await?;
    }
    Ok(())
}

async fn save(tx: &mut Tx, destination: &str, one: &Settled) -> DbResult<()> {
    let (state, next_at) = match one.fate {
        Fate::Delivered => {
            let sql = "DELETE FROM event_delivery WHERE destination = $1 AND position = $2";
            return tx.execute(sql, params![destination, one.position]).await.map(drop);
        }
        Fate::Waits(next_at) => (DeliveryState::Pending, next_at),
        Fate::Dead => (DeliveryState::Dead, None),
    };
    let sql = "INSERT INTO event_delivery (destination, position, event, account, region, arn, detail_type, state,
                   attempts, last_error, next_at, at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
               ON CONFLICT (destination, position) DO UPDATE SET
                   state = excluded.state, attempts = excluded.attempts, last_error = excluded.last_error,
                   next_at = excluded.next_at";
    let Scope { account, region } = &one.scope;
    let (state, error) = (state.as_str(), &one.last_error);
    let (event, arn, kind, attempts) = (&one.event, &one.arn, one.detail_type, one.attempts);
    let values =
        params![destination, one.position, event, account, region, arn, kind, state, attempts, error, next_at, one.at];
    tx.execute(sql, values).await.map(drop)
}

/// Lets the first delivery of a resource that waits be due, if it has no time yet.
async fn advance(tx: &mut Tx, destination: &str, arn: &str, now: i64) -> DbResult<()> {
    let sql = "UPDATE event_delivery SET next_at = $3 WHERE destination = $1 AND next_at IS NULL AND state = 'PENDING'
                   AND position = (SELECT MIN(b.position) FROM event_delivery b
                                   WHERE b.destination = $1 AND b.arn = $2 AND b.state = 'PENDING')";
    tx.execute(sql, params![destination, arn, now]).await.map(drop)
}

/// Up to `limit` deliveries of the account and region after (`destination`, `position`), in that order.
pub async fn delivery_page(
    rd: &mut Reader,
    scope: &Scope,
    filter: &DeliveryFilter,
    after: (&str, i64),
    limit: i64,
) -> DbResult<Vec<Delivery>> {
    let mut values: Vec<Param<'_>> = params![&scope.account, &scope.region, after.0, after.1, limit].to_vec();
    let narrowed = narrowed(filter, &mut values);
    let sql = format!(
        "SELECT destination, position, event, arn, detail_type, state, attempts, last_error, next_at, at
         FROM event_delivery WHERE account = $1 AND region = $2
             AND (destination > $3 OR (destination = $3 AND position > $4)){narrowed}
         ORDER BY destination, position LIMIT $5"
    );
    rd.query(&sql, &values).await?.into_iter().map(read).collect()
}

/// What a filter adds to a query, and its values.
fn narrowed<'a>(filter: &'a DeliveryFilter, values: &mut Vec<Param<'a>>) -> String {
    let equal = [
        ("destination", filter.destination.as_deref()),
        ("state", filter.state.map(DeliveryState::as_str)),
        ("arn", filter.arn.as_deref()),
        ("event", filter.event.as_deref()),
    ];
    let mut text = String::new();
    for (column, value) in equal {
        if let Some(value) = value {
            values.push(value.into());
            text.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    text
}

fn read(mut row: Row) -> DbResult<Delivery> {
    Ok(Delivery {
        destination: row.text(0)?,
        position: row.int(1)?,
        event: row.text(2)?,
        arn: row.text(3)?,
        detail_type: row.text(4)?,
        state: DeliveryState::parse(&row.text(5)?)?,
        attempts: row.int(6)?,
        last_error: row.opt_text(7)?,
        next_at: row.opt_int(8)?,
        at: row.int(9)?,
    })
}

/// Lets up to `limit` dead deliveries of the account and region wait again, as if they had not been tried, the oldest
/// first. Returns how many there were.
pub async fn deliveries_revive(tx: &mut Tx, scope: &Scope, filter: &DeliveryFilter, limit: i64) -> DbResult<usize> {
    let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..filter.clone() };
    let found = delivery_page(tx, scope, &dead, ("", 0), limit).await?;
    let now = tx.now_ms().await?;
    for one in &found {
        let sql = "UPDATE event_delivery SET state = 'PENDING', attempts = 0, next_at = NULL
                   WHERE destination = $1 AND position = $2";
        tx.execute(sql, params![&one.destination, one.position]).await?;
    }
    for one in &found {
        advance(tx, &one.destination, &one.arn, now).await?;
    }
    tx.tell();
    Ok(found.len())
}

/// Forgets up to `limit` deliveries of events that happened before a time. Returns how many there were. Destinations
/// stay, so that one that comes back goes on where it was.
pub async fn deliveries_expire(tx: &mut Tx, before: i64, limit: i64) -> DbResult<u64> {
    let sql = "DELETE FROM event_delivery WHERE (destination, position) IN (
                   SELECT destination, position FROM event_delivery WHERE at < $1 ORDER BY at LIMIT $2)";
    tx.execute(sql, params![before, limit]).await
}

/// Whether there is or was a destination of that name.
pub async fn destination_is_known(rd: &mut Reader, name: &str) -> DbResult<bool> {
    let sql = "SELECT 1 FROM event_destination WHERE name = $1";
    Ok(rd.query_opt(sql, params![name]).await?.is_some())
}

/// Numbers of a destination for the metrics; `None` if it is not known.
pub async fn delivery_count(rd: &mut Reader, destination: &str) -> DbResult<Option<DeliveryCount>> {
    let sql = "SELECT position, since FROM event_destination WHERE name = $1";
    let Some(mut row) = rd.query_opt(sql, params![destination]).await? else { return Ok(None) };
    let (position, since) = (row.int(0)?, row.int(1)?);
    let sql = "SELECT COUNT(CASE WHEN state = 'PENDING' THEN 1 END), COUNT(CASE WHEN state = 'DEAD' THEN 1 END),
                   MIN(CASE WHEN state = 'PENDING' THEN at END)
               FROM event_delivery WHERE destination = $1";
    let mut rows = rd.query_one(sql, params![destination]).await?;
    // The latter have no place yet.
    let [behind, unplaced] = event_count_after(rd, position, since).await?;
    let oldest = [rows.opt_int(2)?, behind.1, unplaced.1].into_iter().flatten().min();
    let pending = rows.int(0)? + behind.0 + unplaced.0;
    Ok(Some(DeliveryCount { pending, dead: rows.int(1)?, oldest_at: oldest }))
}

impl Store {
    /// Takes or keeps a destination for `lease_ms` from now. `None`: another process has it, or it is not known.
    pub async fn destination_hold(&self, name: &str, holder: &str, lease_ms: i64) -> DbResult<Option<Held>> {
        let now = self.db().reader().await?.now_ms().await?;
        let sql = "UPDATE event_destination SET lease_until = $3, lease_by = $2,
                       fence = fence + CASE WHEN lease_by = $2 THEN 0 ELSE 1 END
                   WHERE name = $1 AND (lease_by IS NULL OR lease_by = $2 OR lease_until <= $4)
                   RETURNING position, since, fence";
        let rows = self.db().execute_alone(sql, params![name, holder, now + lease_ms, now]).await?;
        let read = |mut row: Row| {
            Ok(Held { name: name.to_owned(), position: row.int(0)?, since: row.int(1)?, fence: row.int(2)? })
        };
        rows.into_iter().next().map(read).transpose()
    }

    /// Gives a destination back, so that another process can have it at once.
    pub async fn destination_release(&self, held: &Held) -> DbResult<()> {
        let sql = "UPDATE event_destination SET lease_by = NULL WHERE name = $1 AND fence = $2 RETURNING name";
        self.db().execute_alone(sql, params![&held.name, held.fence]).await.map(drop)
    }
}
