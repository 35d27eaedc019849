//! The operations that there are: S3's names on one side, a function of a noun on the other.
//!
//! Every other operation of S3 answers NotImplemented, which is what the trait says by itself.

use std::sync::Arc;

use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::blob::Blobs;
use super::failure::{Failure, no_such_bucket};
use super::{Caller, bucket, copy, listing, object, part, upload, uploads};
use crate::auth::Keys;
use crate::clock::Clock;
use crate::store::{BucketRow, Store, bucket_get};

/// Where objects are: the directory and the blobs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Shelves {
    pub(super) store: Store,
    pub(super) blobs: Blobs,
    pub(super) clock: Clock,
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

fn answer<T>(result: Result<T, Failure>) -> S3Result<S3Response<T>> {
    result.map(S3Response::new).map_err(S3Error::from)
}

#[async_trait::async_trait]
impl S3 for Shelves {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        answer(bucket::create(self, &caller(&req)?, req.input).await)
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
        let deleted = bucket::delete(self, &caller(&req)?, req.input).await;
        answer(deleted.map(|()| DeleteBucketOutput::default()))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let caller = caller(&req)?;
        answer(object::put(self, &caller, &req.headers, req.trailing_headers, req.input).await)
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        answer(object::get(self, &caller(&req)?, req.input).await)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        answer(object::head(self, &caller(&req)?, req.input).await)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        answer(object::delete(self, &caller(&req)?, req.input).await)
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        answer(object::delete_many(self, &caller(&req)?, req.input).await)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        answer(copy::copy(self, &caller(&req)?, req.input).await)
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
        answer(upload::create(self, &caller(&req)?, req.input).await)
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let caller = caller(&req)?;
        answer(part::put(self, &caller, &req.headers, req.trailing_headers, req.input).await)
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        answer(part::copy(self, &caller(&req)?, req.input).await)
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let caller = caller(&req)?;
        answer(upload::complete(self, &caller, &req.headers, req.input).await)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        answer(upload::abort(self, &caller(&req)?, req.input).await)
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
