//! Writing values as clean YAML that every reader understands the same way.
//!
//! A string is written plain only if neither YAML 1.2 nor YAML 1.1 reads it as anything else.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::resolve::plain;

/// A value as a block-style document with a line break at the end. Reading it back gives the value.
pub fn emit(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(&mut out, map, 0),
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        scalar => {
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
    out
}

/// A value on one line, fit for every place where YAML takes a value.
pub fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", quoted(key), inline(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}

/// The entries of a mapping, each line indented.
fn mapping(out: &mut String, map: &Map<String, Value>, indent: usize) {
    for (key, value) in map {
        pad(out, indent);
        let key = one_line(key);
        if key.chars().count() > LONGEST_IMPLICIT_KEY {
            out.push_str("? ");
            out.push_str(&key);
            out.push('\n');
            pad(out, indent);
        } else {
            out.push_str(&key);
        }
        out.push(':');
        below(out, value, indent);
    }
}

/// YAML allows 1024 characters for a key that is not announced with `?`.
const LONGEST_IMPLICIT_KEY: usize = 1000;

fn sequence(out: &mut String, items: &[Value], indent: usize) {
    for item in items {
        pad(out, indent);
        out.push('-');
        match item {
            Value::Object(map) if !map.is_empty() => {
                let mut nested = String::new();
                mapping(&mut nested, map, indent + 2);
                out.push(' ');
                out.push_str(nested.trim_start_matches(' '));
            }
            item => below(out, item, indent),
        }
    }
}

/// What follows a `:` or a `-`.
fn below(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            mapping(out, map, indent + 2);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            sequence(out, items, indent + 2);
        }
        Value::String(text) if fits_literal(text) => literal(out, text, indent + 2),
        Value::String(text) => {
            out.push(' ');
            out.push_str(&one_line(text));
            out.push('\n');
        }
        other => {
            out.push(' ');
            out.push_str(&inline(other));
            out.push('\n');
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// A text as a scalar on one line, quoted only where it must be.
pub(crate) fn one_line(text: &str) -> String {
    if fits_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Whether every reader takes the text, unquoted and in block context, for this same text.
fn fits_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let safe = |c: char| c.is_ascii_alphanumeric() || " _./@+=()$:-".contains(c);
    (first.is_ascii_alphanumeric() || "_./$".contains(first))
        && text.chars().all(safe)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && plain(text).is_string()
        && !is_special_elsewhere(text)
}

/// Whether a YAML 1.1 reader takes the text for a boolean, a number, a time or a date.
fn is_special_elsewhere(text: &str) -> bool {
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", ".inf", ".nan"];
    let lower = text.to_ascii_lowercase();
    WORDS.contains(&lower.as_str())
        || (lower.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && lower.bytes().all(|byte| byte.is_ascii_hexdigit() || b"_.:+- xotz".contains(&byte)))
}

/// Whether the text reads best as a literal block, and survives as one.
fn fits_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with(char::is_whitespace)
        && !text.ends_with("\n\n")
        && text.chars().all(|c| c == '\n' || is_printable(c))
        && text.lines().all(|line| line.is_empty() || !line.trim().is_empty())
}

fn literal(out: &mut String, text: &str, indent: usize) {
    out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
    for line in text.lines() {
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_printable(c) => out.push(c),
            c => {
                let code = u32::from(c);
                // Writing to a String does not fail.
                let _ = if code <= 0xffff { write!(out, "\\u{code:04x}") } else { write!(out, "\\U{code:08x}") };
            }
        }
    }
    out.push('"');
    out
}

/// Printable in YAML, and neither a line break nor a mark that readers drop.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_read_as_a_person_would_write_them() {
        let value = json!({
            "proton": "ServiceSpec",
            "instances": [{"name": "dev", "spec": {"port": 80, "ratio": 0.5, "on": true, "none": null, "list": [], "map": {}}}],
            "nested": [[1, 2], ["a"]],
            "script": "set -e\n\nmake\n",
            "cut": "a\nb",
        });
        assert_eq!(
            emit(&value),
            "proton: ServiceSpec\ninstances:\n  - name: dev\n    spec:\n      port: 80\n      ratio: 0.5\n      \"on\": true\n      none: null\n      list: []\n      map: {}\nnested:\n  -\n    - 1\n    - 2\n  -\n    - a\nscript: |\n  set -e\n\n  make\ncut: |-\n  a\n  b\n"
        );
    }

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        for text in [
            "",
            "80",
            "1.21",
            "true",
            "No",
            "y",
            "~",
            "null",
            "000000000001",
            "2012-10-17",
            "12:30",
            "0x1f",
            "a: b",
            "a:",
            "#x",
            "- x",
            "${Proton::CURRENT_VAL}",
            "*x",
            "&x",
            "!x",
            "@x",
            " x",
            "x ",
            ".inf",
            "<<",
            "=",
            "é",
        ] {
            assert_eq!(emit(&json!({ "k": text })), format!("k: {}\n", quoted(text)), "{text}");
        }
    }

    #[test]
    fn ordinary_strings_stay_plain() {
        for text in ["public.ecr.aws/nginx/nginx:1.21", "/", "./x", "arn:aws:iam::123:role/x", "us-east-1", "echo a b"]
        {
            assert_eq!(emit(&json!({ "k": text })), format!("k: {text}\n"));
        }
    }
}
