//! Lists of service instances: filtered, sorted, a page at a time.
//!
//! Owns: which index answers which list, so that a page costs as much in a large store as in a small one. Does not
//! own: what filters mean (`domain::service::listing`), nor which versions are stale (`operations`).
//!
//! There are three ways:
//!
//! - *Streams.* Without filters, with an environment or another single filter: an index has what is wanted in the
//!   order of the list, and a page is read off it. Values that are alternatives are a stream each, merged.
//! - *Few.* Where one filter leaves few instances, those are read and sorted.
//! - *Scan.* Else the covering index is read in the default order until the page is full; for other orders all of it.
//!
//! Databases choose indexes by guesses about the data, which here would decide between a page and all of the table.
//! So columns that are to be compared but not searched by are written as expressions (`status || ''`), which no index
//! has.

use super::resource::read;
use super::{DbResult, Param, Reader};
use protium_domain::arn::Scope;
use protium_domain::service::ServiceInstance;
use protium_domain::service::listing::{Field, Filters, Position, Span, Value};
use protium_domain::version::Version;
use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;

/// The most streams that are merged; for more alternatives the covering index is read.
const STREAMS: usize = 16;
/// How many instances a filter may leave to count as few, if it is the only one: its index knows all that is needed.
const FEW_ALONE: i64 = 4000;
/// The same if others remain to be decided, for which each row has to be looked up.
const FEW: i64 = 1000;
/// More than there are: a limit that does not limit keeps a database from reading a query in another order.
const ALL: i64 = 1_000_000_000;
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
    let way = match without_asking(&list, &rules) {
        Some(way) => way,
        None => after_counting(rd, scope, &rules).await?,
    };
    let mut statement = Statement::new(scope, list);
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
    /// How many alternatives there are, each of which an index has in order; `None` for those of no number.
    fn alternatives(self) -> Option<usize> {
        match self {
            Self::In(_, values) => Some(values.list().len()),
            Self::On(versions) => Some(versions.len()),
            Self::Within(..) => None,
        }
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
enum Way<'a> {
    /// Each alternative of the rule, or all if there is none, is read off an index in the order of the list.
    Streams(Option<Rule<'a>>),
    /// What the rule leaves is read and sorted.
    Few(Rule<'a>),
    Scan,
}

/// The way, where it does not depend on what is stored.
fn without_asking<'a>(list: &InstanceList<'_>, rules: &[Rule<'a>]) -> Option<Way<'a>> {
    // A service has few instances, by its quota.
    if let Some(service) = rules.iter().find(|rule| matches!(rule, Rule::In(Field::Service, _))) {
        return Some(Way::Few(*service));
    }
    let rule = match rules {
        [] => return Some(Way::Streams(None)),
        [rule] if rule.alternatives().is_none_or(|number| number <= STREAMS) => *rule,
        _ => return None,
    };
    let in_order = match rule {
        Rule::In(Field::Environment, _) => true,
        Rule::In(field, _) => list.sort == Field::Service || list.sort == field,
        Rule::On(_) => list.sort == Field::Service,
        Rule::Within(field, _) => list.sort == field,
    };
    in_order.then_some(Way::Streams(Some(rule)))
}

/// Looks how many instances each rule leaves, as far as that matters.
async fn after_counting<'a>(rd: &mut Reader, scope: &Scope, rules: &[Rule<'a>]) -> DbResult<Way<'a>> {
    let few = if rules.len() == 1 { FEW_ALONE } else { FEW };
    let mut least = None;
    let countable = rules.iter().filter(|rule| rule.alternatives().is_none_or(|number| number <= STREAMS));
    for rule in countable {
        let mut params = vec![Param::from(&scope.account), Param::from(&scope.region)];
        let found = searched(*rule, &mut params);
        let sql = format!("SELECT COUNT(*) FROM (SELECT 1 FROM ({found}) AS found LIMIT {}) AS counted", few + 1);
        let count = rd.query_one(&sql, &params).await?.int(0)?;
        if count <= few && least.is_none_or(|(best, _)| count < best) {
            least = Some((count, *rule));
        }
    }
    Ok(least.map_or(Way::Scan, |(_, rule)| Way::Few(rule)))
}

/// A statement while it is written: `$1` and `$2` are account and region.
struct Statement<'a> {
    list: InstanceList<'a>,
    params: Vec<Param<'a>>,
}

impl<'a> Statement<'a> {
    fn new(scope: &'a Scope, list: InstanceList<'a>) -> Self {
        Self { list, params: vec![Param::from(&scope.account), Param::from(&scope.region)] }
    }

