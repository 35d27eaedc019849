//! What is tried again, how often, and after which pause.

use std::time::Duration;

use protium_api::{ErrorCode, Operation};

use crate::Error;

/// Bounded retries with exponential back-off and full jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often a call is tried again; 0 for never.
    pub limit: u32,
    /// The longest pause before the first retry; it doubles with each.
    pub base: Duration,
    /// No pause is longer.
    pub cap: Duration,
}

impl Default for Retry {
    /// Two retries, pauses of up to 100 ms, then 200 ms.
    fn default() -> Self {
        Self { limit: 2, base: Duration::from_millis(100), cap: Duration::from_secs(20) }
    }
}

impl Retry {
    /// Never.
    pub const NONE: Self = Self { limit: 0, base: Duration::ZERO, cap: Duration::ZERO };

    /// How long to pause before the call is tried again, if it is. `retries` counts those so far.
    pub(crate) fn pause(&self, retries: u32, operation: Operation, error: &Error) -> Option<Duration> {
        if retries >= self.limit || !is_transient(operation, error) {
            return None;
        }
        let longest = self.base.saturating_mul(2_u32.saturating_pow(retries)).min(self.cap);
        Some(longest.mul_f64(fraction()))
    }
}

/// Whether the same call may succeed if it is made again, and does no harm if it already did.
fn is_transient(operation: Operation, error: &Error) -> bool {
    match error {
        Error::Connect { .. } => true,
        Error::Lost { .. } | Error::Timeout { .. } => {
            !operation.is_mutation() || operation.is_idempotent() || operation.has_client_token()
        }
        Error::Service(service) => {
            matches!(error.code(), Some(ErrorCode::Throttling | ErrorCode::InternalServer))
                || matches!(service.status, 500 | 502..=504)
        }
        Error::Answer { .. } | Error::Config(_) => false,
    }
}

/// Between 0 and 1. Without a source of randomness the pause is the longest one.
fn fraction() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServiceError;

    fn service(code: &str, status: u16) -> Error {
        let (code, message) = (code.to_owned(), String::new());
        Error::Service(ServiceError { code, message, status, request_id: None })
    }

    fn lost() -> Error {
        Error::Lost { endpoint: String::new(), source: "reset".into() }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (error, again) in [
            (service("ThrottlingException", 400), true),
            (service("InternalServerException", 500), true),
            (service("ServiceUnavailableException", 503), true),
            (service("Unknown", 502), true),
            (service("ValidationException", 400), false),
            (service("ConflictException", 400), false),
            (Error::Connect { endpoint: String::new(), source: "refused".into() }, true),
            (Error::Config(String::new()), false),
        ] {
            assert_eq!(is_transient(Operation::UpdateService, &error), again, "{error}");
        }
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_only_if_acting_twice_does_no_harm() {
        assert!(is_transient(Operation::GetService, &lost()));
        assert!(is_transient(Operation::CreateService, &lost()));
        assert!(is_transient(Operation::UpdateComponent, &lost()));
        assert!(!is_transient(Operation::UpdateService, &lost()));
        assert!(!is_transient(Operation::CancelEnvironmentDeployment, &lost()));
    }

    #[test]
    fn pauses_grow_to_the_cap_and_end_at_the_limit() {
        let retry = Retry { limit: 40, base: Duration::from_millis(10), cap: Duration::from_millis(35) };
        for (retries, longest) in [(0, 10), (1, 20), (2, 35), (39, 35)] {
            let pause = retry.pause(retries, Operation::GetService, &lost()).unwrap();
            assert!(pause <= Duration::from_millis(longest), "{retries}: {pause:?}");
        }
        assert_eq!(retry.pause(40, Operation::GetService, &lost()), None);
        assert_eq!(Retry::NONE.pause(0, Operation::GetService, &lost()), None);
    }
}
