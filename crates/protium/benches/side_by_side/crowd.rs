//! A store with many services: a few are made as users make them, and copied by SQL.
//!
//! So the rows are those that the operations write, in all their columns and documents, with other names, ids, times
//! and specs. What was rendered for a prototype stands for its copies too, so that specs are what fills the store.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use protium::store::{DbError, Param, Reader, Store, content_put};
use protium::{params, transaction};
use serde_json::{Value, json};

use crate::calls::PROTON;
use crate::note;
use crate::site::{Site, environment, make_bucket, publish, register, upload};

/// What [`Crowd::grow`] copies: one service for each template.
const PROTOTYPES: usize = 5;
pub(crate) const INSTANCES: usize = 20;
/// So few that in a store of a thousand instances each has as many as fit on a page.
const ENVIRONMENTS: usize = 10;
/// How often each instance was deployed.
const DEPLOYMENTS: usize = 5;
/// The instances whose last deployment failed: two of twenty.
const FAILING: [&str; 2] = ["instance-07", "instance-13"];
/// One row of each prototype is copied by one statement for so many services.
const AT_ONCE: usize = 2000;

const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: cloudformation.yaml\n      rendering_engine: jinja\n      template_language: cloudformation\n";
/// With something of the spec in it: where nothing is to be updated, nothing can fail.
const TEMPLATE: &str = "{\"Description\": \"{{ service_instance.inputs.note }}\", \"Resources\": {\"Queue\": {\"Type\": \
    \"AWS::SQS::Queue\"}}, \"Outputs\": {\"Url\": {\"Value\": \"q\"}}}";
const SCHEMA: &str = "schema:\n  format:\n    openapi: \"3.0.0\"\n  service_input_type: Inputs\n  types:\n    Inputs:\n      type: object\n      properties:\n        note:\n          type: string\n";

/// A day of copied services: times in documents keep their last seven digits, and get others before them.
const SPAN: i64 = 10_000_000;
/// The placeholders in what is copied.
const ID: &str = "@@@@@@@@@@@@";
const TIME: &str = "######";

/// The services of a site that [`Crowd::begin`] has prepared.
pub(crate) struct Crowd {
    prototypes: Vec<Prototype>,
    services: usize,
}

struct Prototype {
    name: String,
    rows: Vec<Copied>,
    /// The specs that its rows refer to.
    specs: Vec<String>,
}

/// One row to copy, with placeholders in its texts.
struct Copied {
    table: &'static str,
    columns: Vec<(String, Cell)>,
}

#[derive(Clone)]
enum Cell {
    Null,
    Number(i64),
    /// A point in time after the beginning of its [`SPAN`].
    Time(i64),
    Text(String),
}

pub(crate) fn environment_name(number: usize) -> String {
    format!("environment-{number:02}")
}

pub(crate) fn template_name(number: usize) -> String {
    format!("template-{number}")
}

pub(crate) fn instance_name(number: usize) -> String {
    format!("instance-{number:02}")
}

/// Names that are not in the order in which the services came.
pub(crate) fn service_name(number: usize) -> String {
    format!("service-{:05x}", number.wrapping_mul(611_953) & 0xf_ffff)
}

fn prototype_name(number: usize) -> String {
    format!("prototype-{number}")
}

/// A spec of about 2 KB.
fn spec(service: &str, build: usize) -> String {
    let mut text = "proton: ServiceSpec\ninstances:\n".to_owned();
    for number in 0..INSTANCES {
        text += &format!(
            "  - name: {}\n    environment: {}\n    spec:\n      note: {service} {build}\n",
            instance_name(number),
            environment_name(number % ENVIRONMENTS)
        );
    }
    text
}

impl Crowd {
    /// Makes the environments, the templates with three versions each, and the prototypes.
    pub(crate) async fn begin(site: &mut Site) -> Result<Self> {
        let at = site.address();
        make_bucket(at).await?;
        register(at, "Environment", "lambda-environment").await?;
        for number in 0..ENVIRONMENTS {
            environment(at, "lambda-environment", &environment_name(number)).await?;
        }
        let files = [
            ("instance_infrastructure/manifest.yaml", MANIFEST),
            ("instance_infrastructure/cloudformation.yaml", TEMPLATE),
            ("schema/schema.yaml", SCHEMA),
        ];
        upload(at, "crowd", &files).await?;
        for number in 0..PROTOTYPES {
            let name = template_name(number);
            let input = json!({"name": name, "pipelineProvisioning": "CUSTOMER_MANAGED"});
            PROTON.call(at, "CreateServiceTemplate", &input).await?;
            for major in [None, Some("1"), None] {
                publish(at, "Service", &name, "crowd", major).await?;
            }
        }
        deploy_prototypes(site).await?;
        site.stop();
        let store = Store::open(&site.store_options()).await?;
        let mut prototypes = Vec::new();
        for number in 0..PROTOTYPES {
            prototypes.push(Prototype::read(&store, &prototype_name(number)).await?);
        }
        drop(store);
        site.resume()?;
        Ok(Self { prototypes, services: 0 })
    }

