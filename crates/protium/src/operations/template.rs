//! Environment templates and service templates: names under which versions are published.
//!
//! The two kinds differ on the wire in names of members only, so each operation has two doors, one a
//! kind, and one body behind them.

use super::Context;
use super::authorize::Entry;
use super::deploy::lost_update;
use super::input::{request_hash, tags};
use super::page::{Filling, Page};
use super::quota::{Places, Quota};
use super::wire::time;
use crate::app::new_id;
use crate::error::{Result, conflict, not_found};
use crate::store::{
    DbResult, Reader, Tx, tag_drop, tag_set, template_add, template_delete, template_get, template_insert,
    template_page, template_save, template_sync_config_get, template_version_count,
};
use crate::transaction;
use protium_api::types::*;
use protium_domain::arn::{Resource, Scope};
use protium_domain::template::{Origin, Template, TemplateKind};
use protium_domain::track::ContentHash;
use serde_json::Map;
use std::collections::BTreeMap;

/// What the creates of both kinds take.
struct New {
    kind: TemplateKind,
    name: String,
    display_name: Option<String>,
    description: Option<String>,
    encryption_key: Option<String>,
    customer_managed: bool,
    tags: Option<Vec<Tag>>,
    request: ContentHash,
}

/// `CreateEnvironmentTemplate`.
pub(super) async fn create_environment(
    cx: &Context,
    mut input: CreateEnvironmentTemplateInput,
) -> Result<CreateEnvironmentTemplateOutput> {
    // Left out and given as its default is the same request.
    input.display_name.get_or_insert_with(|| input.name.clone());
    let new = New {
        kind: TemplateKind::Environment,
        request: request_hash(&input)?,
        name: input.name,
        display_name: input.display_name,
        description: input.description,
        encryption_key: input.encryption_key,
        customer_managed: input.provisioning.is_some(),
        tags: input.tags,
    };
    let template = create(cx, new).await?;
    Ok(CreateEnvironmentTemplateOutput { environment_template: environment_template(cx.scope(), template) })
}

/// `CreateServiceTemplate`.
pub(super) async fn create_service(
    cx: &Context,
    mut input: CreateServiceTemplateInput,
) -> Result<CreateServiceTemplateOutput> {
    input.display_name.get_or_insert_with(|| input.name.clone());
    let new = New {
        kind: TemplateKind::Service,
        request: request_hash(&input)?,
        name: input.name,
        display_name: input.display_name,
        description: input.description,
        encryption_key: input.encryption_key,
        customer_managed: input.pipeline_provisioning.is_some(),
        tags: input.tags,
    };
    let template = create(cx, new).await?;
    Ok(CreateServiceTemplateOutput { service_template: service_template(cx.scope(), template) })
}

async fn create(cx: &Context, new: New) -> Result<Template> {
    let (scope, kind) = (cx.scope(), new.kind);
    let tags = tags(new.tags.as_deref())?;
    let template = Template {
        revision: 0,
        id: new_id(),
        kind,
        display_name: new.display_name.unwrap_or_else(|| new.name.clone()),
        name: new.name,
        description: new.description,
        encryption_key: new.encryption_key,
        customer_managed: new.customer_managed,
        created_at: cx.now,
        modified_at: cx.now,
        recommended: None,
        last_minors: BTreeMap::new(),
        origin: Origin::new(new.request),
        unknown: Map::new(),
    };
    let arn = template_arn(scope, kind, &template.name);
    let places = Places::of(cx, Quota::Templates).await?;
    let set_tags = async |tx: &mut Tx| -> DbResult<()> {
        for (key, value) in &tags {
            tag_set(tx, scope, template.id.as_str(), &arn, key, value).await?;
        }
        Ok(())
    };
    if !places.are_near() {
        // As a rule the name is free, and all of it can be sent at once.
        let added = transaction!(cx.store(), async |tx| -> DbResult<()> {
            template_add(tx, scope, &template).await?;
            set_tags(tx).await
        });
        match added {
            Ok(()) => return Ok(template),
            Err(error) if error.is_unique_violation() => {}
            Err(error) => return Err(error.into()),
        }
    }
    transaction!(cx.store(), async |tx| -> Result<_> {
        if !template_insert(tx, scope, &template).await? {
            let existing = template_get(tx, scope, kind, &template.name).await?.ok_or_else(lost_update)?;
            existing.origin.replay(&template.origin.request, kind.noun(), &existing.name)?;
            return Ok(existing);
        }
        places.check(tx, cx, 0).await?;
        set_tags(tx).await?;
        Ok(template.clone())
    })
}

