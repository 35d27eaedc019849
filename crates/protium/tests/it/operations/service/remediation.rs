use crate::on_both;
use crate::support::service::*;
use serde_json::json;

on_both! {
    a_new_instance_that_fails_is_taken_back_and_nothing_is_removed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let before = shop.get("web").await;
        shop.fail(&[("CreateStack", "web-d")]);
        shop.update_service("web", &spec(&[("b", 2), ("c", 3), ("d", 4)])).await.unwrap();
        let cleaning = "UPDATE_FAILED_CLEANUP_IN_PROGRESS, a SUCCEEDED, b SUCCEEDED, c DELETE_IN_PROGRESS, d DELETE_IN_PROGRESS, pipeline SUCCEEDED";
        shop.until("web", cleaning).await;
        assert_eq!(shop.get("web").await["spec"], before["spec"]);
        shop.until("web", "UPDATE_FAILED_CLEANUP_COMPLETE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
        let service = shop.get("web").await;
        assert_eq!((&service["spec"], &service["pipeline"]["spec"]), (&before["spec"], &before["spec"]));
        assert_eq!(service["pipeline"].get("deploymentStatusMessage"), None);
        let why = service["statusMessage"].as_str().unwrap();
        assert!(why.contains("/d] failed to deploy: ") && why.contains("no more queues"), "the cause outlives the instance: {why}");
        assert_eq!(shop.done("UpdateStack"), [""; 0], "the pipeline was left alone");
        let mut deleted = shop.done("DeleteStack");
        deleted.sort();
        assert_eq!(deleted, ["web-c", "web-d"]);
        assert_eq!(shop.double.stack_count(), 4);

        shop.release();
        shop.update_service("web", &spec(&[("b", 2), ("c", 3), ("d", 4)])).await.unwrap();
        shop.until("web", "ACTIVE, b SUCCEEDED, c SUCCEEDED, d SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.get("web").await.get("statusMessage"), None);
    }

    what_a_part_showed_before_a_failed_update_it_shows_again, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        shop.fail(&[("UpdateStack", "web"), ("UpdateStack", "web-a"), ("CreateStack", "web-c")]);
        let pipeline = json!({ "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": on_branch("dev", &[]) });
        shop.app.ok("UpdateServicePipeline", pipeline).await;
        let instance = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION", "spec": spec(&[("a", 9)]) });
        shop.app.ok("UpdateServiceInstance", instance).await;
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a FAILED, b SUCCEEDED, pipeline FAILED");
        let (instance, pipeline) = (shop.instance("web", "a").await, shop.get("web").await["pipeline"].clone());
        shop.update_service("web", &spec(&[("b", 2), ("c", 3)])).await.unwrap();
        assert_eq!(shop.instance("web", "a").await.get("deploymentStatusMessage"), None);
        shop.until("web", "UPDATE_FAILED_CLEANUP_COMPLETE, a FAILED, b SUCCEEDED, pipeline FAILED").await;
        assert_eq!(shop.instance("web", "a").await, instance);
        let after = shop.get("web").await["pipeline"].clone();
        assert_eq!(after["deploymentStatusMessage"], pipeline["deploymentStatusMessage"]);
        assert_eq!(after["spec"], pipeline["spec"]);
    }

    what_was_deployed_during_a_failed_update_stays_in_the_spec, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        shop.fail_and_hang(&[("CreateStack", "web-c")], "web-c");
        shop.update_service("web", &spec(&[("a", 1), ("c", 3)])).await.unwrap();
        let instance = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION", "spec": spec(&[("a", 9)]) });
        shop.app.ok("UpdateServiceInstance", instance).await;
        shop.until("web", "UPDATE_IN_PROGRESS, a SUCCEEDED, b DELETE_IN_PROGRESS, c IN_PROGRESS").await;
        assert_eq!(shop.get("web").await["spec"], spec(&[("a", 9), ("c", 3)]));
        shop.double.advance(HANGS * 4);
        shop.double.behave(|_| protium_engines::double::Behaviour::done());
        shop.until("web", "UPDATE_FAILED_CLEANUP_COMPLETE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.get("web").await["spec"], spec(&[("a", 9), ("b", 2)]));
        assert_eq!(shop.outputs_of("web", Some("a")).await["Url"], "web/a:9@large");
    }

    a_new_instance_that_can_not_be_taken_back_is_left_for_the_next_update, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.fail(&[("CreateStack", "web-c"), ("DeleteStack", "web-c")]);
        let wanted = spec(&[("a", 1), ("b", 2), ("c", 3)]);
        shop.update_service("web", &wanted).await.unwrap();
        shop.until("web", "UPDATE_FAILED_CLEANUP_FAILED, a SUCCEEDED, c DELETE_FAILED, pipeline SUCCEEDED").await;
        let service = shop.get("web").await;
        assert_eq!(service["spec"], spec(&[("a", 1)]));
        let why = service["statusMessage"].as_str().unwrap();
        assert!(why.contains("/c] failed to deploy: ") && why.contains("; Service Instance(s): ") && why.contains("/c] failed to delete: "), "{why}");
        let refused = shop.update_service("web", &wanted).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("'c' of the service 'web' is DELETE_FAILED; leave it out"), "{refused:?}");
        shop.release();
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.double.stack_count(), 4);
    }

    an_instance_that_can_not_be_removed_stays_and_the_next_update_tries_again, async |db| {
        let shop = Shop::with(db, |config| config.quotas.instances_per_service = 2).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        shop.fail(&[("DeleteStack", "web-a")]);
        let wanted = spec(&[("b", 2)]);
        shop.update_service("web", &wanted).await.unwrap();
        shop.until("web", "UPDATE_COMPLETE_CLEANUP_FAILED, a DELETE_FAILED, b SUCCEEDED, pipeline SUCCEEDED").await;
        let service = shop.get("web").await;
        assert_eq!((&service["spec"], &service["pipeline"]["spec"]), (&json!(wanted), &json!(wanted)));
        assert!(service["statusMessage"].as_str().unwrap().contains("/a] failed to delete: "), "{service}");
        let refused = shop.update_service("web", &spec(&[("b", 2), ("c", 3)])).await.unwrap_err();
        assert_eq!(refused.code, "ServiceQuotaExceededException", "it counts");
        shop.update_service("web", &wanted).await.unwrap();
        shop.until("web", "UPDATE_COMPLETE_CLEANUP_FAILED, a DELETE_FAILED, b SUCCEEDED, pipeline SUCCEEDED").await;
        shop.release();
        shop.update_service("web", &wanted).await.unwrap();
        assert_eq!(shop.instance("web", "a").await["deploymentStatus"], "DELETE_IN_PROGRESS");
        shop.until("web", "ACTIVE, b SUCCEEDED, pipeline SUCCEEDED").await;
        shop.update_service("web", &spec(&[("b", 2), ("c", 3)])).await.unwrap();
        shop.until("web", "ACTIVE, b SUCCEEDED, c SUCCEEDED").await;
    }

    the_pipeline_goes_on_without_an_instance_that_could_not_be_removed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        shop.fail(&[("DeleteStack", "web-a")]);
        shop.update_service("web", &spec(&[("b", 2)])).await.unwrap();
        shop.until("web", "UPDATE_COMPLETE_CLEANUP_FAILED").await;
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/b:2@large]");
    }

    a_pipeline_that_fails_after_an_update_is_not_rolled_back, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        shop.fail(&[("UpdateStack", "web")]);
        let wanted = spec(&[("b", 2), ("c", 3)]);
        shop.update_service("web", &wanted).await.unwrap();
        shop.until("web", "UPDATE_FAILED, b SUCCEEDED, c SUCCEEDED, pipeline FAILED").await;
        let service = shop.get("web").await;
        assert_eq!(service["spec"], wanted);
        let why = service["pipeline"]["deploymentStatusMessage"].as_str().unwrap();
        assert!(why.contains("no more queues"), "{why}");
        assert_eq!(service["statusMessage"], format!("The pipeline is FAILED: {why}"));
        assert_eq!(service["pipeline"]["spec"], spec(&[("a", 1), ("b", 2)]), "what is deployed");
        shop.release();
        shop.update_service("web", &wanted).await.unwrap();
        shop.until("web", "ACTIVE, b SUCCEEDED, c SUCCEEDED, pipeline SUCCEEDED").await;
    }

    a_new_instance_that_is_cancelled_counts_as_failed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.app.ok("CancelServiceInstanceDeployment", json!({ "serviceName": "web", "serviceInstanceName": "b" })).await;
        shop.until("web", "UPDATE_FAILED_CLEANUP_COMPLETE, a SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.double.stack_count(), 3);
    }

    a_pipeline_that_is_cancelled_during_an_update_fails_it, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.app.ok("CancelServicePipelineDeployment", json!({ "serviceName": "web" })).await;
        shop.until("web", "UPDATE_FAILED, a SUCCEEDED, b SUCCEEDED, pipeline CANCELLED").await;
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
    }
}
