//! All models as one: what the generators read. Shapes that several models define must agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;

use super::model::{Kind, Model, Overrides, Paginator, Paginators, Shape, Waiter, Waiters};

/// The files of one model, in `crates/api/model`.
pub(crate) struct Sources {
    pub(crate) model: &'static str,
    /// What the types of its errors begin with.
    pub(crate) namespace: &'static str,
    pub(crate) paginators: Option<&'static str>,
    pub(crate) waiters: Option<&'static str>,
}

pub(crate) struct Schema {
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
    pub(crate) waiters: BTreeMap<String, Waiter>,
    /// Shape and member to the reason why it may be absent although the model requires it.
    absent: BTreeMap<(String, String), String>,
}

pub(crate) struct Operation {
    pub(crate) prefix: String,
    pub(crate) namespace: &'static str,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) errors: BTreeSet<String>,
    pub(crate) idempotent: bool,
    pub(crate) paginator: Option<Paginator>,
}

impl Schema {
    pub(crate) fn read(folder: &Path, models: &[Sources]) -> Result<Self> {
        let mut schema = Self {
            operations: BTreeMap::new(),
            shapes: BTreeMap::new(),
            waiters: BTreeMap::new(),
            absent: BTreeMap::new(),
        };
        for sources in models {
            schema.add(folder, sources).with_context(|| format!("model {}", sources.model))?;
        }
        let overrides = read_json(folder, "overrides.json")?;
        schema.apply(overrides).context("overrides.json")?;
        Ok(schema)
    }

    fn add(&mut self, folder: &Path, sources: &Sources) -> Result<()> {
        let model: Model = read_json(folder, sources.model)?;
        let (protocol, version) = (&model.metadata.protocol, &model.metadata.json_version);
        ensure!(protocol == "json" && version == "1.0", "protocol {protocol} {version} is not awsJson1_0");
        let mut pages: Paginators = sources.paginators.map_or(Ok(Paginators::default()), |f| read_json(folder, f))?;
        let waits: Waiters = sources.waiters.map_or(Ok(Waiters::default()), |f| read_json(folder, f))?;
        for (name, shape) in model.shapes {
            if self.shapes.get(&name).is_some_and(|known| *known != shape) {
                bail!("shape {name} differs from the one of an earlier model");
            }
            self.shapes.insert(name, shape);
        }
        for (name, operation) in model.operations {
            let operation = Operation {
                prefix: model.metadata.target_prefix.clone(),
                namespace: sources.namespace,
                input: operation.input.shape,
                output: operation.output.shape,
                errors: operation.errors.into_iter().map(|error| error.shape).collect(),
                idempotent: operation.idempotent,
                paginator: pages.pagination.remove(&name),
            };
            ensure!(!self.operations.contains_key(&name), "operation {name} exists in an earlier model");
            self.operations.insert(name, operation);
        }
        if let Some(name) = pages.pagination.keys().next() {
            bail!("paginator of an unknown operation {name}");
        }
        for (name, waiter) in waits.waiters {
            ensure!(self.waiters.insert(name.clone(), waiter).is_none(), "waiter {name} exists in an earlier model");
        }
        Ok(())
    }

