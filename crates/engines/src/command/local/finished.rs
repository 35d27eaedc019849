//! Logs of runs that have ended, and which of them are copied elsewhere.
//!
//! Knows files alone. That nobody writes a log any more is known of runs on this machine; of others, the caller knows
//! whether their deployment has ended.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::folder::RunFolder;
use super::log::LogLine;
use super::{folders_in, off, runs_in};

/// Says how large a log was when it was copied: one that has grown since is copied again.
const KEPT: &str = "log.kept";

/// A log that no run on this machine writes any more, and that is not copied.
#[derive(Debug, Clone)]
pub struct FinishedLog {
    /// The id of the deployment that it is of.
    pub deployment: String,
    folder: PathBuf,
}

/// What a log has.
pub(in crate::command) struct Part {
    /// The time of its first line, in milliseconds since the epoch; 0 if there is none.
    pub first: i64,
    pub text: Vec<u8>,
}

impl FinishedLog {
    /// All of it, up to the last whole line.
    pub(in crate::command) async fn read(&self) -> io::Result<Part> {
        let path = RunFolder::at(&self.folder).log();
        off(move || {
            let mut text = fs::read(path)?;
            text.truncate(text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
            let line = text.split(|&byte| byte == b'\n').find_map(|line| serde_json::from_slice::<LogLine>(line).ok());
            Ok(Part { first: line.map_or(0, |line| line.at.max(0)), text })
        })
        .await
    }

    /// Notes that it is copied as it is now.
    ///
    /// # Errors
    ///
    /// When its folder can't be written.
    pub fn is_kept(&self) -> io::Result<()> {
        let size = fs::metadata(RunFolder::at(&self.folder).log())?.len();
        fs::write(self.folder.join(KEPT), size.to_string())
    }
}

/// The logs in `folder` that are to be copied. Empty where there is no such folder.
///
/// # Errors
///
/// When the folder can't be read.
pub fn finished_logs(folder: &Path) -> io::Result<Vec<FinishedLog>> {
    let mut found = Vec::new();
    for resource in folders_in(folder)? {
        for path in runs_in(&resource)? {
            let run = RunFolder::at(&path);
            let Ok(size) = fs::metadata(run.log()).map(|about| about.len()) else { continue };
            let kept = fs::read_to_string(path.join(KEPT)).ok().and_then(|kept| kept.parse().ok());
            // What can't be understood is of no run that is known.
            if kept == Some(size) || run.is_run().unwrap_or(true) {
                continue;
            }
            let deployment = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            found.extend(deployment.map(|deployment| FinishedLog { deployment, folder: path }));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_found_until_it_is_kept_and_again_when_it_has_grown() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("r/d");
        fs::create_dir_all(&run).unwrap();
        fs::create_dir_all(folder.path().join("r/state")).unwrap();
        fs::write(folder.path().join("r/state/log"), "no log of ours").unwrap();
        let found = || finished_logs(folder.path()).unwrap();
        assert!(found().is_empty(), "there is none yet");
        fs::write(run.join("log"), "{\"t\":1,\"m\":\"a\"}\n").unwrap();
        let [log] = &found()[..] else { panic!("{:?}", found()) };
        assert_eq!(log.deployment, "d");
        log.is_kept().unwrap();
        assert!(found().is_empty());
        fs::write(run.join("log"), "{\"t\":1,\"m\":\"a\"}\n{\"t\":2,\"m\":\"b\"}\n").unwrap();
        assert_eq!(found().len(), 1);
        assert!(finished_logs(&folder.path().join("none")).unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_part_has_whole_lines_and_is_called_by_the_first() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("r/d")).unwrap();
        fs::write(folder.path().join("r/d/log"), "{\"t\":7,\"m\":\"a\"}\n{\"t\":8,").unwrap();
        let part = finished_logs(folder.path()).unwrap()[0].read().await.unwrap();
        assert_eq!((part.first, part.text.as_slice()), (7, &b"{\"t\":7,\"m\":\"a\"}\n"[..]));
    }
}
