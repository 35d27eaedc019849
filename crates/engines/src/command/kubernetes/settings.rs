//! What an operator sets about runs on Kubernetes, and whether it is right.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::{Deserialize, Deserializer};

use super::api::Api;

/// How long what has ended may stay when nobody comes to remove it.
const KEEP: Duration = Duration::from_secs(7 * 86_400);
/// Whose rights runs have where nothing is said: nobody's in particular, and not root's.
const USER: i64 = 1000;
/// How long a connection to the cluster may take.
const CONNECT: Duration = Duration::from_secs(5);

/// What an operator sets about runs on Kubernetes, as a file says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct KubernetesSettings {
    /// Where runs are made; without one, the namespace of the kubeconfig's context or of the server's own pod.
    pub namespace: Option<String>,
    /// In whose name the commands may talk to the cluster; without one they get no token.
    pub service_account: Option<String>,
    /// The container image of runs whose manifest names none.
    pub image: Option<String>,
    /// The file that says which cluster. Without one: the cluster that the server's own pod is in, else `KUBECONFIG`,
    /// else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Which context of that file; without one, its current one.
    pub context: Option<String>,
    /// The number of the user that commands run as; 0 is root. `None`, in a file -1, leaves it to the image and to the
    /// cluster.
    #[serde(deserialize_with = "user")]
    pub user: Option<i64>,
    /// What is asked of a node for each run, as `cpu: 500m`, `memory: 1Gi`.
    pub requests: BTreeMap<String, String>,
    /// What a run may take at most.
    pub limits: BTreeMap<String, String>,
    /// How long a Job that has ended stays when no server comes to remove it. No file says it.
    #[serde(skip)]
    pub keep: Duration,
}

impl Default for KubernetesSettings {
    fn default() -> Self {
        Self {
            namespace: None,
            service_account: None,
            image: None,
            kubeconfig: None,
            context: None,
            user: Some(USER),
            requests: BTreeMap::new(),
            limits: BTreeMap::new(),
            keep: KEEP,
        }
    }
}

fn user<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    i64::deserialize(from).map(|user| (user >= 0).then_some(user))
}

impl KubernetesSettings {
    /// Whether they can be meant, but for what only the cluster knows.
    pub(super) fn check(&self) -> Result<(), String> {
        for (what, name) in [("namespace", &self.namespace), ("service account", &self.service_account)] {
            if let Some(name) = name.as_deref().filter(|name| !is_name(name)) {
                return Err(format!(
                    "{name:?} is no name of a {what}: those are 1 to 63 of a-z, 0-9 and -, and begin and end with a \
                     letter or a digit"
                ));
            }
        }
        if let Some(user) = self.user.filter(|user| !(0..=i64::from(i32::MAX)).contains(user)) {
            return Err(format!("{user} is no number of a user: give one from 0 to {}", i32::MAX));
        }
        for (what, amount) in self.requests.iter().chain(&self.limits) {
            if what.is_empty() || !is_amount(amount) {
                return Err(format!("{what}={amount:?} is no amount of a resource: give it as cpu=500m or memory=1Gi"));
            }
        }
        Ok(())
    }

    /// The namespace that they name, of the cluster that they name. Makes no call to it.
    pub(super) async fn api(&self) -> Result<Api, String> {
        let mut config = self.config().await?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        // Whoever asks a runner waits as long as it is told, and asks again.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT);
        let client = Client::try_from(config).map_err(|error| format!("the cluster can't be used: {error}"))?;
        Ok(Api::new(client, namespace))
    }

    async fn config(&self) -> Result<Config, String> {
        let context = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        if let Some(path) = &self.kubeconfig {
            let read = Kubeconfig::read_from(path).map_err(|error| told(&path.display().to_string(), &error))?;
            return Config::from_custom_kubeconfig(read, &context)
                .await
                .map_err(|error| told(&path.display().to_string(), &error));
        }
        if self.context.is_none()
            && let Ok(config) = Config::incluster()
        {
            return Ok(config);
        }
        Config::from_kubeconfig(&context).await.map_err(|error| told("KUBECONFIG or ~/.kube/config", &error))
    }
}

fn told(place: &str, error: &kube::config::KubeconfigError) -> String {
    format!(
        "which cluster runs are made in is not known: {place}: {error}. Give the path of a kubeconfig, or let the \
         server run in the cluster with a service account"
    )
}

fn is_name(name: &str) -> bool {
    let taken = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|&byte| taken(byte) || byte == b'-')
        && bytes.first().copied().is_some_and(taken)
        && bytes.last().copied().is_some_and(taken)
}

/// As Kubernetes writes them: `1`, `0.5`, `500m`, `1Gi`.
fn is_amount(amount: &str) -> bool {
    let digits = amount.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &amount[digits.len()..];
    let known = ["", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].contains(&unit);
    known && digits.parse::<f64>().is_ok_and(|number| number >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_meant_is_told() {
        let amounts = |text: &str| BTreeMap::from([("cpu".to_owned(), text.to_owned())]);
        let with = KubernetesSettings::default;
        assert_eq!(with().check(), Ok(()));
        assert_eq!(KubernetesSettings { limits: amounts("0.5"), requests: amounts("500m"), ..with() }.check(), Ok(()));
        for (settings, told) in [
            (KubernetesSettings { namespace: Some("Runs".into()), ..with() }, "\"Runs\" is no name of a namespace"),
            (KubernetesSettings { service_account: Some("-a".into()), ..with() }, "no name of a service account"),
            (KubernetesSettings { user: Some(-1), ..with() }, "-1 is no number of a user"),
            (KubernetesSettings { limits: amounts("much"), ..with() }, "cpu=\"much\" is no amount"),
            (KubernetesSettings { requests: amounts("1 Gi"), ..with() }, "cpu=\"1 Gi\" is no amount"),
        ] {
            let message = settings.check().unwrap_err();
            assert!(message.contains(told), "{message}");
        }
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_told_with_what_to_do() {
        let settings = KubernetesSettings { kubeconfig: Some("/nowhere/kubeconfig".into()), ..Default::default() };
        let message = settings.api().await.unwrap_err();
        assert!(message.contains("/nowhere/kubeconfig") && message.contains("Give the path"), "{message}");
    }
}
