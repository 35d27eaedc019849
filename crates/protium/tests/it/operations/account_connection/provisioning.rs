use super::*;
use crate::on_both;
use crate::support::bundle;
use crate::support::double::{ROLE, resize, spec};
use crate::support::service::{create as service, files, plain_spec};

/// A role that the account lends after the first one.
const NEXT: &str = "arn:aws:iam::222222222222:role/next";
/// Instances that show where they think that they are.
const WHERE: &str = r#"{
  "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
  "Outputs": {"Account": {"Value": "{{ environment.account_id }}"}}
}"#;
const PIPELINE: &str = r#"{
  "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
  "Outputs": {"Accounts": {"Value": "{% for one in service_instances %}{{ one.environment.account_id }}{% endfor %}"}}
}"#;

/// The tags of the stack that was created last, as an object.
fn stack_tags(two: &Two) -> Value {
    let created = two.double.calls().into_iter().rfind(|call| call.action == "CreateStack").unwrap();
    let key = |number: usize| created.parameters.get(&format!("Tags.member.{number}.Key")).cloned();
    let value = |number: usize| created.parameters[&format!("Tags.member.{number}.Value")].clone();
    (1..).map_while(|number| Some((key(number)?, Value::String(value(number))))).collect()
}

fn service_in(name: &str, template: &str, environment: &str) -> Value {
    let spec = plain_spec(&[("one", 1)]).replace("environment: prod", &format!("environment: {environment}"));
    json!({ "name": name, "templateName": template, "templateMajorVersion": "1", "spec": spec })
}

/// A customer-managed template `own`, and instances on it.
async fn customer_managed(two: &Two) {
    two.app.ok("CreateEnvironmentTemplate", json!({ "name": "own", "provisioning": "CUSTOMER_MANAGED" })).await;
    two.site.published("own", &[("schema/schema.yaml", bundle::ENVIRONMENT_SCHEMA)], None).await;
    two.shop.published("plain", &files(WHERE, PIPELINE), None, &["own:1"]).await;
}

/// The message of the only instance of a service, `one`.
async fn instance_message(two: &Two, service: &str) -> String {
    let instance = two.instance(service, "one").await;
    instance["deploymentStatusMessage"].as_str().unwrap_or_default().to_owned()
}

