//! What every chapter uses: the clients, what of them was used, and the macros that use it.
//!
//! Each operation of the SDK is a type of its own, so what is the same for all of them is macros here.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use aws_config::BehaviorVersion;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_proton::Client;
use aws_sdk_proton::config::{AsyncSleep, Credentials, Sleep};
use aws_sdk_proton::primitives::DateTime;
use aws_sdk_proton::types::Output;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long a waiter may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// All entries of a list, of which there are `$count` or more; those of the pages are those of one large page.
macro_rules! listed {
    ($story:ident, $client:expr, $operation:ident => $entries:ident, $count:expr $(, $member:ident = $value:expr)*) => {{
        let request = $client.$operation()$(.$member($value))*;
        let whole = request.clone().max_results(100).send().await?;
        anyhow::ensure!(whole.next_token().is_none(), "one large page is not all of {}", stringify!($operation));
        let mut stream = request.into_paginator().page_size(1).send();
        let mut pages = Vec::new();
        while let Some(page) = stream.next().await {
            pages.push(page?.$entries().to_vec());
        }
        anyhow::ensure!($count >= 2 && pages.iter().all(|page| page.len() <= 1), "pages of one entry: {pages:?}");
        $story.paginated(stringify!($operation), $count, pages.concat(), whole.$entries())?
    }};
}

/// Likewise, of an operation that has no sizes of pages.
macro_rules! listed_whole {
    ($story:ident, $operation:ident => $entries:ident, $count:expr $(, $member:ident = $value:expr)*) => {{
        let request = $story.proton.$operation()$(.$member($value))*;
        let whole = request.clone().send().await?;
        let mut stream = request.into_paginator().send();
        let mut entries = Vec::new();
        while let Some(page) = stream.next().await {
            entries.extend(page?.$entries().to_vec());
        }
        $story.paginated(stringify!($operation), $count, entries, whole.$entries())?
    }};
}

/// Waits until it comes true.
macro_rules! wait {
    ($story:ident, $waiter:ident $(, $member:ident = $value:expr)*) => {{
        let waited = $story.proton.$waiter()$(.$member($value))*.wait(crate::teller::PATIENCE).await;
        waited.map_err(|error| anyhow::anyhow!("{}: {error:?}", stringify!($waiter)))?;
        $story.waited(stringify!($waiter));
    }};
}

/// Waits until it can't come true any more.
macro_rules! wait_fails {
    ($story:ident, $waiter:ident $(, $member:ident = $value:expr)*) => {{
        let waited = $story.proton.$waiter()$(.$member($value))*.wait(crate::teller::PATIENCE).await;
        anyhow::ensure!(
            matches!(waited, Err(aws_smithy_runtime_api::client::waiters::error::WaiterError::FailureState(_))),
            "{}: {waited:?}", stringify!($waiter)
        );
        $story.failed(stringify!($waiter));
    }};
}

/// The message of the modelled error that a request must end with.
macro_rules! refused {
    ($request:expr, $is_expected:ident) => {{
        let error = match $request.send().await {
            Ok(answer) => anyhow::bail!("{} came true: {answer:?}", stringify!($request)),
            Err(error) => error,
        };
        anyhow::ensure!(
            error.as_service_error().is_some_and(|error| error.$is_expected()),
            "not {}: {error:?}",
            stringify!($is_expected)
        );
        let message = aws_sdk_proton::error::ProvideErrorMetadata::message(&error).unwrap_or_default().to_owned();
        anyhow::ensure!(!message.is_empty(), "no message: {error:?}");
        message
    }};
}

/// What the story is told of its place; see `run.py`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Setting {
    pub(crate) prefix: String,
    pub(crate) region: String,
    pub(crate) account: String,
    emulator: String,
    emulator_key: String,
    folder: String,
    pub(crate) other: Other,
    has: Has,
}

/// The other account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Other {
    pub(crate) account: String,
    access_key_id: String,
    secret_access_key: String,
}

/// What the SDK has, from its source.
#[derive(Deserialize)]
struct Has {
    paginators: BTreeSet<String>,
    waiters: BTreeSet<String>,
}

/// Waiters of this SDK have a pace of their own, five seconds and more. The story has not that long.
#[derive(Debug)]
struct Hasty;

impl AsyncSleep for Hasty {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration / 20))
    }
}

pub(crate) struct Story {
    pub(crate) setting: Setting,
    pub(crate) proton: Client,
    pub(crate) other: Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) role: String,
    /// The ids of the connections that are accepted, and are not.
    pub(crate) connections: Vec<String>,
    began: Instant,
    paginated: BTreeSet<String>,
    waited: BTreeSet<String>,
    failed: BTreeSet<String>,
}

