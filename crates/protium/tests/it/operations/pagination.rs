//! Pages: each list operation, by a row. A list is added by a row, and an arm for what it lists.
//!
//! The list of accounts is not here: what it shows is of no region, and of the server's own account only.

use super::seed;
use super::sync::{link, of_template};
use crate::on_both;
use crate::support::app::{Refused, TestApp};
use crate::support::component::{COMPONENT_ROLE, detached};
use crate::support::service::Shop;
use protium::store::{DbError, Target, connection_insert};
use protium::{params, transaction};
use protium_domain::account_connection::AccountConnection;
use protium_domain::environment::Roles;
use protium_domain::status::{ConnectionStatus, DeploymentStatus, ServiceStatus};
use protium_domain::template::TemplateKind;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a list shows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Noun {
    Template(TemplateKind),
    Minor(TemplateKind),
    Environment,
    Service,
    Instance,
    Deployment,
    Component,
    Connection,
    Repository,
    Tag,
}

pub(super) struct Row {
    pub(super) operation: &'static str,
    pub(super) noun: Noun,
    pub(super) input: Value,
    /// The same list narrowed otherwise, where it can be.
    other: Option<Value>,
    pub(super) entries: &'static str,
    /// The member by which an entry is told from others.
    member: &'static str,
}

pub(super) fn rows() -> Vec<Row> {
    use TemplateKind::{Environment, Service};
    let row = |operation, noun, input, other, entries, member| Row { operation, noun, input, other, entries, member };
    let versions = |name: &str| json!({ "templateName": name, "majorVersion": "7" });
    let filtered = |value: &str| json!({ "filters": [{ "key": "environmentName", "value": value }] });
    vec![
        row("ListEnvironmentTemplates", Noun::Template(Environment), json!({}), None, "templates", "name"),
        row("ListServiceTemplates", Noun::Template(Service), json!({}), None, "templates", "name"),
        row(
            "ListEnvironmentTemplateVersions",
            Noun::Minor(Environment),
            versions("many"),
            Some(versions("other")),
            "templateVersions",
            "minorVersion",
        ),
        row(
            "ListServiceTemplateVersions",
            Noun::Minor(Service),
            versions("many"),
            Some(json!({ "templateName": "many" })),
            "templateVersions",
            "minorVersion",
        ),
        row(
            "ListEnvironments",
            Noun::Environment,
            json!({}),
            Some(json!({ "environmentTemplates": [{ "templateName": "env", "majorVersion": "1" }] })),
            "environments",
            "name",
        ),
        row("ListServices", Noun::Service, json!({}), None, "services", "name"),
        row("ListServiceInstances", Noun::Instance, json!({}), Some(filtered("prod")), "serviceInstances", "name"),
        row(
            "ListServiceInstances",
            Noun::Instance,
            filtered("prod"),
            Some(filtered("test")),
            "serviceInstances",
            "name",
        ),
        row(
            "ListServiceInstances",
            Noun::Instance,
            json!({ "sortBy": "createdAt" }),
            Some(json!({ "sortBy": "createdAt", "sortOrder": "DESCENDING" })),
            "serviceInstances",
            "name",
        ),
        row(
            "ListDeployments",
            Noun::Deployment,
            json!({}),
            Some(json!({ "environmentName": "tagged" })),
            "deployments",
            "createdAt",
        ),
        row(
            "ListComponents",
            Noun::Component,
            json!({}),
            Some(json!({ "environmentName": "tagged" })),
            "components",
            "name",
        ),
        row(
            "ListEnvironmentAccountConnections",
            Noun::Connection,
            json!({ "requestedBy": "ENVIRONMENT_ACCOUNT" }),
            Some(json!({ "requestedBy": "MANAGEMENT_ACCOUNT" })),
            "environmentAccountConnections",
            "environmentName",
        ),
        row(
            "ListEnvironmentAccountConnections",
            Noun::Connection,
            json!({ "requestedBy": "MANAGEMENT_ACCOUNT", "statuses": ["PENDING"] }),
            Some(json!({ "requestedBy": "MANAGEMENT_ACCOUNT", "statuses": ["CONNECTED"] })),
            "environmentAccountConnections",
            "environmentName",
        ),
        row("ListRepositories", Noun::Repository, json!({}), None, "repositories", "name"),
        row(
            "ListTagsForResource",
            Noun::Tag,
            json!({ "resourceArn": "service/tagged" }),
            Some(json!({ "resourceArn": "environment/tagged" })),
            "tags",
            "key",
        ),
    ]
}

