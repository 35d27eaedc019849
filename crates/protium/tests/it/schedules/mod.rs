//! Two at the same time leave what one after the other could have left: pairs of requests, and of a request and the
//! worker, whose calls of the database are let through in orders that seeds choose.
//!
//! A pair is a row in the table of its noun. Each is run one after the other in both orders, then once for each seed;
//! the answers and all that clients see afterwards must be those of one of the orders. A worker makes many transactions:
//! a request may come before each of them.
//!
//! What is drawn depends on the name of a pair and the seed, so each pair has orders of its own. Not each of them
//! interleaves the two: `hold` counts those that do, and `--success-output final` shows how many.
//!
//! In `sockets` nobody chooses: there, two clients meet on the listener, over connections of their own.
//!
//! `SCHEDULE_SEED=7` runs that seed alone, as the message of a failure says; `SCHEDULES=1000` runs so many.

mod components;
mod connections;
mod environments;
mod gates;
mod jobs;
mod pipelines;
mod services;
mod sockets;
mod syncs;
mod templates;

use crate::support::app::TestApp;
use crate::support::bundle::pack;
use crate::support::component::{COMPONENT_ROLE, Workshop};
use crate::support::database::TestDb;
use crate::support::double::{STACK, Site, create, environment, finish};
use crate::support::dump::{dump, plain_answer};
use crate::support::schedule::{Actor, Answer, Order, Run, STAYS, request, run, worker};
use crate::support::service::{INSTANCE, PIPELINE, Shop, but, create_plain, files};
use crate::support::under_way::assert_all_here_have_jobs;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::Deref;

/// How many orders are tried of each pair on each database, unless `SCHEDULES` says so: once through the rota.
const SCHEDULES: u64 = STAYS.len() as u64;
/// The account that lends its roles.
const LENDS: &str = "222222222222";

/// A region of its own, in which one run of a pair happens.
struct Ground {
    shop: Shop,
    lends: TestApp,
}

impl Deref for Ground {
    type Target = Shop;

    fn deref(&self) -> &Shop {
        &self.shop
    }
}

/// One of the two.
#[derive(Clone, Copy)]
enum Party {
    /// A client, whose request may need what was prepared.
    Client(fn(&Ground, &Value) -> Ask),
    /// The worker, with what is due.
    Worker,
}

/// A request.
struct Ask {
    lends: bool,
    operation: &'static str,
    input: Value,
}

fn ask(operation: &'static str, input: Value) -> Ask {
    Ask { lends: false, operation, input }
}

/// A request of the account that lends its roles.
fn lender(operation: &'static str, input: Value) -> Ask {
    Ask { lends: true, operation, input }
}

/// Two that meet.
struct Pair {
    name: &'static str,
    /// Brings a region to where they meet.
    prepare: fn(&Ground) -> BoxFuture<'_, Value>,
    left: Party,
    right: Party,
}

type Request = fn(&Ground, &Value) -> Ask;

fn pair(name: &'static str, prepare: fn(&Ground) -> BoxFuture<'_, Value>, left: Request, right: Request) -> Pair {
    Pair { name, prepare, left: Party::Client(left), right: Party::Client(right) }
}

/// A request that meets the worker.
fn at_work(name: &'static str, prepare: fn(&Ground) -> BoxFuture<'_, Value>, left: Request) -> Pair {
    Pair { name, prepare, left: Party::Client(left), right: Party::Worker }
}

/// What came of a run: the answers, and what clients see when all jobs have ended.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Outcome {
    answers: Vec<String>,
    seen: Vec<String>,
}

/// Regions on one database, one after the other.
struct Grounds {
    site: Site,
    made: usize,
}

impl Grounds {
    async fn on(db: &TestDb) -> Self {
        Self { site: Site::bare(db, |_| {}).await, made: 0 }
    }

    fn fresh(&mut self) -> Ground {
        self.made += 1;
        let site = self.site.in_region(&format!("zone-{}", self.made));
        let lends = site.app.in_account(LENDS);
        Ground { shop: Shop { site }, lends }
    }

