//! Each test names the section of the IAM User Guide that it follows.

use super::*;
use crate::iam::holder::HolderKind;
use crate::iam::{Context, Principal, PrincipalKind};
use serde_json::json;

fn statement(members: Value) -> Value {
    let mut statement = json!({ "Effect": "Allow", "Action": "proton:GetService", "Resource": "*" });
    if let (Value::Object(statement), Value::Object(members)) = (&mut statement, members) {
        for (name, value) in members {
            if value.is_null() {
                statement.remove(&name)
            } else {
                statement.insert(name, value)
            };
        }
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

fn refused(document: &Value) -> Vec<String> {
    let problems = IdentityPolicy::parse(&document.to_string(), Attachment::Managed).map(|_| document.to_string());
    problems.expect_err("refused").iter().map(Problem::to_string).collect()
}

/// "Grammar of the IAM JSON policy language".
#[test]
fn documents_as_users_have_them_are_understood() {
    for document in [
        json!({ "Statement": { "Effect": "Deny", "NotAction": "*", "NotResource": ["*"] } }),
        json!({ "Version": "2008-10-17", "Id": "x y", "Statement": [{ "Sid": "", "Effect": "Allow", "Action": ["*"], "Resource": "*" }] }),
        statement(
            json!({ "Action": ["s3:Get*", "iam:PassRole", "codestar-connections:UseConnection", "proton:GetAccountRoles"] }),
        ),
        statement(
            json!({ "Resource": ["arn:aws:s3:::bucket/${aws:username}/*", "arn:*:iam::111122223333:role/*", "arn:aws:s3:*"] }),
        ),
        statement(json!({ "Condition": { "StringEquals": { "s3:x-amz-acl": "private" } } })),
        statement(json!({ "Sid": "A1" })),
    ] {
        let policy = IdentityPolicy::parse(&document.to_string(), Attachment::Managed);
        policy.unwrap_or_else(|problems| panic!("{document}: {problems:?}"));
    }
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (document, why) in [
        (json!([]), "the document is a list; write an object with Version and Statement"),
        (json!({ "Version": "2012-10-17" }), "the document has no Statement; write what it allows or denies"),
        (json!({ "Statement": [] }), "/Statement: Statement is an empty list; write a statement"),
        (json!({ "Statement": "x" }), "/Statement: Statement is a string; write a statement"),
        (json!({ "Statement": ["x"] }), "/Statement/0: the statement is a string; write an object"),
        (
            json!({ "Version": "2026-11-23", "Statement": [] }),
            "/Version: the Version is '2026-11-23'; write \"2012-10-17\"",
        ),
        (
            json!({ "version": "2012-10-17", "Statement": [] }),
            "/version: there is no element 'version'; did you mean Version?",
        ),
        (json!({ "Id": 1, "Statement": [] }), "/Id: the Id is a number; write a string"),
        (
            statement(json!({ "Effects": "Allow" })),
            "/Statement/0/Effects: there is no element 'Effects'; did you mean Effect?",
        ),
        (statement(json!({ "Effect": "allow" })), "/Statement/0/Effect: the Effect is 'allow'; write \"Allow\""),
        (statement(json!({ "Effect": null })), "/Statement/0: the statement has no Effect"),
        (statement(json!({ "Action": null })), "/Statement/0: the statement has no Action; write Action, or NotAction"),
        (
            statement(json!({ "Resource": null })),
            "/Statement/0: the statement has no Resource; write Resource, or NotResource",
        ),
        (
            statement(json!({ "NotAction": "x:y" })),
            "/Statement/0/NotAction: the statement has Action and NotAction; write one",
        ),
        (
            statement(json!({ "NotResource": "*" })),
            "/Statement/0/NotResource: the statement has Resource and NotResource",
        ),
        (
            statement(json!({ "Principal": "*" })),
            "/Statement/0/Principal: Principal can't be in a policy of an identity",
        ),
        (
            statement(json!({ "Sid": "a b" })),
            "/Statement/0/Sid: the Sid 'a b' has other characters than letters and digits",
        ),
        (statement(json!({ "Sid": 1 })), "/Statement/0/Sid: the Sid is a number"),
        (statement(json!({ "Action": [] })), "/Statement/0/Action: the action is an empty list"),
        (statement(json!({ "Action": ["proton:GetService", 1] })), "/Statement/0/Action/1: the action is a number"),
        (statement(json!({ "Action": "GetService" })), "/Statement/0/Action: 'GetService' is no action"),
        (statement(json!({ "Action": "pro*:GetService" })), "/Statement/0/Action: 'pro*:GetService' is no action"),
        (
            statement(json!({ "Action": "proton:${aws:username}" })),
            "/Statement/0/Action: 'proton:${aws:username}' is no action",
        ),
        (
            statement(json!({ "Action": "proton:GetServices" })),
            "/Statement/0/Action: 'proton:GetServices' matches no action; did you mean proton:GetService?",
        ),
        (statement(json!({ "Resource": "service/x" })), "/Statement/0/Resource: 'service/x' is no ARN"),
        (
            statement(json!({ "Resource": "arn:aws:*:*:*:x" })),
            "/Statement/0/Resource: 'arn:aws:*:*:*:x' has no service",
        ),
        (
            statement(json!({ "Resource": "arn:aws:proton:x" })),
            "/Statement/0/Resource: 'arn:aws:proton:x' has fewer than the six parts",
        ),
        (statement(json!({ "Resource": "arn:aws:s3:::${x}" })), "/Statement/0/Resource: 'x' is no condition key"),
        (statement(json!({ "Condition": "x" })), "/Statement/0/Condition: the condition is a string"),
    ] {
        let told = refused(&document);
        assert!(told.iter().any(|told| told.starts_with(why)), "{document}: {told:?}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let document = json!({ "Statement": [
        { "Sid": "a", "Effect": "Allow", "Action": "proton:*", "Resource": "*" },
        { "Sid": "a", "Effect": "Allow", "Action": "proton:*", "Resource": "*" },
        { "Effect": "No", "Action": "x", "Resource": "y" },
    ] });
    assert_eq!(
        refused(&document),
        [
            "/Statement/1/Sid: another statement has the Sid 'a'; give each statement its own",
            "/Statement/2/Effect: the Effect is 'No'; write \"Allow\" or \"Deny\"",
            "/Statement/2/Action: 'x' is no action; write service:Action, such as proton:GetService or proton:Get*, \
             or *; wildcards and variables can't be in the service",
            "/Statement/2/Resource: 'y' is no ARN; write an ARN, such as arn:aws:proton:*:*:service/*, or *",
        ]
    );
}

/// "IAM and AWS STS quotas".
#[test]
fn a_document_has_its_limit_by_what_it_is_attached_to() {
    let long = statement(json!({ "Sid": "a".repeat(3_000) })).to_string();
    assert!(IdentityPolicy::parse(&long, Attachment::Managed).is_ok());
    let problems = IdentityPolicy::parse(&long, Attachment::User).unwrap_err();
    assert!(problems[0].to_string().contains("at most 2048 are allowed"), "{problems:?}");
}

/// "IAM JSON policy elements: Version".
#[test]
fn variables_belong_to_the_newer_version() {
    let text = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:nothing"}}"#;
    assert!(IdentityPolicy::parse(text, Attachment::Managed).is_ok());
    let newer = text.replacen('{', r#"{"Version":"2012-10-17","#, 1);
    assert!(IdentityPolicy::parse(&newer, Attachment::Managed).is_err());
}

#[test]
fn what_is_printed_is_read_again_as_the_same() {
    let text = json!({ "Version": "2012-10-17", "Id": "i", "Statement": [
        { "Sid": "a", "Effect": "Deny", "NotAction": ["s3:*"], "NotResource": ["*"], "Condition": {
            "StringEquals": { "aws:SourceIp": ["a", "b"], "x:y": "1" }, "Bool": { "aws:SecureTransport": "false" } } },
        { "Effect": "Allow", "Action": ["proton:*"], "Resource": ["*"] },
    ] });
    let policy = IdentityPolicy::parse(&text.to_string(), Attachment::Managed).unwrap();
    assert_eq!(policy.to_json(), text);
}

fn trust(principal: Value) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole*" },
    ] })
}

