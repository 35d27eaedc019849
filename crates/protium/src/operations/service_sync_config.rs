//! Service sync configurations: create, get, update, delete, and their end with the service.
//!
//! Owns: what a service may follow. Does not own: following it, which comes with Git; what a change by
//! hand means for it (`sync_blocker`).

use super::deploy::lost_update;
use super::input::request_hash;
use super::repository::{check_linked, existing as existing_repository, followed};
use super::{Context, wire};
use crate::app::new_id;
use crate::error::{Result, conflict, invalid, not_found};
use crate::store::{
    Reader, Tx, service_get, service_sync_config_delete, service_sync_config_get, service_sync_config_insert,
    service_sync_config_save, sync_blocker_drop_of_service,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::arn::Scope;
use protium_domain::service::Service;
use protium_domain::status::ServiceStatus;
use protium_domain::sync_config::ServiceSyncConfig as Config;

const NOUN: &str = "service sync configuration";

/// `CreateServiceSyncConfig`. No missing service and no missing repository is "not found" here: the
/// model declares no such error.
pub(super) async fn create(cx: &Context, input: CreateServiceSyncConfigInput) -> Result<CreateServiceSyncConfigOutput> {
    let scope = cx.scope();
    let hash = request_hash(&input)?;
    let follows = followed(input.repository_provider, input.repository_name, input.branch)?;
    let new = Config::new(new_id(), input.service_name, follows, input.file_path, hash, cx.now);
    let config = transaction!(cx.store(), async |tx| -> Result<Config> {
        if let Some(found) = service_sync_config_get(tx, scope, &new.service).await? {
            found.origin.replay(&new.origin.request, NOUN, &found.service)?;
            return Ok(found);
        }
        check_service(tx, scope, &new.service).await?;
        check_linked(tx, scope, "repositoryName", &new.follows).await?;
        if !service_sync_config_insert(tx, scope, &new).await? {
            return Err(lost_update());
        }
        Ok(new.clone())
    })?;
    Ok(CreateServiceSyncConfigOutput { service_sync_config: Some(shown(config)) })
}

/// The service is there, and not about to go.
async fn check_service(rd: &mut Reader, scope: &Scope, name: &str) -> Result<()> {
    match service_get(rd, scope, name).await? {
        None => Err(invalid("serviceName", format_args!("there is no service '{name}'; create it first"))),
        Some(service) if matches!(service.status, ServiceStatus::DeleteInProgress | ServiceStatus::DeleteFailed) => {
            Err(conflict(format!("the service '{name}' is {}; it can't be synced any more", service.status)))
        }
        Some(_) => Ok(()),
    }
}

/// `GetServiceSyncConfig`.
pub(super) async fn get(cx: &Context, input: GetServiceSyncConfigInput) -> Result<GetServiceSyncConfigOutput> {
    let mut rd = cx.store().reader().await?;
    let config = existing(&mut rd, cx, &input.service_name).await?;
    Ok(GetServiceSyncConfigOutput { service_sync_config: Some(shown(config)) })
}

/// `UpdateServiceSyncConfig`.
pub(super) async fn update(cx: &Context, input: UpdateServiceSyncConfigInput) -> Result<UpdateServiceSyncConfigOutput> {
    let follows = followed(input.repository_provider, input.repository_name, input.branch)?;
    let config = transaction!(cx.store(), async |tx| -> Result<Config> {
        let mut config = existing(tx, cx, &input.service_name).await?;
        existing_repository(tx, cx.scope(), follows.provider, &follows.name).await?;
        config.follows = follows.clone();
        config.file_path.clone_from(&input.file_path);
        config.origin.modified = true;
        if !service_sync_config_save(tx, &mut config, cx.now).await? {
            return Err(lost_update());
        }
        Ok(config)
    })?;
    Ok(UpdateServiceSyncConfigOutput { service_sync_config: Some(shown(config)) })
}

/// `DeleteServiceSyncConfig`. Nothing is left to do where there is none. The service, its instances and
/// their blockers stay.
pub(super) async fn delete(cx: &Context, input: DeleteServiceSyncConfigInput) -> Result<DeleteServiceSyncConfigOutput> {
    let deleted = transaction!(cx.store(), async |tx| -> Result<Option<Config>> {
        let found = service_sync_config_get(tx, cx.scope(), &input.service_name).await?;
        if let Some(config) = &found {
            service_sync_config_delete(tx, config, cx.now).await?;
        }
        Ok(found)
    })?;
    Ok(DeleteServiceSyncConfigOutput { service_sync_config: deleted.map(shown) })
}

/// Removes what syncs of a service have, in the transaction in which the service goes.
pub(super) async fn drop_with_service(tx: &mut Tx, scope: &Scope, service: &Service, now: i64) -> Result<()> {
    if let Some(config) = service_sync_config_get(tx, scope, &service.name).await? {
        service_sync_config_delete(tx, &config, now).await?;
    }
    sync_blocker_drop_of_service(tx, &service.id, now).await?;
    Ok(())
}

/// The configuration of that service, or `ResourceNotFoundException`.
pub(super) async fn existing(rd: &mut Reader, cx: &Context, service: &str) -> Result<Config> {
    let found = service_sync_config_get(rd, cx.scope(), service).await?;
    found.ok_or_else(|| not_found(NOUN, format_args!("that of the service '{service}'")))
}

fn shown(from: Config) -> api::ServiceSyncConfig {
    api::ServiceSyncConfig {
        branch: from.follows.branch,
        file_path: from.file_path,
        repository_name: from.follows.name,
        repository_provider: wire::provider(from.follows.provider),
        service_name: from.service,
    }
}
