//! What an engine is asked to do. Data only; who asks and until when is the caller's.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ProvisioningEngine;

/// What a deployment wants of its engine. Cancelling changes the intent of a running order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Intent {
    /// Says what `Apply` would do, without doing it. An engine may have no such thing.
    Plan,
    /// Makes what the files describe: creates it, or brings what exists to it.
    Apply,
    /// Deletes what earlier orders made. Needs no files.
    Destroy,
    /// Undoes what the running order has begun; what has ended already stays.
    Cancel,
}

/// The role in whose name an order is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Role {
    /// The ARN of an IAM role; its account is where things are made.
    pub arn: String,
    /// Names the resource in the audit log of that account; brought to the form STS asks for.
    pub session_name: String,
    /// Given to STS when the trust policy asks for one.
    pub external_id: Option<String>,
}

/// A process that commands leave running, rendered and checked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// What a shell runs. It may hold secrets.
    pub command: String,
    /// Where it listens, on the machine that it runs on; not 0.
    pub port: u16,
    /// What is asked to see whether it answers; begins with `/`.
    pub ready_path: String,
}

/// What a template of commands says, rendered. Of other templates there is none.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Commands {
    /// The container image that they are made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Language runtimes that they need, and their versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runtimes: Vec<(String, String)>,
    /// Their environment variables, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<(String, String)>,
    /// Environment variables by name, and where in AWS Secrets Manager their values are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<(String, String)>,
    /// One after the other, in one shell, until one fails.
    pub provision: Vec<String>,
    /// Likewise, to delete what they made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deprovision: Vec<String>,
    /// Started when they have provisioned; it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Laid over the build project of a runner that has one; an object.
    #[serde(default)]
    pub project_properties: Value,
    /// What lists of provisioned resources call what they make.
    #[serde(default)]
    pub listed_as: ProvisioningEngine,
    /// The name of the one [`Connection`](crate::command::Connection) that they need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connects_to: Option<String>,
    /// Where they keep the state of what they make, if they are Terraform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<KeptState>,
}

/// Where Terraform that is run as commands keeps its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptState {
    /// What the place is called: the same as long as it is the same.
    pub place: String,
    /// Whether it is the folder that stays from run to run, on the machine that runs them.
    pub in_folder: bool,
    /// Where the attempts before kept it, if that was elsewhere and none of them has succeeded: what they made may be
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// Shows the names of what may be secret, and no command: they may hold secrets too.
impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &[(String, String)]| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("Commands")
            .field("image", &self.image)
            .field("variables", &names(&self.variables))
            .field("secrets", &names(&self.secrets))
            .field("provision", &self.provision.len())
            .field("deprovision", &self.deprovision.len())
            .field("port", &self.process.as_ref().map(|process| process.port))
            .finish_non_exhaustive()
    }
}

/// One deployment, as an engine sees it. Everything but `intent` and the time that is left stays the same for all its
/// steps, and the bundle is given at the first.
#[derive(Clone)]
pub struct Order {
    /// The deployment's id; request tokens are derived from it.
    pub deployment_id: String,
    /// The id of this incarnation of the resource; what is made carries it as `protium:resource-id`.
    pub resource_id: String,
    /// The ARN of the resource; for messages.
    pub resource_arn: String,
    /// What to do.
    pub intent: Intent,
    /// The id of the incarnation of the environment that the resource is in, or is; pipelines are in none.
    pub environment_id: Option<String>,
    /// The name of the thing to make (a stack name), drawn once and saved before the first step.
    pub physical_name: String,
    /// The id under which the engine knows the thing (a stack ARN), once an order has ended with one.
    pub physical_id: Option<String>,
    /// The AWS region to work in.
    pub region: String,
    /// The role to work in; without one, the server's own identity.
    pub role: Option<Role>,
    /// Tags for all that is made, managed ones and the customer's, without `protium:resource-id`.
    pub tags: Vec<(String, String)>,
    /// The rendered files by path.
    pub files: BTreeMap<String, String>,
    /// The path in `files` to start from; without one, the only file.
    pub main_file: Option<String>,
    /// The files of the bundle as they are, by path. They may be large: only steps are given them whose engine
    /// [wants](crate::Engine::wants_bundle) them.
    pub bundle: BTreeMap<String, Vec<u8>>,
    /// What to run, if the template is made of commands.
    pub commands: Option<Commands>,
    /// Where the commands can notify this deployment, and nothing else, without being known: the endpoint of an API
    /// with one operation. It holds a secret.
    pub notify_url: Option<String>,
    /// How long the work may take from now on.
    pub time_limit: Duration,
}

#[cfg(test)]
impl Order {
    /// One for tests: about nothing, in no role.
    pub(crate) fn of_test(intent: Intent) -> Self {
        Self {
            deployment_id: "d".into(),
            resource_id: "r".into(),
            resource_arn: "arn".into(),
            intent,
            environment_id: None,
            physical_name: "name".into(),
            physical_id: None,
            region: "us-east-1".into(),
            role: None,
            tags: Vec::new(),
            files: BTreeMap::new(),
            main_file: None,
            bundle: BTreeMap::new(),
            commands: None,
            notify_url: None,
            time_limit: Duration::from_secs(60),
        }
    }
}

/// Shows what an order is about and not what its files say: they may hold secrets.
impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("deployment_id", &self.deployment_id)
            .field("resource_arn", &self.resource_arn)
            .field("intent", &self.intent)
            .field("physical_name", &self.physical_name)
            .field("region", &self.region)
            .field("files", &self.files.keys().collect::<Vec<_>>())
            .field("commands", &self.commands)
            .finish_non_exhaustive()
    }
}
