//! Takes a deployment to its end: prepares it once, asks its engine step by step, and settles it.
//!
//! The cursor is saved before the next step and the lease is checked with every save, so a process
//! that is killed anywhere is followed by another that goes on from the last saved step.

use super::order::Prepared;
use super::render;
use super::unprepared::Unprepared;
use super::{ending, step};
use crate::app::App;
use crate::error::{Result, internal};
use crate::operations::deploy::{self, Ending};
use crate::operations::run_token;
use crate::store::{
    ClaimedJob, Settle, Target, Tx, content_get, content_put, deployment_by_id, job_hold, job_settle, target_get,
};
use crate::transaction;
use protium_domain::deployment::{Deployment, Event, Purpose};
use protium_domain::id::Id;
use protium_domain::name::stack_name;
use protium_domain::provisioning::{Method, folder};
use protium_domain::status::DeploymentStatus;
use protium_domain::track::Physical;
use protium_engines::{Cursor, Step, Transient};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often in a row preparing may fail for reasons of our own before the deployment does.
const ATTEMPTS: i64 = 10;

pub(super) async fn run(app: &App, job: &ClaimedJob, id: &Id) -> Result<()> {
    loop {
        let Some(work) = Work::load(app, id).await? else { return done(app, job).await };
        if work.record.order.is_none() {
            match work.begin(app, job).await? {
                Begun::Goes => continue,
                Begun::Ended(ending) => return ending::settle(app, job, id, ending, None).await,
                Begun::Over => return done(app, job).await,
            }
        }
        let late = work.timed_out(app.clock.now_ms());
        if let (Some(message), None) = (&late, &work.record.cursor) {
            return ending::failed(app, job, id, message).await;
        }
        // Work that was under way is looked at even when its time is over: it may have ended since.
        match (work.look(app).await, late) {
            (Ok(Look::Known(outputs)), _) => return ending::known(app, job, id, outputs).await,
            (Ok(Look::Step(Step::Ended(end))), _) => return ending::of_engine(app, job, id, end).await,
            (_, Some(message)) => return ending::failed(app, job, id, &message).await,
            (Ok(Look::Step(Step::Wait { cursor, after, note })), None) => {
                if !step::save(app, job, id, cursor, after, note).await? {
                    return Ok(());
                }
            }
            (Ok(Look::Nothing(transient)), None) => return step::stumble(app, job, id, transient).await,
            (Err(error), None) => return Err(error),
        }
    }
}

/// A deployment that is under way, and what it changes.
struct Work {
    record: Deployment,
    target: Target,
}

/// How the first step of a deployment went.
enum Begun {
    /// The order is saved; the engine can be asked.
    Goes,
    Ended(Ending),
    /// It is not under way any more.
    Over,
}

/// What is known of a deployment that is under way.
enum Look {
    /// Nothing is provisioned; these are the outputs.
    Known(Map<String, Value>),
    /// What the engine answered.
    Step(Step),
    /// The engine could not say.
    Nothing(Transient),
}

impl Work {
    /// `None` if it has ended, waits for its turn, or its target is gone.
    async fn load(app: &App, id: &Id) -> Result<Option<Self>> {
        let mut rd = app.store.snapshot().await?;
        let Some(record) = deployment_by_id(&mut rd, id).await? else { return Ok(None) };
        if !record.status.is_active() || record.waiting {
            return Ok(None);
        }
        let target = target_get(&mut rd, &record.target).await?;
        Ok(target.map(|target| Self { record, target }))
    }

    /// The message of a deployment that is over its time.
    fn timed_out(&self, now: i64) -> Option<String> {
        let deadline = self.record.deadline?;
        (now >= deadline).then(|| match &self.record.note {
            Some(note) => format!("Timed out. The last that is known: {note}"),
            None => "Timed out.".to_owned(),
        })
    }

    /// Prepares the order and saves it, before anything outside is asked.
    async fn begin(&self, app: &App, job: &ClaimedJob) -> Result<Begun> {
        if self.record.status == DeploymentStatus::Cancelling {
            let ending = Ending { event: Event::Cancelled, message: None, outputs: None, provisioned: None };
            return Ok(Begun::Ended(ending));
        }
        if self.record.purpose == Purpose::Destroy && self.target.track().engine.is_none() {
            // No engine was ever asked for this target: there is nothing to destroy.
            let ending = Ending { event: Event::Succeeded, message: None, outputs: None, provisioned: None };
            return Ok(Begun::Ended(ending));
        }
        let prepared = match render::prepare(app, &self.record, &self.target).await {
            Ok(prepared) => prepared,
            Err(Unprepared::Refused(message)) => {
                return Ok(Begun::Ended(Ending::without_effect(Event::Failed, message)));
            }
            Err(Unprepared::Error(error)) if job.failures + 1 < ATTEMPTS => return Err(error),
            Err(Unprepared::Error(error)) => {
                tracing::error!(deployment = %self.record.id, "preparing failed {ATTEMPTS} times and is given up: {error}");
                let message =
                    "Internal service failure: the deployment could not be prepared. The server's log has the cause.";
                return Ok(Begun::Ended(Ending::without_effect(Event::Failed, message)));
            }
        };
        self.save_order(app, job, &prepared).await
    }

