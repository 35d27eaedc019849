use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp};
use crate::support::bundle::{self, CODEBUILD_MANIFEST, ENVIRONMENT_SCHEMA, TERRAFORM_MANIFEST, TOPIC};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;
use protium::config::BundleStore;
use protium::jobs;
use protium::store::{Call, DbError, DbErrorKind, content_get, event_list, template_version_by_id};
use protium_domain::id::Id;
use protium_domain::job::Job;
use protium_domain::template::TemplateVersion;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Makes the environment template `env` and its next version in major 1, from a bundle in the embedded store.
async fn version_of(app: &TestApp, bundle: Vec<u8>) {
    app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    app.upload("bundles", "env.tar.gz", bundle).await;
    create(app, "bundles", "env.tar.gz").await;
}

async fn create(app: &TestApp, bucket: &str, key: &str) -> Value {
    let source = json!({ "s3": { "bucket": bucket, "key": key } });
    let input = json!({ "templateName": "env", "majorVersion": "1", "source": source });
    app.ok("CreateEnvironmentTemplateVersion", input).await
}

async fn get(app: &TestApp, minor: u32) -> Value {
    let input = json!({ "templateName": "env", "majorVersion": "1", "minorVersion": minor.to_string() });
    app.ok("GetEnvironmentTemplateVersion", input).await["environmentTemplateVersion"].clone()
}

async fn status(app: &TestApp, minor: u32) -> String {
    get(app, minor).await["status"].as_str().unwrap().to_owned()
}

/// Why version 1.0 failed to register; panics if it did not.
async fn failure(app: &TestApp, minor: u32) -> String {
    let version = get(app, minor).await;
    assert_eq!(version["status"], "REGISTRATION_FAILED", "{version}");
    version["statusMessage"].as_str().unwrap().to_owned()
}

async fn row(app: &TestApp, id: &str) -> Option<TemplateVersion> {
    let mut reader = app.store().reader().await.unwrap();
    let found = template_version_by_id(&mut reader, &Id::parse(id).unwrap()).await.unwrap();
    found.map(|(_, version)| version)
}

/// A schema for environments whose type has these lines below `properties`.
fn schema(properties: &str) -> String {
    let at = ENVIRONMENT_SCHEMA.find("        size:").unwrap();
    format!("{}{properties}", &ENVIRONMENT_SCHEMA[..at])
}

fn with_schema(schema: &str) -> Vec<u8> {
    let mut files = bundle::environment();
    files[0].1 = schema;
    bundle::pack(&files)
}

/// An archive with one entry of any name and type.
fn entry(name: &str, kind: tar::EntryType, link: &str) -> Vec<u8> {
    bundle::pack_with(&bundle::environment(), |archive| {
        let mut header = bundle::header(0);
        header.set_entry_type(kind);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        archive.append(&header, &[][..]).unwrap();
    })
}

/// Answers every request for S3 with one status, on a port of its own.
async fn stubborn_s3(status: StatusCode) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(move || async move { status }));
    tokio::spawn(axum::serve(listener, router).into_future());
    format!("http://{address}")
}

fn s3(bucket: &str, endpoint: &str) -> BundleStore {
    BundleStore {
        url: format!("s3://{bucket}"),
        accounts: vec![ACCOUNT.into()],
        region: None,
        endpoint: Some(endpoint.into()),
    }
}