fn session(role: &str, name: &str) -> Principal {
    Principal {
        kind: PrincipalKind::Session {
            role: format!("arn:aws:iam::111122223333:role/{role}"),
            issued_at: "2026-11-23T07:00:00Z".to_owned(),
        },
        arn: format!("arn:aws:sts::111122223333:assumed-role/{role}/{name}"),
        ..Principal::root("111122223333")
    }
}

fn federated(provider: &str) -> Principal {
    let kind = PrincipalKind::Federated { provider: provider.to_owned() };
    Principal { kind, arn: provider.to_owned(), ..Principal::root("") }
}

fn assumes(policy: &TrustPolicy, principal: &Principal, context: &Context<'_>) -> bool {
    let resource = "arn:aws:iam::111122223333:role/deployer";
    policy.allows(&Request { principal, action: "sts:AssumeRole", resource, context })
}

/// "AWS JSON policy elements: Principal".
#[test]
fn a_trust_policy_lets_in_whom_it_names() {
    let ada = Principal::user("111122223333", "ada", "AIDAEXAMPLE");
    let github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
    let service =
        Principal { kind: PrincipalKind::Service { name: "proton.amazonaws.com".into() }, ..Principal::root("") };
    let callers =
        [&ada, &session("ci", "b1"), &Principal::user("444455556666", "bob", "X"), &federated(github), &service];
    for (principal, expected) in [
        (json!("*"), [true, true, true, true, true]),
        (json!({ "AWS": "*" }), [true, true, true, true, true]),
        (json!({ "AWS": "111122223333" }), [true, true, false, false, false]),
        (json!({ "AWS": ["arn:aws:iam::444455556666:root"] }), [false, false, true, false, false]),
        (json!({ "AWS": "arn:aws:iam::111122223333:user/ada" }), [true, false, false, false, false]),
        (json!({ "AWS": "arn:aws:iam::111122223333:role/ci" }), [false, true, false, false, false]),
        (json!({ "AWS": "arn:aws:sts::111122223333:assumed-role/ci/b1" }), [false, true, false, false, false]),
        (json!({ "AWS": "arn:aws:sts::111122223333:assumed-role/ci/b2" }), [false; 5]),
        (json!({ "Federated": github }), [false, false, false, true, false]),
        (json!({ "Service": ["ec2.amazonaws.com", "proton.amazonaws.com"] }), [false, false, false, false, true]),
        (json!({ "AWS": "444455556666", "Federated": github }), [false, false, true, true, false]),
    ] {
        let policy = TrustPolicy::parse(&trust(principal.clone()).to_string()).unwrap();
        let again = TrustPolicy::parse(&policy.to_json().to_string()).unwrap();
        assert_eq!(policy.to_json(), again.to_json());
        for (caller, expected) in callers.iter().zip(expected) {
            assert_eq!(assumes(&again, caller, &Context::new()), expected, "{principal} {}", caller.arn);
        }
    }
}

