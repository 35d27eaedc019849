//! What a deployment comes to: records, cancelling, failures, time.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::bundle;
use crate::support::double::{self, Line, ROLE, STACK, Site, create, resize, spec, text};
use protium::params;
use protium::transaction;
use protium_engines::double::{Behaviour, Disturbance, Takes};
use serde_json::{Value, json};
use std::time::Duration;

const CANCELLED: &str = "User initiated cancellation.";
const HOUR_MS: i64 = 60 * 60 * 1000;

/// Every operation on a stack takes that many looks.
fn slow(site: &Site, looks: u32) {
    site.double.behave(move |_| Behaviour::done().taking(Takes::Looks(looks)));
}

/// Every operation on a stack takes a day on the double's clock, which stands still.
fn endless(site: &Site) {
    site.double.behave(|_| Behaviour::done().taking(Takes::Time(Duration::from_secs(86_400))));
}

fn succeeded() -> (String, String) {
    ("SUCCEEDED".into(), String::new())
}

async fn cancel_is_refused(site: &Site, status: &str) {
    assert_eq!(site.status("prod").await.0, status);
    let refused = site.cancel("prod").await.expect_err("there is nothing to cancel");
    assert_eq!(refused.code, "ConflictException");
    assert!(refused.message.contains(status) && refused.message.contains("IN_PROGRESS"), "{}", refused.message);
}

