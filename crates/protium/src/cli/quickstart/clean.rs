//! `protium quickstart --clean`: all of it goes, whatever became of the run that made it.
//!
//! What was provisioned is deleted by the server, as anybody would: the commands of the templates see to that. What can
//! not be deleted so is stopped by the files of its runs. Then the server ends, and the folder goes.

use super::folder::Folder;
use super::progress::Progress;
use super::story::{PAUSE, found, is_busy};
use super::{client, server};
use crate::store::DataLock;
use anyhow::{Context as _, bail};
use protium_client::types as api;
use protium_client::types::DeploymentStatus;
use protium_client::{Client, Error, ErrorCode};
use protium_engines::command;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long something may take to be deleted, before it is given up and only stopped.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the runs may take to end after they were asked to, some more than they are given.
const END: Duration = Duration::from_secs(20);
/// How long the lock of a server may take to be free after the server has ended: its threads end one by one.
const RELEASE: Duration = Duration::from_secs(2);

/// Removes what is in the folder, and the folder. `false`: there was none.
pub(super) async fn clean(path: &Path, progress: &Progress) -> anyhow::Result<bool> {
    let Some(folder) = Folder::existing(path)? else { return Ok(false) };
    // Of a copy the processes are the original's.
    let is_copy = folder.original().is_some();
    if folder.server().is_none() {
        // A server that somebody else started has its data here: before it ends, nothing goes.
        drop(alone(&folder).await?);
    }
    if !is_copy
        && folder.has_store()
        && let Err(error) = delete_all(&folder, progress).await
    {
        let why = format!("{error:#}");
        let why = first_line(&why);
        progress.done(&format!("the server can't delete what it has ({why}); its processes are stopped instead"));
    }
    progress.doing("stopping the server");
    if let Some(process) = server::stop(&folder).await? {
        progress.done(&format!("the server, process {process}, is stopped"));
    }
    let alone = alone(&folder).await?;
    if !is_copy {
        stop_runs(&folder).await?;
    }
    let path = folder.path().display().to_string();
    progress.done(&match folder.remove(&alone)? {
        None => format!("the folder {path} is removed"),
        Some(why) => format!("the folder {path} is empty, and stays: {why}"),
    });
    Ok(true)
}

