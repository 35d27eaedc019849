//! What is settled before an operation of S3 begins: who calls, that nothing is asked for that would be
//! ignored, and bodies of commands.

use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use s3s::{S3Error, S3ErrorCode};

use super::Caller;
use super::digest::Expected;
use super::failure::{named, refusal};
use super::incoming::{hash_mismatch, too_slow};
use crate::auth::Keys;
use crate::auth::sigv4::{self, Payload, Protocol, Refusal, Request};
use crate::http::TooSlow;
use crate::operations::{self, Origin};
use crate::sha256::sha256_hex;
use protium_domain::arn::Scope;
use std::sync::Arc;

/// The largest body of a command (a list of keys or of parts), in bytes.
const COMMAND_LIMIT: usize = 4 * 1024 * 1024;

/// Headers that ask for what isn't here. To ignore them would be to promise it.
const UNSUPPORTED: [&str; 5] = [
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-write-offset-bytes",
];

/// Checks the signature, and what it takes no body to see.
pub(super) fn admit(parts: &Parts, keys: &Keys, now_ms: i64, origin: &Origin) -> Result<Caller, S3Error> {
    let request = Request::new(parts, Payload::Declared);
    let signed = sigv4::verify(&request, sigv4::S3, keys, now_ms).map_err(|refusal| answer(&refusal))?;
    let identity = Arc::clone(&signed.credential.identity);
    let account = &identity.principal.account;
    check_owner(&parts.headers, account)?;
    check_headers(&parts.headers)?;
    check_version(parts.uri.query())?;
    let is_form = text(&parts.headers, "content-type").is_some_and(|kind| kind.starts_with("multipart/form-data"));
    if is_form && parts.method == Method::POST {
        return Err(unsupported("Uploads from browser forms are not implemented"));
    }
    let scope = Scope::new(account, signed.region);
    let access_key_id = Some(signed.credential.access_key_id.clone());
    Ok(Caller(operations::Caller { identity, access_key_id, scope, origin: origin.clone() }))
}

/// Whether the body is an object or a part of one, to be streamed; else it is a command's.
pub(super) fn carries_object(parts: &Parts, virtual_bucket: bool) -> bool {
    let path = parts.uri.path().trim_start_matches('/');
    let has_key = virtual_bucket && !path.is_empty() || path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let plain = parts.uri.query().unwrap_or_default().split('&').all(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        name.is_empty() || name.starts_with("X-Amz-") || ["x-id", "partNumber", "uploadId"].contains(&name)
    });
    parts.method == Method::PUT && has_key && plain
}

/// Reads the body of a command and holds it to its declared hash and checksums.
pub(super) async fn read_command(parts: &Parts, body: Body) -> Result<Bytes, S3Error> {
    let headers = &parts.headers;
    let declared = text(headers, "x-amz-content-sha256").unwrap_or_default();
    if declared.starts_with("STREAMING-") {
        return Err(unsupported("Only objects and parts can be uploaded in chunks"));
    }
    let body = match Limited::new(body, COMMAND_LIMIT).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Your request was too big: it may have {COMMAND_LIMIT} bytes");
            return Err(refusal(S3ErrorCode::MaxMessageLengthExceeded, message));
        }
        Err(error) if TooSlow::is_cause_of(&*error) => return Err(too_slow()),
        Err(_) => return Err(refusal(S3ErrorCode::IncompleteBody, "The body ended early.")),
    };
    if declared.len() == 64 && declared != sha256_hex(&body) {
        return Err(hash_mismatch());
    }
    // The checksums that complete an upload are those of the object that comes of it.
    if !parts.uri.query().unwrap_or_default().contains("uploadId=") {
        let expected = Expected::read(headers)?;
        let mut digests = expected.digests();
        digests.update(&body);
        expected.check(digests, None)?;
    }
    Ok(body)
}

fn answer(refusal: &Refusal) -> S3Error {
    let answer = refusal.answer(Protocol::S3);
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::FORBIDDEN);
    named(answer.code, status, answer.message)
}

fn check_owner(headers: &HeaderMap, account: &str) -> Result<(), S3Error> {
    for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
        if text(headers, name).is_some_and(|owner| owner != account) {
            let message = format!("Access Denied: {name} is not {account}, the owner of the key's buckets");
            return Err(refusal(S3ErrorCode::AccessDenied, message));
        }
    }
    Ok(())
}

fn check_headers(headers: &HeaderMap) -> Result<(), S3Error> {
    for (name, value) in headers {
        let value = value.to_str().unwrap_or_default();
        let promises = match name.as_str() {
            "x-amz-acl" => !matches!(value, "private" | "bucket-owner-full-control" | "bucket-owner-read"),
            "x-amz-bucket-object-lock-enabled" => !value.eq_ignore_ascii_case("false"),
            "x-amz-tagging" | "x-amz-website-redirect-location" => !value.is_empty(),
            "x-amz-storage-class" if value != "STANDARD" => {
                let message = format!("The storage class you specified is not valid: {value}; there is STANDARD only");
                return Err(refusal(S3ErrorCode::InvalidStorageClass, message));
            }
            name => UNSUPPORTED.iter().any(|prefix| name.starts_with(prefix)),
        };
        if promises {
            return Err(unsupported(&format!(
                "A header you provided implies functionality that is not implemented: {name}"
            )));
        }
    }
    Ok(())
}

/// Buckets have no versions; the one that there is has the name `null`.
fn check_version(query: Option<&str>) -> Result<(), S3Error> {
    let asked = query.unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("versionId="));
    match asked {
        None | Some("null") => Ok(()),
        Some(version) => Err(refusal(
            S3ErrorCode::NoSuchVersion,
            format!("The specified version does not exist: {version}. Buckets have no versions here."),
        )),
    }
}

fn unsupported(message: &str) -> S3Error {
    refusal(S3ErrorCode::NotImplemented, message)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
