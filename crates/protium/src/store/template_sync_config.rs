//! Template sync configurations: rows by account, region, and kind and name of the template.

use super::resource::{self, Resource};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::repository::Provider;
use protium_domain::sync_config::TemplateSyncConfig;
use protium_domain::template::TemplateKind;
use serde_json::{Map, Value};

impl Resource for TemplateSyncConfig {
    const TABLE: &'static str = "template_sync_config";
    const EVENT: &'static str = "TEMPLATE_SYNC_CONFIG_STATUS";
    const COLUMNS: &'static [&'static str] = &["kind", "template", "provider", "repository"];

    fn values(&self) -> Vec<Param<'_>> {
        params![self.kind.as_str(), &self.template, self.follows.provider.as_str(), &self.follows.name].to_vec()
    }

    resource::members!();

    /// It has none of its own: it is there or not.
    fn status(&self) -> &'static str {
        "CONFIGURED"
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("kind".into(), self.kind.as_str().into()), ("template".into(), self.template.as_str().into())])
    }
}

/// Adds a configuration; `false` if the template has one.
pub async fn template_sync_config_insert(tx: &mut Tx, scope: &Scope, config: &TemplateSyncConfig) -> DbResult<bool> {
    resource::insert(tx, scope, config).await
}

/// The configuration of the template with that name.
pub async fn template_sync_config_get(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
) -> DbResult<Option<TemplateSyncConfig>> {
    let rest = "WHERE account = $1 AND region = $2 AND kind = $3 AND template = $4";
    resource::find(rd, rest, params![&scope.account, &scope.region, kind.as_str(), template]).await
}

/// Saves a changed configuration. `false` if somebody else saved it since it was read.
pub async fn template_sync_config_save(tx: &mut Tx, config: &mut TemplateSyncConfig, at: i64) -> DbResult<bool> {
    let was = config.status();
    resource::save(tx, config, was, at).await
}

/// Removes a configuration.
pub async fn template_sync_config_delete(tx: &mut Tx, config: &TemplateSyncConfig, at: i64) -> DbResult<()> {
    resource::delete(tx, config, at).await
}

/// All configurations that follow a repository, by kind and name of their template.
pub async fn template_sync_configs_of(
    rd: &mut Reader,
    scope: &Scope,
    provider: Provider,
    repository: &str,
) -> DbResult<Vec<TemplateSyncConfig>> {
    let rest = "WHERE account = $1 AND region = $2 AND repository = $3 AND provider = $4 ORDER BY kind, template";
    resource::list(rd, rest, params![&scope.account, &scope.region, repository, provider.as_str()]).await
}
