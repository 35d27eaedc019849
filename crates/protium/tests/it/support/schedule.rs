//! Two at the same time, call by call: each call of the database that one of several actors makes waits at a gate,
//! and they are let through one after the other in an order that a seed chooses.
//!
//! Nobody passes a gate while another one is between two. One that waits for a lock of another is not waited for: on
//! SQLite, where transactions follow each other and share commits, whoever waits says so; PostgreSQL is asked.

use super::app::{Refused, TestApp};
use super::database::SOON;
use futures::future::BoxFuture;
use protium::store::Call;
use protium::{params, worker::run_one};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

tokio::task_local! {
    /// Whose calls these are.
    static ACTOR: usize;
}

/// How long one that passed a gate is waited for before the database is asked whether it waits for a lock.
const PATIENCE: Duration = Duration::from_millis(3);

/// How long one that neither comes to a gate nor is known to wait for another is waited for alone.
const LONG: Duration = Duration::from_secs(3);

/// How often in a row the one that went last goes on, on average, before another one goes: a rota that the seeds go
/// through, from a change at every other call to a few in the whole.
pub const STAYS: [u64; 5] = [1, 2, 4, 8, 3];

/// What one of the actors is answered.
pub type Answer = Result<Value, Refused>;
pub type Actor = BoxFuture<'static, Answer>;

/// One request.
pub fn request(app: &TestApp, operation: &str, input: Value) -> Actor {
    let (app, operation) = (app.clone(), operation.to_owned());
    Box::pin(async move { app.call(&operation, input).await })
}

/// A worker that runs what is due.
pub fn worker(app: &TestApp) -> Actor {
    let app = app.clone();
    Box::pin(async move {
        while run_one(&app.app, "test").await.unwrap() {}
        Ok(Value::Null)
    })
}

/// Which of the actors that wait at a gate goes next.
pub enum Order {
    /// The first one commits that many transactions; then the second one does all of its own, then the first one the
    /// rest.
    Within { first: usize, transactions: usize, second: usize },
    /// At random: the one that went last goes on `stay` times of `stay + 1`, if another one could go.
    Seeded { random: Random, stay: u64 },
}

impl Order {
    /// One actor after the other.
    pub fn serial(first: usize, second: usize) -> Self {
        Self::Within { first, transactions: usize::MAX, second }
    }

    /// What that seed chooses for those that meet under that name, the same each time.
    pub fn seeded(name: &str, seed: u64) -> Self {
        // FNV-1a: with the seed alone, all would meet in the same few orders.
        let mixed = name
            .bytes()
            .chain(seed.to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        let stay = STAYS[usize::try_from(seed).unwrap() % STAYS.len()];
        Self::Seeded { random: Random(mixed), stay }
    }

    fn choose(&mut self, actors: &[Place], last: Option<usize>) -> usize {
        let ready = |actor: usize| matches!(actors[actor].state, State::At(_));
        let waiting: Vec<usize> = (0..actors.len()).filter(|actor| ready(*actor)).collect();
        match self {
            Self::Within { first, transactions, second } => {
                let open = actors[*first].committed < *transactions || actors[*first].in_transaction;
                let begun = actors[*second].passed > 0;
                let next = if open && !begun { *first } else { *second };
                if ready(next) { next } else { waiting[0] }
            }
            Self::Seeded { random, stay } => {
                let others: Vec<usize> = waiting.iter().copied().filter(|actor| Some(*actor) != last).collect();
                match last {
                    Some(last) if ready(last) && (others.is_empty() || random.below(*stay + 1) > 0) => last,
                    _ => others[random.below(others.len() as u64)],
                }
            }
        }
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end).unwrap()
    }
}

/// What came of a run.
pub struct Run {
    pub answers: Vec<Answer>,
    /// Who passed a gate, one after the other.
    pub trace: Vec<usize>,
}

impl Run {
    /// How often another one passed a gate than the one before. Of two that go one after the other it is once; from
    /// twice on, one of them made a call between two of the other.
    pub fn changes(&self) -> usize {
        self.trace.windows(2).filter(|calls| calls[0] != calls[1]).count()
    }
}

