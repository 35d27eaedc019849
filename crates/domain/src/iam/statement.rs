//! Statements: what identity policies and trust policies have in common.

use super::actions;
use super::condition::{self, Condition};
use super::glob::{Glob, Style};
use super::json::Node;
use super::principal::Principals;
use super::problem::{Place, Problem, Wrong, quote};
use super::request::Request;
use crate::bundle::problem::did_you_mean;
use serde_json::{Map, Value, json};

/// What a statement does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

impl Effect {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Deny => "Deny",
        }
    }
}

/// Which of the two kinds of documents a statement stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has resources, and whom it is about is who has the policy.
    Identity,
    /// It has principals, and the resource is the role that has the policy.
    Trust,
}

/// A statement, ready to be asked.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) sid: Option<Box<str>>,
    pub(super) effect: Effect,
    principals: Option<Principals>,
    actions: Patterns,
    /// None in a trust policy.
    resources: Option<Patterns>,
    conditions: Box<[Condition]>,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Clone, Debug)]
struct Patterns {
    is_not: bool,
    globs: Box<[Glob]>,
}

/// Whether a statement applies to a request, and if not, why not.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome<'a> {
    Applies,
    OtherPrincipal,
    OtherAction,
    OtherResource,
    Unmet(&'a Condition),
}

const ELEMENTS: &[&str] =
    &["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl Statement {
    pub(super) fn principals(&self) -> Option<&Principals> {
        self.principals.as_ref()
    }

    pub(super) fn principals_mut(&mut self) -> Option<&mut Principals> {
        self.principals.as_mut()
    }

    /// Reads a statement; `None` if it has problems.
    pub(super) fn read(
        node: &Node,
        kind: Kind,
        has_variables: bool,
        place: &Place<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let before = problems.len();
        let Node::Object(members) = node else {
            let message = format!("the statement is {}", node.kind());
            problems.push(place.problem(message, "write an object with Effect, Action and Resource"));
            return None;
        };
        check_names(members, ELEMENTS, place, problems);
        let elements = Elements { members, kind, has_variables, place };
        let sid = elements.sid(problems);
        let effect = elements.effect(problems);
        let principals = elements.principals(effect, problems);
        let actions = elements.patterns(("Action", "NotAction"), problems, |text| {
            let glob = action(text)?;
            actions::check(text, &glob)?;
            Ok(glob)
        });
        let resources = elements.resources(problems);
        let conditions = match elements.get("Condition") {
            Some(node) => condition::read(node, has_variables, &place.member("Condition"), problems),
            None => Vec::new(),
        };
        if problems.len() > before {
            return None;
        }
        let conditions = conditions.into();
        Some(Self { sid, effect: effect?, principals, actions: actions?, resources, conditions })
    }

    pub(super) fn outcome(&self, request: &Request<'_>) -> Outcome<'_> {
        if self.principals.as_ref().is_some_and(|principals| !principals.include(request.principal)) {
            return Outcome::OtherPrincipal;
        }
        if !self.actions.include(request.action, request) {
            return Outcome::OtherAction;
        }
        if self.resources.as_ref().is_some_and(|resources| !resources.include(request.resource, request)) {
            return Outcome::OtherResource;
        }
        match self.conditions.iter().find(|condition| !condition.holds(request)) {
            Some(condition) => Outcome::Unmet(condition),
            None => Outcome::Applies,
        }
    }

    /// Whether it is about an action, on whatever resource.
    pub(super) fn is_about(&self, action: &str) -> bool {
        // An action has no variables.
        self.actions.globs.iter().any(|glob| glob.matches(action, &|_| None)) != self.actions.is_not
    }

    /// The condition keys whose values it looks at.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let resources = self.resources.iter().flat_map(|resources| &resources.globs);
        resources.flat_map(Glob::keys).chain(self.conditions.iter().flat_map(Condition::keys))
    }

    pub(super) fn print(&self) -> Value {
        let mut members = Map::new();
        if let Some(sid) = &self.sid {
            members.insert("Sid".to_owned(), json!(sid));
        }
        members.insert("Effect".to_owned(), json!(self.effect.as_str()));
        if let Some(principals) = &self.principals {
            principals.print(&mut members);
        }
        self.actions.print(("Action", "NotAction"), &mut members);
        if let Some(resources) = &self.resources {
            resources.print(("Resource", "NotResource"), &mut members);
        }
        if !self.conditions.is_empty() {
            let mut block = Map::new();
            self.conditions.iter().for_each(|condition| condition.print(&mut block));
            members.insert("Condition".to_owned(), Value::Object(block));
        }
        Value::Object(members)
    }
}

