//! The table of the actions, sorted by name.

use super::Access;
use super::ResourceType::{
    self, Component, Deployment, Environment, EnvironmentAccountConnection, EnvironmentTemplate, Group, OidcProvider,
    Policy, Repository, Role, Service, ServiceInstance, ServiceTemplate, User,
};
use super::{Action, Dependent, ENVIRONMENT_TEMPLATE, SERVICE_TEMPLATE, When};

const ANY: &[ResourceType] = &ResourceType::PROTON;
/// Who holds policies.
const HOLDER: &[ResourceType] = &[Group, Role, User];

const REQUEST_TAG: &str = "aws:RequestTag/${TagKey}";
const TAGS: &[&str] = &[REQUEST_TAG, "aws:TagKeys"];
const TAG_KEYS: &[&str] = &["aws:TagKeys"];
const FROM_ENVIRONMENT_TEMPLATE: &[&str] = &[ENVIRONMENT_TEMPLATE];
const FROM_SERVICE_TEMPLATE: &[&str] = &[SERVICE_TEMPLATE];
const TAGS_AND_ENVIRONMENT_TEMPLATE: &[&str] = &[REQUEST_TAG, "aws:TagKeys", ENVIRONMENT_TEMPLATE];
const TAGS_AND_SERVICE_TEMPLATE: &[&str] = &[REQUEST_TAG, "aws:TagKeys", SERVICE_TEMPLATE];

const TAG: Dependent = Dependent { action: "proton:TagResource", when: When::Tags };
const ROLE: Dependent = Dependent { action: "iam:PassRole", when: When::Role };
/// Either of the two names: AWS renamed the service of connections, and policies have the one or the other.
const CONNECTION: Dependent = Dependent { action: "codeconnections:PassConnection", when: When::Connection };
const FORMER_CONNECTION: Dependent =
    Dependent { action: "codestar-connections:PassConnection", when: When::Connection };
const OF_COMPONENT: Dependent = Dependent { action: "proton:GetComponent", when: When::DeploymentOf(Component) };
const OF_ENVIRONMENT: Dependent = Dependent { action: "proton:GetEnvironment", when: When::DeploymentOf(Environment) };
const OF_SERVICE: Dependent = Dependent { action: "proton:GetService", when: When::DeploymentOf(Service) };
const OF_INSTANCE: Dependent =
    Dependent { action: "proton:GetServiceInstance", when: When::DeploymentOf(ServiceInstance) };

const fn action(name: &'static str, access: Access, resources: &'static [ResourceType]) -> Action {
    Action { name, access, resources, is_optional: false, keys: &[], dependent: &[], entries: None }
}

impl Action {
    const fn or_none(self) -> Self {
        Self { is_optional: true, ..self }
    }

    const fn keys(self, keys: &'static [&'static str]) -> Self {
        Self { keys, ..self }
    }

    const fn needs(self, dependent: &'static [Dependent]) -> Self {
        Self { dependent, ..self }
    }

    const fn entries(self, action: &'static str) -> Self {
        Self { entries: Some(action), ..self }
    }
}