/// Keeps servers out of the folder for as long as the lock lives.
async fn alone(folder: &Folder) -> anyhow::Result<DataLock> {
    let until = Instant::now() + RELEASE;
    loop {
        match DataLock::take(folder.path()) {
            Ok(lock) => return Ok(lock),
            Err(error) if Instant::now() > until => {
                return Err(error).context("the folder is not removed");
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Ends what the runner still has: where the server did its part that is nothing.
async fn stop_runs(folder: &Folder) -> anyhow::Result<()> {
    let until = Instant::now() + END;
    while !command::stop_runs(&folder.runs())? {
        if Instant::now() > until {
            bail!("there are commands that do not end; the files of their runs are in {}", folder.runs().display());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn delete_all(folder: &Folder, progress: &Progress) -> anyhow::Result<()> {
    let (address, _) = server::find_or_start(folder, folder.choices(), progress).await?;
    let client = &client(folder, &address)?;
    for component in client.paginate(api::ListComponentsInput::default()).all().await? {
        progress.doing(&format!("deleting the component {}", component.name));
        remove(client, &Thing::Component(component.name), component.arn, progress).await?;
    }
    for service in client.paginate(api::ListServicesInput::default()).all().await? {
        progress.doing(&format!("deleting the service {}", service.name));
        remove(client, &Thing::Service(service.name), service.arn, progress).await?;
    }
    for environment in client.paginate(api::ListEnvironmentsInput::default()).all().await? {
        progress.doing(&format!("deleting the environment {}", environment.name));
        remove(client, &Thing::Environment(environment.name), environment.arn, progress).await?;
    }
    progress.doing("deleting the templates");
    delete_templates(client).await?;
    progress.done("the templates are deleted");
    Ok(())
}

/// What is deleted by name, and takes its time.
enum Thing {
    Component(String),
    Service(String),
    Environment(String),
}

/// How it stands.
enum Stand {
    Gone,
    UnderWay,
    /// It can be deleted, maybe not for the first time; with what is said of its last deployment.
    Settled(Option<String>),
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Component(name) => write!(f, "the component {name}"),
            Self::Service(name) => write!(f, "the service {name}"),
            Self::Environment(name) => write!(f, "the environment {name}"),
        }
    }
}

impl Thing {
    async fn look(&self, client: &Client) -> Result<Stand, Error> {
        let name = |name: &String| name.clone();
        let deployment = |status, message| match status {
            DeploymentStatus::InProgress | DeploymentStatus::Cancelling | DeploymentStatus::DeleteInProgress => {
                Stand::UnderWay
            }
            _ => Stand::Settled(message),
        };
        let stand = match self {
            Self::Component(of) => found(client.get_component(api::GetComponentInput { name: name(of) }).await)?
                .and_then(|found| found.component)
                .map(|component| deployment(component.deployment_status, component.deployment_status_message)),
            Self::Service(of) => found(client.get_service(api::GetServiceInput { name: name(of) }).await)?
                .and_then(|found| found.service)
                .map(|service| match is_busy(service.status) {
                    true => Stand::UnderWay,
                    false => Stand::Settled(service.status_message),
                }),
            Self::Environment(of) => found(client.get_environment(api::GetEnvironmentInput { name: name(of) }).await)?
                .map(|found| found.environment)
                .map(|found| deployment(found.deployment_status, found.deployment_status_message)),
        };
        Ok(stand.unwrap_or(Stand::Gone))
    }

    async fn delete(&self, client: &Client) -> Result<(), Error> {
        match self {
            Self::Component(name) => {
                client.delete_component(api::DeleteComponentInput { name: name.clone() }).await.map(drop)
            }
            Self::Service(name) => {
                client.delete_service(api::DeleteServiceInput { name: name.clone() }).await.map(drop)
            }
            Self::Environment(name) => {
                client.delete_environment(api::DeleteEnvironmentInput { name: name.clone() }).await.map(drop)
            }
        }
    }
}

/// Deletes it and waits until it is gone. What is under way may end first; what can't be deleted is given up, and its
/// processes are stopped at the end.
async fn remove(client: &Client, thing: &Thing, arn: String, progress: &Progress) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut asked = false;
    let why = loop {
        match thing.look(client).await? {
            Stand::Gone => {
                progress.done(&format!("{thing} is deleted"));
                return Ok(());
            }
            Stand::Settled(_) if !asked => match thing.delete(client).await {
                Ok(()) => asked = true,
                // Something of it is under way still, an instance say.
                Err(error) if error.code() == Some(ErrorCode::Conflict) && Instant::now() < until => {}
                Err(error) => break error.to_string(),
            },
            Stand::UnderWay if Instant::now() < until => {}
            Stand::UnderWay => break format!("it is not done after {} s", PATIENCE.as_secs()),
            Stand::Settled(why) => break why.unwrap_or_else(|| "nothing more is known".to_owned()),
        }
        tokio::time::sleep(PAUSE).await;
    };
    let infrastructure = api::Infrastructure::Retain;
    client.force_delete(api::ForceDeleteInput { resource_arn: arn, infrastructure }).await?;
    progress.done(&format!("{thing} could not be deleted by its commands, and is given up: {}", first_line(&why)));
    Ok(())
}

async fn delete_templates(client: &Client) -> Result<(), Error> {
    for template in client.paginate(api::ListServiceTemplatesInput::default()).all().await? {
        let list = api::ListServiceTemplateVersionsInput { template_name: template.name.clone(), ..Default::default() };
        for major in client.paginate(list.clone()).all().await? {
            let list =
                api::ListServiceTemplateVersionsInput { major_version: Some(major.major_version), ..list.clone() };
            let mut versions = client.paginate(list).all().await?;
            // The newest last: it is recommended until it is the only one.
            versions.sort_by_key(|version| number(&version.minor_version));
            for version in versions {
                let input = api::DeleteServiceTemplateVersionInput {
                    template_name: version.template_name,
                    major_version: version.major_version,
                    minor_version: version.minor_version,
                };
                client.delete_service_template_version(input).await?;
            }
        }
        client.delete_service_template(api::DeleteServiceTemplateInput { name: template.name }).await?;
    }
    for template in client.paginate(api::ListEnvironmentTemplatesInput::default()).all().await? {
        let name = template.name.clone();
        let list = api::ListEnvironmentTemplateVersionsInput { template_name: name, ..Default::default() };
        for major in client.paginate(list.clone()).all().await? {
            let major = Some(major.major_version);
            let list = api::ListEnvironmentTemplateVersionsInput { major_version: major, ..list.clone() };
            let mut versions = client.paginate(list).all().await?;
            versions.sort_by_key(|version| number(&version.minor_version));
            for version in versions {
                let input = api::DeleteEnvironmentTemplateVersionInput {
                    template_name: version.template_name,
                    major_version: version.major_version,
                    minor_version: version.minor_version,
                };
                client.delete_environment_template_version(input).await?;
            }
        }
        client.delete_environment_template(api::DeleteEnvironmentTemplateInput { name: template.name }).await?;
    }
    Ok(())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn number(minor: &str) -> u32 {
    minor.parse().unwrap_or_default()
}
