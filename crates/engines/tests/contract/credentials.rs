//! Roles: assumed once, renewed, refused with the remedy, and kept apart by account.

use std::time::Duration;

use protium_engines::aws::{Aws, Credentials, Settings};
use protium_engines::double::{Behaviour, Disturbance};
use protium_engines::{Engine, Intent, Order, Outcome, Role};

use crate::site::{STACK, Site, apply, order};

const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";

fn with_role(order: Order, arn: &str) -> Order {
    let role =
        Role { arn: arn.to_owned(), session_name: "environment/prod".to_owned(), external_id: Some("x-1".to_owned()) };
    Order { role: Some(role), ..order }
}

#[tokio::test]
async fn a_role_is_assumed_once_for_an_order_and_works_in_its_own_account() {
    let site = Site::new().await;
    let end = site.run(&with_role(apply("d1"), ROLE)).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert!(end.physical_id.unwrap_or_default().contains(":123456789012:"));
    assert_eq!(site.double.count("AssumeRole"), 1);
    let calls = site.double.calls();
    let assumed = calls.iter().find(|call| call.action == "AssumeRole").expect("one");
    assert_eq!(assumed.parameters["RoleSessionName"], "environment-prod");
    assert_eq!(assumed.parameters["ExternalId"], "x-1");
    assert!(calls.iter().filter(|c| c.action != "AssumeRole").all(|c| c.account == "123456789012"));
}

#[tokio::test]
async fn the_same_name_in_two_accounts_is_two_stacks() {
    let site = Site::new().await;
    for role in [ROLE, "arn:aws:iam::210987654321:role/deploy"] {
        let end = site.run(&with_role(apply("d1"), role)).await;
        assert_eq!(end.outcome, Outcome::Succeeded);
    }
    assert_eq!(site.double.stack_count(), 2);
}

#[tokio::test]
async fn a_role_that_can_not_be_assumed_fails_the_order_with_the_remedy() {
    let site = Site::new().await;
    site.double.deny_role(ROLE, true);
    for intent in [Intent::Apply, Intent::Destroy, Intent::Cancel] {
        let end = site.run(&with_role(order("d1", intent), ROLE)).await;
        let Outcome::Failed(message) = end.outcome else { panic!("{intent:?}") };
        for part in
            [ROLE, "is not authorized to perform: sts:AssumeRole", "trust policy", "aws:SourceAccount", "aws:SourceArn"]
        {
            assert!(message.contains(part), "{message}");
        }
    }
    site.double.deny_role(ROLE, false);
    assert_eq!(site.run(&with_role(apply("d2"), ROLE)).await.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn an_sts_that_is_not_well_fails_nothing() {
    let site = Site::new().await;
    for disturbance in [Disturbance::Throttled, Disturbance::ServerError, Disturbance::Lost, Disturbance::AnswerLost] {
        site.double.disturb("AssumeRole", disturbance);
    }
    let end = site.run(&with_role(apply("d1"), ROLE)).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_session_that_ended_is_replaced_on_the_way() {
    let site = Site::new().await;
    let order = with_role(apply("d1"), ROLE);
    let engine = site.engine().await;
    site.step(&engine, &order, None).await;
    site.double.end_sessions();
    let error = engine.step(&order, None).await.expect_err("the session has ended");
    assert!(error.message.contains("expired"), "{error}");
    engine.step(&order, None).await.expect("a new session");
    assert_eq!(site.double.count("AssumeRole"), 2);
    assert_eq!(site.double.effects("CreateStack"), 1);
}

#[tokio::test]
async fn what_can_not_renew_a_session_gets_one_that_begins_now() {
    let site = Site::new().await;
    let aws = aws(&site).await;
    let role = Role { arn: ROLE.to_owned(), session_name: "s".to_owned(), external_id: None };
    site.double.sessions_last(Duration::from_secs(3_600));
    let first = aws.credentials("us-east-1", Some(&role)).await.expect("a session");
    let second = aws.session("us-east-1", &role).await.expect("a new one");
    assert_ne!(first.access_key_id(), second.access_key_id());
    let known = aws.credentials("us-east-1", Some(&role)).await.expect("the newest");
    assert_eq!(known.access_key_id(), second.access_key_id());
    assert_eq!(site.double.count("AssumeRole"), 2);
}

#[tokio::test]
async fn sessions_are_renewed_before_they_end() {
    let site = Site::new().await;
    let aws = aws(&site).await;
    let role = Role { arn: ROLE.to_owned(), session_name: "s".to_owned(), external_id: None };
    site.double.sessions_last(Duration::from_secs(3_600));
    aws.credentials("us-east-1", Some(&role)).await.expect("a session");
    aws.credentials("us-east-1", Some(&role)).await.expect("the same");
    assert_eq!(site.double.count("AssumeRole"), 1);
    aws.credentials("eu-west-1", Some(&role)).await.expect("another region, another session");
    assert_eq!(site.double.count("AssumeRole"), 2);
    let brief = Role { session_name: "brief".to_owned(), ..role };
    site.double.sessions_last(Duration::from_secs(200));
    aws.credentials("us-east-1", Some(&brief)).await.expect("a short session");
    aws.credentials("us-east-1", Some(&brief)).await.expect("its successor");
    assert_eq!(site.double.count("AssumeRole"), 4);
}

#[tokio::test]
async fn the_server_knows_who_it_is() {
    let site = Site::new().await;
    let identity = aws(&site).await.outbound_identity("us-east-1").await.expect("an identity");
    assert_eq!(identity.arn, "arn:aws:iam::000000000000:user/server");
    assert_eq!(identity.account, "000000000000");
    assert_eq!(identity.access_key_id, "AKIDEXAMPLE");
}

#[tokio::test]
async fn regions_are_kept_apart() {
    let site = Site::new().await;
    site.double.behave(|_| Behaviour::done());
    for region in ["us-east-1", "eu-central-1"] {
        let end = site.run(&Order { region: region.to_owned(), ..apply("d1") }).await;
        assert!(end.physical_id.unwrap_or_default().contains(region));
    }
    assert_eq!(site.double.stack_count(), 2);
    assert_eq!(site.double.status(STACK).as_deref(), Some("CREATE_COMPLETE"));
}

async fn aws(site: &Site) -> Aws {
    let credentials = Credentials::from_keys("AKIDEXAMPLE", "secret", None);
    Aws::new(Settings { endpoint_url: Some(site.double.url()), credentials: Some(credentials), profile: None }).await
}
