//! Sessions as callers: a token that was sealed here, and the role behind it as the store has it now.
//!
//! Does not hand out sessions (`http/sts`) and does not check signatures.

use super::sts::{Restriction, Session};
use crate::app::App;
use crate::auth::{Credential, Identity, Secret};
use crate::operations::compile;
use crate::store::{DbResult, Reader, policies_of, policy_get, role_by_id};
use protium_domain::iam::holder::PolicyRef;
use protium_domain::iam::{Attachment, NamedPolicy, Policies, Principal, PrincipalKind, Problem};
use protium_domain::role::Role;
use std::sync::Arc;

/// How long a role is believed without being looked up, in milliseconds: so long its sessions go on with other rights
/// after another process changed it.
const BELIEVED_MS: i64 = 5_000;

/// Where a policy of a session is from.
pub(super) enum PolicyOf<'a> {
    /// The document of the call.
    Call,
    /// The ARN of a managed policy.
    Arn(&'a str),
}

/// Sees to it that the session of that id, which a request claims to be signed with, is known if it is one of ours.
///
/// # Errors
/// When what is known of its role is too old, and can't be looked up.
pub(super) async fn learn(app: &App, id: &str, token: &str) -> DbResult<()> {
    let now_ms = app.clock.elapsed_ms();
    if app.keys.is_session_believed(id, now_ms) {
        return Ok(());
    }
    // Whatever else is said of a session by a token that is not its own, nothing is changed by it.
    let session = Session::open(token, app.store.master_key()).filter(|session| session.access_key_id == id);
    let Some(session) = session else { return Ok(()) };
    let as_of = app.keys.as_of();
    match look_up(app, session, token).await? {
        Some(credential) => app.keys.believe_session(credential, now_ms.saturating_add(BELIEVED_MS), as_of),
        None => app.keys.forget_session(id),
    }
    Ok(())
}

/// The key of a session; `None` if its role is gone.
async fn look_up(app: &App, session: Session, token: &str) -> DbResult<Option<Credential>> {
    let mut rd = app.store.snapshot().await?;
    let Some(role) = role_by_id(&mut rd, &session.account, &session.role_id).await? else { return Ok(None) };
    let restriction = &session.restriction;
    let is_restricted = restriction.policy.is_some() || !restriction.policy_arns.is_empty();
    let own = match is_restricted {
        true => session_policies(app, &mut rd, &session.account, restriction).await?,
        false => Vec::new(),
    };
    // One that was there when the session began and is there no longer may have denied something: without it, the
    // session may do nothing.
    let own: Option<Vec<_>> = own.into_iter().map(|(_, policy)| policy?.ok()).collect();
    let own = own.unwrap_or_default();
    let bearing = policies_of(&mut rd, &session.account, &role.id).await?;
    let policies = compile(app.keys.compiled(), &role.arn(&session.account), &bearing);
    let policies = Policies { session: is_restricted.then_some(own), ..policies };
    let inherited = restriction.tags.iter().filter(|(key, _)| restriction.transitive.iter().any(|one| same(one, key)));
    let inherited_tags = inherited.cloned().collect();
    let identity = Identity { principal: principal(&session, &role), policies };
    let credential = Credential::new(session.access_key_id, Secret::new(session.secret), identity);
    let mut credential = credential.with_session_token(Secret::new(token)).until(session.expires_at);
    credential.inherited_tags = inherited_tags;
    Ok(Some(credential))
}

/// A policy of a session as it was read, or all that is wrong with it.
pub(super) type SessionPolicy = Result<Arc<NamedPolicy>, Vec<Problem>>;

/// The policies of the session itself; `None` in the place of one that there is not.
pub(super) async fn session_policies<'a>(
    app: &App,
    rd: &mut Reader,
    account: &str,
    restriction: &'a Restriction,
) -> DbResult<Vec<(PolicyOf<'a>, Option<SessionPolicy>)>> {
    let compiled = app.keys.compiled();
    let mut policies = Vec::new();
    if let Some(document) = &restriction.policy {
        let policy = compiled.get("the session's policy", document, Attachment::Session);
        policies.push((PolicyOf::Call, Some(policy)));
    }
    for arn in &restriction.policy_arns {
        let named = PolicyRef::parse(account, arn).filter(|_| arn.starts_with("arn:"));
        let policy = match named {
            Some(PolicyRef::BuiltIn(policy)) => Some(compiled.get(policy.name, policy.document, Attachment::Managed)),
            Some(PolicyRef::Own(name)) => {
                let found = policy_get(rd, account, name).await?;
                found.map(|policy| compiled.get(&policy.name, &policy.document, Attachment::Managed))
            }
            None => None,
        };
        policies.push((PolicyOf::Arn(arn), policy));
    }
    Ok(policies)
}

fn principal(session: &Session, role: &Role) -> Principal {
    let account = &session.account;
    let given = &session.restriction.tags;
    let issued_at = jiff::Timestamp::from_second(session.issued_at.div_euclid(1000)).unwrap_or_default().to_string();
    let of_role = role.tags.iter().filter(|(key, _)| !given.iter().any(|(other, _)| same(other, key)));
    Principal {
        account: account.clone(),
        arn: role.session_arn(account, &session.name),
        id: format!("{}:{}", role.id, session.name),
        kind: PrincipalKind::Session { role: role.arn(account), issued_at },
        tags: of_role.chain(given).cloned().collect(),
    }
}

/// Whether two keys of tags are the same.
fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}
