//! Who holds policies: users, groups and roles; what they and policies are called, and how many there may be.
//!
//! The numbers are those of the IAM User Guide, "IAM and AWS STS quotas".

use super::limits::Attachment;
use super::managed;
use crate::refused::Refused;

/// Users of one account.
pub const MAX_USERS: i64 = 5_000;
/// Groups of one account.
pub const MAX_GROUPS: i64 = 300;
/// Groups that one user is in.
pub const MAX_GROUPS_OF_USER: i64 = 10;
/// Access keys of one user, the root user too: the old one and its successor.
pub const MAX_ACCESS_KEYS: i64 = 2;
/// Policies of one account, those that are built in not counted.
pub const MAX_POLICIES: i64 = 1_500;
/// Policies that are attached to one user, group or role.
pub const MAX_ATTACHED: i64 = 10;

/// What the names of policies that are built in begin with, those to come too.
const BUILT_IN: &str = "protium";
/// The name that the keys of the root user stand under.
const ROOT: &str = "root";

/// What kind of identity holds a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderKind {
    User,
    Group,
    Role,
}

impl HolderKind {
    pub const ALL: [Self; 3] = [Self::User, Self::Group, Self::Role];

    /// As the store has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Group => "GROUP",
            Self::Role => "ROLE",
        }
    }

    /// The kind that the store has as `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub fn noun(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::Role => "role",
        }
    }

    /// What stable ids begin with, as AWS's do.
    pub fn id_prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
        }
    }

    /// What a policy is that is embedded in one of the kind.
    pub fn inline(self) -> Attachment {
        match self {
            Self::User => Attachment::User,
            Self::Group => Attachment::Group,
            Self::Role => Attachment::Role,
        }
    }

    /// The ARN of the one with that name.
    pub fn arn(self, account: &str, name: &str) -> String {
        format!("arn:aws:iam::{account}:{}/{name}", self.noun())
    }
}

/// What the stable ids of policies begin with.
pub const POLICY_ID_PREFIX: &str = "ANPA";

/// The ARN of an account's own policy.
pub fn policy_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:policy/{name}")
}

/// The ARN of a policy that is built in.
pub fn built_in_arn(name: &str) -> String {
    policy_arn("aws", name)
}

/// A policy as a request names it: by its name or its ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyRef<'a> {
    BuiltIn(&'static managed::ManagedPolicy),
    /// One of the account's own of that name, if there is one.
    Own(&'a str),
}

impl<'a> PolicyRef<'a> {
    /// What `text` names for a caller of `account`; `None` if it is the ARN of something else.
    pub fn parse(account: &str, text: &'a str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("arn:") {
            let (owner, name) = rest.strip_prefix("aws:iam::")?.split_once(":policy/")?;
            return match owner {
                "aws" => managed::find(name).map(Self::BuiltIn),
                owner => (owner == account).then_some(Self::Own(name)),
            };
        }
        Some(managed::find(text).map_or(Self::Own(text), Self::BuiltIn))
    }
}

/// What tells names apart: "names are not distinguished by case".
pub fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether a user may have that name.
pub fn check_user_name(name: &str) -> Result<(), Refused> {
    if name.eq_ignore_ascii_case(ROOT) {
        let why = format!("'{name}' is the name of the account's root user; give another one");
        return Err(Refused::invalid("userName", why));
    }
    Ok(())
}

/// Whether an account's own policy may have that name.
pub fn check_policy_name(name: &str) -> Result<(), Refused> {
    if folded(name).starts_with(BUILT_IN) {
        let why = format!("'{name}' begins like the policies that are built in; give a name that does not");
        return Err(Refused::invalid("policyName", why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_named_by_its_name_or_its_arn() {
        let account = "111122223333";
        let full = managed::find("ProtiumFullAccess").map(PolicyRef::BuiltIn);
        for (text, meant) in [
            ("dev", Some(PolicyRef::Own("dev"))),
            ("arn:aws:iam::111122223333:policy/dev", Some(PolicyRef::Own("dev"))),
            ("ProtiumFullAccess", full),
            ("arn:aws:iam::aws:policy/ProtiumFullAccess", full),
            ("arn:aws:iam::aws:policy/AdministratorAccess", None),
            ("arn:aws:iam::444455556666:policy/dev", None),
            ("arn:aws:iam::111122223333:user/dev", None),
            ("arn:", None),
        ] {
            assert_eq!(PolicyRef::parse(account, text), meant, "{text}");
        }
        assert_eq!(built_in_arn("ProtiumFullAccess"), "arn:aws:iam::aws:policy/ProtiumFullAccess");
    }

    #[test]
    fn the_names_of_what_is_always_there_are_taken() {
        assert!(check_user_name("Root").is_err() && check_user_name("roots").is_ok());
        assert!(check_policy_name("PROTIUMFullAccess").is_err() && check_policy_name("dev").is_ok());
        for policy in managed::ALL {
            assert!(check_policy_name(policy.name).is_err(), "{}", policy.name);
        }
    }

    #[test]
    fn a_kind_is_read_as_it_is_written() {
        for kind in HolderKind::ALL {
            assert_eq!(HolderKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(HolderKind::parse("user"), None);
    }
}
