//! What is decided about: who asks, for which action, on which resource, in which circumstances.

use super::key::same;
use super::variable::Variable;
use std::borrow::Cow;

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Twelve digits.
    pub account: String,
    /// The ARN as STS names the caller: of a user, of a role's session (`…:assumed-role/role/session`), of a root user.
    pub arn: String,
    /// `aws:userid`: the account of a root user, a user's stable id, a role's id and the session's name.
    pub id: String,
    pub kind: PrincipalKind,
    /// The tags of the user, or of the role and its session: `aws:PrincipalTag/…`.
    pub tags: Vec<(String, String)>,
}

/// What kind of caller it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrincipalKind {
    /// The account itself: it may do everything in it.
    Root,
    User {
        name: String,
    },
    /// A session of the role with this ARN.
    Session {
        role: String,
        /// When it began, as condition keys write times.
        issued_at: String,
    },
    /// Somebody whom an identity provider vouches for, asking for a role. The provider is its ARN or its host's name.
    Federated {
        provider: String,
    },
    /// A service, such as `proton.amazonaws.com`, asking for a role.
    Service {
        name: String,
    },
}

impl Principal {
    /// The root user of an account.
    pub fn root(account: impl Into<String>) -> Self {
        let account = account.into();
        let arn = format!("arn:aws:iam::{account}:root");
        Self { id: account.clone(), arn, account, kind: PrincipalKind::Root, tags: Vec::new() }
    }

    /// A user of an account with its stable id.
    pub fn user(account: impl Into<String>, name: impl Into<String>, id: impl Into<String>) -> Self {
        let (account, name) = (account.into(), name.into());
        let arn = format!("arn:aws:iam::{account}:user/{name}");
        Self { account, arn, id: id.into(), kind: PrincipalKind::User { name }, tags: Vec::new() }
    }

    /// The stable id of the user, or of the role whose session it is.
    pub fn stable_id(&self) -> &str {
        // No id of a user has a colon.
        self.id.split_once(':').map_or(&self.id, |(role, _)| role)
    }

    /// Whether it is the root user of its account, who may do everything in it.
    pub fn is_root(&self) -> bool {
        self.kind == PrincipalKind::Root
    }

    /// Whose requests are limited together with those of this one: sessions have the names that they like, so they are
    /// limited as their role.
    pub fn limited_as(&self) -> &str {
        match &self.kind {
            PrincipalKind::Session { role, .. } => role,
            _ => &self.arn,
        }
    }

    /// The value of a key that follows from who asks (IAM User Guide, "AWS global condition context keys", properties
    /// of the principal). The outer `None` is a key of another kind.
    fn value(&self, key: &str) -> Option<Option<&str>> {
        const TAG: &str = "aws:PrincipalTag/";
        let key = key.get(.."aws:".len()).filter(|prefix| same(prefix, "aws:")).map(|_| key)?;
        if let Some((prefix, tag)) = key.split_at_checked(TAG.len())
            && same(prefix, TAG)
        {
            return Some(by_name(self.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())), tag));
        }
        let is = |name: &str| same(key, name);
        if is("aws:PrincipalArn") {
            // For a session it is the role's (same page).
            return Some(Some(match &self.kind {
                PrincipalKind::Session { role, .. } => role,
                _ => &self.arn,
            }));
        }
        if is("aws:PrincipalAccount") {
            return Some(Some(&self.account));
        }
        if is("aws:PrincipalType") {
            return Some(match self.kind {
                PrincipalKind::Root => Some("Account"),
                PrincipalKind::User { .. } => Some("User"),
                PrincipalKind::Session { .. } => Some("AssumedRole"),
                PrincipalKind::Federated { .. } => Some("FederatedUser"),
                PrincipalKind::Service { .. } => None,
            });
        }
        if is("aws:PrincipalIsAWSService") {
            let is_service = matches!(self.kind, PrincipalKind::Service { .. });
            return Some(Some(if is_service { "true" } else { "false" }));
        }
        if is("aws:PrincipalServiceName") {
            return Some(match &self.kind {
                PrincipalKind::Service { name } => Some(name),
                _ => None,
            });
        }
        if is("aws:TokenIssueTime") {
            return Some(match &self.kind {
                PrincipalKind::Session { issued_at, .. } => Some(issued_at),
                _ => None,
            });
        }
        if is("aws:userid") {
            return Some(Some(&self.id));
        }
        if is("aws:username") {
            return Some(match &self.kind {
                PrincipalKind::User { name } => Some(name),
                _ => None,
            });
        }
        None
    }
}

