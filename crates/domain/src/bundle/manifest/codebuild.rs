//! The settings of a CodeBuild manifest.

use indexmap::IndexMap;
use serde_json::Value;

use super::process::{self, ProcessSettings};
use crate::bundle::problem::{Problem, did_you_mean};
use crate::bundle::yaml::Node;

/// What a CodeBuild manifest says. Commands and project properties are Jinja text that is rendered
/// with the namespace of the part before they are used.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeBuildSettings {
    /// The container image, if named.
    pub image: Option<String>,
    /// Language runtimes and their versions, as written (`python: 3.10` stays `3.10`).
    pub runtimes: IndexMap<String, String>,
    /// Plain environment variables.
    pub variables: IndexMap<String, String>,
    /// Environment variables read from Secrets Manager: name and reference.
    pub secrets_manager: IndexMap<String, String>,
    /// Commands that provision, at least one.
    pub provision: Vec<String>,
    /// Commands that deprovision; may be empty.
    pub deprovision: Vec<String>,
    /// A process that stays when they have provisioned.
    pub process: Option<ProcessSettings>,
    /// Properties that are laid over the build project, an object.
    pub project_properties: Value,
    /// The format of the input file.
    pub input_format: InputFormat,
}

/// The format of the file that hands inputs to the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InputFormat {
    /// `proton-inputs.json`.
    #[default]
    Json,
    /// `proton-inputs.tfvars`.
    Hcl,
}

/// What settings there are.
pub(super) const KEYS: [&str; 8] =
    ["image", "runtimes", "env", "provision", "deprovision", "service", "project_properties", "input_type"];

/// Reads the settings of a template entry.
pub(super) fn settings(file: &str, entry: &Node) -> Result<CodeBuildSettings, Vec<Problem>> {
    let mut reader = Reader { file, problems: Vec::new() };
    let Some(settings) = entry.get("settings").filter(|node| node.is_mapping()) else {
        return Err(vec![
            Problem::new(file, "`settings` is missing", "add `settings:` with at least `provision:` and its commands")
                .at(entry.line),
        ]);
    };
    let env = settings.get("env");
    let secrets = env.and_then(|env| env.get("secrets_manager").or_else(|| env.get("secrets-manager")));
    let parsed = CodeBuildSettings {
        image: reader.text(settings.get("image"), "image"),
        runtimes: reader.texts(settings.get("runtimes"), "runtimes"),
        variables: reader.texts(env.and_then(|env| env.get("variables")), "env.variables"),
        secrets_manager: reader.texts(secrets, "env.secrets_manager"),
        provision: reader.commands(settings.get("provision"), "provision"),
        deprovision: reader.commands(settings.get("deprovision"), "deprovision"),
        process: process::settings(&mut reader, settings.get("service")),
        project_properties: reader.object(settings.get("project_properties"), "project_properties"),
        input_format: reader.input_format(settings.get("input_type").or_else(|| entry.get("input_type"))),
    };
    if parsed.provision.is_empty() && reader.problems.is_empty() {
        reader.missing_provision(settings);
    }
    if reader.problems.is_empty() { Ok(parsed) } else { Err(reader.problems) }
}

pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) problems: Vec<Problem>,
}

