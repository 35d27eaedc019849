//! `NotifyResourceDeploymentStatusChange`: what callers say of a deployment, its outputs and its end.
//!
//! Owns: whom a notification is about, and its effects. Does not own: which word ends which deployment
//! (`domain::notification`), nor what follows from an end (`settle`).

use super::deploy::{self, Ending, Provisioned, status_message};
use super::settle::{put_outputs, put_unless_empty, read_outputs, settle};
use super::{Context, attachment};
use crate::error::{Error, Result, conflict, invalid, not_found};
use crate::store::{
    Reader, Target, Tx, component_get, connection_get, deployment_get, environment_by_id, environment_get,
    instance_get, pipeline_get,
};
use crate::transaction;
use protium_api::types::{
    NotifyResourceDeploymentStatusChangeInput, NotifyResourceDeploymentStatusChangeOutput, Output,
    ResourceDeploymentStatus,
};
use protium_domain::arn::{self, Resource, Scope};
use protium_domain::deployment::{Deployment, Event, Purpose};
use protium_domain::job::Job;
use protium_domain::notification::{Effect, EndedBy, Word, effect};
use protium_domain::outputs::{Outputs, only_notified};
use protium_domain::provisioning::Method;
use protium_domain::status::ConnectionStatus;
use protium_domain::track::ProvisionedResource;
use serde_json::Value;

/// What a deployment that was notified as failed says where the caller did not.
const FAILED_WITHOUT_A_WORD: &str = "Notified as failed, without a message.";

/// `NotifyResourceDeploymentStatusChange`. Outputs replace those before; without any, those stay.
pub(super) async fn notify(
    cx: &Context,
    input: NotifyResourceDeploymentStatusChangeInput,
) -> Result<NotifyResourceDeploymentStatusChangeOutput> {
    let (scope, resource) = notifiable(&input.resource_arn)?;
    let said = Said {
        word: input.status.map(word),
        outputs: input.outputs.map(outputs).transpose()?,
        message: input.status_message,
    };
    transaction!(cx.store(), async |tx| -> Result<NotifyResourceDeploymentStatusChangeOutput> {
        let mut target = find(tx, cx.scope(), &scope, &input.resource_arn, &resource).await?;
        let mut record = latest(tx, &scope, &target, input.deployment_id.as_deref()).await?;
        let by = ended_by(&target, record.as_ref());
        let (reference, status) = (target.reference(&scope), target.track().status);
        let effect = effect(reference.kind.noun(), &reference.arn, status, by, said.word)?;
        if let Some(outputs) = &said.outputs {
            replace(tx, &mut target, record.as_mut(), outputs).await?;
        }
        match (effect, record.as_mut()) {
            (Effect::Ends(event), Some(record)) => end(tx, cx, &mut target, record, event, &said).await?,
            (Effect::Noted | Effect::Ends(_), record) => {
                note(tx, cx, &mut target, record, &said).await?;
                // The instance of a component reads its outputs.
                if let Some(instance) = attachment::held(&target).filter(|_| !status.is_active()) {
                    attachment::catch_up(tx, &scope, &instance, cx.now).await?;
                }
            }
        }
        Ok(NotifyResourceDeploymentStatusChangeOutput {})
    })
}

/// What the caller says, read.
struct Said {
    word: Option<Word>,
    outputs: Option<Outputs>,
    message: Option<String>,
}

impl Said {
    /// The message; an empty one is none.
    fn message(&self) -> Option<String> {
        self.message.clone().filter(|message| !message.is_empty())
    }
}

fn word(status: ResourceDeploymentStatus) -> Word {
    match status {
        ResourceDeploymentStatus::InProgress => Word::InProgress,
        ResourceDeploymentStatus::Failed => Word::Failed,
        ResourceDeploymentStatus::Succeeded => Word::Succeeded,
    }
}

/// What the ARN names and where that is, if that kind of thing is deployed.
fn notifiable(arn: &str) -> Result<(Scope, Resource)> {
    match arn::parse(arn) {
        Some((
            scope,
            resource @ (Resource::Environment(_)
            | Resource::ServiceInstance { .. }
            | Resource::ServicePipeline(_)
            | Resource::Component(_)),
        )) => Ok((scope, resource)),
        Some(_) | None => Err(invalid(
            "resourceArn",
            format_args!(
                "'{arn}' names nothing that is deployed; give the ARN of an environment, a service instance, a service \
                 pipeline or a component"
            ),
        )),
    }
}

/// The outputs by key. Scripts list what there is, append theirs and send it all back: of two with one key,
/// the later one counts. The error does not repeat what may be secret.
fn outputs(given: Vec<Output>) -> Result<Outputs> {
    let mut outputs = Outputs::new();
    for (number, output) in given.into_iter().enumerate() {
        let missing =
            |member: &str| invalid(&format!("outputs[{number}].{member}"), "is missing; give both key and valueString");
        let key = output.key.ok_or_else(|| missing("key"))?;
        let value = output.value_string.ok_or_else(|| missing("valueString"))?;
        outputs.insert(key, Value::String(value));
    }
    Ok(outputs)
}

