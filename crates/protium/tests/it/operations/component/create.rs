use crate::on_both;
use crate::support::app::code;
use crate::support::bundle::{CODEBUILD_MANIFEST, TERRAFORM_MANIFEST};
use crate::support::component::*;
use crate::support::double::ROLE;
use crate::support::service::*;
use serde_json::{Value, json};

/// A manifest of one Terraform file.
const ONE_FILE: &str = "infrastructure:\n  templates:\n    - file: main.tf\n      rendering_engine: hcl\n      template_language: terraform\n";

on_both! {
    a_component_is_shown_as_it_is_asked_for_and_then_as_it_is_deployed, async |db| {
        let shop = Workshop::on(db).await;
        let members = json!({ "description": "a bucket", "clientToken": "one", "serviceSpec": plain_spec(&[("a", 7)]) });
        let answer = shop.create(but(attached("bucket"), members)).await.unwrap();
        let mut expected = json!({
            "arn": format!("{}:component/bucket", shop.app.arn_prefix()),
            "name": "bucket", "description": "a bucket", "environmentName": "prod",
            "serviceName": "web", "serviceInstanceName": "a",
            "deploymentStatus": "IN_PROGRESS", "lastClientRequestToken": "one",
            "createdAt": answer["createdAt"], "lastModifiedAt": answer["createdAt"],
            "lastDeploymentAttemptedAt": answer["createdAt"],
            "lastAttemptedDeploymentId": answer["lastAttemptedDeploymentId"],
        });
        assert_eq!(answer, expected);
        assert_eq!(shop.component("bucket").await, expected, "no spec before the first success");
        shop.finish().await;
        let members = expected.as_object_mut().unwrap();
        members["deploymentStatus"] = "SUCCEEDED".into();
        members.insert("serviceSpec".into(), plain_spec(&[("a", 7)]).into());
        members.insert("lastDeploymentSucceededAt".into(), answer["createdAt"].clone());
        members.insert("lastSucceededDeploymentId".into(), answer["lastAttemptedDeploymentId"].clone());
        assert_eq!(shop.component("bucket").await, expected);
        assert_eq!(shop.bucket("bucket").await, "bucket@large web/a:7", "with the inputs of its own spec");
        assert_eq!(shop.sees().await, "bucket bucket@large web/a:7", "the instance was deployed again");
    }

    a_component_in_an_environment_only_has_no_inputs, async |db| {
        let shop = Workshop::on(db).await;
        let component = shop.made(detached("bucket")).await;
        for absent in ["serviceName", "serviceInstanceName", "serviceSpec", "deploymentStatusMessage"] {
            assert_eq!(component.get(absent), None, "{absent}");
        }
        assert_eq!(shop.bucket("bucket").await, "bucket@large");
        assert_eq!((shop.sees().await.as_str(), shop.deployments().await), ("nothing -", 1));
    }

    its_stack_is_made_in_the_name_of_the_component_role_and_tagged, async |db| {
        let shop = Workshop::on(db).await;
        let tags = json!({ "tags": [{ "key": "team", "value": "red" }] });
        shop.made(but(attached("bucket"), tags)).await;
        let calls = shop.double.calls();
        let roles: Vec<&str> = calls.iter().filter(|call| call.action == "AssumeRole").map(|call| call.parameters["RoleArn"].as_str()).collect();
        assert!(roles.contains(&COMPONENT_ROLE) && roles.contains(&ROLE), "{roles:?}");
        let stack = calls.iter().filter(|call| call.action == "CreateStack").map(|call| call.parameters["StackName"].clone()).next_back().unwrap();
        assert!(stack.starts_with("AWSProton-bucket-cloudformation--"), "{stack}");
        let resources = shop.app.ok("ListComponentProvisionedResources", json!({ "componentName": "bucket" })).await;
        assert_eq!(resources["provisionedResources"][0]["name"], stack);
        assert_eq!(resources["provisionedResources"][0]["provisioningEngine"], "CLOUDFORMATION");
        let arn = |resource: &str| format!("{}:{resource}", shop.app.arn_prefix());
        let tags = shop.double.tags(&stack);
        for (key, value) in [
            ("proton:component", arn("component/bucket")),
            ("proton:environment", arn("environment/prod")),
            ("proton:service", arn("service/web")),
            ("proton:service-instance", arn("service/web/service-instance/a")),
            ("proton:account", "000000000000".to_owned()),
            ("team", "red".to_owned()),
        ] {
            assert_eq!(tags.get(key), Some(&value), "{key} {tags:?}");
        }
        assert_eq!(tags.get("proton:template"), None);
        let listed = shop.app.ok("ListTagsForResource", json!({ "resourceArn": arn("component/bucket") })).await;
        let keys: Vec<&str> = listed["tags"].as_array().unwrap().iter().map(|tag| tag["key"].as_str().unwrap()).collect();
        assert_eq!(keys, ["aws:proton:account", "aws:proton:component", "aws:proton:environment", "aws:proton:service", "aws:proton:service-instance", "team"]);
        shop.changed(detach("bucket")).await;
        assert_eq!(shop.double.tags(&stack).get("proton:service"), None, "detached");
        shop.app.ok("TagResource", json!({ "resourceArn": arn("component/bucket"), "tags": [{ "key": "b", "value": "2" }] })).await;
        shop.app.ok("UntagResource", json!({ "resourceArn": arn("component/bucket"), "tagKeys": ["team"] })).await;
        assert_eq!(shop.tags_of(&arn("component/bucket")).await, json!({ "b": "2" }));
    }

    what_can_not_be_right_is_refused_and_nothing_is_stored, async |db| {
        let shop = Workshop::on(db).await;
        shop.active_plain("old", &[("a", 1)]).await;
        shop.app.ok("CreateEnvironment", but(crate::support::double::create("bare"), json!({}))).await;
        shop.finish().await;
        let terraform = |manifest: &str| json!({ "manifest": manifest, "templateFile": "resource {}" });
        for (input, members, error, says) in [
            (attached("x"), json!({ "serviceName": null }), "ValidationException", "serviceName, serviceInstanceName: only one"),
            (attached("x"), json!({ "serviceInstanceName": null }), "ValidationException", "serviceName, serviceInstanceName: only one"),
            (detached("x"), json!({ "environmentName": null }), "ValidationException", "environmentName: is missing"),
            (detached("x"), json!({ "serviceSpec": plain_spec(&[("a", 1)]) }), "ValidationException", "serviceSpec: is for components that are attached"),
            (detached("x"), json!({ "environmentName": "never" }), "ResourceNotFoundException", "environment/never"),
            (attached("x"), json!({ "serviceInstanceName": "never" }), "ResourceNotFoundException", "service/web/service-instance/never"),
            (attached("x"), json!({ "serviceName": "never" }), "ResourceNotFoundException", "service/never/service-instance/a"),
            (attached("x"), json!({ "environmentName": "bare" }), "ValidationException", "environmentName: the component's environment is 'bare', the instance 'a' of the service 'web' runs in 'prod'"),
            (attached("x"), json!({ "serviceName": "old" }), "ValidationException", "supports no components"),
            (detached("x"), json!({ "environmentName": "bare" }), "ValidationException", "the environment 'bare' has no componentRoleArn"),
            (detached("x"), terraform(ONE_FILE), "ValidationException", "the component is terraform"),
            (detached("x"), terraform(TERRAFORM_MANIFEST), "ValidationException", "manifest:3: `file: \"*\"`"),
            (detached("x"), terraform(CODEBUILD_MANIFEST), "ValidationException", "manifest:3: `rendering_engine: codebuild`"),
            (detached("x"), json!({ "manifest": "a: [}" }), "ValidationException", "manifest:1:5: not valid YAML"),
            (detached("x"), json!({ "templateFile": "{{ component.name" }), "ValidationException", "templateFile:1"),
            (attached("x"), json!({ "serviceSpec": "a: [}" }), "ValidationException", "serviceSpec:1:5: not valid YAML"),
            (attached("x"), json!({ "serviceSpec": plain_spec(&[("b", 1)]) }), "ValidationException", "serviceSpec: has no instance named 'a'"),
            (attached("x"), json!({ "serviceSpec": plain_spec(&[("a", 1)]).replace("prod", "bare") }), "ValidationException", "serviceSpec: moves instance 'a'"),
            (attached("x"), json!({ "serviceSpec": plain_spec(&[("a", 1)]).replace("port: 1", "port: high") }), "ValidationException", "serviceSpec: instance 'a'"),
            (detached("x"), json!({ "tags": [{ "key": "aws:x", "value": "1" }] }), "ValidationException", "tags: "),
        ] {
            let refused = shop.create(but(input, members.clone())).await.unwrap_err();
            assert_eq!(refused.code, error, "{members}: {refused:?}");
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
        }
        assert_eq!(shop.app.ok("ListComponents", json!({})).await, json!({ "components": [] }));
        assert_eq!(shop.app.ok("ListDeployments", json!({ "componentName": "x" })).await, json!({ "deployments": [] }));
    }

    what_is_in_the_way_now_is_a_conflict, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("bucket")).await;
        let refused = shop.create(detached("bucket")).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message.contains("'bucket' already exists")), ("ConflictException", true), "{refused:?}");
        let refused = shop.create(attached("second")).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message.contains("has the component 'bucket' already")), ("ConflictException", true), "{refused:?}");
        shop.changed(detach("bucket")).await;
        shop.app.ok("UpdateServiceInstance", json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" })).await;
        let refused = shop.create(attached("second")).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message.contains("'a' of the service 'web' is IN_PROGRESS")), ("ConflictException", true), "{refused:?}");
        shop.finish().await;
        shop.fail(&[("DeleteStack", "web-a")]);
        shop.delete_service("web").await.unwrap();
        assert_eq!(code(shop.create(attached("second")).await), "ConflictException", "it goes");
        shop.finish().await;
        assert_eq!(code(shop.create(attached("second")).await), "ConflictException", "DELETE_FAILED");
        shop.fail(&[("CreateStack", "young")]);
        let young = but(crate::support::double::create("young"), json!({ "componentRoleArn": COMPONENT_ROLE }));
        shop.app.ok("CreateEnvironment", young).await;
        shop.finish().await;
        let refused = shop.create(but(detached("second"), json!({ "environmentName": "young" }))).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message.contains("never deployed")), ("ConflictException", true), "{refused:?}");
        shop.app.ok("DeleteEnvironment", json!({ "name": "young" })).await;
        assert_eq!(code(shop.create(but(detached("second"), json!({ "environmentName": "young" }))).await), "ConflictException");
    }

    the_quota_counts_components, async |db| {
        let shop = Workshop::with(db, |config| config.quotas.components = 1).await;
        shop.made(detached("one")).await;
        assert_eq!(code(shop.create(detached("two")).await), "ServiceQuotaExceededException");
        assert_eq!(code(shop.create(detached("one")).await), "ConflictException", "a conflict comes first");
        shop.remove("one").await.unwrap();
        shop.finish().await;
        shop.made(detached("two")).await;
    }

    a_token_makes_one_component, async |db| {
        let mut shop = Workshop::on(db).await;
        let input = || but(attached("bucket"), json!({ "clientToken": "t" }));
        let first = shop.create(input()).await.unwrap();
        assert_eq!(shop.create(input()).await.unwrap(), first, "no conflict with itself");
        shop.finish().await;
        shop = shop.restart(db).await;
        let again = shop.create(input()).await.unwrap();
        assert_eq!((&again["deploymentStatus"], shop.records_of("bucket").await.len()), (&json!("SUCCEEDED"), 1), "the current details");
        let other = shop.create(but(input(), json!({ "description": "other" }))).await.unwrap_err();
        assert_eq!((other.code.as_str(), other.message.as_str()), ("ValidationException", "Idempotent parameter mismatch"));
        for token in [json!("T"), json!(""), Value::Null] {
            assert_eq!(code(shop.create(but(input(), json!({ "clientToken": token }))).await), "ConflictException");
        }
        shop.changed(detach("bucket")).await;
        shop.remove("bucket").await.unwrap();
        shop.finish().await;
        let anew = shop.create(input()).await.unwrap();
        assert_eq!((&anew["deploymentStatus"], anew["createdAt"] == first["createdAt"]), (&json!("IN_PROGRESS"), false), "its first one is gone");
        shop.finish().await;
        shop.app.pass(8 * 60 * 60 * 1000);
        assert_eq!(code(shop.create(input()).await), "ConflictException", "the token is forgotten, the name is not");
    }

    a_template_that_does_not_render_fails_and_can_be_corrected, async |db| {
        let shop = Workshop::on(db).await;
        shop.create(but(attached("bucket"), json!({ "templateFile": "{{ environment.outputs.Nothing }}" }))).await.unwrap();
        shop.finish().await;
        let component = shop.component("bucket").await;
        assert_eq!((&component["deploymentStatus"], component.get("lastDeploymentSucceededAt")), (&json!("FAILED"), None));
        assert!(component["deploymentStatusMessage"].as_str().unwrap().contains("environment.outputs.Nothing"), "{component}");
        assert_eq!((shop.sees().await.as_str(), shop.deployments().await), ("nothing -", 1), "nothing changed for the instance");
        let component = shop.changed(deploy("bucket", json!({ "templateFile": BUCKET }))).await;
        assert_eq!(component["deploymentStatus"], "SUCCEEDED");
        assert_eq!(shop.sees().await, "bucket bucket@large web/a:1");
    }

    a_stack_that_fails_is_explained_and_leaves_the_instance_alone, async |db| {
        let shop = Workshop::on(db).await;
        shop.fail(&[("CreateStack", "bucket")]);
        shop.create(attached("bucket")).await.unwrap();
        shop.finish().await;
        assert_eq!(shop.both("bucket").await, "bucket FAILED on web/a, a SUCCEEDED");
        assert!(shop.component("bucket").await["deploymentStatusMessage"].as_str().unwrap().contains("no more queues"));
        assert_eq!((shop.bucket("bucket").await.as_str(), shop.deployments().await), ("", 1));
        shop.release();
        shop.changed(deploy("bucket", json!({}))).await;
        assert_eq!((shop.both("bucket").await.as_str(), shop.sees().await.as_str()), ("bucket SUCCEEDED on web/a, a SUCCEEDED", "bucket bucket@large web/a:1"));
    }
}
