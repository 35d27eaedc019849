//! Policy documents: those of identities, and those that say who may assume a role.

use super::json::Node;
use super::key::same;
use super::limits::Attachment;
use super::principal::{Named, Principals};
use super::problem::{Place, Problem, quote};
use super::request::Request;
use super::statement::{Effect, Kind, Outcome, Statement, check_names};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The languages of policies.
const VARIABLES: &str = "2012-10-17";
const NO_VARIABLES: &str = "2008-10-17";
const ELEMENTS: &[&str] = &["Version", "Id", "Statement"];

/// A document with its statements, ready to be asked.
#[derive(Clone, Debug)]
struct Document {
    has_variables: bool,
    id: Option<Box<str>>,
    statements: Box<[Statement]>,
    /// The condition keys that any of the statements looks at, each once.
    keys: Box<[Box<str>]>,
}

/// What users, groups and roles may do; a permissions boundary or the policy of a session has the same form.
#[derive(Clone, Debug)]
pub struct IdentityPolicy(Document);

/// Who may assume a role.
#[derive(Clone, Debug)]
pub struct TrustPolicy(Document);

impl IdentityPolicy {
    /// Reads a document. Everything that is not understood is a problem, and none of it is left out.
    pub fn parse(text: &str, attachment: Attachment) -> Result<Self, Vec<Problem>> {
        Document::parse(text, attachment, Kind::Identity).map(Self)
    }

    /// The document as JSON: what it says, in one form.
    pub fn to_json(&self) -> Value {
        self.0.print()
    }

    pub(super) fn statements(&self) -> &[Statement] {
        &self.0.statements
    }

    /// The statements that look at a condition key that begins with `prefix`.
    pub(super) fn looking_at(&self, prefix: &str) -> impl Iterator<Item = &Statement> {
        let is_meant = move |key: &str| key.get(..prefix.len()).is_some_and(|start| same(start, prefix));
        let any = self.0.keys.iter().any(|key| is_meant(key));
        let statements = if any { self.statements() } else { &[] };
        statements.iter().filter(move |statement| statement.keys().any(is_meant))
    }
}

impl TrustPolicy {
    /// Reads a document. Everything that is not understood is a problem, and none of it is left out.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        Document::parse(text, Attachment::Trust, Kind::Trust).map(Self)
    }

    /// The document as JSON: what it says, in one form.
    pub fn to_json(&self) -> Value {
        self.0.print()
    }

    /// The users and roles that it names, by their ARNs; where a session is named, its role.
    pub fn named(&self) -> impl Iterator<Item = (&str, Named<'_>)> {
        self.0.statements.iter().filter_map(Statement::principals).flat_map(Principals::named)
    }

    /// From now on an ARN means the user or role with that stable id only, whoever else has the name. An ARN that is not
    /// among them means whoever has the name; so does one in a statement that denies: nobody is let in by a name.
    pub fn bind(&mut self, ids: &BTreeMap<String, String>) {
        for statement in &mut self.0.statements {
            let denies = statement.effect == Effect::Deny;
            if let Some(principals) = statement.principals_mut().filter(|principals| !denies || principals.is_not()) {
                principals.bind(ids);
            }
        }
    }

    /// Whether the caller may assume the role: an action such as `sts:AssumeRoleWithWebIdentity`. What a policy of
    /// the caller says about it is asked besides, unless a provider or a service vouches for the caller.
    pub fn allows(&self, request: &Request<'_>) -> bool {
        let applies = |effect| {
            let mut statements = self.0.statements.iter().filter(move |statement| statement.effect == effect);
            statements.any(|statement| matches!(statement.outcome(request), Outcome::Applies))
        };
        !applies(Effect::Deny) && applies(Effect::Allow)
    }
}

impl Document {
    fn parse(text: &str, attachment: Attachment, kind: Kind) -> Result<Self, Vec<Problem>> {
        attachment.check_total([attachment.size(text)]).map_err(|problem| vec![problem])?;
        let node = Node::read(text)?;
        let place = Place::ROOT;
        let Node::Object(members) = &node else {
            let message = format!("the document is {}", node.kind());
            return Err(vec![place.problem(message, "write an object with Version and Statement")]);
        };
        let mut problems = Vec::new();
        check_names(members, ELEMENTS, &place, &mut problems);
        let get = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, node)| node);
        let has_variables = has_variables(get("Version"), &place, &mut problems);
        let id = match get("Id") {
            Some(Node::Text(id)) => Some(id.as_str().into()),
            Some(other) => {
                problems.push(place.member("Id").problem(format!("the Id is {}", other.kind()), "write a string"));
                None
            }
            None => None,
        };
        let statements = statements(get("Statement"), kind, has_variables, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut keys: Vec<Box<str>> = Vec::new();
        for key in statements.iter().flat_map(Statement::keys) {
            if !keys.iter().any(|other| same(other, key)) {
                keys.push(key.into());
            }
        }
        Ok(Self { has_variables, id, statements: statements.into(), keys: keys.into() })
    }

    fn print(&self) -> Value {
        let mut members = Map::new();
        members.insert("Version".to_owned(), json!(if self.has_variables { VARIABLES } else { NO_VARIABLES }));
        if let Some(id) = &self.id {
            members.insert("Id".to_owned(), json!(id));
        }
        members.insert("Statement".to_owned(), self.statements.iter().map(Statement::print).collect());
        Value::Object(members)
    }
}

/// "If you do not include a Version element, the value defaults to 2008-10-17" (IAM User Guide, "IAM JSON policy
/// elements: Version"), which has no variables.
fn has_variables(version: Option<&Node>, place: &Place<'_>, problems: &mut Vec<Problem>) -> bool {
    let what = match version {
        None => return false,
        Some(Node::Text(text)) if text == VARIABLES => return true,
        Some(Node::Text(text)) if text == NO_VARIABLES => return false,
        Some(Node::Text(text)) => quote(text),
        Some(other) => other.kind().to_owned(),
    };
    let remedy = "write \"2012-10-17\", the version of the policy language, not a date of your own";
    problems.push(place.member("Version").problem(format!("the Version is {what}"), remedy));
    true
}

fn statements(node: Option<&Node>, kind: Kind, has_variables: bool, problems: &mut Vec<Problem>) -> Vec<Statement> {
    let root = Place::ROOT;
    let place = root.member("Statement");
    let mut statements: Vec<Statement> = Vec::new();
    match node {
        Some(Node::Array(nodes)) if !nodes.is_empty() => {
            for (index, node) in nodes.iter().enumerate() {
                let here = place.index(index);
                let Some(statement) = Statement::read(node, kind, has_variables, &here, problems) else { continue };
                let sid = statement.sid.as_deref().filter(|sid| !sid.is_empty());
                if sid.is_some() && statements.iter().any(|other| other.sid.as_deref() == sid) {
                    let message = format!("another statement has the Sid {}", quote(sid.unwrap_or_default()));
                    problems.push(here.member("Sid").problem(message, "give each statement its own"));
                }
                statements.push(statement);
            }
        }
        Some(node @ Node::Object(_)) => {
            statements.extend(Statement::read(node, kind, has_variables, &place, problems));
        }
        Some(other) => {
            let what = if let Node::Array(_) = other { "an empty list" } else { other.kind() };
            problems.push(place.problem(format!("Statement is {what}"), "write a statement or a list of them"));
        }
        None => problems.push(root.problem("the document has no Statement", "write what it allows or denies")),
    }
    statements
}

#[cfg(test)]
mod tests;
