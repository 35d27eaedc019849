//! Whom a key stands for: a user with the policies that bear on what it does.

use crate::auth::{Compiled, Identity};
use crate::store::{Bearing, DbResult, HeldAs, ROOT_USER, Reader, policies_of, user_get};
use protium_domain::iam::{Attachment, NamedPolicy, Policies, Principal, summary};
use std::sync::Arc;

/// The user of that name; `None` if there is none.
pub(crate) async fn identity_of(
    rd: &mut Reader,
    compiled: &Compiled,
    account: &str,
    user_name: &str,
) -> DbResult<Option<Identity>> {
    if user_name == ROOT_USER {
        return Ok(Some(Identity::root(account)));
    }
    let Some(user) = user_get(rd, account, user_name).await? else { return Ok(None) };
    let bearing = policies_of(rd, account, &user.holder.id).await?;
    let principal = Principal::user(account, user.holder.name, user.holder.id);
    let policies = compile(compiled, &principal.arn, &bearing);
    Ok(Some(Identity { principal: Principal { tags: user.tags, ..principal }, policies }))
}

/// The policies that bear on what `arn` does. If one of them can't be read, as where another version of this program
/// wrote it, nothing is allowed: what it denies is not known.
pub(crate) fn compile(compiled: &Compiled, arn: &str, bearing: &[Bearing]) -> Policies {
    let mut policies = Policies::default();
    for one in bearing {
        match read(compiled, one) {
            Ok(policy) if one.held_as == HeldAs::Boundary => policies.boundary = Some(policy),
            Ok(policy) => policies.identity.push(policy),
            Err(why) => {
                tracing::error!("{arn} may do nothing, because its policy {} can't be read: {why}", one.name);
                return Policies::default();
            }
        }
    }
    policies
}

fn read(compiled: &Compiled, one: &Bearing) -> Result<Arc<NamedPolicy>, String> {
    let attachment = if one.is_embedded { one.holder.inline() } else { Attachment::Managed };
    compiled.get(&one.name, &one.document, attachment).map_err(|problems| summary(&problems))
}
