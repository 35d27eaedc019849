//! Removing folders that somebody else has filled: however deep, whatever their modes, wherever their links lead.
//!
//! What is deeper than one level below the top is moved up there, so neither the stack nor the number of open files
//! grows with the depth. Every folder is entered by a descriptor: no link is followed, also of one who changes them
//! meanwhile.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fd::{AsFd, AsRawFd as _, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, chmodat, fstat, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;

/// How long somebody who puts more and more into it is borne with.
const PATIENCE: Duration = Duration::from_secs(300);
/// The bytes of names that are read at a time.
const NAMES: usize = 8 << 10;

/// Removes a folder with all that is in it, also what its owner has made unwritable; of a link, or of what is no
/// folder, that alone. What is not there is removed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match enter(CWD, path) {
        Ok(top) => Ok(Removal { top, moved: 0 }.run(path)?),
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::NOTDIR | Errno::LOOP) => Ok(unlinkat(CWD, path, AtFlags::empty())?),
        Err(error) => Err(error.into()),
    }
}

struct Removal {
    top: OwnedFd,
    /// How many folders were moved up.
    moved: u64,
}

impl Removal {
    fn run(mut self, path: &Path) -> rustix::io::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.pass() {
                // Somebody else removes it too.
                Ok(()) | Err(Errno::NOENT) => {}
                failed => return failed,
            }
            match unlinkat(CWD, path, AtFlags::REMOVEDIR) {
                Err(Errno::NOENT) => return Ok(()),
                Err(Errno::NOTEMPTY | Errno::EXIST) if Instant::now() < until => {}
                removed => return removed,
            }
        }
    }

    /// Removes all that the top has now, but for what is moved there meanwhile.
    fn pass(&mut self) -> rustix::io::Result<()> {
        let top = openat(&self.top, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        each(&top, |name| {
            if is_removed(&top, name)? {
                return Ok(());
            }
            match enter(&top, name) {
                Ok(folder) => self.empty(&folder)?,
                // It is something else by now.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(error),
            }
            // Who puts something there meanwhile is met again in the next pass.
            is_removed(&top, name).map(drop)
        })
    }

    /// Removes what a folder has, and moves up what has something itself.
    fn empty(&mut self, folder: &OwnedFd) -> rustix::io::Result<()> {
        each(folder, |name| if is_removed(folder, name)? { Ok(()) } else { self.move_up(folder, name) })
    }

    fn move_up(&mut self, folder: &OwnedFd, name: &[u8]) -> rustix::io::Result<()> {
        let mut entered = false;
        loop {
            match renameat(folder, name, &self.top, format!(".removed-{}", self.moved)) {
                // It has a new place above, which its owner may have forbidden.
                Err(Errno::ACCESS) if !entered => {
                    // If that fails, the next attempt says why.
                    let _ = enter(folder, name);
                    entered = true;
                }
                // There is one of that name.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR | Errno::ISDIR) => self.moved += 1,
                Ok(()) | Err(Errno::NOENT) => {
                    self.moved += 1;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Opens a folder, and lets its owner read and change it. A link is none.
fn enter(at: impl AsFd, name: impl Arg) -> rustix::io::Result<OwnedFd> {
    const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    let found = openat(at, name, OFlags::PATH | FOLDER, Mode::empty())?;
    let mode = Mode::from_raw_mode(fstat(&found)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        // By its descriptor: the name may be a link by now. What can't be changed may be enough all the same.
        let _ = chmodat(CWD, format!("/proc/self/fd/{}", found.as_raw_fd()), mode | Mode::RWXU, AtFlags::empty());
    }
    openat(&found, ".", OFlags::RDONLY | FOLDER, Mode::empty())
}

/// Does something with each name in a folder that is open at its beginning.
fn each(folder: &OwnedFd, mut with: impl FnMut(&[u8]) -> rustix::io::Result<()>) -> rustix::io::Result<()> {
    let mut buffer = [MaybeUninit::uninit(); NAMES];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(entry) = entries.next() {
        let name = CString::from(entry?.file_name());
        if ![b".".as_slice(), b".."].contains(&name.as_bytes()) {
            with(name.as_bytes())?;
        }
    }
    Ok(())
}

/// Removes what has that name. `false` if it is a folder that has something itself.
fn is_removed(folder: &OwnedFd, name: &[u8]) -> rustix::io::Result<bool> {
    let removed = match unlinkat(folder, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => unlinkat(folder, name, AtFlags::REMOVEDIR),
        removed => removed,
    };
    match removed {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        // It became another kind in between.
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::process::{Command, Stdio};
    use std::thread;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn no_depth_is_too_deep() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().join("top");
        fs::create_dir(&top).unwrap();
        let mut last = enter(CWD, &top).unwrap();
        for _ in 0..20_000 {
            rustix::fs::mkdirat(&last, "deeper", Mode::RWXU).unwrap();
            rustix::fs::symlinkat("/", &last, "link").unwrap();
            last = enter(&last, "deeper").unwrap();
        }
        drop(last);
        let removal = thread::Builder::new().stack_size(256 << 10).spawn(move || remove(&top).map(|()| top)).unwrap();
        assert!(!removal.join().unwrap().unwrap().exists());
    }

    #[test]
    fn links_are_removed_and_not_what_they_lead_to() {
        let root = tempfile::tempdir().unwrap();
        let [top, other] = ["top", "other"].map(|name| root.path().join(name));
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(other.join("file"), "x").unwrap();
        set_mode(&other, 0o500);
        for link in ["link", "a/link", "a/b/c/link", ".removed-0"] {
            symlink(&other, top.join(link)).unwrap();
        }
        symlink(&top, root.path().join("to-top")).unwrap();
        remove(&root.path().join("to-top")).unwrap();
        assert!(top.join("a").exists() && !root.path().join("to-top").is_symlink());
        remove(&top).unwrap();
        remove(&top).unwrap();
        assert!(!top.exists());
        assert_eq!(fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o500);
        assert_eq!(fs::read_to_string(other.join("file")).unwrap(), "x");
        set_mode(&other, 0o700);
        remove(&other.join("file")).unwrap();
        assert!(!other.join("file").exists());
    }

    #[test]
    fn what_its_owner_may_not_enter_goes_too() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().join("top");
        let folders = ["", "a", "a/b", "a/b/c", "a/b/c/d", ".removed-0", ".removed-0/x"].map(|name| top.join(name));
        for (folder, mode) in folders.iter().zip([0o300, 0o100, 0o500, 0, 0, 0, 0]).rev() {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("file"), "x").unwrap();
            // Those above are changed after those below.
            set_mode(folder, mode);
        }
        remove(&top).unwrap();
        assert!(!top.exists());
    }

    #[test]
    fn one_who_writes_meanwhile_is_outlasted() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().join("top");
        let script = "i=0; while mkdir -p \"$1/a/$i/b\" && [ $i -lt 300 ]; do : > \"$1/a/$i/b/f\"; i=$((i + 1)); done";
        let mut writer =
            Command::new("/bin/sh").args(["-c", script, "sh"]).arg(&top).stderr(Stdio::null()).spawn().unwrap();
        while writer.try_wait().unwrap().is_none() {
            remove(&top).unwrap();
        }
        remove(&top).unwrap();
        assert!(!top.exists());
    }
}
