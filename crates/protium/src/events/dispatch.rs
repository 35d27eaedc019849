//! Brings the events of the log to one destination, step by step.
//!
//! A step takes what is due and what is new, sends it, waits for the answers for a moment, and saves what became of it.
//! What was delivered at once leaves no trace but the position; what was not has a row, and what follows it of the same
//! resource waits behind it. So neither a stuck resource nor a slow one holds up others. What was sent but not saved,
//! since the process or the database went away, is sent again.

use super::Target;
use super::flight::{Answer, Chains, Flight, Item, send};
use super::sender::Refusal;
use crate::app::App;
use crate::clock::Clock;
use crate::error::{Result, internal};
use crate::store::{
    DbResult, Due, Fate, Held, Logged, Settled, Store, deliveries_due, deliveries_save, destination_has_waiting,
    event_after, resources_waiting,
};
use crate::transaction;
use protium_domain::event::Event;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

/// How long a process has a destination without renewing that, and when it renews it.
const LEASE_MS: i64 = 15_000;
const RENEW_MS: i64 = 5_000;
/// How long a step waits for answers; those that come later are saved by a later step.
const PATIENCE_MS: i64 = 1_000;
/// When something that is on its way is sent again, if the process that sent it is gone.
const ALOFT_MS: i64 = 60_000;
/// How many new events a step takes at most: what a call can't take in time gets rows.
const WINDOW: usize = 256;
/// The same where one call takes all of them.
const WHOLE_WINDOW: usize = 1_024;
/// The first pause after a failure, which doubles with each, and the longest.
const FIRST_PAUSE_MS: i64 = 1_000;
const LONGEST_PAUSE_MS: i64 = 15 * 60 * 1000;
/// So often an event is tried, however old it is: what is redelivered, or could not be tried while nothing ran, is old.
const LEAST_ATTEMPTS: i64 = 5;
/// The pause between two steps that had work: events that come close together travel together, and are read and saved
/// together.
const BREATH: Duration = Duration::from_millis(100);
/// The same while there is more than a step takes.
const CATCH_UP: Duration = Duration::from_millis(20);
/// How long the task sleeps at most when nothing wakes it.
const POLL: Duration = Duration::from_secs(1);
/// How long what is on its way may take to arrive when the process stops.
const DRAIN_MS: i64 = 3_000;

/// A chain of events that is on its way.
struct Aloft {
    items: Vec<Item>,
    /// Whether they have rows.
    is_saved: bool,
}

/// What a step has found to do.
struct Work {
    flights: VecDeque<Flight>,
    /// What waits behind something else of its resource.
    parked: Vec<Item>,
    /// Up to where the log was read.
    position: i64,
}

/// Brings events to a destination.
pub struct Dispatcher {
    store: Store,
    clock: Clock,
    target: Arc<Target>,
    holder: String,
    /// The destination while this process has it, and when that is to be renewed.
    held: Option<(Held, i64)>,
    /// How many new events the next step takes, and whether the last one left some.
    window: usize,
    is_behind: bool,
    /// What is on its way, with the number of the step that sent it.
    flying: JoinSet<(u64, Vec<Answer>)>,
    round: u64,
    /// The same by the resource of the first event of a chain. Where all events are one chain, nothing else begins until
    /// it has landed.
    aloft: HashMap<String, Aloft>,
    landed: Vec<Answer>,
    /// What of it got a row while it was on its way.
    stored: HashSet<i64>,
    /// Whether a task on its way has failed: what it had is not known.
    is_broken: bool,
    /// Whether the last answer was a refusal.
    is_refused: bool,
}

impl Dispatcher {
    /// Does nothing before [`Self::step`]; `holder` tells processes apart in leases.
    pub fn new(app: &App, target: Target, holder: String) -> Self {
        let window = target.sender.calls_at_once();
        Self {
            store: app.store.clone(),
            clock: app.clock.clone(),
            target: Arc::new(target),
            holder,
            held: None,
            window,
            is_behind: false,
            flying: JoinSet::new(),
            round: 0,
            aloft: HashMap::new(),
            landed: Vec::new(),
            stored: HashSet::new(),
            is_broken: false,
            is_refused: false,
        }
    }

