//! The process that holds one run, or what one leaves behind: it outlives the server, writes down what happens, and
//! ends with the run.
//!
//! Started with the folder of the run, and what to run on its standard input: that is written nowhere, since it
//! holds credentials. Whoever claims the folder is the only one that ever runs the commands.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use serde::{Deserialize, Serialize};

use super::super::outputs;
use super::super::script::script;
use super::RunSpec;
use super::folder::{Ended, RunFolder};
use super::log::{Limits, Scribe, Summary};
use super::removal::remove;
use super::sandbox::{Folders, Sandbox};
use super::service;
use super::watch::Watch;

/// How long a run may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);
/// The largest file of outputs that is read, in bytes.
const OUTPUTS: u64 = 1 << 20;
/// The most that is kept of a plan, in bytes.
const PLAN: u64 = 8 << 20;
/// Room for the word about the end, taken while there is some.
pub(super) const RESERVED: usize = 8 << 10;

/// What a supervisor holds.
#[derive(Serialize, Deserialize)]
pub(super) enum Held {
    Run(Plan),
    Process(service::Plan),
}

/// What the supervisor of a run is told.
#[derive(Serialize, Deserialize)]
pub(super) struct Plan {
    pub spec: RunSpec,
    /// A word that nobody else knows: what follows it in the output is the supervisor's own.
    pub marker: String,
    pub sandbox: Sandbox,
}

/// Reads what to hold, and holds what is in `folder` to its end. Says on standard output when it has begun.
pub(super) fn supervise(folder: &Path) -> io::Result<()> {
    rustix::process::setsid()?;
    let mut held = String::new();
    io::stdin().read_to_string(&mut held)?;
    // What a command leaves behind becomes a child of this process, and is found.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let run = RunFolder::at(folder);
    match serde_json::from_str(&held)? {
        Held::Run(plan) => hold(&run, &plan),
        Held::Process(plan) => service::hold(&run, &plan),
    }
}

fn hold(run: &RunFolder, plan: &Plan) -> io::Result<()> {
    if !run.claim()? {
        return Ok(());
    }
    let reserved = run.reserve(RESERVED);
    // Who waits for it may be gone; the run goes on.
    let _ = writeln!(io::stdout(), "{}", super::READY);
    let ended = reserved
        .and_then(|()| conduct(run, plan))
        .unwrap_or_else(|error| Ended::Refused(format!("The run could not be started: {error}")));
    run.end(&ended)
}

fn conduct(run: &RunFolder, plan: &Plan) -> io::Result<Ended> {
    let watch = Watch::of(run)?;
    if run.is_to_stop() {
        return Ok(Ended::Stopped);
    }
    let (reader, writer) = io::pipe()?;
    let mut child = start(run, plan, writer)?;
    let log = OpenOptions::new().create(true).append(true).open(run.log())?;
    let RunSpec { commands, secrets, .. } = &plan.spec;
    let scribe = Scribe { commands, marker: &plan.marker, secrets, limits: Limits::default() };
    let ended = std::thread::scope(|scope| -> io::Result<Ended> {
        let writing = scope.spawn(|| scribe.copy(reader, log));
        let deadline = Instant::now() + plan.spec.time_limit;
        let stopped = wait(|| run.is_to_stop(), &plan.sandbox, &child, &watch, || Some(deadline))?;
        let status = child.wait()?;
        // All that holds the pipe must be gone, or the log would not end.
        bury()?;
        let summary = writing.join().map_err(|_| io::Error::other("writing the log failed"))??;
        Ok(stopped.unwrap_or_else(|| by_itself(status, summary)))
    })?;
    let kept = keep_outputs(run);
    // It has been printed too: nothing depends on it.
    let _ = keep_plan(run);
    let ended = match (ended, kept) {
        (Ended::Exited { status: 0, .. }, Err(error)) => {
            Ended::Refused(format!("{} can't be read: {error}", outputs::FILE))
        }
        (ended, _) => ended,
    };
    if !(plan.spec.keeps_work && matches!(ended, Ended::Exited { status: 0, .. })) {
        // Nobody needs it any more, and a run that has ended well is not to fail for what it left there.
        let _ = remove(&run.work());
    }
    Ok(ended)
}

fn start(run: &RunFolder, plan: &Plan, output: io::PipeWriter) -> io::Result<Child> {
    run.put_script(&script(&plan.spec.commands, &plan.marker))?;
    begin(&plan.sandbox, &run.folders()?, &plan.spec.variables, output)
}

