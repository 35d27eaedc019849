//! Whole copies of an embedded database, made while it is in use, and a look into one that nobody uses.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::OpenFlags;
use rusqlite::backup::{Backup, StepResult};

use super::PATIENCE;
use super::sqlite::with_collation;
use crate::store::db_error::{DbError, DbErrorKind, DbResult};
use crate::store::sealed::CANARY;

/// What a copy of a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The schema version.
    pub schema_version: i64,
    /// What only the master key opens with which the database was made, see `MasterKey::fits`.
    pub canary: Option<Vec<u8>>,
    /// The names of all blobs of the bundle store that rows refer to, each once.
    pub blobs: Vec<String>,
}

/// Copies the database in the file `from` to the file `to`, which must not exist, as it is at one moment. Other
/// processes read and write it meanwhile. The copy is one file, on disk when this returns.
pub fn sqlite_copy(from: &Path, to: &Path) -> DbResult<()> {
    let source = rusqlite::Connection::open_with_flags(
        from,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    source.busy_timeout(PATIENCE)?;
    let mut target = rusqlite::Connection::open(to)?;
    copy_all(&source, &mut target)?;
    // Without a log beside it, the copy can be moved, and read from where nothing can be written.
    target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    target.close().map_err(|(_, error)| error)?;
    std::fs::File::open(to).and_then(|file| file.sync_all()).map_err(|error| {
        DbError::new(DbErrorKind::Unavailable, format!("the copy {} can't be written: {error}", to.display()))
    })
}

/// All pages in one step, so that they are those of one moment.
fn copy_all(source: &rusqlite::Connection, target: &mut rusqlite::Connection) -> DbResult<()> {
    let copy = Backup::new(source, target)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match copy.step(-1)? {
            StepResult::Done => return Ok(()),
            _ if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            _ => return Err(DbError::new(DbErrorKind::Unavailable, "the database stays locked by another program")),
        }
    }
}

/// Checks that the database in a file is whole, and says what it holds. Nobody may be using it.
///
/// Errors: [`DbErrorKind::Corrupt`] if it is damaged or not Protium's.
pub fn sqlite_inspect(path: &Path) -> DbResult<Inspection> {
    let database = rusqlite::Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    with_collation(&database)?;
    let verdict: String = database.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(DbError::corrupt(format!("{}: {verdict}", path.display())));
    }
    let foreign = |error: rusqlite::Error| DbError::corrupt(format!("{} is not Protium's: {error}", path.display()));
    let version = "SELECT COALESCE(MAX(version), 0) FROM schema_version";
    let schema_version = database.query_row(version, [], |row| row.get(0)).map_err(foreign)?;
    let mut canary = database.prepare("SELECT value FROM meta WHERE name = $1").map_err(foreign)?;
    let mut canary = canary.query_map([CANARY], |row| row.get(0))?;
    let canary = canary.next().transpose()?;
    let blobs = "SELECT blob FROM object UNION SELECT blob FROM upload_part ORDER BY blob";
    let mut blobs = database.prepare(blobs).map_err(foreign)?;
    let blobs = blobs.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Inspection { schema_version, canary, blobs })
}
