//! Services with a pipeline.

use super::*;
use crate::on_both;
use crate::support::service::{create, on_branch};

on_both! {
    pipelines_in_any_order, async |db| { hold(db, pairs()).await; }
}

/// The service `web` with the instance `a` and a pipeline.
fn piped(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        template(ground).await;
        let shop = Shop::of(ground.site.in_region(&ground.app.scope().region)).await;
        shop.active("web", &[("a", 1)]).await;
        Value::Null
    })
}

/// The same with its pipeline's deployment under way.
fn deploying(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        piped(ground).await;
        ground.app.ok("UpdateServicePipeline", pipeline("next")).await
    })
}

fn pipeline(branch: &str) -> Value {
    json!({ "serviceName": "web", "deploymentType": "CURRENT_VERSION", "spec": on_branch(branch, &[("a", 1)]) })
}

pub(super) fn pairs() -> Vec<Pair> {
    const UPDATE: &str = "UpdateServicePipeline";
    const CANCEL: &str = "CancelServicePipelineDeployment";
    vec![
        pair(
            "two updates of a pipeline",
            piped,
            |_, _| ask(UPDATE, pipeline("one")),
            |_, _| ask(UPDATE, pipeline("two")),
        ),
        pair(
            "an update of a pipeline and one of its service",
            piped,
            |_, _| ask(UPDATE, pipeline("one")),
            |_, _| ask("UpdateService", json!({ "name": "web", "spec": on_branch("main", &[("a", 1), ("b", 2)]) })),
        ),
        pair(
            "an update of a pipeline and the delete of its service",
            piped,
            |_, _| ask(UPDATE, pipeline("one")),
            |_, _| ask("DeleteService", named("web")),
        ),
        pair(
            "a cancel and an update of a pipeline",
            deploying,
            |_, _| ask(CANCEL, json!({ "serviceName": "web" })),
            |_, _| ask(UPDATE, pipeline("two")),
        ),
        pair(
            "a cancel of a pipeline that waits and a cancel of its instance",
            |ground| {
                Box::pin(async {
                    template(ground).await;
                    let shop = Shop::of(ground.site.in_region(&ground.app.scope().region)).await;
                    shop.app.ok("CreateService", create("web", &[("a", 1)])).await
                })
            },
            |_, _| ask(CANCEL, json!({ "serviceName": "web" })),
            |_, _| ask("CancelServiceInstanceDeployment", json!({ "serviceName": "web", "serviceInstanceName": "a" })),
        ),
        at_work("a pipeline that is cancelled at work", deploying, |_, _| ask(CANCEL, json!({ "serviceName": "web" }))),
        at_work("a pipeline that is deployed again at work", deploying, |ground, _| {
            ask("Redeploy", json!({ "resourceArn": ground.arn("service/web/pipeline") }))
        }),
    ]
}
