//! The runner on AWS CodeBuild: each run is a build in the account of its role.
//!
//! Owns what is made there: a project for each environment, with a bucket and a log group, by a stack. What a run
//! means is not known here. CodeBuild forgets a build's token after minutes, so a build is looked for by its source,
//! whose name follows from the deployment, before it is started.

mod builds;
mod logs;
mod project;
mod properties;
mod source;
#[cfg(all(test, feature = "double"))]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::remote::{Begin, Others, Printed, Remote, RemoteLook, RemoteRun};
use crate::aws::{Aws, Bucket, Fault, Refusal};
use crate::cloudformation::CloudFormation;
use crate::{Commands, Cursor, Intent, Order, Transient};
use builds::{Build, Started};
use project::{Place, Project};
use properties::Properties;

/// How long to wait when the account has as many builds as it may.
const CROWDED: Duration = Duration::from_secs(30);

/// What an operator sets about builds, as a file says it. A template may say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CodeBuildSettings {
    /// The image of templates that name none.
    pub image: String,
    /// The size of the machine: one of CodeBuild's compute types.
    pub compute_type: String,
}

impl Default for CodeBuildSettings {
    fn default() -> Self {
        Self {
            image: "aws/codebuild/amazonlinux2-x86_64-standard:5.0".to_owned(),
            compute_type: "BUILD_GENERAL1_SMALL".to_owned(),
        }
    }
}

/// Runs commands as builds of AWS CodeBuild.
#[derive(Debug, Clone)]
pub(super) struct CodeBuild {
    aws: Aws,
    stacks: CloudFormation,
    settings: CodeBuildSettings,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
enum Stage {
    /// Its project is being made, or looked at.
    Project { cursor: Cursor },
    /// Its build is to be started, or was.
    Start { place: Place, minutes: i32 },
    /// Its build is known.
    Build { place: Place, id: String },
}

impl Stage {
    fn read(state: &Value) -> Result<Option<Self>, Transient> {
        if state.is_null() {
            return Ok(None);
        }
        serde_json::from_value(state.clone()).map(Some).map_err(|_| {
            crate::aws::transient("The state of the run is not known to this version of the server.".to_owned())
        })
    }

    /// What is saved of it. Texts and numbers always become JSON.
    fn state(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn place(&self) -> Option<&Place> {
        match self {
            Self::Project { .. } => None,
            Self::Start { place, .. } | Self::Build { place, .. } => Some(place),
        }
    }
}

/// An order, and the clients that work in its role.
struct Session<'a> {
    order: &'a Order,
    builds: aws_sdk_codebuild::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    aws: &'a Aws,
    credentials: crate::aws::Credentials,
}

impl Session<'_> {
    fn bucket(&self, name: &str) -> Result<Bucket, Fault> {
        Bucket::open(self.aws, &self.order.region, &self.credentials, name)
    }

    /// A refusal for want of a permission, with the permission and the role that lacks it.
    fn needs(&self, fault: Fault, permission: &str) -> Fault {
        match fault {
            Fault::Refused(Refusal { code, message }) if code.starts_with("AccessDenied") => {
                let role = self.order.role.as_ref().map_or("of the server", |role| role.arn.as_str());
                let message = format!("{message} ({code}). The role {role} needs the permission {permission}.");
                Fault::Refused(Refusal { code, message })
            }
            fault => fault,
        }
    }
}

impl CodeBuild {
    /// With the calls that `aws` makes in the roles of the orders.
    #[must_use]
    pub(super) fn new(aws: Aws, settings: CodeBuildSettings) -> Self {
        let stacks = CloudFormation::new(aws.clone(), None);
        Self { aws, stacks, settings }
    }

    async fn session<'a>(&'a self, order: &'a Order) -> Result<Session<'a>, Fault> {
        let credentials = self.aws.credentials(&order.region, order.role.as_ref()).await?;
        Ok(Session {
            order,
            builds: self.aws.codebuild(&order.region, credentials.clone()),
            logs: self.aws.logs(&order.region, credentials.clone()),
            aws: &self.aws,
            credentials,
        })
    }

    /// Whether AWS has decided: a session that ended is forgotten, so that the next call gets another one.
    async fn decided<T>(&self, order: &Order, answer: Result<T, Fault>) -> Result<Result<T, Refusal>, Transient> {
        match answer {
            Ok(answer) => Ok(Ok(answer)),
            Err(Fault::Transient(transient)) => Err(transient),
            Err(Fault::Refused(refusal)) if refusal.is_expired() => {
                self.aws.forget(&order.region, order.role.as_ref()).await;
                Err(crate::aws::transient(refusal.message))
            }
            Err(Fault::Refused(refusal)) => Ok(Err(refusal)),
        }
    }

