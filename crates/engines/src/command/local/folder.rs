//! The folder of a run: what stands where, and what may be said of a run by looking at it.
//!
//! `work` has the files of the bundle while the run lasts, `script` its commands, `log` its output, `outputs.json`
//! what it put out, `plan.txt` what it said before that it would do, `windows.json` names scripts of the bundle that
//! can't be run. `supervisor.json` says which process runs it: whoever made that, nobody else ever will. `stop` asks for
//! the end, and `end.json` says how it ended. The folder of its resource, one above, has `state`, which stays
//! from run to run. `service` is the folder of the process that a run leaves behind, with the same files for the time
//! until it answers.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::removal::remove;
use super::sandbox::Folders;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::command) enum Ended {
    /// By itself: with that status, in the command of that number, whose last lines those are.
    Exited { status: i32, command: Option<usize>, tail: String },
    /// Somebody asked for it.
    Stopped,
    /// Its time was over.
    TimedOut,
    /// It could not be begun.
    Refused(String),
    /// Nobody knows.
    Lost,
}

/// What is seen of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::command) enum Look {
    Runs,
    Ended(Ended),
}

/// What stays from one run of a resource to the next, beside its runs.
pub(super) const STATE: &str = "state";
/// The file of the process that runs it.
const SUPERVISOR: &str = "supervisor.json";
/// The file that names those of the bundle that were written on Windows.
const OF_WINDOWS: &str = "windows.json";

