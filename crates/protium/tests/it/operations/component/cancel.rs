use crate::on_both;
use crate::support::app::code;
use crate::support::component::*;
use crate::support::service::*;
use serde_json::json;

on_both! {
    a_cancelled_create_leaves_nothing_and_can_be_deleted, async |db| {
        let shop = Workshop::on(db).await;
        shop.hang();
        shop.create(attached("bucket")).await.unwrap();
        shop.app.work().await;
        let answer = shop.cancel_component("bucket").await.unwrap();
        assert_eq!(answer["deploymentStatus"], "CANCELLING");
        shop.app.work().await;
        shop.release();
        shop.finish().await;
        let component = shop.component("bucket").await;
        assert_eq!((&component["deploymentStatus"], &component["deploymentStatusMessage"]), (&json!("CANCELLED"), &json!("User initiated cancellation.")));
        assert_eq!((shop.both("bucket").await.as_str(), shop.deployments().await), ("bucket CANCELLED on web/a, a SUCCEEDED", 1));
        assert_eq!(shop.double.stack_count(), 2);
        shop.remove("bucket").await.unwrap();
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket gone, a SUCCEEDED");
    }

    a_cancelled_attach_leaves_it_detached, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(detached("bucket")).await;
        shop.hang();
        shop.change(attach("bucket")).await.unwrap();
        shop.app.work().await;
        shop.cancel_component("bucket").await.unwrap();
        shop.app.work().await;
        shop.release();
        shop.finish().await;
        assert_eq!((shop.both("bucket").await.as_str(), shop.deployments().await), ("bucket CANCELLED, a SUCCEEDED", 1));
        assert_eq!(shop.bucket("bucket").await, "bucket@large");
        shop.made(attached("other")).await;
    }

    a_cancelled_detach_leaves_it_attached, async |db| {
        let shop = Workshop::on(db).await;
        let spec = json!({ "serviceSpec": plain_spec(&[("a", 5)]) });
        shop.made(but(attached("bucket"), spec)).await;
        shop.hang();
        shop.change(detach("bucket")).await.unwrap();
        shop.app.work().await;
        let answer = shop.cancel_component("bucket").await.unwrap();
        assert_eq!(answer["serviceSpec"], plain_spec(&[("a", 5)]), "a cancel shows what is deployed");
        shop.app.work().await;
        shop.release();
        shop.finish().await;
        assert_eq!((shop.both("bucket").await.as_str(), shop.deployments().await), ("bucket CANCELLED on web/a, a SUCCEEDED", 2));
        assert_eq!(shop.sees().await, "bucket bucket@large web/a:5");
        shop.changed(detach("bucket")).await;
        assert_eq!((shop.both("bucket").await.as_str(), shop.sees().await.as_str()), ("bucket SUCCEEDED, a SUCCEEDED", "nothing -"));
    }

    only_what_is_in_progress_can_be_cancelled, async |db| {
        let shop = Workshop::on(db).await;
        assert_eq!(code(shop.cancel_component("bucket").await), "ResourceNotFoundException");
        shop.made(attached("bucket")).await;
        let refused = shop.cancel_component("bucket").await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("component/bucket is SUCCEEDED"), "{refused:?}");
    }
}
