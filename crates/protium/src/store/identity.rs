//! Users and groups of an account, and who is in which.
//!
//! Owns: the rows. Does not own: their policies (`policy`), their keys (`account`), which names there may be (`domain`).

use super::db_error::{DbError, DbResult};
use super::tx::{Reader, Tx};
use super::value::Row;
use crate::params;
use protium_domain::iam::holder::{HolderKind, folded};

/// One that holds policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub account: String,
    pub kind: HolderKind,
    /// Stable, and never used again: `AIDA…`, `AGPA…`, `AROA…`.
    pub id: String,
    /// As it was given when it was made.
    pub name: String,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    pub holder: Holder,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
    /// In milliseconds since 1970.
    pub created_at: i64,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRow {
    pub holder: Holder,
    /// In milliseconds since 1970.
    pub created_at: i64,
}

const USER: &str = "account, id, name, created_at, tags";
const GROUP: &str = "account, id, name, created_at";

fn user(mut row: Row) -> DbResult<UserRow> {
    let holder = Holder { account: row.text(0)?, kind: HolderKind::User, id: row.text(1)?, name: row.text(2)? };
    let tags = serde_json::from_str(&row.text(4)?)
        .map_err(|error| DbError::corrupt(format!("the tags of the user {}: {error}", holder.name)))?;
    Ok(UserRow { holder, tags, created_at: row.int(3)? })
}

fn group(mut row: Row) -> DbResult<GroupRow> {
    let holder = Holder { account: row.text(0)?, kind: HolderKind::Group, id: row.text(1)?, name: row.text(2)? };
    Ok(GroupRow { holder, created_at: row.int(3)? })
}

fn tags_text(tags: &[(String, String)]) -> DbResult<String> {
    serde_json::to_string(tags).map_err(|error| DbError::other(format!("tags can't be written: {error}")))
}

/// The user of that name, in whatever case.
pub async fn user_get(rd: &mut Reader, account: &str, name: &str) -> DbResult<Option<UserRow>> {
    let sql = format!("SELECT {USER} FROM iam_user WHERE account = $1 AND folded = $2");
    rd.query_opt(&sql, params![account, &folded(name)]).await?.map(user).transpose()
}

/// At most `limit` users by name, from the first one after `after` (folded).
pub async fn user_page(rd: &mut Reader, account: &str, after: &str, limit: i64) -> DbResult<Vec<UserRow>> {
    let sql = format!("SELECT {USER} FROM iam_user WHERE account = $1 AND folded > $2 ORDER BY folded LIMIT $3");
    rd.query(&sql, params![account, after, limit]).await?.into_iter().map(user).collect()
}

/// How many users the account has.
pub async fn user_count(rd: &mut Reader, account: &str) -> DbResult<i64> {
    rd.query_one("SELECT COUNT(*) FROM iam_user WHERE account = $1", params![account]).await?.int(0)
}

/// Makes the user. `false`: there is one with that name.
pub async fn user_insert(tx: &mut Tx, user: &UserRow) -> DbResult<bool> {
    let UserRow { holder, tags, created_at } = user;
    let sql = "INSERT INTO iam_user (account, folded, name, id, tags, created_at) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT DO NOTHING";
    let (folded, tags) = (folded(&holder.name), tags_text(tags)?);
    let params = params![&holder.account, &folded, &holder.name, &holder.id, &tags, *created_at];
    Ok(tx.execute(sql, params).await? == 1)
}

/// Replaces the tags of a user.
pub async fn user_retag(tx: &mut Tx, user: &Holder, tags: &[(String, String)]) -> DbResult<()> {
    let sql = "UPDATE iam_user SET tags = $3 WHERE account = $1 AND folded = $2";
    tx.execute(sql, params![&user.account, &folded(&user.name), &tags_text(tags)?]).await.map(drop)
}

