//! The double's Secrets Manager: texts with their versions, read by anybody who may call at all.

use serde_json::json;

use super::wire::Answer;
use super::{Call, World};

/// What stands between the name of a secret and its end in an ARN: a hyphen and six characters.
const SUFFIX: usize = 7;

pub(super) fn get_secret_value(world: &World, call: &Call) -> Answer {
    let id = call.get("SecretId");
    let name = match id.strip_prefix("arn:").and_then(|arn| arn.rsplit(':').next()) {
        Some(named) => named.get(..named.len().saturating_sub(SUFFIX)).unwrap_or_default(),
        None => id,
    };
    let versions = world.secrets.get(name).map(Vec::as_slice).unwrap_or_default();
    let number = match (call.get("VersionId"), call.get("VersionStage")) {
        ("", "" | "AWSCURRENT") => versions.len(),
        ("", "AWSPREVIOUS") => versions.len().saturating_sub(1),
        (version, _) => version.strip_prefix('v').and_then(|number| number.parse().ok()).unwrap_or_default(),
    };
    match number.checked_sub(1).and_then(|index| versions.get(index)) {
        Some(text) => {
            Answer::json(&json!({ "Name": name, "VersionId": format!("v{number}"), "SecretString": text }), false)
        }
        None => Answer::json_error(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret value for the version",
        ),
    }
}
