//! `ForceDelete`: removes an environment, a service, an instance or a component from every state, with or without its
//! infrastructure.
//!
//! What is under way is given up first (`deploy::force`). What belongs to a service goes on without the instance.

use super::by_arn::{addressed, unfit};
use super::deploy::force;
use super::roll_up::roll_up;
use super::{Context, attachment, component, environment, service, service_instance, spec, sync_blocker};
use crate::error::{Result, conflict};
use crate::store::{
    Target, Tx, component_in_environment, content_put, instance_in_environment, instances_of_service, pipeline_get,
    service_by_id, service_get,
};
use crate::transaction;
use protium_api::types::{ForceDeleteInput, ForceDeleteOutput, ForceDeleteStatus, Infrastructure, RetainedResource};
use protium_domain::arn::Resource;
use protium_domain::bundle::spec::without_instance;
use protium_domain::service::change::{Change, Kind};
use protium_domain::status::ServiceStatus;
use protium_domain::sync_blocker::ByHand;
use protium_domain::track::ContentHash;

const WANTED: &str = "an environment, a service, a service instance or a component, which can be force-deleted (a pipeline goes \
                      with its service)";

pub(super) async fn force_delete(cx: &Context, input: ForceDeleteInput) -> Result<ForceDeleteOutput> {
    let arn = &input.resource_arn;
    let resource = addressed(cx, arn, WANTED)?;
    transaction!(cx.store(), async |tx| -> Result<ForceDeleteOutput> {
        let mut removal = Removal { cx, infrastructure: input.infrastructure, deployments: vec![], retained: vec![] };
        let gone = match &resource {
            Resource::Environment(name) => removal.environment(tx, name).await?,
            Resource::Service(name) => removal.service(tx, name).await?,
            Resource::ServiceInstance { service, name } => removal.instance(tx, service, name).await?,
            Resource::Component(name) => removal.component(tx, name).await?,
            _ => return Err(unfit(arn, WANTED)),
        };
        Ok(ForceDeleteOutput {
            deployment_ids: removal.deployments,
            resource_arn: arn.clone(),
            retained: removal.retained,
            status: if gone { ForceDeleteStatus::Deleted } else { ForceDeleteStatus::DeleteInProgress },
        })
    })
}

/// One removal: how, and what came of it so far.
struct Removal<'a> {
    cx: &'a Context,
    infrastructure: Infrastructure,
    deployments: Vec<String>,
    retained: Vec<RetainedResource>,
}

impl Removal<'_> {
    async fn environment(&mut self, tx: &mut Tx, name: &str) -> Result<bool> {
        let environment = environment::find(tx, self.cx, name).await?;
        if let Some(instance) = instance_in_environment(tx, &environment.id).await? {
            return Err(conflict(format!(
                "the environment '{name}' has service instances, such as '{}' of service '{}', which are provisioned \
                 and removed in its name; force-delete them first",
                instance.name, instance.service
            )));
        }
        if let Some(component) = component_in_environment(tx, &environment.id).await? {
            return Err(conflict(format!(
                "the environment '{name}' has components, such as '{}', which are provisioned and removed in its name; \
                 force-delete them first",
                component.name
            )));
        }
        self.target(tx, Target::Environment(environment)).await
    }

    /// The instance that it is attached to goes on without it.
    async fn component(&mut self, tx: &mut Tx, name: &str) -> Result<bool> {
        let mut component = component::find(tx, self.cx, name).await?;
        let instance = component.instance_id().cloned();
        component.attached = None;
        let gone = self.target(tx, Target::Component(component)).await?;
        if let Some(instance) = instance {
            attachment::catch_up(tx, self.cx.scope(), &instance, self.cx.now).await?;
        }
        Ok(gone)
    }

    async fn instance(&mut self, tx: &mut Tx, service: &str, name: &str) -> Result<bool> {
        let instance = service_instance::find(tx, self.cx, service, name).await?;
        let found = service_get(tx, self.cx.scope(), service).await?;
        let Some(mut service) = found else { return self.target(tx, Target::ServiceInstance(instance)).await };
        if let Some(change) = &mut service.change {
            change.forget(&instance.id);
            if let Some(previous) = change.previous_spec.take() {
                change.previous_spec = Some(spec_without(tx, previous, name).await?);
            }
        }
        service.spec = spec_without(tx, service.spec.clone(), name).await?;
        service.modified_at = self.cx.now;
        let status = service.status;
        service::save(tx, &mut service, status, self.cx.now).await?;
        attachment::let_go(tx, &instance.id, self.cx.now).await?;
        sync_blocker::by_hand(tx, self.cx, &service, ByHand::Removed(std::slice::from_ref(&instance))).await?;
        let gone = self.target(tx, Target::ServiceInstance(instance)).await?;
        roll_up(tx, self.cx.scope(), &service.id, self.cx.now).await?;
        Ok(gone)
    }

    async fn service(&mut self, tx: &mut Tx, name: &str) -> Result<bool> {
        let mut service = service::find(tx, self.cx, name).await?;
        let was = service.status;
        // Whatever the service was at: from now on all that it has goes.
        service.change = Some(Change::new(Kind::Delete));
        service.status = ServiceStatus::DeleteInProgress;
        service.status_message = None;
        service.modified_at = self.cx.now;
        service::save(tx, &mut service, was, self.cx.now).await?;
        for instance in instances_of_service(tx, self.cx.scope(), name).await? {
            attachment::let_go(tx, &instance.id, self.cx.now).await?;
            self.target(tx, Target::ServiceInstance(instance)).await?;
        }
        if let Some(pipeline) = pipeline_get(tx, self.cx.scope(), name).await? {
            self.target(tx, Target::ServicePipeline(pipeline)).await?;
        }
        roll_up(tx, self.cx.scope(), &service.id, self.cx.now).await?;
        Ok(service_by_id(tx, &service.id).await?.is_none())
    }

    /// Removes one thing that can be deployed; answers whether it is gone.
    async fn target(&mut self, tx: &mut Tx, mut target: Target) -> Result<bool> {
        let (scope, now) = (self.cx.scope(), self.cx.now);
        let arn = target.reference(scope).arn;
        match self.infrastructure {
            Infrastructure::Delete => {
                let deployment = force::destroy(tx, &mut target, scope, now).await?;
                self.deployments.push(deployment.to_string());
                Ok(false)
            }
            Infrastructure::Retain => {
                let (deployment, remains) = force::release(tx, &target, scope, now).await?;
                self.deployments.push(deployment.to_string());
                self.retained.extend(remains.into_iter().map(|one| RetainedResource {
                    identifier: (one.identifier != one.name).then_some(one.identifier),
                    name: one.name,
                    provisioning_engine: one.engine.parse().ok(),
                    resource_arn: arn.clone(),
                }));
                Ok(true)
            }
        }
    }
}

/// A stored service spec without an instance. A text that can't be changed stays: it must not stand in the way.
async fn spec_without(tx: &mut Tx, hash: ContentHash, instance: &str) -> Result<ContentHash> {
    let text = spec::text(tx, &hash).await?;
    match without_instance(&text, instance) {
        Ok(text) => Ok(content_put(tx, text.as_bytes()).await?),
        Err(_) => Ok(hash),
    }
}
