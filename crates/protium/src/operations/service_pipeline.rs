//! Pipelines: update and cancel. They come and go with their service.

use super::deploy::{self, Start};
use super::service::{self, check_compatible, check_pipeline_engine};
use super::upgrade::Update;
use super::usable_version;
use super::{Context, spec, wire};
use crate::error::{Result, conflict, not_found};
use crate::store::{Reader, Target, Tx, content_put, environment_get, instances_of_service, pipeline_get};
use crate::transaction;
use protium_api::types::*;
use protium_domain::bundle::spec::merge_pipeline;
use protium_domain::deployment::State;
use protium_domain::service::{Service, ServicePipeline as Pipeline};
use protium_domain::template::{TemplateKind, TemplateVersion};
use protium_domain::track::Aim;
use protium_domain::upgrade::Wanted;

pub(super) async fn update(cx: &Context, input: UpdateServicePipelineInput) -> Result<UpdateServicePipelineOutput> {
    // The model requires a spec here, also with NONE, which does not apply it.
    let update = Update::new(
        input.deployment_type,
        input.template_major_version.as_deref(),
        input.template_minor_version.as_deref(),
    );
    transaction!(cx.store(), async |tx| -> Result<UpdateServicePipelineOutput> {
        let pipeline = find(tx, cx, &input.service_name).await?;
        let shown = spec::deployed(tx, &pipeline.track).await?;
        let wanted = update.wanted(&pipeline.track)?;
        if wanted == Wanted::Nothing {
            return Ok(UpdateServicePipelineOutput { pipeline: wire::service_pipeline(cx.scope(), &pipeline, shown) });
        }
        let service = service::find(tx, cx, &pipeline.service).await?;
        let current = pipeline.track.current().version;
        let kind = TemplateKind::Service;
        let version = usable_version::resolve_wanted(tx, cx.scope(), kind, &pipeline.template, wanted, current).await?;
        let aim = aim(tx, cx, &service, &pipeline, &version, Some(&input.spec)).await?;
        // What is wrong with the request is told before what is in its way.
        if service.status.is_active() {
            return Err(conflict(format!(
                "the service '{}' is {}; update its pipeline when that has ended",
                service.name, service.status
            )));
        }
        let goal = State::new(&pipeline.template, &aim);
        let mut target = Target::ServicePipeline(pipeline);
        deploy::start(tx, &mut target, Start { scope: cx.scope(), now: cx.now, goal, waiting: false }).await?;
        let pipeline = wire::service_pipeline(cx.scope(), &pipeline_of(target)?, shown);
        Ok(UpdateServicePipelineOutput { pipeline })
    })
}

/// What a deployment of the version aims at: the given spec, or the current one, if it fits the version.
pub(super) async fn aim(
    tx: &mut Tx,
    cx: &Context,
    service: &Service,
    pipeline: &Pipeline,
    version: &TemplateVersion,
    given: Option<&str>,
) -> Result<Aim> {
    let own = spec::text(tx, &pipeline.track.current().spec).await?;
    let text = match given {
        None => own,
        Some(given) => {
            // Current values: of the pipeline what it runs, of all else what the service has.
            let stored = merge_pipeline(&spec::text(tx, &service.spec).await?, &own).unwrap_or(own);
            spec::service(given, Some(&stored))?.0
        }
    };
    let (_, parsed) = spec::service(&text, None)?;
    spec::check_pipeline(tx, version, &parsed).await?;
    if version.version != pipeline.track.current().version {
        check_environments(tx, cx, service, version).await?;
    }
    check_pipeline_engine(tx, cx, version, Some(pipeline)).await?;
    Ok(Aim { version: version.version, spec: content_put(tx, text.as_bytes()).await? })
}

/// A pipeline reads what the service's instances have, so it moves to versions that work where they are.
async fn check_environments(tx: &mut Tx, cx: &Context, service: &Service, version: &TemplateVersion) -> Result<()> {
    for instance in instances_of_service(tx, cx.scope(), &service.name).await? {
        let environment = environment_get(tx, cx.scope(), &instance.environment).await?;
        let Some(environment) = environment else { continue };
        if let Some(deployed) = &environment.track.deployed {
            let field = "templateMajorVersion, templateMinorVersion";
            check_compatible(field, &instance.name, &environment, deployed.version.major, version)?;
        }
    }
    Ok(())
}

pub(super) async fn cancel(
    cx: &Context,
    input: CancelServicePipelineDeploymentInput,
) -> Result<CancelServicePipelineDeploymentOutput> {
    transaction!(cx.store(), async |tx| -> Result<CancelServicePipelineDeploymentOutput> {
        let pipeline = find(tx, cx, &input.service_name).await?;
        let mut target = Target::ServicePipeline(pipeline);
        deploy::cancel(tx, &mut target, cx.scope(), cx.now, cx.cancel_deadline()).await?;
        let pipeline = wire::service_pipeline(cx.scope(), &pipeline_of(target)?, None);
        Ok(CancelServicePipelineDeploymentOutput { pipeline })
    })
}

pub(super) async fn find(rd: &mut Reader, cx: &Context, service: &str) -> Result<Pipeline> {
    if let Some(pipeline) = pipeline_get(rd, cx.scope(), service).await? {
        return Ok(pipeline);
    }
    service::find(rd, cx, service).await?;
    Err(not_found("service pipeline", cx.scope().service_pipeline(service)))
}

fn pipeline_of(target: Target) -> Result<Pipeline> {
    match target {
        Target::ServicePipeline(pipeline) => Ok(pipeline),
        Target::Environment(_) | Target::ServiceInstance(_) | Target::Component(_) => Err(deploy::lost_update()),
    }
}
