//! The store: what Protium remembers, in SQLite or PostgreSQL.
//!
//! Owns: the tables, one file a noun, and the transactions around them. Does not own: rules (they are `domain`'s),
//! the decision what to write (`operations` and `jobs` take it, in one transaction each).
//!
//! Functions are named noun first. Those that write take a [`Tx`], which [`transaction!`](crate::transaction)
//! gives; those that read take a [`Reader`], which a `Tx` is too.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use protium_domain::arn::Scope;

mod account;
mod account_connection;
mod account_settings;
mod audit;
mod component;
mod content;
mod contents;
mod counts;
mod db;
mod db_error;
mod delivery;
mod deployment;
mod environment;
mod event;
mod event_order;
mod identity;
mod instance_list;
mod job;
mod local_runner;
mod lock;
mod migrate;
mod object;
mod oidc_provider;
mod options;
mod policy;
mod probe;
mod repository;
mod resource;
mod role;
mod rotate;
mod sealed;
mod service;
mod service_instance;
mod service_pipeline;
mod service_sync_config;
mod summary;
mod sync_blocker;
mod tag;
mod target;
mod template;
mod template_sync_config;
mod template_version;
mod token;
mod track;
mod transaction;
mod tx;
mod upload;
mod value;

pub use account::*;
pub use account_connection::*;
pub use account_settings::*;
pub use audit::*;
pub use component::*;
pub use content::*;
pub use counts::Relying;
pub use db::{Db, Inspection, sqlite_copy, sqlite_inspect};
pub use db_error::{DbError, DbErrorKind, DbResult};
pub use delivery::*;
pub use deployment::*;
pub use environment::*;
pub use event::*;
pub use event_order::{Logged, event_after};
pub use identity::*;
pub use instance_list::*;
pub use job::*;
pub use local_runner::*;
pub use lock::DataLock;
pub use migrate::newest_version;
pub use object::*;
pub use oidc_provider::*;
pub use options::{DatabaseUrl, DbOptions};
pub use policy::*;
pub use probe::{Call, Probe};
pub use repository::*;
pub use role::*;
pub use rotate::Rotated;
pub use sealed::MasterKey;
pub use service::*;
pub use service_instance::*;
pub use service_pipeline::*;
pub use service_sync_config::*;
pub use summary::*;
pub use sync_blocker::*;
pub use tag::*;
pub use target::*;
pub use template::*;
pub use template_sync_config::*;
pub use template_version::*;
pub use token::*;
pub use tx::{Attempts, Reader, Tx};
pub use upload::*;
pub use value::{Param, Row, doc_text};

/// How to open the store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The database.
    pub db: DbOptions,
    /// The file of the master key, made at the first start.
    pub master_key_file: PathBuf,
}

impl StoreOptions {
    /// The embedded default: everything in one folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self { db: DbOptions::new(DatabaseUrl::in_folder(folder)), master_key_file: folder.join("master.key") }
    }
}

/// An open, migrated, unlocked database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
    master_key: Arc<MasterKey>,
    counts: Arc<counts::Counts>,
    journal: audit::Journal,
    horizon: Arc<event_order::Horizon>,
}

impl Store {
    /// Opens the database, waiting for it if need be, migrates an older one, and takes back the leases of a
    /// process that was the only user before this one.
    ///
    /// Errors: [`DbErrorKind::Unavailable`] after the patience of [`DbOptions`]; [`DbErrorKind::Refused`] if the
    /// folder is in use, the database is newer than this program, or the master key is not the database's.
    pub async fn open(options: &StoreOptions) -> DbResult<Self> {
        let db = Db::open(&options.db).await?;
        migrate::migrate(&db).await?;
        let master_key = sealed::unlock(&db, &options.master_key_file).await?;
        let (counts, journal, horizon) = <_>::default();
        let store = Self { db, master_key: Arc::new(master_key), counts, journal, horizon };
        let taken_back = store.job_take_back_all().await?;
        if taken_back > 0 {
            tracing::info!("{taken_back} jobs that the last process had not finished go on");
        }
        Ok(store)
    }

    /// Migrates the database without opening the store, for `protium migrate`. Returns the version that it had.
    pub async fn migrate(options: &DbOptions) -> DbResult<i64> {
        migrate::migrate(&Db::open(options).await?).await
    }

    /// The database, for its signals and probes.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The key that seals the store's secrets.
    pub fn master_key(&self) -> &MasterKey {
        &self.master_key
    }

    /// What `count` counts in a scope, or what it counted within the last ten milliseconds.
    pub async fn counted<F>(&self, scope: &Scope, what: &'static str, count: impl FnOnce(Reader) -> F) -> DbResult<i64>
    where
        F: Future<Output = DbResult<i64>>,
    {
        let now = Instant::now();
        if let Some(count) = self.counts.get(scope, what, now) {
            return Ok(count);
        }
        let count = count(self.reader().await?).await?;
        self.counts.keep(scope, what, now, count);
        Ok(count)
    }

    /// Asks before relying on [`Self::counted`] for what is done next; `None` while too many do that already.
    pub fn rely_on_count(&self) -> Option<Relying> {
        self.counts.rely()
    }

    /// See [`Db::reader`].
    pub async fn reader(&self) -> DbResult<Reader> {
        self.db.reader().await
    }

    /// See [`Db::snapshot`].
    pub async fn snapshot(&self) -> DbResult<Reader> {
        self.db.snapshot().await
    }

    /// The runs of one write transaction, for [`transaction!`](crate::transaction).
    pub fn attempts(&self) -> Attempts {
        Attempts::new(self.db.clone(), self.journal.clone())
    }

    /// The same store for one request: the first of its write transactions that changes something writes the record of
    /// it, too. There is no change without its record, and no record of what did not happen.
    pub fn recording(&self, entry: &Arc<Entry>) -> Self {
        Self { journal: audit::Journal::of(entry), ..self.clone() }
    }
}
