//! Calls of the Kubernetes API: each once, in a time that is limited, and what an answer means that is no success.
//!
//! Requests are built and authenticated by `kube`; they are sent one by one instead of through its `Api`, which repeats
//! them by itself, drops `Retry-After`, and prints an answer that it can't read: that may be a Secret. Only watches, which
//! tell metadata alone, go through it.

use std::fmt::{self, Debug};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod, Secret};
use kube::client::Body;
use kube::core::NamespaceResourceScope;
use kube::core::params::{DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::request::Error as BuildError;
use kube::core::subresource::LogParams;
use kube::core::{ObjectList, Request as Path, Status};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Transient;
use crate::aws::{CredentialsFailure, causes};

/// A call that is not answered by then is made again.
const ANSWER: Duration = Duration::from_secs(30);
/// How many things a page of a list has.
const PAGE: u32 = 50;
/// What the docs say about permissions.
pub(super) const REMEDY: &str = "docs/runs-kubernetes.md lists the permissions that the server needs";

/// A call that did not work.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing is known to be wrong with the request.
    Transient(Transient),
    /// There is no such thing.
    Missing(String),
    /// There is something of that name, or it is another one than was meant.
    Conflict(String),
    /// It is not taken; the message says why, and what to do.
    Refused(String),
}

/// What looks can't decide anything of is asked again: somebody may grant what is missing.
impl From<Fault> for Transient {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Transient(transient) => transient,
            Fault::Missing(message) | Fault::Conflict(message) | Fault::Refused(message) => transient(message),
        }
    }
}

impl From<CredentialsFailure> for Fault {
    fn from(failure: CredentialsFailure) -> Self {
        match failure {
            CredentialsFailure::Transient(transient) => Self::Transient(transient),
            CredentialsFailure::Refused(message) => Self::Refused(message),
        }
    }
}

pub(super) fn transient(message: String) -> Transient {
    Transient { message, retry_after: None }
}

/// One namespace of a cluster.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    pub(super) namespace: String,
}

impl Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// A kind of thing that this runner has to do with.
pub(super) trait Kind: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Debug + Clone {}
impl Kind for Job {}
impl Kind for Secret {}
impl Kind for Pod {}
impl Kind for Event {}

impl Api {
    pub(super) fn new(client: Client, namespace: String) -> Self {
        Self { client, namespace }
    }

    pub(super) async fn get<K: Kind>(&self, name: &str) -> Result<K, Fault> {
        // Without a resource version the answer is the newest: an older one may not know yet what was just made.
        self.ask(&format!("get {}", K::plural(&())), self.path::<K>().get(name, &GetParams::default())).await
    }

    pub(super) async fn create<K: Kind>(&self, thing: &K) -> Result<K, Fault> {
        let body = serde_json::to_vec(thing).map_err(|error| Fault::Refused(error.to_string()))?;
        self.ask(&format!("create {}", K::plural(&())), self.path::<K>().create(&PostParams::default(), body)).await
    }

    pub(super) async fn merge<K: Kind>(&self, name: &str, change: &Value) -> Result<K, Fault> {
        let request = self.path::<K>().patch(name, &PatchParams::default(), &Patch::Merge(change));
        self.ask(&format!("patch {}", K::plural(&())), request).await
    }

