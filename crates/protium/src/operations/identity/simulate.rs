//! `SimulatePolicy`: why something is or would be allowed or not, without doing it.
//!
//! The policies are those of a user, a group or a role, or documents that are given. The context is what is given:
//! nothing of the request to simulate itself enters it.

use super::caller::{compile, identity_of};
use super::holder::{Named, named};
use super::{check_document, user};
use crate::auth::Identity;
use crate::error::{Result, invalid, not_found};
use crate::operations::Context;
use crate::store::{Holder, Reader, policies_of};
use protium_api::types::*;
use protium_domain::iam::{
    self, Attachment, Decision, Effect, Layer, NamedPolicy, Policies, Principal, Request, StatementReport,
};
use std::sync::Arc;

/// `SimulatePolicy`.
pub(in crate::operations) async fn simulate(cx: &Context, input: SimulatePolicyInput) -> Result<SimulatePolicyOutput> {
    let named = named!(input);
    let identity = match input.policy_documents.as_deref().unwrap_or_default() {
        [] => of_holder(cx, &mut cx.store().snapshot().await?, named).await?,
        documents if named.is_nobody() => of_documents(&cx.scope().account, documents)?,
        _ => {
            let why = "both documents and somebody who holds policies are given; give one of the two";
            return Err(invalid("policyDocuments", why));
        }
    };
    let mut context = iam::Context::new();
    for entry in input.context.as_deref().unwrap_or_default() {
        let values = entry.values.iter().map(String::as_str);
        context = match entry.values.as_slice() {
            [value] => context.with(entry.key.as_str(), value.as_str()),
            _ => context.with_all(entry.key.as_str(), values),
        };
    }
    let resource = input.resource.as_deref().unwrap_or("*");
    let request = Request { principal: &identity.principal, action: &input.action, resource, context: &context };
    let explained = identity.policies.explain(&request);
    Ok(SimulatePolicyOutput {
        decision: match explained.decision {
            Decision::Allowed { .. } => PolicyDecision::Allowed,
            Decision::Denied { .. } => PolicyDecision::Denied,
            Decision::NotAllowed { .. } => PolicyDecision::NotAllowed,
        },
        explanation: explained.to_string(),
        statements: explained.statements.into_iter().map(shown).collect(),
    })
}

/// A user as its keys act. A group acts as nobody, and a role before it is assumed: their policies are asked as if
/// somebody had them alone.
async fn of_holder(cx: &Context, rd: &mut Reader, named: Named<'_>) -> Result<Identity> {
    let (account, compiled) = (&cx.scope().account, cx.app.keys.compiled());
    if let Named { user: Some(name), group: None, role: None } = named {
        // The root user, whom nothing is to be asked about, is none of these.
        let name = user::existing(rd, account, name).await?.holder.name;
        return identity_of(rd, compiled, account, &name).await?.ok_or_else(|| not_found("user", name));
    }
    let Holder { kind, id, name, .. } = named.find(rd, account).await?;
    let bearing = policies_of(rd, account, &id).await?;
    let policies = compile(compiled, &kind.arn(account, &name), &bearing);
    Ok(Identity { principal: anybody(account), policies })
}

fn of_documents(account: &str, documents: &[String]) -> Result<Identity> {
    let mut policies = Policies::default();
    for (index, document) in documents.iter().enumerate() {
        let policy = check_document("policyDocuments", document, Attachment::Managed)?;
        policies.identity.push(Arc::new(NamedPolicy { name: format!("document {}", index + 1), policy }));
    }
    Ok(Identity { principal: anybody(account), policies })
}

/// Some user of the account.
fn anybody(account: &str) -> Principal {
    Principal::user(account, "anybody", "AIDAANYBODY")
}

fn shown(report: StatementReport<'_>) -> SimulatedStatement {
    let of = report.statement;
    SimulatedStatement {
        applies: report.applies,
        effect: match report.effect {
            Effect::Allow => PolicyEffect::Allow,
            Effect::Deny => PolicyEffect::Deny,
        },
        layer: match of.layer {
            Layer::Identity => PolicyLayer::Identity,
            Layer::Boundary => PolicyLayer::Boundary,
            Layer::Session => PolicyLayer::Session,
        },
        policy: of.policy.to_owned(),
        sid: of.sid.map(str::to_owned),
        statement: i32::try_from(of.index + 1).unwrap_or(i32::MAX),
        why: report.why,
    }
}
