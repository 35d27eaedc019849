//! The same counts of what the caller may get, for who is not allowed the summary of everything.

use super::Standings;
use crate::error::{Result, internal};
use crate::operations::Context;
use crate::operations::authorize::{Entry, retain};
use crate::operations::template::template_arn;
use crate::store::{
    Counted, Deployed, Reader, ServicesAlike, Standing, counted_components, counted_environments, counted_instances,
    counted_pipelines, counted_services,
};
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::{Template, TemplateKind};
use protium_domain::version::Version;
use std::collections::BTreeMap;

pub(super) async fn standings(cx: &Context, rd: &mut Reader, templates: Vec<Template>) -> Result<Standings> {
    let scope = cx.scope();
    let (mut of_environments, mut of_services) = (Vec::new(), Vec::new());
    for template in templates {
        match template.kind {
            TemplateKind::Environment => of_environments.push(template),
            TemplateKind::Service => of_services.push(template),
        }
    }
    let template = |template: &Template| Entry::new(template_arn(scope, template.kind, &template.name));
    let mut templates = retain(cx, rd, "proton:GetEnvironmentTemplate", of_environments, template).await?;
    templates.extend(retain(cx, rd, "proton:GetServiceTemplate", of_services, template).await?);

    let environments = counted_environments(rd, scope).await?;
    let environment = |counted: &Counted| Entry::new(scope.environment(&counted.name));
    let environments = retain(cx, rd, "proton:GetEnvironment", environments, environment).await?;

    let (all_instances, all_pipelines) = (counted_instances(rd, scope).await?, counted_pipelines(rd, scope).await?);
    let lowest = lowest(all_instances.iter().chain(&all_pipelines));
    let instance = |counted: &Counted| Entry::new(scope.service_instance(&counted.service, &counted.name));
    let instances = retain(cx, rd, "proton:GetServiceInstance", all_instances, instance).await?;
    let service = |counted: &Counted| Entry::new(scope.service(&counted.service));
    let pipelines = retain(cx, rd, "proton:GetService", all_pipelines, service).await?;
    let services = counted_services(rd, scope).await?;
    let services = retain(cx, rd, "proton:GetService", services, service).await?;

    let components = counted_components(rd, scope).await?;
    let component = |counted: &Counted| Entry::new(scope.component(&counted.name));
    let components = retain(cx, rd, "proton:GetComponent", components, component).await?;
    Ok(Standings {
        templates,
        environments: standing(&environments)?,
        instances: standing(&instances)?,
        pipelines: standing(&pipelines)?,
        services: services.iter().map(|service| alike(service, &lowest)).collect::<Result<_>>()?,
        components: components.iter().map(|counted| Ok((deployment_status(counted)?, 1))).collect::<Result<_>>()?,
    })
}

/// The lowest version that a part of each service has deployed.
fn lowest<'a>(parts: impl Iterator<Item = &'a Counted>) -> BTreeMap<String, Version> {
    let mut lowest = BTreeMap::new();
    for part in parts {
        let Some(version) = part.version else { continue };
        let known = lowest.entry(part.service.clone()).or_insert(version);
        *known = version.min(*known);
    }
    lowest
}

fn standing(counted: &[Counted]) -> Result<Standing> {
    let mut standing = Standing { total: 0, failed: 0, deployed: Vec::new() };
    for one in counted {
        standing.total += 1;
        if matches!(deployment_status(one)?, DeploymentStatus::Failed | DeploymentStatus::DeleteFailed) {
            standing.failed += 1;
        }
        if let Some(version) = one.version {
            standing.deployed.push(Deployed { template: one.template.clone(), version, count: 1 });
        }
    }
    Ok(standing)
}

fn alike(service: &Counted, lowest: &BTreeMap<String, Version>) -> Result<ServicesAlike> {
    let status = ServiceStatus::parse(&service.status).ok_or_else(|| unknown(service))?;
    let lowest = lowest.get(&service.name).copied();
    Ok(ServicesAlike { template: service.template.clone(), status, lowest, count: 1 })
}

fn deployment_status(counted: &Counted) -> Result<DeploymentStatus> {
    DeploymentStatus::parse(&counted.status).ok_or_else(|| unknown(counted))
}

fn unknown(counted: &Counted) -> crate::error::Error {
    internal(anyhow::anyhow!("'{}' is no status", counted.status))
}
