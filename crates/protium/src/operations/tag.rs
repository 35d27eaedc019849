//! Tags: set, unset, list, on whatever has an ARN that can be tagged.
//!
//! Owns: which ARNs can be tagged and whom they name. Does not own: the rules for keys and values
//! (`domain::tag`), nor which managed tags there are (`managed_tags`).

use super::managed_tags::{
    managed_of_component, managed_of_environment, managed_of_instance, managed_of_service, managed_of_template,
};
use super::page::Page;
use super::template_version::version_noun;
use super::{Context, account_connection, input};
use crate::error::{Error, Result, invalid, not_found};
use crate::store::{
    Reader, component_get, connection_get, environment_get, instance_get, repository_get, service_get, tag_list,
    tag_set, tag_unset, template_get, template_version_get,
};
use crate::transaction;
use protium_api::types::*;
use protium_domain::account_connection::Side;
use protium_domain::arn::{self, Resource, Scope};
use protium_domain::id::Id;
use protium_domain::repository::parse_arn_part;
use protium_domain::tag::{self, MAX_USER_TAGS, Managed};
use protium_domain::template::TemplateKind;
use protium_domain::version;
use std::collections::BTreeSet;

/// The most tags that an answer may hold: the model's bound of a list of tags.
const MAX_PAGE: i32 = 50;
/// More tags than any resource has, those that it got from its template or service included.
const ALL: i64 = 4 * MAX_USER_TAGS as i64;

/// `TagResource`. Setting what is set already changes nothing.
pub(super) async fn set(cx: &Context, input: TagResourceInput) -> Result<TagResourceOutput> {
    let (scope, arn) = (cx.scope(), &input.resource_arn);
    let resource = taggable(arn)?;
    let tags = input::tags(Some(&input.tags))?;
    transaction!(cx.store(), async |tx| -> Result<TagResourceOutput> {
        let tagged = find(tx, scope, arn, &resource).await?;
        let before = tag_list(tx, scope, tagged.id.as_str(), "", ALL).await?;
        let after: BTreeSet<&str> = before.iter().chain(&tags).map(|(key, _)| key.as_str()).collect();
        tag::check_count(after.len()).map_err(|error| invalid("tags", error))?;
        for (key, value) in &tags {
            tag_set(tx, scope, tagged.id.as_str(), arn, key, value).await?;
        }
        Ok(TagResourceOutput {})
    })
}

/// `UntagResource`. Keys that the resource does not have are passed over.
pub(super) async fn unset(cx: &Context, input: UntagResourceInput) -> Result<UntagResourceOutput> {
    let (scope, arn) = (cx.scope(), &input.resource_arn);
    let resource = taggable(arn)?;
    for key in &input.tag_keys {
        tag::check_key(key).map_err(|error| invalid("tagKeys", error))?;
    }
    transaction!(cx.store(), async |tx| -> Result<UntagResourceOutput> {
        let tagged = find(tx, scope, arn, &resource).await?;
        for key in &input.tag_keys {
            tag_unset(tx, scope, tagged.id.as_str(), key).await?;
        }
        Ok(UntagResourceOutput {})
    })
}

/// `ListTagsForResource`: managed and user tags together, in the order of their keys.
pub(super) async fn list(cx: &Context, input: ListTagsForResourceInput) -> Result<ListTagsForResourceOutput> {
    let (scope, arn) = (cx.scope(), &input.resource_arn);
    let resource = taggable(arn)?;
    let max_results = input.max_results.unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let filters = ["resourceArn", arn];
    let page = Page::new(cx, "ListTagsForResource", filters, Some(max_results), input.next_token.as_deref())?;
    let mut rd = cx.store().reader().await?;
    let tagged = find(&mut rd, scope, arn, &resource).await?;
    let mut tags = tag_list(&mut rd, scope, tagged.id.as_str(), "", ALL).await?;
    tags.extend(tagged.managed.iter().flat_map(Managed::on_resource));
    tags.sort();
    if let Some(after) = page.after() {
        tags.retain(|(key, _)| key.as_str() > after);
    }
    let (tags, next_token) = page.cut(tags, |(key, _)| key.clone());
    let tags = tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(ListTagsForResourceOutput { next_token, tags })
}

