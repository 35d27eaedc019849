//! The engine of commands with builds of AWS CodeBuild: what a deployment sees of them.

use protium_engines::aws::{Aws, Credentials, Settings};
use protium_engines::command::{CodeBuildSettings, RemoteEngine, RemoteSettings, TerraformSettings};
use protium_engines::double::{BuildRun, Disturbance};
use protium_engines::{Commands, Cursor, End, Engine, Intent, Order, Outcome, Role, Step};
use tempfile::TempDir;

use crate::site::{MODES, Mode, SECRET, Site, order};

const ENOUGH: usize = 400;
const ROLE: &str = "arn:aws:iam::123456789012:role/builds";

struct Builds {
    site: Site,
    folder: TempDir,
}

impl Builds {
    async fn in_mode(mode: Mode) -> Self {
        let builds = Self { site: Site::new().await, folder: tempfile::tempdir().expect("a folder") };
        let calls = [
            "CreateStack",
            "DescribeStacks",
            "DeleteStack",
            "PutObject",
            "DeleteObject",
            "ListObjects",
            "ListBuildsForProject",
            "StartBuild",
            "BatchGetBuilds",
            "StopBuild",
            "GetLogEvents",
        ];
        builds.site.disturb(mode, &calls);
        builds
    }

    /// An engine as a server that was just started has it.
    async fn engine(&self) -> RemoteEngine {
        let credentials = Credentials::from_keys("AKIDEXAMPLE", SECRET, None);
        let endpoint_url = Some(self.site.double.url());
        let aws = Aws::new(Settings { endpoint_url, credentials: Some(credentials), profile: None }).await;
        let settings = RemoteSettings {
            folder: self.folder.path().to_owned(),
            variables: Vec::new(),
            terraform: TerraformSettings::default(),
            connection: None,
        };
        RemoteEngine::on_codebuild(aws, CodeBuildSettings::default(), settings)
    }

    async fn step(&self, order: &Order, cursor: Option<&Cursor>, mode: Mode) -> Step {
        let mut engine = self.engine().await;
        if matches!(mode, Mode::EachStepTwice | Mode::KilledAtEachStep) {
            self.site.step(&engine, order, cursor).await;
        }
        if mode == Mode::KilledAtEachStep {
            engine = self.engine().await;
        }
        self.site.step(&engine, order, cursor).await
    }

    /// Goes on from `cursor` to the end, for at most so many steps if that is said.
    async fn go(&self, order: &Order, mut cursor: Option<Cursor>, mode: Mode) -> End {
        for _ in 0..ENOUGH {
            match self.step(order, cursor.as_ref(), mode).await {
                Step::Ended(end) => return end,
                Step::Wait { cursor: next, after, .. } => {
                    self.site.double.advance(after);
                    cursor = Some(next);
                }
            }
        }
        panic!("the order did not end in {ENOUGH} steps; it is at {cursor:?}");
    }

    /// Goes on until a build of the order is in progress.
    async fn go_until_it_runs(&self, order: &Order, mode: Mode) {
        let mut cursor = None;
        while !self.site.double.deployments_in_progress().contains(&order.deployment_id) {
            let Step::Wait { cursor: next, after, .. } = self.step(order, cursor.as_ref(), mode).await else {
                panic!("{mode:?}: it never ends by itself");
            };
            self.site.double.advance(after);
            cursor = Some(next);
        }
    }

    fn builds_are_over(&self) {
        assert!(self.site.double.objects().is_empty());
        assert_eq!(self.site.double.running_builds(), 0);
    }
}

fn given(deployment: &str, intent: Intent) -> Order {
    let commands: Commands = serde_json::from_value(serde_json::json!({
        "provision": ["./deploy.sh"],
        "deprovision": ["./remove.sh"],
    }))
    .expect("commands");
    let mut order = order(deployment, intent);
    order.role = Some(Role { arn: ROLE.to_owned(), session_name: "prod".to_owned(), external_id: None });
    order.files.clear();
    order.bundle.insert("deploy.sh".to_owned(), b"#!/bin/sh\n".to_vec());
    order.commands = Some(commands);
    order
}

