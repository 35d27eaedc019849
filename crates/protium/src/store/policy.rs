//! Policies of an account, and who holds which: attached, as a permissions boundary, or embedded.
//!
//! Owns: the rows. Does not own: reading documents and deciding by them (`domain::iam`), the policies that are built in
//! (they have no rows, only attachments).

use super::db_error::{DbError, DbResult};
use super::identity::Holder;
use super::tx::{Reader, Tx};
use super::value::Row;
use crate::params;
use protium_domain::iam::holder::{HolderKind, folded};
use protium_domain::iam::managed;

/// One of an account's own policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    pub account: String,
    /// Stable, and never used again: `ANPA…`.
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub document: String,
    /// In milliseconds since 1970.
    pub created_at: i64,
    /// In milliseconds since 1970.
    pub updated_at: i64,
}

/// As what a policy is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldAs {
    Policy,
    /// A permissions boundary.
    Boundary,
}

impl HeldAs {
    fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "POLICY",
            Self::Boundary => "BOUNDARY",
        }
    }
}

/// A policy that bears on what somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearing {
    /// What people know it by: `dev`, `dev, through the group makers`, `dev, embedded in the user ada`.
    pub name: String,
    pub document: String,
    /// Who holds it: the one that was asked about, or a group that it is in.
    pub holder: HolderKind,
    pub is_embedded: bool,
    pub held_as: HeldAs,
}

const POLICY: &str = "account, id, name, description, document, created_at, updated_at";

fn policy(mut row: Row) -> DbResult<PolicyRow> {
    Ok(PolicyRow {
        account: row.text(0)?,
        id: row.text(1)?,
        name: row.text(2)?,
        description: row.opt_text(3)?,
        document: row.text(4)?,
        created_at: row.int(5)?,
        updated_at: row.int(6)?,
    })
}

/// The account's own policy of that name, in whatever case.
pub async fn policy_get(rd: &mut Reader, account: &str, name: &str) -> DbResult<Option<PolicyRow>> {
    let sql = format!("SELECT {POLICY} FROM iam_policy WHERE account = $1 AND folded = $2");
    rd.query_opt(&sql, params![account, &folded(name)]).await?.map(policy).transpose()
}

/// At most `limit` of the account's own policies by name, from the first one after `after` (folded).
pub async fn policy_page(rd: &mut Reader, account: &str, after: &str, limit: i64) -> DbResult<Vec<PolicyRow>> {
    let sql = format!("SELECT {POLICY} FROM iam_policy WHERE account = $1 AND folded > $2 ORDER BY folded LIMIT $3");
    rd.query(&sql, params![account, after, limit]).await?.into_iter().map(policy).collect()
}

/// How many policies of its own the account has.
pub async fn policy_count(rd: &mut Reader, account: &str) -> DbResult<i64> {
    rd.query_one("SELECT COUNT(*) FROM iam_policy WHERE account = $1", params![account]).await?.int(0)
}

/// Makes the policy. `false`: there is one with that name.
pub async fn policy_insert(tx: &mut Tx, policy: &PolicyRow) -> DbResult<bool> {
    let PolicyRow { account, id, name, description, document, created_at, updated_at } = policy;
    let sql = "INSERT INTO iam_policy (account, folded, name, id, description, document, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let folded = folded(name);
    let params = params![account, &folded, name, id, description, document, *created_at, *updated_at];
    Ok(tx.execute(sql, params).await? == 1)
}

/// Replaces document, description and time of a policy.
pub async fn policy_update(tx: &mut Tx, policy: &PolicyRow) -> DbResult<()> {
    let sql = "UPDATE iam_policy SET description = $3, document = $4, updated_at = $5
               WHERE account = $1 AND folded = $2";
    let PolicyRow { account, name, description, document, updated_at, .. } = policy;
    tx.execute(sql, params![account, &folded(name), description, document, *updated_at]).await.map(drop)
}

/// Removes a policy that nobody holds.
pub async fn policy_delete(tx: &mut Tx, policy: &PolicyRow) -> DbResult<()> {
    let sql = "DELETE FROM iam_policy WHERE account = $1 AND folded = $2";
    tx.execute(sql, params![&policy.account, &folded(&policy.name)]).await.map(drop)
}

/// At most `limit` of those that hold a policy, as what: by its id, or its name if it is built in.
pub async fn holders_of(rd: &mut Reader, account: &str, policy: &str, limit: i64) -> DbResult<Vec<(Holder, HeldAs)>> {
    let sql = "SELECT holder_kind, holder_id, holder_name, kind FROM iam_attachment
               WHERE account = $1 AND policy = $2 ORDER BY holder_kind, holder_name, kind LIMIT $3";
    let rows = rd.query(sql, params![account, policy, limit]).await?;
    let read = |mut row: Row| {
        let kind = holder_kind(&row.text(0)?)?;
        let holder = Holder { account: account.to_owned(), kind, id: row.text(1)?, name: row.text(2)? };
        Ok((holder, held_as(&row.text(3)?)))
    };
    rows.into_iter().map(read).collect()
}

/// Gives a policy, by its id or the name of one that is built in. A boundary takes the place of the one before.
pub async fn policy_attach(tx: &mut Tx, holder: &Holder, policy: &str, held_as: HeldAs) -> DbResult<()> {
    if held_as == HeldAs::Boundary {
        boundary_remove(tx, holder).await?;
    }
    let sql = "INSERT INTO iam_attachment (account, holder_id, kind, policy, holder_kind, holder_name)
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let kind = holder.kind.as_str();
    let params = params![&holder.account, &holder.id, held_as.as_str(), policy, kind, &holder.name];
    tx.execute(sql, params).await.map(drop)
}

