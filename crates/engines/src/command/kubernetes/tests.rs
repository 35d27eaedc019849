//! The engine with runs on Kubernetes, against a cluster in this process: whatever happens between the two, commands
//! are begun once at most, the end is the same, and nothing stays.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, json};
use tempfile::TempDir;

use super::*;
use crate::aws::{Credentials, Settings};
use crate::command::local::read_log;
use crate::command::remote::{RemoteEngine, RemoteSettings, TerraformSettings};
use crate::double::Double;
use crate::double::kubernetes::{Act, Cluster, Trouble};
use crate::{Commands, Cursor, End, Engine, Intent, Outcome, ProvisioningEngine, Role, Step};

/// More steps than any order takes.
const ENOUGH: usize = 200;
/// All that the runner asks for on the way to an end.
const CALLS: [&str; 9] = [
    "list jobs",
    "create jobs",
    "create secrets",
    "get secrets",
    "patch jobs",
    "get jobs",
    "list pods",
    "get pods/log",
    "deletecollection secrets",
];

/// How an unreliable caller goes through an order.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Once,
    /// Each step twice from the same cursor.
    Twice,
    /// Each step's answer is thrown away once, and the step taken again by a new process.
    Killed,
}

pub(super) struct Site {
    pub(super) cluster: Cluster,
    folder: TempDir,
    pub(super) settings: KubernetesSettings,
    endpoint: Option<String>,
}

