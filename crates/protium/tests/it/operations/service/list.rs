use crate::on_both;
use crate::support::app::code;
use crate::support::service::*;
use serde_json::{Value, json};

/// The names of all pages of a list, a page a line.
async fn pages(shop: &Shop, operation: &str, key: &str, mut input: Value) -> Vec<String> {
    let mut pages = Vec::new();
    loop {
        let answer = shop.app.ok(operation, input.clone()).await;
        let entries = answer[key].as_array().unwrap().iter();
        let names = entries.map(|one| match one["serviceName"].as_str() {
            Some(service) => format!("{service}/{}", one["name"].as_str().unwrap()),
            None => one["name"].as_str().unwrap().to_owned(),
        });
        pages.push(names.collect::<Vec<_>>().join(" "));
        match answer.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => return pages,
        }
    }
}

on_both! {
    services_are_listed_by_name, async |db| {
        let shop = Shop::on(db).await;
        for name in ["web", "Api", "api-2", "api_1", "zoo"] {
            shop.app.ok("CreateService", but(create_plain(name, &[("a", 1)]), json!({ "description": "d" }))).await;
        }
        let all = pages(&shop, "ListServices", "services", json!({})).await;
        assert_eq!(all, ["Api api-2 api_1 web zoo"], "in the order of bytes");
        let two = pages(&shop, "ListServices", "services", json!({ "maxResults": 2 })).await;
        assert_eq!(two, ["Api api-2", "api_1 web", "zoo"]);
        let first = shop.app.ok("ListServices", json!({ "maxResults": 1 })).await["services"][0].clone();
        assert_eq!((&first["status"], &first["templateName"]), (&json!("CREATE_IN_PROGRESS"), &json!("plain")));
        assert_eq!((&first["description"], first.get("spec")), (&json!("d"), None));
        for wrong in [json!({ "nextToken": "AAAA" }), json!({ "maxResults": 0 }), json!({ "maxResults": 101 })] {
            assert_eq!(code(shop.app.call("ListServices", wrong).await), "ValidationException");
        }
        let elsewhere = shop.app.in_region("eu-west-1");
        assert_eq!(elsewhere.ok("ListServices", json!({})).await, json!({ "services": [] }));
    }

    instances_are_listed_by_service_and_name, async |db| {
        let shop = Shop::on(db).await;
        for name in ["web", "api"] {
            shop.app.ok("CreateService", create_plain(name, &[("b", 1), ("A", 2), ("a", 3)])).await;
        }
        let list = async |input| pages(&shop, "ListServiceInstances", "serviceInstances", input).await;
        assert_eq!(list(json!({})).await, ["api/A api/a api/b web/A web/a web/b"]);
        let expected = ["api/A api/a", "api/b web/A", "web/a web/b"];
        assert_eq!(list(json!({ "maxResults": 2 })).await, expected);
        assert_eq!(list(json!({ "maxResults": 2, "sortBy": "serviceName", "sortOrder": "ASCENDING" })).await, expected);
        assert_eq!(list(json!({ "serviceName": "web", "maxResults": 2 })).await, ["web/A web/a", "web/b"]);
        let answer = shop.app.ok("ListServiceInstances", json!({ "serviceName": "web", "maxResults": 1 })).await;
        let one = &answer["serviceInstances"][0];
        assert_eq!((&one["environmentName"], &one["deploymentStatus"]), (&json!("prod"), &json!("IN_PROGRESS")));
        assert_eq!((&one["templateName"], one.get("spec")), (&json!("plain"), None));
        let token = json!({ "serviceName": "api", "nextToken": answer["nextToken"] });
        assert_eq!(code(shop.app.call("ListServiceInstances", token).await), "ValidationException", "a token of another list");
        let missing = json!({ "serviceName": "none" });
        assert_eq!(code(shop.app.call("ListServiceInstances", missing).await), "ResourceNotFoundException");
    }

    what_is_not_there_is_not_found_by_its_arn, async |db| {
        let shop = Shop::on(db).await;
        shop.active_plain("web", &[("a", 1)]).await;
        let prefix = shop.app.arn_prefix();
        let none = spec(&[]);
        for (operation, input, noun, arn) in [
            ("GetService", json!({ "name": "none" }), "service", "service/none"),
            ("UpdateService", json!({ "name": "none" }), "service", "service/none"),
            ("GetServiceInstance", json!({ "serviceName": "web", "name": "b" }), "service instance", "service/web/service-instance/b"),
            ("UpdateServiceInstance", json!({ "serviceName": "none", "name": "a", "deploymentType": "NONE" }), "service instance", "service/none/service-instance/a"),
            ("CancelServiceInstanceDeployment", json!({ "serviceName": "web", "serviceInstanceName": "b" }), "service instance", "service/web/service-instance/b"),
            ("UpdateServicePipeline", json!({ "serviceName": "web", "deploymentType": "NONE", "spec": none }), "service pipeline", "service/web/pipeline"),
            ("UpdateServicePipeline", json!({ "serviceName": "none", "deploymentType": "NONE", "spec": none }), "service", "service/none"),
            ("CancelServicePipelineDeployment", json!({ "serviceName": "web" }), "service pipeline", "service/web/pipeline"),
        ] {
            let refused = shop.app.call(operation, input).await.unwrap_err();
            assert_eq!(refused.code, "ResourceNotFoundException", "{operation}");
            assert_eq!(refused.message, format!("The requested {noun} does not exist: {prefix}:{arn}"));
        }
    }
}
