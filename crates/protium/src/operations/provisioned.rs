//! What deployments left behind: outputs, and the things that an engine made.
//!
//! Both lists are short and come whole: the model has a `nextToken` for them that is always empty.

use super::Context;
use crate::error::{Error, Result, internal, not_found};
use crate::store::{
    Reader, Target, component_get, content_get, deployment_get, environment_get, instance_get, pipeline_get,
};
use protium_api::types::*;
use protium_domain::track::{self, ContentHash};
use serde_json::Value;
use std::collections::BTreeMap;

/// `ListComponentOutputs`.
pub(super) async fn component_outputs(
    cx: &Context,
    input: ListComponentOutputsInput,
) -> Result<ListComponentOutputsOutput> {
    let mut rd = cx.store().reader().await?;
    let target = component(&mut rd, cx, &input.component_name).await?;
    let outputs = outputs(&mut rd, cx, &target, input.deployment_id.as_deref()).await?;
    Ok(ListComponentOutputsOutput { next_token: None, outputs })
}

/// `ListEnvironmentOutputs`.
pub(super) async fn environment_outputs(
    cx: &Context,
    input: ListEnvironmentOutputsInput,
) -> Result<ListEnvironmentOutputsOutput> {
    let mut rd = cx.store().reader().await?;
    let target = environment(&mut rd, cx, &input.environment_name).await?;
    let outputs = outputs(&mut rd, cx, &target, input.deployment_id.as_deref()).await?;
    Ok(ListEnvironmentOutputsOutput { next_token: None, outputs })
}

/// `ListServiceInstanceOutputs`.
pub(super) async fn service_instance_outputs(
    cx: &Context,
    input: ListServiceInstanceOutputsInput,
) -> Result<ListServiceInstanceOutputsOutput> {
    let mut rd = cx.store().reader().await?;
    let target = instance(&mut rd, cx, &input.service_name, &input.service_instance_name).await?;
    let outputs = outputs(&mut rd, cx, &target, input.deployment_id.as_deref()).await?;
    Ok(ListServiceInstanceOutputsOutput { next_token: None, outputs })
}

/// `ListServicePipelineOutputs`.
pub(super) async fn service_pipeline_outputs(
    cx: &Context,
    input: ListServicePipelineOutputsInput,
) -> Result<ListServicePipelineOutputsOutput> {
    let mut rd = cx.store().reader().await?;
    let target = pipeline(&mut rd, cx, &input.service_name).await?;
    let outputs = outputs(&mut rd, cx, &target, input.deployment_id.as_deref()).await?;
    Ok(ListServicePipelineOutputsOutput { next_token: None, outputs })
}

/// `ListComponentProvisionedResources`.
pub(super) async fn component_provisioned_resources(
    cx: &Context,
    input: ListComponentProvisionedResourcesInput,
) -> Result<ListComponentProvisionedResourcesOutput> {
    let target = component(&mut cx.store().reader().await?, cx, &input.component_name).await?;
    let provisioned_resources = resources(target);
    Ok(ListComponentProvisionedResourcesOutput { next_token: None, provisioned_resources })
}

/// `ListEnvironmentProvisionedResources`.
pub(super) async fn environment_provisioned_resources(
    cx: &Context,
    input: ListEnvironmentProvisionedResourcesInput,
) -> Result<ListEnvironmentProvisionedResourcesOutput> {
    let target = environment(&mut cx.store().reader().await?, cx, &input.environment_name).await?;
    let provisioned_resources = resources(target);
    Ok(ListEnvironmentProvisionedResourcesOutput { next_token: None, provisioned_resources })
}

/// `ListServiceInstanceProvisionedResources`.
pub(super) async fn service_instance_provisioned_resources(
    cx: &Context,
    input: ListServiceInstanceProvisionedResourcesInput,
) -> Result<ListServiceInstanceProvisionedResourcesOutput> {
    let mut rd = cx.store().reader().await?;
    let target = instance(&mut rd, cx, &input.service_name, &input.service_instance_name).await?;
    let provisioned_resources = resources(target);
    Ok(ListServiceInstanceProvisionedResourcesOutput { next_token: None, provisioned_resources })
}