/// The resource of that ARN in `scope`, if the caller may speak of it. To all others it does not exist.
async fn find(rd: &mut Reader, caller: &Scope, scope: &Scope, arn: &str, resource: &Resource) -> Result<Target> {
    let rest = arn.strip_prefix(&scope.arn(resource));
    // Some older clients append the pipeline's id.
    let whole = rest.is_some_and(|rest| rest.is_empty() || matches!(resource, Resource::ServicePipeline(_)));
    let here = whole && caller.region == scope.region;
    let (noun, found) = match resource {
        Resource::Environment(name) => {
            ("environment", environment_get(rd, scope, name).await?.map(Target::Environment))
        }
        Resource::ServiceInstance { service, name } => {
            ("service instance", instance_get(rd, scope, service, name).await?.map(Target::ServiceInstance))
        }
        Resource::ServicePipeline(service) => {
            ("service pipeline", pipeline_get(rd, scope, service).await?.map(Target::ServicePipeline))
        }
        Resource::Component(name) => ("component", component_get(rd, scope, name).await?.map(Target::Component)),
        _ => ("resource", None),
    };
    match found.filter(|_| here) {
        Some(target) if may_notify(rd, caller, scope, &target).await? => Ok(target),
        Some(_) | None => Err(not_found(noun, arn)),
    }
}

/// Whether the caller's account has the target, or lends the roles that provision it: what runs there may say
/// how it went.
async fn may_notify(rd: &mut Reader, caller: &Scope, scope: &Scope, target: &Target) -> Result<bool> {
    if caller.account == scope.account {
        return Ok(true);
    }
    let environment = match target {
        Target::Environment(environment) => Some(environment.clone()),
        Target::ServiceInstance(instance) => environment_by_id(rd, &instance.environment_id).await?,
        Target::Component(component) => environment_by_id(rd, &component.environment_id).await?,
        // Pipelines are provisioned by the account that has the service.
        Target::ServicePipeline(_) => None,
    };
    let Some(id) = environment.and_then(|environment| environment.access.connection) else { return Ok(false) };
    let connection = connection_get(rd, &scope.region, &id).await?;
    Ok(connection.is_some_and(|found| {
        found.status == ConnectionStatus::Connected && found.environment_account == caller.account
    }))
}

/// The record that a notification is about: the target's latest, which must be the one that is named.
async fn latest(rd: &mut Reader, scope: &Scope, target: &Target, given: Option<&str>) -> Result<Option<Deployment>> {
    let latest = target.track().attempted_deployment.as_ref();
    let reference = target.reference(scope);
    let Some(id) = given else {
        return match latest {
            Some(id) => Ok(deployment_get(rd, scope, id.as_str()).await?),
            None => Ok(None),
        };
    };
    let record = deployment_get(rd, scope, id).await?.filter(|record| record.target.id == reference.id);
    let record =
        record.ok_or_else(|| not_found("deployment", format_args!("{} of {}", scope.deployment(id), reference.arn)))?;
    if latest == Some(&record.id) { Ok(Some(record)) } else { Err(stale(&record)) }
}

fn stale(record: &Deployment) -> Error {
    let target = &record.target;
    conflict(format!(
        "the deployment '{}' is not the latest of the {} {}; leave deploymentId out, or give lastAttemptedDeploymentId",
        record.id,
        target.kind.noun(),
        target.arn
    ))
}

fn ended_by(target: &Target, record: Option<&Deployment>) -> EndedBy {
    let begun = record.is_some_and(|record| record.status.is_active() && record.order.is_some());
    let method = target.track().engine.as_deref().and_then(Method::parse);
    match method {
        _ if !begun => EndedBy::Nobody,
        Some(method) if method.ends_by_notification() => EndedBy::Caller,
        Some(_) | None => EndedBy::Engine,
    }
}

/// Replaces the outputs of the target, and those of its latest deployment.
async fn replace(tx: &mut Tx, target: &mut Target, record: Option<&mut Deployment>, given: &Outputs) -> Result<()> {
    let shown = read_outputs(tx, target.track().outputs.as_ref()).await?;
    let only = read_outputs(tx, target.track().notified.as_ref()).await?;
    let hash = put_outputs(tx, given).await?;
    let notified = put_unless_empty(tx, &only_notified(given, &shown, &only)).await?;
    let track = target.track_mut();
    track.outputs = Some(hash.clone());
    track.notified = notified;
    if let Some(record) = record.filter(|record| record.purpose == Purpose::Apply) {
        record.outputs = Some(hash);
    }
    Ok(())
}

/// Saves what was said while nothing ends. A deployment that runs goes on saying it until it has something
/// else to say.
async fn note(
    tx: &mut Tx,
    cx: &Context,
    target: &mut Target,
    record: Option<&mut Deployment>,
    said: &Said,
) -> Result<()> {
    if let Some(record) = record {
        if said.message.is_some() {
            record.message = said.message();
        }
        let status = record.status;
        record.modified_at = cx.now;
        deploy::save_record(tx, record, status, cx.now).await?;
    }
    if said.message.is_some() {
        target.track_mut().message = said.message();
    }
    let status = target.track().status;
    deploy::save_target(tx, target, status, cx.now).await
}

/// Ends a self-managed deployment as the caller says.
async fn end(
    tx: &mut Tx,
    cx: &Context,
    target: &mut Target,
    record: &mut Deployment,
    event: Event,
    said: &Said,
) -> Result<()> {
    let message = said.message().or_else(|| (event == Event::Failed).then(|| FAILED_WITHOUT_A_WORD.to_owned()));
    let track = target.track();
    let folder = track.physical.as_ref().map(|physical| physical.name.clone());
    let resources = folder.iter().map(|folder| ProvisionedResource {
        name: folder.clone(),
        identifier: folder.clone(),
        engine: "TERRAFORM".to_owned(),
    });
    let provisioned = Provisioned { resources: resources.collect(), physical_id: folder.clone() };
    let outputs = track.outputs.clone().filter(|_| event == Event::Succeeded);
    let ending = Ending { event, message: message.map(status_message), outputs, provisioned: Some(provisioned) };
    settle(tx, record, target, ending, None, cx.now).await?;
    // Its job waits for the deadline, and has nothing to do there any more.
    deploy::enqueue(tx, &Job::Deploy { deployment: record.id.clone() }, &record.target.id).await
}
