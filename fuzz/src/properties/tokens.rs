//! Tokens of an identity provider: one in three parts.
//!
//! One that is believed is believed with the keys of its provider only, for its audience, in its time, and as it was
//! signed.

use protium::oidc::keys::KeySet;
use protium::oidc::token::{LEEWAY_S, LONGEST, Presented, TokenError};

/// The public halves of the keys that the corpus is signed with, and a secret, which no token may be signed with.
const KEYS: &str = include_str!("tokens.json");
/// 2026-09-21T14:13:20Z.
const NOW_MS: i64 = 1_790_000_000_000;

pub fn check(input: &[u8]) {
    let Ok(token) = std::str::from_utf8(input) else { return };
    let presented = match Presented::read(token) {
        Ok(presented) => presented,
        Err(error) => return check_refusal(&error, token),
    };
    assert!(token.len() <= LONGEST);
    let keys = KeySet::read(KEYS.as_bytes()).expect("a key set");
    let audience = ["protium".to_owned()];
    let verified = match presented.verify(&keys, &audience, NOW_MS) {
        Ok(verified) => verified,
        Err(error) => return check_refusal(&error, token),
    };
    assert_eq!(verified.audience, "protium");
    let issuer = presented.issuer();
    let conditions = verified.conditions("issuer.example.com");
    assert!(conditions.iter().all(|(key, values)| key.starts_with("issuer.example.com:") && !values.is_empty()));
    let subject = ("issuer.example.com:sub".to_owned(), vec![verified.subject.clone()]);
    assert!(conditions.contains(&subject));

    assert!(presented.verify(&KeySet::default(), &audience, NOW_MS).is_err(), "with no keys");
    assert!(presented.verify(&keys, &["another".to_owned()], NOW_MS).is_err(), "for others");
    let end_ms = verified.expires_s.saturating_add(LEEWAY_S).saturating_mul(1000);
    let late = presented.verify(&keys, &audience, end_ms);
    assert!(matches!(late, Err(TokenError::Expired { .. })), "after its end");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let forged = format!("{signed}A.{signature}");
    let forged = Presented::read(&forged).and_then(|forged| forged.verify(&keys, &audience, NOW_MS));
    assert!(forged.is_err(), "a longer payload of {issuer}");
}

/// It says why, and not what the token is.
fn check_refusal(error: &TokenError, token: &str) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 2_000, "{text}");
    assert!(token.len() < 300 || !text.contains(token), "{text}");
}
