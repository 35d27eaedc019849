//! The instances and the pipeline that a spec asks for: what they need to exist, and their rows.

use crate::app::new_id;
use crate::error::{Error, Result, conflict, invalid, not_found};
use crate::operations::Context;
use crate::operations::deploy::{self, Start};
use crate::operations::usable_version::{check_built, check_same_engine, runs_terraform};
use crate::store::{
    Reader, Target, Tx, account_settings_get, environment_get, instance_insert, pipeline_insert, tag_set,
};
use protium_api::ErrorCode;
use protium_domain::bundle::spec::ServiceSpec;
use protium_domain::deployment::State;
use protium_domain::environment::{Environment, check_engine};
use protium_domain::provisioning::Method;
use protium_domain::service::{Service, ServiceInstance, ServicePipeline};
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::TemplateVersion;
use protium_domain::track::{Aim, Track};

/// An instance that is about to be created.
pub(in crate::operations) struct NewInstance {
    pub name: String,
    pub environment: Environment,
}

/// Finds the environments of the instances with those names, and checks that the version works with
/// them. What changes them is decided in the same transaction, so it is called in the one that uses it.
pub(in crate::operations) async fn new_instances(
    rd: &mut Reader,
    cx: &Context,
    version: &TemplateVersion,
    spec: &ServiceSpec,
    names: &[String],
) -> Result<Vec<NewInstance>> {
    let mut instances = Vec::with_capacity(names.len());
    for wanted in spec.instances.iter().filter(|instance| names.contains(&instance.name)) {
        let environment = environment_get(rd, cx.scope(), &wanted.environment)
            .await?
            .ok_or_else(|| not_found("environment", cx.scope().environment(&wanted.environment)))?;
        check_environment(cx, "spec", &wanted.name, &environment, version)?;
        instances.push(NewInstance { name: wanted.name.clone(), environment });
    }
    Ok(instances)
}

/// Whether an instance of the version can run in the environment. `field` is the member to correct if not.
pub(in crate::operations) fn check_environment(
    cx: &Context,
    field: &str,
    instance: &str,
    environment: &Environment,
    version: &TemplateVersion,
) -> Result<()> {
    if let Some(part) = version.infrastructure() {
        check_engine(environment, field, &format!("instance '{instance}'"), &part.engine, runs_terraform(cx))?;
    }
    let Some(deployed) = &environment.track.deployed else {
        return Err(conflict(format!(
            "the environment '{}' of instance '{instance}' is {} and was never deployed successfully; deploy it first",
            environment.name, environment.track.status
        )));
    };
    if matches!(environment.track.status, DeploymentStatus::DeleteInProgress | DeploymentStatus::DeleteFailed) {
        return Err(conflict(format!(
            "the environment '{}' of instance '{instance}' is {}; choose another environment",
            environment.name, environment.track.status
        )));
    }
    check_compatible(field, instance, environment, deployed.version.major, version)
}

/// Whether the version works with the major version that the environment runs.
pub(in crate::operations) fn check_compatible(
    field: &str,
    instance: &str,
    environment: &Environment,
    major: i64,
    version: &TemplateVersion,
) -> Result<()> {
    if version.compatible.iter().any(|with| with.template == environment.template && with.major == major) {
        return Ok(());
    }
    let compatible: Vec<String> =
        version.compatible.iter().map(|with| format!("{}:{}", with.template, with.major)).collect();
    Err(invalid(
        field,
        format_args!(
            "instance '{instance}' names the environment '{}', which runs '{}:{major}'; version {} of the service \
             template '{}' works with {}",
            environment.name,
            environment.template,
            version.version,
            version.template,
            compatible.join(", ")
        ),
    ))
}

