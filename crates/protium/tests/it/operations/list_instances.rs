//! `ListServiceInstances`: what is listed is compared with a model that filters and sorts in memory.

use super::seed;
use crate::on_both;
use crate::support::app::{TestApp, code};
use crate::support::database::TestDb;
use crate::support::plan::plan;
use protium::store::{DbError, instance_insert};
use protium::transaction;
use protium_domain::service::ServiceInstance;
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::TemplateKind;
use protium_domain::track::{Aim, Track};
use protium_domain::version::Version;
use serde_json::{Map, Value, json};

const SERVICES: usize = 70;
const OF_SERVICE: usize = 19;
/// More than a page; fewer than what is not few any more, so that filters lead unless they have too many alternatives.
const INSTANCES: usize = SERVICES * OF_SERVICE;
const SORTS: [&str; 7] = [
    "name",
    "deploymentStatus",
    "templateName",
    "serviceName",
    "environmentName",
    "lastDeploymentAttemptedAt",
    "createdAt",
];

/// What of an instance a list can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct One {
    service: String,
    name: String,
    environment: String,
    template: String,
    status: DeploymentStatus,
    version: Option<(i64, i64)>,
    created_at: i64,
    attempted_at: i64,
}

/// Numbers that look random and are the same each time.
fn mixed(number: usize, salt: usize) -> usize {
    let mut x = (number + 1).wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(40_503));
    x ^= x >> 15;
    x = x.wrapping_mul(2_246_822_519);
    x ^ (x >> 13)
}

fn ones() -> Vec<One> {
    use DeploymentStatus::{Cancelled, Failed, InProgress, Succeeded};
    let one = |number: usize| {
        let (of, index) = (number / OF_SERVICE, number % OF_SERVICE);
        // Most are alike in status and environment: filters for them leave many.
        let status = if mixed(number, 1).is_multiple_of(10) {
            [Failed, InProgress, Cancelled][mixed(number, 2) % 3]
        } else {
            Succeeded
        };
        let environment =
            if mixed(number, 3).is_multiple_of(8) { ["Test", "test"][mixed(number, 4) % 2] } else { "prod" };
        let template = ["svc", "job", "none"][of % 3];
        let version = (!mixed(number, 5).is_multiple_of(20))
            .then(|| (1 + (mixed(number, 6) % 3) as i64, (mixed(number, 7) % 4) as i64));
        One {
            service: format!("{}-{:02}", ["web", "Api", "a_b"][of % 3], of),
            name: format!("i{index}"),
            environment: environment.into(),
            template: template.into(),
            status,
            version,
            created_at: 1_000_000 + (mixed(number, 8) % 500) as i64 * 10,
            attempted_at: 2_000_000 + (mixed(number, 9) % 500) as i64 * 10,
        }
    };
    (0..INSTANCES).map(one).collect()
}

fn instance(one: &One, spec: &str) -> ServiceInstance {
    let (major, minor) = one.version.unwrap_or((1, 0));
    let aim = Aim { version: Version::new(major, minor), spec: spec.to_owned() };
    let mut track = Track::first(seed::id(), aim.clone(), one.attempted_at);
    if one.version.is_some() {
        track.promote(seed::id(), aim, one.attempted_at);
    }
    track.status = one.status;
    ServiceInstance {
        revision: 0,
        id: seed::id(),
        name: one.name.clone(),
        service: one.service.clone(),
        service_id: seed::id(),
        environment: one.environment.clone(),
        environment_id: seed::id(),
        template: one.template.clone(),
        created_at: one.created_at,
        track,
        last_token: None,
        outdated: false,
        unknown: Map::new(),
    }
}

/// The templates `svc`, which recommends 2.1, and `job`, which recommends 3.0; `none` recommends nothing. And all
/// instances.
async fn fill(app: &TestApp) -> Vec<One> {
    for (name, recommended) in [("svc", Some((2, 1))), ("job", Some((3, 0))), ("none", None)] {
        seed::template(app, TemplateKind::Service, name, recommended).await;
        for number in 0..12 {
            seed::template_version(app, TemplateKind::Service, name, (1 + number / 4, number % 4)).await;
        }
    }
    // An environment template of the same name recommends something else.
    seed::template(app, TemplateKind::Environment, "svc", Some((9, 9))).await;
    let all = ones();
    let spec = seed::content(app, seed::SPEC.as_bytes()).await;
    let (scope, elsewhere) = (app.scope(), app.in_region("eu-west-1").scope());
    transaction!(app.store(), async |tx| -> Result<(), DbError> {
        for one in &all {
            assert!(instance_insert(tx, &scope, &instance(one, &spec)).await?);
        }
        instance_insert(tx, &elsewhere, &instance(&all[0], &spec)).await?;
        Ok(())
    })
    .unwrap();
    for one in all.iter().step_by(OF_SERVICE) {
        seed::service(app, &one.service, ServiceStatus::Active).await;
    }
    all
}

