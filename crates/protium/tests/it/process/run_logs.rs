//! What runs print, followed while they go on, and how their files go when they are old.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::admin::{root, typed};
use super::program::{Program, Start, until};
use super::runs::{HOLD, Site, start};
use crate::on_both;
use crate::support::double::{create, resize};

/// The newest deployment.
async fn deployment(program: &Program) -> String {
    let listed = program.ok("ListDeployments", json!({ "maxResults": 1 })).await;
    listed["deployments"][0]["id"].as_str().expect("an id").to_owned()
}

/// `protium admin logs` of a deployment, with these words more, as it runs.
fn following(site: &Site<'_>, id: &str, more: &[&str]) -> Start {
    let words = [&["admin", "logs", "--deployment-id", id], more].concat();
    let start = Start::typed(site.db.folder(), &words);
    root(&site.program).into_iter().fold(start, |start, (name, value)| start.variable(name, value))
}

fn texts(page: &Value) -> Vec<&str> {
    page["logs"].as_array().expect("lines").iter().map(|line| line["message"].as_str().expect("a text")).collect()
}

/// Makes all that is in a folder as old as that.
fn age(path: &Path, by: Duration) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| age(&entry.unwrap().path(), by));
    }
    File::open(path).unwrap().set_modified(SystemTime::now() - by).unwrap();
}

/// Another server on the same data, which keeps runs for a day and has removed some.
async fn keeping_a_day(Site { db, program }: Site<'_>) -> Site<'_> {
    program.stop("TERM").await;
    let program = start(db).flag("--run-keep-days", "1").ready().await;
    until("the end of old runs", async || program.log().contains("files of old runs are removed").then_some(())).await;
    Site { db, program }
}

on_both! {
    a_run_is_followed_while_it_prints, async |db| {
        let site = Site::on(db, &["echo one; echo two >&2", HOLD, "echo \"url $AWS_ENDPOINT_URL_PROTON\"; echo last"], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let id = deployment(&site.program).await;
        let mut follower = following(&site, &id, &["--follow", "--timestamps"]).running();
        let mut lines = Vec::new();
        let mut input = json!({ "id": id, "maxResults": 1 });
        until("the line of the command that waits", async || {
            let page = site.program.ok("GetDeploymentLogs", input.clone()).await;
            assert!(page["logs"].as_array().unwrap().len() <= 1);
            lines.extend(texts(&page).into_iter().map(str::to_owned));
            input["nextToken"] = page["nextToken"].clone();
            assert!(page["nextToken"].is_string(), "it goes on: {page}");
            (lines.last().map(String::as_str) == Some("waiting")).then_some(())
        })
        .await;
        assert_eq!(lines[1..3], ["one", "two"]);
        // Not to the end, but what is there.
        let so_far = following(&site, &id, &[]).ended().await;
        assert_eq!((so_far.status.code(), so_far.out), (Some(0), lines.join("\n") + "\n"), "{}", so_far.err);
        follower.printed(" waiting").await;
        site.go();
        site.program.environment("e", "SUCCEEDED").await;
        input["maxResults"] = 1000.into();
        let page = site.program.ok("GetDeploymentLogs", input).await;
        let url = format!("url {}/run/***", site.program.url);
        assert_eq!(texts(&page)[1..], [url.as_str(), "last"]);
        assert_eq!(page.get("nextToken"), None);
        let ended = follower.ended().await;
        assert_eq!(ended.status.code(), Some(0), "{}", ended.err);
        let printed: Vec<&str> = ended.out.lines().map(|line| line.split_once(' ').unwrap().1).collect();
        lines.extend(texts(&page).into_iter().map(str::to_owned));
        assert_eq!(printed, lines);
        let first = ended.out.split_once(' ').unwrap().0;
        let at: jiff::Timestamp = first.parse().unwrap();
        assert!(first.len() == "2026-12-01T00:00:00.000Z".len() && at <= jiff::Timestamp::now(), "{first}");
        let of_nobody = ["logs", "--deployment-id", "00000000-0000-4000-8000-000000000000"];
        typed(&of_nobody, &root(&site.program)).await.refused(1, &["ResourceNotFoundException"]);
    }

    who_has_seen_enough_ends_the_command_quietly, async |db| {
        let site = Site::on(db, &["echo one", HOLD, "echo last"], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let id = deployment(&site.program).await;
        let mut command = Command::new(env!("CARGO_BIN_EXE_protium"));
        command.args(["admin", "logs", "--follow", "--deployment-id", &id]).env_clear().envs(root(&site.program));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut follower = command.spawn().unwrap();
        let mut out = BufReader::new(follower.stdout.take().unwrap()).lines();
        while out.next_line().await.unwrap().expect("it goes on") != "waiting" {}
        drop(out);
        site.go();
        let ended = follower.wait_with_output().await.unwrap();
        assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
    }

    old_runs_go_and_what_is_needed_stays, async |db| {
        let old = Duration::from_secs(2 * 24 * 60 * 60);
        let site = Site::on(db, &["echo \"run of $PROTIUM_DEPLOYMENT_ID\"; touch \"$PROTIUM_STATE_DIR/go\"", HOLD], &["echo gone"]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let first = deployment(&site.program).await;
        site.program.environment("e", "SUCCEEDED").await;
        let resource = site.resource();
        let [first_run, state] = [&first, "state"].map(|name| resource.join(name));
        for size in ["huge", "small"] {
            site.program.ok("UpdateEnvironment", resize("e", size)).await;
            site.program.environment("e", "SUCCEEDED").await;
        }
        let last = deployment(&site.program).await;
        let runs = || fs::read_dir(&resource).unwrap().count() - 1;
        assert_eq!(runs(), 3);
        age(&first_run, old);
        let site = keeping_a_day(site).await;
        assert!(!first_run.exists());
        assert_eq!(runs(), 2, "those of today stay");
        assert_eq!(site.program.ok("GetDeploymentLogs", json!({ "id": first })).await, json!({ "logs": [] }));
        // The current one is kept however old it is, and what stays from run to run.
        age(&resource, old);
        let site = keeping_a_day(site).await;
        assert_eq!(runs(), 1);
        assert!(state.join("go").exists());
        let log = site.program.ok("GetDeploymentLogs", json!({ "id": last })).await;
        assert!(texts(&log).contains(&format!("run of {last}").as_str()), "{log}");
        // Of what is gone, nothing.
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        let deleted = site.program.ok("GetDeploymentLogs", json!({ "id": deployment(&site.program).await })).await;
        assert!(texts(&deleted).contains(&"gone"), "{deleted}");
        age(&resource, old);
        let _site = keeping_a_day(site).await;
        assert!(!resource.exists());
    }
}
