//! EventBridge, as the double of AWS plays it.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::database::TestDb;
use crate::support::events::{LATER_MS, deliver, destination, dispatcher, listed, remove, template};
use protium::config::DestinationKind;
use protium::events::Dispatcher;
use protium_engines::Role;
use protium_engines::aws::BusSettings;
use protium_engines::double::{Disturbance, Double};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::999999999999:role/events";

async fn told(db: &TestDb) -> (TestApp, Double, Dispatcher) {
    let double = Double::start().await.unwrap();
    let url = double.url();
    let role = Role { arn: ROLE.into(), session_name: "protium-events-bus".into(), external_id: None };
    let bus = BusSettings { bus: "platform".into(), region: "eu-west-1".into(), role: Some(role) };
    let app = TestApp::with(db, |config| {
        config.aws_endpoint_url = Some(url);
        config.event_destinations = vec![destination("bus", DestinationKind::EventBridge(bus))];
    })
    .await;
    let dispatcher = dispatcher(&app, "one").await;
    (app, double, dispatcher)
}

/// Name and status of what is on the bus, in order.
fn on_bus(double: &Double) -> Vec<(String, String)> {
    let detail = |entry: &Value| serde_json::from_str::<Value>(entry["Detail"].as_str().unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    double.bus_entries().iter().map(detail).map(|it| (text(&it["name"]), text(&it["status"]))).collect()
}

on_both! {
    an_entry_is_what_rules_match, async |db| {
        let (app, double, mut dispatcher) = told(db).await;
        template(&app, "env").await;
        deliver(&app, &mut dispatcher).await;
        let entries = double.bus_entries();
        assert_eq!(entries.len(), 1);
        let entry = &entries[0];
        assert!(entry["Time"].as_f64().unwrap() > 1e9, "{entry}");
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_eq!(detail, json!({ "name": "env", "status": "DRAFT" }));
        assert_eq!(
            (&entry["Source"], &entry["DetailType"], &entry["EventBusName"], &entry["Account"], &entry["Region"]),
            (
                &json!("protium.proton"),
                &json!("AWS Proton Environment Template Status Change"),
                &json!("platform"),
                &json!("999999999999"),
                &json!("eu-west-1"),
            )
        );
        assert_eq!(entry["Resources"], json!([format!("{}:environment-template/env", app.arn_prefix())]));
    }

    many_events_travel_ten_at_a_time_and_in_order, async |db| {
        let (app, double, mut dispatcher) = told(db).await;
        for number in 0..25 {
            template(&app, &format!("t{number}")).await;
            remove(&app, &format!("t{number}")).await;
        }
        deliver(&app, &mut dispatcher).await;
        let told = on_bus(&double);
        assert_eq!(told.len(), 50);
        for number in 0..25 {
            let of: Vec<&str> = told.iter().filter(|(name, _)| *name == format!("t{number}")).map(|(_, status)| status.as_str()).collect();
            assert_eq!(of, ["DRAFT", "DELETED"], "t{number}");
        }
        assert!(double.count("PutEvents") < 50, "{}", double.count("PutEvents"));
    }

    an_entry_that_is_refused_alone_is_put_again_alone, async |db| {
        let (app, double, mut dispatcher) = told(db).await;
        double.refuse_bus_entry("\"b\"");
        for name in ["a", "b", "c"] {
            template(&app, name).await;
        }
        remove(&app, "b").await;
        deliver(&app, &mut dispatcher).await;
        app.pass(LATER_MS);
        deliver(&app, &mut dispatcher).await;
        let mut told = on_bus(&double);
        let of_b: Vec<_> = told.iter().filter(|(name, _)| name == "b").map(|(_, status)| status.as_str()).collect();
        assert_eq!(of_b, ["DRAFT", "DELETED"], "what follows it waits");
        told.sort();
        assert_eq!(told.len(), 4, "the others are not put again: {told:?}");
        assert!(listed(&app, json!({})).await.is_empty());
    }

    what_is_throttled_or_not_answered_is_put_again, async |db| {
        let (app, double, mut dispatcher) = told(db).await;
        for (name, disturbance, times) in [
            ("throttled", Disturbance::Throttled, 1),
            ("lost", Disturbance::Lost, 1),
            ("broken", Disturbance::ServerError, 1),
            ("denied", Disturbance::Refused("AccessDeniedException".into(), "not authorized to perform: events:PutEvents".into()), 1),
            ("answer-lost", Disturbance::AnswerLost, 2),
        ] {
            double.disturb("PutEvents", disturbance);
            template(&app, name).await;
            deliver(&app, &mut dispatcher).await;
            app.pass(LATER_MS);
            deliver(&app, &mut dispatcher).await;
            let told = on_bus(&double).into_iter().filter(|(told, _)| told == name).count();
            assert_eq!(told, times, "{name}");
            assert!(listed(&app, json!({})).await.is_empty(), "{name}");
        }
    }

    a_role_that_may_not_be_assumed_is_told_and_tried_again, async |db| {
        let (app, double, mut dispatcher) = told(db).await;
        double.deny_role(ROLE, true);
        template(&app, "env").await;
        deliver(&app, &mut dispatcher).await;
        let waiting = listed(&app, json!({})).await;
        assert!(waiting[0]["lastError"].as_str().unwrap().contains("sts:AssumeRole"), "{waiting:?}");
        double.deny_role(ROLE, false);
        app.pass(LATER_MS);
        deliver(&app, &mut dispatcher).await;
        assert_eq!(on_bus(&double).len(), 1);
    }
}
