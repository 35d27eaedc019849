//! An AWS that is slow, unreachable or says things nobody expects.

use std::time::Duration;

use protium_engines::double::{Behaviour, Disturbance, Takes};
use protium_engines::{Cursor, Engine, Intent, Outcome, Step};

use crate::site::{Mode, Site, apply, order};

#[tokio::test]
async fn an_aws_that_is_not_there_is_transient_and_no_end() {
    let site = Site::new().await;
    let engine = site.engine().await;
    drop(site);
    let error = engine.step(&apply("d1"), None).await.expect_err("nothing listens");
    assert!(error.message.contains("can't be reached"), "{error}");
}

#[tokio::test]
async fn an_emulator_that_goes_away_in_the_middle_costs_nothing_when_it_is_back() {
    let site = Site::new().await;
    site.double.behave(|_| Behaviour::done().taking(Takes::Time(Duration::from_secs(5))));
    let cursor = site.go_until(&apply("d1"), "CREATE_IN_PROGRESS").await;
    let engine = site.engine().await;
    for _ in 0..3 {
        site.double.disturb("*", Disturbance::Lost);
        engine.step(&apply("d1"), cursor.as_ref()).await.expect_err("the call is lost");
    }
    let end = site.go(&apply("d1"), cursor, Mode::Once).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert_eq!(site.double.effects("CreateStack"), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_is_asked_for_again() {
    let site = Site::new().await;
    site.double.disturb("CreateStack", Disturbance::Slow(Duration::from_secs(600)));
    let engine = site.engine().await;
    let error = engine.step(&apply("d1"), None).await.expect_err("no answer");
    assert!(error.message.contains("did not answer in time"), "{error}");
    let end = site.run(&apply("d1")).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert_eq!(site.double.effects("CreateStack"), 1);
}

#[tokio::test]
async fn a_cursor_that_can_not_be_read_fails_the_order_and_says_so() {
    let site = Site::new().await;
    let cursor = Cursor(serde_json::json!({"phase": {"at": "nowhere"}}));
    let step = site.engine().await.step(&apply("d1"), Some(&cursor)).await.expect("an end");
    let Step::Ended(end) = step else { panic!("{step:?}") };
    let Outcome::Failed(message) = end.outcome else { panic!("{:?}", end.outcome) };
    assert!(message.contains("d1") && message.contains("nowhere"), "{message}");
}

#[tokio::test]
async fn there_is_no_plan() {
    let site = Site::new().await;
    let end = site.run(&order("d1", Intent::Plan)).await;
    assert!(matches!(end.outcome, Outcome::Failed(_)));
    assert!(site.double.calls().is_empty());
}

#[tokio::test]
async fn throttling_and_server_errors_are_transient_in_the_words_of_aws() {
    let site = Site::new().await;
    site.double.disturb("CreateStack", Disturbance::Throttled);
    site.double.disturb("CreateStack", Disturbance::ServerError);
    let engine = site.engine().await;
    let error = engine.step(&apply("d1"), None).await.expect_err("throttled");
    assert_eq!((error.message.as_str(), error.retry_after), ("Throttling: Rate exceeded", None));
    let error = engine.step(&apply("d1"), None).await.expect_err("not available");
    assert_eq!(error.message, "ServiceUnavailable: Service is unavailable");
    assert_eq!(error.retry_after, Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn credentials_that_aws_does_not_know_fail_the_order() {
    let site = Site::new().await;
    let refusal = Disturbance::Refused("InvalidClientTokenId".into(), "The security token is invalid".into());
    for action in ["CreateStack", "DescribeStacks"] {
        site.double.disturb(action, refusal.clone());
    }
    let end = site.run(&apply("d1")).await;
    assert_eq!(end.outcome, Outcome::Failed("The security token is invalid".into()));
}
