//! Where the bundles of template versions come from: the embedded store, then the external ones.
//!
//! Owns finding and reading one object, at most as many bytes as a bundle may have. Does not look
//! into it. A bucket of the account in the embedded store hides one of the same name elsewhere.

mod folder;
mod s3;

use crate::config::BundleStore;
use crate::store::{Store, bucket_get};
use futures::future::BoxFuture;
use protium_domain::arn::Scope;
use protium_domain::template::BundleSource;
use protium_engines::aws::Aws;
use std::io;
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Opens an object of the embedded store by account, bucket and key: its size and its body. `None`:
/// there is none.
pub type OpenObject =
    Box<dyn Fn(String, String, String) -> BoxFuture<'static, io::Result<Option<(u64, File)>>> + Send + Sync>;

/// Why there is no bundle.
#[derive(Debug)]
pub enum Unfetched {
    /// It will not be there until somebody does something; the message says what.
    Refused(String),
    /// It may be there later.
    Transient(anyhow::Error),
}

/// All places that bundles may come from.
pub struct BundleSources {
    store: Store,
    open_object: OpenObject,
    aws: Aws,
    external: Vec<BundleStore>,
}

/// Which object, and how much of it at most.
struct Wanted<'a> {
    scope: &'a Scope,
    source: &'a BundleSource,
    limit: usize,
}

impl BundleSources {
    /// `external` are tried in their order.
    pub fn new(store: Store, open_object: OpenObject, aws: Aws, external: Vec<BundleStore>) -> Self {
        Self { store, open_object, aws, external }
    }

    /// The object that `source` names, for the account of `scope`. One that is larger than `limit`
    /// bytes is refused, and no more than that is read.
    pub async fn fetch(&self, scope: &Scope, source: &BundleSource, limit: usize) -> Result<Vec<u8>, Unfetched> {
        let wanted = Wanted { scope, source, limit };
        if self.is_embedded(&wanted).await? {
            return self.embedded(&wanted).await;
        }
        let mut known = false;
        for store in self.external.iter().filter(|store| store.accounts.contains(&scope.account)) {
            let found = match Place::of(store, source)? {
                None => continue,
                Some(Place::Folder(folder)) if !folder::exists(&folder).await => continue,
                Some(Place::Folder(folder)) => folder::read(&folder, &wanted).await?,
                Some(Place::Bucket) => s3::read(&self.aws, store, &wanted).await?,
            };
            known = true;
            if let Some(bundle) = found {
                return Ok(bundle);
            }
        }
        let BundleSource { bucket, key } = source;
        Err(Unfetched::Refused(if known {
            format!("the bucket '{bucket}' has no object '{key}'; upload the bundle there and create another version")
        } else {
            format!(
                "the account {} has no bucket '{bucket}', and no configured bundle store has one for it; make it with \
                 `aws s3 mb s3://{bucket}`, upload the bundle as '{key}' and create another version",
                scope.account
            )
        }))
    }

    async fn is_embedded(&self, wanted: &Wanted<'_>) -> Result<bool, Unfetched> {
        let mut reader = self.store.reader().await.map_err(Unfetched::transient)?;
        let found = bucket_get(&mut reader, &wanted.scope.account, &wanted.source.bucket).await;
        Ok(found.map_err(Unfetched::transient)?.is_some())
    }

    async fn embedded(&self, wanted: &Wanted<'_>) -> Result<Vec<u8>, Unfetched> {
        let BundleSource { bucket, key } = wanted.source;
        let account = wanted.scope.account.clone();
        let opened = (self.open_object)(account, bucket.clone(), key.clone()).await;
        match opened.map_err(Unfetched::transient)? {
            None => Err(Unfetched::Refused(format!(
                "the bucket '{bucket}' has no object '{key}'; upload the bundle with `aws s3 cp` and create another \
                 version"
            ))),
            Some((size, file)) => wanted.read(Some(size), file).await,
        }
    }
}

