//! How a deployment ends: its record, its target, its service and its job, all or nothing.

use super::deploy::load_active;
use crate::app::App;
use crate::error::Result;
use crate::operations;
use crate::operations::deploy::{Ending, Provisioned};
use crate::store::{ClaimedJob, Settle, job_settle};
use crate::transaction;
use protium_domain::deployment::Event;
use protium_domain::id::Id;
use protium_domain::outputs::Outputs;
use protium_domain::track::ProvisionedResource;
use protium_engines::{End, Outcome};

/// Ends as the engine did.
pub(super) async fn of_engine(app: &App, job: &ClaimedJob, id: &Id, end: End) -> Result<()> {
    let (event, message) = match end.outcome {
        Outcome::Succeeded => (Event::Succeeded, None),
        Outcome::Failed(message) => (Event::Failed, Some(message)),
        Outcome::Cancelled => (Event::Cancelled, None),
    };
    let resources = end.resources.into_iter().map(|made| ProvisionedResource {
        name: made.name,
        identifier: made.identifier,
        engine: made.engine.as_str().to_owned(),
    });
    let provisioned = Provisioned { resources: resources.collect(), physical_id: end.physical_id };
    let outputs = (event == Event::Succeeded).then_some(end.outputs);
    let ending = Ending { event, message, outputs: None, provisioned: Some(provisioned) };
    settle(app, job, id, ending, outputs).await
}

/// Succeeds where nothing is provisioned.
pub(super) async fn known(app: &App, job: &ClaimedJob, id: &Id, outputs: Outputs) -> Result<()> {
    let ending = Ending { event: Event::Succeeded, message: None, outputs: None, provisioned: None };
    settle(app, job, id, ending, Some(outputs)).await
}

/// Fails without a word of the engine.
pub(super) async fn failed(app: &App, job: &ClaimedJob, id: &Id, message: &str) -> Result<()> {
    settle(app, job, id, Ending::without_effect(Event::Failed, message), None).await
}

/// Ends the deployment, lets its service go on, and settles the job: all or nothing.
pub(super) async fn settle(
    app: &App,
    job: &ClaimedJob,
    id: &Id,
    ending: Ending,
    outputs: Option<Outputs>,
) -> Result<()> {
    let now = app.clock.now_ms();
    transaction!(app.store, async |tx| -> Result<()> {
        job_settle(tx, job, Settle::Done).await?;
        // It may have ended by a caller's word meanwhile.
        let Some((mut record, mut target)) = load_active(tx, id).await? else { return Ok(()) };
        operations::settle::settle(tx, &mut record, &mut target, ending.clone(), outputs.as_ref(), now).await
    })
}