/// What the script of a run prints around the output of its one command.
fn printed(deployment: &str, text: &str, outputs: Option<&str>, status: i32) -> BuildRun {
    let mut lines = vec![format!("\u{1e}{deployment}0"), text.to_owned()];
    lines.extend(outputs.map(|outputs| format!("::protium {deployment} out {outputs}")));
    lines.push(format!("::protium {deployment} end {status}"));
    let ends = if status == 0 { "SUCCEEDED" } else { "FAILED" };
    BuildRun { lines, ..BuildRun::ends(ends, &[]) }
}

#[tokio::test]
async fn an_environment_of_commands_is_provisioned_and_deprovisioned_by_one_build_each() {
    for mode in MODES {
        let builds = Builds::in_mode(mode).await;
        let double = &builds.site.double;
        double.run_builds(BuildRun { late: 4, ..printed("d1", "hello", Some(r#"{"Url":"http://x"}"#), 0) });
        let end = builds.go(&given("d1", Intent::Apply), None, mode).await;
        assert_eq!(end.outcome, Outcome::Succeeded, "{mode:?}");
        assert_eq!(end.outputs["Url"], "http://x");
        builds.builds_are_over();
        double.run_builds(printed("d2", "bye", None, 0));
        let end = builds.go(&given("d2", Intent::Destroy), None, mode).await;
        assert_eq!((end.outcome, end.resources.len()), (Outcome::Succeeded, 0), "{mode:?}");
        let counts = ["CreateStack", "StartBuild", "DeleteStack"].map(|call| double.effects(call));
        assert_eq!(counts, [1, 2, 1], "{mode:?}");
        builds.builds_are_over();
    }
}

#[tokio::test]
async fn an_environment_without_commands_to_deprovision_leaves_no_project() {
    let builds = Builds::in_mode(Mode::Once).await;
    builds.site.double.run_builds(printed("d1", "hello", None, 0));
    builds.go(&given("d1", Intent::Apply), None, Mode::Once).await;
    let mut order = given("d2", Intent::Destroy);
    order.commands.iter_mut().for_each(|commands| commands.deprovision.clear());
    assert_eq!(builds.go(&order, None, Mode::Once).await.outcome, Outcome::Succeeded);
    assert_eq!((builds.site.double.effects("StartBuild"), builds.site.double.effects("DeleteStack")), (1, 1));
}

#[tokio::test]
async fn a_command_that_fails_fails_the_deployment_with_its_output() {
    for mode in MODES {
        let builds = Builds::in_mode(mode).await;
        builds.site.double.run_builds(printed("d1", "no such thing", None, 7));
        let end = builds.go(&given("d1", Intent::Apply), None, mode).await;
        let Outcome::Failed(message) = end.outcome else { panic!("{mode:?}") };
        for part in ["Command 1 of 1 ended with status 7: ./deploy.sh", "no such thing"] {
            assert!(message.contains(part), "{message}");
        }
        builds.builds_are_over();
    }
}

#[tokio::test]
async fn a_build_that_says_nothing_fails_with_what_codebuild_says() {
    for (run, said) in [
        (
            BuildRun::ends("FAILED", &[]).because("DOWNLOAD_SOURCE", "no access"),
            "DOWNLOAD_SOURCE: CLIENT_ERROR: no access",
        ),
        (BuildRun::ends("FAULT", &[]), "AWS CodeBuild could not carry out the build"),
        (BuildRun::ends("TIMED_OUT", &["x"]), "took longer than deployments may"),
        (BuildRun::ends("STOPPED", &["x"]), "not by this server"),
    ] {
        let builds = Builds::in_mode(Mode::Once).await;
        builds.site.double.run_builds(run);
        let end = builds.go(&given("d1", Intent::Apply), None, Mode::Once).await;
        let Outcome::Failed(message) = end.outcome else { panic!("{said}") };
        assert!(message.contains(said), "{message}");
        builds.builds_are_over();
    }
}

#[tokio::test]
async fn a_deployment_is_cancelled_after_each_of_its_steps() {
    for mode in MODES {
        for steps in 0..ENOUGH {
            let builds = Builds::in_mode(mode).await;
            builds.site.double.run_builds(BuildRun::ends("IN_PROGRESS", &["still here"]));
            let order = given("d1", Intent::Apply);
            let mut cursor = None;
            let mut looked = false;
            for _ in 0..steps {
                let Step::Wait { cursor: next, after, .. } = builds.step(&order, cursor.as_ref(), mode).await else {
                    panic!("it never ends by itself");
                };
                looked = builds.site.double.count("GetLogEvents") > 0;
                builds.site.double.advance(after);
                cursor = Some(next);
            }
            let cancelled = Order { intent: Intent::Cancel, ..order };
            let end = builds.go(&cancelled, cursor, mode).await;
            assert_eq!(end.outcome, Outcome::Cancelled, "{mode:?} after {steps}");
            builds.builds_are_over();
            if looked {
                break;
            }
        }
    }
}

/// The deployment of a service instance in the environment.
fn instance(deployment: &str) -> Order {
    Order { resource_id: "instance".to_owned(), ..given(deployment, Intent::Apply) }
}

#[tokio::test]
async fn an_earlier_run_of_the_resource_is_stopped_before_the_next_is_begun_and_no_other_is_touched() {
    for mode in MODES {
        for intent in [Intent::Apply, Intent::Destroy] {
            let builds = Builds::in_mode(mode).await;
            let double = &builds.site.double;
            double.page_builds(1);
            double.run_builds(BuildRun::ends("IN_PROGRESS", &["still here"]));
            for order in [given("d1", Intent::Apply), instance("i1"), instance("i2"), instance("i3")] {
                builds.go_until_it_runs(&order, mode).await;
            }
            assert_eq!(double.deployments_in_progress(), ["d1", "i3"], "{mode:?}: each has stopped that before it");

            let (next, engine) = (given("d2", intent), builds.engine().await);
            let mut messages = Vec::new();
            while let Err(transient) = engine.step(&next, None).await {
                messages.push(transient.message);
            }
            assert!(messages.contains(&"An earlier run of this resource is being stopped.".to_owned()), "{messages:?}");
            assert_eq!(double.deployments_in_progress(), ["i3"], "{mode:?}");
            assert_eq!((double.effects("StartBuild"), double.effects("StopBuild")), (4, 3), "{mode:?}");
            double.run_builds(printed("d2", "hello", None, 0));
            assert_eq!(builds.go(&next, None, mode).await.outcome, Outcome::Succeeded, "{mode:?} {intent:?}");
            assert_eq!(double.deployments_in_progress(), ["i3"], "{mode:?}");
            assert_eq!(double.effects("StartBuild"), 5, "{mode:?}");
        }
    }
}

#[tokio::test]
async fn an_earlier_run_is_found_in_the_project_that_its_template_asked_for() {
    let builds = Builds::in_mode(Mode::Once).await;
    let double = &builds.site.double;
    double.run_builds(BuildRun::ends("IN_PROGRESS", &[]));
    let mut own = instance("i1");
    own.commands.as_mut().expect("commands").project_properties = serde_json::json!({"VpcConfig": {"VpcId": "vpc-1"}});
    for order in [own, instance("i2")] {
        builds.go_until_it_runs(&order, Mode::Once).await;
    }
    assert_eq!(double.deployments_in_progress(), ["i2"]);
    assert_eq!(double.effects("CreateStack"), 2);
}

#[tokio::test]
async fn a_resource_whose_role_is_gone_goes_where_nothing_is_to_be_run() {
    let builds = Builds::in_mode(Mode::Once).await;
    builds.site.double.deny_role(ROLE, true);
    let mut order = given("d1", Intent::Destroy);
    let Outcome::Failed(message) = builds.go(&order, None, Mode::Once).await.outcome else {
        panic!("it needs its role")
    };
    assert!(message.contains("can't be assumed"), "{message}");
    order.commands.iter_mut().for_each(|commands| commands.deprovision.clear());
    assert_eq!(builds.go(&order, None, Mode::Once).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_run_that_is_refused_fails_its_deployment_and_the_next_one_goes() {
    let builds = Builds::in_mode(Mode::Once).await;
    let denied = Disturbance::Refused("AccessDeniedException".into(), "not authorized: codebuild:StartBuild".into());
    builds.site.double.disturb("StartBuild", denied);
    let end = builds.go(&given("d1", Intent::Apply), None, Mode::Once).await;
    let Outcome::Failed(message) = end.outcome else { panic!("{:?}", end.outcome) };
    assert!(message.contains(ROLE) && message.contains("codebuild:StartBuild"), "{message}");
    builds.site.double.run_builds(printed("d2", "hello", None, 0));
    assert_eq!(builds.go(&given("d2", Intent::Apply), None, Mode::Once).await.outcome, Outcome::Succeeded);
}
