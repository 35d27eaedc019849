//! Lists of service instances: filtered, sorted, a page at a time.
//!
//! Owns: which index answers which list, so that a page costs as much in a large store as in a small one. Does not
//! own: what filters mean (`domain::service::listing`), nor which versions are stale (`operations`).
//!
//! What is on a page is decided on the entries of one index, which has all that filters and orders ask for
//! (`migrations/0008_covering.sql`); the documents of that page are all that is read of the table. Each is read with its
//! entry where every entry is on the page; else when the page is decided, in SQLite by the number of the row, which its
//! indexes end with, and in PostgreSQL by the key. One of the filters leads: the index is searched by it, and the others
//! are decided on what it leaves.
//!
//! - *In order.* The index has what the leading filter leaves in the order of the list, and is read until the page is
//!   full. Values that are alternatives are a stream each, merged.
//! - *Sorted.* Else a filter leads only if it leaves few instances, which are all read.
//! - *Without a lead*, the index of the order is read until the page is full.
//!
//! The filter that leaves the fewest leads, as long as those are few; else one whose index has the order, if any.
//!
//! Databases choose indexes by guesses about the data, which here would decide between a page and all of the table.
//! So what is to be compared but not searched by is written as an expression that no index has: `status || ''` in an
//! order, `COALESCE(status = $3, FALSE)` in a condition. Of the latter PostgreSQL guesses that half of all rows fit.
//! Where it thinks that few do, it does not read in order until the page is full, but reads and sorts all.

use super::resource::read;
use super::{DbResult, Param, Reader};
use protium_domain::arn::Scope;
use protium_domain::service::ServiceInstance;
use protium_domain::service::listing::{Field, Filters, Position, Span, Value};
use protium_domain::version::Version;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;

/// The most streams that are merged; more alternatives do not lead.
const STREAMS: usize = 16;
/// How many instances a filter may leave to count as few: to read and sort them takes less time than a page may.
const FEW: i64 = 4000;
/// The same of several filters of which none has an index in the order of the list: there, what fits all of them may be
/// so far apart that a page is a walk through a large store.
const FEW_OF_SEVERAL: i64 = 25_000;
/// The most versions in one statement.
const VERSIONS: usize = 4000;
/// The limits that statements have: a few only, since each database keeps them prepared.
const LIMITS: [i64; 4] = [2, 11, 26, 101];

type Versions = BTreeSet<(String, Version)>;

/// A page to read.
#[derive(Clone, Copy, Debug)]
pub struct InstanceList<'a> {
    pub filters: &'a Filters,
    /// Only instances on which one of these versions of a template is deployed.
    pub versions: Option<&'a Versions>,
    pub sort: Field,
    pub descending: bool,
    /// Where the page before ended.
    pub after: Option<&'a Position>,
    /// How many to read.
    pub limit: i64,
}

impl InstanceList<'_> {
    fn most(&self) -> usize {
        usize::try_from(self.limit).unwrap_or_default()
    }
}

/// Up to `limit` instances in the order of the list.
pub async fn instance_list(rd: &mut Reader, scope: &Scope, list: InstanceList<'_>) -> DbResult<Vec<ServiceInstance>> {
    let Some(versions) = list.versions.filter(|versions| versions.len() > VERSIONS) else {
        return page(rd, scope, list).await;
    };
    // So many that they do not fit into one statement. An instance has one version: the parts do not overlap.
    let versions: Vec<_> = versions.iter().cloned().collect();
    let mut found = Vec::new();
    for part in versions.chunks(VERSIONS) {
        let part: Versions = part.iter().cloned().collect();
        found.extend(page(rd, scope, InstanceList { versions: Some(&part), ..list }).await?);
    }
    let position = |instance: &ServiceInstance| Position::of(list.sort, instance).0;
    if list.descending {
        found.sort_by_cached_key(|instance| Reverse(position(instance)));
    } else {
        found.sort_by_cached_key(position);
    }
    found.truncate(list.most());
    Ok(found)
}

