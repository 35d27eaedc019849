//! What a repeated request is answered: each operation whose repetition the API defines, by its class.
//!
//! An operation is added by a row in the table of its class.

use crate::on_both;
use crate::support::app::{Refused, TestApp};
use crate::support::bundle::pack;
use crate::support::double;
use crate::support::race::race;
use crate::support::service::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How long a token is remembered.
const LIFE_MS: i64 = 8 * 60 * 60 * 1000;
/// More than passes by itself while a test runs.
const MARGIN_MS: i64 = 10 * 60 * 1000;
const MISMATCH: &str = "Idempotent parameter mismatch";

/// Operations of the API that are idempotent and have no row yet: those of nouns that came after this table.
const WITHOUT_ROW: [&str; 14] = [
    "AcceptEnvironmentAccountConnection",
    "CreateComponent",
    "CreateEnvironmentAccountConnection",
    "CreateRepository",
    "CreateServiceSyncConfig",
    "CreateTemplateSyncConfig",
    "DeleteComponent",
    "DeleteEnvironmentAccountConnection",
    "DeleteRepository",
    "DeleteServiceSyncConfig",
    "DeleteTemplateSyncConfig",
    "RejectEnvironmentAccountConnection",
    "UpdateComponent",
    "UpdateEnvironmentAccountConnection",
];

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
        },
    ]
}

/// A create that is told apart by the name in it.
struct NamedCreate {
    operation: &'static str,
    input: Value,
    other: Value,
    answer: &'static str,
    get: &'static str,
    /// An update that changes nothing but that there was one.
    update: (&'static str, Value),
    /// What the resource's ARN ends with, to tag it.
    arn: &'static str,
}

fn named_creates() -> Vec<NamedCreate> {
    let row = |operation, input, answer, get, update, arn| NamedCreate {
        operation,
        input,
        other: json!({ "description": "another" }),
        answer,
        get,
        update,
        arn,
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
    ]
}

/// Deletes that take a while: what to delete, the status in the answer, and what was never there.
fn slow_deletes() -> Vec<(&'static str, Value, &'static str, Value)> {
    let none = || json!({ "name": "none" });
    vec![
        ("DeleteService", json!({ "name": "web" }), "/service/status", none()),
        ("DeleteEnvironment", json!({ "name": "prod" }), "/environment/deploymentStatus", none()),
    ]
}

/// Changes of which a second one changes nothing.
fn repeatable() -> Vec<(&'static str, Value)> {
    vec![
        ("TagResource", json!({ "resourceArn": "service/web", "tags": [{ "key": "k", "value": "v" }] })),
        ("UntagResource", json!({ "resourceArn": "service/web", "tagKeys": ["k", "never set"] })),
    ]
}

impl Shop {
    /// With the service `web` and bundles for more versions.
    async fn prepared(self) -> Self {
        self.active("web", &[("a", 1)]).await;
        self.app.upload("bundles", "env.tar.gz", pack(&double::environment(double::STACK))).await;
        self.app.upload("bundles", "svc.tar.gz", pack(&files(INSTANCE, PIPELINE))).await;
        self
    }

    async fn count(&self, row: &TokenCreate) -> usize {
        let (list, input, entries) = &row.list;
        self.app.ok(list, input.clone()).await[entries].as_array().unwrap().len()
    }

