//! A server from its settings to its end: opens the store, finds its keys, listens, works, drains.

mod certificates;
mod given_up_runs;
mod kept_logs;
mod key_uses;
mod listener;
mod local_runner;
mod old_runs;
mod runs;
mod told;

use crate::app::{App, Engines};
use crate::audit::Audit;
use crate::auth::Keys;
use crate::bundle_source::BundleSources;
use crate::clock::Clock;
use crate::config::{Config, UNFINISHED, environment};
use crate::events::{self, Deliveries};
use crate::http::{Front, Metrics, router, s3};
use crate::oidc::Issuers;
use crate::root_key;
use crate::store::{DbOptions, NewJob, Store, StoreOptions, account_ensure, job_enqueue};
use crate::throttle::Throttle;
use crate::tls::Certificates;
use crate::transaction;
use crate::worker::Worker;
use anyhow::{Context as _, bail};
use listener::Listener;
use local_runner::LocalRunner;
use protium_domain::job::Job;
use protium_engines::SelfManaged;
use protium_engines::aws::{Aws, Settings};
use protium_engines::cloudformation::{CloudFormation, TemplateBucket};
use protium_engines::command::LogStore;
use runs::Runs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long the start waits for the key of the outbound calls, to see that it is none of its own.
const OWN_KEY: Duration = Duration::from_millis(100);
/// How long running requests may take to end when the process stops.
const DRAIN: Duration = Duration::from_secs(10);

/// A running server.
pub struct Server {
    pub app: Arc<App>,
    address: SocketAddr,
    certificates: Option<Arc<Certificates>>,
    worker: Option<Worker>,
    deliveries: Option<Deliveries>,
    /// If no other server may run commands on its own machine meanwhile.
    local_runner: Option<LocalRunner>,
    /// What is done from time to time.
    chores: Vec<JoinHandle<()>>,
    stop: oneshot::Sender<()>,
    listener: JoinHandle<()>,
}

