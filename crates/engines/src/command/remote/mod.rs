//! Runs away from this machine: what they mean for a deployment, whatever runner has them.
//!
//! Owns when a run is begun, the copy of its output, and what its end says; it is never begun twice. Does not own how a
//! runner takes a run and looks at it: that is behind [`Remote`].

mod log;
mod runner;
mod script;
mod terraform;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::codebuild::{CodeBuild, CodeBuildSettings};
use super::kubernetes::{Kubernetes, KubernetesSettings};
use super::local::{Mask, RunId, off};
use super::{Connection, allowed, ended, ended_with, failure, list, outputs, variables};
use crate::aws::Aws;
use crate::{Commands, Cursor, Engine, Intent, Order, Outcome, Step, Transient};
use log::{Copy, Place};
pub use runner::Watched;
pub(super) use runner::{Begin, Others, Printed, Remote, RemoteLook, RemoteRun, TAIL};
use script::End;
pub use terraform::TerraformSettings;

/// The pause before the first look at a run; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often it is asked for what a run that has ended must have printed, and may still be on its way.
const ASKED: u32 = 12;
/// How often in vain it is tried to remove what a run has needed: what expires by itself must not hold up its end.
const REMOVALS: u32 = 5;
/// How many pages of output a step copies.
const PAGES: u32 = 16;

/// What people are told of an output that can't be masked.
const UNKNOWN: &str = "[left out: what must not be shown of it is not known any more]";

/// Runs the commands of a template away from this machine.
#[derive(Debug, Clone)]
pub struct RemoteEngine {
    aws: Aws,
    remote: Arc<dyn Remote>,
    settings: RemoteSettings,
}

/// What an operator sets about runs away from this machine.
#[derive(Clone)]
pub struct RemoteSettings {
    /// Where the copies of outputs are: an absolute path.
    pub folder: PathBuf,
    /// Variables of every run, below those of its template.
    pub variables: Vec<(String, String)>,
    /// How Terraform comes to be where it is run.
    pub terraform: TerraformSettings,
    /// Where Terraform keeps its state, if that takes a secret.
    pub connection: Option<Connection>,
}

/// Shows where copies are, and not what runs are given: there are secrets among that.
impl fmt::Debug for RemoteSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSettings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// How far a run is.
#[derive(Serialize, Deserialize)]
struct Progress {
    /// The runner that has it.
    runner: String,
    stage: Stage,
    #[serde(default)]
    log: Place,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// It is being begun.
    Begins { state: Option<Value> },
    /// It was taken, and looked at so often.
    Runs { state: Value, looks: u32 },
    /// It has ended. So often was asked for what it printed, and tried to remove what it needed.
    Leaves { state: Value, asked: u32, removals: u32 },
}

impl RemoteEngine {
    /// With builds of AWS CodeBuild, started in the roles of the orders.
    #[must_use]
    pub fn on_codebuild(aws: Aws, settings: CodeBuildSettings, remote: RemoteSettings) -> Self {
        let codebuild = CodeBuild::new(aws.clone(), settings);
        Self::new(aws, Arc::new(codebuild), remote)
    }

    /// With Jobs of a Kubernetes cluster, which have the sessions of the roles of the orders.
    ///
    /// # Errors
    ///
    /// When a setting can't be meant, or it is not known which cluster it is; the message says what to do.
    pub async fn on_kubernetes(aws: Aws, settings: KubernetesSettings, remote: RemoteSettings) -> Result<Self, String> {
        let kubernetes = Kubernetes::new(aws.clone(), settings).await?;
        Ok(Self::new(aws, Arc::new(kubernetes), remote))
    }

    pub(super) fn new(aws: Aws, remote: Arc<dyn Remote>, settings: RemoteSettings) -> Self {
        Self { aws, remote, settings }
    }

    /// Tells which runs are worth a look before their turn, until nobody listens. Ends at once where the runner can't know.
    pub async fn watch(&self, told: &Sender<Watched>) {
        self.remote.watch(told).await;
    }

