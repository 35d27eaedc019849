//! A site with all that components need: the environment `prod` with a component role, the service template
//! `tool` whose instances show what they see of their component, and the service `web` with the instance `a`.

use super::app::{Refused, TestApp};
use super::database::TestDb;
use super::double::text;
use super::service::{HANGS, Shop, but, files, is_of, plain_spec, step};
use protium::config::Config;
use protium_engines::double::{Behaviour, Takes};
use serde_json::{Value, json};
use std::ops::Deref;
use std::time::Duration;

/// The role in whose name components are provisioned.
pub const COMPONENT_ROLE: &str = "arn:aws:iam::000000000000:role/components";
/// The template of instances: an output that shows what they see of their component.
pub const USER: &str = r#"{
  "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": "{{ service_instance.inputs.port }}"}}},
  "Outputs": {"Sees": {"Value": "{{ service_instance.components.default.name | default('nothing') }} {{ service_instance.components.default.outputs.Bucket | default('-') }}"}}
}"#;
/// The template of components: an output that shows what it was rendered with.
pub const BUCKET: &str = r#"{
  "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
  "Outputs": {"Bucket": {"Value": "{{ component.name }}@{{ environment.outputs.Size }}{% if service_instance is defined %} {{ service.name }}/{{ service_instance.name }}:{{ service_instance.inputs.port }}{% endif %}"}}
}"#;
/// The same, with something that is not an output changed.
pub const VERSIONED_BUCKET: &str = r#"{
  "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}}},
  "Outputs": {"Bucket": {"Value": "{{ component.name }}@{{ environment.outputs.Size }}{% if service_instance is defined %} {{ service.name }}/{{ service_instance.name }}:{{ service_instance.inputs.port }}{% endif %}"}}
}"#;
/// Another output.
pub const OTHER_BUCKET: &str = r#"{
  "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
  "Outputs": {"Bucket": {"Value": "another"}}
}"#;
/// A template that can be rendered for an attached component only.
pub const NEEDS_INSTANCE: &str = r#"{
  "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
  "Outputs": {"Bucket": {"Value": "{{ service.name }}-{{ service_instance.name }}"}}
}"#;
pub const MANIFEST: &str = super::bundle::CLOUDFORMATION_MANIFEST;
/// More steps than anything takes here.
const STEPS: usize = 600;

/// A site that components can be made on.
pub struct Workshop {
    pub shop: Shop,
}

impl Deref for Workshop {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}

impl Workshop {
    pub async fn on(db: &TestDb) -> Self {
        Self::with(db, |_| {}).await
    }

    /// With changed settings.
    pub async fn with(db: &TestDb, change: impl FnOnce(&mut Config)) -> Self {
        let shop = Shop::with(db, change).await;
        let role = json!({ "name": "prod", "deploymentType": "NONE", "componentRoleArn": COMPONENT_ROLE });
        shop.app.ok("UpdateEnvironment", role).await;
        Self::bare(shop).await
    }

    /// On a shop with an environment `prod` for components, which may still be under way.
    pub async fn bare(shop: Shop) -> Self {
        let template = json!({ "name": "tool", "pipelineProvisioning": "CUSTOMER_MANAGED" });
        shop.app.ok("CreateServiceTemplate", template).await;
        shop.published("tool", &files(USER, USER), None, &["env:1"]).await;
        let workshop = Self { shop };
        workshop.support("1.0", &["DIRECTLY_DEFINED"]).await;
        workshop.served("web", &[("a", 1)]).await;
        workshop
    }

    /// Sets what component sources a version of `tool` supports.
    pub async fn support(&self, version: &str, sources: &[&str]) {
        let (major, minor) = version.split_once('.').unwrap();
        let input = json!({
            "templateName": "tool", "majorVersion": major, "minorVersion": minor, "supportedComponentSources": sources,
        });
        self.app.ok("UpdateServiceTemplateVersion", input).await;
    }

    /// Creates a service on `tool` 1 and takes it to `ACTIVE`.
    pub async fn served(&self, name: &str, instances: &[(&str, u16)]) {
        self.app.ok("CreateService", create_tool(name, instances)).await;
        self.until(name, "ACTIVE").await;
    }

    /// Ends the process, and begins another one on the same database.
    pub async fn restart(self, db: &mut TestDb) -> Self {
        Self { shop: self.shop.restart(db).await }
    }

    pub async fn component(&self, name: &str) -> Value {
        self.app.ok("GetComponent", json!({ "name": name })).await["component"].clone()
    }

    pub async fn create(&self, input: Value) -> Result<Value, Refused> {
        self.app.call("CreateComponent", input).await.map(|answer| answer["component"].clone())
    }

    pub async fn change(&self, input: Value) -> Result<Value, Refused> {
        self.app.call("UpdateComponent", input).await.map(|answer| answer["component"].clone())
    }

    pub async fn remove(&self, name: &str) -> Result<Value, Refused> {
        self.app.call("DeleteComponent", json!({ "name": name })).await
    }

    pub async fn cancel_component(&self, name: &str) -> Result<Value, Refused> {
        let input = json!({ "componentName": name });
        self.app.call("CancelComponentDeployment", input).await.map(|answer| answer["component"].clone())
    }

