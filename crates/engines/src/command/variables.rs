//! The environment variables of a run: what commands that were written for AWS Proton find there.

use serde_json::Value;

use super::Connection;
use crate::aws::Credentials;
use crate::{Commands, Order};

/// What no caller accepts: clients want to sign also where the signature is not looked at.
const NO_CREDENTIALS: &str = "none";

/// What says where AWS's clients find credentials.
const CREDENTIALS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"];
/// Shorter lines of a secret of several stand in much else: brackets, words.
const TELLING: usize = 8;

/// The variables by name, later ones before those of the same name, and the values among them that must not be shown.
/// `given` are those that the operator gives every run.
pub(super) fn of(
    order: &Order,
    commands: &Commands,
    given: &[(String, String)],
    credentials: Option<&Credentials>,
    aws_endpoint: Option<&str>,
) -> (Vec<(String, String)>, Vec<String>) {
    let mut variables = [given, &lasting(order, commands, given, aws_endpoint)].concat();
    let mut secrets = hidden(given);
    if let Some(url) = &order.notify_url {
        variables.push(("AWS_ENDPOINT_URL_PROTON".to_owned(), url.clone()));
        secrets.extend(url.rsplit('/').next().map(str::to_owned));
    }
    if let Some(credentials) = credentials {
        let (session, hidden) = of_session(credentials);
        variables.extend(session);
        secrets.extend(hidden);
    }
    // Nothing stands everywhere.
    secrets.retain(|secret| !secret.is_empty());
    (variables, secrets)
}

/// Those of them that hold as long as what is deployed does: no session of a role, no way to notify, and not what the
/// operator gives.
pub(super) fn lasting(
    order: &Order,
    commands: &Commands,
    given: &[(String, String)],
    aws_endpoint: Option<&str>,
) -> Vec<(String, String)> {
    let mut variables = commands.variables.clone();
    // Those of the template are for something else than AWS, which it may well use; the operator's are for all.
    let names = given.iter().chain(&variables).chain(&commands.secrets).map(|(name, _)| name.as_str());
    let has_own_key = names.into_iter().any(|name| CREDENTIALS.contains(&name));
    let mut set = |name: &str, value: &str| variables.push((name.to_owned(), value.to_owned()));
    set("RESOURCE_ARN", &order.resource_arn);
    set("STACK_NAME", &order.physical_name);
    set("AWS_REGION", &order.region);
    set("AWS_DEFAULT_REGION", &order.region);
    set("PROTIUM_DEPLOYMENT_ID", &order.deployment_id);
    if let Some(url) = aws_endpoint {
        set("AWS_ENDPOINT_URL", url);
    }
    if !has_own_key {
        variables.extend(placeholders());
    }
    variables
}

/// Credentials that AWS refuses, for clients that want to sign.
pub(super) fn placeholders() -> [(String, String); 2] {
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name.to_owned(), NO_CREDENTIALS.to_owned()))
}

/// The variables of a session of a role, and the values among them that must not be shown.
pub(super) fn of_session(credentials: &Credentials) -> (Vec<(String, String)>, Vec<String>) {
    let token = credentials.session_token();
    let secrets = [Some(credentials.secret_access_key()), token].into_iter().flatten();
    let variables = [
        ("AWS_ACCESS_KEY_ID", Some(credentials.access_key_id())),
        ("AWS_SECRET_ACCESS_KEY", Some(credentials.secret_access_key())),
        ("AWS_SESSION_TOKEN", token),
    ];
    let variables = variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    (variables.collect(), secrets.filter(|secret| !secret.is_empty()).map(str::to_owned).collect())
}

/// What commands need to reach the place that they say, if they do; else why it is not given.
pub(super) fn connection<'a>(
    commands: &Commands,
    given: Option<&'a Connection>,
) -> Result<Option<&'a Connection>, String> {
    let Some(needed) = &commands.connects_to else { return Ok(None) };
    match given {
        Some(given) if given.name == *needed => Ok(Some(given)),
        other => {
            let other = other.map_or("none in a database", |other| other.name.as_str());
            Err(format!(
                "The state is in {needed}, which this server can't reach: its --terraform-state is {other}. Start it with \
                 the one that it had, and the deployment can be tried again."
            ))
        }
    }
}

/// The values of the operator's variables that must not be shown.
pub(super) fn hidden(given: &[(String, String)]) -> Vec<String> {
    given.iter().filter(|(name, _)| is_secret(name)).flat_map(|(_, value)| lines(value)).collect()
}

/// What must not be shown of a value: of one of several lines each line, as output is looked through line by line, and
/// of an object or a list of JSON the texts in it.
pub(super) fn lines(value: &str) -> impl Iterator<Item = String> {
    let value = value.trim();
    let several = value.contains('\n');
    let lines = value.lines().map(str::trim);
    let lines = lines.filter(move |line| !line.is_empty() && (!several || line.len() >= TELLING)).map(str::to_owned);
    let mut texts = Vec::new();
    if value.starts_with(['{', '['])
        && let Ok(parsed) = serde_json::from_str(value)
    {
        telling_texts(&parsed, &mut texts);
    }
    lines.chain(texts)
}

