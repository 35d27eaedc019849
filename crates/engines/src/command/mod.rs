//! Commands as infrastructure: the engine of templates that say what to run.
//!
//! Owns what a run means for a deployment: when it is begun, what its end says, and that it is never begun twice.
//! Where it runs is a runner's: [`Local`] is this machine, others are behind [`RemoteEngine`]. Commands need not be
//! idempotent, so a run that was lost fails its deployment; only people start it again.

mod codebuild;
mod kubernetes;
mod local;
mod log_store;
mod outputs;
mod plain;
mod process;
mod remote;
mod script;
mod secrets;
mod variables;

pub use codebuild::CodeBuildSettings;
pub use kubernetes::KubernetesSettings;
pub use local::{
    FinishedLog, GoingRun, Identity, Local, LocalSettings, LogLine, LogPage, OldRun, become_confined, finished_logs,
    forget_runs, going_runs, old_runs, read_log, remove_old_run, stop_runs, supervise,
};
pub use log_store::{LogPlace, LogStore};
pub use plain::plain;
pub use remote::{RemoteEngine, RemoteSettings, TerraformSettings, Watched};

use std::fmt;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::aws::{Aws, CredentialsFailure};
use crate::{
    Commands, Cursor, End, Engine, Intent, Order, Outcome, ProvisionedResource, ProvisioningEngine, Step, Transient,
};
use local::{Ended, Look, RunId, RunSpec};

/// The pause before the first look at a run; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How many looks are counted: the pause is the longest then, and nothing is to be saved for another one.
const LOOKS: u32 = 7;
/// How long the end of a run may take, when its time is over.
const ENDING: Duration = Duration::from_secs(15);
/// How much of a command a message repeats, in characters.
const SHOWN: usize = 200;
/// How a shell ends that finds a program and can't run it, and one that finds none.
const NOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Runs the commands of a template.
#[derive(Debug, Clone)]
pub struct CommandEngine {
    aws: Aws,
    local: Local,
    connection: Option<Connection>,
}

/// A place of the operator's that some commands need a secret for. Only those are given it that say so.
#[derive(Clone)]
pub struct Connection {
    /// What it is called.
    pub name: String,
    /// The variables that they are given.
    pub variables: Vec<(String, String)>,
    /// What must not be shown.
    pub secrets: Vec<String>,
}

/// Shows its name only.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How far a run is.
#[derive(Serialize, Deserialize)]
struct Progress {
    /// The runner that has its files.
    runner: String,
    stage: Stage,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// Its files are written.
    Written,
    /// It was started, and looked at so often.
    Started { looks: u32 },
    /// It has ended well, and what it leaves behind was looked at so often.
    Leaves { looks: u32 },
}

impl CommandEngine {
    /// With the runner of this machine. `aws` assumes the roles that runs work in.
    #[must_use]
    pub fn new(aws: Aws, local: Local) -> Self {
        Self { aws, local, connection: None }
    }

    /// Which runner of all machines it is: it alone goes on with its runs.
    #[must_use]
    pub fn runner(&self) -> &str {
        self.local.id()
    }

    /// The same, with what some commands need.
    #[must_use]
    pub fn with_connection(self, connection: Option<Connection>) -> Self {
        Self { connection, ..self }
    }

    /// The step of an order to provision or to deprovision.
    async fn run(&self, order: &Order, cursor: Option<&Cursor>) -> Result<Step, Transient> {
        let Some(commands) = &order.commands else {
            return Ok(ended(order, Outcome::Failed("The template has no commands.".to_owned())));
        };
        let list = list(order, commands);
        let run = RunId::of(order);
        let Some(progress) = self.progress(cursor)? else {
            if let Some(message) = self.refusal(order, commands) {
                return Ok(ended(order, Outcome::Failed(message)));
            }
            let other = run.clone();
            if !self.off(move |local| local.stop_others(&other)).await? {
                return Err(earlier_goes_on());
            }
            if order.intent == Intent::Destroy && !self.taken_down(&order.resource_id).await? {
                return Err(Transient {
                    message: "The process of this resource is being stopped.".to_owned(),
                    retry_after: None,
                });
            }
            if list.is_empty() {
                // Nothing is said about deprovisioning: what the commands made stays.
                self.off(move |local| local.forget_state(&run)).await?;
                return Ok(ended(order, Outcome::Succeeded));
            }
            let (bundle, made) = (order.bundle.clone(), order.files.clone());
            self.off(move |local| local.write(&run, &bundle, &made)).await?;
            return Ok(self.wait(Stage::Written, Duration::ZERO));
        };
        match progress.stage {
            // It may have been begun by a process that did not come to say so.
            Stage::Written if self.is_begun(&run).await? => Ok(self.wait(Stage::Started { looks: 0 }, FIRST_PAUSE)),
            Stage::Written => match self.spec(order, commands, list).await {
                Ok(spec) => {
                    self.local.start(&run, spec).await.map_err(local::transient)?;
                    Ok(self.wait(Stage::Started { looks: 0 }, FIRST_PAUSE))
                }
                Err(CredentialsFailure::Refused(message)) => Ok(ended(order, Outcome::Failed(message))),
                Err(CredentialsFailure::Transient(transient)) => Err(transient),
            },
            Stage::Started { looks } => match self.look(&run).await? {
                Look::Runs => Ok(self.wait(Stage::Started { looks: (looks + 1).min(LOOKS) }, pause(looks))),
                Look::Ended(Ended::Exited { status: 0, .. }) if order.intent == Intent::Apply => {
                    self.provisioned(order, commands, &run).await
                }
                Look::Ended(end) => self.end(order, &run, list, end).await,
            },
            Stage::Leaves { looks } => self.leaves(order, &run, looks).await,
        }
    }

