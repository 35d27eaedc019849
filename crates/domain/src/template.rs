//! Templates and their versions: numbering, recommendation, what may be deleted.

use crate::id::Id;
use crate::refused::Refused;
use crate::status::TemplateVersionStatus;
use crate::track::ContentHash;
use crate::version::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Environment and service templates are separate namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TemplateKind {
    Environment,
    Service,
}

impl TemplateKind {
    /// The text in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "ENVIRONMENT",
            Self::Service => "SERVICE",
        }
    }

    /// How messages speak of it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Environment => "environment template",
            Self::Service => "service template",
        }
    }
}

/// How a resource came to be, for creates that are idempotent by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The hash of the request that created it.
    pub request: ContentHash,
    /// Whether an update was accepted since.
    #[serde(default)]
    pub modified: bool,
}

impl Origin {
    pub fn new(request: ContentHash) -> Self {
        Self { request, modified: false }
    }

    /// What a create with the hash `request` means for a resource that exists already: `Ok` if it
    /// is a replay that answers the current details.
    pub fn replay(&self, request: &str, noun: &str, name: &str) -> Result<(), Refused> {
        if self.request != request {
            Err(Refused::Invalid("Idempotent parameter mismatch".into()))
        } else if self.modified {
            Err(Refused::Conflict(format!("the {noun} '{name}' already exists and was updated since it was created")))
        } else {
            Ok(())
        }
    }
}

/// An environment template or a service template: the name that versions are published under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub kind: TemplateKind,
    pub name: String,
    pub display_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_key: Option<String>,
    /// Environment templates: nothing is provisioned. Service templates: there is no pipeline.
    #[serde(default)]
    pub customer_managed: bool,
    pub created_at: i64,
    pub modified_at: i64,
    /// The highest published version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<Version>,
    /// The highest minor ever given to each major: numbers are not used again.
    #[serde(default)]
    pub last_minors: BTreeMap<i64, i64>,
    pub origin: Origin,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl Template {
    /// The number of the next version: a new major, or the next minor of `major`.
    ///
    /// `major` may be one that exists or exactly the next. The caller saves the template afterwards.
    pub fn next_version(&mut self, major: Option<i64>) -> Result<Version, Refused> {
        let highest = self.last_minors.keys().next_back().copied().unwrap_or(0);
        let major = major.unwrap_or(highest + 1);
        let minor = match self.last_minors.get(&major) {
            Some(last) => last + 1,
            None if major == highest + 1 => 0,
            None => {
                return Err(Refused::NotFound(format!(
                    "The {} '{}' has no major version {major}; give an existing one, or {} to begin the next",
                    self.kind.noun(),
                    self.name,
                    highest + 1
                )));
            }
        };
        self.last_minors.insert(major, minor);
        Ok(Version::new(major, minor))
    }
}

/// An environment template that a service template works with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compatible {
    pub template: String,
    pub major: i64,
}

/// Where the bundle of a version is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleSource {
    pub bucket: String,
    pub key: String,
}

/// What a registered bundle holds for one of its infrastructures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredPart {
    /// `cloudformation`, `terraform` or `codebuild`.
    pub engine: String,
    /// The manifest's text, in the content table.
    pub manifest: ContentHash,
    /// Paths within the infrastructure folder, and their contents.
    pub files: BTreeMap<String, ContentHash>,
    /// Whether its commands leave a process behind (`settings.service`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaves_process: bool,
}

/// A registered bundle: what rendering needs, in the content table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredBundle {
    pub schema: ContentHash,
    /// Absent for customer-managed environments, where there is nothing to render.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure: Option<RegisteredPart>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<RegisteredPart>,
}

/// A version of a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateVersion {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub kind: TemplateKind,
    pub template: String,
    pub template_id: Id,
    pub version: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub status: TemplateVersionStatus,
    /// Why registration failed, or what has no effect in the bundle; empty otherwise.
    #[serde(default)]
    pub status_message: String,
    pub source: BundleSource,
    /// Service templates only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compatible: Vec<Compatible>,
    /// Service templates only: `DIRECTLY_DEFINED`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub component_sources: Vec<String>,
    pub created_at: i64,
    pub modified_at: i64,
    /// What registration found; absent until it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<RegisteredBundle>,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl TemplateVersion {
    /// What an environment or an instance of it is made from; customer-managed environments are made from nothing.
    pub fn infrastructure(&self) -> Option<&RegisteredPart> {
        self.bundle.as_ref()?.infrastructure.as_ref()
    }

    /// What a pipeline of it is made from, if it has one.
    pub fn pipeline(&self) -> Option<&RegisteredPart> {
        self.bundle.as_ref()?.pipeline.as_ref()
    }

    /// Publishes a draft; publishing again is no change.
    pub fn publish(&mut self) -> Result<(), Refused> {
        match self.status {
            TemplateVersionStatus::Draft | TemplateVersionStatus::Published => {
                self.status = TemplateVersionStatus::Published;
                Ok(())
            }
            TemplateVersionStatus::RegistrationInProgress => Err(Refused::Conflict(format!(
                "version {} of '{}' is still being registered; wait until it is DRAFT",
                self.version, self.template
            ))),
            TemplateVersionStatus::RegistrationFailed => Err(Refused::Conflict(format!(
                "version {} of '{}' failed to register and can't be published; correct the bundle and create another version",
                self.version, self.template
            ))),
        }
    }

    /// Whether resources may be created from it when it is named explicitly.
    pub fn is_usable(&self) -> bool {
        match self.status {
            TemplateVersionStatus::Draft | TemplateVersionStatus::Published => true,
            TemplateVersionStatus::RegistrationInProgress | TemplateVersionStatus::RegistrationFailed => false,
        }
    }
}