    /// The step of an order to provision or to deprovision.
    async fn run(&self, order: &Order, progress: Progress) -> Result<Step, Transient> {
        let Some(commands) = &order.commands else {
            return Ok(ended(order, Outcome::Failed("The template has no commands.".to_owned())));
        };
        let Progress { stage, log, .. } = progress;
        match stage {
            Stage::Begins { state } => self.begin(order, commands, state, log).await,
            Stage::Runs { state, looks } => {
                let look = self.remote.look(order, &state).await?;
                match look {
                    RemoteLook::Runs { note } => {
                        let hidden = self.remote.hidden(order, &state).await;
                        let untold = matches!(hidden, Ok(None)).then(|| format!("The output: {UNKNOWN}"));
                        let copy = self.copy(order, commands, hidden.ok().flatten());
                        let log = self.copied(order, &state, copy.as_ref(), &log).await.unwrap_or(log);
                        let note = note.or(untold);
                        let stage = Stage::Runs { state, looks: looks.saturating_add(1) };
                        Ok(self.wait(stage, log, pause(looks), note))
                    }
                    look => self.over(order, commands, Left { state, asked: 0, removals: 0, log, look }).await,
                }
            }
            Stage::Leaves { state, asked, removals } => {
                let look = self.remote.look(order, &state).await?;
                self.over(order, commands, Left { state, asked, removals, log, look }).await
            }
        }
    }

