//! Identity providers of the account: create, get, list, update, delete. Their tokens are not looked at here
//! (`http/sts`), and nothing is asked of them.

use super::Context;
use super::page::Page;
use super::wire::time;
use crate::error::{Result, conflict, not_found, over_quota};
use crate::store::{
    Reader, oidc_provider_count, oidc_provider_delete, oidc_provider_get, oidc_provider_insert, oidc_provider_list,
    oidc_provider_update,
};
use crate::transaction;
use protium_api::types::{self as api, *};
use protium_domain::oidc_provider::{
    MOST_PROVIDERS, OidcProvider, TokenReuse, check_client_ids, check_url, identifier,
};

const NOUN: &str = "identity provider";

/// `CreateOidcProvider`.
pub(super) async fn create(cx: &Context, input: CreateOidcProviderInput) -> Result<CreateOidcProviderOutput> {
    check_url(&input.url)?;
    check_client_ids(&input.client_ids)?;
    let provider = OidcProvider {
        url: input.url,
        client_ids: input.client_ids,
        token_reuse: input.token_reuse.map(reuse).unwrap_or_default(),
        created_at: cx.now,
        updated_at: cx.now,
        unknown: serde_json::Map::new(),
    };
    let account = &cx.scope().account;
    transaction!(cx.store(), async |tx| -> Result<()> {
        if oidc_provider_count(tx, account).await? >= MOST_PROVIDERS {
            return Err(over_quota("identity providers in an account", MOST_PROVIDERS));
        }
        match oidc_provider_insert(tx, account, &provider).await? {
            true => Ok(()),
            false => Err(conflict(format!("Provider with url {} already exists.", provider.url))),
        }
    })?;
    Ok(CreateOidcProviderOutput { oidc_provider: shown(account, provider) })
}

/// `GetOidcProvider`.
pub(super) async fn get(cx: &Context, input: GetOidcProviderInput) -> Result<GetOidcProviderOutput> {
    let provider = existing(&mut cx.store().reader().await?, cx, &input.url).await?;
    Ok(GetOidcProviderOutput { oidc_provider: shown(&cx.scope().account, provider) })
}

/// `ListOidcProviders`, in the order of their issuers.
pub(super) async fn list(cx: &Context, input: ListOidcProvidersInput) -> Result<ListOidcProvidersOutput> {
    let page = Page::new(cx, "ListOidcProviders", [], input.max_results, input.next_token.as_deref())?;
    let account = &cx.scope().account;
    let mut rd = cx.store().reader().await?;
    let found = oidc_provider_list(&mut rd, account, page.after().unwrap_or_default(), page.limit()).await?;
    let (found, next_token) = page.cut(found, |provider| identifier(&provider.url).to_owned());
    let oidc_providers = found.into_iter().map(|provider| shown(account, provider)).collect();
    Ok(ListOidcProvidersOutput { next_token, oidc_providers })
}

/// `UpdateOidcProvider`: what is not given stays as it is.
pub(super) async fn update(cx: &Context, input: UpdateOidcProviderInput) -> Result<UpdateOidcProviderOutput> {
    check_client_ids(input.client_ids.as_deref().unwrap_or_default())?;
    let account = &cx.scope().account;
    let provider = transaction!(cx.store(), async |tx| -> Result<OidcProvider> {
        let mut provider = existing(tx, cx, &input.url).await?;
        if let Some(ids) = &input.client_ids {
            provider.client_ids.clone_from(ids);
        }
        if let Some(given) = input.token_reuse {
            provider.token_reuse = reuse(given);
        }
        provider.updated_at = cx.now;
        oidc_provider_update(tx, account, &provider).await?;
        Ok(provider)
    })?;
    Ok(UpdateOidcProviderOutput { oidc_provider: shown(account, provider) })
}

/// `DeleteOidcProvider`: its tokens are believed no longer; sessions that they were exchanged for live on.
pub(super) async fn delete(cx: &Context, input: DeleteOidcProviderInput) -> Result<DeleteOidcProviderOutput> {
    transaction!(cx.store(), async |tx| -> Result<()> {
        match oidc_provider_delete(tx, &cx.scope().account, &input.url).await? {
            true => Ok(()),
            false => Err(not_found(NOUN, &input.url)),
        }
    })?;
    Ok(DeleteOidcProviderOutput {})
}

async fn existing(rd: &mut Reader, cx: &Context, url: &str) -> Result<OidcProvider> {
    oidc_provider_get(rd, &cx.scope().account, url).await?.ok_or_else(|| not_found(NOUN, url))
}

fn reuse(given: api::TokenReuse) -> TokenReuse {
    match given {
        api::TokenReuse::SameSource => TokenReuse::SameSource,
        api::TokenReuse::Once => TokenReuse::Once,
        api::TokenReuse::Anywhere => TokenReuse::Anywhere,
    }
}

fn shown(account: &str, provider: OidcProvider) -> api::OidcProvider {
    api::OidcProvider {
        arn: provider.arn(account),
        client_ids: provider.client_ids,
        created_at: time(provider.created_at),
        token_reuse: match provider.token_reuse {
            TokenReuse::SameSource => api::TokenReuse::SameSource,
            TokenReuse::Once => api::TokenReuse::Once,
            TokenReuse::Anywhere => api::TokenReuse::Anywhere,
        },
        updated_at: time(provider.updated_at),
        url: provider.url,
    }
}
