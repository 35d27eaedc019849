//! The process that a deployment of commands leaves behind: when it takes the place of the one before, and what the
//! deployment says if it does not.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::local::{self, Ended, Kept, RunId, Session, Standing};
use super::{CommandEngine, FIRST_PAUSE, LOOKS, Stage, allowed, ended, ended_with, outputs, pause, secrets, variables};
use crate::aws::CredentialsFailure;
use crate::{Commands, Intent, Order, Outcome, Process, Step, Transient};

/// How many processes are looked at side by side, and how long one may take.
const ATTENDED: usize = 16;
const ATTENDING: Duration = Duration::from_secs(30);

impl CommandEngine {
    /// Why an order can't be carried out here, if it can't.
    pub(super) fn refusal(&self, order: &Order, commands: &Commands) -> Option<String> {
        (order.intent == Intent::Apply && commands.process.is_some() && self.local.denies_network()).then(|| {
            "The template leaves a process behind (settings.service), and nobody could reach it: what runs on this \
             server has no network. Start the server without --deny-run-network, or take settings.service out of the \
             manifest."
                .to_owned()
        })
    }

    /// The step after commands that have provisioned.
    pub(super) async fn provisioned(&self, order: &Order, commands: &Commands, run: &RunId) -> Result<Step, Transient> {
        let Some(process) = &commands.process else { return self.alone(order, run).await };
        let step = self.success(order, run).await?;
        if !is_success(&step) {
            self.discard(run).await?;
            return Ok(step);
        }
        let kept = self.kept(order, commands, process);
        match self.session(&kept).await {
            Ok(session) => {
                self.local.take_over(run, kept, session, allowed(order)).await.map_err(local::transient)?;
                Ok(self.wait(Stage::Leaves { looks: 0 }, FIRST_PAUSE))
            }
            Err(CredentialsFailure::Refused(message)) => {
                self.discard(run).await?;
                Ok(ended(order, Outcome::Failed(message)))
            }
            Err(CredentialsFailure::Transient(transient)) => Err(transient),
        }
    }

    /// The step after commands that have provisioned and leave no process: the one of an earlier version ends.
    pub(super) async fn alone(&self, order: &Order, run: &RunId) -> Result<Step, Transient> {
        let step = self.success(order, run).await?;
        Ok(match !is_success(&step) || self.taken_down(&order.resource_id).await? {
            true => step,
            false => self.wait(Stage::Started { looks: 0 }, FIRST_PAUSE * 5),
        })
    }

    /// Ends the process of a resource, and waits a little for it. `false` while there is one still.
    pub(super) async fn taken_down(&self, resource: &str) -> Result<bool, Transient> {
        for looks in 0..LOOKS {
            let resource = resource.to_owned();
            if self.off(move |local| local.take_down(&resource)).await? {
                return Ok(true);
            }
            tokio::time::sleep(pause(looks)).await;
        }
        Ok(false)
    }

    /// The step of an order whose process is to take its place.
    pub(super) async fn leaves(&self, order: &Order, run: &RunId, looks: u32) -> Result<Step, Transient> {
        let message = match self.standing(run).await? {
            Standing::Begins => return Ok(self.wait(Stage::Leaves { looks: (looks + 1).min(LOOKS) }, pause(looks))),
            Standing::Up => return self.success(order, run).await,
            Standing::Ended(end) => why(end),
        };
        self.after(order, run, Outcome::Failed(message)).await
    }

    /// The step of an order that is cancelled after its commands have provisioned.
    pub(super) async fn withdrawn(&self, order: &Order, run: &RunId) -> Result<Step, Transient> {
        let withdrawn = run.clone();
        self.off(move |local| local.withdraw(&withdrawn)).await?;
        match self.standing(run).await? {
            Standing::Begins => Ok(self.wait(Stage::Leaves { looks: 0 }, FIRST_PAUSE * 5)),
            // It was in its place before it could be stopped.
            Standing::Up => self.success(order, run).await,
            Standing::Ended(_) => self.after(order, run, Outcome::Cancelled).await,
        }
    }