    /// Creates a component and takes it, and its instance, to the end.
    pub async fn made(&self, input: Value) -> Value {
        let name = text(&input["name"]).to_owned();
        self.create(input).await.unwrap();
        self.finish().await;
        let component = self.component(&name).await;
        assert_eq!(component["deploymentStatus"], "SUCCEEDED", "{component}");
        component
    }

    /// Updates a component and takes it, and its instance, to the end.
    pub async fn changed(&self, input: Value) -> Value {
        let name = text(&input["name"]).to_owned();
        self.change(input).await.unwrap();
        self.finish().await;
        self.component(&name).await
    }

    /// What the last deployment of `web/a` saw of its component.
    pub async fn sees(&self) -> String {
        text(&self.outputs_of("web", Some("a")).await["Sees"]).to_owned()
    }

    /// The output of a component.
    pub async fn bucket(&self, name: &str) -> String {
        let answer = self.app.ok("ListComponentOutputs", json!({ "componentName": name })).await;
        match answer["outputs"].as_array().unwrap().as_slice() {
            [] => String::new(),
            [output] => text(&output["valueString"]).to_owned(),
            more => panic!("{more:?}"),
        }
    }

    /// How often `web/a` was deployed.
    pub async fn deployments(&self) -> usize {
        let input = json!({ "serviceName": "web", "serviceInstanceName": "a" });
        self.app.ok("ListDeployments", input).await["deployments"].as_array().unwrap().len()
    }

    /// The records of a component, the newest first.
    pub async fn records_of(&self, component: &str) -> Vec<Value> {
        records(&self.app, json!({ "componentName": component })).await
    }

    /// The records of a service instance, the newest first.
    pub async fn records_of_instance(&self, service: &str, name: &str) -> Vec<Value> {
        records(&self.app, json!({ "serviceName": service, "serviceInstanceName": name })).await
    }

    /// `bucket SUCCEEDED on web/a, a IN_PROGRESS`: a component, and the instance `web/a`.
    pub async fn both(&self, component: &str) -> String {
        let shown = match self.app.call("GetComponent", json!({ "name": component })).await {
            Ok(answer) => {
                let shown = &answer["component"];
                let place = match (shown.get("serviceName"), shown.get("serviceInstanceName")) {
                    (Some(service), Some(instance)) => format!(" on {}/{}", text(service), text(instance)),
                    (None, None) => String::new(),
                    other => panic!("{other:?}"),
                };
                format!("{component} {}{place}", text(&shown["deploymentStatus"]))
            }
            Err(refused) => {
                assert_eq!(refused.code, "ResourceNotFoundException");
                format!("{component} gone")
            }
        };
        format!("{shown}, a {}", text(&self.instance("web", "a").await["deploymentStatus"]))
    }

    /// Steps until both stand so.
    pub async fn until_both(&self, component: &str, expected: &str) {
        let mut last = String::new();
        for _ in 0..STEPS {
            last = self.both(component).await;
            if last == expected {
                return;
            }
            assert!(step(&self.app).await, "nothing is left to do, and it is {last}, not {expected}");
        }
        panic!("it stays {last} and does not become {expected}");
    }

    /// What is done to stacks is in progress until [`Shop::release`].
    pub fn hang(&self) {
        self.double.behave(|_| Behaviour::done().taking(Takes::Time(HANGS)));
    }

    /// What is done to these stacks takes so long, from when on [`Double::advance`](protium_engines::double::Double)
    /// lets time pass.
    pub fn slow(&self, stacks: &[(&'static str, Duration)]) {
        let stacks = stacks.to_vec();
        self.double.behave(move |operation| match stacks.iter().find(|(called, _)| is_of(operation.stack, called)) {
            Some((_, time)) => Behaviour::done().taking(Takes::Time(*time)),
            None => Behaviour::done(),
        });
    }
}

/// The records that a listing shows, each in full.
pub async fn records(app: &TestApp, filter: Value) -> Vec<Value> {
    let mut records = Vec::new();
    for one in app.ok("ListDeployments", filter).await["deployments"].as_array().unwrap() {
        records.push(app.ok("GetDeployment", json!({ "id": one["id"] })).await["deployment"].clone());
    }
    records
}

/// The input of a create of a service on `tool` 1.
pub fn create_tool(name: &str, instances: &[(&str, u16)]) -> Value {
    json!({ "name": name, "templateName": "tool", "templateMajorVersion": "1", "spec": plain_spec(instances) })
}

/// The input of a create that is in `prod` only.
pub fn detached(name: &str) -> Value {
    json!({ "name": name, "environmentName": "prod", "manifest": MANIFEST, "templateFile": BUCKET })
}

/// The input of a create that is attached to `web/a`.
pub fn attached(name: &str) -> Value {
    but(detached(name), json!({ "environmentName": null, "serviceName": "web", "serviceInstanceName": "a" }))
}

/// The input of an update that deploys, with more members.
pub fn deploy(name: &str, members: Value) -> Value {
    but(json!({ "name": name, "deploymentType": "CURRENT_VERSION" }), members)
}

/// The input of an update that attaches to `web/a`.
pub fn attach(name: &str) -> Value {
    deploy(name, json!({ "serviceName": "web", "serviceInstanceName": "a" }))
}

/// The input of an update that detaches.
pub fn detach(name: &str) -> Value {
    deploy(name, json!({ "serviceName": "", "serviceInstanceName": "" }))
}
