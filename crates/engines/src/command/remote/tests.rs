//! The engine with a runner that is a folder and a shell, and goes wrong where a test says so.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::time::SystemTime;

use serde_json::{Map, json};
use tempfile::TempDir;

use super::*;
use crate::aws::Settings;
use crate::command::local::read_log;
use crate::{End, KeptState, Process, ProvisioningEngine};

/// What goes wrong, and how often still.
#[derive(Debug, Default)]
struct Faults {
    /// An earlier run of the resource is there, and seen so often.
    others: u32,
    /// Why it is not known whether there is one.
    unknown: Option<String>,
    /// The end of the output comes late.
    late: u32,
    unreadable: u32,
    unremovable: u32,
    /// It is not known any more what must not be shown.
    forgotten: bool,
    /// Runs find no credentials.
    poor: bool,
    /// Something must not be removed.
    refuses: bool,
    /// The run ends in this way, whatever its commands do.
    end: Option<RemoteLook>,
}

#[derive(Debug)]
struct Shell {
    folder: TempDir,
    faults: Mutex<Faults>,
    /// How often commands were run, and what they printed.
    ran: Mutex<(u32, Vec<String>, i32)>,
    removed: Mutex<bool>,
}

impl Shell {
    fn less(&self, count: fn(&mut Faults) -> &mut u32) -> bool {
        let mut faults = self.faults.lock().unwrap();
        let count = count(&mut faults);
        let is_more = *count > 0;
        *count = count.saturating_sub(1);
        is_more
    }
}

fn transient(message: &str) -> Transient {
    Transient { message: message.to_owned(), retry_after: None }
}

#[async_trait]
impl Remote for Shell {
    fn id(&self) -> &str {
        "shell"
    }

    async fn stop_others(&self, _: &Order) -> Result<Others, Transient> {
        if self.less(|faults| &mut faults.others) {
            return Ok(Others::Ending);
        }
        Ok(self.faults.lock().unwrap().unknown.clone().map_or(Others::None, Others::Refused))
    }

    async fn begin(&self, run: &RemoteRun<'_>, state: Option<&Value>) -> Result<Begin, Transient> {
        if state.is_none() {
            return Ok(Begin::Not { state: json!("room"), after: Duration::ZERO, note: Some("makes room".to_owned()) });
        }
        let mut ran = self.ran.lock().unwrap();
        if ran.0 > 0 {
            return Ok(Begin::Runs { state: json!("runs") });
        }
        for (path, content) in run.files {
            std::fs::write(self.folder.path().join(path), content).unwrap();
        }
        let mut sh = Command::new("/bin/sh");
        sh.args(["-c", run.script]).current_dir(self.folder.path()).env_clear().env("PATH", "/usr/bin:/bin");
        let done = sh.envs(run.variables.iter().cloned()).output().unwrap();
        let lines = String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect();
        *ran = (1, lines, done.status.code().unwrap());
        Ok(Begin::Runs { state: json!("runs") })
    }

    async fn look(&self, _: &Order, state: &Value) -> Result<RemoteLook, Transient> {
        if state != "runs" {
            return Ok(RemoteLook::Lost("nothing was begun.".to_owned()));
        }
        let end = self.faults.lock().unwrap().end.clone();
        let succeeded = self.ran.lock().unwrap().2 == 0;
        Ok(end.unwrap_or(RemoteLook::Ended { succeeded, said: Some("the shell is done".to_owned()) }))
    }

    async fn stop(&self, _: &Order, _: &Value) -> Result<(), Transient> {
        let mut faults = self.faults.lock().unwrap();
        faults.end = faults.end.take().map(|_| RemoteLook::Stopped);
        Ok(())
    }

    async fn read(&self, _: &Order, _: &Value, after: Option<&str>) -> Result<Printed, Transient> {
        if self.less(|faults| &mut faults.unreadable) {
            return Err(transient("the output can't be read"));
        }
        let from: usize = after.map_or(0, |after| after.parse().unwrap());
        let ran = self.ran.lock().unwrap();
        let lines: Vec<_> = ran.1.iter().skip(from).take(2).map(|line| (SystemTime::now(), line.clone())).collect();
        let next = Some((from + lines.len()).to_string());
        Ok(Printed { lines, next })
    }

    async fn tail(&self, _: &Order, _: &Value) -> Result<Vec<String>, Transient> {
        match self.less(|faults| &mut faults.late) {
            true => Ok(Vec::new()),
            false => Ok(self.ran.lock().unwrap().1.clone()),
        }
    }

