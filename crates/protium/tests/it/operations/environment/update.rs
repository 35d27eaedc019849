use crate::on_both;
use crate::support::bundle;
use crate::support::double::{self, ROLE, STACK, Site, create, resize, spec, version_of};
use protium_engines::double::Behaviour;
use serde_json::{Value, json};

const OTHER_ROLE: &str = "arn:aws:iam::000000000000:role/other";

/// Takes `tier` where [`STACK`] takes `size`.
const TIERS: &str = "\
schema:
  format:
    openapi: \"3.0.0\"
  environment_input_type: Tiers
  types:
    Tiers:
      type: object
      required: [tier]
      properties:
        tier:
          type: string
";

const TIERED: &str = r#"{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"Tier": {"Value": "{{ environment.inputs.tier }}"}}}"#;

fn tiered() -> Vec<(&'static str, &'static str)> {
    vec![
        ("schema/schema.yaml", TIERS),
        ("infrastructure/manifest.yaml", bundle::CLOUDFORMATION_MANIFEST),
        ("infrastructure/cloudformation.yaml", TIERED),
    ]
}

/// `env` 1.0 to 1.2, of which 1.1 is recommended, 2.0 and 2.1, of which 2.0 is, and a draft 3.0.
async fn versions(site: &Site) {
    let files = double::environment(STACK);
    site.published("env", &files, Some("1")).await;
    site.register("env", &files, Some("1")).await;
    site.published("env", &files, None).await;
    site.register("env", &files, Some("2")).await;
    assert_eq!(site.register("env", &files, None).await, "3.0");
}

/// An environment `prod` on 1.0.
async fn on_first(site: &Site) {
    let mut input = create("prod");
    input["templateMinorVersion"] = "0".into();
    site.app.ok("CreateEnvironment", input).await;
    site.finish().await;
}

/// The input of an update to a type and, where given, a version.
fn to(kind: &str, version: &str) -> Value {
    let (major, minor) = version.split_once('.').unwrap_or((version, ""));
    let part = |part: &str| if part.is_empty() { Value::Null } else { part.into() };
    json!({ "name": "prod", "deploymentType": kind, "templateMajorVersion": part(major), "templateMinorVersion": part(minor) })
}

/// The version that GetEnvironment shows.
async fn version(site: &Site) -> String {
    let environment = site.get("prod").await;
    format!(
        "{}.{}",
        double::text(&environment["templateMajorVersion"]),
        double::text(&environment["templateMinorVersion"])
    )
}

