//! Deployment records: get, list, delete.
//!
//! Owns: the history. Does not own: starting, cancelling and ending deployments (`deploy`).

use super::authorize::Entry;
use super::page::{Filling, Page};
use super::wire::{deployment_summary, status, target_kind, time};
use super::{Context, deploy, spec};
use crate::error::{Error, Result, invalid, not_found};
use crate::store::{
    DeploymentFilter, Reader, Tx, deployment_delete, deployment_get, deployment_page, target_get, target_save,
};
use crate::transaction;
use protium_api::types as api;
use protium_api::types::*;
use protium_domain::arn::Scope;
use protium_domain::deployment::{Deployment, Purpose, State, Target, TargetKind};
use protium_domain::id::Id;
use protium_domain::job::Job;

/// `GetDeployment`. The names say whose deployment it must be.
pub(super) async fn get(cx: &Context, input: GetDeploymentInput) -> Result<GetDeploymentOutput> {
    check_service_given(input.service_name.as_deref(), input.service_instance_name.as_deref())?;
    let mut rd = cx.store().reader().await?;
    let record = deployment_get(&mut rd, cx.scope(), &input.id).await?;
    let record = record
        .filter(|record| is_named(&record.target, &input))
        .ok_or_else(|| not_found("deployment", cx.scope().deployment(&input.id)))?;
    Ok(GetDeploymentOutput { deployment: Some(shown(&mut rd, cx.scope(), &record).await?) })
}

/// Whether each name that is given is the one that the target has.
fn is_named(target: &Target, input: &GetDeploymentInput) -> bool {
    let same = |given: &Option<String>, has: &Option<String>| given.is_none() || given == has;
    same(&input.environment_name, &target.environment)
        && same(&input.service_name, &target.service)
        && same(&input.service_instance_name, &target.instance)
        && same(&input.component_name, &target.component)
}

/// `ListDeployments`, the newest first.
pub(super) async fn list(cx: &Context, input: ListDeploymentsInput) -> Result<ListDeploymentsOutput> {
    check_service_given(input.service_name.as_deref(), input.service_instance_name.as_deref())?;
    if input.component_name.is_some() && input.service_name.is_some() {
        return Err(invalid(
            "componentName, serviceName",
            "no deployment is both of a component and of a service; give one of the two",
        ));
    }
    let names = [
        ("environmentName", input.environment_name.as_deref()),
        ("serviceName", input.service_name.as_deref()),
        ("serviceInstanceName", input.service_instance_name.as_deref()),
        ("componentName", input.component_name.as_deref()),
    ];
    let filters = names.into_iter().filter_map(|(name, given)| Some([name, given?])).flatten();
    let page = Page::new(cx, "ListDeployments", filters, input.max_results, input.next_token.as_deref())?;
    // An environment's name alone asks for its own deployments, not for those of what runs in it.
    let only_environment = input.service_name.is_none() && input.component_name.is_none();
    let filter = DeploymentFilter {
        kind: (input.environment_name.is_some() && only_environment).then_some(TargetKind::Environment.as_str()),
        environment: input.environment_name,
        service: input.service_name,
        instance: input.service_instance_name,
        component: input.component_name,
    };
    let mut rd = cx.store().reader().await?;
    let key = |record: &Deployment| format!("{}/{}", record.created_at, record.id);
    let entry = |record: &Deployment| Entry::of(cx.scope().deployment(record.id.as_str()), record);
    let mut filling = Filling::new(page);
    let (records, next_token) = loop {
        let found =
            deployment_page(&mut rd, cx.scope(), &filter, filling.page.after_moment()?, filling.page.limit()).await?;
        if let Some(full) = filling.take(cx, &mut rd, found, key, entry).await? {
            break full;
        }
    };
    let deployments = records.iter().map(|record| deployment_summary(cx.scope(), record)).collect();
    Ok(ListDeploymentsOutput { deployments, next_token })
}

fn check_service_given(service: Option<&str>, instance: Option<&str>) -> Result<()> {
    match (service, instance) {
        (None, Some(instance)) => Err(invalid(
            "serviceName",
            format_args!("is missing; serviceInstanceName '{instance}' needs the name of its service"),
        )),
        _ => Ok(()),
    }
}

/// `DeleteDeployment`: removes a record, and what the target remembers of it by its id. What the target
/// runs stays as it is.
pub(super) async fn delete(cx: &Context, input: DeleteDeploymentInput) -> Result<DeleteDeploymentOutput> {
    transaction!(cx.store(), async |tx| -> Result<DeleteDeploymentOutput> {
        let Some(record) = deployment_get(tx, cx.scope(), &input.id).await? else {
            return Ok(DeleteDeploymentOutput { deployment: None });
        };
        if record.status.is_active() {
            return Err(under_way(&record));
        }
        forget(tx, &record, cx.now).await?;
        deployment_delete(tx, &record, cx.now).await?;
        if cx.app.logs.is_some() {
            deploy::enqueue(tx, &Job::ForgetLog { deployment: record.id.clone() }, &record.id).await?;
        }
        Ok(DeleteDeploymentOutput { deployment: Some(shown(tx, cx.scope(), &record).await?) })
    })
}

