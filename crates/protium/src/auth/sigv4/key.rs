//! Signing keys: what a secret becomes for one day, region and service.
//!
//! A derived key is kept with its credential, so that it goes when the credential does.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::sha256::{HmacKey, hmac_key, hmac_sha256};

/// So many scopes are remembered per credential; a caller has one a day for each region and service.
const REMEMBERED: usize = 64;

/// The derived keys of one credential, by `date/region/service`. A key takes more than a kilobyte, so that a table has
/// no room for those that are not there.
#[derive(Default)]
pub(crate) struct DerivedKeys {
    by_scope: RwLock<HashMap<Box<str>, Arc<HmacKey>>>,
}

impl DerivedKeys {
    /// The key for `scope`, if a request was let in with it before.
    pub(super) fn get(&self, scope: &str) -> Option<Arc<HmacKey>> {
        self.by_scope.read().unwrap_or_else(PoisonError::into_inner).get(scope).cloned()
    }

    /// Remembers a key. Only after a signature held: strangers must not fill the memory.
    pub(super) fn keep(&self, scope: &str, key: Arc<HmacKey>) {
        let mut by_scope = self.by_scope.write().unwrap_or_else(PoisonError::into_inner);
        if by_scope.len() >= REMEMBERED {
            by_scope.clear();
        }
        by_scope.insert(scope.into(), key);
    }
}

/// Derives the signing key of `secret` for a date (`YYYYMMDD`), region and service.
pub(super) fn derive(secret: &str, date: &str, region: &str, service: &str) -> HmacKey {
    let start = zeroize::Zeroizing::new(format!("AWS4{secret}"));
    let parts = [date, region, service, super::TERMINATOR];
    parts.iter().fold(hmac_key(start.as_bytes()), |key, part| hmac_key(&hmac_sha256(&key, &[part.as_bytes()])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_derived_keys_is_bounded() {
        let kept = DerivedKeys::default();
        for day in 0..1000 {
            kept.keep(&format!("{day}/us-east-1/s3"), derive("secret", "20150830", "us-east-1", "s3").into());
        }
        assert!(kept.by_scope.read().unwrap().len() <= REMEMBERED);
        assert!(kept.get("999/us-east-1/s3").is_some());
    }
}
