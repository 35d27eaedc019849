//! `UpdateComponent`: the description, or a deployment with another template, another service spec, attached
//! or detached.

use super::attach::{Place, check_engine, check_environment, environment_of};
use super::{check_template_file, component_of, find};
use crate::error::{Result, conflict, invalid};
use crate::operations::deploy::{self, Start};
use crate::operations::input::{client_token, request_hash};
use crate::operations::token::Token;
use crate::operations::{Context, spec, wire};
use crate::store::{Reader, Target, Tx, component_save, content_put, instance_by_id};
use crate::transaction;
use protium_api::types::{ComponentDeploymentUpdateType, UpdateComponentInput, UpdateComponentOutput};
use protium_domain::component::{Asked, Attachment, Component, asked, read_manifest};
use protium_domain::track::ContentHash;

pub(in crate::operations) async fn update(cx: &Context, input: UpdateComponentInput) -> Result<UpdateComponentOutput> {
    check_members(&input)?;
    let hash = request_hash(&input)?;
    let token =
        Token { operation: "UpdateComponent", token: client_token(input.client_token.as_deref()), request: &hash };
    transaction!(cx.store(), async |tx| -> Result<UpdateComponentOutput> {
        let mut component = find(tx, cx, &input.name).await?;
        if token.made(tx, cx).await?.as_ref() == Some(&component.id) {
            return Ok(answer(cx, &component));
        }
        token.remember(tx, cx, &component.id).await?;
        let component = match input.deployment_type {
            ComponentDeploymentUpdateType::None => {
                describe(cx, &mut component, &input);
                save_described(tx, cx, component).await?
            }
            ComponentDeploymentUpdateType::CurrentVersion => deploy(tx, cx, component, &input).await?,
        };
        Ok(answer(cx, &component))
    })
}

/// What can be checked without the component.
fn check_members(input: &UpdateComponentInput) -> Result<()> {
    let asked = asked(input.service_name.as_deref(), input.service_instance_name.as_deref())?;
    if input.deployment_type == ComponentDeploymentUpdateType::None {
        let deployed = [
            ("serviceName, serviceInstanceName", asked != Asked::Keep),
            ("serviceSpec", input.service_spec.is_some()),
            ("templateFile", input.template_file.is_some()),
        ];
        if let Some((members, _)) = deployed.iter().find(|(_, given)| *given) {
            let why = "deploymentType NONE deploys nothing and takes only a description; use CURRENT_VERSION";
            return Err(invalid(members, why));
        }
    }
    if asked == Asked::Detach && input.service_spec.is_some() {
        return Err(invalid("serviceSpec", "a component that is detached reads no inputs; leave it out"));
    }
    Ok(())
}

/// The members that take effect at once.
fn describe(cx: &Context, component: &mut Component, input: &UpdateComponentInput) {
    if let Some(description) = &input.description {
        component.description = Some(description.clone());
    }
    if let Some(token) = client_token(input.client_token.as_deref()) {
        component.last_token = Some(token.to_owned());
    }
    component.modified_at = cx.now;
}

async fn save_described(tx: &mut Tx, cx: &Context, mut component: Component) -> Result<Component> {
    let status = component.track.status;
    if status.is_active() {
        return Err(conflict(format!(
            "the component '{}' is {status}; update it when its deployment has ended",
            component.name
        )));
    }
    check_instance_settled(tx, &component).await?;
    if component_save(tx, &mut component, status, cx.now).await? { Ok(component) } else { Err(deploy::lost_update()) }
}

/// Starts the deployment that the update asks for.
async fn deploy(
    tx: &mut Tx,
    cx: &Context,
    mut component: Component,
    input: &UpdateComponentInput,
) -> Result<Component> {
    let environment = environment_of(tx, cx, &component.environment_id, &component.environment).await?;
    let (engine, file) = read_manifest(&spec::text(tx, &component.manifest).await?)?;
    let template_file: ContentHash = match &input.template_file {
        Some(text) => {
            check_template_file(engine, &file, text)?;
            content_put(tx, text.as_bytes()).await?
        }
        None => component.track.current().spec.clone(),
    };
    let place = match place(tx, cx, &component, input).await? {
        Some(place) => {
            place.check_environment(&environment)?;
            Some(place)
        }
        None => None,
    };
    let attachment = match &place {
        Some(place) => {
            let before = component.attached.as_ref();
            Some(place.attachment(tx, cx, input.service_spec.as_deref(), before).await?)
        }
        None if input.service_spec.is_some() => {
            let why = "is for components that are attached; give serviceName and serviceInstanceName, or leave it out";
            return Err(invalid("serviceSpec", why));
        }
        None => None,
    };
    check_engine(tx, cx, engine, &environment).await?;
    check_environment(&environment)?;
    check_instance_settled(tx, &component).await?;
    if let Some(place) = &place {
        place.check_free(tx, cx, Some(&component.id)).await?;
    }
    // An instance that the component leaves is held until that is done.
    if attachment.is_some() {
        component.attached.clone_from(&attachment);
    }
    describe(cx, &mut component, input);
    let goal = Component::goal(template_file, attachment);
    let mut target = Target::Component(component);
    deploy::start(tx, &mut target, Start { scope: cx.scope(), now: cx.now, goal, waiting: false }).await?;
    component_of(target)
}

/// The instance that the component is to be attached to from now on: another one only if it is detached.
async fn place(
    tx: &mut Tx,
    cx: &Context,
    component: &Component,
    input: &UpdateComponentInput,
) -> Result<Option<Place>> {
    let asked = asked(input.service_name.as_deref(), input.service_instance_name.as_deref())?;
    match (asked, &component.attached) {
        (Asked::Keep, None) | (Asked::Detach, _) => Ok(None),
        (Asked::Keep, Some(Attachment { service, instance, .. })) => {
            Ok(Some(Place::find(tx, cx, service, instance).await?))
        }
        (Asked::Attach { service, instance }, before) => {
            let place = Place::find(tx, cx, service, instance).await?;
            match before {
                Some(before) if before.instance_id == place.instance.id => {}
                Some(before) => {
                    return Err(conflict(format!(
                        "the component '{}' is attached to the instance '{}' of the service '{}'; detach it from there \
                         before attaching it to another one",
                        component.name, before.instance, before.service
                    )));
                }
                None => place.check_supported()?,
            }
            Ok(Some(place))
        }
    }
}

/// Refuses an update while the instance that the component is attached to is under way.
async fn check_instance_settled(rd: &mut Reader, component: &Component) -> Result<()> {
    let Some(id) = component.instance_id() else { return Ok(()) };
    match instance_by_id(rd, id).await? {
        Some(instance) if instance.track.status.is_active() => Err(conflict(format!(
            "the instance '{}' of the service '{}', which the component '{}' is attached to, is {}; update the component \
             when that has ended",
            instance.name, instance.service, component.name, instance.track.status
        ))),
        Some(_) | None => Ok(()),
    }
}

fn answer(cx: &Context, component: &Component) -> UpdateComponentOutput {
    UpdateComponentOutput { component: wire::component(cx.scope(), component, None) }
}
