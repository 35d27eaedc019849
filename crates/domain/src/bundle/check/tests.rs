//! Which bundles register, and what the others are told.

use super::*;
use crate::bundle::problem::summary;

const ENVIRONMENT: Expect = Expect::Environment { customer_managed: false };
const SERVICE: Expect = Expect::Service { pipeline: true };
const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"cloudformation.yaml\"\n      rendering_engine: jinja\n      template_language: cloudformation\n";
const TERRAFORM: &str = "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      template_language: terraform\n";
const CODEBUILD: &str = "infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n        provision: [\"make {{ environment.name }}\"]\n";

fn schema(kind: &str) -> String {
    format!("schema:\n  format:\n    openapi: \"3.0.0\"\n  {kind}_input_type: In\n  pipeline_input_type: Pipe\n  types: {{In: {{type: object}}, Pipe: {{type: object}}}}\n")
        .replace("environment_input_type: In\n  pipeline_input_type: Pipe", "environment_input_type: In")
}

fn files(entries: &[(&str, &str)]) -> Files {
    entries.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn environment() -> Files {
    files(&[
        ("schema/schema.yaml", &schema("environment")),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/cloudformation.yaml", "Resources: {}\n"),
    ])
}

fn service() -> Files {
    files(&[
        ("schema/schema.yaml", &schema("service")),
        ("instance_infrastructure/manifest.yaml", MANIFEST),
        ("instance_infrastructure/cloudformation.yaml", "{% for a in b %}x{% endfor %}\n"),
        ("pipeline_infrastructure/manifest.yaml", MANIFEST),
        ("pipeline_infrastructure/cloudformation.yaml", "Resources: {}\n"),
    ])
}

fn with(mut files: Files, path: &str, text: &str) -> Files {
    files.insert(path.to_owned(), text.as_bytes().to_vec());
    files
}

fn without(mut files: Files, prefix: &str) -> Files {
    files.retain(|path, _| !path.starts_with(prefix));
    files
}

fn checked(files: &Files, expect: Expect) -> Result<Bundle, String> {
    check(files, expect, &Limits::default()).map_err(|problems| summary(&problems))
}

#[test]
fn complete_bundles_pass_with_their_parts() {
    let bundle = checked(&environment(), ENVIRONMENT).unwrap();
    let part = bundle.infrastructure.unwrap();
    assert_eq!((part.engine, part.files.len()), (EngineKind::CloudFormation, 2));
    assert_eq!(part.template_files().map(|(path, _)| path).collect::<Vec<_>>(), ["cloudformation.yaml"]);
    assert!(bundle.pipeline.is_none() && bundle.schema_text.starts_with("schema:"));
    let bundle = checked(&service(), SERVICE).unwrap();
    assert!(bundle.infrastructure.is_some() && bundle.pipeline.is_some());
}

#[test]
fn bundles_of_every_engine_pass() {
    let terraform = without(environment(), "infrastructure/");
    let terraform = with(terraform, "infrastructure/manifest.yaml", TERRAFORM);
    let terraform = with(terraform, "infrastructure/main.tf", "# {{ not jinja }}");
    let terraform = with(terraform, "infrastructure/module/a.tf", "");
    let part = checked(&terraform, ENVIRONMENT).unwrap().infrastructure.unwrap();
    assert_eq!(part.engine, EngineKind::Terraform);
    assert_eq!(part.template_files().map(|(path, _)| path).collect::<Vec<_>>(), ["main.tf"]);
    let large = "x".repeat(300 * 1024);
    let codebuild = with(
        with(environment(), "infrastructure/manifest.yaml", CODEBUILD),
        "infrastructure/package-lock.json",
        &large,
    );
    let part = checked(&codebuild, ENVIRONMENT).unwrap().infrastructure.unwrap();
    assert_eq!((part.engine, part.template_files().count()), (EngineKind::CodeBuild, 0));
}

#[test]
fn customer_managed_environments_hold_the_schema_only() {
    let expect = Expect::Environment { customer_managed: true };
    let bundle = checked(&without(environment(), "infrastructure/"), expect).unwrap();
    assert!(bundle.infrastructure.is_none());
    let error = checked(&environment(), expect).unwrap_err();
    assert!(
        error.starts_with("infrastructure/: the template is customer managed")
            && error.contains(" — remove the folder"),
        "{error}"
    );
}

#[test]
fn customer_managed_pipelines_need_no_folder_and_ignore_one() {
    let expect = Expect::Service { pipeline: false };
    let bundle = checked(&without(service(), "pipeline_infrastructure/"), expect).unwrap();
    assert!(bundle.pipeline.is_none() && bundle.warnings.is_empty());
    let bundle = checked(&service(), expect).unwrap();
    assert!(bundle.pipeline.is_none() && bundle.warnings.len() == 1);
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let odd = with(service(), "instance_infrastructure/manifest.yaml", &format!("{MANIFEST}      note: x\n"));
    let schema = schema("service").replace("  types:", "  tags: {}\n  types:");
    let odd = with(odd, "schema/schema.yaml", &schema);
    let warnings = checked(&odd, Expect::Service { pipeline: false }).unwrap().warnings;
    let places: Vec<_> = warnings.iter().map(|warning| (warning.file.as_str(), warning.line)).collect();
    assert_eq!(
        places,
        [
            ("schema/schema.yaml", Some(6)),
            ("instance_infrastructure/manifest.yaml", Some(6)),
            ("pipeline_infrastructure/", None)
        ]
    );
    assert_eq!(checked(&service(), SERVICE).unwrap().warnings, []);
}

#[test]
fn each_gap_in_the_layout_is_named_with_its_remedy() {
    let service_schema_only = without(service(), "pipeline_infrastructure/");
    for (files, expect, expected) in [
        (without(environment(), "schema/"), ENVIRONMENT, "schema/schema.yaml: the file is missing — add it"),
        (with(without(environment(), "schema/"), "schema/schema.yml", ""), ENVIRONMENT, "rename `schema/schema.yml`"),
        (
            with(without(environment(), "schema/"), "v1/schema/schema.yaml", ""),
            ENVIRONMENT,
            "it is at `v1/schema/schema.yaml`",
        ),
        (
            without(environment(), "infrastructure/"),
            ENVIRONMENT,
            "infrastructure/: the folder is missing — add the folder",
        ),
        (
            without(environment(), "infrastructure/manifest"),
            ENVIRONMENT,
            "infrastructure/manifest.yaml: the file is missing",
        ),
        (
            without(environment(), "infrastructure/cloud"),
            ENVIRONMENT,
            "infrastructure/manifest.yaml:3: `file: cloudformation.yaml` names a file that is not in the bundle — add `infrastructure/cloudformation.yaml`",
        ),
        (
            with(without(environment(), "infrastructure/cloud"), "infrastructure/a.yaml", ""),
            ENVIRONMENT,
            "name one that is: a.yaml",
        ),
        (
            with(environment(), "infrastructure/manifest.yaml", TERRAFORM),
            ENVIRONMENT,
            "takes the `.tf` files beside the manifest; there is none",
        ),
        (
            with(environment(), "schema/schema.yaml", &schema("service")),
            Expect::Service { pipeline: false },
            "instance_infrastructure/: the folder is missing — rename the folder `infrastructure/`",
        ),
        (service_schema_only, SERVICE, "pipeline_infrastructure/: the folder is missing"),
    ] {
        let error = checked(&files, expect).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_pipeline_needs_its_input_type() {
    let text = schema("service").replace("  pipeline_input_type: Pipe\n", "");
    let error = checked(&with(service(), "schema/schema.yaml", &text), SERVICE).unwrap_err();
    assert!(
        error.starts_with("schema/schema.yaml:2: Missing property [pipelineInputType]")
            && error.contains("pipelineProvisioning"),
        "{error}"
    );
    assert!(checked(&with(service(), "schema/schema.yaml", &text), Expect::Service { pipeline: false }).is_ok());
}

#[test]
fn templates_must_compile_and_fit() {
    for (text, expected) in [
        ("a: 1\nb: {% if %}\n".to_owned(), "infrastructure/cloudformation.yaml:2:"),
        ("a: {{ x | nofilter }".to_owned(), "infrastructure/cloudformation.yaml:1:"),
        ("x".repeat(201 * 1024), "infrastructure/cloudformation.yaml: the file has 201 KB, the limit is 200 KB"),
    ] {
        let error =
            checked(&with(environment(), "infrastructure/cloudformation.yaml", &text), ENVIRONMENT).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
    let mut binary = environment();
    binary.insert("infrastructure/cloudformation.yaml".into(), b"a\n\xff".to_vec());
    assert!(
        checked(&binary, ENVIRONMENT)
            .unwrap_err()
            .starts_with("infrastructure/cloudformation.yaml:2: the file is not UTF-8")
    );
    let command = CODEBUILD.replace("{{ environment.name }}", "{{ environment.name");
    let error = checked(&with(environment(), "infrastructure/manifest.yaml", &command), ENVIRONMENT).unwrap_err();
    assert!(
        error.starts_with("infrastructure/manifest.yaml:3: `make {{ environment.name` is not valid Jinja"),
        "{error}"
    );
}

#[test]
fn descriptions_have_their_own_limit() {
    let long = format!("{}# {}\n", schema("environment"), "x".repeat(60 * 1024));
    let error = checked(&with(environment(), "schema/schema.yaml", &long), ENVIRONMENT).unwrap_err();
    assert!(error.starts_with("schema/schema.yaml: the file has 61 KB, the limit is 50 KB"), "{error}");
}

#[test]
fn all_problems_are_listed_together() {
    let bad = with(with(service(), "schema/schema.yaml", "x"), "instance_infrastructure/manifest.yaml", "x");
    let bad = without(bad, "pipeline_infrastructure/");
    let error = checked(&bad, SERVICE).unwrap_err();
    assert_eq!(error.lines().count(), 3, "{error}");
}
