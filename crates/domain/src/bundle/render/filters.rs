//! The service's own filters, for the outputs of components in CloudFormation templates.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value};

use super::column::block;
use super::compat::print;
use crate::bundle::yaml::one_line;

/// Adds the filters.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter("proton_cfn_ecs_task_definition_formatted_env_vars", ecs_environment);
    environment.add_filter("proton_cfn_lambda_function_formatted_env_vars", lambda_environment);
    environment.add_filter("proton_cfn_iam_policy_arns", policy_arns);
    environment.add_filter("proton_cfn_sanitize", sanitize);
}

/// A mapping as the `Environment` of a container definition: a list of `Name` and `Value`.
fn ecs_environment(value: &Value, raw: Option<bool>, kwargs: Kwargs) -> Result<Value, Error> {
    let variables = variables("proton_cfn_ecs_task_definition_formatted_env_vars", value, raw, &kwargs)?;
    let lines: Vec<String> = variables
        .iter()
        .flat_map(|(name, value)| [format!("- Name: {}", one_line(name)), format!("  Value: {}", one_line(value))])
        .collect();
    Ok(Value::from(if lines.is_empty() { "[]".to_owned() } else { block(&lines) }))
}

/// A mapping as the `Variables` of a Lambda function: a mapping of texts.
fn lambda_environment(value: &Value, raw: Option<bool>, kwargs: Kwargs) -> Result<Value, Error> {
    let variables = variables("proton_cfn_lambda_function_formatted_env_vars", value, raw, &kwargs)?;
    let lines: Vec<String> =
        variables.iter().map(|(name, value)| format!("{}: {}", one_line(name), one_line(value))).collect();
    Ok(Value::from(if lines.is_empty() { "{}".to_owned() } else { block(&lines) }))
}

/// Those values of a mapping that are ARNs of IAM policies, as a list.
fn policy_arns(value: &Value) -> Result<Value, Error> {
    let entries = entries("proton_cfn_iam_policy_arns", value)?;
    let lines: Vec<String> =
        entries.iter().filter(|(_, arn)| is_policy_arn(arn)).map(|(_, arn)| format!("- {}", one_line(arn))).collect();
    Ok(Value::from(if lines.is_empty() { "[]".to_owned() } else { block(&lines) }))
}

/// The text itself if nothing in it could be mistaken for syntax.
fn sanitize(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let text = print::text(value);
    if is_word(&text) || is_arn(&text) {
        return Ok(value.clone());
    }
    Err(illegal(&text, " or be a valid ARN"))
}

/// Names and values; `raw=False` takes only words.
fn variables(filter: &str, value: &Value, raw: Option<bool>, kwargs: &Kwargs) -> Result<Vec<(String, String)>, Error> {
    let raw = match raw {
        Some(raw) => raw,
        None => kwargs.get::<Option<bool>>("raw")?.unwrap_or(true),
    };
    kwargs.assert_all_used()?;
    let entries = entries(filter, value)?;
    if !raw && let Some(bad) = entries.iter().flat_map(|(name, value)| [name, value]).find(|text| !is_word(text)) {
        return Err(illegal(bad, ""));
    }
    Ok(entries)
}

/// The entries of a mapping; what is no text becomes its JSON.
fn entries(filter: &str, value: &Value) -> Result<Vec<(String, String)>, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if value.kind() != ValueKind::Map {
        let message = format!("the filter `{filter}` takes a mapping of names to values, not a {}", value.kind());
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    value
        .try_iter()?
        .map(|key| {
            let item = value.get_item(&key)?;
            let text = match item.as_str() {
                Some(text) => text.to_owned(),
                None => super::compat::json::compact(&item)?,
            };
            Ok((print::text(&key), text))
        })
        .collect()
}

fn illegal(text: &str, or: &str) -> Error {
    let message = format!("Illegal character(s) detected in \"{text}\". Must match regex ^[a-zA-Z0-9_-]*${or}");
    Error::new(ErrorKind::InvalidOperation, message)
}

/// `^[a-zA-Z0-9_-]*$`
fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// `^arn:[a-zA-Z-]+:iam::\d{12}:policy/`
fn is_policy_arn(text: &str) -> bool {
    let Some((partition, rest)) = text.strip_prefix("arn:").and_then(|rest| rest.split_once(':')) else { return false };
    let Some((account, resource)) = rest.strip_prefix("iam::").and_then(|rest| rest.split_once(':')) else {
        return false;
    };
    is_partition(partition) && is_account(account) && resource.starts_with("policy/")
}

