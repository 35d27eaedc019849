use crate::on_both;
use crate::support::app::{Refused, TestApp, code};
use crate::support::double::{self, STACK, Site, create as create_environment, spec as size};
use crate::support::service::*;
use crate::support::under_way::assert_all_have_jobs;
use protium_engines::double::{Behaviour, Takes};
use serde_json::{Value, json};

async fn redeploy(app: &TestApp, resource: &str, members: Value) -> Result<Value, Refused> {
    let arn = format!("{}:{resource}", app.arn_prefix());
    let answer = app.call("Redeploy", but(json!({ "resourceArn": arn }), members)).await;
    assert_all_have_jobs(app).await;
    answer
}

fn version(major: &str, minor: &str) -> Value {
    json!({ "templateMajorVersion": major, "templateMinorVersion": minor })
}

on_both! {
    an_environment_is_deployed_anew_at_any_version, async |db| {
        let site = Site::on(db).await;
        site.published("env", &double::environment(STACK), Some("2")).await;
        site.register("env", &double::environment(STACK), Some("2")).await;
        site.deployed("prod").await;
        for (asked, expected) in [
            (json!({ "templateMajorVersion": "2" }), "2.0"),
            (version("2", "1"), "2.1"),
            (json!({}), "2.1"),
            (version("1", "0"), "1.0"),
        ] {
            let answer = redeploy(&site.app, "environment/prod", asked.clone()).await.unwrap();
            let (major, minor) = expected.split_once('.').unwrap();
            assert_eq!((&answer["templateMajorVersion"], &answer["templateMinorVersion"]), (&json!(major), &json!(minor)), "{asked}");
            assert_eq!(answer["templateName"], "env");
            site.finish().await;
            let found = site.get("prod").await;
            assert_eq!((&found["deploymentStatus"], &found["lastSucceededDeploymentId"]), (&json!("SUCCEEDED"), &answer["deploymentId"]));
            assert_eq!((&found["templateMajorVersion"], &found["templateMinorVersion"]), (&json!(major), &json!(minor)));
            assert_eq!(found["spec"], size("large"));
        }
        redeploy(&site.app, "environment/prod", json!({ "spec": size("small") })).await.unwrap();
        site.finish().await;
        assert_eq!((&site.get("prod").await["spec"], &site.outputs("prod").await["Size"]), (&json!(size("small")), &json!("small")));
    }

    what_never_succeeded_goes_to_another_version, async |db| {
        let site = Site::on(db).await;
        let broken = STACK.replace("inputs.size }}\"}}", "inputs.colour }}\"}}");
        site.published("env", &double::environment(&broken), Some("1")).await;
        site.app.ok("CreateEnvironment", create_environment("prod")).await;
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "FAILED");
        redeploy(&site.app, "environment/prod", version("1", "0")).await.unwrap();
        site.finish().await;
        let found = site.get("prod").await;
        assert_eq!((&found["deploymentStatus"], &found["templateMinorVersion"]), (&json!("SUCCEEDED"), &json!("0")));
    }

    it_takes_the_place_of_a_deployment_that_does_not_end, async |db| {
        let site = Site::on(db).await;
        site.double.behave(|_| Behaviour::done().taking(Takes::Time(HANGS)));
        site.app.ok("CreateEnvironment", create_environment("prod")).await;
        site.app.work().await;
        let first = site.get("prod").await["lastAttemptedDeploymentId"].clone();
        let answer = redeploy(&site.app, "environment/prod", json!({ "spec": size("small") })).await.unwrap();
        let old = site.app.ok("GetDeployment", json!({ "id": first })).await["deployment"].clone();
        assert_eq!(old["deploymentStatus"], "FAILED");
        assert!(old["deploymentStatusMessage"].as_str().unwrap().starts_with("Given up: deployed anew."), "{old}");
        site.double.behave(|_| Behaviour::done());
        site.double.advance(HANGS * 2);
        site.finish().await;
        let found = site.get("prod").await;
        assert_eq!((&found["deploymentStatus"], &found["lastSucceededDeploymentId"]), (&json!("SUCCEEDED"), &answer["deploymentId"]));
        assert_eq!((&site.outputs("prod").await["Size"], site.double.stack_count()), (&json!("small"), 1));
    }

    what_could_not_be_deleted_comes_back, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.double.behave(|operation| match operation.action {
            "DeleteStack" => Behaviour::fails("Topic", "AWS::SNS::Topic", "it has subscribers"),
            _ => Behaviour::done(),
        });
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "DELETE_FAILED");
        site.double.behave(|_| Behaviour::done());
        redeploy(&site.app, "environment/prod", json!({})).await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "SUCCEEDED");
        assert_eq!(site.outputs("prod").await["Size"], "large");
    }

    an_instance_goes_to_another_version_whatever_it_is_at, async |db| {
        let shop = Shop::on(db).await;
        shop.published("plain", &files(INSTANCE, PIPELINE), Some("2"), &["env:1"]).await;
        shop.fail_and_hang(&[], "web-a");
        shop.app.ok("CreateService", create_plain("web", &[("a", 1), ("b", 2)])).await;
        shop.until("web", "CREATE_IN_PROGRESS, a IN_PROGRESS, b SUCCEEDED").await;
        redeploy(&shop.app, "service/web/service-instance/a", json!({ "templateMajorVersion": "2" })).await.unwrap();
        shop.release();
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED").await;
        assert_eq!(shop.instance("web", "a").await["templateMajorVersion"], "2");
        // Back again, with a changed spec of its own.
        let members = but(version("1", "0"), json!({ "spec": plain_spec(&[("a", 5), ("b", 2)]) }));
        redeploy(&shop.app, "service/web/service-instance/a", members).await.unwrap();
        shop.finish().await;
        assert_eq!(shop.instance("web", "a").await["templateMajorVersion"], "1");
        assert_eq!(shop.outputs_of("web", Some("a")).await["Url"], "web/a:5@large");
        assert_eq!(shop.get("web").await["spec"], plain_spec(&[("a", 5), ("b", 2)]));
    }

    a_pipeline_is_deployed_anew_at_its_turn_and_after, async |db| {
        let shop = Shop::on(db).await;
        shop.published("svc", &files(INSTANCE, PIPELINE), Some("2"), &["env:1"]).await;
        shop.fail_and_hang(&[], "web");
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        let refused = redeploy(&shop.app, "service/web/pipeline", json!({})).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("CREATE_IN_PROGRESS"), "{}", refused.message);
        shop.until("web", "CREATE_IN_PROGRESS, a SUCCEEDED").await;
        shop.app.work().await;
        redeploy(&shop.app, "service/web/pipeline", json!({ "templateMajorVersion": "2" })).await.unwrap();
        shop.release();
        shop.until("web", "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.get("web").await["pipeline"]["templateMajorVersion"], "2");
        // Some clients append the pipeline's id.
        let members = but(version("1", "0"), json!({ "spec": on_branch("next", &[("a", 1)]) }));
        redeploy(&shop.app, "service/web/pipeline/0a1b2c3d-0000-1111-2222-0123456789ab", members).await.unwrap();
        shop.finish().await;
        assert_eq!(shop.outputs_of("web", None).await["Source"], "team/code next");
    }

    what_is_being_removed_is_not_deployed_anew, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        shop.fail_and_hang(&[], "web-c");
        shop.update_service("web", &spec(&[("b", 2), ("c", 3)])).await.unwrap();
        let refused = redeploy(&shop.app, "service/web/service-instance/a", json!({})).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("UPDATE_IN_PROGRESS") && refused.message.contains("force-delete"), "{}", refused.message);
        shop.release();
        shop.until("web", "ACTIVE, b SUCCEEDED, c SUCCEEDED, pipeline SUCCEEDED").await;
        shop.fail_and_hang(&[], "web-b");
        shop.delete_service("web").await.unwrap();
        shop.until("web", "DELETE_IN_PROGRESS, b DELETE_IN_PROGRESS").await;
        for resource in ["service/web/service-instance/b", "service/web/pipeline"] {
            let refused = redeploy(&shop.app, resource, json!({})).await;
            assert!(matches!(refused.map_err(|why| why.code).unwrap_err().as_str(), "ConflictException" | "ResourceNotFoundException"));
        }
    }

    what_can_not_be_redeployed_is_named, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.active_plain("api", &[("a", 1)]).await;
        for (resource, members, code, said) in [
            ("environment/prod", json!({ "templateMinorVersion": "1" }), "ValidationException", "templateMinorVersion"),
            ("environment/prod", json!({ "spec": "proton: ServiceSpec" }), "ValidationException", "spec"),
            ("environment/prod", json!({ "spec": "proton: EnvironmentSpec\nspec:\n  size: [1]\n" }), "ValidationException", "spec"),
            ("environment/prod", version("9", "9"), "ResourceNotFoundException", "env:9.9"),
            ("environment/prod", version("99999999999999999999", "0"), "ResourceNotFoundException", "env"),
            ("environment/none", json!({}), "ResourceNotFoundException", "environment/none"),
            ("service/web", json!({}), "ValidationException", "each instance"),
            ("service/web/service-instance/none", json!({}), "ResourceNotFoundException", "none"),
            ("service/api/pipeline", json!({}), "ResourceNotFoundException", "service/api/pipeline"),
            ("service/none/pipeline", json!({}), "ResourceNotFoundException", "service/none"),
            ("service/web/service-instance/a", json!({ "spec": plain_spec(&[("b", 1)]) }), "ValidationException", "'a'"),
            ("component/none", json!({}), "ValidationException", "a component has no template version, update it"),
            ("service-template/svc", json!({}), "ValidationException", "resourceArn"),
        ] {
            let refused = redeploy(&shop.app, resource, members).await.unwrap_err();
            assert_eq!(refused.code, code, "{resource}: {}", refused.message);
            assert!(refused.message.contains(said), "{resource}: {}", refused.message);
        }
        let arn = format!("{}:environment/prod", shop.app.arn_prefix());
        assert_eq!(code(shop.app.in_region("eu-west-1").call("Redeploy", json!({ "resourceArn": arn })).await), "ResourceNotFoundException");
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
    }
}
