//! Objects: put, get, head, delete.

use std::collections::HashSet;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderValue, header};
use s3s::dto::{
    ChecksumMode, ChecksumType, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
    DeletedObject, ETag, ETagCondition, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ObjectIdentifier, PutObjectInput, PutObjectOutput, StreamingBlob, Timestamp,
};
use s3s::{S3Error, S3ErrorCode, TrailingHeaders};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};
use tokio_util::io::ReaderStream;

use super::Caller;
use super::blob::Blobs;
use super::condition::{Conditions, Expectation};
use super::details::{self, Details, details_of};
use super::failure::{Failure, invalid, no_such_bucket, no_such_key, refusal};
use super::incoming::receive;
use super::service::Shelves;
use crate::store::{ObjectRow, Store, bucket_get, object_delete, object_get, object_put, upload_delete, upload_get};
use crate::transaction;

/// What an object is whose uploader did not say.
const UNTYPED: &str = "binary/octet-stream";
/// The most keys in one deletion.
const DELETE_LIMIT: usize = 1000;
const BUFFER: usize = 128 * 1024;

/// A time in milliseconds since 1970.
pub(super) fn modified(at_ms: i64) -> Timestamp {
    (UNIX_EPOCH + Duration::from_millis(at_ms.try_into().unwrap_or_default())).into()
}

