//! What stands in the place of something sensitive, in logs and in records.

use std::fmt;

use serde_json::Value;

use crate::Request;
use crate::constraint::{Kind, Shape};
use crate::generated::request::shape;

/// What is printed in its place.
const REDACTED: &str = "[redacted]";

/// Prints `[redacted]`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Redacted;

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// What may be told of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// A JSON object: the request's body with `[redacted]` in the place of every value that the model calls sensitive.
    pub json: String,
    /// Whether nothing had to be left out.
    pub is_whole: bool,
}

impl Request {
    /// The request without its sensitive members.
    #[must_use]
    pub fn disclosed(&self) -> Disclosed {
        // What a request is written as is JSON; an empty object says the least.
        let mut value: Value =
            serde_json::from_slice(&self.to_json()).unwrap_or_else(|_| Value::Object(<_>::default()));
        let is_whole = !redact(&mut value, shape(self.operation()));
        Disclosed { json: value.to_string(), is_whole }
    }
}

/// Whether there was something to redact.
fn redact(value: &mut Value, shape: &Shape) -> bool {
    if shape.sensitive {
        *value = REDACTED.into();
        return true;
    }
    let mut redacted = false;
    match (&shape.kind, value) {
        (Kind::List { element, .. }, Value::Array(elements)) => {
            for value in elements {
                redacted |= redact(value, element);
            }
        }
        (Kind::Structure(members) | Kind::Union(members), Value::Object(object)) => {
            for (name, value) in object {
                let member = members.iter().find(|member| member.name == name);
                redacted |= member.is_some_and(|member| redact(value, member.shape));
            }
        }
        // What has no parts is sensitive itself or not at all.
        _ => {}
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;
    use serde_json::{Map, json};

    const MARKER: &str = "a-marker-that-must-not-be-seen";

    /// A value of a shape whose sensitive texts are the marker and whose others are `seen`. Constraints don't matter here.
    fn filled(shape: &Shape, hidden: bool) -> Value {
        let hidden = hidden || shape.sensitive;
        match &shape.kind {
            Kind::Boolean => Value::Bool(true),
            Kind::Integer(_) | Kind::Timestamp => json!(7),
            Kind::Enum(values) => json!(values[0]),
            Kind::String { .. } => json!(if hidden { MARKER } else { "seen" }),
            Kind::List { element, .. } => json!([filled(element, hidden), filled(element, hidden)]),
            Kind::Structure(members) | Kind::Union(members) => {
                let member =
                    |member: &crate::constraint::Member| (member.name.to_owned(), filled(member.shape, hidden));
                Value::Object(members.iter().map(member).collect::<Map<_, _>>())
            }
        }
    }

    #[test]
    fn of_no_operation_a_sensitive_member_is_told() {
        let mut with_some = 0;
        for operation in Operation::ALL {
            let mut value = filled(shape(*operation), false);
            let [was_seen, was_hidden] = ["\"seen\"", MARKER].map(|text| value.to_string().contains(text));
            let redacted = redact(&mut value, shape(*operation));
            let text = value.to_string();
            assert!(!text.contains(MARKER), "{}: {text}", operation.name());
            assert_eq!(text.contains("\"seen\""), was_seen, "{}: {text}", operation.name());
            assert_eq!((redacted, text.contains(REDACTED)), (was_hidden, was_hidden), "{}: {text}", operation.name());
            with_some += usize::from(was_hidden);
        }
        assert!(with_some > 10, "{with_some}");
    }

    #[test]
    fn a_request_is_told_with_all_but_its_sensitive_members() {
        let body = br#"{"name":"e","spec":"proton: secret","tags":[{"key":"k","value":"v"}]}"#;
        let told = Request::parse(
            Operation::RejectEnvironmentAccountConnection,
            br#"{"id":"0b0e2b7c-1a2b-4c3d-8e4f-5a6b7c8d9e0f"}"#,
        );
        let told = told.expect("a request").disclosed();
        assert_eq!((told.json.as_str(), told.is_whole), (r#"{"id":"0b0e2b7c-1a2b-4c3d-8e4f-5a6b7c8d9e0f"}"#, true));
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let mut input = body.clone();
        for (name, value) in [("templateName", "t"), ("templateMajorVersion", "1")] {
            input[name] = value.into();
        }
        let told =
            Request::parse(Operation::CreateEnvironment, input.to_string().as_bytes()).expect("a request").disclosed();
        let shown: Value = serde_json::from_str(&told.json).expect("JSON");
        assert_eq!((&shown["spec"], &shown["tags"], told.is_whole), (&json!(REDACTED), &body["tags"], false));
    }
}
