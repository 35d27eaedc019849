//! Whether a schema may follow another in a minor version: every spec that was fine must stay fine.

use serde_json::Value;

use super::{InputType, Schema};

/// Changes listed in one message.
const LISTED: usize = 5;

/// Why `new` is no backward-compatible successor of `old`; `None` if it is one.
///
/// The text names the inputs and ends in the remedy. Not judged are texts, changed defaults and
/// anything that takes more than before.
pub fn breaking_change(old: &Schema, new: &Schema) -> Option<String> {
    let mut changes = compare_types(&old.inputs, &new.inputs);
    match (&old.pipeline, &new.pipeline) {
        (Some(old), Some(new)) => changes.extend(compare_types(old, new)),
        (Some(_), None) => changes.push("`pipeline_input_type` was removed".to_owned()),
        (None, Some(new)) => changes.extend(newly_required(new)),
        (None, None) => {}
    }
    if changes.is_empty() {
        return None;
    }
    let more = changes.len().saturating_sub(LISTED);
    changes.truncate(LISTED);
    let mut text = format!("the schema is not backward compatible: {}", changes.join("; "));
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text.push_str(" — publish it as a new major version, or take the change back");
    Some(text)
}

fn compare_types(old: &InputType, new: &InputType) -> Vec<String> {
    let mut comparison = Comparison { role: new.role, changes: Vec::new() };
    comparison.schemas(&old.schema, &new.schema, "");
    comparison.changes
}

/// A type where there was none before: what it requires, nobody gave so far.
fn newly_required(new: &InputType) -> Vec<String> {
    let mut comparison = Comparison { role: new.role, changes: Vec::new() };
    comparison.required(&Value::Null, &new.schema, "");
    comparison.changes
}

struct Comparison {
    role: &'static str,
    changes: Vec<String>,
}

/// Which way a limit gets narrower.
#[derive(Clone, Copy)]
enum Narrower {
    Higher,
    Lower,
}

const LIMITS: [(&str, Narrower); 8] = [
    ("minimum", Narrower::Higher),
    ("maximum", Narrower::Lower),
    ("minLength", Narrower::Higher),
    ("maxLength", Narrower::Lower),
    ("minItems", Narrower::Higher),
    ("maxItems", Narrower::Lower),
    ("minProperties", Narrower::Higher),
    ("maxProperties", Narrower::Lower),
];

impl Comparison {
    fn change(&mut self, path: &str, what: impl AsRef<str>) {
        let what = what.as_ref();
        self.changes.push(if path.is_empty() {
            format!("`{}` {what}", self.role)
        } else {
            format!("input `{path}` of `{}` {what}", self.role)
        });
    }

    fn schemas(&mut self, old: &Value, new: &Value, path: &str) {
        self.types(old, new, path);
        self.values(old, new, path);
        self.limits(old, new, path);
        self.combinations(old, new, path);
        self.properties(old, new, path);
        self.required(old, new, path);
        if let Some(new_items) = new.get("items") {
            let anything = Value::Object(serde_json::Map::new());
            self.schemas(old.get("items").unwrap_or(&anything), new_items, &format!("{path}[]"));
        }
    }

    fn types(&mut self, old: &Value, new: &Value, path: &str) {
        let (before, after) = (types(old), types(new));
        let Some(after) = after else { return };
        match before {
            None => self.change(path, format!("now must be of type {}", after.join(" or "))),
            Some(before) => {
                let kept =
                    |kind: &String| after.contains(kind) || (kind == "integer" && after.iter().any(|k| k == "number"));
                if !before.iter().all(kept) {
                    self.change(
                        path,
                        format!("changed its type from {} to {}", before.join(" or "), after.join(" or ")),
                    );
                }
            }
        }
    }

    fn values(&mut self, old: &Value, new: &Value, path: &str) {
        let values = |schema: &Value| schema.get("enum").and_then(Value::as_array).cloned();
        let Some(after) = values(new) else { return };
        match values(old) {
            None => self.change(path, "now takes only listed values (`enum`)"),
            Some(before) => {
                let gone: Vec<String> =
                    before.iter().filter(|value| !after.contains(value)).map(Value::to_string).collect();
                if !gone.is_empty() {
                    self.change(path, format!("no longer takes {}", gone.join(", ")));
                }
            }
        }
    }

