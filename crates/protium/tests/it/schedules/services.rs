//! Services without a pipeline, and their instances.

use super::*;
use crate::on_both;
use crate::support::service::plain_spec;

on_both! {
    services_and_instances_in_any_order, async |db| { hold(db, pairs()).await; }
}

fn with(instances: &[(&str, u16)]) -> Value {
    json!({ "name": "web", "spec": plain_spec(instances) })
}

fn instance(name: &str) -> Value {
    json!({ "serviceName": "web", "name": name, "spec": plain_spec(&[("a", 1), (name, 2)]) })
}

fn again() -> Value {
    json!({ "serviceName": "web", "name": "a", "deploymentType": "CURRENT_VERSION" })
}

pub(super) fn pairs() -> Vec<Pair> {
    const CREATE: &str = "CreateService";
    const UPDATE: &str = "UpdateService";
    const DELETE: &str = "DeleteService";
    const CREATE_INSTANCE: &str = "CreateServiceInstance";
    const UPDATE_INSTANCE: &str = "UpdateServiceInstance";
    const FORCE: &str = "ForceDelete";
    vec![
        pair(
            "two creates of one service",
            plain,
            |_, _| ask(CREATE, service("web")),
            |_, _| ask(CREATE, service("web")),
        ),
        pair(
            "a create and a delete of a service",
            plain,
            |_, _| ask(CREATE, service("web")),
            |_, _| ask(DELETE, named("web")),
        ),
        pair(
            "a service that is created while its version is deleted",
            |ground| {
                Box::pin(async {
                    plain(ground).await;
                    ground.shop.published("plain", &files(INSTANCE, PIPELINE), Some("1"), &["env:1"]).await.into()
                })
            },
            |_, _| ask(CREATE, but(service("web"), json!({ "templateMinorVersion": "0" }))),
            |_, _| ask("DeleteServiceTemplateVersion", crate::support::double::version_of("plain", "1.0")),
        ),
        pair(
            "two updates of a service",
            web,
            |_, _| ask(UPDATE, with(&[("a", 1), ("b", 1)])),
            |_, _| ask(UPDATE, with(&[("a", 1), ("c", 1)])),
        ),
        pair(
            "an update of a service and one of its instance",
            web,
            |_, _| ask(UPDATE, with(&[("a", 1), ("b", 1)])),
            |_, _| ask(UPDATE_INSTANCE, again()),
        ),
        pair(
            "an instance that is removed while it is updated",
            web,
            |_, _| ask(UPDATE, with(&[("b", 1)])),
            |_, _| ask(UPDATE_INSTANCE, again()),
        ),
        pair(
            "a delete of a service and an update of its instance",
            web,
            |_, _| ask(DELETE, named("web")),
            |_, _| ask(UPDATE_INSTANCE, again()),
        ),
        pair(
            "an update and a delete of a service",
            web,
            |_, _| ask(UPDATE, with(&[("a", 1), ("b", 1)])),
            |_, _| ask(DELETE, named("web")),
        ),
        pair("two deletes of a service", web, |_, _| ask(DELETE, named("web")), |_, _| ask(DELETE, named("web"))),
        pair(
            "two updates of one instance",
            web,
            |_, _| ask(UPDATE_INSTANCE, again()),
            |_, _| ask(UPDATE_INSTANCE, again()),
        ),
        pair(
            "two instances of one name",
            web,
            |_, _| ask(CREATE_INSTANCE, instance("b")),
            |_, _| ask(CREATE_INSTANCE, instance("b")),
        ),
        pair(
            "two instances of one service",
            web,
            |_, _| ask(CREATE_INSTANCE, instance("b")),
            |_, _| ask(CREATE_INSTANCE, instance("c")),
        ),
        pair(
            "an instance that is created while its service is deleted",
            web,
            |_, _| ask(CREATE_INSTANCE, instance("b")),
            |_, _| ask(DELETE, named("web")),
        ),
        pair(
            "an instance that is created while its service is updated",
            web,
            |_, _| ask(CREATE_INSTANCE, instance("b")),
            |_, _| ask(UPDATE, json!({ "name": "web", "description": "d" })),
        ),
        pair(
            "a force-delete of an instance and an update of its service",
            web,
            |ground, _| ask(FORCE, ground.forced("service/web/service-instance/a", "DELETE")),
            |_, _| ask(UPDATE, with(&[("a", 1), ("b", 1)])),
        ),
        pair(
            "a force-delete of a service and an update of its instance",
            web,
            |ground, _| ask(FORCE, ground.forced("service/web", "RETAIN")),
            |_, _| ask(UPDATE_INSTANCE, again()),
        ),
        pair(
            "a tag of an instance and a delete of its service",
            web,
            |ground, _| ask("TagResource", ground.tagged("service/web/service-instance/a")),
            |_, _| ask(DELETE, named("web")),
        ),
    ]
}
