//! Lists of service instances and the resources summary, in a store with few services and in one with many.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::calls::PROTON;
use crate::crowd::{self, Crowd, INSTANCES};
use crate::figure::Figure;
use crate::load::Connection;
use crate::site::{Database, Site};
use crate::{Effort, note};

/// The small store: 1,000 instances.
const FEW_SERVICES: usize = 50;
/// Entries on a page.
const PAGE: usize = 100;
/// How many pages of a list are read in a walk.
const PAGES: usize = 5;
/// How many pages of each list are measured in a round, at least: from five rounds on, a p99 is not one slow answer.
const SAMPLES: usize = 100;
/// How many at most of what has a bound alone, and is beside nothing.
const LONE_SAMPLES: usize = 200;
const PAIRS: &str = "pairs of filters";
/// How often a call is made, while the host takes processors away.
const STOLEN_TRIES: usize = 10;
/// How often the kernel tells what was taken away, at least.
const TICK: Duration = Duration::from_millis(10);
const SORTS: [&str; 7] = [
    "name",
    "deploymentStatus",
    "templateName",
    "serviceName",
    "environmentName",
    "lastDeploymentAttemptedAt",
    "createdAt",
];

pub(crate) async fn measure(database: Database, effort: Effort) -> Result<Vec<Figure>> {
    let name = database.name();
    let mut small = Site::start(database).await?;
    Crowd::begin(&mut small).await?.grow(&mut small, FEW_SERVICES).await?;
    let mut site = Site::start(database).await?;
    Crowd::begin(&mut site).await?.grow(&mut site, effort.services.max(FEW_SERVICES)).await?;
    let [few, many] = measured([&small, &site], effort).await?;
    let instances = effort.services * INSTANCES;
    let mut figures = Vec::new();
    for (group, bound) in [
        ("each order", 20.0),
        ("each filter", 20.0),
        ("serviceName, each order", 20.0),
        ("environmentName, each order", 20.0),
        (PAIRS, 150.0),
    ] {
        let (slowest, p99) = many.slowest(group).context("a group of lists")?;
        let what = format!("ListServiceInstances of {instances}, {group}, p99, {name}");
        figures.push(Figure::bound(what, p99, format!("slowest: {slowest}"), bound, "ms"));
        if group != PAIRS {
            let (list, ratio) = many.worst_ratio(&few, group).context("a group of lists")?;
            let what = format!("the same beside {} instances, {name}", FEW_SERVICES * INSTANCES);
            figures.push(Figure::bound(what, ratio, format!("worst: {list}"), 1.5, "×"));
        }
    }
    let (_, summary) = many.slowest("summary").context("the summary")?;
    figures.push(Figure::bound(format!("GetResourcesSummary there, p99, {name}"), summary, "", 200.0, "ms"));
    figures.push(Figure::bound(format!("memory with that store, {name}"), site.memory("VmRSS")?, "", 150.0, "MB"));
    #[expect(clippy::cast_precision_loss, reason = "it is shown in gigabytes")]
    let size = site.size()? as f64 / 1e9;
    figures.push(Figure::told(format!("size on disk of that store, {name}"), format!("{size:.2} GB")));
    Ok(figures)
}

