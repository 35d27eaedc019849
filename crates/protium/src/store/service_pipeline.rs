//! Pipelines of services: at most one row a service.

use super::resource::{self, Resource};
use super::track::{TRACK_COLUMNS, track_values};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::id::Id;
use protium_domain::service::ServicePipeline;
use protium_domain::status::DeploymentStatus;
use serde_json::{Map, Value};

impl Resource for ServicePipeline {
    const TABLE: &'static str = "service_pipeline";
    const EVENT: &'static str = "SERVICE_PIPELINE_STATUS";
    const COLUMNS: &'static [&'static str] = TRACK_COLUMNS!("service", "service_id", "template");

    fn values(&self) -> Vec<Param<'_>> {
        let mut values = params![&self.service, self.service_id.as_str(), &self.template].to_vec();
        values.extend(track_values(&self.track));
        values
    }

    resource::members!();

    fn status(&self) -> &'static str {
        self.track.status.as_str()
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("serviceName".into(), self.service.as_str().into())])
    }
}

/// Adds the pipeline of a service; `false` if it has one.
pub async fn pipeline_insert(tx: &mut Tx, scope: &Scope, pipeline: &ServicePipeline) -> DbResult<bool> {
    resource::insert(tx, scope, pipeline).await
}

pub async fn pipeline_get(rd: &mut Reader, scope: &Scope, service: &str) -> DbResult<Option<ServicePipeline>> {
    let rest = "WHERE account = $1 AND region = $2 AND service = $3";
    resource::find(rd, rest, params![&scope.account, &scope.region, service]).await
}

pub async fn pipeline_by_id(rd: &mut Reader, id: &Id) -> DbResult<Option<ServicePipeline>> {
    resource::find(rd, "WHERE id = $1", params![id.as_str()]).await
}

/// Saves a changed pipeline; `was` is the status that it was read with. `false` if somebody else
/// saved it since.
pub async fn pipeline_save(
    tx: &mut Tx,
    pipeline: &mut ServicePipeline,
    was: DeploymentStatus,
    at: i64,
) -> DbResult<bool> {
    resource::save(tx, pipeline, was.as_str(), at).await
}

/// Removes a pipeline.
pub async fn pipeline_delete(tx: &mut Tx, pipeline: &ServicePipeline, at: i64) -> DbResult<()> {
    resource::delete(tx, pipeline, at).await
}
