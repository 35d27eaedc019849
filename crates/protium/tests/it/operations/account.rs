use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp, code, message};
use crate::support::sign::Signer;
use protium::store::{AccessKey, DbError, ROOT_USER};
use protium::transaction;
use serde_json::{Value, json};

const OTHER: &str = "222222222222";
/// So long a key is believed without being looked up.
const BELIEVED_MS: i64 = 5_000;

/// The error code of a call that is signed with a key, or `OK`.
async fn signed_with(app: &TestApp, made: &Value) -> String {
    let key = &made["accessKey"];
    let (id, secret) = (key["accessKeyId"].as_str().unwrap(), key["secretAccessKey"].as_str().unwrap());
    let signer = Signer { region: "us-east-1".to_owned(), ..Signer::new(id, secret, "proton") };
    let (status, body) = app.get_mine(&signer).await;
    match status.is_success() {
        true => body["environmentTemplate"]["arn"].as_str().unwrap().to_owned(),
        false => body["__type"].as_str().unwrap().to_owned(),
    }
}

on_both! {
    a_new_account_has_a_key_that_works_and_sees_only_its_own, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateEnvironmentTemplate", json!({ "name": "mine" })).await;
        let made = app.ok("CreateAccount", json!({ "id": OTHER })).await;
        assert_eq!(made["account"]["id"], OTHER);
        let not_found = "com.amazonaws.proton.v20200720#ResourceNotFoundException";
        assert_eq!(signed_with(&app, &made).await, not_found);
        app.in_account(OTHER).ok("CreateEnvironmentTemplate", json!({ "name": "mine" })).await;
        assert!(signed_with(&app, &made).await.contains(&format!(":{OTHER}:")));
        let wrong = json!({ "accessKey": { "accessKeyId": made["accessKey"]["accessKeyId"], "secretAccessKey": "no" } });
        assert!(signed_with(&app, &wrong).await.ends_with("#InvalidSignatureException"));
    }

    a_process_that_did_not_make_the_key_knows_it_too, async |db| {
        let app = TestApp::on(db).await;
        let made = app.ok("CreateAccount", json!({ "id": OTHER })).await;
        app.app.keys.replace([]);
        assert!(signed_with(&app, &made).await.ends_with("#ResourceNotFoundException"));
        // The one that nobody made is looked for, and refused.
        let nobody = json!({ "accessKey": { "accessKeyId": "AKIANOBODYNOBODYNOBO", "secretAccessKey": "no" } });
        assert!(signed_with(&app, &nobody).await.ends_with("#UnrecognizedClientException"));
    }

    a_replaced_key_stops_working_in_other_processes_too, async |db| {
        let (here, there) = (TestApp::on(db).await, TestApp::on(db).await);
        let made = here.ok("CreateAccount", json!({ "id": OTHER })).await;
        for process in [&here, &there] {
            assert!(signed_with(process, &made).await.ends_with("#ResourceNotFoundException"));
        }
        // As a process does that is started with another key for the root user.
        let key = AccessKey {
            id: "AKIAREPLACEDREPLACED".to_owned(), account: OTHER.to_owned(), user_name: ROOT_USER.to_owned(),
            secret: "one".to_owned(), active: true, created_at: 0,
        };
        let store = here.store();
        transaction!(store, async |tx| -> Result<(), DbError> { store.access_key_replace(tx, &key).await }).unwrap();
        let with = |secret: &str| json!({ "accessKey": { "accessKeyId": key.id, "secretAccessKey": secret } });
        for process in [&here, &there] {
            process.pass(BELIEVED_MS);
            assert!(signed_with(process, &made).await.ends_with("#UnrecognizedClientException"));
            assert!(signed_with(process, &with("one")).await.ends_with("#ResourceNotFoundException"));
        }
        // The same key with another secret, and then locked.
        for (change, secret, refused) in [
            (AccessKey { secret: "two".to_owned(), ..key.clone() }, "one", "#InvalidSignatureException"),
            (AccessKey { active: false, ..key.clone() }, "two", "#UnrecognizedClientException"),
        ] {
            transaction!(store, async |tx| -> Result<(), DbError> { store.access_key_put(tx, &change).await }).unwrap();
            there.pass(BELIEVED_MS);
            assert!(signed_with(&there, &with(secret)).await.ends_with(refused));
        }
    }

    an_account_is_made_once, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateAccount", json!({ "id": OTHER })).await;
        for id in [OTHER, ACCOUNT] {
            let refused = app.call("CreateAccount", json!({ "id": id })).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            assert!(refused.message.contains(id), "{}", refused.message);
        }
    }

    two_who_make_the_same_account_meet_and_one_gets_its_key, async |db| {
        let app = TestApp::on(db).await;
        let make = || app.call("CreateAccount", json!({ "id": OTHER }));
        let (one, two, three) = tokio::join!(make(), make(), make());
        let mut codes: Vec<String> = [one, two, three].into_iter().map(|made| made.map_or_else(|why| why.code, |_| "made".into())).collect();
        codes.sort();
        assert_eq!(codes, ["ConflictException", "ConflictException", "made"]);
    }

    accounts_are_listed_page_by_page_with_those_of_every_region, async |db| {
        let app = TestApp::on(db).await;
        for id in ["333333333333", OTHER, "111111111111"] {
            app.in_region("eu-west-1").ok("CreateAccount", json!({ "id": id })).await;
        }
        let first = app.ok("ListAccounts", json!({ "maxResults": 2 })).await;
        let ids = |page: &Value| page["accounts"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&first), ["111111111111", OTHER]);
        assert!(first["accounts"][0]["createdAt"].is_number());
        let last = app.ok("ListAccounts", json!({ "maxResults": 2, "nextToken": first["nextToken"] })).await;
        assert_eq!((ids(&last), last.get("nextToken")), (vec![json!("333333333333")], None));
        assert_eq!(code(app.call("ListAccounts", json!({ "nextToken": "Zm9yZWlnbg==" })).await), "ValidationException");
    }

    only_the_servers_own_account_manages_accounts, async |db| {
        let app = TestApp::on(db).await;
        app.ok("CreateAccount", json!({ "id": OTHER })).await;
        let other = app.in_account(OTHER);
        for (operation, input) in [("CreateAccount", json!({ "id": "333333333333" })), ("ListAccounts", json!({}))] {
            let refused = other.call(operation, input).await.unwrap_err();
            assert_eq!(refused.code, "AccessDeniedException");
            assert!(refused.message.contains(OTHER) && refused.message.contains(ACCOUNT), "{}", refused.message);
        }
        assert_eq!(app.ok("ListAccounts", json!({})).await["accounts"].as_array().unwrap().len(), 1);
    }

    an_id_has_twelve_digits, async |db| {
        let app = TestApp::on(db).await;
        for id in ["", "22222222222", "2222222222222", "22222222222a"] {
            let why = message(app.call("CreateAccount", json!({ "id": id })).await);
            assert!(why.contains("'id'"), "{why}");
        }
        assert_eq!(code(app.call("CreateAccount", json!({})).await), "ValidationException");
    }
}
