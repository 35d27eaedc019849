use super::seed;
use super::sync::{link, of_template, with};
use crate::on_both;
use crate::support::app::{TestApp, code};
use crate::support::race::{race, refused};
use protium::store::event_list;
use protium_domain::template::TemplateKind;
use serde_json::{Value, json};

const CREATE: &str = "CreateTemplateSyncConfig";
const UPDATE: &str = "UpdateTemplateSyncConfig";

fn key(kind: &str, name: &str) -> Value {
    json!({ "templateType": kind, "templateName": name })
}

/// The repository `o/r`, and an environment and a service template `t`.
async fn ready(app: &TestApp) {
    link(app, "o/r").await;
    seed::template(app, TemplateKind::Environment, "t", None).await;
    seed::template(app, TemplateKind::Service, "t", None).await;
}

on_both! {
    a_configuration_is_answered_as_it_was_made, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let input = with(of_template("SERVICE", "t"), "subdirectory", "templates/service");
        let expected = json!({ "templateSyncConfig": input });
        assert_eq!(app.ok(CREATE, input).await, expected);
        assert_eq!(app.ok("GetTemplateSyncConfig", key("SERVICE", "t")).await, expected);
        let none = app.call("GetTemplateSyncConfig", key("ENVIRONMENT", "t")).await;
        assert_eq!(code(none), "ResourceNotFoundException", "the kinds are separate");
        let input = of_template("ENVIRONMENT", "t");
        assert_eq!(app.ok(CREATE, input.clone()).await, json!({ "templateSyncConfig": input }));
        assert_eq!(app.ok("GetTemplateSyncConfig", key("SERVICE", "t")).await, expected);
    }

    what_has_not_the_shape_of_a_configuration_is_refused, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        for (member, wrong) in [
            ("templateType", json!("PIPELINE")), ("templateType", Value::Null),
            ("templateName", json!("_t")), ("templateName", Value::Null),
            ("repositoryProvider", json!("GITLAB")), ("repositoryProvider", Value::Null),
            ("repositoryName", json!("r")), ("repositoryName", json!("o/\u{0}r")), ("repositoryName", Value::Null),
            ("branch", json!("")), ("branch", json!("b".repeat(201))), ("branch", Value::Null),
            ("subdirectory", json!("")), ("subdirectory", json!("s".repeat(4097))),
        ] {
            for operation in [CREATE, UPDATE] {
                let input = with(of_template("SERVICE", "t"), member, wrong.clone());
                let refused = app.call(operation, input).await.unwrap_err();
                assert_eq!(refused.code, "ValidationException", "{operation} {member} {wrong}");
                assert!(refused.message.contains(member), "{operation} {member}: {}", refused.message);
            }
        }
        let none = app.call("GetTemplateSyncConfig", key("SERVICE", "t")).await;
        assert_eq!(code(none), "ResourceNotFoundException");
    }

    a_create_without_its_template_or_repository_is_invalid, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        for (input, says) in [
            (of_template("SERVICE", "x"), "templateName: there is no service template 'x'"),
            (of_template("ENVIRONMENT", "x"), "templateName: there is no environment template 'x'"),
            (with(of_template("SERVICE", "t"), "repositoryName", "o/x"), "repositoryName: the repository 'o/x' of GITHUB"),
            (with(of_template("SERVICE", "t"), "repositoryProvider", "BITBUCKET"), "'o/r' of BITBUCKET is not linked"),
        ] {
            let refused = app.call(CREATE, input).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.contains(says), "{}", refused.message);
        }
        let elsewhere = app.in_region("eu-west-3").call(CREATE, of_template("SERVICE", "t")).await;
        assert_eq!(code(elsewhere), "ValidationException");
    }

    the_same_create_again_answers_what_is_there, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let input = of_template("SERVICE", "t");
        let made = app.ok(CREATE, input.clone()).await;
        assert_eq!(app.ok(CREATE, with(input, "subdirectory", Value::Null)).await, made);
    }

    a_create_with_other_parameters_is_a_mismatch, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        link(&app, "o/other").await;
        let input = of_template("SERVICE", "t");
        app.ok(CREATE, input.clone()).await;
        for (member, value) in
            [("branch", "dev"), ("repositoryName", "o/other"), ("repositoryName", "o/unlinked"), ("subdirectory", "s")]
        {
            let refused = app.call(CREATE, with(input.clone(), member, value)).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{member}");
            assert_eq!(refused.message, "Idempotent parameter mismatch");
        }
        let stored = app.ok("GetTemplateSyncConfig", key("SERVICE", "t")).await;
        assert_eq!(stored, json!({ "templateSyncConfig": input }));
    }

    a_create_of_what_was_updated_since_is_a_conflict_and_a_mismatch_comes_first, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let input = of_template("SERVICE", "t");
        app.ok(CREATE, input.clone()).await;
        app.ok(UPDATE, input.clone()).await;
        assert_eq!(code(app.call(CREATE, input.clone()).await), "ConflictException");
        assert_eq!(code(app.call(CREATE, with(input, "branch", "dev")).await), "ValidationException");
    }

    an_update_replaces_all_that_is_followed, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        link(&app, "o/other").await;
        app.ok(CREATE, with(of_template("SERVICE", "t"), "subdirectory", "s")).await;
        let input = with(with(of_template("SERVICE", "t"), "repositoryName", "o/other"), "branch", "dev");
        let updated = app.ok(UPDATE, input.clone()).await;
        assert_eq!(updated, json!({ "templateSyncConfig": input }), "a subdirectory that is left out is none");
        assert_eq!(app.ok("GetTemplateSyncConfig", key("SERVICE", "t")).await, updated);
        app.ok("DeleteRepository", json!({ "provider": "GITHUB", "name": "o/r" })).await;
    }

    an_update_without_its_configuration_or_repository_is_not_found, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let refused = app.call(UPDATE, of_template("SERVICE", "t")).await.unwrap_err();
        assert_eq!(refused.code, "ResourceNotFoundException");
        assert!(refused.message.contains("that of the service template 't'"), "{}", refused.message);
        app.ok(CREATE, of_template("SERVICE", "t")).await;
        let refused = app.call(UPDATE, with(of_template("SERVICE", "t"), "repositoryName", "o/x")).await.unwrap_err();
        assert_eq!(refused.code, "ResourceNotFoundException");
        assert!(refused.message.ends_with("repository/github:o/x"), "{}", refused.message);
        let get = app.call("GetTemplateSyncConfig", key("SERVICE", "nowhere")).await;
        assert_eq!(code(get), "ResourceNotFoundException");
    }

    a_delete_answers_the_configuration_once_and_then_nothing, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        assert_eq!(app.ok("DeleteTemplateSyncConfig", key("SERVICE", "t")).await, json!({}));
        let made = app.ok(CREATE, of_template("SERVICE", "t")).await;
        assert_eq!(app.ok("DeleteTemplateSyncConfig", key("ENVIRONMENT", "t")).await, json!({}));
        assert_eq!(app.ok("DeleteTemplateSyncConfig", key("SERVICE", "t")).await, made);
        assert_eq!(app.ok("DeleteTemplateSyncConfig", key("SERVICE", "t")).await, json!({}));
        assert_eq!(code(app.call("GetTemplateSyncConfig", key("SERVICE", "t")).await), "ResourceNotFoundException");
        app.ok(CREATE, with(of_template("SERVICE", "t"), "branch", "dev")).await;
    }

    a_repository_that_a_template_follows_stays_linked, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        app.ok(CREATE, of_template("SERVICE", "t")).await;
        let repository = json!({ "provider": "GITHUB", "name": "o/r" });
        let refused = app.call("DeleteRepository", repository.clone()).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("sync configuration of the service template 't'"), "{}", refused.message);
        app.ok("DeleteTemplateSyncConfig", key("SERVICE", "t")).await;
        app.ok("DeleteRepository", repository).await;
    }

    a_template_that_is_synced_is_not_deleted, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        for (kind, operation) in [("SERVICE", "DeleteServiceTemplate"), ("ENVIRONMENT", "DeleteEnvironmentTemplate")] {
            app.ok(CREATE, of_template(kind, "t")).await;
            let refused = app.call(operation, json!({ "name": "t" })).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            assert!(refused.message.contains("DeleteTemplateSyncConfig"), "{}", refused.message);
            app.ok("DeleteTemplateSyncConfig", key(kind, "t")).await;
            app.ok(operation, json!({ "name": "t" })).await;
        }
        seed::template(&app, TemplateKind::Service, "t", None).await;
        let namesake = app.call("GetTemplateSyncConfig", key("SERVICE", "t")).await;
        assert_eq!(code(namesake), "ResourceNotFoundException", "a template made again follows nothing");
        app.ok(CREATE, of_template("SERVICE", "t")).await;
    }

    racing_creates_make_one_configuration, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let same = (0..8).map(|_| app.ok(CREATE, of_template("SERVICE", "t")));
        let answers = futures::future::join_all(same).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let other = (0..8).map(|n| app.call(CREATE, with(of_template("ENVIRONMENT", "t"), "branch", format!("b{n}"))));
        let answers = futures::future::join_all(other).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for answer in answers.into_iter().filter(Result::is_err) {
            assert_eq!(code(answer), "ValidationException");
        }
    }

    what_is_followed_is_there_whoever_comes_first, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let unlink = || ("DeleteRepository", json!({ "provider": "GITHUB", "name": "o/r" }));
        let answers = race(&app, [(CREATE, of_template("SERVICE", "t")), unlink()]).await;
        let expected = if answers[0].is_ok() { "ConflictException" } else { "ValidationException" };
        assert_eq!(refused(&answers), expected);
        link(&app, "o/r").await;
        let answers = race(&app, [
            (CREATE, of_template("ENVIRONMENT", "t")),
            ("DeleteEnvironmentTemplate", json!({ "name": "t" })),
        ]).await;
        let expected = if answers[0].is_ok() { "ConflictException" } else { "ValidationException" };
        assert_eq!(refused(&answers), expected);
    }

    a_repository_is_not_unlinked_while_an_update_begins_to_follow_it, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        link(&app, "o/next").await;
        app.ok(CREATE, of_template("SERVICE", "t")).await;
        let unlink = ("DeleteRepository", json!({ "provider": "GITHUB", "name": "o/next" }));
        let update = (UPDATE, with(of_template("SERVICE", "t"), "repositoryName", "o/next"));
        let answers = race(&app, [update, unlink]).await;
        let expected = if answers[0].is_ok() { "ConflictException" } else { "ResourceNotFoundException" };
        assert_eq!(refused(&answers), expected);
    }

    configurations_are_events, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        app.ok(CREATE, of_template("SERVICE", "t")).await;
        let id = app.only_id("template_sync_config").await;
        app.ok(UPDATE, with(of_template("SERVICE", "t"), "branch", "dev")).await;
        app.ok("DeleteTemplateSyncConfig", key("SERVICE", "t")).await;
        let events = event_list(&mut app.store().reader().await.unwrap(), &id).await.unwrap();
        let details: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.detail).unwrap()).collect();
        assert_eq!(details, [
            json!({ "kind": "SERVICE", "template": "t", "status": "CONFIGURED" }),
            json!({ "kind": "SERVICE", "template": "t", "status": "DELETED", "previousStatus": "CONFIGURED" }),
        ]);
    }
}
