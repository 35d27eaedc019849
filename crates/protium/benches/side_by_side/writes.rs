//! CreateEnvironmentTemplate beside transactions that insert one row, and beside a server that keeps no audit log. All of
//! them wait for the disk.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::calls::PROTON;
use crate::figure::Figure;
use crate::rounds::{Contender, race};
use crate::site::{Database, Site};
use crate::{Effort, load, process};

const CLIENTS: usize = 16;
/// Templates in one region; the default quota is 1,000.
const IN_A_REGION: usize = 500;
/// More than any machine creates in a second: each request is signed before, and used once.
const PER_SECOND: f64 = 12_000.0;

/// What creates must keep of their throughput when they leave records.
const RECORDED: f64 = 0.80;

pub(crate) async fn measure(site: &Site, effort: Effort) -> Result<Vec<Figure>> {
    let name = site.database.name();
    let part = match site.database {
        Database::Sqlite => 0.50,
        Database::Postgres => 0.30,
    };
    // Otherwise the same: what differs is the record.
    let silent = Site::with(site.database, &["--audit-retention", "0"]).await?;
    let created = Cell::new(0_usize);
    let (created, url) = (&created, site.database_url());
    let url = url.as_str();
    let protium = |name, at: SocketAddr| {
        Contender::new(name, move |time| async move {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some ten thousand")]
            let count = (time.as_secs_f64() * PER_SECOND) as usize;
            let first = created.replace(created.get() + count);
            let inputs: Vec<(String, Value)> = (first..first + count).map(template).collect();
            let pool = PROTON.once(at, "CreateEnvironmentTemplate", &inputs)?;
            load::rate(at, pool, CLIENTS, time).await
        })
    };
    let contenders = vec![
        Contender::new("one-row transactions", move |time| async move { insert(url, time).await }),
        protium("Protium", site.address()),
        protium("Protium without an audit log", silent.address()),
    ];
    let medians = race(&format!("{name}: CreateEnvironmentTemplate"), effort, contenders).await?;
    let [bare, protium, silent] = medians[..] else { return Ok(Vec::new()) };
    Ok(vec![
        Figure::share(format!("CreateEnvironmentTemplate, {name}"), protium, "one-row transactions", bare, part),
        Figure::share(format!("the same, {name}"), protium, "without an audit log", silent, RECORDED),
    ])
}

/// A template and its region: no region gets as many as the quota allows.
fn template(number: usize) -> (String, Value) {
    let input =
        json!({"name": format!("template-{number:07}"), "description": "A template that the benchmark creates"});
    (format!("bench-{}", number / IN_A_REGION), input)
}

/// The rate that the bare program tells.
async fn insert(database: &str, time: Duration) -> Result<f64> {
    let seconds = time.as_secs_f64().to_string();
    let output = process::this(&["bare", "insert", database, &CLIENTS.to_string(), &seconds])?.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("the bare program: {}", String::from_utf8_lossy(&output.stderr)))
}
