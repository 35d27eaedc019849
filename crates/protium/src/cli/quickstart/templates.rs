//! The templates of a quickstart, registered and published by a client of its server.

use super::bundles::{self, Files};
use super::progress::Progress;
use super::story::{PATIENCE, found, patient};
use anyhow::bail;
use protium_client::Client;
use protium_client::types as api;
use protium_client::types::TemplateVersionStatus;
use std::time::Instant;

pub(super) const PLACE_TEMPLATE: &str = "quickstart-environment";
pub(super) const PAGE_TEMPLATE: &str = "hello-page";
const BUCKET: &str = "quickstart";

/// Sees to it that both are there, each with its first version.
pub(super) async fn register(client: &Client, progress: &Progress) -> anyhow::Result<()> {
    progress.doing("registering templates");
    let name = PLACE_TEMPLATE.to_owned();
    let input = api::GetEnvironmentTemplateInput { name: name.clone() };
    if found(client.get_environment_template(input).await)?.is_none() {
        let described = "A place for pages".to_owned();
        let input = api::CreateEnvironmentTemplateInput { name, description: Some(described), ..Default::default() };
        client.create_environment_template(input).await?;
    }
    let name = PAGE_TEMPLATE.to_owned();
    let input = api::GetServiceTemplateInput { name: name.clone() };
    if found(client.get_service_template(input).await)?.is_none() {
        let input = api::CreateServiceTemplateInput {
            name,
            description: Some("A page about where it is and what it was given".to_owned()),
            pipeline_provisioning: Some(api::Provisioning::CustomerManaged),
            ..Default::default()
        };
        client.create_service_template(input).await?;
    }
    let (place, page) = (Version::of_places(), Version::of_pages("0", bundles::SERVICE_1_0));
    let made = (place.publish(client).await?, page.publish(client).await?);
    if made.0 || made.1 {
        progress.done(&format!("the templates {place} and {page} are published"));
    }
    Ok(())
}

/// A minor version of a template that a quickstart registers.
pub(super) struct Version {
    template: &'static str,
    minor: &'static str,
    files: Files,
    of_service: bool,
}

impl Version {
    fn of_places() -> Self {
        Self { template: PLACE_TEMPLATE, minor: "0", files: bundles::ENVIRONMENT, of_service: false }
    }

    fn of_pages(minor: &'static str, files: Files) -> Self {
        Self { template: PAGE_TEMPLATE, minor, files, of_service: true }
    }

    /// The one that an instance is upgraded to.
    pub(super) fn upgrade() -> Self {
        Self::of_pages("1", bundles::SERVICE_1_1)
    }

    /// Sees to it that the version is published. Whether there was something to do.
    pub(super) async fn publish(&self, client: &Client) -> anyhow::Result<bool> {
        let mut made = false;
        let until = Instant::now() + PATIENCE;
        loop {
            match self.status(client).await? {
                Some((TemplateVersionStatus::Published, _)) => return Ok(made),
                Some((TemplateVersionStatus::Draft, _)) => {
                    self.set_published(client).await?;
                    made = true;
                }
                Some((TemplateVersionStatus::RegistrationFailed, why)) => {
                    bail!("{self} is not registered: {}", why.unwrap_or_default())
                }
                Some((TemplateVersionStatus::RegistrationInProgress, _)) => patient(until, &self.to_string()).await?,
                None if made => bail!("{self} was deleted at this moment"),
                None => {
                    self.upload(client).await?;
                    made = true;
                }
            }
        }
    }

    async fn status(&self, client: &Client) -> anyhow::Result<Option<(TemplateVersionStatus, Option<String>)>> {
        let (template_name, minor_version) = (self.template.to_owned(), self.minor.to_owned());
        let major_version = "1".to_owned();
        Ok(if self.of_service {
            let input = api::GetServiceTemplateVersionInput { template_name, major_version, minor_version };
            found(client.get_service_template_version(input).await)?
                .map(|found| (found.service_template_version.status, found.service_template_version.status_message))
        } else {
            let input = api::GetEnvironmentTemplateVersionInput { template_name, major_version, minor_version };
            found(client.get_environment_template_version(input).await)?.map(|found| {
                (found.environment_template_version.status, found.environment_template_version.status_message)
            })
        })
    }

    async fn upload(&self, client: &Client) -> anyhow::Result<()> {
        let key = format!("{}-1.{}.tar.gz", self.template, self.minor);
        client.create_bucket(BUCKET).await?;
        client.put_object(BUCKET, &key, bundles::pack(self.files)?).await?;
        let source = api::TemplateVersionSourceInput::S3(api::S3ObjectSource { bucket: BUCKET.to_owned(), key });
        let template_name = self.template.to_owned();
        let major_version = (self.minor != "0").then(|| "1".to_owned());
        let (major, minor) = if self.of_service {
            let environments = api::CompatibleEnvironmentTemplateInput {
                template_name: PLACE_TEMPLATE.to_owned(),
                major_version: "1".to_owned(),
            };
            let input = api::CreateServiceTemplateVersionInput {
                template_name,
                major_version,
                source,
                compatible_environment_templates: vec![environments],
                client_token: None,
                description: None,
                supported_component_sources: None,
                tags: None,
            };
            let made = client.create_service_template_version(input).await?.service_template_version;
            (made.major_version, made.minor_version)
        } else {
            let input = api::CreateEnvironmentTemplateVersionInput {
                template_name,
                major_version,
                source,
                client_token: None,
                description: None,
                tags: None,
            };
            let made = client.create_environment_template_version(input).await?.environment_template_version;
            (made.major_version, made.minor_version)
        };
        if (major.as_str(), minor.as_str()) != ("1", self.minor) {
            bail!(
                "the template {} has other versions than those of a quickstart: the next one is {major}.{minor}, where \
                 1.{} should be. Begin anew: protium quickstart --clean",
                self.template,
                self.minor
            );
        }
        Ok(())
    }

    async fn set_published(&self, client: &Client) -> anyhow::Result<()> {
        let (template_name, minor_version) = (self.template.to_owned(), self.minor.to_owned());
        let (major_version, status) = ("1".to_owned(), Some(TemplateVersionStatus::Published));
        if self.of_service {
            let input = api::UpdateServiceTemplateVersionInput {
                template_name,
                major_version,
                minor_version,
                status,
                ..Default::default()
            };
            client.update_service_template_version(input).await?;
        } else {
            let input = api::UpdateEnvironmentTemplateVersionInput {
                template_name,
                major_version,
                minor_version,
                status,
                ..Default::default()
            };
            client.update_environment_template_version(input).await?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} 1.{}", self.template, self.minor)
    }
}
