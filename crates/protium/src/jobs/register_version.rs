//! Registering a template version: fetch its bundle, check it, keep what rendering needs.
//!
//! Ends in DRAFT or in REGISTRATION_FAILED. The versions of one major are registered in the order of
//! their numbers, each compared with those before it, so a version waits while a lower one is at work;
//! whoever settles wakes the next.

use crate::app::App;
use crate::bundle_source::Unfetched;
use crate::error::{Error, Result, internal};
use crate::operations::deploy::{enqueue, lost_update};
use crate::store::{
    ClaimedJob, Settle, Tx, content_get, content_put, job_settle, template_get, template_version_by_id,
    template_version_next_waiting, template_version_registered_below, template_version_save, template_version_waits,
};
use crate::transaction;
use protium_api::ErrorCode;
use protium_domain::arn::Scope;
use protium_domain::bundle::{self, Bundle, Expect, Part, Problem, Schema, check, summary, unpack};
use protium_domain::id::Id;
use protium_domain::job::Job;
use protium_domain::status::TemplateVersionStatus as Status;
use protium_domain::template::{
    BundleSource, RegisteredBundle, RegisteredPart, Template, TemplateKind, TemplateVersion,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often in a row a registration may fail for reasons that may pass.
const ATTEMPTS: i64 = 10;
/// How long a version waits for a lower one at most before it looks again, should nobody wake it.
const WAIT_MS: i64 = 60_000;
/// The manifest of a part, in the part's folder.
const MANIFEST: &str = "manifest.yaml";
/// The model's limit for a status message, in characters.
const MESSAGE_CHARS: usize = 5000;

/// What became of a bundle.
enum Finding {
    Registered(Arc<Bundle>),
    /// Why not, for the version's author.
    Refused(String),
}

/// Runs the job once. `Err`: it is to be tried again later.
pub(super) async fn run(app: &App, job: &ClaimedJob, id: &Id) -> Result<()> {
    let mut rd = app.store.reader().await?;
    let Some((scope, version)) = template_version_by_id(&mut rd, id).await? else { return done(app, job).await };
    if version.status != Status::RegistrationInProgress {
        return done(app, job).await;
    }
    if template_version_waits(&mut rd, &scope, &version).await? {
        let later = rd.now_ms().await? + WAIT_MS;
        return settle_job(app, job, Settle::Again(later)).await;
    }
    drop(rd);
    let finding = match find(app, &scope, &version).await {
        Ok(Some(finding)) => finding,
        Ok(None) => return done(app, job).await,
        Err(error) if job.failures + 1 < ATTEMPTS => return Err(error),
        Err(error) => {
            tracing::error!(version = %id, "registration failed {ATTEMPTS} times and is given up: {error}");
            Finding::Refused(format!("{} (tried {ATTEMPTS} times); create another version to try again", error.message))
        }
    };
    settle(app, job, id, &finding).await
}

async fn done(app: &App, job: &ClaimedJob) -> Result<()> {
    settle_job(app, job, Settle::Done).await
}

async fn settle_job(app: &App, job: &ClaimedJob, outcome: Settle) -> Result<()> {
    transaction!(app.store, async |tx| -> Result<()> { Ok(job_settle(tx, job, outcome).await?) })
}

/// Looks at the bundle. `None`: the template was deleted, and so was the version.
async fn find(app: &App, scope: &Scope, version: &TemplateVersion) -> Result<Option<Finding>> {
    let limits = &app.config.bundle_limits;
    let template = template_get(&mut app.store.reader().await?, scope, version.kind, &version.template).await?;
    let Some(template) = template.filter(|template| template.id == version.template_id) else { return Ok(None) };
    let packed = match app.bundles.fetch(scope, &version.source, limits.archive_bytes).await {
        Ok(packed) => packed,
        Err(Unfetched::Refused(why)) => return Ok(Some(Finding::Refused(why))),
        Err(Unfetched::Transient(cause)) => return Err(unread(&version.source, cause)),
    };
    let (expect, limits) = (expectation(&template), limits.clone());
    let checked = tokio::task::spawn_blocking(move || {
        let files = unpack(&packed, &limits).map_err(|problem| vec![problem])?;
        check(&files, expect, &limits)
    });
    match checked.await.map_err(internal)? {
        Err(problems) => Ok(Some(Finding::Refused(summary(&problems)))),
        Ok(bundle) => {
            let bundle = Arc::new(bundle);
            let broken = breaking_changes(app, scope, version, &bundle).await?;
            Ok(Some(if broken.is_empty() { Finding::Registered(bundle) } else { Finding::Refused(summary(&broken)) }))
        }
    }
}

fn expectation(template: &Template) -> Expect {
    match template.kind {
        TemplateKind::Environment => Expect::Environment { customer_managed: template.customer_managed },
        TemplateKind::Service => Expect::Service { pipeline: !template.customer_managed },
    }
}

fn unread(source: &BundleSource, cause: anyhow::Error) -> Error {
    let BundleSource { bucket, key } = source;
    let message = format!("the bundle s3://{bucket}/{key} could not be read: {cause:#}");
    Error { code: ErrorCode::InternalServer, message, source: Some(cause) }
}

/// Compares the schema with those of the registered lower minors of the same major, down to the first that it breaks.
async fn breaking_changes(
    app: &App,
    scope: &Scope,
    version: &TemplateVersion,
    bundle: &Arc<Bundle>,
) -> Result<Vec<Problem>> {
    let mut rd = app.store.snapshot().await?;
    let mut compared = BTreeSet::new();
    for earlier in template_version_registered_below(&mut rd, scope, version).await?.into_iter().rev() {
        let Some(registered) = earlier.bundle else { continue };
        if !compared.insert(registered.schema.clone()) {
            continue;
        }
        let text = String::from_utf8(content_get(&mut rd, &registered.schema).await?).map_err(internal)?;
        let (new, kind, than) = (Arc::clone(bundle), version.kind, earlier.version);
        let compare = tokio::task::spawn_blocking(move || {
            // What an older program accepted and this one can't read forbids nothing.
            let Ok(old) = Schema::parse(&text, kind) else { return Vec::new() };
            bundle::breaking_changes(&old, than, &new.schema, &new.schema_text)
        });
        let broken = compare.await.map_err(internal)?;
        if !broken.is_empty() {
            return Ok(broken);
        }
    }
    Ok(Vec::new())
}

/// Saves the finding, if the version still waits for one, and ends the job.
async fn settle(app: &App, job: &ClaimedJob, id: &Id, finding: &Finding) -> Result<()> {
    let now = app.clock.now_ms();
    transaction!(app.store, async |tx| -> Result<()> {
        if let Some((scope, version)) = template_version_by_id(tx, id).await?
            && version.status == Status::RegistrationInProgress
        {
            let version = save(tx, version, finding, now).await?;
            if let Some(next) = template_version_next_waiting(tx, &scope, &version).await? {
                enqueue(tx, &Job::RegisterVersion { version: next.id.clone() }, &next.id).await?;
            }
        }
        Ok(job_settle(tx, job, Settle::Done).await?)
    })
}

async fn save(tx: &mut Tx, mut version: TemplateVersion, finding: &Finding, now: i64) -> Result<TemplateVersion> {
    let was = version.status;
    match finding {
        Finding::Registered(bundle) => {
            version.bundle = Some(keep(tx, bundle).await?);
            version.status = Status::Draft;
            version.status_message = remark(&bundle.warnings);
        }
        Finding::Refused(why) => {
            version.status = Status::RegistrationFailed;
            version.status_message = cut(why);
        }
    }
    version.modified_at = now;
    if template_version_save(tx, &mut version, was, now).await? { Ok(version) } else { Err(lost_update()) }
}

/// What a draft says of its bundle: nothing, or what has no effect in it.
fn remark(warnings: &[Problem]) -> String {
    if warnings.is_empty() { String::new() } else { cut(&format!("Registered with warnings:\n{}", summary(warnings))) }
}

fn cut(message: &str) -> String {
    message.chars().take(MESSAGE_CHARS).collect()
}

/// Puts what rendering needs where it finds it by hash.
async fn keep(tx: &mut Tx, bundle: &Bundle) -> Result<RegisteredBundle> {
    let schema = content_put(tx, bundle.schema_text.as_bytes()).await?;
    let infrastructure = match &bundle.infrastructure {
        Some(part) => Some(keep_part(tx, part).await?),
        None => None,
    };
    let pipeline = match &bundle.pipeline {
        Some(part) => Some(keep_part(tx, part).await?),
        None => None,
    };
    Ok(RegisteredBundle { schema, infrastructure, pipeline })
}

async fn keep_part(tx: &mut Tx, part: &Part) -> Result<RegisteredPart> {
    let mut files = BTreeMap::new();
    for (path, content) in &part.files {
        files.insert(path.clone(), content_put(tx, content).await?);
    }
    let Some(manifest) = files.get(MANIFEST).cloned() else {
        return Err(internal(anyhow::anyhow!("a part of a checked bundle has no {MANIFEST}")));
    };
    Ok(RegisteredPart {
        engine: part.engine.as_str().to_owned(),
        manifest,
        files,
        leaves_process: part.leaves_process(),
    })
}
