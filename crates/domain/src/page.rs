//! Pagination tokens: opaque, bound to the operation and the filters they were issued for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// Bytes of the fingerprint that binds a token to its listing.
const FINGERPRINT: usize = 8;

/// How many entries a page holds when the caller does not say.
pub const DEFAULT_PAGE: usize = 100;

/// Which listing a token belongs to: a fingerprint over account, region, operation and filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing([u8; FINGERPRINT]);

impl Listing {
    /// The listing told apart by `parts`, in order.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let mut fingerprint = [0; FINGERPRINT];
        fingerprint.copy_from_slice(&hash.finalize()[..FINGERPRINT]);
        Self(fingerprint)
    }

    /// The token that continues after the entry with `key`. Standard base64, as the model's
    /// pattern demands.
    pub fn token_after(&self, key: &str) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend_from_slice(key.as_bytes());
        STANDARD.encode(bytes)
    }

    /// The key after which a page starts; `None` if the token is malformed or belongs to another
    /// operation or other filters. Tokens are not signed: a key may be one that was never given out.
    pub fn key_of(&self, token: &str) -> Option<String> {
        let bytes = STANDARD.decode(token).ok()?;
        let (fingerprint, key) = bytes.split_at_checked(FINGERPRINT)?;
        if fingerprint != self.0 {
            return None;
        }
        // No key holds control characters; a database might not even take them as a question.
        String::from_utf8(key.to_vec()).ok().filter(|key| !key.contains(char::is_control))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_key() {
        let listing = Listing::new(["ListServices", "a"]);
        assert_eq!(listing.key_of(&listing.token_after("svc-é")).as_deref(), Some("svc-é"));
    }

    #[test]
    fn a_made_up_token_leads_to_no_key_that_could_not_be_asked_for() {
        let listing = Listing::new(["ListServices"]);
        assert_eq!(listing.key_of(&listing.token_after("a\0b")), None);
    }

    #[test]
    fn a_token_of_other_filters_is_refused() {
        let token = Listing::new(["ListServices", "a"]).token_after("x");
        assert_eq!(Listing::new(["ListServices", "b"]).key_of(&token), None);
        assert_eq!(Listing::new(["ListServices", ""]).key_of("AAAA"), None);
        assert_eq!(Listing::new(["ListServices", ""]).key_of("not base64!"), None);
    }
}
