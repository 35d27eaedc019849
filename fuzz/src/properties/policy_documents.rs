//! Policy documents: one; after a line of `=====` a request, a line each: action, resource, then `key=value`.
//!
//! What is refused says where, what and what would be right. What is understood is decided, with an explanation that
//! says the same, and read again from what is printed of it, it decides the same once more.

use std::sync::Arc;

use protium_domain::iam::{
    Attachment, Context, Decision, IdentityPolicy, NamedPolicy, Policies, Principal, PrincipalKind, Problem, Request,
    TrustPolicy,
};

use super::texts;

/// The request of an input that has none.
const REQUEST: &str = "proton:CreateService\narn:aws:proton:eu-west-1:111122223333:service/shop\naws:SourceIp=203.0.113.7\n\
                       aws:CurrentTime=2026-11-23T00:00:00Z\naws:RequestTag/team=blue\naws:TagKeys=team\n\
                       aws:TagKeys=cost\nproton:ServiceTemplate=arn:aws:proton:eu-west-1:111122223333:service-template/a";

/// As the policy of an identity and as one of trust.
pub fn check(input: &[u8]) {
    let texts = texts(input);
    let document = texts.first().map_or("", String::as_str);
    let request = texts.get(1).map_or(REQUEST, String::as_str);
    match IdentityPolicy::parse(document, Attachment::Managed) {
        Ok(policy) => decided(&policy, request),
        Err(problems) => told(&problems),
    }
    match TrustPolicy::parse(document) {
        Ok(policy) => assumed(&policy, request),
        Err(problems) => told(&problems),
    }
}

fn told(problems: &[Problem]) {
    assert!(!problems.is_empty(), "refused without a reason");
    for problem in problems {
        assert!(!problem.message.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
        assert!(problem.place.is_empty() || problem.place.starts_with('/'), "{problem:?}");
    }
}

fn decided(policy: &IdentityPolicy, text: &str) {
    let printed = policy.to_json().to_string();
    // A list of one is printed where a single text was read, so that what was short enough may be a little too long.
    let again = IdentityPolicy::parse(&printed, Attachment::Role);
    let again = match again {
        Ok(again) => again,
        Err(problems) if printed.len() > Attachment::Role.limit() => return told(&problems),
        Err(problems) => panic!("{problems:?}\n{printed}"),
    };
    assert_eq!(again.to_json(), policy.to_json());
    let policies = |policy: &IdentityPolicy| {
        let named = Arc::new(NamedPolicy { name: "p".to_owned(), policy: policy.clone() });
        Policies { identity: vec![named], ..Policies::default() }
    };
    let (policies, again) = (policies(policy), policies(&again));
    for principal in principals() {
        asked(text, &principal, |request| {
            let decision = policies.decide(request);
            assert_eq!(decision, again.decide(request), "{printed}");
            let explanation = policies.explain(request);
            assert_eq!(explanation.decision, decision);
            assert!(!explanation.to_string().is_empty());
            assert_eq!(decision.denial(request).is_none(), decision.is_allowed());
            if let Decision::Allowed { by: Some(by) } | Decision::Denied { by } = decision {
                assert!(explanation.statements.iter().any(|report| report.applies && report.statement == by));
            }
        });
    }
}

fn assumed(policy: &TrustPolicy, text: &str) {
    let printed = policy.to_json().to_string();
    let again = match TrustPolicy::parse(&printed) {
        Ok(again) => again,
        Err(problems) if printed.len() > Attachment::Trust.limit() => return told(&problems),
        Err(problems) => panic!("{problems:?}\n{printed}"),
    };
    for principal in principals() {
        asked(text, &principal, |request| {
            assert_eq!(policy.allows(request), again.allows(request), "{printed}");
        });
    }
}

fn principals() -> [Principal; 3] {
    let mut user = Principal::user("111122223333", "ada", "AIDAEXAMPLE");
    user.tags.push(("team".to_owned(), "blue".to_owned()));
    let provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com".to_owned();
    let session = Principal {
        kind: PrincipalKind::Session {
            role: "arn:aws:iam::111122223333:role/ci".to_owned(),
            issued_at: "2026-09-21T14:13:20Z".to_owned(),
        },
        arn: "arn:aws:sts::111122223333:assumed-role/ci/b1".to_owned(),
        ..user.clone()
    };
    let federated =
        Principal { kind: PrincipalKind::Federated { provider: provider.clone() }, arn: provider, ..user.clone() };
    [user, session, federated]
}

/// Asks with a request as it is written. A key that stands there twice has several values.
fn asked(text: &str, principal: &Principal, ask: impl Fn(&Request<'_>)) {
    let mut lines = text.lines();
    let action = lines.next().unwrap_or_default();
    let resource = lines.next().unwrap_or("*");
    let given: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once('=')).take(20).collect();
    let mut context = Context::new();
    for (index, (key, value)) in given.iter().enumerate() {
        let values: Vec<&str> = given.iter().filter(|(other, _)| other == key).map(|(_, value)| *value).collect();
        if given.iter().take(index).any(|(other, _)| other == key) {
            continue;
        }
        context = if values.len() > 1 { context.with_all(*key, values) } else { context.with(*key, *value) };
    }
    ask(&Request { principal, action, resource, context: &context });
}
