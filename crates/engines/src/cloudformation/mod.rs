//! The CloudFormation engine: one stack for each resource, made, changed and deleted step by step.
//!
//! Owns which call comes next and when to look again. Does not hold state: all of it is in the
//! cursor. Each call with an effect is decided in one step and made in the next, so
//! that the decision and its token are saved before the call; only the first call of all is made at
//! once, for its token follows from the order alone.

mod cancel;
mod create;
mod delete;
mod events;
mod outcome;
mod progress;
mod schedule;
mod shared;
mod stack;
mod status;
mod survey;
mod template;
mod update;

pub use template::TemplateBucket;

use async_trait::async_trait;

use crate::aws::{Aws, CredentialsFailure, Fault};
use crate::{Cursor, End, Engine, Intent, Order, Outcome, Step, Transient};
use progress::{Phase, Progress};
use shared::Current;
use stack::Target;

/// Makes what an order describes as one CloudFormation stack.
#[derive(Clone, Debug)]
pub struct CloudFormation {
    aws: Aws,
    bucket: Option<TemplateBucket>,
}

impl CloudFormation {
    /// An engine that calls AWS through `aws` and puts templates over the inline limit into `bucket`.
    #[must_use]
    pub fn new(aws: Aws, bucket: Option<TemplateBucket>) -> Self {
        Self { aws, bucket }
    }

    async fn target<'a>(&'a self, order: &'a Order) -> Result<Target<'a>, CredentialsFailure> {
        let credentials = self.aws.credentials(&order.region, order.role.as_ref()).await?;
        let client = self.aws.cloudformation(&order.region, credentials.clone());
        Ok(Target { order, client, credentials, aws: &self.aws, bucket: self.bucket.as_ref() })
    }
}

#[async_trait]
impl Engine for CloudFormation {
    async fn step(&self, order: &Order, cursor: Option<&Cursor>) -> Result<Step, Transient> {
        self.go(order, cursor, None).await
    }
}

impl CloudFormation {
    /// The step of an order, of one for a shared stack if `sharing` says when that is as the order wants it.
    async fn go(
        &self,
        order: &Order,
        cursor: Option<&Cursor>,
        sharing: Option<Current<'_>>,
    ) -> Result<Step, Transient> {
        let progress = match Progress::read(order, cursor) {
            Ok(progress) => progress,
            Err(message) => return Ok(ended(order, None, Outcome::Failed(message))),
        };
        if order.intent == Intent::Plan {
            let message = "CloudFormation templates are applied without a plan: order Apply.".to_owned();
            return Ok(ended(order, None, Outcome::Failed(message)));
        }
        let target = match self.target(order).await {
            Ok(target) => target,
            Err(CredentialsFailure::Transient(transient)) => return Err(transient),
            Err(CredentialsFailure::Refused(message)) => {
                return Ok(ended(order, progress.stack_id, Outcome::Failed(message)));
            }
        };
        let stack_id = progress.stack_id.clone();
        let step = match sharing {
            Some(current) if cursor.is_none() || progress.phase == Phase::Survey => {
                target.join(progress, current).await
            }
            _ => target.step(progress).await,
        };
        match step {
            Ok(step) => Ok(step),
            Err(Fault::Transient(transient)) => Err(transient),
            Err(Fault::Refused(refusal)) if refusal.is_expired() => {
                self.aws.forget(&order.region, order.role.as_ref()).await;
                Err(crate::aws::transient(refusal.message))
            }
            Err(Fault::Refused(refusal)) => Ok(ended(order, stack_id, Outcome::Failed(refusal.message))),
        }
    }
}

impl Target<'_> {
    /// The match over all phases; one function each.
    async fn step(&self, progress: Progress) -> Result<Step, Fault> {
        let cancel = self.order.intent == Intent::Cancel;
        match progress.phase.clone() {
            Phase::Survey | Phase::Create | Phase::Update { .. } if cancel => self.cancel(progress).await,
            Phase::ContinueRollback if cancel => Ok(ended(self.order, progress.stack_id, Outcome::Cancelled)),
            Phase::Survey => self.survey(progress).await,
            Phase::Create => self.create(progress).await,
            Phase::WatchCreate => self.watch_create(progress).await,
            Phase::Refused { message } => self.clean_up_refused(progress, message).await,
            Phase::Update { before } => self.update(progress, before).await,
            Phase::WatchUpdate { before, cancelled } => self.watch_update(progress, before, cancelled).await,
            Phase::CancelUpdate { before } => self.cancel_update(progress, before).await,
            Phase::ContinueRollback => self.continue_rollback(progress).await,
            Phase::WatchContinue => self.watch_continue(progress).await,
            Phase::Delete { goal, attempt } => self.delete(progress, goal, attempt).await,
            Phase::WatchDelete { goal, attempt } => self.watch_delete(progress, goal, attempt).await,
        }
    }
}

/// An end without outputs. The stack, if there is one, stays known.
fn ended(order: &Order, stack_id: Option<String>, outcome: Outcome) -> Step {
    Step::Ended(End {
        outcome,
        outputs: serde_json::Map::new(),
        resources: stack_id.iter().map(|id| outcome::provisioned(&order.physical_name, id)).collect(),
        physical_id: stack_id,
        artifacts: Vec::new(),
    })
}
