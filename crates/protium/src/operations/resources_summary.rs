//! The resources summary: how many resources there are, how many failed, how many are behind.

mod allowed;

use super::Context;
use super::authorize::Shows;
use crate::error::Result;
use crate::store::{
    ServicesAlike, Standing, summary_components, summary_environments, summary_instances, summary_pipelines,
    summary_services, summary_templates,
};
use protium_api::types::*;
use protium_domain::staleness::Staleness;
use protium_domain::status::DeploymentStatus;
use protium_domain::template::{Template, TemplateKind};
use protium_domain::version::Version;
use std::collections::BTreeMap;

/// The actions that ask for what is counted.
pub(super) const COUNTED: [&str; 6] = [
    "proton:GetComponent",
    "proton:GetEnvironment",
    "proton:GetEnvironmentTemplate",
    "proton:GetService",
    "proton:GetServiceInstance",
    "proton:GetServiceTemplate",
];

/// How all that is counted stands.
struct Standings {
    templates: Vec<Template>,
    environments: Standing,
    instances: Standing,
    pipelines: Standing,
    services: Vec<ServicesAlike>,
    components: Vec<(DeploymentStatus, i64)>,
}

/// `GetResourcesSummary`. What a resource is behind is told also of those whose template the caller does not see.
pub(super) async fn get(cx: &Context, _: GetResourcesSummaryInput) -> Result<GetResourcesSummaryOutput> {
    let scope = cx.scope();
    let mut rd = cx.store().snapshot().await?;
    let all_templates = summary_templates(&mut rd, scope).await?;
    let of = |kind| recommended(&all_templates, kind);
    let standings = match cx.shows {
        Shows::Allowed => allowed::standings(cx, &mut rd, all_templates.clone()).await?,
        Shows::Everything => Standings {
            environments: summary_environments(&mut rd, scope).await?,
            instances: summary_instances(&mut rd, scope).await?,
            pipelines: summary_pipelines(&mut rd, scope).await?,
            services: summary_services(&mut rd, scope).await?,
            components: summary_components(&mut rd, scope).await?,
            templates: all_templates.clone(),
        },
    };
    let Standings { templates, environments, instances, pipelines, services, components } = standings;
    let counts = CountsSummary {
        components: Some(without_version(&components)),
        environment_templates: Some(total(&templates, TemplateKind::Environment)),
        environments: Some(deployed(&environments, &of(TemplateKind::Environment))),
        pipelines: Some(deployed(&pipelines, &of(TemplateKind::Service))),
        service_instances: Some(deployed(&instances, &of(TemplateKind::Service))),
        service_templates: Some(total(&templates, TemplateKind::Service)),
        services: Some(served(&services, &of(TemplateKind::Service))),
    };
    Ok(GetResourcesSummaryOutput { counts })
}

/// The recommended versions of the templates that have one, by name.
type Recommended<'a> = BTreeMap<&'a str, Version>;

fn recommended(templates: &[Template], kind: TemplateKind) -> Recommended<'_> {
    let of_kind = templates.iter().filter(|template| template.kind == kind);
    of_kind.filter_map(|template| Some((template.name.as_str(), template.recommended?))).collect()
}

fn total(templates: &[Template], kind: TemplateKind) -> ResourceCountsSummary {
    let count = templates.iter().filter(|template| template.kind == kind).count();
    ResourceCountsSummary { total: i32::try_from(count).unwrap_or(i32::MAX), ..ResourceCountsSummary::default() }
}

/// Components have no version to be behind with.
fn without_version(groups: &[(DeploymentStatus, i64)]) -> ResourceCountsSummary {
    let is_failed = |status| matches!(status, DeploymentStatus::Failed | DeploymentStatus::DeleteFailed);
    let number = |count| i32::try_from(count).unwrap_or(i32::MAX);
    let total = groups.iter().map(|(_, count)| count).sum::<i64>();
    let failed = groups.iter().filter(|(status, _)| is_failed(*status)).map(|(_, count)| count).sum::<i64>();
    ResourceCountsSummary { total: number(total), failed: Some(number(failed)), ..ResourceCountsSummary::default() }
}

