//! Where a command that calls a server finds it, and as whom it calls: the variables and the profile file that AWS
//! clients read.

use super::ConfigError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where `protium serve` listens unless it is told otherwise.
const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:8420";
const DEFAULT_REGION: &str = "us-east-1";

/// What a client of a server needs to know.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSettings {
    pub endpoint: String,
    pub region: Option<String>,
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
    /// A PEM file with the authorities that are trusted instead of the system's.
    pub ca_bundle: Option<PathBuf>,
}

impl ClientSettings {
    /// From the environment of the process.
    ///
    /// # Errors
    /// There are no credentials, or the profile file can't be read.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::read(&super::environment::text, &|path| std::fs::read_to_string(path))
    }

    /// As the root user of a server on this machine, by the credentials file in its data folder.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn of_server(data_dir: &Path, endpoint: String) -> Result<Self, ConfigError> {
        let file = data_dir.join("credentials");
        let variable = |name: &str| match name {
            "AWS_SHARED_CREDENTIALS_FILE" => Some(file.to_string_lossy().into_owned()),
            "AWS_ENDPOINT_URL" => Some(endpoint.clone()),
            _ => None,
        };
        Self::read(&variable, &|_| std::fs::read_to_string(&file))
    }

    /// The region that requests are signed for, where nothing else says one.
    pub fn region_or_default(&self) -> String {
        self.region.clone().unwrap_or_else(|| DEFAULT_REGION.to_owned())
    }

    fn read(
        variable: &dyn Fn(&str) -> Option<String>,
        file: &dyn Fn(&PathBuf) -> std::io::Result<String>,
    ) -> Result<Self, ConfigError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let keys = (set("AWS_ACCESS_KEY_ID"), set("AWS_SECRET_ACCESS_KEY"));
        let from_variables = match &keys {
            (Some(_), Some(_)) => true,
            (None, None) => false,
            (Some(_), None) => return Err(missing("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")),
            (None, Some(_)) => return Err(missing("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        };
        let profile = if from_variables { BTreeMap::new() } else { profile(&set, file)? };
        let of_profile = |name: &str| profile.get(name).cloned();
        let (Some(access_key_id), Some(secret_access_key)) = (
            keys.0.or_else(|| of_profile("aws_access_key_id")),
            keys.1.or_else(|| of_profile("aws_secret_access_key")),
        ) else {
            return Err(ConfigError(
                "the profile has no aws_access_key_id and aws_secret_access_key; give it both, or set AWS_ACCESS_KEY_ID \
                 and AWS_SECRET_ACCESS_KEY"
                    .into(),
            ));
        };
        let session_token = if from_variables { set("AWS_SESSION_TOKEN") } else { of_profile("aws_session_token") };
        Ok(Self {
            endpoint: set("AWS_ENDPOINT_URL_PROTON")
                .or_else(|| set("AWS_ENDPOINT_URL"))
                .unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
            region: set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")).or_else(|| of_profile("region")),
            access_key_id,
            secret_access_key,
            session_token,
            ca_bundle: set("AWS_CA_BUNDLE").map(PathBuf::from),
        })
    }
}

/// The settings of the profile that is asked for, or of `default`.
fn profile(
    set: &dyn Fn(&str) -> Option<String>,
    file: &dyn Fn(&PathBuf) -> std::io::Result<String>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let path = match (set("AWS_SHARED_CREDENTIALS_FILE"), set("HOME")) {
        (Some(path), _) => PathBuf::from(path),
        (None, Some(home)) => PathBuf::from(home).join(".aws/credentials"),
        (None, None) => return Err(no_credentials("there is no home folder with a profile file")),
    };
    let text = file(&path).map_err(|error| no_credentials(&format!("{}: {error}", path.display())))?;
    let name = set("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    section(&text, &name).ok_or_else(|| no_credentials(&format!("{} has no profile [{name}]", path.display())))
}

/// The `key = value` lines below `[name]`. `None`: there is no such section.
fn section(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut found = None;
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(heading) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = heading.trim() == name;
            if inside {
                found.get_or_insert_with(BTreeMap::new);
            }
        } else if let (true, false, Some((key, value))) = (inside, line.starts_with(['#', ';']), line.split_once('=')) {
            found.get_or_insert_with(BTreeMap::new).insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    found
}

fn missing(name: &str, given: &str) -> ConfigError {
    ConfigError(format!("{name}: missing; give it with {given}"))
}

fn no_credentials(why: &str) -> ConfigError {
    ConfigError(format!(
        "no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and {why}; a server keeps its root \
         user's key in <data-dir>/credentials, which AWS_SHARED_CREDENTIALS_FILE can name"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# keys
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key=default-secret
[ other ]
aws_access_key_id = AKIAOTHER
aws_secret_access_key = a=b
; a comment = none
aws_session_token = token
region = eu-west-1
";

    fn read(variables: &[(&str, &str)]) -> Result<ClientSettings, String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let file = |path: &PathBuf| match path.to_str() {
            Some("/me/.aws/credentials" | "/keys") => Ok(FILE.to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        ClientSettings::read(&variable, &file).map_err(|error| error.to_string())
    }

    #[test]
    fn variables_win_over_the_profile_file() {
        let all = [
            ("HOME", "/me"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_REGION", "eu-north-1"),
            ("AWS_DEFAULT_REGION", "eu-south-1"),
            ("AWS_CA_BUNDLE", "/authorities.pem"),
            ("AWS_ENDPOINT_URL", "http://all:1"),
            ("AWS_ENDPOINT_URL_PROTON", "http://proton:1"),
        ];
        let found = read(&all).unwrap();
        let keys = (found.access_key_id.as_str(), found.secret_access_key.as_str(), found.session_token.as_deref());
        assert_eq!(keys, ("AKIA", "secret", Some("token")));
        assert_eq!((found.endpoint.as_str(), found.region.as_deref()), ("http://proton:1", Some("eu-north-1")));
        assert_eq!(found.ca_bundle, Some(PathBuf::from("/authorities.pem")));
        assert_eq!(read(&all[..8]).unwrap().endpoint, "http://all:1");
        assert_eq!(read(&all[..3]).unwrap().endpoint, DEFAULT_ENDPOINT);
        assert_eq!(read(&all[..3]).unwrap().region_or_default(), DEFAULT_REGION);
    }

    #[test]
    fn a_profile_file_is_read_where_no_key_is_given() {
        let found = read(&[("HOME", "/me"), ("AWS_SESSION_TOKEN", "of another key")]).unwrap();
        assert_eq!((found.access_key_id.as_str(), found.secret_access_key.as_str()), ("AKIADEFAULT", "default-secret"));
        assert_eq!(found.session_token, None);
        let found = read(&[("AWS_SHARED_CREDENTIALS_FILE", "/keys"), ("AWS_PROFILE", "other")]).unwrap();
        assert_eq!((found.access_key_id.as_str(), found.secret_access_key.as_str()), ("AKIAOTHER", "a=b"));
        assert_eq!((found.session_token.as_deref(), found.region.as_deref()), (Some("token"), Some("eu-west-1")));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (variables, said) in [
            (&[][..], "AWS_ACCESS_KEY_ID"),
            (&[("HOME", "/you")], "/you/.aws/credentials"),
            (&[("HOME", "/me"), ("AWS_PROFILE", "none")], "[none]"),
            (&[("AWS_ACCESS_KEY_ID", "AKIA")], "AWS_SECRET_ACCESS_KEY: missing"),
            (&[("AWS_SECRET_ACCESS_KEY", "hush")], "AWS_ACCESS_KEY_ID: missing"),
        ] {
            let error = read(variables).map(drop).unwrap_err();
            assert!(error.contains(said) && !error.contains("hush"), "{error}");
        }
    }
}
