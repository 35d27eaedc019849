//! What each operation of the API does: one match, one file a noun.
//!
//! Wire types become domain types, and back, only here. Every operation is the same five lines:
//! authorize → parse into domain → decide (pure) → one transaction (rows and jobs) → answer.
//! Nothing slow happens in a request: what is slow is a job enqueued in the same transaction.

mod account_settings;
mod context;
pub(crate) mod deploy;
mod deployment;
mod environment;
mod idempotency;
mod input;
pub(crate) mod managed_tags;
mod page;
mod provisioned;
mod resources_summary;
pub(crate) mod roll_up;
mod service;
mod service_instance;
mod service_pipeline;
mod spec;
mod tag;
mod template;
mod template_version;
mod upgrade;
mod usable_version;
mod wire;

pub use context::{Caller, Context};

use crate::error::{Error, Result};
use protium_api::{ErrorCode, Request, Response};

/// Answers a request that is signed, read and valid.
pub async fn dispatch(cx: &Context, request: Request) -> Result<Response> {
    let operation = request.operation();
    Ok(match request {
        Request::CancelEnvironmentDeployment(input) => environment::cancel(cx, input).await?.into(),
        Request::CancelServiceInstanceDeployment(input) => service_instance::cancel(cx, input).await?.into(),
        Request::CancelServicePipelineDeployment(input) => service_pipeline::cancel(cx, input).await?.into(),
        Request::CreateEnvironment(input) => environment::create(cx, input).await?.into(),
        Request::CreateEnvironmentTemplate(input) => template::create_environment(cx, input).await?.into(),
        Request::CreateEnvironmentTemplateVersion(input) => {
            template_version::create_environment(cx, input).await?.into()
        }
        Request::CreateService(input) => service::create(cx, input).await?.into(),
        Request::CreateServiceInstance(input) => service_instance::create(cx, input).await?.into(),
        Request::CreateServiceTemplate(input) => template::create_service(cx, input).await?.into(),
        Request::CreateServiceTemplateVersion(input) => template_version::create_service(cx, input).await?.into(),
        Request::DeleteDeployment(input) => deployment::delete(cx, input).await?.into(),
        Request::DeleteEnvironment(input) => environment::delete(cx, input).await?.into(),
        Request::DeleteEnvironmentTemplate(input) => template::delete_environment(cx, input).await?.into(),
        Request::DeleteEnvironmentTemplateVersion(input) => {
            template_version::delete_environment(cx, input).await?.into()
        }
        Request::DeleteService(input) => service::delete(cx, input).await?.into(),
        Request::DeleteServiceTemplate(input) => template::delete_service(cx, input).await?.into(),
        Request::DeleteServiceTemplateVersion(input) => template_version::delete_service(cx, input).await?.into(),
        Request::GetAccountSettings(input) => account_settings::get(cx, input).await?.into(),
        Request::GetDeployment(input) => deployment::get(cx, input).await?.into(),
        Request::GetEnvironment(input) => environment::get(cx, input).await?.into(),
        Request::GetEnvironmentTemplate(input) => template::get_environment(cx, input).await?.into(),
        Request::GetEnvironmentTemplateVersion(input) => template_version::get_environment(cx, input).await?.into(),
        Request::GetResourcesSummary(input) => resources_summary::get(cx, input).await?.into(),
        Request::GetService(input) => service::get(cx, input).await?.into(),
        Request::GetServiceInstance(input) => service_instance::get(cx, input).await?.into(),
        Request::GetServiceTemplate(input) => template::get_service(cx, input).await?.into(),
        Request::GetServiceTemplateVersion(input) => template_version::get_service(cx, input).await?.into(),
        Request::ListDeployments(input) => deployment::list(cx, input).await?.into(),
        Request::ListEnvironmentOutputs(input) => provisioned::environment_outputs(cx, input).await?.into(),
        Request::ListEnvironmentProvisionedResources(input) => {
            provisioned::environment_provisioned_resources(cx, input).await?.into()
        }
        Request::ListEnvironmentTemplateVersions(input) => template_version::list_environment(cx, input).await?.into(),
        Request::ListEnvironmentTemplates(input) => template::list_environment(cx, input).await?.into(),
        Request::ListEnvironments(input) => environment::list(cx, input).await?.into(),
        Request::ListServiceInstanceOutputs(input) => provisioned::service_instance_outputs(cx, input).await?.into(),
        Request::ListServiceInstanceProvisionedResources(input) => {
            provisioned::service_instance_provisioned_resources(cx, input).await?.into()
        }
        Request::ListServiceInstances(input) => service_instance::list(cx, input).await?.into(),
        Request::ListServicePipelineOutputs(input) => provisioned::service_pipeline_outputs(cx, input).await?.into(),
        Request::ListServicePipelineProvisionedResources(input) => {
            provisioned::service_pipeline_provisioned_resources(cx, input).await?.into()
        }
        Request::ListServiceTemplateVersions(input) => template_version::list_service(cx, input).await?.into(),
        Request::ListServiceTemplates(input) => template::list_service(cx, input).await?.into(),
        Request::ListServices(input) => service::list(cx, input).await?.into(),
        Request::ListTagsForResource(input) => tag::list(cx, input).await?.into(),
        Request::TagResource(input) => tag::set(cx, input).await?.into(),
        Request::UntagResource(input) => tag::unset(cx, input).await?.into(),
        Request::UpdateAccountSettings(input) => account_settings::update(cx, input).await?.into(),
        Request::UpdateEnvironment(input) => environment::update(cx, input).await?.into(),
        Request::UpdateEnvironmentTemplate(input) => template::update_environment(cx, input).await?.into(),
        Request::UpdateEnvironmentTemplateVersion(input) => {
            template_version::update_environment(cx, input).await?.into()
        }
        Request::UpdateService(input) => service::update(cx, input).await?.into(),
        Request::UpdateServiceInstance(input) => service_instance::update(cx, input).await?.into(),
        Request::UpdateServicePipeline(input) => service_pipeline::update(cx, input).await?.into(),
        Request::UpdateServiceTemplate(input) => template::update_service(cx, input).await?.into(),
        Request::UpdateServiceTemplateVersion(input) => template_version::update_service(cx, input).await?.into(),
        Request::AcceptEnvironmentAccountConnection(_)
        | Request::CancelComponentDeployment(_)
        | Request::CreateComponent(_)
        | Request::CreateEnvironmentAccountConnection(_)
        | Request::CreateRepository(_)
        | Request::CreateServiceSyncConfig(_)
        | Request::CreateTemplateSyncConfig(_)
        | Request::DeleteComponent(_)
        | Request::DeleteEnvironmentAccountConnection(_)
        | Request::DeleteRepository(_)
        | Request::DeleteServiceSyncConfig(_)
        | Request::DeleteTemplateSyncConfig(_)
        | Request::GetComponent(_)
        | Request::GetEnvironmentAccountConnection(_)
        | Request::GetRepository(_)
        | Request::GetRepositorySyncStatus(_)
        | Request::GetServiceInstanceSyncStatus(_)
        | Request::GetServiceSyncBlockerSummary(_)
        | Request::GetServiceSyncConfig(_)
        | Request::GetTemplateSyncConfig(_)
        | Request::GetTemplateSyncStatus(_)
        | Request::ListComponentOutputs(_)
        | Request::ListComponentProvisionedResources(_)
        | Request::ListComponents(_)
        | Request::ListEnvironmentAccountConnections(_)
        | Request::ListRepositories(_)
        | Request::ListRepositorySyncDefinitions(_)
        | Request::NotifyResourceDeploymentStatusChange(_)
        | Request::RejectEnvironmentAccountConnection(_)
        | Request::UpdateComponent(_)
        | Request::UpdateEnvironmentAccountConnection(_)
        | Request::UpdateServiceSyncBlocker(_)
        | Request::UpdateServiceSyncConfig(_)
        | Request::UpdateTemplateSyncConfig(_) => return Err(not_built(operation)),
    })
}

/// An operation that is read and checked and does nothing yet; the list of them only shrinks.
fn not_built(operation: protium_api::Operation) -> Error {
    Error::new(
        ErrorCode::NotImplemented,
        format!("{} is not implemented yet in Protium {}", operation.name(), env!("CARGO_PKG_VERSION")),
    )
}
