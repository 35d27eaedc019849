use crate::on_both;
use crate::support::app::{Refused, code, message};
use crate::support::bundle::{self, TERRAFORM_MANIFEST};
use crate::support::double::{self, environment, spec as size};
use crate::support::service::*;
use serde_json::{Value, json};

async fn refuse(shop: &Shop, input: Value) -> Refused {
    let refused = shop.app.call("CreateService", input).await.expect_err("the create must be refused");
    assert_eq!(shop.stands("web").await, "gone", "nothing is stored");
    refused
}

on_both! {
    a_service_deploys_its_instances_and_then_its_pipeline, async |db| {
        let shop = Shop::on(db).await;
        let answer = shop.app.ok("CreateService", but(create("web", &[("a", 1), ("b", 2)]), json!({ "description": "shop" }))).await;
        let arn = format!("{}:service/web", shop.app.arn_prefix());
        for service in [&answer["service"], &shop.get("web").await] {
            assert_eq!((&service["arn"], &service["name"]), (&json!(arn), &json!("web")));
            assert_eq!((&service["status"], &service["templateName"]), (&json!("CREATE_IN_PROGRESS"), &json!("svc")));
            assert_eq!((&service["description"], &service["branchName"]), (&json!("shop"), &json!("main")));
            assert_eq!((&service["repositoryId"], &service["createdAt"]), (&json!("team/code"), &service["lastModifiedAt"]));
            assert_eq!(service["spec"], spec(&[("a", 1), ("b", 2)]));
            let pipeline = &service["pipeline"];
            assert_eq!((&pipeline["arn"], &pipeline["deploymentStatus"]), (&json!(format!("{arn}/pipeline")), &json!("IN_PROGRESS")));
            assert_eq!((pipeline.get("spec"), pipeline.get("templateMajorVersion")), (None, None), "nothing is deployed yet");
        }
        let instance = shop.instance("web", "a").await;
        assert_eq!((&instance["deploymentStatus"], &instance["environmentName"]), (&json!("IN_PROGRESS"), &json!("prod")));
        assert_eq!((instance.get("spec"), instance.get("templateMajorVersion")), (None, None));
        assert_eq!(instance["createdAt"], instance["lastDeploymentAttemptedAt"]);
        shop.until("web", "CREATE_IN_PROGRESS, a SUCCEEDED, b SUCCEEDED, pipeline IN_PROGRESS").await;
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
        let mut stacks = shop.done("CreateStack");
        assert_eq!(stacks.pop().unwrap(), "web", "the pipeline comes last");
        stacks.sort();
        assert_eq!(stacks, ["prod", "web-a", "web-b"]);
        let service = shop.get("web").await;
        assert_eq!(service["pipeline"]["spec"], service["spec"]);
        assert_eq!((&service["pipeline"]["templateMajorVersion"], &service["pipeline"]["templateMinorVersion"]), (&json!("1"), &json!("0")));
        let instance = shop.instance("web", "a").await;
        assert_eq!((&instance["spec"], &instance["templateMinorVersion"]), (&service["spec"], &json!("0")));
    }

    outputs_flow_from_the_environment_to_the_instances_to_the_pipeline, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        assert_eq!(shop.outputs_of("web", Some("a")).await, json!({ "Url": "web/a:1@large" }));
        let expected = json!({ "Source": "team/code main", "Targets": "[web/a:1@large][web/b:2@large]" });
        assert_eq!(shop.outputs_of("web", None).await, expected);
    }

    without_a_pipeline_a_service_has_only_instances, async |db| {
        let shop = Shop::on(db).await;
        let empty = plain_spec(&[("a", 1)]).replacen("instances", "pipeline: {}\ninstances", 1);
        for (name, spec) in [("web", plain_spec(&[("a", 1)])), ("more", empty)] {
            let answer = shop.app.ok("CreateService", but(create_plain(name, &[]), json!({ "spec": spec }))).await;
            assert_eq!(answer["service"].get("pipeline"), None);
            shop.until(name, "ACTIVE, a SUCCEEDED").await;
            let service = shop.get(name).await;
            assert_eq!((service.get("pipeline"), service.get("repositoryId")), (None, None));
            assert_eq!((service.get("branchName"), &service["spec"]), (None, &json!(spec)));
        }
        assert_eq!(shop.done("CreateStack"), ["prod", "web-a", "more-a"]);
    }

    a_pipeline_needs_the_three_repository_members_and_nothing_else_does, async |db| {
        let shop = Shop::on(db).await;
        let input = || create("web", &[("a", 1)]);
        for missing in ["repositoryConnectionArn", "repositoryId", "branchName"] {
            let refused = refuse(&shop, but(input(), json!({ missing: null }))).await;
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.starts_with("repositoryConnectionArn, repositoryId, branchName: only some"), "{refused:?}");
        }
        let none = json!({ "repositoryConnectionArn": null, "repositoryId": null, "branchName": null });
        let refused = refuse(&shop, but(input(), none)).await;
        assert!(refused.message.contains("are missing; the service template 'svc' has a pipeline"), "{refused:?}");
        let refused = refuse(&shop, but(input(), json!({ "templateName": "plain" }))).await;
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("'plain' has no pipeline; leave them out"), "{refused:?}");
        let with_section = but(create_plain("web", &[]), json!({ "spec": spec(&[("a", 1)]) }));
        let refused = refuse(&shop, with_section).await;
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.starts_with("spec: has a pipeline section"), "{refused:?}");
    }

    a_pipeline_needs_a_role_in_the_account_settings, async |db| {
        let shop = Shop::on(db).await;
        shop.app.ok("UpdateAccountSettings", json!({ "pipelineServiceRoleArn": "" })).await;
        let refused = refuse(&shop, create("web", &[("a", 1)])).await;
        assert_eq!(refused.code, "ValidationException");
        assert_eq!(refused.message, "Operation cannot be run until pipeline roles have been configured");
        shop.active_plain("web", &[("a", 1)]).await;
    }

    each_environment_exists_fits_and_was_deployed, async |db| {
        let shop = Shop::on(db).await;
        let input = |name: &str| but(create("web", &[]), json!({ "spec": spec(&[("a", 1)]).replace("prod", name) }));
        let refused = refuse(&shop, input("nowhere")).await;
        let arn = format!("{}:environment/nowhere", shop.app.arn_prefix());
        assert_eq!((refused.code.as_str(), refused.message), ("ResourceNotFoundException", format!("The requested environment does not exist: {arn}")));

        shop.site.published("other", &environment(double::STACK), None).await;
        shop.app.ok("CreateEnvironment", but(double::create("else"), json!({ "templateName": "other" }))).await;
        shop.finish().await;
        let refused = refuse(&shop, input("else")).await;
        assert_eq!(refused.code, "ValidationException");
        let expected = "spec: instance 'a' names the environment 'else', which runs 'other:1'; version 1.0 of the service \
            template 'svc' works with env:1";
        assert_eq!(refused.message, expected);

        shop.fail(&[("CreateStack", "young")]);
        shop.app.ok("CreateEnvironment", double::create("young")).await;
        for status in ["IN_PROGRESS", "FAILED"] {
            let refused = refuse(&shop, input("young")).await;
            assert_eq!(refused.code, "ConflictException");
            let expected = format!("'young' of instance 'a' is {status} and was never deployed");
            assert!(refused.message.contains(&expected), "{refused:?}");
            shop.finish().await;
        }
        shop.app.ok("DeleteEnvironment", json!({ "name": "else" })).await;
        shop.app.ok("DeleteEnvironment", json!({ "name": "prod" })).await;
        let refused = refuse(&shop, input("prod")).await;
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("'prod' of instance 'a' is DELETE_IN_PROGRESS"), "{refused:?}");
    }

    an_environment_that_is_updated_serves_with_what_it_had, async |db| {
        let shop = Shop::on(db).await;
        shop.fail(&[("UpdateStack", "prod")]);
        shop.app.ok("UpdateEnvironment", double::resize("prod", "tiny")).await;
        shop.finish().await;
        shop.active_plain("web", &[("a", 1)]).await;
        assert_eq!(shop.outputs_of("web", Some("a")).await, json!({ "Url": "web/a:1@large" }));
    }

    specs_are_refused_with_their_line, async |db| {
        let shop = Shop::on(db).await;
        let good = spec(&[("a", 1), ("b", 2)]);
        let specs: [(String, &str); 9] = [
            (size("large"), "spec:1: `proton` is"),
            ("proton: [".into(), "spec:"),
            (spec(&[]), "spec: has no instances"),
            ("proton: ServiceSpec\n".into(), "spec: has no instances"),
            (spec(&[("a", 1), ("a", 2)]), "spec:9: the instance `a` is listed twice, first in line 5"),
            (good.replace("name: b", "name: -b"), "`instances[1].name` is"),
            (good.replace("    environment: prod\n", ""), "`instances[0].environment` is missing"),
            (good.replace("port: 2", "port: high"), "spec: instance 'b' (line 9): "),
            (good.replace("branch: main", "branch: [main]"), "spec: pipeline: "),
        ];
        for (spec, says) in specs {
            let refused = refuse(&shop, but(create("web", &[]), json!({ "spec": spec }))).await;
            assert_eq!(refused.code, "ValidationException", "{spec}");
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
        }
        let refused = refuse(&shop, but(create("web", &[]), json!({ "spec": good.replace("port: 2", "port: high") }))).await;
        assert!(refused.message.contains("port"), "{refused:?}");
    }

    keys_without_meaning_and_missing_inputs_are_tolerated, async |db| {
        let shop = Shop::on(db).await;
        let spec = "proton: ServiceSpec\nowner: me\ninstances:\n  - name: a\n    environment: prod\n    team: mine\n  - name: b\n    environment: prod\n    spec: {}\n";
        shop.app.ok("CreateService", but(create("web", &[]), json!({ "spec": spec }))).await;
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.get("web").await["spec"], spec);
        assert_eq!(shop.outputs_of("web", Some("a")).await, json!({ "Url": "web/a:80@large" }), "the schema's default");
    }

    a_repeated_create_answers_what_there_is_now, async |db| {
        let shop = Shop::on(db).await;
        let input = create("web", &[("a", 1)]);
        let first = shop.app.ok("CreateService", input.clone()).await;
        assert_eq!(shop.app.ok("CreateService", input.clone()).await, first);
        shop.until("web", "ACTIVE").await;
        // What it needed is no longer there: a replay does not ask.
        shop.app.ok("UpdateAccountSettings", json!({ "pipelineServiceRoleArn": "" })).await;
        let again = shop.app.ok("CreateService", input.clone()).await;
        assert_eq!((&again["service"]["status"], &again["service"]["createdAt"]), (&json!("ACTIVE"), &first["service"]["createdAt"]));
        let instance = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION", "spec": spec(&[("a", 3)]) });
        shop.app.ok("UpdateServiceInstance", instance).await;
        shop.finish().await;
        shop.app.ok("CreateService", input.clone()).await;
        assert_eq!(shop.done("CreateStack"), ["prod", "web-a", "web"], "nothing was made again");

        for other in [
            json!({ "spec": spec(&[("a", 2)]) }),
            json!({ "description": "new" }),
            json!({ "templateMinorVersion": "0" }),
            json!({ "tags": [{ "key": "k", "value": "v" }] }),
        ] {
            let refused = shop.app.call("CreateService", but(input.clone(), other)).await.unwrap_err();
            assert_eq!((refused.code.as_str(), refused.message.as_str()), ("ValidationException", "Idempotent parameter mismatch"));
        }
        shop.app.ok("UpdateService", json!({ "name": "web", "description": "other" })).await;
        let refused = shop.app.call("CreateService", input.clone()).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("'web' already exists and was updated"), "{refused:?}");
        shop.app.ok("UpdateAccountSettings", json!({ "pipelineServiceRoleArn": double::ROLE })).await;
        shop.delete_service("web").await.unwrap();
        let refused = shop.app.call("CreateService", input.clone()).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("'web' is DELETE_IN_PROGRESS"), "{refused:?}");
        shop.until("web", "gone").await;
        let anew = shop.app.ok("CreateService", input).await;
        assert_eq!(anew["service"]["status"], "CREATE_IN_PROGRESS");
    }

    the_version_is_the_recommended_minor_or_the_named_one, async |db| {
        let shop = Shop::on(db).await;
        shop.published("svc", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        shop.draft("svc", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        shop.draft("svc", &files(INSTANCE, PIPELINE), Some("2"), &["env:1"]).await;
        for (name, major, minor, runs) in [("a", "1", None, "1"), ("b", "1", Some("0"), "0"), ("c", "1", Some("2"), "2"), ("d", "2", Some("0"), "0")] {
            let version = json!({ "templateMajorVersion": major, "templateMinorVersion": minor });
            shop.app.ok("CreateService", but(create(name, &[("i", 1)]), version)).await;
            shop.until(name, "ACTIVE").await;
            let (instance, pipeline) = (shop.instance(name, "i").await, shop.get(name).await["pipeline"].clone());
            for part in [instance, pipeline] {
                assert_eq!((&part["templateMajorVersion"], &part["templateMinorVersion"]), (&json!(major), &json!(runs)));
            }
        }
        let refused = refuse(&shop, but(create("web", &[("a", 1)]), json!({ "templateMajorVersion": "2" }))).await;
        assert_eq!(refused.code, "ValidationException", "{refused:?}");
        let refused = refuse(&shop, but(create("web", &[("a", 1)]), json!({ "templateMinorVersion": "28" }))).await;
        let arn = format!("{}:service-template/svc:1.28", shop.app.arn_prefix());
        assert_eq!((refused.code.as_str(), refused.message), ("ResourceNotFoundException", format!("The requested service template version does not exist: {arn}")));
        let refused = refuse(&shop, but(create("web", &[("a", 1)]), json!({ "templateName": "none" }))).await;
        assert_eq!(refused.code, "ResourceNotFoundException");
    }

    bundles_of_engines_that_a_server_does_not_have_are_named, async |db| {
        let shop = Shop::on(db).await;
        let mut parts = files(INSTANCE, PIPELINE);
        parts[1] = ("instance_infrastructure/manifest.yaml", TERRAFORM_MANIFEST);
        parts[2] = ("instance_infrastructure/main.tf", "output \"x\" { value = 1 }\n");
        shop.published("svc", &parts, Some("2"), &["env:1"]).await;
        let mut parts = files(INSTANCE, PIPELINE);
        parts[3] = ("pipeline_infrastructure/manifest.yaml", bundle::CODEBUILD_MANIFEST);
        parts.truncate(4);
        shop.published("svc", &parts, Some("3"), &["env:1"]).await;
        let refused = refuse(&shop, but(create("web", &[("a", 1)]), json!({ "templateMajorVersion": "2" }))).await;
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("terraform"), "{refused:?}");
        let refused = refuse(&shop, but(create("web", &[("a", 1)]), json!({ "templateMajorVersion": "3" }))).await;
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("codebuild"), "not the role, which would not help: {refused:?}");
    }

    quotas_hold_for_services_and_their_instances, async |db| {
        let shop = Shop::with(db, |config| {
            config.quotas.services = 2;
            config.quotas.instances_per_service = 2;
        }).await;
        let refused = refuse(&shop, create("web", &[("a", 1), ("b", 2), ("c", 3)])).await;
        assert_eq!(refused.code, "ServiceQuotaExceededException");
        assert!(refused.message.contains("quota of 2 instances"), "{refused:?}");
        shop.app.ok("CreateService", create("one", &[("a", 1), ("b", 2)])).await;
        shop.app.ok("CreateService", create("two", &[("a", 1)])).await;
        assert_eq!(refuse(&shop, create("web", &[("a", 1)])).await.code, "ServiceQuotaExceededException");
        let elsewhere = shop.app.in_account("111111111111");
        assert_eq!(code(elsewhere.call("CreateService", create("web", &[("a", 1)])).await), "ResourceNotFoundException", "another account has nothing of it");
    }

    stacks_say_what_they_are_of_and_have_the_tags_of_the_service, async |db| {
        let shop = Shop::on(db).await;
        let tags = json!({ "tags": [{ "key": "team", "value": "shop" }] });
        shop.app.ok("CreateService", but(create("web", &[("a", 1)]), tags)).await;
        shop.until("web", "ACTIVE").await;
        let arn = |resource: &str| format!("{}:{resource}", shop.app.arn_prefix());
        let (service, environment) = (arn("service/web"), arn("environment/prod"));
        let instance = arn("service/web/service-instance/a");
        let stacks = shop.stacks();
        let [_, of_instance, of_pipeline] = stacks.as_slice() else { panic!("{stacks:?}") };
        for (stack, key, value) in [
            (of_instance, "proton:service", Some(&service)),
            (of_instance, "proton:service-instance", Some(&instance)),
            (of_instance, "proton:environment", Some(&environment)),
            (of_pipeline, "proton:service", Some(&service)),
            (of_pipeline, "proton:service-instance", None),
            (of_pipeline, "proton:environment", None),
        ] {
            assert_eq!(shop.double.tags(stack).get(key), value, "{stack} {key}");
        }
        for stack in [of_instance, of_pipeline] {
            let tags = shop.double.tags(stack);
            assert_eq!(tags.get("proton:template"), Some(&arn("service-template/svc")));
            assert_eq!(tags.get("proton:account").map(String::as_str), Some("000000000000"));
            assert_eq!(tags.get("team").map(String::as_str), Some("shop"), "{stack}");
        }
    }

    tags_of_the_service_go_to_its_instances_at_creation_only, async |db| {
        let shop = Shop::on(db).await;
        let tags = json!({ "tags": [{ "key": "team", "value": "shop" }] });
        let made = shop.app.ok("CreateService", but(create("web", &[("a", 1)]), tags)).await;
        let arn = made["service"]["arn"].as_str().unwrap().to_owned();
        let instance = |name: &str| format!("{arn}/service-instance/{name}");
        assert_eq!(shop.tags_of(&arn).await, json!({ "team": "shop" }));
        assert_eq!(shop.tags_of(&instance("a")).await, json!({ "team": "shop" }));
        shop.until("web", "ACTIVE").await;
        shop.app.ok("TagResource", json!({ "resourceArn": arn, "tags": [{ "key": "cost", "value": "7" }] })).await;
        assert_eq!(shop.tags_of(&instance("a")).await, json!({ "team": "shop" }));
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        assert_eq!(shop.tags_of(&instance("b")).await, json!({ "cost": "7", "team": "shop" }));
        let bad = json!({ "tags": [{ "key": "aws:x", "value": "v" }] });
        let refused = shop.app.call("CreateService", but(create("bad", &[("a", 1)]), bad)).await;
        assert!(message(refused).starts_with("tags: "));
    }
}
