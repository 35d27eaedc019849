//! Commands as infrastructure, run on this machine: by the program as it is shipped, in its sandbox.

use std::fs;
use std::path::{Path, PathBuf};

use protium_engines::double::write_program;
use serde_json::{Value, json};

use super::program::{Program, Start, until};
use super::site::{expire_leases, free};
use crate::on_both;
use crate::support::bundle::{ENVIRONMENT_SCHEMA, environment, pack};
use crate::support::database::TestDb;
use crate::support::double::{create, resize, version_of};
use protium::store::DatabaseUrl;

/// Holds a command up until the test makes the file `go`.
pub(super) const HOLD: &str = "echo waiting; until [ -e \"$PROTIUM_STATE_DIR/go\" ]; do sleep 0.02; done";

/// A manifest with those commands, each on a line of its own.
pub(super) fn manifest(provision: &[&str], deprovision: &[&str]) -> String {
    let list = |commands: &[&str]| {
        let lines: Vec<String> = commands.iter().map(|command| format!("\n          - {}", json!(command))).collect();
        lines.concat()
    };
    let mut manifest = format!(
        "infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n        env: {{variables: {{COLOR: blue}}}}\n        provision:{}\n",
        list(provision)
    );
    if !deprovision.is_empty() {
        manifest.push_str(&format!("        deprovision:{}\n", list(deprovision)));
    }
    manifest
}

/// The program with a runner, and a published template `env` of those commands.
pub(super) struct Site<'a> {
    pub(super) db: &'a TestDb,
    pub(super) program: Program,
}

pub(super) fn start(db: &TestDb) -> Start {
    Start::on(db).flag("--runner", "local")
}

impl<'a> Site<'a> {
    pub(super) async fn on(db: &'a mut TestDb, provision: &[&str], deprovision: &[&str]) -> Self {
        let manifest = manifest(provision, deprovision);
        let files = [
            ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", &manifest),
            ("infrastructure/tool.sh", "#!/bin/sh\necho \"tool says $1\"\n"),
        ];
        Self::of(db, |start| start, &files).await
    }

    /// Started with what `more` adds; the template `env` has these files.
    pub(super) async fn of(db: &'a mut TestDb, more: impl FnOnce(Start) -> Start, files: &[(&str, &str)]) -> Self {
        free(db);
        let program = more(start(db)).ready().await;
        program.publish_env_of(files).await;
        Self { db, program }
    }

    /// The folder of the only resource that has ever had a run.
    pub(super) fn resource(&self) -> PathBuf {
        let runs = fs::read_dir(self.db.folder().join("runs")).unwrap().map(|entry| entry.unwrap().path());
        let mut resources: Vec<PathBuf> = runs.filter(|path| path.is_dir()).collect();
        assert_eq!(resources.len(), 1, "{resources:?}");
        resources.pop().unwrap()
    }

    /// The texts of all logs, the oldest first.
    pub(super) fn logs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.resource()).unwrap().map(|entry| entry.unwrap().path().join("log"));
        let mut logs: Vec<PathBuf> = entries.filter(|path| path.exists()).collect();
        logs.sort_by_key(|path| fs::metadata(path).unwrap().created().unwrap());
        logs.iter().map(|path| text_of(path)).collect()
    }

    /// Waits until the newest log has that line.
    pub(super) async fn logged(&self, line: &str) -> String {
        until(&format!("the line {line}"), async || {
            if !self.db.folder().join("runs").exists() {
                return None;
            }
            let resources = fs::read_dir(self.db.folder().join("runs")).unwrap();
            if resources.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count() == 0 {
                return None;
            }
            self.logs().pop().filter(|log| log.lines().any(|found| found.contains(line)))
        })
        .await
    }

    /// Lets held commands go on, now and later.
    pub(super) fn go(&self) {
        fs::write(self.resource().join("state/go"), "").unwrap();
    }

    pub(super) async fn message(&self, status: &str) -> String {
        let environment = self.program.environment("e", status).await;
        environment["deploymentStatusMessage"].as_str().unwrap_or_default().to_owned()
    }

    pub(super) async fn outputs(&self) -> Value {
        let listed = self.program.ok("ListEnvironmentOutputs", json!({ "environmentName": "e" })).await;
        let pairs = listed["outputs"].as_array().unwrap().iter();
        pairs.map(|pair| (pair["key"].as_str().unwrap().to_owned(), pair["valueString"].clone())).collect()
    }

    /// Kills the server; the next one takes its work over.
    async fn killed(self, end: impl AsyncFnOnce()) -> Self {
        let Self { db, program } = self;
        program.kill().await;
        end().await;
        expire_leases(db).await;
        Self { db, program: start(db).ready().await }
    }
}

