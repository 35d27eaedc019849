//! Bundles for tests, packed in memory.

use flate2::Compression;
use flate2::write::GzEncoder;

pub const ENVIRONMENT_SCHEMA: &str = "\
schema:
  format:
    openapi: \"3.0.0\"
  environment_input_type: EnvironmentInput
  types:
    EnvironmentInput:
      type: object
      properties:
        size:
          type: string
          default: small
";

pub const SERVICE_SCHEMA: &str = "\
schema:
  format:
    openapi: \"3.0.0\"
  service_input_type: ServiceInput
  pipeline_input_type: PipelineInput
  types:
    ServiceInput:
      type: object
      properties:
        port:
          type: integer
          default: 80
    PipelineInput:
      type: object
      properties:
        branch:
          type: string
          default: main
";

pub const CLOUDFORMATION_MANIFEST: &str = "\
infrastructure:
  templates:
    - file: \"cloudformation.yaml\"
      rendering_engine: jinja
      template_language: cloudformation
";

pub const TERRAFORM_MANIFEST: &str = "\
infrastructure:
  templates:
    - file: \"*\"
      rendering_engine: hcl
      template_language: terraform
";

pub const CODEBUILD_MANIFEST: &str = "\
infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: aws/codebuild/amazonlinux2-x86_64-standard:4.0
        runtimes:
          nodejs: 16
        provision:
          - echo provision
        deprovision:
          - echo deprovision
";

pub const TOPIC: &str = "\
Resources:
  Topic:
    Type: AWS::SNS::Topic
Outputs:
  TopicName:
    Value: !GetAtt Topic.TopicName
";

/// The files of an environment bundle for CloudFormation.
pub fn environment() -> Vec<(&'static str, &'static str)> {
    vec![
        ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
        ("infrastructure/manifest.yaml", CLOUDFORMATION_MANIFEST),
        ("infrastructure/cloudformation.yaml", TOPIC),
    ]
}

/// The files of a service bundle with a pipeline, both for CloudFormation.
pub fn service() -> Vec<(&'static str, &'static str)> {
    vec![
        ("schema/schema.yaml", SERVICE_SCHEMA),
        ("instance_infrastructure/manifest.yaml", CLOUDFORMATION_MANIFEST),
        ("instance_infrastructure/cloudformation.yaml", TOPIC),
        ("pipeline_infrastructure/manifest.yaml", CLOUDFORMATION_MANIFEST),
        ("pipeline_infrastructure/cloudformation.yaml", TOPIC),
    ]
}

/// A `tar.gz` of text files.
pub fn pack(files: &[(&str, &str)]) -> Vec<u8> {
    pack_with(files, |_| {})
}

/// A `tar.gz` of text files and whatever else `add` puts into it.
pub fn pack_with(files: &[(&str, &str)], add: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        archive.append_data(&mut header(text.len() as u64), path, text.as_bytes()).unwrap();
    }
    add(&mut archive);
    gzip(&archive.into_inner().unwrap())
}

/// The header of a regular file.
pub fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header
}

/// Bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
