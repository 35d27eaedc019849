//! The runner of this machine: each run is held by a process of its own, in a sandbox, and outlives the server.
//!
//! Owns where runs keep their files and how they are found again: by them alone, so that a server that was killed
//! goes on where it was. Does not own what a run means for a deployment.

mod confine;
mod finished;
mod folder;
mod going;
mod identity;
mod log;
mod mask;
mod old;
mod removal;
mod sandbox;
mod seatbelt;
mod service;
mod supervisor;
mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdout, Command};

use crate::{Order, Transient};
pub use finished::{FinishedLog, finished_logs};
pub(super) use folder::{Ended, Look};
use folder::{RunFolder, STATE};
pub use going::{GoingRun, going_runs};
pub use identity::Identity;
pub use log::{LogLine, LogPage};
pub(super) use log::{end_of_lines, line_of, page as page_of};
pub(super) use mask::Mask;
pub use old::{OldRun, old_runs, remove_old_run};
use sandbox::Sandbox;
pub(super) use service::{Kept, Session, Standing};
use supervisor::{Held, Plan};

/// What a supervisor says when it has begun.
const READY: &str = "ready";
/// How long it may take to say so.
const BEGINNING: Duration = Duration::from_secs(10);

/// What an operator sets about runs on this machine.
#[derive(Clone)]
pub struct LocalSettings {
    /// Where runs keep their files: an absolute path.
    pub folder: PathBuf,
    /// This program: it supervises runs, and confines itself before it becomes a command.
    pub program: PathBuf,
    /// Folders with programs that commands may use beside those of the system: absolute paths.
    pub tools: Vec<PathBuf>,
    /// Variables of every run, below those of its template.
    pub variables: Vec<(String, String)>,
    /// Whether runs begin also where no sandbox works.
    pub allow_unsandboxed: bool,
    /// Whether runs have no network.
    pub deny_network: bool,
}

/// Runs commands on this machine.
#[derive(Debug, Clone)]
pub struct Local {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    /// Of this folder: another machine has another.
    id: String,
    sandbox: Sandbox,
    variables: Vec<(String, String)>,
    warnings: Vec<String>,
}

/// Shows where it is, and not what it gives runs: there are secrets among that.
impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("folder", &self.folder).field("id", &self.id).finish_non_exhaustive()
    }
}

/// Which run: there is one for each deployment.
#[derive(Debug, Clone)]
pub(super) struct RunId {
    resource: String,
    deployment: String,
}

impl RunId {
    pub(super) fn of(order: &Order) -> Self {
        Self { resource: order.resource_id.clone(), deployment: order.deployment_id.clone() }
    }
}

/// What a run is given. It holds secrets.
#[derive(Serialize, Deserialize)]
pub(super) struct RunSpec {
    pub commands: Vec<String>,
    pub variables: Vec<(String, String)>,
    pub secrets: Vec<String>,
    pub time_limit: Duration,
    /// Whether its working folder stays when it has ended well.
    pub keeps_work: bool,
}

impl Local {
    /// Looks at what works on this machine, and makes the folder.
    ///
    /// # Errors
    ///
    /// When the folder can't be made, or no sandbox works and that is not allowed; the message says what to do.
    pub fn new(settings: LocalSettings) -> io::Result<Self> {
        let LocalSettings { folder, program, tools, variables, allow_unsandboxed, deny_network } = settings;
        folder::folder(&folder)?;
        let (sandbox, mut warnings) = Sandbox::probe(&program, &tools, deny_network);
        let why = warnings.join("; ");
        if !sandbox.holds() && !allow_unsandboxed {
            return Err(io::Error::other(format!(
                "no sandbox works here, and commands are not run without one. {why}. Install bubblewrap, or use a kernel \
                 with Landlock and another user than root, whom Landlock alone does not hold; or give \
                 --allow-unsandboxed-runs"
            )));
        }
        if let Some(shown) = sandbox.shows(&folder)? {
            return Err(io::Error::other(format!(
                "the data folder is below {}, which every run sees; give another --data-dir",
                shown.display()
            )));
        }
        if deny_network && !sandbox.denies_network() {
            return Err(io::Error::other(format!(
                "runs can be kept from the network by bubblewrap only. {why}. Install it, or leave --deny-run-network out"
            )));
        }
        if !sandbox.holds() {
            warnings.push("runs are not kept from anything that the server's user may do".to_owned());
        }
        if !deny_network {
            warnings.push(
                "runs can reach the network, this machine's own services and the metadata address 169.254.169.254; \
                 --deny-run-network keeps them from all three"
                    .to_owned(),
            );
        }
        let id = id_of(&folder)?;
        Ok(Self { inner: Arc::new(Inner { folder, id, sandbox, variables, warnings }) })
    }

