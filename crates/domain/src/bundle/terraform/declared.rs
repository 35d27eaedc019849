//! What the files of a bundle declare: the inputs that it knows, and where it wants its state.
//!
//! Owns reading that out of both forms of configuration, and what of it can't be.

use super::blocks::{Block, attributes, blocks, said, tokens};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// What stands for the name of the workspace until the run.
const STACK_NAME: &str = "@STACK_NAME@";

/// What backends are told that does not say where the state is: who asks for it, and how it is kept there.
const NO_PLACE: &[&str] = &[
    "access_key",
    "assume_role",
    "assume_role_with_web_identity",
    "client_secret",
    "credentials",
    "dynamodb_table",
    "encrypt",
    "kms_key_id",
    "password",
    "profile",
    "role_arn",
    "sas_token",
    "secret_key",
    "shared_config_files",
    "shared_credentials_file",
    "shared_credentials_files",
    "token",
    "use_lockfile",
    "username",
];

/// Where the state of a bundle's resources is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backend {
    /// Where the operator says: in the folder that stays from run to run, unless there is another place.
    Operators,
    /// Where the bundle says, in a workspace for each resource.
    Named,
    /// With HCP Terraform, likewise.
    Cloud,
}

/// What the files of a bundle declare.
pub(super) struct Declared {
    pub variables: BTreeSet<String>,
    pub backend: Backend,
    /// What the backend is called, and what its block says of where the state is.
    says: String,
    /// The `cloud` block with a workspace for the resource, if that is the backend.
    pub cloud: Option<Value>,
    /// Why the backend can't be used, if it can't.
    pub refusal: Option<String>,
}

