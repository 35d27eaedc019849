//! Identity providers: whose tokens are believed, and for whom they must have been issued.
//!
//! Owns what may be registered, how it is named, and when a token that was used before may be used again. Fetching
//! keys and checking signatures are the application's.

use crate::refused::Refused;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// How many providers an account may have.
pub const MOST_PROVIDERS: i64 = 100;
/// For how long the one who used a token first may use it again where tokens are good for one use: the answer may
/// have been lost, and SDKs try again. In milliseconds.
pub const RETRY_MS: i64 = 5 * 60 * 1000;

/// An OpenID Connect provider that an account trusts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OidcProvider {
    /// The issuer, exactly as its tokens name it.
    pub url: String,
    /// For whom tokens must have been issued: one of these.
    pub client_ids: Vec<String>,
    #[serde(default)]
    pub token_reuse: TokenReuse,
    /// In milliseconds since 1970.
    pub created_at: i64,
    /// In milliseconds since 1970.
    pub updated_at: i64,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl OidcProvider {
    /// The provider's ARN in its account.
    pub fn arn(&self, account: &str) -> String {
        arn(account, &self.url)
    }
}

/// The ARN of the provider of that issuer.
pub fn arn(account: &str, url: &str) -> String {
    format!("arn:aws:iam::{account}:oidc-provider/{}", identifier(url))
}

/// Who may use a token that was used before, while it has not expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TokenReuse {
    /// Whoever calls from the address that it was first used from: clients that keep it in a file exchange it often.
    #[default]
    SameSource,
    /// The same, for [`RETRY_MS`] only.
    Once,
    /// Everybody, as with AWS.
    Anywhere,
}

/// When and from where a token was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenUse {
    /// In milliseconds since 1970.
    pub at: i64,
    /// The address; empty if it is not known.
    pub source: String,
}

impl TokenReuse {
    /// Whether a token that was first used so may be used so now.
    pub fn permits(self, first: &TokenUse, now: &TokenUse) -> bool {
        match self {
            Self::Anywhere => true,
            Self::SameSource => first.source == now.source,
            Self::Once => first.source == now.source && now.at.saturating_sub(first.at) <= RETRY_MS,
        }
    }
}

/// The issuer without its scheme: its name in ARNs, and what condition keys begin with.
pub fn identifier(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// Whether a URL leads to this machine itself, by HTTP without TLS: nobody in between could answer in its place.
pub fn is_plain_loopback(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    host == "localhost" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// Refuses what can't be an issuer, or one whose keys could be altered on their way here.
pub fn check_url(url: &str) -> Result<(), Refused> {
    let refuse = |why: &str| Err(Refused::invalid("url", format_args!("'{url}' {why}")));
    if !url.starts_with("https://") && !is_plain_loopback(url) {
        return refuse(
            "is not an https URL; give the issuer as its tokens name it in `iss`, such as \
             https://token.actions.githubusercontent.com (http is for 127.0.0.1 and localhost only)",
        );
    }
    let rest = identifier(url);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.rsplit_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !host.split('.').all(is_label) || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return refuse("has no host that is a name or an IPv4 address, with a port or without");
    }
    if !path.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b)) {
        return refuse("has a path with more than letters, digits and . _ - /, which no condition key could name");
    }
    Ok(())
}

/// Refuses an empty text, one with blanks, and one that is given twice.
pub fn check_client_ids(ids: &[String]) -> Result<(), Refused> {
    for (index, id) in ids.iter().enumerate() {
        if let Some(wrong) = id.chars().find(|c| c.is_control() || c.is_whitespace()) {
            let why = format!("{id:?} contains {wrong:?}; give the text that tokens have in `aud`");
            return Err(Refused::invalid("clientIds", why));
        }
        if ids[..index].contains(id) {
            return Err(Refused::invalid("clientIds", format_args!("'{id}' is given more than once; give it once")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_https_or_on_this_machine() {
        for url in [
            "https://token.actions.githubusercontent.com",
            "https://gitlab.example.com:8443",
            "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
            "https://tenant.example.com/",
            "http://127.0.0.1:8080/issuer",
            "http://localhost",
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in [
            "",
            "token.actions.githubusercontent.com",
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://localhost@example.com",
            "http://10.0.0.1",
            "https://",
            "https:///path",
            "https://user@example.com",
            "https://example.com?x=1",
            "https://example.com/#x",
            "https://example.com/a b",
            "https://example.com/%2e",
            "https://example.com:port",
            "https://[::1]/",
            "HTTPS://example.com",
            "file:///etc/passwd",
        ] {
            let why = check_url(url).expect_err(url).to_string();
            assert!(why.starts_with("url: ") && why.contains(url), "{why}");
        }
    }

    #[test]
    fn plain_loopback_is_told_from_what_looks_like_it() {
        assert!(is_plain_loopback("http://127.9.9.9/x") && is_plain_loopback("http://localhost:80"));
        for url in ["https://127.0.0.1", "http://127.0.0.1@example.com/", "http://localhost.example.com", "http://x"] {
            assert!(!is_plain_loopback(url), "{url}");
        }
    }

    #[test]
    fn client_ids_are_texts_that_a_token_can_have_and_each_given_once() {
        let check = |ids: &[&str]| check_client_ids(&ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(check(&["sts.amazonaws.com", "https://gitlab.example.com"]), Ok(()));
        assert!(check(&["a b"]).is_err() && check(&["a\n"]).is_err());
        assert!(check(&["a", "b", "a"]).unwrap_err().to_string().contains("'a' is given more than once"));
    }

    #[test]
    fn a_used_token_is_used_again_as_the_provider_says() {
        let first = TokenUse { at: 1_000, source: "203.0.113.7".into() };
        let soon = TokenUse { at: 1_000 + RETRY_MS, ..first.clone() };
        let late = TokenUse { at: 1_001 + RETRY_MS, ..first.clone() };
        let elsewhere = TokenUse { source: "198.51.100.1".into(), ..first.clone() };
        for (reuse, expected) in [
            (TokenReuse::SameSource, [true, true, false]),
            (TokenReuse::Once, [true, false, false]),
            (TokenReuse::Anywhere, [true, true, true]),
        ] {
            assert_eq!([&soon, &late, &elsewhere].map(|now| reuse.permits(&first, now)), expected, "{reuse:?}");
        }
    }
}
