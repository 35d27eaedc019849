//! Accounts and the access keys of their users.
//!
//! Owns: the rows, with the secrets sealed. Does not own: verifying signatures and permissions (`auth`).

use super::Store;
use super::db_error::{DbError, DbResult};
use super::sealed::MasterKey;
use super::tx::{Reader, Tx};
use super::value::Row;
use crate::params;

/// The name of the root user, which every account has.
pub const ROOT_USER: &str = "root";

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Twelve digits.
    pub id: String,
    /// In milliseconds since 1970.
    pub created_at: i64,
}

/// An access key with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The access key id, unique in all accounts.
    pub id: String,
    /// The account.
    pub account: String,
    /// The user in the account; the root user is `root`.
    pub user_name: String,
    /// The secret, as the signer uses it.
    pub secret: String,
    /// Whether requests may be signed with it.
    pub active: bool,
    /// In milliseconds since 1970.
    pub created_at: i64,
}

/// Without the secret.
impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id)
            .field("account", &self.account)
            .field("user_name", &self.user_name)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// What may be told of an access key: all but its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKeyInfo {
    pub id: String,
    pub active: bool,
    /// In milliseconds since 1970.
    pub created_at: i64,
    pub last_use: Option<KeyUse>,
}

/// When and for what a key signed, last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// In milliseconds since 1970.
    pub at: i64,
    pub region: String,
    /// As in the signature's scope: `proton`, `s3`, `sts`.
    pub service: String,
}

const COLUMNS: &str = "id, account, user_name, secret_sealed, key_id, status, created_at";

/// Makes the account. `false`: there is one with that id.
pub async fn account_insert(tx: &mut Tx, account: &AccountRow) -> DbResult<bool> {
    let sql = "INSERT INTO account (id, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    Ok(tx.execute(sql, params![&account.id, account.created_at]).await? == 1)
}

/// Makes the account unless there is one with that id.
pub async fn account_ensure(tx: &mut Tx, id: &str, now: i64) -> DbResult<()> {
    account_insert(tx, &AccountRow { id: id.to_owned(), created_at: now }).await.map(drop)
}

/// At most `limit` accounts in the order of their ids, from the first one after `after`.
pub async fn account_list(rd: &mut Reader, after: &str, limit: i64) -> DbResult<Vec<AccountRow>> {
    let sql = "SELECT id, created_at FROM account WHERE id > $1 ORDER BY id LIMIT $2";
    let rows = rd.query(sql, params![after, limit]).await?;
    rows.into_iter().map(|mut row| Ok(AccountRow { id: row.text(0)?, created_at: row.int(1)? })).collect()
}

/// Removes an access key. Returns whether there was one.
pub async fn access_key_delete(tx: &mut Tx, id: &str) -> DbResult<bool> {
    Ok(tx.execute("DELETE FROM access_key WHERE id = $1", params![id]).await? > 0)
}

/// The access keys of a user, oldest first, without their secrets.
pub async fn access_key_infos(rd: &mut Reader, account: &str, user_name: &str) -> DbResult<Vec<AccessKeyInfo>> {
    let sql = "SELECT id, status, created_at, last_used_at, last_used_region, last_used_service FROM access_key
               WHERE account = $1 AND user_name = $2 ORDER BY created_at, id";
    let rows = rd.query(sql, params![account, user_name]).await?;
    rows.into_iter().map(info).collect()
}

fn info(mut row: Row) -> DbResult<AccessKeyInfo> {
    let last_use = match row.opt_int(3)? {
        Some(at) => Some(KeyUse { at, region: row.text(4)?, service: row.text(5)? }),
        None => None,
    };
    Ok(AccessKeyInfo { id: row.text(0)?, active: row.text(1)? == ACTIVE, created_at: row.int(2)?, last_use })
}

/// Lets an access key sign, or not.
pub async fn access_key_set_active(tx: &mut Tx, id: &str, active: bool) -> DbResult<()> {
    tx.execute("UPDATE access_key SET status = $2 WHERE id = $1", params![id, status(active)]).await.map(drop)
}

