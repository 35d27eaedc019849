//! `schema/schema.yaml`: which inputs a template takes.
//!
//! Owns reading the schema, checking inputs against it, filling in defaults and deciding whether one
//! schema may follow another in a minor version. It does not know where inputs come from (`spec`
//! does) nor what they are used for.

mod compat;
mod defaults;
mod draft4;
mod reference;

pub use compat::breaking_changes;

use std::fmt;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use super::problem::{Problem, did_you_mean};
use super::yaml::{self, Node};
use crate::template::TemplateKind;

/// The path of the schema in every bundle.
pub const SCHEMA_FILE: &str = "schema/schema.yaml";

/// What stands below `schema:`.
const KEYS: [&str; 5] = ["format", "environment_input_type", "service_input_type", "pipeline_input_type", "types"];
/// Characters of an input's name.
const NAME_CHARS: usize = 100;
/// Findings listed for one set of inputs.
const MAX_FINDINGS: usize = 50;

/// The inputs that a template takes: those of the environment or the service instance, and those of
/// the pipeline where there is one.
#[derive(Debug, Clone)]
pub struct Schema {
    inputs: InputType,
    pipeline: Option<InputType>,
    /// Keys that nothing reads, which is no reason to refuse the schema.
    pub warnings: Vec<Problem>,
}

/// One input type with its validator.
#[derive(Debug, Clone)]
pub struct InputType {
    /// The key that names it: `environment_input_type`, `service_input_type`, `pipeline_input_type`.
    role: &'static str,
    /// The OpenAPI schema object, references resolved.
    schema: Value,
    validator: Validator,
}

/// What is wrong with one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// JSON pointer to the value within the inputs; empty for all of them.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for InputProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            write!(f, "inputs: {}", self.message)
        } else {
            write!(f, "input `{}`: {}", self.pointer.trim_start_matches('/'), self.message)
        }
    }
}

impl Schema {
    /// Parses the text of `schema/schema.yaml` of a template of the given kind.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(text: &str, kind: TemplateKind) -> Result<Self, Vec<Problem>> {
        let root = yaml::parse(text).map_err(|error| vec![error.into_problem(SCHEMA_FILE)])?;
        let reader = Reader::new(&root)?;
        reader.check_format()?;
        let (role, other) = match kind {
            TemplateKind::Environment => ("environment_input_type", "service_input_type"),
            TemplateKind::Service => ("service_input_type", "environment_input_type"),
        };
        reader.refuse(other, kind, format!("`{role}`"))?;
        let inputs = reader.input_type(role)?.map_or_else(|| InputType::anything(role), Ok)?;
        let pipeline = match kind {
            TemplateKind::Service => reader.input_type("pipeline_input_type")?,
            TemplateKind::Environment => {
                reader.refuse("pipeline_input_type", kind, "nothing".to_owned())?;
                None
            }
        };
        Ok(Self { inputs, pipeline, warnings: reader.schema.unknown_keys(SCHEMA_FILE, &KEYS) })
    }

    /// The inputs of the environment or of a service instance. A template without an input type takes
    /// anything and knows no names.
    pub fn inputs(&self) -> &InputType {
        &self.inputs
    }

    /// The inputs of the pipeline, if the schema names a type for them.
    pub fn pipeline_inputs(&self) -> Option<&InputType> {
        self.pipeline.as_ref()
    }
}

impl InputType {
    fn anything(role: &'static str) -> Result<Self, Vec<Problem>> {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        let schema = Value::Object(schema);
        let validator =
            build(&schema).map_err(|error| vec![Problem::new(SCHEMA_FILE, error.to_string(), "check the schema")])?;
        Ok(Self { role, schema, validator })
    }

    /// The OpenAPI schema object, references resolved.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// The inputs with the schema's defaults where nothing was given, nested ones too.
    pub fn with_defaults(&self, given: &Value) -> Value {
        defaults::fill(&self.schema, given).0
    }

