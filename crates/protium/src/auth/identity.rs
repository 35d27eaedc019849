//! Whom an access key stands for, as STS names it.
//!
//! Does not know keys or signatures.

/// The user behind a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The account itself.
    Root,
    /// A user of the account.
    User {
        /// The name, unique within the account; part of the ARN.
        name: String,
        /// The stable unique id, which outlives no deletion (`AIDA…` in AWS).
        id: String,
    },
}

/// An account and the user in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// Who in the account.
    pub principal: Principal,
}

impl Identity {
    /// The root user of `account`.
    pub fn root(account: impl Into<String>) -> Self {
        Self { account: account.into(), principal: Principal::Root }
    }

    /// A user of `account`.
    pub fn user(account: impl Into<String>, name: impl Into<String>, id: impl Into<String>) -> Self {
        let principal = Principal::User { name: name.into(), id: id.into() };
        Self { account: account.into(), principal }
    }

    /// `arn:aws:iam::<account>:root` or `arn:aws:iam::<account>:user/<name>`.
    pub fn arn(&self) -> String {
        match &self.principal {
            Principal::Root => format!("arn:aws:iam::{}:root", self.account),
            Principal::User { name, .. } => format!("arn:aws:iam::{}:user/{name}", self.account),
        }
    }

    /// The `UserId` of `GetCallerIdentity`: the account for the root user, else the user's id.
    pub fn user_id(&self) -> &str {
        match &self.principal {
            Principal::Root => &self.account,
            Principal::User { id, .. } => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_user_is_named_after_its_account() {
        let root = Identity::root("000000000000");
        assert_eq!(root.arn(), "arn:aws:iam::000000000000:root");
        assert_eq!(root.user_id(), "000000000000");
    }

    #[test]
    fn a_user_is_named_by_its_name_and_known_by_its_id() {
        let user = Identity::user("111122223333", "ada", "AIDAEXAMPLE");
        assert_eq!(user.arn(), "arn:aws:iam::111122223333:user/ada");
        assert_eq!(user.user_id(), "AIDAEXAMPLE");
    }
}
