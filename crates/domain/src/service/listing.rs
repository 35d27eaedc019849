//! Lists of service instances: what they can be filtered and sorted by.

use super::ServiceInstance;
use crate::moment::Moment;
use crate::refused::Refused;
use crate::staleness::Staleness;
use crate::status::DeploymentStatus;
use std::collections::BTreeSet;

/// The keys of filters, as the API spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Name,
    DeploymentStatus,
    TemplateName,
    ServiceName,
    DeployedTemplateVersionStatus,
    EnvironmentName,
    AttemptedBefore,
    AttemptedAfter,
    CreatedBefore,
    CreatedAfter,
}

/// A span of time without its ends, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub after: Option<i64>,
    pub before: Option<i64>,
}

impl Span {
    pub fn is_open(&self) -> bool {
        self.after.is_none() && self.before.is_none()
    }
}

/// Which instances a list shows: those that one value of each key that is given fits. A key without values does not
/// narrow the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    pub names: BTreeSet<String>,
    pub statuses: BTreeSet<&'static str>,
    pub templates: BTreeSet<String>,
    pub services: BTreeSet<String>,
    pub environments: BTreeSet<String>,
    pub staleness: BTreeSet<Staleness>,
    pub attempted: Span,
    pub created: Span,
}

/// The most filters of one list.
pub const MAX_FILTERS: usize = 100;

impl Filters {
    /// Reads the filters of a request: key and value of each, in any order.
    ///
    /// # Errors
    /// A value that its key can't have, or more than [`MAX_FILTERS`]. The message names the field.
    pub fn new<'a>(given: impl ExactSizeIterator<Item = (Key, &'a str)>) -> Result<Self, Refused> {
        if given.len() > MAX_FILTERS {
            let why = format!("are {}; give at most {MAX_FILTERS}", given.len());
            return Err(Refused::invalid("filters", why));
        }
        let mut filters = Self::default();
        for (index, (key, value)) in given.enumerate() {
            filters.add(key, value).map_err(|why| Refused::invalid(&format!("filters[{index}].value"), why))?;
        }
        Ok(filters)
    }

    fn add(&mut self, key: Key, value: &str) -> Result<(), String> {
        let text = || value.to_owned();
        match key {
            Key::Name => drop(self.names.insert(text())),
            Key::TemplateName => drop(self.templates.insert(text())),
            Key::ServiceName => drop(self.services.insert(text())),
            Key::EnvironmentName => drop(self.environments.insert(text())),
            Key::DeploymentStatus => drop(self.statuses.insert(status(value)?)),
            Key::DeployedTemplateVersionStatus => drop(self.staleness.insert(staleness(value)?)),
            // Of several bounds that are alternatives the widest counts.
            Key::AttemptedAfter => lower(&mut self.attempted.after, moment(value)?.floor),
            Key::CreatedAfter => lower(&mut self.created.after, moment(value)?.floor),
            Key::AttemptedBefore => raise(&mut self.attempted.before, moment(value)?.ceiling),
            Key::CreatedBefore => raise(&mut self.created.before, moment(value)?.ceiling),
        }
        Ok(())
    }

    /// What tells these filters from others: equal for equal lists, whatever their order was.
    pub fn fingerprint(&self) -> Vec<String> {
        let mut parts = Vec::new();
        let sets = [&self.names, &self.templates, &self.services, &self.environments];
        for set in sets {
            parts.push(set.len().to_string());
            parts.extend(set.iter().cloned());
        }
        parts.push(self.statuses.len().to_string());
        parts.extend(self.statuses.iter().map(|status| (*status).to_owned()));
        parts.push(self.staleness.len().to_string());
        parts.extend(self.staleness.iter().map(|one| one.as_str().to_owned()));
        let spans = [self.attempted, self.created];
        parts.extend(spans.iter().flat_map(|span| [span.after, span.before]).map(|bound| format!("{bound:?}")));
        parts
    }
}