    fn limits(&mut self, old: &Value, new: &Value, path: &str) {
        for (keyword, narrower) in LIMITS {
            let (before, after) = (limit(old, keyword), limit(new, keyword));
            let Some((after, after_excluded)) = after else { continue };
            let is_narrower = match before {
                None => !is_vacuous(keyword, after),
                Some((before, before_excluded)) => {
                    let beyond = match narrower {
                        Narrower::Higher => after > before,
                        Narrower::Lower => after < before,
                    };
                    beyond || (after == before && after_excluded && !before_excluded)
                }
            };
            if is_narrower {
                let excluded = if after_excluded { " (excluded)" } else { "" };
                let from = before.map_or_else(|| "none".to_owned(), |(before, _)| before.to_string());
                self.change(path, format!("narrowed `{keyword}` from {from} to {after}{excluded}"));
            }
        }
        for keyword in ["pattern", "multipleOf"] {
            let (before, after) = (old.get(keyword), new.get(keyword));
            if after.is_some() && before != after && !is_divisor(keyword, before, after) {
                let from = before.map_or_else(|| "none".to_owned(), Value::to_string);
                self.change(path, format!("changed `{keyword}` from {from} to {}", after.unwrap_or(&Value::Null)));
            }
        }
        if new.get("uniqueItems") == Some(&Value::Bool(true)) && old.get("uniqueItems") != Some(&Value::Bool(true)) {
            self.change(path, "now refuses repeated items (`uniqueItems`)");
        }
    }

    /// Combinations cannot be compared in general: equal or gone is fine.
    fn combinations(&mut self, old: &Value, new: &Value, path: &str) {
        for keyword in ["allOf", "anyOf", "oneOf", "not", "patternProperties"] {
            if let Some(after) = new.get(keyword)
                && old.get(keyword) != Some(after)
            {
                self.change(path, format!("changed `{keyword}`, so that earlier specs may be refused"));
            }
        }
        if let Some(after) = new.get("additionalProperties")
            && after != &Value::Bool(true)
            && old.get("additionalProperties") != Some(after)
        {
            self.change(path, "narrowed `additionalProperties`");
        }
    }

    fn properties(&mut self, old: &Value, new: &Value, path: &str) {
        for (name, before) in properties(old) {
            let inner = join(path, name);
            match new.get("properties").and_then(|properties| properties.get(name)) {
                Some(after) => self.schemas(before, after, &inner),
                None => self.change(&inner, "was removed"),
            }
        }
    }

    /// Required now, without a default, and not required (or not there) before.
    fn required(&mut self, old: &Value, new: &Value, path: &str) {
        for name in required(new) {
            let has_default =
                new.get("properties").and_then(|p| p.get(name)).is_some_and(|p| p.get("default").is_some());
            if has_default || required(old).any(|before| before == name) {
                continue;
            }
            let is_new = old.get("properties").and_then(|properties| properties.get(name)).is_none();
            let what =
                if is_new { "is new and required, and has no default" } else { "became required, and has no default" };
            self.change(&join(path, name), what);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The types that a schema takes, `None` for any.
fn types(schema: &Value) -> Option<Vec<String>> {
    let mut types: Vec<String> = match schema.get("type")? {
        Value::String(kind) => vec![kind.clone()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return None,
    };
    if schema.get("nullable") == Some(&Value::Bool(true)) {
        types.push("null".to_owned());
    }
    Some(types)
}

/// A limit and whether it is itself excluded.
fn limit(schema: &Value, keyword: &str) -> Option<(f64, bool)> {
    let exclusive = match keyword {
        "minimum" => schema.get("exclusiveMinimum"),
        "maximum" => schema.get("exclusiveMaximum"),
        _ => None,
    };
    if let Some(limit) = exclusive.and_then(Value::as_f64) {
        return Some((limit, true));
    }
    let limit = schema.get(keyword).and_then(Value::as_f64)?;
    Some((limit, exclusive == Some(&Value::Bool(true))))
}

/// A lower limit of no length is no limit.
fn is_vacuous(keyword: &str, limit: f64) -> bool {
    matches!(keyword, "minLength" | "minItems" | "minProperties") && limit <= 0.0
}

/// Multiples of 10 are multiples of 5.
fn is_divisor(keyword: &str, before: Option<&Value>, after: Option<&Value>) -> bool {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64).filter(|number| *number > 0.0);
    match (number(before), number(after)) {
        (Some(before), Some(after)) => keyword == "multipleOf" && before % after == 0.0,
        _ => false,
    }
}
