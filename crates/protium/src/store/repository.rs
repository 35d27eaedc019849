//! Linked repositories: rows by account, region, name and provider.

use super::resource::{self, Resource};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::repository::{Provider, Repository};
use serde_json::{Map, Value};

impl Resource for Repository {
    const TABLE: &'static str = "repository";
    const EVENT: &'static str = "REPOSITORY_STATUS";
    const COLUMNS: &'static [&'static str] = &["name", "provider"];

    fn values(&self) -> Vec<Param<'_>> {
        params![&self.name, self.provider.as_str()].to_vec()
    }

    resource::members!();

    /// It has none of its own: it is linked, or not there.
    fn status(&self) -> &'static str {
        "LINKED"
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("provider".into(), self.provider.as_str().into()), ("name".into(), self.name.as_str().into())])
    }
}

/// Adds a repository; `false` if it is linked already.
pub async fn repository_insert(tx: &mut Tx, scope: &Scope, repository: &Repository) -> DbResult<bool> {
    resource::insert(tx, scope, repository).await
}

/// The linked repository. `name` is `owner/name` without control characters.
pub async fn repository_get(
    rd: &mut Reader,
    scope: &Scope,
    provider: Provider,
    name: &str,
) -> DbResult<Option<Repository>> {
    let rest = "WHERE account = $1 AND region = $2 AND name = $3 AND provider = $4";
    resource::find(rd, rest, params![&scope.account, &scope.region, name, provider.as_str()]).await
}

/// Removes a repository; it can be linked again.
pub async fn repository_delete(tx: &mut Tx, repository: &Repository, at: i64) -> DbResult<()> {
    resource::delete(tx, repository, at).await
}

/// Up to `limit` repositories after (`name`, `provider`), in that order.
pub async fn repository_page(
    rd: &mut Reader,
    scope: &Scope,
    after: (&str, &str),
    limit: i64,
) -> DbResult<Vec<Repository>> {
    let rest = "WHERE account = $1 AND region = $2 AND (name > $3 OR (name = $3 AND provider > $4)) \
                ORDER BY name, provider LIMIT $5";
    resource::list(rd, rest, params![&scope.account, &scope.region, after.0, after.1, limit]).await
}
