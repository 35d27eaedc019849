//! Everything goes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use aws_sdk_proton::client::Waiters as _;
use aws_sdk_proton::types::{RepositoryProvider, TemplateType};

use crate::teller::{PATIENCE, Story};

/// The three versions of both templates of a kind, the recommended one after the other; and then the templates.
macro_rules! delete_templates {
    ($story:ident, $name:literal, $delete_version:ident, $delete:ident) => {
        let broken = concat!($name, "-too");
        for (template, minor) in [($name, "0"), ($name, "1"), (broken, "0")] {
            let version = $story.proton.$delete_version().template_name(template);
            version.major_version("1").minor_version(minor).send().await?;
        }
        for name in [$name, broken] {
            $story.proton.$delete().name(name).send().await?;
        }
    };
}

impl Story {
    /// What CloudFormation can't delete at first goes the second time.
    pub(crate) async fn farewell(&mut self) -> Result<()> {
        self.proton.delete_service_sync_config().service_name("shop").send().await?;
        let bucket = format!("{}-shared-shop-prod", self.setting.prefix);
        self.outside("PUT", &bucket).await?;
        for name in ["sad", "shop"] {
            self.proton.delete_service().name(name).send().await?;
        }
        wait!(self, wait_until_service_deleted, name = "sad");
        wait_fails!(self, wait_until_service_deleted, name = "shop");
        self.outside("DELETE", &bucket).await?;
        self.proton.delete_service().name("shop").send().await?;
        wait!(self, wait_until_service_deleted, name = "shop");
        for name in ["alpha", "shared", "faulty"] {
            self.proton.delete_environment().name(name).send().await?;
        }
        for name in ["alpha", "shared", "faulty"] {
            self.environment_goes(name).await?;
        }
        for id in &self.connections {
            self.other.delete_environment_account_connection().id(id).send().await?;
        }
        let config = self.proton.delete_template_sync_config().template_name("network");
        config.template_type(TemplateType::Environment).send().await?;
        for name in ["team/infrastructure", "team/shop"] {
            self.proton.delete_repository().provider(RepositoryProvider::Github).name(name).send().await?;
        }
        delete_templates!(self, "web", delete_service_template_version, delete_service_template);
        delete_templates!(self, "network", delete_environment_template_version, delete_environment_template);
        ensure!(self.proton.list_services().send().await?.services().is_empty(), "services are left");
        ensure!(self.proton.list_environments().send().await?.environments().is_empty(), "environments are left");
        ensure!(self.proton.list_service_templates().send().await?.templates().is_empty(), "templates are left");
        ensure!(self.proton.list_repositories().send().await?.repositories().is_empty(), "repositories are left");
        self.note("everything is deleted");
        Ok(())
    }

    /// There is no waiter for an environment that goes.
    async fn environment_goes(&self, name: &str) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.proton.get_environment().name(name).send().await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(200)).await,
                Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        bail!("{name} is still there")
    }
}
