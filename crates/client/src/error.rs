//! How a call fails.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use protium_api::{ErrorCode, aws_json};
use serde_json::Value;

/// Why a call gave no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server answered with an error.
    #[error("{0}")]
    Service(ServiceError),
    /// There was no connection: the server has not seen the request.
    #[error("no connection to {endpoint}: {source}")]
    Connect {
        /// The address.
        endpoint: String,
        /// What the transport says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The connection broke: the server may have acted on the request.
    #[error("no answer from {endpoint}: {source}")]
    Lost {
        /// The address.
        endpoint: String,
        /// What the transport says.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The answer took too long: the server may have acted on the request.
    #[error("no answer from {endpoint} within {after:?}")]
    Timeout {
        /// The address.
        endpoint: String,
        /// The limit.
        after: Duration,
    },
    /// The server answered with success, and with something else than the operation's output.
    #[error("the answer to {operation} (request {}) is not its output: {why}", .request_id.as_deref().unwrap_or("unknown"))]
    Answer {
        /// The operation.
        operation: &'static str,
        /// The identity that the server gave the request.
        request_id: Option<String>,
        /// What is wrong with it.
        why: String,
    },
    /// The client can't make the request.
    #[error("{0}")]
    Config(String),
}

impl Error {
    /// The server's error, if it answered with one.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Self::Service(error) => Some(error),
            _ => None,
        }
    }

    /// The code of the server's error, if it is one of the codes that the API knows.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        ErrorCode::from_wire_type(&self.service()?.code)
    }
}

/// An error that the server answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceError {
    /// The bare name, as in `ValidationException`; `Unknown` if the answer has none.
    pub code: String,
    /// The same for people.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// The identity that the server gave the request.
    pub request_id: Option<String>,
}

impl ServiceError {
    /// Reads the body of an error answer. `header` is the value of `x-amzn-errortype`, which counts
    /// if the body names no code.
    pub(crate) fn read(status: u16, request_id: Option<String>, header: Option<&str>, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let code = text("__type").or(header).map_or("Unknown", aws_json::error_name);
        let message = text("message").or(text("Message")).unwrap_or_default();
        Self { code: code.to_owned(), message: message.to_owned(), status, request_id }
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code, self.status)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl StdError for ServiceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_read_in_every_form_that_servers_use() {
        for (header, body, code, message) in [
            (
                None,
                r#"{"__type":"com.amazonaws.proton.v20200720#ConflictException","message":"m"}"#,
                "ConflictException",
                "m",
            ),
            (None, r#"{"__type":"ConflictException:http://x/","Message":"m"}"#, "ConflictException", "m"),
            (Some("a#ConflictException"), "{}", "ConflictException", ""),
            (None, "<html>502</html>", "Unknown", ""),
            (None, "[1]", "Unknown", ""),
            (None, "", "Unknown", ""),
        ] {
            let error = ServiceError::read(400, None, header, body.as_bytes());
            assert_eq!((error.code.as_str(), error.message.as_str()), (code, message), "{body}");
        }
    }
}
