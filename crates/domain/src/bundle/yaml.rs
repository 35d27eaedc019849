//! YAML with positions, bounded: what schemas, manifests and specs are read with.
//!
//! Scalars are resolved by the YAML 1.2 core schema (`true` and `false` are booleans, `yes` and `no`
//! are text), with one addition for account ids: a number with leading zeros is text, and so is a
//! number that would lose digits. Merge keys (`<<`) are understood. Nodes, text and nesting are
//! bounded with aliases expanded, so neither an alias bomb nor deep nesting costs more than the
//! bounds. It does not know what any document means.

mod emit;
mod resolve;

pub(crate) use emit::one_line;
pub use emit::{emit, inline};
pub use resolve::plain;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::problem::{Problem, did_you_mean};

/// Nodes of one document, with aliases expanded.
const MAX_NODES: usize = 50_000;
/// Bytes of text in one document, with aliases expanded.
const MAX_TEXT: usize = 4 * 1024 * 1024;
/// Collections inside collections, with aliases expanded.
const MAX_DEPTH: usize = 64;

/// A YAML node and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Line of its first character, from 1.
    pub line: usize,
    /// Column of its first character, from 1, in characters.
    pub column: usize,
    /// Line of its last character, from 1.
    pub last_line: usize,
    /// Offset of its first character in the document, in characters.
    pub start: usize,
    /// Collections nested below this node: 0 for a scalar.
    height: usize,
    /// What it holds.
    pub kind: Kind,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Text as written, without quotes; `plain` when it had none; the tag, if any (`!Ref`, `!!str`).
    Scalar { text: String, plain: bool, tag: Option<String> },
    /// `- a` or `[a]`.
    Sequence(Vec<Node>),
    /// `a: b` or `{a: b}`, in the order written; keys are scalars and distinct.
    Mapping(Vec<(Node, Node)>),
}

/// Why a text is not the YAML that was expected, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl YamlError {
    fn at(span: Span, message: impl Into<String>) -> Self {
        Self { line: span.start.line(), column: span.start.col() + 1, message: message.into() }
    }

    /// The parser sees a line break at the end of any text, and what comes after it in a line that is not there;
    /// and some columns it counts in bytes.
    fn within(mut self, text: &str) -> Self {
        let Some((last, line)) = lines(text).enumerate().take(self.line.max(1)).last() else { return self };
        let end = line.chars().count() + 1;
        self.column = if self.line > last + 1 { end } else { self.column.min(end) };
        self.line = last + 1;
        self
    }

    /// The same as a problem of `file`.
    pub fn into_problem(self, file: &str) -> Problem {
        Problem::new(file, format!("not valid YAML: {}", self.message), "correct the YAML at this place")
            .at_column(self.line, self.column)
    }
}

