//! Template versions: rows by account, region, kind, template, major and minor.

use super::resource::{self, Resource};
use super::{DbError, DbResult, Param, Reader, Row, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::id::Id;
use protium_domain::status::TemplateVersionStatus;
use protium_domain::template::{TemplateKind, TemplateVersion};
use protium_domain::version::Version;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

impl Resource for TemplateVersion {
    const TABLE: &'static str = "template_version";
    const EVENT: &'static str = "TEMPLATE_VERSION_STATUS";
    const COLUMNS: &'static [&'static str] = &["kind", "template", "major", "minor", "template_id", "status"];

    fn values(&self) -> Vec<Param<'_>> {
        let Version { major, minor } = self.version;
        let (kind, status) = (self.kind.as_str(), self.status.as_str());
        params![kind, &self.template, major, minor, self.template_id.as_str(), status].to_vec()
    }

    resource::members!();

    fn status(&self) -> &'static str {
        self.status.as_str()
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([
            ("kind".into(), self.kind.as_str().into()),
            ("name".into(), self.template.as_str().into()),
            ("majorVersion".into(), self.version.major.to_string().into()),
            ("minorVersion".into(), self.version.minor.to_string().into()),
        ])
    }
}

/// Adds a version; `false` if the number is taken.
pub async fn template_version_insert(tx: &mut Tx, scope: &Scope, version: &TemplateVersion) -> DbResult<bool> {
    resource::insert(tx, scope, version).await
}

pub async fn template_version_get(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
    Version { major, minor }: Version,
) -> DbResult<Option<TemplateVersion>> {
    let rest = "WHERE account = $1 AND region = $2 AND kind = $3 AND template = $4 AND major = $5 AND minor = $6";
    resource::find(rd, rest, params![&scope.account, &scope.region, kind.as_str(), template, major, minor]).await
}

/// The version with that id, and where it is.
pub async fn template_version_by_id(rd: &mut Reader, id: &Id) -> DbResult<Option<(Scope, TemplateVersion)>> {
    let sql = "SELECT account, region FROM template_version WHERE id = $1";
    let Some(mut row) = rd.query_opt(sql, params![id.as_str()]).await? else { return Ok(None) };
    let scope = Scope::new(row.text(0)?, row.text(1)?);
    let version = resource::find(rd, "WHERE id = $1", params![id.as_str()]).await?;
    Ok(version.map(|version| (scope, version)))
}

/// Saves a changed version; `was` is the status that it was read with. `false` if somebody else
/// saved it since.
pub async fn template_version_save(
    tx: &mut Tx,
    version: &mut TemplateVersion,
    was: TemplateVersionStatus,
    at: i64,
) -> DbResult<bool> {
    resource::save(tx, version, was.as_str(), at).await
}

/// Removes a version. The template remembers its number, which is not given again.
pub async fn template_version_delete(tx: &mut Tx, version: &TemplateVersion, at: i64) -> DbResult<()> {
    resource::delete(tx, version, at).await
}

/// The numbers and statuses of all versions of a template, in the order of their numbers.
pub async fn template_version_numbers(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
) -> DbResult<Vec<(Version, TemplateVersionStatus)>> {
    let sql = "SELECT major, minor, status FROM template_version \
               WHERE account = $1 AND region = $2 AND kind = $3 AND template = $4 ORDER BY major, minor";
    let rows = rd.query(sql, params![&scope.account, &scope.region, kind.as_str(), template]).await?;
    rows.into_iter().map(read_number).collect()
}

fn read_number(mut row: Row) -> DbResult<(Version, TemplateVersionStatus)> {
    let status = row.text(2)?;
    let status = TemplateVersionStatus::parse(&status)
        .ok_or_else(|| DbError::corrupt(format!("'{status}' is no status of a template version")))?;
    Ok((Version::new(row.int(0)?, row.int(1)?), status))
}

/// How many versions a template has.
pub async fn template_version_count(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
) -> DbResult<i64> {
    let sql = "SELECT COUNT(*) FROM template_version \
               WHERE account = $1 AND region = $2 AND kind = $3 AND template = $4";
    resource::number(rd, sql, params![&scope.account, &scope.region, kind.as_str(), template]).await
}

/// Whether a template has a version of that major.
pub async fn template_major_exists(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
    major: i64,
) -> DbResult<bool> {
    let sql = "SELECT COUNT(*) FROM template_version \
               WHERE account = $1 AND region = $2 AND kind = $3 AND template = $4 AND major = $5";
    let values = params![&scope.account, &scope.region, kind.as_str(), template, major];
    Ok(resource::number(rd, sql, values).await? > 0)
}

/// The highest published minor version of each major version that has one.
pub async fn template_recommended_minors(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
) -> DbResult<BTreeMap<i64, i64>> {
    let sql = "SELECT major, MAX(minor) FROM template_version WHERE account = $1 AND region = $2 AND kind = $3 \
               AND template = $4 AND status = 'PUBLISHED' GROUP BY major";
    let rows = rd.query(sql, params![&scope.account, &scope.region, kind.as_str(), template]).await?;
    rows.into_iter().map(|mut row| Ok((row.int(0)?, row.int(1)?))).collect()
}

