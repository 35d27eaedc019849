//! Components: rows by account, region and name.

use super::resource::{self, Resource};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::component::Component;
use protium_domain::id::Id;
use protium_domain::status::DeploymentStatus;
use serde_json::{Map, Value};

impl Resource for Component {
    const TABLE: &'static str = "component";
    const EVENT: &'static str = "COMPONENT_STATUS";
    const COLUMNS: &'static [&'static str] =
        &["name", "environment", "environment_id", "service", "instance", "instance_id", "status"];

    fn values(&self) -> Vec<Param<'_>> {
        let attached = self.attached.as_ref();
        params![
            &self.name,
            &self.environment,
            self.environment_id.as_str(),
            attached.map(|one| one.service.as_str()),
            attached.map(|one| one.instance.as_str()),
            attached.map(|one| one.instance_id.as_str()),
            self.track.status.as_str()
        ]
        .to_vec()
    }

    resource::members!();

    fn status(&self) -> &'static str {
        self.track.status.as_str()
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("name".into(), self.name.as_str().into())])
    }
}

/// Adds a component; `false` if the name is taken.
pub async fn component_insert(tx: &mut Tx, scope: &Scope, component: &Component) -> DbResult<bool> {
    resource::insert(tx, scope, component).await
}

pub async fn component_get(rd: &mut Reader, scope: &Scope, name: &str) -> DbResult<Option<Component>> {
    let rest = "WHERE account = $1 AND region = $2 AND name = $3";
    resource::find(rd, rest, params![&scope.account, &scope.region, name]).await
}

pub async fn component_by_id(rd: &mut Reader, id: &Id) -> DbResult<Option<Component>> {
    resource::find(rd, "WHERE id = $1", params![id.as_str()]).await
}

/// The component that holds a service instance, if there is one.
pub async fn component_of_instance(rd: &mut Reader, instance: &Id) -> DbResult<Option<Component>> {
    resource::find(rd, "WHERE instance_id = $1 ORDER BY name LIMIT 1", params![instance.as_str()]).await
}

/// A component that holds an instance of a service, if there is one.
pub async fn component_of_service(rd: &mut Reader, scope: &Scope, service: &str) -> DbResult<Option<Component>> {
    let rest = "WHERE account = $1 AND region = $2 AND service = $3 ORDER BY instance, name LIMIT 1";
    resource::find(rd, rest, params![&scope.account, &scope.region, service]).await
}

/// A component of an environment, if there is one.
pub async fn component_in_environment(rd: &mut Reader, environment: &Id) -> DbResult<Option<Component>> {
    resource::find(rd, "WHERE environment_id = $1 ORDER BY name LIMIT 1", params![environment.as_str()]).await
}

/// Saves a changed component; `was` is the status that it was read with. `false` if somebody else
/// saved it since.
pub async fn component_save(tx: &mut Tx, component: &mut Component, was: DeploymentStatus, at: i64) -> DbResult<bool> {
    resource::save(tx, component, was.as_str(), at).await
}

/// Removes a component; its name is free again.
pub async fn component_delete(tx: &mut Tx, component: &Component, at: i64) -> DbResult<()> {
    resource::delete(tx, component, at).await
}

/// Which components a listing shows. Absent members do not narrow it.
#[derive(Clone, Debug, Default)]
pub struct ComponentFilter {
    pub environment: Option<String>,
    pub service: Option<String>,
    pub instance: Option<String>,
}

/// Up to `limit` components after the name `after`, by name.
pub async fn component_page(
    rd: &mut Reader,
    scope: &Scope,
    filter: &ComponentFilter,
    after: &str,
    limit: i64,
) -> DbResult<Vec<Component>> {
    let mut rest = String::from("WHERE account = $1 AND region = $2 AND name > $3");
    let mut values: Vec<Param<'_>> = params![&scope.account, &scope.region, after, limit].to_vec();
    let equal = [("environment", &filter.environment), ("service", &filter.service), ("instance", &filter.instance)];
    for (column, value) in equal {
        if let Some(value) = value {
            values.push(value.into());
            rest.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    rest.push_str(" ORDER BY name LIMIT $4");
    resource::list(rd, &rest, &values).await
}

/// How many components the account has in the region.
pub async fn component_count(rd: &mut Reader, scope: &Scope) -> DbResult<i64> {
    let sql = "SELECT COUNT(*) FROM component WHERE account = $1 AND region = $2";
    resource::number(rd, sql, params![&scope.account, &scope.region]).await
}
