//! What requests leave in the audit log, and how it is read. That each operation that may change something leaves one
//! record is in `conformance`.

use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp, code, message, target};
use crate::support::database::TestDb;
use crate::support::plan::plan;
use crate::support::sign::Signer;
use protium::params;
use protium::store::{Call, DbError, DbErrorKind};
use protium_domain::job::Job;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const ROOT: &str = "arn:aws:iam::000000000000:root";
/// Refusals of one caller of which each has a record, if none was before.
const BURST: usize = 200;

async fn records(app: &TestApp, filter: Value) -> Vec<Value> {
    app.ok("ListAuditRecords", filter).await["auditRecords"].as_array().unwrap().clone()
}

/// The only record of all.
async fn only(app: &TestApp, filter: Value) -> Value {
    let mut found = records(app, filter).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.pop().unwrap()
}

/// All that is stored of each record, its document first.
async fn stored(app: &TestApp) -> Vec<String> {
    let mut reader = app.store().reader().await.unwrap();
    let sql = "SELECT doc || operation || principal || COALESCE(resource, '') FROM audit ORDER BY request_id";
    let rows = reader.query(sql, params![]).await.unwrap();
    rows.into_iter().map(|mut row| row.text(0).unwrap()).collect()
}

/// Lets the database fail at its call of that number (from 1) and serve all others. Answers how many there were.
fn fail_at(app: &TestApp, number: usize) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    app.store().db().set_probe(Some(Arc::new(move |_: Call<'_>| {
        if counted.fetch_add(1, Ordering::SeqCst) + 1 == number {
            return Err(DbError::new(DbErrorKind::Unavailable, "cut off, for the test"));
        }
        Ok(())
    })));
    calls
}

