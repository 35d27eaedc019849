//! `${Proton::CURRENT_VAL}`: keep the value that is stored at this path.

use serde_json::{Map, Value};

use super::splice::{Edit, NAMES, Places, edited_or_emitted};
use super::{Problem, SPEC};
use crate::bundle::yaml::{self, Node};

/// The scalar that means "keep the current value".
pub const CURRENT_VAL: &str = "${Proton::CURRENT_VAL}";

/// The new spec with every `${Proton::CURRENT_VAL}` replaced by the value at the same path of the
/// stored spec; instances are told apart by name. A key without a current value is dropped, so that
/// the schema's default applies. Without the marker the text is answered as it is.
///
/// # Errors
/// A text that is not YAML.
pub fn substitute_current(new: &str, stored: Option<&str>) -> Result<String, Problem> {
    let text = new.strip_prefix('\u{feff}').unwrap_or(new);
    if !text.contains("Proton::CURRENT_VAL") {
        return Ok(new.to_owned());
    }
    let read = |text: &str| yaml::parse(text).map_err(|error| error.into_problem(SPEC));
    let node = read(text)?;
    let stored = stored.map(read).transpose()?;
    let mut substitution =
        Substitution { places: Places::new(text), edits: Some(Vec::new()), found: false, instances: false };
    let expected = substitution.node(&node, stored.as_ref(), 0, false).map_err(|error| error.into_problem(SPEC))?;
    if !substitution.found {
        return Ok(new.to_owned());
    }
    Ok(edited_or_emitted(text, substitution.edits, &expected.unwrap_or_default()))
}

struct Substitution<'a> {
    places: Places<'a>,
    /// `None` once something cannot be done in the text.
    edits: Option<Vec<Edit>>,
    found: bool,
    /// Within `instances`, where names are texts.
    instances: bool,
}

impl Substitution<'_> {
    /// The value that `node` comes to; `None` if it is to be dropped.
    fn node(
        &mut self,
        node: &Node,
        stored: Option<&Node>,
        depth: usize,
        is_name: bool,
    ) -> Result<Option<Value>, yaml::YamlError> {
        if node.text() == Some(CURRENT_VAL) {
            self.found = true;
            let Some(current) = stored.map(|stored| scalar(stored, is_name)).transpose()? else { return Ok(None) };
            let edit = self.places.scalar(node, CURRENT_VAL).map(|range| Edit { range, text: yaml::inline(&current) });
            self.edit(edit);
            return Ok(Some(current));
        }
        if node.is_mapping() {
            let mut map = Map::new();
            for (key, value) in node.entries() {
                let name = key.text().unwrap_or_default();
                match self.entry(name, value, stored.and_then(|stored| stored.get(name)), depth)? {
                    Some(value) => {
                        map.insert(name.to_owned(), value);
                    }
                    None => {
                        let range = self.places.lines(key.line, value.last_line);
                        self.edit(range.map(|range| Edit { range, text: String::new() }));
                    }
                }
            }
            return Ok(Some(Value::Object(map)));
        }
        if node.text().is_none() {
            return self.items(node, |_, index| stored.and_then(|stored| stored.items().get(index)), depth).map(Some);
        }
        scalar(node, is_name).map(Some)
    }

    fn entry(
        &mut self,
        name: &str,
        value: &Node,
        stored: Option<&Node>,
        depth: usize,
    ) -> Result<Option<Value>, yaml::YamlError> {
        let by_name = depth == 0 && name == "instances" && !value.is_mapping() && value.text().is_none();
        if !by_name {
            let is_name = self.instances && depth == 2 && NAMES.contains(&name);
            return self.node(value, stored, depth + 1, is_name);
        }
        let namesake = |item: &Node| {
            let name = item.get("name").and_then(Node::text)?;
            stored?.items().iter().find(|stored| stored.get("name").and_then(Node::text) == Some(name))
        };
        self.instances = true;
        let items = self.items(value, |item, _| namesake(item), depth + 1);
        self.instances = false;
        items.map(Some)
    }

    fn items<'s>(
        &mut self,
        node: &Node,
        counterpart: impl Fn(&Node, usize) -> Option<&'s Node>,
        depth: usize,
    ) -> Result<Value, yaml::YamlError> {
        let mut items = Vec::new();
        for (index, item) in node.items().iter().enumerate() {
            match self.node(item, counterpart(item, index), depth + 1, false)? {
                Some(value) => items.push(value),
                None => {
                    let range = self.places.lines(item.line, item.last_line);
                    self.edit(range.map(|range| Edit { range, text: String::new() }));
                }
            }
        }
        Ok(Value::Array(items))
    }

    fn edit(&mut self, edit: Option<Edit>) {
        match (edit, &mut self.edits) {
            (Some(edit), Some(edits)) => edits.push(edit),
            _ => self.edits = None,
        }
    }
}

/// The value of a node; the text of a name, whatever it reads as.
fn scalar(node: &Node, is_name: bool) -> Result<Value, yaml::YamlError> {
    match node.text() {
        Some(text) if is_name && !node.is_null() => Ok(text.into()),
        _ => node.to_value(),
    }
}