on_both! {
    an_environment_is_provisioned_by_the_role_and_in_the_account_of_its_connection, async |db| {
        let two = Two::on(db).await;
        let id = two.accepted("prod").await;
        let created = two.app.ok("CreateEnvironment", through("prod", &id)).await["environment"].clone();
        assert_eq!(two.double.calls(), [], "nothing slow happens in a request");
        two.finish().await;
        let listed = two.app.ok("ListEnvironments", json!({})).await["environments"][0].clone();
        for shown in [created, two.site.get("prod").await, listed] {
            assert_eq!(shown["environmentAccountConnectionId"], id);
            assert_eq!(shown["environmentAccountId"], LENDS);
            assert_eq!(shown.get("protonServiceRoleArn"), None);
            assert_eq!(shown["arn"], format!("{}:environment/prod", two.app.arn_prefix()));
        }
        assert_eq!((two.assumed(), two.worked_in("CreateStack")), (vec![LENT.to_owned()], vec![LENDS.to_owned()]));
        let tags = stack_tags(&two);
        assert_eq!(tags["proton:account"], LENDS, "{tags}");
        assert_eq!(tags["proton:environment"], format!("{}:environment/prod", two.app.arn_prefix()));
        let arn = format!("{}:environment/prod", two.app.arn_prefix());
        let managed = two.app.ok("ListTagsForResource", json!({ "resourceArn": arn })).await;
        assert!(managed["tags"].as_array().unwrap().contains(&json!({ "key": "aws:proton:account", "value": ACCOUNT })));
        two.update(resize("prod", "small")).await.unwrap();
        two.finish().await;
        two.delete("prod").await.unwrap();
        two.finish().await;
        assert!(two.is_gone("prod").await);
        assert_eq!((two.worked_in("UpdateStack"), two.worked_in("DeleteStack")), (vec![LENDS.to_owned()], vec![LENDS.to_owned()]));
        assert!(two.assumed().iter().all(|role| role == LENT), "{:?}", two.assumed());
    }

    instances_are_provisioned_there_too_and_pipelines_know_where, async |db| {
        let two = Two::with_services(db).await;
        two.shop.published("svc", &files(WHERE, PIPELINE), None, &["env:1"]).await;
        two.connected("far").await;
        let spec = crate::support::service::spec(&[("one", 1)]).replace("environment: prod", "environment: far");
        let input = but(service("web", &[]), json!({ "spec": spec, "templateMajorVersion": "2" }));
        two.app.ok("CreateService", input).await;
        two.until("web", "ACTIVE").await;
        assert_eq!(two.outputs_of("web", Some("one")).await, json!({ "Account": LENDS }));
        assert_eq!(two.outputs_of("web", None).await, json!({ "Accounts": LENDS }));
        // `prod`, `far`, the instance, and the pipeline, which has its own role.
        assert_eq!(two.worked_in("CreateStack"), [ACCOUNT, LENDS, LENDS, ACCOUNT]);
        two.delete_service("web").await.unwrap();
        two.until("web", "gone").await;
        let mut deleted = two.worked_in("DeleteStack");
        deleted.sort();
        assert_eq!(deleted, [ACCOUNT, LENDS]);
    }

    what_is_provisioned_is_in_the_account_of_the_role_wherever_the_connection_is, async |db| {
        let two = Two::with_services(db).await;
        two.shop.published("plain", &files(WHERE, PIPELINE), None, &["env:1"]).await;
        let id = two.accepted("far").await;
        two.lend(&id, "arn:aws:iam::444444444444:role/lent").await;
        two.app.ok("CreateEnvironment", through("far", &id)).await;
        two.finish().await;
        assert_eq!(two.site.get("far").await["environmentAccountId"], LENDS);
        assert_eq!(stack_tags(&two)["proton:account"], "444444444444");
        let input = but(service_in("web", "plain", "far"), json!({ "templateMajorVersion": "2" }));
        two.app.ok("CreateService", input).await;
        two.until("web", "ACTIVE").await;
        assert_eq!(two.outputs_of("web", Some("one")).await, json!({ "Account": "444444444444" }));
    }

    an_environment_takes_only_a_connection_that_is_for_it, async |db| {
        let two = Two::on(db).await;
        let pending = text(&two.requested("prod").await["id"]).to_owned();
        let rejected = text(&two.requested("prod").await["id"]).to_owned();
        two.reject(&rejected).await.unwrap();
        let of_another = two.accepted("test").await;
        let bare = connection(two.lends.ok("CreateEnvironmentAccountConnection", but(request("bare"), json!({ "roleArn": null }))).await);
        let bare = text(&bare["id"]).to_owned();
        two.accept(&bare).await.unwrap();
        let foreign = but(request("prod"), json!({ "managementAccountId": STRANGER }));
        let foreign = text(&connection(two.lends.ok("CreateEnvironmentAccountConnection", foreign).await)["id"]).to_owned();
        let wrong_side = but(request("prod"), json!({ "managementAccountId": STRANGER }));
        let wrong_side = text(&connection(two.app.ok("CreateEnvironmentAccountConnection", wrong_side).await)["id"]).to_owned();
        let (absent, invalid, conflict) = ("ResourceNotFoundException", "ValidationException", "ConflictException");
        for (name, id, code, says) in [
            ("prod", "99999999-9999-4999-8999-999999999999", absent, "environment account connection does not exist: 9999"),
            ("prod", foreign.as_str(), absent, "environment account connection does not exist"),
            ("prod", wrong_side.as_str(), invalid, "is for an environment of the account 333333333333"),
            ("prod", of_another.as_str(), invalid, "is for the environment 'test', not for 'prod'"),
            ("prod", pending.as_str(), conflict, "is PENDING; accept it first"),
            ("prod", rejected.as_str(), conflict, "is REJECTED, which is final"),
            ("bare", bare.as_str(), invalid, "has no roleArn"),
        ] {
            let refused = two.app.call("CreateEnvironment", through(name, id)).await.unwrap_err();
            assert_eq!(refused.code, code, "{}", refused.message);
            assert!(refused.message.contains(says) && refused.message.contains(id), "{}", refused.message);
        }
        let elsewhere = two.app.in_region("eu-west-1");
        let refused = elsewhere.call("CreateEnvironment", through("test", &of_another)).await.unwrap_err();
        assert_eq!(refused.code, absent, "neither the template nor the connection is there");
        assert_eq!(two.app.ok("ListEnvironments", json!({})).await["environments"], json!([]));
        // What was missing can be made good.
        two.accept(&pending).await.unwrap();
        two.lend(&bare, LENT).await;
        for (name, id) in [("prod", &pending), ("bare", &bare)] {
            two.app.ok("CreateEnvironment", through(name, id)).await;
        }
    }

    a_repeated_create_is_answered_whatever_became_of_the_connection, async |db| {
        let two = Two::on(db).await;
        let id = two.connected("prod").await;
        two.forget(&id).await;
        let again = two.app.ok("CreateEnvironment", through("prod", &id)).await["environment"].clone();
        assert_eq!((&again["deploymentStatus"], &again["environmentAccountConnectionId"]), (&"SUCCEEDED".into(), &id.into()));
    }

    a_connection_of_the_own_account_is_one_like_any_other, async |db| {
        let two = Two::on(db).await;
        let input = but(request("prod"), json!({ "roleArn": ROLE }));
        let id = text(&connection(two.app.ok("CreateEnvironmentAccountConnection", input).await)["id"]).to_owned();
        two.accept(&id).await.unwrap();
        let made = two.app.ok("CreateEnvironment", through("prod", &id)).await["environment"].clone();
        two.finish().await;
        assert_eq!(made["environmentAccountId"], ACCOUNT);
        assert_eq!((two.assumed(), two.worked_in("CreateStack")), (vec![ROLE.to_owned()], vec![ACCOUNT.to_owned()]));
    }

    how_an_environment_is_reached_stays, async |db| {
        let two = Two::on(db).await;
        two.deployed("plain").await;
        two.connected("prod").await;
        let of_plain = two.accepted("plain").await;
        let of_test = two.accepted("test").await;
        let other = two.app.in_account(STRANGER);
        let pending = text(&two.requested("prod").await["id"]).to_owned();
        for kind in ["NONE", "CURRENT_VERSION"] {
            for (name, change, code, says) in [
                ("plain", json!({ "environmentAccountConnectionId": of_plain }), "ValidationException", "can't gain one"),
                ("prod", json!({ "protonServiceRoleArn": ROLE }), "ValidationException", "can't switch to a role"),
                ("prod", json!({ "environmentAccountConnectionId": of_test }), "ValidationException", "is for the environment 'test'"),
                ("prod", json!({ "environmentAccountConnectionId": pending }), "ConflictException", "is PENDING"),
                ("prod", json!({ "environmentAccountConnectionId": "99999999-9999-4999-8999-999999999999" }), "ResourceNotFoundException", "does not exist"),
            ] {
                let input = but(json!({ "name": name, "deploymentType": kind }), change);
                let refused = two.update(input.clone()).await.unwrap_err();
                assert_eq!(refused.code, code, "{input}: {}", refused.message);
                assert!(refused.message.contains(says), "{input}: {}", refused.message);
            }
        }
        // One that leads to another account can be accepted when the environment's own is gone, and is not taken.
        two.forget(text(&two.site.get("prod").await["environmentAccountConnectionId"])).await;
        let foreign = text(&connection(other.ok("CreateEnvironmentAccountConnection", request("prod")).await)["id"]).to_owned();
        two.accept(&foreign).await.unwrap();
        assert_ne!(two.site.get("prod").await["environmentAccountConnectionId"], foreign);
        for kind in ["NONE", "CURRENT_VERSION"] {
            let input = json!({ "name": "prod", "deploymentType": kind, "environmentAccountConnectionId": foreign });
            let refused = two.update(input).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.contains(STRANGER) && refused.message.contains(LENDS), "{}", refused.message);
        }
    }

    an_environment_changes_to_another_connection_of_its_account, async |db| {
        let two = Two::on(db).await;
        let mut old = two.connected("prod").await;
        for kind in ["NONE", "CURRENT_VERSION"] {
            let input = but(request("prod"), json!({ "roleArn": NEXT }));
            let new = text(&connection(two.lends.ok("CreateEnvironmentAccountConnection", input).await)["id"]).to_owned();
            two.accept(&new).await.unwrap();
            let input = json!({ "name": "prod", "deploymentType": kind, "environmentAccountConnectionId": new });
            let shown = two.update(input).await.unwrap();
            assert_eq!(shown["environmentAccountConnectionId"], new);
            two.finish().await;
            assert_eq!(two.reject(&old).await.unwrap()["status"], "REJECTED", "the old one is free");
            assert_eq!(two.reject(&new).await.unwrap_err().code, "ConflictException");
            old = new;
        }
        let roles = two.assumed();
        assert_eq!((roles.first().unwrap().as_str(), roles.last().unwrap().as_str()), (LENT, NEXT), "{roles:?}");
        assert_eq!(two.effects()[0], 1, "it is the same stack");
    }

    an_updated_connection_works_from_the_next_deployment_on, async |db| {
        let two = Two::on(db).await;
        let id = two.connected("prod").await;
        two.lend(&id, NEXT).await;
        assert_eq!(two.assumed(), [LENT]);
        two.update(resize("prod", "small")).await.unwrap();
        two.finish().await;
        assert_eq!(two.assumed(), [LENT, NEXT]);
        two.double.deny_role(NEXT, true);
        two.lend(&id, LENT).await;
        two.delete("prod").await.unwrap();
        two.finish().await;
        assert!(two.is_gone("prod").await, "with the role that works again");
    }

    a_deployment_keeps_the_role_that_it_was_prepared_with, async |db| {
        let two = Two::on(db).await;
        let id = two.accepted("prod").await;
        two.app.ok("CreateEnvironment", through("prod", &id)).await;
        two.app.work().await;
        two.lend(&id, NEXT).await;
        two.forget(&id).await;
        two.finish().await;
        assert_eq!(two.status("prod").await.0, "SUCCEEDED");
        assert!(two.assumed().iter().all(|role| role == LENT), "{:?}", two.assumed());
    }

    a_role_that_can_not_be_assumed_fails_with_the_remedy, async |db| {
        let two = Two::on(db).await;
        two.double.deny_role(LENT, true);
        let id = two.accepted("prod").await;
        two.app.ok("CreateEnvironment", through("prod", &id)).await;
        two.finish().await;
        let (status, message) = two.status("prod").await;
        assert_eq!(status, "FAILED");
        assert!(message.contains(LENT) && message.contains("trust policy"), "{message}");
        two.double.deny_role(LENT, false);
        two.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        two.finish().await;
        assert_eq!(two.status("prod").await.0, "SUCCEEDED");
    }

    instances_in_a_customer_managed_environment_work_with_its_connection, async |db| {
        let two = Two::with_services(db).await;
        customer_managed(&two).await;
        let bare = but(request("far"), json!({ "roleArn": null }));
        let id = text(&connection(two.lends.ok("CreateEnvironmentAccountConnection", bare).await)["id"]).to_owned();
        two.accept(&id).await.unwrap();
        let input = but(through("far", &id), json!({ "templateName": "own", "spec": spec("large") }));
        two.app.ok("CreateEnvironment", input).await;
        two.finish().await;
        assert_eq!(two.status("far").await.0, "SUCCEEDED", "nothing is provisioned");
        two.app.ok("CreateService", but(service_in("web", "plain", "far"), json!({ "templateMajorVersion": "2" }))).await;
        two.until("web", "CREATE_FAILED").await;
        let message = instance_message(&two, "web").await;
        for part in [&id, "'far'", "roleArn", LENDS, "UpdateEnvironmentAccountConnection"] {
            assert!(message.contains(part), "{message}");
        }
        two.lend(&id, LENT).await;
        let again = json!({ "serviceName": "web", "name": "one", "deploymentType": "CURRENT_VERSION" });
        two.app.ok("UpdateServiceInstance", again).await;
        two.finish().await;
        assert_eq!(two.outputs_of("web", Some("one")).await, json!({ "Account": LENDS }));
    }

    an_environment_without_a_role_or_a_connection_fails_its_instances_with_the_remedy, async |db| {
        let two = Two::with_services(db).await;
        customer_managed(&two).await;
        let input = but(crate::support::double::create("near"), json!({ "templateName": "own", "protonServiceRoleArn": null }));
        two.app.ok("CreateEnvironment", input).await;
        two.finish().await;
        two.app.ok("CreateService", but(service_in("web", "plain", "near"), json!({ "templateMajorVersion": "2" }))).await;
        two.until("web", "CREATE_FAILED").await;
        let message = instance_message(&two, "web").await;
        for part in ["'near'", "protonServiceRoleArn", "UpdateEnvironment", "NONE"] {
            assert!(message.contains(part), "{message}");
        }
        two.update(json!({ "name": "near", "deploymentType": "NONE", "protonServiceRoleArn": ROLE })).await.unwrap();
        let again = json!({ "serviceName": "web", "name": "one", "deploymentType": "CURRENT_VERSION" });
        two.app.ok("UpdateServiceInstance", again).await;
        two.finish().await;
        assert_eq!(two.outputs_of("web", Some("one")).await, json!({ "Account": ACCOUNT }));
    }
}
