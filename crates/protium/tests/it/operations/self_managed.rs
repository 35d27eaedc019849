//! Self-managed provisioning: deployments that wait, and end by a notification, a cancellation or their deadline.

use crate::on_both;
use crate::support::app::{Refused, TestApp, code};
use crate::support::bundle::{self, CODEBUILD_MANIFEST, TERRAFORM_MANIFEST};
use crate::support::double::{Site, spec, text};
use crate::support::notification::{NOTIFY, notify, of, outputs};
use crate::support::race::{codes, race, together};
use crate::support::self_managed::*;
use crate::support::service::{Shop, but, create as create_service, files, on_branch, step};
use serde_json::{Value, json};
use std::time::Duration;

const WAITS: &str = "no pull request is opened yet";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const ROUNDS: usize = 4;

/// How many jobs are left.
async fn jobs(app: &TestApp) -> i64 {
    let mut reader = app.store().reader().await.unwrap();
    reader.query_one("SELECT COUNT(*) FROM job", &[]).await.unwrap().int(0).unwrap()
}

/// What a deployment was at its start, as it is kept for all its steps.
async fn order(app: &TestApp, id: &Value) -> Value {
    let mut reader = app.store().reader().await.unwrap();
    let sql = "SELECT doc FROM deployment WHERE id = $1";
    let doc = reader.query_one(sql, &[text(id).into()]).await.unwrap().text(0).unwrap();
    let doc: Value = serde_json::from_str(&doc).unwrap();
    let sql = "SELECT body FROM content WHERE sha256 = $1";
    let body = reader.query_one(sql, &[text(&doc["order"]).into()]).await.unwrap().bytes(0).unwrap();
    serde_json::from_slice(&body).unwrap()
}

async fn resources(app: &TestApp, operation: &str, input: Value) -> Value {
    app.ok(operation, input).await["provisionedResources"].clone()
}

fn folder(path: &str) -> Value {
    json!([{ "name": path, "identifier": path, "provisioningEngine": "TERRAFORM" }])
}

#[track_caller]
fn refused(answer: Result<Value, Refused>, code: &str, says: &str) {
    let refused = answer.expect_err("must be refused");
    assert_eq!(refused.code, code, "{}", refused.message);
    assert!(refused.message.contains(says), "{says}: {}", refused.message);
}

