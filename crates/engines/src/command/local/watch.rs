//! Waiting for what may happen to a run: that its process ends, or that somebody puts a word into its folder.

use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::folder::RunFolder;

/// How often is looked where the kernel tells nothing.
const LOOK: Duration = Duration::from_millis(250);

/// Sees that something is put into a folder, or that it is removed. It is there before what is watched for is looked
/// at: a request can't fall between the two. A user has so many of the kernel's and no more; who gets none looks every
/// now and then.
pub(super) struct Watch(Option<OwnedFd>);

impl Watch {
    /// On the folder of a run.
    pub(super) fn of(run: &RunFolder) -> io::Result<Self> {
        let made = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let watch = Self(unless_used_up(made)?).also(run.path(), WatchFlags::CREATE | WatchFlags::MOVED_TO)?;
        match run.path().parent() {
            // One whose files a sandbox shows does not say itself that it is removed.
            Some(parent) => watch.also(parent, WatchFlags::DELETE | WatchFlags::ONLYDIR),
            None => Ok(watch),
        }
    }

    /// On what leaves a folder, too, or takes another's place there.
    pub(super) fn and_changes_in(self, folder: &Path) -> io::Result<Self> {
        self.also(folder, WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO)
    }

    fn also(self, folder: &Path, what: WatchFlags) -> io::Result<Self> {
        let Some(watch) = self.0 else { return Ok(self) };
        let added = inotify::add_watch(&watch, folder, what);
        Ok(Self(unless_used_up(added)?.map(|_| watch)))
    }

    /// Waits until then, or until something happens.
    pub(super) fn pause(&self, until: Instant) -> io::Result<()> {
        self.wait(None, Some(until)).map(drop)
    }

    /// Waits until then, or until something happens. Whether the process has ended.
    pub(super) fn ended(&self, process: &OwnedFd, until: Option<Instant>) -> io::Result<bool> {
        self.wait(Some(process), until)
    }

    fn wait(&self, process: Option<&OwnedFd>, until: Option<Instant>) -> io::Result<bool> {
        let look = self.0.is_none().then(|| Instant::now() + LOOK);
        let until = until.into_iter().chain(look).min();
        let left = until.map(|until| Timespec::try_from(until.saturating_duration_since(Instant::now())));
        let left = left.transpose().map_err(|_| io::Error::other("a time limit beyond all bounds"))?;
        let mut waited: Vec<_> =
            process.into_iter().chain(&self.0).map(|waited| PollFd::new(waited, PollFlags::IN)).collect();
        match poll(&mut waited, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = process.is_some() && waited[0].revents().contains(PollFlags::IN);
        if let Some(watch) = &self.0 {
            drain(watch);
        }
        Ok(ended)
    }
}

/// `None` if the kernel gives no more of them.
fn unless_used_up<T>(made: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match made {
        Err(Errno::MFILE | Errno::NFILE | Errno::NOSPC) => Ok(None),
        made => Ok(Some(made?)),
    }
}

fn drain(watch: &OwnedFd) {
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    while events.next().is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, PidfdFlags};
    use std::process::{Command, Stdio};

    const LONG: Duration = Duration::from_secs(3600);

    fn run() -> (tempfile::TempDir, RunFolder) {
        let root = tempfile::tempdir().unwrap();
        let run = RunFolder::at(&root.path().join("run"));
        std::fs::create_dir(run.path()).unwrap();
        (root, run)
    }

    #[test]
    fn what_happened_since_it_is_there_is_seen() {
        let (root, run) = run();
        let watch = Watch::of(&run).unwrap().and_changes_in(root.path()).unwrap();
        std::fs::write(run.path().join("stop"), "").unwrap();
        watch.pause(Instant::now() + LONG).unwrap();
        std::fs::write(root.path().join("part"), "").unwrap();
        std::fs::rename(root.path().join("part"), root.path().join("whole")).unwrap();
        watch.pause(Instant::now() + LONG).unwrap();
        std::fs::remove_dir_all(run.path()).unwrap();
        watch.pause(Instant::now() + LONG).unwrap();
    }

    #[test]
    fn where_the_kernel_has_no_more_of_them_it_is_looked_every_now_and_then() {
        for used_up in [Errno::MFILE, Errno::NFILE, Errno::NOSPC] {
            assert!(unless_used_up::<()>(Err(used_up)).unwrap().is_none());
        }
        assert!(unless_used_up::<()>(Err(Errno::NOENT)).is_err());
        let (root, _run) = run();
        let watch = Watch(None).and_changes_in(root.path()).unwrap();
        watch.pause(Instant::now() + LONG).unwrap();
        let mut child = Command::new("/bin/cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::NONBLOCK).unwrap();
        assert!(!watch.ended(&process, None).unwrap());
        drop(child.stdin.take());
        while !watch.ended(&process, None).unwrap() {}
        child.wait().unwrap();
    }
}