/// "… the principal ID … helps mitigate the risk of someone escalating their privileges by removing and recreating the
/// user" (IAM User Guide, "AWS JSON policy elements: Principal").
#[test]
fn a_trust_policy_means_the_users_and_roles_that_it_named_and_no_later_ones() {
    let [user, role, session_of] =
        ["iam::111122223333:user/ada", "iam::111122223333:role/ci", "sts::111122223333:assumed-role/ci/b1"]
            .map(|rest| format!("arn:aws:{rest}"));
    let document = trust(json!({ "AWS": [user, role, session_of, "444455556666"], "Service": "ec2.amazonaws.com" }));
    let mut policy = TrustPolicy::parse(&document.to_string()).unwrap();
    let named: Vec<_> =
        policy.named().map(|(arn, named)| (arn.to_owned(), named.kind, named.name.to_owned())).collect();
    assert_eq!(
        named,
        [
            (user.clone(), HolderKind::User, "ada".to_owned()),
            (role.clone(), HolderKind::Role, "ci".to_owned()),
            (session_of.clone(), HolderKind::Role, "ci".to_owned())
        ]
    );
    let ada = |id: &str| Principal::user("111122223333", "ada", id);
    let build = |id: &str| Principal { id: format!("{id}:b1"), ..session("ci", "b1") };
    let may = |policy: &TrustPolicy, caller: &Principal| assumes(policy, caller, &Context::new());
    assert!(may(&policy, &ada("AIDANEW")) && may(&policy, &build("AROANEW")), "whoever has the name");
    policy.bind(&[(user, "AIDA1".into()), (role, "AROA1".into()), (session_of, "AROA1".into())].into());
    assert!(may(&policy, &ada("AIDA1")) && may(&policy, &build("AROA1")));
    assert!(!may(&policy, &ada("AIDA2")) && !may(&policy, &build("AROA2")) && !may(&policy, &ada("AROA1")));
    assert!(may(&policy, &Principal::user("444455556666", "bob", "AIDA3")), "an account is all that is in it");
    // Whoever has the name of somebody who is kept out stays out, and whoever has that of the only one let in, too.
    let ada_arn = "arn:aws:iam::111122223333:user/ada";
    for (members, expected) in [
        (json!({ "Principal": { "AWS": ada_arn } }), [false, false]),
        (json!({ "NotPrincipal": { "AWS": ada_arn } }), [true, false]),
    ] {
        let mut document = trust(json!({ "AWS": "111122223333" }));
        let mut deny = members;
        deny["Effect"] = json!("Deny");
        deny["Action"] = json!("sts:AssumeRole");
        document["Statement"].as_array_mut().unwrap().push(deny);
        let mut policy = TrustPolicy::parse(&document.to_string()).unwrap();
        policy.bind(&[(ada_arn.to_owned(), "AIDA1".to_owned())].into());
        assert_eq!(["AIDA1", "AIDA2"].map(|id| may(&policy, &ada(id))), expected, "{document}");
    }
}

