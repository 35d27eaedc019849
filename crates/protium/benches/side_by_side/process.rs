//! The programs that a figure needs: started, waited for, and ended when they are dropped.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A running program that listens.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts a program and waits until it prints a line that ends with its address, `http://HOST:PORT`.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("starting {name}"))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        let address = line.trim().rsplit_once("http://").and_then(|(_, address)| address.parse().ok());
        let Some(address) = address else {
            // It failed, or is no use to us; either way it must not stay.
            let _ = child.kill();
            bail!("{name} did not say where it listens, but '{}' ({})", line.trim(), child.wait()?);
        };
        Ok(Self { child, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A line of `/proc/PID/status` in kB, such as `VmRSS`.
    pub(crate) fn memory(&self, kind: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(':'));
        let kb = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kb.with_context(|| format!("the system does not tell {kind}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The root of the checkout.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A program of the project's Python environment, which scripts/python-env.sh makes.
pub(crate) fn python() -> PathBuf {
    checkout().join(".cache/python/bin/python")
}

/// This program in another role.
pub(crate) fn this(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

/// The emulator of AWS.
pub(crate) fn emulator() -> Result<Process> {
    let mut command = Command::new(python());
    command.arg(checkout().join("scripts/aws-emulator.py")).args(["--parent-pid", &std::process::id().to_string()]);
    Process::start(command).context("the emulator; scripts/python-env.sh makes what it needs")
}
