//! `types/*.rs`: one Rust type for each structure, union and enumeration of the models.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Result, ensure};

use super::model::{Kind, Shape};
use super::names::{field, pascal, snake};
use super::schema::Schema;

pub(crate) fn enums(schema: &Schema) -> Result<String> {
    let mut out = String::from("//! Enumerations: closed sets of strings.\n\nuse crate::wire_enum::wire_enum;\n");
    for (name, shape) in schema.shapes.iter().filter(|(_, shape)| !shape.values.is_empty()) {
        enumeration(&mut out, name, &shape.values)?;
    }
    Ok(out)
}

pub(crate) fn inputs(schema: &Schema) -> Result<String> {
    let ends = schema.operations.iter().map(|(name, facts)| (&facts.input, format!("Input of `{name}`.")));
    file(schema, "What each operation takes.", &ends.collect(), true)
}

pub(crate) fn outputs(schema: &Schema) -> Result<String> {
    let ends = schema.operations.iter().map(|(name, facts)| (&facts.output, format!("Output of `{name}`.")));
    file(schema, "What each operation answers.", &ends.collect(), true)
}

pub(crate) fn shapes(schema: &Schema) -> Result<String> {
    let ends: BTreeSet<&String> = schema.operations.values().flat_map(|o| [&o.input, &o.output]).collect();
    let mut used = schema.reachable(|operation| &operation.input);
    used.extend(schema.reachable(|operation| &operation.output));
    let shared = used.iter().filter(|name| !ends.contains(name));
    let shared = shared.map(|name| (name, format!("The structure `{name}`.")));
    file(schema, "Structures and unions that inputs and outputs share.", &shared.collect(), false)
}

/// The structures and unions among the shapes, each with its docs, below what they import.
/// `apart` says that shared structures are in another file than this one.
fn file(schema: &Schema, about: &str, shapes: &BTreeMap<&String, String>, apart: bool) -> Result<String> {
    let (mut body, mut imports) = (String::new(), BTreeSet::from(["use serde::{Deserialize, Serialize};"]));
    for (name, doc) in shapes {
        let shape = schema.shape(name)?;
        match shape.kind {
            Kind::Structure if shape.union => union(&mut body, schema, name, shape)?,
            Kind::Structure => structure(&mut body, schema, name, shape, doc)?,
            _ => continue,
        }
        if hidden(schema, shape) {
            imports.extend(["use std::fmt;", "use crate::redact::Redacted;"]);
        }
        for member in shape.members.values() {
            let element = schema.element(&member.shape)?;
            imports.extend(match (element.kind, element.values.is_empty()) {
                (Kind::Timestamp, _) => Some("use crate::Timestamp;"),
                (Kind::String, false) => Some("use super::enums::*;"),
                (Kind::Structure, _) if apart => Some("use super::shapes::*;"),
                _ => None,
            });
        }
    }
    let imports: Vec<&str> = imports.into_iter().collect();
    Ok(format!("//! {about}\n\n{}\n{body}", imports.join("\n")))
}

/// Whether `Debug` must keep something: the structure is sensitive, or a member is.
fn hidden(schema: &Schema, shape: &Shape) -> bool {
    shape.sensitive || shape.members.values().any(|member| schema.sensitive(&member.shape))
}

fn enumeration(out: &mut String, name: &str, values: &[String]) -> Result<()> {
    let variants: Vec<String> = values.iter().map(|value| pascal(value)).collect();
    let distinct: BTreeSet<&String> = variants.iter().collect();
    ensure!(distinct.len() == values.len(), "values of {name} become the same variant");
    let list: String = variants.iter().map(|v| format!("Self::{v},")).collect();
    let arms: String = variants.iter().zip(values).map(|(v, value)| format!("Self::{v} => {value:?},")).collect();
    write!(
        out,
        "
/// The enumeration `{name}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum {name} {{ {} }}

impl {name} {{
    /// Every value, in the order of the model.
    pub const ALL: &'static [Self] = &[{list}];

    /// The value as it is written on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {{
        match self {{ {arms} }}
    }}
}}

wire_enum!({name});
",
        variants.join(", ")
    )?;
    Ok(())
}

