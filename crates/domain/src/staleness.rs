//! How far behind its template something that is deployed is. Computed when it is asked for, never stored: a version
//! that is published changes it for all that runs on the template.

use crate::version::Version;

/// How a deployed version compares to the one that its template recommends. Orders by the distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Staleness {
    UpToDate,
    BehindMinor,
    BehindMajor,
}

impl Staleness {
    /// Every value, the nearest first.
    pub const ALL: [Self; 3] = [Self::UpToDate, Self::BehindMinor, Self::BehindMajor];

    /// A version above the recommended one, such as a draft, is up to date; so is each where none is recommended.
    /// A lower version is never less far behind than a higher one.
    pub fn of(version: Version, recommended: Option<Version>) -> Self {
        match recommended {
            Some(recommended) if version.major < recommended.major => Self::BehindMajor,
            Some(recommended) if version < recommended => Self::BehindMinor,
            Some(_) | None => Self::UpToDate,
        }
    }

    /// The value of the filter `deployedTemplateVersionStatus`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpToDate => "UP_TO_DATE",
            Self::BehindMinor => "BEHIND_MINOR",
            Self::BehindMajor => "BEHIND_MAJOR",
        }
    }

    /// Reads such a value, in capital or small letters.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staleness_is_the_distance_below_the_recommended_version() {
        let recommended = Some(Version::new(2, 3));
        for (major, minor, expected) in [
            (1, 9, Staleness::BehindMajor),
            (2, 2, Staleness::BehindMinor),
            (2, 3, Staleness::UpToDate),
            (2, 4, Staleness::UpToDate),
            (3, 0, Staleness::UpToDate),
        ] {
            assert_eq!(Staleness::of(Version::new(major, minor), recommended), expected, "{major}.{minor}");
        }
        assert_eq!(Staleness::of(Version::new(1, 0), None), Staleness::UpToDate);
    }

    #[test]
    fn its_text_is_read_in_any_case() {
        for one in Staleness::ALL {
            assert_eq!(Staleness::parse(one.as_str()), Some(one));
            assert_eq!(Staleness::parse(&one.as_str().to_lowercase()), Some(one));
        }
        assert_eq!(Staleness::parse("BEHIND"), None);
    }
}
