//! A run as a build: started, found again, looked at, stopped.

use std::time::{Duration, SystemTime};

use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::types::{
    BuildPhase, BuildPhaseType, ComputeType, CredentialProviderType, EnvironmentType, EnvironmentVariable,
    EnvironmentVariableType, ImagePullCredentialsType, ProjectEnvironment, RegistryCredential, SourceType, StatusType,
};
use serde_json::{Value, json};

use super::super::remote::{RemoteLook, RemoteRun};
use super::project::Place;
use super::properties::{Properties, truth};
use super::{CodeBuildSettings, Session, source};
use crate::Order;
use crate::aws::{EFFECT_TIMEOUT, Fault, classify, timeouts, transient};

/// The images of AWS itself, which CodeBuild takes from where it keeps them.
const CURATED: &str = "aws/codebuild/";
/// As many builds as a call describes. One of an order that was begun before is among the newest: no more than a
/// step lies between.
const NEWEST: usize = 100;

/// Longer than a build may wait (8 hours) and take (36 hours): one that was asked for before has ended.
const LONGEST: Duration = Duration::from_hours(45);
/// What builds are given to be known by.
const DEPLOYMENT: &str = "PROTIUM_DEPLOYMENT_ID";
const RESOURCE: &str = "PROTIUM_RESOURCE_ID";

/// What CodeBuild made of a build that was to be started.
pub(super) enum Started {
    /// It has this id.
    Build(String),
    /// There are too many, in CodeBuild's words.
    Crowded(String),
}

/// A build as it was described.
pub(super) struct Build {
    pub(super) id: String,
    status: Option<StatusType>,
    phase: Option<String>,
    /// What the first phase that failed says.
    reason: Option<String>,
}

impl Build {
    fn read(build: aws_sdk_codebuild::types::Build) -> Option<Self> {
        let reason = build.phases().iter().find_map(reason);
        Some(Self { id: build.id?, status: build.build_status, phase: build.current_phase, reason })
    }

    pub(super) fn succeeded(&self) -> bool {
        self.status == Some(StatusType::Succeeded)
    }

    pub(super) fn is_over(&self) -> bool {
        !matches!(self.look(), RemoteLook::Runs { .. })
    }

    pub(super) fn look(&self) -> RemoteLook {
        let said = self.reason.clone().map(remedy);
        match &self.status {
            Some(StatusType::Succeeded) => RemoteLook::Ended { succeeded: true, said: None },
            Some(StatusType::Failed) => RemoteLook::Ended { succeeded: false, said },
            Some(StatusType::Fault) => {
                let own = "AWS CodeBuild could not carry out the build".to_owned();
                let said = said.map_or_else(|| format!("{own}."), |said| format!("{own}: {said}"));
                RemoteLook::Ended { succeeded: false, said: Some(said) }
            }
            Some(StatusType::TimedOut) => RemoteLook::TimedOut,
            Some(StatusType::Stopped) => RemoteLook::Stopped,
            _ => RemoteLook::Runs { note: self.phase.as_deref().map(note) },
        }
    }
}

