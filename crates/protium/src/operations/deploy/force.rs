//! What operators do to a target whatever is under way for it: deploy anew, remove.
//!
//! What is under way is fenced first: its job is gone, so that it can't settle, and its record ends. A worker in
//! the middle of a step learns of it at its next write or renewal; what follows begins when its lease is over, so
//! that two steps never work on the same infrastructure.

use super::{
    AT_ONCE, Start, apply, check, enqueue, internal, record_of_deletion, remove, remove_infrastructure, save_record,
    status_message,
};
use crate::error::Result;
use crate::store::{Target, Tx, deployment_active, deployment_insert, job_fence};
use protium_domain::arn::Scope;
use protium_domain::deployment::{Deployment, Event, LeftRun, transition};
use protium_domain::id::Id;
use protium_domain::job::Job;
use protium_domain::provisioning::Method;
use protium_domain::status::DeploymentStatus;
use protium_domain::track::ProvisionedResource;

/// Deploys a target anew; answers the deployment.
pub(crate) async fn restart(tx: &mut Tx, target: &mut Target, start: Start<'_>) -> Result<Id> {
    let was = check(target, Event::Restart, start.scope)?;
    let over = give_up(tx, target, "Given up: deployed anew.", start.now).await?;
    apply(tx, target, was, start, over).await
}

/// Starts to destroy what a target has, and its removal; answers the deployment.
pub(crate) async fn destroy(tx: &mut Tx, target: &mut Target, scope: &Scope, now: i64) -> Result<Id> {
    let was = check(target, Event::ForceDestroy, scope)?;
    let over = give_up(tx, target, "Given up: force-deleted.", now).await?;
    remove_infrastructure(tx, target, was, scope, now, over).await
}

/// Removes a target at once and leaves what it has; answers the deployment, whose record says what that is, and
/// what it is.
pub(crate) async fn release(
    tx: &mut Tx,
    target: &Target,
    scope: &Scope,
    now: i64,
) -> Result<(Id, Vec<ProvisionedResource>)> {
    check(target, Event::Release, scope)?;
    let left = deployment_active(tx, target.id()).await?.and_then(|record| left_run(target, &record));
    give_up(tx, target, "Given up: force-deleted.", now).await?;
    let remains = target.track().remains();
    let mut record = record_of_deletion(target, scope, now);
    record.status = DeploymentStatus::DeleteComplete;
    record.message = Some(status_message(what_stays(&remains)));
    record.completed_at = Some(now);
    record.left = left;
    if !deployment_insert(tx, &record).await? {
        return Err(internal(anyhow::anyhow!("the deployment {} exists", record.id)));
    }
    remove(tx, target, scope, now).await?;
    if record.left.is_some() {
        enqueue(tx, &Job::EndRuns { deployment: record.id.clone() }, &record.id).await?;
    }
    Ok((record.id, remains))
}

/// The run that may go on when a deployment is given up. Where it runs elsewhere, only this server can end it.
fn left_run(target: &Target, record: &Deployment) -> Option<LeftRun> {
    let track = target.track();
    let method = track.engine.as_deref().and_then(Method::parse)?;
    method.destroys_from_files().then_some(())?;
    Some(LeftRun {
        order: record.order.clone()?,
        physical: track.physical.clone()?,
        environment: target.environment_id().cloned(),
        until: record.deadline?,
    })
}

/// Ends what is under way for a target without asking its engine. Answers from when on nothing of it runs.
async fn give_up(tx: &mut Tx, target: &Target, why: &str, now: i64) -> Result<i64> {
    let over = job_fence(tx, target.id().as_str()).await?;
    if let Some(mut record) = deployment_active(tx, target.id()).await? {
        let was = record.status;
        let next = transition(was, Event::Failed)
            .map_err(|obstacle| internal(anyhow::anyhow!("deployment {} can't end: {obstacle:?}", record.id)))?;
        record.status = next.to;
        record.message = Some(status_message(match record.note.take() {
            Some(note) => format!("{why} The last that is known: {note}"),
            None => why.to_owned(),
        }));
        record.modified_at = now;
        record.completed_at = Some(now);
        record.cursor = None;
        record.waiting = false;
        save_record(tx, &mut record, was, now).await?;
    }
    Ok(over.unwrap_or(AT_ONCE))
}

fn what_stays(remains: &[ProvisionedResource]) -> String {
    if remains.is_empty() {
        return "Force-deleted. Nothing had been provisioned.".to_owned();
    }
    let names = remains.iter().map(|one| match one.identifier == one.name {
        true => format!("{} {} (if it was made)", one.engine, one.name),
        false => format!("{} {} ({})", one.engine, one.name, one.identifier),
    });
    format!("Force-deleted without its infrastructure. What stays: {}", names.collect::<Vec<_>>().join(", "))
}
