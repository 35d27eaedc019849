use crate::on_both;
use crate::support::app::{TestApp, code};
use crate::support::bundle;
use crate::support::double::{self, ROLE, STACK, Site, create, resize, spec, text, version_of};
use serde_json::{Value, json};

const CREATE: &str = "CreateEnvironment";
const CONNECTION: &str = "12345678-1234-1234-1234-123456789012";

/// Inputs of every type, one of them required.
const STRICT: &str = "\
schema:
  format:
    openapi: \"3.0.0\"
  environment_input_type: Strict
  types:
    Strict:
      type: object
      required: [zone]
      properties:
        zone:
          type: string
        count:
          type: integer
          default: 1
        public:
          type: boolean
";

/// A template without `types`.
const NO_INPUTS: &str = "schema:\n  format:\n    openapi: \"3.0.0\"\n";

const FIXED: &str =
    r#"{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"Of": {"Value": "{{ environment.name }}"}}}"#;

/// The sorted names of an object's members.
fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A create with changed members; `null` leaves one out.
fn with(change: Value) -> Value {
    let mut input = create("prod");
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(input.as_object_mut().unwrap().remove(name)),
            _ => input[name] = value.clone(),
        }
    }
    input
}

async fn refused(site: &Site, change: Value) -> (String, String) {
    let refused = site.app.call(CREATE, with(change)).await.expect_err("the create must be refused");
    (refused.code, refused.message)
}

fn strict() -> Vec<(&'static str, &'static str)> {
    vec![
        ("schema/schema.yaml", STRICT),
        ("infrastructure/manifest.yaml", bundle::CLOUDFORMATION_MANIFEST),
        ("infrastructure/cloudformation.yaml", FIXED),
    ]
}

/// A customer-managed template `own` with the strict schema, published.
async fn customer_managed(site: &Site) {
    let input = json!({ "name": "own", "provisioning": "CUSTOMER_MANAGED" });
    site.app.ok("CreateEnvironmentTemplate", input).await;
    site.published("own", &[("schema/schema.yaml", STRICT)], None).await;
}

fn own(spec: &str) -> Value {
    json!({ "name": "prod", "templateName": "own", "templateMajorVersion": "1", "spec": spec })
}

/// What the store holds of environments, their deployments, jobs and tags.
async fn stored(app: &TestApp) -> i64 {
    let mut reader = app.store().reader().await.unwrap();
    let mut rows = 0;
    for table in ["environment", "deployment", "job", "tag"] {
        rows += reader.query_one(&format!("SELECT COUNT(*) FROM {table}"), &[]).await.unwrap().int(0).unwrap();
    }
    rows
}

