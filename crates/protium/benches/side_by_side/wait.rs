//! Waiting for what an API shows to come true.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use crate::calls::PROTON;

/// The longest that anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Calls an operation every `pause` until the text at `pointer` is `wanted`; fails when it ends in `_FAILED`.
pub(crate) async fn until(
    address: SocketAddr,
    operation: &str,
    input: &Value,
    pointer: &str,
    wanted: &str,
    pause: Duration,
) -> Result<Instant> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = PROTON.call(address, operation, input).await?;
        let seen = Instant::now();
        let status = answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        if status == wanted {
            return Ok(seen);
        }
        if status.ends_with("FAILED") || seen > deadline {
            bail!("{operation} shows '{status}' instead of '{wanted}': {answer}");
        }
        tokio::time::sleep(pause).await;
    }
}
