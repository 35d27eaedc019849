//! A site with all that services need: the environment `prod`, the template `svc` with a pipeline and the template
//! `plain` without one. Services are told apart by how they stand, in one line.

use super::app::{Refused, TestApp};
use super::bundle;
use super::database::TestDb;
use super::double::{ROLE, Site, text, version_of};
use protium::config::Config;
use protium::store::job_next_due;
use protium::worker::run_one;
use protium_engines::double::{Behaviour, Takes};
use serde_json::{Value, json};
use std::ops::Deref;
use std::time::Duration;

/// The template of instances: an output that shows what it was rendered with.
pub const INSTANCE: &str = r#"{
  "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": "{{ service_instance.inputs.port }}"}}},
  "Outputs": {"Url": {"Value": "{{ service.name }}/{{ service_instance.name }}:{{ service_instance.inputs.port }}@{{ environment.outputs.Size }}"}}
}"#;
/// The template of pipelines: it shows the outputs of the instances.
pub const PIPELINE: &str = r#"{
  "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "{{ pipeline.inputs.branch }}"}}},
  "Outputs": {
    "Source": {"Value": "{{ service.repository_id }} {{ pipeline.inputs.branch }}"},
    "Targets": {"Value": "{% for one in service_instances %}[{{ one.outputs.Url }}]{% endfor %}"}
  }
}"#;
/// How long a stack takes that hangs.
pub const HANGS: Duration = Duration::from_secs(24 * 60 * 60);
/// More steps than anything takes here.
const STEPS: usize = 600;

/// A site that services can be made on.
pub struct Shop {
    pub site: Site,
}

impl Deref for Shop {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Shop {
    pub async fn on(db: &TestDb) -> Self {
        Self::with(db, |_| {}).await
    }

    /// With changed settings.
    pub async fn with(db: &TestDb, change: impl FnOnce(&mut Config)) -> Self {
        Self::of(Site::with(db, change).await).await
    }

    /// On a site that has the template `env`.
    pub async fn of(site: Site) -> Self {
        let shop = Self { site };
        shop.app.ok("UpdateAccountSettings", json!({ "pipelineServiceRoleArn": ROLE })).await;
        shop.app.ok("CreateServiceTemplate", json!({ "name": "svc" })).await;
        shop.app
            .ok("CreateServiceTemplate", json!({ "name": "plain", "pipelineProvisioning": "CUSTOMER_MANAGED" }))
            .await;
        for template in ["svc", "plain"] {
            shop.published(template, &files(INSTANCE, PIPELINE), None, &["env:1"]).await;
        }
        shop.deployed("prod").await;
        shop
    }

    /// Ends the process, and begins another one on the same database.
    pub async fn restart(self, db: &mut TestDb) -> Self {
        Self { site: self.site.restart(db).await }
    }

    /// Registers a version that works with these environment templates; answers its number.
    pub async fn draft(
        &self,
        template: &str,
        files: &[(&str, &str)],
        major: Option<&str>,
        compatible: &[&str],
    ) -> String {
        let key = format!("{}.tar.gz", uuid::Uuid::new_v4());
        self.app.upload("bundles", &key, bundle::pack(files)).await;
        let compatible = compatible.iter().map(|one| one.split_once(':').unwrap());
        let compatible: Vec<Value> =
            compatible.map(|(name, major)| json!({ "templateName": name, "majorVersion": major })).collect();
        let input = json!({
            "templateName": template, "majorVersion": major, "compatibleEnvironmentTemplates": compatible,
            "source": { "s3": { "bucket": "bundles", "key": key } },
        });
        let made = self.app.ok("CreateServiceTemplateVersion", input).await["serviceTemplateVersion"].clone();
        self.app.work().await;
        let number = format!("{}.{}", text(&made["majorVersion"]), text(&made["minorVersion"]));
        let made = self.app.ok("GetServiceTemplateVersion", version_of(template, &number)).await;
        assert_eq!(made["serviceTemplateVersion"]["status"], "DRAFT", "{made}");
        number
    }

    /// The same, published.
    pub async fn published(
        &self,
        template: &str,
        files: &[(&str, &str)],
        major: Option<&str>,
        compatible: &[&str],
    ) -> String {
        let number = self.draft(template, files, major, compatible).await;
        let mut input = version_of(template, &number);
        input["status"] = "PUBLISHED".into();
        self.app.ok("UpdateServiceTemplateVersion", input).await;
        number
    }

