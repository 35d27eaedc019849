//! Versions of templates: created, registered by a job, published, deleted.
//!
//! Owns what the operations do. Numbers, recommendation and what may be deleted are decided by
//! `domain`; the bundle is fetched and checked by the job that a create enqueues.

mod create;
mod wire;

pub(super) use create::{create_environment, create_service};

use super::Context;
use super::deploy::{enqueue, lost_update};
use super::input::version_part;
use super::page::Page;
use super::template::{existing, template_arn};
use crate::error::{Error, Result, conflict, internal, invalid, not_found};
use crate::store::{
    Reader, Tx, content_get, job_drop, tag_drop, template_get, template_major_exists, template_major_page,
    template_minor_page, template_recommended_minors, template_save, template_version_delete, template_version_get,
    template_version_next_waiting, template_version_numbers, template_version_save, template_version_user, token_drop,
};
use crate::transaction;
use protium_api::types::*;
use protium_domain::arn::Scope;
use protium_domain::job::Job;
use protium_domain::status::TemplateVersionStatus as Status;
use protium_domain::template::{self, Compatible, Template, TemplateKind, TemplateVersion};
use protium_domain::version::Version;
use wire::Shown;

/// Which version a request speaks of, as the request writes it.
struct Address<'a> {
    kind: TemplateKind,
    template: &'a str,
    major: &'a str,
    minor: &'a str,
}

impl Address<'_> {
    fn version(&self) -> Version {
        Version::new(version_part(self.major), version_part(self.minor))
    }

    async fn find(&self, reader: &mut Reader, scope: &Scope) -> Result<Option<TemplateVersion>> {
        Ok(template_version_get(reader, scope, self.kind, self.template, self.version()).await?)
    }

    fn missing(&self, scope: &Scope) -> Error {
        let template = template_arn(scope, self.kind, self.template);
        not_found(version_noun(self.kind), format_args!("{template}:{}.{}", self.major, self.minor))
    }
}

/// How messages speak of a version.
pub(super) fn version_noun(kind: TemplateKind) -> &'static str {
    match kind {
        TemplateKind::Environment => "environment template version",
        TemplateKind::Service => "service template version",
    }
}

/// `GetEnvironmentTemplateVersion`.
pub(super) async fn get_environment(
    cx: &Context,
    input: GetEnvironmentTemplateVersionInput,
) -> Result<GetEnvironmentTemplateVersionOutput> {
    let (template, major, minor) = (&input.template_name, &input.major_version, &input.minor_version);
    let shown = get(cx, &Address { kind: TemplateKind::Environment, template, major, minor }).await?;
    Ok(GetEnvironmentTemplateVersionOutput { environment_template_version: shown.environment(cx.scope()) })
}

/// `GetServiceTemplateVersion`.
pub(super) async fn get_service(
    cx: &Context,
    input: GetServiceTemplateVersionInput,
) -> Result<GetServiceTemplateVersionOutput> {
    let (template, major, minor) = (&input.template_name, &input.major_version, &input.minor_version);
    let shown = get(cx, &Address { kind: TemplateKind::Service, template, major, minor }).await?;
    Ok(GetServiceTemplateVersionOutput { service_template_version: shown.service(cx.scope()) })
}

async fn get(cx: &Context, address: &Address<'_>) -> Result<Shown> {
    let mut reader = cx.store().snapshot().await?;
    let version = address.find(&mut reader, cx.scope()).await?;
    let version = version.ok_or_else(|| address.missing(cx.scope()))?;
    with_schema(&mut reader, cx.scope(), version).await
}

/// A version with all that an answer about it alone shows, except the schema.
async fn without_schema(reader: &mut Reader, scope: &Scope, version: TemplateVersion) -> Result<Shown> {
    let minors = template_recommended_minors(reader, scope, version.kind, &version.template).await?;
    let recommended_minor = minors.get(&version.version.major).copied();
    Ok(Shown { version, recommended_minor, schema: None })
}

/// The same with the schema's text, once the version is registered.
async fn with_schema(reader: &mut Reader, scope: &Scope, version: TemplateVersion) -> Result<Shown> {
    let mut shown = without_schema(reader, scope, version).await?;
    if let Some(bundle) = &shown.version.bundle {
        let text = content_get(reader, &bundle.schema).await?;
        shown.schema =
            Some(String::from_utf8(text).map_err(|_| internal(anyhow::anyhow!("a stored schema is not UTF-8")))?);
    }
    Ok(shown)
}

