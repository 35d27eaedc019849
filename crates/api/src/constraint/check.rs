//! The walk over an input and its table: types first (a wrong one ends the walk), constraints on the
//! way (all are collected).

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::violation::{Path, Violations};
use super::{Kind, Length, Member, Pattern, Range, Shape, serialization};
use crate::{Timestamp, WireError};

/// Checks an input, and brings it into the form that the typed structures take: unions without nulls
/// and unknown members, integers without a point.
pub(crate) fn check(value: &mut Value, shape: &'static Shape) -> Result<(), WireError> {
    let mut walk = Walk { violations: Violations::default() };
    walk.value(value, shape, Path::Root, false)?;
    walk.violations.into_result()
}

struct Walk {
    violations: Violations,
}

impl Walk {
    fn value(
        &mut self,
        value: &mut Value,
        shape: &'static Shape,
        path: Path<'_>,
        hidden: bool,
    ) -> Result<(), WireError> {
        let hidden = hidden || shape.sensitive;
        match (&shape.kind, &mut *value) {
            (Kind::Boolean, Value::Bool(_)) => {}
            (Kind::Enum(values), Value::String(text)) => {
                if !values.contains(&text.as_str()) {
                    let values = values.join(", ");
                    let constraint = format_args!("Member must satisfy enum value set: [{values}]");
                    self.violations.add(path, shown(value, hidden), constraint);
                }
            }
            (Kind::Timestamp, Value::Number(_)) => timestamp(value, path)?,
            (Kind::Integer(range), Value::Number(_)) => self.integer(value, range, path, hidden)?,
            (Kind::String { length, pattern }, Value::String(_)) => {
                self.string(value, length, pattern.as_ref(), path, hidden);
            }
            (Kind::List { length, element }, Value::Array(elements)) => {
                self.length(elements.len(), length, None, path);
                for (index, element_value) in elements.iter_mut().enumerate() {
                    self.value(element_value, element, Path::Element(&path, index), hidden)?;
                }
            }
            (Kind::Structure(members), Value::Object(object)) => self.members(object, members, path, hidden)?,
            (Kind::Union(members), Value::Object(object)) => self.union(object, members, path, hidden)?,
            (kind, found) => return Err(wrong_type(kind, found, path)),
        }
        Ok(())
    }

    fn members(
        &mut self,
        object: &mut Map<String, Value>,
        members: &'static [Member],
        path: Path<'_>,
        hidden: bool,
    ) -> Result<(), WireError> {
        for member in members {
            let path = Path::Member(&path, member.name);
            match object.get_mut(member.name) {
                Some(value) if !value.is_null() => self.value(value, member.shape, path, hidden)?,
                _ if member.required => self.violations.add(path, Some(&Value::Null), "Member must not be null"),
                _ => {}
            }
        }
        Ok(())
    }

    fn union(
        &mut self,
        object: &mut Map<String, Value>,
        members: &'static [Member],
        path: Path<'_>,
        hidden: bool,
    ) -> Result<(), WireError> {
        object.retain(|name, value| !value.is_null() && members.iter().any(|member| member.name == name));
        if object.len() != 1 {
            let names: Vec<&str> = members.iter().map(|member| member.name).collect();
            let constraint = format!("Member must have exactly one of the members [{}]", names.join(", "));
            self.violations.add(path, None, constraint);
        }
        self.members(object, members, path, hidden)
    }

    fn string(&mut self, value: &Value, length: &Length, pattern: Option<&Pattern>, path: Path<'_>, hidden: bool) {
        let Value::String(text) = value else { return };
        let value = shown(value, hidden);
        // No name, file or protocol behind the API takes one, and PostgreSQL's texts don't either.
        if text.contains('\0') {
            self.violations.add(path, value, "Member must not contain the character U+0000");
        }
        // Bytes bound characters: most strings need no count.
        let short = text.len() >= length.min * 4 && length.max.is_none_or(|max| text.len() <= max);
        let searchable = short || self.length(text.chars().count(), length, value, path);
        if let Some(pattern) = pattern
            && searchable
            && !pattern.is_match(text)
        {
            let constraint = format_args!("Member must satisfy regular expression pattern: {}", pattern.text());
            self.violations.add(path, value, constraint);
        }
    }

    /// Whether it is not too long: a text that is would take long to search.
    fn length(&mut self, found: usize, length: &Length, value: Option<&Value>, path: Path<'_>) -> bool {
        if found < length.min {
            let constraint = format_args!("Member must have length greater than or equal to {}", length.min);
            self.violations.add(path, value, constraint);
        }
        let Some(max) = length.max.filter(|max| found > *max) else { return true };
        let constraint = format_args!("Member must have length less than or equal to {max}");
        self.violations.add(path, value, constraint);
        false
    }

    fn integer(&mut self, value: &mut Value, range: &Range, path: Path<'_>, hidden: bool) -> Result<(), WireError> {
        let Some(number) = whole(value) else {
            return Err(serialization(format!("'{path}' must be an integer of 32 bits, not {value}")));
        };
        *value = number.into();
        let (number, value) = (i64::from(number), shown(value, hidden));
        if let Some(min) = range.min.filter(|min| number < *min) {
            let constraint = format_args!("Member must have value greater than or equal to {min}");
            self.violations.add(path, value, constraint);
        }
        if let Some(max) = range.max.filter(|max| number > *max) {
            let constraint = format_args!("Member must have value less than or equal to {max}");
            self.violations.add(path, value, constraint);
        }
        Ok(())
    }
}

/// Whether a [`Timestamp`] can be it.
fn timestamp(value: &Value, path: Path<'_>) -> Result<(), WireError> {
    match Timestamp::deserialize(value) {
        Ok(_) => Ok(()),
        Err(_) => Err(serialization(format!("'{path}' must be a time in seconds since 1970, not {value}"))),
    }
}

/// The number as 32 bits, also if it is written with a point or an exponent.
fn whole(value: &Value) -> Option<i32> {
    if let Some(number) = value.as_i64() {
        return i32::try_from(number).ok();
    }
    let number = value.as_f64()?;
    let fits = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    fits.then_some(number as i32)
}

fn shown(value: &Value, hidden: bool) -> Option<&Value> {
    (!hidden).then_some(value)
}

fn wrong_type(kind: &Kind, found: &Value, path: Path<'_>) -> WireError {
    let expected = match kind {
        Kind::Boolean => "a boolean",
        Kind::Enum(_) | Kind::String { .. } => "a string",
        Kind::Integer(_) => "an integer",
        Kind::Timestamp => "a number of seconds since 1970",
        Kind::List { .. } => "a list",
        Kind::Structure(_) | Kind::Union(_) => "an object",
    };
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    serialization(format!("'{path}' must be {expected}, not {found}"))
}
