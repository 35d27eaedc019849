//! Whether a caller may do what it asks for (IAM User Guide, "Policy evaluation logic").
//!
//! A statement that denies wins over all others. Else the policies of the identity must allow the request, and the
//! permissions boundary and the policies of the session, where there are any, must allow it too: "the resulting
//! permissions are the intersection". The root user of an account has no policies and may do everything in it.

use super::policy::IdentityPolicy;
use super::request::Request;
use super::statement::{Effect, Outcome};
use std::fmt;
use std::sync::Arc;

/// A policy under the name that people know it by.
#[derive(Clone, Debug)]
pub struct NamedPolicy {
    pub name: String,
    pub policy: IdentityPolicy,
}

/// All policies that bear on what a principal does; compiled once, asked for each request.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Attached to the user, to its groups or to the role, and embedded in them.
    pub identity: Vec<Arc<NamedPolicy>>,
    pub boundary: Option<Arc<NamedPolicy>>,
    /// Given when the role was assumed; `None` if none was, which restricts nothing.
    pub session: Option<Vec<Arc<NamedPolicy>>>,
}

/// Why a policy bears on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Identity,
    Boundary,
    Session,
}

impl Layer {
    /// As AWS's messages name it, with its article.
    fn in_message(self) -> &'static str {
        match self {
            Self::Identity => "an identity-based policy",
            Self::Boundary => "a permissions boundary",
            Self::Session => "a session policy",
        }
    }
}

/// A statement of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementRef<'a> {
    pub layer: Layer,
    /// The policy's name.
    pub policy: &'a str,
    /// From 0.
    pub index: usize,
    pub sid: Option<&'a str>,
}

impl fmt::Display for StatementRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, index, .. } = self;
        match self.sid.filter(|sid| !sid.is_empty()) {
            Some(sid) => write!(f, "{policy}, statement {} ({sid})", index + 1),
            None => write!(f, "{policy}, statement {}", index + 1),
        }
    }
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// By a statement of the identity's policies; by none if it is the root user.
    Allowed { by: Option<StatementRef<'a>> },
    /// A statement denies it, whatever else allows it.
    Denied { by: StatementRef<'a> },
    /// No statement of this layer allows it.
    NotAllowed { layer: Layer },
}

impl Decision<'_> {
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// The message of `AccessDeniedException`, as AWS words it: principal, action and resource. `None` if it is
    /// allowed.
    pub fn denial(&self, request: &Request<'_>) -> Option<String> {
        let Request { principal, action, resource, .. } = request;
        let because = match self {
            Self::Allowed { .. } => return None,
            Self::Denied { by } => format!("with an explicit deny in {}", by.layer.in_message()),
            Self::NotAllowed { layer } => {
                let policy = layer.in_message().split_once(' ').map_or("policy", |(_, policy)| policy);
                format!("because no {policy} allows the {action} action")
            }
        };
        let arn = &principal.arn;
        Some(format!("User: {arn} is not authorized to perform: {action} on resource: {resource} {because}"))
    }
}

