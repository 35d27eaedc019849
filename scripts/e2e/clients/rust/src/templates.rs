//! Templates and their versions, the identity of the caller, and repositories.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_proton::client::Waiters as _;
use aws_sdk_proton::types::{
    CompatibleEnvironmentTemplateInput, RepositoryProvider, S3ObjectSource,
    ServiceTemplateSupportedComponentSourceType, SyncType, Tag, TemplateType, TemplateVersionSourceInput,
    TemplateVersionStatus,
};

use crate::teller::Story;

fn source(key: &str) -> Result<TemplateVersionSourceInput> {
    Ok(TemplateVersionSourceInput::S3(S3ObjectSource::builder().bucket("bundles").key(key).build()?))
}

pub(crate) fn tag(key: &str, value: &str) -> Result<Tag> {
    Ok(Tag::builder().key(key).value(value).build()?)
}

/// What is the same with both kinds of templates. `$more` are the members that a version needs beside.
macro_rules! versions {
    ($story:ident, $name:literal, $key:literal, $create:ident, $version:ident $(, $member:ident = $value:expr)*) => {{
        let create = |key: &str| anyhow::Ok($story.proton.$create()$(.$member($value))*.source(source(key)?));
        // The answer to the first of these gets lost on the way. The client repeats it with the token that it made, and
        // nothing is made twice.
        let answer = create($key)?.template_name($name).send().await?;
        let first = answer.$version().context("no version")?;
        ensure!((first.major_version(), first.minor_version()) == ("1", "0"), "{first:?}");
        for _ in 0..2 {
            let second = create($key)?.template_name($name).major_version("1").client_token($key);
            let answer = second.send().await?;
            ensure!(answer.$version().context("no version")?.minor_version() == "1", "{answer:?}");
        }
        create("broken.tar.gz")?.template_name(concat!($name, "-too")).send().await?;
    }};
}

/// Both versions register and are published; the broken one does not register.
macro_rules! publish {
    ($story:ident, $name:literal, $waiter:ident, $update:ident, $list:ident) => {{
        for minor in ["0", "1"] {
            wait!($story, $waiter, template_name = $name, major_version = "1", minor_version = minor);
            let update = $story.proton.$update().template_name($name).major_version("1").minor_version(minor);
            update.status(TemplateVersionStatus::Published).send().await?;
        }
        let broken = concat!($name, "-too");
        wait_fails!($story, $waiter, template_name = broken, major_version = "1", minor_version = "0");
        let versions = listed!(
            $story, $story.proton, $list => template_versions, 2, template_name = $name, major_version = "1"
        );
        ensure!(versions.len() == 2, "{versions:?}");
    }};
}

impl Story {
    pub(crate) async fn identity(&self) -> Result<()> {
        let identity = self.sts.get_caller_identity().send().await?;
        ensure!(identity.account() == Some(&self.setting.account), "{identity:?}");
        Ok(())
    }

    pub(crate) async fn templates(&mut self) -> Result<()> {
        let network = self.proton.create_environment_template().name("network").display_name("Network");
        let made = network.tags(tag("team", "platform")?).tags(tag("stage", "test")?).send().await?;
        self.is_recent(made.environment_template().context("no template")?.created_at())?;
        self.proton.create_environment_template().name("network-too").send().await?;
        self.proton.create_service_template().name("web").send().await?;
        self.proton.create_service_template().name("web-too").send().await?;
        versions!(
            self,
            "network",
            "environment.tar.gz",
            create_environment_template_version,
            environment_template_version
        );
        let compatible = CompatibleEnvironmentTemplateInput::builder().template_name("network").major_version("1");
        let compatible = compatible.build()?;
        versions!(
            self,
            "web",
            "service.tar.gz",
            create_service_template_version,
            service_template_version,
            compatible_environment_templates = compatible.clone(),
            supported_component_sources = ServiceTemplateSupportedComponentSourceType::DirectlyDefined
        );
        publish!(
            self,
            "network",
            wait_until_environment_template_version_registered,
            update_environment_template_version,
            list_environment_template_versions
        );
        publish!(
            self,
            "web",
            wait_until_service_template_version_registered,
            update_service_template_version,
            list_service_template_versions
        );
        let templates = listed!(self, self.proton, list_environment_templates => templates, 2);
        ensure!(templates.len() == 2, "{templates:?}");
        let templates = listed!(self, self.proton, list_service_templates => templates, 2);
        ensure!(templates.len() == 2, "{templates:?}");
        self.note("templates are registered and published");
        Ok(())
    }

    pub(crate) async fn repositories(&mut self) -> Result<()> {
        for name in ["team/infrastructure", "team/shop"] {
            let create = self.proton.create_repository().provider(RepositoryProvider::Github).name(name);
            create.connection_arn(self.connection_arn()).send().await?;
        }
        let repositories = listed!(self, self.proton, list_repositories => repositories, 2);
        ensure!(repositories.len() == 2, "{repositories:?}");
        let config = self.proton.create_template_sync_config().template_name("network");
        let config = config.template_type(TemplateType::Environment).branch("main").subdirectory("network");
        let config = config.repository_provider(RepositoryProvider::Github).repository_name("team/infrastructure");
        config.send().await?;
        let definitions = listed_whole!(
            self, list_repository_sync_definitions => sync_definitions, 1,
            repository_provider = RepositoryProvider::Github, repository_name = "team/infrastructure",
            sync_type = SyncType::TemplateSync
        );
        ensure!((definitions[0].parent(), definitions[0].branch()) == ("network", "main"), "{definitions:?}");
        let status = self.proton.get_template_sync_status().template_name("network");
        let status = status.template_type(TemplateType::Environment).template_version("1").send().await?;
        ensure!(status.latest_sync().is_none() && status.desired_state().is_none(), "{status:?}");
        let delete = self.proton.delete_repository().provider(RepositoryProvider::Github).name("team/infrastructure");
        refused!(delete, is_conflict_exception);
        self.note("repositories are linked, and a template follows one");
        Ok(())
    }
}
