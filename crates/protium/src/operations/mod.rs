//! What each operation of the API does: one match, one file a noun.
//!
//! Wire types become domain types, and back, only here. Every operation is the same five lines:
//! authorize → parse into domain → decide (pure) → one transaction (rows and jobs) → answer.
//! Nothing slow happens in a request: what is slow is a job enqueued in the same transaction.

mod account;
mod account_connection;
mod account_settings;
pub(crate) mod attachment;
mod by_arn;
mod component;
mod context;
pub(crate) mod deploy;
mod deployment;
mod environment;
mod force_delete;
mod input;
pub(crate) mod managed_tags;
mod notification;
mod page;
mod provisioned;
mod quota;
mod redeploy;
mod repository;
mod resources_summary;
pub(crate) mod roll_up;
mod service;
mod service_instance;
mod service_pipeline;
mod service_sync_config;
pub(crate) mod settle;
mod spec;
mod sync_blocker;
mod sync_status;
mod tag;
mod template;
mod template_sync_config;
mod template_version;
mod token;
mod upgrade;
mod usable_version;
mod wire;

pub use context::{Caller, Context};

use crate::error::Result;
use protium_api::{Request, Response};

/// Answers a request that is signed, read and valid.
pub async fn dispatch(cx: &Context, request: Request) -> Result<Response> {
    Ok(match request {
        Request::AcceptEnvironmentAccountConnection(input) => account_connection::accept(cx, input).await?.into(),
        Request::CancelComponentDeployment(input) => component::cancel(cx, input).await?.into(),
        Request::CancelEnvironmentDeployment(input) => environment::cancel(cx, input).await?.into(),
        Request::CancelServiceInstanceDeployment(input) => service_instance::cancel(cx, input).await?.into(),
        Request::CancelServicePipelineDeployment(input) => service_pipeline::cancel(cx, input).await?.into(),
        Request::CreateAccount(input) => account::create(cx, input).await?.into(),
        Request::CreateComponent(input) => component::create(cx, input).await?.into(),
        Request::CreateEnvironment(input) => environment::create(cx, input).await?.into(),
        Request::CreateEnvironmentAccountConnection(input) => account_connection::create(cx, input).await?.into(),
        Request::CreateEnvironmentTemplate(input) => template::create_environment(cx, input).await?.into(),
        Request::CreateEnvironmentTemplateVersion(input) => {
            template_version::create_environment(cx, input).await?.into()
        }
        Request::CreateRepository(input) => repository::create(cx, input).await?.into(),
        Request::CreateService(input) => service::create(cx, input).await?.into(),
        Request::CreateServiceInstance(input) => service_instance::create(cx, input).await?.into(),
        Request::CreateServiceSyncConfig(input) => service_sync_config::create(cx, input).await?.into(),
        Request::CreateServiceTemplate(input) => template::create_service(cx, input).await?.into(),
        Request::CreateServiceTemplateVersion(input) => template_version::create_service(cx, input).await?.into(),
        Request::CreateTemplateSyncConfig(input) => template_sync_config::create(cx, input).await?.into(),
        Request::DeleteComponent(input) => component::delete(cx, input).await?.into(),
        Request::DeleteDeployment(input) => deployment::delete(cx, input).await?.into(),
        Request::DeleteEnvironment(input) => environment::delete(cx, input).await?.into(),
        Request::DeleteEnvironmentAccountConnection(input) => account_connection::delete(cx, input).await?.into(),
        Request::DeleteEnvironmentTemplate(input) => template::delete_environment(cx, input).await?.into(),
        Request::DeleteEnvironmentTemplateVersion(input) => {
            template_version::delete_environment(cx, input).await?.into()
        }
        Request::DeleteRepository(input) => repository::delete(cx, input).await?.into(),
        Request::DeleteService(input) => service::delete(cx, input).await?.into(),
        Request::DeleteServiceSyncConfig(input) => service_sync_config::delete(cx, input).await?.into(),
        Request::DeleteServiceTemplate(input) => template::delete_service(cx, input).await?.into(),
        Request::DeleteServiceTemplateVersion(input) => template_version::delete_service(cx, input).await?.into(),
        Request::DeleteTemplateSyncConfig(input) => template_sync_config::delete(cx, input).await?.into(),
        Request::ForceDelete(input) => force_delete::force_delete(cx, input).await?.into(),
        Request::GetAccountSettings(input) => account_settings::get(cx, input).await?.into(),
        Request::GetComponent(input) => component::get(cx, input).await?.into(),
        Request::GetDeployment(input) => deployment::get(cx, input).await?.into(),
        Request::GetEnvironment(input) => environment::get(cx, input).await?.into(),
        Request::GetEnvironmentAccountConnection(input) => account_connection::get(cx, input).await?.into(),
        Request::GetEnvironmentTemplate(input) => template::get_environment(cx, input).await?.into(),
        Request::GetEnvironmentTemplateVersion(input) => template_version::get_environment(cx, input).await?.into(),
        Request::GetRepository(input) => repository::get(cx, input).await?.into(),
        Request::GetRepositorySyncStatus(input) => sync_status::of_repository(cx, input).await?.into(),
        Request::GetResourcesSummary(input) => resources_summary::get(cx, input).await?.into(),
        Request::GetService(input) => service::get(cx, input).await?.into(),
        Request::GetServiceInstance(input) => service_instance::get(cx, input).await?.into(),
        Request::GetServiceInstanceSyncStatus(input) => sync_status::of_service_instance(cx, input).await?.into(),
        Request::GetServiceSyncBlockerSummary(input) => sync_blocker::summary(cx, input).await?.into(),
        Request::GetServiceSyncConfig(input) => service_sync_config::get(cx, input).await?.into(),
        Request::GetServiceTemplate(input) => template::get_service(cx, input).await?.into(),
        Request::GetServiceTemplateVersion(input) => template_version::get_service(cx, input).await?.into(),
        Request::GetTemplateSyncConfig(input) => template_sync_config::get(cx, input).await?.into(),
        Request::GetTemplateSyncStatus(input) => sync_status::of_template(cx, input).await?.into(),
        Request::ListAccounts(input) => account::list(cx, input).await?.into(),
        Request::ListComponentOutputs(input) => provisioned::component_outputs(cx, input).await?.into(),
        Request::ListComponentProvisionedResources(input) => {
            provisioned::component_provisioned_resources(cx, input).await?.into()
        }
        Request::ListComponents(input) => component::list(cx, input).await?.into(),
        Request::ListDeployments(input) => deployment::list(cx, input).await?.into(),
        Request::ListEnvironmentAccountConnections(input) => account_connection::list(cx, input).await?.into(),
        Request::ListEnvironmentOutputs(input) => provisioned::environment_outputs(cx, input).await?.into(),
        Request::ListEnvironmentProvisionedResources(input) => {
            provisioned::environment_provisioned_resources(cx, input).await?.into()
        }
        Request::ListEnvironmentTemplateVersions(input) => template_version::list_environment(cx, input).await?.into(),
        Request::ListEnvironmentTemplates(input) => template::list_environment(cx, input).await?.into(),
        Request::ListEnvironments(input) => environment::list(cx, input).await?.into(),
        Request::ListRepositories(input) => repository::list(cx, input).await?.into(),
        Request::ListRepositorySyncDefinitions(input) => sync_status::definitions(cx, input).await?.into(),
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
        Request::NotifyResourceDeploymentStatusChange(input) => notification::notify(cx, input).await?.into(),
        Request::Redeploy(input) => redeploy::redeploy(cx, input).await?.into(),
        Request::RejectEnvironmentAccountConnection(input) => account_connection::reject(cx, input).await?.into(),
        Request::TagResource(input) => tag::set(cx, input).await?.into(),
        Request::UntagResource(input) => tag::unset(cx, input).await?.into(),
        Request::UpdateAccountSettings(input) => account_settings::update(cx, input).await?.into(),
        Request::UpdateComponent(input) => component::update(cx, input).await?.into(),
        Request::UpdateEnvironment(input) => environment::update(cx, input).await?.into(),
        Request::UpdateEnvironmentAccountConnection(input) => account_connection::update(cx, input).await?.into(),
        Request::UpdateEnvironmentTemplate(input) => template::update_environment(cx, input).await?.into(),
        Request::UpdateEnvironmentTemplateVersion(input) => {
            template_version::update_environment(cx, input).await?.into()
        }
        Request::UpdateService(input) => service::update(cx, input).await?.into(),
        Request::UpdateServiceInstance(input) => service_instance::update(cx, input).await?.into(),
        Request::UpdateServicePipeline(input) => service_pipeline::update(cx, input).await?.into(),
        Request::UpdateServiceSyncBlocker(input) => sync_blocker::resolve(cx, input).await?.into(),
        Request::UpdateServiceSyncConfig(input) => service_sync_config::update(cx, input).await?.into(),
        Request::UpdateServiceTemplate(input) => template::update_service(cx, input).await?.into(),
        Request::UpdateServiceTemplateVersion(input) => template_version::update_service(cx, input).await?.into(),
        Request::UpdateTemplateSyncConfig(input) => template_sync_config::update(cx, input).await?.into(),
    })
}
