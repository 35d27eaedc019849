//! Decisions of policies compared with those of iam-rs, which was written by others from the same documentation.
//!
//! On documents and requests of the language that both understand they agree, for any that a generator thinks of.
//! Where they do not, a row of `iam/differences.rs` shows it with the reason, and the generator stays clear of it: a row
//! that no longer shows a difference fails, so that it is taken out and the generator goes there, too.

#[path = "iam/differences.rs"]
mod differences;

use iam_rs::{Arn, ContextValue, IAMPolicy, IAMRequest, PolicyEvaluator, Principal as TheirPrincipal, PrincipalId};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::RngSeed;
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
    "arn:aws-cn:proton:cn-north-1:111122223333:component/cd",
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

/// That of the environment, else always the same.
fn seed() -> RngSeed {
    match ProptestConfig::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(20_261_123),
        given @ RngSeed::Fixed(_) => given,
    }
}

proptest! {
    // The same cases each time: a difference that nobody knew of is for whoever looks for one with another seed
    // (`PROPTEST_RNG_SEED`), and not for whoever changes something else.
    #![proptest_config(ProptestConfig {
        cases: 2_000, failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default()
    })]

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