impl Declared {
    pub(super) fn of<'a>(files: impl Iterator<Item = (&'a String, &'a String)>) -> Self {
        let mut declared = Self {
            variables: BTreeSet::new(),
            backend: Backend::Operators,
            says: String::new(),
            cloud: None,
            refusal: None,
        };
        let (over, base): (Vec<_>, Vec<_>) = files.partition(|(path, _)| is_override(path));
        for (path, text) in base.into_iter().chain(over) {
            // Only Terraform's own: what OpenTofu alone reads is not known to be read.
            match path {
                path if path.ends_with(".tf.json") => declared.read_json(text, is_override(path)),
                path if path.ends_with(".tf") => declared.read(text, is_override(path)),
                _ => {}
            }
        }
        declared
    }

    /// A word for where the state is: the same as long as the bundle says the same of it.
    pub(super) fn place(&self) -> String {
        match self.backend {
            Backend::Operators => "local".to_owned(),
            Backend::Named | Backend::Cloud => {
                let digest = hex::encode(Sha256::digest(self.says.as_bytes()));
                let kind = self.says.split_whitespace().next().unwrap_or_default();
                let kind: String = kind.chars().filter(char::is_ascii_alphanumeric).collect();
                format!("{kind} {}", &digest[..12])
            }
        }
    }

    /// A variable of an override is declared elsewhere, or Terraform complains.
    fn read(&mut self, text: &str, is_override: bool) {
        let tokens = tokens(text);
        for Block { kind, labels, body } in blocks(&tokens) {
            match (kind, labels.as_slice()) {
                ("variable", [name, ..]) if !is_override => {
                    self.variables.insert((*name).to_owned());
                }
                ("terraform", _) => {
                    for block in blocks(body) {
                        let says = || said(block.body, NO_PLACE);
                        match (block.kind, block.labels.as_slice()) {
                            ("backend", [kind, ..]) => self.backend(kind, block.is_empty(), says()),
                            ("cloud", _) => {
                                let inner = blocks(block.body).into_iter().filter(|inner| inner.kind == "workspaces");
                                let workspaces = inner.flat_map(|inner| attributes(inner.body)).collect::<Vec<_>>();
                                self.cloud(says(), &attributes(block.body), &workspaces);
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The same of the JSON form; what is no JSON is Terraform's to complain about.
    fn read_json(&mut self, text: &str, is_override: bool) {
        let Ok(document) = serde_json::from_str::<Value>(text) else { return };
        for (name, _) in members(document.get("variable")).filter(|_| !is_override) {
            self.variables.insert(name.clone());
        }
        for (name, value) in members(document.get("terraform")) {
            match name.as_str() {
                "backend" => {
                    for (kind, body) in members(Some(value)) {
                        self.backend(kind, members(Some(body)).next().is_none(), said_in_json(body));
                    }
                }
                "cloud" => {
                    let own: Vec<_> = members(Some(value)).collect();
                    let inner = own.iter().filter(|(name, _)| *name == "workspaces");
                    let workspaces: Vec<_> = inner.flat_map(|&(_, inner)| members(Some(inner))).map(plain).collect();
                    self.cloud(said_in_json(value), &own.into_iter().map(plain).collect::<Vec<_>>(), &workspaces);
                }
                _ => {}
            }
        }
    }

    /// A backend without settings waits for whoever runs it to say them, and one on this machine would be gone with
    /// the run: both are the operator's to say. The last that is read holds: overrides take the place of others.
    fn backend(&mut self, kind: &str, empty: bool, says: String) {
        self.backend = if kind == "local" || empty { Backend::Operators } else { Backend::Named };
        self.says = format!("{kind} {says}");
        self.cloud = None;
        // It has the one workspace that it names, or those with a prefix that somebody has made.
        self.refusal = (kind == "remote" && !empty).then(|| {
            "The template's backend \"remote\" has no workspace for each resource. Use a cloud block with the \
             organization instead, and neither name nor tags of workspaces in it."
                .to_owned()
        });
    }

    fn cloud(&mut self, says: String, own: &[Attribute<'_>], workspaces: &[Attribute<'_>]) {
        self.backend = Backend::Cloud;
        self.says = format!("cloud {says}");
        let chosen = workspaces.iter().find(|(name, _)| matches!(*name, "name" | "tags"));
        self.refusal = chosen.map(|(name, _)| {
            format!(
                "The template's cloud block has {name} of workspaces, and each resource needs a workspace of its own. \
                 Take that out: the workspace is named like STACK_NAME."
            )
        });
        let texts = |taken: &[&str], from: &[Attribute<'_>]| {
            let texts = from.iter().filter(|(name, _)| taken.contains(name));
            texts.filter_map(|(name, text)| Some(((*name).to_owned(), json!((*text)?)))).collect::<Map<_, _>>()
        };
        let mut cloud = texts(&["hostname", "organization", "token"], own);
        let mut workspace = texts(&["project"], workspaces);
        workspace.insert("name".to_owned(), json!(STACK_NAME));
        cloud.insert("workspaces".to_owned(), Value::Object(workspace));
        self.cloud = Some(Value::Object(cloud));
    }
}

/// The name of an attribute, and its value if that is a text.
type Attribute<'a> = (&'a str, Option<&'a str>);

fn plain<'a>((name, value): (&'a String, &'a Value)) -> Attribute<'a> {
    (name, value.as_str())
}

/// The members of an object, or of all objects of a list: in JSON, blocks are either.
fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    let items = value.and_then(Value::as_array).map_or(value.map_or(&[][..], std::slice::from_ref), Vec::as_slice);
    items.iter().filter_map(Value::as_object).flatten()
}

/// What a backend is told of where the state is.
fn said_in_json(body: &Value) -> String {
    let told = members(Some(body)).filter(|(name, _)| !NO_PLACE.contains(&name.as_str()));
    let mut lines: Vec<String> = told.map(|(name, value)| format!("{name}={value}")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Whether what the file says is laid over what others say.
fn is_override(path: &str) -> bool {
    let name = path.strip_suffix(".json").unwrap_or(path);
    name.strip_suffix(".tf").is_some_and(|name| name == "override" || name.ends_with("_override"))
}