/// The lines of all texts in a value of JSON that stand in little else. It is as deep as JSON that is read may be.
fn telling_texts(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            texts.extend(text.lines().map(str::trim).filter(|line| line.len() >= TELLING).map(str::to_owned));
        }
        Value::Array(values) => values.iter().for_each(|value| telling_texts(value, texts)),
        Value::Object(members) => members.values().for_each(|value| telling_texts(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether the value of a variable of that name must not be shown.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "SECRET", "PASSWORD", "KEY"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Intent;
    use std::collections::HashMap;

    fn order() -> Order {
        Order {
            resource_arn: "arn:aws:proton:eu-west-1:123456789012:environment/dev".into(),
            physical_name: "AWSProton-dev".into(),
            region: "eu-west-1".into(),
            notify_url: Some("http://127.0.0.1:8420/run/abcdef".into()),
            ..Order::of_test(Intent::Apply)
        }
    }

    fn commands() -> Commands {
        Commands {
            image: None,
            runtimes: Vec::new(),
            variables: vec![("COLOR".into(), "blue".into()), ("RESOURCE_ARN".into(), "mine".into())],
            secrets: Vec::new(),
            provision: vec!["true".into()],
            deprovision: Vec::new(),
            process: None,
            project_properties: serde_json::Value::Null,
            listed_as: crate::ProvisioningEngine::default(),
            connects_to: None,
            state: None,
        }
    }

    #[test]
    fn each_telling_line_of_an_operators_secret_is_hidden() {
        let given = [
            ("TF_VAR_API_TOKEN", "abc"),
            ("SIGNING_KEY", "-----BEGIN-----\nQUJDREVGRw==\nQQ==\n"),
            ("HTTP_PROXY", "p"),
        ];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(hidden(&given), ["abc", "-----BEGIN-----", "QUJDREVGRw=="]);
    }

    #[test]
    fn the_texts_in_a_secret_of_json_are_hidden_too() {
        let secret =
            r#"{"user": "admin", "password": "hunter22!", "more": ["-----BEGIN-----\nQUJDREVGRw==", 12345678]}"#;
        let hidden: Vec<_> = lines(secret).collect();
        assert_eq!(hidden, [secret, "hunter22!", "-----BEGIN-----", "QUJDREVGRw=="]);
        assert_eq!(lines("{no JSON}").collect::<Vec<_>>(), ["{no JSON}"]);
    }

    #[test]
    fn a_run_finds_what_commands_were_written_for() {
        let (variables, secrets) = of(&order(), &commands(), &[], None, None);
        let variables: HashMap<_, _> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(variables["RESOURCE_ARN"], order().resource_arn, "ours win");
        assert_eq!((variables["STACK_NAME"], variables["COLOR"]), ("AWSProton-dev", "blue"));
        assert_eq!(variables["AWS_DEFAULT_REGION"], "eu-west-1");
        assert_eq!(variables["AWS_ENDPOINT_URL_PROTON"], "http://127.0.0.1:8420/run/abcdef");
        assert!(!variables.contains_key("AWS_ENDPOINT_URL") && !variables.contains_key("AWS_SESSION_TOKEN"));
        assert_eq!(secrets, ["abcdef"]);
    }

    #[test]
    fn what_the_operator_gives_stands_below_the_templates_and_its_secrets_are_masked() {
        let given = [("COLOR", "red"), ("TF_TOKEN_app_terraform_io", "abc"), ("HTTPS_PROXY", "http://proxy")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (variables, secrets) = of(&order(), &commands(), &given, None, None);
        let variables: HashMap<_, _> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!((variables["COLOR"], variables["HTTPS_PROXY"]), ("blue", "http://proxy"));
        assert_eq!(secrets, ["abc", "abcdef"]);
        let keys = [("AWS_ACCESS_KEY_ID".to_owned(), "AKID".to_owned())];
        let (variables, _) = of(&order(), &commands(), &keys, None, None);
        assert!(variables.iter().all(|(name, value)| name != "AWS_ACCESS_KEY_ID" || value == "AKID"));
    }

    #[test]
    fn only_commands_that_say_so_are_connected() {
        let given = Connection { name: "postgres://h/n".into(), variables: Vec::new(), secrets: Vec::new() };
        assert!(matches!(connection(&commands(), Some(&given)), Ok(None)));
        let mut needing = commands();
        needing.connects_to = Some("postgres://h/n".into());
        assert!(matches!(connection(&needing, Some(&given)), Ok(Some(_))));
        assert!(connection(&needing, None).is_err_and(|why| why.contains("is none in a database")));
        needing.connects_to = Some("postgres://h/other".into());
        let why = connection(&needing, Some(&given)).unwrap_err();
        assert!(why.contains("in postgres://h/other") && why.contains("--terraform-state is postgres://h/n"), "{why}");
    }

    #[test]
    fn the_credentials_are_the_roles_and_are_secret() {
        let session = Credentials::from_keys("AKID", "a secret key", Some("a token".to_owned()));
        let (variables, secrets) = of(&order(), &commands(), &[], Some(&session), Some("http://emulator"));
        let variables: HashMap<_, _> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!((variables["AWS_ACCESS_KEY_ID"], variables["AWS_SESSION_TOKEN"]), ("AKID", "a token"));
        assert_eq!(variables["AWS_ENDPOINT_URL"], "http://emulator");
        assert_eq!(secrets, ["abcdef", "a secret key", "a token"]);
    }
}