    /// Copies prototypes until there are so many services beside them. The server is stopped meanwhile.
    pub(crate) async fn grow(&mut self, site: &mut Site, services: usize) -> Result<()> {
        note(format!("{}: copying {INSTANCES} instances each for {services} services", site.database.name()));
        site.stop();
        let store = Store::open(&site.store_options()).await?;
        while self.services < services {
            let until = services.min(self.services + AT_ONCE * PROTOTYPES);
            self.copy(&store, self.services, until).await?;
            self.services = until;
        }
        drop(store);
        site.settle().await?;
        site.resume()
    }

    async fn copy(&self, store: &Store, from: usize, until: usize) -> Result<()> {
        for (kind, prototype) in self.prototypes.iter().enumerate() {
            let mut copies = Vec::new();
            for number in (from..until).filter(|number| number % PROTOTYPES == kind) {
                copies.push(Copy { number, service: service_name(number) });
            }
            prototype.copy(store, &copies).await?;
        }
        Ok(())
    }
}

/// Creates the services with an old version, updates each instance in turn, and lets the last update of some fail.
async fn deploy_prototypes(site: &Site) -> Result<()> {
    let at = site.address();
    for number in 0..PROTOTYPES {
        let name = prototype_name(number);
        let input = json!({
            "name": name, "templateName": template_name(number), "templateMajorVersion": "1",
            "templateMinorVersion": "0", "spec": spec(&name, 0),
        });
        PROTON.call(at, "CreateService", &input).await?;
    }
    settled(site).await?;
    for build in 1..DEPLOYMENTS {
        let is_last = build + 1 == DEPLOYMENTS;
        if is_last {
            site.fail(|stack| FAILING.iter().any(|name| stack.contains(name)));
        }
        for (service, instance) in (0..PROTOTYPES).flat_map(|one| (0..INSTANCES).map(move |two| (one, two))) {
            let name = prototype_name(service);
            // In the end a quarter is behind the major version, a quarter behind the minor one, and half up to date.
            let kind = match (is_last, instance % 4) {
                (true, 1) => "MINOR_VERSION",
                (true, 2 | 3) => "MAJOR_VERSION",
                _ => "CURRENT_VERSION",
            };
            let input = json!({
                "serviceName": name, "name": instance_name(instance), "deploymentType": kind,
                "spec": spec(&name, build),
            });
            PROTON.call(at, "UpdateServiceInstance", &input).await?;
        }
        settled(site).await?;
    }
    Ok(())
}

