//! The application without a socket and without a loop: requests go through the real router, jobs run
//! when a test says so, and time passes when a test lets it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt as _;
use protium::app::{App, Engines};
use protium::audit::Audit;
use protium::auth::{Credential, Identity, Keys, Secret};
use protium::bundle_source::BundleSources;
use protium::clock::Clock;
use protium::config::{Config, ServeArgs};
use protium::http::{Front, Metrics, router, s3};
use protium::oidc::Issuers;
use protium::params;
use protium::store::{ClaimedJob, DbError, NewJob, Store, job_enqueue};
use protium::throttle::{Allowance, Throttle};
use protium::transaction;
use protium::worker::run_one;
use protium_api::Operation;
use protium_domain::arn::Scope;
use protium_domain::iam::{Attachment, IdentityPolicy, NamedPolicy, Policies, Principal};
use protium_domain::job::Job;
use protium_engines::aws::{Aws, Credentials, Settings};
use protium_engines::cloudformation::CloudFormation;
use protium_engines::command::LogStore;
use protium_engines::{Engine, SelfManaged};
use serde_json::Value;
use tower::ServiceExt as _;

use super::database::TestDb;
use super::sign::Signer;

/// The account of [`TestApp::on`].
pub const ACCOUNT: &str = "000000000000";
const SECRET: &str = "a secret of sixteen characters or more";
/// Longer than any lease and any pause between attempts.
const LONG_MS: i64 = 10 * 60 * 1000;

/// An application on a test's database, seen by one account in one region. Clones share everything.
#[derive(Clone)]
pub struct TestApp {
    pub app: Arc<App>,
    router: Router,
    account: String,
    region: String,
    /// The id of the key that signs.
    key: String,
    secret: String,
}

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The bare name, as in `ValidationException`.
    pub code: String,
    pub message: String,
}

/// The `X-Amz-Target` of an operation, in whichever model it is.
pub fn target(operation: &str) -> String {
    let known = Operation::ALL.iter().find(|known| known.name() == operation);
    known.map_or_else(|| format!("AwsProton20200720.{operation}"), |known| known.target().to_owned())
}

/// The code of a refused call.
pub fn code(answer: Result<Value, Refused>) -> String {
    answer.expect_err("the call must be refused").code
}

/// The message of a refused call.
pub fn message(answer: Result<Value, Refused>) -> String {
    answer.expect_err("the call must be refused").message
}

impl TestApp {
    /// With the default settings.
    pub async fn on(db: &TestDb) -> Self {
        Self::with(db, |_| {}).await
    }

    /// With changed settings.
    pub async fn with(db: &TestDb, change: impl FnOnce(&mut Config)) -> Self {
        Self::built(db, change, |aws| (Arc::new(CloudFormation::new(aws, None)), None)).await
    }

    /// With the default settings and another engine in the place of CloudFormation.
    pub async fn with_engine(db: &TestDb, engine: Arc<dyn Engine>) -> Self {
        Self::built(db, |_| {}, |_| (engine, None)).await
    }

    /// With the default settings and an engine for commands.
    pub async fn with_commands(db: &TestDb, engine: Arc<dyn Engine>) -> Self {
        Self::built(db, |_| {}, |aws| (Arc::new(CloudFormation::new(aws, None)), Some(engine))).await
    }