/// The members of a [`ResourceCountsSummary`], while they are counted.
#[derive(Default)]
struct Counts {
    total: i64,
    failed: i64,
    up_to_date: i64,
    behind_minor: i64,
    behind_major: i64,
}

impl Counts {
    /// Counts what has a version of a template deployed.
    fn add(&mut self, recommended: &Recommended<'_>, template: &str, version: Version, count: i64) {
        *match Staleness::of(version, recommended.get(template).copied()) {
            Staleness::UpToDate => &mut self.up_to_date,
            Staleness::BehindMinor => &mut self.behind_minor,
            Staleness::BehindMajor => &mut self.behind_major,
        } += count;
    }

    fn summary(&self) -> ResourceCountsSummary {
        let number = |count| i32::try_from(count).unwrap_or(i32::MAX);
        ResourceCountsSummary {
            behind_major: Some(number(self.behind_major)),
            behind_minor: Some(number(self.behind_minor)),
            failed: Some(number(self.failed)),
            total: number(self.total),
            up_to_date: Some(number(self.up_to_date)),
        }
    }
}

fn deployed(standing: &Standing, recommended: &Recommended<'_>) -> ResourceCountsSummary {
    let mut counts = Counts { total: standing.total, failed: standing.failed, ..Counts::default() };
    for group in &standing.deployed {
        counts.add(recommended, &group.template, group.version, group.count);
    }
    counts.summary()
}

/// A service is as far behind as that of its parts which is behind farthest, which is the one on the lowest version;
/// without a deployed part it is neither behind nor up to date.
fn served(services: &[ServicesAlike], recommended: &Recommended<'_>) -> ResourceCountsSummary {
    let mut counts = Counts::default();
    for group in services {
        counts.total += group.count;
        counts.failed += if group.status.is_failed() { group.count } else { 0 };
        if let Some(lowest) = group.lowest {
            counts.add(recommended, &group.template, lowest, group.count);
        }
    }
    counts.summary()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Deployed;
    use protium_domain::status::ServiceStatus;

    #[test]
    fn what_has_no_version_counts_in_the_total_and_as_failed_only() {
        let recommended = Recommended::from([("t", Version::new(2, 1))]);
        let on = |(major, minor), count| Deployed { template: "t".into(), version: Version::new(major, minor), count };
        let deployed_on = vec![on((1, 0), 3), on((2, 0), 5), on((2, 1), 7)];
        let expected = ResourceCountsSummary {
            total: 18,
            failed: Some(5),
            up_to_date: Some(7),
            behind_minor: Some(5),
            behind_major: Some(3),
        };
        assert_eq!(deployed(&Standing { total: 18, failed: 5, deployed: deployed_on }, &recommended), expected);
    }

    #[test]
    fn a_service_is_as_far_behind_as_its_lowest_part() {
        let recommended = Recommended::from([("t", Version::new(2, 1))]);
        let alike = |status, lowest: Option<(i64, i64)>, count| {
            let lowest = lowest.map(|(major, minor)| Version::new(major, minor));
            ServicesAlike { template: "t".into(), status, lowest, count }
        };
        let services = [
            alike(ServiceStatus::Active, Some((1, 0)), 2),
            alike(ServiceStatus::Active, Some((2, 0)), 3),
            alike(ServiceStatus::Active, Some((2, 1)), 4),
            alike(ServiceStatus::CreateFailed, None, 1),
            alike(ServiceStatus::UpdateFailed, Some((2, 1)), 1),
        ];
        let expected = ResourceCountsSummary {
            total: 11,
            failed: Some(2),
            up_to_date: Some(5),
            behind_minor: Some(3),
            behind_major: Some(2),
        };
        assert_eq!(served(&services, &recommended), expected);
    }
}
