//! Buckets: create, head, locate, list, delete. A bucket belongs to an account; its name is unique there.

use s3s::dto::{
    Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput, GetBucketLocationInput,
    GetBucketLocationOutput, HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Owner,
};
use s3s::{S3Error, S3ErrorCode};

use super::Caller;
use super::failure::{Failure, invalid, no_such_bucket, refusal};
use super::object::modified;
use super::service::Shelves;
use crate::store::{
    BucketRow, Objects, bucket_delete, bucket_get, bucket_insert, bucket_list, object_list, upload_delete, upload_list,
};
use crate::transaction;
use std::ops::Bound;

/// The region whose name GetBucketLocation leaves out.
const UNNAMED_REGION: &str = "us-east-1";
/// Uploads that are ended at once when their bucket is deleted.
const PAGE: i64 = 1000;

pub(super) async fn create(
    shelves: &Shelves,
    caller: &Caller,
    input: CreateBucketInput,
) -> Result<CreateBucketOutput, Failure> {
    let constraint = input.create_bucket_configuration.and_then(|configuration| configuration.location_constraint);
    let region = match constraint {
        Some(constraint) => checked_region(constraint.as_str())?,
        None => caller.region().to_owned(),
    };
    let row = BucketRow {
        account: caller.account().to_owned(),
        name: input.bucket,
        region,
        created_at: shelves.clock.now_ms(),
    };
    let store = &shelves.store;
    let made = transaction!(store, async |tx| -> Result<bool, Failure> { Ok(bucket_insert(tx, &row).await?) })?;
    if !made {
        let message =
            format!("Your previous request to create the named bucket succeeded and you already own it: {}", row.name);
        return Err(refusal(S3ErrorCode::BucketAlreadyOwnedByYou, message).into());
    }
    Ok(CreateBucketOutput { location: Some(format!("/{}", row.name)) })
}

fn checked_region(name: &str) -> Result<String, S3Error> {
    let is_region =
        (1..=32).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if is_region {
        return Ok(name.to_owned());
    }
    Err(refusal(
        S3ErrorCode::InvalidLocationConstraint,
        format!("The specified location constraint is not valid: '{name}'; a region's name is, such as eu-west-1"),
    ))
}

pub(super) async fn head(
    shelves: &Shelves,
    caller: &Caller,
    input: HeadBucketInput,
) -> Result<HeadBucketOutput, Failure> {
    let row = shelves.need_bucket(caller.account(), &input.bucket).await?;
    Ok(HeadBucketOutput { bucket_region: Some(row.region), ..Default::default() })
}

pub(super) async fn locate(
    shelves: &Shelves,
    caller: &Caller,
    input: GetBucketLocationInput,
) -> Result<GetBucketLocationOutput, Failure> {
    let row = shelves.need_bucket(caller.account(), &input.bucket).await?;
    let named = row.region != UNNAMED_REGION;
    Ok(GetBucketLocationOutput { location_constraint: named.then(|| BucketLocationConstraint::from(row.region)) })
}

pub(super) async fn list(
    shelves: &Shelves,
    caller: &Caller,
    input: ListBucketsInput,
) -> Result<ListBucketsOutput, Failure> {
    let limit = match input.max_buckets {
        None => 10_000,
        Some(limit @ 1..=10_000) => usize::try_from(limit).unwrap_or_default(),
        Some(limit) => return Err(invalid(format!("max-buckets is {limit}, and must be 1 to 10000")).into()),
    };
    let prefix = input.prefix.unwrap_or_default();
    let after = input.continuation_token.unwrap_or_default();
    let mut rows = bucket_list(&mut shelves.store.reader().await?, caller.account()).await?;
    rows.retain(|row| {
        row.name.starts_with(&prefix)
            && row.name > after
            && input.bucket_region.as_ref().is_none_or(|region| *region == row.region)
    });
    let more = rows.len() > limit;
    rows.truncate(limit);
    let continuation_token = rows.last().filter(|_| more).map(|row| row.name.clone());
    let buckets = rows
        .into_iter()
        .map(|row| Bucket {
            bucket_region: Some(row.region),
            creation_date: Some(modified(row.created_at)),
            name: Some(row.name),
        })
        .collect();
    Ok(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token,
        owner: Some(Owner { display_name: None, id: Some(caller.account().to_owned()) }),
        prefix: Some(prefix).filter(|prefix| !prefix.is_empty()),
    })
}

/// Deletes a bucket without objects, and the uploads in progress to it.
pub(super) async fn delete(shelves: &Shelves, caller: &Caller, input: DeleteBucketInput) -> Result<(), Failure> {
    let (account, bucket) = (caller.account(), input.bucket.as_str());
    let of = Objects { account, bucket };
    let store = &shelves.store;
    let freed = transaction!(store, async |tx| -> Result<Vec<String>, Failure> {
        if bucket_get(tx, account, bucket).await?.is_none() {
            return Err(no_such_bucket(bucket).into());
        }
        if !object_list(tx, of, "", Bound::Unbounded, 1).await?.is_empty() {
            let message = format!("The bucket you tried to delete is not empty: {bucket}");
            return Err(refusal(S3ErrorCode::BucketNotEmpty, message).into());
        }
        let mut freed = Vec::new();
        loop {
            let uploads = upload_list(tx, of, ("", ""), PAGE).await?;
            if uploads.is_empty() {
                break;
            }
            for upload in uploads {
                freed.extend(upload_delete(tx, &upload.id).await?);
            }
        }
        bucket_delete(tx, account, bucket).await?;
        Ok(freed)
    })?;
    shelves.blobs.remove(freed).await;
    Ok(())
}
