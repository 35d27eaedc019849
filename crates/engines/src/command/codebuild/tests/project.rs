//! The stack of a project: made once, brought up to date by whose it is, shared, and gone with its owner.

use std::time::Duration;

use serde_json::{Value, json};

use super::site::{MODES, Mode, Site, environment, instance, pipeline};
use crate::Intent;
use crate::command::remote::{Begin, Remote, RemoteLook};
use crate::double::{Behaviour, BuildRun, Takes};

const WHILE: Takes = Takes::Time(Duration::from_secs(5));

fn stack(site: &Site) -> String {
    site.said("CreateStack", "StackName")
}

fn template(site: &Site, action: &str) -> Value {
    serde_json::from_str(&site.said(action, "TemplateBody")).expect("a template in JSON")
}

#[tokio::test]
async fn all_that_an_environment_runs_uses_one_project_which_goes_with_it() {
    for mode in MODES {
        let site = Site::in_mode(mode).await;
        site.double.behave(|_| Behaviour::done().taking(WHILE));
        for given in [
            environment("d1", Intent::Apply),
            instance("d2", Intent::Apply),
            environment("d3", Intent::Apply),
            instance("d4", Intent::Destroy),
        ] {
            site.go(&given, mode).await;
            assert_eq!(site.double.stack_count(), 1, "{mode:?}");
        }
        let counts = ["CreateStack", "UpdateStack", "DeleteStack", "StartBuild"].map(|call| site.double.effects(call));
        assert_eq!(counts, [1, 0, 0, 4], "{mode:?}");
        assert_eq!(site.double.tags(&stack(&site))["team"], "red");
        let given = environment("d5", Intent::Destroy);
        site.go(&given, mode).await;
        site.double.advance(Duration::from_secs(10));
        site.ask(async |runner| runner.remove(&given.order, &Value::Null).await, mode).await;
        assert_eq!(site.double.stack_count(), 0, "{mode:?}");
        assert_eq!(site.double.effects("DeleteStack"), 1, "{mode:?}");
    }
}

