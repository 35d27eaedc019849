//! Whether a caller may do what it asks for.
//!
//! Owns: asking the caller's policies about each request, before anything is done and before it is known whether
//! there is such a resource. Does not own: what a policy says (`domain::iam`), and what the root user is kept from.
//!
//! | module | owns |
//! |---|---|
//! | `subject` | what each operation is asked about |
//! | `circumstances` | the condition keys that every request has |

mod circumstances;
mod subject;

use super::{Context, tag, template};
use crate::error::{Error, Result};
use crate::store::{connection_get, deployment_get, environment_get, service_get};
use circumstances::US;
pub(crate) use circumstances::circumstances;
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
#[expect(dead_code, reason = "what asks for it comes with the next commit")]
pub(crate) fn resource_of(request: &Request, scope: &Scope) -> String {
    Subject::of(request).about.arn(scope)
}

/// As policies name the action of an operation: Proton's under `proton`, our own under `protium`.
fn action_of(operation: Operation) -> Result<&'static Action> {
    let service = if operation.target().starts_with("AwsProton") { "proton" } else { "protium" };
    let name = format!("{service}:{}", operation.name());
    // Without a row there would be nothing to ask, so nobody but the root user may do it.
    actions::find(&name).ok_or_else(|| Error::new(ErrorCode::AccessDenied, format!("No policy can allow {name}")))
}

/// Refuses a request that its caller is not allowed to make.
pub(super) async fn check(cx: &Context, request: &Request) -> Result<()> {
    // It may do everything in its account, and operations keep to the account.
    if cx.caller.identity.principal.is_root() {
        return Ok(());
    }
    Box::pin(check_policies(cx, request)).await
}

async fn check_policies(cx: &Context, request: &Request) -> Result<()> {
    let (action, subject) = (action_of(request.operation())?, Subject::of(request));
    let asked = Asked::new(cx, &subject.about).await?;
    let context = context_of(cx, action, &asked, &subject).await?;
    allowed(cx, action.name, &asked.arn, &context)?;
    for dependent in action.dependent {
        match dependent.when {
            When::Tags if !subject.tags.is_empty() => {
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
}

impl Asked {
    async fn new(cx: &Context, about: &About<'_>) -> Result<Self> {
        let found = match about {
            About::Nothing => None,
            About::Own(resource) => Some((cx.scope().clone(), resource.clone())),
            About::Arn(text) => arn::parse(text).map(|(scope, resource)| (scope, asked_about(resource))),
            About::Connection(id) => {
                let resource = Resource::EnvironmentAccountConnection((*id).to_owned());
                let (account, region) = (&cx.scope().account, &cx.scope().region);
                let connection = connection_get(&mut cx.store().reader().await?, region, id).await?;
                let connection = connection.filter(|connection| connection.is_seen_by(account));
                let of = connection.map_or_else(|| account.clone(), |connection| connection.environment_account);
                Some((Scope::new(of, region), resource))
            }
        };
        let arn = match (&found, about) {
            (Some((scope, resource)), _) => scope.arn(resource),
            // An operation that is given it refuses it.
            (None, About::Arn(text)) => (*text).to_owned(),
            (None, _) => "*".to_owned(),
        };
        Ok(Self { arn, found })
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
    let mut context = within(cx, asked.found.as_ref().map(|(scope, _)| scope.account.as_str()));
    if cx.caller.identity.policies.look_at(action, RESOURCE_TAG)
        && let Some((of, resource)) = &asked.found
    {
        let tags = tag::of(&mut cx.store().reader().await?, cx.scope(), of, resource).await?;
        for (key, value) in tags {
            context = context.with(format!("{RESOURCE_TAG}{key}"), value);
        }
    }
    Ok(context)
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
        let asked = Asked::new(cx, &About::Arn(&target.arn)).await?;
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
