//! Runs from their beginning to their end.

use serde_json::{Value, json};

use super::site::{ENVIRONMENT, MODES, Mode, ROLE, SECRET, Site, environment, instance};
use crate::Intent;
use crate::command::remote::{Begin, Remote, RemoteLook};
use crate::double::BuildRun;

const DONE: RemoteLook = RemoteLook::Ended { succeeded: true, said: None };

#[tokio::test]
async fn a_run_is_one_build_whose_output_is_read_whole_and_whose_source_goes() {
    for mode in MODES {
        let site = Site::in_mode(mode).await;
        site.double
            .run_builds(BuildRun { late: 3, ..BuildRun::ends("SUCCEEDED", &["one", "two", "three", "", "five"]) });
        let given = environment("d1", Intent::Apply);
        let state = site.begin(&given, mode).await.expect("it begins");
        assert_eq!(site.double.objects().len(), 1, "{mode:?}");
        assert_eq!(site.end(&given, &state, mode).await, DONE, "{mode:?}");
        assert_eq!(site.double.count("GetLogEvents"), 0);
        while site.ask(async |runner| runner.read(&given.order, &state, None).await, mode).await.lines.is_empty() {}
        assert_eq!(site.printed(&given, &state, mode).await, ["one", "two", "three", "", "five"], "{mode:?}");
        let tail = site.ask(async |runner| runner.tail(&given.order, &state).await, mode).await;
        assert_eq!(tail, ["one", "two", "three", "", "five"], "{mode:?}");
        site.remove(&given, &state, mode).await;
        assert!(site.double.objects().is_empty(), "{mode:?}");
        assert_eq!((site.double.effects("CreateStack"), site.double.effects("StartBuild")), (1, 1), "{mode:?}");
    }
}

