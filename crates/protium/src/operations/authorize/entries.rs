//! Which entries of a list its caller sees.
//!
//! A list that is allowed shows all. One that no statement allows and none denies shows what its caller may get: each
//! entry is decided as if it were asked for alone.

use super::{Asked, RESOURCE_TAG, decide, tag, type_of, with_tags, within};
use crate::error::Result;
use crate::operations::Context;
use crate::store::Reader;
use protium_domain::deployment::{Deployment, TargetKind};
use protium_domain::iam::actions::{self, When};

/// What lists show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::operations) enum Shows {
    Everything,
    /// What the caller may get.
    Allowed,
}

/// What is asked about an entry of a list.
pub(in crate::operations) struct Entry {
    arn: String,
    /// What a deployment is one of.
    target: Option<(TargetKind, String)>,
}

impl Entry {
    /// An entry that is a resource.
    pub(in crate::operations) fn new(arn: String) -> Self {
        Self { arn, target: None }
    }

    /// The entry of a deployment: who sees it has to see what it is one of.
    pub(in crate::operations) fn of(arn: String, deployment: &Deployment) -> Self {
        let target = &deployment.target;
        Self { arn, target: Some((target.kind, target.arn.clone())) }
    }
}

/// Keeps the entries that the caller may get: `get` is the action that asks for one.
pub(in crate::operations) async fn retain<T>(
    cx: &Context,
    rd: &mut Reader,
    get: &str,
    entries: Vec<T>,
    entry: impl Fn(&T) -> Entry,
) -> Result<Vec<T>> {
    let dependents = actions::find(get).map_or(&[][..], |action| action.dependent);
    let mut kept = Vec::new();
    for one in entries {
        let Entry { arn, target } = entry(&one);
        let mut is_seen = is_allowed(cx, rd, get, &arn).await?;
        if let Some((kind, arn)) = &target {
            let when = When::DeploymentOf(type_of(*kind));
            for dependent in dependents.iter().filter(|dependent| dependent.when == when) {
                is_seen = is_seen && is_allowed(cx, rd, dependent.action, arn).await?;
            }
        }
        if is_seen {
            kept.push(one);
        }
    }
    Ok(kept)
}

async fn is_allowed(cx: &Context, rd: &mut Reader, action: &str, arn: &str) -> Result<bool> {
    let asked = Asked::of_arn(arn);
    let mut context = within(cx, asked.account());
    if cx.caller.identity.policies.look_at(action, RESOURCE_TAG)
        && let Some((of, resource)) = &asked.found
    {
        context = with_tags(context, tag::of(rd, cx.scope(), of, resource).await?);
    }
    Ok(decide(cx, action, &asked.arn, &context).is_allowed())
}