impl Reader<'_> {
    pub(super) fn wrong(&mut self, node: &Node, name: &str, expected: &str) {
        let message = format!("`{name}` is {}, not {expected}", node.describe());
        self.problems.push(Problem::new(self.file, message, format!("give {expected}")).at(node.line));
    }

    fn missing_provision(&mut self, settings: &Node) {
        let typo = settings
            .entries()
            .iter()
            .filter_map(|(key, _)| key.text())
            .filter(|key| !KEYS.contains(key))
            .find(|key| did_you_mean(key, ["provision"]).is_some());
        let remedy = match typo {
            Some(typo) => format!("`{typo}` is not a setting: did you mean `provision`?"),
            None => "list the commands that provision, each beginning with `- `".to_owned(),
        };
        self.problems.push(Problem::new(self.file, "`provision` has no commands", remedy).at(settings.line));
    }

    pub(super) fn text(&mut self, node: Option<&Node>, name: &str) -> Option<String> {
        let node = node.filter(|node| !node.is_null())?;
        if node.text().is_none() {
            self.wrong(node, name, "text");
        }
        node.text().map(str::to_owned)
    }

    fn texts(&mut self, node: Option<&Node>, name: &str) -> IndexMap<String, String> {
        let Some(node) = node.filter(|node| !node.is_null()) else { return IndexMap::new() };
        if !node.is_mapping() {
            self.wrong(node, name, "a mapping of names to texts");
        }
        let mut texts = IndexMap::new();
        for (key, value) in node.entries() {
            match (key.text(), value.text()) {
                (Some(key), Some(value)) => {
                    texts.insert(key.to_owned(), value.to_owned());
                }
                (key, _) => self.wrong(value, &format!("{name}.{}", key.unwrap_or_default()), "text"),
            }
        }
        texts
    }

    fn commands(&mut self, node: Option<&Node>, name: &str) -> Vec<String> {
        let Some(node) = node.filter(|node| !node.is_null()) else { return Vec::new() };
        if node.text().is_some() || node.is_mapping() {
            self.wrong(node, name, "a list of commands");
        }
        let mut commands = Vec::new();
        for (index, item) in node.items().iter().enumerate() {
            match item.text() {
                Some(command) => commands.push(command.to_owned()),
                None => self.wrong(item, &format!("{name}[{index}]"), "a command as text (quote it if it holds `: `)"),
            }
        }
        commands
    }

    fn object(&mut self, node: Option<&Node>, name: &str) -> Value {
        let empty = || Value::Object(serde_json::Map::new());
        let Some(node) = node.filter(|node| !node.is_null()) else { return empty() };
        if !node.is_mapping() {
            self.wrong(node, name, "a mapping");
            return empty();
        }
        match node.to_value() {
            Ok(value) => value,
            Err(error) => {
                self.problems.push(error.into_problem(self.file));
                empty()
            }
        }
    }

    fn input_format(&mut self, node: Option<&Node>) -> InputFormat {
        let Some(node) = node.filter(|node| !node.is_null()) else { return InputFormat::default() };
        match node.text().map(str::to_ascii_uppercase).as_deref() {
            Some("JSON") => InputFormat::Json,
            Some("HCL") => InputFormat::Hcl,
            _ => {
                self.wrong(node, "input_type", "JSON or HCL");
                InputFormat::default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::manifest::{Infrastructure, Manifest};
    use crate::bundle::problem::summary;
    use serde_json::json;

    fn parse(settings: &str) -> Result<CodeBuildSettings, String> {
        let text =
            format!("infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n{settings}");
        match Manifest::parse("m", &text).map_err(|problems| summary(&problems))?.infrastructure {
            Infrastructure::CodeBuild(settings) => Ok(settings),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn all_settings_are_read_with_their_texts_kept() {
        let settings = parse(concat!(
            "        image: aws/codebuild/standard:7.0\n",
            "        runtimes: {nodejs: 16, python: 3.10}\n",
            "        env:\n",
            "          variables: {COUNT: 01, ON: yes}\n",
            "          secrets-manager: {TOKEN: 'id:key'}\n",
            "        provision:\n          - npm install\n          - echo \"{{ environment.inputs.x }}\"\n",
            "        deprovision: [npm run destroy]\n",
            "        project_properties: {VpcConfig: {VpcId: \"{{ environment.inputs.vpc }}\"}}\n",
            "        input_type: hcl\n",
        ))
        .unwrap();
        assert_eq!(settings.image.as_deref(), Some("aws/codebuild/standard:7.0"));
        assert_eq!(settings.runtimes.get("python").map(String::as_str), Some("3.10"));
        assert_eq!(settings.variables.get("COUNT").map(String::as_str), Some("01"));
        assert_eq!(settings.secrets_manager.get("TOKEN").map(String::as_str), Some("id:key"));
        assert_eq!(settings.provision.len(), 2);
        assert_eq!(settings.deprovision, ["npm run destroy"]);
        assert_eq!(settings.project_properties, json!({"VpcConfig": {"VpcId": "{{ environment.inputs.vpc }}"}}));
        assert_eq!(settings.input_format, InputFormat::Hcl);
    }

    #[test]
    fn the_input_type_may_stand_beside_the_settings() {
        let text = "infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      input_type: HCL\n      settings: {provision: [make]}\n";
        let Infrastructure::CodeBuild(settings) = Manifest::parse("m", text).unwrap().infrastructure else { panic!() };
        assert_eq!(settings.input_format, InputFormat::Hcl);
    }

    #[test]
    fn mistakes_name_the_setting_and_the_line() {
        for (settings, expected) in [
            (
                "        provison: [make]\n",
                "m:5: `provision` has no commands — `provison` is not a setting: did you mean `provision`?",
            ),
            ("        provision: make\n", "m:5: `provision` is `make`, not a list of commands"),
            ("        provision: [make, {a: b}]\n", "m:5: `provision[1]` is a mapping, not a command"),
            ("        provision: [x]\n        env: {variables: {A: [1]}}\n", "m:6: `env.variables.A` is a list"),
            ("        provision: [x]\n        input_type: XML\n", "m:6: `input_type` is `XML`, not JSON or HCL"),
            ("        provision: [x]\n        project_properties: 1\n", "m:6: `project_properties` is `1`"),
        ] {
            let error = parse(settings).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
