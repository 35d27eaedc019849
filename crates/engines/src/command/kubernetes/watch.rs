//! What the cluster tells of the runs in the namespace without being asked: something has happened to a pod.
//!
//! Owns which deployments are told, and why none is. Does not own what a change means: looks do, which are made in their
//! turn all the same. So nothing but the time of a look depends on what is told twice, late, or not at all.

use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::core::{PartialObjectMeta, Status};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Error, Event, watcher};
use tokio::sync::mpsc::Sender;

use super::api::{Api, REMEDY};
use super::job::DEPLOYMENT;
use crate::aws::causes;
use crate::command::remote::Watched;

/// What is asked for: pods of runs that have not ended. One that ends leaves them, which is told.
const FIELDS: &str = "status.phase!=Succeeded,status.phase!=Failed";
/// What a cluster answers that has forgotten what came after a version.
const GONE: u16 = 410;
/// After how long such a one is asked for all again.
const AGAIN: Duration = Duration::from_secs(1);
/// After how long a cluster that refuses to tell is asked again.
pub(super) const REFUSED: Duration = Duration::from_secs(300);

/// Tells what changes until nobody listens.
///
/// Of pods only the metadata come: what a look needs, it asks for.
pub(super) async fn watch(api: &Api, told: &Sender<Watched>, refused: Duration) {
    while !told.is_closed() {
        let pause = match watch_on(api, told).await {
            Some(error) if code(&error) == Some(GONE) => AGAIN,
            Some(error) => {
                let _ = told.send(Watched::Fails(format!("{}. {REMEDY}.", why(&error)))).await;
                refused
            }
            None => return,
        };
        tokio::time::sleep(pause).await;
    }
}

/// Tells what changes until nobody listens, or until there is no use in going on from where it is.
async fn watch_on(api: &Api, told: &Sender<Watched>) -> Option<Error> {
    let asked = Config::default().labels(DEPLOYMENT).fields(FIELDS);
    // After a cut it goes on where it was, and begins anew where the cluster says that it has forgotten what came since.
    let mut events = Box::pin(watcher(api.watched::<PartialObjectMeta<Pod>>(), asked).default_backoff());
    while let Some(event) = events.next().await {
        let news = match event {
            // What was there before may have changed while nobody watched.
            Ok(Event::InitApply(pod) | Event::Apply(pod) | Event::Delete(pod)) => {
                pod.metadata.labels.unwrap_or_default().remove(DEPLOYMENT).map(Watched::Changed)
            }
            Ok(Event::Init | Event::InitDone) => None,
            Err(Error::WatchError(status)) if status.code == GONE => None,
            // Said at once and not in the answer, it would be asked from the same place for ever.
            Err(error) if matches!(code(&error), Some(401 | 403 | GONE)) => return Some(error),
            Err(error) => Some(Watched::Fails(why(&error))),
        };
        if let Some(news) = news
            && told.send(news).await.is_err()
        {
            return None;
        }
    }
    None
}

/// What the cluster said to a call.
fn said(error: &Error) -> Option<&Status> {
    match error {
        Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status))
        | Error::WatchError(status) => Some(status),
        _ => None,
    }
}

fn code(error: &Error) -> Option<u16> {
    said(error).map(|status| status.code)
}

