//! The double's operations: what each call of CloudFormation does to the world.

use std::collections::BTreeMap;

use super::behaviour::{Behaviour, Ending, Operation};
use super::stacks::{Content, Stack};
use super::wire::{Answer, escape};
use super::{Call, World, sts};

/// CloudFormation's limit for an inline template, in bytes.
const INLINE_LIMIT: usize = 51_200;

pub(super) fn cloudformation(world: &mut World, call: &Call) -> Answer {
    if sts::is_ended(world, call.get("AWSAccessKeyId")) {
        return Answer::error(403, "ExpiredToken", "The security token included in the request is expired");
    }
    let now = world.now();
    for stack in &mut world.stacks {
        stack.settle(now);
    }
    match call.action.as_str() {
        "CreateStack" => create(world, call),
        "UpdateStack" => update(world, call),
        "DeleteStack" => delete(world, call),
        "CancelUpdateStack" => cancel_update(world, call),
        "ContinueUpdateRollback" => continue_rollback(world, call),
        "DescribeStacks" => describe(world, call),
        "DescribeStackEvents" => events(world, call),
        "ListStackResources" => resources(world, call),
        other => Answer::error(400, "InvalidAction", &format!("Could not find operation {other}")),
    }
}

fn create(world: &mut World, call: &Call) -> Answer {
    let name = call.get("StackName");
    let content = match content(world, call) {
        Ok(content) => content,
        Err(answer) => return answer,
    };
    let token = call.get("ClientRequestToken");
    match find(world, call, name).map(|at| (replayed(world, at, call), world.stacks[at].id.clone())) {
        Some((Replay::Same, id)) => return stack_id("CreateStack", &id, false),
        Some((Replay::Other, _)) => return token_taken(token),
        Some((Replay::New, _)) => {
            return Answer::error(400, "AlreadyExistsException", &format!("Stack [{name}] already exists"));
        }
        None => {}
    }
    let behaviour = behaviour(world, call, name, &content.template);
    if let Ending::Refused { code, message, leaves_stack } = &behaviour.ending {
        if *leaves_stack {
            world.new_stack(name, &call.account, &call.region, content).turn("CREATE_IN_PROGRESS");
        }
        return Answer::error(400, code, message);
    }
    let now = world.now();
    let content = Content { outputs: outputs(name, &content, &behaviour), ..content };
    world.buckets.extend(bucket_of(name, &content.template));
    let stack = world.new_stack(name, &call.account, &call.region, content);
    stack.tokens.insert(token.to_owned(), said(call));
    stack.begin_create(&behaviour, token, now);
    let answer = stack_id("CreateStack", &stack.id, true);
    world.nest(world.stacks.len() - 1, &behaviour, token);
    answer
}

fn update(world: &mut World, call: &Call) -> Answer {
    let name = call.get("StackName");
    let Some(at) = find(world, call, name) else { return absent(name) };
    let token = call.get("ClientRequestToken");
    match replayed(world, at, call) {
        Replay::Same => return stack_id("UpdateStack", &world.stacks[at].id, false),
        Replay::Other => return token_taken(token),
        Replay::New => {}
    }
    let content = match content(world, call) {
        Ok(content) => content,
        Err(answer) => return answer,
    };
    let status = world.stacks[at].status().to_owned();
    let takes_updates = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED", "UPDATE_ROLLBACK_COMPLETE"];
    if !takes_updates.contains(&status.as_str()) {
        let id = &world.stacks[at].id;
        let message = format!("Stack:{id} is in {status} state and can not be updated.");
        return Answer::error(400, "ValidationError", &message);
    }
    let same = &world.stacks[at].content;
    if same.template == content.template && same.tags == content.tags {
        return Answer::error(400, "ValidationError", "No updates are to be performed.");
    }
    let behaviour = behaviour(world, call, name, &content.template);
    if let Ending::Refused { code, message, .. } = &behaviour.ending {
        return Answer::error(400, code, message);
    }
    let now = world.now();
    let content = Content { outputs: outputs(&world.stacks[at].name, &content, &behaviour), ..content };
    let stack = &mut world.stacks[at];
    stack.tokens.insert(token.to_owned(), said(call));
    stack.begin_update(content, &behaviour, token, now);
    let answer = stack_id("UpdateStack", &stack.id, true);
    world.nest(at, &behaviour, token);
    answer
}