    async fn outcome(&mut self, pair: &Pair, order: Order) -> (Outcome, Run) {
        let ground = self.fresh();
        let prepared = (pair.prepare)(&ground).await;
        let actor = |party: Party| -> Actor {
            match party {
                Party::Client(asks) => {
                    let Ask { lends, operation, input } = asks(&ground, &prepared);
                    request(if lends { &ground.lends } else { &ground.app }, operation, input)
                }
                Party::Worker => worker(&ground.app),
            }
        };
        let ran = run(&ground.app, vec![actor(pair.left), actor(pair.right)], order).await;
        (ground.outcome(&ran.answers).await, ran)
    }

    /// What comes of the two, one after the other.
    async fn serial(&mut self, pair: &Pair) -> BTreeSet<Outcome> {
        let mut expected = BTreeSet::new();
        match pair.right {
            Party::Client(_) => {
                for order in [Order::serial(0, 1), Order::serial(1, 0)] {
                    expected.insert(self.outcome(pair, order).await.0);
                }
            }
            Party::Worker => {
                for transactions in 0.. {
                    let order = Order::Within { first: 1, transactions, second: 0 };
                    let (outcome, ran) = self.outcome(pair, order).await;
                    expected.insert(outcome);
                    let last = |actor| ran.trace.iter().rposition(|passed| *passed == actor);
                    if last(0) > last(1) {
                        break;
                    }
                }
            }
        }
        expected
    }
}

/// Runs all pairs in as many orders as there are seeds.
///
/// Counts the runs in which one made a call between two of the other; those of a pair with one order of calls count
/// once. It may be less than it seems: on SQLite, whose transactions follow each other, that call may be a begin that
/// then waits. Of the runs of a whole table at least a third must be such. Of a single pair nothing is asked: a refusal
/// may take two calls only, and whoever adds a call to the code has other orders drawn.
async fn hold(db: &TestDb, pairs: Vec<Pair>) {
    let mut grounds = Grounds::on(db).await;
    let mut failures = Vec::new();
    let (mut runs, mut interleaved) = (0, 0);
    for pair in pairs {
        let mut traces = BTreeSet::new();
        let told = Told(&pair, None);
        let expected = grounds.serial(&pair).await;
        drop(told);
        for seed in seeds() {
            let _told = Told(&pair, Some(seed));
            let (outcome, ran) = grounds.outcome(&pair, Order::seeded(pair.name, seed)).await;
            if !expected.contains(&outcome) {
                let (why, name) = (differences(&expected, &outcome), pair.name);
                failures.push(format!("'{name}' with SCHEDULE_SEED={seed}:\n{why}calls: {:?}\n", ran.trace));
                break;
            }
            runs += 1;
            if ran.changes() > 1 {
                traces.insert(ran.trace);
            }
        }
        interleaved += traces.len();
    }
    assert!(failures.is_empty(), "no order of the two comes to what came of\n{}", failures.join("\n"));
    let told = format!("{interleaved} of {runs} runs interleaved the two in an order of their own");
    eprintln!("{told}");
    // Of fewer seeds all may happen to be serial; of many, more and more are alike.
    assert!(seeds().len() != STAYS.len() || interleaved * 3 >= runs, "{told}");
}

/// Says which pair and seed it was that failed.
struct Told<'a>(&'a Pair, Option<u64>);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            match self.1 {
                Some(seed) => eprintln!("'{}' failed with SCHEDULE_SEED={seed}", self.0.name),
                None => eprintln!("'{}' failed one after the other", self.0.name),
            }
        }
    }
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect(name));
    match number("SCHEDULE_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SCHEDULES").unwrap_or(SCHEDULES)).collect(),
    }
}

/// What is not as in each of the orders.
fn differences(expected: &BTreeSet<Outcome>, outcome: &Outcome) -> String {
    let mut text = String::new();
    for (number, order) in expected.iter().enumerate() {
        text += &format!("not the order {number}:\n");
        let all = |outcome: &Outcome| -> Vec<String> { outcome.answers.iter().chain(&outcome.seen).cloned().collect() };
        let (wanted, found) = (all(order), all(outcome));
        for line in wanted.iter().filter(|line| !found.contains(line)) {
            text += &format!("  - {line}\n");
        }
        for line in found.iter().filter(|line| !wanted.contains(line)) {
            text += &format!("  + {line}\n");
        }
        if order.answers != outcome.answers {
            text += &format!("  answers {:?} and not {:?}\n", outcome.answers, order.answers);
        }
    }
    text
}

