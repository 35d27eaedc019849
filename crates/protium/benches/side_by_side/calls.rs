//! Single calls of APIs that speak JSON under a target, and pools of them for load.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::load::{Connection, Pool};
use crate::sign::{REGION, Request};

/// An API: the name that it is signed for, the prefix of its targets, its kind of JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Api {
    service: &'static str,
    prefix: &'static str,
    content_type: &'static str,
}

pub(crate) const PROTON: Api =
    Api { service: "proton", prefix: "AwsProton20200720", content_type: "application/x-amz-json-1.0" };
pub(crate) const CODEBUILD: Api =
    Api { service: "codebuild", prefix: "CodeBuild_20161006", content_type: "application/x-amz-json-1.1" };

/// How many differently signed requests take turns.
const VARIANTS: u64 = 64;

impl Api {
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
        let (service, body) = (self.service, body.as_bytes());
        Request { service, region, method: "POST", path: "/", headers: &headers, body }.bytes(address, age)
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
