//! `manifest.yaml`: which engine provisions a part of a bundle, and with what.
//!
//! Owns the three forms that a manifest has. It does not look whether the files it names exist.

mod codebuild;
mod process;

pub use codebuild::{CodeBuildSettings, InputFormat};
pub use process::ProcessSettings;
pub(super) use process::{check_path, parse_port};

use super::problem::Problem;
use super::yaml::{self, Node};

/// What provisions a part of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// CloudFormation, rendered with Jinja.
    CloudFormation,
    /// Terraform, through a pull request or run here.
    Terraform,
    /// Commands in a build container.
    CodeBuild,
}

impl EngineKind {
    /// The name in stored records and messages: `cloudformation`, `terraform`, `codebuild`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloudFormation => "cloudformation",
            Self::Terraform => "terraform",
            Self::CodeBuild => "codebuild",
        }
    }

    /// The kind of a stored name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::CloudFormation, Self::Terraform, Self::CodeBuild].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The content of a `manifest.yaml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// How the part is provisioned.
    pub infrastructure: Infrastructure,
    /// Line of the manifest's one entry, from 1.
    pub line: usize,
    /// Keys that nothing reads, which is no reason to refuse it.
    pub warnings: Vec<Problem>,
}

/// How a part is provisioned.
#[derive(Debug, Clone, PartialEq)]
pub enum Infrastructure {
    /// One file next to the manifest.
    CloudFormation { file: String },
    /// One file next to the manifest, or all `*.tf` for `*`.
    Terraform { file: String },
    /// Commands.
    CodeBuild(CodeBuildSettings),
}

impl Infrastructure {
    /// Whether the file at `path` in the manifest's folder is one of its template files. `*` takes the `.tf`
    /// files beside the manifest, not those of modules in folders below.
    pub fn takes(&self, path: &str) -> bool {
        match self {
            Self::Terraform { file } if file == "*" => path.ends_with(".tf") && !path.contains('/'),
            Self::CloudFormation { file } | Self::Terraform { file } => path == file,
            Self::CodeBuild(_) => false,
        }
    }
}

impl Manifest {
    /// Parses the text of `file` (the path in messages).
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let root = yaml::parse(text).map_err(|error| vec![error.into_problem(file)])?;
        let reader = Reader { file };
        let entry = reader.entry(&root)?;
        let engine = reader.engine(entry)?;
        let infrastructure = match engine {
            EngineKind::CloudFormation => {
                Infrastructure::CloudFormation { file: reader.template_file(entry, EngineKind::CloudFormation)? }
            }
            EngineKind::Terraform => {
                Infrastructure::Terraform { file: reader.template_file(entry, EngineKind::Terraform)? }
            }
            EngineKind::CodeBuild => Infrastructure::CodeBuild(codebuild::settings(file, entry)?),
        };
        Ok(Self { infrastructure, line: entry.line, warnings: reader.warnings(entry, engine) })
    }

    /// The engine that it asks for.
    pub fn engine(&self) -> EngineKind {
        match self.infrastructure {
            Infrastructure::CloudFormation { .. } => EngineKind::CloudFormation,
            Infrastructure::Terraform { .. } => EngineKind::Terraform,
            Infrastructure::CodeBuild(_) => EngineKind::CodeBuild,
        }
    }
}

struct Reader<'a> {
    file: &'a str,
}