/// Lists that show all at once, with the member of the answer that has the entries.
fn without_pages() -> Vec<(&'static str, Value, &'static str)> {
    let component = json!({ "componentName": "one" });
    let repository = json!({ "repositoryProvider": "GITHUB", "repositoryName": "o/r", "syncType": "TEMPLATE_SYNC" });
    let instance = json!({ "serviceName": "web", "serviceInstanceName": "a" });
    vec![
        ("ListEnvironmentOutputs", json!({ "environmentName": "prod" }), "outputs"),
        ("ListServiceInstanceOutputs", instance.clone(), "outputs"),
        ("ListServicePipelineOutputs", json!({ "serviceName": "web" }), "outputs"),
        ("ListEnvironmentProvisionedResources", json!({ "environmentName": "prod" }), "provisionedResources"),
        ("ListServiceInstanceProvisionedResources", instance, "provisionedResources"),
        ("ListServicePipelineProvisionedResources", json!({ "serviceName": "web" }), "provisionedResources"),
        ("ListComponentOutputs", component.clone(), "outputs"),
        ("ListComponentProvisionedResources", component, "provisionedResources"),
        ("ListRepositorySyncDefinitions", repository, "syncDefinitions"),
    ]
}

#[test]
fn every_paginator_of_the_models_has_a_row() {
    let (mut paged, mut whole) = (BTreeSet::new(), BTreeSet::new());
    for file in ["paginators.json", "protium-paginators.json"] {
        let file = format!("{}/../api/model/{file}", env!("CARGO_MANIFEST_DIR"));
        let model: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for (operation, about) in model["pagination"].as_object().unwrap() {
            let row = (operation.clone(), about["result_key"].as_str().unwrap().to_owned());
            // A list whose pages have no size is one page.
            let rows = if about.get("limit_key").is_some() { &mut paged } else { &mut whole };
            rows.insert(row);
        }
    }
    for (operation, entries, file) in [
        ("GetGroup", "users", "identity"),
        ("ListAccounts", "accounts", "account"),
        ("ListAuditRecords", "auditRecords", "audit"),
        ("ListEventDeliveries", "deliveries", "events"),
        ("ListGroups", "groups", "identity"),
        ("ListOidcProviders", "oidcProviders", "oidc_provider"),
        ("ListPolicies", "policies", "identity"),
        ("ListRoles", "roles", "role"),
        ("ListUsers", "users", "identity"),
    ] {
        assert!(paged.remove(&(operation.to_owned(), entries.to_owned())), "its pages are in `{file}`");
    }
    let rows = rows().into_iter().map(|row| (row.operation.to_owned(), row.entries.to_owned()));
    assert_eq!(rows.collect::<BTreeSet<_>>(), paged);
    let rows = without_pages().into_iter().map(|(operation, _, entries)| (operation.to_owned(), entries.to_owned()));
    assert_eq!(rows.collect::<BTreeSet<_>>(), whole);
}

/// What the list of the row shows without being filled.
fn is_own(row: &Row, entry: &str) -> bool {
    match row.noun {
        Noun::Template(_) | Noun::Environment | Noun::Service | Noun::Instance | Noun::Tag => {
            entry.starts_with("entry-")
        }
        Noun::Minor(_) | Noun::Deployment | Noun::Component | Noun::Connection | Noun::Repository => true,
    }
}

