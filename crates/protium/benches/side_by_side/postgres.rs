//! A PostgreSQL of our own, with the defaults that matter: every commit waits for the disk.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A running cluster, reached through a socket in its folder. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    bin: PathBuf,
}

impl Cluster {
    pub(crate) fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("protium-bench-pg-").tempdir()?;
        let cluster = Self { bin: programs()?, folder };
        // The server's own user writes here.
        std::fs::set_permissions(cluster.folder.path(), std::fs::Permissions::from_mode(0o777))?;
        let mut initdb = cluster.as_server("initdb");
        initdb.args(["-E", "UTF8", "--locale=C.UTF-8", "-A", "trust", "-U", "postgres", "-D"]).arg(cluster.data());
        run(initdb)?;
        let mut start = cluster.as_server("pg_ctl");
        let settings = format!("-k {} -c listen_addresses=''", cluster.folder.path().display());
        start.arg("-D").arg(cluster.data()).arg("-l").arg(cluster.folder.path().join("log"));
        start.args(["-w", "-o", &settings, "start"]);
        run(start)?;
        Ok(cluster)
    }

    /// The address of its database.
    pub(crate) fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=postgres", self.folder.path().display())
    }

    /// The bytes of its tables and indexes on disk.
    pub(crate) fn size(&self) -> Result<u64> {
        crate::site::size_of(&self.data().join("base"))
    }

    /// Runs SQL that belongs into no transaction.
    pub(crate) async fn batch(&self, sql: &str) -> Result<()> {
        let (client, connection) = tokio_postgres::connect(&self.url(), tokio_postgres::NoTls).await?;
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await?;
        drop(client);
        connection.await??;
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of PostgreSQL's, run as a user that it accepts: root is refused.
    fn as_server(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        let mut command = Command::new(if is_root { Path::new("runuser") } else { &program });
        if is_root {
            command.args(["-u", "postgres", "--"]).arg(program);
        }
        command.current_dir("/");
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.as_server("pg_ctl");
        stop.arg("-D").arg(self.data()).args(["-m", "immediate", "stop"]);
        if let Err(error) = run(stop) {
            crate::note(format!("PostgreSQL in {} does not stop: {error:#}", self.folder.path().display()));
        }
    }
}

/// Where PostgreSQL's programs are: the newest of Debian's folders, or beside those on the path.
fn programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.sort_by_key(|bin| bin.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = found.into_iter().rev().chain(std::env::split_paths(&path));
    let place = places.find(|bin| bin.join("initdb").exists());
    place.context("no initdb: install PostgreSQL (on Debian: apt install postgresql)")
}

fn run(mut command: Command) -> Result<()> {
    let line = format!("{command:?}");
    // Output to a file, not a pipe: the server inherits it and would keep a pipe open.
    let output = tempfile::NamedTempFile::new()?;
    let (stdout, stderr) = (output.as_file().try_clone()?, output.as_file().try_clone()?);
    let status = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).status().with_context(|| line.clone())?;
    if !status.success() {
        bail!("{line}: {status}\n{}", std::fs::read_to_string(output.path())?);
    }
    Ok(())
}
