//! What a quickstart provisions, as a client of its server: two environments, a service with an instance in each, and
//! an upgrade of one of them.
//!
//! Every step looks at what is there first: a run that was stopped anywhere is taken up where it was, and what a person
//! changed since is kept.

use super::page;
use super::progress::Progress;
use super::templates::{self, PAGE_TEMPLATE, PLACE_TEMPLATE, Version};
use anyhow::{Context as _, bail};
use futures::TryStreamExt as _;
use futures::stream::FuturesOrdered;
use protium_client::types as api;
use protium_client::types::{DeploymentStatus, DeploymentUpdateType};
use protium_client::{Client, Error, ErrorCode};
use serde_json::json;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

pub(super) const SERVICE: &str = "hello";
/// The instances, each in the environment of its name, with the banner and the colour of that.
const PLACES: [(&str, &str, &str); 2] =
    [("dev", "Development", "#2f6f4f"), ("prod", "Production: handle with care", "#8a3324")];
/// The instance that is upgraded.
const UPGRADED: &str = PLACES[0].0;

/// Between two looks at something that is under way.
pub(super) const PAUSE: Duration = Duration::from_millis(50);
/// How long a step may take: nothing that is provisioned here takes more than seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
/// How long a page that should be there may take to answer, before its instance is deployed again.
const ANSWER: Duration = Duration::from_secs(5);

/// An instance of the service, and where its page is.
pub(super) struct Shown {
    pub name: String,
    pub environment: String,
    pub url: String,
    /// As in `1.0`.
    pub version: String,
    /// The minor version that it could be upgraded to.
    pub behind: Option<String>,
}

/// Tells the story to its end, from wherever it stands. Answers the instances, whose pages answer.
pub(super) async fn tell(client: &Client, progress: &Progress) -> anyhow::Result<Vec<Shown>> {
    let story = Story { client, progress };
    templates::register(client, progress).await?;
    story.environments().await?;
    story.service().await?;
    story.upgrade().await?;
    progress.doing("looking at the pages");
    story.pages().await
}

struct Story<'a> {
    client: &'a Client,
    progress: &'a Progress,
}

