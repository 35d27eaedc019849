//! The life of a component and its instance through their jobs: they stop anywhere, run twice, and meet.

use crate::on_both;
use crate::support::component::*;
use crate::support::death::{counts, insist, once, outlive, told};
use crate::support::double::enqueue_again;
use crate::support::race::together;
use crate::support::service::*;
use protium::jobs;
use serde_json::json;
use std::time::Duration;

/// A service whose only instance failed to be created, and a component that is attached to it and hangs.
async fn half_made(shop: &Workshop) {
    shop.fail(&[("CreateStack", "late-a")]);
    shop.app.ok("CreateService", create_tool("late", &[("a", 1)])).await;
    shop.until("late", "CREATE_FAILED").await;
    shop.slow(&[("bucket", HANGS), ("late-a", HANGS * 10)]);
    shop.create(but(attached("bucket"), json!({ "serviceName": "late" }))).await.unwrap();
    shop.app.work().await;
}

/// Deploys the instance that failed again, and adds another.
async fn retry(shop: &Workshop) {
    shop.update_service("late", &plain_spec(&[("a", 1), ("b", 2)])).await.unwrap();
}

async fn component_status(shop: &Workshop) -> String {
    shop.component("bucket").await["deploymentStatus"].as_str().unwrap().to_owned()
}

