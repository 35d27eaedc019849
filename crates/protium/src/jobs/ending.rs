//! How a deployment ends: its record, its target, its service and its job, all or nothing.

use super::deploy::load_active;
use crate::app::App;
use crate::error::{Result, internal};
use crate::operations::attachment;
use crate::operations::deploy::{self, Ending, Provisioned};
use crate::operations::roll_up::roll_up;
use crate::store::{ClaimedJob, Settle, Target, Tx, content_get, content_put, job_settle, service_get, service_save};
use crate::transaction;
use protium_domain::bundle::spec::{merge_instance, merge_pipeline};
use protium_domain::deployment::{Deployment, Event, Purpose};
use protium_domain::id::Id;
use protium_domain::service::Service;
use protium_domain::status::DeploymentStatus;
use protium_domain::track::ProvisionedResource;
use protium_engines::{End, Outcome};
use serde_json::{Map, Value};

/// Ends as the engine did.
pub(super) async fn of_engine(app: &App, job: &ClaimedJob, id: &Id, end: End) -> Result<()> {
    let (event, message) = match end.outcome {
        Outcome::Succeeded => (Event::Succeeded, None),
        Outcome::Failed(message) => (Event::Failed, Some(message)),
        Outcome::Cancelled => (Event::Cancelled, None),
    };
    let resources = end.resources.into_iter().map(|made| ProvisionedResource {
        name: made.name,
        identifier: made.identifier,
        engine: made.engine.as_str().to_owned(),
    });
    let provisioned = Provisioned { resources: resources.collect(), physical_id: end.physical_id };
    let outputs = (event == Event::Succeeded).then_some(end.outputs);
    let ending = Ending { event, message, outputs: None, provisioned: Some(provisioned) };
    settle(app, job, id, ending, outputs).await
}

/// Succeeds where nothing is provisioned.
pub(super) async fn known(app: &App, job: &ClaimedJob, id: &Id, outputs: Map<String, Value>) -> Result<()> {
    let ending = Ending { event: Event::Succeeded, message: None, outputs: None, provisioned: None };
    settle(app, job, id, ending, Some(outputs)).await
}

/// Fails without a word of the engine.
pub(super) async fn failed(app: &App, job: &ClaimedJob, id: &Id, message: &str) -> Result<()> {
    settle(app, job, id, Ending::without_effect(Event::Failed, message), None).await
}

/// Ends the deployment, lets its service go on, and settles the job: all or nothing.
pub(super) async fn settle(
    app: &App,
    job: &ClaimedJob,
    id: &Id,
    ending: Ending,
    outputs: Option<Map<String, Value>>,
) -> Result<()> {
    let now = app.clock.now_ms();
    let outputs = outputs.map(|outputs| serde_json::to_vec(&outputs)).transpose().map_err(internal)?;
    transaction!(app.store, async |tx| -> Result<()> {
        job_settle(tx, job, Settle::Done).await?;
        let Some((mut record, mut target)) = load_active(tx, id).await? else { return Ok(()) };
        let mut ending = ending.clone();
        if let (Some(body), Purpose::Apply) = (&outputs, record.purpose) {
            ending.outputs = Some(content_put(tx, body).await?);
        }
        let held = attachment::held(&target);
        deploy::end(tx, &mut record, &mut target, ending, now).await?;
        if let Some(name) = target.service() {
            let Some(mut service) = service_get(tx, &record.scope, name).await? else { return Ok(()) };
            if record.status == DeploymentStatus::Succeeded {
                merge_spec(tx, &record, &target, &mut service, now).await?;
            }
            attachment::after_instance(tx, &record, target, now).await?;
            roll_up(tx, &record.scope, &service.id, now).await?;
        } else if let Some(instance) = held {
            attachment::after_component(tx, &record, &target, &instance, now).await?;
        }
        Ok(())
    })
}

/// The service's spec shows what was deployed of it: the instance's entry, or the pipeline.
async fn merge_spec(tx: &mut Tx, record: &Deployment, target: &Target, service: &mut Service, now: i64) -> Result<()> {
    if record.goal.spec == service.spec {
        return Ok(());
    }
    let before = text(tx, &service.spec).await?;
    let deployed = text(tx, &record.goal.spec).await?;
    let merged = match target {
        Target::ServiceInstance(instance) => merge_instance(&before, &instance.name, &deployed),
        Target::ServicePipeline(_) => merge_pipeline(&before, &deployed),
        Target::Environment(_) | Target::Component(_) => return Ok(()),
    };
    // Both texts were accepted before; one that can't be merged after all must not undo a deployment.
    let Ok(merged) = merged else {
        tracing::warn!(deployment = %record.id, "the deployed spec can't be merged into the service's");
        return Ok(());
    };
    service.spec = content_put(tx, merged.as_bytes()).await?;
    let was = service.status;
    if service_save(tx, service, was, now).await? { Ok(()) } else { Err(deploy::lost_update()) }
}

async fn text(tx: &mut Tx, hash: &str) -> Result<String> {
    String::from_utf8(content_get(tx, hash).await?).map_err(internal)
}
