//! Sync blockers: which changes make one, how they are shown, how they are resolved.

use super::deploy::lost_update;
use super::wire::time;
use super::{Context, service, service_instance};
use crate::app::new_id;
use crate::error::{Result, not_found};
use crate::store::{
    Reader, Tx, instances_of_service, service_sync_config_get, sync_blocker_get, sync_blocker_insert,
    sync_blocker_latest, sync_blocker_save,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::id::Id;
use protium_domain::service::{Service, ServiceInstance};
use protium_domain::sync_blocker::{ByHand, LATEST, SyncBlocker};

/// Blocks what a request changed, if the service is synced: the sync would take the change back. Called in
/// the transaction of the change, with the instance as it is then.
pub(super) async fn by_hand(tx: &mut Tx, cx: &Context, service: &Service, change: ByHand<'_>) -> Result<()> {
    if is_synced(tx, cx, service).await? { block(tx, cx, service, change).await } else { Ok(()) }
}

/// The same for all that an update of a service, which has begun, does to its instances.
pub(super) async fn by_update(tx: &mut Tx, cx: &Context, service: &Service) -> Result<()> {
    let Some(change) = &service.change else { return Ok(()) };
    if !is_synced(tx, cx, service).await? {
        return Ok(());
    }
    let mut removed: Vec<ServiceInstance> = Vec::new();
    for instance in instances_of_service(tx, cx.scope(), &service.name).await? {
        if change.added.contains(&instance.id) {
            block(tx, cx, service, ByHand::Created(&instance)).await?;
        } else if change.retried.contains(&instance.id) {
            block(tx, cx, service, ByHand::Updated(&instance)).await?;
        } else if change.removed.iter().any(|removed| removed.id == instance.id) {
            removed.push(instance);
        }
    }
    if removed.is_empty() { Ok(()) } else { block(tx, cx, service, ByHand::Removed(&removed)).await }
}

async fn is_synced(rd: &mut Reader, cx: &Context, service: &Service) -> Result<bool> {
    Ok(service_sync_config_get(rd, cx.scope(), &service.name).await?.is_some())
}

async fn block(tx: &mut Tx, cx: &Context, service: &Service, change: ByHand<'_>) -> Result<()> {
    let blocker = SyncBlocker::new(new_id(), service, change, cx.now);
    if sync_blocker_insert(tx, cx.scope(), &blocker).await? { Ok(()) } else { Err(lost_update()) }
}

/// `GetServiceSyncBlockerSummary`: the blockers of an instance, or those of the service as a whole.
pub(super) async fn summary(
    cx: &Context,
    input: GetServiceSyncBlockerSummaryInput,
) -> Result<GetServiceSyncBlockerSummaryOutput> {
    let mut rd = cx.store().snapshot().await?;
    let service = service::find(&mut rd, cx, &input.service_name).await?;
    let instance = match &input.service_instance_name {
        Some(name) => Some(service_instance::find(&mut rd, cx, &service.name, name).await?),
        None => None,
    };
    let of = instance.as_ref().map(|instance| &instance.id);
    let blockers = sync_blocker_latest(&mut rd, &service.id, of, LATEST).await?;
    let summary = ServiceSyncBlockerSummary {
        latest_blockers: Some(blockers.into_iter().map(shown).collect()),
        service_instance_name: instance.map(|instance| instance.name),
        service_name: service.name,
    };
    Ok(GetServiceSyncBlockerSummaryOutput { service_sync_blocker_summary: Some(summary) })
}

/// `UpdateServiceSyncBlocker`: resolves it.
pub(super) async fn resolve(
    cx: &Context,
    input: UpdateServiceSyncBlockerInput,
) -> Result<UpdateServiceSyncBlockerOutput> {
    let missing = || not_found("sync blocker", &input.id);
    let id = Id::parse(&input.id).ok_or_else(missing)?;
    let blocker = transaction!(cx.store(), async |tx| -> Result<SyncBlocker> {
        let mut blocker = sync_blocker_get(tx, cx.scope(), &id).await?.ok_or_else(missing)?;
        let was = blocker.status();
        blocker.resolve(input.resolved_reason.clone(), cx.now)?;
        if !sync_blocker_save(tx, &mut blocker, was, cx.now).await? {
            return Err(lost_update());
        }
        Ok(blocker)
    })?;
    Ok(UpdateServiceSyncBlockerOutput {
        service_instance_name: blocker.instance.as_ref().map(|instance| instance.name.clone()),
        service_name: blocker.service.clone(),
        service_sync_blocker: shown(blocker),
    })
}

fn shown(from: SyncBlocker) -> api::SyncBlocker {
    let status = if from.resolution.is_some() { BlockerStatus::Resolved } else { BlockerStatus::Active };
    let (resolved_at, resolved_reason) =
        from.resolution.map(|resolution| (time(resolution.at), resolution.reason)).unzip();
    let contexts = from.contexts.into_iter();
    api::SyncBlocker {
        contexts: Some(contexts.map(|one| SyncBlockerContext { key: one.key, value: one.value }).collect()),
        created_at: time(from.created_at),
        created_reason: from.reason,
        id: from.id.to_string(),
        resolved_at,
        resolved_reason,
        status,
        r#type: BlockerType::Automated,
    }
}
