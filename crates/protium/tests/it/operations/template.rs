use crate::on_both;
use crate::support::app::{TestApp, code, message};
use protium::store::event_list;
use serde_json::{Value, json};

async fn create(app: &TestApp, name: &str) -> Value {
    app.ok("CreateEnvironmentTemplate", json!({ "name": name })).await["environmentTemplate"].clone()
}

fn names(list: &Value) -> Vec<&str> {
    list["templates"].as_array().unwrap().iter().map(|template| template["name"].as_str().unwrap()).collect()
}

on_both! {
    a_template_answers_what_it_was_created_with, async |db| {
        let app = TestApp::on(db).await;
        let created = app.ok("CreateEnvironmentTemplate", json!({
            "name": "fargate", "description": "d", "encryptionKey": "arn:aws:kms:us-east-1:000000000000:key/x",
            "tags": [{ "key": "team", "value": "a" }],
        })).await;
        let template = &created["environmentTemplate"];
        assert_eq!(template["arn"], format!("{}:environment-template/fargate", app.arn_prefix()));
        assert_eq!(template["displayName"], "fargate");
        assert_eq!(template["description"], "d");
        assert_eq!(template["encryptionKey"], "arn:aws:kms:us-east-1:000000000000:key/x");
        assert_eq!(template["createdAt"], template["lastModifiedAt"]);
        for absent in ["tags", "recommendedVersion", "provisioning", "status", "templateName"] {
            assert_eq!(template.get(absent), None, "{absent}");
        }
        assert_eq!(app.ok("GetEnvironmentTemplate", json!({ "name": "fargate" })).await, created);
        let listed = app.ok("ListEnvironmentTemplates", json!({})).await;
        assert_eq!(listed["templates"][0].get("encryptionKey"), None);
        assert_eq!(listed["templates"][0]["description"], "d");
    }

    customer_managed_templates_say_so, async |db| {
        let app = TestApp::on(db).await;
        let provisioning = "CUSTOMER_MANAGED";
        let created = app.ok("CreateEnvironmentTemplate", json!({ "name": "a", "provisioning": provisioning })).await;
        assert_eq!(created["environmentTemplate"]["provisioning"], provisioning);
        let input = json!({ "name": "a", "pipelineProvisioning": provisioning });
        let created = app.ok("CreateServiceTemplate", input).await;
        assert_eq!(created["serviceTemplate"]["pipelineProvisioning"], provisioning);
        let listed = app.ok("ListServiceTemplates", json!({})).await;
        assert_eq!(listed["templates"][0]["pipelineProvisioning"], provisioning);
    }

    the_kinds_are_separate_namespaces_and_so_are_regions, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "a").await;
        let service = app.ok("CreateServiceTemplate", json!({ "name": "a", "displayName": "A" })).await;
        assert_eq!(service["serviceTemplate"]["displayName"], "A");
        let elsewhere = app.in_region("eu-west-3");
        assert_eq!(code(elsewhere.call("GetEnvironmentTemplate", json!({ "name": "a" })).await), "ResourceNotFoundException");
        assert_eq!(names(&elsewhere.ok("ListServiceTemplates", json!({})).await), [""; 0]);
    }

    the_same_create_again_answers_the_current_details, async |db| {
        let app = TestApp::on(db).await;
        let (x, y) = (json!({ "key": "x", "value": "1" }), json!({ "key": "y", "value": "2" }));
        let first = app.ok("CreateServiceTemplate", json!({ "name": "a", "tags": [x, y] })).await;
        let input = json!({ "tags": [y, x], "displayName": "a", "name": "a", "description": null });
        assert_eq!(app.ok("CreateServiceTemplate", input).await, first);
        assert_eq!(names(&app.ok("ListServiceTemplates", json!({})).await), ["a"]);
    }

    a_create_with_other_parameters_is_a_mismatch, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "a").await;
        for input in [
            json!({ "name": "a", "description": "other" }),
            json!({ "name": "a", "displayName": "other" }),
            json!({ "name": "a", "provisioning": "CUSTOMER_MANAGED" }),
            json!({ "name": "a", "tags": [{ "key": "k", "value": "v" }] }),
        ] {
            let refused = app.call("CreateEnvironmentTemplate", input).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert_eq!(refused.message, "Idempotent parameter mismatch");
        }
    }

    a_create_of_what_was_updated_since_is_a_conflict_and_a_mismatch_comes_first, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "a").await;
        app.ok("UpdateEnvironmentTemplate", json!({ "name": "a" })).await;
        assert_eq!(code(app.call("CreateEnvironmentTemplate", json!({ "name": "a" })).await), "ConflictException");
        let other = json!({ "name": "a", "description": "x" });
        assert_eq!(code(app.call("CreateEnvironmentTemplate", other).await), "ValidationException");
    }

    tags_of_a_create_are_checked_and_kept, async |db| {
        let app = TestApp::on(db).await;
        for (key, value, says) in [("aws:x", "v", "reserved"), ("k", "<v>", "'<'")] {
            let input = json!({ "name": "a", "tags": [{ "key": key, "value": value }] });
            let refused = app.call("CreateEnvironmentTemplate", input).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.contains("tags") && refused.message.contains(says), "{}", refused.message);
        }
        let twice = json!([{ "key": "k", "value": "1" }, { "key": "k", "value": "2" }]);
        let refused = message(app.call("CreateEnvironmentTemplate", json!({ "name": "a", "tags": twice })).await);
        assert!(refused.contains("'k' is given more than once"), "{refused}");
        let input = json!({ "name": "a", "tags": [{ "key": "team", "value": "blue" }] });
        let arn = app.ok("CreateEnvironmentTemplate", input).await["environmentTemplate"]["arn"].clone();
        let tags = app.ok("ListTagsForResource", json!({ "resourceArn": arn })).await;
        let user: Vec<&Value> = tags["tags"].as_array().unwrap().iter()
            .filter(|tag| !tag["key"].as_str().unwrap().starts_with("aws:")).collect();
        assert_eq!(user, [&json!({ "key": "team", "value": "blue" })]);
    }

    an_update_changes_what_it_names, async |db| {
        let app = TestApp::on(db).await;
        let created = app.ok("CreateServiceTemplate", json!({ "name": "a", "description": "d" })).await;
        app.pass(1000);
        let updated = app.ok("UpdateServiceTemplate", json!({ "name": "a", "displayName": "A" })).await;
        assert_eq!(updated["serviceTemplate"]["displayName"], "A");
        assert_eq!(updated["serviceTemplate"]["description"], "d");
        assert_eq!(updated["serviceTemplate"]["createdAt"], created["serviceTemplate"]["createdAt"]);
        assert_ne!(updated["serviceTemplate"]["lastModifiedAt"], created["serviceTemplate"]["lastModifiedAt"]);
        assert_eq!(app.ok("GetServiceTemplate", json!({ "name": "a" })).await, updated);
    }

    what_is_not_there_is_not_found_by_its_arn, async |db| {
        let app = TestApp::on(db).await;
        for (operation, noun, path) in [
            ("GetEnvironmentTemplate", "environment template", "environment-template"),
            ("UpdateEnvironmentTemplate", "environment template", "environment-template"),
            ("GetServiceTemplate", "service template", "service-template"),
            ("UpdateServiceTemplate", "service template", "service-template"),
        ] {
            let refused = app.call(operation, json!({ "name": "x" })).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException", "{operation}");
            let text = format!("The requested {noun} does not exist: {}:{path}/x", app.arn_prefix());
            assert_eq!(refused.message, text);
        }
    }

    lists_are_in_the_order_of_names_a_page_at_a_time, async |db| {
        let app = TestApp::on(db).await;
        for name in ["b", "a-1", "a", "Z", "c"] {
            create(&app, name).await;
        }
        assert_eq!(names(&app.ok("ListEnvironmentTemplates", json!({})).await), ["Z", "a", "a-1", "b", "c"]);
        let first = app.ok("ListEnvironmentTemplates", json!({ "maxResults": 2 })).await;
        assert_eq!(names(&first), ["Z", "a"]);
        let token = &first["nextToken"];
        let rest = app.ok("ListEnvironmentTemplates", json!({ "nextToken": token })).await;
        assert_eq!(names(&rest), ["a-1", "b", "c"]);
        assert_eq!(rest.get("nextToken"), None, "the last page has no token");
        let exact = app.ok("ListEnvironmentTemplates", json!({ "maxResults": 3, "nextToken": token })).await;
        assert_eq!(exact.get("nextToken"), None, "nothing follows a page that is just full");
    }

    a_token_of_another_list_is_refused, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "a").await;
        create(&app, "b").await;
        let token = app.ok("ListEnvironmentTemplates", json!({ "maxResults": 1 })).await["nextToken"].clone();
        let elsewhere = app.in_region("eu-west-3");
        for refused in [
            app.call("ListServiceTemplates", json!({ "nextToken": token })).await,
            elsewhere.call("ListEnvironmentTemplates", json!({ "nextToken": token })).await,
            app.call("ListEnvironmentTemplates", json!({ "nextToken": "AAAA" })).await,
            app.call("ListEnvironmentTemplates", json!({ "nextToken": "A" })).await,
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.starts_with("nextToken: "), "{}", refused.message);
        }
        for most in [0, 101] {
            let refused = app.call("ListEnvironmentTemplates", json!({ "maxResults": most })).await;
            assert_eq!(code(refused), "ValidationException");
        }
    }

    a_delete_answers_the_details_once_and_then_nothing, async |db| {
        let app = TestApp::on(db).await;
        assert_eq!(app.ok("DeleteEnvironmentTemplate", json!({ "name": "a" })).await, json!({}));
        let created = create(&app, "a").await;
        let deleted = app.ok("DeleteEnvironmentTemplate", json!({ "name": "a" })).await;
        assert_eq!(deleted["environmentTemplate"], created);
        assert_eq!(app.ok("DeleteEnvironmentTemplate", json!({ "name": "a" })).await, json!({}));
        assert_eq!(app.ok("DeleteServiceTemplate", json!({ "name": "a" })).await, json!({}));
        assert_eq!(code(app.call("GetEnvironmentTemplate", json!({ "name": "a" })).await), "ResourceNotFoundException");
    }

    a_name_is_free_again_after_its_delete_without_the_old_tags, async |db| {
        let app = TestApp::on(db).await;
        let input = json!({ "name": "a", "tags": [{ "key": "old", "value": "1" }] });
        app.ok("CreateServiceTemplate", input).await;
        app.ok("DeleteServiceTemplate", json!({ "name": "a" })).await;
        let arn = app.ok("CreateServiceTemplate", json!({ "name": "a" })).await["serviceTemplate"]["arn"].clone();
        let tags = app.ok("ListTagsForResource", json!({ "resourceArn": arn })).await;
        assert!(!tags.to_string().contains("old"), "{tags}");
    }

    a_template_with_versions_is_not_deleted, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "a").await;
        let source = json!({ "s3": { "bucket": "bundles", "key": "x.tar.gz" } });
        app.ok("CreateEnvironmentTemplateVersion", json!({ "templateName": "a", "source": source })).await;
        let refused = app.call("DeleteEnvironmentTemplate", json!({ "name": "a" })).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("'a' still has 1 version(s)"), "{}", refused.message);
        let version = json!({ "templateName": "a", "majorVersion": "1", "minorVersion": "0" });
        app.ok("DeleteEnvironmentTemplateVersion", version).await;
        app.ok("DeleteEnvironmentTemplate", json!({ "name": "a" })).await;
    }

    versions_and_tags_are_no_modification_of_their_template, async |db| {
        let app = TestApp::on(db).await;
        let created = create(&app, "a").await;
        let source = json!({ "s3": { "bucket": "bundles", "key": "x.tar.gz" } });
        app.ok("CreateEnvironmentTemplateVersion", json!({ "templateName": "a", "source": source })).await;
        let tags = json!([{ "key": "k", "value": "v" }]);
        app.ok("TagResource", json!({ "resourceArn": created["arn"], "tags": tags })).await;
        assert_eq!(create(&app, "a").await, created);
    }

    both_kinds_count_to_the_quota, async |db| {
        let app = TestApp::with(db, |config| config.quotas.templates = 2).await;
        create(&app, "a").await;
        app.ok("CreateServiceTemplate", json!({ "name": "a" })).await;
        for operation in ["CreateEnvironmentTemplate", "CreateServiceTemplate"] {
            let refused = app.call(operation, json!({ "name": "b" })).await.unwrap_err();
            assert_eq!(refused.code, "ServiceQuotaExceededException");
            assert!(refused.message.contains("quota of 2 templates"), "{}", refused.message);
        }
        create(&app, "a").await;
        app.ok("DeleteServiceTemplate", json!({ "name": "a" })).await;
        create(&app, "b").await;
        app.in_region("eu-west-3").ok("CreateServiceTemplate", json!({ "name": "a" })).await;
    }

    the_last_place_of_the_quota_is_given_once_under_a_race, async |db| {
        let app = TestApp::with(db, |config| config.quotas.templates = 1).await;
        let creates = (0..8).map(|n| app.call("CreateEnvironmentTemplate", json!({ "name": format!("t{n}") })));
        let answers = futures::future::join_all(creates).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for answer in answers.into_iter().filter(Result::is_err) {
            assert_eq!(code(answer), "ServiceQuotaExceededException");
        }
        assert_eq!(names(&app.ok("ListEnvironmentTemplates", json!({})).await).len(), 1);
    }

    racing_creates_of_one_name_make_one_template, async |db| {
        let app = TestApp::on(db).await;
        let creates = (0..8).map(|_| app.ok("CreateEnvironmentTemplate", json!({ "name": "a" })));
        let answers = futures::future::join_all(creates).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
    }

    a_create_and_a_delete_are_events, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "a").await;
        let mut reader = app.store().reader().await.unwrap();
        let id = app.only_id("template").await;
        app.ok("DeleteEnvironmentTemplate", json!({ "name": "a" })).await;
        let events = event_list(&mut reader, &id).await.unwrap();
        let details: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.detail).unwrap()).collect();
        assert_eq!(details, [
            json!({ "kind": "ENVIRONMENT", "name": "a", "status": "DRAFT" }),
            json!({ "kind": "ENVIRONMENT", "name": "a", "status": "DELETED", "previousStatus": "DRAFT" }),
        ]);
        assert!(events.iter().all(|event| event.kind == "TEMPLATE_STATUS"));
    }
}
