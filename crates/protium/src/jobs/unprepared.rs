//! Why a deployment can't be prepared, in words that say what to do.

use crate::error::Error;
use protium_domain::account::AccountSettings;
use protium_domain::bundle::problem::{Problem, summary};
use protium_domain::environment::Environment;
use protium_domain::provisioning::Method;
use protium_domain::template::{RegisteredPart, TemplateVersion};
use protium_domain::version::Version;

/// Why there is no order.
pub(super) enum Unprepared {
    /// The deployment fails with this message; trying again would not help.
    Refused(String),
    /// Something of ours failed; it is tried again.
    Error(Error),
}

impl<E: Into<Error>> From<E> for Unprepared {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

pub(super) type Preparing<T> = Result<T, Unprepared>;

pub(super) fn refuse(problems: &[Problem]) -> Unprepared {
    Unprepared::Refused(summary(problems))
}

pub(super) fn missing_version(template: &str, version: Version) -> Unprepared {
    Unprepared::Refused(format!("Version {version} of the template '{template}' does not exist any more"))
}

/// Without a role of the user's, the server would work in its own name.
pub(super) fn no_role(environment: &Environment) -> Unprepared {
    if let Some(id) = &environment.access.connection {
        return Unprepared::Refused(format!(
            "The environment account connection {id} of the environment '{}' has no roleArn, in whose name it and its \
             service instances are provisioned; set it in the account {} with UpdateEnvironmentAccountConnection, and try again",
            environment.name,
            environment.access.environment_account.as_deref().unwrap_or("of the connection")
        ));
    }
    Unprepared::Refused(format!(
        "The environment '{}' has no protonServiceRoleArn, in whose name it and its service instances are provisioned; \
         give it one with UpdateEnvironment and deploymentType NONE, and try again",
        environment.name
    ))
}

pub(super) fn no_component_role(environment: &Environment) -> Unprepared {
    Unprepared::Refused(format!(
        "The environment '{}' has no componentRoleArn, in whose name its components are provisioned; give it one with \
         UpdateEnvironment and deploymentType NONE, or its account connection with \
         UpdateEnvironmentAccountConnection, and try again",
        environment.name
    ))
}

/// The role that pipelines of that method are provisioned with. Whoever applies files of a self-managed one
/// has roles of their own.
pub(super) fn pipeline_role(settings: AccountSettings, method: Option<Method>) -> Preparing<Option<String>> {
    let why = "The account has no pipelineServiceRoleArn, in whose name pipelines are provisioned; set one with \
               UpdateAccountSettings, and try again";
    match method {
        Some(Method::SelfManaged) => Ok(None),
        Some(Method::Commands | Method::Terraform) => Ok(settings.pipeline_codebuild_role),
        Some(Method::CloudFormation) | None => {
            settings.pipeline_service_role.map(Some).ok_or_else(|| Unprepared::Refused(why.to_owned()))
        }
    }
}

pub(super) fn not_built(part: &RegisteredPart) -> Unprepared {
    Unprepared::Refused(format!("The engine '{}' is not built yet", part.engine))
}

pub(super) fn no_part(version: &TemplateVersion, folder: &str) -> Unprepared {
    Unprepared::Refused(format!("Version {} of '{}' has no {folder}", version.version, version.template))
}
