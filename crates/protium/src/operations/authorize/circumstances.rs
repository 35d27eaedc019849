//! What is true of a request whatever it is about: the global condition keys that do not follow from who asks.
//!
//! The keys are those of the IAM User Guide, "AWS global condition context keys".

use crate::operations::Caller;
use protium_domain::iam;

/// The service that roles and connections are handed to.
pub(super) const US: &str = "proton.amazonaws.com";

/// The condition keys of a request that came in at `now` (milliseconds since 1970).
pub(crate) fn circumstances(caller: &Caller, now: i64) -> iam::Context<'_> {
    let (origin, seconds) = (&caller.origin, now.div_euclid(1000));
    let mut context = iam::Context::new()
        .with("aws:EpochTime", seconds.to_string())
        .with("aws:SecureTransport", if origin.is_secure { "true" } else { "false" })
        .with("aws:RequestedRegion", caller.scope.region.as_str())
        .with("aws:ViaAWSService", "false");
    if let Ok(at) = jiff::Timestamp::from_second(seconds) {
        context = context.with("aws:CurrentTime", at.to_string());
    }
    if let Some(address) = origin.source_ip {
        context = context.with("aws:SourceIp", address.to_string());
    }
    if !origin.user_agent.is_empty() {
        context = context.with("aws:UserAgent", origin.user_agent.as_str());
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Identity;
    use crate::operations::Origin;
    use protium_domain::arn::Scope;
    use protium_domain::iam::{Attachment, IdentityPolicy, NamedPolicy, Policies, Principal, Request};
    use serde_json::{Value, json};
    use std::sync::Arc;

    /// Whether a policy with that condition allows a request that came from 203.0.113.7 in November 2026.
    fn holds(condition: Value, known: bool) -> bool {
        let document = json!({
            "Version": "2012-10-17",
            "Statement": { "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition },
        });
        let policy = IdentityPolicy::parse(&document.to_string(), Attachment::Managed).unwrap();
        let policies =
            Policies { identity: vec![Arc::new(NamedPolicy { name: "p".to_owned(), policy })], ..Policies::default() };
        let principal = Principal::user("111122223333", "ada", "AIDAEXAMPLE");
        let origin = Origin {
            source_ip: known.then(|| "203.0.113.7".parse().unwrap()),
            is_secure: known,
            user_agent: if known { "aws-cli/2".to_owned() } else { String::new() },
            ..Origin::new(0)
        };
        let scope = Scope::new("111122223333", "eu-west-1");
        let identity = Arc::new(Identity { principal: principal.clone(), policies });
        let caller = Caller { identity, access_key_id: None, scope, origin };
        let context = circumstances(&caller, 1_795_391_999_999);
        let request = Request { principal: &principal, action: "proton:GetService", resource: "*", context: &context };
        caller.identity.policies.decide(&request).is_allowed()
    }

    #[test]
    fn global_keys_have_what_is_known_of_the_request() {
        for (operator, key, value) in [
            ("IpAddress", "aws:SourceIp", "203.0.113.0/24"),
            ("Bool", "aws:SecureTransport", "true"),
            ("StringLike", "aws:UserAgent", "aws-cli/*"),
            ("StringEquals", "aws:RequestedRegion", "eu-west-1"),
            ("StringEquals", "aws:CurrentTime", "2026-11-22T23:59:59Z"),
            ("DateLessThan", "aws:CurrentTime", "2026-11-23T00:00:00Z"),
            ("DateGreaterThanEquals", "aws:CurrentTime", "2026-11-22T23:59:59Z"),
            ("NumericEquals", "aws:EpochTime", "1795391999"),
            ("Bool", "aws:ViaAWSService", "false"),
        ] {
            assert!(holds(json!({ operator: { key: value } }), true), "{operator} {key}");
        }
    }

    #[test]
    fn what_is_not_known_is_absent() {
        for key in ["aws:SourceIp", "aws:UserAgent"] {
            assert!(holds(json!({ "Null": { key: "true" } }), false), "{key}");
        }
        assert!(holds(json!({ "Bool": { "aws:SecureTransport": "false" } }), false));
    }
}
