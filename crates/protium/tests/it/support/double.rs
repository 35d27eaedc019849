//! The application in front of the CloudFormation double: templates and environments to deploy, jobs that run to
//! their end on a clock that only the test moves, and a line to the double that can be cut.

use super::app::{Refused, TestApp};
use super::bundle;
use super::database::TestDb;
use protium::config::Config;
use protium::store::{DbError, DbErrorKind, Store, job_next_due};
use protium::worker::run_one;
use protium_domain::id::Id;
use protium_domain::job::Job;
use protium_engines::double::Double;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A role in the account of the tests.
pub const ROLE: &str = "arn:aws:iam::000000000000:role/deploy";
/// A CloudFormation template whose literal outputs the double gives back.
pub const STACK: &str = r#"{
  "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "{{ environment.inputs.size }}"}}},
  "Outputs": {"Name": {"Value": "{{ environment.name }}"}, "Size": {"Value": "{{ environment.inputs.size }}"}}
}"#;
const INSTANCE: [(&str, &str); 3] = [
    ("schema/schema.yaml", "schema:\n  format:\n    openapi: \"3.0.0\"\n"),
    ("instance_infrastructure/manifest.yaml", bundle::CLOUDFORMATION_MANIFEST),
    ("instance_infrastructure/cloudformation.yaml", r#"{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}"#),
];
/// More rounds than any deployment of a test takes.
const ROUNDS: usize = 300;

/// An application whose outbound calls go to a double of its own.
pub struct Site {
    pub app: TestApp,
    pub double: Arc<Double>,
}

impl Site {
    /// With the template `env`, whose only version 1.0 is published.
    pub async fn on(db: &TestDb) -> Self {
        Self::with(db, |_| {}).await
    }

    /// The same, with changed settings.
    pub async fn with(db: &TestDb, change: impl FnOnce(&mut Config)) -> Self {
        let site = Self::bare(db, change).await;
        site.register("env", &environment(STACK), None).await;
        site.publish("env", "1.0").await;
        site
    }

    /// Without any template.
    pub async fn bare(db: &TestDb, change: impl FnOnce(&mut Config)) -> Self {
        let double = Arc::new(Double::start().await.unwrap());
        let app = app_at(db, &double.url(), change).await;
        Self { app, double }
    }

    /// The same application in another region, where there is nothing yet.
    pub fn in_region(&self, region: &str) -> Self {
        Self { app: self.app.in_region(region), double: Arc::clone(&self.double) }
    }

    /// Ends the process, and begins another one on the same database with the default settings.
    pub async fn restart(self, db: &mut TestDb) -> Self {
        let Self { app, double } = self;
        drop(app);
        db.restart().await;
        let app = app_at(db, &double.url(), |_| {}).await;
        Self { app, double }
    }

    /// Registers a version of an environment template, which is made if need be; answers its number.
    pub async fn register(&self, template: &str, files: &[(&str, &str)], major: Option<&str>) -> String {
        let app = &self.app;
        if app.call("GetEnvironmentTemplate", json!({ "name": template })).await.is_err() {
            app.ok("CreateEnvironmentTemplate", json!({ "name": template })).await;
        }
        let key = format!("{}.tar.gz", uuid::Uuid::new_v4());
        app.upload("bundles", &key, bundle::pack(files)).await;
        let source = json!({ "s3": { "bucket": "bundles", "key": key } });
        let input = json!({ "templateName": template, "source": source, "majorVersion": major });
        let version = app.ok("CreateEnvironmentTemplateVersion", input).await["environmentTemplateVersion"].clone();
        app.work().await;
        let number = format!("{}.{}", text(&version["majorVersion"]), text(&version["minorVersion"]));
        let registered = app.ok("GetEnvironmentTemplateVersion", version_of(template, &number)).await;
        assert_eq!(registered["environmentTemplateVersion"]["status"], "DRAFT", "{registered}");
        number
    }

    pub async fn publish(&self, template: &str, version: &str) {
        let mut input = version_of(template, version);
        input["status"] = "PUBLISHED".into();
        self.app.ok("UpdateEnvironmentTemplateVersion", input).await;
    }

    /// A version that is registered and published; answers its number.
    pub async fn published(&self, template: &str, files: &[(&str, &str)], major: Option<&str>) -> String {
        let version = self.register(template, files, major).await;
        self.publish(template, &version).await;
        version
    }

    /// A service template without a pipeline, whose version 1.0 works with `env` 1 and is published.
    pub async fn service_template(&self, name: &str) {
        let app = &self.app;
        app.ok("CreateServiceTemplate", json!({ "name": name, "pipelineProvisioning": "CUSTOMER_MANAGED" })).await;
        let key = format!("{}.tar.gz", uuid::Uuid::new_v4());
        app.upload("bundles", &key, bundle::pack(&INSTANCE)).await;
        let input = json!({
            "templateName": name, "source": { "s3": { "bucket": "bundles", "key": key } },
            "compatibleEnvironmentTemplates": [{ "templateName": "env", "majorVersion": "1" }],
        });
        app.ok("CreateServiceTemplateVersion", input).await;
        app.work().await;
        let mut input = version_of(name, "1.0");
        input["status"] = "PUBLISHED".into();
        app.ok("UpdateServiceTemplateVersion", input).await;
    }

    /// The input of a create on `svc` 1 with one instance, `one`.
    pub fn service(&self, name: &str, environment: &str) -> Value {
        let spec =
            format!("proton: ServiceSpec\ninstances:\n  - name: one\n    environment: {environment}\n    spec: {{}}\n");
        json!({ "name": name, "templateName": "svc", "templateMajorVersion": "1", "spec": spec })
    }

    /// Creates the environment on `env` 1 and takes it to its end.
    pub async fn deployed(&self, name: &str) -> Value {
        self.app.ok("CreateEnvironment", create(name)).await;
        self.finish().await;
        let environment = self.get(name).await;
        assert_eq!(environment["deploymentStatus"], "SUCCEEDED", "{environment}");
        environment
    }

    pub async fn get(&self, name: &str) -> Value {
        self.app.ok("GetEnvironment", json!({ "name": name })).await["environment"].clone()
    }

    /// The status and the message that GetEnvironment shows.
    pub async fn status(&self, name: &str) -> (String, String) {
        let environment = self.get(name).await;
        let message = environment["deploymentStatusMessage"].as_str().unwrap_or_default();
        (text(&environment["deploymentStatus"]).to_owned(), message.to_owned())
    }

    pub async fn is_gone(&self, name: &str) -> bool {
        match self.app.call("GetEnvironment", json!({ "name": name })).await {
            Ok(_) => false,
            Err(refused) => {
                assert_eq!(refused.code, "ResourceNotFoundException");
                true
            }
        }
    }

    /// The outputs as an object.
    pub async fn outputs(&self, name: &str) -> Value {
        let answer = self.app.ok("ListEnvironmentOutputs", json!({ "environmentName": name })).await;
        let outputs = answer["outputs"].as_array().unwrap().iter();
        outputs.map(|one| (text(&one["key"]).to_owned(), one["valueString"].clone())).collect()
    }

    /// The records of an environment, the newest first.
    pub async fn records(&self, name: &str) -> Vec<Value> {
        let answer = self.app.ok("ListDeployments", json!({ "environmentName": name })).await;
        let mut records = Vec::new();
        for one in answer["deployments"].as_array().unwrap() {
            records.push(self.app.ok("GetDeployment", json!({ "id": one["id"] })).await["deployment"].clone());
        }
        records
    }

    pub async fn update(&self, input: Value) -> Result<Value, Refused> {
        self.app.call("UpdateEnvironment", input).await.map(|output| output["environment"].clone())
    }

    pub async fn delete(&self, name: &str) -> Result<Value, Refused> {
        self.app.call("DeleteEnvironment", json!({ "name": name })).await
    }

    pub async fn cancel(&self, name: &str) -> Result<Value, Refused> {
        let input = json!({ "environmentName": name });
        self.app.call("CancelEnvironmentDeployment", input).await.map(|output| output["environment"].clone())
    }

    /// Runs all jobs to their end; time passes as they ask for.
    pub async fn finish(&self) {
        finish(&self.app).await;
    }

    /// The names of the stacks that were created, the first one first.
    pub fn stacks(&self) -> Vec<String> {
        let created = self.double.calls().into_iter().filter(|call| call.action == "CreateStack" && call.effective);
        created.map(|call| call.parameters["StackName"].clone()).collect()
    }

    /// How often stacks were created, updated and deleted.
    pub fn effects(&self) -> [usize; 3] {
        ["CreateStack", "UpdateStack", "DeleteStack"].map(|action| self.double.effects(action))
    }
}

/// The application that calls AWS at `url`.
pub async fn app_at(db: &TestDb, url: &str, change: impl FnOnce(&mut Config)) -> TestApp {
    let url = url.to_owned();
    TestApp::with(db, |config| {
        config.aws_endpoint_url = Some(url);
        change(config);
    })
    .await
}

/// Runs all jobs to their end; time passes as they ask for.
pub async fn finish(app: &TestApp) {
    for _ in 0..ROUNDS {
        app.work().await;
        let Some(wait) = until_due(app.store()).await else { return };
        app.pass(wait);
    }
    panic!("the jobs do not come to an end");
}

/// Cuts the application off from its database at the call of that number, counted from 1, and ever after. Answers how
/// many there were.
pub fn cut_off_at(app: &TestApp, number: usize) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    app.store().db().set_probe(Some(Arc::new(move |_| match counted.fetch_add(1, Ordering::SeqCst) + 1 {
        call if call < number => Ok(()),
        _ => Err(DbError::new(DbErrorKind::Unavailable, "cut off, for the test")),
    })));
    calls
}