impl Session<'_> {
    /// The build that an earlier step of the order began, if one did.
    pub(super) async fn find(&self, place: &Place) -> Result<Option<Build>, Fault> {
        // A project that somebody has deleted has no builds.
        let Some((ids, _)) = self.list(&place.project, None).await? else { return Ok(None) };
        let ids: Vec<String> = ids.into_iter().take(NEWEST).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let location = location(place, &source::key(self.order));
        let ours = |build: &aws_sdk_codebuild::types::Build| {
            build.source().and_then(|source| source.location()) == Some(location.as_str())
        };
        Ok(self.describe(ids).await?.into_iter().find(ours).and_then(Build::read))
    }

    /// The ids of the builds in a project that other deployments of the resource have begun, and that have not ended.
    pub(super) async fn others(&self, project: &str) -> Result<Vec<String>, Fault> {
        let (mut others, mut token) = (Vec::new(), None);
        while let Some((ids, next)) = self.list(project, token).await? {
            let builds = if ids.is_empty() { Vec::new() } else { self.describe(ids).await? };
            // The newest come first.
            token = next.filter(|_| builds.iter().all(|build| age(build) <= LONGEST));
            let builds = builds.into_iter().filter(|build| is_other(build, self.order)).filter_map(Build::read);
            others.extend(builds.filter(|build| !build.is_over()).map(|build| build.id));
            if token.is_none() {
                break;
            }
        }
        Ok(others)
    }

    /// A page of the builds of a project, and the token of the next one. `None` if there is no such project.
    async fn list(&self, project: &str, token: Option<String>) -> Result<Option<(Vec<String>, Option<String>)>, Fault> {
        let list = self.builds.list_builds_for_project().project_name(project).set_next_token(token).send().await;
        match list.map_err(classify) {
            Ok(list) => Ok(Some((list.ids.unwrap_or_default(), list.next_token))),
            Err(Fault::Refused(refusal)) if refusal.code == "ResourceNotFoundException" => Ok(None),
            Err(fault) => Err(self.needs(fault, &format!("codebuild:ListBuildsForProject on the project {project}"))),
        }
    }

    pub(super) async fn build(&self, id: &str) -> Result<Option<Build>, Fault> {
        Ok(self.describe(vec![id.to_owned()]).await?.into_iter().next().and_then(Build::read))
    }

    async fn describe(&self, ids: Vec<String>) -> Result<Vec<aws_sdk_codebuild::types::Build>, Fault> {
        let answer = self.builds.batch_get_builds().set_ids(Some(ids)).send().await;
        let answer = answer.map_err(|error| self.needs(classify(error), "codebuild:BatchGetBuilds on the project"))?;
        Ok(answer.builds.unwrap_or_default())
    }

    pub(super) async fn stop(&self, id: &str) -> Result<(), Fault> {
        let answer = self.builds.stop_build().id(id).send().await;
        answer.map_err(|error| self.needs(classify(error), "codebuild:StopBuild on the project"))?;
        Ok(())
    }

    /// Starts the build. Asked again within minutes, CodeBuild answers with the one that it began.
    pub(super) async fn start(
        &self,
        run: &RemoteRun<'_>,
        place: &Place,
        minutes: i32,
        properties: &Properties,
        settings: &CodeBuildSettings,
    ) -> Result<Started, Fault> {
        let image = run.commands.image.as_deref().or(properties.text("Image")).unwrap_or(&settings.image);
        let request = request(&self.builds, image, properties, settings)
            .project_name(&place.project)
            .idempotency_token(source::token(run.order))
            .source_type_override(SourceType::S3)
            .source_location_override(location(place, &source::key(run.order)))
            .buildspec_override(buildspec(&run.commands.runtimes))
            .set_service_role_override(run.order.role.as_ref().map(|role| role.arn.clone()))
            .set_environment_variables_override(Some(variables(run, properties)?))
            .timeout_in_minutes_override(minutes);
        let slow = aws_sdk_codebuild::Config::builder().timeout_config(timeouts(EFFECT_TIMEOUT));
        match request.customize().config_override(slow).send().await.map_err(classify) {
            Ok(answer) => {
                let id = answer.build_value.and_then(|build| build.id);
                let id = id.ok_or_else(|| transient("StartBuild answered without a build".to_owned()))?;
                Ok(Started::Build(id))
            }
            Err(Fault::Refused(refusal)) if refusal.code == "AccountLimitExceededException" => {
                Ok(Started::Crowded(refusal.message))
            }
            Err(fault) => Err(self.needs(fault, &format!("codebuild:StartBuild on the project {}", place.project))),
        }
    }
}

/// Whether another deployment of the order's resource has begun the build.
fn is_other(build: &aws_sdk_codebuild::types::Build, order: &Order) -> bool {
    let is_given = |name: &str, value: &str| {
        let variables = build.environment().map(ProjectEnvironment::environment_variables).unwrap_or_default();
        variables.iter().any(|variable| variable.name() == name && variable.value() == value)
    };
    is_given(RESOURCE, &order.resource_id) && !is_given(DEPLOYMENT, &order.deployment_id)
}

