//! What users, groups and roles hold: policies attached to them, and policies embedded in them.

use super::holder::{self, named};
use super::{changed, check_document, check_quota};
use crate::error::{Result, invalid, not_found};
use crate::operations::Context;
use crate::store::{
    HeldAs, Holder, Reader, attached_to, inline_delete, inline_list, inline_put, policy_attach, policy_detach,
};
use crate::transaction;
use protium_api::types::*;
use protium_domain::iam::holder::{MAX_ATTACHED, folded};

/// `AttachPolicy`. Nothing is left to do for one that is attached.
pub(in crate::operations) async fn attach(cx: &Context, input: AttachPolicyInput) -> Result<AttachPolicyOutput> {
    let account = &cx.scope().account;
    let named = named!(input);
    transaction!(cx.store(), async |tx| -> Result<()> {
        let holder = named.find(tx, account).await?;
        let policy = holder::policy(tx, account, &input.policy).await?;
        policy_attach(tx, &holder, policy.key(), HeldAs::Policy).await?;
        let others = i64::try_from(attached_to(tx, &holder, HeldAs::Policy).await?.len()).unwrap_or(i64::MAX) - 1;
        let (noun, name) = (holder.kind.noun(), &holder.name);
        let what = format!("the {noun} {name} has {others} other attached policies");
        check_quota(others, MAX_ATTACHED, &what, "detach one")
    })?;
    Ok(changed(cx, AttachPolicyOutput {}))
}

/// `DetachPolicy`.
pub(in crate::operations) async fn detach(cx: &Context, input: DetachPolicyInput) -> Result<DetachPolicyOutput> {
    let account = &cx.scope().account;
    let named = named!(input);
    transaction!(cx.store(), async |tx| -> Result<()> {
        let holder = named.find(tx, account).await?;
        let policy = holder::policy(tx, account, &input.policy).await?;
        if policy_detach(tx, &holder, policy.key()).await? {
            return Ok(());
        }
        Err(not_found("attached policy", format_args!("{}, of {}", input.policy, arn(&holder))))
    })?;
    Ok(changed(cx, DetachPolicyOutput {}))
}

/// `PutInlinePolicy`: embeds it, in the place of the one of that name.
pub(in crate::operations) async fn put(cx: &Context, input: PutInlinePolicyInput) -> Result<PutInlinePolicyOutput> {
    let account = &cx.scope().account;
    let named = named!(input);
    transaction!(cx.store(), async |tx| -> Result<()> {
        let holder = named.find(tx, account).await?;
        let (kind, text) = (holder.kind.inline(), &input.policy_document);
        check_document("policyDocument", text, kind)?;
        let others = inline_list(tx, &holder).await?;
        let others = others.iter().filter(|(name, _)| folded(name) != folded(&input.policy_name));
        let sizes = others.map(|(_, document)| kind.size(document)).chain([kind.size(text)]);
        kind.check_total(sizes).map_err(|problem| invalid("policyDocument", problem))?;
        Ok(inline_put(tx, &holder, &input.policy_name, text).await?)
    })?;
    Ok(changed(cx, PutInlinePolicyOutput {}))
}

/// `GetInlinePolicy`, as it was put.
pub(in crate::operations) async fn get(cx: &Context, input: GetInlinePolicyInput) -> Result<GetInlinePolicyOutput> {
    let named = named!(input);
    let mut rd = cx.store().snapshot().await?;
    let holder = named.find(&mut rd, &cx.scope().account).await?;
    let (policy_name, policy_document) = inline(&mut rd, &holder, &input.policy_name).await?;
    Ok(GetInlinePolicyOutput { policy_document, policy_name })
}

/// `DeleteInlinePolicy`.
pub(in crate::operations) async fn delete(
    cx: &Context,
    input: DeleteInlinePolicyInput,
) -> Result<DeleteInlinePolicyOutput> {
    let account = &cx.scope().account;
    let named = named!(input);
    transaction!(cx.store(), async |tx| -> Result<()> {
        let holder = named.find(tx, account).await?;
        if inline_delete(tx, &holder, &input.policy_name).await? {
            return Ok(());
        }
        Err(no_inline(&holder, &input.policy_name))
    })?;
    Ok(changed(cx, DeleteInlinePolicyOutput {}))
}

async fn inline(rd: &mut Reader, holder: &Holder, name: &str) -> Result<(String, String)> {
    let found = inline_list(rd, holder).await?.into_iter().find(|(known, _)| folded(known) == folded(name));
    found.ok_or_else(|| no_inline(holder, name))
}

fn no_inline(holder: &Holder, name: &str) -> crate::error::Error {
    not_found("inline policy", format_args!("{name}, of {}", arn(holder)))
}

fn arn(holder: &Holder) -> String {
    holder.kind.arn(&holder.account, &holder.name)
}