/// An enum with one variant for each member: `{{\"member\": ...}}` on the wire.
fn union(out: &mut String, schema: &Schema, name: &str, shape: &Shape) -> Result<()> {
    write!(
        out,
        "
/// The union `{name}`: exactly one of its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = \"camelCase\")]
pub enum {name} {{
"
    )?;
    for (member, reference) in &shape.members {
        ensure!(!schema.sensitive(&reference.shape), "union {name} would print {member}: derive no Debug");
        field(member)?;
        writeln!(out, "/// `{member}`\n{}({}),", pascal(member), schema.rust_type(&reference.shape)?)?;
    }
    out.push_str("}\n");
    Ok(())
}

fn structure(out: &mut String, schema: &Schema, name: &str, shape: &Shape, doc: &str) -> Result<()> {
    let hidden = hidden(schema, shape);
    let mut traits = vec!["Clone", "PartialEq", "Eq", "Serialize", "Deserialize"];
    if !hidden {
        traits.insert(1, "Debug");
    }
    if has_default(schema, name)? {
        traits.insert(1, "Default");
    }
    writeln!(out, "\n/// {doc}\n#[derive({})]", traits.join(", "))?;
    writeln!(out, "#[serde(rename_all = \"camelCase\")]\npub struct {name} {{")?;
    for (member, reference) in &shape.members {
        let mut rust = schema.rust_type(&reference.shape)?;
        writeln!(out, "/// {}", member_doc(schema, name, member, &reference.shape)?)?;
        if !schema.required(name, member) {
            rust = format!("Option<{rust}>");
            out.push_str("#[serde(skip_serializing_if = \"Option::is_none\")]\n");
        }
        writeln!(out, "pub {}: {rust},", field(member)?)?;
    }
    out.push_str("}\n");
    if hidden {
        debug(out, schema, name, shape)?;
    }
    Ok(())
}

/// `Debug` that keeps what is sensitive to itself.
fn debug(out: &mut String, schema: &Schema, name: &str, shape: &Shape) -> Result<()> {
    let body = if shape.sensitive {
        "fmt::Debug::fmt(&Redacted, f)".to_owned()
    } else {
        let mut body = format!("f.debug_struct({name:?})");
        for (member, reference) in &shape.members {
            let (key, field) = (snake(member), field(member)?);
            let value = match (schema.sensitive(&reference.shape), schema.required(name, member)) {
                (false, _) => format!("&self.{field}"),
                (true, true) => "&Redacted".to_owned(),
                (true, false) => format!("&self.{field}.as_ref().map(|_| Redacted)"),
            };
            write!(body, ".field({key:?}, {value})")?;
        }
        body + ".finish()"
    };
    write!(
        out,
        "
impl fmt::Debug for {name} {{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
        {body}
    }}
}}
"
    )?;
    Ok(())
}

/// Whether "nothing given" is a value of the shape: no enumeration, union or time has to be chosen.
fn has_default(schema: &Schema, name: &str) -> Result<bool> {
    let shape = schema.shape(name)?;
    Ok(match shape.kind {
        Kind::Boolean | Kind::Integer | Kind::List => true,
        Kind::Timestamp => false,
        Kind::String => shape.values.is_empty(),
        Kind::Structure if shape.union => false,
        Kind::Structure => {
            for (member, reference) in &shape.members {
                if schema.required(name, member) && !has_default(schema, &reference.shape)? {
                    return Ok(false);
                }
            }
            true
        }
    })
}

/// What the model says about a member: its name, its constraints, and when it may be absent.
fn member_doc(schema: &Schema, structure: &str, member: &str, shape_name: &str) -> Result<String> {
    let shape = schema.shape(shape_name)?;
    let mut doc = format!("`{member}`");
    let unit = match shape.kind {
        Kind::List => " elements",
        Kind::String => " characters",
        _ => "",
    };
    match (shape.min, shape.max) {
        (Some(min), Some(max)) => write!(doc, ", {min} to {max}{unit}")?,
        (Some(min), None) => write!(doc, ", at least {min}{unit}")?,
        (None, Some(max)) => write!(doc, ", at most {max}{unit}")?,
        (None, None) => {}
    }
    if let Some(pattern) = &shape.pattern {
        write!(doc, ", `{pattern}`")?;
    }
    if schema.sensitive(shape_name) {
        doc.push_str(", sensitive");
    }
    if let Some(reason) = schema.absence(structure, member) {
        write!(doc, "; may be absent although the model requires it: {reason}")?;
    }
    Ok(doc + ".")
}
