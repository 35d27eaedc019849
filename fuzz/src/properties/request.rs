//! Requests: the name of an operation, a line break, and a body.
//!
//! A body is refused with an error that says what is wrong and where, or it is read; and what was read is the same
//! when it is written and read again.

use protium_api::{ErrorCode, Operation, Request, WireError};
use serde_json::Value;

/// A name that is no operation's stands for one of them, so that none is hard to come by.
pub fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (name, body) = input.split_at(end);
    let operation = operation(name);
    match Request::parse(operation, body) {
        Ok(request) => {
            assert_eq!(request.operation(), operation);
            let written = request.to_json();
            let again = Request::parse(operation, &written);
            assert_eq!(again.as_ref(), Ok(&request), "{operation:?}: {}", String::from_utf8_lossy(&written));
        }
        Err(error) => refused(&error, operation),
    }
}

fn operation(name: &[u8]) -> Operation {
    let known = Operation::ALL.iter().find(|operation| operation.name().as_bytes() == name);
    let sum: usize = name.iter().map(|byte| usize::from(*byte)).sum();
    known.copied().unwrap_or(Operation::ALL[sum % Operation::ALL.len()])
}

fn refused(error: &WireError, operation: Operation) {
    let message = &error.message;
    assert!(matches!(error.code, ErrorCode::Serialization | ErrorCode::Validation), "{:?}", error.code);
    assert!(!message.is_empty() && message.len() < 100_000, "{} bytes", message.len());
    if error.code == ErrorCode::Validation {
        assert!(names_a_member(message), "{message}");
    }
    let answer: Value = serde_json::from_slice(&error.to_json(Some(operation))).expect("an answer is JSON");
    assert!(answer["__type"].as_str().is_some_and(|code| code.ends_with(error.code.as_str())), "{answer}");
    assert_eq!(answer["message"].as_str(), Some(message.as_str()));
}

/// Whether a violation stands at a path like `source.s3.bucket`.
fn names_a_member(message: &str) -> bool {
    message.match_indices("' failed to satisfy constraint: Member must ").any(|(end, _)| {
        let path = message[..end].rsplit('\'').next().unwrap_or_default();
        !path.is_empty() && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    })
}
