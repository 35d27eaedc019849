//! What commands leave behind to stay: processes that the program holds, replaces and brings back.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::program::{Program, Start, until};
use super::runs::is_alive;
use super::site::{expire_leases, free};
use crate::on_both;
use crate::support::bundle::{ENVIRONMENT_SCHEMA, pack};
use crate::support::database::TestDb;
use crate::support::double::{create, resize, version_of};

/// What provisions: a page that says the size, and a failure for the size `bad`.
const PROVISION: &str = "
          - echo 'size {{ environment.inputs.size }}' > index.html; [ '{{ environment.inputs.size }}' != bad ]
          - '\"$PROTIUM_PROGRAM\" --version > version.txt'";

/// What stays: a server of that page. For the size `broken` it ends at once, for `mute` it never answers.
const COMMAND: &str = r#"echo begun >> "$PROTIUM_STATE_DIR/begun"
            case '{{ environment.inputs.size }}' in
              broken) echo cannot begin >&2; exit 3;;
              mute) while :; do sleep 1; done;;
            esac
            exec python3 -m http.server "$PORT" --bind 127.0.0.1"#;

fn manifest(port: u16) -> String {
    format!(
        "infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n        provision:{PROVISION}\n        \
         service:\n          command: |\n            {COMMAND}\n          port: {port}\n          ready_path: /index.html\n        \
         deprovision:\n          - echo deprovisioned\n"
    )
}

/// A port that nobody has, and that no connection is given by itself.
pub(super) fn unused_port() -> u16 {
    let any = std::iter::repeat_with(|| {
        10_000 + u16::from_le_bytes(*uuid::Uuid::new_v4().as_bytes().first_chunk().unwrap()) / 4
    });
    any.into_iter().find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok()).unwrap()
}

/// The program with a runner, and a published template `env` that leaves a process at a port.
struct Site<'a> {
    db: &'a TestDb,
    program: Program,
    port: u16,
}

fn start(db: &TestDb) -> Start {
    Start::on(db).flag("--runner", "local")
}

impl<'a> Site<'a> {
    async fn on(db: &'a mut TestDb) -> Self {
        free(db);
        let (program, port) = (start(db).ready().await, unused_port());
        let manifest = manifest(port);
        let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest.as_str())];
        program.publish_env_of(&files).await;
        Self { db, program, port }
    }

    /// With the environment `e` of the size `large`.
    async fn deployed(db: &'a mut TestDb) -> Self {
        let site = Self::on(db).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.page("index.html").await.as_deref(), Some("size large\n"), "it answers when it is deployed");
        site
    }

    /// What the process answers.
    async fn page(&self, page: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        stream.write_all(format!("GET /{page} HTTP/1.0\r\n\r\n").as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer.split_once("\r\n\r\n")?.1.to_owned())
    }

    async fn answers(&self, text: &str) {
        until(&format!("the answer {text}"), async || {
            (self.page("index.html").await.as_deref() == Some(text)).then_some(())
        })
        .await;
    }

    /// The folder of the only resource.
    fn resource(&self) -> PathBuf {
        let runs = fs::read_dir(self.db.folder().join("runs")).unwrap().map(|entry| entry.unwrap().path());
        runs.into_iter().find(|path| path.is_dir()).unwrap()
    }

    /// How often a process was begun.
    fn begun(&self) -> usize {
        fs::read_to_string(self.resource().join("state/begun")).unwrap_or_default().lines().count()
    }

    /// The folders of runs that have this below them.
    fn with(&self, name: &str) -> Vec<PathBuf> {
        let runs = fs::read_dir(self.resource()).unwrap().map(|entry| entry.unwrap().path().join(name));
        runs.filter(|path| path.exists()).collect()
    }

    async fn resized(&self, size: &str, status: &str) -> String {
        self.program.ok("UpdateEnvironment", resize("e", size)).await;
        let environment = self.program.environment("e", status).await;
        environment["deploymentStatusMessage"].as_str().unwrap_or_default().to_owned()
    }

    fn server(&self) -> Option<u32> {
        let found = Command::new("pgrep").args(["-f", &format!("http.server {} ", self.port)]).output().unwrap();
        String::from_utf8(found.stdout).unwrap().lines().next().map(|pid| pid.parse().unwrap())
    }

    /// The number in what a supervisor of a process left of itself.
    fn supervisor(&self) -> u32 {
        let [file] = self.with("service/supervisor.json").try_into().unwrap();
        let identity: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        identity["pid"].as_u64().unwrap().try_into().unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.resource().join("service.log")).unwrap()
    }
}