on_both! {
    a_change_is_recorded_with_who_and_what_and_without_what_is_sensitive, async |db| {
        let app = TestApp::on(db).await;
        let input = json!({
            "name": "env", "description": "hunter2hunter2", "displayName": "sesame sesame",
            "tags": [{ "key": "team", "value": "blue" }],
        });
        app.ok("CreateEnvironmentTemplate", input).await;
        let record = only(&app, json!({})).await;
        let prefix = app.arn_prefix();
        for (member, value) in [
            ("accountId", ACCOUNT),
            ("region", "us-east-1"),
            ("principalArn", ROOT),
            ("principalId", ACCOUNT),
            ("eventSource", "proton"),
            ("operation", "CreateEnvironmentTemplate"),
            ("resourceArn", &format!("{prefix}:environment-template/env")),
            ("outcome", "SUCCEEDED"),
        ] {
            assert_eq!(record[member], value, "{member} of {record}");
        }
        assert!(record["accessKeyId"].as_str().is_some_and(|key| key.starts_with("AKIA")), "{record}");
        assert!(record.get("errorCode").is_none() && record.get("unrecorded").is_none(), "{record}");
        let now = app.app.clock.now_ms() as f64 / 1000.0;
        assert!((now - 60.0..=now).contains(&record["eventTime"].as_f64().unwrap()), "{record}");
        let parameters: Value = serde_json::from_str(record["requestParameters"].as_str().unwrap()).unwrap();
        assert_eq!(parameters["name"], "env");
        assert_eq!(parameters["tags"], json!([{ "key": "team", "value": "blue" }]));
        assert_eq!([&parameters["description"], &parameters["displayName"]], ["[redacted]", "[redacted]"]);
        let kept = stored(&app).await.join("\n");
        assert!(!kept.contains("hunter2") && !kept.contains("sesame"), "{kept}");
    }

    what_only_reads_leaves_nothing, async |db| {
        let app = TestApp::on(db).await;
        app.ok("ListServices", json!({})).await;
        app.ok("GetAccountSettings", json!({})).await;
        assert_eq!(code(app.call("GetService", json!({ "name": "none" })).await), "ResourceNotFoundException");
        assert_eq!(stored(&app).await, Vec::<String>::new());
    }

    a_change_that_failed_is_recorded_with_why, async |db| {
        let app = TestApp::on(db).await;
        let refused = app.call("CancelEnvironmentDeployment", json!({ "environmentName": "env" })).await;
        let record = only(&app, json!({ "outcome": "FAILED" })).await;
        assert_eq!(record["errorCode"], "ResourceNotFoundException");
        assert_eq!(record["errorMessage"], message(refused));
        assert_eq!(record["resourceArn"], format!("{}:environment/env", app.arn_prefix()));
        app.call("UpdateService", json!({ "name": "shop", "description": 7 })).await.unwrap_err();
        let record = only(&app, json!({ "operation": "UpdateService" })).await;
        assert_eq!([&record["outcome"], &record["errorCode"]], ["FAILED", "SerializationException"]);
        assert!(record.get("requestParameters").is_none(), "it could not be read: {record}");
    }

    the_text_of_an_error_that_may_repeat_a_secret_is_left_out, async |db| {
        let app = TestApp::on(db).await;
        let input = json!({
            "name": "env", "templateName": "t", "templateMajorVersion": "1",
            "protonServiceRoleArn": "arn:aws:iam::000000000000:role/r",
            "spec": "proton: EnvironmentSpec\nspec: [hunter2hunter2\n",
        });
        app.call("CreateEnvironment", input.clone()).await.unwrap_err();
        let mut wrong = input;
        wrong["provisioningRepository"] = json!({ "provider": "GITHUB", "name": "o/r", "branch": "main" });
        let refused = app.call("CreateEnvironment", wrong).await;
        assert_eq!(code(refused), "ValidationException");
        let record = records(&app, json!({ "outcome": "FAILED" })).await.swap_remove(0);
        assert_eq!([&record["errorCode"], &record["errorMessage"]], ["ValidationException", "[redacted]"]);
        let kept = stored(&app).await.join("\n");
        assert!(!kept.contains("hunter2"), "{kept}");
    }

    what_is_repeated_is_recorded_each_time, async |db| {
        let app = TestApp::on(db).await;
        let input = json!({ "name": "env" });
        for _ in 0..2 {
            app.ok("CreateEnvironmentTemplate", input.clone()).await;
            app.ok("DeleteServiceTemplate", json!({ "name": "gone" })).await;
        }
        for operation in ["CreateEnvironmentTemplate", "DeleteServiceTemplate"] {
            let found = records(&app, json!({ "operation": operation, "outcome": "SUCCEEDED" })).await;
            assert_eq!(found.len(), 2, "{operation}: {found:?}");
        }
    }

    what_a_request_makes_under_an_id_is_named_by_it, async |db| {
        let app = TestApp::on(db).await;
        let input = json!({
            "clientToken": "once", "managementAccountId": "111111111111", "environmentName": "prod",
            "roleArn": "arn:aws:iam::000000000000:role/lent",
        });
        let mut arns = BTreeSet::new();
        for _ in 0..2 {
            let made = app.ok("CreateEnvironmentAccountConnection", input.clone()).await;
            arns.insert(made["environmentAccountConnection"]["arn"].as_str().unwrap().to_owned());
        }
        let arn = arns.pop_first().unwrap();
        assert!(arns.is_empty());
        assert_eq!(records(&app, json!({ "resourceArn": arn })).await.len(), 2);
    }

    a_request_with_a_bad_signature_is_recorded_with_the_key_that_it_names, async |db| {
        let app = TestApp::on(db).await;
        let request = |secret: &str, key: &str, service: &str, operation: &str| {
            let request = http::Request::post("http://127.0.0.1/")
                .header("host", "127.0.0.1")
                .header("content-type", "application/x-amz-json-1.0")
                .header("user-agent", "curl/8")
                .header("x-amz-target", target(operation))
                .body(b"{\"name\":\"secret name\"}".to_vec())
                .unwrap();
            Signer::new(key, secret, service).sign(request)
        };
        let key = format!("AKIA{ACCOUNT}TEST");
        for (service, operation) in [("proton", "GetService"), ("proton", "DeleteService"), ("s3", "x"), ("sts", "x")] {
            app.exchange(request("no secret of anybody at all", &key, service, operation)).await;
            app.exchange(request("no secret of anybody at all", "AKIAUNKNOWNUNKNOWN", service, operation)).await;
        }
        let found = records(&app, json!({ "outcome": "DENIED" })).await;
        let mut seen: Vec<[&str; 3]> = found
            .iter()
            .map(|one| ["eventSource", "operation", "errorCode"].map(|name| one[name].as_str().unwrap()))
            .collect();
        seen.sort_unstable();
        let wanted = [
            ["proton", "DeleteService", "InvalidSignatureException"],
            ["proton", "GetService", "InvalidSignatureException"],
            ["s3", "Unknown", "SignatureDoesNotMatch"],
            ["sts", "Unknown", "SignatureDoesNotMatch"],
        ];
        assert_eq!(seen, wanted);
        for record in &found {
            assert_eq!([&record["principalArn"], &record["accessKeyId"]], [&json!(ROOT), &json!(key)]);
            assert_eq!(record["userAgent"], "curl/8");
        }
        assert!(!stored(&app).await.join("\n").contains("secret"));
    }

    a_denied_caller_is_recorded_also_of_what_only_reads, async |db| {
        let app = TestApp::on(db).await;
        let other = app.in_account("222222222222");
        for (operation, input) in [("ListAccounts", json!({})), ("CreateAccount", json!({ "id": "333333333333" }))] {
            let refused = other.call(operation, input).await;
            let record = only(&other, json!({ "operation": operation })).await;
            assert_eq!([&record["outcome"], &record["errorCode"]], ["DENIED", "AccessDeniedException"]);
            assert_eq!(record["errorMessage"], message(refused));
            assert_eq!(record["eventSource"], "protium");
        }
        assert!(records(&app, json!({})).await.is_empty(), "an account sees its own");
    }

    of_a_flood_of_refusals_some_are_recorded_and_the_rest_is_counted, async |db| {
        let app = TestApp::on(db).await;
        let refused = async || code(app.call("CancelEnvironmentDeployment", json!({ "environmentName": "none" })).await);
        for _ in 0..3 * BURST {
            assert_eq!(refused().await, "ResourceNotFoundException");
        }
        let unrecorded = app.app.audit.unrecorded();
        let kept = stored(&app).await.len();
        assert_eq!(kept + usize::try_from(unrecorded).unwrap(), 3 * BURST);
        // The clock goes on while they come.
        assert!((BURST..3 * BURST).contains(&kept), "{kept}");
        app.pass(1000);
        refused().await;
        let newest = records(&app, json!({ "maxResults": 1 })).await.swap_remove(0);
        let told: i64 = stored(&app)
            .await
            .iter()
            .filter_map(|row| serde_json::Deserializer::from_str(row).into_iter::<Value>().next())
            .filter_map(|doc| doc.unwrap()["unrecorded"].as_i64())
            .sum();
        assert_eq!(u64::try_from(told).unwrap(), unrecorded, "{newest}");
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        assert_eq!(records(&app, json!({ "outcome": "SUCCEEDED" })).await.len(), 1, "what succeeds is always recorded");
    }

    a_change_and_its_record_are_there_both_or_neither, async |db| {
        let app = TestApp::on(db).await;
        for number in 1.. {
            let name = format!("t{number:03}");
            let calls = fail_at(&app, number);
            let answer = app.call("CreateEnvironmentTemplate", json!({ "name": name })).await;
            app.store().db().set_probe(None);
            let there = app.call("GetEnvironmentTemplate", json!({ "name": name })).await.is_ok();
            let arn = format!("{}:environment-template/{name}", app.arn_prefix());
            let outcomes: Vec<Value> = records(&app, json!({ "resourceArn": arn }))
                .await
                .into_iter()
                .map(|mut record| record["outcome"].take())
                .collect();
            // Of a failure the record may be lost with the database; never one of a change, and never two.
            let wanted: &[&[&str]] = if there { &[&["SUCCEEDED"]] } else { &[&["FAILED"], &[]] };
            assert!(wanted.iter().any(|wanted| outcomes == *wanted), "call {number}: {there} {outcomes:?}");
            if answer.is_ok() {
                assert!(there && calls.load(Ordering::SeqCst) < number && number > 3);
                return;
            }
        }
    }

    records_are_filtered_and_come_in_pages_the_newest_first, async |db| {
        let app = TestApp::on(db).await;
        let mut times = Vec::new();
        for number in 0..7 {
            app.pass(1000);
            times.push(app.app.clock.now_ms() as f64 / 1000.0);
            let name = format!("t{number}");
            app.ok("CreateEnvironmentTemplate", json!({ "name": name })).await;
            if number % 2 == 0 {
                app.ok("DeleteEnvironmentTemplate", json!({ "name": name })).await;
            }
        }
        let names = |found: &[Value]| -> Vec<String> {
            found.iter().map(|one| one["resourceArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
        };
        let mut input = json!({ "operation": "CreateEnvironmentTemplate", "maxResults": 3 });
        let (mut found, mut sizes) = (Vec::new(), Vec::new());
        loop {
            let page = app.ok("ListAuditRecords", input.clone()).await;
            let entries = page["auditRecords"].as_array().unwrap().clone();
            sizes.push(entries.len());
            found.extend(entries);
            let Some(token) = page.get("nextToken") else { break };
            input["nextToken"] = token.clone();
            let other = json!({ "operation": "DeleteEnvironmentTemplate", "nextToken": token });
            assert_eq!(code(app.call("ListAuditRecords", other).await), "ValidationException");
        }
        assert_eq!(sizes, [3, 3, 1]);
        assert_eq!(names(&found), ["t6", "t5", "t4", "t3", "t2", "t1", "t0"]);
        let between = json!({ "startTime": times[2], "endTime": times[4], "operation": "CreateEnvironmentTemplate" });
        assert_eq!(names(&records(&app, between).await), ["t3", "t2"]);
        let deleted = json!({ "operation": "DeleteEnvironmentTemplate", "principalArn": ROOT });
        assert_eq!(names(&records(&app, deleted).await), ["t6", "t4", "t2", "t0"]);
        let one = json!({ "requestId": found[2]["requestId"] });
        assert_eq!(names(&records(&app, one).await), ["t4"]);
        let all = json!({
            "requestId": found[2]["requestId"], "resourceArn": found[2]["resourceArn"], "principalArn": ROOT,
            "operation": "CreateEnvironmentTemplate", "outcome": "SUCCEEDED", "startTime": times[4] - 1.0,
        });
        assert_eq!(names(&records(&app, all).await), ["t4"]);
        for nothing in [
            json!({ "operation": "CreateEnvironmentTemplate", "outcome": "FAILED" }),
            json!({ "requestId": found[2]["requestId"], "resourceArn": found[3]["resourceArn"] }),
            json!({ "outcome": "DENIED" }),
            json!({ "principalArn": "arn:aws:iam::000000000000:user/nobody" }),
            json!({ "startTime": times[6] + 1000.0 }),
            json!({ "endTime": times[0] }),
        ] {
            assert!(records(&app, nothing.clone()).await.is_empty(), "{nothing}");
        }
        assert_eq!(records(&app.in_region("eu-west-1"), json!({})).await.len(), 11, "those of all regions");
    }

    records_of_a_resource_that_several_accounts_have_are_shown_to_each_its_own, async |db| {
        let app = TestApp::on(db).await;
        let other = app.in_account("222222222222");
        for app in [&app, &other] {
            for description in ["first", "another", "a third"] {
                app.pass(1000);
                // There is one after the first: two are refused.
                let input = json!({ "name": "a", "description": description });
                let _ = app.call("CreateEnvironmentTemplate", input).await;
            }
        }
        let arn = "arn:aws:iam::000000000000:role/of-both";
        protium::transaction!(app.store(), async |tx| -> Result<(), DbError> {
            tx.execute("UPDATE audit SET resource = $1", params![arn]).await.map(drop)
        })
        .unwrap();
        for (app, account) in [(&app, ACCOUNT), (&other, "222222222222")] {
            let mut input = json!({ "resourceArn": arn, "maxResults": 1 });
            let mut outcomes = Vec::new();
            loop {
                let page = app.ok("ListAuditRecords", input.clone()).await;
                for record in page["auditRecords"].as_array().unwrap() {
                    assert_eq!((&record["accountId"], &record["resourceArn"]), (&json!(account), &json!(arn)));
                    outcomes.push(record["outcome"].as_str().unwrap().to_owned());
                }
                let Some(token) = page.get("nextToken") else { break };
                input["nextToken"] = token.clone();
            }
            assert_eq!(outcomes, ["FAILED", "FAILED", "SUCCEEDED"]);
            for (outcome, count) in [("FAILED", 2), ("SUCCEEDED", 1), ("DENIED", 0)] {
                let input = json!({ "resourceArn": arn, "outcome": outcome, "startTime": 1.0 });
                assert_eq!(records(app, input).await.len(), count, "{outcome}");
            }
        }
    }

    old_records_are_removed_some_at_a_time, async |db| {
        let app = TestApp::with(db, |config| {
            config.audit.retention = Some(std::time::Duration::from_secs(10 * 24 * 60 * 60));
        })
        .await;
        let other = app.in_account("222222222222");
        for app in [&app, &other] {
            app.ok("CreateEnvironmentTemplate", json!({ "name": "old" })).await;
        }
        copies(&app, 2500).await;
        app.enqueue(&Job::ExpireAudit).await;
        app.work().await;
        assert_eq!(stored(&app).await.len(), 2502, "none is too old");
        app.pass(10 * DAY_MS - 60_000);
        app.ok("CreateEnvironmentTemplate", json!({ "name": "young" })).await;
        app.pass(120_000);
        app.work().await;
        let kept = stored(&app).await;
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert!(kept[0].contains("young"));
        assert!(app.claim().await.is_none(), "it waits");
        app.pass(60 * 60 * 1000);
        assert!(app.claim().await.is_some(), "and comes again");
    }

    removing_old_records_stops_anywhere_and_completes_later, async |db| {
        let app = TestApp::on(db).await;
        for step in 1.. {
            app.ok("CreateEnvironmentTemplate", json!({ "name": format!("t{step}") })).await;
            app.pass(91 * DAY_MS);
            app.enqueue(&Job::ExpireAudit).await;
            let calls = fail_at(&app, step);
            // A worker that can't even claim tells; the job is there for the next.
            let _told = protium::worker::run_one(&app.app, "test").await;
            app.store().db().set_probe(None);
            app.work_later().await;
            app.enqueue(&Job::ExpireAudit).await;
            app.work().await;
            assert_eq!(stored(&app).await.len(), 0, "step {step}");
            if calls.load(Ordering::SeqCst) < step {
                assert!(step > 3, "{step}");
                return;
            }
        }
    }

    where_none_are_kept_none_are_written, async |db| {
        let app = TestApp::with(db, |config| config.audit.retention = None).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "env" })).await;
        app.call("CancelEnvironmentDeployment", json!({ "environmentName": "none" })).await.unwrap_err();
        assert_eq!(stored(&app).await, Vec::<String>::new());
    }

    changes_of_the_bundle_store_are_recorded, async |db| {
        let app = TestApp::on(db).await;
        app.upload("bundles", "a/b.tar.gz", b"bytes".to_vec()).await;
        let send = async |method: &str, path: &str| {
            let request = http::Request::builder().method(method).uri(format!("http://127.0.0.1{path}"));
            app.send("s3", request.header("host", "127.0.0.1").body(Vec::new()).unwrap()).await.0
        };
        assert!(send("GET", "/bundles/a/b.tar.gz").await.is_success());
        assert!(!send("DELETE", "/bundles").await.is_success());
        assert!(send("DELETE", "/bundles/a/b.tar.gz").await.is_success());
        assert!(send("DELETE", "/bundles").await.is_success());
        let found = records(&app, json!({})).await;
        let mut seen: Vec<String> = found
            .iter()
            .map(|one| format!("{} {} {}", one["operation"], one["outcome"], one["resourceArn"]).replace('"', ""))
            .collect();
        seen.sort_unstable();
        let wanted = [
            "CreateBucket SUCCEEDED arn:aws:s3:::bundles",
            "DeleteBucket FAILED arn:aws:s3:::bundles",
            "DeleteBucket SUCCEEDED arn:aws:s3:::bundles",
            "DeleteObject SUCCEEDED arn:aws:s3:::bundles/a/b.tar.gz",
            "PutObject SUCCEEDED arn:aws:s3:::bundles/a/b.tar.gz",
        ];
        assert_eq!(seen, wanted);
        assert!(found.iter().all(|one| one["eventSource"] == "s3" && one["principalArn"] == ROOT), "{found:?}");
        assert_eq!(only(&app, json!({ "outcome": "FAILED" })).await["errorCode"], "BucketNotEmpty");
    }
}

