//! Nothing gets stuck: one test for each complaint that users of AWS Proton had, and tables of every state of
//! everything that has one, with the ways out of it.

use super::sync::{link, of_service, of_template};
use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp, code};
use crate::support::bundle::pack;
use crate::support::component::{Workshop, attached, deploy, detached};
use crate::support::database::TestDb;
use crate::support::double::{STACK, create as create_environment, environment, resize, text, version_of};
use crate::support::service::*;
use crate::support::under_way::assert_all_have_jobs;
use protium::config::Config;
use protium_engines::double::{Behaviour, Takes};
use serde_json::{Value, json};

fn arn(app: &TestApp, resource: &str) -> String {
    format!("{}:{resource}", app.arn_prefix())
}

async fn force(app: &TestApp, resource: &str, infrastructure: &str) -> Value {
    app.ok("ForceDelete", json!({ "resourceArn": arn(app, resource), "infrastructure": infrastructure })).await
}

async fn redeploy(app: &TestApp, resource: &str) {
    app.ok("Redeploy", json!({ "resourceArn": arn(app, resource) })).await;
}

/// A request that has to wait for something, and says for what.
async fn waits(app: &TestApp, operation: &str, input: Value, says: &str) {
    let refused = app.call(operation, input).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("ConflictException", says), "{operation}");
}

