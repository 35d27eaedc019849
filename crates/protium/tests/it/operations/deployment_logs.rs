//! What the commands of a deployment print, of logs that are written here: those that runs write are in `process`.

use super::seed;
use crate::on_both;
use crate::support::app::{Refused, TestApp, code};
use protium::store::Target;
use protium_domain::deployment::Deployment;
use protium_domain::page::Listing;
use protium_domain::status::DeploymentStatus::{self, InProgress, Succeeded};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write as _;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The only deployment of an environment of its own.
async fn deployment(app: &TestApp, status: DeploymentStatus, edit: impl FnOnce(&mut Deployment)) -> Deployment {
    let track = seed::track(app, Succeeded, Some((1, 0))).await;
    let name = seed::id().to_string();
    let target = Target::Environment(seed::environment(app, &name, track).await);
    seed::deployment(app, &target, status, app.app.clock.now_ms(), edit).await
}

/// Goes on with the log of its run.
fn print(app: &TestApp, record: &Deployment, text: &str) {
    let folder = app.app.config.runs_folder().join(record.target.id.as_str()).join(record.id.as_str());
    fs::create_dir_all(&folder).unwrap();
    let mut log = OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    log.write_all(text.as_bytes()).unwrap();
}

fn line(ms: i64, text: &str) -> String {
    format!("{}\n", json!({ "t": ms, "m": text }))
}

async fn ask(app: &TestApp, record: &Deployment, more: Value) -> Result<Value, Refused> {
    let mut input = json!({ "id": record.id.as_str() });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.call("GetDeploymentLogs", input).await
}

/// The texts of a page, and the token.
async fn page(app: &TestApp, record: &Deployment, more: Value) -> (Vec<String>, Option<Value>) {
    let answer = ask(app, record, more).await.unwrap();
    let lines = answer["logs"].as_array().unwrap().iter().map(|line| line["message"].as_str().unwrap().to_owned());
    (lines.collect(), answer.get("nextToken").cloned())
}

