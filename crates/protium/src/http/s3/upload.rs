//! Uploads in parts: begin, complete, abort.

use std::collections::BTreeMap;

use http::HeaderMap;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CompletedPart, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag,
};
use s3s::{S3Error, S3ErrorCode};

use super::Caller;
use super::condition::Expectation;
use super::details::{self, UploadDetails, details_of};
use super::failure::{Failure, no_such_upload, refusal};
use super::incoming::{LARGEST, too_large};
use super::object::{check_key, place};
use super::part::{self, assemble};
use super::service::Shelves;
use crate::store::{ObjectRow, PartRow, UploadRow, part_list, upload_delete, upload_get, upload_insert};
use crate::transaction;

/// The least that a part may have, but for the last one.
const SMALLEST_PART: i64 = 5 * 1024 * 1024;

pub(super) async fn create(
    shelves: &Shelves,
    caller: &Caller,
    mut input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput, Failure> {
    check_key(&input.key)?;
    let details = UploadDetails { content_type: input.content_type.take(), object: details_of!(input) };
    details.object.check()?;
    shelves.need_bucket(caller.account(), &input.bucket).await?;
    let row = UploadRow {
        id: uuid::Uuid::new_v4().simple().to_string(),
        account: caller.account().to_owned(),
        bucket: input.bucket,
        key: input.key,
        created_at: shelves.clock.now_ms(),
        doc: details::text(&details)?,
    };
    let store = &shelves.store;
    transaction!(store, async |tx| -> Result<(), Failure> {
        if crate::store::bucket_get(tx, &row.account, &row.bucket).await?.is_none() {
            return Err(super::failure::no_such_bucket(&row.bucket).into());
        }
        Ok(upload_insert(tx, &row).await?)
    })?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(row.bucket),
        key: Some(row.key),
        upload_id: Some(row.id),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        ..Default::default()
    })
}

/// The upload with that id, if it is the caller's and of that key.
pub(super) async fn find(
    shelves: &Shelves,
    caller: &Caller,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<UploadRow, Failure> {
    if id.contains('\0') {
        return Err(no_such_upload(id).into());
    }
    let row = upload_get(&mut shelves.store.reader().await?, caller.account(), id).await?;
    match row.filter(|row| row.bucket == bucket && row.key == key) {
        Some(row) => Ok(row),
        None => {
            shelves.need_bucket(caller.account(), bucket).await?;
            Err(no_such_upload(id).into())
        }
    }
}

pub(super) async fn abort(
    shelves: &Shelves,
    caller: &Caller,
    input: AbortMultipartUploadInput,
) -> Result<AbortMultipartUploadOutput, Failure> {
    let upload = find(shelves, caller, &input.bucket, &input.key, &input.upload_id).await?;
    let store = &shelves.store;
    let freed =
        transaction!(store, async |tx| -> Result<Vec<String>, Failure> { Ok(upload_delete(tx, &upload.id).await?) })?;
    shelves.blobs.remove(freed).await;
    Ok(AbortMultipartUploadOutput::default())
}

pub(super) async fn complete(
    shelves: &Shelves,
    caller: &Caller,
    headers: &HeaderMap,
    input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput, Failure> {
    let upload = find(shelves, caller, &input.bucket, &input.key, &input.upload_id).await?;
    let named = input.multipart_upload.and_then(|parts| parts.parts).unwrap_or_default();
    let mut rd = shelves.store.reader().await?;
    let there = part_list(&mut rd, &upload.id, 0, part::MOST).await?;
    drop(rd);
    let parts = chosen(&named, there)?;
    let size: i64 = parts.iter().map(|part| part.size).sum();
    if size > LARGEST {
        return Err(too_large().into());
    }
    if let Some(announced) = input.mpu_object_size.filter(|announced| *announced != size) {
        let message = format!("The parts have {size} bytes together, and x-amz-mp-object-size says {announced}");
        return Err(refusal(S3ErrorCode::InvalidRequest, message).into());
    }
    let (blob, sums) = assemble(shelves, headers, &parts).await?;
    let mut details = UploadDetails::parse(&upload.doc)?;
    details.object.parts = u32::try_from(parts.len()).ok();
    details.object.remember(&sums);
    let etag = part::joined_etag(&parts);
    let row = ObjectRow {
        account: upload.account,
        bucket: upload.bucket,
        key: upload.key,
        etag: etag.clone(),
        size,
        content_type: details.content_type,
        modified_at: shelves.clock.now_ms(),
        blob,
        doc: details::text(&details.object)?,
    };
    let location = format!("/{}/{}", row.bucket, row.key);
    let expectation = Expectation { matches: input.if_match, none_matches: input.if_none_match };
    place(shelves, row, expectation, Some(upload.id)).await?;
    Ok(CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        location: Some(location),
        e_tag: Some(ETag::Strong(etag)),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        ..Default::default()
    })
}

/// The parts that the caller names, each of which must be there as named.
fn chosen(named: &[CompletedPart], there: Vec<PartRow>) -> Result<Vec<PartRow>, S3Error> {
    if named.is_empty() {
        return Err(refusal(S3ErrorCode::MalformedXML, "The list of parts is empty; an upload has at least one part"));
    }
    let number = |part: &CompletedPart| i64::from(part.part_number.unwrap_or_default());
    if let Some(late) = named.windows(2).find_map(|pair| match pair {
        [one, two] if number(one) >= number(two) => Some(number(two)),
        _ => None,
    }) {
        let message = format!("The list of parts was not in ascending order: part {late} comes too late");
        return Err(refusal(S3ErrorCode::InvalidPartOrder, message));
    }
    let mut there: BTreeMap<i64, PartRow> = there.into_iter().map(|part| (part.number, part)).collect();
    let parts: Vec<PartRow> = named
        .iter()
        .map(|part| {
            let row = there.remove(&number(part));
            row.filter(|row| part.e_tag.as_ref().is_some_and(|etag| etag.value() == row.etag))
                .ok_or_else(|| no_such_part(number(part)))
        })
        .collect::<Result<_, _>>()?;
    let but_last = parts.len().saturating_sub(1);
    if let Some(small) = parts.iter().take(but_last).find(|part| part.size < SMALLEST_PART) {
        let message = format!(
            "Your proposed upload is smaller than the minimum allowed size: part {} has {} bytes, and all but the \
             last must have {SMALLEST_PART}",
            small.number, small.size
        );
        return Err(refusal(S3ErrorCode::EntityTooSmall, message));
    }
    Ok(parts)
}

fn no_such_part(number: i64) -> S3Error {
    let message = format!(
        "One or more of the specified parts could not be found: part {number} was not uploaded, or its entity tag is \
         another one"
    );
    refusal(S3ErrorCode::InvalidPart, message)
}