/// `ListServicePipelineProvisionedResources`.
pub(super) async fn service_pipeline_provisioned_resources(
    cx: &Context,
    input: ListServicePipelineProvisionedResourcesInput,
) -> Result<ListServicePipelineProvisionedResourcesOutput> {
    let target = pipeline(&mut cx.store().reader().await?, cx, &input.service_name).await?;
    let provisioned_resources = resources(target);
    Ok(ListServicePipelineProvisionedResourcesOutput { next_token: None, provisioned_resources })
}

async fn component(rd: &mut Reader, cx: &Context, name: &str) -> Result<Target> {
    let found = component_get(rd, cx.scope(), name).await?;
    found.map(Target::Component).ok_or_else(|| not_found("component", cx.scope().component(name)))
}

async fn environment(rd: &mut Reader, cx: &Context, name: &str) -> Result<Target> {
    let found = environment_get(rd, cx.scope(), name).await?;
    found.map(Target::Environment).ok_or_else(|| not_found("environment", cx.scope().environment(name)))
}

async fn instance(rd: &mut Reader, cx: &Context, service: &str, name: &str) -> Result<Target> {
    let found = instance_get(rd, cx.scope(), service, name).await?;
    let missing = || not_found("service instance", cx.scope().service_instance(service, name));
    found.map(Target::ServiceInstance).ok_or_else(missing)
}

async fn pipeline(rd: &mut Reader, cx: &Context, service: &str) -> Result<Target> {
    let found = pipeline_get(rd, cx.scope(), service).await?;
    found
        .map(Target::ServicePipeline)
        .ok_or_else(|| not_found("service pipeline", cx.scope().service_pipeline(service)))
}

/// The outputs that the target has, or those that one of its deployments left behind.
async fn outputs(rd: &mut Reader, cx: &Context, target: &Target, deployment: Option<&str>) -> Result<Vec<Output>> {
    let Some(id) = deployment else {
        return read(rd, target.track().outputs.as_ref()).await;
    };
    let scope = cx.scope();
    let reference = target.reference(scope);
    let record = deployment_get(rd, scope, id).await?;
    let record = record
        .filter(|record| record.target.id == reference.id)
        .ok_or_else(|| not_found("deployment", format_args!("{} of {}", scope.deployment(id), reference.arn)))?;
    read(rd, record.outputs.as_ref()).await
}

async fn read(rd: &mut Reader, hash: Option<&ContentHash>) -> Result<Vec<Output>> {
    let Some(hash) = hash else { return Ok(Vec::new()) };
    let values = parse(&content_get(rd, hash).await?)?;
    let output = |(key, value)| Output { key: Some(key), value_string: Some(value_string(value)) };
    Ok(values.into_iter().map(output).collect())
}

/// In the order of the keys. The error does not repeat the outputs, which may be secret.
fn parse(body: &[u8]) -> Result<BTreeMap<String, Value>> {
    serde_json::from_slice(body).map_err(|error| -> Error {
        internal(anyhow::anyhow!("stored outputs are no JSON object: {:?} error", error.classify()))
    })
}

/// Engines give JSON values; the wire has only strings.
fn value_string(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn resources(target: Target) -> Vec<ProvisionedResource> {
    let shown = |one: &track::ProvisionedResource| ProvisionedResource {
        identifier: Some(one.identifier.clone()),
        name: Some(one.name.clone()),
        provisioning_engine: one.engine.parse().ok(),
    };
    target.track().resources.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_stay_and_other_values_become_their_json_text() {
        let values = parse(br#"{"b":"plain","a":[1,"x"],"c":true,"d":1.5}"#).expect("an object");
        let shown: Vec<_> = values.into_iter().map(|(key, value)| (key, value_string(value))).collect();
        let expected = [("a", r#"[1,"x"]"#), ("b", "plain"), ("c", "true"), ("d", "1.5")];
        assert_eq!(shown, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    #[test]
    fn stored_outputs_that_are_broken_are_not_repeated() {
        let error = parse(b"\"secret\"").expect_err("no object");
        let source = error.source.expect("a cause for the log").to_string();
        assert!(!source.contains("secret") && !error.message.contains("secret"), "{source}");
    }
}
