//! The columns that environments, service instances and pipelines share.

use super::Param;
use protium_domain::track::Track;

/// The given columns, then those of a track, in the order of [`track_values`].
macro_rules! TRACK_COLUMNS {
    ($($column:literal),*) => {
        &[$($column,)* "major", "minor", "attempted_major", "attempted_minor", "status", "attempted_at"]
    };
}
pub(super) use TRACK_COLUMNS;

/// What is deployed, what was attempted last, and where that stands.
pub(super) fn track_values(track: &Track) -> [Param<'_>; 6] {
    let deployed = track.deployed.as_ref().map(|aim| aim.version);
    [
        deployed.map(|version| version.major).into(),
        deployed.map(|version| version.minor).into(),
        track.attempted.version.major.into(),
        track.attempted.version.minor.into(),
        track.status.as_str().into(),
        track.attempted_at.into(),
    ]
}
