//! Terraform that Protium runs: the files that it adds to a bundle, and the commands.
//!
//! Owns where the state is kept, and what is declared for a bundle that does not declare it. OpenTofu is run likewise.
//! Who runs the commands, and with what in their environment, is decided elsewhere.

mod blocks;

use self::blocks::{Block, blocks, tokens};
use super::inputs::{self, TERRAFORM_FILE};
use crate::deployment::TargetKind;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The file that says where the state is. Terraform reads it last, and takes it for what others say.
const BACKEND_FILE: &str = "zz_protium_backend_override.tf.json";
const BACKEND: &str = "{\"terraform\": {\"backend\": {\"local\": {}}}}\n";
/// The plan of a run, for people; it is kept with the deployment.
pub const PLAN_FILE: &str = "proton-plan.txt";

/// Finds the program, and keeps a state that could not be saved where the next run finds it.
const BEGIN: &str = "tf=$(command -v \"${PROTIUM_TERRAFORM:-terraform}\" || command -v \"${PROTIUM_TERRAFORM:-tofu}\") || \
    { echo \"${PROTIUM_TERRAFORM:-terraform or tofu} is not among the programs that runs find: install it for the whole \
    system, or show its folder with --run-tools\" >&2; exit 127; }; \
    trap 'if [ -e errored.tfstate ]; then cp errored.tfstate \"$PROTIUM_STATE_DIR/\"; fi' EXIT; \
    \"$tf\" version";
const INIT: &str = "\"$tf\" init -input=false -no-color";
const INIT_IN_STATE_DIR: &str =
    "\"$tf\" init -input=false -no-color -backend-config=\"path=$PROTIUM_STATE_DIR/terraform.tfstate\"";
/// The workspace of the resource: a backend that the bundle names is that of all its resources.
const WORKSPACE: &str = "\"$tf\" workspace select -or-create \"$STACK_NAME\"";
const CLOUD_WORKSPACE: &str = "export TF_WORKSPACE=\"$STACK_NAME\"";
const LEAVE_WORKSPACE: &str = "\"$tf\" workspace select default && \"$tf\" workspace delete \"$STACK_NAME\"";
/// Saves what an earlier run could not. A state that somebody saved since is newer, and refuses it: once.
const RECOVER: &str = "if [ -e \"$PROTIUM_STATE_DIR/errored.tfstate\" ]; then \
    mv \"$PROTIUM_STATE_DIR/errored.tfstate\" \"$PROTIUM_STATE_DIR/recovered.tfstate\" && \
    \"$tf\" state push \"$PROTIUM_STATE_DIR/recovered.tfstate\"; fi";
const PLAN: &str = "\"$tf\" plan -input=false -no-color -out=plan.bin";
const SHOW: &str = "\"$tf\" show -no-color plan.bin > proton-plan.txt";
const APPLY: &str = "\"$tf\" apply -input=false -no-color plan.bin";
const OUTPUT: &str = "\"$tf\" output -no-color -json > proton-outputs.json";
/// Nothing was ever made: also a bundle that can't be initialised is deleted.
const NOTHING: &str = "[ -e \"$PROTIUM_STATE_DIR/terraform.tfstate\" ] || [ -e \"$PROTIUM_STATE_DIR/errored.tfstate\" ] || \
    { echo 'There is no state: nothing was made.'; exit 0; }";
const DESTROY: &str = "\"$tf\" destroy -auto-approve -input=false -no-color";

/// What running a bundle takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Files beside those of the bundle, by path; they take the place of those of the same path.
    pub files: BTreeMap<String, String>,
    /// The commands that provision, in order.
    pub provision: Vec<String>,
    /// The commands that deprovision, in order.
    pub deprovision: Vec<String>,
}

/// What Terraform is told in its environment.
pub const VARIABLES: [(&str, &str); 3] = [("TF_IN_AUTOMATION", "1"), ("TF_INPUT", "0"), ("CHECKPOINT_DISABLE", "1")];

/// Where the state of a bundle's resources is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    /// In the folder that stays from run to run.
    StateDir,
    /// Where the bundle says, in a workspace for each resource.
    Named,
    /// With HCP Terraform, likewise.
    Cloud,
}

/// Whether Terraform reads the file at `path` by itself.
pub fn is_configuration(path: &str) -> bool {
    !path.contains('/') && (path.ends_with(".tf") || path.ends_with(".tf.json"))
}

