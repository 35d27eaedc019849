//! How many resources stand where, for the resources summary.
//!
//! Owns: counting by what the summary tells apart, in the database: it answers a row for each version, not for each
//! resource, and reads indexes only (`migrations/0007_summary.sql`, `0008_covering.sql`). Does not own: what is up to
//! date (`operations`).

use super::{DbError, DbResult, Reader};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::{Template, TemplateKind};
use protium_domain::version::Version;
use std::collections::BTreeMap;

/// How the deployable resources of a kind stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub total: i64,
    /// How many of them are `FAILED` or `DELETE_FAILED`.
    pub failed: i64,
    /// How many have which version deployed; those before their first success are in none.
    pub deployed: Vec<Deployed>,
}

/// Deployable resources on the same version of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    pub template: String,
    pub version: Version,
    pub count: i64,
}

/// Services that stand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicesAlike {
    pub template: String,
    pub status: ServiceStatus,
    /// The lowest version that a part of them, an instance or the pipeline, has deployed; `None` without one.
    pub lowest: Option<Version>,
    pub count: i64,
}

/// A version as one number, in the order of versions: minor versions are counted, far below this.
const MINORS: i64 = 1 << 32;

/// One resource with what the summary tells apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The service that an instance or a pipeline belongs to.
    pub service: String,
    /// Empty for a pipeline.
    pub name: String,
    pub template: String,
    /// The version that is deployed.
    pub version: Option<Version>,
    pub status: String,
}

/// Each environment, for who may not see all of them.
pub async fn counted_environments(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Counted>> {
    counted(rd, scope, "environment", "'', name, template, status, major, minor").await
}

/// Each service instance.
pub async fn counted_instances(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Counted>> {
    counted(rd, scope, "service_instance", "service, name, template, status, major, minor").await
}

/// Each service pipeline.
pub async fn counted_pipelines(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Counted>> {
    counted(rd, scope, "service_pipeline", "service, '', template, status, major, minor").await
}

/// Each service; its versions are those of its parts.
pub async fn counted_services(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Counted>> {
    counted(rd, scope, "service", "name, name, template, status").await
}

/// Each component; it has no template.
pub async fn counted_components(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<Counted>> {
    counted(rd, scope, "component", "'', name, '', status").await
}

async fn counted(rd: &mut Reader, scope: &Scope, table: &str, columns: &str) -> DbResult<Vec<Counted>> {
    let sql = format!("SELECT {columns} FROM {table} WHERE account = $1 AND region = $2");
    let rows = rd.query(&sql, params![&scope.account, &scope.region]).await?;
    let has_version = columns.ends_with("minor");
    rows.into_iter()
        .map(|mut row| {
            let version = match has_version {
                true => row.opt_int(4)?.zip(row.opt_int(5)?).map(|(major, minor)| Version::new(major, minor)),
                false => None,
            };
            Ok(Counted {
                service: row.text(0)?,
                name: row.text(1)?,
                template: row.text(2)?,
                status: row.text(3)?,
                version,
            })
        })
        .collect()
}

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

pub async fn summary_environments(rd: &mut Reader, scope: &Scope) -> DbResult<Standing> {
    standing(rd, scope, "environment", TemplateKind::Environment).await
}

pub async fn summary_instances(rd: &mut Reader, scope: &Scope) -> DbResult<Standing> {
    standing(rd, scope, "service_instance", TemplateKind::Service).await
}

pub async fn summary_pipelines(rd: &mut Reader, scope: &Scope) -> DbResult<Standing> {
    standing(rd, scope, "service_pipeline", TemplateKind::Service).await
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

/// Services by what matters of them. All parts of a service are of the service's template.
pub async fn summary_services(rd: &mut Reader, scope: &Scope) -> DbResult<Vec<ServicesAlike>> {
    // Materialized: else SQLite looks for the parts of each service twice.
    let sql = format!(
        "WITH each_service AS MATERIALIZED (SELECT template, status, \
           (SELECT i.major * {MINORS} + i.minor FROM service_instance i \
             WHERE i.account = s.account AND i.region = s.region AND i.service = s.name AND i.major IS NOT NULL \
             ORDER BY i.major, i.minor LIMIT 1) AS instances, \
           (SELECT p.major * {MINORS} + p.minor FROM service_pipeline p \
             WHERE p.account = s.account AND p.region = s.region AND p.service = s.name) AS pipeline \
           FROM service s WHERE account = $1 AND region = $2) \
         SELECT template, status, instances, pipeline, COUNT(*) FROM each_service \
         GROUP BY template, status, instances, pipeline"
    );
    let rows = rd.query(&sql, params![&scope.account, &scope.region]).await?;
    rows.into_iter()
        .map(|mut row| {
            let status = row.text(1)?;
            let status = ServiceStatus::parse(&status).ok_or_else(|| no_status(&status))?;
            let lowest = [row.opt_int(2)?, row.opt_int(3)?].into_iter().flatten().min();
            let lowest = lowest.map(|number| Version::new(number.div_euclid(MINORS), number.rem_euclid(MINORS)));
            Ok(ServicesAlike { template: row.text(0)?, status, lowest, count: row.int(4)? })
        })
        .collect()
}

/// Versions that something deploys or has deployed can't be deleted, so those that there are, and their templates, lead
/// to all that there is: to count within each of them takes a third of the time that grouping takes.
async fn standing(rd: &mut Reader, scope: &Scope, table: &str, kind: TemplateKind) -> DbResult<Standing> {
    let counted = format!(
        "SELECT v.template, v.major, v.minor, (SELECT COUNT(*) FROM {table} d WHERE d.account = v.account \
           AND d.region = v.region AND d.template = v.template AND d.major = v.major AND d.minor = v.minor) \
         FROM template_version v WHERE v.account = $1 AND v.region = $2 AND v.kind = $3 \
         UNION ALL \
         SELECT t.name, NULL, NULL, (SELECT COUNT(*) FROM {table} d WHERE d.account = t.account \
           AND d.region = t.region AND d.template = t.name AND d.major IS NULL) \
         FROM template t WHERE t.account = $1 AND t.region = $2 AND t.kind = $3"
    );
    let rows = rd.query(&counted, params![&scope.account, &scope.region, kind.as_str()]).await?;
    let (mut total, mut deployed) = (0, Vec::new());
    for mut row in rows {
        let count = row.int(3)?;
        total += count;
        if let (Some(major), Some(minor)) = (row.opt_int(1)?, row.opt_int(2)?) {
            deployed.push(Deployed { template: row.text(0)?, version: Version::new(major, minor), count });
        }
    }
    let failed = format!(
        "SELECT COUNT(*) FROM {table} WHERE account = $1 AND region = $2 AND status IN ('FAILED', 'DELETE_FAILED')"
    );
    let failed = rd.query_one(&failed, params![&scope.account, &scope.region]).await?.int(0)?;
    Ok(Standing { total, failed, deployed })
}

fn no_status(text: &str) -> DbError {
    DbError::corrupt(format!("'{text}' is no status"))
}
