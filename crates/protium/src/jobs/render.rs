//! Prepares a deployment: reads what its templates may see, renders them, and says who works where.

mod views;

use super::order::Prepared;
use super::terraform_run;
use super::unprepared::{
    Preparing, Unprepared, missing_version, no_component_role, no_part, no_role, not_built, pipeline_role, refuse,
};
use crate::app::App;
use crate::error::internal;
use crate::operations::managed_tags::managed_of_target;
use crate::store::{
    Reader, Target, account_settings_get, connection_get, content_get, environment_by_id, instances_of_service,
    service_get, tag_list, template_version_get,
};
use protium_domain::account_connection::AccountConnection;
use protium_domain::bundle::commands::render_settings;
use protium_domain::bundle::inputs;
use protium_domain::bundle::manifest::{CodeBuildSettings, Infrastructure, InputFormat, Manifest};
use protium_domain::bundle::render::namespace;
use protium_domain::bundle::render::{RenderLimits, render};
use protium_domain::bundle::schema::Schema;
use protium_domain::bundle::spec::{EnvironmentSpec, ServiceSpec};
use protium_domain::bundle::terraform::{self, ManagedState};
use protium_domain::component::{Component, read_manifest};
use protium_domain::deployment::{Deployment, Purpose};
use protium_domain::environment::{Environment, Roles};
use protium_domain::id::Id;
use protium_domain::provisioning::Method;
use protium_domain::service::{Service, ServiceInstance, ServicePipeline};
use protium_domain::tag::Managed;
use protium_domain::template::{RegisteredPart, TemplateKind, TemplateVersion};
use protium_domain::track::{Seen, Track};
use protium_engines::{Commands, Process, ProvisioningEngine};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use views::{inputs_of, service_view};

/// Reads everything in one snapshot and renders.
pub(super) async fn prepare(app: &App, record: &Deployment, target: &Target) -> Preparing<Prepared> {
    let mut rd = app.store.snapshot().await?;
    let state = app.config.terraform_state.as_ref();
    let reading = Reading { rd: &mut rd, record, target, state };
    match target {
        Target::Environment(environment) => reading.environment(environment).await,
        Target::ServiceInstance(instance) => reading.instance(instance).await,
        Target::ServicePipeline(pipeline) => reading.pipeline(pipeline).await,
        Target::Component(component) => reading.component(component).await,
    }
}

struct Reading<'a> {
    rd: &'a mut Reader,
    record: &'a Deployment,
    target: &'a Target,
    /// Where the operator wants the states of Terraform.
    state: Option<&'a ManagedState>,
}

