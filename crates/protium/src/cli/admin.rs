//! `protium admin`: what operators do, as clients of a running server.

mod audit;
mod events;
mod identity;
mod logs;
mod oidc_provider;
mod role;

use super::{USAGE, block_on};
use crate::config::ClientSettings;
use clap::{Args, Subcommand, ValueEnum};
use protium_client::types as api;
use protium_client::{Client, Config, Credentials, Error};
use serde_json::json;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

/// Finds the server and its user in the variables of AWS clients: `AWS_ENDPOINT_URL_PROTON` or `AWS_ENDPOINT_URL`,
/// `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY`, or a profile file.
#[derive(Args)]
pub(super) struct Admin {
    /// A PEM file with the authorities that an https endpoint is trusted by, instead of the system's; by default
    /// the one that `AWS_CA_BUNDLE` names.
    #[arg(long, global = true, value_name = "FILE")]
    ca_bundle: Option<PathBuf>,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The accounts of the server.
    #[command(subcommand)]
    Account(Account),
    /// The users of the account.
    #[command(subcommand)]
    User(identity::User),
    /// The groups of users.
    #[command(subcommand)]
    Group(identity::Group),
    /// The access keys of users.
    #[command(subcommand)]
    Key(identity::Key),
    /// What users and groups may do.
    #[command(subcommand)]
    Policy(identity::Policy),
    /// The identity providers of the account, whose tokens it believes.
    #[command(subcommand)]
    OidcProvider(oidc_provider::OidcProvider),
    /// The roles of the account, whose rights others get for a while.
    #[command(subcommand)]
    Role(role::Role),
    /// Remove an environment, a service or a service instance from whatever state it is in.
    ForceDelete(ForceDelete),
    /// Deploy an environment, a service instance or a service pipeline anew from whatever state it is in.
    Redeploy(Redeploy),
    /// Where events were brought, and where they were not.
    #[command(subcommand)]
    Events(events::Events),
    /// The audit log of the account: who asked for what, and what came of it.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Print what the commands of a deployment have printed.
    Logs(logs::Logs),
}

#[derive(Subcommand)]
enum Account {
    /// Make an account, and print the key of its root user, this once.
    Create {
        /// Twelve digits.
        #[arg(long, value_name = "DIGITS", value_parser = account_id)]
        id: String,
    },
    /// Print the accounts.
    List,
}

#[derive(Args)]
struct ForceDelete {
    /// What to remove.
    #[arg(long, value_name = "ARN")]
    resource_arn: String,
    /// What becomes of what was provisioned: `delete` destroys it first, `retain` leaves it and prints what stays.
    #[arg(long, value_enum)]
    infrastructure: Infrastructure,
}

#[derive(Clone, Copy, ValueEnum)]
enum Infrastructure {
    Delete,
    Retain,
}

#[derive(Args)]
struct Redeploy {
    /// What to deploy.
    #[arg(long, value_name = "ARN")]
    resource_arn: String,
    /// By default the current version.
    #[arg(long, value_name = "N")]
    template_major_version: Option<String>,
    /// By default the recommended one of the major version.
    #[arg(long, value_name = "N", requires = "template_major_version")]
    template_minor_version: Option<String>,
    /// By default the current spec; `file://PATH` reads it from a file.
    #[arg(long, value_name = "TEXT")]
    spec: Option<String>,
}

pub(super) fn run(Admin { ca_bundle, task }: Admin) -> ExitCode {
    let settings = match ClientSettings::from_environment() {
        Ok(settings) => ClientSettings { ca_bundle: ca_bundle.or(settings.ca_bundle), ..settings },
        Err(error) => return wrong(&error),
    };
    let called = match client(settings, task.region()) {
        Ok(client) => block_on(call(&client, task)),
        Err(error) => return wrong(&error),
    };
    match called {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(Failure::Usage(why))) => wrong(&why),
        Ok(Err(Failure::Call(error))) => failed(&error),
        // Whoever reads it has seen enough.
        Ok(Err(Failure::Output(error))) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(Err(Failure::Output(error))) => failed(&format_args!("standard output can't be written to: {error}")),
        Err(error) => failed(&error),
    }
}

