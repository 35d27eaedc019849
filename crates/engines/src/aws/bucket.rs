//! One bucket of S3, with the credentials of a role.

use std::ops::Range;
use std::sync::Arc;

use aws_credential_types::Credentials;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig, StaticCredentialProvider,
};

use super::{Aws, CONNECT_TIMEOUT, EFFECT_TIMEOUT, Fault, Refusal, transient};

/// What is put there and taken away again. Every call is made once: whoever asks repeats it.
pub(crate) struct Bucket {
    store: AmazonS3,
}

impl Bucket {
    /// Makes no call.
    pub(crate) fn open(aws: &Aws, region: &str, credentials: &Credentials, name: &str) -> Result<Self, Fault> {
        let credential = AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(str::to_owned),
        };
        let mut store = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(region)
            .with_client_options(
                ClientOptions::new().with_connect_timeout(CONNECT_TIMEOUT).with_timeout(EFFECT_TIMEOUT),
            )
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_disable_bulk_delete(true)
            .with_credentials(Arc::new(StaticCredentialProvider::new(credential)));
        if let Some(endpoint) = aws.endpoint_url() {
            store = store.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http:"));
        }
        Ok(Self { store: store.build().map_err(classify)? })
    }

    /// Writes an object, over whatever was there.
    pub(crate) async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), Fault> {
        self.store.put(&Path::from(key), PutPayload::from(content)).await.map_err(classify)?;
        Ok(())
    }

    /// The keys of the objects of a folder and their sizes in bytes, in order; not those of folders below it.
    pub(crate) async fn list(&self, folder: &str) -> Result<Vec<(String, u64)>, Fault> {
        let listed = self.store.list_with_delimiter(Some(&Path::from(folder))).await.map_err(classify)?;
        let mut objects: Vec<_> =
            listed.objects.into_iter().map(|object| (object.location.to_string(), object.size)).collect();
        objects.sort();
        Ok(objects)
    }

    /// These bytes of an object.
    pub(crate) async fn get(&self, key: &str, bytes: Range<u64>) -> Result<Vec<u8>, Fault> {
        Ok(self.store.get_range(&Path::from(key), bytes).await.map_err(classify)?.to_vec())
    }

    /// Removes an object, if it is there and the bucket is.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), Fault> {
        match self.store.delete(&Path::from(key)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(classify(error)),
        }
    }

    /// Removes all objects of a folder, not those of folders below it.
    pub(crate) async fn empty(&self, folder: &str) -> Result<(), Fault> {
        let objects = match self.store.list_with_delimiter(Some(&Path::from(folder))).await {
            Ok(list) => list.objects,
            Err(Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(classify(error)),
        };
        for object in objects {
            self.delete(object.location.as_ref()).await?;
        }
        Ok(())
    }
}

fn classify(error: Error) -> Fault {
    let unless = match &error {
        Error::NotFound { .. } => "NoSuchBucket",
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => "AccessDenied",
        Error::Generic { .. } => "",
        _ => "InvalidRequest",
    };
    let text = error.to_string();
    let said = |element: &str| {
        let (_, rest) = text.split_once(&format!("<{element}>"))?;
        Some(rest.split_once(&format!("</{element}>"))?.0.to_owned())
    };
    let refusal = Refusal {
        code: said("Code").unwrap_or_else(|| unless.to_owned()),
        message: said("Message").unwrap_or_else(|| innermost(&error)),
    };
    if !unless.is_empty() || refusal.is_expired() {
        return Fault::Refused(refusal);
    }
    Fault::Transient(transient(format!("S3 can't be used: {}", refusal.message)))
}

/// The innermost cause of an error: its own text has the time that it took.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