    async fn save_order(&self, app: &App, job: &ClaimedJob, prepared: &Prepared) -> Result<Begun> {
        let body = serde_json::to_vec(prepared).map_err(internal)?;
        let method = prepared.engine.as_deref().and_then(Method::parse);
        let deadline = match method.is_some_and(Method::ends_by_notification) {
            true => app.config.self_managed_deadline,
            false => app.config.deployment_deadline,
        };
        let allowed = i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX);
        let now = app.clock.now_ms();
        transaction!(app.store, async |tx| -> Result<Begun> {
            job_hold(tx, job).await?;
            let Some((mut record, mut target)) = load_active(tx, &self.record.id).await? else {
                return Ok(Begun::Over);
            };
            let (status, was) = (record.status, target.track().status);
            record.order = Some(content_put(tx, &body).await?);
            record.goal.seen.clone_from(&prepared.seen);
            // A cancel that came meanwhile has set its own.
            record.deadline = record.deadline.or(Some(now.saturating_add(allowed)));
            deploy::save_record(tx, &mut record, status, now).await?;
            if let Some(engine) = &prepared.engine {
                let name = match method {
                    Some(Method::SelfManaged) => folder(&record.target),
                    Some(Method::CloudFormation | Method::Commands | Method::Terraform) | None => {
                        stack_name(&deploy::physical_parts(&target), random())
                    }
                };
                let track = target.track_mut();
                track.engine = Some(engine.clone());
                if method.is_some_and(Method::destroys_from_files) && track.deployed.is_none() {
                    track.order.clone_from(&record.order);
                }
                track.physical.get_or_insert(Physical { name, id: None });
                deploy::save_target(tx, &mut target, was, now).await?;
            }
            Ok(Begun::Goes)
        })
    }

    /// Asks the engine that the order names for its next step.
    async fn look(&self, app: &App) -> Result<Look> {
        let prepared = self.prepared(app).await?;
        let Some(name) = &prepared.engine else { return Ok(Look::Known(prepared.outputs)) };
        let engine = match Method::parse(name) {
            Some(Method::CloudFormation) => &app.engines.cloudformation,
            Some(Method::SelfManaged) => &app.engines.self_managed,
            Some(Method::Commands | Method::Terraform) => match &app.engines.commands {
                Some(commands) => commands,
                None => return Ok(Look::Nothing(no_runner())),
            },
            None => return Err(internal(anyhow::anyhow!("the engine '{name}' is not built"))),
        };
        let physical = self.target.track().physical.as_ref();
        let physical = physical.ok_or_else(|| internal(anyhow::anyhow!("a prepared target has no physical name")))?;
        let left = self.record.deadline.map_or(0, |deadline| deadline.saturating_sub(app.clock.now_ms()));
        let left = Duration::from_millis(u64::try_from(left).unwrap_or_default());
        let mut order = prepared.order(&self.record, physical, left);
        order.environment_id = self.target.environment_id().map(ToString::to_string);
        if prepared.commands.is_some() {
            order.notify_url = run_token::url(app, &self.record.id)?;
        }
        let cursor = self.record.cursor.clone().map(Cursor);
        if engine.wants_bundle(cursor.as_ref()) {
            order.bundle = bundle(app, &prepared).await?;
        }
        Ok(match engine.step(&order, cursor.as_ref()).await {
            Ok(step) => Look::Step(step),
            Err(transient) => Look::Nothing(transient),
        })
    }

    /// What was saved at its start.
    async fn prepared(&self, app: &App) -> Result<Prepared> {
        let hash = self.record.order.as_ref();
        let hash = hash.ok_or_else(|| internal(anyhow::anyhow!("the deployment {} has no order", self.record.id)))?;
        Prepared::load(app, hash).await
    }
}

/// The files of the bundle that go as they are.
async fn bundle(app: &App, prepared: &Prepared) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut rd = app.store.reader().await?;
    let mut files = BTreeMap::new();
    for (path, hash) in &prepared.sources {
        files.insert(path.clone(), content_get(&mut rd, hash).await?);
    }
    Ok(files)
}

/// A server that was started without a runner meets a deployment that needs one: the next start may have it.
fn no_runner() -> Transient {
    let message = "This server runs no commands now; start it with --runner, and the deployment goes on.".to_owned();
    Transient { message, retry_after: None }
}

/// Fifteen random bytes, for a physical name.
fn random() -> [u8; 15] {
    let mut bytes = [0; 15];
    let source = uuid::Uuid::new_v4().into_bytes();
    bytes.copy_from_slice(&source[..15]);
    bytes
}

/// A deployment and its target, while it is under way.
pub(super) async fn load_active(tx: &mut Tx, id: &Id) -> Result<Option<(Deployment, Target)>> {
    let Some(record) = deployment_by_id(tx, id).await? else { return Ok(None) };
    if !record.status.is_active() {
        return Ok(None);
    }
    let target = target_get(tx, &record.target).await?;
    Ok(target.map(|target| (record, target)))
}

async fn done(app: &App, job: &ClaimedJob) -> Result<()> {
    transaction!(app.store, async |tx| -> Result<()> { Ok(job_settle(tx, job, Settle::Done).await?) })
}
