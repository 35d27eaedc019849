//! What the noun files have in common: a domain struct as a row.
//!
//! The document column holds the whole struct; other columns are copies for keys, filters and
//! sorts, written together with it. `revision` lives in its column only and counts the saves, for
//! compare-and-swap. Every insert, save and delete that changes the status appends its event in the
//! same transaction.

use super::db_error::DbResult;
use super::event::{Change, event_append};
use super::tx::{Reader, Tx};
use super::value::{Param, Row, doc_text, read_doc};
use protium_domain::arn::Scope;
use protium_domain::id::Id;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// A domain struct with a table of its own, which has the columns `account`, `region`, `id`,
/// `revision`, `created_at`, `doc` and [`Resource::COLUMNS`].
pub(super) trait Resource: Serialize + DeserializeOwned {
    /// The table.
    const TABLE: &'static str;
    /// The kind of its events.
    const EVENT: &'static str;
    /// The table's own columns.
    const COLUMNS: &'static [&'static str];
    /// The values of [`Resource::COLUMNS`].
    fn values(&self) -> Vec<Param<'_>>;
    /// The incarnation.
    fn id(&self) -> &Id;
    fn created_at(&self) -> i64;
    fn revision(&self) -> i64;
    fn set_revision(&mut self, revision: i64);
    /// What its events tell changes of.
    fn status(&self) -> &'static str;
    /// What its events say beside the status: names and ids, nothing that a user wrote.
    fn detail(&self) -> Map<String, Value>;
}

/// The members of [`Resource`] that are fields of the same name, as they are in every domain struct with a row.
macro_rules! members {
    () => {
        fn id(&self) -> &protium_domain::id::Id {
            &self.id
        }

        fn created_at(&self) -> i64 {
            self.created_at
        }

        fn revision(&self) -> i64 {
            self.revision
        }

        fn set_revision(&mut self, revision: i64) {
            self.revision = revision;
        }
    };
}
pub(super) use members;

/// Adds a row; `false` if its name is taken.
pub(super) async fn insert<R: Resource>(tx: &mut Tx, scope: &Scope, row: &R) -> DbResult<bool> {
    let doc = doc_text(row)?;
    let (sql, values) = insert_statement(scope, row, &doc);
    let added = tx.execute(&format!("{sql} ON CONFLICT DO NOTHING"), &values).await? == 1;
    if added {
        append(tx, scope, row, 0, row.status(), None, row.created_at()).await?;
    }
    Ok(added)
}

/// Adds a row of which nothing has to be known before the commit: that fails with a unique violation if the name is
/// taken.
pub(super) async fn add<R: Resource>(tx: &mut Tx, scope: &Scope, row: &R) -> DbResult<()> {
    let doc = doc_text(row)?;
    let (sql, values) = insert_statement(scope, row, &doc);
    tx.defer(&sql, &values).await?;
    append(tx, scope, row, 0, row.status(), None, row.created_at()).await
}

fn insert_statement<'a, R: Resource>(scope: &'a Scope, row: &'a R, doc: &'a str) -> (String, Vec<Param<'a>>) {
    let fixed: [Param<'_>; 6] = [
        (&scope.account).into(),
        (&scope.region).into(),
        row.id().as_str().into(),
        row.created_at().into(),
        doc.into(),
        0.into(),
    ];
    let mut values = fixed.to_vec();
    values.extend(row.values());
    let places: Vec<String> = (1..=values.len()).map(|number| format!("${number}")).collect();
    let sql = format!(
        "INSERT INTO {} (account, region, id, created_at, doc, revision, {}) VALUES ({})",
        R::TABLE,
        R::COLUMNS.join(", "),
        places.join(", ")
    );
    (sql, values)
}

