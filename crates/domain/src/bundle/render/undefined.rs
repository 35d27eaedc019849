//! Which name was undefined, and which names there are instead.
//!
//! The engine tells the place and, mostly, the path. Where it does not (a filter was handed something
//! undefined) the paths of the tag are looked up one by one.

use serde_json::Value;

use crate::bundle::problem::did_you_mean;

/// Names listed in one message.
const SHOWN: usize = 30;

/// The path between the backticks of the engine's `` `a.b` is undefined ``; it writes `...` for what
/// it cannot name.
pub(super) fn named(detail: &str) -> Option<&str> {
    let end = detail.find("` is undefined")?;
    let start = detail.get(..end)?.rfind('`')? + 1;
    detail.get(start..end).filter(|path| !path.contains("..."))
}

/// The tag of the template that holds the byte at `offset`, without its delimiters.
pub(super) fn tag(source: &str, offset: usize) -> Option<&str> {
    let before = source.get(..offset)?;
    let start = before.rfind("{{").max(before.rfind("{%"))? + 2;
    let rest = source.get(start..)?;
    let length = [rest.find("}}"), rest.find("%}")].into_iter().flatten().min()?;
    rest.get(..length).map(|tag| tag.trim_matches(|c: char| c == '-' || c == '+' || c.is_whitespace()))
}

/// The first path of a tag that leads nowhere, as far as it goes.
pub(super) fn missing_in(tag: &str, source: &str, namespace: &Value) -> Option<String> {
    paths(tag).into_iter().find_map(|path| {
        let parts = split(&path);
        let mut value = root(parts.first()?, source, namespace)?;
        for (index, part) in parts.iter().enumerate().skip(1) {
            match step(value, part) {
                Some(next) => value = next,
                None => return value.is_object().then(|| parts.get(..=index).unwrap_or_default().join(".")),
            }
        }
        None
    })
}

/// `a.b has: x, y; did you mean x?` for a path whose last part is missing.
pub(super) fn names_at(path: &str, source: &str, namespace: &Value) -> Option<String> {
    let parts = split(path);
    let (last, parents) = parts.split_last()?;
    let mut value = namespace;
    for (index, part) in parents.iter().enumerate() {
        value = if index == 0 { root(part, source, namespace)? } else { step(value, part)? };
    }
    let of = if parents.is_empty() { "the template".to_owned() } else { format!("`{}`", parents.join(".")) };
    let names: Vec<&str> = value.as_object()?.keys().map(String::as_str).collect();
    if names.is_empty() {
        return Some(format!("{of} has no names at all"));
    }
    let more = if names.len() > SHOWN { ", …" } else { "" };
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    let hint =
        did_you_mean(last, names.iter().copied()).map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
    Some(format!("{of} has: {shown}{more}{hint}"))
}

/// A name of the namespace, or a loop's variable: then the first item of what it runs over.
fn root<'a>(name: &str, source: &str, namespace: &'a Value) -> Option<&'a Value> {
    namespace.get(name).or_else(|| {
        let at = source.find(&format!("for {name} in "))?;
        let list = source.get(at..)?.splitn(4, ' ').nth(3)?;
        let list: String = list.chars().take_while(|c| c.is_alphanumeric() || "_.".contains(*c)).collect();
        let mut value = namespace;
        for part in split(&list) {
            value = step(value, &part)?;
        }
        value.get(0)
    })
}

fn step<'a>(value: &'a Value, part: &str) -> Option<&'a Value> {
    match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        value => value.get(part),
    }
}

/// `a.b['c'][0]` in its parts.
fn split(path: &str) -> Vec<String> {
    path.replace('[', ".")
        .split('.')
        .map(|part| part.trim_matches(|c: char| matches!(c, ']' | '\'' | '"') || c.is_whitespace()).to_owned())
        .collect()
}

/// The paths of an expression (`a.b[0].c`), texts left out.
fn paths(tag: &str) -> Vec<String> {
    let chars: Vec<char> = tag.chars().collect();
    let mut paths = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        if c == '\'' || c == '"' {
            at += 1;
            while chars.get(at).is_some_and(|next| *next != c) {
                at += 1;
            }
            at += 1;
        } else if c.is_alphabetic() || c == '_' {
            let length = path_length(chars.get(at..).unwrap_or_default());
            paths.push(chars.iter().skip(at).take(length).collect());
            at += length;
        } else {
            at += 1;
        }
    }
    paths
}

/// How many characters of `chars` belong to the path that they begin with.
fn path_length(chars: &[char]) -> usize {
    let mut length = 0;
    while let Some(&c) = chars.get(length) {
        if c.is_alphanumeric()
            || c == '_'
            || (c == '.' && chars.get(length + 1).is_some_and(|next| next.is_alphabetic() || *next == '_'))
        {
            length += 1;
            continue;
        }
        // An index, if it is a number or a text.
        let inside: String = chars.iter().skip(length + 1).take_while(|c| **c != ']').collect();
        let is_number = !inside.is_empty() && inside.chars().all(|c| c.is_ascii_digit());
        let is_text =
            inside.len() > 2 && ['\'', '"'].iter().any(|quote| inside.starts_with(*quote) && inside.ends_with(*quote));
        if c != '[' || !(is_number || is_text) {
            break;
        }
        length += inside.chars().count() + 2;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_with_their_indices() {
        assert_eq!(paths("{'a.b': x.y}[list[0].z['k']] | f(q, 1.5)"), ["x.y", "list[0].z['k']", "f", "q"]);
    }

    #[test]
    fn a_tag_is_found_around_a_place() {
        let source = "a {{ b }} {%- if c | d -%} e";
        assert_eq!(tag(source, source.find("| d").unwrap()), Some("if c | d"));
        assert_eq!(tag(source, 5), Some("b"));
    }
}