/// Runs jobs until one of them, or the claim of one, can't be run: the database is away. `true` if all ended.
pub async fn work_until_cut_off(app: &TestApp) -> bool {
    for _ in 0..ROUNDS {
        match run_one(&app.app, "test").await {
            Ok(true) => {}
            Ok(false) => {
                let Ok(mut reader) = app.store().reader().await else { return false };
                let (Ok(now), Ok(next)) = (reader.now_ms().await, job_next_due(&mut reader).await) else {
                    return false;
                };
                let Some(next) = next else { return true };
                app.pass((next - now).max(0));
            }
            Err(_) => return false,
        }
    }
    panic!("the jobs do not come to an end");
}

/// In how many milliseconds the next job can be claimed, if there is one.
async fn until_due(store: &Store) -> Option<i64> {
    let mut reader = store.reader().await.unwrap();
    let now = reader.now_ms().await.unwrap();
    let next = job_next_due(&mut reader).await.unwrap()?;
    Some((next - now).max(0))
}

/// Enqueues the job of a deployment once more.
pub async fn enqueue_again(app: &TestApp, deployment: &str) {
    app.enqueue(&Job::Deploy { deployment: Id::parse(deployment).unwrap() }).await;
}

/// The files of an environment bundle whose template is `stack`.
pub fn environment(stack: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("schema/schema.yaml", bundle::ENVIRONMENT_SCHEMA),
        ("infrastructure/manifest.yaml", bundle::CLOUDFORMATION_MANIFEST),
        ("infrastructure/cloudformation.yaml", stack),
    ]
}

