//! The operations that there are: S3's names on one side, a function of a noun on the other.
//!
//! Every other operation of S3 answers NotImplemented, which is what the trait says by itself.

use std::sync::Arc;

use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use serde_json::json;

use super::blob::Blobs;
use super::failure::{Failure, no_such_bucket};
use super::recorded::{self, Recorded};
use super::{Caller, bucket, copy, listing, object, part, upload, uploads};
use crate::audit::Audit;
use crate::auth::Keys;
use crate::clock::Clock;
use crate::store::{BucketRow, Store, bucket_get};

/// Where objects are: the directory and the blobs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Shelves {
    pub(super) store: Store,
    pub(super) blobs: Blobs,
    pub(super) clock: Clock,
    pub(super) audit: Arc<Audit>,
}

impl Shelves {
    /// The account's bucket of that name.
    pub(super) async fn need_bucket(&self, account: &str, name: &str) -> Result<BucketRow, Failure> {
        let row = bucket_get(&mut self.store.reader().await?, account, name).await?;
        row.ok_or_else(|| no_such_bucket(name).into())
    }
}

/// The secrets with which the chunks of an upload are signed. Requests themselves are checked before.
pub(super) struct KnownKeys(pub(super) Arc<Keys>);

#[async_trait::async_trait]
impl S3Auth for KnownKeys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0.lookup(access_key) {
            Some(credential) => Ok(SecretKey::from(credential.secret.expose())),
            None => Err(S3Error::new(S3ErrorCode::InvalidAccessKeyId)),
        }
    }
}

pub(super) fn caller<T>(request: &S3Request<T>) -> S3Result<Caller> {
    let caller = request.extensions.get::<Caller>();
    caller.cloned().ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))
}

/// The object that a copy is made of; none where the header names no object of a bucket, which is refused.
fn from(source: &CopySource) -> Option<String> {
    match source {
        CopySource::Bucket { bucket, key, .. } => Some(format!("{bucket}/{key}")),
        _ => None,
    }
}

fn answer<T>(result: Result<T, Failure>) -> S3Result<S3Response<T>> {
    result.map(S3Response::new).map_err(S3Error::from)
}

#[async_trait::async_trait]
impl S3 for Shelves {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let recorded = Recorded::new(self, &req, "CreateBucket", &req.input.bucket, None, json!({}))?;
        let shelves = recorded.shelves();
        recorded.end(bucket::create(&shelves, &caller(&req)?, req.input).await).await
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        answer(bucket::head(self, &caller(&req)?, req.input).await)
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        answer(bucket::locate(self, &caller(&req)?, req.input).await)
    }

    async fn list_buckets(&self, req: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        answer(bucket::list(self, &caller(&req)?, req.input).await)
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        let recorded = Recorded::new(self, &req, "DeleteBucket", &req.input.bucket, None, json!({}))?;
        let shelves = recorded.shelves();
        let deleted = bucket::delete(&shelves, &caller(&req)?, req.input).await;
        recorded.end(deleted.map(|()| DeleteBucketOutput::default())).await
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let caller = caller(&req)?;
        let recorded = Recorded::new(self, &req, "PutObject", &req.input.bucket, Some(&req.input.key), json!({}))?;
        let shelves = recorded.shelves();
        recorded.end(object::put(&shelves, &caller, &req.headers, req.trailing_headers, req.input).await).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        answer(object::get(self, &caller(&req)?, req.input).await)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        answer(object::head(self, &caller(&req)?, req.input).await)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let recorded = Recorded::new(self, &req, "DeleteObject", &req.input.bucket, Some(&req.input.key), json!({}))?;
        let shelves = recorded.shelves();
        recorded.end(object::delete(&shelves, &caller(&req)?, req.input).await).await
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let (caller, bucket) = (caller(&req)?, &req.input.bucket);
        let (denied, allowed) = object::decided(&caller, bucket, &req.input.delete.objects);
        let mut told = json!({ "keys": allowed });
        if !denied.is_empty() {
            told["deniedKeys"] = denied.iter().map(|(key, _)| *key).collect();
        }
        let none = denied.first().filter(|_| allowed.is_empty()).map(|(key, error)| {
            let record = recorded::of(&caller, "DeleteObjects", &format!("{bucket}/{key}"));
            recorded::refused(record, error)
        });
        let denied = denied.into_iter().map(|(key, error)| object::not_deleted(key, &error)).collect();
        if let Some(record) = none {
            // Who may delete none of them does not learn whether there is such a bucket.
            self.audit.refused(record).await;
            return Ok(S3Response::new(DeleteObjectsOutput { errors: Some(denied), ..DeleteObjectsOutput::default() }));
        }
        let recorded = Recorded::new(self, &req, "DeleteObjects", bucket, None, told)?;
        let shelves = recorded.shelves();
        recorded.end(object::delete_many(&shelves, &caller, req.input, denied).await).await
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let recorded = Recorded::new(
            self,
            &req,
            "CopyObject",
            &req.input.bucket,
            Some(&req.input.key),
            json!({ "copySource": from(&req.input.copy_source) }),
        )?;
        let shelves = recorded.shelves();
        recorded.end(copy::copy(&shelves, &caller(&req)?, req.input).await).await
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        answer(listing::first(self, &caller(&req)?, req.input).await)
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        answer(listing::second(self, &caller(&req)?, req.input).await)
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let recorded =
            Recorded::new(self, &req, "CreateMultipartUpload", &req.input.bucket, Some(&req.input.key), json!({}))?;
        let shelves = recorded.shelves();
        recorded.end(upload::create(&shelves, &caller(&req)?, req.input).await).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let caller = caller(&req)?;
        let recorded = Recorded::new(
            self,
            &req,
            "UploadPart",
            &req.input.bucket,
            Some(&req.input.key),
            json!({ "uploadId": req.input.upload_id, "partNumber": req.input.part_number }),
        )?;
        let shelves = recorded.shelves();
        recorded.end(part::put(&shelves, &caller, &req.headers, req.trailing_headers, req.input).await).await
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let recorded = Recorded::new(
            self,
            &req,
            "UploadPartCopy",
            &req.input.bucket,
            Some(&req.input.key),
            json!({ "uploadId": req.input.upload_id, "partNumber": req.input.part_number, "copySource": from(&req.input.copy_source) }),
        )?;
        let shelves = recorded.shelves();
        recorded.end(part::copy(&shelves, &caller(&req)?, req.input).await).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let caller = caller(&req)?;
        let recorded = Recorded::new(
            self,
            &req,
            "CompleteMultipartUpload",
            &req.input.bucket,
            Some(&req.input.key),
            json!({ "uploadId": req.input.upload_id }),
        )?;
        let shelves = recorded.shelves();
        recorded.end(upload::complete(&shelves, &caller, &req.headers, req.input).await).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let recorded = Recorded::new(
            self,
            &req,
            "AbortMultipartUpload",
            &req.input.bucket,
            Some(&req.input.key),
            json!({ "uploadId": req.input.upload_id }),
        )?;
        let shelves = recorded.shelves();
        recorded.end(upload::abort(&shelves, &caller(&req)?, req.input).await).await
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        answer(part::list(self, &caller(&req)?, req.input).await)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        answer(uploads::list(self, &caller(&req)?, req.input).await)
    }
}
