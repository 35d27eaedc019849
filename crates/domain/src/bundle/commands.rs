//! Templates of commands: what they say once it is rendered.
//!
//! Owns which of the settings are templates: the commands, the process that stays, and the project's properties. Who runs them, and with what
//! in their environment, is decided elsewhere.

use super::manifest::{CodeBuildSettings, ProcessSettings, check_path, parse_port};
use super::render::{Namespace, RenderError, RenderLimits, Template};
use serde_json::Value;

/// What messages call the file.
const MANIFEST: &str = "manifest.yaml";

/// The settings of a manifest that are templates, rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The commands that provision, in order.
    pub provision: Vec<String>,
    /// The commands that deprovision, in order.
    pub deprovision: Vec<String>,
    /// A process that stays when they have provisioned.
    pub process: Option<RenderedProcess>,
    /// Properties that are laid over the build project, an object.
    pub project_properties: Value,
}

/// A process that stays, rendered and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedProcess {
    /// What a shell runs.
    pub command: String,
    /// Where it listens; not 0.
    pub port: u16,
    /// What is asked to see whether it answers; begins with `/`.
    pub ready_path: String,
}

/// Renders the commands and the properties of a manifest with what its part may see.
///
/// # Errors
/// The first that does not render; it is called by its place in the manifest.
pub fn render_settings(settings: &CodeBuildSettings, namespace: &Value) -> Result<Rendered, RenderError> {
    let namespace = Namespace::new(namespace);
    Ok(Rendered {
        provision: commands("provision", &settings.provision, &namespace)?,
        deprovision: commands("deprovision", &settings.deprovision, &namespace)?,
        process: settings.process.as_ref().map(|settings| process(settings, &namespace)).transpose()?,
        project_properties: properties("project_properties", &settings.project_properties, &namespace)?,
    })
}

fn commands(name: &str, commands: &[String], namespace: &Namespace<'_>) -> Result<Vec<String>, RenderError> {
    commands.iter().enumerate().map(|(index, command)| text(&format!("{name}[{index}]"), command, namespace)).collect()
}

fn process(settings: &ProcessSettings, namespace: &Namespace<'_>) -> Result<RenderedProcess, RenderError> {
    let wrong = |name: &str, message: String| RenderError {
        template: format!("{MANIFEST}: {name}").into(),
        line: None,
        column: None,
        expression: None,
        message,
        hint: None,
    };
    let port = text("service.port", &settings.port, namespace)?;
    let ready_path = text("service.ready_path", &settings.ready_path, namespace)?;
    check_path(&ready_path).map_err(|message| wrong("service.ready_path", message))?;
    Ok(RenderedProcess {
        command: text("service.command", &settings.command, namespace)?,
        port: parse_port(&port).map_err(|message| wrong("service.port", message))?,
        ready_path,
    })
}

/// All texts below a value; the names of members stay as they are.
fn properties(name: &str, value: &Value, namespace: &Namespace<'_>) -> Result<Value, RenderError> {
    Ok(match value {
        Value::String(source) => Value::from(text(name, source, namespace)?),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            Value::Array(
                items
                    .map(|(index, item)| properties(&format!("{name}[{index}]"), item, namespace))
                    .collect::<Result<_, _>>()?,
            )
        }
        Value::Object(members) => {
            let members = members.iter();
            let rendered = members
                .map(|(key, value)| Ok((key.clone(), properties(&format!("{name}.{key}"), value, namespace)?)))
                .collect::<Result<_, RenderError>>()?;
            Value::Object(rendered)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// Most are no templates at all: they needn't be compiled.
fn text(name: &str, source: &str, namespace: &Namespace<'_>) -> Result<String, RenderError> {
    if !source.contains("{{") && !source.contains("{%") && !source.contains("{#") {
        return Ok(source.to_owned());
    }
    Template::compile(&format!("{MANIFEST}: {name}"), source, RenderLimits::default())?.render(namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::manifest::{Infrastructure, Manifest};
    use serde_json::json;

    fn settings(text: &str) -> CodeBuildSettings {
        let text = format!("infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n{text}");
        match Manifest::parse("m", &text).unwrap().infrastructure {
            Infrastructure::CodeBuild(settings) => settings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_and_properties_see_the_inputs_and_all_else_is_kept() {
        let settings = settings(concat!(
            "        provision:\n          - make {{ environment.inputs.target }}\n          - \"echo ${HOME} {x}\\n\"\n",
            "        deprovision: [\"{% if environment.name == 'dev' %}rm{% endif %} -r x\"]\n",
            "        env: {variables: {A: '{{ kept }}'}}\n",
            "        project_properties: {VpcConfig: {VpcId: \"{{ environment.inputs.vpc }}\", Subnets: [\"s-{{ 1 + 1 }}\", 3]}}\n",
        ));
        let namespace = json!({"environment": {"name": "dev", "inputs": {"target": "all", "vpc": "vpc-1"}}});
        let rendered = render_settings(&settings, &namespace).unwrap();
        assert_eq!(rendered.provision, ["make all", "echo ${HOME} {x}\n"]);
        assert_eq!(rendered.deprovision, ["rm -r x"]);
        assert_eq!(rendered.project_properties, json!({"VpcConfig": {"VpcId": "vpc-1", "Subnets": ["s-2", 3]}}));
    }

    #[test]
    fn a_process_is_rendered_and_its_port_is_checked_then() {
        let settings = settings(concat!(
            "        provision: [x]\n        service:\n          command: exec serve {{ environment.name }} \"$PORT\"\n",
            "          port: \"{{ environment.inputs.port }}\"\n          ready_path: \"{{ environment.inputs.path }}\"\n",
        ));
        let rendered = |port: Value, path: &str| {
            let namespace = json!({"environment": {"name": "dev", "inputs": {"port": port, "path": path}}});
            render_settings(&settings, &namespace).map(|rendered| rendered.process)
        };
        let command = "exec serve dev \"$PORT\"".to_owned();
        let expected = RenderedProcess { command, port: 8080, ready_path: "/up".to_owned() };
        for port in [json!(8080), json!("8080")] {
            assert_eq!(rendered(port, "/up").unwrap(), Some(expected.clone()));
        }
        for (port, path, expected) in [
            (json!(70000), "/", "manifest.yaml: service.port: `service.port` is `70000`, not a number from 1 to 65535"),
            (json!(1), "up", "manifest.yaml: service.ready_path: `service.ready_path` is `up`, not a path"),
        ] {
            let error = rendered(port, path).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn what_does_not_render_is_named_by_its_place() {
        let namespace = json!({"environment": {"name": "dev", "inputs": {"size": 1}}});
        for (text, place) in [
            ("        provision: [\"true\", \"x {{ environment.inputs.siez }}\"]\n", "manifest.yaml: provision[1]:1:"),
            (
                "        provision: [x]\n        deprovision: [\"{{ nothing.at.all }}\"]\n",
                "manifest.yaml: deprovision[0]:1:",
            ),
            (
                "        provision: [x]\n        project_properties: {A: {B: [\"{{ no }}\"]}}\n",
                "manifest.yaml: project_properties.A.B[0]:1:",
            ),
        ] {
            let error = render_settings(&settings(text), &namespace).unwrap_err().to_string();
            assert!(error.starts_with(place), "{error}");
        }
    }
}
