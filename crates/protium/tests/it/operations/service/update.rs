use crate::on_both;
use crate::support::app::code;
use crate::support::double::{self, resize};
use crate::support::service::*;
use serde_json::json;

on_both! {
    a_description_changes_at_once_and_nothing_else_does, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let before = shop.get("web").await;
        shop.app.pass(1000);
        let answer = shop.app.ok("UpdateService", json!({ "name": "web", "description": "new" })).await;
        assert_eq!((&answer["service"]["status"], &answer["service"]["description"]), (&json!("ACTIVE"), &json!("new")));
        assert_eq!(answer["service"]["spec"], before["spec"]);
        assert_ne!(answer["service"]["lastModifiedAt"], before["lastModifiedAt"]);
        assert_eq!(shop.get("web").await, answer["service"]);
        shop.fail(&[("CreateStack", "bad-a")]);
        shop.app.ok("CreateService", create("bad", &[("a", 1)])).await;
        let early = shop.app.call("UpdateService", json!({ "name": "bad", "description": "early" })).await;
        assert_eq!(code(early), "ConflictException");
        shop.until("bad", "CREATE_FAILED").await;
        let answer = shop.app.ok("UpdateService", json!({ "name": "bad", "description": "new" })).await;
        assert_eq!(answer["service"]["status"], "CREATE_FAILED");
        assert!(answer["service"]["statusMessage"].as_str().unwrap().contains("failed to deploy"));
    }

    an_update_creates_then_removes_then_deploys_the_pipeline, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2), ("c", 3)]).await;
        let before = shop.done("CreateStack").len();
        let wanted = spec(&[("b", 2), ("d", 4)]);
        let answer = shop.update_service("web", &wanted).await.unwrap();
        assert_eq!((&answer["status"], &answer["spec"]), (&json!("UPDATE_IN_PROGRESS"), &json!(wanted)));
        assert_eq!(answer["pipeline"]["deploymentStatus"], "IN_PROGRESS");
        assert_eq!(answer["pipeline"]["spec"], spec(&[("a", 1), ("b", 2), ("c", 3)]), "what is deployed");
        let expected = "UPDATE_IN_PROGRESS, a DELETE_IN_PROGRESS, b SUCCEEDED, c DELETE_IN_PROGRESS, d IN_PROGRESS, pipeline IN_PROGRESS";
        assert_eq!(shop.stands("web").await, expected);
        while shop.instance("web", "d").await["deploymentStatus"] != "SUCCEEDED" {
            assert_eq!(shop.done("DeleteStack"), [""; 0], "nothing is removed before what is new is there");
            assert!(step(&shop.app).await);
        }
        shop.until("web", "UPDATE_IN_PROGRESS, b SUCCEEDED, d SUCCEEDED, pipeline IN_PROGRESS").await;
        assert_eq!(shop.done("UpdateStack"), [""; 0], "the pipeline comes last");
        shop.until("web", "ACTIVE, b SUCCEEDED, d SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.done("CreateStack")[before..], ["web-d"]);
        let mut deleted = shop.done("DeleteStack");
        deleted.sort();
        assert_eq!(deleted, ["web-a", "web-c"]);
        assert_eq!(shop.done("UpdateStack"), ["web"]);
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/b:2@large][web/d:4@large]");
        let service = shop.get("web").await;
        assert_eq!((&service["spec"], &service["pipeline"]["spec"]), (&json!(wanted), &json!(wanted)));
        let gone = shop.app.call("GetServiceInstance", json!({ "serviceName": "web", "name": "a" })).await;
        assert_eq!(code(gone), "ResourceNotFoundException");
    }

    instances_are_added_and_removed_without_a_pipeline_too, async |db| {
        let shop = Shop::on(db).await;
        shop.active_plain("web", &[("a", 1)]).await;
        shop.update_service("web", &plain_spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED").await;
        shop.update_service("web", &plain_spec(&[("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, b SUCCEEDED").await;
        assert_eq!(shop.double.stack_count(), 2);
        let answer = shop.update_service("web", &plain_spec(&[("b", 2)])).await.unwrap();
        assert_eq!(answer["status"], "UPDATE_IN_PROGRESS", "a waiter must see the update");
        assert_eq!(shop.stands("web").await, "ACTIVE, b SUCCEEDED", "there was nothing to do");
    }

    what_is_kept_is_not_edited_by_an_update_of_the_service, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let same = spec(&[("a", 1), ("b", 2)]);
        for (edited, says) in [
            (spec(&[("a", 9), ("b", 2)]), "spec: edits the instance 'a'"),
            (spec(&[("a", 9), ("c", 2)]), "spec: edits the instance 'a'"),
            (same.replacen("prod", "else", 1), "spec: edits the instance 'a'"),
            (on_branch("dev", &[("a", 1), ("b", 2)]), "spec: edits the pipeline section"),
            (plain_spec(&[("a", 1), ("b", 2)]), "spec: edits the pipeline section"),
            (spec(&[]), "spec: has no instances; a service keeps at least one"),
            (same.replace("ServiceSpec", "EnvironmentSpec"), "`proton` is"),
            (spec(&[("a", 1), ("b", 2), ("c", 3)]).replace("port: 3", "port: high"), "spec: instance 'c' (line 13): "),
        ] {
            let refused = shop.update_service("web", &edited).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{edited}");
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
            assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED");
        }
        assert_eq!(shop.get("web").await["spec"], same);
        // Another notation of the same values is no edit.
        let quoted = same.replace("branch: main", "branch: \"main\"").replace("port: 1", "port: 0x1");
        shop.update_service("web", &quoted).await.unwrap();
        shop.until("web", "ACTIVE").await;
        assert_eq!(shop.get("web").await["spec"], quoted);
    }

    new_instances_need_an_environment_that_fits, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let wanted = |name: &str| spec(&[("a", 1), ("b", 2)]).replace("name: b\n    environment: prod", &format!("name: b\n    environment: {name}"));
        assert_eq!(shop.update_service("web", &wanted("nowhere")).await.unwrap_err().code, "ResourceNotFoundException");
        shop.site.published("other", &double::environment(double::STACK), None).await;
        shop.app.ok("CreateEnvironment", but(double::create("else"), json!({ "templateName": "other" }))).await;
        shop.finish().await;
        let refused = shop.update_service("web", &wanted("else")).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("'else', which runs 'other:1'"), "{refused:?}");
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
    }

    an_update_waits_for_no_other_one, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let wanted = spec(&[("a", 1), ("b", 2), ("c", 3)]);
        shop.update_service("web", &wanted).await.unwrap();
        assert_eq!(shop.update_service("web", &wanted).await.unwrap_err().code, "ConflictException");
        let described = shop.app.call("UpdateService", json!({ "name": "web", "description": "new" })).await;
        assert_eq!(code(described), "ConflictException");
        assert_eq!(shop.delete_service("web").await.unwrap_err().code, "ConflictException");
        let pipeline = json!({ "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": wanted });
        assert_eq!(code(shop.app.call("UpdateServicePipeline", pipeline.clone()).await), "ConflictException");
        shop.until("web", "ACTIVE").await;

        shop.app.ok("UpdateServicePipeline", pipeline).await;
        let refused = shop.update_service("web", &wanted).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("the pipeline of the service 'web' is IN_PROGRESS"), "{refused:?}");
        shop.finish().await;

        let instance = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" });
        shop.app.ok("UpdateServiceInstance", instance).await;
        let refused = shop.update_service("web", &spec(&[("b", 2), ("c", 3)])).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("the instance 'a' of the service 'web' is IN_PROGRESS"), "{refused:?}");
        assert_eq!(shop.stands("web").await, "ACTIVE, a IN_PROGRESS, b SUCCEEDED, c SUCCEEDED, pipeline SUCCEEDED");
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
    }

    an_instance_that_is_about_to_be_removed_is_locked, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        shop.update_service("web", &spec(&[("b", 2), ("c", 3)])).await.unwrap();
        let update = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" });
        assert_eq!(code(shop.app.call("UpdateServiceInstance", update).await), "ConflictException");
        let cancel = json!({ "serviceName": "web", "serviceInstanceName": "a" });
        assert_eq!(code(shop.app.call("CancelServiceInstanceDeployment", cancel).await), "ConflictException");
        shop.until("web", "ACTIVE, b SUCCEEDED, c SUCCEEDED, pipeline SUCCEEDED").await;
    }

    new_instances_get_the_recommended_minor_of_the_major_in_use, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.published("svc", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        shop.draft("svc", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        shop.published("svc", &files(INSTANCE, PIPELINE), Some("2"), &["env:1"]).await;
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE").await;
        let version = async |name: &str| {
            let instance = shop.instance("web", name).await;
            [&instance["templateMajorVersion"], &instance["templateMinorVersion"]].map(|part| part.as_str().unwrap().to_owned())
        };
        assert_eq!(version("b").await, ["1", "1"]);
        assert_eq!(version("a").await, ["1", "0"], "what is kept stays");
        assert_eq!(shop.get("web").await["pipeline"]["templateMinorVersion"], "0");
    }

    new_instances_get_the_draft_in_use_where_nothing_is_recommended, async |db| {
        let shop = Shop::on(db).await;
        shop.draft("svc", &files(INSTANCE, PIPELINE), Some("2"), &["env:1"]).await;
        let version = json!({ "templateMajorVersion": "2", "templateMinorVersion": "0" });
        shop.app.ok("CreateService", but(create("web", &[("a", 1)]), version)).await;
        shop.until("web", "ACTIVE").await;
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED").await;
        assert_eq!(shop.instance("web", "b").await["templateMajorVersion"], "2");
    }

    current_values_are_kept_and_new_instances_take_the_default, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let current = "\"${Proton::CURRENT_VAL}\"";
        let wanted = spec(&[("a", 1), ("b", 2)]).replace("main", current).replace("port: 1", &format!("port: {current}")).replace("port: 2", &format!("port: {current}"));
        let answer = shop.update_service("web", &wanted).await.unwrap();
        let stored = answer["spec"].as_str().unwrap();
        assert!(stored.contains("branch: main") && stored.contains("port: 1") && !stored.contains("CURRENT_VAL"), "{stored}");
        shop.until("web", "ACTIVE").await;
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/a:1@large][web/b:80@large]");
    }

    the_quota_counts_what_will_be_there, async |db| {
        let shop = Shop::with(db, |config| config.quotas.instances_per_service = 2).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let refused = shop.update_service("web", &spec(&[("a", 1), ("b", 2), ("c", 3)])).await.unwrap_err();
        assert_eq!(refused.code, "ServiceQuotaExceededException");
        shop.update_service("web", &spec(&[("a", 1), ("c", 3)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, c SUCCEEDED").await;
    }

    a_pipeline_that_can_not_be_deployed_again_refuses_the_update, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.app.ok("UpdateAccountSettings", json!({ "pipelineServiceRoleArn": "" })).await;
        let refused = shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap_err();
        assert_eq!(refused.message, "Operation cannot be run until pipeline roles have been configured");
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
    }

    an_environment_in_use_is_updated_and_its_instances_follow_when_they_are_deployed, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.app.ok("UpdateEnvironment", resize("prod", "tiny")).await;
        shop.finish().await;
        assert_eq!(shop.outputs_of("web", Some("a")).await["Url"], "web/a:1@large");
        shop.app.ok("UpdateServiceInstance", json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" })).await;
        shop.finish().await;
        assert_eq!(shop.outputs_of("web", Some("a")).await["Url"], "web/a:1@tiny");
    }
}
