use crate::on_both;
use crate::support::app::{TestApp, code};
use crate::support::bundle::{self, CODEBUILD_MANIFEST, ENVIRONMENT_SCHEMA, TERRAFORM_MANIFEST};
use serde_json::{Value, json};

const SPEC: &str = "proton: EnvironmentSpec\nspec: {}\n";

/// The customer-managed environment template `env` with these versions, registered, and the named ones published.
async fn with_versions(app: &TestApp, majors: &[Option<&str>], published: &[(&str, &str)]) {
    app.ok("CreateEnvironmentTemplate", json!({ "name": "env", "provisioning": "CUSTOMER_MANAGED" })).await;
    app.upload("bundles", "env", bundle::pack(&bundle::environment()[..1])).await;
    for major in majors {
        version(app, *major).await;
    }
    app.work().await;
    for (major, minor) in published {
        publish(app, major, minor).await;
    }
}

async fn version(app: &TestApp, major: Option<&str>) {
    let source = json!({ "s3": { "bucket": "bundles", "key": "env" } });
    let input = json!({ "templateName": "env", "source": source, "majorVersion": major });
    app.ok("CreateEnvironmentTemplateVersion", input).await;
}

async fn publish(app: &TestApp, major: &str, minor: &str) {
    let input = json!({ "templateName": "env", "majorVersion": major, "minorVersion": minor, "status": "PUBLISHED" });
    app.ok("UpdateEnvironmentTemplateVersion", input).await;
}

fn environment(name: &str, major: &str, minor: Option<&str>) -> Value {
    json!({ "name": name, "templateName": "env", "templateMajorVersion": major, "templateMinorVersion": minor,
        "spec": SPEC })
}

/// What the environment runs, once its deployment has ended.
async fn running(app: &TestApp, name: &str) -> String {
    app.work().await;
    let answer = app.ok("GetEnvironment", json!({ "name": name })).await;
    let environment = &answer["environment"];
    assert_eq!(environment["deploymentStatus"], "SUCCEEDED", "{environment}");
    let part = |key: &str| environment[key].as_str().unwrap().to_owned();
    format!("{}.{}", part("templateMajorVersion"), part("templateMinorVersion"))
}

