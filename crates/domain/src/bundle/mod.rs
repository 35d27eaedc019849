//! Template bundles: bytes in, files out.
//!
//! | module | owns |
//! |---|---|
//! | [`archive`] | unpacking what was uploaded, trusting nothing |
//! | [`mod@check`] | the layout of a bundle; all of registration's checks |
//! | [`commands`] | templates of commands, rendered |
//! | [`inputs`] | the document with the inputs of Terraform and commands |
//! | [`manifest`] | `manifest.yaml`: engine and template file |
//! | [`schema`] | `schema/schema.yaml`: inputs, defaults, compatibility of minor versions |
//! | [`spec`] | specs: reading, current values, merging, differences |
//! | [`mod@render`] | rendering with Jinja, and the namespaces that templates see |
//! | [`terraform`] | what running Terraform takes: further files and commands |
//! | [`yaml`] | YAML with positions, bounded |
//! | [`limits`], [`problem`] | numbers; findings with file, line and remedy |
//!
//! Everything is pure and bounded in time and memory, since bundles and specs come from outside.
//! What it answers may quote the author's text: for the caller, never for a log.

pub mod archive;
pub mod check;
pub mod commands;
pub mod inputs;
pub mod limits;
pub mod manifest;
pub mod problem;
pub mod render;
pub mod schema;
pub mod spec;
pub mod terraform;
pub mod yaml;

pub use archive::{Files, unpack};
pub use check::{Bundle, Expect, Part, check};
pub use limits::Limits;
pub use manifest::{CodeBuildSettings, EngineKind, Infrastructure, InputFormat, Manifest};
pub use problem::{Problem, summary};
pub use render::{RenderError, RenderLimits, Template, namespace, render};
pub use schema::{InputProblem, InputType, SCHEMA_FILE, Schema, breaking_changes};
pub use spec::{
    CURRENT_VAL, EnvironmentSpec, InstanceSpec, ServiceSpec, SpecDiff, merge_instance, merge_pipeline,
    substitute_current,
};