/// The value of a tag's key or a condition's: as it is written if there is such a one, else in any case.
fn by_name<'a, T>(entries: impl Iterator<Item = (&'a str, T)>, name: &str) -> Option<T> {
    let mut found = None;
    for (key, value) in entries {
        if key == name {
            return Some(value);
        }
        if found.is_none() && same(key, name) {
            found = Some(value);
        }
    }
    found
}

/// The condition keys of a request beyond those of its principal, each with one value or several.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    entries: Vec<(Cow<'a, str>, Values<'a>)>,
}

#[derive(Clone, Debug)]
enum Values<'a> {
    One(Cow<'a, str>),
    Many(Vec<Cow<'a, str>>),
}

impl<'a> Context<'a> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key with one value: `aws:SourceIp`, `aws:CurrentTime`, `aws:RequestTag/team`, `proton:ServiceTemplate`.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.entries.push((key.into(), Values::One(value.into())));
        self
    }

    /// Adds a key that has several values, or none: `aws:TagKeys`.
    #[must_use]
    pub fn with_all<V: Into<Cow<'a, str>>>(
        mut self,
        key: impl Into<Cow<'a, str>>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.entries.push((key.into(), Values::Many(values.into_iter().map(Into::into).collect())));
        self
    }

    /// Adds the tags of the resource: `aws:ResourceTag/…`.
    #[must_use]
    pub fn with_resource_tags<'t>(mut self, tags: impl IntoIterator<Item = (&'t str, &'a str)>) -> Self {
        for (key, value) in tags {
            self.entries.push((format!("aws:ResourceTag/{key}").into(), Values::One(value.into())));
        }
        self
    }

    /// Adds the tags that the request gives: `aws:RequestTag/…` and `aws:TagKeys`.
    #[must_use]
    pub fn with_request_tags(mut self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut keys = Vec::new();
        for (key, value) in tags {
            self.entries.push((format!("aws:RequestTag/{key}").into(), Values::One(value.into())));
            keys.push(Cow::from(key));
        }
        if !keys.is_empty() {
            self.entries.push(("aws:TagKeys".into(), Values::Many(keys)));
        }
        self
    }
}

/// One question: may this caller do that?
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub principal: &'a Principal,
    /// Service and name, such as `proton:CreateService`.
    pub action: &'a str,
    /// The ARN of the resource, or `*` for an action that has none.
    pub resource: &'a str,
    pub context: &'a Context<'a>,
}

/// What a request has under a condition key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'a> {
    Nothing,
    One(&'a str),
    Many(&'a [Cow<'a, str>]),
}

impl<'a> Request<'a> {
    /// The values of a key. What follows from the principal can't be given otherwise.
    pub(super) fn values(&self, key: &str) -> Found<'a> {
        if let Some(value) = self.principal.value(key) {
            return value.map_or(Found::Nothing, Found::One);
        }
        let entries = self.context.entries.iter().map(|(key, values)| (key.as_ref(), values));
        match by_name(entries, key) {
            Some(Values::One(value)) => Found::One(value),
            Some(Values::Many(values)) if !values.is_empty() => Found::Many(values),
            Some(Values::Many(_)) | None => Found::Nothing,
        }
    }

    /// The value of a variable. One that is empty counts as none: a pattern such as `${aws:PrincipalTag/team}*` would
    /// match everything for those who have the tag without a value.
    pub(super) fn variable(&self, variable: &Variable) -> Option<&'a str> {
        match self.values(variable.key.as_str()) {
            Found::One(value) if !value.is_empty() => Some(value),
            Found::One(_) | Found::Many(_) | Found::Nothing => None,
        }
    }
}

