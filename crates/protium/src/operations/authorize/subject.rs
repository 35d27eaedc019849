//! What each operation is asked about: the resource that its input names, and what else of it conditions can name.
//!
//! Owns the one match over all operations. It has no wildcard: a new operation has to say what it is about.

use super::identity::Identity;
use crate::operations::Caller;
use crate::operations::repository::provider;
use protium_api::Request;
use protium_api::types::*;
use protium_domain::arn::{self, Resource};
use protium_domain::iam::holder::HolderKind;
use protium_domain::template::TemplateKind;

/// The resource that a request is about.
#[derive(Clone, Debug)]
pub(super) enum About<'r> {
    /// None in particular: `*`.
    Nothing,
    /// One of the caller's account and region.
    Own(Resource),
    /// A connection to another account, which either of the two may have.
    Connection(&'r str),
    /// What an ARN names.
    Arn(&'r str),
    Identity(Identity<'r>),
}

impl About<'_> {
    /// The ARN as policies know it, `*` if there is none. A connection is taken for one of the caller's account, and
    /// names of identities for written as they were made.
    pub(super) fn arn(&self, caller: &Caller) -> String {
        let scope = &caller.scope;
        match self {
            Self::Nothing => "*".to_owned(),
            Self::Identity(identity) => identity.arn(&caller.identity.principal),
            Self::Own(resource) => scope.arn(resource),
            Self::Connection(id) => scope.arn(&Resource::EnvironmentAccountConnection((*id).to_owned())),
            Self::Arn(text) => match arn::parse(text) {
                Some((of, resource)) => of.arn(&asked_about(resource)),
                // An operation that is given it refuses it.
                None => (*text).to_owned(),
            },
        }
    }
}

/// Versions are asked about as their template, pipelines as their service.
pub(super) fn asked_about(resource: Resource) -> Resource {
    match resource {
        Resource::EnvironmentTemplateVersion(name, _) => Resource::EnvironmentTemplate(name),
        Resource::ServiceTemplateVersion(name, _) => Resource::ServiceTemplate(name),
        Resource::ServicePipeline(service) => Resource::Service(service),
        Resource::EnvironmentTemplate(_)
        | Resource::ServiceTemplate(_)
        | Resource::Environment(_)
        | Resource::Service(_)
        | Resource::ServiceInstance { .. }
        | Resource::Component(_)
        | Resource::Repository(_)
        | Resource::EnvironmentAccountConnection(_)
        | Resource::Deployment(_) => resource,
    }
}

/// All of a request that a policy can ask about.
#[derive(Clone, Debug)]
pub(super) struct Subject<'r> {
    pub(super) about: About<'r>,
    /// The tags that it gives.
    pub(super) tags: &'r [Tag],
    /// The keys of the tags that it takes away.
    pub(super) tag_keys: &'r [String],
    /// The template that it names.
    pub(super) template: Option<(TemplateKind, &'r str)>,
    /// The ARNs of the roles that it hands over.
    pub(super) roles: Vec<&'r str>,
    /// The ARN of the connection to a Git host that it hands over.
    pub(super) connection: Option<&'r str>,
}

impl<'r> Subject<'r> {
    fn about(about: About<'r>) -> Self {
        Self { about, tags: &[], tag_keys: &[], template: None, roles: Vec::new(), connection: None }
    }

    fn own(resource: Resource) -> Self {
        Self::about(About::Own(resource))
    }

    fn environment(name: &str) -> Self {
        Self::own(Resource::Environment(name.to_owned()))
    }

    fn service(name: &str) -> Self {
        Self::own(Resource::Service(name.to_owned()))
    }

    fn instance(service: &str, name: &str) -> Self {
        Self::own(Resource::ServiceInstance { service: service.to_owned(), name: name.to_owned() })
    }

    fn component(name: &str) -> Self {
        Self::own(Resource::Component(name.to_owned()))
    }

    fn environment_template(name: &str) -> Self {
        Self::own(Resource::EnvironmentTemplate(name.to_owned()))
    }

    fn service_template(name: &str) -> Self {
        Self::own(Resource::ServiceTemplate(name.to_owned()))
    }

    fn repository(of: RepositoryProvider, name: &str) -> Self {
        Self::own(Resource::Repository(format!("{}:{name}", provider(of).in_arn())))
    }

    fn identity(identity: Identity<'r>) -> Self {
        Self::about(About::Identity(identity))
    }

    fn user(name: &'r str) -> Self {
        Self::identity(Identity::Holder(HolderKind::User, name))
    }

    fn group(name: &'r str) -> Self {
        Self::identity(Identity::Holder(HolderKind::Group, name))
    }

    fn role(name: &'r str) -> Self {
        Self::identity(Identity::Holder(HolderKind::Role, name))
    }

    fn deployment(id: &str) -> Self {
        Self::own(Resource::Deployment(id.to_owned()))
    }

    fn tagged(self, tags: &'r Option<Vec<Tag>>) -> Self {
        Self { tags: tags.as_deref().unwrap_or_default(), ..self }
    }

    fn from(self, kind: TemplateKind, template: &'r str) -> Self {
        Self { template: Some((kind, template)), ..self }
    }

    fn with_roles<const N: usize>(self, roles: [&'r Option<String>; N]) -> Self {
        // An empty text takes a role away.
        let given = roles.into_iter().filter_map(|role| role.as_deref().filter(|role| !role.is_empty()));
        Self { roles: given.collect(), ..self }
    }

    fn connected(self, connection: Option<&'r str>) -> Self {
        Self { connection, ..self }
    }

    /// What a request is asked about.
    pub(super) fn of(request: &'r Request) -> Self {
        match request {
            Request::CreateAccount(_)
            | Request::ListGroups(_)
            | Request::ListOidcProviders(_)
            | Request::ListPolicies(_)
            | Request::ListRoles(_)
            | Request::ListUsers(_)
            | Request::CreateServiceSyncConfig(_)
            | Request::CreateTemplateSyncConfig(_)
            | Request::DeleteServiceSyncConfig(_)
            | Request::DeleteTemplateSyncConfig(_)
            | Request::GetAccountSettings(_)
            | Request::GetRepositorySyncStatus(_)
            | Request::GetResourcesSummary(_)
            | Request::GetServiceInstanceSyncStatus(_)
            | Request::GetServiceSyncBlockerSummary(_)
            | Request::GetServiceSyncConfig(_)
            | Request::GetTemplateSyncConfig(_)
            | Request::GetTemplateSyncStatus(_)
            | Request::ListAccounts(_)
            | Request::ListAuditRecords(_)
            | Request::ListComponents(ListComponentsInput { environment_name: None, .. })
            | Request::ListDeployments(_)
            | Request::ListEnvironmentAccountConnections(_)
            | Request::ListEnvironmentTemplates(_)
            | Request::ListEnvironments(_)
            | Request::ListEventDeliveries(_)
            | Request::ListRepositories(_)
            | Request::ListRepositorySyncDefinitions(_)
            | Request::ListServiceInstances(_)
            | Request::ListServiceTemplates(_)
            | Request::ListServices(_)
            | Request::RedeliverEvents(_)
            | Request::UpdateServiceSyncBlocker(_)
            | Request::UpdateServiceSyncConfig(_)
            | Request::UpdateTemplateSyncConfig(_) => Self::about(About::Nothing),

            Request::AddUserToGroup(AddUserToGroupInput { group_name: name, .. })
            | Request::CreateGroup(CreateGroupInput { group_name: name })
            | Request::DeleteGroup(DeleteGroupInput { group_name: name })
            | Request::GetGroup(GetGroupInput { group_name: name, .. })
            | Request::RemoveUserFromGroup(RemoveUserFromGroupInput { group_name: name, .. }) => Self::group(name),

            Request::CreateAccessKey(CreateAccessKeyInput { user_name })
            | Request::DeleteAccessKey(DeleteAccessKeyInput { user_name, .. })
            | Request::ListAccessKeys(ListAccessKeysInput { user_name })
            | Request::UpdateAccessKey(UpdateAccessKeyInput { user_name, .. }) => match user_name {
                Some(name) => Self::user(name),
                None => Self::identity(Identity::Caller),
            },
            Request::DeleteUser(DeleteUserInput { user_name }) | Request::GetUser(GetUserInput { user_name }) => {
                Self::user(user_name)
            }
            Request::CreateUser(CreateUserInput { user_name, tags, .. })
            | Request::UpdateUser(UpdateUserInput { user_name, tags, .. }) => Self::user(user_name).tagged(tags),

            Request::DeleteRole(DeleteRoleInput { role_name }) | Request::GetRole(GetRoleInput { role_name }) => {
                Self::role(role_name)
            }
            Request::CreateRole(CreateRoleInput { role_name, tags, .. })
            | Request::UpdateRole(UpdateRoleInput { role_name, tags, .. }) => Self::role(role_name).tagged(tags),

            Request::AttachPolicy(AttachPolicyInput { user_name, group_name, role_name, .. })
            | Request::DeleteInlinePolicy(DeleteInlinePolicyInput { user_name, group_name, role_name, .. })
            | Request::DetachPolicy(DetachPolicyInput { user_name, group_name, role_name, .. })
            | Request::GetInlinePolicy(GetInlinePolicyInput { user_name, group_name, role_name, .. })
            | Request::PutInlinePolicy(PutInlinePolicyInput { user_name, group_name, role_name, .. })
            | Request::SimulatePolicy(SimulatePolicyInput { user_name, group_name, role_name, .. }) => {
                match (user_name, group_name, role_name) {
                    // An operation that is given several refuses them.
                    (Some(name), _, _) => Self::user(name),
                    (None, Some(name), _) => Self::group(name),
                    (None, None, Some(name)) => Self::role(name),
                    (None, None, None) => Self::about(About::Nothing),
                }
            }

            Request::CreatePolicy(CreatePolicyInput { policy_name: named, .. })
            | Request::DeletePolicy(DeletePolicyInput { policy: named })
            | Request::GetPolicy(GetPolicyInput { policy: named })
            | Request::UpdatePolicy(UpdatePolicyInput { policy: named, .. }) => Self::identity(Identity::Policy(named)),

            Request::CreateOidcProvider(CreateOidcProviderInput { url, .. })
            | Request::DeleteOidcProvider(DeleteOidcProviderInput { url })
            | Request::GetOidcProvider(GetOidcProviderInput { url })
            | Request::UpdateOidcProvider(UpdateOidcProviderInput { url, .. }) => {
                Self::identity(Identity::OidcProvider(url))
            }

            Request::UpdateAccountSettings(input) => Self::about(About::Nothing)
                .with_roles([&input.pipeline_codebuild_role_arn, &input.pipeline_service_role_arn]),

            Request::ForceDelete(ForceDeleteInput { resource_arn, .. })
            | Request::ListTagsForResource(ListTagsForResourceInput { resource_arn, .. })
            | Request::NotifyResourceDeploymentStatusChange(NotifyResourceDeploymentStatusChangeInput {
                resource_arn,
                ..
            })
            | Request::Redeploy(RedeployInput { resource_arn, .. }) => Self::about(About::Arn(resource_arn)),
            Request::TagResource(input) => Self { tags: &input.tags, ..Self::about(About::Arn(&input.resource_arn)) },
            Request::UntagResource(input) => {
                Self { tag_keys: &input.tag_keys, ..Self::about(About::Arn(&input.resource_arn)) }
            }

            Request::CancelEnvironmentDeployment(CancelEnvironmentDeploymentInput { environment_name: name })
            | Request::DeleteEnvironment(DeleteEnvironmentInput { name })
            | Request::GetEnvironment(GetEnvironmentInput { name })
            | Request::ListComponents(ListComponentsInput { environment_name: Some(name), .. })
            | Request::ListEnvironmentOutputs(ListEnvironmentOutputsInput { environment_name: name, .. })
            | Request::ListEnvironmentProvisionedResources(ListEnvironmentProvisionedResourcesInput {
                environment_name: name,
                ..
            }) => Self::environment(name),
            Request::CreateEnvironment(input) => Self::environment(&input.name)
                .tagged(&input.tags)
                .from(TemplateKind::Environment, &input.template_name)
                .with_roles([&input.proton_service_role_arn, &input.codebuild_role_arn, &input.component_role_arn]),
            Request::UpdateEnvironment(input) => Self::environment(&input.name).with_roles([
                &input.proton_service_role_arn,
                &input.codebuild_role_arn,
                &input.component_role_arn,
            ]),

            Request::AcceptEnvironmentAccountConnection(AcceptEnvironmentAccountConnectionInput { id })
            | Request::DeleteEnvironmentAccountConnection(DeleteEnvironmentAccountConnectionInput { id })
            | Request::GetEnvironmentAccountConnection(GetEnvironmentAccountConnectionInput { id })
            | Request::RejectEnvironmentAccountConnection(RejectEnvironmentAccountConnectionInput { id }) => {
                Self::about(About::Connection(id))
            }
            Request::CreateEnvironmentAccountConnection(input) => Self::about(About::Nothing)
                .tagged(&input.tags)
                .with_roles([&input.role_arn, &input.codebuild_role_arn, &input.component_role_arn]),
            Request::UpdateEnvironmentAccountConnection(input) => Self::about(About::Connection(&input.id))
                .with_roles([&input.role_arn, &input.codebuild_role_arn, &input.component_role_arn]),

            Request::CancelServicePipelineDeployment(CancelServicePipelineDeploymentInput { service_name: name })
            | Request::DeleteService(DeleteServiceInput { name })
            | Request::GetService(GetServiceInput { name })
            | Request::ListServicePipelineOutputs(ListServicePipelineOutputsInput { service_name: name, .. })
            | Request::ListServicePipelineProvisionedResources(ListServicePipelineProvisionedResourcesInput {
                service_name: name,
                ..
            })
            | Request::UpdateService(UpdateServiceInput { name, .. })
            | Request::UpdateServicePipeline(UpdateServicePipelineInput { service_name: name, .. }) => {
                Self::service(name)
            }
            Request::CreateService(input) => Self::service(&input.name)
                .tagged(&input.tags)
                .from(TemplateKind::Service, &input.template_name)
                .connected(input.repository_connection_arn.as_deref()),

            Request::CancelServiceInstanceDeployment(CancelServiceInstanceDeploymentInput {
                service_name: service,
                service_instance_name: name,
            })
            | Request::GetServiceInstance(GetServiceInstanceInput { service_name: service, name })
            | Request::ListServiceInstanceOutputs(ListServiceInstanceOutputsInput {
                service_name: service,
                service_instance_name: name,
                ..
            })
            | Request::ListServiceInstanceProvisionedResources(ListServiceInstanceProvisionedResourcesInput {
                service_name: service,
                service_instance_name: name,
                ..
            })
            | Request::UpdateServiceInstance(UpdateServiceInstanceInput { service_name: service, name, .. }) => {
                Self::instance(service, name)
            }
            Request::CreateServiceInstance(input) => {
                Self::instance(&input.service_name, &input.name).tagged(&input.tags)
            }

            Request::CancelComponentDeployment(CancelComponentDeploymentInput { component_name: name })
            | Request::DeleteComponent(DeleteComponentInput { name })
            | Request::GetComponent(GetComponentInput { name })
            | Request::ListComponentOutputs(ListComponentOutputsInput { component_name: name, .. })
            | Request::ListComponentProvisionedResources(ListComponentProvisionedResourcesInput {
                component_name: name,
                ..
            })
            | Request::UpdateComponent(UpdateComponentInput { name, .. }) => Self::component(name),
            Request::CreateComponent(input) => Self::component(&input.name).tagged(&input.tags),

            Request::DeleteEnvironmentTemplate(DeleteEnvironmentTemplateInput { name })
            | Request::DeleteEnvironmentTemplateVersion(DeleteEnvironmentTemplateVersionInput {
                template_name: name,
                ..
            })
            | Request::GetEnvironmentTemplate(GetEnvironmentTemplateInput { name })
            | Request::GetEnvironmentTemplateVersion(GetEnvironmentTemplateVersionInput {
                template_name: name, ..
            })
            | Request::ListEnvironmentTemplateVersions(ListEnvironmentTemplateVersionsInput {
                template_name: name,
                ..
            })
            | Request::UpdateEnvironmentTemplate(UpdateEnvironmentTemplateInput { name, .. })
            | Request::UpdateEnvironmentTemplateVersion(UpdateEnvironmentTemplateVersionInput {
                template_name: name,
                ..
            }) => Self::environment_template(name),
            Request::CreateEnvironmentTemplate(CreateEnvironmentTemplateInput { name, tags, .. })
            | Request::CreateEnvironmentTemplateVersion(CreateEnvironmentTemplateVersionInput {
                template_name: name,
                tags,
                ..
            }) => Self::environment_template(name).tagged(tags),

            Request::DeleteServiceTemplate(DeleteServiceTemplateInput { name })
            | Request::DeleteServiceTemplateVersion(DeleteServiceTemplateVersionInput {
                template_name: name, ..
            })
            | Request::GetServiceTemplate(GetServiceTemplateInput { name })
            | Request::GetServiceTemplateVersion(GetServiceTemplateVersionInput { template_name: name, .. })
            | Request::ListServiceTemplateVersions(ListServiceTemplateVersionsInput { template_name: name, .. })
            | Request::UpdateServiceTemplate(UpdateServiceTemplateInput { name, .. })
            | Request::UpdateServiceTemplateVersion(UpdateServiceTemplateVersionInput {
                template_name: name, ..
            }) => Self::service_template(name),
            Request::CreateServiceTemplate(CreateServiceTemplateInput { name, tags, .. })
            | Request::CreateServiceTemplateVersion(CreateServiceTemplateVersionInput {
                template_name: name,
                tags,
                ..
            }) => Self::service_template(name).tagged(tags),

            Request::DeleteRepository(DeleteRepositoryInput { name, provider })
            | Request::GetRepository(GetRepositoryInput { name, provider }) => Self::repository(*provider, name),
            Request::CreateRepository(input) => {
                Self::repository(input.provider, &input.name).tagged(&input.tags).connected(Some(&input.connection_arn))
            }

            Request::DeleteDeployment(DeleteDeploymentInput { id })
            | Request::GetDeployment(GetDeploymentInput { id, .. })
            | Request::GetDeploymentLogs(GetDeploymentLogsInput { id, .. }) => Self::deployment(id),
        }
    }
}
