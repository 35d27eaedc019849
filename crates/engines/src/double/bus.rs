//! The double's EventBridge: takes entries for any bus, unless the test refuses one, and keeps AWS's rules of what an
//! entry may be.

use serde_json::{Map, Value, json};

use super::wire::Answer;
use super::{Call, World};

/// What was put on buses.
#[derive(Default)]
pub(super) struct Bus {
    pub(super) entries: Vec<Value>,
    /// Texts in the details of the entries that are refused, once each.
    pub(super) refused: Vec<String>,
}

/// The most entries and bytes of a call.
const MOST: usize = 10;
const MOST_BYTES: usize = 262_144;

pub(super) fn put_events(world: &mut World, call: &Call) -> Answer {
    let entries: Vec<Map<String, Value>> = serde_json::from_str(call.get("Entries")).unwrap_or_default();
    if entries.is_empty() || entries.len() > MOST || call.get("Entries").len() > MOST_BYTES {
        return Answer::json_error("ValidationException", "1 validation error detected: Value at 'entries' failed");
    }
    let mut answers = Vec::new();
    for mut entry in entries {
        answers.push(match refusal(&mut world.bus, &entry) {
            Some((code, message)) => json!({ "ErrorCode": code, "ErrorMessage": message }),
            None => {
                entry.insert("Account".to_owned(), call.account.clone().into());
                entry.insert("Region".to_owned(), call.region.clone().into());
                world.bus.entries.push(Value::Object(entry));
                json!({ "EventId": format!("event-{}", world.bus.entries.len()) })
            }
        });
    }
    let failed = answers.iter().filter(|answer| answer.get("ErrorCode").is_some()).count();
    Answer::json(&json!({ "FailedEntryCount": failed, "Entries": answers }), failed < answers.len())
}

fn refusal(bus: &mut Bus, entry: &Map<String, Value>) -> Option<(&'static str, &'static str)> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("Source").is_empty() || text("DetailType").is_empty() {
        return Some(("InvalidArgument", "Parameter Source and DetailType must be given."));
    }
    if text("Source").starts_with("aws.") {
        return Some(("NotAuthorizedForSourceException", "Not authorized for the source."));
    }
    if !serde_json::from_str::<Value>(text("Detail")).is_ok_and(|detail| detail.is_object()) {
        return Some(("MalformedDetail", "Detail is malformed."));
    }
    let at = bus.refused.iter().position(|refused| text("Detail").contains(refused.as_str()))?;
    bus.refused.remove(at);
    Some(("InternalFailure", "Internal Service Failure"))
}
