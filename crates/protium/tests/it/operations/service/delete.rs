use crate::on_both;
use crate::support::app::code;
use crate::support::double::enqueue_again;
use crate::support::service::*;
use serde_json::json;

on_both! {
    a_delete_removes_all_parts_and_then_the_service, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let before = shop.get("web").await;
        let answer = shop.delete_service("web").await.unwrap();
        let service = &answer["service"];
        assert_eq!((&service["status"], &service["spec"]), (&json!("DELETE_IN_PROGRESS"), &before["spec"]));
        assert_eq!(service["pipeline"]["deploymentStatus"], "DELETE_IN_PROGRESS");
        assert_eq!(service["pipeline"]["lastDeploymentAttemptedAt"], before["pipeline"]["lastDeploymentAttemptedAt"]);
        let expected = "DELETE_IN_PROGRESS, a DELETE_IN_PROGRESS, b DELETE_IN_PROGRESS, pipeline DELETE_IN_PROGRESS";
        assert_eq!(shop.stands("web").await, expected);
        assert_eq!(shop.delete_service("web").await.unwrap()["service"], *service, "once more is no more");
        shop.until("web", "gone").await;
        let mut deleted = shop.done("DeleteStack");
        deleted.sort();
        assert_eq!(deleted, ["web", "web-a", "web-b"]);
        assert_eq!(shop.delete_service("web").await.unwrap(), json!({}));
        assert_eq!(shop.delete_service("never").await.unwrap(), json!({}));
        let list = shop.app.ok("ListServiceInstances", json!({})).await;
        assert_eq!(list, json!({ "serviceInstances": [] }));
    }

    what_can_not_be_deleted_stays_and_is_deleted_again, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        shop.fail(&[("DeleteStack", "web-b"), ("DeleteStack", "web")]);
        shop.delete_service("web").await.unwrap();
        shop.until("web", "DELETE_FAILED, b DELETE_FAILED, pipeline DELETE_FAILED").await;
        let service = shop.get("web").await;
        let why = service["statusMessage"].as_str().unwrap();
        assert!(why.contains("/b] failed to delete: ") && why.contains("; The pipeline is DELETE_FAILED: "), "{why}");
        let update = json!({ "serviceName": "web", "name": "b", "deploymentType": "CURRENT_VERSION" });
        assert_eq!(code(shop.app.call("UpdateServiceInstance", update).await), "ConflictException");
        let update = json!({ "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": spec(&[]) });
        assert_eq!(code(shop.app.call("UpdateServicePipeline", update).await), "ConflictException");
        assert_eq!(code(shop.update_service("web", &spec(&[("b", 2)])).await), "ConflictException");
        shop.app.ok("UpdateService", json!({ "name": "web", "description": "stuck" })).await;
        assert_eq!(code(shop.app.call("CreateService", create("web", &[("a", 1)])).await), "ConflictException");
        shop.delete_service("web").await.unwrap();
        shop.until("web", "DELETE_FAILED, b DELETE_FAILED, pipeline DELETE_FAILED").await;
        shop.release();
        let answer = shop.delete_service("web").await.unwrap();
        assert_eq!((&answer["service"]["status"], answer["service"].get("statusMessage")), (&json!("DELETE_IN_PROGRESS"), None));
        shop.until("web", "gone").await;
        assert_eq!(shop.double.stack_count(), 1);
    }

    a_service_that_works_is_not_deleted, async |db| {
        let shop = Shop::on(db).await;
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        assert_eq!(code(shop.delete_service("web").await), "ConflictException");
        shop.until("web", "ACTIVE").await;
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" });
        shop.app.ok("UpdateServiceInstance", update).await;
        let refused = shop.delete_service("web").await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("service-instance/a is IN_PROGRESS"), "{refused:?}");
        assert_eq!(shop.stands("web").await, "ACTIVE, a IN_PROGRESS, pipeline SUCCEEDED", "nothing of it was begun");
        shop.finish().await;
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
    }

    an_old_job_leaves_a_namesake_alone, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let first = shop.app.ok("ListDeployments", json!({ "serviceName": "web" })).await["deployments"].clone();
        shop.delete_service("web").await.unwrap();
        // A worker has the first job of the deletion and stops in the middle of its life.
        let stale = shop.app.claim().await.unwrap();
        shop.until("web", "gone").await;
        shop.app.ok("CreateService", create("web", &[("a", 7)])).await;
        for record in first.as_array().unwrap() {
            enqueue_again(&shop.app, record["id"].as_str().unwrap()).await;
        }
        enqueue_again(&shop.app, &stale.key).await;
        let _lost = protium::jobs::run(&shop.app.app, &stale).await;
        shop.until("web", "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/a:7@large]");
        assert_eq!(shop.done("DeleteStack").len(), 2, "those of the first");
        assert_eq!(shop.double.stack_count(), 3);
    }

    tags_and_tokens_go_with_the_service, async |db| {
        let shop = Shop::on(db).await;
        let tags = json!({ "tags": [{ "key": "team", "value": "shop" }] });
        shop.app.ok("CreateService", but(create("web", &[("a", 1)]), tags)).await;
        shop.until("web", "ACTIVE").await;
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION", "clientToken": "t" });
        shop.app.ok("UpdateServiceInstance", update.clone()).await;
        shop.finish().await;
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
        shop.active("web", &[("a", 1)]).await;
        let arn = format!("{}:service/web", shop.app.arn_prefix());
        assert_eq!(shop.tags_of(&arn).await, json!({}));
        assert_eq!(shop.tags_of(&format!("{arn}/service-instance/a")).await, json!({}));
        let answer = shop.app.ok("UpdateServiceInstance", update).await;
        assert_eq!(answer["serviceInstance"]["deploymentStatus"], "IN_PROGRESS", "the token is as good as new");
    }
}
