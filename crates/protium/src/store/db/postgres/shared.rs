//! Commits that several transactions share.
//!
//! A transaction that only deferred statements has read nothing, and nothing that it knows can change: others of
//! its kind that arrive while one is on its way to the server travel together with the next, within one
//! transaction of the database, and one commit makes all of them durable. If the server refuses it, each half is sent
//! again, down to those that are refused alone: each learns of its own failure only.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deadpool_postgres::Pool;
use tokio::sync::oneshot;

use super::inserts::{inserts_row, merged};
use super::{Deferred, Session, connection};
use crate::store::db::Isolation;
use crate::store::db_error::{DbError, DbErrorKind, DbResult};

/// How many are on their way at once: while one waits for the server's disk, the next is filled.
const FLIGHTS: usize = 2;
/// Transactions that travel together: each number of rows of a table is a statement that is prepared apart.
const MEMBERS: usize = 16;
/// Statements that travel together, those of one table as one. Beyond 30 the futures' library polls them in an order of
/// its own.
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
        let count = fitting(state.waiting.iter().map(|member| member.statements.as_slice()));
        let members: Vec<Member> = state.waiting.drain(..count).collect();
        if members.is_empty() {
            state.flights -= 1;
            self.landed = true;
            return None;
        }
        Some(members)
    }
}

/// How many transactions travel together, from the first on: at least that one.
fn fitting<'a>(waiting: impl Iterator<Item = &'a [Deferred]>) -> usize {
    let (mut tables, mut statements, mut count) = (HashSet::new(), 0, 0);
    for member in waiting.take(MEMBERS) {
        let more = member.iter().filter(|(sql, cells)| !inserts_row(sql, cells.len()) || tables.insert(sql));
        statements += more.count();
        if statements > STATEMENTS && count > 0 {
            break;
        }
        count += 1;
    }
    count
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

/// Commits all members, or each half for itself if that is refused.
async fn fly(session: &mut Session, members: Vec<Member>) {
    let mut groups = vec![members];
    while let Some(mut members) = groups.pop() {
        match commit(session, &members).await {
            Err(error) if members.len() > 1 && error.kind() != DbErrorKind::Unavailable => {
                groups.push(members.split_off(members.len() / 2));
                groups.push(members);
            }
            done => tell(members, &done),
        }
    }
}

async fn commit(session: &mut Session, members: &[Member]) -> DbResult<()> {
    session.begin(Isolation::Serializable).await?;
    let done = session.commit_after(merged(members.iter().flat_map(|member| &member.statements))).await;
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

    #[test]
    fn as_many_travel_together_as_make_few_statements() {
        let insert = |table: usize| (format!("INSERT INTO t{table} (x) VALUES ($1)"), vec![Cell::Int(1)]);
        let update = || ("UPDATE a SET x = $1".to_owned(), vec![Cell::Int(1)]);
        let of = |members: &[Vec<Deferred>]| fitting(members.iter().map(Vec::as_slice));
        assert_eq!(of(&[]), 0);
        let three = || vec![insert(1), insert(2), insert(3)];
        assert_eq!(of(&vec![three(); 12]), 12, "three statements");
        assert_eq!(of(&vec![three(); 100]), MEMBERS);
        let updates = || vec![update(), update(), insert(1)];
        assert_eq!(of(&vec![updates(); 100]), STATEMENTS / 2 - 1, "two updates each");
        assert_eq!(of(&[(0..40).map(insert).collect(), three()]), 1, "one that is too large goes alone");
    }
}
