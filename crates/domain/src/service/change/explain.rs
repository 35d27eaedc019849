//! Why a service stands as it does, in words for users. Stable, no clock in them.

use super::Part;
use crate::status::DeploymentStatus;

/// The longest status message, in characters.
const LONGEST: usize = 5000;

/// The message of a pipeline whose instances failed (observed on the live service).
pub(super) fn pipeline_message(failed: &[&Part]) -> String {
    cut(format!("Service Instance(s): [{}] failed to deploy - canceling pipeline deployment", arns(failed)))
}

/// What failed to deploy, with the cause of the first, which may be gone soon.
pub(super) fn not_deployed(failed: &[&Part]) -> String {
    with_cause("failed to deploy", failed)
}

/// What failed to delete, with the cause of the first.
pub(super) fn not_deleted(left: &[&Part]) -> String {
    with_cause("failed to delete", left)
}

/// Points at the pipeline, which stays and has its own message.
pub(super) fn pipeline_stands(status: DeploymentStatus) -> String {
    format!("The pipeline is {status}: its deploymentStatusMessage says why")
}

/// One explanation after another, as long as a status message may be.
pub(in crate::service) fn joined(before: Option<String>, next: &str) -> String {
    cut(before.map_or_else(|| next.to_owned(), |before| format!("{before}; {next}")))
}

fn with_cause(what: &str, parts: &[&Part]) -> String {
    let cause = parts.iter().find_map(|part| part.message.as_deref());
    let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
    cut(format!("Service Instance(s): [{}] {what}{cause}", arns(parts)))
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
