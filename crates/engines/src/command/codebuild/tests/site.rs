//! A double, a runner, and the caller's part: saving states, waiting, asking again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::{CodeBuild, CodeBuildSettings};
use crate::aws::{Aws, Credentials, Settings};
use crate::command::remote::{Begin, Remote, RemoteLook, RemoteRun};
use crate::double::{Disturbance, Double};
use crate::{Commands, Intent, Order, Role, Transient};

/// More steps than any run of the suite takes.
const ENOUGH: usize = 200;
pub(super) const ROLE: &str = "arn:aws:iam::123456789012:role/builds";
pub(super) const ENVIRONMENT: &str = "6f1c9ab2-8b6e-4a53-9d7f-0a4c7f1b2e3d";
pub(super) const SECRET: &str = "kept-from-everybody";

/// How an unreliable caller goes through a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    Once,
    EachStepTwice,
    KilledAtEachStep,
    AnswersLost,
    Throttled,
}

pub(super) const MODES: [Mode; 5] =
    [Mode::Once, Mode::EachStepTwice, Mode::KilledAtEachStep, Mode::AnswersLost, Mode::Throttled];

/// A run as the engine has it.
#[derive(Clone)]
pub(super) struct Given {
    pub(super) order: Order,
    pub(super) commands: Commands,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) variables: Vec<(String, String)>,
}

impl Given {
    pub(super) fn run(&self) -> RemoteRun<'_> {
        RemoteRun {
            order: &self.order,
            commands: &self.commands,
            files: &self.files,
            script: "echo hello\n",
            variables: &self.variables,
            secrets: &[],
            time_limit: self.order.time_limit,
        }
    }

    pub(super) fn with(mut self, settings: &Value) -> Self {
        self.commands = commands(settings);
        self
    }
}

/// The deployment of an environment that provisions by commands.
pub(super) fn environment(deployment: &str, intent: Intent) -> Given {
    let order = Order {
        deployment_id: deployment.to_owned(),
        resource_id: ENVIRONMENT.to_owned(),
        resource_arn: "arn:aws:proton:us-east-1:000000000000:environment/prod".to_owned(),
        environment_id: Some(ENVIRONMENT.to_owned()),
        role: Some(Role { arn: ROLE.to_owned(), session_name: "prod".to_owned(), external_id: None }),
        tags: vec![("team".to_owned(), "red".to_owned())],
        time_limit: Duration::from_secs(3_600),
        ..Order::of_test(intent)
    };
    Given {
        order,
        commands: commands(&json!({})),
        files: BTreeMap::from([("deploy.sh".to_owned(), b"#!/bin/sh\necho deployed\n".to_vec())]),
        variables: vec![("COLOR".to_owned(), "blue".to_owned())],
    }
}

/// That of a service instance in it.
pub(super) fn instance(deployment: &str, intent: Intent) -> Given {
    let mut given = environment(deployment, intent);
    given.order.resource_id = "instance".to_owned();
    given
}

/// That of a pipeline.
pub(super) fn pipeline(deployment: &str, service: &str) -> Given {
    let mut given = environment(deployment, Intent::Apply);
    given.order.resource_id = format!("pipeline of {service}");
    given.order.resource_arn = format!("arn:aws:proton:us-east-1:000000000000:service/{service}/pipeline/x");
    given.order.environment_id = None;
    given
}

fn commands(settings: &Value) -> Commands {
    let mut commands = json!({"provision": ["true"]});
    for (name, value) in settings.as_object().into_iter().flatten() {
        commands[name.as_str()] = value.clone();
    }
    serde_json::from_value(commands).expect("commands")
}

pub(super) struct Site {
    pub(super) double: Double,
}

impl Site {
    pub(super) async fn new() -> Self {
        Self { double: Double::start().await.expect("a loopback port") }
    }

    /// One whose first calls go as `mode` says.
    pub(super) async fn in_mode(mode: Mode) -> Self {
        let site = Self::new().await;
        let calls = [
            "CreateStack",
            "UpdateStack",
            "DeleteStack",
            "DescribeStacks",
            "PutObject",
            "DeleteObject",
            "ListObjects",
            "ListBuildsForProject",
            "StartBuild",
            "BatchGetBuilds",
            "StopBuild",
            "GetLogEvents",
        ];
        for call in calls {
            match mode {
                Mode::AnswersLost => site.double.disturb(call, Disturbance::AnswerLost),
                Mode::Throttled => {
                    site.double.disturb(call, Disturbance::Throttled);
                    site.double.disturb(call, Disturbance::ServerError);
                }
                Mode::Once | Mode::EachStepTwice | Mode::KilledAtEachStep => {}
            }
        }
        site
    }

