//! What a receiver of a webhook knows its sender by.

use crate::sha256::{HmacKey, hmac_key, hmac_sha256};

/// The header `Protium-Signature` of a body that is sent at a time, in seconds since 1970: the time, and in hexadecimal
/// the HMAC-SHA256 of the time, a dot and the body under the secret.
pub fn signature(secret: &[u8], seconds: i64, body: &str) -> String {
    signed(&hmac_key(secret), seconds, body)
}

pub(super) fn signed(key: &HmacKey, seconds: i64, body: &str) -> String {
    let mac = hmac_sha256(key, &[seconds.to_string().as_bytes(), b".", body.as_bytes()]);
    format!("t={seconds},v1={}", hex::encode(mac))
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn a_signature_is_over_the_time_and_the_body() {
        // printf '1700000000.{"version":"0"}' | openssl dgst -sha256 -hmac 'a secret of many bytes'
        assert_eq!(
            signature(b"a secret of many bytes", 1_700_000_000, r#"{"version":"0"}"#),
            "t=1700000000,v1=d935ad2611114e2a078cf810a053a5b835b94fbd3aabde8e71bc402c7dc76f3d"
        );
    }
}
