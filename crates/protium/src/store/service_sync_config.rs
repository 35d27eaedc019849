//! Service sync configurations: rows by account, region and service.

use super::resource::{self, Resource};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::repository::Provider;
use protium_domain::sync_config::ServiceSyncConfig;
use serde_json::{Map, Value};

impl Resource for ServiceSyncConfig {
    const TABLE: &'static str = "service_sync_config";
    const EVENT: &'static str = "SERVICE_SYNC_CONFIG_STATUS";
    const COLUMNS: &'static [&'static str] = &["service", "provider", "repository"];

    fn values(&self) -> Vec<Param<'_>> {
        params![&self.service, self.follows.provider.as_str(), &self.follows.name].to_vec()
    }

    resource::members!();

    /// It has none of its own: it is there or not.
    fn status(&self) -> &'static str {
        "CONFIGURED"
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("service".into(), self.service.as_str().into())])
    }
}

/// Adds a configuration; `false` if the service has one.
pub async fn service_sync_config_insert(tx: &mut Tx, scope: &Scope, config: &ServiceSyncConfig) -> DbResult<bool> {
    resource::insert(tx, scope, config).await
}

/// The configuration of the service with that name.
pub async fn service_sync_config_get(
    rd: &mut Reader,
    scope: &Scope,
    service: &str,
) -> DbResult<Option<ServiceSyncConfig>> {
    let rest = "WHERE account = $1 AND region = $2 AND service = $3";
    resource::find(rd, rest, params![&scope.account, &scope.region, service]).await
}

/// Saves a changed configuration. `false` if somebody else saved it since it was read.
pub async fn service_sync_config_save(tx: &mut Tx, config: &mut ServiceSyncConfig, at: i64) -> DbResult<bool> {
    let was = config.status();
    resource::save(tx, config, was, at).await
}

/// Removes a configuration.
pub async fn service_sync_config_delete(tx: &mut Tx, config: &ServiceSyncConfig, at: i64) -> DbResult<()> {
    resource::delete(tx, config, at).await
}

/// All configurations that follow a repository, by service.
pub async fn service_sync_configs_of(
    rd: &mut Reader,
    scope: &Scope,
    provider: Provider,
    repository: &str,
) -> DbResult<Vec<ServiceSyncConfig>> {
    let rest = "WHERE account = $1 AND region = $2 AND repository = $3 AND provider = $4 ORDER BY service";
    resource::list(rd, rest, params![&scope.account, &scope.region, repository, provider.as_str()]).await
}