#[tokio::test]
async fn a_build_gets_its_files_its_role_and_what_the_template_says() {
    let site = Site::new().await;
    let mut given = environment("d1", Intent::Apply).with(&json!({
        "image": "aws/codebuild/amazonlinux2-aarch64-standard:3.0",
        "runtimes": [["nodejs", "16"]],
        "secrets": [["TOKEN", "proton/token:Secret"]],
        "project_properties": {
            "TimeoutInMinutes": 20,
            "Environment": {"ComputeType": "BUILD_GENERAL1_LARGE", "PrivilegedMode": true, "EnvironmentVariables": [
                {"Name": "PROTIUM_RESOURCE_ID", "Value": "another"},
            ]},
        },
    }));
    given.variables.push(("AWS_ENDPOINT_URL_PROTON".to_owned(), format!("http://server/run/{SECRET}")));
    site.begin(&given, Mode::Once).await.expect("it begins");
    let said = |parameter: &str| site.said("StartBuild", parameter);
    assert_eq!(said("imageOverride"), "aws/codebuild/amazonlinux2-aarch64-standard:3.0");
    assert_eq!(said("environmentTypeOverride"), "ARM_CONTAINER");
    assert_eq!(said("imagePullCredentialsTypeOverride"), "CODEBUILD");
    assert_eq!(said("computeTypeOverride"), "BUILD_GENERAL1_LARGE");
    assert_eq!((said("privilegedModeOverride").as_str(), said("timeoutInMinutesOverride").as_str()), ("true", "20"));
    assert_eq!((said("serviceRoleOverride").as_str(), said("sourceTypeOverride").as_str()), (ROLE, "S3"));
    assert!(said("buildspecOverride").contains(r#""runtime-versions":{"nodejs":"16"}"#));
    let variables: Value = serde_json::from_str(&said("environmentVariablesOverride")).unwrap();
    let expected = json!([
        {"name": "TOKEN", "value": "proton/token:Secret", "type": "SECRETS_MANAGER"},
        {"name": "PROTIUM_DEPLOYMENT_ID", "value": "d1", "type": "PLAINTEXT"},
        {"name": "PROTIUM_RESOURCE_ID", "value": ENVIRONMENT, "type": "PLAINTEXT"},
    ]);
    assert_eq!(variables, expected);
    let calls = site.double.calls();
    let source = site.double.object(&site.double.objects()[0]).unwrap();
    assert!(source.contains("#!/bin/sh\necho deployed") && source.contains("'COLOR=blue'") && source.contains(SECRET));
    let others = calls.iter().filter(|call| call.action != "PutObject");
    assert!(others.flat_map(|call| call.parameters.values()).all(|value| !value.contains(SECRET)));
    assert!(calls.iter().filter(|call| call.action != "AssumeRole").all(|call| call.account == "123456789012"));
}

#[tokio::test]
async fn an_image_of_somebody_else_is_fetched_by_the_role_and_the_time_is_that_of_the_deployment() {
    let site = Site::new().await;
    let mut given = environment("d1", Intent::Apply).with(&json!({"image": "public.ecr.aws/x/y:1"}));
    given.order.time_limit = std::time::Duration::from_secs(61);
    site.begin(&given, Mode::Once).await.expect("it begins");
    assert_eq!(site.said("StartBuild", "imagePullCredentialsTypeOverride"), "SERVICE_ROLE");
    assert_eq!(site.said("StartBuild", "environmentTypeOverride"), "LINUX_CONTAINER");
    assert_eq!(site.said("StartBuild", "timeoutInMinutesOverride"), "5", "the least that CodeBuild takes");
}

#[tokio::test]
async fn every_end_of_a_build_is_told_with_its_reason() {
    let failed = |said: Option<&str>| RemoteLook::Ended { succeeded: false, said: said.map(str::to_owned) };
    for (run, expected) in [
        (BuildRun::ends("FAILED", &["x"]), failed(None)),
        (
            BuildRun::ends("FAILED", &[]).because("DOWNLOAD_SOURCE", "no access to the image"),
            failed(Some("DOWNLOAD_SOURCE: CLIENT_ERROR: no access to the image")),
        ),
        (BuildRun::ends("FAULT", &[]), failed(Some("AWS CodeBuild could not carry out the build."))),
        (BuildRun::ends("TIMED_OUT", &[]), RemoteLook::TimedOut),
        (BuildRun::ends("STOPPED", &[]), RemoteLook::Stopped),
    ] {
        for mode in MODES {
            let site = Site::in_mode(mode).await;
            site.double.run_builds(run.clone());
            assert_eq!(site.go(&environment("d1", Intent::Apply), mode).await, expected, "{mode:?}");
        }
    }
}

#[tokio::test]
async fn a_run_that_is_in_progress_says_what_it_does() {
    let site = Site::new().await;
    let given = environment("d1", Intent::Apply);
    let state = site.begin(&given, Mode::Once).await.expect("it begins");
    let look = site.ask(async |runner| runner.look(&given.order, &state).await, Mode::Once).await;
    assert_eq!(look, RemoteLook::Runs { note: Some("The commands run.".to_owned()) });
}

#[tokio::test]
async fn a_build_that_was_begun_long_ago_is_found_and_not_begun_again() {
    let site = Site::new().await;
    let given = environment("d1", Intent::Apply);
    let runner = site.runner().await;
    let mut state = None;
    let begun = loop {
        // The process ends before it can save that the build runs.
        match runner.begin(&given.run(), state.as_ref()).await.expect("nothing is disturbed") {
            Begin::Not { state: next, after, .. } => {
                site.double.advance(after);
                state = Some(next);
            }
            Begin::Runs { state } => break state,
            Begin::Refused(message) => panic!("{message}"),
        }
    };
    site.double.forget_build_tokens();
    let mut later = given.clone();
    later.order.time_limit /= 2;
    let again = site.runner().await.begin(&later.run(), state.as_ref()).await.expect("nothing is disturbed");
    assert_eq!(again, Begin::Runs { state: begun });
    assert_eq!(site.double.effects("StartBuild"), 1);
}

#[tokio::test]
async fn a_build_that_is_not_there_any_more_is_lost() {
    let site = Site::new().await;
    let given = environment("d1", Intent::Apply);
    let state = site.begin(&given, Mode::Once).await.expect("it begins");
    site.double.forget_builds();
    let RemoteLook::Lost(message) = site.end(&given, &state, Mode::Once).await else { panic!("it is lost") };
    assert!(message.contains("AWSProton-CodeBuild-"), "{message}");
}

#[tokio::test]
async fn reading_goes_on_when_the_place_is_too_old() {
    let site = Site::new().await;
    site.double.run_builds(BuildRun::ends("SUCCEEDED", &["one", "two", "three", "four"]));
    let given = environment("d1", Intent::Apply);
    let state = site.begin(&given, Mode::Once).await.expect("it begins");
    let runner = site.runner().await;
    let page = runner.read(&given.order, &state, None).await.expect("the first page");
    assert_eq!(page.lines.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    site.double.outdate_log_tokens();
    let mut after = page.next;
    let mut lines = Vec::new();
    while lines.len() < 2 {
        let page = runner.read(&given.order, &state, after.as_deref()).await.expect("the rest");
        lines.extend(page.lines.into_iter().map(|(_, line)| line));
        after = page.next;
    }
    assert_eq!(lines, ["three", "four"]);
}

#[tokio::test]
async fn a_run_is_stopped_wherever_it_is() {
    for mode in MODES {
        let site = Site::in_mode(mode).await;
        site.double.run_builds(BuildRun::ends("IN_PROGRESS", &[]));
        let given = environment("d1", Intent::Apply);
        let mut cancelled = given.clone();
        cancelled.order.intent = Intent::Cancel;
        let mut state = None;
        // Before each step of its beginning there is nothing to stop.
        let runs = loop {
            let begin = site.ask(async |runner| runner.begin(&given.run(), state.as_ref()).await, mode).await;
            match begin {
                Begin::Not { state: next, after, .. } => {
                    if site.double.count("StartBuild") == 0 {
                        site.stop(&cancelled, &next, mode).await;
                        assert_eq!(site.end(&cancelled, &next, mode).await, RemoteLook::Stopped, "{mode:?}");
                    }
                    site.double.advance(after);
                    state = Some(next);
                }
                Begin::Runs { state } => break state,
                Begin::Refused(message) => panic!("{message}"),
            }
        };
        // Its start was not saved: it is found, and stopped all the same.
        site.stop(&cancelled, &state.expect("there were steps before"), mode).await;
        assert_eq!(site.end(&cancelled, &runs, mode).await, RemoteLook::Stopped, "{mode:?}");
        site.stop(&cancelled, &runs, mode).await;
        assert_eq!(site.double.effects("StopBuild"), 1, "{mode:?}");
        site.remove(&cancelled, &runs, mode).await;
        assert!(site.double.objects().is_empty());
        assert_eq!(site.double.stack_count(), 1, "the project is there for the next run");
    }
}

#[tokio::test]
async fn a_stop_without_a_state_and_one_after_the_end_do_nothing() {
    let site = Site::new().await;
    let given = instance("d1", Intent::Apply);
    site.stop(&given, &Value::Null, Mode::Once).await;
    let state = site.begin(&given, Mode::Once).await.expect("it begins");
    assert_eq!(site.end(&given, &state, Mode::Once).await, DONE);
    site.stop(&given, &state, Mode::Once).await;
    assert_eq!(site.double.count("StopBuild"), 0);
    assert_eq!(site.end(&given, &state, Mode::Once).await, DONE);
    assert_eq!(given.order.environment_id.as_deref(), Some(ENVIRONMENT));
}
