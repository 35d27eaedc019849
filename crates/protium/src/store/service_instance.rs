//! Service instances: rows by account, region, service and name.

use super::resource::{self, Resource};
use super::track::{TRACK_COLUMNS, track_values};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::id::Id;
use protium_domain::service::ServiceInstance;
use protium_domain::status::DeploymentStatus;
use serde_json::{Map, Value};

impl Resource for ServiceInstance {
    const TABLE: &'static str = "service_instance";
    const EVENT: &'static str = "SERVICE_INSTANCE_STATUS";
    const COLUMNS: &'static [&'static str] =
        TRACK_COLUMNS!("service", "name", "service_id", "environment", "environment_id", "template");

    fn values(&self) -> Vec<Param<'_>> {
        let mut values = params![
            &self.service,
            &self.name,
            self.service_id.as_str(),
            &self.environment,
            self.environment_id.as_str(),
            &self.template
        ]
        .to_vec();
        values.extend(track_values(&self.track));
        values
    }

    resource::members!();

    fn status(&self) -> &'static str {
        self.track.status.as_str()
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([
            ("name".into(), self.name.as_str().into()),
            ("serviceName".into(), self.service.as_str().into()),
        ])
    }
}

/// Adds an instance; `false` if its service has one of that name.
pub async fn instance_insert(tx: &mut Tx, scope: &Scope, instance: &ServiceInstance) -> DbResult<bool> {
    resource::insert(tx, scope, instance).await
}

pub async fn instance_get(
    rd: &mut Reader,
    scope: &Scope,
    service: &str,
    name: &str,
) -> DbResult<Option<ServiceInstance>> {
    let rest = "WHERE account = $1 AND region = $2 AND service = $3 AND name = $4";
    resource::find(rd, rest, params![&scope.account, &scope.region, service, name]).await
}

pub async fn instance_by_id(rd: &mut Reader, id: &Id) -> DbResult<Option<ServiceInstance>> {
    resource::find(rd, "WHERE id = $1", params![id.as_str()]).await
}

/// All instances of a service, by name.
pub async fn instances_of_service(rd: &mut Reader, scope: &Scope, service: &str) -> DbResult<Vec<ServiceInstance>> {
    let rest = "WHERE account = $1 AND region = $2 AND service = $3 ORDER BY name";
    resource::list(rd, rest, params![&scope.account, &scope.region, service]).await
}

/// An instance that runs in an environment, if there is any.
pub async fn instance_in_environment(rd: &mut Reader, environment_id: &Id) -> DbResult<Option<ServiceInstance>> {
    let rest = "WHERE environment_id = $1 ORDER BY service, name LIMIT 1";
    resource::find(rd, rest, params![environment_id.as_str()]).await
}

/// Saves a changed instance; `was` is the status that it was read with. `false` if somebody else
/// saved it since.
pub async fn instance_save(
    tx: &mut Tx,
    instance: &mut ServiceInstance,
    was: DeploymentStatus,
    at: i64,
) -> DbResult<bool> {
    resource::save(tx, instance, was.as_str(), at).await
}

/// Removes an instance; its name is free again.
pub async fn instance_delete(tx: &mut Tx, instance: &ServiceInstance, at: i64) -> DbResult<()> {
    resource::delete(tx, instance, at).await
}

/// How many instances a service has, those that failed to delete included.
pub async fn instance_count(rd: &mut Reader, scope: &Scope, service: &str) -> DbResult<i64> {
    let sql = "SELECT COUNT(*) FROM service_instance WHERE account = $1 AND region = $2 AND service = $3";
    resource::number(rd, sql, params![&scope.account, &scope.region, service]).await
}
