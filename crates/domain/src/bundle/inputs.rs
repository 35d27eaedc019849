//! What Terraform and commands are given beside the bundle's own files: the document with their inputs.
//!
//! Owns its members, their order, and how it is printed: like the documents that stand in users' repositories, so
//! that nothing differs there without a reason.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The file that Terraform reads by itself.
pub const TERRAFORM_FILE: &str = "proton.auto.tfvars.json";
/// The file that commands read, by its format.
pub const JSON_FILE: &str = "proton-inputs.json";
pub const HCL_FILE: &str = "proton-inputs.tfvars";

/// The names of a namespace in the order of the document.
const NAMES: [&str; 6] = ["pipeline", "component", "environment", "service", "service_instance", "service_instances"];

/// The text of [`TERRAFORM_FILE`]: what templates see, the managed tags, and the ARN of the resource as a comment.
pub fn terraform(namespace: &Value, tags: &[(String, String)], arn: &str) -> String {
    let mut document = members(namespace);
    let tags: Map<String, Value> = tags.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    document.insert("proton_tags".to_owned(), Value::Object(tags));
    document.insert("//".to_owned(), arn.into());
    let mut text = String::new();
    print(&Value::Object(document), 0, json_string, &mut text);
    text
}

/// The text of [`JSON_FILE`]: what templates see.
pub fn json(namespace: &Value) -> String {
    let mut text = String::new();
    print(&Value::Object(members(namespace)), 0, json_string, &mut text);
    text
}

/// The text of [`HCL_FILE`]: the same as values of Terraform variables.
pub fn hcl(namespace: &Value) -> String {
    let mut text = String::new();
    for (name, value) in members(namespace) {
        text.push_str(&name);
        text.push_str(" = ");
        print(&value, 0, hcl_string, &mut text);
        text.push('\n');
    }
    text
}

/// The names of the members that are there.
pub(super) fn names(namespace: &Value) -> impl Iterator<Item = &'static str> {
    NAMES.into_iter().filter(|name| namespace.get(name).is_some())
}

fn members(namespace: &Value) -> Map<String, Value> {
    let mut members = Map::new();
    for name in names(namespace) {
        let value = &namespace[name];
        let value = if name == "service_instance" { instance(value) } else { value.clone() };
        members.insert(name.to_owned(), value);
    }
    members
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

fn json_string(text: &str) -> String {
    Value::from(text).to_string()
}

/// Quoted so that HCL takes it for what it is: it reads `${` and `%{` as expressions, and knows fewer escapes.
fn hcl_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' | '%' if rest.peek() == Some(&'{') => quoted.extend([c, c]),
            // Writing to a string does not fail.
            c if c.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Two spaces a level, ` : ` after names, lists on one line.
fn print(value: &Value, level: usize, string: fn(&str) -> String, text: &mut String) {
    match value {
        Value::Object(members) if members.is_empty() => text.push_str("{ }"),
        Value::Object(members) => {
            for (number, (name, value)) in members.iter().enumerate() {
                let opening = if number == 0 { "{" } else { "," };
                // Writing to a string does not fail.
                let _ = write!(text, "{opening}\n{:indent$}{} : ", "", string(name), indent = 2 * (level + 1));
                print(value, level + 1, string, text);
            }
            let _ = write!(text, "\n{:indent$}}}", "", indent = 2 * level);
        }
        Value::Array(items) if items.is_empty() => text.push_str("[ ]"),
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                text.push_str(if number == 0 { "[ " } else { ", " });
                print(item, level, string, text);
            }
            text.push_str(" ]");
        }
        Value::String(value) => text.push_str(&string(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
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
        let text = terraform(&namespace::environment("dev", &inputs), &tags, "arn:env");
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
        let text = terraform(&without, &[], "arn:i");
        assert_eq!(names(&text), ["environment", "service", "service_instance", "proton_tags", "//"]);
        let document: Value = serde_json::from_str(&text).expect("the document is JSON");
        assert_eq!(document["service_instance"], json!({"name": "blue", "inputs": {"port": 80}, "components": {}}));
        assert_eq!(
            document["environment"],
            json!({"account_id": "000000000001", "name": "dev", "outputs": {"vpc": "vpc-1"}})
        );
        let component = ComponentView { name: "db".into(), outputs: json!({"url": "u"}) };
        let with = namespace::service_instance(&service(), "blue", &json!({}), Some(&component), &dev());
        let document: Value = serde_json::from_str(&terraform(&with, &[], "arn:i")).expect("the document is JSON");
        let expected = json!({"default": {"name": "db", "outputs": {"url": "u"}}});
        assert_eq!(document["service_instance"]["components"], expected);
    }

    #[test]
    fn commands_get_the_same_members_as_json_or_as_variables() {
        let inputs =
            json!({"price": "${5} %{x} 100% $", "text": "a\"b\\c\nd\u{1}", "count": 2, "on": true, "zones": ["a"]});
        let namespace = namespace::environment("dev", &inputs);
        let document: Value = serde_json::from_str(&json(&namespace)).expect("the document is JSON");
        assert_eq!(document, json!({"environment": {"name": "dev", "inputs": inputs}}));
        let expected = r#"environment = {
  "name" : "dev",
  "inputs" : {
    "price" : "$${5} %%{x} 100% $",
    "text" : "a\"b\\c\nd\u0001",
    "count" : 2,
    "on" : true,
    "zones" : [ "a" ]
  }
}
"#;
        assert_eq!(hcl(&namespace), expected);
    }

    #[test]
    fn a_pipeline_has_its_instances() {
        let instance =
            InstanceView { name: "blue".into(), inputs: json!({}), outputs: json!({"arn": "a"}), environment: dev() };
        let text = terraform(&namespace::pipeline(&service(), &json!({"branch": "main"}), &[instance]), &[], "arn:p");
        assert_eq!(names(&text), ["pipeline", "service", "service_instances", "proton_tags", "//"]);
        assert!(text.contains("\"service_instances\" : [ {\n    \"name\" : \"blue\","), "{text}");
    }
}
