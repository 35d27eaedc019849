//! Where a client calls, as whom, and how patiently.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::Retry;

/// What a client needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the server, as in `http://127.0.0.1:8420` or `https://protium.example`.
    pub endpoint: String,
    /// The region that requests are signed for, as in `us-east-1`.
    pub region: String,
    /// As whom requests are signed.
    pub credentials: Credentials,
    /// A PEM file with the authorities that `https` endpoints are trusted by, instead of those of the system.
    pub ca_bundle: Option<PathBuf>,
    /// What is tried again, and how often.
    pub retry: Retry,
    /// How long one attempt may take, from the connection to the last byte of the answer.
    pub timeout: Duration,
}

impl Config {
    /// The given, the authorities of the system, the default retries, and 60 seconds for an attempt.
    pub fn new(endpoint: impl Into<String>, region: impl Into<String>, credentials: Credentials) -> Self {
        Self {
            endpoint: endpoint.into(),
            region: region.into(),
            credentials,
            ca_bundle: None,
            retry: Retry::default(),
            timeout: Duration::from_secs(60),
        }
    }
}

/// An access key. `Debug` shows its public part only.
#[derive(Clone)]
pub struct Credentials {
    /// The public part.
    pub access_key: String,
    /// The secret part.
    pub secret: String,
    /// The token of a session, if the key belongs to one.
    pub session_token: Option<String>,
}

impl Credentials {
    /// A key that belongs to no session.
    pub fn new(access_key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { access_key: access_key.into(), secret: secret.into(), session_token: None }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}
