//! Settings of an account in a region: what pipelines are provisioned with.

use crate::repository::RepositoryBranch;
use serde::{Deserialize, Serialize};

/// There is always exactly one per account and region; a fresh one has nothing set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSettings {
    #[serde(skip)]
    pub revision: i64,
    /// The role that CloudFormation pipelines are provisioned with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_service_role: Option<String>,
    /// The role that the commands of pipelines run with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_codebuild_role: Option<String>,
    /// Where pull requests of Terraform pipelines go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline_repository: Option<RepositoryBranch>,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl AccountSettings {
    /// Whether a pipeline of that engine (`cloudformation`, `terraform`, `codebuild`) can be provisioned.
    pub fn provision_pipelines_of(&self, engine: &str) -> bool {
        match engine {
            "cloudformation" => self.pipeline_service_role.is_some(),
            "codebuild" => self.pipeline_codebuild_role.is_some(),
            "terraform" => self.pipeline_repository.is_some(),
            _ => false,
        }
    }
}