/// The lines of a log, without their times.
pub(super) fn text_of(log: &Path) -> String {
    let lines = fs::read_to_string(log).unwrap();
    let lines =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["m"].as_str().unwrap().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

on_both! {
    commands_provision_update_and_deprovision_an_environment, async |db| {
        let site = Site::on(db, &[
            "size={{ environment.inputs.size }}; echo \"size $size color $COLOR $RESOURCE_ARN\"",
            "grep -o '\"size\" : \"[a-z]*\"' proton-inputs.json",
            "./tool.sh \"$size\"",
            "echo x >> \"$PROTIUM_STATE_DIR/runs\"; runs=$(wc -l < \"$PROTIUM_STATE_DIR/runs\")",
            "printf '{\"Size\": \"%s\", \"Runs\": %s}' \"$size\" \"$runs\" > proton-outputs.json",
        ], &["echo \"gone: {{ environment.inputs.size }} $(cat \"$PROTIUM_STATE_DIR/runs\" | wc -l)\"; grep -c size proton-inputs.json"]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "Size": "large", "Runs": "1" }));
        let log = site.logs().pop().unwrap();
        for line in [
            "$ ./tool.sh \"$size\"",
            "size large color blue arn:aws:proton:us-east-1:000000000000:environment/e",
            "\"size\" : \"large\"",
            "tool says large",
        ] {
            assert!(log.lines().any(|found| found == line), "{line}: {log}");
        }
        site.program.ok("UpdateEnvironment", resize("e", "huge")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "Size": "huge", "Runs": "2" }));
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        let log = site.logs().pop().unwrap();
        assert!(log.contains("gone: huge 2\n1"), "{log}");
        assert!(!site.resource().join("state").exists(), "nothing is kept of what is gone");
    }

    a_run_notifies_its_own_deployment_and_nothing_else, async |db| {
        let notify = r#"cat > call.py <<'END'
import json, os, sys, urllib.request, urllib.error
def call(operation, body):
    url = os.environ["AWS_ENDPOINT_URL_PROTON"] + "/"
    headers = {"X-Amz-Target": "AwsProton20200720." + operation, "Content-Type": "application/x-amz-json-1.0"}
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers))
        print(operation, answer.status)
    except urllib.error.HTTPError as error:
        print(operation, error.code, json.loads(error.read())["message"])
