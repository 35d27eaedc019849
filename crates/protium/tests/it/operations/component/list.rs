use crate::on_both;
use crate::support::app::code;
use crate::support::component::*;
use crate::support::service::*;
use serde_json::{Value, json};

async fn names(shop: &Workshop, filter: Value) -> Vec<String> {
    let answer = shop.app.ok("ListComponents", filter).await;
    answer["components"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

on_both! {
    components_are_listed_by_name_and_filtered_by_where_they_are, async |db| {
        let shop = Workshop::on(db).await;
        shop.served("api", &[("a", 1), ("b", 2)]).await;
        let elsewhere = but(crate::support::double::create("test"), json!({ "componentRoleArn": COMPONENT_ROLE }));
        shop.app.ok("CreateEnvironment", elsewhere).await;
        shop.finish().await;
        shop.create(but(detached("d"), json!({ "environmentName": "test" }))).await.unwrap();
        shop.create(but(attached("c"), json!({ "serviceName": "api", "serviceInstanceName": "b" }))).await.unwrap();
        shop.create(but(attached("b"), json!({ "serviceName": "api" }))).await.unwrap();
        shop.create(attached("a")).await.unwrap();
        shop.create(detached("B")).await.unwrap();
        for (filter, expected) in [
            (json!({}), vec!["B", "a", "b", "c", "d"]),
            (json!({ "environmentName": "prod" }), vec!["B", "a", "b", "c"]),
            (json!({ "environmentName": "test" }), vec!["d"]),
            (json!({ "serviceName": "api" }), vec!["b", "c"]),
            (json!({ "serviceName": "api", "serviceInstanceName": "b" }), vec!["c"]),
            (json!({ "serviceName": "web", "environmentName": "prod" }), vec!["a"]),
            (json!({ "serviceName": "web", "environmentName": "test" }), vec![]),
            (json!({ "environmentName": "never" }), vec![]),
        ] {
            assert_eq!(names(&shop, filter.clone()).await, expected, "{filter}");
        }
        let refused = shop.app.call("ListComponents", json!({ "serviceInstanceName": "a" })).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message.starts_with("serviceName: is missing")), ("ValidationException", true));
        let elsewhere = shop.app.in_region("eu-west-3").ok("ListComponents", json!({})).await;
        assert_eq!(elsewhere, json!({ "components": [] }));
        shop.finish().await;
        shop.changed(detach("a")).await;
        assert_eq!(names(&shop, json!({ "serviceName": "web" })).await, Vec::<String>::new());
    }

    a_listing_comes_in_pages_and_without_specs, async |db| {
        let shop = Workshop::on(db).await;
        for name in ["a", "b", "c"] {
            shop.create(detached(name)).await.unwrap();
        }
        shop.finish().await;
        let page = |token: Option<&Value>| json!({ "environmentName": "prod", "maxResults": 2, "nextToken": token });
        let first = shop.app.ok("ListComponents", page(None)).await;
        assert_eq!((first["components"][1]["name"].as_str(), first["components"].as_array().unwrap().len()), (Some("b"), 2));
        let second = shop.app.ok("ListComponents", page(first.get("nextToken"))).await;
        assert_eq!((second["components"][0]["name"].as_str(), second.get("nextToken")), (Some("c"), None));
        let other = json!({ "nextToken": first["nextToken"] });
        assert_eq!(code(shop.app.call("ListComponents", other).await), "ValidationException", "another filter");
        let mut shown = shop.component("a").await;
        shown.as_object_mut().unwrap().remove("serviceSpec");
        assert_eq!(first["components"][0], shown);
    }

    the_summary_counts_components, async |db| {
        let shop = Workshop::on(db).await;
        shop.fail(&[("CreateStack", "bad")]);
        for name in ["a", "b", "bad"] {
            shop.create(detached(name)).await.unwrap();
        }
        let counts = async || shop.app.ok("GetResourcesSummary", json!({})).await["counts"]["components"].clone();
        assert_eq!(counts().await, json!({ "total": 3, "failed": 0 }));
        shop.finish().await;
        assert_eq!(counts().await, json!({ "total": 3, "failed": 1 }));
        shop.fail(&[("DeleteStack", "a")]);
        shop.remove("a").await.unwrap();
        shop.remove("b").await.unwrap();
        shop.finish().await;
        assert_eq!(counts().await, json!({ "total": 2, "failed": 2 }));
    }

    the_records_of_a_component_show_what_it_was_and_was_to_be, async |db| {
        let shop = Workshop::on(db).await;
        shop.made(detached("bucket")).await;
        let spec = plain_spec(&[("a", 5)]);
        let members = json!({ "serviceName": "web", "serviceInstanceName": "a", "serviceSpec": spec, "templateFile": OTHER_BUCKET });
        shop.changed(deploy("bucket", members)).await;
        shop.changed(detach("bucket")).await;
        let records = shop.records_of("bucket").await;
        let state = |template: &str| json!({ "component": { "templateFile": template } });
        let with = json!({ "component": { "templateFile": OTHER_BUCKET, "serviceName": "web", "serviceInstanceName": "a", "serviceSpec": spec } });
        let states: Vec<_> = records.iter().rev().map(|one| (one.get("initialState").cloned(), one["targetState"].clone())).collect();
        assert_eq!(states, [(None, state(BUCKET)), (Some(state(BUCKET)), with.clone()), (Some(with), state(OTHER_BUCKET))]);
        for record in &records {
            assert_eq!((&record["componentName"], &record["environmentName"], &record["targetResourceType"]), (&json!("bucket"), &json!("prod"), &json!("COMPONENT")));
            assert_eq!((&record["targetArn"], record.get("serviceName")), (&json!(format!("{}:component/bucket", shop.app.arn_prefix())), None));
        }
        let id = records[0]["id"].clone();
        shop.app.ok("GetDeployment", json!({ "id": id, "componentName": "bucket" })).await;
        let other = shop.app.call("GetDeployment", json!({ "id": id, "componentName": "other" })).await;
        assert_eq!(code(other), "ResourceNotFoundException");
        let both = json!({ "componentName": "bucket", "environmentName": "prod" });
        assert_eq!(crate::support::component::records(&shop.app, both).await.len(), 3);
        let ids = [&records[2]["id"], &records[1]["id"]];
        let mut outputs = Vec::new();
        for id in ids {
            let answer = shop.app.ok("ListComponentOutputs", json!({ "componentName": "bucket", "deploymentId": id })).await;
            outputs.push(answer["outputs"][0]["valueString"].as_str().unwrap().to_owned());
        }
        assert_eq!(outputs, ["bucket@large", "another"]);
        for operation in ["ListComponentOutputs", "ListComponentProvisionedResources"] {
            assert_eq!(code(shop.app.call(operation, json!({ "componentName": "never" })).await), "ResourceNotFoundException");
        }
        shop.app.ok("DeleteDeployment", json!({ "id": id })).await;
        let component = shop.component("bucket").await;
        assert_eq!((component.get("lastAttemptedDeploymentId"), component.get("lastSucceededDeploymentId")), (None, None));
    }

    the_states_of_an_instance_name_what_it_was_deployed_with, async |db| {
        let shop = Workshop::on(db).await;
        let environment = shop.site.get("prod").await["lastSucceededDeploymentId"].clone();
        let bucket = shop.made(attached("bucket")).await["lastSucceededDeploymentId"].clone();
        shop.app.ok("UpdateEnvironment", json!({ "name": "prod", "deploymentType": "CURRENT_VERSION" })).await;
        shop.finish().await;
        let newer = shop.site.get("prod").await["lastSucceededDeploymentId"].clone();
        shop.changed(detach("bucket")).await;
        let filter = json!({ "serviceName": "web", "serviceInstanceName": "a" });
        let records = crate::support::component::records(&shop.app, filter).await;
        let seen = |state: &Value| {
            let state = &state["serviceInstance"];
            (state["lastSuccessfulEnvironmentDeploymentId"].clone(), state["lastSuccessfulComponentDeploymentIds"].clone())
        };
        let goals: Vec<_> = records.iter().rev().map(|one| seen(&one["targetState"])).collect();
        let expected = [(environment.clone(), Value::Null), (environment, json!([bucket])), (newer, Value::Null)];
        assert_eq!(goals, expected);
        assert_eq!(records[2].get("initialState"), None);
        assert_eq!((seen(&records[1]["initialState"]), seen(&records[0]["initialState"])), (expected[0].clone(), expected[1].clone()));
        shop.active("old", &[("a", 1)]).await;
        let update = json!({ "serviceName": "old", "name": "a", "deploymentType": "CURRENT_VERSION" });
        shop.app.ok("UpdateServiceInstance", update).await;
        let first = shop.records_of_instance("old", "a").await;
        assert_eq!(first[0]["targetState"]["serviceInstance"].get("lastSuccessfulEnvironmentDeploymentId"), None, "not read yet");
        shop.finish().await;
        let pipeline = shop.get("old").await["pipeline"]["lastSucceededDeploymentId"].clone();
        let records = shop.records_of_instance("old", "a").await;
        let pipelines: Vec<_> = records.iter().rev().map(|one| one["targetState"]["serviceInstance"]["lastSuccessfulServicePipelineDeploymentId"].clone()).collect();
        assert_eq!(pipelines, [Value::Null, pipeline]);
    }
}