    /// Checks what was given, with the defaults in place; the defaults themselves are not judged. Keys that the schema
    /// does not know are tolerated, since real specs have them.
    pub fn check_inputs(&self, given: &Value) -> Vec<InputProblem> {
        let (filled, defaulted) = defaults::fill(&self.schema, given);
        let is_default = |pointer: &str| {
            defaulted.iter().any(|default| {
                pointer.strip_prefix(default.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        self.validator
            .iter_errors(&filled)
            .map(|error| describe(&error))
            .filter(|problem| !is_default(&problem.pointer))
            .take(MAX_FINDINGS)
            .collect()
    }
}

fn describe(error: &ValidationError<'_>) -> InputProblem {
    let pointer = error.instance_path().as_str().to_owned();
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            InputProblem {
                pointer: format!("{pointer}/{}", escape_pointer(name)),
                message: "is required and has no default; give a value".to_owned(),
            }
        }
        ValidationErrorKind::Type { kind } if error.instance().is_null() => {
            let expected = match kind {
                TypeKind::Single(kind) => kind.to_string(),
                TypeKind::Multiple(_) => "value".to_owned(),
            };
            InputProblem {
                pointer,
                message: format!("has no value; give a {expected}, or leave the key out so that its default applies"),
            }
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) }
            if kind.to_string() == "string" && (error.instance().is_number() || error.instance().is_boolean()) =>
        {
            let value = error.instance();
            InputProblem { pointer, message: format!("{value} is not of type \"string\"; quote it: \"{value}\"") }
        }
        _ => InputProblem { pointer, message: error.to_string() },
    }
}

fn escape_pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Compiles an OpenAPI schema object, references resolved.
fn build(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::draft4::options()
        .should_validate_formats(false)
        .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(100_000).size_limit(1 << 19))
        .build(&draft4::convert(schema))
}

/// Reads the parts of the document.
struct Reader<'a> {
    schema: &'a Node,
}

impl<'a> Reader<'a> {
    fn new(root: &'a Node) -> Result<Self, Vec<Problem>> {
        match root.get("schema") {
            Some(schema) if schema.is_mapping() => Ok(Self { schema }),
            _ => Err(vec![
                Problem::new(
                    SCHEMA_FILE,
                    "`schema` is missing",
                    "begin the file with `schema:` and put `format`, the input types and `types` below it",
                )
                .at(root.line),
            ]),
        }
    }

    fn check_format(&self) -> Result<(), Vec<Problem>> {
        const REMEDY: &str = "write `format:` and below it `openapi: \"3.0.0\"`";
        let version = self.schema.get("format").and_then(|format| format.get("openapi"));
        match version.map(|node| (node, node.text())) {
            Some((_, Some(text))) if text == "3" || text.starts_with("3.") => Ok(()),
            Some((node, _)) => {
                let message = format!("`schema.format.openapi` is {}; only version 3.0 is supported", node.describe());
                Err(vec![Problem::new(SCHEMA_FILE, message, REMEDY).at(node.line)])
            }
            None => {
                Err(vec![Problem::new(SCHEMA_FILE, "`schema.format.openapi` is missing", REMEDY).at(self.schema.line)])
            }
        }
    }

    /// Refuses an input type that belongs to another kind of template.
    fn refuse(&self, role: &str, kind: TemplateKind, instead: String) -> Result<(), Vec<Problem>> {
        let Some((key, value)) = self.schema.entry(role).filter(|(_, value)| !is_blank(value)) else { return Ok(()) };
        let kind = match kind {
            TemplateKind::Environment => "an environment template",
            TemplateKind::Service => "a service template",
        };
        let message =
            format!("`{role}: {}` does not belong into the schema of {kind}", value.text().unwrap_or_default());
        Err(vec![Problem::new(SCHEMA_FILE, message, format!("remove it; {kind} uses {instead} here")).at(key.line)])
    }