#[tokio::test]
async fn the_template_keeps_others_away_and_names_what_it_makes() {
    let site = Site::new().await;
    site.go(&environment("d1", Intent::Apply), Mode::Once).await;
    let (name, template) = (stack(&site), template(&site, "CreateStack"));
    let key = name.strip_prefix("AWSProton-CodeBuild-").expect("the name that policies know");
    let resources = &template["Resources"];
    assert_eq!(resources["Project"]["Properties"]["Name"], name.as_str());
    assert_eq!(resources["Log"]["Properties"]["LogGroupName"], format!("/aws/codebuild/AWSProton-Shell-{key}"));
    let bucket = &resources["Sources"]["Properties"];
    assert_eq!(bucket["PublicAccessBlockConfiguration"]["RestrictPublicBuckets"], true);
    assert_eq!(bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"], 1);
}

#[tokio::test]
async fn a_failed_destroy_keeps_the_project_and_one_without_a_run_does_not() {
    let site = Site::new().await;
    site.go(&environment("d1", Intent::Apply), Mode::Once).await;
    site.double.run_builds(BuildRun::ends("FAILED", &["no"]));
    site.go(&environment("d2", Intent::Destroy), Mode::Once).await;
    assert_eq!(site.double.effects("DeleteStack"), 0);
    let given = environment("d3", Intent::Destroy);
    site.remove(&given, &Value::Null, Mode::Once).await;
    assert_eq!(site.double.effects("DeleteStack"), 1);
}

#[tokio::test]
async fn what_other_runs_left_in_the_bucket_does_not_keep_it() {
    let site = Site::new().await;
    let left = environment("d1", Intent::Apply);
    site.begin(&left, Mode::Once).await.expect("it begins");
    site.go(&environment("d2", Intent::Destroy), Mode::Once).await;
    assert!(site.double.objects().is_empty());
    assert_eq!(site.double.effects("DeleteStack"), 1);
    assert_eq!(site.double.status(&stack(&site)).as_deref(), Some("DELETE_IN_PROGRESS"));
}

#[tokio::test]
async fn two_that_come_at_once_make_one_project() {
    let site = Site::new().await;
    site.double.behave(|_| Behaviour::done().taking(WHILE));
    let runner = site.runner().await;
    let both = [environment("d1", Intent::Apply), instance("d2", Intent::Apply)];
    let mut states: [Option<Value>; 2] = [None, None];
    let mut begun = 0;
    for _ in 0..200 {
        for (given, state) in both.iter().zip(&mut states) {
            match runner.begin(&given.run(), state.as_ref()).await.expect("nothing is disturbed") {
                Begin::Not { state: next, after, .. } => {
                    *state = Some(next);
                    site.double.advance(after / 2);
                }
                Begin::Runs { state: next } => {
                    begun += 1;
                    *state = Some(next);
                }
                Begin::Refused(message) => panic!("{message}"),
            }
        }
        if begun >= 2 && site.double.effects("StartBuild") == 2 {
            break;
        }
    }
    let counts = ["CreateStack", "UpdateStack", "DeleteStack", "StartBuild"].map(|call| site.double.effects(call));
    assert_eq!(counts, [1, 0, 0, 2]);
}

#[tokio::test]
async fn what_only_a_project_can_say_updates_that_of_the_environment_and_gives_others_their_own() {
    for mode in MODES {
        let site = Site::in_mode(mode).await;
        let vpc = json!({"project_properties": {"VpcConfig": {"VpcId": "vpc-1", "Subnets": "['a', 'b']"}}});
        site.go(&environment("d1", Intent::Apply), mode).await;
        site.go(&environment("d2", Intent::Apply).with(&vpc), mode).await;
        assert_eq!((site.double.effects("UpdateStack"), site.double.stack_count()), (1, 1), "{mode:?}");
        let updated = template(&site, "UpdateStack");
        assert_eq!(updated["Resources"]["Project"]["Properties"]["VpcConfig"]["Subnets"], json!(["a", "b"]));
        site.go(&instance("d3", Intent::Apply), mode).await;
        assert_eq!((site.double.effects("UpdateStack"), site.double.stack_count()), (1, 1), "{mode:?}");
        site.go(&instance("d4", Intent::Apply).with(&vpc), mode).await;
        assert_eq!(site.double.stack_count(), 2, "{mode:?}");
        site.go(&instance("d5", Intent::Destroy).with(&vpc), mode).await;
        assert_eq!(site.double.effects("DeleteStack"), 1, "{mode:?}");
    }
}

#[tokio::test]
async fn the_pipelines_of_an_account_share_a_project() {
    let site = Site::new().await;
    site.go(&pipeline("d1", "shop"), Mode::Once).await;
    let mut other = pipeline("d2", "blog");
    other.order.tags = vec![("team".to_owned(), "blue".to_owned())];
    site.go(&other, Mode::Once).await;
    assert_eq!((site.double.stack_count(), site.double.effects("UpdateStack")), (1, 0));
    let mut destroy = pipeline("d3", "shop");
    destroy.order.intent = Intent::Destroy;
    site.go(&destroy, Mode::Once).await;
    assert_eq!((site.double.stack_count(), site.double.effects("DeleteStack")), (1, 0));
}

#[tokio::test]
async fn a_project_that_can_not_be_made_refuses_with_awss_reason_and_is_made_by_the_next_deployment() {
    for mode in MODES {
        let site = Site::in_mode(mode).await;
        site.double.behave(|operation| match (operation.action, operation.earlier) {
            ("CreateStack", 0) => Behaviour::fails("Project", "AWS::CodeBuild::Project", "the subnet is not there"),
            _ => Behaviour::done(),
        });
        let message = site.begin(&environment("d1", Intent::Apply), mode).await;
        if let Err(message) = message {
            assert!(
                message.contains("the subnet is not there") && message.contains("AWSProton-CodeBuild-"),
                "{message}"
            );
        } else {
            // With its first answers lost the deployment found the stack failed, and made it again itself.
            assert_eq!(mode, Mode::AnswersLost);
        }
        let end = site.go(&environment("d2", Intent::Apply), mode).await;
        assert_eq!(end, RemoteLook::Ended { succeeded: true, said: None }, "{mode:?}");
        assert_eq!(site.double.stack_count(), 1);
    }
}

#[tokio::test]
async fn an_update_that_fails_refuses_and_leaves_the_project_to_others() {
    let site = Site::new().await;
    site.go(&environment("d1", Intent::Apply), Mode::Once).await;
    site.double.behave(|_| Behaviour::fails("Project", "AWS::CodeBuild::Project", "no such VPC"));
    let vpc = json!({"project_properties": {"VpcConfig": {"VpcId": "vpc-9"}}});
    let given = environment("d2", Intent::Apply).with(&vpc);
    let message = site.begin(&given, Mode::Once).await.expect_err("there is no such VPC");
    assert!(message.contains("no such VPC"), "{message}");
    let end = site.go(&instance("d3", Intent::Apply), Mode::Once).await;
    assert_eq!(end, RemoteLook::Ended { succeeded: true, said: None });
    site.double.behave(|_| Behaviour::done());
    site.go(&environment("d4", Intent::Apply).with(&vpc), Mode::Once).await;
    assert_eq!(site.double.effects("UpdateStack"), 2);
}