    /// The things that are labelled so, or that a field says so of.
    pub(super) async fn list<K: Kind>(&self, parameters: ListParams) -> Result<Vec<K>, Fault> {
        let mut parameters = parameters.limit(PAGE);
        let mut all = Vec::new();
        loop {
            let request = self.path::<K>().list(&parameters);
            let page: ObjectList<K> = self.ask(&format!("list {}", K::plural(&())), request).await?;
            all.extend(page.items);
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => return Ok(all),
            }
        }
    }

    /// Deletes it, if it is the one of that id.
    pub(super) async fn delete<K: Kind>(&self, name: &str, uid: &str, parameters: DeleteParams) -> Result<(), Fault> {
        let meant = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters = DeleteParams { preconditions: Some(meant), ..parameters };
        let request = self.path::<K>().delete(name, &parameters);
        self.ask::<Value>(&format!("delete {}", K::plural(&())), request).await.map(drop)
    }

    /// Deletes all that are labelled so.
    pub(super) async fn delete_all<K: Kind>(&self, labels: &str) -> Result<(), Fault> {
        let labelled = ListParams::default().labels(labels);
        let request = self.path::<K>().delete_collection(&DeleteParams::background(), &labelled);
        self.ask::<Value>(&format!("deletecollection {}", K::plural(&())), request).await.map(drop)
    }

    /// The log of a pod, as it comes in.
    pub(super) async fn log(&self, pod: &str, parameters: &LogParams) -> Result<Body, Fault> {
        let request = self.path::<Pod>().logs(pod, parameters);
        Ok(in_time(self.send("get pods/log", request)).await?.into_body())
    }

    /// What can be watched of the things in the namespace.
    pub(super) fn watched<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> kube::Api<K> {
        kube::Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn path<K: Kind>(&self) -> Path {
        Path::new(K::url_path(&(), Some(&self.namespace)))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        request: Result<Request<Vec<u8>>, BuildError>,
    ) -> Result<T, Fault> {
        in_time(async {
            let body =
                self.send(what, request).await?.into_body().collect().await.map_err(|error| unreachable(&error))?;
            serde_json::from_slice(&body.to_bytes()).map_err(|error| {
                // Not what it says: that may be secret.
                Fault::Transient(transient(format!("Kubernetes answered to {what} what is not understood: {error}")))
            })
        })
        .await
    }

    async fn send(&self, what: &str, request: Result<Request<Vec<u8>>, BuildError>) -> Result<Response<Body>, Fault> {
        let request = request.map_err(|error| Fault::Refused(format!("The request can't be made: {error}.")))?;
        let answer = self.client.send(request.map(Body::from)).await.map_err(|error| unreachable(&error))?;
        let code = answer.status().as_u16();
        if answer.status().is_success() {
            return Ok(answer);
        }
        let asked = answer.headers().get(http::header::RETRY_AFTER);
        let asked = asked.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = answer.into_body().collect().await.map_err(|error| unreachable(&error))?.to_bytes();
        Err(fault(what, &self.namespace, code, asked, &body))
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(ANSWER, call).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::Transient(transient("Kubernetes did not answer in time.".to_owned()))),
    }
}

pub(super) fn unreachable(error: &kube::Error) -> Fault {
    Fault::Transient(transient(format!("Kubernetes can't be reached: {}", causes(error))))
}

/// What an answer means that is no success. `asked` is how many seconds it asks to wait.
fn fault(what: &str, namespace: &str, code: u16, asked: Option<u64>, body: &[u8]) -> Fault {
    let status: Status = serde_json::from_slice(body).unwrap_or_else(|_| {
        // A proxy in between, or a server too busy to say it in JSON.
        let text: String = String::from_utf8_lossy(body).trim().chars().take(300).collect();
        Status::failure(&text, "")
    });
    let later = status.details.as_ref().map(|details| u64::from(details.retry_after_seconds)).filter(|&s| s > 0);
    let said = if status.message.is_empty() { format!("status {code}") } else { status.message };
    let message = format!("Kubernetes refused to {what} in the namespace {namespace}: {said}");
    match code {
        401 => Fault::Refused(format!("{message} (401). The server's credentials for the cluster are not accepted.")),
        403 => Fault::Refused(format!("{message}. {REMEDY}.")),
        404 => Fault::Missing(message),
        409 => Fault::Conflict(message),
        408 | 410 | 429 | 500.. => {
            let retry_after = asked.or(later).map(Duration::from_secs);
            Fault::Transient(Transient {
                message: format!("Kubernetes answered {code} to {what}: {said}"),
                retry_after,
            })
        }
        _ => Fault::Refused(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_no_success_says_whether_to_ask_again() {
        let status = |reason: &str, seconds: u32| {
            serde_json::json!({"kind": "Status", "status": "Failure", "reason": reason, "message": "why",
                               "details": {"retryAfterSeconds": seconds}})
            .to_string()
        };
        let of = |code, asked, body: &str| fault("create jobs", "runs", code, asked, body.as_bytes());
        for (code, asked, seconds, expected) in
            [(429, Some(7), 3, Some(7)), (429, None, 3, Some(3)), (503, None, 0, None), (410, None, 0, None)]
        {
            let Fault::Transient(transient) = of(code, asked, &status("x", seconds)) else { panic!("{code}") };
            assert_eq!(transient.retry_after, expected.map(Duration::from_secs), "{code}");
            assert!(transient.message.contains("why") && transient.message.contains("create jobs"));
        }
        let Fault::Transient(busy) = of(429, Some(1), "Too many requests, please try again later.") else { panic!() };
        assert!(busy.message.contains("please try again later"), "{busy}");
        assert!(matches!(of(409, None, &status("AlreadyExists", 0)), Fault::Conflict(_)));
        assert!(matches!(of(404, None, ""), Fault::Missing(_)));
        let Fault::Refused(message) = of(403, None, &status("Forbidden", 0)) else { panic!() };
        assert!(message.contains("create jobs in the namespace runs") && message.contains(REMEDY), "{message}");
        assert!(matches!(of(422, None, &status("Invalid", 0)), Fault::Refused(_)));
    }
}
