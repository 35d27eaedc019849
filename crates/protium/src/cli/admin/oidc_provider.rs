//! `protium admin oidc-provider`: identity providers whose tokens the account believes.

use super::Failure;
use clap::{Subcommand, ValueEnum};
use protium_client::Client;
use protium_client::types as api;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub(super) enum OidcProvider {
    /// Register a provider.
    Create {
        /// The issuer, exactly as its tokens name it.
        url: String,
        /// For whom tokens must be issued, their `aud`; may be given several times.
        #[arg(long = "client-id", value_name = "TEXT", required = true)]
        client_ids: Vec<String>,
        /// Who may use a token again: by default whoever calls from the address of its first use.
        #[arg(long, value_enum)]
        token_reuse: Option<Reuse>,
    },
    /// Print a provider.
    Show { url: String },
    /// Print the providers of the account.
    List,
    /// Change what is given and leave the rest.
    Update {
        url: String,
        /// For whom tokens must be issued, instead of all that were given before.
        #[arg(long = "client-id", value_name = "TEXT")]
        client_ids: Vec<String>,
        /// Who may use a token again.
        #[arg(long, value_enum)]
        token_reuse: Option<Reuse>,
    },
    /// Believe a provider's tokens no longer.
    Delete { url: String },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Reuse {
    /// Whoever calls from the address of its first use.
    SameSource,
    /// The same, for five minutes.
    Once,
    /// Everybody.
    Anywhere,
}

impl From<Reuse> for api::TokenReuse {
    fn from(reuse: Reuse) -> Self {
        match reuse {
            Reuse::SameSource => Self::SameSource,
            Reuse::Once => Self::Once,
            Reuse::Anywhere => Self::Anywhere,
        }
    }
}

pub(super) async fn call(client: &Client, task: OidcProvider) -> Result<Value, Failure> {
    Ok(match task {
        OidcProvider::Create { url, client_ids, token_reuse } => {
            let token_reuse = token_reuse.map(Into::into);
            let input = api::CreateOidcProviderInput { client_ids, token_reuse, url };
            json!(client.create_oidc_provider(input).await?)
        }
        OidcProvider::Show { url } => json!(client.get_oidc_provider(api::GetOidcProviderInput { url }).await?),
        OidcProvider::List => {
            json!({ "oidcProviders": client.paginate(api::ListOidcProvidersInput::default()).all().await? })
        }
        OidcProvider::Update { url, client_ids, token_reuse } => {
            let client_ids = (!client_ids.is_empty()).then_some(client_ids);
            let input = api::UpdateOidcProviderInput { client_ids, token_reuse: token_reuse.map(Into::into), url };
            json!(client.update_oidc_provider(input).await?)
        }
        OidcProvider::Delete { url } => {
            json!(client.delete_oidc_provider(api::DeleteOidcProviderInput { url }).await?)
        }
    })
}