impl Story<'_> {
    // ---- environments -------------------------------------------------------------------------------------------

    async fn environments(&self) -> anyhow::Result<()> {
        self.progress.doing("deploying the environments");
        let deployed: FuturesOrdered<_> = PLACES.iter().map(|place| self.environment(place)).collect();
        deployed.try_collect::<Vec<()>>().await.map(drop)
    }

    async fn environment(&self, &(name, banner, color): &(&str, &str, &str)) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        let mut asked = false;
        loop {
            let input = api::GetEnvironmentInput { name: name.to_owned() };
            let Some(known) = found(self.client.get_environment(input).await)? else {
                let spec = json!({ "proton": "EnvironmentSpec", "spec": { "banner": banner, "color": color } });
                let input = api::CreateEnvironmentInput {
                    name: name.to_owned(),
                    template_name: PLACE_TEMPLATE.to_owned(),
                    template_major_version: "1".to_owned(),
                    spec: spec.to_string(),
                    ..Default::default()
                };
                self.client.create_environment(input).await?;
                asked = true;
                continue;
            };
            let known = known.environment;
            match Stand::of(known.deployment_status) {
                Stand::Well if asked => {
                    self.progress.done(&format!("the environment {name} is deployed"));
                    return Ok(());
                }
                Stand::Well => return Ok(()),
                Stand::UnderWay => patient(until, &format!("the environment {name}")).await?,
                Stand::Failed if !asked => {
                    let input = api::UpdateEnvironmentInput {
                        name: name.to_owned(),
                        deployment_type: DeploymentUpdateType::CurrentVersion,
                        codebuild_role_arn: None,
                        component_role_arn: None,
                        description: None,
                        environment_account_connection_id: None,
                        proton_service_role_arn: None,
                        provisioning_repository: None,
                        spec: None,
                        template_major_version: None,
                        template_minor_version: None,
                    };
                    self.client.update_environment(input).await?;
                    asked = true;
                }
                Stand::Failed => bail!("the environment {name}: {}", why(known.deployment_status_message)),
            }
        }
    }

    // ---- the service and its instances --------------------------------------------------------------------------

    async fn service(&self) -> anyhow::Result<()> {
        self.progress.doing("creating the service");
        let input = || api::GetServiceInput { name: SERVICE.to_owned() };
        let until = Instant::now() + PATIENCE;
        let is_new = loop {
            match found(self.client.get_service(input()).await)?
                .and_then(|known| known.service)
                .map(|service| service.status)
            {
                None => {
                    self.create_service().await?;
                    break true;
                }
                // Of one that is on its way out, nothing is taken up.
                Some(api::ServiceStatus::DeleteInProgress) => patient(until, "the end of the service").await?,
                Some(api::ServiceStatus::DeleteFailed) => {
                    bail!("the service {SERVICE} could not be deleted. Begin anew: protium quickstart --clean")
                }
                Some(_) => break false,
            }
        };
        let settled: FuturesOrdered<_> = PLACES.iter().map(|(name, ..)| self.settled(name, is_new)).collect();
        settled.try_collect::<Vec<()>>().await?;
        // The service as a whole settles in the same moment as its last instance, or after its cleaning up.
        while found(self.client.get_service(input()).await)?
            .and_then(|known| known.service)
            .is_some_and(|service| is_busy(service.status))
        {
            patient(until, "the service").await?;
        }
        if is_new {
            self.progress.done(&format!("the service {SERVICE} is created, with an instance in each environment"));
        }
        Ok(())
    }

    async fn create_service(&self) -> anyhow::Result<()> {
        // Held all at once, so that they differ.
        let ports: Vec<TcpListener> = PLACES.iter().map(|_| a_port()).collect::<Result<_, _>>()?;
        let mut instances = Vec::new();
        for ((name, ..), port) in PLACES.iter().zip(&ports) {
            let port = port.local_addr()?.port();
            instances.push(json!({ "name": name, "environment": name, "spec": { "port": port } }));
        }
        drop(ports);
        let input = api::CreateServiceInput {
            name: SERVICE.to_owned(),
            template_name: PAGE_TEMPLATE.to_owned(),
            template_major_version: "1".to_owned(),
            // Not the newest: the story goes on to that.
            template_minor_version: Some("0".to_owned()),
            spec: json!({ "proton": "ServiceSpec", "instances": instances }).to_string(),
            ..Default::default()
        };
        self.client.create_service(input).await?;
        Ok(())
    }

    /// Waits until the instance is deployed. One that an earlier run left failed is deployed again, once, on a port
    /// that is free now.
    async fn settled(&self, name: &str, is_new: bool) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        let mut asked = is_new;
        loop {
            // A person may have removed it.
            let Some(instance) = self.instance(name).await? else { return Ok(()) };
            match Stand::of(instance.deployment_status) {
                Stand::Well => return Ok(()),
                Stand::UnderWay => patient(until, &format!("the instance {name}")).await?,
                Stand::Failed if !asked => {
                    self.redeploy(&instance).await?;
                    asked = true;
                }
                Stand::Failed => bail!("the instance {name}: {}", why(instance.deployment_status_message)),
            }
        }
    }

    async fn instance(&self, name: &str) -> anyhow::Result<Option<api::ServiceInstance>> {
        let input = api::GetServiceInstanceInput { name: name.to_owned(), service_name: SERVICE.to_owned() };
        Ok(found(self.client.get_service_instance(input).await)?.map(|found| found.service_instance))
    }

    /// Deploys an instance with what it has, on another port.
    async fn redeploy(&self, instance: &api::ServiceInstance) -> anyhow::Result<()> {
        let keep = "${Proton::CURRENT_VAL}";
        let mut inputs = json!({ "port": a_port()?.local_addr()?.port(), "message": keep });
        if instance.template_minor_version.as_deref() == Some("1") {
            inputs["greeting"] = keep.into();
        }
        let instances = json!([{ "name": instance.name, "environment": instance.environment_name, "spec": inputs }]);
        let input = api::UpdateServiceInstanceInput {
            name: instance.name.clone(),
            service_name: SERVICE.to_owned(),
            deployment_type: DeploymentUpdateType::CurrentVersion,
            spec: Some(json!({ "proton": "ServiceSpec", "instances": instances }).to_string()),
            client_token: None,
            template_major_version: None,
            template_minor_version: None,
        };
        self.client.update_service_instance(input).await?;
        Ok(())
    }

    // ---- the upgrade --------------------------------------------------------------------------------------------

    async fn upgrade(&self) -> anyhow::Result<()> {
        self.progress.doing("publishing the next version of the service's template");
        let version = Version::upgrade();
        if version.publish(self.client).await? {
            self.progress.done(&format!("the template {version} is published: it has one more input, greeting"));
        }
        match self.instance(UPGRADED).await? {
            Some(instance) if instance.template_minor_version.as_deref() == Some("0") => {}
            Some(_) | None => return Ok(()),
        }
        self.progress.doing(&format!("upgrading the instance {UPGRADED}"));
        let input = api::UpdateServiceInstanceInput {
            name: UPGRADED.to_owned(),
            service_name: SERVICE.to_owned(),
            deployment_type: DeploymentUpdateType::MinorVersion,
            template_major_version: Some("1".to_owned()),
            template_minor_version: Some("1".to_owned()),
            client_token: None,
            spec: None,
        };
        self.client.update_service_instance(input).await?;
        self.settled(UPGRADED, true).await?;
        self.progress.done(&format!("the instance {UPGRADED} is upgraded to 1.1"));
        Ok(())
    }

    // ---- what there is to see -----------------------------------------------------------------------------------

    async fn pages(&self) -> anyhow::Result<Vec<Shown>> {
        let mut shown = Vec::new();
        for (name, ..) in PLACES {
            if let Some(instance) = self.instance(name).await? {
                shown.push(self.page(instance).await?);
            }
        }
        Ok(shown)
    }

    async fn page(&self, instance: api::ServiceInstance) -> anyhow::Result<Shown> {
        let name = &instance.name;
        let mut url = self.url(name).await?;
        if !page::answers(&url, SERVICE, name, ANSWER).await {
            // After the machine has been restarted, say, or another program has taken the port.
            self.progress.doing(&format!("deploying the instance {name} again: its page does not answer"));
            self.redeploy(&instance).await?;
            self.settled(name, true).await?;
            url = self.url(name).await?;
            if !page::answers(&url, SERVICE, name, ANSWER).await {
                bail!("the page of the instance {name} does not answer at {url}");
            }
            self.progress.done(&format!("the instance {name} is deployed again: its page did not answer"));
        }
        let (major, minor) = (instance.template_major_version, instance.template_minor_version);
        let minor = minor.unwrap_or_default();
        Ok(Shown {
            behind: (minor == "0").then(|| "1.1".to_owned()),
            version: format!("{}.{minor}", major.unwrap_or_default()),
            name: instance.name,
            environment: instance.environment_name,
            url,
        })
    }

    /// Where the instance says that its page is.
    async fn url(&self, name: &str) -> anyhow::Result<String> {
        let input = api::ListServiceInstanceOutputsInput {
            service_name: SERVICE.to_owned(),
            service_instance_name: name.to_owned(),
            ..Default::default()
        };
        let outputs = self.client.list_service_instance_outputs(input).await?.outputs;
        let url = outputs.into_iter().find(|output| output.key.as_deref() == Some("Url"));
        url.and_then(|output| output.value_string).with_context(|| format!("the instance {name} has no output Url"))
    }
}