/// Runs are counted, not what each of them interleaves: that is counted in [`hold`].
#[test]
fn there_are_a_thousand_schedules() {
    let tables = [
        components::pairs(),
        connections::pairs(),
        environments::pairs(),
        jobs::pairs(),
        pipelines::pairs(),
        services::pairs(),
        syncs::pairs(),
        templates::pairs(),
    ];
    let pairs: Vec<&str> = tables.iter().flatten().map(|pair| pair.name).collect();
    assert_eq!(pairs.iter().collect::<BTreeSet<_>>().len(), pairs.len(), "each has a name of its own");
    let schedules = pairs.len() as u64 * SCHEDULES * 2;
    assert!(schedules >= 1000, "{} pairs in {SCHEDULES} orders on two databases are {schedules}", pairs.len());
}

// Where pairs meet.

/// Nothing is there.
fn nothing(_: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async { Value::Null })
}

/// Bundles to make versions of: [`bundle`].
fn bundles(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        ground.app.upload("bundles", "environment", pack(&environment(STACK))).await;
        ground.app.upload("bundles", "service", pack(&files(INSTANCE, PIPELINE))).await;
        Value::Null
    })
}

fn bundle(of: &str) -> Value {
    json!({ "s3": { "bucket": "bundles", "key": of } })
}

/// The template `env`, whose version 1.0 is published.
fn template(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        bundles(ground).await;
        ground.published("env", None).await
    })
}

/// The environment `prod` on it.
fn prod(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        template(ground).await;
        ground.deployed("prod").await
    })
}

/// Beside it the service template `plain`, without a pipeline.
fn plain(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        prod(ground).await;
        let template = json!({ "name": "plain", "pipelineProvisioning": "CUSTOMER_MANAGED" });
        ground.app.ok("CreateServiceTemplate", template).await;
        ground.shop.published("plain", &files(INSTANCE, PIPELINE), None, &["env:1"]).await.into()
    })
}

/// The service `web` on it, with the instance `a`.
fn web(ground: &Ground) -> BoxFuture<'_, Value> {
    Box::pin(async {
        plain(ground).await;
        ground.active_plain("web", &[("a", 1)]).await;
        Value::Null
    })
}

impl Ground {
    /// What comes of these answers when all jobs have ended.
    async fn outcome(&self, answers: &[Answer]) -> Outcome {
        assert_all_here_have_jobs(&self.app).await;
        finish(&self.app).await;
        assert_all_here_have_jobs(&self.app).await;
        let answers = answers.iter().map(|answer| plain_answer(&self.app, answer)).collect();
        Outcome { answers, seen: dump(&[&self.app, &self.lends]).await }
    }

    /// A published version of an environment template.
    async fn published(&self, name: &str, major: Option<&str>) -> Value {
        self.site.published(name, &environment(STACK), major).await.into()
    }

    /// All that components need: the service `web` with the instance `a` on the template `tool`, in `prod`.
    async fn workshop(&self) -> Workshop {
        self.published("env", None).await;
        let roles = json!({ "componentRoleArn": COMPONENT_ROLE });
        self.app.ok("CreateEnvironment", but(create("prod"), roles)).await;
        self.finish().await;
        let site = self.site.in_region(&self.app.scope().region);
        Workshop::bare(Shop { site }).await
    }

    fn arn(&self, resource: &str) -> String {
        format!("{}:{resource}", self.app.arn_prefix())
    }

    /// The input that force-deletes a resource.
    fn forced(&self, resource: &str, infrastructure: &str) -> Value {
        json!({ "resourceArn": self.arn(resource), "infrastructure": infrastructure })
    }

    fn tagged(&self, resource: &str) -> Value {
        json!({ "resourceArn": self.arn(resource), "tags": [{ "key": "k", "value": "v" }] })
    }
}

fn named(name: &str) -> Value {
    json!({ "name": name })
}

/// The input of a create of a service on `plain` with one instance in `prod`.
fn service(name: &str) -> Value {
    create_plain(name, &[("a", 1)])
}
