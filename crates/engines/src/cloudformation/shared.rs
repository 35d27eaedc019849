//! A stack that several orders want at once: whoever comes first works on it, and the others wait for that.
//!
//! Unlike the stack of a resource, it may well be in the hands of another deployment, which is alive: what that one
//! does is neither undone nor done again.

use super::CloudFormation;
use super::progress::{Phase, Progress};
use super::stack::{Found, Target};
use super::status::Condition;
use crate::aws::Fault;
use crate::{Cursor, Order, Outcome, Step, Transient};

/// Whether a stack with these outputs is as an order wants it.
pub(crate) type Current<'a> = &'a (dyn Fn(&[(String, String)]) -> bool + Send + Sync);

impl CloudFormation {
    /// The next step of an order to have a stack that others want, too. `order.resource_id` says whose it is, and is
    /// the same for all of them. It ends well at once, with the outputs of the stack, if that is `current`.
    pub(crate) async fn share(
        &self,
        order: &Order,
        cursor: Option<&Cursor>,
        current: Current<'_>,
    ) -> Result<Step, Transient> {
        self.go(order, cursor, Some(current)).await
    }

    /// The outputs of the stack of an order, if it is there and is not being deleted already.
    pub(crate) async fn outputs(&self, order: &Order) -> Result<Option<Vec<(String, String)>>, Fault> {
        match self.target(order).await?.find(None).await? {
            Found::Ours(stack) if stack.status.condition() != Condition::Deleting => Ok(Some(stack.outputs)),
            Found::Ours(_) | Found::None | Found::Foreign(_) => Ok(None),
        }
    }

    /// Asks that the stack of an order be deleted, and does not wait for it.
    pub(crate) async fn release(&self, order: &Order) -> Result<(), Fault> {
        let token = Progress::begin(order, Phase::Survey).token(order, "release");
        self.target(order).await?.call_delete(&order.physical_name, &token).await
    }
}

impl Target<'_> {
    /// Decides what is to be done, or that somebody else is doing it.
    pub(super) async fn join(&self, progress: Progress, current: Current<'_>) -> Result<Step, Fault> {
        let progress = Progress { phase: Phase::Survey, ..progress };
        // By name: one that this order has begun with may have been deleted and made again by another one.
        match self.find(None).await? {
            Found::None => {
                let progress = Progress { stack_id: None, ..progress };
                Ok(progress.then(Phase::Create, "The stack is to be created."))
            }
            Found::Foreign(stack) => Ok(self.gone(Outcome::Failed(self.taken(&stack)))),
            Found::Ours(stack) => match stack.status.condition() {
                Condition::Updatable if current(&stack.outputs) => Ok(self.succeeded(&stack)),
                Condition::Creating | Condition::Deleting | Condition::Busy => {
                    Ok(progress.look_again("Another deployment is working on the stack."))
                }
                Condition::Updatable | Condition::Leftover | Condition::HalfRolledBack | Condition::Gone => {
                    self.decide_apply(progress, &stack).await
                }
            },
        }
    }
}
