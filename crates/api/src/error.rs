//! What goes wrong on the wire: the codes, their HTTP status, and the body of an error answer.

use std::fmt;

use serde_json::json;

use crate::{Operation, Redacted};

/// Namespace of the errors that models declare, where no operation says which model.
const MODEL: &str = "com.amazonaws.proton.v20200720";
/// Namespace of the errors that belong to the protocol and to authentication.
const FRONT_END: &str = "com.amazon.coral.service";

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $namespace:ident;)*) => {
        /// Every error that an answer can carry.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The bare name, as in `ValidationException`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The status that an answer with this code has.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self {
                    $(Self::$variant => $status,)*
                }
            }

            const fn namespace(self) -> &'static str {
                match self {
                    $(Self::$variant => $namespace,)*
                }
            }
        }
    };
}

error_codes! {
    /// The caller may not do this.
    AccessDenied = "AccessDeniedException", 400, MODEL;
    /// The state of a resource does not allow it now.
    Conflict = "ConflictException", 400, MODEL;
    /// A fault of the server.
    InternalServer = "InternalServerException", 500, MODEL;
    /// There is no such resource.
    ResourceNotFound = "ResourceNotFoundException", 400, MODEL;
    /// It would exceed a quota.
    ServiceQuotaExceeded = "ServiceQuotaExceededException", 400, MODEL;
    /// Too many requests.
    Throttling = "ThrottlingException", 400, MODEL;
    /// The input is well formed and not allowed.
    Validation = "ValidationException", 400, MODEL;
    /// The signature was made with a token that has expired.
    ExpiredToken = "ExpiredTokenException", 400, FRONT_END;
    /// The signature lacks a part, or names what it may not.
    IncompleteSignature = "IncompleteSignatureException", 400, FRONT_END;
    /// The signature is not the one that the secret gives, or its time has passed.
    InvalidSignature = "InvalidSignatureException", 400, FRONT_END;
    /// The request is not signed.
    MissingAuthenticationToken = "MissingAuthenticationTokenException", 400, FRONT_END;
    /// The body is longer than the limit.
    RequestEntityTooLarge = "RequestEntityTooLargeException", 413, FRONT_END;
    /// The body is not what the operation takes: no JSON, or a member of another type.
    Serialization = "SerializationException", 400, FRONT_END;
    /// The server takes no requests now.
    ServiceUnavailable = "ServiceUnavailableException", 503, FRONT_END;
    /// The target names no operation.
    UnknownOperation = "UnknownOperationException", 400, FRONT_END;
    /// There is no such access key, or its session token is wrong.
    UnrecognizedClient = "UnrecognizedClientException", 400, FRONT_END;
}

impl ErrorCode {
    /// The value of `__type`, as in `com.amazonaws.proton.v20200720#ValidationException`.
    #[must_use]
    pub fn wire_type(self) -> String {
        format!("{}#{}", self.namespace(), self.as_str())
    }

    /// The same in an answer to the operation: errors of a model are in the model's own namespace.
    #[must_use]
    pub fn wire_type_for(self, operation: Operation) -> String {
        let namespace = if self.is_modelled() { operation.error_namespace() } else { self.namespace() };
        format!("{namespace}#{}", self.as_str())
    }

    /// The code that a value of `__type` or of the header `x-amzn-errortype` names, in any
    /// namespace and with or without a trailing `:` and address.
    #[must_use]
    pub fn from_wire_type(wire_type: &str) -> Option<Self> {
        let name = bare(wire_type);
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }

    /// Whether the API model declares it, for one operation or another.
    #[must_use]
    pub fn is_modelled(self) -> bool {
        self.namespace() == MODEL
    }
}

/// The name in a value of `__type`: what is after `#` and before `:`.
pub(crate) fn bare(wire_type: &str) -> &str {
    let name = wire_type.rsplit_once('#').map_or(wire_type, |(_, name)| name);
    name.split_once(':').map_or(name, |(name, _)| name)
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An error as the caller sees it. `Debug` leaves the message out, because it may repeat the input.
#[derive(Clone, PartialEq, Eq)]
pub struct WireError {
    /// What went wrong.
    pub code: ErrorCode,
    /// The same for people.
    pub message: String,
}

impl WireError {
    /// An error with this message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The body of the answer: `{"__type": ..., "message": ...}`. `operation` is the one that was called,
    /// if it is known.
    #[must_use]
    pub fn to_json(&self, operation: Option<Operation>) -> Vec<u8> {
        let wire_type = operation.map_or_else(|| self.code.wire_type(), |called| self.code.wire_type_for(called));
        json!({ "__type": wire_type, "message": self.message }).to_string().into_bytes()
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl fmt::Debug for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireError").field("code", &self.code).field("message", &Redacted).finish()
    }
}

impl std::error::Error for WireError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_body_has_a_namespaced_type_and_a_lower_case_message() {
        let error = WireError::new(ErrorCode::ResourceNotFound, "no \"shop\"");
        assert_eq!(
            String::from_utf8(error.to_json(Some(Operation::GetService))).unwrap(),
            r#"{"__type":"com.amazonaws.proton.v20200720#ResourceNotFoundException","message":"no \"shop\""}"#
        );
        assert_eq!(
            String::from_utf8(error.to_json(Some(Operation::ForceDelete))).unwrap(),
            r#"{"__type":"protium.v20261201#ResourceNotFoundException","message":"no \"shop\""}"#
        );
        let error = WireError::new(ErrorCode::UnknownOperation, "");
        assert_eq!(
            String::from_utf8(error.to_json(None)).unwrap(),
            r#"{"__type":"com.amazon.coral.service#UnknownOperationException","message":""}"#
        );
    }

    #[test]
    fn client_faults_are_400_even_not_found_and_throttling() {
        for code in ErrorCode::ALL.iter().filter(|code| code.is_modelled()) {
            let expected = if *code == ErrorCode::InternalServer { 500 } else { 400 };
            assert_eq!(code.http_status(), expected, "{code}");
        }
        assert_eq!(ErrorCode::RequestEntityTooLarge.http_status(), 413);
    }

    #[test]
    fn a_code_is_found_by_its_name_in_any_namespace() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_wire_type(&code.wire_type()), Some(*code));
        }
        let with_address = "aws.proton#ConflictException:http://internal.example/coral/";
        assert_eq!(ErrorCode::from_wire_type(with_address), Some(ErrorCode::Conflict));
        assert_eq!(ErrorCode::from_wire_type("ConflictException"), Some(ErrorCode::Conflict));
        assert_eq!(ErrorCode::from_wire_type("Conflict"), None);
    }

    #[test]
    fn debug_of_an_error_keeps_its_message() {
        let error = WireError::new(ErrorCode::Validation, "a secret");
        assert_eq!(format!("{error:?}"), "WireError { code: Validation, message: [redacted] }");
        assert_eq!(error.to_string(), "ValidationException: a secret");
    }
}
