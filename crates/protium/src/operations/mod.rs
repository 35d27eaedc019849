//! What each operation of the API does: one match, one file a noun.
//!
//! Wire types become domain types, and back, only here. Every operation is the same five lines:
//! authorize → parse into domain → decide (pure) → one transaction (rows and jobs) → answer.
//! Nothing slow happens in a request: what is slow is a job enqueued in the same transaction.

mod account;
mod account_connection;
mod account_settings;
pub(crate) mod attachment;
pub(crate) mod audit;
mod authorize;
mod by_arn;
mod component;
mod context;
pub(crate) mod deploy;
mod deployment;
mod deployment_logs;
mod environment;
mod event;
mod force_delete;
mod identity;
mod input;
pub(crate) mod managed_tags;
mod notification;
mod oidc_provider;
mod page;
mod provisioned;
mod quota;
mod redeploy;
mod repository;
mod resources_summary;
mod role;
pub(crate) mod roll_up;
pub(crate) mod run_token;
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

pub use audit::answer;
pub(crate) use authorize::circumstances;
use authorize::resource_of;
pub use context::{Caller, Context, Origin};
pub(crate) use identity::{compile, identity_of};

use crate::error::Result;
use authorize::Shows;
use protium_api::{Request, Response};
use std::pin::Pin;

/// The future of one operation. All of them beside each other in the frame of [`dispatch`] would take a good part
/// of a thread's stack.
#[inline(never)]
fn on_heap<F: Future>(operation: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(operation())
}