on_both! {
    an_environment_waits_and_ends_by_a_notification, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        let created = site.app.ok("CreateEnvironment", create("dev")).await["environment"].clone();
        let arn = format!("{}:repository/github:acme/infra", site.app.arn_prefix());
        assert_eq!(created["provisioningRepository"], json!({ "arn": arn, "provider": "GITHUB", "name": "acme/infra", "branch": "main" }));
        site.app.work().await;
        let (status, message) = site.status("dev").await;
        assert!(status == "IN_PROGRESS" && message.contains(WAITS) && message.contains(NOTIFY), "{status} {message}");
        let record = site.records("dev").await[0].clone();
        assert_eq!((&record["deploymentStatus"], &record["deploymentStatusMessage"]), (&"IN_PROGRESS".into(), &message.as_str().into()));
        let list = json!({ "environmentName": "dev" });
        assert_eq!(resources(&site.app, "ListEnvironmentProvisionedResources", list.clone()).await, json!([]));
        site.app.pass(2000);
        let ends = json!({ "status": "SUCCEEDED", "deploymentId": record["id"], "outputs": outputs(&[("Vpc", "vpc-1")]) });
        assert_eq!(notify(&site.app, "environment/dev", ends).await.unwrap(), json!({}));
        let environment = site.get("dev").await;
        assert_eq!(site.status("dev").await, ("SUCCEEDED".into(), String::new()));
        assert_eq!((&environment["templateMinorVersion"], &environment["spec"]), (&"0".into(), &spec("large").into()));
        assert_eq!(environment["lastDeploymentSucceededAt"], created["createdAt"]);
        assert_eq!(environment["lastSucceededDeploymentId"], record["id"]);
        assert_eq!(site.outputs("dev").await, json!({ "Vpc": "vpc-1" }));
        assert_eq!(resources(&site.app, "ListEnvironmentProvisionedResources", list).await, folder("dev/"));
        let record = site.records("dev").await[0].clone();
        assert_eq!((&record["deploymentStatus"], record.get("deploymentStatusMessage")), (&"SUCCEEDED".into(), None));
        assert!(record["completedAt"].as_f64() > record["createdAt"].as_f64());
        site.app.work().await;
        assert_eq!((jobs(&site.app).await, site.double.calls()), (0, vec![]), "nothing waits, nothing was called");
    }

    what_is_to_be_applied_is_kept_with_the_deployment, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        let created = site.app.ok("CreateEnvironment", but(create("dev"), json!({ "spec": "proton: EnvironmentSpec\nspec: {}\n" }))).await;
        site.app.work().await;
        let order = order(&site.app, &created["environment"]["lastAttemptedDeploymentId"]).await;
        assert_eq!(order["engine"], "self_managed");
        let paths: Vec<&str> = order["files"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(paths, ["main.tf", "outputs.tf", "proton.auto.tfvars.json"], "beside the manifest, and no other");
        assert_eq!(order["files"]["main.tf"], MAIN, "as it is, braces too");
        let inputs: Value = serde_json::from_str(text(&order["files"]["proton.auto.tfvars.json"])).unwrap();
        let (account, prefix) = (crate::support::app::ACCOUNT, site.app.arn_prefix());
        assert_eq!(inputs, json!({
            "environment": { "name": "dev", "inputs": { "size": "small" } },
            "proton_tags": {
                "proton:account": account,
                "proton:template": format!("{prefix}:environment-template/tf"),
                "proton:environment": format!("{prefix}:environment/dev"),
            },
            "//": format!("{prefix}:environment/dev"),
        }), "with the schema's defaults");
    }

    a_deployment_that_is_notified_as_failed_says_why_and_the_next_one_works, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        waiting(&site, "dev").await;
        let failed = json!({ "status": "FAILED", "statusMessage": "no such subnet", "outputs": outputs(&[("Log", "1")]) });
        notify(&site.app, "environment/dev", failed.clone()).await.unwrap();
        assert_eq!(site.status("dev").await, ("FAILED".into(), "no such subnet".into()));
        assert_eq!(site.get("dev").await.get("templateMajorVersion"), None);
        assert_eq!(site.outputs("dev").await, json!({ "Log": "1" }));
        refused(notify(&site.app, "environment/dev", failed).await, "ConflictException", "has ended already");
        site.update(json!({ "name": "dev", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.app.work().await;
        notify(&site.app, "environment/dev", json!({ "status": "FAILED" })).await.unwrap();
        assert_eq!(site.status("dev").await, ("FAILED".into(), "Notified as failed, without a message.".into()));
        site.update(json!({ "name": "dev", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.app.work().await;
        assert!(site.status("dev").await.1.contains(WAITS));
        succeed(&site.app, "environment/dev", &[]).await;
        assert_eq!((site.status("dev").await.0, site.outputs("dev").await), ("SUCCEEDED".into(), json!({ "Log": "1" })), "outputs that are not given stay");
    }

    while_it_waits_outputs_and_message_can_be_notified, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        waiting(&site, "dev").await;
        for status in [Value::Null, "IN_PROGRESS".into()] {
            let input = json!({ "status": status, "statusMessage": "applying", "outputs": outputs(&[("Vpc", "vpc-1")]) });
            notify(&site.app, "environment/dev", input).await.unwrap();
            site.app.pass(2 * DAY_MS);
            site.app.work().await;
            assert_eq!(site.status("dev").await, ("IN_PROGRESS".into(), "applying".into()));
            assert_eq!(site.outputs("dev").await, json!({ "Vpc": "vpc-1" }));
        }
        succeed(&site.app, "environment/dev", &[]).await;
        assert_eq!(site.status("dev").await, ("SUCCEEDED".into(), String::new()));
        let of = json!({ "environmentName": "dev", "deploymentId": site.records("dev").await[0]["id"] });
        assert_eq!(site.app.ok("ListEnvironmentOutputs", of).await["outputs"], outputs(&[("Vpc", "vpc-1")]));
    }

    its_end_can_be_notified_once_work_has_begun, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        site.app.ok("CreateEnvironment", create("dev")).await;
        let early = notify(&site.app, "environment/dev", json!({ "status": "SUCCEEDED" })).await;
        refused(early, "ConflictException", "has not begun yet");
        site.app.work().await;
        succeed(&site.app, "environment/dev", &[]).await;
        assert_eq!(site.status("dev").await.0, "SUCCEEDED");
    }

    a_cancelled_deployment_leaves_what_was, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        waiting(&site, "dev").await;
        assert_eq!(site.cancel("dev").await.unwrap()["deploymentStatus"], "CANCELLING");
        site.app.work().await;
        let cancelled = ("CANCELLED".to_owned(), "User initiated cancellation.".to_owned());
        assert_eq!((site.status("dev").await, jobs(&site.app).await), (cancelled.clone(), 0));
        refused(notify(&site.app, "environment/dev", json!({ "status": "SUCCEEDED" })).await, "ConflictException", "is CANCELLED");
        site.update(json!({ "name": "dev", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.app.work().await;
        succeed(&site.app, "environment/dev", &[("Vpc", "vpc-1")]).await;
        let before = site.get("dev").await;
        site.update(json!({ "name": "dev", "deploymentType": "CURRENT_VERSION", "spec": spec("small") })).await.unwrap();
        site.app.work().await;
        site.cancel("dev").await.unwrap();
        site.app.work().await;
        assert_eq!(site.status("dev").await, cancelled);
        assert_eq!((&site.get("dev").await["spec"], site.outputs("dev").await), (&before["spec"], json!({ "Vpc": "vpc-1" })));
        let list = json!({ "environmentName": "dev" });
        assert_eq!(resources(&site.app, "ListEnvironmentProvisionedResources", list).await, folder("dev/"));
    }

    what_was_applied_before_its_cancellation_has_succeeded, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        waiting(&site, "dev").await;
        site.cancel("dev").await.unwrap();
        succeed(&site.app, "environment/dev", &[]).await;
        assert_eq!(site.status("dev").await, ("SUCCEEDED".into(), String::new()));
        site.app.work().await;
        assert_eq!((site.status("dev").await.0, jobs(&site.app).await), ("SUCCEEDED".into(), 0));
    }

    what_nobody_notifies_times_out_after_fourteen_days, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        waiting(&site, "dev").await;
        site.app.pass(14 * DAY_MS - 60_000);
        site.app.work().await;
        assert_eq!(site.status("dev").await.0, "IN_PROGRESS");
        site.finish().await;
        let (status, message) = site.status("dev").await;
        assert!(status == "FAILED" && message.starts_with("Timed out.") && message.contains(WAITS), "{status} {message}");
        let record = site.records("dev").await[0].clone();
        let took = record["completedAt"].as_f64().unwrap() - record["createdAt"].as_f64().unwrap();
        let days = 14.0 * 24.0 * 3600.0;
        assert!((days..days + 5.0).contains(&took), "not later: {took}");
        assert_eq!(jobs(&site.app).await, 0);
        refused(notify(&site.app, "environment/dev", json!({ "status": "SUCCEEDED" })).await, "ConflictException", "is FAILED");
        site.update(json!({ "name": "dev", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.app.work().await;
        succeed(&site.app, "environment/dev", &[]).await;
    }

    the_deadline_is_a_setting_of_its_own, async |db| {
        let site = Site::bare(db, |config| {
            config.deployment_deadline = Duration::from_secs(10);
            config.self_managed_deadline = Duration::from_secs(3600);
        }).await;
        field(&site).await;
        waiting(&site, "dev").await;
        site.app.pass(3_500_000);
        site.app.work().await;
        assert_eq!(site.status("dev").await.0, "IN_PROGRESS");
        site.app.pass(200_000);
        site.app.work().await;
        assert_eq!(site.status("dev").await.0, "FAILED");
    }

    a_deleted_environment_goes_at_once, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        deployed(&site, "dev", &[]).await;
        assert_eq!(site.delete("dev").await.unwrap()["environment"]["deploymentStatus"], "DELETE_IN_PROGRESS");
        site.app.work().await;
        assert!(site.is_gone("dev").await);
        assert_eq!(site.records("dev").await[0]["deploymentStatus"], "DELETE_COMPLETE");
        assert_eq!((jobs(&site.app).await, site.double.calls()), (0, vec![]));
        for ends in ["FAILED", "CANCELLED"] {
            waiting(&site, "dev").await;
            refused(site.delete("dev").await, "ConflictException", "IN_PROGRESS");
            match ends {
                "FAILED" => drop(notify(&site.app, "environment/dev", json!({ "status": "FAILED" })).await.unwrap()),
                _ => drop(site.cancel("dev").await.unwrap()),
            }
            site.app.work().await;
            assert_eq!(site.status("dev").await.0, ends);
            site.delete("dev").await.unwrap();
            site.app.work().await;
            assert!(site.is_gone("dev").await);
        }
    }

    a_service_is_deployed_part_by_part, async |db| {
        let shop = Shop::on(db).await;
        self_managed_shop(&shop).await;
        let app = &shop.app;
        app.ok("CreateService", service("web")).await;
        app.work().await;
        assert_eq!(shop.stands("web").await, "CREATE_IN_PROGRESS, a IN_PROGRESS, pipeline IN_PROGRESS");
        let prefix = app.arn_prefix();
        let instance = shop.instance("web", "a").await;
        assert!(text(&instance["deploymentStatusMessage"]).contains(WAITS), "{instance}");
        let kept = order(app, &instance["lastAttemptedDeploymentId"]).await;
        let inputs: Value = serde_json::from_str(text(&kept["files"]["proton.auto.tfvars.json"])).unwrap();
        let service_view = json!({ "name": "web", "repository_id": "team/code", "branch_name": "main",
            "repository_connection_arn": "arn:aws:codestar-connections:us-east-1:000000000000:connection/c" });
        let environment_view = json!({ "name": "dev", "account_id": crate::support::app::ACCOUNT, "outputs": { "Vpc": "vpc-1" } });
        assert_eq!((&inputs["service"], &inputs["environment"]), (&service_view, &environment_view));
        assert_eq!(inputs["service_instance"], json!({ "name": "a", "inputs": { "port": 1 }, "components": {} }));
        assert_eq!(inputs["//"], format!("{prefix}:service/web/service-instance/a"));
        let waits = notify(app, "service/web/pipeline", json!({ "status": "SUCCEEDED" })).await;
        refused(waits, "ConflictException", "has not begun yet");

        succeed(app, "service/web/service-instance/a", &[("Url", "https://a")]).await;
        app.work().await;
        assert_eq!(shop.stands("web").await, "CREATE_IN_PROGRESS, a SUCCEEDED, pipeline IN_PROGRESS");
        let pipeline = shop.get("web").await["pipeline"].clone();
        let kept = order(app, &pipeline["lastAttemptedDeploymentId"]).await;
        let inputs: Value = serde_json::from_str(text(&kept["files"]["proton.auto.tfvars.json"])).unwrap();
        assert_eq!(inputs["service_instances"], json!([{ "name": "a", "inputs": { "port": 1 }, "outputs": { "Url": "https://a" }, "environment": environment_view }]));
        assert_eq!(inputs["pipeline"], json!({ "inputs": { "branch": "main" } }));
        let with_id = "service/web/pipeline/12345678-1234-1234-1234-123456789012";
        succeed(app, with_id, &[("Url", "https://p")]).await;
        app.work().await;
        assert_eq!((shop.stands("web").await, jobs(app).await), ("ACTIVE, a SUCCEEDED, pipeline SUCCEEDED".into(), 0));
        let list = json!({ "serviceName": "web", "serviceInstanceName": "a" });
        assert_eq!(resources(app, "ListServiceInstanceProvisionedResources", list).await, folder("dev/web-a/"));
        let list = json!({ "serviceName": "web" });
        assert_eq!(resources(app, "ListServicePipelineProvisionedResources", list).await, folder("web/pipeline/"));
        assert_eq!(shop.outputs_of("web", None).await, json!({ "Url": "https://p" }));

        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION", "spec": in_dev(&[("a", 9)]) });
        app.ok("UpdateServiceInstance", update).await;
        app.work().await;
        succeed(app, "service/web/service-instance/a", &[]).await;
        assert_eq!(shop.get("web").await["spec"], in_dev(&[("a", 9)]), "the spec shows what was deployed");

        shop.delete_service("web").await.unwrap();
        app.work().await;
        assert_eq!((shop.stands("web").await.as_str(), jobs(app).await), ("gone", 0));
    }

    an_instance_that_is_notified_as_failed_fails_its_service, async |db| {
        let shop = Shop::on(db).await;
        self_managed_shop(&shop).await;
        shop.app.ok("CreateService", service("web")).await;
        shop.app.work().await;
        notify(&shop.app, "service/web/service-instance/a", json!({ "status": "FAILED", "statusMessage": "no" })).await.unwrap();
        assert_eq!(shop.stands("web").await, "CREATE_FAILED, a FAILED, pipeline FAILED");
        let pipeline = shop.get("web").await["pipeline"]["deploymentStatusMessage"].clone();
        assert!(text(&pipeline).contains("failed to deploy - canceling pipeline deployment"), "{pipeline}");
        shop.app.ok("UpdateService", json!({ "name": "web", "spec": in_dev(&[("a", 1)]) })).await;
        shop.app.work().await;
        for part in ["service/web/service-instance/a", "service/web/pipeline"] {
            succeed(&shop.app, part, &[]).await;
            shop.app.work().await;
        }
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
        shop.app.ok("UpdateService", json!({ "name": "web", "spec": in_dev(&[("a", 1), ("b", 2)]) })).await;
        shop.app.work().await;
        notify(&shop.app, "service/web/service-instance/b", json!({ "status": "FAILED" })).await.unwrap();
        shop.app.work().await;
        assert_eq!(shop.stands("web").await, "UPDATE_FAILED_CLEANUP_COMPLETE, a SUCCEEDED, pipeline SUCCEEDED", "what was added goes again");
        assert_eq!(jobs(&shop.app).await, 0);
    }

    engines_are_not_mixed, async |db| {
        let shop = Shop::on(db).await;
        self_managed_shop(&shop).await;
        let invalid = "ValidationException";
        let app = &shop.app;
        let none = but(create("x"), json!({ "provisioningRepository": null }));
        refused(app.call("CreateEnvironment", none.clone()).await, invalid, "provisioningRepository: is missing; the template is provisioned with terraform");
        let runs = but(none.clone(), json!({ "codebuildRoleArn": crate::support::double::ROLE }));
        refused(app.call("CreateEnvironment", runs).await, invalid, "provisioningRepository: is missing; the template is provisioned with terraform");
        let role = but(none, json!({ "protonServiceRoleArn": crate::support::double::ROLE }));
        refused(app.call("CreateEnvironment", role).await, invalid, "provisioned with terraform");
        let stacks = but(create("x"), json!({ "templateName": "env" }));
        refused(app.call("CreateEnvironment", stacks).await, invalid, "is for self-managed provisioning of Terraform templates; this template is CloudFormation");

        // A service in the environment of the other kind.
        let stacks = but(create_service("x", &[("a", 1)]), json!({ "spec": in_dev(&[("a", 1)]) }));
        refused(app.call("CreateService", stacks).await, invalid, "spec: instance 'a' is provisioned with cloudformation, and the environment 'dev' is self-managed");
        let terraform = but(service("x"), json!({ "spec": crate::support::service::spec(&[("a", 1)]) }));
        refused(app.call("CreateService", terraform).await, invalid, "spec: instance 'a' is provisioned with terraform, and the environment 'prod' has no provisioningRepository");
        shop.active("web", &[("a", 1)]).await;
        shop.published("svc", &terraform_service(), Some("2"), &["env:1", "tf:1"]).await;
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "MAJOR_VERSION" });
        refused(app.call("UpdateServiceInstance", update).await, invalid, "templateMajorVersion: instance 'a' is provisioned with terraform");
        let update = json!({ "serviceName": "web", "deploymentType": "MAJOR_VERSION", "spec": on_branch("main", &[]) });
        refused(app.call("UpdateServicePipeline", update).await, invalid, "the version's pipeline is provisioned with terraform");

        // Pipelines of Terraform need the account's repository.
        app.ok("UpdateAccountSettings", json!({ "deletePipelineProvisioningRepository": true })).await;
        let refusal = app.call("CreateService", service("x")).await.unwrap_err();
        assert_eq!((refusal.code.as_str(), refusal.message.as_str()), (invalid, "Operation cannot be run until pipeline roles have been configured"));
        let services = app.ok("ListServices", json!({})).await["services"].as_array().unwrap().len();
        assert_eq!(services, 1, "nothing is stored");
    }

    a_customer_managed_environment_with_a_repository_takes_terraform, async |db| {
        let shop = Shop::on(db).await;
        self_managed_shop(&shop).await;
        let app = &shop.app;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "own", "provisioning": "CUSTOMER_MANAGED" })).await;
        shop.site.published("own", &[("schema/schema.yaml", bundle::ENVIRONMENT_SCHEMA)], None).await;
        shop.published("tfsvc", &terraform_service(), Some("2"), &["own:1"]).await;
        let mine = but(create("mine"), json!({ "templateName": "own", "provisioningRepository": null }));
        app.ok("CreateEnvironment", mine).await;
        app.work().await;
        let to_mine = in_dev(&[("a", 1)]).replace("dev", "mine");
        let input = but(service("web"), json!({ "templateMajorVersion": "2", "spec": to_mine }));
        refused(app.call("CreateService", input.clone()).await, "ValidationException", "has no provisioningRepository");
        let gains = json!({ "name": "mine", "deploymentType": "NONE", "provisioningRepository": repository("main") });
        app.ok("UpdateEnvironment", gains).await;
        app.ok("CreateService", input).await;
        app.work().await;
        succeed(app, "service/web/service-instance/a", &[]).await;
        assert_eq!(shop.instance("web", "a").await["deploymentStatus"], "SUCCEEDED");
    }

    a_bundle_of_commands_is_still_refused, async |db| {
        let shop = Shop::on(db).await;
        self_managed_shop(&shop).await;
        let mut parts = terraform_service();
        parts[1] = ("instance_infrastructure/manifest.yaml", CODEBUILD_MANIFEST);
        shop.published("tfsvc", &parts, Some("2"), &["tf:1"]).await;
        let input = but(service("web"), json!({ "templateMajorVersion": "2" }));
        refused(shop.app.call("CreateService", input).await, "ValidationException", "provisioned with codebuild, and this server runs no commands");
        let mut mixed = files(crate::support::service::INSTANCE, crate::support::service::PIPELINE);
        mixed[1] = ("instance_infrastructure/manifest.yaml", TERRAFORM_MANIFEST);
        mixed[2] = ("instance_infrastructure/main.tf", MAIN);
        // Which engine a pipeline has is a matter of its own.
        shop.published("tfsvc", &mixed, Some("3"), &["tf:1"]).await;
        let input = but(service("web"), json!({ "templateMajorVersion": "3" }));
        shop.app.ok("CreateService", input).await;
        shop.app.work().await;
        succeed(&shop.app, "service/web/service-instance/a", &[("Url", "u")]).await;
        shop.until("web", "ACTIVE").await;
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[u]");
    }

    a_repository_must_be_linked, async |db| {
        let shop = Shop::on(db).await;
        self_managed_shop(&shop).await;
        let app = &shop.app;
        for other in [json!({ "name": "acme/other" }), json!({ "provider": "BITBUCKET" })] {
            let other = but(repository("main"), other);
            let input = but(create("x"), json!({ "provisioningRepository": other }));
            refused(app.call("CreateEnvironment", input).await, "ResourceNotFoundException", "repository");
            for kind in ["NONE", "CURRENT_VERSION"] {
                let input = json!({ "name": "dev", "deploymentType": kind, "provisioningRepository": other });
                refused(app.call("UpdateEnvironment", input).await, "ResourceNotFoundException", "repository");
            }
            let input = json!({ "pipelineProvisioningRepository": other });
            refused(app.call("UpdateAccountSettings", input).await, "ValidationException", "pipelineProvisioningRepository: ");
        }
        let elsewhere = app.in_region("eu-west-1");
        let input = json!({ "pipelineProvisioningRepository": repository("main") });
        assert_eq!(code(elsewhere.call("UpdateAccountSettings", input).await), "ValidationException");
    }

    the_repository_of_an_environment_can_change_and_not_go, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        deployed(&site, "dev", &[]).await;
        let branch = async || site.get("dev").await["provisioningRepository"]["branch"].clone();
        for (kind, given, expected) in [
            ("NONE", repository("main"), "main"),
            ("NONE", repository("next"), "next"),
            ("NONE", Value::Null, "next"),
            ("CURRENT_VERSION", repository("main"), "main"),
        ] {
            let input = json!({ "name": "dev", "deploymentType": kind, "provisioningRepository": given });
            site.update(input).await.unwrap();
            assert_eq!(branch().await, expected, "{kind}");
        }
        site.app.work().await;
        succeed(&site.app, "environment/dev", &[]).await;
        let role = json!({ "name": "dev", "deploymentType": "NONE", "protonServiceRoleArn": crate::support::double::ROLE });
        refused(site.update(role).await, "ValidationException", "provisioningRepository: can't be combined");
    }

    the_accounts_repository_is_set_shown_and_removed, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        let app = &site.app;
        let set = app.ok("UpdateAccountSettings", json!({ "pipelineProvisioningRepository": repository("main") })).await;
        let shown = json!({ "pipelineProvisioningRepository": { "arn": format!("{}:repository/github:acme/infra", app.arn_prefix()),
            "provider": "GITHUB", "name": "acme/infra", "branch": "main" } });
        assert_eq!(set["accountSettings"], shown);
        assert_eq!(app.ok("UpdateAccountSettings", json!({})).await["accountSettings"], shown);
        let moved = app.ok("UpdateAccountSettings", json!({ "pipelineProvisioningRepository": repository("next") })).await;
        assert_eq!(moved["accountSettings"]["pipelineProvisioningRepository"]["branch"], "next");
        app.ok("UpdateAccountSettings", json!({ "deletePipelineProvisioningRepository": true })).await;
        assert_eq!(app.ok("GetAccountSettings", json!({})).await, json!({ "accountSettings": {} }));
    }

    a_repository_in_use_stays_linked, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        let app = &site.app;
        let unlink = json!({ "provider": "GITHUB", "name": "acme/infra" });
        app.ok("UpdateAccountSettings", json!({ "pipelineProvisioningRepository": repository("main") })).await;
        refused(app.call("DeleteRepository", unlink.clone()).await, "ConflictException", "account settings");
        deployed(&site, "dev", &[]).await;
        app.ok("UpdateAccountSettings", json!({ "deletePipelineProvisioningRepository": true })).await;
        refused(app.call("DeleteRepository", unlink.clone()).await, "ConflictException", "environment 'dev'");
        link(app, "acme/other").await;
        let other = but(repository("main"), json!({ "name": "acme/other" }));
        site.update(json!({ "name": "dev", "deploymentType": "NONE", "provisioningRepository": other })).await.unwrap();
        app.ok("DeleteRepository", unlink).await;
        refused(app.call("DeleteRepository", json!({ "provider": "GITHUB", "name": "acme/other" })).await, "ConflictException", "environment 'dev'");
        site.delete("dev").await.unwrap();
        app.work().await;
        app.ok("DeleteRepository", json!({ "provider": "GITHUB", "name": "acme/other" })).await;
    }

    a_repository_is_not_unlinked_while_an_environment_takes_it, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        for round in 0..ROUNDS {
            let name = format!("dev{round}");
            let unlink = ("DeleteRepository", json!({ "provider": "GITHUB", "name": "acme/infra" }));
            let answers = race(&site.app, [("CreateEnvironment", create(&name)), unlink]).await;
            match codes(&answers) {
                ["", "ConflictException"] => {
                    site.app.work().await;
                    succeed(&site.app, &format!("environment/{name}"), &[]).await;
                    site.delete(&name).await.unwrap();
                    site.app.work().await;
                }
                ["ResourceNotFoundException", ""] => link(&site.app, "acme/infra").await,
                _ => panic!("{answers:?}"),
            }
        }
    }

    of_two_notifications_one_ends_the_deployment, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        for round in 0..ROUNDS {
            let name = format!("dev{round}");
            waiting(&site, &name).await;
            let ends = |status: &str| (NOTIFY, of(&site.app, &format!("environment/{name}"), json!({ "status": status, "outputs": outputs(&[("By", status)]) })));
            let answers = race(&site.app, [ends("SUCCEEDED"), ends("FAILED")]).await;
            let winner = match codes(&answers) {
                ["", "ConflictException"] => "SUCCEEDED",
                ["ConflictException", ""] => "FAILED",
                _ => panic!("{answers:?}"),
            };
            assert_eq!((site.status(&name).await.0, site.outputs(&name).await), (winner.to_owned(), json!({ "By": winner })));
            site.app.work().await;
            assert_eq!(jobs(&site.app).await, 0);
        }
    }

    a_notification_and_a_cancellation_leave_one_end, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        for round in 0..ROUNDS {
            let name = format!("dev{round}");
            waiting(&site, &name).await;
            let ends = (NOTIFY, of(&site.app, &format!("environment/{name}"), json!({ "status": "SUCCEEDED" })));
            let answers = race(&site.app, [ends, ("CancelEnvironmentDeployment", json!({ "environmentName": name }))]).await;
            // A notification after the cancellation is accepted too: what was applied has succeeded.
            assert!(matches!(codes(&answers), ["", "" | "ConflictException"]), "{answers:?}");
            site.app.work().await;
            assert_eq!((site.status(&name).await.0, jobs(&site.app).await), ("SUCCEEDED".into(), 0));
        }
    }

    a_notification_and_the_work_on_a_cancellation_leave_one_end, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        for round in 0..ROUNDS {
            let name = format!("dev{round}");
            waiting(&site, &name).await;
            site.cancel(&name).await.unwrap();
            let status = ended_by_one(&site, &name).await;
            assert!(["SUCCEEDED", "CANCELLED"].contains(&status.as_str()), "{status}");
        }
    }

    a_notification_and_the_deadline_leave_one_end, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        for round in 0..ROUNDS {
            let name = format!("dev{round}");
            waiting(&site, &name).await;
            site.app.pass(14 * DAY_MS);
            let status = ended_by_one(&site, &name).await;
            assert!(["SUCCEEDED", "FAILED"].contains(&status.as_str()), "{status}");
        }
    }

    a_restart_goes_on_waiting, async |db| {
        let site = Site::bare(db, |_| {}).await;
        field(&site).await;
        waiting(&site, "dev").await;
        let site = site.restart(db).await;
        site.app.pass(2 * DAY_MS);
        site.app.work().await;
        assert_eq!(site.status("dev").await.0, "IN_PROGRESS");
        succeed(&site.app, "environment/dev", &[]).await;
        while step(&site.app).await {}
        assert_eq!(site.status("dev").await.0, "SUCCEEDED");
    }
}

/// Notifies a success while the job of the deployment runs; answers the status that it leaves, which must fit
/// what the caller was told.
async fn ended_by_one(site: &Site, name: &str) -> String {
    let (notifier, worker) = (site.app.clone(), site.app.clone());
    let input = of(&site.app, &format!("environment/{name}"), json!({ "status": "SUCCEEDED" }));
    let notified = async move { notifier.call(NOTIFY, input).await };
    let (answer, ()) = together(&site.app, notified, async move { worker.work().await }).await;
    site.app.work().await;
    let status = site.status(name).await.0;
    match answer {
        Ok(_) => assert_eq!(status, "SUCCEEDED"),
        Err(refused) => {
            assert_eq!(refused.code, "ConflictException", "{}", refused.message);
            assert_ne!(status, "SUCCEEDED");
        }
    }
    assert_eq!((site.records(name).await.len(), jobs(&site.app).await), (1, 0));
    status
}
