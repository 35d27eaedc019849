//! Who is calling: access keys, signatures, identities.
//!
//! Owns the check of AWS Signature Version 4 and what is known of a caller once it holds.
//! Does not route requests, does not write answers and does not decide what a caller may do.

mod compiled;
pub mod credential;
pub mod identity;
mod last_use;
mod new_key;
pub mod sigv4;

pub use compiled::Compiled;
pub use credential::{Credential, Keys, Secret};
pub use identity::Identity;
pub use last_use::LastUse;
pub use new_key::{new_access_key_id, new_secret, new_stable_id};