/// How a deployment stands, as far as one waits for it.
enum Stand {
    UnderWay,
    Well,
    Failed,
}

impl Stand {
    fn of(status: DeploymentStatus) -> Self {
        match status {
            DeploymentStatus::Succeeded => Self::Well,
            DeploymentStatus::InProgress
            | DeploymentStatus::Cancelling
            | DeploymentStatus::DeleteInProgress
            | DeploymentStatus::DeleteComplete => Self::UnderWay,
            DeploymentStatus::Failed | DeploymentStatus::Cancelled | DeploymentStatus::DeleteFailed => Self::Failed,
        }
    }
}

/// Whether something of the service is under way.
pub(super) fn is_busy(status: api::ServiceStatus) -> bool {
    status.as_str().ends_with("_IN_PROGRESS")
}

/// What was asked for; `None` if there is no such thing.
pub(super) fn found<T>(asked: Result<T, Error>) -> Result<Option<T>, Error> {
    match asked {
        Err(error) if error.code() == Some(ErrorCode::ResourceNotFound) => Ok(None),
        asked => asked.map(Some),
    }
}

fn why(message: Option<String>) -> String {
    message.unwrap_or_else(|| "its deployment failed".to_owned())
}

/// A port that nobody has, held until it is dropped.
fn a_port() -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("this machine has no free port")
}

/// Waits a moment, unless it is too late by now.
pub(super) async fn patient(until: Instant, what: &str) -> anyhow::Result<()> {
    if Instant::now() > until {
        bail!("{what} is not ready after {} s; start again, or look at the server's log", PATIENCE.as_secs());
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}
