use super::*;
use crate::on_both;
use crate::support::race::race;
use protium::store::TOKEN_LIFE_MS;

const CREATE: &str = "CreateEnvironmentAccountConnection";

/// A request with the token `t` and changed members.
fn with(change: Value) -> Value {
    but(but(request("prod"), json!({ "clientToken": "t" })), change)
}

impl Two {
    async fn create(&self, change: Value) -> Value {
        connection(self.lends.ok(CREATE, with(change)).await)
    }

    async fn count(&self) -> usize {
        let answer =
            self.lends.ok("ListEnvironmentAccountConnections", json!({ "requestedBy": "ENVIRONMENT_ACCOUNT" }));
        answer.await["environmentAccountConnections"].as_array().unwrap().len()
    }
}

on_both! {
    the_same_request_answers_the_current_details, async |db| {
        let two = Two::on(db).await;
        let tags = json!([{ "key": "a", "value": "1" }, { "key": "b", "value": "2" }]);
        let made = two.create(json!({ "tags": tags })).await;
        let again = json!({ "tags": [tags[1], tags[0]] });
        assert_eq!(two.create(again.clone()).await, made, "whatever the order of the tags");
        two.app.pass(1000);
        let accepted = two.accept(text(&made["id"])).await.unwrap();
        assert_eq!(two.create(again.clone()).await, accepted);
        let new = json!({ "id": made["id"], "roleArn": format!("arn:aws:iam::{LENDS}:role/new") });
        let updated = connection(two.lends.ok("UpdateEnvironmentAccountConnection", new).await);
        assert_eq!(two.create(again).await, updated, "an update is no reason to refuse");
        assert_eq!(two.count().await, 1);
    }

    any_other_parameter_is_a_mismatch, async |db| {
        let two = Two::on(db).await;
        two.create(json!({ "tags": [{ "key": "a", "value": "1" }] })).await;
        for change in [
            json!({}),
            json!({ "tags": [{ "key": "a", "value": "2" }] }),
            json!({ "environmentName": "test" }),
            json!({ "managementAccountId": STRANGER }),
            json!({ "roleArn": format!("arn:aws:iam::{LENDS}:role/new") }),
            json!({ "roleArn": null }),
            json!({ "codebuildRoleArn": LENT }),
            json!({ "componentRoleArn": LENT }),
        ] {
            let refused = two.lends.call(CREATE, with(change)).await.unwrap_err();
            assert_eq!((refused.code.as_str(), refused.message.as_str()), ("ValidationException", "Idempotent parameter mismatch"));
        }
        assert_eq!(two.count().await, 1);
    }

    a_request_without_a_token_or_with_another_one_makes_another, async |db| {
        let two = Two::on(db).await;
        for token in [json!(null), json!(null), json!(""), json!(""), json!("t"), json!("T")] {
            two.create(json!({ "clientToken": token })).await;
        }
        assert_eq!(two.count().await, 6);
    }

    a_token_counts_for_eight_hours, async |db| {
        let two = Two::on(db).await;
        let made = two.create(json!({})).await;
        two.app.pass(TOKEN_LIFE_MS - 60_000);
        assert_eq!(two.create(json!({})).await, made, "a repeat does not prolong it");
        two.app.pass(60_000);
        let other = two.create(json!({})).await;
        assert_ne!(other["id"], made["id"]);
        assert_eq!(two.create(json!({})).await, other);
        assert_eq!(two.count().await, 2);
    }

    after_a_deletion_the_same_request_makes_another, async |db| {
        let two = Two::on(db).await;
        let made = two.create(json!({})).await;
        two.forget(text(&made["id"])).await;
        let other = two.create(json!({})).await;
        assert_ne!(other["id"], made["id"]);
        two.forget(text(&other["id"])).await;
        two.create(json!({ "environmentName": "test" })).await;
        assert_eq!(two.count().await, 1, "the token is free for another request too");
    }

    accounts_and_regions_have_their_own_tokens, async |db| {
        let two = Two::on(db).await;
        two.create(json!({})).await;
        for other in [two.app.in_account(STRANGER), two.lends.in_region("eu-west-1")] {
            other.ok(CREATE, with(json!({ "environmentName": "test" }))).await;
        }
        assert_eq!(two.count().await, 1);
    }

    requests_that_race_make_one, async |db| {
        let two = Two::on(db).await;
        for round in 0..5 {
            let input = || (CREATE, with(json!({ "clientToken": format!("t{round}") })));
            let [left, right] = race(&two.lends, [input(), input()]).await;
            assert_eq!(left.unwrap(), right.unwrap());
            assert_eq!(two.count().await, round + 1);
        }
        let other = (CREATE, with(json!({ "clientToken": "x", "environmentName": "test" })));
        let answers = race(&two.lends, [(CREATE, with(json!({ "clientToken": "x" }))), other]).await;
        let refused: Vec<&str> = answers.iter().filter_map(|one| Some(one.as_ref().err()?.code.as_str())).collect();
        assert_eq!(refused, ["ValidationException"]);
    }

    a_restart_forgets_no_token, async |db| {
        let two = Two::on(db).await;
        let made = two.create(json!({})).await;
        two.accept(text(&made["id"])).await.unwrap();
        let two = two.restart(db).await;
        let again = two.create(json!({})).await;
        assert_eq!((&again["id"], &again["status"]), (&made["id"], &"CONNECTED".into()));
        let refused = two.lends.call(CREATE, with(json!({ "environmentName": "test" }))).await.unwrap_err();
        assert_eq!(refused.message, "Idempotent parameter mismatch");
    }
}
