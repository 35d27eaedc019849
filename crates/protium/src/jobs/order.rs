//! What a deployment was at its start: rendered once, kept with it, used by every step and retry.

use crate::app::App;
use crate::error::{Result, internal};
use crate::store::content_get;
use protium_domain::deployment::{Deployment, Purpose};
use protium_domain::status::DeploymentStatus;
use protium_domain::track::{ContentHash, Physical, Seen};
use protium_engines as engines;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that the steps of one deployment work with, as a document in the content table.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Prepared {
    /// The name of a [`Method`](protium_domain::provisioning::Method); `None` where nothing is provisioned.
    pub engine: Option<String>,
    /// The role to work in.
    pub role: Option<String>,
    pub tags: Vec<(String, String)>,
    /// The rendered files by path.
    pub files: BTreeMap<String, String>,
    pub main_file: Option<String>,
    /// The files of the bundle that go as they are, by path, in the content table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, ContentHash>,
    /// What is run, of a template of commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<engines::Commands>,
    /// What the templates were rendered with: inputs, and the outputs of others.
    pub namespace: Value,
    /// The outputs, where they are known without an engine.
    pub outputs: Map<String, Value>,
    /// What was read of others.
    #[serde(default)]
    pub seen: Seen,
}

impl Prepared {
    /// What was saved at the start of a deployment.
    pub(super) async fn load(app: &App, hash: &ContentHash) -> Result<Self> {
        let body = content_get(&mut app.store.reader().await?, hash).await?;
        serde_json::from_slice(&body).map_err(internal)
    }

    /// The order for the next step of `record`, without what only some steps need.
    pub(super) fn order(&self, record: &Deployment, physical: &Physical, time_limit: Duration) -> engines::Order {
        engines::Order {
            deployment_id: record.id.to_string(),
            resource_id: record.target.id.to_string(),
            resource_arn: record.target.arn.clone(),
            intent: intent(record),
            environment_id: None,
            physical_name: physical.name.clone(),
            physical_id: physical.id.clone(),
            region: record.scope.region.clone(),
            role: self.role.as_ref().map(|arn| engines::Role {
                arn: arn.clone(),
                session_name: session_name(record),
                external_id: None,
            }),
            tags: self.tags.clone(),
            files: self.files.clone(),
            main_file: self.main_file.clone(),
            bundle: BTreeMap::new(),
            commands: self.commands.clone(),
            notify_url: None,
            time_limit,
        }
    }
}

fn intent(record: &Deployment) -> engines::Intent {
    match (record.status, record.purpose) {
        (DeploymentStatus::Cancelling, _) => engines::Intent::Cancel,
        (_, Purpose::Apply) => engines::Intent::Apply,
        (_, Purpose::Destroy) => engines::Intent::Destroy,
    }
}

/// Names the resource in the audit log of the account.
fn session_name(record: &Deployment) -> String {
    let target = &record.target;
    let names = [&target.environment, &target.service, &target.instance, &target.component];
    let mut name = format!("protium-{}", target.kind.as_str().to_ascii_lowercase().replace('_', "-"));
    let own = match target.kind {
        protium_domain::deployment::TargetKind::ServiceInstance => &names[1..],
        _ => &names[..],
    };
    for part in own.iter().copied().flatten() {
        name.push('-');
        name.push_str(part);
    }
    name
}
