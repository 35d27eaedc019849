//! The namespaces that templates see: one builder for each kind of resource.
//!
//! Owns which names exist where. It does not decide what inputs and outputs are: they come in as
//! JSON objects, with the schema's defaults already in place.

use std::sync::Arc;

use minijinja::value::Object;
use serde_json::{Map, Value, json};

use super::to_value;

/// An environment as service and component templates see it.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentView {
    /// Its name.
    pub name: String,
    /// The account that its infrastructure is in.
    pub account_id: String,
    /// Its outputs, an object.
    pub outputs: Value,
}

/// A service; the repository fields are empty for a service without a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceView {
    /// Its name.
    pub name: String,
    /// The repository as `owner/name`.
    pub repository_id: String,
    /// The ARN of the connection to the repository's host.
    pub repository_connection_arn: String,
    /// The branch that the pipeline follows.
    pub branch_name: String,
}

/// A component that is attached to a service instance.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentView {
    /// Its name.
    pub name: String,
    /// Its outputs, an object.
    pub outputs: Value,
}

/// A deployed instance as pipeline templates see it.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceView {
    /// Its name.
    pub name: String,
    /// Its inputs, an object.
    pub inputs: Value,
    /// Its outputs, an object.
    pub outputs: Value,
    /// Its environment.
    pub environment: EnvironmentView,
}

/// A service instance as the template of an attached component sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttachedInstance {
    /// The name of its service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its inputs, an object.
    pub inputs: Value,
}

/// For an environment template.
pub fn environment(name: &str, inputs: &Value) -> Value {
    json!({ "environment": { "name": name, "inputs": object(inputs) } })
}

/// For a service instance template. `service_instance.environment` is the same as `environment`:
/// older templates read outputs there.
pub fn service_instance(
    service: &ServiceView,
    name: &str,
    inputs: &Value,
    component: Option<&ComponentView>,
    environment: &EnvironmentView,
) -> Value {
    let environment = environment_value(environment);
    let default = match component {
        Some(component) => json!({ "name": component.name, "outputs": object(&component.outputs) }),
        None => no_component(),
    };
    json!({
        "service": service_value(service),
        "service_instance": {
            "name": name,
            "inputs": object(inputs),
            "components": { "default": default },
            "environment": environment.clone(),
        },
        "environment": environment,
    })
}

/// For a pipeline template; the instances are deployed before it.
pub fn pipeline(service: &ServiceView, inputs: &Value, instances: &[InstanceView]) -> Value {
    let instances: Vec<Value> = instances
        .iter()
        .map(|instance| {
            json!({
                "name": instance.name,
                "inputs": object(&instance.inputs),
                "outputs": object(&instance.outputs),
                "environment": environment_value(&instance.environment),
            })
        })
        .collect();
    json!({
        "pipeline": { "inputs": object(inputs) },
        "service": service_value(service),
        "service_instances": instances,
    })
}

/// For a component template, attached to an instance or not.
pub fn component(name: &str, environment: &EnvironmentView, attached: Option<&AttachedInstance>) -> Value {
    let mut names = Map::new();
    names.insert("component".to_owned(), json!({ "name": name }));
    names.insert("environment".to_owned(), environment_value(environment));
    if let Some(instance) = attached {
        names.insert("service".to_owned(), json!({ "name": instance.service }));
        let value = json!({ "name": instance.name, "inputs": object(&instance.inputs) });
        names.insert("service_instance".to_owned(), value);
    }
    Value::Object(names)
}

/// Where the template of an instance finds its component.
const COMPONENT: [&str; 3] = ["service_instance", "components", "default"];

/// Stands for the component that an instance does not have: templates read the outputs unconditionally.
fn no_component() -> Value {
    json!({ "outputs": {} })
}

/// A component that is not there, as templates see it: an empty mapping, whose outputs are an empty mapping too.
#[derive(Debug)]
struct NoComponent;

impl Object for NoComponent {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        (key.as_str() == Some("outputs")).then(|| to_value(&object(&Value::Null)))
    }
}

/// A namespace as the engine's values.
pub(super) fn values(namespace: &Value) -> minijinja::Value {
    on_the_way(namespace, &COMPONENT)
}

/// The value of what leads to a component by `path`, or is one.
fn on_the_way(json: &Value, path: &[&str]) -> minijinja::Value {
    match (json, path) {
        (component, []) if *component == no_component() => minijinja::Value::from_object(NoComponent),
        (Value::Object(members), [next, rest @ ..]) => {
            minijinja::Value::from_pairs(members.iter().map(|(name, value)| {
                (name.as_str(), if name == next { on_the_way(value, rest) } else { to_value(value) })
            }))
        }
        _ => to_value(json),
    }
}

fn environment_value(environment: &EnvironmentView) -> Value {
    json!({
        "account_id": environment.account_id,
        "name": environment.name,
        "outputs": object(&environment.outputs),
    })
}

fn service_value(service: &ServiceView) -> Value {
    json!({
        "name": service.name,
        "repository_connection_arn": service.repository_connection_arn,
        "repository_id": service.repository_id,
        "branch_name": service.branch_name,
    })
}

