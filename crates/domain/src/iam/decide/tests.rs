//! Each test names the section of the IAM User Guide that it follows.

use super::*;
use crate::iam::{Attachment, Context, Principal};
use serde_json::{Value, json};

const SERVICE: &str = "arn:aws:proton:eu-west-1:111122223333:service/shop";

fn named(name: &str, statements: Value) -> Arc<NamedPolicy> {
    let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let policy = IdentityPolicy::parse(&text, Attachment::Managed).unwrap_or_else(|why| panic!("{why:?}"));
    Arc::new(NamedPolicy { name: name.to_owned(), policy })
}

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

fn deny(action: &str, resource: &str) -> Value {
    json!({ "Sid": "No", "Effect": "Deny", "Action": action, "Resource": resource })
}

fn asked<'a>(principal: &'a Principal, context: &'a Context<'a>) -> Request<'a> {
    Request { principal, action: "proton:GetService", resource: SERVICE, context }
}

fn decide(policies: &Policies) -> String {
    let (ada, context) = (Principal::user("111122223333", "ada", "AIDAEXAMPLE"), Context::new());
    match policies.decide(&asked(&ada, &context)) {
        Decision::Allowed { by } => format!("allowed by {}", by.expect("a statement")),
        Decision::Denied { by } => format!("denied by {by}"),
        Decision::NotAllowed { layer } => format!("not allowed by {layer:?}"),
    }
}

/// "The difference between explicit and implicit denies".
#[test]
fn a_deny_wins_and_what_is_not_mentioned_is_not_allowed() {
    let identity = |policies: Vec<Arc<NamedPolicy>>| decide(&Policies { identity: policies, ..Policies::default() });
    assert_eq!(identity(vec![]), "not allowed by Identity");
    assert_eq!(
        identity(vec![named(
            "a",
            json!([allow("proton:List*", "*"), allow("proton:*", "arn:aws:proton:*:*:environment/*")])
        )]),
        "not allowed by Identity"
    );
    assert_eq!(identity(vec![named("a", json!([allow("proton:get*", "*")]))]), "allowed by a, statement 1");
    let denying = named("b", json!([allow("*", "*"), deny("proton:*", SERVICE)]));
    assert_eq!(identity(vec![named("a", json!(allow("*", "*"))), denying]), "denied by b, statement 2 (No)");
}

/// "IAM JSON policy elements: NotAction", "NotResource".
#[test]
fn all_but_what_is_named() {
    let not = |effect: &str, member: &str, value: &str| {
        let mut statement = json!({ "Effect": effect, "Action": "proton:*", "Resource": "*" });
        if let Value::Object(members) = &mut statement {
            members.remove(member.trim_start_matches("Not"));
            members.insert(member.to_owned(), json!(value));
        }
        decide(&Policies { identity: vec![named("a", json!([statement]))], ..Policies::default() })
    };
    assert_eq!(not("Allow", "NotAction", "proton:Delete*"), "allowed by a, statement 1");
    assert_eq!(not("Allow", "NotAction", "proton:Get*"), "not allowed by Identity");
    assert_eq!(not("Deny", "NotAction", "iam:*"), "denied by a, statement 1");
    assert_eq!(not("Allow", "NotResource", SERVICE), "not allowed by Identity");
    assert_eq!(not("Allow", "NotResource", "arn:aws:proton:*:*:service/other"), "allowed by a, statement 1");
}

/// "Evaluating identity-based policies with boundaries", "Session policies".
#[test]
fn a_boundary_and_a_session_leave_what_both_allow() {
    let all = named("all", json!(allow("*", "*")));
    let reads = named("reads", json!(allow("proton:Get*", "*")));
    let writes = named("writes", json!(allow("proton:Update*", "*")));
    let denies = named("denies", json!(deny("proton:Get*", "*")));
    let with = |boundary: Option<&Arc<NamedPolicy>>, session: Option<Vec<&Arc<NamedPolicy>>>| {
        let session = session.map(|policies| policies.into_iter().cloned().collect());
        decide(&Policies { identity: vec![all.clone()], boundary: boundary.cloned(), session })
    };
    assert_eq!(with(Some(&reads), None), "allowed by all, statement 1");
    assert_eq!(with(Some(&writes), None), "not allowed by Boundary");
    assert_eq!(with(None, Some(vec![&writes, &reads])), "allowed by all, statement 1");
    assert_eq!(with(None, Some(vec![&writes])), "not allowed by Session");
    assert_eq!(with(None, Some(vec![])), "not allowed by Session");
    assert_eq!(with(Some(&reads), Some(vec![&reads, &denies])), "denied by denies, statement 1 (No)");
    let alone = Policies { boundary: Some(all.clone()), session: Some(vec![all]), ..Policies::default() };
    assert_eq!(decide(&alone), "not allowed by Identity");
}

/// "By default, all requests are implicitly denied with the exception of the AWS account root user".
#[test]
fn the_root_user_may_do_everything() {
    let context = Context::new();
    let denies = Policies { identity: vec![named("a", json!(deny("*", "*")))], ..Policies::default() };
    let root = Principal::root("111122223333");
    assert_eq!(denies.decide(&asked(&root, &context)), Decision::Allowed { by: None });
}