impl Server {
    /// Starts everything; the listener is open when this returns.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        warn_of_endpoints();
        prepare_folder(&config.data_dir)?;
        let aws = Aws::new(Settings {
            endpoint_url: config.aws_endpoint_url.clone(),
            profile: config.aws_profile.clone(),
            credentials: None,
        })
        .await;
        let outbound_key = OutboundKey::look_up(&aws);
        let certificates = match &config.tls {
            Some(files) => Some(Arc::new(Certificates::load(files).await?)),
            None => None,
        };
        let clock = Clock::default();
        let store = open_store(&config).await?;
        let keys = Arc::new(Keys::default());
        root_key::ensure(&store, &config, clock.now_ms()).await?;
        let blobs = s3::Blobs::open(&config.data_dir).context("the bundle store's folder can't be opened")?;
        // What it removes was left by a process before this one: nothing waits for it.
        drop(s3::sweep(&store, &blobs).await.context("the bundle store's folder can't be listed")?);
        // Bound before anything is decided about endpoints: port 0 becomes a real one.
        let listener = listen(config.listen).await?;
        let address = listener.local_addr()?;
        check_endpoint(&config, address)?;
        outbound_key.check(&store).await?;
        let audit = Arc::new(audit(&config, &store, &clock)?);
        let throttle = Arc::new(Throttle::new(config.allowance));
        let bounds = (Arc::clone(&audit), Arc::clone(&throttle));
        let domain = config.s3_domain.as_deref();
        let s3 = s3::S3::new(store.clone(), blobs.clone(), Arc::clone(&keys), clock.clone(), bounds, domain);
        let targets = if config.role.works() { events::targets(&config, &aws, &clock)? } else { Vec::new() };
        events::ensure(&store, &targets).await.context("the destinations of events can't be stored")?;
        let bundles = bundle_sources(&config, &store, blobs, aws.clone());
        let template_bucket = config.aws_template_bucket.clone().map(|name| TemplateBucket { name, region: None });
        let Runs { engine: commands, attended, remote } = runs::start(&config, &aws).await?;
        let attended = attended.filter(|_| config.role.works());
        let local_runner = match attended.as_ref().filter(|_| !store.db().is_embedded()) {
            Some(commands) => Some(LocalRunner::take(store.clone(), commands.runner().to_owned()).await?),
            None => None,
        };
        let logs = config.run_logs.clone().map(|place| LogStore::new(aws.clone(), place));
        let cloudformation = Arc::new(CloudFormation::new(aws, template_bucket));
        let engines = Engines { cloudformation, self_managed: Arc::new(SelfManaged), commands };
        let own_url = url(config.tls.is_some(), own_address(address));
        let issuers = Issuers::new(clock.clone());
        let app =
            Arc::new(App { config, store, keys, clock, audit, throttle, issuers, engines, own_url, bundles, logs });
        let metrics = Metrics::new()?;
        let front = Front { app: Arc::clone(&app), s3: Arc::new(s3), metrics: metrics.clone() };
        let (stop, stopped) = oneshot::channel();
        let listener = Listener::new(listener, router(front), certificates.clone(), &app.config, metrics.clone());
        let listener = tokio::spawn(listener.run(stopped));
        // Last: nothing that fails may leave it running.
        let name = worker_name(address);
        let deliveries = app.config.role.works().then(|| Deliveries::start(&app, targets, &name));
        let worker = app.config.role.works().then(|| Worker::start(Arc::clone(&app), name));
        let old_runs = app.config.role.works().then(|| tokio::spawn(old_runs::remove_all(Arc::clone(&app))));
        let given_up = app.config.role.works().then(|| tokio::spawn(given_up_runs::stop_all(Arc::clone(&app))));
        let kept_logs = app.logs.clone().filter(|_| app.config.role.works());
        let kept_logs = kept_logs.map(|logs| tokio::spawn(kept_logs::keep_all(Arc::clone(&app), logs)));
        let attendance = attended.map(|commands| tokio::spawn(runs::attend(commands)));
        let holding = local_runner.clone().map(|place| tokio::spawn(place.keep()));
        let remote = remote.filter(|_| app.config.role.works());
        let watching = remote.map(|remote| tokio::spawn(runs::watch(Arc::clone(&app), remote)));
        let uses = tokio::spawn(key_uses::save_all(Arc::clone(&app)));
        let certified = certificates.clone().map(|certificates| (certificates, app.clock.clone(), metrics));
        let certified = certified
            .map(|(certificates, clock, metrics)| tokio::spawn(certificates::attend(certificates, clock, metrics)));
        let chores = [uses]
            .into_iter()
            .chain(old_runs)
            .chain(given_up)
            .chain(kept_logs)
            .chain(attendance)
            .chain(holding)
            .chain(watching)
            .chain(certified)
            .collect();
        tracing::info!(
            account = app.config.account_id,
            database = if app.store.db().is_embedded() { "SQLite" } else { "PostgreSQL" },
            role = ?app.config.role,
            "protium {} listens on {address}",
            env!("CARGO_PKG_VERSION"),
        );
        Ok(Self { app, address, certificates, worker, deliveries, local_runner, chores, stop, listener })
    }

    /// Where it listens, e.g. `http://127.0.0.1:8420`.
    pub fn url(&self) -> String {
        url(self.certificates.is_some(), self.address)
    }

    /// Reads the files for HTTPS again, if there are any; what is wrong with them is logged, and the old ones stay.
    pub async fn reload(&self) {
        match &self.certificates {
            Some(certificates) => certificates.look(true).await,
            None => tracing::info!("nothing to read again: there is no certificate"),
        }
    }

    /// Takes no new requests; running ones and running steps finish or give their lease back.
    pub async fn stop(self) {
        // The listener may have ended by itself; then nobody receives this.
        let _ = self.stop.send(());
        // Wherever they are, what is left is done another time.
        for chore in self.chores {
            chore.abort();
        }
        let worked = async {
            if let Some(worker) = self.worker {
                worker.stop().await;
            }
            if let Some(deliveries) = self.deliveries {
                deliveries.stop().await;
            }
        };
        let ((), drained) = tokio::join!(worked, tokio::time::timeout(DRAIN, self.listener));
        if drained.is_err() {
            tracing::warn!("some requests had not ended after {} s and are cut off", DRAIN.as_secs());
        }
        key_uses::save(&self.app).await;
        if let Some(place) = self.local_runner {
            place.leave().await;
        }
    }
}

fn url(secure: bool, address: SocketAddr) -> String {
    format!("{}://{address}", if secure { "https" } else { "http" })
}

/// Where what runs on this machine reaches the server: one that listens on all addresses listens on loopback too.
fn own_address(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from(([127, 0, 0, 1], address.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| format!("listen: {address} can't be listened on; give another address with --listen"))
}

/// The shell that starts the server may well carry the clients' setting: it is not for us.
fn warn_of_endpoints() {
    for name in environment::endpoint_variables() {
        tracing::warn!("{name} is set and ignored; outbound AWS calls go where --aws-endpoint-url says, or to AWS");
    }
}

fn prepare_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    let mode = made.and_then(|()| std::fs::metadata(folder)).map(|folder| folder.permissions().mode() & 0o777);
    let mode = mode.with_context(|| format!("data-dir: the folder {} can't be made", folder.display()))?;
    if folder.join(UNFINISHED).exists() {
        bail!(
            "data-dir: a restore into {} did not come to its end; empty the folder and restore again",
            folder.display()
        );
    }
    if mode & 0o007 != 0 {
        let folder = folder.display();
        tracing::warn!("data-dir: every user of this machine can look into {folder} (mode {mode:o}); chmod 700 it");
    }
    Ok(())
}