    async fn built(
        db: &TestDb,
        change: impl FnOnce(&mut Config),
        engines: impl FnOnce(Aws) -> (Arc<dyn Engine>, Option<Arc<dyn Engine>>),
    ) -> Self {
        let args = ServeArgs { data_dir: Some(db.folder().to_owned()), ..ServeArgs::default() };
        let mut config = Config::new(args).unwrap();
        // Tests ask faster than anybody; those of limits set their own.
        config.allowance = Allowance::ALL;
        change(&mut config);
        // The key of the outbound calls is one that other test applications know as theirs.
        let credentials = Some(Credentials::from_keys(key_of(ACCOUNT), SECRET, None));
        let aws =
            Aws::new(Settings { endpoint_url: config.aws_endpoint_url.clone(), profile: None, credentials }).await;
        let (store, clock, keys) = (db.store(), Clock::default(), Arc::new(Keys::default()));
        let blobs = s3::Blobs::open(&config.data_dir).unwrap();
        let audit = Arc::new(Audit::open(store.clone(), clock.clone(), &config.audit).unwrap());
        let throttle = Arc::new(Throttle::new(config.allowance));
        let bounds = (Arc::clone(&audit), Arc::clone(&throttle));
        let s3 = s3::S3::new(store.clone(), blobs.clone(), Arc::clone(&keys), clock.clone(), bounds, None);
        let opened = store.clone();
        let open = Box::new(move |account: String, bucket: String, key: String| {
            let (store, blobs) = (opened.clone(), blobs.clone());
            Box::pin(async move { s3::open_object(&store, &blobs, &account, &bucket, &key).await })
                as futures::future::BoxFuture<'static, _>
        });
        let bundles = BundleSources::new(store.clone(), open, aws.clone(), config.bundle_stores.clone());
        let logs = config.run_logs.clone().map(|place| LogStore::new(aws.clone(), place));
        let (cloudformation, commands) = engines(aws);
        let engines = Engines { cloudformation, self_managed: Arc::new(SelfManaged), commands };
        let own_url = "http://127.0.0.1:8420".to_owned();
        let issuers = Issuers::new(clock.clone());
        let app =
            Arc::new(App { config, store, keys, clock, audit, throttle, issuers, engines, own_url, bundles, logs });
        let front = Front { app: Arc::clone(&app), s3: Arc::new(s3), metrics: Metrics::new().unwrap() };
        let region = "us-east-1".to_owned();
        let (account, key, secret) = (ACCOUNT.to_owned(), key_of(ACCOUNT), SECRET.to_owned());
        Self { app, router: router(front), account, region, key, secret }.in_account(ACCOUNT)
    }

    /// The same application in another region.
    pub fn in_region(&self, region: &str) -> Self {
        Self { region: region.to_owned(), ..self.clone() }
    }

    /// The same application, seen by the root user of an account.
    pub fn in_account(&self, account: &str) -> Self {
        self.signed(key_of(account), Identity::root(account))
    }

    /// The same application, seen by a user of the account with one policy, which has these statements.
    pub fn as_user(&self, name: &str, statements: Value) -> Self {
        let policies = Policies { identity: vec![policy(name, statements)], ..Policies::default() };
        self.with_policies(name, policies)
    }

    /// The same application, seen by a user of the account.
    pub fn with_policies(&self, name: &str, policies: Policies) -> Self {
        let principal = Principal::user(&self.account, name, format!("AIDA{name}"));
        self.signed(format!("AKIA{}{name}", self.account), Identity { principal, policies })
    }

    /// The same application, signed with an access key of the store, as the answer that made it has it.
    pub fn with_key(&self, made: &Value) -> Self {
        let part = |name: &str| made[name].as_str().unwrap().to_owned();
        Self { key: part("accessKeyId"), secret: part("secretAccessKey"), ..self.clone() }
    }

    /// The same application, signed with the key that another one is.
    pub fn with_key_of(&self, other: &Self) -> Self {
        Self { key: other.key.clone(), secret: other.secret.clone(), ..self.clone() }
    }

    fn signed(&self, key: String, identity: Identity) -> Self {
        let account = identity.principal.account.clone();
        self.app.keys.insert(Credential::new(key.clone(), Secret::new(SECRET), identity));
        Self { account, key, secret: SECRET.to_owned(), ..self.clone() }
    }

    pub fn store(&self) -> &Store {
        &self.app.store
    }

