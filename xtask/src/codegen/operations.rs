//! `operations.rs`, `request.rs` and `response.rs`: the closed set of operations, with the facts
//! about each, and the two enums that carry their inputs and outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use super::names::constant;
use super::schema::{Operation, Schema};

/// What the names of operations begin with that change nothing.
const READING: [&str; 3] = ["Get", "List", "Simulate"];

pub(crate) fn operations(schema: &Schema) -> Result<String> {
    let mut out = String::from(
        "//! The operations and the facts about each.

use crate::{Call, ErrorCode, Paginator};
use super::types::*;
",
    );
    let names: Vec<&str> = schema.operations.keys().map(String::as_str).collect();
    out.push_str("\n/// Every operation of every model.\n");
    out.push_str("#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum Operation {\n");
    for (name, operation) in &schema.operations {
        writeln!(out, "/// `{}.{name}`\n{name},", operation.prefix)?;
    }
    out.push_str("}\n\nimpl Operation {\n");
    let list: String = names.iter().map(|name| format!("Self::{name},")).collect();
    writeln!(out, "/// Every operation, by name.\npub const ALL: &'static [Self] = &[{list}];")?;
    function(&mut out, "The name, as in `GetService`.", "name", "&'static str", |name, _| format!("{name:?}"), schema);
    function(
        &mut out,
        "The value of the header `X-Amz-Target`, as in `AwsProton20200720.GetService`.",
        "target",
        "&'static str",
        |name, operation| format!("{:?}", format!("{}.{name}", operation.prefix)),
        schema,
    );
    function(
        &mut out,
        "What the types of the model's errors begin with, as in `com.amazonaws.proton.v20200720`.",
        "error_namespace",
        "&'static str",
        |_, operation| format!("{:?}", operation.namespace),
        schema,
    );
    from_target(&mut out, schema)?;
    let reads: BTreeSet<&str> =
        names.iter().copied().filter(|n| READING.iter().any(|verb| n.starts_with(verb))).collect();
    predicate(
        &mut out,
        "Whether it may change something: anything but `Get*`, `List*` and `Simulate*`.",
        "is_mutation",
        |name, _| !reads.contains(name),
        schema,
    );
    predicate(
        &mut out,
        "Whether the model promises that a repeated call does nothing more.",
        "is_idempotent",
        |_, o| o.idempotent,
        schema,
    );
    predicate(
        &mut out,
        "Whether the input has a `clientToken` that clients fill in.",
        "has_client_token",
        |_, o| token(schema, o),
        schema,
    );
    errors(&mut out, schema)?;
    paginators(&mut out, schema)?;
    out.push_str("}\n");
    for (name, operation) in &schema.operations {
        let (input, output) = (&operation.input, &operation.output);
        write!(
            out,
            "
impl Call for {input} {{
    type Output = {output};
    const OPERATION: Operation = Operation::{name};
}}
"
        )?;
    }
    Ok(out)
}

pub(crate) fn token(schema: &Schema, operation: &Operation) -> bool {
    schema.shapes.get(&operation.input).is_some_and(|input| input.members.values().any(|m| m.idempotency_token))
}

fn function(
    out: &mut String,
    doc: &str,
    name: &str,
    returns: &str,
    value: impl Fn(&str, &Operation) -> String,
    schema: &Schema,
) {
    let mut by_value: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (operation, facts) in &schema.operations {
        by_value.entry(value(operation, facts)).or_default().push(format!("Self::{operation}"));
    }
    let arms: String = by_value.iter().map(|(value, names)| format!("{} => {value},", names.join(" | "))).collect();
    let _ =
        write!(out, "\n/// {doc}\n#[must_use]\npub const fn {name}(self) -> {returns} {{ match self {{ {arms} }} }}\n");
}

fn predicate(out: &mut String, doc: &str, name: &str, holds: impl Fn(&str, &Operation) -> bool, schema: &Schema) {
    let which: Vec<String> =
        schema.operations.iter().filter(|(n, o)| holds(n, o)).map(|(n, _)| format!("Self::{n}")).collect();
    let body = if which.is_empty() { "false".to_owned() } else { format!("matches!(self, {})", which.join(" | ")) };
    let _ = write!(out, "\n/// {doc}\n#[must_use]\npub const fn {name}(self) -> bool {{ {body} }}\n");
}

