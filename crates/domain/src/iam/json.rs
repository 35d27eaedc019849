//! JSON as policies use it: names in the order written, and those that are written twice still there.
//!
//! A name that stands twice in an object is an error of the author ("Individual elements must not contain multiple
//! instances of the same key", IAM User Guide, "Grammar of the IAM JSON policy language"), which a map would hide.

use super::problem::{Place, Problem, quote};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A value of JSON. Numbers are kept as text, since nothing is reckoned with them here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Text(String),
    Number(String),
    Bool(bool),
    Null,
}

impl Node {
    /// Reads a text of which every character may stand in a policy.
    pub(super) fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let node: Self = serde_json::from_str(text).map_err(|why| {
            let message = format!("the document is not JSON: {why}");
            vec![Place::ROOT.problem(message, "write a JSON object with Version and Statement")]
        })?;
        let mut problems = Vec::new();
        node.check(&Place::ROOT, &mut problems);
        if problems.is_empty() { Ok(node) } else { Err(problems) }
    }

    /// What kind of value this is, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Object(_) => "an object",
            Self::Array(_) => "a list",
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a boolean",
            Self::Null => "null",
        }
    }

    /// Names once each, and legal characters only: tab, line feed, carriage return and U+0020 to U+00FF (IAM User
    /// Guide, "IAM and AWS STS quotas", name requirements).
    fn check(&self, place: &Place<'_>, problems: &mut Vec<Problem>) {
        match self {
            Self::Text(text) => check_characters(text, place, problems),
            Self::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.check(&place.index(index), problems);
                }
            }
            Self::Object(members) => {
                for (index, (name, member)) in members.iter().enumerate() {
                    let here = place.member(name);
                    check_characters(name, &here, problems);
                    if members.iter().take(index).any(|(earlier, _)| earlier == name) {
                        problems.push(here.problem(format!("{} is written twice", quote(name)), "write it once"));
                    }
                    member.check(&here, problems);
                }
            }
            Self::Number(_) | Self::Bool(_) | Self::Null => {}
        }
    }
}

fn check_characters(text: &str, place: &Place<'_>, problems: &mut Vec<Problem>) {
    let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FF}');
    if let Some(character) = text.chars().find(|c| !legal(*c)) {
        let message = format!("{} contains U+{:04X}", quote(text), u32::from(character));
        problems.push(place.problem(message, "use characters from U+0020 to U+00FF, tabs and line ends"));
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element()? {
            nodes.push(node);
        }
        Ok(Node::Array(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(member) = members.next_entry()? {
            nodes.push(member);
        }
        Ok(Node::Object(nodes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        Node::read(text).expect_err(text).first().expect("a problem").to_string()
    }

    #[test]
    fn what_is_written_twice_is_found_with_its_place() {
        assert_eq!(
            problem(r#"{"Statement":[{"Effect":"Allow","Effect":"Deny"}]}"#),
            "/Statement/0/Effect: 'Effect' is written twice; write it once"
        );
    }

    #[test]
    fn characters_beyond_latin_1_are_refused_written_out_or_escaped() {
        for text in [r#"{"Sid":"中"}"#, r#"{"Sid":"\u4e2d"}"#] {
            assert!(problem(text).starts_with("/Sid: '中' contains U+4E2D"), "{text}");
        }
        assert!(problem(r#"{"Sid":"\u0000"}"#).contains("U+0000"));
        assert!(Node::read("{\"Sid\":\"ÿ\\t\\n\\r\"}").is_ok());
    }

    #[test]
    fn what_is_no_json_is_told_with_line_and_column() {
        assert!(problem("{\n \"a\" 1}").contains("line 2 column 6"));
        assert!(problem("{} {}").contains("trailing characters"));
        assert!(problem(&"[".repeat(1000)).contains("recursion limit"));
    }

    #[test]
    fn numbers_keep_their_text() {
        let node = Node::read("[1, -2, 0.5, 18446744073709551615]").unwrap();
        let texts = ["1", "-2", "0.5", "18446744073709551615"].map(|text| Node::Number(text.to_owned()));
        assert_eq!(node, Node::Array(texts.to_vec()));
    }
}
