//! Changing a few places of a text and leaving the rest alone.
//!
//! YAML cannot be edited as text in general, so a result is only used if it reads as exactly the
//! value that was wanted; else that value is written anew.

use std::ops::Range;

use serde_json::Value;

use crate::bundle::yaml::{self, Node, YamlError};

/// The edited text if it reads as `expected`, else `expected` as clean YAML.
pub(super) fn edited_or_emitted(text: &str, edits: Option<Vec<Edit>>, expected: &Value) -> String {
    let edited = edits.and_then(|edits| apply(text, edits));
    match edited {
        Some(edited) if reads_as(&edited, expected) => edited,
        _ => yaml::emit(expected),
    }
}

/// Replaces a range of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    pub(super) text: String,
}

fn reads_as(text: &str, expected: &Value) -> bool {
    yaml::parse(text).and_then(|node| value_of(&node)).as_ref() == Ok(expected)
}

/// What an instance is told by; its text counts, also where it reads as a number.
pub(super) const NAMES: [&str; 2] = ["name", "environment"];

/// The value of a spec. The names in its instances are texts, so that `1e3` is still `1e3` when it is written anew.
pub(super) fn value_of(spec: &Node) -> Result<Value, YamlError> {
    let mut value = spec.to_value()?;
    if let (Some(nodes), Some(Value::Array(items))) = (spec.get("instances"), value.get_mut("instances")) {
        for (node, item) in nodes.items().iter().zip(items) {
            for name in NAMES {
                let text = node.get(name).filter(|node| !node.is_null()).and_then(Node::text);
                if let (Some(text), Some(slot)) = (text, item.get_mut(name)) {
                    *slot = text.into();
                }
            }
        }
    }
    Ok(value)
}

fn apply(text: &str, mut edits: Vec<Edit>) -> Option<String> {
    edits.sort_by_key(|edit| edit.range.start);
    edits.dedup();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        // Fails, as it should, where edits overlap: an alias stands for one place.
        out.push_str(text.get(at..edit.range.start)?);
        out.push_str(&edit.text);
        at = edit.range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// Where characters and lines of a text are, in bytes.
pub(super) struct Places<'a> {
    text: &'a str,
    chars: Vec<usize>,
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let chars = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let lines = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, chars, lines }
    }

    /// A scalar that is written as `literal`, quoted or not. (The parser's end of a scalar may take in
    /// a comment.)
    pub(super) fn scalar(&self, node: &Node, literal: &str) -> Option<Range<usize>> {
        let start = *self.chars.get(node.start)?;
        let rest = self.text.get(start..)?;
        let quotes = if rest.starts_with(['"', '\'']) { 2 } else { 0 };
        rest.get(quotes / 2..)?.starts_with(literal).then_some(start..start + literal.len() + quotes)
    }

    /// From the first character of a node to the end of its last line, without the line break.
    pub(super) fn block(&self, node: &Node) -> Option<Range<usize>> {
        Some(*self.chars.get(node.start)?..self.line_end(node.last_line)?)
    }

    /// Whole lines with their line breaks, counted from 1, both included.
    pub(super) fn lines(&self, first: usize, last: usize) -> Option<Range<usize>> {
        let start = *self.lines.get(first.checked_sub(1)?)?;
        let end = self.lines.get(last).copied().unwrap_or(self.text.len());
        (start <= end).then_some(start..end)
    }

    fn line_end(&self, line: usize) -> Option<usize> {
        let whole = self.text.get(self.lines(line, line)?)?;
        Some(self.lines.get(line.checked_sub(1)?)? + whole.trim_end_matches(['\n', '\r']).len())
    }
}

/// A value as block lines for a place at `column` (from 1), the first line without indentation.
pub(super) fn block_text(value: &Value, column: usize) -> String {
    let indent = " ".repeat(column.saturating_sub(1));
    let text = yaml::emit(value);
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.trim_end_matches('\n').lines().enumerate() {
        if index > 0 {
            out.push('\n');
            if !line.is_empty() {
                out.push_str(&indent);
            }
        }
        out.push_str(line);
    }
    out
}
