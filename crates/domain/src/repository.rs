//! Linked repositories: what syncs read from and self-managed provisioning writes to.

use crate::id::Id;
use crate::refused::Refused;
use crate::template::Origin;
use crate::track::ContentHash;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a repository is hosted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Provider {
    Github,
    GithubEnterprise,
    Bitbucket,
}

impl Provider {
    pub const ALL: &[Self] = &[Self::Github, Self::GithubEnterprise, Self::Bitbucket];

    /// The text on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "GITHUB",
            Self::GithubEnterprise => "GITHUB_ENTERPRISE",
            Self::Bitbucket => "BITBUCKET",
        }
    }

    /// How ARNs write it.
    pub fn in_arn(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::GithubEnterprise => "github_enterprise",
            Self::Bitbucket => "bitbucket",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A branch of a linked repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryBranch {
    pub provider: Provider,
    /// `owner/name`.
    pub name: String,
    pub branch: String,
}

impl RepositoryBranch {
    /// Whether it is a branch of that repository.
    pub fn is_of(&self, repository: &Repository) -> bool {
        self.provider == repository.provider && self.name == repository.name
    }
}

/// A linked repository. Nothing but its tags ever changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repository {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub provider: Provider,
    /// `owner/name`.
    pub name: String,
    /// The connection to its host; kept as it was given, it need not be known here.
    pub connection_arn: String,
    /// Kept and shown; nothing is encrypted with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<String>,
    pub created_at: i64,
    pub origin: Origin,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl Repository {
    /// A repository that is about to be linked. `request` is the hash of the request.
    pub fn new(id: Id, provider: Provider, name: String, connection_arn: String, request: ContentHash, at: i64) -> Self {
        Self {
            revision: 0,
            id,
            provider,
            name,
            connection_arn,
            encryption_key: None,
            created_at: at,
            origin: Origin::new(request),
            unknown: serde_json::Map::new(),
        }
    }
}

/// What the name of a repository must be beyond its shape, which lets control characters through.
pub fn check_name(field: &str, name: &str) -> Result<(), Refused> {
    match name.chars().find(|c| c.is_control()) {
        Some(character) => Err(Refused::invalid(
            field,
            format_args!("{name:?} contains the control character {character:?}; give it as owner/name"),
        )),
        None => Ok(()),
    }
}

/// The provider and the name in the last part of a repository's ARN, as in `github:owner/name`.
pub fn parse_arn_part(text: &str) -> Option<(Provider, &str)> {
    let (provider, name) = text.split_once(':')?;
    let provider = Provider::ALL.iter().find(|one| one.in_arn() == provider)?;
    Some((*provider, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_have_one_text_everywhere() {
        for provider in Provider::ALL {
            assert_eq!(serde_json::to_value(provider).ok(), Some(provider.as_str().into()));
            assert_eq!(provider.in_arn(), provider.as_str().to_ascii_lowercase());
        }
    }

    #[test]
    fn the_arn_part_is_read_back() {
        for (text, expected) in [
            ("github:owner/name", Some((Provider::Github, "owner/name"))),
            ("github_enterprise:o/n:1", Some((Provider::GithubEnterprise, "o/n:1"))),
            ("bitbucket:o/n", Some((Provider::Bitbucket, "o/n"))),
            ("GITHUB:owner/name", None),
            ("gitlab:owner/name", None),
            ("owner/name", None),
        ] {
            assert_eq!(parse_arn_part(text), expected, "{text}");
        }
    }

    #[test]
    fn names_hold_no_control_characters() {
        assert_eq!(check_name("name", "owner/näme with spaces"), Ok(()));
        let refused = check_name("repositoryName", "owner/\0").map_err(|refused| refused.to_string());
        assert!(refused.as_ref().is_err_and(|text| text.starts_with("repositoryName: \"owner/\\0\"")), "{refused:?}");
    }
}
