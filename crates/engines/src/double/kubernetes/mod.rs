//! A Kubernetes for tests: as much of one namespace of a cluster as a run needs, in this process.
//!
//! It speaks the real wire on a loopback port, checks every body against the schemas that Kubernetes publishes, and
//! plays the cluster's own part: pods of Jobs, quotas, pod security, what goes when its owner goes. A pod takes one
//! [`Act`] each time that somebody looks for pods; with [`Act::Runs`] the command of its container is really run.
//!
//! Server-side apply is not there: nobody here asks for it, and who does is answered 400. Pods alone are watched.

mod objects;
mod play;
mod pods;
mod schema;
mod select;
mod watch;
mod wire;

pub use play::{Act, Trouble};

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::wire::serve;
use objects::Objects;
use pods::Played;
use schema::Schemas;

/// What callers have to be known by.
const TOKEN: &str = "a-token-of-tests";

/// A running double. It stops when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    address: SocketAddr,
    world: Shared,
    server: AbortHandle,
}

/// One call that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it asked for, as permissions name it: `create jobs`, `get pods/log`.
    pub what: String,
    /// Whether it changed something.
    pub effective: bool,
}

type Shared = Arc<Mutex<World>>;
type Script = Box<dyn Fn() -> Vec<Act> + Send>;

/// All that the double knows.
struct World {
    namespace: String,
    schemas: Schemas,
    objects: Objects,
    played: HashMap<String, Played>,
    /// How many pods there ever were that began their container.
    begun: usize,
    script: Script,
    troubles: HashMap<String, VecDeque<Trouble>>,
    denied: BTreeSet<String>,
    quota: Option<String>,
    restricted: bool,
    calls: Vec<Call>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("namespace", &self.namespace)
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Starts a double with one namespace.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound.
    pub async fn start(namespace: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let world = World {
            namespace: namespace.to_owned(),
            schemas: Schemas::new(),
            objects: Objects::default(),
            played: HashMap::new(),
            begun: 0,
            script: Box::new(|| vec![Act::Runs]),
            troubles: HashMap::new(),
            denied: BTreeSet::new(),
            quota: None,
            restricted: false,
            calls: Vec::new(),
        };
        let world = Arc::new(Mutex::new(world));
        let server = tokio::spawn(serve(listener, world.clone(), wire::answer)).abort_handle();
        Ok(Self { address, world, server })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// What a client reads to find and to enter it.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        let namespace = self.world().namespace.clone();
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: double\n\
             contexts: [{{name: double, context: {{cluster: double, user: tests, namespace: {namespace}}}}}]\n\
             clusters: [{{name: double, cluster: {{server: \"http://{}\"}}}}]\n\
             users: [{{name: tests, user: {{token: {TOKEN}}}}}]\n",
            self.address
        )
    }

    /// Says what pods do from now on, one act after the other. Asked once for each pod when it is made.
    pub fn behave(&self, script: impl Fn() -> Vec<Act> + Send + 'static) {
        self.world().script = Box::new(script);
    }

    /// Disturbs the next call of that kind (`create jobs`; `*` is any) that is not disturbed yet.
    pub fn trouble(&self, what: &str, trouble: Trouble) {
        self.world().troubles.entry(what.to_owned()).or_default().push_back(trouble);
    }

    /// Denies calls of that kind, or allows them again.
    pub fn deny(&self, what: &str, denied: bool) {
        let mut world = self.world();
        if denied {
            world.denied.insert(what.to_owned());
        } else {
            world.denied.remove(what);
        }
    }

    /// Lets no pod be made, for this reason.
    pub fn set_quota(&self, message: Option<&str>) {
        self.world().quota = message.map(str::to_owned);
    }

    /// Lets only pods be made that the pod security standard "restricted" allows.
    pub fn restrict(&self) {
        self.world().restricted = true;
    }

    /// Puts a thing there as somebody else would.
    pub fn place(&self, kind: &str, thing: Value) {
        self.world().objects.put(kind, thing);
    }

    /// The things of a kind (`jobs`, `secrets`, `pods`) that are there. Does not count as a look.
    #[must_use]
    pub fn there(&self, kind: &str) -> Vec<Value> {
        self.world().objects.all(kind).cloned().collect()
    }

    /// Lets this happen to every pod now, and not when somebody looks.
    pub fn happens(&self, act: &Act) {
        self.world().happens(act);
    }

    /// Ends all watches, as a cluster does from time to time. If it also forgets what has changed so far, who goes on from
    /// before is told that (410).
    pub fn cut_watches(&self, forgets: bool) {
        self.world().objects.cut(forgets);
    }

    /// Lets as much time go by as Jobs that have ended may stay.
    pub fn expire(&self) {
        self.world().expire();
    }

    /// Deletes a Job as somebody else would, at once.
    pub fn delete_job(&self, name: &str) {
        self.world().remove_job(name);
    }

    /// Removes all things of a kind as somebody else would, at once.
    pub fn remove_all(&self, kind: &str) {
        let mut world = self.world();
        for name in world.objects.names(kind) {
            world.objects.remove(kind, &name);
        }
    }

    /// How many pods have ever begun their container.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.world().begun
    }

    /// All calls so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.world().calls.clone()
    }

    /// How many calls of that kind changed something.
    #[must_use]
    pub fn effects(&self, what: &str) -> usize {
        self.world().calls.iter().filter(|call| call.what == what && call.effective).count()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
