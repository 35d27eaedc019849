//! Starting, cancelling and ending deployments: rows and jobs, in the transaction of the caller.
//!
//! Whatever is deployed goes through here, from requests and from jobs alike: the machine of
//! `domain::deployment` decides, this file executes its actions; [`force`] those of operators.

pub(crate) mod force;

use crate::app::new_id;
use crate::error::{Error, Result, internal};
use crate::store::{
    NewJob, Target, Tx, deployment_active, deployment_insert, deployment_save, job_enqueue,
    sync_blocker_drop_of_instance, tag_drop, target_delete, target_save, token_drop,
};
use protium_domain::arn::Scope;
use protium_domain::deployment::{CANCELLED_BY_USER, Deployment, Event, Purpose, State, transition};
use protium_domain::id::Id;
use protium_domain::job::Job;
use protium_domain::status::DeploymentStatus;
use protium_domain::track::ContentHash;

/// The model's limit for a status message, in characters.
const MESSAGE_CHARS: usize = 5000;
/// When a job is due that nothing has to be waited for.
const AT_ONCE: i64 = 0;

/// A deployment to start.
pub(crate) struct Start<'a> {
    pub scope: &'a Scope,
    pub now: i64,
    pub goal: State,
    /// Whether it waits for its turn instead of being worked on at once.
    pub waiting: bool,
}

/// The record of the first deployment of a target that is inserted in the same transaction with a
/// track that names `id`.
pub(crate) async fn start_first(tx: &mut Tx, id: Id, target: &Target, start: Start<'_>) -> Result<()> {
    insert(tx, record(id, target, Purpose::Apply, &start), AT_ONCE).await
}

/// Deploys an existing target to another goal.
pub(crate) async fn start(tx: &mut Tx, target: &mut Target, start: Start<'_>) -> Result<Id> {
    let was = check(target, Event::Start, start.scope)?;
    apply(tx, target, was, start, AT_ONCE).await
}

/// Destroys what a target has and then removes it. `false` if that is under way already.
pub(crate) async fn destroy(tx: &mut Tx, target: &mut Target, scope: &Scope, now: i64) -> Result<bool> {
    let shown = target.track().status;
    destroy_shown(tx, target, shown, scope, now).await
}

/// The same for a target whose row shows the status `shown`, which announces the deletion: it is told of once.
pub(crate) async fn destroy_shown(
    tx: &mut Tx,
    target: &mut Target,
    shown: DeploymentStatus,
    scope: &Scope,
    now: i64,
) -> Result<bool> {
    if check(target, Event::Destroy, scope)? == DeploymentStatus::DeleteInProgress {
        return Ok(false);
    }
    remove_infrastructure(tx, target, shown, scope, now, AT_ONCE).await?;
    Ok(true)
}

/// Starts the deployment of a target that may have one.
async fn apply(
    tx: &mut Tx,
    target: &mut Target,
    was: DeploymentStatus,
    start: Start<'_>,
    not_before: i64,
) -> Result<Id> {
    let id = new_id();
    let record = record(id.clone(), target, Purpose::Apply, &start);
    target.track_mut().begin(id.clone(), start.goal.aim(), start.now);
    save_target(tx, target, was, start.now).await?;
    insert(tx, record, not_before).await?;
    Ok(id)
}

/// Starts the deletion of a target that may be deleted.
async fn remove_infrastructure(
    tx: &mut Tx,
    target: &mut Target,
    was: DeploymentStatus,
    scope: &Scope,
    now: i64,
    not_before: i64,
) -> Result<Id> {
    let record = record_of_deletion(target, scope, now);
    let id = record.id.clone();
    let track = target.track_mut();
    track.status = DeploymentStatus::DeleteInProgress;
    track.message = None;
    track.attempted_deployment = Some(id.clone());
    save_target(tx, target, was, now).await?;
    insert(tx, record, not_before).await?;
    Ok(id)
}

fn record_of_deletion(target: &Target, scope: &Scope, now: i64) -> Deployment {
    let goal = target.state().unwrap_or_else(|| State::new(target.template(), &target.track().attempted));
    record(new_id(), target, Purpose::Destroy, &Start { scope, now, goal, waiting: false })
}

