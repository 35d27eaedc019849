//! Where the engine stands with an order: what a cursor holds. Data and its reading only.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::schedule;
use crate::{Cursor, Intent, Order, Step};

/// The content of a cursor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) phase: Phase,
    /// How many calls with an effect came before the one that is due; part of its token.
    #[serde(default)]
    pub(super) count: u32,
    /// The stack, once known.
    #[serde(default)]
    pub(super) stack_id: Option<String>,
    /// How long this phase has waited so far; sums the waits that were asked for, so it needs no clock.
    #[serde(default)]
    pub(super) waited_ms: u64,
    /// How often this phase has looked so far.
    #[serde(default)]
    pub(super) looks: u32,
}

/// What the next step does. Each call comes in two: the call itself, and watching what it began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub(super) enum Phase {
    /// Look what is there and decide.
    Survey,
    Create,
    WatchCreate,
    /// The create was refused; see whether it left something behind.
    Refused {
        message: String,
    },
    /// `before` is when the stack was last updated before this update.
    Update {
        before: Option<String>,
    },
    WatchUpdate {
        before: Option<String>,
        cancelled: bool,
    },
    CancelUpdate {
        before: Option<String>,
    },
    ContinueRollback,
    WatchContinue,
    Delete {
        goal: Goal,
        attempt: u32,
    },
    WatchDelete {
        goal: Goal,
        attempt: u32,
    },
}

/// Why a stack is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
pub(super) enum Goal {
    /// The order is to destroy it.
    Destroy,
    /// It can't be updated; it is made again afterwards.
    Recreate,
    /// The order that created it was cancelled.
    Cancel,
    /// The create was refused and left it behind; the order fails with the message.
    Fail { message: String },
}

impl Progress {
    /// Where `cursor` stands, or where `order` begins.
    pub(super) fn read(order: &Order, cursor: Option<&Cursor>) -> Result<Self, String> {
        let Some(Cursor(value)) = cursor else {
            let first = order.intent == Intent::Apply && order.physical_id.is_none();
            return Ok(Self::begin(order, if first { Phase::Create } else { Phase::Survey }));
        };
        serde_json::from_value(value.clone())
            .map_err(|error| format!("The saved progress of deployment {} can't be read: {error}", order.deployment_id))
    }

    /// An order that begins with `phase`.
    pub(super) fn begin(order: &Order, phase: Phase) -> Self {
        Self { phase, count: 0, stack_id: order.physical_id.clone(), waited_ms: 0, looks: 0 }
    }

    /// The token of the call that is due: the same each time that this step is taken.
    pub(super) fn token(&self, order: &Order, action: &str) -> String {
        let id: String = order.deployment_id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("{id}-{action}-{}", self.count)
    }

    /// Goes on with `phase` at once.
    pub(super) fn then(self, phase: Phase, note: &str) -> Step {
        let progress = Self { phase, waited_ms: 0, looks: 0, ..self };
        progress.wait(Duration::ZERO, note)
    }

    /// Goes on with `phase` at once, after a call with an effect.
    pub(super) fn called(self, phase: Phase, note: &str) -> Step {
        let count = self.count.saturating_add(1);
        Self { count, ..self }.then(phase, note)
    }

    /// Looks again later.
    pub(super) fn look_again(self, note: &str) -> Step {
        let after = schedule::pause(self.looks, Duration::from_millis(self.waited_ms));
        let waited = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let waited_ms = self.waited_ms.saturating_add(waited);
        let looks = self.looks.saturating_add(1);
        Self { waited_ms, looks, ..self }.wait(after, note)
    }

    fn wait(self, after: Duration, note: &str) -> Step {
        let note = Some(note.to_owned());
        // A struct of strings and numbers always becomes JSON.
        let cursor = Cursor(serde_json::to_value(&self).unwrap_or_default());
        Step::Wait { cursor, after, note }
    }
}

/// The action of `token` if a step of `order` made it.
pub(super) fn action_of<'t>(order: &Order, token: &'t str) -> Option<&'t str> {
    let id: String = order.deployment_id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let rest = token.strip_prefix(&id)?.strip_prefix('-')?;
    rest.rsplit_once('-').map(|(action, _)| action)
}
