//! Of two things wrong at once, the request is told of what it can correct: what it gives and what it names come
//! before what is in its way.

use crate::on_both;
use crate::support::app::TestApp;
use crate::support::component::{Workshop, attached};
use crate::support::service::*;
use serde_json::{Value, json};

const INVALID: &str = "ValidationException";
const MISSING: &str = "ResourceNotFoundException";
const CONFLICT: &str = "ConflictException";

/// A request, the code that refuses it, and words of the reason.
type Row = (&'static str, Value, &'static str, &'static str);

/// Something that is under way: the request that begins it, how the service stands then, what that is in the way of.
struct UnderWay {
    begun: (&'static str, Value),
    stands: &'static str,
    refused: Vec<(&'static str, Value, &'static str)>,
}

fn update_service(spec: String) -> Value {
    json!({ "name": "web", "spec": spec })
}

/// An update of `web/a`, with more members.
fn update_instance(members: Value) -> Value {
    but(json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" }), members)
}

/// An update of the pipeline of `web`, with more members.
fn update_pipeline(members: Value) -> Value {
    let spec = spec(&[("a", 1), ("b", 2)]);
    but(json!({ "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": spec }), members)
}

/// A create of `web/c`, with more members.
fn create_instance(members: Value) -> Value {
    but(json!({ "serviceName": "web", "name": "c", "spec": spec(&[("c", 3)]) }), members)
}

/// No version has that number.
fn no_version() -> Value {
    json!({ "deploymentType": "MINOR_VERSION", "templateMinorVersion": "28" })
}

/// What is wrong whatever `web`, which has `a` and `b`, is at.
fn wrong() -> Vec<Row> {
    let replaced = spec(&[("b", 2), ("c", 3)]);
    let nowhere = |spec: String| spec.replace("name: c\n    environment: prod", "name: c\n    environment: nowhere");
    let without = json!({ "spec": spec(&[("b", 2)]) });
    let list = json!({ "spec": on_branch("[main]", &[]) });
    vec![
        ("UpdateService", update_service("a: [".into()), INVALID, "spec:"),
        ("UpdateService", update_service(spec(&[])), INVALID, "spec: has no instances"),
        ("UpdateService", update_service(spec(&[("a", 9), ("b", 2)])), INVALID, "spec: edits the instance 'a'"),
        ("UpdateService", update_service(replaced.replace("port: 3", "port: high")), INVALID, "spec: instance 'c'"),
        ("UpdateService", update_service(nowhere(replaced)), MISSING, "The requested environment does not exist: "),
        ("UpdateServiceInstance", update_instance(without), INVALID, "spec: has no instance named 'a'"),
        ("UpdateServiceInstance", update_instance(no_version()), MISSING, "service-template/svc:1.28"),
        ("UpdateServicePipeline", update_pipeline(list), INVALID, "spec: pipeline: "),
        ("UpdateServicePipeline", update_pipeline(no_version()), MISSING, "service-template/svc:1.28"),
        (
            "CreateServiceInstance",
            create_instance(json!({ "spec": nowhere(spec(&[("c", 3)])) })),
            MISSING,
            "The requested environment does not exist: ",
        ),
        (
            "CreateServiceInstance",
            create_instance(json!({ "templateMajorVersion": "7" })),
            MISSING,
            "service-template/svc:7",
        ),
    ]
}

/// One after the other; the last one removes the service.
fn all_under_way() -> Vec<UnderWay> {
    let replace = || update_service(spec(&[("b", 2), ("c", 3)]));
    let (instance, pipeline) = (|| update_instance(json!({})), || update_pipeline(json!({})));
    let create = || create_instance(json!({}));
    vec![
        UnderWay {
            begun: ("UpdateServiceInstance", instance()),
            stands: "ACTIVE, a IN_PROGRESS, b SUCCEEDED, pipeline SUCCEEDED",
            refused: vec![
                ("UpdateService", replace(), "the instance 'a' of the service 'web' is IN_PROGRESS; remove it"),
                ("UpdateServiceInstance", instance(), "is IN_PROGRESS: wait until its deployment has ended"),
            ],
        },
        UnderWay {
            begun: ("UpdateServicePipeline", pipeline()),
            stands: "ACTIVE, a SUCCEEDED, b SUCCEEDED, pipeline IN_PROGRESS",
            refused: vec![
                ("UpdateService", replace(), "the pipeline of the service 'web' is IN_PROGRESS; update the service"),
                ("UpdateServicePipeline", pipeline(), "is IN_PROGRESS: wait until its deployment has ended"),
                ("CreateServiceInstance", create(), "the pipeline of the service 'web' is IN_PROGRESS; create the"),
            ],
        },
        UnderWay {
            begun: ("UpdateService", update_service(spec(&[("a", 1), ("b", 2), ("d", 4)]))),
            stands: "UPDATE_IN_PROGRESS, a SUCCEEDED, b SUCCEEDED, d IN_PROGRESS, pipeline IN_PROGRESS",
            refused: vec![
                ("UpdateService", replace(), "the service 'web' is UPDATE_IN_PROGRESS; update it when that has ended"),
                (
                    "UpdateService",
                    json!({ "name": "web", "description": "d" }),
                    "the service 'web' is UPDATE_IN_PROGRESS; update it when that has ended",
                ),
                ("UpdateServicePipeline", pipeline(), "is UPDATE_IN_PROGRESS; update its pipeline when that has ended"),
                ("CreateServiceInstance", create(), "is UPDATE_IN_PROGRESS; create the instance when that has ended"),
            ],
        },
        UnderWay {
            begun: ("DeleteService", json!({ "name": "web" })),
            stands: "DELETE_IN_PROGRESS, a DELETE_IN_PROGRESS, b DELETE_IN_PROGRESS, d DELETE_IN_PROGRESS, pipeline \
                     DELETE_IN_PROGRESS",
            refused: vec![
                ("UpdateService", replace(), "the service 'web' is DELETE_IN_PROGRESS; update it when that has ended"),
                ("UpdateServiceInstance", instance(), "is DELETE_IN_PROGRESS; its instances can't be updated"),
                ("UpdateServicePipeline", pipeline(), "is DELETE_IN_PROGRESS; update its pipeline when that has ended"),
                ("CreateServiceInstance", create(), "is DELETE_IN_PROGRESS; create the instance when that has ended"),
            ],
        },
    ]
}

async fn check(app: &TestApp, rows: Vec<Row>) {
    for (operation, input, code, says) in rows {
        let refused = app.call(operation, input.clone()).await.unwrap_err();
        assert_eq!(refused.code, code, "{operation} {input}: {refused:?}");
        assert!(refused.message.contains(says), "{operation} {input}: {says}: {}", refused.message);
    }
}

on_both! {
    what_is_wrong_with_a_request_is_told_before_what_is_in_its_way, async |db| {
        let shop = Shop::on(db).await;
        shop.active("web", &[("a", 1), ("b", 2)]).await;
        check(&shop.app, wrong()).await;
        for UnderWay { begun: (operation, input), stands, refused } in all_under_way() {
            shop.app.ok(operation, input).await;
            assert_eq!(shop.stands("web").await, stands);
            check(&shop.app, wrong()).await;
            check(&shop.app, refused.into_iter().map(|(operation, input, says)| (operation, input, CONFLICT, says)).collect()).await;
            assert_eq!(shop.stands("web").await, stands, "nothing of it was done");
            shop.finish().await;
        }
        assert_eq!(shop.stands("web").await, "gone");
    }

    what_is_wrong_with_a_request_is_told_before_a_component_that_is_in_its_way, async |db| {
        let shop = Workshop::on(db).await;
        shop.create(attached("bucket")).await.unwrap();
        let without = json!({ "spec": plain_spec(&[("b", 2)]) });
        check(&shop.app, vec![
            ("UpdateServiceInstance", update_instance(without), INVALID, "spec: has no instance named 'a'"),
            ("UpdateServiceInstance", update_instance(no_version()), MISSING, ":1.28"),
            ("UpdateServiceInstance", update_instance(json!({})), CONFLICT, "the component 'bucket'"),
        ]).await;
    }
}
