//! The lock file that keeps a second process out of a data folder.
//!
//! Owns: `<folder>/lock`. The operating system drops the lock with the process, so a crash leaves
//! nothing to clean up; the file stays and only tells who held it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::db_error::{DbError, DbErrorKind, DbResult};

/// Ownership of a data folder for as long as the value lives.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes `<folder>/lock`. Refused, naming the process if it is known, while another one holds it.
    pub fn take(folder: &Path) -> DbResult<Self> {
        let path = folder.join("lock");
        let failed = |error: std::io::Error| {
            DbError::new(DbErrorKind::Refused, format!("the lock file {} can't be used: {error}", path.display()))
        };
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(folder, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn held(folder: &Path, file: &mut File) -> DbError {
    let mut holder = String::new();
    let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
    let by = if known { format!("the process {}", holder.trim()) } else { "another process".to_owned() };
    DbError::new(
        DbErrorKind::Refused,
        format!(
            "the data folder {} is in use by {by}; stop it, or choose another folder with --data-dir",
            folder.display()
        ),
    )
}