    /// The type that `role` names; `None` if it names none.
    fn input_type(&self, role: &'static str) -> Result<Option<InputType>, Vec<Problem>> {
        let Some((_, named)) = self.schema.entry(role).filter(|(_, value)| !is_blank(value)) else { return Ok(None) };
        let Some(name) = named.text() else {
            let message = format!("`{role}` is {}, not the name of a type", named.describe());
            return Err(vec![Problem::new(SCHEMA_FILE, message, "name one of `types`").at(named.line)]);
        };
        let types = self.schema.get("types");
        let Some(node) = types.and_then(|types| types.get(name)) else {
            return Err(vec![self.unknown_type(role, name, named, types)]);
        };
        let schema = match node.to_value() {
            // `MyInput:` with nothing below it takes nothing.
            Ok(Value::Null) => return InputType::anything(role).map(Some),
            Ok(schema) => schema,
            Err(error) => return Err(vec![error.into_problem(SCHEMA_FILE)]),
        };
        let place = Place { name, node };
        let all = types.map(Node::to_value).transpose().map_err(|error| vec![error.into_problem(SCHEMA_FILE)])?;
        let schema = reference::resolve(&schema, &all.unwrap_or_default())
            .map_err(|error| vec![place.problem(&error.pointer, error.message, error.remedy)])?;
        let problems = place.check(&schema);
        if !problems.is_empty() {
            return Err(problems);
        }
        let validator = build(&schema).map_err(|error| {
            vec![place.problem(error.instance_path().as_str(), error.to_string(), "correct the type".to_owned())]
        })?;
        Ok(Some(InputType { role, schema, validator }))
    }

    fn unknown_type(&self, role: &str, name: &str, named: &Node, types: Option<&Node>) -> Problem {
        let known: Vec<&str> =
            types.map(Node::entries).unwrap_or_default().iter().filter_map(|(key, _)| key.text()).collect();
        let remedy = match did_you_mean(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => {
                format!("describe `{name}` below `types:`, or remove `{role}` if there are no inputs")
            }
            None => format!("name one of: {}", known.join(", ")),
        };
        Problem::new(SCHEMA_FILE, format!("`{role}` names `{name}`, which `types` does not describe"), remedy)
            .at(named.line)
    }
}

fn is_blank(node: &Node) -> bool {
    node.is_null() || node.text() == Some("")
}

/// A type and where it is written.
struct Place<'a> {
    name: &'a str,
    node: &'a Node,
}

impl Place<'_> {
    fn problem(&self, pointer: &str, message: String, remedy: String) -> Problem {
        let parts = pointer.split('/').filter(|part| !part.is_empty());
        let node = self.node.nearest(parts.clone());
        let at: Vec<&str> = std::iter::once(self.name).chain(parts).collect();
        Problem::new(SCHEMA_FILE, format!("type `{}`: {message}", at.join(".")), remedy).at(node.line)
    }

    /// What the draft 4 meta-schema and the service's own rules find.
    fn check(&self, schema: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        if schema.get("type").is_some_and(|kind| kind != "object") {
            problems.push(self.problem(
                "type",
                "an input type must be of type object".to_owned(),
                "write `type: object`".to_owned(),
            ));
        }
        self.check_names(schema, "", &mut problems);
        if !problems.is_empty() {
            return problems;
        }
        let converted = draft4::convert(schema);
        match jsonschema::draft4::meta::validate(&converted) {
            Ok(()) => Vec::new(),
            Err(error) => {
                let remedy = "use the keywords of OpenAPI 3.0 schema objects: type, properties, items, enum, pattern, minimum, …";
                vec![self.problem(error.instance_path().as_str(), error.to_string(), remedy.to_owned())]
            }
        }
    }

    fn check_names(&self, schema: &Value, pointer: &str, problems: &mut Vec<Problem>) {
        if let Some(kind) = schema.get("type").and_then(Value::as_str) {
            const TYPES: [&str; 6] = ["string", "number", "integer", "boolean", "array", "object"];
            if !TYPES.contains(&kind) && kind != "null" {
                let remedy = match did_you_mean(kind, TYPES) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("use one of: {}", TYPES.join(", ")),
                };
                problems.push(self.problem(
                    &format!("{pointer}/type"),
                    format!("`{}` is not a type", yaml::excerpt(kind)),
                    remedy,
                ));
            }
        }
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let pointer = format!("{pointer}/properties/{name}");
            if name.chars().count() > NAME_CHARS {
                let message = format!("the name of an input has at most {NAME_CHARS} characters");
                problems.push(self.problem(&pointer, message, "shorten it".to_owned()));
            }
            if !property.is_object() {
                let message = "an input is described by a mapping".to_owned();
                problems.push(self.problem(&pointer, message, "write at least its `type:`".to_owned()));
            }
            self.check_names(property, &pointer, problems);
        }
        if let Some(items) = schema.get("items") {
            self.check_names(items, &format!("{pointer}/items"), problems);
        }
    }
}

#[cfg(test)]
mod tests;
