//! What callers say of deployments.

use super::app::{Refused, TestApp};
use super::service::but;
use serde_json::{Value, json};

pub const NOTIFY: &str = "NotifyResourceDeploymentStatusChange";

/// Notifies about a resource, given by the last part of its ARN.
pub async fn notify(app: &TestApp, resource: &str, members: Value) -> Result<Value, Refused> {
    app.call(NOTIFY, of(app, resource, members)).await
}

/// The input of a notification about a resource.
pub fn of(app: &TestApp, resource: &str, members: Value) -> Value {
    but(members, json!({ "resourceArn": format!("{}:{resource}", app.arn_prefix()) }))
}

/// A list of outputs.
pub fn outputs(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(key, value)| json!({ "key": key, "valueString": value })).collect()
}