impl Reading<'_> {
    async fn environment(mut self, environment: &Environment) -> Preparing<Prepared> {
        if self.record.purpose == Purpose::Destroy {
            let role = self.role(environment, made_by(&environment.track)).await?;
            let tags = self.tags(role.as_deref(), environment.id.as_str()).await?;
            return self.destroying(&environment.track, role, tags).await;
        }
        let version = self.version(TemplateKind::Environment).await?;
        let schema = self.schema(&version).await?;
        let spec =
            EnvironmentSpec::parse(&self.text(&self.record.goal.spec).await?).map_err(|problems| refuse(&problems))?;
        let inputs = schema.inputs().with_defaults(&spec.inputs);
        let namespace = namespace::environment(&environment.name, &inputs);
        match version.infrastructure() {
            Some(part) => {
                let method = method(part, environment.access.repository.is_some(), &environment.track)?;
                let role = self.role(environment, Some(method)).await?;
                let tags = self.tags(role.as_deref(), environment.id.as_str()).await?;
                self.render(part, method, role, tags, namespace, Seen::default()).await
            }
            None => Ok(Prepared { namespace, outputs: as_outputs(&inputs), ..Prepared::default() }),
        }
    }

    async fn instance(mut self, instance: &ServiceInstance) -> Preparing<Prepared> {
        let environment = self.environment_of(instance).await?;
        if self.record.purpose == Purpose::Destroy {
            let role = self.role(&environment, made_by(&instance.track)).await?;
            let tags = self.tags(role.as_deref(), instance.id.as_str()).await?;
            return self.destroying(&instance.track, role, tags).await;
        }
        let service = self.service(&instance.service).await?;
        let version = self.version(TemplateKind::Service).await?;
        let schema = self.schema(&version).await?;
        let spec = self.text(&self.record.goal.spec).await?;
        let inputs = inputs_of(schema.inputs(), &spec, &instance.name)?;
        let view = self.environment_view(&environment).await?;
        let (component, seen) = self.seen_by(instance, &environment).await?;
        let service = service_view(&service);
        let namespace = namespace::service_instance(&service, &instance.name, &inputs, component.as_ref(), &view);
        let part = version.infrastructure().ok_or_else(|| no_part(&version, "instance_infrastructure"))?;
        let method = method(part, environment.access.repository.is_some(), &instance.track)?;
        let role = self.role(&environment, Some(method)).await?;
        let tags = self.tags(role.as_deref(), instance.id.as_str()).await?;
        self.render(part, method, role, tags, namespace, seen).await
    }

    async fn component(mut self, component: &Component) -> Preparing<Prepared> {
        let environment = self.environment_by_id(&component.environment_id, &component.environment).await?;
        let role = self.component_role(&environment).await?;
        // The tags are those of what is asked for, also while another attachment is still held.
        let attachment = self.record.goal.attachment.as_ref();
        let wanted = Component { attached: attachment.cloned(), ..component.clone() };
        let managed = managed_of_target(&self.record.scope, &Target::Component(wanted), role.as_deref());
        let tags = self.with_tags_of(managed, component.id.as_str()).await?;
        if self.record.purpose == Purpose::Destroy {
            return self.destroying(&component.track, role, tags).await;
        }
        let attached = match attachment {
            Some(attachment) => Some(self.attached_instance(attachment).await?),
            None => None,
        };
        let view = self.environment_view(&environment).await?;
        let namespace = namespace::component(&component.name, &view, attached.as_ref());
        let manifest = self.text(&component.manifest).await?;
        let (engine, file) = read_manifest(&manifest).map_err(|refused| Unprepared::Refused(refused.to_string()))?;
        let part = RegisteredPart {
            engine: engine.as_str().to_owned(),
            manifest: component.manifest.clone(),
            files: BTreeMap::from([(file, self.record.goal.spec.clone())]),
            leaves_process: false,
        };
        let method = method(&part, environment.access.repository.is_some(), &component.track)?;
        self.render(&part, method, role, tags, namespace, Seen::default()).await
    }

    async fn pipeline(mut self, pipeline: &ServicePipeline) -> Preparing<Prepared> {
        let scope = &self.record.scope;
        let settings = account_settings_get(self.rd, scope).await?;
        if self.record.purpose == Purpose::Destroy {
            let role = pipeline_role(settings, made_by(&pipeline.track))?;
            let tags = self.tags(role.as_deref(), pipeline.service_id.as_str()).await?;
            return self.destroying(&pipeline.track, role, tags).await;
        }
        let service = self.service(&pipeline.service).await?;
        let version = self.version(TemplateKind::Service).await?;
        let part = version.pipeline().ok_or_else(|| no_part(&version, "pipeline_infrastructure"))?;
        let method = method(part, settings.pipeline_repository.is_some(), &pipeline.track)?;
        let role = pipeline_role(settings, Some(method))?;
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
        self.render(part, method, role, tags, namespace, Seen::default()).await
    }

    async fn environment_of(&mut self, instance: &ServiceInstance) -> Preparing<Environment> {
        self.environment_by_id(&instance.environment_id, &instance.environment).await
    }

    async fn environment_by_id(&mut self, id: &Id, name: &str) -> Preparing<Environment> {
        let found = environment_by_id(self.rd, id).await?;
        found.ok_or_else(|| Unprepared::Refused(format!("The environment '{name}' does not exist any more")))
    }

    /// The connection that an environment is provisioned through, if it has one and that still exists.
    async fn connection(&mut self, environment: &Environment) -> Preparing<Option<AccountConnection>> {
        match &environment.access.connection {
            Some(id) => Ok(connection_get(self.rd, &self.record.scope.region, id).await?),
            None => Ok(None),
        }
    }

    /// The roles that work in an environment now.
    async fn roles(&mut self, environment: &Environment) -> Preparing<Roles> {
        let connection = self.connection(environment).await?;
        environment.roles(connection.as_ref()).map_err(Unprepared::Refused)
    }

    /// The one of them that `method` works with. Whoever applies self-managed files has roles of their own; commands
    /// may need none.
    async fn role(&mut self, environment: &Environment, method: Option<Method>) -> Preparing<Option<String>> {
        match method {
            Some(Method::SelfManaged) => Ok(None),
            Some(Method::Commands | Method::Terraform) => Ok(self.roles(environment).await?.codebuild),
            Some(Method::CloudFormation) | None => {
                self.roles(environment).await?.service.map(Some).ok_or_else(|| no_role(environment))
            }
        }
    }

    /// The one of them that provisions components. Self-managed environments have none, since nothing is
    /// provisioned from here.
    async fn component_role(&mut self, environment: &Environment) -> Preparing<Option<String>> {
        if environment.access.repository.is_some() {
            return Ok(None);
        }
        let role = self.roles(environment).await?.component;
        role.map(Some).ok_or_else(|| no_component_role(environment))
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
        let managed = managed_of_target(&self.record.scope, self.target, role);
        self.with_tags_of(managed, owner).await
    }

    async fn with_tags_of(&mut self, managed: Managed, owner: &str) -> Preparing<Vec<(String, String)>> {
        let mut tags = managed.on_infrastructure();
        tags.extend(tag_list(self.rd, &self.record.scope, owner, "", i64::MAX).await?);
        Ok(tags)
    }

    /// Renders the files that the engine takes rendered; others go as they are, with their inputs beside them.
    async fn render(
        mut self,
        part: &RegisteredPart,
        method: Method,
        role: Option<String>,
        tags: Vec<(String, String)>,
        namespace: Value,
        seen: Seen,
    ) -> Preparing<Prepared> {
        let manifest = self.text(&part.manifest).await?;
        let manifest = Manifest::parse("manifest.yaml", &manifest).map_err(|problems| refuse(&problems))?;
        let engine = Some(method.as_str().to_owned());
        let mut prepared = Prepared { engine, role, tags, namespace, seen, ..Prepared::default() };
        match &manifest.infrastructure {
            Infrastructure::CloudFormation { file } => {
                prepared.files = self.rendered(part, file, &prepared.namespace).await?;
                prepared.main_file = Some(file.clone());
            }
            infrastructure @ Infrastructure::Terraform { .. } if method == Method::Terraform => {
                let run = self.terraform(part, infrastructure, &prepared.namespace).await?;
                prepared.sources = terraform_run::sources(part, infrastructure);
                prepared.files.clone_from(&run.files);
                let mut commands = terraform_run::commands(run, self.first_place().await?);
                terraform_run::tell(&mut commands, self.target.track());
                prepared.commands = Some(commands);
            }
            infrastructure @ Infrastructure::Terraform { .. } => {
                prepared.files = self.with_inputs(part, infrastructure, &prepared.namespace).await?;
            }
            Infrastructure::CodeBuild(settings) => {
                prepared.sources.clone_from(&part.files);
                prepared.files = command_inputs(settings.input_format, &prepared.namespace);
                prepared.commands = Some(commands(settings.clone(), prepared.namespace.clone()).await?);
            }
        }
        Ok(prepared)
    }

    /// Where the state of Terraform was begun to be kept, of a target that was attempted and never deployed: of what was
    /// deployed, the place itself knows.
    async fn first_place(&mut self) -> Preparing<Option<String>> {
        let track = self.target.track();
        let (None, Some(order)) = (&track.deployed, &track.order) else { return Ok(None) };
        let made: Prepared = serde_json::from_slice(&content_get(self.rd, order).await?).map_err(internal)?;
        Ok(made.commands.as_ref().and_then(terraform_run::first_place))
    }

    /// What destroying needs: the engine that was given work before, today's role, and what the engine's work was made
    /// from, if it destroys by that.
    async fn destroying(
        &mut self,
        track: &Track,
        role: Option<String>,
        tags: Vec<(String, String)>,
    ) -> Preparing<Prepared> {
        if let Some(order) = &track.order {
            let mut made: Prepared = serde_json::from_slice(&content_get(self.rd, order).await?).map_err(internal)?;
            if let Some(commands) = &mut made.commands {
                terraform_run::tell(commands, track);
            }
            return Ok(Prepared { role, tags, ..made });
        }
        Ok(Prepared { engine: track.engine.clone(), role, tags, ..Prepared::default() })
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

    /// What it takes to run a Terraform template.
    async fn terraform(
        &mut self,
        part: &RegisteredPart,
        infrastructure: &Infrastructure,
        namespace: &Value,
    ) -> Preparing<terraform::Run> {
        let mut files = BTreeMap::new();
        for (path, hash) in terraform_run::sources(part, infrastructure) {
            if terraform::is_configuration(&path) {
                files.insert(path, self.text(&hash).await?);
            }
        }
        let tags = managed_of_target(&self.record.scope, self.target, None).on_infrastructure();
        let (target, namespace, state) = (self.record.target.clone(), namespace.clone(), self.state.cloned());
        let run = tokio::task::spawn_blocking(move || {
            terraform::run(target.kind, &files, &namespace, &tags, &target.arn, state.as_ref())
        });
        run.await.map_err(internal)?.map_err(Unprepared::Refused)
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
        let inputs = inputs::terraform(namespace, &tags, &self.record.target.arn);
        files.insert(inputs::TERRAFORM_FILE.to_owned(), inputs);
        Ok(files)
    }
}

