//! `protium admin`: a client of a running server.

use std::path::Path;

use serde_json::{Value, json};

use super::program::{Ended, Program, Start};
use super::site::{double, free, start};
use crate::on_both;
use crate::support::double::create;
use crate::support::sign::Signer;

const OTHER: &str = "222222222222";

/// `protium admin` with these words and variables.
pub(super) async fn typed(words: &[&str], variables: &[(&str, &str)]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let words: Vec<&str> = ["admin"].iter().chain(words).copied().collect();
    let start = Start::typed(folder.path(), &words);
    variables.iter().fold(start, |start, (name, value)| start.variable(name, value)).ended().await
}

/// The same as the root user of a server, whose answer is JSON on standard output.
pub(super) async fn admin(program: &Program, words: &[&str]) -> Value {
    let ended = typed(words, &root(program)).await;
    assert_eq!(ended.status.code(), Some(0), "{words:?}: {}", ended.err);
    serde_json::from_str(&ended.out).unwrap_or_else(|why| panic!("{why}: {}", ended.out))
}

pub(super) fn root(program: &Program) -> [(&'static str, &str); 3] {
    [
        ("AWS_ENDPOINT_URL", &program.url),
        ("AWS_ACCESS_KEY_ID", &program.key.0),
        ("AWS_SECRET_ACCESS_KEY", &program.key.1),
    ]
}

async fn on_a_server(data: &Path) -> Program {
    Start::in_folder(data).ready().await
}

on_both! {
    an_account_is_made_and_its_key_works_from_then_on, async |db| {
        free(db);
        let program = Start::on(db).ready().await;
        let made = admin(&program, &["account", "create", "--id", OTHER]).await;
        assert_eq!(made["AccountId"], OTHER);
        let (id, secret) = (made["AccessKeyId"].as_str().unwrap(), made["SecretAccessKey"].as_str().unwrap());
        assert!(id.starts_with("AKIA") && id.len() == 20 && secret.len() == 40, "{made}");
        let signer = Signer { region: "eu-west-1".to_owned(), ..Signer::new(id, secret, "proton") };
        let template = program.call_as(&signer, "CreateEnvironmentTemplate", json!({ "name": "env" })).await.unwrap();
        assert!(template["environmentTemplate"]["arn"].as_str().unwrap().contains(&format!("eu-west-1:{OTHER}:")));
        assert!(!program.log().contains(secret));
        let listed = admin(&program, &["account", "list"]).await;
        let ids: Vec<&Value> = listed["accounts"].as_array().unwrap().iter().map(|account| &account["id"]).collect();
        assert_eq!(ids, ["000000000000", OTHER]);
        program.stop("TERM").await;
        // Another process, which has never heard of it.
        let program = Start::on(db).ready().await;
        program.call_as(&signer, "GetEnvironmentTemplate", json!({ "name": "env" })).await.unwrap();
        let again = typed(&["account", "create", "--id", OTHER], &root(&program)).await;
        again.refused(1, &["ConflictException", OTHER]);
        let of_other = [("AWS_ENDPOINT_URL", program.url.as_str()), ("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
        typed(&["account", "list"], &of_other).await.refused(1, &["AccessDeniedException"]);
    }

    a_user_is_given_a_key_and_what_it_may_do, async |db| {
        free(db);
        let program = Start::on(db).ready().await;
        admin(&program, &["user", "create", "deployer", "--tag", "team=blue"]).await;
        let key = admin(&program, &["key", "create", "--user", "deployer"]).await;
        let (id, secret) = (key["AccessKeyId"].as_str().unwrap(), key["SecretAccessKey"].as_str().unwrap());
        let signer = Signer::new(id, secret, "proton");
        assert_eq!(program.call_as(&signer, "ListServices", json!({})).await.unwrap_err().code, "AccessDeniedException");
        let file = tempfile::NamedTempFile::new().unwrap();
        let statement = json!({ "Effect": "Allow", "Action": "proton:CreateServiceTemplate", "Resource": "*" });
        std::fs::write(file.path(), json!({ "Version": "2012-10-17", "Statement": statement }).to_string()).unwrap();
        let document = format!("file://{}", file.path().display());
        admin(&program, &["policy", "put", "--user", "deployer", "--name", "dev", "--document", &document]).await;
        program.call_as(&signer, "CreateServiceTemplate", json!({ "name": "svc" })).await.unwrap();
        admin(&program, &["group", "create", "makers"]).await;
        admin(&program, &["policy", "attach", "--group", "makers", "--policy", "ProtiumDeveloperAccess"]).await;
        admin(&program, &["group", "add", "makers", "--user", "deployer"]).await;
        program.call_as(&signer, "ListServices", json!({})).await.unwrap();
        let shown = admin(&program, &["user", "show", "deployer"]).await;
        assert_eq!((&shown["groups"], &shown["inlinePolicies"]), (&json!(["makers"]), &json!(["dev"])));
        assert_eq!(shown["user"]["tags"], json!([{ "key": "team", "value": "blue" }]));
        assert_eq!(admin(&program, &["group", "show", "makers"]).await["users"], json!(["deployer"]));
        assert_eq!(admin(&program, &["policy", "show", "dev", "--user", "deployer"]).await["policyName"], "dev");
        let asked = ["policy", "simulate", "--user", "deployer", "--action", "proton:DeleteEnvironment"];
        let said = typed(&asked, &root(&program)).await;
        assert!(said.status.success() && said.out.starts_with("not allowed: "), "{} {}", said.out, said.err);
        typed(&["user", "delete", "deployer"], &root(&program)).await.refused(1, &["ConflictException", id, "makers"]);
        admin(&program, &["key", "disable", id, "--user", "deployer"]).await;
        assert_eq!(program.call_as(&signer, "ListServices", json!({})).await.unwrap_err().code, "UnrecognizedClientException");
        assert_eq!(admin(&program, &["key", "list", "--user", "deployer"]).await["accessKeys"][0]["status"], "INACTIVE");
        admin(&program, &["key", "delete", id, "--user", "deployer"]).await;
        admin(&program, &["group", "remove", "makers", "--user", "deployer"]).await;
        admin(&program, &["policy", "delete", "dev", "--user", "deployer"]).await;
        admin(&program, &["user", "delete", "deployer"]).await;
        assert_eq!(admin(&program, &["user", "list"]).await["users"], json!([]));
        assert!(!program.log().contains(secret));
    }

    policies_are_made_changed_and_removed, async |db| {
        free(db);
        let program = Start::on(db).ready().await;
        let document = json!({
            "Version": "2012-10-17", "Statement": { "Effect": "Allow", "Action": "proton:*", "Resource": "*" },
        }).to_string();
        admin(&program, &["policy", "create", "all", "--document", &document, "--description", "everything"]).await;
        let shown = admin(&program, &["policy", "show", "all"]).await;
        assert_eq!((&shown["policyDocument"], &shown["policy"]["description"]), (&json!(document), &json!("everything")));
        admin(&program, &["policy", "update", "all", "--description", ""]).await;
        assert_eq!(admin(&program, &["policy", "show", "all"]).await["policy"].get("description"), None);
        assert_eq!(admin(&program, &["policy", "list"]).await["policies"].as_array().unwrap().len(), 6);
        admin(&program, &["policy", "delete", "all"]).await;
        let asked = ["policy", "simulate", "--document", &document, "--action", "proton:GetService"];
        let said = typed(&[&asked[..], &["--context", "aws:SourceIp=203.0.113.7"]].concat(), &root(&program)).await;
        assert!(said.out.starts_with("allowed by document 1, statement 1"), "{} {}", said.out, said.err);
    }

    an_environment_is_redeployed_and_force_deleted, async |db| {
        free(db);
        let double = double().await;
        let program = start(db, &double).ready().await;
        program.publish_env().await;
        program.ok("CreateEnvironment", create("e")).await;
        let environment = program.environment("e", "SUCCEEDED").await;
        let arn = environment["arn"].as_str().unwrap();
        // The region is the one of the ARN, whatever the environment says.
        let mut variables = root(&program).to_vec();
        variables.push(("AWS_REGION", "eu-central-1"));
        let spec = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(spec.path(), "proton: EnvironmentSpec\nspec:\n  size: small\n").unwrap();
        let spec = format!("file://{}", spec.path().display());
        let words = ["redeploy", "--resource-arn", arn, "--template-major-version", "1", "--spec", &spec];
        let ended = typed(&words, &variables).await;
        let answer: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}", ended.err));
        assert_eq!((&answer["templateMajorVersion"], &answer["templateMinorVersion"]), (&json!("1"), &json!("0")));
        let environment = program.environment("e", "SUCCEEDED").await;
        assert!(environment["spec"].as_str().unwrap().contains("size: small"), "{environment}");
        let answer = admin(&program, &["force-delete", "--resource-arn", arn, "--infrastructure", "retain"]).await;
        assert_eq!((&answer["status"], answer["retained"].as_array().unwrap().len()), (&json!("DELETED"), 1));
        program.gone("e").await;
        assert_eq!(double.stack_count(), 1);
        let again = typed(&["force-delete", "--resource-arn", arn, "--infrastructure", "delete"], &root(&program)).await;
        again.refused(1, &["ResourceNotFoundException", arn]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_file_of_the_server_will_do() {
    let data = tempfile::tempdir().unwrap();
    let program = on_a_server(data.path()).await;
    let file = data.path().join("credentials");
    let variables = [
        ("AWS_ENDPOINT_URL_PROTON", program.url.as_str()),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()),
    ];
    let ended = typed(&["account", "list"], &variables).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
    assert!(ended.out.contains("000000000000"), "{}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_ends_with_2_and_names_what_is_wrong() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hush-hush")];
    for (words, variables, said) in [
        (&[][..], &keys[..], "account"),
        (&["account"], &keys, "create"),
        (&["account", "create"], &keys, "--id"),
        (&["account", "create", "--id", "12"], &keys, "twelve digits"),
        (&["force-delete", "--resource-arn", "a"], &keys, "--infrastructure"),
        (&["force-delete", "--resource-arn", "a", "--infrastructure", "keep"], &keys, "retain"),
        (&["redeploy", "--resource-arn", "a", "--template-minor-version", "1"], &keys, "--template-major-version"),
        (&["redeploy", "--resource-arn", "a", "--spec", "file:///none.yaml"], &keys, "/none.yaml"),
        (&["logs"], &keys, "--deployment-id"),
        (&["user", "create", "ada", "--tag", "team"], &keys, "KEY=VALUE"),
        (&["policy", "put", "--user", "a", "--name", "b", "--document", "file:///none.json"], &keys, "/none.json"),
        (&["policy", "attach", "--user", "a", "--group", "b", "--policy", "c"], &keys, "--group"),
        (&["audit", "list", "--since", "yesterday"], &keys, "2026-12-01T08:00:00Z"),
        (&["audit", "export", "--follow", "--until", "2026-12-01T08:00:00Z"], &keys, "--until"),
        (&["account", "list"], &[], "AWS_ACCESS_KEY_ID"),
        (&["account", "list"], &keys[..1], "AWS_SECRET_ACCESS_KEY"),
    ] {
        let ended = typed(words, variables).await;
        ended.refused(2, &[said]);
        assert!(!ended.err.contains("hush"), "{}", ended.err);
    }
    let with = |variables: &[(&'static str, &'static str)]| [&keys[..], variables].concat();
    let elsewhere = with(&[("AWS_ENDPOINT_URL", "ftp://127.0.0.1:8420")]);
    typed(&["account", "list"], &elsewhere).await.refused(2, &["ftp://127.0.0.1:8420", "https://"]);
    let unreadable = with(&[("AWS_ENDPOINT_URL", "https://127.0.0.1:1"), ("AWS_CA_BUNDLE", "/none.pem")]);
    typed(&["account", "list"], &unreadable).await.refused(2, &["/none.pem"]);
    let flag = ["account", "list", "--ca-bundle", "/other.pem"];
    typed(&flag, &unreadable).await.refused(2, &["/other.pem"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_is_named_and_ends_with_1() {
    let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hush-hush")];
    let mut variables = keys.to_vec();
    variables.push(("AWS_ENDPOINT_URL", "http://127.0.0.1:1"));
    typed(&["account", "list"], &variables).await.refused(1, &["http://127.0.0.1:1"]);
}
