//! Notifications about what the server provisions itself. Those that end deployments are in `self_managed`.

use crate::on_both;
use crate::support::app::{Refused, code};
use crate::support::double::{self, Site, create, resize, text};
use crate::support::notification::{NOTIFY, notify, of, outputs};
use crate::support::service::{Shop, create_plain, on_branch};
use protium_engines::double::{Behaviour, Takes};
use serde_json::{Value, json};

/// Of no deployment.
const UNKNOWN: &str = "12345678-1234-1234-1234-123456789012";

/// The conflict that names this.
#[track_caller]
fn conflicts(answer: Result<Value, Refused>, says: &str) {
    let refused = answer.expect_err("must be refused");
    assert_eq!(refused.code, "ConflictException", "{}", refused.message);
    assert!(refused.message.contains(says), "{}", refused.message);
}

on_both! {
    outputs_are_replaced_where_nothing_is_in_progress, async |db| {
        let site = Site::on(db).await;
        let before = site.deployed("prod").await;
        let given = outputs(&[("Image", "sha:1"), ("Subnets", "[\"subnet-1\"]")]);
        assert_eq!(notify(&site.app, "environment/prod", json!({ "outputs": given })).await.unwrap(), json!({}));
        assert_eq!(site.outputs("prod").await, json!({ "Image": "sha:1", "Subnets": "[\"subnet-1\"]" }));
        assert_eq!(site.get("prod").await, before, "nothing else changes");
        notify(&site.app, "environment/prod", json!({ "status": "IN_PROGRESS", "outputs": outputs(&[("Image", "sha:2")]) })).await.unwrap();
        assert_eq!(site.outputs("prod").await, json!({ "Image": "sha:2" }));
        notify(&site.app, "environment/prod", json!({ "statusMessage": "baked" })).await.unwrap();
        assert_eq!(site.outputs("prod").await, json!({ "Image": "sha:2" }), "without a list, the last one stays");
        assert_eq!(site.status("prod").await, ("SUCCEEDED".into(), "baked".into()));
        assert_eq!(site.records("prod").await[0]["deploymentStatusMessage"], "baked");
        notify(&site.app, "environment/prod", json!({ "statusMessage": "", "outputs": [] })).await.unwrap();
        assert_eq!((site.get("prod").await, site.outputs("prod").await), (before, json!({})));
        assert_eq!(site.app.ok("CreateEnvironment", create("prod")).await["environment"]["name"], "prod", "it is no update");
        assert_eq!((site.records("prod").await.len(), site.effects()), (1, [1, 0, 0]));
    }

    of_two_outputs_with_one_key_the_later_counts, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        // As scripts do: list what there is, append, send it all back.
        for image in ["1", "2"] {
            let listed = site.app.ok("ListEnvironmentOutputs", json!({ "environmentName": "prod" })).await;
            let mut all = listed["outputs"].as_array().unwrap().clone();
            all.push(json!({ "key": "Image", "valueString": image }));
            notify(&site.app, "environment/prod", json!({ "outputs": all })).await.unwrap();
        }
        assert_eq!(site.outputs("prod").await, json!({ "Image": "2", "Name": "prod", "Size": "large" }));
    }

    an_engines_outputs_overwrite_by_key_and_those_only_notified_stay, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let all = outputs(&[("Name", "prod"), ("Size", "mine"), ("Image", "1")]);
        notify(&site.app, "environment/prod", json!({ "outputs": all })).await.unwrap();
        assert_eq!(site.outputs("prod").await["Size"], "mine");
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        assert_eq!(site.outputs("prod").await, json!({ "Image": "1", "Name": "prod", "Size": "small" }));
        let without_name = double::STACK.replace("\"Name\": {\"Value\": \"{{ environment.name }}\"}, ", "");
        site.published("env", &double::environment(&without_name), Some("1")).await;
        site.update(json!({ "name": "prod", "deploymentType": "MINOR_VERSION" })).await.unwrap();
        site.finish().await;
        assert_eq!(site.outputs("prod").await, json!({ "Image": "1", "Size": "small" }), "an output that was sent back is not the caller's");
    }

    what_the_server_provisions_is_not_ended_by_a_word, async |db| {
        let site = Site::on(db).await;
        site.double.behave(|_| Behaviour::done().taking(Takes::Looks(4)));
        site.app.ok("CreateEnvironment", create("prod")).await;
        conflicts(notify(&site.app, "environment/prod", json!({ "status": "SUCCEEDED" })).await, "has not begun yet");
        site.app.work().await;
        for status in ["SUCCEEDED", "FAILED"] {
            let input = json!({ "status": status, "outputs": outputs(&[("Image", "0")]), "statusMessage": "no" });
            conflicts(notify(&site.app, "environment/prod", input).await, "is provisioned by the server");
        }
        assert_eq!((site.outputs("prod").await, site.status("prod").await), (json!({}), ("IN_PROGRESS".into(), String::new())));
        let latest = site.get("prod").await["lastAttemptedDeploymentId"].clone();
        let input = json!({ "status": "IN_PROGRESS", "deploymentId": latest, "statusMessage": "building",
            "outputs": outputs(&[("Image", "1"), ("Size", "mine")]) });
        notify(&site.app, "environment/prod", input).await.unwrap();
        for _ in 0..2 {
            assert_eq!(site.outputs("prod").await, json!({ "Image": "1", "Size": "mine" }));
            assert_eq!(site.status("prod").await, ("IN_PROGRESS".into(), "building".into()));
            // The next look of the engine says nothing else.
            crate::support::service::step(&site.app).await;
        }
        site.finish().await;
        assert_eq!(site.outputs("prod").await, json!({ "Image": "1", "Name": "prod", "Size": "large" }));
        assert_eq!(site.status("prod").await, ("SUCCEEDED".into(), String::new()));
        site.update(resize("prod", "small")).await.unwrap();
        site.app.work().await;
        site.cancel("prod").await.unwrap();
        conflicts(notify(&site.app, "environment/prod", json!({ "status": "SUCCEEDED" })).await, "CANCELLING");
        notify(&site.app, "environment/prod", json!({ "outputs": outputs(&[("Image", "2")]) })).await.unwrap();
        site.finish().await;
        assert_eq!((site.status("prod").await.0, site.outputs("prod").await), ("CANCELLED".into(), json!({ "Image": "2" })));
    }

    outputs_that_were_notified_while_a_deployment_fails_stay_with_it, async |db| {
        let site = Site::on(db).await;
        site.double.behave(|_| Behaviour::fails("Topic", "AWS::SNS::Topic", "no").taking(Takes::Looks(3)));
        site.app.ok("CreateEnvironment", create("prod")).await;
        site.app.work().await;
        notify(&site.app, "environment/prod", json!({ "outputs": outputs(&[("Image", "1")]) })).await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "FAILED");
        let of = json!({ "environmentName": "prod", "deploymentId": site.records("prod").await[0]["id"] });
        let listed = site.app.ok("ListEnvironmentOutputs", of).await;
        assert_eq!((&listed["outputs"], site.outputs("prod").await), (&outputs(&[("Image", "1")]), json!({ "Image": "1" })));
    }

    what_has_ended_is_not_ended_again, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        for status in ["SUCCEEDED", "FAILED"] {
            conflicts(notify(&site.app, "environment/prod", json!({ "status": status })).await, "is SUCCEEDED: its deployment has ended already");
        }
        site.double.protect(&site.stacks()[0], true);
        site.delete("prod").await.unwrap();
        conflicts(notify(&site.app, "environment/prod", json!({ "status": "SUCCEEDED" })).await, "is DELETE_IN_PROGRESS: its deletion ends by itself");
        notify(&site.app, "environment/prod", json!({ "outputs": outputs(&[("Image", "1")]) })).await.unwrap();
        site.finish().await;
        conflicts(notify(&site.app, "environment/prod", json!({ "status": "FAILED" })).await, "is DELETE_FAILED");
        assert_eq!(site.outputs("prod").await, json!({ "Image": "1" }));
    }

    a_deployment_that_is_named_is_the_latest, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.deployed("other").await;
        let first = site.records("prod").await[0]["id"].clone();
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        let second = site.records("prod").await[0]["id"].clone();
        let given = outputs(&[("Image", "1")]);
        let with = |id: &Value| json!({ "deploymentId": id, "outputs": given });
        notify(&site.app, "environment/prod", with(&second)).await.unwrap();
        let refused = notify(&site.app, "environment/prod", with(&first)).await;
        conflicts(refused, "is not the latest of the environment");
        let of_other = site.records("other").await[0]["id"].clone();
        for unknown in [&json!(UNKNOWN), &of_other] {
            let refused = notify(&site.app, "environment/prod", with(unknown)).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException");
            assert!(refused.message.contains(text(unknown)), "{}", refused.message);
        }
        let outputs_of = async |id: &Value| {
            let input = json!({ "environmentName": "prod", "deploymentId": id });
            site.app.ok("ListEnvironmentOutputs", input).await["outputs"].clone()
        };
        assert_eq!(outputs_of(&second).await, given, "those of the latest deployment are replaced");
        assert_eq!(outputs_of(&first).await, outputs(&[("Name", "prod"), ("Size", "large")]), "those of an earlier one are not");
        site.app.ok("DeleteDeployment", json!({ "id": second })).await;
        assert_eq!(code(notify(&site.app, "environment/prod", with(&second)).await), "ResourceNotFoundException");
        notify(&site.app, "environment/prod", json!({ "outputs": outputs(&[("Image", "2")]) })).await.unwrap();
        assert_eq!(site.outputs("prod").await, json!({ "Image": "2" }), "also without a record");
    }

    every_kind_of_target_takes_outputs_and_hands_them_on, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        notify(&shop.app, "environment/prod", json!({ "outputs": outputs(&[("Size", "told")]) })).await.unwrap();
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" });
        shop.app.ok("UpdateServiceInstance", update).await;
        shop.finish().await;
        assert_eq!(shop.outputs_of("web", Some("a")).await, json!({ "Url": "web/a:1@told" }));
        notify(&shop.app, "service/web/service-instance/a", json!({ "outputs": outputs(&[("Url", "elsewhere")]) })).await.unwrap();
        let update = json!({ "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": on_branch("dev", &[]) });
        shop.app.ok("UpdateServicePipeline", update).await;
        shop.finish().await;
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[elsewhere]");
        for (arn, value) in [("service/web/pipeline".to_owned(), "1"), (format!("service/web/pipeline/{UNKNOWN}"), "2")] {
            notify(&shop.app, &arn, json!({ "outputs": outputs(&[("Image", value)]) })).await.unwrap();
            assert_eq!(shop.outputs_of("web", None).await, json!({ "Image": value }));
        }
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
    }

    a_pipeline_that_waits_is_not_ended, async |db| {
        let shop = Shop::on(db).await;
        shop.app.ok("CreateService", crate::support::service::create("web", &[("a", 1)])).await;
        conflicts(notify(&shop.app, "service/web/pipeline", json!({ "status": "SUCCEEDED" })).await, "has not begun yet");
        shop.until("web", "ACTIVE").await;
    }

    what_is_not_there_takes_no_notification, async |db| {
        let shop = Shop::on(db).await;
        shop.active_plain("web", &[("a", 1)]).await;
        for resource in [
            "environment/none", "service/none/service-instance/a", "service/web/service-instance/none",
            "service/none/pipeline", "service/web/pipeline", "component/none",
        ] {
            let refused = notify(&shop.app, resource, json!({})).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException", "{resource}");
            assert!(refused.message.contains(resource), "{}", refused.message);
        }
        let here = of(&shop.app, "environment/prod", json!({}));
        for other in [shop.app.in_region("eu-west-1"), shop.app.in_account("222222222222")] {
            assert_eq!(code(other.call(NOTIFY, here.clone()).await), "ResourceNotFoundException");
        }
        let partition = text(&here["resourceArn"]).replace("arn:aws:", "arn:aws-cn:");
        assert_eq!(code(shop.app.call(NOTIFY, json!({ "resourceArn": partition })).await), "ResourceNotFoundException");
        shop.app.ok("CreateService", create_plain("gone", &[("a", 1)])).await;
        shop.until("gone", "ACTIVE").await;
        shop.delete_service("gone").await.unwrap();
        shop.until("gone", "gone").await;
        let refused = notify(&shop.app, "service/gone/service-instance/a", json!({ "status": "SUCCEEDED" })).await;
        assert_eq!(code(refused), "ResourceNotFoundException");
    }

    what_can_not_be_right_is_refused_and_changes_nothing, async |db| {
        let site = Site::on(db).await;
        let before = site.deployed("prod").await;
        let app = &site.app;
        for resource in ["environment-template/env", "environment-template/env:1.0", "service/web", "deployment/x", "thing/x"] {
            let refused = notify(app, resource, json!({})).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{resource}");
            assert!(refused.message.starts_with("resourceArn: "), "{}", refused.message);
        }
        let role = json!({ "resourceArn": double::ROLE });
        assert_eq!(code(app.call(NOTIFY, role).await), "ValidationException");
        assert_eq!(code(app.call(NOTIFY, json!({})).await), "ValidationException");
        let many: Vec<(String, &str)> = (0..51).map(|number| (number.to_string(), "x")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        let long = "x".repeat(1025);
        for (members, names) in [
            (json!({ "outputs": outputs(&many) }), "outputs"),
            (json!({ "outputs": outputs(&[("", "x")]) }), "key"),
            (json!({ "outputs": outputs(&[("x", "")]) }), "valueString"),
            (json!({ "outputs": outputs(&[(&long, "x")]) }), "key"),
            (json!({ "outputs": outputs(&[("x", &long)]) }), "valueString"),
            (json!({ "outputs": [{ "key": "a", "valueString": "x" }, { "valueString": "x" }] }), "outputs[1].key: is missing"),
            (json!({ "outputs": [{ "key": "x" }] }), "outputs[0].valueString: is missing"),
            (json!({ "status": "CANCELLED" }), "status"),
            (json!({ "statusMessage": "x".repeat(5001) }), "statusMessage"),
            (json!({ "deploymentId": "x" }), "deploymentId"),
        ] {
            let refused = notify(app, "environment/prod", members).await.expect_err(names);
            assert_eq!(refused.code, "ValidationException", "{names}: {}", refused.message);
            assert!(refused.message.contains(names), "{names}: {}", refused.message);
        }
        assert_eq!((site.get("prod").await, site.outputs("prod").await), (before, json!({ "Name": "prod", "Size": "large" })));
        let most: Vec<(&str, &str)> = many.iter().copied().take(50).collect();
        notify(app, "environment/prod", json!({ "outputs": outputs(&most), "statusMessage": "x".repeat(5000) })).await.unwrap();
        assert_eq!(site.outputs("prod").await.as_object().unwrap().len(), 50);
    }
}
