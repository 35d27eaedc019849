//! The command line: what was typed becomes a call of the library.

mod log;
mod serve;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

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
}

/// Runs the program. 0 success, 1 the operation failed, 2 wrong usage.
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(*args),
    }
}
