//! `+`, `*`, `~` and `%`, bounded; templates reach them through `guard`.

use minijinja::formatting::FormatStyle;
use minijinja::value::{Rest, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::{print, size, text};

/// `a ~ b ~ …`: the texts of the operands, joined.
pub(super) fn concat(state: &mut State<'_, '_>, operands: Rest<Value>) -> Result<String, Error> {
    let mut out = String::new();
    for operand in operands.iter() {
        out.push_str(&print::bounded(defined(operand)?)?);
        size::check(out.len())?;
    }
    size::charge(state, out.len())?;
    Ok(out)
}

/// `a + b - …`: the operands with the names of the operators between them. Texts and lists add, too.
pub(super) fn sum(state: &mut State<'_, '_>, operands: Rest<Value>) -> Result<Value, Error> {
    fold(operands, |operator, a, b| match operator {
        "-" => subtract(a, b),
        _ => add(state, a, b),
    })
}

/// `a * b / …`, likewise. Texts and lists are repeated; `%` also formats in printf style.
pub(super) fn product(state: &mut State<'_, '_>, operands: Rest<Value>) -> Result<Value, Error> {
    fold(operands, |operator, a, b| match operator {
        "%" => modulo(state, a, b),
        "/" => divide(a, b),
        "//" => floor_divide(a, b),
        _ => multiply(state, a, b),
    })
}

fn fold(
    operands: Rest<Value>,
    mut apply: impl FnMut(&str, &Value, &Value) -> Result<Value, Error>,
) -> Result<Value, Error> {
    let mut operands = operands.0.into_iter();
    let Some(mut result) = operands.next() else { return Err(Error::from(ErrorKind::MissingArgument)) };
    while let (Some(operator), Some(operand)) = (operands.next(), operands.next()) {
        result = apply(operator.as_str().unwrap_or_default(), defined(&result)?, defined(&operand)?)?;
    }
    Ok(result)
}

fn subtract(a: &Value, b: &Value) -> Result<Value, Error> {
    match (integer(a), integer(b), float(a), float(b)) {
        (Some(a), Some(b), ..) => a.checked_sub(b).map(number).ok_or_else(|| too_large("-")),
        (_, _, Some(a), Some(b)) => Ok(Value::from(a - b)),
        _ => Err(unsupported("-", a, b)),
    }
}

fn divide(a: &Value, b: &Value) -> Result<Value, Error> {
    match (float(a), float(b)) {
        (Some(_), Some(0.0)) => Err(Error::new(ErrorKind::InvalidOperation, "division by zero")),
        (Some(a), Some(b)) => Ok(Value::from(a / b)),
        _ => Err(unsupported("/", a, b)),
    }
}

fn floor_divide(a: &Value, b: &Value) -> Result<Value, Error> {
    let by_zero = || Error::new(ErrorKind::InvalidOperation, "division by zero");
    match (integer(a), integer(b), float(a), float(b)) {
        (Some(_), Some(0), ..) | (_, _, Some(_), Some(0.0)) => Err(by_zero()),
        (Some(a), Some(b), ..) => {
            let quotient = a.checked_div(b).ok_or_else(by_zero)?;
            let is_below = a % b != 0 && (a < 0) != (b < 0);
            Ok(number(if is_below { quotient - 1 } else { quotient }))
        }
        (_, _, Some(a), Some(b)) => Ok(Value::from((a / b).floor())),
        _ => Err(unsupported("//", a, b)),
    }
}

fn add(state: &mut State<'_, '_>, a: &Value, b: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return a.checked_add(b).map(number).ok_or_else(|| too_large("+"));
    }
    if let (Some(a), Some(b)) = (float(a), float(b)) {
        return Ok(Value::from(a + b));
    }
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        let length = a.len() + b.len();
        size::check(length)?;
        size::charge(state, length)?;
        return Ok(Value::from([a, b].concat()));
    }
    if is_list(a) && is_list(b) && a.is_tuple() == b.is_tuple() {
        let items = size::items(state, a.try_iter()?.chain(b.try_iter()?))?;
        return Ok(list(items, a.is_tuple()));
    }
    Err(unsupported("+", a, b))
}