    async fn hidden(&self, _: &Order, _: &Value) -> Result<Option<Vec<String>>, Transient> {
        Ok((!self.faults.lock().unwrap().forgotten).then(|| vec!["0wn".to_owned()]))
    }

    fn has_credentials(&self, _: &Order) -> bool {
        !self.faults.lock().unwrap().poor
    }

    fn sets<'a>(&self, commands: &'a Commands) -> Vec<&'a str> {
        commands.project_properties["set"].as_str().into_iter().collect()
    }

    async fn remove(&self, _: &Order, _: &Value) -> Result<Option<String>, Transient> {
        if self.less(|faults| &mut faults.unremovable) {
            return Err(transient("it can't be removed"));
        }
        *self.removed.lock().unwrap() = true;
        Ok(self.faults.lock().unwrap().refuses.then(|| "s3cr3t stays".to_owned()))
    }
}

struct Site {
    engine: RemoteEngine,
    shell: Arc<Shell>,
    logs: TempDir,
}

async fn site(faults: Faults) -> Site {
    let shell = Arc::new(Shell {
        folder: tempfile::tempdir().unwrap(),
        faults: Mutex::new(faults),
        ran: Mutex::default(),
        removed: Mutex::default(),
    });
    let logs = tempfile::tempdir().unwrap();
    let aws = Aws::new(Settings {
        credentials: Some(crate::aws::Credentials::from_keys("a", "b", None)),
        ..Settings::default()
    });
    let given = vec![("API_TOKEN".to_owned(), "s3cr3t".to_owned())];
    let url = "postgres://keeper:hidden@h/states".to_owned();
    let connection = Connection {
        name: "postgres://h/states".to_owned(),
        variables: vec![("PG_CONN_STR".to_owned(), url.clone())],
        secrets: vec![url],
    };
    let install = "echo here it is; TOOL=mine".to_owned();
    let engine = RemoteEngine::new(
        aws.await,
        shell.clone(),
        RemoteSettings {
            folder: logs.path().to_owned(),
            variables: given,
            terraform: TerraformSettings { image: None, install: Some(install) },
            connection: Some(connection),
        },
    );
    Site { engine, shell, logs }
}

fn order(intent: Intent, commands: &[&str]) -> Order {
    let list: Vec<String> = commands.iter().map(|&command| command.to_owned()).collect();
    let commands = Commands {
        image: None,
        runtimes: Vec::new(),
        variables: vec![("COLOR".to_owned(), "blue".to_owned())],
        secrets: Vec::new(),
        provision: list.clone(),
        deprovision: list,
        process: None,
        project_properties: Value::Null,
        listed_as: ProvisioningEngine::default(),
        connects_to: None,
        state: None,
    };
    Order { commands: Some(commands), ..Order::of_test(intent) }
}

impl Site {
    /// Takes an order to its end as jobs do: every step twice, each from what was saved.
    async fn end_of(&self, order: &Order) -> (End, Vec<String>) {
        self.end_from(order, None).await
    }

    async fn end_from(&self, order: &Order, mut cursor: Option<Cursor>) -> (End, Vec<String>) {
        let mut notes = Vec::new();
        for _ in 0..100 {
            let mut order = order.clone();
            if self.engine.wants_bundle(cursor.as_ref()) {
                order.bundle = BTreeMap::from([("greeting".to_owned(), b"hello".to_vec())]);
            }
            let _ = self.engine.step(&order, cursor.as_ref()).await;
            match self.engine.step(&order, cursor.as_ref()).await {
                Ok(Step::Wait { cursor: next, note, .. }) => {
                    notes.extend(note);
                    cursor = Some(next);
                }
                Ok(Step::Ended(end)) => return (end, notes),
                Err(transient) => notes.push(transient.message),
            }
        }
        panic!("it does not end: {notes:?}");
    }

    fn log(&self) -> Vec<String> {
        let page = read_log(self.logs.path(), "r", "d", 0, 1000).unwrap().unwrap();
        page.lines.into_iter().map(|line| line.text).collect()
    }
}

