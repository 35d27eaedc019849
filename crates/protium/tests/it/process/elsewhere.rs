//! Commands as infrastructure, run away from the server: from the wire to a cluster or to builds, and back.

use std::fs;

use protium::transaction;
use protium_engines::double::kubernetes::{Act, Cluster};
use protium_engines::double::{BuildRun, Double};
use serde_json::{Value, json};

use super::program::{Program, Start, until};
use super::runs::{Site, manifest};
use super::site::{expire_leases, free};
use super::terraform::{self, MAIN, bundle, is_installed};
use crate::on_both;
use crate::support::bundle::ENVIRONMENT_SCHEMA;
use crate::support::database::TestDb;
use crate::support::double::{create, resize, spec};

const ROLE: &str = "arn:aws:iam::123456789012:role/builds";
const PUBLIC: &str = "https://protium.example.com";

/// The program with `runner` and these lines of its file; the template `env` has these commands.
async fn site<'a>(
    db: &'a mut TestDb,
    lines: &str,
    more: impl FnOnce(Start) -> Start,
    provision: &[&str],
    deprovision: &[&str],
) -> Site<'a> {
    let mut manifest = manifest(provision, deprovision);
    manifest.push_str("        image: debian:12\n");
    let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest.as_str())];
    site_of(db, lines, more, &files).await
}

/// The same; the template `env` has these files.
async fn site_of<'a>(
    db: &'a mut TestDb,
    lines: &str,
    more: impl FnOnce(Start) -> Start,
    files: &[(&str, &str)],
) -> Site<'a> {
    let config = db.folder().join("protium.toml");
    fs::write(&config, format!("public-url = \"{PUBLIC}/\"\n{lines}")).unwrap();
    free(db);
    let program = more(Start::on(db).flag("--config", config.to_str().unwrap())).ready().await;
    program.publish_env_of(files).await;
    Site { db, program }
}

/// The lines that the last deployment of the environment `e` printed, by the API.
async fn printed(program: &Program) -> Vec<String> {
    let environment = program.ok("GetEnvironment", json!({ "name": "e" })).await["environment"].clone();
    let logs = program.ok("GetDeploymentLogs", json!({ "id": environment["lastAttemptedDeploymentId"] })).await;
    let lines = logs["logs"].as_array().unwrap().iter();
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

/// The lines of the file that say to run on that cluster.
fn cluster_lines(db: &TestDb, cluster: &Cluster) -> String {
    let kubeconfig = db.folder().join("kubeconfig");
    fs::write(&kubeconfig, cluster.kubeconfig()).unwrap();
    format!(
        "runner = \"kubernetes\"\nkubernetes = {{ kubeconfig = {:?}, image = \"debian:12\" }}\n",
        kubeconfig.display().to_string()
    )
}

async fn on_kubernetes<'a>(db: &'a mut TestDb, cluster: &Cluster, provision: &[&str], gone: &[&str]) -> Site<'a> {
    let lines = cluster_lines(db, cluster);
    site(db, &lines, |start| start, provision, gone).await
}

/// What a build prints whose one command says that, and then how it ended.
fn built(text: &str, outputs: Option<&str>, status: i32) -> BuildRun {
    let mut lines = vec!["\u{1e}{deployment}0".to_owned(), text.to_owned()];
    lines.extend(outputs.map(|outputs| format!("::protium {{deployment}} out {outputs}")));
    lines.push(format!("::protium {{deployment}} end {status}"));
    BuildRun { lines, ..BuildRun::ends(if status == 0 { "SUCCEEDED" } else { "FAILED" }, &[]) }
}

/// The input that creates an environment whose runs are builds.
fn create_with_builds(name: &str) -> Value {
    let mut input = json!({ "name": name, "templateName": "env", "templateMajorVersion": "1", "spec": spec("large") });
    input["codebuildRoleArn"] = ROLE.into();
    input
}

/// The input of what names the environment `e` only.
fn arn() -> Value {
    json!({ "resourceArn": "arn:aws:proton:us-east-1:000000000000:environment/e" })
}

/// The input that force-deletes it.
fn forced(infrastructure: &str) -> Value {
    let mut input = arn();
    input["infrastructure"] = infrastructure.into();
    input
}

/// Puts the job of a run off for ever that was looked at before its turn once; answers whether there was one.
async fn put_off(db: &TestDb) -> bool {
    transaction!(db.store(), async |tx| -> Result<u64, protium::store::DbError> {
        let sql = "UPDATE job SET due_at = due_at + 1000000000000
                   WHERE kind = 'deploy' AND nudges > 1 AND lease_until IS NULL";
        tx.execute(sql, &[]).await
    })
    .unwrap()
        == 1
}

