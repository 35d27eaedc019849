//! Cancelling before it is known whether the order has begun anything.

use super::progress::{Phase, Progress};
use super::stack::{Found, Target};
use super::status::Condition;
use crate::aws::Fault;
use crate::{Outcome, Step};

impl Target<'_> {
    /// The call that was due may have been made and its answer lost. What this order began is
    /// watched on, where cancelling goes its way; what it did not begin stays as it is.
    pub(super) async fn cancel(&self, progress: Progress) -> Result<Step, Fault> {
        let stack = match self.find(progress.stack_id.as_deref()).await? {
            Found::Ours(stack) => stack,
            Found::None | Found::Foreign(_) => return Ok(self.gone(Outcome::Cancelled)),
        };
        let progress = Progress { stack_id: Some(stack.id.clone()), ..progress };
        let fresh = self.order.physical_id.is_none();
        let begun = self.begun_by_us(&stack).await?;
        let creating = stack.status.condition() == Condition::Creating;
        match begun.as_deref() {
            Some("create") => Ok(progress.called(Phase::WatchCreate, "The stack is being created.")),
            Some("update") => {
                let before = match &progress.phase {
                    Phase::Update { before } => before.clone(),
                    _ => None,
                };
                let phase = Phase::WatchUpdate { before, cancelled: false };
                Ok(progress.called(phase, "The stack is being updated."))
            }
            // A stack that no deployment has ended with, half made: nothing of it is to stay.
            None if fresh && creating => Ok(progress.called(Phase::WatchCreate, "The stack is being created.")),
            _ => Ok(super::ended(self.order, Some(stack.id), Outcome::Cancelled)),
        }
    }
}
