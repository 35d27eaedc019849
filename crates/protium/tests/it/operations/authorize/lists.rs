//! What lists show to those who may not list everything.

use super::*;
use crate::operations::pagination::{Noun, Row, add, begin, rows};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use protium_domain::iam::actions;
use std::collections::BTreeSet;

/// How many entries of its own each list has.
const ENTRIES: i64 = 9;
const CASES: usize = 6;

/// The action that decides for each entry of a list.
fn get_of(operation: &str) -> &'static str {
    let action = actions::find(&format!("proton:{operation}")).expect("an action");
    action.entries.expect("a list of resources")
}

/// All pages of that size, each with the ARNs of its entries.
async fn pages(app: &TestApp, row: &Row, most: usize) -> Vec<Vec<String>> {
    let (mut pages, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = row.input.clone();
        (input["maxResults"], input["nextToken"]) = (json!(most), token);
        let answer = app.ok(row.operation, input).await;
        let entries = answer[row.entries].as_array().unwrap().iter();
        pages.push(entries.map(|entry| entry["arn"].as_str().unwrap().to_owned()).collect());
        match answer.get("nextToken") {
            Some(next) => token = next.clone(),
            None => return pages,
        }
    }
}

/// Who may get these resources, and whatever deployments are of.
fn sees(app: &TestApp, get: &str, arns: &[String]) -> TestApp {
    let targets = if get == "proton:GetDeployment" { "proton:GetEnvironment" } else { "s3:GetObject" };
    let entries = if arns.is_empty() { vec!["arn:aws:proton:*:*:none/x".to_owned()] } else { arns.to_vec() };
    app.as_user("ada", json!([allow(get, entries), allow(targets, "*")]))
}