fn lower(bound: &mut Option<i64>, to: i64) {
    *bound = Some(bound.map_or(to, |now| now.min(to)));
}

fn raise(bound: &mut Option<i64>, to: i64) {
    *bound = Some(bound.map_or(to, |now| now.max(to)));
}

fn status(value: &str) -> Result<&'static str, String> {
    DeploymentStatus::parse(value).map(DeploymentStatus::as_str).ok_or_else(|| {
        let all: Vec<&str> = DeploymentStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("'{value}' is no deployment status; those are {}", all.join(", "))
    })
}

fn staleness(value: &str) -> Result<Staleness, String> {
    Staleness::parse(value).ok_or_else(|| {
        let all = Staleness::ALL.map(Staleness::as_str);
        format!("'{value}' is no status of a deployed template version; those are {}", all.join(", "))
    })
}

fn moment(value: &str) -> Result<Moment, String> {
    Moment::parse(value)
        .ok_or_else(|| format!("'{value}' is no point in time; write it in UTC, such as 2026-11-21T22:00:00.5Z"))
}

/// What a list can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Name,
    Status,
    Template,
    Service,
    Environment,
    AttemptedAt,
    CreatedAt,
}

/// What an instance has in a field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Text(String),
    Number(i64),
}

impl Field {
    pub const ALL: [Self; 7] = [
        Self::Name,
        Self::Status,
        Self::Template,
        Self::Service,
        Self::Environment,
        Self::AttemptedAt,
        Self::CreatedAt,
    ];

    /// What a list sorted by this is ordered by, first to last. No two instances are alike in all of them.
    pub fn order(self) -> &'static [Self] {
        match self {
            Self::Service => &[Self::Service, Self::Name],
            Self::Name => &[Self::Name, Self::Service],
            Self::Status => &[Self::Status, Self::Service, Self::Name],
            Self::Template => &[Self::Template, Self::Service, Self::Name],
            Self::Environment => &[Self::Environment, Self::Service, Self::Name],
            Self::AttemptedAt => &[Self::AttemptedAt, Self::Service, Self::Name],
            Self::CreatedAt => &[Self::CreatedAt, Self::Service, Self::Name],
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::AttemptedAt | Self::CreatedAt)
    }

    fn of(self, instance: &ServiceInstance) -> Value {
        match self {
            Self::Name => Value::Text(instance.name.clone()),
            Self::Status => Value::Text(instance.track.status.as_str().to_owned()),
            Self::Template => Value::Text(instance.template.clone()),
            Self::Service => Value::Text(instance.service.clone()),
            Self::Environment => Value::Text(instance.environment.clone()),
            Self::AttemptedAt => Value::Number(instance.track.attempted_at),
            Self::CreatedAt => Value::Number(instance.created_at),
        }
    }
}

/// Where a page of a sorted list ended: the values of [`Field::order`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position(pub Vec<Value>);

impl Position {
    pub fn of(sort: Field, instance: &ServiceInstance) -> Self {
        Self(sort.order().iter().map(|field| field.of(instance)).collect())
    }

