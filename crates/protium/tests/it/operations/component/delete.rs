use crate::on_both;
use crate::support::app::code;
use crate::support::component::*;
use serde_json::json;

on_both! {
    a_delete_is_asynchronous_and_may_be_repeated, async |db| {
        let shop = Workshop::on(db).await;
        let before = shop.made(detached("bucket")).await;
        let answer = shop.remove("bucket").await.unwrap();
        assert_eq!((&answer["component"]["deploymentStatus"], &answer["component"]["lastDeploymentSucceededAt"]), (&json!("DELETE_IN_PROGRESS"), &before["lastDeploymentSucceededAt"]));
        assert_eq!(shop.remove("bucket").await.unwrap(), answer, "once more is no more");
        assert_eq!(code(shop.change(deploy("bucket", json!({}))).await), "ConflictException");
        assert_eq!(code(shop.create(detached("bucket")).await), "ConflictException");
        shop.finish().await;
        assert_eq!(code(shop.app.call("GetComponent", json!({ "name": "bucket" })).await), "ResourceNotFoundException", "as the waiter needs it");
        assert_eq!(shop.remove("bucket").await.unwrap(), json!({}));
        assert_eq!(shop.remove("never").await.unwrap(), json!({}));
        assert_eq!(shop.done("DeleteStack"), ["bucket"]);
        let records = shop.records_of("bucket").await;
        assert_eq!((&records[0]["deploymentStatus"], records[0].get("targetState"), records.len()), (&json!("DELETE_COMPLETE"), None, 2));
        shop.made(detached("bucket")).await;
    }

    an_attached_component_is_not_deleted, async |db| {
        let shop = Workshop::on(db).await;
        shop.create(attached("bucket")).await.unwrap();
        assert_eq!(code(shop.remove("bucket").await), "ConflictException", "it is under way");
        shop.finish().await;
        let refused = shop.remove("bucket").await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("attached to the instance 'a' of the service 'web'") && refused.message.contains("detach it first"), "{refused:?}");
        shop.change(detach("bucket")).await.unwrap();
        assert_eq!(code(shop.remove("bucket").await), "ConflictException", "not yet detached");
        shop.finish().await;
        shop.remove("bucket").await.unwrap();
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket gone, a SUCCEEDED");
    }

    one_that_never_succeeded_is_deleted_where_it_is, async |db| {
        let shop = Workshop::on(db).await;
        shop.fail(&[("CreateStack", "bucket")]);
        shop.create(attached("bucket")).await.unwrap();
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket FAILED on web/a, a SUCCEEDED");
        shop.fail(&[("DeleteStack", "bucket")]);
        let answer = shop.remove("bucket").await.unwrap();
        assert_eq!(answer["component"].get("serviceName"), None);
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket DELETE_FAILED, a SUCCEEDED");
        shop.release();
        shop.remove("bucket").await.unwrap();
        shop.finish().await;
        assert_eq!((shop.both("bucket").await.as_str(), shop.deployments().await), ("bucket gone, a SUCCEEDED", 1));
    }

    what_can_not_be_deleted_is_deleted_again, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(detached("bucket")).await;
        shop.fail(&[("DeleteStack", "bucket")]);
        shop.remove("bucket").await.unwrap();
        shop.finish().await;
        assert_eq!(shop.component("bucket").await["deploymentStatus"], "DELETE_FAILED");
        assert_eq!(code(shop.change(deploy("bucket", json!({}))).await), "ConflictException");
        shop.release();
        shop.remove("bucket").await.unwrap();
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket gone, a SUCCEEDED");
    }
}