/// Begins the script of `folders` in the sandbox. The variables are set over those that every run has.
pub(super) fn begin(
    sandbox: &Sandbox,
    folders: &Folders,
    variables: &[(String, String)],
    output: io::PipeWriter,
) -> io::Result<Child> {
    let seen = sandbox.seen(folders);
    let shell = ["/bin/sh".to_owned(), seen.script.display().to_string()];
    let own = [
        ("PATH", sandbox.path()),
        ("LANG", "C.UTF-8".to_owned()),
        ("HOME", seen.temporary.display().to_string()),
        ("TMPDIR", seen.temporary.display().to_string()),
        ("CODEBUILD_SRC_DIR", seen.work.display().to_string()),
        ("PROTIUM_STATE_DIR", seen.state.display().to_string()),
        ("PROTIUM_PROGRAM", sandbox.seen_program().display().to_string()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let variables: BTreeMap<String, String> = own.into_iter().chain(variables.iter().cloned()).collect();
    let mut command = sandbox.command(folders, &shell)?;
    command.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output).process_group(0);
    let mut child = command.spawn()?;
    // Not in the environment of what is not confined yet: a variable can make a program load another.
    if let Some(input) = child.stdin.take() {
        // One that ends at once says why itself.
        let _ = serde_json::to_writer(input, &variables);
    }
    Ok(child)
}

/// Waits for the end of the first process, until somebody asks for it or its deadline is over: then it is ended with
/// all that it began. The deadline may be lifted meanwhile. Answers why it was ended, if it was.
pub(super) fn wait(
    is_to_stop: impl Fn() -> bool,
    sandbox: &Sandbox,
    child: &Child,
    watch: &Watch,
    deadline: impl Fn() -> Option<Instant>,
) -> io::Result<Option<Ended>> {
    let pid = Pid::from_child(child);
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    let (mut stop, mut due) = (None, deadline());
    loop {
        if stop.is_none() {
            due = deadline();
            stop = match (is_to_stop(), due.is_some_and(|due| Instant::now() >= due)) {
                (true, _) => Some(Ended::Stopped),
                (false, true) => Some(Ended::TimedOut),
                (false, false) => None,
            };
            if stop.is_some() {
                due = Some(Instant::now() + GRACE);
                // Not bubblewrap itself: its death is that of all within, at once.
                for below in descendants(is_asked).into_iter().filter(|below| !(sandbox.bubblewrap && *below == pid)) {
                    // It may be gone already.
                    let _ = rustix::process::kill_process(below, Signal::TERM);
                }
            }
        } else if due.is_some_and(|due| Instant::now() >= due) {
            let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
            due = Some(Instant::now() + GRACE);
        }
        if watch.ended(&pidfd, due)? {
            return Ok(stop);
        }
    }
}

/// Whether a process is asked to end, and what it began.
fn is_asked(pid: &str) -> bool {
    !is_ended_by_another(&fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default())
}

/// Whether a process of that name, as the kernel cuts it, is ended by the one that began it. A provider of Terraform or
/// of Pulumi that ends at once takes along what it is making, which nobody knows of then.
fn is_ended_by_another(name: &str) -> bool {
    ["terraform-provi", "pulumi-resource", "pulumi-language"].iter().any(|plugin| name.starts_with(plugin))
}

fn by_itself(status: ExitStatus, summary: Summary) -> Ended {
    Ended::Exited { status: number_of(status), command: summary.command, tail: summary.tail }
}

/// As shells number what ended by a signal.
pub(super) fn number_of(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// Everything below this process, as /proc knows it: what made a session of its own is found too. Without those of the
/// numbers that `counts` refuses, and what is below them.
fn descendants(counts: impl Fn(&str) -> bool) -> Vec<Pid> {
    let mut found = Vec::new();
    let mut parents = vec![std::process::id().to_string()];
    while let Some(parent) = parents.pop() {
        for task in fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_ascii_whitespace().filter(|child| counts(child)) {
                found.extend(child.parse().ok().and_then(Pid::from_raw));
                parents.push(child.to_owned());
            }
        }
    }
    found
}

/// Kills what the command left behind, until nothing is below this process.
pub(super) fn bury() -> io::Result<()> {
    loop {
        for left in descendants(|_| true) {
            let _ = rustix::process::kill_process(left, Signal::KILL);
        }
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) => {}
            Err(rustix::io::Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A file that the run has left in its working folder, and its size in bytes.
fn left(run: &RunFolder, name: &str) -> io::Result<Option<(File, u64)>> {
    // A link would lead out of what the run may read, and a pipe would be waited for.
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).map_err(io::Error::other)?;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(run.work().join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    Ok(Some((file, about.len())))
}

/// Puts the plan where it stays, the end of a very long one apart.
fn keep_plan(run: &RunFolder) -> io::Result<()> {
    let Some((file, _)) = left(run, outputs::PLAN_FILE)? else { return Ok(()) };
    let mut kept = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(run.plan())?;
    io::copy(&mut file.take(PLAN), &mut kept).map(drop)
}

/// Puts the outputs where they stay.
fn keep_outputs(run: &RunFolder) -> io::Result<()> {
    let Some((file, size)) = left(run, outputs::FILE)? else { return Ok(()) };
    if size > OUTPUTS {
        return Err(io::Error::other(format!("it has {size} bytes, and at most {OUTPUTS} are read")));
    }
    let mut text = String::new();
    file.take(OUTPUTS).read_to_string(&mut text)?;
    fs::write(run.outputs(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_ended_by_what_began_them() {
        for (name, ended_by_another) in [
            ("terraform-provi\n", true),
            ("pulumi-resource\n", true),
            ("pulumi-language\n", true),
            ("terraform\n", false),
            ("tofu\n", false),
            ("pulumi\n", false),
            ("my-terraform-pr\n", false),
            ("sh\n", false),
            ("", false),
        ] {
            assert_eq!(is_ended_by_another(name), ended_by_another, "{name}");
        }
    }
}
