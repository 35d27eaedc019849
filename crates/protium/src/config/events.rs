//! Where events are brought to, as the file says it: `[[events.destination]]`.

use super::{ConfigError, environment};
use protium_domain::event::{DetailType, SOURCE, Selection};
use protium_engines::Role;
use protium_engines::aws::BusSettings;
use serde::Deserialize;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The days that events are kept for, where nobody says otherwise.
const KEEP_DAYS: u64 = 30;
/// The longest that events can be kept for, in days: a hundred years.
const LONGEST_KEEP_DAYS: u64 = 36_500;
/// The hours after which an event that can't be delivered is given up, where nobody says otherwise.
const MAX_AGE_HOURS: u64 = 24;
/// The seconds that a receiver has to answer, where nobody says otherwise, and at most.
const TIMEOUT_SECONDS: u64 = 10;
const LONGEST_TIMEOUT_SECONDS: u64 = 30;
/// A secret has so many bytes or more.
const SHORTEST_SECRET: usize = 16;

/// What is brought where.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Tells it from the others, also over restarts.
    pub name: String,
    pub selection: Selection,
    /// The source that its events name.
    pub source: String,
    /// How long after an event it is given up.
    pub max_age: Duration,
    pub kind: DestinationKind,
}

#[derive(Clone, Debug)]
pub enum DestinationKind {
    EventBridge(BusSettings),
    Webhook(Webhook),
    /// A file with an event on each line; `None`: standard output.
    File(Option<PathBuf>),
}

/// A receiver of events over HTTP.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// It may hold a secret.
    pub url: Hidden,
    /// Where to find what its events are signed with.
    pub secret: SecretSource,
    /// A PEM file with the authorities that it is trusted by, instead of the system's.
    pub ca_bundle: Option<PathBuf>,
    /// How long it has to answer.
    pub timeout: Duration,
}

/// Where the secret of a webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The first line of a file.
    File(PathBuf),
    /// The value of an environment variable.
    Variable(String),
}

impl SecretSource {
    /// The secret. The error does not repeat it.
    pub fn read(&self) -> Result<Hidden, String> {
        let secret = match self {
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| format!("secret-file: {} can't be read: {error}", path.display()))?,
            Self::Variable(name) => environment::text(name)
                .ok_or_else(|| format!("secret-variable: the environment has no variable {name}"))?,
        };
        let secret = secret.trim_end_matches(['\r', '\n']);
        if secret.len() < SHORTEST_SECRET {
            return Err(format!("the secret has {} bytes; {SHORTEST_SECRET} or more are needed", secret.len()));
        }
        Ok(Hidden(secret.to_owned()))
    }
}

/// A text that no log has.
#[derive(Clone)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// The section `[events]` of the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct EventsOfFile {
    destination: Vec<DestinationOfFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    EventBridge,
    Webhook,
    File,
}

/// A destination as it is written: the members of all types.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DestinationOfFile {
    name: String,
    #[serde(rename = "type")]
    kind: Type,
    #[serde(default)]
    detail_types: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    source: Option<String>,
    max_age_hours: Option<u64>,
    bus: Option<String>,
    region: Option<String>,
    role: Option<String>,
    external_id: Option<String>,
    url: Option<String>,
    #[serde(default)]
    allow_http: bool,
    secret_file: Option<PathBuf>,
    secret_variable: Option<String>,
    ca_bundle: Option<PathBuf>,
    timeout_seconds: Option<u64>,
    path: Option<PathBuf>,
}

impl EventsOfFile {
    /// The destinations, checked, with their secrets. `keep` is how long events are kept.
    pub(super) fn destinations(self, keep: Duration) -> Result<Vec<Destination>, ConfigError> {
        let mut read: Vec<Destination> = Vec::new();
        for written in self.destination {
            let name = written.name.clone();
            let refused = |why: String| ConfigError(format!("events.destination '{name}': {why}"));
            let destination = written.read().map_err(&refused)?;
            if read.iter().any(|other| other.name == name) {
                return Err(refused("another destination has this name; give each its own".into()));
            }
            if destination.max_age > keep {
                return Err(refused(format!(
                    "max-age-hours: {} is longer than events are kept; raise --event-keep-days",
                    destination.max_age.as_secs() / 3600
                )));
            }
            read.push(destination);
        }
        Ok(read)
    }
}

