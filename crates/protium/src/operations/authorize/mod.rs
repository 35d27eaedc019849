//! Whether a caller may do what it asks for.
//!
//! Owns: asking the caller's policies about each request, before anything is done and before it is known whether
//! there is such a resource. Does not own: what a policy says (`domain::iam`), and what the root user is kept from.
//!
//! | module | owns |
//! |---|---|
//! | `subject` | what each operation is asked about |
//! | `identity` | how policies know users, groups, roles, policies and identity providers |
//! | `circumstances` | the condition keys that every request has |
//! | `entries` | which entries of a list its caller sees |

mod circumstances;
mod entries;
mod identity;
mod subject;

use super::{Caller, Context, resources_summary, tag, template};
use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::store::{connection_get, deployment_get, environment_get, service_get};
use circumstances::US;
pub(crate) use circumstances::circumstances;
pub(super) use entries::{Entry, Shows, retain};
use protium_api::{ErrorCode, Operation, Request};
use protium_domain::arn::{self, Resource, Scope, account_of};
use protium_domain::deployment::TargetKind;
use protium_domain::iam::actions::{
    self, Action, Dependent, ENVIRONMENT_TEMPLATE, ResourceType, SERVICE_TEMPLATE, When,
};
use protium_domain::iam::{self, Decision};
use subject::{About, Subject, asked_about};

const RESOURCE_TAG: &str = "aws:ResourceTag/";

/// The ARN of the resource that a request is about, `*` if it is about none. One that is named by an ARN is taken from
/// it, whatever account and region that is of; versions are their template, and pipelines their service.
pub(crate) fn resource_of(request: &Request, caller: &Caller) -> String {
    Subject::of(request).about.arn(caller)
}

/// As policies name the action of an operation: Proton's under `proton`, our own under `protium`.
fn action_of(operation: Operation) -> Result<&'static Action> {
    let service = if operation.target().starts_with("AwsProton") { "proton" } else { "protium" };
    let name = format!("{service}:{}", operation.name());
    // Without a row there would be nothing to ask, so nobody but the root user may do it.
    actions::find(&name).ok_or_else(|| Error::new(ErrorCode::AccessDenied, format!("No policy can allow {name}")))
}

/// Refuses a request that its caller is not allowed to make. Answers what a list shows to its caller.
pub(super) async fn check(cx: &Context, request: &Request) -> Result<Shows> {
    // It may do everything in its account, and operations keep to the account.
    if cx.caller.identity.principal.is_root() {
        return Ok(Shows::Everything);
    }
    Box::pin(check_policies(cx, request)).await
}

async fn check_policies(cx: &Context, request: &Request) -> Result<Shows> {
    let (action, subject) = (action_of(request.operation())?, Subject::of(request));
    let asked = Asked::new(cx, &subject.about).await?;
    let context = context_of(cx, action, &asked, &subject).await?;
    let decision = decide(cx, action.name, &asked.arn, &context);
    if let Decision::NotAllowed { .. } = decision {
        match entries_of(action) {
            // All its entries are asked about as what the list is asked about.
            Some([get]) if actions::find(get).is_some_and(|get| get.resources == action.resources) => {
                let context = tagged(cx, get, &asked).await?;
                if decide(cx, get, &asked.arn, &context).is_allowed() {
                    return Ok(Shows::Everything);
                }
            }
            Some(gets) if gets.iter().any(|get| cx.caller.identity.policies.could_allow(get)) => {
                return Ok(Shows::Allowed);
            }
            Some(_) | None => {}
        }
    }
    let principal = &cx.caller.identity.principal;
    refused(decision, &iam::Request { principal, action: action.name, resource: &asked.arn, context: &context })?;
    check_dependents(cx, action, &asked, &subject).await?;
    Ok(Shows::Everything)
}

/// The actions that decide for each entry of a list, or for each resource that is counted.
fn entries_of(action: &Action) -> Option<&[&'static str]> {
    match action.operation() {
        "GetResourcesSummary" => Some(&resources_summary::COUNTED),
        _ => action.entries.as_ref().map(std::slice::from_ref),
    }
}