/// Adds the entry that stands at that place among others.
pub(super) async fn add(app: &TestApp, noun: Noun, place: i64) {
    let name = format!("entry-{place:02}");
    let track = seed::track(app, DeploymentStatus::Succeeded, Some((1, 0))).await;
    match noun {
        Noun::Template(kind) => seed::template(app, kind, &name, None).await,
        // The highest come first.
        Noun::Minor(kind) => seed::template_version(app, kind, "many", (7, 99 - place)).await,
        Noun::Environment => drop(seed::environment(app, &name, track).await),
        Noun::Service => drop(seed::service(app, &name, ServiceStatus::Active).await),
        Noun::Instance => drop(seed::instance(app, "web", &name, track).await),
        Noun::Deployment => {
            let owner = format!("owner-{place:02}");
            let target = Target::Environment(seed::environment(app, &owner, track).await);
            // The newest come first.
            seed::deployment(app, &target, DeploymentStatus::Succeeded, (99 - place) * 1000, |_| {}).await;
        }
        Noun::Component => {
            let base = seed::environment(app, &format!("base-{place:02}"), track.clone()).await;
            seed::component(app, &name, &base, None, track).await;
        }
        // The newest come first.
        Noun::Connection => connection(app, &name, (99 - place) * 1000).await,
        Noun::Repository => {
            let connection = "arn:aws:codeconnections:us-east-1:123456789012:connection/c";
            let input = json!({ "provider": "GITHUB", "name": format!("o/{name}"), "connectionArn": connection });
            app.ok("CreateRepository", input).await;
        }
        Noun::Tag => {
            let arn = format!("{}:service/tagged", app.arn_prefix());
            let tags = json!([{ "key": name, "value": "v" }]);
            app.ok("TagResource", json!({ "resourceArn": arn, "tags": tags })).await;
        }
    }
}

/// A connection of the account with itself, requested at that time.
async fn connection(app: &TestApp, environment: &str, at: i64) {
    let account = app.scope().account;
    let connection = AccountConnection {
        revision: 0,
        id: seed::id(),
        environment_account: account.clone(),
        management_account: account,
        environment: environment.into(),
        status: ConnectionStatus::Pending,
        roles: Roles::default(),
        created_at: at,
        modified_at: at,
        unknown: serde_json::Map::new(),
    };
    let region = app.scope().region;
    let insert = transaction!(app.store(), async |tx| -> Result<bool, DbError> {
        connection_insert(tx, &region, &connection).await
    });
    assert!(insert.unwrap());
}

/// Removes it.
async fn remove(app: &TestApp, noun: Noun, place: i64) {
    let name = format!("entry-{place:02}");
    let number = 99 - place;
    transaction!(app.store(), async |tx| -> Result<(), DbError> {
        let removed = match noun {
            Noun::Template(_) => tx.execute("DELETE FROM template WHERE name = $1", params![&name]).await?,
            Noun::Minor(_) => tx.execute("DELETE FROM template_version WHERE minor = $1", params![number]).await?,
            Noun::Environment => tx.execute("DELETE FROM environment WHERE name = $1", params![&name]).await?,
            Noun::Service => tx.execute("DELETE FROM service WHERE name = $1", params![&name]).await?,
            Noun::Instance => tx.execute("DELETE FROM service_instance WHERE name = $1", params![&name]).await?,
            Noun::Deployment => {
                tx.execute("DELETE FROM deployment WHERE created_at = $1", params![number * 1000]).await?
            }
            Noun::Component => tx.execute("DELETE FROM component WHERE name = $1", params![&name]).await?,
            Noun::Connection => {
                tx.execute("DELETE FROM account_connection WHERE environment = $1", params![&name]).await?
            }
            Noun::Repository => {
                tx.execute("DELETE FROM repository WHERE name = $1", params![&format!("o/{name}")]).await?
            }
            Noun::Tag => tx.execute("DELETE FROM tag WHERE key = $1", params![&name]).await?,
        };
        assert_eq!(removed, 1, "{noun:?}");
        Ok(())
    })
    .unwrap();
}

/// What an entry at that place is told apart by.
fn entry(noun: Noun, place: i64) -> String {
    match noun {
        Noun::Minor(_) | Noun::Deployment => (99 - place).to_string(),
        Noun::Repository => format!("o/entry-{place:02}"),
        _ => format!("entry-{place:02}"),
    }
}

