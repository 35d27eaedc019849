//! Manifests: the text of a `manifest.yaml`.

use protium_domain::bundle::{Infrastructure, Manifest, yaml};

use super::{check_problems, texts};

const FILE: &str = "infrastructure/manifest.yaml";

/// A manifest is refused with places in its text, or names a file below its folder.
pub fn check(input: &[u8]) {
    let text = &texts(input)[0];
    let manifest = match Manifest::parse(FILE, text) {
        Ok(manifest) => manifest,
        Err(problems) => return check_problems(&problems, FILE, text),
    };
    super::check_place(Some(manifest.line), None, text);
    if let Infrastructure::CloudFormation { file } | Infrastructure::Terraform { file } = &manifest.infrastructure {
        assert!(!file.is_empty() && !file.starts_with('/') && !file.split('/').any(|part| part == ".."), "{file:?}");
        let named = if file == "*" { "main.tf" } else { file.as_str() };
        assert!(manifest.infrastructure.takes(named) && !manifest.infrastructure.takes("manifest.yaml/x"), "{file:?}");
    }
    assert!(!manifest.engine().as_str().is_empty());
    // A file whose name is written as a number has another one then.
    let value = yaml::parse(text).and_then(|root| root.to_value());
    if let Some(again) = value.ok().and_then(|value| Manifest::parse(FILE, &yaml::emit(&value)).ok()) {
        assert_eq!(again.engine(), manifest.engine());
    }
}
