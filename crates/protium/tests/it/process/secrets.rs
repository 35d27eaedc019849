//! Secrets of AWS Secrets Manager in runs on this machine: read when a run or a process begins, masked, kept nowhere.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::{Value, json};

use super::program::until;
use super::runs::Site;
use super::services::{kill, unused_port};
use super::site::double;
use crate::on_both;
use crate::support::bundle::ENVIRONMENT_SCHEMA;
use crate::support::database::TestDb;
use crate::support::double::{resize, spec};

const ROLE: &str = "arn:aws:iam::123456789012:role/r";

/// Commands, and a process that says, in another writing, which token it was begun with.
fn manifest(port: u16) -> String {
    format!(
        r#"
infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        env:
          variables: {{COLOR: blue}}
          secrets_manager: {{TOKEN: "db:password", KEY: words, COLOR: words}}
        provision:
          - echo "given $TOKEN and $KEY, and the color $COLOR"
          - printf '{{"Length":"%s"}}' "$(printf %s "$TOKEN" | wc -c)" > proton-outputs.json
        service:
          command: |
            echo "$TOKEN" | tr e E >> "$PROTIUM_STATE_DIR/tokens"
            echo "begun with $TOKEN"
            exec python3 -m http.server "$PORT" --bind 127.0.0.1
          port: {port}
        deprovision:
          - echo "deprovisioned with $TOKEN"
"#
    )
}

fn input(role: Option<&str>) -> Value {
    let mut input = json!({ "name": "e", "templateName": "env", "templateMajorVersion": "1", "spec": spec("large") });
    if let Some(role) = role {
        input["codebuildRoleArn"] = role.into();
    }
    input
}

async fn site<'a>(db: &'a mut TestDb, aws: &str) -> Site<'a> {
    let manifest = manifest(unused_port());
    let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest.as_str())];
    Site::of(db, |start| start.flag("--aws-endpoint-url", aws), &files).await
}

/// The files below a folder that have one of the words, which may be secret: only where they are is told.
fn with(folder: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        // The server goes on meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return found,
        entries => entries.unwrap(),
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(with(&path, words));
        } else if let Ok(content) = fs::read(&path) {
            let has = |word: &&str| content.windows(word.len()).any(|window| window == word.as_bytes());
            found.extend(words.iter().any(has).then(|| path.display().to_string()));
        }
    }
    found
}

/// The process that holds the process.
fn holder(site: &Site<'_>) -> u32 {
    let runs = fs::read_dir(site.resource()).unwrap().map(|run| run.unwrap().path().join("service/supervisor.json"));
    let file = runs.into_iter().find(|file| file.exists()).unwrap();
    let identity: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    identity["pid"].as_u64().unwrap().try_into().unwrap()
}

on_both! {
    secrets_are_given_masked_and_kept_nowhere, async |db| {
        let double = double().await;
        double.put_secret("db", r#"{"password": "first-s3cret"}"#);
        double.put_secret("words", "other-s3cret");
        let site = site(db, &double.url()).await;
        let begun_with = |token: &str| {
            let tokens = fs::read_to_string(site.resource().join("state/tokens")).unwrap_or_default();
            tokens.lines().filter(|line| *line == token.replace('e', "E")).count()
        };
        site.program.ok("CreateEnvironment", input(Some(ROLE))).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "Length": "12" }));
        let log = site.logs().pop().unwrap();
        assert!(log.contains("given *** and ***, and the color blue"), "{log}");
        assert_eq!(begun_with("first-s3cret"), 1);
        let calls = double.calls().into_iter().filter(|call| call.action == "GetSecretValue");
        assert!(calls.into_iter().all(|call| call.account == "123456789012"), "in the name of the role");

        // A process that is begun again is given what the secret says then.
        double.put_secret("db", r#"{"password": "second-s3cret"}"#);
        kill(holder(&site));
        until("the next start", async || (begun_with("second-s3cret") > 0).then_some(())).await;
        let secrets = ["first-s3cret", "second-s3cret", "other-s3cret"];
        assert_eq!(with(site.db.folder(), &secrets), [""; 0]);
        assert!(secrets.iter().all(|secret| !site.program.log().contains(secret)));
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        assert!(site.logs().pop().unwrap().contains("deprovisioned with ***"));
    }

    a_secret_that_is_not_to_be_had_fails_the_deployment_with_its_name, async |db| {
        let double = double().await;
        double.put_secret("words", "other-s3cret");
        let site = site(db, &double.url()).await;
        site.program.ok("CreateEnvironment", input(None)).await;
        let message = site.message("FAILED").await;
        assert!(message.contains("no role to read it with"), "{message}");
        assert_eq!(double.count("GetSecretValue"), 0, "nothing is read in the name of the server");
        let mut again = json!({ "name": "e", "deploymentType": "CURRENT_VERSION", "spec": spec("large") });
        again["codebuildRoleArn"] = ROLE.into();
        site.program.ok("UpdateEnvironment", again).await;
        let message = site.message("FAILED").await;
        assert!(message.contains("variable TOKEN") && message.contains("(ResourceNotFoundException)"), "{message}");
        double.put_secret("db", "no JSON");
        site.program.ok("UpdateEnvironment", resize("e", "small")).await;
        let message = site.message("FAILED").await;
        assert!(message.contains("'db:password'") && message.contains("no JSON object"), "{message}");
    }
}