/// Saves a changed row, and its event if the status is another than `was`. `false` if somebody
/// else saved it since it was read.
pub(super) async fn save<R: Resource>(tx: &mut Tx, row: &mut R, was: &str, at: i64) -> DbResult<bool> {
    let doc = doc_text(row)?;
    let mut values: Vec<Param<'_>> = vec![row.id().as_str().into(), row.revision().into(), (&doc).into()];
    values.extend(row.values());
    let sets: Vec<String> =
        R::COLUMNS.iter().zip(4..).map(|(column, number)| format!("{column} = ${number}")).collect();
    let sql = format!(
        "UPDATE {} SET doc = $3, revision = revision + 1, {} WHERE id = $1 AND revision = $2 RETURNING account, region",
        R::TABLE,
        sets.join(", ")
    );
    let Some(saved) = tx.query_opt(&sql, &values).await? else { return Ok(false) };
    row.set_revision(row.revision() + 1);
    if row.status() != was {
        append(tx, &scope(saved)?, row, row.revision(), row.status(), Some(was), at).await?;
    }
    Ok(true)
}

/// Removes a row; its name is free again.
pub(super) async fn delete<R: Resource>(tx: &mut Tx, row: &R, at: i64) -> DbResult<()> {
    let sql = format!("DELETE FROM {} WHERE id = $1 RETURNING account, region", R::TABLE);
    let Some(deleted) = tx.query_opt(&sql, &[row.id().as_str().into()]).await? else { return Ok(()) };
    append(tx, &scope(deleted)?, row, row.revision() + 1, "DELETED", Some(row.status()), at).await
}

/// Where a row of `account, region` is.
fn scope(mut row: Row) -> DbResult<Scope> {
    Ok(Scope::new(row.text(0)?, row.text(1)?))
}

/// The only row that `rest` (from `WHERE` on) finds.
pub(super) async fn find<R: Resource>(rd: &mut Reader, rest: &str, params: &[Param<'_>]) -> DbResult<Option<R>> {
    let sql = format!("SELECT revision, doc FROM {} {rest}", R::TABLE);
    rd.query_opt(&sql, params).await?.map(read).transpose()
}

/// All rows that `rest` (from `WHERE` on, with an order and a limit) finds.
pub(super) async fn list<R: Resource>(rd: &mut Reader, rest: &str, params: &[Param<'_>]) -> DbResult<Vec<R>> {
    let sql = format!("SELECT revision, doc FROM {} {rest}", R::TABLE);
    rd.query_each(&sql, params, |row| {
        let mut resource: R = read_doc(row.text(1)?, 1)?;
        resource.set_revision(row.int(0)?);
        Ok(resource)
    })
    .await
}

/// Narrows a listing, newest first, to what came before `before`, a time and an id.
pub(super) fn older<'a>(rest: &mut String, values: &mut Vec<Param<'a>>, before: Option<(i64, &'a str)>) {
    let Some((at, id)) = before else { return };
    values.extend([Param::from(at), Param::from(id)]);
    let (at, id) = (values.len() - 1, values.len());
    rest.push_str(&format!(" AND (created_at < ${at} OR (created_at = ${at} AND id < ${id}))"));
}

/// A number that a query with one row and one column answers.
pub(super) async fn number(rd: &mut Reader, sql: &str, params: &[Param<'_>]) -> DbResult<i64> {
    rd.query_one(sql, params).await?.int(0)
}

/// A row of `revision, doc`.
pub(super) fn read<R: Resource>(mut row: Row) -> DbResult<R> {
    let mut resource: R = row.doc(1)?;
    resource.set_revision(row.int(0)?);
    Ok(resource)
}

async fn append<R: Resource>(
    tx: &mut Tx,
    scope: &Scope,
    row: &R,
    revision: i64,
    status: &str,
    was: Option<&str>,
    at: i64,
) -> DbResult<()> {
    let mut detail = row.detail();
    detail.insert("status".into(), status.into());
    if let Some(was) = was {
        detail.insert("previousStatus".into(), was.into());
    }
    let detail = doc_text(&detail)?;
    event_append(tx, scope, row.id().as_str(), revision, &Change { kind: R::EVENT, detail: &detail, at }).await
}
