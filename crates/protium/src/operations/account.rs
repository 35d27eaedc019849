//! Accounts of this server: create, list. Only callers of the server's own account may, its root user and those whom a
//! policy allows it.

use super::Context;
use super::page::Page;
use super::wire::time;
use crate::auth::{new_access_key_id, new_secret};
use crate::error::{Error, Result, conflict, internal};
use crate::store::{AccessKey, AccountRow, ROOT_USER, account_insert, account_list};
use crate::transaction;
use protium_api::ErrorCode;
use protium_api::types::{self as api, CreateAccountInput, CreateAccountOutput, ListAccountsInput, ListAccountsOutput};

/// `CreateAccount`: answers the key of the account's root user, this once.
pub(super) async fn create(cx: &Context, input: CreateAccountInput) -> Result<CreateAccountOutput> {
    check_operator(cx)?;
    let account = AccountRow { id: input.id, created_at: cx.now };
    let key = AccessKey {
        id: new_access_key_id(),
        account: account.id.clone(),
        user_name: ROOT_USER.to_owned(),
        secret: new_secret().map_err(internal)?,
        active: true,
        created_at: cx.now,
    };
    transaction!(cx.store(), async |tx| -> Result<()> {
        // The server's own account has no row before its first start ends.
        if account.id == cx.app.config.account_id || !account_insert(tx, &account).await? {
            return Err(conflict(format!("the account {} exists; its key was answered when it was made", account.id)));
        }
        Ok(cx.store().access_key_put(tx, &key).await?)
    })?;
    Ok(CreateAccountOutput {
        access_key: api::AccessKey { access_key_id: key.id, secret_access_key: key.secret },
        account: shown(account),
    })
}

/// `ListAccounts`, in the order of their ids.
pub(super) async fn list(cx: &Context, input: ListAccountsInput) -> Result<ListAccountsOutput> {
    check_operator(cx)?;
    let page = Page::new(cx, "ListAccounts", [], input.max_results, input.next_token.as_deref())?;
    let mut rd = cx.store().reader().await?;
    let found = account_list(&mut rd, page.after().unwrap_or_default(), page.limit()).await?;
    let (found, next_token) = page.cut(found, |account| account.id.clone());
    Ok(ListAccountsOutput { accounts: found.into_iter().map(shown).collect(), next_token })
}

fn check_operator(cx: &Context) -> Result<()> {
    let (caller, own) = (&cx.caller.identity.principal, &cx.app.config.account_id);
    if caller.account == *own {
        return Ok(());
    }
    let caller = &caller.arn;
    let why = format!("{caller} may not manage accounts; sign with a key of {own}, the server's own account");
    Err(Error::new(ErrorCode::AccessDenied, why))
}

fn shown(account: AccountRow) -> api::Account {
    api::Account { created_at: time(account.created_at), id: account.id }
}