on_both! {
    // aws-proton-public-roadmap 26: a failed pipeline stays in progress, and takes no update and no delete.
    r26_a_pipeline_that_fails_says_why_and_is_updated_and_deleted, async |db| {
        let shop = Shop::on(db).await;
        shop.fail(&[("CreateStack", "web")]);
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        shop.until("web", "CREATE_FAILED, a SUCCEEDED, pipeline FAILED").await;
        let message = shop.get("web").await["pipeline"]["deploymentStatusMessage"].clone();
        assert!(text(&message).contains("no more queues"), "{message}");
        let update = json!({ "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": spec(&[("a", 1)]) });
        shop.app.ok("UpdateServicePipeline", update).await;
        shop.finish().await;
        assert_eq!(shop.get("web").await["pipeline"]["deploymentStatus"], "FAILED", "it fails again, and says so again");
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
        assert_all_have_jobs(&shop.app).await;
    }

    r26_a_pipeline_whose_stack_never_ends_is_deployed_anew_or_goes_with_its_service, async |db| {
        let shop = Shop::on(db).await;
        shop.fail_and_hang(&[], "web");
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        shop.until("web", "CREATE_IN_PROGRESS, a SUCCEEDED").await;
        shop.app.work().await;
        redeploy(&shop.app, "service/web/pipeline").await;
        assert_all_have_jobs(&shop.app).await;
        let gone = force(&shop.app, "service/web", "RETAIN").await;
        assert_eq!((&gone["status"], gone["retained"].as_array().unwrap().len()), (&json!("DELETED"), 2));
        assert_eq!(shop.stands("web").await, "gone");
        assert_all_have_jobs(&shop.app).await;
    }

    // 46: an environment is stuck after UPDATE_ROLLBACK_COMPLETE, and had to be deleted and made again.
    r46_an_environment_whose_update_was_rolled_back_is_updated_again, async |db| {
        let shop = Shop::on(db).await;
        for behaviour in [
            Behaviour::fails("Topic", "AWS::SNS::Topic", "no"),
            Behaviour::fails_to_roll_back("Topic", "AWS::SNS::Topic", "no", "not even back"),
        ] {
            shop.double.behave(move |operation| match operation.action {
                "UpdateStack" => behaviour.clone(),
                _ => Behaviour::done(),
            });
            shop.update(resize("prod", "small")).await.unwrap();
            shop.finish().await;
            assert_eq!(shop.status("prod").await.0, "FAILED");
            assert!(shop.double.status(&shop.stacks()[0]).unwrap().starts_with("UPDATE_ROLLBACK_"));
            shop.double.behave(|_| Behaviour::done());
            shop.update(resize("prod", "huge")).await.unwrap();
            shop.finish().await;
            assert_eq!((shop.status("prod").await.0.as_str(), &shop.outputs("prod").await["Size"]), ("SUCCEEDED", &json!("huge")));
            shop.update(resize("prod", "large")).await.unwrap();
            shop.finish().await;
        }
        assert_eq!((shop.double.effects("CreateStack"), shop.double.effects("DeleteStack")), (1, 0), "it is the same stack");
        assert_all_have_jobs(&shop.app).await;
    }

    // 79: a minor version that was deleted stays recommended, and breaks updates.
    r79_a_recommended_minor_version_is_deleted_when_there_is_a_better_one_and_no_update_goes_to_it, async |db| {
        let shop = Shop::on(db).await;
        shop.active_plain("web", &[("a", 1)]).await;
        let newer = shop.published("plain", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        let refused = shop.app.call("DeleteServiceTemplateVersion", version_of("plain", &newer)).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("recommended") && refused.message.contains("publish a higher version"), "{}", refused.message);
        let newest = shop.published("plain", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        shop.app.ok("DeleteServiceTemplateVersion", version_of("plain", &newer)).await;
        let template = shop.app.ok("GetServiceTemplate", json!({ "name": "plain" })).await;
        assert_eq!(template["serviceTemplate"]["recommendedVersion"], newest);
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "MINOR_VERSION" });
        shop.app.ok("UpdateServiceInstance", update).await;
        shop.app.ok("CreateService", create_plain("api", &[("a", 1)])).await;
        shop.until("api", "ACTIVE").await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED");
        assert_eq!(shop.instance("web", "a").await["templateMinorVersion"], newest.split_once('.').unwrap().1);
        assert_all_have_jobs(&shop.app).await;
    }

    // 81: when the first render fails, the instance can be neither updated nor deleted.
    r81_an_instance_whose_first_render_failed_is_updated_and_deleted, async |db| {
        let shop = Shop::on(db).await;
        let broken = INSTANCE.replace("inputs.port }}\"}}}", "inputs.prot }}\"}}}");
        shop.published("plain", &files(&broken, PIPELINE), Some("1"), &["env:1"]).await;
        let calls = shop.double.calls().len();
        for name in ["web", "api", "job"] {
            shop.app.ok("CreateService", create_plain(name, &[("a", 1)])).await;
            shop.until(name, "CREATE_FAILED, a FAILED").await;
        }
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "MINOR_VERSION", "templateMinorVersion": "0" });
        shop.delete_service("api").await.unwrap();
        shop.until("api", "gone").await;
        assert_eq!(shop.double.calls().len(), calls, "there was nothing to deprovision, and nothing to render for it");
        assert_eq!(force(&shop.app, "service/job/service-instance/a", "DELETE").await["status"], "DELETE_IN_PROGRESS");
        shop.app.ok("UpdateServiceInstance", update).await;
        shop.finish().await;
        assert_eq!((shop.stands("web").await.as_str(), shop.stands("job").await.as_str()), ("CREATE_FAILED, a SUCCEEDED", "CREATE_FAILED"));
        assert_all_have_jobs(&shop.app).await;
    }

    // 70: a template sync never registers again after its template was made again.
    r70_a_template_that_is_made_again_follows_its_repository_and_registers_versions, async |db| {
        let shop = Shop::on(db).await;
        link(&shop.app, "o/r").await;
        for _ in 0..2 {
            shop.app.ok("CreateEnvironmentTemplate", json!({ "name": "followed" })).await;
            shop.app.ok("CreateTemplateSyncConfig", of_template("ENVIRONMENT", "followed")).await;
            let version = shop.register("followed", &environment(STACK), None).await;
            assert_eq!(version, "1.0");
            let config = json!({ "templateType": "ENVIRONMENT", "templateName": "followed" });
            shop.app.ok("DeleteTemplateSyncConfig", config).await;
            shop.app.ok("DeleteEnvironmentTemplateVersion", version_of("followed", &version)).await;
            shop.app.ok("DeleteEnvironmentTemplate", json!({ "name": "followed" })).await;
        }
        assert_all_have_jobs(&shop.app).await;
    }

    // 80: a service sync hangs.
    r80_a_service_that_is_synced_is_updated_and_deleted, async |db| {
        let shop = Shop::on(db).await;
        link(&shop.app, "o/r").await;
        for _ in 0..2 {
            shop.active_plain("web", &[("a", 1)]).await;
            shop.app.ok("CreateServiceSyncConfig", of_service("web")).await;
            shop.update_service("web", &plain_spec(&[("a", 1), ("b", 2)])).await.unwrap();
            shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED").await;
            shop.delete_service("web").await.unwrap();
            shop.until("web", "gone").await;
        }
        assert_all_have_jobs(&shop.app).await;
    }

    // aws-proton-codebuild-provisioning-examples 44: services that can't be deleted.
    c44_a_service_whose_teardown_keeps_failing_goes_without_it, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.fail(&[("DeleteStack", "web-a")]);
        for _ in 0..2 {
            shop.delete_service("web").await.unwrap();
            shop.until("web", "DELETE_FAILED, a DELETE_FAILED").await;
        }
        let answer = force(&shop.app, "service/web", "RETAIN").await;
        let left = answer["retained"].as_array().unwrap();
        assert!(left.len() == 1 && text(&left[0]["name"]).contains("web-a"), "{left:?}");
        assert_eq!(shop.stands("web").await, "gone");
        assert_all_have_jobs(&shop.app).await;
        shop.release();
        shop.active("web", &[("a", 1)]).await;
    }
}

