use super::sync::{link, of_service};
use crate::on_both;
use crate::support::app::{TestApp, code};
use crate::support::database::TestDb;
use crate::support::race::race;
use crate::support::service::*;
use protium::store::event_list;
use serde_json::{Value, json};

/// A shop with the synced service `web`, which has no pipeline and these instances.
async fn synced(db: &TestDb, instances: &[(&str, u16)]) -> Shop {
    let shop = Shop::on(db).await;
    link(&shop.app, "o/r").await;
    shop.active_plain("web", instances).await;
    shop.app.ok("CreateServiceSyncConfig", of_service("web")).await;
    shop
}

/// The blockers of an instance, or those of the service as a whole.
async fn blockers(app: &TestApp, instance: Option<&str>) -> Vec<Value> {
    let input = json!({ "serviceName": "web", "serviceInstanceName": instance });
    let summary = app.ok("GetServiceSyncBlockerSummary", input).await["serviceSyncBlockerSummary"].clone();
    assert_eq!(summary["serviceName"], "web");
    assert_eq!(summary.get("serviceInstanceName"), instance.map(Value::from).as_ref());
    summary["latestBlockers"].as_array().unwrap().clone()
}

async fn count(app: &TestApp, instance: Option<&str>) -> usize {
    blockers(app, instance).await.len()
}

fn redeploy(instance: &str) -> Value {
    json!({ "serviceName": "web", "name": instance, "deploymentType": "CURRENT_VERSION" })
}

/// Updates an instance and waits until that is done.
async fn touch(shop: &Shop, instance: &str) {
    shop.app.ok("UpdateServiceInstance", redeploy(instance)).await;
    shop.finish().await;
}

async fn resolve(app: &TestApp, blocker: &Value) -> Value {
    app.ok("UpdateServiceSyncBlocker", json!({ "id": blocker["id"], "resolvedReason": "in Git now" })).await
}

