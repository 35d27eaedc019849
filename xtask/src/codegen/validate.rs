//! `validate.rs`: the constraints of every input, as tables that the checker in `protium_api` walks.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use super::model::{Kind, Shape};
use super::names::constant;
use super::schema::Schema;

pub(crate) fn tables(schema: &Schema) -> Result<String> {
    let mut out = String::from(
        "//! What is a valid input: the constraints of the models as tables.

use crate::constraint::{Kind, Length, Member, Pattern, Range, Shape};
",
    );
    for name in schema.reachable(|operation| &operation.input) {
        let shape = schema.shape(&name)?;
        let (constant, sensitive, kind) = (constant(&name), shape.sensitive, kind(schema, &name, shape)?);
        write!(out, "\npub(crate) static {constant}: Shape = Shape {{ sensitive: {sensitive}, kind: {kind} }};\n")?;
    }
    Ok(out)
}

fn kind(schema: &Schema, name: &str, shape: &Shape) -> Result<String> {
    ensure!(shape.pattern.is_none() || shape.kind == Kind::String, "{name} has a pattern and is no string");
    Ok(match shape.kind {
        Kind::Boolean => "Kind::Boolean".to_owned(),
        Kind::Timestamp => "Kind::Timestamp".to_owned(),
        Kind::Integer => format!("Kind::Integer(Range {{ min: {:?}, max: {:?} }})", shape.min, shape.max),
        Kind::String if !shape.values.is_empty() => {
            let constrained = shape.pattern.is_some() || shape.min.is_some() || shape.max.is_some();
            ensure!(!constrained, "{name} is an enumeration with further constraints");
            format!("Kind::Enum(&{:?})", shape.values)
        }
        Kind::String => {
            let pattern = shape.pattern.as_ref().map_or("None".to_owned(), |p| format!("Some(Pattern::new({p:?}))"));
            format!("Kind::String {{ length: {}, pattern: {pattern} }}", length(shape))
        }
        Kind::List => {
            let member = shape.member.as_ref().with_context(|| format!("list {name} has no member"))?;
            format!("Kind::List {{ length: {}, element: &{} }}", length(shape), constant(&member.shape))
        }
        Kind::Structure => {
            let mut members = String::new();
            for (member, reference) in &shape.members {
                let (required, shape) = (schema.required(name, member), constant(&reference.shape));
                write!(members, "Member {{ name: {member:?}, required: {required}, shape: &{shape} }},")?;
            }
            let variant = if shape.union { "Union" } else { "Structure" };
            format!("Kind::{variant}(&[{members}])")
        }
    })
}

fn length(shape: &Shape) -> String {
    format!("Length {{ min: {}, max: {:?} }}", shape.min.unwrap_or(0), shape.max)
}
