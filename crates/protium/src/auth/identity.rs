//! Whom an access key stands for, and what that one may do.
//!
//! Does not know keys or signatures.

use protium_domain::iam::{Policies, Principal};

/// A caller as policies see it, with those that bear on what it does.
#[derive(Clone, Debug)]
pub struct Identity {
    pub principal: Principal,
    /// None of the root user, who may do everything in its account.
    pub policies: Policies,
}

impl Identity {
    /// The root user of `account`.
    pub fn root(account: impl Into<String>) -> Self {
        Self { principal: Principal::root(account), policies: Policies::default() }
    }
}