fn multiply(state: &mut State<'_, '_>, a: &Value, b: &Value) -> Result<Value, Error> {
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        return a.checked_mul(b).map(number).ok_or_else(|| too_large("*"));
    }
    if let (Some(a), Some(b)) = (float(a), float(b)) {
        return Ok(Value::from(a * b));
    }
    let (repeated, count) = match (integer(a), integer(b)) {
        (None, Some(count)) => (a, count),
        (Some(count), None) => (b, count),
        _ => return Err(unsupported("*", a, b)),
    };
    // A negative count gives nothing; one beyond `usize` is refused below.
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    if let Some(text) = repeated.as_str() {
        let length = text.len().saturating_mul(count);
        size::check(length)?;
        size::charge(state, length)?;
        return Ok(Value::from(text.repeat(count)));
    }
    if is_list(repeated) {
        let once: Vec<Value> = size::items(state, repeated.try_iter()?)?;
        let length = once.len().saturating_mul(count);
        size::check(length.saturating_mul(size::ITEM))?;
        let items = size::items(state, once.iter().cloned().cycle().take(length))?;
        return Ok(list(items, repeated.is_tuple()));
    }
    Err(unsupported("*", a, b))
}

fn modulo(state: &mut State<'_, '_>, a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(format) = a.as_str() {
        let args: Vec<Value> = if b.is_tuple() { b.try_iter()?.collect() } else { vec![b.clone()] };
        text::check_widths(format, &args)?;
        let out = minijinja::formatting::format(FormatStyle::Printf, format, &args)?;
        size::charge(state, out.len())?;
        return Ok(Value::from(out));
    }
    if let (Some(a), Some(b)) = (integer(a), integer(b)) {
        let remainder = a.checked_rem(b).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "modulo by zero"))?;
        return Ok(number(if remainder != 0 && (remainder < 0) != (b < 0) { remainder + b } else { remainder }));
    }
    if let (Some(a), Some(b)) = (float(a), float(b)) {
        if b == 0.0 {
            return Err(Error::new(ErrorKind::InvalidOperation, "modulo by zero"));
        }
        let remainder = a % b;
        return Ok(Value::from(if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) {
            remainder + b
        } else {
            remainder
        }));
    }
    Err(unsupported("%", a, b))
}

/// What `set` keeps: values that hold each other deeply, or many times, are refused; what is computed
/// when it is looked at becomes a list, or else a chain of such would grow. Several values are a tuple.
pub(super) fn kept(state: &mut State<'_, '_>, values: Rest<Value>) -> Result<Value, Error> {
    let value = match values.0.as_slice() {
        [value] if value.kind() == ValueKind::Iterable => Value::from(size::items(state, value.try_iter()?)?),
        [value] => value.clone(),
        values => Value::from(Tuple::from(values.to_vec())),
    };
    let mut nodes = 0;
    count_nodes(&value, 0, &mut nodes)?;
    size::charge(state, nodes * 2)?;
    Ok(value)
}

/// Values in a value, with what is held twice counted twice.
const MAX_NODES: usize = 200_000;
/// Lists and mappings inside each other.
const MAX_DEPTH: usize = 100;

fn count_nodes(value: &Value, depth: usize, nodes: &mut usize) -> Result<(), Error> {
    *nodes += 1;
    if *nodes > MAX_NODES || depth > MAX_DEPTH {
        let message = format!("the value is larger than {MAX_NODES} items, or nested deeper than {MAX_DEPTH} levels");
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.try_for_each(|item| count_nodes(&item, depth + 1, nodes))
        }
        ValueKind::Map => {
            for key in value.try_iter().into_iter().flatten() {
                count_nodes(&value.get_item(&key)?, depth + 1, nodes)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `__text(length)`: accounts for a text of the template that may be captured.
pub(super) fn announce(state: &mut State<'_, '_>, length: usize) -> Result<&'static str, Error> {
    size::charge(state, length)?;
    Ok("")
}

fn defined(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(value) }
}

/// Integers and booleans, which count as 0 and 1.
fn integer(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}

fn number(integer: i128) -> Value {
    i64::try_from(integer).map_or_else(|_| Value::from(integer), Value::from)
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn list(items: Vec<Value>, is_tuple: bool) -> Value {
    if is_tuple { Value::from(Tuple::from(items)) } else { Value::from(items) }
}

fn too_large(operator: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("the result of {operator} is too large"))
}

fn unsupported(operator: &str, a: &Value, b: &Value) -> Error {
    let message = format!("{operator} does not work between a {} and a {}", a.kind(), b.kind());
    Error::new(ErrorKind::InvalidOperation, message)
}
