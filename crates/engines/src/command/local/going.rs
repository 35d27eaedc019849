//! Runs that go on, found by their files alone. Whether one should is the caller's to say.

use std::io;
use std::path::Path;

use super::folder::RunFolder;
use super::{folders_in, runs_in};

/// A run that somebody runs.
#[derive(Debug, Clone)]
pub struct GoingRun {
    /// The id of the deployment that it is of.
    pub deployment: String,
    files: RunFolder,
}

impl GoingRun {
    /// Asks for its end, and that of all that it began. One that has ended meanwhile is left as it is.
    ///
    /// # Errors
    ///
    /// When its folder can't be written.
    pub fn stop(&self) -> io::Result<()> {
        if self.files.has_ended() { Ok(()) } else { self.files.stop() }
    }
}

/// The runs in `folder` that go on and that nobody has asked to end. Empty where there is no such folder. Processes that
/// runs have left behind are none.
///
/// # Errors
///
/// When the folder can't be read.
pub fn going_runs(folder: &Path) -> io::Result<Vec<GoingRun>> {
    let mut going = Vec::new();
    for resource in folders_in(folder)? {
        for path in runs_in(&resource)? {
            let files = RunFolder::at(&path);
            // What can't be understood is of no run that is known. Most have ended, and are not to be read each time.
            if files.has_ended() || files.is_to_stop() || !files.is_run().unwrap_or_default() {
                continue;
            }
            let deployment = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            going.extend(deployment.map(|deployment| GoingRun { deployment, files }));
        }
    }
    Ok(going)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use crate::command::local::folder::{Ended, STATE};

    #[test]
    fn runs_go_on_until_they_have_ended_or_are_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        assert!(going_runs(&folder.path().join("none")).unwrap().is_empty());
        let run = |name: &str| {
            let run = RunFolder::at(&folder.path().join("resource").join(name));
            run.write(&BTreeMap::new(), &BTreeMap::new()).unwrap();
            run
        };
        run("written");
        for name in ["goes-on", "ended"] {
            assert!(run(name).claim().unwrap());
        }
        run("ended").end(&Ended::Stopped).unwrap();
        fs::write(run("not-understood").path().join("supervisor.json"), "{").unwrap();
        let going = going_runs(folder.path()).unwrap();
        assert_eq!(going.iter().map(|run| run.deployment.as_str()).collect::<Vec<_>>(), ["goes-on"]);
        going[0].stop().unwrap();
        assert!(run("goes-on").is_to_stop() && going_runs(folder.path()).unwrap().is_empty(), "it is asked once");
        assert!(run("ends").claim().unwrap());
        let going = going_runs(folder.path()).unwrap();
        run("ends").end(&Ended::Stopped).unwrap();
        going[0].stop().unwrap();
        assert!(!run("ends").is_to_stop());
    }

    #[test]
    fn what_a_run_puts_where_it_may_write_is_taken_for_no_run() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("resource").join(STATE);
        fs::create_dir_all(&state).unwrap();
        // Whoever opened a pipe would wait for somebody to write there.
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, state.join("supervisor.json"), rustix::fs::FileType::Fifo, mode, 0)
            .unwrap();
        assert!(going_runs(folder.path()).unwrap().is_empty());
        assert!(super::super::stop_runs(folder.path()).unwrap());
    }
}
