//! Whether a schema may follow another in a minor version: every spec that was fine must stay fine.

use serde_json::Value;

use super::{InputType, SCHEMA_FILE, Schema, reference};
use crate::bundle::problem::Problem;
use crate::bundle::yaml::{self, Node};
use crate::version::Version;

/// What makes `new` no backward-compatible successor of `old`, the schema of the version `than`; nothing if it is one.
/// `text` is what `new` was read from.
///
/// Each problem names the input, the line in the new text and the remedy. Not judged are texts, changed defaults and
/// anything that takes more than before.
pub fn breaking_changes(old: &Schema, than: Version, new: &Schema, text: &str) -> Vec<Problem> {
    // It was read once, so it is read again; if not, the problems name no lines.
    let root = yaml::parse(text).ok();
    let top = root.as_ref().map_or(Place { line: None, node: None }, |root| Place::of(root).below(None, "schema"));
    let compare = |role: &'static str| Comparison::new(role, than, top);
    let mut problems = compare(new.inputs.role).types_of(&old.inputs, &new.inputs);
    match (&old.pipeline, &new.pipeline) {
        (Some(old), Some(new)) => problems.extend(compare(new.role).types_of(old, new)),
        (Some(old), None) => problems.extend(compare(old.role).removed()),
        (None, Some(new)) => problems.extend(compare(new.role).newly_required(new)),
        (None, None) => {}
    }
    problems
}

/// Where something is written in the text of the new schema.
#[derive(Clone, Copy)]
struct Place<'a> {
    line: Option<usize>,
    node: Option<&'a Node>,
}

impl<'a> Place<'a> {
    fn of(node: &'a Node) -> Self {
        Self { line: Some(node.line), node: Some(node) }
    }

    /// Where `key` is written, in the type that is referred to here if not here; this place if nowhere.
    fn below(self, types: Option<&'a Node>, key: &str) -> Self {
        let mut node = self.node;
        // A reference leads to another one as long as types last, since none contains itself.
        for _ in 0..=types.map_or(0, |types| types.entries().len()) {
            let Some(here) = node else { break };
            if let Some((key, value)) = here.entry(key) {
                return Self { line: Some(key.line), node: Some(value) };
            }
            let name = here.get("$ref").and_then(Node::text).and_then(reference::name);
            node = name.and_then(|name| types?.get(name));
        }
        self
    }
}

/// What changed in one input type.
struct Comparison<'a> {
    role: &'static str,
    than: Version,
    /// What `schema:` is in the new text.
    top: Place<'a>,
    problems: Vec<Problem>,
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

impl<'a> Comparison<'a> {
    fn new(role: &'static str, than: Version, top: Place<'a>) -> Self {
        Self { role, than, top, problems: Vec::new() }
    }

    fn types_of(mut self, old: &InputType, new: &InputType) -> Vec<Problem> {
        self.schemas(&old.schema, &new.schema, "", self.start());
        self.problems
    }

    /// A type where there is none any more.
    fn removed(mut self) -> Vec<Problem> {
        self.change("", self.top, "was removed");
        self.problems
    }

    /// A type where there was none before: what it requires, nobody gave so far.
    fn newly_required(mut self, new: &InputType) -> Vec<Problem> {
        self.required(&Value::Null, &new.schema, "", self.start());
        self.problems
    }

