//! Specs in requests: read, completed from what is stored, checked against the schema of a version.
//!
//! Owns: which error a caller gets for which spec. Does not own: the format and its rules
//! (`domain::bundle::spec` and `schema`).

use crate::error::{Result, internal, invalid};
use crate::store::{Reader, content_get};
use protium_domain::bundle::problem::{Problem, summary};
use protium_domain::bundle::schema::{InputProblem, Schema};
use protium_domain::bundle::spec::{EnvironmentSpec, ServiceSpec, substitute_current};
use protium_domain::template::TemplateVersion;
use protium_domain::track::Track;
use serde_json::{Map, Value};

/// The text that is stored under a hash.
pub(super) async fn text(rd: &mut Reader, hash: &str) -> Result<String> {
    String::from_utf8(content_get(rd, hash).await?).map_err(internal)
}

/// The spec of what is deployed, if anything is.
pub(super) async fn deployed(rd: &mut Reader, track: &Track) -> Result<Option<String>> {
    match &track.deployed {
        Some(aim) => Ok(Some(text(rd, &aim.spec).await?)),
        None => Ok(None),
    }
}

/// The spec of an environment as it will be stored: current values in place, checked against the
/// schema of the version.
pub(super) async fn environment(
    rd: &mut Reader,
    version: &TemplateVersion,
    given: &str,
    stored: Option<&str>,
) -> Result<String> {
    let text = substitute_current(given, stored).map_err(refuse)?;
    let spec = EnvironmentSpec::parse(&text).map_err(refuse_all)?;
    let schema = schema(rd, version).await?;
    check("spec", &schema.inputs().check_inputs(&spec.inputs))?;
    Ok(text)
}

/// The spec of a service as it will be stored, and what it says. Inputs are checked apart.
pub(super) fn service(given: &str, stored: Option<&str>) -> Result<(String, ServiceSpec)> {
    let text = substitute_current(given, stored).map_err(refuse)?;
    let spec = ServiceSpec::parse(&text).map_err(refuse_all)?;
    Ok((text, spec))
}

/// Checks the inputs of the instances with those names.
pub(super) async fn check_instances(
    rd: &mut Reader,
    version: &TemplateVersion,
    spec: &ServiceSpec,
    names: &[String],
) -> Result<()> {
    let schema = schema(rd, version).await?;
    for instance in spec.instances.iter().filter(|instance| names.contains(&instance.name)) {
        let place = format!("spec: instance '{}' (line {})", instance.name, instance.line);
        check(&place, &schema.inputs().check_inputs(&instance.inputs))?;
    }
    Ok(())
}

/// Checks the inputs of the pipeline.
pub(super) async fn check_pipeline(rd: &mut Reader, version: &TemplateVersion, spec: &ServiceSpec) -> Result<()> {
    let schema = schema(rd, version).await?;
    let given = spec.pipeline.clone().unwrap_or_else(|| Value::Object(Map::new()));
    match schema.pipeline_inputs() {
        Some(inputs) => check("spec: pipeline", &inputs.check_inputs(&given)),
        None => Ok(()),
    }
}

/// Refuses edits to what an update of the service keeps: those have operations of their own.
pub(super) fn check_unchanged(stored: &str, wanted: &ServiceSpec) -> Result<()> {
    let diff = ServiceSpec::parse(stored).map_err(refuse_all)?.diff(wanted);
    if let Some(name) = diff.changed.first() {
        return Err(invalid(
            "spec",
            format_args!(
                "edits the instance '{name}', which the service keeps; UpdateService adds and removes instances, \
                 UpdateServiceInstance edits one"
            ),
        ));
    }
    if diff.pipeline_changed {
        return Err(invalid(
            "spec",
            "edits the pipeline section; UpdateService adds and removes instances, UpdateServicePipeline edits the pipeline",
        ));
    }
    Ok(())
}

async fn schema(rd: &mut Reader, version: &TemplateVersion) -> Result<Schema> {
    let bundle = version.bundle.as_ref();
    let bundle = bundle.ok_or_else(|| internal(anyhow::anyhow!("version {} has no bundle", version.id)))?;
    let text = text(rd, &bundle.schema).await?;
    Schema::parse(&text, version.kind).map_err(|problems| internal(anyhow::anyhow!(summary(&problems))))
}

fn check(place: &str, problems: &[InputProblem]) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = problems.iter().map(InputProblem::to_string).collect();
    Err(invalid(place, lines.join("; ")))
}

fn refuse(problem: Problem) -> crate::error::Error {
    refuse_all(vec![problem])
}

/// The problems begin with `spec:` and a line, which names the field.
fn refuse_all(problems: Vec<Problem>) -> crate::error::Error {
    crate::error::Error::new(protium_api::ErrorCode::Validation, summary(&problems))
}
