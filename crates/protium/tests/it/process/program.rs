//! Starts the program with settings, and talks to it as a client would.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use protium::store::DatabaseUrl;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::app::{Refused, target};
use crate::support::database::{SOON, TestDb};
use crate::support::sign::Signer;

/// The key of the outbound calls.
pub(super) const OUTBOUND: (&str, &str) = ("AKIAOUTBOUNDOUTBOUND", "outbound-secret-that-nobody-should-see");

/// How the program is to be started. It knows nothing of the environment that the tests run in.
pub(super) struct Start {
    command: Command,
    data: PathBuf,
}

/// A program that was started. It is killed when it is dropped.
pub(super) struct Running {
    child: Child,
    out: Reading,
    err: Reading,
}

/// One that is ready, and a client of it.
pub(super) struct Program {
    running: Running,
    /// What the ready line said.
    pub(super) url: String,
    /// How long it took from the start to the ready line.
    pub(super) took: Duration,
    /// The root user's access key id and secret.
    pub(super) key: (String, String),
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What is left of one.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) out: String,
    pub(super) err: String,
}

impl Start {
    /// `protium serve` on a free port with its data in `data`.
    pub(super) fn in_folder(data: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_protium"));
        command
            .env_clear()
            .env("HOME", data)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", OUTBOUND.0)
            .env("AWS_SECRET_ACCESS_KEY", OUTBOUND.1)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self { command, data: data.to_owned() }
    }

    /// On a test's database, which the test has closed if it is embedded.
    pub(super) fn on(db: &TestDb) -> Self {
        let start = Self::in_folder(db.folder());
        match &db.options().db.url {
            DatabaseUrl::Sqlite(_) => start,
            DatabaseUrl::Postgres(url) => start.flag("--database-url", url),
        }
    }

    /// With nothing typed but these words.
    pub(super) fn typed(data: &Path, words: &[&str]) -> Self {
        let mut start = Self::in_folder(data);
        let mut command = Command::new(env!("CARGO_BIN_EXE_protium"));
        command.args(words).env_clear().current_dir(data).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        start.command = command;
        start
    }

    pub(super) fn flag(mut self, name: &str, value: &str) -> Self {
        self.command.args([name, value]);
        self
    }