on_both! {
    what_an_operator_does_to_a_synced_instance_blocks_too, async |db| {
        let shop = synced(db, &[("a", 1), ("b", 2)]).await;
        let arn = |name: &str| format!("{}:service/web/service-instance/{name}", shop.app.arn_prefix());
        shop.app.ok("Redeploy", json!({ "resourceArn": arn("a") })).await;
        assert_eq!((count(&shop.app, Some("a")).await, count(&shop.app, Some("b")).await), (1, 0));
        let before = count(&shop.app, None).await;
        shop.app.ok("ForceDelete", json!({ "resourceArn": arn("b"), "infrastructure": "RETAIN" })).await;
        assert_eq!(count(&shop.app, None).await, before + 1, "the removal blocks the service");
        shop.app.ok("ForceDelete", json!({ "resourceArn": arn("a"), "infrastructure": "DELETE" })).await;
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE");
    }

    an_update_of_a_synced_instance_blocks_that_instance, async |db| {
        let shop = synced(db, &[("a", 1), ("b", 2)]).await;
        let updated = shop.app.ok("UpdateServiceInstance", redeploy("a")).await["serviceInstance"].clone();
        let found = blockers(&shop.app, Some("a")).await;
        assert_eq!(found, [json!({
            "id": found[0]["id"], "type": "AUTOMATED", "status": "ACTIVE",
            "createdAt": updated["lastDeploymentAttemptedAt"],
            "createdReason": "The service instance 'a' was updated by hand; it is not synced until this blocker is resolved",
            "contexts": [
                { "key": "serviceInstanceName", "value": "a" },
                { "key": "deploymentId", "value": updated["lastAttemptedDeploymentId"] },
            ],
        })]);
        assert_eq!(count(&shop.app, Some("b")).await, 0);
        assert_eq!(count(&shop.app, None).await, 0, "the service as a whole goes on");
        shop.finish().await;
        assert_eq!(shop.stands("web").await, "ACTIVE, a SUCCEEDED, b SUCCEEDED");
    }

    a_service_that_is_not_synced_is_never_blocked, async |db| {
        let shop = synced(db, &[("a", 1), ("b", 2)]).await;
        shop.app.ok("DeleteServiceSyncConfig", json!({ "serviceName": "web" })).await;
        touch(&shop, "a").await;
        shop.update_service("web", &plain_spec(&[("a", 1), ("c", 3)])).await.unwrap();
        shop.finish().await;
        for instance in [None, Some("a"), Some("c")] {
            assert_eq!(count(&shop.app, instance).await, 0, "{instance:?}");
        }
    }

    what_changes_no_instance_blocks_nothing, async |db| {
        let shop = synced(db, &[("a", 1)]).await;
        let nothing = json!({ "serviceName": "web", "name": "a", "deploymentType": "NONE" });
        shop.app.ok("UpdateServiceInstance", nothing).await;
        shop.app.ok("UpdateService", json!({ "name": "web", "description": "new" })).await;
        shop.update_service("web", &plain_spec(&[("a", 1)])).await.unwrap();
        shop.finish().await;
        let missing = json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION", "spec": plain_spec(&[("b", 1)]) });
        assert_eq!(code(shop.app.call("UpdateServiceInstance", missing).await), "ValidationException");
        let nowhere = plain_spec(&[("a", 1), ("b", 2)]).replace("name: b\n    environment: prod", "name: b\n    environment: nowhere");
        assert_eq!(shop.update_service("web", &nowhere).await.unwrap_err().code, "ResourceNotFoundException");
        for instance in [None, Some("a")] {
            assert_eq!(count(&shop.app, instance).await, 0, "{instance:?}");
        }
    }

    a_replayed_update_blocks_once, async |db| {
        let shop = synced(db, &[("a", 1)]).await;
        let input = but(redeploy("a"), json!({ "clientToken": "t" }));
        for _ in 0..2 {
            shop.app.ok("UpdateServiceInstance", input.clone()).await;
            shop.finish().await;
        }
        assert_eq!(count(&shop.app, Some("a")).await, 1);
    }

    an_update_of_a_synced_service_blocks_what_it_adds_and_for_a_removal_the_service, async |db| {
        let shop = synced(db, &[("a", 1), ("b", 2), ("c", 3)]).await;
        shop.update_service("web", &plain_spec(&[("c", 3), ("d", 4)])).await.unwrap();
        let added = blockers(&shop.app, Some("d")).await;
        assert_eq!(added.len(), 1);
        let says = added[0]["createdReason"].as_str().unwrap();
        assert!(says.starts_with("The service instance 'd' was created by hand"), "{says}");
        let deployment = shop.instance("web", "d").await["lastAttemptedDeploymentId"].clone();
        assert_eq!(added[0]["contexts"], json!([
            { "key": "serviceInstanceName", "value": "d" }, { "key": "deploymentId", "value": deployment },
        ]));
        let removed = blockers(&shop.app, None).await;
        assert_eq!(removed.len(), 1, "one change is resolved once");
        assert_eq!((&removed[0]["status"], &removed[0]["contexts"]), (&json!("ACTIVE"), &json!([
            { "key": "serviceInstanceName", "value": "a" }, { "key": "serviceInstanceName", "value": "b" },
        ])));
        let says = removed[0]["createdReason"].as_str().unwrap();
        assert_eq!(says, "Service instances were removed by hand ('a', 'b'); the service is not synced until this blocker is resolved");
        assert_eq!(count(&shop.app, Some("c")).await, 0, "what is kept is not changed");
        shop.until("web", "ACTIVE, c SUCCEEDED, d SUCCEEDED").await;
        assert_eq!(count(&shop.app, Some("d")).await, 1);
    }

    a_failed_instance_that_a_service_update_deploys_again_is_blocked, async |db| {
        let shop = Shop::on(db).await;
        link(&shop.app, "o/r").await;
        shop.fail(&[("CreateStack", "web-a")]);
        shop.app.ok("CreateService", create_plain("web", &[("a", 1)])).await;
        shop.until("web", "CREATE_FAILED").await;
        shop.app.ok("CreateServiceSyncConfig", of_service("web")).await;
        shop.release();
        shop.update_service("web", &plain_spec(&[("a", 1)])).await.unwrap();
        let found = blockers(&shop.app, Some("a")).await;
        assert!(found[0]["createdReason"].as_str().unwrap().contains("'a' was updated by hand"), "{found:?}");
        shop.until("web", "ACTIVE, a SUCCEEDED").await;
    }

    an_update_that_failed_leaves_the_service_blocked_until_that_is_resolved, async |db| {
        let shop = synced(db, &[("a", 1), ("b", 2)]).await;
        shop.fail(&[("CreateStack", "web-c")]);
        shop.update_service("web", &plain_spec(&[("a", 1), ("c", 3)])).await.unwrap();
        shop.until("web", "UPDATE_FAILED_CLEANUP_COMPLETE, a SUCCEEDED, b SUCCEEDED").await;
        let found = blockers(&shop.app, None).await;
        assert_eq!(found.len(), 1);
        resolve(&shop.app, &found[0]).await;
        let gone = json!({ "serviceName": "web", "serviceInstanceName": "c" });
        let refused = shop.app.call("GetServiceSyncBlockerSummary", gone).await;
        assert_eq!(code(refused), "ResourceNotFoundException");
    }

    a_resolved_blocker_says_when_and_why, async |db| {
        let shop = synced(db, &[("a", 1), ("b", 2)]).await;
        touch(&shop, "a").await;
        shop.update_service("web", &plain_spec(&[("a", 1)])).await.unwrap();
        shop.finish().await;
        let of_instance = blockers(&shop.app, Some("a")).await.remove(0);
        let of_service = blockers(&shop.app, None).await.remove(0);
        for (mut blocker, instance) in [(of_instance, Some("a")), (of_service, None)] {
            shop.app.pass(1000);
            let answer = resolve(&shop.app, &blocker).await;
            assert_eq!(answer["serviceName"], "web");
            assert_eq!(answer.get("serviceInstanceName"), instance.map(Value::from).as_ref());
            let resolved = answer["serviceSyncBlocker"].clone();
            assert!(resolved["resolvedAt"].as_f64().unwrap() >= blocker["createdAt"].as_f64().unwrap() + 1.0);
            blocker["status"] = "RESOLVED".into();
            blocker["resolvedAt"] = resolved["resolvedAt"].clone();
            blocker["resolvedReason"] = "in Git now".into();
            assert_eq!(resolved, blocker, "nothing else changed");
            assert_eq!(blockers(&shop.app, instance).await, [blocker]);
        }
    }

    a_blocker_is_resolved_once_whoever_comes_first, async |db| {
        let shop = synced(db, &[("a", 1)]).await;
        touch(&shop, "a").await;
        let blocker = blockers(&shop.app, Some("a")).await.remove(0);
        let input = |why: &str| json!({ "id": blocker["id"], "resolvedReason": why });
        let answers = futures::future::join_all(
            (0..4).map(|number| shop.app.call("UpdateServiceSyncBlocker", input(&format!("r{number}")))),
        ).await;
        let winners: Vec<&Value> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        assert_eq!(winners.len(), 1);
        assert_eq!(blockers(&shop.app, Some("a")).await[0], winners[0]["serviceSyncBlocker"]);
        for answer in answers.into_iter().chain([shop.app.call("UpdateServiceSyncBlocker", input("later")).await]) {
            if let Err(refused) = answer {
                assert_eq!(refused.code, "ConflictException");
                assert!(refused.message.contains("is RESOLVED already"), "{}", refused.message);
            }
        }
    }

    a_blocker_that_is_not_there_is_not_found, async |db| {
        let shop = synced(db, &[("a", 1)]).await;
        touch(&shop, "a").await;
        let id = blockers(&shop.app, Some("a")).await[0]["id"].clone();
        let unknown = json!("00000000-0000-4000-8000-000000000000");
        for (app, id) in [
            (&shop.app, unknown),
            (&shop.app, json!("")),
            (&shop.app, json!("web")),
            (&shop.app, id.as_str().unwrap().to_uppercase().into()),
            (&shop.app.in_region("eu-west-3"), id.clone()),
            (&shop.app.in_account("999999999999"), id.clone()),
        ] {
            let refused = app.call("UpdateServiceSyncBlocker", json!({ "id": id, "resolvedReason": "r" })).await;
            assert_eq!(code(refused), "ResourceNotFoundException", "{id}");
        }
        for input in [
            json!({ "id": id }),
            json!({ "resolvedReason": "r" }),
            json!({ "id": "\u{0}", "resolvedReason": "r" }),
        ] {
            assert_eq!(code(shop.app.call("UpdateServiceSyncBlocker", input).await), "ValidationException");
        }
        assert_eq!(blockers(&shop.app, Some("a")).await[0]["status"], "ACTIVE");
    }

    a_summary_is_of_what_is_there, async |db| {
        let shop = synced(db, &[("a", 1)]).await;
        for (input, expected) in [
            (json!({ "serviceName": "none" }), "ResourceNotFoundException"),
            (json!({ "serviceName": "web", "serviceInstanceName": "none" }), "ResourceNotFoundException"),
            (json!({ "serviceName": "none", "serviceInstanceName": "a" }), "ResourceNotFoundException"),
            (json!({ "serviceName": "_" }), "ValidationException"),
            (json!({ "serviceInstanceName": "a" }), "ValidationException"),
        ] {
            let refused = shop.app.call("GetServiceSyncBlockerSummary", input.clone()).await;
            assert_eq!(code(refused), expected, "{input}");
        }
        assert_eq!(shop.app.ok("GetServiceSyncBlockerSummary", json!({ "serviceName": "web" })).await, json!({
            "serviceSyncBlockerSummary": { "serviceName": "web", "latestBlockers": [] },
        }));
    }

    a_summary_shows_the_ten_newest_and_none_that_blocks_is_hidden_by_a_resolved_one, async |db| {
        let shop = synced(db, &[("a", 1)]).await;
        let mut ids = Vec::new();
        for _ in 0..12 {
            shop.app.pass(1000);
            shop.app.ok("UpdateServiceInstance", redeploy("a")).await;
            ids.insert(0, blockers(&shop.app, Some("a")).await[0]["id"].clone());
            shop.finish().await;
        }
        let shown = async || {
            let found = blockers(&shop.app, Some("a")).await;
            found.iter().map(|blocker| blocker["id"].clone()).collect::<Vec<Value>>()
        };
        assert_eq!(shown().await, ids[..10]);
        for id in &ids[..10] {
            resolve(&shop.app, &json!({ "id": id })).await;
        }
        let expected = [&ids[10..], &ids[..8]].concat();
        assert_eq!(shown().await, expected, "those that still block come first");
    }

    blockers_stay_when_the_configuration_goes, async |db| {
        let shop = synced(db, &[("a", 1)]).await;
        touch(&shop, "a").await;
        let before = blockers(&shop.app, Some("a")).await;
        shop.app.ok("DeleteServiceSyncConfig", json!({ "serviceName": "web" })).await;
        assert_eq!(blockers(&shop.app, Some("a")).await, before);
        shop.app.ok("CreateServiceSyncConfig", of_service("web")).await;
        assert_eq!(blockers(&shop.app, Some("a")).await, before);
        assert_eq!(resolve(&shop.app, &before[0]).await["serviceSyncBlocker"]["status"], "RESOLVED");
    }

    a_removed_instance_takes_its_blockers_along, async |db| {
        let shop = synced(db, &[("a", 1), ("b", 2)]).await;
        touch(&shop, "a").await;
        let old = blockers(&shop.app, Some("a")).await.remove(0);
        shop.update_service("web", &plain_spec(&[("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, b SUCCEEDED").await;
        let resolve = json!({ "id": old["id"], "resolvedReason": "r" });
        assert_eq!(code(shop.app.call("UpdateServiceSyncBlocker", resolve).await), "ResourceNotFoundException");
        shop.update_service("web", &plain_spec(&[("a", 1), ("b", 2)])).await.unwrap();
        shop.until("web", "ACTIVE, a SUCCEEDED, b SUCCEEDED").await;
        let found = blockers(&shop.app, Some("a")).await;
        assert_eq!(found.len(), 1, "that of its creation by hand");
        assert_ne!(found[0]["id"], old["id"]);
    }

    a_deleted_service_takes_all_blockers_along, async |db| {
        let shop = synced(db, &[("a", 1), ("b", 2)]).await;
        touch(&shop, "a").await;
        shop.update_service("web", &plain_spec(&[("a", 1)])).await.unwrap();
        shop.finish().await;
        let old = [blockers(&shop.app, Some("a")).await.remove(0), blockers(&shop.app, None).await.remove(0)];
        shop.delete_service("web").await.unwrap();
        assert_eq!(count(&shop.app, None).await, 1, "they are there as long as the service is");
        shop.until("web", "gone").await;
        for blocker in old {
            let input = json!({ "id": blocker["id"], "resolvedReason": "r" });
            assert_eq!(code(shop.app.call("UpdateServiceSyncBlocker", input).await), "ResourceNotFoundException");
        }
        shop.active_plain("web", &[("a", 1)]).await;
        for instance in [None, Some("a")] {
            assert_eq!(count(&shop.app, instance).await, 0, "{instance:?}");
        }
        let config = shop.app.call("GetServiceSyncConfig", json!({ "serviceName": "web" })).await;
        assert_eq!(code(config), "ResourceNotFoundException");
    }

    a_delete_that_failed_leaves_the_configuration, async |db| {
        let shop = synced(db, &[("a", 1)]).await;
        shop.fail(&[("DeleteStack", "web-a")]);
        shop.delete_service("web").await.unwrap();
        shop.until("web", "DELETE_FAILED").await;
        let config = shop.app.ok("GetServiceSyncConfig", json!({ "serviceName": "web" })).await;
        assert_eq!(config["serviceSyncConfig"], of_service("web"));
        shop.release();
        shop.delete_service("web").await.unwrap();
        shop.until("web", "gone").await;
        shop.app.ok("DeleteRepository", json!({ "provider": "GITHUB", "name": "o/r" })).await;
    }

    a_change_while_the_configuration_is_made_is_blocked_or_came_before_it, async |db| {
        let shop = Shop::on(db).await;
        link(&shop.app, "o/r").await;
        shop.active_plain("web", &[("a", 1)]).await;
        let calls = [("CreateServiceSyncConfig", of_service("web")), ("UpdateServiceInstance", redeploy("a"))];
        let answers = race(&shop.app, calls).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        shop.finish().await;
        let before = count(&shop.app, Some("a")).await;
        assert!(before <= 1, "{before}");
        touch(&shop, "a").await;
        assert_eq!(count(&shop.app, Some("a")).await, before + 1);
    }

    blockers_are_events, async |db| {
        let shop = synced(db, &[("a", 1)]).await;
        touch(&shop, "a").await;
        let blocker = blockers(&shop.app, Some("a")).await.remove(0);
        resolve(&shop.app, &blocker).await;
        let mut reader = shop.app.store().reader().await.unwrap();
        let events = event_list(&mut reader, blocker["id"].as_str().unwrap()).await.unwrap();
        let details: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.detail).unwrap()).collect();
        assert_eq!(details, [
            json!({ "service": "web", "instance": "a", "status": "ACTIVE" }),
            json!({ "service": "web", "instance": "a", "status": "RESOLVED", "previousStatus": "ACTIVE" }),
        ], "a reason is a user's text and stays out of them");
    }
}