/// Whether the account can provision pipelines of the version, and a pipeline that exists goes on with its engine.
pub(in crate::operations) async fn check_pipeline_engine(
    rd: &mut Reader,
    cx: &Context,
    version: &TemplateVersion,
    pipeline: Option<&ServicePipeline>,
) -> Result<()> {
    let Some(part) = version.pipeline() else { return Ok(()) };
    check_built(cx, Some(part))?;
    if let Some(pipeline) = pipeline {
        check_same_engine("pipeline", &pipeline.track, Some(part))?;
    }
    let settings = account_settings_get(rd, cx.scope()).await?;
    let before = pipeline.and_then(|pipeline| Method::parse(pipeline.track.engine.as_deref()?));
    let provided = match Method::of_part(&part.engine, settings.pipeline_repository.is_some(), before) {
        // What runs here needs no role.
        Some(Method::Commands) => cx.app.engines.commands.is_some(),
        Some(Method::Terraform) => runs_terraform(cx),
        Some(Method::CloudFormation | Method::SelfManaged) | None => settings.provision_pipelines_of(&part.engine),
    };
    if provided {
        Ok(())
    } else {
        Err(Error::new(ErrorCode::Validation, "Operation cannot be run until pipeline roles have been configured"))
    }
}

/// Whether the service and its pipeline have come to rest, so that `act` may be begun.
pub(in crate::operations) fn check_settled(
    service: &Service,
    pipeline: Option<&ServicePipeline>,
    act: &str,
) -> Result<()> {
    let (name, status) = (&service.name, service.status);
    if status.is_active() {
        return Err(conflict(format!("the service '{name}' is {status}; {act} when that has ended")));
    }
    if status == ServiceStatus::DeleteFailed {
        return Err(conflict(format!("the service '{name}' is DELETE_FAILED; delete it again")));
    }
    match pipeline.map(|pipeline| pipeline.track.status) {
        Some(status) if status.is_active() => {
            Err(conflict(format!("the pipeline of the service '{name}' is {status}; {act} when that has ended")))
        }
        Some(_) | None => Ok(()),
    }
}

/// Adds an instance, its tags and its first deployment. `token` is that of the request, if it is one for the
/// instance alone.
pub(in crate::operations) async fn add_instance(
    tx: &mut Tx,
    cx: &Context,
    service: &Service,
    new: &NewInstance,
    aim: &Aim,
    tags: &[(String, String)],
    token: Option<&str>,
) -> Result<ServiceInstance> {
    let deployment = new_id();
    let instance = ServiceInstance {
        revision: 0,
        id: new_id(),
        name: new.name.clone(),
        service: service.name.clone(),
        service_id: service.id.clone(),
        environment: new.environment.name.clone(),
        environment_id: new.environment.id.clone(),
        template: service.template.clone(),
        created_at: cx.now,
        track: Track::first(deployment.clone(), aim.clone(), cx.now),
        last_token: token.map(str::to_owned),
        outdated: false,
        unknown: serde_json::Map::new(),
    };
    if !instance_insert(tx, cx.scope(), &instance).await? {
        return Err(deploy::lost_update());
    }
    let arn = cx.scope().service_instance(&service.name, &new.name);
    for (key, value) in tags {
        tag_set(tx, cx.scope(), instance.id.as_str(), &arn, key, value).await?;
    }
    let target = Target::ServiceInstance(instance.clone());
    let start = Start { scope: cx.scope(), now: cx.now, goal: State::new(&service.template, aim), waiting: false };
    deploy::start_first(tx, deployment, &target, start).await?;
    Ok(instance)
}

/// Adds the pipeline; its deployment waits for the instances.
pub(super) async fn add_pipeline(tx: &mut Tx, cx: &Context, service: &Service, aim: &Aim) -> Result<ServicePipeline> {
    let deployment = new_id();
    let pipeline = ServicePipeline {
        revision: 0,
        id: new_id(),
        service: service.name.clone(),
        service_id: service.id.clone(),
        template: service.template.clone(),
        created_at: cx.now,
        track: Track::first(deployment.clone(), aim.clone(), cx.now),
        unknown: serde_json::Map::new(),
    };
    if !pipeline_insert(tx, cx.scope(), &pipeline).await? {
        return Err(deploy::lost_update());
    }
    let target = Target::ServicePipeline(pipeline.clone());
    let start = Start { scope: cx.scope(), now: cx.now, goal: State::new(&service.template, aim), waiting: true };
    deploy::start_first(tx, deployment, &target, start).await?;
    Ok(pipeline)
}