    async fn begin(
        &self,
        order: &Order,
        commands: &Commands,
        state: Option<Value>,
        log: Place,
    ) -> Result<Step, Transient> {
        let list = list(order, commands);
        if state.is_none() {
            if let Some(message) = self.refusal(order, commands) {
                return Ok(ended(order, Outcome::Failed(message)));
            }
            match self.remote.stop_others(order).await? {
                Others::None => {}
                Others::Ending => return Err(super::earlier_goes_on()),
                // Where nothing is to be run, nothing meets what may go on.
                Others::Refused(_) if list.is_empty() => {}
                Others::Refused(message) => return Ok(ended(order, Outcome::Failed(message))),
            }
            if list.is_empty() {
                // Nothing is said about deprovisioning: what the commands made stays, and not what runs have needed.
                self.remote.remove(order, &Value::Null).await?;
                return Ok(ended(order, Outcome::Succeeded));
            }
        }
        let mut files = order.bundle.clone();
        let (variables, secrets) = self.environment(order, commands);
        // What is made for this run takes the place of what the bundle has for trials.
        files.extend(order.files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())));
        let run = RemoteRun {
            order,
            commands,
            files: &files,
            script: &script::script(list, &order.deployment_id, terraform::at_end(commands)),
            variables: &variables,
            secrets: &secrets,
            time_limit: allowed(order),
        };
        Ok(match self.remote.begin(&run, state.as_ref()).await? {
            Begin::Not { state, after, note } => self.wait(Stage::Begins { state: Some(state) }, log, after, note),
            Begin::Runs { state } => self.wait(Stage::Runs { state, looks: 0 }, log, FIRST_PAUSE, None),
            Begin::Refused(message) => ended(order, Outcome::Failed(message)),
        })
    }

    /// The step of an order whose run has ended.
    async fn over(&self, order: &Order, commands: &Commands, left: Left) -> Result<Step, Transient> {
        let Left { state, asked, removals, mut log, look } = left;
        let (last, unread) = match self.remote.tail(order, &state).await {
            Ok(lines) => (lines, None),
            Err(transient) => (Vec::new(), Some(transient.message)),
        };
        // Asked for now, and not again when it may be gone.
        let (hidden, unread) = match self.remote.hidden(order, &state).await {
            Ok(hidden) => (hidden, unread),
            Err(transient) => (None, Some(transient.message)),
        };
        let copy = self.copy(order, commands, hidden);
        let end = script::end(&last, &order.deployment_id, copy.as_ref().map(|copy| Mask::of(&copy.secrets)).as_ref());
        let awaits = unread.is_some() || end.is_none() && matches!(look, RemoteLook::Ended { .. });
        if awaits && asked < ASKED {
            let stage = Stage::Leaves { state, asked: asked + 1, removals };
            let note = unread.unwrap_or_else(|| "The run has ended; the end of its output is awaited.".to_owned());
            return Ok(self.wait(stage, log, LONGEST_PAUSE, Some(note)));
        }
        if !self.copied_all(order, &state, copy.as_ref(), &mut log).await && asked < ASKED {
            let stage = Stage::Leaves { state, asked: asked + 1, removals };
            return Ok(self.wait(stage, log, FIRST_PAUSE, Some("The rest of the output is copied.".to_owned())));
        }
        if let Some(copy) = copy.clone() {
            let mut finished = log.clone();
            // A deployment does not depend on its log.
            log = off(move || copy.finish(&mut finished, &last).map(|()| finished)).await.unwrap_or(log);
        }
        let left = match self.remote.remove(order, &state).await {
            Err(_) if removals < REMOVALS => {
                let stage = Stage::Leaves { state, asked, removals: removals + 1 };
                return Ok(self.wait(stage, log, LONGEST_PAUSE, None));
            }
            Err(transient) => Some(transient.message),
            Ok(left) => left,
        };
        if let (Some(copy), Some(why)) = (copy, left) {
            // The deployment has ended all the same; whoever looks at what is left reads here why.
            let _ =
                off(move || copy.tell(&mut log, &format!("[not everything that the run needed is removed: {why}]")))
                    .await;
        }
        Ok(conclusion(order, list(order, commands), look, end, unread))
    }

    /// The step of an order that is cancelled.
    async fn cancel(&self, order: &Order, progress: Progress) -> Result<Step, Transient> {
        let Progress { stage, log, .. } = progress;
        let (state, asked, removals) = match stage {
            Stage::Begins { state } => (state.unwrap_or_default(), 0, 0),
            Stage::Runs { state, .. } => (state, 0, 0),
            Stage::Leaves { state, asked, removals } => (state, asked, removals),
        };
        let Some(commands) = &order.commands else { return Ok(ended(order, Outcome::Cancelled)) };
        self.remote.stop(order, &state).await?;
        match self.remote.look(order, &state).await? {
            RemoteLook::Runs { .. } => Ok(self.wait(Stage::Leaves { state, asked, removals }, log, FIRST_PAUSE, None)),
            look => {
                // Nothing was begun that could be lost, or nothing is left of it.
                let look = if matches!(look, RemoteLook::Lost(_)) { RemoteLook::Stopped } else { look };
                self.over(order, commands, Left { state, asked, removals, log, look }).await
            }
        }
    }

    /// Where the cursor says that the run is, if it is with this runner.
    fn progress(&self, cursor: Option<&Cursor>) -> Result<Progress, Transient> {
        let Some(cursor) = cursor else {
            let stage = Stage::Begins { state: None };
            return Ok(Progress { runner: self.remote.id().to_owned(), stage, log: Place::default() });
        };
        let unknown = |message: String| Transient { message, retry_after: Some(LONGEST_PAUSE) };
        let progress: Progress = serde_json::from_value(cursor.0.clone())
            .map_err(|_| unknown("The state of the run is not known to this server and its runner.".to_owned()))?;
        if progress.runner != self.remote.id() {
            let message = format!("The run is with the runner {}, and this server has another one.", progress.runner);
            return Err(unknown(message));
        }
        Ok(progress)
    }

    fn wait(&self, stage: Stage, log: Place, after: Duration, note: Option<String>) -> Step {
        let progress = Progress { runner: self.remote.id().to_owned(), stage, log };
        Step::Wait { cursor: Cursor(serde_json::to_value(progress).unwrap_or_default()), after, note }
    }

    /// The variables of a run, and what must not be shown among them. Where a run finds credentials is its runner's.
    fn environment(&self, order: &Order, commands: &Commands) -> (Vec<(String, String)>, Vec<String>) {
        // What the template takes from Secrets Manager, or sets in its build, comes from the runner, and stands above the
        // operator's.
        let secrets = commands.secrets.iter().map(|(name, _)| name.as_str());
        let set: Vec<&str> = secrets.chain(self.remote.sets(commands)).collect();
        let given = self.settings.variables.iter().filter(|(name, _)| !set.contains(&name.as_str()));
        let given: Vec<_> = given.cloned().collect();
        let (mut variables, mut secrets) = variables::of(order, commands, &given, None, self.aws.endpoint_url());
        if self.remote.has_credentials(order) {
            let placeholders = variables::placeholders();
            variables.retain(|variable| !placeholders.contains(variable));
        }
        if let Ok(Some(connection)) = self.connection(commands) {
            variables.extend_from_slice(&connection.variables);
            secrets.extend_from_slice(&connection.secrets);
        }
        (variables, secrets)
    }

    /// What commands need to reach the place that they say, if they do; else why it is not given.
    fn connection(&self, commands: &Commands) -> Result<Option<&Connection>, String> {
        variables::connection(commands, self.settings.connection.as_ref())
    }

    /// Copies what was printed since, if it is known what must be masked, and there is room. A deployment does not depend
    /// on its log: what can't be copied now (`None`) is, later.
    async fn copied(&self, order: &Order, state: &Value, copy: Option<&Arc<Copy>>, log: &Place) -> Option<Place> {
        let mut copied = log.clone();
        let Some(copy) = copy.filter(|_| !log.is_full()) else { return Some(copied) };
        let printed = self.remote.read(order, state, log.after.as_deref()).await.ok()?;
        let copy = Arc::clone(copy);
        off(move || copy.add(&mut copied, printed).map(|()| copied)).await.ok()
    }

    /// Copies what is left of an output that has ended. `false` if there is more, or it can't be copied now.
    async fn copied_all(&self, order: &Order, state: &Value, copy: Option<&Arc<Copy>>, log: &mut Place) -> bool {
        for _ in 0..PAGES {
            let Some(copied) = self.copied(order, state, copy, log).await else { return false };
            let is_all = copied.after == log.after;
            *log = copied;
            if is_all {
                return true;
            }
        }
        false
    }

    /// What copies the output of a run whose runner says what is `hidden` of it; nothing if that is not known.
    fn copy(&self, order: &Order, commands: &Commands, hidden: Option<Vec<String>>) -> Option<Arc<Copy>> {
        let mut secrets = hidden?;
        secrets.extend(self.environment(order, commands).1);
        Some(Arc::new(Copy {
            root: self.settings.folder.clone(),
            run: RunId::of(order),
            commands: list(order, commands).to_vec(),
            word: order.deployment_id.clone(),
            secrets,
        }))
    }

    /// Why an order can't be carried out by any runner away from the server, if it can't.
    fn refusal(&self, order: &Order, commands: &Commands) -> Option<String> {
        if order.intent == Intent::Apply && commands.process.is_some() {
            return Some(
                "The template leaves a process behind (settings.service), which only runs on the server's own machine do. \
                 Take settings.service out of the manifest, or use a server with --runner local."
                    .to_owned(),
            );
        }
        terraform::refusal(order, commands).or_else(|| self.connection(commands).err())
    }
}

