//! `backup.json`: what a backup holds. Its being there says that the backup is whole.

use super::files::{sync, write_new};
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

const FILE: &str = "backup.json";
/// Of the folder, not of the database in it.
const FORMAT: i64 = 1;

/// What is in a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    format: i64,
    /// The version of the program that made it.
    program: String,
    schema_version: i64,
    objects: usize,
    master_key: bool,
}

impl Manifest {
    pub(super) fn new(schema_version: i64, objects: usize, master_key: bool) -> Self {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, program, schema_version, objects, master_key }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write_new(&folder.join(FILE), &serde_json::to_vec_pretty(self)?)?;
        sync(folder)
    }

    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read(&path)
            .with_context(|| format!("{} is no whole backup: {} can't be read", folder.display(), path.display()))?;
        let found: Self = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        let format = found.format;
        ensure!(format == FORMAT, "{} has the format {format}, this program reads {FORMAT}", path.display());
        Ok(found)
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema_version, objects, .. } = self;
        write!(f, "the database (schema version {schema_version}), {objects} objects of the bundle store, ")?;
        f.write_str(if self.master_key { "and the master key" } else { "and no master key" })
    }
}