    /// The position as a text. Names and statuses have no slash.
    pub fn to_text(&self) -> String {
        let parts = self.0.iter().map(|value| match value {
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Reads such a text of a list that is sorted so.
    pub fn parse(sort: Field, text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.len() != sort.order().len() {
            return None;
        }
        let values = sort.order().iter().zip(parts).map(|(field, part)| {
            if field.is_number() { part.parse().ok().map(Value::Number) } else { Some(Value::Text(part.to_owned())) }
        });
        values.collect::<Option<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(given: &[(Key, &str)]) -> Result<Filters, Refused> {
        Filters::new(given.iter().copied())
    }

    #[test]
    fn values_of_one_key_are_alternatives() {
        let read = filters(&[
            (Key::Name, "b"),
            (Key::Name, "a"),
            (Key::Name, "b"),
            (Key::DeploymentStatus, "FAILED"),
            (Key::DeployedTemplateVersionStatus, "behind_minor"),
        ])
        .expect("filters");
        assert_eq!(read.names, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        assert_eq!(read.statuses, BTreeSet::from(["FAILED"]));
        assert_eq!(read.staleness, BTreeSet::from([Staleness::BehindMinor]));
        assert!(read.created.is_open() && read.attempted.is_open());
    }

    #[test]
    fn of_several_bounds_the_widest_counts() {
        let read = filters(&[
            (Key::CreatedAfter, "1970-01-01T00:00:05Z"),
            (Key::CreatedAfter, "1970-01-01T00:00:03Z"),
            (Key::CreatedBefore, "1970-01-01T00:00:08Z"),
            (Key::CreatedBefore, "1970-01-01T00:00:09Z"),
            (Key::AttemptedAfter, "1970-01-01T00:00:00.0015Z"),
            (Key::AttemptedBefore, "1970-01-01T00:00:00.0025Z"),
        ])
        .expect("filters");
        assert_eq!(read.created, Span { after: Some(3000), before: Some(9000) });
        assert_eq!(read.attempted, Span { after: Some(1), before: Some(3) }, "2 ms is between 1.5 and 2.5");
    }

    #[test]
    fn a_value_that_the_key_can_not_have_is_named_with_its_place() {
        for (key, value, says) in [
            (Key::DeploymentStatus, "failed", "filters[1].value: 'failed' is no deployment status; those are IN_PRO"),
            (Key::DeployedTemplateVersionStatus, "OLD", "filters[1].value: 'OLD' is no status of a deployed"),
            (Key::CreatedAfter, "yesterday", "filters[1].value: 'yesterday' is no point in time"),
            (Key::CreatedBefore, "2026-11-21T00:00:00+01:00", "filters[1].value: '2026-11-21T00:00:00+01:00' is no"),
            (Key::AttemptedAfter, "", "filters[1].value: '' is no point in time"),
            (Key::AttemptedBefore, "0", "filters[1].value: '0' is no point in time"),
        ] {
            let refused = filters(&[(Key::Name, "a"), (key, value)]).expect_err("a bad value");
            assert!(matches!(refused, Refused::Invalid(_)), "{key:?}");
            assert!(refused.to_string().starts_with(says), "{refused}");
        }
        let many = vec![(Key::Name, "a"); MAX_FILTERS + 1];
        assert!(filters(&many).expect_err("too many").to_string().starts_with("filters: are 101; give at most 100"));
    }

    #[test]
    fn the_fingerprint_does_not_know_the_order_but_knows_the_key() {
        let one = filters(&[(Key::Name, "a"), (Key::TemplateName, "b"), (Key::Name, "c")]).expect("filters");
        let two = filters(&[(Key::Name, "c"), (Key::Name, "a"), (Key::TemplateName, "b")]).expect("filters");
        let other = filters(&[(Key::Name, "a"), (Key::Name, "b"), (Key::TemplateName, "c")]).expect("filters");
        assert_eq!(one.fingerprint(), two.fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        let before = filters(&[(Key::CreatedBefore, "1970-01-01T00:00:05Z")]).expect("filters");
        let after = filters(&[(Key::CreatedAfter, "1970-01-01T00:00:05Z")]).expect("filters");
        assert_ne!(before.fingerprint(), after.fingerprint());
    }

    #[test]
    fn a_position_survives_as_a_text() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (sort, position) in [
            (Field::Service, vec![text("web"), text("a")]),
            (Field::Name, vec![text("a"), text("web")]),
            (Field::CreatedAt, vec![Value::Number(5), text("web"), text("a")]),
            (Field::Status, vec![text("FAILED"), text("web"), text("a")]),
        ] {
            let position = Position(position);
            assert_eq!(Position::parse(sort, &position.to_text()), Some(position));
        }
        assert_eq!(Position::parse(Field::CreatedAt, "x/web/a"), None);
        assert_eq!(Position::parse(Field::Service, "web"), None);
    }
}
