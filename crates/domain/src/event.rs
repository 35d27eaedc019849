//! Events: how a change of a status is told to others, in the shapes of AWS Proton on EventBridge.
//!
//! Owns: which changes are told, what of them, and the envelope. Does not own: the log of changes (the store's), or
//! bringing an event anywhere.

use crate::arn::{Resource, Scope};
use crate::moment;
use crate::version::{Version, parse_part};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::fmt;

/// The source of events, unless the operator names another: AWS keeps `aws.proton` for itself.
pub const SOURCE: &str = "protium.proton";

/// What an event says has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetailType {
    EnvironmentTemplate,
    EnvironmentTemplateVersion,
    ServiceTemplate,
    ServiceTemplateVersion,
    Environment,
    Service,
    ServiceInstance,
    ServicePipeline,
    EnvironmentAccountConnection,
    Component,
}

impl DetailType {
    pub const ALL: [Self; 10] = [
        Self::EnvironmentTemplate,
        Self::EnvironmentTemplateVersion,
        Self::ServiceTemplate,
        Self::ServiceTemplateVersion,
        Self::Environment,
        Self::Service,
        Self::ServiceInstance,
        Self::ServicePipeline,
        Self::EnvironmentAccountConnection,
        Self::Component,
    ];

    /// As events write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EnvironmentTemplate => "AWS Proton Environment Template Status Change",
            Self::EnvironmentTemplateVersion => "AWS Proton Environment Template Version Status Change",
            Self::ServiceTemplate => "AWS Proton Service Template Status Change",
            Self::ServiceTemplateVersion => "AWS Proton Service Template Version Status Change",
            Self::Environment => "AWS Proton Environment Status Change",
            Self::Service => "AWS Proton Service Status Change",
            Self::ServiceInstance => "AWS Proton Service Instance Status Change",
            Self::ServicePipeline => "AWS Proton Service Pipeline Status Change",
            Self::EnvironmentAccountConnection => "AWS Proton Environment Account Connection Status Change",
            Self::Component => "AWS Proton Component Status Change",
        }
    }

    /// What a logged change of this kind is told as. Some changes are for Protium's own use: AWS has no such event.
    fn of(kind: &str, detail: &Detail<'_>) -> Option<Self> {
        let of_services = || match detail.get(KIND) {
            Some("ENVIRONMENT") => Some(false),
            Some("SERVICE") => Some(true),
            _ => None,
        };
        Some(match kind {
            "TEMPLATE_STATUS" if of_services()? => Self::ServiceTemplate,
            "TEMPLATE_STATUS" => Self::EnvironmentTemplate,
            "TEMPLATE_VERSION_STATUS" if of_services()? => Self::ServiceTemplateVersion,
            "TEMPLATE_VERSION_STATUS" => Self::EnvironmentTemplateVersion,
            "ENVIRONMENT_STATUS" => Self::Environment,
            "SERVICE_STATUS" => Self::Service,
            "SERVICE_INSTANCE_STATUS" => Self::ServiceInstance,
            "SERVICE_PIPELINE_STATUS" => Self::ServicePipeline,
            "ENVIRONMENT_ACCOUNT_CONNECTION_STATUS" => Self::EnvironmentAccountConnection,
            "COMPONENT_STATUS" => Self::Component,
            _ => return None,
        })
    }

    /// What has changed, by the names in the detail of the event.
    fn resource(self, detail: &Detail<'_>) -> Option<Resource> {
        let text = |name: &str| detail.get(name).map(str::to_owned);
        let part = |name: &str| parse_part(detail.get(name)?);
        let version = || Some(Version::new(part("majorVersion")?, part("minorVersion")?));
        Some(match self {
            Self::EnvironmentTemplate => Resource::EnvironmentTemplate(text("name")?),
            Self::EnvironmentTemplateVersion => Resource::EnvironmentTemplateVersion(text("name")?, version()?),
            Self::ServiceTemplate => Resource::ServiceTemplate(text("name")?),
            Self::ServiceTemplateVersion => Resource::ServiceTemplateVersion(text("name")?, version()?),
            Self::Environment => Resource::Environment(text("name")?),
            Self::Service => Resource::Service(text("name")?),
            Self::ServiceInstance => Resource::ServiceInstance { service: text("serviceName")?, name: text("name")? },
            Self::ServicePipeline => Resource::ServicePipeline(text("serviceName")?),
            Self::EnvironmentAccountConnection => Resource::EnvironmentAccountConnection(text("id")?),
            Self::Component => Resource::Component(text("name")?),
        })
    }
}

