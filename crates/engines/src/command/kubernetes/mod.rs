//! The runner on Kubernetes: each run is a Job of its own in one namespace, and outlives the server.
//!
//! Owns what is made in the cluster for a run and how it is found again: by names that are made of its deployment. Does
//! not own what a run means for a deployment.
//!
//! A Job is made held back, then its Secrets, which go with it; then it is let go. That alone begins commands, and it
//! is asked for only after it was saved that it will be: from then on no Job is ever made again for this deployment,
//! so that a run whose Job is gone is lost, and not begun a second time.
//!
//! How a run goes is asked for by whoever drives it, from any process, at times of its own; a watch tells when to ask
//! sooner, and nothing else depends on it.

mod api;
mod files;
mod hidden;
mod job;
mod log;
mod pod;
mod settings;
#[cfg(test)]
mod tests;
mod watch;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod, Secret};
use kube::core::params::{DeleteParams, ListParams};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use super::remote::{Begin, Others, Printed, Remote, RemoteLook, RemoteRun, Watched};
use super::{secrets, variables};
use crate::aws::Aws;
use crate::{Intent, Order, Transient};
use api::{Api, Fault, transient};
use files::Parcels;
use hidden::Hidden;
pub use settings::KubernetesSettings;

/// How long what has ended stays when all of it was read, in seconds: whoever reads it may be killed before that is
/// saved, and comes again.
const READ: u32 = 3_600;
/// How long to wait for a Job of that name to go that is being deleted.
const GOING: Duration = Duration::from_secs(2);

/// Runs commands as Jobs of a Kubernetes cluster. Cheap to clone.
#[derive(Clone)]
pub(super) struct Kubernetes {
    inner: Arc<Inner>,
}

struct Inner {
    aws: Aws,
    settings: KubernetesSettings,
    api: Api,
    id: String,
    hidden: Hidden,
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubernetes").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stage")]
enum Stage {
    /// Its Job may be there, held back.
    Named,
    /// Its Job has all that it needs. It may have been let go.
    Ready { uid: String },
}

impl Stage {
    /// `None` if nothing was begun.
    fn read(state: &Value) -> Result<Option<Self>, Transient> {
        if state.is_null() {
            return Ok(None);
        }
        serde_json::from_value(state.clone())
            .map(Some)
            .map_err(|_| transient("The state of the run is not known to this version of the server.".to_owned()))
    }

