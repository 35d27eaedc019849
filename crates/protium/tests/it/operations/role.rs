use crate::on_both;
use crate::support::app::{ACCOUNT, TestApp, code, message};
use crate::support::sts::allow;
use serde_json::{Value, json};

fn trust() -> String {
    allow(&json!({ "Principal": { "AWS": ACCOUNT }, "Action": "sts:AssumeRole" })).to_string()
}

async fn create(app: &TestApp, name: &str) -> Value {
    app.ok("CreateRole", json!({ "roleName": name, "trustPolicy": trust() })).await["role"].clone()
}

on_both! {
    a_role_is_kept_as_it_was_given, async |db| {
        let app = TestApp::on(db).await;
        let plain = create(&app, "ci").await;
        assert_eq!(plain["arn"], format!("arn:aws:iam::{ACCOUNT}:role/ci"));
        assert!(plain["roleId"].as_str().unwrap().starts_with("AROA"));
        assert_eq!((&plain["maxSessionDuration"], &plain["tags"]), (&json!(3600), &json!([])));
        assert_eq!(plain["trustPolicy"], trust());
        let tags = json!([{ "key": "team", "value": "blue" }]);
        let input = json!({
            "roleName": "Deploy", "trustPolicy": trust(), "description": "of CI", "maxSessionDuration": 43200, "tags": tags,
        });
        let full = app.ok("CreateRole", input).await["role"].clone();
        assert_eq!(app.ok("GetRole", json!({ "roleName": "deploy" })).await["role"], full);
        // Roles are of an account, in all its regions, and of no other.
        assert_eq!(app.in_region("eu-west-1").ok("GetRole", json!({ "roleName": "Deploy" })).await["role"], full);
        app.ok("CreateAccount", json!({ "id": "222222222222" })).await;
        let other = app.in_account("222222222222");
        assert_eq!(code(other.call("GetRole", json!({ "roleName": "ci" })).await), "ResourceNotFoundException");
    }

    a_name_is_given_once_however_it_is_capitalized, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "ci").await;
        for name in ["ci", "CI"] {
            let refused = app.call("CreateRole", json!({ "roleName": name, "trustPolicy": trust() })).await.unwrap_err();
            assert_eq!((refused.code.as_str(), refused.message), ("ConflictException", format!("Role with name {name} already exists.")));
        }
    }

    a_trust_policy_is_refused_with_all_that_is_wrong, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "ci").await;
        let wrong = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole"},
            {"Effect":"Allow","Principal":{"AWS":"ada"},"Action":"sts:AssumeRole"}]}"#;
        for (operation, name) in [("CreateRole", "other"), ("UpdateRole", "ci")] {
            let why = message(app.call(operation, json!({ "roleName": name, "trustPolicy": wrong })).await);
            assert!(why.starts_with("trustPolicy: /Statement/0"), "{why}");
            assert!(why.contains("/Statement/1/Principal/AWS") && why.contains("'ada'"), "{why}");
        }
        assert_eq!(app.ok("GetRole", json!({ "roleName": "ci" })).await["role"]["trustPolicy"], trust());
    }

    an_update_changes_what_is_given, async |db| {
        let app = TestApp::on(db).await;
        let made = create(&app, "ci").await;
        app.pass(1_000);
        let tags = json!([{ "key": "team", "value": "blue" }]);
        let update = json!({ "roleName": "ci", "description": "of CI", "tags": tags });
        let updated = app.ok("UpdateRole", update).await["role"].clone();
        assert_eq!((&updated["description"], &updated["tags"]), (&json!("of CI"), &tags));
        assert_eq!((&updated["roleId"], &updated["trustPolicy"]), (&made["roleId"], &made["trustPolicy"]));
        assert_ne!(updated["updatedAt"], updated["createdAt"]);
        let other = trust().replace(ACCOUNT, "222222222222");
        let input = json!({ "roleName": "ci", "description": "", "trustPolicy": other, "maxSessionDuration": 7200 });
        let updated = app.ok("UpdateRole", input).await["role"].clone();
        assert_eq!((updated.get("description"), &updated["maxSessionDuration"]), (None, &json!(7200)));
        assert_eq!((&updated["trustPolicy"], &updated["tags"]), (&json!(other), &tags));
    }

    roles_are_listed_page_by_page, async |db| {
        let app = TestApp::on(db).await;
        for name in ["b", "C", "a"] {
            create(&app, name).await;
        }
        let names = |page: &Value| page["roles"].as_array().unwrap().iter().map(|role| role["roleName"].clone()).collect::<Vec<_>>();
        let first = app.ok("ListRoles", json!({ "maxResults": 2 })).await;
        assert_eq!(names(&first), ["a", "b"]);
        let last = app.ok("ListRoles", json!({ "maxResults": 2, "nextToken": first["nextToken"] })).await;
        assert_eq!((names(&last), last.get("nextToken")), (vec![json!("C")], None));
    }

    a_role_holds_policies_and_stays_while_it_does, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "ci").await;
        let document = allow(&json!({ "Action": "proton:GetService", "Resource": "*" })).to_string();
        let role = |other: Value| {
            let mut input = other;
            input["roleName"] = "CI".into();
            input
        };
        app.ok("AttachPolicy", role(json!({ "policy": "ProtiumReadOnlyAccess" }))).await;
        app.ok("PutInlinePolicy", role(json!({ "policyName": "own", "policyDocument": document }))).await;
        let shown = app.ok("GetRole", role(json!({}))).await;
        assert_eq!(shown["attachedPolicies"][0]["policyName"], "ProtiumReadOnlyAccess");
        assert_eq!(shown["inlinePolicies"], json!(["own"]));
        let inline = app.ok("GetInlinePolicy", role(json!({ "policyName": "own" }))).await;
        assert_eq!(inline["policyDocument"], document);
        for (action, decision) in [("proton:GetService", "ALLOWED"), ("proton:DeleteService", "NOT_ALLOWED")] {
            let simulated = app.ok("SimulatePolicy", role(json!({ "action": action }))).await;
            assert_eq!(simulated["decision"], decision, "{simulated}");
        }
        let why = message(app.call("DeleteRole", role(json!({}))).await);
        assert!(why.contains("must detach all policies first: ProtiumReadOnlyAccess"), "{why}");
        app.ok("DetachPolicy", role(json!({ "policy": "ProtiumReadOnlyAccess" }))).await;
        let why = message(app.call("DeleteRole", role(json!({}))).await);
        assert!(why.contains("must delete policies first: own"), "{why}");
        app.ok("DeleteInlinePolicy", role(json!({ "policyName": "own" }))).await;
        app.ok("DeleteRole", role(json!({}))).await;
    }

    what_is_not_there_can_not_be_changed_or_removed, async |db| {
        let app = TestApp::on(db).await;
        create(&app, "ci").await;
        app.ok("DeleteRole", json!({ "roleName": "CI" })).await;
        for operation in ["GetRole", "UpdateRole", "DeleteRole"] {
            let refused = app.call(operation, json!({ "roleName": "ci" })).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException");
            assert!(refused.message.contains(&format!("arn:aws:iam::{ACCOUNT}:role/ci")), "{}", refused.message);
        }
        assert_ne!(create(&app, "ci").await["roleId"], Value::Null);
    }
}