/// Refuses what needs another permission besides.
async fn check_dependents(cx: &Context, action: &Action, asked: &Asked, subject: &Subject<'_>) -> Result<()> {
    for dependent in action.dependent {
        match dependent.when {
            When::Tags if !subject.tags.is_empty() => {
                // Not what was looked up for the action itself: policies may look at other keys for this one.
                let action = actions::find(dependent.action).unwrap_or(action);
                let context = context_of(cx, action, asked, subject).await?;
                allowed(cx, dependent.action, &asked.created(cx.scope()), &context)?;
            }
            When::Role => {
                for role in &subject.roles {
                    let context = within(cx, account_of(role)).with("iam:PassedToService", US);
                    allowed(cx, dependent.action, role, &context)?;
                }
            }
            When::Tags | When::Connection | When::DeploymentOf(_) => {}
        }
    }
    if let Some(connection) = subject.connection {
        check_connection(cx, action.dependent, connection)?;
    }
    if let Some((_, Resource::Deployment(id))) = &asked.found {
        check_target(cx, action.dependent, id).await?;
    }
    Ok(())
}

/// A resource that policies are asked about.
struct Asked {
    /// The ARN, or `*`.
    arn: String,
    /// What it names and where that is, whether or not there is such a one.
    found: Option<(Scope, Resource)>,
    /// Those of an identity; those of other resources are looked up where they are needed.
    tags: Vec<(String, String)>,
}

impl Asked {
    async fn new(cx: &Context, about: &About<'_>) -> Result<Self> {
        let found = match about {
            About::Nothing => return Ok(Self::named("*".to_owned(), Vec::new())),
            About::Identity(identity) => {
                let (arn, tags) = identity.find(&mut cx.store().reader().await?, &cx.caller.identity.principal).await?;
                return Ok(Self::named(arn, tags));
            }
            About::Arn(text) => return Ok(Self::of_arn(text)),
            About::Own(resource) => (cx.scope().clone(), resource.clone()),
            About::Connection(id) => {
                let resource = Resource::EnvironmentAccountConnection((*id).to_owned());
                let (account, region) = (&cx.scope().account, &cx.scope().region);
                let connection = connection_get(&mut cx.store().reader().await?, region, id).await?;
                let connection = connection.filter(|connection| connection.is_seen_by(account));
                let of = connection.map_or_else(|| account.clone(), |connection| connection.environment_account);
                (Scope::new(of, region), resource)
            }
        };
        Ok(Self::found(found))
    }

    fn of_arn(text: &str) -> Self {
        match arn::parse(text) {
            Some((scope, resource)) => Self::found((scope, asked_about(resource))),
            // An operation that is given it refuses it.
            None => Self::named(text.to_owned(), Vec::new()),
        }
    }

    fn found((scope, resource): (Scope, Resource)) -> Self {
        Self { arn: scope.arn(&resource), found: Some((scope, resource)), tags: Vec::new() }
    }

    fn named(arn: String, tags: Vec<(String, String)>) -> Self {
        Self { arn, found: None, tags }
    }

    /// The account in the ARN.
    fn account(&self) -> Option<&str> {
        self.found.as_ref().map(|(scope, _)| scope.account.as_str())
    }

    /// What a request gives tags to: connections have no name to be asked about before they are made.
    fn created(&self, scope: &Scope) -> String {
        match self.found {
            Some(_) => self.arn.clone(),
            None => scope.arn(&Resource::EnvironmentAccountConnection("*".to_owned())),
        }
    }
}

/// The condition keys of a request.
async fn context_of<'c>(
    cx: &'c Context,
    action: &Action,
    asked: &Asked,
    subject: &Subject<'c>,
) -> Result<iam::Context<'c>> {
    let mut context = tagged(cx, action.name, asked).await?;
    context = context.with_request_tags(subject.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())));
    if !subject.tag_keys.is_empty() {
        context = context.with_all("aws:TagKeys", subject.tag_keys.iter().map(String::as_str));
    }
    for key in [ENVIRONMENT_TEMPLATE, SERVICE_TEMPLATE] {
        let matters = action.keys.contains(&key) && cx.caller.identity.policies.look_at(action.name, key);
        if matters && let Some(template) = template_of(cx, asked, subject).await? {
            context = context.with(key, template);
        }
    }
    Ok(context)
}

/// The keys that a request for an action on a resource has besides what is in it: the tags of the resource are looked
/// up if a policy looks at any.
async fn tagged<'c>(cx: &'c Context, action: &str, asked: &Asked) -> Result<iam::Context<'c>> {
    let context = within(cx, asked.account());
    match &asked.found {
        Some((of, resource)) if cx.caller.identity.policies.look_at(action, RESOURCE_TAG) => {
            let tags = tag::of(&mut cx.store().reader().await?, cx.scope(), of, resource).await?;
            Ok(with_tags(context, tags))
        }
        Some(_) | None => Ok(with_tags(context, asked.tags.clone())),
    }
}

