//! What a deployment costs beside the AWS calls that it makes, and how soon its end is seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use protium_engines::double::{Behaviour, Double, Takes};
use serde_json::json;

use crate::calls::PROTON;
use crate::figure::Figure;
use crate::process::{self, Process};
use crate::proxy::{Call, Proxy, busy};
use crate::rounds::median;
use crate::{Effort, note, site, wait};

const EXAMPLE: &str = "fargate-environment";
const STATUS: &str = "/environment/deploymentStatus";
/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(2);

/// CreateEnvironment to SUCCEEDED on the emulator, without the time in which AWS had the word.
pub(crate) async fn overhead(effort: Effort) -> Result<Vec<Figure>> {
    tokio::task::LocalSet::new().run_until(overhead_within(effort)).await
}

async fn overhead_within(effort: Effort) -> Result<Vec<Figure>> {
    let emulator = process::emulator()?;
    let proxy = Proxy::start(emulator.address()).await?;
    let folder = tempfile::tempdir()?;
    let protium = Process::start(site::protium(folder.path(), &proxy.url())?)?;
    let at = protium.address();
    site::make_bucket(at).await?;
    site::register(at, "Environment", EXAMPLE).await?;
    let (mut own, mut all, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    // The first one warms the emulator up and does not count.
    for number in 0..=effort.rounds {
        proxy.take();
        let name = format!("environment-{number}");
        let input = site::environment_input(EXAMPLE, &name)?;
        let began = Instant::now();
        PROTON.call(at, "CreateEnvironment", &input).await?;
        let ended = wait::until(at, "GetEnvironment", &json!({"name": name}), STATUS, "SUCCEEDED", LOOK).await?;
        calls = proxy.take();
        if number > 0 {
            all.push((ended - began).as_secs_f64() * 1000.0);
            own.push((ended - began).saturating_sub(busy(&calls)).as_secs_f64() * 1000.0);
        }
    }
    let words: Vec<String> = calls.iter().map(timed).collect();
    note(format!(
        "CreateEnvironment: {:.0} ms in all; the last one's calls: {}",
        median(all.clone()),
        words.join(", ")
    ));
    let against = format!("its {} AWS calls, {:.0} ms", calls.len(), median(all) - median(own.clone()));
    Ok(vec![Figure::bound("CreateEnvironment → SUCCEEDED, own time", median(own), against, 50.0, "ms")])
}

fn timed(call: &Call) -> String {
    format!("{} {:.0} ms", call.action, (call.ended - call.began).as_secs_f64() * 1000.0)
}

/// How late the end of a stack of 20 s is seen, and how many describe calls that took.
pub(crate) async fn lateness() -> Result<Vec<Figure>> {
    const TAKES: Duration = Duration::from_secs(20);
    let double = Double::start_in_real_time().await?;
    let began: Arc<Mutex<Option<Instant>>> = Arc::default();
    let noted = Arc::clone(&began);
    double.behave(move |_| {
        noted.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        Behaviour::done().taking(Takes::Time(TAKES))
    });
    let folder = tempfile::tempdir()?;
    let protium = Process::start(site::protium(folder.path(), &double.url())?)?;
    let at = protium.address();
    site::make_bucket(at).await?;
    site::register(at, "Environment", EXAMPLE).await?;
    PROTON.call(at, "CreateEnvironment", &site::environment_input(EXAMPLE, "slow")?).await?;
    let seen = wait::until(at, "GetEnvironment", &json!({"name": "slow"}), STATUS, "SUCCEEDED", LOOK * 5).await?;
    let began = *began.lock().unwrap_or_else(PoisonError::into_inner);
    let ended = began.context("no stack was created")? + TAKES;
    let late = seen.saturating_duration_since(ended).as_secs_f64();
    let describes = double.calls().iter().filter(|call| call.action.starts_with("Describe")).count();
    note(format!("a stack of 20 s: seen {late:.2} s after its end, {describes} describe calls"));
    let count = f64::from(u32::try_from(describes)?);
    Ok(vec![
        Figure::bound("a stack of 20 s is seen to end after", late, "its end, on the double", 2.0, "s"),
        Figure::bound("describe calls for it", count, "", 16.0, "calls"),
    ])
}
