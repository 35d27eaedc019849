//! How often the engine looks, on the double's clock.

use std::time::Duration;

use protium_engines::double::{Behaviour, Takes};
use protium_engines::{Engine, Outcome, Step};

use crate::site::{Site, apply};

/// Carries out a create that takes `length`; answers the number of looks and how late its end is seen.
async fn observe(length: Duration, step_costs: Duration) -> (usize, Duration) {
    let site = Site::new().await;
    site.double.behave(move |_| Behaviour::done().taking(Takes::Time(length)));
    let engine = site.engine().await;
    let (mut cursor, mut since_create) = (None, Duration::ZERO);
    loop {
        let step = engine.step(&apply("d1"), cursor.as_ref()).await.expect("nothing is disturbed");
        let spent = match step {
            Step::Ended(end) => {
                assert_eq!(end.outcome, Outcome::Succeeded);
                return (site.double.count("DescribeStacks"), since_create.saturating_sub(length));
            }
            Step::Wait { cursor: next, after, .. } => {
                cursor = Some(next);
                after + step_costs
            }
        };
        site.double.advance(spent);
        since_create += spent;
    }
}

#[tokio::test]
async fn a_stack_of_20_seconds_is_seen_at_most_2_seconds_late_with_at_most_16_describes() {
    for cost in [0, 10, 60] {
        let (looks, late) = observe(Duration::from_secs(20), Duration::from_millis(cost)).await;
        assert!(looks <= 16, "{looks} looks");
        assert!(late <= Duration::from_secs(2), "{late:?} late");
    }
}

#[tokio::test]
async fn a_stack_that_is_there_at_once_is_seen_at_once() {
    assert_eq!(observe(Duration::ZERO, Duration::ZERO).await, (1, Duration::ZERO));
}
