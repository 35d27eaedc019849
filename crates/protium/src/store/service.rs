//! Services: rows by account, region and name.

use super::resource::{self, Resource};
use super::value::read_doc;
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::id::Id;
use protium_domain::service::{Service, ServicePipeline};
use protium_domain::status::ServiceStatus;
use serde::Deserialize;
use serde_json::{Map, Value};

impl Resource for Service {
    const TABLE: &'static str = "service";
    const EVENT: &'static str = "SERVICE_STATUS";
    const COLUMNS: &'static [&'static str] = &["name", "template", "status"];

    fn values(&self) -> Vec<Param<'_>> {
        params![&self.name, &self.template, self.status.as_str()].to_vec()
    }

    resource::members!();

    fn status(&self) -> &'static str {
        self.status.as_str()
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("name".into(), self.name.as_str().into())])
    }
}

/// Adds a service; `false` if the name is taken.
pub async fn service_insert(tx: &mut Tx, scope: &Scope, service: &Service) -> DbResult<bool> {
    resource::insert(tx, scope, service).await
}

pub async fn service_get(rd: &mut Reader, scope: &Scope, name: &str) -> DbResult<Option<Service>> {
    let rest = "WHERE account = $1 AND region = $2 AND name = $3";
    resource::find(rd, rest, params![&scope.account, &scope.region, name]).await
}

pub async fn service_by_id(rd: &mut Reader, id: &Id) -> DbResult<Option<Service>> {
    resource::find(rd, "WHERE id = $1", params![id.as_str()]).await
}

/// A service together with its pipeline, if it has one, in one query.
pub async fn service_with_pipeline(
    rd: &mut Reader,
    scope: &Scope,
    name: &str,
) -> DbResult<Option<(Service, Option<ServicePipeline>)>> {
    let sql = "SELECT s.revision, s.doc, p.revision, p.doc FROM service s \
               LEFT JOIN service_pipeline p ON p.account = s.account AND p.region = s.region AND p.service = s.name \
               WHERE s.account = $1 AND s.region = $2 AND s.name = $3";
    let Some(mut row) = rd.query_opt(sql, params![&scope.account, &scope.region, name]).await? else {
        return Ok(None);
    };
    let service = Service { revision: row.int(0)?, ..row.doc(1)? };
    let pipeline = match row.opt_int(2)? {
        Some(revision) => Some(ServicePipeline { revision, ..row.doc(3)? }),
        None => None,
    };
    Ok(Some((service, pipeline)))
}

/// Saves a changed service; `was` is the status that it was read with. `false` if somebody else
/// saved it since.
pub async fn service_save(tx: &mut Tx, service: &mut Service, was: ServiceStatus, at: i64) -> DbResult<bool> {
    resource::save(tx, service, was.as_str(), at).await
}

/// Removes a service; its name is free again.
pub async fn service_delete(tx: &mut Tx, service: &Service, at: i64) -> DbResult<()> {
    resource::delete(tx, service, at).await
}

/// What lists show of a service: reading no more of a document makes them twice as fast.
#[derive(Debug, Deserialize)]
pub struct ServiceSummary {
    pub name: String,
    pub template: String,
    pub description: Option<String>,
    pub status: ServiceStatus,
    pub status_message: Option<String>,
    pub created_at: i64,
    pub modified_at: i64,
}

/// Up to `limit` services after the name `after`, by name.
pub async fn service_page(rd: &mut Reader, scope: &Scope, after: &str, limit: i64) -> DbResult<Vec<ServiceSummary>> {
    let sql = "SELECT doc FROM service WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4";
    rd.query_each(sql, params![&scope.account, &scope.region, after, limit], |row| read_doc(row.text(0)?, 0)).await
}

/// How many services the account has in the region.
pub async fn service_count(rd: &mut Reader, scope: &Scope) -> DbResult<i64> {
    let sql = "SELECT COUNT(*) FROM service WHERE account = $1 AND region = $2";
    resource::number(rd, sql, params![&scope.account, &scope.region]).await
}
