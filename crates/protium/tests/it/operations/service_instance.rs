use crate::on_both;
use crate::support::app::code;
use crate::support::bundle::TERRAFORM_MANIFEST;
use crate::support::double::{STACK, environment};
use crate::support::service::*;
use serde_json::{Value, json};

/// The input of an update of `web/a`, with more members.
fn update(kind: &str, members: Value) -> Value {
    but(json!({ "serviceName": "web", "name": "a", "deploymentType": kind }), members)
}

impl Shop {
    /// Updates `web/a` and takes the deployment to its end.
    async fn updated(&self, kind: &str, members: Value) -> Value {
        self.app.ok("UpdateServiceInstance", update(kind, members)).await;
        self.finish().await;
        let instance = self.instance("web", "a").await;
        assert_eq!(instance["deploymentStatus"], "SUCCEEDED", "{instance}");
        instance
    }

    async fn records_of(&self, instance: &str) -> usize {
        let input = json!({ "serviceName": "web", "serviceInstanceName": instance });
        self.app.ok("ListDeployments", input).await["deployments"].as_array().unwrap().len()
    }
}

fn version(part: &Value) -> String {
    format!("{}.{}", part["templateMajorVersion"].as_str().unwrap(), part["templateMinorVersion"].as_str().unwrap())
}

