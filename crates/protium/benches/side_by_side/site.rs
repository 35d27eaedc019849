//! A Protium with something in it: on one database, beside a double of AWS, with a hundred services.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use protium::store::{DatabaseUrl, DbOptions, StoreOptions};
use protium_engines::double::{Behaviour, Double};
use serde_json::json;
use tempfile::TempDir;

use crate::calls::PROTON;
use crate::load::Connection;
use crate::postgres::Cluster;
use crate::process::{Process, checkout};
use crate::sign::{REGION, ROOT, Request};
use crate::{note, wait};

pub(crate) const ACCOUNT: &str = "123456789012";
/// How many services there are after [`Site::seed`].
pub(crate) const SERVICES: usize = 100;
const BUCKET: &str = "bench-bundles";
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A running server. Fields are dropped in their order: the server before its database.
pub(crate) struct Site {
    pub(crate) database: Database,
    protium: Option<Process>,
    address: SocketAddr,
    cluster: Option<Cluster>,
    aws: Double,
    folder: TempDir,
    more: More,
}

/// What a server is told beside what all are.
#[derive(Clone, Copy, Default)]
pub(crate) struct More {
    pub(crate) flags: &'static [&'static str],
    /// Whether each event goes to the file that [`Site::told`] counts.
    pub(crate) tells: bool,
}

impl Site {
    pub(crate) async fn start(database: Database) -> Result<Self> {
        Self::with(database, More::default()).await
    }

    pub(crate) async fn with(database: Database, more: More) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let cluster = if database == Database::Postgres { Some(Cluster::start()?) } else { None };
        let aws = Double::start().await?;
        // What templates of the examples read from the environment that they are in.
        aws.behave(|_| {
            Behaviour::done()
                .with_output("KeyArn", "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000")
                .with_output("CodeBucketName", "code")
                .with_output("FunctionBoundaryArn", "arn:aws:iam::123456789012:policy/boundary")
                .with_output("AlarmTopicArn", "arn:aws:sns:us-east-1:123456789012:alarms")
                .with_output("LogRetentionDays", "30")
        });
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut site = Self { database, protium: None, address: nowhere, cluster, aws, folder, more };
        site.resume()?;
        Ok(site)
    }

    /// Starts the server, again if it was stopped.
    pub(crate) fn resume(&mut self) -> Result<()> {
        let mut command = protium(self.folder.path(), &self.aws.url())?;
        command.args(self.more.flags);
        if self.more.tells {
            let destination = json!({"name": "file", "type": "file", "path": self.events()});
            let lines = format!("[[events.destination]]\n{}\n", toml::to_string(&destination)?);
            OpenOptions::new().append(true).open(config(self.folder.path()))?.write_all(lines.as_bytes())?;
        }
        if let Some(cluster) = &self.cluster {
            command.arg("--database-url").arg(cluster.url());
        }
        let protium = Process::start(command)?;
        self.address = protium.address();
        self.protium = Some(protium);
        Ok(())
    }

    /// Ends the server; its database stays.
    pub(crate) fn stop(&mut self) {
        self.protium = None;
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn events(&self) -> PathBuf {
        self.folder.path().join("events.jsonl")
    }

    /// How many events it has told.
    pub(crate) fn told(&self) -> Result<usize> {
        Ok(std::fs::read_to_string(self.events())?.lines().count())
    }

    /// A line of `/proc/PID/status` of the server in MB, such as `VmRSS`.
    pub(crate) fn memory(&self, kind: &str) -> Result<f64> {
        let protium = self.protium.as_ref().context("the server is stopped")?;
        Ok(protium.memory(kind)? / 1024.0)
    }

    /// From now on what is done to these stacks fails.
    pub(crate) fn fail(&self, is_bad: impl Fn(&str) -> bool + Send + Sync + 'static) {
        self.aws.behave(move |operation| {
            if is_bad(operation.stack) {
                return Behaviour::fails("Queue", "AWS::SQS::Queue", "no more queues");
            }
            Behaviour::done()
        });
    }

    /// How to open its store while the server is stopped.
    pub(crate) fn store_options(&self) -> StoreOptions {
        let mut options = StoreOptions::in_folder(&data_folder(self.folder.path()));
        if let Some(cluster) = &self.cluster {
            options.db = DbOptions::new(DatabaseUrl::Postgres(cluster.url()));
        }
        options
    }

    /// Lets the database tidy up and learn about its tables, as it does by itself after a while.
    pub(crate) async fn settle(&self) -> Result<()> {
        match &self.cluster {
            Some(cluster) => {
                // Each on its own: a batch is one transaction, in which neither can run.
                cluster.batch("VACUUM ANALYZE").await?;
                cluster.batch("CHECKPOINT").await
            }
            None => {
                let path = data_folder(self.folder.path()).join("protium.db");
                let connection = rusqlite::Connection::open(path)?;
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
                Ok(())
            }
        }
    }

    /// The bytes of its database on disk.
    pub(crate) fn size(&self) -> Result<u64> {
        match &self.cluster {
            Some(cluster) => cluster.size(),
            None => size_of(&data_folder(self.folder.path())),
        }
    }

    /// Where the database is: a path or a URL.
    pub(crate) fn database_url(&self) -> String {
        match &self.cluster {
            Some(cluster) => cluster.url(),
            None => data_folder(self.folder.path()).join("protium.db").display().to_string(),
        }
    }

    /// Registers the examples for Lambda and creates an environment and the services.
    pub(crate) async fn seed(&self) -> Result<()> {
        note(format!("{}: creating {SERVICES} services", self.database.name()));
        let at = self.address();
        make_bucket(at).await?;
        register(at, "Environment", "lambda-environment").await?;
        register(at, "Service", "api-service").await?;
        environment(at, "lambda-environment", "lambda-dev").await?;
        let spec = spec("api-service")?;
        for number in 0..SERVICES {
            let input = json!({
                "name": service_name(number), "spec": spec, "templateName": "api-service", "templateMajorVersion": "1",
                "description": format!("The service number {number} of the benchmark"),
            });
            PROTON.call(at, "CreateService", &input).await?;
        }
        for number in 0..SERVICES {
            let input = json!({"name": service_name(number)});
            wait::until(at, "GetService", &input, "/service/status", "ACTIVE", PAUSE).await?;
        }
        Ok(())
    }
}