fn from_target(out: &mut String, schema: &Schema) -> Result<()> {
    let mut prefixes: BTreeMap<&str, String> = BTreeMap::new();
    for (name, operation) in &schema.operations {
        write!(prefixes.entry(&operation.prefix).or_default(), "{name:?} => Self::{name},")?;
    }
    out.push_str(
        "
/// The operation that a value of the header `X-Amz-Target` names.
#[must_use]
pub fn from_target(target: &str) -> Option<Self> {
    let (prefix, name) = target.split_once('.')?;
    Some(match prefix {
",
    );
    for (prefix, arms) in prefixes {
        writeln!(out, "{prefix:?} => match name {{ {arms} _ => return None }},")?;
    }
    out.push_str("_ => return None\n})\n}\n");
    Ok(())
}

fn errors(out: &mut String, schema: &Schema) -> Result<()> {
    let mut by_code: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, operation) in &schema.operations {
        for error in &operation.errors {
            if !schema.shape(error)?.exception {
                bail!("{name} declares {error}, which is no exception");
            }
            let code = error.strip_suffix("Exception").with_context(|| format!("{error} is no Exception"))?;
            by_code.entry(code).or_default().push(name);
        }
    }
    out.push_str(
        "
/// Whether the model lists the error for this operation. Codes of the protocol itself, which no
/// model lists, are not declared by any.
#[must_use]
pub const fn declares(self, code: ErrorCode) -> bool {
    match code {
",
    );
    for (code, names) in by_code {
        if names.len() == schema.operations.len() {
            writeln!(out, "ErrorCode::{code} => true,")?;
        } else {
            let names: Vec<String> = names.iter().map(|name| format!("Self::{name}")).collect();
            writeln!(out, "ErrorCode::{code} => matches!(self, {}),", names.join(" | "))?;
        }
    }
    out.push_str("_ => false,\n}\n}\n");
    Ok(())
}

fn paginators(out: &mut String, schema: &Schema) -> Result<()> {
    out.push_str(
        "
/// How its results come in pages, if they do.
#[must_use]
pub const fn paginator(self) -> Option<Paginator> {
    Some(match self {
",
    );
    for (name, operation) in &schema.operations {
        let Some(p) = &operation.paginator else { continue };
        writeln!(
            out,
            "Self::{name} => Paginator {{ input_token: {:?}, output_token: {:?}, limit_key: {:?}, result_key: {:?} }},",
            p.input_token, p.output_token, p.limit_key, p.result_key
        )?;
    }
    out.push_str("_ => return None,\n})\n}\n");
    Ok(())
}

pub(crate) fn request(schema: &Schema) -> String {
    let mut out = String::from(
        "//! The input of any operation.

use crate::{Operation, WireError};
use crate::aws_json::to_json;
use crate::constraint::{Shape, decode};
use super::types::*;
use super::validate;
",
    );
    carrier(&mut out, schema, "Request", "The input of one operation, read and valid.", |o| &o.input);
    let parse: String =
        schema.operations.keys().map(|n| format!("Operation::{n} => Self::{n}(decode(body, shape)?),")).collect();
    let shapes: String = schema
        .operations
        .iter()
        .map(|(n, o)| format!("Operation::{n} => &validate::{},", constant(&o.input)))
        .collect();
    let (json, operation) = arms(schema);
    let _ = write!(
        out,
        "
impl Request {{
    /// Reads a body and checks it against the constraints of the model.
    ///
    /// # Errors
    /// `SerializationException` if the body is not the JSON that the operation takes,
    /// `ValidationException` with every violated constraint if it is.
    pub fn parse(operation: Operation, body: &[u8]) -> Result<Self, WireError> {{
        let shape = shape(operation);
        Ok(match operation {{ {parse} }})
    }}

    /// The body of the request: a JSON object.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {{
        match self {{ {json} }}
    }}

    /// The operation whose input this is.
    #[must_use]
    pub const fn operation(&self) -> Operation {{
        match self {{ {operation} }}
    }}
}}

/// What the input of an operation must be.
pub(crate) fn shape(operation: Operation) -> &'static Shape {{
    match operation {{ {shapes} }}
}}
"
    );
    out
}

pub(crate) fn response(schema: &Schema) -> String {
    let mut out = String::from(
        "//! The output of any operation.

use crate::Operation;
use crate::aws_json::to_json;
use super::types::*;
",
    );
    carrier(&mut out, schema, "Response", "The output of one operation.", |o| &o.output);
    let parse: String = schema
        .operations
        .keys()
        .map(|n| format!("Operation::{n} => Self::{n}(serde_json::from_slice(body)?),"))
        .collect();
    let (json, operation) = arms(schema);
    let _ = write!(
        out,
        "
impl Response {{
    /// Reads the body of an answer to the operation.
    ///
    /// # Errors
    /// The body is not the JSON that the operation answers.
    pub fn parse(operation: Operation, body: &[u8]) -> Result<Self, serde_json::Error> {{
        Ok(match operation {{ {parse} }})
    }}

    /// The body of the answer: a JSON object, `{{}}` if there is nothing to say.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {{
        match self {{ {json} }}
    }}

    /// The operation whose output this is.
    #[must_use]
    pub const fn operation(&self) -> Operation {{
        match self {{ {operation} }}
    }}
}}
"
    );
    out
}

/// The arms that write what a variant holds, and that name its operation.
fn arms(schema: &Schema) -> (String, String) {
    let names = || schema.operations.keys();
    let json = names().map(|n| format!("Self::{n}(value) => to_json(value),")).collect();
    let operation = names().map(|n| format!("Self::{n}(_) => Operation::{n},")).collect();
    (json, operation)
}

/// An enum with one variant an operation, and a conversion from each of the structures.
fn carrier(out: &mut String, schema: &Schema, name: &str, doc: &str, end: fn(&Operation) -> &String) {
    let variants: String = schema.operations.iter().map(|(n, o)| format!("{n}({}),", end(o))).collect();
    let _ = write!(out, "\n/// {doc}\n#[derive(Clone, Debug, PartialEq, Eq)]\npub enum {name} {{ {variants} }}\n");
    for (operation, facts) in &schema.operations {
        let shape = end(facts);
        let _ = write!(
            out,
            "
impl From<{shape}> for {name} {{
    fn from(value: {shape}) -> Self {{ Self::{operation}(value) }}
}}
"
        );
    }
}
