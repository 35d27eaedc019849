//! Environments: rows by account, region and name.

use super::resource::{self, Resource};
use super::track::{TRACK_COLUMNS, track_values};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::environment::Environment;
use protium_domain::id::Id;
use protium_domain::repository::Provider;
use protium_domain::status::DeploymentStatus;
use serde_json::{Map, Value};

impl Resource for Environment {
    const TABLE: &'static str = "environment";
    const EVENT: &'static str = "ENVIRONMENT_STATUS";
    const COLUMNS: &'static [&'static str] = TRACK_COLUMNS!("name", "template", "provider", "repository");

    fn values(&self) -> Vec<Param<'_>> {
        let repository = self.access.repository.as_ref();
        let provider = repository.map(|repository| repository.provider.as_str());
        let mut values = params![&self.name, &self.template, provider].to_vec();
        values.push(repository.map(|repository| repository.name.as_str()).into());
        values.extend(track_values(&self.track));
        values
    }

    resource::members!();

    fn status(&self) -> &'static str {
        self.track.status.as_str()
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("name".into(), self.name.as_str().into())])
    }
}

/// Adds an environment; `false` if the name is taken.
pub async fn environment_insert(tx: &mut Tx, scope: &Scope, environment: &Environment) -> DbResult<bool> {
    resource::insert(tx, scope, environment).await
}

pub async fn environment_get(rd: &mut Reader, scope: &Scope, name: &str) -> DbResult<Option<Environment>> {
    let rest = "WHERE account = $1 AND region = $2 AND name = $3";
    resource::find(rd, rest, params![&scope.account, &scope.region, name]).await
}

pub async fn environment_by_id(rd: &mut Reader, id: &Id) -> DbResult<Option<Environment>> {
    resource::find(rd, "WHERE id = $1", params![id.as_str()]).await
}

/// Saves a changed environment; `was` is the status that it was read with. `false` if somebody else
/// saved it since.
pub async fn environment_save(
    tx: &mut Tx,
    environment: &mut Environment,
    was: DeploymentStatus,
    at: i64,
) -> DbResult<bool> {
    resource::save(tx, environment, was.as_str(), at).await
}

/// Removes an environment; its name is free again.
pub async fn environment_delete(tx: &mut Tx, environment: &Environment, at: i64) -> DbResult<()> {
    resource::delete(tx, environment, at).await
}

/// Up to `limit` environments after the name `after`, by name; of one of the `templates` (name and
/// major version), or of any if there are none.
pub async fn environment_page(
    rd: &mut Reader,
    scope: &Scope,
    templates: &[(String, i64)],
    after: &str,
    limit: i64,
) -> DbResult<Vec<Environment>> {
    let mut rest = String::from("WHERE account = $1 AND region = $2 AND name > $3");
    let mut values: Vec<Param<'_>> = params![&scope.account, &scope.region, after, limit].to_vec();
    if !templates.is_empty() {
        let pairs: Vec<String> = (0..templates.len())
            .map(|at| format!("(template = ${} AND major = ${})", 5 + 2 * at, 6 + 2 * at))
            .collect();
        rest.push_str(&format!(" AND ({})", pairs.join(" OR ")));
        values.extend(templates.iter().flat_map(|(name, major)| [Param::from(name), Param::from(*major)]));
    }
    rest.push_str(" ORDER BY name LIMIT $4");
    resource::list(rd, &rest, &values).await
}

/// An environment that is provisioned from the repository, if there is one.
pub async fn environment_of_repository(
    rd: &mut Reader,
    scope: &Scope,
    provider: Provider,
    repository: &str,
) -> DbResult<Option<Environment>> {
    let rest = "WHERE account = $1 AND region = $2 AND repository = $3 AND provider = $4 ORDER BY name LIMIT 1";
    resource::find(rd, rest, params![&scope.account, &scope.region, repository, provider.as_str()]).await
}

/// How many environments the account has in the region.
pub async fn environment_count(rd: &mut Reader, scope: &Scope) -> DbResult<i64> {
    let sql = "SELECT COUNT(*) FROM environment WHERE account = $1 AND region = $2";
    resource::number(rd, sql, params![&scope.account, &scope.region]).await
}
