//! Brings events to where the operator wants them: at least once, in order for each resource.
//!
//! Owns: one task for each destination. Which events there are and how far they are brought stands in the store; a
//! task that dies loses nothing. Where they go is in the configuration: no caller of the API can name an address.

mod dispatch;
mod file;
mod flight;
mod sender;
mod signature;
mod webhook;

pub use dispatch::Dispatcher;
pub use signature::signature;

use crate::app::App;
use crate::clock::Clock;
use crate::config::{Config, DestinationKind};
use crate::store::{DbError, Store, destination_ensure};
use crate::transaction;
use anyhow::Context as _;
use file::FileSender;
use protium_domain::event::Selection;
use protium_engines::aws::{Aws, EventBus};
use sender::Sender;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use webhook::WebhookSender;

/// A destination that can be brought events.
pub struct Target {
    name: String,
    selection: Selection,
    source: String,
    max_age: Duration,
    sender: Sender,
}

/// The destinations of the settings, ready for events. Makes no call. The error names what can't be right.
pub fn targets(config: &Config, aws: &Aws, clock: &Clock) -> anyhow::Result<Vec<Target>> {
    let open = |kind: &DestinationKind| -> anyhow::Result<Sender> {
        Ok(match kind {
            DestinationKind::EventBridge(bus) => Sender::EventBridge(EventBus::new(aws.clone(), bus.clone())),
            DestinationKind::Webhook(hook) => Sender::Webhook(WebhookSender::new(hook, clock.clone())?),
            DestinationKind::File(path) => Sender::File(FileSender::new(path.clone())),
        })
    };
    let target = |destination: &crate::config::Destination| {
        let sender = open(&destination.kind).with_context(|| format!("events.destination '{}'", destination.name))?;
        Ok(Target {
            name: destination.name.clone(),
            selection: destination.selection.clone(),
            source: destination.source.clone(),
            max_age: destination.max_age,
            sender,
        })
    };
    config.event_destinations.iter().map(target).collect()
}

/// Makes the destinations known to the store: what happens from now on is brought to them.
pub async fn ensure(store: &Store, targets: &[Target]) -> Result<(), DbError> {
    transaction!(store, async |tx| -> Result<(), DbError> {
        for target in targets {
            destination_ensure(tx, &target.name).await?;
        }
        Ok(())
    })
}

/// The running tasks of a process. They end without warning when this is dropped.
pub struct Deliveries {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Deliveries {
    /// Starts a task for each destination; `holder` tells processes apart in leases.
    pub fn start(app: &App, targets: Vec<Target>, holder: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for target in targets {
            let dispatcher = Dispatcher::new(app, target, holder.to_owned());
            tasks.spawn(dispatcher.run(app.store.db().told(), stopped.clone()));
        }
        Self { stop, tasks }
    }

    /// Begins nothing more; what is on its way arrives or is brought again by the next process.
    pub async fn stop(mut self) {
        // An error means that all tasks have ended.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}
