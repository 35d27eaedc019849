//! What goes wrong, once for the caller and once for the log.
//!
//! An [`Error`] has a code and a message that the caller may see, and a source that only the log
//! sees. Constructors read as sentences: `not_found("service", "web")`.

use crate::store::{DbError, DbErrorKind};
use protium_api::{ErrorCode, WireError};
use protium_domain::refused::Refused;
use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failed request or job.
#[derive(Debug)]
pub struct Error {
    pub code: ErrorCode,
    /// For the caller. Never holds a cause that is internal, nor a sensitive text.
    pub message: String,
    /// For the log.
    pub source: Option<anyhow::Error>,
}

impl Error {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), source: None }
    }

    /// What the caller gets.
    pub fn wire(&self) -> WireError {
        WireError::new(self.code, self.message.clone())
    }

    /// Whether the same call may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self.code, ErrorCode::InternalServer | ErrorCode::Throttling)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// `ValidationException`: `field: why`, where `why` says the value and what would be right.
pub fn invalid(field: &str, why: impl fmt::Display) -> Error {
    Error::new(ErrorCode::Validation, format!("{field}: {why}"))
}

/// `ResourceNotFoundException` for a thing of this account and region.
pub fn not_found(noun: &str, name: impl fmt::Display) -> Error {
    Error::new(ErrorCode::ResourceNotFound, format!("The requested {noun} does not exist: {name}"))
}

/// `ConflictException`.
pub fn conflict(why: impl Into<String>) -> Error {
    Error::new(ErrorCode::Conflict, why)
}

/// `ServiceQuotaExceededException`.
pub fn over_quota(what: &str, limit: i64) -> Error {
    Error::new(
        ErrorCode::ServiceQuotaExceeded,
        format!("The quota of {limit} {what} is reached; delete one, or raise the quota in the configuration"),
    )
}

/// `InternalServerException`: our fault; the cause goes to the log only.
pub fn internal(source: impl Into<anyhow::Error>) -> Error {
    Error {
        code: ErrorCode::InternalServer,
        message: "Internal service failure; the server's log has the cause under this request id".into(),
        source: Some(source.into()),
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let code = match &refused {
            Refused::Invalid(_) => ErrorCode::Validation,
            Refused::Denied(_) => ErrorCode::AccessDenied,
            Refused::NotFound(_) => ErrorCode::ResourceNotFound,
            Refused::Conflict(_) => ErrorCode::Conflict,
            Refused::Quota(_) => ErrorCode::ServiceQuotaExceeded,
        };
        Self::new(code, refused.to_string())
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error.kind() {
            DbErrorKind::TooBusy => Self {
                code: ErrorCode::Throttling,
                message: "Rate exceeded: too many changes at once; try again".into(),
                source: Some(error.into()),
            },
            DbErrorKind::Unique
            | DbErrorKind::Serialization
            | DbErrorKind::Unavailable
            | DbErrorKind::Corrupt
            | DbErrorKind::Refused
            | DbErrorKind::LeaseLost
            | DbErrorKind::Other => internal(error),
        }
    }
}
