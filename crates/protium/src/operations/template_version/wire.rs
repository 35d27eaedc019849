//! Versions as answers show them, and the lists that requests give.

use crate::operations::input::version_part;
use crate::operations::template::template_arn;
use crate::operations::wire::time;
use protium_api::types::*;
use protium_domain::arn::Scope;
use protium_domain::status::TemplateVersionStatus as Status;
use protium_domain::template::{Compatible, TemplateVersion as Version};

/// A version with what its row alone does not tell.
pub(super) struct Shown {
    pub(super) version: Version,
    /// The highest published minor of its major.
    pub(super) recommended_minor: Option<i64>,
    /// Only in answers about one version, once it is registered.
    pub(super) schema: Option<String>,
}

pub(super) fn compatible(given: Vec<CompatibleEnvironmentTemplateInput>) -> Vec<Compatible> {
    let read = |one: CompatibleEnvironmentTemplateInput| Compatible {
        major: version_part(&one.major_version),
        template: one.template_name,
    };
    given.into_iter().map(read).collect()
}

pub(super) fn component_sources(given: Vec<ServiceTemplateSupportedComponentSourceType>) -> Vec<String> {
    given.into_iter().map(|source| source.as_str().to_owned()).collect()
}

fn status(status: Status) -> TemplateVersionStatus {
    match status {
        Status::RegistrationInProgress => TemplateVersionStatus::RegistrationInProgress,
        Status::RegistrationFailed => TemplateVersionStatus::RegistrationFailed,
        Status::Draft => TemplateVersionStatus::Draft,
        Status::Published => TemplateVersionStatus::Published,
    }
}

impl Shown {
    fn arn(&self, scope: &Scope) -> String {
        let Version { kind, template, version, .. } = &self.version;
        format!("{}:{version}", template_arn(scope, *kind, template))
    }

    /// Empty unless registration failed, and absent while it is not known.
    fn status_message(&self) -> Option<String> {
        (self.version.status != Status::RegistrationInProgress).then(|| self.version.status_message.clone())
    }

    fn recommended_minor(&self) -> Option<String> {
        self.recommended_minor.map(|minor| minor.to_string())
    }

    fn component_sources(&self) -> Option<Vec<ServiceTemplateSupportedComponentSourceType>> {
        let sources: Vec<_> = self.version.component_sources.iter().filter_map(|source| source.parse().ok()).collect();
        (!sources.is_empty()).then_some(sources)
    }

    fn compatible(&self) -> Vec<CompatibleEnvironmentTemplate> {
        let shown = |one: &Compatible| CompatibleEnvironmentTemplate {
            major_version: one.major.to_string(),
            template_name: one.template.clone(),
        };
        self.version.compatible.iter().map(shown).collect()
    }

    pub(super) fn environment(self, scope: &Scope) -> EnvironmentTemplateVersion {
        EnvironmentTemplateVersion {
            arn: self.arn(scope),
            created_at: time(self.version.created_at),
            last_modified_at: time(self.version.modified_at),
            major_version: self.version.version.major.to_string(),
            minor_version: self.version.version.minor.to_string(),
            recommended_minor_version: self.recommended_minor(),
            status: status(self.version.status),
            status_message: self.status_message(),
            description: self.version.description,
            template_name: self.version.template,
            schema: self.schema,
        }
    }

    pub(super) fn service(self, scope: &Scope) -> ServiceTemplateVersion {
        ServiceTemplateVersion {
            arn: self.arn(scope),
            created_at: time(self.version.created_at),
            last_modified_at: time(self.version.modified_at),
            major_version: self.version.version.major.to_string(),
            minor_version: self.version.version.minor.to_string(),
            recommended_minor_version: self.recommended_minor(),
            status: status(self.version.status),
            status_message: self.status_message(),
            compatible_environment_templates: self.compatible(),
            supported_component_sources: self.component_sources(),
            description: self.version.description,
            template_name: self.version.template,
            schema: self.schema,
        }
    }

    pub(super) fn environment_summary(self, scope: &Scope) -> EnvironmentTemplateVersionSummary {
        EnvironmentTemplateVersionSummary {
            arn: self.arn(scope),
            created_at: time(self.version.created_at),
            last_modified_at: time(self.version.modified_at),
            major_version: self.version.version.major.to_string(),
            minor_version: self.version.version.minor.to_string(),
            recommended_minor_version: self.recommended_minor(),
            status: status(self.version.status),
            status_message: self.status_message(),
            description: self.version.description,
            template_name: self.version.template,
        }
    }

    pub(super) fn service_summary(self, scope: &Scope) -> ServiceTemplateVersionSummary {
        ServiceTemplateVersionSummary {
            arn: self.arn(scope),
            created_at: time(self.version.created_at),
            last_modified_at: time(self.version.modified_at),
            major_version: self.version.version.major.to_string(),
            minor_version: self.version.version.minor.to_string(),
            recommended_minor_version: self.recommended_minor(),
            status: status(self.version.status),
            status_message: self.status_message(),
            description: self.version.description,
            template_name: self.version.template,
        }
    }
}
