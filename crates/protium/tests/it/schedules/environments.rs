//! Environments, and what is made in them.

use super::*;
use crate::on_both;
use crate::support::double::resize;

on_both! {
    environments_in_any_order, async |db| { hold(db, pairs()).await; }
}

pub(super) fn pairs() -> Vec<Pair> {
    const CREATE: &str = "CreateEnvironment";
    const UPDATE: &str = "UpdateEnvironment";
    const DELETE: &str = "DeleteEnvironment";
    const FORCE: &str = "ForceDelete";
    vec![
        pair(
            "two creates of one environment",
            template,
            |_, _| ask(CREATE, create("prod")),
            |_, _| ask(CREATE, create("prod")),
        ),
        pair(
            "two creates of one environment that differ",
            template,
            |_, _| ask(CREATE, create("prod")),
            |_, _| ask(CREATE, but(create("prod"), json!({ "description": "another" }))),
        ),
        pair(
            "a create and a delete of an environment",
            template,
            |_, _| ask(CREATE, create("prod")),
            |_, _| ask(DELETE, named("prod")),
        ),
        pair(
            "two updates of an environment",
            prod,
            |_, _| ask(UPDATE, resize("prod", "small")),
            |_, _| ask(UPDATE, resize("prod", "huge")),
        ),
        pair(
            "an update that deploys and one that does not",
            prod,
            |_, _| ask(UPDATE, resize("prod", "small")),
            |_, _| ask(UPDATE, json!({ "name": "prod", "deploymentType": "NONE", "description": "d" })),
        ),
        pair(
            "an update and a delete of an environment",
            prod,
            |_, _| ask(UPDATE, resize("prod", "small")),
            |_, _| ask(DELETE, named("prod")),
        ),
        pair(
            "two deletes of an environment",
            prod,
            |_, _| ask(DELETE, named("prod")),
            |_, _| ask(DELETE, named("prod")),
        ),
        pair(
            "a cancel and an update of an environment",
            |ground| {
                Box::pin(async {
                    prod(ground).await;
                    ground.app.ok(UPDATE, resize("prod", "small")).await
                })
            },
            |_, _| ask("CancelEnvironmentDeployment", json!({ "environmentName": "prod" })),
            |_, _| ask(UPDATE, resize("prod", "huge")),
        ),
        pair(
            "two cancels of an environment",
            |ground| {
                Box::pin(async {
                    prod(ground).await;
                    ground.app.ok(UPDATE, resize("prod", "small")).await
                })
            },
            |_, _| ask("CancelEnvironmentDeployment", json!({ "environmentName": "prod" })),
            |_, _| ask("CancelEnvironmentDeployment", json!({ "environmentName": "prod" })),
        ),
        pair(
            "an environment that is deleted while a service is created in it",
            plain,
            |_, _| ask(DELETE, named("prod")),
            |_, _| ask("CreateService", service("web")),
        ),
        pair(
            "an environment that is updated while a service is created in it",
            plain,
            |_, _| ask(UPDATE, resize("prod", "small")),
            |_, _| ask("CreateService", service("web")),
        ),
        pair(
            "an environment that is force-deleted while a service is created in it",
            plain,
            |ground, _| ask(FORCE, ground.forced("environment/prod", "RETAIN")),
            |_, _| ask("CreateService", service("web")),
        ),
        pair(
            "a force-delete and an update of an environment",
            prod,
            |ground, _| ask(FORCE, ground.forced("environment/prod", "DELETE")),
            |_, _| ask(UPDATE, resize("prod", "small")),
        ),
        pair(
            "a force-delete and a cancel of an environment",
            |ground| {
                Box::pin(async {
                    prod(ground).await;
                    ground.app.ok(UPDATE, resize("prod", "small")).await
                })
            },
            |ground, _| ask(FORCE, ground.forced("environment/prod", "DELETE")),
            |_, _| ask("CancelEnvironmentDeployment", json!({ "environmentName": "prod" })),
        ),
        pair(
            "two force-deletes of an environment",
            prod,
            |ground, _| ask(FORCE, ground.forced("environment/prod", "RETAIN")),
            |ground, _| ask(FORCE, ground.forced("environment/prod", "RETAIN")),
        ),
        pair(
            "a tag and a delete of an environment",
            prod,
            |ground, _| ask("TagResource", ground.tagged("environment/prod")),
            |_, _| ask(DELETE, named("prod")),
        ),
        pair(
            "a tag and a force-delete of an environment",
            prod,
            |ground, _| ask("TagResource", ground.tagged("environment/prod")),
            |ground, _| ask(FORCE, ground.forced("environment/prod", "RETAIN")),
        ),
        pair(
            "a redeployment and a delete of an environment",
            prod,
            |ground, _| ask("Redeploy", json!({ "resourceArn": ground.arn("environment/prod") })),
            |_, _| ask(DELETE, named("prod")),
        ),
    ]
}
