//! Roles: who may act for a while with which rights, without a key of their own.
//!
//! Owns what a role is and how it is named. The rights themselves are policies, which are attached to it; who may
//! assume it says its trust policy (`iam`).

use crate::iam::holder::HolderKind;
use crate::iam::{Problem, TrustPolicy, summary};
use crate::refused::Refused;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The shortest session, in seconds.
pub const SHORTEST_SESSION_S: i64 = 900;
/// How long a session lives that nothing else is said of, and the longest one of a role that another role's session
/// assumes, in seconds.
pub const DEFAULT_SESSION_S: i64 = 3_600;
/// How many roles an account may have.
pub const MOST_ROLES: i64 = 1_000;

/// A role of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Role {
    /// `AROA…`, never given again: a role that is made anew under the same name is another one.
    pub id: String,
    /// Unique in its account, however it is capitalized.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The trust policy as it was written.
    pub trust_policy: String,
    /// The stable ids of the users and roles that it names, by their ARNs: whoever has the name of one of them later is
    /// not trusted. What was stored before there were these names whoever has the name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trusted: BTreeMap<String, String>,
    /// How long a session may live, in seconds.
    pub max_session_s: i64,
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// In milliseconds since 1970.
    pub created_at: i64,
    /// In milliseconds since 1970.
    pub updated_at: i64,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl Role {
    /// The role's ARN in its account.
    pub fn arn(&self, account: &str) -> String {
        arn(account, &self.name)
    }

    /// The trust policy, ready to be asked.
    pub fn trust(&self) -> Result<TrustPolicy, Vec<Problem>> {
        let mut policy = TrustPolicy::parse(&self.trust_policy)?;
        policy.bind(&self.trusted);
        Ok(policy)
    }

    /// What STS calls a session of the role.
    pub fn session_arn(&self, account: &str, session: &str) -> String {
        format!("arn:aws:sts::{account}:assumed-role/{}/{session}", self.name)
    }
}

/// The ARN of a role.
pub fn arn(account: &str, name: &str) -> String {
    HolderKind::Role.arn(account, name)
}

/// Account and name of the role with this ARN.
pub fn parse_arn(text: &str) -> Option<(&str, &str)> {
    let (account, name) = text.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    (is_account && is_name(name)).then_some((account, name))
}

/// Whether it could be the name of a role, or of a session.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
}

/// Refuses a trust policy that is not understood, with all that is wrong in it.
pub fn check_trust(text: &str) -> Result<TrustPolicy, Refused> {
    TrustPolicy::parse(text).map_err(|problems| Refused::invalid("trustPolicy", summary(&problems)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_role_is_read_back() {
        assert_eq!(parse_arn(&arn("111122223333", "ci.deploy")), Some(("111122223333", "ci.deploy")));
        for text in [
            "arn:aws:iam::111122223333:user/ci",
            "arn:aws:iam::11112222333:role/ci",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam::111122223333:role/team/ci",
            "arn:aws:sts::111122223333:assumed-role/ci/x",
            "ci",
        ] {
            assert_eq!(parse_arn(text), None, "{text}");
        }
    }

    #[test]
    fn names_have_the_characters_that_aws_allows() {
        assert!(is_name("Build+1=2,3.4@x-y_z") && is_name(&"x".repeat(64)));
        assert!(!is_name("") && !is_name(&"x".repeat(65)) && !is_name("a b") && !is_name("ä") && !is_name("a/b"));
    }

    #[test]
    fn a_trust_policy_is_refused_with_all_that_is_wrong_in_it() {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Permit","Action":"sts:AssumeRole"}]}"#;
        let why = check_trust(text).expect_err("it is wrong").to_string();
        assert!(why.starts_with("trustPolicy: /Statement/0"), "{why}");
        assert!(why.contains("Permit") && why.contains("Principal"), "{why}");
    }
}
