//! What users read when something fails.

use protium_engines::double::{Behaviour, Disturbance};
use protium_engines::{Outcome, Step};

use crate::site::{SECRET, Site, apply, change};

#[tokio::test]
async fn the_first_error_is_found_over_many_pages_of_events() {
    for size in [1, 2, 3] {
        let site = Site::new().await;
        site.double.page_events(size);
        site.double.behave(|_| Behaviour::fails_to_roll_back("Bucket", "AWS::S3::Bucket", "is taken", "is in use"));
        let end = site.run(&apply("d1")).await;
        let both = "Bucket (AWS::S3::Bucket): is taken. Rolling back failed too: Stuck (AWS::EC2::Instance): is in use";
        assert_eq!(end.outcome, Outcome::Failed(both.into()));
    }
}

#[tokio::test]
async fn the_error_of_a_nested_stack_is_that_of_its_resource() {
    let site = Site::new().await;
    site.double.behave(|operation| match operation.action {
        "CreateStack" => Behaviour::fails_within("Network", "Vpc", "AWS::EC2::VPC", "the limit of VPCs is reached"),
        _ => Behaviour::done(),
    });
    let end = site.run(&apply("d1")).await;
    assert_eq!(end.outcome, Outcome::Failed("Vpc (AWS::EC2::VPC): the limit of VPCs is reached".into()));
}

#[tokio::test]
async fn the_error_of_an_earlier_operation_is_not_told_again() {
    let site = Site::new().await;
    site.double.behave(|operation| match (operation.action, operation.earlier) {
        ("CreateStack", _) => Behaviour::done(),
        (_, 0) => Behaviour::fails("Old", "AWS::S3::Bucket", "an old story"),
        _ => Behaviour::fails("New", "AWS::S3::Bucket", "a new one"),
    });
    let end = site.run(&apply("d1")).await;
    let end = site.run(&change("d2", &end)).await;
    assert_eq!(end.outcome, Outcome::Failed("Old (AWS::S3::Bucket): an old story".into()));
    let end = site.run(&change("d3", &end)).await;
    assert_eq!(end.outcome, Outcome::Failed("New (AWS::S3::Bucket): a new one".into()));
}

#[tokio::test]
async fn a_role_that_may_not_read_events_still_gets_the_reason_of_the_stack() {
    let site = Site::new().await;
    site.double.behave(|_| Behaviour::fails("Bucket", "AWS::S3::Bucket", "is taken"));
    let denied = Disturbance::Refused(
        "AccessDenied".into(),
        "not authorized to perform: cloudformation:DescribeStackEvents".into(),
    );
    site.double.disturb("DescribeStackEvents", denied);
    let end = site.run(&apply("d1")).await;
    let Outcome::Failed(message) = end.outcome else { panic!("{:?}", end.outcome) };
    assert!(message.contains("ROLLBACK_COMPLETE"), "{message}");
}

#[tokio::test]
async fn notes_and_messages_carry_no_clock_and_no_credentials() {
    let site = Site::new().await;
    let engine = site.engine().await;
    let mut cursor = None;
    while let Step::Wait { cursor: next, note, .. } = site.step(&engine, &apply("d1"), cursor.as_ref()).await {
        let note = note.expect("each wait says what for");
        assert!(!note.is_empty() && !note.chars().any(|c| c.is_ascii_digit()), "{note}");
        assert!(!next.0.to_string().contains(SECRET));
        cursor = Some(next);
    }
    assert!(!format!("{engine:?}").contains(SECRET));
    assert!(!format!("{:?}", apply("d1")).contains("AWS::S3::Bucket"));
}
