//! The place of the one process that a resource has: what should be up there, and who may change it.
//!
//! In the folder of the resource. `service.json` says what should be up; a process is named there when it has
//! answered. `service.lock` is locked by the supervisor that holds the process: there is no second one while it
//! lives. `service.turn` is locked by whoever replaces, begins or stops it. `service.log` is its output, and
//! `service.log.1` what was before that.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::folder::{RunFolder, put, read};
use crate::{Process, Role};

/// A process that should be up, as it is kept on disk: without the session of its role, and without secrets.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::command) struct Kept {
    /// The deployment whose run left it; it lives in the folder of that.
    pub deployment: String,
    pub process: Process,
    /// By name, later ones before those of the same name.
    pub variables: Vec<(String, String)>,
    /// Further ones, and where in AWS Secrets Manager their values are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<(String, String)>,
    /// In whose name it works.
    pub role: Option<Role>,
    /// The AWS region of its session.
    pub region: String,
}

const KEPT: &str = "service.json";
const LOCK: &str = "service.lock";
const TURN: &str = "service.turn";
const LOG: &str = "service.log";
const FORMER_LOG: &str = "service.log.1";

#[derive(Debug, Clone)]
pub(super) struct Place {
    folder: PathBuf,
}

/// Nobody else has it while this is there.
#[derive(Debug)]
pub(super) struct Hold {
    _file: File,
}

impl Place {
    /// In the folder of a resource.
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// That of the resource whose run it is.
    pub(super) fn of(run: &RunFolder) -> Self {
        Self::at(run.path().parent().unwrap_or(run.path()))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The run of a deployment of the resource.
    pub(super) fn run(&self, deployment: &str) -> RunFolder {
        RunFolder::at(&self.folder.join(deployment))
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join(LOG)
    }

    /// Whether the resource has, or had, a process.
    pub(super) fn is_known(&self) -> bool {
        self.folder.join(KEPT).exists() || self.folder.join(LOCK).exists()
    }

    /// What should be up.
    pub(super) fn kept(&self) -> io::Result<Option<Kept>> {
        read(&self.folder.join(KEPT))
    }

    /// Says what should be up from now on.
    pub(super) fn keep(&self, kept: &Kept) -> io::Result<()> {
        put(&self.folder, KEPT, &serde_json::to_vec(kept)?)
    }

    /// Nothing should be up from now on.
    pub(super) fn forget(&self) -> io::Result<()> {
        match fs::remove_file(self.folder.join(KEPT)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Whether a supervisor is there.
    pub(super) fn is_held(&self) -> io::Result<bool> {
        if !self.folder.join(LOCK).exists() {
            return Ok(false);
        }
        Ok(self.hold()?.is_none())
    }

    /// The supervisor's own hold, if nobody has it.
    pub(super) fn hold(&self) -> io::Result<Option<Hold>> {
        self.locked(LOCK)
    }

    /// The right to replace, begin or stop the process, if nobody has it.
    pub(super) fn turn(&self) -> io::Result<Option<Hold>> {
        self.locked(TURN)
    }

    /// Removes its files, unless something should be up or somebody is at it.
    pub(super) fn remove(&self) -> io::Result<()> {
        if [LOCK, TURN, LOG, FORMER_LOG].iter().all(|name| !self.folder.join(name).exists()) {
            return Ok(());
        }
        let (Some(_turn), Some(_hold), None) = (self.turn()?, self.hold()?, self.kept()?) else { return Ok(()) };
        // What is locked last: who stops in between leaves a place that is known.
        for name in [LOG, FORMER_LOG, TURN, LOCK] {
            match fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
        Ok(())
    }

    fn locked(&self, name: &str) -> io::Result<Option<Hold>> {
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.folder.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Hold { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_should_be_up_is_for_its_owner_only_and_can_be_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::at(folder.path());
        assert!(!place.is_known() && place.kept().unwrap().is_none());
        let kept = Kept {
            deployment: "d".into(),
            process: Process { command: "serve".into(), port: 8080, ready_path: "/".into() },
            variables: vec![("A".into(), "b".into())],
            secrets: Vec::new(),
            role: None,
            region: "eu-west-1".into(),
        };
        place.keep(&kept).unwrap();
        let mode = fs::metadata(folder.path().join(KEPT)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(place.kept().unwrap().unwrap().variables, kept.variables);
        assert!(place.is_known());
        place.forget().unwrap();
        place.forget().unwrap();
        assert!(place.kept().unwrap().is_none());
    }

    #[test]
    fn one_holds_it_and_one_has_the_turn() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::at(folder.path());
        assert!(!place.is_held().unwrap());
        let hold = place.hold().unwrap().unwrap();
        assert!(place.is_held().unwrap() && place.hold().unwrap().is_none());
        let turn = place.turn().unwrap().unwrap();
        assert!(place.turn().unwrap().is_none());
        drop((hold, turn));
        assert!(!place.is_held().unwrap() && place.turn().unwrap().is_some());
    }
}