on_both! {
    a_create_answers_at_once_what_is_known_then, async |db| {
        let site = Site::on(db).await;
        let input = with(json!({ "description": "first", "componentRoleArn": ROLE, "codebuildRoleArn": ROLE }));
        let created = site.app.ok(CREATE, input).await["environment"].clone();
        let expected = [
            "arn", "codebuildRoleArn", "componentRoleArn", "createdAt", "deploymentStatus", "description",
            "lastAttemptedDeploymentId", "lastDeploymentAttemptedAt", "name", "protonServiceRoleArn", "templateName",
        ];
        let shown = members(&created);
        // The model marks the versions as required, but nothing is deployed yet.
        assert_eq!(shown.iter().filter(|name| !name.starts_with("template") || **name == "templateName").copied().collect::<Vec<_>>(), expected);
        assert_eq!(created["arn"], format!("{}:environment/prod", site.app.arn_prefix()));
        assert_eq!(created["deploymentStatus"], "IN_PROGRESS");
        assert_eq!(created["lastDeploymentAttemptedAt"], created["createdAt"]);
        assert_eq!((&created["description"], &created["protonServiceRoleArn"]), (&"first".into(), &ROLE.into()));
        assert_eq!(site.double.calls(), [], "nothing slow happens in a request");
    }

    after_success_get_shows_spec_version_and_times, async |db| {
        let site = Site::on(db).await;
        let created = site.app.ok(CREATE, create("prod")).await["environment"].clone();
        site.app.pass(1000);
        site.finish().await;
        let environment = site.get("prod").await;
        assert_eq!(environment["deploymentStatus"], "SUCCEEDED");
        assert_eq!(environment["spec"], spec("large"));
        assert_eq!((&environment["templateMajorVersion"], &environment["templateMinorVersion"]), (&"1".into(), &"0".into()));
        assert_eq!(environment["lastDeploymentSucceededAt"], created["createdAt"], "the time of the attempt");
        assert_eq!(environment["lastSucceededDeploymentId"], created["lastAttemptedDeploymentId"]);
        assert_eq!(environment["lastAttemptedDeploymentId"], created["lastAttemptedDeploymentId"]);
        for absent in ["deploymentStatusMessage", "provisioning", "environmentAccountId", "provisioningRepository", "tags"] {
            assert_eq!(environment.get(absent), None, "{absent}");
        }
        assert_eq!(site.outputs("prod").await, json!({ "Name": "prod", "Size": "large" }));
        let listed = site.app.ok("ListEnvironments", json!({})).await["environments"][0].clone();
        assert_eq!(listed.get("spec"), None, "lists don't load specs");
        assert_eq!(listed["templateMinorVersion"], "0");
    }

    the_account_of_a_foreign_role_is_shown, async |db| {
        let site = Site::on(db).await;
        let role = "arn:aws:iam::111111111111:role/deploy";
        site.app.ok(CREATE, with(json!({ "protonServiceRoleArn": role }))).await;
        site.finish().await;
        assert_eq!(site.get("prod").await["environmentAccountId"], "111111111111");
        let created = site.double.calls().into_iter().find(|call| call.action == "CreateStack").unwrap();
        assert_eq!(created.account, "111111111111");
    }

    a_repeated_create_answers_the_current_details, async |db| {
        let site = Site::on(db).await;
        let input = with(json!({ "tags": [{ "key": "a", "value": "1" }, { "key": "b", "value": "2" }] }));
        let first = site.app.ok(CREATE, input).await;
        let again = with(json!({ "tags": [{ "key": "b", "value": "2" }, { "key": "a", "value": "1" }] }));
        assert_eq!(site.app.ok(CREATE, again.clone()).await, first, "whatever the order of the tags");
        site.finish().await;
        site.app.ok("UntagResource", json!({ "resourceArn": first["environment"]["arn"], "tagKeys": ["a"] })).await;
        let replayed = site.app.ok(CREATE, again).await["environment"].clone();
        assert_eq!(replayed["deploymentStatus"], "SUCCEEDED", "neither a deployment nor a tag modifies it");
        assert_eq!(site.records("prod").await.len(), 1);
        assert_eq!(site.effects(), [1, 0, 0]);
    }

    a_repeated_create_needs_no_template, async |db| {
        let site = Site::on(db).await;
        site.register("env", &double::environment(STACK), Some("1")).await;
        site.app.ok(CREATE, with(json!({ "templateMinorVersion": "1" }))).await;
        site.finish().await;
        site.update(json!({ "name": "prod", "deploymentType": "MINOR_VERSION" })).await.unwrap();
        site.finish().await;
        site.app.ok("DeleteEnvironmentTemplateVersion", version_of("env", "1.1")).await;
        let refused = site.app.call(CREATE, with(json!({ "templateMinorVersion": "1" }))).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException", "it is found to be modified before the version is looked for");
    }

    a_failed_environment_is_answered_as_it_is, async |db| {
        let site = Site::on(db).await;
        site.double.deny_role(ROLE, true);
        site.app.ok(CREATE, create("prod")).await;
        site.finish().await;
        assert_eq!(site.app.ok(CREATE, create("prod")).await["environment"]["deploymentStatus"], "FAILED");
        assert_eq!(site.records("prod").await.len(), 1, "and not deployed again");
    }

    another_create_of_the_same_name_is_a_mismatch, async |db| {
        let site = Site::on(db).await;
        site.app.ok(CREATE, create("prod")).await;
        let mismatch = ("ValidationException".to_owned(), "Idempotent parameter mismatch".to_owned());
        for change in [
            json!({ "description": "other" }),
            json!({ "spec": spec("small") }),
            json!({ "templateMinorVersion": "0" }),
            json!({ "templateName": "none" }),
            json!({ "tags": [{ "key": "a", "value": "1" }] }),
        ] {
            assert_eq!(refused(&site, change).await, mismatch);
        }
        site.finish().await;
        site.update(json!({ "name": "prod", "deploymentType": "NONE", "description": "new" })).await.unwrap();
        assert_eq!(refused(&site, json!({ "description": "other" })).await, mismatch, "parameters are compared first");
    }

    an_updated_environment_is_not_created_again, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.update(resize("prod", "large")).await.unwrap();
        site.finish().await;
        let refused = site.app.call(CREATE, create("prod")).await.unwrap_err();
        assert_eq!(refused.code, "ConflictException");
        assert!(refused.message.contains("'prod' already exists and was updated"), "{}", refused.message);
    }

    one_that_is_being_deleted_is_a_conflict, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        site.double.protect(&site.stacks()[0], true);
        for status in ["DELETE_IN_PROGRESS", "DELETE_FAILED"] {
            if status == "DELETE_IN_PROGRESS" {
                site.delete("prod").await.unwrap();
            } else {
                site.finish().await;
            }
            let refused = site.app.call(CREATE, create("prod")).await.unwrap_err();
            assert_eq!(refused.code, "ConflictException");
            assert!(refused.message.contains(status), "{}", refused.message);
        }
    }

    accounts_and_regions_have_their_own_environments, async |db| {
        let site = Site::on(db).await;
        site.deployed("prod").await;
        for other in [site.app.in_region("eu-west-1"), site.app.in_account("222222222222")] {
            assert_eq!(code(other.call("GetEnvironment", json!({ "name": "prod" })).await), "ResourceNotFoundException");
            assert_eq!(other.ok("DeleteEnvironment", json!({ "name": "prod" })).await, json!({}));
            assert_eq!(other.ok("ListEnvironments", json!({})).await["environments"], json!([]));
        }
        assert_eq!(site.status("prod").await.0, "SUCCEEDED");
    }

    each_way_of_provisioning_takes_its_own_members, async |db| {
        let site = Site::on(db).await;
        customer_managed(&site).await;
        for (name, manifest) in [("terraform", bundle::TERRAFORM_MANIFEST), ("codebuild", bundle::CODEBUILD_MANIFEST)] {
            let files = [
                ("schema/schema.yaml", bundle::ENVIRONMENT_SCHEMA),
                ("infrastructure/manifest.yaml", manifest),
                ("infrastructure/main.tf", "output \"a\" { value = 1 }\n"),
            ];
            site.published(name, &files, None).await;
        }
        let repository = json!({ "provider": "GITHUB", "name": "acme/infra", "branch": "main" });
        let (role, none) = (json!({ "protonServiceRoleArn": ROLE }), json!({}));
        let connection = json!({ "environmentAccountConnectionId": CONNECTION });
        let repository = json!({ "provisioningRepository": repository });
        let runs = json!({ "codebuildRoleArn": ROLE });
        let invalid = "ValidationException";
        let absent = "ResourceNotFoundException";
        let rows = [
            // AWS-managed, in this account or in another one.
            ("env", vec![&none], invalid, "protonServiceRoleArn: is missing"),
            ("env", vec![&runs], invalid, "protonServiceRoleArn: is missing"),
            ("env", vec![&role, &connection], invalid, "protonServiceRoleArn, environmentAccountConnectionId: only one"),
            ("env", vec![&role, &repository], invalid, "provisioningRepository: can't be combined"),
            ("env", vec![&connection, &repository], invalid, "provisioningRepository: can't be combined"),
            ("env", vec![&repository], invalid, "provisioningRepository: is for self-managed provisioning"),
            ("env", vec![&connection], absent, CONNECTION),
            // Commands, on a server that runs none, whatever is given.
            ("codebuild", vec![&none], invalid, "provisioned with codebuild, and this server runs no commands"),
            ("codebuild", vec![&runs], invalid, "provisioned with codebuild, and this server runs no commands"),
            ("codebuild", vec![&connection], invalid, "provisioned with codebuild"),
            // Self-managed.
            ("terraform", vec![&repository], absent, "acme/infra"),
            ("terraform", vec![&none], invalid, "provisioningRepository: is missing; the template is provisioned with terraform"),
            ("terraform", vec![&runs], invalid, "provisioningRepository: is missing; the template is provisioned with terraform"),
            ("terraform", vec![&role], invalid, "provisioned with terraform"),
            ("terraform", vec![&role, &repository], invalid, "provisioningRepository: can't be combined"),
            // Nothing is provisioned with a customer-managed template, but what is given must be there.
            ("own", vec![&repository], absent, "acme/infra"),
            ("own", vec![&connection], absent, CONNECTION),
            ("own", vec![&role, &connection], invalid, "only one of the two"),
            // What can't go together is refused whatever the template.
            ("none", vec![&role, &connection], invalid, "only one of the two"),
        ];
        let before = stored(&site.app).await;
        for (template, given, code, says) in rows {
            let mut input = with(json!({ "templateName": template, "protonServiceRoleArn": null }));
            for one in &given {
                input.as_object_mut().unwrap().extend(one.as_object().unwrap().clone());
            }
            input["spec"] = "proton: EnvironmentSpec\nspec:\n  zone: a\n".into();
            let refused = site.app.call(CREATE, input.clone()).await.expect_err("must be refused");
            assert_eq!(refused.code, code, "{input}: {}", refused.message);
            assert!(refused.message.contains(says), "{input}: {}", refused.message);
        }
        assert_eq!(stored(&site.app).await, before, "nothing is stored");
        assert_eq!(site.app.ok("ListEnvironments", json!({})).await["environments"], json!([]));
    }

    what_the_template_members_name_must_be_there, async |db| {
        let site = Site::on(db).await;
        let arn = format!("{}:environment-template", site.app.arn_prefix());
        for (change, says) in [
            (json!({ "templateName": "none" }), format!("environment template does not exist: {arn}/none")),
            (json!({ "templateMajorVersion": "2" }), format!("environment template version does not exist: {arn}/env:2")),
            (json!({ "templateMinorVersion": "7" }), format!("environment template version does not exist: {arn}/env:1.7")),
            (json!({ "templateMajorVersion": "99999999999999999999" }), "environment template version does not exist".to_owned()),
        ] {
            let (code, message) = refused(&site, change).await;
            assert_eq!(code, "ResourceNotFoundException");
            assert!(message.contains(&says), "{message}");
        }
    }

    without_a_minor_version_the_recommended_one_is_deployed, async |db| {
        let site = Site::on(db).await;
        site.published("env", &double::environment(STACK), Some("1")).await;
        site.register("env", &double::environment(STACK), Some("1")).await;
        assert_eq!(site.deployed("prod").await["templateMinorVersion"], "1", "1.2 is a draft");
    }

    a_draft_is_deployed_if_it_is_named, async |db| {
        let site = Site::on(db).await;
        assert_eq!(site.register("env", &double::environment(STACK), Some("1")).await, "1.1");
        site.app.ok(CREATE, with(json!({ "templateMinorVersion": "1" }))).await;
        site.finish().await;
        assert_eq!(site.get("prod").await["templateMinorVersion"], "1");
    }

    a_major_version_without_a_published_minor_needs_one_that_is_named, async |db| {
        let site = Site::on(db).await;
        site.register("env", &double::environment(STACK), None).await;
        let (code, message) = refused(&site, json!({ "templateMajorVersion": "2" })).await;
        assert_eq!(code, "ValidationException");
        assert!(message.contains("templateMinorVersion") && message.contains("no published minor version"), "{message}");
    }

    a_version_that_did_not_register_is_not_deployed, async |db| {
        let site = Site::on(db).await;
        let input = json!({ "templateName": "env", "majorVersion": "1", "source": { "s3": { "bucket": "bundles", "key": "none" } } });
        site.app.ok("CreateEnvironmentTemplateVersion", input).await;
        let waiting = refused(&site, json!({ "templateMinorVersion": "1" })).await;
        assert_eq!(waiting.0, "ConflictException", "{}", waiting.1);
        site.app.work().await;
        let failed = refused(&site, json!({ "templateMinorVersion": "1" })).await;
        assert_eq!(failed.0, "ValidationException");
        assert!(failed.1.contains("1.1") && failed.1.contains("failed to register"), "{}", failed.1);
    }

    a_spec_that_does_not_fit_the_schema_is_refused, async |db| {
        let site = Site::on(db).await;
        site.published("strict", &strict(), None).await;
        for (spec, says) in [
            ("proton: EnvironmentSpec\nspec:\n  zone: [a\n", "spec:"),
            ("- a\n- b\n", "spec:"),
            ("proton: EnvironmentSpec\nspec:\n  count: 2\n", "zone"),
            ("proton: EnvironmentSpec\nspec:\n  zone: a\n  count: many\n", "count"),
            ("proton: EnvironmentSpec\nspec:\n  zone: a\n  public: perhaps\n", "public"),
            ("proton: EnvironmentSpec\nspec:\n  zone: 7\n", "quote it"),
        ] {
            let (code, message) = refused(&site, json!({ "templateName": "strict", "spec": spec })).await;
            assert_eq!(code, "ValidationException", "{message}");
            assert!(message.contains("spec") && message.contains(says), "{message}");
        }
        assert!(site.is_gone("prod").await);
    }

    keys_that_the_schema_does_not_know_are_tolerated, async |db| {
        let site = Site::on(db).await;
        let text = "proton: EnvironmentSpec\nspec:\n  size: large\n  colour: red\n";
        site.app.ok(CREATE, with(json!({ "spec": text }))).await;
        site.finish().await;
        assert_eq!(site.get("prod").await["spec"], text);
    }

    a_template_without_inputs_is_deployed, async |db| {
        let site = Site::on(db).await;
        let files = [
            ("schema/schema.yaml", NO_INPUTS),
            ("infrastructure/manifest.yaml", bundle::CLOUDFORMATION_MANIFEST),
            ("infrastructure/cloudformation.yaml", FIXED),
        ];
        site.published("fixed", &files, None).await;
        site.app.ok(CREATE, with(json!({ "templateName": "fixed", "spec": "proton: EnvironmentSpec\nspec: {}\n" }))).await;
        site.finish().await;
        assert_eq!(site.outputs("prod").await, json!({ "Of": "prod" }));
    }

    a_customer_managed_environment_has_its_inputs_as_outputs, async |db| {
        let site = Site::on(db).await;
        customer_managed(&site).await;
        let text = "proton: EnvironmentSpec\nspec:\n  zone: a\n  public: true\n";
        let created = site.app.ok(CREATE, own(text)).await["environment"].clone();
        assert_eq!((&created["deploymentStatus"], &created["provisioning"]), (&"IN_PROGRESS".into(), &"CUSTOMER_MANAGED".into()));
        site.app.work().await;
        let environment = site.get("prod").await;
        assert_eq!((&environment["deploymentStatus"], &environment["spec"]), (&"SUCCEEDED".into(), &text.into()));
        let outputs = json!({ "zone": "a", "public": "true", "count": "1" });
        assert_eq!(site.outputs("prod").await, outputs, "strings, defaults included");
        let update = json!({ "name": "prod", "deploymentType": "CURRENT_VERSION",
            "spec": "proton: EnvironmentSpec\nspec:\n  zone: b\n  count: 3\n" });
        assert_eq!(site.update(update).await.unwrap()["deploymentStatus"], "IN_PROGRESS");
        site.app.work().await;
        assert_eq!(site.outputs("prod").await, json!({ "zone": "b", "count": "3" }));
        site.delete("prod").await.unwrap();
        site.app.work().await;
        assert!(site.is_gone("prod").await);
        assert_eq!(site.double.calls(), [], "nothing is provisioned");
    }

    environments_have_a_quota, async |db| {
        let site = Site::with(db, |config| config.quotas.environments = 1).await;
        site.deployed("prod").await;
        let refused = site.app.call(CREATE, create("dev")).await.unwrap_err();
        assert_eq!(refused.code, "ServiceQuotaExceededException");
        assert!(refused.message.contains("quota of 1 environments"), "{}", refused.message);
        site.app.ok(CREATE, create("prod")).await;
        site.app.in_region("eu-west-1").call("GetEnvironment", json!({ "name": "prod" })).await.unwrap_err();
        site.delete("prod").await.unwrap();
        site.finish().await;
        site.deployed("dev").await;
    }

    tags_reach_the_environment_and_its_stack, async |db| {
        let site = Site::on(db).await;
        let created = site.app.ok(CREATE, with(json!({ "tags": [{ "key": "team", "value": "a" }] }))).await;
        site.finish().await;
        let arn = text(&created["environment"]["arn"]).to_owned();
        let listed = site.app.ok("ListTagsForResource", json!({ "resourceArn": arn })).await;
        assert!(listed["tags"].as_array().unwrap().contains(&json!({ "key": "team", "value": "a" })), "{listed}");
        let tags = site.double.tags(&site.stacks()[0]);
        assert_eq!(tags.get("team").map(String::as_str), Some("a"));
        assert_eq!(tags.get("proton:environment"), Some(&arn));
        assert_eq!(tags.get("proton:template").map(String::as_str), Some(format!("{}:environment-template/env", site.app.arn_prefix()).as_str()));
        assert_eq!(tags.get("protium:resource-id"), Some(&site.app.only_id("environment").await));
        site.delete("prod").await.unwrap();
        site.finish().await;
        site.app.call("ListTagsForResource", json!({ "resourceArn": arn })).await.unwrap_err();
        let mut reader = site.app.store().reader().await.unwrap();
        let tags = reader.query_one("SELECT COUNT(*) FROM tag", &[]).await.unwrap().int(0).unwrap();
        assert_eq!(tags, 0, "tags go with their environment");
        drop(reader);
        site.deployed("prod").await;
        let listed = site.app.ok("ListTagsForResource", json!({ "resourceArn": arn })).await;
        assert!(!listed.to_string().contains("team"), "{listed}");
    }

    a_list_is_narrowed_to_template_versions_that_are_deployed, async |db| {
        let site = Site::on(db).await;
        site.published("env", &double::environment(STACK), None).await;
        site.deployed("a").await;
        site.app.ok(CREATE, { let mut b = create("b"); b["templateMajorVersion"] = "2".into(); b }).await;
        site.finish().await;
        let list = async |filters: Value, token: Value| {
            let input = json!({ "environmentTemplates": filters, "maxResults": 1, "nextToken": token });
            let answer = site.app.call("ListEnvironments", input).await?;
            let names: Vec<String> =
                answer["environments"].as_array().unwrap().iter().map(|one| text(&one["name"]).to_owned()).collect();
            Ok::<_, crate::support::app::Refused>((names, answer["nextToken"].clone()))
        };
        let of = |major: &str| json!([{ "templateName": "env", "majorVersion": major }]);
        assert_eq!(list(of("1"), Value::Null).await.unwrap(), (vec!["a".to_owned()], Value::Null));
        assert_eq!(list(of("2"), Value::Null).await.unwrap().0, ["b"]);
        assert_eq!(list(of("3"), Value::Null).await.unwrap().0, [""; 0]);
        let (first, token) = list(Value::Null, Value::Null).await.unwrap();
        assert_eq!(first, ["a"]);
        assert_eq!(list(of("1"), token.clone()).await.unwrap_err().code, "ValidationException", "a token is bound to its filters");
        assert_eq!(list(Value::Null, token).await.unwrap(), (vec!["b".to_owned()], Value::Null));
    }
}
