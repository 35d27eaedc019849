//! `protium quickstart`: a server, two environments and a service on this machine, for real and without a cloud.
//!
//! Owns what the command is asked for and what it says at its end. The server is one like any other, and what is
//! provisioned goes through its API.

mod bundles;
mod clean;
mod folder;
mod page;
mod progress;
mod server;
mod story;
mod templates;

pub(super) use server::become_server;

use super::{USAGE, admin, block_on};
use crate::config::{ClientSettings, environment};
use anyhow::{Context as _, bail};
use clap::Args;
use folder::Folder;
use progress::Progress;
use protium_client::Client;
use server::Address;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use story::{SERVICE, Shown};

/// Starts a server in the background, with what it stores in a folder of its own, and provisions two environments and
/// a service with an instance in each, by commands that run on this machine. Prints where to look and what to type
/// next. Needs Linux, a shell, and no cloud. A second run reports what the first one made, and completes it.
#[derive(Args)]
pub(super) struct Quickstart {
    /// Where everything is kept; by default $HOME/.local/share/protium/quickstart.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Remove all of it: what was provisioned, the server, and the folder.
    #[arg(long)]
    clean: bool,
    /// Run the commands also where no sandbox works.
    #[arg(long, conflicts_with = "clean")]
    allow_unsandboxed_runs: bool,
}

pub(super) fn run(asked: &Quickstart) -> ExitCode {
    let Some(path) = asked.data_dir.clone().or_else(environment::quickstart_folder) else {
        progress::say("protium quickstart: HOME is not set; say with --data-dir where everything is to be kept\n");
        return ExitCode::from(USAGE);
    };
    let progress = Progress::start();
    let done = block_on(async {
        match asked.clean {
            true => clean::clean(&path, &progress).await.map(|was_there| match was_there {
                true => "All of the quickstart is removed.\n".to_owned(),
                false => format!("There is nothing to remove: {} does not exist.\n", path.display()),
            }),
            false => provision(asked, &path, &progress).await,
        }
    });
    progress.clear();
    let said = done.map_err(anyhow::Error::from).flatten().and_then(|said| {
        let mut out = std::io::stdout();
        out.write_all(said.as_bytes()).and_then(|()| out.flush()).context("standard output can't be written")
    });
    match said {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::say(&format!("protium quickstart: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Sees to it that all of it is there. Answers what to say of it.
async fn provision(asked: &Quickstart, path: &Path, progress: &Progress) -> anyhow::Result<String> {
    let folder = Folder::open(path)?;
    refuse_copy(&folder)?;
    let mut choices = folder.choices();
    if asked.allow_unsandboxed_runs && !choices.allow_unsandboxed_runs {
        choices.allow_unsandboxed_runs = true;
        // Before the start: it may fail for another reason.
        folder.choose(&choices)?;
    }
    let (address, was_there) = server::find_or_start(&folder, choices, progress).await?;
    let url = address.url();
    progress.done(&match was_there {
        true => format!("the server runs already, at {url}"),
        false => format!("the server runs in the background, at {url}"),
    });
    if asked.allow_unsandboxed_runs
        && let Some(server) = folder.server()
        && !server::allows_unsandboxed_runs(&server)
    {
        progress.done(&format!(
            "--allow-unsandboxed-runs is remembered, and takes effect at the next start of the server: kill {}, then \
             start again",
            server.pid()
        ));
    }
    let shown = story::tell(&client(&folder, &address)?, progress).await.with_context(|| {
        format!(
            "{}; start again to go on from here, or remove all of it with --clean. The server's log is {}",
            "not everything is provisioned",
            folder.file("server.log").display()
        )
    })?;
    report(asked, &folder, &address, &shown)
}

/// Two servers are not to have the same processes: a copy of a folder is of use when the original has ended.
fn refuse_copy(folder: &Folder) -> anyhow::Result<()> {
    match folder.original() {
        Some((original, process)) if process.is_alive() => bail!(
            "{} is a copy of {original}, which the process {} serves; give that one or another with --data-dir. With \
             --clean the copy is removed",
            folder.path().display(),
            process.pid()
        ),
        Some(_) | None => Ok(()),
    }
}

/// A client of the folder's server, as its root user.
fn client(folder: &Folder, address: &Address) -> anyhow::Result<Client> {
    let settings = ClientSettings::of_server(folder.path(), address.url())?;
    Ok(admin::client(settings, None)?)
}

/// What there is to see, and what to type next.
fn report(asked: &Quickstart, folder: &Folder, address: &Address, shown: &[Shown]) -> anyhow::Result<String> {
    let url = address.url();
    let mut text = String::new();
    writeln!(text, "\nThe service {SERVICE} runs, one instance in each environment:\n")?;
    for Shown { name, environment, url, version, behind } in shown {
        let behind = behind.as_ref().map(|newest| format!(", outdated: {newest} is published")).unwrap_or_default();
        writeln!(text, "  {name:<5} {url:<24} in {environment}, on version {version}{behind}")?;
    }
    let credentials = quoted(&folder.file("credentials"));
    write!(
        text,
        "\nProtium answers the API of AWS Proton at {url}. To talk to it, paste this into your shell:\n
  unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
  unset AWS_WEB_IDENTITY_TOKEN_FILE AWS_ROLE_ARN AWS_ENDPOINT_URL_PROTON AWS_IGNORE_CONFIGURED_ENDPOINT_URLS
  export AWS_ENDPOINT_URL={url} AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE={credentials}\n
and then, for example:\n
  # which instance runs which version
  aws proton list-service-instances --output table \\
    --query 'serviceInstances[].[name, deploymentStatus, templateMajorVersion, templateMinorVersion]'\n\n"
    )?;
    if shown.iter().any(|shown| shown.name == "prod" && shown.behind.is_some()) {
        writeln!(text, "  # upgrade prod, and look at its page again")?;
        writeln!(text, "  {}\n", update("prod", "MINOR_VERSION", ""))?;
    }
    if shown.iter().any(|shown| shown.name == "dev") {
        writeln!(text, "  # change an input of dev, and keep the rest")?;
        writeln!(text, "  {}\n", update("dev", "CURRENT_VERSION", CHANGED))?;
    }
    let program = std::env::current_exe().context("the path of this program is not known")?;
    let folder = asked.data_dir.as_ref().map(|_| format!(" --data-dir {}", quoted(folder.path()))).unwrap_or_default();
    writeln!(text, "  # remove all of it")?;
    writeln!(text, "  {} quickstart --clean{folder}", quoted(&program))?;
    Ok(text)
}

/// The argument that gives the instance `dev` another message.
const CHANGED: &str = r#" \
    --spec '{"proton": "ServiceSpec", "instances": [{"name": "dev", "environment": "dev",
      "spec": {"port": "${Proton::CURRENT_VAL}", "message": "I was changed."}}]}'"#;

fn update(instance: &str, kind: &str, more: &str) -> String {
    format!(
        "aws proton update-service-instance --service-name {SERVICE} --name {instance} --deployment-type {kind}{more} && \\
    aws proton wait service-instance-deployed --service-name {SERVICE} --name {instance}"
    )
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@:".contains(&byte));
    if is_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_would_take_it_apart() {
        assert_eq!(quoted(Path::new("/srv/x-1.0/credentials")), "/srv/x-1.0/credentials");
        assert_eq!(quoted(Path::new("/srv/me and you/it's")), r"'/srv/me and you/it'\''s'");
    }
}