/// Waits until nothing is in progress.
async fn settled(site: &Site) -> Result<()> {
    let running = json!({"filters": [{"key": "deploymentStatus", "value": "IN_PROGRESS"}], "maxResults": 1});
    for _ in 0..3000 {
        let answer = PROTON.call(site.address(), "ListServiceInstances", &running).await?;
        if answer["serviceInstances"].as_array().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("the prototypes are not deployed after five minutes")
}

/// A service to make of a prototype.
struct Copy {
    number: usize,
    service: String,
}

impl Copy {
    /// What stands for [`ID`]: digits, as the end of an id.
    fn id(&self) -> String {
        format!("{:012}", self.number + 1)
    }

    /// What stands for [`TIME`]: another span of the last years for each, in no order of names.
    fn time(&self) -> i64 {
        #[expect(clippy::cast_possible_wrap, reason = "some thousand")]
        let shuffled = (self.number as i64).wrapping_mul(7919) % 30_000;
        140_000 + shuffled
    }
}

impl Prototype {
    async fn read(store: &Store, name: &str) -> Result<Self> {
        let mut reader = store.reader().await?;
        let rows = Rows { name };
        let services = rows.of(&mut reader, "service", "name = $1").await?;
        let instances = rows.of(&mut reader, "service_instance", "service = $1").await?;
        let deployments = rows.of(&mut reader, "deployment", "service = $1").await?;
        let ids: Vec<String> =
            services.iter().chain(&instances).chain(&deployments).filter_map(|row| row.text("id")).collect();
        let mut found: Vec<Copied> = Vec::new();
        for id in &ids {
            found.extend(rows.events(&mut reader, id).await?);
        }
        found.extend(services);
        found.extend(instances);
        found.extend(deployments);
        let specs: BTreeSet<String> = found.iter().flat_map(Copied::specs).collect();
        let mut texts = Vec::new();
        for hash in &specs {
            let row = reader.query_one("SELECT body FROM content WHERE sha256 = $1", params![hash.as_str()]).await;
            texts.push(String::from_utf8(row?.bytes(0)?)?);
        }
        let specs: Vec<String> = specs.into_iter().collect();
        for row in &mut found {
            row.generalise(&ids, &specs)?;
        }
        Ok(Self { name: name.to_owned(), rows: found, specs: texts })
    }

    async fn copy(&self, store: &Store, copies: &[Copy]) -> Result<()> {
        // What differs from copy to copy, beside names: the hashes of its specs.
        let hashes: Vec<String> = (0..self.specs.len()).map(|number| format!("hash_{number}")).collect();
        transaction!(store, async |tx| -> Result<(), DbError> {
            tx.execute("DROP TABLE IF EXISTS copied", &[]).await?;
            let columns: Vec<String> = hashes.iter().map(|name| format!("{name} TEXT")).collect();
            let sql = format!("CREATE TABLE copied (service TEXT, suffix TEXT, span BIGINT, {})", columns.join(", "));
            tx.execute(&sql, &[]).await?;
            for copy in copies {
                let mut made = Vec::new();
                for text in &self.specs {
                    let text = text.replace(&self.name, &copy.service);
                    made.push(content_put(tx, text.as_bytes()).await?);
                }
                let suffix = copy.id();
                let mut values = params![&copy.service, &suffix, copy.time()].to_vec();
                values.extend(made.iter().map(Param::from));
                let places: Vec<String> = (1..=values.len()).map(|number| format!("${number}")).collect();
                let sql = format!("INSERT INTO copied VALUES ({})", places.join(", "));
                tx.execute(&sql, &values).await?;
            }
            Ok(())
        })?;
        for row in &self.rows {
            let (sql, values) = row.statement(&self.name, hashes.len());
            transaction!(store, async |tx| -> Result<u64, DbError> { tx.execute(&sql, &values).await })?;
        }
        transaction!(store, async |tx| -> Result<u64, DbError> { tx.execute("DROP TABLE copied", &[]).await })?;
        Ok(())
    }
}

struct Rows<'a> {
    name: &'a str,
}

impl Rows<'_> {
    async fn of(&self, reader: &mut Reader, table: &'static str, condition: &str) -> Result<Vec<Copied>> {
        let columns: &[&str] = match table {
            "service" => &["name", "template", "status"],
            "service_instance" => &[
                "service",
                "name",
                "service_id",
                "environment",
                "environment_id",
                "template",
                "status",
                "major",
                "minor",
                "attempted_major",
                "attempted_minor",
                "attempted_at",
            ],
            _ => &["target_kind", "target_id", "environment", "service", "instance", "component", "status", "active"],
        };
        let all: Vec<&str> =
            ["account", "region", "id", "revision", "created_at", "doc"].iter().chain(columns).copied().collect();
        rows(reader, table, &all, condition, self.name).await
    }

    /// There is no destination for them.
    async fn events(&self, reader: &mut Reader, id: &str) -> Result<Vec<Copied>> {
        let columns = ["account", "region", "resource_id", "revision", "kind", "detail", "at"];
        rows(reader, "event", &columns, "resource_id = $1", id).await
    }
}

const NUMBERS: &[&str] = &["revision", "major", "minor", "attempted_major", "attempted_minor", "active"];
const TIMES: &[&str] = &["created_at", "attempted_at", "at"];

async fn rows(
    reader: &mut Reader,
    table: &'static str,
    columns: &[&str],
    condition: &str,
    value: &str,
) -> Result<Vec<Copied>> {
    let sql = format!("SELECT {} FROM {table} WHERE {condition}", columns.join(", "));
    let found = reader.query(&sql, params![value]).await?;
    let read = found.into_iter().map(|mut row| {
        let cells = columns.iter().enumerate().map(|(index, column)| {
            let cell = if TIMES.contains(column) {
                row.opt_int(index)?.map_or(Cell::Null, Cell::Time)
            } else if NUMBERS.contains(column) {
                row.opt_int(index)?.map_or(Cell::Null, Cell::Number)
            } else {
                row.opt_text(index)?.map_or(Cell::Null, Cell::Text)
            };
            Ok(((*column).to_owned(), cell))
        });
        Ok(Copied { table, columns: cells.collect::<Result<_>>()? })
    });
    read.collect()
}

