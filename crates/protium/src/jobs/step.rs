//! What is saved between two steps of a deployment: where its engine stands, or why it got nowhere.
//!
//! The message of a deployment that is under way says what keeps it from getting on, or what a caller notified.

use super::deploy::load_active;
use crate::app::App;
use crate::error::Result;
use crate::operations::deploy;
use crate::store::{ClaimedJob, Settle, Target, Tx, job_hold, job_settle};
use crate::transaction;
use protium_domain::deployment::Deployment;
use protium_domain::id::Id;
use protium_domain::provisioning::Method;
use protium_engines::{Cursor, Transient};
use std::time::Duration;

/// The shortest pause before a step that got nowhere is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest one, unless the other side asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Saves where the engine stands. `true`: the next step is due at once. Otherwise the job is given
/// back, until `after` has passed or for good if the deployment is over.
pub(super) async fn save(
    app: &App,
    job: &ClaimedJob,
    id: &Id,
    cursor: Cursor,
    after: Duration,
    note: Option<String>,
) -> Result<bool> {
    let now = app.clock.now_ms();
    transaction!(app.store, async |tx| -> Result<bool> {
        job_hold(tx, job).await?;
        let Some((mut record, mut target)) = load_active(tx, id).await? else {
            job_settle(tx, job, Settle::Done).await?;
            return Ok(false);
        };
        let message = shown(&record, &target, note.as_ref());
        if record.message != message || record.cursor.as_ref() != Some(&cursor.0) || record.note != note {
            let changed = record.message != message;
            record.cursor = Some(cursor.0.clone());
            record.note.clone_from(&note);
            save_record(tx, &mut record, message.clone(), now).await?;
            if changed {
                show(tx, &mut target, message, now).await?;
            }
        }
        if !after.is_zero() {
            let due_at = due(tx, &record, after, now).await?;
            job_settle(tx, job, Settle::Again(due_at)).await?;
        }
        Ok(after.is_zero())
    })
}

/// The message of a deployment whose engine waits. That of a step which got nowhere is over. What a caller
/// notified stays, and so does what callers are told to do before they do.
fn shown(record: &Deployment, target: &Target, note: Option<&String>) -> Option<String> {
    let method = target.track().engine.as_deref().and_then(Method::parse);
    let told = method.is_some_and(Method::ends_by_notification);
    match &record.message {
        None if told && record.cursor.is_none() => note.cloned(),
        message if told || *message != record.note => message.clone(),
        _ => None,
    }
}

/// Notes, where users see it, why a step got nowhere, and gives the job back for a while.
pub(super) async fn stumble(app: &App, job: &ClaimedJob, id: &Id, why: Transient) -> Result<()> {
    // The words of the other side are shown with the deployment; logs don't get them.
    tracing::warn!(deployment = %id, failures = job.failures + 1, "a step got nowhere and is tried again");
    let now = app.clock.now_ms();
    let message = deploy::status_message(why.message);
    transaction!(app.store, async |tx| -> Result<()> {
        let Some((mut record, mut target)) = load_active(tx, id).await? else {
            return Ok(job_settle(tx, job, Settle::Done).await?);
        };
        let due_at = due(tx, &record, pause(job.failures, why.retry_after), now).await?;
        job_settle(tx, job, Settle::Failed(due_at)).await?;
        if record.message.as_ref() == Some(&message) {
            return Ok(());
        }
        record.note = Some(message.clone());
        save_record(tx, &mut record, Some(message.clone()), now).await?;
        show(tx, &mut target, Some(message.clone()), now).await
    })
}

async fn save_record(tx: &mut Tx, record: &mut Deployment, message: Option<String>, now: i64) -> Result<()> {
    let status = record.status;
    record.message = message;
    deploy::save_record(tx, record, status, now).await
}

async fn show(tx: &mut Tx, target: &mut Target, message: Option<String>, now: i64) -> Result<()> {
    let status = target.track().status;
    target.track_mut().message = message;
    deploy::save_target(tx, target, status, now).await
}

/// When the database's clock shows that `pause` has passed, or that the deployment's time is over.
async fn due(tx: &mut Tx, record: &Deployment, pause: Duration, now: i64) -> Result<i64> {
    let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    let left = record.deadline.map_or(i64::MAX, |deadline| deadline.saturating_sub(now).max(0));
    Ok(tx.now_ms().await?.saturating_add(pause.min(left)))
}

/// Doubles with each failure in a row, and is never shorter than the other side asked for.
fn pause(failures: i64, asked: Option<Duration>) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.clamp(0, 10)).min(LONGEST_PAUSE);
    asked.map_or(doubled, |asked| asked.max(doubled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_respect_what_is_asked_for() {
        let ms = |failures, asked: Option<u64>| pause(failures, asked.map(Duration::from_secs)).as_millis();
        assert_eq!([0, 1, 2, 5, 6, 1000].map(|failures| ms(failures, None)), [500, 1000, 2000, 16_000, 30_000, 30_000]);
        assert_eq!((ms(0, Some(3)), ms(6, Some(3)), ms(6, Some(90))), (3000, 30_000, 90_000));
    }
}
