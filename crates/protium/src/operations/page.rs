//! Pages of lists: how many entries, from where on, and the token for the next one.

use super::Context;
use super::authorize::{Entry, Shows, retain};
use crate::error::{Result, invalid};
use crate::store::Reader;
use protium_domain::iam::actions;
use protium_domain::page::{DEFAULT_PAGE, Listing};

/// How many entries are looked at together, at least, to find those that the caller sees.
const LOOKED_AT: usize = 100;

/// The page that a request asks for.
pub(super) struct Page {
    listing: Listing,
    size: usize,
    after: Option<String>,
    /// The action that asks for an entry, if each has to be asked for.
    get: Option<&'static str>,
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
        let get = match cx.shows {
            Shows::Everything => None,
            Shows::Allowed => actions::find(&format!("proton:{operation}")).and_then(|action| action.entries),
        };
        Ok(Self { listing, size, after, get })
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
        i64::try_from(self.fetched()).unwrap_or(i64::MAX)
    }

    fn fetched(&self) -> usize {
        self.get.map_or(self.size, |_| self.size.max(LOOKED_AT)).saturating_add(1)
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

/// A page that is being filled with what the caller may see: a list asks the store again until it is full.
pub(super) struct Filling<T> {
    /// Where to go on, and how many to ask for.
    pub(super) page: Page,
    shown: Vec<T>,
}

impl<T> Filling<T> {
    pub(super) fn new(page: Page) -> Self {
        Self { page, shown: Vec::new() }
    }

    /// Takes what the store gave for [`Page::limit`], in the order of the list. Answers the entries of the page and the
    /// token for the next one, if others follow; `None` if more has to be asked for.
    ///
    /// `key` is what a page begins after, `entry` what the caller has to be allowed to get. Where not everything is
    /// shown, what is not allowed is left out.
    pub(super) async fn take(
        &mut self,
        cx: &Context,
        rd: &mut Reader,
        found: Vec<T>,
        key: impl Fn(&T) -> String,
        entry: impl Fn(&T) -> Entry,
    ) -> Result<Option<(Vec<T>, Option<String>)>> {
        let Some(get) = self.page.get else { return Ok(Some(self.page.cut(found, key))) };
        let is_last = found.len() < self.page.fetched();
        if let Some(last) = found.last() {
            self.page.after = Some(key(last));
        }
        self.shown.extend(retain(cx, rd, get, found, entry).await?);
        let is_full = is_last || self.shown.len() > self.page.size;
        Ok(is_full.then(|| self.page.cut(std::mem::take(&mut self.shown), key)))
    }
}

fn foreign() -> crate::error::Error {
    invalid(
        "nextToken",
        "is not a token of this list with these filters; repeat the request that gave it unchanged, or leave it out \
         to begin anew",
    )
}
