//! Contents that were read a moment ago. A content never changes under its hash, so none of this grows stale.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// Bytes that are kept in all.
const CAPACITY: u64 = 4 * 1024 * 1024;
/// A larger one is not kept: it would take the place of many.
const LARGEST: usize = 128 * 1024;
/// How many are expected; a typical spec or template has some kilobytes.
const EXPECTED: usize = 1024;

/// The cache, by SHA-256.
pub(super) struct Contents(Cache<String, Arc<[u8]>, Bytes>);

#[derive(Clone)]
struct Bytes;

impl Weighter<String, Arc<[u8]>> for Bytes {
    fn weight(&self, key: &String, body: &Arc<[u8]>) -> u64 {
        (key.len() + body.len()) as u64
    }
}

impl Default for Contents {
    fn default() -> Self {
        Self(Cache::with_weighter(EXPECTED, CAPACITY, Bytes))
    }
}

impl Contents {
    pub(super) fn get(&self, sha256: &str) -> Option<Arc<[u8]>> {
        self.0.get(sha256)
    }

    /// Keeps a content that is committed.
    pub(super) fn keep(&self, sha256: &str, body: &[u8]) {
        if body.len() <= LARGEST {
            self.0.insert(sha256.to_owned(), body.into());
        }
    }
}
