//! The check of AWS Signature Version 4, in the `Authorization` header and in presigned URLs.
//!
//! Pure: a request, the keys and the time go in; the signer or a [`Refusal`] comes out. Does not
//! read bodies that are streamed (their chunks are checked where they are read) and does not
//! write answers: [`Refusal::answer`] only says what stands in them.

mod canonical;
mod claim;
pub(super) mod key;
mod refusal;
mod timestamp;

use std::sync::Arc;

use http::HeaderMap;
use subtle::ConstantTimeEq;

use super::credential::{Credential, Keys};
use crate::sha256::{HmacKey, hmac_sha256, sha256};
use claim::Claim;
pub use claim::ClaimedCredential;
pub use refusal::{Answer, Protocol, Refusal};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// How one service signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name in the credential scope.
    pub name: &'static str,
    /// How the path enters the signature.
    pub path: PathStyle,
    /// How far the clocks may be apart, in minutes.
    pub skew_minutes: i64,
}

/// How a path enters the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathStyle {
    /// Dots and empty segments resolved, then encoded once more than it was sent.
    Normalized,
    /// Encoded exactly once, and otherwise as it was sent: an object's key may hold `..` and `//`.
    Plain,
}

/// The Proton API and Protium's own operations.
pub const PROTON: Service = Service { name: "proton", path: PathStyle::Normalized, skew_minutes: 5 };
/// Who am I.
pub const STS: Service = Service { name: "sts", path: PathStyle::Normalized, skew_minutes: 5 };
/// The bundle store.
pub const S3: Service = Service { name: "s3", path: PathStyle::Plain, skew_minutes: 15 };

/// What is signed, as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// The path, still percent-encoded; empty means `/`.
    pub path: &'a str,
    /// What follows the `?`, still percent-encoded.
    pub query: Option<&'a str>,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// What HTTP/2 sends instead of a `Host` header.
    pub authority: Option<&'a str>,
    /// The body.
    pub payload: Payload<'a>,
}

/// What is known of the body when the signature is checked.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// All of it: hashed and compared.
    Whole(&'a [u8]),
    /// Nothing yet: what `x-amz-content-sha256` declares is what was signed, and who reads the body
    /// must hold it to that.
    Declared,
}

impl<'a> Request<'a> {
    /// The request whose head is `parts`.
    pub fn new(parts: &'a http::request::Parts, payload: Payload<'a>) -> Self {
        Self {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            headers: &parts.headers,
            authority: parts.uri.authority().map(http::uri::Authority::as_str),
            payload,
        }
    }
}

/// A request whose signature holds.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The key it was signed with; its identity is the caller.
    pub credential: Arc<Credential>,
    /// The region it was signed for.
    pub region: String,
}

/// Checks that `request` was signed for `service` by one of `keys`, around `now_ms`
/// (milliseconds since 1970).
///
/// # Errors
/// The first thing that is wrong with it; nothing of the request may be believed then.
pub fn verify(request: &Request<'_>, service: Service, keys: &Keys, now_ms: i64) -> Result<Signed, Refusal> {
    let query = canonical::Query::new(request.query);
    let claim = Claim::find(request.headers, &query)?;
    claim.check_scope(service)?;
    canonical::check_signed_headers(request, &claim.signed_headers)?;
    claim.check_time(service, now_ms)?;

    let credential = keys.lookup(&claim.access_key_id).ok_or(Refusal::UnknownKey)?;
    check_token(&credential, claim.token.as_deref())?;
    if credential.expires_at_ms.is_some_and(|end| end <= now_ms) {
        return Err(Refusal::TokenExpired);
    }
    let payload = payload_hash(request, &claim)?;

    let (date, region, _) = claim.scope_parts();
    let known = credential.derived.get(&claim.scope);
    let fresh = known.is_none();
    let key = known.unwrap_or_else(|| Arc::new(key::derive(credential.secret.expose(), date, region, service.name)));

    let matches = |leave_out_token: bool| {
        let text = canonical::request(request, service.path, &query, &claim, payload.as_ref(), leave_out_token);
        signature_matches(&key, &claim, &text)
    };
    // Some services add the token of a presigned URL after signing.
    let holds = matches(false) || (claim.expires_s.is_some() && claim.token.is_some() && matches(true));
    if !holds {
        return Err(Refusal::Mismatch);
    }
    if fresh {
        credential.derived.keep(&claim.scope, key);
    }
    credential.uses.note(now_ms, region, service.name);
    Ok(Signed { region: region.to_owned(), credential })
}

fn check_token(credential: &Credential, sent: Option<&str>) -> Result<(), Refusal> {
    let holds = match (&credential.session_token, sent) {
        (None, None) => true,
        (Some(token), Some(sent)) => token.expose().as_bytes().ct_eq(sent.as_bytes()).into(),
        (None, Some(_)) | (Some(_), None) => false,
    };
    if holds { Ok(()) } else { Err(Refusal::Token) }
}

/// The last line of the canonical request: a hash in hexadecimal digits, or a marker.
enum PayloadHash<'a> {
    Computed([u8; 64]),
    Declared(&'a str),
}

impl AsRef<[u8]> for PayloadHash<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Computed(digits) => digits,
            Self::Declared(text) => text.as_bytes(),
        }
    }
}

fn payload_hash<'a>(request: &Request<'a>, claim: &Claim<'_>) -> Result<PayloadHash<'a>, Refusal> {
    let declared = request.headers.get("x-amz-content-sha256").map(|value| value.to_str());
    match request.payload {
        Payload::Whole(body) => {
            let digits = hex_digits(&sha256(body));
            match declared {
                Some(Ok(hash)) if is_sha256(hash) && hash.as_bytes() != digits => Err(Refusal::PayloadMismatch),
                _ => Ok(PayloadHash::Computed(digits)),
            }
        }
        Payload::Declared if claim.expires_s.is_some() => Ok(PayloadHash::Declared(UNSIGNED_PAYLOAD)),
        Payload::Declared => match declared {
            None => Err(Refusal::PayloadUndeclared),
            Some(Ok(hash)) if is_sha256(hash) || hash == UNSIGNED_PAYLOAD || hash.starts_with("STREAMING-") => {
                Ok(PayloadHash::Declared(hash))
            }
            Some(_) => Err(Refusal::PayloadMarker),
        },
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn signature_matches(key: &HmacKey, claim: &Claim<'_>, canonical: &[u8]) -> bool {
    let hash = hex_digits(&sha256(canonical));
    let lines = [ALGORITHM.as_bytes(), b"\n", claim.at.as_bytes(), b"\n", claim.scope.as_bytes(), b"\n", &hash];
    let expected = hex_digits(&hmac_sha256(key, &lines));
    expected.ct_eq(claim.signature.as_bytes()).into()
}

fn hex_digits(hash: &[u8; 32]) -> [u8; 64] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0; 64];
    for (pair, byte) in text.chunks_exact_mut(2).zip(hash) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    text
}
