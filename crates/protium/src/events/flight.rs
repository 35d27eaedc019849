//! Events on their way: those of a resource go one after the other, those of several together.
//!
//! Does not own when they begin and what is saved of how they end (`dispatch`).

use super::Target;
use super::sender::Refusal;
use protium_domain::event::Event;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// An event on its way.
#[derive(Clone)]
pub(super) struct Item {
    pub position: i64,
    /// Shared by all that look after it on its way.
    pub event: Arc<Event>,
    /// How often it was tried.
    pub attempts: i64,
    /// Whether it has a row.
    pub is_stored: bool,
}

/// What became of an event: `None` if it was not tried, since one before it failed.
pub(super) type Answer = (Item, Option<Result<(), Refusal>>);

/// A call or several, one after the other: chains of events in their order.
pub(super) type Flight = Vec<VecDeque<Item>>;

/// The events of each resource in their order.
pub(super) struct Chains {
    chains: Vec<VecDeque<Item>>,
    /// `None`: all of them are one chain, which a call takes or refuses as a whole.
    by_resource: Option<HashMap<String, usize>>,
}

impl Chains {
    pub(super) fn of(target: &Target) -> Self {
        Self { chains: Vec::new(), by_resource: (!target.sender.is_whole()).then(HashMap::new) }
    }

    pub(super) fn add(&mut self, item: Item) {
        let next = self.chains.len();
        let number = match &mut self.by_resource {
            None => 0,
            Some(numbers) => numbers.get(&item.event.arn).copied().unwrap_or_else(|| {
                numbers.insert(item.event.arn.clone(), next);
                next
            }),
        };
        match self.chains.get_mut(number) {
            Some(chain) => chain.push_back(item),
            None => self.chains.push(VecDeque::from([item])),
        }
    }

    /// Flights of so many resources each.
    pub(super) fn flights(self, resources: usize) -> VecDeque<Flight> {
        let (mut flights, mut chains) = (VecDeque::new(), self.chains.into_iter().peekable());
        while chains.peek().is_some() {
            flights.push_back(chains.by_ref().take(resources).collect());
        }
        flights
    }
}

/// Sends the first event of each resource, then the second ones, and so on; behind one that is refused, none of its
/// resource.
pub(super) async fn send(target: &Target, mut flight: Flight) -> Vec<Answer> {
    let mut answers = Vec::new();
    loop {
        let mut batch: Vec<Item> = if target.sender.is_whole() {
            flight.drain(..).flatten().collect()
        } else {
            flight.iter_mut().filter_map(VecDeque::pop_front).collect()
        };
        if batch.is_empty() {
            return answers;
        }
        batch.sort_by_key(|item| item.position);
        let events: Vec<Arc<Event>> = batch.iter().map(|item| Arc::clone(&item.event)).collect();
        let results = target.sender.send(&target.source, &events).await;
        for (item, result) in batch.into_iter().zip(results) {
            if result.is_err() {
                let arn = &item.event.arn;
                let is_behind = |chain: &&mut VecDeque<Item>| chain.front().is_some_and(|next| next.event.arn == *arn);
                let behind = flight.iter_mut().find(is_behind).map(std::mem::take).unwrap_or_default();
                answers.extend(behind.into_iter().map(|item| (item, None)));
            }
            answers.push((item, Some(result)));
        }
    }
}
