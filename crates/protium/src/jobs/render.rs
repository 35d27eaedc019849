//! Prepares a deployment: reads what its templates may see, renders them, and says who works where.

use super::order::Prepared;
use crate::app::App;
use crate::error::{Error, internal};
use crate::operations::managed_tags::managed_of_target;
use crate::store::{
    Reader, Target, account_settings_get, content_get, environment_by_id, instances_of_service, service_get, tag_list,
    template_version_get,
};
use protium_domain::account::AccountSettings;
use protium_domain::arn::account_of_role;
use protium_domain::bundle::manifest::{Infrastructure, Manifest};
use protium_domain::bundle::problem::{Problem, summary};
use protium_domain::bundle::render::namespace::{self, EnvironmentView, InstanceView, ServiceView};
use protium_domain::bundle::render::{RenderLimits, render};
use protium_domain::bundle::schema::{InputType, Schema};
use protium_domain::bundle::spec::{EnvironmentSpec, ServiceSpec};
use protium_domain::bundle::terraform;
use protium_domain::deployment::{Deployment, Purpose};
use protium_domain::environment::Environment;
use protium_domain::provisioning::Method;
use protium_domain::service::{Service, ServiceInstance, ServicePipeline};
use protium_domain::status::DeploymentStatus;
use protium_domain::template::{RegisteredPart, TemplateKind, TemplateVersion};
use protium_domain::track::Track;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Why there is no order.
pub(super) enum Unprepared {
    /// The deployment fails with this message; trying again would not help.
    Refused(String),
    /// Something of ours failed; it is tried again.
    Error(Error),
}

impl<E: Into<Error>> From<E> for Unprepared {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

type Preparing<T> = Result<T, Unprepared>;

/// Reads everything in one snapshot and renders.
pub(super) async fn prepare(app: &App, record: &Deployment, target: &Target) -> Preparing<Prepared> {
    let mut rd = app.store.snapshot().await?;
    let reading = Reading { rd: &mut rd, record, target };
    match target {
        Target::Environment(environment) => reading.environment(environment).await,
        Target::ServiceInstance(instance) => reading.instance(instance).await,
        Target::ServicePipeline(pipeline) => reading.pipeline(pipeline).await,
    }
}

struct Reading<'a> {
    rd: &'a mut Reader,
    record: &'a Deployment,
    target: &'a Target,
}