async fn page(rd: &mut Reader, scope: &Scope, list: InstanceList<'_>) -> DbResult<Vec<ServiceInstance>> {
    let rules = rules(&list);
    if rules.iter().any(|rule| rule.is_never()) {
        return Ok(Vec::new());
    }
    let way = way(rd, scope, &list, &rules).await?;
    let mut statement = Statement::new(scope, list, rd.is_embedded());
    let Some(sql) = statement.of(way, &rules) else { return Ok(Vec::new()) };
    let rows = rd.query(&sql, &statement.params).await?;
    rows.into_iter().take(list.most()).map(read).collect()
}

/// One key of the filters, with its alternatives.
#[derive(Clone, Copy)]
enum Rule<'a> {
    In(Field, Values<'a>),
    Within(Field, Span),
    On(&'a Versions),
}

#[derive(Clone, Copy)]
enum Values<'a> {
    Names(&'a BTreeSet<String>),
    Statuses(&'a BTreeSet<&'static str>),
}

impl<'a> Values<'a> {
    fn list(self) -> Vec<&'a str> {
        match self {
            Self::Names(names) => names.iter().map(String::as_str).collect(),
            Self::Statuses(statuses) => statuses.iter().copied().collect(),
        }
    }
}

impl Rule<'_> {
    /// How many values fit, each of which an index has in one place.
    fn alternatives(self) -> usize {
        match self {
            Self::In(_, values) => values.list().len(),
            Self::On(versions) => versions.len(),
            Self::Within(..) => 1,
        }
    }

    /// Whether its alternatives are few enough to be searched one by one.
    fn is_countable(self) -> bool {
        self.alternatives() <= STREAMS
    }

    /// Whether no instance can fit.
    fn is_never(self) -> bool {
        match self {
            Self::On(versions) => versions.is_empty(),
            Self::Within(_, Span { after: Some(after), before: Some(before) }) => after.saturating_add(1) >= before,
            Self::Within(..) | Self::In(..) => false,
        }
    }
}

fn rules<'a>(list: &InstanceList<'a>) -> Vec<Rule<'a>> {
    let filters = list.filters;
    let names = [
        (Field::Service, &filters.services),
        (Field::Name, &filters.names),
        (Field::Environment, &filters.environments),
        (Field::Template, &filters.templates),
    ];
    let mut rules: Vec<Rule<'a>> = names
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(field, values)| Rule::In(field, Values::Names(values)))
        .collect();
    if !filters.statuses.is_empty() {
        rules.push(Rule::In(Field::Status, Values::Statuses(&filters.statuses)));
    }
    let spans = [(Field::CreatedAt, filters.created), (Field::AttemptedAt, filters.attempted)];
    rules.extend(spans.into_iter().filter(|(_, span)| !span.is_open()).map(|(field, span)| Rule::Within(field, span)));
    rules.extend(list.versions.map(Rule::On));
    rules
}

/// How a page is found.
#[derive(Clone, Copy)]
struct Way<'a> {
    /// The rule that the index is searched by.
    lead: Option<Rule<'a>>,
    /// Whether the index has what the lead leaves in the order of the list.
    in_order: bool,
}

async fn way<'a>(rd: &mut Reader, scope: &Scope, list: &InstanceList<'a>, rules: &[Rule<'a>]) -> DbResult<Way<'a>> {
    let alone = rules.len() == 1;
    // A service has few instances, by its quota.
    let service = rules.iter().find(|rule| matches!(rule, Rule::In(Field::Service, _)));
    let in_order = rules.iter().find(|rule| is_in_order(**rule, list, alone));
    let lead = match (service, in_order) {
        (Some(service), _) => Some(service),
        (None, Some(only)) if alone => Some(only),
        (None, None) if !alone => least(rd, scope, rules, FEW_OF_SEVERAL).await?,
        (None, in_order) => least(rd, scope, rules, FEW).await?.or(in_order),
    };
    let lead = lead.copied();
    Ok(Way { lead, in_order: lead.is_none_or(|rule| is_in_order(rule, list, alone)) })
}

/// Whether an index has each alternative of the rule in the order of the list, with all that other rules ask for.
fn is_in_order(rule: Rule<'_>, list: &InstanceList<'_>, alone: bool) -> bool {
    if !rule.is_countable() {
        return false;
    }
    match rule {
        // The indexes for orders within an environment have nothing else.
        Rule::In(Field::Environment, _) if alone => true,
        Rule::In(field, _) => list.sort == Field::Service || list.sort == field,
        Rule::On(_) => list.sort == Field::Service,
        Rule::Within(field, _) => list.sort == field,
    }
}

/// The rule that leaves the fewest instances, if those are few.
async fn least<'r, 'a>(
    rd: &mut Reader,
    scope: &Scope,
    rules: &'r [Rule<'a>],
    few: i64,
) -> DbResult<Option<&'r Rule<'a>>> {
    let mut most = few + 1;
    let mut least = None;
    for rule in rules.iter().filter(|rule| rule.is_countable()) {
        let mut params = vec![Param::from(&scope.account), Param::from(&scope.region)];
        let found = searched(*rule, &mut params);
        let most_place = bind(&mut params, most.into());
        let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM ({found}) AS found LIMIT {most_place}) AS counted");
        let count = rd.query_one(&sql, &params).await?.int(0)?;
        if count < most {
            (most, least) = (count, Some(rule));
        }
    }
    Ok(least)
}

