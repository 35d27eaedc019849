//! The folder of a quickstart: whose it is, who works in it, and what is remembered there.
//!
//! Beside these files it is the data folder of the server. `quickstart.lock` marks it: without that file a folder is
//! somebody else's and is left alone. `server.json` says which process serves which folder (a copy of the folder has
//! that of the original), `server.out` what that said when it was ready, `server.log` the rest, and `quickstart.json`
//! what was chosen.

use super::server::Address;
use crate::store::DataLock;
use anyhow::{Context as _, bail};
use protium_engines::command::Identity;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const MARKER: &str = "quickstart.lock";
/// That of the server, which keeps others out of its data.
const DATA_LOCK: &str = "lock";
const EXPLANATION: &str = "\
This folder belongs to `protium quickstart`: `protium quickstart --clean` removes it, with all that is in it.
";

/// A folder in which nobody else works for as long as the value lives.
pub(super) struct Folder {
    path: PathBuf,
    /// The link that it was named by, if it was.
    link: Option<PathBuf>,
    _lock: File,
}

/// Which process serves which folder.
#[derive(Serialize, Deserialize)]
struct Serving {
    #[serde(flatten)]
    process: Identity,
    /// Its canonical path, with U+FFFD for what is no Unicode.
    folder: String,
}

impl Serving {
    fn serves(&self, folder: &Path) -> bool {
        self.folder == folder.to_string_lossy()
    }
}

/// What was chosen, for the next run.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Choices {
    pub allow_unsandboxed_runs: bool,
    /// The port that the server had last.
    pub port: Option<u16>,
}

impl Folder {
    /// Makes the folder, or takes up the one that an earlier run left.
    pub(super) fn open(given: &Path) -> anyhow::Result<Self> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(given).and_then(|()| given.canonicalize());
        let path = made.with_context(|| format!("the folder {} can't be made", given.display()))?;
        let is_new = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
        if !is_new && !path.join(MARKER).is_file() {
            bail!("{} is not empty, and no folder of a quickstart; give another one with --data-dir", path.display());
        }
        if is_new {
            // It may have been made by somebody else, for all to see.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
                .with_context(|| format!("the folder {} can't be made private (mode 700)", path.display()))?;
        }
        Self::locked(path, given)
    }

    /// Takes up the folder that an earlier run left. `None`: there is none.
    pub(super) fn existing(given: &Path) -> anyhow::Result<Option<Self>> {
        let path = match given.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.with_context(|| format!("the folder {} can't be used", given.display()))?,
        };
        let marked = path.join(MARKER).is_file();
        let is_empty = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
        match marked || is_empty {
            true => Self::locked(path, given).map(Some),
            false => bail!(
                "{} is no folder of a quickstart (it has no {MARKER}), and is not removed; give the right one with \
                 --data-dir",
                path.display()
            ),
        }
    }

    fn locked(path: PathBuf, given: &Path) -> anyhow::Result<Self> {
        let marker = path.join(MARKER);
        let open = || OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&marker);
        let mut lock = open().with_context(|| format!("{} can't be written", marker.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another `protium quickstart` is at work in {}", path.display()),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} can't be locked", marker.display()));
            }
        }
        // Whoever held the lock a moment ago may have removed the folder.
        let (mine, there) = (lock.metadata()?, fs::metadata(&marker));
        if !there.is_ok_and(|there| (there.dev(), there.ino()) == (mine.dev(), mine.ino())) {
            bail!("{} was just removed by another `protium quickstart`; start again", path.display());
        }
        if mine.len() == 0 {
            lock.write_all(EXPLANATION.as_bytes())?;
        }
        // Without the slash at its end, which would lead to what it links to.
        let named: PathBuf = given.components().collect();
        let link = fs::symlink_metadata(&named).is_ok_and(|named| named.is_symlink()).then_some(named);
        Ok(Self { path, link, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the server lets runs of commands keep their files.
    pub(super) fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// Whether a server has ever stored something here.
    pub(super) fn has_store(&self) -> bool {
        self.path.join("protium.db").exists()
    }

    pub(super) fn choices(&self) -> Choices {
        let text = fs::read(self.file("quickstart.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(super) fn choose(&self, choices: &Choices) -> anyhow::Result<()> {
        Ok(replace(&self.path, "quickstart.json", &serde_json::to_vec(choices)?)?)
    }

    fn serving(&self) -> Option<Serving> {
        serde_json::from_slice(&fs::read(self.file("server.json")).ok()?).ok()
    }

    /// The process that serves the folder, if it is alive.
    pub(super) fn server(&self) -> Option<Identity> {
        let serving = self.serving().filter(|serving| serving.serves(&self.path))?;
        Some(serving.process).filter(Identity::is_alive)
    }

    /// Of a copy of another folder that no server has served since, or of one that was moved: what it was, and the
    /// process that served it then. The runs that it tells of are none of its own.
    pub(super) fn original(&self) -> Option<(String, Identity)> {
        let serving = self.serving().filter(|serving| !serving.serves(&self.path))?;
        Some((serving.folder, serving.process))
    }

    /// Where the server said that it listens. Of one that is alive and ready.
    pub(super) fn address(&self) -> Option<Address> {
        Address::announced_in(&fs::read_to_string(self.file("server.out")).ok()?)
    }

    /// Removes the folder with all that is in it, and the link that it was named by; the mark goes last, so that a
    /// removal that was stopped can go on. Whoever does that holds the server's lock. Answers why the folder, empty
    /// now, stays nevertheless, if it does.
    pub(super) fn remove(self, _alone: &DataLock) -> anyhow::Result<Option<io::Error>> {
        let emptied = || -> io::Result<()> {
            protium_engines::command::forget_runs(&self.runs())?;
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if [MARKER, DATA_LOCK].iter().any(|last| entry.file_name() == *last) {
                    continue;
                }
                match entry.file_type()?.is_dir() {
                    true => fs::remove_dir_all(entry.path())?,
                    false => fs::remove_file(entry.path())?,
                }
            }
            fs::remove_file(self.path.join(DATA_LOCK))?;
            fs::remove_file(self.path.join(MARKER))
        };
        let can_not = || format!("the folder {} can't be removed", self.path.display());
        emptied().with_context(can_not)?;
        match fs::remove_dir(&self.path) {
            Err(error) if may_stay(&error) => return Ok(Some(error)),
            removed => removed.with_context(can_not)?,
        }
        if let Some(link) = &self.link {
            fs::remove_file(link).with_context(|| format!("the link {} can't be removed", link.display()))?;
        }
        Ok(None)
    }
}

/// Whether an empty folder may stay that can't be removed: something is mounted there, or what it is in is not to be
/// written to.
fn may_stay(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), ResourceBusy | PermissionDenied | ReadOnlyFilesystem)
}

