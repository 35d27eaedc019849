//! Copies within the store: of an object, or of a range of one into a part.

use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, ETag, MetadataDirective, Range, StreamingBlob,
};
use s3s::{S3Error, S3ErrorCode};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio_util::io::ReaderStream;

use super::Caller;
use super::condition::{Conditions, Expectation};
use super::details::{self, Details, details_of};
use super::failure::{Failure, invalid, refusal};
use super::incoming::{Received, receive};
use super::object::{check_key, find, modified, place};
use super::service::Shelves;
use crate::store::ObjectRow;

const BUFFER: usize = 128 * 1024;

/// The object that a copy is made of.
pub(super) async fn source(
    shelves: &Shelves,
    caller: &Caller,
    source: &CopySource,
    conditions: Conditions,
) -> Result<(ObjectRow, File), Failure> {
    let CopySource::Bucket { bucket, key, version_id } = source else {
        return Err(refusal(S3ErrorCode::NotImplemented, "Copies from access points are not implemented").into());
    };
    if let Some(version) = version_id.as_deref().filter(|version| *version != "null") {
        let message = format!("The specified version does not exist: {version}. Buckets have no versions here.");
        return Err(refusal(S3ErrorCode::NoSuchVersion, message).into());
    }
    check_key(key)?;
    let (row, file) = find(shelves, caller.account(), bucket, key).await?;
    conditions.check_source(&row)?;
    Ok((row, file))
}

/// Copies `length` bytes of a file from `start` on into a new blob.
pub(super) async fn duplicate(shelves: &Shelves, mut file: File, start: u64, length: u64) -> Result<Received, Failure> {
    file.seek(SeekFrom::Start(start)).await?;
    let body = StreamingBlob::wrap(ReaderStream::with_capacity(file.take(length), BUFFER));
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    receive(&shelves.blobs, &http::HeaderMap::new(), Some(body), Some(length), None).await
}

/// `x-amz-copy-source-range`: first and last byte, both needed and both within the object.
pub(super) fn span(range: &str, size: u64) -> Result<(u64, u64), S3Error> {
    let refuse = |why: &str| {
        invalid(format!("The x-amz-copy-source-range value must be of the form bytes=first-last {why}: '{range}'"))
    };
    match Range::parse(range) {
        Ok(Range::Int { first, last: Some(last) }) if last < size => Ok((first, last - first + 1)),
        Ok(Range::Int { last: Some(_), .. }) => Err(refuse(&format!("within the source, which has {size} bytes"))),
        Ok(_) | Err(_) => Err(refuse("where first and last are the zero-based offsets of the first and last bytes")),
    }
}

pub(super) async fn copy(
    shelves: &Shelves,
    caller: &Caller,
    mut input: CopyObjectInput,
) -> Result<CopyObjectOutput, Failure> {
    check_key(&input.key)?;
    let replaces =
        input.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    if let CopySource::Bucket { bucket, key, .. } = &input.copy_source
        && **bucket == *input.bucket
        && **key == *input.key
        && !replaces
    {
        let message = "This copy request is illegal because it is trying to copy an object to itself without \
                       changing the object's metadata";
        return Err(refusal(S3ErrorCode::InvalidRequest, message).into());
    }
    shelves.need_bucket(caller.account(), &input.bucket).await?;
    let conditions = Conditions {
        matches: input.copy_source_if_match.take(),
        none_matches: input.copy_source_if_none_match.take(),
        modified_since: input.copy_source_if_modified_since.take(),
        unmodified_since: input.copy_source_if_unmodified_since.take(),
    };
    let (from, file) = source(shelves, caller, &input.copy_source, conditions).await?;
    let mut details = Details::parse(&from.doc)?;
    let mut content_type = from.content_type;
    if replaces {
        let checksums = details.checksums;
        details = Details { checksums, ..details_of!(input) };
        details.check()?;
        content_type = input.content_type;
    }
    details.parts = None;
    let size = u64::try_from(from.size).unwrap_or_default();
    let copied = duplicate(shelves, file, 0, size).await?;
    let etag = copied.etag();
    let modified_at = shelves.clock.now_ms();
    let row = ObjectRow {
        account: caller.account().to_owned(),
        bucket: input.bucket,
        key: input.key,
        etag: etag.clone(),
        size: copied.size,
        content_type,
        modified_at,
        blob: copied.blob,
        doc: details::text(&details)?,
    };
    place(shelves, row, Expectation::default(), None).await?;
    let result = CopyObjectResult {
        e_tag: Some(ETag::Strong(etag)),
        last_modified: Some(modified(modified_at)),
        ..Default::default()
    };
    Ok(CopyObjectOutput { copy_object_result: Some(result), ..Default::default() })
}
