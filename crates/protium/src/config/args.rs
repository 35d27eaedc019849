//! The flags of the command line: what they are called, and where else they are said.
//!
//! Owns their names and their shapes. What they mean together, and what can't be, is [`Config`](super::Config)'s.

use super::proxies;
use super::runner::Runner;
use ipnet::IpNet;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The flags of `protium serve`. Every one has the variable `PROTIUM_<FLAG>`.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ServeArgs {
    /// The address that everything listens on.
    #[arg(long, env = "PROTIUM_LISTEN", value_name = "HOST:PORT", value_parser = address)]
    #[serde(deserialize_with = "address_of_file")]
    pub listen: Option<SocketAddr>,
    /// Where the SQLite file, the bundle store, the credentials file and the master key are.
    #[arg(long, env = "PROTIUM_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// sqlite://PATH or postgres://USER@HOST/NAME; by default SQLite in the data folder.
    #[arg(long, env = "PROTIUM_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The most connections to PostgreSQL.
    #[arg(long, env = "PROTIUM_DATABASE_POOL_SIZE", value_name = "N")]
    pub database_pool_size: Option<usize>,
    /// A TOML file with everything that flags can say, and quotas, deadlines and bundle stores.
    #[arg(long, env = "PROTIUM_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The access key id of the root user; with its secret, it replaces the key at start.
    #[arg(skip)]
    #[serde(skip)]
    pub root_access_key_id: Option<String>,
    #[arg(skip)]
    #[serde(skip)]
    pub root_secret_access_key: Option<String>,
    /// The key that encrypts every secret in the store; made at the first start.
    #[arg(long, env = "PROTIUM_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// The account of the root user: twelve digits.
    #[arg(long, env = "PROTIUM_ACCOUNT_ID", value_name = "DIGITS")]
    pub account_id: Option<String>,
    /// Where outbound AWS calls go: an emulator or a VPC endpoint. By default AWS itself.
    #[arg(long, env = "PROTIUM_AWS_ENDPOINT_URL", value_name = "URL")]
    pub aws_endpoint_url: Option<String>,
    /// The profile of the shared AWS configuration for outbound calls.
    #[arg(long, env = "PROTIUM_AWS_PROFILE", value_name = "NAME")]
    pub aws_profile: Option<String>,
    /// The bucket for CloudFormation templates over 51,200 bytes; the roles in use must be able to read and write it.
    #[arg(long, env = "PROTIUM_AWS_TEMPLATE_BUCKET", value_name = "BUCKET")]
    pub aws_template_bucket: Option<String>,
    /// The certificate chain for HTTPS, in PEM form.
    #[arg(long, env = "PROTIUM_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The private key for HTTPS, in PEM form.
    #[arg(long, env = "PROTIUM_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Listen on other addresses than loopback without TLS.
    #[arg(long, env = "PROTIUM_INSECURE_HTTP")]
    pub insecure_http: bool,
    /// Addresses and networks of proxies that are believed what X-Forwarded-For and X-Forwarded-Proto say.
    #[arg(long, env = "PROTIUM_TRUSTED_PROXIES", value_name = "NETWORKS", value_delimiter = ',', value_parser = proxies::network)]
    #[serde(deserialize_with = "proxies::networks_of_file")]
    pub trusted_proxies: Vec<IpNet>,
    /// The host name under which buckets are subdomains, for virtual-host style requests.
    #[arg(long, env = "PROTIUM_S3_DOMAIN", value_name = "NAME")]
    pub s3_domain: Option<String>,
    /// Which part of the program runs in this process.
    #[arg(long, env = "PROTIUM_ROLE", value_enum)]
    pub role: Option<Role>,
    /// What runs the commands of templates with `rendering_engine: codebuild`.
    #[arg(long, env = "PROTIUM_RUNNER", value_enum)]
    pub runner: Option<Runner>,
    /// Where others than this machine reach the server, for runs elsewhere that notify their deployments.
    #[arg(long, env = "PROTIUM_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Run commands on this machine also where no sandbox works.
    #[arg(long, env = "PROTIUM_ALLOW_UNSANDBOXED_RUNS")]
    pub allow_unsandboxed_runs: bool,
    /// Run commands on this machine although others than its own users can reach the server.
    #[arg(long, env = "PROTIUM_EXPOSE_LOCAL_RUNS")]
    pub expose_local_runs: bool,
    /// Give commands that run on this machine no network.
    #[arg(long, env = "PROTIUM_DENY_RUN_NETWORK")]
    pub deny_run_network: bool,
    /// Folders with programs that commands on this machine may use beside those of the system, separated by `:`.
    #[arg(long, env = "PROTIUM_RUN_TOOLS", value_name = "FOLDERS", value_delimiter = ':')]
    pub run_tools: Vec<PathBuf>,
    /// How many days the files of a run stay after it has ended, its log among them.
    #[arg(long, env = "PROTIUM_RUN_KEEP_DAYS", value_name = "N")]
    pub run_keep_days: Option<u64>,
    /// Where logs of runs are copied to when they have ended, for all servers to read: s3://BUCKET/PREFIX?region=REGION.
    #[arg(long, env = "PROTIUM_RUN_LOGS", value_name = "URL")]
    pub run_logs: Option<String>,
    /// The program that runs Terraform templates, by its name or path. By default terraform, else tofu.
    #[arg(long, env = "PROTIUM_TERRAFORM", value_name = "PROGRAM")]
    pub terraform: Option<String>,
    /// The image of runs away from this machine that has terraform or tofu. By default that of all runs.
    #[arg(long, env = "PROTIUM_TERRAFORM_IMAGE", value_name = "IMAGE")]
    pub terraform_image: Option<String>,
    /// A command that installs terraform or tofu first in each of its runs away from this machine.
    #[arg(long, env = "PROTIUM_TERRAFORM_INSTALL", value_name = "COMMAND")]
    pub terraform_install: Option<String>,
    /// Where the state of Terraform templates is kept that name no backend: s3://BUCKET/PREFIX or
    /// postgres://USER:PASSWORD@HOST/NAME. By default in the data folder.
    #[arg(long, env = "PROTIUM_TERRAFORM_STATE", value_name = "URL", hide_env_values = true)]
    pub terraform_state: Option<String>,
    /// How many days events are kept, delivered or not.
    #[arg(long, env = "PROTIUM_EVENT_KEEP_DAYS", value_name = "N")]
    pub event_keep_days: Option<u64>,
    /// How many days the records of the audit log stay; 0 keeps none.
    #[arg(long, env = "PROTIUM_AUDIT_RETENTION", value_name = "DAYS")]
    pub audit_retention: Option<u64>,
    /// A file that each record of the audit log is written to as a line of JSON, too; `-` is standard output.
    #[arg(long, env = "PROTIUM_AUDIT_LOG", value_name = "FILE")]
    pub audit_log: Option<PathBuf>,
    /// How often a caller may read in a second; 0 is no limit.
    #[arg(long, env = "PROTIUM_READS_PER_SECOND", value_name = "N")]
    pub reads_per_second: Option<u32>,
    /// How often a caller may list in a second; 0 is no limit.
    #[arg(long, env = "PROTIUM_LISTS_PER_SECOND", value_name = "N")]
    pub lists_per_second: Option<u32>,
    /// How often a caller may change something in a second; 0 is no limit.
    #[arg(long, env = "PROTIUM_WRITES_PER_SECOND", value_name = "N")]
    pub writes_per_second: Option<u32>,
    /// How many requests of a caller are worked on at the same time; 0 is no limit.
    #[arg(long, env = "PROTIUM_REQUESTS_AT_ONCE", value_name = "N")]
    pub requests_at_once: Option<u32>,
}