/// Where an external store keeps the objects of a bucket.
enum Place {
    /// In the bucket of that name.
    Bucket,
    /// In that folder.
    Folder(PathBuf),
}

impl Place {
    /// `None`: the store has nothing to do with that bucket, or with keys like that one.
    fn of(store: &BundleStore, source: &BundleSource) -> Result<Option<Self>, Unfetched> {
        match store.url.split_once("://") {
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let below = match prefix.trim_end_matches('/') {
                    "" => true,
                    prefix => source.key.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/')),
                };
                Ok((bucket == source.bucket && below).then_some(Self::Bucket))
            }
            Some(("file", path)) => {
                let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
                Ok(Some(Self::Folder(PathBuf::from(&*path).join(&source.bucket))))
            }
            Some(_) | None => Err(Unfetched::Refused(format!(
                "the bundle store '{}' in the server's configuration is none that it can read; the operator should \
                 write s3://BUCKET, s3://BUCKET/PREFIX or file:///FOLDER there",
                store.url
            ))),
        }
    }
}

impl Wanted<'_> {
    /// Reads the whole of `body`, whose size is `size` if that is known.
    async fn read(&self, size: Option<u64>, body: impl AsyncRead) -> Result<Vec<u8>, Unfetched> {
        let limit = u64::try_from(self.limit).unwrap_or(u64::MAX);
        if size.is_some_and(|size| size > limit) {
            return Err(self.too_large());
        }
        let mut bundle = Vec::new();
        let mut body = std::pin::pin!(body.take(limit.saturating_add(1)));
        body.read_to_end(&mut bundle).await.map_err(Unfetched::transient)?;
        if bundle.len() > self.limit { Err(self.too_large()) } else { Ok(bundle) }
    }

    fn too_large(&self) -> Unfetched {
        let BundleSource { bucket, key } = self.source;
        Unfetched::Refused(format!(
            "the bundle s3://{bucket}/{key} is larger than {} bytes, the most that a bundle may have; leave out what \
             the templates do not need and create another version",
            self.limit
        ))
    }
}

impl Unfetched {
    fn transient(error: impl Into<anyhow::Error>) -> Self {
        Self::Transient(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str, bucket: &str, key: &str) -> Option<Option<PathBuf>> {
        let store = BundleStore { url: url.into(), accounts: Vec::new(), region: None, endpoint: None };
        let source = BundleSource { bucket: bucket.into(), key: key.into() };
        Place::of(&store, &source).expect("the address is legal").map(|place| match place {
            Place::Bucket => None,
            Place::Folder(folder) => Some(folder),
        })
    }

    #[test]
    fn a_bucket_or_a_prefix_of_it_is_offered() {
        assert_eq!(place("s3://bundles", "bundles", "a/b.tar.gz"), Some(None));
        assert_eq!(place("s3://bundles/team", "bundles", "team/b.tar.gz"), Some(None));
        assert_eq!(place("s3://bundles/team/", "bundles", "team/b.tar.gz"), Some(None));
        for (bucket, key) in [("bundles", "teams/b.tar.gz"), ("bundles", "team"), ("other", "team/b.tar.gz")] {
            assert_eq!(place("s3://bundles/team", bucket, key), None, "{bucket}/{key}");
        }
    }

    #[test]
    fn buckets_are_subfolders_of_a_folder() {
        assert_eq!(place("file:///my%20bundles", "b", "k"), Some(Some(PathBuf::from("/my bundles/b"))));
    }

    #[test]
    fn an_address_that_nothing_can_read_is_named() {
        let store = BundleStore { url: "ftp://x".into(), accounts: Vec::new(), region: None, endpoint: None };
        let source = BundleSource { bucket: "b".into(), key: "k".into() };
        let Err(Unfetched::Refused(why)) = Place::of(&store, &source) else { panic!("it must be refused") };
        assert!(why.contains("ftp://x") && why.contains("file:///FOLDER"), "{why}");
    }
}
