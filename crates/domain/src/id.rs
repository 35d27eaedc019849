//! Internal identities: one per incarnation of a resource, never reused with its name.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A lower-case UUID in its 36-character form.
///
/// Jobs, deployments, tokens, events and physical names refer to resources by this, never by
/// name, so that nothing stale acts on a namesake that was created later.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// Reads the 36-character lower-case form; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let shape = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            });
        shape.then(|| Self(text.to_owned()))
    }

    /// The id made of 16 random bytes (the caller owns the randomness), as a version 4 UUID.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        let mut bytes = bytes;
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex = hex::encode(bytes);
        Self(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Id;

    #[test]
    fn random_bytes_make_an_id_that_parses() {
        let id = Id::from_random([0xff; 16]);
        assert_eq!(id.as_str(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(Id::parse(id.as_str()), Some(id));
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in ["", "x", "FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF", "ffffffffffff4fffbfffffffffffffffffff"] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }
}
