//! Tokens of identity providers: what they say of themselves, and whether it is true.
//!
//! Pure: a token, keys, audiences and the time go in; claims or a [`TokenError`] come out. Does not know who may do what
//! with them, and not where keys come from.

use super::keys::KeySet;
use crate::sha256::sha256;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation, decode};
use serde_json::{Map, Value};

/// The longest token, in bytes.
pub const LONGEST: usize = 20_000;
/// How far the clocks may be apart, in seconds.
pub const LEEWAY_S: i64 = 60;

/// How a token may be signed: with a private key of the provider. Never with a secret, never not at all.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Why a token is not believed. Texts never hold the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("The ID Token provided is not a valid JWT: {0}. (You may see this error if you sent an Access Token)")]
    Malformed(String),
    #[error(
        "The token is signed by '{0}', which is not accepted; RS256, PS256, ES256, EdDSA and their longer kinds are"
    )]
    Algorithm(String),
    #[error("Couldn't find the token's verification key '{0}' among those of the identity provider")]
    UnknownKey(String),
    #[error("The signature of the token is not that of the identity provider's key")]
    Signature,
    #[error("Missing a required claim: {0}")]
    MissingClaim(&'static str),
    #[error("Incorrect token audience: the token was issued for '{0}', which is no client id of the identity provider")]
    Audience(String),
    #[error("Token expired: current date/time {now_s} must be before the expiration date/time {expires_s}")]
    Expired { now_s: i64, expires_s: i64 },
    #[error("The token is not valid before {from_s}; current date/time is {now_s}")]
    NotYet { now_s: i64, from_s: i64 },
}

/// A token as it says it is: nothing of it may be believed.
pub struct Presented<'a> {
    token: &'a str,
    algorithm: Algorithm,
    key: Option<String>,
    issuer: String,
}

/// What a token says, after all that can be checked of it was.
#[derive(Clone, Debug)]
pub struct Verified {
    pub subject: String,
    /// The client id that it was issued for.
    pub audience: String,
    /// In seconds since 1970.
    pub expires_s: i64,
    /// Everything that it says.
    pub claims: Map<String, Value>,
    /// The SHA-256 of what is signed of it, in hexadecimal digits: what tells it from all other tokens.
    pub sha256: String,
}

impl<'a> Presented<'a> {
    /// Reads what is needed to find the provider and its key.
    pub fn read(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > LONGEST {
            return Err(malformed(format!("it has {} bytes, at most {LONGEST} are allowed", token.len())));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, payload, _] = parts.as_slice() else {
            return Err(malformed(format!("it has {} parts, not 3", parts.len())));
        };
        let (header, payload) = (object(header, "header")?, object(payload, "payload")?);
        let name = header.get("alg").and_then(Value::as_str).unwrap_or("nothing");
        let algorithm = name.parse().ok().filter(|algorithm| ALGORITHMS.contains(algorithm));
        let algorithm = algorithm.ok_or_else(|| TokenError::Algorithm(name.chars().take(32).collect()))?;
        if header.contains_key("crit") {
            return Err(malformed("its header names extensions that must be understood (`crit`), and none are".into()));
        }
        let key = header.get("kid").and_then(Value::as_str).map(str::to_owned);
        let issuer = payload.get("iss").and_then(Value::as_str).ok_or(TokenError::MissingClaim("iss"))?.to_owned();
        Ok(Self { token, algorithm, key, issuer })
    }

    /// Who is said to have issued it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The id of the key that it is said to be signed with.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// Checks the signature, for whom the token was issued and its time (`now_ms`, milliseconds since 1970).
    pub fn verify(&self, keys: &KeySet, client_ids: &[String], now_ms: i64) -> Result<Verified, TokenError> {
        let key = keys.find(self.key()).filter(|key| key.is_for(self.algorithm));
        let key =
            key.ok_or_else(|| TokenError::UnknownKey(self.key().unwrap_or_default().chars().take(128).collect()))?;
        let mut validation = Validation::new(self.algorithm);
        // Its times are checked below, by the application's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let decoded = decode::<Map<String, Value>>(self.token, &key.decoding, &validation);
        let claims = decoded.map_err(|_| TokenError::Signature)?.claims;

        let now_s = now_ms.div_euclid(1000);
        let audience = audience(&claims, client_ids)?;
        let expires_s = time(&claims, "exp")?.ok_or(TokenError::MissingClaim("exp"))?;
        if now_s >= expires_s.saturating_add(LEEWAY_S) {
            return Err(TokenError::Expired { now_s, expires_s });
        }
        let issued_s = time(&claims, "iat")?.ok_or(TokenError::MissingClaim("iat"))?;
        for from_s in [Some(issued_s), time(&claims, "nbf")?].into_iter().flatten() {
            if now_s < from_s.saturating_sub(LEEWAY_S) {
                return Err(TokenError::NotYet { now_s, from_s });
            }
        }
        let subject = claims.get("sub").and_then(Value::as_str).ok_or(TokenError::MissingClaim("sub"))?.to_owned();
        let signed = self.token.rsplit_once('.').map_or(self.token, |(signed, _)| signed);
        let sha256 = hex::encode(sha256(signed.as_bytes()));
        Ok(Verified { subject, audience, expires_s, claims, sha256 })
    }
}

impl Verified {
    /// Claims as the conditions of a trust policy see them, each with its values: `<provider>:<claim>`. The audience
    /// is `aud`; what was in the place of it, `oaud`. Objects are no values.
    pub fn conditions(&self, provider: &str) -> Vec<(String, Vec<String>)> {
        let key = |claim: &str| format!("{provider}:{claim}");
        let mut conditions = vec![(key("aud"), vec![self.audience.clone()])];
        for (claim, value) in &self.claims {
            let values: Vec<String> = match value {
                Value::Array(values) => values.iter().filter_map(scalar).collect(),
                value => scalar(value).into_iter().collect(),
            };
            let name = if claim == "aud" { "oaud" } else { claim };
            if !values.is_empty() {
                conditions.push((key(name), values));
            }
        }
        conditions
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// For whom the token is: the party that `azp` names, where it does, else one of `aud` that is registered.
fn audience(claims: &Map<String, Value>, client_ids: &[String]) -> Result<String, TokenError> {
    let named: Vec<&str> = match (claims.get("azp"), claims.get("aud")) {
        (Some(party), Some(_)) => party.as_str().into_iter().collect(),
        (None, Some(Value::String(one))) => vec![one],
        (None, Some(Value::Array(all))) => all.iter().filter_map(Value::as_str).collect(),
        (_, _) => Vec::new(),
    };
    if named.is_empty() {
        return Err(TokenError::MissingClaim("aud"));
    }
    let registered = named.iter().find(|name| client_ids.iter().any(|id| id == *name));
    match registered {
        Some(name) => Ok((*name).to_owned()),
        None => Err(TokenError::Audience(named.join(", ").chars().take(256).collect())),
    }
}

/// A moment in seconds since 1970; fractions are cut off.
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, TokenError> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| value.as_f64().filter(|s| s.abs() < 1e15).map(|s| s.trunc() as i64));
    seconds.map(Some).ok_or_else(|| malformed(format!("its claim {name} is no number of seconds")))
}

fn object(part: &str, name: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed(format!("its {name} is not base64url")))?;
    serde_json::from_slice(&bytes).map_err(|_| malformed(format!("its {name} is no JSON object")))
}

fn malformed(why: String) -> TokenError {
    TokenError::Malformed(why)
}
