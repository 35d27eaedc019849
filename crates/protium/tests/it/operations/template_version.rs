use crate::on_both;
use crate::support::app::{TestApp, code};
use crate::support::bundle;
use crate::support::double::version_of;
use crate::support::service::{INSTANCE, PIPELINE, Shop, files, spec};
use protium::store::{environment_insert, event_list};
use protium::transaction;
use protium_domain::environment::{Access, Environment};
use protium_domain::id::Id;
use protium_domain::template::Origin;
use protium_domain::track::{Aim, Track};
use protium_domain::version::Version;
use serde_json::{Value, json};

const CREATE: &str = "CreateEnvironmentTemplateVersion";
const GET: &str = "GetEnvironmentTemplateVersion";
const LIST: &str = "ListEnvironmentTemplateVersions";
const UPDATE: &str = "UpdateEnvironmentTemplateVersion";
const DELETE: &str = "DeleteEnvironmentTemplateVersion";

/// Its own environment template `env`, and a bundle for it in the embedded store.
async fn with_template(app: &TestApp) {
    app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    app.upload("bundles", "env.tar.gz", bundle::pack(&bundle::environment())).await;
}

fn source() -> Value {
    json!({ "s3": { "bucket": "bundles", "key": "env.tar.gz" } })
}

fn new(major: Option<&str>) -> Value {
    json!({ "templateName": "env", "source": source(), "majorVersion": major })
}

fn at(version: &str) -> Value {
    let (major, minor) = version.split_once('.').unwrap();
    json!({ "templateName": "env", "majorVersion": major, "minorVersion": minor })
}

fn publish(version: &str) -> Value {
    let mut input = at(version);
    input["status"] = "PUBLISHED".into();
    input
}

fn number(version: &Value) -> String {
    format!("{}.{}", version["majorVersion"].as_str().unwrap(), version["minorVersion"].as_str().unwrap())
}

async fn create(app: &TestApp, major: Option<&str>) -> Value {
    app.ok(CREATE, new(major)).await["environmentTemplateVersion"].clone()
}

async fn get(app: &TestApp, version: &str) -> Value {
    app.ok(GET, at(version)).await["environmentTemplateVersion"].clone()
}

/// Versions 1.0, 1.1 and so on, registered, and the named ones published.
async fn registered(app: &TestApp, majors: &[Option<&str>], published: &[&str]) {
    for major in majors {
        create(app, *major).await;
    }
    app.work().await;
    for version in published {
        app.ok(UPDATE, publish(version)).await;
    }
}

async fn recommended(app: &TestApp) -> Option<String> {
    let template = app.ok("GetEnvironmentTemplate", json!({ "name": "env" })).await;
    template["environmentTemplate"]["recommendedVersion"].as_str().map(str::to_owned)
}

async fn listed(app: &TestApp, input: Value) -> Vec<String> {
    let answer = app.ok(LIST, input).await;
    answer["templateVersions"].as_array().unwrap().iter().map(number).collect()
}

/// An environment that runs the version, as far as the store is concerned.
async fn environment_on(app: &TestApp, version: Version) {
    let aim = Aim { version, spec: String::new() };
    let id = |byte| Id::from_random([byte; 16]);
    let environment = Environment {
        revision: 0,
        id: id(1),
        name: "prod".into(),
        template: "env".into(),
        description: None,
        customer_managed: false,
        access: Access::default(),
        created_at: 1,
        track: Track::first(id(2), aim, 1),
        origin: Origin::new(String::new()),
        unknown: serde_json::Map::new(),
    };
    let scope = app.scope();
    transaction!(app.store(), async |tx| -> Result<bool, protium::store::DbError> {
        environment_insert(tx, &scope, &environment).await
    })
    .unwrap();
}

