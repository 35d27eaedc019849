//! What the tests of syncs share: repositories, and what follows them.

use crate::support::app::TestApp;
use serde_json::{Value, json};

/// The repository `name` of GitHub.
pub(crate) async fn link(app: &TestApp, name: &str) {
    let connection = "arn:aws:codeconnections:us-east-1:123456789012:connection/c";
    app.ok("CreateRepository", json!({ "provider": "GITHUB", "name": name, "connectionArn": connection })).await;
}

/// The input of a configuration for a template, on the branch `main` of `o/r`.
pub(crate) fn of_template(kind: &str, name: &str) -> Value {
    json!({
        "templateType": kind, "templateName": name,
        "repositoryProvider": "GITHUB", "repositoryName": "o/r", "branch": "main",
    })
}

/// The input of a configuration for a service, on the branch `main` of `o/r`.
pub(crate) fn of_service(name: &str) -> Value {
    json!({
        "serviceName": name, "filePath": "ops/proton-ops.yaml",
        "repositoryProvider": "GITHUB", "repositoryName": "o/r", "branch": "main",
    })
}

/// The input with another value of one member.
pub(crate) fn with(mut input: Value, member: &str, value: impl Into<Value>) -> Value {
    input[member] = value.into();
    input
}
