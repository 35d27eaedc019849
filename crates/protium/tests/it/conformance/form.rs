//! For every operation a request that succeeds on the site, or several where members exclude each other.

use super::site::TOKEN;
use crate::support::component::{BUCKET, COMPONENT_ROLE, MANIFEST, OTHER_BUCKET};
use crate::support::double::{ROLE, spec as environment_spec};
use crate::support::service::{on_branch, plain_spec, spec};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const CODEBUILD_ROLE: &str = "arn:aws:iam::000000000000:role/codebuild";
const CONNECTION: &str = "arn:aws:codestar-connections:us-east-1:000000000000:connection/c";
/// An issuer that the site has; nothing is asked of it.
pub(super) const ISSUER: &str = "https://issuer.example.com";
pub(super) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}"#;
const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/k";

/// Who sends a request.
#[derive(Clone, Copy)]
pub(super) enum Who {
    Owner,
    /// The account that lends its roles.
    Lender,
}

/// A request that succeeds.
pub(super) struct Form {
    pub(super) operation: &'static str,
    pub(super) who: Who,
    pub(super) input: Value,
}

/// What the site's own names are not known for before it is there.
#[derive(Default)]
pub(super) struct Ids {
    /// What the ARNs begin with, without the last colon.
    pub(super) prefix: String,
    pub(super) blocker: String,
    /// One that a destination refused for good.
    pub(super) event: String,
    /// By the environment that they are for: `held` uses its own, `ready` may use its own, `no` was rejected, `fresh`
    /// waits.
    pub(super) connections: BTreeMap<String, String>,
    /// The id of the access key of the user `ada`.
    pub(super) key: String,
    /// The last ones of an `environment`, an `instance`, a `pipeline`, a `component`, and what is `waiting`.
    pub(super) deployments: BTreeMap<String, String>,
}

impl Ids {
    fn arn(&self, resource: &str) -> String {
        format!("{}:{resource}", self.prefix)
    }

    fn connection(&self, of: &str) -> &str {
        self.connections.get(of).map_or("", String::as_str)
    }

    fn deployment(&self, of: &str) -> &str {
        self.deployments.get(of).map_or("", String::as_str)
    }
}

fn form(operation: &'static str, input: Value) -> Form {
    Form { operation, who: Who::Owner, input }
}

fn lender(operation: &'static str, input: Value) -> Form {
    Form { operation, who: Who::Lender, input }
}

fn tags() -> Value {
    json!([{ "key": "team", "value": "blue" }])
}

fn source(key: &str) -> Value {
    json!({ "s3": { "bucket": "bundles", "key": key } })
}

fn repository() -> Value {
    json!({ "provider": "GITHUB", "name": "acme/infra", "branch": "main" })
}

/// The forms of all operations by noun, those of one operation together.
pub(super) fn forms(ids: &Ids) -> Vec<(&'static str, Vec<Form>)> {
    vec![
        ("templates", templates()),
        ("versions", versions()),
        ("environments", environments(ids)),
        ("accounts", accounts(ids)),
        ("services", services()),
        ("parts", parts(ids)),
        ("components", components(ids)),
        ("syncs", syncs(ids)),
        ("records", records(ids)),
        ("identities", identities(ids)),
    ]
}

fn templates() -> Vec<Form> {
    let spare = || json!({ "name": "spare" });
    let create = |provisioning: &str| {
        json!({
            "name": "new", "displayName": "New", "description": "a template", "encryptionKey": KEY, "tags": tags(),
            provisioning: "CUSTOMER_MANAGED",
        })
    };
    let update = || json!({ "name": "spare", "displayName": "Spare", "description": "a template" });
    let page = || json!({ "maxResults": 2, "nextToken": TOKEN });
    vec![
        form("CreateEnvironmentTemplate", create("provisioning")),
        form("CreateServiceTemplate", create("pipelineProvisioning")),
        form("GetEnvironmentTemplate", spare()),
        form("GetServiceTemplate", spare()),
        form("ListEnvironmentTemplates", page()),
        form("ListServiceTemplates", page()),
        form("UpdateEnvironmentTemplate", update()),
        form("UpdateServiceTemplate", update()),
        form("DeleteEnvironmentTemplate", spare()),
        form("DeleteServiceTemplate", spare()),
    ]
}