/// The tags that were set on a resource of `scope`, as far as `caller` sees that; none if there is no such resource.
pub(super) async fn of(
    rd: &mut Reader,
    caller: &Scope,
    scope: &Scope,
    resource: &Resource,
) -> Result<Vec<(String, String)>> {
    let id = match resource {
        Resource::EnvironmentAccountConnection(id) => {
            let found = connection_get(rd, &caller.region, id)
                .await?
                .filter(|found| found.is_seen_by(&caller.account) && found.environment_account == scope.account);
            found.filter(|_| scope.region == caller.region).map(|found| found.id)
        }
        resource if scope == caller => look_up(rd, scope, resource).await?.map(|found| found.id),
        _ => None,
    };
    match id {
        Some(id) => Ok(tag_list(rd, scope, id.as_str(), "", ALL).await?),
        None => Ok(Vec::new()),
    }
}

/// A resource that exists.
struct Tagged {
    id: Id,
    /// Only what has to do with infrastructure has managed tags.
    managed: Option<Managed>,
}

/// What the ARN names, if that kind of thing can be tagged.
enum Taggable {
    Resource(Resource),
    /// A major version of a template. Nothing of the kind is made any more, so none is ever found.
    Major(TemplateKind),
}

fn taggable(arn: &str) -> Result<Taggable> {
    match arn::parse(arn) {
        Some((_, Resource::Deployment(_))) => Err(untaggable(arn, "a deployment, which")),
        Some((_, Resource::ServicePipeline(_))) => Err(untaggable(arn, "a service pipeline, which")),
        Some((_, resource)) => Ok(Taggable::Resource(resource)),
        None => legacy_major(arn).map(Taggable::Major).ok_or_else(|| untaggable(arn, "nothing that")),
    }
}

/// The kind of the template in an ARN that ends in `template:major`.
fn legacy_major(arn: &str) -> Option<TemplateKind> {
    let (template, major) = arn.rsplit_once(':')?;
    version::parse_part(major)?;
    match arn::parse(template)?.1 {
        Resource::EnvironmentTemplate(_) => Some(TemplateKind::Environment),
        Resource::ServiceTemplate(_) => Some(TemplateKind::Service),
        _ => None,
    }
}

fn untaggable(arn: &str, what: &str) -> Error {
    invalid(
        "resourceArn",
        format_args!(
            "'{arn}' is the ARN of {what} can be tagged; give that of an environment, an environment account \
             connection, an environment or service template or one of its versions, a service, a service instance, a \
             component or a repository"
        ),
    )
}

/// The resource of that ARN, if it is in this account and region.
async fn find(rd: &mut Reader, scope: &Scope, arn: &str, taggable: &Taggable) -> Result<Tagged> {
    let resource = match taggable {
        Taggable::Resource(resource) => resource,
        Taggable::Major(kind) => {
            let noun = format!("major version of the {}", kind.noun());
            return Err(not_found(&noun, format_args!("{arn}; tag the template, or its versions")));
        }
    };
    if let Resource::EnvironmentAccountConnection(id) = resource {
        return connection(rd, scope, arn, id).await;
    }
    let here = scope.arn(resource) == arn;
    let found = if here { look_up(rd, scope, resource).await? } else { None };
    found.ok_or_else(|| not_found(noun(resource), arn))
}

