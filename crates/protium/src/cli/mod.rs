//! The command line: what was typed becomes a call of the library.

mod admin;
mod log;
mod page;
mod quickstart;
mod serve;
mod store;

use clap::{Parser, Subcommand};
use protium_engines::command;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit status of what the operator got wrong.
const USAGE: u8 = 2;

/// The open-source, self-hosted successor of AWS Proton.
#[derive(Parser)]
#[command(name = "protium", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server: API, bundle store and worker in one process.
    Serve(Box<crate::config::ServeArgs>),
    /// Try Protium on this machine: a server in the background, two environments and a service, without a cloud.
    Quickstart(quickstart::Quickstart),
    /// Manage a running server: accounts, and what is stuck.
    Admin(admin::Admin),
    /// Copy what a server stores into a folder, while it runs.
    Backup(store::Backup),
    /// Bring a backup back into an empty data folder.
    Restore(store::Restore),
    /// Bring the database up to what this version of the program needs, as a start does.
    Migrate(store::Migrate),
    /// Make a new master key, and seal every secret anew under it. No server may run meanwhile.
    RotateMasterKey(store::RotateMasterKey),
    /// Show the inputs of commands as a page. For templates: the process of a service instance that can be looked at.
    #[command(hide = true)]
    ServePage(page::ServePage),
    /// Become the server of a quickstart. Not for people: `quickstart` starts it.
    #[command(hide = true)]
    QuickstartServer {
        folder: PathBuf,
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Hold a run of commands. Not for people: the server starts it.
    #[command(hide = true)]
    RunSupervisor { folder: PathBuf },
    /// Become a command that is confined. Not for people: the supervisor of a run starts it.
    #[command(hide = true)]
    RunConfined {
        confinement: String,
        #[arg(last = true)]
        command: Vec<String>,
    },
}

/// Runs the program. 0 success, 1 the operation failed, 2 wrong usage.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(*args),
        Command::Quickstart(command) => quickstart::run(&command),
        Command::Admin(command) => admin::run(command),
        Command::Backup(command) => store::backup(command),
        Command::Restore(command) => store::restore(command),
        Command::Migrate(command) => store::migrate(command),
        Command::RotateMasterKey(command) => store::rotate_master_key(command),
        Command::ServePage(command) => page::run(&command),
        Command::QuickstartServer { folder, arguments } => told(quickstart::become_server(&folder, &arguments)),
        Command::RunSupervisor { folder } => told(command::supervise(&folder)),
        Command::RunConfined { confinement, command } => told(command::become_confined(&confinement, &command)),
    }
}

/// What a process of a run says of its failure: its caller keeps what stands on standard error.
fn told(done: std::io::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("protium: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs what a short command does, to its end.
fn block_on<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}