impl Reading<'_> {
    async fn environment(mut self, environment: &Environment) -> Preparing<Prepared> {
        let role = environment.access.service_role.clone();
        let tags = self.tags(role.as_deref(), environment.id.as_str()).await?;
        if self.record.purpose == Purpose::Destroy {
            return Ok(to_destroy(&environment.track, role, tags));
        }
        let version = self.version(TemplateKind::Environment).await?;
        let schema = self.schema(&version).await?;
        let spec =
            EnvironmentSpec::parse(&self.text(&self.record.goal.spec).await?).map_err(|problems| refuse(&problems))?;
        let inputs = schema.inputs().with_defaults(&spec.inputs);
        let namespace = namespace::environment(&environment.name, &inputs);
        match version.bundle.as_ref().and_then(|bundle| bundle.infrastructure.as_ref()) {
            Some(part) => self.render(part, role, tags, namespace).await,
            None => Ok(Prepared {
                engine: None,
                role,
                tags,
                files: BTreeMap::new(),
                main_file: None,
                namespace,
                outputs: as_outputs(&inputs),
            }),
        }
    }

    async fn instance(mut self, instance: &ServiceInstance) -> Preparing<Prepared> {
        let environment = self.environment_of(instance).await?;
        let role = match &environment.access.repository {
            // Self-managed: whoever applies the files has roles of their own.
            Some(_) => None,
            None => Some(environment.access.service_role.clone().ok_or_else(|| no_role(&environment))?),
        };
        let tags = self.tags(role.as_deref(), instance.id.as_str()).await?;
        if self.record.purpose == Purpose::Destroy {
            return Ok(to_destroy(&instance.track, role, tags));
        }
        let service = self.service(&instance.service).await?;
        let version = self.version(TemplateKind::Service).await?;
        let schema = self.schema(&version).await?;
        let spec = self.text(&self.record.goal.spec).await?;
        let inputs = inputs_of(schema.inputs(), &spec, &instance.name)?;
        let view = self.environment_view(&environment).await?;
        let namespace = namespace::service_instance(&service_view(&service), &instance.name, &inputs, None, &view);
        let part = version.bundle.as_ref().and_then(|bundle| bundle.infrastructure.as_ref());
        let part = part.ok_or_else(|| no_part(&version, "instance_infrastructure"))?;
        self.render(part, role, tags, namespace).await
    }

    async fn pipeline(mut self, pipeline: &ServicePipeline) -> Preparing<Prepared> {
        let scope = &self.record.scope;
        let settings = account_settings_get(self.rd, scope).await?;
        if self.record.purpose == Purpose::Destroy {
            let made_by = pipeline.track.engine.as_deref().and_then(Method::parse);
            let role = pipeline_role(settings, made_by)?;
            let tags = self.tags(role.as_deref(), pipeline.service_id.as_str()).await?;
            return Ok(to_destroy(&pipeline.track, role, tags));
        }
        let service = self.service(&pipeline.service).await?;
        let version = self.version(TemplateKind::Service).await?;
        let part = version.bundle.as_ref().and_then(|bundle| bundle.pipeline.as_ref());
        let part = part.ok_or_else(|| no_part(&version, "pipeline_infrastructure"))?;
        let role = pipeline_role(settings, Method::of_part(&part.engine))?;
        let tags = self.tags(role.as_deref(), pipeline.service_id.as_str()).await?;
        let schema = self.schema(&version).await?;
        let text = self.text(&self.record.goal.spec).await?;
        let spec = ServiceSpec::parse(&text).map_err(|problems| refuse(&problems))?;
        let given = spec.pipeline.clone().unwrap_or_else(|| Value::Object(Map::new()));
        let inputs = schema.pipeline_inputs().map_or(given.clone(), |inputs| inputs.with_defaults(&given));
        let mut views = Vec::new();
        for instance in instances_of_service(self.rd, scope, &pipeline.service).await? {
            views.extend(self.instance_view(&instance).await?);
        }
        let namespace = namespace::pipeline(&service_view(&service), &inputs, &views);
        self.render(part, role, tags, namespace).await
    }

    /// An instance as pipelines see it; one that was never deployed is not there for them.
    async fn instance_view(&mut self, instance: &ServiceInstance) -> Preparing<Option<InstanceView>> {
        // What is being removed, or could not be, is no part of the service any more.
        if matches!(instance.track.status, DeploymentStatus::DeleteInProgress | DeploymentStatus::DeleteFailed) {
            return Ok(None);
        }
        let Some(aim) = &instance.track.deployed else { return Ok(None) };
        let scope = &self.record.scope;
        let version =
            template_version_get(self.rd, scope, TemplateKind::Service, &instance.template, aim.version).await?;
        let version = version.ok_or_else(|| missing_version(&instance.template, aim.version))?;
        let schema = self.schema(&version).await?;
        let spec = self.text(&aim.spec).await?;
        let environment = self.environment_of(instance).await?;
        Ok(Some(InstanceView {
            name: instance.name.clone(),
            inputs: inputs_of(schema.inputs(), &spec, &instance.name)?,
            outputs: self.outputs(&instance.track).await?,
            environment: self.environment_view(&environment).await?,
        }))
    }

    async fn environment_of(&mut self, instance: &ServiceInstance) -> Preparing<Environment> {
        environment_by_id(self.rd, &instance.environment_id).await?.ok_or_else(|| {
            Unprepared::Refused(format!("The environment '{}' does not exist any more", instance.environment))
        })
    }

    async fn environment_view(&mut self, environment: &Environment) -> Preparing<EnvironmentView> {
        let access = &environment.access;
        let role = access.service_role.as_deref().or(access.codebuild_role.as_deref());
        let account = role.and_then(account_of_role).unwrap_or(&self.record.scope.account);
        Ok(EnvironmentView {
            name: environment.name.clone(),
            account_id: account.to_owned(),
            outputs: self.outputs(&environment.track).await?,
        })
    }

    async fn service(&mut self, name: &str) -> Preparing<Service> {
        service_get(self.rd, &self.record.scope, name)
            .await?
            .ok_or_else(|| Unprepared::Refused(format!("The service '{name}' does not exist any more")))
    }

    async fn version(&mut self, kind: TemplateKind) -> Preparing<TemplateVersion> {
        let goal = &self.record.goal;
        template_version_get(self.rd, &self.record.scope, kind, &goal.template, goal.version)
            .await?
            .ok_or_else(|| missing_version(&goal.template, goal.version))
    }

    async fn schema(&mut self, version: &TemplateVersion) -> Preparing<Schema> {
        let hash = version.bundle.as_ref().map(|bundle| &bundle.schema);
        let hash = hash.ok_or_else(|| missing_version(&version.template, version.version))?;
        Schema::parse(&self.text(hash).await?, version.kind).map_err(|problems| refuse(&problems))
    }

    async fn outputs(&mut self, track: &Track) -> Preparing<Value> {
        match &track.outputs {
            Some(hash) => Ok(serde_json::from_slice(&content_get(self.rd, hash).await?).map_err(internal)?),
            None => Ok(Value::Object(Map::new())),
        }
    }

    async fn text(&mut self, hash: &str) -> Preparing<String> {
        Ok(String::from_utf8(content_get(self.rd, hash).await?).map_err(internal)?)
    }

    /// The managed tags of the target, and those that users put on `owner`.
    async fn tags(&mut self, role: Option<&str>, owner: &str) -> Preparing<Vec<(String, String)>> {
        let scope = &self.record.scope;
        let mut tags = managed_of_target(scope, self.target, role).on_infrastructure();
        tags.extend(tag_list(self.rd, scope, owner, "", i64::MAX).await?);
        Ok(tags)
    }

    /// Renders the files that the engine takes rendered; others go as they are, with their inputs beside them.
    async fn render(
        mut self,
        part: &RegisteredPart,
        role: Option<String>,
        tags: Vec<(String, String)>,
        namespace: Value,
    ) -> Preparing<Prepared> {
        let manifest = self.text(&part.manifest).await?;
        let manifest = Manifest::parse("manifest.yaml", &manifest).map_err(|problems| refuse(&problems))?;
        let (files, main_file) = match &manifest.infrastructure {
            Infrastructure::CloudFormation { file } => {
                (self.rendered(part, file, &namespace).await?, Some(file.clone()))
            }
            infrastructure @ Infrastructure::Terraform { .. } => {
                (self.with_inputs(part, infrastructure, &namespace).await?, None)
            }
            Infrastructure::CodeBuild(_) => return Err(not_built(part)),
        };
        let method = Method::of_part(&part.engine).ok_or_else(|| not_built(part))?;
        Ok(Prepared {
            engine: Some(method.as_str().to_owned()),
            role,
            tags,
            files,
            main_file,
            namespace,
            outputs: Map::new(),
        })
    }

    /// The one file of a CloudFormation template, rendered.
    async fn rendered(
        &mut self,
        part: &RegisteredPart,
        file: &str,
        namespace: &Value,
    ) -> Preparing<BTreeMap<String, String>> {
        let hash = part.files.get(file).ok_or_else(|| {
            Unprepared::Refused(format!("The manifest names the file '{file}', which the bundle does not have"))
        })?;
        let source = self.text(hash).await?;
        let (name, namespace) = (file.to_owned(), namespace.clone());
        let rendered = tokio::task::spawn_blocking(move || render(&name, &source, &namespace, RenderLimits::default()));
        let rendered = rendered.await.map_err(internal)?.map_err(|error| Unprepared::Refused(error.to_string()))?;
        Ok(BTreeMap::from([(file.to_owned(), rendered)]))
    }

    /// The files of a Terraform template as they are, and the document with their inputs.
    async fn with_inputs(
        &mut self,
        part: &RegisteredPart,
        infrastructure: &Infrastructure,
        namespace: &Value,
    ) -> Preparing<BTreeMap<String, String>> {
        let mut files = BTreeMap::new();
        for (path, hash) in part.files.iter().filter(|(path, _)| infrastructure.takes(path)) {
            files.insert(path.clone(), self.text(hash).await?);
        }
        let tags = managed_of_target(&self.record.scope, self.target, None).on_infrastructure();
        let inputs = terraform::input_document(namespace, &tags, &self.record.target.arn);
        files.insert(terraform::INPUT_FILE.to_owned(), inputs);
        Ok(files)
    }
}

