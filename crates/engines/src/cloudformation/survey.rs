//! Looking at what is there and deciding what to do with it.

use super::progress::{Goal, Phase, Progress};
use super::stack::{Found, OWNER_TAG, Stack, Target};
use super::status::Condition;
use crate::aws::Fault;
use crate::{Intent, Outcome, Step};

impl Target<'_> {
    /// Decides the first call of an order, or the next one after somebody else was at work.
    pub(super) async fn survey(&self, progress: Progress) -> Result<Step, Fault> {
        let found = self.find(progress.stack_id.as_deref()).await?;
        let destroy = self.order.intent == Intent::Destroy;
        match found {
            Found::None | Found::Foreign(_) if destroy => Ok(self.gone(Outcome::Succeeded)),
            Found::None => {
                Ok(Progress { stack_id: None, ..progress }.then(Phase::Create, "The stack is to be created."))
            }
            Found::Foreign(stack) => Ok(self.gone(Outcome::Failed(self.taken(&stack)))),
            Found::Ours(stack) if destroy => Ok(decide_destroy(progress, &stack)),
            Found::Ours(stack) => self.decide_apply(progress, &stack).await,
        }
    }

    pub(super) async fn decide_apply(&self, progress: Progress, stack: &Stack) -> Result<Step, Fault> {
        let progress = Progress { stack_id: Some(stack.id.clone()), ..progress };
        let again = Phase::Delete { goal: Goal::Recreate, attempt: 0 };
        let note = "The stack can't be updated; it is to be deleted and created again.";
        Ok(match stack.status.condition() {
            Condition::Updatable => {
                let before = stack.updated.clone();
                progress.then(Phase::Update { before }, "The stack is to be updated.")
            }
            Condition::Leftover => progress.then(again, note),
            // An earlier order of this resource was given up while it created the stack. Waiting for
            // it could take as long as made that order give up.
            Condition::Creating => match self.begun_by_us(stack).await? {
                Some(_) => progress.then(Phase::WatchCreate, "The stack is being created."),
                None => progress.then(again, note),
            },
            Condition::Deleting => {
                let phase = Phase::WatchDelete { goal: Goal::Recreate, attempt: 0 };
                progress.then(phase, "The stack is being deleted.")
            }
            Condition::Busy => progress.look_again("Another operation on the stack is under way."),
            Condition::HalfRolledBack => progress.then(Phase::ContinueRollback, "The rollback is to be continued."),
            Condition::Gone => {
                Progress { stack_id: None, ..progress }.then(Phase::Create, "The stack is to be created.")
            }
        })
    }

    pub(super) fn taken(&self, stack: &Stack) -> String {
        let whose = match &stack.owner {
            Some(owner) => format!("its tag {OWNER_TAG} is {owner:?}, not {:?}", self.order.resource_id),
            None => format!("it has no tag {OWNER_TAG}"),
        };
        format!("The stack {} exists and belongs to something else: {whose}.", stack.id)
    }
}

fn decide_destroy(progress: Progress, stack: &Stack) -> Step {
    let progress = Progress { stack_id: Some(stack.id.clone()), ..progress };
    let delete = Phase::Delete { goal: Goal::Destroy, attempt: 0 };
    match stack.status.condition() {
        Condition::Updatable
        | Condition::Leftover
        | Condition::Creating
        | Condition::HalfRolledBack
        | Condition::Gone => progress.then(delete, "The stack is to be deleted."),
        Condition::Deleting => {
            let phase = Phase::WatchDelete { goal: Goal::Destroy, attempt: 0 };
            progress.then(phase, "The stack is being deleted.")
        }
        Condition::Busy => progress.look_again("Another operation on the stack is under way."),
    }
}
