//! Decisions of policies compared with those of iam-rs, which was written by others from the same documentation.
//!
//! On documents and requests of the language that both understand they agree, for any that a generator thinks of.
//! Where they do not, a row of [`DIFFERENCES`] shows it with the reason, and the generator stays clear of it: a row
//! that no longer shows a difference fails, so that it is taken out and the generator goes there, too.

use iam_rs::{Arn, ContextValue, IAMPolicy, IAMRequest, PolicyEvaluator, Principal as TheirPrincipal, PrincipalId};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use protium_domain::iam::{
    Attachment, Context, Decision, IdentityPolicy, NamedPolicy, Policies, Principal, Request, summary,
};
use serde_json::{Value, json};
use std::sync::Arc;

const ACCOUNT: &str = "111122223333";

/// What is asked, in terms of both.
#[derive(Clone, Debug)]
struct Case {
    document: Value,
    action: &'static str,
    resource: String,
    context: Vec<(&'static str, Given)>,
}

/// A value of the context.
#[derive(Clone, Debug)]
enum Given {
    Text(&'static str),
    Bool(bool),
    Texts(Vec<&'static str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Allow,
    Deny,
    Neither,
    /// The document or the request is refused.
    Refused,
}

use Answer::{Allow, Deny, Neither, Refused};

fn ada() -> Principal {
    let mut ada = Principal::user(ACCOUNT, "ada", "AIDAEXAMPLE");
    ada.tags.push(("team".into(), "blue".into()));
    ada
}

fn ours(case: &Case) -> Answer {
    let policy = match IdentityPolicy::parse(&case.document.to_string(), Attachment::Role) {
        Ok(policy) => policy,
        Err(problems) => {
            assert!(!summary(&problems).is_empty());
            return Refused;
        }
    };
    let named = |policy| Arc::new(NamedPolicy { name: "it".into(), policy });
    let mut context = Context::new();
    for (key, given) in &case.context {
        context = match given {
            Given::Text(text) => context.with(*key, *text),
            Given::Bool(value) => context.with(*key, value.to_string()),
            Given::Texts(texts) => context.with_all(*key, texts.iter().copied()),
        };
    }
    let ada = ada();
    let request = Request { principal: &ada, action: case.action, resource: &case.resource, context: &context };
    let again = IdentityPolicy::parse(&policy.to_json().to_string(), Attachment::Role);
    let policies = Policies { identity: vec![named(policy)], ..Policies::default() };
    let printed =
        Policies { identity: vec![named(again.expect("what is printed is understood"))], ..Policies::default() };
    let decision = policies.decide(&request);
    assert_eq!(decision, printed.decide(&request));
    assert_eq!(decision, policies.explain(&request).decision);
    match decision {
        Decision::Allowed { .. } => Allow,
        Decision::Denied { .. } => Deny,
        Decision::NotAllowed { .. } => Neither,
    }
}

fn theirs(case: &Case) -> Answer {
    let Ok(policy) = IAMPolicy::from_json(&case.document.to_string()) else { return Refused };
    let Ok(resource) = Arn::parse(&case.resource) else { return Refused };
    let ada = ada();
    let mut context = iam_rs::Context::new()
        .with_string("aws:username", "ada")
        .with_string("aws:PrincipalArn", ada.arn.clone())
        .with_string("aws:PrincipalTag/team", "blue");
    for (key, given) in &case.context {
        let value = match given {
            Given::Text(text) => ContextValue::String((*text).to_owned()),
            Given::Bool(value) => ContextValue::Boolean(*value),
            Given::Texts(texts) => ContextValue::StringList(texts.iter().map(|text| (*text).to_owned()).collect()),
        };
        context.insert((*key).to_owned(), value);
    }
    let principal = TheirPrincipal::Aws(PrincipalId::String(ada.arn));
    let request = IAMRequest::new_with_context(principal, case.action, resource, context);
    match PolicyEvaluator::with_policies(vec![policy]).evaluate(&request).map(|result| result.decision) {
        Ok(iam_rs::Decision::Allow) => Allow,
        Ok(iam_rs::Decision::Deny) => Deny,
        Ok(iam_rs::Decision::NotApplicable) => Neither,
        Err(_) => Refused,
    }
}

// ── What both understand ───────────────────────────────────────────────────────────────────────────────────────────

const ACTIONS: &[&str] = &["proton:GetService", "proton:CreateService", "proton:ListServices", "proton:TagResource"];

const ACTION_PATTERNS: &[&str] = &[
    "*",
    "proton:*",
    "proton:GetService",
    "PROTON:getservice",
    "proton:Get*",
    "proton:*Service",
    "proton:?etService",
    "proton:*Service*",
    "proton:List*",
    "s3:*",
    "iam:PassRole",
    "codestar-connections:UseConnection",
];

const RESOURCES: &[&str] = &[
    "arn:aws:proton:us-east-1:111122223333:service/ada",
    "arn:aws:proton:us-east-1:111122223333:service/shop",
    "arn:aws:proton:eu-west-1:111122223333:service/shop/service-instance/blue-1",
    "arn:aws:proton:us-east-1:444455556666:environment/dev",
    "arn:aws:proton:us-east-1:111122223333:environment-template/base:1.0",
    "arn:aws-cn:proton:cn-north-1:111122223333:component/c*d",
];

/// A pattern made of a resource: parts of its segments become wildcards or variables.
fn resource_pattern() -> impl Strategy<Value = String> {
    let holes = prop::collection::vec((3..6usize, 0..40usize, 0..20usize, any::<bool>()), 0..4);
    let made = (select(RESOURCES), holes).prop_map(|(resource, holes)| {
        let mut segments: Vec<Vec<char>> = resource.splitn(6, ':').map(|segment| segment.chars().collect()).collect();
        for (segment, from, length, is_star) in holes {
            let segment = &mut segments[segment];
            let from = from.min(segment.len());
            let to = (from + length).min(segment.len());
            if is_star {
                segment.splice(from..to, ['*']);
            } else if from < segment.len() {
                segment[from] = '?';
            }
        }
        segments.iter().map(|segment| segment.iter().collect::<String>()).collect::<Vec<_>>().join(":")
    });
    let with_variables = select(
        &[
            "arn:aws:proton:*:*:service/${aws:username}",
            "arn:aws:proton:*:*:service/*/service-instance/${aws:PrincipalTag/team}-*",
            "arn:aws:proton:*:*:environment/${aws:PrincipalTag/stage, 'dev'}",
        ][..],
    );
    prop_oneof![2 => Just("*".to_owned()), 6 => made, 2 => with_variables.prop_map(str::to_owned)]
}

/// Operators, keys and values that go together.
const CONDITIONS: &[(&[&str], &str, &[&str])] = &[
    (
        &["StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"],
        "aws:RequestTag/team",
        &["blue", "Blue", "red", "b*"],
    ),
    (&["StringLike", "StringNotLike"], "aws:RequestTag/team", &["*", "b*", "?lue", "*e*", "RED"]),
    (
        &[
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
        ],
        "x:size",
        &["0", "10", "10.0", "9.5", "-3"],
    ),
    (
        &[
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
        ],
        "aws:CurrentTime",
        &["2026-11-23T00:00:00Z", "2026-11-23T01:00:00+01:00", "1795392000", "1795392000.5", "2020-01-01T00:00:00Z"],
    ),
    (&["Bool"], "aws:SecureTransport", &["true", "false"]),
    (
        &["IpAddress", "NotIpAddress"],
        "aws:SourceIp",
        &["203.0.113.0/24", "203.0.113.7", "0.0.0.0/0", "2001:db8::/32", "2001:db8::7", "198.51.100.0/25"],
    ),
    (
        &["ArnLike", "ArnNotLike"],
        "aws:SourceArn",
        &["arn:aws:sns:*:111122223333:t*", "arn:aws:sns:eu-?est-1:*:*", "arn:aws:sqs:*:*:*"],
    ),
];

const SET_OPERATORS: &[&str] = &[
    "ForAllValues:StringEquals",
    "ForAllValues:StringNotEquals",
    "ForAllValues:StringLike",
    "ForAllValues:StringNotLike",
    "ForAllValues:StringEqualsIgnoreCase",
    "ForAnyValue:StringEquals",
    "ForAnyValue:StringNotEquals",
    "ForAnyValue:StringLike",
    "ForAnyValue:StringNotLike",
    "ForAnyValue:StringNotEqualsIgnoreCase",
];

fn condition() -> impl Strategy<Value = (String, &'static str, Value)> {
    let plain = (select(CONDITIONS), any::<prop::sample::Index>(), any::<bool>()).prop_flat_map(|row| {
        let ((operators, key, values), index, if_exists) = row;
        let operator = format!("{}{}", index.get(operators), if if_exists { "IfExists" } else { "" });
        (Just(operator), Just(key), values_of(values))
    });
    let sets = (select(SET_OPERATORS).prop_map(str::to_owned), Just("aws:TagKeys"), values_of(&["team", "c*", "Cost"]));
    let keys = select(&["aws:RequestTag/team", "x:size", "aws:TagKeys"][..]);
    let null = (Just("Null".to_owned()), keys, select(&["true", "false"][..]).prop_map(Value::from));
    prop_oneof![6 => plain, 2 => sets, 1 => null]
}

fn values_of(values: &'static [&'static str]) -> impl Strategy<Value = Value> {
    subsequence(values, 1..=values.len().min(3)).prop_map(|values| match values.as_slice() {
        [value] => json!(value),
        values => json!(values),
    })
}

fn patterns_of<S: Strategy<Value = String> + 'static>(
    name: &'static str,
    patterns: S,
) -> impl Strategy<Value = (String, Value)> {
    (any::<bool>(), prop::collection::vec(patterns, 1..4)).prop_map(move |(is_not, patterns)| {
        let name = if is_not { format!("Not{name}") } else { name.to_owned() };
        (name, if patterns.len() == 1 { json!(patterns[0]) } else { json!(patterns) })
    })
}

fn statement() -> impl Strategy<Value = Value> {
    let effect = prop_oneof![2 => Just("Allow"), 1 => Just("Deny")];
    let actions = patterns_of("Action", select(ACTION_PATTERNS).prop_map(str::to_owned));
    let resources = patterns_of("Resource", resource_pattern());
    (effect, actions, resources, prop::collection::vec(condition(), 0..3)).prop_map(|parts| {
        let (effect, (action, actions), (resource, resources), conditions) = parts;
        let mut statement = json!({ "Effect": effect, action: actions, resource: resources });
        let mut block = json!({});
        for (operator, key, values) in conditions {
            block[operator][key] = values;
        }
        statement["Condition"] = block;
        statement
    })
}

fn context() -> impl Strategy<Value = Vec<(&'static str, Given)>> {
    let text = |key: &'static str, values: &'static [&'static str]| {
        prop::option::of(select(values)).prop_map(move |value| value.map(|value| (key, Given::Text(value))))
    };
    // An empty list is among the differences.
    let tags = prop::option::of(subsequence(vec!["team", "cost", "Cost"], 1..=3));
    (
        text("AWS:requesttag/TEAM", &["blue", "Blue", "red", "ada"]),
        text("x:size", &["10", "9.50", "-3.0", "11", "many"]),
        text("aws:CurrentTime", &["2026-11-23T00:00:00Z", "1795392000", "2026-11-24T00:00:00.5Z", "soon"]),
        prop::option::of(any::<bool>())
            .prop_map(|value| value.map(|value| ("aws:SecureTransport", Given::Bool(value)))),
        text("aws:SourceIp", &["203.0.113.7", "203.0.114.7", "2001:db8::7", "198.51.100.127", "198.51.100.128"]),
        text(
            "aws:SourceArn",
            &["arn:aws:sns:eu-west-1:111122223333:topic", "arn:aws:sns:us-east-1:444455556666:x", "arn:aws:sqs:a:b:c"],
        ),
        tags.prop_map(|tags| tags.map(|tags| ("aws:TagKeys", Given::Texts(tags)))),
    )
        .prop_map(|(a, b, c, d, e, f, g)| [a, b, c, d, e, f, g].into_iter().flatten().collect())
}

fn case() -> impl Strategy<Value = Case> {
    let document = prop::collection::vec(statement(), 1..5)
        .prop_map(|statements| json!({ "Version": "2012-10-17", "Statement": statements }));
    let resource = select(RESOURCES).prop_map(str::to_owned);
    (document, select(ACTIONS), resource, context()).prop_map(|(document, action, resource, context)| Case {
        document,
        action,
        resource,
        context,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_decide_the_same(case in case()) {
        let (ours, theirs) = (ours(&case), theirs(&case));
        prop_assert_ne!(ours, Refused);
        prop_assert_eq!(ours, theirs);
    }
}

/// That the generator says something: each answer comes often enough for an agreement to mean anything.
#[test]
fn generated_cases_have_all_answers() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut counts = [0; 3];
    for _ in 0..600 {
        let case = case().new_tree(&mut runner).expect("a case").current();
        match ours(&case) {
            Allow => counts[0] += 1,
            Deny => counts[1] += 1,
            Neither => counts[2] += 1,
            Refused => panic!("{case:?}"),
        }
    }
    assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
}

// ── What they decide differently ───────────────────────────────────────────────────────────────────────────────────

/// A case in which the two differ.
struct Difference {
    /// Why ours is right, with its source in the IAM User Guide where there is one.
    why: &'static str,
    statement: &'static str,
    resource: &'static str,
    context: &'static [(&'static str, Fixed)],
    ours: Answer,
    theirs: Answer,
}

