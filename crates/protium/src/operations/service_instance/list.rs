//! `ListServiceInstances`: filters, orders and pages.

use crate::error::{Error, Result, invalid};
use crate::operations::authorize::{Entry, Shows};
use crate::operations::page::{Filling, Page};
use crate::operations::{Context, service, wire};
use crate::store::{InstanceList, Reader, instance_list, instance_versions, template_recommended};
use protium_api::types::*;
use protium_domain::service::ServiceInstance;
use protium_domain::service::listing::{Field, Filters, Key, Position};
use protium_domain::staleness::Staleness;
use protium_domain::template::TemplateKind;
use protium_domain::version::Version;
use std::collections::BTreeSet;

/// `ListServiceInstances`.
pub(in crate::operations) async fn list(
    cx: &Context,
    input: ListServiceInstancesInput,
) -> Result<ListServiceInstancesOutput> {
    let mut filters = filters(input.filters.as_deref().unwrap_or_default())?;
    let sort = input.sort_by.map_or(Field::Service, field);
    let descending = input.sort_order == Some(SortOrder::Descending);
    let mut bound = filters.fingerprint();
    bound.extend([format!("{sort:?}"), descending.to_string()]);
    bound.extend(input.service_name.clone());
    let bound = bound.iter().map(String::as_str);
    let page = Page::new(cx, "ListServiceInstances", bound, input.max_results, input.next_token.as_deref())?;
    let mut rd = cx.store().reader().await?;
    if let Some(name) = input.service_name {
        // Who does not see all instances is not told either whether there is such a service.
        if cx.shows == Shows::Everything {
            service::find(&mut rd, cx, &name).await?;
        }
        // Both narrow the list: of several services that are filtered for, at most this one is left.
        if !filters.services.is_empty() && !filters.services.contains(&name) {
            return Ok(ListServiceInstancesOutput { next_token: None, service_instances: Vec::new() });
        }
        filters.services = BTreeSet::from([name]);
    }
    let versions = versions(&mut rd, cx, &filters).await?;
    let key = |instance: &ServiceInstance| Position::of(sort, instance).to_text();
    let entry = |instance: &ServiceInstance| Entry::new(cx.scope().service_instance(&instance.service, &instance.name));
    let mut filling = Filling::new(page);
    let (found, next_token) = loop {
        let after = filling.page.after().map(|key| position(sort, key)).transpose()?;
        let list = InstanceList {
            filters: &filters,
            versions: versions.as_ref(),
            sort,
            descending,
            after: after.as_ref(),
            limit: filling.page.limit(),
        };
        let found = instance_list(&mut rd, cx.scope(), list).await?;
        if let Some(full) = filling.take(cx, &mut rd, found, key, entry).await? {
            break full;
        }
    };
    let service_instances = found.iter().map(|instance| wire::service_instance_summary(cx.scope(), instance)).collect();
    Ok(ListServiceInstancesOutput { next_token, service_instances })
}

fn filters(given: &[ListServiceInstancesFilter]) -> Result<Filters> {
    let pairs = given.iter().enumerate().map(|(index, filter)| match (filter.key, &filter.value) {
        (Some(by), Some(value)) => Ok((key(by), value.as_str())),
        (None, _) => Err(missing(index, "key")),
        (Some(_), None) => Err(missing(index, "value")),
    });
    let pairs: Vec<(Key, &str)> = pairs.collect::<Result<_>>()?;
    Ok(Filters::new(pairs.into_iter())?)
}

fn missing(index: usize, member: &str) -> Error {
    invalid(&format!("filters[{index}].{member}"), "is missing; a filter has a key and a value")
}

fn key(by: ListServiceInstancesFilterBy) -> Key {
    use ListServiceInstancesFilterBy as By;
    match by {
        By::Name => Key::Name,
        By::DeploymentStatus => Key::DeploymentStatus,
        By::TemplateName => Key::TemplateName,
        By::ServiceName => Key::ServiceName,
        By::DeployedTemplateVersionStatus => Key::DeployedTemplateVersionStatus,
        By::EnvironmentName => Key::EnvironmentName,
        By::LastDeploymentAttemptedAtBefore => Key::AttemptedBefore,
        By::LastDeploymentAttemptedAtAfter => Key::AttemptedAfter,
        By::CreatedAtBefore => Key::CreatedBefore,
        By::CreatedAtAfter => Key::CreatedAfter,
    }
}

fn field(by: ListServiceInstancesSortBy) -> Field {
    use ListServiceInstancesSortBy as By;
    match by {
        By::Name => Field::Name,
        By::DeploymentStatus => Field::Status,
        By::TemplateName => Field::Template,
        By::ServiceName => Field::Service,
        By::EnvironmentName => Field::Environment,
        By::LastDeploymentAttemptedAt => Field::AttemptedAt,
        By::CreatedAt => Field::CreatedAt,
    }
}

fn position(sort: Field, key: &str) -> Result<Position> {
    Position::parse(sort, key)
        .ok_or_else(|| invalid("nextToken", "is not a token of this list; leave it out to begin anew"))
}

/// The deployed versions that are as stale as the filters ask for; `None` if they don't ask. What is recommended is
/// read now: instances do not know it.
async fn versions(rd: &mut Reader, cx: &Context, filters: &Filters) -> Result<Option<BTreeSet<(String, Version)>>> {
    if filters.staleness.is_empty() {
        return Ok(None);
    }
    let recommended = template_recommended(rd, cx.scope(), TemplateKind::Service).await?;
    let mut versions = instance_versions(rd, cx.scope()).await?;
    versions.retain(|(template, version)| {
        let staleness = Staleness::of(*version, recommended.get(template).copied());
        filters.staleness.contains(&staleness) && (filters.templates.is_empty() || filters.templates.contains(template))
    });
    Ok(Some(versions))
}