on_both! {
    a_list_shows_what_may_be_got_in_full_pages, async |db| {
        let app = TestApp::on(db).await;
        begin(&app).await;
        let mut runner = TestRunner::deterministic();
        let mut filled = BTreeSet::new();
        for row in rows().into_iter().filter(|row| !matches!(row.noun, Noun::Tag | Noun::Minor(_))) {
            if filled.insert(format!("{:?}", row.noun)) {
                for place in 0..ENTRIES {
                    add(&app, row.noun, place).await;
                }
            }
            let all = pages(&app, &row, 100).await.concat();
            assert!(all.len() >= 2, "{}: {all:?}", row.operation);
            for _ in 0..CASES {
                let case = (proptest::sample::subsequence(all.clone(), 0..=all.len()), 1..=all.len() + 1);
                let (seen, most) = case.new_tree(&mut runner).unwrap().current();
                let user = sees(&app, get_of(row.operation), &seen);
                let pages = pages(&user, &row, most).await;
                assert_eq!(pages.concat(), seen, "{} {} by {most}", row.operation, row.input);
                let (last, full) = pages.split_last().unwrap();
                assert!(full.iter().all(|page| page.len() == most), "{}: {pages:?}", row.operation);
                assert!(!last.is_empty() || seen.is_empty(), "{}: {pages:?}", row.operation);
            }
        }
    }

    what_is_far_behind_what_is_not_shown_is_found, async |db| {
        let app = TestApp::on(db).await;
        for number in 0..230 {
            seed::service(&app, &format!("s{number:03}"), ServiceStatus::Active).await;
        }
        let row = rows().into_iter().find(|row| row.operation == "ListServices").unwrap();
        let sevens = app.as_user("ada", json!(allow("proton:GetService", "arn:aws:proton:*:*:service/s*7")));
        let names: Vec<String> = (7..230).step_by(10).map(|number| format!("{}:service/s{number:03}", app.arn_prefix())).collect();
        let found = pages(&sevens, &row, 5).await;
        assert_eq!((found.len(), found.concat()), (5, names));
        let last = app.as_user("ada", json!(allow("proton:GetService", "arn:aws:proton:*:*:service/s229")));
        assert_eq!(pages(&last, &row, 1).await, [[format!("{}:service/s229", app.arn_prefix())]]);
    }

    a_list_that_is_allowed_shows_all_and_one_that_is_denied_nothing, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        let services = async |statements: Value| {
            let answer = app.as_user("ada", statements).call("ListServices", json!({})).await;
            answer.map_or_else(|refused| refused.code, |answer| answer["services"].as_array().unwrap().len().to_string())
        };
        let (get, list) = (allow("proton:GetService", "*"), allow("proton:ListServices", "*"));
        assert_eq!(services(json!([list, deny("proton:GetService", "*")])).await, "1");
        assert_eq!(services(json!([get])).await, "1");
        assert_eq!(services(json!([get, deny("proton:GetService", "arn:aws:proton:*:*:service/web")])).await, "0");
        assert_eq!(services(json!([get, deny("proton:ListServices", "*")])).await, DENIED);
        // Who may get nothing has nothing to list.
        assert_eq!(services(json!([allow("proton:GetEnvironment", "*")])).await, DENIED);
        // One that is allowed elsewhere only is not allowed here.
        let elsewhere = json!({ "StringEquals": { "aws:RequestedRegion": "eu-west-1" } });
        assert_eq!(services(json!([when("proton:ListServices", elsewhere.clone()), get])).await, "1");
        assert_eq!(services(json!([when("proton:ListServices", elsewhere)])).await, DENIED);
    }

    entries_are_known_by_their_tags, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        let tracks = seed::track(&app, DeploymentStatus::Succeeded, Some((1, 0))).await;
        seed::environment(&app, "test", tracks).await;
        tag(&app, "environment/prod", "blue").await;
        tag(&app, "environment/test", "red").await;
        let of = |team: &str| app.as_user(team, json!(when("proton:Get*", json!({ "StringEquals": { "aws:ResourceTag/team": team } }))));
        for (team, name) in [("blue", "prod"), ("red", "test")] {
            let answer = of(team).ok("ListEnvironments", json!({})).await;
            let names: Vec<&Value> = answer["environments"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
            assert_eq!(names, [name]);
            assert_eq!(of(team).ok("GetResourcesSummary", json!({})).await["counts"]["environments"]["total"], 1);
        }
        assert_eq!(of("green").ok("ListEnvironments", json!({})).await["environments"], json!([]));
    }

    a_deployment_is_listed_to_who_sees_what_it_is_of, async |db| {
        let app = TestApp::on(db).await;
        let [environment, instance, pipeline] = site(&app).await;
        let listed = async |also: Value| {
            let user = app.as_user("ada", json!([allow("proton:GetDeployment", "*"), also]));
            let answer = user.ok("ListDeployments", json!({})).await;
            let ids = answer["deployments"].as_array().unwrap().iter();
            ids.map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(listed(allow("proton:GetEnvironment", "*")).await, [environment]);
        assert_eq!(listed(allow("proton:GetService", "*")).await, [pipeline]);
        assert_eq!(listed(allow("proton:GetServiceInstance", "*")).await, [instance]);
        assert_eq!(listed(allow("proton:GetComponent", "*")).await, Vec::<String>::new());
    }

    versions_are_listed_to_who_may_get_those_of_the_template, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        let list = |name: &str| json!({ "templateName": name });
        let env = app.as_user("ada", json!(allow("proton:GetEnvironmentTemplateVersion", "arn:aws:proton:*:*:environment-template/env")));
        let listed = env.ok("ListEnvironmentTemplateVersions", list("env")).await;
        assert_eq!(listed["templateVersions"].as_array().unwrap().len(), 1);
        for name in ["other", "none"] {
            assert_eq!(code(env.call("ListEnvironmentTemplateVersions", list(name)).await), DENIED);
        }
    }

    whether_there_is_a_service_is_not_told_by_the_list_of_its_instances, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        let ada = app.as_user("ada", json!(allow("proton:GetServiceInstance", "arn:aws:proton:*:*:service/mine/*")));
        for name in ["web", "none"] {
            assert_eq!(ada.ok("ListServiceInstances", json!({ "serviceName": name })).await["serviceInstances"], json!([]));
        }
    }

    the_summary_counts_what_may_be_got, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        seed::template_version(&app, TemplateKind::Service, "svc", (1, 0)).await;
        let failed = seed::track(&app, DeploymentStatus::Failed, Some((1, 0))).await;
        let environment = seed::environment(&app, "test", failed.clone()).await;
        seed::component(&app, "bucket", &environment, None, failed).await;
        seed::service(&app, "bare", ServiceStatus::CreateFailed).await;
        let all = app.ok("GetResourcesSummary", json!({})).await;
        let reader = app.as_user("reader", json!(allow("proton:Get*Environment", "*")));
        let every = ["Component", "Environment", "EnvironmentTemplate", "Service", "ServiceInstance", "ServiceTemplate"];
        let gets = app.as_user("gets", json!(allow(every.map(|noun| format!("proton:Get{noun}")), "*")));
        assert_eq!(gets.ok("GetResourcesSummary", json!({})).await, all);
        let counts = reader.ok("GetResourcesSummary", json!({})).await["counts"].clone();
        assert_eq!(counts["environments"], all["counts"]["environments"]);
        for noun in ["components", "environmentTemplates", "pipelines", "serviceInstances", "serviceTemplates", "services"] {
            assert_eq!(counts[noun]["total"], 0, "{noun}");
        }
        let prod = app.as_user("prod", json!(allow("proton:GetEnvironment", "arn:aws:proton:*:*:environment/prod")));
        let counts = prod.ok("GetResourcesSummary", json!({})).await["counts"].clone();
        assert_eq!((&counts["environments"]["total"], &counts["environments"]["failed"]), (&json!(1), &json!(0)));
        let refused = app.as_user("none", json!([allow("proton:Get*", "*"), deny("proton:GetResourcesSummary", "*")]));
        assert_eq!(code(refused.call("GetResourcesSummary", json!({})).await), DENIED);
        let other = app.as_user("other", json!(allow("proton:GetAccountSettings", "*")));
        assert_eq!(code(other.call("GetResourcesSummary", json!({})).await), DENIED);
    }
}
