//! Events as lines of JSON, in a file or on standard output.
//!
//! What is reported as written is on the disk. A file that was moved away is made anew, and one that ends in the middle
//! of a line, since the machine went down, gets an end of line first.

use super::sender::Refusal;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) struct FileSender {
    /// `None`: standard output.
    path: Option<PathBuf>,
    open: Arc<Mutex<Option<File>>>,
}

impl FileSender {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path, open: Arc::default() }
    }

    /// Appends lines, all or none.
    pub(super) async fn append(&self, lines: String) -> Result<(), Refusal> {
        let (path, open) = (self.path.clone(), Arc::clone(&self.open));
        let written = tokio::task::spawn_blocking(move || match path {
            None => {
                let mut out = io::stdout().lock();
                out.write_all(lines.as_bytes()).and_then(|()| out.flush())
            }
            Some(path) => {
                let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
                append(&path, &mut open, lines.as_bytes())
            }
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Refusal::new(format!("can't be written: {error}"))),
            Err(_) => Err(Refusal::new("can't be written: the task that writes has ended")),
        }
    }
}

fn append(path: &Path, open: &mut Option<File>, lines: &[u8]) -> io::Result<()> {
    if let Some(file) = open.as_ref()
        && is_another(file, path)
    {
        *open = None;
    }
    let mut file = match open.take() {
        Some(file) => file,
        None => reopen(path)?,
    };
    let found = file.metadata()?;
    let written = file.write_all(lines).and_then(|()| if found.is_file() { file.sync_data() } else { Ok(()) });
    match written {
        Ok(()) => {
            *open = Some(file);
            Ok(())
        }
        Err(error) => {
            if found.is_file() {
                // If that fails too, the next one begins on a line of its own.
                let _ = file.set_len(found.len());
            }
            Err(error)
        }
    }
}

/// Whether the path leads to another file than the open one, or to none.
fn is_another(file: &File, path: &Path) -> bool {
    let place = |found: std::fs::Metadata| (found.dev(), found.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(open), Ok(there)) => place(open) != place(there),
        _ => true,
    }
}

fn reopen(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let found = file.metadata()?;
    if found.is_file() && found.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_appended_and_a_moved_file_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("events"), folder.path().join("events.1"));
        let mut open = None;
        append(&path, &mut open, b"1\n").unwrap();
        append(&path, &mut open, b"2\n3\n").unwrap();
        std::fs::rename(&path, &moved).unwrap();
        append(&path, &mut open, b"4\n").unwrap();
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "1\n2\n3\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "4\n");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn half_a_line_gets_its_end_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        std::fs::write(&path, "{\"half\":").unwrap();
        append(&path, &mut None, b"{}\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"half\":\n{}\n");
    }

    #[test]
    fn what_can_not_be_opened_is_told_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("not-there").join("events");
        let mut open = None;
        assert!(append(&path, &mut open, b"1\n").is_err());
        std::fs::create_dir(folder.path().join("not-there")).unwrap();
        append(&path, &mut open, b"1\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n");
    }
}
