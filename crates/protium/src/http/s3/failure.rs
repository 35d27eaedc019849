//! What can go wrong in the bundle store, and what S3 calls it.

use std::io;

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};

use crate::store::{DbError, DbErrorKind};

/// A refusal to the caller, or a failure of ours.
#[derive(Debug)]
pub(super) enum Failure {
    /// The caller is told as it stands.
    Refused(S3Error),
    /// The database failed.
    Db(DbError),
    /// A file failed.
    File(io::Error),
}

impl From<S3Error> for Failure {
    fn from(error: S3Error) -> Self {
        Self::Refused(error)
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<Failure> for S3Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Db(error) if error.kind() == DbErrorKind::TooBusy => {
                refusal(S3ErrorCode::SlowDown, "Please reduce your request rate.")
            }
            Failure::Db(error) => {
                tracing::error!("the bundle store's directory failed: {error}");
                match error.kind() {
                    DbErrorKind::Unavailable => {
                        refusal(S3ErrorCode::ServiceUnavailable, "Reduce your request rate and try again.")
                    }
                    _ => internal(),
                }
            }
            Failure::File(error) => {
                tracing::error!("the bundle store's files failed: {error}");
                internal()
            }
        }
    }
}

/// An error with a message of our own.
pub(super) fn refusal(code: S3ErrorCode, message: impl Into<String>) -> S3Error {
    S3Error::with_message(code, message.into())
}

/// An error whose code is none of the usual ones.
pub(super) fn named(code: &str, status: StatusCode, message: impl Into<String>) -> S3Error {
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InvalidRequest);
    let mut error = refusal(code, message);
    error.set_status_code(status);
    error
}

fn internal() -> S3Error {
    refusal(S3ErrorCode::InternalError, "We encountered an internal error. Please try again.")
}

pub(super) fn no_such_bucket(name: &str) -> S3Error {
    refusal(S3ErrorCode::NoSuchBucket, format!("The specified bucket does not exist: {name}"))
}

pub(super) fn no_such_key(key: &str) -> S3Error {
    refusal(S3ErrorCode::NoSuchKey, format!("The specified key does not exist: {key}"))
}

pub(super) fn no_such_upload(id: &str) -> S3Error {
    refusal(
        S3ErrorCode::NoSuchUpload,
        format!(
            "The specified upload does not exist: {id}. The upload ID may be invalid, or the upload may \
             have been aborted or completed."
        ),
    )
}

pub(super) fn invalid(message: impl Into<String>) -> S3Error {
    refusal(S3ErrorCode::InvalidArgument, message)
}