/// The recommended version among `versions`: the highest published one.
pub fn recommended(versions: impl IntoIterator<Item = (Version, TemplateVersionStatus)>) -> Option<Version> {
    versions.into_iter().filter(|(_, status)| *status == TemplateVersionStatus::Published).map(|(v, _)| v).max()
}

/// Whether `version` may be deleted, given all versions of its template.
///
/// Not the recommended minor of its major unless it is the only minor there, and not the
/// recommended version of the template unless it is the only version.
pub fn may_delete(version: Version, all: &[(Version, TemplateVersionStatus)]) -> Result<(), Refused> {
    let in_major = || all.iter().copied().filter(|(other, _)| other.major == version.major);
    let only_minor = in_major().count() == 1;
    if recommended(all.iter().copied()) == Some(version) && all.len() > 1 {
        return Err(Refused::Conflict(format!(
            "version {version} is the recommended version of its template and not the only one; \
             publish a higher version first, or delete the other versions"
        )));
    }
    if recommended(in_major()) == Some(version) && !only_minor {
        return Err(Refused::Conflict(format!(
            "version {version} is the recommended minor version of major version {} and not the only one; \
             publish a higher minor version first, or delete the others",
            version.major
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use TemplateVersionStatus::{Draft, Published};

    fn template() -> Template {
        Template {
            revision: 0,
            id: Id::from_random([0; 16]),
            kind: TemplateKind::Environment,
            name: "t".into(),
            display_name: "t".into(),
            description: None,
            encryption_key: None,
            customer_managed: false,
            created_at: 0,
            modified_at: 0,
            recommended: None,
            last_minors: BTreeMap::new(),
            origin: Origin::new("h".into()),
            unknown: serde_json::Map::new(),
        }
    }

    #[test]
    fn versions_count_from_one_zero_and_never_repeat() {
        let mut template = template();
        let mut next = |major| template.next_version(major).map(|v| v.to_string());
        assert_eq!(next(None).as_deref(), Ok("1.0"));
        assert_eq!(next(Some(1)).as_deref(), Ok("1.1"));
        assert_eq!(next(Some(2)).as_deref(), Ok("2.0"));
        assert_eq!(next(None).as_deref(), Ok("3.0"));
        assert!(matches!(next(Some(9)), Err(Refused::NotFound(_))));
        assert!(matches!(next(Some(0)), Err(Refused::NotFound(_))));
    }

    #[test]
    fn the_first_version_may_be_asked_for_as_major_one() {
        assert_eq!(template().next_version(Some(1)), Ok(Version::new(1, 0)));
    }

    #[test]
    fn recommended_is_the_highest_published() {
        let v = Version::new;
        assert_eq!(recommended([(v(1, 0), Published), (v(2, 0), Draft), (v(1, 3), Published)]), Some(v(1, 3)));
        assert_eq!(recommended([(v(1, 0), Draft)]), None);
    }

    #[test]
    fn the_recommended_can_go_only_as_the_last() {
        let v = Version::new;
        let all = [(v(1, 0), Published), (v(1, 1), Published), (v(2, 0), Published)];
        assert!(may_delete(v(1, 0), &all).is_ok());
        assert!(may_delete(v(1, 1), &all).is_err(), "recommended minor of its major");
        assert!(may_delete(v(2, 0), &all).is_err(), "recommended version");
        assert!(may_delete(v(1, 0), &[(v(1, 0), Published)]).is_ok());
        assert!(may_delete(v(1, 1), &[(v(1, 0), Draft), (v(1, 1), Draft)]).is_ok());
    }

    #[test]
    fn a_replayed_create_must_be_the_same_and_unmodified() {
        let mut origin = Origin::new("a".into());
        assert_eq!(origin.replay("a", "environment", "e"), Ok(()));
        assert_eq!(
            origin.replay("b", "environment", "e"),
            Err(Refused::Invalid("Idempotent parameter mismatch".into()))
        );
        origin.modified = true;
        assert!(matches!(origin.replay("a", "environment", "e"), Err(Refused::Conflict(_))));
        assert!(matches!(origin.replay("b", "environment", "e"), Err(Refused::Invalid(_))), "parameters come first");
    }
}
