//! Where syncs stand, and what they would sync.
//!
//! Nothing syncs before Git comes: what is configured has no latest sync yet, and what is not configured
//! is not found.

use super::repository::{self, followed};
use super::template_sync_config::kind;
use super::{Context, service, service_instance, service_sync_config, template, template_sync_config};
use crate::error::{Result, not_found};
use crate::store::{Reader, instances_of_service, service_sync_configs_of, template_sync_configs_of};
use protium_api::types::*;
use protium_domain::repository::Provider;

/// `GetRepositorySyncStatus`: of a branch that something follows.
pub(super) async fn of_repository(
    cx: &Context,
    input: GetRepositorySyncStatusInput,
) -> Result<GetRepositorySyncStatusOutput> {
    let wanted = followed(input.repository_provider, input.repository_name, input.branch)?;
    let (scope, provider) = (cx.scope(), wanted.provider);
    let mut rd = cx.store().snapshot().await?;
    repository::existing(&mut rd, scope, provider, &wanted.name).await?;
    let is_followed = match input.sync_type {
        SyncType::TemplateSync => {
            let configs = template_sync_configs_of(&mut rd, scope, provider, &wanted.name).await?;
            configs.iter().any(|config| config.follows == wanted)
        }
        SyncType::ServiceSync => {
            let configs = service_sync_configs_of(&mut rd, scope, provider, &wanted.name).await?;
            configs.iter().any(|config| config.follows == wanted)
        }
    };
    if !is_followed {
        let arn = scope.repository(provider, &wanted.name);
        return Err(not_found(
            "branch",
            format_args!("'{}' of {arn}: no {} follows it", wanted.branch, input.sync_type),
        ));
    }
    Ok(GetRepositorySyncStatusOutput { latest_sync: None })
}

/// `GetTemplateSyncStatus`: of a template that has a sync configuration. Its major versions come with the
/// repository, so each may be asked for.
pub(super) async fn of_template(
    cx: &Context,
    input: GetTemplateSyncStatusInput,
) -> Result<GetTemplateSyncStatusOutput> {
    let kind = kind(input.template_type);
    let mut rd = cx.store().snapshot().await?;
    template::existing(&mut rd, cx.scope(), kind, &input.template_name).await?;
    template_sync_config::existing(&mut rd, cx, kind, &input.template_name).await?;
    Ok(GetTemplateSyncStatusOutput { desired_state: None, latest_successful_sync: None, latest_sync: None })
}

/// `GetServiceInstanceSyncStatus`: of an instance whose service has a sync configuration.
pub(super) async fn of_service_instance(
    cx: &Context,
    input: GetServiceInstanceSyncStatusInput,
) -> Result<GetServiceInstanceSyncStatusOutput> {
    let mut rd = cx.store().snapshot().await?;
    service::find(&mut rd, cx, &input.service_name).await?;
    service_instance::find(&mut rd, cx, &input.service_name, &input.service_instance_name).await?;
    service_sync_config::existing(&mut rd, cx, &input.service_name).await?;
    Ok(GetServiceInstanceSyncStatusOutput { desired_state: None, latest_successful_sync: None, latest_sync: None })
}

/// `ListRepositorySyncDefinitions`: what follows the repository. One that is not linked is followed by
/// nothing: the model declares no error for it.
pub(super) async fn definitions(
    cx: &Context,
    input: ListRepositorySyncDefinitionsInput,
) -> Result<ListRepositorySyncDefinitionsOutput> {
    let provider = repository::provider(input.repository_provider);
    protium_domain::repository::check_name("repositoryName", &input.repository_name)?;
    let mut rd = cx.store().snapshot().await?;
    let sync_definitions = match input.sync_type {
        SyncType::TemplateSync => of_templates(&mut rd, cx, provider, &input.repository_name).await?,
        SyncType::ServiceSync => of_services(&mut rd, cx, provider, &input.repository_name).await?,
    };
    Ok(ListRepositorySyncDefinitionsOutput { next_token: None, sync_definitions })
}

async fn of_templates(
    rd: &mut Reader,
    cx: &Context,
    provider: Provider,
    repository: &str,
) -> Result<Vec<RepositorySyncDefinition>> {
    let configs = template_sync_configs_of(rd, cx.scope(), provider, repository).await?;
    let definition = |config: protium_domain::sync_config::TemplateSyncConfig| RepositorySyncDefinition {
        directory: config.directory().to_owned(),
        target: template::template_arn(cx.scope(), config.kind, &config.template),
        parent: config.template,
        branch: config.follows.branch,
    };
    Ok(configs.into_iter().map(definition).collect())
}

/// Which instances a service syncs, and from where, stands in a file that is read once Git comes. Until
/// then each instance may be among them, and the folder is that of the file.
async fn of_services(
    rd: &mut Reader,
    cx: &Context,
    provider: Provider,
    repository: &str,
) -> Result<Vec<RepositorySyncDefinition>> {
    let mut definitions = Vec::new();
    for config in service_sync_configs_of(rd, cx.scope(), provider, repository).await? {
        for instance in instances_of_service(rd, cx.scope(), &config.service).await? {
            definitions.push(RepositorySyncDefinition {
                branch: config.follows.branch.clone(),
                directory: config.directory().to_owned(),
                parent: config.service.clone(),
                target: instance.name,
            });
        }
    }
    Ok(definitions)
}
