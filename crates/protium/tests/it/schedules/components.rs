//! Components and the instances that they are attached to.

use super::*;
use crate::on_both;
use crate::support::component::{OTHER_BUCKET, attach, attached, deploy, detach, detached};

on_both! {
    components_and_instances_in_any_order, async |db| { hold(db, pairs()).await; }
}

fn bench(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        drop(ground.workshop().await);
        Value::Null
    })
}

/// The component `one`, attached to `web/a`.
fn held(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async { ground.workshop().await.made(attached("one")).await })
}

/// The component `one`, attached to nothing.
fn free(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async { ground.workshop().await.made(detached("one")).await })
}

fn again() -> Value {
    json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" })
}

fn other() -> Value {
    deploy("one", json!({ "templateFile": OTHER_BUCKET }))
}

pub(super) fn pairs() -> Vec<Pair> {
    const CREATE: &str = "CreateComponent";
    const UPDATE: &str = "UpdateComponent";
    const DELETE: &str = "DeleteComponent";
    const UPDATE_INSTANCE: &str = "UpdateServiceInstance";
    vec![
        pair(
            "two creates of one component",
            bench,
            |_, _| ask(CREATE, detached("one")),
            |_, _| ask(CREATE, detached("one")),
        ),
        pair(
            "two components for one instance",
            bench,
            |_, _| ask(CREATE, attached("one")),
            |_, _| ask(CREATE, attached("two")),
        ),
        pair(
            "a component and the delete of its service",
            bench,
            |_, _| ask(CREATE, attached("one")),
            |_, _| ask("DeleteService", named("web")),
        ),
        pair(
            "a component and an update of its instance",
            bench,
            |_, _| ask(CREATE, attached("one")),
            |_, _| ask(UPDATE_INSTANCE, again()),
        ),
        pair(
            "a component that is attached while the instance is updated",
            free,
            |_, _| ask(UPDATE, attach("one")),
            |_, _| ask(UPDATE_INSTANCE, again()),
        ),
        pair("two updates of a component", held, |_, _| ask(UPDATE, other()), |_, _| ask(UPDATE, detach("one"))),
        pair(
            "a delete of a component and an update of its instance",
            free,
            |_, _| ask(DELETE, named("one")),
            |_, _| ask(UPDATE_INSTANCE, again()),
        ),
        pair(
            "a delete and an attach of a component",
            free,
            |_, _| ask(DELETE, named("one")),
            |_, _| ask(UPDATE, attach("one")),
        ),
        pair(
            "a component that is detached while its service is deleted",
            held,
            |_, _| ask(UPDATE, detach("one")),
            |_, _| ask("DeleteService", named("web")),
        ),
        pair(
            "a force-delete and an update of a component",
            held,
            |ground, _| ask("ForceDelete", ground.forced("component/one", "RETAIN")),
            |_, _| ask(UPDATE, other()),
        ),
        pair(
            "a force-delete of a service and an update of its component",
            held,
            |ground, _| ask("ForceDelete", ground.forced("service/web", "RETAIN")),
            |_, _| ask(UPDATE, other()),
        ),
        pair(
            "a component and a force-delete of its environment",
            |ground| {
                Box::pin(async {
                    let shop = ground.workshop().await;
                    shop.delete_service("web").await.unwrap();
                    shop.until("web", "gone").await;
                    Value::Null
                })
            },
            |_, _| ask(CREATE, detached("one")),
            |ground, _| ask("ForceDelete", ground.forced("environment/prod", "RETAIN")),
        ),
        at_work(
            "an instance that is updated while its component is at work",
            |ground| {
                Box::pin(async {
                    held(ground).await;
                    ground.app.ok(UPDATE, other()).await
                })
            },
            |_, _| ask(UPDATE_INSTANCE, again()),
        ),
        at_work(
            "a component that is attached while the instance is at work",
            |ground| {
                Box::pin(async {
                    free(ground).await;
                    ground.app.ok(UPDATE_INSTANCE, again()).await
                })
            },
            |_, _| ask(UPDATE, attach("one")),
        ),
        at_work(
            "a component that is cancelled at work",
            |ground| {
                Box::pin(async {
                    held(ground).await;
                    ground.app.ok(UPDATE, other()).await
                })
            },
            |_, _| ask("CancelComponentDeployment", json!({ "componentName": "one" })),
        ),
        at_work(
            "a component that goes without what it has at work",
            |ground| {
                Box::pin(async {
                    held(ground).await;
                    ground.app.ok(UPDATE, other()).await
                })
            },
            |ground, _| ask("ForceDelete", ground.forced("component/one", "RETAIN")),
        ),
    ]
}
