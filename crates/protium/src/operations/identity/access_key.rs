//! Access keys of users, the root user included: create, list, update, delete.
//!
//! A user has two at most, so that the old one works until its successor is in use. One active key is always left to
//! the root user: without it, nobody could make another one.

use super::{changed, check_quota, user};
use crate::auth::{new_access_key_id, new_secret};
use crate::error::{Result, conflict, internal, invalid, not_found};
use crate::operations::Context;
use crate::operations::wire::time;
use crate::store::{
    AccessKey, AccessKeyInfo, ROOT_USER, Reader, access_key_delete, access_key_infos, access_key_set_active,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::iam::PrincipalKind;
use protium_domain::iam::holder::MAX_ACCESS_KEYS;

/// `CreateAccessKey`: answers the secret, this once.
pub(in crate::operations) async fn create(cx: &Context, input: CreateAccessKeyInput) -> Result<CreateAccessKeyOutput> {
    let account = &cx.scope().account;
    let (id, secret) = (new_access_key_id(), new_secret().map_err(internal)?);
    transaction!(cx.store(), async |tx| -> Result<()> {
        let user_name = user_name(cx, tx, input.user_name.as_deref()).await?;
        let count = i64::try_from(access_key_infos(tx, account, &user_name).await?.len()).unwrap_or(i64::MAX);
        let what = format!("the user {user_name} has {count} access keys");
        check_quota(count, MAX_ACCESS_KEYS, &what, "delete the one that is no longer used")?;
        let (id, secret) = (id.clone(), secret.clone());
        let key = AccessKey { id, account: account.clone(), user_name, secret, active: true, created_at: cx.now };
        Ok(cx.store().access_key_put(tx, &key).await?)
    })?;
    Ok(CreateAccessKeyOutput { access_key: api::AccessKey { access_key_id: id, secret_access_key: secret } })
}

/// `ListAccessKeys`, oldest first. What was used within the last minute may be told a minute late.
pub(in crate::operations) async fn list(cx: &Context, input: ListAccessKeysInput) -> Result<ListAccessKeysOutput> {
    let mut rd = cx.store().snapshot().await?;
    let user_name = user_name(cx, &mut rd, input.user_name.as_deref()).await?;
    let found = access_key_infos(&mut rd, &cx.scope().account, &user_name).await?;
    Ok(ListAccessKeysOutput { access_keys: found.into_iter().map(|key| shown(key, &user_name)).collect() })
}

/// `UpdateAccessKey`: whether requests may be signed with it.
pub(in crate::operations) async fn update(cx: &Context, input: UpdateAccessKeyInput) -> Result<UpdateAccessKeyOutput> {
    let id = &input.access_key_id;
    let active = input.status == AccessKeyStatus::Active;
    transaction!(cx.store(), async |tx| -> Result<()> {
        let user_name = user_name(cx, tx, input.user_name.as_deref()).await?;
        let others = others(cx, tx, &user_name, id).await?;
        if !active {
            check_way_back(&user_name, &others, "disabled")?;
        }
        Ok(access_key_set_active(tx, id, active).await?)
    })?;
    Ok(changed(cx, UpdateAccessKeyOutput {}))
}

/// `DeleteAccessKey`.
pub(in crate::operations) async fn delete(cx: &Context, input: DeleteAccessKeyInput) -> Result<DeleteAccessKeyOutput> {
    let id = &input.access_key_id;
    transaction!(cx.store(), async |tx| -> Result<()> {
        let user_name = user_name(cx, tx, input.user_name.as_deref()).await?;
        let others = others(cx, tx, &user_name, id).await?;
        check_way_back(&user_name, &others, "deleted")?;
        access_key_delete(tx, id).await?;
        Ok(())
    })?;
    Ok(changed(cx, DeleteAccessKeyOutput {}))
}

/// Whose keys are meant: those of the user that is named, by default the caller's own.
async fn user_name(cx: &Context, rd: &mut Reader, named: Option<&str>) -> Result<String> {
    let caller = &cx.caller.identity.principal;
    match (named, &caller.kind) {
        (Some(named), _) => Ok(user::existing(rd, &cx.scope().account, named).await?.holder.name),
        (None, PrincipalKind::Root) => Ok(ROOT_USER.to_owned()),
        (None, PrincipalKind::User { name }) => Ok(name.clone()),
        (None, PrincipalKind::Session { .. } | PrincipalKind::Federated { .. } | PrincipalKind::Service { .. }) => {
            Err(invalid("userName", format_args!("{} has no access keys of its own; name a user", caller.arn)))
        }
    }
}

/// The user's other keys than the one with that id, which it has.
async fn others(cx: &Context, rd: &mut Reader, user_name: &str, id: &str) -> Result<Vec<AccessKeyInfo>> {
    let mut keys = access_key_infos(rd, &cx.scope().account, user_name).await?;
    let at = keys.iter().position(|key| key.id == *id);
    let at = at.ok_or_else(|| not_found("access key", format_args!("{id}, of the user {user_name}")))?;
    keys.remove(at);
    Ok(keys)
}

fn check_way_back(user_name: &str, others: &[AccessKeyInfo], done: &str) -> Result<()> {
    if user_name != ROOT_USER || others.iter().any(|other| other.active) {
        return Ok(());
    }
    let why = format!("it is the only active key of the root user and can't be {done}; create another one first");
    Err(conflict(why))
}

fn shown(key: AccessKeyInfo, user_name: &str) -> AccessKeyMetadata {
    AccessKeyMetadata {
        access_key_id: key.id,
        created_at: time(key.created_at),
        last_used: key.last_use.map(|last| AccessKeyLastUsed {
            at: time(last.at),
            region: last.region,
            service: last.service,
        }),
        status: if key.active { AccessKeyStatus::Active } else { AccessKeyStatus::Inactive },
        user_name: (user_name != ROOT_USER).then(|| user_name.to_owned()),
    }
}
