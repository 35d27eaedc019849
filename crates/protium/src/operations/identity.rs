//! Identities of an account: users, groups, their access keys and policies; and what policies say about a caller.
//!
//! Owns: all operations on them. Does not own: deciding a request (`authorize`), how documents are read
//! (`domain::iam`).
//!
//! | module | owns |
//! |---|---|
//! | `user` `group` | who there is, and who is in which group |
//! | `access_key` | what users sign with |
//! | `policy` | the account's own policies, and those that are built in |
//! | `holder` `holding` | whom a request names; what is attached to it and embedded in it |
//! | `simulate` | why something is allowed or not |
//! | `caller` | whom a key stands for |

pub(super) mod access_key;
mod caller;
pub(super) mod group;
mod holder;
pub(super) mod holding;
pub(super) mod policy;
pub(super) mod simulate;
pub(super) mod user;

pub(crate) use caller::{compile, identity_of};
pub(super) use holder::{attached, inline_names};

use super::Context;
use crate::error::{Error, Result, invalid};
use protium_domain::iam::{Attachment, IdentityPolicy, summary};
use protium_domain::refused::Refused;

/// To be called when something was stored that changes what somebody may do: it holds in this process at once.
fn changed<T>(cx: &Context, done: T) -> T {
    cx.app.keys.doubt();
    done
}

/// Refuses a document that is not understood, with all that is wrong in it.
fn check_document(field: &str, document: &str, attachment: Attachment) -> Result<IdentityPolicy> {
    IdentityPolicy::parse(document, attachment)
        .map_err(|problems| invalid(field, format_args!("the policy can't be understood:\n{}", summary(&problems))))
}

/// Refuses one more than there may be.
fn check_quota(count: i64, limit: i64, what: &str, remedy: &str) -> Result<(), Error> {
    if count < limit {
        return Ok(());
    }
    Err(Refused::Quota(format!("{what}; {limit} is the most, as in IAM: {remedy}")).into())
}
