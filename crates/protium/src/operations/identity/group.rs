//! Groups: create, get, list, delete, and who is in them.

use super::holder::{self, attached, inline_names};
use super::{changed, check_quota, user};
use crate::auth::new_stable_id;
use crate::error::{Result, conflict, not_found};
use crate::operations::Context;
use crate::operations::page::Page;
use crate::operations::wire::time;
use crate::store::{
    GroupRow, Holder, Reader, group_count, group_delete, group_get, group_insert, group_page, groups_of, member_add,
    member_remove, members_of,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::iam::holder::{HolderKind, MAX_GROUPS, MAX_GROUPS_OF_USER, folded};

/// So many members are named where they are in the way.
const NAMED: i64 = 10;

/// `CreateGroup`.
pub(in crate::operations) async fn create(cx: &Context, input: CreateGroupInput) -> Result<CreateGroupOutput> {
    let (kind, account) = (HolderKind::Group, cx.scope().account.clone());
    let holder = Holder { account, kind, id: new_stable_id(kind.id_prefix()), name: input.group_name };
    let new = GroupRow { holder, created_at: cx.now };
    transaction!(cx.store(), async |tx| -> Result<()> {
        let count = group_count(tx, &new.holder.account).await?;
        check_quota(count, MAX_GROUPS, &format!("the account has {count} groups"), "delete one")?;
        if !group_insert(tx, &new).await? {
            return Err(conflict(format!("the group {} exists; names are told apart without case", new.holder.name)));
        }
        Ok(())
    })?;
    Ok(CreateGroupOutput { group: shown(new) })
}

/// `GetGroup`, with a page of its users and what it holds.
pub(in crate::operations) async fn get(cx: &Context, input: GetGroupInput) -> Result<GetGroupOutput> {
    let filters = ["groupName", &input.group_name];
    let page = Page::new(cx, "GetGroup", filters, input.max_results, input.next_token.as_deref())?;
    let mut rd = cx.store().snapshot().await?;
    let group = existing(&mut rd, &cx.scope().account, &input.group_name).await?;
    let users = members_of(&mut rd, &group.holder, page.after().unwrap_or_default(), page.limit()).await?;
    let (users, next_token) = page.cut(users, |name| folded(name));
    Ok(GetGroupOutput {
        attached_policies: attached(&mut rd, &group.holder).await?,
        inline_policies: inline_names(&mut rd, &group.holder).await?,
        group: shown(group),
        next_token,
        users,
    })
}

/// `ListGroups`, by name.
pub(in crate::operations) async fn list(cx: &Context, input: ListGroupsInput) -> Result<ListGroupsOutput> {
    let page = Page::new(cx, "ListGroups", [], input.max_results, input.next_token.as_deref())?;
    let mut rd = cx.store().reader().await?;
    let found = group_page(&mut rd, &cx.scope().account, page.after().unwrap_or_default(), page.limit()).await?;
    let (found, next_token) = page.cut(found, |group| folded(&group.holder.name));
    Ok(ListGroupsOutput { groups: found.into_iter().map(shown).collect(), next_token })
}

/// `DeleteGroup`: who is in it and what it has must be gone first, as in IAM.
pub(in crate::operations) async fn delete(cx: &Context, input: DeleteGroupInput) -> Result<DeleteGroupOutput> {
    let account = &cx.scope().account;
    transaction!(cx.store(), async |tx| -> Result<()> {
        let GroupRow { holder, .. } = existing(tx, account, &input.group_name).await?;
        let members = members_of(tx, &holder, "", NAMED).await?;
        let mut left: Vec<String> = members.iter().map(|name| format!("the user {name}")).collect();
        left.extend(holder::held(tx, &holder).await?);
        holder::check_nothing_left(&holder, &left)?;
        Ok(group_delete(tx, &holder).await?)
    })?;
    Ok(changed(cx, DeleteGroupOutput {}))
}

/// `AddUserToGroup`. Nothing is left to do for one that is there.
pub(in crate::operations) async fn add(cx: &Context, input: AddUserToGroupInput) -> Result<AddUserToGroupOutput> {
    let account = &cx.scope().account;
    transaction!(cx.store(), async |tx| -> Result<()> {
        let user = user::existing(tx, account, &input.user_name).await?.holder;
        let group = existing(tx, account, &input.group_name).await?.holder;
        let mut others = groups_of(tx, &user).await?;
        others.retain(|other| other.holder.id != group.id);
        let count = i64::try_from(others.len()).unwrap_or(i64::MAX);
        let what = format!("the user {} is in {count} groups", user.name);
        check_quota(count, MAX_GROUPS_OF_USER, &what, "remove it from one")?;
        Ok(member_add(tx, &user, &group).await?)
    })?;
    Ok(changed(cx, AddUserToGroupOutput {}))
}

/// `RemoveUserFromGroup`. Nothing is left to do for one that is not there.
pub(in crate::operations) async fn remove(
    cx: &Context,
    input: RemoveUserFromGroupInput,
) -> Result<RemoveUserFromGroupOutput> {
    let account = &cx.scope().account;
    transaction!(cx.store(), async |tx| -> Result<()> {
        let user = user::existing(tx, account, &input.user_name).await?.holder;
        let group = existing(tx, account, &input.group_name).await?.holder;
        member_remove(tx, &user, &group).await?;
        Ok(())
    })?;
    Ok(changed(cx, RemoveUserFromGroupOutput {}))
}

/// The group of that name, or `ResourceNotFoundException`.
pub(super) async fn existing(rd: &mut Reader, account: &str, name: &str) -> Result<GroupRow> {
    let found = group_get(rd, account, name).await?;
    found.ok_or_else(|| not_found("group", HolderKind::Group.arn(account, name)))
}

fn shown(group: GroupRow) -> api::Group {
    let GroupRow { holder, created_at } = group;
    api::Group {
        arn: HolderKind::Group.arn(&holder.account, &holder.name),
        created_at: time(created_at),
        group_id: holder.id,
        group_name: holder.name,
    }
}
