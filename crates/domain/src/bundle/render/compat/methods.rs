//! Methods of Python's `str`, `dict`, `list` and `float` that the engine's own compatibility layer
//! lacks; all others are handed on to it.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::arguments::Arguments;
use super::{print, size, text};

/// Calls a method that the engine does not know.
pub(super) fn call(state: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let own = match value.kind() {
        ValueKind::String => of_text(value.as_str().unwrap_or_default(), method, args)?,
        ValueKind::Map => of_mapping(value, method, args)?,
        ValueKind::Seq => of_list(value, method, args)?,
        ValueKind::Number => of_number(value, method, args)?,
        _ => None,
    };
    let result = match own {
        Some(result) => result,
        None => unknown_method_callback(state, value, method, args)?,
    };
    size::charge_value(state, &result)?;
    Ok(result)
}

fn of_text(s: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(Some(match method {
        "split" => split(s, args, false)?,
        "rsplit" => split(s, args, true)?,
        "partition" => {
            let (separator,): (&str,) = from_args(args)?;
            let (before, after) = s.split_once(separator).map_or((s, None), |(before, after)| (before, Some(after)));
            three(before, after.map(|_| separator), after)
        }
        "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            match s.rsplit_once(separator) {
                Some((before, after)) => three(before, Some(separator), Some(after)),
                None => {
                    Value::from(minijinja::value::Tuple::from(vec![Value::from(""), Value::from(""), Value::from(s)]))
                }
            }
        }
        "replace" => {
            let (old, new, count): (&str, &str, Option<i64>) = from_args(args)?;
            Value::from(text::replaced(s, old, new, count.unwrap_or(-1))?)
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(s.strip_prefix(prefix).unwrap_or(s))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(s.strip_suffix(suffix).unwrap_or(s))
        }
        "center" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            Value::from(text::centered(s, width, fill.unwrap_or(' '))?)
        }
        "ljust" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            Value::from(format!("{s}{}", padding(s, width, fill.unwrap_or(' '))?))
        }
        "rjust" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            Value::from(format!("{}{s}", padding(s, width, fill.unwrap_or(' '))?))
        }
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let zeros = padding(s, width, '0')?;
            let sign = s.get(..1).filter(|sign| ["+", "-"].contains(sign)).unwrap_or_default();
            Value::from(format!("{sign}{zeros}{}", s.get(sign.len()..).unwrap_or_default()))
        }
        "swapcase" => {
            let () = from_args(args)?;
            Value::from(
                s.chars()
                    .map(|c| if c.is_uppercase() { c.to_lowercase().to_string() } else { c.to_uppercase().to_string() })
                    .collect::<String>(),
            )
        }
        "casefold" => {
            let () = from_args(args)?;
            Value::from(s.to_lowercase())
        }
        "title" => {
            let () = from_args(args)?;
            Value::from(title(s))
        }
        "isdecimal" => {
            let () = from_args(args)?;
            Value::from(!s.is_empty() && s.chars().all(|c| c.is_ascii_digit()))
        }
        "isidentifier" => {
            let () = from_args(args)?;
            let first = s.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
            Value::from(first && s.chars().all(|c| c.is_alphanumeric() || c == '_'))
        }
        "index" | "rindex" => {
            let (what,): (&str,) = from_args(args)?;
            let found = if method == "index" { s.find(what) } else { s.rfind(what) };
            let at = found.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "substring not found"))?;
            Value::from(s.get(..at).unwrap_or_default().chars().count())
        }
        "join" => {
            let (values,): (&Value,) = from_args(args)?;
            Value::from(text::joined(values, s, None)?)
        }
        "format" => {
            text::check_widths(s, args)?;
            return Ok(None);
        }
        _ => return Ok(None),
    }))
}

fn three(before: &str, separator: Option<&str>, after: Option<&str>) -> Value {
    let parts = [before, separator.unwrap_or_default(), after.unwrap_or_default()];
    Value::from(minijinja::value::Tuple::from(parts.iter().map(|part| Value::from(*part)).collect::<Vec<_>>()))
}