    /// Of calls that people can only make possible: what was refused is asked again.
    async fn patient<T>(&self, order: &Order, answer: Result<T, Fault>) -> Result<T, Transient> {
        let answer = self.decided(order, answer).await?;
        answer.map_err(|refusal| Transient { message: refusal.message, retry_after: Some(CROWDED) })
    }

    async fn start(&self, run: &RemoteRun<'_>, place: &Place, minutes: i32) -> Result<Begin, Fault> {
        let session = self.session(run.order).await?;
        let stage = |id| Stage::Build { place: place.clone(), id };
        if let Some(build) = session.find(place).await? {
            return Ok(Begin::Runs { state: stage(build.id).state() });
        }
        let properties = Properties::of(run.commands).map_err(|message| refused(&message))?;
        let source = source::archive(run.files, run.script, run.variables).map_err(|message| refused(&message))?;
        let bucket = session.bucket(&place.bucket)?;
        let put = bucket.put(&source::key(run.order), source).await;
        put.map_err(|fault| session.needs(fault, &format!("s3:PutObject on the bucket {}", place.bucket)))?;
        let started = session.start(run, place, minutes, &properties, &self.settings).await;
        if matches!(&started, Err(Fault::Refused(refusal)) if !refusal.is_expired())
            && let Some(build) = session.find(place).await?
        {
            // An earlier call began it, whose answer was lost, and CodeBuild had not listed it yet.
            return Ok(Begin::Runs { state: stage(build.id).state() });
        }
        // What is refused leaves its source, which goes within a day: a build that is not listed yet may need it.
        match started? {
            Started::Build(id) => Ok(Begin::Runs { state: stage(id).state() }),
            Started::Crowded(why) => Ok(Begin::Not {
                state: Stage::Start { place: place.clone(), minutes }.state(),
                after: CROWDED,
                note: Some(format!("AWS CodeBuild takes no more builds now: {why}")),
            }),
        }
    }

    /// The build of a run, if there is one.
    async fn build(&self, session: &Session<'_>, stage: &Stage) -> Result<Option<Build>, Fault> {
        match stage {
            Stage::Project { .. } => Ok(None),
            Stage::Start { place, .. } => session.find(place).await,
            Stage::Build { id, .. } => session.build(id).await,
        }
    }

    async fn take_away(&self, order: &Order, stage: Option<&Stage>) -> Result<(), Fault> {
        let session = self.session(order).await?;
        if let Some(place) = stage.and_then(Stage::place) {
            session.bucket(&place.bucket)?.delete(&source::key(order)).await?;
        }
        if order.intent != Intent::Destroy {
            return Ok(());
        }
        let gone = match stage {
            Some(stage) => self.build(&session, stage).await?.is_some_and(|build| build.succeeded()),
            None => true,
        };
        if gone { self.remove_project(&session).await } else { Ok(()) }
    }

    /// Stops the builds of other deployments of the resource. Answers whether there were any.
    async fn end_others(&self, order: &Order) -> Result<bool, Fault> {
        let session = self.session(order).await?;
        let mut goes_on = false;
        for project in BTreeSet::from(project::all(order)) {
            for id in session.others(&project).await? {
                session.stop(&id).await?;
                // It is asked for again: a build is over when CodeBuild says so.
                goes_on = true;
            }
        }
        Ok(goes_on)
    }

    /// The stack of the resource itself: of an environment, or of what had a project of its own.
    async fn remove_project(&self, session: &Session<'_>) -> Result<(), Fault> {
        let stack = project::own(session.order);
        let Some(outputs) = self.stacks.outputs(&stack).await? else { return Ok(()) };
        if let Some(bucket) = project::bucket(&outputs) {
            session.bucket(bucket)?.empty(source::FOLDER).await?;
        }
        self.stacks.release(&stack).await
    }
}

