//! Templates and their versions, and what is made from them.

use super::*;
use crate::on_both;
use crate::support::double::version_of;

on_both! {
    templates_and_versions_in_any_order, async |db| { hold(db, pairs()).await; }
}

fn new_version(major: &str) -> Value {
    json!({ "templateName": "env", "majorVersion": major, "source": bundle("environment") })
}

fn status(version: &str, status: &str) -> Value {
    but(version_of("env", version), json!({ "status": status }))
}

fn at(name: &str, minor: &str) -> Value {
    but(create(name), json!({ "templateMinorVersion": minor }))
}

/// The template `env` with nothing in it.
fn empty(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        bundles(ground).await;
        ground.app.ok("CreateEnvironmentTemplate", named("env")).await
    })
}

/// The draft 1.1 beside the published 1.0.
fn draft(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        template(ground).await;
        ground.register("env", &environment(STACK), Some("1")).await.into()
    })
}

/// The published 1.1 beside it.
fn two_published(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        template(ground).await;
        ground.published("env", Some("1")).await
    })
}

pub(super) fn pairs() -> Vec<Pair> {
    const CREATE: &str = "CreateEnvironmentTemplate";
    const UPDATE: &str = "UpdateEnvironmentTemplate";
    const DELETE: &str = "DeleteEnvironmentTemplate";
    const CREATE_VERSION: &str = "CreateEnvironmentTemplateVersion";
    const UPDATE_VERSION: &str = "UpdateEnvironmentTemplateVersion";
    const DELETE_VERSION: &str = "DeleteEnvironmentTemplateVersion";
    vec![
        pair(
            "two creates of one template",
            nothing,
            |_, _| ask(CREATE, named("env")),
            |_, _| ask(CREATE, named("env")),
        ),
        pair(
            "two creates of one template that differ",
            nothing,
            |_, _| ask(CREATE, named("env")),
            |_, _| ask(CREATE, json!({ "name": "env", "description": "another" })),
        ),
        pair(
            "a create and a delete of a template",
            nothing,
            |_, _| ask(CREATE, named("env")),
            |_, _| ask(DELETE, named("env")),
        ),
        pair(
            "two updates of a template",
            empty,
            |_, _| ask(UPDATE, json!({ "name": "env", "displayName": "one" })),
            |_, _| ask(UPDATE, json!({ "name": "env", "description": "two" })),
        ),
        pair(
            "an update and a delete of a template",
            empty,
            |_, _| ask(UPDATE, json!({ "name": "env", "displayName": "one" })),
            |_, _| ask(DELETE, named("env")),
        ),
        pair("two deletes of a template", empty, |_, _| ask(DELETE, named("env")), |_, _| ask(DELETE, named("env"))),
        pair(
            "two versions of one major version",
            template,
            |_, _| ask(CREATE_VERSION, new_version("1")),
            |_, _| ask(CREATE_VERSION, new_version("1")),
        ),
        pair(
            "two major versions",
            template,
            |_, _| ask(CREATE_VERSION, but(new_version("1"), json!({ "majorVersion": null }))),
            |_, _| ask(CREATE_VERSION, but(new_version("1"), json!({ "majorVersion": null }))),
        ),
        pair(
            "two versions with one token",
            template,
            |_, _| ask(CREATE_VERSION, but(new_version("1"), json!({ "clientToken": "t" }))),
            |_, _| ask(CREATE_VERSION, but(new_version("1"), json!({ "clientToken": "t" }))),
        ),
        pair(
            "a version and the delete of its template",
            empty,
            |_, _| ask(CREATE_VERSION, but(new_version("1"), json!({ "majorVersion": null }))),
            |_, _| ask(DELETE, named("env")),
        ),
        pair(
            "a version that is published and one that is deleted",
            draft,
            |_, _| ask(UPDATE_VERSION, status("1.1", "PUBLISHED")),
            |_, _| ask(DELETE_VERSION, version_of("env", "1.1")),
        ),
        pair(
            "a version that is published while an environment is created from the recommended one",
            draft,
            |_, _| ask(UPDATE_VERSION, status("1.1", "PUBLISHED")),
            |_, _| ask("CreateEnvironment", create("prod")),
        ),
        pair(
            "a version that is published while an environment is created from it",
            draft,
            |_, _| ask(UPDATE_VERSION, status("1.1", "PUBLISHED")),
            |_, _| ask("CreateEnvironment", at("prod", "1")),
        ),
        pair(
            "a version that is deleted while an environment is created from it",
            two_published,
            |_, _| ask(DELETE_VERSION, version_of("env", "1.0")),
            |_, _| ask("CreateEnvironment", at("prod", "0")),
        ),
        pair(
            "two versions that are published",
            draft,
            |_, _| ask(UPDATE_VERSION, status("1.1", "PUBLISHED")),
            |_, _| ask(UPDATE_VERSION, but(status("1.1", "PUBLISHED"), json!({ "description": "d" }))),
        ),
        pair(
            "a tag and a delete of a template",
            empty,
            |ground, _| ask("TagResource", ground.tagged("environment-template/env")),
            |_, _| ask(DELETE, named("env")),
        ),
        pair(
            "two changes of the account's settings",
            nothing,
            |_, _| ask("UpdateAccountSettings", json!({ "pipelineServiceRoleArn": crate::support::double::ROLE })),
            |_, _| ask("UpdateAccountSettings", json!({ "pipelineCodebuildRoleArn": crate::support::double::ROLE })),
        ),
    ]
}
