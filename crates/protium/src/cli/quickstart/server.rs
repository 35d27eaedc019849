//! The server of a quickstart: started in the background, found again, stopped.
//!
//! It outlives the command that started it: a session of its own, its output in files, no descriptor of anybody else.
//! It has nothing to do with AWS, whatever the shell says: no credentials, no endpoint, no settings of other servers.

use super::folder::{Choices, Folder, claim};
use super::progress::Progress;
use crate::config::environment;
use anyhow::{Context as _, bail};
use protium_engines::command::Identity;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where servers listen unless something else does.
const DEFAULT_PORT: u16 = 8420;
const ALLOW_UNSANDBOXED_RUNS: &str = "--allow-unsandboxed-runs";
/// How long the start may take. It waits for a database that is locked for half of it.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end after it was asked to: what it drains, and some more.
const END: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);
/// How much of the log is shown when nothing better is known, in lines.
const SHOWN: usize = 10;

/// Where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(u16);

impl Address {
    /// The address in the line that a server writes when it is ready.
    pub(super) fn announced_in(output: &str) -> Option<Self> {
        let line = output.lines().find_map(|line| line.strip_prefix("protium listening on http://127.0.0.1:"))?;
        // A line without its end may lack digits.
        output.ends_with('\n').then(|| line.parse().ok().map(Self)).flatten()
    }

    /// As in `http://127.0.0.1:8420`.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0)
    }
}

/// The server of the folder and whether it was there already; else a new one, which is ready.
pub(super) async fn find_or_start(
    folder: &Folder,
    choices: Choices,
    progress: &Progress,
) -> anyhow::Result<(Address, bool)> {
    if let Some(server) = folder.server() {
        let until = Instant::now() + START;
        while server.is_alive() && Instant::now() < until {
            if let Some(address) = folder.address() {
                return Ok((address, true));
            }
            tokio::time::sleep(PAUSE).await;
        }
        if server.is_alive() {
            bail!(
                "the process {} serves the folder and does not become ready; its log is {}. `protium quickstart \
                 --clean` ends it",
                server.pid(),
                folder.file("server.log").display()
            );
        }
    }
    progress.doing("starting the server");
    let port = free(choices.port).or_else(|| free(Some(DEFAULT_PORT))).unwrap_or(0);
    let address = match start(folder, &choices, port).await {
        // Taken since it was looked at.
        Err(error) if port != 0 && format!("{error:#}").contains("can't be listened on") => {
            start(folder, &choices, 0).await?
        }
        started => started?,
    };
    folder.choose(&Choices { port: Some(address.0), ..choices })?;
    Ok((address, false))
}