on_both! {
    a_record_shows_what_was_asked_for_and_what_came_of_it, async |db| {
        let site = Site::on(db).await;
        let created = site.app.ok("CreateEnvironment", create("prod")).await["environment"].clone();
        let first = site.records("prod").await[0].clone();
        assert_eq!(first["id"], created["lastAttemptedDeploymentId"]);
        assert_eq!(first["arn"], format!("{}:deployment/{}", site.app.arn_prefix(), text(&first["id"])));
        assert_eq!((&first["targetArn"], &first["targetResourceType"]), (&created["arn"], &"ENVIRONMENT".into()));
        assert_eq!((&first["createdAt"], &first["targetResourceCreatedAt"]), (&created["createdAt"], &created["createdAt"]));
        assert_eq!((&first["environmentName"], &first["deploymentStatus"]), (&"prod".into(), &"IN_PROGRESS".into()));
        for absent in ["initialState", "completedAt", "deploymentStatusMessage", "lastSucceededDeploymentId", "serviceName"] {
            assert_eq!(first.get(absent), None, "{absent}");
        }
        let large = json!({ "environment": { "spec": spec("large"), "templateName": "env",
            "templateMajorVersion": "1", "templateMinorVersion": "0" } });
        assert_eq!(first["targetState"], large);
        assert_eq!(first["lastAttemptedDeploymentId"], first["id"], "the pointers are those of the target");
        site.app.pass(2000);
        site.finish().await;
        let first = site.records("prod").await[0].clone();
        assert_eq!((&first["deploymentStatus"], &first["lastSucceededDeploymentId"]), (&"SUCCEEDED".into(), &first["id"]));
        assert!(first["completedAt"].as_f64() > first["createdAt"].as_f64());
        assert_eq!(first["completedAt"], first["lastModifiedAt"]);

        site.update(resize("prod", "small")).await.unwrap();
        let second = site.records("prod").await[0].clone();
        assert_eq!(second["initialState"], large);
        assert_eq!(second["targetState"]["environment"]["spec"], spec("small"));
        assert_eq!((&second["lastSucceededDeploymentId"], &second["lastAttemptedDeploymentId"]), (&first["id"], &second["id"]));
        assert_eq!(site.get("prod").await["lastAttemptedDeploymentId"], second["id"]);
        site.finish().await;

        site.delete("prod").await.unwrap();
        site.finish().await;
        let records = site.records("prod").await;
        let last = &records[0];
        assert_eq!((records.len(), &last["deploymentStatus"]), (3, &"DELETE_COMPLETE".into()));
        assert_eq!(last["initialState"]["environment"]["spec"], spec("small"));
        assert_eq!(last["lastSucceededDeploymentId"], second["id"], "a deletion is no success of its target");
        assert_eq!(last.get("deploymentStatusMessage"), None);
        let summary = site.app.ok("ListDeployments", json!({})).await["deployments"][0].clone();
        for absent in ["deploymentStatusMessage", "initialState", "targetState"] {
            assert_eq!(summary.get(absent), None, "{absent}");
        }
    }

    a_failed_record_has_the_message_and_no_success, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let first = site.records("prod").await[0]["id"].clone();
        site.double.behave(|_| Behaviour::fails("Topic", "AWS::SNS::Topic", "no more topics"));
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        let failed = site.records("prod").await[0].clone();
        assert_eq!((&failed["deploymentStatus"], &failed["lastSucceededDeploymentId"]), (&"FAILED".into(), &first));
        assert_eq!(failed["deploymentStatusMessage"], "Topic (AWS::SNS::Topic): no more topics");
        assert!(failed["completedAt"].is_number());
        let environment = site.get("prod").await;
        assert_eq!(environment["lastSucceededDeploymentId"], first);
        assert_eq!(environment["lastAttemptedDeploymentId"], failed["id"]);
        assert_eq!(environment["deploymentStatusMessage"], failed["deploymentStatusMessage"]);
    }

    what_is_provisioned_is_listed, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let list = json!({ "environmentName": "prod" });
        let listed = site.app.ok("ListEnvironmentProvisionedResources", list).await["provisionedResources"].clone();
        let stack = &site.stacks()[0];
        assert_eq!(listed[0]["name"], *stack);
        assert!(text(&listed[0]["identifier"]).contains(&format!(":stack/{stack}/")), "{listed}");
        assert_eq!((&listed[0]["provisioningEngine"], listed.as_array().unwrap().len()), (&"CLOUDFORMATION".into(), 1));
        assert!(stack.contains("prod"), "{stack}");
    }

    a_cancelled_create_leaves_no_stack, async |db| {
        let site = Site::on(db).await;
        slow(&site, 5);
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.app.work().await;
        let cancelling = site.cancel("prod").await.unwrap();
        assert_eq!(cancelling["deploymentStatus"], "CANCELLING");
        for absent in ["spec", "templateMajorVersion", "lastDeploymentSucceededAt"] {
            assert_eq!(cancelling.get(absent), None, "{absent}");
        }
        site.finish().await;
        assert_eq!(site.status("prod").await, ("CANCELLED".into(), CANCELLED.into()));
        assert_eq!(site.get("prod").await.get("templateMajorVersion"), None);
        assert_eq!((site.effects(), site.double.stack_count()), ([1, 0, 1], 0));
        let record = site.records("prod").await[0].clone();
        assert_eq!((&record["deploymentStatus"], &record["deploymentStatusMessage"]), (&"CANCELLED".into(), &CANCELLED.into()));
        assert!(record["completedAt"].is_number());
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await, succeeded());
        assert_eq!(site.outputs("prod").await["Size"], "large", "what was attempted is what an update starts from");
    }

    a_cancelled_update_leaves_what_was, async |db| {
        let site = Site::on(db).await;
        site.register("env", &double::environment(STACK), Some("1")).await;
        let before = site.deployed("prod").await;
        slow(&site, 5);
        let mut input = resize("prod", "small");
        input["deploymentType"] = "MINOR_VERSION".into();
        input["templateMinorVersion"] = "1".into();
        site.update(input.clone()).await.unwrap();
        site.app.work().await;
        let cancelling = site.cancel("prod").await.unwrap();
        assert_eq!((&cancelling["deploymentStatus"], &cancelling["spec"]), (&"CANCELLING".into(), &spec("large").into()));
        assert_eq!(cancelling["templateMinorVersion"], "0", "the old version");
        site.finish().await;
        assert_eq!(site.status("prod").await, ("CANCELLED".into(), CANCELLED.into()));
        let after = site.get("prod").await;
        for same in ["spec", "templateMinorVersion", "lastDeploymentSucceededAt", "lastSucceededDeploymentId"] {
            assert_eq!(after[same], before[same], "{same}");
        }
        assert_eq!(after["lastAttemptedDeploymentId"], cancelling["lastAttemptedDeploymentId"]);
        assert_eq!(site.outputs("prod").await["Size"], "large");
        assert_eq!((site.effects(), site.double.effects("CancelUpdateStack")), ([1, 1, 0], 1));
        site.update(input).await.unwrap();
        site.finish().await;
        assert_eq!((site.status("prod").await, site.outputs("prod").await["Size"].clone()), (succeeded(), "small".into()));
    }

    a_cancel_that_comes_too_late_finds_a_success, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.update(resize("prod", "small")).await.unwrap();
        site.app.work().await;
        site.cancel("prod").await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await, succeeded());
        assert_eq!(site.outputs("prod").await["Size"], "small");
    }

    a_cancel_before_anything_began_calls_nobody, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.cancel("prod").await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await, ("CANCELLED".into(), CANCELLED.into()));
        assert_eq!(site.double.calls(), []);
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await, succeeded());
        site.update(resize("prod", "small")).await.unwrap();
        site.cancel("prod").await.unwrap();
        site.app.pass(2 * HOUR_MS);
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "CANCELLED", "however late it is found");
        assert_eq!((site.effects(), site.outputs("prod").await["Size"].clone()), ([1, 0, 0], "large".into()));
    }

    only_a_deployment_in_progress_is_cancelled, async |db| {
        let site = Site::on(db).await;
        assert_eq!(site.cancel("prod").await.unwrap_err().code, "ResourceNotFoundException");
        site.deployed("prod").await;
        cancel_is_refused(&site, "SUCCEEDED").await;
        slow(&site, 5);
        site.update(resize("prod", "small")).await.unwrap();
        site.app.work().await;
        site.cancel("prod").await.unwrap();
        cancel_is_refused(&site, "CANCELLING").await;
        site.finish().await;
        cancel_is_refused(&site, "CANCELLED").await;
        site.double.behave(|_| Behaviour::fails("Topic", "AWS::SNS::Topic", "no"));
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        cancel_is_refused(&site, "FAILED").await;
        site.delete("prod").await.unwrap();
        cancel_is_refused(&site, "DELETE_IN_PROGRESS").await;
        site.finish().await;
        cancel_is_refused(&site, "DELETE_FAILED").await;
    }

    a_cancel_that_takes_too_long_fails, async |db| {
        let site = Site::with(db, |config| config.cancel_deadline = Duration::from_secs(60)).await;
        site.deployed("prod").await;
        endless(&site);
        site.update(resize("prod", "small")).await.unwrap();
        site.app.work().await;
        site.cancel("prod").await.unwrap();
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!(status, "FAILED");
        assert_eq!(message, "Timed out. The last that is known: The update is being rolled back.");
        assert_eq!(site.double.effects("CancelUpdateStack"), 1);
        site.double.advance(Duration::from_secs(90_000));
        site.double.behave(|_| Behaviour::done());
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        assert_eq!((site.status("prod").await, site.outputs("prod").await["Size"].clone()), (succeeded(), "small".into()));
    }

    a_cancelled_customer_managed_environment_keeps_its_outputs, async |db| {
        let site = Site::bare(db, |_| {}).await;
        site.app.ok("CreateEnvironmentTemplate", json!({ "name": "own", "provisioning": "CUSTOMER_MANAGED" })).await;
        site.published("own", &[("schema/schema.yaml", bundle::ENVIRONMENT_SCHEMA)], None).await;
        let input = json!({ "name": "prod", "templateName": "own", "templateMajorVersion": "1", "spec": spec("large") });
        site.app.ok("CreateEnvironment", input).await;
        site.cancel("prod").await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await, ("CANCELLED".into(), CANCELLED.into()));
        assert_eq!(site.outputs("prod").await, json!({}));
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.finish().await;
        site.update(resize("prod", "small")).await.unwrap();
        site.cancel("prod").await.unwrap();
        site.finish().await;
        assert_eq!((site.status("prod").await.0.as_str(), site.outputs("prod").await), ("CANCELLED", json!({ "size": "large" })));
    }

    nothing_is_provisioned_in_the_name_of_the_server_itself, async |db| {
        let site = Site::bare(db, |_| {}).await;
        site.app.ok("CreateEnvironmentTemplate", json!({ "name": "env", "provisioning": "CUSTOMER_MANAGED" })).await;
        site.published("env", &[("schema/schema.yaml", bundle::ENVIRONMENT_SCHEMA)], None).await;
        let mut input = create("prod");
        input.as_object_mut().unwrap().remove("protonServiceRoleArn");
        site.app.ok("CreateEnvironment", input).await;
        site.finish().await;
        site.service_template("svc").await;
        site.app.ok("CreateService", site.service("web", "prod")).await;
        site.finish().await;
        let get = async || site.app.ok("GetServiceInstance", json!({ "serviceName": "web", "name": "one" })).await["serviceInstance"].clone();
        let failed = get().await;
        assert_eq!((&failed["deploymentStatus"], site.double.calls()), (&"FAILED".into(), vec![]));
        let message = text(&failed["deploymentStatusMessage"]);
        assert!(message.contains("'prod' has no protonServiceRoleArn") && message.contains("UpdateEnvironment"), "{message}");
        site.update(json!({ "name": "prod", "deploymentType": "NONE", "protonServiceRoleArn": ROLE })).await.unwrap();
        let again = json!({ "serviceName": "web", "name": "one", "deploymentType": "CURRENT_VERSION" });
        site.app.ok("UpdateServiceInstance", again).await;
        site.finish().await;
        assert_eq!(get().await["deploymentStatus"], "SUCCEEDED");
    }

    a_message_is_as_long_as_the_model_lets_it_be, async |db| {
        let site = Site::on(db).await;
        site.double.behave(|_| Behaviour::fails("Topic", "AWS::SNS::Topic", &"é".repeat(6000)));
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!((status.as_str(), message.chars().count()), ("FAILED", 5000));
    }

    a_template_that_does_not_render_says_where_and_what_there_is, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let broken = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: {{ environment.inputs.colour }}\n";
        site.register("env", &double::environment(broken), Some("1")).await;
        site.update(json!({ "name": "prod", "deploymentType": "MINOR_VERSION", "templateMinorVersion": "1" })).await.unwrap();
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!(status, "FAILED");
        for part in ["cloudformation.yaml:5:", "`environment.inputs.colour`", "is undefined", "size"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert_eq!(site.effects(), [1, 0, 0]);
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await, succeeded(), "the current version still deploys");
    }

    a_stack_that_fails_says_what_failed_first, async |db| {
        let site = Site::on(db).await;
        site.double.behave(|operation| match (operation.action, operation.earlier) {
            ("CreateStack", 0) => Behaviour::fails("Topic", "AWS::SNS::Topic", "Invalid parameter: DisplayName"),
            _ => Behaviour::done(),
        });
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.finish().await;
        let failed = ("FAILED".to_owned(), "Topic (AWS::SNS::Topic): Invalid parameter: DisplayName".to_owned());
        assert_eq!(site.status("prod").await, failed);
        assert_eq!(site.outputs("prod").await, json!({}));
        let list = json!({ "environmentName": "prod" });
        let listed = site.app.ok("ListEnvironmentProvisionedResources", list).await["provisionedResources"].clone();
        assert_eq!(listed[0]["name"], site.stacks()[0], "what is left of it is shown");
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await, succeeded());
        assert_eq!((site.effects(), site.double.stack_count()), ([2, 0, 1], 1));
    }

    a_rollback_that_fails_too_says_both, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.double.behave(|operation| match (operation.action, operation.earlier) {
            ("UpdateStack", 0) => Behaviour::fails_to_roll_back("Topic", "AWS::SNS::Topic", "no such key", "it is gone"),
            _ => Behaviour::done(),
        });
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!(status, "FAILED");
        assert!(message.starts_with("Topic (AWS::SNS::Topic): no such key. Rolling back failed too: "), "{message}");
        assert!(message.ends_with("it is gone"), "{message}");
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        assert_eq!((site.status("prod").await, site.outputs("prod").await["Size"].clone()), (succeeded(), "small".into()));
        assert_eq!(site.double.effects("ContinueUpdateRollback"), 1);
    }

    a_role_that_can_not_be_assumed_comes_with_the_remedy, async |db| {
        let site = Site::on(db).await;
        site.double.deny_role(ROLE, true);
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!(status, "FAILED");
        for part in [ROLE, "is not authorized to perform: sts:AssumeRole", "trust policy", "aws:SourceAccount"] {
            assert!(message.contains(part), "{part}: {message}");
        }
        site.double.deny_role(ROLE, false);
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.finish().await;
        assert_eq!((site.status("prod").await, site.effects()), (succeeded(), [1, 0, 0]));
    }

    aws_that_goes_away_in_the_middle_is_waited_for, async |db| {
        let site = Site::on(db).await;
        let mut line = Line::to(&site.double).await;
        let app = double::app_at(db, &line.url(), |_| {}).await;
        let site = Site { app, double: site.double };
        slow(&site, 3);
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.app.work().await;
        assert_eq!(site.status("prod").await, ("IN_PROGRESS".into(), String::new()));
        line.cut().await;
        for _ in 0..5 {
            site.app.work_later().await;
            let (status, message) = site.status("prod").await;
            assert_eq!(status, "IN_PROGRESS");
            assert!(message.starts_with("AWS can't be reached") && message.contains("refused"), "{message}");
            assert_eq!(site.records("prod").await[0]["deploymentStatusMessage"], message);
        }
        line.mend();
        site.app.work_later().await;
        assert_eq!(site.status("prod").await, ("IN_PROGRESS".into(), String::new()), "it gets on again");
        site.finish().await;
        assert_eq!((site.status("prod").await, site.effects()), (succeeded(), [1, 0, 0]));
        assert_eq!(site.records("prod").await[0].get("deploymentStatusMessage"), None);
    }

    aws_that_stays_away_times_the_deployment_out, async |db| {
        let site = Site::on(db).await;
        let mut line = Line::to(&site.double).await;
        line.cut().await;
        let app = double::app_at(db, &line.url(), |config| config.deployment_deadline = Duration::from_secs(120)).await;
        let site = Site { app, double: site.double };
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!(status, "FAILED");
        assert!(message.starts_with("Timed out. The last that is known: AWS can't be reached"), "{message}");
        line.mend();
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.finish().await;
        assert_eq!((site.status("prod").await, site.effects()), (succeeded(), [1, 0, 0]));
        line.cut().await;
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "DELETE_FAILED");
        line.mend();
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await);
    }

    every_call_may_be_disturbed, async |db| {
        let site = Site::on(db).await;
        let disturbances = [Disturbance::Throttled, Disturbance::ServerError, Disturbance::Lost, Disturbance::AnswerLost];
        for (number, disturbance) in disturbances.into_iter().enumerate() {
            let name = format!("prod{number}");
            let before = site.effects();
            // Sessions of roles are kept, so a role of its own has to be assumed.
            let mut input = create(&name);
            input["protonServiceRoleArn"] = format!("arn:aws:iam::000000000000:role/{name}").into();
            for action in ["AssumeRole", "CreateStack", "DescribeStacks", "UpdateStack", "DeleteStack"] {
                site.double.disturb(action, disturbance.clone());
            }
            site.app.ok("CreateEnvironment", input).await;
            site.app.work().await;
            let (status, message) = site.status(&name).await;
            assert_eq!(status, "IN_PROGRESS");
            assert_ne!(message, "", "users see what keeps it from getting on: {disturbance:?}");
            site.finish().await;
            assert_eq!(site.status(&name).await, succeeded(), "{disturbance:?}");
            site.update(resize(&name, "small")).await.unwrap();
            site.finish().await;
            assert_eq!(site.status(&name).await, succeeded(), "{disturbance:?}");
            site.delete(&name).await.unwrap();
            site.finish().await;
            assert!(site.is_gone(&name).await);
            let after = site.effects();
            assert_eq!([0, 1, 2].map(|one| after[one] - before[one]), [1, 1, 1], "{disturbance:?}");
        }
    }

    a_deployment_that_takes_too_long_fails_and_the_next_one_works, async |db| {
        let site = Site::with(db, |config| config.deployment_deadline = Duration::from_secs(3600)).await;
        endless(&site);
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.finish().await;
        let timed_out = ("FAILED".to_owned(), "Timed out. The last that is known: The stack is being created.".to_owned());
        assert_eq!(site.status("prod").await, timed_out);
        let record = site.records("prod").await[0].clone();
        let took = record["completedAt"].as_f64().unwrap() - record["createdAt"].as_f64().unwrap();
        // A machine that is busy takes a while; a look that came too late would take 30 s.
        assert!((3600.0..3620.0).contains(&took), "not late: {took}");
        site.double.behave(|_| Behaviour::done());
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await, succeeded());
        endless(&site);
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "DELETE_FAILED");
        site.double.advance(Duration::from_secs(90_000));
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await);
        assert_eq!(site.double.stack_count(), 0);
    }

    a_deployment_that_ended_while_nobody_looked_is_not_timed_out, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.app.work().await;
        assert_eq!(site.status("prod").await.0, "IN_PROGRESS");
        site.app.pass(24 * HOUR_MS);
        site.finish().await;
        assert_eq!(site.status("prod").await, succeeded());
    }

    a_deployment_that_nobody_began_has_all_its_time, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.app.pass(24 * HOUR_MS);
        site.finish().await;
        assert_eq!(site.status("prod").await, succeeded());
    }

    what_can_not_be_read_fails_after_a_while_and_can_be_deleted, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        forget_contents(&site.app).await;
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!(status, "FAILED");
        assert!(message.starts_with("Internal service failure"), "{message}");
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await);
    }

    an_order_that_can_not_be_read_fails_when_its_time_is_over, async |db| {
        let site = Site::with(db, |config| config.deployment_deadline = Duration::from_secs(120)).await;
        site.deployed("prod").await;
        slow(&site, 3);
        site.delete("prod").await.unwrap();
        site.app.work().await;
        forget_contents(&site.app).await;
        // What this process has read it still knows.
        let site = site.restart(db).await;
        site.finish().await;
        let (status, message) = site.status_of_summary("prod").await;
        assert_eq!(status, "DELETE_FAILED");
        assert!(message.starts_with("Timed out"), "{message}");
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await);
    }
}

/// As after a broken restore.
async fn forget_contents(app: &TestApp) {
    transaction!(app.store(), async |tx| -> Result<u64, protium::store::DbError> {
        tx.execute("DELETE FROM content", params![]).await
    })
    .unwrap();
}

impl Site {
    /// The status and message that ListEnvironments shows, which reads no spec.
    async fn status_of_summary(&self, name: &str) -> (String, String) {
        let listed = self.app.ok("ListEnvironments", json!({})).await;
        let environments = listed["environments"].as_array().unwrap();
        let one: &Value = environments.iter().find(|one| one["name"] == name).unwrap();
        (
            text(&one["deploymentStatus"]).to_owned(),
            one["deploymentStatusMessage"].as_str().unwrap_or_default().to_owned(),
        )
    }
}