pub(crate) fn service_name(number: usize) -> String {
    format!("service-{number:03}")
}

/// The command that serves from a folder, with AWS at a URL.
pub(crate) fn protium(folder: &Path, aws: &str) -> Result<Command> {
    // One caller is all callers here.
    let unlimited = "reads-per-second = 0\nlists-per-second = 0\nwrites-per-second = 0\n";
    std::fs::write(config(folder), format!("{unlimited}[quotas]\nservices = 100000\n"))?;
    let log = OpenOptions::new().create(true).append(true).open(folder.join("log"))?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_protium"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--account-id", ACCOUNT, "--aws-endpoint-url", aws, "--config"])
        .arg(config(folder))
        .arg("--data-dir")
        .arg(data_folder(folder))
        .env_clear()
        .envs([("PROTIUM_ROOT_ACCESS_KEY_ID", ROOT.id), ("PROTIUM_ROOT_SECRET_ACCESS_KEY", ROOT.secret)])
        .envs([("AWS_ACCESS_KEY_ID", "outside"), ("AWS_SECRET_ACCESS_KEY", "outside")])
        .stderr(Stdio::from(log));
    Ok(command)
}

/// The bytes of all files in a folder.
pub(crate) fn size_of(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        sum += if about.is_dir() { size_of(&entry.path())? } else { about.len() };
    }
    Ok(sum)
}

fn config(folder: &Path) -> PathBuf {
    folder.join("protium.toml")
}