fn is_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [prefix, partition, service, region, account, resource] = parts.as_slice() else { return false };
    let safe = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-/.:*+=,@".contains(&byte));
    *prefix == "arn"
        && is_partition(partition)
        && !service.is_empty()
        && is_word(service)
        && is_word(region)
        && (account.is_empty() || *account == "aws" || is_account(account))
        && !resource.is_empty()
        && safe(resource)
}

fn is_partition(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use crate::bundle::render::{RenderLimits, render};
    use serde_json::{Value, json};

    fn rendered(source: &str, outputs: Value) -> Result<String, String> {
        render("t", source, &json!({ "outputs": outputs }), RenderLimits::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn lists_and_mappings_are_indented_to_the_column_of_their_tag() {
        let outputs = json!({"Queue": "https://sqs/1: x", "Count": 3, "Policy": "arn:aws:iam::000000000001:policy/p"});
        assert_eq!(
            rendered(
                "Environment:\n    {{ outputs\n  | proton_cfn_ecs_task_definition_formatted_env_vars }}\nEnd: 1\n",
                outputs.clone()
            )
            .unwrap(),
            "Environment:\n    - Name: Queue\n      Value: \"https://sqs/1: x\"\n    - Name: Count\n      Value: \"3\"\n    - Name: Policy\n      Value: arn:aws:iam::000000000001:policy/p\nEnd: 1"
        );
        assert_eq!(
            rendered("Variables:\n  {{ outputs | proton_cfn_lambda_function_formatted_env_vars }}", outputs.clone())
                .unwrap(),
            "Variables:\n  Queue: \"https://sqs/1: x\"\n  Count: \"3\"\n  Policy: arn:aws:iam::000000000001:policy/p"
        );
        assert_eq!(
            rendered("Arns:\n - a\n {{ outputs | proton_cfn_iam_policy_arns }}", outputs).unwrap(),
            "Arns:\n - a\n - arn:aws:iam::000000000001:policy/p"
        );
    }

    #[test]
    fn nothing_in_gives_an_empty_collection_out() {
        for (filter, expected) in [
            ("proton_cfn_ecs_task_definition_formatted_env_vars", "[]"),
            ("proton_cfn_lambda_function_formatted_env_vars", "{}"),
            ("proton_cfn_iam_policy_arns", "[]"),
        ] {
            assert_eq!(rendered(&format!("{{{{ outputs|{filter} }}}}"), json!({})).unwrap(), expected);
        }
    }

    #[test]
    fn values_that_are_not_words_are_refused_unless_raw() {
        let source = "{{ outputs|proton_cfn_lambda_function_formatted_env_vars(raw=False) }}";
        assert_eq!(rendered(source, json!({"A": "b-1"})).unwrap(), "A: b-1");
        let error = rendered(source, json!({"A": "b c"})).unwrap_err();
        assert!(
            error.contains("Illegal character(s) detected in \"b c\". Must match regex ^[a-zA-Z0-9_-]*$"),
            "{error}"
        );
        assert!(
            rendered("{{ outputs|proton_cfn_iam_policy_arns }}", json!([1])).unwrap_err().contains("takes a mapping")
        );
    }

    #[test]
    fn sanitize_takes_words_and_arns_only() {
        for good in ["", "my-bucket_1", "arn:aws:s3:::my-bucket/*", "arn:aws-cn:sns:cn-north-1:000000000001:topic"] {
            assert_eq!(rendered("{{ outputs|proton_cfn_sanitize }}", json!(good)).unwrap(), good);
        }
        for bad in ["a b", "a\nb", "arn:aws:s3", "arn:aws:s3:::a\nb", "x: y", "!Ref a", "arn:aws:iam::1:role/x"] {
            let error = rendered("{{ outputs|proton_cfn_sanitize }}", json!(bad)).unwrap_err();
            assert!(error.contains("or be a valid ARN"), "{error}");
        }
    }

    #[test]
    fn only_policies_of_an_account_count_as_policy_arns() {
        for (arn, is) in [
            ("arn:aws:iam::000000000001:policy/a", true),
            ("arn:aws-us-gov:iam::000000000001:policy/path/a", true),
            ("arn:aws:iam::aws:policy/a", false),
            ("arn:aws:iam::000000000001:role/a", false),
            ("arn::iam::000000000001:policy/a", false),
            ("policy/a", false),
        ] {
            assert_eq!(super::is_policy_arn(arn), is, "{arn}");
        }
    }
}