/// Removes the user, of whom nothing is left elsewhere.
pub async fn user_delete(tx: &mut Tx, user: &Holder) -> DbResult<()> {
    let sql = "DELETE FROM iam_user WHERE account = $1 AND folded = $2";
    tx.execute(sql, params![&user.account, &folded(&user.name)]).await.map(drop)
}

/// The group of that name, in whatever case.
pub async fn group_get(rd: &mut Reader, account: &str, name: &str) -> DbResult<Option<GroupRow>> {
    let sql = format!("SELECT {GROUP} FROM iam_group WHERE account = $1 AND folded = $2");
    rd.query_opt(&sql, params![account, &folded(name)]).await?.map(group).transpose()
}

/// At most `limit` groups by name, from the first one after `after` (folded).
pub async fn group_page(rd: &mut Reader, account: &str, after: &str, limit: i64) -> DbResult<Vec<GroupRow>> {
    let sql = format!("SELECT {GROUP} FROM iam_group WHERE account = $1 AND folded > $2 ORDER BY folded LIMIT $3");
    rd.query(&sql, params![account, after, limit]).await?.into_iter().map(group).collect()
}

/// How many groups the account has.
pub async fn group_count(rd: &mut Reader, account: &str) -> DbResult<i64> {
    rd.query_one("SELECT COUNT(*) FROM iam_group WHERE account = $1", params![account]).await?.int(0)
}

/// Makes the group. `false`: there is one with that name.
pub async fn group_insert(tx: &mut Tx, group: &GroupRow) -> DbResult<bool> {
    let GroupRow { holder, created_at } = group;
    let sql = "INSERT INTO iam_group (account, folded, name, id, created_at) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT DO NOTHING";
    let folded = folded(&holder.name);
    let params = params![&holder.account, &folded, &holder.name, &holder.id, *created_at];
    Ok(tx.execute(sql, params).await? == 1)
}

/// Removes the group, of which nothing is left elsewhere.
pub async fn group_delete(tx: &mut Tx, group: &Holder) -> DbResult<()> {
    let sql = "DELETE FROM iam_group WHERE account = $1 AND folded = $2";
    tx.execute(sql, params![&group.account, &folded(&group.name)]).await.map(drop)
}

/// Puts a user into a group, if it is not there yet.
pub async fn member_add(tx: &mut Tx, user: &Holder, group: &Holder) -> DbResult<()> {
    let sql = "INSERT INTO iam_group_member (account, user_id, group_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    tx.execute(sql, params![&user.account, &user.id, &group.id]).await.map(drop)
}

/// Takes a user out of a group. Returns whether it was there.
pub async fn member_remove(tx: &mut Tx, user: &Holder, group: &Holder) -> DbResult<bool> {
    let sql = "DELETE FROM iam_group_member WHERE account = $1 AND user_id = $2 AND group_id = $3";
    Ok(tx.execute(sql, params![&user.account, &user.id, &group.id]).await? > 0)
}

/// The groups that a user is in, by name.
pub async fn groups_of(rd: &mut Reader, user: &Holder) -> DbResult<Vec<GroupRow>> {
    let sql = format!(
        "SELECT {GROUP} FROM iam_group WHERE account = $1
             AND id IN (SELECT group_id FROM iam_group_member WHERE account = $1 AND user_id = $2) ORDER BY folded"
    );
    rd.query(&sql, params![&user.account, &user.id]).await?.into_iter().map(group).collect()
}

/// At most `limit` names of the users in a group, from the first one after `after` (folded).
pub async fn members_of(rd: &mut Reader, group: &Holder, after: &str, limit: i64) -> DbResult<Vec<String>> {
    let sql = "SELECT name FROM iam_user WHERE account = $1 AND folded > $3
                   AND id IN (SELECT user_id FROM iam_group_member WHERE account = $1 AND group_id = $2)
               ORDER BY folded LIMIT $4";
    let rows = rd.query(sql, params![&group.account, &group.id, after, limit]).await?;
    rows.into_iter().map(|mut row| row.text(0)).collect()
}
