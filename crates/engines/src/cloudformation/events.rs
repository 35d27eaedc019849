//! What the events of a stack say: the first error of an operation, and whose operation it was.

use aws_sdk_cloudformation::types::StackEvent;

use super::progress::action_of;
use super::stack::{Stack, Target};
use crate::aws::{Fault, classify};

/// At most this many pages of a hundred events are read for one operation.
const PAGES: usize = 20;
/// How deep nested stacks are followed to the resource that failed.
const NESTING: usize = 4;
const STACK: &str = "AWS::CloudFormation::Stack";

/// The operations that can fail. Each begins with an event of the stack itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Update,
    Delete,
    ContinueRollback,
}

impl Operation {
    fn begins_with(self) -> &'static str {
        match self {
            Self::Create => "CREATE_IN_PROGRESS",
            Self::Update => "UPDATE_IN_PROGRESS",
            Self::Delete => "DELETE_IN_PROGRESS",
            Self::ContinueRollback => "UPDATE_ROLLBACK_IN_PROGRESS",
        }
    }
}

impl Target<'_> {
    /// The reason of the first resource that failed by itself in the newest `operation`, and of the
    /// first that failed in rolling it back; else what the stack says of itself.
    pub(super) async fn first_error(&self, stack: &Stack, operation: Operation) -> Result<String, Fault> {
        let own = || match &stack.reason {
            Some(reason) if !reason.is_empty() => reason.clone(),
            _ => format!("The stack {} ended as {}.", self.order.physical_name, stack.status.as_str()),
        };
        let mut id = stack.id.clone();
        let mut operation = operation;
        let mut found = None;
        for _ in 0..NESTING {
            let events = match self.events_of(&id, operation).await {
                Ok(events) => events,
                Err(Fault::Refused(_)) => break, // not allowed to read them: what is known so far has to do
                Err(transient) => return Err(transient),
            };
            let Some(failure) = Failure::first(&events, &id) else { break };
            let nested = failure.nested.clone();
            found = Some(failure.text);
            let Some((child, child_operation)) = nested else { break };
            (id, operation) = (child, child_operation);
        }
        Ok(found.unwrap_or_else(own))
    }

    /// What this order last began with the stack (`create`, `update`, ...), if anything.
    pub(super) async fn begun_by_us(&self, stack: &Stack) -> Result<Option<String>, Fault> {
        let answer = self.client.describe_stack_events().stack_name(&stack.id).send().await.map_err(classify);
        let events = match answer {
            Ok(answer) => answer.stack_events.unwrap_or_default(),
            Err(Fault::Refused(_)) => return Ok(None),
            Err(transient) => return Err(transient),
        };
        let tokens = events.iter().filter_map(StackEvent::client_request_token);
        Ok(tokens.take(1).find_map(|token| action_of(self.order, token)).map(str::to_owned))
    }

    /// The events of the newest `operation`, oldest first.
    async fn events_of(&self, id: &str, operation: Operation) -> Result<Vec<StackEvent>, Fault> {
        let mut events = Vec::new();
        let mut next = None;
        for _ in 0..PAGES {
            let request = self.client.describe_stack_events().stack_name(id).set_next_token(next);
            let page = request.send().await.map_err(classify)?;
            for event in page.stack_events.unwrap_or_default() {
                let begins = is_of_stack(&event, id) && status(&event) == operation.begins_with();
                events.push(event);
                if begins {
                    events.reverse();
                    return Ok(events);
                }
            }
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        events.reverse();
        Ok(events)
    }
}

struct Failure {
    text: String,
    /// The stack to look into, when what failed is a stack of its own.
    nested: Option<(String, Operation)>,
}

impl Failure {
    fn first(events: &[StackEvent], stack_id: &str) -> Option<Self> {
        let rolls_back =
            |event: &&StackEvent| is_of_stack(event, stack_id) && status(event).ends_with("ROLLBACK_IN_PROGRESS");
        let turn = events.iter().position(|event| rolls_back(&event)).filter(|at| *at > 0).unwrap_or(events.len());
        let (forth, back) = events.split_at(turn);
        let first = forth.iter().find(|event| failed_by_itself(event, stack_id));
        let second = back.iter().find(|event| failed_by_itself(event, stack_id));
        let text = match (first, second) {
            (Some(first), Some(second)) => {
                format!("{} Rolling back failed too: {}", sentence(&text(first)), text(second))
            }
            (Some(one), None) | (None, Some(one)) => text(one),
            (None, None) => return None,
        };
        let nested = first.filter(|_| second.is_none()).and_then(nested);
        Some(Self { text, nested })
    }
}

/// Resources that were stopped because another one failed say so; they are not the cause.
fn failed_by_itself(event: &StackEvent, stack_id: &str) -> bool {
    let reason = event.resource_status_reason().unwrap_or_default();
    status(event).ends_with("_FAILED")
        && !is_of_stack(event, stack_id)
        && !reason.is_empty()
        && !reason.starts_with("Resource creation cancelled")
        && !reason.starts_with("Resource update cancelled")
}

fn nested(event: &StackEvent) -> Option<(String, Operation)> {
    let id = event.physical_resource_id().filter(|id| id.starts_with("arn:"))?;
    let operation = match status(event) {
        "CREATE_FAILED" => Operation::Create,
        "UPDATE_FAILED" => Operation::Update,
        "DELETE_FAILED" => Operation::Delete,
        _ => return None,
    };
    (event.resource_type() == Some(STACK)).then(|| (id.to_owned(), operation))
}

fn text(event: &StackEvent) -> String {
    format!(
        "{} ({}): {}",
        event.logical_resource_id().unwrap_or("?"),
        event.resource_type().unwrap_or("?"),
        event.resource_status_reason().unwrap_or_default()
    )
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

fn status(event: &StackEvent) -> &str {
    event.resource_status().map_or("", |status| status.as_str())
}

fn is_of_stack(event: &StackEvent, stack_id: &str) -> bool {
    event.resource_type() == Some(STACK) && event.physical_resource_id() == Some(stack_id)
}