/// Takes an attached policy away. Returns whether it was attached.
pub async fn policy_detach(tx: &mut Tx, holder: &Holder, policy: &str) -> DbResult<bool> {
    let sql = "DELETE FROM iam_attachment WHERE account = $1 AND holder_id = $2 AND kind = 'POLICY' AND policy = $3";
    Ok(tx.execute(sql, params![&holder.account, &holder.id, policy]).await? > 0)
}

/// Takes the permissions boundary away, if there is one.
pub async fn boundary_remove(tx: &mut Tx, holder: &Holder) -> DbResult<()> {
    let sql = "DELETE FROM iam_attachment WHERE account = $1 AND holder_id = $2 AND kind = 'BOUNDARY'";
    tx.execute(sql, params![&holder.account, &holder.id]).await.map(drop)
}

/// A policy that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPolicy {
    pub name: String,
    pub is_built_in: bool,
}

/// The policies that are attached to a holder itself, or its boundary, by name.
pub async fn attached_to(rd: &mut Reader, holder: &Holder, held_as: HeldAs) -> DbResult<Vec<HeldPolicy>> {
    let sql = "SELECT p.name, a.policy FROM iam_attachment a
               LEFT JOIN iam_policy p ON p.account = a.account AND p.id = a.policy
               WHERE a.account = $1 AND a.holder_id = $2 AND a.kind = $3";
    let rows = rd.query(sql, params![&holder.account, &holder.id, held_as.as_str()]).await?;
    let read = |mut row: Row| {
        Ok(match row.opt_text(0)? {
            Some(name) => HeldPolicy { name, is_built_in: false },
            None => HeldPolicy { name: row.text(1)?, is_built_in: true },
        })
    };
    let mut found: Vec<HeldPolicy> = rows.into_iter().map(read).collect::<DbResult<_>>()?;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// The policies that are embedded in a holder itself, by name: name and document.
pub async fn inline_list(rd: &mut Reader, holder: &Holder) -> DbResult<Vec<(String, String)>> {
    let sql = "SELECT name, document FROM iam_inline_policy WHERE account = $1 AND holder_id = $2 ORDER BY folded";
    let rows = rd.query(sql, params![&holder.account, &holder.id]).await?;
    rows.into_iter().map(|mut row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// Embeds a policy in the place of the one of that name, which keeps how its name is written.
pub async fn inline_put(tx: &mut Tx, holder: &Holder, name: &str, document: &str) -> DbResult<()> {
    let sql = "INSERT INTO iam_inline_policy (account, holder_id, folded, name, holder_kind, holder_name, document)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (account, holder_id, folded) DO UPDATE SET document = excluded.document";
    let (kind, folded) = (holder.kind.as_str(), folded(name));
    let params = params![&holder.account, &holder.id, &folded, name, kind, &holder.name, document];
    tx.execute(sql, params).await.map(drop)
}

/// Removes an embedded policy. Returns whether there was one of that name.
pub async fn inline_delete(tx: &mut Tx, holder: &Holder, name: &str) -> DbResult<bool> {
    let sql = "DELETE FROM iam_inline_policy WHERE account = $1 AND holder_id = $2 AND folded = $3";
    Ok(tx.execute(sql, params![&holder.account, &holder.id, &folded(name)]).await? > 0)
}

/// All policies that bear on what a user, a group or a role does: attached to it, embedded in it, its boundary, and for
/// a user the same of its groups.
pub async fn policies_of(rd: &mut Reader, account: &str, holder_id: &str) -> DbResult<Vec<Bearing>> {
    let sql = "SELECT a.holder_kind, a.holder_name, a.kind, COALESCE(p.name, a.policy), p.document, a.holder_id
               FROM iam_attachment a LEFT JOIN iam_policy p ON p.account = a.account AND p.id = a.policy
               WHERE a.account = $1 AND (a.holder_id = $2 OR a.holder_id IN
                   (SELECT group_id FROM iam_group_member WHERE account = $1 AND user_id = $2))
               UNION ALL
               SELECT i.holder_kind, i.holder_name, 'EMBEDDED', i.name, i.document, i.holder_id
               FROM iam_inline_policy i
               WHERE i.account = $1 AND (i.holder_id = $2 OR i.holder_id IN
                   (SELECT group_id FROM iam_group_member WHERE account = $1 AND user_id = $2))";
    let rows = rd.query(sql, params![account, holder_id]).await?;
    let mut found: Vec<Bearing> = rows.into_iter().map(|row| bearing(row, holder_id)).collect::<DbResult<_>>()?;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

fn bearing(mut row: Row, of: &str) -> DbResult<Bearing> {
    let (holder, holder_name) = (holder_kind(&row.text(0)?)?, row.text(1)?);
    let (kind, name) = (row.text(2)?, row.text(3)?);
    let document = match (row.opt_text(4)?, managed::find(&name)) {
        (Some(document), _) => document,
        (None, Some(built_in)) => built_in.document.to_owned(),
        (None, None) => return Err(DbError::corrupt(format!("there is no policy {name}, which is attached"))),
    };
    let (is_embedded, is_own) = (kind == "EMBEDDED", row.text(5)? == of);
    let name = match (is_embedded, is_own) {
        (true, _) => format!("{name}, embedded in the {} {holder_name}", holder.noun()),
        (false, true) => name,
        (false, false) => format!("{name}, through the group {holder_name}"),
    };
    Ok(Bearing { name, document, holder, is_embedded, held_as: held_as(&kind) })
}

fn holder_kind(text: &str) -> DbResult<HolderKind> {
    HolderKind::parse(text).ok_or_else(|| DbError::corrupt(format!("'{text}' holds no policies")))
}

fn held_as(text: &str) -> HeldAs {
    if text == HeldAs::Boundary.as_str() { HeldAs::Boundary } else { HeldAs::Policy }
}
