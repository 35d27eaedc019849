//! A double, an engine and the caller's part: waiting, saving cursors, backing off.

use std::collections::BTreeMap;
use std::time::Duration;

use protium_engines::aws::{Aws, Credentials, Settings};
use protium_engines::cloudformation::{CloudFormation, TemplateBucket};
use protium_engines::double::{Disturbance, Double};
use protium_engines::{Cursor, End, Engine, Intent, Order, Step};

/// More steps than any order of the suite takes.
const ENOUGH: usize = 400;
pub(crate) const SECRET: &str = "kept-from-everybody";
pub(crate) const STACK: &str = "AWSProton-prod-cloudformation--ABCDEFGHIJKLMNO";
pub(crate) const RESOURCE: &str = "6f1c9ab2-8b6e-4a53-9d7f-0a4c7f1b2e3d";
pub(crate) const TEMPLATE: &str =
    r#"{"Resources":{"Bucket":{"Type":"AWS::S3::Bucket"}},"Outputs":{"Name":{"Value":"assets"}}}"#;
pub(crate) const CHANGED: &str =
    r#"{"Resources":{"Queue":{"Type":"AWS::SQS::Queue"}},"Outputs":{"Name":{"Value":"queue"}}}"#;

/// How an unreliable caller goes through an order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mode {
    /// Each step once.
    Once,
    /// Each step twice from the same cursor; both have to answer the same.
    EachStepTwice,
    /// Each step's answer is thrown away once and taken again by a new engine.
    KilledAtEachStep,
    /// The answer of the first call of each kind is lost after the call took effect.
    AnswersLost,
    /// The first call of each kind is throttled, the second answers 503.
    Throttled,
}

pub(crate) const MODES: [Mode; 5] =
    [Mode::Once, Mode::EachStepTwice, Mode::KilledAtEachStep, Mode::AnswersLost, Mode::Throttled];

pub(crate) struct Site {
    pub(crate) double: Double,
    pub(crate) bucket: Option<TemplateBucket>,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self { double: Double::start().await.expect("a loopback port"), bucket: None }
    }

    pub(crate) async fn engine(&self) -> CloudFormation {
        let credentials = Credentials::from_keys("AKIDEXAMPLE", SECRET, None);
        let settings =
            Settings { endpoint_url: Some(self.double.url()), credentials: Some(credentials), profile: None };
        CloudFormation::new(Aws::new(settings).await, self.bucket.clone())
    }

    /// Disturbs the next call of each of these, as the mode says.
    pub(crate) fn disturb(&self, mode: Mode, actions: &[&str]) {
        for action in actions {
            match mode {
                Mode::AnswersLost => self.double.disturb(action, Disturbance::AnswerLost),
                Mode::Throttled => {
                    self.double.disturb(action, Disturbance::Throttled);
                    self.double.disturb(action, Disturbance::ServerError);
                }
                Mode::Once | Mode::EachStepTwice | Mode::KilledAtEachStep => {}
            }
        }
    }

    /// Carries out an order to its end, however long it takes.
    pub(crate) async fn run(&self, order: &Order) -> End {
        self.go(order, None, Mode::Once).await
    }

    pub(crate) async fn run_in(&self, order: &Order, mode: Mode) -> End {
        self.go(order, None, mode).await
    }

    /// Goes on from `cursor` to the end.
    pub(crate) async fn go(&self, order: &Order, cursor: Option<Cursor>, mode: Mode) -> End {
        let mut engine = self.engine().await;
        let mut cursor = cursor;
        for _ in 0..ENOUGH {
            let step = self.step(&engine, order, cursor.as_ref()).await;
            let step = match mode {
                Mode::Once | Mode::AnswersLost | Mode::Throttled => step,
                Mode::EachStepTwice => {
                    let again = self.step(&engine, order, cursor.as_ref()).await;
                    assert_eq!(step, again, "the same step answered something else the second time");
                    step
                }
                Mode::KilledAtEachStep => {
                    engine = self.engine().await;
                    self.step(&engine, order, cursor.as_ref()).await
                }
            };
            match step {
                Step::Ended(end) => return end,
                Step::Wait { cursor: next, after, .. } => {
                    self.double.advance(after);
                    cursor = Some(saved(next));
                }
            }
        }
        panic!("the order did not end in {ENOUGH} steps; it is at {cursor:?}");
    }

    /// Goes on until the stack is in `status`; answers the saved cursor.
    pub(crate) async fn go_until(&self, order: &Order, status: &str) -> Option<Cursor> {
        let engine = self.engine().await;
        let mut cursor = None;
        for _ in 0..ENOUGH {
            if self.double.status(&order.physical_name).as_deref() == Some(status) {
                return cursor;
            }
            match self.step(&engine, order, cursor.as_ref()).await {
                Step::Ended(end) => panic!("ended before {status}: {end:?}"),
                Step::Wait { cursor: next, after, .. } => {
                    cursor = Some(saved(next));
                    self.double.advance(after);
                }
            }
        }
        panic!("the stack never was {status}");
    }

    /// One step, asked again as long as it answers that it was disturbed.
    pub(crate) async fn step(&self, engine: &dyn Engine, order: &Order, cursor: Option<&Cursor>) -> Step {
        let mut last = None;
        for _ in 0..ENOUGH {
            match engine.step(order, cursor).await {
                Ok(step) => return step,
                Err(transient) => {
                    assert!(!transient.message.is_empty());
                    self.double.advance(transient.retry_after.unwrap_or(Duration::from_millis(10)));
                    last = Some(transient);
                }
            }
        }
        panic!("the step was disturbed {ENOUGH} times: {last:?}");
    }
}

/// A cursor as it comes back from a store.
fn saved(cursor: Cursor) -> Cursor {
    let text = serde_json::to_string(&cursor).expect("a cursor is JSON");
    serde_json::from_str(&text).expect("a cursor comes back")
}

pub(crate) fn order(deployment: &str, intent: Intent) -> Order {
    Order {
        deployment_id: deployment.to_owned(),
        resource_id: RESOURCE.to_owned(),
        resource_arn: "arn:aws:proton:us-east-1:000000000000:environment/prod".to_owned(),
        intent,
        environment_id: Some(RESOURCE.to_owned()),
        physical_name: STACK.to_owned(),
        physical_id: None,
        region: "us-east-1".to_owned(),
        role: None,
        tags: vec![("proton:environment".to_owned(), "prod".to_owned()), ("team".to_owned(), "red".to_owned())],
        files: BTreeMap::from([("cloudformation.yaml".to_owned(), TEMPLATE.to_owned())]),
        main_file: None,
        bundle: BTreeMap::new(),
        commands: None,
        notify_url: None,
        time_limit: std::time::Duration::from_secs(60),
    }
}

pub(crate) fn apply(deployment: &str) -> Order {
    order(deployment, Intent::Apply)
}

pub(crate) fn destroy(deployment: &str) -> Order {
    Order { files: BTreeMap::new(), ..order(deployment, Intent::Destroy) }
}

/// The same order with another template, for the stack that `end` left.
pub(crate) fn change(deployment: &str, end: &End) -> Order {
    let files = BTreeMap::from([("cloudformation.yaml".to_owned(), CHANGED.to_owned())]);
    Order { files, physical_id: end.physical_id.clone(), ..apply(deployment) }
}
