//! What a run sees of the machine: bubblewrap where it works, Landlock in any case; on a Mac, `sandbox-exec`.
//!
//! Owns the folders that are shown, and the command line that shows them. A run sees the system's programs and
//! libraries, its own folders, and nothing of the server or of other users.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::confine::Confinement;
use super::seatbelt::{self, Seatbelt};

/// Below these are the programs of a system and what they need; those that exist are shown.
const SYSTEM: [&str; 6] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt"];
/// What programs need of the configuration. Not all of it: there are keys there.
const CONFIGURATION: [&str; 11] = [
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/mime.types",
];
/// The bytes of a run's temporary folder under bubblewrap.
const TEMPORARY: &str = "1073741824";
/// Where bubblewrap is looked for.
const BUBBLEWRAP: &str = "/usr/local/bin:/usr/bin:/bin";
/// Where bubblewrap shows this program.
const SELF: &str = "/protium/program";

/// Where the sandbox shows the folders of a run.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    /// The files of the bundle; where commands begin.
    pub work: PathBuf,
    /// What stays from one run of a resource to the next.
    pub state: PathBuf,
    /// For what nobody needs afterwards.
    pub temporary: PathBuf,
    /// What the shell is given.
    pub script: PathBuf,
}

/// What works on this machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sandbox {
    /// This program, which confines itself before it becomes a command.
    pub program: PathBuf,
    pub bubblewrap: bool,
    pub landlock: bool,
    /// The sandbox of a Mac.
    #[serde(default)]
    pub seatbelt: bool,
    pub deny_network: bool,
    /// Folders with further programs.
    pub tools: Vec<PathBuf>,
}

impl Sandbox {
    /// Tries what works. The messages say why something does not.
    pub(super) fn probe(program: &Path, tools: &[PathBuf], deny_network: bool) -> (Self, Vec<String>) {
        let mut sandbox = Self {
            program: program.to_owned(),
            bubblewrap: false,
            landlock: false,
            seatbelt: false,
            deny_network,
            tools: tools.to_vec(),
        };
        let mut why = Vec::new();
        let script = "/etc/hosts".into();
        let folders = Folders { work: "/tmp".into(), state: "/tmp".into(), temporary: "/tmp".into(), script };
        if cfg!(target_os = "macos") {
            match sandbox
                .seatbelted(&folders, &["/usr/bin/true".to_owned()])
                .map_err(|error| error.to_string())
                .and_then(works)
            {
                Ok(()) => sandbox.seatbelt = true,
                Err(error) => why.push(format!("sandbox-exec does not work here: {error}")),
            }
            return (sandbox, why);
        }
        let attempt = Self { landlock: true, ..sandbox.clone() };
        match works(attempt.landlocked(&folders, &["/bin/true".to_owned()])) {
            Ok(()) => sandbox.landlock = true,
            Err(error) => why.push(format!("Landlock does not work here: {error}")),
        }
        let attempt = Self { bubblewrap: true, ..sandbox.clone() };
        match works(attempt.wrapped(&folders, &["/bin/true".to_owned()])) {
            Ok(()) => sandbox.bubblewrap = true,
            Err(error) => why.push(format!("bubblewrap (bwrap) does not work here: {error}")),
        }
        (sandbox, why)
    }

    /// Whether a run is kept from the rest of the machine at all. Landlock leaves a root all that is no file.
    pub(super) fn holds(&self) -> bool {
        self.bubblewrap || self.seatbelt || self.landlock && !rustix::process::getuid().is_root()
    }

    /// The folder that all runs see in which `path` is, if it is in one.
    pub(super) fn shows(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let path = path.canonicalize()?;
        let shown = SYSTEM.iter().map(PathBuf::from).chain(self.tools.iter().cloned());
        Ok(shown.into_iter().find(|shown| shown.canonicalize().is_ok_and(|shown| path.starts_with(shown))))
    }

    /// The folders as a run sees them.
    pub(super) fn seen(&self, folders: &Folders) -> Folders {
        match self.bubblewrap {
            true => Folders {
                work: "/protium/work".into(),
                state: "/protium/state".into(),
                temporary: "/tmp".into(),
                script: "/protium/script".into(),
            },
            false => folders.clone(),
        }
    }

    /// This program, where a run sees it.
    pub(super) fn seen_program(&self) -> PathBuf {
        if self.bubblewrap { SELF.into() } else { self.program.clone() }
    }

