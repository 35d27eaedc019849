//! Templates of Terraform, a linked repository, and what CI says when it has applied them.

use super::app::TestApp;
use super::bundle;
use super::double::{Site, spec};
use super::notification::{notify, outputs};
use super::service::{Shop, but, create as create_service, spec as service_spec};
use serde_json::{Value, json};

/// Not for Jinja, whatever it looks like.
pub const MAIN: &str = "resource \"null_resource\" \"a\" { triggers = { size = \"{{ not jinja }}\" } }\n";

/// The files of an environment bundle, of which some are not taken.
pub fn terraform_environment() -> Vec<(&'static str, &'static str)> {
    vec![
        ("schema/schema.yaml", bundle::ENVIRONMENT_SCHEMA),
        ("infrastructure/manifest.yaml", bundle::TERRAFORM_MANIFEST),
        ("infrastructure/main.tf", MAIN),
        ("infrastructure/outputs.tf", "output \"a\" { value = 1 }\n"),
        ("infrastructure/README.md", "not taken\n"),
        ("infrastructure/modules/deep.tf", "# not taken\n"),
    ]
}

/// The files of a service bundle with a pipeline.
pub fn terraform_service() -> Vec<(&'static str, &'static str)> {
    vec![
        ("schema/schema.yaml", bundle::SERVICE_SCHEMA),
        ("instance_infrastructure/manifest.yaml", bundle::TERRAFORM_MANIFEST),
        ("instance_infrastructure/main.tf", MAIN),
        ("pipeline_infrastructure/manifest.yaml", bundle::TERRAFORM_MANIFEST),
        ("pipeline_infrastructure/main.tf", MAIN),
    ]
}

/// The template `tf`, published, and the repository `acme/infra`.
pub async fn field(site: &Site) {
    link(&site.app, "acme/infra").await;
    site.published("tf", &terraform_environment(), None).await;
}

/// Beside what a shop has: the environment `dev` with an output, the service template `tfsvc`, and the account's
/// repository.
pub async fn self_managed_shop(shop: &Shop) {
    field(&shop.site).await;
    shop.app.ok("UpdateAccountSettings", json!({ "pipelineProvisioningRepository": repository("main") })).await;
    deployed(&shop.site, "dev", &[("Vpc", "vpc-1")]).await;
    shop.app.ok("CreateServiceTemplate", json!({ "name": "tfsvc" })).await;
    shop.published("tfsvc", &terraform_service(), None, &["tf:1", "env:1"]).await;
}

pub async fn link(app: &TestApp, name: &str) {
    let connection = "arn:aws:codestar-connections:us-east-1:000000000000:connection/c";
    app.ok("CreateRepository", json!({ "provider": "GITHUB", "name": name, "connectionArn": connection })).await;
}

/// A branch of `acme/infra`.
pub fn repository(branch: &str) -> Value {
    json!({ "provider": "GITHUB", "name": "acme/infra", "branch": branch })
}

/// The input of a create on `tf` 1.
pub fn create(name: &str) -> Value {
    json!({ "name": name, "templateName": "tf", "templateMajorVersion": "1", "spec": spec("large"),
        "provisioningRepository": repository("main") })
}

/// The input of a create on `tfsvc` 1 with the instance `a` in `dev`.
pub fn service(name: &str) -> Value {
    but(create_service(name, &[]), json!({ "templateName": "tfsvc", "spec": in_dev(&[("a", 1)]) }))
}

/// A service's spec with instances in `dev`.
pub fn in_dev(instances: &[(&str, u16)]) -> String {
    service_spec(instances).replace("environment: prod", "environment: dev")
}

/// Creates an environment, whose deployment then waits.
pub async fn waiting(site: &Site, name: &str) {
    site.app.ok("CreateEnvironment", create(name)).await;
    site.app.work().await;
    assert_eq!(site.status(name).await.0, "IN_PROGRESS");
}

/// An environment with these outputs.
pub async fn deployed(site: &Site, name: &str, with: &[(&str, &str)]) {
    waiting(site, name).await;
    succeed(&site.app, &format!("environment/{name}"), with).await;
    site.app.work().await;
}

/// Notifies that the deployment of a resource, given by the last part of its ARN, succeeded.
pub async fn succeed(app: &TestApp, resource: &str, with: &[(&str, &str)]) {
    let mut input = json!({ "status": "SUCCEEDED" });
    if !with.is_empty() {
        input["outputs"] = outputs(with);
    }
    notify(app, resource, input).await.unwrap();
}
