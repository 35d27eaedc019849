//! The files that hold what objects consist of: `<data-dir>/objects/xx/<name>`.
//!
//! Owns: writing a file so that it is whole and on disk before anybody refers to it, and removing what
//! nobody refers to. A file never changes. Does not own: which objects there are; the names that count
//! are in the database.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::io::AsyncWriteExt;

/// Held by those who copy the folder: meanwhile nothing is removed from it.
const LOCK: &str = "lock";
/// Files still being written are here, and are of no use after a restart.
const DRAFTS: &str = "drafts";

/// The folder of blobs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    folder: PathBuf,
}

impl Blobs {
    /// Uses `<data_dir>/objects`, and makes it if need be.
    pub fn open(data_dir: &Path) -> io::Result<Self> {
        let folder = data_dir.join("objects");
        let mut is_new = false;
        for name in (0..=u8::MAX).map(|shelf| format!("{shelf:02x}")).chain([DRAFTS.to_owned()]) {
            let shelf = folder.join(name);
            if !shelf.is_dir() {
                std::fs::create_dir_all(shelf)?;
                is_new = true;
            }
        }
        if is_new {
            for folder in [&folder, data_dir] {
                std::fs::File::open(folder)?.sync_all()?;
            }
        }
        Ok(Self { folder })
    }

    /// Starts a new blob.
    pub async fn draft(&self) -> io::Result<Draft> {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let path = self.folder.join(DRAFTS).join(&name);
        let file = fs::File::create_new(&path).await?;
        Ok(Draft { blobs: self.clone(), name, path, file })
    }

    /// Opens a blob for reading. It stays readable even if it is removed meanwhile.
    pub async fn read(&self, name: &str) -> io::Result<fs::File> {
        fs::File::open(self.path(name)).await
    }

    /// Removes blobs that no row refers to any more. What can't be removed now is swept at the next start.
    pub async fn remove(&self, names: impl IntoIterator<Item = String>) {
        for name in names {
            match self.unlink(&self.path(&name)).await {
                Ok(true) => {}
                Ok(false) => tracing::debug!("the blob {name} stays while the folder is copied"),
                Err(error) => tracing::warn!("the blob {name} can't be removed: {error}"),
            }
        }
    }

    /// Removes a file of the folder. `false`: it stays, because the folder is being copied.
    pub(super) async fn unlink(&self, path: &Path) -> io::Result<bool> {
        let lock = self.lock()?;
        match lock.try_lock_shared() {
            Ok(()) => fs::remove_file(path).await.map(|()| true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Waits until nothing is being removed, and lets nothing be removed for as long as the value lives: what the
    /// database refers to when this returns can be copied.
    ///
    /// # Errors
    /// The lock can't be taken.
    pub fn hold(&self) -> io::Result<Held> {
        let lock = self.lock()?;
        lock.lock()?;
        Ok(Held { _lock: lock })
    }

    fn lock(&self) -> io::Result<std::fs::File> {
        std::fs::OpenOptions::new().create(true).append(true).open(self.folder.join(LOCK))
    }

    /// All files of blobs and drafts, as they are now.
    pub(super) async fn list(&self) -> io::Result<Vec<Leftover>> {
        let mut files = Vec::new();
        let mut folders = fs::read_dir(&self.folder).await?;
        while let Some(folder) = folders.next_entry().await? {
            if !folder.file_type().await?.is_dir() {
                continue;
            }
            let is_draft = folder.file_name() == DRAFTS;
            let mut entries = fs::read_dir(folder.path()).await?;
            while let Some(entry) = entries.next_entry().await? {
                if let Ok(name) = entry.file_name().into_string() {
                    files.push(Leftover { name, path: entry.path(), is_draft });
                }
            }
        }
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        blob_path(&self.folder, name)
    }
}

/// Where the blob of that name is in the folder `objects`.
pub fn blob_path(objects: &Path, name: &str) -> PathBuf {
    // Our names begin with a byte in hexadecimal digits, which names the shelf.
    objects.join(name.get(..2).unwrap_or("00")).join(name)
}

/// Keeps all blobs in place. See [`Blobs::hold`].
#[derive(Debug)]
pub struct Held {
    _lock: std::fs::File,
}

/// A file of the folder, which may be all that a crash left of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leftover {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) is_draft: bool,
}

/// A blob being written. Dropped before it is kept, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    blobs: Blobs,
    name: String,
    path: PathBuf,
    file: fs::File,
}

impl Draft {
    /// Appends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    /// Appends `length` bytes of another blob from `start` on, as fast as the file system can.
    pub async fn append(&mut self, source: fs::File, start: u64, length: u64) -> io::Result<()> {
        self.file.flush().await?;
        let mut target = self.file.try_clone().await?.into_std().await;
        let mut source = source.into_std().await;
        let copied = tokio::task::spawn_blocking(move || {
            use std::io::{Read, Seek, SeekFrom};
            source.seek(SeekFrom::Start(start))?;
            io::copy(&mut source.take(length), &mut target)
        });
        match copied.await? {
            Ok(copied) if copied == length => Ok(()),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(error),
        }
    }

    /// Reads what was written from its start.
    pub async fn reread(&mut self) -> io::Result<fs::File> {
        self.file.flush().await?;
        fs::File::open(&self.path).await
    }

    /// Puts the blob in its place, so that it outlives a crash, and returns its name.
    pub async fn keep(mut self) -> io::Result<String> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let place = self.blobs.path(&self.name);
        fs::rename(&self.path, &place).await?;
        if let Some(shelf) = place.parent() {
            // Makes the new name outlive a crash too.
            fs::File::open(shelf).await?.sync_all().await?;
        }
        Ok(std::mem::take(&mut self.name))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once kept, the file is gone from here and this does nothing.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    async fn blob(blobs: &Blobs, text: &str) -> String {
        let mut draft = blobs.draft().await.unwrap();
        draft.write(text.as_bytes()).await.unwrap();
        draft.keep().await.unwrap()
    }

    #[tokio::test]
    async fn a_kept_blob_reads_as_it_was_written_and_a_dropped_draft_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let name = blob(&blobs, "hello").await;
        drop(blobs.draft().await.unwrap());
        let expected = Leftover { path: blobs.path(&name), name: name.clone(), is_draft: false };
        assert_eq!(blobs.list().await.unwrap(), vec![expected]);

        let mut joined = blobs.draft().await.unwrap();
        joined.write(b"<").await.unwrap();
        joined.append(blobs.read(&name).await.unwrap(), 1, 3).await.unwrap();
        joined.write(b">").await.unwrap();
        let joined = joined.keep().await.unwrap();
        let mut text = String::new();
        blobs.read(&joined).await.unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "<ell>");
    }

    #[tokio::test]
    async fn nothing_is_removed_while_the_folder_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let name = blob(&blobs, "hello").await;
        let held = blobs.hold().unwrap();
        blobs.remove([name.clone()]).await;
        assert!(blobs.path(&name).exists());
        drop(held);
        blobs.remove([name.clone()]).await;
        assert!(!blobs.path(&name).exists());
    }
}
