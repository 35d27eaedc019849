//! What an operator can set: flags, environment variables and a TOML file become one [`Config`].
//!
//! A flag wins over its variable, a variable over the file, the file over the default. Nothing
//! else in the program reads the environment.

mod args;
mod audit;
mod client;
mod connections;
pub(crate) mod environment;
mod events;
mod limits;
mod proxies;
mod runner;

pub use args::{Role, ServeArgs, StoreArgs};
pub use audit::{AuditLog, AuditSettings};
pub use client::ClientSettings;
pub use connections::Connections;
pub use events::{Destination, DestinationKind, Hidden, SecretSource, Webhook};
use events::{EventsOfFile, event_keep};
pub use runner::Runner;
use runner::{run_keep, run_logs, run_variables};

use crate::store::DatabaseUrl;
use crate::throttle::Allowance;
use ipnet::IpNet;
use protium_domain::bundle::Limits;
use protium_domain::bundle::terraform::ManagedState;
use protium_domain::quota::Quotas;
use protium_engines::command::{CodeBuildSettings, KubernetesSettings, LogPlace};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The TOML file: the flags, and what is too much for one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    /// The flags by their names. Read in a second pass: a flattened structure would swallow words that it
    /// does not know.
    #[serde(flatten)]
    args: toml::Table,
    quotas: Quotas,
    deadlines: DeadlineSeconds,
    connections: Connections,
    #[serde(rename = "run-variables")]
    run_variables: BTreeMap<String, String>,
    codebuild: CodeBuildSettings,
    kubernetes: KubernetesSettings,
    events: EventsOfFile,
    #[serde(rename = "bundle-store")]
    bundle_stores: Vec<BundleStore>,
}

/// When deployments fail as timed out, in seconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct DeadlineSeconds {
    deployment: u64,
    self_managed: u64,
    cancel: u64,
}

impl Default for DeadlineSeconds {
    fn default() -> Self {
        Self { deployment: 6 * 60 * 60, self_managed: 14 * 24 * 60 * 60, cancel: 60 * 60 }
    }
}

/// An external store that bundles may come from, beside the embedded one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BundleStore {
    /// `s3://BUCKET[/PREFIX]` or `file:///FOLDER`, whose subfolders are buckets.
    pub url: String,
    /// The accounts that may use it.
    pub accounts: Vec<String>,
    /// The region of an S3 bucket; by default the region that the request was signed for.
    pub region: Option<String>,
    /// For compatibles of S3.
    pub endpoint: Option<String>,
}

impl BundleStore {
    fn check(&self) -> Result<(), ConfigError> {
        let place = self.url.strip_prefix("s3://").or_else(|| self.url.strip_prefix("file:///"));
        if place.is_none_or(|place| place.is_empty() || place.starts_with('/')) {
            return Err(ConfigError(format!(
                "bundle-store.url: '{}' is no place of bundles; give s3://BUCKET, s3://BUCKET/PREFIX or file:///FOLDER",
                self.url
            )));
        }
        match self.accounts.iter().find(|id| !is_account(id)) {
            Some(id) => {
                Err(ConfigError(format!("bundle-store.accounts: '{id}' is not an AWS account id; give twelve digits")))
            }
            None => Ok(()),
        }
    }
}

/// The least and the most that a deadline can be: a second, and a year.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A file in the data folder while a backup is being restored into it: nothing may be started on that.
pub const UNFINISHED: &str = "restore-unfinished";

