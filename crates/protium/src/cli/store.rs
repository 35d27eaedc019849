//! `protium backup`, `protium restore`, `protium migrate` and `protium rotate-master-key`.

use super::{USAGE, block_on, log};
use crate::backup;
use crate::config::{Config, StoreArgs};
use crate::store::{DbOptions, Store, newest_version};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
pub(super) struct Backup {
    /// Where the backup goes: a folder that does not exist yet, or is empty.
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Leave the master key out, to keep it elsewhere: nothing in the backup can be used without it.
    #[arg(long)]
    without_master_key: bool,
}

#[derive(Args)]
pub(super) struct Restore {
    /// The folder that `protium backup` made.
    #[arg(value_name = "FOLDER")]
    from: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Args)]
pub(super) struct RotateMasterKey {
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn backup(Backup { to, store, without_master_key }: Backup) -> ExitCode {
    run("backup", store, async |config| {
        let made = backup::make(&config, &to, !without_master_key)?;
        Ok(format!("{} holds {made}", to.display()))
    })
}

pub(super) fn restore(Restore { from, store }: Restore) -> ExitCode {
    run("restore", store, async |config| {
        let found = backup::restore(&config, &from)?;
        Ok(format!("{} holds {found}", config.data_dir.display()))
    })
}

pub(super) fn migrate(Migrate { store }: Migrate) -> ExitCode {
    run("migrate", store, async |config| {
        let found = Store::migrate(&DbOptions::new(config.database_url.clone())).await?;
        let newest = newest_version();
        Ok(match found {
            0 => format!("an empty database now has the schema version {newest}"),
            _ if found == newest => format!("the database has the schema version {newest} already"),
            _ => format!("the database was migrated from the schema version {found} to {newest}"),
        })
    })
}

pub(super) fn rotate_master_key(RotateMasterKey { store }: RotateMasterKey) -> ExitCode {
    run("rotate-master-key", store, async |config| {
        let (options, file) = (DbOptions::new(config.database_url.clone()), &config.master_key_file);
        let done = Store::rotate(&options, file).await?;
        let (file, former) = (file.display(), done.former.display());
        Ok(match done.secrets {
            0 => format!("{file} holds the new master key; the former one is in {former}"),
            count => format!(
                "{file} holds a new master key, which {count} secrets were sealed anew under; the former one is in {former}"
            ),
        })
    })
}

/// Reads the settings, does the work, and says on standard output what came of it.
fn run(name: &str, args: StoreArgs, work: impl AsyncFnOnce(Config) -> anyhow::Result<String>) -> ExitCode {
    if let Err(error) = log::start() {
        eprintln!("protium {name}: PROTIUM_LOG: {error}");
        return ExitCode::from(USAGE);
    }
    let config = match Config::new(args.into()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("protium {name}: {error}");
            return ExitCode::from(USAGE);
        }
    };
    match block_on(work(config)) {
        Ok(Ok(said)) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => {
            eprintln!("protium {name}: {error:#}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("protium {name}: the runtime can't be started: {error}");
            ExitCode::FAILURE
        }
    }
}
