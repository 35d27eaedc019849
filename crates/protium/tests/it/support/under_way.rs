//! Nothing is under way without somebody who brings it to an end, and every change of a status has its event: a check for
//! the end of tests.

use super::app::TestApp;
use protium::params;
use protium::store::{Reader, deployment_active};
use protium_domain::id::Id;
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use serde_json::Value;
use std::collections::BTreeMap;

/// What can be deployed, by its table.
const TARGETS: [&str; 4] = ["environment", "service_instance", "service_pipeline", "component"];

/// Fails if anything is IN_PROGRESS, CANCELLING or DELETE_IN_PROGRESS and no job is there that ends it.
pub async fn assert_all_have_jobs(app: &TestApp) {
    check(app, "1 = 1").await;
}

/// The same of one region, where there are many.
pub async fn assert_all_here_have_jobs(app: &TestApp) {
    check(app, &format!("region = '{}'", app.scope().region)).await;
}

async fn check(app: &TestApp, place: &str) {
    let mut rd = app.store().snapshot().await.unwrap();
    for table in TARGETS {
        for row in rows(&mut rd, table, place).await {
            check_target(&mut rd, table, &row).await;
        }
    }
    for row in rows(&mut rd, "service", place).await {
        check_service(&mut rd, &row, place).await;
    }
    check_records(&mut rd).await;
    check_registrations(&mut rd).await;
    check_events(&mut rd).await;
}

/// A row: its id, its status and its document.
struct Row {
    id: String,
    status: String,
    doc: Value,
}

async fn rows(rd: &mut Reader, table: &str, place: &str) -> Vec<Row> {
    let sql = format!("SELECT id, status, doc FROM {table} WHERE {place}");
    let found = rd.query(&sql, params![]).await.unwrap();
    found
        .into_iter()
        .map(|mut row| Row {
            id: row.text(0).unwrap(),
            status: row.text(1).unwrap(),
            doc: serde_json::from_str(&row.text(2).unwrap()).unwrap(),
        })
        .collect()
}

fn is_active(status: &str) -> bool {
    DeploymentStatus::parse(status).unwrap().is_active()
}

/// A target is under way if and only if it has a deployment that is, which has a job or waits for its service.
async fn check_target(rd: &mut Reader, table: &str, row: &Row) {
    let Row { id, status, .. } = row;
    let record = deployment_active(rd, &Id::parse(id).unwrap()).await.unwrap();
    match record {
        Some(record) => {
            assert_eq!(record.status.as_str(), status, "{table} {id} and its deployment {}", record.id);
            let jobs = jobs(rd, record.id.as_str()).await;
            if record.waiting {
                assert_eq!(jobs, 0, "{table} {id} waits");
                assert!(change_of(rd, row).await.is_object(), "{table} {id} waits for a service at rest");
            } else {
                assert_eq!(jobs, 1, "{table} {id} is {status}: jobs of {}", record.id);
            }
        }
        // Only announced: the change of the service comes to it.
        None if status == "DELETE_IN_PROGRESS" => {
            let change = change_of(rd, row).await;
            let announced = change["removed"].as_array().into_iter().flatten().any(|removed| removed["id"] == **id);
            assert!(announced, "{table} {id} is {status} without a deployment");
        }
        None => assert!(!is_active(status), "{table} {id} is {status} without a deployment"),
    }
}

/// What is under way for the service of an instance or a pipeline.
async fn change_of(rd: &mut Reader, row: &Row) -> Value {
    let service = row.doc["service_id"].as_str().expect("it belongs to a service").to_owned();
    let of =
        rows(rd, "service", "1 = 1").await.into_iter().find(|row| row.id == service).expect("its service is there");
    of.doc["change"].clone()
}

/// A service is under way if and only if it has a change, which has something to wait for.
async fn check_service(rd: &mut Reader, row: &Row, place: &str) {
    let Row { id, status, doc } = row;
    let active = ServiceStatus::parse(status).unwrap().is_active();
    assert_eq!(doc["change"].is_object(), active, "service {id} is {status}");
    let mut parts = rows(rd, "service_instance", place).await;
    parts.extend(rows(rd, "service_pipeline", place).await);
    let waits = parts.iter().any(|part| part.doc["service_id"] == **id && is_active(&part.status));
    assert!(!active || waits, "service {id} is {status} and waits for nothing");
}