/// How long ago the build was asked for. Nothing if that is not known.
fn age(build: &aws_sdk_codebuild::types::Build) -> Duration {
    let asked = build.start_time().and_then(|&time| SystemTime::try_from(time).ok());
    asked.and_then(|asked| asked.elapsed().ok()).unwrap_or_default()
}

/// What the template says about the machine.
fn request(
    client: &Client,
    image: &str,
    properties: &Properties,
    settings: &CodeBuildSettings,
) -> aws_sdk_codebuild::operation::start_build::builders::StartBuildFluentBuilder {
    let kind = properties.text("Type").unwrap_or_else(|| kind(image));
    let pulls = properties.text("ImagePullCredentialsType").unwrap_or(match image.starts_with(CURATED) {
        true => "CODEBUILD",
        false => "SERVICE_ROLE",
    });
    let size = properties.text("ComputeType").unwrap_or(&settings.compute_type);
    client
        .start_build()
        .image_override(image)
        .environment_type_override(EnvironmentType::from(kind))
        .compute_type_override(ComputeType::from(size))
        .image_pull_credentials_type_override(ImagePullCredentialsType::from(pulls))
        .set_certificate_override(properties.text("Certificate").map(str::to_owned))
        .set_privileged_mode_override(properties.environment.get("PrivilegedMode").and_then(truth))
        .set_queued_timeout_in_minutes_override(properties.queued_minutes)
        .set_registry_credential_override(properties.environment.get("RegistryCredential").and_then(registry))
}

/// The kind of machine that an image is for, as far as its name tells.
pub(super) fn kind(image: &str) -> &'static str {
    match image.starts_with(CURATED) && image.contains("aarch64") {
        true => "ARM_CONTAINER",
        false => "LINUX_CONTAINER",
    }
}

fn registry(value: &Value) -> Option<RegistryCredential> {
    let provider = value["CredentialProvider"].as_str().unwrap_or("SECRETS_MANAGER");
    let credential = RegistryCredential::builder()
        .credential(value["Credential"].as_str()?)
        .credential_provider(CredentialProviderType::from(provider));
    credential.build().ok()
}

/// The variables that CodeBuild itself sets: those of the properties, secrets by where they are, and which deployment
/// of which resource a build is for.
fn variables(run: &RemoteRun<'_>, properties: &Properties) -> Result<Vec<EnvironmentVariable>, Fault> {
    let given = properties.environment.get("EnvironmentVariables").and_then(Value::as_array);
    let given = given.into_iter().flatten().map(|variable| {
        let text = |name: &str| variable[name].as_str().unwrap_or_default();
        (text("Name"), text("Value"), variable["Type"].as_str().unwrap_or("PLAINTEXT"))
    });
    let secrets = run.commands.secrets.iter().map(|(name, place)| (name.as_str(), place.as_str(), "SECRETS_MANAGER"));
    let own = [(DEPLOYMENT, run.order.deployment_id.as_str()), (RESOURCE, run.order.resource_id.as_str())];
    let others = given.chain(secrets).filter(|(name, ..)| own.iter().all(|(taken, _)| taken != name));
    let all = others.chain(own.map(|(name, value)| (name, value, "PLAINTEXT"))).map(|(name, value, kind)| {
        let variable = EnvironmentVariable::builder().name(name).value(value);
        let variable = variable.r#type(EnvironmentVariableType::from(kind)).build();
        variable.map_err(|error| super::refused(&format!("The variable {name:?} can't be given to a build: {error}")))
    });
    all.collect()
}

/// What a build does, in the format of CodeBuild, of which JSON is a part.
pub(super) fn buildspec(runtimes: &[(String, String)]) -> String {
    let mut phases = json!({"build": {"commands": [format!("sh \"$CODEBUILD_SRC_DIR/{}\"", source::START)]}});
    if !runtimes.is_empty() {
        let versions: serde_json::Map<String, Value> =
            runtimes.iter().map(|(name, version)| (name.clone(), Value::from(version.as_str()))).collect();
        phases["install"] = json!({"runtime-versions": versions});
    }
    json!({"version": "0.2", "phases": phases}).to_string()
}

fn location(place: &Place, key: &str) -> String {
    format!("{}/{key}", place.bucket)
}