/// The row of an object and its body, which stays readable whatever happens to the object.
pub(super) async fn open(
    store: &Store,
    blobs: &Blobs,
    account: &str,
    bucket: &str,
    key: &str,
) -> Result<Option<(ObjectRow, File)>, Failure> {
    let mut seen = None;
    loop {
        let row = object_get(&mut store.reader().await?, account, bucket, key).await?;
        let Some(row) = row else { return Ok(None) };
        match blobs.read(&row.blob).await {
            Ok(file) => return Ok(Some((row, file))),
            // It was replaced between the two steps, unless it is still the same one that is missing.
            Err(error) if error.kind() == io::ErrorKind::NotFound && seen.as_ref() != Some(&row.blob) => {
                seen = Some(row.blob);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// As [`open`], with S3's errors for what isn't there.
pub(super) async fn find(
    shelves: &Shelves,
    account: &str,
    bucket: &str,
    key: &str,
) -> Result<(ObjectRow, File), Failure> {
    match open(&shelves.store, &shelves.blobs, account, bucket, key).await? {
        Some(found) => Ok(found),
        None => {
            shelves.need_bucket(account, bucket).await?;
            Err(no_such_key(key).into())
        }
    }
}

/// Makes `row` the object of its key, and ends the upload that it comes of. Its blob is removed again if it
/// may not be. Goes on when the caller goes away.
pub(super) async fn place(
    shelves: &Shelves,
    row: ObjectRow,
    expectation: Expectation,
    upload_id: Option<String>,
) -> Result<(), Failure> {
    let shelves = shelves.clone();
    let placed = tokio::spawn(async move {
        let store = &shelves.store;
        let freed = transaction!(store, async |tx| -> Result<Vec<String>, Failure> {
            if bucket_get(tx, &row.account, &row.bucket).await?.is_none() {
                return Err(no_such_bucket(&row.bucket).into());
            }
            if !expectation.is_any() {
                let there = object_get(tx, &row.account, &row.bucket, &row.key).await?;
                expectation.check(&row.key, there.as_ref())?;
            }
            let mut freed = Vec::new();
            if let Some(id) = &upload_id {
                if upload_get(tx, &row.account, id).await?.is_none() {
                    return Err(super::failure::no_such_upload(id).into());
                }
                freed = upload_delete(tx, id).await?;
            }
            freed.extend(object_put(tx, &row).await?);
            Ok(freed)
        });
        match freed {
            Ok(freed) => {
                shelves.blobs.remove(freed).await;
                Ok(())
            }
            Err(Failure::Refused(error)) => {
                shelves.blobs.remove([row.blob]).await;
                Err(Failure::Refused(error))
            }
            // It may have been committed although we were not told: the blob stays for the sweep.
            Err(error) => Err(error),
        }
    });
    placed.await.map_err(io::Error::other)?
}

pub(super) async fn put(
    shelves: &Shelves,
    caller: &Caller,
    headers: &HeaderMap,
    trailing: Option<TrailingHeaders>,
    mut input: PutObjectInput,
) -> Result<PutObjectOutput, Failure> {
    check_key(&input.key)?;
    let mut details = details_of!(input);
    details.check()?;
    shelves.need_bucket(caller.account(), &input.bucket).await?;
    let received = receive(&shelves.blobs, headers, input.body, input.content_length, trailing.as_ref()).await?;
    details.remember(&received.sums);
    let etag = received.etag();
    let row = ObjectRow {
        account: caller.account().to_owned(),
        bucket: input.bucket,
        key: input.key,
        etag: etag.clone(),
        size: received.size,
        content_type: input.content_type,
        modified_at: shelves.clock.now_ms(),
        blob: received.blob,
        doc: details::text(&details)?,
    };
    let expectation = Expectation { matches: input.if_match, none_matches: input.if_none_match };
    place(shelves, row, expectation, None).await?;
    Ok(PutObjectOutput {
        e_tag: Some(ETag::Strong(etag)),
        checksum_crc32: received.sums.checksum_crc32,
        checksum_crc32c: received.sums.checksum_crc32c,
        checksum_crc64nvme: received.sums.checksum_crc64nvme,
        checksum_sha1: received.sums.checksum_sha1,
        checksum_sha256: received.sums.checksum_sha256,
        ..Default::default()
    })
}

/// A key that both databases can hold.
pub(super) fn check_key(key: &str) -> Result<(), S3Error> {
    if key.contains('\0') {
        return Err(invalid("The key contains a NUL character, which is not supported"));
    }
    Ok(())
}

pub(super) async fn get(shelves: &Shelves, caller: &Caller, input: GetObjectInput) -> Result<GetObjectOutput, Failure> {
    check_key(&input.key)?;
    let (row, mut file) = find(shelves, caller.account(), &input.bucket, &input.key).await?;
    let conditions = Conditions {
        matches: input.if_match,
        none_matches: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    conditions.check_read(&row)?;
    check_part(input.part_number, &row)?;
    let size = u64::try_from(row.size).unwrap_or_default();
    let span = match input.range {
        None => 0..size,
        Some(range) => within(range, size)?,
    };
    let length = span.end - span.start;
    let content_range = input.range.map(|_| format!("bytes {}-{}/{size}", span.start, span.end.saturating_sub(1)));
    file.seek(SeekFrom::Start(span.start)).await?;
    let body = StreamingBlob::wrap(ReaderStream::with_capacity(file.take(length), BUFFER));
    let head = describe(row, input.checksum_mode.filter(|_| length == size))?;
    Ok(GetObjectOutput {
        accept_ranges: head.accept_ranges,
        body: Some(body),
        cache_control: head.cache_control,
        checksum_crc32: head.checksum_crc32,
        checksum_crc32c: head.checksum_crc32c,
        checksum_crc64nvme: head.checksum_crc64nvme,
        checksum_sha1: head.checksum_sha1,
        checksum_sha256: head.checksum_sha256,
        checksum_type: head.checksum_type,
        content_disposition: head.content_disposition,
        content_encoding: head.content_encoding,
        content_language: head.content_language,
        content_length: i64::try_from(length).ok(),
        content_range,
        content_type: head.content_type,
        e_tag: head.e_tag,
        expires: head.expires,
        last_modified: head.last_modified,
        metadata: head.metadata,
        parts_count: head.parts_count,
        ..Default::default()
    })
}

pub(super) async fn head(
    shelves: &Shelves,
    caller: &Caller,
    input: HeadObjectInput,
) -> Result<HeadObjectOutput, Failure> {
    check_key(&input.key)?;
    let row = object_get(&mut shelves.store.reader().await?, caller.account(), &input.bucket, &input.key).await?;
    let Some(row) = row else {
        shelves.need_bucket(caller.account(), &input.bucket).await?;
        return Err(no_such_key(&input.key).into());
    };
    let conditions = Conditions {
        matches: input.if_match,
        none_matches: input.if_none_match,
        modified_since: input.if_modified_since,
        unmodified_since: input.if_unmodified_since,
    };
    conditions.check_read(&row)?;
    check_part(input.part_number, &row)?;
    describe(row, input.checksum_mode)
}

/// What is known of an object, as the answer to a HEAD.
fn describe(row: ObjectRow, checksums: Option<ChecksumMode>) -> Result<HeadObjectOutput, Failure> {
    let details = Details::parse(&row.doc)?;
    let sums = if checksums.is_some() { details.sums() } else { Default::default() };
    let has_sums = checksums.is_some() && !details.checksums.is_empty();
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: details.cache_control,
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: has_sums.then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
        content_disposition: details.content_disposition,
        content_encoding: details.content_encoding,
        content_language: details.content_language,
        content_length: Some(row.size),
        content_type: Some(row.content_type.unwrap_or_else(|| UNTYPED.to_owned())),
        e_tag: Some(ETag::Strong(row.etag)),
        expires: details.expires,
        last_modified: Some(modified(row.modified_at)),
        metadata: Some(details.metadata.into_iter().collect()),
        parts_count: details.parts.and_then(|parts| i32::try_from(parts).ok()),
        ..Default::default()
    })
}

/// The first part of an object that came in one piece is the object; other parts aren't kept apart.
fn check_part(number: Option<i32>, row: &ObjectRow) -> Result<(), S3Error> {
    match number {
        None => Ok(()),
        Some(1) if !row.etag.contains('-') => Ok(()),
        Some(number) => Err(refusal(
            S3ErrorCode::NotImplemented,
            format!("Reading part {number} of an object is not implemented; use a range"),
        )),
    }
}

fn within(range: s3s::dto::Range, size: u64) -> Result<std::ops::Range<u64>, S3Error> {
    match range.check(size) {
        Ok(span) if !span.is_empty() => Ok(span),
        Ok(_) | Err(_) => {
            let mut error = refusal(
                S3ErrorCode::InvalidRange,
                format!("The requested range is not satisfiable: the object has {size} bytes"),
            );
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                error.set_headers(HeaderMap::from_iter([(header::CONTENT_RANGE, value)]));
            }
            Err(error)
        }
    }
}

pub(super) async fn delete(
    shelves: &Shelves,
    caller: &Caller,
    input: DeleteObjectInput,
) -> Result<DeleteObjectOutput, Failure> {
    check_key(&input.key)?;
    let account = caller.account();
    let store = &shelves.store;
    let expectation = Expectation { matches: input.if_match, none_matches: None };
    let freed = transaction!(store, async |tx| -> Result<Option<String>, Failure> {
        if bucket_get(tx, account, &input.bucket).await?.is_none() {
            return Err(no_such_bucket(&input.bucket).into());
        }
        if !expectation.is_any() {
            let there = object_get(tx, account, &input.bucket, &input.key).await?;
            expectation.check(&input.key, there.as_ref())?;
        }
        Ok(object_delete(tx, account, &input.bucket, &input.key).await?)
    })?;
    shelves.blobs.remove(freed).await;
    Ok(DeleteObjectOutput::default())
}

/// Which of the keys that are to be deleted policies deny, and which they allow. About more keys than one deletion may
/// have nobody is asked: it is refused.
pub(super) fn decided<'a>(
    caller: &Caller,
    bucket: &str,
    objects: &'a [ObjectIdentifier],
) -> (Vec<(&'a str, S3Error)>, Vec<&'a str>) {
    let (mut denied, mut allowed) = (Vec::new(), Vec::new());
    let keys = objects.iter().map(|object| object.key.as_str());
    if objects.len() > DELETE_LIMIT {
        return (denied, keys.collect());
    }
    for key in keys {
        match caller.check("s3:DeleteObject", &format!("{bucket}/{key}"), &[]) {
            Ok(()) => allowed.push(key),
            Err(error) => denied.push((key, error)),
        }
    }
    (denied, allowed)
}

/// What is answered of a key that is not deleted.
pub(super) fn not_deleted(key: &str, error: &S3Error) -> s3s::dto::Error {
    s3s::dto::Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(key.to_owned()),
        message: error.message().map(str::to_owned),
        version_id: None,
    }
}

/// Deletes the objects but those that are `denied`.
pub(super) async fn delete_many(
    shelves: &Shelves,
    caller: &Caller,
    input: DeleteObjectsInput,
    denied: Vec<s3s::dto::Error>,
) -> Result<DeleteObjectsOutput, Failure> {
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > DELETE_LIMIT {
        let message = format!("A deletion names 1 to {DELETE_LIMIT} keys, not {}", objects.len());
        return Err(refusal(S3ErrorCode::MalformedXML, message).into());
    }
    let left_out: HashSet<&str> = denied.iter().filter_map(|denied| denied.key.as_deref()).collect();
    let account = caller.account();
    let store = &shelves.store;
    type Outcome = (Vec<String>, Vec<DeletedObject>, Vec<s3s::dto::Error>);
    let (freed, deleted, errors) = transaction!(store, async |tx| -> Result<Outcome, Failure> {
        if bucket_get(tx, account, &input.bucket).await?.is_none() {
            return Err(no_such_bucket(&input.bucket).into());
        }
        let (mut freed, mut deleted, mut errors) = (Vec::new(), Vec::new(), denied.clone());
        for object in &objects {
            let expectation =
                Expectation { matches: object.e_tag.clone().map(ETagCondition::ETag), none_matches: None };
            if left_out.contains(object.key.as_str()) {
                continue;
            }
            let refused = if let Err(error) = check_key(&object.key) {
                Some(error)
            } else if expectation.is_any() {
                None
            } else {
                let there = object_get(tx, account, &input.bucket, &object.key).await?;
                expectation.check(&object.key, there.as_ref()).err()
            };
            if let Some(error) = refused {
                errors.push(not_deleted(&object.key, &error));
                continue;
            }
            freed.extend(object_delete(tx, account, &input.bucket, &object.key).await?);
            deleted.push(DeletedObject { key: Some(object.key.clone()), ..Default::default() });
        }
        Ok((freed, deleted, errors))
    })?;
    shelves.blobs.remove(freed).await;
    let quiet = input.delete.quiet.unwrap_or(false);
    Ok(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        request_charged: None,
    })
}
