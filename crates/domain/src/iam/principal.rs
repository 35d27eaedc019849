//! The element `Principal` of trust policies: who may assume a role.
//!
//! The forms are those of the IAM User Guide, "AWS JSON policy elements: Principal". "You cannot use a wildcard to
//! match part of a principal name or ARN."

use super::holder::HolderKind;
use super::json::Node;
use super::problem::{Place, Problem, Wrong, quote};
use super::request::{Principal, PrincipalKind};
use super::statement::{check_names, strings};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// `Principal` or `NotPrincipal`.
#[derive(Clone, Debug)]
pub(super) struct Principals {
    is_not: bool,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    kind: Type,
    name: Box<str>,
    /// The stable id of the user or role that is meant, whoever else has the name.
    id: Option<Box<str>>,
}

/// A user or a role that a trust policy names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// Twelve digits.
    pub account: &'a str,
    pub kind: HolderKind,
    pub name: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// `"*"` without a type.
    Everyone,
    Aws,
    Federated,
    Service,
}

impl Type {
    const NAMED: [Self; 3] = [Self::Aws, Self::Federated, Self::Service];

    fn name(self) -> &'static str {
        match self {
            Self::Everyone => "*",
            Self::Aws => "AWS",
            Self::Federated => "Federated",
            Self::Service => "Service",
        }
    }
}

impl Principals {
    pub(super) fn read(node: &Node, is_not: bool, place: &Place<'_>, problems: &mut Vec<Problem>) -> Option<Self> {
        let members = match node {
            Node::Text(text) if text == "*" => {
                let everyone = Entry { kind: Type::Everyone, name: "*".into(), id: None };
                return Some(Self { is_not, entries: vec![everyone] });
            }
            Node::Object(members) if !members.is_empty() => members,
            other => {
                let what = if let Node::Text(text) = other { quote(text) } else { other.kind().to_owned() };
                let remedy = "write {\"AWS\": …}, {\"Federated\": …} or {\"Service\": …}, or \"*\"";
                problems.push(place.problem(format!("the principal is {what}"), remedy));
                return None;
            }
        };
        check_names(members, &Type::NAMED.map(Type::name), place, problems);
        let mut entries = Vec::new();
        for kind in Type::NAMED {
            for (name, node) in members.iter().filter(|(name, _)| name == kind.name()) {
                let read = |text: &str| check(kind, text).map(|()| Entry { kind, name: text.into(), id: None });
                entries.extend(strings(node, "the principal", &place.member(name), problems, read));
            }
        }
        Some(Self { is_not, entries })
    }

    /// Whether all others are meant.
    pub(super) fn is_not(&self) -> bool {
        self.is_not
    }

    pub(super) fn include(&self, principal: &Principal) -> bool {
        self.entries.iter().any(|entry| entry.includes(principal)) != self.is_not
    }

    /// The users and roles, by their ARNs; where a session is named, its role.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, Named<'_>)> {
        let of_aws = self.entries.iter().filter(|entry| entry.kind == Type::Aws);
        of_aws.filter_map(|entry| Some((&*entry.name, named(&entry.name)?)))
    }

    /// From now on an ARN means the user or role with that stable id only.
    pub(super) fn bind(&mut self, ids: &BTreeMap<String, String>) {
        for entry in self.entries.iter_mut().filter(|entry| entry.kind == Type::Aws) {
            entry.id = ids.get(&*entry.name).map(|id| id.as_str().into());
        }
    }

    pub(super) fn print(&self, members: &mut Map<String, Value>) {
        let name = if self.is_not { "NotPrincipal" } else { "Principal" };
        let mut types = Map::new();
        for kind in Type::NAMED {
            let names = self.entries.iter().filter(|entry| entry.kind == kind).map(|entry| &entry.name);
            let names: Vec<_> = names.collect();
            if !names.is_empty() {
                types.insert(kind.name().to_owned(), json!(names));
            }
        }
        let value = if types.is_empty() { json!("*") } else { Value::Object(types) };
        members.insert(name.to_owned(), value);
    }
}

impl Entry {
    fn includes(&self, principal: &Principal) -> bool {
        let name = &*self.name;
        match (self.kind, &principal.kind) {
            (Type::Everyone, _) => true,
            (Type::Aws, PrincipalKind::Federated { .. } | PrincipalKind::Service { .. }) => name == "*",
            (Type::Aws, caller) => {
                let is_session_of = matches!(caller, PrincipalKind::Session { role, .. } if **role == *name);
                let is_account = account_of(name).is_some_and(|account| account == principal.account);
                let is_same = self.id.as_deref().is_none_or(|id| id == principal.stable_id());
                name == "*" || is_account || (is_same && (is_session_of || principal.arn == name))
            }
            (Type::Federated, PrincipalKind::Federated { provider }) => provider == name,
            (Type::Service, PrincipalKind::Service { name: service }) => service == name,
            (Type::Federated | Type::Service, _) => false,
        }
    }
}

/// The user or role with that ARN, or the role of the session with it.
fn named(arn: &str) -> Option<Named<'_>> {
    let (service, account, resource) = parts(arn)?;
    let (kind, name) = match (service, resource.split_once('/')?) {
        ("iam", ("user", name)) => (HolderKind::User, name),
        ("iam", ("role", name)) => (HolderKind::Role, name),
        ("sts", ("assumed-role", name)) => {
            (HolderKind::Role, name.split_once('/').filter(|(_, session)| !session.is_empty())?.0)
        }
        _ => return None,
    };
    (!name.is_empty()).then_some(Named { account, kind, name })
}

/// The account that a principal names as a whole: by its number or as its root. It "delegates authority to the
/// account" then: everyone in it is meant.
fn account_of(name: &str) -> Option<&str> {
    if is_account(name) {
        return Some(name);
    }
    let account = name.strip_suffix(":root")?.rsplit(':').next()?;
    is_account(account).then_some(account)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn check(kind: Type, text: &str) -> Result<(), Wrong> {
    let (is_right, remedy) = match kind {
        Type::Everyone => (text == "*", "write *"),
        Type::Aws => (
            text == "*" || is_account(text) || is_identity(text),
            "write an account's number, the ARN of a user, a role or a role's session without wildcards, or *",
        ),
        Type::Federated => (
            is_provider(text) || is_host(text),
            "write the ARN of a provider, as in arn:aws:iam::111122223333:oidc-provider/issuer.example.com, or its host",
        ),
        Type::Service => (is_host(text), "write the name of a service, such as proton.amazonaws.com"),
    };
    if is_right {
        return Ok(());
    }
    Err((format!("{} is no principal of the type {}", quote(text), kind.name()), remedy.to_owned()))
}

/// Service, account and resource of an ARN without a region.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let mut parts = text.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let is_arn = arn == "arn" && partition.starts_with("aws") && region.is_empty() && is_account(account);
    (is_arn && !text.contains(['*', '?', '$'])).then_some((service, account, resource))
}

fn is_identity(text: &str) -> bool {
    let is_other = |(service, _, resource): (&str, &str, &str)| match (service, resource.split_once('/')) {
        ("iam", None) => resource == "root",
        ("sts", Some(("federated-user", name))) => !name.is_empty(),
        _ => false,
    };
    named(text).is_some() || parts(text).is_some_and(is_other)
}

fn is_provider(text: &str) -> bool {
    parts(text).is_some_and(|(service, _, resource)| match resource.split_once('/') {
        Some(("oidc-provider" | "saml-provider", name)) => service == "iam" && !name.is_empty(),
        _ => false,
    })
}

fn is_host(text: &str) -> bool {
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    text.contains('.') && text.split('.').all(is_label)
}