fn wrong(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("protium admin: {why}");
    ExitCode::from(USAGE)
}

fn failed(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("protium admin: {why}");
    ExitCode::FAILURE
}

impl Task {
    /// The region of the resource that the command is about.
    fn region(&self) -> Option<String> {
        let arn = match self {
            Self::Account(_)
            | Self::Audit(_)
            | Self::User(_)
            | Self::Group(_)
            | Self::Key(_)
            | Self::Policy(_)
            | Self::Logs(_)
            | Self::OidcProvider(_)
            | Self::Role(_) => return None,
            Self::Events(asked) => asked.resource_arn()?,
            Self::ForceDelete(ForceDelete { resource_arn, .. }) | Self::Redeploy(Redeploy { resource_arn, .. }) => {
                resource_arn
            }
        };
        arn.split(':').nth(3).filter(|region| !region.is_empty()).map(str::to_owned)
    }
}

/// Requests are signed for `region`, whatever the environment says: a resource is seen in its own only.
pub(super) fn client(settings: ClientSettings, region: Option<String>) -> Result<Client, Error> {
    let region = region.unwrap_or_else(|| settings.region_or_default());
    let ClientSettings { endpoint, access_key_id, secret_access_key, session_token, ca_bundle, .. } = settings;
    let credentials = Credentials { session_token, ..Credentials::new(access_key_id, secret_access_key) };
    Client::new(Config { ca_bundle, ..Config::new(endpoint, region, credentials) })
}

enum Failure {
    Usage(String),
    Call(Error),
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

/// Does it, and prints what came of it.
async fn call(client: &Client, task: Task) -> Result<(), Failure> {
    let answer = match task {
        Task::Events(asked) => events::call(client, asked).await?,
        Task::Logs(asked) => return logs::print(client, asked).await,
        Task::Audit(asked) => return audit::print(client, asked).await,
        Task::Account(Account::Create { id }) => {
            let made = client.create_account(api::CreateAccountInput { id }).await?;
            json!({
                "AccountId": made.account.id,
                "AccessKeyId": made.access_key.access_key_id,
                "SecretAccessKey": made.access_key.secret_access_key,
            })
        }
        Task::Account(Account::List) => {
            let accounts = client.paginate(api::ListAccountsInput::default()).all().await?;
            json!({ "accounts": accounts })
        }
        Task::User(task) => identity::user(client, task).await?,
        Task::Group(task) => identity::group(client, task).await?,
        Task::Key(task) => identity::key(client, task).await?,
        Task::Policy(task) => match identity::policy(client, task).await? {
            Some(answer) => answer,
            None => return Ok(()),
        },
        Task::OidcProvider(task) => oidc_provider::call(client, task).await?,
        Task::Role(task) => role::call(client, task).await?,
        Task::ForceDelete(ForceDelete { resource_arn, infrastructure }) => {
            let infrastructure = match infrastructure {
                Infrastructure::Delete => api::Infrastructure::Delete,
                Infrastructure::Retain => api::Infrastructure::Retain,
            };
            json!(client.force_delete(api::ForceDeleteInput { infrastructure, resource_arn }).await?)
        }
        Task::Redeploy(asked) => {
            let input = api::RedeployInput {
                resource_arn: asked.resource_arn,
                spec: asked.spec.map(|spec| text_or_file("--spec", spec)).transpose()?,
                template_major_version: asked.template_major_version,
                template_minor_version: asked.template_minor_version,
            };
            json!(client.redeploy(input).await?)
        }
    };
    Ok(writeln!(io::stdout(), "{answer:#}")?)
}

/// What a flag gives: a text itself, or what is in the file that it names.
fn text_or_file(flag: &str, given: String) -> Result<String, Failure> {
    match given.strip_prefix("file://") {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("{flag}: the file {path} can't be read: {error}"))),
        None => Ok(given),
    }
}

fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(format!("'{text}' is not an account id; give twelve digits"))
    }
}