fn time(millis: i64) -> String {
    format!("1970-01-01T00:{:02}:{:02}.{:03}Z", millis / 60_000, millis / 1000 % 60, millis % 1000)
}

fn staleness(one: &One) -> Option<&'static str> {
    let recommended = match one.template.as_str() {
        "svc" => (2, 1),
        "job" => (3, 0),
        _ => (0, 0),
    };
    let version = one.version?;
    Some(if version.0 < recommended.0 {
        "BEHIND_MAJOR"
    } else if version < recommended {
        "BEHIND_MINOR"
    } else {
        "UP_TO_DATE"
    })
}

fn fits(one: &One, key: &str, value: &str) -> bool {
    match key {
        "name" => one.name == value,
        "deploymentStatus" => one.status.as_str() == value,
        "templateName" => one.template == value,
        "serviceName" => one.service == value,
        "environmentName" => one.environment == value,
        "deployedTemplateVersionStatus" => staleness(one) == Some(value),
        "createdAtAfter" => time(one.created_at).as_str() > value,
        "createdAtBefore" => time(one.created_at).as_str() < value,
        "lastDeploymentAttemptedAtAfter" => time(one.attempted_at).as_str() > value,
        "lastDeploymentAttemptedAtBefore" => time(one.attempted_at).as_str() < value,
        other => panic!("{other}"),
    }
}

/// What the list must be.
fn model(all: &[One], filters: &[(&str, &str)], sort: &str, descending: bool) -> Vec<String> {
    let fits_all = |one: &&One| {
        filters.iter().all(|(key, _)| filters.iter().any(|(other, value)| other == key && fits(one, key, value)))
    };
    let mut found: Vec<&One> = all.iter().filter(fits_all).collect();
    found.sort_by_key(|one| {
        let text = |text: &str| (text.to_owned(), 0);
        let key = match sort {
            "name" => text(&one.name),
            "deploymentStatus" => text(one.status.as_str()),
            "templateName" => text(&one.template),
            "environmentName" => text(&one.environment),
            "createdAt" => (String::new(), one.created_at),
            "lastDeploymentAttemptedAt" => (String::new(), one.attempted_at),
            _ => text(&one.service),
        };
        (key, one.service.clone(), one.name.clone())
    });
    if descending {
        found.reverse();
    }
    found.into_iter().map(|one| format!("{}/{}", one.service, one.name)).collect()
}

/// All pages of a list.
async fn listed(app: &TestApp, mut input: Value) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let answer = app.ok("ListServiceInstances", input.clone()).await;
        let page = answer["serviceInstances"].as_array().unwrap();
        all.extend(
            page.iter()
                .map(|one| format!("{}/{}", one["serviceName"].as_str().unwrap(), one["name"].as_str().unwrap())),
        );
        match answer.get("nextToken") {
            Some(token) => {
                assert!(!page.is_empty(), "a page that others follow has entries: {input}");
                input["nextToken"] = token.clone();
            }
            None => return all,
        }
    }
}

fn input(filters: &[(&str, &str)], sort: &str, descending: bool) -> Value {
    let filters: Vec<Value> = filters.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({ "filters": filters, "sortBy": sort, "sortOrder": if descending { "DESCENDING" } else { "ASCENDING" } })
}

async fn check(app: &TestApp, all: &[One], filters: &[(&str, &str)], sort: &str, descending: bool) {
    let expected = model(all, filters, sort, descending);
    let found = listed(app, input(filters, sort, descending)).await;
    assert_eq!(found, expected, "{filters:?} {sort} {descending}");
}

