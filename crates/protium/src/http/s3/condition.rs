//! Conditional requests: `If-Match` and its relatives.

use http::{HeaderMap, HeaderValue, header};
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode};

use super::failure::{no_such_key, refusal};
use super::object::modified;
use crate::store::ObjectRow;

/// What a reader wants the object to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_matches: Option<ETagCondition>,
    pub(super) modified_since: Option<Timestamp>,
    pub(super) unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// For a read: what did not change is 304.
    pub(super) fn check_read(&self, row: &ObjectRow) -> Result<(), S3Error> {
        self.check_wanted(row)?;
        if !self.is_stale(row) {
            return Ok(());
        }
        let mut error = S3Error::new(S3ErrorCode::NotModified);
        if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", row.etag)) {
            error.set_headers(HeaderMap::from_iter([(header::ETAG, etag)]));
        }
        Err(error)
    }

    /// For the source of a copy: all that fails is 412.
    pub(super) fn check_source(&self, row: &ObjectRow) -> Result<(), S3Error> {
        self.check_wanted(row)?;
        if self.is_stale(row) { Err(precondition_failed()) } else { Ok(()) }
    }

    fn check_wanted(&self, row: &ObjectRow) -> Result<(), S3Error> {
        let holds = match (&self.matches, &self.unmodified_since) {
            (Some(wanted), _) => is_match(wanted, &row.etag),
            (None, Some(since)) => whole_second(row) <= *since,
            (None, None) => true,
        };
        if holds { Ok(()) } else { Err(precondition_failed()) }
    }

    fn is_stale(&self, row: &ObjectRow) -> bool {
        match (&self.none_matches, &self.modified_since) {
            (Some(unwanted), _) => is_match(unwanted, &row.etag),
            (None, Some(since)) => whole_second(row) <= *since,
            (None, None) => false,
        }
    }
}

/// What a writer wants to be there, checked in the transaction that writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Expectation {
    pub(super) matches: Option<ETagCondition>,
    pub(super) none_matches: Option<ETagCondition>,
}

impl Expectation {
    pub(super) fn is_any(&self) -> bool {
        self.matches.is_none() && self.none_matches.is_none()
    }

    /// `row` is what is there now under `key`.
    pub(super) fn check(&self, key: &str, row: Option<&ObjectRow>) -> Result<(), S3Error> {
        match (&self.matches, row) {
            (Some(_), None) => return Err(no_such_key(key)),
            (Some(wanted), Some(row)) if !is_match(wanted, &row.etag) => return Err(precondition_failed()),
            (Some(_) | None, _) => {}
        }
        match (&self.none_matches, row) {
            (Some(unwanted), Some(row)) if is_match(unwanted, &row.etag) => Err(precondition_failed()),
            (Some(_) | None, _) => Ok(()),
        }
    }
}

fn is_match(condition: &ETagCondition, etag: &str) -> bool {
    condition.as_etag().is_none_or(|wanted| ETag::value(wanted) == etag)
}

/// Dates in headers have no fractions.
fn whole_second(row: &ObjectRow) -> Timestamp {
    modified(row.modified_at / 1000 * 1000)
}

fn precondition_failed() -> S3Error {
    refusal(S3ErrorCode::PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}
