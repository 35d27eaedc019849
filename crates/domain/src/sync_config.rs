//! Sync configurations: what in a linked repository a template or a service follows.
//!
//! They say where to look. What is found there, and what becomes of it, comes with Git.

use crate::id::Id;
use crate::repository::RepositoryBranch;
use crate::template::{Origin, TemplateKind};
use crate::track::ContentHash;
use serde::{Deserialize, Serialize};

/// What the versions of a template are registered from. There is at most one for each template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TemplateSyncConfig {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    pub kind: TemplateKind,
    /// The template's name.
    pub template: String,
    pub follows: RepositoryBranch,
    /// Where the folder of the template is looked for; everywhere if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdirectory: Option<String>,
    pub created_at: i64,
    pub origin: Origin,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl TemplateSyncConfig {
    /// The folder that it follows.
    pub fn directory(&self) -> &str {
        self.subdirectory.as_deref().unwrap_or(ROOT)
    }
}

/// What the instances of a service are created and updated from. There is at most one for each service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSyncConfig {
    #[serde(skip)]
    pub revision: i64,
    pub id: Id,
    /// The service's name.
    pub service: String,
    pub follows: RepositoryBranch,
    /// The file that lists the service's instances and their specs.
    pub file_path: String,
    pub created_at: i64,
    pub origin: Origin,
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

impl ServiceSyncConfig {
    /// A configuration that is about to be made. `request` is the hash of the request.
    pub fn new(
        id: Id,
        service: String,
        follows: RepositoryBranch,
        file_path: String,
        request: ContentHash,
        at: i64,
    ) -> Self {
        let (origin, unknown) = (Origin::new(request), serde_json::Map::new());
        Self { revision: 0, id, service, follows, file_path, created_at: at, origin, unknown }
    }

    /// The folder that the file is in.
    pub fn directory(&self) -> &str {
        match self.file_path.trim_end_matches('/').rsplit_once('/') {
            Some(("", _)) | None => ROOT,
            Some((folder, _)) => folder,
        }
    }
}

/// How the folder at the top of a repository is written.
const ROOT: &str = ".";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Provider;

    #[test]
    fn the_folder_of_a_file_is_what_stands_before_its_name() {
        let follows = RepositoryBranch { provider: Provider::Github, name: "o/r".into(), branch: "main".into() };
        let config = |path: &str| {
            let id = Id::from_random([0; 16]);
            ServiceSyncConfig::new(id, "web".into(), follows.clone(), path.into(), "h".into(), 0)
        };
        for (path, folder) in [
            ("proton-ops.yaml", "."),
            ("./proton-ops.yaml", "."),
            ("/proton-ops.yaml", "."),
            ("ops/proton-ops.yaml", "ops"),
            ("./a/b/ops.yaml", "./a/b"),
            ("/a/ops.yaml", "/a"),
            ("a//ops.yaml", "a/"),
            ("ops/", "."),
            ("/", "."),
            ("ä/ö", "ä"),
        ] {
            assert_eq!(config(path).directory(), folder, "{path}");
        }
    }
}
