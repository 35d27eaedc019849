//! Removing what a crash left behind: drafts, and blobs that were kept but never referred to.

use std::io;
use std::time::{Duration, SystemTime};

use tokio::task::JoinHandle;

use super::blob::{Blobs, Leftover};
use crate::store::{Store, blob_is_used};

/// A database that others use too may hear of a blob later: the longest that an upload may take.
const SPARED: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes, in the background, files that no object and no part refers to. To be called before the first
/// upload: only files that are there now are looked at, so that none of an upload in progress is. The
/// task's value is how many went.
///
/// # Errors
/// The folder could not be listed.
pub async fn sweep(store: &Store, blobs: &Blobs) -> io::Result<JoinHandle<u64>> {
    let found = blobs.list().await?;
    let (store, blobs) = (store.clone(), blobs.clone());
    Ok(tokio::spawn(async move {
        let removed = remove_left(&store, &blobs, found).await;
        if removed > 0 {
            tracing::info!("{removed} files of unfinished uploads to the bundle store removed");
        }
        removed
    }))
}

async fn remove_left(store: &Store, blobs: &Blobs, found: Vec<Leftover>) -> u64 {
    let spared = if store.db().is_embedded() { Duration::ZERO } else { SPARED };
    let mut removed = 0;
    for file in found {
        match is_left(store, &file, spared).await {
            Ok(false) => {}
            Ok(true) => match blobs.unlink(&file.path).await {
                Ok(done) => removed += u64::from(done),
                Err(error) => tracing::warn!("the orphaned blob {} can't be removed: {error}", file.name),
            },
            Err(error) => {
                tracing::warn!("sweeping the bundle store stopped: {error}");
                break;
            }
        }
    }
    removed
}

async fn is_left(store: &Store, file: &Leftover, spared: Duration) -> anyhow::Result<bool> {
    let Ok(metadata) = tokio::fs::metadata(&file.path).await else { return Ok(false) };
    let age = SystemTime::now().duration_since(metadata.modified()?).unwrap_or_default();
    if age < spared {
        return Ok(false);
    }
    Ok(file.is_draft || !blob_is_used(&mut store.reader().await?, &file.name).await?)
}
