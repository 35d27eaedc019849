//! What is logged: one event for each change of a status, of everything that has one.

use crate::on_both;
use crate::support::component::{Workshop, attached};
use crate::support::double::{create as create_environment, resize, text};
use crate::support::service::{create_plain, on_branch};
use crate::support::under_way::assert_all_is_told;
use protium::params;
use protium::store::event_after;
use protium_domain::event::DetailType;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

on_both! {
    a_life_of_everything_is_told_change_by_change, async |db| {
        let shop = Workshop::on(db).await;
        let app = &shop.app;
        // A service with a pipeline, which is changed, fails, and goes; a component on it; an environment.
        shop.active("shop", &[("a", 1)]).await;
        app.ok("CreateComponent", attached("bucket")).await;
        shop.finish().await;
        shop.fail(&[("UpdateStack", "shop")]);
        let update = json!({ "serviceName": "shop", "deploymentType": "CURRENT_VERSION", "spec": on_branch("dev", &[]) });
        app.ok("UpdateServicePipeline", update).await;
        shop.finish().await;
        app.ok("CreateEnvironment", create_environment("other")).await;
        shop.finish().await;
        app.ok("UpdateEnvironment", resize("other", "huge")).await;
        shop.finish().await;
        app.ok("CreateService", create_plain("gone", &[("a", 1)])).await;
        shop.finish().await;
        app.ok("DeleteService", json!({ "name": "gone" })).await;
        app.ok("DeleteEnvironment", json!({ "name": "other" })).await;
        shop.finish().await;
        let connection = json!({
            "managementAccountId": crate::support::app::ACCOUNT, "environmentName": "later",
            "roleArn": "arn:aws:iam::222222222222:role/lent",
        });
        let made = app.in_account("222222222222").ok("CreateEnvironmentAccountConnection", connection).await;
        let id = text(&made["environmentAccountConnection"]["id"]).to_owned();
        app.ok("RejectEnvironmentAccountConnection", json!({ "id": id })).await;
        app.in_account("222222222222").ok("DeleteEnvironmentAccountConnection", json!({ "id": id })).await;
        assert_all_is_told(app).await;

        app.store().event_place().await.unwrap();
        let mut rd = app.store().reader().await.unwrap();
        let logged = event_after(&mut rd, 0, 1_000).await.unwrap();
        let mut told = BTreeMap::<String, Vec<Value>>::new();
        let mut kinds = BTreeSet::new();
        for event in logged.into_iter().filter_map(|logged| logged.change.told()) {
            kinds.insert(event.detail_type.as_str());
            told.entry(event.arn.clone()).or_default().push(serde_json::from_str(&event.detail).unwrap());
        }
        let all: BTreeSet<&str> = DetailType::ALL.iter().map(|known| known.as_str()).collect();
        assert_eq!(kinds, all, "all ten kinds");
        let prefix = app.arn_prefix();
        let statuses = |resource: &str| -> Vec<&str> {
            told[&format!("{prefix}:{resource}")].iter().map(|detail| detail["status"].as_str().unwrap()).collect()
        };
        assert_eq!(
            statuses("environment/other"),
            ["IN_PROGRESS", "SUCCEEDED", "IN_PROGRESS", "SUCCEEDED", "DELETE_IN_PROGRESS", "DELETED"]
        );
        assert_eq!(statuses("service/gone"), ["CREATE_IN_PROGRESS", "ACTIVE", "DELETE_IN_PROGRESS", "DELETED"]);
        assert_eq!(
            statuses("service/gone/service-instance/a"),
            ["IN_PROGRESS", "SUCCEEDED", "DELETE_IN_PROGRESS", "DELETED"]
        );
        assert_eq!(*statuses("service/shop/pipeline").last().unwrap(), "FAILED");
        assert_eq!(statuses("environment-template/env:1.0"), ["REGISTRATION_IN_PROGRESS", "DRAFT", "PUBLISHED"]);
        assert_eq!(statuses("environment-template/env"), ["DRAFT", "PUBLISHED"]);
        assert_eq!(statuses("component/bucket").first(), Some(&"IN_PROGRESS"));
        let lent = format!("arn:aws:proton:us-east-1:222222222222:environment-account-connection/{id}");
        assert_eq!(
            told[&lent],
            [
                json!({ "id": id, "status": "PENDING" }),
                json!({ "id": id, "status": "REJECTED", "previousStatus": "PENDING" }),
                json!({ "id": id, "status": "DELETED", "previousStatus": "REJECTED" }),
            ]
        );
        assert_eq!(
            told[&format!("{prefix}:service/gone/service-instance/a")][1],
            json!({ "name": "a", "serviceName": "gone", "status": "SUCCEEDED", "previousStatus": "IN_PROGRESS" })
        );
        for detail in told.values().flatten() {
            assert!(detail.as_object().unwrap().values().all(Value::is_string), "{detail}");
        }
    }

    what_changes_no_status_is_no_event, async |db| {
        let shop = Workshop::on(db).await;
        let app = &shop.app;
        shop.finish().await;
        let count = async || {
            let mut rd = app.store().reader().await.unwrap();
            rd.query_one("SELECT COUNT(*) FROM event", params![]).await.unwrap().int(0).unwrap()
        };
        let before = count().await;
        app.ok("UpdateService", json!({ "name": "web", "description": "another" })).await;
        app.ok("UpdateEnvironmentTemplate", json!({ "name": "env", "displayName": "Another" })).await;
        let arn = format!("{}:service/web", app.arn_prefix());
        app.ok("TagResource", json!({ "resourceArn": arn, "tags": [{ "key": "a", "value": "b" }] })).await;
        app.ok("GetService", json!({ "name": "web" })).await;
        assert_eq!(count().await, before);
    }
}