/// Cancels the deployment under way; it fails at `deadline` if the engine does not manage to.
pub(crate) async fn cancel(tx: &mut Tx, target: &mut Target, scope: &Scope, now: i64, deadline: i64) -> Result<()> {
    let was = check(target, Event::Cancel, scope)?;
    let mut record = active(tx, target).await?;
    let status = record.status;
    record.status = DeploymentStatus::Cancelling;
    record.modified_at = now;
    record.deadline = Some(deadline);
    record.waiting = false;
    save_record(tx, &mut record, status, now).await?;
    target.track_mut().status = DeploymentStatus::Cancelling;
    save_target(tx, target, was, now).await?;
    enqueue(tx, &Job::Deploy { deployment: record.id }, &record.target.id).await
}

/// Lets a waiting deployment begin.
pub(crate) async fn begin_waiting(tx: &mut Tx, target: &Target, now: i64) -> Result<()> {
    let mut record = active(tx, target).await?;
    let status = record.status;
    record.waiting = false;
    record.modified_at = now;
    save_record(tx, &mut record, status, now).await?;
    enqueue(tx, &Job::Deploy { deployment: record.id }, &record.target.id).await
}

/// How a deployment ended and what it left behind.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub event: Event,
    pub message: Option<String>,
    /// A JSON object in the content table; kept with the target if the event is a success.
    pub outputs: Option<ContentHash>,
    /// `None`: what the target had stays as it is.
    pub provisioned: Option<Provisioned>,
}

/// What exists because of a target.
#[derive(Clone, Debug)]
pub(crate) struct Provisioned {
    pub resources: Vec<protium_domain::track::ProvisionedResource>,
    /// The provider's id of the thing, if there is one.
    pub physical_id: Option<String>,
}

impl Ending {
    /// An end without anything made.
    pub(crate) fn without_effect(event: Event, message: impl Into<String>) -> Self {
        Self { event, message: Some(message.into()), outputs: None, provisioned: None }
    }
}

/// Ends the active deployment `record` of `target`. Answers whether the target is gone.
pub(crate) async fn end(
    tx: &mut Tx,
    record: &mut Deployment,
    target: &mut Target,
    ending: Ending,
    now: i64,
) -> Result<bool> {
    let (status, was) = (record.status, target.track().status);
    let next = transition(status, ending.event)
        .map_err(|obstacle| internal(anyhow::anyhow!("deployment {} can't end: {obstacle:?}", record.id)))?;
    record.status = next.to;
    record.message = match next.to {
        DeploymentStatus::Cancelled => Some(ending.message.unwrap_or_else(|| CANCELLED_BY_USER.into())),
        _ => ending.message.map(status_message),
    };
    record.modified_at = now;
    record.completed_at = Some(now);
    // What was notified while it ran stays with it.
    record.outputs = ending.outputs.clone().or(record.outputs.take());
    record.cursor = None;
    record.note = None;
    record.waiting = false;
    let track = target.track_mut();
    if next.to == DeploymentStatus::Succeeded {
        track.promote(record.id.clone(), record.goal.aim(), record.created_at);
        track.seen = record.goal.seen.clone();
        if track.order.is_some() {
            track.order.clone_from(&record.order);
        }
        track.outputs = ending.outputs;
        record.last_succeeded = Some(record.id.clone());
    }
    if let Some(provisioned) = ending.provisioned {
        track.resources = provisioned.resources;
        if let Some(physical) = &mut track.physical {
            physical.id = provisioned.physical_id;
        }
    }
    save_record(tx, record, status, now).await?;
    if next.to == DeploymentStatus::DeleteComplete {
        remove(tx, target, &record.scope, now).await?;
        return Ok(true);
    }
    let track = target.track_mut();
    track.status = next.to;
    track.message = record.message.clone();
    if let Target::Component(component) = target {
        component.settle(next.to, record.goal.attachment.as_ref());
    }
    save_target(tx, target, was, now).await?;
    Ok(false)
}

async fn remove(tx: &mut Tx, target: &Target, scope: &Scope, now: i64) -> Result<()> {
    target_delete(tx, target, now).await?;
    tag_drop(tx, scope, target.id().as_str()).await?;
    token_drop(tx, target.id().as_str()).await?;
    if let Target::ServiceInstance(instance) = target {
        sync_blocker_drop_of_instance(tx, &instance.service_id, &instance.id, now).await?;
    }
    Ok(())
}

