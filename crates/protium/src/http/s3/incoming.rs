//! A body on its way into a blob: counted, hashed and compared while it is written.

use futures::TryStreamExt;
use http::{HeaderMap, StatusCode};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, TrailingHeaders};

use super::blob::{Blobs, Draft};
use super::digest::{Digests, Expected};
use super::failure::{Failure, named, refusal};
use crate::http::TooSlow;

/// The largest object, in bytes.
pub(super) const LARGEST: i64 = 5 * 1024 * 1024 * 1024;

/// A body that is in its blob, whole and as its caller said.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) blob: String,
    pub(super) size: i64,
    pub(super) md5: [u8; 16],
    /// Those that the caller asked for.
    pub(super) sums: Checksum,
}

impl Received {
    /// The ETag of an object that came in one piece, without quotes.
    pub(super) fn etag(&self) -> String {
        hex::encode(self.md5)
    }
}

/// Writes `body` to a new blob. `length` is what the caller announced.
pub(super) async fn receive(
    blobs: &Blobs,
    headers: &HeaderMap,
    body: Option<StreamingBlob>,
    length: Option<i64>,
    trailing: Option<&TrailingHeaders>,
) -> Result<Received, Failure> {
    if length.is_some_and(|length| length > LARGEST) {
        return Err(too_large().into());
    }
    let expected = Expected::read(headers)?;
    let mut digests = expected.digests();
    let mut draft = blobs.draft().await?;
    let size = match body {
        Some(body) => pour(body, &mut draft, &mut digests).await?,
        None => 0,
    };
    if let Some(length) = length
        && length != size
    {
        let message = format!(
            "You did not provide the number of bytes specified by the Content-Length HTTP header: \
             {length} were announced, {size} came"
        );
        return Err(refusal(S3ErrorCode::IncompleteBody, message).into());
    }
    let computed = expected.check(digests, trailing)?;
    let blob = draft.keep().await?;
    Ok(Received { blob, size, md5: computed.md5, sums: computed.sums })
}

async fn pour(mut body: StreamingBlob, draft: &mut Draft, digests: &mut Digests) -> Result<i64, Failure> {
    let mut size = 0;
    while let Some(bytes) = body.try_next().await.map_err(|error| unreadable(&*error))? {
        size += i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        if size > LARGEST {
            return Err(too_large().into());
        }
        digests.update(&bytes);
        draft.write(&bytes).await?;
    }
    Ok(size)
}

/// The body is unpacked and its hash and its chunks' signatures are checked below us; of what was wrong
/// we get only the text.
fn unreadable(error: &(dyn std::error::Error + Send + Sync + 'static)) -> S3Error {
    let text = error.to_string();
    if TooSlow::is_cause_of(error) {
        return too_slow();
    }
    if text.contains("Sha256Mismatch") {
        hash_mismatch()
    } else if text.contains("SignatureMismatch") {
        refusal(
            S3ErrorCode::SignatureDoesNotMatch,
            "The signature of a chunk or of the trailer does not match the signature we calculated.",
        )
    } else {
        refusal(S3ErrorCode::IncompleteBody, "The body ended early or its chunks are malformed.")
    }
}

pub(super) fn too_slow() -> S3Error {
    refusal(S3ErrorCode::RequestTimeout, TooSlow.to_string())
}

pub(super) fn hash_mismatch() -> S3Error {
    named(
        "XAmzContentSHA256Mismatch",
        StatusCode::BAD_REQUEST,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
}

pub(super) fn too_large() -> S3Error {
    refusal(
        S3ErrorCode::EntityTooLarge,
        format!("Your proposed upload exceeds the maximum allowed size of {LARGEST} bytes"),
    )
}
