//! Backups of what an embedded server stores, and bringing them back.
//!
//! A backup is a folder with what the data folder has: the database at one moment, the objects of the bundle store
//! that it refers to, and the master key if that is kept there. The server runs on meanwhile. Does not own: how a
//! database is copied (`store`). Of a database server its own tools make backups; they are named here.

mod files;
mod manifest;

use crate::config::{Config, UNFINISHED};
use crate::http::s3::{Blobs, blob_path};
use crate::store::{DataLock, DatabaseUrl, Inspection, MasterKey, newest_version, sqlite_copy, sqlite_inspect};
use anyhow::{Context as _, Result, bail, ensure};
use files::{copy, empty_folder, sync, write_new};
pub(crate) use manifest::Manifest;
use std::path::{Path, PathBuf};

const DATABASE: &str = "protium.db";
const KEY: &str = "master.key";
const OBJECTS: &str = "objects";

/// Makes a backup in the folder `to`, which is new or empty, with the master key if it is in the data folder and
/// wanted.
///
/// # Errors
/// There is no embedded database, it is damaged, or files can't be read or written. What is left then has no
/// `backup.json`, and is not restored.
pub(crate) fn make(config: &Config, to: &Path, with_key: bool) -> Result<Manifest> {
    let DatabaseUrl::Sqlite(database) = &config.database_url else {
        bail!(
            "the database is PostgreSQL, which makes its own backups: pg_dump --format=custom --file=protium.dump \
             \"$PROTIUM_DATABASE_URL\"; keep with it the master key, {}, and the bundle store's objects, {}",
            config.master_key_file.display(),
            config.data_dir.join(OBJECTS).display()
        )
    };
    ensure!(database.is_file(), "there is no database {}; name its folder with --data-dir", database.display());
    empty_folder(to)?;
    let blobs = Blobs::open(&config.data_dir).context("the bundle store's folder can't be opened")?;
    // Before the moment of the database: from then on no object goes that it refers to.
    let held = blobs.hold().context("the bundle store's folder can't be held")?;
    sqlite_copy(database, &to.join(DATABASE))?;
    let found = sqlite_inspect(&to.join(DATABASE))?;
    copy_blobs(&found.blobs, &config.data_dir, to)?;
    drop(held);
    let key = config.data_dir.join(KEY);
    let has_key = with_key && config.master_key_file == key && key.is_file();
    if has_key {
        write_new(&to.join(KEY), &std::fs::read(&key).with_context(|| key.display().to_string())?)?;
    }
    let manifest = Manifest::new(found.schema_version, found.blobs.len(), has_key);
    // Last: a folder without it is no backup.
    manifest.write(to)?;
    Ok(manifest)
}

/// Brings the backup in the folder `from` back into the data folder, which is new or empty.
///
/// # Errors
/// There is something there already, the backup is not whole or from a newer program, its master key is not there
/// or another one, or files can't be read or written.
pub(crate) fn restore(config: &Config, from: &Path) -> Result<Manifest> {
    let DatabaseUrl::Sqlite(database) = &config.database_url else {
        bail!(
            "the database is PostgreSQL, which restores its own backups: pg_restore --dbname=\"$PROTIUM_DATABASE_URL\" \
             protium.dump, into an empty database; put the master key back to {}, and the bundle store's objects to {}",
            config.master_key_file.display(),
            config.data_dir.join(OBJECTS).display()
        )
    };
    let manifest = Manifest::read(from)?;
    let found = check(from)?;
    ensure!(!database.exists(), "there is a database {} already; it is not replaced", database.display());
    let key = key_of(config, from, &found)?;
    empty_folder(&config.data_dir)?;
    let folder = database.parent().unwrap_or(&config.data_dir);
    std::fs::create_dir_all(folder).with_context(|| format!("the folder {} can't be made", folder.display()))?;
    let _lock = DataLock::take(folder)?;
    let unfinished = config.data_dir.join(UNFINISHED);
    write_new(&unfinished, b"")?;
    copy_blobs(&found.blobs, from, &config.data_dir)?;
    if let Some(key) = key {
        write_new(&config.master_key_file, &std::fs::read(&key).with_context(|| key.display().to_string())?)?;
    }
    copy(&from.join(DATABASE), database)?;
    std::fs::remove_file(&unfinished)?;
    sync(&config.data_dir)?;
    if !config.master_key_file.exists() {
        tracing::warn!("the backup has no master key; put it to {} before the start", config.master_key_file.display());
    }
    Ok(manifest)
}

fn copy_blobs(names: &[String], from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.join(OBJECTS), to.join(OBJECTS));
    names.iter().try_for_each(|name| copy(&blob_path(&from, name), &blob_path(&to, name)))
}

/// Whether a backup is whole, and not from a newer program.
fn check(from: &Path) -> Result<Inspection> {
    let database = from.join(DATABASE);
    let found = sqlite_inspect(&database).with_context(|| database.display().to_string())?;
    let (version, newest) = (found.schema_version, newest_version());
    ensure!(
        version <= newest,
        "the backup has the schema version {version}, this program knows versions up to {newest}; restore it with a \
         newer protium"
    );
    if let Some(lost) = found.blobs.iter().find(|blob| !blob_path(&from.join(OBJECTS), blob).is_file()) {
        bail!("the backup {} is not whole: the object {lost} is missing", from.display());
    }
    Ok(found)
}

/// The key file of the backup, if it has one that is to be copied. Refuses one that does not open the database, and
/// another key where the configuration has it.
fn key_of(config: &Config, from: &Path, found: &Inspection) -> Result<Option<PathBuf>> {
    let (own, given) = (from.join(KEY), &config.master_key_file);
    let Some(canary) = &found.canary else { return Ok(None) };
    for file in [&own, given] {
        if let Some(key) = MasterKey::load(file)? {
            ensure!(
                key.fits(canary),
                "{} is not the master key of the backup {}; name the right one with --master-key-file",
                file.display(),
                from.display()
            );
        }
    }
    Ok((own.exists() && !given.exists()).then_some(own))
}