/// What provisions a part for a target whose track that is, where there is a `repository` to provision from, or none.
fn method(part: &RegisteredPart, repository: bool, track: &Track) -> Preparing<Method> {
    Method::of_part(&part.engine, repository, made_by(track)).ok_or_else(|| not_built(part))
}

/// The method that was given work for a target.
fn made_by(track: &Track) -> Option<Method> {
    track.engine.as_deref().and_then(Method::parse)
}

/// The file that commands read their inputs from.
fn command_inputs(format: InputFormat, namespace: &Value) -> BTreeMap<String, String> {
    let (file, text) = match format {
        InputFormat::Json => (inputs::JSON_FILE, inputs::json(namespace)),
        InputFormat::Hcl => (inputs::HCL_FILE, inputs::hcl(namespace)),
    };
    BTreeMap::from([(file.to_owned(), text)])
}

/// What a manifest of commands says, rendered.
async fn commands(settings: CodeBuildSettings, namespace: Value) -> Preparing<Commands> {
    let rendering = tokio::task::spawn_blocking(move || (render_settings(&settings, &namespace), settings));
    let (rendered, settings) = rendering.await.map_err(internal)?;
    let rendered = rendered.map_err(|error| Unprepared::Refused(error.to_string()))?;
    Ok(Commands {
        image: settings.image,
        runtimes: settings.runtimes.into_iter().collect(),
        variables: settings.variables.into_iter().collect(),
        secrets: settings.secrets_manager.into_iter().collect(),
        provision: rendered.provision,
        deprovision: rendered.deprovision,
        process: rendered.process.map(|process| Process {
            command: process.command,
            port: process.port,
            ready_path: process.ready_path,
        }),
        project_properties: rendered.project_properties,
        listed_as: ProvisioningEngine::Cloudformation,
        connects_to: None,
        state: None,
    })
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