fn failure_of(end: End) -> String {
    match end.outcome {
        Outcome::Failed(message) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn commands_run_once_with_their_files_and_what_they_print_and_leave_is_known() {
    let site = site(Faults { late: 3, unreadable: 2, unremovable: 2, ..Faults::default() }).await;
    let commands = ["cat greeting; echo", "echo $COLOR $API_TOKEN", "printf '{\"Size\": 3}' > proton-outputs.json"];
    let (end, notes) = site.end_of(&order(Intent::Apply, &commands)).await;
    assert_eq!(end.outcome, Outcome::Succeeded, "{notes:?}");
    assert_eq!(end.outputs, Map::from_iter([("Size".to_owned(), json!(3))]));
    assert_eq!(site.shell.ran.lock().unwrap().0, 1);
    assert!(notes.contains(&"makes room".to_owned()) && *site.shell.removed.lock().unwrap());
    let expected = [&format!("$ {}", commands[0]), "hello", &format!("$ {}", commands[1]), "blue ***"];
    assert_eq!(site.log()[..4], expected);
    assert_eq!(site.log().len(), 5, "{:?}", site.log());
}

#[tokio::test]
async fn a_long_output_is_copied_whole_also_when_it_can_not_be_read_at_times() {
    let site = site(Faults { unreadable: 5, ..Faults::default() }).await;
    // A page of this runner has two lines: one step does not copy them all.
    let (end, _) =
        site.end_of(&order(Intent::Apply, &["i=0; while [ $i -lt 90 ]; do echo $i; i=$((i+1)); done"])).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    let expected: Vec<String> = (0..90).map(|line| line.to_string()).collect();
    assert_eq!(site.log()[1..], expected);
}

#[tokio::test]
async fn what_fails_names_the_command_its_status_and_its_last_lines() {
    let site = site(Faults::default()).await;
    let (end, _) = site.end_of(&order(Intent::Apply, &["true", "echo $API_TOKEN; exit 3"])).await;
    let message = failure_of(end);
    assert!(message.starts_with("Command 2 of 2 ended with status 3: echo $API_TOKEN; exit 3"), "{message}");
    assert!(message.ends_with("***\nthe shell is done"), "{message}");
}

#[tokio::test]
async fn what_the_runner_gives_a_run_is_masked_but_for_its_outputs_and_where_that_is_not_known_nothing_is_shown() {
    let commands = ["echo 0wn", "printf '{\"Key\": \"0wn\"}' > proton-outputs.json"];
    for forgotten in [false, true] {
        let site = site(Faults { forgotten, ..Faults::default() }).await;
        let (end, _) = site.end_of(&order(Intent::Apply, &commands)).await;
        assert_eq!(end.outputs, Map::from_iter([("Key".to_owned(), json!("0wn"))]), "as the commands have it");
        match forgotten {
            true => assert!(read_log(site.logs.path(), "r", "d", 0, 1000).unwrap().is_none()),
            false => assert_eq!(site.log()[..2], ["$ echo ***", "***"]),
        }
    }
    let site = site(Faults { forgotten: true, ..Faults::default() }).await;
    let message = failure_of(site.end_of(&order(Intent::Apply, &["echo 0wn; exit 3"])).await.0);
    assert!(message.starts_with("Command 1 of 1 ended with status 3") && message.contains(UNKNOWN), "{message}");
    assert!(!message.contains("output:\n0wn"), "{message}");
    site.shell.faults.lock().unwrap().end = Some(RemoteLook::Runs { note: None });
    let mut cursor = None;
    for _ in 0..3 {
        let step = site.engine.step(&order(Intent::Apply, &["true"]), cursor.as_ref()).await;
        let Ok(Step::Wait { cursor: next, note, .. }) = step else { panic!() };
        assert_eq!(
            note.is_some_and(|note| note.contains(UNKNOWN)),
            cursor.is_some() && next.0.to_string().contains("looks\":1")
        );
        cursor = Some(next);
    }
}

#[tokio::test]
async fn a_run_without_credentials_can_sign_and_the_operators_variables_stand_below_the_templates_secrets() {
    for (poor, expected) in [(true, "none"), (false, "")] {
        let site = site(Faults { poor, ..Faults::default() }).await;
        let mut order = order(Intent::Apply, &["echo key=$AWS_ACCESS_KEY_ID; echo ${API_TOKEN:-is left out}"]);
        order.commands.as_mut().unwrap().secrets = vec![("API_TOKEN".to_owned(), "arn".to_owned())];
        site.end_of(&order).await;
        assert_eq!(site.log()[1..3], [&format!("key={expected}"), "is left out"]);
    }
}

#[tokio::test]
async fn destroying_leaves_nothing_and_nothing_to_run_is_success() {
    let site = site(Faults::default()).await;
    let (end, _) = site.end_of(&order(Intent::Destroy, &["true"])).await;
    assert_eq!((end.outcome, end.physical_id, end.resources.len()), (Outcome::Succeeded, None, 0));
    let (end, notes) = site.end_of(&order(Intent::Destroy, &[])).await;
    assert_eq!((end.outcome, notes.len()), (Outcome::Succeeded, 0));
}

#[tokio::test]
async fn an_end_that_nobody_tells_of_is_a_failure_in_the_runners_words() {
    for (look, told) in [
        (RemoteLook::TimedOut, "longer than deployments may"),
        (RemoteLook::Lost("the node is gone.".to_owned()), "The run was lost: the node is gone. It is not known"),
        (RemoteLook::Stopped, "not by this server"),
        (
            RemoteLook::Ended { succeeded: false, said: Some("no disk".to_owned()) },
            "the runner says that the run failed.\nno disk",
        ),
    ] {
        let site = site(Faults { end: Some(look), ..Faults::default() }).await;
        let (end, _) = site.end_of(&order(Intent::Apply, &["true"])).await;
        let message = failure_of(end);
        assert!(message.contains(told), "{message}");
    }
    let site = site(Faults { late: 1000, ..Faults::default() }).await;
    let (end, _) = site.end_of(&order(Intent::Apply, &["true"])).await;
    let message = failure_of(end);
    assert!(message.contains("has succeeded, and the end of its output"), "{message}");
}

#[tokio::test]
async fn what_cannot_be_removed_does_not_hold_up_the_end() {
    let site = site(Faults { unremovable: 1000, ..Faults::default() }).await;
    let (end, _) = site.end_of(&order(Intent::Apply, &["true"])).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert!(site.log().last().unwrap().ends_with("removed: it can't be removed]"), "{:?}", site.log());
}

#[tokio::test]
async fn what_must_not_be_removed_is_told_in_the_log() {
    let site = site(Faults { refuses: true, ..Faults::default() }).await;
    let (end, _) = site.end_of(&order(Intent::Apply, &["true"])).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert_eq!(site.log()[1..], ["[not everything that the run needed is removed: *** stays]"]);
}

#[tokio::test]
async fn a_variable_that_the_runner_sets_for_the_template_stands_above_the_operators() {
    let site = site(Faults::default()).await;
    let mut order = order(Intent::Apply, &["echo ${API_TOKEN:-is left to the runner}"]);
    order.commands.as_mut().unwrap().project_properties = json!({"set": "API_TOKEN"});
    site.end_of(&order).await;
    assert_eq!(site.log()[1], "is left to the runner");
}

#[tokio::test]
async fn a_cancelled_run_is_cancelled_unless_it_has_succeeded_by_then() {
    let site = site(Faults::default()).await;
    let apply = order(Intent::Apply, &["true"]);
    let cancel = Order { intent: Intent::Cancel, ..apply.clone() };
    assert_eq!(site.end_of(&cancel).await.0.outcome, Outcome::Cancelled, "before anything was begun");
    site.shell.faults.lock().unwrap().end = Some(RemoteLook::Runs { note: None });
    let mut cursor = None;
    for _ in 0..3 {
        let Ok(Step::Wait { cursor: next, .. }) = site.engine.step(&apply, cursor.as_ref()).await else { panic!() };
        cursor = Some(next);
    }
    assert_eq!(site.end_from(&cancel, cursor.clone()).await.0.outcome, Outcome::Cancelled);
    site.shell.faults.lock().unwrap().end = None;
    assert_eq!(site.end_from(&cancel, cursor).await.0.outcome, Outcome::Succeeded, "it was too late");
}

#[tokio::test]
async fn what_needs_the_servers_own_machine_is_refused() {
    let site = site(Faults::default()).await;
    let mut order = order(Intent::Apply, &["true"]);
    let commands = order.commands.as_mut().unwrap();
    commands.process = Some(Process { command: "serve".into(), port: 1, ready_path: "/".into() });
    assert!(failure_of(site.end_of(&order).await.0).contains("settings.service"));
    for (intent, place, before, told) in [
        (Intent::Apply, None, None, "--terraform-state s3://BUCKET/PREFIX"),
        (Intent::Apply, Some("local"), None, "--terraform-state s3://BUCKET/PREFIX"),
        (Intent::Destroy, Some("local"), None, "force-delete the resource and retain"),
        (Intent::Apply, Some("s3://a"), Some("s3://b"), "elsewhere than before (s3://a; before: s3://b)"),
        (Intent::Destroy, Some("s3://a"), Some("s3://b"), "elsewhere than before (s3://a; before: s3://b)"),
        (Intent::Apply, Some("postgres://h/n"), None, "--terraform-state is postgres://h/states"),
    ] {
        let order = terraform(intent, place, before, &["true"]);
        let message = failure_of(site.end_of(&order).await.0);
        assert!(message.contains(told), "{message}");
    }
    assert_eq!(site.shell.ran.lock().unwrap().0, 0);
}

/// An order of Terraform with these commands, and its state there.
fn terraform(intent: Intent, place: Option<&str>, before: Option<&str>, commands: &[&str]) -> Order {
    let mut order = order(intent, commands);
    let commands = order.commands.as_mut().unwrap();
    commands.listed_as = ProvisioningEngine::Terraform;
    commands.connects_to = place.filter(|place| place.starts_with("postgres")).map(str::to_owned);
    commands.state = place.map(|place| KeptState {
        place: place.to_owned(),
        in_folder: place == "local",
        before: before.map(str::to_owned),
    });
    order
}

#[tokio::test]
async fn terraform_keeps_its_plan_gives_typed_outputs_and_is_connected_to_its_state() {
    let site = site(Faults::default()).await;
    let commands = [
        "echo \"$PG_CONN_STR ${PROTIUM_STATE_DIR:+a folder} $TOOL\"",
        "printf '+ one\\n\\n  s3cr3t' > proton-plan.txt",
        "printf '{\"Zones\": {\"type\": [\"list\", \"string\"], \"value\": [\"a\"]}}' > proton-outputs.json",
    ];
    let (end, notes) = site.end_of(&terraform(Intent::Apply, Some("postgres://h/states"), None, &commands)).await;
    assert_eq!(end.outcome, Outcome::Succeeded, "{notes:?}");
    assert_eq!(end.outputs, Map::from_iter([("Zones".to_owned(), json!(["a"]))]));
    assert_eq!(end.resources[0].engine, ProvisioningEngine::Terraform);
    assert_eq!(site.log()[2..5], ["here it is", &format!("$ {}", commands[0]), "*** a folder mine"]);
    let plan = std::fs::read_to_string(site.logs.path().join("r/d/plan.txt")).unwrap();
    assert_eq!(plan, "+ one\n\n  ***\n");
    assert!(site.log().iter().all(|line| !line.starts_with("+ one") && !line.starts_with("::")), "{:?}", site.log());
}

#[tokio::test]
async fn what_terraform_deletes_is_looked_for_in_the_place_of_its_state() {
    let site = site(Faults::default()).await;
    let order = terraform(Intent::Destroy, Some("s3://it's"), None, &["cat \"$PROTIUM_STATE_DIR/backend\"; exit 4"]);
    let message = failure_of(site.end_of(&order).await.0);
    assert!(message.starts_with("Command 2 of 2 ended with status 4") && message.contains("\ns3://it's"), "{message}");
}

#[tokio::test]
async fn nothing_is_begun_and_nothing_is_gone_before_the_earlier_runs_of_the_resource_have_ended() {
    for (intent, commands) in [(Intent::Apply, &["true"][..]), (Intent::Destroy, &["true"]), (Intent::Destroy, &[])] {
        let site = site(Faults { others: 5, ..Faults::default() }).await;
        let order = order(intent, commands);
        for _ in 0..5 {
            let told = site.engine.step(&order, None).await.unwrap_err();
            assert_eq!(told.message, "An earlier run of this resource is being stopped.");
            assert!(site.shell.ran.lock().unwrap().0 == 0 && !*site.shell.removed.lock().unwrap(), "{intent:?}");
        }
        let (end, notes) = site.end_of(&order).await;
        assert_eq!(end.outcome, Outcome::Succeeded, "{notes:?}");
        assert_eq!(site.shell.ran.lock().unwrap().0, u32::try_from(commands.len()).unwrap());
    }
}

#[tokio::test]
async fn where_earlier_runs_are_not_to_be_known_nothing_is_begun_and_what_runs_nothing_goes() {
    let site = site(Faults { unknown: Some("list is not allowed".to_owned()), ..Faults::default() }).await;
    for intent in [Intent::Apply, Intent::Destroy] {
        assert_eq!(failure_of(site.end_of(&order(intent, &["true"])).await.0), "list is not allowed");
    }
    assert_eq!(site.end_of(&order(Intent::Destroy, &[])).await.0.outcome, Outcome::Succeeded);
    assert_eq!(site.shell.ran.lock().unwrap().0, 0);
}

#[tokio::test]
async fn a_run_of_another_runner_is_left_alone() {
    let site = site(Faults::default()).await;
    let cursor = Cursor(json!({"runner": "another", "stage": {"begins": {"state": null}}}));
    let error = site.engine.step(&order(Intent::Apply, &["true"]), Some(&cursor)).await.unwrap_err();
    assert!(error.message.contains("with the runner another"), "{error:?}");
}
