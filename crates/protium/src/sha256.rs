//! SHA-256 and what is keyed with it, by the library that TLS uses: each request is hashed several times, and it is the
//! fastest one on processors without instructions for it.

pub(crate) use aws_lc_rs::hmac::Key as HmacKey;
use aws_lc_rs::{digest, hmac};

/// The hash of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    fixed(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The hash of some bytes in lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

/// A key for [`hmac_sha256`], prepared for any number of texts.
pub(crate) fn hmac_key(secret: &[u8]) -> HmacKey {
    HmacKey::new(hmac::HMAC_SHA256, secret)
}

/// HMAC-SHA256 of a text in parts.
pub(crate) fn hmac_sha256(key: &HmacKey, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    fixed(context.sign().as_ref())
}

/// Both algorithms give 32 bytes.
fn fixed(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(bytes);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standards() {
        // FIPS 180-4's example, and the second test case of RFC 4231.
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let keyed = hmac_sha256(&hmac_key(b"Jefe"), &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex::encode(keyed), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