    /// What an operator should know about the sandbox.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.inner.warnings
    }

    /// What the operator gives every run.
    pub(super) fn variables(&self) -> &[(String, String)] {
        &self.inner.variables
    }

    /// Whether what runs has no network.
    pub(super) fn denies_network(&self) -> bool {
        self.inner.sandbox.deny_network
    }

    /// Which runner it is: where its runs are.
    pub(super) fn id(&self) -> &str {
        &self.inner.id
    }

    fn run(&self, run: &RunId) -> RunFolder {
        RunFolder::at(&folder_of(&self.inner.folder, run))
    }

    /// Writes the files of a run, those of the bundle and those made for it, if nobody has begun it.
    pub(super) fn write(
        &self,
        run: &RunId,
        bundle: &BTreeMap<String, Vec<u8>>,
        made: &BTreeMap<String, String>,
    ) -> io::Result<()> {
        self.run(run).write(bundle, made)
    }

    /// The files of a run's bundle that name their interpreter as on Windows: none of them can be run.
    pub(super) fn of_windows(&self, run: &RunId) -> io::Result<Vec<String>> {
        self.run(run).of_windows()
    }

    /// Begins a run, if nobody has.
    pub(super) async fn start(&self, run: &RunId, spec: RunSpec) -> io::Result<()> {
        let plan = Plan { spec, marker: random()?, sandbox: self.inner.sandbox.clone() };
        let folder = self.run(run);
        if self.supervised(&folder, &folder, &Held::Run(plan)).await? {
            return Ok(());
        }
        off(move || match folder.look()? == Look::Ended(Ended::Lost) && !folder.is_claimed() {
            true => Err(io::Error::other(format!("the supervisor did not begin: {}", folder.complaints()))),
            false => Ok(()),
        })
        .await
    }

    /// Starts a supervisor, which says what goes wrong with itself in the folder `own`. Answers whether it says that
    /// it has begun.
    async fn supervised(&self, run: &RunFolder, own: &RunFolder, held: &Held) -> io::Result<bool> {
        let complaints = own.complaints_file();
        let complaints = off(|| fs::File::create(complaints)).await?;
        let mut supervisor = Command::new(&self.inner.sandbox.program)
            .arg("run-supervisor")
            .arg(run.path())
            .current_dir("/")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints)
            .spawn()?;
        let held = serde_json::to_vec(held)?;
        if let Some(mut input) = supervisor.stdin.take() {
            // One that ends early says why itself.
            let _ = input.write_all(&held).await;
        }
        match supervisor.stdout.take() {
            Some(output) => tokio::time::timeout(BEGINNING, begun(output)).await.unwrap_or(Ok(false)),
            None => Ok(false),
        }
    }

    /// Whether somebody has begun it, or made sure that nobody does.
    pub(super) fn is_begun(&self, run: &RunId) -> bool {
        self.run(run).is_claimed()
    }

    /// What is known of a run.
    pub(super) fn look(&self, run: &RunId) -> io::Result<Look> {
        self.run(run).look()
    }

    /// Asks for its end. One that has not begun never will.
    pub(super) fn stop(&self, run: &RunId) -> io::Result<()> {
        self.run(run).stop()
    }

    /// Asks all other runs of the same resource to end. `true` if there is none left.
    pub(super) fn stop_others(&self, run: &RunId) -> io::Result<bool> {
        let mut none = true;
        let runs = match fs::read_dir(self.inner.folder.join(&run.resource)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            runs => runs?,
        };
        for other in runs {
            let other = other?;
            if other.file_name() == *run.deployment || other.file_name() == *STATE || !other.file_type()?.is_dir() {
                continue;
            }
            let other = RunFolder::at(&other.path());
            let runs = other.is_run()?;
            if runs || !other.is_claimed() {
                // One that nobody has begun never will be.
                other.stop()?;
            }
            none &= !runs & self.withdraw_other(&run.resource, &other)?;
        }
        Ok(none)
    }

    /// What a run that has ended put out.
    pub(super) fn outputs(&self, run: &RunId) -> io::Result<Option<String>> {
        match fs::read_to_string(self.run(run).outputs()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => text.map(Some),
        }
    }

    /// Removes what was kept from run to run of a resource that is gone.
    pub(super) fn forget_state(&self, run: &RunId) -> io::Result<()> {
        removal::remove(&self.run(run).state())
    }
}