on_both! {
    while_an_update_runs_the_instance_shows_what_is_deployed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let before = shop.instance("web", "a").await;
        shop.app.pass(1000);
        let edited = spec(&[("a", 9), ("b", 2)]);
        let answer = shop.app.ok("UpdateServiceInstance", update("CURRENT_VERSION", json!({ "spec": edited }))).await;
        let instance = &answer["serviceInstance"];
        assert_eq!((&instance["deploymentStatus"], instance.get("spec")), (&json!("IN_PROGRESS"), None));
        assert_eq!((version(instance).as_str(), &instance["lastDeploymentSucceededAt"]), ("1.0", &before["lastDeploymentSucceededAt"]));
        assert_ne!(instance["lastDeploymentAttemptedAt"], before["lastDeploymentAttemptedAt"]);
        let shown = shop.instance("web", "a").await;
        assert_eq!((&shown["spec"], &shop.get("web").await["spec"]), (&before["spec"], &before["spec"]));
        assert_eq!(shop.stands("web").await, "ACTIVE, a IN_PROGRESS, b SUCCEEDED, pipeline SUCCEEDED");
        let busy = shop.app.call("UpdateServiceInstance", update("CURRENT_VERSION", json!({}))).await;
        assert_eq!(code(busy), "ConflictException");
        shop.finish().await;
        let after = shop.instance("web", "a").await;
        assert_eq!((&after["spec"], &after["lastDeploymentSucceededAt"]), (&json!(edited), &after["lastDeploymentAttemptedAt"]));
        assert_eq!(shop.get("web").await["spec"], edited);
        assert_eq!(shop.outputs_of("web", Some("a")).await["Url"], "web/a:9@large");
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/a:1@large][web/b:2@large]", "the pipeline has its own updates");
    }

    a_full_spec_changes_only_the_named_instance, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let full = on_branch("dev", &[("a", 9), ("b", 8), ("later", 7)]);
        let instance = shop.updated("CURRENT_VERSION", json!({ "spec": full })).await;
        assert_eq!(instance["spec"], full, "the text as it was received");
        assert_eq!(shop.get("web").await["spec"], spec(&[("a", 9), ("b", 2)]));
        assert_eq!(shop.outputs_of("web", Some("b")).await["Url"], "web/b:2@large");
        let without = shop.updated("CURRENT_VERSION", json!({})).await;
        assert_eq!(without["spec"], full, "without a spec the last one counts");
    }

    a_pipeline_that_edits_all_instances_and_updates_each_in_turn_works, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 1), ("c", 1)]).await;
        for build in [2, 3] {
            for name in ["a", "b", "c"] {
                let stored = shop.get("web").await["spec"].as_str().unwrap().to_owned();
                let edited = stored.replace(&format!("port: {}", build - 1), &format!("port: {build}"));
                let input = json!({ "serviceName": "web", "name": name, "deploymentType": "CURRENT_VERSION", "spec": edited });
                shop.app.ok("UpdateServiceInstance", input).await;
                shop.finish().await;
                assert_eq!(shop.instance("web", name).await["deploymentStatus"], "SUCCEEDED");
            }
            assert_eq!(shop.get("web").await["spec"], spec(&[("a", build), ("b", build), ("c", build)]));
        }
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, b SUCCEEDED, c SUCCEEDED, pipeline SUCCEEDED");
    }

    a_failed_update_leaves_the_spec_of_the_service, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.fail(&[("UpdateStack", "web-a")]);
        shop.app.ok("UpdateServiceInstance", update("CURRENT_VERSION", json!({ "spec": spec(&[("a", 9)]) }))).await;
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a FAILED, pipeline SUCCEEDED");
        let instance = shop.instance("web", "a").await;
        assert!(instance["deploymentStatusMessage"].as_str().unwrap().contains("no more queues"), "{instance}");
        assert_eq!((&instance["spec"], &shop.get("web").await["spec"]), (&json!(spec(&[("a", 1)])), &json!(spec(&[("a", 1)]))));
        assert_eq!(shop.outputs_of("web", Some("a")).await["Url"], "web/a:1@large");
        shop.release();
        let instance = shop.updated("CURRENT_VERSION", json!({})).await;
        assert_eq!(instance["spec"], spec(&[("a", 1)]), "the last that succeeded");
        assert_eq!(instance.get("deploymentStatusMessage"), None);
    }

    the_deployment_type_decides_the_version, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let parts = files(INSTANCE, PIPELINE);
        shop.published("svc", &parts, Some("1"), &["env:1"]).await;
        shop.draft("svc", &parts, Some("1"), &["env:1"]).await;
        shop.published("svc", &parts, Some("2"), &["env:1"]).await;
        shop.draft("svc", &parts, Some("3"), &["env:1"]).await;
        for (kind, major, minor, runs) in [
            ("CURRENT_VERSION", None, None, "1.0"),
            ("MINOR_VERSION", None, None, "1.1"),
            ("MINOR_VERSION", Some("1"), Some("2"), "1.2"),
            ("MINOR_VERSION", None, Some("2"), "1.2"),
            ("CURRENT_VERSION", None, None, "1.2"),
            ("MINOR_VERSION", None, Some("0"), "1.0"),
            ("MAJOR_VERSION", None, None, "2.0"),
            ("MAJOR_VERSION", Some("3"), Some("0"), "3.0"),
        ] {
            let instance = shop.updated(kind, json!({ "templateMajorVersion": major, "templateMinorVersion": minor })).await;
            assert_eq!(version(&instance), runs, "{kind} {major:?} {minor:?}");
        }
        assert_eq!(version(&shop.get("web").await["pipeline"]), "1.0", "the pipeline has a version of its own");
        for (kind, members, says) in [
            ("NONE", json!({ "templateMajorVersion": "3" }), "deploymentType NONE deploys nothing"),
            ("CURRENT_VERSION", json!({ "templateMinorVersion": "0" }), "CURRENT_VERSION keeps the version"),
            ("MINOR_VERSION", json!({ "templateMajorVersion": "2" }), "'2' is not the current major version 3"),
            ("MINOR_VERSION", json!({}), "no published minor version"),
            ("MAJOR_VERSION", json!({ "templateMajorVersion": "3" }), "'3' is not higher than the current major version 3"),
            ("MAJOR_VERSION", json!({}), "recommends version 2.0"),
        ] {
            let refused = shop.app.call("UpdateServiceInstance", update(kind, members)).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{kind}: {refused:?}");
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
        }
        let refused = shop.app.call("UpdateServiceInstance", update("MINOR_VERSION", json!({ "templateMinorVersion": "28" }))).await.unwrap_err();
        let expected = format!("The requested service template version does not exist: {}:service-template/svc:3.28", shop.app.arn_prefix());
        assert_eq!((refused.code.as_str(), refused.message), ("ResourceNotFoundException", expected));
    }

    none_deploys_nothing_whatever_the_spec, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let before = shop.instance("web", "a").await;
        for members in [json!({}), json!({ "spec": spec(&[("a", 9)]) })] {
            let answer = shop.app.ok("UpdateServiceInstance", update("NONE", members)).await;
            assert_eq!(answer["serviceInstance"]["deploymentStatus"], "SUCCEEDED");
        }
        assert_eq!((shop.instance("web", "a").await, shop.records_of("a").await), (before, 1));
    }

    an_instance_that_never_succeeded_is_updated_from_its_last_attempt, async |db| {
        let shop = Shop::on(db).await;
        shop.published("svc", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        shop.fail(&[("CreateStack", "web-a")]);
        shop.app.ok("CreateService", but(create("web", &[("a", 1)]), json!({ "templateMinorVersion": "0" }))).await;
        shop.finish().await;
        shop.release();
        let current = spec(&[("a", 1)]).replace("port: 1", "port: \"${Proton::CURRENT_VAL}\"");
        let instance = shop.updated("CURRENT_VERSION", json!({ "spec": current })).await;
        assert_eq!((version(&instance).as_str(), &instance["spec"]), ("1.0", &json!(spec(&[("a", 1)]))));
    }

    the_spec_has_the_instance_where_it_is, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        for (given, says) in [
            (spec(&[("b", 2)]), "spec: has no instance named 'a'"),
            (spec(&[("a", 1)]).replace("prod", "else"), "spec: moves instance 'a' to the environment 'else'; it stays in 'prod'"),
            (spec(&[("a", 1)]).replace("port: 1", "port: high"), "spec: instance 'a' (line 5): "),
            ("proton: EnvironmentSpec\nspec: {}\n".into(), "spec:1: `proton` is"),
        ] {
            let refused = shop.app.call("UpdateServiceInstance", update("CURRENT_VERSION", json!({ "spec": given }))).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
        }
        assert_eq!(shop.records_of("a").await, 1);
        // What is wrong with others is theirs.
        shop.updated("CURRENT_VERSION", json!({ "spec": spec(&[("a", 1), ("b", 2)]).replace("port: 2", "port: high") })).await;
        assert_eq!(shop.get("web").await["spec"], spec(&[("a", 1), ("b", 2)]));
    }

    a_version_that_does_not_work_with_the_environment_is_refused, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.site.published("env", &environment(STACK), Some("2")).await;
        shop.published("svc", &files(INSTANCE, PIPELINE), Some("2"), &["env:2"]).await;
        let refused = shop.app.call("UpdateServiceInstance", update("MAJOR_VERSION", json!({}))).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        let expected = "templateMajorVersion: instance 'a' names the environment 'prod', which runs 'env:1'; version 2.0 of the service \
            template 'svc' works with env:2";
        assert_eq!(refused.message, expected);
        shop.app.ok("UpdateEnvironment", json!({ "name": "prod", "deploymentType": "MAJOR_VERSION" })).await;
        shop.finish().await;
        let stale = shop.app.call("UpdateServiceInstance", update("CURRENT_VERSION", json!({}))).await;
        assert_eq!(code(stale), "ValidationException", "what it runs does not work with the environment any more");
        assert_eq!(version(&shop.updated("MAJOR_VERSION", json!({})).await), "2.0");
    }

    current_values_come_from_what_is_deployed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE").await;
        let current = "\"${Proton::CURRENT_VAL}\"";
        let given = spec(&[("a", 1), ("b", 2)]).replace("main", current).replace("port: 1", &format!("port: {current}")).replace("port: 2", &format!("port: {current}"));
        let instance = shop.updated("CURRENT_VERSION", json!({ "spec": given })).await;
        let unquoted = instance["spec"].as_str().unwrap().replace('"', "");
        assert_eq!(unquoted, spec(&[("a", 1), ("b", 2)]), "those of others from the service");
        let unknown = spec(&[("a", 1)]).replace("port: 1", &format!("nothing: {current}"));
        let instance = shop.updated("CURRENT_VERSION", json!({ "spec": unknown })).await;
        assert!(!instance["spec"].as_str().unwrap().contains("nothing"), "{instance}");
        assert_eq!(shop.outputs_of("web", Some("a")).await["Url"], "web/a:80@large", "dropped, so the default applies");
    }

    a_token_makes_an_update_once, async |db| {
        let mut shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let input = || update("CURRENT_VERSION", json!({ "clientToken": "token", "spec": spec(&[("a", 9)]) }));
        let first = shop.app.ok("UpdateServiceInstance", input()).await;
        assert_eq!(first["serviceInstance"]["lastClientRequestToken"], "token");
        assert_eq!(shop.app.ok("UpdateServiceInstance", input()).await, first, "no conflict with itself");
        shop.finish().await;
        let again = shop.app.ok("UpdateServiceInstance", input()).await;
        assert_eq!((&again["serviceInstance"]["deploymentStatus"], shop.records_of("a").await), (&json!("SUCCEEDED"), 2), "the current details");
        for other in [json!({ "spec": spec(&[("a", 8)]) }), json!({ "deploymentType": "MINOR_VERSION" }), json!({ "name": "b" })] {
            let refused = shop.app.call("UpdateServiceInstance", but(input(), other)).await.unwrap_err();
            assert_eq!((refused.code.as_str(), refused.message.as_str()), ("ValidationException", "Idempotent parameter mismatch"));
        }
        // Tokens are told apart by case; without one, or with an empty one, an update is a new one.
        for (members, records) in [(json!({ "clientToken": "Token" }), 3), (json!({ "clientToken": "" }), 4), (json!({ "clientToken": null }), 5)] {
            shop.app.ok("UpdateServiceInstance", but(input(), members)).await;
            shop.finish().await;
            assert_eq!(shop.records_of("a").await, records);
            assert_eq!(shop.instance("web", "a").await["lastClientRequestToken"], "Token");
        }
        shop = shop.restart(db).await;
        shop.app.ok("UpdateServiceInstance", input()).await;
        assert_eq!(shop.records_of("a").await, 5, "remembered by the store");
        shop.app.pass(9 * 60 * 60 * 1000);
        shop.app.ok("UpdateServiceInstance", input()).await;
        assert_eq!(shop.records_of("a").await, 6, "forgotten after eight hours");
    }

    a_token_of_a_refused_update_is_as_good_as_new, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let wrong = update("CURRENT_VERSION", json!({ "clientToken": "t", "spec": spec(&[]) }));
        assert_eq!(code(shop.app.call("UpdateServiceInstance", wrong).await), "ValidationException");
        shop.updated("CURRENT_VERSION", json!({ "clientToken": "t", "spec": spec(&[("a", 3)]) })).await;
    }

    a_cancelled_update_leaves_what_was_deployed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let before = shop.instance("web", "a").await;
        shop.fail_and_hang(&[], "web-a");
        shop.app.ok("UpdateServiceInstance", update("CURRENT_VERSION", json!({ "spec": spec(&[("a", 9)]) }))).await;
        while shop.done("UpdateStack").is_empty() {
            assert!(step(&shop.app).await);
        }
        let cancel = json!({ "serviceName": "web", "serviceInstanceName": "a" });
        let answer = shop.app.ok("CancelServiceInstanceDeployment", cancel.clone()).await;
        let instance = &answer["serviceInstance"];
        assert_eq!((&instance["deploymentStatus"], &instance["spec"]), (&json!("CANCELLING"), &before["spec"]));
        assert_eq!(version(instance), "1.0");
        assert_eq!(code(shop.app.call("CancelServiceInstanceDeployment", cancel.clone()).await), "ConflictException");
        assert_eq!(code(shop.app.call("UpdateServiceInstance", update("CURRENT_VERSION", json!({}))).await), "ConflictException");
        while shop.done("CancelUpdateStack").is_empty() {
            assert!(step(&shop.app).await);
        }
        shop.release();
        shop.finish().await;
        let after = shop.instance("web", "a").await;
        assert_eq!((&after["deploymentStatus"], &after["deploymentStatusMessage"]), (&json!("CANCELLED"), &json!("User initiated cancellation.")));
        assert_eq!((&after["spec"], &after["lastDeploymentSucceededAt"]), (&before["spec"], &before["lastDeploymentSucceededAt"]));
        assert_eq!(after["lastSucceededDeploymentId"], before["lastSucceededDeploymentId"]);
        assert_ne!(after["lastAttemptedDeploymentId"], before["lastAttemptedDeploymentId"]);
        assert_eq!(shop.get("web").await["spec"], before["spec"]);
        assert_eq!(shop.stands("web").await, "ACTIVE, a CANCELLED, pipeline SUCCEEDED");
        assert_eq!(shop.outputs_of("web", Some("a")).await["Url"], "web/a:1@large");
        assert_eq!(code(shop.app.call("CancelServiceInstanceDeployment", cancel).await), "ConflictException");
        shop.updated("CURRENT_VERSION", json!({ "spec": spec(&[("a", 9)]) })).await;
    }

    an_engine_that_the_environment_does_not_have_is_named, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let mut parts = files(INSTANCE, PIPELINE);
        parts[1] = ("instance_infrastructure/manifest.yaml", TERRAFORM_MANIFEST);
        parts[2] = ("instance_infrastructure/main.tf", "output \"x\" { value = 1 }\n");
        shop.published("svc", &parts, Some("2"), &["env:1"]).await;
        let refused = shop.app.call("UpdateServiceInstance", update("MAJOR_VERSION", json!({}))).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("terraform"), "{refused:?}");
    }
}
