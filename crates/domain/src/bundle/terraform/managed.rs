//! The place that an operator gives the state of Terraform: `s3://BUCKET/PREFIX` or `postgres://USER:PASSWORD@HOST/NAME`.
//!
//! Owns what such a place is called, and the backend that a bundle is given for it. Every resource has a workspace of its
//! own there. A connection string with its password is in no backend: whoever runs Terraform gives it [`CONN_STR`].

use crate::deployment::TargetKind;
use serde_json::{Map, Value, json};
use std::fmt;

/// The variable that Terraform reads the connection string of a database from.
pub const CONN_STR: &str = "PG_CONN_STR";
/// The schema of a database that has all states.
const SCHEMA: &str = "protium_terraform_state";
/// The file of a state in S3. Terraform looks at one of that name at the top of the bucket, too: it had better not be
/// somebody's.
const FILE: &str = "protium.tfstate";
/// Parameters of a connection string that lead to another database than its address.
const ELSEWHERE: [&str; 5] = ["host", "hostaddr", "port", "dbname", "service"];
const WANTED: &str = "give s3://BUCKET/PREFIX, with ?region=…, &role-arn=… and &kms-key-id=… as needed, or postgres://USER:PASSWORD@HOST/NAME";

/// Where the state is of all bundles that do not say where.
#[derive(Clone, PartialEq, Eq)]
pub struct ManagedState {
    /// What it is called: the same as long as the states are the same. No shell takes anything in it for itself.
    name: String,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    S3(Bucket),
    /// With a connection string.
    Postgres(String),
}

#[derive(Clone, Default, PartialEq, Eq)]
struct Bucket {
    name: String,
    prefix: String,
    region: Option<String>,
    role: Option<String>,
    kms_key: Option<String>,
    /// Whether it is asked for as a folder of its endpoint: emulators have no name for each.
    path_style: bool,
}

/// Without what may be secret.
impl fmt::Debug for ManagedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedState").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ManagedState {
    /// Reads a place. `path_style` is said of a bucket that is reached at an endpoint of the operator's.
    ///
    /// # Errors
    ///
    /// What is wrong and what would be right, without the text: it may hold a password.
    pub fn parse(text: &str, path_style: bool) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("s3", rest)) => Bucket::parse(rest, path_style)
                .map(|bucket| Self { name: format!("s3://{}", bucket.below("")), kind: Kind::S3(bucket) }),
            Some(("postgres" | "postgresql", rest)) => {
                Ok(Self { name: database(rest)?, kind: Kind::Postgres(text.to_owned()) })
            }
            Some(_) | None => Err(format!("no place for states; {WANTED}")),
        }
    }

    /// What it is called, for people and to be compared: no user, no password, no parameters.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The connection string that Terraform needs in [`CONN_STR`], if it does. It is secret.
    #[must_use]
    pub fn connection(&self) -> Option<&str> {
        match &self.kind {
            Kind::S3(_) => None,
            Kind::Postgres(url) => Some(url),
        }
    }

    /// The passwords in the connection string, as they stand there.
    #[must_use]
    pub fn passwords(&self) -> Vec<&str> {
        let Some((_, rest)) = self.connection().and_then(|url| url.split_once("://")) else { return Vec::new() };
        let user = authority(rest).0.rsplit_once('@').and_then(|(user, _)| Some(user.split_once(':')?.1));
        let others = parameters(rest).filter(|(name, _)| matches!(*name, "password" | "sslpassword"));
        user.into_iter().chain(others.map(|(_, value)| value)).filter(|password| !password.is_empty()).collect()
    }

    /// The file with the backend, for the resource with that ARN.
    pub(super) fn backend(&self, kind: TargetKind, arn: &str) -> Value {
        let backend = match &self.kind {
            Kind::S3(bucket) => json!({ "s3": bucket.backend(kind, arn) }),
            Kind::Postgres(_) => json!({ "pg": { "schema_name": SCHEMA } }),
        };
        json!({ "terraform": { "backend": backend } })
    }

    /// Whether its lock needs a Terraform of version 1.10.
    pub(super) fn locks_by_file(&self) -> bool {
        matches!(self.kind, Kind::S3(_))
    }

    /// How to take away the lock of a run that was killed, with `$STACK_NAME` for the workspace.
    pub(super) fn unlock(&self, kind: TargetKind, arn: &str) -> String {
        match &self.kind {
            Kind::S3(bucket) => format!(
                "Remove the lock with: aws s3 rm s3://{}/$STACK_NAME/{FILE}.tflock",
                bucket.below(&folder(kind, arn))
            ),
            Kind::Postgres(_) => {
                "The lock goes with the connection that holds it: at once when its process ends, and when \
                                  the database gives the connection up if its machine is gone."
                    .to_owned()
            }
        }
    }
}