on_both! {
    a_draft_is_used_when_it_is_named_and_the_recommended_minor_otherwise, async |db| {
        let app = TestApp::on(db).await;
        with_versions(&app, &[None, Some("1"), Some("1")], &[("1", "0"), ("1", "1")]).await;
        for (name, minor, expected) in [("a", Some("2"), "1.2"), ("b", Some("0"), "1.0"), ("c", None, "1.1")] {
            app.ok("CreateEnvironment", environment(name, "1", minor)).await;
            assert_eq!(running(&app, name).await, expected);
        }
    }

    without_a_published_minor_one_must_be_named, async |db| {
        let app = TestApp::on(db).await;
        with_versions(&app, &[None, None], &[("2", "0")]).await;
        let refused = app.call("CreateEnvironment", environment("a", "1", None)).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.starts_with("templateMinorVersion: ") && refused.message.contains("name a draft"), "{}", refused.message);
        assert_eq!(code(app.call("GetEnvironment", json!({ "name": "a" })).await), "ResourceNotFoundException");
    }

    a_version_that_is_not_there_is_not_found_by_its_arn, async |db| {
        let app = TestApp::on(db).await;
        let arn = format!("{}:environment-template/env", app.arn_prefix());
        let refused = app.call("CreateEnvironment", environment("a", "1", None)).await.unwrap_err();
        assert_eq!(refused.code, "ResourceNotFoundException");
        with_versions(&app, &[None], &[("1", "0")]).await;
        for (major, minor, number) in [("1", Some("28"), "1.28"), ("2", Some("0"), "2.0"), ("2", None, "2")] {
            let refused = app.call("CreateEnvironment", environment("a", major, minor)).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException");
            let text = format!("The requested environment template version does not exist: {arn}:{number}");
            assert_eq!(refused.message, text);
        }
    }

    a_version_that_is_not_registered_is_not_used, async |db| {
        let app = TestApp::on(db).await;
        with_versions(&app, &[None], &[("1", "0")]).await;
        version(&app, Some("1")).await;
        let refused = app.call("CreateEnvironment", environment("a", "1", Some("1"))).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("1.1 of 'env' is still being registered"), "{}", refused.message);
        app.upload("bundles", "env", b"no bundle".to_vec()).await;
        app.work().await;
        let refused = app.call("CreateEnvironment", environment("a", "1", Some("1"))).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("1.1 of 'env' failed to register"), "{}", refused.message);
        app.ok("CreateEnvironment", environment("a", "1", None)).await;
    }

    updates_go_to_the_version_that_their_deployment_type_asks_for, async |db| {
        let app = TestApp::on(db).await;
        with_versions(&app, &[None, Some("1"), Some("1"), None, Some("2"), None], &[("1", "0"), ("1", "1"), ("2", "0")]).await;
        app.ok("CreateEnvironment", environment("a", "1", Some("0"))).await;
        assert_eq!(running(&app, "a").await, "1.0");
        let update = |kind: &str, major: Value, minor: Value| json!({ "name": "a", "deploymentType": kind,
            "templateMajorVersion": major, "templateMinorVersion": minor });
        for (kind, major, minor, expected) in [
            ("MINOR_VERSION", Value::Null, Value::Null, "1.1"),
            ("MINOR_VERSION", "1".into(), "2".into(), "1.2"),
            ("CURRENT_VERSION", Value::Null, Value::Null, "1.2"),
            ("MINOR_VERSION", Value::Null, "0".into(), "1.0"),
            ("MAJOR_VERSION", Value::Null, Value::Null, "2.0"),
            ("MAJOR_VERSION", "3".into(), "0".into(), "3.0"),
        ] {
            app.ok("UpdateEnvironment", update(kind, major, minor)).await;
            assert_eq!(running(&app, "a").await, expected, "{kind}");
        }
        let refused = app.call("UpdateEnvironment", update("MAJOR_VERSION", Value::Null, Value::Null)).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("recommends version 2.0"), "{}", refused.message);
        let refused = app.call("UpdateEnvironment", update("MINOR_VERSION", Value::Null, Value::Null)).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException", "3 has no published minor: {}", refused.message);
        let missing = update("MINOR_VERSION", Value::Null, "9".into());
        let refused = app.call("UpdateEnvironment", missing).await.unwrap_err();
        assert_eq!(refused.code, "ResourceNotFoundException");
        assert!(refused.message.ends_with("environment-template/env:3.9"), "{}", refused.message);
    }

    engines_that_a_server_does_not_have_are_named_and_nothing_is_stored, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        let terraform = [
            ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", TERRAFORM_MANIFEST),
            ("infrastructure/main.tf", "output \"x\" { value = 1 }\n"),
        ];
        let codebuild =
            [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", CODEBUILD_MANIFEST)];
        for (major, engine, files) in [("1", "terraform", &terraform[..]), ("2", "codebuild", &codebuild[..])] {
            app.upload("bundles", "env", bundle::pack(files)).await;
            version(&app, None).await;
            app.work().await;
            let mut input = environment("a", major, Some("0"));
            input["codebuildRoleArn"] = "arn:aws:iam::123456789012:role/build".into();
            let refused = app.call("CreateEnvironment", input).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.contains(&format!("provisioned with {engine}")), "{}", refused.message);
            assert_eq!(code(app.call("GetEnvironment", json!({ "name": "a" })).await), "ResourceNotFoundException");
        }
    }

    a_delete_and_a_use_of_a_version_that_race_do_not_both_succeed, async |db| {
        let app = TestApp::on(db).await;
        with_versions(&app, &[Some("1"), Some("1"), Some("1"), Some("1"), Some("1"), Some("1")], &[]).await;
        for minor in ["0", "1", "2", "3", "4", "5"] {
            let name = format!("env-{minor}");
            let version = json!({ "templateName": "env", "majorVersion": "1", "minorVersion": minor });
            let (used, deleted) = tokio::join!(
                app.call("CreateEnvironment", environment(&name, "1", Some(minor))),
                app.call("DeleteEnvironmentTemplateVersion", version),
            );
            match (used, deleted) {
                (Ok(_), Err(refused)) => assert_eq!(refused.code, "ConflictException"),
                (Err(refused), Ok(_)) => assert_eq!(refused.code, "ResourceNotFoundException"),
                other => panic!("{other:?}"),
            }
        }
    }
}
