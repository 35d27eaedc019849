//! Each test names the section of the IAM User Guide that it follows.

use super::*;
use crate::iam::{Context, Principal};
use serde_json::json;

const HERE: &str = "team";

/// Whether a condition block holds in a context.
fn holds(block: Value, context: &Context<'_>) -> bool {
    let ada = Principal::user("111122223333", "ada", "AIDAEXAMPLE");
    let request = Request { principal: &ada, action: "proton:GetService", resource: "*", context };
    let node = Node::read(&block.to_string()).unwrap();
    let mut problems = Vec::new();
    let conditions = read(&node, true, &Place::ROOT, &mut problems);
    assert_eq!(problems, [], "{block}");
    conditions.iter().all(|condition| condition.holds(&request))
}

fn refused(block: Value) -> String {
    let mut problems = Vec::new();
    read(&Node::read(&block.to_string()).unwrap(), true, &Place::ROOT, &mut problems);
    problems.first().unwrap_or_else(|| panic!("{block} is understood")).to_string()
}

/// Rows of operator, value of the policy, value of the request, and whether they match.
fn table(rows: &[(&str, &str, &str, bool)]) {
    for (operator, policy, request, expected) in rows {
        let context = Context::new().with(format!("x:{HERE}"), *request);
        let key = format!("x:{HERE}");
        assert_eq!(holds(json!({ *operator: { key: policy } }), &context), *expected, "{operator} {policy} {request}");
    }
}

/// "String condition operators".
#[test]
fn texts() {
    table(&[
        ("StringEquals", "a", "a", true),
        ("StringEquals", "a", "A", false),
        ("StringEquals", "a*", "ab", false),
        ("StringNotEquals", "a", "a", false),
        ("StringNotEquals", "a", "b", true),
        ("StringEqualsIgnoreCase", "Blue", "bLUE", true),
        ("StringNotEqualsIgnoreCase", "Blue", "bLUE", false),
        ("StringLike", "a*c?", "abcd", true),
        ("StringLike", "a*", "A", false),
        ("StringNotLike", "a*", "ab", false),
        ("StringNotLike", "a*", "b", true),
        ("StringEquals", "${aws:username}", "ada", true),
        ("StringNotEquals", "${aws:PrincipalTag/none}", "x", true),
        ("StringEquals", "${aws:PrincipalTag/none}", "", false),
        ("StringLike", "${aws:PrincipalTag/none, 'd'}*", "dx", true),
    ]);
}

/// "Numeric condition operators", "Date condition operators".
#[test]
fn numbers_and_dates() {
    table(&[
        ("NumericEquals", "10", "10.0", true),
        ("NumericNotEquals", "10", "11", true),
        ("NumericLessThan", "10", "9", true),
        ("NumericLessThan", "10", "10", false),
        ("NumericLessThanEquals", "10", "10", true),
        ("NumericGreaterThan", "10", "10.01", true),
        ("NumericGreaterThanEquals", "10", "9.99", false),
        ("NumericEquals", "10", "ten", false),
        ("NumericNotEquals", "10", "ten", true),
        ("DateEquals", "2026-11-23T00:00:00Z", "2026-11-23T01:00:00+01:00", true),
        ("DateNotEquals", "2026-11-23", "2026-11-24", true),
        ("DateLessThan", "2020-01-01T00:00:01Z", "1577836800", true),
        ("DateLessThanEquals", "2026", "2026-01-01T00:00:00Z", true),
        ("DateGreaterThan", "2020-01-01T00:00:01Z", "2020-01-01T00:00:01Z", false),
        ("DateGreaterThanEquals", "1577836800", "2020-01-01T00:00:00Z", true),
        ("DateGreaterThan", "2020-01-01", "yesterday", false),
    ]);
}

/// "Boolean", "Binary", "IP address" and "ARN condition operators".
#[test]
fn other_types() {
    table(&[
        ("Bool", "true", "true", true),
        ("Bool", "False", "false", true),
        ("Bool", "false", "no", false),
        ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", true),
        ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "qMLUyxj5vMfSDwvjBKjHC2u2na==", false),
        ("IpAddress", "203.0.113.0/24", "203.0.113.9", true),
        ("IpAddress", "203.0.113.0/24", "203.0.114.9", false),
        ("IpAddress", "203.0.113.0/24", "localhost", false),
        ("NotIpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::1", false),
        ("NotIpAddress", "203.0.113.0/24", "2001:db8::1", true),
        ("ArnEquals", "arn:aws:sns:*:111122223333:t*", "arn:aws:sns:eu-west-1:111122223333:topic", true),
        ("ArnLike", "arn:aws:sns:*:topic", "arn:aws:sns:eu-west-1:111122223333:topic", false),
        ("ArnNotEquals", "arn:aws:sns:*:111122223333:t*", "arn:aws:sns:eu-west-1:111122223333:topic", false),
        ("ArnNotLike", "arn:aws:sns:*:*:t*", "arn:aws:sqs:eu-west-1:111122223333:topic", true),
        ("ArnEquals", "${aws:PrincipalArn}", "arn:aws:iam::111122223333:user/ada", true),
        ("ArnLike", "*", "arn:aws:iam::111122223333:user/ada", true),
    ]);
}