on_both! {
    a_create_answers_its_number_at_once_and_registration_follows, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        let created = create(&app, None).await;
        assert_eq!(number(&created), "1.0");
        assert_eq!(created["arn"], format!("{}:environment-template/env:1.0", app.arn_prefix()));
        assert_eq!(created["status"], "REGISTRATION_IN_PROGRESS");
        assert_eq!(created["templateName"], "env");
        for absent in ["schema", "recommendedMinorVersion", "tags", "source"] {
            assert_eq!(created.get(absent), None, "{absent}");
        }
        app.work().await;
        let draft = get(&app, "1.0").await;
        assert_eq!(draft["status"], "DRAFT");
        assert_eq!(draft["statusMessage"], "");
        assert_eq!(draft["schema"], bundle::ENVIRONMENT_SCHEMA);
        let listed = app.ok(LIST, json!({ "templateName": "env" })).await;
        assert_eq!(listed["templateVersions"][0].get("schema"), None, "lists don't load schemas");
    }

    numbers_count_minors_of_a_major_and_majors, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        for (major, expected) in
            [(Some("1"), "1.0"), (Some("1"), "1.1"), (None, "2.0"), (Some("1"), "1.2"), (Some("3"), "3.0"), (None, "4.0")]
        {
            assert_eq!(number(&create(&app, major).await), expected);
        }
        for major in ["6", "0", "99999999999999999999"] {
            assert_eq!(code(app.call(CREATE, new(Some(major))).await), "ResourceNotFoundException", "{major}");
        }
        assert_eq!(number(&create(&app, None).await), "5.0", "a refused create takes no number");
    }

    a_version_of_a_template_that_is_not_there_is_not_found, async |db| {
        let app = TestApp::on(db).await;
        let refused = app.call(CREATE, new(None)).await.unwrap_err();
        assert_eq!(refused.code, "ResourceNotFoundException");
        let arn = format!("{}:environment-template/env", app.arn_prefix());
        assert_eq!(refused.message, format!("The requested environment template does not exist: {arn}"));
        assert_eq!(code(app.call(LIST, json!({ "templateName": "env" })).await), "ResourceNotFoundException");
    }

    a_version_that_is_not_there_is_not_found_by_its_arn, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateServiceTemplate", json!({ "name": "svc" })).await;
        let input = json!({ "templateName": "svc", "majorVersion": "4", "minorVersion": "28" });
        for operation in ["GetServiceTemplateVersion", "UpdateServiceTemplateVersion"] {
            let refused = app.call(operation, input.clone()).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException");
            let arn = format!("{}:service-template/svc:4.28", app.arn_prefix());
            assert_eq!(refused.message, format!("The requested service template version does not exist: {arn}"));
        }
        let input = json!({ "templateName": "svc", "majorVersion": "99999999999999999999", "minorVersion": "0" });
        let refused = app.call("GetServiceTemplateVersion", input).await.unwrap_err();
        assert!(refused.message.ends_with("svc:99999999999999999999.0"), "{}", refused.message);
    }

    the_same_token_and_parameters_answer_the_same_version, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        let mut input = new(None);
        input["clientToken"] = "token".into();
        let first = app.ok(CREATE, input.clone()).await;
        app.work().await;
        let again = app.ok(CREATE, input.clone()).await;
        assert_eq!(number(&again["environmentTemplateVersion"]), number(&first["environmentTemplateVersion"]));
        assert_eq!(again["environmentTemplateVersion"]["status"], "DRAFT", "the current details");
        input["description"] = "other".into();
        let refused = app.call(CREATE, input).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert_eq!(refused.message, "Idempotent parameter mismatch");
        assert_eq!(listed(&app, json!({ "templateName": "env" })).await, ["1.0"]);
    }

    a_token_is_forgotten_after_eight_hours, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        let mut input = new(None);
        input["clientToken"] = "token".into();
        app.ok(CREATE, input.clone()).await;
        app.pass(8 * 60 * 60 * 1000 - 60_000);
        assert_eq!(number(&app.ok(CREATE, input.clone()).await["environmentTemplateVersion"]), "1.0");
        app.pass(60_000);
        assert_eq!(number(&app.ok(CREATE, input.clone()).await["environmentTemplateVersion"]), "2.0");
        assert_eq!(number(&app.ok(CREATE, input).await["environmentTemplateVersion"]), "2.0");
    }

    a_token_is_forgotten_with_what_it_made, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        let mut input = new(None);
        input["clientToken"] = "token".into();
        app.ok(CREATE, input.clone()).await;
        app.ok(DELETE, at("1.0")).await;
        assert_eq!(number(&app.ok(CREATE, input).await["environmentTemplateVersion"]), "2.0");
    }

    an_empty_token_is_none_and_tokens_belong_to_one_operation, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        let mut input = new(Some("1"));
        input["clientToken"] = "".into();
        app.ok(CREATE, input.clone()).await;
        app.ok(CREATE, input.clone()).await;
        assert_eq!(listed(&app, json!({ "templateName": "env", "majorVersion": "1" })).await, ["1.1", "1.0"]);
        input["clientToken"] = "token".into();
        app.ok(CREATE, input).await;
        app.ok("CreateServiceTemplate", json!({ "name": "svc" })).await;
        let compatible = json!([{ "templateName": "env", "majorVersion": "1" }]);
        let service = json!({ "templateName": "svc", "source": source(), "clientToken": "token",
            "compatibleEnvironmentTemplates": compatible });
        app.ok("CreateServiceTemplateVersion", service).await;
    }

    racing_creates_with_one_token_make_one_version, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        let mut input = new(None);
        input["clientToken"] = "token".into();
        let answers = futures::future::join_all((0..6).map(|_| app.ok(CREATE, input.clone()))).await;
        assert!(answers.iter().all(|answer| number(&answer["environmentTemplateVersion"]) == "1.0"));
        assert_eq!(listed(&app, json!({ "templateName": "env" })).await, ["1.0"]);
    }

    racing_creates_get_different_numbers, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        let answers = futures::future::join_all((0..6).map(|_| create(&app, Some("1")))).await;
        let mut numbers: Vec<String> = answers.iter().map(number).collect();
        numbers.sort();
        assert_eq!(numbers, ["1.0", "1.1", "1.2", "1.3", "1.4", "1.5"]);
    }

    publishing_recommends_the_highest_published_version, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        registered(&app, &[None, Some("1"), None], &[]).await;
        assert_eq!(recommended(&app).await, None);
        assert_eq!(get(&app, "1.0").await.get("recommendedMinorVersion"), None);
        let published = app.ok(UPDATE, publish("1.1")).await["environmentTemplateVersion"].clone();
        assert_eq!(published["status"], "PUBLISHED");
        assert_eq!(published["statusMessage"], "");
        assert_eq!(published["recommendedMinorVersion"], "1");
        assert_eq!(published["schema"], bundle::ENVIRONMENT_SCHEMA);
        assert_eq!(recommended(&app).await.as_deref(), Some("1.1"));
        app.ok(UPDATE, publish("1.0")).await;
        assert_eq!(recommended(&app).await.as_deref(), Some("1.1"), "a lower one changes nothing");
        assert_eq!(get(&app, "1.0").await["recommendedMinorVersion"], "1");
        assert_eq!(get(&app, "2.0").await.get("recommendedMinorVersion"), None);
        app.ok(UPDATE, publish("2.0")).await;
        assert_eq!(recommended(&app).await.as_deref(), Some("2.0"));
        let listed = app.ok("ListEnvironmentTemplates", json!({})).await;
        assert_eq!(listed["templates"][0]["recommendedVersion"], "2.0");
    }

    publishing_twice_is_no_change, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        registered(&app, &[None], &["1.0"]).await;
        let before = get(&app, "1.0").await;
        app.pass(1000);
        assert_eq!(app.ok(UPDATE, publish("1.0")).await["environmentTemplateVersion"], before);
    }

    only_registered_versions_are_published, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        create(&app, None).await;
        let refused = app.call(UPDATE, publish("1.0")).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("still being registered"), "{}", refused.message);
        app.upload("bundles", "env.tar.gz", b"no bundle".to_vec()).await;
        app.work().await;
        let refused = app.call(UPDATE, publish("1.0")).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("failed to register"), "{}", refused.message);
    }

    no_other_status_can_be_asked_for, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        registered(&app, &[None], &["1.0"]).await;
        for status in ["DRAFT", "REGISTRATION_IN_PROGRESS", "REGISTRATION_FAILED", "DELETED"] {
            let mut input = at("1.0");
            input["status"] = status.into();
            let refused = app.call(UPDATE, input).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException");
            assert!(refused.message.contains(status) && refused.message.contains("PUBLISHED"), "{}", refused.message);
        }
        assert_eq!(get(&app, "1.0").await["status"], "PUBLISHED");
    }

    a_description_can_be_changed_in_any_state, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        create(&app, None).await;
        app.pass(1000);
        let mut input = at("1.0");
        input["description"] = "new".into();
        let updated = app.ok(UPDATE, input).await["environmentTemplateVersion"].clone();
        assert_eq!((&updated["description"], &updated["status"]), (&"new".into(), &"REGISTRATION_IN_PROGRESS".into()));
        assert_ne!(updated["createdAt"], updated["lastModifiedAt"]);
        app.work().await;
        let draft = get(&app, "1.0").await;
        assert_eq!((&draft["description"], &draft["status"]), (&"new".into(), &"DRAFT".into()));
    }

    a_service_template_version_names_environment_templates_that_exist, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        create(&app, None).await;
        app.ok("CreateServiceTemplate", json!({ "name": "svc" })).await;
        let input = |template: &str, major: &str| json!({
            "templateName": "svc", "source": source(), "supportedComponentSources": ["DIRECTLY_DEFINED"],
            "compatibleEnvironmentTemplates": [{ "templateName": template, "majorVersion": major }],
        });
        let arn = app.arn_prefix();
        for (template, major, says) in [
            ("none", "1", format!("environment template does not exist: {arn}:environment-template/none")),
            ("env", "2", format!("environment template major version does not exist: {arn}:environment-template/env:2")),
        ] {
            let refused = app.call("CreateServiceTemplateVersion", input(template, major)).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException");
            assert!(refused.message.ends_with(&says), "{}", refused.message);
        }
        let created = app.ok("CreateServiceTemplateVersion", input("env", "1")).await["serviceTemplateVersion"].clone();
        let compatible = json!([{ "templateName": "env", "majorVersion": "1" }]);
        assert_eq!(created["compatibleEnvironmentTemplates"], compatible);
        assert_eq!(created["supportedComponentSources"], json!(["DIRECTLY_DEFINED"]));
        assert_eq!(number(&created), "1.0", "a refused create takes no number");
        create(&app, None).await;
        let mut update = json!({ "templateName": "svc", "majorVersion": "1", "minorVersion": "0",
            "compatibleEnvironmentTemplates": [{ "templateName": "env", "majorVersion": "2" }],
            "supportedComponentSources": [] });
        let updated = app.ok("UpdateServiceTemplateVersion", update.clone()).await["serviceTemplateVersion"].clone();
        assert_eq!(updated["compatibleEnvironmentTemplates"][0]["majorVersion"], "2");
        assert_eq!(updated.get("supportedComponentSources"), None);
        update["compatibleEnvironmentTemplates"][0]["majorVersion"] = "3".into();
        assert_eq!(code(app.call("UpdateServiceTemplateVersion", update).await), "ResourceNotFoundException");
    }

    without_a_major_a_list_has_one_version_of_each, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        registered(&app, &[None, Some("1"), Some("1"), None, Some("2"), None], &["1.1", "2.0"]).await;
        let all = json!({ "templateName": "env" });
        assert_eq!(listed(&app, all.clone()).await, ["3.0", "2.0", "1.1"], "the recommended minor, else the highest");
        let minors = json!({ "templateName": "env", "majorVersion": "1" });
        assert_eq!(listed(&app, minors.clone()).await, ["1.2", "1.1", "1.0"]);
        assert_eq!(listed(&app, json!({ "templateName": "env", "majorVersion": "9" })).await, [""; 0]);
        let answer = app.ok(LIST, minors).await;
        assert!(answer["templateVersions"].as_array().unwrap().iter().all(|one| one["recommendedMinorVersion"] == "1"));
    }

    lists_of_versions_go_on_where_they_ended, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        for major in [None, None, Some("1"), Some("1"), None].into_iter().chain([Some("1"); 9]) {
            create(&app, major).await;
        }
        let page = app.ok(LIST, json!({ "templateName": "env", "maxResults": 2 })).await;
        let token = &page["nextToken"];
        assert_eq!(listed(&app, json!({ "templateName": "env", "nextToken": token })).await, ["1.11"]);
        let with_major = json!({ "templateName": "env", "majorVersion": "1", "nextToken": token });
        assert_eq!(code(app.call(LIST, with_major).await), "ValidationException", "tokens are bound to the filters");
        let mut seen = Vec::new();
        let mut token = Value::Null;
        loop {
            let input = json!({ "templateName": "env", "majorVersion": "1", "maxResults": 5, "nextToken": token });
            let page = app.ok(LIST, input).await;
            seen.extend(page["templateVersions"].as_array().unwrap().iter().map(number));
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        let numbers: Vec<String> = (0..12).rev().map(|minor| format!("1.{minor}")).collect();
        assert_eq!(seen, numbers, "by number, not by text");
    }

    a_delete_of_what_is_not_there_answers_nothing, async |db| {
        let app = TestApp::on(db).await;
        assert_eq!(app.ok(DELETE, at("1.0")).await, json!({}), "not even the template is there");
        with_template(&app).await;
        assert_eq!(app.ok(DELETE, at("1.0")).await, json!({}));
        let created = create(&app, None).await;
        assert_eq!(app.ok(DELETE, at("1.0")).await["environmentTemplateVersion"], created);
        assert_eq!(app.ok(DELETE, at("1.0")).await, json!({}));
        assert_eq!(code(app.call(GET, at("1.0")).await), "ResourceNotFoundException");
    }

    deleted_numbers_are_not_given_again, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        create(&app, None).await;
        create(&app, Some("1")).await;
        app.ok(DELETE, at("1.1")).await;
        assert_eq!(number(&create(&app, Some("1")).await), "1.2");
        create(&app, None).await;
        app.ok(DELETE, at("2.0")).await;
        assert_eq!(listed(&app, json!({ "templateName": "env" })).await, ["1.2"], "the major is gone with its last minor");
        assert_eq!(number(&create(&app, None).await), "3.0");
    }

    the_recommended_version_is_deleted_only_as_the_last_one, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        registered(&app, &[None, Some("1"), None], &["1.0", "2.0"]).await;
        for (version, says) in [("2.0", "recommended version of its template"), ("1.0", "recommended minor version")] {
            let refused = app.call(DELETE, at(version)).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            assert!(refused.message.contains(says), "{}", refused.message);
        }
        app.ok(DELETE, at("1.1")).await;
        app.ok(DELETE, at("1.0")).await;
        assert_eq!(recommended(&app).await.as_deref(), Some("2.0"));
        app.ok(DELETE, at("2.0")).await;
        assert_eq!(recommended(&app).await, None, "nothing that is gone is recommended");
        app.ok("DeleteEnvironmentTemplate", json!({ "name": "env" })).await;
    }

    a_version_in_use_is_not_deleted, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        registered(&app, &[None, Some("1")], &[]).await;
        environment_on(&app, Version::new(1, 0)).await;
        let refused = app.call(DELETE, at("1.0")).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("in use by the environment 'prod'"), "{}", refused.message);
        app.ok(DELETE, at("1.1")).await;
    }

    a_version_that_a_part_of_a_service_runs_on_is_not_deleted, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.published("svc", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        let is_used_by = async |user: &str| {
            let refused = shop.app.call("DeleteServiceTemplateVersion", version_of("svc", "1.0")).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            let says = format!("version 1.0 of 'svc' is in use by the {user}; move it to another version or delete it first");
            assert_eq!(refused.message, says);
        };
        is_used_by("service instance 'a' of the service 'web'").await;
        let newer = json!({ "serviceName": "web", "name": "a", "deploymentType": "MINOR_VERSION" });
        shop.app.ok("UpdateServiceInstance", newer).await;
        shop.finish().await;
        is_used_by("pipeline of the service 'web'").await;
        let newer = json!({ "serviceName": "web", "deploymentType": "MINOR_VERSION", "spec": spec(&[("a", 1)]) });
        shop.app.ok("UpdateServicePipeline", newer).await;
        shop.finish().await;
        shop.app.ok("DeleteServiceTemplateVersion", version_of("svc", "1.0")).await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED");
    }

    a_version_has_the_tags_of_its_template_and_its_own_which_win, async |db| {
        let app = TestApp::on(db).await;
        let tags = json!([{ "key": "team", "value": "a" }, { "key": "cost", "value": "1" }]);
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env", "tags": tags })).await;
        let mut input = new(None);
        input["tags"] = json!([{ "key": "team", "value": "b" }]);
        let arn = app.ok(CREATE, input).await["environmentTemplateVersion"]["arn"].clone();
        let tags = app.ok("ListTagsForResource", json!({ "resourceArn": arn })).await;
        let user: Vec<&Value> = tags["tags"].as_array().unwrap().iter()
            .filter(|tag| !tag["key"].as_str().unwrap().starts_with("aws:")).collect();
        assert_eq!(user, [&json!({ "key": "cost", "value": "1" }), &json!({ "key": "team", "value": "b" })]);
    }

    versions_have_a_quota_of_their_template, async |db| {
        let app = TestApp::with(db, |config| config.quotas.versions_per_template = 2).await;
        with_template(&app).await;
        create(&app, None).await;
        create(&app, Some("1")).await;
        let refused = app.call(CREATE, new(None)).await.unwrap_err();
        assert_eq!(refused.code, "ServiceQuotaExceededException");
        assert!(refused.message.contains("quota of 2 versions per template"), "{}", refused.message);
        app.ok(DELETE, at("1.0")).await;
        create(&app, None).await;
    }

    status_changes_are_events, async |db| {
        let app = TestApp::on(db).await;
        with_template(&app).await;
        create(&app, None).await;
        let (version, template) = (app.only_id("template_version").await, app.only_id("template").await);
        app.work().await;
        app.ok(UPDATE, publish("1.0")).await;
        app.ok(DELETE, at("1.0")).await;
        let mut reader = app.store().reader().await.unwrap();
        let mut of = Vec::new();
        for id in [version, template] {
            let events = event_list(&mut reader, &id).await.unwrap();
            let details = events.iter().map(|event| serde_json::from_str::<Value>(&event.detail).unwrap());
            of.push(details.map(|detail| detail["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>());
            assert!(events.iter().all(|event| event.detail.contains(r#""name":"env""#)));
        }
        assert_eq!(of[0], ["REGISTRATION_IN_PROGRESS", "DRAFT", "PUBLISHED", "DELETED"]);
        assert_eq!(of[1], ["DRAFT", "PUBLISHED", "DRAFT"]);
    }
}