#[async_trait]
impl Remote for CodeBuild {
    fn id(&self) -> &'static str {
        "codebuild"
    }

    async fn stop_others(&self, order: &Order) -> Result<Others, Transient> {
        if order.role.is_none() {
            // Nothing can be begun in nobody's name, and nobody asked whether anything goes on.
            return Ok(Others::None);
        }
        let answer = self.end_others(order).await;
        Ok(match self.decided(order, answer).await? {
            Ok(true) => Others::Ending,
            Ok(false) => Others::None,
            Err(refusal) => Others::Refused(builds::remedy(refusal.message)),
        })
    }

    async fn begin(&self, run: &RemoteRun<'_>, state: Option<&Value>) -> Result<Begin, Transient> {
        let stage = state.map(Stage::read).transpose()?.flatten();
        let cursor = match &stage {
            None => None,
            Some(Stage::Project { cursor }) => Some(cursor),
            Some(Stage::Start { place, minutes }) => {
                let answer = self.start(run, place, *minutes).await;
                let answer = self.decided(run.order, answer).await?;
                return Ok(answer.unwrap_or_else(|refusal| Begin::Refused(builds::remedy(refusal.message))));
            }
            Some(Stage::Build { .. }) => return Ok(Begin::Runs { state: state.cloned().unwrap_or_default() }),
        };
        match Project::of(run, &self.settings) {
            Ok(project) => project.step(&self.stacks, run, cursor).await,
            Err(message) => Ok(Begin::Refused(message)),
        }
    }

    async fn look(&self, order: &Order, state: &Value) -> Result<RemoteLook, Transient> {
        // A run that was never begun is as if it had been stopped.
        let Some(stage) = Stage::read(state)? else { return Ok(RemoteLook::Stopped) };
        let answer = async {
            let session = self.session(order).await?;
            Ok(match (self.build(&session, &stage).await?, &stage) {
                (Some(build), _) => build.look(),
                (None, Stage::Build { id, .. }) => {
                    RemoteLook::Lost(format!("AWS CodeBuild has no build {id} any more."))
                }
                (None, Stage::Project { .. } | Stage::Start { .. }) => RemoteLook::Stopped,
            })
        };
        let answer = answer.await;
        self.patient(order, answer).await
    }

    async fn stop(&self, order: &Order, state: &Value) -> Result<(), Transient> {
        let Some(stage) = Stage::read(state)? else { return Ok(()) };
        let answer = async {
            let session = self.session(order).await?;
            match self.build(&session, &stage).await? {
                Some(build) if !build.is_over() => session.stop(&build.id).await,
                Some(_) | None => Ok(()),
            }
        };
        let answer = answer.await;
        self.patient(order, answer).await
    }

    async fn read(&self, order: &Order, state: &Value, after: Option<&str>) -> Result<Printed, Transient> {
        let Some(Stage::Build { place, id }) = Stage::read(state)? else {
            return Ok(Printed { lines: Vec::new(), next: after.map(str::to_owned) });
        };
        let answer = async { self.session(order).await?.read(&place, &id, after).await };
        let answer = answer.await;
        self.patient(order, answer).await
    }

    async fn tail(&self, order: &Order, state: &Value) -> Result<Vec<String>, Transient> {
        let Some(Stage::Build { place, id }) = Stage::read(state)? else { return Ok(Vec::new()) };
        let answer = async { self.session(order).await?.tail(&place, &id).await };
        let answer = answer.await;
        self.patient(order, answer).await
    }

    /// CodeBuild itself masks what it reads from Secrets Manager.
    async fn hidden(&self, _: &Order, _: &Value) -> Result<Option<Vec<String>>, Transient> {
        Ok(Some(Vec::new()))
    }

    fn has_credentials(&self, _: &Order) -> bool {
        true
    }

    /// The variables of the build that the template itself declares.
    fn sets<'a>(&self, commands: &'a Commands) -> Vec<&'a str> {
        let declared = &commands.project_properties["Environment"]["EnvironmentVariables"];
        declared.as_array().into_iter().flatten().filter_map(|variable| variable["Name"].as_str()).collect()
    }

    async fn remove(&self, order: &Order, state: &Value) -> Result<Option<String>, Transient> {
        let stage = Stage::read(state)?;
        if order.role.is_none() {
            return Ok(None);
        }
        let answer = self.take_away(order, stage.as_ref()).await;
        // No run waits for what may not be removed. The bucket keeps sources for a day; a stack stays.
        Ok(self.decided(order, answer).await?.err().map(|refusal| refusal.message))
    }
}

fn refused(message: &str) -> Fault {
    Fault::Refused(Refusal { code: "InvalidRun".to_owned(), message: message.to_owned() })
}
