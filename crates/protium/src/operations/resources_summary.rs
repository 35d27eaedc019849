//! The resources summary: how many resources there are, how many failed, how many are behind.

use super::Context;
use crate::error::Result;
use crate::store::{
    Alike, summary_components, summary_environments, summary_instances, summary_pipelines, summary_services,
    summary_templates,
};
use protium_api::types::*;
use protium_domain::status::{DeploymentStatus as Status, ServiceStatus};
use protium_domain::template::{Template, TemplateKind};
use protium_domain::version::Version;
use std::collections::BTreeMap;

/// `GetResourcesSummary`.
pub(super) async fn get(cx: &Context, _: GetResourcesSummaryInput) -> Result<GetResourcesSummaryOutput> {
    let scope = cx.scope();
    let mut rd = cx.store().snapshot().await?;
    let templates = summary_templates(&mut rd, scope).await?;
    let environments = summary_environments(&mut rd, scope).await?;
    let instances = summary_instances(&mut rd, scope).await?;
    let pipelines = summary_pipelines(&mut rd, scope).await?;
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
        services: Some(served(&services, instances.iter().chain(&pipelines), &of(TemplateKind::Service))),
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
fn without_version(groups: &[(Status, i64)]) -> ResourceCountsSummary {
    let number = |count| i32::try_from(count).unwrap_or(i32::MAX);
    let total = groups.iter().map(|(_, count)| count).sum::<i64>();
    let failed = groups.iter().filter(|(status, _)| is_failed(*status)).map(|(_, count)| count).sum::<i64>();
    ResourceCountsSummary { total: number(total), failed: Some(number(failed)), ..ResourceCountsSummary::default() }
}

fn is_failed(status: Status) -> bool {
    matches!(status, Status::Failed | Status::DeleteFailed)
}

/// How a version compares to the one that its template recommends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Staleness {
    UpToDate,
    BehindMinor,
    BehindMajor,
}

impl Staleness {
    /// A version above the recommended one, such as a draft, is up to date; so is each where none is
    /// recommended.
    fn of(version: Version, recommended: Option<Version>) -> Self {
        match recommended {
            Some(recommended) if version.major < recommended.major => Self::BehindMajor,
            Some(recommended) if version < recommended => Self::BehindMinor,
            Some(_) | None => Self::UpToDate,
        }
    }
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
        if is_failed(group.status) {
            counts.failed += group.count;
        }
        if let Some(staleness) = staleness(group, recommended) {
            counts.add(staleness, group.count);
        }
    }
    counts.summary()
}

/// A service is as far behind as that of its parts which is behind farthest; without a deployed part
/// it is neither behind nor up to date.
fn served<'a>(
    services: &[(ServiceStatus, i64)],
    parts: impl Iterator<Item = &'a Alike>,
    recommended: &Recommended<'_>,
) -> ResourceCountsSummary {
    let mut farthest: BTreeMap<&str, Staleness> = BTreeMap::new();
    for part in parts {
        if let Some(staleness) = staleness(part, recommended) {
            let known = farthest.entry(&part.service).or_insert(staleness);
            *known = staleness.max(*known);
        }
    }
    let mut counts = Counts::default();
    for (status, count) in services {
        counts.total += count;
        counts.failed += if status.is_failed() { *count } else { 0 };
    }
    for staleness in farthest.into_values() {
        counts.add(staleness, 1);
    }
    counts.summary()
}

/// `None` where nothing is deployed yet.
fn staleness(group: &Alike, recommended: &Recommended<'_>) -> Option<Staleness> {
    let version = group.version?;
    Some(Staleness::of(version, recommended.get(group.template.as_str()).copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(service: &str, version: Option<(i64, i64)>, status: Status, count: i64) -> Alike {
        let version = version.map(|(major, minor)| Version::new(major, minor));
        Alike { service: service.into(), template: "t".into(), version, status, count }
    }

    #[test]
    fn staleness_is_the_distance_below_the_recommended_version() {
        let recommended = Some(Version::new(2, 3));
        for (major, minor, expected) in [
            (1, 9, Staleness::BehindMajor),
            (2, 2, Staleness::BehindMinor),
            (2, 3, Staleness::UpToDate),
            (2, 4, Staleness::UpToDate),
            (3, 0, Staleness::UpToDate),
        ] {
            assert_eq!(Staleness::of(Version::new(major, minor), recommended), expected, "{major}.{minor}");
        }
        assert_eq!(Staleness::of(Version::new(1, 0), None), Staleness::UpToDate);
    }

    #[test]
    fn what_has_no_version_counts_in_the_total_and_as_failed_only() {
        let recommended = Recommended::from([("t", Version::new(2, 1))]);
        let groups = [
            alike("", None, Status::Failed, 2),
            alike("", None, Status::InProgress, 1),
            alike("", Some((1, 0)), Status::DeleteFailed, 3),
            alike("", Some((2, 0)), Status::Succeeded, 5),
            alike("", Some((2, 1)), Status::Succeeded, 7),
        ];
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
        let parts = [
            alike("far", Some((2, 0)), Status::Succeeded, 1),
            alike("far", Some((1, 0)), Status::Succeeded, 1),
            alike("near", Some((2, 1)), Status::Succeeded, 4),
            alike("near", Some((2, 0)), Status::Succeeded, 1),
            alike("new", None, Status::Failed, 1),
        ];
        let services = [(ServiceStatus::Active, 2), (ServiceStatus::CreateFailed, 1)];
        let expected = ResourceCountsSummary {
            total: 3,
            failed: Some(1),
            up_to_date: Some(0),
            behind_minor: Some(1),
            behind_major: Some(1),
        };
        assert_eq!(served(&services, parts.iter(), &recommended), expected);
    }
}