/// What it takes to run a bundle whose [configuration](is_configuration) these `files` are, for a target of that kind.
/// `namespace`, the managed `tags` and the ARN of the resource are its inputs.
pub fn run(
    kind: TargetKind,
    files: &BTreeMap<String, String>,
    namespace: &Value,
    tags: &[(String, String)],
    arn: &str,
) -> Run {
    let variables = variables_file(kind);
    let own = files.iter().filter(|(path, _)| **path != variables && *path != BACKEND_FILE);
    let declared = Declared::of(own);
    let document = inputs::terraform(namespace, tags, arn);
    let mut made = BTreeMap::from([(TERRAFORM_FILE.to_owned(), document)]);
    made.insert(variables, declarations(namespace, &declared.variables));
    if declared.backend == Backend::StateDir {
        made.insert(BACKEND_FILE.to_owned(), BACKEND.to_owned());
    }
    let begin = |first: &[&'static str], then: &[&'static str]| {
        let init: &[&str] = match declared.backend {
            Backend::StateDir => &[BEGIN, INIT_IN_STATE_DIR],
            Backend::Named => &[BEGIN, INIT, WORKSPACE],
            Backend::Cloud => &[BEGIN, CLOUD_WORKSPACE, INIT],
        };
        [first, init, &[RECOVER], then].concat().into_iter().map(str::to_owned).collect()
    };
    let (before, after): (&[&str], &[&str]) = match declared.backend {
        Backend::StateDir => (&[NOTHING], &[DESTROY]),
        Backend::Named => (&[], &[DESTROY, LEAVE_WORKSPACE]),
        Backend::Cloud => (&[], &[DESTROY]),
    };
    Run { files: made, provision: begin(&[], &[PLAN, SHOW, APPLY, OUTPUT]), deprovision: begin(before, after) }
}

/// The file that declares the inputs, as AWS Proton names it.
fn variables_file(kind: TargetKind) -> String {
    let kind = match kind {
        TargetKind::Environment => "environment",
        TargetKind::ServiceInstance => "service_instance",
        TargetKind::ServicePipeline => "pipeline",
        TargetKind::Component => "component",
    };
    format!("proton.{kind}.variables.tf")
}

/// Variables for all that the bundle is given and does not declare itself. They are of any type: outputs of others
/// may be lists and maps.
fn declarations(namespace: &Value, declared: &BTreeSet<String>) -> String {
    let variables = inputs::names(namespace).map(|name| (name, "any")).chain([("proton_tags", "map(string)")]);
    let undeclared = variables.filter(|(name, _)| !declared.contains(*name));
    let blocks =
        undeclared.map(|(name, kind)| format!("variable \"{name}\" {{\n  type    = {kind}\n  default = null\n}}\n"));
    blocks.collect::<Vec<_>>().join("\n")
}

/// What the files of a bundle declare.
struct Declared {
    variables: BTreeSet<String>,
    backend: Backend,
}