    /// A runner as a process that was just started has it.
    pub(super) async fn runner(&self) -> CodeBuild {
        let credentials = Credentials::from_keys("AKIDEXAMPLE", SECRET, None);
        let endpoint_url = Some(self.double.url());
        let settings = Settings { endpoint_url, credentials: Some(credentials), profile: None };
        CodeBuild::new(Aws::new(settings).await, CodeBuildSettings::default())
    }

    /// A call, asked again as long as it answers that it was disturbed.
    pub(super) async fn ask<T>(&self, call: impl AsyncFn(&CodeBuild) -> Result<T, Transient>, mode: Mode) -> T {
        let mut runner = self.runner().await;
        let mut taken = 0;
        let mut last = None;
        for _ in 0..ENOUGH {
            match call(&runner).await {
                Ok(_) if taken == 0 && matches!(mode, Mode::EachStepTwice | Mode::KilledAtEachStep) => {
                    taken = 1;
                    if mode == Mode::KilledAtEachStep {
                        runner = self.runner().await;
                    }
                }
                Ok(answer) => return answer,
                Err(transient) => {
                    assert!(!transient.message.is_empty());
                    last = Some(transient);
                }
            }
        }
        panic!("a call was disturbed {ENOUGH} times: {last:?}");
    }

    /// Goes on to the build, or to the refusal.
    pub(super) async fn begin(&self, given: &Given, mode: Mode) -> Result<Value, String> {
        let mut state = None;
        for _ in 0..ENOUGH {
            match self.ask(async |runner| runner.begin(&given.run(), state.as_ref()).await, mode).await {
                Begin::Not { state: next, after, note } => {
                    assert!(note.is_some_and(|note| !note.is_empty()));
                    self.double.advance(after);
                    state = Some(next);
                }
                Begin::Runs { state } => return Ok(state),
                Begin::Refused(message) => return Err(message),
            }
        }
        panic!("the run did not begin in {ENOUGH} steps; it is at {state:?}");
    }

    pub(super) async fn end(&self, given: &Given, state: &Value, mode: Mode) -> RemoteLook {
        for _ in 0..ENOUGH {
            let look = self.ask(async |runner| runner.look(&given.order, state).await, mode).await;
            if !matches!(look, RemoteLook::Runs { .. }) {
                return look;
            }
        }
        panic!("the run did not end in {ENOUGH} looks");
    }

    /// All that was printed, from one place to the next.
    pub(super) async fn printed(&self, given: &Given, state: &Value, mode: Mode) -> Vec<String> {
        let (mut lines, mut after) = (Vec::new(), None);
        for _ in 0..ENOUGH {
            let page = self.ask(async |runner| runner.read(&given.order, state, after.as_deref()).await, mode).await;
            if page.lines.is_empty() && page.next == after {
                return lines;
            }
            lines.extend(page.lines.into_iter().map(|(_, line)| line));
            after = page.next;
        }
        panic!("the log has no end; it is at {after:?}");
    }

    pub(super) async fn stop(&self, given: &Given, state: &Value, mode: Mode) {
        self.ask(async |runner| runner.stop(&given.order, state).await, mode).await;
    }

    pub(super) async fn remove(&self, given: &Given, state: &Value, mode: Mode) {
        self.ask(async |runner| runner.remove(&given.order, state).await, mode).await;
    }

    /// All of it, to the end and the removal of what only the run needed.
    pub(super) async fn go(&self, given: &Given, mode: Mode) -> RemoteLook {
        let state = self.begin(given, mode).await.expect("it begins");
        let end = self.end(given, &state, mode).await;
        self.remove(given, &state, mode).await;
        end
    }

    /// A parameter of the last call of that kind.
    pub(super) fn said(&self, action: &str, parameter: &str) -> String {
        let calls = self.double.calls();
        let call = calls.iter().rev().find(|call| call.action == action).expect("there was such a call");
        call.parameters.get(parameter).cloned().unwrap_or_default()
    }
}
