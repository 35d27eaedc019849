//! What people read when a run can't be begun, and what asks again.

use std::time::Duration;

use serde_json::{Value, json};

use super::site::{Mode, ROLE, SECRET, Site, environment};
use crate::Intent;
use crate::command::remote::{Begin, Remote, RemoteLook};
use crate::double::{BuildRun, Disturbance};

fn denied(action: &str) -> Disturbance {
    let message = format!("User: x is not authorized to perform: {action}");
    Disturbance::Refused("AccessDeniedException".to_owned(), message)
}

#[tokio::test]
async fn a_run_without_a_role_is_refused_without_a_call() {
    let site = Site::new().await;
    let mut given = environment("d1", Intent::Apply);
    given.order.role = None;
    let message = site.begin(&given, Mode::Once).await.expect_err("there is no role");
    assert!(message.contains("codebuildRoleArn"), "{message}");
    site.remove(&given, &Value::Null, Mode::Once).await;
    assert!(site.double.calls().is_empty());
}

#[tokio::test]
async fn properties_that_are_wrong_are_refused_by_name() {
    let site = Site::new().await;
    let given = environment("d1", Intent::Apply).with(&json!({"project_properties": {"Name": "mine"}}));
    let message = site.begin(&given, Mode::Once).await.expect_err("it is the runner's");
    assert!(message.contains("project_properties.Name"), "{message}");
    assert!(site.double.calls().is_empty());
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named_with_the_role_that_lacks_it() {
    for (call, permission) in [
        ("PutObject", "s3:PutObject on the bucket awsproton-codebuild-"),
        ("ListBuildsForProject", "codebuild:ListBuildsForProject on the project AWSProton-CodeBuild-"),
        ("StartBuild", "codebuild:StartBuild on the project AWSProton-CodeBuild-"),
    ] {
        let site = Site::new().await;
        site.double.disturb(call, denied(permission));
        let message = site.begin(&environment("d1", Intent::Apply), Mode::Once).await.expect_err("it may not");
        let part = format!("The role {ROLE} needs the permission {permission}");
        assert!(message.contains("not authorized to perform") && message.contains(&part), "{message}");
        assert_eq!(site.double.effects("StartBuild"), 0);
    }
    let site = Site::new().await;
    site.double.disturb("CreateStack", denied("cloudformation:CreateStack"));
    let message = site.begin(&environment("d1", Intent::Apply), Mode::Once).await.expect_err("it may not");
    assert!(message.contains("not authorized to perform: cloudformation:CreateStack"), "{message}");
}

#[tokio::test]
async fn a_refusal_takes_nothing_from_a_build_that_an_earlier_call_has_begun() {
    let site = Site::new().await;
    let given = environment("d1", Intent::Apply);
    site.double.run_builds(BuildRun::ends("IN_PROGRESS", &[]));
    // The answer is lost, and the next step does not see the build at first: its own call is refused.
    site.double.disturb("StartBuild", Disturbance::AnswerLost);
    site.double.disturb("StartBuild", denied("codebuild:StartBuild"));
    site.double.disturb("ListBuildsForProject", Disturbance::None);
    site.double
        .disturb("ListBuildsForProject", Disturbance::Refused("ResourceNotFoundException".into(), "not yet".into()));
    let state = site.begin(&given, Mode::Once).await.expect("it was begun");
    assert_eq!(site.double.effects("StartBuild"), 1);
    assert_eq!(site.double.objects().len(), 1, "the build may still have to fetch it");
    let look = site.runner().await.look(&given.order, &state).await.unwrap();
    assert!(matches!(look, RemoteLook::Runs { .. }), "{look:?}");
}

#[tokio::test]
async fn a_removal_that_is_refused_is_told() {
    let site = Site::new().await;
    let given = environment("d1", Intent::Apply);
    let state = site.begin(&given, Mode::Once).await.expect("it begins");
    let runner = site.runner().await;
    site.double.disturb("DeleteObject", denied("s3:DeleteObject"));
    let told = runner.remove(&given.order, &state).await.unwrap();
    assert!(told.is_some_and(|told| told.contains("s3:DeleteObject")));
    assert_eq!(runner.remove(&given.order, &state).await.unwrap(), None);
}

#[tokio::test]
async fn a_trust_policy_without_codebuild_is_told_with_the_remedy() {
    let site = Site::new().await;
    let message = format!("CodeBuild is not authorized to perform: sts:AssumeRole on {ROLE}");
    site.double.disturb("StartBuild", Disturbance::Refused("InvalidInputException".to_owned(), message));
    let message = site.begin(&environment("d1", Intent::Apply), Mode::Once).await.expect_err("it may not");
    assert!(message.contains("trust policy of the role must name codebuild.amazonaws.com"), "{message}");
}

#[tokio::test]
async fn a_role_that_can_not_be_assumed_refuses_and_is_asked_again_while_it_runs() {
    let site = Site::new().await;
    let given = environment("d1", Intent::Apply);
    site.double.deny_role(ROLE, true);
    let message = site.begin(&given, Mode::Once).await.expect_err("it is denied");
    assert!(message.contains(ROLE) && message.contains("trust policy"), "{message}");
    site.double.deny_role(ROLE, false);
    let state = site.begin(&given, Mode::Once).await.expect("it begins");
    site.double.deny_role(ROLE, true);
    let runner = site.runner().await;
    let transient = runner.look(&given.order, &state).await.expect_err("it is denied");
    assert!(transient.message.contains(ROLE) && transient.retry_after.is_some(), "{transient}");
    // What can't be removed goes by itself, and keeps no deployment.
    runner.remove(&given.order, &state).await.expect("nothing waits for it");
}

#[tokio::test]
async fn a_session_that_ended_is_replaced_on_the_way() {
    let site = Site::new().await;
    let given = environment("d1", Intent::Apply);
    let runner = site.runner().await;
    let mut state = None;
    let mut ended = 0;
    for _ in 0..200 {
        site.double.end_sessions();
        match runner.begin(&given.run(), state.as_ref()).await {
            Ok(Begin::Not { state: next, after, .. }) => {
                site.double.advance(after);
                state = Some(next);
            }
            Ok(Begin::Runs { .. }) => {
                assert!(ended > 2, "{ended}");
                return;
            }
            Ok(Begin::Refused(message)) => panic!("{message}"),
            Err(transient) => {
                assert!(transient.message.contains("expired"), "{transient}");
                ended += 1;
                // The next session lasts for one step.
                let again = runner.begin(&given.run(), state.as_ref()).await.expect("a new session");
                match again {
                    Begin::Not { state: next, after, .. } => {
                        site.double.advance(after);
                        state = Some(next);
                    }
                    Begin::Runs { .. } => return assert!(ended > 2, "{ended}"),
                    Begin::Refused(message) => panic!("{message}"),
                }
            }
        }
    }
    panic!("it never began; it is at {state:?}");
}

#[tokio::test]
async fn an_account_with_too_many_builds_waits_and_says_so() {
    let site = Site::new().await;
    let (first, second) = (environment("d1", Intent::Apply), environment("d2", Intent::Apply));
    site.double.run_builds(BuildRun::ends("IN_PROGRESS", &[]));
    site.double.limit_builds(Some(1));
    let running = site.begin(&first, Mode::Once).await.expect("it begins");
    let runner = site.runner().await;
    let mut state = None;
    let note = loop {
        match runner.begin(&second.run(), state.as_ref()).await.expect("nothing is disturbed") {
            Begin::Not { after, note: Some(note), state: same } if after >= Duration::from_secs(30) => {
                assert_eq!(Some(same), state);
                break note;
            }
            Begin::Not { state: next, after, .. } => {
                site.double.advance(after);
                state = Some(next);
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(note.contains("takes no more builds now"), "{note}");
    site.stop(&first, &running, Mode::Once).await;
    let begin = runner.begin(&second.run(), state.as_ref()).await.expect("nothing is disturbed");
    assert!(matches!(begin, Begin::Runs { .. }), "{begin:?}");
}

#[tokio::test]
async fn a_state_of_another_version_is_left_alone() {
    let site = Site::new().await;
    let given = environment("d1", Intent::Apply);
    let state = json!({"at": "elsewhere"});
    let runner = site.runner().await;
    for message in [
        runner.begin(&given.run(), Some(&state)).await.expect_err("not known").message,
        runner.look(&given.order, &state).await.expect_err("not known").message,
        runner.remove(&given.order, &state).await.expect_err("not known").message,
    ] {
        assert!(message.contains("not known to this version"), "{message}");
    }
    assert!(site.double.calls().is_empty());
}

#[tokio::test]
async fn nothing_that_is_saved_or_printed_has_secrets() {
    let site = Site::new().await;
    let mut given = environment("d1", Intent::Apply);
    given.variables.push(("PASSWORD".to_owned(), SECRET.to_owned()));
    let state = site.begin(&given, Mode::Once).await.expect("it begins");
    assert!(!state.to_string().contains(SECRET));
    assert!(!format!("{:?}", site.runner().await).contains(SECRET));
    assert_eq!(site.end(&given, &state, Mode::Once).await, RemoteLook::Ended { succeeded: true, said: None });
}
