//! A whole run with a marked secret in each place that has one: nothing that was written or answered has any of them.

use std::fs;

use http::Request;
use protium::store::DatabaseUrl;
use serde_json::{Value, json};

use super::admin::{root, typed};
use super::program::{OUTBOUND, Program, Start, until};
use super::runs::{Site, manifest};
use super::site::double;
use crate::on_both;
use crate::support::app::target;
use crate::support::bundle::ENVIRONMENT_SCHEMA;
use crate::support::double::{create, spec};
use crate::support::receiver::{Receiver, Reply};
use crate::support::sign::Signer;
use crate::support::sts::{Key, credentials};

/// What no line may have, whatever follows it.
const MARK: &str = "leak-";
const GIVEN: (&str, &str) = ("AKIAGIVENGIVENGIVEN1", "leak-root-secret-of-the-operator");
const ROLE: &str = "arn:aws:iam::123456789012:role/r";

/// All that was written, and what it was.
#[derive(Default)]
struct Written(Vec<(String, String)>);

impl Written {
    fn add(&mut self, what: impl Into<String>, text: impl Into<String>) {
        self.0.push((what.into(), text.into()));
    }

    #[track_caller]
    fn has_none_of(&self, secrets: &[String]) {
        for (what, text) in &self.0 {
            for line in text.lines() {
                for secret in secrets {
                    assert!(!line.contains(secret), "{what} has '{secret}': {line}");
                }
            }
        }
    }
}

/// Commands that print what they were given, and keep the address for notifications where the test finds it.
fn commands() -> String {
    manifest(
        &[
            "echo \"given $TOKEN and $DEPLOY_TOKEN, to notify $AWS_ENDPOINT_URL_PROTON\"",
            "echo \"keys $AWS_SECRET_ACCESS_KEY $AWS_SESSION_TOKEN\"",
            "printf %s \"$AWS_ENDPOINT_URL_PROTON\" > \"$PROTIUM_STATE_DIR/endpoint\"",
        ],
        &[],
    )
    .replace("env: {", "env: {secrets_manager: {TOKEN: words}, ")
}

/// Answers to callers who are not who they say, or say what they should not.
async fn refusals(program: &Program, written: &mut Written) {
    let right = program.signer("proton");
    let strangers = [
        Signer { secret: "leak-wrong-secret".to_owned(), ..right.clone() },
        Signer { token: Some("leak-session-token".to_owned()), ..right.clone() },
        Signer {
            token: Some("leak-other-token".to_owned()),
            access_key_id: "ASIANOBODYNOBODYNOBO".to_owned(),
            ..right
        },
    ];
    for service in ["proton", "s3", "sts"] {
        for stranger in &strangers {
            let stranger = Signer { service: service.to_owned(), ..stranger.clone() };
            let expires_in = Some(std::time::Duration::from_secs(60));
            for signer in [stranger.clone(), Signer { expires_in, ..stranger }] {
                let host = program.url.split_once("://").unwrap().1;
                let request = Request::get(format!("{}/bucket/key", program.url)).header("host", host);
                let (status, body) = program.send(signer.sign(request.body(Vec::new()).unwrap())).await;
                assert!(status.is_client_error(), "{status}");
                written.add(format!("an answer of {service}"), String::from_utf8_lossy(&body));
            }
        }
    }
    let run = Request::post(format!("{}/run/leak-run-token", program.url))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", target("NotifyResourceDeploymentStatusChange"))
        .body(br#"{"resourceArn":"arn:aws:proton:us-east-1:000000000000:environment/e"}"#.to_vec());
    let (status, body) = program.send(run.unwrap()).await;
    assert!(status.is_client_error(), "{status}");
    written.add("the answer to a run", String::from_utf8_lossy(&body));
}

/// Has a user assume a role, and the session ask for something. Answers the secrets of both.
async fn session(program: &Program, written: &mut Written) -> Vec<String> {
    let trust = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": { "AWS": "000000000000" }, "Action": "sts:AssumeRole",
    } });
    program.ok("CreateRole", json!({ "roleName": "ci", "trustPolicy": trust.to_string() })).await;
    program.ok("CreateUser", json!({ "userName": "ada" })).await;
    program.ok("AttachPolicy", json!({ "userName": "ada", "policy": "ProtiumAdministratorAccess" })).await;
    let key = program.ok("CreateAccessKey", json!({ "userName": "ada" })).await["accessKey"].clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let user = Signer {
        access_key_id: text(&key["accessKeyId"]),
        secret: text(&key["secretAccessKey"]),
        ..program.signer("sts")
    };
    let form = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::000000000000:role/ci&RoleSessionName=build";
    let request = Request::post(format!("{}/", program.url))
        .header("host", program.url.split_once("://").unwrap().1)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.as_bytes().to_vec());
    let (status, body) = program.send(user.sign(request.unwrap())).await;
    let answer = String::from_utf8(body).unwrap();
    assert!(status.is_success(), "{answer}");
    let Key { id, secret, token } = credentials(&answer);
    let own = Signer { access_key_id: id, secret: secret.clone(), token: token.clone(), ..program.signer("proton") };
    let refused = program.call_as(&own, "ListServices", json!({})).await.unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    written.add("the answer to a session", refused.message);
    vec![user.secret, secret, token.unwrap()]
}

