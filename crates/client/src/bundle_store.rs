//! The bundle store at the same address: buckets and objects, as far as bundles need them.
//!
//! Owns two requests of S3. For all else there are S3's own clients, which the store takes unmodified.

use std::time::SystemTime;

use bytes::Bytes;
use http::Uri;

use crate::{Client, Error, ServiceError, sign};

impl Client {
    /// Makes a bucket, unless the account has it already. One attempt.
    ///
    /// # Errors
    /// The store's error, or why there is no answer; [`Error::Config`] for a name that no address can hold.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), Error> {
        match self.put(bucket, Bytes::new()).await {
            Err(Error::Service(error)) if error.code == "BucketAlreadyOwnedByYou" => Ok(()),
            done => done,
        }
    }

    /// Stores an object of at most a few MiB, in the place of one of that key. One attempt; `bucket` and `key` as they
    /// stand in an address, percent-encoded where that is needed.
    ///
    /// # Errors
    /// The store's error, or why there is no answer; [`Error::Config`] for names that no address can hold.
    pub async fn put_object(&self, bucket: &str, key: &str, body: impl Into<Bytes>) -> Result<(), Error> {
        self.put(&format!("{bucket}/{key}"), body.into()).await
    }

    async fn put(&self, path: &str, body: Bytes) -> Result<(), Error> {
        let config = self.config();
        let uri: Uri = format!("{}/{path}", config.endpoint.trim_end_matches('/'))
            .parse()
            .map_err(|_| Error::Config(format!("{path:?} is no bucket and key of an address; percent-encode it")))?;
        let request = sign::put(&uri, &config.region, &config.credentials, body, SystemTime::now())?;
        let (head, body) = self.exchange(request).await?;
        if head.status.is_success() {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&body);
        Err(Error::Service(ServiceError {
            code: element(&body, "Code").unwrap_or("Unknown").to_owned(),
            message: element(&body, "Message").unwrap_or_default().to_owned(),
            status: head.status.as_u16(),
            request_id: element(&body, "RequestId").map(str::to_owned),
        }))
    }
}

/// The text of the first element of that name. Enough for errors, which are flat.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

#[cfg(test)]
mod tests {
    use super::element;

    #[test]
    fn an_error_of_the_store_is_read() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>none</Message></Error>";
        assert_eq!((element(xml, "Code"), element(xml, "Message")), (Some("NoSuchBucket"), Some("none")));
        assert_eq!(element(xml, "RequestId"), None);
    }
}