impl Patterns {
    fn include(&self, text: &str, request: &Request<'_>) -> bool {
        let value = |variable: &_| request.variable(variable);
        self.globs.iter().any(|glob| glob.matches(text, &value)) != self.is_not
    }

    fn print(&self, (name, negated): (&str, &str), members: &mut Map<String, Value>) {
        let texts: Vec<&str> = self.globs.iter().map(Glob::as_str).collect();
        members.insert(if self.is_not { negated } else { name }.to_owned(), json!(texts));
    }
}

/// Names that an object must not have are problems, with what was meant.
pub(super) fn check_names(members: &[(String, Node)], known: &[&str], place: &Place<'_>, problems: &mut Vec<Problem>) {
    for (name, _) in members.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        let remedy = match did_you_mean(name, known.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => format!("the elements here are {}", known.join(", ")),
        };
        problems.push(place.member(name).problem(format!("there is no element {}", quote(name)), remedy));
    }
}

/// A string or a list of strings with at least one; each with its place.
pub(super) fn strings<'n, T>(
    node: &'n Node,
    what: &str,
    place: &Place<'_>,
    problems: &mut Vec<Problem>,
    mut read: impl FnMut(&'n str) -> Result<T, Wrong>,
) -> Vec<T> {
    let mut take = |node: &'n Node, place: &Place<'_>, problems: &mut Vec<Problem>| match node {
        Node::Text(text) => read(text).map_err(|wrong| problems.push(place.wrong(wrong))).ok(),
        other => {
            problems.push(place.problem(format!("{what} is {}", other.kind()), "write a string or a list of strings"));
            None
        }
    };
    match node {
        Node::Array(items) if items.is_empty() => {
            problems.push(place.problem(format!("{what} is an empty list"), "write at least one string"));
            Vec::new()
        }
        Node::Array(items) => {
            let each = items.iter().enumerate();
            each.filter_map(|(index, item)| take(item, &place.index(index), problems)).collect()
        }
        node => take(node, place, problems).into_iter().collect(),
    }
}

/// The members of a statement while it is read.
struct Elements<'a> {
    members: &'a [(String, Node)],
    kind: Kind,
    has_variables: bool,
    place: &'a Place<'a>,
}