arn = os.environ["RESOURCE_ARN"]
notify = "NotifyResourceDeploymentStatusChange"
call(notify, {"resourceArn": arn, "outputs": [{"key": "Url", "valueString": "http://x"}]})
call(notify, {"resourceArn": arn[:-1] + "other"})
call(notify, {"resourceArn": arn, "status": "SUCCEEDED"})
call("ListEnvironments", {})
print("token", os.environ["AWS_ENDPOINT_URL_PROTON"].split("/")[-1])
END
python3 call.py"#;
        let site = Site::on(db, &[notify, "echo \"url=$AWS_ENDPOINT_URL_PROTON\" | tr a-z A-Z"], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "Url": "http://x" }));
        let log = site.logs().pop().unwrap();
        let said: Vec<&str> = log.lines().filter(|line| line.starts_with("Notify") || line.starts_with("List")).collect();
        assert_eq!(said[0], "NotifyResourceDeploymentStatusChange 200", "{log}");
        assert!(said[1].contains(" 400 ") && said[1].contains("it is for arn:aws:proton:"), "{log}");
        assert!(said[2].contains(" 400 "), "the end of the commands is the end: {log}");
        assert!(said[3].starts_with("ListEnvironments 400 a run of commands may call"), "{log}");
        assert!(log.contains("token ***"), "the token is masked: {log}");
        // The token is of no use when the deployment has ended.
        let url = log.lines().find_map(|line| line.strip_prefix("URL=")).unwrap().to_ascii_lowercase();
        let request = http::Request::post(url)
            .header("x-amz-target", "AwsProton20200720.NotifyResourceDeploymentStatusChange")
            .header("content-type", "application/x-amz-json-1.0")
            .body(json!({ "resourceArn": "arn:aws:proton:us-east-1:000000000000:environment/e" }).to_string().into_bytes());
        let (status, body) = site.program.send(request.unwrap()).await;
        let body = String::from_utf8_lossy(&body).into_owned();
        assert!(status == 400 && body.contains("AccessDeniedException") && body.contains("has ended"), "{status} {body}");
    }

    a_command_that_fails_says_which_and_with_what_last_words, async |db| {
        let site = Site::on(db, &["echo fine", "echo broken >&2; exit 3", "echo never"], &["exit 4"]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        let message = site.message("FAILED").await;
        assert!(message.starts_with("Command 2 of 3 ended with status 3: echo broken"), "{message}");
        assert!(message.ends_with("The last lines of the output:\nbroken"), "{message}");
        assert!(!site.logs().pop().unwrap().contains("never"));
        // What could not be deprovisioned stays, and can be given up.
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        let message = site.message("DELETE_FAILED").await;
        assert!(message.starts_with("Command 1 of 1 ended with status 4: exit 4"), "{message}");
        let arn = "arn:aws:proton:us-east-1:000000000000:environment/e";
        site.program.ok("ForceDelete", json!({ "resourceArn": arn, "infrastructure": "RETAIN" })).await;
        site.program.gone("e").await;
    }

    a_manifest_sets_no_variable_of_what_holds_its_commands, async |db| {
        // What a first version leaves in the folder that stays would be the sandbox of the second.
        free(db);
        let program = start(db).ready().await;
        let marker = db.folder().join("escaped");
        let variables = |path: &str| {
            let library = format!("{path}/evil.so");
            format!("        env: {{variables: {{PATH: {}, LD_PRELOAD: {}}}}}\n", json!(format!("{path}:/usr/bin:/bin")), json!(library))
        };
        let state = db.folder().join("state");
        fs::create_dir(&state).unwrap();
        for name in ["bwrap", "sh", "protium"] {
            let program = format!("#!/bin/sh\necho escaped > {}\nexit 0\n", marker.display());
            write_program(&state.join(name), program).unwrap();
        }
        let manifest = manifest(&["echo \"mine $PATH $LD_PRELOAD\""], &[])
            .replace("        env: {variables: {COLOR: blue}}\n", &variables(&state.display().to_string()));
        program.publish_env_of(&[("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", &manifest)]).await;
        program.ok("CreateEnvironment", create("e")).await;
        program.environment("e", "SUCCEEDED").await;
        assert!(!marker.exists());
        let site = Site { db, program };
        assert!(site.logs().pop().unwrap().contains(&format!("mine {}:/usr/bin:/bin", state.display())), "the commands have them");
    }

    what_a_run_makes_unwritable_holds_nobody_up, async |db| {
        let unwritable = "mkdir -p d \"$PROTIUM_STATE_DIR/d\"; touch d/f \"$PROTIUM_STATE_DIR/d/f\"; chmod 555 d \"$PROTIUM_STATE_DIR/d\"";
        let site = Site::on(db, &[unwritable], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
        assert!(!site.resource().join("state").exists());
    }

    an_environment_goes_to_no_version_of_another_engine, async |db| {
        let site = Site::on(db, &["true"], &[]).await;
        let program = &site.program;
        program.ok("CreateEnvironment", create("e")).await;
        program.environment("e", "SUCCEEDED").await;
        program.upload("bundles", "stack", pack(&environment())).await;
        let source = json!({ "s3": { "bucket": "bundles", "key": "stack" } });
        let input = json!({ "templateName": "env", "majorVersion": "1", "source": source });
        program.ok("CreateEnvironmentTemplateVersion", input).await;
        until("the registration", async || {
            let version = program.ok("GetEnvironmentTemplateVersion", version_of("env", "1.1")).await;
            (version["environmentTemplateVersion"]["status"] == "DRAFT").then_some(())
        })
        .await;
        let update = json!({ "name": "e", "deploymentType": "MINOR_VERSION", "templateMajorVersion": "1", "templateMinorVersion": "1" });
        let refused = program.call("UpdateEnvironment", update).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("the environment exists by another engine"), "{}", refused.message);
    }

    outputs_that_can_not_be_read_fail_the_deployment, async |db| {
        let site = Site::on(db, &["echo '{\"a\": ' > proton-outputs.json"], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        assert_eq!(site.message("FAILED").await, "proton-outputs.json is no JSON (line 2)");
    }

    a_cancelled_run_ends_with_all_that_it_began, async |db| {
        // Known by a word in its arguments, and deaf to what asks it to end.
        let word = uuid::Uuid::new_v4().to_string();
        let polite = "trap 'echo said goodbye; exit 9' TERM";
        let hidden = format!("setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' {word} & echo hidden");
        let site = Site::on(db, &[&hidden, &format!("sh -c \"{polite}; {}\"", HOLD.replace('"', "\\\"").replace('$', "\\$"))], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.logged("waiting").await;
        let has = |word: &str| std::process::Command::new("pgrep").args(["-f", word]).output().unwrap().status.success();
        assert!(has(&word));
        site.program.ok("CancelEnvironmentDeployment", json!({ "environmentName": "e" })).await;
        site.program.environment("e", "CANCELLED").await;
        assert!(!has(&word));
        assert!(site.logs().pop().unwrap().ends_with("said goodbye"), "it is asked before it is killed");
        let supervisor = supervisor(&site);
        until("the end of the supervisor", async || (!is_alive(supervisor)).then_some(())).await;
        site.program.ok("DeleteEnvironment", json!({ "name": "e" })).await;
        site.program.gone("e").await;
    }

    a_provider_is_ended_by_what_began_it, async |db| {
        let provider = "#!/bin/sh\ntrap 'echo asked > \"$PROTIUM_STATE_DIR/asked\"' TERM\ntrap 'told=1' USR1\necho waiting\n\
                        until [ \"$told\" ]; do sleep 0.02; done\necho saved\n";
        let parent = "sh -c 'trap \"kill -USR1 \\$provider; wait; echo said goodbye; exit 9\" TERM; ./terraform-provider-x & provider=$!; wait'";
        let files = [
            ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", &manifest(&[parent], &[])),
            ("infrastructure/terraform-provider-x", provider),
        ];
        let site = Site::of(db, |start| start, &files).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.logged("waiting").await;
        site.program.ok("CancelEnvironmentDeployment", json!({ "environmentName": "e" })).await;
        site.program.environment("e", "CANCELLED").await;
        let log = site.logs().pop().unwrap();
        assert!(log.ends_with("waiting\nsaved\nsaid goodbye"), "{log}");
        assert!(!site.resource().join("state/asked").exists(), "only its parent is asked");
    }

    a_run_outlives_the_server_and_is_run_once, async |db| {
        let site = Site::on(db, &["echo begun >> \"$PROTIUM_STATE_DIR/begun\"", HOLD, "echo '{\"A\": 1}' > proton-outputs.json"], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.logged("waiting").await;
        let site = site.killed(async || {}).await;
        assert!(is_alive(supervisor(&site)));
        site.go();
        site.program.environment("e", "SUCCEEDED").await;
        assert_eq!(site.outputs().await, json!({ "A": "1" }));
        assert_eq!(fs::read_to_string(site.resource().join("state/begun")).unwrap(), "begun\n");
    }

    a_run_that_is_lost_is_not_begun_again_by_itself, async |db| {
        let site = Site::on(db, &["echo begun >> \"$PROTIUM_STATE_DIR/begun\"", HOLD], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.logged("waiting").await;
        let lost = supervisor(&site);
        let site = site.killed(async || {
            let killed = std::process::Command::new("kill").args(["-9", &lost.to_string()]).status().unwrap();
            assert!(killed.success());
            until("the end of the supervisor", async || (!is_alive(lost)).then_some(())).await;
        }).await;
        let message = site.message("FAILED").await;
        assert!(message.starts_with("The run was lost"), "{message}");
        assert_eq!(fs::read_to_string(site.resource().join("state/begun")).unwrap(), "begun\n");
        site.go();
        site.program.ok("UpdateEnvironment", resize("e", "small")).await;
        site.program.environment("e", "SUCCEEDED").await;
    }

    a_run_sees_nothing_of_the_server_nor_of_others, async |db| {
        let secret = db.folder().join("secret-of-the-server");
        fs::write(&secret, "TREASURE").unwrap();
        let open = format!("cat {} 2>&1; ls {} 2>&1; echo x > {}; true", secret.display(), db.folder().display(), db.folder().join("made").display());
        let site = Site::on(db, &[
            &open,
            "cat /etc/shadow 2>&1 | head -c 100; ls /root /home 2>&1; env | sort; cat /proc/1/environ 2>/dev/null | tr '\\0' '\\n'",
            "echo x > /usr/made 2>&1; echo x > /etc/made 2>&1; touch /made 2>&1; true",
            "echo \"master=$(cat ../../../master.key 2>/dev/null)\"; echo x > \"$TMPDIR/own\" && echo own-tmp; echo x > own && echo own-work",
        ], &[]).await;
        site.program.ok("CreateEnvironment", create("e")).await;
        site.program.environment("e", "SUCCEEDED").await;
        let log = site.logs().pop().unwrap();
        for hidden in ["TREASURE", "root:", "outbound-secret", "AKIAOUTBOUND", "PROTIUM_DATA_DIR"] {
            assert!(!log.contains(hidden), "{hidden}: {log}");
        }
        assert!(log.contains("\nmaster=\n") && log.contains("own-tmp") && log.contains("own-work"), "{log}");
        assert!(!db_made(&site) && !Path::new("/usr/made").exists() && !Path::new("/etc/made").exists() && !Path::new("/made").exists());
    }
}

/// What Landlock alone keeps a command from, where bubblewrap does not work.
#[test]
fn a_confined_command_reads_and_writes_only_what_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let [own, other] = ["own", "other"].map(|name| folder.path().join(name));
    for path in [&own, &other] {
        fs::create_dir(path).unwrap();
        fs::write(path.join("file"), path.file_name().unwrap().as_encoded_bytes()).unwrap();
    }
    let confinement = json!({
        "readable": ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache"], "writable": [own],
        "landlock": true, "dies_with_parent": true,
    });
    let run = |script: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_protium"));
        command.args(["run-confined", &confinement.to_string(), "--", "/bin/sh", "-c", script]).env_clear();
        let done = command.env("PATH", "/usr/bin:/bin").output().unwrap();
        (
            done.status.success(),
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)),
        )
    };
    let (own, other) = (own.display(), other.display());
    for allowed in [format!("cat {own}/file && echo x > {own}/new && rm {own}/new"), "ls /usr > /dev/null".into()] {
        let (done, said) = run(&allowed);
        assert!(done, "{allowed}: {said}");
    }
    let refused = [
        format!("cat {other}/file"),
        format!("ls {other}"),
        format!("echo x > {other}/new"),
        format!("mv {other}/file {own}/taken"),
        format!("ln {other}/file {own}/linked"),
        "cat /etc/shadow".to_owned(),
        "echo x > /usr/made".to_owned(),
    ];
    for script in refused {
        let (done, said) = run(&script);
        // What would move something out of where it may be read is another file system's, says Landlock.
        assert!(!done && (said.contains("denied") || said.contains("cross-device")), "{script}: {said}");
    }
}