/// Writes down that this process serves the folder from now on.
pub(super) fn claim(folder: &Path) -> io::Result<()> {
    let process = Identity::of(std::process::id())?;
    let serving = Serving { process, folder: folder.canonicalize()?.to_string_lossy().into_owned() };
    replace(folder, "server.json", &serde_json::to_vec(&serving)?)
}

/// All of a file or nothing.
fn replace(folder: &Path, name: &str, body: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!("{name}.draft"));
    fs::write(&draft, body)?;
    fs::rename(draft, folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error<T>(done: anyhow::Result<T>) -> String {
        format!("{:#}", done.map(drop).unwrap_err())
    }

    /// Removes it, and nothing of it stays.
    fn remove(folder: Folder) {
        let alone = DataLock::take(folder.path()).unwrap();
        assert!(folder.remove(&alone).unwrap().is_none());
    }

    #[test]
    fn one_at_a_time_works_in_a_folder_and_all_of_it_goes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/quickstart");
        assert!(Folder::existing(&path).unwrap().is_none());
        let folder = Folder::open(&path).unwrap();
        assert!(error(Folder::open(&path)).contains("is at work in"));
        fs::create_dir_all(folder.runs().join("x/y")).unwrap();
        folder.choose(&Choices { allow_unsandboxed_runs: true, port: Some(8421) }).unwrap();
        drop(folder);
        let folder = Folder::existing(&path).unwrap().unwrap();
        assert_eq!((folder.choices().allow_unsandboxed_runs, folder.choices().port), (true, Some(8421)));
        remove(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis"), "42").unwrap();
        assert!(error(Folder::open(root.path())).contains("no folder of a quickstart"));
        assert!(error(Folder::existing(root.path())).contains("is not removed"));
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_folder_is_anybodys() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("empty");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        remove(Folder::existing(&path).unwrap().unwrap());
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let folder = Folder::open(&path).unwrap();
        assert_eq!(
            fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777,
            0o700,
            "and private from then on"
        );
    }

    #[test]
    fn a_link_goes_with_the_folder_that_it_names() {
        let root = tempfile::tempdir().unwrap();
        let (path, link) = (root.path().join("there"), root.path().join("here"));
        fs::create_dir(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        remove(Folder::open(&link.join("")).unwrap());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_empty_folder_stays_where_something_is_mounted_and_one_that_is_filled_anew_does_not() {
        let errors = [rustix::io::Errno::BUSY, rustix::io::Errno::ACCESS, rustix::io::Errno::NOTEMPTY];
        assert_eq!(errors.map(|error| may_stay(&error.into())), [true, true, false]);
    }

    #[test]
    fn a_copy_has_neither_the_server_nor_the_runs_of_the_original() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(&root.path().join("original")).unwrap();
        claim(folder.path()).unwrap();
        assert!(folder.server().is_some() && folder.original().is_none());
        let copy = Folder::open(&root.path().join("copy")).unwrap();
        fs::copy(folder.file("server.json"), copy.file("server.json")).unwrap();
        assert_eq!(copy.server(), None);
        let (original, process) = copy.original().unwrap();
        assert_eq!((Path::new(&original), process.pid()), (folder.path(), std::process::id()));
        claim(copy.path()).unwrap();
        assert!(copy.server().is_some() && copy.original().is_none());
    }

    #[test]
    fn a_server_is_known_by_more_than_its_number() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(&root.path().join("q")).unwrap();
        assert_eq!(folder.server(), None);
        claim(folder.path()).unwrap();
        assert_eq!(folder.server().map(|server| server.pid()), Some(std::process::id()));
        let text =
            fs::read_to_string(folder.file("server.json")).unwrap().replace("\"start_time\":", "\"start_time\":1");
        fs::write(folder.file("server.json"), text).unwrap();
        assert_eq!(folder.server(), None, "another process has that number now");
    }
}
