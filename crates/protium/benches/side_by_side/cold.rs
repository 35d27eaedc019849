//! Memory at rest, and the time from start to ready.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use crate::calls::PROTON;
use crate::figure::Figure;
use crate::load::Connection;
use crate::process::Process;
use crate::rounds::median;
use crate::{note, site};

const STARTS: usize = 10;
/// How long it is left alone before its memory is read.
const REST: Duration = Duration::from_secs(5);
/// Nobody answers there; nothing here calls AWS.
const NO_AWS: &str = "http://127.0.0.1:9";

pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let empty = tempfile::tempdir()?;
        fresh.push(start(empty.path()).await?.0);
        again.push(start(folder.path()).await?.0);
    }
    let (_, protium) = start(folder.path()).await?;
    for operation in ["ListServices", "ListEnvironments", "ListEnvironmentTemplates", "GetAccountSettings"] {
        for _ in 0..5 {
            PROTON.call(protium.address(), operation, &json!({})).await?;
        }
    }
    tokio::time::sleep(REST).await;
    let (all, own) = (protium.memory("VmRSS")? / 1024.0, protium.memory("RssAnon")? / 1024.0);
    let (fresh, again) = (median(fresh), median(again));
    note(format!(
        "memory: {all:.1} MB, of which {own:.1} MB are not files; start: {again:.0} ms, the first one {fresh:.0} ms"
    ));
    Ok(vec![
        Figure::bound("memory at rest, SQLite", all, format!("{own:.1} MB without mapped files"), 40.0, "MB"),
        Figure::bound("cold start to ready, SQLite", again, "", 150.0, "ms"),
        Figure::bound("the same in an empty folder", fresh, "", 150.0, "ms"),
    ])
}

/// Starts a server and waits until it says that it is ready; how long that took, in milliseconds.
async fn start(folder: &std::path::Path) -> Result<(f64, Process)> {
    let command = site::protium(folder, NO_AWS)?;
    let began = Instant::now();
    let protium = Process::start(command)?;
    let mut connection = Connection::open(protium.address()).await?;
    let answer = connection.exchange(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
    if answer.status != 200 {
        bail!("/readyz answered {}", answer.status);
    }
    Ok((began.elapsed().as_secs_f64() * 1000.0, protium))
}
