//! Where a constraint is violated, and how a caller is told.

use std::fmt::{self, Display, Write as _};

use serde_json::Value;

use crate::{ErrorCode, WireError};

/// So many violations are spelled out; the rest is counted.
const SHOWN: usize = 20;
/// So many characters of a value are repeated.
const VALUE_CHARS: usize = 200;

/// The place of a value in the input, on the stack of the walk.
#[derive(Clone, Copy)]
pub(crate) enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'static str),
    /// From zero; shown from one, after `member`.
    Element(&'a Path<'a>, usize),
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the body"),
            Self::Member(Self::Root, name) => f.write_str(name),
            Self::Member(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, index) => write!(f, "{parent}.{}.member", index + 1),
        }
    }
}

/// The violations of one input.
#[derive(Default)]
pub(crate) struct Violations {
    count: usize,
    text: String,
}

impl Violations {
    /// Notes that a value violates a constraint. `value` is `None` if it must not be shown.
    pub(crate) fn add(&mut self, path: Path<'_>, value: Option<&Value>, constraint: impl Display) {
        self.count += 1;
        if self.count > SHOWN {
            return;
        }
        if self.count > 1 {
            self.text.push_str("; ");
        }
        // Writing to a string does not fail.
        let _ = write!(self.text, "Value{} at '{path}' failed to satisfy constraint: {constraint}", Shown(value));
    }

    pub(crate) fn into_result(mut self) -> Result<(), WireError> {
        if self.count == 0 {
            return Ok(());
        }
        let errors = if self.count == 1 { "error" } else { "errors" };
        if self.count > SHOWN {
            let _ = write!(self.text, "; and {} more", self.count - SHOWN);
        }
        let message = format!("{} validation {errors} detected: {}", self.count, self.text);
        Err(WireError::new(ErrorCode::Validation, message))
    }
}

/// A scalar as messages show it; nothing for what is hidden, a list or a structure.
struct Shown<'a>(Option<&'a Value>);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None | Some(Value::Array(_) | Value::Object(_)) => Ok(()),
            Some(Value::Null) => f.write_str(" null"),
            Some(Value::Bool(value)) => write!(f, " '{value}'"),
            Some(Value::Number(value)) => write!(f, " '{value}'"),
            Some(Value::String(value)) => match value.char_indices().nth(VALUE_CHARS) {
                None => write!(f, " '{value}'"),
                Some((end, _)) => write!(f, " '{}...'", value.get(..end).unwrap_or_default()),
            },
        }
    }
}
