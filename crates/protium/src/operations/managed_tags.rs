//! Which managed tags a resource has: the ARNs of what it belongs to.
//!
//! Owns: what each kind of resource is tagged with, shown as `aws:proton:*` on the resource and put as
//! `proton:*` on what is provisioned for it. Does not own: the keys (`domain::tag`), nor the tags of users.
//!
//! The template's tag holds the ARN of the template, not of the version: the version changes with every
//! update, and a changed tag would touch each provisioned thing.

use super::template::template_arn;
use crate::store::Target;
use protium_domain::arn::{Scope, account_of};
use protium_domain::component::Component;
use protium_domain::environment::Environment;
use protium_domain::service::{Service, ServiceInstance};
use protium_domain::tag::Managed;
use protium_domain::template::TemplateKind;

/// The managed tags of a template, and of each of its versions.
pub(super) fn managed_of_template(scope: &Scope, kind: TemplateKind, name: &str) -> Managed {
    Managed { account: scope.account.clone(), template: Some(template_arn(scope, kind, name)), ..Managed::default() }
}

pub(super) fn managed_of_environment(scope: &Scope, environment: &Environment) -> Managed {
    Managed {
        environment: Some(scope.environment(&environment.name)),
        ..managed_of_template(scope, TemplateKind::Environment, &environment.template)
    }
}

pub(super) fn managed_of_service(scope: &Scope, service: &Service) -> Managed {
    of_service(scope, &service.name, &service.template)
}

pub(super) fn managed_of_instance(scope: &Scope, instance: &ServiceInstance) -> Managed {
    Managed {
        environment: Some(scope.environment(&instance.environment)),
        service_instance: Some(scope.service_instance(&instance.service, &instance.name)),
        ..of_service(scope, &instance.service, &instance.template)
    }
}

/// Those of the service and the instance while it is attached.
pub(super) fn managed_of_component(scope: &Scope, component: &Component) -> Managed {
    let attached = component.attached.as_ref();
    Managed {
        account: scope.account.clone(),
        component: Some(scope.component(&component.name)),
        environment: Some(scope.environment(&component.environment)),
        service: attached.map(|one| scope.service(&one.service)),
        service_instance: attached.map(|one| scope.service_instance(&one.service, &one.instance)),
        ..Managed::default()
    }
}

/// The managed tags for what a deployment of `target` provisions with `role`. The account is that of
/// the role, which may be another than the caller's.
pub(crate) fn managed_of_target(scope: &Scope, target: &Target, role: Option<&str>) -> Managed {
    let managed = match target {
        Target::Environment(environment) => managed_of_environment(scope, environment),
        Target::ServiceInstance(instance) => managed_of_instance(scope, instance),
        Target::ServicePipeline(pipeline) => of_service(scope, &pipeline.service, &pipeline.template),
        Target::Component(component) => managed_of_component(scope, component),
    };
    match role.and_then(account_of) {
        Some(account) => Managed { account: account.to_owned(), ..managed },
        None => managed,
    }
}

fn of_service(scope: &Scope, service: &str, template: &str) -> Managed {
    Managed { service: Some(scope.service(service)), ..managed_of_template(scope, TemplateKind::Service, template) }
}
