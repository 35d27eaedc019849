//! Runs that have ended long ago: which there are, and how their files go.
//!
//! Knows files alone. Whether somebody still needs a run, its log for one, is the caller's to say.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::folder::{RunFolder, STATE};
use super::removal::remove;
use super::{RunId, folder_of, service};

/// A run that nobody runs, of which nothing was written for long.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OldRun {
    /// The internal id of the resource.
    pub resource: String,
    /// The id of the deployment.
    pub deployment: String,
}

/// The runs in `folder` that nobody runs, and of which nothing was written since `before`. What resources keep from
/// run to run is none. Empty where there is no such folder. One whose files can't be read is among them, and refused by
/// [`remove_old_run`].
///
/// # Errors
///
/// When the folder can't be read.
pub fn old_runs(folder: &Path, before: SystemTime) -> io::Result<Vec<OldRun>> {
    let mut old = Vec::new();
    for resource in folders_in(folder)? {
        for deployment in folders_in(&folder.join(&resource))? {
            let run = OldRun { resource: resource.clone(), deployment };
            // One that can't be looked at holds up no other: its removal says why.
            if run.deployment != STATE && run.is_old(folder, before).unwrap_or(true) {
                old.push(run);
            }
        }
    }
    Ok(old)
}

/// Removes the files of a run from `folder`, unless it has been touched since `before`, and the folder of its resource
/// if nothing is kept there. `false` if it stays.
///
/// # Errors
///
/// When the files can't be read or removed.
pub fn remove_old_run(folder: &Path, run: &OldRun, before: SystemTime) -> io::Result<bool> {
    if !run.is_old(folder, before)? {
        return Ok(false);
    }
    remove(&run.files(folder))?;
    let resource = folder.join(&run.resource);
    if folders_in(&resource)?.is_empty() {
        service::remove_traces(&resource)?;
    }
    match fs::remove_dir(resource) {
        Err(error) if ![io::ErrorKind::DirectoryNotEmpty, io::ErrorKind::NotFound].contains(&error.kind()) => {
            Err(error)
        }
        Ok(()) | Err(_) => Ok(true),
    }
}

impl OldRun {
    fn files(&self, folder: &Path) -> PathBuf {
        folder_of(folder, &RunId { resource: self.resource.clone(), deployment: self.deployment.clone() })
    }

    /// Whether nobody runs it, it left no process that stays, and nothing was written there since. One that is gone is
    /// not old.
    fn is_old(&self, folder: &Path, before: SystemTime) -> io::Result<bool> {
        let files = self.files(folder);
        Ok(newest(&files)?.is_some_and(|newest| newest < before)
            && !RunFolder::at(&files).is_run()?
            && !service::is_of(&folder.join(&self.resource), &self.deployment)?)
    }
}

/// When a folder, or what is in it, was last changed. Not what is deeper down: a folder changes with its entries, and
/// whoever works there writes the log too.
fn newest(folder: &Path) -> io::Result<Option<SystemTime>> {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let entries = match fs::read_dir(folder) {
        Err(error) if gone(&error) => return Ok(None),
        entries => entries?,
    };
    let mut newest = fs::metadata(folder)?.modified()?;
    for entry in entries {
        match entry?.metadata() {
            Err(error) if gone(&error) => {}
            about => newest = newest.max(about?.modified()?),
        }
    }
    Ok(Some(newest))
}

