//! Specs: a new one; after a line of `=====` the stored one; after another one the schema.
//!
//! What is refused says where. What is accepted reads the same when it is written anew, and changes of one part of
//! a spec change nothing else of it.

use protium_domain::bundle::{
    CURRENT_VAL, EnvironmentSpec, InstanceSpec, Schema, ServiceSpec, merge_instance, merge_pipeline,
    spec::without_instance, substitute_current, yaml,
};
use protium_domain::template::TemplateKind;
use serde_json::Value;

use super::schema::check_inputs;
use super::{check_problems, texts};

/// The stored spec and the schema of an input that has none.
const STORED: &str = "proton: ServiceSpec\n\npipeline:\n  branch: main\ninstances:\n  # the first\n  - name: one\n    \
                      environment: dev\n    spec:\n      port: 80\n      list: [a, b]\n  - name: two\n    \
                      environment: prod\n    spec: {port: 81}\n";
const SCHEMA: &str = "schema:\n  format:\n    openapi: \"3.0.0\"\n  service_input_type: S\n  pipeline_input_type: P\n  \
                      types:\n    S:\n      type: object\n      properties:\n        port: {type: integer, minimum: 1, \
                      default: 80}\n        name: {type: string, pattern: '^[a-z]+$'}\n        list: {type: array, \
                      items: {type: string}}\n        deep: {type: object, properties: {x: {type: number}}, required: \
                      [x]}\n      required: [name]\n    P:\n      type: object\n      properties:\n        branch: \
                      {type: string, enum: [main, dev]}\n";

/// As an environment's and as a service's spec.
pub fn check(input: &[u8]) {
    let texts = texts(input);
    let text = |index: usize, other| texts.get(index).map_or(other, String::as_str);
    let (new, stored, schema) = (text(0, ""), text(1, STORED), text(2, SCHEMA));
    written_anew(new);
    match EnvironmentSpec::parse(new) {
        Ok(spec) => {
            if let Ok(schema) = Schema::parse(schema, TemplateKind::Environment) {
                check_inputs(schema.inputs(), &spec.inputs);
            }
        }
        Err(problems) => check_problems(&problems, "spec", new),
    }
    let spec = ServiceSpec::parse(new);
    match &spec {
        Ok(spec) => against(spec, schema),
        Err(problems) => check_problems(problems, "spec", new),
    }
    for stored in [None, Some(stored)] {
        substituted(new, stored);
    }
    if let (Ok(spec), Ok(old)) = (&spec, ServiceSpec::parse(stored)) {
        assert_eq!(spec.diff(spec).unchanged.len(), spec.instances.len());
        merged((stored, &old), (new, spec));
    }
}

fn written_anew(text: &str) {
    let Ok(value) = yaml::parse(text).and_then(|root| root.to_value()) else { return };
    let written = yaml::emit(&value);
    let again = yaml::parse(&written).and_then(|root| root.to_value());
    assert_eq!(again, Ok(value), "{written}");
}

fn against(spec: &ServiceSpec, schema: &str) {
    let Ok(schema) = Schema::parse(schema, TemplateKind::Service) else { return };
    for instance in spec.instances.iter().take(3) {
        check_inputs(schema.inputs(), &instance.inputs);
    }
    if let (Some(inputs), Some(pipeline)) = (schema.pipeline_inputs(), &spec.pipeline) {
        check_inputs(inputs, pipeline);
    }
}

/// No marker is left, and nothing happens where there was none.
fn substituted(new: &str, stored: Option<&str>) {
    let result = match substitute_current(new, stored) {
        Ok(result) => result,
        Err(problem) => return assert!(!problem.message.is_empty()),
    };
    if !new.contains("Proton::CURRENT_VAL") {
        assert_eq!(result, new);
    } else if !stored.is_some_and(|stored| stored.contains("CURRENT_VAL"))
        && let Ok(value) = yaml::parse(&result).and_then(|root| root.to_value())
    {
        assert!(!has_marker(&value), "{result}");
    }
}

fn has_marker(value: &Value) -> bool {
    match value {
        Value::String(text) => text == CURRENT_VAL,
        Value::Array(items) => items.iter().any(has_marker),
        Value::Object(map) => map.values().any(has_marker),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Each change of a part leaves a spec with that change, and no other.
fn merged((stored, old): (&str, &ServiceSpec), (new, spec): (&str, &ServiceSpec)) {
    let read = |text: &str| ServiceSpec::parse(text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    for instance in spec.instances.iter().take(3) {
        if let Ok(text) = merge_instance(stored, &instance.name, new) {
            let merged = read(&text);
            assert_eq!(bare(merged.instance(&instance.name)), bare(Some(instance)), "{text}");
            others_stay(&merged, old, &instance.name);
            assert_eq!(merged.pipeline, old.pipeline, "{text}");
        }
    }
    if let Some(instance) = old.instances.first()
        && let Ok(text) = without_instance(stored, &instance.name)
    {
        let without = read(&text);
        assert!(without.instance(&instance.name).is_none(), "{text}");
        others_stay(&without, old, &instance.name);
        assert_eq!(without.pipeline, old.pipeline, "{text}");
    }
    if let Ok(text) = merge_pipeline(stored, new) {
        let merged = read(&text);
        assert_eq!(merged.pipeline, spec.pipeline, "{text}");
        others_stay(&merged, old, "");
    }
}

fn others_stay(merged: &ServiceSpec, old: &ServiceSpec, but: &str) {
    for other in old.instances.iter().filter(|other| other.name != but) {
        assert_eq!(bare(merged.instance(&other.name)), bare(Some(other)));
    }
}

/// All but where it stands.
fn bare(instance: Option<&InstanceSpec>) -> Option<(&str, &str, &Value)> {
    instance.map(|instance| (instance.name.as_str(), instance.environment.as_str(), &instance.inputs))
}
