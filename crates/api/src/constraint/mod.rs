//! Reading an input: JSON of the right types, then within the constraints of the model.
//!
//! Owns the walk over the generated tables. What the constraints are is generated; what an operation
//! thinks of values that satisfy them is not known here.

mod check;
mod classes;
mod pattern;
mod shape;
mod violation;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{ErrorCode, WireError};

pub(crate) use pattern::Pattern;
pub(crate) use shape::{Kind, Length, Member, Range, Shape};

/// Reads a body as the input that `shape` describes. An empty body is an empty object.
pub(crate) fn decode<T: DeserializeOwned>(body: &[u8], shape: &'static Shape) -> Result<T, WireError> {
    let value = read(body, shape)?;
    // The table and the type come from the same model, so this fails only if the generator is wrong.
    // The cause is left out: it may repeat the input.
    serde_json::from_value(value).map_err(|_| serialization("the input does not have the types of its model"))
}

fn read(body: &[u8], shape: &'static Shape) -> Result<Value, WireError> {
    let body = body.trim_ascii();
    let body = if body.is_empty() { b"{}" } else { body };
    let mut value: Value =
        serde_json::from_slice(body).map_err(|error| serialization(format!("the body is not JSON: {error}")))?;
    check::check(&mut value, shape)?;
    Ok(value)
}

fn serialization(message: impl Into<String>) -> WireError {
    WireError::new(ErrorCode::Serialization, message)
}

#[cfg(test)]
mod tests;