impl<'a> Found<'a> {
    /// Whether the set is empty: a key with nothing but an empty text is, too ("If the key values in the request
    /// resolve to an empty data set (for example, an empty string)", IAM User Guide, on set operators).
    pub(super) fn is_empty_set(self) -> bool {
        match self {
            Self::Nothing => true,
            Self::One(value) => value.is_empty(),
            Self::Many(values) => values.iter().all(|value| value.is_empty()),
        }
    }

    pub(super) fn any(self, mut holds: impl FnMut(&'a str) -> bool) -> bool {
        match self {
            Self::Nothing => false,
            Self::One(value) => holds(value),
            Self::Many(values) => values.iter().any(|value| holds(value)),
        }
    }

    pub(super) fn all(self, mut holds: impl FnMut(&'a str) -> bool) -> bool {
        !self.any(|value| !holds(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one<'a>(request: &Request<'a>, key: &str) -> Option<&'a str> {
        match request.values(key) {
            Found::One(value) => Some(value),
            Found::Nothing => None,
            Found::Many(_) => panic!("several values"),
        }
    }

    #[test]
    fn what_follows_from_the_principal_can_not_be_given_otherwise() {
        let mut ada = Principal::user("111122223333", "ada", "AIDAEXAMPLE");
        ada.tags = vec![("team".into(), "blue".into()), ("Team".into(), "red".into())];
        let context = Context::new().with("aws:username", "root").with("aws:PrincipalTag/x", "y");
        let request = Request { principal: &ada, action: "proton:GetService", resource: "*", context: &context };
        for (key, value) in [
            ("AWS:UserName", Some("ada")),
            ("aws:userid", Some("AIDAEXAMPLE")),
            ("aws:PrincipalType", Some("User")),
            ("aws:PrincipalArn", Some("arn:aws:iam::111122223333:user/ada")),
            ("aws:PrincipalAccount", Some("111122223333")),
            ("aws:principaltag/Team", Some("red")),
            ("aws:PrincipalTag/TEAM", Some("blue")),
            ("aws:PrincipalTag/x", None),
            ("aws:PrincipalServiceName", None),
        ] {
            assert_eq!(one(&request, key), value, "{key}");
        }
    }

    #[test]
    fn a_session_is_known_by_its_role() {
        let session = Principal {
            kind: PrincipalKind::Session {
                role: "arn:aws:iam::111122223333:role/ci".into(),
                issued_at: "2026-11-23T07:00:00Z".into(),
            },
            arn: "arn:aws:sts::111122223333:assumed-role/ci/build-7".into(),
            id: "AROAEXAMPLE:build-7".into(),
            ..Principal::root("111122223333")
        };
        let context = Context::new();
        let request = Request { principal: &session, action: "proton:GetService", resource: "*", context: &context };
        assert_eq!(one(&request, "aws:PrincipalArn"), Some("arn:aws:iam::111122223333:role/ci"));
        assert_eq!(one(&request, "aws:PrincipalType"), Some("AssumedRole"));
        assert_eq!(session.limited_as(), "arn:aws:iam::111122223333:role/ci", "whatever name it took");
        assert_eq!(one(&request, "aws:TokenIssueTime"), Some("2026-11-23T07:00:00Z"));
        assert_eq!(one(&request, "aws:username"), None);
    }

    #[test]
    fn tags_of_requests_are_keys_and_a_set() {
        let context = Context::new().with_request_tags([("team", "blue"), ("cost", "1")]);
        let root = Principal::root("111122223333");
        let request = Request { principal: &root, action: "proton:TagResource", resource: "*", context: &context };
        assert_eq!(one(&request, "aws:RequestTag/TEAM"), Some("blue"));
        assert!(matches!(request.values("aws:tagkeys"), Found::Many(keys) if keys == ["team", "cost"]));
        assert!(Context::new().with_request_tags([]).entries.is_empty());
    }
}
