//! The resources summary: how many resources there are, how many failed, how many are behind.

use super::Context;
use crate::error::Result;
use crate::store::{
    Alike, Lowest, summary_components, summary_environments, summary_instances, summary_lowest_instances,
    summary_lowest_pipelines, summary_pipelines, summary_services, summary_templates,
};
use protium_api::types::*;
use protium_domain::staleness::Staleness;
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::{Template, TemplateKind};
use protium_domain::version::Version;
use std::collections::{BTreeMap, HashMap};

/// `GetResourcesSummary`.
pub(super) async fn get(cx: &Context, _: GetResourcesSummaryInput) -> Result<GetResourcesSummaryOutput> {
    let scope = cx.scope();
    let mut rd = cx.store().snapshot().await?;
    let templates = summary_templates(&mut rd, scope).await?;
    let environments = summary_environments(&mut rd, scope).await?;
    let instances = summary_instances(&mut rd, scope).await?;
    let pipelines = summary_pipelines(&mut rd, scope).await?;
    let mut parts = summary_lowest_instances(&mut rd, scope).await?;
    parts.extend(summary_lowest_pipelines(&mut rd, scope).await?);
    let services = summary_services(&mut rd, scope).await?;
    let components = summary_components(&mut rd, scope).await?;
    let of = |kind| recommended(&templates, kind);
    let counts = CountsSummary {
        components: Some(without_version(&components)),
        environment_templates: Some(total(&templates, TemplateKind::Environment)),
        environments: Some(deployed(&environments, &of(TemplateKind::Environment))),
        pipelines: Some(deployed(&pipelines, &of(TemplateKind::Service))),
        service_instances: Some(deployed(&instances, &of(TemplateKind::Service))),
        service_templates: Some(total(&templates, TemplateKind::Service)),
        services: Some(served(&services, parts.into_iter(), &of(TemplateKind::Service))),
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
    fn add(&mut self, staleness: Staleness, count: i64) {
        *match staleness {
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

fn deployed(groups: &[Alike], recommended: &Recommended<'_>) -> ResourceCountsSummary {
    let mut counts = Counts::default();
    for group in groups {
        counts.total += group.count;
        counts.failed += group.failed;
        // Nothing is deployed where there is no version yet.
        if let Some(version) = group.version {
            counts.add(Staleness::of(version, recommended.get(group.template.as_str()).copied()), group.count);
        }
    }
    counts.summary()
}

/// A service is as far behind as that of its parts which is behind farthest, which is the one on the lowest version;
/// without a deployed part it is neither behind nor up to date.
fn served(
    services: &[(ServiceStatus, i64)],
    parts: impl Iterator<Item = Lowest>,
    recommended: &Recommended<'_>,
) -> ResourceCountsSummary {
    let mut lowest: HashMap<String, Staleness> = HashMap::new();
    for part in parts {
        let staleness = Staleness::of(part.version, recommended.get(part.template.as_str()).copied());
        let known = lowest.entry(part.service).or_insert(staleness);
        *known = staleness.max(*known);
    }
    let mut counts = Counts::default();
    for (status, count) in services {
        counts.total += count;
        counts.failed += if status.is_failed() { *count } else { 0 };
    }
    for staleness in lowest.into_values() {
        counts.add(staleness, 1);
    }
    counts.summary()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(version: Option<(i64, i64)>, count: i64, failed: i64) -> Alike {
        let version = version.map(|(major, minor)| Version::new(major, minor));
        Alike { template: "t".into(), version, count, failed }
    }

    fn lowest(service: &str, (major, minor): (i64, i64)) -> Lowest {
        Lowest { service: service.into(), template: "t".into(), version: Version::new(major, minor) }
    }

    #[test]
    fn what_has_no_version_counts_in_the_total_and_as_failed_only() {
        let recommended = Recommended::from([("t", Version::new(2, 1))]);
        let groups =
            [alike(None, 3, 2), alike(Some((1, 0)), 3, 3), alike(Some((2, 0)), 5, 0), alike(Some((2, 1)), 7, 0)];
        let expected = ResourceCountsSummary {
            total: 18,
            failed: Some(5),
            up_to_date: Some(7),
            behind_minor: Some(5),
            behind_major: Some(3),
        };
        assert_eq!(deployed(&groups, &recommended), expected);
    }

    #[test]
    fn a_service_is_as_far_behind_as_its_farthest_part() {
        let recommended = Recommended::from([("t", Version::new(2, 1))]);
        let parts = [lowest("far", (1, 0)), lowest("near", (2, 1)), lowest("far", (2, 0)), lowest("near", (2, 0))];
        let services = [(ServiceStatus::Active, 2), (ServiceStatus::CreateFailed, 1)];
        let expected = ResourceCountsSummary {
            total: 3,
            failed: Some(1),
            up_to_date: Some(0),
            behind_minor: Some(1),
            behind_major: Some(1),
        };
        assert_eq!(served(&services, parts.into_iter(), &recommended), expected);
    }
}
