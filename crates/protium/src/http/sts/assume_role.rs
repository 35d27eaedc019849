//! `AssumeRole`: a user or a session gets the rights of a role, if the role's trust policy and its own policies let it.

use super::form::Violations;
use super::grant::{duration, grant};
use super::wanted::{Wanted, find};
use super::xml::Xml;
use super::{Answer, Call, Fault};
use crate::operations::Caller;
use protium_domain::iam::{Context, Principal, PrincipalKind, Request};
use protium_domain::role::Role;

pub(super) const OPERATION: &str = "AssumeRole";

/// Roles are assumed by a caller with the tags that go on from its own session.
pub(super) async fn call(call: &Call<'_>, caller: &Caller, inherited: &[(String, String)]) -> Result<Xml, Fault> {
    let mut violations = Violations::default();
    let external_id = call.form.get("ExternalId");
    if external_id.is_some() {
        violations.text(external_id, "externalId", (2, 1224), Some(("[\\w+=,.@:\\/-]*", is_external)));
    }
    let wanted = Wanted::read(&call.form, violations);
    let told = wanted.as_ref().ok().map(Wanted::told);
    let answer = match wanted {
        Ok(wanted) => granted(call, caller, inherited, wanted, external_id).await,
        Err(fault) => Err(fault),
    };
    call.recorded(caller, OPERATION, told, answer).await
}

/// The credentials for a caller who may assume the role.
async fn granted(
    call: &Call<'_>,
    caller: &Caller,
    inherited: &[(String, String)],
    mut wanted: Wanted,
    external_id: Option<&str>,
) -> Result<Answer, Fault> {
    let principal = &caller.identity.principal;
    if principal.kind == PrincipalKind::Root {
        return Err(Fault::denied("Roles may not be assumed by root accounts."));
    }
    let role = find(&mut call.app.store.reader().await?, &wanted).await?;
    // Whether there is such a role is told to those who may assume it.
    let role = role.ok_or_else(|| refused(principal, "sts:AssumeRole", &wanted))?;
    let context = context(caller, call.now, &wanted, &role, external_id);
    let trust = role.trust().map_err(|_| Fault::internal("a trust policy can't be read"))?;
    let is_tagging = !wanted.restriction.tags.is_empty();
    for action in ["sts:AssumeRole", "sts:TagSession"].into_iter().take(1 + usize::from(is_tagging)) {
        let request = Request { principal, action, resource: &wanted.role_arn, context: &context };
        if !caller.identity.policies.decide(&request).is_allowed() || !trust.allows(&request) {
            return Err(refused(principal, action, &wanted));
        }
    }
    let is_chained = matches!(principal.kind, PrincipalKind::Session { .. });
    let seconds = duration(&wanted, &role, is_chained)?;
    inherit(&mut wanted, inherited)?;
    Ok(grant(call, &role, wanted, seconds).await?.answer(|xml, user| xml.element("AssumedRoleUser", user)))
}

/// Tags that go on from the caller's own session; they can't be given otherwise.
fn inherit(wanted: &mut Wanted, inherited: &[(String, String)]) -> Result<(), Fault> {
    for (key, value) in inherited {
        if wanted.restriction.tags.iter().any(|(given, _)| given.eq_ignore_ascii_case(key)) {
            return Err(Fault::invalid(format!(
                "One of the specified tag keys can't be set because it conflicts with a transitive tag key from the \
                 calling session: {key}"
            )));
        }
        wanted.restriction.tags.push((key.clone(), value.clone()));
        wanted.restriction.transitive.push(key.clone());
    }
    Ok(())
}

/// The condition keys of the call.
fn context<'a>(
    caller: &'a Caller,
    now: i64,
    wanted: &'a Wanted,
    role: &'a Role,
    external_id: Option<&'a str>,
) -> Context<'a> {
    let context = wanted.context(caller, now, role);
    match external_id {
        Some(id) => context.with("sts:ExternalId", id),
        None => context,
    }
}

fn refused(principal: &Principal, action: &str, wanted: &Wanted) -> Fault {
    let (arn, role) = (&principal.arn, &wanted.role_arn);
    Fault::denied(format!("User: {arn} is not authorized to perform: {action} on resource: {role}"))
}

fn is_external(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_+=,.@:/-".contains(character)
}