fn delete(world: &mut World, call: &Call) -> Answer {
    let name = call.get("StackName");
    let nothing = Answer::result("DeleteStack", "", false);
    let Some(at) = find(world, call, name) else { return nothing };
    let token = call.get("ClientRequestToken");
    match replayed(world, at, call) {
        Replay::Same => return nothing,
        Replay::Other => return token_taken(token),
        Replay::New => {}
    }
    let stack = &world.stacks[at];
    if stack.protected {
        let message = format!("Stack [{}] cannot be deleted while TerminationProtection is enabled", stack.name);
        return Answer::error(400, "ValidationError", &message);
    }
    let busy = ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"];
    if busy.contains(&stack.status()) {
        let message = format!("Stack [{}] cannot be deleted while in status {}", stack.id, stack.status());
        return Answer::error(400, "ValidationError", &message);
    }
    if stack.status() == "DELETE_IN_PROGRESS" {
        return nothing;
    }
    let template = stack.content.template.clone();
    let name = stack.name.clone();
    let mut behaviour = behaviour(world, call, &name, &template);
    if let Ending::Refused { code, message, .. } = &behaviour.ending {
        return Answer::error(400, code, message);
    }
    if let Some(bucket) = bucket_of(&name, &template) {
        if world.objects.keys().any(|path| path.starts_with(&format!("{bucket}/"))) {
            behaviour = Behaviour::fails("Sources", "AWS::S3::Bucket", "The bucket you tried to delete is not empty");
        } else {
            world.buckets.remove(&bucket);
        }
    }
    let now = world.now();
    let stack = &mut world.stacks[at];
    stack.tokens.insert(token.to_owned(), said(call));
    stack.begin_delete(&behaviour, token, now);
    Answer::result("DeleteStack", "", true)
}

fn cancel_update(world: &mut World, call: &Call) -> Answer {
    roll_back(world, call, "UPDATE_IN_PROGRESS")
}

fn continue_rollback(world: &mut World, call: &Call) -> Answer {
    roll_back(world, call, "UPDATE_ROLLBACK_FAILED")
}

fn roll_back(world: &mut World, call: &Call, from: &str) -> Answer {
    let name = call.get("StackName");
    let Some(at) = find(world, call, name) else { return absent(name) };
    let token = call.get("ClientRequestToken");
    match replayed(world, at, call) {
        Replay::Same => return Answer::result(&call.action, "", false),
        Replay::Other => return token_taken(token),
        Replay::New => {}
    }
    let stack = &world.stacks[at];
    if stack.status() != from {
        let message = format!("{} cannot be called from current stack status {}", call.action, stack.status());
        return Answer::error(400, "ValidationError", &message);
    }
    let (name, template) = (stack.name.clone(), stack.content.template.clone());
    let behaviour = behaviour(world, call, &name, &template);
    if let Ending::Refused { code, message, .. } = &behaviour.ending {
        return Answer::error(400, code, message);
    }
    let now = world.now();
    let stack = &mut world.stacks[at];
    stack.tokens.insert(token.to_owned(), said(call));
    stack.begin_rollback(&behaviour, token, now);
    Answer::result(&call.action, "", true)
}

fn describe(world: &mut World, call: &Call) -> Answer {
    let name = call.get("StackName");
    let Some(at) = find_any(world, call, name) else { return absent(name) };
    let stack = &mut world.stacks[at];
    let xml = stack_xml(stack);
    stack.looked_at();
    Answer::result("DescribeStacks", &format!("<Stacks>{xml}</Stacks>"), false)
}