/// "Troubleshoot access denied error messages".
#[test]
fn a_denial_names_principal_action_resource_and_reason() {
    let (ada, context) = (Principal::user("111122223333", "ada", "AIDAEXAMPLE"), Context::new());
    let request = asked(&ada, &context);
    let message = |policies: &Policies| policies.decide(&request).denial(&request);
    let start = format!(
        "User: arn:aws:iam::111122223333:user/ada is not authorized to perform: proton:GetService on resource: {SERVICE} "
    );
    let all = named("all", json!(allow("*", "*")));
    let denies = named("denies", json!(deny("*", "*")));
    let of = |identity: &[&Arc<NamedPolicy>]| Policies {
        identity: identity.iter().map(|policy| Arc::clone(policy)).collect(),
        ..Policies::default()
    };
    assert_eq!(message(&of(&[&all])), None);
    assert_eq!(
        message(&of(&[])),
        Some(format!("{start}because no identity-based policy allows the proton:GetService action"))
    );
    assert_eq!(message(&of(&[&denies])), Some(format!("{start}with an explicit deny in an identity-based policy")));
    let bounded = Policies { boundary: Some(denies), ..of(&[&all]) };
    assert_eq!(message(&bounded), Some(format!("{start}with an explicit deny in a permissions boundary")));
    let session = Policies { session: Some(vec![]), ..of(&[&all]) };
    assert_eq!(
        message(&session),
        Some(format!("{start}because no session policy allows the proton:GetService action"))
    );
}

#[test]
fn an_explanation_goes_through_the_statements() {
    let mut ada = Principal::user("111122223333", "ada", "AIDAEXAMPLE");
    ada.tags.push(("team".into(), "blue".into()));
    let context = Context::new().with("aws:ResourceTag/team", "red");
    let condition = json!({ "StringEquals": { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" } });
    let own = json!({ "Sid": "Own", "Effect": "Allow", "Action": "proton:*", "Resource": "*", "Condition": condition });
    let policy = named("dev", json!([allow("proton:List*", "*"), allow("*", "arn:aws:proton:*:*:environment/*"), own]));
    let policies =
        Policies { identity: vec![policy], boundary: Some(named("b", json!(allow("*", "*")))), session: None };
    let told = policies.explain(&asked(&ada, &context)).to_string();
    let expected = format!(
        "not allowed: no statement of an identity-based policy allows it\n  \
           dev, statement 1: Allow is not about proton:GetService\n  \
           dev, statement 2: Allow is not about {SERVICE}\n  \
           dev, statement 3 (Own): Allow StringEquals aws:ResourceTag/team '${{aws:PrincipalTag/team}}' does not hold: \
           aws:ResourceTag/team is 'red'\n  \
           b, statement 1: Allow applies\n"
    );
    assert_eq!(told, expected);
}

/// What a caller has to look up before it asks.
#[test]
fn keys_matter_where_a_statement_about_the_action_looks_at_them() {
    let when = |action: &str, condition: Value| json!({ "Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition });
    let looks = |statement: Value, prefix: &str| {
        let identity = vec![named("a", json!([allow("s3:*", "*"), statement]))];
        Policies { identity, ..Policies::default() }.look_at("proton:GetService", prefix)
    };
    let tags = "aws:ResourceTag/";
    let by_tag = json!({ "StringEquals": { "AWS:resourcetag/team": "blue" } });
    assert!(looks(when("proton:Get*", by_tag.clone()), tags));
    assert!(!looks(when("proton:Get*", by_tag.clone()), "aws:RequestTag/"));
    assert!(!looks(when("proton:Update*", by_tag), tags));
    let variable = "${aws:ResourceTag/team}";
    assert!(looks(when("*", json!({ "StringEquals": { "aws:PrincipalTag/team": variable } })), tags));
    assert!(looks(allow("proton:GetService", &format!("arn:aws:proton:*:*:service/{variable}-*")), tags));
    assert!(looks(
        json!({ "Effect": "Deny", "NotAction": "s3:*", "NotResource": format!("arn:aws:proton:*:*:*{variable}") }),
        tags
    ));
    assert!(!looks(allow("*", "*"), tags));
    let of_session = vec![named("s", json!(when("*", json!({ "Null": { "aws:ResourceTag/team": true } }))))];
    assert!(Policies { session: Some(of_session), ..Policies::default() }.look_at("proton:GetService", tags));
}

#[test]
fn what_every_layer_allows_somewhere_could_be_allowed() {
    let could = |policies: &Policies| policies.could_allow("proton:GetService");
    let one = |statements: Value| vec![named("a", statements)];
    let identity = |statements: Value| Policies { identity: one(statements), ..Policies::default() };
    assert!(!could(&Policies::default()));
    assert!(!could(&identity(json!([allow("proton:List*", "*"), deny("*", "*")]))));
    assert!(could(&identity(json!([deny("*", SERVICE), allow("proton:Get*", SERVICE)]))));
    let within = |session| Policies { session, ..identity(json!(allow("*", "*"))) };
    assert!(could(&within(None)));
    assert!(!could(&within(Some(vec![]))));
    assert!(could(&within(Some(one(json!(allow("proton:GetService", "*")))))));
    let boundary = Some(named("b", json!(allow("s3:*", "*"))));
    assert!(!could(&Policies { boundary, ..identity(json!(allow("*", "*"))) }));
}
