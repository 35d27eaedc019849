use super::*;
use crate::on_both;
use crate::support::app::code;
use protium::store::event_list;

/// All that a connection can be asked for by its id.
const BY_ID: [&str; 5] = [
    "GetEnvironmentAccountConnection",
    "AcceptEnvironmentAccountConnection",
    "RejectEnvironmentAccountConnection",
    "UpdateEnvironmentAccountConnection",
    "DeleteEnvironmentAccountConnection",
];
const ABSENT: &str = "99999999-9999-4999-8999-999999999999";

fn role(name: &str) -> String {
    format!("arn:aws:iam::{LENDS}:role/{name}")
}

on_both! {
    a_request_waits_for_its_answer_and_both_accounts_see_it, async |db| {
        let two = Two::on(db).await;
        let input = but(request("prod"), json!({ "codebuildRoleArn": role("runs"), "componentRoleArn": role("parts") }));
        let made = connection(two.lends.ok("CreateEnvironmentAccountConnection", input).await);
        let id = text(&made["id"]);
        assert_eq!(made, json!({
            "arn": format!("{}:environment-account-connection/{id}", two.lends.arn_prefix()),
            "codebuildRoleArn": role("runs"), "componentRoleArn": role("parts"), "roleArn": LENT,
            "environmentAccountId": LENDS, "managementAccountId": ACCOUNT, "environmentName": "prod", "id": id,
            "requestedAt": made["requestedAt"], "lastModifiedAt": made["requestedAt"], "status": "PENDING",
        }));
        assert_eq!((get(&two.lends, id).await, get(&two.app, id).await), (made.clone(), made));
    }

    a_request_without_roles_shows_an_empty_one, async |db| {
        let two = Two::on(db).await;
        let input = but(request("prod"), json!({ "roleArn": null }));
        let made = connection(two.lends.ok("CreateEnvironmentAccountConnection", input).await);
        assert_eq!(made["roleArn"], "");
        assert_eq!((made.get("codebuildRoleArn"), made.get("componentRoleArn")), (None, None));
    }

    nobody_asks_whether_the_management_account_exists, async |db| {
        let two = Two::on(db).await;
        let input = but(request("prod"), json!({ "managementAccountId": "987654321098" }));
        let id = connection(two.lends.ok("CreateEnvironmentAccountConnection", input).await)["id"].clone();
        let later = two.app.in_account("987654321098");
        let accepted = later.ok("AcceptEnvironmentAccountConnection", json!({ "id": id })).await;
        assert_eq!(connection(accepted)["status"], "CONNECTED");
        assert_eq!(code(two.app.call("GetEnvironmentAccountConnection", json!({ "id": id })).await), "ResourceNotFoundException");
    }

    an_account_that_is_both_sides_may_do_everything, async |db| {
        let two = Two::on(db).await;
        for _ in 0..2 {
            let made = connection(two.app.ok("CreateEnvironmentAccountConnection", request("prod")).await);
            assert_eq!((&made["environmentAccountId"], &made["managementAccountId"]), (&ACCOUNT.into(), &ACCOUNT.into()));
            for operation in BY_ID {
                two.app.ok(operation, json!({ "id": made["id"] })).await;
            }
        }
    }

    each_side_does_its_own_part, async |db| {
        let two = Two::on(db).await;
        let (stranger, abroad) = (two.app.in_account(STRANGER), two.lends.in_region("eu-west-1"));
        let (denied, absent) = ("AccessDeniedException", "ResourceNotFoundException");
        for (operation, lends, manages, others) in [
            ("GetEnvironmentAccountConnection", "", "", absent),
            ("AcceptEnvironmentAccountConnection", denied, "", absent),
            ("RejectEnvironmentAccountConnection", denied, "", absent),
            ("UpdateEnvironmentAccountConnection", "", denied, absent),
            // What others can't see is deleted already, as far as they can tell.
            ("DeleteEnvironmentAccountConnection", "", denied, ""),
        ] {
            for (app, expected) in [(&stranger, others), (&abroad, others), (&two.lends, lends), (&two.app, manages)] {
                let id = two.requested("prod").await["id"].clone();
                let answer = app.call(operation, json!({ "id": id })).await;
                let found = answer.as_ref().err().map_or("", |refused| &refused.code);
                assert_eq!(found, expected, "{operation} by {:?}: {answer:?}", app.scope());
                if let Err(refused) = &answer {
                    assert!(refused.message.contains(text(&id)), "{}", refused.message);
                }
                let kept = two.lends.call("GetEnvironmentAccountConnection", json!({ "id": id })).await;
                let deletes = operation.starts_with("Delete") && app.scope() == two.lends.scope();
                assert_eq!(kept.is_err(), deletes, "{operation} by {:?}", app.scope());
                if !expected.is_empty() {
                    assert_eq!(connection(kept.unwrap())["status"], "PENDING", "a refused call changes nothing");
                }
            }
        }
    }

    what_the_wrong_side_is_told_names_both_accounts, async |db| {
        let two = Two::on(db).await;
        let id = two.requested("prod").await["id"].clone();
        for (app, operation, says) in [
            (&two.lends, "AcceptEnvironmentAccountConnection", format!("only the management account {ACCOUNT} may accept")),
            (&two.lends, "RejectEnvironmentAccountConnection", format!("only the management account {ACCOUNT} may reject")),
            (&two.app, "UpdateEnvironmentAccountConnection", format!("only the environment account {LENDS} may update")),
            (&two.app, "DeleteEnvironmentAccountConnection", format!("only the environment account {LENDS} may delete")),
        ] {
            let refused = app.call(operation, json!({ "id": id })).await.unwrap_err();
            assert!(refused.message.contains(&says), "{}", refused.message);
        }
    }

    an_answer_moves_the_state_once_and_a_repeat_answers_it, async |db| {
        let two = Two::on(db).await;
        let made = two.requested("prod").await;
        let id = text(&made["id"]);
        two.app.pass(1000);
        let accepted = two.accept(id).await.unwrap();
        assert_eq!(accepted["status"], "CONNECTED");
        let (requested, modified) = (made["requestedAt"].as_f64().unwrap(), accepted["lastModifiedAt"].as_f64().unwrap());
        assert!(modified >= requested + 1.0, "{requested} {modified}");
        two.app.pass(1000);
        assert_eq!(two.accept(id).await.unwrap(), accepted);
        let rejected = two.reject(id).await.unwrap();
        assert_eq!(rejected["status"], "REJECTED", "nothing uses it");
        two.app.pass(1000);
        assert_eq!(two.reject(id).await.unwrap(), rejected);
        let refused = two.accept(id).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("REJECTED, which is final"), "{}", refused.message);
        let mut reader = two.app.store().reader().await.unwrap();
        let events = event_list(&mut reader, id).await.unwrap();
        let details: Vec<Value> = events.iter().map(|event| serde_json::from_str(&event.detail).unwrap()).collect();
        assert_eq!(details, [
            json!({ "id": id, "status": "PENDING" }),
            json!({ "id": id, "status": "CONNECTED", "previousStatus": "PENDING" }),
            json!({ "id": id, "status": "REJECTED", "previousStatus": "CONNECTED" }),
        ]);
    }

    a_connection_in_use_is_not_rejected, async |db| {
        let two = Two::on(db).await;
        let id = two.connected("prod").await;
        let refused = two.reject(&id).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("'prod' uses"), "{}", refused.message);
        two.delete("prod").await.unwrap();
        two.finish().await;
        assert_eq!(two.reject(&id).await.unwrap()["status"], "REJECTED");
    }

    an_environment_has_one_accepted_connection_and_its_replacement, async |db| {
        let two = Two::on(db).await;
        let other = two.app.in_account(STRANGER);
        let foreign = connection(other.ok("CreateEnvironmentAccountConnection", request("prod")).await);
        let [first, second, third] = [(); 3].map(|()| two.requested("prod"));
        let [first, second, third] = [first.await, second.await, third.await].map(|one| text(&one["id"]).to_owned());
        two.accept(&first).await.unwrap();
        for id in [&second, text(&foreign["id"])] {
            let refused = two.accept(id).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            assert!(refused.message.contains(&first) && refused.message.contains("reject"), "{}", refused.message);
        }
        two.app.ok("CreateEnvironment", through("prod", &first)).await;
        two.finish().await;
        let refused = two.accept(text(&foreign["id"])).await.unwrap_err();
        assert!(refused.message.contains(LENDS) && refused.message.contains(STRANGER), "{}", refused.message);
        two.accept(&second).await.unwrap();
        let refused = two.accept(&third).await.unwrap_err();
        assert!(refused.message.contains(&second), "{}", refused.message);
        two.reject(&second).await.unwrap();
        two.accept(&third).await.unwrap();
        assert_eq!(two.site.get("prod").await["environmentAccountConnectionId"], first, "an update replaces it");
        // Other environments and other accounts have their own.
        two.accepted("test").await;
    }

    an_update_replaces_the_roles_that_it_gives, async |db| {
        let two = Two::on(db).await;
        let made = two.requested("prod").await;
        let update = |change: Value| {
            let input = but(json!({ "id": made["id"] }), change);
            let lends = two.lends.clone();
            async move { lends.call("UpdateEnvironmentAccountConnection", input).await.map(connection) }
        };
        two.app.pass(1000);
        assert_eq!(update(json!({})).await.unwrap(), made);
        assert_eq!(update(json!({ "roleArn": LENT })).await.unwrap(), made, "what is so already");
        let updated = update(json!({ "codebuildRoleArn": role("runs"), "componentRoleArn": role("parts") })).await.unwrap();
        assert_eq!(
            (&updated["roleArn"], &updated["codebuildRoleArn"], &updated["componentRoleArn"]),
            (&LENT.into(), &role("runs").into(), &role("parts").into())
        );
        assert_ne!(updated["lastModifiedAt"], made["lastModifiedAt"]);
        two.app.pass(1000);
        assert_eq!(update(json!({ "componentRoleArn": role("parts") })).await.unwrap(), updated);
        two.accept(text(&made["id"])).await.unwrap();
        assert_eq!(update(json!({ "roleArn": role("new") })).await.unwrap()["roleArn"], role("new"));
        two.reject(text(&made["id"])).await.unwrap();
        assert_eq!(update(json!({ "roleArn": role("new") })).await.unwrap()["status"], "REJECTED");
        let refused = update(json!({ "roleArn": role("newer") })).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("REJECTED"), "{}", refused.message);
    }

    a_delete_answers_the_last_state_and_then_nothing, async |db| {
        let two = Two::on(db).await;
        let delete = |id: String| {
            let lends = two.lends.clone();
            async move { lends.ok("DeleteEnvironmentAccountConnection", json!({ "id": id })).await }
        };
        for (status, environment) in [("PENDING", "a"), ("CONNECTED", "b"), ("REJECTED", "c")] {
            let id = text(&two.requested(environment).await["id"]).to_owned();
            match status {
                "CONNECTED" => drop(two.accept(&id).await.unwrap()),
                "REJECTED" => drop(two.reject(&id).await.unwrap()),
                _ => {}
            }
            assert_eq!(connection(delete(id.clone()).await)["status"], status);
            assert_eq!(delete(id.clone()).await, json!({}));
            for operation in ["Get", "Accept", "Reject", "Update"] {
                let operation = format!("{operation}EnvironmentAccountConnection");
                for app in [&two.lends, &two.app] {
                    assert_eq!(code(app.call(&operation, json!({ "id": id })).await), "ResourceNotFoundException");
                }
            }
        }
        let used = two.connected("prod").await;
        assert_eq!(connection(delete(used).await)["status"], "CONNECTED");
        assert_eq!(delete(ABSENT.into()).await, json!({}));
    }

    input_that_can_not_be_right_is_refused_and_nothing_is_stored, async |db| {
        let two = Two::on(db).await;
        let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
        for (change, says) in [
            (json!({ "managementAccountId": null }), "managementAccountId"),
            (json!({ "managementAccountId": "12345" }), "managementAccountId"),
            (json!({ "environmentName": null }), "environmentName"),
            (json!({ "environmentName": "-prod" }), "environmentName"),
            (json!({ "environmentName": "p".repeat(101) }), "environmentName"),
            (json!({ "roleArn": "" }), "roleArn"),
            (json!({ "roleArn": "arn:aws:iam::222222222222:user/u" }), "roleArn"),
            (json!({ "codebuildRoleArn": "role" }), "codebuildRoleArn"),
            (json!({ "componentRoleArn": "role" }), "componentRoleArn"),
            (json!({ "clientToken": "t".repeat(65) }), "clientToken"),
            (json!({ "clientToken": "a token" }), "clientToken"),
            (json!({ "tags": [tag("a", "1"), tag("a", "2")] }), "tags"),
            (json!({ "tags": [tag("aws:a", "1")] }), "tags"),
            (json!({ "tags": [tag("a", "<1>")] }), "tags"),
        ] {
            let input = but(request("prod"), change);
            let refused = two.lends.call("CreateEnvironmentAccountConnection", input.clone()).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{input}");
            assert!(refused.message.contains(says), "{input}: {}", refused.message);
        }
        for operation in BY_ID {
            for id in [json!(null), json!(""), json!("prod"), json!(ABSENT.to_uppercase().replace('9', "A"))] {
                let refused = two.lends.call(operation, but(json!({}), json!({ "id": id }))).await;
                assert_eq!(code(refused), "ValidationException", "{operation} {id}");
            }
        }
        let listed = two.lends.ok("ListEnvironmentAccountConnections", json!({ "requestedBy": "ENVIRONMENT_ACCOUNT" })).await;
        assert_eq!(listed["environmentAccountConnections"], json!([]));
    }

    the_quota_counts_what_an_account_lends_in_a_region, async |db| {
        let two = Two::with(db, |config| config.quotas.account_connections = 2).await;
        let token = but(request("prod"), json!({ "clientToken": "t" }));
        let first = connection(two.lends.ok("CreateEnvironmentAccountConnection", token.clone()).await);
        two.reject(text(&first["id"])).await.unwrap();
        two.requested("test").await;
        let refused = two.lends.call("CreateEnvironmentAccountConnection", request("more")).await.unwrap_err();
        assert_eq!(refused.code, "ServiceQuotaExceededException");
        assert!(refused.message.contains("quota of 2 environment account connections"), "{}", refused.message);
        let replayed = connection(two.lends.ok("CreateEnvironmentAccountConnection", token).await);
        assert_eq!(replayed["id"], first["id"], "a repeated request makes nothing");
        for other in [two.app.in_account(STRANGER), two.lends.in_region("eu-west-1")] {
            other.ok("CreateEnvironmentAccountConnection", request("more")).await;
        }
        two.forget(text(&first["id"])).await;
        two.requested("more").await;
    }

    tags_are_those_of_the_account_that_lends, async |db| {
        let two = Two::on(db).await;
        let input = but(request("prod"), json!({ "tags": [{ "key": "team", "value": "a" }] }));
        let made = connection(two.lends.ok("CreateEnvironmentAccountConnection", input).await);
        let arn = &made["arn"];
        let tags = |app: &TestApp| {
            let (app, arn) = (app.clone(), arn.clone());
            async move { app.call("ListTagsForResource", json!({ "resourceArn": arn })).await }
        };
        assert_eq!(tags(&two.lends).await.unwrap()["tags"], json!([{ "key": "team", "value": "a" }]), "no managed ones");
        let set = json!({ "resourceArn": arn, "tags": [{ "key": "cost", "value": "1" }] });
        let unset = json!({ "resourceArn": arn, "tagKeys": ["team"] });
        let stranger = two.app.in_account(STRANGER);
        for (app, expected) in [(&two.app, "AccessDeniedException"), (&stranger, "ResourceNotFoundException")] {
            assert_eq!(code(app.call("TagResource", set.clone()).await), expected);
            assert_eq!(code(app.call("UntagResource", unset.clone()).await), expected);
            assert_eq!(code(tags(app).await), expected);
        }
        two.lends.ok("TagResource", set).await;
        two.lends.ok("UntagResource", unset).await;
        assert_eq!(tags(&two.lends).await.unwrap()["tags"], json!([{ "key": "cost", "value": "1" }]));
        // The ARN says where the connection is, and only the right one names it.
        let here = format!("{}:environment-account-connection/{}", two.app.arn_prefix(), text(&made["id"]));
        for app in [&two.app, &two.lends] {
            let refused = app.call("ListTagsForResource", json!({ "resourceArn": here })).await;
            assert_eq!(code(refused), "ResourceNotFoundException");
        }
        two.forget(text(&made["id"])).await;
        assert_eq!(code(tags(&two.lends).await), "ResourceNotFoundException");
        let mut reader = two.app.store().reader().await.unwrap();
        let mut left = reader.query_one("SELECT COUNT(*) FROM tag", &[]).await.unwrap();
        assert_eq!(left.int(0).unwrap(), 0);
    }
}