fn versions() -> Vec<Form> {
    let draft = |template: &str| json!({ "templateName": template, "majorVersion": "1", "minorVersion": "0" });
    let with = |mut input: Value, more: Value| {
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    let create = |template: &str, key: &str| {
        json!({
            "templateName": template, "majorVersion": "1", "description": "a version", "clientToken": "token-1",
            "tags": tags(), "source": source(key),
        })
    };
    let compatible = json!([{ "templateName": "env", "majorVersion": "1" }]);
    let of_service =
        || json!({ "compatibleEnvironmentTemplates": compatible, "supportedComponentSources": ["DIRECTLY_DEFINED"] });
    let update = json!({ "description": "a version", "status": "PUBLISHED" });
    let page =
        |template: &str| json!({ "templateName": template, "majorVersion": "1", "maxResults": 1, "nextToken": TOKEN });
    vec![
        form("CreateEnvironmentTemplateVersion", create("env", "env.tar.gz")),
        form("CreateServiceTemplateVersion", with(create("svc", "svc.tar.gz"), of_service())),
        form("GetEnvironmentTemplateVersion", draft("drafts")),
        form("GetServiceTemplateVersion", draft("svcdrafts")),
        form("ListEnvironmentTemplateVersions", page("env")),
        form("ListServiceTemplateVersions", page("svc")),
        form("UpdateEnvironmentTemplateVersion", with(draft("drafts"), update.clone())),
        form("UpdateServiceTemplateVersion", with(with(draft("svcdrafts"), update), of_service())),
        form("DeleteEnvironmentTemplateVersion", draft("drafts")),
        form("DeleteServiceTemplateVersion", draft("svcdrafts")),
    ]
}

fn environments(ids: &Ids) -> Vec<Form> {
    let create = |name: &str, template: &str| {
        json!({
            "name": name, "templateName": template, "templateMajorVersion": "1", "templateMinorVersion": "0",
            "spec": environment_spec("large"),
        })
    };
    let mut with_role = create("new", "env");
    with_role["protonServiceRoleArn"] = ROLE.into();
    with_role["componentRoleArn"] = COMPONENT_ROLE.into();
    with_role["codebuildRoleArn"] = CODEBUILD_ROLE.into();
    with_role["description"] = "an environment".into();
    with_role["tags"] = tags();
    let mut through = create("ready", "env");
    through["environmentAccountConnectionId"] = ids.connection("ready").into();
    let mut by_hand = create("new", "tf");
    by_hand["provisioningRepository"] = repository();
    vec![
        form("CreateEnvironment", with_role),
        form("CreateEnvironment", through),
        form("CreateEnvironment", by_hand),
        form("GetEnvironment", json!({ "name": "prod" })),
        form(
            "ListEnvironments",
            json!({
                "environmentTemplates": [{ "templateName": "env", "majorVersion": "1" }],
                "maxResults": 2, "nextToken": TOKEN,
            }),
        ),
        form(
            "UpdateEnvironment",
            json!({
                "name": "idle", "deploymentType": "MINOR_VERSION", "templateMajorVersion": "1",
                "templateMinorVersion": "1", "spec": environment_spec("huge"), "description": "an environment",
                "protonServiceRoleArn": "arn:aws:iam::000000000000:role/another", "componentRoleArn": COMPONENT_ROLE,
                "codebuildRoleArn": CODEBUILD_ROLE,
            }),
        ),
        form(
            "UpdateEnvironment",
            json!({
                "name": "held", "deploymentType": "CURRENT_VERSION",
                "environmentAccountConnectionId": ids.connection("held"),
            }),
        ),
        form(
            "UpdateEnvironment",
            json!({
                "name": "dev", "deploymentType": "CURRENT_VERSION", "provisioningRepository": repository(),
            }),
        ),
        form("CancelEnvironmentDeployment", json!({ "environmentName": "going" })),
        form("DeleteEnvironment", json!({ "name": "idle" })),
        form(
            "ListEnvironmentOutputs",
            json!({
                "environmentName": "idle", "deploymentId": ids.deployment("environment"), "nextToken": "",
            }),
        ),
        form("ListEnvironmentProvisionedResources", json!({ "environmentName": "idle", "nextToken": "" })),
    ]
}

fn accounts(ids: &Ids) -> Vec<Form> {
    let lent = |name: &str| format!("arn:aws:iam::222222222222:role/{name}");
    let of = |environment: &str| json!({ "id": ids.connection(environment) });
    vec![
        lender(
            "CreateEnvironmentAccountConnection",
            json!({
                "managementAccountId": crate::support::app::ACCOUNT, "environmentName": "new", "roleArn": lent("lent"),
                "componentRoleArn": lent("components"), "codebuildRoleArn": lent("codebuild"), "clientToken": "token-1",
                "tags": tags(),
            }),
        ),
        form("GetEnvironmentAccountConnection", of("held")),
        form(
            "ListEnvironmentAccountConnections",
            json!({
                "requestedBy": "MANAGEMENT_ACCOUNT", "statuses": ["CONNECTED"], "maxResults": 1, "nextToken": TOKEN,
            }),
        ),
        lender(
            "ListEnvironmentAccountConnections",
            json!({
                "requestedBy": "ENVIRONMENT_ACCOUNT", "environmentName": "held",
            }),
        ),
        lender(
            "UpdateEnvironmentAccountConnection",
            json!({
                "id": ids.connection("fresh"), "roleArn": lent("another"), "componentRoleArn": lent("another"),
                "codebuildRoleArn": lent("another"),
            }),
        ),
        form("AcceptEnvironmentAccountConnection", of("fresh")),
        form("RejectEnvironmentAccountConnection", of("fresh")),
        lender("DeleteEnvironmentAccountConnection", of("fresh")),
        form("CreateAccount", json!({ "id": "444444444444" })),
        form("ListAccounts", json!({ "maxResults": 1, "nextToken": TOKEN })),
        form("ListEventDeliveries", json!({ "maxResults": 1, "nextToken": TOKEN })),
        form(
            "ListEventDeliveries",
            json!({
                "destination": "hook", "state": "DEAD", "resourceArn": ids.arn("environment-template/spare"),
            }),
        ),
        form("RedeliverEvents", json!({ "destination": "hook", "eventId": ids.event })),
        form(
            "ListAuditRecords",
            json!({
                "startTime": 1_600_000_000.5, "endTime": 4_000_000_000_i64, "operation": "CreateEnvironment",
                "principalArn": "arn:aws:iam::000000000000:root", "outcome": "SUCCEEDED",
                "maxResults": 1, "nextToken": TOKEN,
            }),
        ),
        form(
            "ListAuditRecords",
            json!({
                "resourceArn": ids.arn("environment/idle"), "requestId": "01890a5d-ac96-774b-bcce-b302099a8057",
            }),
        ),
        form(
            "CreateRole",
            json!({
                "roleName": "new", "trustPolicy": TRUST, "description": "of CI", "maxSessionDuration": 7200,
                "tags": [{ "key": "team", "value": "blue" }],
            }),
        ),
        form("GetRole", json!({ "roleName": "ci" })),
        form("ListRoles", json!({ "maxResults": 1, "nextToken": TOKEN })),
        form(
            "UpdateRole",
            json!({
                "roleName": "ci", "trustPolicy": TRUST, "description": "of CI", "maxSessionDuration": 3600,
                "tags": [{ "key": "team", "value": "blue" }],
            }),
        ),
        form("DeleteRole", json!({ "roleName": "other" })),
        form("CreateOidcProvider", provider("https://new.example.com")),
        form("GetOidcProvider", json!({ "url": ISSUER })),
        form("ListOidcProviders", json!({ "maxResults": 1, "nextToken": TOKEN })),
        form("UpdateOidcProvider", provider(ISSUER)),
        form("DeleteOidcProvider", json!({ "url": ISSUER })),
        form("GetAccountSettings", json!({})),
        form(
            "UpdateAccountSettings",
            json!({
                "pipelineServiceRoleArn": ROLE, "pipelineCodebuildRoleArn": CODEBUILD_ROLE,
                "pipelineProvisioningRepository": repository(),
            }),
        ),
        form("UpdateAccountSettings", json!({ "deletePipelineProvisioningRepository": true })),
    ]
}

fn provider(url: &str) -> Value {
    json!({ "url": url, "clientIds": ["sts.amazonaws.com"], "tokenReuse": "ONCE" })
}

fn services() -> Vec<Form> {
    vec![
        form(
            "CreateService",
            json!({
                "name": "new", "templateName": "svc", "templateMajorVersion": "1", "templateMinorVersion": "0",
                "spec": spec(&[("a", 1)]), "description": "a service", "tags": tags(),
                "repositoryConnectionArn": CONNECTION, "repositoryId": "team/code", "branchName": "main",
            }),
        ),
        form("GetService", json!({ "name": "shop" })),
        form("ListServices", json!({ "maxResults": 2, "nextToken": TOKEN })),
        form(
            "UpdateService",
            json!({
                "name": "shop", "description": "a service", "spec": spec(&[("a", 1), ("b", 2)]),
            }),
        ),
        form("DeleteService", json!({ "name": "shop" })),
        form(
            "CreateServiceInstance",
            json!({
                "serviceName": "shop", "name": "b", "spec": spec(&[("a", 1), ("b", 2)]), "clientToken": "token-1",
                "tags": tags(), "templateMajorVersion": "1", "templateMinorVersion": "0",
            }),
        ),
        form(
            "UpdateServiceInstance",
            json!({
                "serviceName": "shop", "name": "a", "spec": spec(&[("a", 5)]), "clientToken": "token-1",
                "deploymentType": "MINOR_VERSION", "templateMajorVersion": "1", "templateMinorVersion": "1",
            }),
        ),
        form(
            "UpdateServicePipeline",
            json!({
                "serviceName": "shop", "spec": on_branch("dev", &[("a", 1)]), "deploymentType": "MINOR_VERSION",
                "templateMajorVersion": "1", "templateMinorVersion": "1",
            }),
        ),
    ]
}

fn parts(ids: &Ids) -> Vec<Form> {
    let instance = || json!({ "serviceName": "shop", "serviceInstanceName": "a" });
    vec![
        form("GetServiceInstance", json!({ "serviceName": "shop", "name": "a" })),
        form(
            "ListServiceInstances",
            json!({
                "filters": [{ "key": "environmentName", "value": "prod" }], "sortBy": "createdAt",
                "sortOrder": "DESCENDING", "maxResults": 2, "nextToken": TOKEN,
            }),
        ),
        form("ListServiceInstances", json!({ "serviceName": "wide", "maxResults": 1, "nextToken": TOKEN })),
        form("CancelServiceInstanceDeployment", json!({ "serviceName": "busy", "serviceInstanceName": "a" })),
        form(
            "ListServiceInstanceOutputs",
            json!({
                "serviceName": "shop", "serviceInstanceName": "a", "deploymentId": ids.deployment("instance"),
                "nextToken": "",
            }),
        ),
        form("ListServiceInstanceProvisionedResources", {
            let mut input = instance();
            input["nextToken"] = "".into();
            input
        }),
        form("CancelServicePipelineDeployment", json!({ "serviceName": "piped" })),
        form(
            "ListServicePipelineOutputs",
            json!({
                "serviceName": "shop", "deploymentId": ids.deployment("pipeline"), "nextToken": "",
            }),
        ),
        form("ListServicePipelineProvisionedResources", json!({ "serviceName": "shop", "nextToken": "" })),
    ]
}

fn components(ids: &Ids) -> Vec<Form> {
    vec![
        form(
            "CreateComponent",
            json!({
                "name": "new", "serviceName": "wide", "serviceInstanceName": "b", "serviceSpec": plain_spec(&[("b", 7)]),
                "manifest": MANIFEST, "templateFile": BUCKET, "description": "a component", "tags": tags(),
                "clientToken": "token-1",
            }),
        ),
        form(
            "CreateComponent",
            json!({
                "name": "new", "environmentName": "prod", "manifest": MANIFEST, "templateFile": BUCKET,
            }),
        ),
        form("GetComponent", json!({ "name": "bucket" })),
        form("ListComponents", json!({ "environmentName": "prod", "maxResults": 1, "nextToken": TOKEN })),
        form("ListComponents", json!({ "serviceName": "web", "serviceInstanceName": "a" })),
        form(
            "UpdateComponent",
            json!({
                "name": "lone", "deploymentType": "CURRENT_VERSION", "description": "a component",
                "serviceName": "wide", "serviceInstanceName": "b", "serviceSpec": plain_spec(&[("b", 7)]),
                "templateFile": OTHER_BUCKET, "clientToken": "token-1",
            }),
        ),
        form(
            "UpdateComponent",
            json!({
                "name": "bucket", "deploymentType": "CURRENT_VERSION", "serviceName": "", "serviceInstanceName": "",
            }),
        ),
        form("UpdateComponent", json!({ "name": "lone", "deploymentType": "NONE", "description": "a component" })),
        form("CancelComponentDeployment", json!({ "componentName": "slow" })),
        form("DeleteComponent", json!({ "name": "lone" })),
        form(
            "ListComponentOutputs",
            json!({
                "componentName": "lone", "deploymentId": ids.deployment("component"), "nextToken": "",
            }),
        ),
        form("ListComponentProvisionedResources", json!({ "componentName": "lone", "nextToken": "" })),
    ]
}

fn syncs(ids: &Ids) -> Vec<Form> {
    let spare = || json!({ "provider": "GITHUB", "name": "o/spare" });
    let of = |more: Value| {
        let mut input = json!({ "repositoryProvider": "GITHUB", "repositoryName": "o/r", "branch": "main" });
        input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        input
    };
    let followed = || json!({ "templateType": "ENVIRONMENT", "templateName": "followed" });
    let file = "ops/proton-ops.yaml";
    vec![
        form(
            "CreateRepository",
            json!({
                "provider": "GITHUB", "name": "o/new", "connectionArn": CONNECTION, "encryptionKey": KEY, "tags": tags(),
            }),
        ),
        form("GetRepository", spare()),
        form("ListRepositories", json!({ "maxResults": 1, "nextToken": TOKEN })),
        form("DeleteRepository", spare()),
        form("GetRepositorySyncStatus", of(json!({ "syncType": "TEMPLATE_SYNC" }))),
        form(
            "ListRepositorySyncDefinitions",
            json!({
                "repositoryProvider": "GITHUB", "repositoryName": "o/r", "syncType": "TEMPLATE_SYNC", "nextToken": "",
            }),
        ),
        form(
            "CreateTemplateSyncConfig",
            of(json!({
                "templateType": "ENVIRONMENT", "templateName": "spare", "subdirectory": "templates/env",
            })),
        ),
        form("GetTemplateSyncConfig", followed()),
        form(
            "UpdateTemplateSyncConfig",
            of(json!({
                "templateType": "ENVIRONMENT", "templateName": "followed", "subdirectory": "templates/env",
            })),
        ),
        form("DeleteTemplateSyncConfig", followed()),
        form("GetTemplateSyncStatus", {
            let mut input = followed();
            input["templateVersion"] = "1".into();
            input
        }),
        form("CreateServiceSyncConfig", of(json!({ "serviceName": "wide", "filePath": file }))),
        form("GetServiceSyncConfig", json!({ "serviceName": "synced" })),
        form("UpdateServiceSyncConfig", of(json!({ "serviceName": "synced", "filePath": "ops/another.yaml" }))),
        form("DeleteServiceSyncConfig", json!({ "serviceName": "synced" })),
        form("GetServiceInstanceSyncStatus", json!({ "serviceName": "synced", "serviceInstanceName": "a" })),
        form("GetServiceSyncBlockerSummary", json!({ "serviceName": "synced", "serviceInstanceName": "a" })),
        form("UpdateServiceSyncBlocker", json!({ "id": ids.blocker, "resolvedReason": "it is in Git now" })),
    ]
}

fn records(ids: &Ids) -> Vec<Form> {
    vec![
        form(
            "GetDeployment",
            json!({
                "id": ids.deployment("instance"), "environmentName": "prod", "serviceName": "shop",
                "serviceInstanceName": "a",
            }),
        ),
        form("GetDeployment", json!({ "id": ids.deployment("component"), "componentName": "lone" })),
        form("ListDeployments", json!({ "maxResults": 1, "nextToken": TOKEN })),
        form(
            "ListDeployments",
            json!({
                "environmentName": "prod", "serviceName": "shop", "serviceInstanceName": "a",
            }),
        ),
        form("ListDeployments", json!({ "componentName": "lone" })),
        // Of one that is under way: more may come.
        form("GetDeploymentLogs", json!({ "id": ids.deployment("waiting"), "maxResults": 2, "nextToken": TOKEN })),
        form("DeleteDeployment", json!({ "id": ids.deployment("instance") })),
        form(
            "NotifyResourceDeploymentStatusChange",
            json!({
                "resourceArn": ids.arn("environment/wait"), "deploymentId": ids.deployment("waiting"),
                "status": "SUCCEEDED", "statusMessage": "applied", "outputs": [{ "key": "Vpc", "valueString": "vpc-2" }],
            }),
        ),
        form("GetResourcesSummary", json!({})),
        form(
            "ListTagsForResource",
            json!({
                "resourceArn": ids.arn("environment/idle"), "maxResults": 1, "nextToken": TOKEN,
            }),
        ),
        form("TagResource", json!({ "resourceArn": ids.arn("environment/idle"), "tags": tags() })),
        form("UntagResource", json!({ "resourceArn": ids.arn("environment/idle"), "tagKeys": ["team"] })),
        form("ForceDelete", json!({ "resourceArn": ids.arn("environment/idle"), "infrastructure": "DELETE" })),
        form(
            "Redeploy",
            json!({
                "resourceArn": ids.arn("environment/idle"), "spec": environment_spec("huge"),
                "templateMajorVersion": "1", "templateMinorVersion": "1",
            }),
        ),
    ]
}

/// A policy that allows something.
pub(super) fn allowing(action: &str) -> String {
    let statement = json!({ "Sid": "one", "Effect": "Allow", "Action": action, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn identities(ids: &Ids) -> Vec<Form> {
    let (document, boundary) = (allowing("proton:Get*"), "ProtiumFullAccess");
    let page = || json!({ "maxResults": 1, "nextToken": TOKEN });
    let both = |user: &str| json!({ "userName": user, "groupName": "makers" });
    let simulate = || {
        json!({
            "action": "proton:GetService", "resource": ids.arn("service/shop"),
            "context": [{ "key": "aws:SourceIp", "values": ["203.0.113.7"] }],
        })
    };
    let with = |mut input: Value, name: &str, value: Value| {
        input[name] = value;
        input
    };
    let user = |input: Value| with(input, "userName", "ada".into());
    let group = |input: Value| with(input, "groupName", "makers".into());
    let role = |input: Value| with(input, "roleName", "ci".into());
    vec![
        form("CreateUser", json!({ "userName": "new", "tags": tags(), "permissionsBoundary": boundary })),
        form("GetUser", json!({ "userName": "ada" })),
        form("ListUsers", page()),
        form("UpdateUser", json!({ "userName": "ada", "tags": tags(), "permissionsBoundary": boundary })),
        form("DeleteUser", json!({ "userName": "eve" })),
        form("CreateGroup", json!({ "groupName": "new" })),
        form("GetGroup", with(page(), "groupName", "makers".into())),
        form("ListGroups", page()),
        form("DeleteGroup", json!({ "groupName": "empty" })),
        form("AddUserToGroup", both("eve")),
        form("RemoveUserFromGroup", both("ada")),
        form("CreateAccessKey", json!({ "userName": "ada" })),
        form("ListAccessKeys", json!({ "userName": "ada" })),
        form("UpdateAccessKey", json!({ "accessKeyId": ids.key, "userName": "ada", "status": "INACTIVE" })),
        form("DeleteAccessKey", json!({ "accessKeyId": ids.key, "userName": "ada" })),
        form("CreatePolicy", json!({ "policyName": "new", "policyDocument": document, "description": "reads" })),
        form("GetPolicy", json!({ "policy": "held" })),
        form("ListPolicies", with(page(), "type", "BUILT_IN".into())),
        form("UpdatePolicy", json!({ "policy": "held", "policyDocument": document, "description": "reads" })),
        form("DeletePolicy", json!({ "policy": "free" })),
        form("AttachPolicy", user(json!({ "policy": "free" }))),
        form("AttachPolicy", group(json!({ "policy": "free" }))),
        form("AttachPolicy", role(json!({ "policy": "free" }))),
        form("DetachPolicy", user(json!({ "policy": "held" }))),
        form("DetachPolicy", group(json!({ "policy": "held" }))),
        form("DetachPolicy", role(json!({ "policy": "held" }))),
        form("PutInlinePolicy", user(json!({ "policyName": "new", "policyDocument": document }))),
        form("PutInlinePolicy", group(json!({ "policyName": "new", "policyDocument": document }))),
        form("PutInlinePolicy", role(json!({ "policyName": "new", "policyDocument": document }))),
        form("GetInlinePolicy", user(json!({ "policyName": "inner" }))),
        form("GetInlinePolicy", group(json!({ "policyName": "inner" }))),
        form("GetInlinePolicy", role(json!({ "policyName": "inner" }))),
        form("DeleteInlinePolicy", user(json!({ "policyName": "inner" }))),
        form("DeleteInlinePolicy", group(json!({ "policyName": "inner" }))),
        form("DeleteInlinePolicy", role(json!({ "policyName": "inner" }))),
        form("SimulatePolicy", user(simulate())),
        form("SimulatePolicy", group(simulate())),
        form("SimulatePolicy", role(simulate())),
        form("SimulatePolicy", with(simulate(), "policyDocuments", json!([document]))),
    ]
}
