//! Environment account connections: rows by the account that lends its roles, region and id.

use super::resource::{self, Resource};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::account_connection::{AccountConnection, Side};
use protium_domain::arn::Scope;
use protium_domain::status::ConnectionStatus;
use serde_json::{Map, Value};

impl Resource for AccountConnection {
    const TABLE: &'static str = "account_connection";
    const EVENT: &'static str = "ENVIRONMENT_ACCOUNT_CONNECTION_STATUS";
    const COLUMNS: &'static [&'static str] = &["management_account", "environment", "status"];

    fn values(&self) -> Vec<Param<'_>> {
        params![&self.management_account, &self.environment, self.status.as_str()].to_vec()
    }

    resource::members!();

    fn status(&self) -> &'static str {
        self.status.as_str()
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("id".into(), self.id.as_str().into())])
    }
}

/// Adds a connection to the account that lends its roles.
pub async fn connection_insert(tx: &mut Tx, region: &str, connection: &AccountConnection) -> DbResult<bool> {
    resource::insert(tx, &Scope::new(&connection.environment_account, region), connection).await
}

/// The connection of that id in the region, whosever it is.
pub async fn connection_get(rd: &mut Reader, region: &str, id: &str) -> DbResult<Option<AccountConnection>> {
    resource::find(rd, "WHERE id = $1 AND region = $2", params![id, region]).await
}

/// The accepted connections for an environment of the account and region, the oldest first.
pub async fn connections_accepted_for(
    rd: &mut Reader,
    management: &Scope,
    environment: &str,
) -> DbResult<Vec<AccountConnection>> {
    let rest = "WHERE management_account = $1 AND region = $2 AND environment = $3 AND status = $4 \
                ORDER BY created_at, id";
    let accepted = ConnectionStatus::Connected.as_str();
    resource::list(rd, rest, params![&management.account, &management.region, environment, accepted]).await
}

/// Saves a changed connection; `was` is the status that it was read with. `false` if somebody else saved
/// it since.
pub async fn connection_save(
    tx: &mut Tx,
    connection: &mut AccountConnection,
    was: ConnectionStatus,
    at: i64,
) -> DbResult<bool> {
    resource::save(tx, connection, was.as_str(), at).await
}

/// Removes a connection.
pub async fn connection_delete(tx: &mut Tx, connection: &AccountConnection, at: i64) -> DbResult<()> {
    resource::delete(tx, connection, at).await
}

/// How many connections the account lends its roles through in the region.
pub async fn connection_count(rd: &mut Reader, scope: &Scope) -> DbResult<i64> {
    let sql = "SELECT COUNT(*) FROM account_connection WHERE account = $1 AND region = $2";
    resource::number(rd, sql, params![&scope.account, &scope.region]).await
}

/// Which connections a listing shows.
#[derive(Clone, Debug)]
pub struct ConnectionFilter {
    /// On which side the account of the listing stands.
    pub side: Side,
    pub environment: Option<String>,
    /// Any of these; of any status if there are none.
    pub statuses: Vec<ConnectionStatus>,
}

/// Up to `limit` connections that were requested before `before` (time and id), newest first.
pub async fn connection_page(
    rd: &mut Reader,
    scope: &Scope,
    filter: &ConnectionFilter,
    before: Option<(i64, &str)>,
    limit: i64,
) -> DbResult<Vec<AccountConnection>> {
    let account = match filter.side {
        Side::Environment => "account",
        Side::Management => "management_account",
    };
    let mut rest = format!("WHERE {account} = $1 AND region = $2");
    let mut values: Vec<Param<'_>> = params![&scope.account, &scope.region, limit].to_vec();
    if let Some(environment) = &filter.environment {
        values.push(environment.into());
        rest.push_str(&format!(" AND environment = ${}", values.len()));
    }
    if !filter.statuses.is_empty() {
        let first = values.len() + 1;
        values.extend(filter.statuses.iter().map(|status| Param::from(status.as_str())));
        let places: Vec<String> = (first..=values.len()).map(|place| format!("${place}")).collect();
        rest.push_str(&format!(" AND status IN ({})", places.join(", ")));
    }
    resource::older(&mut rest, &mut values, before);
    rest.push_str(" ORDER BY created_at DESC, id DESC LIMIT $3");
    resource::list(rd, &rest, &values).await
}
