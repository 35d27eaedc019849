//! Single calls of APIs that speak JSON under a target, and pools of them for load.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::load::{Connection, Pool};
use crate::sign::{Key, REGION, ROOT, Request};

/// An API: the name that it is signed for, the prefix of its targets, its kind of JSON, and who calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Api<'a> {
    service: &'static str,
    prefix: &'static str,
    content_type: &'static str,
    key: Key<'a>,
}

pub(crate) const PROTON: Api<'_> =
    Api { service: "proton", prefix: "AwsProton20200720", content_type: "application/x-amz-json-1.0", key: ROOT };
/// The operations that only Protium has.
pub(crate) const PROTIUM: Api<'_> = Api { prefix: "Protium20261201", ..PROTON };
pub(crate) const CODEBUILD: Api<'_> =
    Api { service: "codebuild", prefix: "CodeBuild_20161006", content_type: "application/x-amz-json-1.1", key: ROOT };

/// How many differently signed requests take turns.
const VARIANTS: u64 = 64;

impl<'a> Api<'a> {
    /// What its calls are signed with.
    pub(crate) fn key(self) -> Key<'a> {
        self.key
    }

    /// The same, called with another key.
    pub(crate) fn signed_with(self, key: Key<'a>) -> Self {
        Self { key, ..self }
    }

    /// One signed request as it goes over the wire.
    pub(crate) fn request(self, address: SocketAddr, operation: &str, input: &Value) -> Result<Vec<u8>> {
        self.bytes(address, REGION, operation, input, Duration::ZERO)
    }

    fn bytes(
        self,
        address: SocketAddr,
        region: &str,
        operation: &str,
        input: &Value,
        age: Duration,
    ) -> Result<Vec<u8>> {
        let target = format!("{}.{operation}", self.prefix);
        let headers = [("content-type", self.content_type), ("x-amz-target", target.as_str())];
        let body = input.to_string();
        let (service, key, body) = (self.service, self.key, body.as_bytes());
        Request { service, region, method: "POST", path: "/", headers: &headers, body, key }.bytes(address, age)
    }

    /// One call; what it answers.
    pub(crate) async fn call(self, address: SocketAddr, operation: &str, input: &Value) -> Result<Value> {
        let body = self.raw(address, operation, input).await?;
        serde_json::from_slice(&body).with_context(|| format!("{operation} answered no JSON"))
    }

    /// One call; the bytes that it answers.
    pub(crate) async fn raw(self, address: SocketAddr, operation: &str, input: &Value) -> Result<Vec<u8>> {
        let request = self.bytes(address, REGION, operation, input, Duration::ZERO)?;
        let mut connection = Connection::open(address).await?;
        let answer = connection.exchange(&request).await?;
        if answer.status != 200 {
            bail!("{operation} answered {}: {}", answer.status, String::from_utf8_lossy(answer.body));
        }
        Ok(answer.body.to_vec())
    }

    /// One request again and again; each time that it comes round it has another signature than the one before.
    pub(crate) fn pool(self, address: SocketAddr, operation: &str, input: &Value) -> Result<Pool> {
        let ages = (0..VARIANTS).map(Duration::from_secs);
        let requests = ages.map(|age| self.bytes(address, REGION, operation, input, age)).collect::<Result<_>>()?;
        Ok(Pool { requests, again: true })
    }

    /// Each request once, in its region.
    pub(crate) fn once(self, address: SocketAddr, operation: &str, inputs: &[(String, Value)]) -> Result<Pool> {
        let requests =
            inputs.iter().map(|(region, input)| self.bytes(address, region, operation, input, Duration::ZERO));
        Ok(Pool { requests: requests.collect::<Result<_>>()?, again: false })
    }
}