    async fn deleted(&self, row: &TokenCreate, made: &Value) {
        match &row.delete {
            Delete::By(operation) => drop(self.app.ok(operation, names(row, made)).await),
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
fn every_operation_that_the_api_calls_idempotent_has_a_row_or_waits_for_one() {
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
    let rows = rows.chain(["UpdateServiceInstance"]).chain(WITHOUT_ROW);
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
            is_new(&shop, &row, with("T", &json!({})), "case matters").await;
            is_new(&shop, &row, with("", &json!({})), "an empty token is none").await;
            is_new(&shop, &row, with("", &json!({})), "nor is the second one").await;
            let elsewhere = shop.app.in_region("eu-west-1").call(row.operation, same()).await.unwrap_err();
            assert_eq!(elsewhere.code, "ResourceNotFoundException", "{}: tokens are of a region", row.operation);
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
            let arn = format!("{}:{}", shop.app.arn_prefix(), row.arn);
            shop.app.ok("TagResource", json!({ "resourceArn": arn, "tags": [{ "key": "later", "value": "" }] })).await;
            shop = shop.restart(db).await;
            let mut now = shop.app.ok(row.get, json!({ "name": "new" })).await[row.answer].clone();
            let mut again = shop.app.ok(row.operation, same()).await[row.answer].clone();
            for answer in [&mut now, &mut again] {
                // CreateEnvironment does not show the spec.
                answer.as_object_mut().unwrap().remove("spec");
            }
            assert_eq!(again, now, "{}: the current details", row.operation);
            mismatch(shop.app.call(row.operation, but(same(), row.other.clone())).await, row.operation);
            shop.app.pass(LIFE_MS * 100);
            shop.app.ok(row.operation, same()).await;
            shop.app.ok(row.update.0, row.update.1).await;
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
        shop.register("env", &double::environment(double::STACK), Some("1")).await;
        shop.draft("svc", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        shop.app.ok("CreateEnvironmentTemplate", json!({ "name": "empty" })).await;
        shop.app.ok("CreateServiceTemplate", json!({ "name": "empty" })).await;
        let deployment = shop.records("prod").await[0]["id"].clone();
        for (operation, input, never) in deletes() {
            let input = if input.get("id").is_some() { json!({ "id": deployment }) } else { input };
            let first = shop.app.ok(operation, input.clone()).await;
            assert_eq!(first.as_object().unwrap().len(), 1, "{operation}: what was deleted: {first}");
            assert_eq!(shop.app.ok(operation, input).await, json!({}), "{operation}");
            assert_eq!(shop.app.ok(operation, never).await, json!({}), "{operation}");
        }
    }

    two_deletes_at_the_same_time_both_succeed, async |db| {
        let shop = Shop::on(db).await;
        shop.register("env", &double::environment(double::STACK), Some("1")).await;
        shop.draft("svc", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await;
        shop.app.ok("CreateEnvironmentTemplate", json!({ "name": "empty" })).await;
        shop.app.ok("CreateServiceTemplate", json!({ "name": "empty" })).await;
        let deployment = shop.records("prod").await[0]["id"].clone();
        for (operation, input, _) in deletes() {
            let input = if input.get("id").is_some() { json!({ "id": deployment }) } else { input };
            let answers = race(&shop.app, [(operation, input.clone()), (operation, input.clone())]).await;
            let full = answers.iter().filter(|answer| answer.as_ref().unwrap() != &json!({})).count();
            assert_eq!(full, 1, "{operation}: {answers:?}");
        }
    }

    a_deletion_under_way_is_answered_as_it_stands, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
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
        assert_eq!(deleted, ["prod", "web", "web-a"], "each once");
    }

    a_change_that_was_made_is_made_again_without_effect, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        for (operation, mut input) in repeatable() {
            if let Some(arn) = input.get_mut("resourceArn") {
                *arn = format!("{}:{}", shop.app.arn_prefix(), arn.as_str().unwrap()).into();
            }
            let first = shop.app.ok(operation, input.clone()).await;
            assert_eq!(shop.app.ok(operation, input).await, first, "{operation}");
        }
    }

    a_token_updates_an_instance_once_in_eight_hours, async |db| {
        let mut shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let update = |token: &str, kind: &str| json!({ "serviceName": "web", "name": "a", "deploymentType": kind, "clientToken": token });
        let records = async |shop: &Shop| {
            let of = json!({ "serviceName": "web", "serviceInstanceName": "a" });
            shop.app.ok("ListDeployments", of).await["deployments"].as_array().unwrap().len()
        };
        shop.app.ok("UpdateServiceInstance", update("t", "CURRENT_VERSION")).await;
        let born = shop.app.app.clock.now_ms();
        shop.finish().await;
        shop = shop.restart(db).await;
        let age = shop.app.app.clock.now_ms() - born;
        shop.app.pass(LIFE_MS - age - MARGIN_MS);
        let again = shop.app.ok("UpdateServiceInstance", update("t", "CURRENT_VERSION")).await;
        assert_eq!((&again["serviceInstance"]["deploymentStatus"], records(&shop).await), (&json!("SUCCEEDED"), 2));
        mismatch(shop.app.call("UpdateServiceInstance", update("t", "NONE")).await, "another deployment type");
        shop.app.pass(2 * MARGIN_MS);
        shop.app.ok("UpdateServiceInstance", update("t", "CURRENT_VERSION")).await;
        assert_eq!(records(&shop).await, 3, "forgotten after eight hours");
        shop.finish().await;
        // An update that deploys nothing has a token like any other.
        let nothing = shop.app.ok("UpdateServiceInstance", update("n", "NONE")).await;
        assert_eq!(nothing["serviceInstance"]["lastClientRequestToken"], "n");
        assert_eq!(shop.instance("web", "a").await["lastClientRequestToken"], "n");
        assert_eq!(shop.app.ok("UpdateServiceInstance", update("n", "NONE")).await, nothing);
        mismatch(shop.app.call("UpdateServiceInstance", update("n", "CURRENT_VERSION")).await, "a deployment");
        // Tokens are of an operation: the create of another instance does not know it.
        let create = json!({ "serviceName": "web", "name": "b", "spec": spec(&[("a", 1), ("b", 2)]), "clientToken": "n" });
        let made = shop.app.ok("CreateServiceInstance", create).await;
        assert_eq!(made["serviceInstance"]["lastClientRequestToken"], "n");
    }
}
