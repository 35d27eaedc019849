use crate::on_both;
use crate::support::app::{TestApp, code};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::123456789012:role/pipelines";
const OTHER: &str = "arn:aws:iam::123456789012:role/path/other";

async fn get(app: &TestApp) -> Value {
    app.ok("GetAccountSettings", json!({})).await
}

async fn update(app: &TestApp, input: Value) -> Value {
    let answer = app.ok("UpdateAccountSettings", input).await;
    assert_eq!(get(app).await, answer, "what was answered is what is stored");
    answer["accountSettings"].clone()
}

on_both! {
    a_fresh_account_has_no_settings, async |db| {
        let app = TestApp::on(db).await;
        assert_eq!(get(&app).await, json!({ "accountSettings": {} }));
        assert_eq!(update(&app, json!({})).await, json!({}));
    }

    what_is_left_out_stays_and_an_empty_role_removes, async |db| {
        let app = TestApp::on(db).await;
        let one = json!({ "pipelineServiceRoleArn": ROLE });
        assert_eq!(update(&app, one.clone()).await, one);
        let both = json!({ "pipelineServiceRoleArn": ROLE, "pipelineCodebuildRoleArn": OTHER });
        assert_eq!(update(&app, json!({ "pipelineCodebuildRoleArn": OTHER })).await, both);
        assert_eq!(update(&app, json!({})).await, both);
        let changed = json!({ "pipelineServiceRoleArn": OTHER, "pipelineCodebuildRoleArn": OTHER });
        assert_eq!(update(&app, json!({ "pipelineServiceRoleArn": OTHER })).await, changed);
        let without = json!({ "pipelineCodebuildRoleArn": OTHER });
        assert_eq!(update(&app, json!({ "pipelineServiceRoleArn": "" })).await, without);
        assert_eq!(update(&app, json!({ "pipelineServiceRoleArn": "" })).await, without, "nothing left to remove");
        assert_eq!(update(&app, json!({ "pipelineCodebuildRoleArn": "" })).await, json!({}));
    }

    settings_are_separate_per_region, async |db| {
        let app = TestApp::on(db).await;
        update(&app, json!({ "pipelineServiceRoleArn": ROLE })).await;
        let elsewhere = app.in_region("eu-west-3");
        assert_eq!(get(&elsewhere).await, json!({ "accountSettings": {} }));
        update(&elsewhere, json!({ "pipelineServiceRoleArn": OTHER })).await;
        assert_eq!(get(&app).await["accountSettings"]["pipelineServiceRoleArn"], ROLE);
    }

    what_is_no_role_is_refused, async |db| {
        let app = TestApp::on(db).await;
        for wrong in ["x", "arn:aws:iam::123456789012:user/u", "arn:aws:iam::12:role/r", " "] {
            for member in ["pipelineServiceRoleArn", "pipelineCodebuildRoleArn"] {
                let refused = app.call("UpdateAccountSettings", json!({ member: wrong })).await.unwrap_err();
                assert_eq!(refused.code, "ValidationException", "{member} {wrong}");
                assert!(refused.message.contains(member), "{}", refused.message);
            }
        }
        assert_eq!(get(&app).await, json!({ "accountSettings": {} }));
    }

    a_repository_must_be_linked, async |db| {
        let app = TestApp::on(db).await;
        let repository = json!({ "provider": "GITHUB", "name": "owner/pipelines", "branch": "main" });
        let input = json!({ "pipelineProvisioningRepository": repository, "pipelineServiceRoleArn": ROLE });
        let refused = app.call("UpdateAccountSettings", input).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("owner/pipelines"), "{}", refused.message);
        assert_eq!(get(&app).await, json!({ "accountSettings": {} }), "nothing of the request is stored");
    }

    a_repository_is_either_set_or_deleted, async |db| {
        let app = TestApp::on(db).await;
        let repository = json!({ "provider": "GITHUB", "name": "owner/pipelines", "branch": "main" });
        let input =
            json!({ "pipelineProvisioningRepository": repository, "deletePipelineProvisioningRepository": true });
        let refused = app.call("UpdateAccountSettings", input).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("deletePipelineProvisioningRepository"), "{}", refused.message);
    }

    a_stored_repository_is_shown_with_its_arn_and_can_be_deleted, async |db| {
        let app = TestApp::on(db).await;
        stored_with_repository(&app).await;
        let shown = json!({
            "pipelineServiceRoleArn": ROLE,
            "pipelineProvisioningRepository": {
                "arn": format!("{}:repository/github:owner/pipelines", app.arn_prefix()),
                "provider": "GITHUB", "name": "owner/pipelines", "branch": "main",
            },
        });
        assert_eq!(get(&app).await["accountSettings"], shown);
        assert_eq!(update(&app, json!({ "deletePipelineProvisioningRepository": false })).await, shown);
        let without = json!({ "pipelineServiceRoleArn": ROLE });
        assert_eq!(update(&app, json!({ "deletePipelineProvisioningRepository": true })).await, without);
        assert_eq!(update(&app, json!({ "deletePipelineProvisioningRepository": true })).await, without);
    }

    a_repository_in_use_by_the_settings_stays_linked, async |db| {
        let app = TestApp::on(db).await;
        let repository = json!({ "provider": "GITHUB", "name": "owner/pipelines" });
        let mut link = repository.clone();
        link["connectionArn"] = "arn:aws:codeconnections:us-east-1:123456789012:connection/c".into();
        app.ok("CreateRepository", link.clone()).await;
        link["provider"] = "BITBUCKET".into();
        app.ok("CreateRepository", link).await;
        stored_with_repository(&app).await;
        let refused = app.call("DeleteRepository", repository.clone()).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("account settings"), "{}", refused.message);
        let namesake = json!({ "provider": "BITBUCKET", "name": "owner/pipelines" });
        app.ok("DeleteRepository", namesake).await;
        update(&app, json!({ "deletePipelineProvisioningRepository": true })).await;
        app.ok("DeleteRepository", repository).await;
    }

    the_wrong_type_is_no_request, async |db| {
        let app = TestApp::on(db).await;
        let input = json!({ "deletePipelineProvisioningRepository": "yes" });
        assert_eq!(code(app.call("UpdateAccountSettings", input).await), "SerializationException");
    }
}

/// Settings with a repository, as they are once repositories can be linked.
async fn stored_with_repository(app: &TestApp) {
    use protium::store::{DbError, account_settings_save};
    use protium_domain::account::AccountSettings;
    use protium_domain::repository::{Provider, RepositoryBranch};
    let branch = RepositoryBranch { provider: Provider::Github, name: "owner/pipelines".into(), branch: "main".into() };
    let settings = AccountSettings {
        pipeline_service_role: Some(ROLE.into()),
        pipeline_repository: Some(branch),
        ..AccountSettings::default()
    };
    let scope = app.scope();
    protium::transaction!(app.store(), async |tx| -> Result<(), DbError> {
        account_settings_save(tx, &scope, &settings).await
    })
    .unwrap();
}
