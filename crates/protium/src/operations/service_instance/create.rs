//! `CreateServiceInstance`: one more instance of a service that exists. The service's own status does not move; its
//! spec gets the entry when the instance is deployed.

use super::NOUN;
use crate::error::{Result, conflict, invalid};
use crate::operations::input::{client_token, inherited_tags, request_hash, tags, version_part};
use crate::operations::quota::{Places, Quota};
use crate::operations::service::{NewInstance, add_instance, check_settled, find_with_pipeline, new_instances};
use crate::operations::template::existing;
use crate::operations::token::Token;
use crate::operations::usable_version::{self, check_built};
use crate::operations::{Context, spec, sync_blocker, wire};
use crate::store::{Reader, Tx, content_put, instance_by_id, instance_get, tag_list};
use crate::transaction;
use protium_api::types::{CreateServiceInstanceInput, CreateServiceInstanceOutput};
use protium_domain::service::{Service, ServiceInstance};
use protium_domain::sync_blocker::ByHand;
use protium_domain::template::{TemplateKind, TemplateVersion};
use protium_domain::track::Aim;

const OPERATION: &str = "CreateServiceInstance";

/// `CreateServiceInstance`.
pub(in crate::operations) async fn create(
    cx: &Context,
    input: CreateServiceInstanceInput,
) -> Result<CreateServiceInstanceOutput> {
    if input.template_minor_version.is_some() && input.template_major_version.is_none() {
        return Err(invalid(
            "templateMinorVersion",
            "is given without templateMajorVersion; give both, the major version alone, or neither",
        ));
    }
    let user_tags = tags(input.tags.as_deref())?;
    let hash = request_hash(&input)?;
    let token = client_token(input.client_token.as_deref());
    let places = Places::of(cx, Quota::Instances { service: &input.service_name }).await?;
    transaction!(cx.store(), async |tx| -> Result<CreateServiceInstanceOutput> {
        let (service, pipeline) = find_with_pipeline(tx, cx, &input.service_name).await?;
        let request = Token { operation: OPERATION, token, request: &hash };
        if let Some(id) = request.made(tx, cx).await?
            && let Some(made) = instance_by_id(tx, &id).await?
        {
            let spec = spec::deployed(tx, &made.track).await?;
            return Ok(shown(cx, &made, spec));
        }
        let (text, version, new) = plan(tx, cx, &service, &input).await?;
        check_settled(&service, pipeline.as_ref(), "create the instance")?;
        check_place(tx, cx, &service, &input.name, &places).await?;
        let of_service = tag_list(tx, cx.scope(), service.id.as_str(), "", i64::MAX).await?;
        let tags = inherited_tags(of_service, &user_tags)?;
        let aim = Aim { version: version.version, spec: content_put(tx, text.as_bytes()).await? };
        let made = add_instance(tx, cx, &service, &new, &aim, &tags, token).await?;
        request.remember(tx, cx, &made.id).await?;
        sync_blocker::by_hand(tx, cx, &service, ByHand::Created(&made)).await?;
        Ok(shown(cx, &made, None))
    })
}

fn shown(cx: &Context, instance: &ServiceInstance, spec: Option<String>) -> CreateServiceInstanceOutput {
    CreateServiceInstanceOutput { service_instance: wire::service_instance(cx.scope(), instance, spec) }
}

/// The spec as it will be stored, the version, and the instance with its environment.
async fn plan(
    rd: &mut Reader,
    cx: &Context,
    service: &Service,
    input: &CreateServiceInstanceInput,
) -> Result<(String, TemplateVersion, NewInstance)> {
    let stored = spec::text(rd, &service.spec).await?;
    let (text, parsed) = spec::service(&input.spec, Some(&stored))?;
    let missing = || {
        let why = format_args!("has no instance named '{}', which is the one to create; add it", input.name);
        invalid("spec", why)
    };
    if parsed.instance(&input.name).is_none() {
        return Err(missing());
    }
    let names = std::slice::from_ref(&input.name);
    let version = version(rd, cx, service, input).await?;
    spec::check_instances(rd, &version, &parsed, names).await?;
    let new = new_instances(rd, cx, &version, &parsed, names).await?.pop().ok_or_else(missing)?;
    check_built(cx, version.infrastructure())?;
    Ok((text, version, new))
}

/// The version that is asked for: by default the recommended one, of the major version if one is given.
async fn version(
    rd: &mut Reader,
    cx: &Context,
    service: &Service,
    input: &CreateServiceInstanceInput,
) -> Result<TemplateVersion> {
    let (kind, template) = (TemplateKind::Service, service.template.as_str());
    let given = input.template_major_version.as_deref().map(version_part);
    let minor = input.template_minor_version.as_deref().map(version_part);
    let (major, minor) = match (given, existing(rd, cx.scope(), kind, template).await?.recommended) {
        (Some(major), _) => (major, minor),
        (None, Some(recommended)) => (recommended.major, Some(recommended.minor)),
        (None, None) => {
            return Err(invalid(
                "templateMajorVersion",
                format_args!(
                    "is missing, and the service template '{template}' recommends no version; name one, or publish one"
                ),
            ));
        }
    };
    usable_version::resolve(rd, cx.scope(), kind, template, major, minor).await
}

/// Whether the service has no instance of that name, and room for one more.
async fn check_place(tx: &mut Tx, cx: &Context, service: &Service, name: &str, places: &Places<'_>) -> Result<()> {
    if let Some(found) = instance_get(tx, cx.scope(), &service.name, name).await? {
        let why =
            format!("the {NOUN} '{name}' of the service '{}' exists already, as {}", service.name, found.track.status);
        return Err(conflict(why));
    }
    if places.lack(tx, cx, 1).await? {
        let limit = places.limit;
        // The operation declares no error for quotas.
        return Err(invalid(
            "serviceName",
            format_args!(
                "the service '{}' has reached the quota of {limit} instances of a service, those that failed to delete \
                 included; remove one, or raise the quota in the configuration",
                service.name
            ),
        ));
    }
    Ok(())
}