impl Story {
    /// Clients with nothing but the variables that every AWS client reads, in one account and in the other.
    pub(crate) async fn new(setting: Setting) -> Self {
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .sleep_impl(Hasty)
            // They are measured with the same sleep.
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let config = loader.load().await;
        let other = &setting.other;
        let key = Credentials::new(&other.access_key_id, &other.secret_access_key, None, None, "the other account");
        let other = aws_sdk_proton::config::Builder::from(&config).credentials_provider(key).build();
        Self {
            proton: Client::new(&config),
            other: Client::from_conf(other),
            sts: aws_sdk_sts::Client::new(&config),
            role: format!("arn:aws:iam::{}:role/protium", setting.account),
            setting,
            connections: Vec::new(),
            began: Instant::now(),
            paginated: BTreeSet::new(),
            waited: BTreeSet::new(),
            failed: BTreeSet::new(),
        }
    }

    pub(crate) fn note(&self, text: &str) {
        println!("[{:4}s] {text}", self.began.elapsed().as_secs());
    }

    pub(crate) fn paginated<T>(&mut self, name: &str, count: usize, paged: Vec<T>, whole: &[T]) -> Result<Vec<T>>
    where
        T: PartialEq + Debug,
    {
        ensure!(paged == whole, "{name}: the pages are {paged:#?}, one large page is {whole:#?}");
        ensure!(paged.len() >= count, "{name}: {paged:?}");
        self.paginated.insert(name.to_owned());
        Ok(paged)
    }

    pub(crate) fn waited(&mut self, method: &str) {
        self.waited.insert(method.trim_start_matches("wait_until_").to_owned());
    }

    pub(crate) fn failed(&mut self, method: &str) {
        self.failed.insert(method.trim_start_matches("wait_until_").to_owned());
    }

    pub(crate) fn nothing_was_left_out(&self) -> Result<()> {
        for (what, used, known) in [
            ("paginators", &self.paginated, &self.setting.has.paginators),
            ("waiters", &self.waited, &self.setting.has.waiters),
            ("waiters into their failure state", &self.failed, &self.setting.has.waiters),
        ] {
            ensure!(!known.is_empty() && used == known, "{what}: there are {known:?}, and used were {used:?}");
            self.note(&format!("all {} {what} were used", used.len()));
        }
        Ok(())
    }

    pub(crate) fn is_recent(&self, moment: &DateTime) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        let age = now - moment.as_secs_f64();
        ensure!((-60.0..self.began.elapsed().as_secs_f64() + 60.0).contains(&age), "{moment:?} is no moment of now");
        Ok(())
    }

    pub(crate) fn file(&self, name: &str) -> Result<String> {
        std::fs::read_to_string(Path::new(&self.setting.folder).join(name)).context(name.to_owned())
    }

    pub(crate) fn connection_arn(&self) -> String {
        let Setting { region, account, .. } = &self.setting;
        format!("arn:aws:codestar-connections:{region}:{account}:connection/2f7c1d8e-5a54-4c0b-9d63-0f6f5a3c9b11")
    }

    /// A spec of an environment, with the given inputs beside its bucket.
    pub(crate) fn environment_spec(&self, name: &str, mut inputs: Value) -> String {
        inputs["bucket"] = format!("{}-{name}", self.setting.prefix).into();
        json!({ "proton": "EnvironmentSpec", "spec": inputs }).to_string()
    }

    /// Puts something into a bucket that a stack has made, or takes it out: CloudFormation deletes only empty ones.
    pub(crate) async fn outside(&self, method: &str, bucket: &str) -> Result<()> {
        let host = self.setting.emulator.trim_start_matches("http://");
        let body = if method == "PUT" { "kept" } else { "" };
        let length = body.len();
        let mut stream = tokio::net::TcpStream::connect(host).await?;
        let head = format!("{method} /{bucket}/kept HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}");
        let key = &self.setting.emulator_key;
        let request = format!("{head}\r\nauthorization: {key}\r\nconnection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        ensure!(answer.split_whitespace().nth(1).is_some_and(|status| status.starts_with('2')), "{head}: {answer}");
        Ok(())
    }
}

/// A spec of the service: of its pipeline, and of its instances, of which `prod` is in the other environment.
pub(crate) fn service_spec(pipeline: Value, instances: &[(&str, Value)]) -> String {
    let instances: Vec<_> = instances
        .iter()
        .map(|(name, inputs)| {
            let environment = if *name == "prod" { "shared" } else { "alpha" };
            json!({ "name": name, "environment": environment, "spec": inputs })
        })
        .collect();
    json!({ "proton": "ServiceSpec", "pipeline": pipeline, "instances": instances }).to_string()
}

/// The value of an output.
pub(crate) fn value<'a>(outputs: &'a [Output], key: &str) -> Result<&'a str> {
    let found = outputs.iter().find(|output| output.key() == Some(key));
    found.and_then(Output::value_string).with_context(|| format!("no output {key}"))
}