    /// The step of an order that is cancelled.
    async fn cancel(&self, order: &Order, cursor: Option<&Cursor>) -> Result<Step, Transient> {
        let run = RunId::of(order);
        let progress = self.progress(cursor)?;
        let stopped = run.clone();
        self.off(move |local| local.stop(&stopped)).await?;
        let Some(progress) = progress else { return Ok(ended(order, Outcome::Cancelled)) };
        let looks = match progress.stage {
            Stage::Written => 0,
            Stage::Started { looks } | Stage::Leaves { looks } => looks,
        };
        let leaves = order.commands.as_ref().is_some_and(|commands| commands.process.is_some());
        match self.look(&run).await? {
            Look::Runs => Ok(self.wait(Stage::Started { looks }, FIRST_PAUSE * 5)),
            Look::Ended(Ended::Exited { status: 0, .. }) if leaves => self.withdrawn(order, &run).await,
            // It may have ended by itself before it could be stopped.
            Look::Ended(Ended::Exited { status: 0, .. }) => self.alone(order, &run).await,
            Look::Ended(_) => Ok(ended(order, Outcome::Cancelled)),
        }
    }

    /// Does what waits for a disk, away from the threads that everything else waits on.
    async fn off<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Local) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Transient> {
        let here = self.local.clone();
        local::off(move || work(&here)).await.map_err(local::transient)
    }

    async fn is_begun(&self, run: &RunId) -> Result<bool, Transient> {
        let run = run.clone();
        self.off(move |local| Ok(local.is_begun(&run))).await
    }

    async fn look(&self, run: &RunId) -> Result<Look, Transient> {
        let run = run.clone();
        self.off(move |local| local.look(&run)).await
    }

    /// Where the cursor says that the run is, if it is on this machine.
    fn progress(&self, cursor: Option<&Cursor>) -> Result<Option<Progress>, Transient> {
        let Some(cursor) = cursor else { return Ok(None) };
        let unknown = |message: String| Transient { message, retry_after: Some(LONGEST_PAUSE) };
        let progress: Progress = serde_json::from_value(cursor.0.clone())
            .map_err(|_| unknown("The state of the run is not known to this version of the server.".to_owned()))?;
        if progress.runner != self.local.id() {
            return Err(unknown("The run is on another machine, whose worker goes on with it.".to_owned()));
        }
        Ok(Some(progress))
    }

    fn wait(&self, stage: Stage, after: Duration) -> Step {
        let progress = Progress { runner: self.local.id().to_owned(), stage };
        let cursor = Cursor(serde_json::to_value(progress).unwrap_or_default());
        Step::Wait { cursor, after, note: None }
    }

    /// What the run is given: its commands, its variables, and what must not be shown.
    async fn spec(&self, order: &Order, commands: &Commands, list: &[String]) -> Result<RunSpec, CredentialsFailure> {
        let connection =
            variables::connection(commands, self.connection.as_ref()).map_err(CredentialsFailure::Refused)?;
        let values = secrets::resolve(&self.aws, &order.region, order.role.as_ref(), &commands.secrets).await?;
        let credentials = match &order.role {
            Some(role) => Some(self.aws.session(&order.region, role).await?),
            None => None,
        };
        let given = self.local.variables();
        let (mut variables, mut secrets) =
            variables::of(order, commands, given, credentials.as_ref(), self.aws.endpoint_url());
        secrets.extend(values.iter().flat_map(|(_, value)| variables::lines(value)));
        // Below the template's own, and above the operator's.
        variables.splice(given.len()..given.len(), values);
        if let Some(connection) = connection {
            variables.extend_from_slice(&connection.variables);
            secrets.extend_from_slice(&connection.secrets);
        }
        let keeps_work = commands.process.is_some() && order.intent == Intent::Apply;
        Ok(RunSpec { commands: list.to_vec(), variables, secrets, time_limit: allowed(order), keeps_work })
    }

    async fn end(&self, order: &Order, run: &RunId, list: &[String], end: Ended) -> Result<Step, Transient> {
        let run = run.clone();
        let outcome = match end {
            Ended::Exited { status: 0, .. } => {
                self.off(move |local| local.forget_state(&run)).await?;
                Outcome::Succeeded
            }
            Ended::Exited { status, command, tail } => {
                let mut message = failure(status, command, list, &tail);
                if matches!(status, NOT_RUN | NOT_FOUND) {
                    message.push_str(&why_not_run(&self.off(move |local| local.of_windows(&run)).await?));
                }
                Outcome::Failed(message)
            }
            Ended::Stopped => Outcome::Cancelled,
            Ended::TimedOut => Outcome::Failed("The run was stopped: it took longer than deployments may.".to_owned()),
            Ended::Refused(message) => Outcome::Failed(message),
            Ended::Lost => Outcome::Failed(
                "The run was lost: the process that supervised it is gone, and it is not known how far it came. It is \
                 not started again by itself; look at what is there, and deploy again."
                    .to_owned(),
            ),
        };
        Ok(ended(order, outcome))
    }
}

