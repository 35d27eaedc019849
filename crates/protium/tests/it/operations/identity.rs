//! Users, groups, keys and policies, through the router.

use crate::on_both;
use crate::support::app::{ACCOUNT, Refused, TestApp, code, message};
use crate::support::service::but;
use protium::http::save_uses;
use serde_json::{Value, json};

const OTHER: &str = "222222222222";
/// So long another process may believe what was changed here.
const BELIEVED_MS: i64 = 5_000;
const READS: &str = "ProtiumReadOnlyAccess";

fn allow(action: &str) -> String {
    statement("Allow", action)
}

fn statement(effect: &str, action: &str) -> String {
    let statement = json!({ "Sid": "one", "Effect": effect, "Action": action, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

/// Makes a user, and the application as its key sees it.
async fn user(app: &TestApp, name: &str) -> TestApp {
    app.ok("CreateUser", json!({ "userName": name })).await;
    let made = app.ok("CreateAccessKey", json!({ "userName": name })).await;
    app.with_key(&made["accessKey"])
}

/// Whether the caller may list services: `OK`, or the code of the refusal.
async fn lists(app: &TestApp) -> String {
    app.call("ListServices", json!({})).await.map_or_else(|refused: Refused| refused.code, |_| "OK".to_owned())
}

fn names(page: &Value, list: &str, member: &str) -> Vec<String> {
    let list = page[list].as_array().unwrap();
    list.iter().map(|one| one[member].as_str().unwrap_or_else(|| one.as_str().unwrap()).to_owned()).collect()
}

on_both! {
    a_user_may_do_what_its_policies_allow_from_the_moment_on, async |db| {
        let app = TestApp::on(db).await;
        let ada = user(&app, "ada").await;
        let refused = ada.call("ListServices", json!({})).await.unwrap_err();
        assert_eq!(refused.code, "AccessDeniedException");
        assert!(refused.message.contains(&format!("arn:aws:iam::{ACCOUNT}:user/ada")), "{}", refused.message);
        let of_ada = |more: Value| but(json!({ "userName": "ada" }), more);
        app.ok("AttachPolicy", of_ada(json!({ "policy": READS }))).await;
        assert_eq!(lists(&ada).await, "OK");
        let inline = |effect: &str| of_ada(json!({ "policyName": "mine", "policyDocument": statement(effect, "proton:ListServices") }));
        app.ok("PutInlinePolicy", inline("Deny")).await;
        assert_eq!(lists(&ada).await, "AccessDeniedException");
        app.ok("DetachPolicy", of_ada(json!({ "policy": format!("arn:aws:iam::aws:policy/{READS}") }))).await;
        app.ok("PutInlinePolicy", inline("Allow")).await;
        assert_eq!(lists(&ada).await, "OK");
        app.ok("DeleteInlinePolicy", of_ada(json!({ "policyName": "mine" }))).await;
        assert_eq!(lists(&ada).await, "AccessDeniedException");
        // Through a group.
        app.ok("CreateGroup", json!({ "groupName": "readers" })).await;
        app.ok("CreatePolicy", json!({ "policyName": "reads", "policyDocument": allow("proton:List*") })).await;
        app.ok("AttachPolicy", json!({ "groupName": "readers", "policy": "reads" })).await;
        app.ok("AddUserToGroup", of_ada(json!({ "groupName": "readers" }))).await;
        assert_eq!(lists(&ada).await, "OK");
        app.ok("UpdatePolicy", json!({ "policy": "reads", "policyDocument": allow("proton:GetEnvironment") })).await;
        assert_eq!(lists(&ada).await, "AccessDeniedException");
        app.ok("UpdatePolicy", json!({ "policy": "reads", "policyDocument": allow("proton:*") })).await;
        // Within a boundary.
        app.ok("UpdateUser", of_ada(json!({ "permissionsBoundary": "ProtiumProvisioningAccess" }))).await;
        assert!(message(ada.call("ListServices", json!({})).await).contains("permissions boundary"));
        app.ok("UpdateUser", of_ada(json!({ "permissionsBoundary": "" }))).await;
        assert_eq!(lists(&ada).await, "OK");
        app.ok("RemoveUserFromGroup", of_ada(json!({ "groupName": "readers" }))).await;
        assert_eq!(lists(&ada).await, "AccessDeniedException");
    }

    what_was_changed_in_one_process_holds_in_others_within_five_seconds, async |db| {
        let (here, there) = (TestApp::on(db).await, TestApp::on(db).await);
        let ada = user(&here, "ada").await;
        let elsewhere = there.with_key_of(&ada);
        here.ok("AttachPolicy", json!({ "userName": "ada", "policy": READS })).await;
        assert_eq!((lists(&ada).await, lists(&elsewhere).await), ("OK".to_owned(), "OK".to_owned()));
        here.ok("DetachPolicy", json!({ "userName": "ada", "policy": READS })).await;
        there.pass(BELIEVED_MS);
        assert_eq!(lists(&elsewhere).await, "AccessDeniedException");
        let key = here.ok("ListAccessKeys", json!({ "userName": "ada" })).await["accessKeys"][0]["accessKeyId"].clone();
        here.ok("UpdateAccessKey", json!({ "userName": "ada", "accessKeyId": key, "status": "INACTIVE" })).await;
        assert_eq!(lists(&ada).await, "UnrecognizedClientException");
        there.pass(BELIEVED_MS);
        assert_eq!(lists(&elsewhere).await, "UnrecognizedClientException");
        here.ok("UpdateAccessKey", json!({ "userName": "ada", "accessKeyId": key, "status": "ACTIVE" })).await;
        assert_eq!(lists(&ada).await, "AccessDeniedException");
        here.ok("DeleteAccessKey", json!({ "userName": "ada", "accessKeyId": key })).await;
        assert_eq!(lists(&ada).await, "UnrecognizedClientException");
    }

    tags_of_a_user_are_what_policies_know_it_by, async |db| {
        let app = TestApp::on(db).await;
        let ada = user(&app, "ada").await;
        let statement = json!({
            "Effect": "Allow", "Action": "proton:ListServices", "Resource": "*",
            "Condition": { "StringEquals": { "aws:PrincipalTag/team": "blue" } },
        });
        let document = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
        app.ok("PutInlinePolicy", json!({ "userName": "ada", "policyName": "blue", "policyDocument": document })).await;
        assert_eq!(lists(&ada).await, "AccessDeniedException");
        app.ok("UpdateUser", json!({ "userName": "ada", "tags": [{ "key": "team", "value": "blue" }] })).await;
        assert_eq!(lists(&ada).await, "OK");
        let shown = app.ok("GetUser", json!({ "userName": "ADA" })).await;
        assert_eq!(shown["user"]["tags"], json!([{ "key": "team", "value": "blue" }]));
        assert_eq!(shown["inlinePolicies"], json!(["blue"]));
    }

    identities_are_of_one_account_in_all_regions, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateAccount", json!({ "id": OTHER })).await;
        let made = app.ok("CreateUser", json!({ "userName": "Ada" })).await;
        assert_eq!(made["user"]["arn"], format!("arn:aws:iam::{ACCOUNT}:user/Ada"));
        assert!(made["user"]["userId"].as_str().unwrap().starts_with("AIDA"));
        let again = app.in_region("eu-west-1").call("CreateUser", json!({ "userName": "aDA" })).await.unwrap_err();
        assert_eq!(again.code, "ConflictException");
        let other = app.in_account(OTHER);
        assert_eq!(code(other.call("GetUser", json!({ "userName": "Ada" })).await), "ResourceNotFoundException");
        other.ok("CreateUser", json!({ "userName": "Ada" })).await;
        app.ok("CreatePolicy", json!({ "policyName": "mine", "policyDocument": allow("proton:*") })).await;
        let foreign = json!({ "userName": "Ada", "policy": format!("arn:aws:iam::{ACCOUNT}:policy/mine") });
        assert_eq!(code(other.call("AttachPolicy", foreign.clone()).await), "ResourceNotFoundException");
        app.ok("AttachPolicy", foreign).await;
        assert_eq!(code(app.call("CreateUser", json!({ "userName": "Root" })).await), "ValidationException");
    }

    what_is_in_the_way_of_a_delete_is_named, async |db| {
        let app = TestApp::on(db).await;
        user(&app, "ada").await;
        app.ok("CreateGroup", json!({ "groupName": "makers" })).await;
        app.ok("AddUserToGroup", json!({ "userName": "ada", "groupName": "makers" })).await;
        app.ok("CreatePolicy", json!({ "policyName": "dev", "policyDocument": allow("proton:*") })).await;
        for holder in [json!({ "userName": "ada" }), json!({ "groupName": "makers" })] {
            app.ok("AttachPolicy", but(holder.clone(), json!({ "policy": "dev" }))).await;
            let inline = json!({ "policyName": "inner", "policyDocument": allow("proton:*") });
            app.ok("PutInlinePolicy", but(holder, inline)).await;
        }
        app.ok("UpdateUser", json!({ "userName": "ada", "permissionsBoundary": "dev" })).await;
        let key = app.ok("ListAccessKeys", json!({ "userName": "ada" })).await["accessKeys"][0]["accessKeyId"].clone();
        for (operation, input, parts) in [
            ("DeleteUser", json!({ "userName": "ada" }), vec![key.as_str().unwrap(), "group makers", "attached policy dev", "inline policy inner"]),
            ("DeleteGroup", json!({ "groupName": "makers" }), vec!["user ada", "attached policy dev", "inline policy inner"]),
            ("DeletePolicy", json!({ "policy": "dev" }), vec!["attached to the user ada", "boundary of the user ada", "attached to the group makers"]),
        ] {
            let refused = app.call(operation, input).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            assert!(parts.iter().all(|part| refused.message.contains(part)), "{}", refused.message);
        }
        app.ok("DeleteAccessKey", json!({ "userName": "ada", "accessKeyId": key })).await;
        app.ok("RemoveUserFromGroup", json!({ "userName": "ada", "groupName": "makers" })).await;
        for holder in [json!({ "userName": "ada" }), json!({ "groupName": "makers" })] {
            app.ok("DetachPolicy", but(holder.clone(), json!({ "policy": "dev" }))).await;
            app.ok("DeleteInlinePolicy", but(holder, json!({ "policyName": "inner" }))).await;
        }
        app.ok("DeleteUser", json!({ "userName": "ada" })).await;
        app.ok("DeleteGroup", json!({ "groupName": "makers" })).await;
        app.ok("DeletePolicy", json!({ "policy": "dev" })).await;
        // A namesake has nothing of the one before.
        app.ok("CreateUser", json!({ "userName": "ada" })).await;
        let shown = app.ok("GetUser", json!({ "userName": "ada" })).await;
        assert_eq!((shown["user"].get("permissionsBoundaryArn"), &shown["groups"]), (None, &json!([])));
    }

    there_are_as_many_as_in_iam, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateUser", json!({ "userName": "ada" })).await;
        for number in 0..=10 {
            let (policy, group) = (format!("p{number}"), format!("g{number}"));
            app.ok("CreatePolicy", json!({ "policyName": policy, "policyDocument": allow("proton:*") })).await;
            app.ok("CreateGroup", json!({ "groupName": group })).await;
            let attached = app.call("AttachPolicy", json!({ "userName": "ada", "policy": policy })).await;
            let joined = app.call("AddUserToGroup", json!({ "userName": "ada", "groupName": group })).await;
            for answer in [attached, joined] {
                match number {
                    10 => assert_eq!(code(answer), "ServiceQuotaExceededException"),
                    _ => drop(answer.unwrap()),
                }
            }
        }
        // What is there already is not one more.
        app.ok("AttachPolicy", json!({ "userName": "ada", "policy": "p0" })).await;
        app.ok("AddUserToGroup", json!({ "userName": "ada", "groupName": "g0" })).await;
        assert_eq!(app.ok("GetUser", json!({ "userName": "ada" })).await["attachedPolicies"].as_array().unwrap().len(), 10);
        for expected in ["OK", "OK", "ServiceQuotaExceededException"] {
            let made = app.call("CreateAccessKey", json!({ "userName": "ada" })).await;
            assert_eq!(made.map_or_else(|refused| refused.code, |_| "OK".to_owned()), expected);
        }
        // Together, in one user.
        let long = allow(&format!("s3:{}", "x".repeat(1_100)));
        let put = |name: &str| json!({ "userName": "ada", "policyName": name, "policyDocument": long });
        app.ok("PutInlinePolicy", put("one")).await;
        app.ok("PutInlinePolicy", put("ONE")).await;
        let refused = message(app.call("PutInlinePolicy", put("two")).await);
        assert!(refused.starts_with("policyDocument: ") && refused.contains("at most 2048"), "{refused}");
    }

    one_active_key_is_always_left_to_the_root_user, async |db| {
        let app = TestApp::on(db).await;
        let made = app.ok("CreateAccessKey", json!({})).await;
        let first = made["accessKey"]["accessKeyId"].clone();
        for (operation, input) in [
            ("UpdateAccessKey", json!({ "accessKeyId": first, "status": "INACTIVE" })),
            ("DeleteAccessKey", json!({ "accessKeyId": first })),
        ] {
            assert_eq!(code(app.call(operation, input).await), "ConflictException");
        }
        let second = app.ok("CreateAccessKey", json!({})).await["accessKey"].clone();
        app.ok("UpdateAccessKey", json!({ "accessKeyId": first, "status": "INACTIVE" })).await;
        let of_second = json!({ "accessKeyId": second["accessKeyId"] });
        assert_eq!(code(app.call("DeleteAccessKey", of_second).await), "ConflictException");
        assert_eq!(lists(&app.with_key(&made["accessKey"])).await, "UnrecognizedClientException");
        assert_eq!(lists(&app.with_key(&second)).await, "OK");
        app.ok("DeleteAccessKey", json!({ "accessKeyId": first })).await;
        let left = app.ok("ListAccessKeys", json!({})).await;
        assert_eq!(names(&left, "accessKeys", "accessKeyId"), [second["accessKeyId"].as_str().unwrap()]);
    }

    a_user_manages_its_own_keys_if_it_may, async |db| {
        let app = TestApp::on(db).await;
        let ada = user(&app, "ada").await;
        let document = allow("protium:*AccessKey*");
        app.ok("PutInlinePolicy", json!({ "userName": "ada", "policyName": "keys", "policyDocument": document })).await;
        let own = ada.ok("ListAccessKeys", json!({})).await;
        assert_eq!(own["accessKeys"][0]["userName"], "ada");
        let next = ada.ok("CreateAccessKey", json!({})).await["accessKey"].clone();
        ada.ok("DeleteAccessKey", json!({ "accessKeyId": own["accessKeys"][0]["accessKeyId"] })).await;
        assert_eq!(lists(&ada).await, "UnrecognizedClientException");
        assert_eq!(lists(&app.with_key(&next)).await, "AccessDeniedException");
    }

    policies_name_identities_by_the_name_that_they_have_and_by_their_tags, async |db| {
        let app = TestApp::on(db).await;
        let own = json!({ "Effect": "Allow", "Action": "protium:*AccessKey*", "Resource": "arn:aws:iam::*:user/${aws:username}" });
        let blue = json!({ "StringEquals": { "aws:ResourceTag/team": "blue" } });
        let theirs = json!({ "Effect": "Allow", "Action": "protium:GetUser", "Resource": "*", "Condition": blue });
        let deny = json!({ "Effect": "Deny", "Action": "protium:DeleteUser", "Resource": format!("arn:aws:iam::{ACCOUNT}:user/Boss") });
        let rest = json!({ "Effect": "Allow", "Action": ["protium:DeleteUser", "protium:GetPolicy"], "Resource": [
            "arn:aws:iam::*:user/*", "arn:aws:iam::*:policy/mine", "arn:aws:iam::aws:policy/ProtiumReadOnlyAccess",
        ] });
        let document = json!({ "Version": "2012-10-17", "Statement": [own, theirs, deny, rest] }).to_string();
        let ada = user(&app, "ada").await;
        app.ok("PutInlinePolicy", json!({ "userName": "ada", "policyName": "p", "policyDocument": document })).await;
        for name in ["Boss", "blue"] {
            app.ok("CreateUser", json!({ "userName": name, "tags": [{ "key": "team", "value": name }] })).await;
        }
        for name in ["mine", "other"] {
            app.ok("CreatePolicy", json!({ "policyName": name, "policyDocument": allow("proton:List*") })).await;
        }
        let key = ada.ok("CreateAccessKey", json!({})).await["accessKey"]["accessKeyId"].clone();
        for (operation, input, expected) in [
            ("ListAccessKeys", json!({ "userName": "ADA" }), "OK"),
            ("DeleteAccessKey", json!({ "accessKeyId": key }), "OK"),
            ("ListAccessKeys", json!({ "userName": "blue" }), "AccessDeniedException"),
            ("GetUser", json!({ "userName": "Blue" }), "OK"),
            ("GetUser", json!({ "userName": "Boss" }), "AccessDeniedException"),
            // However it is written, it is the one that is denied.
            ("DeleteUser", json!({ "userName": "boss" }), "AccessDeniedException"),
            ("DeleteUser", json!({ "userName": "blue" }), "OK"),
            ("GetPolicy", json!({ "policy": "MINE" }), "OK"),
            ("GetPolicy", json!({ "policy": format!("arn:aws:iam::{ACCOUNT}:policy/mine") }), "OK"),
            ("GetPolicy", json!({ "policy": "ProtiumReadOnlyAccess" }), "OK"),
            ("GetPolicy", json!({ "policy": "other" }), "AccessDeniedException"),
            ("GetPolicy", json!({ "policy": "arn:aws:iam::222222222222:policy/mine" }), "ResourceNotFoundException"),
        ] {
            let answer = ada.call(operation, input.clone()).await.map_or_else(|refused: Refused| refused.code, |_| "OK".to_owned());
            assert_eq!(answer, expected, "{operation} {input}");
        }
        let records = app.ok("ListAuditRecords", json!({ "operation": "DeleteUser", "outcome": "SUCCEEDED" })).await;
        assert_eq!(records["auditRecords"][0]["resourceArn"], json!(format!("arn:aws:iam::{ACCOUNT}:user/blue")));
    }

    when_a_key_was_used_last_is_saved_without_a_request_waiting_for_it, async |db| {
        let app = TestApp::on(db).await;
        let ada = user(&app, "ada").await;
        let keys = || async { app.ok("ListAccessKeys", json!({ "userName": "ada" })).await["accessKeys"][0].clone() };
        assert_eq!(lists(&ada.in_region("eu-west-1")).await, "AccessDeniedException");
        assert_eq!(keys().await.get("lastUsed"), None);
        save_uses(&app.app).await.unwrap();
        let last = keys().await["lastUsed"].clone();
        assert_eq!((&last["region"], &last["service"]), (&json!("eu-west-1"), &json!("proton")));
        app.pass(60_000);
        assert_eq!(lists(&ada).await, "AccessDeniedException");
        save_uses(&app.app).await.unwrap();
        let later = keys().await["lastUsed"].clone();
        assert!(later["at"].as_f64() > last["at"].as_f64() && later["region"] == "us-east-1", "{later}");
    }

    lists_are_by_name_page_by_page, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateGroup", json!({ "groupName": "all" })).await;
        for name in ["b", "A", "c"] {
            app.ok("CreateUser", json!({ "userName": name })).await;
            app.ok("AddUserToGroup", json!({ "userName": name, "groupName": "all" })).await;
            app.ok("CreateGroup", json!({ "groupName": name })).await;
            app.ok("CreatePolicy", json!({ "policyName": format!("P{name}"), "policyDocument": allow("proton:*") })).await;
        }
        for (operation, input, list, member, expected) in [
            ("ListUsers", json!({}), "users", "userName", &["A", "b", "c"][..]),
            ("ListGroups", json!({}), "groups", "groupName", &["A", "all", "b", "c"]),
            ("GetGroup", json!({ "groupName": "all" }), "users", "", &["A", "b", "c"]),
            ("ListPolicies", json!({ "type": "CUSTOMER" }), "policies", "policyName", &["PA", "Pb", "Pc"]),
            ("ListPolicies", json!({}), "policies", "policyName", &[
                "PA", "Pb", "Pc", "ProtiumAdministratorAccess", "ProtiumDeveloperAccess", "ProtiumFullAccess", "ProtiumProvisioningAccess", READS,
            ]),
        ] {
            let (mut found, mut input) = (Vec::new(), but(input, json!({ "maxResults": 2 })));
            loop {
                let page = app.ok(operation, input.clone()).await;
                found.extend(names(&page, list, member));
                let Some(token) = page.get("nextToken") else { break };
                input["nextToken"] = token.clone();
            }
            assert_eq!(found, expected, "{operation}");
        }
    }

    documents_are_refused_with_the_place_and_shown_as_they_were_given, async |db| {
        let app = TestApp::on(db).await;
        let wrong = allow("proton:GetServices");
        let refused = message(app.call("CreatePolicy", json!({ "policyName": "dev", "policyDocument": wrong })).await);
        assert!(refused.starts_with("policyDocument: ") && refused.contains("/Statement/0/Action"), "{refused}");
        let spaced = format!("  {}\n", allow("proton:GetService"));
        let made = app.ok("CreatePolicy", json!({ "policyName": "dev", "policyDocument": spaced, "description": "reads" })).await;
        assert_eq!(made["policy"]["arn"], format!("arn:aws:iam::{ACCOUNT}:policy/dev"));
        let shown = app.ok("GetPolicy", json!({ "policy": made["policy"]["arn"] })).await;
        assert_eq!((&shown["policyDocument"], &shown["policy"]), (&json!(spaced), &made["policy"]));
        assert!(app.ok("GetPolicy", json!({ "policy": READS })).await["policyDocument"].as_str().unwrap().contains("proton:"));
        for (operation, input) in [
            ("UpdatePolicy", json!({ "policy": READS, "description": "mine" })),
            ("DeletePolicy", json!({ "policy": READS })),
            ("CreatePolicy", json!({ "policyName": "ProtiumMine", "policyDocument": allow("proton:*") })),
            ("UpdatePolicy", json!({ "policy": "dev", "policyDocument": wrong })),
        ] {
            assert_eq!(code(app.call(operation, input).await), "ValidationException", "{operation}");
        }
    }

    a_simulation_says_what_each_statement_said, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateUser", json!({ "userName": "ada" })).await;
        app.ok("AttachPolicy", json!({ "userName": "ada", "policy": READS })).await;
        let inline = json!({ "userName": "ada", "policyName": "no", "policyDocument": statement("Deny", "proton:DeleteService") });
        app.ok("PutInlinePolicy", inline).await;
        let of_ada = |action: &str| json!({ "userName": "ada", "action": action });
        for (action, decision) in [
            ("proton:ListServices", "ALLOWED"),
            ("proton:DeleteService", "DENIED"),
            ("proton:CreateService", "NOT_ALLOWED"),
        ] {
            assert_eq!(app.ok("SimulatePolicy", of_ada(action)).await["decision"], decision, "{action}");
        }
        let denied = app.ok("SimulatePolicy", of_ada("proton:DeleteService")).await;
        assert!(denied["explanation"].as_str().unwrap().starts_with("denied by no, embedded in the user ada"), "{denied}");
        let no = denied["statements"].as_array().unwrap().iter().find(|one| one["effect"] == "DENY").unwrap();
        assert_eq!((&no["applies"], &no["sid"], &no["statement"]), (&json!(true), &json!("one"), &json!(1)));
        let from = json!({
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow", "Action": "proton:*", "Resource": "*",
                "Condition": { "IpAddress": { "aws:SourceIp": "203.0.113.0/24" } },
            },
        });
        for (address, decision) in [("203.0.113.7", "ALLOWED"), ("198.51.100.7", "NOT_ALLOWED")] {
            let input = json!({
                "policyDocuments": [from.to_string()], "action": "proton:GetService",
                "context": [{ "key": "aws:SourceIp", "values": [address] }],
            });
            assert_eq!(app.ok("SimulatePolicy", input).await["decision"], decision, "{address}");
        }
    }

    a_policy_that_can_not_be_read_lets_its_user_do_nothing, async |db| {
        let app = TestApp::on(db).await;
        let ada = user(&app, "ada").await;
        app.ok("AttachPolicy", json!({ "userName": "ada", "policy": "ProtiumFullAccess" })).await;
        app.ok("PutInlinePolicy", json!({ "userName": "ada", "policyName": "later", "policyDocument": allow("proton:*") })).await;
        assert_eq!(lists(&ada).await, "OK");
        // As a newer version of the program may have written it.
        protium::transaction!(app.store(), async |tx| -> Result<(), protium::store::DbError> {
            tx.execute("UPDATE iam_inline_policy SET document = '{\"Version\":\"2031-01-01\"}'", protium::params![]).await?;
            Ok(())
        })
        .unwrap();
        app.pass(BELIEVED_MS);
        assert_eq!(lists(&ada).await, "AccessDeniedException");
    }
}
