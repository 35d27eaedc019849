//! Whatever a deployment changes: one of the nouns that have a track.

use super::component::{component_by_id, component_delete, component_save};
use super::environment::{environment_by_id, environment_delete, environment_save};
use super::service_instance::{instance_by_id, instance_delete, instance_save};
use super::service_pipeline::{pipeline_by_id, pipeline_delete, pipeline_save};
use super::{DbResult, Reader, Tx};
use protium_domain::arn::Scope;
use protium_domain::component::Component;
use protium_domain::deployment::{State, Target as TargetRef, TargetKind};
use protium_domain::environment::Environment;
use protium_domain::id::Id;
use protium_domain::service::{ServiceInstance, ServicePipeline};
use protium_domain::status::DeploymentStatus;
use protium_domain::track::Track;

/// The target of a deployment, loaded.
#[derive(Clone, Debug)]
pub enum Target {
    Environment(Environment),
    ServiceInstance(ServiceInstance),
    ServicePipeline(ServicePipeline),
    Component(Component),
}

impl Target {
    /// The incarnation.
    pub fn id(&self) -> &Id {
        match self {
            Self::Environment(environment) => &environment.id,
            Self::ServiceInstance(instance) => &instance.id,
            Self::ServicePipeline(pipeline) => &pipeline.id,
            Self::Component(component) => &component.id,
        }
    }

    pub fn track(&self) -> &Track {
        match self {
            Self::Environment(environment) => &environment.track,
            Self::ServiceInstance(instance) => &instance.track,
            Self::ServicePipeline(pipeline) => &pipeline.track,
            Self::Component(component) => &component.track,
        }
    }

    pub fn track_mut(&mut self) -> &mut Track {
        match self {
            Self::Environment(environment) => &mut environment.track,
            Self::ServiceInstance(instance) => &mut instance.track,
            Self::ServicePipeline(pipeline) => &mut pipeline.track,
            Self::Component(component) => &mut component.track,
        }
    }

    /// The name of its template; empty for components, which have none.
    pub fn template(&self) -> &str {
        match self {
            Self::Environment(environment) => &environment.template,
            Self::ServiceInstance(instance) => &instance.template,
            Self::ServicePipeline(pipeline) => &pipeline.template,
            Self::Component(_) => "",
        }
    }

    /// The incarnation of the environment that it is in, or is; pipelines are in none.
    pub fn environment_id(&self) -> Option<&Id> {
        match self {
            Self::Environment(environment) => Some(&environment.id),
            Self::ServiceInstance(instance) => Some(&instance.environment_id),
            Self::ServicePipeline(_) => None,
            Self::Component(component) => Some(&component.environment_id),
        }
    }

    /// The service it belongs to.
    pub fn service(&self) -> Option<&str> {
        match self {
            Self::Environment(_) | Self::Component(_) => None,
            Self::ServiceInstance(instance) => Some(&instance.service),
            Self::ServicePipeline(pipeline) => Some(&pipeline.service),
        }
    }

    /// How deployment records refer to it.
    pub fn reference(&self, scope: &Scope) -> TargetRef {
        match self {
            Self::Environment(environment) => environment.target(scope),
            Self::ServiceInstance(instance) => instance.target(scope),
            Self::ServicePipeline(pipeline) => pipeline.target(scope),
            Self::Component(component) => component.target(scope),
        }
    }

    /// What is deployed.
    pub fn state(&self) -> Option<State> {
        match self {
            Self::Environment(environment) => environment.state(),
            Self::ServiceInstance(instance) => instance.state(),
            Self::ServicePipeline(pipeline) => pipeline.state(),
            Self::Component(component) => component.state(),
        }
    }
}

/// The target with that id, if it still exists.
pub async fn target_get(reader: &mut Reader, target: &TargetRef) -> DbResult<Option<Target>> {
    Ok(match target.kind {
        TargetKind::Environment => environment_by_id(reader, &target.id).await?.map(Target::Environment),
        TargetKind::ServiceInstance => instance_by_id(reader, &target.id).await?.map(Target::ServiceInstance),
        TargetKind::ServicePipeline => pipeline_by_id(reader, &target.id).await?.map(Target::ServicePipeline),
        TargetKind::Component => component_by_id(reader, &target.id).await?.map(Target::Component),
    })
}

/// Saves a changed target; `was` is the status that it had when it was read. `false` if somebody
/// else saved it since.
pub async fn target_save(tx: &mut Tx, target: &mut Target, was: DeploymentStatus, at: i64) -> DbResult<bool> {
    match target {
        Target::Environment(environment) => environment_save(tx, environment, was, at).await,
        Target::ServiceInstance(instance) => instance_save(tx, instance, was, at).await,
        Target::ServicePipeline(pipeline) => pipeline_save(tx, pipeline, was, at).await,
        Target::Component(component) => component_save(tx, component, was, at).await,
    }
}

/// Removes a target.
pub async fn target_delete(tx: &mut Tx, target: &Target, at: i64) -> DbResult<()> {
    match target {
        Target::Environment(environment) => environment_delete(tx, environment, at).await,
        Target::ServiceInstance(instance) => instance_delete(tx, instance, at).await,
        Target::ServicePipeline(pipeline) => pipeline_delete(tx, pipeline, at).await,
        Target::Component(component) => component_delete(tx, component, at).await,
    }
}
