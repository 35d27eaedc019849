//! `int` and `float`, which in Jinja2 answer a default instead of failing.

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind, Value};

use super::arguments::Arguments;

/// `int(default=0, base=10)`
pub(super) fn int(value: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let mut args = Arguments::new(args)?;
    let default = args.value("default")?.unwrap_or_else(|| Value::from(0));
    let base = args.integer("base")?.and_then(|base| u32::try_from(base).ok()).unwrap_or(10);
    args.finish()?;
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Bool => Value::from(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => value.clone(),
        ValueKind::Number => truncated(f64::try_from(value.clone())?).unwrap_or(default),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim();
            match parse_int(text, base) {
                Some(integer) => Value::from(integer),
                None => parse_float(text).and_then(truncated).unwrap_or(default),
            }
        }
        _ => default,
    })
}

/// `float(default=0.0)`
pub(super) fn float(value: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let mut args = Arguments::new(args)?;
    let default = args.value("default")?.unwrap_or_else(|| Value::from(0.0));
    args.finish()?;
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Bool => Value::from(if value.is_true() { 1.0 } else { 0.0 }),
        ValueKind::Number => Value::from(f64::try_from(value.clone())?),
        ValueKind::String => parse_float(value.as_str().unwrap_or_default().trim()).map_or(default, Value::from),
        _ => default,
    })
}

fn truncated(float: f64) -> Option<Value> {
    // Beyond 2^96 a float as an integer is digits that nobody wrote.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked, cutting the fraction is the purpose")]
    (float.abs() < 2f64.powi(96)).then(|| Value::from(float.trunc() as i128))
}

/// Python's `int(text, base)`: a sign, underscores between digits, `0x` where the base allows it.
fn parse_int(text: &str, base: u32) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let (digits, base) =
        match prefixes.iter().find(|(prefix, of)| lower.starts_with(prefix) && (base == *of || base == 0)) {
            Some((_, of)) => (digits.get(2..).unwrap_or_default(), *of),
            None => (digits, if base == 0 { 10 } else { base }),
        };
    if !(2..=36).contains(&base)
        || digits.starts_with(['_', '+', '-'])
        || digits.ends_with('_')
        || digits.contains("__")
    {
        return None;
    }
    let integer = i128::from_str_radix(&digits.replace('_', ""), base).ok()?;
    Some(if negative { -integer } else { integer })
}

fn parse_float(text: &str) -> Option<f64> {
    if text.starts_with('_') || text.ends_with('_') || text.contains("__") {
        return None;
    }
    text.replace('_', "").parse().ok()
}
