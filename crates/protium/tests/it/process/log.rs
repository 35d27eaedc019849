//! The log: quiet in normal operation, useful in trouble, and without what is nobody's business.

use std::os::unix::fs::PermissionsExt as _;

use protium_engines::double::Behaviour;
use serde_json::json;

use super::program::{OUTBOUND, Program, Start};
use super::site::{double, free, start};
use crate::on_both;
use crate::support::bundle;
use crate::support::double::{create, environment, resize, spec, version_of};

/// Marks what is sensitive: no line may have it.
const MARK: &str = "hush";

/// A role that can't be assumed.
const DENIED: &str = "arn:aws:iam::000000000000:role/denied";
/// The same template as that of other stories, with marks in all its files.
const STACK: &str = r#"{
  "Description": "hush-template",
  "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "{{ environment.inputs.size }}"}}},
  "Outputs": {"Size": {"Value": "{{ environment.inputs.size }}"}, "Fixed": {"Value": "hush-output"}}
}"#;
/// One that can't be rendered, because of a name that looks like a secret.
const BROKEN: &str = r#"{"Resources": {"hush-resource": "{{ environment.inputs.hush_missing.more }}"}}"#;
const SCHEMA: &str = "\
schema:
  format:
    openapi: \"3.0.0\"
  environment_input_type: EnvironmentInput
  types:
    EnvironmentInput:
      type: object
      description: hush-schema
      properties:
        size:
          type: string
          default: hush-default
";

impl Program {
    async fn publish(&self, name: &str, stack: &str) {
        let texts = json!({ "name": name, "description": "hush-description", "displayName": "hush-display" });
        self.ok("CreateEnvironmentTemplate", texts).await;
        let mut files = environment(stack);
        files[0].1 = SCHEMA;
        self.upload("bundles", name, bundle::pack(&files)).await;
        let source = json!({ "s3": { "bucket": "bundles", "key": name } });
        let input = json!({ "templateName": name, "source": source, "description": "hush-description" });
        self.ok("CreateEnvironmentTemplateVersion", input).await;
        self.registered(name).await;
        let mut publish = version_of(name, "1.0");
        publish["status"] = "PUBLISHED".into();
        self.ok("UpdateEnvironmentTemplateVersion", publish).await;
    }

    /// A story with all that can be said about an environment, good and bad.
    async fn whole_story(&self, double: &protium_engines::double::Double) {
        self.publish("env", STACK).await;
        self.publish("broken", BROKEN).await;
        let mut input = create("e");
        input["spec"] = spec("hush-spec").into();
        input["description"] = "hush-description".into();
        self.ok("CreateEnvironment", input.clone()).await;
        self.environment("e", "SUCCEEDED").await;
        let outputs = self.ok("ListEnvironmentOutputs", json!({ "environmentName": "e" })).await;
        assert!(outputs.to_string().contains("hush-output"), "{outputs}");

        let arn = self.ok("GetEnvironment", json!({ "name": "e" })).await["environment"]["arn"].clone();
        let notified = json!({ "resourceArn": arn, "statusMessage": "hush-message",
            "outputs": [{ "key": "hush-key", "valueString": "hush-value" }] });
        self.ok("NotifyResourceDeploymentStatusChange", notified.clone()).await;
        for (member, value) in [("status", json!("FAILED")), ("outputs", json!([{ "key": "hush-key" }]))] {
            let mut wrong = notified.clone();
            wrong[member] = value;
            self.call("NotifyResourceDeploymentStatusChange", wrong).await.expect_err("it can't be right");
        }

        double.behave(|_| Behaviour::fails("Topic", "AWS::SNS::Topic", "hush-reason"));
        self.ok("UpdateEnvironment", resize("e", "hush-other")).await;
        let failed = self.environment("e", "FAILED").await;
        assert!(failed["deploymentStatusMessage"].as_str().unwrap().contains("hush-reason"), "{failed}");
        double.behave(|_| Behaviour::done());
        self.ok("UpdateEnvironment", resize("e", "hush-more")).await;
        self.environment("e", "SUCCEEDED").await;
        double.deny_role(DENIED, true);
        input["name"] = "denied".into();
        input["protonServiceRoleArn"] = DENIED.into();
        self.ok("CreateEnvironment", input.clone()).await;
        self.environment("denied", "FAILED").await;

        input["name"] = "broken".into();
        input["templateName"] = "broken".into();
        self.ok("CreateEnvironment", input).await;
        self.environment("broken", "FAILED").await;

        for (operation, input) in [
            ("CreateEnvironment", json!({ "name": "x", "templateName": "env", "spec": "hush: [" })),
            ("CreateEnvironment", json!({ "name": "x", "templateName": "env", "spec": 7, "description": "hush" })),
            ("CreateEnvironmentTemplate", json!({ "name": "x", "description": "hush".repeat(1_000) })),
            ("CreateEnvironmentTemplate", json!({ "name": "x", "displayName": ["hush"] })),
        ] {
            self.call(operation, input).await.expect_err("it can't be right");
        }
        self.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        self.gone("e").await;
    }
}

on_both! {
    no_secret_and_no_content_is_written_however_much_is_logged, async |db| {
        free(db);
        let double = double().await;
        let given = "hush-root-secret-of-the-operator";
        let program = start(db, &double)
            .variable("PROTIUM_ROOT_ACCESS_KEY_ID", "AKIAGIVENGIVENGIVEN1")
            .variable("PROTIUM_ROOT_SECRET_ACCESS_KEY", given)
            .variable("PROTIUM_LOG", "trace")
            .ready()
            .await;
        program.whole_story(&double).await;
        let ended = program.stop("TERM").await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
        let master_key = std::fs::read_to_string(db.folder().join("master.key")).unwrap();
        assert!(ended.err.contains("DEBUG"), "details are logged:\n{}", ended.err);
        for written in [&ended.err, &ended.out] {
            for line in written.lines() {
                assert!(!line.contains(MARK), "{line}");
                assert!(!line.contains(OUTBOUND.1), "{line}");
                assert!(!line.contains(master_key.trim()), "{line}");
            }
        }
    }

    normal_operation_is_a_few_short_lines, async |db| {
        free(db);
        std::fs::set_permissions(db.folder(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let double = double().await;
        let program = start(db, &double).ready().await;
        program.publish("env", STACK).await;
        program.ok("CreateEnvironment", create("e")).await;
        program.environment("e", "SUCCEEDED").await;
        program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        program.gone("e").await;
        let log = program.stop("TERM").await.err;
        println!("{log}");
        assert!(log.lines().count() <= 10, "{log}");
        for line in log.lines() {
            assert!(line.contains(" INFO ") && line.contains("protium"), "{line}");
            assert!(line.len() < 300, "{line}");
        }
        assert!(log.contains("listens on") && log.contains("account=\"000000000000\""), "{log}");
        assert!(!log.contains('\u{1b}'), "no colours in a file: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_credentials_says_so_where_it_matters_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let start = Start::in_folder(folder.path()).without_variable("AWS_ACCESS_KEY_ID");
    let program = start.without_variable("AWS_SECRET_ACCESS_KEY").ready().await;
    program.publish("env", STACK).await;
    program.ok("CreateEnvironment", create("e")).await;
    let failed = program.environment("e", "FAILED").await;
    let message = failed["deploymentStatusMessage"].as_str().unwrap();
    assert!(message.contains("no AWS credentials"), "{message}");
    let log = program.stop("TERM").await.err;
    for line in log.lines() {
        assert!(line.len() < 300, "{line}");
    }
}
