//! The members that the three deploying updates share: deployment type and version.

use super::input::version_part;
use crate::error::Result;
use protium_api::types::DeploymentUpdateType;
use protium_domain::track::Track;
use protium_domain::upgrade::{UpdateKind, Wanted, wanted};

/// What an update asks for, read.
pub(super) struct Update {
    kind: UpdateKind,
    major: Option<i64>,
    minor: Option<i64>,
}

impl Update {
    /// A spec beside NONE is not applied: nothing is deployed.
    pub(super) fn new(kind: DeploymentUpdateType, major: Option<&str>, minor: Option<&str>) -> Self {
        let kind = match kind {
            DeploymentUpdateType::None => UpdateKind::None,
            DeploymentUpdateType::CurrentVersion => UpdateKind::CurrentVersion,
            DeploymentUpdateType::MinorVersion => UpdateKind::MinorVersion,
            DeploymentUpdateType::MajorVersion => UpdateKind::MajorVersion,
        };
        Self { kind, major: major.map(version_part), minor: minor.map(version_part) }
    }

    /// The version that it asks for on a target with this track.
    pub(super) fn wanted(&self, track: &Track) -> Result<Wanted> {
        Ok(wanted(self.kind, track.current().version, self.major, self.minor)?)
    }
}
