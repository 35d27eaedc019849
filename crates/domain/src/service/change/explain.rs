//! Why a service stands as it does, in words for users. Stable, no clock in them.

use super::{Part, Pipeline};

/// The longest status message, in characters.
const LONGEST: usize = 5000;
/// The most that is repeated of a part's own message, in characters: what is said of two parts fits into one.
const CAUSE: usize = 2000;

/// The message of a pipeline whose instances failed (observed on the live service).
pub(super) fn pipeline_message(failed: &[&Part]) -> String {
    cut(format!("Service Instance(s): [{}] failed to deploy - canceling pipeline deployment", arns(failed)))
}

/// What failed to deploy, with the cause of the first, which may be gone soon.
pub(super) fn not_deployed(failed: &[&Part]) -> String {
    of_instances("failed to deploy", failed)
}

/// What failed to delete, with the cause of the first.
pub(super) fn not_deleted(left: &[&Part]) -> String {
    of_instances("failed to delete", left)
}

/// How the pipeline stands, with the cause.
pub(super) fn pipeline_stands(pipeline: &Pipeline) -> String {
    with_cause(format!("The pipeline is {}", pipeline.status), pipeline.message.as_deref())
}

/// One explanation after another, as long as a status message may be.
pub(in crate::service) fn joined(before: Option<String>, next: &str) -> String {
    cut(before.map_or_else(|| next.to_owned(), |before| format!("{before}; {next}")))
}

fn of_instances(what: &str, parts: &[&Part]) -> String {
    let cause = parts.iter().find_map(|part| part.message.as_deref());
    with_cause(format!("Service Instance(s): [{}] {what}", arns(parts)), cause)
}

fn with_cause(mut what: String, cause: Option<&str>) -> String {
    if let Some(cause) = cause {
        what.push_str(": ");
        what.extend(cause.chars().take(CAUSE));
    }
    cut(what)
}

fn arns(parts: &[&Part]) -> String {
    parts.iter().map(|part| part.arn.as_str()).collect::<Vec<_>>().join(", ")
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
