//! What is wrong in a policy document: where, with which value, and what would be right there.

use std::fmt;

/// How many problems [`summary`] lists.
const LISTED: usize = 10;
/// How many characters of a value a message quotes.
const QUOTED: usize = 120;

/// One thing that is wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A JSON pointer (RFC 6901) into the document, as in `/Statement/0/Action/1`; empty for the whole of it.
    pub place: String,
    /// What is wrong, with the value.
    pub message: String,
    /// What would be right.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "{}; {}", self.message, self.remedy)
    }
}

/// One line a problem, of which the first ones are listed.
pub fn summary(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(LISTED).map(Problem::to_string).collect();
    if problems.len() > LISTED {
        lines.push(format!("and {} more", problems.len() - LISTED));
    }
    lines.join("\n")
}

/// A message and its remedy, before the place is known.
pub(super) type Wrong = (String, String);

/// Where the reader is in a document.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Member(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The whole document.
    pub(super) const ROOT: Place<'static> = Place { parent: None, step: Step::Root };

    pub(super) fn member(&'a self, name: &'a str) -> Place<'a> {
        Place { parent: Some(self), step: Step::Member(name) }
    }

    pub(super) fn index(&'a self, index: usize) -> Place<'a> {
        Place { parent: Some(self), step: Step::Index(index) }
    }

    pub(super) fn problem(&self, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem { place: self.to_string(), message: message.into(), remedy: remedy.into() }
    }

    pub(super) fn wrong(&self, (message, remedy): Wrong) -> Problem {
        self.problem(message, remedy)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Member(name) => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")),
            Step::Index(index) => write!(f, "/{index}"),
        }
    }
}

/// A value in quotes, cut if it is long.
pub(super) fn quote(value: &str) -> String {
    match value.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("'{}…'", value.get(..end).unwrap_or_default()),
        None => format!("'{value}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_json_pointer() {
        let statements = Place::ROOT.member("Statement");
        let statement = statements.index(2);
        let key = statement.member("aws:RequestTag/a~b");
        assert_eq!(key.to_string(), "/Statement/2/aws:RequestTag~1a~0b");
        assert_eq!(Place::ROOT.problem("empty", "write it").to_string(), "empty; write it");
        assert_eq!(key.problem("empty", "write it").to_string(), "/Statement/2/aws:RequestTag~1a~0b: empty; write it");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(quote("é"), "'é'");
        let long = quote(&"é".repeat(500));
        assert_eq!(long.chars().count(), QUOTED + 3);
        assert!(long.ends_with("…'"));
    }
}