    /// The end of an order whose process came to nothing: the one before is up again.
    async fn after(&self, order: &Order, run: &RunId, outcome: Outcome) -> Result<Step, Transient> {
        // What can't be begun now is begun by the next look at all of them.
        if matches!(self.bring_up(&order.resource_id).await, Ok(false)) {
            return Ok(self.wait(Stage::Leaves { looks: 0 }, FIRST_PAUSE * 5));
        }
        self.discard(run).await?;
        Ok(ended(order, outcome))
    }

    async fn standing(&self, run: &RunId) -> Result<Standing, Transient> {
        let run = run.clone();
        self.off(move |local| local.standing(&run)).await
    }

    async fn discard(&self, run: &RunId) -> Result<(), Transient> {
        let run = run.clone();
        self.off(move |local| local.discard(&run)).await
    }

    pub(super) async fn success(&self, order: &Order, run: &RunId) -> Result<Step, Transient> {
        let run = run.clone();
        let text = self.off(move |local| local.outputs(&run)).await?;
        Ok(match text.as_deref().map_or(Ok(serde_json::Map::<String, Value>::new()), outputs::parse) {
            Ok(outputs) => ended_with(order, Outcome::Succeeded, outputs),
            Err(message) => ended(order, Outcome::Failed(message)),
        })
    }

    fn kept(&self, order: &Order, commands: &Commands, process: &Process) -> Kept {
        Kept {
            deployment: order.deployment_id.clone(),
            process: process.clone(),
            variables: variables::lasting(order, commands, self.local.variables(), self.aws.endpoint_url()),
            secrets: commands.secrets.clone(),
            role: order.role.clone(),
            region: order.region.clone(),
        }
    }

    /// A new session of the role of a process, and what its secrets say now.
    async fn session(&self, kept: &Kept) -> Result<Session, CredentialsFailure> {
        let mut values = secrets::resolve(&self.aws, &kept.region, kept.role.as_ref(), &kept.secrets).await?;
        let masked = values.iter().flat_map(|(_, value)| variables::lines(value)).collect();
        // As in the run: what is set otherwise wins.
        values.retain(|(name, _)| kept.variables.iter().all(|(kept, _)| kept != name));
        let mut session = Session { variables: values, secrets: masked };
        if let Some(role) = &kept.role {
            let (variables, secrets) = variables::of_session(&self.aws.session(&kept.region, role).await?);
            session.variables.extend(variables);
            session.secrets.extend(secrets);
        }
        Ok(session)
    }

    /// Begins every process again that should be up and is not: after a restart of the machine, or when its
    /// supervisor was killed. Answers what goes wrong, for the server's log.
    pub async fn attend(&self) -> Vec<String> {
        let resources = match self.off(|local| local.resources()).await {
            Ok(resources) => resources,
            Err(transient) => return vec![transient.message],
        };
        // One that hangs holds up no other, nor the next look.
        let (turns, mut looks) = (Arc::new(Semaphore::new(ATTENDED)), JoinSet::new());
        for resource in resources {
            let (engine, turns) = (self.clone(), Arc::clone(&turns));
            looks.spawn(async move {
                let _turn = turns.acquire().await;
                let message = match tokio::time::timeout(ATTENDING, engine.bring_up(&resource)).await {
                    Ok(Ok(_)) => return None,
                    Ok(Err(transient)) => transient.message,
                    Err(_) => format!("it could not be looked at within {} s", ATTENDING.as_secs()),
                };
                Some(format!("the process of the resource {resource}: {message}"))
            });
        }
        looks.join_all().await.into_iter().flatten().collect()
    }

    /// Begins the process of a resource again, if it should be up and is not. `false` if somebody else is at it.
    async fn bring_up(&self, resource: &str) -> Result<bool, Transient> {
        let known = resource.to_owned();
        let Some(kept) = self.off(move |local| local.absent(&known)).await? else { return Ok(true) };
        let session = match self.session(&kept).await {
            Ok(session) => session,
            // One that is up without its role is better than none; it was refused to it, not to us.
            Err(CredentialsFailure::Refused(_)) if kept.secrets.is_empty() => Session::default(),
            // Not so without its secrets: nobody knows what it does then, or for whom.
            Err(CredentialsFailure::Refused(message)) => return Err(Transient { message, retry_after: None }),
            Err(CredentialsFailure::Transient(transient)) => return Err(transient),
        };
        self.local.bring_up(resource, kept, session).await.map_err(local::transient)
    }
}

