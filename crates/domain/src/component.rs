//! Components: infrastructure of a developer's own, which extends a service instance.
//!
//! Owns: what a manifest may ask for, what attaching and detaching mean, and what the service instance
//! sees. Does not own: deploying (`deployment`), nor what the template sees (`bundle::render::namespace`).

use crate::arn::Scope;
use crate::bundle::manifest::{EngineKind, Infrastructure, Manifest};
use crate::bundle::problem::{Problem, summary};
use crate::deployment::{State, Target, TargetKind};
use crate::environment::{Access, Roles};
use crate::id::Id;
use crate::refused::Refused;
use crate::status::DeploymentStatus;
use crate::track::{Aim, ContentHash, SeenComponent, Track};
use crate::version::Version;
use serde::{Deserialize, Serialize};

/// The source of all components there are, as service template versions name it among the supported ones.
pub const DIRECTLY_DEFINED: &str = "DIRECTLY_DEFINED";

/// A directly defined component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub environment: String,
    pub environment_id: Id,
    /// The text of the manifest; it never changes.
    pub manifest: ContentHash,
    pub created_at: i64,
    pub modified_at: i64,
    /// The spec of its aims is the template file.
    pub track: Track,
    /// The service instance that it holds: from the request that attaches it to the end of the
    /// deployment that detaches it. An instance has one component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<Attachment>,
    /// What the last success was deployed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_with: Option<Attachment>,
    /// The token of the last create or update that carried one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_token: Option<String>,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// A service instance that a component is attached to, and where its inputs come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    pub service: String,
    pub instance: String,
    pub instance_id: Id,
    /// The service spec whose inputs the component reads; without one, that which the instance runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<ContentHash>,
}

impl Component {
    /// The aim of a deployment of this template file.
    pub fn aim(template_file: ContentHash) -> Aim {
        Aim { version: Version::new(0, 0), spec: template_file }
    }

    /// What a deployment of this template file, attached like this, asks for.
    pub fn goal(template_file: ContentHash, attachment: Option<Attachment>) -> State {
        State { attachment, ..State::new("", &Self::aim(template_file)) }
    }

    pub fn target(&self, scope: &Scope) -> Target {
        Target {
            kind: TargetKind::Component,
            id: self.id.clone(),
            arn: scope.component(&self.name),
            created_at: self.created_at,
            environment: Some(self.environment.clone()),
            service: None,
            instance: None,
            component: Some(self.name.clone()),
        }
    }

    /// What is deployed, as a deployment record shows it; `None` before the first success.
    pub fn state(&self) -> Option<State> {
        Some(State { attachment: self.deployed_with.clone(), ..State::deployed("", &self.track)? })
    }

    /// The id of the service instance that it holds.
    pub fn instance_id(&self) -> Option<&Id> {
        self.attached.as_ref().map(|attachment| &attachment.instance_id)
    }

    /// What the template of that service instance sees of it: nothing before it was deployed there.
    pub fn seen_by(&self, instance: &Id) -> Option<SeenComponent> {
        let of = |attachment: &Option<Attachment>| attachment.as_ref().is_some_and(|one| one.instance_id == *instance);
        (of(&self.attached) && of(&self.deployed_with))
            .then(|| SeenComponent { id: self.id.clone(), outputs: self.track.outputs.clone() })
    }

    /// The service spec of what is deployed, while the component is attached where that was deployed.
    pub fn service_spec(&self) -> Option<&ContentHash> {
        let deployed = self.deployed_with.as_ref()?;
        (self.instance_id() == Some(&deployed.instance_id)).then_some(deployed.spec.as_ref()).flatten()
    }

    /// Notes how a deployment that was to attach it like `wanted` ended.
    ///
    /// A component that was to be detached and failed is detached all the same: what could not be
    /// deployed without an instance can still be deleted. One that was to be attached and failed stays
    /// where it was to go. A cancellation restores what is deployed.
    pub fn settle(&mut self, to: DeploymentStatus, wanted: Option<&Attachment>) {
        match to {
            DeploymentStatus::Succeeded => {
                self.deployed_with = wanted.cloned();
                self.attached = wanted.cloned();
            }
            DeploymentStatus::Failed => match (wanted, &self.deployed_with) {
                (None, _) => {
                    self.deployed_with = None;
                    self.attached = None;
                }
                (Some(wanted), Some(deployed)) if deployed.instance_id == wanted.instance_id => {
                    self.attached = self.deployed_with.clone();
                }
                (Some(_), _) => {}
            },
            DeploymentStatus::Cancelled if self.track.deployed.is_some() => {
                self.attached = self.deployed_with.clone();
            }
            DeploymentStatus::Cancelled
            | DeploymentStatus::InProgress
            | DeploymentStatus::Cancelling
            | DeploymentStatus::DeleteInProgress
            | DeploymentStatus::DeleteFailed
            | DeploymentStatus::DeleteComplete => {}
        }
    }

