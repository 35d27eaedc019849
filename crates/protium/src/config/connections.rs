//! The section `[connections]` of the file: how many clients at once, and how long they may take.

use super::ConfigError;
use serde::Deserialize;
use std::time::Duration;

/// What clients may ask of the listener before they are who they say they are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Connections {
    /// The most connections at once. By default 4096, or fewer where the process may have few open files.
    pub most: Option<usize>,
    /// The most of them from one address, or from one network of an IPv6 host (64 bits).
    pub most_per_address: usize,
    /// The most requests that are worked on at once, of all connections.
    pub most_requests: usize,
    /// The most of them of one client, or of one network of an IPv6 host. By default a quarter of all.
    pub most_requests_per_address: Option<usize>,
    /// The most requests at once on one connection, in HTTP/2.
    pub most_streams: u32,
    /// The largest head of a request, in bytes.
    pub header_bytes: u32,
    /// The most headers of a request in HTTP/1; in HTTP/2 the bytes count alone.
    pub headers: usize,
    /// How long a client may take for a TLS handshake, for the first request, and for a head that it has begun.
    pub header_seconds: u64,
    /// How long a connection may be open without a request.
    pub idle_seconds: u64,
    /// How long a client that sends a body, or reads an answer, may be slower than `slowest_bytes_per_second`.
    pub patience_seconds: u64,
    pub slowest_bytes_per_second: u64,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            most: None,
            most_per_address: 512,
            most_requests: 1024,
            most_requests_per_address: None,
            most_streams: 100,
            header_bytes: 64 * 1024,
            headers: 100,
            header_seconds: 15,
            idle_seconds: 120,
            patience_seconds: 60,
            slowest_bytes_per_second: 1024,
        }
    }
}

/// The longest of the times here: a day, in seconds.
const LONGEST: u64 = 24 * 60 * 60;

impl Connections {
    /// The most requests at once of one client.
    pub fn requests_per_address(&self) -> usize {
        self.most_requests_per_address.unwrap_or((self.most_requests / 4).max(1))
    }

    pub fn header_time(&self) -> Duration {
        Duration::from_secs(self.header_seconds)
    }

    pub fn idle_time(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }

    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience_seconds)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let size = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        for (name, given, least, most) in [
            ("most", self.most.map_or(1, size), 1, 1_000_000),
            ("most-per-address", size(self.most_per_address), 1, 1_000_000),
            ("most-requests", size(self.most_requests), 1, 1_000_000),
            ("most-requests-per-address", self.most_requests_per_address.map_or(1, size), 1, 1_000_000),
            ("most-streams", self.most_streams.into(), 1, 10_000),
            ("header-bytes", self.header_bytes.into(), 8192, 1024 * 1024),
            ("headers", size(self.headers), 20, 10_000),
            ("header-seconds", self.header_seconds, 1, LONGEST),
            ("idle-seconds", self.idle_seconds, 1, LONGEST),
            ("patience-seconds", self.patience_seconds, 1, LONGEST),
            ("slowest-bytes-per-second", self.slowest_bytes_per_second, 1, 1024 * 1024),
        ] {
            if !(least..=most).contains(&given) {
                return Err(ConfigError(format!("connections.{name}: {given} is not from {least} to {most}")));
            }
        }
        Ok(())
    }
}
