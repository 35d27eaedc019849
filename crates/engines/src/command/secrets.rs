//! Variables whose values are in AWS Secrets Manager: what their references say, and the values.
//!
//! Owns the syntax, which is CodeBuild's, and the words for what can't be had. A value goes into the environment of a
//! run and nowhere else; no message has one.

use std::collections::HashMap;

use serde_json::Value;

use crate::Role;
use crate::aws::{Aws, CredentialsFailure, Fault, classify, transient};

/// How many parts the ARN of a secret has: `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`.
const ARN: usize = 7;

/// Which version of which secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Secret<'a> {
    /// Its name or ARN.
    id: &'a str,
    stage: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> Secret<'a> {
    /// Reads `secret-id:json-key:version-stage:version-id`, all but the first of which may be left out or empty, and
    /// answers the key too. `None` if it has no secret, or more parts.
    fn parse(reference: &'a str) -> Option<(Self, Option<&'a str>)> {
        let parts = if reference.starts_with("arn:") { ARN } else { 1 };
        let end = reference.match_indices(':').nth(parts - 1).map_or(reference.len(), |(at, _)| at);
        let id = &reference[..end];
        if id.is_empty() || id.split(':').count() != parts {
            return None;
        }
        let mut rest = reference[end..].split(':').skip(1).map(|part| Some(part).filter(|part| !part.is_empty()));
        let key = rest.next().flatten();
        let secret = Self { id, stage: rest.next().flatten(), version: rest.next().flatten() };
        rest.next().is_none().then_some((secret, key))
    }

    /// The region of its ARN, else that of the run.
    fn region(&self, of_run: &'a str) -> &'a str {
        let region = self.id.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
        region.filter(|region| !region.is_empty()).unwrap_or(of_run)
    }
}

/// The values of `secrets`, which are variables by name and where their values are, read in the name of `role` in
/// `region` now.
///
/// # Errors
///
/// [`CredentialsFailure::Refused`], naming the variable and the secret, when there is no role, or no such value for it.
pub(super) async fn resolve(
    aws: &Aws,
    region: &str,
    role: Option<&Role>,
    secrets: &[(String, String)],
) -> Result<Vec<(String, String)>, CredentialsFailure> {
    let mut known: HashMap<Secret<'_>, String> = HashMap::new();
    let mut values = Vec::new();
    for (name, reference) in secrets {
        let refused = |why: &str| {
            CredentialsFailure::Refused(format!(
                "The variable {name} of env.secrets_manager can't be given the secret '{reference}': {why}"
            ))
        };
        let Some((secret, key)) = Secret::parse(reference) else {
            return Err(refused(
                "that is no reference. Give secret-id:json-key:version-stage:version-id, of which only the first must be there.",
            ));
        };
        // The server's own identity may read what nobody who deploys should see.
        let Some(role) = role else {
            return Err(refused(
                "there is no role to read it with. Give the environment (or, for pipelines, the account) a role for CodeBuild provisioning.",
            ));
        };
        let text = match known.get(&secret) {
            Some(text) => text,
            None => {
                let text = read(aws, region, role, secret).await.map_err(|failure| match failure {
                    CredentialsFailure::Refused(why) => refused(&why),
                    CredentialsFailure::Transient(mut later) => {
                        later.message =
                            format!("The value of the variable {name} is not to be had now: {}", later.message);
                        CredentialsFailure::Transient(later)
                    }
                })?;
                known.entry(secret).or_insert(text)
            }
        };
        let value = match key {
            Some(key) => member(text, key).map_err(|why| refused(&why))?,
            None => text.clone(),
        };
        if value.contains('\0') {
            return Err(refused("its value has U+0000, which no variable can hold."));
        }
        values.push((name.clone(), value));
    }
    Ok(values)
}

/// The text of a secret.
async fn read(aws: &Aws, region: &str, role: &Role, secret: Secret<'_>) -> Result<String, CredentialsFailure> {
    let credentials = aws.credentials(region, Some(role)).await?;
    let request = aws.secrets_manager(secret.region(region), credentials).get_secret_value().secret_id(secret.id);
    let request = request.set_version_stage(secret.stage.map(str::to_owned));
    let answer = request.set_version_id(secret.version.map(str::to_owned)).send().await;
    match answer.map_err(classify) {
        Ok(answer) => answer
            .secret_string
            .ok_or_else(|| CredentialsFailure::Refused("it is binary; only texts can be variables.".to_owned())),
        Err(Fault::Transient(transient)) => Err(CredentialsFailure::Transient(transient)),
        Err(Fault::Refused(refusal)) if refusal.is_expired() => {
            aws.forget(region, Some(role)).await;
            Err(CredentialsFailure::Transient(transient(refusal.message)))
        }
        Err(Fault::Refused(refusal)) => {
            let remedy = match refusal.code.as_str() {
                "AccessDeniedException" => format!(
                    " The role {} needs secretsmanager:GetSecretValue on it, and kms:Decrypt on its key if that is one \
                     of your own.",
                    role.arn
                ),
                _ => String::new(),
            };
            Err(CredentialsFailure::Refused(format!("{} ({}).{remedy}", refusal.message, refusal.code)))
        }
    }
}

