//! What a step of an engine answers. Data only.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where an engine stands with an order. Opaque to the caller, who saves it before the next step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub Value);

/// The answer of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Not there yet: save `cursor`, and ask again after `after`.
    Wait {
        /// Where to go on.
        cursor: Cursor,
        /// How long to wait before the next step; zero means at once.
        after: Duration,
        /// What the engine is doing, for people; stable, without clocks.
        note: Option<String>,
    },
    /// Final.
    Ended(End),
}

/// How an order ended and what is there now.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// Whether it worked.
    pub outcome: Outcome,
    /// The outputs by name, as JSON values; empty unless the outcome is a success.
    pub outputs: Map<String, Value>,
    /// What exists because of this resource; empty after a successful `Destroy`.
    pub resources: Vec<ProvisionedResource>,
    /// The id of the thing, to be saved with the resource also after a failure; `None` when there is
    /// no such thing (any more).
    pub physical_id: Option<String>,
    /// Files that the engine left behind.
    pub artifacts: Vec<Artifact>,
}

/// Whether an order worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is done.
    Succeeded,
    /// It did not work, for the reason given in the engine's own words.
    Failed(String),
    /// It was undone before it had ended.
    Cancelled,
}

/// A thing that an engine made, as lists of provisioned resources show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionedResource {
    /// Its name (a stack name).
    pub name: String,
    /// Its id (a stack ARN).
    pub identifier: String,
    /// Who made it.
    pub engine: ProvisioningEngine,
}

/// The engines that the API can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProvisioningEngine {
    /// AWS CloudFormation; also whatever the API has no name for.
    #[default]
    Cloudformation,
    /// Terraform.
    Terraform,
}

impl ProvisioningEngine {
    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cloudformation => "CLOUDFORMATION",
            Self::Terraform => "TERRAFORM",
        }
    }
}

/// Something to read that an engine left behind: a log, a plan, a pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// What it is.
    pub name: String,
    /// Where it is.
    pub location: String,
}

/// Nothing was decided; the same step may be asked again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Transient {
    /// What went wrong, in the words of whoever said so.
    pub message: String,
    /// The least time to wait, where the other side asks for one.
    pub retry_after: Option<Duration>,
}