/// "If the key … is not present in the request context, the values do not match"; "...IfExists condition operators";
/// "Condition operator to check existence of condition keys".
#[test]
fn a_key_that_is_absent() {
    let absent = Context::new();
    for (operator, value, expected) in [
        ("StringEquals", "a", false),
        ("StringNotEquals", "a", true),
        ("StringNotEqualsIgnoreCase", "a", true),
        ("StringNotLike", "a", true),
        ("NumericNotEquals", "1", true),
        ("NumericLessThan", "1", false),
        ("DateNotEquals", "2026", true),
        ("NotIpAddress", "10.0.0.0/8", true),
        ("IpAddress", "10.0.0.0/8", false),
        ("ArnNotLike", "arn:*", true),
        ("ArnNotEquals", "arn:*", true),
        ("Bool", "true", false),
        ("Bool", "false", false),
        ("StringEqualsIfExists", "a", true),
        ("StringNotEqualsIfExists", "a", true),
        ("BoolIfExists", "false", true),
        ("ForAnyValue:StringEqualsIfExists", "a", true),
        ("ForAllValues:StringEquals", "a", true),
        ("ForAllValues:StringNotEquals", "a", true),
        ("ForAnyValue:StringEquals", "a", false),
        ("ForAnyValue:StringNotEquals", "a", false),
        ("Null", "true", true),
        ("Null", "false", false),
    ] {
        assert_eq!(holds(json!({ operator: { "x:y": value } }), &absent), expected, "{operator} {value}");
    }
    let present = Context::new().with("x:y", "b");
    assert!(!holds(json!({ "StringEqualsIfExists": { "x:y": "a" } }), &present));
    assert!(holds(json!({ "Null": { "x:y": false } }), &present));
    assert!(holds(json!({ "Null": { "x:y": ["true", "false"] } }), &present));
    assert!(holds(json!({ "Null": { "aws:TagKeys": "true" } }), &Context::new().with_all::<&str>("aws:TagKeys", [])));
}

