//! Polling until something is so.

use std::time::Duration;

use protium_api::{Call, ErrorCode, Operation};
use serde_json::Value;

use crate::{Client, Error};

/// What is polled, and which answers end it.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    /// The name, as in `ServiceCreated`.
    pub name: &'static str,
    /// The operation that is polled.
    pub operation: Operation,
    /// How it is polled unless the caller says otherwise.
    pub pace: Pace,
    /// The answers that end it; the first that matches counts.
    pub acceptors: &'static [Acceptor],
}

/// How often to poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The pause between two attempts.
    pub delay: Duration,
    /// How many attempts there are at most.
    pub max_attempts: u32,
}

/// An answer that ends a wait, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptor {
    /// Which answer.
    pub condition: Condition,
    /// How.
    pub verdict: Verdict,
}

/// What an answer is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The call fails with this code.
    Fails(ErrorCode),
    /// The member of the output at this path has this value.
    Answers {
        /// Names of members, from the outside in.
        path: &'static [&'static str],
        /// The value.
        value: &'static str,
    },
}

/// How a wait ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    Success,
    /// It will not be so.
    Failure,
}

/// Why a wait ended otherwise than hoped for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// It will not be so.
    #[error("{waiter} failed: {found}")]
    Failed {
        /// The name of the waiter.
        waiter: &'static str,
        /// The value or error that says so.
        found: String,
    },
    /// It is not so yet.
    #[error("{waiter} was not so after {attempts} attempts")]
    Exhausted {
        /// The name of the waiter.
        waiter: &'static str,
        /// How often it was asked.
        attempts: u32,
    },
    /// A call failed in a way that the waiter does not expect.
    #[error(transparent)]
    Call(#[from] Error),
}

impl Client {
    /// Polls with this input until the waiter's first acceptor matches. The output is the one that
    /// matched; there is none if the waiter was after an error.
    pub(crate) async fn wait<C: Call>(
        &self,
        waiter: &Waiter,
        input: &C,
        pace: Option<Pace>,
    ) -> Result<Option<C::Output>, WaitError> {
        let Pace { delay, max_attempts } = pace.unwrap_or(waiter.pace);
        for attempt in 0..max_attempts {
            if attempt > 0 {
                tokio::time::sleep(delay).await;
            }
            let answer = self.call(input).await;
            let json = answer.as_ref().ok().and_then(|output| serde_json::to_value(output).ok());
            let met = waiter.acceptors.iter().find(|acceptor| acceptor.condition.is_met(&answer, json.as_ref()));
            match (met, answer) {
                (Some(Acceptor { verdict: Verdict::Success, .. }), answer) => return Ok(answer.ok()),
                (Some(Acceptor { condition, verdict: Verdict::Failure }), _) => {
                    let found = match condition {
                        Condition::Fails(code) => code.to_string(),
                        Condition::Answers { path, value } => format!("{} is {value}", path.join(".")),
                    };
                    return Err(WaitError::Failed { waiter: waiter.name, found });
                }
                (None, Err(error)) => return Err(error.into()),
                (None, Ok(_)) => {}
            }
        }
        Err(WaitError::Exhausted { waiter: waiter.name, attempts: max_attempts })
    }
}

impl Condition {
    fn is_met<T>(&self, answer: &Result<T, Error>, json: Option<&Value>) -> bool {
        match self {
            Self::Fails(code) => answer.as_ref().is_err_and(|error| error.code() == Some(*code)),
            Self::Answers { path, value } => {
                let found = path.iter().try_fold(json, |json, name| Some(json?.get(name)));
                found.flatten().and_then(Value::as_str) == Some(value)
            }
        }
    }
}
