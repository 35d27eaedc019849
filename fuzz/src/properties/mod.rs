//! What must hold for any bytes at all: no panic, and what each module says.
//!
//! One function a target. A fuzzer calls it with what it thinks of, and the test `corpus` of the application with
//! the files in `fuzz/corpus`. Does not know either of them.

pub mod archive;
pub mod event;
pub mod manifest;
pub mod policy_documents;
pub mod request;
pub mod schema;
pub mod signature;
pub mod spec;
pub mod template;
pub mod tokens;

use protium_domain::bundle::problem::Problem;
use serde_json::Value;

/// Panics if what must hold doesn't hold for an input.
pub type Check = fn(&[u8]);

/// Every target by its name, which is also that of its folder in `fuzz/corpus`.
pub const TARGETS: [(&str, Check); 10] = [
    ("archive", archive::check),
    ("event", event::check),
    ("manifest", manifest::check),
    ("policy_documents", policy_documents::check),
    ("request", request::check),
    ("schema", schema::check),
    ("signature", signature::check),
    ("spec", spec::check),
    ("template", template::check),
    ("tokens", tokens::check),
];

/// The texts of an input: it may hold several, separated by lines of five equals signs.
fn texts(input: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(input);
    let mut texts = vec![String::new()];
    for line in text.split_inclusive('\n') {
        match texts.last_mut() {
            Some(last) if line.trim_end() != "=====" => last.push_str(line),
            _ => texts.push(String::new()),
        }
    }
    texts
}

/// What a caller is told has a message and a remedy, and a place that is in the text.
fn check_problems(problems: &[Problem], file: &str, text: &str) {
    assert!(!problems.is_empty(), "refused without a reason");
    for problem in problems {
        assert_eq!(problem.file, file);
        assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
        check_place(problem.line, problem.column, text);
    }
}

/// Whether there are such a line and such a column, which may be the one after the last character.
fn check_place(line: Option<usize>, column: Option<usize>, text: &str) {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    let Some(line) = line else {
        assert_eq!(column, None, "a column of no line");
        return;
    };
    assert!((1..=lines.len()).contains(&line), "line {line} of {}", lines.len());
    let characters = lines[line - 1].chars().count();
    assert!(column.is_none_or(|column| (1..=characters + 1).contains(&column)), "column {column:?} of {characters}");
}

/// Whether `value` has all of `part`, with more members where there are any.
fn has(value: &Value, part: &Value) -> bool {
    match (value, part) {
        (Value::Object(value), Value::Object(part)) => {
            part.iter().all(|(key, part)| value.get(key).is_some_and(|value| has(value, part)))
        }
        (Value::Array(values), Value::Array(parts)) => {
            values.len() == parts.len() && values.iter().zip(parts).all(|(value, part)| has(value, part))
        }
        (value, part) => value == part,
    }
}
