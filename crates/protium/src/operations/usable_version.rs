//! Which version of a template a create or an update may use.
//!
//! A version that is named explicitly may be a draft; what is chosen by default is published.

use super::Context;
use super::template::{existing, template_arn};
use super::template_version::version_noun;
use crate::error::{Error, Result, conflict, invalid, not_found};
use crate::store::{Reader, template_major_exists, template_recommended_minors, template_version_get};
use protium_domain::arn::Scope;
use protium_domain::provisioning::Method;
use protium_domain::status::TemplateVersionStatus as Status;
use protium_domain::template::{RegisteredPart, TemplateKind, TemplateVersion};
use protium_domain::track::Track;
use protium_domain::upgrade::Wanted;
use protium_domain::version::Version;

/// The version for a create: `minor` of `major`, or without one the recommended minor of `major`.
pub(super) async fn resolve(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
    major: i64,
    minor: Option<i64>,
) -> Result<TemplateVersion> {
    existing(rd, scope, kind, template).await?;
    match minor {
        Some(minor) => exactly(rd, scope, kind, template, Version::new(major, minor)).await,
        None => recommended_minor(rd, scope, kind, template, major).await,
    }
}

/// The version that an update asks for, which is `current` where it asks for none: what the resource
/// runs, or what its first deployment tried to.
pub(super) async fn resolve_wanted(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
    wanted: Wanted,
    current: Version,
) -> Result<TemplateVersion> {
    match wanted {
        Wanted::Nothing | Wanted::Current => exactly(rd, scope, kind, template, current).await,
        Wanted::Exactly(version) => exactly(rd, scope, kind, template, version).await,
        Wanted::RecommendedMinorOf(major) => recommended_minor(rd, scope, kind, template, major).await,
        Wanted::RecommendedAbove(major) => {
            let recommended = existing(rd, scope, kind, template).await?.recommended;
            match recommended.filter(|version| version.major > major) {
                Some(version) => exactly(rd, scope, kind, template, version).await,
                None => Err(no_higher(kind, template, major, recommended)),
            }
        }
    }
}

/// Checks, in the transaction that is about to use it, that a version that was resolved before is
/// still there and is still the same.
pub(super) async fn still(rd: &mut Reader, scope: &Scope, version: &TemplateVersion) -> Result<()> {
    let TemplateVersion { kind, template, version: number, .. } = version;
    let now = exactly(rd, scope, *kind, template, *number).await?;
    if now.id == version.id { Ok(()) } else { Err(missing(scope, *kind, template, number)) }
}

/// Whether there is an engine for that part of a bundle, if it has it. Bundles of others can be registered only.
pub(super) fn check_built(cx: &Context, part: Option<&RegisteredPart>) -> Result<()> {
    const FIELD: &str = "templateMajorVersion, templateMinorVersion";
    let Some(part) = part else { return Ok(()) };
    // Whether Terraform has a repository or a runner is asked where that is known.
    match Method::of_part(&part.engine, true, None) {
        Some(Method::Commands) if cx.app.engines.commands.is_none() => Err(invalid(
            FIELD,
            "the version is provisioned with codebuild, and this server runs no commands; start it with a --runner \
             (docs/runs.md), or use a version that is provisioned with cloudformation or terraform",
        )),
        Some(Method::Commands) if part.leaves_process && cx.app.config.runner.is_remote() => Err(invalid(
            FIELD,
            "the version leaves a process behind (settings.service), which only runs on the server's own machine do; use \
             a version whose manifest has no settings.service, or start the server with --runner local",
        )),
        Some(_) => Ok(()),
        None => Err(invalid(
            FIELD,
            format_args!(
                "the version is provisioned with {}, which this server does not support; use a version that is \
                 provisioned with cloudformation, terraform or codebuild",
                part.engine
            ),
        )),
    }
}

/// Whether this server runs Terraform itself. Whether its runner can have the state is told when one is deployed: that
/// depends on what the bundle says of it.
pub(super) fn runs_terraform(cx: &Context) -> bool {
    cx.app.engines.commands.is_some()
}

/// Whether what exists goes on with its engine: another would leave behind what that made.
pub(super) fn check_same_engine(what: &str, track: &Track, part: Option<&RegisteredPart>) -> Result<()> {
    let before = track.engine.as_deref().and_then(Method::parse);
    let (Some(before), Some(part)) = (before, part) else { return Ok(()) };
    if Method::of_part(&part.engine, false, Some(before)).is_none_or(|wanted| wanted == before) {
        return Ok(());
    }
    Err(invalid(
        "templateMajorVersion, templateMinorVersion",
        format_args!(
            "the version's {what} is provisioned with {}, and the {what} exists by another engine; what that made would \
             be left behind: use a version with the engine of before, or create another {what}",
            part.engine
        ),
    ))
}

async fn exactly(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
    number: Version,
) -> Result<TemplateVersion> {
    let found = template_version_get(rd, scope, kind, template, number).await?;
    let version = found.ok_or_else(|| missing(scope, kind, template, number))?;
    match version.status {
        Status::Draft | Status::Published => Ok(version),
        Status::RegistrationInProgress => Err(conflict(format!(
            "the {} {number} of '{template}' is still being registered; wait until it is DRAFT",
            version_noun(kind)
        ))),
        Status::RegistrationFailed => Err(invalid(
            "templateMinorVersion",
            format_args!(
                "the {} {number} of '{template}' failed to register and can't be used; correct its bundle, create \
                 another version and name that one",
                version_noun(kind)
            ),
        )),
    }
}

async fn recommended_minor(
    rd: &mut Reader,
    scope: &Scope,
    kind: TemplateKind,
    template: &str,
    major: i64,
) -> Result<TemplateVersion> {
    if !template_major_exists(rd, scope, kind, template, major).await? {
        return Err(missing(scope, kind, template, major));
    }
    let minors = template_recommended_minors(rd, scope, kind, template).await?;
    match minors.get(&major) {
        Some(minor) => exactly(rd, scope, kind, template, Version::new(major, *minor)).await,
        None => Err(invalid(
            "templateMinorVersion",
            format_args!(
                "is not given, and major version {major} of the {} '{template}' has no published minor version; \
                 publish one, or name a draft",
                kind.noun()
            ),
        )),
    }
}

fn missing(scope: &Scope, kind: TemplateKind, template: &str, version: impl std::fmt::Display) -> Error {
    not_found(version_noun(kind), format_args!("{}:{version}", template_arn(scope, kind, template)))
}

fn no_higher(kind: TemplateKind, template: &str, current: i64, recommended: Option<Version>) -> Error {
    let recommends = match recommended {
        Some(version) => format!("recommends version {version}"),
        None => "has no published version".to_owned(),
    };
    invalid(
        "templateMajorVersion",
        format_args!(
            "is not given, and the {} '{template}' {recommends}, while deploymentType MAJOR_VERSION needs one above \
             the current major version {current}; publish one, name one, or use MINOR_VERSION",
            kind.noun()
        ),
    )
}