/// Every action, sorted by name.
pub(super) const ACTIONS: &[Action] = &[
    action("protium:AddUserToGroup", Access::Write, &[Group]),
    action("protium:AttachPolicy", Access::Write, HOLDER),
    action("protium:CreateAccessKey", Access::Write, &[User]),
    action("protium:CreateAccount", Access::Write, &[]),
    action("protium:CreateGroup", Access::Write, &[Group]),
    action("protium:CreateOidcProvider", Access::Write, &[OidcProvider]),
    action("protium:CreatePolicy", Access::Write, &[Policy]),
    action("protium:CreateRole", Access::Write, &[Role]).keys(TAGS),
    action("protium:CreateUser", Access::Write, &[User]).keys(TAGS),
    action("protium:DeleteAccessKey", Access::Write, &[User]),
    action("protium:DeleteGroup", Access::Write, &[Group]),
    action("protium:DeleteInlinePolicy", Access::Write, HOLDER),
    action("protium:DeleteOidcProvider", Access::Write, &[OidcProvider]),
    action("protium:DeletePolicy", Access::Write, &[Policy]),
    action("protium:DeleteRole", Access::Write, &[Role]),
    action("protium:DeleteUser", Access::Write, &[User]),
    action("protium:DetachPolicy", Access::Write, HOLDER),
    action("protium:ForceDelete", Access::Write, &[Component, Environment, Service, ServiceInstance]),
    action("protium:GetDeploymentLogs", Access::Read, &[Deployment]).needs(&[
        OF_COMPONENT,
        OF_ENVIRONMENT,
        OF_SERVICE,
        OF_INSTANCE,
    ]),
    action("protium:GetGroup", Access::Read, &[Group]),
    action("protium:GetInlinePolicy", Access::Read, HOLDER),
    action("protium:GetOidcProvider", Access::Read, &[OidcProvider]),
    action("protium:GetPolicy", Access::Read, &[Policy]),
    action("protium:GetRole", Access::Read, &[Role]),
    action("protium:GetUser", Access::Read, &[User]),
    action("protium:ListAccessKeys", Access::List, &[User]),
    action("protium:ListAccounts", Access::List, &[]),
    action("protium:ListAuditRecords", Access::List, &[]),
    action("protium:ListEventDeliveries", Access::List, &[]),
    action("protium:ListGroups", Access::List, &[]),
    action("protium:ListOidcProviders", Access::List, &[]),
    action("protium:ListPolicies", Access::List, &[]),
    action("protium:ListRoles", Access::List, &[]),
    action("protium:ListUsers", Access::List, &[]),
    action("protium:PutInlinePolicy", Access::Write, HOLDER),
    action("protium:RedeliverEvents", Access::Write, &[]),
    action("protium:Redeploy", Access::Write, &[Environment, Service, ServiceInstance]),
    action("protium:RemoveUserFromGroup", Access::Write, &[Group]),
    action("protium:SimulatePolicy", Access::Read, HOLDER).or_none(),
    action("protium:UpdateAccessKey", Access::Write, &[User]),
    action("protium:UpdateOidcProvider", Access::Write, &[OidcProvider]),
    action("protium:UpdatePolicy", Access::Write, &[Policy]),
    action("protium:UpdateRole", Access::Write, &[Role]).keys(TAGS),
    action("protium:UpdateUser", Access::Write, &[User]).keys(TAGS),
    action("proton:AcceptEnvironmentAccountConnection", Access::Write, &[EnvironmentAccountConnection]),
    action("proton:CancelComponentDeployment", Access::Write, &[Component]),
    action("proton:CancelEnvironmentDeployment", Access::Write, &[Environment]).keys(FROM_ENVIRONMENT_TEMPLATE),
    action("proton:CancelServiceInstanceDeployment", Access::Write, &[ServiceInstance]).keys(FROM_SERVICE_TEMPLATE),
    action("proton:CancelServicePipelineDeployment", Access::Write, &[Service]).keys(FROM_SERVICE_TEMPLATE),
    action("proton:CreateComponent", Access::Write, &[Component]).keys(TAGS).needs(&[TAG]),
    action("proton:CreateEnvironment", Access::Write, &[Environment])
        .keys(TAGS_AND_ENVIRONMENT_TEMPLATE)
        .needs(&[TAG, ROLE]),
    action("proton:CreateEnvironmentAccountConnection", Access::Write, &[]).keys(TAGS).needs(&[TAG, ROLE]),
    action("proton:CreateEnvironmentTemplate", Access::Write, &[EnvironmentTemplate]).keys(TAGS).needs(&[TAG]),
    action("proton:CreateEnvironmentTemplateVersion", Access::Write, &[EnvironmentTemplate]).keys(TAGS).needs(&[TAG]),
    action("proton:CreateRepository", Access::Write, &[Repository]).keys(TAGS).needs(&[
        TAG,
        CONNECTION,
        FORMER_CONNECTION,
    ]),
    action("proton:CreateService", Access::Write, &[Service]).keys(TAGS_AND_SERVICE_TEMPLATE).needs(&[
        TAG,
        CONNECTION,
        FORMER_CONNECTION,
    ]),
    action("proton:CreateServiceInstance", Access::Write, &[ServiceInstance])
        .keys(TAGS_AND_SERVICE_TEMPLATE)
        .needs(&[TAG]),
    action("proton:CreateServiceSyncConfig", Access::Write, &[]),
    action("proton:CreateServiceTemplate", Access::Write, &[ServiceTemplate]).keys(TAGS).needs(&[TAG]),
    action("proton:CreateServiceTemplateVersion", Access::Write, &[ServiceTemplate]).keys(TAGS).needs(&[TAG]),
    action("proton:CreateTemplateSyncConfig", Access::Write, &[]),
    action("proton:DeleteComponent", Access::Write, &[Component]),
    action("proton:DeleteDeployment", Access::Write, &[Deployment]),
    action("proton:DeleteEnvironment", Access::Write, &[Environment]).keys(FROM_ENVIRONMENT_TEMPLATE),
    action("proton:DeleteEnvironmentAccountConnection", Access::Write, &[EnvironmentAccountConnection]),
    action("proton:DeleteEnvironmentTemplate", Access::Write, &[EnvironmentTemplate]),
    action("proton:DeleteEnvironmentTemplateVersion", Access::Write, &[EnvironmentTemplate]),
    action("proton:DeleteRepository", Access::Write, &[Repository]),
    action("proton:DeleteService", Access::Write, &[Service]).keys(FROM_SERVICE_TEMPLATE),
    action("proton:DeleteServiceSyncConfig", Access::Write, &[]),
    action("proton:DeleteServiceTemplate", Access::Write, &[ServiceTemplate]),
    action("proton:DeleteServiceTemplateVersion", Access::Write, &[ServiceTemplate]),
    action("proton:DeleteTemplateSyncConfig", Access::Write, &[]),
    action("proton:GetAccountSettings", Access::Read, &[]),
    action("proton:GetComponent", Access::Read, &[Component]),
    action("proton:GetDeployment", Access::Read, &[Deployment]).needs(&[
        OF_COMPONENT,
        OF_ENVIRONMENT,
        OF_SERVICE,
        OF_INSTANCE,
    ]),
    action("proton:GetEnvironment", Access::Read, &[Environment]),
    action("proton:GetEnvironmentAccountConnection", Access::Read, &[EnvironmentAccountConnection]),
    action("proton:GetEnvironmentTemplate", Access::Read, &[EnvironmentTemplate]),
    action("proton:GetEnvironmentTemplateVersion", Access::Read, &[EnvironmentTemplate]),
    action("proton:GetRepository", Access::Read, &[Repository]),
    action("proton:GetRepositorySyncStatus", Access::Read, &[]),
    action("proton:GetResourcesSummary", Access::Read, &[]),
    action("proton:GetService", Access::Read, &[Service]),
    action("proton:GetServiceInstance", Access::Read, &[ServiceInstance]),
    action("proton:GetServiceInstanceSyncStatus", Access::Read, &[]),
    action("proton:GetServiceSyncBlockerSummary", Access::Read, &[]),
    action("proton:GetServiceSyncConfig", Access::Read, &[]),
    action("proton:GetServiceTemplate", Access::Read, &[ServiceTemplate]),
    action("proton:GetServiceTemplateVersion", Access::Read, &[ServiceTemplate]),
    action("proton:GetTemplateSyncConfig", Access::Read, &[]),
    action("proton:GetTemplateSyncStatus", Access::Read, &[]),
    action("proton:ListComponentOutputs", Access::List, &[Component]),
    action("proton:ListComponentProvisionedResources", Access::List, &[Component]),
    action("proton:ListComponents", Access::List, &[Environment]).or_none().entries("proton:GetComponent"),
    action("proton:ListDeployments", Access::List, &[]).entries("proton:GetDeployment"),
    action("proton:ListEnvironmentAccountConnections", Access::List, &[])
        .entries("proton:GetEnvironmentAccountConnection"),
    action("proton:ListEnvironmentOutputs", Access::List, &[Environment]),
    action("proton:ListEnvironmentProvisionedResources", Access::List, &[Environment]),
    action("proton:ListEnvironmentTemplateVersions", Access::List, &[EnvironmentTemplate])
        .entries("proton:GetEnvironmentTemplateVersion"),
    action("proton:ListEnvironmentTemplates", Access::List, &[]).entries("proton:GetEnvironmentTemplate"),
    action("proton:ListEnvironments", Access::List, &[]).entries("proton:GetEnvironment"),
    action("proton:ListRepositories", Access::List, &[]).entries("proton:GetRepository"),
    action("proton:ListRepositorySyncDefinitions", Access::List, &[]),
    action("proton:ListServiceInstanceOutputs", Access::List, &[ServiceInstance]),
    action("proton:ListServiceInstanceProvisionedResources", Access::List, &[ServiceInstance]),
    action("proton:ListServiceInstances", Access::List, &[]).entries("proton:GetServiceInstance"),
    action("proton:ListServicePipelineOutputs", Access::List, &[Service]),
    action("proton:ListServicePipelineProvisionedResources", Access::List, &[Service]),
    action("proton:ListServiceTemplateVersions", Access::List, &[ServiceTemplate])
        .entries("proton:GetServiceTemplateVersion"),
    action("proton:ListServiceTemplates", Access::List, &[]).entries("proton:GetServiceTemplate"),
    action("proton:ListServices", Access::List, &[]).entries("proton:GetService"),
    action("proton:ListTagsForResource", Access::Read, ANY),
    action(
        "proton:NotifyResourceDeploymentStatusChange",
        Access::Write,
        &[Component, Environment, Service, ServiceInstance],
    ),
    action("proton:RejectEnvironmentAccountConnection", Access::Write, &[EnvironmentAccountConnection]),
    action("proton:TagResource", Access::Tagging, ANY).keys(TAGS),
    action("proton:UntagResource", Access::Tagging, ANY).keys(TAG_KEYS),
    action("proton:UpdateAccountSettings", Access::Write, &[]).needs(&[ROLE]),
    action("proton:UpdateComponent", Access::Write, &[Component]),
    action("proton:UpdateEnvironment", Access::Write, &[Environment]).keys(FROM_ENVIRONMENT_TEMPLATE).needs(&[ROLE]),
    action("proton:UpdateEnvironmentAccountConnection", Access::Write, &[EnvironmentAccountConnection]).needs(&[ROLE]),
    action("proton:UpdateEnvironmentTemplate", Access::Write, &[EnvironmentTemplate]),
    action("proton:UpdateEnvironmentTemplateVersion", Access::Write, &[EnvironmentTemplate]),
    action("proton:UpdateService", Access::Write, &[Service]).keys(FROM_SERVICE_TEMPLATE),
    action("proton:UpdateServiceInstance", Access::Write, &[ServiceInstance]).keys(FROM_SERVICE_TEMPLATE),
    action("proton:UpdateServicePipeline", Access::Write, &[Service]).keys(FROM_SERVICE_TEMPLATE),
    action("proton:UpdateServiceSyncBlocker", Access::Write, &[]),
    action("proton:UpdateServiceSyncConfig", Access::Write, &[]),
    action("proton:UpdateServiceTemplate", Access::Write, &[ServiceTemplate]),
    action("proton:UpdateServiceTemplateVersion", Access::Write, &[ServiceTemplate]),
    action("proton:UpdateTemplateSyncConfig", Access::Write, &[]),
];