/// Runs all actors to their end, their calls of the database in that order.
pub async fn run(app: &TestApp, actors: Vec<Actor>, mut order: Order) -> Run {
    let gates = Arc::new(Gates::new(app.store().db().is_embedded(), actors.len()));
    let (watched, _opens) = (Arc::clone(&gates), Opens(Arc::clone(&gates)));
    app.store().db().set_probe(Some(Arc::new(move |call| {
        // Calls of others, such as those that look for locks, are no part of it.
        if let Ok(actor) = ACTOR.try_with(|actor| *actor) {
            match Kind::of(call) {
                Some(kind) => watched.arrive(actor, kind),
                None => watched.queued(actor),
            }
        }
        Ok(())
    })));
    let spawn = |(number, actor): (usize, Actor)| {
        let gates = Arc::clone(&gates);
        tokio::spawn(ACTOR.scope(number, async move {
            let _over = Over(gates, number);
            actor.await
        }))
    };
    let running: Vec<_> = actors.into_iter().enumerate().map(spawn).collect();
    let mut since = Instant::now();
    let mut trace = Vec::new();
    loop {
        match gates.watch() {
            Quiet::Over => break,
            Quiet::Gates => {
                trace.push(gates.release(&mut order, trace.last().copied()));
                since = Instant::now();
            }
            Quiet::Not => {
                let places = format!("{:?}", gates.lock().places);
                assert!(since.elapsed() < SOON, "nobody gets on: {places}");
                let waits = if gates.embedded { 0 } else { waiting_for_locks(app).await };
                if gates.running() <= waits || since.elapsed() > LONG {
                    gates.block();
                }
            }
        }
    }
    let mut answers = Vec::new();
    for actor in running {
        answers.push(actor.await.unwrap());
    }
    app.store().db().set_probe(None);
    Run { answers, trace }
}

/// How many connections to the PostgreSQL database wait for a lock of another.
async fn waiting_for_locks(app: &TestApp) -> usize {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut reader = app.store().reader().await.unwrap();
    usize::try_from(reader.query_one(sql, params![]).await.unwrap().int(0).unwrap()).unwrap()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Begin,
    Statement,
    Commit,
    Committed,
}

