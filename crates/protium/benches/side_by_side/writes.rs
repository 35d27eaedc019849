//! CreateEnvironmentTemplate beside transactions that insert one row, and beside a server that keeps no audit log;
//! CreateEnvironmentAccountConnection, which tells an event, beside a server that neither keeps a log nor sends events.
//! All of them wait for the disk.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::calls::PROTON;
use crate::figure::Figure;
use crate::rounds::{Contender, race};
use crate::site::{ACCOUNT, Database, More, Site};
use crate::{Effort, load, note, process};

const CLIENTS: usize = 16;
/// How many of a kind are in one region; the default quotas are 1,000.
const IN_A_REGION: usize = 500;
/// More than any machine creates in a second: each request is signed before, and used once.
const PER_SECOND: f64 = 12_000.0;

/// What creates must keep of their throughput when they leave records and tell events.
const RECORDED: f64 = 0.80;
const SILENT: More = More { flags: &["--audit-retention", "0"], tells: false };
const TELLING: More = More { flags: &[], tells: true };

pub(crate) async fn measure(site: &Site, effort: Effort) -> Result<Vec<Figure>> {
    let name = site.database.name();
    let part = match site.database {
        Database::Sqlite => 0.50,
        Database::Postgres => 0.30,
    };
    // Otherwise the same: what differs is the record.
    let silent = Site::with(site.database, SILENT).await?;
    let telling = Site::with(site.database, TELLING).await?;
    let url = site.database_url();
    let url = url.as_str();
    let created = Cell::new(0);
    let protium = |name, site: &Site| creating(name, site.address(), "CreateEnvironmentTemplate", template, &created);
    let contenders = vec![
        Contender::new("one-row transactions", move |time| async move { insert(url, time).await }),
        protium("Protium", site),
        protium("Protium without an audit log", &silent),
    ];
    let medians = race(&format!("{name}: CreateEnvironmentTemplate"), effort, contenders).await?;
    let [bare, recorded, unrecorded] = medians[..] else { return Ok(Vec::new()) };
    let connected = Cell::new(0);
    let operation = "CreateEnvironmentAccountConnection";
    let protium = |name, site: &Site| creating(name, site.address(), operation, connection, &connected);
    let contenders = vec![protium("Protium with records and events", &telling), protium("without", &silent)];
    let medians = race(&format!("{name}: {operation}"), effort, contenders).await?;
    let [told, untold] = medians[..] else { return Ok(Vec::new()) };
    note(format!("{name}: {} events were told meanwhile", telling.told()?));
    Ok(vec![
        Figure::share(format!("CreateEnvironmentTemplate, {name}"), recorded, "one-row transactions", bare, part),
        Figure::share(format!("the same, {name}"), recorded, "without an audit log", unrecorded, RECORDED),
        Figure::share(format!("{operation}, {name}"), told, "without a log and events", untold, RECORDED),
    ])
}

/// A contender that creates what `input` says, each time something new.
fn creating<'a>(
    name: &str,
    at: SocketAddr,
    operation: &'a str,
    input: fn(usize) -> Value,
    created: &'a Cell<usize>,
) -> Contender<'a> {
    Contender::new(name, move |time| async move {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some ten thousand")]
        let count = (time.as_secs_f64() * PER_SECOND) as usize;
        let first = created.replace(created.get() + count);
        // No region gets as many as the quota allows.
        let region = |number: usize| format!("bench-{}", number / IN_A_REGION);
        let inputs: Vec<_> = (first..first + count).map(|number| (region(number), input(number))).collect();
        load::rate(at, PROTON.once(at, operation, &inputs)?, CLIENTS, time).await
    })
}

fn template(number: usize) -> Value {
    json!({"name": format!("template-{number:07}"), "description": "A template that the benchmark creates"})
}

/// A request to an account that need not be here.
fn connection(number: usize) -> Value {
    json!({
        "environmentName": format!("environment-{number:07}"), "managementAccountId": "222222222222",
        "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/provision"),
    })
}

/// The rate that the bare program tells.
async fn insert(database: &str, time: Duration) -> Result<f64> {
    let seconds = time.as_secs_f64().to_string();
    let output = process::this(&["bare", "insert", database, &CLIENTS.to_string(), &seconds])?.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("the bare program: {}", String::from_utf8_lossy(&output.stderr)))
}