impl Declared {
    fn of<'a>(files: impl Iterator<Item = (&'a String, &'a String)>) -> Self {
        let mut declared = Self { variables: BTreeSet::new(), backend: Backend::StateDir };
        for (path, text) in files {
            if path.ends_with(".json") {
                declared.read_json(text);
            } else {
                declared.read(text);
            }
        }
        declared
    }

    fn read(&mut self, text: &str) {
        let tokens = tokens(text);
        for Block { kind, labels, body } in blocks(&tokens) {
            match (kind, labels.as_slice()) {
                ("variable", [name, ..]) => {
                    self.variables.insert((*name).to_owned());
                }
                ("terraform", _) => {
                    for block in blocks(body) {
                        match (block.kind, block.labels.as_slice()) {
                            ("backend", [kind, ..]) => self.backend(kind, block.is_empty()),
                            ("cloud", _) => self.backend = Backend::Cloud,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The same of the JSON form; what is no JSON is Terraform's to complain about.
    fn read_json(&mut self, text: &str) {
        let Ok(document) = serde_json::from_str::<Value>(text) else { return };
        for (name, _) in members(document.get("variable")) {
            self.variables.insert(name.clone());
        }
        for (name, value) in members(document.get("terraform")) {
            match name.as_str() {
                "backend" => {
                    for (kind, body) in members(Some(value)) {
                        self.backend(kind, members(Some(body)).next().is_none());
                    }
                }
                "cloud" => self.backend = Backend::Cloud,
                _ => {}
            }
        }
    }

    /// A backend without settings waits for whoever runs it to say them, and one on this machine would be gone with
    /// the run: both are the state folder.
    fn backend(&mut self, kind: &str, empty: bool) {
        if kind != "local" && !empty {
            self.backend = Backend::Named;
        }
    }
}

/// The members of an object, or of all objects of a list: in JSON, blocks are either.
fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    let items = value.and_then(Value::as_array).map_or(value.map_or(&[][..], std::slice::from_ref), Vec::as_slice);
    items.iter().filter_map(Value::as_object).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::render::namespace;
    use serde_json::json;

    fn of(files: &[(&str, &str)]) -> Run {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        let namespace = namespace::environment("dev", &json!({"zones": ["a"]}));
        run(TargetKind::Environment, &files, &namespace, &[("proton:account".into(), "1".into())], "arn:e")
    }

    #[test]
    fn the_state_is_in_the_state_folder_unless_the_bundle_says_where() {
        let (ours, named) = (&[INIT_IN_STATE_DIR][..], &[INIT, WORKSPACE][..]);
        for (files, init) in [
            (&[("main.tf", "output \"a\" { value = 1 }")][..], ours),
            (&[("main.tf", "terraform {\n  backend \"s3\" {\n  }\n}")][..], ours),
            (&[("main.tf", "terraform {\n  backend \"local\" { path = \"x\" }\n}")][..], ours),
            (&[("main.tf", "# terraform { backend \"s3\" { bucket = \"b\" } }")][..], ours),
            (&[("a.tf", ""), ("b.tf", "terraform {\n  backend \"s3\" { bucket = \"b\" }\n}")][..], named),
            (&[("b.tf.json", r#"{"terraform": [{"backend": {"pg": {"conn_str": "p"}}}]}"#)][..], named),
            (&[("b.tf.json", r#"{"terraform": {"backend": {"pg": {}}}}"#)][..], ours),
            (&[("b.tf.json", "no JSON")][..], ours),
            (&[("main.tf", "terraform {\n  cloud {}\n}")][..], &[CLOUD_WORKSPACE, INIT][..]),
        ] {
            let run = of(files);
            let is_ours = init == ours;
            assert_eq!(run.files.contains_key(BACKEND_FILE), is_ours, "{files:?}");
            let provision = [&[BEGIN][..], init, &[RECOVER, PLAN, SHOW, APPLY, OUTPUT]].concat();
            assert_eq!(run.provision, provision, "{files:?}");
            assert_eq!(run.deprovision[0] == NOTHING, is_ours, "{files:?}");
            assert!(run.deprovision.iter().any(|command| command == DESTROY));
            assert_eq!(run.deprovision.iter().any(|command| command == LEAVE_WORKSPACE), init.contains(&WORKSPACE));
        }
    }

    #[test]
    fn what_a_bundle_is_given_is_declared_once() {
        let run = of(&[("main.tf", "")]);
        let variables = &run.files["proton.environment.variables.tf"];
        assert_eq!(
            variables,
            "variable \"environment\" {\n  type    = any\n  default = null\n}\n\n\
             variable \"proton_tags\" {\n  type    = map(string)\n  default = null\n}\n"
        );
        assert!(run.files[TERRAFORM_FILE].contains("\"proton:account\" : \"1\""));
        // What it has for trials is replaced, and declares nothing.
        let again = of(&[("proton.environment.variables.tf", variables)]);
        assert_eq!(again.files["proton.environment.variables.tf"], *variables);
        for (path, text) in
            [("v.tf", "variable \"environment\" { type = any }"), ("v.tf.json", r#"{"variable": {"environment": {}}}"#)]
        {
            let variables = of(&[(path, text)]).files["proton.environment.variables.tf"].clone();
            assert!(!variables.contains("\"environment\"") && variables.contains("\"proton_tags\""), "{variables}");
        }
    }

    #[test]
    fn terraform_reads_what_is_beside_the_manifest() {
        for (path, read) in [("main.tf", true), ("main.tf.json", true), ("m/main.tf", false), ("a.tpl", false)] {
            assert_eq!(is_configuration(path), read, "{path}");
        }
    }
}
