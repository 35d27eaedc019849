//! Service instances: get, update, cancel. How they come beside their service, and how they are listed, is in the
//! submodules; they go with it, or by an update of it.

mod create;
mod list;

use super::attachment::check_component_settled;
use super::deploy::{self, Start};
use super::input::{client_token, request_hash};
use super::service::{self, check_environment};
use super::token::Token;
use super::upgrade::Update;
use super::usable_version::{self, check_built, check_same_engine};
use super::{Context, spec, sync_blocker, wire};
use crate::error::{Result, conflict, invalid, not_found};
use crate::store::{Reader, Target, Tx, content_put, environment_get, instance_get, instance_save};
use crate::transaction;
use protium_api::types::*;
use protium_domain::bundle::spec::merge_instance;
use protium_domain::deployment::State;
use protium_domain::service::{Service, ServiceInstance as Instance};
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::sync_blocker::ByHand;
use protium_domain::template::{TemplateKind, TemplateVersion};
use protium_domain::track::Aim;
use protium_domain::upgrade::Wanted;

pub(super) use create::create;
pub(super) use list::list;

const NOUN: &str = "service instance";
const UPDATE: &str = "UpdateServiceInstance";

pub(super) async fn get(cx: &Context, input: GetServiceInstanceInput) -> Result<GetServiceInstanceOutput> {
    let mut rd = cx.store().reader().await?;
    let instance = find(&mut rd, cx, &input.service_name, &input.name).await?;
    let spec = spec::deployed(&mut rd, &instance.track).await?;
    Ok(GetServiceInstanceOutput { service_instance: wire::service_instance(cx.scope(), &instance, spec) })
}

pub(super) async fn update(cx: &Context, input: UpdateServiceInstanceInput) -> Result<UpdateServiceInstanceOutput> {
    let update = Update::new(
        input.deployment_type,
        input.template_major_version.as_deref(),
        input.template_minor_version.as_deref(),
    );
    let hash = request_hash(&input)?;
    transaction!(cx.store(), async |tx| -> Result<UpdateServiceInstanceOutput> {
        let mut instance = find(tx, cx, &input.service_name, &input.name).await?;
        let token = client_token(input.client_token.as_deref());
        let request = Token { operation: UPDATE, token, request: &hash };
        if request.made(tx, cx).await?.is_some_and(|resource| resource == instance.id) {
            return Ok(answer(cx, &instance));
        }
        let wanted = update.wanted(&instance.track)?;
        if let Some(token) = token {
            instance.last_token = Some(token.to_owned());
            request.remember(tx, cx, &instance.id).await?;
        }
        if wanted == Wanted::Nothing {
            if token.is_some() {
                let was = instance.track.status;
                save(tx, &mut instance, was, cx.now).await?;
            }
            return Ok(answer(cx, &instance));
        }
        let service = service::find(tx, cx, &instance.service).await?;
        let current = instance.track.current().version;
        let kind = TemplateKind::Service;
        let version = usable_version::resolve_wanted(tx, cx.scope(), kind, &instance.template, wanted, current).await?;
        let aim = aim(tx, cx, &service, &instance, &version, input.spec.as_deref()).await?;
        // What is wrong with the request is told before what is in its way.
        check_component_settled(tx, &instance).await?;
        check_stays(&service)?;
        let goal = State::new(&instance.template, &aim);
        let mut target = Target::ServiceInstance(instance);
        deploy::start(tx, &mut target, Start { scope: cx.scope(), now: cx.now, goal, waiting: false }).await?;
        let instance = instance_of(target)?;
        sync_blocker::by_hand(tx, cx, &service, ByHand::Updated(&instance)).await?;
        Ok(answer(cx, &instance))
    })
}