/// What destroying needs: no files, the engine that was given work before, and today's role.
fn to_destroy(track: &Track, role: Option<String>, tags: Vec<(String, String)>) -> Prepared {
    Prepared {
        engine: track.engine.clone(),
        role,
        tags,
        files: BTreeMap::new(),
        main_file: None,
        namespace: Value::Null,
        outputs: Map::new(),
    }
}

/// The inputs of one instance of a service spec, with the schema's defaults.
fn inputs_of(schema: &InputType, spec: &str, name: &str) -> Preparing<Value> {
    let spec = ServiceSpec::parse(spec).map_err(|problems| refuse(&problems))?;
    let entry =
        spec.instance(name).ok_or_else(|| Unprepared::Refused(format!("The spec has no instance named '{name}'")))?;
    Ok(schema.with_defaults(&entry.inputs))
}

fn service_view(service: &Service) -> ServiceView {
    let repository = service.repository.as_ref();
    ServiceView {
        name: service.name.clone(),
        repository_id: repository.map(|repository| repository.id.clone()).unwrap_or_default(),
        repository_connection_arn: repository.map(|repository| repository.connection_arn.clone()).unwrap_or_default(),
        branch_name: repository.map(|repository| repository.branch.clone()).unwrap_or_default(),
    }
}

/// The inputs of a customer-managed environment are its outputs: strings only.
fn as_outputs(inputs: &Value) -> Map<String, Value> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let members = inputs.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), Value::String(text(value)))).collect()
}