/// `ListEnvironmentTemplateVersions`.
pub(super) async fn list_environment(
    cx: &Context,
    input: ListEnvironmentTemplateVersionsInput,
) -> Result<ListEnvironmentTemplateVersionsOutput> {
    let (template, major) = (&input.template_name, input.major_version.as_deref());
    let filters = ["templateName", template, "majorVersion", major.unwrap_or_default()];
    let next_token = input.next_token.as_deref();
    let page = Page::new(cx, "ListEnvironmentTemplateVersions", filters, input.max_results, next_token)?;
    let (versions, next_token) = list(cx, TemplateKind::Environment, template, major, &page).await?;
    let template_versions = versions.into_iter().map(|shown| shown.environment_summary(cx.scope())).collect();
    Ok(ListEnvironmentTemplateVersionsOutput { next_token, template_versions })
}

/// `ListServiceTemplateVersions`.
pub(super) async fn list_service(
    cx: &Context,
    input: ListServiceTemplateVersionsInput,
) -> Result<ListServiceTemplateVersionsOutput> {
    let (template, major) = (&input.template_name, input.major_version.as_deref());
    let filters = ["templateName", template, "majorVersion", major.unwrap_or_default()];
    let next_token = input.next_token.as_deref();
    let page = Page::new(cx, "ListServiceTemplateVersions", filters, input.max_results, next_token)?;
    let (versions, next_token) = list(cx, TemplateKind::Service, template, major, &page).await?;
    let template_versions = versions.into_iter().map(|shown| shown.service_summary(cx.scope())).collect();
    Ok(ListServiceTemplateVersionsOutput { next_token, template_versions })
}

/// With a major its minors, without one an entry for each major; the highest first.
async fn list(
    cx: &Context,
    kind: TemplateKind,
    template: &str,
    major: Option<&str>,
    page: &Page,
) -> Result<(Vec<Shown>, Option<String>)> {
    let (scope, below) = (cx.scope(), page.after_number()?.unwrap_or(i64::MAX));
    let mut reader = cx.store().snapshot().await?;
    existing(&mut reader, scope, kind, template).await?;
    let (versions, next_token) = match major {
        Some(major) => {
            let minors = (version_part(major), below);
            let found = template_minor_page(&mut reader, scope, kind, template, minors, page.limit()).await?;
            page.cut(found, |version| version.version.minor.to_string())
        }
        None => {
            let found = template_major_page(&mut reader, scope, kind, template, below, page.limit()).await?;
            page.cut(found, |version| version.version.major.to_string())
        }
    };
    let minors = template_recommended_minors(&mut reader, scope, kind, template).await?;
    let shown = versions.into_iter().map(|version| {
        let recommended_minor = minors.get(&version.version.major).copied();
        Shown { version, recommended_minor, schema: None }
    });
    Ok((shown.collect(), next_token))
}

/// What an update changes.
struct Change {
    description: Option<String>,
    publish: bool,
    compatible: Option<Vec<Compatible>>,
    component_sources: Option<Vec<String>>,
}

/// `UpdateEnvironmentTemplateVersion`.
pub(super) async fn update_environment(
    cx: &Context,
    input: UpdateEnvironmentTemplateVersionInput,
) -> Result<UpdateEnvironmentTemplateVersionOutput> {
    let change = Change {
        description: input.description,
        publish: asks_to_publish(input.status)?,
        compatible: None,
        component_sources: None,
    };
    let (template, major, minor) = (&input.template_name, &input.major_version, &input.minor_version);
    let shown = update(cx, &Address { kind: TemplateKind::Environment, template, major, minor }, &change).await?;
    Ok(UpdateEnvironmentTemplateVersionOutput { environment_template_version: shown.environment(cx.scope()) })
}

/// `UpdateServiceTemplateVersion`.
pub(super) async fn update_service(
    cx: &Context,
    input: UpdateServiceTemplateVersionInput,
) -> Result<UpdateServiceTemplateVersionOutput> {
    let change = Change {
        description: input.description,
        publish: asks_to_publish(input.status)?,
        compatible: input.compatible_environment_templates.map(wire::compatible),
        component_sources: input.supported_component_sources.map(wire::component_sources),
    };
    let (template, major, minor) = (&input.template_name, &input.major_version, &input.minor_version);
    let shown = update(cx, &Address { kind: TemplateKind::Service, template, major, minor }, &change).await?;
    Ok(UpdateServiceTemplateVersionOutput { service_template_version: shown.service(cx.scope()) })
}

fn asks_to_publish(status: Option<TemplateVersionStatus>) -> Result<bool> {
    match status {
        None => Ok(false),
        Some(TemplateVersionStatus::Published) => Ok(true),
        Some(
            other @ (TemplateVersionStatus::Draft
            | TemplateVersionStatus::RegistrationInProgress
            | TemplateVersionStatus::RegistrationFailed),
        ) => Err(invalid("status", format_args!("'{other}' can't be asked for; only PUBLISHED can"))),
    }
}

