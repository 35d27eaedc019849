//! Escaping for HTML, XML and URLs, as MarkupSafe and Jinja2 do it.

use std::fmt::Write;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::print::text;

/// `escape`: `&`, `<`, `>` and both quotes.
pub(super) fn escape(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if value.is_safe() {
        return Ok(value.clone());
    }
    Ok(Value::from_safe_string(html(&text(value))))
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// `xmlattr(autospace=True)`: the entries of a mapping as attributes, those without a value left out.
pub(super) fn xmlattr(value: &Value, autospace: Option<bool>) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        return Err(Error::new(ErrorKind::InvalidOperation, "the filter `xmlattr` takes a mapping"));
    }
    let mut attributes = Vec::new();
    for key in value.try_iter()? {
        let item = value.get_item(&key)?;
        if item.is_none() || item.is_undefined() {
            continue;
        }
        let name = text(&key);
        if name.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '>' | '=')) {
            let message = format!("`{name}` cannot be the name of an attribute");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
        attributes.push(format!("{}=\"{}\"", html(&name), html(&text(&item))));
    }
    let joined = attributes.join(" ");
    let space = if autospace.unwrap_or(true) && !joined.is_empty() { " " } else { "" };
    Ok(Value::from_safe_string(format!("{space}{joined}")))
}

/// `urlencode`: a text percent-encoded, or a mapping or list of pairs as a query.
pub(super) fn urlencode(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Map => {
            let mut pairs = Vec::new();
            for key in value.try_iter()? {
                pairs.push(format!("{}={}", query(&text(&key)), query(&text(&value.get_item(&key)?))));
            }
            Ok(pairs.join("&"))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut pairs = Vec::new();
            for pair in value.try_iter()? {
                let (key, item) = (pair.get_item_by_index(0)?, pair.get_item_by_index(1)?);
                pairs.push(format!("{}={}", query(&text(&key)), query(&text(&item))));
            }
            Ok(pairs.join("&"))
        }
        _ => Ok(percent(&text(value), b"/")),
    }
}

fn query(text: &str) -> String {
    percent(text, b"").replace("%20", "+")
}

fn percent(text: &str, safe: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) || safe.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
