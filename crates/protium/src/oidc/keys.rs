//! The keys of a provider: a JWK set, as far as it can be used to check signatures.

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// How many keys of a set are looked at.
const MOST_KEYS: usize = 256;

/// The keys of a provider at some time.
#[derive(Debug, Default)]
pub struct KeySet(Vec<Key>);

/// A public key.
#[derive(Debug)]
pub struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, if its set says so.
    algorithm: Option<String>,
    pub(super) decoding: DecodingKey,
}

impl KeySet {
    /// Reads a JWK set. Keys of kinds that are not known, and secret ones, are passed over.
    ///
    /// # Errors
    /// It is no JWK set; the text says what is wrong.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let mut set: Value = serde_json::from_slice(json).map_err(|error| format!("the keys are no JSON: {error}"))?;
        let Some(Value::Array(keys)) = set.get_mut("keys").map(Value::take) else {
            return Err("the keys are no JWK set: there is no list `keys`".to_owned());
        };
        Ok(Self(keys.into_iter().take(MOST_KEYS).filter_map(Key::read).collect()))
    }

    /// Whether there is a key of that id; any key will do for a token that names none.
    pub fn has(&self, id: Option<&str>) -> bool {
        self.find(id).is_some()
    }

    /// The key of that id. A token that names none is signed with the only one that there is.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.0.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

impl Key {
    fn read(json: Value) -> Option<Self> {
        let algorithm = json.get("alg").and_then(Value::as_str).map(str::to_owned);
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        // Of a shared secret, whoever may check tokens could make them.
        let is_public = matches!(
            &jwk.algorithm,
            AlgorithmParameters::RSA(_) | AlgorithmParameters::EllipticCurve(_) | AlgorithmParameters::OctetKeyPair(_)
        );
        let is_for_signatures = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
        if !is_public || !is_for_signatures {
            return None;
        }
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithm, decoding })
    }

    /// Whether tokens may be signed with it in this way.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        let is_family = self.decoding.family() == algorithm.family();
        is_family && self.algorithm.as_deref().is_none_or(|name| name.parse() == Ok(algorithm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_can_not_be_used_are_passed_over() {
        let set = br#"{"keys":[
            {"kty":"oct","kid":"secret","k":"c2VjcmV0"},
            {"kty":"RSA","kid":"sealing","use":"enc","n":"AQAB","e":"AQAB"},
            {"kty":"new","kid":"unknown","x":1},
            {"kty":"EC","crv":"P-999","kid":"curve","x":"AQAB","y":"AQAB"},
            {"kty":"RSA","kid":"broken","n":"!","e":"AQAB"},
            "text",
            {"kty":"RSA","kid":"good","alg":"RS256","n":"AQAB","e":"AQAB"}
        ]}"#;
        let keys = KeySet::read(set).unwrap();
        assert_eq!(keys.0.len(), 1);
        assert!(keys.has(Some("good")) && keys.has(None) && !keys.has(Some("secret")));
        let good = keys.find(Some("good")).unwrap();
        assert!(good.is_for(Algorithm::RS256) && !good.is_for(Algorithm::PS256) && !good.is_for(Algorithm::ES256));
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
            assert!(KeySet::read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_without_a_key_id_is_one_of_the_only_key() {
        let two = br#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},{"kty":"RSA","kid":"b","n":"AQAB","e":"AQAB"}]}"#;
        let keys = KeySet::read(two).unwrap();
        assert!(!keys.has(None) && keys.has(Some("b")));
    }
}
