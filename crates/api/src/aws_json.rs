//! The envelope of awsJson 1.0: header names, content type, and what a target names.

use serde::Serialize;

use crate::{ErrorCode, Operation, WireError};

/// Content type of requests and answers.
pub const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// Request header that names the operation.
pub const TARGET: &str = "x-amz-target";
/// Answer header with the identity of the request.
pub const REQUEST_ID: &str = "x-amzn-requestid";
/// Answer header that repeats the code of an error.
pub const ERROR_TYPE: &str = "x-amzn-errortype";

/// The operation that the value of the header [`TARGET`] names.
///
/// # Errors
/// `UnknownOperationException` if there is none.
pub fn operation(target: &str) -> Result<Operation, WireError> {
    Operation::from_target(target).ok_or_else(|| {
        let shown: String = target.chars().take(200).collect();
        WireError::new(ErrorCode::UnknownOperation, format!("X-Amz-Target {shown:?} names no operation"))
    })
}

/// Whether the value of a `Content-Type` header is [`CONTENT_TYPE`], with or without parameters.
#[must_use]
pub fn is_content_type(value: &str) -> bool {
    let essence = value.split_once(';').map_or(value, |(essence, _)| essence);
    essence.trim().eq_ignore_ascii_case(CONTENT_TYPE)
}

/// The name in a value of `__type` or of the header [`ERROR_TYPE`]: what is after `#` and before `:`.
#[must_use]
pub fn error_name(wire_type: &str) -> &str {
    crate::error::bare(wire_type)
}

/// Generated types have string keys and no fallible parts, so they always serialise.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("generated types serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_found_by_its_target_and_no_other() {
        for each in Operation::ALL {
            assert_eq!(operation(each.target()), Ok(*each));
        }
        for target in [
            "",
            "GetService",
            "AwsProton20200720.",
            "AwsProton20200720.getService",
            "Other.GetService",
            "Protium20261201.GetService",
            "AwsProton20200720.ForceDelete",
        ] {
            assert_eq!(operation(target).unwrap_err().code, ErrorCode::UnknownOperation, "{target}");
        }
    }

    #[test]
    fn a_content_type_may_have_parameters_and_any_case() {
        assert!(is_content_type("application/x-amz-json-1.0"));
        assert!(is_content_type("Application/X-Amz-JSON-1.0; charset=utf-8"));
        for other in ["application/x-amz-json-1.1", "application/json", "", "application/x-amz-json-1.0.1"] {
            assert!(!is_content_type(other), "{other}");
        }
    }
}
