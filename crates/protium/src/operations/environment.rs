//! Environments: create, get, list, update, delete, cancel.

use super::authorize::Entry;
use super::deploy::{self, Start};
use super::input::{request_hash, tags, version_part};
use super::page::{Filling, Page};
use super::quota::{Places, Quota};
use super::template::existing;
use super::upgrade::Update;
use super::usable_version::{self, check_built, check_same_engine, runs_terraform};
use super::{Context, account_connection, repository, spec, wire};
use crate::app::new_id;
use crate::error::{Result, conflict, not_found};
use crate::store::{
    Reader, Target, Tx, component_in_environment, content_put, environment_get, environment_insert, environment_page,
    environment_save, instance_in_environment, tag_set,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::arn::Scope;
use protium_domain::deployment::State;
use protium_domain::environment::{Access, Environment, check_access, check_access_change, check_repository_change};
use protium_domain::provisioning::Method;
use protium_domain::repository::RepositoryBranch;
use protium_domain::status::DeploymentStatus;
use protium_domain::template::{Origin, TemplateKind, TemplateVersion};
use protium_domain::track::{Aim, ContentHash, Track};
use protium_domain::upgrade::Wanted;

const NOUN: &str = "environment";

pub(super) async fn create(cx: &Context, input: CreateEnvironmentInput) -> Result<CreateEnvironmentOutput> {
    let user_tags = tags(input.tags.as_deref())?;
    let mut access = access(&input)?;
    // What excludes each other does so whatever the template.
    check_access(&access, None, false)?;
    let hash = request_hash(&input)?;
    let mut rd = cx.store().reader().await?;
    if let Some(found) = environment_get(&mut rd, cx.scope(), &input.name).await? {
        return replay(cx, &found, &hash);
    }
    let template = existing(&mut rd, cx.scope(), TemplateKind::Environment, &input.template_name).await?;
    let version = usable_version::resolve(
        &mut rd,
        cx.scope(),
        TemplateKind::Environment,
        &input.template_name,
        version_part(&input.template_major_version),
        input.template_minor_version.as_deref().map(version_part),
    )
    .await?;
    check_provisioning(cx, &access, &version)?;
    connect(&mut rd, cx, &mut access, &input.name, engine(&version)).await?;
    check_linked(&mut rd, cx.scope(), &access).await?;
    let text = spec::environment(&mut rd, &version, &input.spec, None).await?;
    drop(rd);
    let places = Places::of(cx, Quota::Environments).await?;
    let now = cx.now;
    transaction!(cx.store(), async |tx| -> Result<CreateEnvironmentOutput> {
        if let Some(found) = environment_get(tx, cx.scope(), &input.name).await? {
            return replay(cx, &found, &hash);
        }
        usable_version::still(tx, cx.scope(), &version).await?;
        let mut access = access.clone();
        connect(tx, cx, &mut access, &input.name, engine(&version)).await?;
        check_linked(tx, cx.scope(), &access).await?;
        places.check(tx, cx, 1).await?;
        let aim = Aim { version: version.version, spec: content_put(tx, text.as_bytes()).await? };
        let deployment = new_id();
        let goal = State::new(&version.template, &aim);
        let environment = Environment {
            revision: 0,
            id: new_id(),
            name: input.name.clone(),
            template: input.template_name.clone(),
            description: input.description.clone(),
            customer_managed: template.customer_managed,
            access,
            created_at: now,
            track: Track::first(deployment.clone(), aim, now),
            origin: Origin::new(hash.clone()),
            unknown: serde_json::Map::new(),
        };
        if !environment_insert(tx, cx.scope(), &environment).await? {
            return Err(deploy::lost_update());
        }
        for (key, value) in &user_tags {
            let arn = cx.scope().environment(&environment.name);
            tag_set(tx, cx.scope(), environment.id.as_str(), &arn, key, value).await?;
        }
        let answer = wire::environment(cx.scope(), &environment, None);
        let target = Target::Environment(environment);
        deploy::start_first(tx, deployment, &target, Start { scope: cx.scope(), now, goal, waiting: false }).await?;
        Ok(CreateEnvironmentOutput { environment: answer })
    })
}

/// What a create answers for an environment that exists.
fn replay(cx: &Context, found: &Environment, hash: &ContentHash) -> Result<CreateEnvironmentOutput> {
    let status = found.track.status;
    if matches!(status, DeploymentStatus::DeleteInProgress | DeploymentStatus::DeleteFailed) {
        return Err(conflict(format!(
            "the environment '{}' is {status}; create it again when its deletion has ended",
            found.name
        )));
    }
    found.origin.replay(hash, NOUN, &found.name)?;
    Ok(CreateEnvironmentOutput { environment: wire::environment(cx.scope(), found, None) })
}

pub(super) async fn get(cx: &Context, input: GetEnvironmentInput) -> Result<GetEnvironmentOutput> {
    let mut rd = cx.store().reader().await?;
    let environment = find(&mut rd, cx, &input.name).await?;
    let spec = spec::deployed(&mut rd, &environment.track).await?;
    Ok(GetEnvironmentOutput { environment: wire::environment(cx.scope(), &environment, spec) })
}

pub(super) async fn list(cx: &Context, input: ListEnvironmentsInput) -> Result<ListEnvironmentsOutput> {
    let templates: Vec<(String, i64)> = input
        .environment_templates
        .unwrap_or_default()
        .into_iter()
        .map(|filter| (filter.template_name, version_part(&filter.major_version)))
        .collect();
    let mut filters: Vec<String> = templates.iter().map(|(name, major)| format!("{name}:{major}")).collect();
    filters.sort();
    let page = Page::new(
        cx,
        "ListEnvironments",
        filters.iter().map(String::as_str),
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let mut rd = cx.store().reader().await?;
    let entry = |environment: &Environment| Entry::new(cx.scope().environment(&environment.name));
    let mut filling = Filling::new(page);
    let (found, next_token) = loop {
        let found = environment_page(
            &mut rd,
            cx.scope(),
            &templates,
            filling.page.after().unwrap_or_default(),
            filling.page.limit(),
        )
        .await?;
        if let Some(full) = filling.take(cx, &mut rd, found, |environment| environment.name.clone(), entry).await? {
            break full;
        }
    };
    let environments = found.iter().map(|environment| wire::environment_summary(cx.scope(), environment)).collect();
    Ok(ListEnvironmentsOutput { environments, next_token })
}

pub(super) async fn update(cx: &Context, input: UpdateEnvironmentInput) -> Result<UpdateEnvironmentOutput> {
    let update = Update::new(
        input.deployment_type,
        input.template_major_version.as_deref(),
        input.template_minor_version.as_deref(),
    );
    let now = cx.now;
    transaction!(cx.store(), async |tx| -> Result<UpdateEnvironmentOutput> {
        let mut environment = find(tx, cx, &input.name).await?;
        let was = environment.track.status;
        let mut after = changed_access(&environment.access, &input)?;
        check_access_change(&environment.access, &after)?;
        check_repository_change(&environment, &after)?;
        let wanted = update.wanted(&environment.track)?;
        if wanted == Wanted::Nothing {
            check_linked(tx, cx.scope(), &after).await?;
            let engine = environment.track.engine.as_deref().and_then(Method::parse).map(Method::engine);
            if input.proton_service_role_arn.is_some() || input.provisioning_repository.is_some() {
                // Whether it can be run here is the next deployment's to say.
                check_access(&after, engine, true)?;
            }
            reconnect(tx, cx, &environment, &input, &mut after, engine).await?;
            if was.is_active() {
                return Err(busy(&environment));
            }
            environment.access = after;
            describe(&mut environment, &input);
            save(tx, &mut environment, was, now).await?;
            return Ok(UpdateEnvironmentOutput { environment: wire::environment(cx.scope(), &environment, None) });
        }
        let kind = TemplateKind::Environment;
        let current = environment.track.current().version;
        let version =
            usable_version::resolve_wanted(tx, cx.scope(), kind, &environment.template, wanted, current).await?;
        check_provisioning(cx, &after, &version)?;
        check_linked(tx, cx.scope(), &after).await?;
        reconnect(tx, cx, &environment, &input, &mut after, engine(&version)).await?;
        let aim = aim(tx, &environment, &version, input.spec.as_deref()).await?;
        let goal = State::new(&version.template, &aim);
        environment.access = after;
        describe(&mut environment, &input);
        let mut target = Target::Environment(environment);
        deploy::start(tx, &mut target, Start { scope: cx.scope(), now, goal, waiting: false }).await?;
        answer(cx, &target).map(|environment| UpdateEnvironmentOutput { environment })
    })
}

/// What a deployment of the version aims at: the given spec, or the current one, if it fits the version.
pub(super) async fn aim(
    tx: &mut Tx,
    environment: &Environment,
    version: &TemplateVersion,
    given: Option<&str>,
) -> Result<Aim> {
    check_same_engine(NOUN, &environment.track, version.infrastructure())?;
    let stored = spec::text(tx, &environment.track.current().spec).await?;
    let text = match given {
        Some(given) => spec::environment(tx, version, given, Some(&stored)).await?,
        None => spec::environment(tx, version, &stored, None).await?,
    };
    Ok(Aim { version: version.version, spec: content_put(tx, text.as_bytes()).await? })
}

pub(super) async fn delete(cx: &Context, input: DeleteEnvironmentInput) -> Result<DeleteEnvironmentOutput> {
    transaction!(cx.store(), async |tx| -> Result<DeleteEnvironmentOutput> {
        let Some(environment) = environment_get(tx, cx.scope(), &input.name).await? else {
            return Ok(DeleteEnvironmentOutput { environment: None });
        };
        if let Some(instance) = instance_in_environment(tx, &environment.id).await? {
            return Err(conflict(format!(
                "the environment '{}' has service instances, such as '{}' of service '{}'; delete them first",
                environment.name, instance.name, instance.service
            )));
        }
        if let Some(component) = component_in_environment(tx, &environment.id).await? {
            return Err(conflict(format!(
                "the environment '{}' has components, such as '{}'; delete them first",
                environment.name, component.name
            )));
        }
        let mut target = Target::Environment(environment);
        deploy::destroy(tx, &mut target, cx.scope(), cx.now).await?;
        answer(cx, &target).map(|environment| DeleteEnvironmentOutput { environment: Some(environment) })
    })
}

pub(super) async fn cancel(
    cx: &Context,
    input: CancelEnvironmentDeploymentInput,
) -> Result<CancelEnvironmentDeploymentOutput> {
    transaction!(cx.store(), async |tx| -> Result<CancelEnvironmentDeploymentOutput> {
        let environment = find(tx, cx, &input.environment_name).await?;
        let spec = spec::deployed(tx, &environment.track).await?;
        let mut target = Target::Environment(environment);
        deploy::cancel(tx, &mut target, cx.scope(), cx.now, cx.cancel_deadline()).await?;
        let environment = wire::environment(cx.scope(), environment_of(&target)?, spec);
        Ok(CancelEnvironmentDeploymentOutput { environment })
    })
}

pub(super) async fn find(rd: &mut Reader, cx: &Context, name: &str) -> Result<Environment> {
    environment_get(rd, cx.scope(), name).await?.ok_or_else(|| not_found(NOUN, cx.scope().environment(name)))
}

fn environment_of(target: &Target) -> Result<&Environment> {
    match target {
        Target::Environment(environment) => Ok(environment),
        Target::ServiceInstance(_) | Target::ServicePipeline(_) | Target::Component(_) => Err(deploy::lost_update()),
    }
}

fn answer(cx: &Context, target: &Target) -> Result<api::Environment> {
    Ok(wire::environment(cx.scope(), environment_of(target)?, None))
}

fn busy(environment: &Environment) -> crate::error::Error {
    let status = environment.track.status;
    conflict(format!("the environment '{}' is {status}; update it when its deployment has ended", environment.name))
}

fn access(input: &CreateEnvironmentInput) -> Result<Access> {
    Ok(Access {
        service_role: input.proton_service_role_arn.clone(),
        codebuild_role: input.codebuild_role_arn.clone(),
        component_role: input.component_role_arn.clone(),
        connection: input.environment_account_connection_id.clone(),
        environment_account: None,
        repository: given_repository(input.provisioning_repository.as_ref())?,
    })
}

fn given_repository(given: Option<&RepositoryBranchInput>) -> Result<Option<RepositoryBranch>> {
    given.map(|given| repository::branch("provisioningRepository", given)).transpose()
}

/// The access that an update leaves: what it gives replaces what was.
fn changed_access(before: &Access, input: &UpdateEnvironmentInput) -> Result<Access> {
    let repository = given_repository(input.provisioning_repository.as_ref())?;
    let or = |given: &Option<String>, before: &Option<String>| given.clone().or_else(|| before.clone());
    Ok(Access {
        service_role: or(&input.proton_service_role_arn, &before.service_role),
        codebuild_role: or(&input.codebuild_role_arn, &before.codebuild_role),
        component_role: or(&input.component_role_arn, &before.component_role),
        connection: or(&input.environment_account_connection_id, &before.connection),
        environment_account: before.environment_account.clone(),
        repository: repository.or_else(|| before.repository.clone()),
    })
}

fn describe(environment: &mut Environment, input: &UpdateEnvironmentInput) {
    if let Some(description) = &input.description {
        environment.description = Some(description.clone());
    }
    environment.origin.modified = true;
}

/// The engine that provisions the version; `None` if nothing is provisioned.
fn engine(version: &TemplateVersion) -> Option<&str> {
    version.infrastructure().map(|part| part.engine.as_str())
}

/// Looks at the account connection that `access` names for the environment `name`, and notes the account
/// that it leads to.
async fn connect(rd: &mut Reader, cx: &Context, access: &mut Access, name: &str, engine: Option<&str>) -> Result<()> {
    let Some(id) = &access.connection else { return Ok(()) };
    let connection = account_connection::usable(rd, cx, id, name).await?;
    connection.check_roles(&access.roles(Some(&connection)), engine)?;
    access.environment_account = Some(connection.environment_account);
    Ok(())
}

/// The same for an update, if it gives a connection. One that it leaves as it is may be gone: the
/// deployment says so.
async fn reconnect(
    rd: &mut Reader,
    cx: &Context,
    environment: &Environment,
    input: &UpdateEnvironmentInput,
    after: &mut Access,
    engine: Option<&str>,
) -> Result<()> {
    if input.environment_account_connection_id.is_none() {
        return Ok(());
    }
    connect(rd, cx, after, &environment.name, engine).await?;
    Ok(check_access_change(&environment.access, after)?)
}

/// Whether the engine of the version is built, and the members fit it.
pub(super) fn check_provisioning(cx: &Context, access: &Access, version: &TemplateVersion) -> Result<()> {
    check_built(cx, version.infrastructure())?;
    Ok(check_access(access, engine(version), runs_terraform(cx))?)
}

/// Whether the repository that the members name is linked.
async fn check_linked(rd: &mut Reader, scope: &Scope, access: &Access) -> Result<()> {
    match &access.repository {
        Some(branch) if !repository::is_linked(rd, scope, branch).await? => {
            Err(not_found("repository", scope.repository(branch.provider, &branch.name)))
        }
        Some(_) | None => Ok(()),
    }
}

async fn save(tx: &mut Tx, environment: &mut Environment, was: DeploymentStatus, now: i64) -> Result<()> {
    if environment_save(tx, environment, was, now).await? { Ok(()) } else { Err(deploy::lost_update()) }
}
