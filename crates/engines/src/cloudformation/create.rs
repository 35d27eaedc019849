//! Creating a stack, and what a refused create leaves behind.

use super::events::Operation;
use super::progress::{Goal, Phase, Progress};
use super::schedule;
use super::stack::{Found, Target};
use super::status::Status;
use crate::aws::Fault;
use crate::{Intent, Outcome, Step};

impl Target<'_> {
    pub(super) async fn create(&self, progress: Progress) -> Result<Step, Fault> {
        let template = self.template().await?;
        match self.call_create(&progress.token(self.order, "create"), template).await {
            Ok(id) => {
                let progress = Progress { stack_id: Some(id), ..progress };
                Ok(progress.called(Phase::WatchCreate, "The stack is being created."))
            }
            Err(Fault::Refused(refusal)) if refusal.is_taken_name() => {
                Ok(progress.called(Phase::Survey, "There is a stack of that name."))
            }
            Err(Fault::Refused(refusal)) if refusal.is_used_token() => {
                Ok(progress.called(Phase::Create, "The stack is to be created."))
            }
            Err(Fault::Refused(refusal)) if !refusal.is_expired() => {
                let phase = Phase::Refused { message: refusal.message };
                Ok(progress.then(phase, "CloudFormation refused the stack."))
            }
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn watch_create(&self, progress: Progress) -> Result<Step, Fault> {
        let id = progress.stack_id.clone().unwrap_or_else(|| self.order.physical_name.clone());
        let Some(stack) = self.describe(&id).await? else {
            return Ok(self.vanished(progress));
        };
        let cancel = self.order.intent == Intent::Cancel;
        match stack.status {
            Status::CreateInProgress if cancel => {
                let phase = Phase::Delete { goal: Goal::Cancel, attempt: 0 };
                Ok(progress.then(phase, "The stack is to be deleted: its creation was cancelled."))
            }
            Status::CreateInProgress | Status::ReviewInProgress => {
                Ok(progress.look_again("The stack is being created."))
            }
            Status::RollbackInProgress => Ok(progress.look_again("The creation failed and is being rolled back.")),
            Status::CreateComplete
            | Status::UpdateComplete
            | Status::UpdateInProgress
            | Status::UpdateCompleteCleanupInProgress
            | Status::UpdateFailed
            | Status::UpdateRollbackInProgress
            | Status::UpdateRollbackFailed
            | Status::UpdateRollbackCompleteCleanupInProgress
            | Status::UpdateRollbackComplete
            | Status::ImportInProgress
            | Status::ImportComplete
            | Status::ImportRollbackInProgress
            | Status::ImportRollbackFailed
            | Status::ImportRollbackComplete => Ok(self.succeeded(&stack)),
            Status::CreateFailed | Status::RollbackFailed | Status::RollbackComplete => {
                self.failed(&stack, Operation::Create).await
            }
            Status::DeleteInProgress | Status::DeleteFailed | Status::DeleteComplete => Ok(self.deleted_meanwhile(&id)),
        }
    }

    /// A stack that CloudFormation refused is not there; on some emulators it is all the same.
    pub(super) async fn clean_up_refused(&self, progress: Progress, message: String) -> Result<Step, Fault> {
        let found = match self.find(None).await {
            Err(Fault::Refused(_)) => Found::None, // not even allowed to look: the first refusal is the better one
            found => found?,
        };
        match found {
            Found::Ours(stack) if matches!(stack.status, Status::CreateInProgress | Status::CreateFailed) => {
                let progress = Progress { stack_id: Some(stack.id), ..progress };
                let phase = Phase::Delete { goal: Goal::Fail { message }, attempt: 0 };
                Ok(progress.then(phase, "What the refused stack left behind is to be deleted."))
            }
            Found::Ours(stack) => Ok(super::ended(self.order, Some(stack.id), Outcome::Failed(message))),
            Found::None | Found::Foreign(_) => Ok(self.gone(Outcome::Failed(message))),
        }
    }

    /// A stack that was just made may be unknown for a moment.
    pub(super) fn vanished(&self, progress: Progress) -> Step {
        if progress.looks < schedule::STALE_LOOKS {
            return progress.look_again("The stack is not visible yet.");
        }
        let id = progress.stack_id.unwrap_or_else(|| self.order.physical_name.clone());
        self.deleted_meanwhile(&id)
    }

    pub(super) fn deleted_meanwhile(&self, id: &str) -> Step {
        self.gone(Outcome::Failed(format!("The stack {id} was deleted by somebody else while it was worked on.")))
    }
}