/// The port, if nobody listens there.
fn free(port: Option<u16>) -> Option<u16> {
    port.filter(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}

async fn start(folder: &Folder, choices: &Choices, port: u16) -> anyhow::Result<Address> {
    let path = folder.path();
    let open = || -> io::Result<(File, File)> {
        Ok((
            File::create(folder.file("server.out"))?,
            OpenOptions::new().create(true).append(true).open(folder.file("server.log"))?,
        ))
    };
    let (out, log) = open().with_context(|| format!("the folder {} can't be written", path.display()))?;
    let said_before = log.metadata()?.len();
    let program = std::env::current_exe().context("the path of this program is not known")?;
    let mut command = Command::new(program);
    command.arg("quickstart-server").arg(path).arg("--").args(["serve", "--runner", "local"]);
    command.arg("--listen").arg(format!("127.0.0.1:{port}")).arg("--data-dir").arg(path);
    if choices.allow_unsandboxed_runs {
        command.arg(ALLOW_UNSANDBOXED_RUNS);
    }
    command.env_clear().envs(environment::without_settings());
    // Nothing that it does is for a cloud: no file, no service of the machine is to give it a key.
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.current_dir("/").stdin(Stdio::null()).stdout(out).stderr(log);
    let child = command.spawn().context("the server can't be started")?;
    ready(folder, child, said_before).await
}

/// Whether that server was started with the flag.
pub(super) fn allows_unsandboxed_runs(server: &Identity) -> bool {
    let arguments = fs::read(format!("/proc/{}/cmdline", server.pid())).unwrap_or_default();
    arguments.split(|byte| *byte == 0).any(|argument| argument == ALLOW_UNSANDBOXED_RUNS.as_bytes())
}

/// Waits for the ready line.
async fn ready(folder: &Folder, mut child: Child, said_before: u64) -> anyhow::Result<Address> {
    let until = Instant::now() + START;
    loop {
        if let Some(address) = folder.address() {
            return Ok(address);
        }
        if let Some(status) = child.try_wait()? {
            let why = complaint(&folder.file("server.log"), said_before).unwrap_or_else(|| status.to_string());
            bail!("the server did not start: {why}{}", remedy(&why));
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            let log = folder.file("server.log");
            bail!("the server was not ready within {} s; its log is {}", START.as_secs(), log.display());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What a server that did not start says of it: its last word, or the end of its log.
fn complaint(log: &Path, from: u64) -> Option<String> {
    let mut file = File::open(log).ok()?;
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut said = Vec::new();
    file.read_to_end(&mut said).ok()?;
    let said = String::from_utf8_lossy(&said);
    if let Some(word) = said.lines().rev().find_map(|line| line.strip_prefix("protium serve: ")) {
        return Some(word.to_owned());
    }
    let lines: Vec<&str> = said.lines().collect();
    let shown = lines.get(lines.len().saturating_sub(SHOWN)..)?.join("\n");
    (!shown.is_empty()).then_some(shown)
}

fn remedy(why: &str) -> &'static str {
    match why.contains("no sandbox works here") {
        true => {
            "\nOn Debian and Ubuntu: apt-get install bubblewrap, then start again. Or, if the example templates may run \
             without a sandbox: protium quickstart --allow-unsandboxed-runs"
        }
        false => "",
    }
}

/// Asks the server of the folder to end, and ends it if it does not.
pub(super) async fn stop(folder: &Folder) -> anyhow::Result<Option<u32>> {
    let Some(server) = folder.server() else { return Ok(None) };
    let can_not = || format!("the server, process {}, can't be stopped", server.pid());
    server.terminate().with_context(can_not)?;
    if !is_gone(&server).await {
        server.kill().with_context(can_not)?;
        if !is_gone(&server).await {
            bail!(can_not());
        }
    }
    Ok(Some(server.pid()))
}

async fn is_gone(server: &Identity) -> bool {
    let until = Instant::now() + END;
    while server.is_alive() && Instant::now() < until {
        tokio::time::sleep(PAUSE).await;
    }
    !server.is_alive()
}

/// Turns this process into the server of a folder, with nothing of the one that started it but its output. Returns
/// only if that fails.
pub(in crate::cli) fn become_server(folder: &Path, arguments: &[OsString]) -> io::Result<()> {
    close_all_but_output()?;
    rustix::process::setsid()?;
    // Before it serves: whoever comes next finds it, also if nobody waits for it any more.
    claim(folder)?;
    Err(Command::new(std::env::current_exe()?).args(arguments).exec())
}

/// Closes what this process was started with, beyond its standard streams: somebody may wait for the other end, or for
/// a lock. It has opened nothing itself yet.
fn close_all_but_output() -> io::Result<()> {
    let mut inherited: Vec<i32> = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        inherited.extend(number.filter(|number: &i32| *number > 2));
    }
    for number in inherited {
        // That of the folder that was just read is closed already.
        let _ = nix::unistd::close(number);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_when_the_whole_line_is_there() {
        let address = |text| Address::announced_in(text);
        assert_eq!(address("protium listening on http://127.0.0.1:8420\n"), Some(Address(8420)));
        assert_eq!(address("protium listening on http://127.0.0.1:84"), None);
        assert_eq!(address("protium listening on https://10.0.0.1:8420\n"), None);
        assert_eq!(address(""), None);
    }

    #[test]
    fn the_last_word_of_a_server_says_why_it_did_not_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        fs::write(&log, "protium serve: an older word\nINFO something\nprotium serve: no sandbox works here\n")
            .unwrap();
        let why = complaint(&log, 29).unwrap();
        assert_eq!(why, "no sandbox works here");
        assert!(remedy(&why).contains("apt-get install bubblewrap") && remedy("another reason").is_empty());
        fs::write(&log, "thread 'main' panicked\nat the disco\n").unwrap();
        assert_eq!(complaint(&log, 0).unwrap(), "thread 'main' panicked\nat the disco");
        assert_eq!(complaint(&log, 100), None);
    }

    #[test]
    fn a_port_that_somebody_has_is_not_free() {
        let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = somebody.local_addr().unwrap().port();
        assert_eq!(free(Some(port)), None);
        drop(somebody);
        assert_eq!(free(Some(port)), Some(port));
        assert_eq!(free(None), None);
    }
}
