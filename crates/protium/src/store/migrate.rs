//! Brings an older database up to what this program expects, and refuses a newer one.
//!
//! Owns: the `schema_version` table and the order of `migrations/`. Each migration runs in one transaction, and
//! one process at a time runs them.

use super::db::{Db, Isolation};
use super::db_error::{DbError, DbErrorKind, DbResult};
use super::tx::Tx;
use crate::params;

/// The migrations in their order; the version of a database is how many of them were applied.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_component.sql"),
    include_str!("../../migrations/0003_connection.sql"),
    include_str!("../../migrations/0004_repository.sql"),
    include_str!("../../migrations/0005_self_managed.sql"),
    include_str!("../../migrations/0006_list_instances.sql"),
    include_str!("../../migrations/0007_summary.sql"),
    include_str!("../../migrations/0008_covering.sql"),
    include_str!("../../migrations/0009_identity.sql"),
    include_str!("../../migrations/0010_events.sql"),
];

/// The schema version that this program reads and writes.
pub fn newest_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Migrates the database to [`newest_version`]. Returns the version that it had, 0 for an empty one.
///
/// Errors: [`DbErrorKind::Refused`] if a newer program migrated it, which this one must not touch.
pub(super) async fn migrate(db: &Db) -> DbResult<i64> {
    let mut tx = db.begin(Isolation::Exclusive).await?;
    let outcome = apply(db, &mut tx).await;
    tx.end(outcome.is_ok()).await?;
    outcome
}

async fn apply(db: &Db, tx: &mut Tx) -> DbResult<i64> {
    tx.batch(
        "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)",
    )
    .await?;
    let found = tx.query_one("SELECT COALESCE(MAX(version), 0) FROM schema_version", params![]).await?.int(0)?;
    let newest = newest_version();
    if found > newest {
        return Err(DbError::new(
            DbErrorKind::Refused,
            format!(
                "the database has the schema version {found}, this program knows versions up to {newest}; \
                 start a newer protium, or restore a backup that was made before the upgrade"
            ),
        ));
    }
    for (version, sql) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        match db.is_embedded() {
            true => tx.batch(&of_sqlite(sql)).await?,
            false => tx.batch(sql).await?,
        }
        let now = tx.now_ms().await?;
        tx.execute("INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)", params![version, now]).await?;
        tracing::info!("the database was migrated to the schema version {version}");
    }
    Ok(found)
}

/// The same for SQLite. Its own order is that of the bytes; naming it so would make it ask us about each pair of keys.
/// It counts rows by itself, under another name.
fn of_sqlite(sql: &str) -> String {
    sql.replace(" COLLATE \"C\"", "").replace("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "INTEGER PRIMARY KEY")
}