/// An object, empty where there is none.
fn object(value: &Value) -> Value {
    if value.is_object() { value.clone() } else { Value::Object(Map::new()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::render::{RenderLimits, render};

    fn dev() -> EnvironmentView {
        EnvironmentView {
            name: "dev".into(),
            account_id: "000000000001".into(),
            outputs: json!({"VpcId": "vpc-1", "Zones": 3}),
        }
    }

    fn text(source: &str, namespace: &Value) -> String {
        render("t", source, namespace, RenderLimits::default()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn an_environment_sees_its_name_and_inputs() {
        let namespace = environment("dev", &json!({"cidr": "10.0.0.0/16", "count": 2}));
        assert_eq!(
            text("{{ environment.name }} {{ environment.inputs.cidr }} {{ environment.inputs.count + 1 }}", &namespace),
            "dev 10.0.0.0/16 3"
        );
    }

    #[test]
    fn an_instance_sees_its_environment_under_both_names() {
        let service = ServiceView { name: "s".into(), ..ServiceView::default() };
        let namespace = service_instance(&service, "i", &json!({"port": 80}), None, &dev());
        assert_eq!(
            text(
                "{{ service.name }}{{ service.branch_name }}/{{ service_instance.name }} {{ service_instance.inputs.port }} \
                 {{ environment.account_id }} {{ environment.outputs.VpcId }} {{ service_instance.environment.outputs.Zones }}",
                &namespace
            ),
            "s/i 80 000000000001 vpc-1 3"
        );
    }

    #[test]
    fn an_instance_reads_component_outputs_attached_or_not() {
        let source = "{{ service_instance.components.default.outputs }} {{ service_instance.components.default.name|default('none') }}";
        let service = ServiceView::default();
        assert_eq!(text(source, &service_instance(&service, "i", &json!({}), None, &dev())), "{} none");
        let component = ComponentView { name: "c".into(), outputs: json!({"Bucket": "b"}) };
        assert_eq!(
            text(source, &service_instance(&service, "i", &json!({}), Some(&component), &dev())),
            "{'Bucket': 'b'} c"
        );
    }

    #[test]
    fn an_instance_without_a_component_sees_empty_mappings() {
        let namespace = service_instance(&ServiceView::default(), "i", &json!({}), None, &dev());
        for (source, expected) in [
            ("{{ service_instance.components.default }}", "{}"),
            ("{{ service_instance.components.default | length }}", "0"),
            ("{{ service_instance.components.default | tojson }}", "{}"),
            ("{{ service_instance.components.default == {} }}", "True"),
            ("{% if service_instance.components.default %}one{% else %}none{% endif %}", "none"),
            ("{% if service_instance.components.default is defined %}known{% endif %}", "known"),
            ("{% for name in service_instance.components.default %}{{ name }}{% else %}none{% endfor %}", "none"),
            ("{% if service_instance.components.default.outputs %}some{% else %}none{% endif %}", "none"),
            ("{% if service_instance.components.default.outputs | length > 0 %}some{% else %}none{% endif %}", "none"),
            ("{% for name in service_instance.components.default.outputs %}{{ name }}{% endfor %}.", "."),
            ("{% for v in service_instance.components.default.outputs.values() %}{{ v }}{% endfor %}.", "."),
            ("{{ service_instance.components.default['outputs'] }}", "{}"),
            ("{{ service_instance.components.default.outputs.Bucket | default('none') }}", "none"),
            ("{{ service_instance.components.default.outputs | proton_cfn_iam_policy_arns }}", "[]"),
        ] {
            assert_eq!(text(source, &namespace), expected, "{source}");
        }
        let source = "{{ service_instance.components.default.outputs.Bucket }}";
        let error = render("t", source, &namespace, RenderLimits::default()).unwrap_err().to_string();
        assert!(error.contains("`service_instance.components.default.outputs.Bucket` is undefined"), "{error}");
    }

    #[test]
    fn an_instance_with_a_component_sees_it_even_without_outputs() {
        let component = ComponentView { name: "c".into(), outputs: json!({}) };
        let namespace = service_instance(&ServiceView::default(), "i", &json!({}), Some(&component), &dev());
        let source =
            "{% if service_instance.components.default %}{{ service_instance.components.default.name }}{% endif %}";
        assert_eq!(text(source, &namespace), "c");
    }

    #[test]
    fn inputs_that_look_like_a_component_stay_what_they_are() {
        let inputs = json!({"components": {"default": {"outputs": {}}}});
        let namespace = service_instance(&ServiceView::default(), "i", &inputs, None, &dev());
        assert_eq!(text("{{ service_instance.inputs.components.default }}", &namespace), "{'outputs': {}}");
    }

    #[test]
    fn a_pipeline_sees_its_instances_with_their_outputs() {
        let instance = InstanceView {
            name: "i".into(),
            inputs: json!({"port": 1}),
            outputs: json!({"Arn": "a"}),
            environment: dev(),
        };
        let namespace = pipeline(&ServiceView::default(), &json!({"dockerfile": "D"}), &[instance]);
        assert_eq!(
            text(
                "{{ pipeline.inputs.dockerfile }}{% for s in service_instances %} {{ s.name }} {{ s.inputs.port }} {{ s.outputs.Arn }} {{ s.environment.name }}{% endfor %}",
                &namespace
            ),
            "D i 1 a dev"
        );
    }

    #[test]
    fn a_component_sees_an_instance_only_when_attached() {
        let source = "{{ component.name }} {{ environment.name }} {{ service_instance.name if service_instance is defined else '-' }}";
        assert_eq!(text(source, &component("c", &dev(), None)), "c dev -");
        let attached = AttachedInstance { service: "s".into(), name: "i".into(), inputs: Value::Null };
        assert_eq!(text(source, &component("c", &dev(), Some(&attached))), "c dev i");
    }
}