/// How long events are kept.
pub(super) fn event_keep(days: Option<u64>) -> Result<Duration, ConfigError> {
    match days.unwrap_or(KEEP_DAYS) {
        days @ 1..=LONGEST_KEEP_DAYS => Ok(DAY * u32::try_from(days).unwrap_or(u32::MAX)),
        days => Err(ConfigError(format!("event-keep-days: {days} is not from 1 to {LONGEST_KEEP_DAYS} days"))),
    }
}

impl DestinationOfFile {
    fn read(mut self) -> Result<Destination, String> {
        let legal = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if self.name.is_empty() || self.name.len() > 64 || !legal(&self.name) {
            return Err("name: give 1 to 64 letters, digits, hyphens, underscores and dots".into());
        }
        let selection = Selection {
            detail_types: self.detail_types.iter().map(|text| detail_type(text)).collect::<Result<_, _>>()?,
            resources: std::mem::take(&mut self.resources),
        };
        if let Some(prefix) = selection.resources.iter().find(|prefix| !prefix.starts_with("arn:")) {
            return Err(format!("resources: '{prefix}' begins no ARN; give one as in arn:aws:proton:us-east-1:"));
        }
        let source = self.source.take().unwrap_or_else(|| SOURCE.to_owned());
        if source.is_empty() || source.len() > 256 {
            return Err("source: give 1 to 256 characters".into());
        }
        let max_age = match self.max_age_hours.take().unwrap_or(MAX_AGE_HOURS) {
            hours @ 1..=876_000 => Duration::from_secs(hours * 60 * 60),
            hours => return Err(format!("max-age-hours: {hours} is not from 1 to 876000 hours")),
        };
        let name = self.name.clone();
        let kind = match self.kind {
            Type::EventBridge => DestinationKind::EventBridge(self.event_bus(&source)?),
            Type::Webhook => DestinationKind::Webhook(self.webhook()?),
            Type::File => DestinationKind::File(self.file()?),
        };
        Ok(Destination { name, selection, source, max_age, kind })
    }

    fn event_bus(mut self, source: &str) -> Result<BusSettings, String> {
        if source.starts_with("aws.") {
            return Err(format!(
                "source: '{source}' is AWS's own, which EventBridge takes from nobody else; leave it out for {SOURCE}, and \
                 change the rules that match aws.proton"
            ));
        }
        let bus = self.bus.take().unwrap_or_else(|| "default".to_owned());
        let of_bus = bus.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2)).map(str::to_owned);
        let region = match (self.region.take(), of_bus) {
            (Some(region), Some(of_bus)) if region != of_bus => {
                return Err(format!("region: '{region}' is not the one in the ARN of the bus; leave it out"));
            }
            (Some(region), _) | (None, Some(region)) => region,
            (None, None) => return Err("region: missing; give that of the bus, as in us-east-1".into()),
        };
        let role = self.role.take();
        if let Some(role) = role.as_ref().filter(|role| !role.contains(":role/")) {
            return Err(format!(
                "role: '{role}' is no ARN of a role; give one as in arn:aws:iam::123456789012:role/events"
            ));
        }
        let external_id = self.external_id.take();
        let session_name = format!("protium-events-{}", self.name);
        let role = role.map(|arn| Role { arn, session_name, external_id: external_id.clone() });
        if role.is_none() && external_id.is_some() {
            return Err("external-id: is for a role; give the role, or leave it out".into());
        }
        self.nothing_else("eventbridge")?;
        Ok(BusSettings { bus, region, role })
    }

    fn webhook(mut self) -> Result<Webhook, String> {
        let url = self.url.take().ok_or("url: missing; give that of the receiver, as in https://hooks.example.org/")?;
        check_url(&url, std::mem::take(&mut self.allow_http))?;
        let secret = match (self.secret_file.take(), self.secret_variable.take()) {
            (Some(path), None) => SecretSource::File(path),
            (None, Some(name)) => SecretSource::Variable(name),
            (None, None) => return Err("secret-file: missing; give it, or secret-variable".into()),
            (Some(_), Some(_)) => return Err("secret-variable: secret-file is given too; leave one of them out".into()),
        };
        let timeout = match self.timeout_seconds.take().unwrap_or(TIMEOUT_SECONDS) {
            seconds @ 1..=LONGEST_TIMEOUT_SECONDS => Duration::from_secs(seconds),
            seconds => return Err(format!("timeout-seconds: {seconds} is not from 1 to {LONGEST_TIMEOUT_SECONDS}")),
        };
        let ca_bundle = self.ca_bundle.take();
        self.nothing_else("webhook")?;
        Ok(Webhook { url: Hidden(url), secret, ca_bundle, timeout })
    }

    fn file(mut self) -> Result<Option<PathBuf>, String> {
        let path = self.path.take().ok_or("path: missing; give a file, or - for standard output")?;
        self.nothing_else("file")?;
        Ok((path.as_os_str() != "-").then_some(path))
    }

    /// Refuses what is said of another type of destination.
    fn nothing_else(&self, kind: &str) -> Result<(), String> {
        let left = [
            ("bus", self.bus.is_some()),
            ("region", self.region.is_some()),
            ("role", self.role.is_some()),
            ("external-id", self.external_id.is_some()),
            ("url", self.url.is_some()),
            ("allow-http", self.allow_http),
            ("secret-file", self.secret_file.is_some()),
            ("secret-variable", self.secret_variable.is_some()),
            ("ca-bundle", self.ca_bundle.is_some()),
            ("timeout-seconds", self.timeout_seconds.is_some()),
            ("path", self.path.is_some()),
        ];
        match left.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(format!("{name}: is not for the type {kind}; leave it out")),
            None => Ok(()),
        }
    }
}

