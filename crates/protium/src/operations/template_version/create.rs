//! Creating a version: its number at once, its registration as a job.

use super::wire::{self, Shown};
use super::{check_compatible, without_schema};
use crate::app::new_id;
use crate::error::Result;
use crate::operations::Context;
use crate::operations::deploy::{enqueue, lost_update};
use crate::operations::input::{client_token, inherited_tags, request_hash, tags, version_part};
use crate::operations::quota::{Places, Quota};
use crate::operations::template::{existing, template_arn};
use crate::operations::token::Token;
use crate::store::{Tx, tag_list, tag_set, template_save, template_version_by_id, template_version_insert};
use crate::transaction;
use protium_api::types::*;
use protium_domain::arn::Scope;
use protium_domain::job::Job;
use protium_domain::status::TemplateVersionStatus as Status;
use protium_domain::tag;
use protium_domain::template::{BundleSource, Compatible, Template, TemplateKind, TemplateVersion};
use protium_domain::track::ContentHash;
use protium_domain::version::Version;
use serde_json::Map;

/// The most tags that one resource can have, those of its template included.
const ALL_TAGS: i64 = 2 * tag::MAX_USER_TAGS as i64;

/// What the creates of both kinds take.
struct New {
    kind: TemplateKind,
    operation: &'static str,
    template: String,
    major: Option<i64>,
    description: Option<String>,
    source: BundleSource,
    compatible: Vec<Compatible>,
    component_sources: Vec<String>,
    tags: Vec<(String, String)>,
    token: Option<String>,
    request: ContentHash,
}

/// `CreateEnvironmentTemplateVersion`.
pub(in crate::operations) async fn create_environment(
    cx: &Context,
    input: CreateEnvironmentTemplateVersionInput,
) -> Result<CreateEnvironmentTemplateVersionOutput> {
    let new = New {
        kind: TemplateKind::Environment,
        operation: "CreateEnvironmentTemplateVersion",
        request: request_hash(&input)?,
        tags: tags(input.tags.as_deref())?,
        token: client_token(input.client_token.as_deref()).map(str::to_owned),
        major: input.major_version.as_deref().map(version_part),
        description: input.description,
        source: source(input.source),
        compatible: Vec::new(),
        component_sources: Vec::new(),
        template: input.template_name,
    };
    let shown = create(cx, &new).await?;
    Ok(CreateEnvironmentTemplateVersionOutput { environment_template_version: shown.environment(cx.scope()) })
}

/// `CreateServiceTemplateVersion`.
pub(in crate::operations) async fn create_service(
    cx: &Context,
    input: CreateServiceTemplateVersionInput,
) -> Result<CreateServiceTemplateVersionOutput> {
    let new = New {
        kind: TemplateKind::Service,
        operation: "CreateServiceTemplateVersion",
        request: request_hash(&input)?,
        tags: tags(input.tags.as_deref())?,
        token: client_token(input.client_token.as_deref()).map(str::to_owned),
        major: input.major_version.as_deref().map(version_part),
        description: input.description,
        source: source(input.source),
        compatible: wire::compatible(input.compatible_environment_templates),
        component_sources: wire::component_sources(input.supported_component_sources.unwrap_or_default()),
        template: input.template_name,
    };
    let shown = create(cx, &new).await?;
    Ok(CreateServiceTemplateVersionOutput { service_template_version: shown.service(cx.scope()) })
}

fn source(given: TemplateVersionSourceInput) -> BundleSource {
    match given {
        TemplateVersionSourceInput::S3(S3ObjectSource { bucket, key }) => BundleSource { bucket, key },
    }
}

async fn create(cx: &Context, new: &New) -> Result<Shown> {
    let scope = cx.scope();
    let places = Places::of(cx, Quota::Versions { kind: new.kind, template: &new.template }).await?;
    let token = Token { operation: new.operation, token: new.token.as_deref(), request: &new.request };
    transaction!(cx.store(), async |tx| -> Result<_> {
        let mut template = existing(tx, scope, new.kind, &new.template).await?;
        if let Some(id) = token.made(tx, cx).await?
            && let Some((_, made)) = template_version_by_id(tx, &id).await?
        {
            return without_schema(tx, scope, made).await;
        }
        check_compatible(tx, scope, &new.compatible).await?;
        let number = template.next_version(new.major)?;
        places.check(tx, cx, 1).await?;
        let recommended = template.recommended;
        if !template_save(tx, &mut template, recommended, cx.now).await? {
            return Err(lost_update());
        }
        let version = version(new, &template, number, cx.now);
        if !template_version_insert(tx, scope, &version).await? {
            return Err(lost_update());
        }
        tag_like_its_template(tx, scope, &template, &version, &new.tags).await?;
        token.remember(tx, cx, &version.id).await?;
        enqueue(tx, &Job::RegisterVersion { version: version.id.clone() }, &version.id).await?;
        without_schema(tx, scope, version).await
    })
}

fn version(new: &New, template: &Template, number: Version, now: i64) -> TemplateVersion {
    TemplateVersion {
        revision: 0,
        id: new_id(),
        kind: new.kind,
        template: template.name.clone(),
        template_id: template.id.clone(),
        version: number,
        description: new.description.clone(),
        status: Status::RegistrationInProgress,
        status_message: String::new(),
        source: new.source.clone(),
        compatible: new.compatible.clone(),
        component_sources: new.component_sources.clone(),
        created_at: now,
        modified_at: now,
        bundle: None,
        unknown: Map::new(),
    }
}

/// A new version has the tags of its template, and those of the request, which win.
async fn tag_like_its_template(
    tx: &mut Tx,
    scope: &Scope,
    template: &Template,
    version: &TemplateVersion,
    given: &[(String, String)],
) -> Result<()> {
    let tags = inherited_tags(tag_list(tx, scope, template.id.as_str(), "", ALL_TAGS).await?, given)?;
    let arn = format!("{}:{}", template_arn(scope, template.kind, &template.name), version.version);
    for (key, value) in &tags {
        tag_set(tx, scope, version.id.as_str(), &arn, key, value).await?;
    }
    Ok(())
}
