//! `CreateService`: the service, its instances and its pipeline in one transaction.

use super::parts::{add_instance, add_pipeline, check_pipeline_engine, new_instances};
use super::{NOUN, shown};
use crate::app::new_id;
use crate::error::{Result, conflict, invalid, not_found, over_quota};
use crate::operations::input::{request_hash, tags, version_part};
use crate::operations::quota::{Places, Quota};
use crate::operations::usable_version::{self, check_built};
use crate::operations::{Context, deploy, spec};
use crate::store::{Reader, content_put, service_insert, service_with_pipeline, tag_set, template_get};
use crate::transaction;
use protium_api::types::{CreateServiceInput, CreateServiceOutput};
use protium_domain::bundle::spec::ServiceSpec;
use protium_domain::service::change::{Change, Kind};
use protium_domain::service::{CodeRepository, Service, ServicePipeline};
use protium_domain::status::ServiceStatus;
use protium_domain::template::{Origin, Template, TemplateKind, TemplateVersion};
use protium_domain::track::Aim;

pub(in crate::operations) async fn create(cx: &Context, input: CreateServiceInput) -> Result<CreateServiceOutput> {
    let user_tags = tags(input.tags.as_deref())?;
    let repository = repository(&input)?;
    let hash = request_hash(&input)?;
    let mut rd = cx.store().reader().await?;
    if let Some((found, pipeline)) = service_with_pipeline(&mut rd, cx.scope(), &input.name).await? {
        return replay(&mut rd, cx, &found, pipeline.as_ref(), &hash).await;
    }
    let plan = plan(&mut rd, cx, &input, repository.is_some()).await?;
    drop(rd);
    let places = Places::of(cx, Quota::Services).await?;
    transaction!(cx.store(), async |tx| -> Result<CreateServiceOutput> {
        if let Some((found, pipeline)) = service_with_pipeline(tx, cx.scope(), &input.name).await? {
            return replay(tx, cx, &found, pipeline.as_ref(), &hash).await;
        }
        usable_version::still(tx, cx.scope(), &plan.version).await?;
        let instances = new_instances(tx, cx, &plan.version, &plan.spec, &plan.names).await?;
        check_instances(cx, instances.len())?;
        places.check(tx, cx, 1).await?;
        let aim = Aim { version: plan.version.version, spec: content_put(tx, plan.text.as_bytes()).await? };
        let service = Service { repository: repository.clone(), ..new_service(cx, &input, &aim, &hash) };
        if !service_insert(tx, cx.scope(), &service).await? {
            return Err(deploy::lost_update());
        }
        for (key, value) in &user_tags {
            tag_set(tx, cx.scope(), service.id.as_str(), &cx.scope().service(&service.name), key, value).await?;
        }
        for new in &instances {
            add_instance(tx, cx, &service, new, &aim, &user_tags, None).await?;
        }
        let pipeline = match plan.has_pipeline {
            true => Some(add_pipeline(tx, cx, &service, &aim).await?),
            false => None,
        };
        Ok(CreateServiceOutput { service: shown(tx, cx, &service, pipeline.as_ref()).await? })
    })
}

/// No more of them than a service may have.
fn check_instances(cx: &Context, instances: usize) -> Result<()> {
    let limit = cx.app.config.quotas.instances_per_service;
    if i64::try_from(instances).unwrap_or(i64::MAX) > limit {
        return Err(over_quota("instances of a service", limit));
    }
    Ok(())
}

fn new_service(cx: &Context, input: &CreateServiceInput, aim: &Aim, hash: &str) -> Service {
    Service {
        revision: 0,
        id: new_id(),
        name: input.name.clone(),
        template: input.template_name.clone(),
        description: input.description.clone(),
        status: ServiceStatus::CreateInProgress,
        status_message: None,
        repository: None,
        spec: aim.spec.clone(),
        created_at: cx.now,
        modified_at: cx.now,
        origin: Origin::new(hash.to_owned()),
        change: Some(Change::new(Kind::Create)),
        unknown: serde_json::Map::new(),
    }
}

/// What a create answers for a service that exists.
async fn replay(
    rd: &mut Reader,
    cx: &Context,
    found: &Service,
    pipeline: Option<&ServicePipeline>,
    hash: &str,
) -> Result<CreateServiceOutput> {
    if matches!(found.status, ServiceStatus::DeleteInProgress | ServiceStatus::DeleteFailed) {
        return Err(conflict(format!(
            "the service '{}' is {}; create it again when its deletion has ended",
            found.name, found.status
        )));
    }
    found.origin.replay(hash, NOUN, &found.name)?;
    Ok(CreateServiceOutput { service: shown(rd, cx, found, pipeline).await? })
}

/// What was decided before the transaction.
struct Plan {
    version: TemplateVersion,
    text: String,
    spec: ServiceSpec,
    /// Those of its instances.
    names: Vec<String>,
    has_pipeline: bool,
}

async fn plan(rd: &mut Reader, cx: &Context, input: &CreateServiceInput, has_repository: bool) -> Result<Plan> {
    let template = template_get(rd, cx.scope(), TemplateKind::Service, &input.template_name)
        .await?
        .ok_or_else(|| not_found("service template", &input.template_name))?;
    let version = usable_version::resolve(
        rd,
        cx.scope(),
        TemplateKind::Service,
        &input.template_name,
        version_part(&input.template_major_version),
        input.template_minor_version.as_deref().map(version_part),
    )
    .await?;
    let (text, spec) = spec::service(&input.spec, None)?;
    check_pipeline(&template, &spec, has_repository)?;
    let names: Vec<String> = spec.instances.iter().map(|instance| instance.name.clone()).collect();
    if names.is_empty() {
        return Err(invalid("spec", "has no instances; a service has at least one"));
    }
    spec::check_instances(rd, &version, &spec, &names).await?;
    check_built(cx, version.infrastructure())?;
    let has_pipeline = !template.customer_managed;
    if has_pipeline {
        spec::check_pipeline(rd, &version, &spec).await?;
        check_pipeline_engine(rd, cx, &version, None).await?;
    }
    Ok(Plan { version, text, spec, names, has_pipeline })
}

/// The three repository members come together.
fn repository(input: &CreateServiceInput) -> Result<Option<CodeRepository>> {
    match (&input.repository_connection_arn, &input.repository_id, &input.branch_name) {
        (Some(connection_arn), Some(id), Some(branch)) => {
            Ok(Some(CodeRepository { connection_arn: connection_arn.clone(), id: id.clone(), branch: branch.clone() }))
        }
        (None, None, None) => Ok(None),
        _ => Err(invalid(
            "repositoryConnectionArn, repositoryId, branchName",
            "only some are given; a service with a pipeline needs all three, one without needs none",
        )),
    }
}

/// A template with a pipeline needs a repository; one without takes neither that nor pipeline inputs.
fn check_pipeline(template: &Template, spec: &ServiceSpec, has_repository: bool) -> Result<()> {
    if template.customer_managed && has_repository {
        return Err(invalid(
            "repositoryConnectionArn, repositoryId, branchName",
            format_args!("the service template '{}' has no pipeline; leave them out", template.name),
        ));
    }
    if template.customer_managed && spec.pipeline.is_some() {
        return Err(invalid(
            "spec",
            format_args!(
                "has a pipeline section, but the service template '{}' has no pipeline; remove it",
                template.name
            ),
        ));
    }
    if !template.customer_managed && !has_repository {
        return Err(invalid(
            "repositoryConnectionArn, repositoryId, branchName",
            format_args!("are missing; the service template '{}' has a pipeline, which needs them", template.name),
        ));
    }
    Ok(())
}
