//! An AWS for tests: CloudFormation, STS, and as much of CodeBuild, CloudWatch Logs, EventBridge, S3 and Secrets Manager
//! as is used, in this process.
//!
//! It speaks the real wire on a loopback port, so that the engine under test is the one that users
//! run. Unlike the emulators it fails, rolls back, throttles, loses answers and takes its time, all
//! of it as the test says. It checks no signatures and creates nothing.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use protium_engines::double::{Behaviour, Disturbance, Double};
//!
//! let double = Double::start().await?;
//! double.behave(|operation| match operation.action {
//!     "CreateStack" => Behaviour::fails("Bucket", "AWS::S3::Bucket", "the name is taken"),
//!     _ => Behaviour::done(),
//! });
//! double.disturb("DescribeStacks", Disturbance::Throttled);
//! // ... run the engine against double.url() ...
//! assert_eq!(double.effects("CreateStack"), 1);
//! # Ok(())
//! # }
//! ```

mod behaviour;
mod builds;
mod bus;
mod events;
pub mod kubernetes;
mod objects;
mod program;
mod query;
mod secrets;
mod stacks;
mod sts;
mod wire;

pub use behaviour::{Behaviour, Disturbance, Ending, Operation, Takes};
pub use builds::BuildRun;
pub use program::write_program;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use stacks::Stack;

/// The account of everybody who has not assumed a role.
pub const ACCOUNT: &str = "000000000000";

/// One call that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation: `CreateStack`, `AssumeRole`, `PutObject`.
    pub action: String,
    /// The account whose credentials signed it.
    pub account: String,
    /// The region that it was signed for.
    pub region: String,
    /// The parameters as they were sent.
    pub parameters: BTreeMap<String, String>,
    /// Whether it changed something.
    pub effective: bool,
}

/// A running double. It stops when it is dropped.
#[derive(Debug)]
pub struct Double {
    address: SocketAddr,
    world: Shared,
    server: AbortHandle,
}