/// `GetEnvironmentTemplate`.
pub(super) async fn get_environment(
    cx: &Context,
    input: GetEnvironmentTemplateInput,
) -> Result<GetEnvironmentTemplateOutput> {
    let template =
        existing(&mut cx.store().reader().await?, cx.scope(), TemplateKind::Environment, &input.name).await?;
    Ok(GetEnvironmentTemplateOutput { environment_template: environment_template(cx.scope(), template) })
}

/// `GetServiceTemplate`.
pub(super) async fn get_service(cx: &Context, input: GetServiceTemplateInput) -> Result<GetServiceTemplateOutput> {
    let template = existing(&mut cx.store().reader().await?, cx.scope(), TemplateKind::Service, &input.name).await?;
    Ok(GetServiceTemplateOutput { service_template: service_template(cx.scope(), template) })
}

/// The template of that name, or `ResourceNotFoundException`.
pub(super) async fn existing(reader: &mut Reader, scope: &Scope, kind: TemplateKind, name: &str) -> Result<Template> {
    let found = template_get(reader, scope, kind, name).await?;
    found.ok_or_else(|| not_found(kind.noun(), template_arn(scope, kind, name)))
}

/// `ListEnvironmentTemplates`.
pub(super) async fn list_environment(
    cx: &Context,
    input: ListEnvironmentTemplatesInput,
) -> Result<ListEnvironmentTemplatesOutput> {
    let page = Page::new(cx, "ListEnvironmentTemplates", [], input.max_results, input.next_token.as_deref())?;
    let (templates, next_token) = list(cx, TemplateKind::Environment, page).await?;
    let templates = templates.into_iter().map(|template| environment_summary(cx.scope(), template)).collect();
    Ok(ListEnvironmentTemplatesOutput { next_token, templates })
}

/// `ListServiceTemplates`.
pub(super) async fn list_service(cx: &Context, input: ListServiceTemplatesInput) -> Result<ListServiceTemplatesOutput> {
    let page = Page::new(cx, "ListServiceTemplates", [], input.max_results, input.next_token.as_deref())?;
    let (templates, next_token) = list(cx, TemplateKind::Service, page).await?;
    let templates = templates.into_iter().map(|template| service_summary(cx.scope(), template)).collect();
    Ok(ListServiceTemplatesOutput { next_token, templates })
}

async fn list(cx: &Context, kind: TemplateKind, page: Page) -> Result<(Vec<Template>, Option<String>)> {
    let mut reader = cx.store().reader().await?;
    let entry = |template: &Template| Entry::new(template_arn(cx.scope(), kind, &template.name));
    let mut filling = Filling::new(page);
    loop {
        let found = template_page(
            &mut reader,
            cx.scope(),
            kind,
            filling.page.after().unwrap_or_default(),
            filling.page.limit(),
        )
        .await?;
        if let Some(full) = filling.take(cx, &mut reader, found, |template| template.name.clone(), entry).await? {
            break Ok(full);
        }
    }
}

/// `UpdateEnvironmentTemplate`.
pub(super) async fn update_environment(
    cx: &Context,
    input: UpdateEnvironmentTemplateInput,
) -> Result<UpdateEnvironmentTemplateOutput> {
    let template = update(cx, TemplateKind::Environment, &input.name, input.display_name, input.description).await?;
    Ok(UpdateEnvironmentTemplateOutput { environment_template: environment_template(cx.scope(), template) })
}

/// `UpdateServiceTemplate`.
pub(super) async fn update_service(
    cx: &Context,
    input: UpdateServiceTemplateInput,
) -> Result<UpdateServiceTemplateOutput> {
    let template = update(cx, TemplateKind::Service, &input.name, input.display_name, input.description).await?;
    Ok(UpdateServiceTemplateOutput { service_template: service_template(cx.scope(), template) })
}

async fn update(
    cx: &Context,
    kind: TemplateKind,
    name: &str,
    display_name: Option<String>,
    description: Option<String>,
) -> Result<Template> {
    let scope = cx.scope();
    transaction!(cx.store(), async |tx| -> Result<_> {
        let mut template = existing(tx, scope, kind, name).await?;
        if let Some(display_name) = &display_name {
            template.display_name.clone_from(display_name);
        }
        if description.is_some() {
            template.description.clone_from(&description);
        }
        template.modified_at = cx.now;
        template.origin.modified = true;
        let recommended = template.recommended;
        if !template_save(tx, &mut template, recommended, cx.now).await? {
            return Err(lost_update());
        }
        Ok(template)
    })
}