async fn open_store(config: &Config) -> anyhow::Result<Store> {
    let mut db = DbOptions::new(config.database_url.clone());
    db.pool_size = config.database_pool_size;
    let options = StoreOptions { db, master_key_file: config.master_key_file.clone() };
    let store = Store::open(&options).await.context("the database can't be opened")?;
    let mut standing = Vec::new();
    for job in [Job::ExpireTokens, Job::ExpireEvents, Job::ExpireAudit] {
        standing.push((serde_json::to_string(&job)?, job));
    }
    transaction!(store, async |tx| -> Result<(), crate::store::DbError> {
        let now = tx.now_ms().await?;
        account_ensure(tx, &config.account_id, now).await?;
        for (payload, job) in &standing {
            let (kind, key) = (job.kind(), job.subject());
            job_enqueue(tx, &NewJob { kind, key, resource_id: key, payload, due_at: now, now }).await?;
        }
        Ok(())
    })?;
    Ok(store)
}

fn audit(config: &Config, store: &Store, clock: &Clock) -> anyhow::Result<Audit> {
    let opened = Audit::open(store.clone(), clock.clone(), &config.audit);
    opened.context("audit-log: the file can't be opened; give one that the server may append to, or -")
}

fn bundle_sources(config: &Config, store: &Store, blobs: s3::Blobs, aws: Aws) -> BundleSources {
    let opened = store.clone();
    let open = Box::new(move |account: String, bucket: String, key: String| {
        let (store, blobs) = (opened.clone(), blobs.clone());
        let open = async move { s3::open_object(&store, &blobs, &account, &bucket, &key).await };
        Box::pin(open) as futures::future::BoxFuture<'static, _>
    });
    BundleSources::new(store.clone(), open, aws, config.bundle_stores.clone())
}

/// Refuses an endpoint with which the server would call itself.
fn check_endpoint(config: &Config, address: SocketAddr) -> anyhow::Result<()> {
    match &config.aws_endpoint_url {
        Some(url) if is_own(url, address) => bail!(
            "aws-endpoint-url: {url} is the server's own address; give that of AWS, an emulator or a VPC endpoint, \
             or leave it out"
        ),
        Some(_) | None => Ok(()),
    }
}

/// The key that outbound calls are signed with, being looked up beside the rest of the start.
struct OutboundKey {
    found: JoinHandle<Option<String>>,
    until: tokio::time::Instant,
}

impl OutboundKey {
    fn look_up(aws: &Aws) -> Self {
        let aws = aws.clone();
        let found = tokio::spawn(async move { aws.access_key_id().await.ok() });
        Self { found, until: tokio::time::Instant::now() + OWN_KEY }
    }

    /// Refuses one of the store's keys. Without credentials nothing can be provisioned, which the first deployment says; the
    /// rest works. Only keys that are configured on this machine can be our own, and those are found at once:
    /// nothing waits for metadata services.
    async fn check(self, store: &Store) -> anyhow::Result<()> {
        let Ok(Ok(Some(id))) = tokio::time::timeout_at(self.until, self.found).await else { return Ok(()) };
        match store.access_key_get(&mut store.reader().await?, &id).await? {
            Some(_) => bail!(
                "the AWS credentials of the server's environment ({id}) are a key of this server; give it credentials \
                 of AWS, through the environment, a profile (--aws-profile) or the machine's role"
            ),
            None => Ok(()),
        }
    }
}

/// Whether a URL leads to the address that the server listens on.
fn is_own(url: &str, address: SocketAddr) -> bool {
    let Ok(uri) = url.parse::<axum::http::Uri>() else { return false };
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let everywhere = address.ip().is_unspecified();
    let same_host = match host.parse::<IpAddr>() {
        Ok(ip) => ip == address.ip() || (everywhere && is_of_this_machine(ip)),
        Err(_) => host.eq_ignore_ascii_case("localhost") && (everywhere || address.ip().is_loopback()),
    };
    port == address.port() && same_host
}

/// Only an address of the machine can be bound.
fn is_of_this_machine(ip: IpAddr) -> bool {
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

/// Tells workers apart in leases.
fn worker_name(address: SocketAddr) -> String {
    format!("{}@{address}#{}", std::process::id(), uuid::Uuid::new_v4())
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn the_own_address_is_found_under_each_of_its_names() {
        let address = "127.0.0.1:8420".parse().expect("an address");
        for own in ["http://127.0.0.1:8420", "http://localhost:8420/", "https://127.0.0.1:8420"] {
            assert!(is_own(own, address), "{own}");
        }
        for other in ["http://127.0.0.1:8421", "https://localhost", "http://example.org:8420", "nonsense"] {
            assert!(!is_own(other, address), "{other}");
        }
    }

    #[test]
    fn an_address_on_all_interfaces_is_every_address_of_the_machine() {
        let address = "0.0.0.0:8420".parse().expect("an address");
        for own in ["http://127.0.0.1:8420", "http://127.1.2.3:8420", "http://[::1]:8420", "http://LOCALHOST:8420"] {
            assert!(is_own(own, address), "{own}");
        }
        // Of a block for documentation, which no machine has.
        for other in ["http://192.0.2.1:8420", "http://127.0.0.1:8421"] {
            assert!(!is_own(other, address), "{other}");
        }
    }
}
