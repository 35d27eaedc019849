//! What runs commands, and what an operator can say about it.

use protium_engines::command::LogPlace;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

use super::ConfigError;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The days that runs are kept for, where nobody says otherwise.
const RUN_KEEP_DAYS: u64 = 30;
/// The longest that runs can be kept for, in days: a hundred years.
const LONGEST_RUN_KEEP_DAYS: u64 = 36_500;

/// What runs commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// Nothing: templates of commands can be registered only.
    #[default]
    None,
    /// The machine of the server, in a sandbox.
    Local,
    /// AWS CodeBuild, in the account of the role that the resource names.
    #[value(name = "codebuild")]
    CodeBuild,
    /// Jobs of a Kubernetes cluster.
    Kubernetes,
}

impl Runner {
    /// Whether runs are on other machines than the server's.
    pub fn is_remote(self) -> bool {
        matches!(self, Self::CodeBuild | Self::Kubernetes)
    }
}

/// How long the files of runs are kept.
pub(super) fn run_keep(days: Option<u64>) -> Result<Duration, ConfigError> {
    match days.unwrap_or(RUN_KEEP_DAYS) {
        days @ 1..=LONGEST_RUN_KEEP_DAYS => Ok(DAY * u32::try_from(days).unwrap_or(u32::MAX)),
        days => Err(ConfigError(format!("run-keep-days: {days} is not from 1 to {LONGEST_RUN_KEEP_DAYS} days"))),
    }
}

/// Where logs of runs are kept for all servers.
pub(super) fn run_logs(given: Option<String>) -> Result<Option<LogPlace>, ConfigError> {
    let place = given.map(|given| LogPlace::parse(&given)).transpose();
    place.map_err(|why| ConfigError(format!("run-logs: {why}")))
}

/// What the operator gives every run. Terraform's program is given the same way.
pub(super) fn run_variables(
    given: BTreeMap<String, String>,
    terraform: Option<String>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let legal = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    if let Some(name) = given.keys().find(|name| !legal(name)) {
        return Err(ConfigError(format!(
            "run-variables: '{name}' is no name of a variable; use letters, digits and _, and no digit first"
        )));
    }
    if let Some((name, _)) = given.iter().find(|(_, value)| value.contains('\0')) {
        return Err(ConfigError(format!("run-variables.{name}: no variable can hold U+0000; remove it")));
    }
    let mut variables = given;
    match terraform {
        Some(program) if program.is_empty() || program.contains('\0') => {
            Err(ConfigError("terraform: no program; give its name or path, as in tofu".into()))
        }
        Some(program) => {
            variables.insert("PROTIUM_TERRAFORM".to_owned(), program);
            Ok(variables)
        }
        None => Ok(variables),
    }
}
