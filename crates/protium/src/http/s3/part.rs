//! Parts of an upload: put, copy, list, and join into an object.

use http::HeaderMap;
use md5::{Digest, Md5};
use s3s::dto::{
    Checksum, CopyPartResult, ETag, ListPartsInput, ListPartsOutput, Owner, Part, UploadPartCopyInput,
    UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, TrailingHeaders};
use std::io;
use tokio::io::AsyncReadExt;

use super::Caller;
use super::condition::Conditions;
use super::copy::{duplicate, source, span};
use super::digest::Expected;
use super::failure::{Failure, invalid, no_such_upload, refusal};
use super::incoming::{Received, receive};
use super::listing::limit;
use super::object::modified;
use super::service::Shelves;
use super::upload;
use crate::store::{PartRow, part_list, part_put, upload_get};
use crate::transaction;

/// The most parts of an upload.
pub(super) const MOST: i64 = 10_000;
const BUFFER: usize = 128 * 1024;

pub(super) async fn put(
    shelves: &Shelves,
    caller: &Caller,
    headers: &HeaderMap,
    trailing: Option<TrailingHeaders>,
    input: UploadPartInput,
) -> Result<UploadPartOutput, Failure> {
    let number = checked_number(input.part_number)?;
    upload::find(shelves, caller, &input.bucket, &input.key, &input.upload_id).await?;
    let received = receive(&shelves.blobs, headers, input.body, input.content_length, trailing.as_ref()).await?;
    let sums = received.sums.clone();
    let etag = place(shelves, caller, input.upload_id, number, received).await?;
    Ok(UploadPartOutput {
        e_tag: Some(ETag::Strong(etag)),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        ..Default::default()
    })
}

pub(super) async fn copy(
    shelves: &Shelves,
    caller: &Caller,
    input: UploadPartCopyInput,
) -> Result<UploadPartCopyOutput, Failure> {
    let number = checked_number(input.part_number)?;
    upload::find(shelves, caller, &input.bucket, &input.key, &input.upload_id).await?;
    let conditions = Conditions {
        matches: input.copy_source_if_match,
        none_matches: input.copy_source_if_none_match,
        modified_since: input.copy_source_if_modified_since,
        unmodified_since: input.copy_source_if_unmodified_since,
    };
    let (row, file) = source(shelves, caller, &input.copy_source, conditions).await?;
    let size = u64::try_from(row.size).unwrap_or_default();
    let (start, length) = match &input.copy_source_range {
        None => (0, size),
        Some(range) => span(range, size)?,
    };
    let copied = duplicate(shelves, file, start, length).await?;
    let etag = place(shelves, caller, input.upload_id, number, copied).await?;
    let result = CopyPartResult {
        e_tag: Some(ETag::Strong(etag)),
        last_modified: Some(modified(shelves.clock.now_ms())),
        ..Default::default()
    };
    Ok(UploadPartCopyOutput { copy_part_result: Some(result), ..Default::default() })
}

fn checked_number(number: i32) -> Result<i64, S3Error> {
    match i64::from(number) {
        number @ 1..=MOST => Ok(number),
        number => Err(invalid(format!("Part number must be an integer between 1 and {MOST}, inclusive: {number}"))),
    }
}

/// Makes what was received the part of that number. Goes on when the caller goes away.
async fn place(
    shelves: &Shelves,
    caller: &Caller,
    upload_id: String,
    number: i64,
    received: Received,
) -> Result<String, Failure> {
    let (shelves, account) = (shelves.clone(), caller.account().to_owned());
    let placed = tokio::spawn(async move {
        let etag = received.etag();
        let row = PartRow { number, etag: etag.clone(), size: received.size, blob: received.blob };
        let store = &shelves.store;
        let replaced = transaction!(store, async |tx| -> Result<Option<String>, Failure> {
            if upload_get(tx, &account, &upload_id).await?.is_none() {
                return Err(no_such_upload(&upload_id).into());
            }
            Ok(part_put(tx, &upload_id, &row).await?)
        });
        match replaced {
            Ok(replaced) => {
                shelves.blobs.remove(replaced).await;
                Ok(etag)
            }
            Err(Failure::Refused(error)) => {
                shelves.blobs.remove([row.blob]).await;
                Err(Failure::Refused(error))
            }
            Err(error) => Err(error),
        }
    });
    placed.await.map_err(io::Error::other)?
}

/// Joins parts into one blob. Checksums of the whole that the caller sent are compared.
pub(super) async fn assemble(
    shelves: &Shelves,
    headers: &HeaderMap,
    parts: &[PartRow],
) -> Result<(String, Checksum), Failure> {
    let mut draft = shelves.blobs.draft().await?;
    for part in parts {
        let file = shelves.blobs.read(&part.blob).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::from(refusal(
                S3ErrorCode::InvalidPart,
                format!("Part {} was replaced or removed meanwhile", part.number),
            )),
            _ => error.into(),
        })?;
        draft.append(file, 0, u64::try_from(part.size).unwrap_or_default()).await?;
    }
    let mut sums = Checksum::default();
    if let Some(expected) = Expected::of_whole(headers) {
        let mut digests = expected.digests();
        let mut file = draft.reread().await?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = file.read(&mut buffer).await?;
            if count == 0 {
                break;
            }
            digests.update(buffer.get(..count).unwrap_or_default());
        }
        sums = expected.check(digests, None)?.sums;
    }
    Ok((draft.keep().await?, sums))
}

/// The ETag of an object made of parts: the MD5 of their MD5s, and their number.
pub(super) fn joined_etag(parts: &[PartRow]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(hex::decode(&part.etag).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(md5.finalize()), parts.len())
}

pub(super) async fn list(
    shelves: &Shelves,
    caller: &Caller,
    input: ListPartsInput,
) -> Result<ListPartsOutput, Failure> {
    let (max_parts, size) = limit("max-parts", input.max_parts)?;
    let upload = upload::find(shelves, caller, &input.bucket, &input.key, &input.upload_id).await?;
    let after = i64::from(input.part_number_marker.unwrap_or_default());
    let batch = i64::try_from(size + 1).unwrap_or(MOST);
    let mut rows = part_list(&mut shelves.store.reader().await?, &upload.id, after, batch).await?;
    let is_truncated = size > 0 && rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| is_truncated).and_then(|row| i32::try_from(row.number).ok());
    let parts = rows
        .into_iter()
        .map(|row| Part {
            part_number: i32::try_from(row.number).ok(),
            e_tag: Some(ETag::Strong(row.etag)),
            size: Some(row.size),
            last_modified: Some(modified(upload.created_at)),
            ..Default::default()
        })
        .collect();
    Ok(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        max_parts: Some(max_parts),
        is_truncated: Some(is_truncated),
        part_number_marker: input.part_number_marker,
        next_part_number_marker: next,
        parts: Some(parts),
        owner: Some(Owner { display_name: None, id: Some(caller.account().to_owned()) }),
        ..Default::default()
    })
}