    /// Where the type is written that the role names.
    fn start(&self) -> Place<'a> {
        let name = self.top.node.and_then(|schema| schema.get(self.role)).and_then(Node::text);
        name.map_or(self.top, |name| self.top.below(None, "types").below(None, name))
    }

    fn below(&self, at: Place<'a>, key: &str) -> Place<'a> {
        at.below(self.top.node.and_then(|schema| schema.get("types")), key)
    }

    fn change(&mut self, path: &str, at: Place<'a>, what: impl AsRef<str>) {
        let input =
            if path.is_empty() { format!("`{}`", self.role) } else { format!("input `{path}` of `{}`", self.role) };
        let message = format!("{input} {}, which is not backward compatible with version {}", what.as_ref(), self.than);
        let remedy = "take the change back, or register the bundle as a new major version";
        self.problems.push(Problem { line: at.line, ..Problem::new(SCHEMA_FILE, message, remedy) });
    }

    fn schemas(&mut self, old: &Value, new: &Value, path: &str, at: Place<'a>) {
        self.types(old, new, path, at);
        self.values(old, new, path, at);
        self.limits(old, new, path, at);
        self.combinations(old, new, path, at);
        self.properties(old, new, path, at);
        self.required(old, new, path, at);
        if let Some(new_items) = new.get("items") {
            let anything = Value::Object(serde_json::Map::new());
            let items = self.below(at, "items");
            self.schemas(old.get("items").unwrap_or(&anything), new_items, &format!("{path}[]"), items);
        }
    }

    fn types(&mut self, old: &Value, new: &Value, path: &str, at: Place<'a>) {
        let (before, after) = (types(old), types(new));
        let Some(after) = after else { return };
        let at = self.below(at, "type");
        match before {
            None => self.change(path, at, format!("now must be of type {}", after.join(" or "))),
            Some(before) => {
                let kept =
                    |kind: &String| after.contains(kind) || (kind == "integer" && after.iter().any(|k| k == "number"));
                if !before.iter().all(kept) {
                    let what = format!("changed its type from {} to {}", before.join(" or "), after.join(" or "));
                    self.change(path, at, what);
                }
            }
        }
    }

    fn values(&mut self, old: &Value, new: &Value, path: &str, at: Place<'a>) {
        let values = |schema: &Value| schema.get("enum").and_then(Value::as_array).cloned();
        let Some(after) = values(new) else { return };
        let at = self.below(at, "enum");
        match values(old) {
            None => self.change(path, at, "now takes only listed values (`enum`)"),
            Some(before) => {
                let gone: Vec<String> =
                    before.iter().filter(|value| !after.contains(value)).map(Value::to_string).collect();
                if !gone.is_empty() {
                    self.change(path, at, format!("no longer takes {}", gone.join(", ")));
                }
            }
        }
    }

    fn limits(&mut self, old: &Value, new: &Value, path: &str, at: Place<'a>) {
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
                let what = format!("narrowed `{keyword}` from {from} to {after}{excluded}");
                self.change(path, self.below(at, keyword), what);
            }
        }
        for keyword in ["pattern", "multipleOf"] {
            let (before, after) = (old.get(keyword), new.get(keyword));
            if after.is_some() && before != after && !is_divisor(keyword, before, after) {
                let from = before.map_or_else(|| "none".to_owned(), Value::to_string);
                let what = format!("changed `{keyword}` from {from} to {}", after.unwrap_or(&Value::Null));
                self.change(path, self.below(at, keyword), what);
            }
        }
        if new.get("uniqueItems") == Some(&Value::Bool(true)) && old.get("uniqueItems") != Some(&Value::Bool(true)) {
            self.change(path, self.below(at, "uniqueItems"), "now refuses repeated items (`uniqueItems`)");
        }
    }

    /// Combinations cannot be compared in general: equal or gone is fine.
    fn combinations(&mut self, old: &Value, new: &Value, path: &str, at: Place<'a>) {
        for keyword in ["allOf", "anyOf", "oneOf", "not", "patternProperties"] {
            if let Some(after) = new.get(keyword)
                && old.get(keyword) != Some(after)
            {
                let what = format!("changed `{keyword}`");
                self.change(path, self.below(at, keyword), what);
            }
        }
        if let Some(after) = new.get("additionalProperties")
            && after != &Value::Bool(true)
            && old.get("additionalProperties") != Some(after)
        {
            self.change(path, self.below(at, "additionalProperties"), "narrowed `additionalProperties`");
        }
    }

    fn properties(&mut self, old: &Value, new: &Value, path: &str, at: Place<'a>) {
        let all = self.below(at, "properties");
        for (name, before) in properties(old) {
            let inner = join(path, name);
            match new.get("properties").and_then(|properties| properties.get(name)) {
                Some(after) => self.schemas(before, after, &inner, self.below(all, name)),
                None => self.change(&inner, all, "was removed"),
            }
        }
    }

    /// Required now, without a default, and not required (or not there) before.
    fn required(&mut self, old: &Value, new: &Value, path: &str, at: Place<'a>) {
        for name in required(new) {
            let has_default =
                new.get("properties").and_then(|p| p.get(name)).is_some_and(|p| p.get("default").is_some());
            if has_default || required(old).any(|before| before == name) {
                continue;
            }
            let is_new = old.get("properties").and_then(|properties| properties.get(name)).is_none();
            let what =
                if is_new { "is new and required, and has no default" } else { "became required, and has no default" };
            self.change(&join(path, name), self.below(at, "required"), what);
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
