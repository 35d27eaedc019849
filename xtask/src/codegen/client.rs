//! The client's generated part: one method an operation, the paginators, the waiters.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};

use super::model::{Acceptor, Matcher, Verdict};
use super::names::{constant, field, snake};
use super::schema::Schema;

pub(crate) fn methods(schema: &Schema) -> String {
    let mut out = String::from(
        "//! One method for each operation.

use protium_api::types::*;
use crate::{Client, Error};

impl Client {
",
    );
    for (name, operation) in &schema.operations {
        let (method, input, output) = (snake(name), &operation.input, &operation.output);
        let _ = write!(
            out,
            "
/// Calls `{name}`.
///
/// # Errors
/// As [`Client::call`].
pub async fn {method}(&self, input: {input}) -> Result<{output}, Error> {{
    self.call(&input).await
}}
"
        );
    }
    out.push_str("}\n");
    out
}

pub(crate) fn paginators(schema: &Schema) -> Result<String> {
    let mut out = String::from(
        "//! The operations whose results come in pages.

use protium_api::types::*;
use crate::Paginated;
",
    );
    for (name, operation) in &schema.operations {
        let Some(paginator) = &operation.paginator else { continue };
        let (input, output) = (&operation.input, &operation.output);
        let member = |shape: &str, member: &str| {
            let members = &schema.shape(shape)?.members;
            let reference = members.get(member).with_context(|| format!("paginator of {name}: no member {member}"))?;
            Ok::<_, anyhow::Error>(reference.shape.clone())
        };
        member(input, &paginator.input_token)?;
        member(output, &paginator.output_token)?;
        let list = schema.rust_type(&member(output, &paginator.result_key)?)?;
        let item = list.strip_prefix("Vec<").and_then(|rest| rest.strip_suffix('>'));
        let item = item.with_context(|| format!("paginator of {name}: the results are no list"))?;
        ensure!(schema.required(output, &paginator.result_key), "paginator of {name}: the results may be absent");
        write!(
            out,
            "
impl Paginated for {input} {{
    type Item = {item};

    fn set_token(&mut self, token: String) {{
        self.{} = Some(token);
    }}

    fn split(output: {output}) -> (Vec<{item}>, Option<String>) {{
        (output.{}, output.{})
    }}
}}
",
            field(&paginator.input_token)?,
            field(&paginator.result_key)?,
            field(&paginator.output_token)?,
        )?;
    }
    Ok(out)
}

pub(crate) fn waiters(schema: &Schema) -> Result<String> {
    let mut out = String::from(
        "//! What can be waited for.

use std::time::Duration;

use protium_api::{ErrorCode, Operation};
use protium_api::types::*;
use crate::wait::{Acceptor, Condition, Pace, Verdict, WaitError, Waiter};
use crate::Client;
",
    );
    let (mut methods, mut all) = (String::new(), String::new());
    for (name, waiter) in &schema.waiters {
        let operation = schema.operations.get(&waiter.operation);
        let operation = operation.with_context(|| format!("waiter {name}: no operation {}", waiter.operation))?;
        let (input, output) = (&operation.input, &operation.output);
        let constant = constant(name);
        let mut acceptors = String::new();
        for one in &waiter.acceptors {
            acceptors.push_str(&acceptor(schema, output, one).with_context(|| format!("waiter {name}"))?);
        }
        write!(
            out,
            "
/// Polls `{0}`.
pub const {constant}: Waiter = Waiter {{
    name: {name:?},
    operation: Operation::{0},
    pace: Pace {{ delay: Duration::from_secs({1}), max_attempts: {2} }},
    acceptors: &[{acceptors}],
}};
",
            waiter.operation, waiter.delay, waiter.max_attempts
        )?;
        write!(all, "{constant},")?;
        write!(
            methods,
            "
/// Waits until [`{constant}`] says so; `pace` replaces the waiter's own.
///
/// # Errors
/// [`WaitError`] if it will not be so, is not so in time, or can't be asked for.
pub async fn wait_until_{}(&self, input: {input}, pace: Option<Pace>) -> Result<Option<{output}>, WaitError> {{
    self.wait(&{constant}, &input, pace).await
}}
",
            snake(name)
        )?;
    }
    write!(
        out,
        "\n/// Every waiter, by name.\npub const ALL: &[Waiter] = &[{all}];\n\nimpl Client {{\n{methods}\n}}\n"
    )?;
    Ok(out)
}

fn acceptor(schema: &Schema, output: &str, acceptor: &Acceptor) -> Result<String> {
    let verdict = match acceptor.state {
        Verdict::Success => "Success",
        Verdict::Failure => "Failure",
    };
    let expected = &acceptor.expected;
    let condition = match (acceptor.matcher, &acceptor.argument) {
        (Matcher::Error, _) => {
            let code = expected.strip_suffix("Exception").with_context(|| format!("{expected} is no Exception"))?;
            format!("Condition::Fails(ErrorCode::{code})")
        }
        (Matcher::Path, Some(path)) => {
            let mut shape = output;
            for member in path.split('.') {
                let reference = schema.shape(shape)?.members.get(member);
                shape = &reference.with_context(|| format!("{shape} has no member {member}"))?.shape;
            }
            ensure!(schema.shape(shape)?.values.contains(expected), "{shape} has no value {expected}");
            let path: Vec<&str> = path.split('.').collect();
            format!("Condition::Answers {{ path: &{path:?}, value: {expected:?} }}")
        }
        (Matcher::Path, None) => bail!("a path acceptor names no path"),
    };
    Ok(format!("Acceptor {{ condition: {condition}, verdict: Verdict::{verdict} }},"))
}
