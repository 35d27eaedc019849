//! OpenAPI 3.0 schema objects as JSON Schema draft 4.
//!
//! They differ in little: `nullable`, and keywords that only describe. Numeric `exclusiveMinimum`
//! (of later drafts) and property-wise `required: true` (of earlier ones) occur in the wild too.

use serde_json::{Map, Value};

/// Keywords that say nothing about validity; `default` among them, since defaults are not judged.
const DESCRIPTIVE: [&str; 13] = [
    "default",
    "description",
    "deprecated",
    "discriminator",
    "example",
    "examples",
    "externalDocs",
    "format",
    "nullable",
    "readOnly",
    "title",
    "writeOnly",
    "xml",
];

/// The same schema, in draft 4.
pub(super) fn convert(schema: &Value) -> Value {
    let Value::Object(object) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (keyword, value) in object {
        if DESCRIPTIVE.contains(&keyword.as_str()) {
            continue;
        }
        match (keyword.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(named)) => {
                let named = named.iter().map(|(name, schema)| (name.clone(), convert(schema))).collect();
                out.insert(keyword.clone(), Value::Object(named));
            }
            ("items" | "not" | "additionalProperties", value) => {
                out.insert(keyword.clone(), convert(value));
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                out.insert(keyword.clone(), schemas.iter().map(convert).collect());
            }
            ("required", Value::Bool(_)) => {}
            ("required", Value::Array(names)) if names.is_empty() => {}
            ("exclusiveMinimum", Value::Number(_)) => exclusive(&mut out, "minimum", keyword, value),
            ("exclusiveMaximum", Value::Number(_)) => exclusive(&mut out, "maximum", keyword, value),
            ("exclusiveMinimum" | "exclusiveMaximum", Value::Bool(false)) => {}
            ("minimum" | "maximum", _) if out.contains_key(keyword) => {}
            _ => {
                out.insert(keyword.clone(), value.clone());
            }
        }
    }
    // Draft 4 refuses the boolean without its limit.
    for (exclusive, limit) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if !out.contains_key(limit) {
            out.remove(exclusive);
        }
    }
    if object.get("nullable") == Some(&Value::Bool(true)) {
        allow_null(&mut out);
    }
    Value::Object(out)
}

fn exclusive(out: &mut Map<String, Value>, limit: &str, keyword: &str, value: &Value) {
    out.insert(limit.to_owned(), value.clone());
    out.insert(keyword.to_owned(), Value::Bool(true));
}

fn allow_null(out: &mut Map<String, Value>) {
    if let Some(kind) = out.get_mut("type")
        && kind.is_string()
    {
        *kind = Value::Array(vec![kind.take(), "null".into()]);
    }
    if let Some(Value::Array(values)) = out.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn openapi_keywords_become_draft_4() {
        for (openapi, draft4) in [
            (
                json!({"type": "string", "nullable": true, "enum": ["a"]}),
                json!({"type": ["string", "null"], "enum": ["a", null]}),
            ),
            (json!({"exclusiveMinimum": 3, "minimum": 1}), json!({"minimum": 3, "exclusiveMinimum": true})),
            (json!({"minimum": 1, "exclusiveMinimum": true}), json!({"minimum": 1, "exclusiveMinimum": true})),
            (json!({"exclusiveMaximum": true}), json!({})),
            (json!({"required": true, "title": "T", "default": 1}), json!({})),
            (json!({"required": []}), json!({})),
            (
                json!({"properties": {"default": {"type": "string", "default": "x"}}, "items": {"example": 1}}),
                json!({"properties": {"default": {"type": "string"}}, "items": {}}),
            ),
        ] {
            assert_eq!(convert(&openapi), draft4);
        }
    }
}