enum Fixed {
    Text(&'static str),
    Texts(&'static [&'static str]),
}

const SHOP: &str = RESOURCES[1];
const TEMPLATE: &str = RESOURCES[4];

const DIFFERENCES: &[Difference] = &[
    Difference {
        why: "a request may be about no resource, which is `*`; theirs has to be an ARN",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#,
        resource: "*",
        context: &[],
        ours: Allow,
        theirs: Refused,
    },
    Difference {
        why: "a * that is the last character of a segment can match beyond the colon (elements: Resource)",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:proton:*:1.0"}"#,
        resource: TEMPLATE,
        context: &[],
        ours: Allow,
        theirs: Refused,
    },
    Difference {
        why: "the same, with six parts in the pattern",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:proton:us-east-1:*:environment-template/*:1.0"}"#,
        resource: "arn:aws:proton:us-east-1:111122223333:x:environment-template/base:1.0",
        context: &[],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "no wildcard in the service segment (elements: Resource): refused when it is attached, not passed over",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:prot*:*:*:*"}"#,
        resource: SHOP,
        context: &[],
        ours: Refused,
        theirs: Neither,
    },
    Difference {
        why: "ArnEquals and ArnLike behave identically (condition operators): theirs takes the wildcards literally",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:sns:*:*:t*"}}}"#,
        resource: SHOP,
        context: &[("aws:SourceArn", Fixed::Text("arn:aws:sns:eu-west-1:111122223333:topic"))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "each of the six components of an ARN is checked separately (condition operators, with this example)",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:someservice:*:111122223333:finance/*"}}}"#,
        resource: SHOP,
        context: &[(
            "aws:SourceArn",
            Fixed::Text("arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"),
        )],
        ours: Neither,
        theirs: Allow,
    },
    Difference {
        why: "variables may stand in the values of text and ARN conditions (variables); theirs has them in Resource only",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"x:y":"${aws:username}"}}}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Text("ada"))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "${*} is an asterisk (variables, special characters); theirs looks for a key of that name",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"x:y":"a${*}b"}}}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Text("a*b"))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "a variable without a value matches nothing (variables with no value); theirs puts an empty text there",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:proton:*:*:service/${aws:PrincipalTag/none}*"}"#,
        resource: SHOP,
        context: &[],
        ours: Neither,
        theirs: Allow,
    },
    Difference {
        why: "what a variable stands for is literal: a wildcard in a value that the caller chose would open too much",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:proton:*:*:service/${x:y}"}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Text("*"))],
        ours: Neither,
        theirs: Allow,
    },
    Difference {
        why: "variables are single-valued keys (variables); theirs joins several values by commas",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:proton:*:*:service/${x:y}"}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Texts(&["shop"]))],
        ours: Neither,
        theirs: Allow,
    },
    Difference {
        why: "a set whose only value is empty is an empty set (set operators), of which ForAllValues is true",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}}"#,
        resource: SHOP,
        context: &[("aws:TagKeys", Fixed::Texts(&[""]))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "the same, of which ForAnyValue is false",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringLike":{"aws:TagKeys":"*"}}}"#,
        resource: SHOP,
        context: &[("aws:TagKeys", Fixed::Texts(&[""]))],
        ours: Neither,
        theirs: Allow,
    },
    Difference {
        why: "a key with an empty list has no value: Null is true",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"aws:TagKeys":"true"}}}"#,
        resource: SHOP,
        context: &[("aws:TagKeys", Fixed::Texts(&[]))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "several values of Null are alternatives like all others; theirs looks at the first",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"x:y":["true","false"]}}}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Text("a"))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "aws:TagKeys requires a set operator (single-valued vs. multivalued): refused, theirs takes any value",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:TagKeys":"a"}}}"#,
        resource: SHOP,
        context: &[("aws:TagKeys", Fixed::Texts(&["a", "b"]))],
        ours: Refused,
        theirs: Allow,
    },
    Difference {
        why: "a negated operator is the opposite of the other one, also of a key with several values and no quantifier",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"x:y":"a"}}}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Texts(&["a", "b"]))],
        ours: Neither,
        theirs: Allow,
    },
    Difference {
        why: "any operator may have a set quantifier (set operators); theirs has it for texts, ARNs and booleans",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAllValues:NumericLessThan":{"x:y":"3"}}}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Texts(&["1", "2"]))],
        ours: Allow,
        theirs: Refused,
    },
    Difference {
        why: "any operator but Null may have IfExists, with a set quantifier, too; theirs has no such one",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"ForAnyValue:StringEqualsIfExists":{"x:y":"a"}}}"#,
        resource: SHOP,
        context: &[],
        ours: Allow,
        theirs: Refused,
    },
    Difference {
        why: "a boolean of a request is the text true or false; theirs compares those of its own type only",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"x:y":"true"}}}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Text("true"))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "bytes are compared byte for byte (binary operators); theirs ignores case, which is other bytes",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"BinaryEquals":{"x:y":"QUJD"}}}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Text("qujd"))],
        ours: Neither,
        theirs: Allow,
    },
    Difference {
        why: "numbers are compared as they are written; theirs rounds to 53 bits",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"x:y":"9007199254740993"}}}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Text("9007199254740992"))],
        ours: Neither,
        theirs: Allow,
    },
    Difference {
        why: "the forms of the W3C include a date without a time (date operators); theirs does not know them",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2026-11-22"}}}"#,
        resource: SHOP,
        context: &[("aws:CurrentTime", Fixed::Text("2026-11-23T00:00:00Z"))],
        ours: Allow,
        theirs: Refused,
    },
    Difference {
        why: "four digits are a year (W3C), not half an hour after 1970 began",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"2026"}}}"#,
        resource: SHOP,
        context: &[("aws:CurrentTime", Fixed::Text("2025-01-01T00:00:00Z"))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "an IPv4 address that arrives as an IPv6 one is that address",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}}"#,
        resource: SHOP,
        context: &[("aws:SourceIp", Fixed::Text("::ffff:203.0.113.7"))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "case does not matter in letters beyond ASCII either",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEqualsIgnoreCase":{"x:y":"É"}}}"#,
        resource: SHOP,
        context: &[("x:y", Fixed::Text("é"))],
        ours: Allow,
        theirs: Neither,
    },
    Difference {
        why: "a condition key that does not exist is a slip: refused when it is attached",
        statement: r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipleTag/a":"b"}}}"#,
        resource: SHOP,
        context: &[],
        ours: Refused,
        theirs: Deny,
    },
    Difference {
        why: "so is an action of ours that no operation has",
        statement: r#"{"Effect":"Deny","NotAction":"proton:GetServces","Resource":"*"}"#,
        resource: SHOP,
        context: &[],
        ours: Refused,
        theirs: Deny,
    },
    Difference {
        why: "so is an element that does not exist: a Condition of another name would restrict nothing",
        statement: r#"{"Effect":"Allow","Action":"*","Resource":"*","Conditions":{"Bool":{"aws:SecureTransport":"true"}}}"#,
        resource: SHOP,
        context: &[],
        ours: Refused,
        theirs: Allow,
    },
    Difference {
        why: "Principal can't be in a policy of an identity (grammar)",
        statement: r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/ada"},"Action":"*","Resource":"*"}"#,
        resource: SHOP,
        context: &[],
        ours: Refused,
        theirs: Allow,
    },
];

/// The older version has no variables (elements: Version): a difference of documents, not of a statement.
#[test]
fn only_ours_knows_that_the_older_version_has_no_variables() {
    let document = json!({ "Version": "2008-10-17", "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "arn:aws:proton:*:*:service/${aws:username}" },
    ] });
    let case = Case { document, action: ACTIONS[0], resource: RESOURCES[0].to_owned(), context: Vec::new() };
    assert_eq!((ours(&case), theirs(&case)), (Neither, Allow));
}

#[test]
fn each_difference_is_there_and_has_its_reason() {
    let mut wrong = Vec::new();
    for difference in DIFFERENCES {
        let statement: Value = serde_json::from_str(difference.statement).expect(difference.statement);
        let given = difference.context.iter().map(|(key, value)| match value {
            Fixed::Text(text) => (*key, Given::Text(*text)),
            Fixed::Texts(texts) => (*key, Given::Texts(texts.to_vec())),
        });
        let case = Case {
            document: json!({ "Version": "2012-10-17", "Statement": [statement] }),
            action: ACTIONS[0],
            resource: difference.resource.to_owned(),
            context: given.collect(),
        };
        assert_ne!(difference.ours, difference.theirs, "{}", difference.why);
        let found = (ours(&case), theirs(&case));
        if found != (difference.ours, difference.theirs) {
            wrong.push(format!("{}: ours {:?}, theirs {:?}", difference.why, found.0, found.1));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
