//! Templates: rows by account, region, kind and name.

use super::resource::{self, Resource};
use super::{DbResult, Param, Reader, Tx};
use crate::params;
use protium_domain::arn::Scope;
use protium_domain::template::{Template, TemplateKind};
use protium_domain::version::Version;
use serde_json::{Map, Value};

impl Resource for Template {
    const TABLE: &'static str = "template";
    const EVENT: &'static str = "TEMPLATE_STATUS";
    const COLUMNS: &'static [&'static str] = &["kind", "name"];

    fn values(&self) -> Vec<Param<'_>> {
        params![self.kind.as_str(), &self.name].to_vec()
    }

    resource::members!();

    fn status(&self) -> &'static str {
        status(self.recommended)
    }

    fn detail(&self) -> Map<String, Value> {
        Map::from_iter([("kind".into(), self.kind.as_str().into()), ("name".into(), self.name.as_str().into())])
    }
}

/// Templates have no status of their own; events speak of them as published once a version is.
fn status(recommended: Option<Version>) -> &'static str {
    if recommended.is_some() { "PUBLISHED" } else { "DRAFT" }
}

/// Adds a template; `false` if the name is taken.
pub async fn template_insert(tx: &mut Tx, scope: &Scope, template: &Template) -> DbResult<bool> {
    resource::insert(tx, scope, template).await
}

/// Adds a template whose name nobody is known to have; the commit is a unique violation if somebody has.
pub async fn template_add(tx: &mut Tx, scope: &Scope, template: &Template) -> DbResult<()> {
    resource::add(tx, scope, template).await
}

pub async fn template_get(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    name: &str,
) -> DbResult<Option<Template>> {
    let rest = "WHERE account = $1 AND region = $2 AND kind = $3 AND name = $4";
    resource::find(rd, rest, params![&scope.account, &scope.region, kind.as_str(), name]).await
}

/// Saves a changed template; `was` is the recommended version that it was read with. `false` if
/// somebody else saved it since.
pub async fn template_save(tx: &mut Tx, template: &mut Template, was: Option<Version>, at: i64) -> DbResult<bool> {
    resource::save(tx, template, status(was), at).await
}

/// Removes a template; its name is free again.
pub async fn template_delete(tx: &mut Tx, template: &Template, at: i64) -> DbResult<()> {
    resource::delete(tx, template, at).await
}

/// Up to `limit` templates after the name `after`, by name.
pub async fn template_page(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    after: &str,
    limit: i64,
) -> DbResult<Vec<Template>> {
    let rest = "WHERE account = $1 AND region = $2 AND kind = $3 AND name > $4 ORDER BY name LIMIT $5";
    resource::list(rd, rest, params![&scope.account, &scope.region, kind.as_str(), after, limit]).await
}

/// How many templates of both kinds the account has in the region.
pub async fn template_count(rd: &mut Reader, scope: &Scope) -> DbResult<i64> {
    let sql = "SELECT COUNT(*) FROM template WHERE account = $1 AND region = $2";
    resource::number(rd, sql, params![&scope.account, &scope.region]).await
}
