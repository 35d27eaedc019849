//! How long the audit log is kept, and where else it goes.

use super::ConfigError;
use std::path::PathBuf;
use std::time::Duration;

const DAYS: u64 = 90;
const MOST_DAYS: u64 = 36_500;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// How long records stay in the store; `None`: none is written there.
    pub retention: Option<Duration>,
    /// Where each record is written to as a line, too.
    pub log: Option<AuditLog>,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditLog {
    StandardOutput,
    File(PathBuf),
}

pub(super) fn settings(days: Option<u64>, log: Option<PathBuf>) -> Result<AuditSettings, ConfigError> {
    let retention = match days.unwrap_or(DAYS) {
        0 => None,
        days @ 1..=MOST_DAYS => Some(DAY * u32::try_from(days).unwrap_or(u32::MAX)),
        days => return Err(ConfigError(format!("audit-retention: {days} is not from 0 to {MOST_DAYS} days"))),
    };
    let log = log.map(|file| match file.to_str() {
        Some("-") => AuditLog::StandardOutput,
        _ => AuditLog::File(file),
    });
    Ok(AuditSettings { retention, log })
}
