//! What Kubernetes publishes of the shapes of things: its OpenAPI document, as `k8s-openapi` carries it. As the server
//! does when it is asked to be strict, a member that is not in it is refused.

use std::collections::HashMap;

use jsonschema::Validator;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::DeleteOptions;
use k8s_openapi::schemars::JsonSchema;
use k8s_openapi::schemars::generate::SchemaSettings;
use serde_json::Value;

/// The schemas of what can be sent.
pub(super) struct Schemas(HashMap<&'static str, Validator>);

impl Schemas {
    pub(super) fn new() -> Self {
        Self(HashMap::from([
            ("jobs", validator::<Job>()),
            ("secrets", validator::<Secret>()),
            ("options", validator::<DeleteOptions>()),
        ]))
    }

    /// What is wrong with a thing of that kind, if anything is.
    pub(super) fn refuse(&self, kind: &str, thing: &Value) -> Option<String> {
        let Some(validator) = self.0.get(kind) else { return Some(format!("{kind} can't be written")) };
        let wrong: Vec<String> =
            validator.iter_errors(thing).map(|error| format!("{}: {error}", error.instance_path())).collect();
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }
}

fn validator<T: JsonSchema>() -> Validator {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("the schema of {}: {error}", T::schema_name()))
}

/// Lets no object have members that its schema does not name.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object)
                && members.get("type").is_some_and(|t| t == "object")
            {
                members.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_of_its_shape_is_refused_by_its_place() {
        let schemas = Schemas::new();
        let job = |change: fn(&mut Value)| {
            let container = json!({"name": "run", "image": "i"});
            let pod = json!({"restartPolicy": "Never", "containers": [container]});
            let mut job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"},
                                 "spec": {"suspend": true, "template": {"spec": pod}}});
            change(&mut job);
            schemas.refuse("jobs", &job)
        };
        assert_eq!(job(|_| {}), None);
        for (change, place) in [
            ((|job| job["spec"]["suspended"] = true.into()) as fn(&mut Value), "suspended"),
            (|job| job["spec"]["suspend"] = "yes".into(), "/spec/suspend"),
            (|job| job["spec"]["template"]["spec"]["containers"][0]["imgae"] = "i".into(), "imgae"),
            (|job| drop(job["spec"].as_object_mut().unwrap().remove("template")), "template"),
            (|job| job["metadata"]["label"] = json!({}), "label"),
        ] {
            let wrong = job(change).unwrap();
            assert!(wrong.contains(place), "{wrong}");
        }
        assert!(schemas.refuse("options", &json!({"propagationPolicy": "Background", "uid": "u"})).is_some());
        assert!(schemas.refuse("secrets", &json!({"metadata": {}, "data": {"a": 3}})).is_some());
    }
}