pub(super) fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

on_both! {
    a_process_answers_when_it_is_deployed_and_is_gone_when_it_is_deleted, async |db| {
        let site = Site::deployed(db).await;
        assert!(site.page("version.txt").await.unwrap().starts_with("protium "), "commands find this very program");
        assert!(site.log().contains("GET /index.html"), "its output is kept: {}", site.log());
        site.resized("huge", "SUCCEEDED").await;
        assert_eq!(site.page("index.html").await.as_deref(), Some("size huge\n"));
        until("the end of the former folder", async || (site.with("work").len() == 1).then_some(())).await;
        assert_eq!(site.begun(), 2);
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        assert_eq!((site.page("").await, site.server()), (None, None));
        assert!(site.with("work").is_empty() && !site.resource().join("service.json").exists());
    }

    an_update_that_fails_leaves_the_process_that_was_there, async |db| {
        let site = Site::deployed(db).await;
        let message = site.resized("bad", "FAILED").await;
        assert!(message.starts_with("Command 1 of 2 ended with status 1"), "{message}");
        assert_eq!((site.page("index.html").await.as_deref(), site.begun()), (Some("size large\n"), 1), "untouched");
        let message = site.resized("broken", "FAILED").await;
        assert!(message.contains("the process ended with status 3 before it answered"), "{message}");
        assert!(message.ends_with("The last lines of its output:\ncannot begin"), "{message}");
        site.answers("size large\n").await;
        assert_eq!((site.begun(), site.with("work").len()), (3, 1), "it is begun again");
        site.resized("huge", "SUCCEEDED").await;
        assert_eq!(site.page("index.html").await.as_deref(), Some("size huge\n"));
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
    }

    a_process_comes_back_whatever_ends, async |db| {
        let site = Site::deployed(db).await;
        // The process.
        kill(site.server().unwrap());
        until("the next start", async || (site.begun() == 2).then_some(())).await;
        site.answers("size large\n").await;
        assert!(site.log().contains("it is started again in 1 s"), "{}", site.log());
        // The server.
        let Site { db, program, port } = site;
        program.kill().await;
        expire_leases(db).await;
        let site = Site { db, program: start(db).ready().await, port };
        site.answers("size large\n").await;
        assert_eq!(site.begun(), 2, "it went on");
        // What holds the process, as in a restart of the machine.
        kill(site.supervisor());
        until("the next start", async || (site.begun() == 3).then_some(())).await;
        site.answers("size large\n").await;
        site.resized("huge", "SUCCEEDED").await;
        assert_eq!(site.page("index.html").await.as_deref(), Some("size huge\n"));
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        assert_eq!(site.server(), None);
    }

    a_process_that_is_forgotten_by_hand_ends, async |db| {
        let site = Site::deployed(db).await;
        let kept = site.resource().join("service.json");
        let text = fs::read(&kept).unwrap();
        fs::remove_file(&kept).unwrap();
        until("the end of the process", async || site.server().is_none().then_some(())).await;
        assert_eq!(site.begun(), 1, "it is not begun again");
        // One whose files are gone can't be begun, and is forgotten.
        let supervisor = site.supervisor();
        until("the end of its supervisor", async || (!is_alive(supervisor)).then_some(())).await;
        let [work] = site.with("work").try_into().unwrap();
        fs::remove_dir_all(work).unwrap();
        fs::write(&kept, text).unwrap();
        until("the end of what is kept of it", async || (!kept.exists()).then_some(())).await;
        site.resized("huge", "SUCCEEDED").await;
        site.answers("size huge\n").await;
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        assert!(!kept.exists() && site.server().is_none());
    }

    a_port_of_somebody_else_is_not_taken_for_the_process, async |db| {
        let site = Site::on(db).await;
        let other = TcpListener::bind(("127.0.0.1", site.port)).unwrap();
        site.program.ok("CreateEnvironment", create("e")).await;
        let environment = site.program.environment("e", "FAILED").await;
        let message = environment["deploymentStatusMessage"].as_str().unwrap();
        assert!(message.contains(&format!("port {} is taken on this machine", site.port)), "{message}");
        assert_eq!(site.begun(), 0);
        drop(other);
        site.resized("large", "SUCCEEDED").await;
        site.answers("size large\n").await;
        // Nothing stays of a server whose data folder is removed.
        fs::remove_dir_all(site.resource()).unwrap();
        until("the end of the process", async || site.server().is_none().then_some(())).await;
    }

    a_cancelled_first_deployment_leaves_no_process, async |db| {
        let site = Site::on(db).await;
        let mut input = create("e");
        input["spec"] = crate::support::double::spec("mute").into();
        site.program.ok("CreateEnvironment", input).await;
        let runs = site.db.folder().join("runs");
        until("the start of the process", async || {
            let any = fs::read_dir(&runs).is_ok_and(|mut runs| runs.any(|entry| entry.unwrap().path().is_dir()));
            (any && site.begun() == 1).then_some(())
        })
        .await;
        site.program.ok("CancelEnvironmentDeployment", json!({ "environmentName": "e" })).await;
        site.program.environment("e", "CANCELLED").await;
        assert!(site.with("work").is_empty() && !site.resource().join("service.json").exists());
        assert_eq!(site.with("service/end.json").len(), 1);
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
    }

    a_version_without_a_process_stops_the_one_before, async |db| {
        let site = Site::deployed(db).await;
        let program = &site.program;
        let manifest = "infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings: {provision: ['true']}\n";
        let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest)];
        program.upload("bundles", "without", pack(&files)).await;
        let source = json!({ "s3": { "bucket": "bundles", "key": "without" } });
        program.ok("CreateEnvironmentTemplateVersion", json!({ "templateName": "env", "majorVersion": "1", "source": source })).await;
        until("the registration", async || {
            let version = program.ok("GetEnvironmentTemplateVersion", version_of("env", "1.1")).await;
            (version["environmentTemplateVersion"]["status"] == "DRAFT").then_some(())
        })
        .await;
        let mut publish = version_of("env", "1.1");
        publish["status"] = "PUBLISHED".into();
        program.ok("UpdateEnvironmentTemplateVersion", publish).await;
        let update = json!({ "name": "e", "deploymentType": "MINOR_VERSION", "templateMajorVersion": "1", "templateMinorVersion": "1" });
        program.ok("UpdateEnvironment", update).await;
        program.environment("e", "SUCCEEDED").await;
        assert_eq!((site.page("").await, site.server()), (None, None));
    }

    a_process_that_nobody_could_reach_is_refused, async |db| {
        free(db);
        let program = start(db).word("--deny-run-network").ready().await;
        let manifest = manifest(unused_port());
        let files = [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest.as_str())];
        program.publish_env_of(&files).await;
        program.ok("CreateEnvironment", create("e")).await;
        let environment = program.environment("e", "FAILED").await;
        let message = environment["deploymentStatusMessage"].as_str().unwrap();
        assert!(message.contains("without --deny-run-network, or take settings.service out"), "{message}");
    }
}
