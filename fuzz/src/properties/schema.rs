//! Schemas: the text of `schema/schema.yaml`, for both kinds of templates.

use protium_domain::bundle::schema::InputType;
use protium_domain::bundle::{SCHEMA_FILE, Schema, breaking_changes, yaml};
use protium_domain::template::TemplateKind;
use protium_domain::version::Version;
use serde_json::{Value, json};

use super::{check_problems, has, texts};

/// A schema is refused with places in its text, or follows itself, and stays what it is when it is written anew.
pub fn check(input: &[u8]) {
    for text in texts(input).iter().take(2) {
        for kind in [TemplateKind::Environment, TemplateKind::Service] {
            match Schema::parse(text, kind) {
                Ok(schema) => accepted(&schema, text, kind),
                Err(problems) => check_problems(&problems, SCHEMA_FILE, text),
            }
        }
    }
}

fn accepted(schema: &Schema, text: &str, kind: TemplateKind) {
    assert_eq!(breaking_changes(schema, Version::new(1, 0), schema, text), []);
    let types = || [Some(schema.inputs()), schema.pipeline_inputs()].into_iter().flatten();
    for inputs in types() {
        for given in [json!({}), json!({ "a": 1, "b": [{}], "c": { "d": "" } })] {
            check_inputs(inputs, &given);
        }
    }
    // A type whose name is written as a number is looked for under another name then.
    let value = yaml::parse(text).and_then(|root| root.to_value());
    if let Some(again) = value.ok().and_then(|value| Schema::parse(&yaml::emit(&value), kind).ok()) {
        assert_eq!(again.inputs().schema(), schema.inputs().schema());
    }
}

/// What was given stays, and what is wrong with it is named.
pub(super) fn check_inputs(inputs: &InputType, given: &Value) {
    let filled = inputs.with_defaults(given);
    assert!(has(&filled, given), "{given} became {filled}");
    let problems = inputs.check_inputs(given);
    assert!(problems.len() <= 50, "{}", problems.len());
    for problem in &problems {
        let parent = problem.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
        let is_there = filled.pointer(&problem.pointer).or(filled.pointer(parent)).is_some();
        assert!(is_there && !problem.message.is_empty(), "{problem:?} in {filled}");
        assert!(problem.to_string().starts_with("input"), "{problem}");
    }
}