impl Bucket {
    fn parse(rest: &str, path_style: bool) -> Result<Self, String> {
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if !(3..=63).contains(&name.len()) || !name.chars().all(legal) {
            return Err(format!("'{name}' is no name of a bucket; {WANTED}"));
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=');
        if !prefix.is_empty() && !prefix.split('/').all(|part| !part.is_empty() && part.chars().all(legal)) {
            return Err(format!(
                "the prefix '{prefix}' has an empty part, or something else than letters, digits and . - _ =; {WANTED}"
            ));
        }
        let mut bucket = Self { name: name.to_owned(), prefix: prefix.to_owned(), path_style, ..Self::default() };
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let known = match name {
                "region" => &mut bucket.region,
                "role-arn" => &mut bucket.role,
                "kms-key-id" => &mut bucket.kms_key,
                _ => return Err(format!("the parameter '{name}' is unknown; {WANTED}")),
            };
            let legal = |c: char| c.is_ascii_alphanumeric() || "-_./:+=,@".contains(c);
            if value.is_empty() || !value.chars().all(legal) {
                return Err(format!("the value of the parameter '{name}' is no {name}; {WANTED}"));
            }
            *known = Some(value.to_owned());
        }
        Ok(bucket)
    }

    /// The bucket, and a place in it.
    fn below(&self, path: &str) -> String {
        let parts = [self.name.as_str(), self.prefix.as_str(), path];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    fn backend(&self, kind: TargetKind, arn: &str) -> Value {
        let folder = folder(kind, arn);
        let prefix = if self.prefix.is_empty() { folder } else { format!("{}/{folder}", self.prefix) };
        let mut backend = Map::new();
        let mut set = |name: &str, value: Value| backend.insert(name.to_owned(), value);
        set("bucket", json!(self.name));
        set("key", json!(FILE));
        set("workspace_key_prefix", json!(prefix));
        set("region", json!(self.region.as_deref().unwrap_or_else(|| part(arn, 3))));
        set("encrypt", json!(true));
        set("use_lockfile", json!(true));
        if let Some(role) = &self.role {
            set("assume_role", json!({ "role_arn": role, "session_name": "protium-terraform-state" }));
        }
        if let Some(key) = &self.kms_key {
            set("kms_key_id", json!(key));
        }
        if self.path_style {
            set("use_path_style", json!(true));
        }
        Value::Object(backend)
    }
}

/// Where the workspaces of resources of that kind are: `ACCOUNT/REGION/KIND`.
fn folder(kind: TargetKind, arn: &str) -> String {
    let kind = kind.as_str().to_ascii_lowercase().replace('_', "-");
    format!("{}/{}/{kind}", part(arn, 4), part(arn, 3))
}

/// A part of an ARN.
fn part(arn: &str, number: usize) -> &str {
    arn.split(':').nth(number).unwrap_or_default()
}

/// User, host and port of what follows `postgres://`, and the rest.
fn authority(rest: &str) -> (&str, &str) {
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

/// What a database is called, of what follows `postgres://`.
fn database(rest: &str) -> Result<String, String> {
    let (authority, path) = authority(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    let host = host.strip_suffix(":5432").unwrap_or(&host);
    let name = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.:[]%,".contains(c);
    if host.is_empty() || name.is_empty() || !host.chars().chain(name.chars()).all(legal) {
        return Err(
            "no host or no name of a database, or other characters than letters, digits and - _ . in them; give \
             postgres://USER:PASSWORD@HOST:PORT/NAME, with what is special in the password as %XX"
                .to_owned(),
        );
    }
    if let Some((other, _)) = parameters(rest).find(|(name, _)| ELSEWHERE.contains(name)) {
        return Err(format!(
            "the parameter '{other}' says which database it is; say that in postgres://USER:PASSWORD@HOST:PORT/NAME alone"
        ));
    }
    Ok(format!("postgres://{host}/{name}"))
}

/// The parameters of what follows `postgres://`, by name.
fn parameters(rest: &str) -> impl Iterator<Item = (&str, &str)> {
    let all = rest.split_once('?').map_or("", |(_, all)| all);
    all.split('&').map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:proton:eu-west-1:123456789012:environment/dev";

    fn parsed(text: &str) -> ManagedState {
        ManagedState::parse(text, false).unwrap()
    }

    #[test]
    fn a_bucket_has_a_folder_for_each_resource() {
        let state = parsed("s3://states/team/a/?region=us-east-2&role-arn=arn:aws:iam::1:role/s&kms-key-id=alias/k");
        assert_eq!((state.name(), state.connection()), ("s3://states/team/a", None));
        assert_eq!(
            state.backend(TargetKind::ServiceInstance, ARN),
            json!({ "terraform": { "backend": { "s3": {
                "bucket": "states", "key": "protium.tfstate", "region": "us-east-2", "encrypt": true,
                "workspace_key_prefix": "team/a/123456789012/eu-west-1/service-instance", "use_lockfile": true,
                "assume_role": { "role_arn": "arn:aws:iam::1:role/s", "session_name": "protium-terraform-state" },
                "kms_key_id": "alias/k",
            } } } })
        );
        assert!(state.locks_by_file());
        let unlock = state.unlock(TargetKind::Environment, ARN);
        let object = "s3://states/team/a/123456789012/eu-west-1/environment/$STACK_NAME/protium.tfstate.tflock";
        assert!(unlock.ends_with(object), "{unlock}");
        let backend = ManagedState::parse("s3://states", true).unwrap().backend(TargetKind::Environment, ARN);
        let backend = &backend["terraform"]["backend"]["s3"];
        assert_eq!(backend["workspace_key_prefix"], "123456789012/eu-west-1/environment");
        assert_eq!((&backend["region"], &backend["use_path_style"]), (&json!("eu-west-1"), &json!(true)));
        assert_eq!(parsed("s3://states").name(), "s3://states");
    }

    #[test]
    fn a_database_is_called_by_its_place_and_its_backend_has_no_password() {
        let url = "postgres://protium:p%40ss@DB.internal:5432/states?sslmode=require";
        let state = parsed(url);
        assert_eq!(state.name(), "postgres://db.internal/states");
        assert_eq!((state.connection(), state.passwords()), (Some(url), vec!["p%40ss"]));
        let backend = state.backend(TargetKind::Environment, ARN);
        assert_eq!(backend["terraform"]["backend"], json!({ "pg": { "schema_name": "protium_terraform_state" } }));
        assert!(!format!("{state:?}{backend}").contains("p%40ss"));
        assert_eq!(parsed("postgresql://u@h:5433/n").name(), "postgres://h:5433/n");
        assert!(parsed("postgres://u@h/n").passwords().is_empty() && parsed("s3://states").passwords().is_empty());
        let also = parsed("postgres://u@h/n?password=p1&sslmode=require&sslpassword=p2");
        assert_eq!((also.name(), also.passwords()), ("postgres://h/n", vec!["p1", "p2"]));
    }

    #[test]
    fn what_is_no_place_is_told_without_its_password() {
        for (text, said) in [
            ("", "no place for states"),
            ("gs://bucket", "no place for states"),
            ("s3://", "no name of a bucket"),
            ("s3://Bucket", "no name of a bucket"),
            ("s3://states/a//b", "the prefix"),
            ("s3://states/it's", "the prefix"),
            ("s3://states?endpoint=x", "'endpoint' is unknown"),
            ("s3://states?region=", "'region'"),
            ("s3://states?region=$(x)", "'region'"),
            ("postgres://u:hidden@/n", "no host"),
            ("postgres://u:hidden@h", "no name"),
            ("postgres://u:hidden@h/n'", "no name"),
            ("postgres:///n?host=/run&password=hidden", "no host"),
            ("postgres://u:hidden@h/n?sslmode=disable&dbname=other", "'dbname'"),
        ] {
            let error = ManagedState::parse(text, false).unwrap_err();
            assert!(error.contains(said) && !error.contains("hidden"), "{text}: {error}");
        }
    }
}
