//! What the templates of one thing see of others: environments, services, their instances, components.

use super::{Preparing, Reading, Unprepared, missing_version, refuse};
use crate::store::{component_of_instance, instance_by_id, pipeline_get, template_version_get};
use protium_domain::bundle::render::namespace::{
    AttachedInstance, ComponentView, EnvironmentView, InstanceView, ServiceView,
};
use protium_domain::bundle::schema::InputType;
use protium_domain::bundle::spec::ServiceSpec;
use protium_domain::component::Attachment;
use protium_domain::environment::Environment;
use protium_domain::service::{Service, ServiceInstance};
use protium_domain::status::DeploymentStatus;
use protium_domain::template::TemplateKind;
use protium_domain::track::Seen;
use serde_json::Value;

impl Reading<'_> {
    /// What an instance reads of others: its component, and what is recorded of all.
    pub(super) async fn seen_by(
        &mut self,
        instance: &ServiceInstance,
        environment: &Environment,
    ) -> Preparing<(Option<ComponentView>, Seen)> {
        let pipeline = pipeline_get(self.rd, &self.record.scope, &instance.service).await?;
        let mut seen = Seen {
            environment_deployment: environment.track.succeeded_deployment.clone(),
            pipeline_deployment: pipeline.and_then(|pipeline| pipeline.track.succeeded_deployment),
            ..Seen::default()
        };
        let Some(component) = component_of_instance(self.rd, &instance.id).await? else { return Ok((None, seen)) };
        seen.component = component.seen_by(&instance.id);
        if seen.component.is_none() {
            return Ok((None, seen));
        }
        seen.component_deployments = component.track.succeeded_deployment.iter().cloned().collect();
        let outputs = self.outputs(&component.track).await?;
        Ok((Some(ComponentView { name: component.name, outputs }), seen))
    }

    /// A service instance as its component sees it: with the inputs of the component's service spec, or
    /// of what the instance runs.
    pub(super) async fn attached_instance(&mut self, attachment: &Attachment) -> Preparing<AttachedInstance> {
        let instance = instance_by_id(self.rd, &attachment.instance_id).await?.ok_or_else(|| {
            let Attachment { service, instance, .. } = attachment;
            Unprepared::Refused(format!("The instance '{instance}' of the service '{service}' does not exist any more"))
        })?;
        let current = instance.track.current();
        let version = template_version_get(
            self.rd,
            &self.record.scope,
            TemplateKind::Service,
            &instance.template,
            current.version,
        )
        .await?
        .ok_or_else(|| missing_version(&instance.template, current.version))?;
        let schema = self.schema(&version).await?;
        let spec = self.text(attachment.spec.as_ref().unwrap_or(&current.spec)).await?;
        let inputs = inputs_of(schema.inputs(), &spec, &instance.name)?;
        Ok(AttachedInstance { service: instance.service, name: instance.name, inputs })
    }

    /// An instance as pipelines see it; one that was never deployed is not there for them.
    pub(super) async fn instance_view(&mut self, instance: &ServiceInstance) -> Preparing<Option<InstanceView>> {
        // What is being removed, or could not be, is no part of the service any more.
        if matches!(instance.track.status, DeploymentStatus::DeleteInProgress | DeploymentStatus::DeleteFailed) {
            return Ok(None);
        }
        let Some(aim) = &instance.track.deployed else { return Ok(None) };
        let scope = &self.record.scope;
        let version =
            template_version_get(self.rd, scope, TemplateKind::Service, &instance.template, aim.version).await?;
        let version = version.ok_or_else(|| missing_version(&instance.template, aim.version))?;
        let schema = self.schema(&version).await?;
        let spec = self.text(&aim.spec).await?;
        let environment = self.environment_of(instance).await?;
        Ok(Some(InstanceView {
            name: instance.name.clone(),
            inputs: inputs_of(schema.inputs(), &spec, &instance.name)?,
            outputs: self.outputs(&instance.track).await?,
            environment: self.environment_view(&environment).await?,
        }))
    }

    pub(super) async fn environment_view(&mut self, environment: &Environment) -> Preparing<EnvironmentView> {
        let access = &environment.access;
        let connection = self.connection(environment).await?;
        let roles = access.roles(connection.as_ref());
        let account = roles.account().or(access.environment_account.as_deref());
        Ok(EnvironmentView {
            name: environment.name.clone(),
            account_id: account.unwrap_or(&self.record.scope.account).to_owned(),
            outputs: self.outputs(&environment.track).await?,
        })
    }
}

/// The inputs of one instance of a service spec, with the schema's defaults.
pub(super) fn inputs_of(schema: &InputType, spec: &str, name: &str) -> Preparing<Value> {
    let spec = ServiceSpec::parse(spec).map_err(|problems| refuse(&problems))?;
    let entry =
        spec.instance(name).ok_or_else(|| Unprepared::Refused(format!("The spec has no instance named '{name}'")))?;
    Ok(schema.with_defaults(&entry.inputs))
}

pub(super) fn service_view(service: &Service) -> ServiceView {
    let repository = service.repository.as_ref();
    ServiceView {
        name: service.name.clone(),
        repository_id: repository.map(|repository| repository.id.clone()).unwrap_or_default(),
        repository_connection_arn: repository.map(|repository| repository.connection_arn.clone()).unwrap_or_default(),
        branch_name: repository.map(|repository| repository.branch.clone()).unwrap_or_default(),
    }
}
