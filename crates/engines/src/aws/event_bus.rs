//! An event bus of Amazon EventBridge: entries in, and for each whether it was taken.

use std::time::{Duration, SystemTime};

use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};

use super::{Aws, Fault, classify};
use crate::Role;

/// EventBridge takes so many entries in a call.
pub const MOST_ENTRIES: usize = 10;

/// A bus and who puts events there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusSettings {
    /// Its name or its ARN.
    pub bus: String,
    /// Its region.
    pub region: String,
    /// The role to put events as, and the external id that its trust policy may ask for; without one, the server's
    /// own credentials.
    pub role: Option<Role>,
}

/// An event for a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEntry {
    /// Not one that begins with `aws.`: EventBridge keeps those for AWS.
    pub source: String,
    /// As rules match it.
    pub detail_type: String,
    /// A JSON object.
    pub detail: String,
    /// The ARN of what the event is about.
    pub resource: String,
    /// When it happened.
    pub time: SystemTime,
}

/// Why an entry was not taken, in AWS's words or ours. It may be taken later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NotTaken {
    /// What went wrong.
    pub message: String,
    /// When AWS wants to be asked again at the earliest.
    pub retry_after: Option<Duration>,
}

/// A bus of EventBridge.
#[derive(Clone, Debug)]
pub struct EventBus {
    aws: Aws,
    settings: BusSettings,
}

impl EventBus {
    /// Makes no call.
    #[must_use]
    pub fn new(aws: Aws, settings: BusSettings) -> Self {
        Self { aws, settings }
    }

    /// Puts up to [`MOST_ENTRIES`] entries on the bus, in their order; answers for each of them, in that order.
    pub async fn put(&self, entries: &[BusEntry]) -> Vec<Result<(), NotTaken>> {
        match self.try_put(entries).await {
            Ok(results) => {
                // An entry without an answer was not taken, as far as anybody knows.
                let answers = results.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
                entries.iter().zip(answers).map(|(_, answer)| taken(answer.as_ref())).collect()
            }
            Err(fault) => {
                let not_taken = not_taken(fault);
                entries.iter().map(|_| Err(not_taken.clone())).collect()
            }
        }
    }

    async fn try_put(&self, entries: &[BusEntry]) -> Result<Vec<PutEventsResultEntry>, Fault> {
        let BusSettings { bus, region, role } = &self.settings;
        let credentials = self.aws.credentials(region, role.as_ref()).await?;
        let entries = entries.iter().map(|entry| {
            PutEventsRequestEntry::builder()
                .event_bus_name(bus)
                .source(&entry.source)
                .detail_type(&entry.detail_type)
                .detail(&entry.detail)
                .resources(&entry.resource)
                .time(DateTime::from(entry.time))
                .build()
        });
        let call = self.aws.event_bridge(region, credentials).put_events().set_entries(Some(entries.collect()));
        match call.send().await.map_err(classify) {
            Ok(answer) => Ok(answer.entries.unwrap_or_default()),
            Err(fault) => {
                if matches!(&fault, Fault::Refused(refusal) if refusal.is_expired()) {
                    self.aws.forget(region, role.as_ref()).await;
                }
                Err(fault)
            }
        }
    }
}

fn taken(answer: Option<&PutEventsResultEntry>) -> Result<(), NotTaken> {
    let because = |message: String| NotTaken { message, retry_after: None };
    let Some(answer) = answer else { return Err(because("EventBridge did not answer for this entry".to_owned())) };
    match (&answer.event_id, &answer.error_code) {
        (Some(_), None) => Ok(()),
        (_, code) => {
            let code = code.as_deref().unwrap_or("an unknown error");
            let message = answer.error_message.as_deref().unwrap_or_default();
            Err(because(format!("EventBridge answered {code}: {message}").trim_end_matches([':', ' ']).to_owned()))
        }
    }
}

fn not_taken(fault: Fault) -> NotTaken {
    match fault {
        Fault::Transient(transient) => NotTaken { message: transient.message, retry_after: transient.retry_after },
        Fault::Refused(refusal) => {
            NotTaken { message: format!("{}: {}", refusal.code, refusal.message), retry_after: None }
        }
    }
}
