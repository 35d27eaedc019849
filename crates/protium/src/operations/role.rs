//! Roles of the account: create, get, list, update, delete. Who assumes them, and how, is not here (`http/sts`).

use super::Context;
use super::identity::{attached, inline_names};
use super::input::tags;
use super::page::Page;
use super::wire::time;
use crate::auth::new_stable_id;
use crate::error::{Result, conflict, invalid, not_found, over_quota};
use crate::store::{
    HeldAs, Holder, Reader, Tx, attached_to, boundary_remove, inline_list, role_count, role_delete, role_get,
    role_insert, role_list, role_update, user_get,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::iam::holder::HolderKind;
use protium_domain::iam::{Named, TrustPolicy};
use protium_domain::role::{DEFAULT_SESSION_S, MOST_ROLES, Role, arn, check_trust};
use std::collections::BTreeMap;

const NOUN: &str = "role";

/// `CreateRole`.
pub(super) async fn create(cx: &Context, input: CreateRoleInput) -> Result<CreateRoleOutput> {
    let trust = check_trust(&input.trust_policy)?;
    let mut role = Role {
        id: new_stable_id(HolderKind::Role.id_prefix()),
        name: input.role_name,
        description: input.description.filter(|text| !text.is_empty()),
        trust_policy: input.trust_policy,
        trusted: BTreeMap::new(),
        max_session_s: input.max_session_duration.map_or(DEFAULT_SESSION_S, i64::from),
        tags: tags(input.tags.as_deref())?,
        created_at: cx.now,
        updated_at: cx.now,
        unknown: serde_json::Map::new(),
    };
    let account = &cx.scope().account;
    transaction!(cx.store(), async |tx| -> Result<()> {
        if role_count(tx, account).await? >= MOST_ROLES {
            return Err(over_quota("roles in an account", MOST_ROLES));
        }
        role.trusted = trusted(tx, &trust).await?;
        match role_insert(tx, account, &role).await? {
            true => Ok(()),
            false => Err(conflict(format!("Role with name {} already exists.", role.name))),
        }
    })?;
    Ok(CreateRoleOutput { role: shown(account, role) })
}

/// `GetRole`.
pub(super) async fn get(cx: &Context, input: GetRoleInput) -> Result<GetRoleOutput> {
    let account = &cx.scope().account;
    let mut rd = cx.store().snapshot().await?;
    let role = existing(&mut rd, account, &input.role_name).await?;
    let holder = holder(account, &role);
    Ok(GetRoleOutput {
        attached_policies: attached(&mut rd, &holder).await?,
        inline_policies: inline_names(&mut rd, &holder).await?,
        role: shown(account, role),
    })
}

/// `ListRoles`, in the order of their names.
pub(super) async fn list(cx: &Context, input: ListRolesInput) -> Result<ListRolesOutput> {
    let page = Page::new(cx, "ListRoles", [], input.max_results, input.next_token.as_deref())?;
    let account = &cx.scope().account;
    let mut rd = cx.store().reader().await?;
    let found = role_list(&mut rd, account, page.after().unwrap_or_default(), page.limit()).await?;
    let (found, next_token) = page.cut(found, |role| role.name.clone());
    Ok(ListRolesOutput { next_token, roles: found.into_iter().map(|role| shown(account, role)).collect() })
}

/// `UpdateRole`: what is not given stays as it is. Sessions that there are follow at once.
pub(super) async fn update(cx: &Context, input: UpdateRoleInput) -> Result<UpdateRoleOutput> {
    let trust = input.trust_policy.as_deref().map(check_trust).transpose()?;
    let new_tags = input.tags.as_deref().map(|given| tags(Some(given))).transpose()?;
    let role = transaction!(cx.store(), async |tx| -> Result<Role> {
        let mut role = existing(tx, &cx.scope().account, &input.role_name).await?;
        if let (Some(text), Some(trust)) = (&input.trust_policy, &trust) {
            role.trust_policy.clone_from(text);
            role.trusted = trusted(tx, trust).await?;
        }
        if let Some(text) = &input.description {
            role.description = Some(text.clone()).filter(|text| !text.is_empty());
        }
        if let Some(seconds) = input.max_session_duration {
            role.max_session_s = seconds.into();
        }
        if let Some(tags) = &new_tags {
            role.tags.clone_from(tags);
        }
        role.updated_at = cx.now;
        role_update(tx, &role).await?;
        Ok(role)
    })?;
    cx.app.keys.doubt();
    Ok(UpdateRoleOutput { role: shown(&cx.scope().account, role) })
}

/// `DeleteRole`: its sessions end with it.
pub(super) async fn delete(cx: &Context, input: DeleteRoleInput) -> Result<DeleteRoleOutput> {
    transaction!(cx.store(), async |tx| -> Result<()> {
        let role = existing(tx, &cx.scope().account, &input.role_name).await?;
        check_holds_nothing(tx, cx, &role).await?;
        Ok(role_delete(tx, &role.id).await?)
    })?;
    cx.app.keys.doubt();
    Ok(DeleteRoleOutput {})
}

/// Refuses while policies are attached to the role or embedded in it. Its boundary goes with it.
async fn check_holds_nothing(tx: &mut Tx, cx: &Context, role: &Role) -> Result<()> {
    let holder = holder(&cx.scope().account, role);
    let attached = attached_to(tx, &holder, HeldAs::Policy).await?;
    if let Some(policy) = attached.first() {
        let why = format!("Cannot delete entity, must detach all policies first: {}", policy.name);
        return Err(conflict(why));
    }
    if let Some((name, _)) = inline_list(tx, &holder).await?.first() {
        return Err(conflict(format!("Cannot delete entity, must delete policies first: {name}")));
    }
    Ok(boundary_remove(tx, &holder).await?)
}

/// The stable ids of the users and roles that a trust policy names, by their ARNs, whatever account they are in.
async fn trusted(rd: &mut Reader, trust: &TrustPolicy) -> Result<BTreeMap<String, String>> {
    let mut ids = BTreeMap::new();
    for (arn, Named { account, kind, name }) in trust.named() {
        let found = match kind {
            HolderKind::User => user_get(rd, account, name).await?.map(|user| (user.holder.name, user.holder.id)),
            HolderKind::Role => role_get(rd, account, name).await?.map(|role| (role.name, role.id)),
            HolderKind::Group => None,
        };
        // Names are found however they are capitalized; who asks is compared letter by letter.
        let Some((_, id)) = found.filter(|(found, _)| found == name && arn.starts_with("arn:aws:")) else {
            let noun = kind.noun();
            let why = format!("there is no {noun} {arn}: create it before, or take it out of the principals");
            return Err(invalid("trustPolicy", why));
        };
        ids.insert(arn.to_owned(), id);
    }
    Ok(ids)
}

/// The account's role of that name, or `ResourceNotFoundException`.
pub(super) async fn existing(rd: &mut Reader, account: &str, name: &str) -> Result<Role> {
    role_get(rd, account, name).await?.ok_or_else(|| not_found(NOUN, arn(account, name)))
}

/// As policies know who holds them.
pub(super) fn holder(account: &str, role: &Role) -> Holder {
    Holder { account: account.to_owned(), kind: HolderKind::Role, id: role.id.clone(), name: role.name.clone() }
}

fn shown(account: &str, role: Role) -> api::Role {
    api::Role {
        arn: role.arn(account),
        created_at: time(role.created_at),
        description: role.description,
        max_session_duration: i32::try_from(role.max_session_s).unwrap_or(i32::MAX),
        role_id: role.id,
        role_name: role.name,
        tags: role.tags.into_iter().map(|(key, value)| Tag { key, value }).collect(),
        trust_policy: role.trust_policy,
        updated_at: time(role.updated_at),
    }
}