/// What all lists need: a template with no version of its own, and resources with tags.
pub(super) async fn begin(app: &TestApp) {
    for kind in [TemplateKind::Environment, TemplateKind::Service] {
        seed::template(app, kind, "many", None).await;
        seed::template(app, kind, "other", None).await;
    }
    let track = seed::track(app, DeploymentStatus::Succeeded, Some((1, 0))).await;
    seed::environment(app, "tagged", track).await;
    seed::service(app, "tagged", ServiceStatus::Active).await;
}

fn input(app: &TestApp, given: &Value, members: Value) -> Value {
    let mut input = given.clone();
    if let Some(arn) = input.get_mut("resourceArn") {
        *arn = format!("{}:{}", app.arn_prefix(), arn.as_str().unwrap()).into();
    }
    for (key, value) in members.as_object().unwrap() {
        input[key] = value.clone();
    }
    input
}

/// A page: its own entries, and the token.
async fn page(app: &TestApp, row: &Row, members: Value) -> (Vec<String>, Option<Value>) {
    let answer = app.ok(row.operation, input(app, &row.input, members)).await;
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let entries = answer[row.entries].as_array().unwrap().iter().map(|entry| text(&entry[row.member]));
    let token = answer.get("nextToken").cloned();
    assert_ne!(token, Some(Value::Null), "{}", row.operation);
    assert_ne!(token, Some(json!("")), "{}", row.operation);
    (entries.filter(|entry| is_own(row, entry)).collect(), token)
}

/// All pages of that size.
async fn pages(app: &TestApp, row: &Row, most: usize) -> Vec<String> {
    let (mut all, mut token) = page(app, row, json!({ "maxResults": most })).await;
    while let Some(next) = token {
        let (more, after) = page(app, row, json!({ "maxResults": most, "nextToken": next })).await;
        assert!(more.len() <= most);
        all.extend(more);
        token = after;
    }
    all
}

fn invalid(answer: Result<Value, Refused>, field: &str, what: &str) {
    let refused = answer.expect_err(what);
    assert_eq!(refused.code, "ValidationException", "{what}: {refused:?}");
    assert!(refused.message.contains(field), "{what}: {refused:?}");
}

