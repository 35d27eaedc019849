//! Terraform that the program runs itself, with the real `terraform`. Where that is not installed, the tests say so and
//! leave their part out.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::program::{Program, until};
use super::runs::{Site, is_alive, supervisor};
use crate::on_both;
use crate::support::bundle::{ENVIRONMENT_SCHEMA, SERVICE_SCHEMA, TERRAFORM_MANIFEST, pack};
use crate::support::database::TestDb;
use crate::support::double::{resize, spec, version_of};

/// Outputs of every kind, and a backend that whoever runs it is to fill in.
pub(super) const MAIN: &str = r#"
terraform {
  backend "s3" {}
}

resource "terraform_data" "site" {
  input = { size = var.environment.inputs.size, zones = ["a", "b"] }
}

output "Size" { value = terraform_data.site.output.size }
output "Zones" { value = terraform_data.site.output.zones }
output "Ports" { value = { http = 80 } }
output "Count" { value = 2 }
output "Tagged" { value = var.proton_tags["proton:environment"] }
output "Word" {
  value     = "seen-by-whoever-lists-outputs"
  sensitive = true
}
"#;

/// It reads the outputs of its environment by their types, in a module too.
const INSTANCE: &str = r#"
module "text" {
  source = "./modules/text"
  zones  = var.environment.outputs.Zones
}

output "Url" {
  value = "${var.service_instance.name}:${var.service_instance.inputs.port + var.environment.outputs.Count}/${module.text.joined}"
}
output "Http" { value = var.environment.outputs.Ports.http + 1 }
"#;

const MODULE: &str = r#"
variable "zones" { type = list(string) }
output "joined" { value = join("+", var.zones) }
"#;

const PIPELINE: &str = r#"
output "Urls" { value = [for one in var.service_instances : one.outputs.Url] }
"#;

/// Its second resource is made only if it is small; a large one is held up until the test makes the file `go`.
const SECOND: &str = r#"
resource "terraform_data" "first" {
  input = 1
}

resource "terraform_data" "second" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = <<-END
      case ${var.environment.inputs.size} in
        large) echo waiting; until [ -e "$PROTIUM_STATE_DIR/go" ]; do sleep 0.02; done ;;
        medium) exit 7 ;;
      esac
    END
  }
}

output "First" { value = terraform_data.first.id }
"#;

pub(super) fn bundle(main: &str) -> [(&str, &str); 3] {
    [
        ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
        ("infrastructure/manifest.yaml", TERRAFORM_MANIFEST),
        ("infrastructure/main.tf", main),
    ]
}

/// Whether the real thing is where runs look for it.
pub(super) fn is_installed() -> bool {
    let found =
        ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join("terraform").exists());
    if !found {
        eprintln!("left out: terraform is not installed in /usr/local/bin or /usr/bin");
    }
    found
}

pub(super) fn create(size: &str) -> Value {
    json!({ "name": "e", "templateName": "env", "templateMajorVersion": "1", "spec": spec(size) })
}

async fn site<'a>(db: &'a mut TestDb, main: &str) -> Site<'a> {
    Site::of(db, |start| start, &bundle(main)).await
}

/// The service template `svc`, whose instance and pipeline are Terraform, published.
async fn publish_service(program: &Program) {
    program.ok("CreateServiceTemplate", json!({ "name": "svc" })).await;
    let files = [
        ("schema/schema.yaml", SERVICE_SCHEMA),
        ("instance_infrastructure/manifest.yaml", TERRAFORM_MANIFEST),
        ("instance_infrastructure/main.tf", INSTANCE),
        ("instance_infrastructure/modules/text/main.tf", MODULE),
        ("pipeline_infrastructure/manifest.yaml", TERRAFORM_MANIFEST),
        ("pipeline_infrastructure/main.tf", PIPELINE),
    ];
    program.upload("bundles", "svc.tar.gz", pack(&files)).await;
    let input = json!({
        "templateName": "svc", "source": { "s3": { "bucket": "bundles", "key": "svc.tar.gz" } },
        "compatibleEnvironmentTemplates": [{ "templateName": "env", "majorVersion": "1" }],
    });
    program.ok("CreateServiceTemplateVersion", input).await;
    until("the registration", async || {
        let version = program.ok("GetServiceTemplateVersion", version_of("svc", "1.0")).await;
        (version["serviceTemplateVersion"]["status"] == "DRAFT").then_some(())
    })
    .await;
    let mut publish = version_of("svc", "1.0");
    publish["status"] = "PUBLISHED".into();
    program.ok("UpdateServiceTemplateVersion", publish).await;
}

