//! Components: attached, changed, detached and deleted; and changes of instances and the pipeline that can't work.

use anyhow::{Context as _, Result, ensure};
use aws_sdk_proton::client::Waiters as _;
use aws_sdk_proton::types::{ComponentDeploymentUpdateType, DeploymentUpdateType};
use serde_json::json;

use crate::teller::{Story, service_spec, value};

impl Story {
    pub(crate) async fn components(&mut self) -> Result<()> {
        let bucket = format!("{}-alpha-uploads", self.setting.prefix);
        self.components_are_made(&bucket).await?;
        self.changes_work_or_fail().await?;
        self.components_go(&bucket).await
    }

    async fn components_are_made(&mut self, bucket: &str) -> Result<()> {
        let (manifest, template) =
            (self.file("components/manifest.yaml")?, self.file("components/cloudformation.yaml")?);
        let create = |name| self.proton.create_component().name(name).manifest(&manifest).template_file(&template);
        let uploads = create("uploads").service_name("shop").service_instance_name("dev").client_token("uploads-once");
        let (first, again) = (uploads.clone().send().await?, uploads.send().await?);
        let arn = first.component().context("no component")?.arn();
        ensure!(arn == again.component().context("no component")?.arn(), "{again:?}");
        create("spare").environment_name("alpha").send().await?;
        refused!(create("spare").environment_name("alpha"), is_conflict_exception);
        let spec = service_spec(json!({ "greeting": "welcome" }), &[("dev", json!({})), ("prod", json!({}))]);
        let update = self.proton.update_service_pipeline().service_name("shop").spec(spec);
        update.deployment_type(DeploymentUpdateType::CurrentVersion).send().await?;
        for name in ["uploads", "spare"] {
            wait!(self, wait_until_component_deployed, name = name);
        }
        wait!(self, wait_until_service_pipeline_deployed, name = "shop");
        wait!(self, wait_until_service_instance_deployed, service_name = "shop", name = "dev");
        let all = listed!(self, self.proton, list_components => components, 2, environment_name = "alpha");
        ensure!(all.len() == 2, "{all:?}");
        let outputs = listed_whole!(self, list_component_outputs => outputs, 2, component_name = "uploads");
        ensure!(value(&outputs, "Bucket")? == bucket && value(&outputs, "Component")? == "uploads", "{outputs:?}");
        listed_whole!(
            self, list_component_provisioned_resources => provisioned_resources, 1, component_name = "uploads"
        );
        ensure!(value(&self.instance_outputs("dev").await?, "OfComponent")? == bucket, "the instance runs without it");
        let outputs = self.proton.list_service_pipeline_outputs().service_name("shop").send().await?;
        ensure!(value(outputs.outputs(), "Greeting")? == "welcome", "{outputs:?}");
        self.note("a component is attached, and its instance was deployed again with it");
        Ok(())
    }

    /// A change of each that works, or does not.
    async fn changes_work_or_fail(&mut self) -> Result<()> {
        let welcome = json!({ "greeting": "welcome" });
        let broken = json!({ "greeting": "welcome", "broken": true });
        let spec = service_spec(broken, &[("dev", json!({})), ("prod", welcome)]);
        let spare = self.proton.update_component().name("spare").template_file(self.file("components/broken.yaml")?);
        spare.deployment_type(ComponentDeploymentUpdateType::CurrentVersion).send().await?;
        let pipeline = self.proton.update_service_pipeline().service_name("shop").spec(&spec);
        pipeline.deployment_type(DeploymentUpdateType::CurrentVersion).send().await?;
        let prod = self.proton.update_service_instance().service_name("shop").name("prod").spec(&spec);
        prod.deployment_type(DeploymentUpdateType::CurrentVersion).send().await?;
        let detach = self.proton.update_component().name("uploads").service_name("").service_instance_name("");
        detach.deployment_type(ComponentDeploymentUpdateType::CurrentVersion).send().await?;
        wait_fails!(self, wait_until_component_deployed, name = "spare");
        wait_fails!(self, wait_until_service_pipeline_deployed, name = "shop");
        wait!(self, wait_until_service_instance_deployed, service_name = "shop", name = "prod");
        wait!(self, wait_until_component_deployed, name = "uploads");
        wait!(self, wait_until_service_instance_deployed, service_name = "shop", name = "dev");
        let prod = self.instance_outputs("prod").await?;
        ensure!(value(&prod, "Greeting")? == "welcome", "{prod:?}");
        let dev = self.instance_outputs("dev").await?;
        ensure!(value(&dev, "OfComponent")? == "none", "{dev:?}");
        Ok(())
    }

    /// What CloudFormation can't delete at first goes the second time.
    async fn components_go(&mut self, bucket: &str) -> Result<()> {
        let welcome = json!({ "greeting": "welcome" });
        let spec = service_spec(welcome.clone(), &[("dev", json!({ "broken": true })), ("prod", welcome)]);
        let dev = self.proton.update_service_instance().service_name("shop").name("dev").spec(spec);
        dev.deployment_type(DeploymentUpdateType::CurrentVersion).send().await?;
        self.outside("PUT", bucket).await?;
        self.proton.delete_component().name("uploads").send().await?;
        wait_fails!(self, wait_until_service_instance_deployed, service_name = "shop", name = "dev");
        wait_fails!(self, wait_until_component_deleted, name = "uploads");
        self.outside("DELETE", bucket).await?;
        for name in ["uploads", "spare"] {
            self.proton.delete_component().name(name).send().await?;
        }
        for name in ["uploads", "spare"] {
            wait!(self, wait_until_component_deleted, name = name);
        }
        self.note("components are detached and deleted, and each change that can't work has failed");
        Ok(())
    }
}