/// All settings of a server.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub database_url: DatabaseUrl,
    pub database_pool_size: usize,
    /// Access key id and secret of the root user, where the operator gave them.
    pub root_key: Option<(String, String)>,
    pub master_key_file: PathBuf,
    pub account_id: String,
    pub aws_endpoint_url: Option<String>,
    pub aws_profile: Option<String>,
    pub aws_template_bucket: Option<String>,
    pub tls: Option<Tls>,
    pub insecure_http: bool,
    /// The proxies that are believed who their clients are.
    pub trusted_proxies: Vec<IpNet>,
    pub s3_domain: Option<String>,
    pub role: Role,
    pub runner: Runner,
    /// Where others than this machine reach the server, without a slash at the end.
    pub public_url: Option<String>,
    pub allow_unsandboxed_runs: bool,
    pub expose_local_runs: bool,
    pub deny_run_network: bool,
    pub run_tools: Vec<PathBuf>,
    /// How long the files of a run stay after it has ended.
    pub run_keep: Duration,
    /// Where logs of runs are kept for all servers, if not in the data folder alone.
    pub run_logs: Option<LogPlace>,
    /// Variables of every run, by name. They may hold secrets.
    pub run_variables: BTreeMap<String, String>,
    pub codebuild: CodeBuildSettings,
    pub kubernetes: KubernetesSettings,
    /// The image that has Terraform, and a command that installs it, for runs away from this machine.
    pub terraform_image: Option<String>,
    pub terraform_install: Option<String>,
    /// Where the state of Terraform is kept, if not in the data folder.
    pub terraform_state: Option<ManagedState>,
    pub quotas: Quotas,
    pub bundle_limits: Limits,
    pub deployment_deadline: Duration,
    /// For deployments that wait until a caller notifies their end.
    pub self_managed_deadline: Duration,
    pub cancel_deadline: Duration,
    pub connections: Connections,
    pub bundle_stores: Vec<BundleStore>,
    /// How long events are kept.
    pub event_keep: Duration,
    /// Where events are brought to.
    pub event_destinations: Vec<Destination>,
    pub audit: AuditSettings,
    /// What one caller may ask.
    pub allowance: Allowance,
}