/// A service with one instance in `e`, at rest.
async fn create_service(program: &Program) {
    let spec = "proton: ServiceSpec\ninstances:\n- name: one\n  environment: e\n  spec:\n    port: 8000\n";
    let input = json!({
        "name": "web", "templateName": "svc", "templateMajorVersion": "1", "spec": spec,
        "repositoryConnectionArn": "arn:aws:codestar-connections:us-east-1:000000000000:connection/c",
        "repositoryId": "acme/web", "branchName": "main",
    });
    program.ok("CreateService", input).await;
    until("the service", async || {
        let service = program.ok("GetService", json!({ "name": "web" })).await["service"].clone();
        let status = service["status"].as_str().unwrap().to_owned();
        assert!(["CREATE_IN_PROGRESS", "ACTIVE"].contains(&status.as_str()), "{service}\n{}", program.log());
        (status == "ACTIVE").then_some(())
    })
    .await;
}

fn pairs(listed: &Value) -> Value {
    let pairs = listed["outputs"].as_array().unwrap().iter();
    pairs.map(|pair| (pair["key"].as_str().unwrap().to_owned(), pair["valueString"].clone())).collect()
}

on_both! {
    terraform_is_planned_applied_read_updated_and_destroyed, async |db| {
        if !is_installed() {
            return;
        }
        let site = site(db, MAIN).await;
        let program = &site.program;
        program.ok("CreateEnvironment", create("large")).await;
        program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({
            "Size": "large", "Zones": "[\"a\",\"b\"]", "Ports": "{\"http\":80}", "Count": "2",
            "Tagged": "arn:aws:proton:us-east-1:000000000000:environment/e",
            "Word": "seen-by-whoever-lists-outputs",
        }));
        let made = program.ok("ListEnvironmentProvisionedResources", json!({ "environmentName": "e" })).await;
        let made = &made["provisionedResources"][0];
        assert_eq!(made["provisioningEngine"], "TERRAFORM");
        assert!(made["name"].as_str().unwrap().starts_with("AWSProton-e-"), "{made}");
        let log = site.logs().pop().unwrap();
        assert!(log.contains("Plan: 1 to add, 0 to change, 0 to destroy."), "{log}");
        assert!(!log.contains("seen-by-whoever"), "{log}");
        let (resource, environment) = (site.resource(), site.resource().join("state"));
        let plans = || fs::read_dir(&resource).unwrap().filter_map(|run| fs::read_to_string(run.unwrap().path().join("plan.txt")).ok());
        assert!(plans().any(|plan| plan.contains("terraform_data.site will be created")), "the plan is kept");

        program.ok("UpdateEnvironment", resize("e", "huge")).await;
        program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await["Size"], "huge");
        assert!(site.logs().pop().unwrap().contains("Plan: 0 to add, 1 to change, 0 to destroy."));
        assert!(plans().any(|plan| plan.contains("terraform_data.site will be updated")));

        publish_service(program).await;
        create_service(program).await;
        let instance = json!({ "serviceName": "web", "serviceInstanceName": "one" });
        let outputs = pairs(&program.ok("ListServiceInstanceOutputs", instance).await);
        assert_eq!(outputs, json!({ "Url": "one:8002/a+b", "Http": "81" }));
        let outputs = pairs(&program.ok("ListServicePipelineOutputs", json!({ "serviceName": "web" })).await);
        assert_eq!(outputs, json!({ "Urls": "[\"one:8002/a+b\"]" }));

        program.ok("DeleteService", json!({ "name": "web" })).await;
        until("the end of the service", async || program.call("GetService", json!({ "name": "web" })).await.err()).await;
        assert!(environment.exists());
        program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        program.gone("e").await;
        assert!(!environment.exists(), "the state goes with what it was of");
    }

    an_apply_that_fails_is_gone_on_with, async |db| {
        if !is_installed() {
            return;
        }
        let site = site(db, SECOND).await;
        let program = &site.program;
        program.ok("CreateEnvironment", create("medium")).await;
        let message = site.message("FAILED").await;
        assert!(message.contains("ended with status 1: \"$tf\" apply") && message.contains("exit status 7"), "{message}");
        let state = site.resource().join("state/terraform.tfstate");
        let first = |state: &Path| serde_json::from_slice::<Value>(&fs::read(state).unwrap()).unwrap()["resources"][0]["instances"][0]["attributes"]["id"].clone();
        let made = first(&state);
        program.ok("UpdateEnvironment", resize("e", "small")).await;
        program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "First": made }), "what was made is not made again");
        program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        program.gone("e").await;
        assert!(site.logs().pop().unwrap().contains("2 destroyed"));
    }

    a_state_that_is_gone_is_not_taken_for_none, async |db| {
        if !is_installed() {
            return;
        }
        let site = site(db, MAIN).await;
        let program = &site.program;
        program.ok("CreateEnvironment", create("large")).await;
        program.environment("e", "SUCCEEDED").await;
        let (state, elsewhere) = (site.resource().join("state"), site.resource().join("elsewhere"));
        fs::rename(&state, &elsewhere).unwrap();
        program.ok("UpdateEnvironment", resize("e", "huge")).await;
        let message = site.message("FAILED").await;
        assert!(message.contains("is missing, which was deployed before"), "{message}");
        program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        assert!(site.message("DELETE_FAILED").await.contains("is missing, which was deployed before"));
        fs::remove_dir_all(&state).unwrap();
        fs::rename(&elsewhere, &state).unwrap();
        program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        program.gone("e").await;
        assert!(site.logs().pop().unwrap().contains("1 destroyed"));
    }

    an_apply_that_is_killed_leaves_a_state_to_go_on_from, async |db| {
        if !is_installed() {
            return;
        }
        let site = site(db, SECOND).await;
        let program = &site.program;
        program.ok("CreateEnvironment", create("large")).await;
        site.logged("(local-exec): waiting").await;
        let killed = supervisor(&site);
        assert!(std::process::Command::new("kill").args(["-9", &killed.to_string()]).status().unwrap().success());
        until("the end of the supervisor", async || (!is_alive(killed)).then_some(())).await;
        assert!(site.message("FAILED").await.starts_with("The run was lost"));
        site.go();
        program.ok("UpdateEnvironment", resize("e", "large")).await;
        program.environment("e", "SUCCEEDED").await;
        let log = site.logs().pop().unwrap();
        assert!(log.contains("terraform_data.first: Refreshing state..."), "{log}");
    }

    what_terraform_needs_and_what_it_can_not_become_is_told, async |db| {
        let site = Site::of(db, |start| start.flag("--terraform", "no-such-program"), &bundle(MAIN)).await;
        let program = &site.program;
        let mut role = create("small");
        role["protonServiceRoleArn"] = "arn:aws:iam::000000000000:role/r".into();
        let refused = program.call("CreateEnvironment", role).await.unwrap_err();
        assert!(refused.message.contains("give codebuildRoleArn"), "{}", refused.message);
        program.ok("CreateEnvironment", create("small")).await;
        let message = site.message("FAILED").await;
        assert!(message.contains("no-such-program is not among the programs that runs find"), "{message}");
        let repository = json!({ "provider": "GITHUB", "name": "acme/infra", "branch": "main" });
        let update = json!({ "name": "e", "deploymentType": "NONE", "provisioningRepository": repository });
        let refused = program.call("UpdateEnvironment", update).await.unwrap_err();
        assert!(refused.message.contains("can't become self-managed"), "{}", refused.message);
        let update = json!({ "name": "e", "deploymentType": "NONE", "protonServiceRoleArn": "arn:aws:iam::000000000000:role/r" });
        let refused = program.call("UpdateEnvironment", update).await.unwrap_err();
        assert!(refused.message.contains("give codebuildRoleArn"), "{}", refused.message);
        // Nothing was made: no program is needed to remove it.
        program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        program.gone("e").await;
        assert!(site.logs().pop().unwrap().contains("There is no state: nothing was made."));
    }
}