fn db_made(site: &Site<'_>) -> bool {
    site.db.folder().join("made").exists()
}

/// The process that holds, or held, the only run.
pub(super) fn supervisor(site: &Site<'_>) -> u32 {
    let runs = fs::read_dir(site.resource()).unwrap().map(|entry| entry.unwrap().path().join("supervisor.json"));
    let mut files: Vec<PathBuf> = runs.filter(|path| path.exists()).collect();
    assert_eq!(files.len(), 1);
    let identity: Value = serde_json::from_slice(&fs::read(files.pop().unwrap()).unwrap()).unwrap();
    u32::try_from(identity["pid"].as_u64().unwrap()).unwrap()
}

#[tokio::test]
async fn a_second_server_that_would_run_on_another_machine_is_refused_while_the_first_works() {
    let db = TestDb::postgres().await;
    let first = start(&db).ready().await;
    // With a data folder of its own, as on another machine.
    let folder = tempfile::tempdir().unwrap();
    let key = db.folder().join("master.key");
    let DatabaseUrl::Postgres(url) = &db.options().db.url else { panic!() };
    let second = || {
        let start = Start::in_folder(folder.path()).flag("--database-url", url).flag("--runner", "local");
        start.flag("--master-key-file", key.to_str().unwrap())
    };
    second()
        .ended()
        .await
        .refused(1, &["runner: another server with --runner local", "--role api", "start this one again in"]);
    second().flag("--role", "api").ready().await.stop("TERM").await;
    // The same one again is not another.
    first.kill().await;
    let first = start(&db).ready().await;
    second().ended().await.refused(1, &["another server"]);
    first.stop("TERM").await;
    second().ready().await;
}