/// What a phase that went wrong says of it.
fn reason(phase: &BuildPhase) -> Option<String> {
    let bad = matches!(phase.phase_status()?, StatusType::Failed | StatusType::Fault | StatusType::TimedOut);
    // What is known only to newer services: CLIENT_ERROR.
    let bad = bad || phase.phase_status()?.as_str().ends_with("ERROR");
    let said = |context: &aws_sdk_codebuild::types::PhaseContext| {
        let parts = [context.status_code(), context.message()];
        let text = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
        (!text.is_empty()).then_some(text)
    };
    let texts: Vec<String> = phase.contexts().iter().filter_map(said).collect();
    let name = phase.phase_type().map_or("?", BuildPhaseType::as_str);
    (bad && !texts.is_empty()).then(|| format!("{name}: {}", texts.join(" ")))
}

/// What a build waits for, for people.
fn note(phase: &str) -> String {
    match phase {
        "SUBMITTED" | "QUEUED" => "The build waits for a machine.".to_owned(),
        "PROVISIONING" => "The machine of the build is prepared.".to_owned(),
        "DOWNLOAD_SOURCE" => "The build fetches its files.".to_owned(),
        "INSTALL" => "The build installs its runtimes.".to_owned(),
        "PRE_BUILD" | "BUILD" => "The commands run.".to_owned(),
        other => format!("The build is in its phase {other}."),
    }
}

/// With what is to be done where AWS's words leave that open.
pub(super) fn remedy(message: String) -> String {
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&["CodeBuild is not authorized to perform"]) {
        return format!("{message} The trust policy of the role must name codebuild.amazonaws.com.");
    }
    if says(&["Project cannot be found", "provided project"]) {
        return format!("{message} Somebody has deleted it, and left its stack: delete the stack, and deploy again.");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_codebuild::types::PhaseContext;

    #[test]
    fn a_buildspec_asks_for_the_runtimes_by_text() {
        let spec: Value = serde_json::from_str(&buildspec(&[("nodejs".into(), "16".into())])).unwrap();
        assert_eq!(spec["version"], "0.2");
        assert_eq!(spec["phases"]["install"]["runtime-versions"]["nodejs"], "16");
        assert_eq!(spec["phases"]["build"]["commands"][0], "sh \"$CODEBUILD_SRC_DIR/start.sh\"");
        assert!(!buildspec(&[]).contains("install"));
    }

    #[test]
    fn the_phase_that_failed_first_says_why() {
        let phase = |name: &str, status: &str, message: &str| {
            let context = PhaseContext::builder().status_code("CODE").message(message).build();
            BuildPhase::builder()
                .phase_type(BuildPhaseType::from(name))
                .phase_status(StatusType::from(status))
                .contexts(context)
                .build()
        };
        let build = |status: &str, phases: Vec<BuildPhase>| {
            let build = aws_sdk_codebuild::types::Build::builder().id("p:1").build_status(StatusType::from(status));
            Build::read(build.set_phases(Some(phases)).build()).unwrap().look()
        };
        let ended = |said: &str| RemoteLook::Ended { succeeded: false, said: Some(said.to_owned()) };
        let phases = vec![phase("QUEUED", "SUCCEEDED", "fine"), phase("DOWNLOAD_SOURCE", "CLIENT_ERROR", "no access")];
        assert_eq!(build("FAILED", phases.clone()), ended("DOWNLOAD_SOURCE: CODE: no access"));
        let own = "AWS CodeBuild could not carry out the build";
        assert_eq!(build("FAULT", phases), ended(&format!("{own}: DOWNLOAD_SOURCE: CODE: no access")));
        assert_eq!(build("FAULT", Vec::new()), ended(&format!("{own}.")));
        assert_eq!(build("SUCCEEDED", Vec::new()), RemoteLook::Ended { succeeded: true, said: None });
        assert_eq!(build("TIMED_OUT", Vec::new()), RemoteLook::TimedOut);
        assert_eq!(build("STOPPED", Vec::new()), RemoteLook::Stopped);
        assert_eq!(build("SOMETHING_NEW", Vec::new()), RemoteLook::Runs { note: None });
    }
}
