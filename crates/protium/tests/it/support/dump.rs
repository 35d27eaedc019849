//! All that a client sees of an account and region, without what is drawn at random and without times: two such texts
//! are equal if nobody can tell the states apart.

use super::app::{Refused, TestApp};
use serde_json::{Map, Value, json};

/// A list, and what is asked about each of its entries: the members of a question, and where in the entry they are.
struct List {
    operation: &'static str,
    input: Value,
    entries: &'static str,
    about: &'static [(&'static str, &'static [(&'static str, &'static str)])],
}

const NAME: &[(&str, &str)] = &[("name", "name")];
const TAGS: (&str, &[(&str, &str)]) = ("ListTagsForResource", &[("resourceArn", "arn")]);
const VERSION: &[(&str, &str)] =
    &[("templateName", "templateName"), ("majorVersion", "majorVersion"), ("minorVersion", "minorVersion")];
const MAJOR: &[(&str, &str)] = &[("templateName", "templateName"), ("majorVersion", "majorVersion")];
const INSTANCE: &[(&str, &str)] = &[("serviceName", "serviceName"), ("serviceInstanceName", "name")];
const REPOSITORY: &[(&str, &str)] = &[("repositoryName", "name"), ("repositoryProvider", "provider")];

fn lists() -> Vec<List> {
    let list = |operation, input, entries, about| List { operation, input, entries, about };
    let connections = |side: &str| json!({ "requestedBy": side });
    vec![
        list(
            "ListEnvironments",
            json!({}),
            "environments",
            &[
                ("GetEnvironment", NAME),
                ("ListEnvironmentOutputs", &[("environmentName", "name")]),
                ("ListEnvironmentProvisionedResources", &[("environmentName", "name")]),
                TAGS,
            ],
        ),
        list(
            "ListServices",
            json!({}),
            "services",
            &[
                ("GetService", NAME),
                ("ListServicePipelineOutputs", &[("serviceName", "name")]),
                ("GetServiceSyncConfig", &[("serviceName", "name")]),
                ("GetServiceSyncBlockerSummary", &[("serviceName", "name")]),
                TAGS,
            ],
        ),
        list(
            "ListServiceInstances",
            json!({}),
            "serviceInstances",
            &[
                ("GetServiceInstance", &[("serviceName", "serviceName"), ("name", "name")]),
                ("ListServiceInstanceOutputs", INSTANCE),
                ("ListServiceInstanceProvisionedResources", INSTANCE),
                ("GetServiceSyncBlockerSummary", INSTANCE),
                TAGS,
            ],
        ),
        list(
            "ListComponents",
            json!({}),
            "components",
            &[
                ("GetComponent", NAME),
                ("ListComponentOutputs", &[("componentName", "name")]),
                ("ListComponentProvisionedResources", &[("componentName", "name")]),
                TAGS,
            ],
        ),
        list("ListDeployments", json!({}), "deployments", &[("GetDeployment", &[("id", "id")])]),
        list(
            "ListRepositories",
            json!({}),
            "repositories",
            &[("GetRepository", &[("name", "name"), ("provider", "provider")]), TAGS],
        ),
        list(
            "ListEnvironmentAccountConnections",
            connections("MANAGEMENT_ACCOUNT"),
            "environmentAccountConnections",
            &[("GetEnvironmentAccountConnection", &[("id", "id")])],
        ),
        list(
            "ListEnvironmentAccountConnections",
            connections("ENVIRONMENT_ACCOUNT"),
            "environmentAccountConnections",
            &[("GetEnvironmentAccountConnection", &[("id", "id")]), TAGS],
        ),
    ]
}

