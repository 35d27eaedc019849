//! The names of condition operators (IAM User Guide, "IAM JSON policy elements: Condition operators").

use super::problem::{Wrong, quote};
use crate::bundle::problem::did_you_mean;
use std::cmp::Ordering;
use std::fmt;

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equals,
    EqualsIgnoreCase,
    Like,
    Arn,
    Bool,
    Binary,
    Address,
    Number(Relation),
    Date(Relation),
    Null,
}

/// How the value of the request stands to that of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    pub(super) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Name, comparison, and whether it is negated.
const NAMES: &[(&str, Comparison, bool)] = &[
    ("StringEquals", Comparison::Equals, false),
    ("StringNotEquals", Comparison::Equals, true),
    ("StringEqualsIgnoreCase", Comparison::EqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Comparison::EqualsIgnoreCase, true),
    ("StringLike", Comparison::Like, false),
    ("StringNotLike", Comparison::Like, true),
    ("NumericEquals", Comparison::Number(Relation::Equal), false),
    ("NumericNotEquals", Comparison::Number(Relation::Equal), true),
    ("NumericLessThan", Comparison::Number(Relation::Less), false),
    ("NumericLessThanEquals", Comparison::Number(Relation::LessOrEqual), false),
    ("NumericGreaterThan", Comparison::Number(Relation::Greater), false),
    ("NumericGreaterThanEquals", Comparison::Number(Relation::GreaterOrEqual), false),
    ("DateEquals", Comparison::Date(Relation::Equal), false),
    ("DateNotEquals", Comparison::Date(Relation::Equal), true),
    ("DateLessThan", Comparison::Date(Relation::Less), false),
    ("DateLessThanEquals", Comparison::Date(Relation::LessOrEqual), false),
    ("DateGreaterThan", Comparison::Date(Relation::Greater), false),
    ("DateGreaterThanEquals", Comparison::Date(Relation::GreaterOrEqual), false),
    ("Bool", Comparison::Bool, false),
    ("BinaryEquals", Comparison::Binary, false),
    ("IpAddress", Comparison::Address, false),
    ("NotIpAddress", Comparison::Address, true),
    ("ArnEquals", Comparison::Arn, false),
    ("ArnLike", Comparison::Arn, false),
    ("ArnNotEquals", Comparison::Arn, true),
    ("ArnNotLike", Comparison::Arn, true),
    ("Null", Comparison::Null, false),
];

const IF_EXISTS: &str = "IfExists";
const FOR_ALL: &str = "ForAllValues:";
const FOR_ANY: &str = "ForAnyValue:";

/// What a condition asks of a key that has several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    None,
    ForAllValues,
    ForAnyValue,
}

/// A condition operator with its qualifiers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    name: &'static str,
    pub(super) comparison: Comparison,
    pub(super) is_negated: bool,
    pub(super) quantifier: Quantifier,
    /// Whether it holds for a key that the request does not have.
    pub(super) if_exists: bool,
}

impl Operator {
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let (quantifier, rest) = match (text.strip_prefix(FOR_ALL), text.strip_prefix(FOR_ANY)) {
            (Some(rest), _) => (Quantifier::ForAllValues, rest),
            (_, Some(rest)) => (Quantifier::ForAnyValue, rest),
            (None, None) => (Quantifier::None, text),
        };
        let (base, if_exists) = rest.strip_suffix(IF_EXISTS).map_or((rest, false), |base| (base, true));
        let Some((name, comparison, is_negated)) = NAMES.iter().find(|(name, ..)| *name == base) else {
            let message = format!("there is no condition operator {}", quote(text));
            let remedy = match did_you_mean(base, NAMES.iter().map(|(name, ..)| *name)) {
                Some(meant) => format!("did you mean {}?", text.replace(base, meant)),
                None => {
                    "use one of IAM's, such as StringEquals, with ForAnyValue: or IfExists where it is due".to_owned()
                }
            };
            return Err((message, remedy));
        };
        if *comparison == Comparison::Null && (if_exists || quantifier != Quantifier::None) {
            let message = format!("{} qualifies Null, which asks for existence itself", quote(text));
            return Err((message, "write Null alone".to_owned()));
        }
        Ok(Self { name, comparison: *comparison, is_negated: *is_negated, quantifier, if_exists })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.quantifier {
            Quantifier::None => "",
            Quantifier::ForAllValues => FOR_ALL,
            Quantifier::ForAnyValue => FOR_ANY,
        })?;
        f.write_str(self.name)?;
        f.write_str(if self.if_exists { IF_EXISTS } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_reads_back_with_each_qualifier() {
        for (name, comparison, _) in NAMES {
            for prefix in ["", FOR_ALL, FOR_ANY] {
                for suffix in ["", IF_EXISTS] {
                    let text = format!("{prefix}{name}{suffix}");
                    let is_plain = prefix.is_empty() && suffix.is_empty();
                    match Operator::parse(&text) {
                        Ok(operator) => assert_eq!(operator.to_string(), text),
                        Err(_) => assert!(*comparison == Comparison::Null && !is_plain, "{text}"),
                    }
                }
            }
        }
    }

    #[test]
    fn slips_are_refused_with_what_was_meant() {
        for (text, meant) in [
            ("stringEquals", "did you mean StringEquals?"),
            ("ForAnyValue:StringEqual", "did you mean ForAnyValue:StringEquals?"),
            ("StringLikeIfExist", "use one of IAM's"),
            ("ForEachValue:StringLike", "use one of IAM's"),
            ("NullIfExists", "write Null alone"),
            ("", "use one of IAM's"),
        ] {
            let (_, remedy) = Operator::parse(text).expect_err(text);
            assert!(remedy.starts_with(meant), "{text}: {remedy}");
        }
    }
}
