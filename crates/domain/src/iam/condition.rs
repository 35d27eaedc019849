//! Conditions: one operator, one key, the values to compare with.
//!
//! "If you specify multiple values for a single condition key, AWS evaluates the condition using a logical OR"; for a
//! negated operator none may match. "If the key that you specify in a policy condition is not present in the request
//! context, the values do not match and the condition is false. If the policy condition requires that the key is not
//! matched … the condition is true" (IAM User Guide, "Conditions with multiple context keys or values", "IAM JSON
//! policy elements: Condition operators").

use super::glob::{Glob, Style};
use super::json::Node;
use super::key::Key;
use super::operator::{Comparison, Operator, Quantifier, Relation};
use super::problem::{Place, Problem, Wrong, quote};
use super::request::{Found, Request};
use super::value::{Decimal, Network, parse_address, parse_date};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};
use std::fmt;

/// One line of a condition block.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    operator: Operator,
    key: Key,
    /// As they were written.
    values: Vec<Box<str>>,
    test: Test,
}

/// What the values of the policy are once they are understood.
#[derive(Clone, Debug)]
enum Test {
    Text(Vec<Glob>),
    Number(Relation),
    Date(Relation, Vec<i128>),
    Bool(Vec<bool>),
    /// In the one form of base64 that is canonical.
    Binary(Vec<Box<str>>),
    Address(Vec<Network>),
    Null(Vec<bool>),
}

/// Reads a condition block: operator to key to one value or several.
pub(super) fn read(node: &Node, has_variables: bool, place: &Place<'_>, problems: &mut Vec<Problem>) -> Vec<Condition> {
    let Node::Object(operators) = node else {
        let message = format!("the condition is {}", node.kind());
        problems.push(place.problem(message, "write an object of operators, each with its keys"));
        return Vec::new();
    };
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let here = place.member(name);
        let operator = match Operator::parse(name) {
            Ok(operator) => operator,
            Err(wrong) => {
                problems.push(here.wrong(wrong));
                continue;
            }
        };
        let Node::Object(keys) = keys else {
            let message = format!("{} has {}", quote(name), keys.kind());
            problems.push(here.problem(message, "write an object of condition keys, each with its values"));
            continue;
        };
        for (index, (key, values)) in keys.iter().enumerate() {
            let here = here.member(key);
            let differs = |other: &String| other != key && other.eq_ignore_ascii_case(key);
            if keys.iter().take(index).any(|(other, _)| differs(other)) {
                let message = format!("{} is written twice in different case", quote(key));
                problems.push(here.problem(message, "write it once: case does not matter in keys"));
            }
            match texts(values, &here).and_then(|values| Condition::new(operator, key, values, has_variables, &here)) {
                Ok(condition) => conditions.push(condition),
                Err(mut more) => problems.append(&mut more),
            }
        }
    }
    conditions
}

/// The values of a key as texts: "Quotation marks are optional for numeric and Boolean values" (IAM User Guide,
/// "Grammar of the IAM JSON policy language").
fn texts(node: &Node, place: &Place<'_>) -> Result<Vec<Box<str>>, Vec<Problem>> {
    const REMEDY: &str = "write a string, a number or a boolean, or a list of them";
    let text = |node: &Node, place: &Place<'_>| match node {
        Node::Text(text) | Node::Number(text) => Ok(text.as_str().into()),
        Node::Bool(value) => Ok(value.to_string().into()),
        Node::Object(_) | Node::Array(_) | Node::Null => {
            Err(place.problem(format!("the value is {}", node.kind()), REMEDY))
        }
    };
    let Node::Array(items) = node else { return text(node, place).map(|text| vec![text]).map_err(|why| vec![why]) };
    if items.is_empty() {
        return Err(vec![place.problem("the list is empty", "write the values to compare with")]);
    }
    let (mut texts, mut problems) = (Vec::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        match text(item, &place.index(index)) {
            Ok(text) => texts.push(text),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(texts) } else { Err(problems) }
}

impl Condition {
    fn new(
        operator: Operator,
        key: &str,
        values: Vec<Box<str>>,
        has_variables: bool,
        place: &Place<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let key = Key::parse(key).map_err(|wrong| vec![place.wrong(wrong)])?;
        let asks_existence = operator.comparison == Comparison::Null;
        if key.is_multivalued() && operator.quantifier == Quantifier::None && !asks_existence {
            let message = format!("{} has several values in a request", quote(key.as_str()));
            let remedy = format!("write ForAnyValue:{operator} or ForAllValues:{operator}");
            return Err(vec![place.problem(message, remedy)]);
        }
        let test = Test::new(operator.comparison, &values, has_variables).map_err(|wrong| vec![place.wrong(wrong)])?;
        Ok(Self { operator, key, values, test })
    }

