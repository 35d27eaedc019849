//! Commits that several transactions share.
//!
//! A transaction that only deferred statements has read nothing, and nothing that it knows can change: others of
//! its kind that arrive while one is on its way to the server travel together with the next, within one
//! transaction of the database, and one commit makes all of them durable. If the server refuses it, each is sent
//! again alone, and learns of its own failure only.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_postgres::Pool;
use tokio::sync::oneshot;

use super::{Deferred, Session, connection};
use crate::store::db::Isolation;
use crate::store::db_error::{DbError, DbErrorKind, DbResult};

/// How many are on their way at once: while one waits for the server's disk, the next is filled.
const FLIGHTS: usize = 2;
/// Statements that travel together. Beyond 30 the futures' library polls them in an order of its own.
const STATEMENTS: usize = 30;

/// The transactions that wait to travel.
pub(super) struct Shared {
    pool: Pool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Member>,
    flights: usize,
}

/// One transaction, and who waits for its end.
struct Member {
    statements: Vec<Deferred>,
    tell: oneshot::Sender<DbResult<()>>,
}

impl Shared {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool, state: Mutex::default() }
    }

    /// Makes statements durable, alone or together with those of others. Goes on to the end even if the caller
    /// gives up.
    pub(super) async fn commit(self: &Arc<Self>, session: Session, statements: Vec<Deferred>) -> DbResult<()> {
        let (tell, told) = oneshot::channel();
        // Who travels with others keeps a connection until the end: no more can be under way than the pool has, which
        // is what quotas reckon with.
        let _kept = if self.board(Member { statements, tell }) {
            let flight = Flight { home: Arc::clone(self), landed: false };
            tokio::spawn(flight.run(session));
            None
        } else {
            Some(session)
        };
        told.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Whether the member needs a flight of its own.
    fn board(&self, member: Member) -> bool {
        let mut state = self.lock();
        state.waiting.push_back(member);
        let starts = state.flights < FLIGHTS;
        state.flights += usize::from(starts);
        starts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A right to be on the way.
struct Flight {
    home: Arc<Shared>,
    landed: bool,
}

impl Flight {
    /// Takes along those that wait, until there are none.
    async fn run(mut self, session: Session) {
        let mut session = Some(session);
        while let Some(members) = self.next() {
            // A lost connection goes back before another one is asked for: those who wait may hold all others.
            let usable = match session.take().filter(|session| !session.is_lost()) {
                Some(session) => Ok(session),
                None => connection(&self.home.pool).await.map(|client| Session::new(client, &self.home)),
            };
            match usable {
                Ok(mut usable) => {
                    fly(&mut usable, members).await;
                    session = Some(usable);
                }
                Err(error) => tell(members, &Err(error)),
            }
        }
        if let Some(session) = session {
            session.close();
        }
    }

    /// Those that travel next. `None` ends the flight: who boards from now on has one of its own.
    fn next(&mut self) -> Option<Vec<Member>> {
        let mut state = self.home.lock();
        let (mut members, mut statements) = (Vec::new(), 0);
        while let Some(member) = state.waiting.pop_front() {
            statements += member.statements.len();
            if statements > STATEMENTS && !members.is_empty() {
                state.waiting.push_front(member);
                break;
            }
            members.push(member);
        }
        if members.is_empty() {
            state.flights -= 1;
            self.landed = true;
            return None;
        }
        Some(members)
    }
}

/// A flight that was cut off, by the end of the program or a defect, leaves nobody waiting.
impl Drop for Flight {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        let mut state = self.home.lock();
        state.flights -= 1;
        if state.flights == 0 {
            state.waiting.clear();
        }
    }
}

/// Commits all members, or each for itself if that is refused.
async fn fly(session: &mut Session, mut members: Vec<Member>) {
    let is_shared = members.len() > 1;
    let statements = members.iter_mut().flat_map(|member| take_or_clone(&mut member.statements, is_shared)).collect();
    let done = commit(session, merged(statements)).await;
    match &done {
        Err(error) if is_shared && error.kind() != DbErrorKind::Unavailable => {
            for mut member in members {
                let done = commit(session, std::mem::take(&mut member.statements)).await;
                tell(vec![member], &done);
            }
        }
        _ => tell(members, &done),
    }
}

/// Those of a member that travels with others may be needed again.
fn take_or_clone(statements: &mut Vec<Deferred>, keep: bool) -> Vec<Deferred> {
    if keep { statements.clone() } else { std::mem::take(statements) }
}

/// The same with rows of one table in one statement, which takes the server and the wire less than each alone. The
/// order within a table stays.
fn merged(statements: Vec<Deferred>) -> Vec<Deferred> {
    let mut merged: Vec<(Deferred, usize)> = Vec::with_capacity(statements.len());
    for (sql, cells) in statements {
        let alike = merged.iter_mut().find(|((other, _), _)| *other == sql && inserts_row(&sql, cells.len()));
        match alike {
            Some(((_, all), rows)) => {
                all.extend(cells);
                *rows += 1;
            }
            None => merged.push(((sql, cells), 1)),
        }
    }
    let written = merged.into_iter().map(|((mut sql, cells), rows)| {
        let width = cells.len() / rows;
        for row in 1..rows {
            sql.push_str(", ");
            sql.push_str(&places(row * width + 1, width));
        }
        (sql, cells)
    });
    written.collect()
}

/// Whether a statement inserts one row of so many parameters, each in its turn, and does nothing else.
fn inserts_row(sql: &str, width: usize) -> bool {
    width > 0 && sql.strip_suffix(&places(1, width)).is_some_and(|before| before.ends_with(" VALUES "))
}

/// `($5, $6)`: so many from the first on.
fn places(first: usize, count: usize) -> String {
    let numbers: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    format!("({})", numbers.join(", "))
}

async fn commit(session: &mut Session, statements: Vec<Deferred>) -> DbResult<()> {
    session.begin(Isolation::Serializable).await?;
    session.deferred = statements;
    let done = session.commit().await;
    if done.is_err() {
        session.rollback().await;
    }
    done
}

fn tell(members: Vec<Member>, how: &DbResult<()>) {
    for member in members {
        // One that is gone does not want to know.
        let _ = member.tell.send(how.clone());
    }
}

fn lost() -> DbError {
    DbError::new(DbErrorKind::Unavailable, "the transaction that this one was a part of was not committed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::value::Cell;

    fn statement(sql: &str, numbers: &[i64]) -> Deferred {
        (sql.to_owned(), numbers.iter().map(|number| Cell::Int(*number)).collect())
    }

    #[test]
    fn rows_of_one_table_become_one_statement() {
        let (one, two) = ("INSERT INTO a (x, y) VALUES ($1, $2)", "INSERT INTO b (x) VALUES ($1)");
        let given = [(one, [1, 2].as_slice()), (two, &[3]), (one, &[4, 5]), (two, &[6]), (one, &[7, 8])];
        let given = given.into_iter().map(|(sql, numbers)| statement(sql, numbers)).collect();
        assert_eq!(
            merged(given),
            [
                statement("INSERT INTO a (x, y) VALUES ($1, $2), ($3, $4), ($5, $6)", &[1, 2, 4, 5, 7, 8]),
                statement("INSERT INTO b (x) VALUES ($1), ($2)", &[3, 6]),
            ]
        );
    }

    #[test]
    fn what_does_more_than_insert_a_row_stays_as_it_is() {
        for sql in [
            "INSERT INTO a (x, y) VALUES ($2, $1)",
            "INSERT INTO a (x, y) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            "INSERT INTO a (x, y) SELECT $1, $2",
            "UPDATE a SET x = $1 WHERE y = $2",
        ] {
            let given = vec![statement(sql, &[1, 2]), statement(sql, &[3, 4])];
            assert_eq!(merged(given.clone()), given);
        }
    }
}
