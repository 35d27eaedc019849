//! Components and the service instances that they are attached to: who waits for whom, and when an
//! instance is deployed again because its component changed.
//!
//! A change of a component is seen by the instance's template at the instance's next deployment. That
//! one is started in the transaction in which the component settles; where the instance is busy then,
//! it is marked, and its own end decides by what it has read whether another deployment is due.

use super::deploy::{self, Start, save_target};
use crate::error::{Error, Result, conflict};
use crate::store::{Reader, Target, Tx, component_of_instance, component_of_service, instance_by_id};
use protium_domain::arn::Scope;
use protium_domain::component::Component;
use protium_domain::deployment::{Deployment, Event, State, transition};
use protium_domain::id::Id;
use protium_domain::service::ServiceInstance;
use protium_domain::status::DeploymentStatus;
use protium_domain::track::Seen;

/// The service instance that a component holds.
pub(crate) fn held(target: &Target) -> Option<Id> {
    match target {
        Target::Component(component) => component.instance_id().cloned(),
        Target::Environment(_) | Target::ServiceInstance(_) | Target::ServicePipeline(_) => None,
    }
}

/// When a component has settled that held `instance`: deploys that one again if it ran with something
/// else than what there is now.
pub(crate) async fn after_component(
    tx: &mut Tx,
    record: &Deployment,
    target: &Target,
    instance: &Id,
    now: i64,
) -> Result<()> {
    let released = held(target).as_ref() != Some(instance);
    if record.status != DeploymentStatus::Succeeded && !released {
        return Ok(());
    }
    catch_up(tx, &record.scope, instance, now).await
}

/// Deploys an instance again, or marks it if it is busy, where it runs with something else than what there is now.
pub(super) async fn catch_up(tx: &mut Tx, scope: &Scope, instance: &Id, now: i64) -> Result<()> {
    let Some(mut instance) = instance_by_id(tx, instance).await? else { return Ok(()) };
    if !is_outdated(tx, &instance, &instance.track.seen).await? {
        return Ok(());
    }
    if !instance.track.status.is_active() {
        return deploy_again(tx, scope, instance, now).await;
    }
    instance.outdated = true;
    let was = instance.track.status;
    save_target(tx, &mut Target::ServiceInstance(instance), was, now).await
}

/// When the deployment `record` of a service instance has settled: deploys that one again if its
/// component changed meanwhile and the deployment has not read that.
pub(crate) async fn after_instance(tx: &mut Tx, record: &Deployment, target: Target, now: i64) -> Result<()> {
    let Target::ServiceInstance(mut instance) = target else { return Ok(()) };
    if !instance.outdated || instance.track.status == DeploymentStatus::DeleteInProgress {
        return Ok(());
    }
    instance.outdated = false;
    let seen = if record.order.is_some() { &record.goal.seen } else { &instance.track.seen };
    if is_outdated(tx, &instance, seen).await? {
        return deploy_again(tx, &record.scope, instance, now).await;
    }
    let was = instance.track.status;
    save_target(tx, &mut Target::ServiceInstance(instance), was, now).await
}

/// Takes its component from an instance that is about to be removed, whatever that component is at.
pub(super) async fn let_go(tx: &mut Tx, instance: &Id, now: i64) -> Result<()> {
    let Some(mut component) = component_of_instance(tx, instance).await? else { return Ok(()) };
    component.attached = None;
    let was = component.track.status;
    save_target(tx, &mut Target::Component(component), was, now).await
}

/// Whether an instance has another component now, or one with other outputs, than it has `seen`.
async fn is_outdated(rd: &mut Reader, instance: &ServiceInstance, seen: &Seen) -> Result<bool> {
    let component = component_of_instance(rd, &instance.id).await?;
    let sees = component.and_then(|component| component.seen_by(&instance.id));
    Ok(sees != seen.component)
}

/// Starts a deployment of what the instance runs, at its current version.
async fn deploy_again(tx: &mut Tx, scope: &Scope, instance: ServiceInstance, now: i64) -> Result<()> {
    let was = instance.track.status;
    let goal = State::new(&instance.template, instance.track.current());
    let mut target = Target::ServiceInstance(instance);
    if transition(was, Event::Start).is_err() {
        // What failed to be deleted is not deployed again.
        return save_target(tx, &mut target, was, now).await;
    }
    deploy::start(tx, &mut target, Start { scope, now, goal, waiting: false }).await?;
    Ok(())
}

/// Refuses to deploy an instance while its component is under way: it would read what is about to change.
pub(super) async fn check_component_settled(rd: &mut Reader, instance: &ServiceInstance) -> Result<()> {
    match component_of_instance(rd, &instance.id).await? {
        Some(component) if component.track.status.is_active() => Err(conflict(format!(
            "the component '{}', which is attached to the instance '{}' of the service '{}', is {}; update the \
             instance when that has ended",
            component.name, instance.name, instance.service, component.track.status
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Refuses to remove an instance that has a component.
pub(super) async fn check_no_component(rd: &mut Reader, instance: &ServiceInstance) -> Result<()> {
    match component_of_instance(rd, &instance.id).await? {
        Some(component) => Err(has_component(&component, &instance.name, &instance.service)),
        None => Ok(()),
    }
}

/// Refuses to delete a service one of whose instances has a component.
pub(super) async fn check_no_components(rd: &mut Reader, scope: &Scope, service: &str) -> Result<()> {
    let component = component_of_service(rd, scope, service).await?;
    match component.as_ref().and_then(|component| Some((component, component.attached.as_ref()?))) {
        Some((component, attached)) => Err(has_component(component, &attached.instance, service)),
        None => Ok(()),
    }
}

fn has_component(component: &Component, instance: &str, service: &str) -> Error {
    conflict(format!(
        "the instance '{instance}' of the service '{service}' has the component '{}'; detach it first: UpdateComponent \
         with deploymentType CURRENT_VERSION and empty serviceName and serviceInstanceName",
        component.name
    ))
}