/// Every status that what is deployed can stand in for longer than a moment.
const STATUSES: [&str; 7] =
    ["IN_PROGRESS", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED", "DELETE_IN_PROGRESS", "DELETE_FAILED"];

/// Lets what is done to stacks hang or fail, as a status needs; `None`: it works.
fn behave(shop: &Shop, status: &'static str) {
    shop.double.behave(move |operation| match (status, operation.action) {
        ("IN_PROGRESS", "CreateStack") | ("CANCELLING" | "DELETE_IN_PROGRESS", "CreateStack" | "DeleteStack") => {
            Behaviour::done().taking(Takes::Time(HANGS))
        }
        ("FAILED", "CreateStack") | ("DELETE_FAILED", "DeleteStack") => Behaviour::fails("Q", "AWS::SQS::Queue", "no"),
        _ => Behaviour::done(),
    });
}

/// Brings a new environment to the status.
async fn environment_in(shop: &Shop, name: &str, status: &'static str) {
    let first = if status.starts_with("DELETE_") { "SUCCEEDED" } else { status };
    behave(shop, first);
    shop.app.ok("CreateEnvironment", create_environment(name)).await;
    match status {
        "IN_PROGRESS" => shop.app.work().await,
        "CANCELLING" => {
            shop.app.work().await;
            shop.cancel(name).await.unwrap();
            shop.app.work().await;
        }
        "CANCELLED" => {
            shop.cancel(name).await.unwrap();
            shop.app.work().await;
        }
        _ => shop.finish().await,
    }
    if first != status {
        behave(shop, status);
        shop.delete(name).await.unwrap();
        match status {
            "DELETE_FAILED" => shop.finish().await,
            _ => shop.app.work().await,
        }
    }
    assert_eq!(shop.status(name).await.0, status, "{name}");
    assert_all_have_jobs(&shop.app).await;
}

/// Lets everything go on, and come to its end.
async fn settle(shop: &Shop) {
    shop.release();
    shop.finish().await;
    assert_all_have_jobs(&shop.app).await;
}

/// Brings the instance `a` of a new service to the status, as its service does where it can't be done alone.
async fn instance_in(shop: &Shop, service: &str, status: &'static str) {
    let first = if status.starts_with("DELETE_") { "SUCCEEDED" } else { status };
    behave(shop, first);
    shop.app.ok("CreateService", create_plain(service, &[("a", 1), ("b", 2)])).await;
    let cancel = json!({ "serviceName": service, "serviceInstanceName": "a" });
    match status {
        "IN_PROGRESS" => shop.app.work().await,
        "CANCELLING" => {
            shop.app.work().await;
            shop.app.ok("CancelServiceInstanceDeployment", cancel).await;
            shop.app.work().await;
        }
        "CANCELLED" => {
            shop.app.ok("CancelServiceInstanceDeployment", cancel).await;
            shop.finish().await;
        }
        _ => shop.finish().await,
    }
    if first != status {
        behave(shop, status);
        shop.update_service(service, &plain_spec(&[("b", 2)])).await.unwrap();
        match status {
            "DELETE_FAILED" => shop.finish().await,
            _ => shop.app.work().await,
        }
    }
    assert_eq!(shop.instance(service, "a").await["deploymentStatus"], status, "{service}");
    assert_all_have_jobs(&shop.app).await;
}

/// Nothing ends because its time is over: only what the table says leads out.
fn patient(config: &mut Config) {
    let long = std::time::Duration::from_secs(365 * 24 * 60 * 60);
    (config.deployment_deadline, config.cancel_deadline) = (long, long);
}

async fn shop_that_is_patient(db: &TestDb) -> Shop {
    Shop::with(db, patient).await
}

/// Brings a new component to the status.
async fn component_in(shop: &Shop, input: Value, status: &'static str) {
    let name = text(&input["name"]).to_owned();
    let first = if status.starts_with("DELETE_") { "SUCCEEDED" } else { status };
    behave(shop, first);
    shop.app.ok("CreateComponent", input).await;
    let cancel = json!({ "componentName": name });
    match status {
        "IN_PROGRESS" => shop.app.work().await,
        "CANCELLING" => {
            shop.app.work().await;
            shop.app.ok("CancelComponentDeployment", cancel).await;
            shop.app.work().await;
        }
        "CANCELLED" => {
            shop.app.ok("CancelComponentDeployment", cancel).await;
            shop.finish().await;
        }
        _ => shop.finish().await,
    }
    if first != status {
        behave(shop, status);
        shop.app.ok("DeleteComponent", json!({ "name": name })).await;
        match status {
            "DELETE_FAILED" => shop.finish().await,
            _ => shop.app.work().await,
        }
    }
    assert_eq!(component_stands(shop, &name).await, status, "{name}");
    assert_all_have_jobs(&shop.app).await;
}

/// The status of a component, or `gone`.
async fn component_stands(shop: &Shop, name: &str) -> String {
    match shop.app.call("GetComponent", json!({ "name": name })).await {
        Ok(answer) => text(&answer["component"]["deploymentStatus"]).to_owned(),
        Err(refused) => {
            assert_eq!(refused.code, "ResourceNotFoundException");
            "gone".to_owned()
        }
    }
}

on_both! {
    from_every_status_an_environment_is_deployed_again_and_deleted, async |db| {
        let shop = shop_that_is_patient(db).await;
        for (number, status) in STATUSES.into_iter().enumerate() {
            let name = |way: &str| format!("{way}{number}");
            for way in ["anew", "delete", "retain"] {
                let environment = name(way);
                environment_in(&shop, &environment, status).await;
                let resource = format!("environment/{environment}");
                match way {
                    "anew" => redeploy(&shop.app, &resource).await,
                    "delete" => drop(force(&shop.app, &resource, "DELETE").await),
                    _ => assert_eq!(force(&shop.app, &resource, "RETAIN").await["status"], "DELETED"),
                }
                if way == "retain" {
                    assert!(shop.is_gone(&environment).await, "{way} from {status}");
                }
                settle(&shop).await;
                match way {
                    "anew" => assert_eq!(shop.status(&environment).await.0, "SUCCEEDED", "{way} from {status}"),
                    _ => assert!(shop.is_gone(&environment).await, "{way} from {status}"),
                }
            }
            if ["SUCCEEDED", "FAILED", "CANCELLED"].contains(&status) {
                // The operations of AWS do as well.
                let environment = name("aws");
                environment_in(&shop, &environment, status).await;
                shop.release();
                shop.update(resize(&environment, "small")).await.unwrap();
                settle(&shop).await;
                assert_eq!(shop.status(&environment).await.0, "SUCCEEDED", "updated from {status}");
                shop.delete(&environment).await.unwrap();
                settle(&shop).await;
                assert!(shop.is_gone(&environment).await, "deleted from {status}");
            }
        }
    }

    from_every_status_an_instance_is_deleted_and_unless_it_is_being_removed_deployed_again, async |db| {
        let shop = shop_that_is_patient(db).await;
        for (number, status) in STATUSES.into_iter().enumerate() {
            for way in ["anew", "delete", "retain"] {
                let service = format!("{way}{number}");
                instance_in(&shop, &service, status).await;
                let resource = format!("service/{service}/service-instance/a");
                match (way, status) {
                    ("anew", "DELETE_IN_PROGRESS") => {
                        let says = format!(
                            "the instance 'a' is being removed by the change of the service '{service}', which is \
                             UPDATE_IN_PROGRESS; redeploy it when that has ended, or force-delete it"
                        );
                        waits(&shop.app, "Redeploy", json!({ "resourceArn": arn(&shop.app, &resource) }), &says).await;
                    }
                    ("anew", _) => redeploy(&shop.app, &resource).await,
                    ("delete", _) => drop(force(&shop.app, &resource, "DELETE").await),
                    _ => assert_eq!(force(&shop.app, &resource, "RETAIN").await["status"], "DELETED"),
                }
                settle(&shop).await;
                let stands = shop.stands(&service).await;
                let has_a = stands.contains(", a SUCCEEDED");
                assert_eq!(has_a, way == "anew" && status != "DELETE_IN_PROGRESS", "{way} from {status}: {stands}");
                assert!(stands.contains(", b ") && !stands.contains("IN_PROGRESS"), "{way} from {status}: {stands}");
                // And the service as a whole is free again.
                shop.delete_service(&service).await.unwrap();
                settle(&shop).await;
                assert_eq!(shop.stands(&service).await, "gone", "{way} from {status}");
            }
        }
    }

    from_every_status_a_pipeline_goes_with_its_service_and_unless_that_is_being_deleted_is_deployed_again, async |db| {
        let shop = shop_that_is_patient(db).await;
        for (number, status) in STATUSES.into_iter().enumerate() {
            for way in ["anew", "delete", "retain"] {
                let service = format!("{way}{number}");
                pipeline_in(&shop, &service, status).await;
                let whole = format!("service/{service}");
                match (way, status) {
                    ("anew", "DELETE_IN_PROGRESS") => {
                        let says = format!(
                            "the service '{service}' is DELETE_IN_PROGRESS and has not come to its pipeline; redeploy that \
                             when the service has settled, or force-delete the service"
                        );
                        let pipeline = arn(&shop.app, &format!("{whole}/pipeline"));
                        waits(&shop.app, "Redeploy", json!({ "resourceArn": pipeline }), &says).await;
                    }
                    ("anew", _) => redeploy(&shop.app, &format!("{whole}/pipeline")).await,
                    ("delete", _) => drop(force(&shop.app, &whole, "DELETE").await),
                    _ => assert_eq!(force(&shop.app, &whole, "RETAIN").await["status"], "DELETED"),
                }
                settle(&shop).await;
                let stands = shop.stands(&service).await;
                match (way, status) {
                    ("anew", "DELETE_IN_PROGRESS") | ("delete" | "retain", _) => assert_eq!(stands, "gone", "{way} from {status}"),
                    _ => assert!(stands.ends_with("pipeline SUCCEEDED"), "{way} from {status}: {stands}"),
                }
            }
        }
    }

    from_every_status_a_component_is_deleted_and_when_its_deployment_has_ended_updated, async |db| {
        let shop = Workshop::with(db, patient).await.shop;
        for (number, status) in STATUSES.into_iter().enumerate() {
            for way in ["delete", "retain"] {
                let name = format!("{way}{number}");
                component_in(&shop, detached(&name), status).await;
                let resource = format!("component/{name}");
                match way {
                    "delete" => drop(force(&shop.app, &resource, "DELETE").await),
                    _ => assert_eq!(force(&shop.app, &resource, "RETAIN").await["status"], "DELETED"),
                }
                settle(&shop).await;
                assert_eq!(component_stands(&shop, &name).await, "gone", "{way} from {status}");
            }
            // The operations of AWS do as well, now or when the deployment has ended.
            let name = format!("aws{number}");
            component_in(&shop, detached(&name), status).await;
            let (update, delete) = (deploy(&name, json!({})), json!({ "name": name }));
            let resource = arn(&shop.app, &format!("component/{name}"));
            let is = |remedy: &str| format!("the component {resource} is {status}: {remedy}");
            let busy = is("wait until its deployment has ended, or cancel the deployment, and try again");
            match status {
                "IN_PROGRESS" | "CANCELLING" => {
                    waits(&shop.app, "UpdateComponent", update.clone(), &busy).await;
                    waits(&shop.app, "DeleteComponent", delete.clone(), &busy).await;
                    settle(&shop).await;
                }
                // It is answered as it stands, and goes on.
                "DELETE_IN_PROGRESS" => {
                    waits(&shop.app, "UpdateComponent", update.clone(), &busy).await;
                    let answer = shop.app.ok("DeleteComponent", delete.clone()).await;
                    assert_eq!(answer["component"]["deploymentStatus"], status);
                    settle(&shop).await;
                    assert_eq!(component_stands(&shop, &name).await, "gone", "{status} ends by itself");
                    continue;
                }
                "DELETE_FAILED" => {
                    let half = is("its deletion failed; delete it again");
                    waits(&shop.app, "UpdateComponent", update.clone(), &half).await;
                }
                _ => {}
            }
            shop.release();
            if status != "DELETE_FAILED" {
                shop.app.ok("UpdateComponent", update).await;
                settle(&shop).await;
                assert_eq!(component_stands(&shop, &name).await, "SUCCEEDED", "updated from {status}");
            }
            shop.app.ok("DeleteComponent", delete).await;
            settle(&shop).await;
            assert_eq!(component_stands(&shop, &name).await, "gone", "deleted from {status}");
        }
    }

    from_every_status_a_component_lets_its_instance_go, async |db| {
        let shop = Workshop::with(db, patient).await.shop;
        // One that is deleted is attached to nothing.
        for status in STATUSES.into_iter().filter(|status| !status.starts_with("DELETE_")) {
            for infrastructure in ["DELETE", "RETAIN"] {
                component_in(&shop, attached("one"), status).await;
                force(&shop.app, "component/one", infrastructure).await;
                settle(&shop).await;
                assert_eq!(component_stands(&shop, "one").await, "gone", "{infrastructure} from {status}");
                assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED", "{infrastructure} from {status}");
                assert_eq!(shop.outputs_of("web", Some("a")).await["Sees"], "nothing -", "{infrastructure} from {status}");
            }
        }
    }

    from_every_status_a_service_is_updated_or_deleted, async |db| {
        let shop = shop_that_is_patient(db).await;
        for (number, status) in SERVICE_STATUSES.into_iter().enumerate() {
            for way in ["aws", "delete", "retain"] {
                let service = format!("{way}{number}");
                service_in(&shop, &service, status).await;
                match way {
                    "aws" if status.ends_with("_IN_PROGRESS") => {
                        settle(&shop).await;
                        assert!(!shop.stands(&service).await.contains("IN_PROGRESS"), "{status} ends by itself");
                    }
                    "aws" => {
                        shop.release();
                        if status != "DELETE_FAILED" {
                            shop.update_service(&service, &plain_spec(&[("b", 2)])).await.unwrap();
                            settle(&shop).await;
                            assert_eq!(shop.stands(&service).await, "ACTIVE, b SUCCEEDED", "updated from {status}");
                        }
                        shop.delete_service(&service).await.unwrap();
                    }
                    "delete" => drop(force(&shop.app, &format!("service/{service}"), "DELETE").await),
                    _ => {
                        let answer = force(&shop.app, &format!("service/{service}"), "RETAIN").await;
                        assert_eq!(answer["status"], "DELETED", "from {status}");
                    }
                }
                settle(&shop).await;
                if way != "aws" || !status.ends_with("_IN_PROGRESS") {
                    assert_eq!(shop.stands(&service).await, "gone", "{way} from {status}");
                }
            }
        }
    }
}

/// Brings the pipeline of a new service to the status.
async fn pipeline_in(shop: &Shop, service: &str, status: &'static str) {
    let first = if status.starts_with("DELETE_") { "SUCCEEDED" } else { status };
    behave(shop, "SUCCEEDED");
    shop.app.ok("CreateService", create(service, &[("a", 1)])).await;
    shop.until(service, "CREATE_IN_PROGRESS, a SUCCEEDED").await;
    behave(shop, first);
    let cancel = json!({ "serviceName": service });
    match status {
        "IN_PROGRESS" => shop.app.work().await,
        "CANCELLING" => {
            shop.app.work().await;
            shop.app.ok("CancelServicePipelineDeployment", cancel).await;
            shop.app.work().await;
        }
        "CANCELLED" => {
            shop.app.ok("CancelServicePipelineDeployment", cancel).await;
            shop.finish().await;
        }
        _ => shop.finish().await,
    }
    if first != status {
        behave(shop, status);
        shop.delete_service(service).await.unwrap();
        match status {
            "DELETE_FAILED" => shop.finish().await,
            _ => shop.app.work().await,
        }
    }
    assert_eq!(shop.get(service).await["pipeline"]["deploymentStatus"], status, "{service}");
    assert_all_have_jobs(&shop.app).await;
}

/// Every status of a service that this server shows.
const SERVICE_STATUSES: [&str; 11] = [
    "CREATE_IN_PROGRESS",
    "CREATE_FAILED",
    "ACTIVE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_FAILED",
    "UPDATE_FAILED_CLEANUP_IN_PROGRESS",
    "UPDATE_FAILED_CLEANUP_COMPLETE",
    "UPDATE_FAILED_CLEANUP_FAILED",
    "UPDATE_COMPLETE_CLEANUP_FAILED",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
];

/// Brings a new service without a pipeline to the status. It has the instances `a` and `b`, or is about to.
async fn service_in(shop: &Shop, service: &str, status: &'static str) {
    let both = [("a", 1), ("b", 2)];
    let is_of_create = ["CREATE_IN_PROGRESS", "CREATE_FAILED", "UPDATE_FAILED"].contains(&status);
    let (hang, fail) =
        (|| Behaviour::done().taking(Takes::Time(HANGS)), || Behaviour::fails("Q", "AWS::SQS::Queue", "no"));
    let new = move |operation: &str, created: bool, deleted: Option<Behaviour>| match operation {
        "CreateStack" if created => fail(),
        "DeleteStack" => deleted.unwrap_or_else(Behaviour::done),
        _ => Behaviour::done(),
    };
    shop.double.behave(move |operation| match (status, operation.action) {
        ("CREATE_IN_PROGRESS", "CreateStack") => hang(),
        _ => new(operation.action, is_of_create, None),
    });
    shop.app.ok("CreateService", create_plain(service, &both)).await;
    if status == "CREATE_IN_PROGRESS" {
        shop.app.work().await;
    } else {
        shop.finish().await;
    }
    shop.double.behave(move |operation| match status {
        "UPDATE_IN_PROGRESS" if operation.action == "CreateStack" => hang(),
        "UPDATE_FAILED_CLEANUP_IN_PROGRESS" => new(operation.action, true, Some(hang())),
        "UPDATE_FAILED_CLEANUP_COMPLETE" => new(operation.action, true, None),
        "UPDATE_FAILED_CLEANUP_FAILED" => new(operation.action, true, Some(fail())),
        "UPDATE_COMPLETE_CLEANUP_FAILED" | "DELETE_FAILED" => new(operation.action, false, Some(fail())),
        "DELETE_IN_PROGRESS" => new(operation.action, false, Some(hang())),
        "UPDATE_FAILED" => new(operation.action, true, None),
        _ => Behaviour::done(),
    });
    match status {
        // What never succeeded is deployed again, and fails again.
        "UPDATE_FAILED" => drop(shop.update_service(service, &plain_spec(&both)).await.unwrap()),
        "UPDATE_COMPLETE_CLEANUP_FAILED" => drop(shop.update_service(service, &plain_spec(&both[1..])).await.unwrap()),
        _ if status.starts_with("UPDATE_") => {
            drop(shop.update_service(service, &plain_spec(&[both[0], both[1], ("c", 3)])).await.unwrap());
        }
        _ if status.starts_with("DELETE_") => drop(shop.delete_service(service).await.unwrap()),
        _ => {}
    }
    shop.until(service, status).await;
    assert_all_have_jobs(&shop.app).await;
}

/// Every status of a version of a template.
const VERSION_STATUSES: [&str; 4] = ["REGISTRATION_IN_PROGRESS", "REGISTRATION_FAILED", "DRAFT", "PUBLISHED"];

/// Does something to a version of a template of that kind, such as `Get`; answers the version.
async fn of_version(shop: &Shop, verb: &str, kind: &str, input: Value) -> Value {
    let answer = shop.app.ok(&format!("{verb}{kind}TemplateVersion"), input).await;
    answer[format!("{}TemplateVersion", kind.to_lowercase())].clone()
}

/// The input of a create of the next minor version of 1, whose bundle has that key.
fn next_version(kind: &str, template: &str, key: &str) -> Value {
    let source = json!({ "s3": { "bucket": "bundles", "key": key } });
    let mut input = json!({ "templateName": template, "majorVersion": "1", "source": source });
    if kind == "Service" {
        input["compatibleEnvironmentTemplates"] = json!([{ "templateName": "env", "majorVersion": "1" }]);
    }
    input
}

fn publish(template: &str, version: &str) -> Value {
    but(version_of(template, version), json!({ "status": "PUBLISHED" }))
}

/// Brings version 1.0 of a new template to the status.
async fn version_in(shop: &Shop, kind: &str, template: &str, status: &str) {
    shop.app.ok(&format!("Create{kind}Template"), json!({ "name": template })).await;
    let key = if status == "REGISTRATION_FAILED" { "broken" } else { kind };
    of_version(shop, "Create", kind, next_version(kind, template, key)).await;
    if status != "REGISTRATION_IN_PROGRESS" {
        shop.app.work().await;
    }
    if status == "PUBLISHED" {
        of_version(shop, "Update", kind, publish(template, "1.0")).await;
    }
    let found = of_version(shop, "Get", kind, version_of(template, "1.0")).await;
    assert_eq!(found["status"], status, "{kind} {template}: {found}");
    assert_all_have_jobs(&shop.app).await;
}

/// Every status of a connection of an account.
const CONNECTION_STATUSES: [&str; 3] = ["PENDING", "CONNECTED", "REJECTED"];
/// The account that requests connections.
const LENDS: &str = "222222222222";
const GET_CONNECTION: &str = "GetEnvironmentAccountConnection";
const ACCEPT: &str = "AcceptEnvironmentAccountConnection";

/// Brings a new connection for the environment to the status; answers the input that names it.
async fn connection_in(shop: &Shop, lends: &TestApp, environment: &str, status: &str) -> Value {
    let role = format!("arn:aws:iam::{LENDS}:role/lent");
    let request = json!({ "managementAccountId": ACCOUNT, "environmentName": environment, "roleArn": role });
    let made = lends.ok("CreateEnvironmentAccountConnection", request).await;
    let id = json!({ "id": made["environmentAccountConnection"]["id"] });
    match status {
        "CONNECTED" => drop(shop.app.ok(ACCEPT, id.clone()).await),
        "REJECTED" => drop(shop.app.ok("RejectEnvironmentAccountConnection", id.clone()).await),
        _ => {}
    }
    let found = lends.ok(GET_CONNECTION, id.clone()).await;
    assert_eq!(found["environmentAccountConnection"]["status"], status, "{environment}: {found}");
    id
}

on_both! {
    from_every_status_a_template_version_is_deleted_and_followed_by_another_one, async |db| {
        let shop = Shop::on(db).await;
        shop.app.upload("bundles", "Environment", pack(&environment(STACK))).await;
        shop.app.upload("bundles", "Service", pack(&files(INSTANCE, PIPELINE))).await;
        shop.app.upload("bundles", "broken", b"no bundle".to_vec()).await;
        for (number, status) in VERSION_STATUSES.into_iter().enumerate() {
            for kind in ["Environment", "Service"] {
                let gone = format!("gone{number}");
                version_in(&shop, kind, &gone, status).await;
                let deleted = of_version(&shop, "Delete", kind, version_of(&gone, "1.0")).await;
                assert_eq!(deleted["status"], status, "{kind}");
                settle(&shop).await;
                let found = shop.app.call(&format!("Get{kind}TemplateVersion"), version_of(&gone, "1.0")).await;
                assert_eq!(code(found), "ResourceNotFoundException", "{kind} from {status}");
                shop.app.ok(&format!("Delete{kind}Template"), json!({ "name": gone })).await;

                let kept = format!("kept{number}");
                version_in(&shop, kind, &kept, status).await;
                let next = of_version(&shop, "Create", kind, next_version(kind, &kept, kind)).await;
                assert_eq!(next["minorVersion"], "1", "{kind} after {status}");
                settle(&shop).await;
                let published = of_version(&shop, "Update", kind, publish(&kept, "1.1")).await;
                assert_eq!(published["recommendedMinorVersion"], "1", "{kind} after {status}");
                of_version(&shop, "Delete", kind, version_of(&kept, "1.0")).await;
                settle(&shop).await;
            }
        }
    }

    from_every_status_an_account_connection_is_deleted_and_asked_for_again, async |db| {
        let shop = Shop::on(db).await;
        let lends = shop.app.in_account(LENDS);
        for (number, status) in CONNECTION_STATUSES.into_iter().enumerate() {
            let (gone, kept) = (format!("gone{number}"), format!("kept{number}"));
            let id = connection_in(&shop, &lends, &gone, status).await;
            let deleted = lends.ok("DeleteEnvironmentAccountConnection", id.clone()).await;
            assert_eq!(deleted["environmentAccountConnection"]["status"], status);
            for app in [&lends, &shop.app] {
                let found = app.call(GET_CONNECTION, id.clone()).await;
                assert_eq!(code(found), "ResourceNotFoundException", "deleted from {status}");
            }
            let anew = connection_in(&shop, &lends, &gone, "CONNECTED").await;

            let mut there = connection_in(&shop, &lends, &kept, status).await;
            if status == "REJECTED" {
                let refused = shop.app.call(ACCEPT, there).await.unwrap_err();
                assert_eq!(refused.code, "ConflictException");
                assert!(refused.message.contains("REJECTED, which is final"), "{}", refused.message);
                there = connection_in(&shop, &lends, &kept, "PENDING").await;
            }
            let accepted = shop.app.ok(ACCEPT, there.clone()).await;
            assert_eq!(accepted["environmentAccountConnection"]["status"], "CONNECTED", "accepted from {status}");

            for (environment, connection) in [(gone, anew), (kept, there)] {
                let through = json!({ "protonServiceRoleArn": null, "environmentAccountConnectionId": connection["id"] });
                shop.app.ok("CreateEnvironment", but(create_environment(&environment), through)).await;
                settle(&shop).await;
                assert_eq!(shop.status(&environment).await.0, "SUCCEEDED", "{environment} after {status}");
            }
        }
    }
}

#[test]
fn every_status_is_in_the_table() {
    use protium_domain::status::{ConnectionStatus, DeploymentStatus, ServiceStatus, TemplateVersionStatus};
    assert!(TemplateVersionStatus::ALL.iter().all(|status| VERSION_STATUSES.contains(&status.as_str())));
    assert!(ConnectionStatus::ALL.iter().all(|status| CONNECTION_STATUSES.contains(&status.as_str())));
    for status in DeploymentStatus::ALL {
        // Only records show that they are over.
        let listed = STATUSES.contains(&status.as_str()) || *status == DeploymentStatus::DeleteComplete;
        assert!(listed, "{status}");
    }
    for status in ServiceStatus::ALL {
        // Nothing is cleaned up after a create that failed: everything stays visible.
        let listed =
            SERVICE_STATUSES.contains(&status.as_str()) || status.as_str().starts_with("CREATE_FAILED_CLEANUP");
        assert!(listed, "{status}");
    }
}
