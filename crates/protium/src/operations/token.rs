//! Client tokens of creates: which resource a request made before.
//!
//! A repeated request with the same token makes nothing new for as long as tokens are remembered and the
//! resource exists (deleting it forgets its tokens). What it is answered is its noun's business.

use super::Context;
use crate::error::Result;
use crate::store::{TokenUse, Tx, token_find, token_remember};
use protium_domain::id::Id;
use protium_domain::refused::Refused;

/// What a create that may be repeated is told by.
pub(super) struct Token<'a> {
    /// The scope of the token beside account and region.
    pub operation: &'static str,
    /// `None` if the caller gave none: then each request makes something.
    pub token: Option<&'a str>,
    /// See [`request_hash`](super::input::request_hash).
    pub request: &'a str,
}

impl Token<'_> {
    /// The incarnation that the request made before. The same token with another request is refused.
    pub(super) async fn made(&self, tx: &mut Tx, cx: &Context) -> Result<Option<Id>> {
        let Some(token) = self.token else { return Ok(None) };
        let Some(used) = token_find(tx, cx.scope(), self.operation, token, cx.now).await? else { return Ok(None) };
        if used.request_hash != self.request {
            return Err(Refused::Invalid("Idempotent parameter mismatch".into()).into());
        }
        Ok(Id::parse(&used.resource_id))
    }

    /// Remembers what the request made.
    pub(super) async fn remember(&self, tx: &mut Tx, cx: &Context, made: &Id) -> Result<()> {
        let Some(token) = self.token else { return Ok(()) };
        let used = TokenUse { request_hash: self.request.to_owned(), resource_id: made.to_string() };
        Ok(token_remember(tx, cx.scope(), self.operation, token, &used, cx.now).await?)
    }
}