/// What a deployment of the version aims at: the given spec, or the current one, if instance and environment fit
/// the version.
pub(super) async fn aim(
    tx: &mut Tx,
    cx: &Context,
    service: &Service,
    instance: &Instance,
    version: &TemplateVersion,
    given: Option<&str>,
) -> Result<Aim> {
    let text = wanted_spec(tx, service, instance, given).await?;
    let (_, parsed) = spec::service(&text, None)?;
    spec::check_instances(tx, version, &parsed, std::slice::from_ref(&instance.name)).await?;
    let environment = environment_get(tx, cx.scope(), &instance.environment)
        .await?
        .ok_or_else(|| not_found("environment", cx.scope().environment(&instance.environment)))?;
    check_environment(cx, "templateMajorVersion", &instance.name, &environment, version)?;
    check_built(cx, version.infrastructure())?;
    check_same_engine("service instance", &instance.track, version.infrastructure())?;
    Ok(Aim { version: version.version, spec: content_put(tx, text.as_bytes()).await? })
}

async fn save(tx: &mut Tx, instance: &mut Instance, was: DeploymentStatus, now: i64) -> Result<()> {
    if instance_save(tx, instance, was, now).await? { Ok(()) } else { Err(deploy::lost_update()) }
}

/// Whether the service stays: while everything is about to be removed, its instances can't be updated.
pub(super) fn check_stays(service: &Service) -> Result<()> {
    if service.status == ServiceStatus::DeleteInProgress {
        return Err(conflict(format!(
            "the service '{}' is DELETE_IN_PROGRESS; its instances can't be updated",
            service.name
        )));
    }
    Ok(())
}

/// The spec to deploy: the given one, or that of the last success.
async fn wanted_spec(rd: &mut Reader, service: &Service, instance: &Instance, given: Option<&str>) -> Result<String> {
    let own = spec::text(rd, &instance.track.current().spec).await?;
    match given {
        Some(given) => given_spec(rd, service, instance, own, given).await,
        None => Ok(own),
    }
}

/// A given spec, completed from what is stored. The instance stays in its environment.
pub(super) async fn given_spec(
    rd: &mut Reader,
    service: &Service,
    instance: &Instance,
    own: String,
    given: &str,
) -> Result<String> {
    // Current values: of the instance what it runs, of all else what the service has.
    let stored = merge_instance(&spec::text(rd, &service.spec).await?, &instance.name, &own).unwrap_or(own);
    let (text, parsed) = spec::service(given, Some(&stored))?;
    match parsed.instance(&instance.name) {
        None => Err(invalid(
            "spec",
            format_args!("has no instance named '{}', which is the one to update; add it", instance.name),
        )),
        Some(entry) if entry.environment != instance.environment => Err(invalid(
            "spec",
            format_args!(
                "moves instance '{}' to the environment '{}'; it stays in '{}': remove it and add another instance",
                instance.name, entry.environment, instance.environment
            ),
        )),
        Some(_) => Ok(text),
    }
}

pub(super) async fn cancel(
    cx: &Context,
    input: CancelServiceInstanceDeploymentInput,
) -> Result<CancelServiceInstanceDeploymentOutput> {
    transaction!(cx.store(), async |tx| -> Result<CancelServiceInstanceDeploymentOutput> {
        let instance = find(tx, cx, &input.service_name, &input.service_instance_name).await?;
        let spec = spec::deployed(tx, &instance.track).await?;
        let mut target = Target::ServiceInstance(instance);
        deploy::cancel(tx, &mut target, cx.scope(), cx.now, cx.cancel_deadline()).await?;
        let service_instance = wire::service_instance(cx.scope(), &instance_of(target)?, spec);
        Ok(CancelServiceInstanceDeploymentOutput { service_instance })
    })
}

/// The instance of that name.
pub(super) async fn find(rd: &mut Reader, cx: &Context, service: &str, name: &str) -> Result<Instance> {
    instance_get(rd, cx.scope(), service, name)
        .await?
        .ok_or_else(|| not_found(NOUN, cx.scope().service_instance(service, name)))
}

fn instance_of(target: Target) -> Result<Instance> {
    match target {
        Target::ServiceInstance(instance) => Ok(instance),
        Target::Environment(_) | Target::ServicePipeline(_) | Target::Component(_) => Err(deploy::lost_update()),
    }
}

fn answer(cx: &Context, instance: &Instance) -> UpdateServiceInstanceOutput {
    UpdateServiceInstanceOutput { service_instance: wire::service_instance(cx.scope(), instance, None) }
}
