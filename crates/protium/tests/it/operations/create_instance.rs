//! `CreateServiceInstance`.

use crate::on_both;
use crate::support::app::{Refused, code};
use crate::support::bundle::TERRAFORM_MANIFEST;
use crate::support::double::{STACK, environment};
use crate::support::race::{race, refused};
use crate::support::service::*;
use serde_json::{Value, json};

const OPERATION: &str = "CreateServiceInstance";

/// The input of a create of `web/b` beside `web/a`, with more members.
fn input(members: Value) -> Value {
    let spec = spec(&[("a", 1), ("b", 2)]);
    but(json!({ "serviceName": "web", "name": "b", "spec": spec }), members)
}

impl Shop {
    async fn add(&self, members: Value) -> Result<Value, Refused> {
        let answer = self.app.call(OPERATION, input(members)).await?;
        Ok(answer["serviceInstance"].clone())
    }

    /// With the service `web` and its instance `a`.
    async fn with_web(self) -> Self {
        self.active("web", &[("a", 1)]).await;
        self
    }
}

on_both! {
    an_instance_is_deployed_and_its_entry_joins_the_spec_of_the_service, async |db| {
        let shop = Shop::on(db).await.with_web().await;
        let before = shop.get("web").await;
        shop.app.pass(1000);
        let instance = shop.add(json!({})).await.unwrap();
        assert_eq!(instance["arn"], format!("{}:service/web/service-instance/b", shop.app.arn_prefix()));
        assert_eq!((&instance["serviceName"], &instance["environmentName"], &instance["templateName"]), (&json!("web"), &json!("prod"), &json!("svc")));
        assert_eq!((&instance["deploymentStatus"], &instance["lastDeploymentAttemptedAt"]), (&json!("IN_PROGRESS"), &instance["createdAt"]));
        for absent in ["spec", "templateMajorVersion", "templateMinorVersion", "lastDeploymentSucceededAt", "lastClientRequestToken"] {
            assert_eq!(instance.get(absent), None, "{absent}");
        }
        assert_eq!(shop.instance("web", "b").await, instance);
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, b IN_PROGRESS, pipeline SUCCEEDED", "the service does not move");
        assert_eq!(shop.get("web").await, before);
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED");
        let (instance, service) = (shop.instance("web", "b").await, shop.get("web").await);
        assert_eq!((&instance["spec"], &service["spec"]), (&json!(spec(&[("a", 1), ("b", 2)])), &json!(spec(&[("a", 1), ("b", 2)]))));
        assert_eq!((&instance["templateMajorVersion"], &instance["templateMinorVersion"]), (&json!("1"), &json!("0")));
        assert_eq!(service["lastModifiedAt"], before["lastModifiedAt"]);
        assert_eq!(shop.outputs_of("web", Some("b")).await["Url"], "web/b:2@large");
        assert_eq!(shop.done("UpdateStack"), [""; 0], "the pipeline is not deployed again");
    }

    only_its_own_entry_joins, async |db| {
        let shop = Shop::on(db).await.with_web().await;
        let given = on_branch("dev", &[("a", 9), ("b", 2), ("later", 3)]);
        shop.add(json!({ "spec": given })).await.unwrap();
        shop.finish().await;
        assert_eq!(shop.get("web").await["spec"], spec(&[("a", 1), ("b", 2)]));
        assert_eq!(shop.instance("web", "b").await["spec"], given, "the text as it was received");
        // What the instance has now is kept and removed like any other.
        shop.update_service("web", &spec(&[("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, b SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/b:2@large]");
    }

    an_instance_that_fails_stays_and_leaves_the_spec_alone, async |db| {
        let shop = Shop::on(db).await.with_web().await;
        shop.fail(&[("CreateStack", "web-b")]);
        shop.add(json!({})).await.unwrap();
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, b FAILED, pipeline SUCCEEDED");
        assert_eq!(shop.get("web").await["spec"], spec(&[("a", 1)]));
        assert_eq!(code(shop.add(json!({})).await), "ConflictException", "it exists");
        shop.release();
        let retry = json!({ "serviceName": "web", "name": "b", "deploymentType": "CURRENT_VERSION" });
        shop.app.ok("UpdateServiceInstance", retry).await;
        shop.finish().await;
        assert_eq!(shop.get("web").await["spec"], spec(&[("a", 1), ("b", 2)]));
        shop.fail(&[("CreateStack", "web-c")]);
        shop.add(json!({ "name": "c", "spec": spec(&[("c", 3)]) })).await.unwrap();
        shop.finish().await;
        shop.release();
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
    }

    the_version_is_the_recommended_one_unless_one_is_given, async |db| {
        let shop = Shop::on(db).await.with_web().await;
        let parts = files(INSTANCE, PIPELINE);
        shop.published("svc", &parts, Some("1"), &["env:1"]).await;
        shop.published("svc", &parts, Some("2"), &["env:1"]).await;
        shop.draft("svc", &parts, Some("2"), &["env:1"]).await;
        for (number, (major, minor, runs)) in [
            (None, None, "2.0"),
            (Some("1"), None, "1.1"),
            (Some("1"), Some("0"), "1.0"),
            (Some("2"), Some("1"), "2.1"),
        ].into_iter().enumerate() {
            let name = format!("i{number}");
            let members = json!({ "name": name, "spec": spec(&[(name.as_str(), 1)]), "templateMajorVersion": major, "templateMinorVersion": minor });
            shop.add(members).await.unwrap();
            shop.finish().await;
            let made = shop.instance("web", &name).await;
            let version = format!("{}.{}", made["templateMajorVersion"].as_str().unwrap(), made["templateMinorVersion"].as_str().unwrap());
            assert_eq!(version, runs, "{major:?} {minor:?}");
        }
    }

    what_is_wrong_is_named, async |db| {
        let shop = Shop::on(db).await.with_web().await;
        shop.site.published("env", &environment(STACK), Some("2")).await;
        shop.published("svc", &files(INSTANCE, PIPELINE), Some("2"), &["env:2"]).await;
        let mut parts = files(INSTANCE, PIPELINE);
        parts[1] = ("instance_infrastructure/manifest.yaml", TERRAFORM_MANIFEST);
        parts[2] = ("instance_infrastructure/main.tf", "output \"x\" { value = 1 }\n");
        shop.draft("svc", &parts, Some("1"), &["env:1"]).await;
        let first = json!({ "templateMajorVersion": "1" });
        let (invalid, missing, conflict) = ("ValidationException", "ResourceNotFoundException", "ConflictException");
        for (members, code, says) in [
            (json!({ "templateMinorVersion": "0" }), invalid, "templateMinorVersion: is given without templateMajorVersion".into()),
            (json!({ "tags": [{ "key": "aws:x", "value": "" }] }), invalid, "tags: ".into()),
            (json!({ "serviceName": "none" }), missing, format!("The requested service does not exist: {}:service/none", shop.app.arn_prefix())),
            (json!({ "name": "c" }), invalid, "spec: has no instance named 'c', which is the one to create; add it".into()),
            (json!({ "spec": "proton: EnvironmentSpec\nspec: {}\n" }), invalid, "spec:1: `proton` is".into()),
            (json!({ "spec": "a: [" }), invalid, "spec:".into()),
            (but(first.clone(), json!({ "spec": spec(&[("b", 2)]).replace("port: 2", "port: high") })), invalid, "spec: instance 'b' (line 5): ".into()),
            (but(first.clone(), json!({ "spec": spec(&[("b", 2)]).replace("prod", "none") })), missing, "The requested environment does not exist: ".into()),
            (json!({}), invalid, "spec: instance 'b' names the environment 'prod', which runs 'env:1'; version 2.0".into()),
            (json!({ "templateMajorVersion": "7" }), missing, "svc:7".into()),
            (json!({ "templateMajorVersion": "1", "templateMinorVersion": "28" }), missing, "service-template/svc:1.28".into()),
            (json!({ "templateMajorVersion": "1", "templateMinorVersion": "1" }), invalid, "is provisioned with terraform".into()),
            (but(first.clone(), json!({ "name": "a" })), conflict, "the service instance 'a' of the service 'web' exists already, as SUCCEEDED".into()),
        ] {
            let refused = shop.add(members.clone()).await.unwrap_err();
            assert_eq!(refused.code, code, "{members}: {refused:?}");
            assert!(refused.message.contains(&says), "{says}: {}", refused.message);
        }
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
    }

    without_a_recommended_version_one_must_be_named, async |db| {
        let shop = Shop::on(db).await;
        shop.app.ok("CreateServiceTemplate", json!({ "name": "draft", "pipelineProvisioning": "CUSTOMER_MANAGED" })).await;
        shop.draft("draft", &files(INSTANCE, PIPELINE), None, &["env:1"]).await;
        let create = but(create_plain("web", &[("a", 1)]), json!({ "templateName": "draft", "templateMinorVersion": "0" }));
        shop.app.ok("CreateService", create).await;
        shop.until("web", "ACTIVE").await;
        let refused = shop.add(json!({ "spec": plain_spec(&[("b", 2)]) })).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.starts_with("templateMajorVersion: is missing, and the service template 'draft' recommends no version"), "{refused:?}");
        let members = json!({ "spec": plain_spec(&[("b", 2)]), "templateMajorVersion": "1", "templateMinorVersion": "0" });
        shop.add(members).await.unwrap();
    }

    while_the_service_or_its_pipeline_moves_it_is_a_conflict, async |db| {
        let shop = Shop::on(db).await;
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        let says = async |expected: &str| {
            let refused = shop.add(json!({})).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException", "{refused:?}");
            assert!(refused.message.contains(expected), "{expected}: {}", refused.message);
        };
        says("the service 'web' is CREATE_IN_PROGRESS; create the instance when that has ended").await;
        shop.until("web", "ACTIVE").await;
        let pipeline = json!({ "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": spec(&[("a", 1)]) });
        shop.app.ok("UpdateServicePipeline", pipeline).await;
        says("the pipeline of the service 'web' is IN_PROGRESS; create the instance when that has ended").await;
        shop.finish().await;
        shop.update_service("web", &spec(&[("a", 1), ("c", 3)])).await.unwrap();
        says("the service 'web' is UPDATE_IN_PROGRESS").await;
        shop.until("web", "ACTIVE").await;
        // An instance that is being deployed is no obstacle.
        let one = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" });
        shop.app.ok("UpdateServiceInstance", one).await;
        shop.add(json!({})).await.unwrap();
        shop.finish().await;
        shop.fail(&[("DeleteStack", "web-a")]);
        shop.delete_service("web").await.unwrap();
        says("the service 'web' is DELETE_IN_PROGRESS").await;
        shop.until("web", "DELETE_FAILED").await;
        let again = shop.app.call(OPERATION, input(json!({ "name": "d", "spec": spec(&[("d", 1)]) }))).await.unwrap_err();
        assert_eq!((again.code.as_str(), again.message.contains("DELETE_FAILED; delete it again")), ("ConflictException", true), "{again:?}");
    }

    tags_of_the_service_are_inherited_and_those_of_the_request_win, async |db| {
        let shop = Shop::on(db).await;
        let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
        let tags = json!({ "tags": [tag("team", "a"), tag("cost", "1")] });
        shop.app.ok("CreateService", but(create("web", &[("a", 1)]), tags)).await;
        shop.until("web", "ACTIVE").await;
        shop.add(json!({ "tags": [tag("team", "b"), tag("own", "x")] })).await.unwrap();
        let arn = |name: &str| format!("{}:service/web/service-instance/{name}", shop.app.arn_prefix());
        assert_eq!(shop.tags_of(&arn("b")).await, json!({ "cost": "1", "own": "x", "team": "b" }));
        assert_eq!(shop.tags_of(&arn("a")).await, json!({ "cost": "1", "team": "a" }));
        assert_eq!(shop.tags_of(&format!("{}:service/web", shop.app.arn_prefix())).await, json!({ "cost": "1", "team": "a" }));
        let many: Vec<Value> = (0..49).map(|number| tag(&format!("k{number}"), "")).collect();
        let refused = shop.add(json!({ "name": "c", "spec": spec(&[("c", 3)]), "tags": many })).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.starts_with("tags: "), "{refused:?}");
        shop.finish().await;
        // A name that is made again begins without the tags of the one before.
        shop.update_service("web", &spec(&[("a", 1)])).await.unwrap();
        shop.until("web", "ACTIVE").await;
        shop.add(json!({})).await.unwrap();
        assert_eq!(shop.tags_of(&arn("b")).await, json!({ "cost": "1", "team": "a" }));
    }

    the_quota_counts_those_that_failed_to_delete_and_is_a_validation, async |db| {
        let shop = Shop::with(db, |config| config.quotas.instances_per_service = 2).await;
        shop.active("web", &[("a", 1), ("c", 3)]).await;
        shop.fail(&[("DeleteStack", "web-c")]);
        shop.update_service("web", &spec(&[("a", 1)])).await.unwrap();
        shop.until("web", "UPDATE_COMPLETE_CLEANUP_FAILED, a SUCCEEDED, c DELETE_FAILED").await;
        let refused = shop.add(json!({})).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException", "the operation declares no error for quotas");
        assert!(refused.message.starts_with("serviceName: the service 'web' has reached the quota of 2 instances"), "{refused:?}");
        shop.release();
        shop.update_service("web", &spec(&[("a", 1)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED").await;
        shop.add(json!({})).await.unwrap();
    }

    the_last_place_is_given_once, async |db| {
        let shop = Shop::with(db, |config| config.quotas.instances_per_service = 2).await.with_web().await;
        let create = |name: &str| (OPERATION, input(json!({ "name": name, "spec": spec(&[(name, 2)]) })));
        let answers = race(&shop.app, [create("b"), create("c")]).await;
        assert_eq!(refused(&answers), "ValidationException");
    }

    of_two_creates_of_a_name_one_is_a_conflict, async |db| {
        let shop = Shop::on(db).await.with_web().await;
        let answers = race(&shop.app, [(OPERATION, input(json!({}))), (OPERATION, input(json!({})))]).await;
        assert_eq!(refused(&answers), "ConflictException");
        let with = |token: &str| (OPERATION, input(json!({ "name": "c", "spec": spec(&[("c", 1)]), "clientToken": token })));
        let answers = race(&shop.app, [with("one"), with("two")]).await;
        assert_eq!(refused(&answers), "ConflictException", "what programs do that draw their own tokens");
    }

    a_create_and_an_update_of_the_service_exclude_each_other, async |db| {
        let shop = Shop::on(db).await.with_web().await;
        let update = ("UpdateService", json!({ "name": "web", "spec": spec(&[("a", 1), ("c", 3)]) }));
        let answers = race(&shop.app, [(OPERATION, input(json!({}))), update]).await;
        // An update may begin while an instance is deployed that its spec does not have only if it is not there yet.
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        let expected = match &answers[0] {
            Ok(_) => "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED",
            Err(_) => "ACTIVE, a SUCCEEDED, c SUCCEEDED, pipeline SUCCEEDED",
        };
        assert_eq!(shop.stands("web").await, expected);
    }

    a_create_and_a_delete_of_the_service_leave_nothing_behind, async |db| {
        let shop = Shop::on(db).await.with_web().await;
        let delete = ("DeleteService", json!({ "name": "web" }));
        let answers = race(&shop.app, [(OPERATION, input(json!({}))), delete]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        let expected = if answers[0].is_ok() { "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED" } else { "gone" };
        assert_eq!(shop.stands("web").await, expected);
    }

    a_create_and_the_end_of_its_environment_exclude_each_other, async |db| {
        let shop = Shop::on(db).await.with_web().await;
        shop.deployed("other").await;
        let create = (OPERATION, input(json!({ "spec": spec(&[("b", 2)]).replace("prod", "other") })));
        let answers = race(&shop.app, [create, ("DeleteEnvironment", json!({ "name": "other" }))]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        assert_eq!(shop.is_gone("other").await, answers[0].is_err());
    }
}
