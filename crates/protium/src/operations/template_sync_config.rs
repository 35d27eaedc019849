//! Template sync configurations: create, get, update, delete.
//!
//! Owns: what a template may follow. Does not own: following it, which comes with Git.

use super::deploy::lost_update;
use super::input::request_hash;
use super::repository::{check_linked, existing as existing_repository, followed};
use super::{Context, wire};
use crate::app::new_id;
use crate::error::{Result, invalid, not_found};
use crate::store::{
    Reader, template_get, template_sync_config_delete, template_sync_config_get, template_sync_config_insert,
    template_sync_config_save,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::sync_config::TemplateSyncConfig as Config;
use protium_domain::template::{Origin, TemplateKind};

const NOUN: &str = "template sync configuration";

/// `CreateTemplateSyncConfig`. No missing template and no missing repository is "not found" here: the
/// model declares no such error.
pub(super) async fn create(
    cx: &Context,
    input: CreateTemplateSyncConfigInput,
) -> Result<CreateTemplateSyncConfigOutput> {
    let scope = cx.scope();
    let hash = request_hash(&input)?;
    let new = Config {
        revision: 0,
        id: new_id(),
        kind: kind(input.template_type),
        template: input.template_name,
        follows: followed(input.repository_provider, input.repository_name, input.branch)?,
        subdirectory: input.subdirectory,
        created_at: cx.now,
        origin: Origin::new(hash),
        unknown: serde_json::Map::new(),
    };
    let config = transaction!(cx.store(), async |tx| -> Result<Config> {
        if let Some(found) = template_sync_config_get(tx, scope, new.kind, &new.template).await? {
            found.origin.replay(&new.origin.request, NOUN, &found.template)?;
            return Ok(found);
        }
        if template_get(tx, scope, new.kind, &new.template).await?.is_none() {
            return Err(invalid(
                "templateName",
                format_args!("there is no {} '{}'; create it first", new.kind.noun(), new.template),
            ));
        }
        check_linked(tx, scope, "repositoryName", &new.follows).await?;
        if !template_sync_config_insert(tx, scope, &new).await? {
            return Err(lost_update());
        }
        Ok(new.clone())
    })?;
    Ok(CreateTemplateSyncConfigOutput { template_sync_config: Some(shown(config)) })
}

/// `GetTemplateSyncConfig`.
pub(super) async fn get(cx: &Context, input: GetTemplateSyncConfigInput) -> Result<GetTemplateSyncConfigOutput> {
    let mut rd = cx.store().reader().await?;
    let config = existing(&mut rd, cx, kind(input.template_type), &input.template_name).await?;
    Ok(GetTemplateSyncConfigOutput { template_sync_config: Some(shown(config)) })
}

/// `UpdateTemplateSyncConfig`. It replaces all that is followed: a subdirectory that is left out is none.
pub(super) async fn update(
    cx: &Context,
    input: UpdateTemplateSyncConfigInput,
) -> Result<UpdateTemplateSyncConfigOutput> {
    let follows = followed(input.repository_provider, input.repository_name, input.branch)?;
    let config = transaction!(cx.store(), async |tx| -> Result<Config> {
        let mut config = existing(tx, cx, kind(input.template_type), &input.template_name).await?;
        existing_repository(tx, cx.scope(), follows.provider, &follows.name).await?;
        config.follows = follows.clone();
        config.subdirectory.clone_from(&input.subdirectory);
        config.origin.modified = true;
        if !template_sync_config_save(tx, &mut config, cx.now).await? {
            return Err(lost_update());
        }
        Ok(config)
    })?;
    Ok(UpdateTemplateSyncConfigOutput { template_sync_config: Some(shown(config)) })
}

/// `DeleteTemplateSyncConfig`. Nothing is left to do where there is none; versions stay.
pub(super) async fn delete(
    cx: &Context,
    input: DeleteTemplateSyncConfigInput,
) -> Result<DeleteTemplateSyncConfigOutput> {
    let kind = kind(input.template_type);
    let deleted = transaction!(cx.store(), async |tx| -> Result<Option<Config>> {
        let found = template_sync_config_get(tx, cx.scope(), kind, &input.template_name).await?;
        if let Some(config) = &found {
            template_sync_config_delete(tx, config, cx.now).await?;
        }
        Ok(found)
    })?;
    Ok(DeleteTemplateSyncConfigOutput { template_sync_config: deleted.map(shown) })
}

/// The configuration of that template, or `ResourceNotFoundException`.
pub(super) async fn existing(rd: &mut Reader, cx: &Context, kind: TemplateKind, template: &str) -> Result<Config> {
    let found = template_sync_config_get(rd, cx.scope(), kind, template).await?;
    found.ok_or_else(|| not_found(NOUN, format_args!("that of the {} '{template}'", kind.noun())))
}

/// The kind of the template that a request names.
pub(super) fn kind(given: TemplateType) -> TemplateKind {
    match given {
        TemplateType::Environment => TemplateKind::Environment,
        TemplateType::Service => TemplateKind::Service,
    }
}

fn shown(from: Config) -> api::TemplateSyncConfig {
    api::TemplateSyncConfig {
        branch: from.follows.branch,
        repository_name: from.follows.name,
        repository_provider: wire::provider(from.follows.provider),
        subdirectory: from.subdirectory,
        template_name: from.template,
        template_type: match from.kind {
            TemplateKind::Environment => TemplateType::Environment,
            TemplateKind::Service => TemplateType::Service,
        },
    }
}
