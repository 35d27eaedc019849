//! What an AWS call that did not work means: ask again, or give up with AWS's own words.

use std::error::Error;
use std::time::Duration;

use aws_sdk_cloudformation::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use crate::Transient;

/// Codes that mean "later", whatever the status says.
const TRANSIENT_CODES: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
    "ServiceUnavailable",
    "InternalFailure",
    "RequestTimeout",
    "RequestTimeoutException",
];

/// A call that did not work.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing is known to be wrong with the request.
    Transient(Transient),
    /// AWS does not take the request.
    Refused(Refusal),
}

/// AWS's own words.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    /// The session behind the call ended; a new one may do.
    pub(crate) fn is_expired(&self) -> bool {
        matches!(self.code.as_str(), "ExpiredToken" | "ExpiredTokenException" | "RequestExpired")
    }
}

impl From<Transient> for Fault {
    fn from(transient: Transient) -> Self {
        Self::Transient(transient)
    }
}

pub(crate) fn transient(message: String) -> Transient {
    Transient { message, retry_after: None }
}

/// Sorts an error of any AWS operation.
pub(crate) fn classify<E>(error: SdkError<E, HttpResponse>) -> Fault
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    match &error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let retry_after = context.raw().headers().get("retry-after").and_then(|v| v.parse().ok());
            let code = context.err().code().unwrap_or_default().to_owned();
            let message = match context.err().message() {
                Some(message) if !message.is_empty() => message.to_owned(),
                _ => format!(
                    "AWS answered {}",
                    if code.is_empty() { context.raw().status().to_string() } else { code.clone() }
                ),
            };
            if status >= 500 || status == 429 || TRANSIENT_CODES.contains(&code.as_str()) {
                let message = if code.is_empty() { message } else { format!("{code}: {message}") };
                Fault::Transient(Transient { message, retry_after: retry_after.map(Duration::from_secs) })
            } else {
                Fault::Refused(Refusal { code, message })
            }
        }
        SdkError::ConstructionFailure(_) => {
            let message = format!("the request to AWS can't be made: {}", DisplayErrorContext(&error));
            Fault::Refused(Refusal { code: "InvalidRequest".to_owned(), message })
        }
        SdkError::TimeoutError(_) => Fault::Transient(transient("AWS did not answer in time".to_owned())),
        _ => Fault::Transient(transient(format!("AWS can't be reached: {}", DisplayErrorContext(&error)))),
    }
}
