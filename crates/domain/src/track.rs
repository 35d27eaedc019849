//! The deployable part that environments, service instances, pipelines and components share.

use crate::id::Id;
use crate::provisioning::Method;
use crate::status::DeploymentStatus;
use crate::version::Version;
use serde::{Deserialize, Serialize};

/// The SHA-256 of a stored text, in lower-case hex: the key of the content table.
pub type ContentHash = String;

/// What a deployment aims at, or what is deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aim {
    /// Of the template. Components, which have none, are always at 0.0.
    pub version: Version,
    /// The spec as it was received, after `${Proton::CURRENT_VAL}`; of a component, its template file.
    pub spec: ContentHash,
}

/// A thing that an engine made, as `List*ProvisionedResources` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionedResource {
    pub name: String,
    pub identifier: String,
    /// `CLOUDFORMATION` or `TERRAFORM`, as the model spells them.
    pub engine: String,
}

/// What a deployment read of other resources when it was prepared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The last success of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_deployment: Option<Id>,
    /// The last success of the attached component; at most one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub component_deployments: Vec<Id>,
    /// The last success of the service's pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_deployment: Option<Id>,
    /// What the template saw of the attached component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<SeenComponent>,
}

/// An attached component as the template of its service instance sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenComponent {
    pub id: Id,
    /// A JSON object in the content table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<ContentHash>,
}

impl Seen {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The name under which a target's infrastructure is made. Drawn once, saved before the first call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Physical {
    pub name: String,
    /// The provider's own id, once there is one (CloudFormation: the stack's ARN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Where a target stands, what it runs, and what it ran last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    pub status: DeploymentStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What the last attempt aimed at, whatever became of it.
    pub attempted: Aim,
    /// What the last success left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<Aim>,
    /// What the last success had read of others.
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    pub seen: Seen,
    /// Milliseconds since the epoch, like every time in the store.
    pub attempted_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempted_deployment: Option<Id>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub succeeded_deployment: Option<Id>,
    /// Its outputs, a JSON object in the content table: those of the last success, and what callers notified
    /// since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<ContentHash>,
    /// Those of the outputs that callers notified and no engine made, likewise; `None` if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<ContentHash>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ProvisionedResource>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical: Option<Physical>,
    /// The engine that was given work for this target; until there is one, there is nothing to destroy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// What the last success was made from, or, before the first, what was tried last: a deployment's order, in the
    /// content table. Kept where destroying needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<ContentHash>,
}

impl Track {
    /// The track of a target whose first deployment starts now.
    pub fn first(deployment: Id, aim: Aim, now: i64) -> Self {
        Self {
            status: DeploymentStatus::InProgress,
            message: None,
            attempted: aim,
            deployed: None,
            seen: Seen::default(),
            attempted_at: now,
            succeeded_at: None,
            attempted_deployment: Some(deployment),
            succeeded_deployment: None,
            outputs: None,
            notified: None,
            resources: Vec::new(),
            physical: None,
            engine: None,
            order: None,
        }
    }

    /// What updates start from: the last success, or the last attempt where nothing succeeded yet.
    pub fn current(&self) -> &Aim {
        self.deployed.as_ref().unwrap_or(&self.attempted)
    }

    /// The versions that must stay: what runs, and what a running deployment is about to run.
    pub fn versions_in_use(&self) -> impl Iterator<Item = Version> {
        let attempted = Some(self.attempted.version);
        self.deployed.iter().map(|aim| aim.version).chain(attempted)
    }

    /// What exists because of the target, or may: what the last end left behind, and what was to be made under
    /// the physical name, which a deployment that nobody waited for may have made after all.
    pub fn remains(&self) -> Vec<ProvisionedResource> {
        let mut remains = self.resources.clone();
        if let (Some(engine), Some(physical)) = (&self.engine, &self.physical)
            && !remains.iter().any(|resource| resource.name == physical.name)
        {
            let identifier = physical.id.clone().unwrap_or_else(|| physical.name.clone());
            let engine = Method::parse(engine).unwrap_or(Method::CloudFormation).listed_as();
            remains.push(ProvisionedResource { name: physical.name.clone(), identifier, engine: engine.to_owned() });
        }
        remains
    }

    /// Notes that a deployment to `aim` starts.
    pub fn begin(&mut self, deployment: Id, aim: Aim, now: i64) {
        self.status = DeploymentStatus::InProgress;
        self.message = None;
        self.attempted = aim;
        self.attempted_at = now;
        self.attempted_deployment = Some(deployment);
    }

    /// Notes that the deployment `id`, started at `started`, left its aim behind.
    pub fn promote(&mut self, id: Id, aim: Aim, started: i64) {
        self.deployed = Some(aim);
        self.succeeded_at = Some(started);
        self.succeeded_deployment = Some(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(identifier: &str) -> ProvisionedResource {
        ProvisionedResource { name: "stack".into(), identifier: identifier.into(), engine: "CLOUDFORMATION".into() }
    }

    #[test]
    fn what_remains_is_what_was_made_and_what_may_have_been() {
        let aim = Aim { version: Version::new(1, 0), spec: String::new() };
        let mut track = Track::first(Id::from_random([7; 16]), aim, 0);
        assert_eq!(track.remains(), [], "no engine was ever asked");
        track.engine = Some("cloudformation".into());
        track.physical = Some(Physical { name: "stack".into(), id: None });
        assert_eq!(track.remains(), [stack("stack")], "a create that is given up may have made it");
        track.physical = Some(Physical { name: "stack".into(), id: Some("arn:stack".into()) });
        assert_eq!(track.remains(), [stack("arn:stack")]);
        track.resources = vec![stack("arn:stack")];
        assert_eq!(track.remains(), [stack("arn:stack")], "once");
        track.engine = Some("terraform".into());
        track.resources.clear();
        assert_eq!(track.remains()[0].engine, "TERRAFORM");
    }
}
