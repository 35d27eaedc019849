//! What a repeated request is answered: each operation whose repetition the API defines, by its class.
//!
//! An operation is added by a row in the table of its class.

use super::sync::{of_service, of_template};
use crate::on_both;
use crate::support::app::{ACCOUNT, Refused, TestApp};
use crate::support::bundle::pack;
use crate::support::component::{COMPONENT_ROLE, OTHER_BUCKET, detached};
use crate::support::double;
use crate::support::dump::dump;
use crate::support::race::race;
use crate::support::service::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How long a token is remembered.
const LIFE_MS: i64 = 8 * 60 * 60 * 1000;
/// More than passes by itself while a test runs.
const MARGIN_MS: i64 = 10 * 60 * 1000;
const MISMATCH: &str = "Idempotent parameter mismatch";
/// An account that has nothing of what [`ACCOUNT`] has.
const OTHER: &str = "222222222222";

/// A create that takes a client token.
struct TokenCreate {
    operation: &'static str,
    /// The request, without a token.
    input: Value,
    /// What to change for another request.
    other: Value,
    /// The member of the answer that holds the resource.
    answer: &'static str,
    /// What tells how many there are: a list and the member with its entries.
    list: (&'static str, Value, &'static str),
    /// The members of the answer that read the resource, and how.
    get: (&'static str, &'static [&'static str]),
    /// How the resource is deleted, by the same members.
    delete: Delete,
    /// Whether the name is in the request: then a second one is a conflict.
    is_named: bool,
    /// What somebody does with it before it is asked for again, where nothing goes on by itself.
    then: Option<&'static str>,
    /// Whether what it is made for must be there.
    has_parent: bool,
}

enum Delete {
    By(&'static str),
    /// By an update of `web` to this spec.
    Update(String),
}

/// Where a bundle for the template is.
fn source(template: &str) -> Value {
    json!({ "s3": { "bucket": "bundles", "key": format!("{template}.tar.gz") } })
}

fn token_creates() -> Vec<TokenCreate> {
    let version = |operation, template: &'static str, answer, list, get, delete, more: Value| TokenCreate {
        operation,
        input: but(json!({ "templateName": template, "majorVersion": "1", "source": source(template) }), more),
        other: json!({ "description": "another" }),
        answer,
        list: (list, json!({ "templateName": template, "majorVersion": "1" }), "templateVersions"),
        get: (get, &["templateName", "majorVersion", "minorVersion"]),
        delete: Delete::By(delete),
        is_named: false,
        then: None,
        has_parent: true,
    };
    vec![
        version(
            "CreateEnvironmentTemplateVersion",
            "env",
            "environmentTemplateVersion",
            "ListEnvironmentTemplateVersions",
            "GetEnvironmentTemplateVersion",
            "DeleteEnvironmentTemplateVersion",
            json!({}),
        ),
        version(
            "CreateServiceTemplateVersion",
            "svc",
            "serviceTemplateVersion",
            "ListServiceTemplateVersions",
            "GetServiceTemplateVersion",
            "DeleteServiceTemplateVersion",
            json!({ "compatibleEnvironmentTemplates": [{ "templateName": "env", "majorVersion": "1" }] }),
        ),
        TokenCreate {
            operation: "CreateServiceInstance",
            input: json!({ "serviceName": "web", "name": "b", "spec": spec(&[("a", 1), ("b", 2)]) }),
            other: json!({ "spec": spec(&[("a", 1), ("b", 3)]) }),
            answer: "serviceInstance",
            list: ("ListServiceInstances", json!({ "serviceName": "web" }), "serviceInstances"),
            get: ("GetServiceInstance", &["serviceName", "name"]),
            delete: Delete::Update(spec(&[("a", 1)])),
            is_named: true,
            then: None,
            has_parent: true,
        },
        TokenCreate {
            operation: "CreateComponent",
            input: detached("one"),
            other: json!({ "templateFile": OTHER_BUCKET }),
            answer: "component",
            list: ("ListComponents", json!({}), "components"),
            get: ("GetComponent", &["name"]),
            delete: Delete::By("DeleteComponent"),
            is_named: true,
            then: None,
            has_parent: true,
        },
        TokenCreate {
            operation: "CreateEnvironmentAccountConnection",
            input: lent(),
            other: json!({ "environmentName": "another" }),
            answer: "environmentAccountConnection",
            list: (
                "ListEnvironmentAccountConnections",
                json!({ "requestedBy": "ENVIRONMENT_ACCOUNT" }),
                "environmentAccountConnections",
            ),
            get: ("GetEnvironmentAccountConnection", &["id"]),
            delete: Delete::By("DeleteEnvironmentAccountConnection"),
            is_named: false,
            then: Some("AcceptEnvironmentAccountConnection"),
            has_parent: false,
        },
    ]
}

/// A request for a connection, of the account with itself.
fn lent() -> Value {
    json!({ "managementAccountId": ACCOUNT, "environmentName": "far", "roleArn": double::ROLE })
}

fn linked(name: &str) -> Value {
    let connection = "arn:aws:codeconnections:us-east-1:123456789012:connection/c";
    json!({ "provider": "GITHUB", "name": name, "connectionArn": connection })
}

/// A create that is told apart by the name in it.
struct NamedCreate {
    operation: &'static str,
    input: Value,
    other: Value,
    answer: &'static str,
    get: (&'static str, Value),
    /// An update that changes nothing but that there was one, where there is such an operation.
    update: Option<(&'static str, Value)>,
    /// What the resource's ARN ends with, to tag it, where that can be done.
    arn: Option<&'static str>,
}

fn named_creates() -> Vec<NamedCreate> {
    let row = |operation, input, answer, get, update, arn| NamedCreate {
        operation,
        input,
        other: json!({ "description": "another" }),
        answer,
        get: (get, json!({ "name": "new" })),
        update: Some(update),
        arn: Some(arn),
    };
    vec![
        row(
            "CreateEnvironmentTemplate",
            json!({ "name": "new" }),
            "environmentTemplate",
            "GetEnvironmentTemplate",
            ("UpdateEnvironmentTemplate", json!({ "name": "new", "displayName": "new" })),
            "environment-template/new",
        ),
        row(
            "CreateServiceTemplate",
            json!({ "name": "new", "tags": [{ "key": "k", "value": "v" }] }),
            "serviceTemplate",
            "GetServiceTemplate",
            ("UpdateServiceTemplate", json!({ "name": "new", "displayName": "new" })),
            "service-template/new",
        ),
        row(
            "CreateEnvironment",
            double::create("new"),
            "environment",
            "GetEnvironment",
            ("UpdateEnvironment", json!({ "name": "new", "deploymentType": "NONE" })),
            "environment/new",
        ),
        row(
            "CreateService",
            create("new", &[("a", 1)]),
            "service",
            "GetService",
            ("UpdateService", json!({ "name": "new", "description": "new" })),
            "service/new",
        ),
        NamedCreate {
            operation: "CreateRepository",
            input: linked("o/r"),
            other: json!({ "connectionArn": "arn:aws:codeconnections:us-east-1:123456789012:connection/d" }),
            answer: "repository",
            get: ("GetRepository", json!({ "provider": "GITHUB", "name": "o/r" })),
            update: None,
            arn: Some("repository/github:o/r"),
        },
        // Of what the rows before have made.
        NamedCreate {
            operation: "CreateTemplateSyncConfig",
            input: of_template("ENVIRONMENT", "new"),
            other: json!({ "branch": "another" }),
            answer: "templateSyncConfig",
            get: ("GetTemplateSyncConfig", json!({ "templateType": "ENVIRONMENT", "templateName": "new" })),
            update: Some(("UpdateTemplateSyncConfig", of_template("ENVIRONMENT", "new"))),
            arn: None,
        },
        NamedCreate {
            operation: "CreateServiceSyncConfig",
            input: of_service("new"),
            other: json!({ "branch": "another" }),
            answer: "serviceSyncConfig",
            get: ("GetServiceSyncConfig", json!({ "serviceName": "new" })),
            update: Some(("UpdateServiceSyncConfig", of_service("new"))),
            arn: None,
        },
    ]
}

/// Deletes that are done when they are answered: what to delete, and what was never there.
fn deletes() -> Vec<(&'static str, Value, Value)> {
    let version =
        |template: &str, minor: &str| json!({ "templateName": template, "majorVersion": "1", "minorVersion": minor });
    vec![
        ("DeleteEnvironmentTemplateVersion", version("env", "1"), version("none", "0")),
        ("DeleteServiceTemplateVersion", version("svc", "1"), version("svc", "9")),
        ("DeleteEnvironmentTemplate", json!({ "name": "empty" }), json!({ "name": "none" })),
        ("DeleteServiceTemplate", json!({ "name": "empty" }), json!({ "name": "none" })),
        ("DeleteDeployment", json!({ "id": "of prod" }), json!({ "id": "ffffffff-ffff-4fff-bfff-ffffffffffff" })),
        (
            "DeleteEnvironmentAccountConnection",
            json!({ "id": "lent" }),
            json!({ "id": "ffffffff-ffff-4fff-bfff-ffffffffffff" }),
        ),
        (
            "DeleteTemplateSyncConfig",
            json!({ "templateType": "ENVIRONMENT", "templateName": "env" }),
            json!({ "templateType": "SERVICE", "templateName": "none" }),
        ),
        ("DeleteServiceSyncConfig", json!({ "serviceName": "web" }), json!({ "serviceName": "none" })),
        (
            "DeleteRepository",
            json!({ "provider": "GITHUB", "name": "o/r" }),
            json!({ "provider": "BITBUCKET", "name": "o/r" }),
        ),
    ]
}

/// Deletes that take a while: what to delete, the status in the answer, and what was never there.
fn slow_deletes() -> Vec<(&'static str, Value, &'static str, Value)> {
    let none = || json!({ "name": "none" });
    vec![
        ("DeleteComponent", json!({ "name": "one" }), "/component/deploymentStatus", none()),
        ("DeleteService", json!({ "name": "web" }), "/service/status", none()),
        ("DeleteEnvironment", json!({ "name": "prod" }), "/environment/deploymentStatus", none()),
    ]
}

/// Updates that take a client token: without it and without their kind, the member of the answer, and what lists their
/// deployments.
fn token_updates() -> Vec<(&'static str, Value, &'static str, Value)> {
    vec![
        (
            "UpdateServiceInstance",
            json!({ "serviceName": "web", "name": "a" }),
            "serviceInstance",
            json!({ "serviceName": "web", "serviceInstanceName": "a" }),
        ),
        ("UpdateComponent", json!({ "name": "one" }), "component", json!({ "componentName": "one" })),
    ]
}

/// Changes of which a second one changes nothing.
fn repeatable() -> Vec<(&'static str, Value)> {
    vec![
        ("TagResource", json!({ "resourceArn": "service/web", "tags": [{ "key": "k", "value": "v" }] })),
        ("UntagResource", json!({ "resourceArn": "service/web", "tagKeys": ["k", "never set"] })),
        ("UpdateEnvironmentAccountConnection", json!({ "id": "lent", "componentRoleArn": double::ROLE })),
        ("AcceptEnvironmentAccountConnection", json!({ "id": "lent" })),
        ("RejectEnvironmentAccountConnection", json!({ "id": "refused" })),
    ]
}

impl Shop {
    /// With the service `web` and bundles for more versions.
    async fn prepared(self) -> Self {
        self.active("web", &[("a", 1)]).await;
        self.lets_components().await;
        self.app.upload("bundles", "env.tar.gz", pack(&double::environment(double::STACK))).await;
        self.app.upload("bundles", "svc.tar.gz", pack(&files(INSTANCE, PIPELINE))).await;
        self
    }

    /// Components may be made in `prod`.
    async fn lets_components(&self) {
        let input = json!({ "name": "prod", "deploymentType": "NONE", "componentRoleArn": COMPONENT_ROLE });
        self.app.ok("UpdateEnvironment", input).await;
    }

    /// A connection that is not answered yet; its id.
    async fn lent(&self) -> Value {
        let made = self.app.ok("CreateEnvironmentAccountConnection", lent()).await;
        made["environmentAccountConnection"]["id"].clone()
    }

    /// What [`deletes`] deletes, and the inputs with their ids.
    async fn to_delete(&self) -> Vec<(&'static str, Value, Value)> {
        self.register("env", &double::environment(double::STACK), Some("1")).await;
        self.draft("svc", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        self.active_plain("web", &[("a", 1)]).await;
        for (operation, input) in [
            ("CreateEnvironmentTemplate", json!({ "name": "empty" })),
            ("CreateServiceTemplate", json!({ "name": "empty" })),
            ("CreateRepository", linked("o/r")),
            ("CreateTemplateSyncConfig", of_template("ENVIRONMENT", "env")),
            ("CreateServiceSyncConfig", of_service("web")),
        ] {
            self.app.ok(operation, input).await;
        }
        let (deployment, connection) = (self.records("prod").await[0]["id"].clone(), self.lent().await);
        let input = |input: Value| match input["id"].as_str() {
            Some("of prod") => json!({ "id": deployment }),
            Some("lent") => json!({ "id": connection }),
            _ => input,
        };
        deletes().into_iter().map(|(operation, what, never)| (operation, input(what), never)).collect()
    }

    async fn count(&self, row: &TokenCreate) -> usize {
        let (list, input, entries) = &row.list;
        self.app.ok(list, input.clone()).await[entries].as_array().unwrap().len()
    }

    async fn deleted(&self, row: &TokenCreate, made: &Value) {
        match &row.delete {
            Delete::By(operation) => {
                self.app.ok(operation, names(row, made)).await;
                self.finish().await;
            }
            Delete::Update(spec) => {
                self.update_service("web", spec).await.unwrap();
                self.until("web", "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED").await;
            }
        }
    }
}

/// The members that name what was made.
fn names(row: &TokenCreate, made: &Value) -> Value {
    row.get.1.iter().map(|member| ((*member).to_owned(), made[*member].clone())).collect()
}

async fn current(app: &TestApp, row: &TokenCreate, made: &Value) -> Value {
    app.ok(row.get.0, names(row, made)).await[row.answer].clone()
}

fn mismatch(answer: Result<Value, Refused>, what: &str) {
    let refused = answer.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("ValidationException", MISMATCH), "{what}");
}

fn conflict(answer: Result<Value, Refused>, what: &str) {
    assert_eq!(answer.unwrap_err().code, "ConflictException", "{what}");
}

/// Without what a version tells about its schema only when it is asked for alone.
fn without_schema(mut version: Value) -> Value {
    version.as_object_mut().unwrap().remove("schema");
    version
}

/// A request that is not a repetition: another resource, or a conflict with the one of that name.
async fn is_new(shop: &Shop, row: &TokenCreate, input: Value, why: &str) {
    let before = shop.count(row).await;
    let answer = shop.app.call(row.operation, input).await;
    if row.is_named {
        conflict(answer, why);
    } else {
        answer.unwrap_or_else(|refused| panic!("{}: {why}: {refused:?}", row.operation));
    }
    let more = usize::from(!row.is_named);
    assert_eq!(shop.count(row).await, before + more, "{}: {why}", row.operation);
    shop.app.work().await;
}

#[test]
fn every_operation_that_the_api_calls_idempotent_has_a_row() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/model/proton-2020-07-20.json");
    let model: Value = serde_json::from_str(&std::fs::read_to_string(model).unwrap()).unwrap();
    let operations = model["operations"].as_object().unwrap();
    let named = operations.iter().filter(|(_, about)| about["idempotent"] == true).map(|(name, _)| name.clone());
    // Not called idempotent, but they take a token.
    let expected: BTreeSet<String> =
        named.chain(["UpdateComponent", "UpdateServiceInstance"].map(str::to_owned)).collect();
    let rows = token_creates().into_iter().map(|row| row.operation);
    let rows = rows.chain(named_creates().into_iter().map(|row| row.operation));
    let rows = rows.chain(deletes().into_iter().map(|(operation, ..)| operation));
    let rows = rows.chain(slow_deletes().into_iter().map(|(operation, ..)| operation));
    let rows = rows.chain(repeatable().into_iter().map(|(operation, _)| operation));
    let rows = rows.chain(token_updates().into_iter().map(|(operation, ..)| operation));
    assert_eq!(rows.map(str::to_owned).collect::<BTreeSet<_>>(), expected);
}

on_both! {
    a_token_makes_one_resource_in_eight_hours, async |db| {
        let mut shop = Shop::on(db).await.prepared().await;
        for row in token_creates() {
            let with = |token: &str, members: &Value| but(but(row.input.clone(), json!({ "clientToken": token })), members.clone());
            let same = || with("t", &json!({}));
            let before = shop.count(&row).await;
            let made = shop.app.ok(row.operation, same()).await[row.answer].clone();
            let born = shop.app.app.clock.now_ms();
            assert_eq!(shop.app.ok(row.operation, same()).await[row.answer], made, "{}", row.operation);
            shop.finish().await;
            if let Some(then) = row.then {
                shop.app.ok(then, names(&row, &made)).await;
            }
            let now = current(&shop.app, &row, &made).await;
            assert_ne!(without_schema(now.clone()), made, "{}: it went on", row.operation);
            let again = shop.app.ok(row.operation, same()).await[row.answer].clone();
            assert_eq!(without_schema(again), without_schema(now), "{}: the current details", row.operation);
            mismatch(shop.app.call(row.operation, with("t", &row.other)).await, row.operation);
            mismatch(shop.app.call(row.operation, with("t", &json!({ "tags": [{ "key": "k", "value": "v" }] }))).await, row.operation);
            shop.app.ok(row.operation, with("t", &json!({ "tags": [] }))).await;
            shop = shop.restart(db).await;
            shop.app.ok(row.operation, same()).await;
            assert_eq!(shop.count(&row).await, before + 1, "{}: one was made", row.operation);
            for (token, why) in [("T", "case matters"), ("", "an empty token is none"), ("", "nor is the second one")] {
                is_new(&shop, &row, with(token, &json!({})), why).await;
            }
            let here = shop.count(&row).await;
            for (elsewhere, of) in [(shop.app.in_region("eu-west-1"), "a region"), (shop.app.in_account(OTHER), "an account")] {
                match elsewhere.call(row.operation, same()).await {
                    Ok(answer) => {
                        assert!(!row.has_parent, "{}: tokens are of {of}", row.operation);
                        assert_ne!(answer[row.answer]["id"], made["id"], "{}: tokens are of {of}", row.operation);
                    }
                    Err(refused) => {
                        assert_eq!(refused.code, "ResourceNotFoundException", "{}: tokens are of {of}", row.operation);
                        assert!(row.has_parent, "{}: {}", row.operation, refused.message);
                    }
                }
            }
            assert_eq!(shop.count(&row).await, here, "{}: what others make is theirs", row.operation);
            let age = shop.app.app.clock.now_ms() - born;
            shop.app.pass(LIFE_MS - age - MARGIN_MS);
            let before = shop.count(&row).await;
            shop.app.ok(row.operation, same()).await;
            assert_eq!(shop.count(&row).await, before, "{}: remembered to the end", row.operation);
            shop.app.pass(2 * MARGIN_MS);
            is_new(&shop, &row, same(), "forgotten after eight hours").await;
        }
    }

    a_token_is_free_again_when_its_resource_is_deleted, async |db| {
        let shop = Shop::on(db).await.prepared().await;
        for row in token_creates() {
            let same = || but(row.input.clone(), json!({ "clientToken": "t" }));
            let made = shop.app.ok(row.operation, same()).await[row.answer].clone();
            shop.finish().await;
            let before = shop.count(&row).await;
            shop.deleted(&row, &made).await;
            assert_eq!(shop.count(&row).await, before - 1, "{}", row.operation);
            let second = shop.app.ok(row.operation, same()).await[row.answer].clone();
            assert_ne!(second, made, "{}", row.operation);
            assert_eq!(shop.count(&row).await, before, "{}", row.operation);
            shop.finish().await;
        }
    }

    one_token_sent_twice_at_the_same_time_makes_one_resource, async |db| {
        let shop = Shop::on(db).await.prepared().await;
        for row in token_creates() {
            let before = shop.count(&row).await;
            let same = || (row.operation, but(row.input.clone(), json!({ "clientToken": "t" })));
            let [left, right] = race(&shop.app, [same(), same()]).await;
            assert_eq!(left.unwrap(), right.unwrap(), "{}", row.operation);
            assert_eq!(shop.count(&row).await, before + 1, "{}", row.operation);
            shop.finish().await;
        }
    }

    a_name_makes_one_resource_until_it_is_modified, async |db| {
        let mut shop = Shop::on(db).await;
        for row in named_creates() {
            let same = || row.input.clone();
            let made = shop.app.ok(row.operation, same()).await[row.answer].clone();
            assert_eq!(shop.app.ok(row.operation, same()).await[row.answer], made, "{}", row.operation);
            shop.finish().await;
            // That its deployment ends and that it is tagged are no modifications.
            if let Some(arn) = row.arn {
                let arn = format!("{}:{arn}", shop.app.arn_prefix());
                shop.app.ok("TagResource", json!({ "resourceArn": arn, "tags": [{ "key": "later", "value": "" }] })).await;
            }
            shop = shop.restart(db).await;
            let mut now = shop.app.ok(row.get.0, row.get.1).await[row.answer].clone();
            let mut again = shop.app.ok(row.operation, same()).await[row.answer].clone();
            for answer in [&mut now, &mut again] {
                // CreateEnvironment does not show the spec.
                answer.as_object_mut().unwrap().remove("spec");
            }
            assert_eq!(again, now, "{}: the current details", row.operation);
            mismatch(shop.app.call(row.operation, but(same(), row.other.clone())).await, row.operation);
            shop.app.pass(LIFE_MS * 100);
            shop.app.ok(row.operation, same()).await;
            let Some((update, input)) = row.update else { continue };
            shop.app.ok(update, input).await;
            conflict(shop.app.call(row.operation, same()).await, row.operation);
            mismatch(shop.app.call(row.operation, but(same(), row.other.clone())).await, row.operation);
        }
    }

    one_name_created_twice_at_the_same_time_is_one_resource, async |db| {
        let shop = Shop::on(db).await;
        for row in named_creates() {
            let [left, right] = race(&shop.app, [(row.operation, row.input.clone()), (row.operation, row.input.clone())]).await;
            assert_eq!(left.unwrap(), right.unwrap(), "{}", row.operation);
            shop.finish().await;
        }
    }

    what_is_deleted_or_never_was_is_answered_with_nothing, async |db| {
        let shop = Shop::on(db).await;
        for (operation, input, never) in shop.to_delete().await {
            let first = shop.app.ok(operation, input.clone()).await;
            assert_eq!(first.as_object().unwrap().len(), 1, "{operation}: what was deleted: {first}");
            let left = dump(&[&shop.app]).await;
            assert_eq!(shop.app.ok(operation, input).await, json!({}), "{operation}");
            assert_eq!(shop.app.ok(operation, never).await, json!({}), "{operation}");
            assert_eq!(dump(&[&shop.app]).await, left, "{operation}: the rest is as it was");
        }
    }

    two_deletes_at_the_same_time_both_succeed, async |db| {
        let shop = Shop::on(db).await;
        for (operation, input, _) in shop.to_delete().await {
            let answers = race(&shop.app, [(operation, input.clone()), (operation, input.clone())]).await;
            let full = answers.iter().filter(|answer| answer.as_ref().unwrap() != &json!({})).count();
            assert_eq!(full, 1, "{operation}: {answers:?}");
        }
    }

    a_deletion_under_way_is_answered_as_it_stands, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.lets_components().await;
        shop.app.ok("CreateComponent", detached("one")).await;
        shop.finish().await;
        for (operation, input, status, never) in slow_deletes() {
            for _ in 0..3 {
                let answer = shop.app.ok(operation, input.clone()).await;
                assert_eq!(answer.pointer(status), Some(&json!("DELETE_IN_PROGRESS")), "{operation}: {answer}");
            }
            let before = shop.done("DeleteStack").len();
            shop.finish().await;
            assert!(shop.done("DeleteStack").len() > before, "{operation}");
            assert_eq!(shop.app.ok(operation, input).await, json!({}), "{operation}: it is gone");
            assert_eq!(shop.app.ok(operation, never).await, json!({}), "{operation}");
        }
        let mut deleted = shop.done("DeleteStack");
        deleted.sort();
        assert_eq!(deleted, ["one", "prod", "web", "web-a"], "each once");
    }

    a_change_that_was_made_is_made_again_without_effect, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let (lent, refused) = (shop.lent().await, shop.lent().await);
        for (operation, mut input) in repeatable() {
            match input["id"].as_str() {
                Some("lent") => input["id"] = lent.clone(),
                Some("refused") => input["id"] = refused.clone(),
                _ => {}
            }
            if let Some(arn) = input.get_mut("resourceArn") {
                *arn = format!("{}:{}", shop.app.arn_prefix(), arn.as_str().unwrap()).into();
            }
            let before = dump(&[&shop.app]).await;
            let first = shop.app.ok(operation, input.clone()).await;
            let made = dump(&[&shop.app]).await;
            assert_ne!(made, before, "{operation}: it is made once");
            // Dumps are without times: the answers, where there are any, show that none is moved.
            shop.app.pass(1000);
            assert_eq!(shop.app.ok(operation, input).await, first, "{operation}");
            assert_eq!(dump(&[&shop.app]).await, made, "{operation}: and not again");
        }
    }

    a_token_updates_once_in_eight_hours, async |db| {
        let mut shop = Shop::on(db).await.prepared().await;
        shop.app.ok("CreateComponent", detached("one")).await;
        shop.finish().await;
        for (operation, input, answer, list) in token_updates() {
            let update = |token: &str, kind: &str| but(input.clone(), json!({ "deploymentType": kind, "clientToken": token }));
            let records = async |shop: &Shop| shop.app.ok("ListDeployments", list.clone()).await["deployments"].as_array().unwrap().len();
            shop.app.ok(operation, update("t", "CURRENT_VERSION")).await;
            let born = shop.app.app.clock.now_ms();
            shop.finish().await;
            shop = shop.restart(db).await;
            let age = shop.app.app.clock.now_ms() - born;
            shop.app.pass(LIFE_MS - age - MARGIN_MS);
            let again = shop.app.ok(operation, update("t", "CURRENT_VERSION")).await;
            assert_eq!((&again[answer]["deploymentStatus"], records(&shop).await), (&json!("SUCCEEDED"), 2), "{operation}");
            mismatch(shop.app.call(operation, update("t", "NONE")).await, operation);
            shop.app.pass(2 * MARGIN_MS);
            shop.app.ok(operation, update("t", "CURRENT_VERSION")).await;
            assert_eq!(records(&shop).await, 3, "{operation}: forgotten after eight hours");
            shop.finish().await;
            // An update that deploys nothing has a token like any other.
            let nothing = shop.app.ok(operation, update("n", "NONE")).await;
            assert_eq!(nothing[answer]["lastClientRequestToken"], "n", "{operation}");
            assert_eq!(shop.app.ok(operation, update("n", "NONE")).await, nothing, "{operation}");
            mismatch(shop.app.call(operation, update("n", "CURRENT_VERSION")).await, operation);
            let both = || (operation, update("r", "CURRENT_VERSION"));
            let [left, right] = race(&shop.app, [both(), both()]).await;
            assert_eq!(left.unwrap(), right.unwrap(), "{operation}");
            assert_eq!(records(&shop).await, 4, "{operation}: once, by both");
            shop.finish().await;
        }
        // Tokens are of an operation: the create of another instance does not know those of updates.
        let create = json!({ "serviceName": "web", "name": "b", "spec": spec(&[("a", 1), ("b", 2)]), "clientToken": "n" });
        let made = shop.app.ok("CreateServiceInstance", create).await;
        assert_eq!(made["serviceInstance"]["lastClientRequestToken"], "n");
    }
}