    fn state(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl Kubernetes {
    /// Reads which cluster it is. Makes no call to it. `aws` assumes the roles that runs work in.
    ///
    /// # Errors
    ///
    /// When a setting can't be meant, or it is not known which cluster it is; the message says what to do.
    pub(super) async fn new(aws: Aws, settings: KubernetesSettings) -> Result<Self, String> {
        settings.check()?;
        let api = settings.api().await?;
        let id = format!("kubernetes/{}", api.namespace);
        Ok(Self { inner: Arc::new(Inner { aws, settings, api, id, hidden: Hidden::default() }) })
    }

    /// The namespace that runs are made in.
    fn namespace(&self) -> &str {
        &self.inner.api.namespace
    }

    /// Makes what the run needs, held back. All of it may be there already.
    async fn make(&self, run: &RemoteRun<'_>) -> Result<Begin, Fault> {
        let Inner { api, settings, .. } = &*self.inner;
        let order = run.order;
        let parcels = self.parcels(run).await?;
        let image = job::image(run.commands.image.as_deref(), settings).map_err(Fault::Refused)?;
        let wanted = job::job(order, settings, image, &parcels, run.time_limit);
        let name = job::name(order);
        let made = match api.create(&wanted).await {
            Err(Fault::Conflict(_)) => api.get::<Job>(&name).await,
            Err(Fault::Missing(_)) => Err(Fault::Refused(format!(
                "There is no namespace {} in the cluster. Make it, or give the server another one.",
                api.namespace
            ))),
            other => other,
        };
        let made = match made {
            Err(Fault::Missing(_)) => return Err(going(&name)),
            made => made?,
        };
        if !job::is_of(&made, order) {
            return Err(Fault::Refused(format!(
                "There is a Job {name} in the namespace {} that is not of this deployment. Delete it, and deploy again.",
                api.namespace
            )));
        }
        if made.metadata.deletion_timestamp.is_some() {
            return Err(going(&name));
        }
        let uid = made.metadata.uid.unwrap_or_default();
        for secret in parcels.secrets(&job::owner(&name, &uid), &job::labels(order)) {
            match api.create::<Secret>(&secret).await {
                Ok(_) => {}
                // From before: of this Job, or of one that somebody has deleted, with which it will go.
                Err(Fault::Conflict(_)) => {
                    self.own_secret(secret.metadata.name.as_deref().unwrap_or_default(), &uid).await?;
                }
                Err(fault) => return Err(fault),
            }
        }
        // Now, since nobody would know what to mask if that were not allowed.
        let telling = self.own_secret(&files::telling(&name), &uid).await?;
        self.inner.hidden.keep(&uid, files::hidden(&telling));
        Ok(Begin::Not { state: Stage::Ready { uid }.state(), after: Duration::ZERO, note: None })
    }

    /// A Secret of the Job of that id. That of another Job has to be gone first.
    async fn own_secret(&self, name: &str, uid: &str) -> Result<Secret, Fault> {
        let api = &self.inner.api;
        let gone_first = || {
            Fault::Transient(transient(format!(
                "The Secret {name} in the namespace {} is not of this run's Job, and has to be gone first: delete it, if \
                 the cluster does not.",
                api.namespace
            )))
        };
        let secret = match api.get::<Secret>(name).await {
            // It went meanwhile: the next step makes it.
            Err(Fault::Missing(_)) => return Err(gone_first()),
            secret => secret?,
        };
        if job::owns(uid, &secret.metadata) { Ok(secret) } else { Err(gone_first()) }
    }

    /// What the run is given.
    async fn parcels(&self, run: &RemoteRun<'_>) -> Result<Parcels, Fault> {
        let order = run.order;
        let aws = &self.inner.aws;
        // Below all others.
        let mut all = secrets::resolve(aws, &order.region, order.role.as_ref(), &run.commands.secrets).await?;
        let mut hidden = run.secrets.to_vec();
        hidden.extend(all.iter().flat_map(|(_, value)| variables::lines(value)));
        all.extend_from_slice(run.variables);
        if let Some(role) = &order.role {
            let (session, secrets) = variables::of_session(&aws.session(&order.region, role).await?);
            all.extend(session);
            hidden.extend(secrets);
        }
        Parcels::pack(run.files, run.script, &all, &hidden).map_err(Fault::Refused)
    }

    /// Lets the Job go. If it is gone, or another one, it is not known whether this one ran: looks say so.
    async fn let_go(&self, order: &Order, uid: &str) -> Result<(), Fault> {
        let change = json!({"metadata": {"uid": uid}, "spec": {"suspend": false}});
        match self.inner.api.merge::<Job>(&job::name(order), &change).await {
            Ok(_) | Err(Fault::Missing(_) | Fault::Conflict(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// The Job of the run, if it is there.
    async fn job(&self, order: &Order, stage: Option<&Stage>) -> Result<Option<Job>, Fault> {
        let Some(stage) = stage else { return Ok(None) };
        let job = match self.inner.api.get::<Job>(&job::name(order)).await {
            Err(Fault::Missing(_)) => return Ok(None),
            job => job?,
        };
        let is_meant = match stage {
            Stage::Named => job::is_of(&job, order),
            Stage::Ready { uid } => job.metadata.uid.as_ref() == Some(uid),
        };
        Ok(is_meant.then_some(job))
    }

    /// The pod of the run, if there is one: there is never a second.
    async fn pod(&self, order: &Order) -> Result<Option<Pod>, Fault> {
        let pods = self.inner.api.list::<Pod>(ListParams::default().labels(&job::selector(order))).await?;
        Ok(pods.into_iter().min_by(|a, b| a.metadata.creation_timestamp.cmp(&b.metadata.creation_timestamp)))
    }

    /// That pod if it has a log.
    async fn begun_pod(&self, order: &Order, state: &Value) -> Result<Option<Pod>, Transient> {
        match Stage::read(state)? {
            Some(Stage::Ready { .. }) => Ok(self.pod(order).await?.filter(pod::has_begun)),
            Some(Stage::Named) | None => Ok(None),
        }
    }

    /// Why the cluster makes no pod of the Job, if it says so: a quota, or a rule of the namespace.
    async fn obstacle(&self, order: &Order) -> Option<String> {
        let fields = format!("involvedObject.name={},reason=FailedCreate", job::name(order));
        // Without the right to see events there is only less to tell.
        let events = self.inner.api.list::<Event>(ListParams::default().fields(&fields)).await.ok()?;
        events.into_iter().max_by(|a, b| a.last_timestamp.cmp(&b.last_timestamp))?.message
    }

    /// Deletes what was made for the run, if anything is there. What is somebody else's is left alone.
    async fn delete(&self, order: &Order, stage: Option<&Stage>, how: DeleteParams) -> Result<(), Fault> {
        let uid = match stage {
            Some(Stage::Ready { uid }) => uid.clone(),
            stage => match self.job(order, stage).await? {
                Some(job) => job.metadata.uid.unwrap_or_default(),
                None => return Ok(()),
            },
        };
        match self.inner.api.delete::<Job>(&job::name(order), &uid, how).await {
            // It is gone, or there is another one of that name.
            Ok(()) | Err(Fault::Missing(_) | Fault::Conflict(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Deletes the Jobs of other deployments of the resource that have not ended. Answers whether anything of them goes
    /// on.
    async fn end_others(&self, order: &Order) -> Result<bool, Fault> {
        let api = &self.inner.api;
        let others = ListParams::default().labels(&job::others(order));
        let mut goes_on = false;
        for other in api.list::<Job>(others.clone()).await?.into_iter().filter(|job| !pod::is_finished(job)) {
            goes_on = true;
            let meta = other.metadata;
            if meta.deletion_timestamp.is_some() {
                continue;
            }
            let (name, uid) = (meta.name.unwrap_or_default(), meta.uid.unwrap_or_default());
            // The Job stays until its pod has ended, so that it is seen here.
            match api.delete::<Job>(&name, &uid, DeleteParams::foreground()).await {
                Ok(()) | Err(Fault::Missing(_) | Fault::Conflict(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        // Whoever deletes a Job in another way has its pod end when the Job is gone.
        Ok(goes_on || api.list::<Pod>(others).await?.iter().any(|pod| !pod::is_over(pod)))
    }

    /// Takes away what the run was given, at once, and leaves its Job and its log for a while.
    async fn leave(&self, order: &Order, uid: &str) -> Result<(), Fault> {
        self.inner.api.delete_all::<Secret>(&job::selector(order)).await?;
        let change = json!({"metadata": {"uid": uid}, "spec": {"ttlSecondsAfterFinished": READ}});
        match self.inner.api.merge::<Job>(&job::name(order), &change).await {
            Ok(_) | Err(Fault::Missing(_) | Fault::Conflict(_)) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// The end of a run that can't be begun: nothing of it stays. One that an earlier call has let go, whose answer was
    /// lost, is not touched.
    async fn refused(&self, order: &Order, stage: &Stage, message: String) -> Result<Begin, Transient> {
        if matches!(stage, Stage::Ready { .. })
            && let Some(job) = self.job(order, Some(stage)).await?
            && job.spec.is_none_or(|spec| spec.suspend != Some(true))
        {
            return Ok(Begin::Runs { state: stage.state() });
        }
        match self.delete(order, Some(&Stage::Named), DeleteParams::background()).await {
            Ok(()) => Ok(Begin::Refused(message)),
            Err(Fault::Transient(transient)) => Err(transient),
            Err(_) => Ok(Begin::Refused(format!(
                "{message} If there is a Job {} in the namespace {}, delete it: it is held back, and begins nothing.",
                job::name(order),
                self.namespace()
            ))),
        }
    }
}

fn going(job: &str) -> Fault {
    let message = format!("The Job {job} is being deleted, and has to be gone first.");
    Fault::Transient(Transient { message, retry_after: Some(GOING) })
}

#[async_trait]
impl Remote for Kubernetes {
    fn id(&self) -> &str {
        &self.inner.id
    }

    async fn stop_others(&self, order: &Order) -> Result<Others, Transient> {
        match self.end_others(order).await {
            Ok(true) => Ok(Others::Ending),
            Ok(false) => Ok(Others::None),
            Err(Fault::Refused(message)) => Ok(Others::Refused(message)),
            Err(fault) => Err(fault.into()),
        }
    }

    async fn begin(&self, run: &RemoteRun<'_>, state: Option<&Value>) -> Result<Begin, Transient> {
        let Some(stage) = state.map(Stage::read).transpose()?.flatten() else {
            // The name of what will be made is saved before anything is.
            return Ok(Begin::Not { state: Stage::Named.state(), after: Duration::ZERO, note: None });
        };
        let begun = match &stage {
            Stage::Named => self.make(run).await,
            Stage::Ready { uid } => self.let_go(run.order, uid).await.map(|()| Begin::Runs { state: stage.state() }),
        };
        match begun {
            Ok(begin) => Ok(begin),
            Err(Fault::Refused(message)) => self.refused(run.order, &stage, message).await,
            Err(fault) => Err(fault.into()),
        }
    }

    async fn look(&self, order: &Order, state: &Value) -> Result<RemoteLook, Transient> {
        let stage = Stage::read(state)?;
        let Some(job) = self.job(order, stage.as_ref()).await? else {
            return Ok(match order.intent {
                Intent::Cancel => RemoteLook::Stopped,
                _ => RemoteLook::Lost(format!(
                    "its Job {} is no longer in the namespace {}: somebody has deleted it, or it went a week after its end, \
                     and no server has read that before.",
                    job::name(order),
                    self.namespace()
                )),
            });
        };
        let pod = self.pod(order).await?;
        let look = pod::look(&job, pod.as_ref());
        if pod.is_none() && look == (RemoteLook::Runs { note: None }) {
            return Ok(RemoteLook::Runs { note: self.obstacle(order).await });
        }
        Ok(look)
    }

    async fn stop(&self, order: &Order, state: &Value) -> Result<(), Transient> {
        let stage = Stage::read(state)?;
        let Some(job) = self.job(order, stage.as_ref()).await? else { return Ok(()) };
        let pod = self.pod(order).await?;
        if !matches!(pod::look(&job, pod.as_ref()), RemoteLook::Runs { .. }) {
            // It has ended by itself: what it says of that is not taken away.
            return Ok(());
        }
        // The Job stays until its pod has ended, so that looks see it.
        Ok(self.delete(order, stage.as_ref(), DeleteParams::foreground()).await?)
    }

    async fn read(&self, order: &Order, state: &Value, after: Option<&str>) -> Result<Printed, Transient> {
        let nothing = Printed { lines: Vec::new(), next: after.map(str::to_owned) };
        let Some(pod) = self.begun_pod(order, state).await? else { return Ok(nothing) };
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let printed = log::read(&self.inner.api, name, pod::is_over(&pod), after).await;
        Ok(unless_gone(&pod, printed)?.unwrap_or(nothing))
    }

    async fn tail(&self, order: &Order, state: &Value) -> Result<Vec<String>, Transient> {
        let Some(pod) = self.begun_pod(order, state).await? else { return Ok(Vec::new()) };
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let lines = log::tail(&self.inner.api, name).await;
        Ok(unless_gone(&pod, lines)?.unwrap_or_default())
    }

    async fn hidden(&self, order: &Order, state: &Value) -> Result<Option<Vec<String>>, Transient> {
        let Some(Stage::Ready { uid }) = Stage::read(state)? else { return Ok(Some(Vec::new())) };
        if let Some(hidden) = self.inner.hidden.known(&uid) {
            return Ok(Some(hidden));
        }
        let telling = match self.inner.api.get::<Secret>(&files::telling(&job::name(order))).await {
            // It went when all was read, or with its Job.
            Err(Fault::Missing(_)) => return Ok(None),
            telling => telling?,
        };
        if job::owns(&uid, &telling.metadata) {
            self.inner.hidden.keep(&uid, files::hidden(&telling));
        }
        Ok(self.inner.hidden.known(&uid))
    }

    async fn watch(&self, told: &Sender<Watched>) {
        watch::watch(&self.inner.api, told, watch::REFUSED).await;
    }

    fn has_credentials(&self, order: &Order) -> bool {
        order.role.is_some() || self.inner.settings.service_account.is_some()
    }

    async fn remove(&self, order: &Order, state: &Value) -> Result<Option<String>, Transient> {
        match Stage::read(state)? {
            Some(Stage::Ready { uid }) => self.leave(order, &uid).await?,
            stage => self.delete(order, stage.as_ref(), DeleteParams::background()).await?,
        }
        Ok(None)
    }
}

/// What is read of a log; `None` if the log is gone: with the pod, or with the node that it was taken from.
fn unless_gone<T>(pod: &Pod, read: Result<T, Fault>) -> Result<Option<T>, Transient> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Fault::Missing(_)) => Ok(None),
        Err(Fault::Transient(transient)) if transient.retry_after.is_some() => Err(transient),
        Err(_) if pod::is_disrupted(pod) => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}