fn stack_xml(stack: &Stack) -> String {
    let (status, updates) = stack.shown();
    let tags: String = stack.tags().iter().map(|(k, v)| member("Key", k, "Value", v)).collect();
    let complete = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"].contains(&status);
    let shown = if complete { stack.content.outputs.as_slice() } else { &[] };
    let outputs: String = shown.iter().map(|(k, v)| member("OutputKey", k, "OutputValue", v)).collect();
    let updated = if updates == 0 {
        String::new()
    } else {
        format!("<LastUpdatedTime>2024-01-01T{:02}:{:02}:00Z</LastUpdatedTime>", updates / 60 % 24, updates % 60)
    };
    let reason = stack
        .reason
        .as_deref()
        .map_or_else(String::new, |reason| format!("<StackStatusReason>{}</StackStatusReason>", escape(reason)));
    format!(
        "<member><StackId>{}</StackId><StackName>{}</StackName><CreationTime>2024-01-01T00:00:00Z</CreationTime>{updated}\
         <StackStatus>{status}</StackStatus>{reason}<Tags>{tags}</Tags><Outputs>{outputs}</Outputs></member>",
        escape(&stack.id),
        escape(&stack.name)
    )
}

fn events(world: &World, call: &Call) -> Answer {
    let name = call.get("StackName");
    let Some(at) = find_any(world, call, name) else { return absent(name) };
    let stack = &world.stacks[at];
    let from = call.get("NextToken").parse::<usize>().unwrap_or(0);
    let newest_first = stack.events.iter().enumerate().rev();
    let page: String =
        newest_first.skip(from).take(world.page).map(|(number, event)| event.xml(number, stack)).collect();
    let next = from + world.page;
    let token = if next < stack.events.len() { format!("<NextToken>{next}</NextToken>") } else { String::new() };
    Answer::result("DescribeStackEvents", &format!("<StackEvents>{page}</StackEvents>{token}"), false)
}

fn resources(world: &World, call: &Call) -> Answer {
    let name = call.get("StackName");
    let Some(at) = find_any(world, call, name) else { return absent(name) };
    let status = if world.stacks[at].is_deleted() { "DELETE_COMPLETE" } else { "CREATE_COMPLETE" };
    let template: serde_json::Value = serde_json::from_str(&world.stacks[at].content.template).unwrap_or_default();
    let members = template.get("Resources").and_then(|r| r.as_object()).into_iter().flatten();
    let list: String = members
        .map(|(name, resource)| {
            let kind = resource.get("Type").and_then(|t| t.as_str()).unwrap_or("AWS::CloudFormation::WaitConditionHandle");
            format!(
                "<member><LogicalResourceId>{0}</LogicalResourceId><PhysicalResourceId>{0}-physical</PhysicalResourceId>\
                 <ResourceType>{1}</ResourceType><ResourceStatus>{status}</ResourceStatus>\
                 <LastUpdatedTimestamp>2024-01-01T00:00:00Z</LastUpdatedTimestamp></member>",
                escape(name),
                escape(kind)
            )
        })
        .collect();
    Answer::result("ListStackResources", &format!("<StackResourceSummaries>{list}</StackResourceSummaries>"), false)
}

/// The template and tags of a create or update.
fn content(world: &World, call: &Call) -> Result<Content, Answer> {
    let body = call.get("TemplateBody");
    if body.len() > INLINE_LIMIT {
        let message = "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: \
                       Member must have length less than or equal to 51200";
        return Err(Answer::error(400, "ValidationError", message));
    }
    let template = match call.get("TemplateURL") {
        "" => body.to_owned(),
        url => {
            let path = url.strip_prefix(&format!("https://s3.{}.amazonaws.com/", call.region)).unwrap_or_default();
            let stored = world.objects.get(path).map(|content| String::from_utf8_lossy(content).into_owned());
            stored.ok_or_else(|| Answer::error(400, "ValidationError", "S3 error: Access Denied"))?
        }
    };
    for (what, capability) in [("AWS::IAM::", "CAPABILITY_NAMED_IAM"), ("Transform", "CAPABILITY_AUTO_EXPAND")] {
        let acknowledged = (1..=3).any(|n| call.get(&format!("Capabilities.member.{n}")) == capability);
        if template.contains(what) && !acknowledged {
            let message = format!("Requires capabilities : [{capability}]");
            return Err(Answer::error(400, "InsufficientCapabilitiesException", &message));
        }
    }
    let mut tags = BTreeMap::new();
    for n in 1..=50 {
        let key = call.get(&format!("Tags.member.{n}.Key"));
        if !key.is_empty() {
            tags.insert(key.to_owned(), call.get(&format!("Tags.member.{n}.Value")).to_owned());
        }
    }
    Ok(Content { template, tags, outputs: Vec::new() })
}

