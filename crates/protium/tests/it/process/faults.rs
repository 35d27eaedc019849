//! What befalls runs: what holds them is killed, they hang, flood, leave things behind, fill the disk.

use std::fs;
use std::process::Command;

use http::Request;
use serde_json::{Value, json};

use super::program::{Program, until};
use super::runs::{HOLD, Site, is_alive, manifest, supervisor};
use super::services::kill;
use crate::on_both;
use crate::support::bundle::ENVIRONMENT_SCHEMA;
use crate::support::double::{create, resize};

/// A process that is deaf to what asks it to end, and found by the word.
fn deaf(word: &str) -> String {
    format!("sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' {word}")
}

fn word() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Whether any process has that word among its arguments.
fn is_there(word: &str) -> bool {
    Command::new("pgrep").args(["-f", word]).output().unwrap().status.success()
}

async fn is_gone(word: &str) {
    until(&format!("the end of {word}"), async || (!is_there(word)).then_some(())).await;
}

fn arn(environment: &str) -> String {
    format!("arn:aws:proton:us-east-1:000000000000:environment/{environment}")
}

/// The ids of the deployments, the newest first.
async fn deployments(program: &Program) -> Vec<String> {
    let listed = program.ok("ListDeployments", json!({})).await;
    listed["deployments"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Notifies as a run does, at its address.
async fn notify(program: &Program, url: &str, input: &Value) -> (u16, String) {
    let request = Request::post(url)
        .header("x-amz-target", "AwsProton20200720.NotifyResourceDeploymentStatusChange")
        .header("content-type", "application/x-amz-json-1.0")
        .body(input.to_string().into_bytes());
    let (status, body) = program.send(request.unwrap()).await;
    (status.as_u16(), String::from_utf8_lossy(&body).into_owned())
}

on_both! {
    the_end_of_what_holds_a_run_is_its_end, async |db| {
        let word = word();
        let site = Site::on(db, &[&format!("{} & {HOLD}", deaf(&word))], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.logged("waiting").await;
        assert!(is_there(&word));
        kill(supervisor(&site));
        let message = site.message("FAILED").await;
        assert!(message.starts_with("The run was lost"), "{message}");
        is_gone(&word).await;
        site.go();
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
    }

    a_run_that_hangs_is_ended_when_its_time_is_over, async |db| {
        let settings = tempfile::NamedTempFile::new().unwrap();
        // The run is asked to end at about half of it, and killed ten seconds later: the machine may be seconds late.
        fs::write(&settings, "[deadlines]\ndeployment = 10\n").unwrap();
        let word = word();
        let deaf = deaf(&word);
        let hang = format!("case {{{{ environment.inputs.size }}}} in large) while :; do sleep 0.02; done;; deaf) trap '' TERM; {deaf};; esac");
        let manifest = manifest(&[&hang], &[]);
        let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest.as_str())];
        let site = Site::of(db, |start| start.flag("--config", settings.path().to_str().unwrap()), &files).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        assert_eq!(site.message("FAILED").await, "The run was stopped: it took longer than deployments may.");
        // One that does not listen holds its deployment up no longer, and is killed.
        site.program.ok("UpdateEnvironment", resize("e", "deaf")).await;
        let message = site.message("FAILED").await;
        assert!(message.starts_with("Timed out"), "{message}");
        is_gone(&word).await;
        site.program.ok("UpdateEnvironment", resize("e", "small")).await;
        site.program.environment("e", "SUCCEEDED").await;
    }

    a_flood_of_output_is_bounded_and_keeps_its_end, async |db| {
        let line = "0123456789".repeat(100);
        let flood = format!("echo first; yes {line} | head -c 60000000; head -c 3000000 /dev/zero; echo; echo last");
        let site = Site::on(db, &[&flood, "echo '{\"A\": 1}' > proton-outputs.json"], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "A": "1" }));
        let log = site.logs().pop().unwrap();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines[1..3], ["first", line.as_str()]);
        assert_eq!(lines[lines.len() - 2..], ["last", "$ echo '{\"A\": 1}' > proton-outputs.json"]);
        assert_eq!(lines.iter().filter(|line| line.contains("bytes of the log are left out")).count(), 1);
        let files = fs::read_dir(site.resource()).unwrap().map(|entry| entry.unwrap().path().join("log"));
        let size: u64 = files.filter_map(|log| fs::metadata(log).ok()).map(|log| log.len()).sum();
        assert!(size < 9 << 20, "{size} bytes are kept");
    }

    what_a_run_leaves_behind_ends_with_it, async |db| {
        let word = word();
        let zombies = "python3 -c 'import os, time\nfor _ in range(50):\n  if os.fork() == 0: os._exit(0)\nif os.fork() == 0: time.sleep(3600)\n'";
        let hidden = deaf(&word);
        // They hold on to the output, and some of them are nobody's children any more.
        let site = Site::on(db, &[
            zombies,
            &format!("(setsid {hidden} &); nohup {hidden} & {hidden} &"),
            "echo '{\"A\": 1}' > proton-outputs.json; echo done",
        ], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert!(!is_there(&word), "it has ended when its deployment has");
        assert_eq!(site.outputs().await, json!({ "A": "1" }));
        assert!(site.logs().pop().unwrap().ends_with("done"));
        let supervisor = supervisor(&site);
        until("the end of the supervisor", async || (!is_alive(supervisor)).then_some(())).await;
    }

    however_a_command_ends_its_status_is_told, async |db| {
        let cases = [
            ("one", "false", 1),
            ("most", "exit 255", 255),
            ("more", "sh -c 'exit 300'", 44),
            ("killed", "sh -c 'kill -9 $$'", 137),
            ("ended", "kill $$; true", 143),
            ("missing", "no-such-program", 127),
            ("no-program", "./text", 126),
            ("broken", "if true", 2),
        ];
        let listed = cases.map(|(size, command, _)| format!("          - |\n            if [ {{{{ environment.inputs.size }}}} = {size} ]; then eval '{}'; fi\n", command.replace('\'', r"'\''")));
        let manifest = format!("infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n        provision:\n{}", listed.concat());
        let files = [
            ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", manifest.as_str()),
            ("infrastructure/text", "no program"),
        ];
        let site = Site::of(db, |start| start, &files).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        for (number, (size, command, status)) in cases.into_iter().enumerate() {
            site.program.ok("UpdateEnvironment", resize("e", size)).await;
            let message = site.message("FAILED").await;
            let expected = format!("Command {} of {} ended with status {status}: ", number + 1, cases.len());
            assert!(message.starts_with(&expected), "{command}: {message}");
        }
    }

    a_failure_is_told_in_plain_text_and_with_the_command_that_failed, async |db| {
        let site = Site::on(db, &[
            "printf 'a line without an end'",
            "printf '\\033[1;31mError:\\033[0m no such bucket\\033]0;title\\007\\n'; exit 3",
        ], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let message = site.message("FAILED").await;
        assert!(message.starts_with("Command 2 of 2 ended with status 3: printf"), "{message}");
        assert!(message.ends_with("The last lines of the output:\nError: no such bucket"), "{message}");
        assert!(site.logs().pop().unwrap().contains("\u{1b}[1;31mError:\u{1b}[0m"), "the log has what was printed");
    }

    a_script_that_was_written_on_windows_is_named, async |db| {
        let files = [
            ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", &manifest(&["echo fine", "./tools/deploy.sh"], &[])),
            ("infrastructure/tools/deploy.sh", "#!/bin/sh\r\necho deployed\r\n"),
        ];
        let site = Site::of(db, |start| start, &files).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let message = site.message("FAILED").await;
        assert!(message.starts_with("Command 2 of 2 ended with status 127: ./tools/deploy.sh\n"), "{message}");
        assert!(message.contains("The first line of tools/deploy.sh ends as on Windows, with a carriage return"), "{message}");
    }

    a_run_whose_resource_is_given_up_ends, async |db| {
        let polite = "sh -c \"trap 'echo said goodbye; exit 9' TERM; echo waiting; while :; do sleep 0.02; done\"";
        let site = Site::on(db, &[polite], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.logged("waiting").await;
        site.program.ok("ForceDelete", json!({ "resourceArn": arn("e"), "infrastructure": "RETAIN" })).await;
        site.program.gone("e").await;
        site.logged("said goodbye").await;
        let supervisor = supervisor(&site);
        until("the end of the supervisor", async || (!is_alive(supervisor)).then_some(())).await;
        until("the word about it", async || site.program.log().contains("since its deployment is over").then_some(())).await;
    }

    a_run_whose_record_is_deleted_ends, async |db| {
        let site = Site::on(db, &["sh -c \"echo waiting; while :; do sleep 0.02; done\""], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.logged("waiting").await;
        let supervisor = supervisor(&site);
        site.program.ok("ForceDelete", json!({ "resourceArn": arn("e"), "infrastructure": "RETAIN" })).await;
        for id in deployments(&site.program).await {
            site.program.ok("DeleteDeployment", json!({ "id": id })).await;
        }
        until("the end of the supervisor", async || (!is_alive(supervisor)).then_some(())).await;
    }

    a_run_notifies_nobody_elses_deployment, async |db| {
        // In capital letters it is not known to be a secret.
        let site = Site::on(db, &["echo \"url=$AWS_ENDPOINT_URL_PROTON\" | tr a-z A-Z", HOLD], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let log = site.logged("waiting").await;
        let url = log.lines().find_map(|line| line.strip_prefix("URL=")).unwrap().to_ascii_lowercase();
        site.program.ok("CreateEnvironment", create("f")).await;
        let other = deployments(&site.program).await.remove(0);
        let output = json!([{ "key": "Taken", "valueString": "over" }]);
        let foreign = json!({ "resourceArn": arn("f"), "outputs": output });
        let (status, said) = notify(&site.program, &url, &foreign).await;
        assert!(status == 400 && said.contains("AccessDeniedException") && said.contains("it is for arn:"), "{said}");
        let foreign = json!({ "resourceArn": arn("e"), "deploymentId": other, "outputs": output });
        let (status, said) = notify(&site.program, &url, &foreign).await;
        assert!(status == 400 && said.contains("this run is of"), "{status} {said}");
        let (before, token) = url.rsplit_once('/').unwrap();
        let altered = format!("{}{}", if token.starts_with('0') { '1' } else { '0' }, &token[1..]);
        for token in [altered.as_str(), &token[2..], "00", "none", ""] {
            let (status, said) = notify(&site.program, &format!("{before}/{token}"), &json!({ "resourceArn": arn("e") })).await;
            assert!((400..500).contains(&status) && !said.contains("over"), "{token}: {status} {said}");
        }
        let own = json!({ "resourceArn": arn("e"), "outputs": [{ "key": "Mine", "valueString": "x" }] });
        assert_eq!(notify(&site.program, &url, &own).await.0, 200);
        for resource in fs::read_dir(site.db.folder().join("runs")).unwrap().map(|entry| entry.unwrap().path()) {
            if resource.join("state").is_dir() {
                fs::write(resource.join("state/go"), "").unwrap();
            }
        }
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "Mine": "x" }));
        let (status, said) = notify(&site.program, &url, &own).await;
        assert!(status == 400 && said.contains("has ended"), "{status} {said}");
    }

    a_full_disk_fails_a_run_and_holds_nobody_up, async |db| {
        let runs = db.folder().join("runs");
        fs::create_dir(&runs).unwrap();
        let small = ["--dev-bind", "/", "/", "--size", "8388608", "--tmpfs", runs.to_str().unwrap(), "--die-with-parent"];
        let manifest = manifest(&[
            "echo begun; size={{ environment.inputs.size }}",
            "[ $size != large ] || head -c 16000000 /dev/zero > fill",
            "[ $size != kept ] || head -c 16000000 /dev/zero > \"$PROTIUM_STATE_DIR/fill\"",
            "yes 'a line of many' | head -n 1000; echo '{\"A\": 1}' > proton-outputs.json",
        ], &["echo gone"]);
        let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest.as_str())];
        let site = Site::of(db, |start| start.by("bwrap", &small), &files).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let message = site.message("FAILED").await;
        assert!(message.starts_with("Command 2 of 4 ended with status 1: ") && message.contains("No space left on device"), "{message}");
        // What filled it is gone with the run.
        site.program.ok("UpdateEnvironment", resize("e", "small")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "A": "1" }));
        // What stays keeps it full: the run still ends with a word.
        site.program.ok("UpdateEnvironment", resize("e", "kept")).await;
        let message = site.message("FAILED").await;
        assert!(message.starts_with("Command 3 of 4 ended with status 1: "), "{message}");
        // The next one has larger inputs and can't even be written; it says so, and can be cancelled.
        site.program.ok("UpdateEnvironment", resize("e", &"x".repeat(40_000))).await;
        until("the reason", async || {
            let found = site.program.ok("GetEnvironment", json!({ "name": "e" })).await["environment"].clone();
            assert_eq!(found["deploymentStatus"], "IN_PROGRESS", "{found}");
            let message = found["deploymentStatusMessage"].as_str().unwrap_or_default();
            message.contains("No space left on device").then_some(())
        })
        .await;
        site.program.ok("CancelEnvironmentDeployment", json!({ "environmentName": "e" })).await;
        site.program.environment("e", "CANCELLED").await;
        site.program.ok("ForceDelete", json!({ "resourceArn": arn("e"), "infrastructure": "RETAIN" })).await;
        site.program.gone("e").await;
    }
}