fn padding(text: &str, width: usize, fill: char) -> Result<String, Error> {
    let count = width.saturating_sub(text.chars().count());
    size::check(count.saturating_mul(fill.len_utf8()))?;
    Ok(std::iter::repeat_n(fill, count).collect())
}

/// `split(sep=None, maxsplit=-1)`, from either end.
fn split(s: &str, args: &[Value], from_right: bool) -> Result<Value, Error> {
    let mut args = Arguments::of(args)?;
    let separator = args.value("sep")?;
    let limit = args.integer("maxsplit")?.unwrap_or(-1);
    args.finish()?;
    let parts = usize::try_from(limit).map_or(usize::MAX, |limit| limit.saturating_add(1));
    let found: Vec<&str> = match separator.as_ref().map(|separator| separator.as_str()) {
        Some(Some("")) => return Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        Some(Some(separator)) if from_right => s.rsplitn(parts, separator).collect(),
        Some(Some(separator)) => s.splitn(parts, separator).collect(),
        Some(None) => return Err(Error::new(ErrorKind::InvalidOperation, "the separator must be text")),
        None if from_right => split_blank(
            s,
            parts,
            |rest| rest.trim_end().rsplit_once(char::is_whitespace).map(|(rest, word)| (word, rest)),
            str::trim_end,
        ),
        None => split_blank(s, parts, |rest| rest.trim_start().split_once(char::is_whitespace), str::trim_start),
    };
    let values = found.into_iter().map(Value::from);
    Ok(if from_right { values.rev().collect::<Vec<_>>().into() } else { values.collect::<Vec<_>>().into() })
}

/// Splits at runs of white space; `next` takes one word, `trim` cleans what is left over.
fn split_blank<'a>(
    s: &'a str,
    parts: usize,
    next: impl Fn(&'a str) -> Option<(&'a str, &'a str)>,
    trim: impl Fn(&'a str) -> &'a str,
) -> Vec<&'a str> {
    let mut words = Vec::new();
    let mut rest = trim(s);
    while words.len() + 1 < parts
        && let Some((word, left)) = next(rest)
    {
        words.push(word);
        rest = trim(left);
    }
    if !rest.is_empty() {
        words.push(rest);
    }
    words
}

/// Python's `str.title`: a letter after anything but a letter begins a word.
fn title(s: &str) -> String {
    let mut out = String::new();
    let mut within = false;
    for c in s.chars() {
        if within {
            out.extend(c.to_lowercase())
        } else {
            out.extend(c.to_uppercase())
        }
        within = c.is_alphabetic();
    }
    out
}

fn of_mapping(value: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "copy" => {
            let () = from_args(args)?;
            Ok(Some(value.clone()))
        }
        "update" | "pop" | "setdefault" | "clear" | "popitem" => Err(unchangeable("a mapping", method)),
        _ => Ok(None),
    }
}

fn of_list(value: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "index" => {
            let (what,): (&Value,) = from_args(args)?;
            let position = value.try_iter()?.position(|item| item == *what);
            let position = position.ok_or_else(|| {
                Error::new(ErrorKind::InvalidOperation, format!("{} is not in list", print::text(what)))
            })?;
            Ok(Some(Value::from(position)))
        }
        "copy" => {
            let () = from_args(args)?;
            Ok(Some(value.clone()))
        }
        "append" | "extend" | "insert" | "pop" | "remove" | "sort" | "reverse" | "clear" => {
            Err(unchangeable("a list", method))
        }
        _ => Ok(None),
    }
}

/// Values do not change here; the way that does work is part of the message.
fn unchangeable(what: &str, method: &str) -> Error {
    let message = format!(
        "{what} cannot be changed with `{method}`; build a new one, with a filter or as in \
         `{{% set ns.items = ns.items + [item] %}}` where `ns` is a `namespace(items=[])`"
    );
    Error::new(ErrorKind::UnknownMethod, message)
}

fn of_number(value: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "is_integer" => {
            let () = from_args(args)?;
            let float = f64::try_from(value.clone())?;
            Ok(Some(Value::from(float.fract() == 0.0)))
        }
        _ => Ok(None),
    }
}
