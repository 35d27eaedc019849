//! Pages of lists: how many entries, from where on, and the token for the next one.

use super::Context;
use crate::error::{Result, invalid};
use protium_domain::page::{DEFAULT_PAGE, Listing};

/// The page that a request asks for.
pub(super) struct Page {
    listing: Listing,
    size: usize,
    after: Option<String>,
}

impl Page {
    /// Reads the members of a request. `operation` and `filters` (name and value of each one that
    /// is given) are what its tokens are bound to, beside account and region.
    pub(super) fn new<'a>(
        cx: &'a Context,
        operation: &'a str,
        filters: impl IntoIterator<Item = &'a str>,
        max_results: Option<i32>,
        next_token: Option<&str>,
    ) -> Result<Self> {
        let scope = cx.scope();
        let parts = [scope.account.as_str(), scope.region.as_str(), operation];
        let listing = Listing::new(parts.into_iter().chain(filters));
        let after = match next_token {
            Some(token) => Some(listing.key_of(token).ok_or_else(foreign)?),
            None => None,
        };
        let size = max_results.and_then(|most| usize::try_from(most).ok()).unwrap_or(DEFAULT_PAGE);
        Ok(Self { listing, size, after })
    }

    /// The key of the last entry of the page before, if there was one.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The same as a number, for lists whose keys are numbers.
    pub(super) fn after_number(&self) -> Result<Option<i64>> {
        self.after().map(|key| key.parse().map_err(|_| foreign())).transpose()
    }

    /// The same as a time and an id, for lists with the newest first.
    pub(super) fn after_moment(&self) -> Result<Option<(i64, &str)>> {
        let Some(key) = self.after() else { return Ok(None) };
        let moment = key.split_once('/').and_then(|(at, id)| Some((at.parse().ok()?, id)));
        moment.map(Some).ok_or_else(foreign)
    }

    /// The same as a place in a file, in bytes: its beginning, if there was no page before.
    pub(super) fn after_place(&self) -> Result<u64> {
        self.after().map_or(Ok(0), |key| key.parse().map_err(|_| foreign()))
    }

    /// How many entries fit.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many entries to ask the store for: one more than fit, to know whether others follow.
    pub(super) fn limit(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// The token of a page that begins after the entry with `key`.
    pub(super) fn token_after(&self, key: &str) -> String {
        self.listing.token_after(key)
    }

    /// Cuts what the store gave for [`Page::limit`] down to the page, and makes the token for the
    /// next one, if others follow.
    pub(super) fn cut<T>(&self, mut entries: Vec<T>, key: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        if entries.len() <= self.size {
            return (entries, None);
        }
        entries.truncate(self.size);
        let token = entries.last().map(|last| self.token_after(&key(last)));
        (entries, token)
    }
}

fn foreign() -> crate::error::Error {
    invalid(
        "nextToken",
        "is not a token of this list with these filters; repeat the request that gave it unchanged, or leave it out \
         to begin anew",
    )
}
