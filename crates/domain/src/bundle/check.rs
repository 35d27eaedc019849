//! Registration's checks: whether the files of a bundle are a bundle of the kind that was asked for.
//!
//! Owns the layout. What stands in the files is judged by `schema`, `manifest` and `render`.

use std::collections::BTreeMap;

use super::archive::Files;
use super::limits::{Limits, bytes};
use super::manifest::{EngineKind, Infrastructure, Manifest};
use super::problem::Problem;
use super::render::{RenderLimits, Template};
use super::schema::{SCHEMA_FILE, Schema};
use super::yaml;
use crate::template::TemplateKind;

/// What a bundle is for, as its template says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// An environment template.
    Environment {
        /// Its infrastructure is the customer's own: the bundle holds the schema alone.
        customer_managed: bool,
    },
    /// A service template.
    Service {
        /// Its services have a pipeline that is provisioned from the bundle.
        pipeline: bool,
    },
}

impl Expect {
    /// The kind of the template.
    pub fn kind(self) -> TemplateKind {
        match self {
            Self::Environment { .. } => TemplateKind::Environment,
            Self::Service { .. } => TemplateKind::Service,
        }
    }
}

/// A checked bundle.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The text of `schema/schema.yaml`.
    pub schema_text: String,
    /// The schema.
    pub schema: Schema,
    /// `infrastructure/` or `instance_infrastructure/`; `None` if the customer provisions.
    pub infrastructure: Option<Part>,
    /// `pipeline_infrastructure/`, if the template has a pipeline.
    pub pipeline: Option<Part>,
    /// What has no effect, which is no reason to refuse the bundle.
    pub warnings: Vec<Problem>,
}

/// A folder of a bundle that is provisioned as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What provisions it.
    pub engine: EngineKind,
    /// Its manifest.
    pub manifest: Manifest,
    /// All files of the folder, the manifest too, by path within it.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Part {
    /// The template files that the manifest names: one for CloudFormation, one or all `*.tf` for
    /// Terraform, none for CodeBuild.
    pub fn template_files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .filter(|(path, _)| self.manifest.infrastructure.takes(path))
            .map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    /// Whether its commands leave a process behind.
    #[must_use]
    pub fn leaves_process(&self) -> bool {
        matches!(&self.manifest.infrastructure, Infrastructure::CodeBuild(settings) if settings.process.is_some())
    }
}

/// Checks the files of a bundle.
///
/// # Errors
/// Everything that is wrong with it; each problem names file, line where known, and remedy.
pub fn check(files: &Files, expect: Expect, limits: &Limits) -> Result<Bundle, Vec<Problem>> {
    let mut check = Check { files, limits, problems: Vec::new(), warnings: Vec::new() };
    let schema = check.schema(expect);
    let infrastructure = match expect {
        Expect::Environment { customer_managed: true } => {
            check.refuse_infrastructure();
            None
        }
        Expect::Environment { customer_managed: false } => check.part("infrastructure"),
        Expect::Service { .. } => check.part("instance_infrastructure"),
    };
    let pipeline = match expect {
        Expect::Service { pipeline: true } => check.part("pipeline_infrastructure"),
        Expect::Service { pipeline: false } => {
            check.warn_unused("pipeline_infrastructure");
            None
        }
        Expect::Environment { .. } => None,
    };
    match schema {
        Some((schema_text, schema)) if check.problems.is_empty() => {
            Ok(Bundle { schema_text, schema, infrastructure, pipeline, warnings: check.warnings })
        }
        _ => Err(check.problems),
    }
}

