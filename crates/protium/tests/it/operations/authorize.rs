//! What policies decide of a request, and in which order.

use super::seed;
use crate::on_both;
use crate::support::app::{TestApp, code, message, policy};
use protium::store::Target;
use protium_domain::iam::Policies;
use protium_domain::status::{DeploymentStatus, ServiceStatus};
use protium_domain::template::TemplateKind;
use serde_json::{Value, json};

mod lists;

const DENIED: &str = "AccessDeniedException";
const MISSING: &str = "ResourceNotFoundException";
const LENDS: &str = "222222222222";

fn allow(action: impl serde::Serialize, resource: impl serde::Serialize) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

fn deny(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Deny", "Action": action, "Resource": resource })
}

/// What is allowed under a condition.
fn when(action: impl serde::Serialize, condition: Value) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition })
}

/// The code of the answer; `OK` of one that is none.
async fn answered(app: &TestApp, operation: &str, input: Value) -> String {
    app.call(operation, input).await.map_or_else(|refused| refused.code, |_| "OK".to_owned())
}

/// The template `env` 1.0 and `svc` 2.1, the environment `prod`, and the service `web` with its instance `blue` and a
/// pipeline; answers the deployment of each of the three.
async fn site(app: &TestApp) -> [String; 3] {
    for (kind, name, version) in [(TemplateKind::Environment, "env", (1, 0)), (TemplateKind::Service, "svc", (2, 1))] {
        seed::template(app, kind, name, None).await;
        seed::template_version(app, kind, name, version).await;
    }
    let track = seed::track(app, DeploymentStatus::Succeeded, Some((1, 0))).await;
    let environment = Target::Environment(seed::environment(app, "prod", track.clone()).await);
    seed::service(app, "web", ServiceStatus::Active).await;
    let instance = Target::ServiceInstance(seed::instance(app, "web", "blue", track.clone()).await);
    let pipeline = Target::ServicePipeline(seed::pipeline(app, "web", track).await);
    let mut deployments = Vec::new();
    for (at, target) in [environment, instance, pipeline].into_iter().enumerate() {
        let at = i64::try_from(at).unwrap();
        deployments.push(seed::deployment(app, &target, DeploymentStatus::Succeeded, at, |_| {}).await.id.to_string());
    }
    deployments.try_into().unwrap()
}

async fn tag(app: &TestApp, resource: &str, team: &str) {
    let resource = format!("{}:{resource}", app.arn_prefix());
    app.ok("TagResource", json!({ "resourceArn": resource, "tags": [{ "key": "team", "value": team }] })).await;
}

