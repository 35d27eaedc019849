//! Files of a backup: on disk before anybody relies on them, readable by their owner only.

use anyhow::{Context as _, Result, bail};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Makes the folder, unless there is an empty one.
pub(super) fn empty_folder(folder: &Path) -> Result<()> {
    let shown = folder.display();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("the folder {shown} can't be made"))?;
    let mut entries = fs::read_dir(folder).with_context(|| format!("the folder {shown} can't be read"))?;
    match entries.next() {
        Some(_) => bail!("the folder {shown} is not empty; name one that is, or that does not exist"),
        None => Ok(()),
    }
}

/// Copies a file to one that does not exist, in a folder that is made if need be.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = || -> io::Result<()> {
        let mut source = fs::File::open(from)?;
        let folder = to.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut target = create(to)?;
        io::copy(&mut source, &mut target)?;
        target.sync_all()?;
        fs::File::open(folder)?.sync_all()
    };
    copied().with_context(|| format!("{} can't be copied to {}", from.display(), to.display()))
}

/// Writes a file that does not exist.
pub(super) fn write_new(path: &Path, body: &[u8]) -> Result<()> {
    let written = || -> io::Result<()> {
        let mut file = create(path)?;
        file.write_all(body)?;
        file.sync_all()
    };
    written().with_context(|| format!("{} can't be written", path.display()))
}

/// Makes the names in a folder outlive a crash.
pub(super) fn sync(folder: &Path) -> Result<()> {
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.with_context(|| format!("the folder {} can't be written", folder.display()))
}

fn create(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