on_both! {
    a_good_bundle_becomes_a_draft_and_what_rendering_needs_is_kept, async |db| {
        let app = TestApp::on(db).await;
        version_of(&app, bundle::pack(&bundle::environment())).await;
        app.work().await;
        let version = get(&app, 0).await;
        assert_eq!((&version["status"], &version["statusMessage"]), (&"DRAFT".into(), &"".into()));
        assert_eq!(version["schema"], ENVIRONMENT_SCHEMA);
        let row = row(&app, &app.only_id("template_version").await).await.unwrap();
        let registered = row.bundle.unwrap();
        let part = registered.infrastructure.unwrap();
        assert_eq!((part.engine.as_str(), registered.pipeline), ("cloudformation", None));
        assert_eq!(part.files.keys().collect::<Vec<_>>(), ["cloudformation.yaml", "manifest.yaml"]);
        let mut reader = app.store().reader().await.unwrap();
        let text = content_get(&mut reader, &part.files["cloudformation.yaml"]).await.unwrap();
        assert_eq!(text, TOPIC.as_bytes());
        assert_eq!(content_get(&mut reader, &part.manifest).await.unwrap(), bundle::CLOUDFORMATION_MANIFEST.as_bytes());
    }

    service_bundles_register_with_and_without_a_pipeline, async |db| {
        let app = TestApp::on(db).await;
        version_of(&app, bundle::pack(&bundle::environment())).await;
        app.ok("CreateServiceTemplate", json!({ "name": "with" })).await;
        app.ok("CreateServiceTemplate", json!({ "name": "without", "pipelineProvisioning": "CUSTOMER_MANAGED" })).await;
        let files = bundle::service();
        app.upload("bundles", "with", bundle::pack(&files)).await;
        app.upload("bundles", "without", bundle::pack(&files[..3])).await;
        for (template, key, status) in [
            ("with", "with", "DRAFT"),
            ("with", "without", "REGISTRATION_FAILED"),
            ("without", "without", "DRAFT"),
            ("without", "with", "DRAFT"),
        ] {
            let input = json!({ "templateName": template, "source": { "s3": { "bucket": "bundles", "key": key } },
                "compatibleEnvironmentTemplates": [{ "templateName": "env", "majorVersion": "1" }] });
            let created = app.ok("CreateServiceTemplateVersion", input).await["serviceTemplateVersion"].clone();
            app.work().await;
            let (major, minor) = (&created["majorVersion"], &created["minorVersion"]);
            let input = json!({ "templateName": template, "majorVersion": major, "minorVersion": minor });
            let version = app.ok("GetServiceTemplateVersion", input).await["serviceTemplateVersion"].clone();
            assert_eq!(version["status"], status, "{template} {key}: {version}");
            if status == "REGISTRATION_FAILED" {
                assert!(version["statusMessage"].as_str().unwrap().contains("pipeline_infrastructure"), "{version}");
            }
        }
    }

    a_draft_says_what_has_no_effect_in_its_bundle_also_when_it_is_published, async |db| {
        let app = TestApp::on(db).await;
        let typo = ENVIRONMENT_SCHEMA.replace("environment_input_type", "environment_inputs_type");
        version_of(&app, with_schema(&typo)).await;
        app.work().await;
        let expected = "Registered with warnings:\nschema/schema.yaml:4: `environment_inputs_type` has no meaning here — \
                        did you mean `environment_input_type`?";
        let version = get(&app, 0).await;
        assert_eq!((&version["status"], &version["statusMessage"]), (&"DRAFT".into(), &expected.into()));
        let publish = json!({ "templateName": "env", "majorVersion": "1", "minorVersion": "0", "status": "PUBLISHED" });
        app.ok("UpdateEnvironmentTemplateVersion", publish).await;
        let version = get(&app, 0).await;
        assert_eq!((&version["status"], &version["statusMessage"]), (&"PUBLISHED".into(), &expected.into()));
    }

    bundles_of_every_engine_register, async |db| {
        let app = TestApp::on(db).await;
        let terraform = [
            ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", TERRAFORM_MANIFEST),
            ("infrastructure/main.tf", "output \"x\" { value = 1 }\n"),
        ];
        let codebuild = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", CODEBUILD_MANIFEST)];
        version_of(&app, bundle::pack(&terraform)).await;
        app.upload("bundles", "codebuild", bundle::pack(&codebuild)).await;
        create(&app, "bundles", "codebuild").await;
        app.work().await;
        assert_eq!((status(&app, 0).await, status(&app, 1).await), ("DRAFT".into(), "DRAFT".into()));
    }

    a_template_without_inputs_registers, async |db| {
        let app = TestApp::on(db).await;
        version_of(&app, with_schema("schema:\n  format:\n    openapi: \"3.0.0\"\n")).await;
        app.work().await;
        assert_eq!(get(&app, 0).await["statusMessage"], "");
        assert_eq!(status(&app, 0).await, "DRAFT");
    }

    customer_managed_environment_templates_take_the_schema_only, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env", "provisioning": "CUSTOMER_MANAGED" })).await;
        app.upload("bundles", "schema", bundle::pack(&bundle::environment()[..1])).await;
        app.upload("bundles", "all", bundle::pack(&bundle::environment())).await;
        create(&app, "bundles", "schema").await;
        create(&app, "bundles", "all").await;
        app.work().await;
        assert_eq!(status(&app, 0).await, "DRAFT");
        let why = failure(&app, 1).await;
        assert!(why.starts_with("infrastructure/: the template is customer managed"), "{why}");
    }

    what_is_wrong_is_named_by_file_line_and_remedy, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        let bundles: [(Vec<(&str, &str)>, &str); 4] = [
            (vec![("schema/schema.yml", ENVIRONMENT_SCHEMA)], "schema/schema.yaml: the file is missing — rename"),
            (vec![("schema/schema.yaml", "schema: [")], "schema/schema.yaml:1:10: not valid YAML"),
            (bundle::environment()[..2].to_vec(), "infrastructure/manifest.yaml:3: `file: cloudformation.yaml` names a file"),
            (bundle::environment()[..1].to_vec(), "infrastructure/: the folder is missing — add the folder"),
        ];
        for (minor, (files, says)) in (0..).zip(bundles) {
            app.upload("bundles", "key", bundle::pack(&files)).await;
            create(&app, "bundles", "key").await;
            app.work().await;
            let why = failure(&app, minor).await;
            assert!(why.contains(says), "{why}");
            assert_eq!(get(&app, minor).await.get("schema"), None);
        }
    }

    hostile_archives_are_refused, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        let good = bundle::pack(&bundle::environment());
        let bomb = bundle::gzip(&vec![0; 60 << 20]);
        let zeros = "0".repeat(6 << 20);
        let names: Vec<String> = (0..1001).map(|n| format!("infrastructure/{n}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
        let aliases = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
            d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
            g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";
        let hostile: Vec<(&str, Vec<u8>)> = vec![
            ("`..`", entry("../../etc/passwd", tar::EntryType::Regular, "")),
            ("absolute", entry("/etc/passwd", tar::EntryType::Regular, "")),
            ("a symbolic link", entry("infrastructure/x", tar::EntryType::Symlink, "/etc/passwd")),
            ("a hard link", entry("infrastructure/x", tar::EntryType::Link, "/etc/passwd")),
            ("a device", entry("infrastructure/x", tar::EntryType::Char, "")),
            ("a named pipe", entry("infrastructure/x", tar::EntryType::Fifo, "")),
            ("path twice", entry("schema/schema.yaml", tar::EntryType::Regular, "")),
            ("bundle: ", bomb),
            ("the limit for one file is 5 MB", bundle::pack(&[("infrastructure/x", &zeros)])),
            ("more than 1000 files", bundle::pack(&many)),
            ("zip file", b"PK\x03\x04".to_vec()),
            ("cannot be read", good[..good.len() / 2].to_vec()),
            ("cannot be read", b"neither tar nor gzip".to_vec()),
            ("empty", Vec::new()),
            ("schema/schema.yaml:", with_schema(aliases)),
            ("larger than 5242880 bytes", vec![0; (5 << 20) + 1]),
        ];
        for (minor, (says, archive)) in (0..).zip(hostile) {
            app.upload("bundles", "key", archive).await;
            create(&app, "bundles", "key").await;
            app.work().await;
            let why = failure(&app, minor).await;
            assert!(why.contains(says), "{says}: {why}");
            assert!(why.chars().count() <= 5000);
        }
    }

    a_bundle_that_is_not_there_is_named_with_the_remedy, async |db| {
        let app = TestApp::on(db).await;
        version_of(&app, bundle::pack(&bundle::environment())).await;
        create(&app, "bundles", "missing.tar.gz").await;
        create(&app, "no-such-bucket", "env.tar.gz").await;
        app.work().await;
        let why = failure(&app, 1).await;
        assert!(why.starts_with("the bucket 'bundles' has no object 'missing.tar.gz'; upload"), "{why}");
        let why = failure(&app, 2).await;
        assert!(why.contains("no bucket 'no-such-bucket'") && why.contains("aws s3 mb s3://no-such-bucket"), "{why}");
    }

    a_bucket_of_another_account_is_not_looked_into, async |db| {
        let app = TestApp::on(db).await;
        app.upload("bundles", "env.tar.gz", bundle::pack(&bundle::environment())).await;
        let other = app.in_account("111111111111");
        other.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        create(&other, "bundles", "env.tar.gz").await;
        app.work().await;
        assert!(failure(&other, 0).await.contains("account 111111111111 has no bucket 'bundles'"));
    }

    a_folder_serves_the_accounts_that_may_use_it, async |db| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("shared")).unwrap();
        std::fs::write(folder.path().join("shared/env.tar.gz"), bundle::pack(&bundle::environment())).unwrap();
        let url = format!("file://{}", folder.path().display());
        let app = TestApp::with(db, |config| {
            let store = BundleStore { url, accounts: vec![ACCOUNT.into()], region: None, endpoint: None };
            config.bundle_stores = vec![store];
        }).await;
        let other = app.in_account("111111111111");
        for app in [&app, &other] {
            app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
            create(app, "shared", "env.tar.gz").await;
        }
        create(&app, "shared", "missing").await;
        create(&app, "shared", "../shared/env.tar.gz").await;
        app.work().await;
        assert_eq!(status(&app, 0).await, "DRAFT");
        assert!(failure(&app, 1).await.contains("the bucket 'shared' has no object 'missing'"));
        assert!(failure(&app, 2).await.contains("has no object '../shared/env.tar.gz'"));
        assert!(failure(&other, 0).await.contains("no bucket 'shared'"));
    }

    the_accounts_own_bucket_hides_a_configured_one, async |db| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bundles")).unwrap();
        std::fs::write(folder.path().join("bundles/env.tar.gz"), "no bundle").unwrap();
        let url = format!("file://{}", folder.path().display());
        let app = TestApp::with(db, |config| {
            let store = BundleStore { url, accounts: vec![ACCOUNT.into()], region: None, endpoint: None };
            config.bundle_stores = vec![store];
        }).await;
        version_of(&app, bundle::pack(&bundle::environment())).await;
        app.work().await;
        assert_eq!(status(&app, 0).await, "DRAFT");
    }

    a_compatible_of_s3_serves_bundles, async |db| {
        let elsewhere = crate::support::database::TestDb::sqlite().await;
        let s3_server = TestApp::on(&elsewhere).await;
        s3_server.upload("team", "b/env.tar.gz", bundle::pack(&bundle::environment())).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, s3_server.router()).into_future());
        let app = TestApp::with(db, |config| {
            config.bundle_stores = vec![
                BundleStore { url: "s3://team/b".into(), ..s3("", &endpoint) },
                s3("unused", &endpoint),
            ];
        }).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        create(&app, "team", "b/env.tar.gz").await;
        create(&app, "team", "b/missing").await;
        create(&app, "team", "env.tar.gz").await;
        app.work().await;
        assert_eq!(status(&app, 0).await, "DRAFT");
        assert!(failure(&app, 1).await.contains("the bucket 'team' has no object 'b/missing'"));
        assert!(failure(&app, 2).await.contains("no configured bundle store has one"), "other keys are not offered");
    }

    an_object_that_must_not_be_read_is_named_with_the_permission, async |db| {
        let endpoint = stubborn_s3(StatusCode::FORBIDDEN).await;
        let app = TestApp::with(db, |config| config.bundle_stores = vec![s3("team", &endpoint)]).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        create(&app, "team", "env.tar.gz").await;
        app.work().await;
        let why = failure(&app, 0).await;
        assert!(why.contains("may not read s3://team/env.tar.gz") && why.contains("s3:GetObject"), "{why}");
    }

    a_store_that_does_not_answer_is_asked_ten_times, async |db| {
        // Nobody listens there any more.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let app = TestApp::with(db, |config| config.bundle_stores = vec![s3("team", &endpoint)]).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        create(&app, "team", "env.tar.gz").await;
        for _ in 1..10 {
            app.work_later().await;
            assert_eq!(status(&app, 0).await, "REGISTRATION_IN_PROGRESS");
        }
        app.work_later().await;
        let why = failure(&app, 0).await;
        assert!(why.starts_with("the bundle s3://team/env.tar.gz could not be read: "), "{why}");
        assert!(why.contains("tried 10 times"), "{why}");
        assert!(app.claim().await.is_none());
    }

    a_store_that_answers_again_is_enough, async |db| {
        let (attempts, counted) = (Arc::new(AtomicUsize::new(0)), bundle::pack(&bundle::environment()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(any(move || {
            let (now, body) = (attempts.fetch_add(1, Ordering::SeqCst), counted.clone());
            async move { if now < 3 { Err(StatusCode::NOT_IMPLEMENTED) } else { Ok(([("etag", "\"x\""),
                ("last-modified", "Wed, 01 Jan 2025 00:00:00 GMT")], body)) } }
        }));
        tokio::spawn(axum::serve(listener, router).into_future());
        let app = TestApp::with(db, |config| config.bundle_stores = vec![s3("team", &endpoint)]).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        create(&app, "team", "env.tar.gz").await;
        for _ in 0..4 {
            app.work_later().await;
        }
        assert_eq!(get(&app, 0).await["statusMessage"], "");
        assert_eq!(status(&app, 0).await, "DRAFT");
    }

    a_minor_version_must_take_what_the_ones_before_it_took, async |db| {
        let app = TestApp::on(db).await;
        let (string, number) = ("        size:\n          type: string\n", "        size:\n          type: integer\n");
        version_of(&app, with_schema(&schema(string))).await;
        app.upload("bundles", "number", with_schema(&schema(number))).await;
        app.upload("bundles", "more", with_schema(&schema(&format!("{string}        color:\n          type: string\n")))).await;
        create(&app, "bundles", "number").await;
        create(&app, "bundles", "more").await;
        create(&app, "bundles", "env.tar.gz").await;
        let source = json!({ "s3": { "bucket": "bundles", "key": "number" } });
        app.ok("CreateEnvironmentTemplateVersion", json!({ "templateName": "env", "source": source })).await;
        app.work().await;
        assert_eq!(status(&app, 0).await, "DRAFT");
        let why = failure(&app, 1).await;
        let changed = "schema/schema.yaml:10: input `size` of `environment_input_type` changed its type from string to integer";
        assert!(why.starts_with(changed), "{why}");
        assert!(why.contains("not backward compatible with version 1.0 — ") && why.contains("new major version"), "{why}");
        assert_eq!(status(&app, 2).await, "DRAFT", "what failed is not compared with");
        let why = failure(&app, 3).await;
        assert!(why.contains("version 1.2") && why.contains("color"), "{why}");
        let next = json!({ "templateName": "env", "majorVersion": "2", "minorVersion": "0" });
        let next = app.ok("GetEnvironmentTemplateVersion", next).await;
        assert_eq!(next["environmentTemplateVersion"]["status"], "DRAFT", "a new major may break");
    }

    registrations_of_a_major_run_in_the_order_of_numbers, async |db| {
        let app = TestApp::on(db).await;
        version_of(&app, bundle::pack(&bundle::environment())).await;
        let first = app.claim().await.unwrap();
        create(&app, "bundles", "env.tar.gz").await;
        app.work().await;
        assert_eq!(status(&app, 1).await, "REGISTRATION_IN_PROGRESS", "1.0 is still at work");
        app.store().job_give_back(&first).await.unwrap();
        app.work().await;
        assert_eq!(status(&app, 0).await, "DRAFT");
        assert_eq!(status(&app, 1).await, "DRAFT", "woken at once, no time passed");
    }

    deleting_a_version_that_others_wait_for_wakes_them, async |db| {
        let app = TestApp::on(db).await;
        version_of(&app, bundle::pack(&bundle::environment())).await;
        let stale = app.claim().await.unwrap();
        create(&app, "bundles", "env.tar.gz").await;
        app.work().await;
        let input = json!({ "templateName": "env", "majorVersion": "1", "minorVersion": "0" });
        app.ok("DeleteEnvironmentTemplateVersion", input).await;
        app.work().await;
        assert_eq!(status(&app, 1).await, "DRAFT");
        let lost = jobs::run(&app.app, &stale).await.unwrap_err();
        assert!(format!("{:?}", lost.source).contains("another worker"), "{lost:?}");
    }

    a_stale_job_leaves_a_namesake_alone, async |db| {
        let app = TestApp::on(db).await;
        version_of(&app, bundle::pack(&bundle::environment())).await;
        let stale = app.claim().await.unwrap();
        let input = json!({ "templateName": "env", "majorVersion": "1", "minorVersion": "0" });
        app.ok("DeleteEnvironmentTemplateVersion", input).await;
        app.ok("DeleteEnvironmentTemplate", json!({ "name": "env" })).await;
        version_of(&app, b"another bundle".to_vec()).await;
        let before = row(&app, &app.only_id("template_version").await).await;
        jobs::run(&app.app, &stale).await.unwrap_err();
        assert_eq!(row(&app, &app.only_id("template_version").await).await, before);
        app.work().await;
        failure(&app, 0).await;
    }

    a_registration_that_runs_twice_has_the_same_result, async |db| {
        let app = TestApp::on(db).await;
        for bundle in [bundle::pack(&bundle::environment()), b"no bundle".to_vec()] {
            version_of(&app, bundle).await;
            let id = app.only_id("template_version").await;
            app.work().await;
            let before = row(&app, &id).await.unwrap();
            app.enqueue(&Job::RegisterVersion { version: Id::parse(&id).unwrap() }).await;
            app.work().await;
            assert_eq!(row(&app, &id).await.unwrap(), before);
            assert!(app.claim().await.is_none(), "the job is done");
            let mut reader = app.store().reader().await.unwrap();
            assert_eq!(event_list(&mut reader, &id).await.unwrap().len(), 2);
            let input = json!({ "templateName": "env", "majorVersion": "1", "minorVersion": "0" });
            app.ok("DeleteEnvironmentTemplateVersion", input).await;
            app.ok("DeleteEnvironmentTemplate", json!({ "name": "env" })).await;
        }
    }

    a_registration_that_fails_at_any_step_completes_later, async |db| {
        let app = TestApp::on(db).await;
        assert!(complete_in_spite_of(&app, false).await > 10);
    }

    a_registration_whose_worker_dies_at_any_step_completes_later, async |db| {
        let app = TestApp::on(db).await;
        assert!(complete_in_spite_of(&app, true).await > 10);
    }
}

/// Registers versions, each with a failure of the database one call later than the one before, until a
/// registration does not meet its failure. With `dies`, all calls after it fail too. Returns how many there were.
async fn complete_in_spite_of(app: &TestApp, dies: bool) -> usize {
    app.upload("bundles", "env.tar.gz", bundle::pack(&bundle::environment())).await;
    for step in 0.. {
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        create(app, "bundles", "env.tar.gz").await;
        let id = app.only_id("template_version").await;
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        app.store().db().set_probe(Some(Arc::new(move |_: Call<'_>| {
            let call = counted.fetch_add(1, Ordering::SeqCst);
            if call == step || (dies && call > step) {
                return Err(DbError::new(DbErrorKind::Unavailable, "the test says so"));
            }
            Ok(())
        })));
        // A worker that can't even claim tells; the job is there for the next.
        let _told = protium::worker::run_one(&app.app, "test").await;
        app.store().db().set_probe(None);
        app.work_later().await;
        assert_eq!(status(app, 0).await, "DRAFT", "step {step}");
        let mut reader = app.store().reader().await.unwrap();
        assert_eq!(event_list(&mut reader, &id).await.unwrap().len(), 2, "step {step}");
        drop(reader);
        assert!(app.claim().await.is_none(), "step {step}: the job is done");
        let input = json!({ "templateName": "env", "majorVersion": "1", "minorVersion": "0" });
        app.ok("DeleteEnvironmentTemplateVersion", input).await;
        app.ok("DeleteEnvironmentTemplate", json!({ "name": "env" })).await;
        if calls.load(Ordering::SeqCst) <= step {
            return step;
        }
    }
    unreachable!("a registration ends")
}
