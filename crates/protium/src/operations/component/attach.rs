//! Where a component goes: the environment that takes it, and the service instance that it is attached to.

use crate::error::{Error, Result, conflict, invalid, not_found};
use crate::operations::service_instance::{self, given_spec};
use crate::operations::{Context, service, spec};
use crate::store::{Tx, component_of_instance, connection_get, content_put, environment_by_id, template_version_get};
use protium_domain::bundle::manifest::EngineKind;
use protium_domain::component::{Attachment, DIRECTLY_DEFINED, check_provisioning};
use protium_domain::environment::Environment;
use protium_domain::id::Id;
use protium_domain::service::ServiceInstance;
use protium_domain::status::DeploymentStatus;
use protium_domain::template::{TemplateKind, TemplateVersion};

/// The environment with that id: the one of an instance or of a component, which keep it from going.
pub(super) async fn environment_of(tx: &mut Tx, cx: &Context, id: &Id, name: &str) -> Result<Environment> {
    environment_by_id(tx, id).await?.ok_or_else(|| not_found("environment", cx.scope().environment(name)))
}

/// Whether components of that engine can be provisioned in an environment: with its own role for them, or
/// with that of its account connection.
pub(super) async fn check_engine(
    tx: &mut Tx,
    cx: &Context,
    engine: EngineKind,
    environment: &Environment,
) -> Result<()> {
    let connection = match &environment.access.connection {
        Some(id) => connection_get(tx, &cx.scope().region, id).await?,
        None => None,
    };
    let roles = environment.access.roles(connection.as_ref());
    Ok(check_provisioning(engine, &environment.name, &environment.access, &roles)?)
}

/// Whether an environment has what components read, and stays.
pub(super) fn check_environment(environment: &Environment) -> Result<()> {
    let status = environment.track.status;
    let name = &environment.name;
    if matches!(status, DeploymentStatus::DeleteInProgress | DeploymentStatus::DeleteFailed) {
        return Err(conflict(format!("the environment '{name}' is {status}; choose another environment")));
    }
    if environment.track.deployed.is_none() {
        return Err(conflict(format!(
            "the environment '{name}' is {status} and was never deployed successfully; deploy it first"
        )));
    }
    Ok(())
}

/// An instance that is about to have a component, or has it.
pub(super) struct Place {
    pub instance: ServiceInstance,
    version: TemplateVersion,
}

impl Place {
    pub(super) async fn find(tx: &mut Tx, cx: &Context, service: &str, name: &str) -> Result<Self> {
        let instance = service_instance::find(tx, cx, service, name).await?;
        let number = instance.track.current().version;
        let version = template_version_get(tx, cx.scope(), TemplateKind::Service, &instance.template, number).await?;
        let version = version
            .ok_or_else(|| not_found("service template version", format_args!("{}:{number}", instance.template)))?;
        Ok(Self { instance, version })
    }

    /// Whether the administrator lets components be attached to it.
    pub(super) fn check_supported(&self) -> Result<()> {
        if self.version.component_sources.iter().any(|source| source == DIRECTLY_DEFINED) {
            return Ok(());
        }
        Err(invalid(
            "serviceInstanceName",
            format_args!(
                "the instance '{}' runs version {} of the service template '{}', which supports no components; set \
                 supportedComponentSources to {DIRECTLY_DEFINED} with UpdateServiceTemplateVersion, or update the \
                 instance to a version that supports them",
                self.instance.name, self.version.version, self.version.template
            ),
        ))
    }

    /// Whether it runs in that environment.
    pub(super) fn check_environment(&self, environment: &Environment) -> Result<()> {
        if self.instance.environment_id == environment.id {
            return Ok(());
        }
        Err(invalid(
            "environmentName",
            format_args!(
                "the component's environment is '{}', the instance '{}' of the service '{}' runs in '{}'; a component \
                 is attached to instances of its own environment",
                environment.name, self.instance.name, self.instance.service, self.instance.environment
            ),
        ))
    }

    /// Whether the component with that id, or a new one, may have it now.
    pub(super) async fn check_free(&self, tx: &mut Tx, cx: &Context, component: Option<&Id>) -> Result<()> {
        let ServiceInstance { name, service, track, .. } = &self.instance;
        let change = service::find(tx, cx, service).await?.change;
        if change.is_some_and(|change| change.added.contains(&self.instance.id)) {
            return Err(conflict(format!(
                "the instance '{name}' is being added to the service '{service}', and goes again if that fails; try \
                 again when the service's update has ended"
            )));
        }
        let other = component_of_instance(tx, &self.instance.id).await?;
        if let Some(other) = other.filter(|other| Some(&other.id) != component) {
            return Err(conflict(format!(
                "the instance '{name}' of the service '{service}' has the component '{}' already, and an instance has \
                 at most one; detach that one first",
                other.name
            )));
        }
        match track.status {
            DeploymentStatus::InProgress | DeploymentStatus::Cancelling => Err(conflict(format!(
                "the instance '{name}' of the service '{service}' is {}; try again when its deployment has ended",
                track.status
            ))),
            DeploymentStatus::DeleteInProgress | DeploymentStatus::DeleteFailed | DeploymentStatus::DeleteComplete => {
                Err(conflict(format!(
                    "the instance '{name}' of the service '{service}' is {}; choose another instance",
                    track.status
                )))
            }
            DeploymentStatus::Succeeded | DeploymentStatus::Failed | DeploymentStatus::Cancelled => Ok(()),
        }
    }

    /// The attachment with the given service spec, or else with that of `before`.
    pub(super) async fn attachment(
        &self,
        tx: &mut Tx,
        cx: &Context,
        given: Option<&str>,
        before: Option<&Attachment>,
    ) -> Result<Attachment> {
        let kept = before.filter(|before| before.instance_id == self.instance.id).and_then(|one| one.spec.clone());
        let spec = match given {
            Some(given) => Some(self.service_spec(tx, cx, given, kept.as_deref()).await?),
            None => kept,
        };
        let ServiceInstance { name, service, id, .. } = &self.instance;
        Ok(Attachment { service: service.clone(), instance: name.clone(), instance_id: id.clone(), spec })
    }

    /// Stores a given service spec. Current values are those of the component's own one before, or else
    /// what the instance runs.
    async fn service_spec(&self, tx: &mut Tx, cx: &Context, given: &str, before: Option<&str>) -> Result<String> {
        let service = service::find(tx, cx, &self.instance.service).await?;
        let own = spec::text(tx, before.unwrap_or(&self.instance.track.current().spec)).await?;
        let text = given_spec(tx, &service, &self.instance, own, given).await.map_err(of_service_spec)?;
        let (_, parsed) = spec::service(&text, None).map_err(of_service_spec)?;
        spec::check_instances(tx, &self.version, &parsed, std::slice::from_ref(&self.instance.name))
            .await
            .map_err(of_service_spec)?;
        Ok(content_put(tx, text.as_bytes()).await?)
    }
}

/// What is wrong with a spec, said of the member that it is here.
fn of_service_spec(error: Error) -> Error {
    match error.message.strip_prefix("spec") {
        Some(rest) => Error { message: format!("serviceSpec{rest}"), ..error },
        None => error,
    }
}