    /// What all listeners of the application serve.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    pub fn scope(&self) -> Scope {
        Scope::new(&self.account, &self.region)
    }

    /// What the ARNs of the account and region begin with, without the last colon.
    pub fn arn_prefix(&self) -> String {
        format!("arn:aws:proton:{}:{}", self.region, self.account)
    }

    /// Lets time pass, for requests and for jobs.
    pub fn pass(&self, ms: i64) {
        self.app.clock.advance(ms);
        self.app.store.db().advance_clock(ms);
    }

    /// One call of the API.
    pub async fn call(&self, operation: &str, input: Value) -> Result<Value, Refused> {
        let request = http::Request::post("http://127.0.0.1/")
            .header("host", "127.0.0.1")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target(operation))
            .body(input.to_string().into_bytes())
            .unwrap();
        let (status, body) = self.send("proton", request).await;
        let body: Value = serde_json::from_slice(&body).expect("answers are JSON");
        if status.is_success() {
            return Ok(body);
        }
        let code = body["__type"].as_str().unwrap().rsplit_once('#').unwrap().1.to_owned();
        Err(Refused { code, message: body["message"].as_str().unwrap().to_owned() })
    }

    /// One call that succeeds.
    pub async fn ok(&self, operation: &str, input: Value) -> Value {
        match self.call(operation, input.clone()).await {
            Ok(output) => output,
            Err(refused) => panic!("{operation} {input}: {refused:?}"),
        }
    }

    /// Stores an object in the embedded store, whose bucket is made if need be.
    pub async fn upload(&self, bucket: &str, key: &str, body: Vec<u8>) {
        let url = format!("http://127.0.0.1/{bucket}");
        let make = http::Request::put(&url).header("host", "127.0.0.1").body(Vec::new()).unwrap();
        self.send("s3", make).await;
        let put = http::Request::put(format!("{url}/{key}"))
            .header("host", "127.0.0.1")
            .header("content-length", body.len())
            .body(body)
            .unwrap();
        let (status, answer) = self.send("s3", put).await;
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
    }

    /// One signed request to any of the services.
    pub async fn send(&self, service: &str, request: http::Request<Vec<u8>>) -> (http::StatusCode, Vec<u8>) {
        self.exchange(self.signer(service).sign(request)).await
    }

    /// What signs requests to one of the services now.
    pub fn signer(&self, service: &str) -> Signer {
        let now = u64::try_from(self.app.clock.now_ms()).unwrap();
        let at = UNIX_EPOCH + Duration::from_millis(now);
        Signer { region: self.region.clone(), at, ..Signer::new(&self.key, &self.secret, service) }
    }

    /// One request as it is.
    pub async fn exchange(&self, request: http::Request<Vec<u8>>) -> (http::StatusCode, Vec<u8>) {
        let answer = self.router.clone().oneshot(request.map(Body::from)).await.unwrap();
        let status = answer.status();
        (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    /// What `GetEnvironmentTemplate` answers of the template `mine` to whom these keys are.
    pub async fn get_mine(&self, signer: &Signer) -> (http::StatusCode, Value) {
        let request = http::Request::post("http://127.0.0.1/")
            .header("host", "127.0.0.1")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "AwsProton20200720.GetEnvironmentTemplate")
            .body(br#"{"name":"mine"}"#.to_vec())
            .unwrap();
        let (status, body) = self.exchange(signer.sign(request)).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Runs the jobs that are due now, those too that come due meanwhile.
    pub async fn work(&self) {
        while run_one(&self.app, "test").await.unwrap() {}
    }

    /// Lets so much time pass that whatever waits is due, and runs it.
    pub async fn work_later(&self) {
        self.pass(LONG_MS);
        self.work().await;
    }

    /// Puts a job into the queue, due now.
    pub async fn enqueue(&self, job: &Job) {
        let payload = serde_json::to_string(job).unwrap();
        transaction!(self.store(), async |tx| -> Result<(), DbError> {
            let now = tx.now_ms().await?;
            let (kind, key) = (job.kind(), job.subject());
            job_enqueue(tx, &NewJob { kind, key, resource_id: key, payload: &payload, due_at: now, now }).await
        })
        .unwrap();
    }

    /// Takes the next job that is due, as a worker would that dies then.
    pub async fn claim(&self) -> Option<ClaimedJob> {
        self.app.store.job_claim("a worker that dies", 15_000).await.unwrap()
    }

    /// The id of the only row in a table.
    pub async fn only_id(&self, table: &str) -> String {
        let mut reader = self.app.store.reader().await.unwrap();
        reader.query_one(&format!("SELECT id FROM {table}"), params![]).await.unwrap().text(0).unwrap()
    }
}

/// A policy with these statements.
pub fn policy(name: &str, statements: Value) -> Arc<NamedPolicy> {
    let document = serde_json::json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let policy = IdentityPolicy::parse(&document, Attachment::Managed).unwrap_or_else(|why| panic!("{why:?}"));
    Arc::new(NamedPolicy { name: name.to_owned(), policy })
}

fn key_of(account: &str) -> String {
    format!("AKIA{account}TEST")
}
