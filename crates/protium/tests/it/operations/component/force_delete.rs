use crate::on_both;
use crate::operations::force_delete::force;
use crate::support::component::*;
use serde_json::json;

on_both! {
    an_attached_component_goes_and_its_instance_goes_on_without_it, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("bucket")).await;
        let (saw, before) = (shop.sees().await, shop.deployments().await);
        let answer = force(&shop.app, "component/bucket", "DELETE").await.unwrap();
        assert_eq!((&answer["status"], &answer["retained"]), (&json!("DELETE_IN_PROGRESS"), &json!([])));
        assert_eq!(shop.both("bucket").await, "bucket DELETE_IN_PROGRESS, a IN_PROGRESS");
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket gone, a SUCCEEDED");
        assert_ne!(shop.sees().await, saw);
        assert_eq!((shop.deployments().await, shop.done("DeleteStack")), (before + 1, vec!["bucket".to_owned()]));
    }

    its_infrastructure_stays_if_that_is_asked, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("bucket")).await;
        let answer = force(&shop.app, "component/bucket", "RETAIN").await.unwrap();
        assert_eq!((&answer["status"], answer["retained"].as_array().unwrap().len()), (&json!("DELETED"), 1));
        assert_eq!(shop.both("bucket").await, "bucket gone, a IN_PROGRESS");
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket gone, a SUCCEEDED");
        assert_eq!(shop.done("DeleteStack"), Vec::<String>::new());
        shop.made(attached("bucket")).await;
    }

    one_that_is_under_way_goes_too, async |db| {
        let shop = Workshop::on(db).await;
        shop.hang();
        shop.create(attached("bucket")).await.unwrap();
        let before = shop.deployments().await;
        force(&shop.app, "component/bucket", "RETAIN").await.unwrap();
        assert_eq!(shop.both("bucket").await, "bucket gone, a SUCCEEDED");
        shop.release();
        shop.finish().await;
        assert_eq!(shop.deployments().await, before, "the instance never saw it");
    }

    an_instance_that_goes_lets_its_component_go, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("bucket")).await;
        force(&shop.app, "service/web/service-instance/a", "DELETE").await.unwrap();
        let component = shop.component("bucket").await;
        assert_eq!((component.get("serviceName"), component.get("serviceInstanceName")), (None, None));
        shop.finish().await;
        shop.remove("bucket").await.unwrap();
        shop.finish().await;
        assert_eq!(shop.double.stack_count(), 1, "the environment's");
    }

    an_environment_with_a_component_stays, async |db| {
        let shop = Workshop::on(db).await;
        force(&shop.app, "service/web", "DELETE").await.unwrap();
        shop.finish().await;
        shop.made(detached("bucket")).await;
        let refused = force(&shop.app, "environment/prod", "DELETE").await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("has components, such as 'bucket'"), "{refused:?}");
    }
}
