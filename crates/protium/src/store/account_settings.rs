//! Account settings: at most one row an account and region; a missing row is the default.

use super::value::doc_text;
use super::{DbResult, Reader, Tx};
use crate::params;
use protium_domain::account::AccountSettings;
use protium_domain::arn::Scope;

pub async fn account_settings_get(rd: &mut Reader, scope: &Scope) -> DbResult<AccountSettings> {
    let sql = "SELECT revision, doc FROM account_settings WHERE account = $1 AND region = $2";
    match rd.query_opt(sql, params![&scope.account, &scope.region]).await? {
        Some(mut row) => Ok(AccountSettings { revision: row.int(0)?, ..row.doc(1)? }),
        None => Ok(AccountSettings::default()),
    }
}

/// Saves the settings that were read in the same transaction.
pub async fn account_settings_save(tx: &mut Tx, scope: &Scope, settings: &AccountSettings) -> DbResult<()> {
    let sql = "INSERT INTO account_settings (account, region, revision, doc) VALUES ($1, $2, 1, $3) \
               ON CONFLICT (account, region) DO UPDATE SET revision = account_settings.revision + 1, doc = excluded.doc";
    tx.execute(sql, params![&scope.account, &scope.region, &doc_text(settings)?]).await?;
    Ok(())
}
