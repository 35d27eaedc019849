//! Linked repositories: create, get, list, delete, and how others refer to them. Linking records the repository and the connection to its
//! host; nothing is asked of the host.

use super::authorize::Entry;
use super::deploy::lost_update;
use super::input::{request_hash, tags};
use super::page::{Filling, Page};
use super::{Context, wire};
use crate::app::new_id;
use crate::error::{Result, conflict, invalid, not_found};
use crate::store::{
    Reader, account_settings_get, environment_of_repository, repository_delete, repository_get, repository_insert,
    repository_page, service_sync_configs_of, tag_drop, tag_set, template_sync_configs_of,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::arn::Scope;
use protium_domain::repository::{Provider, Repository, RepositoryBranch, check_name};

const NOUN: &str = "repository";

/// `CreateRepository`.
pub(super) async fn create(cx: &Context, input: CreateRepositoryInput) -> Result<CreateRepositoryOutput> {
    let scope = cx.scope();
    let provider = provider(input.provider);
    check_name("name", &input.name)?;
    let user_tags = tags(input.tags.as_deref())?;
    let hash = request_hash(&input)?;
    let new = Repository::new(new_id(), provider, input.name, input.connection_arn, hash, cx.now);
    let new = Repository { encryption_key: input.encryption_key, ..new };
    let arn = scope.repository(provider, &new.name);
    let repository = transaction!(cx.store(), async |tx| -> Result<Repository> {
        if let Some(existing) = repository_get(tx, scope, provider, &new.name).await? {
            existing.origin.replay(&new.origin.request, NOUN, &existing.name)?;
            return Ok(existing);
        }
        if !repository_insert(tx, scope, &new).await? {
            return Err(lost_update());
        }
        for (key, value) in &user_tags {
            tag_set(tx, scope, new.id.as_str(), &arn, key, value).await?;
        }
        Ok(new.clone())
    })?;
    Ok(CreateRepositoryOutput { repository: shown(scope, repository) })
}

/// `GetRepository`.
pub(super) async fn get(cx: &Context, input: GetRepositoryInput) -> Result<GetRepositoryOutput> {
    let provider = provider(input.provider);
    check_name("name", &input.name)?;
    let repository = existing(&mut cx.store().reader().await?, cx.scope(), provider, &input.name).await?;
    Ok(GetRepositoryOutput { repository: shown(cx.scope(), repository) })
}

/// The linked repository, or `ResourceNotFoundException`.
pub(super) async fn existing(rd: &mut Reader, scope: &Scope, provider: Provider, name: &str) -> Result<Repository> {
    let found = repository_get(rd, scope, provider, name).await?;
    found.ok_or_else(|| not_found(NOUN, scope.repository(provider, name)))
}

/// For operations whose model has no `ResourceNotFoundException`: the repository of `branch`, which the
/// request's member `field` names, is linked.
pub(super) async fn check_linked(rd: &mut Reader, scope: &Scope, field: &str, branch: &RepositoryBranch) -> Result<()> {
    let (provider, name) = (branch.provider, &branch.name);
    match repository_get(rd, scope, provider, name).await? {
        Some(_) => Ok(()),
        None => Err(invalid(
            field,
            format_args!("the repository '{name}' of {provider} is not linked; link it with CreateRepository first"),
        )),
    }
}

/// The branch in the members `repositoryProvider`, `repositoryName` and `branch`.
pub(super) fn followed(given: RepositoryProvider, name: String, branch: String) -> Result<RepositoryBranch> {
    check_name("repositoryName", &name)?;
    Ok(RepositoryBranch { provider: provider(given), name, branch })
}

/// `ListRepositories`: by name, those of one name by provider.
pub(super) async fn list(cx: &Context, input: ListRepositoriesInput) -> Result<ListRepositoriesOutput> {
    let page = Page::new(cx, "ListRepositories", [], input.max_results, input.next_token.as_deref())?;
    let mut rd = cx.store().reader().await?;
    let key = |repository: &Repository| format!("{}:{}", repository.provider, repository.name);
    let entry = |repository: &Repository| Entry::new(cx.scope().repository(repository.provider, &repository.name));
    let mut filling = Filling::new(page);
    let (found, next_token) = loop {
        // Providers have no colon; names may.
        let (provider, name) = filling.page.after().and_then(|key| key.split_once(':')).unwrap_or_default();
        let found = repository_page(&mut rd, cx.scope(), (name, provider), filling.page.limit()).await?;
        if let Some(full) = filling.take(cx, &mut rd, found, key, entry).await? {
            break full;
        }
    };
    let repositories = found.into_iter().map(|repository| summary(cx.scope(), repository)).collect();
    Ok(ListRepositoriesOutput { next_token, repositories })
}

/// `DeleteRepository`. Nothing is left to do where none is linked.
pub(super) async fn delete(cx: &Context, input: DeleteRepositoryInput) -> Result<DeleteRepositoryOutput> {
    let scope = cx.scope();
    let provider = provider(input.provider);
    check_name("name", &input.name)?;
    let deleted = transaction!(cx.store(), async |tx| -> Result<Option<Repository>> {
        let Some(repository) = repository_get(tx, scope, provider, &input.name).await? else { return Ok(None) };
        if let Some(user) = user(tx, scope, &repository).await? {
            return Err(conflict(format!(
                "the repository '{}' of {provider} is used by {user}; end that use first",
                repository.name
            )));
        }
        repository_delete(tx, &repository, cx.now).await?;
        tag_drop(tx, scope, repository.id.as_str()).await?;
        Ok(Some(repository))
    })?;
    Ok(DeleteRepositoryOutput { repository: deleted.map(|repository| shown(scope, repository)) })
}

/// One of those that use the repository, in words for the user: while there is any, it stays linked.
async fn user(rd: &mut Reader, scope: &Scope, repository: &Repository) -> Result<Option<String>> {
    if let Some(found) = environment_of_repository(rd, scope, repository.provider, &repository.name).await? {
        return Ok(Some(format!("the environment '{}' as provisioningRepository", found.name)));
    }
    let settings = account_settings_get(rd, scope).await?;
    if settings.pipeline_repository.is_some_and(|branch| branch.is_of(repository)) {
        return Ok(Some("the account settings as pipelineProvisioningRepository".into()));
    }
    let (provider, name) = (repository.provider, &repository.name);
    if let Some(config) = template_sync_configs_of(rd, scope, provider, name).await?.first() {
        let (noun, template) = (config.kind.noun(), &config.template);
        return Ok(Some(format!("the sync configuration of the {noun} '{template}'")));
    }
    if let Some(config) = service_sync_configs_of(rd, scope, provider, name).await?.first() {
        return Ok(Some(format!("the sync configuration of the service '{}'", config.service)));
    }
    Ok(None)
}

/// The branch that a request names. `member` is where it does.
pub(super) fn branch(member: &str, given: &RepositoryBranchInput) -> Result<RepositoryBranch> {
    check_name(&format!("{member}.name"), &given.name)?;
    let (name, branch) = (given.name.clone(), given.branch.clone());
    Ok(RepositoryBranch { provider: provider(given.provider), name, branch })
}

/// Whether the repository of a branch is linked.
pub(super) async fn is_linked(rd: &mut Reader, scope: &Scope, branch: &RepositoryBranch) -> Result<bool> {
    Ok(repository_get(rd, scope, branch.provider, &branch.name).await?.is_some())
}

/// The provider that a request names.
pub(super) fn provider(given: RepositoryProvider) -> Provider {
    match given {
        RepositoryProvider::Github => Provider::Github,
        RepositoryProvider::GithubEnterprise => Provider::GithubEnterprise,
        RepositoryProvider::Bitbucket => Provider::Bitbucket,
    }
}

fn shown(scope: &Scope, from: Repository) -> api::Repository {
    api::Repository {
        arn: scope.repository(from.provider, &from.name),
        connection_arn: from.connection_arn,
        encryption_key: from.encryption_key,
        name: from.name,
        provider: wire::provider(from.provider),
    }
}

fn summary(scope: &Scope, from: Repository) -> RepositorySummary {
    RepositorySummary {
        arn: scope.repository(from.provider, &from.name),
        connection_arn: from.connection_arn,
        name: from.name,
        provider: wire::provider(from.provider),
    }
}