/// The flags of the commands that work on what a server stores. Each means what it means for `protium serve`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StoreArgs {
    /// Where the SQLite file, the bundle store, the credentials file and the master key are.
    #[arg(long, env = "PROTIUM_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// sqlite://PATH or postgres://USER@HOST/NAME; by default SQLite in the data folder.
    #[arg(long, env = "PROTIUM_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// The key that encrypts every secret in the store.
    #[arg(long, env = "PROTIUM_MASTER_KEY_FILE", value_name = "FILE")]
    pub master_key_file: Option<PathBuf>,
    /// The TOML file of the server.
    #[arg(long, env = "PROTIUM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

impl From<StoreArgs> for ServeArgs {
    fn from(args: StoreArgs) -> Self {
        let StoreArgs { data_dir, database_url, master_key_file, config } = args;
        Self { data_dir, database_url, master_key_file, config, ..Self::default() }
    }
}

/// Which part of the program runs in a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// API and worker.
    #[default]
    All,
    Api,
    Worker,
}

impl Role {
    /// Whether this process runs jobs.
    pub fn works(self) -> bool {
        matches!(self, Self::All | Self::Worker)
    }
}

/// An IP address and a port. Names are refused: what they lead to is not known before it is too late.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("'{text}' is not an IP address and a port; give one as in 127.0.0.1:8420 or [::1]:8420"))
}

fn address_of_file<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    address(&text).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_an_ip_address_and_a_port() {
        assert!(address("[::1]:0").is_ok());
        for wrong in ["localhost:8420", ":8420", "127.0.0.1", "8420", ""] {
            assert!(address(wrong).expect_err("no address").contains("127.0.0.1:8420"), "{wrong}");
        }
    }
}