/// A statement while it is written: `$1` and `$2` are account and region.
struct Statement<'a> {
    list: InstanceList<'a>,
    params: Vec<Param<'a>>,
    /// Whether rows have numbers by which they are found at once.
    numbered: bool,
    /// Whether every entry that is read is on the page.
    exact: bool,
}

impl<'a> Statement<'a> {
    fn new(scope: &'a Scope, list: InstanceList<'a>, numbered: bool) -> Self {
        let params = vec![Param::from(&scope.account), Param::from(&scope.region)];
        Self { list, params, numbered, exact: false }
    }

    /// The documents of the page. Which instances are on it is decided without reading any. `None` if there are none.
    fn of(&mut self, way: Way<'a>, rules: &[Rule<'a>]) -> Option<String> {
        let all_lead = way.lead.map_or(rules.is_empty(), |lead| rules.len() == 1 && lead.alternatives() == 1);
        self.exact = way.in_order && all_lead;
        let page = self.page(way, rules)?;
        if self.exact {
            return Some(page);
        }
        let order = self.order(self.list.sort.order(), |field| format!("page.{}", column(field)));
        let same = if self.numbered {
            "one.rowid = page.number"
        } else {
            "one.account = $1 AND one.region = $2 AND one.service = page.service AND one.name = page.name"
        };
        Some(format!(
            "SELECT one.revision, one.doc FROM ({page}) AS page CROSS JOIN service_instance AS one WHERE {same} \
             ORDER BY {order}"
        ))
    }

    /// What tells the order of the instances on the page.
    fn page(&mut self, Way { lead, in_order }: Way<'a>, rules: &[Rule<'a>]) -> Option<String> {
        let others = rules.iter().filter(|rule| !lead.is_some_and(|lead| is_same(**rule, lead)));
        let others: Vec<String> = others.map(|rule| compared(*rule, &mut self.params)).collect();
        let with = |lead: String| -> Vec<String> { std::iter::once(lead).chain(others.iter().cloned()).collect() };
        let order = self.list.sort.order();
        let mut streams = Vec::new();
        match lead {
            None => streams.push(self.selection(others, plain, order)),
            Some(Rule::On(versions)) => {
                for version in versions {
                    let condition = on_version(version, &mut self.params);
                    streams.push(self.selection(with(condition), if in_order { plain } else { neutral }, order));
                }
            }
            Some(rule) if !in_order => {
                let condition = condition(rule, &mut self.params);
                streams.push(self.selection(with(condition), neutral, order));
            }
            Some(Rule::In(field, values)) => {
                for value in values.list() {
                    // All of a stream are alike in the column of its filter: if that is the first of the order, the
                    // stream begins, goes on or has ended where the page before did.
                    let rest = order.split_first().filter(|(first, _)| **first == field).map(|(_, rest)| rest);
                    let place = rest.and_then(|_| self.place_of(value));
                    if place == Some(Ordering::Less) {
                        continue;
                    }
                    let conditions = with(format!("{} = {}", column(field), bind(&mut self.params, value.into())));
                    streams.push(match (rest, place) {
                        (None, _) => self.selection(conditions, plain, order),
                        (Some(rest), Some(Ordering::Equal)) => self.selection(conditions, plain, rest),
                        (Some(rest), _) => self.all_of(conditions, plain, rest),
                    });
                }
            }
            Some(Rule::Within(field, span)) => {
                // The end of the page before is a bound that the index is searched by, and within the other one.
                let span = match (self.list.after, self.list.descending) {
                    (None, _) => span,
                    (Some(_), false) => Span { after: None, ..span },
                    (Some(_), true) => Span { before: None, ..span },
                };
                let conditions =
                    if span.is_open() { others } else { with(condition(Rule::Within(field, span), &mut self.params)) };
                streams.push(self.selection(conditions, plain, order));
            }
        }
        if streams.len() < 2 {
            return streams.pop();
        }
        let columns = self.columns("number");
        let each = streams.iter().zip(1..).map(|(one, number)| format!("SELECT {columns} FROM ({one}) AS s{number}"));
        let union = each.collect::<Vec<_>>().join(" UNION ALL ");
        let order = self.order(order, plain);
        Some(format!("SELECT {columns} FROM ({union}) AS merged ORDER BY {order} LIMIT {}", self.limit()))
    }

    /// Where instances with this value of the sorted field are, seen from the end of the page before.
    fn place_of(&self, value: &str) -> Option<Ordering> {
        let Value::Text(last) = self.list.after?.0.first()? else { return None };
        let place = value.cmp(last);
        Some(if self.list.descending { place.reverse() } else { place })
    }

    /// The page of what fits, in an order that ends as that of the list does, after the end of the page before.
    fn selection(&mut self, conditions: Vec<String>, write: fn(Field) -> String, order: &[Field]) -> String {
        self.from(conditions, write, order, true)
    }

    /// The same from the beginning.
    fn all_of(&mut self, conditions: Vec<String>, write: fn(Field) -> String, order: &[Field]) -> String {
        self.from(conditions, write, order, false)
    }

    /// Of instances their documents, or those columns that tell their order in the list and where each is.
    fn from(&mut self, conditions: Vec<String>, write: fn(Field) -> String, order: &[Field], after: bool) -> String {
        let columns = if self.exact { "revision, doc".to_owned() } else { self.columns("rowid AS number") };
        let mut sql = format!("SELECT {columns} FROM service_instance WHERE account = $1 AND region = $2");
        for condition in conditions {
            sql.push_str(" AND ");
            sql.push_str(&condition);
        }
        if let (true, Some(Position(values))) = (after, self.list.after) {
            let left: Vec<String> = order.iter().map(|field| write(*field)).collect();
            let values = values.iter().skip(values.len().saturating_sub(order.len()));
            let right: Vec<String> = values.map(|value| bind(&mut self.params, param(value))).collect();
            let compare = if self.list.descending { "<" } else { ">" };
            sql.push_str(&format!(" AND ({}) {compare} ({})", left.join(", "), right.join(", ")));
        }
        format!("{sql} ORDER BY {} LIMIT {}", self.order(order, write), self.limit())
    }

    /// The number of the row is one of them, called so, where rows have one.
    fn columns(&self, number: &str) -> String {
        let fields = self.list.sort.order().iter().map(|field| column(*field));
        fields.chain(self.numbered.then_some(number)).collect::<Vec<_>>().join(", ")
    }

    fn order(&self, fields: &[Field], write: impl Fn(Field) -> String) -> String {
        let direction = if self.list.descending { " DESC" } else { "" };
        let parts = fields.iter().map(|field| format!("{}{direction}", write(*field)));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The first of [`LIMITS`] that is enough.
    fn limit(&self) -> i64 {
        LIMITS.into_iter().find(|limit| *limit >= self.list.limit).unwrap_or(self.list.limit)
    }
}