    /// Creates a service with a pipeline and takes it to `ACTIVE`.
    pub async fn active(&self, name: &str, instances: &[(&str, u16)]) {
        self.app.ok("CreateService", create(name, instances)).await;
        self.until(name, "ACTIVE").await;
    }

    /// The same without a pipeline.
    pub async fn active_plain(&self, name: &str, instances: &[(&str, u16)]) {
        self.app.ok("CreateService", create_plain(name, instances)).await;
        self.until(name, "ACTIVE").await;
    }

    pub async fn get(&self, name: &str) -> Value {
        self.app.ok("GetService", json!({ "name": name })).await["service"].clone()
    }

    pub async fn instance(&self, service: &str, name: &str) -> Value {
        let input = json!({ "serviceName": service, "name": name });
        self.app.ok("GetServiceInstance", input).await["serviceInstance"].clone()
    }

    pub async fn update_service(&self, name: &str, spec: &str) -> Result<Value, Refused> {
        self.app
            .call("UpdateService", json!({ "name": name, "spec": spec }))
            .await
            .map(|answer| answer["service"].clone())
    }

    pub async fn delete_service(&self, name: &str) -> Result<Value, Refused> {
        self.app.call("DeleteService", json!({ "name": name })).await
    }

    /// `ACTIVE, a SUCCEEDED, b FAILED, pipeline SUCCEEDED`, or `gone`.
    pub async fn stands(&self, name: &str) -> String {
        stands(&self.app, name).await
    }

    /// Steps until the service stands so; the beginning of how it stands is enough.
    pub async fn until(&self, name: &str, expected: &str) {
        let mut last = String::new();
        for _ in 0..STEPS {
            last = self.stands(name).await;
            if last.starts_with(expected) {
                return;
            }
            assert!(step(&self.app).await, "nothing is left to do, and the service is {last}, not {expected}");
        }
        panic!("the service stays {last} and does not become {expected}");
    }

    /// Stacks whose names begin so fail at these actions, all others work.
    pub fn fail(&self, failing: &[(&'static str, &'static str)]) {
        let failing = failing.to_vec();
        self.double.behave(move |operation| {
            let fails =
                failing.iter().any(|(action, stack)| operation.action == *action && is_of(operation.stack, stack));
            if fails { Behaviour::fails("Queue", "AWS::SQS::Queue", "no more queues") } else { Behaviour::done() }
        });
    }

    /// Like [`Shop::fail`]; what is done to the stack `hanging` is in progress until [`Shop::release`].
    pub fn fail_and_hang(&self, failing: &[(&'static str, &'static str)], hanging: &'static str) {
        let failing = failing.to_vec();
        self.double.behave(move |operation| {
            let fails =
                failing.iter().any(|(action, stack)| operation.action == *action && is_of(operation.stack, stack));
            let behaviour =
                if fails { Behaviour::fails("Queue", "AWS::SQS::Queue", "no more queues") } else { Behaviour::done() };
            if is_of(operation.stack, hanging) { behaviour.taking(Takes::Time(HANGS)) } else { behaviour }
        });
    }

    /// From now on everything works at once, and what hung goes on.
    pub fn release(&self) {
        self.double.behave(|_| Behaviour::done());
        self.double.advance(HANGS * 2);
    }

    /// The stacks to which an action was done, as `web-a` (an instance), `web` (a pipeline) or `prod`.
    pub fn done(&self, action: &str) -> Vec<String> {
        let calls = self.double.calls().into_iter().filter(|call| call.action == action && call.effective);
        calls.map(|call| short(&call.parameters["StackName"])).collect()
    }

    /// The outputs of an instance, or of the pipeline, as an object.
    pub async fn outputs_of(&self, service: &str, instance: Option<&str>) -> Value {
        let answer = match instance {
            Some(instance) => {
                let input = json!({ "serviceName": service, "serviceInstanceName": instance });
                self.app.ok("ListServiceInstanceOutputs", input).await
            }
            None => self.app.ok("ListServicePipelineOutputs", json!({ "serviceName": service })).await,
        };
        let outputs = answer["outputs"].as_array().unwrap().iter();
        outputs.map(|one| (text(&one["key"]).to_owned(), one["valueString"].clone())).collect()
    }

