//! What ours and iam-rs decide differently, one by one.

use super::Answer::{Allow, Deny, Neither, Refused};
use super::{ACTIONS, Answer, Case, Given, RESOURCES, ours, theirs};
use serde_json::{Value, json};

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
            Fixed::Text(text) => (*key, Given::Text(text)),
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
