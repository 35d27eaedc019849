//! Repositories, and what follows them.

use super::*;
use crate::on_both;
use crate::operations::sync::{link, of_service, of_template, with};

on_both! {
    repositories_and_syncs_in_any_order, async |db| { hold(db, pairs()).await; }
}

fn repository() -> Value {
    json!({ "provider": "GITHUB", "name": "o/r" })
}

fn linking() -> Value {
    with(repository(), "connectionArn", "arn:aws:codeconnections:us-east-1:123456789012:connection/c")
}

fn linked(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        link(&ground.app, "o/r").await;
        Value::Null
    })
}

/// The template `env` beside the repository.
fn to_follow(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        linked(ground).await;
        ground.app.ok("CreateEnvironmentTemplate", named("env")).await
    })
}

/// The template follows the repository.
fn followed(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        to_follow(ground).await;
        ground.app.ok("CreateTemplateSyncConfig", following()).await
    })
}

/// The service `web` beside the repository.
fn service_to_follow(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        linked(ground).await;
        web(ground).await
    })
}

fn following() -> Value {
    of_template("ENVIRONMENT", "env")
}

fn config() -> Value {
    json!({ "templateName": "env", "templateType": "ENVIRONMENT" })
}

pub(super) fn pairs() -> Vec<Pair> {
    const UNLINK: &str = "DeleteRepository";
    const FOLLOW: &str = "CreateTemplateSyncConfig";
    const UNFOLLOW: &str = "DeleteTemplateSyncConfig";
    const FOLLOW_SERVICE: &str = "CreateServiceSyncConfig";
    vec![
        pair(
            "two links",
            nothing,
            |_, _| ask("CreateRepository", linking()),
            |_, _| ask("CreateRepository", linking()),
        ),
        pair(
            "a link and its removal",
            nothing,
            |_, _| ask("CreateRepository", linking()),
            |_, _| ask(UNLINK, repository()),
        ),
        pair("two removals of a link", linked, |_, _| ask(UNLINK, repository()), |_, _| ask(UNLINK, repository())),
        pair(
            "a template that follows a link that is removed",
            to_follow,
            |_, _| ask(FOLLOW, following()),
            |_, _| ask(UNLINK, repository()),
        ),
        pair(
            "a template that follows twice",
            to_follow,
            |_, _| ask(FOLLOW, following()),
            |_, _| ask(FOLLOW, with(following(), "branch", "dev")),
        ),
        pair(
            "a template that follows while it is deleted",
            to_follow,
            |_, _| ask(FOLLOW, following()),
            |_, _| ask("DeleteEnvironmentTemplate", named("env")),
        ),
        pair(
            "a template that follows something else, or nothing",
            followed,
            |_, _| ask("UpdateTemplateSyncConfig", with(following(), "branch", "dev")),
            |_, _| ask(UNFOLLOW, config()),
        ),
        pair(
            "a template that follows nothing any more, and the removal of the link",
            followed,
            |_, _| ask(UNFOLLOW, config()),
            |_, _| ask(UNLINK, repository()),
        ),
        pair(
            "a service that follows a link that is removed",
            service_to_follow,
            |_, _| ask(FOLLOW_SERVICE, of_service("web")),
            |_, _| ask(UNLINK, repository()),
        ),
        pair(
            "a service that follows while it is deleted",
            service_to_follow,
            |_, _| ask(FOLLOW_SERVICE, of_service("web")),
            |_, _| ask("DeleteService", named("web")),
        ),
        pair(
            "a service that follows while it is changed by hand",
            service_to_follow,
            |_, _| ask(FOLLOW_SERVICE, of_service("web")),
            |_, _| {
                ask(
                    "UpdateServiceInstance",
                    json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" }),
                )
            },
        ),
    ]
}
