//! What a service does as a whole: create, update and delete, over the deployments of its parts.
//!
//! [`advance`] is pure: where the change and its parts stand in, what to do next out. The store
//! executes the acts in the transaction in which a part has settled, so that nothing waits for a
//! second loop.

mod explain;

use crate::bundle::problem::Problem;
use crate::bundle::spec::{ServiceSpec, merge_instance};
use crate::id::Id;
use crate::status::{DeploymentStatus, ServiceStatus};
use crate::track::{ContentHash, Track};
pub(super) use explain::joined;
use explain::{not_deleted, not_deployed, pipeline_message, pipeline_stands};
use serde::{Deserialize, Serialize};

/// Which operation is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Create,
    Update,
    Delete,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// New instances deploy (create, update), or everything is destroyed (delete).
    Instances,
    /// Instances that the new spec leaves out are destroyed.
    Removing,
    /// The pipeline deploys.
    Pipeline,
    /// New instances are destroyed again because one of them failed.
    CleaningUp,
}

/// What a part showed before a change announced something else for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub status: DeploymentStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Before {
    pub fn of(track: &Track) -> Self {
        Self { status: track.status, message: track.message.clone() }
    }

    /// Shows it again.
    pub fn restore(self, track: &mut Track) {
        track.status = self.status;
        track.message = self.message;
    }
}

/// An instance that an update removes, and what it shows again if the update fails before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    pub id: Id,
    pub before: Before,
}

/// A change of the service as a whole, while it is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub kind: Kind,
    pub stage: Stage,
    /// Instances that the update creates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<Id>,
    /// Kept instances that never succeeded and are deployed again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retried: Vec<Id>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Removed>,
    /// The spec that a failed update goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_spec: Option<ContentHash>,
    /// What the pipeline shows again if the update fails before its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_before: Option<Before>,
}

impl Change {
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            stage: Stage::Instances,
            added: Vec::new(),
            retried: Vec::new(),
            removed: Vec::new(),
            previous_spec: None,
            pipeline_before: None,
        }
    }
}

impl Change {
    /// Goes on without an instance that somebody removes meanwhile: the change neither waits for it nor brings it
    /// back.
    pub fn forget(&mut self, id: &Id) {
        self.added.retain(|added| added != id);
        self.retried.retain(|retried| retried != id);
        self.removed.retain(|removed| removed.id != *id);
    }
}

/// Where one instance stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub id: Id,
    pub arn: String,
    pub status: DeploymentStatus,
    pub message: Option<String>,
}

/// Where the pipeline stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    pub status: DeploymentStatus,
    pub message: Option<String>,
    /// Its deployment waits for its turn.
    pub waiting: bool,
}

/// What to do next. Acts are executed in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Go on in this stage.
    Enter(Stage),
    /// Show this status and go on.
    Show(ServiceStatus),
    /// Start destroying these instances.
    Destroy(Vec<Id>),
    /// Start the pipeline's waiting deployment.
    StartPipeline,
    /// End the pipeline's waiting deployment as failed.
    FailPipeline(String),
    /// Undo what the update announced: statuses of removed instances and the pipeline, the spec.
    Revert,
    /// Say this in the service's status message, after what it says already.
    Explain(String),
    /// The change is over; this is the service's status.
    Settle(ServiceStatus),
    /// The change is over and the service is gone.
    Remove,
}

/// What follows from where things stand. Empty: wait for a part to settle.
pub fn advance(change: &Change, instances: &[Part], pipeline: Option<Pipeline>) -> Vec<Act> {
    match change.kind {
        Kind::Create => create(change.stage, instances, pipeline),
        Kind::Update => update(change, instances, pipeline),
        Kind::Delete => delete(instances, pipeline),
    }
}

fn create(stage: Stage, instances: &[Part], pipeline: Option<Pipeline>) -> Vec<Act> {
    let success = vec![Act::Settle(ServiceStatus::Active)];
    if stage == Stage::Pipeline {
        return finish(pipeline, success, ServiceStatus::CreateFailed);
    }
    if instances.iter().any(|part| part.status.is_active()) {
        return Vec::new();
    }
    let failed = not_succeeded(instances);
    if failed.is_empty() {
        return start_pipeline(pipeline, success, ServiceStatus::CreateFailed);
    }
    let mut acts = match &pipeline {
        Some(Pipeline { waiting: true, .. }) => vec![Act::FailPipeline(pipeline_message(&failed))],
        Some(Pipeline { status, .. }) if status.is_active() => return Vec::new(),
        Some(_) | None => Vec::new(),
    };
    acts.extend([Act::Explain(not_deployed(&failed)), Act::Settle(ServiceStatus::CreateFailed)]);
    acts
}

