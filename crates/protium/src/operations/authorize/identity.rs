//! Users, groups, roles, policies and identity providers: as requests name them, and as policies know them, which is by
//! the name that they were made with, in whatever case a request writes it.

use crate::error::Result;
use crate::store::{Reader, group_get, policy_get, role_get, user_get};
use protium_domain::iam::holder::{HolderKind, PolicyRef, built_in_arn, policy_arn};
use protium_domain::iam::{Principal, PrincipalKind};
use protium_domain::oidc_provider;

/// One that a request is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Identity<'r> {
    /// The user who asks.
    Caller,
    Holder(HolderKind, &'r str),
    /// By its name or its ARN.
    Policy(&'r str),
    /// By the URL of its issuer.
    OidcProvider(&'r str),
}

impl Identity<'_> {
    /// The ARN that it has if its name is written as it was made.
    pub(super) fn arn(self, caller: &Principal) -> String {
        let account = &caller.account;
        match self {
            Self::Caller => caller.arn.clone(),
            Self::Holder(kind, name) => kind.arn(account, name),
            Self::Policy(named) => match PolicyRef::parse(account, named) {
                Some(PolicyRef::BuiltIn(policy)) => built_in_arn(policy.name),
                Some(PolicyRef::Own(name)) => policy_arn(account, name),
                // An operation that is given it finds nothing.
                None => named.to_owned(),
            },
            Self::OidcProvider(url) => oidc_provider::arn(account, url),
        }
    }

    /// The ARN that it has, and its tags; [`Self::arn`] if there is no such one.
    pub(super) async fn find(self, rd: &mut Reader, caller: &Principal) -> Result<(String, Vec<(String, String)>)> {
        let account = &caller.account;
        let found = match self {
            Self::Caller => match &caller.kind {
                PrincipalKind::User { name } => user(rd, account, name).await?,
                PrincipalKind::Root
                | PrincipalKind::Session { .. }
                | PrincipalKind::Federated { .. }
                | PrincipalKind::Service { .. } => None,
            },
            Self::Holder(HolderKind::User, name) => user(rd, account, name).await?,
            Self::Holder(kind @ HolderKind::Group, name) => {
                let found = group_get(rd, account, name).await?;
                found.map(|group| (kind.arn(account, &group.holder.name), Vec::new()))
            }
            Self::Holder(kind @ HolderKind::Role, name) => {
                role_get(rd, account, name).await?.map(|role| (kind.arn(account, &role.name), role.tags))
            }
            Self::Policy(named) => match PolicyRef::parse(account, named) {
                Some(PolicyRef::Own(name)) => {
                    let found = policy_get(rd, account, name).await?;
                    found.map(|policy| (policy_arn(account, &policy.name), Vec::new()))
                }
                Some(PolicyRef::BuiltIn(_)) | None => None,
            },
            Self::OidcProvider(_) => None,
        };
        Ok(found.unwrap_or_else(|| (self.arn(caller), Vec::new())))
    }
}

async fn user(rd: &mut Reader, account: &str, name: &str) -> Result<Option<(String, Vec<(String, String)>)>> {
    let found = user_get(rd, account, name).await?;
    Ok(found.map(|user| (HolderKind::User.arn(account, &user.holder.name), user.tags)))
}
