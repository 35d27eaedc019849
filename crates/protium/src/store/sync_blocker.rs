//! Sync blockers: rows by account, region and id.

use super::resource::{self, Resource};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::id::Id;
use protium_domain::sync_blocker::SyncBlocker;
use serde_json::{Map, Value};

impl Resource for SyncBlocker {
    const TABLE: &'static str = "sync_blocker";
    const EVENT: &'static str = "SYNC_BLOCKER_STATUS";
    const COLUMNS: &'static [&'static str] = &["service_id", "instance_id", "status"];

    fn values(&self) -> Vec<Param<'_>> {
        let instance = self.instance.as_ref().map(|instance| instance.id.as_str());
        params![self.service_id.as_str(), instance, SyncBlocker::status(self)].to_vec()
    }

    resource::members!();

    fn status(&self) -> &'static str {
        SyncBlocker::status(self)
    }

    fn detail(&self) -> Map<String, Value> {
        let mut detail = Map::from_iter([("service".into(), self.service.as_str().into())]);
        if let Some(instance) = &self.instance {
            detail.insert("instance".into(), instance.name.as_str().into());
        }
        detail
    }
}

/// Adds a blocker.
pub async fn sync_blocker_insert(tx: &mut Tx, scope: &Scope, blocker: &SyncBlocker) -> DbResult<bool> {
    resource::insert(tx, scope, blocker).await
}

pub async fn sync_blocker_get(rd: &mut Reader, scope: &Scope, id: &Id) -> DbResult<Option<SyncBlocker>> {
    let rest = "WHERE account = $1 AND region = $2 AND id = $3";
    resource::find(rd, rest, params![&scope.account, &scope.region, id.as_str()]).await
}

/// Saves a changed blocker; `was` is the status that it was read with. `false` if somebody else saved
/// it since.
pub async fn sync_blocker_save(tx: &mut Tx, blocker: &mut SyncBlocker, was: &str, at: i64) -> DbResult<bool> {
    resource::save(tx, blocker, was, at).await
}

/// Up to `limit` blockers of one instance, or of the service as a whole: active ones before resolved
/// ones, each newest first.
pub async fn sync_blocker_latest(
    rd: &mut Reader,
    service: &Id,
    instance: Option<&Id>,
    limit: i64,
) -> DbResult<Vec<SyncBlocker>> {
    let order = "ORDER BY status, created_at DESC, id DESC";
    match instance {
        Some(instance) => {
            let rest = format!("WHERE service_id = $1 AND instance_id = $2 {order} LIMIT $3");
            resource::list(rd, &rest, params![service.as_str(), instance.as_str(), limit]).await
        }
        None => {
            let rest = format!("WHERE service_id = $1 AND instance_id IS NULL {order} LIMIT $2");
            resource::list(rd, &rest, params![service.as_str(), limit]).await
        }
    }
}

/// Removes all blockers of a service, of its instances too, when it is deleted.
pub async fn sync_blocker_drop_of_service(tx: &mut Tx, service: &Id, at: i64) -> DbResult<()> {
    drop_all(tx, "WHERE service_id = $1", params![service.as_str()], at).await
}

/// Removes all blockers of an instance, when it is deleted.
pub async fn sync_blocker_drop_of_instance(tx: &mut Tx, service: &Id, instance: &Id, at: i64) -> DbResult<()> {
    let rest = "WHERE service_id = $1 AND instance_id = $2";
    drop_all(tx, rest, params![service.as_str(), instance.as_str()], at).await
}

/// Each with its event.
async fn drop_all(tx: &mut Tx, rest: &str, params: &[Param<'_>], at: i64) -> DbResult<()> {
    for blocker in resource::list::<SyncBlocker>(tx, rest, params).await? {
        resource::delete(tx, &blocker, at).await?;
    }
    Ok(())
}