on_both! {
    lines_come_with_their_times_page_by_page, async |db| {
        let app = TestApp::on(db).await;
        let record = deployment(&app, Succeeded, |_| {}).await;
        print(&app, &record, &[line(1500, "$ make"), line(2000, "é\u{1b}[1m\t"), line(2001, "")].concat());
        let all = ask(&app, &record, json!({})).await.unwrap();
        assert_eq!(all, json!({ "logs": [
            { "timestamp": 1.5, "message": "$ make" },
            { "timestamp": 2, "message": "é\u{1b}[1m\t" },
            { "timestamp": 2.001, "message": "" },
        ] }));
        for most in [1, 2, 3, 4, 1000] {
            let (mut lines, mut token) = page(&app, &record, json!({ "maxResults": most })).await;
            while let Some(next) = token {
                let (more, after) = page(&app, &record, json!({ "maxResults": most, "nextToken": next })).await;
                assert!(!more.is_empty() && more.len() <= most, "{most}");
                lines.extend(more);
                token = after;
            }
            assert_eq!(lines, ["$ make", "é\u{1b}[1m\t", ""], "{most}");
        }
    }

    a_deployment_that_is_under_way_is_followed_to_its_end, async |db| {
        let app = TestApp::on(db).await;
        let record = deployment(&app, InProgress, |_| {}).await;
        let (lines, begin) = page(&app, &record, json!({})).await;
        assert!(lines.is_empty() && begin.is_some(), "it may begin yet");
        print(&app, &record, &[line(1, "a"), line(2, "b"), "{\"t\":3,\"m\":\"hal".to_owned()].concat());
        let (lines, token) = page(&app, &record, json!({ "nextToken": begin })).await;
        assert_eq!(lines, ["a", "b"], "what is not whole is left for later");
        let again = page(&app, &record, json!({ "nextToken": token })).await;
        assert_eq!(again, (vec![], token.clone()), "it is the same place");
        print(&app, &record, "f\"}\n");
        let (lines, token) = page(&app, &record, json!({ "nextToken": token })).await;
        assert_eq!(lines, ["half"]);
        end(&app, &record).await;
        assert_eq!(page(&app, &record, json!({ "nextToken": token })).await, (vec![], None));
        assert_eq!(page(&app, &record, json!({ "nextToken": begin })).await, (vec!["a".into(), "b".into(), "half".into()], None));
    }

    logs_are_of_one_deployment_of_ones_own, async |db| {
        let app = TestApp::on(db).await;
        let record = deployment(&app, InProgress, |_| {}).await;
        print(&app, &record, &line(1, "a"));
        for other in [app.in_account("111111111111"), app.in_region("eu-west-1")] {
            assert_eq!(code(ask(&other, &record, json!({})).await), "ResourceNotFoundException");
        }
        let unknown = app.call("GetDeploymentLogs", json!({ "id": seed::id().as_str() })).await;
        assert_eq!(code(unknown), "ResourceNotFoundException");
        let (_, token) = page(&app, &record, json!({})).await;
        let another = deployment(&app, InProgress, |_| {}).await;
        let refused = ask(&app, &another, json!({ "nextToken": token })).await.unwrap_err();
        assert!(refused.code == "ValidationException" && refused.message.starts_with("nextToken: "), "{refused:?}");
    }

    a_token_that_was_made_up_leads_nowhere, async |db| {
        let app = TestApp::on(db).await;
        let record = deployment(&app, Succeeded, |_| {}).await;
        print(&app, &record, &[line(1, "éé"), line(2, "b")].concat());
        let scope = app.scope();
        let listing = Listing::new([scope.account.as_str(), &scope.region, "GetDeploymentLogs", "id", record.id.as_str()]);
        for within in 1..10 {
            let token = listing.token_after(&within.to_string());
            assert_eq!(page(&app, &record, json!({ "nextToken": token })).await, (vec!["b".into()], None), "{within}");
        }
        for beyond in [1000, u64::MAX] {
            let token = listing.token_after(&beyond.to_string());
            assert_eq!(page(&app, &record, json!({ "nextToken": token })).await, (vec![], None));
        }
        for nowhere in ["-1", "x", "", "18446744073709551616"] {
            let refused = ask(&app, &record, json!({ "nextToken": listing.token_after(nowhere) })).await;
            assert_eq!(code(refused), "ValidationException", "{nowhere}");
        }
    }

    where_there_is_no_log_it_is_empty_or_said_to_be_removed, async |db| {
        let app = TestApp::on(db).await;
        let order = |engine: &str| json!({ "engine": engine }).to_string().into_bytes();
        let commands = seed::content(&app, &order("commands")).await;
        let stacks = seed::content(&app, &order("cloudformation")).await;
        let long_ago = app.app.clock.now_ms() - 31 * DAY_MS;
        for (order, completed_at, is_removed) in [
            (None, long_ago, false),
            (Some(&stacks), long_ago, false),
            (Some(&commands), long_ago + 2 * DAY_MS, false),
            (Some(&commands), long_ago, true),
        ] {
            let record = deployment(&app, Succeeded, |record| {
                record.order = order.cloned();
                record.completed_at = Some(completed_at);
            }).await;
            match ask(&app, &record, json!({})).await {
                Ok(answer) => assert!(!is_removed && answer == json!({ "logs": [] }), "{answer}"),
                Err(refused) => {
                    assert!(is_removed && refused.code == "ResourceNotFoundException", "{refused:?}");
                    assert!(refused.message.contains("are removed 30 days after"), "{}", refused.message);
                }
            }
        }
    }
}

/// Ends a deployment as a worker would.
async fn end(app: &TestApp, record: &Deployment) {
    let mut record = record.clone();
    record.status = Succeeded;
    record.completed_at = Some(app.app.clock.now_ms());
    let saved = protium::transaction!(app.store(), async |tx| -> Result<bool, protium::store::DbError> {
        protium::store::deployment_save(tx, &mut record, InProgress, 2).await
    });
    assert!(saved.unwrap());
}