/// Names that policies still have, AWS's own too, of operations that are no more.
pub(super) const FORMER: &[&str] = &[
    "proton:CreateEnvironmentTemplateMajorVersion",
    "proton:CreateEnvironmentTemplateMinorVersion",
    "proton:CreateServiceTemplateMajorVersion",
    "proton:CreateServiceTemplateMinorVersion",
    "proton:DeleteAccountRoles",
    "proton:DeleteEnvironmentTemplateMajorVersion",
    "proton:DeleteEnvironmentTemplateMinorVersion",
    "proton:DeleteServiceTemplateMajorVersion",
    "proton:DeleteServiceTemplateMinorVersion",
    "proton:GetAccountRoles",
    "proton:GetEnvironmentTemplateMajorVersion",
    "proton:GetEnvironmentTemplateMinorVersion",
    "proton:GetResourceTemplateVersionStatusCounts",
    "proton:GetServiceTemplateMajorVersion",
    "proton:GetServiceTemplateMinorVersion",
    "proton:ListEnvironmentTemplateMajorVersions",
    "proton:ListEnvironmentTemplateMinorVersions",
    "proton:ListServiceTemplateMajorVersions",
    "proton:ListServiceTemplateMinorVersions",
    "proton:UpdateAccountRoles",
    "proton:UpdateEnvironmentTemplateMajorVersion",
    "proton:UpdateEnvironmentTemplateMinorVersion",
    "proton:UpdateServiceTemplateMajorVersion",
    "proton:UpdateServiceTemplateMinorVersion",
];