on_both! {
    each_deployment_type_goes_to_its_version, async |db| {
        let site = Site::on(db).await;
        versions(&site).await;
        on_first(&site).await;
        for (kind, asked, reached) in [
            ("CURRENT_VERSION", "", "1.0"),
            ("MINOR_VERSION", "", "1.1"),
            ("MINOR_VERSION", "1", "1.1"),
            ("MINOR_VERSION", "1.2", "1.2"),
            ("MINOR_VERSION", ".0", "1.0"),
            ("MINOR_VERSION", ".0", "1.0"),
            ("MAJOR_VERSION", "", "2.0"),
            ("MINOR_VERSION", ".1", "2.1"),
            ("MAJOR_VERSION", "3.0", "3.0"),
        ] {
            let updated = site.update(to(kind, asked)).await.unwrap_or_else(|error| panic!("{kind} {asked}: {error:?}"));
            assert_eq!(updated["deploymentStatus"], "IN_PROGRESS");
            site.finish().await;
            assert_eq!(site.status("prod").await, ("SUCCEEDED".into(), String::new()));
            assert_eq!(version(&site).await, reached, "{kind} {asked}");
        }
        assert_eq!(site.get("prod").await["spec"], spec("large"), "without a spec, the last one stays");
    }

    what_a_deployment_type_does_not_take_is_refused, async |db| {
        let site = Site::on(db).await;
        versions(&site).await;
        on_first(&site).await;
        let (invalid, absent) = ("ValidationException", "ResourceNotFoundException");
        for (kind, asked, code, says) in [
            ("NONE", "1", invalid, "deploymentType NONE"),
            ("NONE", ".0", invalid, "deploymentType NONE"),
            ("CURRENT_VERSION", "1", invalid, "deploymentType CURRENT_VERSION"),
            ("CURRENT_VERSION", ".0", invalid, "deploymentType CURRENT_VERSION"),
            ("MINOR_VERSION", "2", invalid, "'2' is not the current major version 1"),
            ("MINOR_VERSION", "2.0", invalid, "'2' is not the current major version 1"),
            ("MINOR_VERSION", ".9", absent, "env:1.9"),
            ("MAJOR_VERSION", "1", invalid, "'1' is not higher than the current major version 1"),
            ("MAJOR_VERSION", ".1", invalid, "templateMinorVersion"),
            ("MAJOR_VERSION", "3", invalid, "no published minor version"),
            ("MAJOR_VERSION", "4", absent, "env:4"),
            ("MAJOR_VERSION", "2.9", absent, "env:2.9"),
        ] {
            let refused = site.update(to(kind, asked)).await.expect_err("must be refused");
            assert_eq!(refused.code, code, "{kind} {asked}: {}", refused.message);
            assert!(refused.message.contains(says), "{kind} {asked}: {}", refused.message);
        }
        site.update(to("MAJOR_VERSION", "2.0")).await.unwrap();
        site.finish().await;
        let refused = site.update(to("MAJOR_VERSION", "")).await.unwrap_err();
        assert_eq!(refused.code, invalid);
        assert!(refused.message.contains("recommends version 2.0") && refused.message.contains("above"), "{}", refused.message);
        assert_eq!(site.records("prod").await.len(), 2, "what is refused leaves no record");
    }

    an_update_answers_the_old_version_and_no_spec, async |db| {
        let site = Site::on(db).await;
        versions(&site).await;
        on_first(&site).await;
        let before = site.get("prod").await;
        site.app.pass(5000);
        let updated = site.update(to("MAJOR_VERSION", "2")).await.unwrap();
        assert_eq!((&updated["templateMajorVersion"], &updated["templateMinorVersion"]), (&"1".into(), &"0".into()));
        assert_eq!(updated.get("spec"), None);
        assert_eq!(updated["lastDeploymentSucceededAt"], before["lastDeploymentSucceededAt"]);
        assert!(updated["lastDeploymentAttemptedAt"].as_f64() > before["lastDeploymentAttemptedAt"].as_f64());
        assert_ne!(updated["lastAttemptedDeploymentId"], before["lastAttemptedDeploymentId"]);
        assert_eq!(updated["lastSucceededDeploymentId"], before["lastSucceededDeploymentId"]);
        let meanwhile = site.get("prod").await;
        assert_eq!((&meanwhile["spec"], &meanwhile["templateMajorVersion"]), (&before["spec"], &"1".into()));
        site.finish().await;
        let after = site.get("prod").await;
        assert_eq!(after["lastSucceededDeploymentId"], updated["lastAttemptedDeploymentId"]);
        assert_eq!(after["lastDeploymentSucceededAt"], updated["lastDeploymentAttemptedAt"]);
    }

    a_changed_spec_changes_the_stack, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        assert_eq!(site.get("prod").await["spec"], spec("small"));
        assert_eq!(site.outputs("prod").await, json!({ "Name": "prod", "Size": "small" }));
        assert_eq!(site.effects(), [1, 1, 0]);
    }

    an_update_that_changes_nothing_succeeds, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.update(resize("prod", "large")).await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await, ("SUCCEEDED".into(), String::new()));
        assert_eq!(site.effects(), [1, 0, 0], "CloudFormation has no updates to perform");
        assert_eq!(site.outputs("prod").await["Size"], "large");
    }

    a_spec_that_does_not_fit_the_version_is_refused, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.published("env", &tiered(), None).await;
        let refused = site.update(to("MAJOR_VERSION", "2")).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("spec") && refused.message.contains("tier"), "{}", refused.message);
        let mut input = to("MAJOR_VERSION", "2");
        input["spec"] = "proton: EnvironmentSpec\nspec:\n  tier: gold\n".into();
        site.update(input).await.unwrap();
        site.finish().await;
        assert_eq!(site.outputs("prod").await, json!({ "Tier": "gold" }));
    }

    a_version_of_another_engine_is_refused, async |db| {
        let site = Site::on(db).await;
        let before = site.deployed("prod").await;
        let files = [
            ("schema/schema.yaml", bundle::ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", bundle::TERRAFORM_MANIFEST),
            ("infrastructure/main.tf", "output \"a\" { value = 1 }\n"),
        ];
        site.published("env", &files, None).await;
        let refused = site.update(to("MAJOR_VERSION", "2")).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("provisioned with terraform"), "{}", refused.message);
        assert_eq!((site.get("prod").await, site.records("prod").await.len()), (before, 1));
    }

    current_val_keeps_what_is_deployed, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let kept = "proton: EnvironmentSpec\nspec:\n  size: \"${Proton::CURRENT_VAL}\"\n";
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION", "spec": kept })).await.unwrap();
        site.finish().await;
        assert_eq!(site.outputs("prod").await["Size"], "large");
        let shown = site.get("prod").await["spec"].clone();
        assert!(shown.as_str().unwrap().contains("size: \"large\""), "the value is stored: {shown}");
        // Nothing to keep: the default applies, and without one it is missing.
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION", "spec": "proton: EnvironmentSpec\nspec: {}\n" })).await.unwrap();
        site.finish().await;
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION", "spec": kept })).await.unwrap();
        site.finish().await;
        assert_eq!(site.outputs("prod").await["Size"], "small");
        site.published("env", &tiered(), None).await;
        let mut input = to("MAJOR_VERSION", "2");
        input["spec"] = "proton: EnvironmentSpec\nspec:\n  tier: \"${Proton::CURRENT_VAL}\"\n".into();
        let refused = site.update(input).await.unwrap_err();
        assert_eq!(refused.code, "ValidationException");
        assert!(refused.message.contains("tier"), "{}", refused.message);
    }

    with_none_only_metadata_changes_and_at_once, async |db| {
        let site = Site::on(db).await;
        let before = site.deployed("prod").await;
        let input = json!({ "name": "prod", "deploymentType": "NONE", "description": "new", "componentRoleArn": OTHER_ROLE,
            "codebuildRoleArn": OTHER_ROLE, "protonServiceRoleArn": OTHER_ROLE, "spec": spec("small") });
        let updated = site.update(input).await.unwrap();
        assert_eq!(updated["deploymentStatus"], "SUCCEEDED");
        let after = site.get("prod").await;
        assert_eq!(after["description"], "new");
        for role in ["componentRoleArn", "codebuildRoleArn", "protonServiceRoleArn"] {
            assert_eq!(after[role], OTHER_ROLE);
        }
        for same in ["spec", "lastDeploymentAttemptedAt", "lastAttemptedDeploymentId", "templateMinorVersion", "createdAt"] {
            assert_eq!(after[same], before[same], "{same}");
        }
        site.app.work().await;
        assert_eq!((site.records("prod").await.len(), site.effects()), (1, [1, 0, 0]));
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        let assumed: Vec<String> = site.double.calls().into_iter().filter(|call| call.action == "AssumeRole")
            .map(|call| call.parameters["RoleArn"].clone()).collect();
        assert_eq!(assumed, [ROLE, OTHER_ROLE], "the next deployment works in the new role");
    }

    members_that_are_not_given_stay, async |db| {
        let site = Site::on(db).await;
        let mut input = create("prod");
        input["description"] = "first".into();
        input["componentRoleArn"] = ROLE.into();
        site.app.ok("CreateEnvironment", input).await;
        site.finish().await;
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        site.finish().await;
        let environment = site.get("prod").await;
        assert_eq!((&environment["description"], &environment["componentRoleArn"]), (&"first".into(), &ROLE.into()));
        assert_eq!(environment["protonServiceRoleArn"], ROLE);
    }

    the_way_of_provisioning_stays, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        let connection = "12345678-1234-1234-1234-123456789012";
        let repository = json!({ "provider": "GITHUB", "name": "acme/infra", "branch": "main" });
        for kind in ["NONE", "CURRENT_VERSION"] {
            for (given, says) in [
                (json!({ "environmentAccountConnectionId": connection }), "can't gain one"),
                (json!({ "provisioningRepository": repository }), "provisioningRepository"),
            ] {
                let mut input = json!({ "name": "prod", "deploymentType": kind });
                input.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
                let refused = site.update(input).await.unwrap_err();
                assert_eq!(refused.code, "ValidationException");
                assert!(refused.message.contains(says), "{}", refused.message);
            }
        }
        assert_eq!(site.get("prod").await.get("provisioningRepository"), None);
    }

    a_repository_that_is_not_linked_is_not_taken, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironmentTemplate", json!({ "name": "own", "provisioning": "CUSTOMER_MANAGED" })).await;
        site.published("own", &[("schema/schema.yaml", bundle::ENVIRONMENT_SCHEMA)], None).await;
        let input = json!({ "name": "prod", "templateName": "own", "templateMajorVersion": "1", "spec": spec("large") });
        site.app.ok("CreateEnvironment", input).await;
        site.finish().await;
        for kind in ["NONE", "CURRENT_VERSION"] {
            let input = json!({ "name": "prod", "deploymentType": kind,
                "provisioningRepository": { "provider": "GITHUB", "name": "acme/infra", "branch": "main" } });
            let refused = site.update(input).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException");
            assert!(refused.message.contains("acme/infra"), "{}", refused.message);
        }
        assert_eq!(site.get("prod").await.get("provisioningRepository"), None);
    }

    an_environment_that_is_not_there_is_not_updated, async |db| {
        let site = Site::on(db).await;
        let refused = site.update(resize("prod", "small")).await.unwrap_err();
        assert_eq!(refused.code, "ResourceNotFoundException");
        let arn = format!("{}:environment/prod", site.app.arn_prefix());
        assert!(refused.message.contains(&arn), "{}", refused.message);
    }

    while_a_deployment_is_under_way_no_other_starts, async |db| {
        let site = Site::on(db).await;
        site.app.ok("CreateEnvironment", create("prod")).await;
        let none = json!({ "name": "prod", "deploymentType": "NONE", "description": "new" });
        for input in [resize("prod", "small"), none.clone()] {
            let refused = site.update(input).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            assert!(refused.message.contains("IN_PROGRESS"), "{}", refused.message);
        }
        site.app.work().await;
        site.cancel("prod").await.unwrap();
        for input in [resize("prod", "small"), none] {
            let refused = site.update(input).await.unwrap_err();
            assert_eq!((refused.code.as_str(), refused.message.contains("CANCELLING")), ("ConflictException", true));
        }
        site.finish().await;
        site.update(resize("prod", "small")).await.unwrap();
        site.finish().await;
        site.delete("prod").await.unwrap();
        assert_eq!(site.update(resize("prod", "large")).await.unwrap_err().code, "ConflictException");
    }

    after_a_failed_deletion_only_metadata_can_be_updated, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.double.deny_role(OTHER_ROLE, true);
        site.update(json!({ "name": "prod", "deploymentType": "NONE", "protonServiceRoleArn": OTHER_ROLE })).await.unwrap();
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "DELETE_FAILED");
        let refused = site.update(resize("prod", "small")).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("delete it again"), "{}", refused.message);
        site.update(json!({ "name": "prod", "deploymentType": "NONE", "protonServiceRoleArn": ROLE })).await.unwrap();
        site.delete("prod").await.unwrap();
        site.finish().await;
        assert!(site.is_gone("prod").await, "a role that works again is all that it takes");
    }

    an_environment_that_never_succeeded_is_updated_from_its_attempt, async |db| {
        let site = Site::on(db).await;
        versions(&site).await;
        site.double.behave(|operation| match (operation.action, operation.earlier) {
            ("CreateStack", 0) => Behaviour::fails("Topic", "AWS::SNS::Topic", "no more topics"),
            _ => Behaviour::done(),
        });
        let mut input = create("prod");
        input["templateMinorVersion"] = "2".into();
        site.app.ok("CreateEnvironment", input).await;
        site.finish().await;
        let failed = site.get("prod").await;
        assert_eq!(failed["deploymentStatus"], "FAILED");
        for absent in ["spec", "templateMajorVersion", "templateMinorVersion", "lastDeploymentSucceededAt", "lastSucceededDeploymentId"] {
            assert_eq!(failed.get(absent), None, "{absent}");
        }
        let refused = site.update(to("MINOR_VERSION", "2")).await.unwrap_err();
        assert!(refused.message.contains("the current major version 1"), "{}", refused.message);
        let kept = "proton: EnvironmentSpec\nspec:\n  size: \"${Proton::CURRENT_VAL}\"\n";
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION", "spec": kept })).await.unwrap();
        site.finish().await;
        assert_eq!(version(&site).await, "1.2");
        assert_eq!(site.outputs("prod").await["Size"], "large");
        assert_eq!(site.double.stack_count(), 1, "what was left of the failed create is made again");
    }

    an_update_works_after_a_failed_one, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.double.behave(|operation| match (operation.action, operation.earlier) {
            ("UpdateStack", 0) => Behaviour::fails("Topic", "AWS::SNS::Topic", "the name is taken"),
            _ => Behaviour::done(),
        });
        site.update(resize("prod", "medium")).await.unwrap();
        site.finish().await;
        let (status, message) = site.status("prod").await;
        assert_eq!(status, "FAILED");
        assert_eq!(message, "Topic (AWS::SNS::Topic): the name is taken");
        let failed = site.get("prod").await;
        assert_eq!((&failed["spec"], &failed["templateMinorVersion"]), (&spec("large").into(), &"0".into()));
        assert_eq!(site.outputs("prod").await["Size"], "large", "what is deployed stays what is shown");
        site.update(json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await.unwrap();
        assert_eq!(site.status("prod").await, ("IN_PROGRESS".into(), String::new()), "the old message is gone");
        site.finish().await;
        assert_eq!(site.outputs("prod").await["Size"], "large", "without a spec, the last successful one is deployed");
        site.update(resize("prod", "medium")).await.unwrap();
        site.finish().await;
        assert_eq!(site.outputs("prod").await["Size"], "medium");
    }

    a_version_in_use_by_a_failed_update_can_not_be_deleted, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.register("env", &double::environment(STACK), Some("1")).await;
        site.double.behave(|_| Behaviour::fails("Topic", "AWS::SNS::Topic", "broken"));
        let mut input = to("MINOR_VERSION", ".1");
        input["spec"] = spec("small").into();
        site.update(input).await.unwrap();
        site.finish().await;
        assert_eq!(site.status("prod").await.0, "FAILED");
        let refused = site.app.call("DeleteEnvironmentTemplateVersion", version_of("env", "1.1")).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
    }
}
