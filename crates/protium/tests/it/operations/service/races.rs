use crate::on_both;
use crate::support::race::{meet, race, refused};
use crate::support::service::*;
use protium::jobs;
use serde_json::json;

on_both! {
    of_two_updates_one_is_refused, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let update = |added: &str| ("UpdateService", json!({ "name": "web", "spec": spec(&[("a", 1), (added, 2)]) }));
        let answers = race(db, &shop.app, [update("b"), update("c")]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.until("web", "ACTIVE").await;
        assert_eq!(shop.done("CreateStack").len(), 4);
    }

    an_update_of_an_instance_and_a_delete_of_the_service_exclude_each_other, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let update = ("UpdateServiceInstance", json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" }));
        let answers = race(db, &shop.app, [update, ("DeleteService", json!({ "name": "web" }))]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        let expected = if answers[0].is_ok() { "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED" } else { "gone" };
        assert_eq!(shop.stands("web").await, expected);
    }

    an_update_of_an_instance_and_its_removal_exclude_each_other, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        let update = ("UpdateServiceInstance", json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" }));
        let remove = ("UpdateService", json!({ "name": "web", "spec": spec(&[("b", 2)]) }));
        let answers = race(db, &shop.app, [update, remove]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        assert!(shop.stands("web").await.starts_with("ACTIVE"));
    }

    two_instances_that_settle_at_the_same_moment_start_the_pipeline_once, async |db| {
        let shop = Shop::on(db).await;
        shop.app.ok("CreateService", create("web", &[("a", 1), ("b", 2)])).await;
        while shop.stands("web").await.contains("a IN_PROGRESS") {
            let mut running = Vec::new();
            while running.len() < 2 {
                match shop.app.claim().await {
                    Some(job) => running.push(job),
                    None => shop.app.pass(1000),
                }
            }
            meet(db, &shop.app);
            let running: Vec<_> = running.into_iter().map(|job| {
                let app = shop.app.clone();
                tokio::spawn(async move { jobs::run(&app.app, &job).await })
            }).collect();
            for job in running {
                job.await.unwrap().unwrap();
            }
            shop.app.store().db().set_probe(None);
        }
        assert_eq!(shop.stands("web").await, "CREATE_IN_PROGRESS, a SUCCEEDED, b SUCCEEDED, pipeline IN_PROGRESS");
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline SUCCEEDED").await;
        assert_eq!(shop.outputs_of("web", None).await["Targets"], "[web/a:1@large][web/b:2@large]");
    }

    two_equal_creates_make_one_service, async |db| {
        let shop = Shop::on(db).await;
        let input = || ("CreateService", create("web", &[("a", 1)]));
        let [left, right] = race(db, &shop.app, [input(), input()]).await;
        assert_eq!(left.unwrap(), right.unwrap());
        shop.until("web", "ACTIVE").await;
        assert_eq!(shop.done("CreateStack"), ["prod", "web-a", "web"]);
    }

    of_two_different_creates_of_a_name_one_is_a_mismatch, async |db| {
        let shop = Shop::on(db).await;
        let input = |port| ("CreateService", create("web", &[("a", port)]));
        let answers = race(db, &shop.app, [input(1), input(2)]).await;
        assert_eq!(refused(&answers), "ValidationException");
    }

    the_last_place_for_a_service_is_given_once, async |db| {
        let shop = Shop::with(db, |config| config.quotas.services = 1).await;
        let input = |name: &str| ("CreateService", create(name, &[("a", 1)]));
        let answers = race(db, &shop.app, [input("one"), input("two")]).await;
        assert_eq!(refused(&answers), "ServiceQuotaExceededException");
    }

    the_last_place_for_an_instance_is_given_once, async |db| {
        let shop = Shop::with(db, |config| config.quotas.instances_per_service = 2).await;
        shop.active("web", &[("a", 1)]).await;
        let update = |added: &str| ("UpdateService", json!({ "name": "web", "spec": spec(&[("a", 1), (added, 2)]) }));
        let answers = race(db, &shop.app, [update("b"), update("c")]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.until("web", "ACTIVE").await;
        let three = spec(&[("a", 1), ("b", 2), ("c", 2)]);
        let late = shop.update_service("web", &three).await.unwrap_err();
        assert_eq!(late.code, "ServiceQuotaExceededException");
    }

    a_service_and_the_end_of_its_environment_exclude_each_other, async |db| {
        let shop = Shop::on(db).await;
        let delete = ("DeleteEnvironment", json!({ "name": "prod" }));
        let answers = race(db, &shop.app, [("CreateService", create("web", &[("a", 1)])), delete]).await;
        assert_eq!(refused(&answers), "ConflictException");
        shop.finish().await;
        let stands = if answers[0].is_ok() { "ACTIVE, a SUCCEEDED, pipeline SUCCEEDED" } else { "gone" };
        assert_eq!((shop.stands("web").await.as_str(), shop.is_gone("prod").await), (stands, answers[0].is_err()));
    }

    an_update_of_an_instance_with_one_token_at_the_same_time_deploys_once, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1)]).await;
        let update = || ("UpdateServiceInstance", json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION", "clientToken": "t" }));
        let [left, right] = race(db, &shop.app, [update(), update()]).await;
        assert_eq!(left.unwrap(), right.unwrap());
        shop.finish().await;
        let records = shop.app.ok("ListDeployments", json!({ "serviceName": "web", "serviceInstanceName": "a" })).await;
        assert_eq!(records["deployments"].as_array().unwrap().len(), 2);
    }
}
