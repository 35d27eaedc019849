use super::seed;
use super::sync::{link, of_service, with};
use crate::on_both;
use crate::support::app::{TestApp, code};
use crate::support::race::{race, refused};
use protium::store::event_list;
use protium_domain::status::ServiceStatus;
use serde_json::{Value, json};

const CREATE: &str = "CreateServiceSyncConfig";
const GET: &str = "GetServiceSyncConfig";
const UPDATE: &str = "UpdateServiceSyncConfig";
const DELETE: &str = "DeleteServiceSyncConfig";

fn key(name: &str) -> Value {
    json!({ "serviceName": name })
}

/// The repository `o/r` and the service `web`, which has no parts: it is gone as soon as it is deleted.
async fn ready(app: &TestApp) {
    link(app, "o/r").await;
    seed::service(app, "web", ServiceStatus::Active).await;
}

on_both! {
    a_configuration_is_answered_as_it_was_made, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let expected = json!({ "serviceSyncConfig": of_service("web") });
        assert_eq!(app.ok(CREATE, of_service("web")).await, expected);
        assert_eq!(app.ok(GET, key("web")).await, expected);
    }

    what_has_not_the_shape_of_a_configuration_is_refused, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        for (member, wrong) in [
            ("serviceName", json!("_t")), ("serviceName", Value::Null),
            ("repositoryProvider", json!("GITLAB")), ("repositoryProvider", Value::Null),
            ("repositoryName", json!("r")), ("repositoryName", json!("o/\u{0}r")), ("repositoryName", Value::Null),
            ("branch", json!("")), ("branch", json!("b".repeat(201))), ("branch", Value::Null),
            ("filePath", json!("")), ("filePath", json!("s".repeat(4097))), ("filePath", Value::Null),
        ] {
            for operation in [CREATE, UPDATE] {
                let refused = app.call(operation, with(of_service("web"), member, wrong.clone())).await.unwrap_err();
                assert_eq!(refused.code, "ValidationException", "{operation} {member} {wrong}");
                assert!(refused.message.contains(member), "{operation} {member}: {}", refused.message);
            }
        }
        assert_eq!(code(app.call(GET, key("web")).await), "ResourceNotFoundException");
    }

    a_create_without_its_service_or_repository_is_invalid, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        for (input, says) in [
            (of_service("x"), "serviceName: there is no service 'x'"),
            (with(of_service("web"), "repositoryName", "o/x"), "repositoryName: the repository 'o/x' of GITHUB"),
            (with(of_service("web"), "repositoryProvider", "BITBUCKET"), "'o/r' of BITBUCKET is not linked"),
        ] {
            let refused = app.call(CREATE, input).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.contains(says), "{}", refused.message);
        }
        assert_eq!(code(app.in_region("eu-west-3").call(CREATE, of_service("web")).await), "ValidationException");
    }

    a_service_that_is_about_to_go_can_not_be_synced, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        for (name, status) in [("going", ServiceStatus::DeleteInProgress), ("stuck", ServiceStatus::DeleteFailed)] {
            seed::service(&app, name, status).await;
            let refused = app.call(CREATE, of_service(name)).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            assert!(refused.message.contains(status.as_str()), "{}", refused.message);
        }
    }

    the_same_create_again_answers_what_is_there, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let made = app.ok(CREATE, of_service("web")).await;
        assert_eq!(app.ok(CREATE, of_service("web")).await, made);
    }

    a_create_with_other_parameters_is_a_mismatch, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        link(&app, "o/other").await;
        let made = app.ok(CREATE, of_service("web")).await;
        for (member, value) in
            [("branch", "dev"), ("repositoryName", "o/other"), ("repositoryName", "o/unlinked"), ("filePath", "f")]
        {
            let refused = app.call(CREATE, with(of_service("web"), member, value)).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{member}");
            assert_eq!(refused.message, "Idempotent parameter mismatch");
        }
        assert_eq!(app.ok(GET, key("web")).await, made);
    }

    a_create_of_what_was_updated_since_is_a_conflict_and_a_mismatch_comes_first, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        app.ok(CREATE, of_service("web")).await;
        app.ok(UPDATE, of_service("web")).await;
        assert_eq!(code(app.call(CREATE, of_service("web")).await), "ConflictException");
        assert_eq!(code(app.call(CREATE, with(of_service("web"), "branch", "dev")).await), "ValidationException");
    }

    an_update_replaces_all_that_is_followed, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        link(&app, "o/other").await;
        app.ok(CREATE, of_service("web")).await;
        let input = with(with(of_service("web"), "repositoryName", "o/other"), "filePath", "./other.yaml");
        let updated = app.ok(UPDATE, input.clone()).await;
        assert_eq!(updated, json!({ "serviceSyncConfig": input }));
        assert_eq!(app.ok(GET, key("web")).await, updated);
        app.ok("DeleteRepository", json!({ "provider": "GITHUB", "name": "o/r" })).await;
    }

    an_update_without_its_configuration_or_repository_is_not_found, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let refused = app.call(UPDATE, of_service("web")).await.unwrap_err();
        assert_eq!(refused.code, "ResourceNotFoundException");
        assert!(refused.message.contains("that of the service 'web'"), "{}", refused.message);
        app.ok(CREATE, of_service("web")).await;
        let refused = app.call(UPDATE, with(of_service("web"), "repositoryName", "o/x")).await.unwrap_err();
        assert_eq!(refused.code, "ResourceNotFoundException");
        assert!(refused.message.ends_with("repository/github:o/x"), "{}", refused.message);
        assert_eq!(code(app.call(GET, key("nowhere")).await), "ResourceNotFoundException");
    }

    a_delete_answers_the_configuration_once_and_then_nothing, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        assert_eq!(app.ok(DELETE, key("web")).await, json!({}));
        let made = app.ok(CREATE, of_service("web")).await;
        assert_eq!(app.ok(DELETE, key("web")).await, made);
        assert_eq!(app.ok(DELETE, key("web")).await, json!({}));
        assert_eq!(code(app.call(GET, key("web")).await), "ResourceNotFoundException");
        app.ok("GetService", json!({ "name": "web" })).await;
        app.ok(CREATE, with(of_service("web"), "branch", "dev")).await;
    }

    a_repository_that_a_service_follows_stays_linked, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        app.ok(CREATE, of_service("web")).await;
        let repository = json!({ "provider": "GITHUB", "name": "o/r" });
        let refused = app.call("DeleteRepository", repository.clone()).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("sync configuration of the service 'web'"), "{}", refused.message);
        app.ok(DELETE, key("web")).await;
        app.ok("DeleteRepository", repository).await;
    }

    a_deleted_service_takes_its_configuration_along, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        app.ok(CREATE, of_service("web")).await;
        app.ok("DeleteService", json!({ "name": "web" })).await;
        assert_eq!(code(app.call("GetService", json!({ "name": "web" })).await), "ResourceNotFoundException");
        assert_eq!(code(app.call(GET, key("web")).await), "ResourceNotFoundException");
        seed::service(&app, "web", ServiceStatus::Active).await;
        let namesake = app.call(GET, key("web")).await;
        assert_eq!(code(namesake), "ResourceNotFoundException", "a service made again follows nothing");
        app.ok("DeleteRepository", json!({ "provider": "GITHUB", "name": "o/r" })).await;
    }

    racing_creates_make_one_configuration, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        seed::service(&app, "api", ServiceStatus::Active).await;
        let answers = futures::future::join_all((0..8).map(|_| app.ok(CREATE, of_service("web")))).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        let other = (0..8).map(|n| app.call(CREATE, with(of_service("api"), "branch", format!("b{n}"))));
        let answers = futures::future::join_all(other).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for answer in answers.into_iter().filter(Result::is_err) {
            assert_eq!(code(answer), "ValidationException");
        }
    }

    what_is_followed_is_there_whoever_comes_first, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let unlink = ("DeleteRepository", json!({ "provider": "GITHUB", "name": "o/r" }));
        let answers = race(&app, [(CREATE, of_service("web")), unlink]).await;
        let expected = if answers[0].is_ok() { "ConflictException" } else { "ValidationException" };
        assert_eq!(refused(&answers), expected);
    }

    no_configuration_outlives_a_service_that_is_deleted_meanwhile, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let answers = race(&app, [(CREATE, of_service("web")), ("DeleteService", json!({ "name": "web" }))]).await;
        assert!(answers[1].is_ok(), "{answers:?}");
        assert_eq!(code(app.call(GET, key("web")).await), "ResourceNotFoundException");
    }

    a_repository_is_not_unlinked_while_an_update_begins_to_follow_it, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        link(&app, "o/next").await;
        app.ok(CREATE, of_service("web")).await;
        let unlink = ("DeleteRepository", json!({ "provider": "GITHUB", "name": "o/next" }));
        let update = (UPDATE, with(of_service("web"), "repositoryName", "o/next"));
        let answers = race(&app, [update, unlink]).await;
        let expected = if answers[0].is_ok() { "ConflictException" } else { "ResourceNotFoundException" };
        assert_eq!(refused(&answers), expected);
    }

    configurations_are_events, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        app.ok(CREATE, of_service("web")).await;
        let id = app.only_id("service_sync_config").await;
        app.ok("DeleteService", json!({ "name": "web" })).await;
        let events = event_list(&mut app.store().reader().await.unwrap(), &id).await.unwrap();
        let details: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.detail).unwrap()).collect();
        assert_eq!(details, [
            json!({ "service": "web", "status": "CONFIGURED" }),
            json!({ "service": "web", "status": "DELETED", "previousStatus": "CONFIGURED" }),
        ]);
    }
}