impl Node {
    /// The value of `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value of `key`, if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key))
    }

    /// Keys and values; none for anything but a mapping.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.kind {
            Kind::Mapping(entries) => entries,
            Kind::Scalar { .. } | Kind::Sequence(_) => &[],
        }
    }

    /// Items; none for anything but a sequence.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::Sequence(items) => items,
            Kind::Scalar { .. } | Kind::Mapping(_) => &[],
        }
    }

    /// The text of a scalar as written, whatever its type: `3.10` stays `3.10`.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }

    /// Whether this is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.kind, Kind::Mapping(_))
    }

    /// Whether nothing was given: an empty scalar, `~` or `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true, tag: None } if plain(text).is_null())
    }

    /// What this is, for messages: `a list`, `the text "x"`.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
            Kind::Scalar { .. } if self.is_null() => "nothing".to_owned(),
            Kind::Scalar { text, .. } => format!("`{}`", excerpt(text)),
        }
    }

    /// The node at a JSON pointer below this one; where the path ends early, the last node on it.
    pub fn nearest<'a>(&self, pointer: impl IntoIterator<Item = &'a str>) -> &Node {
        let mut node = self;
        for part in pointer {
            let next = match &node.kind {
                Kind::Mapping(_) => node.get(part),
                Kind::Sequence(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
                Kind::Scalar { .. } => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// A problem of `file` for each key of this mapping that is not `known` there.
    pub(crate) fn unknown_keys(&self, file: &str, known: &[&str]) -> Vec<Problem> {
        let unknown = |key: &Node| {
            let name = key.text().filter(|name| !known.contains(name))?;
            let remedy = match did_you_mean(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("remove it; known here: {}", known.join(", ")),
            };
            let message = format!("`{}` has no meaning here", excerpt(name));
            Some(Problem::new(file, message, remedy).at(key.line))
        };
        self.entries().iter().filter_map(|(key, _)| unknown(key)).collect()
    }

    /// The value, with scalars resolved.
    ///
    /// # Errors
    /// A tag that says nothing about a JSON value (`!Ref`), or that its text contradicts.
    pub fn to_value(&self) -> Result<Value, YamlError> {
        match &self.kind {
            Kind::Scalar { text, plain, tag } => resolve::scalar(text, *plain, tag.as_deref())
                .map_err(|message| YamlError { line: self.line, column: self.column, message }),
            Kind::Sequence(items) => items.iter().map(Node::to_value).collect::<Result<_, _>>().map(Value::Array),
            Kind::Mapping(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    map.insert(key.text().unwrap_or_default().to_owned(), value.to_value()?);
                }
                Ok(Value::Object(map))
            }
        }
    }
}

/// At most 60 characters of a text, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Parses one document; an empty text is a null scalar.
///
/// # Errors
/// What the YAML grammar refuses, a second document, a duplicate or non-scalar key, an unknown alias,
/// and a document beyond the bounds.
pub fn parse(text: &str) -> Result<Node, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    read(text, lines(text).count()).map_err(|error| error.within(text))
}

/// The lines of a text; after a line break at its end comes an empty one.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut left = Some(text);
    std::iter::from_fn(move || {
        let text = left?;
        let Some(end) = text.find(['\n', '\r']) else { return left.take() };
        let (line, rest) = text.split_at(end);
        left = rest.strip_prefix("\r\n").or(rest.get(1..));
        Some(line)
    })
}

fn read(text: &str, lines: usize) -> Result<Node, YamlError> {
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder { lines, ..Builder::default() };
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| YamlError {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            message: error.info().to_owned(),
        })?;
        builder.event(event, span)?;
    }
    Ok(builder.root.unwrap_or_else(|| leaf(Span::default(), String::new(), true, None)))
}

/// A collection that is being read.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Node>,
}