/// Does what a request asks for that is signed, read and valid, if its caller is allowed to make it.
async fn dispatch(cx: &Context, request: Request) -> Result<Response> {
    let narrowed;
    let cx = match authorize::check(cx, &request).await? {
        Shows::Everything => cx,
        shows @ Shows::Allowed => {
            narrowed = cx.clone().showing(shows);
            &narrowed
        }
    };
    Ok(match request {
        Request::AcceptEnvironmentAccountConnection(input) => {
            on_heap(|| account_connection::accept(cx, input)).await?.into()
        }
        Request::AddUserToGroup(input) => on_heap(|| identity::group::add(cx, input)).await?.into(),
        Request::AttachPolicy(input) => on_heap(|| identity::holding::attach(cx, input)).await?.into(),
        Request::CancelComponentDeployment(input) => on_heap(|| component::cancel(cx, input)).await?.into(),
        Request::CancelEnvironmentDeployment(input) => on_heap(|| environment::cancel(cx, input)).await?.into(),
        Request::CancelServiceInstanceDeployment(input) => {
            on_heap(|| service_instance::cancel(cx, input)).await?.into()
        }
        Request::CancelServicePipelineDeployment(input) => {
            on_heap(|| service_pipeline::cancel(cx, input)).await?.into()
        }
        Request::CreateAccessKey(input) => on_heap(|| identity::access_key::create(cx, input)).await?.into(),
        Request::CreateAccount(input) => on_heap(|| account::create(cx, input)).await?.into(),
        Request::CreateComponent(input) => on_heap(|| component::create(cx, input)).await?.into(),
        Request::CreateEnvironment(input) => on_heap(|| environment::create(cx, input)).await?.into(),
        Request::CreateEnvironmentAccountConnection(input) => {
            on_heap(|| account_connection::create(cx, input)).await?.into()
        }
        Request::CreateEnvironmentTemplate(input) => on_heap(|| template::create_environment(cx, input)).await?.into(),
        Request::CreateEnvironmentTemplateVersion(input) => {
            on_heap(|| template_version::create_environment(cx, input)).await?.into()
        }
        Request::CreateGroup(input) => on_heap(|| identity::group::create(cx, input)).await?.into(),
        Request::CreateOidcProvider(input) => on_heap(|| oidc_provider::create(cx, input)).await?.into(),
        Request::CreatePolicy(input) => on_heap(|| identity::policy::create(cx, input)).await?.into(),
        Request::CreateRepository(input) => on_heap(|| repository::create(cx, input)).await?.into(),
        Request::CreateRole(input) => on_heap(|| role::create(cx, input)).await?.into(),
        Request::CreateService(input) => on_heap(|| service::create(cx, input)).await?.into(),
        Request::CreateServiceInstance(input) => on_heap(|| service_instance::create(cx, input)).await?.into(),
        Request::CreateServiceSyncConfig(input) => on_heap(|| service_sync_config::create(cx, input)).await?.into(),
        Request::CreateServiceTemplate(input) => on_heap(|| template::create_service(cx, input)).await?.into(),
        Request::CreateServiceTemplateVersion(input) => {
            on_heap(|| template_version::create_service(cx, input)).await?.into()
        }
        Request::CreateTemplateSyncConfig(input) => on_heap(|| template_sync_config::create(cx, input)).await?.into(),
        Request::CreateUser(input) => on_heap(|| identity::user::create(cx, input)).await?.into(),
        Request::DeleteAccessKey(input) => on_heap(|| identity::access_key::delete(cx, input)).await?.into(),
        Request::DeleteComponent(input) => on_heap(|| component::delete(cx, input)).await?.into(),
        Request::DeleteDeployment(input) => on_heap(|| deployment::delete(cx, input)).await?.into(),
        Request::DeleteEnvironment(input) => on_heap(|| environment::delete(cx, input)).await?.into(),
        Request::DeleteEnvironmentAccountConnection(input) => {
            on_heap(|| account_connection::delete(cx, input)).await?.into()
        }
        Request::DeleteEnvironmentTemplate(input) => on_heap(|| template::delete_environment(cx, input)).await?.into(),
        Request::DeleteEnvironmentTemplateVersion(input) => {
            on_heap(|| template_version::delete_environment(cx, input)).await?.into()
        }
        Request::DeleteGroup(input) => on_heap(|| identity::group::delete(cx, input)).await?.into(),
        Request::DeleteInlinePolicy(input) => on_heap(|| identity::holding::delete(cx, input)).await?.into(),
        Request::DeleteOidcProvider(input) => on_heap(|| oidc_provider::delete(cx, input)).await?.into(),
        Request::DeletePolicy(input) => on_heap(|| identity::policy::delete(cx, input)).await?.into(),
        Request::DeleteRepository(input) => on_heap(|| repository::delete(cx, input)).await?.into(),
        Request::DeleteRole(input) => on_heap(|| role::delete(cx, input)).await?.into(),
        Request::DeleteService(input) => on_heap(|| service::delete(cx, input)).await?.into(),
        Request::DeleteServiceSyncConfig(input) => on_heap(|| service_sync_config::delete(cx, input)).await?.into(),
        Request::DeleteServiceTemplate(input) => on_heap(|| template::delete_service(cx, input)).await?.into(),
        Request::DeleteServiceTemplateVersion(input) => {
            on_heap(|| template_version::delete_service(cx, input)).await?.into()
        }
        Request::DeleteTemplateSyncConfig(input) => on_heap(|| template_sync_config::delete(cx, input)).await?.into(),
        Request::DeleteUser(input) => on_heap(|| identity::user::delete(cx, input)).await?.into(),
        Request::DetachPolicy(input) => on_heap(|| identity::holding::detach(cx, input)).await?.into(),
        Request::ForceDelete(input) => on_heap(|| force_delete::force_delete(cx, input)).await?.into(),
        Request::GetAccountSettings(input) => on_heap(|| account_settings::get(cx, input)).await?.into(),
        Request::GetComponent(input) => on_heap(|| component::get(cx, input)).await?.into(),
        Request::GetDeployment(input) => on_heap(|| deployment::get(cx, input)).await?.into(),
        Request::GetDeploymentLogs(input) => on_heap(|| deployment_logs::get(cx, input)).await?.into(),
        Request::GetEnvironment(input) => on_heap(|| environment::get(cx, input)).await?.into(),
        Request::GetEnvironmentAccountConnection(input) => on_heap(|| account_connection::get(cx, input)).await?.into(),
        Request::GetEnvironmentTemplate(input) => on_heap(|| template::get_environment(cx, input)).await?.into(),
        Request::GetEnvironmentTemplateVersion(input) => {
            on_heap(|| template_version::get_environment(cx, input)).await?.into()
        }
        Request::GetGroup(input) => on_heap(|| identity::group::get(cx, input)).await?.into(),
        Request::GetInlinePolicy(input) => on_heap(|| identity::holding::get(cx, input)).await?.into(),
        Request::GetOidcProvider(input) => on_heap(|| oidc_provider::get(cx, input)).await?.into(),
        Request::GetPolicy(input) => on_heap(|| identity::policy::get(cx, input)).await?.into(),
        Request::GetRepository(input) => on_heap(|| repository::get(cx, input)).await?.into(),
        Request::GetRepositorySyncStatus(input) => on_heap(|| sync_status::of_repository(cx, input)).await?.into(),
        Request::GetResourcesSummary(input) => on_heap(|| resources_summary::get(cx, input)).await?.into(),
        Request::GetRole(input) => on_heap(|| role::get(cx, input)).await?.into(),
        Request::GetService(input) => on_heap(|| service::get(cx, input)).await?.into(),
        Request::GetServiceInstance(input) => on_heap(|| service_instance::get(cx, input)).await?.into(),
        Request::GetServiceInstanceSyncStatus(input) => {
            on_heap(|| sync_status::of_service_instance(cx, input)).await?.into()
        }
        Request::GetServiceSyncBlockerSummary(input) => on_heap(|| sync_blocker::summary(cx, input)).await?.into(),
        Request::GetServiceSyncConfig(input) => on_heap(|| service_sync_config::get(cx, input)).await?.into(),
        Request::GetServiceTemplate(input) => on_heap(|| template::get_service(cx, input)).await?.into(),
        Request::GetServiceTemplateVersion(input) => on_heap(|| template_version::get_service(cx, input)).await?.into(),
        Request::GetTemplateSyncConfig(input) => on_heap(|| template_sync_config::get(cx, input)).await?.into(),
        Request::GetTemplateSyncStatus(input) => on_heap(|| sync_status::of_template(cx, input)).await?.into(),
        Request::GetUser(input) => on_heap(|| identity::user::get(cx, input)).await?.into(),
        Request::ListAccessKeys(input) => on_heap(|| identity::access_key::list(cx, input)).await?.into(),
        Request::ListAccounts(input) => on_heap(|| account::list(cx, input)).await?.into(),
        Request::ListAuditRecords(input) => on_heap(|| audit::list(cx, input)).await?.into(),
        Request::ListComponentOutputs(input) => on_heap(|| provisioned::component_outputs(cx, input)).await?.into(),
        Request::ListComponentProvisionedResources(input) => {
            on_heap(|| provisioned::component_provisioned_resources(cx, input)).await?.into()
        }
        Request::ListComponents(input) => on_heap(|| component::list(cx, input)).await?.into(),
        Request::ListDeployments(input) => on_heap(|| deployment::list(cx, input)).await?.into(),
        Request::ListEnvironmentAccountConnections(input) => {
            on_heap(|| account_connection::list(cx, input)).await?.into()
        }
        Request::ListEnvironmentOutputs(input) => on_heap(|| provisioned::environment_outputs(cx, input)).await?.into(),
        Request::ListEnvironmentProvisionedResources(input) => {
            on_heap(|| provisioned::environment_provisioned_resources(cx, input)).await?.into()
        }
        Request::ListEnvironmentTemplateVersions(input) => {
            on_heap(|| template_version::list_environment(cx, input)).await?.into()
        }
        Request::ListEnvironmentTemplates(input) => on_heap(|| template::list_environment(cx, input)).await?.into(),
        Request::ListEnvironments(input) => on_heap(|| environment::list(cx, input)).await?.into(),
        Request::ListEventDeliveries(input) => on_heap(|| event::deliveries(cx, input)).await?.into(),
        Request::ListGroups(input) => on_heap(|| identity::group::list(cx, input)).await?.into(),
        Request::ListOidcProviders(input) => on_heap(|| oidc_provider::list(cx, input)).await?.into(),
        Request::ListPolicies(input) => on_heap(|| identity::policy::list(cx, input)).await?.into(),
        Request::ListRepositories(input) => on_heap(|| repository::list(cx, input)).await?.into(),
        Request::ListRepositorySyncDefinitions(input) => on_heap(|| sync_status::definitions(cx, input)).await?.into(),
        Request::ListRoles(input) => on_heap(|| role::list(cx, input)).await?.into(),
        Request::ListServiceInstanceOutputs(input) => {
            on_heap(|| provisioned::service_instance_outputs(cx, input)).await?.into()
        }
        Request::ListServiceInstanceProvisionedResources(input) => {
            on_heap(|| provisioned::service_instance_provisioned_resources(cx, input)).await?.into()
        }
        Request::ListServiceInstances(input) => on_heap(|| service_instance::list(cx, input)).await?.into(),
        Request::ListServicePipelineOutputs(input) => {
            on_heap(|| provisioned::service_pipeline_outputs(cx, input)).await?.into()
        }
        Request::ListServicePipelineProvisionedResources(input) => {
            on_heap(|| provisioned::service_pipeline_provisioned_resources(cx, input)).await?.into()
        }
        Request::ListServiceTemplateVersions(input) => {
            on_heap(|| template_version::list_service(cx, input)).await?.into()
        }
        Request::ListServiceTemplates(input) => on_heap(|| template::list_service(cx, input)).await?.into(),
        Request::ListServices(input) => on_heap(|| service::list(cx, input)).await?.into(),
        Request::ListTagsForResource(input) => on_heap(|| tag::list(cx, input)).await?.into(),
        Request::ListUsers(input) => on_heap(|| identity::user::list(cx, input)).await?.into(),
        Request::NotifyResourceDeploymentStatusChange(input) => {
            on_heap(|| notification::notify(cx, input)).await?.into()
        }
        Request::PutInlinePolicy(input) => on_heap(|| identity::holding::put(cx, input)).await?.into(),
        Request::RedeliverEvents(input) => on_heap(|| event::redeliver(cx, input)).await?.into(),
        Request::Redeploy(input) => on_heap(|| redeploy::redeploy(cx, input)).await?.into(),
        Request::RejectEnvironmentAccountConnection(input) => {
            on_heap(|| account_connection::reject(cx, input)).await?.into()
        }
        Request::RemoveUserFromGroup(input) => on_heap(|| identity::group::remove(cx, input)).await?.into(),
        Request::SimulatePolicy(input) => on_heap(|| identity::simulate::simulate(cx, input)).await?.into(),
        Request::TagResource(input) => on_heap(|| tag::set(cx, input)).await?.into(),
        Request::UntagResource(input) => on_heap(|| tag::unset(cx, input)).await?.into(),
        Request::UpdateAccessKey(input) => on_heap(|| identity::access_key::update(cx, input)).await?.into(),
        Request::UpdateAccountSettings(input) => on_heap(|| account_settings::update(cx, input)).await?.into(),
        Request::UpdateComponent(input) => on_heap(|| component::update(cx, input)).await?.into(),
        Request::UpdateEnvironment(input) => on_heap(|| environment::update(cx, input)).await?.into(),
        Request::UpdateEnvironmentAccountConnection(input) => {
            on_heap(|| account_connection::update(cx, input)).await?.into()
        }
        Request::UpdateEnvironmentTemplate(input) => on_heap(|| template::update_environment(cx, input)).await?.into(),
        Request::UpdateEnvironmentTemplateVersion(input) => {
            on_heap(|| template_version::update_environment(cx, input)).await?.into()
        }
        Request::UpdateOidcProvider(input) => on_heap(|| oidc_provider::update(cx, input)).await?.into(),
        Request::UpdatePolicy(input) => on_heap(|| identity::policy::update(cx, input)).await?.into(),
        Request::UpdateRole(input) => on_heap(|| role::update(cx, input)).await?.into(),
        Request::UpdateService(input) => on_heap(|| service::update(cx, input)).await?.into(),
        Request::UpdateServiceInstance(input) => on_heap(|| service_instance::update(cx, input)).await?.into(),
        Request::UpdateServicePipeline(input) => on_heap(|| service_pipeline::update(cx, input)).await?.into(),
        Request::UpdateServiceSyncBlocker(input) => on_heap(|| sync_blocker::resolve(cx, input)).await?.into(),
        Request::UpdateServiceSyncConfig(input) => on_heap(|| service_sync_config::update(cx, input)).await?.into(),
        Request::UpdateServiceTemplate(input) => on_heap(|| template::update_service(cx, input)).await?.into(),
        Request::UpdateServiceTemplateVersion(input) => {
            on_heap(|| template_version::update_service(cx, input)).await?.into()
        }
        Request::UpdateTemplateSyncConfig(input) => on_heap(|| template_sync_config::update(cx, input)).await?.into(),
        Request::UpdateUser(input) => on_heap(|| identity::user::update(cx, input)).await?.into(),
    })
}