/// Settings that are refused, with a password in them.
async fn settings(written: &mut Written) {
    for (flag, value) in [
        ("--database-url", "postgres://protium:leak-password@host:port/db"),
        ("--database-url", "postgres://protium:leak-password@/db?sslmode=perhaps"),
        ("--database-url", "mysql://protium:leak-password@host/db"),
        ("--terraform-state", "postgres://protium:leak-password@"),
        ("--terraform-state", "mysql://protium:leak-password@host/db"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let start = Start::in_folder(folder.path()).flag(flag, value).variable("PROTIUM_LOG", "trace");
        let ended = start.ended().await;
        assert!(!ended.status.success(), "{flag} {value}");
        written.add(format!("the error of {flag}"), ended.out + &ended.err);
    }
}

on_both! {
    nothing_that_a_run_writes_or_answers_has_a_secret, async |db| {
        let double = double().await;
        double.put_secret("words", "leak-of-secrets-manager");
        let file = db.folder().join("protium.toml");
        let receiver = Receiver::start().await;
        receiver.answer(|_| Reply::Status(500));
        let settings_of_file = format!(
            "[run-variables]\nDEPLOY_TOKEN = \"leak-of-run-variables\"\n\
             [[events.destination]]\nname = \"hook\"\ntype = \"webhook\"\nsecret-variable = \"HOOK_SECRET\"\n\
             url = \"{}?token=leak-in-the-url\"\n",
            receiver.url()
        );
        fs::write(&file, settings_of_file).unwrap();
        let (aws, file) = (double.url(), file.to_str().unwrap().to_owned());
        let commands = commands();
        let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", commands.as_str())];
        let more = |start: Start| {
            start
                .flag("--aws-endpoint-url", &aws)
                .flag("--config", &file)
                .variable("PROTIUM_ROOT_ACCESS_KEY_ID", GIVEN.0)
                .variable("PROTIUM_ROOT_SECRET_ACCESS_KEY", GIVEN.1)
                .variable("HOOK_SECRET", "leak-secret-of-the-webhook")
                .variable("PROTIUM_LOG", "trace")
        };
        let site = Site::of(db, more, &files).await;
        let mut written = Written::default();

        let mut input = create("e");
        input["codebuildRoleArn"] = ROLE.into();
        input["spec"] = spec("leak-spec").into();
        site.program.ok("CreateEnvironment", input).await;
        site.program.environment("e", "SUCCEEDED").await;
        let log = site.logs().pop().unwrap();
        assert!(log.contains("given *** and ***, to notify http://") && log.contains("/run/***"), "{log}");
        written.add("the log of the run", log);
        let endpoint = fs::read_to_string(site.resource().join("state/endpoint")).unwrap();
        let token = endpoint.rsplit_once("/run/").expect("a token").1.to_owned();

        let made = typed(&["account", "create", "--id", "222222222222"], &root(&site.program)).await;
        let made: serde_json::Value = serde_json::from_str(&made.out).unwrap();
        let other = made["SecretAccessKey"].as_str().unwrap().to_owned();
        let of_session = session(&site.program, &mut written).await;
        until("an event is refused", async || (!receiver.got().is_empty()).then_some(())).await;
        until("its refusal is told", async || site.program.log().contains("answered 500").then_some(())).await;
        let listed = site.program.ok("ListEventDeliveries", json!({})).await;
        written.add("what is told of deliveries", listed.to_string());
        let records = site.program.ok("ListAuditRecords", json!({ "maxResults": 100 })).await;
        written.add("the audit log", records.to_string());
        refusals(&site.program, &mut written).await;
        settings(&mut written).await;
        written.add("the metrics", site.program.get("/metrics").await.1);
        let master_key = fs::read_to_string(site.db.folder().join("master.key")).unwrap().trim().to_owned();
        if matches!(&site.db.options().db.url, DatabaseUrl::Sqlite(_)) {
            let backup = tempfile::tempdir().unwrap();
            let (to, data) = (backup.path().join("b"), site.db.folder().to_str().unwrap());
            let words = ["backup", to.to_str().unwrap(), "--data-dir", data, "--without-master-key"];
            let ended = Start::typed(backup.path(), &words).ended().await;
            assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
            written.add("the manifest of a backup", fs::read_to_string(to.join("backup.json")).unwrap());
            written.add("what a backup says", ended.out + &ended.err);
        }
        let ended = site.program.stop("TERM").await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
        assert!(ended.err.contains("DEBUG"), "details are logged:\n{}", ended.err);
        written.add("standard error", ended.err);
        written.add("standard output", ended.out);
        let mut secrets = vec![MARK.to_owned(), OUTBOUND.1.to_owned(), token, other, master_key];
        secrets.extend(of_session);
        written.has_none_of(&secrets);
    }
}
