//! Whom and which policy a request names, and what somebody holds.

use super::{group, user};
use crate::error::{Result, conflict, invalid, not_found};
use crate::operations::role;
use crate::store::{HeldAs, HeldPolicy, Holder, PolicyRow, Reader, attached_to, inline_list, policy_get};
use protium_api::types::AttachedPolicy;
use protium_domain::iam::holder::{PolicyRef, built_in_arn, policy_arn};
use protium_domain::iam::managed::ManagedPolicy;

/// The members of a request of which exactly one names who holds policies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'r> {
    pub(super) user: Option<&'r str>,
    pub(super) group: Option<&'r str>,
    pub(super) role: Option<&'r str>,
}

/// Whom an input names.
macro_rules! named {
    ($input:expr) => {
        $crate::operations::identity::holder::Named {
            user: $input.user_name.as_deref(),
            group: $input.group_name.as_deref(),
            role: $input.role_name.as_deref(),
        }
    };
}
pub(super) use named;

impl Named<'_> {
    /// Whether none of them is given.
    pub(super) fn is_nobody(self) -> bool {
        self.user.is_none() && self.group.is_none() && self.role.is_none()
    }

    /// The one that is named.
    pub(super) async fn find(self, rd: &mut Reader, account: &str) -> Result<Holder> {
        let remedy = "give exactly one of userName, groupName and roleName";
        match (self.user, self.group, self.role) {
            (Some(name), None, None) => Ok(user::existing(rd, account, name).await?.holder),
            (None, Some(name), None) => Ok(group::existing(rd, account, name).await?.holder),
            (None, None, Some(name)) => Ok(role::holder(account, &role::existing(rd, account, name).await?)),
            (None, None, None) => Err(invalid("userName", format_args!("nobody is named; {remedy}"))),
            (_, _, _) => Err(invalid("userName", format_args!("several are named; {remedy}"))),
        }
    }
}

/// A policy that there is.
#[derive(Clone, Debug)]
pub(super) enum Policy {
    BuiltIn(&'static ManagedPolicy),
    Own(PolicyRow),
}

impl Policy {
    /// What attachments refer to it by.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::BuiltIn(policy) => policy.name,
            Self::Own(policy) => &policy.id,
        }
    }
}

/// The policy that a request names by its name or ARN, or `ResourceNotFoundException`.
pub(super) async fn policy(rd: &mut Reader, account: &str, named: &str) -> Result<Policy> {
    let found = match PolicyRef::parse(account, named) {
        Some(PolicyRef::BuiltIn(policy)) => Some(Policy::BuiltIn(policy)),
        Some(PolicyRef::Own(name)) => policy_get(rd, account, name).await?.map(Policy::Own),
        None => None,
    };
    found.ok_or_else(|| not_found("policy", named))
}

/// The ARN of a policy that somebody of the account holds.
pub(super) fn held_arn(account: &str, policy: &HeldPolicy) -> String {
    if policy.is_built_in { built_in_arn(&policy.name) } else { policy_arn(account, &policy.name) }
}

/// The policies that are attached, as answers show them.
pub(in crate::operations) async fn attached(rd: &mut Reader, holder: &Holder) -> Result<Vec<AttachedPolicy>> {
    let found = attached_to(rd, holder, HeldAs::Policy).await?;
    let shown =
        |policy: HeldPolicy| AttachedPolicy { arn: held_arn(&holder.account, &policy), policy_name: policy.name };
    Ok(found.into_iter().map(shown).collect())
}

/// The names of the policies that are embedded.
pub(in crate::operations) async fn inline_names(rd: &mut Reader, holder: &Holder) -> Result<Vec<String>> {
    Ok(inline_list(rd, holder).await?.into_iter().map(|(name, _)| name).collect())
}

/// What somebody holds, in words.
pub(super) async fn held(rd: &mut Reader, holder: &Holder) -> Result<Vec<String>> {
    let attached = attached_to(rd, holder, HeldAs::Policy).await?;
    let attached = attached.into_iter().map(|policy| format!("the attached policy {}", policy.name));
    let inline = inline_names(rd, holder).await?.into_iter().map(|name| format!("the inline policy {name}"));
    Ok(attached.chain(inline).collect())
}

/// `ConflictException` where something is left that must go before its holder does.
pub(super) fn check_nothing_left(holder: &Holder, left: &[String]) -> Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    let (noun, name) = (holder.kind.noun(), &holder.name);
    Err(conflict(format!("the {noun} {name} still has {}; remove that first", left.join(", "))))
}
