//! What follows from the end of a deployment: outputs, the service's spec, and what its service does next.
//!
//! Owns: everything that the end of a deployment brings about, in the transaction of whoever ends it: the job
//! that asked its engine, or a caller who notified it. Does not own: the end itself (`deploy`).

use super::attachment;
use super::deploy::{self, Ending};
use super::roll_up::roll_up;
use super::service;
use crate::error::{Result, internal};
use crate::store::{Reader, Target, Tx, content_get, content_put, service_get};
use protium_domain::bundle::spec::{merge_instance, merge_pipeline};
use protium_domain::deployment::{Deployment, Purpose};
use protium_domain::outputs::{Outputs, after_engine};
use protium_domain::service::Service;
use protium_domain::status::DeploymentStatus;
use protium_domain::track::ContentHash;

/// Ends the active deployment `record` of `target`, and lets its service go on. `made` are the outputs of the
/// engine that succeeded; what callers notified beside them stays.
pub(crate) async fn settle(
    tx: &mut Tx,
    record: &mut Deployment,
    target: &mut Target,
    mut ending: Ending,
    made: Option<&Outputs>,
    now: i64,
) -> Result<()> {
    if let (Some(made), Purpose::Apply) = (made, record.purpose) {
        let only = read_outputs(tx, target.track().notified.as_ref()).await?;
        let (all, still) = after_engine(made.clone(), only);
        ending.outputs = Some(put_outputs(tx, &all).await?);
        target.track_mut().notified = put_unless_empty(tx, &still).await?;
    }
    let held = attachment::held(target);
    deploy::end(tx, record, target, ending, now).await?;
    if let Some(name) = target.service() {
        let Some(mut service) = service_get(tx, &record.scope, name).await? else { return Ok(()) };
        if record.status == DeploymentStatus::Succeeded {
            merge_spec(tx, record, target, &mut service, now).await?;
        }
        attachment::after_instance(tx, record, target.clone(), now).await?;
        roll_up(tx, &record.scope, &service.id, now).await?;
    } else if let Some(instance) = held {
        attachment::after_component(tx, record, target, &instance, now).await?;
    }
    Ok(())
}

/// Stored outputs; none where nothing is stored.
pub(super) async fn read_outputs(rd: &mut Reader, hash: Option<&ContentHash>) -> Result<Outputs> {
    let Some(hash) = hash else { return Ok(Outputs::new()) };
    // The error does not repeat the outputs, which may be secret.
    serde_json::from_slice(&content_get(rd, hash).await?)
        .map_err(|error| internal(anyhow::anyhow!("stored outputs are no JSON object: {:?} error", error.classify())))
}

pub(super) async fn put_outputs(tx: &mut Tx, outputs: &Outputs) -> Result<ContentHash> {
    let body = serde_json::to_vec(outputs).map_err(internal)?;
    Ok(content_put(tx, &body).await?)
}

pub(super) async fn put_unless_empty(tx: &mut Tx, outputs: &Outputs) -> Result<Option<ContentHash>> {
    if outputs.is_empty() { Ok(None) } else { put_outputs(tx, outputs).await.map(Some) }
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
    service::save(tx, service, was, now).await
}

async fn text(tx: &mut Tx, hash: &str) -> Result<String> {
    String::from_utf8(content_get(tx, hash).await?).map_err(internal)
}
