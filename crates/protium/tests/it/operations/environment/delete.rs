use crate::on_both;
use crate::support::double::{self, ROLE, STACK, Site, create, spec};
use protium::store::event_list;
use protium_engines::double::Behaviour;
use serde_json::{Value, json};

const BROKEN: &str =
    r#"{"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Name": "{{ environment.inputs.colour }}"}}}"#;

on_both! {
    what_is_not_there_is_deleted_already, async |db| {
        let site = Site::on(db).await;
        assert_eq!(site.delete("prod").await.unwrap(), json!({}));
        site.deployed("prod").await;
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert_eq!(site.delete("prod").await.unwrap(), json!({}));
    }

    a_delete_answers_details_and_ends_with_nothing, async |db| {
        let site = Site::on(db).await;
        let before = site.deployed("prod").await;
        site.app.pass(5000);
        let deleted = site.delete("prod").await.unwrap()["environment"].clone();
        assert_eq!(deleted["deploymentStatus"], "DELETE_IN_PROGRESS");
        for same in ["lastDeploymentAttemptedAt", "lastDeploymentSucceededAt", "templateMinorVersion", "arn"] {
            assert_eq!(deleted[same], before[same], "{same}");
        }
        assert_eq!(deleted.get("spec"), None);
        assert_eq!(site.get("prod").await["spec"], spec("large"), "until it is gone");
        site.finish().await;
        assert!(site.is_gone("prod").await);
        assert_eq!((site.double.stack_count(), site.effects()), (0, [1, 0, 1]));
        assert_eq!(site.app.ok("ListEnvironments", json!({})).await["environments"], json!([]));
        site.app.call("ListEnvironmentOutputs", json!({ "environmentName": "prod" })).await.unwrap_err();
    }

    a_repeated_delete_answers_the_same, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let first = site.delete("prod").await.unwrap();
        assert_eq!(site.delete("prod").await.unwrap(), first);
        site.app.work().await;
        assert_eq!(site.delete("prod").await.unwrap(), first);
        site.finish().await;
        assert_eq!((site.effects(), site.records("prod").await.len()), ([1, 0, 1], 2));
    }

    one_that_is_being_deployed_is_not_deleted, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        let refused = site.delete("prod").await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("IN_PROGRESS") && refused.message.contains("cancel"), "{}", refused.message);
        site.app.work().await;
        site.cancel("prod").await.unwrap();
        assert_eq!(site.delete("prod").await.unwrap_err().code, "ConflictException");
        site.finish().await;
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await);
    }

    a_failed_delete_says_why_and_is_repeated, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.double.behave(|operation| match operation.action {
            "DeleteStack" if operation.earlier < 3 => Behaviour::fails("Topic", "AWS::SNS::Topic", "it has subscribers"),
            _ => Behaviour::done(),
        });
        site.delete("prod").await.unwrap();
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!(status, "DELETE_FAILED");
        assert!(message.contains("it has subscribers"), "{message}");
        assert_eq!(site.outputs("prod").await["Size"], "large");
        let again = site.delete("prod").await.unwrap();
        assert_eq!(again["environment"]["deploymentStatus"], "DELETE_IN_PROGRESS");
        assert_eq!(again["environment"].get("deploymentStatusMessage"), None);
        site.finish().await;
        assert!(site.is_gone("prod").await);
        assert_eq!(site.double.stack_count(), 0);
        let statuses: Vec<Value> = site.records("prod").await.iter().map(|record| record["deploymentStatus"].clone()).collect();
        assert_eq!(statuses, ["DELETE_COMPLETE", "DELETE_FAILED", "SUCCEEDED"]);
    }

    what_a_failed_create_left_is_deleted, async |db| {
        let site = Site::on(db).await;
        site.double.behave(|operation| match operation.action {
            "CreateStack" => Behaviour::fails("Topic", "AWS::SNS::Topic", "no"),
            _ => Behaviour::done(),
        });
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.finish().await;
        assert_eq!(site.double.stack_count(), 1);
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await);
        assert_eq!(site.double.stack_count(), 0);
    }

    one_that_was_never_rendered_is_deleted_without_aws, async |db| {
        let site = Site::on(db).await;
        site.published("broken", &double::environment(BROKEN), None).await;
        let mut input = create("prod");
        input["templateName"] = "broken".into();
        site.app.ok("CreateEnvironment", input).await;
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "FAILED");
        site.delete("prod").await.unwrap();
        site.app.work().await;
        assert!(site.is_gone("prod").await);
        assert_eq!(site.double.calls(), [], "not even the role is assumed");
    }

    one_whose_creation_was_cancelled_before_it_began_is_deleted_without_aws, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.cancel("prod").await.unwrap();
        site.app.work().await;
        assert_eq!(site.status("prod").await.0, "CANCELLED");
        site.delete("prod").await.unwrap();
        site.app.work().await;
        assert!(site.is_gone("prod").await);
        assert_eq!(site.double.calls(), []);
    }

    a_stack_that_somebody_else_deleted_is_no_obstacle, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.double.turn(&site.stacks()[0], "DELETE_COMPLETE");
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await);
        assert_eq!(site.effects(), [1, 0, 0]);
    }

    a_deleted_name_is_free_and_old_jobs_leave_the_new_one_alone, async |db| {
        let site = Site::on(db).await;
        let first = site.deployed("prod").await;
        site.delete("prod").await.unwrap();
        let destroying = site.records("prod").await[0]["id"].clone();
        site.finish().await;
        // Jobs of both deployments of the first incarnation come late, or once more.
        site.app.ok("CreateEnvironment", create("prod")).await;
        for late in [&first["lastAttemptedDeploymentId"], &destroying] {
            double::enqueue_again(&site.app, late.as_str().unwrap()).await;
        }
        site.finish().await;
        let second = site.get("prod").await;
        assert_eq!(second["deploymentStatus"], "SUCCEEDED");
        assert_ne!(second["lastSucceededDeploymentId"], first["lastSucceededDeploymentId"]);
        for late in [&first["lastAttemptedDeploymentId"], &destroying] {
            double::enqueue_again(&site.app, late.as_str().unwrap()).await;
        }
        site.finish().await;
        assert_eq!(site.get("prod").await, second);
        assert_eq!((site.effects(), site.double.stack_count()), ([2, 0, 1], 1));
        let stacks = site.stacks();
        assert_ne!(stacks[0], stacks[1], "another incarnation has another stack name");
        let created: Vec<Value> =
            site.records("prod").await.iter().map(|record| record["targetResourceCreatedAt"].clone()).collect();
        assert_ne!(created[0], created[1], "records tell the incarnations apart");
    }

    one_with_service_instances_is_not_deleted, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.service_template("svc").await;
        site.app.ok("CreateService", site.service("web", "prod")).await;
        site.finish().await;
        let refused = site.delete("prod").await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("'one' of service 'web'"), "{}", refused.message);
        site.app.ok("DeleteService", json!({ "name": "web" })).await;
        assert_eq!(site.delete("prod").await.unwrap_err().code, "ConflictException", "until the instance is gone");
        site.finish().await;
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await);
    }

    its_template_can_go_when_the_environment_is_gone, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let version = double::version_of("env", "1.0");
        let refused = site.app.call("DeleteEnvironmentTemplateVersion", version.clone()).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        site.delete("prod").await.unwrap();
        assert_eq!(site.app.call("DeleteEnvironmentTemplateVersion", version.clone()).await.unwrap_err().code, "ConflictException");
        site.finish().await;
        site.app.ok("DeleteEnvironmentTemplateVersion", version).await;
        site.app.ok("DeleteEnvironmentTemplate", json!({ "name": "env" })).await;
    }

    status_changes_are_events, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let (environment, deployment) = (site.app.only_id("environment").await, site.app.only_id("deployment").await);
        site.update(json!({ "name": "prod", "deploymentType": "NONE", "description": "a secret" })).await.unwrap();
        site.delete("prod").await.unwrap();
        site.finish().await;
        let mut reader = site.app.store().reader().await.unwrap();
        let mut of = Vec::new();
        for id in [environment, deployment] {
            let events = event_list(&mut reader, &id).await.unwrap();
            assert!(events.iter().all(|event| !event.detail.contains("secret")));
            let details = events.iter().map(|event| serde_json::from_str::<Value>(&event.detail).unwrap());
            of.push(details.map(|detail| detail["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>());
        }
        assert_eq!(of[0], ["IN_PROGRESS", "SUCCEEDED", "DELETE_IN_PROGRESS", "DELETED"]);
        assert_eq!(of[1], ["IN_PROGRESS", "SUCCEEDED"]);
    }

    a_role_that_can_not_be_assumed_fails_the_delete, async |db| {
        let site = Site::on(db).await;
        site.published("env", &double::environment(STACK), Some("1")).await;
        site.deployed("prod").await;
        let other = "arn:aws:iam::000000000000:role/gone";
        site.double.deny_role(other, true);
        site.update(json!({ "name": "prod", "deploymentType": "NONE", "protonServiceRoleArn": other })).await.unwrap();
        site.delete("prod").await.unwrap();
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!(status, "DELETE_FAILED");
        assert!(message.contains(other) && message.contains("trust policy"), "{message}");
        site.update(json!({ "name": "prod", "deploymentType": "NONE", "protonServiceRoleArn": ROLE })).await.unwrap();
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await);
    }
}