impl fmt::Display for DetailType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change as it was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub scope: Scope,
    /// The incarnation that changed.
    pub resource_id: String,
    /// Its revision after the change.
    pub revision: i64,
    /// What happened, such as `ENVIRONMENT_STATUS`.
    pub kind: String,
    /// A JSON object of texts.
    pub detail: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// An event: a change as others are told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// A UUID that is the same however often the event is brought somewhere.
    pub id: String,
    pub detail_type: DetailType,
    pub scope: Scope,
    /// The ARN of what has changed.
    pub arn: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// A JSON object of texts, on one line.
    pub detail: String,
}

/// The member of a detail that is in the type of the event.
const KIND: &str = "kind";

/// The members of a JSON object of texts, in their order.
struct Detail<'a>(Vec<(Text<'a>, Text<'a>)>);

/// As it is in what it was read from, unless that has escapes.
#[derive(Deserialize, Serialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Detail<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(member, _)| member.0 == name).map(|(_, value)| &*value.0)
    }
}

impl<'de> Deserialize<'de> for Detail<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Detail<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Detail<'de>, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Detail(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Detail<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Change {
    /// The event that tells of this change; `None` if it is told to nobody.
    pub fn told(self) -> Option<Event> {
        let mut detail: Detail<'_> = serde_json::from_str(&self.detail).ok()?;
        let detail_type = DetailType::of(&self.kind, &detail)?;
        let arn = self.scope.arn(&detail_type.resource(&detail)?);
        detail.0.retain(|(name, _)| name.0 != KIND);
        let (id, detail) = (self.id(), serde_json::to_string(&detail).ok()?);
        Some(Event { id, detail_type, scope: self.scope, arn, at: self.at, detail })
    }

    /// Made of what tells the change from all others: a UUID of version 8.
    fn id(&self) -> String {
        let named = format!("{}/{}/{}", self.resource_id, self.revision, self.kind);
        let hash = Sha256::digest(named.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let hex = hex::encode(bytes);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

/// The members of an envelope in AWS's order, but for the last one: the detail.
#[derive(Serialize)]
struct Envelope<'a> {
    version: &'static str,
    id: &'a str,
    #[serde(rename = "detail-type")]
    detail_type: &'static str,
    source: &'a str,
    account: &'a str,
    time: String,
    region: &'a str,
    resources: [&'a str; 1],
}

impl Event {
    /// The event as EventBridge hands it to its targets, on one line.
    pub fn envelope(&self, source: &str) -> String {
        let envelope = Envelope {
            version: "0",
            id: &self.id,
            detail_type: self.detail_type.as_str(),
            source,
            account: &self.scope.account,
            time: moment::to_second(self.at),
            region: &self.scope.region,
            resources: [&self.arn],
        };
        let mut text = serde_json::to_string(&envelope).unwrap_or_default();
        text.pop();
        // It is JSON already.
        text.push_str(",\"detail\":");
        text.push_str(&self.detail);
        text.push('}');
        text
    }
}

/// Which events a destination gets. An empty list narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Any of these.
    pub detail_types: Vec<DetailType>,
    /// What the ARN of the resource begins with: any of these.
    pub resources: Vec<String>,
}

impl Selection {
    /// Whether the destination gets the event.
    pub fn has(&self, event: &Event) -> bool {
        let of_type = self.detail_types.is_empty() || self.detail_types.contains(&event.detail_type);
        let of_resource =
            self.resources.is_empty() || self.resources.iter().any(|prefix| event.arn.starts_with(prefix.as_str()));
        of_type && of_resource
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: &str, detail: &str) -> Change {
        Change {
            scope: Scope::new("123456789012", "us-east-1"),
            resource_id: "0b1c2d3e-0000-4000-8000-000000000001".into(),
            revision: 3,
            kind: kind.into(),
            detail: detail.into(),
            at: 1_606_603_250_999,
        }
    }

    #[test]
    fn an_envelope_is_that_of_aws() {
        let change = change(
            "SERVICE_INSTANCE_STATUS",
            r#"{"name":"dev","serviceName":"web","status":"SUCCEEDED","previousStatus":"IN_PROGRESS"}"#,
        );
        let event = change.told().unwrap();
        assert_eq!(
            event.envelope("protium.proton"),
            format!(
                concat!(
                    r#"{{"version":"0","id":"{}","detail-type":"AWS Proton Service Instance Status Change","#,
                    r#""source":"protium.proton","account":"123456789012","time":"2020-11-28T22:40:50Z","#,
                    r#""region":"us-east-1","resources":["arn:aws:proton:us-east-1:123456789012:service/web/"#,
                    r#"service-instance/dev"],"detail":{{"name":"dev","serviceName":"web","status":"SUCCEEDED","#,
                    r#""previousStatus":"IN_PROGRESS"}}}}"#
                ),
                event.id
            )
        );
    }

    #[test]
    fn each_kind_of_change_has_its_type_and_its_resource() {
        let template = |kind: &str| format!(r#"{{"kind":"{kind}","name":"n","status":"DRAFT"}}"#);
        let version = |kind: &str| {
            format!(r#"{{"kind":"{kind}","name":"n","majorVersion":"1","minorVersion":"0","status":"DRAFT"}}"#)
        };
        let named = r#"{"name":"n","serviceName":"s","status":"SUCCEEDED"}"#.to_owned();
        let table = [
            ("TEMPLATE_STATUS", template("ENVIRONMENT"), "environment-template/n"),
            ("TEMPLATE_VERSION_STATUS", version("ENVIRONMENT"), "environment-template/n:1.0"),
            ("TEMPLATE_STATUS", template("SERVICE"), "service-template/n"),
            ("TEMPLATE_VERSION_STATUS", version("SERVICE"), "service-template/n:1.0"),
            ("ENVIRONMENT_STATUS", named.clone(), "environment/n"),
            ("SERVICE_STATUS", named.clone(), "service/n"),
            ("SERVICE_INSTANCE_STATUS", named.clone(), "service/s/service-instance/n"),
            ("SERVICE_PIPELINE_STATUS", named.clone(), "service/s/pipeline"),
            (
                "ENVIRONMENT_ACCOUNT_CONNECTION_STATUS",
                r#"{"id":"c","status":"PENDING"}"#.to_owned(),
                "environment-account-connection/c",
            ),
            ("COMPONENT_STATUS", named, "component/n"),
        ];
        for ((kind, detail, resource), detail_type) in table.into_iter().zip(DetailType::ALL) {
            let event = change(kind, &detail).told().unwrap_or_else(|| panic!("{kind} {detail} is told"));
            let mut told: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&detail).unwrap();
            told.shift_remove(KIND);
            assert_eq!(event.detail_type, detail_type, "{kind}");
            assert_eq!(event.arn, format!("arn:aws:proton:us-east-1:123456789012:{resource}"));
            assert_eq!(event.detail, serde_json::to_string(&told).unwrap(), "{kind}");
        }
    }

    #[test]
    fn what_aws_has_no_event_for_is_told_to_nobody() {
        for (kind, detail) in [
            ("DEPLOYMENT_STATUS", r#"{"targetArn":"a","status":"SUCCEEDED"}"#),
            ("REPOSITORY_STATUS", r#"{"name":"o/r","status":"LINKED"}"#),
            ("TEMPLATE_STATUS", r#"{"kind":"OTHER","name":"n"}"#),
            ("TEMPLATE_VERSION_STATUS", r#"{"kind":"SERVICE","name":"n","majorVersion":"x","minorVersion":"0"}"#),
            ("ENVIRONMENT_STATUS", r#"{"status":"SUCCEEDED"}"#),
            ("ENVIRONMENT_STATUS", r#"{"name":"n","status":1}"#),
            ("ENVIRONMENT_STATUS", "no JSON"),
        ] {
            assert_eq!(change(kind, detail).told(), None, "{kind} {detail}");
        }
    }

    #[test]
    fn an_id_is_that_of_one_change() {
        let one = change("SERVICE_STATUS", r#"{"name":"n","status":"ACTIVE"}"#);
        let id = one.clone().told().unwrap().id;
        assert_eq!(crate::id::Id::parse(&id).map(|id| id.to_string()), Some(id.clone()), "a UUID");
        assert_eq!(one.clone().told().unwrap().id, id, "the same each time");
        for other in [
            Change { revision: 4, ..one.clone() },
            Change { kind: "COMPONENT_STATUS".into(), ..one.clone() },
            Change { resource_id: "0b1c2d3e-0000-4000-8000-000000000002".into(), ..one.clone() },
        ] {
            assert_ne!(other.told().unwrap().id, id);
        }
    }

    #[test]
    fn a_selection_is_by_type_and_by_the_beginning_of_the_arn() {
        let event = change("SERVICE_STATUS", r#"{"name":"web","status":"ACTIVE"}"#).told().unwrap();
        let selection = |types: &[DetailType], resources: &[&str]| Selection {
            detail_types: types.to_vec(),
            resources: resources.iter().map(|&prefix| prefix.to_owned()).collect(),
        };
        let prefix = "arn:aws:proton:us-east-1:123456789012:service/";
        assert!(selection(&[], &[]).has(&event));
        assert!(selection(&[DetailType::Service, DetailType::Component], &["arn:aws:x", prefix]).has(&event));
        assert!(!selection(&[DetailType::Component], &[prefix]).has(&event));
        assert!(!selection(&[DetailType::Service], &["arn:aws:proton:eu-west-1:"]).has(&event));
    }
}
