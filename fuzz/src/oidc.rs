//! Tokens of identity providers; what fetches keys is left out.

#[path = "../../crates/protium/src/oidc/keys.rs"]
pub mod keys;
#[path = "../../crates/protium/src/oidc/token.rs"]
pub mod token;