pub(crate) type Shared = Arc<Mutex<World>>;
type Script = Box<dyn Fn(&Operation<'_>) -> Behaviour + Send>;

/// All that the double knows.
pub(crate) struct World {
    stacks: Vec<Stack>,
    objects: BTreeMap<String, Vec<u8>>,
    builds: builds::Builds,
    buckets: BTreeSet<String>,
    /// The versions of secrets by name, the current one last.
    secrets: BTreeMap<String, Vec<String>>,
    /// What was put on event buses, and which entries are to be refused.
    bus: bus::Bus,
    calls: Vec<Call>,
    script: Script,
    disturbances: HashMap<String, VecDeque<Disturbance>>,
    denied_roles: BTreeSet<String>,
    ended_sessions: bool,
    sessions: u32,
    session_seconds: u64,
    tokens_count: bool,
    page: usize,
    stacks_made: u32,
    started: Option<Instant>,
    advanced: Duration,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("stacks", &self.stacks.len())
            .field("calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}

impl World {
    fn now(&self) -> Duration {
        self.advanced + self.started.map(|at| at.elapsed()).unwrap_or_default()
    }
}

impl Double {
    /// Starts a double whose time stands still until [`Self::advance`].
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_at(None).await
    }

    /// Starts a double whose time is real: a stack that takes 300 ms takes 300 ms.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound.
    pub async fn start_in_real_time() -> std::io::Result<Self> {
        Self::start_at(Some(Instant::now())).await
    }

    async fn start_at(started: Option<Instant>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let world = World {
            stacks: Vec::new(),
            objects: BTreeMap::new(),
            builds: builds::Builds::default(),
            buckets: BTreeSet::new(),
            secrets: BTreeMap::new(),
            bus: bus::Bus::default(),
            calls: Vec::new(),
            script: Box::new(|_| Behaviour::done()),
            disturbances: HashMap::new(),
            denied_roles: BTreeSet::new(),
            ended_sessions: false,
            sessions: 0,
            session_seconds: 3_600,
            tokens_count: true,
            page: 100,
            stacks_made: 0,
            started,
            advanced: Duration::ZERO,
        };
        let world = Arc::new(Mutex::new(world));
        let server = tokio::spawn(wire::serve(listener, world.clone(), wire::answer)).abort_handle();
        Ok(Self { address, world, server })
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says how stacks behave from now on. Asked once for each operation on a stack when it begins.
    pub fn behave(&self, script: impl Fn(&Operation<'_>) -> Behaviour + Send + 'static) {
        self.world().script = Box::new(script);
    }

    /// Disturbs the next call of `action` that is not disturbed yet; `*` is any action.
    pub fn disturb(&self, action: &str, disturbance: Disturbance) {
        self.world().disturbances.entry(action.to_owned()).or_default().push_back(disturbance);
    }

    /// Refuses that `role_arn` is assumed, or takes the refusal back.
    pub fn deny_role(&self, role_arn: &str, denied: bool) {
        let mut world = self.world();
        if denied {
            world.denied_roles.insert(role_arn.to_owned());
        } else {
            world.denied_roles.remove(role_arn);
        }
    }

    /// Ends all sessions of assumed roles: calls with them answer `ExpiredToken`.
    pub fn end_sessions(&self) {
        self.world().ended_sessions = true;
    }

    /// How long the sessions last that are given out from now on.
    pub fn sessions_last(&self, length: Duration) {
        self.world().session_seconds = length.as_secs();
    }

    /// Behaves like the emulators that ignore request tokens.
    pub fn ignore_tokens(&self) {
        self.world().tokens_count = false;
    }

    /// Lists that many events at a time.
    pub fn page_events(&self, size: usize) {
        self.world().page = size.max(1);
    }

    /// Makes a bucket that templates can be put into.
    pub fn make_bucket(&self, name: &str) {
        self.world().buckets.insert(name.to_owned());
    }

    /// The object at `bucket/key`, if it was put.
    #[must_use]
    pub fn object(&self, path: &str) -> Option<String> {
        self.world().objects.get(path).map(|content| String::from_utf8_lossy(content).into_owned())
    }

    /// The paths of all objects.
    #[must_use]
    pub fn objects(&self) -> Vec<String> {
        self.world().objects.keys().cloned().collect()
    }

    /// Says how builds go that are started from now on.
    pub fn run_builds(&self, run: BuildRun) {
        self.world().builds.run = run;
    }

    /// How many builds are in progress.
    #[must_use]
    pub fn running_builds(&self) -> usize {
        self.world().builds.running()
    }

    /// How many builds may be in progress at once.
    pub fn limit_builds(&self, limit: Option<usize>) {
        self.world().builds.limit = limit;
    }

    /// Lists that many builds at a time.
    pub fn page_builds(&self, size: usize) {
        self.world().builds.page = size.max(1);
    }

    /// The deployments whose builds are in progress, the oldest first. Does not count as a look.
    #[must_use]
    pub fn deployments_in_progress(&self) -> Vec<String> {
        self.world().builds.in_progress()
    }

    /// Forgets the tokens of builds, as CodeBuild does after five minutes.
    pub fn forget_build_tokens(&self) {
        self.world().builds.tokens.clear();
    }

    /// Forgets all builds.
    pub fn forget_builds(&self) {
        self.world().builds.all.clear();
    }

    /// Refuses the next token of a log, as CloudWatch Logs does after a day.
    pub fn outdate_log_tokens(&self) {
        self.world().builds.old_log_tokens = true;
    }

    /// Makes a secret, or a new version of it: `v1`, `v2` and so on. Every account and region has it.
    pub fn put_secret(&self, name: &str, text: &str) {
        self.world().secrets.entry(name.to_owned()).or_default().push(text.to_owned());
    }

    /// What was put on event buses so far, in order, those of which the answer was lost too.
    #[must_use]
    pub fn bus_entries(&self) -> Vec<serde_json::Value> {
        self.world().bus.entries.clone()
    }

    /// Refuses the next entry for a bus whose detail has this text, as EventBridge does while it is busy with others.
    pub fn refuse_bus_entry(&self, text: &str) {
        self.world().bus.refused.push(text.to_owned());
    }

    /// Moves time on.
    pub fn advance(&self, by: Duration) {
        self.world().advanced += by;
    }

    /// All calls so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.world().calls.clone()
    }

    /// How many calls of `action` arrived.
    #[must_use]
    pub fn count(&self, action: &str) -> usize {
        self.world().calls.iter().filter(|call| call.action == action).count()
    }

    /// How many calls of `action` changed something.
    #[must_use]
    pub fn effects(&self, action: &str) -> usize {
        self.world().calls.iter().filter(|call| call.action == action && call.effective).count()
    }

    /// The status of the newest stack of that name, deleted ones too. Does not count as a look.
    #[must_use]
    pub fn status(&self, stack: &str) -> Option<String> {
        self.world().stacks.iter().rev().find(|s| s.name == stack).map(|s| s.status().to_owned())
    }

    /// How many stacks there are that have not been deleted.
    #[must_use]
    pub fn stack_count(&self) -> usize {
        self.world().stacks.iter().filter(|stack| stack.status() != "DELETE_COMPLETE").count()
    }

    /// The tags of the newest stack of that name.
    #[must_use]
    pub fn tags(&self, stack: &str) -> BTreeMap<String, String> {
        self.world().stacks.iter().rev().find(|s| s.name == stack).map(|s| s.tags().clone()).unwrap_or_default()
    }

    /// Protects the newest stack of that name against deletion, or no more.
    pub fn protect(&self, stack: &str, protected: bool) {
        if let Some(stack) = self.world().stacks.iter_mut().rev().find(|s| s.name == stack) {
            stack.protected = protected;
        }
    }

    /// Puts a stack there as somebody else would: in `status`, with `tags`; answers its id.
    pub fn place(&self, name: &str, status: &str, tags: &[(&str, &str)]) -> String {
        self.world().place(name, status, tags)
    }

    /// Moves the newest stack of that name to `status`, as an operation of somebody else would.
    pub fn turn(&self, stack: &str, status: &str) {
        if let Some(stack) = self.world().stacks.iter_mut().rev().find(|s| s.name == stack) {
            stack.turn(status);
        }
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
