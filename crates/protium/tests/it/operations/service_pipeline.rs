use crate::on_both;
use crate::support::app::code;
use crate::support::double::{ROLE, STACK, environment};
use crate::support::service::*;
use serde_json::{Value, json};

/// The input of an update of the pipeline of `web` to a branch, with more members.
fn update(kind: &str, branch: &str, members: Value) -> Value {
    but(json!({ "serviceName": "web", "deploymentType": kind, "spec": on_branch(branch, &[]) }), members)
}

impl Shop {
    async fn pipeline(&self) -> Value {
        self.get("web").await["pipeline"].clone()
    }
}

fn version(part: &Value) -> String {
    format!("{}.{}", part["templateMajorVersion"].as_str().unwrap(), part["templateMinorVersion"].as_str().unwrap())
}

on_both! {
    an_update_of_the_pipeline_leaves_the_instances_alone, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let before = shop.pipeline().await;
        shop.app.pass(1000);
        // The instances of its spec have no meaning here.
        let given = on_branch("dev", &[("a", 9), ("other", 8)]);
        let answer = shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "", json!({ "spec": given }))).await;
        let pipeline = &answer["pipeline"];
        assert_eq!((&pipeline["deploymentStatus"], &pipeline["spec"]), (&json!("IN_PROGRESS"), &before["spec"]));
        assert_eq!((version(pipeline).as_str(), &pipeline["lastDeploymentSucceededAt"]), ("1.0", &before["lastDeploymentSucceededAt"]));
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline IN_PROGRESS", "the service is not moved");
        let busy = shop.app.call("UpdateServicePipeline", update("CURRENT_VERSION", "dev", json!({}))).await;
        assert_eq!(code(busy), "ConflictException");
        assert_eq!(shop.delete_service("web").await.unwrap_err().code, "ConflictException");
        shop.finish().await;
        let service = shop.get("web").await;
        assert_eq!((&service["pipeline"]["deploymentStatus"], &service["pipeline"]["spec"]), (&json!("SUCCEEDED"), &json!(given)));
        assert_eq!(service["spec"], on_branch("dev", &[("a", 1)]), "its section only");
        let expected = json!({ "Source": "team/code dev", "Targets": "[web/a:1@large]" });
        assert_eq!(shop.outputs_of("web", None).await, expected);
        assert_eq!(shop.done("UpdateStack"), ["web"]);
    }

    a_failed_update_of_the_pipeline_leaves_the_service, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.fail(&[("UpdateStack", "web")]);
        shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "dev", json!({}))).await;
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline FAILED");
        let service = shop.get("web").await;
        assert_eq!((&service["spec"], &service["pipeline"]["spec"]), (&json!(spec(&[("a", 1)])), &json!(spec(&[("a", 1)]))));
        shop.release();
        shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "dev", json!({}))).await;
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
    }

    the_pipeline_has_a_version_of_its_own, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let parts = files(INSTANCE, PIPELINE);
        shop.published("svc", &parts, Some("1"), &["env:1"]).await;
        shop.draft("svc", &parts, Some("1"), &["env:1"]).await;
        shop.published("svc", &parts, Some("2"), &["env:1"]).await;
        shop.draft("svc", &parts, Some("3"), &["env:1"]).await;
        for (kind, major, minor, runs) in [
            ("CURRENT_VERSION", None, None, "1.0"),
            ("MINOR_VERSION", None, None, "1.1"),
            ("MINOR_VERSION", Some("1"), Some("2"), "1.2"),
            ("MINOR_VERSION", None, Some("0"), "1.0"),
            ("MAJOR_VERSION", None, None, "2.0"),
            ("MAJOR_VERSION", Some("3"), Some("0"), "3.0"),
        ] {
            let version_of = json!({ "templateMajorVersion": major, "templateMinorVersion": minor });
            shop.app.ok("UpdateServicePipeline", update(kind, "main", version_of)).await;
            shop.finish().await;
            assert_eq!(version(&shop.pipeline().await), runs, "{kind}");
        }
        assert_eq!(version(&shop.instance("web", "a").await), "1.0");
        for (kind, members, says) in [
            ("NONE", json!({ "templateMajorVersion": "3" }), "deploymentType NONE deploys nothing"),
            ("CURRENT_VERSION", json!({ "templateMinorVersion": "0" }), "CURRENT_VERSION keeps the version"),
            ("MINOR_VERSION", json!({ "templateMajorVersion": "2" }), "'2' is not the current major version 3"),
            ("MAJOR_VERSION", json!({ "templateMajorVersion": "3" }), "'3' is not higher"),
            ("MAJOR_VERSION", json!({}), "recommends version 2.0"),
        ] {
            let refused = shop.app.call("UpdateServicePipeline", update(kind, "main", members)).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{kind}");
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
        }
        let delete = json!({ "templateName": "svc", "majorVersion": "3", "minorVersion": "0" });
        let refused = shop.app.call("DeleteServiceTemplateVersion", delete).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("web"), "{refused:?}");
    }

    it_goes_to_no_version_that_an_environment_of_its_service_does_not_work_with, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let parts = files(INSTANCE, PIPELINE);
        shop.site.published("other", &environment(STACK), None).await;
        shop.published("svc", &parts, Some("2"), &["other:1"]).await;
        let refused = shop.app.call("UpdateServicePipeline", update("MAJOR_VERSION", "main", json!({}))).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        for part in ["instance 'a'", "environment 'prod'", "'env:1'", "works with other:1"] {
            assert!(refused.message.contains(part), "{part}: {}", refused.message);
        }
        assert_eq!(version(&shop.pipeline().await), "1.0");
        shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "main", json!({}))).await;
    }

    none_needs_a_spec_and_deploys_nothing, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let before = shop.pipeline().await;
        let answer = shop.app.ok("UpdateServicePipeline", update("NONE", "dev", json!({}))).await;
        assert_eq!(answer["pipeline"], before);
        assert_eq!(shop.pipeline().await, before);
        let without = update("NONE", "dev", json!({ "spec": null }));
        assert_eq!(code(shop.app.call("UpdateServicePipeline", without).await), "ValidationException");
    }

    specs_are_checked_for_the_pipeline, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        for (given, says) in [
            (on_branch("[main]", &[]), "spec: pipeline: "),
            ("proton: EnvironmentSpec\nspec: {}\n".to_owned(), "spec:1: `proton` is"),
            ("proton: [".to_owned(), "spec:"),
        ] {
            let refused = shop.app.call("UpdateServicePipeline", update("CURRENT_VERSION", "", json!({ "spec": given }))).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
        }
        // Without a section, the schema's defaults apply.
        let none = json!({ "spec": plain_spec(&[]) });
        shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "", none)).await;
        shop.finish().await;
        assert_eq!(shop.get("web").await["spec"], plain_spec(&[("a", 1)]));
        assert_eq!(shop.outputs_of("web", None).await["Source"], "team/code main");
    }

    current_values_come_from_the_pipeline_that_is_deployed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "dev", json!({}))).await;
        shop.finish().await;
        shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "\"${Proton::CURRENT_VAL}\"", json!({}))).await;
        shop.finish().await;
        assert_eq!(shop.pipeline().await["spec"], on_branch("\"dev\"", &[]));
    }

    a_pipeline_role_is_needed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.app.ok("UpdateAccountSettings", json!({ "pipelineServiceRoleArn": "" })).await;
        let refused = shop.app.call("UpdateServicePipeline", update("CURRENT_VERSION", "dev", json!({}))).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert_eq!(refused.message, "Operation cannot be run until pipeline roles have been configured");
        shop.app.ok("UpdateAccountSettings", json!({ "pipelineServiceRoleArn": ROLE })).await;
        shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "dev", json!({}))).await;
    }

    a_cancelled_update_of_the_pipeline_leaves_what_was_deployed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let before = shop.pipeline().await;
        shop.fail_and_hang(&[], "web");
        shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "dev", json!({}))).await;
        while shop.done("UpdateStack").is_empty() {
            assert!(step(&shop.app).await);
        }
        let answer = shop.app.ok("CancelServicePipelineDeployment", json!({ "serviceName": "web" })).await;
        let pipeline = &answer["pipeline"];
        assert_eq!((&pipeline["deploymentStatus"], pipeline.get("spec")), (&json!("CANCELLING"), None));
        assert_eq!(version(pipeline), "1.0");
        let again = shop.app.call("CancelServicePipelineDeployment", json!({ "serviceName": "web" })).await;
        assert_eq!(code(again), "ConflictException");
        while shop.done("CancelUpdateStack").is_empty() {
            assert!(step(&shop.app).await);
        }
        shop.release();
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline CANCELLED");
        let after = shop.pipeline().await;
        assert_eq!((&after["spec"], &after["deploymentStatusMessage"]), (&before["spec"], &json!("User initiated cancellation.")));
        assert_eq!(shop.get("web").await["spec"], spec(&[("a", 1)]));
        assert_eq!(shop.outputs_of("web", None).await["Source"], "team/code main");
        shop.app.ok("UpdateServicePipeline", update("CURRENT_VERSION", "dev", json!({}))).await;
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
    }
}