on_both! {
    whatever_stops_wherever_a_component_is_attached_detached_and_deleted_once, async |db| {
        let shop = Workshop::with(db, |config| config.deployment_deadline = Duration::from_secs(365 * 24 * 60 * 60)).await;
        let both = async || shop.both("bucket").await;
        let mut expected = counts(&shop);
        insist(&shop.app, both, "CreateComponent", attached("bucket")).await;
        let deaths = outlive(&shop.app, both, "bucket SUCCEEDED on web/a, a SUCCEEDED").await;
        assert!(deaths > 50, "{deaths}");
        expected.extend(once(&["CreateStack bucket", "UpdateStack web-a"]));
        assert_eq!((counts(&shop), shop.sees().await.as_str()), (expected.clone(), "bucket bucket@large web/a:1"));

        insist(&shop.app, both, "UpdateComponent", detach("bucket")).await;
        let deaths = outlive(&shop.app, both, "bucket SUCCEEDED, a SUCCEEDED").await;
        assert!(deaths > 50, "{deaths}");
        expected.insert("UpdateStack web-a".to_owned(), 2);
        expected.extend(once(&["UpdateStack bucket"]));
        assert_eq!((counts(&shop), shop.sees().await.as_str()), (expected.clone(), "nothing -"));

        insist(&shop.app, both, "DeleteComponent", json!({ "name": "bucket" })).await;
        outlive(&shop.app, both, "bucket gone, a SUCCEEDED").await;
        expected.extend(once(&["DeleteStack bucket"]));
        assert_eq!(counts(&shop), expected);
        assert!(!step(&shop.app).await, "no job is left");
        assert_eq!(shop.deployments().await, 3);
    }

    a_process_that_is_started_again_after_each_job_completes_everything, async |db| {
        let mut shop = Workshop::on(db).await;
        shop.create(attached("bucket")).await.unwrap();
        for (end, next) in [
            ("bucket SUCCEEDED on web/a, a SUCCEEDED", Some(("UpdateComponent", detach("bucket")))),
            ("bucket SUCCEEDED, a SUCCEEDED", Some(("DeleteComponent", json!({ "name": "bucket" })))),
            ("bucket gone, a SUCCEEDED", None),
        ] {
            while shop.both("bucket").await != end {
                shop = shop.restart(db).await;
                assert!(step(&shop.app).await, "it stays {}", shop.both("bucket").await);
            }
            if let Some((operation, input)) = next {
                shop.app.ok(operation, input).await;
            }
        }
        assert_eq!(shop.deployments().await, 3);
    }

    jobs_that_run_again_after_their_end_do_nothing, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(attached("bucket")).await;
        shop.changed(detach("bucket")).await;
        let (before, records) = (counts(&shop), shop.deployments().await);
        for record in shop.records_of("bucket").await.iter().chain(&shop.records_of_instance("web", "a").await) {
            enqueue_again(&shop.app, record["id"].as_str().unwrap()).await;
        }
        shop.finish().await;
        assert_eq!((counts(&shop), shop.deployments().await), (before, records));
        assert_eq!(shop.both("bucket").await, "bucket SUCCEEDED, a SUCCEEDED");
    }

    each_change_of_a_component_is_told_once, async |db| {
        let shop = Workshop::on(db).await;
        shop.create(attached("bucket")).await.unwrap();
        let id = shop.app.only_id("component").await;
        shop.finish().await;
        shop.changed(detach("bucket")).await;
        shop.remove("bucket").await.unwrap();
        shop.finish().await;
        let expected = ["IN_PROGRESS", "SUCCEEDED", "IN_PROGRESS", "SUCCEEDED", "DELETE_IN_PROGRESS", "DELETED"];
        assert_eq!(told(&shop, &id).await, expected);
    }

    a_component_that_ends_while_its_instance_is_deployed_is_not_lost, async |db| {
        let shop = Workshop::on(db).await;
        half_made(&shop).await;
        retry(&shop).await;
        // The instance is being made without the component.
        shop.app.work().await;
        shop.double.advance(HANGS * 2);
        while component_status(&shop).await == "IN_PROGRESS" {
            assert!(step(&shop.app).await);
        }
        assert_eq!((component_status(&shop).await.as_str(), shop.instance("late", "a").await["deploymentStatus"].as_str()), ("SUCCEEDED", Some("IN_PROGRESS")));
        assert_eq!(shop.records_of_instance("late", "a").await.len(), 2);
        shop.release();
        shop.double.advance(HANGS * 20);
        shop.until("late", "ACTIVE, a SUCCEEDED, b SUCCEEDED").await;
        assert_eq!(shop.outputs_of("late", Some("a")).await["Sees"], "bucket bucket@large late/a:1");
        assert_eq!(shop.records_of_instance("late", "a").await.len(), 3, "once without, once with the component");
    }

    a_component_that_ends_before_its_instance_has_read_it_makes_no_further_deployment, async |db| {
        let shop = Workshop::on(db).await;
        half_made(&shop).await;
        shop.release();
        // The component's next look is overdue, and comes before what is only now asked for.
        shop.app.pass(60_000);
        retry(&shop).await;
        assert!(step(&shop.app).await);
        assert_eq!((component_status(&shop).await.as_str(), shop.instance("late", "a").await["deploymentStatus"].as_str()), ("SUCCEEDED", Some("IN_PROGRESS")));
        shop.until("late", "ACTIVE, a SUCCEEDED, b SUCCEEDED").await;
        assert_eq!(shop.outputs_of("late", Some("a")).await["Sees"], "bucket bucket@large late/a:1");
        assert_eq!(shop.records_of_instance("late", "a").await.len(), 2);
        shop.finish().await;
        assert_eq!(shop.records_of_instance("late", "a").await.len(), 2);
    }

    a_component_and_its_instance_that_settle_at_the_same_moment_miss_nothing, async |db| {
        let shop = Workshop::on(db).await;
        half_made(&shop).await;
        retry(&shop).await;
        shop.app.work().await;
        shop.release();
        shop.double.advance(HANGS * 20);
        while component_status(&shop).await == "IN_PROGRESS" {
            let mut running = Vec::new();
            while running.len() < 2 {
                match shop.app.claim().await {
                    Some(job) => running.push(job),
                    None => shop.app.pass(1000),
                }
            }
            let work = |job| {
                let app = shop.app.clone();
                async move { jobs::run(&app.app, &job).await }
            };
            let (second, first) = (running.pop().unwrap(), running.pop().unwrap());
            let (first, second) = together(&shop.app, work(first), work(second)).await;
            first.unwrap();
            second.unwrap();
        }
        shop.until("late", "ACTIVE, a SUCCEEDED, b SUCCEEDED").await;
        shop.finish().await;
        assert_eq!(shop.outputs_of("late", Some("a")).await["Sees"], "bucket bucket@large late/a:1");
        assert_eq!(shop.stands("late").await, "ACTIVE, a SUCCEEDED, b SUCCEEDED");
    }
}