/// A run that has ended.
struct Left {
    state: Value,
    asked: u32,
    removals: u32,
    log: Place,
    look: RemoteLook,
}

#[async_trait]
impl Engine for RemoteEngine {
    async fn step(&self, order: &Order, cursor: Option<&Cursor>) -> Result<Step, Transient> {
        let progress = self.progress(cursor)?;
        let order = &*terraform::fitted(order, &self.settings.terraform);
        match order.intent {
            Intent::Plan => Ok(ended(order, Outcome::Failed("Commands can't be planned: order Apply.".to_owned()))),
            Intent::Apply | Intent::Destroy => self.run(order, progress).await,
            Intent::Cancel => self.cancel(order, progress).await,
        }
    }

    async fn end_others(&self, order: &Order) -> Result<bool, Transient> {
        match self.remote.stop_others(order).await? {
            Others::None => Ok(false),
            Others::Ending => Ok(true),
            Others::Refused(message) => Err(Transient { message, retry_after: None }),
        }
    }

    fn wants_bundle(&self, cursor: Option<&Cursor>) -> bool {
        self.progress(cursor).is_ok_and(|progress| matches!(progress.stage, Stage::Begins { .. }))
    }
}

/// What the end of a run means for its order.
fn conclusion(order: &Order, list: &[String], look: RemoteLook, end: Option<End>, unread: Option<String>) -> Step {
    let failed = |message: String| ended(order, Outcome::Failed(message));
    match (look, end) {
        (RemoteLook::Stopped, _) if order.intent == Intent::Cancel => ended(order, Outcome::Cancelled),
        (RemoteLook::Stopped, _) => failed("The run was stopped, and not by this server.".to_owned()),
        (RemoteLook::TimedOut, _) => failed("The run was stopped: it took longer than deployments may.".to_owned()),
        (RemoteLook::Lost(why), _) => failed(format!(
            "The run was lost: {why} It is not known how far it came, and it is not started again by itself; look at \
             what is there, and deploy again."
        )),
        (RemoteLook::Runs { .. }, _) => failed("The run has ended, and goes on.".to_owned()),
        (RemoteLook::Ended { succeeded: true, .. }, Some(end)) if end.status == 0 => {
            match end.outputs.map_or(Ok(serde_json::Map::new()), |text| text.and_then(|text| outputs::parse(&text))) {
                Ok(outputs) => ended_with(order, Outcome::Succeeded, outputs),
                Err(message) => failed(message),
            }
        }
        (RemoteLook::Ended { .. }, _) if order.intent == Intent::Cancel => ended(order, Outcome::Cancelled),
        (RemoteLook::Ended { said, .. }, Some(end)) if end.status == 0 => {
            failed(with("The commands have succeeded, and the runner says that the run failed.", said))
        }
        (RemoteLook::Ended { said, .. }, Some(end)) => {
            failed(with(&failure(end.status, end.command, list, &end.tail), said))
        }
        (RemoteLook::Ended { succeeded, said }, None) => {
            let how = if succeeded { "succeeded" } else { "failed" };
            let message = format!("The run has {how}, and the end of its output, which says more, did not come.");
            failed(with(&with(&message, said), unread))
        }
    }
}

fn with(message: &str, more: Option<String>) -> String {
    more.map_or_else(|| message.to_owned(), |more| format!("{message}\n{more}"))
}

fn pause(looks: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << looks.min(8)).min(LONGEST_PAUSE)
}
