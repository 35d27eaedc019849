//! A new master key: every secret is sealed anew under it.
//!
//! The new key is in a file before anything is sealed with it, and all rows change in one transaction, so that at each
//! moment one of the two files opens all of them. What was interrupted goes on when it is asked for again.

use std::fs;
use std::path::{Path, PathBuf};

use super::account;
use super::db::Db;
use super::db_error::{DbError, DbErrorKind, DbResult};
use super::migrate::migrate;
use super::sealed::{CANARY, MasterKey, TELLTALE, read_canary};
use super::{DbOptions, Store};
use crate::{params, transaction};

/// What came of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// How many secrets were sealed anew; none if an interrupted rotation had done that already.
    pub secrets: usize,
    /// Where the former key is now: backups without a key of their own need it.
    pub former: PathBuf,
}

impl Store {
    /// Replaces the master key in `file`. Nobody may use the database meanwhile.
    ///
    /// Errors: [`DbErrorKind::Refused`] if the file has no key, or not the one of the database.
    pub async fn rotate(options: &DbOptions, file: &Path) -> DbResult<Rotated> {
        let db = Db::open(options).await?;
        migrate(&db).await?;
        let next = beside(file, "next");
        let canary = read_canary(&db).await?;
        let canary =
            canary.ok_or_else(|| refused(file, "the database has no secrets yet: the first start makes a key"))?;
        let current = MasterKey::load(file)?.ok_or_else(|| refused(file, "there is no such file"))?;
        let prepared = MasterKey::load(&next)?;
        let former = beside(file, current.id());
        if current.fits(&canary) {
            let fresh = match prepared {
                Some(prepared) => prepared,
                None => MasterKey::create(&next)?,
            };
            let secrets = reseal(&db, &current, &fresh).await?;
            put_in_place(file, &next, &former)?;
            return Ok(Rotated { secrets, former });
        }
        match prepared {
            Some(prepared) if prepared.fits(&canary) => {
                put_in_place(file, &next, &former)?;
                Ok(Rotated { secrets: 0, former })
            }
            Some(_) | None => Err(refused(file, "it is not the key that this database was made with")),
        }
    }
}

/// All rows, or none.
async fn reseal(db: &Db, current: &MasterKey, fresh: &MasterKey) -> DbResult<usize> {
    transaction!(db, async |tx| -> DbResult<usize> {
        let secrets = account::reseal(tx, current, fresh).await?;
        let canary = fresh.seal(TELLTALE, CANARY)?;
        tx.execute("UPDATE meta SET value = $2 WHERE name = $1", params![CANARY, &canary]).await?;
        Ok(secrets)
    })
}

/// The former key is under both names for a moment, the new one too: one that opens the database is always there.
fn put_in_place(file: &Path, next: &Path, former: &Path) -> DbResult<()> {
    let place = || {
        if !former.exists() {
            fs::hard_link(file, former)?;
        }
        fs::rename(next, file)?;
        fs::File::open(file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
            .sync_all()
    };
    place().map_err(|error: std::io::Error| {
        refused(file, &format!("its successor is in {} and can't be put in its place: {error}", next.display()))
    })
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    PathBuf::from(name)
}

fn refused(file: &Path, why: &str) -> DbError {
    DbError::new(DbErrorKind::Refused, format!("the master key {} can't be replaced: {why}", file.display()))
}
