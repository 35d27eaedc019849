//! The double's stack events.

use super::stacks::Stack;
use super::wire::escape;

/// One event, as DescribeStackEvents lists it.
#[derive(Clone, Debug)]
pub(super) struct Event {
    resource: String,
    physical_id: String,
    kind: String,
    pub(super) status: String,
    reason: Option<String>,
    token: String,
}

impl Event {
    pub(super) fn of_stack(stack: &Stack, status: &str, reason: Option<&str>, token: &str) -> Self {
        Self {
            resource: stack.name.clone(),
            physical_id: stack.id.clone(),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            status: status.to_owned(),
            reason: reason.map(str::to_owned),
            token: token.to_owned(),
        }
    }

    pub(super) fn of_resource(resource: &str, kind: &str, status: &str, reason: &str, token: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            physical_id: format!("{resource}-physical"),
            kind: kind.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            token: token.to_owned(),
        }
    }

    /// A resource of a stack that is a stack itself.
    pub(super) fn of_nested(resource: &str, id: &str, status: &str, reason: &str, token: &str) -> Self {
        let event = Self::of_resource(resource, "AWS::CloudFormation::Stack", status, reason, token);
        Self { physical_id: id.to_owned(), ..event }
    }

    pub(super) fn xml(&self, number: usize, stack: &Stack) -> String {
        let reason = self.reason.as_deref().map_or_else(String::new, |reason| {
            format!("<ResourceStatusReason>{}</ResourceStatusReason>", escape(reason))
        });
        let token = if self.token.is_empty() {
            String::new()
        } else {
            format!("<ClientRequestToken>{}</ClientRequestToken>", escape(&self.token))
        };
        format!(
            "<member><StackId>{}</StackId><EventId>event-{number}</EventId><StackName>{}</StackName>\
             <LogicalResourceId>{}</LogicalResourceId><PhysicalResourceId>{}</PhysicalResourceId>\
             <ResourceType>{}</ResourceType><Timestamp>2024-01-01T00:00:00Z</Timestamp>\
             <ResourceStatus>{}</ResourceStatus>{reason}{token}</member>",
            stack.id,
            escape(&stack.name),
            escape(&self.resource),
            escape(&self.physical_id),
            escape(&self.kind),
            self.status,
        )
    }
}