fn refuse(problems: &[Problem]) -> Unprepared {
    Unprepared::Refused(summary(problems))
}

fn missing_version(template: &str, version: protium_domain::version::Version) -> Unprepared {
    Unprepared::Refused(format!("Version {version} of the template '{template}' does not exist any more"))
}

/// Without a role of the user's, the server would work in its own name.
fn no_role(environment: &Environment) -> Unprepared {
    Unprepared::Refused(format!(
        "The environment '{}' has no protonServiceRoleArn, in whose name its service instances are provisioned; give \
         it one with UpdateEnvironment and deploymentType NONE, and try again",
        environment.name
    ))
}

/// The role that pipelines of that method are provisioned with. Whoever applies files of a self-managed one
/// has roles of their own.
fn pipeline_role(settings: AccountSettings, method: Option<Method>) -> Preparing<Option<String>> {
    let why = "The account has no pipelineServiceRoleArn, in whose name pipelines are provisioned; set one with \
               UpdateAccountSettings, and try again";
    match method {
        Some(Method::SelfManaged) => Ok(None),
        Some(Method::CloudFormation) | None => {
            settings.pipeline_service_role.map(Some).ok_or_else(|| Unprepared::Refused(why.to_owned()))
        }
    }
}

fn not_built(part: &RegisteredPart) -> Unprepared {
    Unprepared::Refused(format!("The engine '{}' is not built yet", part.engine))
}

fn no_part(version: &TemplateVersion, folder: &str) -> Unprepared {
    Unprepared::Refused(format!("Version {} of '{}' has no {folder}", version.version, version.template))
}
