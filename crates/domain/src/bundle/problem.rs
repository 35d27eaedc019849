//! What is wrong with a bundle or a spec, told so that its author can fix it.
//!
//! Owns the one shape of such findings. It does not decide what happens to them: registration turns
//! them into a status message, an API call into a `ValidationException`.

use std::fmt;

/// One finding: where it is, what is wrong, and what would be right.
///
/// Displays as `schema/schema.yaml:12: message — remedy` (with the column after the line where it
/// is known). Messages may quote what the author wrote, so they go to the caller, never to a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path inside the bundle, or `spec` for a spec.
    pub file: String,
    /// Line in that file, from 1, where known.
    pub line: Option<usize>,
    /// Column in that line, from 1, where known.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// A finding about `file` as a whole.
    pub fn new(file: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, column: None, message: message.into(), remedy: remedy.into() }
    }

    /// The same finding, at a line (from 1).
    #[must_use]
    pub fn at(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// The same finding, at a line and a column (both from 1).
    #[must_use]
    pub fn at_column(mut self, line: usize, column: usize) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        write!(f, ": {} — {}", self.message, self.remedy)
    }
}

impl std::error::Error for Problem {}

/// How many findings one status message lists.
const LISTED: usize = 10;

/// All findings as one text, a line each, for a status message; a long list ends in a count.
pub fn summary(problems: &[Problem]) -> String {
    let mut lines: Vec<String> = problems.iter().take(LISTED).map(Problem::to_string).collect();
    if problems.len() > LISTED {
        lines.push(format!("and {} more", problems.len() - LISTED));
    }
    lines.join("\n")
}

/// The candidate that `name` was probably meant to be, if one is close enough.
pub(crate) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance without regard to case, `-` or `_`; names are cut at 100 characters.
fn distance(a: &str, b: &str) -> usize {
    let fold = |text: &str| -> Vec<char> {
        text.chars().take(100).flat_map(char::to_lowercase).map(|c| if c == '-' { '_' } else { c }).collect()
    };
    let (a, b) = (fold(a), fold(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let substituted = row.get(j).copied().unwrap_or(0) + usize::from(x != y);
            let inserted = next.last().copied().unwrap_or(0) + 1;
            let deleted = row.get(j + 1).copied().unwrap_or(0) + 1;
            next.push(substituted.min(inserted).min(deleted));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_file_line_message_and_remedy() {
        let problem = Problem::new("schema/schema.yaml", "x is wrong", "make it y");
        assert_eq!(problem.to_string(), "schema/schema.yaml: x is wrong — make it y");
        assert_eq!(problem.clone().at(12).to_string(), "schema/schema.yaml:12: x is wrong — make it y");
        assert_eq!(problem.at_column(12, 3).to_string(), "schema/schema.yaml:12:3: x is wrong — make it y");
    }

    #[test]
    fn a_long_list_of_problems_ends_in_a_count() {
        let problems = vec![Problem::new("f", "m", "r"); 12];
        let text = summary(&problems);
        assert_eq!(text.lines().count(), 11);
        assert!(text.ends_with("and 2 more"));
    }

    #[test]
    fn typos_find_the_name_that_was_meant() {
        let names = ["port", "desired_count", "image"];
        for (typo, meant) in [("prot", None), ("ports", Some("port")), ("desired-count", Some("desired_count"))] {
            assert_eq!(did_you_mean(typo, names), meant, "{typo}");
        }
        assert_eq!(did_you_mean("desiredcount", names), Some("desired_count"));
        assert_eq!(did_you_mean("zzz", names), None);
    }
}
