//! What runs commands, and what an operator can say about it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What runs commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// Nothing: templates of commands can be registered only.
    #[default]
    None,
    /// The machine of the server, in a sandbox.
    Local,
    /// AWS CodeBuild, in the account of the role that the resource names.
    #[value(name = "codebuild")]
    CodeBuild,
    /// Jobs of a Kubernetes cluster.
    Kubernetes,
}

impl Runner {
    /// Whether runs are on other machines than the server's.
    pub fn is_remote(self) -> bool {
        matches!(self, Self::CodeBuild | Self::Kubernetes)
    }
}

/// `[codebuild]`: runs as builds of AWS CodeBuild.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct CodeBuildSection {
    /// The image of templates that name none.
    pub image: Option<String>,
    /// The size of the machine: one of CodeBuild's compute types.
    pub compute_type: Option<String>,
}

/// `[kubernetes]`: runs as Jobs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct KubernetesSection {
    /// Where Jobs are made; by default the namespace of the context, or of the server's own pod.
    pub namespace: Option<String>,
    /// In whose name commands may talk to the cluster; without one they get no token.
    pub service_account: Option<String>,
    /// The image of templates that name none.
    pub image: Option<String>,
    /// The file that says which cluster; by default the cluster that the server is in, else `KUBECONFIG` or
    /// `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Which context of that file; by default its current one.
    pub context: Option<String>,
    /// The number of the user that commands run as; -1 leaves it to the image and to the cluster.
    pub user: Option<i64>,
    /// What is asked of a node for each run, by resource: `cpu = "500m"`.
    pub requests: BTreeMap<String, String>,
    /// What a run may take at most, likewise.
    pub limits: BTreeMap<String, String>,
}
