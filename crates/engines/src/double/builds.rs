//! The double's CodeBuild and CloudWatch Logs: builds that go as the test says, of projects that stacks have made.

use std::collections::HashMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::query;
use super::wire::Answer;
use super::{Call, World, sts};

/// How many events of a log are on a page.
const PAGE: usize = 2;
/// The time of the first event, in milliseconds since 1970.
const BEGAN: i64 = 1_700_000_000_000;

/// How a build goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRun {
    /// So many looks see it in progress.
    pub looks: u32,
    /// How it ends: `SUCCEEDED`, `FAILED`, `FAULT`, `TIMED_OUT`; a build that never ends is `IN_PROGRESS`.
    pub status: String,
    /// A phase that goes wrong, and what it says.
    pub reason: Option<(String, String)>,
    /// What it prints; `{deployment}` is the name of its source.
    pub lines: Vec<String>,
    /// So many reads find no log yet.
    pub late: u32,
}

impl BuildRun {
    /// It ends with that status after one look, and prints that.
    #[must_use]
    pub fn ends(status: &str, lines: &[&str]) -> Self {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        Self { looks: 1, status: status.to_owned(), reason: None, lines, late: 0 }
    }

    /// The same, because a phase went wrong.
    #[must_use]
    pub fn because(self, phase: &str, message: &str) -> Self {
        Self { reason: Some((phase.to_owned(), message.to_owned())), ..self }
    }
}

impl Default for BuildRun {
    fn default() -> Self {
        Self::ends("SUCCEEDED", &[])
    }
}

/// One build.
pub(super) struct Build {
    id: String,
    account: String,
    project: String,
    source: String,
    /// Its variables, as the call gave them.
    variables: Value,
    asked: SystemTime,
    run: BuildRun,
    looks: u32,
    stopped: bool,
}

/// All builds, with the tokens that CodeBuild still knows.
pub(super) struct Builds {
    pub(super) all: Vec<Build>,
    pub(super) run: BuildRun,
    /// The number of the build of a token, and what the call said.
    pub(super) tokens: HashMap<String, (usize, String)>,
    /// How many builds an account may have.
    pub(super) limit: Option<usize>,
    /// Whether the next token of a log is too old.
    pub(super) old_log_tokens: bool,
    /// How many builds are on a page of a list.
    pub(super) page: usize,
}

impl Default for Builds {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            run: BuildRun::default(),
            tokens: HashMap::new(),
            limit: None,
            old_log_tokens: false,
            page: 100,
        }
    }
}

impl Builds {
    pub(super) fn running(&self) -> usize {
        self.all.iter().filter(|build| build.status() == "IN_PROGRESS").count()
    }

    /// The deployments whose builds are in progress, by the names of their sources.
    pub(super) fn in_progress(&self) -> Vec<String> {
        let in_progress = self.all.iter().filter(|build| build.status() == "IN_PROGRESS");
        in_progress.map(|build| deployment(&build.source).to_owned()).collect()
    }
}

impl Build {
    fn status(&self) -> &str {
        match () {
            () if self.stopped => "STOPPED",
            () if self.looks < self.run.looks => "IN_PROGRESS",
            () => &self.run.status,
        }
    }

    fn json(&self) -> Value {
        let status = self.status();
        let reason = self.run.reason.iter().filter(|_| status != "IN_PROGRESS").map(|(phase, message)| {
            let contexts = json!([{"statusCode": "CLIENT_ERROR", "message": message}]);
            json!({"phaseType": phase, "phaseStatus": "FAILED", "contexts": contexts})
        });
        let phases: Vec<Value> =
            std::iter::once(json!({"phaseType": "QUEUED", "phaseStatus": "SUCCEEDED"})).chain(reason).collect();
        json!({
            "id": self.id,
            "projectName": self.project,
            "buildStatus": status,
            "currentPhase": if status == "IN_PROGRESS" { "BUILD" } else { "COMPLETED" },
            "source": {"type": "S3", "location": self.source},
            "environment": {"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL",
                            "environmentVariables": self.variables},
            "startTime": self.asked.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs(),
            "phases": phases,
        })
    }
}

pub(super) fn codebuild(world: &mut World, call: &Call) -> Answer {
    if sts::is_ended(world, call.get("AWSAccessKeyId")) {
        return Answer::json_error("ExpiredTokenException", "The security token included in the request is expired");
    }
    match call.action.as_str() {
        "StartBuild" => start(world, call),
        "StopBuild" => stop(world, call),
        "BatchGetBuilds" => describe(world, call),
        "ListBuildsForProject" => list(world, call),
        "GetLogEvents" => events(world, call),
        other => Answer::json_error("UnknownOperationException", other),
    }
}

