//! Orders that are cancelled on the way.

use std::time::Duration;

use protium_engines::double::{Behaviour, Takes};
use protium_engines::{Cursor, End, Engine, Intent, Order, Outcome, Step};

use crate::site::{MODES, Mode, STACK, Site, apply, change, destroy};

const WHILE: Takes = Takes::Time(Duration::from_secs(5));

fn cancelled(order: &Order) -> Order {
    Order { intent: Intent::Cancel, ..order.clone() }
}

async fn created(site: &Site) -> End {
    site.double.behave(|_| Behaviour::done().taking(WHILE));
    site.run(&apply("d1")).await
}

/// Cancels `order` once its stack is in `status`, in every mode.
async fn cancel_at(status: &str, prepare: impl AsyncFn(&Site) -> Order, check: impl Fn(&Site, &End)) {
    for mode in MODES {
        let site = Site::new().await;
        let order = prepare(&site).await;
        let cursor = site.go_until(&order, status).await;
        site.disturb(mode, &["DeleteStack", "CancelUpdateStack", "DescribeStacks"]);
        let end = site.go(&cancelled(&order), cursor, mode).await;
        eprintln!("{mode:?}: {:?}", end.outcome);
        check(&site, &end);
    }
}

#[tokio::test]
async fn a_create_that_is_cancelled_is_deleted() {
    let prepare = async |site: &Site| {
        site.double.behave(|_| Behaviour::done().taking(WHILE));
        apply("d1")
    };
    cancel_at("CREATE_IN_PROGRESS", prepare, |site, end| {
        assert_eq!((&end.outcome, &end.physical_id), (&Outcome::Cancelled, &None));
        assert_eq!(site.double.stack_count(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_create_that_can_not_be_deleted_fails_and_the_stack_stays_known() {
    let prepare = async |site: &Site| {
        site.double.behave(|operation| match operation.action {
            "DeleteStack" => Behaviour::fails("Bucket", "AWS::S3::Bucket", "is not empty").taking(WHILE),
            _ => Behaviour::done().taking(WHILE),
        });
        apply("d1")
    };
    cancel_at("CREATE_IN_PROGRESS", prepare, |_, end| {
        let Outcome::Failed(message) = &end.outcome else { panic!("{end:?}") };
        assert!(message.ends_with("Bucket (AWS::S3::Bucket): is not empty"), "{message}");
        assert!(end.physical_id.is_some());
    })
    .await;
}

#[tokio::test]
async fn an_update_that_is_cancelled_is_rolled_back() {
    let prepare = async |site: &Site| change("d2", &created(site).await);
    cancel_at("UPDATE_IN_PROGRESS", prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Cancelled);
        assert!(end.physical_id.is_some());
        assert_eq!(site.double.status(STACK).as_deref(), Some("UPDATE_ROLLBACK_COMPLETE"));
        assert_eq!(site.double.effects("CancelUpdateStack"), 1);
    })
    .await;
}

#[tokio::test]
async fn after_a_cancelled_update_the_next_one_works() {
    let site = Site::new().await;
    let order = change("d2", &created(&site).await);
    let cursor = site.go_until(&order, "UPDATE_IN_PROGRESS").await;
    let end = site.go(&cancelled(&order), cursor, Mode::Once).await;
    let end = site.run(&change("d3", &end)).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_cancelled_update_whose_rollback_fails_fails() {
    let prepare = async |site: &Site| {
        let end = created(site).await;
        site.double.behave(|operation| match operation.action {
            "CancelUpdateStack" => Behaviour::fails("Db", "AWS::RDS::DBInstance", "is being modified").taking(WHILE),
            _ => Behaviour::done().taking(WHILE),
        });
        change("d2", &end)
    };
    cancel_at("UPDATE_IN_PROGRESS", prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Failed("Db (AWS::RDS::DBInstance): is being modified".into()));
        assert_eq!(site.double.status(STACK).as_deref(), Some("UPDATE_ROLLBACK_FAILED"));
    })
    .await;
}

#[tokio::test]
async fn an_update_that_fails_before_it_is_cancelled_has_failed() {
    let prepare = async |site: &Site| {
        let end = created(site).await;
        site.double.behave(|_| Behaviour::fails("Queue", "AWS::SQS::Queue", "bad attribute").taking(WHILE));
        change("d2", &end)
    };
    cancel_at("UPDATE_ROLLBACK_IN_PROGRESS", prepare, |site, end| {
        assert_eq!(end.outcome, Outcome::Failed("Queue (AWS::SQS::Queue): bad attribute".into()));
        assert_eq!(site.double.count("CancelUpdateStack"), 0);
    })
    .await;
}

#[tokio::test]
async fn an_update_that_ends_just_before_its_cancel_arrives_has_succeeded() {
    let site = Site::new().await;
    let order = change("d2", &created(&site).await);
    let cursor = site.go_until(&order, "UPDATE_IN_PROGRESS").await;
    let engine = site.engine().await;
    let step = site.step(&engine, &cancelled(&order), cursor.as_ref()).await;
    let Step::Wait { cursor, .. } = step else { panic!("{step:?}") };
    site.double.advance(Duration::from_secs(60)); // the call is decided, and too late
    let end = site.go(&cancelled(&order), Some(cursor), Mode::EachStepTwice).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert_eq!(end.outputs.get("Name").and_then(|v| v.as_str()), Some("queue"));
}

#[tokio::test]
async fn what_has_ended_already_stays_as_it_ended() {
    let site = Site::new().await;
    site.double.behave(|_| Behaviour::done().taking(WHILE));
    let cursor = site.go_until(&apply("d1"), "CREATE_IN_PROGRESS").await;
    site.double.advance(Duration::from_secs(60));
    let end = site.go(&cancelled(&apply("d1")), cursor, Mode::EachStepTwice).await;
    assert_eq!(end.outcome, Outcome::Succeeded);
    assert_eq!(site.double.status(STACK).as_deref(), Some("CREATE_COMPLETE"));
}

#[tokio::test]
async fn cancelling_what_has_not_begun_does_nothing() {
    let site = Site::new().await;
    let end = site.go(&cancelled(&apply("d1")), None, Mode::EachStepTwice).await;
    assert_eq!((end.outcome, end.physical_id), (Outcome::Cancelled, None));
    let before = created(&site).await;
    let end = site.go(&cancelled(&change("d2", &before)), None, Mode::EachStepTwice).await;
    assert_eq!((end.outcome, end.physical_id), (Outcome::Cancelled, before.physical_id));
    assert_eq!(site.double.status(STACK).as_deref(), Some("CREATE_COMPLETE"));
}

/// The first step called CloudFormation, and the process was killed before it saved anything.
#[tokio::test]
async fn a_call_whose_cursor_was_never_saved_is_found_and_cancelled() {
    let site = Site::new().await;
    site.double.behave(|_| Behaviour::done().taking(WHILE));
    let lost: Option<Cursor> = None;
    let engine = site.engine().await;
    engine.step(&apply("d1"), None).await.expect("a step");
    let end = site.go(&cancelled(&apply("d1")), lost, Mode::EachStepTwice).await;
    assert_eq!(end.outcome, Outcome::Cancelled);
    assert_eq!(site.double.stack_count(), 0);
}

/// The update was called, and the process was killed before it saved that.
#[tokio::test]
async fn an_update_whose_call_was_not_saved_is_found_and_cancelled() {
    let site = Site::new().await;
    let order = change("d2", &created(&site).await);
    let engine = site.engine().await;
    let Step::Wait { cursor, .. } = site.step(&engine, &order, None).await else { panic!("it is decided first") };
    site.step(&engine, &order, Some(&cursor)).await;
    assert_eq!(site.double.status(STACK).as_deref(), Some("UPDATE_IN_PROGRESS"));
    let end = site.go(&cancelled(&order), Some(cursor), Mode::KilledAtEachStep).await;
    assert_eq!(end.outcome, Outcome::Cancelled);
    assert_eq!(site.double.status(STACK).as_deref(), Some("UPDATE_ROLLBACK_COMPLETE"));
}

#[tokio::test]
async fn a_destroy_that_is_cancelled_once_it_has_begun_goes_through() {
    let prepare = async |site: &Site| Order { physical_id: created(site).await.physical_id, ..destroy("d2") };
    cancel_at("DELETE_IN_PROGRESS", prepare, |site, end| {
        assert_eq!((&end.outcome, &end.physical_id), (&Outcome::Succeeded, &None));
        assert_eq!(site.double.stack_count(), 0);
    })
    .await;
}
