//! The stack of an order, and the calls that CloudFormation takes about it.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, Stack as Described, Tag};

use super::status::Status;
use super::template::{Template, TemplateBucket};
use crate::Order;
use crate::aws::{Aws, Credentials, EFFECT_TIMEOUT, Fault, Refusal, classify, timeouts};

/// The tag that says whose stack it is.
pub(super) const OWNER_TAG: &str = "protium:resource-id";

/// One order with what it takes to make its calls.
pub(super) struct Target<'a> {
    pub(super) order: &'a Order,
    pub(super) client: Client,
    pub(super) credentials: Credentials,
    pub(super) aws: &'a Aws,
    pub(super) bucket: Option<&'a TemplateBucket>,
}

/// A stack as it was described.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) updated: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) outputs: Vec<(String, String)>,
}

impl Target<'_> {
    /// The stack by its id, or by its name; `None` when there is none or it has been deleted.
    pub(super) async fn describe(&self, name_or_id: &str) -> Result<Option<Stack>, Fault> {
        let answer = self.client.describe_stacks().stack_name(name_or_id).send().await.map_err(classify);
        let described = match answer {
            Ok(answer) => answer.stacks.unwrap_or_default().into_iter().next(),
            Err(Fault::Refused(refusal)) if refusal.is_absent() => None,
            Err(fault) => return Err(fault),
        };
        let stack = described.map(read).transpose()?;
        Ok(stack.filter(|stack| stack.status != Status::DeleteComplete))
    }

    /// The stack that belongs to the resource: by the id that is known, else by name if it is ours.
    ///
    /// The name is asked for also when the id is gone: the stack may have been made again by a step
    /// whose end was never saved.
    pub(super) async fn find(&self, stack_id: Option<&str>) -> Result<Found, Fault> {
        if let Some(id) = stack_id
            && let Some(stack) = self.describe(id).await?
        {
            return Ok(Found::Ours(stack));
        }
        match self.describe(&self.order.physical_name).await? {
            None => Ok(Found::None),
            Some(stack) if stack.owner.as_deref() == Some(self.order.resource_id.as_str()) => Ok(Found::Ours(stack)),
            Some(stack) => Ok(Found::Foreign(stack)),
        }
    }

    pub(super) async fn call_create(&self, token: &str, template: Template) -> Result<String, Fault> {
        let request = self
            .client
            .create_stack()
            .stack_name(&self.order.physical_name)
            .set_template_body(template.body)
            .set_template_url(template.url)
            .set_capabilities(Some(capabilities()))
            .set_tags(Some(self.tags()))
            .client_request_token(token);
        let answer = request.customize().config_override(slow()).send().await.map_err(classify)?;
        answer.stack_id.ok_or_else(|| nameless("CreateStack"))
    }

    pub(super) async fn call_update(&self, id: &str, token: &str, template: Template) -> Result<(), Fault> {
        let request = self
            .client
            .update_stack()
            .stack_name(id)
            .set_template_body(template.body)
            .set_template_url(template.url)
            .set_capabilities(Some(capabilities()))
            .set_tags(Some(self.tags()))
            .client_request_token(token);
        request.customize().config_override(slow()).send().await.map_err(classify)?;
        Ok(())
    }

    pub(super) async fn call_delete(&self, id: &str, token: &str) -> Result<(), Fault> {
        let request = self.client.delete_stack().stack_name(id).client_request_token(token);
        request.customize().config_override(slow()).send().await.map_err(classify)?;
        Ok(())
    }

    pub(super) async fn call_cancel_update(&self, id: &str, token: &str) -> Result<(), Fault> {
        let request = self.client.cancel_update_stack().stack_name(id).client_request_token(token);
        request.customize().config_override(slow()).send().await.map_err(classify)?;
        Ok(())
    }

    pub(super) async fn call_continue_rollback(&self, id: &str, token: &str) -> Result<(), Fault> {
        let request = self.client.continue_update_rollback().stack_name(id).client_request_token(token);
        request.customize().config_override(slow()).send().await.map_err(classify)?;
        Ok(())
    }

    fn tags(&self) -> Vec<Tag> {
        let owner = std::iter::once((OWNER_TAG, self.order.resource_id.as_str()));
        let given = self.order.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let given = given.filter(|(key, _)| *key != OWNER_TAG);
        owner.chain(given).map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
    }
}

/// What is there under the id or name of an order.
#[derive(Debug)]
pub(super) enum Found {
    None,
    Ours(Stack),
    /// There is a stack of that name that is not ours.
    Foreign(Stack),
}

impl Refusal {
    /// DescribeStacks has no error of its own for a stack that is not there.
    pub(super) fn is_absent(&self) -> bool {
        self.code == "ValidationError" && self.message.contains("does not exist")
    }

    pub(super) fn is_no_update(&self) -> bool {
        self.code == "ValidationError" && self.message.contains("No updates are to be performed")
    }

    /// The token has been used for a call that said something else.
    pub(super) fn is_used_token(&self) -> bool {
        self.code.starts_with("TokenAlreadyExists")
    }

    pub(super) fn is_taken_name(&self) -> bool {
        self.code.starts_with("AlreadyExists")
    }
}

fn read(described: Described) -> Result<Stack, Fault> {
    let name = described.stack_status().map_or("", |status| status.as_str());
    let status = Status::parse(name).ok_or_else(|| {
        let message = format!(
            "the stack {} is in the state {name:?}, which is not known",
            described.stack_name().unwrap_or_default()
        );
        Fault::Refused(Refusal { code: "UnknownStatus".to_owned(), message })
    })?;
    let owner = described.tags().iter().find(|tag| tag.key() == Some(OWNER_TAG)).and_then(|tag| tag.value());
    let outputs = described.outputs().iter().filter_map(|output| Some((output.output_key()?, output.output_value()?)));
    Ok(Stack {
        id: described.stack_id().map(str::to_owned).ok_or_else(|| nameless("DescribeStacks"))?,
        status,
        reason: described.stack_status_reason().map(str::to_owned),
        updated: described.last_updated_time().map(ToString::to_string),
        owner: owner.map(str::to_owned),
        outputs: outputs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
    })
}

fn nameless(operation: &str) -> Fault {
    Fault::Transient(crate::aws::transient(format!("{operation} answered without a stack id")))
}

fn capabilities() -> Vec<Capability> {
    vec![Capability::CapabilityIam, Capability::CapabilityNamedIam, Capability::CapabilityAutoExpand]
}

fn slow() -> aws_sdk_cloudformation::config::Builder {
    aws_sdk_cloudformation::Config::builder().timeout_config(timeouts(EFFECT_TIMEOUT))
}