struct Check<'a> {
    files: &'a Files,
    limits: &'a Limits,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Check<'_> {
    fn problem(&mut self, file: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem::new(file, message, remedy));
    }

    /// A text file of at most `limit` bytes; a problem and `None` otherwise.
    fn text(&mut self, path: &str, limit: usize) -> Option<String> {
        let content = self.files.get(path)?;
        if content.len() > limit {
            let message = format!("the file has {}, the limit is {}", bytes(content.len()), bytes(limit));
            self.problem(path, message, "make it smaller");
            return None;
        }
        match String::from_utf8(content.clone()) {
            Ok(text) => Some(text),
            Err(error) => {
                let before = content.get(..error.utf8_error().valid_up_to()).unwrap_or_default();
                let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
                self.problems.push(Problem::new(path, "the file is not UTF-8 text", "save it as UTF-8").at(line));
                None
            }
        }
    }

    fn schema(&mut self, expect: Expect) -> Option<(String, Schema)> {
        if !self.files.contains_key(SCHEMA_FILE) {
            let remedy = self.missing_remedy(SCHEMA_FILE);
            self.problem(SCHEMA_FILE, "the file is missing", remedy);
            return None;
        }
        let text = self.text(SCHEMA_FILE, self.limits.description_bytes)?;
        let schema = match Schema::parse(&text, expect.kind()) {
            Ok(mut schema) => {
                self.warnings.append(&mut schema.warnings);
                schema
            }
            Err(problems) => {
                self.problems.extend(problems);
                return None;
            }
        };
        if expect == (Expect::Service { pipeline: true }) && schema.pipeline_inputs().is_none() {
            let line = yaml::parse(&text).ok().and_then(|root| root.get("schema").map(|schema| schema.line));
            let mut problem = Problem::new(
                SCHEMA_FILE,
                "Missing property [pipelineInputType]: the template has a pipeline, but its schema names no type for the pipeline's inputs",
                "add `pipeline_input_type:` and describe the type below `types:`, or create the service template with \
                 pipelineProvisioning CUSTOMER_MANAGED",
            );
            problem.line = line;
            self.problems.push(problem);
        }
        Some((text, schema))
    }

    fn has_folder(&self, folder: &str) -> bool {
        let prefix = format!("{folder}/");
        self.files.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    fn refuse_infrastructure(&mut self) {
        for folder in ["infrastructure", "instance_infrastructure", "pipeline_infrastructure"] {
            if self.has_folder(folder) {
                self.problem(
                    &format!("{folder}/"),
                    "the template is customer managed, so its bundle holds the schema only",
                    "remove the folder, or create the environment template without provisioning CUSTOMER_MANAGED",
                );
            }
        }
    }

    fn warn_unused(&mut self, folder: &str) {
        if self.has_folder(folder) {
            self.warnings.push(Problem::new(
                format!("{folder}/"),
                "the template's pipelines are customer managed, so the folder is not used",
                "remove the folder",
            ));
        }
    }

    /// Where a file that is missing may be instead.
    fn missing_remedy(&self, path: &str) -> String {
        let other_ending = path.strip_suffix(".yaml").map(|stem| format!("{stem}.yml"));
        if let Some(found) = other_ending.filter(|other| self.files.contains_key(other)) {
            return format!("rename `{found}`");
        }
        let below = format!("/{path}");
        match self.files.keys().find(|found| found.ends_with(&below)) {
            Some(found) => format!("it is at `{found}`: pack the folder that holds `schema/`, not one above it"),
            None => "add it".to_owned(),
        }
    }

    fn missing_part(&mut self, folder: &str) {
        let instead = ["infrastructure", "instance_infrastructure"]
            .into_iter()
            .find(|other| *other != folder && self.has_folder(other));
        let remedy = match instead {
            Some(instead) if folder != "pipeline_infrastructure" => format!("rename the folder `{instead}/`"),
            _ if folder == "pipeline_infrastructure" => {
                "add the folder with a `manifest.yaml` and the template that it names, or create the service template with \
                 pipelineProvisioning CUSTOMER_MANAGED"
                    .to_owned()
            }
            _ => "add the folder with a `manifest.yaml` and the template that it names".to_owned(),
        };
        self.problem(&format!("{folder}/"), "the folder is missing", remedy);
    }

    fn part(&mut self, folder: &str) -> Option<Part> {
        if !self.has_folder(folder) {
            self.missing_part(folder);
            return None;
        }
        let manifest_path = format!("{folder}/manifest.yaml");
        if !self.files.contains_key(&manifest_path) {
            let remedy = self.missing_remedy(&manifest_path);
            self.problem(&manifest_path, "the file is missing", remedy);
            return None;
        }
        let text = self.text(&manifest_path, self.limits.description_bytes)?;
        let manifest = match Manifest::parse(&manifest_path, &text) {
            Ok(mut manifest) => {
                self.warnings.append(&mut manifest.warnings);
                manifest
            }
            Err(problems) => {
                self.problems.extend(problems);
                return None;
            }
        };
        let prefix = format!("{folder}/");
        let files: BTreeMap<String, Vec<u8>> = self
            .files
            .iter()
            .filter_map(|(path, content)| Some((path.strip_prefix(&prefix)?.to_owned(), content.clone())))
            .collect();
        let part = Part { engine: manifest.engine(), manifest, files };
        self.templates(folder, &manifest_path, &part);
        Some(part)
    }

    /// The files that the manifest names: there, not too large, and at least well-formed.
    fn templates(&mut self, folder: &str, manifest_path: &str, part: &Part) {
        let found: Vec<String> = part.template_files().map(|(path, _)| format!("{folder}/{path}")).collect();
        match &part.manifest.infrastructure {
            Infrastructure::CloudFormation { file } | Infrastructure::Terraform { file } if found.is_empty() => {
                let others: Vec<&str> =
                    part.files.keys().map(String::as_str).filter(|path| *path != "manifest.yaml").collect();
                let (message, remedy) = if file == "*" {
                    (
                        "`file: \"*\"` takes the `.tf` files beside the manifest; there is none".to_owned(),
                        "add one".to_owned(),
                    )
                } else if others.is_empty() {
                    (format!("`file: {file}` names a file that is not in the bundle"), format!("add `{folder}/{file}`"))
                } else {
                    (
                        format!("`file: {file}` names a file that is not in the bundle"),
                        format!("name one that is: {}", others.join(", ")),
                    )
                };
                self.problems.push(Problem::new(manifest_path, message, remedy).at(part.manifest.line));
            }
            Infrastructure::CloudFormation { .. } => {
                for path in found {
                    if let Some(text) = self.text(&path, self.limits.template_bytes) {
                        self.jinja(&path, &text);
                    }
                }
            }
            Infrastructure::Terraform { .. } => {
                for path in found {
                    self.text(&path, self.limits.template_bytes);
                }
            }
            Infrastructure::CodeBuild(settings) => {
                for command in settings.provision.iter().chain(&settings.deprovision) {
                    self.jinja_setting(manifest_path, part.manifest.line, command);
                }
                if let Some(process) = &settings.process {
                    for text in [&process.command, &process.port, &process.ready_path] {
                        self.jinja_setting(manifest_path, part.manifest.line, text);
                    }
                }
                self.jinja_values(manifest_path, part.manifest.line, &settings.project_properties);
            }
        }
    }

    fn jinja(&mut self, path: &str, text: &str) {
        if let Err(error) = Template::compile(path, text, RenderLimits::default()) {
            self.problems.push(error.into_problem(path));
        }
    }

    /// A text of a manifest; the line within it says nothing, that of its entry does.
    fn jinja_setting(&mut self, path: &str, line: usize, text: &str) {
        if let Err(error) = Template::compile(path, text, RenderLimits::default()) {
            let message = format!("`{}` is not valid Jinja: {}", yaml::excerpt(text), error.message);
            self.problems.push(Problem::new(path, message, "correct it").at(line));
        }
    }

    fn jinja_values(&mut self, path: &str, line: usize, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.jinja_setting(path, line, text),
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.jinja_values(path, line, item)),
            serde_json::Value::Object(map) => map.values().for_each(|item| self.jinja_values(path, line, item)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