/// The files for HTTPS.
#[derive(Clone, Debug)]
pub struct Tls {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// A setting that can't be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// The settings that flags, variables and the file make together.
    pub fn new(args: ServeArgs) -> Result<Self, ConfigError> {
        let (base, file) = match &args.config {
            Some(path) => read_file(path)?,
            None => Default::default(),
        };
        let flag = args;
        let allowance = limits::allowance(&flag, &base, &file.connections)?;
        let data_dir = flag.data_dir.or(base.data_dir).unwrap_or_else(|| PathBuf::from("protium-data"));
        let database_url = match flag.database_url.or(base.database_url) {
            Some(url) => DatabaseUrl::parse(&url).map_err(ConfigError)?,
            None => DatabaseUrl::in_folder(&data_dir),
        };
        let tls = match (flag.tls_cert.or(base.tls_cert), flag.tls_key.or(base.tls_key)) {
            (Some(cert), Some(key)) => Some(Tls { cert, key }),
            (None, None) => None,
            (Some(_), None) => return Err(ConfigError("tls-key: missing; --tls-cert needs it".into())),
            (None, Some(_)) => return Err(ConfigError("tls-cert: missing; --tls-key needs it".into())),
        };
        let aws_endpoint_url = flag.aws_endpoint_url.or(base.aws_endpoint_url);
        let event_keep = event_keep(flag.event_keep_days.or(base.event_keep_days))?;
        let config = Self {
            listen: flag.listen.or(base.listen).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8420))),
            database_url,
            database_pool_size: flag.database_pool_size.or(base.database_pool_size).unwrap_or(16),
            root_key: root_key(flag.root_access_key_id, flag.root_secret_access_key)?,
            master_key_file: flag
                .master_key_file
                .or(base.master_key_file)
                .unwrap_or_else(|| data_dir.join("master.key")),
            account_id: account_id(flag.account_id.or(base.account_id))?,
            terraform_state: terraform_state(
                flag.terraform_state.or(base.terraform_state),
                aws_endpoint_url.is_some(),
            )?,
            terraform_image: flag.terraform_image.or(base.terraform_image),
            terraform_install: flag.terraform_install.or(base.terraform_install),
            aws_endpoint_url,
            aws_profile: flag.aws_profile.or(base.aws_profile),
            aws_template_bucket: flag.aws_template_bucket.or(base.aws_template_bucket),
            tls,
            insecure_http: flag.insecure_http || base.insecure_http,
            trusted_proxies: match flag.trusted_proxies.is_empty() {
                true => base.trusted_proxies,
                false => flag.trusted_proxies,
            },
            s3_domain: flag.s3_domain.or(base.s3_domain),
            role: flag.role.or(base.role).unwrap_or_default(),
            runner: flag.runner.or(base.runner).unwrap_or_default(),
            public_url: flag.public_url.or(base.public_url).map(|url| url.trim_end_matches('/').to_owned()),
            allow_unsandboxed_runs: flag.allow_unsandboxed_runs || base.allow_unsandboxed_runs,
            expose_local_runs: flag.expose_local_runs || base.expose_local_runs,
            deny_run_network: flag.deny_run_network || base.deny_run_network,
            run_keep: run_keep(flag.run_keep_days.or(base.run_keep_days))?,
            run_logs: run_logs(flag.run_logs.or(base.run_logs))?,
            run_tools: if flag.run_tools.is_empty() { base.run_tools } else { flag.run_tools },
            run_variables: run_variables(file.run_variables, flag.terraform.or(base.terraform))?,
            codebuild: file.codebuild,
            kubernetes: file.kubernetes,
            quotas: file.quotas,
            bundle_limits: Limits::default(),
            deployment_deadline: Duration::from_secs(file.deadlines.deployment),
            self_managed_deadline: Duration::from_secs(file.deadlines.self_managed),
            cancel_deadline: Duration::from_secs(file.deadlines.cancel),
            connections: file.connections,
            bundle_stores: file.bundle_stores,
            event_destinations: file.events.destinations(event_keep)?,
            event_keep,
            audit: audit::settings(flag.audit_retention.or(base.audit_retention), flag.audit_log.or(base.audit_log))?,
            allowance,
            data_dir,
        };
        config.check()?;
        Ok(config)
    }

    /// Where runs on this machine keep their files.
    pub fn runs_folder(&self) -> PathBuf {
        self.data_dir.join("runs")
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.tls.is_none() && !self.insecure_http && !self.listen.ip().is_loopback() {
            return Err(ConfigError(format!(
                "listen: {} is not a loopback address and there is no TLS; give --tls-cert and --tls-key, or \
                 --insecure-http if something in front of Protium does TLS",
                self.listen
            )));
        }
        if self.runner == Runner::Local && !self.expose_local_runs && !self.listen.ip().is_loopback() {
            return Err(ConfigError(format!(
                "runner: local runs the commands of whoever may deploy on this machine, and {} can be reached from \
                 others; give --expose-local-runs if that is meant",
                self.listen
            )));
        }
        if let Some(folder) = self.run_tools.iter().find(|folder| !folder.is_absolute() || !folder.is_dir()) {
            return Err(ConfigError(format!(
                "run-tools: {} is no folder; give absolute paths of folders that exist",
                folder.display()
            )));
        }
        if self.deny_run_network && self.terraform_state.is_some() {
            return Err(ConfigError(
                "terraform-state: runs have no network to reach it with; leave --deny-run-network out, or keep states in \
                 the data folder, without --terraform-state"
                    .into(),
            ));
        }
        if self.database_pool_size == 0 {
            return Err(ConfigError("database-pool-size: 0 connections serve nobody; give 1 or more".into()));
        }
        for (name, deadline) in [
            ("deployment", self.deployment_deadline),
            ("self-managed", self.self_managed_deadline),
            ("cancel", self.cancel_deadline),
        ] {
            if !(SHORTEST..=LONGEST).contains(&deadline) {
                let given = deadline.as_secs();
                return Err(ConfigError(format!(
                    "deadlines.{name}: {given} is not from 1 to {} seconds",
                    LONGEST.as_secs()
                )));
            }
        }
        self.connections.check()?;
        self.bundle_stores.iter().try_for_each(BundleStore::check)?;
        for (name, url) in [("aws-endpoint-url", &self.aws_endpoint_url), ("public-url", &self.public_url)] {
            if let Some(url) = url.as_ref().filter(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
                return Err(ConfigError(format!(
                    "{name}: '{url}' is no URL of an endpoint; give http://HOST:PORT or https://HOST"
                )));
            }
        }
        let elsewhere = [("terraform-image", &self.terraform_image), ("terraform-install", &self.terraform_install)];
        for (name, given) in elsewhere.into_iter().filter_map(|(name, given)| Some((name, given.as_ref()?))) {
            if given.trim().is_empty() || given.contains('\0') {
                return Err(ConfigError(format!("{name}: '{}' is empty; leave it out", given.escape_debug())));
            }
            if !self.runner.is_remote() {
                return Err(ConfigError(format!(
                    "{name}: is for --runner codebuild and kubernetes; with --runner local install terraform or tofu on \
                     this machine, and say which with --terraform. Leave it out"
                )));
            }
        }
        // Whoever gave it relies on it.
        if self.deny_run_network && self.runner.is_remote() {
            return Err(ConfigError(
                "deny-run-network: is for --runner local; what runs elsewhere reach, a NetworkPolicy of the cluster or the \
                 VPC of the build project says. Leave it out"
                    .into(),
            ));
        }
        Ok(())
    }
}

