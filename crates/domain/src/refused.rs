//! Why a request is refused. The application maps each kind to the error code of the wire.

use std::fmt;

/// A rule that a request breaks. The text names the field or the resource, the value, and what
/// would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The request itself can't be right: `ValidationException`.
    Invalid(String),
    /// The caller sees it and may not do this to it: `AccessDeniedException`.
    Denied(String),
    /// Something that the request refers to is not there: `ResourceNotFoundException`.
    NotFound(String),
    /// Right in another state: `ConflictException`.
    Conflict(String),
    /// One more than the quota: `ServiceQuotaExceededException`.
    Quota(String),
}

impl Refused {
    /// `Invalid` in the form `field: why`.
    pub fn invalid(field: &str, why: impl fmt::Display) -> Self {
        Self::Invalid(format!("{field}: {why}"))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text)
            | Self::Denied(text)
            | Self::NotFound(text)
            | Self::Conflict(text)
            | Self::Quota(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Refused {}
