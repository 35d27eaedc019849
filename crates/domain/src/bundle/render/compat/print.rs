//! Values as Python prints them.

use std::borrow::Cow;
use std::fmt::Write;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Output, State, Value};

use super::size;

/// Prints the value of an expression.
pub(super) fn formatter(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Ok(());
    }
    let text = bounded(value)?;
    size::charge(state, text.len())?;
    out.write_str(&text)?;
    Ok(())
}

/// The `string` filter.
pub(super) fn string(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(if value.kind() == ValueKind::String { value.clone() } else { Value::from(text(value)) })
}

/// The `callable` test.
pub(super) fn is_callable(value: &Value) -> bool {
    value.kind() == ValueKind::Plain
}

/// `str(value)`, cut off where it grows beyond the bound of a result.
pub(in crate::bundle::render) fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let mut printer = Printer { out: String::new(), depth: 0 };
            printer.value(value);
            printer.out
        }
    }
}

/// `str(value)`
///
/// # Errors
/// The text is larger than one result may be: lists that hold each other many times print long.
pub(super) fn bounded(value: &Value) -> Result<Cow<'_, str>, Error> {
    let text = value.as_str().map_or_else(|| Cow::Owned(text(value)), Cow::Borrowed);
    size::check(text.len())?;
    Ok(text)
}

/// Writes `repr(value)` until there is too much of it.
struct Printer {
    out: String,
    depth: usize,
}

/// Lists and mappings inside each other, below which `…` is written.
const MAX_DEPTH: usize = 200;

impl Printer {
    fn value(&mut self, value: &Value) {
        if size::check(self.out.len()).is_err() {
            return;
        }
        match value.kind() {
            ValueKind::Number if !value.is_integer() => match f64::try_from(value.clone()) {
                Ok(float) => self.out.push_str(&float_text(float)),
                Err(_) => self.plain(value),
            },
            // The engine's own debug form of a string is Python's.
            ValueKind::String => {
                let _ = write!(self.out, "{value:?}");
            }
            ValueKind::Seq | ValueKind::Iterable | ValueKind::Map if self.depth >= MAX_DEPTH => self.out.push('…'),
            ValueKind::Seq | ValueKind::Iterable => self.nested(|printer| printer.list(value)),
            ValueKind::Map if value.try_iter().is_ok() => self.nested(|printer| printer.mapping(value)),
            _ => self.plain(value),
        }
    }

    fn nested(&mut self, print: impl FnOnce(&mut Self)) {
        self.depth += 1;
        print(self);
        self.depth -= 1;
    }

    fn list(&mut self, value: &Value) {
        let tuple = value.is_tuple();
        self.out.push(if tuple { '(' } else { '[' });
        let mut count = 0;
        for item in value.try_iter().into_iter().flatten() {
            if count > 0 {
                self.out.push_str(", ");
            }
            self.value(&item);
            count += 1;
            if size::check(self.out.len()).is_err() {
                return;
            }
        }
        self.out.push_str(match (tuple, count) {
            (true, 1) => ",)",
            (true, _) => ")",
            (false, _) => "]",
        });
    }

    fn mapping(&mut self, value: &Value) {
        self.out.push('{');
        for (index, key) in value.try_iter().into_iter().flatten().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            self.value(&key);
            self.out.push_str(": ");
            self.value(&value.get_item(&key).unwrap_or_default());
            if size::check(self.out.len()).is_err() {
                return;
            }
        }
        self.out.push('}');
    }

    fn plain(&mut self, value: &Value) {
        // Writing to a String does not fail.
        let _ = write!(self.out, "{value}");
    }
}

/// `repr` of a float: the shortest digits, an exponent from 1e16 on and below 1e-4.
pub(super) fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_owned();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float == 0.0 || (-4..16).contains(&exponent) {
        let text = float.to_string();
        return if text.contains('.') { text } else { format!("{text}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_python() {
        for (float, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123456.789, "123456.789"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(float_text(float), text);
        }
    }
}
