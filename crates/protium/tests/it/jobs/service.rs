//! The life of a service through its jobs: they run twice, they stop anywhere, and it comes to the same.

use crate::on_both;
use crate::support::database::TestDb;
use crate::support::death::{self, counts, once, told};
use crate::support::double::enqueue_again;
use crate::support::service::*;
use serde_json::{Value, json};
use std::time::Duration;

/// With a deadline that no number of dead workers comes to.
async fn patient(db: &TestDb) -> Shop {
    Shop::with(db, |config| config.deployment_deadline = Duration::from_secs(365 * 24 * 60 * 60)).await
}

/// See [`death::outlive`].
async fn outlive(shop: &Shop, service: &str, end: &str) -> usize {
    death::outlive(&shop.app, async || shop.stands(service).await, end).await
}

/// See [`death::insist`].
async fn insist(shop: &Shop, service: &str, operation: &str, input: Value) {
    death::insist(&shop.app, async || shop.stands(service).await, operation, input).await;
}

const CREATED: [&str; 4] = ["CreateStack prod", "CreateStack web-a", "CreateStack web-b", "CreateStack web"];
const UPDATED: [&str; 3] = ["CreateStack web-c", "DeleteStack web-a", "UpdateStack web"];
const DELETED: [&str; 3] = ["DeleteStack web-b", "DeleteStack web-c", "DeleteStack web"];