#[derive(Debug, Clone)]
pub(super) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The text that the shell of the run is given: in a file, since arguments are seen by all.
    pub(super) fn script(&self) -> PathBuf {
        self.path.join("script")
    }

    pub(super) fn outputs(&self) -> PathBuf {
        self.path.join("outputs.json")
    }

    /// What it said that it would do, if it did.
    pub(super) fn plan(&self) -> PathBuf {
        self.path.join("plan.txt")
    }

    /// The folder of the process that it leaves behind.
    pub(super) fn service(&self) -> Self {
        Self { path: self.path.join("service") }
    }

    /// What stays from one run of the resource to the next.
    pub(super) fn state(&self) -> PathBuf {
        self.path.with_file_name(STATE)
    }

    /// Writes the files of a bundle, and those made for this run, before anybody has claimed it.
    pub(super) fn write(&self, bundle: &BTreeMap<String, Vec<u8>>, made: &BTreeMap<String, String>) -> io::Result<()> {
        if self.is_claimed() {
            return Ok(());
        }
        folder(&self.path)?;
        let work = self.work();
        remove(&work)?;
        folder(&work)?;
        // What is made for this run takes the place of what the bundle has for trials.
        let mut files: BTreeMap<&String, &[u8]> =
            bundle.iter().map(|(path, content)| (path, content.as_slice())).collect();
        files.extend(made.iter().map(|(path, text)| (path, text.as_bytes())));
        let of_windows: Vec<_> =
            files.iter().filter(|(_, content)| is_of_windows(content)).map(|(path, _)| path).collect();
        if !of_windows.is_empty() {
            self.put(OF_WINDOWS, &serde_json::to_vec(&of_windows)?)?;
        }
        for (path, content) in files {
            let path = work.join(path);
            if let Some(parent) = path.parent() {
                folder(parent)?;
            }
            // Uploads lose which files are programs; those that name their interpreter are.
            let mode = if content.starts_with(b"#!") { 0o700 } else { 0o600 };
            OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(content)?;
        }
        Ok(())
    }

    /// The files of the bundle whose interpreter can't be found, since their lines end as on Windows.
    pub(super) fn of_windows(&self) -> io::Result<Vec<String>> {
        self.read(OF_WINDOWS).map(Option::unwrap_or_default)
    }

    /// The folders that the run may write to.
    pub(super) fn folders(&self) -> io::Result<Folders> {
        let temporary = self.path.join("tmp");
        let folders = Folders { work: self.work(), state: self.state(), temporary, script: self.script() };
        for path in [&folders.work, &folders.state, &folders.temporary] {
            folder(path)?;
        }
        Ok(folders)
    }

    pub(super) fn put_script(&self, text: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.script())?;
        file.write_all(text.as_bytes())
    }

    /// Whether this process, and none before, is the one to run it. It is on disk when this returns.
    pub(super) fn claim(&self) -> io::Result<bool> {
        let me = Identity::of(std::process::id())?;
        let own = format!("supervisor.{}", std::process::id());
        self.put(&own, &serde_json::to_vec(&me)?)?;
        let own = self.path.join(own);
        // A link is made with its content, or not at all.
        let linked = fs::hard_link(&own, self.path.join(SUPERVISOR));
        fs::remove_file(own)?;
        match linked {
            Ok(()) => File::open(&self.path)?.sync_all().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) fn is_claimed(&self) -> bool {
        self.path.join(SUPERVISOR).exists()
    }

    /// Takes room for the end: on a full disk a run still ends with a word.
    pub(super) fn reserve(&self, bytes: usize) -> io::Result<()> {
        fs::write(self.part("end.json"), vec![b' '; bytes])
    }

    pub(super) fn end(&self, ended: &Ended) -> io::Result<()> {
        // The temporary folder is of no use any more; what can't be removed stays until the resource goes.
        let _ = remove(&self.path.join("tmp"));
        let _ = fs::remove_file(self.script());
        self.put("end.json", &serde_json::to_vec(ended)?)
    }

    /// Asks whoever runs it to stop. One that nobody runs yet never will be.
    pub(super) fn stop(&self) -> io::Result<()> {
        folder(&self.path)?;
        // An empty file can be made also where there is no room for a word.
        let asked = File::create(self.path.join("stop")).map(drop);
        if self.is_claimed() {
            return asked;
        }
        // Who claims it nevertheless is asked before anything is run.
        self.never().or(asked)
    }

    /// Ends one that nobody has begun.
    fn never(&self) -> io::Result<()> {
        if !self.claim()? {
            return Ok(());
        }
        let ended = self.end(&Ended::Stopped);
        if ended.is_err() {
            // Else this process would seem to run it.
            let _ = fs::remove_file(self.path.join(SUPERVISOR));
        }
        ended
    }

    /// Whether somebody asked for its end. Who removes the folder does.
    pub(super) fn is_to_stop(&self) -> bool {
        self.path.join("stop").exists() || !self.path.exists()
    }

    /// Nobody asks for the end any more.
    pub(super) fn forget_stop(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join("stop")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Where its supervisor says what goes wrong with itself.
    pub(super) fn complaints_file(&self) -> PathBuf {
        self.path.join("supervisor.log")
    }

    /// What its supervisor said there.
    pub(super) fn complaints(&self) -> String {
        fs::read_to_string(self.complaints_file()).unwrap_or_default().trim().to_owned()
    }

    /// What is known of it.
    pub(super) fn look(&self) -> io::Result<Look> {
        if let Some(ended) = self.read("end.json")? {
            return Ok(Look::Ended(ended));
        }
        let runs = self.read::<Identity>(SUPERVISOR)?.is_some_and(|supervisor| supervisor.is_alive());
        // It may have ended between the two looks.
        Ok(match self.read("end.json")? {
            Some(ended) => Look::Ended(ended),
            None if runs => Look::Runs,
            None => Look::Ended(Ended::Lost),
        })
    }

    /// Whether it has ended with a word. One that is lost has not.
    pub(super) fn has_ended(&self) -> bool {
        self.path.join("end.json").exists()
    }

    /// Whether somebody runs it.
    pub(super) fn is_run(&self) -> io::Result<bool> {
        Ok(self.is_claimed() && self.look()? == Look::Runs)
    }

    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> io::Result<Option<T>> {
        read(&self.path.join(name))
    }

    fn part(&self, name: &str) -> PathBuf {
        part(&self.path, name)
    }

    fn put(&self, name: &str, body: &[u8]) -> io::Result<()> {
        put(&self.path, name, body)
    }
}

/// Whether a file names its interpreter in a line that ends as on Windows.
fn is_of_windows(content: &[u8]) -> bool {
    content.starts_with(b"#!") && content.split(|byte| *byte == b'\n').next().is_some_and(|line| line.ends_with(b"\r"))
}

/// What a file of JSON says, if it is there.
pub(super) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(body) => Ok(Some(serde_json::from_slice(&body)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// All of a file or nothing, for its owner only, and on disk when this returns.
pub(super) fn put(folder: &Path, name: &str, body: &[u8]) -> io::Result<()> {
    let part = part(folder, name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&part)?;
    file.write_all(body)?;
    file.set_len(body.len() as u64)?;
    file.sync_all()?;
    fs::rename(&part, folder.join(name))?;
    File::open(folder)?.sync_all()
}

fn part(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.part"))
}

/// A folder that only this user can look into.
pub(super) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn run() -> (tempfile::TempDir, RunFolder) {
        let root = tempfile::tempdir().unwrap();
        let run = RunFolder::at(&root.path().join("resource/deployment"));
        run.write(
            &BTreeMap::from([("a/b.sh".into(), b"#!/bin/sh".to_vec())]),
            &BTreeMap::from([("in".into(), "x".into())]),
        )
        .unwrap();
        (root, run)
    }

    #[test]
    fn files_are_written_again_until_somebody_claims_them() {
        let (_root, run) = run();
        assert_eq!(fs::metadata(run.work().join("a/b.sh")).unwrap().permissions().mode() & 0o777, 0o700);
        let other = BTreeMap::from([("in".to_owned(), "y".to_owned())]);
        let trial = BTreeMap::from([("in".to_owned(), b"for trials".to_vec())]);
        run.write(&trial, &other).unwrap();
        assert_eq!(fs::read_to_string(run.work().join("in")).unwrap(), "y", "what is made takes its place");
        assert!(!run.work().join("a").exists());
        assert!(run.claim().unwrap() && !run.claim().unwrap());
        run.write(&BTreeMap::new(), &BTreeMap::new()).unwrap();
        assert!(run.work().join("in").exists(), "it is running");
    }

    #[test]
    fn scripts_that_were_written_on_windows_are_known() {
        let (_root, run) = run();
        assert!(run.of_windows().unwrap().is_empty());
        let bundle = [
            ("bad.sh", "#!/bin/sh\r\ntrue\r\n"),
            ("good.sh", "#!/bin/sh\ntrue\r\n"),
            ("short.sh", "#!/bin/sh\r"),
            ("text", "one\r\ntwo\r\n"),
        ];
        let bundle = bundle.map(|(path, content)| (path.to_owned(), content.as_bytes().to_vec()));
        run.write(&bundle.into(), &BTreeMap::new()).unwrap();
        assert_eq!(run.of_windows().unwrap(), ["bad.sh", "short.sh"]);
        assert_eq!(fs::read(run.work().join("bad.sh")).unwrap(), b"#!/bin/sh\r\ntrue\r\n", "it is left as it is");
    }

    #[test]
    fn what_is_seen_of_a_run_follows_its_files() {
        let (_root, run) = run();
        assert!(!run.is_run().unwrap());
        run.claim().unwrap();
        assert!(run.is_run().unwrap());
        run.reserve(4096).unwrap();
        let end = Ended::Exited { status: 3, command: Some(1), tail: "bad".into() };
        run.end(&end).unwrap();
        assert_eq!(run.look().unwrap(), Look::Ended(end));
        assert!(!run.is_run().unwrap());
    }

    #[test]
    fn a_run_whose_supervisor_is_gone_is_lost() {
        let (_root, run) = run();
        let mut other = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        run.put(SUPERVISOR, &serde_json::to_vec(&Identity::of(other.id()).unwrap()).unwrap()).unwrap();
        assert_eq!(run.look().unwrap(), Look::Runs);
        drop(other.stdin.take());
        other.wait().unwrap();
        assert_eq!(run.look().unwrap(), Look::Ended(Ended::Lost));
    }

    #[test]
    fn a_run_that_is_stopped_before_it_began_never_begins() {
        let (_root, run) = run();
        run.stop().unwrap();
        assert_eq!(run.look().unwrap(), Look::Ended(Ended::Stopped));
        assert!(!run.claim().unwrap());
    }

    #[test]
    fn a_run_is_stopped_also_where_nothing_can_be_written() {
        let own = format!("supervisor.{}", std::process::id());
        for (claimed, in_the_way) in [(true, own.as_str()), (false, own.as_str()), (false, "end.json")] {
            let (_root, run) = run();
            assert!(!claimed || run.claim().unwrap());
            // As on a full disk, no word can be put there.
            fs::create_dir(run.path().join(in_the_way)).unwrap();
            assert!(!run.is_to_stop());
            run.stop().unwrap();
            assert!(run.is_to_stop());
            assert_eq!(run.is_run().unwrap(), claimed, "{in_the_way}");
            fs::remove_dir(run.path().join(in_the_way)).unwrap();
        }
    }
}