impl Reader<'_> {
    fn problem(&self, node: &Node, message: impl Into<String>, remedy: impl Into<String>) -> Vec<Problem> {
        vec![Problem::new(self.file, message, remedy).at(node.line)]
    }

    /// The one entry of `infrastructure.templates`.
    fn entry<'n>(&self, root: &'n Node) -> Result<&'n Node, Vec<Problem>> {
        const SHAPE: &str = "write `infrastructure:` with `templates:` and below it one entry that begins with `- `";
        let Some(templates) = root.get("infrastructure").and_then(|node| node.get("templates")) else {
            return Err(self.problem(root, "`infrastructure.templates` is missing", SHAPE));
        };
        match templates.items() {
            [entry] if entry.is_mapping() => Ok(entry),
            [entry] => Err(self.problem(entry, format!("the template entry is {}", entry.describe()), SHAPE)),
            [] => Err(self.problem(templates, "`infrastructure.templates` has no entry", SHAPE)),
            [_, second, ..] => Err(self.problem(
                second,
                "`infrastructure.templates` has more than one entry",
                "keep one entry: a manifest describes one template",
            )),
        }
    }

    fn warnings(&self, entry: &Node, engine: EngineKind) -> Vec<Problem> {
        const TEMPLATE: [&str; 3] = ["file", "rendering_engine", "template_language"];
        const COMMANDS: [&str; 4] = ["rendering_engine", "template_language", "settings", "input_type"];
        match engine {
            EngineKind::CloudFormation | EngineKind::Terraform => entry.unknown_keys(self.file, &TEMPLATE),
            EngineKind::CodeBuild => {
                let mut warnings = entry.unknown_keys(self.file, &COMMANDS);
                let settings = entry.get("settings");
                let process = settings.and_then(|settings| settings.get("service"));
                warnings
                    .extend(settings.map(|node| node.unknown_keys(self.file, &codebuild::KEYS)).unwrap_or_default());
                warnings.extend(process.map(|node| node.unknown_keys(self.file, &process::KEYS)).unwrap_or_default());
                warnings
            }
        }
    }

    fn engine(&self, entry: &Node) -> Result<EngineKind, Vec<Problem>> {
        const FORMS: &str = "use `rendering_engine: jinja` with `template_language: cloudformation`, \
            `rendering_engine: hcl` with `template_language: terraform`, or `rendering_engine: codebuild`";
        let word = |key: &str| entry.get(key).and_then(Node::text).unwrap_or_default().to_ascii_lowercase();
        match (word("rendering_engine").as_str(), word("template_language").as_str()) {
            ("jinja", "cloudformation") => Ok(EngineKind::CloudFormation),
            ("hcl", "terraform") => Ok(EngineKind::Terraform),
            ("codebuild", _) => Ok(EngineKind::CodeBuild),
            ("", _) => Err(self.problem(entry, "`rendering_engine` is missing", FORMS)),
            (engine, "") => Err(self.problem(
                entry,
                format!("`template_language` is missing beside `rendering_engine: {}`", yaml::excerpt(engine)),
                FORMS,
            )),
            (engine, language) => {
                let node = entry.get("rendering_engine").unwrap_or(entry);
                let message = format!(
                    "`rendering_engine: {}` with `template_language: {}` is not a supported pair",
                    yaml::excerpt(engine),
                    yaml::excerpt(language)
                );
                Err(self.problem(node, message, FORMS))
            }
        }
    }

    fn template_file(&self, entry: &Node, engine: EngineKind) -> Result<String, Vec<Problem>> {
        let remedy = match engine {
            EngineKind::Terraform => "name the template's file, or write `file: \"*\"` for all `*.tf` files",
            _ => "name the template's file, as in `file: \"cloudformation.yaml\"`",
        };
        let Some(node) = entry.get("file").filter(|node| !node.is_null()) else {
            return Err(self.problem(entry, "`file` is missing", remedy));
        };
        let Some(file) = node.text() else {
            return Err(self.problem(node, format!("`file` is {}, not a name", node.describe()), remedy));
        };
        if file == "*" && engine == EngineKind::CloudFormation {
            return Err(self.problem(node, "`file: \"*\"` is for Terraform; CloudFormation takes one file", remedy));
        }
        let file = file.strip_prefix("./").unwrap_or(file);
        if file.is_empty() || file.starts_with('/') || file.split('/').any(|part| part == "..") {
            let message = format!("`file: {}` is not a path below the manifest's folder", yaml::excerpt(file));
            return Err(self.problem(node, message, remedy));
        }
        Ok(file.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(lines: &str) -> String {
        format!("infrastructure:\n  templates:\n    - {}\n", lines.replace('\n', "\n      "))
    }

    fn parse(text: &str) -> Result<Manifest, String> {
        Manifest::parse("infrastructure/manifest.yaml", text)
            .map_err(|problems| super::super::problem::summary(&problems))
    }

    #[test]
    fn each_form_names_its_engine_and_file() {
        let cloudformation =
            parse(&entry("file: \"cfn.yaml\"\nrendering_engine: jinja\ntemplate_language: cloudformation")).unwrap();
        assert_eq!(cloudformation.infrastructure, Infrastructure::CloudFormation { file: "cfn.yaml".into() });
        assert_eq!(cloudformation.engine().as_str(), "cloudformation");
        let all = parse(&entry("file: \"*\"\nrendering_engine: hcl\ntemplate_language: terraform")).unwrap();
        assert_eq!(all.infrastructure, Infrastructure::Terraform { file: "*".into() });
        let named = parse(&entry("file: ./main.tf\nrendering_engine: HCL\ntemplate_language: Terraform")).unwrap();
        assert_eq!(named.infrastructure, Infrastructure::Terraform { file: "main.tf".into() });
    }

    #[test]
    fn keys_that_nothing_reads_are_warnings() {
        let warnings = |text: &str| {
            super::super::problem::summary(&parse(text).unwrap_or_else(|error| panic!("{error}")).warnings)
        };
        let cloudformation = "file: a.yaml\nrendering_engine: jinja\ntemplate_language: cloudformation";
        assert_eq!(warnings(&entry(cloudformation)), "");
        assert_eq!(
            warnings(&entry(&format!("{cloudformation}\nversion: 1"))),
            "infrastructure/manifest.yaml:6: `version` has no meaning here — remove it; known here: file, \
             rendering_engine, template_language"
        );
        let codebuild =
            "rendering_engine: codebuild\ninput_type: HCL\nsettings:\n  provision: [make]\n  deprovison: [x]";
        assert_eq!(
            warnings(&entry(codebuild)),
            "infrastructure/manifest.yaml:7: `deprovison` has no meaning here — did you mean `deprovision`?"
        );
        let process = "rendering_engine: codebuild\nsettings:\n  provision: [make]\n  service:\n    command: x\n    \
            port: 1\n    ready_pth: /";
        assert_eq!(
            warnings(&entry(process)),
            "infrastructure/manifest.yaml:9: `ready_pth` has no meaning here — did you mean `ready_path`?"
        );
    }

    #[test]
    fn every_mistake_names_its_line_and_remedy() {
        for (text, line, message) in [
            ("{}".to_owned(), 1, "`infrastructure.templates` is missing"),
            ("infrastructure:\n  templates: []\n".to_owned(), 2, "has no entry"),
            ("infrastructure:\n  templates:\n    - a\n".to_owned(), 3, "the template entry is `a`"),
            ("infrastructure:\n  templates:\n    - {}\n    - {}\n".to_owned(), 4, "more than one entry"),
            (entry("file: x"), 3, "`rendering_engine` is missing"),
            (entry("file: x\nrendering_engine: jinja"), 3, "`template_language` is missing"),
            (entry("file: x\nrendering_engine: jinja\ntemplate_language: terraform"), 4, "not a supported pair"),
            (entry("rendering_engine: jinja\ntemplate_language: cloudformation"), 3, "`file` is missing"),
            (entry("file: \"*\"\nrendering_engine: jinja\ntemplate_language: cloudformation"), 3, "is for Terraform"),
            (entry("file: ../x\nrendering_engine: hcl\ntemplate_language: terraform"), 3, "not a path below"),
            (entry("file: [x]\nrendering_engine: hcl\ntemplate_language: terraform"), 3, "`file` is a list"),
            ("a: [}".to_owned(), 1, "not valid YAML"),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.starts_with(&format!("infrastructure/manifest.yaml:{line}:")), "{error}");
            assert!(error.contains(message) && error.contains(" — "), "{error}");
        }
    }
}