    /// The folders that programs are looked for in.
    pub(super) fn path(&self) -> String {
        let tools = self.tools.iter().map(|tools| {
            let bin = tools.join("bin");
            if bin.is_dir() { bin } else { tools.clone() }
        });
        let mut path: Vec<String> = tools.map(|folder| folder.display().to_string()).collect();
        path.push("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        path.join(":")
    }

    /// Whether runs can be kept from the network.
    pub(super) fn denies_network(&self) -> bool {
        self.bubblewrap || self.seatbelt
    }

    /// What to start for a run of `command`, in an environment that is still to be set.
    ///
    /// # Errors
    ///
    /// When a folder can't be looked at, or has a name that no sandbox can be told of.
    pub(super) fn command(&self, folders: &Folders, command: &[String]) -> io::Result<Command> {
        match (self.bubblewrap, self.seatbelt) {
            (true, _) => Ok(self.wrapped(folders, command)),
            (false, true) => self.seatbelted(folders, command),
            (false, false) => Ok(self.landlocked(folders, command)),
        }
    }

    /// The sandbox holds this program, which limits itself and becomes the command.
    fn seatbelted(&self, folders: &Folders, command: &[String]) -> io::Result<Command> {
        // A profile knows paths without links: /tmp is one, on a Mac.
        let real =
            |paths: Vec<PathBuf>| paths.into_iter().map(|path| path.canonicalize()).collect::<io::Result<Vec<_>>>();
        let readable = [folders.script.clone(), self.program.clone()].into_iter().chain(self.tools.iter().cloned());
        let (readable, writable) = (
            real(readable.collect())?,
            real(vec![folders.work.clone(), folders.state.clone(), folders.temporary.clone()])?,
        );
        let seatbelt = Seatbelt { readable: &readable, writable: &writable, deny_network: self.deny_network };
        let profile = seatbelt.profile().map_err(io::Error::other)?;
        let mut started = Command::new(seatbelt::PROGRAM);
        started.env_clear().arg("-p").arg(profile).arg(&self.program).args(self.confined(folders, command));
        started.current_dir(&folders.work);
        Ok(started)
    }

    fn landlocked(&self, folders: &Folders, command: &[String]) -> Command {
        let mut started = Command::new(&self.program);
        started.env_clear().args(self.confined(folders, command)).current_dir(&folders.work);
        started
    }

    /// The arguments with which this program confines itself and becomes `command`.
    fn confined(&self, seen: &Folders, command: &[String]) -> Vec<String> {
        // Below bubblewrap it is the run's own; else all users share it.
        let shared = self.bubblewrap.then(|| "/dev/shm".into());
        let system = SYSTEM.iter().chain(&CONFIGURATION).map(PathBuf::from).chain(["/proc".into()]);
        let own = [seen.script.clone(), self.seen_program()];
        let confinement = Confinement {
            readable: system.chain(self.tools.iter().cloned()).chain(own).collect(),
            writable: [&seen.work, &seen.state, &seen.temporary].into_iter().cloned().chain(shared).collect(),
            landlock: self.landlock,
            // Below bubblewrap, everything dies with its first process.
            dies_with_parent: !self.bubblewrap,
        };
        let confinement = serde_json::to_string(&confinement).unwrap_or_default();
        ["run-confined".to_owned(), confinement, "--".to_owned()].into_iter().chain(command.iter().cloned()).collect()
    }

    fn wrapped(&self, folders: &Folders, command: &[String]) -> Command {
        let mut started = Command::new("bwrap");
        started.env_clear().env("PATH", BUBBLEWRAP).args([
            "--unshare-user",
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup-try",
            "--disable-userns",
            "--die-with-parent",
            "--new-session",
            "--cap-drop",
            "ALL",
            "--hostname",
            "run",
            // As root, programs would try what a root without capabilities can't.
            "--uid",
            "1000",
            "--gid",
            "1000",
        ]);
        if self.deny_network {
            started.arg("--unshare-net");
        }
        for folder in SYSTEM {
            match std::fs::read_link(folder) {
                Ok(target) => started.arg("--symlink").arg(target).arg(folder),
                Err(_) => started.args(["--ro-bind-try", folder, folder]),
            };
        }
        for path in CONFIGURATION {
            started.args(["--ro-bind-try", path, path]);
        }
        started.args(["--proc", "/proc", "--dev", "/dev", "--size", TEMPORARY, "--tmpfs", "/tmp"]);
        // After those, which would hide what is below them.
        for tools in &self.tools {
            started.arg("--ro-bind").arg(tools).arg(tools);
        }
        started.arg("--ro-bind").arg(&self.program).arg(SELF);
        let seen = self.seen(folders);
        started.arg("--ro-bind").arg(&folders.script).arg(&seen.script);
        started.arg("--bind").arg(&folders.work).arg(&seen.work);
        started.arg("--bind").arg(&folders.state).arg(&seen.state);
        started.arg("--remount-ro").arg("/").arg("--chdir").arg(&seen.work);
        started.args(["--", SELF]).args(self.confined(&seen, command));
        started
    }
}

/// Whether that ends well; else what it says.
fn works(mut command: Command) -> Result<(), String> {
    let done = command.stdin(Stdio::null()).output();
    match done {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_told_of_real_folders_and_the_command_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        for name in ["work", "state", "temporary"] {
            std::fs::create_dir(real.join(name)).unwrap();
        }
        std::fs::write(real.join("script"), "true").unwrap();
        std::os::unix::fs::symlink(real.join("state"), real.join("link")).unwrap();
        let at = |name: &str| real.join(name);
        let folders = Folders { work: at("work"), state: at("link"), temporary: at("temporary"), script: at("script") };
        let sandbox = Sandbox {
            program: std::env::current_exe().unwrap(),
            bubblewrap: false,
            landlock: false,
            seatbelt: true,
            deny_network: true,
            tools: Vec::new(),
        };
        assert!(sandbox.holds() && sandbox.denies_network());
        let command = sandbox.command(&folders, &["sh".to_owned(), "script".to_owned()]).unwrap();
        let words: Vec<_> = command.get_args().map(|word| word.to_str().unwrap().to_owned()).collect();
        assert_eq!((command.get_program().to_str(), words[0].as_str()), (Some(seatbelt::PROGRAM), "-p"));
        let state = format!("file-map-executable process-exec (subpath {:?}))", real.join("state"));
        assert!(
            words[1].contains(&state) && !words[1].contains("network") && !words[1].contains("/link"),
            "{}",
            words[1]
        );
        assert_eq!(words[words.len() - 3..], ["--", "sh", "script"]);
        std::fs::remove_file(real.join("script")).unwrap();
        assert!(sandbox.command(&folders, &[]).is_err());
    }
}
