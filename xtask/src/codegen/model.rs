//! The files in `crates/api/model`, as they are written: read strictly, so that a trait that the
//! generator does not know is an error and not a silent gap.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    #[serde(rename = "version")]
    _version: String,
    pub(crate) metadata: Metadata,
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) target_prefix: String,
    pub(crate) json_version: String,
    pub(crate) protocol: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operation {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "http")]
    _http: serde_json::Value,
    pub(crate) input: Reference,
    pub(crate) output: Reference,
    pub(crate) errors: Vec<Reference>,
    #[serde(default)]
    pub(crate) idempotent: bool,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Reference {
    pub(crate) shape: String,
    #[serde(default)]
    pub(crate) idempotency_token: bool,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shape {
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) members: BTreeMap<String, Reference>,
    #[serde(default)]
    pub(crate) required: Vec<String>,
    pub(crate) member: Option<Reference>,
    pub(crate) min: Option<u32>,
    pub(crate) max: Option<u32>,
    pub(crate) pattern: Option<String>,
    #[serde(default, rename = "enum")]
    pub(crate) values: Vec<String>,
    #[serde(default)]
    pub(crate) sensitive: bool,
    #[serde(default)]
    pub(crate) union: bool,
    #[serde(default)]
    pub(crate) exception: bool,
    #[serde(default, rename = "fault")]
    _fault: bool,
    #[serde(default, rename = "retryable")]
    _retryable: Option<serde_json::Value>,
    #[serde(default, rename = "box")]
    _boxed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Boolean,
    Integer,
    List,
    String,
    Structure,
    Timestamp,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paginators {
    pub(crate) pagination: BTreeMap<String, Paginator>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paginator {
    pub(crate) input_token: String,
    pub(crate) output_token: String,
    pub(crate) limit_key: Option<String>,
    pub(crate) result_key: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiters {
    #[serde(rename = "version")]
    _version: u32,
    pub(crate) waiters: BTreeMap<String, Waiter>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Waiter {
    #[serde(rename = "description")]
    _description: String,
    pub(crate) delay: u64,
    pub(crate) max_attempts: u32,
    pub(crate) operation: String,
    pub(crate) acceptors: Vec<Acceptor>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptor {
    pub(crate) matcher: Matcher,
    pub(crate) argument: Option<String>,
    pub(crate) state: Verdict,
    pub(crate) expected: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Matcher {
    Error,
    Path,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Success,
    Failure,
}

/// What we know better than the model does.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overrides {
    pub(crate) optional: Vec<Optional>,
}

/// Output members that may be absent although the model requires them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Optional {
    pub(crate) shapes: Vec<String>,
    pub(crate) members: Vec<String>,
    pub(crate) reason: String,
}
