//! Service instances: get, list, update, cancel. They come and go with their service.

use super::attachment::check_component_settled;
use super::deploy::{self, Start};
use super::input::{client_token, request_hash};
use super::page::Page;
use super::service::check_environment;
use super::upgrade::Update;
use super::usable_version::{self, check_built};
use super::{Context, service, spec, sync_blocker, wire};
use crate::error::{Error, Result, conflict, invalid, not_found};
use crate::store::{
    Reader, Target, TokenUse, Tx, content_put, environment_get, instance_get, instance_page, service_get, token_find,
    token_remember,
};
use crate::transaction;
use protium_api::ErrorCode;
use protium_api::types::*;
use protium_domain::bundle::spec::merge_instance;
use protium_domain::deployment::State;
use protium_domain::service::{Service, ServiceInstance as Instance};
use protium_domain::status::ServiceStatus;
use protium_domain::sync_blocker::ByHand;
use protium_domain::template::{TemplateKind, TemplateVersion};
use protium_domain::track::Aim;
use protium_domain::upgrade::Wanted;

const UPDATE: &str = "UpdateServiceInstance";

pub(super) async fn get(cx: &Context, input: GetServiceInstanceInput) -> Result<GetServiceInstanceOutput> {
    let mut rd = cx.store().reader().await?;
    let instance = find(&mut rd, cx, &input.service_name, &input.name).await?;
    let spec = spec::deployed(&mut rd, &instance.track).await?;
    Ok(GetServiceInstanceOutput { service_instance: wire::service_instance(cx.scope(), &instance, spec) })
}

/// By service and name. Filters and other orders come with the rest of the API.
pub(super) async fn list(cx: &Context, input: ListServiceInstancesInput) -> Result<ListServiceInstancesOutput> {
    let given = [
        ("filters", input.filters.is_some_and(|filters| !filters.is_empty())),
        ("sortBy", input.sort_by.is_some_and(|by| by != ListServiceInstancesSortBy::ServiceName)),
        ("sortOrder", input.sort_order == Some(SortOrder::Descending)),
    ];
    if let Some((member, _)) = given.iter().find(|(_, given)| *given) {
        let why = format!("{member}: is not implemented yet; leave it out to list by service and name");
        return Err(Error::new(ErrorCode::NotImplemented, why));
    }
    let of_service = input.service_name.as_deref();
    let page = Page::new(cx, "ListServiceInstances", of_service, input.max_results, input.next_token.as_deref())?;
    let mut rd = cx.store().reader().await?;
    if let Some(name) = of_service {
        service::find(&mut rd, cx, name).await?;
    }
    let after = page.after().and_then(|key| key.split_once('/')).unwrap_or_default();
    let found = instance_page(&mut rd, cx.scope(), of_service, after, page.limit()).await?;
    let (found, next_token) = page.cut(found, |instance| format!("{}/{}", instance.service, instance.name));
    let service_instances = found.iter().map(|instance| wire::service_instance_summary(cx.scope(), instance)).collect();
    Ok(ListServiceInstancesOutput { next_token, service_instances })
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
        if let Some(token) = token
            && replayed(tx, cx, token, &hash, &instance).await?
        {
            return Ok(answer(cx, &instance));
        }
        let wanted = update.wanted(&instance.track)?;
        if wanted == Wanted::Nothing {
            return Ok(answer(cx, &instance));
        }
        check_component_settled(tx, &instance).await?;
        let service = settled_service(tx, cx, &instance).await?;
        let current = instance.track.current().version;
        let kind = TemplateKind::Service;
        let version = usable_version::resolve_wanted(tx, cx.scope(), kind, &instance.template, wanted, current).await?;
        let aim = aim(tx, cx, &service, &instance, &version, input.spec.as_deref()).await?;
        let goal = State::new(&instance.template, &aim);
        if let Some(token) = token {
            instance.last_token = Some(token.to_owned());
            let used = TokenUse { request_hash: hash.clone(), resource_id: instance.id.to_string() };
            token_remember(tx, cx.scope(), UPDATE, token, &used, cx.now).await?;
        }
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
    check_environment("templateMajorVersion", &instance.name, &environment, version)?;
    version.bundle.as_ref().and_then(|bundle| bundle.infrastructure.as_ref()).map_or(Ok(()), check_built)?;
    Ok(Aim { version: version.version, spec: content_put(tx, text.as_bytes()).await? })
}

/// Whether the token was used for this very request before. With another request it is a mistake.
async fn replayed(tx: &mut Tx, cx: &Context, token: &str, hash: &str, instance: &Instance) -> Result<bool> {
    match token_find(tx, cx.scope(), UPDATE, token, cx.now).await? {
        Some(used) if used.request_hash != hash => {
            Err(Error::new(ErrorCode::Validation, "Idempotent parameter mismatch"))
        }
        Some(used) => Ok(used.resource_id == instance.id.as_str()),
        None => Ok(false),
    }
}

/// The service of an instance that may be updated: not while everything is about to be removed.
pub(super) async fn settled_service(rd: &mut Reader, cx: &Context, instance: &Instance) -> Result<Service> {
    match service_get(rd, cx.scope(), &instance.service).await? {
        Some(service) if service.status == ServiceStatus::DeleteInProgress => Err(conflict(format!(
            "the service '{}' is DELETE_IN_PROGRESS; its instances can't be updated",
            service.name
        ))),
        Some(service) => Ok(service),
        None => Err(not_found("service", cx.scope().service(&instance.service))),
    }
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
        .ok_or_else(|| not_found("service instance", cx.scope().service_instance(service, name)))
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
