//! Client tokens: whether a request was made before, and that it is made now.
//!
//! Owns: what a repeated token is answered. Does not own: how long tokens are remembered (`store::token`), nor the
//! creates that are told apart by name (`domain::template::Origin`).

use super::Context;
use crate::error::{Error, Result};
use crate::store::{Reader, TokenUse, Tx, token_find, token_remember};
use protium_api::ErrorCode;
use protium_domain::id::Id;
use protium_domain::track::ContentHash;

/// The resource that the same request with the same token made or changed in the last eight hours. With other
/// parameters the token is a mistake: `ValidationException`.
pub(super) async fn find(
    rd: &mut Reader,
    cx: &Context,
    operation: &str,
    token: Option<&str>,
    hash: &ContentHash,
) -> Result<Option<Id>> {
    let Some(token) = token else { return Ok(None) };
    match token_find(rd, cx.scope(), operation, token, cx.now).await? {
        Some(used) if used.request_hash != *hash => {
            Err(Error::new(ErrorCode::Validation, "Idempotent parameter mismatch"))
        }
        Some(used) => Ok(Id::parse(&used.resource_id)),
        None => Ok(None),
    }
}

/// Remembers that the request used the token. It was looked for in the same transaction.
pub(super) async fn remember(
    tx: &mut Tx,
    cx: &Context,
    operation: &str,
    token: &str,
    hash: &ContentHash,
    resource: &Id,
) -> Result<()> {
    let used = TokenUse { request_hash: hash.clone(), resource_id: resource.to_string() };
    Ok(token_remember(tx, cx.scope(), operation, token, &used, cx.now).await?)
}
