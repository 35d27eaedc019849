//! What an AWS call that did not work means: ask again, or give up with AWS's own words.

use std::error::Error;
use std::time::Duration;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::CredentialsFailure;
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

/// AWS was not asked at all: in whose name is not known, or not allowed.
impl From<CredentialsFailure> for Fault {
    fn from(failure: CredentialsFailure) -> Self {
        match failure {
            CredentialsFailure::Transient(transient) => Self::Transient(transient),
            CredentialsFailure::Refused(message) => {
                Self::Refused(Refusal { code: "NoCredentials".to_owned(), message })
            }
        }
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
            let message = format!("the request to AWS can't be made: {}", causes(&error));
            Fault::Refused(Refusal { code: "InvalidRequest".to_owned(), message })
        }
        SdkError::TimeoutError(_) => Fault::Transient(transient("AWS did not answer in time".to_owned())),
        _ => Fault::Transient(transient(format!("AWS can't be reached: {}", causes(&error)))),
    }
}

/// What lies behind an error, from the outermost cause to the innermost, each said once. What the SDK calls its
/// own part in it ("dispatch failure") tells a user nothing.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = String::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !words.is_empty() && !text.contains(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
        next = cause.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudformation::operation::describe_stacks::DescribeStacksError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Connect(#[source] io::Error);

    fn message(fault: Fault) -> String {
        match fault {
            Fault::Transient(transient) => transient.message,
            Fault::Refused(refusal) => refusal.message,
        }
    }

    #[test]
    fn a_connection_that_fails_is_told_in_plain_words() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "tcp connect error: connection refused");
        let error: SdkError<DescribeStacksError, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::io(Connect(refused).into()));
        let said = message(classify(error));
        assert!(said.starts_with("AWS can't be reached: "), "{said}");
        assert!(said.contains("client error (Connect): tcp connect error: connection refused"), "{said}");
        for debug in ["{", "}", "DispatchFailure", "ConnectorError", "Custom", "Some("] {
            assert!(!said.contains(debug), "{said}");
        }
    }

    #[test]
    fn a_request_that_can_not_be_made_is_told_in_plain_words() {
        let error: SdkError<DescribeStacksError, HttpResponse> =
            SdkError::construction_failure(io::Error::other("the endpoint is no URL"));
        assert_eq!(message(classify(error)), "the request to AWS can't be made: the endpoint is no URL");
    }
}
