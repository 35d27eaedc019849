use super::seed;
use super::sync::{link, of_service, of_template, with};
use crate::on_both;
use crate::support::app::{TestApp, code};
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::TemplateKind;
use serde_json::{Value, json};

/// The repository `o/r`, both templates `t`, and the services `web` (with `blue` and `green`) and `api` (with `red`).
async fn ready(app: &TestApp) {
    link(app, "o/r").await;
    seed::template(app, TemplateKind::Environment, "t", None).await;
    seed::template(app, TemplateKind::Service, "t", None).await;
    for (service, instances) in [("web", ["green", "blue"].as_slice()), ("api", &["red"])] {
        seed::service(app, service, ServiceStatus::Active).await;
        for instance in instances {
            let track = seed::track(app, DeploymentStatus::Succeeded, Some((1, 0))).await;
            seed::instance(app, service, instance, track).await;
        }
    }
}

fn branch(provider: &str, name: &str, branch: &str, sync_type: &str) -> Value {
    json!({ "repositoryProvider": provider, "repositoryName": name, "branch": branch, "syncType": sync_type })
}

fn repository(name: &str, sync_type: &str) -> Value {
    json!({ "repositoryProvider": "GITHUB", "repositoryName": name, "syncType": sync_type })
}

on_both! {
    a_branch_that_is_followed_was_not_synced_yet_and_another_is_not_found, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        app.ok("CreateTemplateSyncConfig", of_template("SERVICE", "t")).await;
        app.ok("CreateServiceSyncConfig", with(of_service("web"), "branch", "live")).await;
        for (name, of, sync_type) in [("o/r", "main", "TEMPLATE_SYNC"), ("o/r", "live", "SERVICE_SYNC")] {
            let input = branch("GITHUB", name, of, sync_type);
            assert_eq!(app.ok("GetRepositorySyncStatus", input).await, json!({}));
        }
        for (provider, name, of, sync_type, says) in [
            ("GITHUB", "o/r", "live", "TEMPLATE_SYNC", "no TEMPLATE_SYNC follows it"),
            ("GITHUB", "o/r", "main", "SERVICE_SYNC", "no SERVICE_SYNC follows it"),
            ("GITHUB", "o/r", "nowhere", "TEMPLATE_SYNC", "'nowhere'"),
            ("GITHUB", "o/x", "main", "TEMPLATE_SYNC", "repository/github:o/x"),
            ("BITBUCKET", "o/r", "main", "TEMPLATE_SYNC", "repository/bitbucket:o/r"),
        ] {
            let input = branch(provider, name, of, sync_type);
            let refused = app.call("GetRepositorySyncStatus", input).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException", "{provider} {name} {of} {sync_type}");
            assert!(refused.message.contains(says), "{}", refused.message);
        }
    }

    a_template_that_is_synced_was_not_synced_yet_and_another_is_not_found, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let input = |kind: &str, name: &str, major: &str| {
            json!({ "templateType": kind, "templateName": name, "templateVersion": major })
        };
        let refused = app.call("GetTemplateSyncStatus", input("SERVICE", "t", "1")).await.unwrap_err();
        assert_eq!(refused.code, "ResourceNotFoundException");
        assert!(refused.message.contains("template sync configuration"), "{}", refused.message);
        app.ok("CreateTemplateSyncConfig", of_template("SERVICE", "t")).await;
        for major in ["1", "7", "99999999999999999999"] {
            assert_eq!(app.ok("GetTemplateSyncStatus", input("SERVICE", "t", major)).await, json!({}), "{major}");
        }
        for (kind, name) in [("ENVIRONMENT", "t"), ("SERVICE", "x")] {
            let refused = app.call("GetTemplateSyncStatus", input(kind, name, "1")).await;
            assert_eq!(code(refused), "ResourceNotFoundException", "{kind} {name}");
        }
        app.ok("DeleteTemplateSyncConfig", json!({ "templateType": "SERVICE", "templateName": "t" })).await;
        let refused = app.call("GetTemplateSyncStatus", input("SERVICE", "t", "1")).await;
        assert_eq!(code(refused), "ResourceNotFoundException");
    }

    an_instance_that_is_synced_was_not_synced_yet_and_another_is_not_found, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let input = |service: &str, name: &str| json!({ "serviceName": service, "serviceInstanceName": name });
        app.ok("CreateServiceSyncConfig", of_service("web")).await;
        assert_eq!(app.ok("GetServiceInstanceSyncStatus", input("web", "blue")).await, json!({}));
        for (service, name, says) in [
            ("web", "red", "service instance"), ("none", "blue", "service/none"),
            ("api", "red", "service sync configuration"),
        ] {
            let refused = app.call("GetServiceInstanceSyncStatus", input(service, name)).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException", "{service} {name}");
            assert!(refused.message.contains(says), "{}", refused.message);
        }
    }

    definitions_of_template_syncs_name_the_template, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        let list = async |name: &str| {
            app.ok("ListRepositorySyncDefinitions", repository(name, "TEMPLATE_SYNC")).await["syncDefinitions"].clone()
        };
        assert_eq!(list("o/r").await, json!([]));
        app.ok("CreateTemplateSyncConfig", with(of_template("SERVICE", "t"), "subdirectory", "all/services")).await;
        app.ok("CreateTemplateSyncConfig", with(of_template("ENVIRONMENT", "t"), "branch", "dev")).await;
        let arn = |kind: &str| format!("{}:{kind}-template/t", app.arn_prefix());
        assert_eq!(list("o/r").await, json!([
            { "branch": "dev", "directory": ".", "parent": "t", "target": arn("environment") },
            { "branch": "main", "directory": "all/services", "parent": "t", "target": arn("service") },
        ]));
        assert_eq!(list("o/unlinked").await, json!([]), "there is no error for it");
        let services = app.ok("ListRepositorySyncDefinitions", repository("o/r", "SERVICE_SYNC")).await;
        assert_eq!(services, json!({ "syncDefinitions": [] }));
        let elsewhere = app.in_region("eu-west-3");
        let other = elsewhere.ok("ListRepositorySyncDefinitions", repository("o/r", "TEMPLATE_SYNC")).await;
        assert_eq!(other, json!({ "syncDefinitions": [] }));
    }

    definitions_of_service_syncs_name_the_instances, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        app.ok("CreateServiceSyncConfig", with(of_service("web"), "filePath", "./ops/web/ops.yaml")).await;
        app.ok("CreateServiceSyncConfig", with(of_service("api"), "filePath", "ops.yaml")).await;
        let definitions = app.ok("ListRepositorySyncDefinitions", repository("o/r", "SERVICE_SYNC")).await;
        assert_eq!(definitions["syncDefinitions"], json!([
            { "branch": "main", "directory": ".", "parent": "api", "target": "red" },
            { "branch": "main", "directory": "./ops/web", "parent": "web", "target": "blue" },
            { "branch": "main", "directory": "./ops/web", "parent": "web", "target": "green" },
        ]));
        assert_eq!(definitions.get("nextToken"), None);
    }

    what_has_not_the_shape_of_a_question_is_refused, async |db| {
        let app = TestApp::on(db).await;
        ready(&app).await;
        app.ok("CreateTemplateSyncConfig", of_template("SERVICE", "t")).await;
        for (operation, input, member, wrong) in [
            ("GetRepositorySyncStatus", branch("GITHUB", "o/r", "main", "TEMPLATE_SYNC"), "syncType", json!("SYNC")),
            ("GetRepositorySyncStatus", branch("GITHUB", "o/r", "main", "TEMPLATE_SYNC"), "branch", json!("")),
            ("GetRepositorySyncStatus", branch("GITHUB", "o/r", "main", "TEMPLATE_SYNC"), "repositoryName", json!("o/\u{0}")),
            ("ListRepositorySyncDefinitions", repository("o/r", "TEMPLATE_SYNC"), "repositoryName", json!("o/\u{0}")),
            ("ListRepositorySyncDefinitions", repository("o/r", "TEMPLATE_SYNC"), "syncType", Value::Null),
            ("ListRepositorySyncDefinitions", repository("o/r", "TEMPLATE_SYNC"), "nextToken", json!("AAAA")),
            (
                "GetTemplateSyncStatus", json!({ "templateType": "SERVICE", "templateName": "t", "templateVersion": "1" }),
                "templateVersion", json!("1.0"),
            ),
            (
                "GetServiceInstanceSyncStatus", json!({ "serviceName": "web", "serviceInstanceName": "blue" }),
                "serviceInstanceName", json!("_blue"),
            ),
        ] {
            let refused = app.call(operation, with(input, member, wrong.clone())).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{operation} {member} {wrong}");
            assert!(refused.message.contains(member), "{}", refused.message);
        }
        let empty = with(repository("o/r", "TEMPLATE_SYNC"), "nextToken", "");
        app.ok("ListRepositorySyncDefinitions", empty).await;
    }
}