impl Kind {
    /// At which gate it is, if it is at one.
    fn of(call: Call<'_>) -> Option<Self> {
        match call {
            Call::Begin => Some(Self::Begin),
            Call::Queued => None,
            Call::Statement(_) => Some(Self::Statement),
            Call::Commit => Some(Self::Commit),
            Call::Committed => Some(Self::Committed),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between two gates.
    Runs,
    At(Kind),
    /// Between two gates, and waits for what another one holds.
    Blocked,
    Over,
}

/// Where an actor stands.
#[derive(Debug)]
struct Place {
    state: State,
    passed: usize,
    committed: usize,
    /// Until its commit, its end or its next begin: a rollback is not seen at once.
    in_transaction: bool,
}

enum Quiet {
    Over,
    /// All that do not wait for others are at gates.
    Gates,
    Not,
}

/// The gates of one run.
struct Gates {
    embedded: bool,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    places: Vec<Place>,
    /// SQLite: who writes.
    writer: Option<usize>,
    /// SQLite: who waits to write, the first one first.
    queue: VecDeque<usize>,
    /// SQLite: who waits for the commit that it shares.
    sharing: Vec<usize>,
    /// Nobody watches any more: all pass.
    open: bool,
}

/// Opens all gates when nobody watches any more, as after a failure.
struct Opens(Arc<Gates>);

impl Drop for Opens {
    fn drop(&mut self) {
        self.0.lock().open = true;
        self.0.changed.notify_all();
    }
}

/// Notes the end of an actor, however it ends.
struct Over(Arc<Gates>, usize);

impl Drop for Over {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        inner.leave(self.1);
        inner.queue.retain(|other| *other != self.1);
        inner.sharing.retain(|other| *other != self.1);
        inner.places[self.1].state = State::Over;
        self.0.changed.notify_all();
    }
}

impl Gates {
    fn new(embedded: bool, actors: usize) -> Self {
        let place = || Place { state: State::Runs, passed: 0, committed: 0, in_transaction: false };
        let places = (0..actors).map(|_| place()).collect();
        let inner = Inner { places, writer: None, queue: VecDeque::new(), sharing: Vec::new(), open: false };
        Self { embedded, inner: Mutex::new(inner), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits at a gate until it is let through.
    fn arrive(&self, actor: usize, kind: Kind) {
        tokio::task::block_in_place(|| {
            let mut inner = self.lock();
            inner.came(actor, kind);
            self.changed.notify_all();
            let is_there = |inner: &mut Inner| !inner.open && inner.places[actor].state == State::At(kind);
            drop(self.changed.wait_while(inner, is_there).unwrap());
        });
    }

    /// Notes that an actor has its place behind whoever writes. One that is the next to write gets on by itself.
    fn queued(&self, actor: usize) {
        let mut inner = self.lock();
        if inner.queue.contains(&actor) {
            inner.places[actor].state = State::Blocked;
            self.changed.notify_all();
        }
    }

    /// Waits for a while until nobody runs.
    fn watch(&self) -> Quiet {
        tokio::task::block_in_place(|| {
            let unsettled = |inner: &mut Inner| {
                let is = |wanted: State| inner.places.iter().any(|place| place.state == wanted);
                let at_gates = inner.places.iter().any(|place| matches!(place.state, State::At(_)));
                is(State::Runs) || (is(State::Blocked) && !at_gates)
            };
            let (inner, waited) = self.changed.wait_timeout_while(self.lock(), PATIENCE, unsettled).unwrap();
            match () {
                () if waited.timed_out() => Quiet::Not,
                () if inner.places.iter().all(|place| place.state == State::Over) => Quiet::Over,
                () => Quiet::Gates,
            }
        })
    }

    /// Lets one through; answers who it is.
    fn release(&self, order: &mut Order, last: Option<usize>) -> usize {
        let mut inner = self.lock();
        let actor = order.choose(&inner.places, last);
        inner.went(actor, self.embedded);
        self.changed.notify_all();
        actor
    }

    fn running(&self) -> usize {
        self.lock().places.iter().filter(|place| matches!(place.state, State::Runs | State::Blocked)).count()
    }

    /// Whoever runs waits for a lock.
    fn block(&self) {
        for place in &mut self.lock().places {
            if place.state == State::Runs {
                place.state = State::Blocked;
            }
        }
    }
}

impl Inner {
    fn came(&mut self, actor: usize, kind: Kind) {
        if kind != Kind::Statement && kind != Kind::Commit {
            self.leave(actor);
        }
        // One that was rolled back unseen has let others go on.
        if self.queue.contains(&actor)
            && let Some(other) = self.writer.replace(actor)
            && other != actor
            && self.places[other].state == State::Runs
        {
            // Of two that came to wait, this one was first.
            self.places[other].state = State::Blocked;
            self.queue.push_front(other);
        }
        self.queue.retain(|other| *other != actor);
        self.sharing.retain(|other| *other != actor);
        self.places[actor].state = State::At(kind);
    }

    fn went(&mut self, actor: usize, embedded: bool) {
        let State::At(kind) = self.places[actor].state else { panic!("{actor} is at no gate: {:?}", self.places) };
        self.places[actor].passed += 1;
        self.places[actor].state = State::Runs;
        match kind {
            Kind::Begin => {
                self.places[actor].in_transaction = true;
                if embedded && self.writer.is_some() {
                    // It runs until it is in the queue: else the commit before would not know that another one comes.
                    self.queue.push_back(actor);
                } else if embedded {
                    self.writer = Some(actor);
                }
            }
            Kind::Commit if embedded => {
                if !self.queue.is_empty() {
                    // The next one writes in the same transaction of the database, whose commit both wait for.
                    self.places[actor].state = State::Blocked;
                    self.sharing.push(actor);
                }
                self.next_writes();
            }
            // On PostgreSQL it gives its locks back.
            Kind::Commit => self.wake(),
            Kind::Committed => self.places[actor].committed += 1,
            Kind::Statement => {}
        }
    }

    /// Notes that an actor has ended its transaction, if it was in one.
    fn leave(&mut self, actor: usize) {
        if !std::mem::take(&mut self.places[actor].in_transaction) {
            return;
        }
        if self.writer == Some(actor) {
            self.next_writes();
        } else if self.writer.is_none() {
            self.wake();
        }
    }

    fn next_writes(&mut self) {
        self.writer = self.queue.pop_front();
        match self.writer {
            Some(next) => self.places[next].state = State::Runs,
            None => {
                for member in self.sharing.drain(..) {
                    self.places[member].state = State::Runs;
                }
            }
        }
    }

    /// Whoever waited for a lock may run.
    fn wake(&mut self) {
        for place in &mut self.places {
            if place.state == State::Blocked {
                place.state = State::Runs;
            }
        }
    }
}