fn why(error: &Error) -> String {
    match said(error) {
        Some(status) => format!("Kubernetes answered {} to watch pods: {}", status.code, status.message),
        None => format!("Kubernetes can't be reached to watch pods: {}", causes(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::future::join_all;
    use serde_json::{Value, json};
    use tokio::sync::mpsc;

    use super::*;
    use crate::command::kubernetes::tests::Site;
    use crate::double::kubernetes::Trouble;

    /// So long is nothing told when nothing is to be told.
    const SOON: Duration = Duration::from_secs(60);

    fn pod(name: &str, phase: &str) -> Value {
        let labels = json!({ DEPLOYMENT: format!("of-{name}") });
        json!({"metadata": {"name": name, "labels": labels}, "status": {"phase": phase}})
    }

    /// Watches the cluster of a site while `meet` goes on.
    async fn watched(site: &Site, refused: Duration, meet: impl AsyncFnOnce(&mut Told)) {
        let api = site.settings.api().await.unwrap();
        let (sender, receiver) = mpsc::channel(16);
        let mut told = Told { receiver, fails: Vec::new() };
        let mut watching = pin!(watch(&api, &sender, refused));
        tokio::select! {
            () = &mut watching => panic!("it ends"),
            () = meet(&mut told) => {}
        }
    }

    struct Told {
        receiver: mpsc::Receiver<Watched>,
        fails: Vec<String>,
    }

    impl Told {
        async fn next(&mut self) -> Watched {
            tokio::time::timeout(SOON, self.receiver.recv()).await.expect("something is told").expect("it goes on")
        }

        /// Whose run changed next.
        async fn changed(&mut self) -> String {
            loop {
                match self.next().await {
                    Watched::Changed(deployment) => return deployment,
                    Watched::Fails(why) => self.fails.push(why),
                }
            }
        }
    }

    #[tokio::test]
    async fn what_happens_to_pods_that_have_not_ended_is_told_and_their_end() {
        let site = Site::new().await;
        let cluster = &site.cluster;
        cluster.place("pods", pod("a", "Pending"));
        cluster.place("pods", pod("b", "Succeeded"));
        cluster.place("pods", json!({"metadata": {"name": "c"}, "status": {"phase": "Pending"}}));
        watched(&site, REFUSED, async |told| {
            assert_eq!(told.changed().await, "of-a", "it was there before");
            cluster.place("pods", pod("d", "Pending"));
            assert_eq!(told.changed().await, "of-d");
            cluster.place("pods", pod("b", "Succeeded"));
            cluster.place("pods", pod("a", "Running"));
            assert_eq!(told.changed().await, "of-a", "what has ended is not told of");
            cluster.place("pods", pod("a", "Failed"));
            assert_eq!(told.changed().await, "of-a", "it has ended");
            cluster.remove_all("pods");
            assert_eq!(told.changed().await, "of-d", "it is gone");
            assert_eq!(told.fails, Vec::<String>::new());
        })
        .await;
        assert_eq!(cluster.calls().iter().filter(|call| call.what == "list pods").count(), 1);
    }

    /// That what changes while a watch that is cut meets that trouble is told, and what changes later.
    async fn nothing_is_missed(trouble: Trouble, forgets: bool) {
        let site = Site::new().await;
        let cluster = &site.cluster;
        cluster.place("pods", pod("a", "Pending"));
        watched(&site, REFUSED, async |told| {
            assert_eq!(told.changed().await, "of-a");
            cluster.place("pods", pod("a", "Running"));
            assert_eq!(told.changed().await, "of-a", "it is watched");
            cluster.trouble("watch pods", trouble.clone());
            cluster.cut_watches(forgets);
            for name in ["b", "c"] {
                cluster.place("pods", pod(name, "Pending"));
                let awaited = format!("of-{name}");
                while told.changed().await != awaited {}
            }
            let is_quiet = matches!(trouble, Trouble::None | Trouble::Gone);
            assert_ne!(told.fails.is_empty(), !is_quiet, "{trouble:?} {forgets}: {:?}", told.fails);
        })
        .await;
    }

    #[tokio::test]
    async fn nothing_is_missed_when_a_watch_is_cut_or_forgotten_or_goes_wrong() {
        let troubles =
            [Trouble::None, Trouble::Lost, Trouble::AnswerLost, Trouble::Busy(1), Trouble::Unavailable, Trouble::Gone];
        let cases = troubles.iter().flat_map(|trouble| [(trouble, false), (trouble, true)]);
        join_all(cases.map(|(trouble, forgets)| nothing_is_missed(trouble.clone(), forgets))).await;
    }

    #[tokio::test]
    async fn a_cluster_that_does_not_allow_it_is_asked_again_later_and_people_are_told_what_to_do() {
        let site = Site::new().await;
        let cluster = &site.cluster;
        cluster.deny("watch pods", true);
        cluster.place("pods", pod("a", "Pending"));
        watched(&site, Duration::ZERO, async |told| {
            assert_eq!(told.changed().await, "of-a", "what may be listed is told");
            let Watched::Fails(why) = told.next().await else { panic!() };
            assert!(why.contains("cannot watch resource \"pods\"") && why.contains("runs-kubernetes.md"), "{why}");
            cluster.deny("watch pods", false);
            cluster.place("pods", pod("b", "Pending"));
            while told.changed().await != "of-b" {}
        })
        .await;
    }
}
