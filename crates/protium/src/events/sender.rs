//! What brings events to one kind of destination: how many at a time, and what became of each.

use super::file::FileSender;
use super::webhook::WebhookSender;
use protium_domain::event::Event;
use protium_engines::aws::{BusEntry, EventBus, MOST_ENTRIES};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// For the operator; has no secret, and no part of an address.
    pub message: String,
    /// When the receiver wants to be asked again at the earliest.
    pub retry_after: Option<Duration>,
    /// Whether it will never be taken.
    pub for_good: bool,
}

impl Refusal {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry_after: None, for_good: false }
    }
}

pub(super) enum Sender {
    EventBridge(EventBus),
    Webhook(WebhookSender),
    File(FileSender),
}

impl Sender {
    /// Of how many resources one call brings events.
    pub(super) fn resources_at_once(&self) -> usize {
        match self {
            // An entry has a few hundred bytes: ten are far from the 256 KB that a call may have.
            Self::EventBridge(_) => MOST_ENTRIES,
            Self::Webhook(_) => 1,
            Self::File(_) => usize::MAX,
        }
    }

    /// How many calls may be under way at once.
    pub(super) fn calls_at_once(&self) -> usize {
        match self {
            Self::EventBridge(_) => 4,
            Self::Webhook(_) => 8,
            Self::File(_) => 1,
        }
    }

    /// Whether a call takes all or nothing, so that it may bring several events of a resource.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Brings events; answers for each of them, in their order.
    pub(super) async fn send(&self, source: &str, events: &[Arc<Event>]) -> Vec<Result<(), Refusal>> {
        match self {
            Self::EventBridge(bus) => {
                let entries: Vec<BusEntry> = events.iter().map(|event| entry(source, event)).collect();
                let answers = bus.put(&entries).await.into_iter();
                let refusal = |not_taken: protium_engines::aws::NotTaken| Refusal {
                    retry_after: not_taken.retry_after,
                    ..Refusal::new(not_taken.message)
                };
                answers.map(|answer| answer.map_err(refusal)).collect()
            }
            Self::Webhook(hook) => {
                let mut answers = Vec::new();
                for event in events {
                    answers.push(hook.send(&event.id, event.envelope(source)).await);
                }
                answers
            }
            Self::File(file) => {
                let lines: String = events.iter().map(|event| event.envelope(source) + "\n").collect();
                let answer = file.append(lines).await;
                events.iter().map(|_| answer.clone()).collect()
            }
        }
    }
}

fn entry(source: &str, event: &Event) -> BusEntry {
    BusEntry {
        source: source.to_owned(),
        detail_type: event.detail_type.as_str().to_owned(),
        detail: event.detail.clone(),
        resource: event.arn.clone(),
        time: UNIX_EPOCH + Duration::from_millis(u64::try_from(event.at).unwrap_or(0)),
    }
}
