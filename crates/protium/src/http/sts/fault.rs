//! What is told to a caller of STS who did something wrong.

use crate::auth::sigv4::{Protocol, Refusal};
use crate::store::{DbError, DbErrorKind};
use std::borrow::Cow;
use std::fmt::Display;

/// Status, code and message.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: Cow<'static, str>,
}

impl Fault {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A parameter that can't be.
    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// The caller may not do this.
    pub(super) fn denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, "AccessDenied", message)
    }

    /// Our fault; the cause goes to the log only.
    pub(super) fn internal(cause: impl Display) -> Self {
        tracing::error!("STS failed: {cause}");
        Self::new(500, "InternalFailure", "Internal service failure; the server's log has the cause.")
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let answer = refusal.answer(Protocol::Query);
        Self { status: answer.status, code: answer.code, message: answer.message }
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        match error.kind() {
            DbErrorKind::TooBusy => Self::new(400, "Throttling", "Rate exceeded"),
            DbErrorKind::Unavailable => {
                tracing::error!("STS can't reach the database: {error}");
                Self::new(503, "ServiceUnavailable", "The database can't be reached; try again.")
            }
            _ => Self::internal(error),
        }
    }
}
