use crate::on_both;
use crate::support::app::code;
use crate::support::double::ROLE;
use crate::support::service::*;
use serde_json::json;

fn cancel(instance: &str) -> serde_json::Value {
    json!({ "serviceName": "web", "serviceInstanceName": instance })
}

on_both! {
    a_failed_instance_fails_the_pipeline_and_the_service_once_the_others_have_settled, async |db| {
        let shop = Shop::on(db).await;
        shop.fail_and_hang(&[("CreateStack", "web-b")], "web-a");
        shop.app.ok("CreateService", create("web", &[("a", 1), ("b", 2)])).await;
        shop.until("web", "CREATE_IN_PROGRESS, a IN_PROGRESS, b FAILED, pipeline IN_PROGRESS").await;
        shop.release();
        shop.until("web", "CREATE_FAILED, a SUCCEEDED, b FAILED, pipeline FAILED").await;
        let service = shop.get("web").await;
        let arn = format!("{}:service/web/service-instance/b", shop.app.arn_prefix());
        let expected = format!("Service Instance(s): [{arn}] failed to deploy - canceling pipeline deployment");
        assert_eq!(service["pipeline"]["deploymentStatusMessage"], expected);
        let why = service["statusMessage"].as_str().unwrap();
        assert!(why.starts_with(&format!("Service Instance(s): [{arn}] failed to deploy: ")), "{why}");
        assert!(why.contains("no more queues"), "{why}");
        let failed = shop.instance("web", "b").await;
        assert!(failed["deploymentStatusMessage"].as_str().unwrap().contains("no more queues"), "{failed}");
        assert_eq!((failed.get("spec"), failed.get("templateMajorVersion")), (None, None));
        assert_eq!(service["spec"], spec(&[("a", 1), ("b", 2)]));
        let deployments = shop.app.ok("ListDeployments", json!({ "serviceName": "web" })).await;
        assert_eq!(deployments["deployments"].as_array().unwrap().len(), 3);
        assert!(!shop.done("CreateStack").contains(&"web".to_owned()), "the pipeline was never begun");
    }

    updating_with_the_same_spec_deploys_again_what_never_succeeded, async |db| {
        let shop = Shop::on(db).await;
        shop.fail(&[("CreateStack", "web-b")]);
        shop.app.ok("CreateService", create("web", &[("a", 1), ("b", 2)])).await;
        shop.until("web", "CREATE_FAILED").await;
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "UPDATE_IN_PROGRESS, a SUCCEEDED, b IN_PROGRESS, pipeline IN_PROGRESS").await;
        shop.until("web", "UPDATE_FAILED, a SUCCEEDED, b FAILED, pipeline FAILED").await;
        let service = shop.get("web").await;
        assert!(service["statusMessage"].as_str().unwrap().contains("/b] failed to deploy: "), "{service}");
        let message = service["pipeline"]["deploymentStatusMessage"].as_str().unwrap();
        assert!(message.ends_with("canceling pipeline deployment"), "as it was before: {message}");

        shop.release();
        let spec = service["spec"].as_str().unwrap();
        let answer = shop.update_service("web", spec).await.unwrap();
        assert_eq!((&answer["status"], answer.get("statusMessage")), (&json!("UPDATE_IN_PROGRESS"), None));
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
        let expected = json!({ "Source": "team/code main", "Targets": "[web/a:1@large][web/b:2@large]" });
        assert_eq!(shop.outputs_of("web", None).await, expected);
        assert_eq!(shop.done("CreateStack").iter().filter(|stack| *stack == "web-a").count(), 1);
        assert_eq!(shop.done("UpdateStack"), [""; 0], "the instance that had succeeded was left alone");
    }

    a_service_that_failed_can_be_deleted, async |db| {
        let shop = Shop::on(db).await;
        shop.fail(&[("CreateStack", "web-b")]);
        shop.app.ok("CreateService", create("web", &[("a", 1), ("b", 2)])).await;
        shop.until("web", "CREATE_FAILED").await;
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
        assert_eq!(shop.double.stack_count(), 1, "only the environment is left");
    }

    a_failed_pipeline_fails_the_service_and_is_deployed_again, async |db| {
        let shop = Shop::on(db).await;
        shop.fail(&[("CreateStack", "web")]);
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        shop.until("web", "CREATE_FAILED, a SUCCEEDED, pipeline FAILED").await;
        let service = shop.get("web").await;
        let why = service["pipeline"]["deploymentStatusMessage"].as_str().unwrap();
        assert!(why.contains("no more queues"), "{why}");
        assert_eq!(service["statusMessage"], format!("The pipeline is FAILED: {why}"));
        shop.release();
        let update = json!({ "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": spec(&[]) });
        shop.app.ok("UpdateServicePipeline", update).await;
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "CREATE_FAILED, a SUCCEEDED, pipeline SUCCEEDED", "a part alone does not move it");
        shop.update_service("web", &spec(&[("a", 1)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED").await;
    }

    a_template_that_does_not_render_fails_before_anything_is_made, async |db| {
        let shop = Shop::on(db).await;
        let wrong = INSTANCE.replace("inputs.port }}\"}}}", "inputs.prot }}\"}}}");
        shop.published("svc", &files(&wrong, PIPELINE), Some("2"), &["env:1"]).await;
        shop.app.ok("CreateService", but(create("web", &[("a", 1)]), json!({ "templateMajorVersion": "2" }))).await;
        shop.until("web", "CREATE_FAILED, a FAILED, pipeline FAILED").await;
        let message = shop.instance("web", "a").await["deploymentStatusMessage"].as_str().unwrap().to_owned();
        assert!(message.contains("prot") && message.contains("port"), "{message}");
        let calls = shop.double.calls().len();
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
        assert_eq!(shop.double.calls().len(), calls, "there was nothing to destroy");
    }

    an_instance_that_is_corrected_by_its_own_update_lets_the_service_be_updated, async |db| {
        let shop = Shop::on(db).await;
        shop.double.deny_role(ROLE, true);
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        shop.until("web", "CREATE_FAILED, a FAILED").await;
        shop.double.deny_role(ROLE, false);
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION", "spec": spec(&[("a", 5)]) });
        shop.app.ok("UpdateServiceInstance", update).await;
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "CREATE_FAILED, a SUCCEEDED, pipeline FAILED");
        shop.update_service("web", shop.get("web").await["spec"].as_str().unwrap()).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/a:5@large]");
    }

    an_instance_that_is_cancelled_while_the_service_is_created_fails_it, async |db| {
        let shop = Shop::on(db).await;
        shop.fail_and_hang(&[], "web-a");
        shop.app.ok("CreateService", create("web", &[("a", 1), ("b", 2)])).await;
        shop.until("web", "CREATE_IN_PROGRESS, a IN_PROGRESS, b SUCCEEDED").await;
        let answer = shop.app.ok("CancelServiceInstanceDeployment", cancel("a")).await;
        assert_eq!(answer["serviceInstance"]["deploymentStatus"], "CANCELLING");
        while shop.done("DeleteStack").is_empty() {
            assert!(step(&shop.app).await);
        }
        shop.release();
        shop.until("web", "CREATE_FAILED, a CANCELLED, b SUCCEEDED, pipeline FAILED").await;
        assert_eq!(shop.instance("web", "a").await["deploymentStatusMessage"], "User initiated cancellation.");
        let again = shop.app.call("CancelServiceInstanceDeployment", cancel("a")).await;
        assert_eq!(code(again), "ConflictException");
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
    }

    a_pipeline_that_is_cancelled_before_its_turn_fails_the_service_after_its_instances, async |db| {
        let shop = Shop::on(db).await;
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        let answer = shop.app.ok("CancelServicePipelineDeployment", json!({ "serviceName": "web" })).await;
        assert_eq!((&answer["pipeline"]["deploymentStatus"], answer["pipeline"].get("spec")), (&json!("CANCELLING"), None));
        shop.until("web", "CREATE_FAILED, a SUCCEEDED, pipeline CANCELLED").await;
        let service = shop.get("web").await;
        assert_eq!(service["statusMessage"], "The pipeline is CANCELLED: User initiated cancellation.");
        assert_eq!(service["pipeline"]["deploymentStatusMessage"], "User initiated cancellation.");
        assert_eq!(shop.done("CreateStack"), ["prod", "web-a"]);
        shop.update_service("web", &spec(&[("a", 1)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED").await;
    }

    a_pipeline_that_is_cancelled_at_its_turn_fails_the_service, async |db| {
        let shop = Shop::on(db).await;
        shop.fail_and_hang(&[], "web");
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        shop.until("web", "CREATE_IN_PROGRESS, a SUCCEEDED, pipeline IN_PROGRESS").await;
        while !shop.done("CreateStack").contains(&"web".to_owned()) {
            assert!(step(&shop.app).await);
        }
        shop.app.ok("CancelServicePipelineDeployment", json!({ "serviceName": "web" })).await;
        while shop.done("DeleteStack").is_empty() {
            assert!(step(&shop.app).await);
        }
        shop.release();
        shop.until("web", "CREATE_FAILED, a SUCCEEDED, pipeline CANCELLED").await;
        assert_eq!(shop.double.stack_count(), 2, "what it had begun is taken away");
    }
}
