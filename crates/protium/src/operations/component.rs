//! Components: get, list, delete, cancel. How they are created and updated is in the submodules.

mod attach;
mod create;
mod update;

use super::authorize::Entry;
use super::page::{Filling, Page};
use super::{Context, deploy, spec, wire};
use crate::error::{Error, Result, invalid, not_found};
use crate::store::{ComponentFilter, Reader, Target, component_get, component_page};
use crate::transaction;
use protium_api::types::*;
use protium_domain::bundle::manifest::EngineKind;
use protium_domain::bundle::problem::summary;
use protium_domain::bundle::render::{RenderLimits, Template};
use protium_domain::component::Component as Row;
use protium_domain::status::DeploymentStatus;

pub(super) use create::create;
pub(super) use update::update;

const NOUN: &str = "component";

pub(super) async fn get(cx: &Context, input: GetComponentInput) -> Result<GetComponentOutput> {
    let mut rd = cx.store().reader().await?;
    let component = find(&mut rd, cx, &input.name).await?;
    let spec = service_spec(&mut rd, &component).await?;
    Ok(GetComponentOutput { component: Some(wire::component(cx.scope(), &component, spec)) })
}

pub(super) async fn list(cx: &Context, input: ListComponentsInput) -> Result<ListComponentsOutput> {
    if let (None, Some(instance)) = (&input.service_name, &input.service_instance_name) {
        return Err(invalid(
            "serviceName",
            format_args!("is missing; serviceInstanceName '{instance}' needs the name of its service"),
        ));
    }
    let names = [
        ("environmentName", input.environment_name.as_deref()),
        ("serviceName", input.service_name.as_deref()),
        ("serviceInstanceName", input.service_instance_name.as_deref()),
    ];
    let filters = names.into_iter().filter_map(|(name, given)| Some([name, given?])).flatten();
    let page = Page::new(cx, "ListComponents", filters, input.max_results, input.next_token.as_deref())?;
    let filter = ComponentFilter {
        environment: input.environment_name.clone(),
        service: input.service_name.clone(),
        instance: input.service_instance_name.clone(),
    };
    let mut rd = cx.store().reader().await?;
    let entry = |component: &Row| Entry::new(cx.scope().component(&component.name));
    let mut filling = Filling::new(page);
    let (found, next_token) = loop {
        let found = component_page(
            &mut rd,
            cx.scope(),
            &filter,
            filling.page.after().unwrap_or_default(),
            filling.page.limit(),
        )
        .await?;
        if let Some(full) = filling.take(cx, &mut rd, found, |component| component.name.clone(), entry).await? {
            break full;
        }
    };
    let components = found.iter().map(|component| wire::component_summary(cx.scope(), component)).collect();
    Ok(ListComponentsOutput { components, next_token })
}

pub(super) async fn delete(cx: &Context, input: DeleteComponentInput) -> Result<DeleteComponentOutput> {
    transaction!(cx.store(), async |tx| -> Result<DeleteComponentOutput> {
        let Some(mut component) = component_get(tx, cx.scope(), &input.name).await? else {
            return Ok(DeleteComponentOutput { component: None });
        };
        if component.track.status != DeploymentStatus::DeleteInProgress {
            component.check_delete()?;
            component.attached = None;
            component.modified_at = cx.now;
            let mut target = Target::Component(component);
            deploy::destroy(tx, &mut target, cx.scope(), cx.now).await?;
            component = component_of(target)?;
        }
        Ok(DeleteComponentOutput { component: Some(wire::component(cx.scope(), &component, None)) })
    })
}

pub(super) async fn cancel(
    cx: &Context,
    input: CancelComponentDeploymentInput,
) -> Result<CancelComponentDeploymentOutput> {
    transaction!(cx.store(), async |tx| -> Result<CancelComponentDeploymentOutput> {
        let component = find(tx, cx, &input.component_name).await?;
        let spec = service_spec(tx, &component).await?;
        let mut target = Target::Component(component);
        deploy::cancel(tx, &mut target, cx.scope(), cx.now, cx.cancel_deadline()).await?;
        let component = wire::component(cx.scope(), &component_of(target)?, spec);
        Ok(CancelComponentDeploymentOutput { component })
    })
}

pub(super) async fn find(rd: &mut Reader, cx: &Context, name: &str) -> Result<Row> {
    component_get(rd, cx.scope(), name).await?.ok_or_else(|| not_found(NOUN, cx.scope().component(name)))
}

fn component_of(target: Target) -> Result<Row> {
    match target {
        Target::Component(component) => Ok(component),
        Target::Environment(_) | Target::ServiceInstance(_) | Target::ServicePipeline(_) => Err(deploy::lost_update()),
    }
}

/// The text of the service spec that a component is deployed with.
async fn service_spec(rd: &mut Reader, component: &Row) -> Result<Option<String>> {
    match component.service_spec() {
        Some(hash) => Ok(Some(spec::text(rd, hash).await?)),
        None => Ok(None),
    }
}

/// Checks what can be checked of a template file before it is rendered.
fn check_template_file(engine: EngineKind, name: &str, text: &str) -> Result<()> {
    match engine {
        EngineKind::CloudFormation => {
            let compiled = Template::compile(name, text, RenderLimits::default());
            let refuse = |problem| Error::new(protium_api::ErrorCode::Validation, summary(&[problem]));
            compiled.map(drop).map_err(|error| refuse(error.into_problem("templateFile")))
        }
        EngineKind::Terraform | EngineKind::CodeBuild => Ok(()),
    }
}