    /// The documents of the page. Which instances are on it is decided without reading any. `None` if there are none.
    fn of(&mut self, way: Way<'a>, rules: &[Rule<'a>]) -> Option<String> {
        let page = match way {
            Way::Streams(rule) => self.streams(rule)?,
            Way::Few(rule) => self.few(rule, rules),
            Way::Scan => {
                let conditions = rules.iter().map(|rule| compared(*rule, &mut self.params)).collect();
                let sort = self.list.sort;
                self.selection(conditions, if sort == Field::Service { plain } else { neutral }, sort.order())
            }
        };
        let order = self.order(self.list.sort.order(), |field| format!("page.{}", column(field)));
        Some(format!(
            "SELECT one.revision, one.doc FROM ({page}) AS page CROSS JOIN service_instance AS one \
             WHERE one.account = $1 AND one.region = $2 AND one.service = page.service AND one.name = page.name \
             ORDER BY {order}"
        ))
    }

    fn streams(&mut self, rule: Option<Rule<'a>>) -> Option<String> {
        let order = self.list.sort.order();
        let mut streams = Vec::new();
        match rule {
            None => streams.push(self.selection(Vec::new(), plain, order)),
            Some(Rule::In(field, values)) => {
                for value in values.list() {
                    // All of a stream are alike in the column of its filter: if that is the first of the order, the
                    // stream begins, goes on or has ended where the page before did.
                    let rest = order.split_first().filter(|(first, _)| **first == field).map(|(_, rest)| rest);
                    let place = rest.and_then(|_| self.place_of(value));
                    if place == Some(Ordering::Less) {
                        continue;
                    }
                    let condition = vec![format!("{} = {}", column(field), bind(&mut self.params, value.into()))];
                    streams.push(match (rest, place) {
                        (None, _) => self.selection(condition, plain, order),
                        (Some(rest), Some(Ordering::Equal)) => self.selection(condition, plain, rest),
                        (Some(rest), _) => self.all_of(condition, plain, rest),
                    });
                }
            }
            Some(Rule::On(versions)) => {
                for version in versions {
                    let condition = on_version(version, &mut self.params);
                    streams.push(self.selection(vec![condition], plain, order));
                }
            }
            Some(Rule::Within(field, span)) => {
                // The end of the page before is a bound that the index is searched by, and within the other one.
                let span = match (self.list.after, self.list.descending) {
                    (None, _) => span,
                    (Some(_), false) => Span { after: None, ..span },
                    (Some(_), true) => Span { before: None, ..span },
                };
                let rule = Some(Rule::Within(field, span)).filter(|_| !span.is_open());
                let condition = rule.map(|rule| condition(rule, &mut self.params, plain));
                streams.push(self.selection(condition.into_iter().collect(), plain, order));
            }
        }
        if streams.len() < 2 {
            return streams.pop();
        }
        let columns = self.columns();
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

    /// What one rule leaves is looked up by an index; the others are decided on the rows.
    fn few(&mut self, rule: Rule<'a>, rules: &[Rule<'a>]) -> String {
        let order = self.list.sort.order();
        let rest: Vec<Rule<'a>> = rules.iter().copied().filter(|other| !is_same(*other, rule)).collect();
        if let (Rule::Within(..), [], Field::Service | Field::Name) = (rule, rest.as_slice(), self.list.sort) {
            // The index has all that is asked for.
            let condition = condition(rule, &mut self.params, plain);
            return self.selection(vec![condition], neutral, order);
        }
        let found = searched(rule, &mut self.params);
        let mut conditions = vec!["service = few_service".to_owned(), "name = few_name".to_owned()];
        conditions.extend(rest.into_iter().map(|other| compared(other, &mut self.params)));
        let table = format!(
            "(SELECT few_service, few_name FROM ({found}) AS found LIMIT {ALL}) AS few CROSS JOIN service_instance"
        );
        self.from(&table, conditions, neutral, order, true)
    }

    /// The page of what fits, in an order that ends as that of the list does, after the end of the page before.
    fn selection(&mut self, conditions: Vec<String>, write: fn(Field) -> String, order: &[Field]) -> String {
        self.from("service_instance", conditions, write, order, true)
    }

    /// The same from the beginning.
    fn all_of(&mut self, conditions: Vec<String>, write: fn(Field) -> String, order: &[Field]) -> String {
        self.from("service_instance", conditions, write, order, false)
    }

    /// Those columns of instances that tell their order in the list.
    fn from(
        &mut self,
        table: &str,
        conditions: Vec<String>,
        write: fn(Field) -> String,
        order: &[Field],
        after: bool,
    ) -> String {
        let mut sql = format!("SELECT {} FROM {table} WHERE account = $1 AND region = $2", self.columns());
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

    fn columns(&self) -> String {
        self.list.sort.order().iter().map(|field| column(*field)).collect::<Vec<_>>().join(", ")
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

/// The names of the instances that a rule leaves, each alternative by a search of an index that has them.
fn searched<'a>(rule: Rule<'a>, params: &mut Vec<Param<'a>>) -> String {
    let conditions: Vec<String> = match rule {
        Rule::On(versions) => versions.iter().map(|version| on_version(version, params)).collect(),
        Rule::In(..) | Rule::Within(..) => vec![condition(rule, params, plain)],
    };
    let each = conditions.into_iter().map(|condition| {
        format!(
            "SELECT service AS few_service, name AS few_name FROM service_instance \
             WHERE account = $1 AND region = $2 AND {condition}"
        )
    });
    each.collect::<Vec<_>>().join(" UNION ALL ")
}

/// The rule as a condition that is decided for each row that another one leaves.
fn compared<'a>(rule: Rule<'a>, params: &mut Vec<Param<'a>>) -> String {
    condition(rule, params, neutral)
}

fn condition<'a>(rule: Rule<'a>, params: &mut Vec<Param<'a>>, write: fn(Field) -> String) -> String {
    match rule {
        Rule::In(field, values) => {
            let places: Vec<String> =
                padded(values.list()).into_iter().map(|value| bind(params, value.into())).collect();
            match places.as_slice() {
                [place] => format!("{} = {place}", write(field)),
                places => format!("{} IN ({})", write(field), places.join(", ")),
            }
        }
        Rule::Within(field, span) => {
            let bounds = [(">", span.after), ("<", span.before)].into_iter();
            let parts = bounds.filter_map(|(compare, bound)| {
                Some(format!("{} {compare} {}", write(field), bind(params, bound?.into())))
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
            format!("(template || '', major + 0, minor + 0) IN (VALUES {rows})")
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
