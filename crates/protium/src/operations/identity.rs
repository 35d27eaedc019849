//! Identities: who calls, and what policies say about that.

mod caller;

pub(crate) use caller::identity_of;
