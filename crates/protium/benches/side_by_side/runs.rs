//! What a run of commands costs beside the bare sandboxed command, and how many at once the server bears.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::calls::PROTON;
use crate::figure::Figure;
use crate::process::Process;
use crate::rounds::median;
use crate::{Effort, note, site, wait};

const TEMPLATE: &str = "true";
const MANIFEST: &str = "infrastructure:
  templates:
    - rendering_engine: codebuild
      settings: {provision: [\"true\"]}
";
const SCHEMA: &str = "schema:
  format: {openapi: 3.0.0}
  environment_input_type: Input
  types:
    Input: {type: object, properties: {size: {type: number, default: 1}}}
";
const STATUS: &str = "/environment/deploymentStatus";
/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(2);
const AT_ONCE: usize = 50;
/// Nobody answers there; nothing here calls AWS.
const NO_AWS: &str = "http://127.0.0.1:9";

pub(crate) async fn measure(effort: Effort) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let mut command = site::protium(folder.path(), NO_AWS)?;
    command.args(["--runner", "local"]);
    let protium = Process::start(command)?;
    let at = protium.address();
    site::make_bucket(at).await?;
    site::upload(at, TEMPLATE, &[("schema/schema.yaml", SCHEMA), ("infrastructure/manifest.yaml", MANIFEST)]).await?;
    PROTON.call(at, "CreateEnvironmentTemplate", &json!({ "name": TEMPLATE })).await?;
    site::publish(at, "Environment", TEMPLATE, TEMPLATE, None).await?;

    let (mut all, mut bare) = (Vec::new(), Vec::new());
    // The first one warms the machine up and does not count.
    for number in 0..=effort.rounds.max(10) {
        let sandboxed = sandboxed()?;
        let began = Instant::now();
        let name = create(at, number).await?;
        let ended = wait::until(at, "GetEnvironment", &name, STATUS, "SUCCEEDED", LOOK).await?;
        if number > 0 {
            bare.push(sandboxed.as_secs_f64() * 1000.0);
            all.push((ended - began).as_secs_f64() * 1000.0);
        }
    }
    let (all, bare) = (median(all), median(bare));
    note(format!("CreateEnvironment with `true`: {all:.0} ms; the bare sandboxed command: {bare:.0} ms"));

    let began = Instant::now();
    for number in 0..AT_ONCE {
        create(at, 1000 + number).await?;
    }
    for number in 0..AT_ONCE {
        let name = json!({ "name": name(1000 + number) });
        wait::until(at, "GetEnvironment", &name, STATUS, "SUCCEEDED", LOOK * 10).await?;
    }
    let took = began.elapsed().as_secs_f64();
    let most = protium.memory("VmHWM")? / 1024.0;
    note(format!("{AT_ONCE} runs at once: {took:.1} s, at most {most:.1} MB of memory"));
    let against = format!("bwrap with `true`, {bare:.0} ms");
    Ok(vec![
        Figure::bound("CreateEnvironment with `true` → SUCCEEDED, over that", all - bare, against, 100.0, "ms"),
        Figure::bound(
            format!("memory of the server, {AT_ONCE} runs at once"),
            most,
            format!("all in {took:.1} s"),
            100.0,
            "MB",
        ),
    ])
}

fn name(number: usize) -> String {
    format!("run-{number}")
}

/// Begins an environment; answers the input that reads it.
async fn create(at: std::net::SocketAddr, number: usize) -> Result<Value> {
    let name = name(number);
    let input = json!({
        "name": name, "templateName": TEMPLATE, "templateMajorVersion": "1",
        "spec": "proton: EnvironmentSpec\nspec: {}\n",
    });
    PROTON.call(at, "CreateEnvironment", &input).await?;
    Ok(json!({ "name": name }))
}

/// How long the same command takes in a sandbox of the same kind that nobody looks after.
fn sandboxed() -> Result<Duration> {
    let began = Instant::now();
    let done = Command::new("bwrap")
        .args(["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent"])
        .args(["--new-session", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"])
        .args(["--tmpfs", "/tmp", "--", "/bin/sh", "-c", "true"])
        .stdin(Stdio::null())
        .status()?;
    if !done.success() {
        bail!("bwrap does not work here: {done}");
    }
    Ok(began.elapsed())
}
