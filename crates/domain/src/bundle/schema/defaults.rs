//! Filling in defaults, nested ones too.

use serde_json::{Map, Value};

use super::escape_pointer;

/// The inputs with defaults, and the JSON pointers of the values that were filled in.
///
/// An object that was not given and has no default of its own comes to be if its properties have
/// defaults, unless that would leave a required one missing.
pub(super) fn fill(schema: &Value, given: &Value) -> (Value, Vec<String>) {
    let mut value = given.clone();
    let mut defaulted = Vec::new();
    fill_in(schema, &mut value, "", &mut defaulted);
    (value, defaulted)
}

fn fill_in(schema: &Value, value: &mut Value, pointer: &str, defaulted: &mut Vec<String>) {
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        fill_in(part, value, pointer, defaulted);
    }
    match value {
        Value::Object(map) => {
            for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let pointer = format!("{pointer}/{}", escape_pointer(name));
                match map.get_mut(name) {
                    Some(value) => fill_in(property, value, &pointer, defaulted),
                    None => {
                        if let Some(default) = absent(property) {
                            map.insert(name.clone(), default);
                            defaulted.push(pointer);
                        }
                    }
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else { return };
            for (index, item) in items.iter_mut().enumerate() {
                fill_in(schema, item, &format!("{pointer}/{index}"), defaulted);
            }
        }
        _ => {}
    }
}

/// What stands for a property that was not given, if anything does.
fn absent(schema: &Value) -> Option<Value> {
    if let Some(default) = schema.get("default") {
        let mut default = default.clone();
        fill_in(schema, &mut default, "", &mut Vec::new());
        return Some(default);
    }
    let properties = schema.get("properties").and_then(Value::as_object)?;
    let filled: Map<String, Value> =
        properties.iter().filter_map(|(name, property)| Some((name.clone(), absent(property)?))).collect();
    let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let complete = required.iter().filter_map(Value::as_str).all(|name| filled.contains_key(name));
    (complete && !filled.is_empty()).then_some(Value::Object(filled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_fill_every_level() {
        let schema = json!({"properties": {
            "port": {"default": 80},
            "size": {"type": "string"},
            "vpc": {"properties": {"cidr": {"default": "10.0.0.0/16"}, "name": {}}},
            "strict": {"required": ["x"], "properties": {"x": {}, "y": {"default": 1}}},
            "rules": {"items": {"properties": {"open": {"default": true}}}},
            "whole": {"default": {"a": 1}, "properties": {"a": {"default": 2}, "b": {"default": 3}}},
        }});
        let (filled, defaulted) = fill(&schema, &json!({"rules": [{}, {"open": false}], "extra": 1}));
        assert_eq!(
            filled,
            json!({
                "rules": [{"open": true}, {"open": false}], "extra": 1, "port": 80,
                "vpc": {"cidr": "10.0.0.0/16"}, "whole": {"a": 1, "b": 3},
            })
        );
        assert_eq!(defaulted, ["/port", "/vpc", "/rules/0/open", "/whole"]);
    }

    #[test]
    fn what_was_given_stays() {
        let schema = json!({"properties": {"a": {"default": 1}, "b": {"properties": {"c": {"default": 2}}}}});
        assert_eq!(fill(&schema, &json!({"a": null, "b": {"c": 0}})).0, json!({"a": null, "b": {"c": 0}}));
        assert_eq!(fill(&schema, &json!({"a": 0, "b": 7})).0, json!({"a": 0, "b": 7}));
    }
}