/// Lists that are narrowed by an entry of another list.
fn inner_lists(entry: &Value, of: &str) -> Vec<List> {
    let list = |operation, input, entries, about| List { operation, input, entries, about };
    match of {
        // An entry for each major version; the list of that one's minor versions is another.
        "ListEnvironmentTemplates" => {
            let input = members(entry, &[("templateName", "name")]);
            vec![list("ListEnvironmentTemplateVersions", input, "templateVersions", &[])]
        }
        "ListServiceTemplates" => {
            let input = members(entry, &[("templateName", "name")]);
            vec![list("ListServiceTemplateVersions", input, "templateVersions", &[])]
        }
        "ListEnvironmentTemplateVersions" => vec![list(
            "ListEnvironmentTemplateVersions",
            members(entry, MAJOR),
            "templateVersions",
            &[("GetEnvironmentTemplateVersion", VERSION), TAGS],
        )],
        "ListServiceTemplateVersions" => vec![list(
            "ListServiceTemplateVersions",
            members(entry, MAJOR),
            "templateVersions",
            &[("GetServiceTemplateVersion", VERSION), TAGS],
        )],
        "ListRepositories" => ["TEMPLATE_SYNC", "SERVICE_SYNC"]
            .into_iter()
            .map(|kind| {
                let mut input = members(entry, REPOSITORY);
                input["syncType"] = kind.into();
                list("ListRepositorySyncDefinitions", input, "syncDefinitions", &[])
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A line for each question that can be asked, in an order of its own.
pub async fn dump(apps: &[&TestApp]) -> Vec<String> {
    let mut lines = Vec::new();
    for app in apps {
        for (operation, kind) in [("ListEnvironmentTemplates", "ENVIRONMENT"), ("ListServiceTemplates", "SERVICE")] {
            for entry in entries(app, &mut lines, operation, json!({}), "templates").await {
                let get = operation.replace("List", "Get").replace("Templates", "Template");
                ask(app, &mut lines, &get, members(&entry, NAME)).await;
                let sync = json!({ "templateName": entry["name"], "templateType": kind });
                ask(app, &mut lines, "GetTemplateSyncConfig", sync).await;
                ask(app, &mut lines, TAGS.0, members(&entry, TAGS.1)).await;
                for majors in inner_lists(&entry, operation) {
                    for major in entries(app, &mut lines, majors.operation, majors.input, majors.entries).await {
                        through_all(app, &mut lines, inner_lists(&major, majors.operation)).await;
                    }
                }
            }
        }
        through_all(app, &mut lines, lists()).await;
        for entry in entries(app, &mut Vec::new(), "ListRepositories", json!({}), "repositories").await {
            through_all(app, &mut lines, inner_lists(&entry, "ListRepositories")).await;
        }
        for operation in ["GetAccountSettings", "GetResourcesSummary"] {
            ask(app, &mut lines, operation, json!({})).await;
        }
    }
    lines.sort();
    lines
}

async fn through_all(app: &TestApp, lines: &mut Vec<String>, lists: Vec<List>) {
    for list in lists {
        for entry in entries(app, lines, list.operation, list.input, list.entries).await {
            for (operation, from) in list.about {
                ask(app, lines, operation, members(&entry, from)).await;
            }
        }
    }
}

async fn entries(app: &TestApp, lines: &mut Vec<String>, operation: &str, input: Value, entries: &str) -> Vec<Value> {
    let answer = app.call(operation, input.clone()).await;
    note(app, lines, operation, &input, &answer);
    let answer = answer.unwrap_or_else(|refused| panic!("{operation} {input}: {refused:?}"));
    assert_eq!(answer.get("nextToken"), None, "{operation}: one page shows all");
    answer[entries].as_array().unwrap_or_else(|| panic!("{operation} has no {entries}: {answer}")).clone()
}

async fn ask(app: &TestApp, lines: &mut Vec<String>, operation: &str, input: Value) {
    let answer = app.call(operation, input.clone()).await;
    note(app, lines, operation, &input, &answer);
}

fn note(app: &TestApp, lines: &mut Vec<String>, operation: &str, input: &Value, answer: &Result<Value, Refused>) {
    lines.push(format!("{operation} {} {}", plain(app, input), plain_answer(app, answer)));
}

fn members(entry: &Value, from: &[(&str, &str)]) -> Value {
    from.iter().map(|(member, place)| ((*member).to_owned(), entry[*place].clone())).collect::<Map<_, _>>().into()
}

/// An answer without what is drawn at random and without times.
pub fn plain_answer(app: &TestApp, answer: &Result<Value, Refused>) -> String {
    match answer {
        Ok(output) => plain(app, output).to_string(),
        Err(refused) => format!("{}: {}", refused.code, without_ids(&app.scope().region, &refused.message)),
    }
}

fn plain(app: &TestApp, value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), plain(app, value))).collect(),
        Value::Array(entries) => {
            let mut entries: Vec<Value> = entries.iter().map(|entry| plain(app, entry)).collect();
            // Things that happened within one millisecond have no order.
            entries.sort_by_key(Value::to_string);
            entries.into()
        }
        Value::String(text) => without_ids(&app.scope().region, text).into(),
        Value::Number(number) if number.as_f64().is_some_and(|number| number > 1e9) => "a time".into(),
        other => other.clone(),
    }
}

/// Without ids, the random ends of stack names and the name of the region.
fn without_ids(region: &str, text: &str) -> String {
    let text = text.replace(region, "here");
    let (mut plain, mut rest) = (String::new(), text.as_str());
    while let Some(first) = rest.chars().next() {
        if rest.get(..36).is_some_and(|head| uuid::Uuid::try_parse(head).is_ok()) {
            plain += "an-id";
            rest = &rest[36..];
        } else if let Some(end) = rest.strip_prefix("--").and_then(|tail| tail.get(..15))
            && end.bytes().all(|byte| byte.is_ascii_uppercase())
        {
            plain += "--RANDOM";
            rest = &rest[17..];
            // The double numbers its stacks.
            if let Some(id) = rest.strip_prefix('/') {
                rest = id.trim_start_matches(|one: char| one.is_ascii_digit());
            }
        } else {
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    plain
}

#[test]
fn what_is_drawn_at_random_is_left_out() {
    let text = "arn:x:r-1:stack/AWSProton-prod-cloudformation--ABCDEFGHIJKLMNO/00000007 — ü";
    assert_eq!(without_ids("r-1", text), "arn:x:here:stack/AWSProton-prod-cloudformation--RANDOM — ü");
    assert_eq!(without_ids("r-1", "x/0b0e2b7c-1a2b-4c3d-8e4f-5a6b7c8d9e0f/y"), "x/an-id/y");
}