/// "Single-valued vs. multivalued context keys", evaluation logic for set operators.
#[test]
fn sets() {
    let keys = |keys: &[&'static str]| Context::new().with_all("aws:TagKeys", keys.iter().copied());
    for (operator, values, request, expected) in [
        ("ForAllValues:StringEquals", json!(["a", "b"]), vec!["a", "b"], true),
        ("ForAllValues:StringEquals", json!(["a", "b"]), vec!["a", "c"], false),
        ("ForAllValues:StringEquals", json!(["a", "b"]), vec![], true),
        ("ForAllValues:StringEquals", json!(["a", "b"]), vec![""], true),
        ("ForAllValues:StringNotEquals", json!(["a", "b"]), vec!["c", "d"], true),
        ("ForAllValues:StringNotEquals", json!(["a", "b"]), vec!["a", "d"], false),
        ("ForAllValues:StringLike", json!("key*"), vec!["key1", "key2"], true),
        ("ForAnyValue:StringEquals", json!(["a", "b"]), vec!["b", "c"], true),
        ("ForAnyValue:StringEquals", json!(["a", "b"]), vec!["c"], false),
        ("ForAnyValue:StringEquals", json!(["a", ""]), vec![""], false),
        ("ForAnyValue:StringEquals", json!(["a", "b"]), vec![], false),
        ("ForAnyValue:StringNotEquals", json!(["a", "b"]), vec!["a", "c"], true),
        ("ForAnyValue:StringNotEquals", json!(["a", "b"]), vec!["a", "b"], false),
    ] {
        let block = json!({ operator: { "aws:TagKeys": values } });
        assert_eq!(holds(block, &keys(&request)), expected, "{operator} {values} {request:?}");
    }
    // A single value is a set of one, and several values without a quantifier match if any does.
    assert!(holds(json!({ "ForAllValues:StringEquals": { "x:y": "a" } }), &Context::new().with("x:y", "a")));
    let two = Context::new().with_all("x:y", ["a", "b"]);
    assert!(holds(json!({ "StringEquals": { "x:y": "b" } }), &two));
    assert!(!holds(json!({ "StringNotEquals": { "x:y": "b" } }), &two));
}

/// "Evaluation logic for multiple context keys or values": AND of operators and keys, OR of values, NOR if negated.
#[test]
fn several_operators_keys_and_values() {
    let context = Context::new().with("x:a", "1").with("x:b", "2");
    assert!(holds(
        json!({ "StringEquals": { "x:a": ["0", "1"], "x:b": "2" }, "NumericLessThan": { "x:a": 2 } }),
        &context
    ));
    assert!(!holds(json!({ "StringEquals": { "x:a": "1", "x:b": "3" } }), &context));
    assert!(!holds(json!({ "StringEquals": { "x:a": "1" }, "StringLike": { "x:b": "3" } }), &context));
    assert!(!holds(json!({ "StringNotEquals": { "x:a": ["0", "1"] } }), &context));
    assert!(holds(json!({ "StringNotEquals": { "x:a": ["0", "3"] } }), &context));
    assert!(holds(json!({}), &context) && holds(json!({ "Bool": {} }), &context));
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (block, why) in [
        (json!([]), "the condition is a list; write an object"),
        (json!({ "StringEqual": {} }), "/StringEqual: there is no condition operator 'StringEqual'; did you mean"),
        (json!({ "Bool": "x" }), "/Bool: 'Bool' has a string; write an object of condition keys"),
        (json!({ "Bool": { "aws:SecureTransport": "yes" } }), "/Bool/aws:SecureTransport: 'yes' is no boolean"),
        (json!({ "Bool": { "aws:SecureTransport": [] } }), "/Bool/aws:SecureTransport: the list is empty"),
        (
            json!({ "Bool": { "aws:SecureTransport": [true, {}] } }),
            "/Bool/aws:SecureTransport/1: the value is an object",
        ),
        (json!({ "NumericEquals": { "x:y": "1e3" } }), "/NumericEquals/x:y: '1e3' is no number"),
        (
            json!({ "NumericEquals": { "x:y": "${aws:userid}" } }),
            "/NumericEquals/x:y: '${aws:userid}' is no number, and",
        ),
        (
            json!({ "DateEquals": { "aws:CurrentTime": "23.11.2026" } }),
            "/DateEquals/aws:CurrentTime: '23.11.2026' is no date",
        ),
        (
            json!({ "IpAddress": { "aws:SourceIp": "10.0.0.0/40" } }),
            "/IpAddress/aws:SourceIp: '10.0.0.0/40' is no network",
        ),
        (json!({ "BinaryEquals": { "x:y": "?" } }), "/BinaryEquals/x:y: '?' is no base64"),
        (
            json!({ "StringEquals": { "aws:TagKeys": "a" } }),
            "/StringEquals/aws:TagKeys: 'aws:TagKeys' has several values",
        ),
        (
            json!({ "StringEquals": { "aws:PrincipalTags/a": "a" } }),
            "/StringEquals/aws:PrincipalTags~1a: there is no condition",
        ),
        (json!({ "StringLike": { "x:y": "${x" } }), "/StringLike/x:y: a variable in '${x' has no end"),
        (
            json!({ "StringEquals": { "x:y": "a", "X:Y": "b" } }),
            "/StringEquals/X:Y: 'X:Y' is written twice in different case",
        ),
    ] {
        let told = refused(block);
        assert!(told.starts_with(why), "{told}");
    }
}

#[test]
fn people_are_told_what_is_missing() {
    let ada = Principal::user("111122223333", "ada", "AIDAEXAMPLE");
    let context = Context::new().with("aws:RequestTag/team", "red");
    let request = Request { principal: &ada, action: "proton:CreateService", resource: "*", context: &context };
    let node =
        Node::read(r#"{"StringEquals":{"aws:RequestTag/team":["blue","green"]},"Null":{"aws:TagKeys":"false"}}"#);
    let conditions = read(&node.unwrap(), true, &Place::ROOT, &mut Vec::new());
    let told: Vec<String> = conditions.iter().map(|condition| condition.explain(&request)).collect();
    assert_eq!(
        told,
        [
            "StringEquals aws:RequestTag/team 'blue' or 'green' does not hold: aws:RequestTag/team is 'red'",
            "Null aws:TagKeys 'false' does not hold: aws:TagKeys is not in the request",
        ]
    );
}