on_both! {
    each_order_lists_all_once, async |db| {
        let app = TestApp::on(db).await;
        let all = fill(&app).await;
        for sort in SORTS {
            for descending in [false, true] {
                check(&app, &all, &[], sort, descending).await;
            }
        }
        assert_eq!(listed(&app, json!({})).await, model(&all, &[], "serviceName", false), "the default");
        for most in [1, 10, 25, 99] {
            let mut few = input(&[], "createdAt", true);
            few["maxResults"] = most.into();
            let answer = app.ok("ListServiceInstances", few).await;
            assert_eq!(answer["serviceInstances"].as_array().unwrap().len(), most);
        }
    }

    each_filter_narrows_each_order, async |db| {
        let app = TestApp::on(db).await;
        let all = fill(&app).await;
        let filters = [
            ("name", "i3"),
            ("deploymentStatus", "SUCCEEDED"),
            ("deploymentStatus", "FAILED"),
            ("templateName", "svc"),
            ("serviceName", "web-00"),
            ("serviceName", "none"),
            ("environmentName", "prod"),
            ("environmentName", "test"),
            ("deployedTemplateVersionStatus", "UP_TO_DATE"),
            ("deployedTemplateVersionStatus", "BEHIND_MINOR"),
            ("deployedTemplateVersionStatus", "BEHIND_MAJOR"),
            ("createdAtAfter", "1970-01-01T00:16:43.330Z"),
            ("createdAtBefore", "1970-01-01T00:16:43.330Z"),
            ("lastDeploymentAttemptedAtAfter", "1970-01-01T00:33:22.000Z"),
            ("lastDeploymentAttemptedAtBefore", "1970-01-01T00:33:20.100Z"),
        ];
        for (number, filter) in filters.into_iter().enumerate() {
            for (turn, sort) in SORTS.into_iter().enumerate() {
                check(&app, &all, &[filter], sort, (number + turn) % 2 == 0).await;
            }
        }
    }

    filters_of_different_keys_all_apply_and_those_of_one_key_are_alternatives, async |db| {
        let app = TestApp::on(db).await;
        let all = fill(&app).await;
        let after = ("createdAtAfter", "1970-01-01T00:16:40.500Z");
        let cases: [&[(&str, &str)]; 12] = [
            &[("deploymentStatus", "SUCCEEDED"), ("environmentName", "prod")],
            &[("deploymentStatus", "SUCCEEDED"), after],
            &[after, ("createdAtBefore", "1970-01-01T00:16:44.600Z")],
            &[after, ("createdAtBefore", "1970-01-01T00:16:40.510Z")],
            &[("environmentName", "prod"), ("environmentName", "Test")],
            &[("deploymentStatus", "FAILED"), ("deploymentStatus", "CANCELLED"), ("deploymentStatus", "CANCELLING")],
            &[("templateName", "svc"), ("templateName", "job"), ("name", "i1"), ("name", "i2"), ("name", "i5")],
            &[("deployedTemplateVersionStatus", "BEHIND_MINOR"), ("deployedTemplateVersionStatus", "UP_TO_DATE")],
            &[("deployedTemplateVersionStatus", "UP_TO_DATE"), ("deploymentStatus", "SUCCEEDED"), ("environmentName", "prod")],
            &[("deployedTemplateVersionStatus", "BEHIND_MAJOR"), ("templateName", "none")],
            &[("serviceName", "web-00"), ("serviceName", "Api-01"), ("deploymentStatus", "SUCCEEDED")],
            &[("name", "i1"), ("environmentName", "test"), ("templateName", "svc"), ("lastDeploymentAttemptedAtBefore", "1970-01-01T00:33:23.000Z")],
        ];
        for (number, filters) in cases.into_iter().enumerate() {
            for (turn, sort) in SORTS.into_iter().enumerate() {
                check(&app, &all, filters, sort, (number + turn) % 2 == 0).await;
            }
        }
    }

    what_has_too_many_alternatives_to_lead_applies_too, async |db| {
        let app = TestApp::on(db).await;
        let all = fill(&app).await;
        let names: Vec<String> = (0..17).map(|number| format!("i{number}")).collect();
        let templates: Vec<String> = (0..15).map(|number| format!("t{number}")).collect();
        let names: Vec<(&str, &str)> = names.iter().map(|name| ("name", name.as_str())).collect();
        let templates = templates.iter().map(|name| ("templateName", name.as_str())).chain([("templateName", "svc"), ("templateName", "job")]);
        let with_templates: Vec<_> = names.iter().copied().chain(templates).collect();
        let after = ("createdAtAfter", "1970-01-01T00:16:40.500Z");
        let with_others: Vec<_> = names.iter().copied().chain([after, ("deploymentStatus", "SUCCEEDED")]).collect();
        for (turn, sort) in SORTS.into_iter().enumerate() {
            for (number, filters) in [&names, &with_templates, &with_others].into_iter().enumerate() {
                check(&app, &all, filters, sort, (number + turn) % 2 == 0).await;
            }
        }
    }

    the_parameter_for_a_service_and_the_filter_both_apply, async |db| {
        let app = TestApp::on(db).await;
        let all = fill(&app).await;
        for sort in SORTS {
            let mut of_service = input(&[("deploymentStatus", "SUCCEEDED")], sort, true);
            of_service["serviceName"] = "web-00".into();
            let expected = model(&all, &[("serviceName", "web-00"), ("deploymentStatus", "SUCCEEDED")], sort, true);
            assert_eq!(listed(&app, of_service).await, expected, "{sort}");
        }
        let with = |parameter: &str, filter: &str| json!({ "serviceName": parameter, "filters": [{ "key": "serviceName", "value": filter }] });
        assert_eq!(listed(&app, with("web-00", "web-00")).await.len(), OF_SERVICE);
        assert_eq!(listed(&app, with("web-00", "Api-01")).await, [""; 0]);
        assert_eq!(listed(&app, input(&[("serviceName", "gone")], "name", false)).await, [""; 0], "a filter may name what is missing");
        for missing in [json!({ "serviceName": "gone" }), with("gone", "web-00")] {
            assert_eq!(code(app.call("ListServiceInstances", missing).await), "ResourceNotFoundException");
        }
        let elsewhere = app.in_region("eu-west-1");
        assert_eq!(listed(&elsewhere, input(&[], "createdAt", false)).await.len(), 1, "other regions are apart");
    }

    publishing_a_version_makes_instances_stale_at_once, async |db| {
        let app = TestApp::on(db).await;
        seed::template(&app, TemplateKind::Service, "job", Some((1, 1))).await;
        seed::template_version(&app, TemplateKind::Service, "svc", (1, 0)).await;
        let track = seed::track(&app, DeploymentStatus::Succeeded, Some((1, 0))).await;
        seed::instance(&app, "web", "a", track).await;
        let is = async |status: &str| listed(&app, input(&[("deployedTemplateVersionStatus", status)], "name", false)).await.len();
        assert_eq!((is("up_to_date").await, is("BEHIND_MINOR").await), (1, 0), "nothing is recommended");
        seed::template(&app, TemplateKind::Service, "svc", Some((2, 0))).await;
        assert_eq!((is("UP_TO_DATE").await, is("Behind_Major").await), (0, 1));
    }

    what_can_not_be_is_refused_and_named, async |db| {
        let app = TestApp::on(db).await;
        let filter = |key: &str, value: &str| json!({ "filters": [{ "key": "name", "value": "a" }, { "key": key, "value": value }] });
        for (input, says) in [
            (filter("colour", "red"), "filters"),
            (filter("Name", "a"), "filters"),
            (filter("deploymentStatus", "DONE"), "filters[1].value: 'DONE' is no deployment status"),
            (filter("deployedTemplateVersionStatus", "OLD"), "filters[1].value: 'OLD' is no status of a deployed template version; those are UP_TO_DATE, BEHIND_MINOR, BEHIND_MAJOR"),
            (filter("createdAtAfter", "2026-11-21"), "filters[1].value: '2026-11-21' is no point in time"),
            (filter("createdAtBefore", "2026-11-21T00:00:00+01:00"), "filters[1].value: "),
            (filter("lastDeploymentAttemptedAtAfter", "1606603250"), "filters[1].value: "),
            (filter("lastDeploymentAttemptedAtBefore", "2026-02-30T00:00:00Z"), "filters[1].value: "),
            (json!({ "filters": [{ "value": "a" }] }), "filters[0].key: is missing"),
            (json!({ "filters": [{ "key": "name" }] }), "filters[0].value: is missing"),
            (json!({ "filters": vec![json!({ "key": "name", "value": "a" }); 101] }), "filters: are 101; give at most 100"),
            (json!({ "sortBy": "colour" }), "sortBy"),
            (json!({ "sortBy": "CREATED_AT" }), "sortBy"),
            (json!({ "sortOrder": "ascending" }), "sortOrder"),
        ] {
            let refused = app.call("ListServiceInstances", input.clone()).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{input}: {refused:?}");
            assert!(refused.message.contains(says), "{says}: {}", refused.message);
        }
        for value in ["", " ", "'; DROP TABLE service_instance; --", "ä/b", "%", &"x".repeat(5000)] {
            assert_eq!(app.ok("ListServiceInstances", filter("name", value)).await, json!({ "serviceInstances": [] }), "{value}");
            assert_eq!(app.ok("ListServiceInstances", filter("serviceName", value)).await, json!({ "serviceInstances": [] }), "{value}");
        }
        assert_eq!(app.ok("ListServiceInstances", json!({ "filters": [] })).await, json!({ "serviceInstances": [] }));
        for span in [("createdAtAfter", "createdAtBefore"), ("lastDeploymentAttemptedAtAfter", "lastDeploymentAttemptedAtBefore")] {
            let never = [(span.0, "9999-12-31T23:59:59Z"), (span.1, "0000-01-01T00:00:00Z")];
            assert_eq!(listed(&app, input(&never, "createdAt", false)).await, [""; 0]);
        }
    }
}

