//! Users: create, get, list, update, delete.

use super::holder::{self, attached, inline_names};
use super::{changed, check_quota};
use crate::auth::new_stable_id;
use crate::error::{Result, conflict, not_found};
use crate::operations::Context;
use crate::operations::input::tags;
use crate::operations::page::Page;
use crate::operations::wire::time;
use crate::store::{
    HeldAs, Holder, Reader, UserRow, access_key_infos, attached_to, boundary_remove, groups_of, policy_attach,
    user_count, user_delete, user_get, user_insert, user_page, user_retag,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::iam::holder::{HolderKind, MAX_USERS, check_user_name, folded};

/// `CreateUser`.
pub(in crate::operations) async fn create(cx: &Context, input: CreateUserInput) -> Result<CreateUserOutput> {
    check_user_name(&input.user_name)?;
    let (kind, account) = (HolderKind::User, cx.scope().account.clone());
    let holder = Holder { account, kind, id: new_stable_id(kind.id_prefix()), name: input.user_name };
    let new = UserRow { holder, tags: tags(input.tags.as_deref())?, created_at: cx.now };
    let user = transaction!(cx.store(), async |tx| -> Result<User> {
        let account = &new.holder.account;
        let count = user_count(tx, account).await?;
        check_quota(count, MAX_USERS, &format!("the account has {count} users"), "delete one")?;
        if !user_insert(tx, &new).await? {
            return Err(conflict(format!("the user {} exists; names are told apart without case", new.holder.name)));
        }
        if let Some(boundary) = &input.permissions_boundary {
            let policy = holder::policy(tx, account, boundary).await?;
            policy_attach(tx, &new.holder, policy.key(), HeldAs::Boundary).await?;
        }
        shown(tx, new.clone()).await
    })?;
    Ok(CreateUserOutput { user })
}

/// `GetUser`, with its groups and what it holds.
pub(in crate::operations) async fn get(cx: &Context, input: GetUserInput) -> Result<GetUserOutput> {
    let mut rd = cx.store().snapshot().await?;
    let user = existing(&mut rd, &cx.scope().account, &input.user_name).await?;
    let groups = groups_of(&mut rd, &user.holder).await?;
    Ok(GetUserOutput {
        attached_policies: attached(&mut rd, &user.holder).await?,
        groups: groups.into_iter().map(|group| group.holder.name).collect(),
        inline_policies: inline_names(&mut rd, &user.holder).await?,
        user: shown(&mut rd, user).await?,
    })
}

/// `ListUsers`, by name.
pub(in crate::operations) async fn list(cx: &Context, input: ListUsersInput) -> Result<ListUsersOutput> {
    let page = Page::new(cx, "ListUsers", [], input.max_results, input.next_token.as_deref())?;
    let mut rd = cx.store().snapshot().await?;
    let found = user_page(&mut rd, &cx.scope().account, page.after().unwrap_or_default(), page.limit()).await?;
    let (found, next_token) = page.cut(found, |user| folded(&user.holder.name));
    let mut users = Vec::with_capacity(found.len());
    for user in found {
        users.push(shown(&mut rd, user).await?);
    }
    Ok(ListUsersOutput { next_token, users })
}

/// `UpdateUser`: replaces the tags and the boundary, as far as they are given; an empty boundary takes it away.
pub(in crate::operations) async fn update(cx: &Context, input: UpdateUserInput) -> Result<UpdateUserOutput> {
    let account = &cx.scope().account;
    let given = match &input.tags {
        Some(given) => Some(tags(Some(given))?),
        None => None,
    };
    let user = transaction!(cx.store(), async |tx| -> Result<User> {
        let user = existing(tx, account, &input.user_name).await?;
        if let Some(tags) = &given {
            user_retag(tx, &user.holder, tags).await?;
        }
        match input.permissions_boundary.as_deref() {
            Some("") => boundary_remove(tx, &user.holder).await?,
            Some(boundary) => {
                let policy = holder::policy(tx, account, boundary).await?;
                policy_attach(tx, &user.holder, policy.key(), HeldAs::Boundary).await?;
            }
            None => {}
        }
        let tags = given.clone().unwrap_or(user.tags);
        shown(tx, UserRow { tags, ..user }).await
    })?;
    Ok(changed(cx, UpdateUserOutput { user }))
}

/// `DeleteUser`: what it has must be gone first, as in IAM.
pub(in crate::operations) async fn delete(cx: &Context, input: DeleteUserInput) -> Result<DeleteUserOutput> {
    let account = &cx.scope().account;
    transaction!(cx.store(), async |tx| -> Result<()> {
        let UserRow { holder, .. } = existing(tx, account, &input.user_name).await?;
        let keys = access_key_infos(tx, account, &holder.name).await?;
        let groups = groups_of(tx, &holder).await?;
        let mut left = Vec::new();
        left.extend(keys.iter().map(|key| format!("the access key {}", key.id)));
        left.extend(groups.iter().map(|group| format!("its place in the group {}", group.holder.name)));
        left.extend(holder::held(tx, &holder).await?);
        holder::check_nothing_left(&holder, &left)?;
        boundary_remove(tx, &holder).await?;
        Ok(user_delete(tx, &holder).await?)
    })?;
    Ok(changed(cx, DeleteUserOutput {}))
}

/// The user of that name, or `ResourceNotFoundException`.
pub(super) async fn existing(rd: &mut Reader, account: &str, name: &str) -> Result<UserRow> {
    let found = user_get(rd, account, name).await?;
    found.ok_or_else(|| not_found("user", HolderKind::User.arn(account, name)))
}

async fn shown(rd: &mut Reader, user: UserRow) -> Result<api::User> {
    let UserRow { holder, tags, created_at } = user;
    let boundary = attached_to(rd, &holder, HeldAs::Boundary).await?.pop();
    Ok(api::User {
        arn: HolderKind::User.arn(&holder.account, &holder.name),
        created_at: time(created_at),
        permissions_boundary_arn: boundary.map(|boundary| holder::held_arn(&holder.account, &boundary)),
        tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect(),
        user_id: holder.id,
        user_name: holder.name,
    })
}