    fn apply(&mut self, overrides: Overrides) -> Result<()> {
        let inputs = self.reachable(|operation| &operation.input);
        for optional in overrides.optional {
            for shape in &optional.shapes {
                ensure!(!inputs.contains(shape), "{shape} is part of an input; what it requires is checked");
                for member in &optional.members {
                    ensure!(self.shape(shape)?.required.contains(member), "{shape} has no required member {member}");
                    self.absent.insert((shape.clone(), member.clone()), optional.reason.clone());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn shape(&self, name: &str) -> Result<&Shape> {
        self.shapes.get(name).with_context(|| format!("no shape is called {name}"))
    }

    /// The shape of what a list holds, of lists of lists too; other shapes as they are.
    pub(crate) fn element(&self, name: &str) -> Result<&Shape> {
        let shape = self.shape(name)?;
        shape.member.as_ref().map_or(Ok(shape), |member| self.element(&member.shape))
    }

    /// Whether the member is always there: required by the model, and not known to be absent.
    pub(crate) fn required(&self, shape: &str, member: &str) -> bool {
        let required = self.shapes.get(shape).is_some_and(|s| s.required.iter().any(|name| name == member));
        required && self.absence(shape, member).is_none()
    }

    /// Why a required member may be absent.
    pub(crate) fn absence(&self, shape: &str, member: &str) -> Option<&str> {
        self.absent.get(&(shape.to_owned(), member.to_owned())).map(String::as_str)
    }

    /// Names of all shapes that the inputs, or the outputs, of the operations are made of.
    pub(crate) fn reachable(&self, end: fn(&Operation) -> &String) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut next: Vec<&String> = self.operations.values().map(end).collect();
        while let Some(name) = next.pop() {
            if !found.insert(name.clone()) {
                continue;
            }
            let Some(shape) = self.shapes.get(name) else { continue };
            next.extend(shape.members.values().chain(&shape.member).map(|reference| &reference.shape));
        }
        found
    }

    /// The Rust type of a shape, as the `types` module of `protium_api` names it.
    pub(crate) fn rust_type(&self, name: &str) -> Result<String> {
        let shape = self.shape(name)?;
        Ok(match (shape.kind, &shape.member) {
            (Kind::Boolean, _) => "bool".to_owned(),
            (Kind::Integer, _) => "i32".to_owned(),
            (Kind::Timestamp, _) => "Timestamp".to_owned(),
            (Kind::String, _) if shape.values.is_empty() => "String".to_owned(),
            (Kind::String | Kind::Structure, _) => name.to_owned(),
            (Kind::List, Some(member)) => format!("Vec<{}>", self.rust_type(&member.shape)?),
            (Kind::List, None) => bail!("list {name} has no member"),
        })
    }

    /// Whether values of the shape must be kept out of logs: the shape says so, or its elements do.
    /// (A structure with sensitive members hides them itself.)
    pub(crate) fn sensitive(&self, name: &str) -> bool {
        self.shapes.get(name).is_some_and(|shape| {
            shape.sensitive || shape.member.as_ref().is_some_and(|member| self.sensitive(&member.shape))
        })
    }
}

fn read_json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T> {
    let path = folder.join(name);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("parsing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"{
        "version": "2.0",
        "metadata": { "targetPrefix": "First2020", "protocol": "json", "jsonVersion": "1.0" },
        "operations": { "GetThing": {
            "name": "GetThing", "http": {}, "input": { "shape": "GetThingInput" }, "output": { "shape": "GetThingOutput" },
            "errors": []
        } },
        "shapes": {
            "Name": { "type": "string", "max": 9 },
            "GetThingInput": { "type": "structure", "required": ["name"], "members": { "name": { "shape": "Name" } } },
            "GetThingOutput": { "type": "structure", "required": ["name"], "members": { "name": { "shape": "Name" } } }
        }
    }"#;
    const OVERRIDES: &str =
        r#"{ "optional": [ { "shapes": ["GetThingOutput"], "members": ["name"], "reason": "rest" } ] }"#;

    fn second() -> String {
        FIRST.replace("First2020", "Second2026").replace("Thing", "Other")
    }

    fn read(second: &str, overrides: &str) -> Result<Schema> {
        let folder = tempfile::tempdir()?;
        for (name, text) in [("first.json", FIRST), ("second.json", second), ("overrides.json", overrides)] {
            fs::write(folder.path().join(name), text)?;
        }
        let sources = |model| Sources { model, namespace: "tests", paginators: None, waiters: None };
        Schema::read(folder.path(), &[sources("first.json"), sources("second.json")])
    }

    fn refusal(second: &str, overrides: &str) -> String {
        format!("{:#}", read(second, overrides).err().expect("it is refused"))
    }

    #[test]
    fn a_second_model_joins_the_same_operations_under_its_own_prefix() {
        let schema = read(&second(), OVERRIDES).unwrap();
        let prefixes: Vec<_> = schema.operations.iter().map(|(name, o)| (name.as_str(), o.prefix.as_str())).collect();
        assert_eq!(prefixes, [("GetOther", "Second2026"), ("GetThing", "First2020")]);
        let operations = super::super::operations::operations(&schema).unwrap();
        assert!(operations.contains(r#""Second2026" => match name { "GetOther" => Self::GetOther,"#), "{operations}");
        assert!(
            super::super::operations::request(&schema).contains("GetOther(GetOtherInput),GetThing(GetThingInput),")
        );
    }

    #[test]
    fn models_that_contradict_each_other_are_refused() {
        assert!(refusal(FIRST, OVERRIDES).contains("operation GetThing exists in an earlier model"));
        let other_name = second().replace("\"max\": 9", "\"max\": 10");
        assert!(refusal(&other_name, OVERRIDES).contains("shape Name differs from the one of an earlier model"));
    }

    #[test]
    fn what_the_generator_does_not_know_is_refused() {
        let trait_ = second().replace("\"max\": 9", "\"streaming\": true");
        assert!(refusal(&trait_, OVERRIDES).contains("unknown field `streaming`"));
        let kind = second().replace("\"type\": \"string\"", "\"type\": \"map\"");
        assert!(refusal(&kind, OVERRIDES).contains("unknown variant `map`"));
        let protocol = second().replace("\"json\"", "\"query\"");
        assert!(refusal(&protocol, OVERRIDES).contains("protocol query 1.0 is not awsJson1_0"));
    }

    #[test]
    fn an_override_concerns_required_members_of_outputs() {
        let schema = read(&second(), OVERRIDES).unwrap();
        assert!(!schema.required("GetThingOutput", "name"));
        assert_eq!(schema.absence("GetThingOutput", "name"), Some("rest"));
        assert!(schema.required("GetOtherOutput", "name"));
        for (from, to, expected) in [
            ("GetThingOutput", "GetThingInput", "GetThingInput is part of an input"),
            ("GetThingOutput", "Nothing", "no shape is called Nothing"),
            ("\"name\"", "\"arn\"", "GetThingOutput has no required member arn"),
        ] {
            assert!(refusal(&second(), &OVERRIDES.replace(from, to)).contains(expected), "{expected}");
        }
    }
}