impl Site {
    pub(super) async fn new() -> Self {
        let cluster = Cluster::start("runs").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, cluster.kubeconfig()).unwrap();
        let settings = KubernetesSettings { kubeconfig: Some(kubeconfig), ..KubernetesSettings::default() };
        Self { cluster, folder, settings, endpoint: None }
    }

    async fn aws(&self) -> Aws {
        let credentials = Some(Credentials::from_keys("AKIDEXAMPLE", "kept", None));
        Aws::new(Settings { endpoint_url: self.endpoint.clone(), credentials, profile: None }).await
    }

    async fn runner(&self) -> Kubernetes {
        Kubernetes::new(self.aws().await, self.settings.clone()).await.unwrap()
    }

    async fn engine(&self) -> RemoteEngine {
        let remote = RemoteSettings {
            folder: self.folder.path().join("runs"),
            variables: Vec::new(),
            terraform: TerraformSettings::default(),
            connection: None,
        };
        RemoteEngine::on_kubernetes(self.aws().await, self.settings.clone(), remote).await.unwrap()
    }

    async fn end(&self, order: &Order) -> (End, Vec<String>) {
        self.end_from(order, None, Mode::Once).await
    }

    /// Takes an order to its end; answers what was noted on the way, too.
    async fn end_from(&self, order: &Order, mut cursor: Option<Cursor>, mode: Mode) -> (End, Vec<String>) {
        let mut notes = Vec::new();
        let mut engine = self.engine().await;
        for _ in 0..ENOUGH {
            if mode != Mode::Once {
                let _ = engine.step(order, cursor.as_ref()).await;
            }
            if mode == Mode::Killed {
                engine = self.engine().await;
            }
            match engine.step(order, cursor.as_ref()).await {
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

    /// Takes so many steps.
    async fn advanced(&self, order: &Order, steps: usize) -> Option<Cursor> {
        let engine = self.engine().await;
        let mut cursor = None;
        for _ in 0..steps {
            match engine.step(order, cursor.as_ref()).await.unwrap() {
                Step::Wait { cursor: next, .. } => cursor = Some(next),
                Step::Ended(end) => panic!("{end:?}"),
            }
        }
        cursor
    }

    fn log(&self) -> Vec<String> {
        let page = read_log(&self.folder.path().join("runs"), "r", "d", 0, 1000).unwrap().unwrap();
        page.lines.into_iter().map(|line| line.text).collect()
    }

    fn is_empty(&self) -> bool {
        ["jobs", "pods", "secrets"].into_iter().all(|kind| self.cluster.there(kind).is_empty())
    }
}

fn order(commands: &[&str]) -> Order {
    let commands = Commands {
        image: Some("debian:13".to_owned()),
        runtimes: Vec::new(),
        variables: vec![("COLOR".to_owned(), "it's blue".to_owned())],
        secrets: Vec::new(),
        provision: commands.iter().map(|&command| command.to_owned()).collect(),
        deprovision: Vec::new(),
        process: None,
        project_properties: Value::Null,
        listed_as: ProvisioningEngine::default(),
        connects_to: None,
        state: None,
    };
    Order {
        commands: Some(commands),
        bundle: BTreeMap::from([("bin/greet.sh".to_owned(), b"#!/bin/sh\necho hello from $PWD".to_vec())]),
        ..Order::of_test(Intent::Apply)
    }
}

fn told(end: End) -> String {
    match end.outcome {
        Outcome::Failed(message) => message,
        other => panic!("{other:?}"),
    }
}

const GOOD: [&str; 3] =
    ["bin/greet.sh | sed 's,/.*/,,'", "echo $COLOR", r#"printf '{"Size": 3}' > proton-outputs.json"#];

#[tokio::test]
async fn a_run_is_begun_once_and_leaves_nothing_however_often_its_steps_are_taken() {
    for mode in [Mode::Once, Mode::Twice, Mode::Killed] {
        let site = Site::new().await;
        site.cluster.restrict();
        let (end, notes) = site.end_from(&order(&GOOD), None, mode).await;
        assert_eq!(end.outcome, Outcome::Succeeded, "{mode:?}: {notes:?} {:?}", site.cluster.calls());
        assert_eq!(end.outputs, Map::from_iter([("Size".to_owned(), json!(3))]));
        let expected = [&format!("$ {}", GOOD[0]), "hello from source", &format!("$ {}", GOOD[1]), "it's blue"];
        assert_eq!(site.log()[..4], expected);
        assert_eq!((site.cluster.begun(), site.cluster.effects("create jobs")), (1, 1), "{mode:?}");
        assert_eq!(site.cluster.there("secrets").len(), 0, "what it was given goes at once");
        site.cluster.expire();
        assert!(site.is_empty(), "{mode:?}");
    }
}

#[tokio::test]
async fn every_call_can_go_wrong_in_every_way_and_nothing_else_comes_of_it() {
    for call in CALLS {
        for trouble in [Trouble::Lost, Trouble::AnswerLost, Trouble::Busy(2), Trouble::Unavailable, Trouble::Gone] {
            // The first of a kind, and the second.
            for earlier in 0..2 {
                let site = Site::new().await;
                (0..earlier).for_each(|_| site.cluster.trouble(call, Trouble::None));
                site.cluster.trouble(call, trouble.clone());
                site.cluster.trouble(call, trouble.clone());
                let (end, notes) = site.end(&order(&GOOD)).await;
                assert_eq!(end.outcome, Outcome::Succeeded, "{call} {trouble:?}: {notes:?}");
                assert_eq!((site.cluster.begun(), site.cluster.effects("create jobs")), (1, 1), "{call} {trouble:?}");
                site.cluster.expire();
                assert!(site.is_empty(), "{call} {trouble:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_is_too_busy_is_given_the_time_that_it_asks_for() {
    let site = Site::new().await;
    let cursor = site.advanced(&order(&GOOD), 1).await;
    site.cluster.trouble("create jobs", Trouble::Busy(7));
    let error = site.engine().await.step(&order(&GOOD), cursor.as_ref()).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    assert!(error.message.contains("429") && error.message.contains("create jobs"), "{error}");
}

#[tokio::test]
async fn a_run_can_be_cancelled_at_every_step_and_nothing_stays() {
    for steps in 0..9 {
        let site = Site::new().await;
        site.cluster.behave(|| {
            let waits = Act::Waits("ContainerCreating".into(), String::new());
            vec![waits, Act::Prints(vec!["one".into()]), Act::Prints(vec!["two".into()]), Act::Prints(vec![])]
        });
        let apply = order(&GOOD);
        let cursor = site.advanced(&apply, steps).await;
        let cancel = Order { intent: Intent::Cancel, ..apply };
        let (end, notes) = site.end_from(&cancel, cursor, Mode::Killed).await;
        assert_eq!(end.outcome, Outcome::Cancelled, "after {steps}: {notes:?}");
        assert!(site.is_empty(), "after {steps}");
        assert!(site.cluster.begun() <= 1 && (steps > 3 || site.cluster.begun() == 0), "after {steps}");
    }
}

/// The deployments whose Jobs are there, and whether each is being deleted.
fn jobs(site: &Site) -> Vec<(String, bool)> {
    let jobs = site.cluster.there("jobs").into_iter();
    let seen = jobs.map(|job| (job["metadata"]["labels"]["protium/deployment"].clone(), job));
    seen.map(|(name, job)| (name.as_str().unwrap().to_owned(), !job["metadata"]["deletionTimestamp"].is_null()))
        .collect()
}

#[tokio::test]
async fn an_earlier_run_of_the_resource_has_ended_before_the_next_is_begun_and_no_other_is_touched() {
    let of = |resource: &str, deployment: &str, intent: Intent| {
        let mut order =
            Order { resource_id: resource.into(), deployment_id: deployment.into(), intent, ..order(&GOOD) };
        order.commands.as_mut().unwrap().deprovision = vec!["true".to_owned()];
        order
    };
    let there = |deployment: &str, is_deleted: bool| (deployment.to_owned(), is_deleted);
    // The earlier one is held back still, or prints; nothing is run after it, or something.
    for (steps, intent, runs) in
        [(2, Intent::Apply, true), (4, Intent::Apply, true), (4, Intent::Destroy, true), (4, Intent::Destroy, false)]
    {
        let site = Site::new().await;
        site.cluster.behave(|| vec![Act::Prints(vec!["one".into()])]);
        site.advanced(&of("r", "d1", Intent::Apply), steps).await;
        site.advanced(&of("s", "d2", Intent::Apply), 4).await;
        let mut next = of("r", "d", intent);
        next.commands.as_mut().unwrap().deprovision.truncate(usize::from(runs));

        let engine = site.engine().await;
        let waits = engine.step(&next, None).await.unwrap_err();
        assert_eq!(waits.message, "An earlier run of this resource is being stopped.");
        assert_eq!(jobs(&site), [there("d1", true), there("d2", false)], "{steps}");

        site.cluster.behave(|| vec![Act::Runs]);
        let (end, notes) = site.end_from(&next, None, Mode::Killed).await;
        assert_eq!(end.outcome, Outcome::Succeeded, "{steps}: {notes:?}");
        site.cluster.expire();
        assert_eq!(jobs(&site), [there("d2", false)]);
        assert_eq!(site.cluster.effects("delete jobs"), 1, "{steps}");
        assert_eq!(site.cluster.begun(), 1 + usize::from(steps > 2) + usize::from(runs), "{steps}");
    }
}

#[tokio::test]
async fn a_run_waits_for_a_pod_whose_job_is_gone_and_finds_the_one_that_goes_on_among_many() {
    let site = Site::new().await;
    let labels = json!({"protium/deployment": "d1", "protium/resource": "r"});
    let done = json!([{"type": "Complete", "status": "True"}]);
    for number in 0..120 {
        let name = format!("protium-a{number:03}");
        let metadata = json!({"name": name, "labels": labels});
        site.cluster.place("jobs", json!({"metadata": metadata, "status": {"conditions": done}}));
    }
    // By its name it is the last of them.
    site.cluster.place("jobs", json!({"metadata": {"name": "protium-b", "labels": labels}}));
    // Somebody has deleted its Job, and the node takes its time.
    let pod = json!({"metadata": {"name": "p", "labels": labels}, "spec": {}, "status": {"phase": "Running"}});
    site.cluster.place("pods", pod.clone());
    let engine = site.engine().await;
    let waits = async || engine.step(&order(&GOOD), None).await.map(drop).unwrap_err().message;
    assert_eq!(waits().await, "An earlier run of this resource is being stopped.");
    assert_eq!(waits().await, "An earlier run of this resource is being stopped.");
    assert_eq!((site.cluster.there("jobs").len(), site.cluster.effects("delete jobs")), (120, 1));
    let mut ended = pod;
    ended["status"]["phase"] = "Failed".into();
    site.cluster.place("pods", ended);
    assert_eq!(site.end(&order(&GOOD)).await.0.outcome, Outcome::Succeeded);
    assert_eq!(site.cluster.effects("delete jobs"), 1, "what has ended is left to be read");
}

#[tokio::test]
async fn a_cancel_that_comes_too_late_changes_nothing() {
    let site = Site::new().await;
    let cursor = site.advanced(&order(&GOOD), 3).await;
    // It has ended, and nobody has looked.
    let runner = site.runner().await;
    runner.pod(&order(&GOOD)).await.unwrap();
    let cancel = Order { intent: Intent::Cancel, ..order(&GOOD) };
    let (end, _) = site.end_from(&cancel, cursor, Mode::Once).await;
    assert_eq!((end.outcome, end.outputs.len()), (Outcome::Succeeded, 1));
    site.cluster.expire();
    assert!(site.is_empty() && site.cluster.begun() == 1);
}

#[tokio::test]
async fn every_end_that_is_none_of_the_commands_is_told_and_nothing_is_begun_again() {
    let lost = "The run was lost: the cluster took its pod away: TerminationByKubelet: The node was low on resource: \
                memory. It is not known how far it came";
    let pulls = || Act::Waits("ImagePullBackOff".into(), "no such image".into());
    for (act, expected) in [
        (Act::IsEvicted, lost),
        (Act::Vanishes, "The run was lost: its pod is gone: BackoffLimitExceeded"),
        (Act::IsOverdue, "it took longer than deployments may"),
        (Act::RunsOutOfMemory, "(OOMKilled)"),
        (Act::Ends(3), "The container ended with status 3."),
    ] {
        let site = Site::new().await;
        let acts = [Act::Prints(vec!["begun".into()]), act.clone()];
        site.cluster.behave(move || acts.to_vec());
        let message = told(site.end(&order(&GOOD)).await.0);
        assert!(message.contains(expected), "{act:?}: {message}");
        assert_eq!((site.cluster.begun(), site.cluster.effects("create jobs")), (1, 1), "{act:?}");
        site.cluster.expire();
        assert!(site.is_empty(), "{act:?}");
    }
    let site = Site::new().await;
    site.cluster.behave(move || vec![pulls(), Act::IsOverdue]);
    let message = told(site.end(&order(&GOOD)).await.0);
    assert!(message.contains("never begun") && message.contains("ImagePullBackOff: no such image"), "{message}");
    assert_eq!(site.cluster.begun(), 0);
}

#[tokio::test]
async fn what_a_run_prints_is_not_shown_when_nobody_knows_what_to_mask_in_it() {
    let site = Site::new().await;
    let mut run = order(&["echo $SECRET_WORD; exit 3"]);
    run.commands.as_mut().unwrap().variables = vec![("SECRET_WORD".to_owned(), "xyzzy".to_owned())];
    let cursor = site.advanced(&run, 3).await;
    // It ends, and its Secrets go, before anybody has read what it printed.
    site.runner().await.pod(&run).await.unwrap();
    site.cluster.remove_all("secrets");
    let message = told(site.end_from(&run, cursor, Mode::Once).await.0);
    assert!(message.contains("status 3") && message.contains("[left out:"), "{message}");
    assert!(read_log(&site.folder.path().join("runs"), "r", "d", 0, 1000).unwrap().is_none());
}

#[tokio::test]
async fn without_a_role_and_an_account_clients_of_aws_can_sign() {
    for (account, expected) in [(None, "none none"), (Some("deployer"), "")] {
        let mut site = Site::new().await;
        site.settings.service_account = account.map(str::to_owned);
        site.end(&order(&["echo $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY"])).await;
        assert_eq!(site.log()[1], expected);
    }
}

#[tokio::test]
async fn a_job_that_somebody_else_deletes_is_a_lost_run() {
    let site = Site::new().await;
    site.cluster.behave(|| vec![Act::Prints(vec!["one".into()])]);
    let cursor = site.advanced(&order(&GOOD), 4).await;
    site.cluster.delete_job("protium-d");
    let message = told(site.end_from(&order(&GOOD), cursor, Mode::Once).await.0);
    assert!(
        message.starts_with(
            "The run was lost: its Job protium-d is no longer in the namespace runs: somebody has deleted it"
        ),
        "{message}"
    );
    assert!(site.is_empty());
}

#[tokio::test]
async fn a_run_that_was_begun_and_forgotten_is_never_begun_again() {
    let site = Site::new().await;
    let before = site.advanced(&order(&GOOD), 2).await;
    // Another process begins it, and is killed before it says so; the Job ends and expires.
    let began = site.engine().await.step(&order(&GOOD), before.as_ref()).await.unwrap();
    assert!(matches!(began, Step::Wait { .. }));
    let runner = site.runner().await;
    runner.pod(&order(&GOOD)).await.unwrap();
    site.cluster.expire();
    assert!(site.is_empty() && site.cluster.begun() == 1);
    let message = told(site.end_from(&order(&GOOD), before, Mode::Once).await.0);
    assert!(message.starts_with("The run was lost"), "{message}");
    assert_eq!((site.cluster.begun(), site.cluster.effects("create jobs")), (1, 1));
}

#[tokio::test]
async fn what_a_run_waits_for_is_noted() {
    let site = Site::new().await;
    site.cluster.behave(|| {
        let unscheduled = Act::Unscheduled("0/3 nodes are available".into());
        let pulls = Act::Waits("ImagePullBackOff".into(), "Back-off pulling image \"debian:13\"".into());
        // Each step looks for the pod twice: for how it goes, and for its log.
        vec![unscheduled.clone(), unscheduled, pulls.clone(), pulls, Act::Runs]
    });
    let (end, notes) = site.end(&order(&GOOD)).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    let expected = ["Unschedulable: 0/3 nodes are available", "ImagePullBackOff: Back-off pulling image \"debian:13\""];
    assert_eq!(notes, expected);

    let site = Site::new().await;
    site.cluster.set_quota(Some("exceeded quota: pods"));
    let cursor = site.advanced(&order(&GOOD), 3).await;
    let step = site.engine().await.step(&order(&GOOD), cursor.as_ref()).await.unwrap();
    assert!(matches!(&step, Step::Wait { note: Some(note), .. } if note == "exceeded quota: pods"), "{step:?}");
    site.cluster.set_quota(None);
    assert_eq!(site.end_from(&order(&GOOD), cursor, Mode::Once).await.0.outcome, Outcome::Succeeded);

    let mut site = Site::new().await;
    site.cluster.restrict();
    site.settings.user = Some(0);
    let cursor = site.advanced(&order(&GOOD), 3).await;
    let step = site.engine().await.step(&order(&GOOD), cursor.as_ref()).await.unwrap();
    assert!(matches!(&step, Step::Wait { note: Some(note), .. } if note.contains("runAsNonRoot")), "{step:?}");
}

#[tokio::test]
async fn what_can_not_be_begun_says_what_to_change_and_leaves_nothing() {
    for call in ["list jobs", "create jobs", "create secrets", "get secrets", "patch jobs"] {
        let site = Site::new().await;
        site.cluster.deny(call, true);
        let message = told(site.end(&order(&GOOD)).await.0);
        assert!(message.contains(&format!("refused to {call} in the namespace runs")), "{message}");
        assert!(message.contains("docs/runs-kubernetes.md") && site.is_empty(), "{message}");
    }
    let mut site = Site::new().await;
    site.settings.namespace = Some("elsewhere".to_owned());
    assert!(told(site.end(&order(&GOOD)).await.0).contains("There is no namespace elsewhere"));

    let site = Site::new().await;
    let mut large = order(&GOOD);
    large.bundle.insert("model.bin".to_owned(), vec![0; 2_000_000]);
    assert!(told(site.end(&large).await.0).starts_with("model.bin: 2000000 bytes"));
    let with = |change: fn(&mut Commands)| {
        let mut order = order(&GOOD);
        change(order.commands.as_mut().unwrap());
        order
    };
    assert!(told(site.end(&with(|commands| commands.image = None)).await.0).contains("names no image"));
    let named = with(|commands| commands.variables = vec![("a-b".into(), "c".into())]);
    assert!(told(site.end(&named).await.0).contains("\"a-b\" is no name of a variable"));
    let secret = with(|commands| commands.secrets = vec![("TOKEN".into(), "arn".into())]);
    assert!(told(site.end(&secret).await.0).contains("The variable TOKEN of env.secrets_manager"));
    assert!(site.is_empty() && site.cluster.calls().iter().all(|call| !call.effective));
}

#[tokio::test]
async fn a_run_that_was_let_go_is_not_deleted_by_a_refusal_that_comes_after() {
    let site = Site::new().await;
    let cursor = site.advanced(&order(&GOOD), 2).await;
    site.cluster.trouble("patch jobs", Trouble::AnswerLost);
    site.engine().await.step(&order(&GOOD), cursor.as_ref()).await.unwrap_err();
    site.cluster.deny("patch jobs", true);
    let step = site.engine().await.step(&order(&GOOD), cursor.as_ref()).await.unwrap();
    assert!(matches!(step, Step::Wait { .. }) && site.cluster.there("jobs").len() == 1, "{step:?}");
    site.cluster.deny("patch jobs", false);
    assert_eq!(site.end_from(&order(&GOOD), cursor, Mode::Once).await.0.outcome, Outcome::Succeeded);
    assert_eq!((site.cluster.begun(), site.cluster.effects("create jobs")), (1, 1));
}

#[tokio::test]
async fn secrets_of_a_job_that_was_deleted_are_not_taken_for_those_of_the_next() {
    let site = Site::new().await;
    // The first step only says what will be made; then a Job is made, somebody deletes it, and its Secrets are late to go.
    let cursor = site.advanced(&order(&GOOD), 1).await;
    let stale = json!({"metadata": {"name": "protium-d-1", "ownerReferences": [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "protium-d", "uid": "of-the-deleted"}]}, "data": {}});
    site.cluster.place("secrets", stale);
    let error = site.engine().await.step(&order(&GOOD), cursor.as_ref()).await.unwrap_err();
    assert!(error.message.contains("The Secret protium-d-1") && error.message.contains("gone first"), "{error}");
    site.cluster.remove_all("secrets");
    assert_eq!(site.end_from(&order(&GOOD), cursor, Mode::Once).await.0.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_job_of_somebody_else_is_left_alone() {
    let site = Site::new().await;
    site.cluster.place("jobs", json!({"metadata": {"name": "protium-d"}, "spec": {"suspend": true, "template": {}}}));
    let message = told(site.end(&order(&GOOD)).await.0);
    assert!(message.contains("that is not of this deployment"), "{message}");
    assert_eq!((site.cluster.there("jobs").len(), site.cluster.effects("delete jobs")), (1, 0));
}

#[tokio::test]
async fn credentials_that_are_not_accepted_end_no_run_that_goes_on() {
    let mut site = Site::new().await;
    let cursor = site.advanced(&order(&GOOD), 3).await;
    let right = site.settings.kubeconfig.clone();
    let wrong = site.folder.path().join("wrong");
    std::fs::write(&wrong, site.cluster.kubeconfig().replace("token: ", "token: no-")).unwrap();
    site.settings.kubeconfig = Some(wrong);
    let error = site.engine().await.step(&order(&GOOD), cursor.as_ref()).await.unwrap_err();
    assert!(error.message.contains("401") && error.message.contains("credentials"), "{error}");
    assert!(told(site.end(&order(&GOOD)).await.0).contains("401"), "one that is not begun is refused");
    site.settings.kubeconfig = right;
    assert_eq!(site.end_from(&order(&GOOD), cursor, Mode::Once).await.0.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_flood_is_read_page_by_page_without_a_loss_and_no_line_twice() {
    const LINES: usize = 60_000;
    let site = Site::new().await;
    let line = |index: usize| format!("{index} {}", "x".repeat(80));
    site.cluster.behave(move || vec![Act::Prints((0..LINES).map(line).collect()), Act::Ends(0)]);
    let cursor = site.advanced(&order(&GOOD), 4).await;
    let runner = site.runner().await;
    let state = cursor.unwrap().0["stage"]["runs"]["state"].clone();
    let (mut read, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let printed = runner.read(&order(&GOOD), &state, after.as_deref()).await.unwrap();
        if printed.lines.is_empty() {
            assert_eq!(printed.next, after);
            break;
        }
        read.extend(printed.lines.into_iter().map(|(_, text)| text));
        (after, pages) = (printed.next, pages + 1);
    }
    assert!(pages > 1 && read.len() == LINES, "{pages} pages, {} lines", read.len());
    assert!(read.iter().enumerate().all(|(index, text)| *text == line(index)));
    let tail = runner.tail(&order(&GOOD), &state).await.unwrap();
    assert_eq!(tail.last(), read.last());
    let bytes: usize = tail.iter().map(|line| line.len() + 1).sum();
    assert!((1 << 20..(1 << 20) + 200).contains(&bytes), "{bytes}");
}

#[tokio::test]
async fn a_run_works_in_a_session_of_its_role_and_with_what_the_operator_grants() {
    let aws = Double::start().await.unwrap();
    let mut site = Site::new().await;
    site.endpoint = Some(aws.url());
    site.settings.service_account = Some("deployer".to_owned());
    site.settings.limits = BTreeMap::from([("memory".to_owned(), "1Gi".to_owned())]);
    let role = Role {
        arn: "arn:aws:iam::123456789012:role/deploy".to_owned(),
        session_name: "environment-dev".to_owned(),
        external_id: None,
    };
    aws.put_secret("db", "hunter2!");
    let outputs = r#"printf '{"Db": "%s"}' "$DB" > proton-outputs.json"#;
    let commands = ["echo $AWS_ACCESS_KEY_ID; echo key=$AWS_SECRET_ACCESS_KEY; echo ${#DB} $DB", outputs];
    let mut order = Order { role: Some(role), ..order(&commands) };
    order.commands.as_mut().unwrap().secrets = vec![("DB".to_owned(), "db".to_owned())];
    aws.deny_role("arn:aws:iam::123456789012:role/deploy", true);
    assert!(told(site.end(&order).await.0).contains("can't be assumed") && site.is_empty());
    aws.deny_role("arn:aws:iam::123456789012:role/deploy", false);
    // No process knows what another has read.
    let (end, _) = site.end_from(&order, None, Mode::Killed).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert_eq!(end.outputs, Map::from_iter([("Db".to_owned(), json!("hunter2!"))]), "outputs are as they are");
    assert!(
        site.log()[1].starts_with("ASIA123456789012") && site.log()[2..4] == ["key=***", "8 ***"],
        "{:?}",
        site.log()
    );
    let pods = site.cluster.there("pods");
    let pod = &pods[0]["spec"];
    assert_eq!((&pod["serviceAccountName"], &pod["automountServiceAccountToken"]), (&json!("deployer"), &json!(true)));
    assert_eq!(pod["containers"][0]["resources"]["limits"]["memory"], "1Gi");
    assert!(!pod.to_string().contains("ASIA"), "what is secret stands in Secrets");
}
