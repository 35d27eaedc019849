//! `protium serve`.

use super::{USAGE, log};
use crate::config::{Config, ServeArgs};
use crate::server::Server;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub(super) fn run(args: ServeArgs) -> ExitCode {
    if let Err(error) = log::start() {
        eprintln!(
            "protium serve: PROTIUM_LOG: {error}; give a filter as in info, protium=debug or warn,protium::http=debug"
        );
        return ExitCode::from(USAGE);
    }
    let config = match Config::new(args.with_environment()) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("protium serve: {error}");
            return ExitCode::from(USAGE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("protium serve: the runtime can't be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    let served = runtime.block_on(serve(config));
    // A name that is looked up somewhere, a disk that hangs: nothing that is left is worth waiting for.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("protium serve: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A terminal that goes away takes with it what was started in it. Elsewhere the signal asks to read files again.
    let (has_terminal, has_certificate) = (std::io::stderr().is_terminal(), config.tls.is_some());
    let server = tokio::select! {
        server = Server::start(config) => server?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let mut hangup = match has_terminal && !has_certificate {
        true => None,
        false => Some(signal(SignalKind::hangup())?),
    };
    announce(&server.url());
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = received(&mut hangup) => server.reload().await,
        }
    }
    tracing::info!("stopping: no new requests, running steps finish or give their lease back");
    tokio::select! {
        () = server.stop() => {}
        _ = terminate.recv() => tracing::warn!("stopped at once; the next start goes on from the last saved steps"),
        _ = interrupt.recv() => tracing::warn!("stopped at once; the next start goes on from the last saved steps"),
    }
    Ok(())
}

/// Waits for a signal; for ever, if nobody listens for it.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// The ready line. Who started the server may have closed its output: that is no reason not to serve.
fn announce(url: &str) {
    let mut out = std::io::stdout();
    if let Err(error) = writeln!(out, "protium listening on {url}").and_then(|()| out.flush()) {
        tracing::warn!("listening on {url}, which could not be said on standard output: {error}");
    }
}
