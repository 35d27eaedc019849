//! Template versions: `major.minor`, both counted from 1 and 0.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A version of a template. Orders by major, then minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    pub major: i64,
    pub minor: i64,
}

impl Version {
    pub fn new(major: i64, minor: i64) -> Self {
        Self { major, minor }
    }

    /// Reads both parts of the wire; `None` where a part can't be a version that exists.
    pub fn parse(major: &str, minor: &str) -> Option<Self> {
        Some(Self { major: parse_part(major)?, minor: parse_part(minor)? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// One part of a version as the wire writes it (digits, no leading zero).
///
/// The wire allows 20 digits, more than any version can count to: such a part names no version,
/// so it answers `None` like one that is malformed.
pub fn parse_part(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let canonical = text == "0" || !text.starts_with('0');
    if digits && canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_canonical_decimal_numbers() {
        assert_eq!(parse_part("0"), Some(0));
        assert_eq!(parse_part("12"), Some(12));
        for bad in ["", "01", "-1", "+1", "1.0", "99999999999999999999"] {
            assert_eq!(parse_part(bad), None, "{bad}");
        }
    }

    #[test]
    fn versions_order_by_number_not_by_text() {
        assert!(Version::new(1, 10) > Version::new(1, 9));
        assert!(Version::new(10, 0) > Version::new(9, 99));
    }
}