fn start(world: &mut World, call: &Call) -> Answer {
    let project = call.get("projectName");
    if !has_project(world, call, project) {
        return no_project(project);
    }
    let source = call.get("sourceLocationOverride");
    if !world.objects.contains_key(source) {
        return Answer::json_error("InvalidInputException", &format!("{source} is not there"));
    }
    let (token, said) = (call.get("idempotencyToken").to_owned(), query::said(call));
    match world.builds.tokens.get(&token) {
        Some((number, earlier)) if *earlier == said => {
            let build = json!({"build": world.builds.all[*number].json()});
            return Answer::json(&build, false);
        }
        Some(_) => return Answer::json_error("InvalidInputException", "The token was used with other parameters"),
        None => {}
    }
    let going = world.builds.running();
    if world.builds.limit.is_some_and(|limit| going >= limit) {
        let message = format!("Cannot have more than {going} builds in queue for the account");
        return Answer::json_error("AccountLimitExceededException", &message);
    }
    let number = world.builds.all.len();
    let mut run = world.builds.run.clone();
    let name = deployment(source);
    run.lines.iter_mut().for_each(|line| *line = line.replace("{deployment}", name));
    let build = Build {
        id: format!("{project}:{number:08}"),
        account: call.account.clone(),
        project: project.to_owned(),
        source: source.to_owned(),
        variables: serde_json::from_str(call.get("environmentVariablesOverride")).unwrap_or_else(|_| json!([])),
        asked: SystemTime::now(),
        run,
        looks: 0,
        stopped: false,
    };
    let answer = Answer::json(&json!({"build": build.json()}), true);
    world.builds.all.push(build);
    world.builds.tokens.insert(token, (number, said));
    answer
}

fn stop(world: &mut World, call: &Call) -> Answer {
    let id = call.get("id");
    match world.builds.all.iter_mut().find(|build| build.id == id && build.account == call.account) {
        Some(build) => {
            let effective = build.status() == "IN_PROGRESS";
            build.stopped |= effective;
            Answer::json(&json!({"build": build.json()}), effective)
        }
        None => Answer::json_error("ResourceNotFoundException", &format!("Build {id} cannot be found")),
    }
}

fn describe(world: &mut World, call: &Call) -> Answer {
    let ids: Vec<String> = serde_json::from_str(call.get("ids")).unwrap_or_default();
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    for id in ids {
        match world.builds.all.iter_mut().find(|build| build.id == id && build.account == call.account) {
            Some(build) => {
                found.push(build.json());
                build.looks += 1;
            }
            None => absent.push(id),
        }
    }
    Answer::json(&json!({"builds": found, "buildsNotFound": absent}), false)
}

fn list(world: &World, call: &Call) -> Answer {
    let project = call.get("projectName");
    if !has_project(world, call, project) {
        return no_project(project);
    }
    let ours = |build: &&Build| build.project == project && build.account == call.account;
    let ids: Vec<&str> = world.builds.all.iter().rev().filter(ours).map(|build| build.id.as_str()).collect();
    // A page's token is where the next one begins.
    let from = call.get("nextToken").parse().unwrap_or(0).min(ids.len());
    let to = ids.len().min(from + world.builds.page);
    let mut page = json!({ "ids": ids[from..to] });
    if to < ids.len() {
        page["nextToken"] = to.to_string().into();
    }
    Answer::json(&page, false)
}

/// Tokens are `f/NUMBER` for what follows that event, and `b/NUMBER` for what comes before it.
fn events(world: &mut World, call: &Call) -> Answer {
    let absent = || Answer::json_error("ResourceNotFoundException", "The specified log stream does not exist.");
    let group = call.get("logGroupName");
    let stream = format!(":{}", call.get("logStreamName"));
    let builds = &mut world.builds;
    let Some(build) = builds.all.iter_mut().find(|build| build.id.ends_with(&stream)) else { return absent() };
    if !group.starts_with("/aws/codebuild/AWSProton-Shell-") || build.run.lines.is_empty() {
        return absent();
    }
    if build.run.late > 0 {
        build.run.late -= 1;
        return absent();
    }
    let token = call.get("nextToken");
    if builds.old_log_tokens && !token.is_empty() {
        builds.old_log_tokens = false;
        return Answer::json_error("InvalidParameterException", "The specified nextToken is invalid.");
    }
    let count = build.run.lines.len();
    let place = |prefix: &str| token.strip_prefix(prefix).and_then(|number| number.parse::<usize>().ok());
    let (from, to) = match (place("f/"), place("b/")) {
        (Some(from), _) => (from, (from + PAGE).min(count)),
        (None, Some(to)) => (to.saturating_sub(PAGE), to),
        (None, None) if call.get("startFromHead") == "true" => (0, PAGE.min(count)),
        (None, None) => (count.saturating_sub(PAGE), count),
    };
    let since: i64 = call.get("startTime").parse().unwrap_or_default();
    let events = (from..to).map(|number| {
        let at = BEGAN + i64::try_from(number).unwrap_or_default();
        (at, json!({"timestamp": at, "ingestionTime": at, "message": format!("{}\n", build.run.lines[number])}))
    });
    let events: Vec<Value> = events.filter(|(at, _)| *at >= since).map(|(_, event)| event).collect();
    let answer = json!({
        "events": events,
        "nextForwardToken": format!("f/{to}"),
        "nextBackwardToken": format!("b/{from}"),
    });
    Answer::json(&answer, false)
}

/// The deployment that a source is named like.
fn deployment(source: &str) -> &str {
    source.rsplit('/').next().and_then(|file| file.strip_suffix(".zip")).unwrap_or_default()
}

/// Whether a stack of the caller's account has made that project.
fn has_project(world: &World, call: &Call, name: &str) -> bool {
    let wanted = format!("\"Name\":\"{name}\"");
    world.stacks.iter().any(|stack| {
        stack.account == call.account
            && ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"].contains(&stack.status())
            && stack.content.template.contains("AWS::CodeBuild::Project")
            && stack.content.template.contains(&wanted)
    })
}

fn no_project(name: &str) -> Answer {
    Answer::json_error("ResourceNotFoundException", &format!("Project cannot be found: {name}"))
}
