//! `CreateComponent`: attached to a service instance, or in an environment only.

use super::attach::{Place, check_engine, check_environment, environment_of};
use super::{NOUN, check_template_file};
use crate::app::new_id;
use crate::error::{Result, conflict, invalid, not_found};
use crate::operations::deploy::{self, Start};
use crate::operations::input::{client_token, request_hash, tags};
use crate::operations::quota::{Places, Quota};
use crate::operations::token::Token;
use crate::operations::{Context, wire};
use crate::store::{
    Target, Tx, component_by_id, component_get, component_insert, content_put, environment_get, tag_set,
};
use crate::transaction;
use protium_api::types::{CreateComponentInput, CreateComponentOutput};
use protium_domain::bundle::manifest::EngineKind;
use protium_domain::component::{Asked, Attachment, Component, asked, read_manifest};
use protium_domain::environment::Environment;
use protium_domain::track::Track;

pub(in crate::operations) async fn create(cx: &Context, input: CreateComponentInput) -> Result<CreateComponentOutput> {
    let user_tags = tags(input.tags.as_deref())?;
    check_members(&input)?;
    let (engine, file) = read_manifest(&input.manifest)?;
    check_template_file(engine, &file, &input.template_file)?;
    let hash = request_hash(&input)?;
    let token =
        Token { operation: "CreateComponent", token: client_token(input.client_token.as_deref()), request: &hash };
    let places = Places::of(cx, Quota::Components).await?;
    transaction!(cx.store(), async |tx| -> Result<CreateComponentOutput> {
        if let Some(made) = token.made(tx, cx).await?
            && let Some(found) = component_by_id(tx, &made).await?
        {
            return Ok(CreateComponentOutput { component: wire::component(cx.scope(), &found, None) });
        }
        let (environment, attachment) = destination(tx, cx, &input, engine).await?;
        places.check(tx, cx, 1).await?;
        let component = new_component(tx, cx, &input, environment, attachment).await?;
        if !component_insert(tx, cx.scope(), &component).await? {
            return Err(deploy::lost_update());
        }
        for (key, value) in &user_tags {
            let arn = cx.scope().component(&component.name);
            tag_set(tx, cx.scope(), component.id.as_str(), &arn, key, value).await?;
        }
        token.remember(tx, cx, &component.id).await?;
        let answer = wire::component(cx.scope(), &component, None);
        start(tx, cx, component).await?;
        Ok(CreateComponentOutput { component: answer })
    })
}

/// What can be checked without anything else.
fn check_members(input: &CreateComponentInput) -> Result<()> {
    match asked(input.service_name.as_deref(), input.service_instance_name.as_deref())? {
        Asked::Attach { .. } => Ok(()),
        Asked::Keep | Asked::Detach if input.environment_name.is_none() => Err(invalid(
            "environmentName",
            "is missing; give it, or serviceName and serviceInstanceName to attach the component to that instance",
        )),
        Asked::Keep | Asked::Detach if input.service_spec.is_some() => Err(invalid(
            "serviceSpec",
            "is for components that are attached; give serviceName and serviceInstanceName, or leave it out",
        )),
        Asked::Keep | Asked::Detach => Ok(()),
    }
}

/// The environment, and the service instance if it is attached to one; both take it now.
async fn destination(
    tx: &mut Tx,
    cx: &Context,
    input: &CreateComponentInput,
    engine: EngineKind,
) -> Result<(Environment, Option<Attachment>)> {
    let given = match &input.environment_name {
        Some(name) => Some(
            environment_get(tx, cx.scope(), name)
                .await?
                .ok_or_else(|| not_found("environment", cx.scope().environment(name)))?,
        ),
        None => None,
    };
    let place = match asked(input.service_name.as_deref(), input.service_instance_name.as_deref())? {
        Asked::Attach { service, instance } => Some(Place::find(tx, cx, service, instance).await?),
        Asked::Keep | Asked::Detach => None,
    };
    let environment = match (given, &place) {
        (Some(environment), _) => environment,
        (None, Some(place)) => {
            environment_of(tx, cx, &place.instance.environment_id, &place.instance.environment).await?
        }
        (None, None) => return Err(invalid("environmentName", "is missing")),
    };
    let mut attachment = None;
    if let Some(place) = &place {
        place.check_environment(&environment)?;
        place.check_supported()?;
        attachment = Some(place.attachment(tx, cx, input.service_spec.as_deref(), None).await?);
    }
    check_engine(tx, cx, engine, &environment).await?;
    if component_get(tx, cx.scope(), &input.name).await?.is_some() {
        return Err(conflict(format!("the {NOUN} '{}' already exists; choose another name, or update it", input.name)));
    }
    check_environment(&environment)?;
    if let Some(place) = &place {
        place.check_free(tx, cx, None).await?;
    }
    Ok((environment, attachment))
}

async fn new_component(
    tx: &mut Tx,
    cx: &Context,
    input: &CreateComponentInput,
    environment: Environment,
    attachment: Option<Attachment>,
) -> Result<Component> {
    let template_file = content_put(tx, input.template_file.as_bytes()).await?;
    Ok(Component {
        revision: 0,
        id: new_id(),
        name: input.name.clone(),
        description: input.description.clone(),
        environment: environment.name,
        environment_id: environment.id,
        manifest: content_put(tx, input.manifest.as_bytes()).await?,
        created_at: cx.now,
        modified_at: cx.now,
        track: Track::first(new_id(), Component::aim(template_file), cx.now),
        attached: attachment,
        deployed_with: None,
        last_token: client_token(input.client_token.as_deref()).map(str::to_owned),
        unknown: serde_json::Map::new(),
    })
}

/// Starts the deployment that the track of a new component names.
async fn start(tx: &mut Tx, cx: &Context, component: Component) -> Result<()> {
    let Some(deployment) = component.track.attempted_deployment.clone() else { return Err(deploy::lost_update()) };
    let goal = Component::goal(component.track.attempted.spec.clone(), component.attached.clone());
    let start = Start { scope: cx.scope(), now: cx.now, goal, waiting: false };
    deploy::start_first(tx, deployment, &Target::Component(component), start).await
}