impl Policies {
    /// Decides a request.
    pub fn decide(&self, request: &Request<'_>) -> Decision<'_> {
        if request.principal.is_root() {
            return Decision::Allowed { by: None };
        }
        let mut allowed = [None; 3];
        for (layer, policy) in self.all() {
            let slot = &mut allowed[layer as usize];
            for (index, statement) in policy.policy.statements().iter().enumerate() {
                // What is allowed already need not be asked again, and an Allow decides nothing more.
                if statement.effect == Effect::Allow && slot.is_some() {
                    continue;
                }
                if let Outcome::Applies = statement.outcome(request) {
                    let found = StatementRef { layer, policy: &policy.name, index, sid: statement.sid.as_deref() };
                    match statement.effect {
                        Effect::Deny => return Decision::Denied { by: found },
                        Effect::Allow => *slot = Some(found),
                    }
                }
            }
        }
        let [identity, boundary, session] = allowed;
        if identity.is_none() {
            Decision::NotAllowed { layer: Layer::Identity }
        } else if self.boundary.is_some() && boundary.is_none() {
            Decision::NotAllowed { layer: Layer::Boundary }
        } else if self.session.is_some() && session.is_none() {
            Decision::NotAllowed { layer: Layer::Session }
        } else {
            Decision::Allowed { by: identity }
        }
    }

    /// Whether a statement about `action` looks at a condition key that begins with `prefix`, such as
    /// `aws:ResourceTag/`. If none does, no value of such a key matters to the decision, and none need be looked up.
    pub fn look_at(&self, action: &str, prefix: &str) -> bool {
        let mut statements = self.all().flat_map(|(_, policy)| policy.policy.looking_at(prefix));
        statements.any(|statement| statement.is_about(action))
    }

    /// Whether `action` may be allowed on some resource in some circumstances. If not, there is nothing to look for
    /// that is.
    pub fn could_allow(&self, action: &str) -> bool {
        let any = |policies: &[Arc<NamedPolicy>]| {
            let mut statements = policies.iter().flat_map(|policy| policy.policy.statements());
            statements.any(|statement| statement.effect == Effect::Allow && statement.is_about(action))
        };
        any(&self.identity)
            && self.boundary.as_ref().is_none_or(|boundary| any(std::slice::from_ref(boundary)))
            && self.session.as_ref().is_none_or(|session| any(session))
    }

    /// Decides a request and tells what each statement said to it.
    pub fn explain<'a>(&'a self, request: &Request<'_>) -> Explanation<'a> {
        let mut statements = Vec::new();
        for (layer, policy) in self.all() {
            for (index, statement) in policy.policy.statements().iter().enumerate() {
                let statement_ref = StatementRef { layer, policy: &policy.name, index, sid: statement.sid.as_deref() };
                let (applies, why) = match statement.outcome(request) {
                    Outcome::Applies => (true, "applies".to_owned()),
                    Outcome::OtherPrincipal => (false, "is about other principals".to_owned()),
                    Outcome::OtherAction => (false, format!("is not about {}", request.action)),
                    Outcome::OtherResource => (false, format!("is not about {}", request.resource)),
                    Outcome::Unmet(condition) => (false, condition.explain(request)),
                };
                statements.push(StatementReport { statement: statement_ref, effect: statement.effect, applies, why });
            }
        }
        Explanation { decision: self.decide(request), statements }
    }

    fn all(&self) -> impl Iterator<Item = (Layer, &NamedPolicy)> {
        let identity = self.identity.iter().map(|policy| (Layer::Identity, &**policy));
        let boundary = self.boundary.iter().map(|policy| (Layer::Boundary, &**policy));
        let session = self.session.iter().flatten().map(|policy| (Layer::Session, &**policy));
        identity.chain(boundary).chain(session)
    }
}

/// What a statement said to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementReport<'a> {
    pub statement: StatementRef<'a>,
    pub effect: Effect,
    pub applies: bool,
    /// Why it applies or does not, as a predicate of the statement.
    pub why: String,
}

/// A decision with what led to it, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation<'a> {
    pub decision: Decision<'a>,
    /// Each statement, in the order of the policies.
    pub statements: Vec<StatementReport<'a>>,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.decision {
            Decision::Allowed { by: Some(by) } => writeln!(f, "allowed by {by}")?,
            Decision::Allowed { by: None } => writeln!(f, "allowed: the root user may do everything in its account")?,
            Decision::Denied { by } => writeln!(f, "denied by {by}")?,
            Decision::NotAllowed { layer } => {
                writeln!(f, "not allowed: no statement of {} allows it", layer.in_message())?;
            }
        }
        for StatementReport { statement, effect, why, .. } in &self.statements {
            writeln!(f, "  {statement}: {} {why}", effect.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
