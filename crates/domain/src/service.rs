//! Services, their instances and their pipeline.
//!
//! What a service does as a whole while its parts are deployed is in [`change`]; what lists of instances can be
//! filtered and sorted by in [`listing`].

pub mod change;
pub mod listing;

use crate::arn::Scope;
use crate::deployment::{State, Target, TargetKind};
use crate::id::Id;
use crate::status::ServiceStatus;
use crate::template::Origin;
use crate::track::{ContentHash, Track};
use change::Change;
use serde::{Deserialize, Serialize};

/// Where the code of a service is, for its pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRepository {
    pub connection_arn: String,
    /// `owner/name`.
    pub id: String,
    pub branch: String,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub name: String,
    pub template: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub status: ServiceStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<CodeRepository>,
    pub spec: ContentHash,
    pub created_at: i64,
    pub modified_at: i64,
    pub origin: Origin,
    /// What is under way for the service as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl Service {
    /// Says why it stands as it does, after what it says already.
    pub fn explain(&mut self, why: &str) {
        self.status_message = Some(change::joined(self.status_message.take(), why));
    }
}

/// A service instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceInstance {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub name: String,
    pub service: String,
    pub service_id: Id,
    pub environment: String,
    pub environment_id: Id,
    pub template: String,
    pub created_at: i64,
    pub track: Track,
    /// The token of the last create or update that carried one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_token: Option<String>,
    /// Its component changed while a deployment was under way: when that ends, another one may be due.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outdated: bool,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// The pipeline of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServicePipeline {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub service: String,
    pub service_id: Id,
    pub template: String,
    pub created_at: i64,
    pub track: Track,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl ServiceInstance {
    pub fn target(&self, scope: &Scope) -> Target {
        Target {
            kind: TargetKind::ServiceInstance,
            id: self.id.clone(),
            arn: scope.service_instance(&self.service, &self.name),
            created_at: self.created_at,
            environment: Some(self.environment.clone()),
            service: Some(self.service.clone()),
            instance: Some(self.name.clone()),
            component: None,
        }
    }

    /// What is deployed, as a deployment record shows it; `None` before the first success.
    pub fn state(&self) -> Option<State> {
        State::deployed(&self.template, &self.track)
    }
}

impl ServicePipeline {
    pub fn target(&self, scope: &Scope) -> Target {
        Target {
            kind: TargetKind::ServicePipeline,
            id: self.id.clone(),
            arn: scope.service_pipeline(&self.service),
            created_at: self.created_at,
            environment: None,
            service: Some(self.service.clone()),
            instance: None,
            component: None,
        }
    }

    /// What is deployed, as a deployment record shows it; `None` before the first success.
    pub fn state(&self) -> Option<State> {
        State::deployed(&self.template, &self.track)
    }
}
