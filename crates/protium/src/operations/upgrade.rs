//! The members that the three deploying updates share: deployment type, version and spec.

use super::input::version_part;
use crate::error::{Result, invalid};
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
    /// Checks what can be checked without the resource: NONE deploys nothing and so takes no spec.
    pub(super) fn new(
        kind: DeploymentUpdateType,
        major: Option<&str>,
        minor: Option<&str>,
        spec: Option<&str>,
    ) -> Result<Self> {
        let kind = match kind {
            DeploymentUpdateType::None => UpdateKind::None,
            DeploymentUpdateType::CurrentVersion => UpdateKind::CurrentVersion,
            DeploymentUpdateType::MinorVersion => UpdateKind::MinorVersion,
            DeploymentUpdateType::MajorVersion => UpdateKind::MajorVersion,
        };
        if kind == UpdateKind::None && spec.is_some() {
            return Err(invalid(
                "spec",
                "deploymentType NONE deploys nothing and takes no spec; use CURRENT_VERSION to deploy a changed spec",
            ));
        }
        Ok(Self { kind, major: major.map(version_part), minor: minor.map(version_part) })
    }

    /// The version that it asks for on a target with this track.
    pub(super) fn wanted(&self, track: &Track) -> Result<Wanted> {
        Ok(wanted(self.kind, track.current().version, self.major, self.minor)?)
    }
}