on_both! {
    pages_of_any_size_show_all_once_and_the_last_one_has_no_token, async |db| {
        let app = TestApp::on(db).await;
        begin(&app).await;
        let mut filled = Vec::new();
        for row in rows() {
            let kind = format!("{:?}", row.noun);
            if !filled.contains(&kind) {
                for place in [40, 10, 30, 20, 50, 60] {
                    add(&app, row.noun, place).await;
                }
                filled.push(kind);
            }
        }
        for row in rows() {
            let all: Vec<String> = [10, 20, 30, 40, 50, 60].map(|place| entry(row.noun, place)).to_vec();
            for most in [1, 2, 3, 4, 5, 6, 7, 100] {
                let shown: Vec<String> = pages(&app, &row, most).await;
                // Others' deployments are of environments that were added for the list of deployments.
                assert_eq!(shown, all, "{} by {most}", row.operation);
            }
        }
    }

    sizes_and_tokens_that_can_not_be_are_refused, async |db| {
        let app = TestApp::on(db).await;
        begin(&app).await;
        let mut tokens = Vec::new();
        for row in rows() {
            if !tokens.iter().any(|(operation, _): &(&str, Value)| *operation == row.operation) {
                for place in [10, 20, 30] {
                    add(&app, row.noun, place).await;
                }
            }
            let (entries, token) = page(&app, &row, json!({ "maxResults": 1 })).await;
            assert!(entries.len() <= 1, "{}", row.operation);
            tokens.push((row.operation, token.expect("more follow")));
            for wrong in [0, -1, 101, i32::MAX] {
                let answer = app.call(row.operation, input(&app, &row.input, json!({ "maxResults": wrong }))).await;
                invalid(answer, "maxResults", row.operation);
            }
            for wrong in ["AAAA", "not base64!", "====", "ZZ", "AAAAAAAAAAAAAAAA", "_-_-"] {
                let answer = app.call(row.operation, input(&app, &row.input, json!({ "nextToken": wrong }))).await;
                invalid(answer, "nextToken", row.operation);
            }
        }
        for (at, row) in rows().iter().enumerate() {
            for (from, (operation, token)) in tokens.iter().enumerate() {
                let answer = app.call(row.operation, input(&app, &row.input, json!({ "nextToken": token }))).await;
                if from == at {
                    answer.unwrap();
                } else {
                    invalid(answer, "nextToken", &format!("{} with a token of {operation}", row.operation));
                }
            }
            let token = &tokens[at].1;
            if let Some(other) = &row.other {
                let answer = app.call(row.operation, input(&app, other, json!({ "nextToken": token }))).await;
                invalid(answer, "nextToken", &format!("{} with other filters", row.operation));
            }
            if row.noun_is_listed_without_parent() {
                for elsewhere in [app.in_region("eu-west-1"), app.in_account("111111111111")] {
                    let answer = elsewhere.call(row.operation, input(&app, &row.input, json!({ "nextToken": token }))).await;
                    invalid(answer, "nextToken", &format!("{} elsewhere", row.operation));
                }
            }
        }
    }

    what_comes_and_goes_between_pages_is_no_trouble, async |db| {
        for row in rows() {
            let app = TestApp::on(db).await;
            // Each list in a region of its own.
            let index = rows().iter().position(|other| other.operation == row.operation && other.input == row.input).unwrap();
            let app = app.in_region(&format!("region-{index}"));
            begin(&app).await;
            for place in [10, 20, 30, 40, 50] {
                add(&app, row.noun, place).await;
            }
            let names = |places: &[i64]| places.iter().map(|place| entry(row.noun, *place)).collect::<Vec<_>>();
            let (mut seen, mut token) = (Vec::new(), None);
            while seen.len() < 2 {
                let members = match &token {
                    None => json!({ "maxResults": 1 }),
                    Some(token) => json!({ "maxResults": 1, "nextToken": token }),
                };
                let (entries, next) = page(&app, &row, members).await;
                seen.extend(entries);
                token = next;
            }
            assert_eq!(seen, names(&[10, 20]), "{}", row.operation);
            remove_in(&app, &row, &[20, 40]).await;
            for place in [15, 25] {
                add(&app, row.noun, place).await;
            }
            let mut rest = Vec::new();
            while let Some(next) = token {
                let (entries, after) = page(&app, &row, json!({ "maxResults": 2, "nextToken": next })).await;
                rest.extend(entries);
                token = after;
            }
            assert_eq!(rest, names(&[25, 30, 50]), "{}", row.operation);
            remove_in(&app, &row, &[10, 15, 25, 30, 50]).await;
        }
    }

    lists_without_pages_take_the_empty_token_only, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let role = json!({ "name": "prod", "deploymentType": "NONE", "componentRoleArn": COMPONENT_ROLE });
        shop.app.ok("UpdateEnvironment", role).await;
        shop.app.ok("CreateComponent", detached("one")).await;
        link(&shop.app, "o/r").await;
        shop.app.ok("CreateTemplateSyncConfig", of_template("ENVIRONMENT", "env")).await;
        shop.finish().await;
        for (operation, input, entries) in without_pages() {
            let with = |token: &str| {
                let mut input = input.clone();
                input["nextToken"] = token.into();
                input
            };
            let plain = shop.app.ok(operation, input.clone()).await;
            assert_eq!(plain.get("nextToken"), None, "{operation}");
            assert!(!plain[entries].as_array().unwrap().is_empty(), "{operation}");
            assert_eq!(shop.app.ok(operation, with("")).await, plain, "{operation}");
            for wrong in ["a", " ", "AAAA"] {
                invalid(shop.app.call(operation, with(wrong)).await, "nextToken", operation);
            }
        }
    }
}

impl Row {
    /// Whether the list exists where nothing was made: those of versions and tags need what they belong to.
    fn noun_is_listed_without_parent(&self) -> bool {
        !matches!(self.noun, Noun::Minor(_) | Noun::Tag)
    }
}

async fn remove_in(app: &TestApp, row: &Row, places: &[i64]) {
    for place in places {
        remove(app, row.noun, *place).await;
    }
}
