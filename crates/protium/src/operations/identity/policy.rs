//! Policies: an account's own, create, update and delete; those that are built in, too, get and list.

use super::holder::{self, Policy as Found};
use super::{changed, check_document, check_quota};
use crate::auth::new_stable_id;
use crate::error::{Result, conflict, invalid};
use crate::operations::Context;
use crate::operations::page::Page;
use crate::operations::wire::time;
use crate::store::{
    HeldAs, PolicyRow, Reader, holders_of, policy_count, policy_delete, policy_insert, policy_page, policy_update,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::iam::Attachment;
use protium_domain::iam::holder::{
    MAX_POLICIES, POLICY_ID_PREFIX, built_in_arn, check_policy_name, folded, policy_arn,
};
use protium_domain::iam::managed::{self, ManagedPolicy};

/// So many of those that hold a policy are named where they are in the way.
const NAMED: i64 = 10;

/// `CreatePolicy`.
pub(in crate::operations) async fn create(cx: &Context, input: CreatePolicyInput) -> Result<CreatePolicyOutput> {
    check_policy_name(&input.policy_name)?;
    check_document("policyDocument", &input.policy_document, Attachment::Managed)?;
    let new = PolicyRow {
        account: cx.scope().account.clone(),
        id: new_stable_id(POLICY_ID_PREFIX),
        name: input.policy_name,
        description: input.description.filter(|text| !text.is_empty()),
        document: input.policy_document,
        created_at: cx.now,
        updated_at: cx.now,
    };
    transaction!(cx.store(), async |tx| -> Result<()> {
        let count = policy_count(tx, &new.account).await?;
        check_quota(count, MAX_POLICIES, &format!("the account has {count} policies"), "delete one")?;
        if !policy_insert(tx, &new).await? {
            return Err(conflict(format!("the policy {} exists; names are told apart without case", new.name)));
        }
        Ok(())
    })?;
    Ok(CreatePolicyOutput { policy: own(new).0 })
}

/// `GetPolicy`, with its document as it was given.
pub(in crate::operations) async fn get(cx: &Context, input: GetPolicyInput) -> Result<GetPolicyOutput> {
    let mut rd = cx.store().reader().await?;
    let (policy, policy_document) = match holder::policy(&mut rd, &cx.scope().account, &input.policy).await? {
        Found::BuiltIn(policy) => (built_in(policy), policy.document.to_owned()),
        Found::Own(policy) => own(policy),
    };
    Ok(GetPolicyOutput { policy, policy_document })
}

/// `ListPolicies`: by name, those that are built in among the others.
pub(in crate::operations) async fn list(cx: &Context, input: ListPoliciesInput) -> Result<ListPoliciesOutput> {
    let filter = input.r#type.map_or("", |kind| kind.as_str());
    let page = Page::new(cx, "ListPolicies", [filter], input.max_results, input.next_token.as_deref())?;
    let after = page.after().unwrap_or_default();
    let mut found = Vec::new();
    if input.r#type != Some(PolicyType::BuiltIn) {
        let mut rd = cx.store().reader().await?;
        let rows = policy_page(&mut rd, &cx.scope().account, after, page.limit()).await?;
        found.extend(rows.into_iter().map(|row| own(row).0));
    }
    if input.r#type != Some(PolicyType::Customer) {
        let following = managed::ALL.iter().filter(|policy| folded(policy.name).as_str() > after);
        found.extend(following.map(built_in));
    }
    found.sort_by_cached_key(|policy| folded(&policy.policy_name));
    let (policies, next_token) = page.cut(found, |policy| folded(&policy.policy_name));
    Ok(ListPoliciesOutput { next_token, policies })
}

/// `UpdatePolicy`: replaces the document and the description, as far as they are given.
pub(in crate::operations) async fn update(cx: &Context, input: UpdatePolicyInput) -> Result<UpdatePolicyOutput> {
    if let Some(document) = &input.policy_document {
        check_document("policyDocument", document, Attachment::Managed)?;
    }
    let account = &cx.scope().account;
    let policy = transaction!(cx.store(), async |tx| -> Result<PolicyRow> {
        let mut policy = changeable(tx, account, &input.policy).await?;
        if let Some(document) = &input.policy_document {
            policy.document.clone_from(document);
        }
        if let Some(description) = &input.description {
            policy.description = Some(description.clone()).filter(|text| !text.is_empty());
        }
        policy.updated_at = cx.now;
        policy_update(tx, &policy).await?;
        Ok(policy)
    })?;
    Ok(changed(cx, UpdatePolicyOutput { policy: own(policy).0 }))
}

/// `DeletePolicy`: nobody may hold it, as in IAM.
pub(in crate::operations) async fn delete(cx: &Context, input: DeletePolicyInput) -> Result<DeletePolicyOutput> {
    let account = &cx.scope().account;
    transaction!(cx.store(), async |tx| -> Result<()> {
        let policy = changeable(tx, account, &input.policy).await?;
        let holders = holders_of(tx, account, &policy.id, NAMED).await?;
        if holders.is_empty() {
            return Ok(policy_delete(tx, &policy).await?);
        }
        let told = holders.iter().map(|(holder, held_as)| match held_as {
            HeldAs::Policy => format!("is attached to the {} {}", holder.kind.noun(), holder.name),
            HeldAs::Boundary => format!("is the boundary of the {} {}", holder.kind.noun(), holder.name),
        });
        let told = told.collect::<Vec<_>>().join(", ");
        Err(conflict(format!("the policy {} {told}; end that first", policy.name)))
    })?;
    Ok(changed(cx, DeletePolicyOutput {}))
}

/// One of the account's own.
async fn changeable(rd: &mut Reader, account: &str, named: &str) -> Result<PolicyRow> {
    match holder::policy(rd, account, named).await? {
        Found::Own(policy) => Ok(policy),
        Found::BuiltIn(policy) => Err(invalid(
            "policy",
            format_args!("{} is built in and can't be changed; create a policy with its document", policy.name),
        )),
    }
}

/// The policy as answers show it, and its document.
fn own(row: PolicyRow) -> (api::Policy, String) {
    let policy = api::Policy {
        arn: policy_arn(&row.account, &row.name),
        created_at: Some(time(row.created_at)),
        description: row.description,
        policy_id: row.id,
        policy_name: row.name,
        r#type: PolicyType::Customer,
        updated_at: Some(time(row.updated_at)),
    };
    (policy, row.document)
}

fn built_in(policy: &ManagedPolicy) -> api::Policy {
    api::Policy {
        arn: built_in_arn(policy.name),
        created_at: None,
        description: Some(policy.description.to_owned()),
        policy_id: policy.name.to_owned(),
        policy_name: policy.name.to_owned(),
        r#type: PolicyType::BuiltIn,
        updated_at: None,
    }
}
