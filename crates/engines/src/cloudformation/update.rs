//! Updating a stack, taking an update back, and continuing a rollback that got stuck.

use super::events::Operation;
use super::progress::{Phase, Progress};
use super::schedule;
use super::stack::{Found, Stack, Target};
use super::status::{Condition, Status};
use crate::aws::{Fault, Refusal};
use crate::{Intent, Outcome, Step};

const CONTINUING: &str = "The rollback of an earlier update is being continued.";

impl Target<'_> {
    pub(super) async fn update(&self, progress: Progress, before: Option<String>) -> Result<Step, Fault> {
        let Some(id) = progress.stack_id.clone() else {
            return Ok(progress.then(Phase::Survey, "Looking for the stack."));
        };
        let template = self.template().await?;
        match self.call_update(&id, &progress.token(self.order, "update"), template).await {
            Ok(()) => {
                let phase = Phase::WatchUpdate { before, cancelled: false };
                Ok(progress.called(phase, "The stack is being updated."))
            }
            Err(Fault::Refused(refusal)) if refusal.is_no_update() => match self.describe(&id).await? {
                Some(stack) => Ok(self.succeeded(&stack)),
                None => Ok(progress.then(Phase::Survey, "The stack is gone.")),
            },
            Err(Fault::Refused(refusal)) if refusal.is_used_token() => {
                Ok(progress.called(Phase::Survey, "Looking at the stack again."))
            }
            Err(Fault::Refused(refusal)) if !refusal.is_expired() => self.update_refused(progress, refusal).await,
            Err(fault) => Err(fault),
        }
    }

    /// Either the stack is not as it was a moment ago, or CloudFormation does not want the template.
    async fn update_refused(&self, progress: Progress, refusal: Refusal) -> Result<Step, Fault> {
        match self.find(progress.stack_id.as_deref()).await? {
            Found::Ours(stack) if stack.status.condition() == Condition::Updatable => {
                Ok(super::ended(self.order, Some(stack.id), Outcome::Failed(refusal.message)))
            }
            _ => Ok(progress.then(Phase::Survey, "The stack has changed meanwhile.")),
        }
    }

    pub(super) async fn watch_update(
        &self,
        progress: Progress,
        before: Option<String>,
        cancelled: bool,
    ) -> Result<Step, Fault> {
        let id = progress.stack_id.clone().unwrap_or_else(|| self.order.physical_name.clone());
        let Some(stack) = self.describe(&id).await? else {
            return Ok(self.vanished(progress));
        };
        if not_begun(&progress, &stack, before.as_deref()) {
            return Ok(progress.look_again("The stack is being updated."));
        }
        let cancel = self.order.intent == Intent::Cancel && !cancelled;
        match stack.status {
            Status::UpdateInProgress if cancel => {
                Ok(progress.then(Phase::CancelUpdate { before }, "The update is to be cancelled."))
            }
            Status::UpdateInProgress if cancelled => Ok(progress.look_again("The update is being cancelled.")),
            Status::UpdateInProgress
            | Status::ImportInProgress
            | Status::ImportRollbackInProgress
            | Status::CreateInProgress
            | Status::ReviewInProgress => Ok(progress.look_again("The stack is being updated.")),
            Status::UpdateRollbackInProgress | Status::RollbackInProgress => {
                Ok(progress.look_again("The update is being rolled back."))
            }
            Status::UpdateComplete
            | Status::UpdateCompleteCleanupInProgress
            | Status::CreateComplete
            | Status::ImportComplete => Ok(self.succeeded(&stack)),
            Status::UpdateRollbackComplete | Status::UpdateRollbackCompleteCleanupInProgress if cancelled => {
                Ok(super::ended(self.order, Some(stack.id), Outcome::Cancelled))
            }
            Status::UpdateRollbackComplete
            | Status::UpdateRollbackCompleteCleanupInProgress
            | Status::UpdateRollbackFailed
            | Status::UpdateFailed
            | Status::ImportRollbackComplete
            | Status::ImportRollbackFailed
            | Status::RollbackComplete
            | Status::RollbackFailed
            | Status::CreateFailed => self.failed(&stack, Operation::Update).await,
            Status::DeleteInProgress | Status::DeleteFailed | Status::DeleteComplete => Ok(self.deleted_meanwhile(&id)),
        }
    }

    pub(super) async fn cancel_update(&self, progress: Progress, before: Option<String>) -> Result<Step, Fault> {
        let Some(id) = progress.stack_id.clone() else {
            return Ok(progress.then(Phase::Survey, "Looking for the stack."));
        };
        match self.call_cancel_update(&id, &progress.token(self.order, "cancel")).await {
            Ok(()) => {
                let phase = Phase::WatchUpdate { before, cancelled: true };
                Ok(progress.called(phase, "The update is being cancelled."))
            }
            Err(Fault::Refused(refusal)) if !refusal.is_expired() => {
                self.cancel_refused(progress, before, refusal).await
            }
            Err(fault) => Err(fault),
        }
    }

    /// The update may just have ended by itself, or begun to clean up. If it goes on, the refusal stands.
    async fn cancel_refused(
        &self,
        progress: Progress,
        before: Option<String>,
        refusal: Refusal,
    ) -> Result<Step, Fault> {
        let Found::Ours(stack) = self.find(progress.stack_id.as_deref()).await? else {
            return Ok(self.vanished(progress));
        };
        match stack.status {
            // A repeated step: the first one was heard.
            Status::UpdateRollbackInProgress => {
                let phase = Phase::WatchUpdate { before, cancelled: true };
                Ok(progress.called(phase, "The update is being cancelled."))
            }
            Status::UpdateInProgress => Ok(super::ended(self.order, Some(stack.id), Outcome::Failed(refusal.message))),
            _ => {
                let phase = Phase::WatchUpdate { before, cancelled: false };
                Ok(progress.called(phase, "The update has ended."))
            }
        }
    }

    pub(super) async fn continue_rollback(&self, progress: Progress) -> Result<Step, Fault> {
        let Some(id) = progress.stack_id.clone() else {
            return Ok(progress.then(Phase::Survey, "Looking for the stack."));
        };
        match self.call_continue_rollback(&id, &progress.token(self.order, "continue")).await {
            Ok(()) => Ok(progress.called(Phase::WatchContinue, CONTINUING)),
            Err(Fault::Refused(refusal)) if !refusal.is_expired() => match self.describe(&id).await? {
                Some(stack) if stack.status == Status::UpdateRollbackFailed => {
                    Ok(super::ended(self.order, Some(stack.id), Outcome::Failed(refusal.message)))
                }
                _ => Ok(progress.called(Phase::Survey, "The stack has changed meanwhile.")),
            },
            Err(fault) => Err(fault),
        }
    }

    pub(super) async fn watch_continue(&self, progress: Progress) -> Result<Step, Fault> {
        let id = progress.stack_id.clone().unwrap_or_else(|| self.order.physical_name.clone());
        let Some(stack) = self.describe(&id).await? else {
            return Ok(progress.then(Phase::Survey, "The stack is gone."));
        };
        match stack.status {
            Status::UpdateRollbackInProgress => Ok(progress.look_again(CONTINUING)),
            Status::UpdateRollbackFailed => self.failed(&stack, Operation::ContinueRollback).await,
            _ if self.order.intent == Intent::Cancel => {
                Ok(super::ended(self.order, Some(stack.id), Outcome::Cancelled))
            }
            _ => Ok(progress.then(Phase::Survey, "The rollback is complete.")),
        }
    }
}

/// Whether what is described is still the stack from before the accepted update: describing may
/// lag behind for a moment. Some emulators never say when a stack was updated, only that it was.
fn not_begun(progress: &Progress, stack: &Stack, before: Option<&str>) -> bool {
    let same = stack.updated.as_deref() == before;
    let never_updated = matches!(stack.status, Status::CreateComplete | Status::ImportComplete);
    progress.looks < schedule::STALE_LOOKS
        && stack.status.condition() == Condition::Updatable
        && same
        && (before.is_some() || never_updated)
}