fn under_way(record: &Deployment) -> Error {
    let (status, target) = (record.status, &record.target.arn);
    invalid(
        "id",
        format_args!("the deployment '{}' of {target} is {status}; delete its record when it has ended", record.id),
    )
}

/// Clears what points at the record on the target, if that incarnation still exists.
async fn forget(tx: &mut Tx, record: &Deployment, now: i64) -> Result<()> {
    let Some(mut target) = target_get(tx, &record.target).await? else { return Ok(()) };
    let was = target.track().status;
    let track = target.track_mut();
    let clear = |pointer: &mut Option<Id>| pointer.take_if(|id| *id == record.id).is_some();
    let cleared = [clear(&mut track.attempted_deployment), clear(&mut track.succeeded_deployment)];
    if cleared.contains(&true) && !target_save(tx, &mut target, was, now).await? {
        return Err(deploy::lost_update());
    }
    Ok(())
}

/// A record with all that an answer about it alone shows.
async fn shown(rd: &mut Reader, scope: &Scope, from: &Deployment) -> Result<api::Deployment> {
    let kind = from.target.kind;
    let initial_state = match &from.initial {
        Some(before) => Some(state(rd, kind, before).await?),
        None => None,
    };
    // A deletion asks for no state.
    let target_state = match from.purpose {
        Purpose::Apply => Some(state(rd, kind, &from.goal).await?),
        Purpose::Destroy => None,
    };
    let target = &from.target;
    Ok(api::Deployment {
        arn: scope.deployment(from.id.as_str()),
        completed_at: from.completed_at.map(time),
        component_name: target.component.clone(),
        created_at: time(from.created_at),
        deployment_status: status(from.status),
        deployment_status_message: from.message.clone(),
        environment_name: target.environment.clone(),
        id: from.id.to_string(),
        initial_state,
        last_attempted_deployment_id: text(&from.last_attempted),
        last_modified_at: time(from.modified_at),
        last_succeeded_deployment_id: text(&from.last_succeeded),
        service_instance_name: target.instance.clone(),
        service_name: target.service.clone(),
        target_arn: target.arn.clone(),
        target_resource_created_at: time(target.created_at),
        target_resource_type: target_kind(kind),
        target_state,
    })
}

fn text(id: &Option<Id>) -> Option<String> {
    id.as_ref().map(Id::to_string)
}

/// A state with its spec's text.
async fn state(rd: &mut Reader, kind: TargetKind, from: &State) -> Result<DeploymentState> {
    let spec = spec::text(rd, &from.spec).await?;
    let template_name = from.template.clone();
    let template_major_version = from.version.major.to_string();
    let template_minor_version = from.version.minor.to_string();
    Ok(match kind {
        TargetKind::Environment => DeploymentState::Environment(EnvironmentState {
            spec: Some(spec),
            template_major_version,
            template_minor_version,
            template_name,
        }),
        TargetKind::ServiceInstance => DeploymentState::ServiceInstance(ServiceInstanceState {
            last_successful_component_deployment_ids: components(&from.seen.component_deployments),
            last_successful_environment_deployment_id: text(&from.seen.environment_deployment),
            last_successful_service_pipeline_deployment_id: text(&from.seen.pipeline_deployment),
            spec,
            template_major_version,
            template_minor_version,
            template_name,
        }),
        TargetKind::ServicePipeline => DeploymentState::ServicePipeline(ServicePipelineState {
            spec: Some(spec),
            template_major_version,
            template_minor_version,
            template_name,
        }),
        TargetKind::Component => DeploymentState::Component(component_state(rd, spec, from).await?),
    })
}

async fn component_state(rd: &mut Reader, template_file: String, from: &State) -> Result<ComponentState> {
    let attachment = from.attachment.as_ref();
    let service_spec = match attachment.and_then(|one| one.spec.as_ref()) {
        Some(hash) => Some(spec::text(rd, hash).await?),
        None => None,
    };
    Ok(ComponentState {
        service_instance_name: attachment.map(|one| one.instance.clone()),
        service_name: attachment.map(|one| one.service.clone()),
        service_spec,
        template_file: Some(template_file),
    })
}

fn components(ids: &[Id]) -> Option<Vec<String>> {
    (!ids.is_empty()).then(|| ids.iter().map(Id::to_string).collect())
}