/// `DeleteEnvironmentTemplate`.
pub(super) async fn delete_environment(
    cx: &Context,
    input: DeleteEnvironmentTemplateInput,
) -> Result<DeleteEnvironmentTemplateOutput> {
    let deleted = delete(cx, TemplateKind::Environment, &input.name).await?;
    let environment_template = deleted.map(|template| environment_template(cx.scope(), template));
    Ok(DeleteEnvironmentTemplateOutput { environment_template })
}

/// `DeleteServiceTemplate`.
pub(super) async fn delete_service(
    cx: &Context,
    input: DeleteServiceTemplateInput,
) -> Result<DeleteServiceTemplateOutput> {
    let deleted = delete(cx, TemplateKind::Service, &input.name).await?;
    let service_template = deleted.map(|template| service_template(cx.scope(), template));
    Ok(DeleteServiceTemplateOutput { service_template })
}

/// `None`: there is none of that name, so nothing is left to do.
async fn delete(cx: &Context, kind: TemplateKind, name: &str) -> Result<Option<Template>> {
    let scope = cx.scope();
    transaction!(cx.store(), async |tx| -> Result<_> {
        let Some(template) = template_get(tx, scope, kind, name).await? else { return Ok(None) };
        let versions = template_version_count(tx, scope, kind, name).await?;
        if versions > 0 {
            return Err(conflict(format!(
                "the {} '{name}' still has {versions} version(s); delete them first",
                kind.noun()
            )));
        }
        if template_sync_config_get(tx, scope, kind, name).await?.is_some() {
            return Err(conflict(format!(
                "the {} '{name}' is synced from a repository; end that with DeleteTemplateSyncConfig first",
                kind.noun()
            )));
        }
        template_delete(tx, &template, cx.now).await?;
        tag_drop(tx, scope, template.id.as_str()).await?;
        Ok(Some(template))
    })
}

/// The ARN of a template.
pub(super) fn template_arn(scope: &Scope, kind: TemplateKind, name: &str) -> String {
    let name = name.to_owned();
    scope.arn(&match kind {
        TemplateKind::Environment => Resource::EnvironmentTemplate(name),
        TemplateKind::Service => Resource::ServiceTemplate(name),
    })
}

/// The one value that both enumerations of the model have; AWS-managed is its absence.
fn provisioning(template: &Template) -> Option<Provisioning> {
    template.customer_managed.then_some(Provisioning::CustomerManaged)
}

fn environment_template(scope: &Scope, template: Template) -> EnvironmentTemplate {
    EnvironmentTemplate {
        arn: template_arn(scope, template.kind, &template.name),
        created_at: time(template.created_at),
        last_modified_at: time(template.modified_at),
        provisioning: provisioning(&template),
        recommended_version: template.recommended.map(|version| version.to_string()),
        name: template.name,
        display_name: Some(template.display_name),
        description: template.description,
        encryption_key: template.encryption_key,
    }
}

fn service_template(scope: &Scope, template: Template) -> ServiceTemplate {
    ServiceTemplate {
        arn: template_arn(scope, template.kind, &template.name),
        created_at: time(template.created_at),
        last_modified_at: time(template.modified_at),
        pipeline_provisioning: provisioning(&template),
        recommended_version: template.recommended.map(|version| version.to_string()),
        name: template.name,
        display_name: Some(template.display_name),
        description: template.description,
        encryption_key: template.encryption_key,
    }
}

fn environment_summary(scope: &Scope, template: Template) -> EnvironmentTemplateSummary {
    EnvironmentTemplateSummary {
        arn: template_arn(scope, template.kind, &template.name),
        created_at: time(template.created_at),
        last_modified_at: time(template.modified_at),
        provisioning: provisioning(&template),
        recommended_version: template.recommended.map(|version| version.to_string()),
        name: template.name,
        display_name: Some(template.display_name),
        description: template.description,
    }
}

fn service_summary(scope: &Scope, template: Template) -> ServiceTemplateSummary {
    ServiceTemplateSummary {
        arn: template_arn(scope, template.kind, &template.name),
        created_at: time(template.created_at),
        last_modified_at: time(template.modified_at),
        pipeline_provisioning: provisioning(&template),
        recommended_version: template.recommended.map(|version| version.to_string()),
        name: template.name,
        display_name: Some(template.display_name),
        description: template.description,
    }
}
