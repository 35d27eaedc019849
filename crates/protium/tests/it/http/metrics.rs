//! What Prometheus reads.

use http::Request;
use serde_json::json;

use super::wire::Wire;
use crate::support::bundle;

async fn scrape(wire: &Wire) -> String {
    wire.exchange(Request::get("http://127.0.0.1/metrics").body(Vec::new()).unwrap()).await.text()
}

/// The value of the series with these labels, in whatever order they are written.
fn value(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let has_all = |series: &str| labels.iter().all(|(key, value)| series.contains(&format!("{key}=\"{value}\"")));
    let series = text.lines().filter_map(|line| line.rsplit_once(' '));
    let mut found = series.filter(|(series, _)| series.starts_with(&format!("{name}{{")) && has_all(series));
    found.next().map(|(_, value)| value.parse().expect("a number"))
}

#[tokio::test]
async fn requests_are_counted_and_timed_by_operation_and_code() {
    let wire = Wire::start().await;
    wire.send("CreateEnvironmentTemplate", br#"{"name":"env"}"#).await.ok();
    wire.send("GetEnvironmentTemplate", br#"{"name":"env"}"#).await.ok();
    wire.send("GetEnvironmentTemplate", br#"{"name":"env"}"#).await.ok();
    wire.send("GetEnvironmentTemplate", br#"{"name":"none"}"#).await.error();
    wire.send("MakeCoffee", b"{}").await.error();
    let text = scrape(&wire).await;
    for (operation, code, count) in [
        ("CreateEnvironmentTemplate", "OK", 1.0),
        ("GetEnvironmentTemplate", "OK", 2.0),
        ("GetEnvironmentTemplate", "ResourceNotFoundException", 1.0),
        ("unknown", "UnknownOperationException", 1.0),
    ] {
        let counted = value(&text, "protium_requests_total", &[("operation", operation), ("code", code)]);
        assert_eq!(counted, Some(count), "{operation} {code}\n{text}");
    }
    let timed = |operation| value(&text, "protium_request_duration_seconds_count", &[("operation", operation)]);
    assert_eq!(timed("GetEnvironmentTemplate"), Some(3.0), "{text}");
    let buckets = [("operation", "GetEnvironmentTemplate"), ("le", "+Inf")];
    assert_eq!(value(&text, "protium_request_duration_seconds_bucket", &buckets), Some(3.0), "{text}");
    assert!(!text.contains("MakeCoffee"), "what callers make up is no label\n{text}");
}

#[tokio::test]
async fn jobs_are_counted_by_kind_and_state() {
    let wire = Wire::start().await;
    let app = &wire.app;
    let states = async || {
        let text = scrape(&wire).await;
        ["queued", "running", "overdue"].map(|state| {
            let labels = [("kind", "register_version"), ("state", state)];
            value(&text, "protium_jobs", &labels).unwrap_or_else(|| panic!("no {state}\n{text}"))
        })
    };
    assert_eq!(states().await, [0.0, 0.0, 0.0]);
    app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
    app.upload("bundles", "env.tar.gz", bundle::pack(&bundle::environment())).await;
    let source = json!({ "s3": { "bucket": "bundles", "key": "env.tar.gz" } });
    app.ok("CreateEnvironmentTemplateVersion", json!({ "templateName": "env", "source": source })).await;
    app.pass(1_000);
    assert_eq!(states().await, [1.0, 0.0, 1.0]);
    assert!(app.claim().await.is_some());
    assert_eq!(states().await, [0.0, 1.0, 0.0]);
    app.work_later().await;
    assert_eq!(states().await, [0.0, 0.0, 0.0]);
}

#[tokio::test]
async fn names_of_resources_are_in_no_metric() {
    let wire = Wire::start().await;
    let app = &wire.app;
    app.ok("CreateEnvironmentTemplate", json!({ "name": "unmistakable", "description": "unmistakable" })).await;
    app.upload("unmistakable", "unmistakable", bundle::pack(&bundle::environment())).await;
    let source = json!({ "s3": { "bucket": "unmistakable", "key": "unmistakable" } });
    let input = json!({ "templateName": "unmistakable", "source": source });
    app.ok("CreateEnvironmentTemplateVersion", input).await;
    app.call("GetService", json!({ "name": "unmistakable" })).await.expect_err("there is none");
    let text = scrape(&wire).await;
    assert!(text.contains("CreateEnvironmentTemplateVersion"), "{text}");
    assert!(!text.contains("unmistakable"), "{text}");
}