/// The spec of an environment of that size.
pub fn spec(size: &str) -> String {
    format!("proton: EnvironmentSpec\nspec:\n  size: {size}\n")
}

/// The input of a create on `env` 1.
pub fn create(name: &str) -> Value {
    json!({
        "name": name, "templateName": "env", "templateMajorVersion": "1", "spec": spec("large"),
        "protonServiceRoleArn": ROLE,
    })
}

/// The input of an update to another size.
pub fn resize(name: &str, size: &str) -> Value {
    json!({ "name": name, "deploymentType": "CURRENT_VERSION", "spec": spec(size) })
}

/// The members that name a template version.
pub fn version_of(template: &str, version: &str) -> Value {
    let (major, minor) = version.split_once('.').unwrap();
    json!({ "templateName": template, "majorVersion": major, "minorVersion": minor })
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A line to the double, which can be cut and mended. Its port stays reserved while it is cut.
pub struct Line {
    address: SocketAddr,
    double: SocketAddr,
    /// What passes connections on, which ends with its sender.
    passing: Option<(JoinHandle<()>, watch::Sender<()>)>,
    reserved: Option<TcpSocket>,
}

impl Line {
    /// A mended one.
    pub async fn to(double: &Double) -> Self {
        let reserved = reserve(([127, 0, 0, 1], 0).into());
        let address = reserved.local_addr().unwrap();
        let double = double.url().strip_prefix("http://").unwrap().parse().unwrap();
        let mut line = Self { address, double, passing: None, reserved: Some(reserved) };
        line.mend();
        line
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends all connections, which whoever called knows when it returns; new ones are refused.
    pub async fn cut(&mut self) {
        let (passing, until) = self.passing.take().expect("the line is mended");
        self.reserved = Some(reserve(self.address));
        drop(until);
        passing.await.unwrap();
    }

    pub fn mend(&mut self) {
        let listener = self.reserved.take().expect("the line is cut").listen(64).unwrap();
        let (until, cut) = watch::channel(());
        self.passing = Some((tokio::spawn(forward(listener, self.double, cut)), until));
    }
}

fn reserve(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// Passes on bytes both ways, until the line is cut.
async fn forward(listener: TcpListener, double: SocketAddr, mut cut: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // Whoever is connected already is told of the cut, too.
            biased;
            accepted = listener.accept() => {
                connections.spawn(pass_on(accepted.unwrap().0, double, cut.clone()));
            }
            _ = cut.changed() => break,
        }
    }
    drop(listener);
    connections.join_all().await;
}

async fn pass_on(mut near: TcpStream, double: SocketAddr, mut cut: watch::Receiver<()>) {
    let both_ways = async {
        if let Ok(mut far) = TcpStream::connect(double).await {
            // One side went away: so does the other.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
    };
    tokio::select! {
        () = both_ways => return,
        _ = cut.changed() => {}
    }
    // The caller keeps connections. Its answer to the end of this one is to close it: it calls nobody on it then.
    let _ = near.shutdown().await;
    let _ = tokio::io::copy(&mut near, &mut tokio::io::sink()).await;
}