/// A member of a secret that is an object of JSON, as text.
fn member(text: &str, key: &str) -> Result<String, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(mut members)) => match members.remove(key) {
            Some(Value::String(text)) => Ok(text),
            Some(other) => Ok(other.to_string()),
            None => Err(format!("it has no member '{key}'.")),
        },
        // What it says instead is not for messages.
        Ok(_) | Err(_) => Err(format!("it is no JSON object, which the key '{key}' asks for.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Credentials, Settings};
    use crate::double::{Disturbance, Double};

    const NAME: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";

    #[test]
    fn references_are_read_as_codebuild_reads_them() {
        let secret = |id, stage, version| Secret { id, stage, version };
        let with_key = format!("{NAME}:password:AWSPREVIOUS:v1");
        for (reference, expected) in [
            ("db", Some((secret("db", None, None), None))),
            ("prod/db:password", Some((secret("prod/db", None, None), Some("password")))),
            ("db::AWSPREVIOUS", Some((secret("db", Some("AWSPREVIOUS"), None), None))),
            ("db:password::v1", Some((secret("db", None, Some("v1")), Some("password")))),
            ("db:::", Some((secret("db", None, None), None))),
            (NAME, Some((secret(NAME, None, None), None))),
            (&with_key, Some((secret(NAME, Some("AWSPREVIOUS"), Some("v1")), Some("password")))),
            ("", None),
            (":password", None),
            ("db:a:b:c:d", None),
            ("arn:aws:secretsmanager:eu-west-1", None),
        ] {
            assert_eq!(Secret::parse(reference), expected, "{reference}");
        }
        assert_eq!(secret(NAME, None, None).region("us-east-1"), "eu-west-1");
        assert_eq!(secret("db", None, None).region("us-east-1"), "us-east-1");
    }

    fn role() -> Role {
        Role { arn: "arn:aws:iam::123456789012:role/r".into(), session_name: "session".into(), external_id: None }
    }

    async fn site() -> (Double, Aws) {
        let double = Double::start().await.unwrap();
        let credentials = Some(Credentials::from_keys("AKIDEXAMPLE", "secret", None));
        let settings = Settings { endpoint_url: Some(double.url()), credentials, ..Settings::default() };
        (double, Aws::new(settings).await)
    }

    async fn values(aws: &Aws, references: &[&str]) -> Result<Vec<String>, CredentialsFailure> {
        let secrets: Vec<_> = references.iter().map(|reference| ("V".to_owned(), (*reference).to_owned())).collect();
        let values = resolve(aws, "us-east-1", Some(&role()), &secrets).await?;
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }

    #[tokio::test]
    async fn values_are_read_in_the_name_of_the_role_and_each_secret_once() {
        let (double, aws) = site().await;
        double.put_secret("db", r#"{"password": "old"}"#);
        double.put_secret("db", r#"{"password": "s3cret", "port": 5432, "more": {"a": [1]}}"#);
        let references = [
            "db:password",
            "db:port",
            "db:more",
            "db:password:AWSPREVIOUS",
            &format!("{NAME}:password"),
            "db:password::v1",
        ];
        let found = values(&aws, &references).await.unwrap();
        assert_eq!(found, ["s3cret", "5432", "{\"a\":[1]}", "old", "s3cret", "old"]);
        assert_eq!(double.count("GetSecretValue"), 4);
        let calls: Vec<_> = double.calls().into_iter().filter(|call| call.action == "GetSecretValue").collect();
        assert!(calls.iter().all(|call| call.account == "123456789012"), "{calls:?}");
        assert_eq!(calls.iter().filter(|call| call.region == "eu-west-1").count(), 1, "that of the ARN");
    }

    #[tokio::test]
    async fn what_can_not_be_had_is_named_without_values() {
        let (double, aws) = site().await;
        double.put_secret("text", "plain words");
        double.put_secret("json", r#"{"other": "hidden words"}"#);
        double.put_secret("zero", "a\0b");
        for (reference, why) in [
            ("none:key", "(ResourceNotFoundException)"),
            ("text:key", "no JSON object"),
            ("json:key", "no member 'key'"),
            ("zero", "U+0000"),
            ("text:::v9", "(ResourceNotFoundException)"),
            ("a:b:c:d:e", "that is no reference"),
        ] {
            let Err(CredentialsFailure::Refused(said)) = values(&aws, &[reference]).await else {
                panic!("{reference}")
            };
            assert!(said.contains(why) && said.contains(&format!("'{reference}'")), "{said}");
            assert!(said.contains("variable V ") && !said.contains("words"), "{said}");
        }
        double.disturb("GetSecretValue", Disturbance::Refused("AccessDeniedException".into(), "not authorized".into()));
        let Err(CredentialsFailure::Refused(said)) = values(&aws, &["text"]).await else { panic!("it was denied") };
        assert!(
            said.contains("not authorized") && said.contains("role/r needs secretsmanager:GetSecretValue"),
            "{said}"
        );
        double.disturb("GetSecretValue", Disturbance::Throttled);
        assert!(matches!(values(&aws, &["text"]).await, Err(CredentialsFailure::Transient(_))));
        assert_eq!(values(&aws, &["text"]).await.unwrap(), ["plain words"]);
    }

    #[tokio::test]
    async fn nothing_is_read_in_the_name_of_the_server() {
        let (double, aws) = site().await;
        double.put_secret("text", "plain words");
        let secrets = [("V".to_owned(), "text".to_owned())];
        let Err(CredentialsFailure::Refused(said)) = resolve(&aws, "us-east-1", None, &secrets).await else {
            panic!("there is no role")
        };
        assert!(said.contains("no role to read it with"), "{said}");
        assert_eq!(double.calls(), []);
        assert_eq!(resolve(&aws, "us-east-1", None, &[]).await, Ok(Vec::new()));
    }
}