    /// The tags of a resource as an object, those of users only.
    pub async fn tags_of(&self, arn: &str) -> Value {
        let answer = self.app.ok("ListTagsForResource", json!({ "resourceArn": arn })).await;
        let tags = answer["tags"].as_array().unwrap().iter();
        let own = tags.filter(|tag| !text(&tag["key"]).starts_with("aws:proton:"));
        own.map(|tag| (text(&tag["key"]).to_owned(), tag["value"].clone())).collect()
    }
}

/// See [`Shop::stands`].
pub async fn stands(app: &TestApp, name: &str) -> String {
    let service = match app.call("GetService", json!({ "name": name })).await {
        Ok(answer) => answer["service"].clone(),
        Err(refused) => {
            assert_eq!(refused.code, "ResourceNotFoundException");
            return "gone".to_owned();
        }
    };
    let mut line = text(&service["status"]).to_owned();
    let answer = app.ok("ListServiceInstances", json!({ "serviceName": name })).await;
    for instance in answer["serviceInstances"].as_array().unwrap() {
        line += &format!(", {} {}", text(&instance["name"]), text(&instance["deploymentStatus"]));
    }
    if let Some(pipeline) = service.get("pipeline") {
        line += &format!(", pipeline {}", text(&pipeline["deploymentStatus"]));
    }
    line
}

/// Runs one job, after so much time that one is due. `false` if there is none.
pub async fn step(app: &TestApp) -> bool {
    while !run_one(&app.app, "test").await.unwrap() {
        let mut reader = app.store().reader().await.unwrap();
        let now = reader.now_ms().await.unwrap();
        let Some(next) = job_next_due(&mut reader).await.unwrap() else { return false };
        app.pass((next - now).max(0));
    }
    true
}

/// The files of a service bundle with these templates.
pub fn files<'a>(instance: &'a str, pipeline: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("schema/schema.yaml", bundle::SERVICE_SCHEMA),
        ("instance_infrastructure/manifest.yaml", bundle::CLOUDFORMATION_MANIFEST),
        ("instance_infrastructure/cloudformation.yaml", instance),
        ("pipeline_infrastructure/manifest.yaml", bundle::CLOUDFORMATION_MANIFEST),
        ("pipeline_infrastructure/cloudformation.yaml", pipeline),
    ]
}

/// A spec with instances in `prod` that have these ports.
pub fn plain_spec(instances: &[(&str, u16)]) -> String {
    let mut spec = "proton: ServiceSpec\n".to_owned();
    spec += "instances:\n";
    for (name, port) in instances {
        spec += &format!("  - name: {name}\n    environment: prod\n    spec:\n      port: {port}\n");
    }
    spec
}

/// The same with a pipeline for the branch `main`.
pub fn spec(instances: &[(&str, u16)]) -> String {
    on_branch("main", instances)
}

pub fn on_branch(branch: &str, instances: &[(&str, u16)]) -> String {
    let pipeline = format!("proton: ServiceSpec\npipeline:\n  branch: {branch}\n");
    plain_spec(instances).replacen("proton: ServiceSpec\n", &pipeline, 1)
}

/// The input of a create on `svc` 1.
pub fn create(name: &str, instances: &[(&str, u16)]) -> Value {
    json!({
        "name": name, "templateName": "svc", "templateMajorVersion": "1", "spec": spec(instances),
        "repositoryConnectionArn": "arn:aws:codestar-connections:us-east-1:000000000000:connection/c",
        "repositoryId": "team/code", "branchName": "main",
    })
}

/// The input of a create on `plain` 1.
pub fn create_plain(name: &str, instances: &[(&str, u16)]) -> Value {
    json!({ "name": name, "templateName": "plain", "templateMajorVersion": "1", "spec": plain_spec(instances) })
}

/// The input with these members set, or removed where they are null.
pub fn but(mut input: Value, members: Value) -> Value {
    for (key, value) in members.as_object().unwrap() {
        match value {
            Value::Null => input.as_object_mut().unwrap().remove(key),
            value => input.as_object_mut().unwrap().insert(key.clone(), value.clone()),
        };
    }
    input
}

/// Whether a stack is the one that is called so in short.
pub(super) fn is_of(stack: &str, called: &str) -> bool {
    short(stack) == called
}

fn short(stack: &str) -> String {
    // CloudFormation takes an id in the place of a name.
    let name = stack.split('/').nth(1).unwrap_or(stack);
    let name = name.strip_prefix("AWSProton-").unwrap_or(name);
    name.split("-cloudformation--").next().unwrap_or(name).to_owned()
}