/// Nobody wants to read the whole log to find what was done to one thing.
#[tokio::test]
async fn what_leaves_the_fewest_records_is_looked_up_in_its_index() {
    let app = TestApp::on(&TestDb::sqlite().await).await;
    let arn = format!("{}:environment-template/a", app.arn_prefix());
    for (input, index) in [
        (json!({}), "sqlite_autoindex_audit_1 (account=?)"),
        (json!({ "operation": "CreateService" }), "sqlite_autoindex_audit_1 (account=?)"),
        (
            json!({ "startTime": 1.0, "endTime": 2.0 }),
            "sqlite_autoindex_audit_1 (account=? AND request_id>? AND request_id<?)",
        ),
        (json!({ "outcome": "DENIED" }), "audit_refused (account=? AND outcome=?)"),
        (json!({ "outcome": "SUCCEEDED" }), "sqlite_autoindex_audit_1 (account=?)"),
        (json!({ "resourceArn": arn }), "audit_of_resource (account=? AND resource=?)"),
        (
            json!({ "resourceArn": arn, "outcome": "FAILED", "principalArn": ROOT, "startTime": 1.0 }),
            "audit_of_resource (account=? AND resource=? AND request_id>?)",
        ),
        (
            json!({ "requestId": "0192f0c1-2345-7890-abcd-0123456789ab", "resourceArn": arn, "outcome": "DENIED" }),
            "sqlite_autoindex_audit_1 (account=? AND request_id=?)",
        ),
    ] {
        let lines = plan(&app, "ListAuditRecords", input.clone(), "FROM audit").await;
        assert_eq!(lines, [format!("SEARCH audit USING INDEX {index}")], "{input}");
    }
}

/// Puts copies of the oldest record into the log.
async fn copies(app: &TestApp, count: i64) {
    protium::transaction!(app.store(), async |tx| -> Result<(), DbError> {
        for number in 0..count {
            let end = format!("{number:012x}");
            let sql = "INSERT INTO audit (account, request_id, principal, operation, outcome, doc)
                       SELECT account, SUBSTR(request_id, 1, 24) || $1, principal, operation, outcome, doc
                       FROM audit WHERE account = $2 ORDER BY request_id LIMIT 1";
            tx.execute(sql, params![&end, ACCOUNT]).await?;
        }
        Ok(())
    })
    .unwrap();
}