fn is_same(one: Rule<'_>, other: Rule<'_>) -> bool {
    match (one, other) {
        (Rule::In(one, _), Rule::In(other, _)) | (Rule::Within(one, _), Rule::Within(other, _)) => one == other,
        (Rule::On(_), Rule::On(_)) => true,
        _ => false,
    }
}

fn column(field: Field) -> &'static str {
    match field {
        Field::Name => "name",
        Field::Status => "status",
        Field::Template => "template",
        Field::Service => "service",
        Field::Environment => "environment",
        Field::AttemptedAt => "attempted_at",
        Field::CreatedAt => "created_at",
    }
}

fn plain(field: Field) -> String {
    column(field).to_owned()
}

/// The column as an expression that no index has.
fn neutral(field: Field) -> String {
    match field {
        Field::AttemptedAt | Field::CreatedAt => format!("{} + 0", column(field)),
        _ => format!("{} || ''", column(field)),
    }
}

fn param(value: &Value) -> Param<'_> {
    match value {
        Value::Text(text) => text.into(),
        Value::Number(number) => (*number).into(),
    }
}

/// Adds a parameter; answers its place.
fn bind<'a>(params: &mut Vec<Param<'a>>, param: Param<'a>) -> String {
    params.push(param);
    format!("${}", params.len())
}