on_both! {
    commands_provision_update_and_deprovision_on_kubernetes, async |db| {
        let cluster = Cluster::start("runs").await.unwrap();
        let site = on_kubernetes(db, &cluster, &[
            "echo \"size {{ environment.inputs.size }} color $COLOR, notify $AWS_ENDPOINT_URL_PROTON\"",
            "printf '{\"Size\": \"{{ environment.inputs.size }}\"}' > proton-outputs.json",
        ], &["echo \"gone {{ environment.inputs.size }}\""]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "Size": "large" }));
        let lines = printed(&site.program).await;
        assert_eq!(lines[1], format!("size large color blue, notify {PUBLIC}/run/***"), "{lines:?}");
        site.program.ok("UpdateEnvironment", resize("e", "small")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "Size": "small" }));
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        assert_eq!((cluster.begun(), cluster.there("secrets").len()), (3, 0));
    }

    a_run_on_kubernetes_goes_on_while_the_server_is_killed, async |db| {
        let cluster = Cluster::start("runs").await.unwrap();
        // A pod takes an act each time that it is looked for.
        let waits = Act::Waits("ContainerCreating".into(), "soon".into());
        cluster.behave(move || vec![waits.clone(), waits.clone(), Act::Runs]);
        let site = on_kubernetes(db, &cluster, &["echo once"], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        until("a pod", async || (!cluster.there("pods").is_empty()).then_some(())).await;
        let Site { db, program } = site;
        program.kill().await;
        expire_leases(db).await;
        let config = db.folder().join("protium.toml");
        let site = Site { db, program: Start::on(db).flag("--config", config.to_str().unwrap()).ready().await };
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!((cluster.begun(), cluster.effects("create jobs")), (1, 1));
        assert_eq!(printed(&site.program).await, ["$ echo once", "once"]);
    }

    the_end_of_a_run_is_seen_before_its_turn, async |db| {
        let cluster = Cluster::start("runs").await.unwrap();
        cluster.behave(Vec::new);
        let site = on_kubernetes(db, &cluster, &["false"], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        until("a pod", async || cluster.there("pods").pop()).await;
        if site.db.is_shared() {
            // Its turn does not come, once it was told that the pod is there.
            until("no turn", async || put_off(site.db).await.then_some(())).await;
        }
        cluster.happens(&Act::Runs);
        let message = site.message("FAILED").await;
        assert!(message.contains("ended with status 1: false"), "{message}");
    }

    terraform_is_applied_updated_and_destroyed_on_kubernetes_with_its_state_in_s3, async |db| {
        if !is_installed() {
            return;
        }
        let cluster = Cluster::start("runs").await.unwrap();
        // Another server's store of objects is where the states are.
        let folder = tempfile::tempdir().unwrap();
        let store = Start::in_folder(folder.path()).ready().await;
        store.upload("states", "made", Vec::new()).await;
        let (id, secret) = &store.key;
        let lines = format!(
            "{}aws-endpoint-url = \"{}\"\n[run-variables]\n\
             AWS_ACCESS_KEY_ID = \"{id}\"\nAWS_SECRET_ACCESS_KEY = \"{secret}\"\n",
            cluster_lines(db, &cluster), store.url,
        );
        let backend = "backend \"s3\" {\nbucket = \"states\"\nkey = \"e\"\nregion = \"us-east-1\"\nuse_path_style = true\n}";
        let main = MAIN.replace("backend \"s3\" {}", backend);
        let site = site_of(db, &lines, |start| start, &bundle(&main)).await;
        let program = &site.program;
        program.ok("CreateEnvironment", terraform::create("large")).await;
        program.environment("e", "SUCCEEDED").await;
        let outputs = site.outputs().await;
        assert_eq!((&outputs["Zones"], &outputs["Ports"]), (&json!("[\"a\",\"b\"]"), &json!("{\"http\":80}")));
        let log = printed(program).await.join("\n");
        assert!(log.contains("Plan: 1 to add, 0 to change, 0 to destroy.") && !log.contains("seen-by-whoever"), "{log}");
        let runs = fs::read_dir(site.resource()).unwrap().map(|run| run.unwrap().path().join("plan.txt"));
        let plan = fs::read_to_string(runs.last().unwrap()).unwrap();
        assert!(plan.contains("terraform_data.site will be created"), "{plan}");
        program.ok("UpdateEnvironment", resize("e", "huge")).await;
        program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await["Size"], "huge");
        let log = printed(program).await.join("\n");
        assert!(log.contains("Plan: 0 to add, 1 to change, 0 to destroy."), "what was made is known: {log}");
        program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        program.gone("e").await;
        assert_eq!((cluster.begun(), cluster.there("secrets").len()), (3, 0));
    }

    terraform_away_from_the_server_says_where_its_state_must_be, async |db| {
        let cluster = Cluster::start("runs").await.unwrap();
        let lines = cluster_lines(db, &cluster);
        let site = site_of(db, &lines, |start| start, &bundle(MAIN)).await;
        site.program.ok("CreateEnvironment", terraform::create("large")).await;
        let message = site.message("FAILED").await;
        assert!(message.contains("Start the server with --terraform-state s3://BUCKET/PREFIX"), "{message}");
        assert_eq!(cluster.begun(), 0);
    }

    a_version_that_leaves_a_process_is_refused_before_anything_is_made, async |db| {
        let cluster = Cluster::start("runs").await.unwrap();
        let lines = cluster_lines(db, &cluster);
        let manifest = manifest(&["true"], &[]) + "        service: {command: serve, port: 8080}\n";
        let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest.as_str())];
        let site = site_of(db, &lines, |start| start, &files).await;
        let refused = site.program.call("CreateEnvironment", create("e")).await.unwrap_err();
        assert!(refused.message.contains("settings.service") && refused.message.contains("--runner local"), "{}", refused.message);
        assert_eq!(refused.code, "ValidationException");
    }

    logs_are_kept_in_a_bucket_and_read_there_when_the_servers_own_are_gone, async |db| {
        let cluster = Cluster::start("runs").await.unwrap();
        let aws = Double::start_in_real_time().await.unwrap();
        let lines = format!("{}run-logs = \"s3://logs/team\"\naws-endpoint-url = \"{}\"\n", cluster_lines(db, &cluster), aws.url());
        // The bucket is not there yet: no deployment waits for it.
        let manifest = manifest(&["echo one", "echo \"$AWS_ENDPOINT_URL_PROTON\""], &["true"]);
        let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest.as_str())];
        let site = site_of(db, &lines, |start| start, &files).await;
        let program = &site.program;
        program.ok("CreateEnvironment", create("e")).await;
        program.environment("e", "SUCCEEDED").await;
        until("the words about the bucket", async || program.log().contains("NoSuchBucket").then_some(())).await;
        let there = printed(program).await;
        aws.make_bucket("logs");
        until("the copy", async || (!aws.objects().is_empty()).then_some(())).await;
        fs::remove_dir_all(site.db.folder().join("runs")).unwrap();
        assert_eq!(printed(program).await, there);
        assert!(there.contains(&format!("{PUBLIC}/run/***")), "{there:?}");
        let environment = program.ok("GetEnvironment", json!({ "name": "e" })).await["environment"].clone();
        program.ok("DeleteDeployment", json!({ "id": environment["lastAttemptedDeploymentId"] })).await;
        until("the end of the copy", async || aws.objects().is_empty().then_some(())).await;
    }

    what_fails_on_kubernetes_is_told_and_a_cancelled_run_ends, async |db| {
        let cluster = Cluster::start("runs").await.unwrap();
        let site = on_kubernetes(db, &cluster, &["echo no room; exit 3"], &["true"]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let message = site.message("FAILED").await;
        assert!(message.contains("Command 1 of 1 ended with status 3") && message.contains("no room"), "{message}");
        cluster.behave(|| vec![Act::Prints(vec!["still there".into()])]);
        site.program.ok("UpdateEnvironment", resize("e", "small")).await;
        until("a line", async || printed(&site.program).await.contains(&"still there".to_owned()).then_some(())).await;
        site.program.ok("CancelEnvironmentDeployment", json!({ "environmentName": "e" })).await;
        site.program.environment("e", "CANCELLED").await;
        cluster.behave(|| vec![Act::Runs]);
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
    }

    a_run_on_kubernetes_is_stopped_when_its_resource_is_deployed_anew_or_force_deleted, async |db| {
        let cluster = Cluster::start("runs").await.unwrap();
        cluster.behave(|| vec![Act::Prints(vec!["still there".into()])]);
        let site = on_kubernetes(db, &cluster, &["true"], &["true"]).await;
        let program = &site.program;
        program.ok("CreateEnvironment", create("e")).await;
        until("the run", async || (cluster.begun() == 1).then_some(())).await;
        program.ok("Redeploy", arn()).await;
        until("the next run", async || (cluster.begun() == 2).then_some(())).await;
        assert_eq!((cluster.there("jobs").len(), cluster.there("pods").len()), (1, 1), "the earlier one has ended");
        cluster.behave(|| vec![Act::Runs]);
        program.ok("ForceDelete", forced("DELETE")).await;
        program.gone("e").await;
        assert_eq!((cluster.begun(), cluster.effects("delete jobs")), (3, 2));
        assert!(cluster.there("pods").iter().all(|pod| pod["status"]["phase"] == "Succeeded"));
    }

    a_run_on_kubernetes_is_stopped_when_its_resource_goes_and_all_else_stays, async |db| {
        let cluster = Cluster::start("runs").await.unwrap();
        cluster.behave(|| vec![Act::Prints(vec!["still there".into()])]);
        let site = on_kubernetes(db, &cluster, &["true"], &["true"]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        until("the run", async || (cluster.begun() == 1).then_some(())).await;
        let answer = site.program.ok("ForceDelete", forced("RETAIN")).await;
        assert_eq!(answer["status"], "DELETED");
        let is_there = || ["pods", "jobs"].iter().any(|kind| !cluster.there(kind).is_empty());
        until("the end of the run", async || (!is_there()).then_some(())).await;
        assert_eq!((cluster.begun(), cluster.effects("delete jobs")), (1, 1));
    }

    a_build_is_stopped_when_its_resource_goes_and_all_else_stays, async |db| {
        let aws = Double::start_in_real_time().await.unwrap();
        aws.run_builds(BuildRun::ends("IN_PROGRESS", &[]));
        let start = |start: Start| start.flag("--aws-endpoint-url", &aws.url());
        let site = site(db, "runner = \"codebuild\"\n", start, &["true"], &["true"]).await;
        site.program.ok("CreateEnvironment", create_with_builds("e")).await;
        until("the build", async || (aws.running_builds() == 1).then_some(())).await;
        site.program.ok("ForceDelete", forced("RETAIN")).await;
        until("the end of the build", async || (aws.running_builds() == 0).then_some(())).await;
        assert_eq!((aws.effects("StartBuild"), aws.effects("StopBuild")), (1, 1));
    }

    a_build_is_stopped_when_its_resource_is_deployed_anew_or_force_deleted, async |db| {
        let aws = Double::start_in_real_time().await.unwrap();
        aws.run_builds(BuildRun::ends("IN_PROGRESS", &[]));
        let start = |start: Start| start.flag("--aws-endpoint-url", &aws.url());
        let site = site(db, "runner = \"codebuild\"\n", start, &["true"], &["true"]).await;
        site.program.ok("CreateEnvironment", create_with_builds("e")).await;
        until("the build", async || (aws.running_builds() == 1).then_some(())).await;
        site.program.ok("Redeploy", arn()).await;
        until("the next build", async || (aws.effects("StartBuild") == 2).then_some(())).await;
        assert_eq!((aws.effects("StopBuild"), aws.running_builds()), (1, 1));
        aws.run_builds(built("removed", None, 0));
        site.program.ok("ForceDelete", forced("DELETE")).await;
        site.program.gone("e").await;
        assert_eq!((aws.effects("StartBuild"), aws.effects("StopBuild"), aws.running_builds()), (3, 2, 0));
    }

    commands_provision_and_deprovision_on_codebuild, async |db| {
        let aws = Double::start_in_real_time().await.unwrap();
        aws.run_builds(built("built", Some("{\"Url\": \"http://e\"}"), 0));
        let start = |start: Start| start.flag("--aws-endpoint-url", &aws.url());
        let site = site(db, "runner = \"codebuild\"\n", start, &["./build.sh"], &["./remove.sh"]).await;
        site.program.ok("CreateEnvironment", create_with_builds("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "Url": "http://e" }));
        assert_eq!(printed(&site.program).await, ["$ ./build.sh", "built"]);
        aws.run_builds(built("no room", None, 3));
        site.program.ok("UpdateEnvironment", resize("e", "small")).await;
        let message = site.message("FAILED").await;
        assert!(message.contains("ended with status 3: ./build.sh") && message.contains("no room"), "{message}");
        aws.run_builds(built("removed", None, 0));
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        assert!(aws.objects().is_empty() && aws.count("DeleteStack") == 1, "{:?}", aws.objects());
    }
}

#[tokio::test]
async fn a_runner_that_can_not_be_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("protium.toml");
    for (lines, told) in [
        ("runner = \"kubernetes\"\n[kubernetes]\nkubeconfig = \"/nowhere/config\"\n", "/nowhere/config"),
        ("runner = \"kubernetes\"\n", "runner: kubernetes"),
    ] {
        fs::write(&config, lines).unwrap();
        let start = Start::in_folder(&folder.path().join("data")).flag("--config", config.to_str().unwrap());
        start.ended().await.refused(1, &[told]);
    }
}