async fn look_up(rd: &mut Reader, scope: &Scope, resource: &Resource) -> Result<Option<Tagged>> {
    use TemplateKind::{Environment, Service};
    match resource {
        Resource::EnvironmentTemplate(name) => template(rd, scope, Environment, name).await,
        Resource::ServiceTemplate(name) => template(rd, scope, Service, name).await,
        Resource::EnvironmentTemplateVersion(name, version) => {
            template_version(rd, scope, Environment, name, *version).await
        }
        Resource::ServiceTemplateVersion(name, version) => template_version(rd, scope, Service, name, *version).await,
        Resource::Environment(name) => {
            let found = environment_get(rd, scope, name).await?;
            Ok(found.map(|found| Tagged { managed: Some(managed_of_environment(scope, &found)), id: found.id }))
        }
        Resource::Service(name) => {
            let found = service_get(rd, scope, name).await?;
            Ok(found.map(|found| Tagged { managed: Some(managed_of_service(scope, &found)), id: found.id }))
        }
        Resource::ServiceInstance { service, name } => {
            let found = instance_get(rd, scope, service, name).await?;
            Ok(found.map(|found| Tagged { managed: Some(managed_of_instance(scope, &found)), id: found.id }))
        }
        Resource::Repository(key) => repository(rd, scope, key).await,
        Resource::Component(name) => {
            let found = component_get(rd, scope, name).await?;
            Ok(found.map(|found| Tagged { managed: Some(managed_of_component(scope, &found)), id: found.id }))
        }
        Resource::ServicePipeline(_) | Resource::Deployment(_) | Resource::EnvironmentAccountConnection(_) => Ok(None),
    }
}

/// A connection, which both of its accounts see; its tags are those of the account that lends its roles.
async fn connection(rd: &mut Reader, scope: &Scope, arn: &str, id: &str) -> Result<Tagged> {
    let found = connection_get(rd, &scope.region, id).await?;
    let found = found.filter(|found| found.is_seen_by(&scope.account) && account_connection::arn(scope, found) == arn);
    let found = found.ok_or_else(|| not_found(account_connection::NOUN, arn))?;
    found.check_side(&scope.account, Side::Environment, "see or change the tags of")?;
    Ok(Tagged { id: found.id, managed: None })
}

async fn template(rd: &mut Reader, scope: &Scope, kind: TemplateKind, name: &str) -> Result<Option<Tagged>> {
    let found = template_get(rd, scope, kind, name).await?;
    Ok(found.map(|found| Tagged { managed: Some(managed_of_template(scope, kind, name)), id: found.id }))
}

async fn template_version(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    name: &str,
    version: version::Version,
) -> Result<Option<Tagged>> {
    let found = template_version_get(rd, scope, kind, name, version).await?;
    Ok(found.map(|found| Tagged { managed: Some(managed_of_template(scope, kind, name)), id: found.id }))
}

/// `key` is the last part of an ARN whose shape was checked: it has no control characters.
async fn repository(rd: &mut Reader, scope: &Scope, key: &str) -> Result<Option<Tagged>> {
    let Some((provider, name)) = parse_arn_part(key) else { return Ok(None) };
    let found = repository_get(rd, scope, provider, name).await?;
    Ok(found.map(|found| Tagged { managed: None, id: found.id }))
}

fn noun(resource: &Resource) -> &'static str {
    match resource {
        Resource::EnvironmentTemplate(_) => TemplateKind::Environment.noun(),
        Resource::ServiceTemplate(_) => TemplateKind::Service.noun(),
        Resource::EnvironmentTemplateVersion(..) => version_noun(TemplateKind::Environment),
        Resource::ServiceTemplateVersion(..) => version_noun(TemplateKind::Service),
        Resource::Environment(_) => "environment",
        Resource::Service(_) => "service",
        Resource::ServiceInstance { .. } => "service instance",
        Resource::ServicePipeline(_) => "service pipeline",
        Resource::Component(_) => "component",
        Resource::Repository(_) => "repository",
        Resource::EnvironmentAccountConnection(_) => account_connection::NOUN,
        Resource::Deployment(_) => "deployment",
    }
}
