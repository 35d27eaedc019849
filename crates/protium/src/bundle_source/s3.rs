//! Bundles in S3 or a compatible of it, read with the server's outbound credentials.

use super::{Unfetched, Wanted};
use crate::config::BundleStore;
use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStoreExt as _, RetryConfig};
use protium_engines::aws::{Aws, CredentialsFailure};
use std::time::Duration;
use tokio_util::io::StreamReader;

/// How long one request may take, headers to end of body.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The job as a whole is tried again, later; here only what passes in a moment is.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(2), base: 2.0 },
    max_retries: 2,
    retry_timeout: Duration::from_secs(15),
};

/// The object; `None` if there is none.
pub(super) async fn read(aws: &Aws, store: &BundleStore, wanted: &Wanted<'_>) -> Result<Option<Vec<u8>>, Unfetched> {
    let key = &wanted.source.key;
    // Other keys exist in S3, and this client would ask for another one in their place.
    let Some(path) = Path::parse(key).ok().filter(|path| path.as_ref() == key) else { return Ok(None) };
    let bucket = connect(aws, store, wanted).await?;
    let body = match bucket.get(&path).await {
        Ok(body) => body,
        Err(error) => return unread(error, wanted),
    };
    let size = body.meta.size;
    let body = StreamReader::new(body.into_stream().map_err(std::io::Error::other));
    wanted.read(Some(size), body).await.map(Some)
}

async fn connect(aws: &Aws, store: &BundleStore, wanted: &Wanted<'_>) -> Result<AmazonS3, Unfetched> {
    let credentials = aws.source_credentials().await.map_err(|failure| match failure {
        CredentialsFailure::Refused(why) => Unfetched::Refused(why),
        CredentialsFailure::Transient(transient) => Unfetched::transient(anyhow::anyhow!("{transient}")),
    })?;
    let endpoint = store.endpoint.as_deref().or(aws.endpoint_url());
    let options = ClientOptions::new()
        .with_timeout(TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_allow_http(endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&wanted.source.bucket)
        .with_region(store.region.as_deref().unwrap_or(&wanted.scope.region))
        .with_access_key_id(credentials.access_key_id())
        .with_secret_access_key(credentials.secret_access_key())
        .with_client_options(options)
        .with_retry(RETRIES);
    if let Some(token) = credentials.session_token() {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder.build().map_err(|error| {
        Unfetched::Refused(format!(
            "the bundle store '{}' in the server's configuration is not right: {error}",
            store.url
        ))
    })
}

fn unread(error: Error, wanted: &Wanted<'_>) -> Result<Option<Vec<u8>>, Unfetched> {
    let (bucket, key) = (&wanted.source.bucket, &wanted.source.key);
    match error {
        Error::NotFound { .. } => Ok(None),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Err(Unfetched::Refused(format!(
            "the server may not read s3://{bucket}/{key}, or it is not there: {error}. Allow the server's AWS identity \
             s3:GetObject on it, and s3:ListBucket on the bucket, then create another version"
        ))),
        error => Err(Unfetched::transient(error)),
    }
}
