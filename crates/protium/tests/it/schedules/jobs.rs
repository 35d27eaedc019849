//! Requests that meet the worker, and callers who say how a deployment went.

use super::*;
use crate::on_both;
use crate::support::double::resize;
use crate::support::notification::{NOTIFY, of, outputs};
use crate::support::self_managed;
use crate::support::service::plain_spec;

on_both! {
    requests_that_meet_the_worker_in_any_order, async |db| { hold(db, pairs()).await; }
}

/// The create of `prod` is due.
fn creating(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        template(ground).await;
        ground.app.ok("CreateEnvironment", create("prod")).await
    })
}

/// An update of `prod` is due.
fn updating(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        prod(ground).await;
        ground.app.ok("UpdateEnvironment", resize("prod", "small")).await
    })
}

/// The delete of `prod` is due.
fn deleting(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        prod(ground).await;
        ground.app.ok("DeleteEnvironment", named("prod")).await
    })
}

/// The create of `web` is due.
fn serving(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        plain(ground).await;
        ground.app.ok("CreateService", service("web")).await
    })
}

/// The self-managed environment `prod` waits to be told how its deployment went.
fn waiting(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        self_managed::field(&ground.site).await;
        self_managed::waiting(&ground.site, "prod").await;
        Value::Null
    })
}

fn told(ground: &Ground, status: &str) -> Ask {
    let members = json!({ "status": status, "outputs": outputs(&[("Size", status)]) });
    ask(NOTIFY, of(&ground.app, "environment/prod", members))
}

fn cancel() -> Ask {
    ask("CancelEnvironmentDeployment", json!({ "environmentName": "prod" }))
}

pub(super) fn pairs() -> Vec<Pair> {
    vec![
        at_work("an environment that is cancelled while it is created", creating, |_, _| cancel()),
        at_work("an environment that is cancelled while it is updated", updating, |_, _| cancel()),
        at_work("an environment that is updated while it is created", creating, |_, _| {
            ask("UpdateEnvironment", resize("prod", "huge"))
        }),
        at_work("an environment that is deleted while it is updated", updating, |_, _| {
            ask("DeleteEnvironment", named("prod"))
        }),
        at_work("an environment that is deleted twice", deleting, |_, _| ask("DeleteEnvironment", named("prod"))),
        at_work("an environment that is created while it is deleted", deleting, |_, _| {
            ask("CreateEnvironment", create("prod"))
        }),
        at_work("an environment that goes with all that it has while it is created", creating, |ground, _| {
            ask("ForceDelete", ground.forced("environment/prod", "DELETE"))
        }),
        at_work("an environment that goes with all that it has while it is updated", updating, |ground, _| {
            ask("ForceDelete", ground.forced("environment/prod", "DELETE"))
        }),
        at_work("an environment that goes without what it has while it is created", creating, |ground, _| {
            ask("ForceDelete", ground.forced("environment/prod", "RETAIN"))
        }),
        at_work("an environment that is deployed again while it is updated", updating, |ground, _| {
            ask("Redeploy", json!({ "resourceArn": ground.arn("environment/prod") }))
        }),
        at_work(
            "a version that is deleted while it is registered",
            |ground| {
                Box::pin(async {
                    template(ground).await;
                    let input = json!({ "templateName": "env", "majorVersion": "1", "source": bundle("environment") });
                    ground.app.ok("CreateEnvironmentTemplateVersion", input).await
                })
            },
            |_, _| ask("DeleteEnvironmentTemplateVersion", crate::support::double::version_of("env", "1.1")),
        ),
        at_work("a service that is deleted while it is created", serving, |_, _| ask("DeleteService", named("web"))),
        at_work("a service that is updated while it is created", serving, |_, _| {
            ask("UpdateService", json!({ "name": "web", "spec": plain_spec(&[("a", 1), ("b", 1)]) }))
        }),
        at_work("an instance that is cancelled while its service is created", serving, |_, _| {
            ask("CancelServiceInstanceDeployment", json!({ "serviceName": "web", "serviceInstanceName": "a" }))
        }),
        at_work("a service that goes with all that it has while it is created", serving, |ground, _| {
            ask("ForceDelete", ground.forced("service/web", "DELETE"))
        }),
        at_work("a service that goes without what it has while it is created", serving, |ground, _| {
            ask("ForceDelete", ground.forced("service/web", "RETAIN"))
        }),
        at_work("an instance that goes with all that it has while its service is created", serving, |ground, _| {
            ask("ForceDelete", ground.forced("service/web/service-instance/a", "DELETE"))
        }),
        at_work("an instance that is deployed again while its service is created", serving, |ground, _| {
            ask("Redeploy", json!({ "resourceArn": ground.arn("service/web/service-instance/a") }))
        }),
        at_work("an environment that is deleted while a service in it is created", serving, |_, _| {
            ask("DeleteEnvironment", named("prod"))
        }),
        pair(
            "two words about one deployment",
            waiting,
            |ground, _| told(ground, "SUCCEEDED"),
            |ground, _| told(ground, "FAILED"),
        ),
        pair(
            "a word about a deployment that is cancelled",
            waiting,
            |ground, _| told(ground, "SUCCEEDED"),
            |_, _| cancel(),
        ),
        pair(
            "a word about an environment that is force-deleted",
            waiting,
            |ground, _| told(ground, "SUCCEEDED"),
            |ground, _| ask("ForceDelete", ground.forced("environment/prod", "RETAIN")),
        ),
    ]
}