/// Puts a job into the queue, due now. A job that is queued already becomes due now.
pub(crate) async fn enqueue(tx: &mut Tx, job: &Job, resource: &Id) -> Result<()> {
    enqueue_at(tx, job, resource, AT_ONCE).await
}

/// The same, due at `not_before` of the database's clock if that is later.
async fn enqueue_at(tx: &mut Tx, job: &Job, resource: &Id, not_before: i64) -> Result<()> {
    let now = tx.now_ms().await?;
    let payload = serde_json::to_string(job).map_err(internal)?;
    let (kind, key, due_at) = (job.kind(), job.subject(), now.max(not_before));
    let job = NewJob { kind, key, resource_id: resource.as_str(), payload: &payload, due_at, now };
    Ok(job_enqueue(tx, &job).await?)
}

/// The status of a target to which `event` may happen now.
fn check(target: &Target, event: Event, scope: &Scope) -> Result<DeploymentStatus> {
    let status = target.track().status;
    match transition(status, event) {
        Ok(_) => Ok(status),
        Err(obstacle) => {
            let reference = target.reference(scope);
            Err(obstacle.refuse(reference.kind.noun(), &reference.arn, status).into())
        }
    }
}

/// The record of a deployment that starts. Its pointers are those that the target has from then on.
fn record(id: Id, target: &Target, purpose: Purpose, start: &Start<'_>) -> Deployment {
    Deployment {
        revision: 0,
        scope: start.scope.clone(),
        target: target.reference(start.scope),
        purpose,
        status: match purpose {
            Purpose::Apply => DeploymentStatus::InProgress,
            Purpose::Destroy => DeploymentStatus::DeleteInProgress,
        },
        message: None,
        initial: target.state(),
        goal: start.goal.clone(),
        last_attempted: Some(id.clone()),
        last_succeeded: target.track().succeeded_deployment.clone(),
        created_at: start.now,
        modified_at: start.now,
        completed_at: None,
        waiting: start.waiting,
        deadline: None,
        order: None,
        cursor: None,
        note: None,
        outputs: None,
        left: None,
        unknown: serde_json::Map::new(),
        id,
    }
}

async fn insert(tx: &mut Tx, record: Deployment, not_before: i64) -> Result<()> {
    if !deployment_insert(tx, &record).await? {
        return Err(internal(anyhow::anyhow!("{} has another active deployment", record.target.arn)));
    }
    if !record.waiting {
        enqueue_at(tx, &Job::Deploy { deployment: record.id.clone() }, &record.target.id, not_before).await?;
    }
    Ok(())
}

async fn active(tx: &mut Tx, target: &Target) -> Result<Deployment> {
    let id = target.id();
    deployment_active(tx, id)
        .await?
        .ok_or_else(|| internal(anyhow::anyhow!("{id} is {} without a deployment", target.track().status)))
}

pub(crate) async fn save_target(tx: &mut Tx, target: &mut Target, was: DeploymentStatus, now: i64) -> Result<()> {
    if target_save(tx, target, was, now).await? { Ok(()) } else { Err(lost_update()) }
}

pub(crate) async fn save_record(tx: &mut Tx, record: &mut Deployment, was: DeploymentStatus, now: i64) -> Result<()> {
    if deployment_save(tx, record, was, now).await? { Ok(()) } else { Err(lost_update()) }
}

/// A row changed between its read and its save in one serializable transaction.
pub(crate) fn lost_update() -> Error {
    internal(anyhow::anyhow!("a row changed within the transaction that had read it"))
}

/// As much of a text as a status message holds.
pub(crate) fn status_message(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MESSAGE_CHARS) {
        text.truncate(end);
    }
    text
}

/// What a kind of target is called in the physical names of its infrastructure.
pub(crate) fn physical_parts(target: &Target) -> Vec<&str> {
    match target {
        Target::Environment(environment) => vec![&environment.name],
        Target::ServiceInstance(instance) => vec![&instance.service, &instance.name],
        Target::ServicePipeline(pipeline) => vec![&pipeline.service],
        Target::Component(component) => vec![&component.name],
    }
}