fn read_file(path: &Path) -> Result<(ServeArgs, File), ConfigError> {
    let refused = |error: &dyn std::fmt::Display| ConfigError(format!("config: {}: {error}", path.display()));
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("config: {} can't be read: {error}", path.display())))?;
    let mut file: File = toml::from_str(&text).map_err(|error| refused(&error))?;
    let args = std::mem::take(&mut file.args).try_into().map_err(|error: toml::de::Error| refused(&error))?;
    Ok((args, file))
}

fn root_key(id: Option<String>, secret: Option<String>) -> Result<Option<(String, String)>, ConfigError> {
    match (id.filter(|id| !id.is_empty()), secret.filter(|secret| !secret.is_empty())) {
        (Some(id), Some(secret)) => {
            let legal = (16..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
            if !legal {
                return Err(ConfigError(
                    "PROTIUM_ROOT_ACCESS_KEY_ID: must be 16 to 128 letters and digits, as AWS access key ids are"
                        .into(),
                ));
            }
            if secret.len() < 16 {
                return Err(ConfigError("PROTIUM_ROOT_SECRET_ACCESS_KEY: must have 16 characters or more".into()));
            }
            Ok(Some((id, secret)))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(ConfigError("PROTIUM_ROOT_SECRET_ACCESS_KEY: missing; give it with the id".into())),
        (None, Some(_)) => Err(ConfigError("PROTIUM_ROOT_ACCESS_KEY_ID: missing; give it with the secret".into())),
    }
}

fn account_id(given: Option<String>) -> Result<String, ConfigError> {
    let id = given.unwrap_or_else(|| "000000000000".into());
    if is_account(&id) {
        Ok(id)
    } else {
        Err(ConfigError(format!("account-id: '{id}' is not an AWS account id; give twelve digits")))
    }
}

fn terraform_state(given: Option<String>, own_endpoint: bool) -> Result<Option<ManagedState>, ConfigError> {
    let Some(given) = given else { return Ok(None) };
    ManagedState::parse(&given, own_endpoint).map(Some).map_err(|why| ConfigError(format!("terraform-state: {why}")))
}

fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(args: ServeArgs) -> String {
        Config::new(args).expect_err("these settings must be refused").to_string()
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let config = Config::new(ServeArgs::default()).expect("defaults are right");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8420");
        assert_eq!(config.account_id, "000000000000");
        assert_eq!(config.run_keep, Duration::from_secs(30 * 24 * 60 * 60));
        assert_eq!(config.database_url, DatabaseUrl::Sqlite("protium-data/protium.db".into()));
        assert_eq!(config.master_key_file, PathBuf::from("protium-data/master.key"));
    }

    #[test]
    fn other_addresses_than_loopback_need_tls_or_a_word() {
        let listen = Some("0.0.0.0:8420".parse().expect("an address"));
        let args = ServeArgs { listen, ..ServeArgs::default() };
        assert!(error(args.clone()).contains("--insecure-http"));
        assert!(Config::new(ServeArgs { insecure_http: true, ..args }).is_ok());
    }

    #[test]
    fn what_can_not_be_right_is_named() {
        let account = ServeArgs { account_id: Some("12".into()), ..ServeArgs::default() };
        assert!(error(account).contains("twelve digits"));
        let url = ServeArgs { aws_endpoint_url: Some("localhost:5000".into()), ..ServeArgs::default() };
        assert!(error(url).contains("http://HOST:PORT"));
        let url = ServeArgs { public_url: Some("protium.internal".into()), ..ServeArgs::default() };
        assert!(error(url).contains("public-url: 'protium.internal'"));
        let runs = |runner| ServeArgs { runner: Some(runner), deny_run_network: true, ..ServeArgs::default() };
        assert!(error(runs(Runner::Kubernetes)).contains("deny-run-network: is for --runner local"));
        assert!(Config::new(runs(Runner::Local)).is_ok());
        let key = ServeArgs { root_access_key_id: Some("AKIAIOSFODNN7EXAMPLE".into()), ..ServeArgs::default() };
        assert!(error(key).contains("PROTIUM_ROOT_SECRET_ACCESS_KEY"));
    }

    #[test]
    fn a_file_says_what_flags_say_and_more_and_a_flag_wins() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("protium.toml");
        std::fs::write(
            &path,
            "account-id = \"111111111111\"\nlisten = \"127.0.0.1:9000\"\n[quotas]\nenvironments = 3\n\
             [deadlines]\ndeployment = 60\n[[bundle-store]]\nurl = \"file:///bundles\"\naccounts = [\"111111111111\"]\n",
        )
        .expect("written");
        let args = ServeArgs {
            config: Some(path),
            listen: Some("127.0.0.1:9001".parse().expect("an address")),
            ..ServeArgs::default()
        };
        let config = Config::new(args).expect("the file is right");
        assert_eq!(config.account_id, "111111111111");
        assert_eq!(config.listen.port(), 9001);
        assert_eq!(config.quotas.environments, 3);
        assert_eq!(config.quotas.services, 1000);
        assert_eq!(config.deployment_deadline, Duration::from_secs(60));
        assert_eq!(config.self_managed_deadline, Duration::from_secs(14 * 24 * 60 * 60));
        assert_eq!(config.bundle_stores.len(), 1);
    }

    #[test]
    fn what_the_file_can_not_say_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("protium.toml");
        for (text, named) in [
            ("[quotas]\nenvironmnets = 3\n", "environmnets"),
            ("[quota]\nenvironments = 3\n", "quota"),
            ("listn = \"127.0.0.1:1\"\n", "listn"),
            ("root-access-key-id = \"AKIAIOSFODNN7EXAMPLE\"\n", "root-access-key-id"),
            ("listen = \"localhost:1\"\n", "'localhost:1'"),
            ("database-pool-size = \"many\"\n", "database-pool-size"),
            ("run-keep-days = 0\n", "run-keep-days: 0"),
            ("run-keep-days = 36501\n", "1 to 36500 days"),
            ("[deadlines]\ndeployment = 0\n", "deadlines.deployment"),
            ("[deadlines]\nself-managed = 0\n", "deadlines.self-managed"),
            ("[deadlines]\ncancel = 99999999999\n", "deadlines.cancel"),
            ("[connections]\nmost = 0\n", "connections.most: 0 is not from 1"),
            ("[connections]\nheader-bytes = 100\n", "connections.header-bytes: 100 is not from 8192"),
            ("[connections]\nmore = 1\n", "more"),
            ("[run-variables]\n\"A B\" = \"\"\n", "'A B'"),
            ("[run-variables]\nA = 1\n", "A = 1"),
            ("terraform = \"\"\n", "terraform: no program"),
            ("runner = \"lambda\"\n", "lambda"),
            ("[kubernetes]\nnamspace = \"runs\"\n", "namspace"),
            ("[codebuild]\ncompute = \"small\"\n", "compute"),
            ("terraform-state = \"file:///srv\"\n", "terraform-state: no place"),
            ("run-logs = \"file:///srv\"\n", "run-logs: 'file:///srv' is no place for logs; give s3://"),
            ("runner = \"local\"\nterraform-image = \"tf\"\n", "terraform-image: is for --runner codebuild"),
            ("runner = \"kubernetes\"\nterraform-install = \" \"\n", "terraform-install: ' ' is empty"),
            ("terraform-state = \"s3://states\"\ndeny-run-network = true\n", "terraform-state: runs have no network"),
            ("event-keep-days = 0\n", "event-keep-days: 0"),
            ("[events]\ndestinations = []\n", "destinations"),
            ("[[events.destination]]\nname = \"a\"\ntype = \"file\"\n", "events.destination 'a': path: missing"),
            ("[[bundle-store]]\nurl = \"gs://a\"\naccounts = []\n", "'gs://a'"),
            ("[[bundle-store]]\nurl = \"s3://\"\naccounts = []\n", "bundle-store.url"),
            ("[[bundle-store]]\nurl = \"s3://a\"\naccounts = [\"1\"]\n", "bundle-store.accounts"),
            ("listen = ", "protium.toml"),
        ] {
            std::fs::write(&path, text).expect("written");
            let why = error(ServeArgs { config: Some(path.clone()), ..ServeArgs::default() });
            assert!(why.contains(named), "{text}: {why}");
        }
        let nowhere = Some(folder.path().join("none.toml"));
        assert!(error(ServeArgs { config: nowhere, ..ServeArgs::default() }).contains("none.toml can't be read"));
    }
}