async fn update(cx: &Context, address: &Address<'_>, change: &Change) -> Result<Shown> {
    let scope = cx.scope();
    transaction!(cx.store(), async |tx| -> Result<_> {
        let before = address.find(tx, scope).await?.ok_or_else(|| address.missing(scope))?;
        let mut version = before.clone();
        if change.description.is_some() {
            version.description.clone_from(&change.description);
        }
        if let Some(compatible) = &change.compatible {
            check_compatible(tx, scope, compatible).await?;
            version.compatible.clone_from(compatible);
        }
        if let Some(sources) = &change.component_sources {
            version.component_sources.clone_from(sources);
        }
        if change.publish {
            version.publish()?;
        }
        if version != before {
            version.modified_at = cx.now;
            if !template_version_save(tx, &mut version, before.status, cx.now).await? {
                return Err(lost_update());
            }
            let template = existing(tx, scope, address.kind, address.template).await?;
            recommend_anew(tx, scope, template, cx.now).await?;
        }
        with_schema(tx, scope, version).await
    })
}

/// The environment templates that a service template names must be there, with that major.
async fn check_compatible(reader: &mut Reader, scope: &Scope, compatible: &[Compatible]) -> Result<()> {
    let kind = TemplateKind::Environment;
    for Compatible { template, major } in compatible {
        existing(reader, scope, kind, template).await?;
        if !template_major_exists(reader, scope, kind, template, *major).await? {
            let template = template_arn(scope, kind, template);
            return Err(not_found("environment template major version", format_args!("{template}:{major}")));
        }
    }
    Ok(())
}

/// Recommends the highest published version there is now, which may be lower than before.
async fn recommend_anew(tx: &mut Tx, scope: &Scope, mut template: Template, now: i64) -> Result<()> {
    let versions = template_version_numbers(tx, scope, template.kind, &template.name).await?;
    let was = template.recommended;
    template.recommended = template::recommended(versions);
    if template.recommended != was && !template_save(tx, &mut template, was, now).await? {
        return Err(lost_update());
    }
    Ok(())
}

/// `DeleteEnvironmentTemplateVersion`.
pub(super) async fn delete_environment(
    cx: &Context,
    input: DeleteEnvironmentTemplateVersionInput,
) -> Result<DeleteEnvironmentTemplateVersionOutput> {
    let (template, major, minor) = (&input.template_name, &input.major_version, &input.minor_version);
    let deleted = delete(cx, &Address { kind: TemplateKind::Environment, template, major, minor }).await?;
    let environment_template_version = deleted.map(|shown| shown.environment(cx.scope()));
    Ok(DeleteEnvironmentTemplateVersionOutput { environment_template_version })
}

/// `DeleteServiceTemplateVersion`.
pub(super) async fn delete_service(
    cx: &Context,
    input: DeleteServiceTemplateVersionInput,
) -> Result<DeleteServiceTemplateVersionOutput> {
    let (template, major, minor) = (&input.template_name, &input.major_version, &input.minor_version);
    let deleted = delete(cx, &Address { kind: TemplateKind::Service, template, major, minor }).await?;
    let service_template_version = deleted.map(|shown| shown.service(cx.scope()));
    Ok(DeleteServiceTemplateVersionOutput { service_template_version })
}

/// `None`: there is no such version, or not even its template, so nothing is left to do.
async fn delete(cx: &Context, address: &Address<'_>) -> Result<Option<Shown>> {
    let (scope, kind) = (cx.scope(), address.kind);
    transaction!(cx.store(), async |tx| -> Result<_> {
        let Some(template) = template_get(tx, scope, kind, address.template).await? else { return Ok(None) };
        let Some(version) = address.find(tx, scope).await? else { return Ok(None) };
        let all = template_version_numbers(tx, scope, kind, address.template).await?;
        template::may_delete(version.version, &all)?;
        if let Some(user) = template_version_user(tx, scope, &version).await? {
            return Err(conflict(format!(
                "version {} of '{}' is in use by the {user}; move it to another version or delete it first",
                version.version, version.template
            )));
        }
        let shown = without_schema(tx, scope, version).await?;
        let version = &shown.version;
        template_version_delete(tx, version, cx.now).await?;
        tag_drop(tx, scope, version.id.as_str()).await?;
        token_drop(tx, version.id.as_str()).await?;
        job_drop(tx, version.id.as_str()).await?;
        if version.status == Status::RegistrationInProgress
            && let Some(next) = template_version_next_waiting(tx, scope, version).await?
        {
            enqueue(tx, &Job::RegisterVersion { version: next.id.clone() }, &next.id).await?;
        }
        recommend_anew(tx, scope, template, cx.now).await?;
        Ok(Some(shown))
    })
}
