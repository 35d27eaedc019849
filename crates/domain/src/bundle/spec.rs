//! Specs: what a user asks of an environment or a service, as YAML text.
//!
//! Owns reading them, `${Proton::CURRENT_VAL}`, merging one part into the stored text, and telling
//! what differs. It does not check inputs against a schema (`schema` does), nor whether environments
//! exist. Keys that have no meaning are tolerated. Text that need not change is not changed: the user's
//! comments and order survive.

mod current;
mod diff;
mod merge;
mod splice;

pub use current::{CURRENT_VAL, substitute_current};
pub use diff::SpecDiff;
pub use merge::{merge_instance, merge_pipeline, without_instance};

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::problem::Problem;
use super::yaml::{self, Node};
use crate::name::is_resource_name;

/// What problems call a spec.
pub(crate) const SPEC: &str = "spec";

/// The spec of an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentSpec {
    /// What stands below `spec:`, an object; empty where nothing does.
    pub inputs: Value,
}

/// The spec of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSpec {
    /// What stands below `pipeline:`, an object; `None` where nothing does, or `{}`.
    pub pipeline: Option<Value>,
    /// The instances in their order, names distinct; may be empty.
    pub instances: Vec<InstanceSpec>,
}

/// One entry of `instances:`.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceSpec {
    /// Its name, a legal resource name.
    pub name: String,
    /// The name of its environment, a legal resource name.
    pub environment: String,
    /// What stands below its `spec:`, an object; empty where nothing does.
    pub inputs: Value,
    /// The line that it begins in, from 1.
    pub line: usize,
}

impl EnvironmentSpec {
    /// Parses the text of a spec.
    ///
    /// # Errors
    /// Everything that is wrong with it; the problems' file is `spec`.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let root = root(text, "EnvironmentSpec").map_err(|problem| vec![problem])?;
        let mut reader = Reader::default();
        let inputs = reader.object(root.get("spec"), "spec");
        reader.finish(Self { inputs })
    }
}

impl ServiceSpec {
    /// Parses the text of a spec.
    ///
    /// # Errors
    /// Everything that is wrong with it; the problems' file is `spec`.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        let root = root(text, "ServiceSpec").map_err(|problem| vec![problem])?;
        let mut reader = Reader::default();
        let pipeline = Some(reader.object(root.get("pipeline"), "pipeline")).filter(|value| !is_empty(value));
        let instances = reader.instances(root.get("instances"));
        reader.finish(Self { pipeline, instances })
    }

    /// The instance of that name.
    pub fn instance(&self, name: &str) -> Option<&InstanceSpec> {
        self.instances.iter().find(|instance| instance.name == name)
    }

    /// What `new` changes, instances told apart by name.
    pub fn diff(&self, new: &Self) -> SpecDiff {
        diff::diff(self, new)
    }
}

/// The document as a mapping of the right kind.
fn root(text: &str, kind: &str) -> Result<Node, Problem> {
    let root = yaml::parse(text).map_err(|error| error.into_problem(SPEC))?;
    if !root.is_mapping() {
        let message = format!("the spec is {}, not a mapping", root.describe());
        return Err(Problem::new(SPEC, message, format!("begin it with `proton: {kind}`")).at(root.line));
    }
    match root.get("proton").map(|node| (node.text(), node)) {
        Some((Some(given), _)) if given == kind => Ok(root),
        Some((_, node)) => {
            let message = format!("`proton` is {}", node.describe());
            Err(Problem::new(SPEC, message, format!("write `proton: {kind}`; this is where such a spec is needed"))
                .at(node.line))
        }
        None => {
            Err(Problem::new(SPEC, "`proton` is missing", format!("begin the spec with `proton: {kind}`"))
                .at(root.line))
        }
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_none_or(Map::is_empty)
}

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    fn finish<T>(self, spec: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() { Ok(spec) } else { Err(self.problems) }
    }

    fn wrong(&mut self, line: usize, message: String, remedy: impl Into<String>) {
        self.problems.push(Problem::new(SPEC, message, remedy).at(line));
    }

    /// A mapping as an object; what is not there is empty.
    fn object(&mut self, node: Option<&Node>, name: &str) -> Value {
        let empty = || Value::Object(Map::new());
        let Some(node) = node.filter(|node| !node.is_null()) else { return empty() };
        if !node.is_mapping() {
            self.wrong(
                node.line,
                format!("`{name}` is {}", node.describe()),
                "give a mapping of input names to values",
            );
            return empty();
        }
        node.to_value().unwrap_or_else(|error| {
            self.problems.push(error.into_problem(SPEC));
            empty()
        })
    }

    fn instances(&mut self, node: Option<&Node>) -> Vec<InstanceSpec> {
        let Some(node) = node.filter(|node| !node.is_null()) else { return Vec::new() };
        if node.is_mapping() || node.text().is_some() {
            let message = format!("`instances` is {}", node.describe());
            self.wrong(node.line, message, "list the instances, each beginning with `- name: …`");
        }
        let mut lines: HashMap<String, usize> = HashMap::new();
        let mut instances = Vec::new();
        for (index, item) in node.items().iter().enumerate() {
            let Some(instance) = self.instance(item, index) else { continue };
            match lines.insert(instance.name.clone(), item.line) {
                Some(first) => {
                    let message = format!("the instance `{}` is listed twice, first in line {first}", instance.name);
                    self.wrong(item.line, message, "give each instance a name of its own");
                }
                None => instances.push(instance),
            }
        }
        instances
    }

    fn instance(&mut self, item: &Node, index: usize) -> Option<InstanceSpec> {
        if !item.is_mapping() {
            let message = format!("`instances[{index}]` is {}", item.describe());
            self.wrong(item.line, message, "give `name`, `environment` and `spec`");
            return None;
        }
        let name = self.name(item, "name", index);
        let environment = self.name(item, "environment", index);
        let inputs = self.object(item.get("spec"), &format!("instances[{index}].spec"));
        Some(InstanceSpec { name: name?, environment: environment?, inputs, line: item.line })
    }

    /// A resource name below an instance; also one that reads as a number.
    fn name(&mut self, item: &Node, key: &str, index: usize) -> Option<String> {
        let Some(node) = item.get(key).filter(|node| !node.is_null()) else {
            let remedy = match key {
                "name" => "name the instance".to_owned(),
                _ => "name the environment that it is deployed to".to_owned(),
            };
            self.wrong(item.line, format!("`instances[{index}].{key}` is missing"), remedy);
            return None;
        };
        match node.text() {
            Some(name) if is_resource_name(name) => Some(name.to_owned()),
            _ => {
                let message = format!("`instances[{index}].{key}` is {}, which is no name", node.describe());
                self.wrong(
                    node.line,
                    message,
                    "use 1 to 100 letters, digits, `-` and `_`, beginning with a letter or a digit",
                );
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