#[async_trait]
impl Engine for CommandEngine {
    async fn step(&self, order: &Order, cursor: Option<&Cursor>) -> Result<Step, Transient> {
        match order.intent {
            Intent::Plan => Ok(ended(order, Outcome::Failed("Commands can't be planned: order Apply.".to_owned()))),
            Intent::Apply | Intent::Destroy => self.run(order, cursor).await,
            Intent::Cancel => self.cancel(order, cursor).await,
        }
    }
}

/// What an order is told that waits for the end of an earlier run of its resource, and is to be asked again.
fn earlier_goes_on() -> Transient {
    Transient { message: "An earlier run of this resource is being stopped.".to_owned(), retry_after: None }
}

/// The commands that an order runs.
fn list<'a>(order: &Order, commands: &'a Commands) -> &'a [String] {
    match order.intent {
        Intent::Destroy => &commands.deprovision,
        Intent::Plan | Intent::Apply | Intent::Cancel => &commands.provision,
    }
}

/// How long what is begun now may take. Over before the deployment is: then its own end is what people are told.
fn allowed(order: &Order) -> Duration {
    order.time_limit.saturating_sub(ENDING).max(order.time_limit / 2)
}

fn pause(looks: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << looks.min(LOOKS)).min(LONGEST_PAUSE)
}

fn failure(status: i32, command: Option<usize>, list: &[String], tail: &str) -> String {
    let mut message = match command.and_then(|index| Some((index, list.get(index)?))) {
        Some((index, command)) => {
            let shown: String = command.chars().take(SHOWN).collect();
            let more = if shown.len() < command.len() { " …" } else { "" };
            format!("Command {} of {} ended with status {status}: {shown}{more}", index + 1, list.len())
        }
        None => format!("The commands ended with status {status}"),
    };
    if !tail.is_empty() {
        message.push_str("\nThe last lines of the output:\n");
        message.push_str(tail);
    }
    message
}

/// What a failure to run a program may come from: these files of the bundle were written on Windows.
fn why_not_run(of_windows: &[String]) -> String {
    let Some(first) = of_windows.first() else { return String::new() };
    let more = match of_windows.len() {
        1 => String::new(),
        files => format!(" (and that of {} more)", files - 1),
    };
    format!(
        "\nThe first line of {first}{more} ends as on Windows, with a carriage return, which the system takes for a part \
         of the interpreter's name. Give the bundle's scripts Unix line ends; in a Git repository, the line \
         '*.sh text eol=lf' in .gitattributes keeps them."
    )
}

/// The end of an order. What was made is known by its physical name, whatever became of the run.
fn ended(order: &Order, outcome: Outcome) -> Step {
    ended_with(order, outcome, Map::new())
}

fn ended_with(order: &Order, outcome: Outcome, outputs: Map<String, Value>) -> Step {
    let gone = order.intent == Intent::Destroy && outcome == Outcome::Succeeded;
    let name = (!gone).then(|| order.physical_name.clone());
    let made = |name: &String| ProvisionedResource {
        name: name.clone(),
        identifier: name.clone(),
        engine: order.commands.as_ref().map_or_else(ProvisioningEngine::default, |commands| commands.listed_as),
    };
    let resources = name.iter().map(made).collect();
    Step::Ended(End { outcome, outputs, resources, physical_id: name, artifacts: Vec::new() })
}
