//! What the application's module `sha256` is to `auth`, without the library of TLS, which takes long to build. The
//! test `corpus` runs the same properties with the application's own.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

pub(crate) type HmacKey = Hmac<Sha256>;

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

pub(crate) fn hmac_key(secret: &[u8]) -> HmacKey {
    HmacKey::new_from_slice(secret).expect("a key of any length")
}

pub(crate) fn hmac_sha256(key: &HmacKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut text = key.clone();
    for part in parts {
        text.update(part);
    }
    text.finalize().into_bytes().into()
}
