//! Which action of S3 each operation is, and whether the caller's policies allow it.
//!
//! The actions are those of the Service Authorization Reference, "Actions, resources, and condition keys for Amazon
//! S3", for buckets without versions. What a list of keys deletes is asked key by key, where it is deleted.

use super::failure::refusal;
use super::service::caller;
use super::{Caller, recorded};
use crate::audit::Audit;
use crate::operations::circumstances;
use protium_domain::arn::partition;
use protium_domain::iam::Request;
use s3s::access::{S3Access, S3AccessContext};
use s3s::dto::{CopyObjectInput, CopySource, ListObjectsInput, ListObjectsV2Input, UploadPartCopyInput};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};
use std::sync::Arc;

impl Caller {
    /// The ARN of a bucket, or of an object as `bucket/key`.
    pub(super) fn arn(&self, name: &str) -> String {
        format!("arn:{}:s3:::{name}", partition(self.region()))
    }

    /// Refuses what the caller's policies do not allow. `resource` is what follows `arn:aws:s3:::`, or `*`; `keys` are
    /// those of S3.
    pub(super) fn check(&self, action: &str, resource: &str, keys: &[(&'static str, String)]) -> S3Result<()> {
        let principal = &self.0.identity.principal;
        if principal.is_root() {
            return Ok(());
        }
        let mut context = circumstances(&self.0, self.0.origin.at).with("aws:ResourceAccount", self.account());
        for (key, value) in keys {
            context = context.with(*key, value.as_str());
        }
        let resource = match resource {
            "*" => "*".to_owned(),
            resource => self.arn(resource),
        };
        let request = Request { principal, action, resource: &resource, context: &context };
        match self.0.identity.policies.decide(&request).denial(&request) {
            Some(why) => Err(refusal(S3ErrorCode::AccessDenied, why)),
            None => Ok(()),
        }
    }
}

/// Asks the policies of whoever calls, before an operation begins, and records who is denied.
pub(super) struct Access(pub(super) Arc<Audit>);

impl Access {
    async fn told(&self, caller: &Caller, operation: &str, resource: &str, decided: S3Result<()>) -> S3Result<()> {
        if let Err(error) = &decided {
            self.0.refused(recorded::refused(recorded::of(caller, operation, resource), error)).await;
        }
        decided
    }
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let caller = cx.extensions_mut().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))?;
        let resource = match cx.s3_path() {
            S3Path::Root => "*".to_owned(),
            S3Path::Bucket { bucket } => bucket.to_string(),
            S3Path::Object { bucket, key } => format!("{bucket}/{key}"),
        };
        let operation = cx.s3_op().name();
        let decided = match action(operation) {
            Asked::Before(action) => caller.check(action, &resource, &[]),
            Asked::Other(action) => caller.check(&action, &resource, &[]),
            Asked::Later => Ok(()),
        };
        self.told(&caller, operation, &resource, decided).await
    }

    async fn copy_object(&self, req: &mut S3Request<CopyObjectInput>) -> S3Result<()> {
        let caller = caller(req)?;
        let decided = check_source(&caller, &req.input.copy_source);
        self.told(&caller, "CopyObject", &format!("{}/{}", req.input.bucket, req.input.key), decided).await
    }

    async fn upload_part_copy(&self, req: &mut S3Request<UploadPartCopyInput>) -> S3Result<()> {
        let caller = caller(req)?;
        let decided = check_source(&caller, &req.input.copy_source);
        self.told(&caller, "UploadPartCopy", &format!("{}/{}", req.input.bucket, req.input.key), decided).await
    }

    async fn list_objects(&self, req: &mut S3Request<ListObjectsInput>) -> S3Result<()> {
        let ListObjectsInput { bucket, prefix, delimiter, max_keys, .. } = &req.input;
        let caller = caller(req)?;
        let decided = check_list(&caller, bucket, prefix.as_ref(), delimiter.as_ref(), *max_keys);
        self.told(&caller, "ListObjects", bucket, decided).await
    }

    async fn list_objects_v2(&self, req: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        let ListObjectsV2Input { bucket, prefix, delimiter, max_keys, .. } = &req.input;
        let caller = caller(req)?;
        let decided = check_list(&caller, bucket, prefix.as_ref(), delimiter.as_ref(), *max_keys);
        self.told(&caller, "ListObjectsV2", bucket, decided).await
    }
}

/// When an operation is asked about, and as which action.
enum Asked {
    /// About the bucket or the object in its path.
    Before(&'static str),
    /// The same, for what is not here: nobody learns more of it than they may.
    Other(String),
    /// When its input is read.
    Later,
}

fn action(operation: &str) -> Asked {
    Asked::Before(match operation {
        "AbortMultipartUpload" => "s3:AbortMultipartUpload",
        "CreateBucket" => "s3:CreateBucket",
        "DeleteBucket" => "s3:DeleteBucket",
        "DeleteObject" => "s3:DeleteObject",
        "GetBucketLocation" => "s3:GetBucketLocation",
        "GetObject" | "HeadObject" => "s3:GetObject",
        "HeadBucket" => "s3:ListBucket",
        "ListBuckets" => "s3:ListAllMyBuckets",
        "ListMultipartUploads" => "s3:ListBucketMultipartUploads",
        "ListParts" => "s3:ListMultipartUploadParts",
        "CompleteMultipartUpload"
        | "CopyObject"
        | "CreateMultipartUpload"
        | "PutObject"
        | "UploadPart"
        | "UploadPartCopy" => "s3:PutObject",
        "DeleteObjects" | "ListObjects" | "ListObjectsV2" => return Asked::Later,
        other => return Asked::Other(format!("s3:{other}")),
    })
}

/// Who copies reads.
fn check_source(caller: &Caller, source: &CopySource) -> S3Result<()> {
    match source {
        CopySource::Bucket { bucket, key, .. } => caller.check("s3:GetObject", &format!("{bucket}/{key}"), &[]),
        // There are none here, and the operation says so.
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => Ok(()),
    }
}

fn check_list(
    caller: &Caller,
    bucket: &str,
    prefix: Option<&String>,
    delimiter: Option<&String>,
    max_keys: Option<i32>,
) -> S3Result<()> {
    let keys = [
        ("s3:prefix", prefix.cloned()),
        ("s3:delimiter", delimiter.cloned()),
        ("s3:max-keys", max_keys.map(|most| most.to_string())),
    ];
    let keys: Vec<_> = keys.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    caller.check("s3:ListBucket", bucket, &keys)
}
