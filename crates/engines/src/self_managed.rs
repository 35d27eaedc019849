//! Self-managed provisioning: somebody else applies the files and says how that ended.
//!
//! Owns what there is to wait for, and what a cancellation and a deletion mean. Nothing outside is asked yet:
//! no pull request is opened, and none is closed.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::{Cursor, End, Engine, Intent, Order, Outcome, ProvisionedResource, ProvisioningEngine, Step, Transient};

/// What people are told while a deployment waits for them.
const WAITS: &str = "Self-managed: no pull request is opened yet. Apply the template's files with the inputs of this \
    deployment, and report the end with NotifyResourceDeploymentStatusChange; or cancel the deployment.";
/// Between two looks at an order. There is nothing to see: it ends by a notification, a cancellation or its
/// deadline.
const PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// Waits until somebody else has done what an order describes. The order's physical name is the folder of its
/// files; its physical id is the same once they were applied.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelfManaged;

#[async_trait]
impl Engine for SelfManaged {
    async fn step(&self, order: &Order, _: Option<&Cursor>) -> Result<Step, Transient> {
        Ok(match order.intent {
            Intent::Plan => {
                let message = "Self-managed provisioning is planned where it is applied: order Apply.".to_owned();
                ended(Outcome::Failed(message), order.physical_id.as_ref())
            }
            Intent::Apply => {
                Step::Wait { cursor: Cursor(Value::from("waits")), after: PAUSE, note: Some(WAITS.to_owned()) }
            }
            Intent::Cancel => ended(Outcome::Cancelled, order.physical_id.as_ref()),
            // The files stay where they are, and whoever applied them destroys what they made.
            Intent::Destroy => ended(Outcome::Succeeded, None),
        })
    }
}

fn ended(outcome: Outcome, folder: Option<&String>) -> Step {
    let made = |folder: &String| ProvisionedResource {
        name: folder.clone(),
        identifier: folder.clone(),
        engine: ProvisioningEngine::Terraform,
    };
    Step::Ended(End {
        outcome,
        outputs: serde_json::Map::new(),
        resources: folder.into_iter().map(made).collect(),
        physical_id: folder.cloned(),
        artifacts: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(intent: Intent, applied: bool) -> Order {
        let physical_id = applied.then(|| "dev/".to_owned());
        Order { physical_name: "dev/".into(), physical_id, ..Order::of_test(intent) }
    }

    async fn step(intent: Intent, applied: bool, cursor: Option<&Cursor>) -> Step {
        SelfManaged.step(&order(intent, applied), cursor).await.expect("nothing outside is asked")
    }

    #[tokio::test]
    async fn it_waits_and_says_for_what_however_often_it_is_asked() {
        let first = step(Intent::Apply, false, None).await;
        let Step::Wait { cursor, note, after } = &first else { panic!("{first:?}") };
        assert!(note.as_ref().is_some_and(|note| note.contains("no pull request is opened yet")), "{note:?}");
        assert!(!after.is_zero());
        assert_eq!(step(Intent::Apply, true, Some(cursor)).await, first);
    }

    #[tokio::test]
    async fn cancelling_and_destroying_end_at_once() {
        for (intent, applied, outcome, resources) in [
            (Intent::Cancel, false, Outcome::Cancelled, 0),
            (Intent::Cancel, true, Outcome::Cancelled, 1),
            (Intent::Destroy, true, Outcome::Succeeded, 0),
        ] {
            let Step::Ended(end) = step(intent, applied, None).await else { panic!("{intent:?} must end") };
            assert_eq!((end.outcome, end.resources.len()), (outcome, resources));
        }
        let Step::Ended(end) = step(Intent::Plan, false, None).await else { panic!("a plan must end") };
        assert!(matches!(end.outcome, Outcome::Failed(_)));
    }
}
