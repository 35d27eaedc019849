//! A log without end in two files: when the first is full it takes the place of the second.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The most bytes of one of the files.
const MOST: u64 = 4 << 20;

/// Takes whole lines, one a write. A line that can't be written is lost, those after it need not be: what goes on for
/// months outlives a full disk.
pub(super) struct Rotating {
    path: PathBuf,
    most: u64,
    /// The file and its size, when it is open.
    open: Option<(File, u64)>,
}

impl Rotating {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), most: MOST, open: None }
    }

    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        let (mut file, mut size) = match self.open.take() {
            Some(open) => open,
            None => opened(&self.path)?,
        };
        if size > 0 && size + length > self.most {
            fs::rename(&self.path, self.path.with_added_extension("1"))?;
            (file, size) = opened(&self.path)?;
        }
        file.write_all(line)?;
        self.open = Some((file, size + length));
        Ok(())
    }
}

fn opened(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_in_two_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Rotating { most: 10, ..Rotating::at(&path) };
        for line in ["one.\n", "two.\n", "three\n", "four\n", "five.\n", "six.\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "six.\n");
        assert_eq!(fs::read_to_string(folder.path().join("log.1")).unwrap(), "five.\n");
        // Another goes on where it was.
        Rotating { most: 10, ..Rotating::at(&path) }.write_all(b"7\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "six.\n7\n");
    }

    #[test]
    fn what_can_not_be_written_is_lost_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("later/log");
        let mut log = Rotating::at(&path);
        log.write_all(b"lost\n").unwrap();
        fs::create_dir(folder.path().join("later")).unwrap();
        log.write_all(b"kept\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept\n");
    }
}
