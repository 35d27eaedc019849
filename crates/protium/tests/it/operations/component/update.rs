use crate::on_both;
use crate::support::app::code;
use crate::support::component::*;
use crate::support::service::*;
use serde_json::json;

on_both! {
    attaching_and_detaching_deploy_the_component_and_then_its_instance, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(detached("bucket")).await;
        let answer = shop.change(attach("bucket")).await.unwrap();
        assert_eq!((&answer["deploymentStatus"], &answer["serviceName"], &answer["serviceInstanceName"]), (&json!("IN_PROGRESS"), &json!("web"), &json!("a")));
        shop.until_both("bucket", "bucket SUCCEEDED on web/a, a IN_PROGRESS").await;
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket SUCCEEDED on web/a, a SUCCEEDED");
        assert_eq!((shop.sees().await.as_str(), shop.deployments().await), ("bucket bucket@large web/a:1", 2));

        let answer = shop.change(detach("bucket")).await.unwrap();
        assert_eq!((&answer["deploymentStatus"], &answer["serviceName"]), (&json!("IN_PROGRESS"), &json!("web")), "until it is done");
        shop.until_both("bucket", "bucket SUCCEEDED, a IN_PROGRESS").await;
        assert_eq!(shop.bucket("bucket").await, "bucket@large", "without inputs");
        shop.finish().await;
        assert_eq!((shop.sees().await.as_str(), shop.deployments().await), ("nothing -", 3));
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED");
    }

    only_other_outputs_deploy_the_instance_again, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("bucket")).await;
        assert_eq!(shop.deployments().await, 2);
        shop.changed(deploy("bucket", json!({ "templateFile": VERSIONED_BUCKET }))).await;
        assert_eq!((shop.both("bucket").await.as_str(), shop.deployments().await), ("bucket SUCCEEDED on web/a, a SUCCEEDED", 2), "the same outputs");
        shop.changed(deploy("bucket", json!({ "templateFile": OTHER_BUCKET }))).await;
        assert_eq!((shop.sees().await.as_str(), shop.deployments().await), ("bucket another", 3));
        shop.changed(deploy("bucket", json!({ "templateFile": BUCKET, "serviceSpec": plain_spec(&[("a", 9)]) }))).await;
        assert_eq!((shop.sees().await.as_str(), shop.deployments().await), ("bucket bucket@large web/a:9", 4));
        let component = shop.changed(deploy("bucket", json!({}))).await;
        assert_eq!(component["serviceSpec"], plain_spec(&[("a", 9)]), "the last one");
        assert_eq!(shop.deployments().await, 4);
    }

    none_takes_a_description_only, async |db| {
        let shop = Workshop::on(db).await;
        let before = shop.made(attached("bucket")).await;
        shop.app.pass(1000);
        let none = |members| but(json!({ "name": "bucket", "deploymentType": "NONE" }), members);
        let answer = shop.change(none(json!({ "description": "mine" }))).await.unwrap();
        assert_eq!((&answer["description"], &answer["deploymentStatus"]), (&json!("mine"), &json!("SUCCEEDED")));
        assert_ne!(answer["lastModifiedAt"], before["lastModifiedAt"]);
        assert_eq!((answer["lastDeploymentAttemptedAt"].clone(), shop.records_of("bucket").await.len()), (before["lastDeploymentAttemptedAt"].clone(), 1));
        for (members, says) in [
            (json!({ "serviceName": "", "serviceInstanceName": "" }), "serviceName, serviceInstanceName: deploymentType NONE"),
            (json!({ "serviceSpec": plain_spec(&[("a", 1)]) }), "serviceSpec: deploymentType NONE"),
            (json!({ "templateFile": BUCKET }), "templateFile: deploymentType NONE"),
        ] {
            let refused = shop.change(none(members)).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.starts_with(says), "{refused:?}");
        }
    }

    what_can_not_be_right_is_refused_and_nothing_changes, async |db| {
        let shop = Workshop::on(db).await;
        shop.served("api", &[("a", 1)]).await;
        shop.active_plain("old", &[("a", 1)]).await;
        let elsewhere = but(crate::support::double::create("test"), json!({ "componentRoleArn": COMPONENT_ROLE }));
        shop.app.ok("CreateEnvironment", elsewhere).await;
        shop.finish().await;
        shop.made(detached("loose")).await;
        shop.made(but(detached("far"), json!({ "environmentName": "test" }))).await;
        shop.made(attached("bucket")).await;
        let at = |service: &str, instance: &str| json!({ "serviceName": service, "serviceInstanceName": instance });
        let before = [shop.component("loose").await, shop.component("far").await, shop.component("bucket").await];
        for (name, members, error, says) in [
            ("never", json!({}), "ResourceNotFoundException", "component/never"),
            ("bucket", json!({ "serviceName": "" }), "ValidationException", "serviceName, serviceInstanceName: "),
            ("bucket", json!({ "serviceInstanceName": "a" }), "ValidationException", "serviceName, serviceInstanceName: only one"),
            ("bucket", at("", "a"), "ValidationException", "one is empty and the other is not"),
            ("bucket", at("web", ""), "ValidationException", "one is empty and the other is not"),
            ("bucket", at("api", "a"), "ConflictException", "is attached to the instance 'a' of the service 'web'; detach it from there"),
            ("loose", at("web", "a"), "ConflictException", "has the component 'bucket' already"),
            ("loose", at("api", "never"), "ResourceNotFoundException", "service/api/service-instance/never"),
            ("loose", at("old", "a"), "ValidationException", "supports no components"),
            ("far", at("api", "a"), "ValidationException", "environmentName: the component's environment is 'test'"),
            ("loose", json!({ "serviceSpec": plain_spec(&[("a", 1)]) }), "ValidationException", "serviceSpec: is for components that are attached"),
            ("bucket", but(at("", ""), json!({ "serviceSpec": plain_spec(&[("a", 1)]) })), "ValidationException", "serviceSpec: a component that is detached"),
            ("bucket", json!({ "serviceSpec": plain_spec(&[("b", 1)]) }), "ValidationException", "serviceSpec: has no instance named 'a'"),
            ("bucket", json!({ "templateFile": "{% if %}" }), "ValidationException", "templateFile:1"),
        ] {
            let refused = shop.change(deploy(name, members.clone())).await.unwrap_err();
            assert_eq!(refused.code, error, "{name} {members}: {refused:?}");
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
        }
        assert_eq!([shop.component("loose").await, shop.component("far").await, shop.component("bucket").await], before);
    }

    attaching_where_it_is_attached_is_no_change, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(but(attached("bucket"), json!({ "serviceSpec": plain_spec(&[("a", 5)]) }))).await;
        // What an administrator allows is asked when a component comes, not while it stays.
        shop.support("1.0", &[]).await;
        let component = shop.changed(attach("bucket")).await;
        assert_eq!((&component["serviceSpec"], shop.deployments().await), (&json!(plain_spec(&[("a", 5)])), 2));
        shop.changed(detach("bucket")).await;
        assert_eq!(code(shop.change(attach("bucket")).await), "ValidationException");
        shop.support("1.0", &["DIRECTLY_DEFINED"]).await;
        let component = shop.changed(attach("bucket")).await;
        assert_eq!(component.get("serviceSpec"), None, "detaching dropped the inputs");
        assert_eq!(shop.sees().await, "bucket bucket@large web/a:1", "those of the instance");
    }

    current_values_come_from_its_own_spec_and_else_from_the_instance, async |db| {
        let shop = Workshop::on(db).await;
        let current = plain_spec(&[("a", 1)]).replace("port: 1", "port: \"${Proton::CURRENT_VAL}\"");
        let unquoted = |spec: &serde_json::Value| spec.as_str().unwrap().replace('"', "");
        let component = shop.made(but(attached("bucket"), json!({ "serviceSpec": current }))).await;
        assert_eq!(unquoted(&component["serviceSpec"]), plain_spec(&[("a", 1)]));
        shop.changed(deploy("bucket", json!({ "serviceSpec": plain_spec(&[("a", 8)]) }))).await;
        let component = shop.changed(deploy("bucket", json!({ "serviceSpec": current }))).await;
        assert_eq!(unquoted(&component["serviceSpec"]), plain_spec(&[("a", 8)]));
        assert_eq!(shop.bucket("bucket").await, "bucket@large web/a:8");
    }

    without_a_spec_of_its_own_it_reads_what_the_instance_runs_now, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("bucket")).await;
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION", "spec": plain_spec(&[("a", 6)]) });
        shop.app.ok("UpdateServiceInstance", update).await;
        shop.finish().await;
        assert_eq!(shop.sees().await, "bucket bucket@large web/a:1", "it was not deployed since");
        shop.changed(deploy("bucket", json!({}))).await;
        assert_eq!(shop.sees().await, "bucket bucket@large web/a:6");
    }

    a_component_that_needs_an_instance_can_leave_it_all_the_same, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(but(attached("bucket"), json!({ "templateFile": NEEDS_INSTANCE }))).await;
        assert_eq!(shop.sees().await, "bucket web-a");
        shop.changed(detach("bucket")).await;
        assert_eq!(shop.both("bucket").await, "bucket FAILED, a SUCCEEDED");
        let message = shop.component("bucket").await["deploymentStatusMessage"].clone();
        assert!(message.as_str().unwrap().contains("service"), "{message}");
        assert_eq!((shop.sees().await.as_str(), shop.bucket("bucket").await.as_str()), ("nothing -", "web-a"), "its infrastructure stays");
        let component = shop.changed(attach("bucket")).await;
        assert_eq!((&component["deploymentStatus"], shop.sees().await.as_str()), (&json!("SUCCEEDED"), "bucket web-a"));
        shop.changed(detach("bucket")).await;
        shop.remove("bucket").await.unwrap();
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket gone, a SUCCEEDED");
        assert_eq!(shop.double.stack_count(), 2, "the environment and the instance");
    }

    a_failed_update_keeps_what_is_deployed, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(but(attached("bucket"), json!({ "serviceSpec": plain_spec(&[("a", 5)]) }))).await;
        shop.fail(&[("UpdateStack", "bucket")]);
        let other = json!({ "templateFile": OTHER_BUCKET, "serviceSpec": plain_spec(&[("a", 6)]) });
        let component = shop.changed(deploy("bucket", other)).await;
        assert_eq!((&component["deploymentStatus"], &component["serviceSpec"]), (&json!("FAILED"), &json!(plain_spec(&[("a", 5)]))));
        assert_eq!((shop.bucket("bucket").await.as_str(), shop.deployments().await), ("bucket@large web/a:5", 2));
        shop.release();
        let component = shop.changed(deploy("bucket", json!({}))).await;
        assert_eq!((&component["deploymentStatus"], &component["serviceSpec"]), (&json!("SUCCEEDED"), &json!(plain_spec(&[("a", 5)]))));
        assert_eq!(shop.bucket("bucket").await, "bucket@large web/a:5", "from the last success");
    }

    an_instance_that_fails_with_a_new_component_is_tried_again_with_the_next_success, async |db| {
        let shop = Workshop::on(db).await;
        shop.fail(&[("UpdateStack", "web-a")]);
        shop.made(attached("bucket")).await;
        assert_eq!((shop.both("bucket").await.as_str(), shop.deployments().await), ("bucket SUCCEEDED on web/a, a FAILED", 2));
        shop.release();
        shop.changed(deploy("bucket", json!({}))).await;
        assert_eq!((shop.both("bucket").await.as_str(), shop.sees().await.as_str()), ("bucket SUCCEEDED on web/a, a SUCCEEDED", "bucket bucket@large web/a:1"));
    }

    a_token_makes_an_update_once, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("bucket")).await;
        let input = || deploy("bucket", json!({ "clientToken": "t", "templateFile": OTHER_BUCKET }));
        let first = shop.change(input()).await.unwrap();
        assert_eq!(first["lastClientRequestToken"], "t");
        assert_eq!(shop.change(input()).await.unwrap(), first, "no conflict with itself");
        shop.finish().await;
        assert_eq!(shop.change(input()).await.unwrap()["deploymentStatus"], "SUCCEEDED");
        assert_eq!(shop.records_of("bucket").await.len(), 2);
        let other = shop.change(but(input(), json!({ "templateFile": BUCKET }))).await.unwrap_err();
        assert_eq!((other.code.as_str(), other.message.as_str()), ("ValidationException", "Idempotent parameter mismatch"));
        shop.app.pass(8 * 60 * 60 * 1000);
        shop.changed(input()).await;
        assert_eq!(shop.records_of("bucket").await.len(), 3, "the token is forgotten");
    }

    a_component_that_is_gone_from_an_instance_can_be_followed_by_another, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("one")).await;
        shop.changed(detach("one")).await;
        shop.made(attached("two")).await;
        assert_eq!(shop.sees().await, "two two@large web/a:1");
        assert_eq!(code(shop.change(attach("one")).await), "ConflictException");
        shop.remove("one").await.unwrap();
        shop.finish().await;
        assert_eq!(shop.sees().await, "two two@large web/a:1");
    }
}