impl Copied {
    fn text(&self, column: &str) -> Option<String> {
        self.columns.iter().find_map(|(name, cell)| match cell {
            Cell::Text(text) if name == column => Some(text.clone()),
            _ => None,
        })
    }

    /// The hashes that members called `spec` of the document have.
    fn specs(&self) -> Vec<String> {
        fn collect(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(members) => {
                    for (name, member) in members {
                        match member {
                            Value::String(hash) if name == "spec" && hash.len() == 64 => found.push(hash.clone()),
                            other => collect(other, found),
                        }
                    }
                }
                Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        let document = self.text("doc").and_then(|text| serde_json::from_str(&text).ok());
        collect(&document.unwrap_or(Value::Null), &mut found);
        found
    }

    /// Puts placeholders for what each copy has of its own.
    fn generalise(&mut self, ids: &[String], specs: &[String]) -> Result<()> {
        let now = self.columns.iter().find_map(|(_, cell)| if let Cell::Time(at) = cell { Some(*at) } else { None });
        let span = now.context("a row without a time")? / SPAN;
        for (_, cell) in &mut self.columns {
            match cell {
                Cell::Text(text) => {
                    for id in ids {
                        if let Some(begin) = id.get(..24) {
                            *text = text.replace(id.as_str(), &format!("{begin}{ID}"));
                        }
                    }
                    for (number, hash) in specs.iter().enumerate() {
                        *text = text.replace(hash.as_str(), &placeholder(number));
                    }
                    *text = general_times(text, span);
                }
                Cell::Time(at) => *at -= span * SPAN,
                Cell::Null | Cell::Number(_) => {}
            }
        }
        Ok(())
    }

    /// The statement that copies the row for all of the table `copied`.
    fn statement(&self, prototype: &str, hashes: usize) -> (String, Vec<Param<'_>>) {
        let mut values = Vec::new();
        let mut selected = Vec::new();
        for (_, cell) in &self.columns {
            selected.push(match cell {
                Cell::Null => "NULL".to_owned(),
                Cell::Number(number) => number.to_string(),
                Cell::Time(at) => format!("span * {SPAN} + {at}"),
                Cell::Text(text) => {
                    values.push(Param::from(text));
                    let mut sql = format!("CAST(${} AS TEXT)", values.len());
                    let has = |what: &str| text.contains(what);
                    if has(prototype) {
                        sql = format!("replace({sql}, '{prototype}', service)");
                    }
                    if has(ID) {
                        sql = format!("replace({sql}, '{ID}', suffix)");
                    }
                    if has(TIME) {
                        sql = format!("replace({sql}, '{TIME}', CAST(span AS TEXT))");
                    }
                    for number in (0..hashes).filter(|number| has(&placeholder(*number))) {
                        sql = format!("replace({sql}, '{}', hash_{number})", placeholder(number));
                    }
                    sql
                }
            });
        }
        let columns: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        let (columns, selected) = (columns.join(", "), selected.join(", "));
        (format!("INSERT INTO {} ({columns}) SELECT {selected} FROM copied", self.table), values)
    }
}

fn placeholder(spec: usize) -> String {
    format!("@spec-{spec}@")
}

/// The text with [`TIME`] in the place of the first digits of the times of a span.
fn general_times(text: &str, span: i64) -> String {
    let begin = span.to_string();
    let mut general = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(&begin) {
        let (before, found) = rest.split_at(at);
        general.push_str(before);
        let digits = found.bytes().take_while(u8::is_ascii_digit).count();
        let starts = !before.ends_with(|last: char| last.is_ascii_alphanumeric());
        let (number, after) = found.split_at(digits);
        match number.strip_prefix(begin.as_str()) {
            Some(end)
                if starts && digits == begin.len() + 7 && !after.starts_with(|next: char| next.is_alphanumeric()) =>
            {
                general.push_str(TIME);
                general.push_str(end);
            }
            _ => general.push_str(number),
        }
        rest = after;
    }
    general.push_str(rest);
    general
}