    /// A flag that has no value.
    pub(super) fn word(mut self, word: &str) -> Self {
        self.command.arg(word);
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(super) fn without_variable(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Started by another program, which is given these words before what it is to start.
    pub(super) fn by(mut self, program: &str, words: &[&str]) -> Self {
        let own = self.command.as_std();
        let mut command = Command::new(program);
        command.args(words).arg(own.get_program()).args(own.get_args()).env_clear();
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        self.command = command;
        self
    }

    pub(super) fn running(mut self) -> Running {
        let mut child = self.command.spawn().expect("the program starts");
        let out = Reading::of(child.stdout.take().expect("a pipe"));
        let err = Reading::of(child.stderr.take().expect("a pipe"));
        Running { child, out, err }
    }

    /// Waits for the ready line.
    pub(super) async fn ready(self) -> Program {
        let (started, credentials) = (Instant::now(), self.data.join("credentials"));
        let mut running = self.running();
        let line = running.out.line_with("protium listening on ").await;
        let took = started.elapsed();
        let line = line.unwrap_or_else(|| panic!("not ready: {}\n{}", running.out.text(), running.err.text()));
        let url = line.strip_prefix("protium listening on ").expect("the whole line").to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Program { running, url, took, key: key_in(&credentials), client }
    }

    /// Waits for its end.
    pub(super) async fn ended(self) -> Ended {
        self.running().ended().await
    }
}

impl Running {
    /// Waits for a line with this text on standard error.
    pub(super) async fn logged(&mut self, text: &str) -> String {
        let line = self.err.line_with(text).await;
        line.unwrap_or_else(|| panic!("no line has '{text}':\n{}", self.err.text()))
    }

    /// Waits for a line with this text on standard output.
    pub(super) async fn printed(&mut self, text: &str) -> String {
        let line = self.out.line_with(text).await;
        line.unwrap_or_else(|| panic!("no line has '{text}':\n{}\n{}", self.out.text(), self.err.text()))
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends a signal by its name, as an operator would.
    async fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().await.expect("a shell");
        assert!(sent.success(), "{kill}");
    }

    /// Sends a signal and waits for the end.
    pub(super) async fn stop(self, signal: &str) -> Ended {
        self.signal(signal).await;
        self.ended().await
    }

    pub(super) async fn ended(self) -> Ended {
        let Self { mut child, out, err } = self;
        let Ok(status) = tokio::time::timeout(SOON, child.wait()).await else {
            panic!("the program does not end\n{}\n{}", out.text(), err.text())
        };
        Ended { status: status.expect("a status"), out: out.whole().await, err: err.whole().await }
    }
}

impl Program {
    /// The same process still, whose listener is reached at another address than it says.
    pub(super) fn at(mut self, url: &str) -> Self {
        self.url = url.to_owned();
        self
    }

    pub(super) fn port(&self) -> u16 {
        self.url.rsplit_once(':').expect("a port").1.parse().expect("a port")
    }

    pub(super) fn id(&self) -> u32 {
        self.running.id()
    }

    /// What it has written to standard error so far.
    pub(super) fn log(&self) -> String {
        self.running.err.text()
    }

    /// What it has written to standard output so far.
    pub(super) fn printed(&self) -> String {
        self.running.out.text()
    }

    pub(super) fn signer(&self, service: &str) -> Signer {
        Signer { region: "us-east-1".to_owned(), ..Signer::new(&self.key.0, &self.key.1, service) }
    }

    /// Waits for a line with this text on standard error.
    pub(super) async fn logged(&mut self, text: &str) -> String {
        self.running.logged(text).await
    }

    /// Sends a signal by its name.
    pub(super) async fn signal(&self, name: &str) {
        self.running.signal(name).await;
    }

    /// `kill -9`, and waits until it is gone.
    pub(super) async fn kill(self) -> Ended {
        self.running.stop("KILL").await
    }

    /// Sends a signal and waits for the end.
    pub(super) async fn stop(self, signal: &str) -> Ended {
        self.running.stop(signal).await
    }

    /// Sends a signal, and waits until it says that it is stopping.
    pub(super) async fn stopping(mut self, signal: &str) -> Running {
        self.running.signal(signal).await;
        self.running.logged("stopping").await;
        self.running
    }

    /// Sends a request as it is.
    pub(super) async fn send(&self, request: Request<Vec<u8>>) -> (StatusCode, Vec<u8>) {
        let answer = self.client.request(request.map(|body| Full::new(body.into()))).await;
        let answer = answer.unwrap_or_else(|why| panic!("no answer: {why:?}\n{}", self.log()));
        let status = answer.status();
        (status, answer.into_body().collect().await.expect("a whole answer").to_bytes().to_vec())
    }

    pub(super) async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Request::get(format!("{}{path}", self.url)).body(Vec::new()).unwrap();
        let (status, body) = self.send(request).await;
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// One call of the API, signed with `signer`.
    pub(super) async fn call_as(&self, signer: &Signer, operation: &str, input: Value) -> Result<Value, Refused> {
        let request = Request::post(format!("{}/", self.url))
            .header("host", self.host())
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", target(operation))
            .body(input.to_string().into_bytes())
            .unwrap();
        let (status, body) = self.send(signer.sign(request)).await;
        let body: Value = serde_json::from_slice(&body).unwrap_or_else(|_| panic!("{status}: {body:?}"));
        if status.is_success() {
            return Ok(body);
        }
        let code = body["__type"].as_str().unwrap().rsplit_once('#').unwrap().1.to_owned();
        Err(Refused { code, message: body["message"].as_str().unwrap().to_owned() })
    }

    /// One call of the API by the root user.
    pub(super) async fn call(&self, operation: &str, input: Value) -> Result<Value, Refused> {
        self.call_as(&self.signer("proton"), operation, input).await
    }

    /// One call that succeeds.
    pub(super) async fn ok(&self, operation: &str, input: Value) -> Value {
        match self.call(operation, input.clone()).await {
            Ok(output) => output,
            Err(refused) => panic!("{operation} {input}: {refused:?}\n{}", self.log()),
        }
    }

    /// Stores an object in the embedded store, whose bucket is made if need be.
    pub(super) async fn upload(&self, bucket: &str, key: &str, body: Vec<u8>) {
        let url = format!("{}/{bucket}", self.url);
        let make = Request::put(&url).header("host", self.host()).body(Vec::new()).unwrap();
        self.send(self.signer("s3").sign(make)).await;
        let put = Request::put(format!("{url}/{key}"))
            .header("host", self.host())
            .header("content-length", body.len())
            .body(body)
            .unwrap();
        let (status, answer) = self.send(self.signer("s3").sign(put)).await;
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
    }

    fn host(&self) -> &str {
        self.url.split_once("://").expect("a URL").1
    }
}

impl Ended {
    /// Its exit status is `code`, standard error has all of `said`, and standard output has nothing.
    #[track_caller]
    pub(super) fn refused(&self, code: i32, said: &[&str]) {
        assert_eq!(self.status.code(), Some(code), "{}", self.err);
        assert_eq!(self.out, "", "{}", self.err);
        for word in said {
            assert!(self.err.contains(word), "'{word}' is not said:\n{}", self.err);
        }
    }
}

/// Id and secret in a credentials file.
pub(super) fn key_in(file: &Path) -> (String, String) {
    let text = std::fs::read_to_string(file).expect("a credentials file");
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        line.unwrap_or_else(|| panic!("no {name}")).to_owned()
    };
    (value("aws_access_key_id"), value("aws_secret_access_key"))
}

/// Asks again and again until there is an answer.
pub(super) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let asking = async {
        loop {
            ticks.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    match tokio::time::timeout(SOON, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("{what}: it did not happen"),
    }
}

/// The lines that a program writes, kept while it writes them.
struct Reading {
    text: Arc<Mutex<String>>,
    grown: watch::Receiver<()>,
    task: JoinHandle<()>,
}

impl Reading {
    fn of(pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (text, (grow, grown)) = (Arc::<Mutex<String>>::default(), watch::channel(()));
        let kept = Arc::clone(&text);
        let task = tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
                grow.send_replace(());
            }
        });
        Self { text, grown, task }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// The first line that has `text` in it; `None` if there is none at the end or for too long.
    async fn line_with(&mut self, text: &str) -> Option<String> {
        let reading = async {
            loop {
                if let Some(line) = self.text().lines().find(|line| line.contains(text)) {
                    return Some(line.to_owned());
                }
                self.grown.changed().await.ok()?;
            }
        };
        tokio::time::timeout(SOON, reading).await.ok().flatten()
    }

    /// All of it, when the program has closed its end.
    async fn whole(self) -> String {
        self.task.await.expect("read");
        let text = self.text.lock().unwrap();
        text.clone()
    }
}
