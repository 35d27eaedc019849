//! How many resources stand where, for the resources summary.
//!
//! Owns: counting by what the summary tells apart. Does not own: what is up to date (`operations`).

use super::value::Row;
use super::{DbError, DbResult, Reader};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::Template;
use protium_domain::version::Version;

/// Deployable resources that stand alike: as many of the same owner, on the same version, with the
/// same status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alike {
    /// The service that they belong to; empty for environments.
    pub service: String,
    pub template: String,
    /// What is deployed; `None` before the first success.
    pub version: Option<Version>,
    pub status: DeploymentStatus,
    pub count: i64,
}

/// All templates of both kinds.
pub async fn summary_templates(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Template>> {
    let sql = "SELECT doc FROM template WHERE account = $1 AND region = $2";
    let rows = rd.query(sql, params![&scope.account, &scope.region]).await?;
    rows.into_iter().map(|mut row| row.doc(0)).collect()
}

pub async fn summary_environments(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Alike>> {
    let sql = "SELECT '', template, major, minor, status, COUNT(*) FROM environment \
               WHERE account = $1 AND region = $2 GROUP BY template, major, minor, status";
    alike(rd, scope, sql).await
}

pub async fn summary_instances(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Alike>> {
    let sql = "SELECT service, template, major, minor, status, COUNT(*) FROM service_instance \
               WHERE account = $1 AND region = $2 GROUP BY service, template, major, minor, status";
    alike(rd, scope, sql).await
}

pub async fn summary_pipelines(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Alike>> {
    let sql = "SELECT service, template, major, minor, status, 1 FROM service_pipeline \
               WHERE account = $1 AND region = $2";
    alike(rd, scope, sql).await
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

async fn alike(rd: &mut Reader, scope: &Scope, sql: &str) -> DbResult<Vec<Alike>> {
    let rows = rd.query(sql, params![&scope.account, &scope.region]).await?;
    rows.into_iter().map(read).collect()
}

fn read(mut row: Row) -> DbResult<Alike> {
    let version = match (row.opt_int(2)?, row.opt_int(3)?) {
        (Some(major), Some(minor)) => Some(Version::new(major, minor)),
        _ => None,
    };
    let status = row.text(4)?;
    let status = DeploymentStatus::parse(&status).ok_or_else(|| no_status(&status))?;
    Ok(Alike { service: row.text(0)?, template: row.text(1)?, version, status, count: row.int(5)? })
}

fn no_status(text: &str) -> DbError {
    DbError::corrupt(format!("'{text}' is no status"))
}