impl<'a> Elements<'a> {
    fn get(&self, name: &str) -> Option<&'a Node> {
        self.members.iter().find(|(member, _)| member == name).map(|(_, node)| node)
    }

    /// "Basic alphanumeric characters (A-Z,a-z,0-9) are the only allowed characters" (IAM User Guide, grammar).
    fn sid(&self, problems: &mut Vec<Problem>) -> Option<Box<str>> {
        let node = self.get("Sid")?;
        match node {
            Node::Text(text) if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Some(text.as_str().into()),
            Node::Text(text) => {
                let message = format!("the Sid {} has other characters than letters and digits", quote(text));
                problems.push(self.place.member("Sid").problem(message, "use A-Z, a-z and 0-9"));
                None
            }
            other => {
                let message = format!("the Sid is {}", other.kind());
                problems.push(self.place.member("Sid").problem(message, "write a string of letters and digits"));
                None
            }
        }
    }

    fn effect(&self, problems: &mut Vec<Problem>) -> Option<Effect> {
        const REMEDY: &str = "write \"Allow\" or \"Deny\"";
        match self.get("Effect") {
            Some(Node::Text(text)) if text == "Allow" => return Some(Effect::Allow),
            Some(Node::Text(text)) if text == "Deny" => return Some(Effect::Deny),
            Some(Node::Text(text)) => {
                problems.push(self.place.member("Effect").problem(format!("the Effect is {}", quote(text)), REMEDY));
            }
            Some(other) => {
                problems.push(self.place.member("Effect").problem(format!("the Effect is {}", other.kind()), REMEDY));
            }
            None => problems.push(self.place.problem("the statement has no Effect", REMEDY)),
        }
        None
    }

    fn principals(&self, effect: Option<Effect>, problems: &mut Vec<Problem>) -> Option<Principals> {
        let found = self.either(("Principal", "NotPrincipal"), problems);
        match (self.kind, found) {
            (Kind::Identity, Some((name, _))) => {
                let message = format!("{name} can't be in a policy of an identity");
                let remedy = "leave it out: it is about whoever has the policy";
                problems.push(self.place.member(name).problem(message, remedy));
                None
            }
            (Kind::Identity, None) => None,
            (Kind::Trust, None) => {
                let remedy = "write who may assume the role, as in \"Principal\": {\"AWS\": \"111122223333\"}";
                problems.push(self.place.problem("the statement has no Principal", remedy));
                None
            }
            (Kind::Trust, Some((name, _))) if name == "NotPrincipal" && effect == Some(Effect::Allow) => {
                let message = "NotPrincipal with Allow would let in everyone else";
                problems.push(self.place.member(name).problem(message, "use Principal, or NotPrincipal with Deny"));
                None
            }
            (Kind::Trust, Some((name, node))) => {
                Principals::read(node, name == "NotPrincipal", &self.place.member(name), problems)
            }
        }
    }

    fn resources(&self, problems: &mut Vec<Problem>) -> Option<Patterns> {
        if self.kind == Kind::Identity {
            let has_variables = self.has_variables;
            return self.patterns(("Resource", "NotResource"), problems, |text| resource(text, has_variables));
        }
        for name in ["Resource", "NotResource"] {
            if self.get(name).is_some() {
                let message = format!("{name} can't be in a trust policy");
                problems.push(self.place.member(name).problem(message, "leave it out: it is about the role itself"));
            }
        }
        None
    }

    /// The one of two elements that there is; both are a problem.
    fn either(
        &self,
        (name, negated): (&'static str, &'static str),
        problems: &mut Vec<Problem>,
    ) -> Option<(&'static str, &'a Node)> {
        if self.get(name).is_some() && self.get(negated).is_some() {
            let message = format!("the statement has {name} and {negated}");
            problems.push(self.place.member(negated).problem(message, "write one of the two"));
        }
        [name, negated].into_iter().find_map(|name| Some((name, self.get(name)?)))
    }

    fn patterns(
        &self,
        names: (&'static str, &'static str),
        problems: &mut Vec<Problem>,
        read: impl Fn(&str) -> Result<Glob, Wrong>,
    ) -> Option<Patterns> {
        let Some((name, node)) = self.either(names, problems) else {
            let message = format!("the statement has no {}", names.0);
            problems.push(self.place.problem(message, format!("write {}, or {}", names.0, names.1)));
            return None;
        };
        let what = if names.0 == "Action" { "the action" } else { "the resource" };
        let globs = strings(node, what, &self.place.member(name), problems, read);
        Some(Patterns { is_not: name == names.1, globs: globs.into() })
    }
}

/// `*`, or `service:Name` with wildcards in the name.
fn action(text: &str) -> Result<Glob, Wrong> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "*?_-".contains(c);
    let is_action = match text.split_once(':') {
        Some((service, name)) => {
            let is_service = service == "*" || service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            is_service && !service.is_empty() && !name.is_empty() && name.chars().all(legal)
        }
        None => text == "*",
    };
    if !is_action {
        let message = format!("{} is no action", quote(text));
        let remedy = "write service:Action, such as proton:GetService or proton:Get*, or *; wildcards and variables \
                      can't be in the service";
        return Err((message, remedy.to_owned()));
    }
    Glob::parse(text, Style::Action, false)
}

/// `*`, or an ARN with wildcards, but none in the service: "You can't use a wildcard in the service segment" (IAM User
/// Guide, "IAM JSON policy elements: Resource").
fn resource(text: &str, has_variables: bool) -> Result<Glob, Wrong> {
    let glob = Glob::parse(text, Style::Resource, has_variables)?;
    if text == "*" {
        return Ok(glob);
    }
    let mut segments = text.split(':');
    let (prefix, partition, service) = (segments.next(), segments.next(), segments.next());
    let (Some("arn"), Some(_), Some(service)) = (prefix, partition, service) else {
        let message = format!("{} is no ARN", quote(text));
        return Err((message, "write an ARN, such as arn:aws:proton:*:*:service/*, or *".to_owned()));
    };
    if service.is_empty() || service.contains(['*', '?']) {
        let message = format!("{} has no service in its third part", quote(text));
        return Err((message, "name the service, as in arn:aws:proton:*:*:service/*".to_owned()));
    }
    let is_whole = text.split(':').count() >= 6 || text.split(':').skip(3).any(|part| part.ends_with('*'));
    if !is_whole {
        let message = format!("{} has fewer than the six parts of an ARN", quote(text));
        return Err((message, "write arn:partition:service:region:account:resource".to_owned()));
    }
    Ok(glob)
}