/// No deployment is under way whose target is not.
async fn check_records(rd: &mut Reader) {
    let sql = "SELECT target_id, status FROM deployment WHERE active = 1";
    for mut record in rd.query(sql, params![]).await.unwrap() {
        let (target, status) = (record.text(0).unwrap(), record.text(1).unwrap());
        let mut found = Vec::new();
        for table in TARGETS {
            found.extend(
                rows(rd, table, "1 = 1").await.into_iter().filter(|row| row.id == target).map(|row| row.status),
            );
        }
        assert_eq!(found, [status], "the target {target} of a deployment that is under way");
    }
}

/// Versions of one major version are registered one after the other: where one is to be, one has a job.
async fn check_registrations(rd: &mut Reader) {
    let sql = "SELECT kind, template, major, (SELECT COUNT(*) FROM job WHERE job.kind = 'register_version' AND job.key = v.id)
               FROM template_version v WHERE status = 'REGISTRATION_IN_PROGRESS'";
    let mut jobs = BTreeMap::<_, i64>::new();
    for mut row in rd.query(sql, params![]).await.unwrap() {
        let of = (row.text(0).unwrap(), row.text(1).unwrap(), row.int(2).unwrap());
        *jobs.entry(of).or_default() += row.int(3).unwrap();
    }
    for (of, jobs) in jobs {
        assert!(jobs > 0, "versions of {of:?} are REGISTRATION_IN_PROGRESS without a job");
    }
}

async fn jobs(rd: &mut Reader, deployment: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM job WHERE kind = 'deploy' AND key = $1";
    rd.query_one(sql, params![deployment]).await.unwrap().int(0).unwrap()
}

/// Fails if a change of a status has no event, or an event no change: those of a resource go from one status to the next,
/// without a gap, and end with the one that it has, or with its end.
pub async fn assert_all_is_told(app: &TestApp) {
    check_events(&mut app.store().snapshot().await.unwrap()).await;
}

/// Where resources with a status stand.
const WITH_STATUS: [&str; 8] = [
    "environment",
    "service",
    "service_instance",
    "service_pipeline",
    "component",
    "account_connection",
    "template_version",
    "deployment",
];

async fn check_events(rd: &mut Reader) {
    let sql = "SELECT resource_id, kind, detail FROM event ORDER BY resource_id, revision";
    let mut last = BTreeMap::<String, String>::new();
    for mut row in rd.query(sql, params![]).await.unwrap() {
        let (id, kind) = (row.text(0).unwrap(), row.text(1).unwrap());
        let detail: Value = serde_json::from_str(&row.text(2).unwrap()).unwrap();
        let (status, was) = (detail["status"].as_str().unwrap(), detail["previousStatus"].as_str());
        assert_eq!(was, last.get(&id).map(String::as_str), "{kind} {id} has become {status}");
        assert_ne!(was, Some(status), "{kind} {id} has not changed");
        last.insert(id, status.to_owned());
    }
    for table in WITH_STATUS {
        for mut row in rd.query(&format!("SELECT id, status FROM {table}"), params![]).await.unwrap() {
            let (id, status) = (row.text(0).unwrap(), row.text(1).unwrap());
            assert_eq!(last.remove(&id), Some(status), "the {table} {id} is not what its events say");
        }
    }
    for table in ["template", "repository", "template_sync_config", "service_sync_config", "sync_blocker"] {
        for mut row in rd.query(&format!("SELECT id FROM {table}"), params![]).await.unwrap() {
            let id = row.text(0).unwrap();
            assert!(last.remove(&id).is_some_and(|status| status != "DELETED"), "the {table} {id} has no event");
        }
    }
    for (id, status) in last {
        assert_eq!(status, "DELETED", "{id} is gone, and no event says so");
    }
}
