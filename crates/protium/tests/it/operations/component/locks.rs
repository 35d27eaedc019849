use crate::on_both;
use crate::support::app::code;
use crate::support::component::*;
use crate::support::double::finish;
use crate::support::service::*;
use serde_json::json;

fn update_instance() -> serde_json::Value {
    json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" })
}

on_both! {
    a_component_and_its_instance_are_not_deployed_at_a_time, async |db| {
        let shop = Workshop::on(db).await;
        shop.create(attached("bucket")).await.unwrap();
        let refused = shop.app.call("UpdateServiceInstance", update_instance()).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("the component 'bucket'") && refused.message.contains("is IN_PROGRESS"), "{refused:?}");
        shop.app.ok("UpdateServiceInstance", but(update_instance(), json!({ "deploymentType": "NONE" }))).await;
        shop.until_both("bucket", "bucket SUCCEEDED on web/a, a IN_PROGRESS").await;
        for kind in ["NONE", "CURRENT_VERSION"] {
            let refused = shop.change(json!({ "name": "bucket", "deploymentType": kind, "description": "d" })).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            assert!(refused.message.contains("the instance 'a' of the service 'web'") && refused.message.contains("is IN_PROGRESS"), "{refused:?}");
        }
        assert_eq!(code(shop.change(detach("bucket")).await), "ConflictException");
        finish(&shop.app).await;
        shop.change(detach("bucket")).await.unwrap();
        assert_eq!(code(shop.app.call("UpdateServiceInstance", update_instance()).await), "ConflictException", "until it is detached");
        assert_eq!(code(shop.create(attached("other")).await), "ConflictException");
        let none = json!({ "name": "bucket", "deploymentType": "NONE", "description": "d" });
        assert_eq!(code(shop.change(none).await), "ConflictException", "it is under way itself");
        finish(&shop.app).await;
        shop.app.ok("UpdateServiceInstance", update_instance()).await;
    }

    an_instance_with_a_component_stays, async |db| {
        let shop = Workshop::on(db).await;
        shop.update_service("web", &plain_spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE").await;
        shop.made(attached("bucket")).await;
        let before = shop.get("web").await;
        for refused in [shop.update_service("web", &plain_spec(&[("b", 2)])).await.unwrap_err(), shop.delete_service("web").await.unwrap_err()] {
            assert_eq!(refused.code, "ConflictException");
            assert!(refused.message.contains("the instance 'a' of the service 'web' has the component 'bucket'"), "{refused:?}");
        }
        assert_eq!((shop.get("web").await, shop.stands("web").await.as_str()), (before, "ACTIVE, a SUCCEEDED, b SUCCEEDED"));
        shop.update_service("web", &plain_spec(&[("a", 1)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED").await;
        shop.changed(detach("bucket")).await;
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
    }

    an_instance_that_is_being_added_takes_no_component_yet, async |db| {
        let shop = Workshop::on(db).await;
        shop.fail_and_hang(&[], "web-c");
        shop.update_service("web", &plain_spec(&[("a", 1), ("b", 2), ("c", 3)])).await.unwrap();
        shop.until("web", "UPDATE_IN_PROGRESS, a SUCCEEDED, b SUCCEEDED, c IN_PROGRESS").await;
        let to = |instance: &str| but(attached("bucket"), json!({ "serviceInstanceName": instance }));
        let refused = shop.create(to("b")).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("the instance 'b' is being added to the service 'web'"), "{refused:?}");
        shop.create(to("a")).await.unwrap();
        shop.release();
        shop.until("web", "ACTIVE").await;
        shop.finish().await;
        assert_eq!((shop.sees().await.as_str(), shop.stands("web").await.as_str()), ("bucket bucket@large web/a:1", "ACTIVE, a SUCCEEDED, b SUCCEEDED, c SUCCEEDED"));
    }

    an_environment_with_a_component_stays, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(detached("bucket")).await;
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
        let refused = shop.site.delete("prod").await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("has components, such as 'bucket'"), "{refused:?}");
        shop.remove("bucket").await.unwrap();
        assert_eq!(code(shop.site.delete("prod").await), "ConflictException", "not yet gone");
        shop.finish().await;
        shop.site.delete("prod").await.unwrap();
        shop.finish().await;
        assert!(shop.is_gone("prod").await);
    }

    without_its_role_a_component_fails_and_goes_when_it_is_back, async |db| {
        let shop = Workshop::on(db).await;
        shop.double.deny_role(COMPONENT_ROLE, true);
        shop.create(detached("bucket")).await.unwrap();
        shop.finish().await;
        assert_eq!(shop.component("bucket").await["deploymentStatus"], "FAILED");
        let role = "arn:aws:iam::000000000000:role/others";
        shop.app.ok("UpdateEnvironment", json!({ "name": "prod", "deploymentType": "NONE", "componentRoleArn": role })).await;
        let component = shop.changed(deploy("bucket", json!({}))).await;
        assert_eq!(component["deploymentStatus"], "SUCCEEDED");
    }
}
