//! Filters on text.

use minijinja::formatting::FormatStyle;
use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, ErrorKind, Value};

use super::arguments::Arguments;
use super::print;
use super::size;

/// `str(value)`, refusing what is undefined.
fn input(value: &Value) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(print::text(value))
}

/// `truncate(length=255, killwords=False, end='...', leeway=5)`
pub(super) fn truncate(value: &Value, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let text = input(value)?;
    let mut args = Arguments::new(args)?;
    let length = args.size("length")?.unwrap_or(255);
    let killwords = args.flag("killwords")?.unwrap_or(false);
    let end = args.text("end")?.unwrap_or_else(|| "...".to_owned());
    let leeway = args.size("leeway")?.unwrap_or(5);
    args.finish()?;
    let kept = length.checked_sub(end.chars().count()).ok_or_else(|| {
        Error::new(ErrorKind::InvalidOperation, format!("expected length >= {}, got {length}", end.chars().count()))
    })?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text);
    }
    let cut: String = text.chars().take(kept).collect();
    let cut = if killwords { cut.as_str() } else { cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words) };
    Ok(format!("{cut}{end}"))
}

/// `wordcount`: runs of letters, digits and `_`.
pub(super) fn wordcount(value: &Value) -> Result<usize, Error> {
    let text = input(value)?;
    Ok(text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).count())
}

/// `center(width=80)`
pub(super) fn center(value: &Value, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let mut args = Arguments::new(args)?;
    let width = args.size("width")?.unwrap_or(80);
    args.finish()?;
    centered(&input(value)?, width, ' ')
}

/// Python's `str.center`: of an odd padding, the larger half goes left if the width is odd.
pub(super) fn centered(text: &str, width: usize, fill: char) -> Result<String, Error> {
    let padding = width.saturating_sub(text.chars().count());
    size::check(padding.saturating_mul(fill.len_utf8()))?;
    let left = padding / 2 + (padding & width & 1);
    let fill = |count: usize| std::iter::repeat_n(fill, count).collect::<String>();
    Ok(format!("{}{text}{}", fill(left), fill(padding - left)))
}

/// `title`: words begin after white space, `-` and opening brackets.
pub(super) fn title(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    let mut begins = true;
    for c in input(value)?.chars() {
        if c.is_whitespace() || "-({[<".contains(c) {
            out.push(c);
            begins = true;
        } else if begins {
            out.extend(c.to_uppercase());
            begins = false;
        } else {
            out.extend(c.to_lowercase());
        }
    }
    Ok(out)
}

/// `replace(old, new, count=None)`
pub(super) fn replace(value: &Value, old: &Value, new: &Value, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let mut args = Arguments::new(args)?;
    let count = args.integer("count")?.unwrap_or(-1);
    args.finish()?;
    replaced(&input(value)?, &input(old)?, &input(new)?, count)
}

/// Python's `str.replace`; a negative count means all.
pub(super) fn replaced(text: &str, old: &str, new: &str, count: i64) -> Result<String, Error> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let matches = text.matches(old).count().min(count);
    size::check(text.len().saturating_add(matches.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, count))
}

/// `indent(width=4, first=False, blank=False)`; the width may be a text.
pub(super) fn indent(value: &Value, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let text = input(value)?;
    let mut args = Arguments::new(args)?;
    let width = args.value("width")?;
    let first = args.flag("first")?.unwrap_or(false);
    let blank = args.flag("blank")?.unwrap_or(false);
    args.finish()?;
    let margin = match width {
        None => "    ".to_owned(),
        Some(width) => match width.as_str() {
            Some(margin) => margin.to_owned(),
            None => {
                let width = usize::try_from(width)?;
                size::check(width)?;
                " ".repeat(width)
            }
        },
    };
    let lines: Vec<&str> = split_lines(&text);
    size::check(text.len().saturating_add(margin.len().saturating_mul(lines.len())))?;
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let indented = if index == 0 { first } else { blank || !line.is_empty() };
        if indented {
            out.push_str(&margin);
        }
        out.push_str(line);
    }
    Ok(out)
}

/// The lines of a text, with an empty last one where it ends in a line break.
fn split_lines(text: &str) -> Vec<&str> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect()
}

/// `format(*args, **kwargs)`, printf style.
pub(super) fn format(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let text = input(value)?;
    let mut args = args.0;
    if kwargs.args().next().is_some() {
        args.push(Value::from(kwargs));
    }
    check_widths(&text, &args)?;
    minijinja::formatting::format(FormatStyle::Printf, &text, &args)
}

/// Refuses formats that pad beyond reason: a width of five digits, or one given as a large argument.
pub(super) fn check_widths(format: &str, args: &[Value]) -> Result<(), Error> {
    const DIGITS: usize = 5;
    let longest = format.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    let largest = args.iter().filter_map(Value::as_i64).map(i64::unsigned_abs).max().unwrap_or(0);
    let computed = format.contains('*') || format.contains(":{");
    if longest >= DIGITS || (computed && largest >= 10u64.pow(4)) {
        return Err(Error::new(ErrorKind::InvalidOperation, "the width in this format is too large"));
    }
    Ok(())
}

/// `join(d='', attribute=None)`
pub(super) fn join(value: &Value, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let mut args = Arguments::new(args)?;
    let separator = args.text("d")?.unwrap_or_default();
    let attribute = args.value("attribute")?;
    args.finish()?;
    joined(value, &separator, attribute.as_ref())
}

/// The items, or an attribute of each, with a separator between them.
pub(super) fn joined(value: &Value, separator: &str, attribute: Option<&Value>) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let items: Vec<Value> = match value.as_str() {
        Some(text) => text.chars().map(Value::from).collect(),
        None => value.try_iter()?.collect(),
    };
    let mut out = String::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        let item = match attribute {
            Some(attribute) => attribute_of(item, attribute)?,
            None => item.clone(),
        };
        out.push_str(&input(&item)?);
        size::check(out.len())?;
    }
    Ok(out)
}

/// `a.b.0` of a value.
fn attribute_of(item: &Value, attribute: &Value) -> Result<Value, Error> {
    let Some(path) = attribute.as_str() else { return item.get_item(attribute) };
    let mut value = item.clone();
    for part in path.split('.') {
        value = match part.parse::<usize>() {
            Ok(index) if value.kind() == ValueKind::Seq => value.get_item_by_index(index)?,
            _ => value.get_attr(part)?,
        };
    }
    Ok(value)
}
