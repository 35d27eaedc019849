//! What requests to the bundle store leave in the audit log.

use std::sync::Arc;

use s3s::{S3Error, S3Request, S3Response, S3Result};
use serde_json::{Value, json};

use super::Caller;
use super::failure::Failure;
use super::service::{Shelves, caller};
use crate::operations::audit;
use crate::store::{AuditRecord, Entry, Outcome};

/// A request that changes something, if it succeeds.
pub(super) struct Recorded<'a> {
    shelves: &'a Shelves,
    entry: Arc<Entry>,
}

impl<'a> Recorded<'a> {
    /// `details`: a JSON object with what the request says beside its bucket and key.
    pub(super) fn new<T>(
        shelves: &'a Shelves,
        request: &S3Request<T>,
        operation: &str,
        bucket: &str,
        key: Option<&str>,
        details: Value,
    ) -> S3Result<Self> {
        let mut parameters = json!({ "bucket": bucket });
        if let Value::Object(members) = &mut parameters {
            members.extend(key.map(|key| ("key".to_owned(), key.into())));
            members.extend(details.as_object().cloned().unwrap_or_default());
        }
        let name = key.map_or_else(|| bucket.to_owned(), |key| format!("{bucket}/{key}"));
        let record = of(&caller(request)?, operation, &name);
        let entry = Arc::new(Entry::new(AuditRecord { parameters: Some(parameters.to_string()), ..record }));
        Ok(Self { shelves, entry })
    }

    /// The shelves, which write the record together with the change.
    pub(super) fn shelves(&self) -> Shelves {
        Shelves { store: self.shelves.audit.store_for(&self.entry), ..self.shelves.clone() }
    }

    /// Ends the request, with its record if nothing has brought that along.
    pub(super) async fn end<T>(self, done: Result<T, Failure>) -> S3Result<S3Response<T>> {
        let recorded = match done {
            Ok(output) => self.shelves.audit.succeeded(&self.entry).await.map(|()| output).map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        match recorded.map_err(S3Error::from) {
            Ok(output) => Ok(S3Response::new(output)),
            Err(error) => {
                self.shelves.audit.refused(refused(self.entry.record(), &error)).await;
                Err(error)
            }
        }
    }
}

/// The record of a request that S3 refuses with that error.
pub(super) fn refused(record: AuditRecord, error: &S3Error) -> AuditRecord {
    let outcome = if is_denied(error) { Outcome::Denied } else { Outcome::Failed };
    audit::refused(record, outcome, error.code().as_str(), error.message().unwrap_or_default())
}

/// Whether the caller may not, or did not prove who it is.
pub(super) fn is_denied(error: &S3Error) -> bool {
    error.status_code().or_else(|| error.code().status_code()) == Some(http::StatusCode::FORBIDDEN)
}

/// The record of a request about what is called so after `arn:aws:s3:::`, if it succeeds.
pub(super) fn of(caller: &Caller, operation: &str, name: &str) -> AuditRecord {
    // A name that no database could hold is refused.
    let resource = Some(caller.arn(name)).filter(|arn| !arn.contains('\0'));
    AuditRecord { resource, ..audit::record(&caller.0, "s3", operation) }
}