/// What a rule leaves, each alternative by a search of an index.
fn searched<'a>(rule: Rule<'a>, params: &mut Vec<Param<'a>>) -> String {
    let conditions: Vec<String> = match rule {
        Rule::On(versions) => versions.iter().map(|version| on_version(version, params)).collect(),
        Rule::In(..) | Rule::Within(..) => vec![condition(rule, params)],
    };
    let each = conditions
        .into_iter()
        .map(|condition| format!("SELECT 1 FROM service_instance WHERE account = $1 AND region = $2 AND {condition}"));
    each.collect::<Vec<_>>().join(" UNION ALL ")
}

/// The rule as a condition that is decided on what another one leaves.
fn compared<'a>(rule: Rule<'a>, params: &mut Vec<Param<'a>>) -> String {
    format!("COALESCE({}, FALSE)", condition(rule, params))
}

fn condition<'a>(rule: Rule<'a>, params: &mut Vec<Param<'a>>) -> String {
    match rule {
        Rule::In(field, values) => {
            let places: Vec<String> =
                padded(values.list()).into_iter().map(|value| bind(params, value.into())).collect();
            match places.as_slice() {
                [place] => format!("{} = {place}", column(field)),
                places => format!("{} IN ({})", column(field), places.join(", ")),
            }
        }
        Rule::Within(field, span) => {
            let bounds = [(">", span.after), ("<", span.before)].into_iter();
            let parts = bounds.filter_map(|(compare, bound)| {
                Some(format!("{} {compare} {}", column(field), bind(params, bound?.into())))
            });
            parts.collect::<Vec<_>>().join(" AND ")
        }
        Rule::On(versions) => {
            let rows = padded(versions.iter().collect()).into_iter().map(|(template, version)| {
                let [template, major, minor] =
                    [template.into(), version.major.into(), version.minor.into()].map(|part| bind(params, part));
                format!("({template}, CAST({major} AS BIGINT), CAST({minor} AS BIGINT))")
            });
            let rows = rows.collect::<Vec<_>>().join(", ");
            // PostgreSQL looks a NULL up by going through all of them.
            format!("major IS NOT NULL AND (template, major, minor) IN (VALUES {rows})")
        }
    }
}

fn on_version<'a>((template, version): &'a (String, Version), params: &mut Vec<Param<'a>>) -> String {
    let [template, major, minor] =
        [template.into(), version.major.into(), version.minor.into()].map(|part| bind(params, part));
    format!("template = {template} AND major = {major} AND minor = {minor}")
}

/// Repeats the last of some alternatives, so that there are statements of a few lengths only.
fn padded<T: Copy>(mut alternatives: Vec<T>) -> Vec<T> {
    if let Some(last) = alternatives.last().copied() {
        alternatives.resize(alternatives.len().next_power_of_two(), last);
    }
    alternatives
}

/// The versions of service templates on which an instance is deployed.
pub async fn instance_versions(rd: &mut Reader, scope: &Scope) -> DbResult<BTreeSet<(String, Version)>> {
    let sql = "SELECT template, major, minor FROM template_version AS version \
               WHERE account = $1 AND region = $2 AND kind = 'SERVICE' AND EXISTS (SELECT 1 FROM service_instance AS one \
               WHERE one.account = $1 AND one.region = $2 AND one.template = version.template \
               AND one.major = version.major AND one.minor = version.minor)";
    let rows = rd.query(sql, &[Param::from(&scope.account), Param::from(&scope.region)]).await?;
    rows.into_iter().map(|mut row| Ok((row.text(0)?, Version::new(row.int(1)?, row.int(2)?)))).collect()
}
