//! New access keys, as AWS makes them.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// `AKIA` and 16 capital letters and digits.
pub fn new_access_key_id() -> String {
    new_stable_id("AKIA")
}

/// What AWS calls a unique identifier: a prefix of four letters, such as `AIDA`, and 16 capital letters and digits.
pub fn new_stable_id(prefix: &str) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = uuid::Uuid::new_v4().into_bytes();
    let tail: String = random.iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect();
    format!("{prefix}{tail}")
}

/// Forty characters with 240 random bits.
///
/// # Errors
/// The system has no random bytes.
pub fn new_secret() -> anyhow::Result<String> {
    let mut random = [0; 30];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("the system has no random bytes: {error}"))?;
    Ok(STANDARD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_keys_look_like_aws_keys_and_differ() {
        let (id, secret) = (new_access_key_id(), new_secret().expect("random bytes"));
        assert_eq!((id.len(), secret.len()), (20, 40));
        assert!(id.starts_with("AKIA") && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()));
        assert_ne!(id, new_access_key_id());
        assert_ne!(secret, new_secret().expect("random bytes"));
    }
}
