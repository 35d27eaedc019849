//! What Terraform is given beside the bundle's own files: the document with its inputs.
//!
//! Owns the members of `proton.auto.tfvars.json`, their order, and how it is printed: like the documents that
//! stand in users' repositories, so that nothing differs there without a reason.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The file that Terraform reads by itself.
pub const INPUT_FILE: &str = "proton.auto.tfvars.json";

/// The names of a namespace in the order of the document.
const NAMES: [&str; 6] = ["pipeline", "component", "environment", "service", "service_instance", "service_instances"];

/// The text of [`INPUT_FILE`]: what templates see, the managed tags, and the ARN of the resource as a comment.
pub fn input_document(namespace: &Value, tags: &[(String, String)], arn: &str) -> String {
    let mut document = Map::new();
    for name in NAMES {
        if let Some(value) = namespace.get(name) {
            let value = if name == "service_instance" { instance(value) } else { value.clone() };
            document.insert(name.to_owned(), value);
        }
    }
    let tags: Map<String, Value> = tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    document.insert("proton_tags".to_owned(), Value::Object(tags));
    document.insert("//".to_owned(), arn.into());
    let mut text = String::new();
    print(&Value::Object(document), 0, &mut text);
    text
}

/// Name, inputs and components. What else Jinja templates see of an instance is an alias, and components are
/// there only if one is attached.
fn instance(value: &Value) -> Value {
    let mut members = Map::new();
    for name in ["name", "inputs"] {
        if let Some(value) = value.get(name) {
            members.insert(name.to_owned(), value.clone());
        }
    }
    if let Some(components) = value.get("components") {
        let attached = components.get("default").is_some_and(|default| default.get("name").is_some());
        let components = if attached { components.clone() } else { Value::Object(Map::new()) };
        members.insert("components".to_owned(), components);
    }
    Value::Object(members)
}

/// Two spaces a level, ` : ` after names, lists on one line.
fn print(value: &Value, level: usize, text: &mut String) {
    match value {
        Value::Object(members) if members.is_empty() => text.push_str("{ }"),
        Value::Object(members) => {
            for (number, (name, value)) in members.iter().enumerate() {
                let opening = if number == 0 { "{" } else { "," };
                // Writing to a string does not fail.
                let _ = write!(
                    text,
                    "{opening}\n{:indent$}{} : ",
                    "",
                    Value::from(name.as_str()),
                    indent = 2 * (level + 1)
                );
                print(value, level + 1, text);
            }
            let _ = write!(text, "\n{:indent$}}}", "", indent = 2 * level);
        }
        Value::Array(items) if items.is_empty() => text.push_str("[ ]"),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                text.push_str(if number == 0 { "[ " } else { ", " });
                print(item, level, text);
            }
            text.push_str(" ]");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let _ = write!(text, "{value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::render::namespace::{self, ComponentView, EnvironmentView, InstanceView, ServiceView};
    use serde_json::json;

    fn dev() -> EnvironmentView {
        EnvironmentView { name: "dev".into(), account_id: "000000000001".into(), outputs: json!({"vpc": "vpc-1"}) }
    }

    fn service() -> ServiceView {
        ServiceView { name: "web".into(), ..ServiceView::default() }
    }

    fn names(document: &str) -> Vec<String> {
        let document: Value = serde_json::from_str(document).expect("the document is JSON");
        document.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    #[test]
    fn an_environment_has_name_inputs_tags_and_arn() {
        let tags = [("proton:account".to_owned(), "1".to_owned()), ("proton:template".to_owned(), "t".to_owned())];
        let inputs = json!({"zones": ["a", "b"], "count": 2, "rules": [{"port": 80}, {}], "none": []});
        let text = input_document(&namespace::environment("dev", &inputs), &tags, "arn:env");
        let expected = r#"{
  "environment" : {
    "name" : "dev",
    "inputs" : {
      "zones" : [ "a", "b" ],
      "count" : 2,
      "rules" : [ {
        "port" : 80
      }, { } ],
      "none" : [ ]
    }
  },
  "proton_tags" : {
    "proton:account" : "1",
    "proton:template" : "t"
  },
  "//" : "arn:env"
}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn an_instance_has_its_component_only_when_one_is_attached() {
        let without = namespace::service_instance(&service(), "blue", &json!({"port": 80}), None, &dev());
        let text = input_document(&without, &[], "arn:i");
        assert_eq!(names(&text), ["environment", "service", "service_instance", "proton_tags", "//"]);
        let document: Value = serde_json::from_str(&text).expect("the document is JSON");
        assert_eq!(document["service_instance"], json!({"name": "blue", "inputs": {"port": 80}, "components": {}}));
        assert_eq!(
            document["environment"],
            json!({"account_id": "000000000001", "name": "dev", "outputs": {"vpc": "vpc-1"}})
        );
        let component = ComponentView { name: "db".into(), outputs: json!({"url": "u"}) };
        let with = namespace::service_instance(&service(), "blue", &json!({}), Some(&component), &dev());
        let document: Value = serde_json::from_str(&input_document(&with, &[], "arn:i")).expect("the document is JSON");
        let expected = json!({"default": {"name": "db", "outputs": {"url": "u"}}});
        assert_eq!(document["service_instance"]["components"], expected);
    }

    #[test]
    fn a_pipeline_has_its_instances() {
        let instance =
            InstanceView { name: "blue".into(), inputs: json!({}), outputs: json!({"arn": "a"}), environment: dev() };
        let text =
            input_document(&namespace::pipeline(&service(), &json!({"branch": "main"}), &[instance]), &[], "arn:p");
        assert_eq!(names(&text), ["pipeline", "service", "service_instances", "proton_tags", "//"]);
        assert!(text.contains("\"service_instances\" : [ {\n    \"name\" : \"blue\","), "{text}");
    }
}