/// The outputs of a JSON template that are texts or its bucket, and those that the test gives.
fn outputs(name: &str, content: &Content, behaviour: &Behaviour) -> Vec<(String, String)> {
    let template: serde_json::Value = serde_json::from_str(&content.template).unwrap_or_default();
    let members = template.get("Outputs").and_then(|outputs| outputs.as_object()).into_iter().flatten();
    let known = members.filter_map(|(key, output)| match &output["Value"] {
        serde_json::Value::String(text) => Some((key.clone(), text.clone())),
        _ => Some((key.clone(), bucket_of(name, &content.template)?)),
    });
    known.chain(behaviour.outputs.iter().cloned()).collect()
}

/// The bucket that a stack has which runs builds.
fn bucket_of(stack: &str, template: &str) -> Option<String> {
    let is_ours = template.contains("AWS::CodeBuild::Project") && template.contains("AWS::S3::Bucket");
    is_ours.then(|| format!("{}-sources-double", stack.to_ascii_lowercase()))
}

fn behaviour(world: &World, call: &Call, stack: &str, template: &str) -> Behaviour {
    let same = |other: &&Call| other.action == call.action && other.effective && is_about(other, stack);
    let earlier = world.calls.iter().filter(same).count();
    (world.script)(&Operation { action: &call.action, stack, template, earlier })
}

/// Whether a call named that stack, by its name or in its id.
fn is_about(call: &Call, stack: &str) -> bool {
    let named = call.get("StackName");
    named == stack || named.split('/').nth(1) == Some(stack)
}

/// The stack of a name or id that a call can change.
fn find(world: &World, call: &Call, name: &str) -> Option<usize> {
    find_any(world, call, name).filter(|at| !world.stacks[*at].is_deleted())
}

/// Deleted stacks are found by id only.
fn find_any(world: &World, call: &Call, name: &str) -> Option<usize> {
    world.stacks.iter().position(|stack| {
        stack.account == call.account
            && stack.region == call.region
            && (stack.id == name || (stack.name == name && !stack.is_deleted()))
    })
}

enum Replay {
    /// A token that this stack has not seen.
    New,
    /// The same call again: CloudFormation answers as if nothing had happened.
    Same,
    /// The token of a call that said something else.
    Other,
}

fn replayed(world: &World, at: usize, call: &Call) -> Replay {
    if !world.tokens_count {
        return Replay::New;
    }
    match world.stacks[at].tokens.get(call.get("ClientRequestToken")) {
        None => Replay::New,
        Some(earlier) if *earlier == said(call) => Replay::Same,
        Some(_) => Replay::Other,
    }
}

/// What a call said, apart from who said it.
pub(super) fn said(call: &Call) -> String {
    let parts = call.parameters.iter().filter(|(key, _)| key.as_str() != "AWSAccessKeyId");
    parts.map(|(key, value)| format!("{key}={value}\n")).collect()
}

fn stack_id(action: &str, id: &str, effective: bool) -> Answer {
    Answer::result(action, &format!("<StackId>{}</StackId>", escape(id)), effective)
}

fn member(key_name: &str, key: &str, value_name: &str, value: &str) -> String {
    format!("<member><{key_name}>{}</{key_name}><{value_name}>{}</{value_name}></member>", escape(key), escape(value))
}

fn absent(name: &str) -> Answer {
    Answer::error(400, "ValidationError", &format!("Stack with id {name} does not exist"))
}

fn token_taken(token: &str) -> Answer {
    Answer::error(400, "TokenAlreadyExistsException", &format!("The token {token} is in use"))
}