fn update(change: &Change, instances: &[Part], pipeline: Option<Pipeline>) -> Vec<Act> {
    let added = || instances.iter().filter(|part| change.added.contains(&part.id));
    let doomed = || instances.iter().filter(|part| change.removed.iter().any(|removed| removed.id == part.id));
    match change.stage {
        Stage::Instances => {
            let retried = instances.iter().filter(|part| change.retried.contains(&part.id));
            deployed(change, added().chain(retried).collect(), pipeline)
        }
        Stage::Removing if doomed().any(|part| part.status.is_active()) => Vec::new(),
        Stage::Removing => start_pipeline(pipeline, removed(doomed().collect()), ServiceStatus::UpdateFailed),
        Stage::Pipeline => finish(pipeline, removed(doomed().collect()), ServiceStatus::UpdateFailed),
        Stage::CleaningUp if added().any(|part| part.status.is_active()) => Vec::new(),
        Stage::CleaningUp => {
            let left: Vec<&Part> = added().collect();
            if left.is_empty() {
                return vec![Act::Settle(ServiceStatus::UpdateFailedCleanupComplete)];
            }
            vec![Act::Explain(not_deleted(&left)), Act::Settle(ServiceStatus::UpdateFailedCleanupFailed)]
        }
    }
}

/// What an update goes on with when the instances that it deploys have settled.
fn deployed(change: &Change, parts: Vec<&Part>, pipeline: Option<Pipeline>) -> Vec<Act> {
    if parts.iter().any(|part| part.status.is_active()) {
        return Vec::new();
    }
    let failed = not_succeeded(parts);
    if failed.is_empty() {
        let doomed: Vec<Id> = change.removed.iter().map(|removed| removed.id.clone()).collect();
        if doomed.is_empty() {
            return start_pipeline(pipeline, vec![Act::Settle(ServiceStatus::Active)], ServiceStatus::UpdateFailed);
        }
        return vec![Act::Enter(Stage::Removing), Act::Destroy(doomed)];
    }
    let mut acts = vec![Act::Revert, Act::Explain(not_deployed(&failed))];
    if change.added.is_empty() {
        acts.push(Act::Settle(ServiceStatus::UpdateFailed));
    } else {
        acts.extend([
            Act::Enter(Stage::CleaningUp),
            Act::Show(ServiceStatus::UpdateFailedCleanupInProgress),
            Act::Destroy(change.added.clone()),
        ]);
    }
    acts
}

/// How an update ends that did all else: `left` are instances that could not be removed.
fn removed(left: Vec<&Part>) -> Vec<Act> {
    if left.is_empty() {
        return vec![Act::Settle(ServiceStatus::Active)];
    }
    vec![Act::Explain(not_deleted(&left)), Act::Settle(ServiceStatus::UpdateCompleteCleanupFailed)]
}

fn delete(instances: &[Part], pipeline: Option<Pipeline>) -> Vec<Act> {
    let statuses = instances.iter().map(|part| part.status).chain(pipeline.iter().map(|pipeline| pipeline.status));
    let mut any = false;
    for status in statuses {
        if status.is_active() {
            return Vec::new();
        }
        any = true;
    }
    if !any {
        return vec![Act::Remove];
    }
    let mut why = Vec::new();
    if !instances.is_empty() {
        why.push(not_deleted(&instances.iter().collect::<Vec<_>>()));
    }
    why.extend(pipeline.as_ref().map(pipeline_stands));
    vec![Act::Explain(why.join("; ")), Act::Settle(ServiceStatus::DeleteFailed)]
}

fn start_pipeline(pipeline: Option<Pipeline>, success: Vec<Act>, failure: ServiceStatus) -> Vec<Act> {
    match pipeline {
        Some(Pipeline { waiting: true, .. }) => vec![Act::Enter(Stage::Pipeline), Act::StartPipeline],
        Some(_) => {
            // It was cancelled before its turn came.
            let mut acts = vec![Act::Enter(Stage::Pipeline)];
            acts.extend(finish(pipeline, success, failure));
            acts
        }
        None => success,
    }
}

fn finish(pipeline: Option<Pipeline>, success: Vec<Act>, failure: ServiceStatus) -> Vec<Act> {
    match pipeline {
        Some(pipeline) if pipeline.status.is_active() => Vec::new(),
        Some(pipeline) if pipeline.status != DeploymentStatus::Succeeded => {
            // What could not be removed before is told all the same.
            let mut acts: Vec<Act> = success.into_iter().filter(|act| matches!(act, Act::Explain(_))).collect();
            acts.extend([Act::Explain(pipeline_stands(&pipeline)), Act::Settle(failure)]);
            acts
        }
        Some(_) | None => success,
    }
}

fn not_succeeded<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Vec<&'a Part> {
    parts.into_iter().filter(|part| part.status != DeploymentStatus::Succeeded).collect()
}

/// The spec that a failed update goes back to: `previous`, with what instances that both have were
/// updated to while it ran, which `now` shows.
///
/// # Errors
/// A text that is no service spec.
pub fn reverted_spec(previous: &str, now: &str) -> Result<String, Problem> {
    let first = |problems: Vec<Problem>| problems.into_iter().next();
    let empty = || Problem::new("spec", "is no service spec", "check it");
    let before = ServiceSpec::parse(previous).map_err(|problems| first(problems).unwrap_or_else(empty))?;
    let after = ServiceSpec::parse(now).map_err(|problems| first(problems).unwrap_or_else(empty))?;
    let mut text = previous.to_owned();
    for kept in after.instances.iter().filter(|instance| before.instance(&instance.name).is_some()) {
        text = merge_instance(&text, &kept.name, now)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;
