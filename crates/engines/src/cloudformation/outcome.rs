//! How an order ends: what is told about the stack.

use serde_json::{Map, Value};

use super::events::Operation;
use super::stack::{Stack, Target};
use crate::aws::Fault;
use crate::{End, Outcome, ProvisionedResource, ProvisioningEngine, Step};

/// A stack as lists of provisioned resources show it.
pub(super) fn provisioned(name: &str, id: &str) -> ProvisionedResource {
    ProvisionedResource { name: name.to_owned(), identifier: id.to_owned(), engine: ProvisioningEngine::Cloudformation }
}

impl Target<'_> {
    /// The order succeeded and this is its stack.
    pub(super) fn succeeded(&self, stack: &Stack) -> Step {
        let outputs = stack.outputs.iter().map(|(key, value)| (key.clone(), Value::String(value.clone())));
        let outputs: Map<String, Value> = outputs.collect();
        Step::Ended(End {
            outcome: Outcome::Succeeded,
            outputs,
            resources: vec![provisioned(&self.order.physical_name, &stack.id)],
            physical_id: Some(stack.id.clone()),
            artifacts: Vec::new(),
        })
    }

    /// The order failed, for the first reason that `operation` gave.
    pub(super) async fn failed(&self, stack: &Stack, operation: Operation) -> Result<Step, Fault> {
        let message = self.first_error(stack, operation).await?;
        Ok(super::ended(self.order, Some(stack.id.clone()), Outcome::Failed(message)))
    }

    /// The stack is gone and so is the order's work.
    pub(super) fn gone(&self, outcome: Outcome) -> Step {
        super::ended(self.order, None, outcome)
    }
}