/// GitHub's provider as its users write it: conditions on claims.
#[test]
fn a_trust_policy_has_conditions_on_claims() {
    let provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
    let document = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Federated": provider }, "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": { "token.actions.githubusercontent.com:aud": "sts.amazonaws.com" },
            "StringLike": { "token.actions.githubusercontent.com:sub": "repo:octo-org/octo-repo:*" } },
    }] });
    let policy = TrustPolicy::parse(&document.to_string()).unwrap();
    for (subject, expected) in [("repo:octo-org/octo-repo:ref:refs/heads/main", true), ("repo:octo-org/other:x", false)]
    {
        let context = Context::new()
            .with("token.actions.githubusercontent.com:aud", "sts.amazonaws.com")
            .with("token.actions.githubusercontent.com:sub", subject);
        assert_eq!(assumes(&policy, &federated(provider), &context), expected, "{subject}");
    }
}

#[test]
fn not_principal_denies_all_others() {
    let document = json!({ "Statement": [
        { "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" },
        { "Effect": "Deny", "NotPrincipal": { "AWS": "111122223333" }, "Action": "sts:AssumeRole" },
    ] });
    let policy = TrustPolicy::parse(&document.to_string()).unwrap();
    assert!(assumes(&policy, &Principal::user("111122223333", "ada", "A"), &Context::new()));
    assert!(!assumes(&policy, &Principal::user("444455556666", "bob", "B"), &Context::new()));
}

#[test]
fn a_trust_policy_that_is_not_understood_is_refused() {
    let with = |members: Value| {
        let mut document = trust(json!("*"));
        if let (Some(Value::Object(statement)), Value::Object(members)) =
            (document.pointer_mut("/Statement/0"), members)
        {
            statement.extend(members);
        }
        document
    };
    for (document, why) in [
        (with(json!({ "Resource": "*" })), "/Statement/0/Resource: Resource can't be in a trust policy"),
        (
            with(json!({ "NotPrincipal": "*" })),
            "/Statement/0/NotPrincipal: the statement has Principal and NotPrincipal",
        ),
        (trust(json!({})), "/Statement/0/Principal: the principal is an object"),
        (trust(json!("111122223333")), "/Statement/0/Principal: the principal is '111122223333'"),
        (trust(json!({ "AWS": [] })), "/Statement/0/Principal/AWS: the principal is an empty list"),
        (trust(json!({ "Aws": "*" })), "/Statement/0/Principal/Aws: there is no element 'Aws'; did you mean AWS?"),
        (trust(json!({ "CanonicalUser": "79a5" })), "/Statement/0/Principal/CanonicalUser: there is no element"),
        (trust(json!({ "AWS": "arn:aws:iam::111122223333:user/*" })), "/Statement/0/Principal/AWS: 'arn:aws:iam::1111"),
        (
            trust(json!({ "AWS": "arn:aws:iam::111122223333:group/g" })),
            "/Statement/0/Principal/AWS: 'arn:aws:iam::1111",
        ),
        (trust(json!({ "AWS": "arn:aws:iam::111122223333:user/" })), "/Statement/0/Principal/AWS: 'arn:aws:iam::1111"),
        (
            trust(
                json!({ "AWS": ["arn:aws:sts::111122223333:assumed-role/ci/", "arn:aws:sts::111122223333:assumed-role//b"] }),
            ),
            "/Statement/0/Principal/AWS/1: 'arn:aws:sts::1111",
        ),
        (trust(json!({ "AWS": "1111" })), "/Statement/0/Principal/AWS: '1111' is no principal of the type AWS"),
        (trust(json!({ "Federated": "issuer" })), "/Statement/0/Principal/Federated: 'issuer' is no principal"),
        (trust(json!({ "Service": "*" })), "/Statement/0/Principal/Service: '*' is no principal"),
    ] {
        let problems = TrustPolicy::parse(&document.to_string()).expect_err("refused");
        assert!(problems.iter().any(|problem| problem.to_string().starts_with(why)), "{document}: {problems:?}");
    }
    let alone = r#"{"Statement":{"Effect":"Allow","NotPrincipal":"*","Action":"sts:AssumeRole"}}"#;
    assert!(TrustPolicy::parse(alone).is_err());
    assert!(TrustPolicy::parse(r#"{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}"#).is_err());
}