fn data_folder(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// The spec of an example.
pub(crate) fn spec(example: &str) -> Result<String> {
    let path = checkout().join("examples/templates").join(example).join("spec.yaml");
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}

/// Puts an example's bundle into the bundle store, registers it as version 1.0 of its template, and publishes it.
/// `kind` is `Environment` or `Service`.
pub(crate) async fn register(at: SocketAddr, kind: &str, example: &str) -> Result<()> {
    let bundle = checkout().join("examples/templates").join(example).join("v1");
    let packed = Command::new("tar").arg("-C").arg(&bundle).args(["-cz", "."]).output()?;
    if !packed.status.success() {
        bail!("tar {}: {}", bundle.display(), String::from_utf8_lossy(&packed.stderr));
    }
    put(at, &format!("/{BUCKET}/{example}.tar.gz"), &packed.stdout).await?;
    let mut template = json!({"name": example});
    if !bundle.join("pipeline_infrastructure").exists() && kind == "Service" {
        template.as_object_mut().context("an object")?.insert("pipelineProvisioning".into(), "CUSTOMER_MANAGED".into());
    }
    PROTON.call(at, &format!("Create{kind}Template"), &template).await?;
    publish(at, kind, example, example, None).await
}

/// Puts a bundle of such files into the bundle store, for [`publish`].
pub(crate) async fn upload(at: SocketAddr, bundle: &str, files: &[(&str, &str)]) -> Result<()> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(text.len())?);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes())?;
    }
    let packed = archive.into_inner()?.finish()?;
    put(at, &format!("/{BUCKET}/{bundle}.tar.gz"), &packed).await
}

/// Registers a bundle as a version of a template, of a new major version if none is given, and publishes it.
pub(crate) async fn publish(
    at: SocketAddr,
    kind: &str,
    template: &str,
    bundle: &str,
    major: Option<&str>,
) -> Result<()> {
    let source = json!({"s3": {"bucket": BUCKET, "key": format!("{bundle}.tar.gz")}});
    let mut version = json!({"templateName": template, "source": source, "majorVersion": major});
    if kind == "Service" {
        let compatible = json!([{"templateName": "lambda-environment", "majorVersion": "1"}]);
        version.as_object_mut().context("an object")?.insert("compatibleEnvironmentTemplates".to_owned(), compatible);
    }
    let made = PROTON.call(at, &format!("Create{kind}TemplateVersion"), &version).await?;
    let made = made.pointer(&format!("/{}TemplateVersion", kind.to_lowercase())).context("a version")?;
    let mut input = json!({
        "templateName": template, "majorVersion": made["majorVersion"], "minorVersion": made["minorVersion"],
    });
    let status = format!("/{}TemplateVersion/status", kind.to_lowercase());
    wait::until(at, &format!("Get{kind}TemplateVersion"), &input, &status, "DRAFT", PAUSE).await?;
    input.as_object_mut().context("an object")?.insert("status".to_owned(), "PUBLISHED".into());
    PROTON.call(at, &format!("Update{kind}TemplateVersion"), &input).await?;
    Ok(())
}

/// Makes the bucket of the bundles.
pub(crate) async fn make_bucket(at: SocketAddr) -> Result<()> {
    put(at, &format!("/{BUCKET}"), b"").await
}

/// Creates an environment and waits until it is deployed.
pub(crate) async fn environment(at: SocketAddr, example: &str, name: &str) -> Result<()> {
    PROTON.call(at, "CreateEnvironment", &environment_input(example, name)?).await?;
    let input = json!({"name": name});
    wait::until(at, "GetEnvironment", &input, "/environment/deploymentStatus", "SUCCEEDED", PAUSE).await?;
    Ok(())
}

/// The input of CreateEnvironment for an example.
pub(crate) fn environment_input(example: &str, name: &str) -> Result<serde_json::Value> {
    Ok(json!({
        "name": name, "templateName": example, "templateMajorVersion": "1", "spec": spec(example)?,
        "protonServiceRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/protium"),
    }))
}

async fn put(at: SocketAddr, path: &str, body: &[u8]) -> Result<()> {
    let request = Request { service: "s3", region: REGION, method: "PUT", path, headers: &[], body, key: ROOT };
    let mut connection = Connection::open(at).await?;
    let answer = connection.exchange(&request.bytes(at, Duration::ZERO)?).await?;
    if answer.status != 200 {
        bail!("PUT {path} answered {}: {}", answer.status, String::from_utf8_lossy(answer.body));
    }
    Ok(())
}