fn detail_type(text: &str) -> Result<DetailType, String> {
    DetailType::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| {
        let known: Vec<&str> = DetailType::ALL.iter().map(|known| known.as_str()).collect();
        format!("detail-types: '{text}' is none; give some of {}", known.join(", "))
    })
}

/// Events are told over HTTPS, to this machine itself over HTTP too, and elsewhere only if that is meant. The error
/// does not repeat the URL, which may hold a secret.
fn check_url(url: &str, allow_http: bool) -> Result<(), String> {
    let wrong = || "url: is none of a receiver; give one as in https://hooks.example.org/protium".to_owned();
    let uri: axum::http::Uri = url.parse().map_err(|_| wrong())?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("url: has a user name; a receiver knows events by their signature, leave it out".into());
    }
    let host = host.trim_matches(['[', ']']);
    let is_here = host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_here || allow_http => Ok(()),
        Some("http") => {
            Err("url: is http, and everybody on the way reads along; give https, or allow-http = true if that is meant"
                .into())
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Destination>, String> {
        let file: EventsOfFile = toml::from_str(text).map_err(|error| error.to_string())?;
        file.destinations(30 * DAY).map_err(|error| error.to_string())
    }

    fn one(members: &str) -> Result<Destination, String> {
        read(&format!("[[destination]]\nname = \"d\"\n{members}\n")).map(|mut all| all.remove(0))
    }

    fn secret() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "a secret of many bytes\n").expect("written");
        let member = format!("secret-file = \"{}\"", path.display());
        (folder, member)
    }

    #[test]
    fn a_bus_is_by_name_and_region_or_by_its_arn() {
        let bus = |members: &str| match one(&format!("type = \"eventbridge\"\n{members}")).map(|one| one.kind) {
            Ok(DestinationKind::EventBridge(bus)) => Ok((bus.bus, bus.region, bus.role.map(|role| role.arn))),
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        };
        let arn = "arn:aws:events:eu-west-1:123456789012:event-bus/b";
        assert_eq!(bus("region = \"us-east-1\""), Ok(("default".into(), "us-east-1".into(), None)));
        assert_eq!(bus(&format!("bus = \"{arn}\"")), Ok((arn.into(), "eu-west-1".into(), None)));
        assert!(bus("bus = \"b\"").unwrap_err().contains("region: missing"));
        assert!(bus(&format!("bus = \"{arn}\"\nregion = \"us-east-1\"")).unwrap_err().contains("'us-east-1'"));
        assert!(bus("region = \"us-east-1\"\nsource = \"aws.proton\"").unwrap_err().contains("AWS's own"));
        assert!(bus("region = \"us-east-1\"\nrole = \"me\"").unwrap_err().contains("role: 'me'"));
        assert!(bus("region = \"us-east-1\"\nexternal-id = \"x\"").unwrap_err().contains("external-id"));
    }

    #[test]
    fn a_webhook_is_told_over_https_with_a_secret() {
        let (_folder, secret) = secret();
        let webhook = |members: &str| one(&format!("type = \"webhook\"\n{members}"));
        let of = |url: &str, more: &str| webhook(&format!("url = \"{url}\"\n{secret}\n{more}"));
        let told = of("https://hooks.example.org/T/1?key=x", "").unwrap();
        let DestinationKind::Webhook(hook) = &told.kind else { panic!("{told:?}") };
        let read = hook.secret.read().unwrap();
        assert_eq!(read.0, "a secret of many bytes", "without the end of the line");
        let shown = format!("{told:?} {read:?}");
        assert!(!shown.contains("many bytes") && !shown.contains("key=x"), "{shown}");
        assert_eq!(told.source, SOURCE);
        assert_eq!(told.max_age, DAY);
        for here in ["http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost:1/"] {
            assert!(of(here, "").is_ok(), "{here}");
        }
        assert!(of("http://10.0.0.1/", "").unwrap_err().contains("allow-http"));
        assert!(of("http://10.0.0.1/", "allow-http = true").is_ok());
        for wrong in ["ftp://example.org/", "example.org", "https://", "https://me:x@example.org/"] {
            let why = of(wrong, "").unwrap_err();
            assert!(why.contains("url: ") && !why.contains("me:x"), "{why}");
        }
        assert!(webhook(&secret).unwrap_err().contains("url: missing"));
        assert!(webhook("url = \"https://a/\"").unwrap_err().contains("secret-file: missing"));
        assert!(of("https://a/", "timeout-seconds = 0").unwrap_err().contains("timeout-seconds: 0"));
        assert!(of("https://a/", "path = \"x\"").unwrap_err().contains("path: is not for the type webhook"));
    }

    #[test]
    fn a_short_secret_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").expect("written");
        let why = SecretSource::File(path).read().unwrap_err();
        assert!(why.contains("has 7 bytes") && !why.contains("hunter2"), "{why}");
        let unset = SecretSource::Variable("PROTIUM_NO_SUCH_VARIABLE".into()).read().unwrap_err();
        assert!(unset.contains("PROTIUM_NO_SUCH_VARIABLE"), "{unset}");
        let missing = SecretSource::File(folder.path().join("none")).read().unwrap_err();
        assert!(missing.contains("none can't be read"), "{missing}");
    }

    #[test]
    fn what_is_for_every_type_is_checked() {
        let file = |members: &str| one(&format!("type = \"file\"\npath = \"-\"\n{members}"));
        assert!(matches!(file("").unwrap().kind, DestinationKind::File(None)));
        assert_eq!(file("source = \"aws.proton\"").unwrap().source, "aws.proton");
        let chosen = "detail-types = [\"AWS Proton Service Status Change\"]\nresources = [\"arn:aws:proton:\"]";
        assert_eq!(file(chosen).unwrap().selection.detail_types, [DetailType::Service]);
        for (members, named) in [
            ("detail-types = [\"Service\"]", "'Service'"),
            ("resources = [\"service/\"]", "'service/'"),
            ("source = \"\"", "source"),
            ("max-age-hours = 0", "max-age-hours: 0"),
            ("max-age-hours = 721", "--event-keep-days"),
            ("region = \"us-east-1\"", "region: is not for the type file"),
            ("urls = \"x\"", "urls"),
        ] {
            let why = file(members).unwrap_err();
            assert!(why.contains(named), "{members}: {why}");
        }
        assert!(one("type = \"file\"").unwrap_err().contains("path: missing"));
        assert!(one("type = \"queue\"").unwrap_err().contains("queue"));
        let one = "[[destination]]\nname = \"a\"\ntype = \"file\"\npath = \"-\"\n";
        assert!(read(&format!("{one}{one}")).unwrap_err().contains("another destination"));
        assert!(read(&one.replace("\"a\"", "\"a b\"")).unwrap_err().contains("name: give"));
    }
}
