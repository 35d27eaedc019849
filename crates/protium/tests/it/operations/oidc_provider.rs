use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp, code, message};
use serde_json::{Value, json};

const GITHUB: &str = "https://token.actions.githubusercontent.com";

async fn create(app: &TestApp, url: &str) -> Value {
    app.ok("CreateOidcProvider", json!({ "url": url, "clientIds": ["sts.amazonaws.com"] })).await["oidcProvider"]
        .clone()
}

on_both! {
    a_provider_is_kept_as_it_was_given, async |db| {
        let app = TestApp::on(db).await;
        let made = create(&app, GITHUB).await;
        assert_eq!(made["arn"], format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"));
        assert_eq!((&made["clientIds"], &made["tokenReuse"]), (&json!(["sts.amazonaws.com"]), &json!("SAME_SOURCE")));
        assert_eq!(app.ok("GetOidcProvider", json!({ "url": GITHUB })).await["oidcProvider"], made);
        let refused = app.call("CreateOidcProvider", json!({ "url": GITHUB, "clientIds": ["x"] })).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message), ("ConflictException", format!("Provider with url {GITHUB} already exists.")));
        app.pass(1_000);
        let input = json!({ "url": GITHUB, "clientIds": ["a", "b"], "tokenReuse": "ONCE" });
        let updated = app.ok("UpdateOidcProvider", input).await["oidcProvider"].clone();
        assert_eq!((&updated["clientIds"], &updated["tokenReuse"]), (&json!(["a", "b"]), &json!("ONCE")));
        let same = app.ok("UpdateOidcProvider", json!({ "url": GITHUB })).await["oidcProvider"].clone();
        assert_eq!(same["clientIds"], updated["clientIds"]);
    }

    only_issuers_whose_keys_nobody_can_alter_are_registered, async |db| {
        let app = TestApp::on(db).await;
        for url in ["http://gitlab.example.com", "gitlab.example.com", "https://a b", "http://169.254.169.254/"] {
            let why = message(app.call("CreateOidcProvider", json!({ "url": url, "clientIds": ["x"] })).await);
            assert!(why.starts_with("url: ") && why.contains(url), "{why}");
        }
        for ids in [json!(["a", "a"]), json!(["a b"])] {
            let why = message(app.call("CreateOidcProvider", json!({ "url": GITHUB, "clientIds": ids })).await);
            assert!(why.starts_with("clientIds: "), "{why}");
        }
        assert_eq!(code(app.call("CreateOidcProvider", json!({ "url": GITHUB, "clientIds": [] })).await), "ValidationException");
    }

    providers_are_listed_page_by_page, async |db| {
        let app = TestApp::on(db).await;
        for url in ["https://b.example.com", "http://localhost:8080", "https://a.example.com/x"] {
            create(&app, url).await;
        }
        let urls = |page: &Value| page["oidcProviders"].as_array().unwrap().iter().map(|one| one["url"].clone()).collect::<Vec<_>>();
        let first = app.ok("ListOidcProviders", json!({ "maxResults": 2 })).await;
        assert_eq!(urls(&first), ["https://a.example.com/x", "https://b.example.com"]);
        let last = app.ok("ListOidcProviders", json!({ "maxResults": 2, "nextToken": first["nextToken"] })).await;
        assert_eq!((urls(&last), last.get("nextToken")), (vec![json!("http://localhost:8080")], None));
    }

    what_is_not_there_can_not_be_changed_or_removed, async |db| {
        let app = TestApp::on(db).await;
        create(&app, GITHUB).await;
        app.ok("DeleteOidcProvider", json!({ "url": GITHUB })).await;
        for operation in ["GetOidcProvider", "UpdateOidcProvider", "DeleteOidcProvider"] {
            assert_eq!(code(app.call(operation, json!({ "url": GITHUB })).await), "ResourceNotFoundException");
        }
        create(&app, GITHUB).await;
    }
}
