//! What a process does to itself before it becomes a command: it gives up what the command must not have.
//!
//! No unsafe code stands between fork and exec: the program is started again, limits itself, and turns into the
//! command. Everything below inherits the limits.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _,
    RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit};
use serde::{Deserialize, Serialize};

/// The newest rules that are asked for; an older kernel keeps those that it knows.
const RULES: ABI = ABI::V6;
/// The most files that a process of a run has open.
const OPEN_FILES: u64 = 4096;
/// The most processes of the user that runs them.
const PROCESSES: u64 = 2048;
/// The largest file that a run writes, in bytes.
const FILE_SIZE: u64 = 8 << 30;
/// What every program needs of the devices.
const DEVICES: [&str; 6] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/full", "/dev/tty"];

/// What a command may.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Confinement {
    /// What it may read and run, below these.
    pub readable: Vec<PathBuf>,
    /// Where it may write.
    pub writable: Vec<PathBuf>,
    /// Whether the kernel is to hold it to that.
    pub landlock: bool,
    /// Whether it dies with the process that started it.
    pub dies_with_parent: bool,
}

/// Turns this process into `command`, confined. Its variables are read from standard input, as a JSON object: nothing
/// of them is there before the confinement is.
///
/// # Errors
///
/// When it can't be confined, or the command does not exist. Nothing has run then.
pub(super) fn exec(confinement: &Confinement, command: &[String]) -> io::Result<()> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::other("there is no command to run"));
    };
    if confinement.dies_with_parent {
        set_parent_process_death_signal(Some(Signal::KILL))?;
    }
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Nproc, PROCESSES),
        (Resource::Fsize, FILE_SIZE),
    ] {
        let most = getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // Where memory runs out, a run ends before the server does. Some containers do not let a process say so.
    let _best_effort = std::fs::write("/proc/self/oom_score_adj", "1000");
    // This program has none itself, and what it starts inherits that.
    let _best_effort = rustix::thread::disable_transparent_huge_pages(false);
    let mut variables = String::new();
    io::stdin().read_to_string(&mut variables)?;
    let variables: BTreeMap<String, String> = match variables.as_str() {
        "" => BTreeMap::new(),
        variables => serde_json::from_str(variables)?,
    };
    rustix::thread::set_no_new_privs(true)?;
    if confinement.landlock && restrict(confinement).map_err(io::Error::other)? == RulesetStatus::NotEnforced {
        return Err(io::Error::other("this kernel has no Landlock"));
    }
    Err(Command::new(program).args(arguments).env_clear().envs(variables).stdin(Stdio::null()).exec())
}

fn restrict(confinement: &Confinement) -> Result<RulesetStatus, landlock::RulesetError> {
    let all = AccessFs::from_all(RULES);
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(&confinement.readable, AccessFs::from_read(RULES)))?
        .add_rules(path_beneath_rules(DEVICES, all))?
        .add_rules(path_beneath_rules(&confinement.writable, all))?;
    Ok(rules.restrict_self()?.ruleset)
}
