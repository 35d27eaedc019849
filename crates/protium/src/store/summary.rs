//! How many resources stand where, for the resources summary.
//!
//! Owns: counting by what the summary tells apart, in the database: it answers a row for each version and each
//! service, not for each resource. Does not own: what is up to date (`operations`).

use super::value::Row;
use super::{DbError, DbResult, Reader};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::{Template, TemplateKind};
use protium_domain::version::Version;
use std::collections::BTreeMap;

/// Deployable resources that stand alike: as many on the same version of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    pub template: String,
    /// What is deployed; `None` before the first success.
    pub version: Option<Version>,
    pub count: i64,
    /// How many of them are `FAILED` or `DELETE_FAILED`.
    pub failed: i64,
}

/// The lowest version that parts of a service run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lowest {
    pub service: String,
    pub template: String,
    pub version: Version,
}

/// A version as one number, in the order of versions: minor versions are counted, far below this.
const MINORS: i64 = 1 << 32;

/// All templates of both kinds.
pub async fn summary_templates(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Template>> {
    let sql = "SELECT doc FROM template WHERE account = $1 AND region = $2";
    let rows = rd.query(sql, params![&scope.account, &scope.region]).await?;
    rows.into_iter().map(|mut row| row.doc(0)).collect()
}

/// The recommended versions of the templates of a kind that have one, by name.
pub async fn template_recommended(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
) -> DbResult<BTreeMap<String, Version>> {
    let templates = summary_templates(rd, scope).await?.into_iter().filter(|template| template.kind == kind);
    Ok(templates.filter_map(|template| Some((template.name, template.recommended?))).collect())
}

pub async fn summary_environments(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Alike>> {
    alike(rd, scope, "environment").await
}

pub async fn summary_instances(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Alike>> {
    alike(rd, scope, "service_instance").await
}

pub async fn summary_pipelines(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Alike>> {
    alike(rd, scope, "service_pipeline").await
}

/// The lowest version of the deployed instances of each service.
pub async fn summary_lowest_instances(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Lowest>> {
    lowest(rd, scope, "service_instance").await
}

/// The version of each deployed pipeline.
pub async fn summary_lowest_pipelines(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Lowest>> {
    lowest(rd, scope, "service_pipeline").await
}

/// How many components there are with each status.
pub async fn summary_components(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<(DeploymentStatus, i64)>> {
    let sql = "SELECT status, COUNT(*) FROM component WHERE account = $1 AND region = $2 GROUP BY status";
    let rows = rd.query(sql, params![&scope.account, &scope.region]).await?;
    rows.into_iter()
        .map(|mut row| {
            let status = row.text(0)?;
            let status = DeploymentStatus::parse(&status).ok_or_else(|| no_status(&status))?;
            Ok((status, row.int(1)?))
        })
        .collect()
}

/// How many services there are with each status.
pub async fn summary_services(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<(ServiceStatus, i64)>> {
    let sql = "SELECT status, COUNT(*) FROM service WHERE account = $1 AND region = $2 GROUP BY status";
    let rows = rd.query(sql, params![&scope.account, &scope.region]).await?;
    rows.into_iter()
        .map(|mut row| {
            let status = row.text(0)?;
            let status = ServiceStatus::parse(&status).ok_or_else(|| no_status(&status))?;
            Ok((status, row.int(1)?))
        })
        .collect()
}

/// One pass over the index on versions.
async fn alike(rd: &mut Reader, scope: &Scope, table: &str) -> DbResult<Vec<Alike>> {
    let sql = format!(
        "SELECT template, major, minor, COUNT(*), \
         SUM(CASE WHEN status IN ('FAILED', 'DELETE_FAILED') THEN 1 ELSE 0 END) FROM {table} \
         WHERE account = $1 AND region = $2 GROUP BY template, major, minor"
    );
    let rows = rd.query(&sql, params![&scope.account, &scope.region]).await?;
    rows.into_iter().map(read_alike).collect()
}

fn read_alike(mut row: Row) -> DbResult<Alike> {
    let version = match (row.opt_int(1)?, row.opt_int(2)?) {
        (Some(major), Some(minor)) => Some(Version::new(major, minor)),
        _ => None,
    };
    Ok(Alike { template: row.text(0)?, version, count: row.int(3)?, failed: row.int(4)? })
}

/// All parts of a service are of the service's template.
async fn lowest(rd: &mut Reader, scope: &Scope, table: &str) -> DbResult<Vec<Lowest>> {
    let sql = format!(
        "SELECT service, MIN(template), MIN(major * {MINORS} + minor) FROM {table} \
         WHERE account = $1 AND region = $2 AND major IS NOT NULL GROUP BY service"
    );
    let rows = rd.query(&sql, params![&scope.account, &scope.region]).await?;
    rows.into_iter()
        .map(|mut row| {
            let number = row.int(2)?;
            let version = Version::new(number.div_euclid(MINORS), number.rem_euclid(MINORS));
            Ok(Lowest { service: row.text(0)?, template: row.text(1)?, version })
        })
        .collect()
}

fn no_status(text: &str) -> DbError {
    DbError::corrupt(format!("'{text}' is no status"))
}