/// The p99 of each list, by group and list, in milliseconds.
#[derive(Default)]
struct Measured(BTreeMap<(&'static str, String), f64>);

/// The same lists in both stores, page by page in turns: whatever else the machine does, it does to both.
async fn measured(sites: [&Site; 2], effort: Effort) -> Result<[Measured; 2]> {
    let samples = SAMPLES * effort.rounds;
    let mut measured = [Measured::default(), Measured::default()];
    for ((group, list, few), (_, _, many)) in lists(sites[0]).await?.into_iter().zip(lists(sites[1]).await?) {
        let samples = if group == PAIRS { samples.min(LONE_SAMPLES) } else { samples };
        let mut times = [Vec::new(), Vec::new()];
        while times.iter().any(|times| times.len() < samples) {
            let before = times[0].len();
            for inputs in few.iter().zip(&many) {
                walk(sites, inputs.into(), group, &mut times).await?;
            }
            ensure!(times[0].len() > before, "{group}: {list}: no page of one store is as large as the other's");
        }
        for ((site, measured), times) in sites.iter().zip(&mut measured).zip(&mut times) {
            measured.take(site, group, list.clone(), times);
        }
    }
    for (site, measured) in sites.iter().zip(&mut measured) {
        let mut times = Vec::new();
        for _ in 0..samples.min(LONE_SAMPLES) {
            times.push(timed(site, "GetResourcesSummary", &json!({})).await?.1);
        }
        measured.take(site, "summary", String::new(), &mut times);
    }
    Ok(measured)
}

impl Measured {
    fn take(&mut self, site: &Site, group: &'static str, list: String, times: &mut [f64]) {
        let (median, p99) = (quantile(times, 0.5), quantile(times, 0.99));
        note(format!("{}: {group}: {list}: {median:.2} ms, p99 {p99:.2} ms of {}", site.database.name(), times.len()));
        self.0.insert((group, list), p99);
    }

    fn group(&self, group: &str) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().filter(move |((of, _), _)| *of == group).map(|((_, list), p99)| (list.as_str(), *p99))
    }

    fn slowest(&self, group: &str) -> Option<(&str, f64)> {
        self.group(group).max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// The list that takes the most times as long as the same one in a smaller store.
    fn worst_ratio(&self, few: &Self, group: &str) -> Option<(&str, f64)> {
        let smaller: BTreeMap<&str, f64> = few.group(group).collect();
        let ratios = self.group(group).filter_map(|(list, p99)| Some((list, p99 / smaller.get(list)?)));
        ratios.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }
}

type List = (&'static str, String, Vec<Value>);

/// All lists: their group, their name, and requests that differ in what they look for.
async fn lists(site: &Site) -> Result<Vec<List>> {
    let mut lists: Vec<List> = Vec::new();
    let orders = SORTS.into_iter().flat_map(|sort| ["ASCENDING", "DESCENDING"].map(|order| (sort, order)));
    for (sort, order) in orders {
        let by = json!({"sortBy": sort, "sortOrder": order});
        let with = |members: Value| merged(&by, &members);
        let list = format!("{sort} {order}");
        lists.push(("each order", list.clone(), vec![by.clone()]));
        let service = json!({"serviceName": crowd::service_name(FEW_SERVICES / 2)});
        lists.push(("serviceName, each order", list.clone(), vec![with(service)]));
        let environment = json!({"filters": [{"key": "environmentName", "value": crowd::environment_name(3)}]});
        lists.push(("environmentName, each order", list, vec![with(environment)]));
    }
    let filters = filters(site).await?;
    for (key, values) in &filters {
        // A name is in each service once, so that the small store has no full page of them.
        let most = if *key == "name" { FEW_SERVICES } else { PAGE };
        let inputs = values.iter().map(|value| json!({"filters": [filter(key, value)], "maxResults": most}));
        lists.push(("each filter", (*key).to_owned(), inputs.collect()));
    }
    for (index, (one, values)) in filters.iter().enumerate() {
        for (other, others) in filters.iter().skip(index + 1) {
            let pairs = values.iter().flat_map(|value| others.iter().map(move |other| (value, other)));
            let inputs = pairs.map(|(value, second)| json!({"filters": [filter(one, value), filter(other, second)]}));
            lists.push((PAIRS, format!("{one}, {other}"), inputs.collect()));
        }
    }
    Ok(lists)
}

fn filter(key: &str, value: &str) -> Value {
    json!({"key": key, "value": value})
}

/// The values of each key: those that leave much and those that leave little.
async fn filters(site: &Site) -> Result<Vec<(&'static str, Vec<String>)>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let created = points(site, "createdAt").await?;
    let attempted = points(site, "lastDeploymentAttemptedAt").await?;
    Ok(vec![
        ("name", vec![crowd::instance_name(7)]),
        ("deploymentStatus", texts(&["SUCCEEDED", "FAILED", "CANCELLED"])),
        ("templateName", vec![crowd::template_name(2)]),
        ("serviceName", vec![crowd::service_name(FEW_SERVICES / 2)]),
        ("deployedTemplateVersionStatus", texts(&["UP_TO_DATE", "BEHIND_MINOR", "BEHIND_MAJOR"])),
        ("environmentName", vec![crowd::environment_name(7)]),
        ("lastDeploymentAttemptedAtBefore", attempted.clone()),
        ("lastDeploymentAttemptedAtAfter", attempted),
        ("createdAtBefore", created.clone()),
        ("createdAtAfter", created),
    ])
}

/// Points in time: near the first one of all instances, in the middle, and near the last.
async fn points(site: &Site, sort: &str) -> Result<Vec<String>> {
    let mut ends = Vec::new();
    for order in ["ASCENDING", "DESCENDING"] {
        let input = json!({"sortBy": sort, "sortOrder": order, "maxResults": 100});
        let answer = PROTON.call(site.address(), "ListServiceInstances", &input).await?;
        let at = answer.pointer(&format!("/serviceInstances/99/{sort}")).and_then(Value::as_f64);
        ends.push(at.context("a hundred instances")?);
    }
    let [first, last] = ends[..] else { bail!("two ends") };
    let parts = [0.0, 0.01, 0.5, 0.99, 1.0].map(|part| first + (last - first) * part);
    parts.into_iter().map(instant).collect()
}

fn instant(seconds: f64) -> Result<String> {
    #[expect(clippy::cast_possible_truncation, reason = "seconds of this century")]
    let at = jiff::Timestamp::from_second(seconds as i64)?;
    Ok(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn merged(one: &Value, other: &Value) -> Value {
    let members = [one, other].into_iter().filter_map(Value::as_object).flatten();
    members.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// How long each of the first pages of a list takes in both stores, in milliseconds. Pages are beside each other if they
/// have as many entries: what a small store has no more of takes no time there.
async fn walk(sites: [&Site; 2], inputs: [&Value; 2], group: &str, times: &mut [Vec<f64>; 2]) -> Result<()> {
    let mut inputs = inputs.map(|input| Some(merged(&json!({"maxResults": PAGE}), input)));
    for _ in 0..PAGES {
        let mut pages = [None, None];
        for ((site, input), page) in sites.iter().zip(&mut inputs).zip(&mut pages) {
            let Some(asked) = input.take() else { continue };
            let (answer, time) = timed(site, "ListServiceInstances", &asked).await?;
            *page = Some((answer["serviceInstances"].as_array().map_or(0, Vec::len), time));
            *input = answer.get("nextToken").map(|token| merged(&asked, &json!({"nextToken": token})));
        }
        let [few, many] = pages;
        match (few, many) {
            (Some((few, one)), Some((many, other))) if few == many => {
                times[0].push(one);
                times[1].push(other);
            }
            _ if group == PAIRS => {
                times[0].extend(few.map(|(_, time)| time));
                times[1].extend(many.map(|(_, time)| time));
            }
            _ => break,
        }
    }
    Ok(())
}

/// One call on a connection of its own, signed and connected before the time begins. What a virtual machine's host did
/// meanwhile with its processors is not the program's: such a call is made again.
async fn timed(site: &Site, operation: &str, input: &Value) -> Result<(Value, f64)> {
    let mut tries = 1;
    loop {
        let before = stolen()?;
        let (answer, time) = timed_once(site, operation, input).await?;
        if time > TICK {
            // Only then is it told.
            tokio::time::sleep(2 * TICK).await;
        }
        let is_stolen = stolen()? != before;
        if is_stolen && tries == STOLEN_TRIES {
            note(format!("{operation} {input}: the host took processors away at each of {STOLEN_TRIES} tries"));
        }
        if !is_stolen || tries == STOLEN_TRIES {
            return Ok((answer, milliseconds(time)));
        }
        tries += 1;
    }
}

/// The time that a virtual machine's host took away since the start, in ticks; 0 elsewhere. See proc_stat(5).
fn stolen() -> Result<u64> {
    const STEAL: usize = 8;
    let stat = std::fs::read_to_string("/proc/stat")?;
    let first = stat.lines().next().unwrap_or_default();
    Ok(first.split_ascii_whitespace().nth(STEAL).and_then(|ticks| ticks.parse().ok()).unwrap_or_default())
}

async fn timed_once(site: &Site, operation: &str, input: &Value) -> Result<(Value, Duration)> {
    let request = PROTON.request(site.address(), operation, input)?;
    let mut connection = Connection::open(site.address()).await?;
    let began = Instant::now();
    let answer = connection.exchange(&request).await?;
    let time = began.elapsed();
    if answer.status != 200 {
        bail!("{operation} {input} answered {}: {}", answer.status, String::from_utf8_lossy(answer.body));
    }
    Ok((serde_json::from_slice(answer.body)?, time))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The smallest number that at least such a part of the numbers does not exceed.
fn quantile(numbers: &mut [f64], part: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "few")]
    let rank = (numbers.len() as f64 * part).ceil() as usize;
    numbers.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