fn is_success(step: &Step) -> bool {
    matches!(step, Step::Ended(end) if end.outcome == Outcome::Succeeded)
}

fn why(end: Ended) -> String {
    match end {
        Ended::Refused(message) => message,
        Ended::Stopped => "The process was stopped before it answered.".to_owned(),
        Ended::Lost | Ended::TimedOut | Ended::Exited { .. } => {
            "The process was lost: what supervised it was gone before it answered. Deploy again.".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Aws, Settings};
    use crate::command::{Local, LocalSettings, Progress};
    use crate::double::write_program;
    use crate::{Cursor, Engine as _, ProvisioningEngine};
    use std::fs;
    use std::path::Path;

    fn commands() -> Commands {
        Commands {
            image: None,
            runtimes: Vec::new(),
            variables: Vec::new(),
            secrets: Vec::new(),
            provision: vec!["true".into()],
            deprovision: Vec::new(),
            process: None,
            project_properties: Value::Null,
            listed_as: ProvisioningEngine::default(),
            connects_to: None,
            state: None,
        }
    }

    /// An engine with a runner in that folder, whose supervisors are that program.
    async fn engine(folder: &Path, program: &str) -> CommandEngine {
        let settings = LocalSettings {
            folder: folder.to_owned(),
            program: program.into(),
            tools: Vec::new(),
            variables: Vec::new(),
            allow_unsandboxed: true,
            deny_network: false,
        };
        CommandEngine::new(Aws::new(Settings::default()).await, Local::new(settings).unwrap())
    }

    fn kept(deployment: &str) -> Kept {
        Kept {
            deployment: deployment.into(),
            process: Process { command: "serve".into(), port: 1, ready_path: "/".into() },
            variables: Vec::new(),
            secrets: Vec::new(),
            role: None,
            region: "r".into(),
        }
    }

    #[tokio::test]
    async fn a_process_that_hangs_at_its_start_holds_up_no_other() {
        let [folder, programs] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        // Each begins only when the other is begun, too.
        let program = programs.path().join("supervisor");
        let script = "#!/bin/sh\n[ \"$1\" = run-supervisor ] || exit 0\ncat >/dev/null\ncd \"$2/..\" && touch begun\n\
                      for other in ../*/; do until [ -e \"$other/begun\" ]; do sleep 0.02; done; done\necho ready\n";
        write_program(&program, script).unwrap();
        let engine = engine(folder.path(), program.to_str().unwrap()).await;
        for resource in ["a", "b"] {
            let resource = folder.path().join(resource);
            fs::create_dir_all(resource.join("d/work")).unwrap();
            fs::write(resource.join("service.json"), serde_json::to_vec(&kept("d")).unwrap()).unwrap();
        }
        assert_eq!(engine.attend().await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_cancel_that_comes_after_the_success_of_commands_ends_the_process_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path(), "/bin/true").await;
        let progress = Progress { runner: engine.local.id().to_owned(), stage: Stage::Started { looks: 0 } };
        let cursor = Cursor(serde_json::to_value(progress).unwrap());
        let order = Order { commands: Some(commands()), ..Order::of_test(Intent::Cancel) };
        let resource = folder.path().join(&order.resource_id);
        let own = resource.join(&order.deployment_id);
        fs::create_dir_all(&own).unwrap();
        fs::write(own.join("supervisor.json"), "{}").unwrap();
        let service = resource.join("service.json");
        for (outputs, expected, stays) in [
            ("{", Outcome::Failed("proton-outputs.json is no JSON (line 1)".into()), true),
            ("{}", Outcome::Succeeded, false),
        ] {
            let end = Ended::Exited { status: 0, command: None, tail: String::new() };
            fs::write(own.join("end.json"), serde_json::to_vec(&end).unwrap()).unwrap();
            fs::write(own.join("outputs.json"), outputs).unwrap();
            fs::write(&service, serde_json::to_vec(&kept("former")).unwrap()).unwrap();
            let Step::Ended(end) = engine.step(&order, Some(&cursor)).await.unwrap() else { panic!("it goes on") };
            assert_eq!((end.outcome, service.exists()), (expected, stays));
        }
    }
}