/// Notes when a key was used last, unless a later use is noted. Keys that are gone are passed over.
pub async fn access_key_used(tx: &mut Tx, id: &str, last: &KeyUse) -> DbResult<()> {
    let sql = "UPDATE access_key SET last_used_at = $2, last_used_region = $3, last_used_service = $4
               WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
    tx.execute(sql, params![id, last.at, &last.region, &last.service]).await.map(drop)
}

/// Seals the secrets of all access keys under another master key. Returns how many there are.
pub(super) async fn reseal(tx: &mut Tx, current: &MasterKey, fresh: &MasterKey) -> DbResult<usize> {
    let rows = tx.query(&format!("SELECT {COLUMNS} FROM access_key ORDER BY id"), params![]).await?;
    let count = rows.len();
    for row in rows {
        let key = read(row, current)?;
        let sealed = fresh.seal(key.secret.as_bytes(), &identity(&key.id))?;
        let sql = "UPDATE access_key SET secret_sealed = $2, key_id = $3 WHERE id = $1";
        tx.execute(sql, params![&key.id, &sealed, fresh.id()]).await?;
    }
    Ok(count)
}

impl Store {
    /// Stores an access key, in the place of one with the same id.
    pub async fn access_key_put(&self, tx: &mut Tx, key: &AccessKey) -> DbResult<()> {
        let sealed = self.master_key().seal(key.secret.as_bytes(), &identity(&key.id))?;
        let sql = "INSERT INTO access_key (id, account, user_name, secret_sealed, key_id, status, created_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (id) DO UPDATE SET
                       account = excluded.account, user_name = excluded.user_name,
                       secret_sealed = excluded.secret_sealed, key_id = excluded.key_id,
                       status = excluded.status, created_at = excluded.created_at";
        let params = params![
            &key.id,
            &key.account,
            &key.user_name,
            &sealed,
            self.master_key().id(),
            status(key.active),
            key.created_at
        ];
        tx.execute(sql, params).await?;
        Ok(())
    }

    /// Makes `key` the only access key of its user: what the user had before no longer works.
    pub async fn access_key_replace(&self, tx: &mut Tx, key: &AccessKey) -> DbResult<()> {
        let sql = "DELETE FROM access_key WHERE account = $1 AND user_name = $2 AND id <> $3";
        tx.execute(sql, params![&key.account, &key.user_name, &key.id]).await?;
        self.access_key_put(tx, key).await
    }

    /// The access key with that id.
    pub async fn access_key_get(&self, rd: &mut Reader, id: &str) -> DbResult<Option<AccessKey>> {
        let sql = format!("SELECT {COLUMNS} FROM access_key WHERE id = $1");
        let row = rd.query_opt(&sql, params![id]).await?;
        row.map(|row| read(row, self.master_key())).transpose()
    }

    /// The access keys of a user, oldest first.
    pub async fn access_key_list(&self, rd: &mut Reader, account: &str, user_name: &str) -> DbResult<Vec<AccessKey>> {
        let sql =
            format!("SELECT {COLUMNS} FROM access_key WHERE account = $1 AND user_name = $2 ORDER BY created_at, id");
        let rows = rd.query(&sql, params![account, user_name]).await?;
        rows.into_iter().map(|row| read(row, self.master_key())).collect()
    }
}

fn read(mut row: Row, master_key: &MasterKey) -> DbResult<AccessKey> {
    let id = row.text(0)?;
    let sealed = row.bytes(3)?;
    let sealed_by = row.text(4)?;
    if sealed_by != master_key.id() {
        return Err(DbError::corrupt(format!(
            "the secret of the access key {id} was sealed with the master key {sealed_by}, not with {}",
            master_key.id()
        )));
    }
    let secret = String::from_utf8(master_key.open(&sealed, &identity(&id))?)
        .map_err(|_| DbError::corrupt(format!("the secret of the access key {id} is not text")))?;
    Ok(AccessKey {
        account: row.text(1)?,
        user_name: row.text(2)?,
        secret,
        active: row.text(5)? == ACTIVE,
        created_at: row.int(6)?,
        id,
    })
}

const ACTIVE: &str = "ACTIVE";

fn status(active: bool) -> &'static str {
    if active { ACTIVE } else { "INACTIVE" }
}

/// What a sealed secret is bound to.
fn identity(id: &str) -> String {
    format!("access_key/{id}")
}