/// Whether a supervisor says that it has begun. It may go on long after that.
async fn begun(mut output: ChildStdout) -> io::Result<bool> {
    let mut said = vec![0; READY.len()];
    match output.read_exact(&mut said).await {
        Ok(_) => Ok(said == READY.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn folder_of(root: &Path, run: &RunId) -> PathBuf {
    root.join(&run.resource).join(&run.deployment)
}

/// The files of a run that is not on this machine.
pub(super) struct Copied {
    /// Its output.
    pub log: PathBuf,
    /// What it said before that it would do.
    pub plan: PathBuf,
}

/// Where the output of a run is copied to that is not on this machine; its folder is made.
pub(super) fn copied(root: &Path, run: &RunId) -> io::Result<Copied> {
    let run = RunFolder::at(&folder_of(root, run));
    folder::folder(run.path())?;
    Ok(Copied { log: run.log(), plan: run.plan() })
}

/// The id of a folder of runs, made with it.
fn id_of(folder: &Path) -> io::Result<String> {
    let path = folder.join("id");
    if let Ok(id) = fs::read_to_string(&path) {
        return Ok(id);
    }
    let id = random()?;
    fs::write(path, &id)?;
    Ok(id)
}

/// A word that nobody guesses.
fn random() -> io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(hex::encode(random))
}

/// Does what waits for a disk, away from the threads that everything else waits on. It goes on if nobody waits for it
/// any more.
pub(super) async fn off<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// A failure of this machine, which may get better.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(super) fn transient(error: io::Error) -> Transient {
    Transient { message: format!("The run can't be held on this machine: {error}"), retry_after: None }
}

/// Reads at most `lines` of the output of a deployment's run, and about 1 MiB, from the byte `from` on. `None` where
/// there is no log: the run has not begun, was never here, or was removed.
///
/// # Errors
///
/// When the files are there and can't be read.
pub fn read_log(
    folder: &Path,
    resource: &str,
    deployment: &str,
    from: u64,
    lines: usize,
) -> io::Result<Option<LogPage>> {
    let run = RunId { resource: resource.to_owned(), deployment: deployment.to_owned() };
    let run = RunFolder::at(&folder_of(folder, &run));
    // Asked before it is read: what a run wrote before its end is not missed.
    let goes_on = run.is_run()?;
    log::read(&run.log(), from, lines, goes_on)
}

/// Asks every run in a folder of runs to end, and every process that one left behind. `true` if there is none left. For
/// a folder that no server uses: it would begin the processes again.
///
/// # Errors
///
/// When the folder can't be read or written.
pub fn stop_runs(folder: &Path) -> io::Result<bool> {
    let mut none = true;
    for resource in folders_in(folder)? {
        none &= service::stop(&resource)?;
        for run in runs_in(&resource)? {
            let run = RunFolder::at(&run);
            for held in [run.service(), run] {
                // What can't be understood is of no process that is known.
                if held.is_run().unwrap_or_default() {
                    held.stop()?;
                    none = false;
                }
            }
        }
    }
    Ok(none)
}

/// Removes a folder of runs with all that they left, also what they made unwritable.
///
/// # Errors
///
/// When something in it can't be removed.
pub fn forget_runs(folder: &Path) -> io::Result<()> {
    removal::remove(folder)
}

/// The folders in a folder; none in one that is not there.
fn folders_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

/// The folders of the runs of a resource: without the one that stays, where runs put what they like.
fn runs_in(resource: &Path) -> io::Result<impl Iterator<Item = PathBuf>> {
    Ok(folders_in(resource)?.into_iter().filter(|folder| folder.file_name() != Some(STATE.as_ref())))
}

/// Holds the run in `folder`; what to run is read from standard input. Returns when the run has ended.
///
/// # Errors
///
/// When the run could not be begun, or its end not be written down.
pub fn supervise(folder: &Path) -> io::Result<()> {
    supervisor::supervise(folder)
}

/// Turns this process into `command`, with no more than `confinement` allows, as [`Local`] wrote it.
///
/// # Errors
///
/// When that is not possible; nothing has run then.
pub fn become_confined(confinement: &str, command: &[String]) -> io::Result<()> {
    confine::exec(&serde_json::from_str(confinement)?, command)
}