    /// Whether it may be deleted: not while a service instance may use what it made.
    pub fn check_delete(&self) -> Result<(), Refused> {
        match &self.attached {
            Some(attached) if self.track.deployed.is_some() => Err(Refused::Conflict(format!(
                "the component '{}' is attached to the instance '{}' of the service '{}', which may use its outputs; \
                 detach it first: UpdateComponent with deploymentType CURRENT_VERSION and empty serviceName and \
                 serviceInstanceName",
                self.name, attached.instance, attached.service
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

/// What a request says about the attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Nothing: it stays as it is.
    Keep,
    Detach,
    Attach {
        service: &'a str,
        instance: &'a str,
    },
}

/// Reads `serviceName` and `serviceInstanceName`: both absent, both empty, or both given.
pub fn asked<'a>(service: Option<&'a str>, instance: Option<&'a str>) -> Result<Asked<'a>, Refused> {
    let wrong = |why: &str| Refused::invalid("serviceName, serviceInstanceName", why);
    match (service, instance) {
        (None, None) => Ok(Asked::Keep),
        (Some(""), Some("")) => Ok(Asked::Detach),
        (Some(""), Some(_)) | (Some(_), Some("")) => {
            Err(wrong("one is empty and the other is not; give both to attach the component, empty both to detach it"))
        }
        (Some(service), Some(instance)) => Ok(Asked::Attach { service, instance }),
        (Some(_), None) | (None, Some(_)) => Err(wrong("only one of the two is given; give both, or leave both out")),
    }
}

/// Reads a manifest: the engine, and what it calls the template file.
///
/// Components have exactly one file, of CloudFormation or Terraform.
pub fn read_manifest(text: &str) -> Result<(EngineKind, String), Refused> {
    let manifest = Manifest::parse("manifest", text).map_err(|problems| Refused::Invalid(summary(&problems)))?;
    let wrong = |message: &str, remedy: &str| {
        let problem = Problem::new("manifest", message, remedy).at(manifest.line);
        Err(Refused::Invalid(summary(&[problem])))
    };
    let engine = manifest.engine();
    match &manifest.infrastructure {
        Infrastructure::CodeBuild(_) => wrong(
            "`rendering_engine: codebuild` is not supported for components",
            "use `jinja` with `template_language: cloudformation`, or `hcl` with `template_language: terraform`",
        ),
        Infrastructure::Terraform { file } if file == "*" => wrong(
            "`file: \"*\"` names any number of files; a component has one template file",
            "name it, as in `file: main.tf`",
        ),
        Infrastructure::CloudFormation { file } | Infrastructure::Terraform { file } => Ok((engine, file.clone())),
    }
}

/// Whether components of that engine can be provisioned in an environment with this access and these roles.
///
/// Self-managed environments take Terraform, by pull requests, and use no component role; all others
/// take CloudFormation.
pub fn check_provisioning(
    engine: EngineKind,
    environment: &str,
    access: &Access,
    roles: &Roles,
) -> Result<(), Refused> {
    let self_managed = access.repository.is_some();
    match (engine, self_managed) {
        (EngineKind::Terraform, true) => Ok(()),
        (EngineKind::CloudFormation, false) if roles.component.is_some() => Ok(()),
        (EngineKind::CloudFormation, false) => Err(Refused::invalid(
            "environmentName",
            format_args!(
                "the environment '{environment}' has no componentRoleArn, in whose name its components are \
                 provisioned; give it one with UpdateEnvironment, or its account connection with \
                 UpdateEnvironmentAccountConnection"
            ),
        )),
        (EngineKind::Terraform | EngineKind::CodeBuild, false) => Err(Refused::invalid(
            "manifest",
            format_args!(
                "the component is {}, which can be provisioned in self-managed environments only; the environment \
                 '{environment}' takes components that are cloudformation",
                engine.as_str()
            ),
        )),
        (EngineKind::CloudFormation | EngineKind::CodeBuild, true) => Err(Refused::invalid(
            "manifest",
            format_args!(
                "the component is {}; the environment '{environment}' is self-managed and takes components that are \
                 terraform",
                engine.as_str()
            ),
        )),
    }
}

#[cfg(test)]
mod tests;