    /// Whether it holds for a request.
    pub(super) fn holds(&self, request: &Request<'_>) -> bool {
        let found = request.values(self.key.as_str());
        if let Test::Null(expected) = &self.test {
            return expected.contains(&matches!(found, Found::Nothing));
        }
        let Operator { is_negated, quantifier, if_exists, .. } = self.operator;
        let satisfies = |value: &str| self.test.matches(value, &self.values, request) != is_negated;
        match (quantifier, found) {
            (_, Found::Nothing) if if_exists => true,
            (Quantifier::ForAllValues, found) => found.is_empty_set() || found.all(satisfies),
            (Quantifier::ForAnyValue, found) => !found.is_empty_set() && found.any(satisfies),
            (Quantifier::None, Found::Nothing) => is_negated,
            // A key of several values without a quantifier: any of them may match, and for a negated operator none.
            (Quantifier::None, found) if is_negated => found.all(satisfies),
            (Quantifier::None, found) => found.any(satisfies),
        }
    }

    /// The keys whose values it looks at: its own, and those of its variables.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let globs = if let Test::Text(globs) = &self.test { globs.as_slice() } else { &[] };
        std::iter::once(self.key.as_str()).chain(globs.iter().flat_map(Glob::keys))
    }

    /// What the request has in place of what is wanted, for people.
    pub(super) fn explain(&self, request: &Request<'_>) -> String {
        let found = match request.values(self.key.as_str()) {
            Found::Nothing => "is not in the request".to_owned(),
            Found::One(value) => format!("is {}", quote(value)),
            Found::Many(values) => {
                format!("is {}", values.iter().map(|value| quote(value)).collect::<Vec<_>>().join(" and "))
            }
        };
        format!("{self} does not hold: {} {found}", self.key.as_str())
    }

    /// Adds it to a condition block.
    pub(super) fn print(&self, block: &mut Map<String, Value>) {
        let values = match self.values.as_slice() {
            [value] => json!(value),
            values => json!(values),
        };
        let keys = block.entry(self.operator.to_string()).or_insert_with(|| json!({}));
        if let Value::Object(keys) = keys {
            keys.insert(self.key.as_str().to_owned(), values);
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|value| quote(value)).collect();
        write!(f, "{} {} {}", self.operator, self.key.as_str(), values.join(" or "))
    }
}

impl Test {
    fn new(comparison: Comparison, values: &[Box<str>], has_variables: bool) -> Result<Self, Wrong> {
        let globs = |style| {
            let globs: Result<Vec<Glob>, Wrong> =
                values.iter().map(|value| Glob::parse(value, style, has_variables)).collect();
            globs.map(Self::Text)
        };
        match comparison {
            Comparison::Equals => globs(Style::Exact),
            Comparison::EqualsIgnoreCase => globs(Style::ExactIgnoringCase),
            Comparison::Like => globs(Style::Like),
            Comparison::Arn => globs(Style::Arn),
            Comparison::Number(relation) => {
                each(values, "number", "write an integer or a decimal number, such as 3600", |text| {
                    Decimal::parse(text).map(|_| ())
                })?;
                Ok(Self::Number(relation))
            }
            Comparison::Date(relation) => {
                let remedy = "write it as in 2026-11-23T00:24:00Z, or in seconds since 1970";
                Ok(Self::Date(relation, each(values, "date", remedy, parse_date)?))
            }
            Comparison::Bool => Ok(Self::Bool(each(values, "boolean", "write true or false", truth)?)),
            Comparison::Null => {
                Ok(Self::Null(each(values, "boolean", "write true (the key is absent) or false", truth)?))
            }
            Comparison::Binary => {
                let canonical = |text: &str| Some(BASE64_STANDARD.encode(BASE64_STANDARD.decode(text).ok()?).into());
                Ok(Self::Binary(each(values, "base64", "write the bytes in base64, with padding", canonical)?))
            }
            Comparison::Address => {
                let remedy = "write it in CIDR form, as in 203.0.113.0/24 or 2001:db8::/32";
                Ok(Self::Address(each(values, "network", remedy, Network::parse)?))
            }
        }
    }

    /// Whether a value of the request matches any of the policy. `values` are those as written.
    fn matches(&self, value: &str, values: &[Box<str>], request: &Request<'_>) -> bool {
        match self {
            Self::Text(globs) => globs.iter().any(|glob| glob.matches(value, &|variable| request.variable(variable))),
            Self::Number(relation) => Decimal::parse(value).is_some_and(|number| {
                let mut wanted = values.iter().filter_map(|text| Decimal::parse(text));
                wanted.any(|wanted| relation.holds(number.compare(wanted)))
            }),
            Self::Date(relation, wanted) => {
                parse_date(value).is_some_and(|date| wanted.iter().any(|wanted| relation.holds(date.cmp(wanted))))
            }
            Self::Bool(wanted) => truth(value).is_some_and(|value| wanted.contains(&value)),
            Self::Binary(wanted) => wanted.iter().any(|wanted| **wanted == *value),
            Self::Address(networks) => {
                parse_address(value).is_some_and(|address| networks.iter().any(|network| network.contains(address)))
            }
            // Asked of the key, not of its values.
            Self::Null(_) => false,
        }
    }
}

fn each<T>(values: &[Box<str>], what: &str, remedy: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Wrong> {
    let parsed = values.iter().map(|value| {
        let article = if value.contains("${") { ", and there are no variables here" } else { "" };
        parse(value).ok_or_else(|| (format!("{} is no {what}{article}", quote(value)), remedy.to_owned()))
    });
    parsed.collect()
}

fn truth(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