/// Up to `limit` versions of one major with a lower minor than `below`, the highest first.
pub async fn template_minor_page(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
    (major, below): (i64, i64),
    limit: i64,
) -> DbResult<Vec<TemplateVersion>> {
    let rest = "WHERE account = $1 AND region = $2 AND kind = $3 AND template = $4 AND major = $5 AND minor < $6 \
                ORDER BY minor DESC LIMIT $7";
    let values = params![&scope.account, &scope.region, kind.as_str(), template, major, below, limit];
    resource::list(rd, rest, values).await
}

/// One version for each of up to `limit` majors lower than `below`, the highest first: the highest
/// published minor, or the highest minor where none is published.
pub async fn template_major_page(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
    below: i64,
    limit: i64,
) -> DbResult<Vec<TemplateVersion>> {
    let rest = "AS one WHERE account = $1 AND region = $2 AND kind = $3 AND template = $4 AND major < $5 \
                AND minor = (SELECT COALESCE(MAX(CASE WHEN two.status = 'PUBLISHED' THEN two.minor END), MAX(two.minor)) \
                    FROM template_version AS two WHERE two.account = $1 AND two.region = $2 AND two.kind = $3 \
                    AND two.template = $4 AND two.major = one.major) \
                ORDER BY major DESC LIMIT $6";
    let values = params![&scope.account, &scope.region, kind.as_str(), template, below, limit];
    resource::list(rd, rest, values).await
}

/// Other minors of the same major as a version.
const SIBLINGS: &str = "WHERE account = $1 AND region = $2 AND kind = $3 AND template = $4 AND major = $5";

/// The registered minor versions below `version`, in the order of their numbers.
pub async fn template_version_registered_below(
    rd: &mut Reader,
    scope: &Scope,
    version: &TemplateVersion,
) -> DbResult<Vec<TemplateVersion>> {
    let Version { major, minor } = version.version;
    let rest = format!("{SIBLINGS} AND minor < $6 AND status IN ('DRAFT', 'PUBLISHED') ORDER BY minor");
    let values = params![&scope.account, &scope.region, version.kind.as_str(), &version.template, major, minor];
    resource::list(rd, &rest, values).await
}

/// Whether a minor version below `version` is still being registered.
pub async fn template_version_waits(rd: &mut Reader, scope: &Scope, version: &TemplateVersion) -> DbResult<bool> {
    let Version { major, minor } = version.version;
    let sql = format!(
        "SELECT COUNT(*) FROM template_version {SIBLINGS} AND minor < $6 AND status = 'REGISTRATION_IN_PROGRESS'"
    );
    let values = params![&scope.account, &scope.region, version.kind.as_str(), &version.template, major, minor];
    Ok(resource::number(rd, &sql, values).await? > 0)
}

/// The lowest minor version above `version` that is still being registered.
pub async fn template_version_next_waiting(
    rd: &mut Reader,
    scope: &Scope,
    version: &TemplateVersion,
) -> DbResult<Option<TemplateVersion>> {
    let Version { major, minor } = version.version;
    let rest = format!("{SIBLINGS} AND minor > $6 AND status = 'REGISTRATION_IN_PROGRESS' ORDER BY minor LIMIT 1");
    let values = params![&scope.account, &scope.region, version.kind.as_str(), &version.template, major, minor];
    resource::find(rd, &rest, values).await
}

/// What runs on a version or last tried to, such as `environment 'prod'`; one of them if there are several.
pub async fn template_version_user(
    rd: &mut Reader,
    scope: &Scope,
    version: &TemplateVersion,
) -> DbResult<Option<String>> {
    let Version { major, minor } = version.version;
    let values = params![&scope.account, &scope.region, &version.template, major, minor];
    // Each of the two is a search of an index of its own.
    for (number_major, number_minor) in [("major", "minor"), ("attempted_major", "attempted_minor")] {
        let find = |columns: &str, table: &str| {
            format!(
                "SELECT {columns} FROM {table} WHERE account = $1 AND region = $2 AND template = $3 \
                 AND {number_major} = $4 AND {number_minor} = $5 LIMIT 1"
            )
        };
        match version.kind {
            TemplateKind::Environment => {
                if let Some(mut row) = rd.query_opt(&find("name", "environment"), values).await? {
                    return Ok(Some(format!("environment '{}'", row.text(0)?)));
                }
            }
            TemplateKind::Service => {
                if let Some(mut row) = rd.query_opt(&find("name, service", "service_instance"), values).await? {
                    return Ok(Some(format!("service instance '{}' of the service '{}'", row.text(0)?, row.text(1)?)));
                }
                if let Some(mut row) = rd.query_opt(&find("service", "service_pipeline"), values).await? {
                    return Ok(Some(format!("pipeline of the service '{}'", row.text(0)?)));
                }
            }
        }
    }
    Ok(None)
}