fn with_tags(context: iam::Context<'_>, tags: Vec<(String, String)>) -> iam::Context<'_> {
    tags.into_iter().fold(context, |context, (key, value)| context.with(format!("{RESOURCE_TAG}{key}"), value))
}

/// The keys of a request about a resource of an account, by default the caller's.
fn within<'c>(cx: &'c Context, account: Option<&str>) -> iam::Context<'c> {
    let account = account.unwrap_or(&cx.scope().account).to_owned();
    circumstances(&cx.caller, cx.now).with("aws:ResourceAccount", account)
}

/// The ARN of the template that a request names, or that what it is about is made from.
async fn template_of(cx: &Context, asked: &Asked, subject: &Subject<'_>) -> Result<Option<String>> {
    use protium_domain::template::TemplateKind::{Environment, Service};
    let scope = cx.scope();
    if let Some((kind, name)) = subject.template {
        return Ok(Some(template::template_arn(scope, kind, name)));
    }
    let mut rd = cx.store().reader().await?;
    let found = match &asked.found {
        Some((_, Resource::Environment(name))) => {
            environment_get(&mut rd, scope, name).await?.map(|found| (Environment, found.template))
        }
        Some((_, Resource::Service(service) | Resource::ServiceInstance { service, .. })) => {
            service_get(&mut rd, scope, service).await?.map(|found| (Service, found.template))
        }
        Some(_) | None => None,
    };
    Ok(found.map(|(kind, name)| template::template_arn(scope, kind, &name)))
}

fn decide<'c>(cx: &'c Context, action: &str, resource: &str, context: &iam::Context<'_>) -> Decision<'c> {
    let Identity { principal, policies } = &*cx.caller.identity;
    policies.decide(&iam::Request { principal, action, resource, context })
}

fn allowed(cx: &Context, action: &str, resource: &str, context: &iam::Context<'_>) -> Result<()> {
    let request = iam::Request { principal: &cx.caller.identity.principal, action, resource, context };
    refused(cx.caller.identity.policies.decide(&request), &request)
}

fn refused(decision: Decision<'_>, request: &iam::Request<'_>) -> Result<()> {
    decision.denial(request).map_or(Ok(()), |why| Err(Error::new(ErrorCode::AccessDenied, why)))
}

/// To hand over a connection to a Git host is one action under two names: either may allow it, and either may deny it.
fn check_connection(cx: &Context, dependents: &[Dependent], connection: &str) -> Result<()> {
    let mut missing = None;
    let mut is_allowed = false;
    for dependent in dependents.iter().filter(|dependent| dependent.when == When::Connection) {
        let service = dependent.action.split_once(':').map_or(dependent.action, |(service, _)| service);
        let context = within(cx, account_of(connection)).with(format!("{service}:PassedToService"), US);
        let principal = &cx.caller.identity.principal;
        let request = iam::Request { principal, action: dependent.action, resource: connection, context: &context };
        match cx.caller.identity.policies.decide(&request) {
            Decision::Allowed { .. } => is_allowed = true,
            decision @ Decision::Denied { .. } => return refused(decision, &request),
            decision @ Decision::NotAllowed { .. } => {
                missing = missing.or_else(|| refused(decision, &request).err());
            }
        }
    }
    match missing {
        Some(why) if !is_allowed => Err(why),
        Some(_) | None => Ok(()),
    }
}

/// Who asks for a deployment has to be allowed to see what it is a deployment of.
async fn check_target(cx: &Context, dependents: &[Dependent], deployment: &str) -> Result<()> {
    if dependents.is_empty() {
        return Ok(());
    }
    let record = deployment_get(&mut cx.store().reader().await?, cx.scope(), deployment).await?;
    let Some(target) = record.map(|record| record.target) else { return Ok(()) };
    let of = When::DeploymentOf(type_of(target.kind));
    for dependent in dependents.iter().filter(|dependent| dependent.when == of) {
        let asked = Asked::of_arn(&target.arn);
        let context = tagged(cx, dependent.action, &asked).await?;
        allowed(cx, dependent.action, &asked.arn, &context)?;
    }
    Ok(())
}

fn type_of(kind: TargetKind) -> ResourceType {
    match kind {
        TargetKind::Environment => ResourceType::Environment,
        TargetKind::ServiceInstance => ResourceType::ServiceInstance,
        TargetKind::ServicePipeline => ResourceType::Service,
        TargetKind::Component => ResourceType::Component,
    }
}