/// The names of the folders in a folder.
fn folders_in(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        // It may go while it is looked for.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::time::Duration;

    use super::*;
    use crate::command::local::folder::Ended;

    /// What is known of a process that stays.
    const KEPT: &str = "{\"deployment\": \"left-a-process\", \"process\": {\"command\": \"true\", \"port\": 1, \
                        \"ready_path\": \"/\"}, \"variables\": [], \"role\": null, \"region\": \"r\"}";
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// Makes it as old as that.
    fn age(path: &Path, by: Duration) {
        let at = SystemTime::now() - by;
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                age(&entry.unwrap().path(), by);
            }
        }
        File::open(path).unwrap().set_modified(at).unwrap();
    }

    fn run(folder: &Path, resource: &str, deployment: &str) -> (RunFolder, PathBuf) {
        let path = folder.join(resource).join(deployment);
        let run = RunFolder::at(&path);
        run.write(&BTreeMap::new(), &BTreeMap::new()).unwrap();
        fs::create_dir_all(run.state()).unwrap();
        (run, path)
    }

    fn old(resource: &str, deployment: &str) -> OldRun {
        OldRun { resource: resource.into(), deployment: deployment.into() }
    }

    #[test]
    fn runs_are_old_when_nobody_runs_them_and_nothing_was_written_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        fs::write(folder.join("id"), "x").unwrap();
        for (deployment, by) in [("ended", DAY * 2), ("recent", DAY / 2), ("never-begun", DAY * 2)] {
            let (run, path) = run(folder, "a", deployment);
            if deployment != "never-begun" {
                run.claim().unwrap();
                run.end(&Ended::Stopped).unwrap();
            }
            age(&path, by);
        }
        let (going, path) = run(folder, "b", "goes-on");
        going.claim().unwrap();
        age(&path, DAY * 2);
        let (written, path) = run(folder, "b", "is-written-to");
        age(&path, DAY * 2);
        fs::write(written.log(), "").unwrap();
        age(&folder.join("a/state"), DAY * 2);
        let (left, path) = run(folder, "d", "left-a-process");
        left.claim().unwrap();
        left.end(&Ended::Stopped).unwrap();
        fs::write(folder.join("d/service.json"), KEPT).unwrap();
        age(&path, DAY * 2);
        let (_, path) = run(folder, "c", "unreadable");
        fs::write(path.join("supervisor.json"), "{").unwrap();
        age(&path, DAY * 2);
        let before = SystemTime::now() - DAY;
        let mut found = old_runs(folder, before).unwrap();
        found.sort();
        assert_eq!(found, [old("a", "ended"), old("a", "never-begun"), old("c", "unreadable")]);
        assert!(remove_old_run(folder, &found[2], before).is_err() && path.exists(), "it may go on");
        assert_eq!(old_runs(&folder.join("none"), before).unwrap(), []);
    }

    #[test]
    fn what_a_resource_keeps_stays_and_an_empty_folder_goes() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (resource, keeps) in [("kept", true), ("gone", false)] {
            let (run, path) = run(folder, resource, "run");
            run.claim().unwrap();
            run.end(&Ended::Stopped).unwrap();
            age(&path, DAY * 2);
            if !keeps {
                fs::remove_dir(run.state()).unwrap();
            }
            let (run, before) = (old(resource, "run"), SystemTime::now() - DAY);
            assert!(!remove_old_run(folder, &run, before - DAY * 2).unwrap(), "it is younger than that");
            assert!(remove_old_run(folder, &run, before).unwrap());
            assert!(!path.exists());
            assert_eq!(folder.join(resource).join("state").exists(), keeps);
            assert_eq!(folder.join(resource).exists(), keeps);
            assert!(!remove_old_run(folder, &run, before).unwrap(), "once");
        }
    }

    #[test]
    fn what_a_process_that_is_gone_leaves_goes_with_the_last_run() {
        const TRACES: [&str; 4] = ["service.log", "service.log.1", "service.lock", "service.turn"];
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for (resource, keeps) in [("gone", None), ("kept", Some("service.json")), ("held", Some("service.lock"))] {
            let last = ["first", "last"].map(|deployment| {
                let (run, path) = run(folder, resource, deployment);
                run.claim().unwrap();
                run.end(&Ended::Stopped).unwrap();
                let _ = fs::remove_dir(run.state());
                age(&path, DAY * 2);
                path
            });
            for name in TRACES {
                fs::write(folder.join(resource).join(name), "").unwrap();
            }
            let lock = File::open(folder.join(resource).join("service.lock")).unwrap();
            match keeps {
                Some("service.json") => fs::write(folder.join(resource).join("service.json"), KEPT).unwrap(),
                Some(_) => lock.try_lock().unwrap(),
                None => {}
            }
            let before = SystemTime::now() - DAY;
            assert!(remove_old_run(folder, &old(resource, "first"), before).unwrap());
            assert!(TRACES.iter().all(|name| folder.join(resource).join(name).exists()), "there is a run still");
            assert!(remove_old_run(folder, &old(resource, "last"), before).unwrap());
            assert!(last.iter().all(|path| !path.exists()));
            let left = TRACES.iter().filter(|name| folder.join(resource).join(name).exists()).count();
            assert_eq!((left, folder.join(resource).exists()), if keeps.is_some() { (4, true) } else { (0, false) });
        }
    }
}