#[derive(Default)]
struct Builder {
    /// How many lines the text has.
    lines: usize,
    root: Option<Node>,
    stack: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    text: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(YamlError::at(span, "a second document begins here; there may be only one"))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let mut node =
                    leaf(span, text.into_owned(), style == ScalarStyle::Plain, tag.map(|tag| tag_name(&tag)));
                if span.end.col() == 0 && node.last_line > node.line {
                    node.last_line -= 1;
                }
                self.keep(anchor, &node, span)?;
                self.add(node, span)
            }
            Event::SequenceStart(anchor, tag) => self.open(Kind::Sequence(Vec::new()), anchor, tag.as_deref(), span),
            Event::MappingStart(anchor, tag) => self.open(Kind::Mapping(Vec::new()), anchor, tag.as_deref(), span),
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id).cloned() else {
                    return Err(YamlError::at(span, "this alias refers to an anchor that is not complete here"));
                };
                self.charge(&node, span)?;
                self.add(node, span)
            }
        }
    }

    fn open(&mut self, kind: Kind, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<(), YamlError> {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            return Err(YamlError::at(span, format!("the tag `{}` has no meaning here", tag_name(tag))));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        let node = Node { kind, ..leaf(span, String::new(), true, None) };
        self.stack.push(Open { node, anchor, key: None });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), YamlError> {
        let Some(Open { mut node, anchor, .. }) = self.stack.pop() else { return Ok(()) };
        let flow = !span.is_empty();
        let (last_line, height) = match &node.kind {
            Kind::Scalar { .. } => (node.last_line, 0),
            Kind::Sequence(items) => extent(items.iter()),
            Kind::Mapping(entries) => extent(entries.iter().flat_map(|(key, value)| [key, value])),
        };
        node.last_line = if flow { span.end.line() } else { last_line.max(node.line) };
        node.height = height + 1;
        if let Kind::Mapping(entries) = node.kind {
            node.kind = Kind::Mapping(merged(entries)?);
        }
        self.keep(anchor, &node, span)?;
        self.add(node, span)
    }

    /// Remembers an anchored node; the copy counts.
    fn keep(&mut self, anchor: usize, node: &Node, span: Span) -> Result<(), YamlError> {
        if anchor > 0 {
            self.charge(node, span)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(())
    }

    fn add(&mut self, mut node: Node, span: Span) -> Result<(), YamlError> {
        node.line = node.line.min(self.lines);
        node.last_line = node.last_line.min(self.lines);
        self.nodes += 1;
        self.text += node.text().map_or(0, str::len);
        self.check_budget(span)?;
        if self.stack.len() + node.height > MAX_DEPTH {
            return Err(too_deep(span));
        }
        let Some(parent) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut parent.node.kind {
            Kind::Sequence(items) => items.push(node),
            Kind::Mapping(entries) => match parent.key.take() {
                Some(key) => entries.push((key, node)),
                None if node.text().is_none() => {
                    return Err(YamlError::at(span, "a key must be text, not a list or a mapping"));
                }
                None => parent.key = Some(node),
            },
            Kind::Scalar { .. } => {}
        }
        Ok(())
    }

    /// Counts a copy of `node`, stopping as soon as the budget is used up.
    fn charge(&mut self, node: &Node, span: Span) -> Result<(), YamlError> {
        self.nodes += 1;
        self.text += node.text().map_or(0, str::len);
        self.check_budget(span)?;
        for item in node.items() {
            self.charge(item, span)?;
        }
        for (key, value) in node.entries() {
            self.charge(key, span)?;
            self.charge(value, span)?;
        }
        Ok(())
    }

    fn check_budget(&self, span: Span) -> Result<(), YamlError> {
        if self.nodes > MAX_NODES || self.text > MAX_TEXT {
            return Err(YamlError::at(span, "the document is too large with its aliases expanded"));
        }
        Ok(())
    }
}

fn leaf(span: Span, text: String, plain: bool, tag: Option<String>) -> Node {
    Node {
        line: span.start.line().max(1),
        column: span.start.col() + 1,
        last_line: span.end.line().max(1),
        start: span.start.index(),
        height: 0,
        kind: Kind::Scalar { text, plain, tag },
    }
}

/// Last line and greatest height of some children.
fn extent<'a>(children: impl Iterator<Item = &'a Node>) -> (usize, usize) {
    children.fold((0, 0), |(line, height), child| (line.max(child.last_line), height.max(child.height)))
}

/// Refuses duplicate keys, and puts the entries of a merge key (`<<`) where they were not given.
fn merged(entries: Vec<(Node, Node)>) -> Result<Vec<(Node, Node)>, YamlError> {
    let mut lines: HashMap<String, usize> = HashMap::new();
    let mut own = Vec::with_capacity(entries.len());
    let mut merges = Vec::new();
    for (key, value) in entries {
        if matches!(&key.kind, Kind::Scalar { text, plain: true, .. } if text == "<<") {
            merges.push((key, value));
            continue;
        }
        let name = key.text().unwrap_or_default();
        if let Some(first) = lines.insert(name.to_owned(), key.line) {
            return Err(YamlError {
                line: key.line,
                column: key.column,
                message: format!("the key `{}` is given twice, first in line {first}", excerpt(name)),
            });
        }
        own.push((key, value));
    }
    for (key, value) in merges {
        let sources = match value.kind {
            Kind::Sequence(items) => items,
            _ => vec![value],
        };
        for source in sources {
            let Kind::Mapping(inherited) = source.kind else {
                return Err(YamlError {
                    line: key.line,
                    column: key.column,
                    message: "the merge key `<<` takes a mapping or a list of mappings".to_owned(),
                });
            };
            for (key, value) in inherited {
                if lines.insert(key.text().unwrap_or_default().to_owned(), key.line).is_none() {
                    own.push((key, value));
                }
            }
        }
    }
    Ok(own)
}

/// A tag as written: `!Ref`, `!!str`.
fn tag_name(tag: &Tag) -> String {
    if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { format!("{}{}", tag.handle, tag.suffix) }
}

fn too_deep(span: Span) -> YamlError {
    YamlError::at(span, format!("nested deeper than {MAX_DEPTH} levels"))
}

#[cfg(test)]
mod tests;