    /// Goes on until it is told to stop.
    pub(super) async fn run(mut self, mut told: watch::Receiver<()>, mut stopped: watch::Receiver<bool>) {
        let mut is_told = false;
        while !*stopped.borrow() {
            told.borrow_and_update();
            let stepped = self.step().await;
            let pause = match stepped {
                Ok(true) if self.is_behind => CATCH_UP,
                Ok(true) => BREATH,
                Ok(false) | Err(_) => POLL,
            };
            if let Err(error) = &stepped {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(destination = %self.target.name, "events can't be read or saved, which is tried again: {error}");
                }
            } else {
                is_told = false;
            }
            let is_idle = matches!(stepped, Ok(false));
            tokio::select! {
                changed = told.changed(), if is_idle => if changed.is_err() { break },
                Some(landed) = self.flying.join_next(), if is_idle => drop(self.note(landed)),
                () = tokio::time::sleep(pause) => {}
                changed = stopped.changed() => if changed.is_err() { break },
            }
        }
        self.finish().await;
    }

    /// Lets what is on its way arrive, saves that, and gives the destination back.
    async fn finish(&mut self) {
        let until = self.clock.elapsed_ms().saturating_add(DRAIN_MS);
        while let Some(landed) = tokio::select! {
            landed = self.flying.join_next() => landed,
            () = self.clock.sleep_until(until) => None,
        } {
            let _ = self.note(landed);
        }
        let Some((held, _)) = self.held.clone() else { return };
        let position = held.position;
        let saved = self.save(&held, Work { flights: VecDeque::new(), parked: Vec::new(), position }).await;
        let released = self.store.destination_release(&held).await;
        if let Err(error) = saved.and(released.map_err(Into::into)) {
            tracing::warn!(destination = %self.target.name, "the lease of a destination can't be given back and will expire: {error}");
        }
        self.reset();
    }

    /// Takes what there is to do, and does it as far as it goes now. Returns whether there was anything. After an
    /// error it begins anew from what is saved.
    pub async fn step(&mut self) -> Result<bool> {
        let stepped = self.try_step().await;
        if stepped.is_err() {
            self.reset();
        }
        stepped
    }

    async fn try_step(&mut self) -> Result<bool> {
        let Some(held) = self.hold().await? else {
            self.reset();
            return Ok(false);
        };
        self.store.event_place().await?;
        let mut work = self.gather(&held).await?;
        let had_work = work.position > held.position || !work.flights.is_empty() || !self.landed.is_empty();
        if !had_work && self.flying.is_empty() {
            return Ok(false);
        }
        let has_flights = !work.flights.is_empty();
        let took_all = self.fly(&mut work.flights).await;
        let most = if self.target.sender.is_whole() { WHOLE_WINDOW } else { WINDOW };
        // A step in which nothing could begin says nothing of how much it takes.
        self.window = match (has_flights, took_all) {
            (true, true) => (self.window * 2).min(most),
            (_, false) => self.target.sender.calls_at_once(),
            (false, true) => self.window,
        };
        if self.is_broken {
            return Err(internal(anyhow::anyhow!("a task that brings events has failed")));
        }
        let had_work = had_work || !self.landed.is_empty();
        self.save(&held, work).await?;
        Ok(had_work)
    }

    /// Takes the destination, or keeps it. `None`: another process has it.
    async fn hold(&mut self) -> DbResult<Option<Held>> {
        let now = self.clock.elapsed_ms();
        if let Some((held, renew_at)) = &self.held
            && now < *renew_at
        {
            return Ok(Some(held.clone()));
        }
        let taken = self.store.destination_hold(&self.target.name, &self.holder, LEASE_MS).await?;
        if let (Some((before, _)), Some(taken)) = (&self.held, &taken)
            && before != taken
        {
            // Somebody else had it meanwhile, and did what this process had begun.
            self.reset();
        }
        self.held = taken.clone().map(|held| (held, now.saturating_add(RENEW_MS)));
        Ok(taken)
    }

    /// Forgets all that is not saved.
    fn reset(&mut self) {
        self.held = None;
        self.flying = JoinSet::new();
        self.aloft.clear();
        self.landed.clear();
        self.stored.clear();
        self.is_broken = false;
        self.window = self.target.sender.calls_at_once();
    }

    /// What is due and what is new, as far as calls are free for it.
    async fn gather(&mut self, held: &Held) -> DbResult<Work> {
        let sender = &self.target.sender;
        let free = sender.calls_at_once().saturating_sub(self.flying.len());
        self.is_behind = free == 0;
        let mut work = Work { flights: VecDeque::new(), parked: Vec::new(), position: held.position };
        if free == 0 {
            return Ok(work);
        }
        let mut rd = self.store.reader().await?;
        let now = rd.now_ms().await?;
        // Of a resource whose events are not saved yet, what follows waits for that.
        let landed: HashSet<&str> = self.landed.iter().map(|(item, _)| item.event.arn.as_str()).collect();
        let is_busy = |arn: &str| self.aloft.contains_key(arn) || landed.contains(arn);
        // What waits takes half of the calls at most: new events of other resources need not wait for it.
        let retried =
            self.aloft.values().filter(|aloft| aloft.items.first().is_some_and(|item| item.is_stored)).count();
        let waiting = sender.calls_at_once().div_ceil(2).saturating_mul(sender.resources_at_once());
        let waiting = waiting.saturating_sub(retried).min(WINDOW);
        let mut chains = Chains::of(&self.target);
        let logged = event_after(&mut rd, held.position, count(self.window)).await?;
        // As a rule nothing waits, which is known sooner than that nothing of some resources does. What was redelivered
        // before the last of the changes was logged is seen: it goes first.
        let has_waiting = destination_has_waiting(&mut rd, &held.name).await?;
        if has_waiting && waiting > 0 {
            // What is busy may be due, too.
            let looked_at = waiting.saturating_add(self.aloft.len()).saturating_add(landed.len());
            let due = deliveries_due(&mut rd, &held.name, now, count(looked_at)).await?;
            let item = |due: Due| {
                let Due { logged: Logged { position, change, .. }, attempts } = due;
                Some(Item { position, event: Arc::new(change.told()?), attempts, is_stored: true })
            };
            let due = due.into_iter().filter_map(item).filter(|item| !is_busy(&item.event.arn));
            due.take(waiting).for_each(|item| chains.add(item));
        }
        self.is_behind = logged.len() == self.window;
        work.position = logged.last().map_or(held.position, |last| last.position);
        let fresh: Vec<Item> = logged.into_iter().filter_map(|logged| self.fresh(held, logged)).collect();
        let mut waiting = HashSet::new();
        if has_waiting {
            let arns: HashSet<&str> = fresh.iter().map(|item| item.event.arn.as_str()).collect();
            let arns: Vec<&str> = arns.into_iter().collect();
            waiting.extend(resources_waiting(&mut rd, &held.name, &arns).await?);
        }
        for item in fresh {
            if waiting.contains(&item.event.arn) || is_busy(&item.event.arn) {
                work.parked.push(item);
            } else {
                chains.add(item);
            }
        }
        work.flights = chains.flights(sender.resources_at_once());
        Ok(work)
    }

    /// The event of a new change, if the destination gets it.
    fn fresh(&self, held: &Held, logged: Logged) -> Option<Item> {
        let Logged { position, seq, change } = logged;
        if seq <= held.since {
            return None;
        }
        let event = change.told().filter(|event| self.target.selection.has(event))?;
        Some(Item { position, event: Arc::new(event), attempts: 0, is_stored: false })
    }

    /// Lets flights begin as calls are free, and waits for a moment. Returns whether all of them have landed.
    async fn fly(&mut self, flights: &mut VecDeque<Flight>) -> bool {
        let until = self.clock.elapsed_ms().saturating_add(PATIENCE_MS);
        self.round += 1;
        let mut left = 0_usize;
        loop {
            while let Some(landed) = self.flying.try_join_next() {
                left -= usize::from(self.note(landed) == Some(self.round));
            }
            while self.flying.len() < self.target.sender.calls_at_once()
                && let Some(flight) = flights.pop_front()
            {
                self.launch(flight);
                left += 1;
            }
            if self.is_broken || (left == 0 && flights.is_empty()) {
                return true;
            }
            tokio::select! {
                biased;
                Some(landed) = self.flying.join_next() => left -= usize::from(self.note(landed) == Some(self.round)),
                () = self.clock.sleep_until(until) => return false,
            }
        }
    }

    fn launch(&mut self, flight: Flight) {
        for chain in &flight {
            if let Some(first) = chain.front() {
                let aloft = Aloft { items: chain.iter().cloned().collect(), is_saved: false };
                self.aloft.insert(first.event.arn.clone(), aloft);
            }
        }
        let (target, round) = (Arc::clone(&self.target), self.round);
        self.flying.spawn(async move { (round, send(&target, flight).await) });
    }

    /// Takes what has landed. Returns in which step it began.
    fn note(&mut self, landed: std::result::Result<(u64, Vec<Answer>), JoinError>) -> Option<u64> {
        let Ok((round, answers)) = landed else {
            self.is_broken = true;
            return None;
        };
        for (item, _) in &answers {
            // The first answer of a chain takes it away.
            let Some(aloft) = self.aloft.remove(&item.event.arn) else { continue };
            if aloft.is_saved {
                self.stored.extend(aloft.items.iter().map(|item| item.position));
            }
        }
        self.landed.extend(answers);
        Some(round)
    }

    /// Saves what became of what has landed, what has to wait, and how far the log was read.
    async fn save(&mut self, held: &Held, work: Work) -> Result<()> {
        let now = self.store.reader().await?.now_ms().await?;
        let mut landed = std::mem::take(&mut self.landed);
        landed.sort_by_key(|(item, _)| item.position);
        self.tell(&landed);
        let stored = std::mem::take(&mut self.stored);
        let mut settled: Vec<Settled> = Vec::new();
        for (item, answer) in landed {
            let is_stored = item.is_stored || stored.contains(&item.position);
            settled.extend(self.settled(item, answer, is_stored, now));
        }
        let unsent = work.flights.into_iter().flatten().flatten().chain(work.parked);
        settled.extend(unsent.filter(|item| !item.is_stored).map(|item| entry(item, Fate::Waits(None), None)));
        for aloft in self.aloft.values().filter(|aloft| !aloft.is_saved) {
            let mut resources = HashSet::new();
            for item in &aloft.items {
                let is_first = resources.insert(item.event.arn.as_str());
                let next_at = is_first.then_some(now.saturating_add(ALOFT_MS));
                settled.push(entry(item.clone(), Fate::Waits(next_at), None));
            }
        }
        if settled.is_empty() && work.position == held.position {
            return Ok(());
        }
        transaction!(self.store, async |tx| -> Result<()> {
            Ok(deliveries_save(tx, held, work.position, &settled).await?)
        })?;
        self.aloft.values_mut().for_each(|aloft| aloft.is_saved = true);
        if let Some((held, _)) = &mut self.held {
            held.position = work.position;
        }
        Ok(())
    }

    /// What is to be saved of an event; nothing of one that was delivered at once.
    fn settled(&self, item: Item, answer: Option<Result<(), Refusal>>, is_stored: bool, now: i64) -> Option<Settled> {
        match answer {
            Some(Ok(())) => is_stored.then(|| entry(item, Fate::Delivered, None)),
            None => (!is_stored).then(|| entry(item, Fate::Waits(None), None)),
            Some(Err(refusal)) => {
                let attempts = item.attempts + 1;
                let ends_at = item.event.at.saturating_add(millis(self.target.max_age));
                let is_late = now >= ends_at && attempts >= LEAST_ATTEMPTS;
                let fate = if refusal.for_good || is_late {
                    let (destination, event) = (&self.target.name, &item.event.id);
                    tracing::warn!(%destination, %event, attempts, "an event is given up: {}", refusal.message);
                    Fate::Dead
                } else {
                    let pause = refusal.retry_after.map_or(0, millis).max(pause(attempts));
                    let at = now.saturating_add(pause);
                    Fate::Waits(Some(if now < ends_at { at.min(ends_at) } else { at }))
                };
                Some(entry(Item { attempts, ..item }, fate, Some(refusal.message)))
            }
        }
    }

    /// Tells the operator when a destination begins to refuse events, and when it takes them again.
    fn tell(&mut self, landed: &[Answer]) {
        let mut answers = landed.iter().filter_map(|(_, answer)| answer.as_ref());
        let destination = &self.target.name;
        match answers.clone().find_map(|answer| answer.as_ref().err()) {
            Some(refusal) if !self.is_refused => {
                self.is_refused = true;
                tracing::warn!(%destination, "an event is not taken, which is tried again: {}", refusal.message);
            }
            None if self.is_refused && answers.next().is_some() => {
                self.is_refused = false;
                tracing::info!(%destination, "events are taken again");
            }
            Some(_) | None => {}
        }
    }
}

fn entry(item: Item, fate: Fate, last_error: Option<String>) -> Settled {
    let Item { position, event, attempts, .. } = item;
    let Event { id, detail_type, scope, arn, at, .. } = Arc::unwrap_or_clone(event);
    Settled { position, event: id, scope, arn, detail_type: detail_type.as_str(), at, attempts, last_error, fate }
}

/// How long to wait after so many failures: longer each time, and not the same for all that failed together.
fn pause(attempts: i64) -> i64 {
    let whole = FIRST_PAUSE_MS.saturating_mul(1 << attempts.saturating_sub(1).clamp(0, 20)).min(LONGEST_PAUSE_MS);
    let random = i64::try_from(getrandom::u64().unwrap_or(0) % 1024).unwrap_or(0);
    whole / 2 + whole / 2 * random / 1024
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest() {
        for (attempts, whole) in [(1, 1_000), (2, 2_000), (5, 16_000), (11, 900_000), (1_000_000, 900_000)] {
            for _ in 0..100 {
                let pause = pause(attempts);
                assert!((whole / 2..=whole).contains(&pause), "{attempts}: {pause}");
            }
        }
    }
}
