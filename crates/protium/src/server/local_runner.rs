//! That one server alone runs commands on its own machine: states of Terraform, processes and logs are there, and the
//! next run on another machine would not find them.
//!
//! Owns the place that such a server holds in the database while it works. One with the same data folder is the same.

use super::told::Told;
use crate::store::{DbError, Store, local_runner_hold, local_runner_leave};
use crate::transaction;
use anyhow::bail;
use std::time::Duration;

/// How long the place is held without a word.
const HELD_MS: i64 = 30_000;
/// How often the word is said.
const EVERY: Duration = Duration::from_secs(5);

/// The place, held.
#[derive(Clone)]
pub(super) struct LocalRunner {
    store: Store,
    id: String,
}

impl LocalRunner {
    /// Takes the place for the runner of that id.
    ///
    /// # Errors
    ///
    /// When another one has it, or the database can't be asked.
    pub(super) async fn take(store: Store, id: String) -> anyhow::Result<Self> {
        let place = Self { store, id };
        if let Some(held_ms) = place.hold().await? {
            bail!(
                "runner: another server with --runner local works with this database, and what its runs keep is on its \
                 machine. Start this one with --role api, or give both --runner kubernetes or codebuild; if the other one \
                 is gone, start this one again in {} s",
                held_ms / 1000 + 1
            );
        }
        Ok(place)
    }

    /// Holds it until it is dropped. What goes wrong is told once.
    pub(super) async fn keep(self) {
        let mut told = Told::default();
        loop {
            tokio::time::sleep(EVERY).await;
            let wrong = match self.hold().await {
                Ok(None) => None,
                Ok(Some(_)) => Some("another server with --runner local works with this database: stop one".to_owned()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(message) = told.news(wrong) {
                tracing::warn!("runner: local: {message}");
            }
        }
    }

    /// Leaves it. If that can't be said, the next one waits until it is no longer held.
    pub(super) async fn leave(&self) {
        let left = transaction!(self.store, async |tx| { local_runner_leave(tx, &self.id).await });
        if let Err(error) = left {
            tracing::warn!("runner: local: that this server no longer works can't be said: {error}");
        }
    }

    async fn hold(&self) -> Result<Option<i64>, DbError> {
        transaction!(self.store, async |tx| { local_runner_hold(tx, &self.id, HELD_MS).await })
    }
}