on_both! {
    a_refusal_names_principal_action_and_resource, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        let web = json!({ "name": "web" });
        let ada = "User: arn:aws:iam::000000000000:user/ada is not authorized to perform: proton:GetService on \
                   resource: arn:aws:proton:us-east-1:000000000000:service/web";
        let refused = message(app.as_user("ada", json!([allow("proton:GetEnvironment", "*")])).call("GetService", web.clone()).await);
        assert_eq!(refused, format!("{ada} because no identity-based policy allows the proton:GetService action"));
        let denied = app.as_user("ada", json!([allow("*", "*"), deny("proton:Get*", "arn:aws:proton:*:*:service/w*")]));
        assert_eq!(message(denied.call("GetService", web.clone()).await), format!("{ada} with an explicit deny in an identity-based policy"));
        let everything = policy("p", json!(allow("*", "*")));
        let within = |boundary, session| Policies { identity: vec![everything.clone()], boundary, session };
        let nothing = policy("n", json!(allow("s3:*", "*")));
        let bounded = app.with_policies("ada", within(Some(nothing.clone()), None));
        assert_eq!(message(bounded.call("GetService", web.clone()).await), format!("{ada} because no permissions boundary allows the proton:GetService action"));
        let session = app.with_policies("ada", within(None, Some(vec![nothing])));
        assert_eq!(message(session.call("GetService", web.clone()).await), format!("{ada} because no session policy allows the proton:GetService action"));
        app.with_policies("ada", within(None, None)).ok("GetService", web).await;
    }

    what_is_no_request_is_refused_before_and_what_does_not_exist_after, async |db| {
        let app = TestApp::on(db).await;
        let nobody = app.with_policies("nobody", Policies::default());
        assert_eq!(code(nobody.call("GetService", json!({ "name": "not a name" })).await), "ValidationException");
        assert_eq!(code(nobody.call("GetService", json!({ "name": "none" })).await), DENIED);
        assert_eq!(code(nobody.call("TagResource", json!({ "resourceArn": "no ARN", "tags": [] })).await), "ValidationException");
        let reader = app.as_user("reader", json!(allow("proton:Get*", "*")));
        assert_eq!(code(reader.call("GetService", json!({ "name": "none" })).await), MISSING);
        let by_tag = app.as_user("tagged", json!(when("proton:Get*", json!({ "StringEquals": { "aws:ResourceTag/team": "blue" } }))));
        assert_eq!(code(by_tag.call("GetService", json!({ "name": "none" })).await), DENIED);
    }

    a_resource_is_known_by_its_tags_a_version_by_those_of_its_template, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        let blue = app.as_user("blue", json!([
            when(["proton:Get*", "proton:TagResource"], json!({ "StringEquals": { "aws:ResourceTag/team": "${aws:PrincipalTag/team, 'blue'}" } })),
        ]));
        let reads = [
            ("environment/prod", "GetEnvironment", json!({ "name": "prod" })),
            ("service/web", "GetService", json!({ "name": "web" })),
            ("service/web/service-instance/blue", "GetServiceInstance", json!({ "serviceName": "web", "name": "blue" })),
            ("environment-template/env", "GetEnvironmentTemplate", json!({ "name": "env" })),
            ("environment-template/env", "GetEnvironmentTemplateVersion", json!({ "templateName": "env", "majorVersion": "1", "minorVersion": "0" })),
        ];
        for (resource, operation, input) in &reads {
            tag(&app, resource, "red").await;
            assert_eq!(answered(&blue, operation, input.clone()).await, DENIED, "{operation}");
            tag(&app, resource, "blue").await;
            assert_eq!(answered(&blue, operation, input.clone()).await, "OK", "{operation}");
        }
        // By ARN, too.
        let version = format!("{}:environment-template/env:1.0", app.arn_prefix());
        let input = json!({ "resourceArn": version, "tags": [{ "key": "a", "value": "b" }] });
        assert_eq!(answered(&blue, "TagResource", input).await, "OK");
        // Also where a create gives tags to what there is.
        let protected = app.as_user("made", json!([
            allow("proton:*", "*"),
            { "Effect": "Deny", "Action": "proton:TagResource", "Resource": "*",
              "Condition": { "StringEquals": { "aws:ResourceTag/team": "blue" } } },
        ]));
        let source = json!({ "s3": { "bucket": "bundles", "key": "env.tgz" } });
        let input = json!({ "templateName": "env", "source": source, "tags": [{ "key": "a", "value": "b" }] });
        let refused = message(protected.call("CreateEnvironmentTemplateVersion", input).await);
        assert!(refused.contains("not authorized to perform: proton:TagResource"), "{refused}");
        // What has the same name elsewhere is another one.
        let elsewhere = blue.in_region("eu-west-1");
        assert_eq!(answered(&elsewhere, "GetEnvironment", json!({ "name": "prod" })).await, DENIED);
    }

    tags_of_a_request_ask_for_the_right_to_set_them, async |db| {
        let app = TestApp::on(db).await;
        let create = |name: &str, tags: Value| json!({ "name": name, "tags": tags });
        let blue = json!([{ "key": "team", "value": "blue" }]);
        let creator = app.as_user("creator", json!(allow("proton:CreateEnvironmentTemplate", "*")));
        creator.ok("CreateEnvironmentTemplate", create("plain", json!([]))).await;
        let refused = message(creator.call("CreateEnvironmentTemplate", create("tagged", blue.clone())).await);
        assert!(refused.contains("to perform: proton:TagResource on resource: arn:aws:proton:us-east-1:000000000000:environment-template/tagged"), "{refused}");
        let only_blue = app.as_user("blue", json!(when(["proton:CreateEnvironmentTemplate", "proton:TagResource"], json!({
            "StringEquals": { "aws:RequestTag/team": "blue" }, "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] },
        }))));
        only_blue.ok("CreateEnvironmentTemplate", create("tagged", blue)).await;
        for tags in [json!([]), json!([{ "key": "team", "value": "red" }]), json!([{ "key": "team", "value": "blue" }, { "key": "x", "value": "" }])] {
            assert_eq!(code(only_blue.call("CreateEnvironmentTemplate", create("other", tags)).await), DENIED);
        }
        let untagger = app.as_user("untagger", json!(when("proton:UntagResource", json!({ "ForAllValues:StringLike": { "aws:TagKeys": "x*" } }))));
        let untag = |key: &str| json!({ "resourceArn": format!("{}:environment-template/tagged", app.arn_prefix()), "tagKeys": [key] });
        assert_eq!(answered(&untagger, "UntagResource", untag("team")).await, DENIED);
        assert_eq!(answered(&untagger, "UntagResource", untag("xyz")).await, "OK");
    }

    connections_are_tagged_before_they_have_a_name_and_are_the_lenders, async |db| {
        let app = TestApp::on(db).await;
        let lender = app.in_account(LENDS);
        let input = json!({ "managementAccountId": "000000000000", "environmentName": "prod", "tags": [{ "key": "team", "value": "blue" }] });
        let untagged = lender.as_user("ada", json!(allow("proton:CreateEnvironmentAccountConnection", "*")));
        assert_eq!(code(untagged.call("CreateEnvironmentAccountConnection", input.clone()).await), DENIED);
        let new = "arn:aws:proton:us-east-1:222222222222:environment-account-connection/*";
        let tagging = lender.as_user("ada", json!([allow("proton:CreateEnvironmentAccountConnection", "*"), allow("proton:TagResource", new)]));
        let made = tagging.ok("CreateEnvironmentAccountConnection", input).await;
        let id = made["environmentAccountConnection"]["id"].clone();
        let own = app.as_user("bob", json!(allow("proton:*", "arn:aws:proton:*:000000000000:*")));
        for operation in ["AcceptEnvironmentAccountConnection", "RejectEnvironmentAccountConnection", "GetEnvironmentAccountConnection"] {
            let refused = message(own.call(operation, json!({ "id": id })).await);
            assert!(refused.contains(&format!("on resource: arn:aws:proton:us-east-1:{LENDS}:environment-account-connection/")), "{refused}");
        }
        let theirs = app.as_user("bob", json!(when("proton:*", json!({ "StringEquals": { "aws:ResourceAccount": LENDS, "aws:ResourceTag/team": "blue" } }))));
        theirs.ok("AcceptEnvironmentAccountConnection", json!({ "id": id })).await;
    }

    the_template_is_that_of_the_request_or_of_what_is_there, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        let from = |key: &str, template: &str| when("proton:*", json!({ "ArnEquals": { key: format!("arn:aws:proton:*:*:{template}") } }));
        let (env, svc) = ("proton:EnvironmentTemplate", "proton:ServiceTemplate");
        let right = app.as_user("right", json!([from(env, "environment-template/env"), from(svc, "service-template/svc")]));
        let wrong = app.as_user("wrong", json!([from(env, "environment-template/other"), from(svc, "service-template/other")]));
        let spec = seed::SPEC;
        for (operation, input) in [
            ("CreateEnvironment", json!({ "name": "new", "templateName": "env", "templateMajorVersion": "1", "spec": spec })),
            ("CancelEnvironmentDeployment", json!({ "environmentName": "prod" })),
            ("UpdateEnvironment", json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })),
            ("DeleteEnvironment", json!({ "name": "prod" })),
            ("CreateService", json!({ "name": "new", "templateName": "svc", "templateMajorVersion": "2", "spec": spec })),
            ("CreateServiceInstance", json!({ "serviceName": "web", "name": "new", "spec": spec })),
            ("CancelServiceInstanceDeployment", json!({ "serviceName": "web", "serviceInstanceName": "blue" })),
            ("CancelServicePipelineDeployment", json!({ "serviceName": "web" })),
            ("UpdateServiceInstance", json!({ "serviceName": "web", "name": "blue", "deploymentType": "NONE" })),
            ("UpdateServicePipeline", json!({ "serviceName": "web", "deploymentType": "NONE", "spec": spec })),
            ("UpdateService", json!({ "name": "web" })),
            ("DeleteService", json!({ "name": "web" })),
        ] {
            assert_eq!(answered(&wrong, operation, input.clone()).await, DENIED, "{operation}");
            assert_ne!(answered(&right, operation, input).await, DENIED, "{operation}");
        }
        // Nothing that is missing has a template.
        assert_eq!(answered(&right, "DeleteEnvironment", json!({ "name": "none" })).await, DENIED);
        assert_eq!(answered(&right, "GetEnvironment", json!({ "name": "prod" })).await, DENIED);
    }

    roles_and_connections_are_handed_over_by_who_may_pass_them, async |db| {
        let app = TestApp::on(db).await;
        let role = |name: &str| format!("arn:aws:iam::000000000000:role/{name}");
        let pass = |resource: &str, to: &str| json!({
            "Effect": "Allow", "Action": "iam:PassRole", "Resource": resource,
            "Condition": { "StringEquals": { "iam:PassedToService": to } },
        });
        let settings = allow("proton:UpdateAccountSettings", "*");
        let input = json!({ "pipelineServiceRoleArn": role("deploy"), "pipelineCodebuildRoleArn": role("build") });
        for (statements, expected) in [
            (json!([settings]), DENIED),
            (json!([settings, pass(&role("deploy"), "proton.amazonaws.com")]), DENIED),
            (json!([settings, pass("*", "ec2.amazonaws.com")]), DENIED),
            (json!([settings, pass("arn:aws:iam::*:role/*", "proton.amazonaws.com")]), "OK"),
        ] {
            assert_eq!(answered(&app.as_user("ada", statements.clone()), "UpdateAccountSettings", input.clone()).await, expected, "{statements}");
        }
        // No role is handed over where one is taken away.
        let plain = app.as_user("ada", json!([settings]));
        plain.ok("UpdateAccountSettings", json!({ "pipelineServiceRoleArn": "" })).await;

        let connection = "arn:aws:codestar-connections:us-east-1:000000000000:connection/c";
        let link = |name: &str| json!({ "provider": "GITHUB", "name": name, "connectionArn": connection });
        let create = allow("proton:CreateRepository", "*");
        let use_it = |service: &str| json!({
            "Effect": "Allow", "Action": format!("{service}:PassConnection"), "Resource": "arn:aws:codestar-connections:*:*:connection/*",
            "Condition": { "StringEquals": { format!("{service}:PassedToService"): "proton.amazonaws.com" } },
        });
        for (name, statements, expected) in [
            ("o/1", json!([create]), DENIED),
            ("o/2", json!([create, use_it("codestar-connections")]), "OK"),
            ("o/3", json!([create, use_it("codeconnections")]), "OK"),
            ("o/4", json!([create, use_it("codeconnections"), deny("codestar-connections:*", "*")]), DENIED),
            ("o/5", json!([create, use_it("codestar-connections"), deny("codeconnections:*", "*")]), DENIED),
        ] {
            assert_eq!(answered(&app.as_user("ada", statements), "CreateRepository", link(name)).await, expected, "{name}");
        }
    }

    a_deployment_is_seen_by_who_sees_what_it_is_of, async |db| {
        let app = TestApp::on(db).await;
        let [environment, instance, pipeline] = site(&app).await;
        for (deployment, action, resource) in [
            (&environment, "proton:GetEnvironment", "environment/prod"),
            (&instance, "proton:GetServiceInstance", "service/web/service-instance/blue"),
            (&pipeline, "proton:GetService", "service/web"),
        ] {
            let input = json!({ "id": deployment });
            let alone = app.as_user("ada", json!(allow("proton:GetDeployment", "*")));
            let refused = message(alone.call("GetDeployment", input.clone()).await);
            assert!(refused.contains(&format!("{action} on resource: {}:{resource} because", app.arn_prefix())), "{refused}");
            let both = app.as_user("ada", json!([allow("proton:GetDeployment", format!("{}:deployment/{deployment}", app.arn_prefix())), allow(action, format!("{}:{resource}", app.arn_prefix()))]));
            both.ok("GetDeployment", input).await;
        }
        let none = "99999999-9999-4999-8999-999999999999";
        let reader = app.as_user("ada", json!(allow("proton:GetDeployment", "*")));
        assert_eq!(code(reader.call("GetDeployment", json!({ "id": none })).await), MISSING);
    }

    an_arn_is_asked_about_as_what_it_names, async |db| {
        let app = TestApp::on(db).await;
        site(&app).await;
        let denied = app.as_user("ada", json!([
            allow("*", "*"), deny("*", "arn:aws:proton:us-east-1:000000000000:service/web"), deny("*", "arn:aws:proton:*:*:service-template/svc"),
        ]));
        for arn in ["service/web", "service/web/pipeline", "service/web/pipeline/some-id", "service-template/svc", "service-template/svc:2.1"] {
            for partition in ["aws", "aws-cn"] {
                let arn = format!("arn:{partition}:proton:us-east-1:000000000000:{arn}");
                for (operation, more) in [
                    ("ListTagsForResource", json!({})),
                    ("TagResource", json!({ "tags": [{ "key": "a", "value": "b" }] })),
                    ("UntagResource", json!({ "tagKeys": ["a"] })),
                    ("ForceDelete", json!({ "infrastructure": "RETAIN" })),
                    ("Redeploy", json!({})),
                    ("NotifyResourceDeploymentStatusChange", json!({ "status": "SUCCEEDED" })),
                ] {
                    let mut input = more;
                    input["resourceArn"] = arn.clone().into();
                    assert_eq!(answered(&denied, operation, input).await, DENIED, "{operation} {arn}");
                }
            }
        }
    }

    accounts_are_managed_by_those_of_the_servers_own_whom_a_policy_allows_it, async |db| {
        let app = TestApp::on(db).await;
        let operator = json!([allow("protium:*Account*", "*")]);
        let own = app.as_user("ada", operator.clone());
        own.ok("CreateAccount", json!({ "id": LENDS })).await;
        own.ok("ListAccounts", json!({})).await;
        let developer = app.as_user("bob", json!(allow("proton:*", "*")));
        assert_eq!(code(developer.call("ListAccounts", json!({})).await), DENIED);
        let refused = message(app.in_account(LENDS).as_user("eve", operator).call("ListAccounts", json!({})).await);
        assert!(refused.ends_with("sign with a key of 000000000000, the server's own account"), "{refused}");
    }
}
