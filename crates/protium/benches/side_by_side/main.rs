//! Protium beside what it is compared with, in one run on one machine: `cargo xtask bench`.
//!
//! Owns which figures there are and what each must reach. What a figure compares is told in docs/performance.md.
//! It starts all that it needs on loopback and in a folder of its own, and removes it again. Nothing in CI runs it:
//! a busy machine would make it lie.

mod access;
mod bare;
mod calls;
mod cold;
mod crowd;
mod deploy;
mod figure;
mod lists;
mod load;
mod moto;
mod postgres;
mod process;
mod proxy;
mod reads;
mod render;
mod rounds;
mod runs;
mod sign;
mod site;
mod wait;
mod writes;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use figure::Figure;
use site::Database;

/// The one that Protium has, for everything that is compared with it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
usage: cargo xtask bench [--only NAME[,NAME]] [--seconds N] [--rounds N] [--services N]

  reads     GetService and ListServices beside bare handlers
  writes    CreateEnvironmentTemplate beside one-row transactions
  access    GetService with many statements of policies beside one; the memory of many keys and policies
  moto      GetService and ListServices beside CodeBuild's reads on moto
  render    compiling and rendering the largest example beside Jinja2
  deploy    CreateEnvironment on the emulator beside its AWS calls
  lists     ListServiceInstances and GetResourcesSummary with 10,000 services of 20 instances
  runs      a run of `true` beside the bare sandboxed command, and 50 at once
  poll      a stack of 20 s on the double
  cold      memory at rest and cold start

  --seconds   how long each contender runs in a round (default 3)
  --rounds    how often contenders take turns; medians count (default 5)
  --services  how many services lists are measured with (default 10000)
";

/// How long and how often things are measured.
#[derive(Clone, Copy, Debug)]
struct Effort {
    round: Duration,
    rounds: usize,
    services: usize,
}

struct Arguments {
    only: Vec<String>,
    effort: Effort,
}

const NAMES: &[&str] = &["reads", "writes", "access", "moto", "lists", "render", "deploy", "runs", "poll", "cold"];

fn main() -> ExitCode {
    // `cargo bench` adds this one.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let outcome = match words.first().map(String::as_str) {
        Some("bare") => bare::main(words.get(1..).unwrap_or_default()),
        Some("--help" | "-h") => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => parse(&words).and_then(run),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<Arguments> {
    let mut arguments =
        Arguments { only: Vec::new(), effort: Effort { round: Duration::from_secs(3), rounds: 5, services: 10_000 } };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next().map(String::as_str).unwrap_or_default();
        match word.as_str() {
            "--only" => arguments.only = value.split(',').map(str::to_owned).collect(),
            "--seconds" => arguments.effort.round = Duration::try_from_secs_f64(value.parse()?)?,
            "--rounds" => arguments.effort.rounds = value.parse()?,
            "--services" => arguments.effort.services = value.parse()?,
            other => bail!("unknown argument '{other}'\n{USAGE}"),
        }
    }
    if let Some(unknown) = arguments.only.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("--only: there is no figure '{unknown}'; there are {}", NAMES.join(", "));
    }
    if arguments.effort.rounds == 0 || arguments.effort.round.is_zero() {
        bail!("--seconds and --rounds must be more than 0");
    }
    Ok(arguments)
}

fn run(arguments: Arguments) -> Result<()> {
    // One thread: what generates the load must take as little of the machine from the contenders as it can.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(&arguments))?;
    println!("\n{}", figure::table(&figures));
    Ok(())
}

async fn measure(arguments: &Arguments) -> Result<Vec<Figure>> {
    let wants = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let effort = arguments.effort;
    let mut figures = Vec::new();
    for database in [Database::Sqlite, Database::Postgres] {
        let moto = wants("moto") && database == Database::Sqlite;
        if !(wants("reads") || wants("writes") || wants("access") || moto) {
            continue;
        }
        let site = site::Site::start(database).await?;
        site.seed().await?;
        if wants("reads") {
            figures.extend(reads::measure(&site, effort).await?);
        }
        if wants("writes") {
            figures.extend(writes::measure(&site, effort).await?);
        }
        if wants("access") {
            figures.extend(access::throughput(&site, effort).await?);
        }
        if moto {
            figures.extend(moto::measure(&site, effort).await?);
        }
    }
    if wants("access") {
        figures.push(access::memory().await?);
    }
    if wants("lists") {
        for database in [Database::Sqlite, Database::Postgres] {
            figures.extend(lists::measure(database, effort).await?);
        }
    }
    if wants("render") {
        figures.extend(render::measure(effort)?);
    }
    if wants("deploy") {
        figures.extend(deploy::overhead(effort).await?);
    }
    if wants("runs") {
        figures.extend(runs::measure(effort).await?);
    }
    if wants("poll") {
        figures.extend(deploy::lateness().await?);
    }
    if wants("cold") {
        figures.extend(cold::measure().await?);
    }
    Ok(figures)
}

/// One line of progress.
fn note(text: impl std::fmt::Display) {
    eprintln!("  {text}");
}
