//! Merging one instance, or the pipeline, of a new spec into the stored one.

use serde_json::{Map, Value};

use super::splice::{Edit, Places, block_text, edited_or_emitted, value_of};
use super::{Problem, SPEC, ServiceSpec};
use crate::bundle::problem;
use crate::bundle::yaml::{self, Node};

/// The stored service spec with the entry of the instance `name` taken from `new`; all else stays,
/// also where `new` differs. An instance that is not stored yet is added at the end.
///
/// # Errors
/// `new` is no service spec, has no such instance, or moves it to another environment.
pub fn merge_instance(stored: &str, name: &str, new: &str) -> Result<String, Problem> {
    let (stored_text, new_text) = (without_bom(stored), without_bom(new));
    let stored_spec = parse(stored_text)?;
    let new_spec = parse(new_text)?;
    let Some(instance) = new_spec.instance(name) else {
        let names: Vec<&str> = new_spec.instances.iter().map(|instance| instance.name.as_str()).collect();
        let remedy = match problem::did_you_mean(name, names.iter().copied()) {
            Some(meant) => format!("add its entry to `instances`; did you mean `{meant}`?"),
            None => format!("add its entry to `instances`, which has: {}", names.join(", ")),
        };
        return Err(Problem::new(SPEC, format!("the spec has no instance `{name}`"), remedy));
    };
    if let Some(current) = stored_spec.instance(name)
        && current.environment != instance.environment
    {
        let message = format!(
            "the instance `{name}` is in the environment `{}`; the spec says `{}`",
            current.environment, instance.environment
        );
        let remedy = "an instance stays in its environment; add a new instance for another one";
        return Err(Problem::new(SPEC, message, remedy).at(instance.line));
    }
    let (stored_root, new_root) = (read(stored_text)?, read(new_text)?);
    let after = value(&new_root)?;
    let found = find(&new_root, name).and_then(|(index, _)| after.get("instances")?.get(index));
    let Some(entry) = found else {
        return Err(Problem::new(SPEC, format!("the spec has no instance `{name}`"), "add its entry to `instances`"));
    };
    let before = value(&stored_root)?;
    let place = find(&stored_root, name);
    let expected = with_instance(&before, place.map(|(index, _)| index), entry);
    if expected == before {
        return Ok(stored.to_owned());
    }
    if expected == after {
        return Ok(new.to_owned());
    }
    let places = Places::new(stored_text);
    let edit = match place {
        Some((_, node)) => replaced(&places, node, entry),
        None => appended(&places, &stored_root, entry),
    };
    Ok(edited_or_emitted(stored_text, edit.map(|edit| vec![edit]), &expected))
}

/// The stored service spec without the entry of the instance `name`; the text itself if there is none.
///
/// # Errors
/// `stored` is no service spec.
pub fn without_instance(stored: &str, name: &str) -> Result<String, Problem> {
    let text = without_bom(stored);
    parse(text)?;
    let root = read(text)?;
    let Some((index, entry)) = find(&root, name) else { return Ok(stored.to_owned()) };
    let mut expected = value(&root)?;
    if let Some(Value::Array(items)) = expected.get_mut("instances") {
        items.remove(index);
    }
    let places = Places::new(text);
    // The dash may stand in a line of its own; whether it did is seen by what the edited text reads as.
    let edit = places.lines(entry.line, entry.last_line).map(|range| vec![Edit { range, text: String::new() }]);
    Ok(edited_or_emitted(text, edit, &expected))
}

/// The stored service spec with the `pipeline` section taken from `new`; all else stays.
///
/// # Errors
/// `new` is no service spec.
pub fn merge_pipeline(stored: &str, new: &str) -> Result<String, Problem> {
    let (stored_text, new_text) = (without_bom(stored), without_bom(new));
    parse(new_text)?;
    let (stored_root, new_root) = (read(stored_text)?, read(new_text)?);
    let after = value(&new_root)?;
    let pipeline = after.get("pipeline");
    let before = value(&stored_root)?;
    let expected = with_pipeline(&before, pipeline);
    if expected == before {
        return Ok(stored.to_owned());
    }
    if expected == after {
        return Ok(new.to_owned());
    }
    let places = Places::new(stored_text);
    let edit = match (stored_root.entry("pipeline"), pipeline) {
        (Some((_, node)), Some(pipeline)) => replaced(&places, node, pipeline),
        (Some((key, node)), None) => {
            places.lines(key.line, node.last_line).map(|range| Edit { range, text: String::new() })
        }
        (None, _) => None,
    };
    Ok(edited_or_emitted(stored_text, edit.map(|edit| vec![edit]), &expected))
}

fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The first problem is enough here: the text was checked as a whole before.
fn parse(text: &str) -> Result<ServiceSpec, Problem> {
    ServiceSpec::parse(text).map_err(|problems| {
        problems.into_iter().next().unwrap_or_else(|| Problem::new(SPEC, "is not a service spec", "check it"))
    })
}

fn read(text: &str) -> Result<Node, Problem> {
    yaml::parse(text).map_err(|error| error.into_problem(SPEC))
}

fn value(spec: &Node) -> Result<Value, Problem> {
    value_of(spec).map_err(|error| error.into_problem(SPEC))
}

/// Position and entry of an instance. Names are compared as written: `name: 1e3` names `1e3`.
fn find<'a>(root: &'a Node, name: &str) -> Option<(usize, &'a Node)> {
    let mut items = root.get("instances")?.items().iter().enumerate();
    items.find(|(_, item)| item.get("name").and_then(Node::text) == Some(name))
}

/// The spec with `entry` in the place of the instance at `index`, or at the end.
fn with_instance(spec: &Value, index: Option<usize>, entry: &Value) -> Value {
    let mut spec = spec.clone();
    if let Value::Object(map) = &mut spec {
        let instances = map.entry("instances").or_insert(Value::Null);
        if !instances.is_array() {
            *instances = Value::Array(Vec::new());
        }
        if let Value::Array(items) = instances {
            match index.and_then(|index| items.get_mut(index)) {
                Some(item) => *item = entry.clone(),
                None => items.push(entry.clone()),
            }
        }
    }
    spec
}

/// The section goes where it was, or else after `proton`.
fn with_pipeline(spec: &Value, pipeline: Option<&Value>) -> Value {
    let mut out = Map::new();
    let Some(map) = spec.as_object() else { return spec.clone() };
    let has_one = map.contains_key("pipeline");
    for (key, value) in map {
        if key != "pipeline" {
            out.insert(key.clone(), value.clone());
        }
        if let Some(pipeline) = pipeline
            && (key == "pipeline" || (!has_one && key == "proton"))
        {
            out.insert("pipeline".to_owned(), pipeline.clone());
        }
    }
    Value::Object(out)
}

/// Writes `value` where `node` stands.
fn replaced(places: &Places<'_>, node: &Node, value: &Value) -> Option<Edit> {
    Some(Edit { range: places.block(node)?, text: block_text(value, node.column) })
}

/// Writes `value` as a new item after the last instance.
fn appended(places: &Places<'_>, root: &Node, value: &Value) -> Option<Edit> {
    let last = root.get("instances")?.items().last()?;
    let end = places.block(last)?.end;
    let dash = " ".repeat(last.column.checked_sub(3)?);
    Some(Edit { range: end..end, text: format!("\n{dash}- {}", block_text(value, last.column)) })
}
