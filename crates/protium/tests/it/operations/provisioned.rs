use super::seed;
use crate::on_both;
use crate::support::app::{TestApp, code};
use protium::store::Target;
use protium_domain::status::DeploymentStatus::{Failed, InProgress, Succeeded};
use protium_domain::track::{ProvisionedResource, Track};
use serde_json::{Value, json};

const OUTPUTS: [(&str, &str); 4] = [
    ("ListEnvironmentOutputs", r#"{"environmentName":"prod"}"#),
    ("ListServiceInstanceOutputs", r#"{"serviceName":"web","serviceInstanceName":"blue"}"#),
    ("ListServicePipelineOutputs", r#"{"serviceName":"web"}"#),
    ("ListComponentOutputs", r#"{"componentName":"bucket"}"#),
];

const RESOURCES: [(&str, &str); 4] = [
    ("ListEnvironmentProvisionedResources", r#"{"environmentName":"prod"}"#),
    ("ListServiceInstanceProvisionedResources", r#"{"serviceName":"web","serviceInstanceName":"blue"}"#),
    ("ListServicePipelineProvisionedResources", r#"{"serviceName":"web"}"#),
    ("ListComponentProvisionedResources", r#"{"componentName":"bucket"}"#),
];

/// The targets that the inputs above name, each with this track, in the same order.
async fn targets(app: &TestApp, track: &Track) -> [Target; 4] {
    let environment = seed::environment(app, "prod", track.clone()).await;
    let component = seed::component(app, "bucket", &environment, None, track.clone()).await;
    [
        Target::Environment(environment),
        Target::ServiceInstance(seed::instance(app, "web", "blue", track.clone()).await),
        Target::ServicePipeline(seed::pipeline(app, "web", track.clone()).await),
        Target::Component(component),
    ]
}

fn input(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn of_deployment(text: &str, id: &str) -> Value {
    let mut input = input(text);
    input["deploymentId"] = id.into();
    input
}

async fn outputs(app: &TestApp, operation: &str, input: Value) -> Value {
    let answer = app.ok(operation, input).await;
    assert_eq!(answer.get("nextToken"), None);
    answer["outputs"].clone()
}

on_both! {
    outputs_are_strings_in_the_order_of_their_keys, async |db| {
        let app = TestApp::on(db).await;
        let mut track = seed::track(&app, Succeeded, Some((1, 0))).await;
        let stored = br#"{"VpcId":"vpc-1","Azs":["a","b"],"Count":2,"On":true,"Zone":{"k":"v"}}"#;
        track.outputs = Some(seed::content(&app, stored).await);
        targets(&app, &track).await;
        let expected = json!([
            { "key": "Azs", "valueString": r#"["a","b"]"# },
            { "key": "Count", "valueString": "2" },
            { "key": "On", "valueString": "true" },
            { "key": "VpcId", "valueString": "vpc-1" },
            { "key": "Zone", "valueString": r#"{"k":"v"}"# },
        ]);
        for (operation, text) in OUTPUTS {
            assert_eq!(outputs(&app, operation, input(text)).await, expected, "{operation}");
        }
    }

    what_never_succeeded_has_neither_outputs_nor_resources, async |db| {
        let app = TestApp::on(db).await;
        targets(&app, &seed::track(&app, InProgress, None).await).await;
        for (operation, text) in OUTPUTS {
            assert_eq!(app.ok(operation, input(text)).await, json!({ "outputs": [] }), "{operation}");
        }
        for (operation, text) in RESOURCES {
            assert_eq!(app.ok(operation, input(text)).await, json!({ "provisionedResources": [] }), "{operation}");
        }
    }

    the_outputs_of_a_deployment_are_those_that_it_left_behind, async |db| {
        let app = TestApp::on(db).await;
        let mut track = seed::track(&app, Succeeded, Some((1, 0))).await;
        track.outputs = Some(seed::content(&app, br#"{"a":"now"}"#).await);
        let then = seed::content(&app, br#"{"a":"then"}"#).await;
        for (target, (operation, text)) in targets(&app, &track).await.iter().zip(OUTPUTS) {
            let old = seed::deployment(&app, target, Succeeded, 1, |row| row.outputs = Some(then.clone())).await;
            let failed = seed::deployment(&app, target, Failed, 2, |_| {}).await;
            let shown = outputs(&app, operation, of_deployment(text, old.id.as_str())).await;
            assert_eq!(shown, json!([{ "key": "a", "valueString": "then" }]), "{operation}");
            let shown = outputs(&app, operation, of_deployment(text, failed.id.as_str())).await;
            assert_eq!(shown, json!([]), "{operation}");
            let shown = outputs(&app, operation, input(text)).await;
            assert_eq!(shown, json!([{ "key": "a", "valueString": "now" }]), "{operation}");
        }
    }

    a_deployment_of_something_else_is_not_found, async |db| {
        let app = TestApp::on(db).await;
        let track = seed::track(&app, Succeeded, Some((1, 0))).await;
        let targets = targets(&app, &track).await;
        let mut records = Vec::new();
        for target in &targets {
            records.push(seed::deployment(&app, target, Succeeded, 1, |_| {}).await);
        }
        for (own, (operation, text)) in OUTPUTS.into_iter().enumerate() {
            for (other, record) in records.iter().enumerate().filter(|(other, _)| *other != own) {
                let refused = app.call(operation, of_deployment(text, record.id.as_str())).await;
                assert_eq!(code(refused), "ResourceNotFoundException", "{operation} {other}");
            }
            let unknown = of_deployment(text, seed::id().as_str());
            assert_eq!(code(app.call(operation, unknown).await), "ResourceNotFoundException", "{operation}");
        }
    }

    provisioned_resources_are_shown_with_their_engine, async |db| {
        let app = TestApp::on(db).await;
        let mut track = seed::track(&app, Succeeded, Some((1, 0))).await;
        let made = |name: &str, engine: &str| ProvisionedResource {
            name: name.into(), identifier: format!("arn:{name}"), engine: engine.into(),
        };
        track.resources = vec![made("stack", "CLOUDFORMATION"), made("folder", "TERRAFORM")];
        targets(&app, &track).await;
        for (operation, text) in RESOURCES {
            assert_eq!(app.ok(operation, input(text)).await, json!({ "provisionedResources": [
                { "name": "stack", "identifier": "arn:stack", "provisioningEngine": "CLOUDFORMATION" },
                { "name": "folder", "identifier": "arn:folder", "provisioningEngine": "TERRAFORM" },
            ]}), "{operation}");
        }
    }

    the_token_of_these_lists_is_empty_or_absent, async |db| {
        let app = TestApp::on(db).await;
        targets(&app, &seed::track(&app, Succeeded, Some((1, 0))).await).await;
        for (operation, text) in OUTPUTS.into_iter().chain(RESOURCES) {
            let with = |token: &str| {
                let mut input = input(text);
                input["nextToken"] = token.into();
                input
            };
            app.ok(operation, with("")).await;
            assert_eq!(code(app.call(operation, with("x")).await), "ValidationException", "{operation}");
        }
    }

    what_is_not_there_has_no_lists, async |db| {
        let app = TestApp::on(db).await;
        targets(&app, &seed::track(&app, Succeeded, Some((1, 0))).await).await;
        let elsewhere = app.in_region("eu-west-3");
        for (operation, text) in OUTPUTS.into_iter().chain(RESOURCES) {
            let refused = elsewhere.call(operation, input(text)).await;
            assert_eq!(code(refused), "ResourceNotFoundException", "{operation}");
        }
        let other = json!({ "serviceName": "web", "serviceInstanceName": "green" });
        let refused = app.call("ListServiceInstanceOutputs", other).await;
        assert_eq!(code(refused), "ResourceNotFoundException");
    }
}
