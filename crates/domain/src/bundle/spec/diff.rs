//! What one service spec changes in another.

use serde_json::Value;

use super::{InstanceSpec, ServiceSpec};

/// Names of instances by what a new spec does to them, in the order of the spec that has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecDiff {
    /// In the new spec only.
    pub added: Vec<String>,
    /// In the old spec only.
    pub removed: Vec<String>,
    /// In both, with equal environment and inputs.
    pub unchanged: Vec<String>,
    /// In both, with another environment or other inputs.
    pub changed: Vec<String>,
    /// Whether the pipeline sections differ.
    pub pipeline_changed: bool,
}

pub(super) fn diff(old: &ServiceSpec, new: &ServiceSpec) -> SpecDiff {
    let mut diff = SpecDiff {
        pipeline_changed: match (&old.pipeline, &new.pipeline) {
            (Some(old), Some(new)) => !same(old, new),
            (None, None) => false,
            _ => true,
        },
        ..SpecDiff::default()
    };
    for instance in &new.instances {
        let names = match old.instance(&instance.name) {
            None => &mut diff.added,
            Some(before) if same_instance(before, instance) => &mut diff.unchanged,
            Some(_) => &mut diff.changed,
        };
        names.push(instance.name.clone());
    }
    diff.removed = old
        .instances
        .iter()
        .filter(|instance| new.instance(&instance.name).is_none())
        .map(|instance| instance.name.clone())
        .collect();
    diff
}

fn same_instance(old: &InstanceSpec, new: &InstanceSpec) -> bool {
    old.environment == new.environment && same(&old.inputs, &new.inputs)
}

/// Equal values; the order of keys does not count, and 1 is 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64())),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (a, b) => a == b,
    }
}
