//! Deleting a stack: because it is to go, because it has to be made again, or to clean up.

use super::events::Operation;
use super::progress::{Goal, Phase, Progress};
use super::schedule;
use super::stack::{Stack, Target};
use super::status::{Condition, Status};
use crate::aws::{Fault, Refusal};
use crate::{Intent, Outcome, Step};

/// How often a delete that fails is tried again within one order: what a first attempt deleted
/// last (a network interface, say) is often what a second one waits for.
const RETRIES: u32 = 2;
const DELETING: &str = "The stack is being deleted.";

impl Target<'_> {
    pub(super) async fn delete(&self, progress: Progress, goal: Goal, attempt: u32) -> Result<Step, Fault> {
        let Some(id) = progress.stack_id.clone() else {
            return Ok(progress.then(Phase::Survey, "Looking for the stack."));
        };
        match self.call_delete(&id, &progress.token(self.order, "delete")).await {
            Ok(()) => Ok(progress.called(Phase::WatchDelete { goal, attempt }, DELETING)),
            Err(Fault::Refused(refusal)) if refusal.is_used_token() => {
                Ok(progress.called(Phase::Delete { goal, attempt }, DELETING))
            }
            Err(Fault::Refused(refusal)) if !refusal.is_expired() => {
                self.delete_refused(progress, goal, attempt, refusal).await
            }
            Err(fault) => Err(fault),
        }
    }

    async fn delete_refused(
        &self,
        progress: Progress,
        goal: Goal,
        attempt: u32,
        refusal: Refusal,
    ) -> Result<Step, Fault> {
        let id = progress.stack_id.clone().unwrap_or_default();
        match self.describe(&id).await? {
            None => Ok(self.deleted(progress, goal)),
            Some(stack) => match stack.status.condition() {
                Condition::Busy => Ok(progress.look_again("Another operation on the stack is under way.")),
                Condition::Deleting => Ok(progress.called(Phase::WatchDelete { goal, attempt }, DELETING)),
                _ => Ok(self.undeletable(stack, goal, &refusal.message)),
            },
        }
    }

    pub(super) async fn watch_delete(&self, progress: Progress, goal: Goal, attempt: u32) -> Result<Step, Fault> {
        let id = progress.stack_id.clone().unwrap_or_else(|| self.order.physical_name.clone());
        let Some(stack) = self.describe(&id).await? else {
            return Ok(self.deleted(progress, goal));
        };
        match stack.status {
            Status::DeleteInProgress => Ok(progress.look_again(DELETING)),
            Status::DeleteFailed if attempt < RETRIES => {
                let phase = Phase::Delete { goal, attempt: attempt.saturating_add(1) };
                Ok(progress.then(phase, "The stack could not be deleted; trying again."))
            }
            Status::DeleteFailed => {
                let message = self.first_error(&stack, Operation::Delete).await?;
                Ok(self.undeletable(stack, goal, &message))
            }
            _ if progress.looks < schedule::STALE_LOOKS => Ok(progress.look_again(DELETING)),
            _ => {
                let message = format!("The stack stayed {} after it was told to go.", stack.status.as_str());
                Ok(self.undeletable(stack, goal, &message))
            }
        }
    }

    fn deleted(&self, progress: Progress, goal: Goal) -> Step {
        match goal {
            Goal::Destroy => self.gone(Outcome::Succeeded),
            Goal::Cancel => self.gone(Outcome::Cancelled),
            Goal::Fail { message } => self.gone(Outcome::Failed(message)),
            Goal::Recreate if self.order.intent == Intent::Cancel => self.gone(Outcome::Cancelled),
            Goal::Recreate => {
                let progress = Progress { stack_id: None, ..progress };
                progress.then(Phase::Create, "The stack is to be created again.")
            }
        }
    }

    fn undeletable(&self, stack: Stack, goal: Goal, why: &str) -> Step {
        let message = match goal {
            Goal::Destroy => why.to_owned(),
            Goal::Recreate => format!("The stack can't be updated, and deleting it to make it again failed: {why}"),
            Goal::Cancel => format!("The creation was cancelled, and deleting what it made failed: {why}"),
            Goal::Fail { message } => message,
        };
        super::ended(self.order, Some(stack.id), Outcome::Failed(message))
    }
}
