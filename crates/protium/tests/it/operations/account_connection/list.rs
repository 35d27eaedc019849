use super::*;
use crate::on_both;
use crate::support::app::code;

const LIST: &str = "ListEnvironmentAccountConnections";

/// The names of the environments on a page, and the token for the next one.
async fn page(app: &TestApp, input: Value) -> (Vec<String>, Option<String>) {
    let answer = app.ok(LIST, input).await;
    let found = answer["environmentAccountConnections"].as_array().unwrap().iter();
    let names = found.map(|one| text(&one["environmentName"]).to_owned()).collect();
    (names, answer.get("nextToken").map(|token| text(token).to_owned()))
}

async fn names(app: &TestApp, requested_by: &str, change: Value) -> Vec<String> {
    let (names, token) = page(app, but(json!({ "requestedBy": requested_by }), change)).await;
    assert_eq!(token, None, "the last page has no token");
    names
}

on_both! {
    each_account_lists_the_side_that_it_asks_for, async |db| {
        let two = Two::on(db).await;
        for environment in ["a", "b"] {
            two.requested(environment).await;
            two.app.pass(10);
        }
        let own = but(request("own"), json!({ "managementAccountId": LENDS }));
        two.lends.ok("CreateEnvironmentAccountConnection", own).await;
        let all = json!({});
        assert_eq!(names(&two.lends, "ENVIRONMENT_ACCOUNT", all.clone()).await, ["own", "b", "a"], "the newest first");
        assert_eq!(names(&two.lends, "MANAGEMENT_ACCOUNT", all.clone()).await, ["own"]);
        assert_eq!(names(&two.app, "MANAGEMENT_ACCOUNT", all.clone()).await, ["b", "a"]);
        assert!(names(&two.app, "ENVIRONMENT_ACCOUNT", all.clone()).await.is_empty());
        for other in [two.app.in_account(STRANGER), two.app.in_region("eu-west-1")] {
            assert!(names(&other, "MANAGEMENT_ACCOUNT", all.clone()).await.is_empty());
        }
    }

    an_entry_is_the_connection_without_the_role_for_commands, async |db| {
        let two = Two::on(db).await;
        let input = but(request("prod"), json!({ "codebuildRoleArn": LENT, "componentRoleArn": LENT }));
        let mut made = connection(two.lends.ok("CreateEnvironmentAccountConnection", input).await);
        made.as_object_mut().unwrap().remove("codebuildRoleArn");
        let listed = two.app.ok(LIST, json!({ "requestedBy": "MANAGEMENT_ACCOUNT" })).await;
        assert_eq!(listed["environmentAccountConnections"], json!([made]));
    }

    filters_narrow_together_and_statuses_are_alternatives, async |db| {
        let two = Two::on(db).await;
        for environment in ["pending", "connected", "rejected", "connected"] {
            let id = text(&two.requested(environment).await["id"]).to_owned();
            match environment {
                "rejected" => drop(two.reject(&id).await.unwrap()),
                // The second one for the same environment stays pending.
                "connected" => drop(two.accept(&id).await),
                _ => {}
            }
            two.app.pass(10);
        }
        for (filter, expected) in [
            (json!({}), vec!["connected", "rejected", "connected", "pending"]),
            (json!({ "statuses": [] }), vec!["connected", "rejected", "connected", "pending"]),
            (json!({ "statuses": ["CONNECTED"] }), vec!["connected"]),
            (json!({ "statuses": ["REJECTED", "CONNECTED"] }), vec!["rejected", "connected"]),
            (json!({ "statuses": ["PENDING", "PENDING"] }), vec!["connected", "pending"]),
            (json!({ "environmentName": "connected" }), vec!["connected", "connected"]),
            (json!({ "environmentName": "connected", "statuses": ["PENDING"] }), vec!["connected"]),
            (json!({ "environmentName": "nothing" }), vec![]),
        ] {
            for (app, side) in [(&two.lends, "ENVIRONMENT_ACCOUNT"), (&two.app, "MANAGEMENT_ACCOUNT")] {
                assert_eq!(names(app, side, filter.clone()).await, expected, "{filter}");
            }
        }
    }

    pages_cover_everything_once_and_in_order, async |db| {
        let two = Two::on(db).await;
        // Some at the same moment: the id decides.
        for number in 0..7 {
            two.requested(&format!("e{number}")).await;
            two.app.pass(i64::from(number % 2));
        }
        let whole = names(&two.app, "MANAGEMENT_ACCOUNT", json!({})).await;
        assert_eq!(whole.len(), 7);
        for size in [1, 3, 7] {
            let (mut all, mut token) = (Vec::new(), None);
            loop {
                let input = json!({ "requestedBy": "MANAGEMENT_ACCOUNT", "maxResults": size, "nextToken": token });
                let (names, next) = page(&two.app, input).await;
                assert!(names.len() <= size);
                all.extend(names);
                token = next;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(all, whole);
        }
    }

    a_token_belongs_to_its_list, async |db| {
        let two = Two::on(db).await;
        for environment in ["a", "b"] {
            two.requested(environment).await;
        }
        let first = json!({ "requestedBy": "MANAGEMENT_ACCOUNT", "maxResults": 1, "statuses": ["PENDING", "REJECTED"] });
        let (_, token) = page(&two.app, first.clone()).await;
        let next = but(first, json!({ "nextToken": token.unwrap() }));
        page(&two.app, next.clone()).await;
        page(&two.app, but(next.clone(), json!({ "statuses": ["REJECTED", "PENDING"], "maxResults": 5 }))).await;
        for change in [
            json!({ "requestedBy": "ENVIRONMENT_ACCOUNT" }),
            json!({ "statuses": ["PENDING"] }),
            json!({ "statuses": null }),
            json!({ "environmentName": "a" }),
            json!({ "nextToken": "AAAA" }),
        ] {
            let refused = two.app.call(LIST, but(next.clone(), change.clone())).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{change}");
            assert!(refused.message.contains("nextToken"), "{change}: {}", refused.message);
        }
        assert_eq!(code(two.lends.call(LIST, next).await), "ValidationException", "another account's");
    }

    what_the_model_does_not_allow_is_refused, async |db| {
        let two = Two::on(db).await;
        for (change, says) in [
            (json!({ "requestedBy": null }), "requestedBy"),
            (json!({ "requestedBy": "NOBODY" }), "requestedBy"),
            (json!({ "statuses": ["WAITING"] }), "statuses"),
            (json!({ "environmentName": "" }), "environmentName"),
            (json!({ "maxResults": 0 }), "maxResults"),
            (json!({ "maxResults": 101 }), "maxResults"),
            (json!({ "nextToken": "not base64!" }), "nextToken"),
        ] {
            let input = but(json!({ "requestedBy": "MANAGEMENT_ACCOUNT" }), change);
            let refused = two.app.call(LIST, input.clone()).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{input}");
            assert!(refused.message.contains(says), "{input}: {}", refused.message);
        }
    }
}
