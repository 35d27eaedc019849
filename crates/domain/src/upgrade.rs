//! Which template version a deployment goes to: the rules of `deploymentType`.

use crate::refused::Refused;
use crate::version::Version;

/// The `deploymentType` of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateKind {
    /// Only metadata; nothing is deployed.
    None,
    CurrentVersion,
    MinorVersion,
    MajorVersion,
}

/// The version that an update asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Deploy nothing.
    Nothing,
    /// The version that is current.
    Current,
    /// This one, whether draft or published.
    Exactly(Version),
    /// The recommended minor version of this major version.
    RecommendedMinorOf(i64),
    /// The template's recommended version, which must have a higher major than this one.
    RecommendedAbove(i64),
}

/// Decides from the request alone; `major` and `minor` are the request's members.
pub fn wanted(kind: UpdateKind, current: Version, major: Option<i64>, minor: Option<i64>) -> Result<Wanted, Refused> {
    let given = major.is_some() || minor.is_some();
    match kind {
        UpdateKind::None if given => Err(Refused::invalid(
            "templateMajorVersion, templateMinorVersion",
            "deploymentType NONE deploys nothing; leave the version out, or use MINOR_VERSION or MAJOR_VERSION",
        )),
        UpdateKind::None => Ok(Wanted::Nothing),
        UpdateKind::CurrentVersion if given => Err(Refused::invalid(
            "templateMajorVersion, templateMinorVersion",
            "deploymentType CURRENT_VERSION keeps the version; leave the version out, or use MINOR_VERSION or MAJOR_VERSION",
        )),
        UpdateKind::CurrentVersion => Ok(Wanted::Current),
        UpdateKind::MinorVersion => match major {
            Some(major) if major != current.major => Err(Refused::invalid(
                "templateMajorVersion",
                format_args!(
                    "'{major}' is not the current major version {}, which deploymentType MINOR_VERSION keeps; \
                     leave it out, or use MAJOR_VERSION",
                    current.major
                ),
            )),
            Some(_) | None => Ok(match minor {
                Some(minor) => Wanted::Exactly(Version::new(current.major, minor)),
                None => Wanted::RecommendedMinorOf(current.major),
            }),
        },
        UpdateKind::MajorVersion => match (major, minor) {
            (Some(major), _) if major <= current.major => Err(Refused::invalid(
                "templateMajorVersion",
                format_args!(
                    "'{major}' is not higher than the current major version {}, as deploymentType MAJOR_VERSION needs",
                    current.major
                ),
            )),
            (Some(major), Some(minor)) => Ok(Wanted::Exactly(Version::new(major, minor))),
            (Some(major), None) => Ok(Wanted::RecommendedMinorOf(major)),
            (None, Some(_)) => Err(Refused::invalid(
                "templateMinorVersion",
                "is given without templateMajorVersion; deploymentType MAJOR_VERSION needs both or neither",
            )),
            (None, None) => Ok(Wanted::RecommendedAbove(current.major)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_the_table_holds() {
        let current = Version::new(2, 3);
        let ask = |kind, major, minor| wanted(kind, current, major, minor);
        use UpdateKind::*;
        assert_eq!(ask(None, Option::None, Option::None), Ok(Wanted::Nothing));
        assert_eq!(ask(CurrentVersion, Option::None, Option::None), Ok(Wanted::Current));
        assert_eq!(ask(MinorVersion, Option::None, Option::None), Ok(Wanted::RecommendedMinorOf(2)));
        assert_eq!(ask(MinorVersion, Some(2), Some(1)), Ok(Wanted::Exactly(Version::new(2, 1))));
        assert_eq!(ask(MinorVersion, Option::None, Some(3)), Ok(Wanted::Exactly(current)));
        assert_eq!(ask(MajorVersion, Some(3), Option::None), Ok(Wanted::RecommendedMinorOf(3)));
        assert_eq!(ask(MajorVersion, Some(4), Some(1)), Ok(Wanted::Exactly(Version::new(4, 1))));
        assert_eq!(ask(MajorVersion, Option::None, Option::None), Ok(Wanted::RecommendedAbove(2)));
    }

    #[test]
    fn what_contradicts_the_type_is_invalid() {
        let current = Version::new(2, 3);
        for (kind, major, minor) in [
            (UpdateKind::None, Some(2), None),
            (UpdateKind::CurrentVersion, None, Some(3)),
            (UpdateKind::MinorVersion, Some(3), None),
            (UpdateKind::MajorVersion, Some(2), None),
            (UpdateKind::MajorVersion, Some(1), Some(0)),
            (UpdateKind::MajorVersion, None, Some(0)),
        ] {
            assert!(matches!(wanted(kind, current, major, minor), Err(Refused::Invalid(_))), "{kind:?}");
        }
    }
}
