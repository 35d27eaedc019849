//! Deployment records, newest first.

use super::resource::{self, Resource};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::deployment::Deployment;
use protium_domain::id::Id;
use protium_domain::status::DeploymentStatus;
use serde_json::{Map, Value};

impl Resource for Deployment {
    const TABLE: &'static str = "deployment";
    // For Protium's own use: AWS has no such event.
    const EVENT: &'static str = "DEPLOYMENT_STATUS";
    const COLUMNS: &'static [&'static str] =
        &["target_kind", "target_id", "environment", "service", "instance", "component", "status", "active"];

    fn values(&self) -> Vec<Param<'_>> {
        let target = &self.target;
        params![
            target.kind.as_str(),
            target.id.as_str(),
            &target.environment,
            &target.service,
            &target.instance,
            &target.component,
            self.status.as_str(),
            self.status.is_active()
        ]
        .to_vec()
    }

    resource::members!();

    fn status(&self) -> &'static str {
        self.status.as_str()
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("targetArn".into(), self.target.arn.as_str().into())])
    }
}

/// Adds a record; `false` if the target has an active deployment already.
pub async fn deployment_insert(tx: &mut Tx, deployment: &Deployment) -> DbResult<bool> {
    resource::insert(tx, &deployment.scope, deployment).await
}

/// The record of that id in any account: for jobs, which carry ids only.
pub async fn deployment_by_id(rd: &mut Reader, id: &Id) -> DbResult<Option<Deployment>> {
    resource::find(rd, "WHERE id = $1", params![id.as_str()]).await
}

/// The record of that id, if it belongs to the account and region.
pub async fn deployment_get(rd: &mut Reader, scope: &Scope, id: &str) -> DbResult<Option<Deployment>> {
    let rest = "WHERE account = $1 AND region = $2 AND id = $3";
    resource::find(rd, rest, params![&scope.account, &scope.region, id]).await
}

/// The deployment that is under way for a target.
pub async fn deployment_active(rd: &mut Reader, target: &Id) -> DbResult<Option<Deployment>> {
    resource::find(rd, "WHERE target_id = $1 AND active = 1", params![target.as_str()]).await
}

/// Saves a changed record; `was` is the status that it was read with. `false` if somebody else
/// saved it since.
pub async fn deployment_save(
    tx: &mut Tx,
    deployment: &mut Deployment,
    was: DeploymentStatus,
    at: i64,
) -> DbResult<bool> {
    resource::save(tx, deployment, was.as_str(), at).await
}

/// Removes a record from the history.
pub async fn deployment_delete(tx: &mut Tx, deployment: &Deployment, at: i64) -> DbResult<()> {
    resource::delete(tx, deployment, at).await
}

/// Which records a listing shows. Absent members do not narrow it.
#[derive(Clone, Debug, Default)]
pub struct DeploymentFilter {
    /// `ENVIRONMENT`, `SERVICE_INSTANCE`, …
    pub kind: Option<&'static str>,
    pub environment: Option<String>,
    pub service: Option<String>,
    pub instance: Option<String>,
    pub component: Option<String>,
}

/// Up to `limit` records older than `before` (creation time and id), newest first.
pub async fn deployment_page(
    rd: &mut Reader,
    scope: &Scope,
    filter: &DeploymentFilter,
    before: Option<(i64, &str)>,
    limit: i64,
) -> DbResult<Vec<Deployment>> {
    let mut rest = String::from("WHERE account = $1 AND region = $2");
    let mut values: Vec<Param<'_>> = params![&scope.account, &scope.region, limit].to_vec();
    let equal = [
        ("target_kind", filter.kind),
        ("environment", filter.environment.as_deref()),
        ("service", filter.service.as_deref()),
        ("instance", filter.instance.as_deref()),
        ("component", filter.component.as_deref()),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            values.push(value.into());
            rest.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    resource::older(&mut rest, &mut values, before);
    rest.push_str(" ORDER BY created_at DESC, id DESC LIMIT $3");
    resource::list(rd, &rest, &values).await
}
