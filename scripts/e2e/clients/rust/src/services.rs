//! A service: made, updated, its history; tags and counts.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_proton::client::Waiters as _;
use aws_sdk_proton::types::{
    BlockerStatus, DeploymentState, DeploymentUpdateType, ListServiceInstancesSortBy, Output, RepositoryProvider,
    SortOrder,
};
use serde_json::json;

use crate::teller::{Story, service_spec, value};
use crate::templates::tag;

impl Story {
    pub(crate) async fn services(&mut self) -> Result<()> {
        let create = |name: &str, spec: String| {
            let request = self.proton.create_service().name(name).template_name("web").template_major_version("1");
            let request = request.repository_connection_arn(self.connection_arn()).repository_id("team/shop");
            request.branch_name("main").spec(spec)
        };
        let shop = create("shop", service_spec(json!({}), &[("dev", json!({})), ("prod", json!({}))]));
        let message = refused!(shop.clone(), is_validation_exception);
        ensure!(message.contains("Operation cannot be run until pipeline roles have been configured"), "{message}");
        self.proton.update_account_settings().pipeline_service_role_arn(&self.role).send().await?;
        shop.send().await?;
        create("sad", service_spec(json!({}), &[("dev", json!({ "broken": true }))])).send().await?;
        wait!(self, wait_until_service_created, name = "shop");
        wait_fails!(self, wait_until_service_created, name = "sad");
        wait!(self, wait_until_service_pipeline_deployed, name = "shop");
        for name in ["dev", "prod"] {
            wait!(self, wait_until_service_instance_deployed, service_name = "shop", name = name);
        }
        self.services_are_listed().await?;
        let service = self.proton.get_service().name("shop").send().await?;
        self.is_recent(service.service().context("no service")?.created_at())?;
        let config = self.proton.create_service_sync_config().service_name("shop").branch("main");
        let config = config.repository_provider(RepositoryProvider::Github).repository_name("team/shop");
        config.file_path("ops/proton-ops.yaml").send().await?;
        self.note("a service with two instances and a pipeline is active, and one has failed");
        Ok(())
    }

    async fn services_are_listed(&mut self) -> Result<()> {
        let services = listed!(self, self.proton, list_services => services, 2);
        ensure!(services.len() == 2, "{services:?}");
        let instances = listed!(
            self, self.proton, list_service_instances => service_instances, 3,
            sort_by = ListServiceInstancesSortBy::Name, sort_order = SortOrder::Descending
        );
        let names: Vec<_> = instances.iter().map(|instance| instance.name()).collect();
        ensure!(names == ["prod", "dev", "dev"], "{names:?}");
        let outputs = listed_whole!(
            self, list_service_instance_outputs => outputs, 3, service_name = "shop", service_instance_name = "prod"
        );
        let bucket = format!("{}-shared-shop-prod", self.setting.prefix);
        ensure!(value(&outputs, "Bucket")? == bucket, "{outputs:?}");
        listed_whole!(
            self, list_service_instance_provisioned_resources => provisioned_resources, 1, service_name = "shop",
            service_instance_name = "prod"
        );
        let outputs = listed_whole!(self, list_service_pipeline_outputs => outputs, 2, service_name = "shop");
        ensure!(value(&outputs, "Instances")?.contains(&format!("prod={bucket}")), "{outputs:?}");
        listed_whole!(
            self, list_service_pipeline_provisioned_resources => provisioned_resources, 1, service_name = "shop"
        );
        Ok(())
    }

    pub(crate) async fn instance_outputs(&self, name: &str) -> Result<Vec<Output>> {
        let request = self.proton.list_service_instance_outputs().service_name("shop").service_instance_name(name);
        Ok(request.send().await?.outputs)
    }

    pub(crate) async fn service_updates(&mut self) -> Result<()> {
        // What has failed above is not in the service's spec.
        let welcome = json!({ "greeting": "welcome" });
        let mut instances = vec![("dev", json!({})), ("prod", welcome.clone()), ("extra", json!({}))];
        let update = self.proton.update_service().name("shop").spec(service_spec(welcome.clone(), &instances));
        update.send().await?;
        wait!(self, wait_until_service_updated, name = "shop");
        let outputs = self.instance_outputs("extra").await?;
        ensure!(value(&outputs, "Bucket")? == format!("{}-alpha-shop-extra", self.setting.prefix), "{outputs:?}");
        instances.push(("doomed", json!({ "broken": true })));
        let update = self.proton.update_service().name("shop").spec(service_spec(welcome, &instances));
        update.send().await?;
        wait_fails!(self, wait_until_service_updated, name = "shop");
        self.blocker().await?;
        self.note("the service has an instance more, and could not get another one");
        Ok(())
    }

    /// A change by hand blocks syncs, until somebody says why not.
    async fn blocker(&self) -> Result<()> {
        let summary =
            self.proton.get_service_sync_blocker_summary().service_name("shop").service_instance_name("extra");
        let summary = summary.send().await?.service_sync_blocker_summary.context("no summary")?;
        let blocker = summary.latest_blockers().first().context("no blocker")?;
        ensure!(*blocker.status() == BlockerStatus::Active, "{blocker:?}");
        self.is_recent(blocker.created_at())?;
        let resolve = self.proton.update_service_sync_blocker().id(blocker.id()).resolved_reason("it is in Git now");
        let resolved = resolve.send().await?.service_sync_blocker.context("no blocker")?;
        ensure!(*resolved.status() == BlockerStatus::Resolved, "{resolved:?}");
        Ok(())
    }

    pub(crate) async fn history_and_tags(&mut self) -> Result<()> {
        let deployments = listed!(self, self.proton, list_deployments => deployments, 5, service_name = "shop");
        self.is_recent(deployments[0].created_at())?;
        let of_prod = deployments.iter().find(|deployment| deployment.service_instance_name() == Some("prod"));
        let one = self.proton.get_deployment().id(of_prod.context("no deployment of prod")?.id()).send().await?;
        let state = one.deployment().context("no deployment")?.target_state();
        ensure!(matches!(state, Some(DeploymentState::ServiceInstance(_))), "{one:?}");
        let spec = self.environment_spec("alpha", json!({ "greeting": "welcome" }));
        let update = self.proton.update_environment().name("alpha").spec(spec);
        update.deployment_type(DeploymentUpdateType::CurrentVersion).send().await?;
        wait!(self, wait_until_environment_deployed, name = "alpha");
        let outputs = self.proton.list_environment_outputs().environment_name("alpha").send().await?;
        ensure!(value(outputs.outputs(), "Greeting")? == "welcome", "{outputs:?}");
        let summary = self.proton.get_resources_summary().send().await?;
        let counts = summary.counts().and_then(|counts| counts.environments()).context("no counts")?;
        ensure!((counts.total(), counts.failed()) == (3, Some(1)), "{counts:?}");
        let (region, account) = (&self.setting.region, &self.setting.account);
        let network = format!("arn:aws:proton:{region}:{account}:environment-template/network");
        self.proton.tag_resource().resource_arn(&network).tags(tag("owner", "me")?).send().await?;
        self.proton.untag_resource().resource_arn(&network).tag_keys("stage").send().await?;
        let tags = listed!(self, self.proton, list_tags_for_resource => tags, 2, resource_arn = &network);
        let mut own: Vec<_> = tags.iter().map(|tag| (tag.key(), tag.value())).collect();
        own.retain(|(key, _)| !key.starts_with("aws:"));
        own.sort_unstable();
        ensure!(own == [("owner", "me"), ("team", "platform")], "{tags:?}");
        self.note("the history, the tags and the counts are right");
        Ok(())
    }
}