/// A page costs as much in a large store as in a small one only if the index that was made for it is used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_list_is_read_off_the_index_that_was_made_for_it() {
    let db = TestDb::sqlite().await;
    let app = TestApp::on(&db).await;
    fill(&app).await;
    let columns = [
        ("name", "name"),
        ("deploymentStatus", "status"),
        ("templateName", "template"),
        ("environmentName", "environment"),
        ("lastDeploymentAttemptedAt", "attempted_at"),
        ("createdAt", "created_at"),
    ];
    let mut lists = Vec::new();
    for (sort, column) in columns {
        for descending in [false, true] {
            lists.push((input(&[], sort, descending), format!("service_instance_by_{column} ("), 1));
            if sort != "environmentName" {
                let within = input(&[("environmentName", "prod")], sort, descending);
                lists.push((within, format!("service_instance_of_environment_by_{column} ("), 1));
            }
        }
    }
    for (key, value, index) in [
        ("name", "i1", "service_instance_by_name ("),
        ("deploymentStatus", "SUCCEEDED", "service_instance_by_status ("),
        ("templateName", "svc", "service_instance_by_template ("),
        ("environmentName", "prod", "service_instance_by_environment ("),
        ("deployedTemplateVersionStatus", "BEHIND_MINOR", "service_instance_on_version ("),
    ] {
        // Several versions are streams, each of which is merged with the others.
        let sorts = if index.contains("version") { usize::MAX } else { 1 };
        lists.push((input(&[(key, value)], "serviceName", false), index.to_owned(), sorts));
    }
    let by_status = input(&[("deploymentStatus", "SUCCEEDED")], "deploymentStatus", true);
    lists.push((by_status, "service_instance_by_status (".to_owned(), 1));
    let by_time = input(&[("createdAtAfter", "1970-01-01T00:16:40.500Z")], "createdAt", false);
    lists.push((by_time, "service_instance_by_created_at (".to_owned(), 1));
    let both = [("deploymentStatus", "SUCCEEDED"), ("environmentName", "prod")];
    lists.push((input(&both, "serviceName", false), "service_instance_by_environment (".to_owned(), 1));
    let some = [("deploymentStatus", "FAILED"), ("environmentName", "prod")];
    lists.push((input(&some, "createdAt", false), "service_instance_by_status (".to_owned(), 2));
    for (first, index, sorts) in lists {
        let mut first = first;
        first["maxResults"] = 1.into();
        let mut second = first.clone();
        second["nextToken"] = app.ok("ListServiceInstances", first.clone()).await["nextToken"].clone();
        for page in [first, second] {
            let lines = plan(&app, "ListServiceInstances", page.clone(), "doc FROM").await;
            let reads = |line: &&String| line.contains("service_instance") && !line.contains(" one ");
            assert!(lines.iter().filter(reads).all(|line| line.starts_with("SEARCH ")), "{page}: {lines:#?}");
            let expected = [format!("USING COVERING INDEX {index}"), format!("USING INDEX {index}")];
            let reads = lines.iter().filter(|line| expected.iter().any(|index| line.contains(index))).count();
            assert_ne!(reads, 0, "{page}: {index}: {lines:#?}");
            let sorted = lines.iter().filter(|line| line.contains("TEMP B-TREE")).count();
            assert!(sorted <= sorts, "{page}: {lines:#?}");
        }
    }
}