on_both! {
    whatever_stops_wherever_a_service_is_created_updated_and_deleted_once, async |db| {
        let shop = patient(db).await;
        insist(&shop, "web", "CreateService", create("web", &[("a", 1), ("b", 2)])).await;
        let deaths = outlive(&shop, "web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
        assert!(deaths > 100, "{deaths}");
        let mut expected = once(&CREATED);
        assert_eq!(counts(&shop), expected);
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/a:1@large][web/b:2@large]");

        let update = json!({ "name": "web", "spec": spec(&[("b", 2), ("c", 3)]) });
        insist(&shop, "web", "UpdateService", update).await;
        let deaths = outlive(&shop, "web", "ACTIVE, b SUCCEEDED, c SUCCEEDED, pipeline SUCCEEDED").await;
        assert!(deaths > 100, "{deaths}");
        expected.extend(once(&UPDATED));
        assert_eq!(counts(&shop), expected);
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/b:2@large][web/c:3@large]");

        insist(&shop, "web", "DeleteService", json!({ "name": "web" })).await;
        let deaths = outlive(&shop, "web", "gone").await;
        assert!(deaths > 50, "{deaths}");
        expected.extend(once(&DELETED));
        assert_eq!(counts(&shop), expected);
        assert_eq!(shop.double.stack_count(), 1, "the environment");
        assert!(!step(&shop.app).await, "no job is left");
    }

    whatever_stops_wherever_a_failed_update_is_undone_once, async |db| {
        let shop = patient(db).await;
        shop.active("web", &[("a", 1)]).await;
        shop.fail(&[("CreateStack", "web-c")]);
        shop.update_service("web", &spec(&[("b", 2), ("c", 3)])).await.unwrap();
        outlive(&shop, "web", "UPDATE_FAILED_CLEANUP_COMPLETE, a SUCCEEDED, pipeline SUCCEEDED").await;
        let expected = once(&["CreateStack prod", "CreateStack web-a", "CreateStack web", "CreateStack web-b", "CreateStack web-c", "DeleteStack web-b", "DeleteStack web-c"]);
        assert_eq!(counts(&shop), expected);
        assert_eq!(shop.get("web").await["spec"], spec(&[("a", 1)]));
        assert!(!step(&shop.app).await, "no job is left");
    }

    a_process_that_is_started_again_after_each_job_completes_everything, async |db| {
        let mut shop = Shop::on(db).await;
        shop.app.ok("CreateService", create("web", &[("a", 1), ("b", 2)])).await;
        for (end, next) in [
            ("ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED", Some(("UpdateService", json!({ "name": "web", "spec": spec(&[("b", 2), ("c", 3)]) })))),
            ("ACTIVE, b SUCCEEDED, c SUCCEEDED, pipeline SUCCEEDED", Some(("DeleteService", json!({ "name": "web" })))),
            ("gone", None),
        ] {
            while shop.stands("web").await != end {
                shop = shop.restart(db).await;
                assert!(step(&shop.app).await, "the service stays {}", shop.stands("web").await);
            }
            if let Some((operation, input)) = next {
                shop.app.ok(operation, input).await;
            }
        }
        let mut expected = once(&CREATED);
        expected.extend(once(&UPDATED));
        expected.extend(once(&DELETED));
        assert_eq!(counts(&shop), expected);
    }

    each_change_of_a_service_and_its_pipeline_is_told_once, async |db| {
        let shop = Shop::on(db).await;
        shop.app.ok("CreateService", create("web", &[("a", 1)])).await;
        let (service, pipeline) = (shop.app.only_id("service").await, shop.app.only_id("service_pipeline").await);
        shop.until("web", "ACTIVE").await;
        shop.fail(&[("CreateStack", "web-b")]);
        shop.update_service("web", &spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "UPDATE_FAILED_CLEANUP_COMPLETE").await;
        shop.release();
        shop.update_service("web", &spec(&[("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE").await;
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
        let expected = [
            "CREATE_IN_PROGRESS", "ACTIVE",
            "UPDATE_IN_PROGRESS", "UPDATE_FAILED_CLEANUP_IN_PROGRESS", "UPDATE_FAILED_CLEANUP_COMPLETE",
            "UPDATE_IN_PROGRESS", "ACTIVE",
            "DELETE_IN_PROGRESS", "DELETED",
        ];
        assert_eq!(told(&shop, &service).await, expected);
        let expected = [
            "IN_PROGRESS", "SUCCEEDED",
            "IN_PROGRESS", "CANCELLED", "SUCCEEDED",
            "IN_PROGRESS", "SUCCEEDED",
            "DELETE_IN_PROGRESS", "DELETED",
        ];
        assert_eq!(told(&shop, &pipeline).await, expected);
    }

    a_service_says_which_of_its_parts_failed_and_why, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        shop.fail(&[("DeleteStack", "web-a"), ("UpdateStack", "web")]);
        shop.update_service("web", &spec(&[("b", 2)])).await.unwrap();
        shop.until("web", "UPDATE_FAILED, a DELETE_FAILED, b SUCCEEDED, pipeline FAILED").await;
        let (service, instance) = (shop.get("web").await, shop.instance("web", "a").await);
        let why = |part: &Value| part["deploymentStatusMessage"].as_str().unwrap().to_owned();
        let (arn, why_instance, why_pipeline) = (instance["arn"].as_str().unwrap(), why(&instance), why(&service["pipeline"]));
        let expected = format!("Service Instance(s): [{arn}] failed to delete: {why_instance}; The pipeline is FAILED: {why_pipeline}");
        assert_eq!(service["statusMessage"], expected);
    }

    an_instance_that_an_update_removes_is_told_of_once, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let instance = shop.app.only_id("service_instance").await;
        shop.fail(&[("DeleteStack", "web-a")]);
        shop.update_service("web", &spec(&[("b", 2)])).await.unwrap();
        shop.until("web", "UPDATE_COMPLETE_CLEANUP_FAILED").await;
        shop.release();
        shop.update_service("web", &spec(&[("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, b SUCCEEDED, pipeline SUCCEEDED").await;
        let expected = ["IN_PROGRESS", "SUCCEEDED", "DELETE_IN_PROGRESS", "DELETE_FAILED", "DELETE_IN_PROGRESS", "DELETED"];
        assert_eq!(told(&shop, &instance).await, expected);
    }

    jobs_that_run_twice_have_the_same_result, async |db| {
        let shop = Shop::on(db).await;
        shop.app.ok("CreateService", create("web", &[("a", 1), ("b", 2)])).await;
        again_and_again(&shop, "ACTIVE").await;
        shop.update_service("web", &spec(&[("b", 2), ("c", 3)])).await.unwrap();
        again_and_again(&shop, "ACTIVE").await;
        shop.delete_service("web").await.unwrap();
        again_and_again(&shop, "gone").await;
        let mut expected = once(&CREATED);
        expected.extend(once(&UPDATED));
        expected.extend(once(&DELETED));
        assert_eq!(counts(&shop), expected);
    }
}

/// Takes the service to its end; after each job, all that there ever were are enqueued once more.
async fn again_and_again(shop: &Shop, end: &str) {
    while !shop.stands("web").await.starts_with(end) {
        assert!(step(&shop.app).await);
        let records = shop.app.ok("ListDeployments", json!({ "serviceName": "web" })).await;
        for record in records["deployments"].as_array().unwrap() {
            let waits = record["deploymentStatus"] == "IN_PROGRESS";
            if !waits {
                enqueue_again(&shop.app, record["id"].as_str().unwrap()).await;
            }
        }
    }
    let (stands, service) = (shop.stands("web").await, shop.app.call("GetService", json!({ "name": "web" })).await);
    shop.finish().await;
    assert_eq!(
        (shop.stands("web").await, shop.app.call("GetService", json!({ "name": "web" })).await),
        (stands, service)
    );
}
